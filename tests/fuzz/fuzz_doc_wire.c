/* tests/fuzz/fuzz_doc_wire.c - any bytes as what the child that reads documents sends
 * back: refused, or a document in which every number is in its range. */
#include <stdint.h>

#include "doc/builder.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static void check(const lf_doc *d)
{
    uint32_t last = 0;
    need(lf_utf8_valid(d->text, d->n_bytes) && lf_utf8_count(d->text, d->n_bytes) == d->n_chars);
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        lf_box box = { 0 };
        int32_t page = 0;
        need(b->start >= last && b->start < b->end && b->end <= d->n_chars);
        need(b->page >= 0 && (size_t)b->page <= d->n_pages);
        for (size_t k = 0; k < b->n_cells; k++)
            need(b->cells[k].start >= b->start && b->cells[k].end <= b->end &&
                 b->cells[k].start <= b->cells[k].end);
        lf_doc_locate(d, b->start, b->end, &page, &box);
        need(page >= 0 && (size_t)page <= d->n_pages);
        last = b->end;
    }
    for (size_t i = 0; i < d->n_lines; i++)
        need(d->lines[i].end <= d->n_chars && (size_t)d->lines[i].page <= d->n_pages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_doc *d = NULL;
    lf_buf wire = { 0 };
    lf_err err = { 0 };
    lf_buf_add(&wire, data, size);
    if (lf_doc_from_wire(&wire, &d, &err) == LF_OK)
        check(d);
    else
        need(err.msg[0] != '\0'); /* a refusal says why */
    lf_doc_close(d);
    return 0;
}

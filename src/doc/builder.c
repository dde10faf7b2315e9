/* doc/builder.c - collects a document and writes its flat image.
 *
 * Image: wire_head, text, pages, lines, blocks, cells, warning.  All records
 * are the structs of wire_int.h as they lie in memory: both ends are the same
 * executable.  The reader (wire.c) believes none of the numbers. */
#include "doc/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "doc/wire_int.h"
#include "text/utf8.h"

enum { MAX_TEXT_BYTES = 1 << 30 };

static void add_valid(lf_builder *b, const char *p, size_t n, size_t n_chars)
{
    if (b->text.len + n > MAX_TEXT_BYTES) {
        b->too_long = b->failed = true;
        return;
    }
    lf_buf_add(&b->text, p, n);
    b->n_chars += (uint32_t)n_chars;
    b->failed = b->failed || b->text.failed;
}

void lf_builder_add(lf_builder *b, const char *p, size_t n_bytes)
{
    if (b->failed)
        return;
    if (lf_utf8_valid(p, n_bytes)) {
        add_valid(b, p, n_bytes, lf_utf8_count(p, n_bytes));
        return;
    }
    for (const char *s = p, *end = p + n_bytes; s < end;) {
        char out[4];
        add_valid(b, out, lf_utf8_put(lf_utf8_next(&s, end), out), 1);
    }
}

void lf_builder_add_str(lf_builder *b, const char *cstr)
{
    lf_builder_add(b, cstr, strlen(cstr));
}

void lf_builder_take_text(lf_builder *b, lf_buf *text)
{
    lf_buf_release(&b->text);
    b->text = *text;
    *text = (lf_buf){ 0 };
    b->failed = b->failed || b->text.failed;
    if (b->text.len > MAX_TEXT_BYTES)
        b->too_long = b->failed = true;
    else
        b->n_chars = (uint32_t)lf_utf8_count(lf_buf_cstr(&b->text), b->text.len);
}

void lf_builder_separate(lf_builder *b, const char *sep)
{
    const lf_str have = { b->text.data, b->text.len };
    if (have.len && !lf_str_ends(have, sep))
        lf_builder_add_str(b, sep);
}

void lf_builder_block(lf_builder *b, const lf_block *blk)
{
    wire_block w = { .type = blk->type,
                     .level = blk->level,
                     .page = blk->page,
                     .box = blk->box,
                     .start = blk->start,
                     .end = blk->end,
                     .n_cells = (uint32_t)blk->n_cells };
    if (w.start < b->last_end)
        w.start = b->last_end;
    if (w.end > b->n_chars)
        w.end = b->n_chars;
    if (w.start >= w.end || b->failed)
        return;
    for (size_t i = 0; i < blk->n_cells; i++) {
        lf_cell c = blk->cells[i];
        c.start = c.start < w.start ? w.start : c.start > w.end ? w.end : c.start;
        c.end = c.end < c.start ? c.start : c.end > w.end ? w.end : c.end;
        lf_buf_add(&b->cells, &c, sizeof c);
    }
    lf_buf_add(&b->blocks, &w, sizeof w);
    b->last_end = w.end;
    b->n_blocks++;
    b->n_cells += w.n_cells;
    b->failed = b->failed || b->blocks.failed || b->cells.failed;
}

void lf_builder_line(lf_builder *b, const lf_line *line)
{
    if (line->start >= line->end || b->failed)
        return;
    lf_buf_add(&b->lines, line, sizeof *line);
    b->n_lines++;
    b->failed = b->failed || b->lines.failed;
}

void lf_builder_page(lf_builder *b, const lf_page *page)
{
    const wire_page w = { .width = page->width, .height = page->height, .scanned = page->scanned };
    lf_buf_add(&b->pages, &w, sizeof w);
    b->n_pages++;
    b->failed = b->failed || b->pages.failed;
}

void lf_builder_warn(lf_builder *b, const char *fmt, ...)
{
    char line[300];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (b->warning.len > 2000 || strstr(lf_buf_cstr(&b->warning), line))
        return;
    lf_buf_addf(&b->warning, "%s%s", b->warning.len ? "; " : "", line);
    b->failed = b->failed || b->warning.failed;
}

lf_status lf_builder_status(const lf_builder *b, lf_err *err)
{
    if (b->too_long)
        return lf_fail(err, LF_ERR_LIMIT, "the document's text is over %d MiB",
                       MAX_TEXT_BYTES >> 20);
    return b->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the document's text") : LF_OK;
}

void lf_builder_release(lf_builder *b)
{
    lf_buf_release(&b->text);
    lf_buf_release(&b->blocks);
    lf_buf_release(&b->cells);
    lf_buf_release(&b->lines);
    lf_buf_release(&b->pages);
    lf_buf_release(&b->warning);
    *b = (lf_builder){ 0 };
}

bool lf_builder_to_wire(const lf_builder *b, const char *format, lf_wire_put *put, void *ud)
{
    wire_head h = { .n_bytes = b->text.len,
                    .n_chars = b->n_chars,
                    .n_blocks = b->n_blocks,
                    .n_cells = b->n_cells,
                    .n_lines = b->n_lines,
                    .n_pages = b->n_pages,
                    .n_warning = (uint32_t)b->warning.len };
    memcpy(h.magic, WIRE_MAGIC, sizeof h.magic);
    (void)snprintf(h.format, sizeof h.format, "%s", format);
    return put(ud, &h, sizeof h) && put(ud, lf_buf_cstr(&b->text), b->text.len) &&
           put(ud, lf_buf_cstr(&b->pages), b->pages.len) &&
           put(ud, lf_buf_cstr(&b->lines), b->lines.len) &&
           put(ud, lf_buf_cstr(&b->blocks), b->blocks.len) &&
           put(ud, lf_buf_cstr(&b->cells), b->cells.len) &&
           put(ud, lf_buf_cstr(&b->warning), b->warning.len);
}

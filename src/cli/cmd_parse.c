/* cli/cmd_parse.c - `landfall parse FILE`: what a document reader makes of a file. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "doc/doc.h"
#include "text/utf8.h"

static bool has_box(const lf_box *b)
{
    return b->x0 != 0 || b->y0 != 0 || b->x1 != 0 || b->y1 != 0;
}

/* Hundredths of a point are finer than any reader needs; NULL has become null. */
static json_t *box_json(const lf_box *b)
{
    const float v[4] = { b->x0, b->y0, b->x1, b->y1 };
    json_t *a = has_box(b) ? json_array() : json_null();
    for (int i = 0; a && has_box(b) && i < 4; i++) {
        const double scaled = (double)v[i] * 100.0;
        const double whole = (double)(long long)(scaled + (scaled < 0 ? -0.5 : 0.5));
        if (json_array_append_new(a, json_real(whole / 100.0)) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

/* Spans ascend, so one pass over the text finds every byte position. */
typedef struct cursor {
    const lf_doc *d;
    size_t byte;
    uint32_t at;
} cursor;

static size_t byte_of(cursor *c, uint32_t pos)
{
    if (pos < c->at)
        *c = (cursor){ .d = c->d };
    c->byte += lf_utf8_offset(c->d->text + c->byte, c->d->n_bytes - c->byte, pos - c->at);
    c->at = pos;
    return c->byte;
}

static lf_str span(cursor *c, uint32_t start, uint32_t end)
{
    const size_t from = byte_of(c, start);
    cursor to = *c;
    return (lf_str){ c->d->text + from, byte_of(&to, end) - from };
}

static json_t *cells_json(cursor *c, const lf_block *b)
{
    json_t *a = json_array();
    cursor in = *c;
    for (size_t i = 0; a && i < b->n_cells; i++) {
        const lf_cell *k = &b->cells[i];
        const lf_str text = span(&in, k->start, k->end);
        json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:I, s:I, s:o, s:o}", "row", (int)k->row, "col",
                              (int)k->col, "row_span", (int)k->n_rows, "col_span", (int)k->n_cols,
                              "start", (json_int_t)k->start, "end", (json_int_t)k->end, "box",
                              box_json(&k->box), "text", json_stringn(text.p, text.len));
        if (json_array_append_new(a, o) != 0) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *doc_json(const lf_doc *d)
{
    cursor c = { .d = d };
    json_t *blocks = json_array(), *pages = json_array();
    bool ok = blocks && pages;
    for (size_t i = 0; ok && i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        (void)byte_of(&c, b->start);
        json_t *o =
            json_pack("{s:s, s:i, s:o, s:o, s:I, s:I, s:o}", "type", lf_block_type_name(b->type),
                      "level", (int)b->level, "page", b->page ? json_integer(b->page) : json_null(),
                      "box", box_json(&b->box), "start", (json_int_t)b->start, "end",
                      (json_int_t)b->end, "cells", cells_json(&c, b));
        ok = json_array_append_new(blocks, o) == 0;
    }
    for (size_t i = 0; ok && i < d->n_pages; i++)
        ok = json_array_append_new(
                 pages, json_pack("{s:f, s:f, s:b}", "width", (double)d->pages[i].width, "height",
                                  (double)d->pages[i].height, "scanned", d->pages[i].scanned)) == 0;
    if (!ok) {
        json_decref(blocks);
        json_decref(pages);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:s}", "format", d->format, "text",
                     json_stringn(d->text, d->n_bytes), "blocks", blocks, "pages", pages, "warning",
                     d->warning);
}

/* At most `columns` characters of a span on one line. */
static void print_gist(lf_str s, size_t columns)
{
    const char *p = s.p, *end = s.p + s.len;
    for (size_t n = 0; p < end && n < columns; n++) {
        char out[4];
        const uint32_t cp = lf_utf8_next(&p, end);
        (void)fwrite(out, 1, lf_utf8_put(cp < 32 || cp == 127 ? ' ' : cp, out), stdout);
    }
    (void)fputs(p < end ? "…\n" : "\n", stdout);
}

static void print_outline(const lf_cli *c, const lf_doc *d)
{
    cursor at = { .d = d };
    printf(
        LF_TR(c, "%s, %zu characters, %zu blocks, %zu pages\n", "%s，%zu 字符，%zu 块，%zu 页\n"),
        d->format, d->n_chars, d->n_blocks, d->n_pages);
    if (d->warning[0])
        (void)fprintf(stderr, LF_TR(c, "warning: %s\n", "警告：%s\n"), d->warning);
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        char where[16] = "";
        if (b->page)
            (void)snprintf(where, sizeof where, "p%d ", (int)b->page);
        printf("%8u %5s%-9s %*s", b->start, where, lf_block_type_name(b->type),
               b->level > 1 ? 2 * (b->level > 8 ? 8 : b->level) - 2 : 0, "");
        print_gist(span(&at, b->start, b->end), 60);
    }
}

static int run_parse(const lf_cli *c, int argc, char **argv)
{
    bool text = false;
    const lf_cli_opt opts[] = { { "--text", LF_CLI_FLAG, &text, 0, 0 } };
    lf_err err = { 0 };
    lf_doc *d = NULL;
    int n_args = 0, code = 0;

    lf_status st = lf_cli_parse(opts, 1, argc, argv, &n_args, &err);
    if (st == LF_OK && n_args != 1)
        st = lf_fail(&err, LF_ERR_ARG, "parse takes one file, found %d; see landfall help parse",
                     n_args);
    if (st == LF_OK)
        st = lf_doc_parse(argv[1], &d, &err);
    if (st != LF_OK)
        return lf_cli_fail(c, &err);
    if (text)
        code = fwrite(d->text, 1, d->n_bytes, stdout) == d->n_bytes && fflush(stdout) == 0 ? 0 : 1;
    else if (c->json)
        code = lf_cli_print(doc_json(d));
    else
        print_outline(c, d);
    lf_doc_close(d);
    return code;
}

const lf_cmd lf_cmd_parse = {
    .name = "parse",
    .args = "[--text] FILE",
    .summary = "read one document and show its blocks, or its text byte for byte",
    .summary_zh = "读取一个文档，显示其结构块，或逐字节输出其文本",
    .options = "--text  the extracted text alone; spans count its characters\n",
    .options_zh = "--text  只输出提取的文本；各处位置以其字符计数\n",
    .run = run_parse,
};

/* serve/api_docs.c - collections and documents: list, read, show, remove. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/http_text.h"
#include "serve/serve_int.h"
#include "text/utf8.h"

enum {
    DPI_DEFAULT = 110,
    DPI_MIN = 36,
    DPI_MAX = 200,
    PART_SLACK = 20000, /* code points by which a part may grow to end with its block */
};

void lf_serve_collections(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_collection_row *rows = NULL;
    size_t n = 0;
    lf_err err = { 0 };
    if (lf_know_collections(s->o.know, s->o.scope, &rows, &n, &err) != LF_OK) {
        lf_serve_fail(r, NULL, &err);
        return;
    }
    json_t *v = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(v, json_pack("{s:s,s:I,s:I}", "name", rows[i].name, "documents",
                                                 (json_int_t)rows[i].n_docs, "chunks",
                                                 (json_int_t)rows[i].n_chunks));
    lf_collection_rows_free(rows, n);
    lf_http_reply_json(r, 200, json_pack("{s:o}", "collections", v));
}

lf_status lf_serve_need_collection(lf_server *s, const char *name, lf_err *err)
{
    lf_collection_row *rows = NULL;
    size_t n = 0;
    bool found = !name || strcmp(name, "default") == 0;
    if (found)
        return LF_OK;
    const lf_status st = lf_know_collections(s->o.know, s->o.scope, &rows, &n, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        found = found || strcmp(rows[i].name, name) == 0;
    lf_collection_rows_free(rows, n);
    return found ? LF_OK : lf_fail(err, LF_ERR_NOT_FOUND, "there is no collection '%.100s'", name);
}

void lf_serve_collection_add(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    static const char *const known[] = { "name", NULL };
    lf_err err = { 0 };
    json_t *root = lf_serve_json(r);
    if (!root)
        return;
    lf_fields f = { .o = root, .err = &err };
    lf_fields_only(&f, known);
    const char *name = lf_fields_need_str(&f, "name");
    lf_status st = f.st;
    if (st == LF_OK)
        st = lf_know_collection_create(s->o.know, s->o.scope, name, &err);
    if (st == LF_OK)
        lf_http_reply_json(r, 201,
                           json_pack("{s:s,s:i,s:i}", "name", name, "documents", 0, "chunks", 0));
    else
        lf_serve_fail(r, f.st != LF_OK ? f.param : "name", &err);
    json_decref(root);
}

void lf_serve_collection_remove(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    lf_err err = { 0 };
    if (lf_know_collection_remove(s->o.know, s->o.scope, a->v[0], &err) == LF_OK)
        lf_http_reply_json(r, 200, json_pack("{s:s}", "deleted", a->v[0]));
    else
        lf_serve_fail(r, "name", &err);
}

static json_t *row_json(const lf_doc_row *d)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "doc_id", d->doc_id, "source",
                     d->source, "collection", d->collection, "format", d->format, "hash", d->hash,
                     "pages", (json_int_t)d->n_pages, "chunks", (json_int_t)d->n_chunks, "chars",
                     (json_int_t)d->n_chars, "added", (json_int_t)d->added_unix_ms);
}

void lf_serve_docs(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_doc_row *rows = NULL;
    size_t n = 0;
    lf_err err = { 0 };
    const char *collection = lf_http_query(r, "collection");
    if (lf_serve_need_collection(s, collection, &err) != LF_OK ||
        lf_know_list(s->o.know, s->o.scope, collection, &rows, &n, &err) != LF_OK) {
        lf_serve_fail(r, "collection", &err);
        return;
    }
    json_t *v = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(v, row_json(&rows[i]));
    lf_doc_rows_free(rows, n);
    lf_http_reply_json(r, 200, json_pack("{s:o}", "documents", v));
}

/* The list's row of one document (new reference); NULL when there is none. */
static lf_status find_row(lf_server *s, const char *id, json_t **out, lf_err *err)
{
    lf_doc_row *rows = NULL;
    size_t n = 0;
    lf_status st = lf_know_list(s->o.know, s->o.scope, NULL, &rows, &n, err);
    if (st != LF_OK)
        return st;
    *out = NULL;
    for (size_t i = 0; i < n && !*out; i++)
        if (strcmp(rows[i].doc_id, id) == 0)
            *out = row_json(&rows[i]);
    lf_doc_rows_free(rows, n);
    return *out ? LF_OK : lf_fail(err, LF_ERR_NOT_FOUND, "there is no document '%.64s'", id);
}

/* [x0,y0,x1,y1] in points to a tenth, or null. */
static json_t *box_json(lf_box b)
{
    if (b.x0 == 0 && b.y0 == 0 && b.x1 == 0 && b.y1 == 0)
        return json_null();
    return json_pack("[f,f,f,f]", (double)b.x0, (double)b.y0, (double)b.x1, (double)b.y1);
}

static json_t *cells_json(const lf_block *b)
{
    json_t *v = json_array();
    for (size_t i = 0; i < b->n_cells; i++) {
        const lf_cell *c = &b->cells[i];
        (void)json_array_append_new(v, json_pack("{s:i,s:i,s:i,s:i,s:I,s:I,s:o}", "row", c->row,
                                                 "col", c->col, "rows", c->n_rows, "cols",
                                                 c->n_cols, "start", (json_int_t)c->start, "end",
                                                 (json_int_t)c->end, "box", box_json(c->box)));
    }
    return v;
}

/* The blocks that touch [from, to). */
static json_t *blocks_json(const lf_doc *d, uint32_t from, uint32_t to)
{
    json_t *v = json_array();
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        if (b->start >= to || b->end <= from)
            continue;
        json_t *o =
            json_pack("{s:s,s:i,s:o,s:o,s:I,s:I}", "type", lf_block_type_name(b->type), "level",
                      b->level, "page", b->page ? json_integer(b->page) : json_null(), "box",
                      box_json(b->box), "start", (json_int_t)b->start, "end", (json_int_t)b->end);
        if (o && b->type == LF_BLOCK_TABLE)
            (void)json_object_set_new(o, "cells", cells_json(b));
        (void)json_array_append_new(v, o);
    }
    return v;
}

/* The lines of one page: what the page image's highlight is drawn from. */
static json_t *lines_json(const lf_doc *d, int32_t page)
{
    json_t *v = json_array();
    for (size_t i = 0; i < d->n_lines; i++)
        if (d->lines[i].page == page)
            (void)json_array_append_new(
                v, json_pack("{s:I,s:I,s:o}", "start", (json_int_t)d->lines[i].start, "end",
                             (json_int_t)d->lines[i].end, "box", box_json(d->lines[i].box)));
    return v;
}

static json_t *pages_json(const lf_doc *d)
{
    json_t *v = json_array();
    for (size_t i = 0; i < d->n_pages; i++)
        (void)json_array_append_new(
            v, json_pack("{s:f,s:f,s:b}", "width", (double)d->pages[i].width, "height",
                         (double)d->pages[i].height, "scanned", (int)d->pages[i].scanned));
    return v;
}

/* Text and blocks of [from, to), widened to whole blocks. */
static void add_text(json_t *v, const lf_doc *d, int64_t from, int64_t to)
{
    uint32_t a = (uint32_t)(from < (int64_t)d->n_chars ? from : (int64_t)d->n_chars);
    uint32_t b = (uint32_t)(to < (int64_t)d->n_chars ? to : (int64_t)d->n_chars);
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *k = &d->blocks[i];
        if (k->start < a && k->end > a && a - k->start < PART_SLACK)
            a = k->start;
        if (k->start < b && k->end > b && k->end - b < PART_SLACK)
            b = k->end;
    }
    const size_t at = lf_utf8_offset(d->text, d->n_bytes, a);
    const size_t n = lf_utf8_offset(d->text + at, d->n_bytes - at, b > a ? b - a : 0);
    json_t *blocks = blocks_json(d, a, b), *o;
    size_t i;
    json_array_foreach(blocks, i, o)
    {
        /* A block far longer than the part is cut to it. */
        const json_int_t start = json_integer_value(json_object_get(o, "start"));
        const json_int_t end = json_integer_value(json_object_get(o, "end"));
        (void)json_object_set_new(o, "start", json_integer(start > a ? start : a));
        (void)json_object_set_new(o, "end", json_integer(end < b ? end : b));
    }
    (void)json_object_set_new(v, "text_start", json_integer(a));
    (void)json_object_set_new(v, "text", lf_json_text(d->text + at, n));
    (void)json_object_set_new(v, "blocks", blocks);
}

void lf_serve_doc(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    lf_doc *d = NULL;
    json_t *v = NULL;
    lf_err err = { 0 };
    int64_t lines, from, to;
    if (!lf_serve_query_int(r, "lines", 0, 1, INT32_MAX, &lines) ||
        !lf_serve_query_int(r, "from", 0, 0, UINT32_MAX, &from) ||
        !lf_serve_query_int(r, "to", UINT32_MAX, 0, UINT32_MAX, &to))
        return;
    lf_status st = find_row(s, a->v[0], &v, &err);
    if (st == LF_OK)
        st = lf_know_doc(s->o.know, s->o.scope, a->v[0], &d, &err);
    if (st != LF_OK) {
        json_decref(v);
        lf_serve_fail(r, NULL, &err);
        return;
    }
    (void)json_object_set_new(v, "pages", pages_json(d));
    (void)json_object_set_new(v, "warning", json_string(d->warning ? d->warning : ""));
    if (lines) /* the layout of one page, without the text of all */
        (void)json_object_set_new(v, "lines", lines_json(d, (int32_t)lines));
    else
        add_text(v, d, from, to);
    lf_doc_close(d);
    lf_http_reply_json(r, 200, v);
}

void lf_serve_doc_remove(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    lf_err err = { 0 };
    if (lf_know_remove(s->o.know, s->o.scope, a->v[0], &err) == LF_OK)
        lf_http_reply_json(r, 200, json_pack("{s:s}", "deleted", a->v[0]));
    else
        lf_serve_fail(r, NULL, &err);
}

/* attachment; filename*=UTF-8''… with everything but plain characters as codes. */
static void set_disposition(lf_http_req *r, const char *source)
{
    lf_buf b = { 0 };
    lf_buf_add_str(&b, "attachment; filename*=UTF-8''");
    for (const char *p = lf_path_base(source); *p; p++) {
        const unsigned char c = (unsigned char)*p;
        const bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                           c == '.' || c == '-' || c == '_';
        lf_buf_addf(&b, plain ? "%c" : "%%%02X", c);
    }
    if (!b.failed)
        lf_http_set_header(r, "Content-Disposition", lf_buf_cstr(&b));
    lf_buf_release(&b);
}

void lf_serve_original(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    json_t *row = NULL;
    lf_buf b = { 0 };
    lf_err err = { 0 };
    lf_status st = find_row(s, a->v[0], &row, &err);
    if (st == LF_OK)
        st = lf_know_original(s->o.know, s->o.scope, a->v[0], &b, &err);
    if (st == LF_OK) {
        const char *source = json_string_value(json_object_get(row, "source"));
        set_disposition(r, source);
        lf_http_set_header(r, "Content-Security-Policy", "sandbox; default-src 'none'");
        lf_http_set_header(r, "Cache-Control", "no-store");
        lf_http_reply_buf(r, 200, lf_http_type_of_file(source), &b);
    } else {
        lf_serve_fail(r, NULL, &err);
    }
    lf_buf_release(&b);
    json_decref(row);
}

void lf_serve_page_image(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    lf_buf original = { 0 }, png = { 0 };
    lf_err err = { 0 };
    char *end;
    int64_t dpi;
    const long page = strtol(a->v[1], &end, 10);
    if (*end || page < 1 || page > INT32_MAX) {
        lf_http_reply_error(r, 400, "page", "invalid_argument", "'%.30s' is not a page number",
                            a->v[1]);
        return;
    }
    if (!lf_serve_query_int(r, "dpi", DPI_DEFAULT, DPI_MIN, DPI_MAX, &dpi))
        return;
    lf_status st = lf_know_original(s->o.know, s->o.scope, a->v[0], &original, &err);
    if (st == LF_OK)
        st = lf_doc_render_page(original.data, original.len, (int32_t)page, (int)dpi, &png, &err);
    if (st == LF_OK) {
        /* "v" is the content's hash: with it the image never changes. */
        lf_http_set_header(r, "Cache-Control",
                           lf_http_query(r, "v") ? "private, max-age=86400, immutable"
                                                 : "no-store");
        lf_http_reply_buf(r, 200, "image/png", &png);
    } else {
        lf_serve_fail(r, NULL, &err);
    }
    lf_buf_release(&original);
    lf_buf_release(&png);
}

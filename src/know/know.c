/* know/know.c - opening, listing, reading back; the parts that ingest and search share. */
#include "know/know.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "doc/builder.h"
#include "know/know_int.h"
#include "text/utf8.h"

lf_status lf_know_open(const char *state_path, const lf_embedder *embedder, lf_know **out,
                       lf_err *err)
{
    lf_buf cache = { 0 };
    lf_status st;
    lf_know *k = lf_calloc(1, sizeof *k);
    if (!k)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", state_path);
    (void)pthread_mutex_init(&k->lock, NULL);
    if (embedder) {
        k->embedder = *embedder;
        k->has_embedder = true;
    }
    const char *base = lf_path_base(state_path);
    lf_buf_add(&cache, state_path, (size_t)(base - state_path));
    lf_buf_add_str(&cache, "cache/in.lfdb");
    k->cache_path = lf_buf_take(&cache);
    st = k->cache_path ? lf_state_open(state_path, &k->state, err)
                       : lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", state_path);
    if (st != LF_OK) {
        lf_know_close(k);
        return st;
    }
    *out = k;
    return LF_OK;
}

void lf_know_close(lf_know *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->n_idle; i++)
        lf_analyzer_close(k->idle[i]);
    lf_state_close(k->cache);
    lf_state_close(k->state);
    (void)pthread_mutex_destroy(&k->lock);
    lf_free(k->cache_path);
    lf_free(k);
}

bool lf_know_is_cached(const char *doc_id)
{
    return doc_id[0] >= '8';
}

lf_status lf_know_cache(lf_know *k, lf_state **out, lf_err *err)
{
    lf_status st = LF_OK;
    (void)pthread_mutex_lock(&k->lock);
    if (!k->cache)
        st = lf_state_open(k->cache_path, &k->cache, err);
    lf_state *c = k->cache;
    (void)pthread_mutex_unlock(&k->lock);
    if (st == LF_OK)
        *out = c;
    return st;
}

lf_status lf_know_store_of(lf_know *k, const char *doc_id, lf_state **out, lf_err *err)
{
    if (lf_know_is_cached(doc_id))
        return lf_know_cache(k, out, err);
    *out = k->state;
    return LF_OK;
}

lf_status lf_know_analyzer_take(lf_know *k, lf_analyzer **out, lf_err *err)
{
    lf_analyzer *a = NULL;
    (void)pthread_mutex_lock(&k->lock);
    if (k->n_idle)
        a = k->idle[--k->n_idle];
    (void)pthread_mutex_unlock(&k->lock);
    if (!a)
        return lf_analyzer_open(out, err);
    *out = a;
    return LF_OK;
}

void lf_know_analyzer_give(lf_know *k, lf_analyzer *a)
{
    if (!a)
        return;
    (void)pthread_mutex_lock(&k->lock);
    if (k->n_idle < LF_KNOW_ANALYZERS) {
        k->idle[k->n_idle++] = a;
        a = NULL;
    }
    (void)pthread_mutex_unlock(&k->lock);
    lf_analyzer_close(a);
}

/* ---- listing and removing ---- */

void lf_doc_row_release(lf_doc_row *row)
{
    lf_free(row->doc_id);
    lf_free(row->source);
    lf_free(row->collection);
    lf_free(row->hash);
    lf_free(row->format);
    lf_free(row->settings);
    *row = (lf_doc_row){ 0 };
}

void lf_doc_rows_free(lf_doc_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_doc_row_release(&rows[i]);
    lf_free(rows);
}

/* The texts change hands. */
static lf_status row_from(lf_state_doc *d, lf_doc_row *out, lf_err *err)
{
    char *doc_id = lf_strdup(d->doc_id);
    if (!doc_id)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to list documents");
    *out = (lf_doc_row){ .doc_id = doc_id,
                         .source = d->source,
                         .collection = d->collection,
                         .hash = d->hash,
                         .format = d->format,
                         .settings = d->settings,
                         .n_pages = d->n_pages,
                         .n_chunks = d->n_chunks,
                         .n_chars = d->n_chars,
                         .added_unix_ms = d->added_unix_ms };
    d->source = d->collection = d->hash = d->format = d->settings = NULL;
    return LF_OK;
}

lf_status lf_know_find(lf_know *k, const lf_scope *s, const char *doc_id, lf_doc_row *out,
                       lf_err *err)
{
    lf_state *store = NULL;
    lf_state_doc d = { 0 };
    lf_status st = lf_know_store_of(k, doc_id, &store, err);
    if (st == LF_OK)
        st = lf_state_find(store, s, doc_id, &d, err);
    if (st == LF_OK)
        st = row_from(&d, out, err);
    lf_state_doc_release(&d);
    return st;
}

lf_status lf_know_list(lf_know *k, const lf_scope *s, const char *collection, lf_doc_row **out,
                       size_t *n_out, lf_err *err)
{
    lf_state_doc *docs = NULL;
    size_t n = 0;
    lf_status st = lf_state_list(k->state, s, collection, &docs, &n, err);
    if (st != LF_OK)
        return st;
    lf_doc_row *rows = lf_calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n && st == LF_OK; i++)
        st = row_from(&docs[i], &rows[i], err);
    if (!rows)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to list documents");
    lf_state_docs_free(docs, n);
    if (st != LF_OK) {
        if (rows)
            lf_doc_rows_free(rows, n);
        return st;
    }
    *out = rows;
    *n_out = n;
    return LF_OK;
}

lf_status lf_know_remove(lf_know *k, const lf_scope *s, const char *doc_id, lf_err *err)
{
    return lf_state_remove(k->state, s, doc_id, err);
}

/* ---- collections ---- */

static bool is_name(const char *s)
{
    const size_t n = strlen(s);
    if (n == 0 || !lf_utf8_valid(s, n) || lf_utf8_count(s, n) > 64)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 32 || s[i] == 127 || s[i] == '/')
            return false;
    return true;
}

lf_status lf_know_check_name(const char *name, lf_err *err)
{
    if (is_name(name))
        return LF_OK;
    return lf_fail(err, LF_ERR_ARG,
                   "'%.80s' is not a collection's name: 1 to 64 characters, none of them '/'",
                   name);
}

void lf_collection_rows_free(lf_collection_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_free(rows[i].name);
    lf_free(rows);
}

/* "default" is listed also before anything was added to it. */
lf_status lf_know_collections(lf_know *k, const lf_scope *s, lf_collection_row **out, size_t *n_out,
                              lf_err *err)
{
    lf_state_collection *v = NULL;
    size_t n = 0, m = 0;
    bool has_default = !lf_scope_allows(s, "default");
    lf_status st = lf_state_collections(k->state, s, &v, &n, err);
    if (st != LF_OK)
        return st;
    lf_collection_row *rows = lf_calloc(n + 1, sizeof *rows);
    for (size_t i = 0; rows && i < n; i++) {
        has_default = has_default || !strcmp(v[i].name, "default");
        rows[m++] = (lf_collection_row){ v[i].name, v[i].n_docs, v[i].n_chunks };
        v[i].name = NULL;
    }
    if (rows && !has_default) {
        memmove(rows + 1, rows, m * sizeof *rows);
        rows[0] = (lf_collection_row){ .name = lf_strdup("default") };
        m++;
    }
    lf_state_collections_free(v, n);
    if (!rows || (m && !rows[0].name)) {
        if (rows)
            lf_collection_rows_free(rows, m);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to list collections");
    }
    *out = rows;
    *n_out = m;
    return LF_OK;
}

lf_status lf_know_collection_create(lf_know *k, const lf_scope *s, const char *name, lf_err *err)
{
    const lf_status st = lf_know_check_name(name, err);
    if (st != LF_OK)
        return st;
    if (!strcmp(name, "default"))
        return lf_fail(err, LF_ERR_BUSY, "the collection 'default' exists already");
    return lf_state_collection_create(k->state, s, name, err);
}

lf_status lf_know_collection_remove(lf_know *k, const lf_scope *s, const char *name, lf_err *err)
{
    return lf_state_collection_remove(k->state, s, name, !strcmp(name, "default"), err);
}

/* ---- reading back ---- */

lf_status lf_know_original(lf_know *k, const lf_scope *s, const char *doc_id, lf_buf *out,
                           lf_err *err)
{
    lf_state *st = NULL;
    const lf_status rc = lf_know_store_of(k, doc_id, &st, err);
    return rc == LF_OK ? lf_state_original(st, s, doc_id, out, err) : rc;
}

lf_status lf_know_span(lf_know *k, const lf_scope *s, const char *doc_id, uint32_t start,
                       uint32_t end, lf_buf *out, lf_err *err)
{
    lf_state *store = NULL;
    lf_buf text = { 0 };
    lf_status st = lf_know_store_of(k, doc_id, &store, err);
    if (st == LF_OK)
        st = lf_state_text(store, s, doc_id, &text, err);
    if (st == LF_OK && (start > end || lf_utf8_count(lf_buf_cstr(&text), text.len) < end))
        st = lf_fail(err, LF_ERR_NOT_FOUND, "document %.64s has no characters %u to %u", doc_id,
                     start, end);
    if (st == LF_OK) {
        const size_t from = lf_utf8_offset(lf_buf_cstr(&text), text.len, start);
        lf_buf_add(out, lf_buf_cstr(&text) + from,
                   lf_utf8_offset(lf_buf_cstr(&text) + from, text.len - from, end - start));
        if (out->failed)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for a passage");
    }
    lf_buf_release(&text);
    return st;
}

static lf_box box_of(lf_row_box b)
{
    return (lf_box){ b.x0, b.y0, b.x1, b.y1 };
}

static void build_block(lf_builder *b, const lf_row_block *row)
{
    lf_cell *cells = lf_calloc(row->n_cells + 1, sizeof *cells);
    if (!cells) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < row->n_cells; i++) {
        const lf_row_cell *c = &row->cells[i];
        cells[i] =
            (lf_cell){ c->row, c->col, c->n_rows, c->n_cols, c->start, c->end, box_of(c->box) };
    }
    const lf_block blk = { .type = (lf_block_type)row->type,
                           .level = row->level,
                           .page = row->page,
                           .box = box_of(row->box),
                           .start = row->start,
                           .end = row->end,
                           .cells = cells,
                           .n_cells = row->n_cells };
    lf_builder_block(b, &blk);
    lf_free(cells);
}

static bool put_wire(void *ud, const void *p, size_t n_bytes)
{
    lf_buf *out = ud;
    lf_buf_add(out, p, n_bytes);
    return !out->failed;
}

/* The rows go through the builder and the checks that parsed documents pass. */
static lf_status doc_from(const lf_layout *l, const lf_state_doc *row, lf_buf *text, lf_doc **out,
                          lf_err *err)
{
    lf_builder b = { 0 };
    lf_buf wire = { 0 };
    lf_builder_take_text(&b, text);
    for (size_t i = 0; i < l->n_pages; i++) {
        const lf_page page = { l->pages[i].width, l->pages[i].height, l->pages[i].scanned };
        lf_builder_page(&b, &page);
    }
    for (size_t i = 0; i < l->n_blocks; i++)
        build_block(&b, &l->blocks[i]);
    for (size_t i = 0; i < l->n_lines; i++) {
        const lf_line line = { l->lines[i].start, l->lines[i].end, l->lines[i].page,
                               box_of(l->lines[i].box) };
        lf_builder_line(&b, &line);
    }
    if (*row->warning)
        lf_builder_warn(&b, "%s", row->warning);
    lf_status st = lf_builder_status(&b, err);
    if (st == LF_OK && !lf_builder_to_wire(&b, row->format, put_wire, &wire))
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for document %s", row->doc_id);
    lf_builder_release(&b);
    if (st != LF_OK) {
        lf_buf_release(&wire);
        return st;
    }
    st = lf_doc_from_wire(&wire, out, err);
    if (st == LF_ERR_FORMAT)
        st = lf_fail(err, LF_ERR_CORRUPT, "the rows of document %s are damaged", row->doc_id);
    return st;
}

lf_status lf_know_doc(lf_know *k, const lf_scope *s, const char *doc_id, lf_doc **out, lf_err *err)
{
    lf_state *store = NULL;
    lf_state_doc row = { 0 };
    lf_layout layout = { 0 };
    lf_buf text = { 0 };
    lf_status st = lf_know_store_of(k, doc_id, &store, err);
    if (st == LF_OK)
        st = lf_state_find(store, s, doc_id, &row, err);
    if (st == LF_OK)
        st = lf_state_text(store, s, doc_id, &text, err);
    if (st == LF_OK)
        st = lf_state_layout(store, s, doc_id, &layout, err);
    if (st == LF_OK)
        st = doc_from(&layout, &row, &text, out, err);
    lf_state_doc_release(&row);
    lf_layout_release(&layout);
    lf_buf_release(&text);
    return st;
}

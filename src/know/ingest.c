/* know/ingest.c - a file becomes a document of the store.
 *
 * read and hash -> unchanged? -> parse -> cut -> embed what is not embedded yet ->
 * one transaction.  Vectors are computed before the transaction begins, so that a
 * writer never holds the file while a model runs; killed before the commit, the
 * store has what it had. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "doc/builder.h"
#include "know/chunk.h"
#include "know/know_int.h"
#include "tensor/vec.h"

enum {
    FILE_MAX_BYTES = 512 << 20,
    EMBED_BATCH = 32,
    CONTEXT_BYTES = 240 /* of the heading path in front of an embedded unit */
};

typedef struct ingest { /* one file on its way */
    lf_know *k;
    const lf_scope *scope;
    const lf_ingest_target *t;
    const char *path, *source;
    lf_buf original;
    char hash[LF_SHA256_HEX], doc_id[LF_DOC_ID];
    lf_buf settings;
    lf_doc *doc;
    lf_chunks chunks;
    uint64_t *unit_hashes;
    uint16_t *vectors; /* NULL without an embedder */
    lf_analyzer *analyzer;
    lf_buf scratch;
} ingest;

static bool cancelled(const ingest *g)
{
    return g->t->opts && g->t->opts->cancel && atomic_load(g->t->opts->cancel);
}

static void progress(const ingest *g, const char *stage, size_t done, size_t total)
{
    if (g->t->opts && g->t->opts->on_progress)
        g->t->opts->on_progress(g->t->opts->ud, g->source, stage, done, total);
}

/* ---- identity ---- */

/* A document of the state file is named by where it belongs, one of the cache also
 * by its content, because two folders may both have a "notes.txt". */
static lf_status name_it(ingest *g, lf_err *err)
{
    lf_buf b = { 0 };
    char hex[LF_SHA256_HEX];
    lf_buf_addf(&b, "%s\n%s\n%s", g->t->collection, g->source, g->t->cached ? g->hash : "");
    lf_status st = b.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory to add '%s'", g->path)
                            : lf_sha256_of(b.data, b.len, hex, err);
    lf_buf_release(&b);
    if (st != LF_OK)
        return st;
    (void)snprintf(g->doc_id, sizeof g->doc_id, "%.32s", hex);
    const int first = hex[0] <= '9' ? hex[0] - '0' : hex[0] - 'a' + 10;
    g->doc_id[0] = "0123456789abcdef"[(first & 7) | (g->t->cached ? 8 : 0)];
    return LF_OK;
}

static lf_status read_and_name(ingest *g, lf_err *err)
{
    struct stat sb;
    lf_status st = LF_OK;
    if (stat(g->path, &sb) == 0 && !S_ISREG(sb.st_mode)) /* a pipe would keep us waiting */
        st = lf_fail(err, LF_ERR_IO, "cannot read '%s': not a regular file", g->path);
    if (st == LF_OK)
        st = lf_file_read(g->path, FILE_MAX_BYTES, &g->original, err);
    if (st == LF_OK)
        st = lf_sha256_of(g->original.data ? g->original.data : "", g->original.len, g->hash, err);
    if (st == LF_OK)
        st = name_it(g, err);
    if (st != LF_OK)
        return st;
    lf_buf_addf(&g->settings, "doc %d; cut %d; model %s", LF_DOC_VERSION, LF_CHUNK_VERSION,
                g->k->has_embedder ? g->k->embedder.model_hash : "none");
    return g->settings.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory to add '%s'", g->path)
                              : LF_OK;
}

static lf_status is_unchanged(const ingest *g, lf_add_result *r, bool *same, lf_err *err)
{
    lf_state_doc d = { 0 };
    lf_err missing = { 0 };
    *same = false;
    const lf_status st = lf_state_find(g->t->state, g->scope, g->doc_id, &d, &missing);
    if (st == LF_ERR_NOT_FOUND)
        return LF_OK;
    if (st != LF_OK) {
        if (err)
            *err = missing;
        return st;
    }
    *same = !strcmp(d.hash, g->hash) && !strcmp(d.settings, g->settings.data);
    r->n_pages = d.n_pages;
    r->n_chunks = d.n_chunks;
    lf_state_doc_release(&d);
    return LF_OK;
}

/* ---- text of a unit as it is embedded ---- */

/* "path: header row: text", the path cut from the left to its last levels. */
static lf_status unit_text(const ingest *g, size_t i, lf_buf *out, lf_err *err)
{
    const lf_chunk_unit *u = &g->chunks.units[i];
    const char *path = g->chunks.paths[u->path];
    size_t len = strlen(path);
    while (len > CONTEXT_BYTES) {
        const char *next = strstr(path, " > ");
        if (!next)
            break;
        len -= (size_t)(next + 3 - path);
        path = next + 3;
    }
    if (len && len <= CONTEXT_BYTES) {
        lf_buf_add(out, path, len);
        lf_buf_add_str(out, "\n");
    }
    if (u->head_end > u->head_start && u->head_end - u->head_start <= CONTEXT_BYTES) {
        lf_buf_add(out, g->doc->text + u->head_start, u->head_end - u->head_start);
        lf_buf_add_str(out, "\n");
    }
    lf_buf_add(out, g->doc->text + u->byte_start, u->byte_end - u->byte_start);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory to embed '%s'", g->source) : LF_OK;
}

static lf_status hash_units(ingest *g, lf_err *err)
{
    g->unit_hashes = lf_alloc((g->chunks.n_units + 1) * sizeof *g->unit_hashes);
    if (!g->unit_hashes)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to embed '%s'", g->source);
    lf_status st = LF_OK;
    for (size_t i = 0; i < g->chunks.n_units && st == LF_OK; i++) {
        lf_buf_clear(&g->scratch);
        st = unit_text(g, i, &g->scratch, err);
        if (st == LF_OK)
            g->unit_hashes[i] = lf_hash64(g->scratch.data, g->scratch.len);
    }
    return st;
}

/* ---- vectors ---- */

typedef struct todo {
    uint32_t unit, len;
} todo;

static int by_len(const void *x, const void *y)
{
    const todo *a = x, *b = y;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

/* One call of the embedder for list[0..n). */
static lf_status embed_batch(ingest *g, const todo *list, size_t n, float *tmp, lf_err *err)
{
    lf_str texts[EMBED_BATCH];
    size_t at[EMBED_BATCH + 1];
    const size_t dim = (size_t)g->k->embedder.dim;
    lf_status st = LF_OK;
    lf_buf_clear(&g->scratch);
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        at[i] = g->scratch.len;
        st = unit_text(g, list[i].unit, &g->scratch, err);
    }
    if (st != LF_OK)
        return st;
    at[n] = g->scratch.len;
    for (size_t i = 0; i < n; i++)
        texts[i] = (lf_str){ g->scratch.data + at[i], at[i + 1] - at[i] };
    st = g->k->embedder.embed(g->k->embedder.ud, texts, n, false, tmp, err);
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        lf_vec_normalize(tmp + i * dim, dim);
        lf_vec_f32_to_f16(tmp + i * dim, dim, g->vectors + list[i].unit * dim);
    }
    return st;
}

/* Units of like length go together: a batch costs as much as its longest text. */
static lf_status embed_units(ingest *g, const bool *found, lf_err *err)
{
    lf_status st = LF_OK;
    const size_t n_units = g->chunks.n_units;
    size_t n = 0;
    todo *list = lf_alloc((n_units + 1) * sizeof *list);
    float *tmp = lf_alloc((size_t)g->k->embedder.dim * EMBED_BATCH * sizeof *tmp);
    if (!list || !tmp) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to embed '%s'", g->source);
        goto done;
    }
    for (size_t i = 0; i < n_units; i++)
        if (!found[i])
            list[n++] =
                (todo){ (uint32_t)i, g->chunks.units[i].byte_end - g->chunks.units[i].byte_start };
    if (n)
        qsort(list, n, sizeof *list, by_len);
    for (size_t i = 0; i < n && st == LF_OK; i += EMBED_BATCH) {
        if (cancelled(g))
            st = lf_fail(err, LF_ERR_CANCELLED, "adding '%s' was cancelled", g->source);
        else
            st = embed_batch(g, list + i, n - i < EMBED_BATCH ? n - i : EMBED_BATCH, tmp, err);
        progress(g, "embed", i + EMBED_BATCH < n ? i + EMBED_BATCH : n, n);
    }
done:
    lf_free(list);
    lf_free(tmp);
    return st;
}

static lf_status make_vectors(ingest *g, lf_err *err)
{
    const size_t n = g->chunks.n_units, dim = (size_t)g->k->embedder.dim;
    lf_status st = hash_units(g, err);
    if (st != LF_OK || !g->k->has_embedder)
        return st;
    bool *found = lf_calloc(n + 1, sizeof *found);
    g->vectors = lf_calloc(n * dim + 1, sizeof *g->vectors);
    if (!found || !g->vectors)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to embed '%s'", g->source);
    if (st == LF_OK)
        st = lf_state_known_vectors(g->t->state, g->scope, g->doc_id, g->hash,
                                    g->k->embedder.model_hash, g->k->embedder.dim, g->unit_hashes,
                                    n, g->vectors, found, err);
    if (st == LF_OK)
        st = embed_units(g, found, err);
    lf_free(found);
    return st;
}

/* ---- rows ---- */

/* The heading path counts once for the whole chunk, beside its text. */
static lf_status chunk_terms(void *ud, size_t i, lf_terms *out, lf_err *err)
{
    ingest *g = ud;
    const lf_chunk *c = &g->chunks.v[i];
    const char *path = g->chunks.paths[c->path];
    lf_status st = lf_analyzer_terms(g->analyzer, path, strlen(path), out, err);
    if (st == LF_OK)
        st = lf_analyzer_terms(g->analyzer, g->doc->text + c->byte_start,
                               c->byte_end - c->byte_start, out, err);
    return st;
}

typedef struct rows {
    lf_row_block *blocks;
    lf_row_cell *cells;
    lf_row_line *lines;
    lf_row_page *pages;
    lf_row_chunk *chunks;
} rows;

static void rows_release(rows *r)
{
    lf_free(r->blocks);
    lf_free(r->cells);
    lf_free(r->lines);
    lf_free(r->pages);
    lf_free(r->chunks);
}

static lf_row_box row_box(lf_box b)
{
    return (lf_row_box){ b.x0, b.y0, b.x1, b.y1 };
}

static bool rows_open(rows *r, const ingest *g)
{
    size_t n_cells = 0;
    for (size_t i = 0; i < g->doc->n_blocks; i++)
        n_cells += g->doc->blocks[i].n_cells;
    r->blocks = lf_calloc(g->doc->n_blocks + 1, sizeof *r->blocks);
    r->cells = lf_calloc(n_cells + 1, sizeof *r->cells);
    r->lines = lf_calloc(g->doc->n_lines + 1, sizeof *r->lines);
    r->pages = lf_calloc(g->doc->n_pages + 1, sizeof *r->pages);
    r->chunks = lf_calloc(g->chunks.n + 1, sizeof *r->chunks);
    return r->blocks && r->cells && r->lines && r->pages && r->chunks;
}

static void fill_layout(rows *r, const lf_doc *d)
{
    lf_row_cell *cell = r->cells;
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        r->blocks[i] = (lf_row_block){ .type = (int32_t)b->type,
                                       .level = b->level,
                                       .page = b->page,
                                       .box = row_box(b->box),
                                       .start = b->start,
                                       .end = b->end,
                                       .cells = cell,
                                       .n_cells = b->n_cells };
        for (size_t k = 0; k < b->n_cells; k++) {
            const lf_cell *c = &b->cells[k];
            *cell++ = (lf_row_cell){ c->row,   c->col, c->n_rows,      c->n_cols,
                                     c->start, c->end, row_box(c->box) };
        }
    }
    for (size_t i = 0; i < d->n_lines; i++)
        r->lines[i] = (lf_row_line){ d->lines[i].start, d->lines[i].end, d->lines[i].page,
                                     row_box(d->lines[i].box) };
    for (size_t i = 0; i < d->n_pages; i++)
        r->pages[i] = (lf_row_page){ d->pages[i].width, d->pages[i].height, d->pages[i].scanned };
}

static void fill_chunks(rows *r, const lf_chunks *c)
{
    for (size_t i = 0; i < c->n; i++)
        r->chunks[i] = (lf_row_chunk){ .start = c->v[i].start,
                                       .end = c->v[i].end,
                                       .byte_start = c->v[i].byte_start,
                                       .byte_end = c->v[i].byte_end,
                                       .page = c->v[i].page,
                                       .section = c->v[i].section,
                                       .heading = c->paths[c->v[i].path],
                                       .n_vectors = (uint16_t)c->v[i].n_units };
}

static lf_status put(ingest *g, lf_err *err)
{
    rows r = { 0 };
    lf_builder shown = { 0 }; /* a file's name may be any bytes, what is shown of it is text */
    lf_builder_add_str(&shown, g->source);
    lf_status st = rows_open(&r, g) && !shown.failed
                       ? LF_OK
                       : lf_fail(err, LF_ERR_NOMEM, "no memory to add '%s'", g->source);
    if (st == LF_OK)
        st = lf_know_analyzer_take(g->k, &g->analyzer, err);
    if (st == LF_OK) {
        fill_layout(&r, g->doc);
        fill_chunks(&r, &g->chunks);
        const lf_doc_put p = { .doc_id = g->doc_id,
                               .collection = g->t->collection,
                               .source = lf_buf_cstr(&shown.text),
                               .hash = g->hash,
                               .settings = g->settings.data,
                               .format = g->doc->format,
                               .warning = g->doc->warning,
                               .original = g->t->cached ? NULL : lf_buf_cstr(&g->original),
                               .n_original = g->original.len,
                               .text = g->doc->text,
                               .n_bytes = g->doc->n_bytes,
                               .n_chars = g->doc->n_chars,
                               .blocks = r.blocks,
                               .n_blocks = g->doc->n_blocks,
                               .lines = r.lines,
                               .n_lines = g->doc->n_lines,
                               .pages = r.pages,
                               .n_pages = g->doc->n_pages,
                               .chunks = r.chunks,
                               .n_chunks = g->chunks.n,
                               .vectors = g->vectors,
                               .vector_hashes = g->unit_hashes,
                               .n_vectors = g->vectors ? g->chunks.n_units : 0,
                               .dim = g->k->embedder.dim,
                               .model = g->k->has_embedder ? g->k->embedder.model_hash : "",
                               .terms = chunk_terms,
                               .terms_ud = g };
        st = lf_state_put(g->t->state, g->scope, &p, err);
    }
    lf_know_analyzer_give(g->k, g->analyzer);
    rows_release(&r);
    lf_builder_release(&shown);
    return st;
}

/* ---- one file ---- */

static lf_status run_steps(ingest *g, lf_add_result *r, lf_err *err)
{
    bool same = false;
    lf_status st = read_and_name(g, err);
    if (st == LF_OK)
        (void)snprintf(r->doc_id, sizeof r->doc_id, "%s", g->doc_id);
    if (st == LF_OK)
        st = is_unchanged(g, r, &same, err);
    if (st != LF_OK || same) {
        r->state = LF_ADD_UNCHANGED;
        return st;
    }
    int64_t t0 = lf_clock_us();
    progress(g, "parse", 0, 1);
    st = lf_doc_parse(g->path, &g->doc, err);
    int64_t t1 = lf_clock_us();
    r->parse_us = t1 - t0;
    if (st == LF_OK)
        st = lf_chunks_of(g->doc, &g->chunks, err);
    r->chunk_us = (t0 = lf_clock_us()) - t1;
    if (st == LF_OK)
        st = make_vectors(g, err);
    r->embed_us = (t1 = lf_clock_us()) - t0;
    progress(g, "index", 0, 1);
    if (st == LF_OK)
        st = put(g, err);
    r->index_us = lf_clock_us() - t1;
    if (st == LF_OK) {
        r->n_pages = g->doc->n_pages;
        r->n_chunks = g->chunks.n;
        r->state = LF_ADD_READY;
    }
    return st;
}

/* Does this error concern the one file, or would the next one fail as well? */
static bool stops_all(lf_status st)
{
    return st == LF_ERR_IO || st == LF_ERR_CANCELLED || st == LF_ERR_CORRUPT || st == LF_ERR_BUSY ||
           st == LF_ERR_DENIED;
}

lf_status lf_ingest_file(lf_know *k, const lf_scope *s, const lf_ingest_target *t, const char *path,
                         const char *source, lf_add_result *r, lf_err *err)
{
    ingest g = { .k = k, .scope = s, .t = t, .path = path, .source = source };
    *r = (lf_add_result){ .state = LF_ADD_FAILED };
    lf_err why = { 0 };
    lf_status st = run_steps(&g, r, &why);
    const bool in_file = g.doc == NULL; /* reading and parsing: this file alone */
    if (st != LF_OK) {
        r->state = LF_ADD_FAILED;
        r->err = why;
    }
    lf_chunks_release(&g.chunks);
    lf_doc_close(g.doc);
    lf_buf_release(&g.original);
    lf_buf_release(&g.settings);
    lf_buf_release(&g.scratch);
    lf_free(g.unit_hashes);
    lf_free(g.vectors);
    if (st == LF_OK || (in_file && st != LF_ERR_CANCELLED) || !stops_all(st))
        return LF_OK;
    if (err)
        *err = why;
    return st;
}

/* ---- files and folders ---- */

typedef struct walk {
    lf_know *k;
    const lf_scope *scope;
    const lf_ingest_target *t;
    lf_add_fn *fn;
    void *ud;
} walk;

static lf_status one(const walk *w, const char *path, const char *source, lf_err *err)
{
    lf_add_result r;
    if (w->t->opts && w->t->opts->cancel && atomic_load(w->t->opts->cancel))
        return lf_fail(err, LF_ERR_CANCELLED, "adding '%s' was cancelled", source);
    const lf_status st = lf_ingest_file(w->k, w->scope, w->t, path, source, &r, err);
    if (w->fn && !w->fn(w->ud, source, &r) && st == LF_OK)
        return lf_fail(err, LF_ERR_CANCELLED, "stopped after '%s'", source);
    return st;
}

static lf_status on_file(void *ud, const char *path, const char *rel, lf_err *err)
{
    return lf_doc_can_read(path) ? one(ud, path, rel, err) : LF_OK;
}

lf_status lf_ingest_path(lf_know *k, const lf_scope *s, const lf_ingest_target *t, const char *path,
                         const char *source_name, lf_add_fn *fn, void *ud, lf_err *err)
{
    walk w = { k, s, t, fn, ud };
    if (!lf_path_exists(path))
        return lf_fail(err, LF_ERR_NOT_FOUND, "cannot add '%s': there is no such file or folder",
                       path);
    if (lf_path_is_dir(path))
        return lf_walk(path, on_file, &w, err);
    return one(&w, path, source_name ? source_name : path, err);
}

/* ---- adding to the state file ---- */

lf_status lf_know_add(lf_know *k, const lf_scope *s, const char *path, const lf_add_opts *o,
                      lf_err *err)
{
    static const lf_add_opts none = { 0 };
    o = o ? o : &none;
    const lf_ingest_target t = { .state = k->state,
                                 .collection = o->collection ? o->collection : "default",
                                 .opts = o };
    const lf_status st = lf_know_check_name(t.collection, err);
    if (st != LF_OK)
        return st;
    if (!lf_scope_allows(s, t.collection))
        return lf_fail(err, LF_ERR_DENIED, "'%s' may not write to collection '%s'",
                       lf_scope_person(s), t.collection);
    return lf_ingest_path(k, s, &t, path, o->source_name, o->on_doc, o->ud, err);
}

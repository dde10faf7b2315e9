/* store/read.c - reading documents back, always through a scope. */
#include "store/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/state_int.h"

void lf_state_doc_release(lf_state_doc *d)
{
    lf_free(d->collection);
    lf_free(d->source);
    lf_free(d->hash);
    lf_free(d->settings);
    lf_free(d->format);
    lf_free(d->warning);
    *d = (lf_state_doc){ 0 };
}

void lf_state_docs_free(lf_state_doc *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_state_doc_release(&d[i]);
    lf_free(d);
}

lf_status lf_state_row_of(lf_db *db, const lf_scope *scope, const char *doc_id, int64_t *out,
                          lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(db,
                              "SELECT d.id, c.name FROM documents d JOIN collections c"
                              " ON c.id=d.collection WHERE d.doc_id=?",
                              &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_text(q, 1, doc_id, -1, SQLITE_STATIC);
    st = lf_db_row(db, q, "find a document", &has, err);
    if (st != LF_OK)
        return st;
    has = has && lf_scope_allows(scope, (const char *)sqlite3_column_text(q, 1));
    if (has)
        *out = sqlite3_column_int64(q, 0);
    (void)sqlite3_reset(q);
    return has ? LF_OK : lf_fail(err, LF_ERR_NOT_FOUND, "no document '%.64s'", doc_id);
}

static char *text_at(sqlite3_stmt *q, int col)
{
    const char *s = (const char *)sqlite3_column_text(q, col);
    return lf_strdup(s ? s : "");
}

#define DOC_COLUMNS                                                                                \
    "d.id, d.doc_id, c.name, d.source, d.hash, d.settings, d.format, d.warning,"                   \
    " d.n_bytes, d.n_chars, d.n_pages, d.n_chunks, d.added_ms"                                     \
    " FROM documents d JOIN collections c ON c.id=d.collection"

static lf_status doc_from(sqlite3_stmt *q, lf_state_doc *out, lf_err *err)
{
    lf_state_doc d = { .id = sqlite3_column_int64(q, 0),
                       .collection = text_at(q, 2),
                       .source = text_at(q, 3),
                       .hash = text_at(q, 4),
                       .settings = text_at(q, 5),
                       .format = text_at(q, 6),
                       .warning = text_at(q, 7),
                       .n_bytes = (size_t)sqlite3_column_int64(q, 8),
                       .n_chars = (size_t)sqlite3_column_int64(q, 9),
                       .n_pages = (size_t)sqlite3_column_int64(q, 10),
                       .n_chunks = (size_t)sqlite3_column_int64(q, 11),
                       .added_unix_ms = sqlite3_column_int64(q, 12) };
    const char *doc_id = (const char *)sqlite3_column_text(q, 1);
    (void)snprintf(d.doc_id, sizeof d.doc_id, "%s", doc_id ? doc_id : "");
    if (!d.collection || !d.source || !d.hash || !d.settings || !d.format || !d.warning) {
        lf_state_doc_release(&d);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to list documents");
    }
    *out = d;
    return LF_OK;
}

lf_status lf_state_find(lf_state *s, const lf_scope *scope, const char *doc_id, lf_state_doc *out,
                        lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has = false;
    int64_t id;
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_state_row_of(db, scope, doc_id, &id, err);
    if (st == LF_OK)
        st = lf_db_stmt(db, "SELECT " DOC_COLUMNS " WHERE d.id=?", &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int64(q, 1, id);
        st = lf_db_row(db, q, "find a document", &has, err);
    }
    if (st == LF_OK && has)
        st = doc_from(q, out, err);
    else if (st == LF_OK)
        st = lf_fail(err, LF_ERR_NOT_FOUND, "no document '%.64s'", doc_id);
    lf_state_end_read(s, db);
    return st;
}

lf_status lf_state_list(lf_state *s, const lf_scope *scope, const char *collection,
                        lf_state_doc **out, size_t *n_out, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has;
    lf_state_doc *v = NULL;
    size_t n = 0, cap = 0;
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_db_stmt(db,
                        "SELECT " DOC_COLUMNS " WHERE ?1 IS NULL OR c.name=?1"
                        " ORDER BY c.name, d.source, d.id",
                        &q, err);
    if (st == LF_OK && collection)
        (void)sqlite3_bind_text(q, 1, collection, -1, SQLITE_STATIC);
    while (st == LF_OK && (st = lf_db_row(db, q, "list documents", &has, err)) == LF_OK && has) {
        if (!lf_scope_allows(scope, (const char *)sqlite3_column_text(q, 2)))
            continue;
        if (!lf_grow((void **)&v, &cap, n + 1, sizeof *v)) {
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to list documents");
            break;
        }
        st = doc_from(q, &v[n], err);
        n += st == LF_OK;
    }
    lf_state_end_read(s, db);
    if (st != LF_OK) {
        lf_state_docs_free(v, n);
        return st;
    }
    *out = v;
    *n_out = n;
    return LF_OK;
}

void lf_state_collections_free(lf_state_collection *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_free(v[i].name);
    lf_free(v);
}

lf_status lf_state_collections(lf_state *s, const lf_scope *scope, lf_state_collection **out,
                               size_t *n_out, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has;
    lf_state_collection *v = NULL;
    size_t n = 0, cap = 0;
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_db_stmt(db,
                        "SELECT c.name, count(d.id), total(d.n_chunks) FROM collections c"
                        " LEFT JOIN documents d ON d.collection=c.id GROUP BY c.id ORDER BY c.name",
                        &q, err);
    while (st == LF_OK && (st = lf_db_row(db, q, "list collections", &has, err)) == LF_OK && has) {
        if (!lf_scope_allows(scope, (const char *)sqlite3_column_text(q, 0)))
            continue;
        if (!lf_grow((void **)&v, &cap, n + 1, sizeof *v)) {
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to list collections");
            break;
        }
        v[n] = (lf_state_collection){ text_at(q, 0), (size_t)sqlite3_column_int64(q, 1),
                                      (size_t)sqlite3_column_double(q, 2) };
        if (!v[n++].name) {
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to list collections");
            break;
        }
    }
    lf_state_end_read(s, db);
    if (st != LF_OK) {
        lf_state_collections_free(v, n);
        return st;
    }
    *out = v;
    *n_out = n;
    return LF_OK;
}

/* One blob of a document, found by its row number in ?1. */
static lf_status read_blob(lf_state *s, const lf_scope *scope, const char *doc_id, const char *sql,
                           const char *what, lf_buf *out, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has = false;
    int64_t id;
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_state_row_of(db, scope, doc_id, &id, err);
    if (st == LF_OK)
        st = lf_db_stmt(db, sql, &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int64(q, 1, id);
        st = lf_db_row(db, q, "read a document", &has, err);
    }
    if (st == LF_OK && !has)
        st = lf_fail(err, LF_ERR_NOT_FOUND, "document %.64s has no %s", doc_id, what);
    if (st == LF_OK) {
        const size_t n = (size_t)sqlite3_column_bytes(q, 0);
        const void *p = sqlite3_column_blob(q, 0);
        if (n)
            lf_buf_add(out, p, n);
        if (out->failed)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the %zu bytes of document %.64s", n,
                         doc_id);
    }
    lf_state_end_read(s, db);
    return st;
}

lf_status lf_state_original(lf_state *s, const lf_scope *scope, const char *doc_id, lf_buf *out,
                            lf_err *err)
{
    return read_blob(s, scope, doc_id, "SELECT bytes FROM originals WHERE doc=?", "original", out,
                     err);
}

lf_status lf_state_text(lf_state *s, const lf_scope *scope, const char *doc_id, lf_buf *out,
                        lf_err *err)
{
    return read_blob(s, scope, doc_id, "SELECT text FROM texts WHERE doc=?", "text", out, err);
}

/* ---- layout ---- */

void lf_layout_release(lf_layout *l)
{
    for (size_t i = 0; i < l->n_blocks; i++)
        lf_free((void *)(uintptr_t)l->blocks[i].cells);
    lf_free(l->blocks);
    lf_free(l->lines);
    lf_free(l->pages);
    *l = (lf_layout){ 0 };
}

static lf_row_box box_at(sqlite3_stmt *q, int col)
{
    return (lf_row_box){ (float)sqlite3_column_double(q, col),
                         (float)sqlite3_column_double(q, col + 1),
                         (float)sqlite3_column_double(q, col + 2),
                         (float)sqlite3_column_double(q, col + 3) };
}

/* Make room for element n; *v doubles. */
static lf_status room(void **v, size_t n, size_t size, lf_err *err)
{
    if (n >= 16 && (n & (n - 1)))
        return LF_OK;
    if (n && n < 16)
        return LF_OK;
    void *p = lf_realloc(*v, (n ? n * 2 : 16) * size);
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a document's layout");
    *v = p;
    return LF_OK;
}

static lf_status read_block(sqlite3_stmt *q, lf_layout *l, lf_err *err)
{
    lf_row_block b = { .type = sqlite3_column_int(q, 0),
                       .level = sqlite3_column_int(q, 1),
                       .page = sqlite3_column_int(q, 2),
                       .box = box_at(q, 3),
                       .start = (uint32_t)sqlite3_column_int64(q, 7),
                       .end = (uint32_t)sqlite3_column_int64(q, 8) };
    const size_t n = (size_t)sqlite3_column_bytes(q, 9);
    lf_status st = room((void **)&l->blocks, l->n_blocks, sizeof *l->blocks, err);
    if (st != LF_OK)
        return st;
    if (n >= sizeof *b.cells) {
        lf_row_cell *cells = lf_alloc(n);
        if (!cells)
            return lf_fail(err, LF_ERR_NOMEM, "no memory for a document's layout");
        memcpy(cells, sqlite3_column_blob(q, 9), n);
        b.cells = cells;
        b.n_cells = n / sizeof *cells;
    }
    l->blocks[l->n_blocks++] = b;
    return LF_OK;
}

static lf_status read_line(sqlite3_stmt *q, lf_layout *l, lf_err *err)
{
    const lf_status st = room((void **)&l->lines, l->n_lines, sizeof *l->lines, err);
    if (st == LF_OK)
        l->lines[l->n_lines++] = (lf_row_line){ .start = (uint32_t)sqlite3_column_int64(q, 0),
                                                .end = (uint32_t)sqlite3_column_int64(q, 1),
                                                .page = sqlite3_column_int(q, 2),
                                                .box = box_at(q, 3) };
    return st;
}

static lf_status read_page(sqlite3_stmt *q, lf_layout *l, lf_err *err)
{
    const lf_status st = room((void **)&l->pages, l->n_pages, sizeof *l->pages, err);
    if (st == LF_OK)
        l->pages[l->n_pages++] = (lf_row_page){ .width = (float)sqlite3_column_double(q, 0),
                                                .height = (float)sqlite3_column_double(q, 1),
                                                .scanned = sqlite3_column_int(q, 2) != 0 };
    return st;
}

lf_status lf_state_layout(lf_state *s, const lf_scope *scope, const char *doc_id, lf_layout *out,
                          lf_err *err)
{
    static const struct {
        const char *sql;
        lf_status (*read)(sqlite3_stmt *q, lf_layout *l, lf_err *err);
    } part[] = {
        { "SELECT type,level,page,x0,y0,x1,y1,start,end,cells FROM blocks WHERE doc=? ORDER BY n",
          read_block },
        { "SELECT start,end,page,x0,y0,x1,y1 FROM lines WHERE doc=? ORDER BY n", read_line },
        { "SELECT width,height,scanned FROM pages WHERE doc=? ORDER BY n", read_page },
    };
    lf_db *db = NULL;
    int64_t id = 0;
    lf_layout l = { 0 };
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_state_row_of(db, scope, doc_id, &id, err);
    for (size_t i = 0; i < sizeof part / sizeof part[0] && st == LF_OK; i++) {
        sqlite3_stmt *q;
        bool has;
        st = lf_db_stmt(db, part[i].sql, &q, err);
        if (st == LF_OK)
            (void)sqlite3_bind_int64(q, 1, id);
        while (st == LF_OK && (st = lf_db_row(db, q, "read a layout", &has, err)) == LF_OK && has)
            st = part[i].read(q, &l, err);
    }
    lf_state_end_read(s, db);
    if (st != LF_OK) {
        lf_layout_release(&l);
        return st;
    }
    *out = l;
    return LF_OK;
}

/* ---- vectors that are there already ---- */

typedef struct want {
    uint64_t hash;
    size_t at;
} want;

static int by_hash(const void *x, const void *y)
{
    const want *a = x, *b = y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Copy one stored vector to all chunks of that hash. */
static void give(const want *w, size_t n, uint64_t hash, const uint8_t *vector, size_t row_bytes,
                 uint16_t *vectors, bool *found)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (w[mid].hash < hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < n && w[lo].hash == hash; lo++) {
        memcpy((uint8_t *)vectors + w[lo].at * row_bytes, vector, row_bytes);
        found[w[lo].at] = true;
    }
}

/* `doc` stands on a row of (hashes, data, ...). */
static void take_from(sqlite3_stmt *doc, const want *w, size_t n, int32_t dim, uint16_t *vectors,
                      bool *found)
{
    const size_t row = (size_t)dim * sizeof *vectors;
    const size_t n_old = (size_t)sqlite3_column_bytes(doc, 0) / sizeof(uint64_t);
    const uint8_t *hashes = sqlite3_column_blob(doc, 0), *data = sqlite3_column_blob(doc, 1);
    if ((size_t)sqlite3_column_bytes(doc, 1) != n_old * row)
        return; /* of another width: none of these fit */
    for (size_t i = 0; i < n_old; i++) {
        uint64_t hash;
        memcpy(&hash, hashes + i * sizeof hash, sizeof hash);
        give(w, n, hash, data + i * row, row, vectors, found);
    }
}

lf_status lf_state_known_vectors(lf_state *s, const lf_scope *scope, const char *doc_id,
                                 const char *content_hash, const char *model, int32_t dim,
                                 const uint64_t *hashes, size_t n, uint16_t *vectors, bool *found,
                                 lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has;
    lf_status st = LF_OK;
    want *w = lf_alloc((n + 1) * sizeof *w);
    if (!w)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to compare %zu passages", n);
    for (size_t i = 0; i < n; i++)
        w[i] = (want){ hashes[i], i };
    if (n)
        qsort(w, n, sizeof *w, by_hash);
    st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_db_stmt(db,
                        "SELECT v.hashes, v.data, c.name FROM documents d"
                        " JOIN vectors v ON v.doc=d.id JOIN collections c ON c.id=d.collection"
                        " WHERE (d.doc_id=?1 OR d.hash=?2) AND v.model=?3 AND v.dim=?4"
                        " ORDER BY d.doc_id<>?1 LIMIT 4",
                        &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_text(q, 1, doc_id, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 2, content_hash, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 3, model, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int(q, 4, dim);
    }
    while (st == LF_OK && (st = lf_db_row(db, q, "read vectors", &has, err)) == LF_OK && has)
        if (lf_scope_allows(scope, (const char *)sqlite3_column_text(q, 2)))
            take_from(q, w, n, dim, vectors, found);
    lf_state_end_read(s, db);
    lf_free(w);
    return st;
}

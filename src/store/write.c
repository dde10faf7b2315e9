/* store/write.c - putting, removing and ageing documents. */
#include "store/state.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/postings_int.h"
#include "store/state_int.h"

/* Bind an integer to each of ?1..?n; the statement's literal names them. */
static void bind_box(sqlite3_stmt *q, int at, lf_row_box b)
{
    (void)sqlite3_bind_double(q, at, (double)b.x0);
    (void)sqlite3_bind_double(q, at + 1, (double)b.y0);
    (void)sqlite3_bind_double(q, at + 2, (double)b.x1);
    (void)sqlite3_bind_double(q, at + 3, (double)b.y1);
}

static void bind_str(sqlite3_stmt *q, int at, const char *s)
{
    (void)sqlite3_bind_text(q, at, s ? s : "", -1, SQLITE_STATIC);
}

/* An empty array still is a blob, not NULL. */
static void bind_bytes(sqlite3_stmt *q, int at, const void *p, size_t n)
{
    (void)sqlite3_bind_blob64(q, at, n ? p : "", n, SQLITE_STATIC);
}

static lf_status collection_id(lf_db *db, const char *name, int64_t *out, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(db, "INSERT OR IGNORE INTO collections(name) VALUES(?)", &q, err);
    if (st != LF_OK)
        return st;
    bind_str(q, 1, name);
    st = lf_db_run(db, q, "add a collection", err);
    if (st == LF_OK)
        st = lf_db_stmt(db, "SELECT id FROM collections WHERE name=?", &q, err);
    if (st != LF_OK)
        return st;
    bind_str(q, 1, name);
    st = lf_db_row(db, q, "find a collection", &has, err);
    if (st == LF_OK) {
        *out = sqlite3_column_int64(q, 0);
        (void)sqlite3_reset(q);
    }
    return st;
}

/* ---- removing ---- */

static lf_status delete_document(lf_db *db, int64_t id, lf_err *err)
{
    static const char *const sql[] = {
        ("DELETE FROM chunks WHERE id>=(SELECT first_chunk FROM documents WHERE id=?1)"
         " AND id<(SELECT first_chunk+n_chunks FROM documents WHERE id=?1)"),
        "DELETE FROM originals WHERE doc=?",
        "DELETE FROM texts WHERE doc=?",
        "DELETE FROM blocks WHERE doc=?",
        "DELETE FROM lines WHERE doc=?",
        "DELETE FROM pages WHERE doc=?",
        "DELETE FROM vectors WHERE doc=?",
        "DELETE FROM documents WHERE id=?",
    };
    lf_status st = lf_postings_remove(db, id, err);
    for (size_t i = 0; i < sizeof sql / sizeof sql[0] && st == LF_OK; i++) {
        sqlite3_stmt *q;
        st = lf_db_stmt(db, sql[i], &q, err);
        if (st == LF_OK) {
            (void)sqlite3_bind_int64(q, 1, id);
            st = lf_db_run(db, q, "remove a document", err);
        }
    }
    return st;
}

lf_status lf_state_remove(lf_state *s, const lf_scope *scope, const char *doc_id, lf_err *err)
{
    lf_db *db;
    int64_t id = 0;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_state_row_of(db, scope, doc_id, &id, err);
    if (st == LF_OK)
        st = lf_runs_forget(db, id, err);
    if (st == LF_OK)
        st = delete_document(db, id, err);
    if (st == LF_OK)
        st = lf_state_bump(db, err);
    return lf_state_end_write(s, st, err);
}

/* ---- putting ---- */

static lf_status put_blocks(lf_db *db, int64_t id, const lf_doc_put *d, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, "INSERT INTO blocks VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", &q, err);
    for (size_t i = 0; i < d->n_blocks && st == LF_OK; i++) {
        const lf_row_block *b = &d->blocks[i];
        (void)sqlite3_bind_int64(q, 1, id);
        (void)sqlite3_bind_int64(q, 2, (int64_t)i);
        (void)sqlite3_bind_int(q, 3, b->type);
        (void)sqlite3_bind_int(q, 4, b->level);
        (void)sqlite3_bind_int(q, 5, b->page);
        bind_box(q, 6, b->box);
        (void)sqlite3_bind_int64(q, 10, b->start);
        (void)sqlite3_bind_int64(q, 11, b->end);
        if (b->n_cells)
            bind_bytes(q, 12, b->cells, b->n_cells * sizeof *b->cells);
        else
            (void)sqlite3_bind_null(q, 12);
        st = lf_db_run(db, q, "store blocks", err);
    }
    return st;
}

static lf_status put_lines_and_pages(lf_db *db, int64_t id, const lf_doc_put *d, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, "INSERT INTO lines VALUES(?,?,?,?,?,?,?,?,?)", &q, err);
    for (size_t i = 0; i < d->n_lines && st == LF_OK; i++) {
        const lf_row_line *l = &d->lines[i];
        (void)sqlite3_bind_int64(q, 1, id);
        (void)sqlite3_bind_int64(q, 2, (int64_t)i);
        (void)sqlite3_bind_int64(q, 3, l->start);
        (void)sqlite3_bind_int64(q, 4, l->end);
        (void)sqlite3_bind_int(q, 5, l->page);
        bind_box(q, 6, l->box);
        st = lf_db_run(db, q, "store lines", err);
    }
    if (st == LF_OK)
        st = lf_db_stmt(db, "INSERT INTO pages VALUES(?,?,?,?,?)", &q, err);
    for (size_t i = 0; i < d->n_pages && st == LF_OK; i++) {
        (void)sqlite3_bind_int64(q, 1, id);
        (void)sqlite3_bind_int64(q, 2, (int64_t)i);
        (void)sqlite3_bind_double(q, 3, (double)d->pages[i].width);
        (void)sqlite3_bind_double(q, 4, (double)d->pages[i].height);
        (void)sqlite3_bind_int(q, 5, d->pages[i].scanned);
        st = lf_db_run(db, q, "store pages", err);
    }
    return st;
}

static lf_status put_chunks(lf_db *db, int64_t first, const lf_doc_put *d, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, "INSERT INTO chunks VALUES(?,?,?,?,?,?,?,?)", &q, err);
    for (size_t i = 0; i < d->n_chunks && st == LF_OK; i++) {
        const lf_row_chunk *c = &d->chunks[i];
        (void)sqlite3_bind_int64(q, 1, first + (int64_t)i);
        (void)sqlite3_bind_int64(q, 2, c->start);
        (void)sqlite3_bind_int64(q, 3, c->end);
        (void)sqlite3_bind_int64(q, 4, c->byte_start);
        (void)sqlite3_bind_int64(q, 5, c->byte_end);
        (void)sqlite3_bind_int(q, 6, c->page);
        (void)sqlite3_bind_int(q, 7, c->section);
        bind_str(q, 8, c->heading);
        st = lf_db_run(db, q, "store passages", err);
    }
    return st;
}

static lf_status put_blob(lf_db *db, const char *sql, int64_t id, const void *p, size_t n,
                          lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, sql, &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, id);
    bind_bytes(q, 2, p, n);
    return lf_db_run(db, q, "store a document", err);
}

static lf_status put_vectors(lf_db *db, int64_t id, const lf_doc_put *d, lf_err *err)
{
    sqlite3_stmt *q;
    uint16_t *counts = lf_alloc((d->n_chunks + 1) * sizeof *counts);
    if (!counts)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to store vectors");
    for (size_t i = 0; i < d->n_chunks; i++)
        counts[i] = d->chunks[i].n_vectors;
    lf_status st = lf_db_stmt(db, "INSERT INTO vectors VALUES(?,?,?,?,?,?)", &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int64(q, 1, id);
        bind_str(q, 2, d->model);
        (void)sqlite3_bind_int(q, 3, d->dim);
        bind_bytes(q, 4, counts, d->n_chunks * sizeof *counts);
        bind_bytes(q, 5, d->vector_hashes, d->n_vectors * sizeof *d->vector_hashes);
        bind_bytes(q, 6, d->vectors, d->n_vectors * (size_t)d->dim * sizeof *d->vectors);
        st = lf_db_run(db, q, "store vectors", err);
    }
    lf_free(counts);
    return st;
}

static lf_status put_row(lf_db *db, const lf_doc_put *d, int64_t first, int64_t *id, lf_err *err)
{
    sqlite3_stmt *q;
    int64_t collection = 0;
    const int64_t now = lf_clock_unix_ms();
    lf_status st = collection_id(db, d->collection, &collection, err);
    if (st == LF_OK)
        st = lf_db_stmt(db,
                        "INSERT INTO documents(doc_id,collection,source,hash,settings,format,"
                        "warning,n_bytes,n_chars,n_pages,n_chunks,first_chunk,lens,added_ms,"
                        "used_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,x'',?,?)",
                        &q, err);
    if (st != LF_OK)
        return st;
    bind_str(q, 1, d->doc_id);
    (void)sqlite3_bind_int64(q, 2, collection);
    bind_str(q, 3, d->source);
    bind_str(q, 4, d->hash);
    bind_str(q, 5, d->settings);
    bind_str(q, 6, d->format);
    bind_str(q, 7, d->warning);
    (void)sqlite3_bind_int64(q, 8, (int64_t)d->n_bytes);
    (void)sqlite3_bind_int64(q, 9, (int64_t)d->n_chars);
    (void)sqlite3_bind_int64(q, 10, (int64_t)d->n_pages);
    (void)sqlite3_bind_int64(q, 11, (int64_t)d->n_chunks);
    (void)sqlite3_bind_int64(q, 12, first);
    (void)sqlite3_bind_int64(q, 13, now);
    (void)sqlite3_bind_int64(q, 14, now);
    st = lf_db_run(db, q, "store a document", err);
    if (st == LF_OK)
        *id = sqlite3_last_insert_rowid(db->h);
    return st;
}

static lf_status put_index(lf_db *db, const lf_doc_put *d, int64_t id, int64_t first, lf_err *err)
{
    uint16_t *lens = lf_calloc(d->n_chunks + 1, sizeof *lens);
    if (!lens)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to index a document");
    lf_status st = lf_postings_add(db, id, first, d->n_chunks, d->terms, d->terms_ud, lens, err);
    sqlite3_stmt *q;
    if (st == LF_OK)
        st = lf_db_stmt(db, "UPDATE documents SET lens=?2 WHERE id=?1", &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int64(q, 1, id);
        bind_bytes(q, 2, lens, d->n_chunks * sizeof *lens);
        st = lf_db_run(db, q, "store a document", err);
    }
    lf_free(lens);
    return st;
}

static lf_status take_chunk_ids(lf_db *db, size_t n, int64_t *first, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_int(db, "SELECT value FROM meta WHERE key='next_chunk'", 1, first, err);
    if (st == LF_OK && (*first < 1 || *first > UINT32_MAX))
        st = lf_fail(err, LF_ERR_CORRUPT, "the file '%s' is damaged: %lld is no passage's number",
                     db->path, (long long)*first);
    if (st == LF_OK)
        st = lf_db_stmt(db, "UPDATE meta SET value=value+? WHERE key='next_chunk'", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, (int64_t)n);
    return lf_db_run(db, q, "store a document", err);
}

static lf_status put_all(lf_db *db, const lf_doc_put *d, lf_err *err)
{
    int64_t id = 0, first = 0;
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(db, "SELECT id FROM documents WHERE doc_id=?", &q, err);
    if (st != LF_OK)
        return st;
    bind_str(q, 1, d->doc_id);
    st = lf_db_row(db, q, "find a document", &has, err);
    if (st == LF_OK && has) {
        const int64_t old = sqlite3_column_int64(q, 0);
        (void)sqlite3_reset(q);
        st = delete_document(db, old, err);
    }
    if (st == LF_OK)
        st = take_chunk_ids(db, d->n_chunks, &first, err);
    if (st == LF_OK)
        st = put_row(db, d, first, &id, err);
    if (st == LF_OK && d->original)
        st = put_blob(db, "INSERT INTO originals VALUES(?,?)", id, d->original, d->n_original, err);
    if (st == LF_OK)
        st = put_blob(db, "INSERT INTO texts VALUES(?,?)", id, d->text, d->n_bytes, err);
    if (st == LF_OK)
        st = put_blocks(db, id, d, err);
    if (st == LF_OK)
        st = put_lines_and_pages(db, id, d, err);
    if (st == LF_OK)
        st = put_chunks(db, first, d, err);
    if (st == LF_OK && d->vectors)
        st = put_vectors(db, id, d, err);
    if (st == LF_OK)
        st = put_index(db, d, id, first, err);
    return st == LF_OK ? lf_state_bump(db, err) : st;
}

/* Merge what is due, each step a transaction of its own.  The document is already
 * acknowledged: a failure here costs speed alone, and the next call tries again. */
static void merge_due(lf_state *s)
{
    lf_err err = { 0 };
    lf_db *db;
    lf_status st = LF_OK;
    bool did = true;
    while (st == LF_OK && did) {
        did = false;
        st = lf_state_begin_write(s, &db, &err);
        if (st != LF_OK)
            break;
        st = lf_postings_merge(db, &did, &err);
        if (st == LF_OK && did)
            st = lf_state_bump(db, &err);
        st = lf_state_end_write(s, st, &err);
    }
    if (st != LF_OK)
        lf_log(LF_LOG_WARN, "the full-text index was not merged: %s", err.msg);
}

lf_status lf_state_put(lf_state *s, const lf_scope *scope, const lf_doc_put *d, lf_err *err)
{
    lf_db *db;
    if (!lf_scope_allows(scope, d->collection))
        return lf_fail(err, LF_ERR_DENIED, "'%s' may not write to collection '%s'",
                       lf_scope_person(scope), d->collection);
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_state_end_write(s, put_all(db, d, err), err);
    if (st == LF_OK)
        merge_due(s);
    return st;
}

/* ---- collections ---- */

/* The collection's id, or 0. */
static lf_status find_collection(lf_db *db, const char *name, int64_t *id, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(db, "SELECT id FROM collections WHERE name=?", &q, err);
    if (st != LF_OK)
        return st;
    bind_str(q, 1, name);
    st = lf_db_row(db, q, "find a collection", &has, err);
    *id = st == LF_OK && has ? sqlite3_column_int64(q, 0) : 0;
    (void)sqlite3_reset(q);
    return st;
}

lf_status lf_state_collection_create(lf_state *s, const lf_scope *scope, const char *name,
                                     lf_err *err)
{
    lf_db *db;
    int64_t id = 0;
    if (!lf_scope_allows(scope, name))
        return lf_fail(err, LF_ERR_DENIED, "'%s' may not make collection '%s'",
                       lf_scope_person(scope), name);
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = find_collection(db, name, &id, err);
    if (st == LF_OK && id)
        st = lf_fail(err, LF_ERR_BUSY, "the collection '%s' exists already", name);
    if (st == LF_OK)
        st = collection_id(db, name, &id, err);
    if (st == LF_OK)
        st = lf_state_bump(db, err);
    return lf_state_end_write(s, st, err);
}

static lf_status delete_row(lf_db *db, int64_t collection, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, "DELETE FROM collections WHERE id=?", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, collection);
    return lf_db_run(db, q, "remove a collection", err);
}

static lf_status delete_all_of(lf_db *db, int64_t collection, lf_err *err)
{
    lf_status st = LF_OK;
    bool has = true;
    while (st == LF_OK && has) {
        sqlite3_stmt *q;
        int64_t id = 0;
        st = lf_db_stmt(db, "SELECT id FROM documents WHERE collection=? LIMIT 1", &q, err);
        if (st != LF_OK)
            break;
        (void)sqlite3_bind_int64(q, 1, collection);
        st = lf_db_row(db, q, "remove a collection", &has, err);
        if (st == LF_OK && has)
            id = sqlite3_column_int64(q, 0);
        (void)sqlite3_reset(q);
        if (st == LF_OK && has)
            st = lf_runs_forget(db, id, err);
        if (st == LF_OK && has)
            st = delete_document(db, id, err);
    }
    return st;
}

lf_status lf_state_collection_remove(lf_state *s, const lf_scope *scope, const char *name,
                                     bool keep_row, lf_err *err)
{
    lf_db *db;
    int64_t id = 0;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = find_collection(db, name, &id, err);
    if (st == LF_OK && ((!id && !keep_row) || !lf_scope_allows(scope, name)))
        st = lf_fail(err, LF_ERR_NOT_FOUND, "no collection '%s'", name);
    if (st == LF_OK && id)
        st = delete_all_of(db, id, err);
    if (st == LF_OK && id && !keep_row)
        st = delete_row(db, id, err);
    if (st == LF_OK)
        st = lf_state_bump(db, err);
    return lf_state_end_write(s, st, err);
}

/* ---- ageing ---- */

lf_status lf_state_touch(lf_state *s, const char *const *doc_ids, size_t n, lf_err *err)
{
    lf_db *db;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        sqlite3_stmt *q;
        st = lf_db_stmt(db, "UPDATE documents SET used_ms=? WHERE doc_id=?", &q, err);
        if (st == LF_OK) {
            (void)sqlite3_bind_int64(q, 1, lf_clock_unix_ms());
            bind_str(q, 2, doc_ids[i]);
            st = lf_db_run(db, q, "note a document's use", err);
        }
    }
    return lf_state_end_write(s, st, err);
}

/* Rows of the least used documents that go beyond the limit, least used first. */
static lf_status pick_oldest(lf_db *db, uint64_t max_bytes, const char *const *keep, size_t n_keep,
                             int64_t *id, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    int64_t total = 0;
    lf_status st =
        lf_db_int(db, "SELECT sum(n_bytes*12+n_chunks*1024) FROM documents", 0, &total, err);
    *id = 0;
    if (st != LF_OK || (uint64_t)total <= max_bytes)
        return st;
    st = lf_db_stmt(db, "SELECT id, doc_id FROM documents ORDER BY used_ms, id", &q, err);
    while (st == LF_OK && (st = lf_db_row(db, q, "list documents", &has, err)) == LF_OK && has) {
        bool kept = false;
        for (size_t i = 0; i < n_keep && !kept; i++)
            kept = !strcmp(keep[i], (const char *)sqlite3_column_text(q, 1));
        if (!kept) {
            *id = sqlite3_column_int64(q, 0);
            break;
        }
    }
    (void)sqlite3_reset(q);
    return st;
}

lf_status lf_state_trim(lf_state *s, uint64_t max_bytes, const char *const *keep, size_t n_keep,
                        lf_err *err)
{
    lf_status st = LF_OK;
    for (int64_t id = 1; st == LF_OK && id;) {
        lf_db *db;
        st = lf_state_begin_write(s, &db, err);
        if (st != LF_OK)
            return st;
        st = pick_oldest(db, max_bytes, keep, n_keep, &id, err);
        if (st == LF_OK && id)
            st = delete_document(db, id, err);
        if (st == LF_OK && id)
            st = lf_state_bump(db, err);
        st = lf_state_end_write(s, st, err);
    }
    return st;
}

/* store/runs.c - run records, and the words that go with their documents. */
#include "store/runs.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/state_int.h"

void lf_run_row_release(lf_run_row *r)
{
    lf_free(r->record);
    lf_free(r->texts);
    *r = (lf_run_row){ 0 };
}

void lf_run_rows_free(lf_run_row *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_run_row_release(&v[i]);
    lf_free(v);
}

/* ---- writing ---- */

/* Run `sql` with two texts; `doing` is for the message. */
static lf_status run_two(lf_db *db, const char *sql, const char *a, const char *b,
                         const char *doing, lf_err *err)
{
    sqlite3_stmt *q;
    const lf_status st = lf_db_stmt(db, sql, &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_text(q, 1, a, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(q, 2, b, -1, SQLITE_STATIC);
    return lf_db_run(db, q, doing, err);
}

lf_status lf_state_put_run(lf_state *s, const lf_scope *scope, const lf_run_put *r, lf_err *err)
{
    lf_db *db;
    sqlite3_stmt *q;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_db_stmt(db, "INSERT INTO runs VALUES(?,?,?,?)", &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_text(q, 1, r->id, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 2, lf_scope_person(scope), -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(q, 3, lf_clock_unix_ms());
        (void)sqlite3_bind_text(q, 4, r->record, -1, SQLITE_STATIC);
        st = lf_db_run(db, q, "keep a run's record", err);
    }
    if (st == LF_OK)
        st = run_two(db, "INSERT INTO run_texts VALUES(?,?)", r->id, r->texts, "keep a run's words",
                     err);
    for (size_t i = 0; i < r->n_doc_ids && st == LF_OK; i++)
        st = run_two(db, "INSERT OR IGNORE INTO run_docs VALUES(?,?)", r->doc_ids[i], r->id,
                     "keep a run's sources", err);
    return lf_state_end_write(s, st, err);
}

lf_status lf_runs_forget(lf_db *db, int64_t doc, lf_err *err)
{
    static const char *const sql[] = {
        ("DELETE FROM run_texts WHERE id IN (SELECT run FROM run_docs WHERE doc_id="
         "(SELECT doc_id FROM documents WHERE id=?))"),
        "DELETE FROM run_docs WHERE doc_id=(SELECT doc_id FROM documents WHERE id=?)",
    };
    lf_status st = LF_OK;
    for (size_t i = 0; i < sizeof sql / sizeof sql[0] && st == LF_OK; i++) {
        sqlite3_stmt *q;
        st = lf_db_stmt(db, sql[i], &q, err);
        if (st != LF_OK)
            break;
        (void)sqlite3_bind_int64(q, 1, doc);
        st = lf_db_run(db, q, "erase what runs hold of a document", err);
    }
    return st;
}

/* ---- reading ---- */

#define RUN_COLUMNS                                                                                \
    "r.id, r.created_ms, r.record, t.texts FROM runs r LEFT JOIN run_texts t ON t.id=r.id"

/* `q` stands on a row of RUN_COLUMNS. */
static lf_status run_from(sqlite3_stmt *q, lf_run_row *out, lf_err *err)
{
    const char *id = (const char *)sqlite3_column_text(q, 0);
    const char *record = (const char *)sqlite3_column_text(q, 2);
    const char *texts = (const char *)sqlite3_column_text(q, 3);
    lf_run_row r = { .unix_ms = sqlite3_column_int64(q, 1),
                     .record = lf_strdup(record ? record : ""),
                     .texts = texts ? lf_strdup(texts) : NULL };
    (void)snprintf(r.id, sizeof r.id, "%s", id ? id : "");
    if (!r.record || (texts && !r.texts)) {
        lf_run_row_release(&r);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the record of a run");
    }
    *out = r;
    return LF_OK;
}

static lf_status check_id(const char *id, lf_err *err)
{
    const size_t n = strlen(id);
    if (n >= LF_RUN_PREFIX_MIN && n < LF_RUN_ID && strspn(id, "0123456789abcdef") == n)
        return LF_OK;
    return lf_fail(err, LF_ERR_ARG,
                   "'%.64s' is no run: a run is named by its %d hexadecimal digits, or by at least "
                   "the first %d of them",
                   id, LF_RUN_ID - 1, LF_RUN_PREFIX_MIN);
}

lf_status lf_state_get_run(lf_state *s, const lf_scope *scope, const char *id, lf_run_row *out,
                           lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has = false;
    lf_run_row r = { 0 };
    lf_status st = check_id(id, err);
    if (st == LF_OK)
        st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_db_stmt(
            db, "SELECT " RUN_COLUMNS " WHERE r.id>=?1 AND r.id<?1||'g' AND r.person=?2 LIMIT 2",
            &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_text(q, 1, id, -1, SQLITE_STATIC);
        (void)sqlite3_bind_text(q, 2, lf_scope_person(scope), -1, SQLITE_STATIC);
        st = lf_db_row(db, q, "read a run's record", &has, err);
    }
    if (st == LF_OK && !has)
        st = lf_fail(err, LF_ERR_NOT_FOUND, "no run '%.64s'", id);
    if (st == LF_OK)
        st = run_from(q, &r, err);
    if (st == LF_OK)
        st = lf_db_row(db, q, "read a run's record", &has, err);
    if (st == LF_OK && has)
        st = lf_fail(err, LF_ERR_ARG, "several runs begin with '%.64s': give more digits", id);
    lf_state_end_read(s, db);
    if (st != LF_OK) {
        lf_run_row_release(&r);
        return st;
    }
    *out = r;
    return LF_OK;
}

lf_status lf_state_runs(lf_state *s, const lf_scope *scope, size_t n_max, lf_run_row **out,
                        size_t *n_out, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has = true;
    size_t n = 0;
    lf_run_row *v = lf_calloc(n_max + 1, sizeof *v);
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to list %zu runs", n_max);
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = lf_db_stmt(db,
                        "SELECT " RUN_COLUMNS
                        " WHERE r.person=?1 ORDER BY r.created_ms DESC, r.id LIMIT ?2",
                        &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_text(q, 1, lf_scope_person(scope), -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(q, 2, (int64_t)n_max);
    }
    while (st == LF_OK && n < n_max && (st = lf_db_row(db, q, "list runs", &has, err)) == LF_OK &&
           has) {
        st = run_from(q, &v[n], err);
        n += st == LF_OK;
    }
    lf_state_end_read(s, db);
    if (st != LF_OK) {
        lf_run_rows_free(v, n);
        return st;
    }
    *out = v;
    *n_out = n;
    return LF_OK;
}

/* store/jobs.c - the rows of the job queue. */
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/state_int.h"

#define COLUMNS                                                                                    \
    "id, kind, person, args, state, stage, done, total, result, error, created_ms, ended_ms"

void lf_state_job_release(lf_state_job *j)
{
    lf_free(j->kind);
    lf_free(j->person);
    lf_free(j->args);
    lf_free(j->stage);
    lf_free(j->result);
    lf_free(j->error);
    *j = (lf_state_job){ 0 };
}

static char *text_at(sqlite3_stmt *q, int col)
{
    const char *s = (const char *)sqlite3_column_text(q, col);
    return lf_strdup(s ? s : "");
}

static void bind(sqlite3_stmt *q, int at, const char *s)
{
    (void)sqlite3_bind_text(q, at, s ? s : "", -1, SQLITE_STATIC);
}

static lf_status job_from(sqlite3_stmt *q, lf_state_job *out, lf_err *err)
{
    lf_state_job j = { .kind = text_at(q, 1),
                       .person = text_at(q, 2),
                       .args = text_at(q, 3),
                       .state = sqlite3_column_int(q, 4),
                       .stage = text_at(q, 5),
                       .done = (uint64_t)sqlite3_column_int64(q, 6),
                       .total = (uint64_t)sqlite3_column_int64(q, 7),
                       .result = text_at(q, 8),
                       .error = text_at(q, 9),
                       .created_unix_ms = sqlite3_column_int64(q, 10),
                       .ended_unix_ms = sqlite3_column_int64(q, 11) };
    const char *id = (const char *)sqlite3_column_text(q, 0);
    (void)snprintf(j.id, sizeof j.id, "%s", id ? id : "");
    if (!j.kind || !j.person || !j.args || !j.stage || !j.result || !j.error) {
        lf_state_job_release(&j);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a job");
    }
    *out = j;
    return LF_OK;
}

lf_status lf_state_job_add(lf_state *s, const lf_scope *scope, const char *id, const char *kind,
                           const char *args, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_db_stmt(db,
                    "INSERT INTO jobs(id, kind, person, args, state, created_ms)"
                    " VALUES(?,?,?,?,0,?)",
                    &q, err);
    if (st == LF_OK) {
        bind(q, 1, id);
        bind(q, 2, kind);
        bind(q, 3, lf_scope_person(scope));
        bind(q, 4, args);
        (void)sqlite3_bind_int64(q, 5, lf_clock_unix_ms());
        st = lf_db_run(db, q, "queue a job", err);
    }
    return lf_state_end_write(s, st, err);
}

lf_status lf_state_job_claim(lf_state *s, lf_state_job *out, bool *has, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    lf_state_job j = { 0 };
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    *has = false;
    st = lf_db_stmt(db, "SELECT " COLUMNS " FROM jobs WHERE state=0 ORDER BY n LIMIT 1", &q, err);
    if (st == LF_OK)
        st = lf_db_row(db, q, "find the next job", has, err);
    if (st == LF_OK && *has) {
        st = job_from(q, &j, err);
        (void)sqlite3_reset(q);
    }
    if (st == LF_OK && *has)
        st = lf_db_stmt(db, "UPDATE jobs SET state=1 WHERE id=?", &q, err);
    if (st == LF_OK && *has) {
        bind(q, 1, j.id);
        st = lf_db_run(db, q, "take a job", err);
    }
    st = lf_state_end_write(s, st, err);
    if (st == LF_OK && *has) {
        j.state = LF_JOBROW_RUNNING;
        *out = j;
    } else {
        lf_state_job_release(&j);
    }
    return st;
}

lf_status lf_state_job_write(lf_state *s, const lf_state_job *j, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_db_stmt(db,
                    "UPDATE jobs SET state=?, stage=?, done=?, total=?, result=?, error=?,"
                    " ended_ms=? WHERE id=?",
                    &q, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int(q, 1, j->state);
        bind(q, 2, j->stage);
        (void)sqlite3_bind_int64(q, 3, (int64_t)j->done);
        (void)sqlite3_bind_int64(q, 4, (int64_t)j->total);
        bind(q, 5, j->result);
        bind(q, 6, j->error);
        (void)sqlite3_bind_int64(q, 7, j->ended_unix_ms);
        bind(q, 8, j->id);
        st = lf_db_run(db, q, "write a job", err);
    }
    return lf_state_end_write(s, st, err);
}

lf_status lf_state_job_cancel(lf_state *s, const lf_scope *scope, const char *id, bool *was,
                              lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    bool has = false;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    *was = false;
    st = lf_db_stmt(db, "SELECT state FROM jobs WHERE id=? AND person=?", &q, err);
    if (st == LF_OK) {
        bind(q, 1, id);
        bind(q, 2, lf_scope_person(scope));
        st = lf_db_row(db, q, "find a job", &has, err);
        *was = has && sqlite3_column_int(q, 0) == LF_JOBROW_QUEUED;
        (void)sqlite3_reset(q);
    }
    if (st == LF_OK && !has)
        st = lf_fail(err, LF_ERR_NOT_FOUND, "there is no job '%.40s'", id);
    if (st == LF_OK && *was)
        st = lf_db_stmt(db, "UPDATE jobs SET state=4, ended_ms=? WHERE id=?", &q, err);
    if (st == LF_OK && *was) {
        (void)sqlite3_bind_int64(q, 1, lf_clock_unix_ms());
        bind(q, 2, id);
        st = lf_db_run(db, q, "cancel a job", err);
    }
    return lf_state_end_write(s, st, err);
}

lf_status lf_state_jobs_recover(lf_state *s, size_t keep, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    lf_status st = lf_state_begin_write(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_db_stmt(db, "UPDATE jobs SET state=0 WHERE state=1", &q, err);
    if (st == LF_OK)
        st = lf_db_run(db, q, "queue unfinished jobs again", err);
    if (st == LF_OK)
        st = lf_db_stmt(
            db, "DELETE FROM jobs WHERE state>1 AND n<=(SELECT coalesce(max(n),0) FROM jobs)-?", &q,
            err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int64(q, 1, (int64_t)keep);
        st = lf_db_run(db, q, "forget old jobs", err);
    }
    return lf_state_end_write(s, st, err);
}

static lf_status read_rows(lf_db *db, sqlite3_stmt *q, lf_state_job **rows, size_t *n, lf_err *err)
{
    size_t cap = 0;
    bool has = true;
    lf_status st = LF_OK;
    while (st == LF_OK) {
        st = lf_db_row(db, q, "read the jobs", &has, err);
        if (st != LF_OK || !has)
            break;
        if (*n == cap) {
            cap = cap ? cap * 2 : 16;
            lf_state_job *v = lf_realloc(*rows, cap * sizeof *v);
            if (!v) {
                st = lf_fail(err, LF_ERR_NOMEM, "no memory for %zu jobs", cap);
                break;
            }
            *rows = v;
        }
        st = job_from(q, &(*rows)[*n], err);
        *n += st == LF_OK;
    }
    (void)sqlite3_reset(q);
    return st;
}

lf_status lf_state_job_list(lf_state *s, const lf_scope *scope, const char *id, size_t n_max,
                            lf_state_job **out, size_t *n, lf_err *err)
{
    lf_db *db = NULL;
    sqlite3_stmt *q;
    lf_state_job *rows = NULL;
    size_t n_rows = 0;
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st != LF_OK)
        return st;
    st = lf_db_stmt(db,
                    "SELECT " COLUMNS " FROM jobs WHERE person=?1 AND (?2='' OR id=?2)"
                    " ORDER BY n DESC LIMIT ?3",
                    &q, err);
    if (st == LF_OK) {
        bind(q, 1, lf_scope_person(scope));
        bind(q, 2, id);
        (void)sqlite3_bind_int64(q, 3, (int64_t)n_max);
        st = read_rows(db, q, &rows, &n_rows, err);
    }
    lf_state_end_read(s, db);
    if (st == LF_OK && id && n_rows == 0)
        st = lf_fail(err, LF_ERR_NOT_FOUND, "there is no job '%.40s'", id);
    if (st != LF_OK) {
        for (size_t i = 0; i < n_rows; i++)
            lf_state_job_release(&rows[i]);
        lf_free(rows);
        return st;
    }
    *out = rows;
    *n = n_rows;
    return LF_OK;
}

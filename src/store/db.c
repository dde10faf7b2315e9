/* store/db.c - opening connections, statements, errors. */
#include "store/db_int.h"

#include <string.h>

#include "base/mem.h"

enum { BUSY_MS = 20000 };

lf_status lf_db_fail(lf_db *db, const char *doing, lf_err *err)
{
    const int rc = sqlite3_errcode(db->h);
    const char *why = sqlite3_errmsg(db->h);
    switch (rc & 0xFF) {
    case SQLITE_FULL:
        return lf_fail(err, LF_ERR_IO, "cannot %s in '%s': the disk is full", doing, db->path);
    case SQLITE_NOMEM:
        return lf_fail(err, LF_ERR_NOMEM, "no memory to %s in '%s'", doing, db->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return lf_fail(err, LF_ERR_BUSY, "cannot %s in '%s': another process holds it", doing,
                       db->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return lf_fail(err, LF_ERR_CORRUPT, "cannot %s: the file '%s' is damaged (%s)", doing,
                       db->path, why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return lf_fail(err, LF_ERR_DENIED, "cannot %s in '%s': %s", doing, db->path, why);
    case SQLITE_TOOBIG:
        return lf_fail(err, LF_ERR_LIMIT, "cannot %s in '%s': larger than a value may be", doing,
                       db->path);
    case SQLITE_IOERR: /* its own words do not tell a quota from a broken disk */
        return lf_fail(err, LF_ERR_IO, "cannot %s in '%s': %s (%s)", doing, db->path, why,
                       strerror(sqlite3_system_errno(db->h)));
    default:
        return lf_fail(err, LF_ERR_IO, "cannot %s in '%s': %s", doing, db->path, why);
    }
}

static lf_status set_up(lf_db *db, bool read_only, lf_err *err)
{
    sqlite3_extended_result_codes(db->h, 0);
    sqlite3_busy_timeout(db->h, BUSY_MS);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return lf_db_exec(db,
                      read_only ? "PRAGMA cache_size=-4096;PRAGMA query_only=1;"
                                : "PRAGMA cache_size=-8192;PRAGMA synchronous=FULL;"
                                  "PRAGMA foreign_keys=0;PRAGMA temp_store=MEMORY;",
                      err);
}

lf_status lf_db_open(const char *path, bool read_only, lf_db **out, lf_err *err)
{
    lf_status st = LF_OK;
    lf_db *db = lf_calloc(1, sizeof *db);
    if (db)
        db->path = lf_strdup(path);
    if (!db || !db->path) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", path);
        goto done;
    }
    /* Readers too are opened for writing: WAL needs its index file.  What keeps
     * them from writing is query_only. */
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &db->h, flags, NULL) != SQLITE_OK) {
        st = db->h ? lf_db_fail(db, "open the state", err)
                   : lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", path);
        goto done;
    }
    st = set_up(db, read_only, err);
    if (st == LF_OK) {
        *out = db;
        db = NULL;
    }
done:
    lf_db_close(db);
    return st;
}

void lf_db_close(lf_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->n_cached; i++)
        (void)sqlite3_finalize(db->cache[i].stmt);
    (void)sqlite3_close(db->h);
    lf_free(db->path);
    lf_free(db);
}

lf_status lf_db_stmt(lf_db *db, const char *sql, sqlite3_stmt **out, lf_err *err)
{
    for (size_t i = 0; i < db->n_cached; i++)
        if (db->cache[i].sql == sql) {
            *out = db->cache[i].stmt;
            (void)sqlite3_reset(*out);
            (void)sqlite3_clear_bindings(*out);
            return LF_OK;
        }
    if (db->n_cached == LF_DB_STATEMENTS)
        return lf_fail(err, LF_ERR_LIMIT, "more than %d statements on '%s'", LF_DB_STATEMENTS,
                       db->path);
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return lf_db_fail(db, "prepare a statement", err);
    db->cache[db->n_cached].sql = sql;
    db->cache[db->n_cached++].stmt = stmt;
    *out = stmt;
    return LF_OK;
}

lf_status lf_db_row(lf_db *db, sqlite3_stmt *st, const char *doing, bool *has, lf_err *err)
{
    const int rc = sqlite3_step(st);
    *has = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return LF_OK;
    const lf_status failed = lf_db_fail(db, doing, err);
    (void)sqlite3_reset(st);
    return failed;
}

lf_status lf_db_run(lf_db *db, sqlite3_stmt *st, const char *doing, lf_err *err)
{
    bool has;
    const lf_status rc = lf_db_row(db, st, doing, &has, err);
    (void)sqlite3_reset(st);
    return rc;
}

lf_status lf_db_exec(lf_db *db, const char *sql, lf_err *err)
{
    return sqlite3_exec(db->h, sql, NULL, NULL, NULL) == SQLITE_OK
               ? LF_OK
               : lf_db_fail(db, "change the state", err);
}

lf_status lf_db_int(lf_db *db, const char *sql, int64_t def, int64_t *out, lf_err *err)
{
    sqlite3_stmt *q = NULL;
    bool has;
    lf_status st = lf_db_stmt(db, sql, &q, err);
    if (st == LF_OK)
        st = lf_db_row(db, q, "read", &has, err);
    if (st == LF_OK) {
        *out = has && sqlite3_column_type(q, 0) != SQLITE_NULL ? sqlite3_column_int64(q, 0) : def;
        (void)sqlite3_reset(q);
    }
    return st;
}

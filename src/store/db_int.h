/* store/db_int.h - one SQLite connection with its prepared statements (store's own files only).
 *
 * Threads    One thread at a time per connection.
 * Errors     lf_db_fail maps SQLite's codes: a full disk and refused writes are
 *            LF_ERR_IO, damage LF_ERR_CORRUPT, a lock held too long LF_ERR_BUSY.
 */
#ifndef LF_STORE_DB_INT_H
#define LF_STORE_DB_INT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { LF_DB_STATEMENTS = 96 };

typedef struct lf_db {
    sqlite3 *h;
    char *path; /* for messages; owned */
    struct {
        const char *sql; /* the literal that prepared it: compared by address */
        sqlite3_stmt *stmt;
    } cache[LF_DB_STATEMENTS];
    size_t n_cached;
} lf_db;

LF_MUST_CHECK lf_status lf_db_open(const char *path, bool read_only, lf_db **out, lf_err *err);
void lf_db_close(lf_db *db); /* NULL is a no-op */

/* Raise what SQLite reports last on this connection. */
lf_status lf_db_fail(lf_db *db, const char *doing, lf_err *err);

/* The statement of this literal, reset and without bindings; borrowed. */
LF_MUST_CHECK lf_status lf_db_stmt(lf_db *db, const char *sql, sqlite3_stmt **out, lf_err *err);

/* Run a statement that gives no rows, then reset it. */
LF_MUST_CHECK lf_status lf_db_run(lf_db *db, sqlite3_stmt *st, const char *doing, lf_err *err);

/* Step to a row: *has says whether there is one.  The caller resets at the end. */
LF_MUST_CHECK lf_status lf_db_row(lf_db *db, sqlite3_stmt *st, const char *doing, bool *has,
                                  lf_err *err);

/* Several statements without bindings. */
LF_MUST_CHECK lf_status lf_db_exec(lf_db *db, const char *sql, lf_err *err);

/* One integer; `def` when there is no row or it is NULL. */
LF_MUST_CHECK lf_status lf_db_int(lf_db *db, const char *sql, int64_t def, int64_t *out,
                                  lf_err *err);

#endif

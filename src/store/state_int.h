/* store/state_int.h - the open state file, shared by store's own files. */
#ifndef LF_STORE_STATE_INT_H
#define LF_STORE_STATE_INT_H

#include <pthread.h>

#include "store/db_int.h"
#include "store/state.h"

enum { LF_STATE_READERS = 8 };

struct lf_snapshot;

struct lf_state {
    char *path;
    pthread_mutex_t write_lock; /* guards `writer`; taken before `lock` */
    lf_db *writer;
    pthread_mutex_t lock; /* guards what follows; never held over I/O but opening */
    lf_db *idle[LF_STATE_READERS];
    size_t n_idle;
    struct lf_snapshot *snapshot; /* newest seen; NULL before the first search */
};

/* A reader connection inside a read transaction: one moment's view of the file. */
LF_MUST_CHECK lf_status lf_state_begin_read(lf_state *s, lf_db **out, lf_err *err);
void lf_state_end_read(lf_state *s, lf_db *db); /* NULL is a no-op */

/* The writer inside a transaction; end_write commits on LF_OK, else rolls back. */
LF_MUST_CHECK lf_status lf_state_begin_write(lf_state *s, lf_db **out, lf_err *err);
LF_MUST_CHECK lf_status lf_state_end_write(lf_state *s, lf_status st, lf_err *err);

/* Count one up: snapshots of before are stale from the commit on. */
LF_MUST_CHECK lf_status lf_state_bump(lf_db *db, lf_err *err);

/* Bring the tables from format `version` (0 = an empty database) to LF_STATE_VERSION,
 * inside the caller's transaction. */
LF_MUST_CHECK lf_status lf_schema_update(lf_db *db, int64_t version, lf_err *err);

/* Erase what runs hold of the words of the document of this row: it is being removed. */
LF_MUST_CHECK lf_status lf_runs_forget(lf_db *db, int64_t doc, lf_err *err);

/* Row number of the document, if it is in the scope; else LF_ERR_NOT_FOUND. */
LF_MUST_CHECK lf_status lf_state_row_of(lf_db *db, const lf_scope *scope, const char *doc_id,
                                        int64_t *out, lf_err *err);

#endif

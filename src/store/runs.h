/* store/runs.h - run records: what is kept about each answer.
 *
 * A record holds hashes and references.  The words that came with it (the answer, what
 * a model wrote, earlier turns) stand apart, and are erased when a document that they
 * come from is removed; the record stays, and so a replay can say what is gone.
 *
 * Ownership  Rows that reads fill own their texts: lf_run_row_release.
 * Threads    Any thread.
 * Scope      A person sees the runs that this person made.
 */
#ifndef LF_STORE_RUNS_H
#define LF_STORE_RUNS_H

#include "store/state.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_RUN_ID = 33, LF_RUN_PREFIX_MIN = 4 };

typedef struct lf_run_put {
    const char *id; /* the caller's, 32 hexadecimal digits */
    const char *record, *texts;
    const char *const *doc_ids; /* the documents that `texts` comes from */
    size_t n_doc_ids;
} lf_run_put;
LF_MUST_CHECK lf_status lf_state_put_run(lf_state *s, const lf_scope *scope, const lf_run_put *r,
                                         lf_err *err);

typedef struct lf_run_row {
    char id[LF_RUN_ID];
    int64_t unix_ms;
    char *record;
    char *texts; /* NULL: erased with a document */
} lf_run_row;
void lf_run_row_release(lf_run_row *r); /* safe on a zeroed row */
void lf_run_rows_free(lf_run_row *v, size_t n);

/* The run of this id, or the only one whose id begins so (LF_RUN_PREFIX_MIN digits).
 *   LF_ERR_NOT_FOUND  none, or another person's
 *   LF_ERR_ARG        no beginning of an id, or that of several */
LF_MUST_CHECK lf_status lf_state_get_run(lf_state *s, const lf_scope *scope, const char *id,
                                         lf_run_row *out, lf_err *err);
/* The newest first, at most n_max. */
LF_MUST_CHECK lf_status lf_state_runs(lf_state *s, const lf_scope *scope, size_t n_max,
                                      lf_run_row **out, size_t *n, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

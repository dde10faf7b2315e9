/* store/jobs.h - the rows of the job queue in the state file.
 *
 * Ownership  Rows that reads fill own their texts: lf_state_job_release.
 * Threads    Any thread.
 * Scope      A person sees the jobs that this person started.
 */
#ifndef LF_STORE_JOBS_H
#define LF_STORE_JOBS_H

#include "store/state.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The numbers stand in the file; job/job.h gives them their names. */
enum { LF_JOBROW_QUEUED, LF_JOBROW_RUNNING, LF_JOBROW_DONE, LF_JOBROW_FAILED, LF_JOBROW_CANCELLED };

typedef struct lf_state_job {
    char id[33];
    char *kind, *person, *args, *stage, *result, *error;
    int state;
    uint64_t done, total;
    int64_t created_unix_ms, ended_unix_ms;
} lf_state_job;
void lf_state_job_release(lf_state_job *j); /* safe on a zeroed row */

LF_MUST_CHECK lf_status lf_state_job_add(lf_state *s, const lf_scope *scope, const char *id,
                                         const char *kind, const char *args, lf_err *err);
/* Make the oldest queued job running and read it; *has says whether there was one. */
LF_MUST_CHECK lf_status lf_state_job_claim(lf_state *s, lf_state_job *out, bool *has, lf_err *err);
/* Write how a job stands: state, stage, done, total, result, error, ended_unix_ms. */
LF_MUST_CHECK lf_status lf_state_job_write(lf_state *s, const lf_state_job *j, lf_err *err);
/* Cancel a job that is still queued; *was says that it was.  LF_ERR_NOT_FOUND: no such job. */
LF_MUST_CHECK lf_status lf_state_job_cancel(lf_state *s, const lf_scope *scope, const char *id,
                                            bool *was, lf_err *err);
/* At the start: queue again what was running, forget all but the last `keep` ended ones. */
LF_MUST_CHECK lf_status lf_state_jobs_recover(lf_state *s, size_t keep, lf_err *err);
/* The newest first; LF_ERR_NOT_FOUND for an `id` (may be NULL = all) that is not there. */
LF_MUST_CHECK lf_status lf_state_job_list(lf_state *s, const lf_scope *scope, const char *id,
                                          size_t n_max, lf_state_job **out, size_t *n, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

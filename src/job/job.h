/* job/job.h - durable work: one queue, one progress format, one way to cancel and resume.
 *
 * A job is a row of the state file: a kind, its arguments as JSON, who started
 * it.  Workers take queued jobs in the order they came and call the function
 * that its kind was given.  A job that was running when the process ended is
 * queued again at the next start, so its function must be repeatable.
 *
 * Ownership  lf_jobs_close stops the workers (running jobs get their cancel flag
 *            and are queued again for the next start).  Rows are released by
 *            lf_job_rows_free.
 * Threads    Any thread.  A job's function runs on a worker of the queue; the
 *            watcher runs on whatever thread changed the job and must not block.
 * Errors     LF_ERR_NOT_FOUND no such job in this scope, LF_ERR_ARG unknown kind.
 */
#ifndef LF_JOB_JOB_H
#define LF_JOB_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/err.h"
#include "base/json.h"
#include "store/scope.h"

typedef struct lf_jobs lf_jobs;
typedef struct lf_job_run lf_job_run; /* a running job, in the hands of its function */

typedef enum lf_job_state {
    LF_JOB_QUEUED,
    LF_JOB_RUNNING,
    LF_JOB_DONE,
    LF_JOB_FAILED,
    LF_JOB_CANCELLED
} lf_job_state;
const char *lf_job_state_name(lf_job_state s); /* "queued", … */

typedef struct lf_job_row {
    char id[33];
    char *kind;
    char *args; /* JSON text */
    lf_job_state state;
    char *stage; /* what is being done, "" before the first progress */
    uint64_t done, total;
    char *result;                           /* JSON text of a done job, "" otherwise */
    char *error;                            /* why it failed, "" otherwise */
    int64_t created_unix_ms, ended_unix_ms; /* 0 = not yet */
} lf_job_row;

/* Does the work; `*result` (new reference, may stay NULL) is stored with it. */
typedef lf_status lf_job_fn(void *ud, lf_job_run *run, const json_t *args, json_t **result,
                            lf_err *err);
typedef void lf_job_watch_fn(void *ud, const lf_job_row *row);

LF_MUST_CHECK lf_status lf_jobs_open(const char *state_path, lf_jobs **out, lf_err *err);
void lf_jobs_close(lf_jobs *j); /* NULL is a no-op */
/* Before lf_jobs_start: what does the jobs of a kind, and who hears of changes. */
LF_MUST_CHECK lf_status lf_jobs_handle(lf_jobs *j, const char *kind, lf_job_fn *fn, void *ud,
                                       lf_err *err);
void lf_jobs_watch(lf_jobs *j, lf_job_watch_fn *fn, void *ud);
LF_MUST_CHECK lf_status lf_jobs_start(lf_jobs *j, int n_workers, lf_err *err);

LF_MUST_CHECK lf_status lf_jobs_add(lf_jobs *j, const lf_scope *s, const char *kind,
                                    const json_t *args, char id[33], lf_err *err);
LF_MUST_CHECK lf_status lf_jobs_cancel(lf_jobs *j, const lf_scope *s, const char *id, lf_err *err);
/* The newest first, at most n_max (0 = 100). */
LF_MUST_CHECK lf_status lf_jobs_list(lf_jobs *j, const lf_scope *s, size_t n_max, lf_job_row **out,
                                     size_t *n, lf_err *err);
void lf_job_rows_free(lf_job_row *rows, size_t n);

/* For the running function: says where it stands (kept at most 5 times a second,
 * heard by the watcher), and asks whether to stop. */
void lf_job_progress(lf_job_run *run, const char *stage, uint64_t done, uint64_t total);
atomic_bool *lf_job_cancel_flag(lf_job_run *run);
const char *lf_job_id(const lf_job_run *run);

#endif

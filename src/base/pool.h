/* base/pool.h - the one thread pool: runs a function over ranges of [0, n).
 *
 * The caller works too, so a pool of `n_threads` starts n_threads - 1 workers.
 * Workers spin for a short while after a task and then sleep, because kernels
 * come in quick succession.
 *
 * Threads    One lf_pool_run at a time per pool: concurrent callers queue.  A
 *            task must not call lf_pool_run on its own pool.
 * Order      Which thread gets which range is not fixed; a task's result must
 *            not depend on it.
 */
#ifndef LF_BASE_POOL_H
#define LF_BASE_POOL_H

#include <stddef.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_pool lf_pool;

/* Work on rows [begin, end); `worker` is in [0, n_threads), for scratch. */
typedef void lf_pool_fn(void *ud, size_t begin, size_t end, int worker);

LF_MUST_CHECK lf_status lf_pool_open(int n_threads, lf_pool **out, lf_err *err);
void lf_pool_close(lf_pool *p);        /* NULL is a no-op */
int lf_pool_threads(const lf_pool *p); /* NULL counts as 1 */

/* Run fn over [0, n) in pieces of `grain` (>= 1) rows; returns when all are done.
 * With NULL for the pool everything runs on the caller's thread. */
void lf_pool_run(lf_pool *p, size_t n, size_t grain, lf_pool_fn *fn, void *ud);

#ifdef __cplusplus
}
#endif
#endif

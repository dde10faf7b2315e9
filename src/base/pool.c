/* base/pool.c - a fork-join pool with a shared counter of pieces.
 *
 * A task is published by setting `left` to its number of pieces and raising
 * `generation`.  The caller and the workers take pieces by lowering `left` and
 * count them in `done` when they are worked off.  Workers spin SPIN_TURNS times
 * before they sleep on the condition variable: a decode step publishes some
 * hundred tasks a few microseconds apart, and a wake-up by the kernel costs more
 * than such a task.  A caller that waits for others' pieces yields after as long:
 * on a busy machine they may be waiting for its processor.
 *
 * Invariants
 *   1. The task fields are written only while done == n_pieces and under `run_lock`.
 *   2. Who lowers `left` owns a piece, and the fields stand until it is counted:
 *      a worker that comes late, or never, takes nothing and keeps nobody waiting.
 *   3. lf_pool_run returns only after done == n_pieces: the task's data may go. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"

enum { SPIN_TURNS = 4000, POOL_THREADS_MAX = 256 };

typedef struct worker_arg {
    struct lf_pool *pool;
    int index;
} worker_arg;

struct lf_pool {
    pthread_mutex_t run_lock; /* one caller at a time; taken before `lock` */
    pthread_mutex_t lock;     /* guards sleeping on `wake`, and `stop` */
    pthread_cond_t wake;
    atomic_uint generation;
    atomic_size_t left; /* pieces not yet given out */
    atomic_size_t done; /* pieces worked off */
    atomic_bool stop;
    size_t n, grain, n_pieces;
    lf_pool_fn *fn;
    void *ud;
    int n_threads;
    int n_started;
    pthread_t *threads;
    worker_arg *args;
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_pieces(lf_pool *p, int worker)
{
    size_t left = atomic_load_explicit(&p->left, memory_order_acquire);
    while (left > 0) {
        if (!atomic_compare_exchange_weak_explicit(&p->left, &left, left - 1, memory_order_acq_rel,
                                                   memory_order_acquire))
            continue;
        const size_t begin = (p->n_pieces - left) * p->grain, rows = p->n - begin;
        p->fn(p->ud, begin, begin + (rows < p->grain ? rows : p->grain), worker);
        atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
        left = atomic_load_explicit(&p->left, memory_order_acquire);
    }
}

/* Wait until a generation other than `seen` is there, or the pool stops. */
static void await_task(lf_pool *p, unsigned seen)
{
    for (int i = 0; i < SPIN_TURNS; i++) {
        if (atomic_load_explicit(&p->generation, memory_order_acquire) != seen ||
            atomic_load_explicit(&p->stop, memory_order_relaxed))
            return;
        relax();
    }
    (void)pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->generation) == seen && !atomic_load(&p->stop))
        (void)pthread_cond_wait(&p->wake, &p->lock);
    (void)pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    const worker_arg *a = arg;
    lf_pool *p = a->pool;
    for (unsigned seen = 0;;) {
        await_task(p, seen);
        if (atomic_load(&p->stop))
            return NULL;
        seen = atomic_load_explicit(&p->generation, memory_order_acquire);
        take_pieces(p, a->index);
    }
}

lf_status lf_pool_open(int n_threads, lf_pool **out, lf_err *err)
{
    if (n_threads < 1 || n_threads > POOL_THREADS_MAX)
        return lf_fail(err, LF_ERR_ARG, "cannot start %d threads: 1 to %d are allowed", n_threads,
                       POOL_THREADS_MAX);
    lf_pool *p = lf_calloc(1, sizeof *p);
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a pool of %d threads", n_threads);
    p->n_threads = n_threads;
    (void)pthread_mutex_init(&p->run_lock, NULL);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    p->threads = lf_calloc((size_t)n_threads, sizeof *p->threads);
    p->args = lf_calloc((size_t)n_threads, sizeof *p->args);
    if (!p->threads || !p->args) {
        lf_pool_close(p);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a pool of %d threads", n_threads);
    }
    for (int i = 1; i < n_threads; i++) {
        p->args[i] = (worker_arg){ .pool = p, .index = i };
        if (pthread_create(&p->threads[p->n_started], NULL, worker_main, &p->args[i]) != 0) {
            lf_pool_close(p);
            return lf_fail(err, LF_ERR_IO, "cannot start thread %d of %d", i, n_threads);
        }
        p->n_started++;
    }
    *out = p;
    return LF_OK;
}

void lf_pool_close(lf_pool *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_started; i++)
        (void)pthread_join(p->threads[i], NULL);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_mutex_destroy(&p->run_lock);
    lf_free(p->threads);
    lf_free(p->args);
    lf_free(p);
}

int lf_pool_threads(const lf_pool *p)
{
    return p ? p->n_threads : 1;
}

void lf_pool_run(lf_pool *p, size_t n, size_t grain, lf_pool_fn *fn, void *ud)
{
    if (n == 0)
        return;
    if (!p || p->n_started == 0 || n <= grain) {
        fn(ud, 0, n, 0);
        return;
    }
    (void)pthread_mutex_lock(&p->run_lock);
    p->n = n;
    p->grain = grain ? grain : 1;
    p->n_pieces = (n + p->grain - 1) / p->grain;
    p->fn = fn;
    p->ud = ud;
    atomic_store_explicit(&p->done, 0, memory_order_relaxed);
    atomic_store_explicit(&p->left, p->n_pieces, memory_order_release);
    (void)pthread_mutex_lock(&p->lock);
    atomic_fetch_add_explicit(&p->generation, 1, memory_order_release);
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    take_pieces(p, 0);
    int turns = 0;
    while (atomic_load_explicit(&p->done, memory_order_acquire) < p->n_pieces) {
        if (turns < SPIN_TURNS) {
            turns++;
            relax();
        } else {
            (void)sched_yield();
        }
    }
    (void)pthread_mutex_unlock(&p->run_lock);
}

/* job/job.c - workers over the queue in the state file.
 *
 *     queued --claim--> running --function returns--> done | failed | cancelled
 *        ^                 |
 *        `--- the process ends, or lf_jobs_close -----'
 *
 * Progress stays in memory (lf_jobs.running); the file is written when a job is
 * added, taken and ended.
 *
 * Locks: `watch_lock` is held while the watcher is called, so that after
 * lf_jobs_watch(NULL) nobody is in it; `lock` guards the rest, is taken after
 * watch_lock where both are, and is never held over a call out. */
#include "job/job.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/jobs.h"

enum {
    KINDS_MAX = 16,
    WORKERS_MAX = 8,
    KEEP_ENDED = 1000,
    LIST_DEFAULT = 100,
    TELL_EVERY_US = 200000
};

struct lf_job_run {
    lf_job_run *next; /* under jobs.lock */
    lf_jobs *jobs;
    lf_state_job row; /* stage, done and total under jobs.lock */
    char stage[32];
    int64_t told_us;
    atomic_bool cancel;
};

struct lf_jobs {
    lf_state *state;
    struct {
        char kind[32];
        lf_job_fn *fn;
        void *ud;
    } kinds[KINDS_MAX]; /* fixed once started */
    size_t n_kinds;
    pthread_mutex_t watch_lock; /* guards the watcher */
    lf_job_watch_fn *watch;
    void *watch_ud;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    lf_job_run *running;
    bool stopping;
    uint64_t n_added; /* so that a worker that found nothing does not miss one */
    pthread_t workers[WORKERS_MAX];
    int n_workers;
};

const char *lf_job_state_name(lf_job_state s)
{
    static const char *const names[] = { "queued", "running", "done", "failed", "cancelled" };
    return (unsigned)s < sizeof names / sizeof names[0] ? names[s] : "unknown";
}

lf_status lf_jobs_open(const char *state_path, lf_jobs **out, lf_err *err)
{
    lf_jobs *j = lf_calloc(1, sizeof *j);
    if (!j)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the job queue");
    (void)pthread_mutex_init(&j->watch_lock, NULL);
    (void)pthread_mutex_init(&j->lock, NULL);
    (void)pthread_cond_init(&j->work, NULL);
    const lf_status st = lf_state_open(state_path, &j->state, err);
    if (st != LF_OK) {
        lf_jobs_close(j);
        return st;
    }
    *out = j;
    return LF_OK;
}

void lf_jobs_close(lf_jobs *j)
{
    if (!j)
        return;
    (void)pthread_mutex_lock(&j->lock);
    j->stopping = true;
    for (lf_job_run *r = j->running; r; r = r->next)
        atomic_store(&r->cancel, true);
    (void)pthread_cond_broadcast(&j->work);
    (void)pthread_mutex_unlock(&j->lock);
    for (int i = 0; i < j->n_workers; i++)
        (void)pthread_join(j->workers[i], NULL);
    lf_state_close(j->state);
    (void)pthread_cond_destroy(&j->work);
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_mutex_destroy(&j->watch_lock);
    lf_free(j);
}

lf_status lf_jobs_handle(lf_jobs *j, const char *kind, lf_job_fn *fn, void *ud, lf_err *err)
{
    if (j->n_kinds == KINDS_MAX || strlen(kind) >= sizeof j->kinds[0].kind)
        return lf_fail(err, LF_ERR_LIMIT, "the kind of job '%s' is one too many or too long", kind);
    (void)snprintf(j->kinds[j->n_kinds].kind, sizeof j->kinds[0].kind, "%s", kind);
    j->kinds[j->n_kinds].fn = fn;
    j->kinds[j->n_kinds++].ud = ud;
    return LF_OK;
}

void lf_jobs_watch(lf_jobs *j, lf_job_watch_fn *fn, void *ud)
{
    (void)pthread_mutex_lock(&j->watch_lock);
    j->watch = fn;
    j->watch_ud = ud;
    (void)pthread_mutex_unlock(&j->watch_lock);
}

/* The caller's row over the store's: texts are borrowed. */
static lf_job_row row_of(const lf_state_job *s)
{
    lf_job_row r = { .kind = s->kind,
                     .args = s->args,
                     .state = (lf_job_state)s->state,
                     .stage = s->stage,
                     .done = s->done,
                     .total = s->total,
                     .result = s->result,
                     .error = s->error,
                     .created_unix_ms = s->created_unix_ms,
                     .ended_unix_ms = s->ended_unix_ms };
    memcpy(r.id, s->id, sizeof r.id);
    return r;
}

static void tell(lf_jobs *j, const lf_state_job *s)
{
    const lf_job_row row = row_of(s);
    (void)pthread_mutex_lock(&j->watch_lock);
    if (j->watch)
        j->watch(j->watch_ud, &row);
    (void)pthread_mutex_unlock(&j->watch_lock);
}

/* Tell of the job as the file has it.  The caller holds watch_lock since before it
 * changed the file, so that a worker's news of this job come later. */
static void tell_stored(lf_jobs *j, const lf_scope *s, const char *id)
{
    lf_state_job *rows = NULL;
    size_t n = 0;
    if (lf_state_job_list(j->state, s, id, 1, &rows, &n, NULL) != LF_OK)
        return;
    const lf_job_row row = row_of(&rows[0]);
    if (j->watch)
        j->watch(j->watch_ud, &row);
    lf_state_job_release(&rows[0]);
    lf_free(rows);
}

/* ---- running ---- */

static lf_status call(lf_jobs *j, lf_job_run *run, char **result, lf_err *err)
{
    json_t *args = NULL, *out = NULL;
    lf_buf text = { 0 };
    lf_status st = lf_json_parse(run->row.args, strlen(run->row.args), "the job", &args, err);
    if (st != LF_OK)
        return st;
    st = lf_fail(err, LF_ERR_ARG, "no function for jobs of the kind '%s'", run->row.kind);
    for (size_t i = 0; i < j->n_kinds; i++)
        if (strcmp(j->kinds[i].kind, run->row.kind) == 0)
            st = j->kinds[i].fn(j->kinds[i].ud, run, args, &out, err);
    if (out) {
        lf_json_dump(out, &text);
        *result = lf_buf_take(&text);
        lf_buf_release(&text);
    }
    json_decref(out);
    json_decref(args);
    return st;
}

/* How the job ended, into its row. */
static void settle(lf_jobs *j, lf_job_run *run, lf_status st, char *result, const lf_err *why)
{
    lf_state_job *row = &run->row;
    (void)pthread_mutex_lock(&j->lock);
    const bool stopping = j->stopping;
    (void)pthread_mutex_unlock(&j->lock);
    if (st == LF_ERR_CANCELLED && stopping) {
        row->state = LF_JOBROW_QUEUED; /* the next start takes it again */
        lf_free(result);
        return;
    }
    row->state = st == LF_OK              ? LF_JOBROW_DONE
                 : st == LF_ERR_CANCELLED ? LF_JOBROW_CANCELLED
                                          : LF_JOBROW_FAILED;
    row->ended_unix_ms = lf_clock_unix_ms();
    if (result) {
        lf_free(row->result);
        row->result = result;
    }
    char *error = st == LF_OK ? NULL : lf_strdup(why->msg);
    if (error) {
        lf_free(row->error);
        row->error = error;
    }
}

static void unlink_run(lf_jobs *j, lf_job_run *run)
{
    for (lf_job_run **p = &j->running; *p; p = &(*p)->next)
        if (*p == run) {
            *p = run->next;
            return;
        }
}

static void run_job(lf_jobs *j, lf_job_run *run)
{
    lf_err why = { 0 }, err = { 0 };
    char *result = NULL;
    (void)pthread_mutex_lock(&j->lock);
    run->next = j->running;
    j->running = run;
    if (j->stopping)
        atomic_store(&run->cancel, true);
    (void)pthread_mutex_unlock(&j->lock);
    tell(j, &run->row);

    const lf_status st = call(j, run, &result, &why);
    settle(j, run, st, result, &why);
    if (lf_state_job_write(j->state, &run->row, &err) != LF_OK)
        lf_log(LF_LOG_ERROR, "job %s: its end cannot be written: %s", run->row.id, err.msg);
    (void)pthread_mutex_lock(&j->lock);
    unlink_run(j, run);
    (void)pthread_mutex_unlock(&j->lock);
    tell(j, &run->row);
}

/* Wait until there may be something to claim; false: the queue is closing. */
static bool wait_for_work(lf_jobs *j, uint64_t seen)
{
    (void)pthread_mutex_lock(&j->lock);
    while (!j->stopping && j->n_added == seen)
        (void)pthread_cond_wait(&j->work, &j->lock);
    const bool go = !j->stopping;
    (void)pthread_mutex_unlock(&j->lock);
    return go;
}

static void *work(void *ud)
{
    lf_jobs *j = ud;
    for (;;) {
        lf_err err = { 0 };
        bool has = false;
        (void)pthread_mutex_lock(&j->lock);
        const uint64_t seen = j->n_added;
        const bool stopping = j->stopping;
        (void)pthread_mutex_unlock(&j->lock);
        if (stopping)
            break;
        lf_job_run *run = lf_calloc(1, sizeof *run);
        if (run && lf_state_job_claim(j->state, &run->row, &has, &err) != LF_OK)
            lf_log(LF_LOG_ERROR, "the next job cannot be read: %s", err.msg);
        if (has) {
            run->jobs = j;
            run_job(j, run);
            if (run->stage[0])
                run->row.stage = NULL; /* it points into the run */
            lf_state_job_release(&run->row);
        }
        lf_free(run);
        if (!has && !wait_for_work(j, seen))
            break;
    }
    return NULL;
}

lf_status lf_jobs_start(lf_jobs *j, int n_workers, lf_err *err)
{
    lf_status st = lf_state_jobs_recover(j->state, KEEP_ENDED, err);
    while (st == LF_OK && j->n_workers < n_workers && j->n_workers < WORKERS_MAX) {
        if (pthread_create(&j->workers[j->n_workers], NULL, work, j) != 0)
            st = lf_fail(err, LF_ERR_NOMEM, "no thread for the job queue");
        else
            j->n_workers++;
    }
    return st;
}

void lf_job_progress(lf_job_run *run, const char *stage, uint64_t done, uint64_t total)
{
    lf_jobs *j = run->jobs;
    const int64_t now_us = lf_clock_us();
    (void)pthread_mutex_lock(&j->lock);
    const bool fresh = strcmp(run->stage, stage) != 0;
    if (!run->stage[0]) {
        lf_free(run->row.stage);
        run->row.stage = run->stage;
    }
    (void)snprintf(run->stage, sizeof run->stage, "%s", stage[0] ? stage : "work");
    run->row.done = done;
    run->row.total = total;
    const bool due = fresh || now_us - run->told_us >= TELL_EVERY_US;
    if (due)
        run->told_us = now_us;
    (void)pthread_mutex_unlock(&j->lock);
    if (due)
        tell(j, &run->row); /* this thread alone changes the row */
}

atomic_bool *lf_job_cancel_flag(lf_job_run *run)
{
    return &run->cancel;
}

const char *lf_job_id(const lf_job_run *run)
{
    return run->row.id;
}

/* ---- asking ---- */

lf_status lf_jobs_add(lf_jobs *j, const lf_scope *s, const char *kind, const json_t *args,
                      char id[33], lf_err *err)
{
    unsigned char raw[16];
    char made[33];
    lf_buf text = { 0 };
    bool known = false;
    for (size_t i = 0; i < j->n_kinds; i++)
        known = known || strcmp(j->kinds[i].kind, kind) == 0;
    if (!known)
        return lf_fail(err, LF_ERR_ARG, "there are no jobs of the kind '%s'", kind);
    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw)
        return lf_fail(err, LF_ERR_IO, "no random numbers for a job's name");
    for (size_t i = 0; i < sizeof raw; i++)
        (void)snprintf(made + 2 * i, 3, "%02x", raw[i]);
    lf_json_dump(args, &text);
    (void)pthread_mutex_lock(&j->watch_lock);
    lf_status st = text.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a job")
                               : lf_state_job_add(j->state, s, made, kind, text.data, err);
    if (st == LF_OK)
        tell_stored(j, s, made);
    (void)pthread_mutex_unlock(&j->watch_lock);
    lf_buf_release(&text);
    if (st != LF_OK)
        return st;
    memcpy(id, made, sizeof made);
    (void)pthread_mutex_lock(&j->lock);
    j->n_added++;
    (void)pthread_cond_broadcast(&j->work);
    (void)pthread_mutex_unlock(&j->lock);
    return LF_OK;
}

lf_status lf_jobs_cancel(lf_jobs *j, const lf_scope *s, const char *id, lf_err *err)
{
    bool was_queued = false;
    (void)pthread_mutex_lock(&j->watch_lock);
    const lf_status st = lf_state_job_cancel(j->state, s, id, &was_queued, err);
    if (st == LF_OK && was_queued)
        tell_stored(j, s, id);
    (void)pthread_mutex_unlock(&j->watch_lock);
    if (st != LF_OK)
        return st;
    (void)pthread_mutex_lock(&j->lock);
    for (lf_job_run *r = j->running; r; r = r->next)
        if (strcmp(r->row.id, id) == 0)
            atomic_store(&r->cancel, true);
    (void)pthread_mutex_unlock(&j->lock);
    return LF_OK;
}

/* Where the running jobs stand is known here, not in the file. */
static lf_status overlay(lf_jobs *j, lf_state_job *rows, size_t n, lf_err *err)
{
    lf_status st = LF_OK;
    (void)pthread_mutex_lock(&j->lock);
    for (const lf_job_run *r = j->running; r; r = r->next)
        for (size_t i = 0; i < n && st == LF_OK; i++) {
            if (rows[i].state != LF_JOBROW_RUNNING || strcmp(rows[i].id, r->row.id) != 0)
                continue;
            char *stage = lf_strdup(r->row.stage);
            if (!stage) {
                st = lf_fail(err, LF_ERR_NOMEM, "no memory for the jobs");
                break;
            }
            lf_free(rows[i].stage);
            rows[i].stage = stage;
            rows[i].done = r->row.done;
            rows[i].total = r->row.total;
        }
    (void)pthread_mutex_unlock(&j->lock);
    return st;
}

lf_status lf_jobs_list(lf_jobs *j, const lf_scope *s, size_t n_max, lf_job_row **out, size_t *n,
                       lf_err *err)
{
    lf_state_job *rows = NULL;
    lf_job_row *v = NULL;
    size_t k = 0;
    lf_status st =
        lf_state_job_list(j->state, s, NULL, n_max ? n_max : LIST_DEFAULT, &rows, &k, err);
    if (st == LF_OK)
        st = overlay(j, rows, k, err);
    if (st == LF_OK && !(v = lf_calloc(k + 1, sizeof *v)))
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for %zu jobs", k);
    for (size_t i = 0; i < k; i++) {
        if (st == LF_OK) {
            v[i] = row_of(&rows[i]); /* takes the texts over */
            lf_free(rows[i].person);
        } else {
            lf_state_job_release(&rows[i]);
        }
    }
    lf_free(rows);
    if (st != LF_OK)
        return st;
    *out = v;
    *n = k;
    return LF_OK;
}

void lf_job_rows_free(lf_job_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lf_free(rows[i].kind);
        lf_free(rows[i].args);
        lf_free(rows[i].stage);
        lf_free(rows[i].result);
        lf_free(rows[i].error);
    }
    lf_free(rows);
}

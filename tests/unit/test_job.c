/* tests/unit/test_job.c - the queue: order, progress, cancel, failure, restart. */
#include "tests/lf_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "job/job.h"

static char path[400];
static lf_scope *me, *other;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char heard[4000]; /* "id-prefix state stage done/total;" of every change */
static atomic_int n_started, hold;

static void nap(void)
{
    const struct timespec ts = { .tv_nsec = 5000000 };
    (void)nanosleep(&ts, NULL);
}

static void watch(void *ud, const lf_job_row *row)
{
    (void)ud;
    (void)pthread_mutex_lock(&lock);
    const size_t n = strlen(heard);
    (void)snprintf(heard + n, sizeof heard - n, "%s:%s:%llu/%llu;", lf_job_state_name(row->state),
                   row->stage, (unsigned long long)row->done, (unsigned long long)row->total);
    (void)pthread_mutex_unlock(&lock);
}

static lf_status count_to(void *ud, lf_job_run *run, const json_t *args, json_t **result,
                          lf_err *err)
{
    (void)ud;
    atomic_fetch_add(&n_started, 1);
    const json_int_t n = json_integer_value(json_object_get(args, "n"));
    lf_job_progress(run, "counting", 1, (uint64_t)n);
    while (atomic_load(&hold) && !atomic_load(lf_job_cancel_flag(run)))
        nap();
    if (atomic_load(lf_job_cancel_flag(run)))
        return lf_fail(err, LF_ERR_CANCELLED, "told to stop");
    if (n < 0)
        return lf_fail(err, LF_ERR_FORMAT, "cannot count to %lld", (long long)n);
    *result = json_pack("{s:I}", "counted", n);
    return LF_OK;
}

static lf_jobs *open_queue(int n_workers)
{
    lf_jobs *j = NULL;
    (void)snprintf(path, sizeof path, "%s/state.lfdb", lf_test_dir());
    LF_NEED(lf_jobs_open(path, &j, err));
    LF_NEED(lf_jobs_handle(j, "count", count_to, NULL, err));
    lf_jobs_watch(j, watch, NULL);
    if (n_workers)
        LF_NEED(lf_jobs_start(j, n_workers, err));
    return j;
}

static void scopes(void)
{
    LF_NEED(lf_scope_open("me", NULL, 0, &me, err));
    LF_NEED(lf_scope_open("other", NULL, 0, &other, err));
}

static void add(lf_jobs *j, int n, char id[33])
{
    json_t *args = json_pack("{s:i}", "n", n);
    LF_NEED(lf_jobs_add(j, me, "count", args, id, err));
    json_decref(args);
}

static lf_job_state state_of(lf_jobs *j, const char *id, char *text, size_t n_text)
{
    lf_job_row *rows = NULL;
    size_t n = 0;
    lf_job_state st = (lf_job_state)99;
    LF_NEED(lf_jobs_list(j, me, 0, &rows, &n, err));
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].id, id) == 0) {
            st = rows[i].state;
            (void)snprintf(text, n_text, "%s|%s|%s", rows[i].stage, rows[i].result, rows[i].error);
        }
    lf_job_rows_free(rows, n);
    return st;
}

static void wait_for(lf_jobs *j, const char *id, lf_job_state want, char *text, size_t n_text)
{
    for (int i = 0; i < 1000 && state_of(j, id, text, n_text) != want; i++)
        nap();
    LF_CHECK_INT(state_of(j, id, text, n_text), want);
}

static void runs_and_fails(void)
{
    char a[33], b[33], text[200];
    lf_err err = { 0 };
    scopes();
    lf_jobs *j = open_queue(1);
    add(j, 3, a);
    add(j, -1, b);
    wait_for(j, b, LF_JOB_FAILED, text, sizeof text);
    LF_CHECK_STR(text, "counting||cannot count to -1");
    LF_CHECK_INT(state_of(j, a, text, sizeof text), LF_JOB_DONE);
    LF_CHECK_STR(text, "counting|{\"counted\":3}|");
    lf_jobs_watch(j, NULL, NULL);
    LF_CHECK(strncmp(heard, "queued::0/0;", 12) == 0);
    LF_CHECK(strstr(heard, "running:counting:1/3;") && strstr(heard, "done:counting:1/3;"));
    LF_CHECK(strstr(heard, "failed:counting:1/") != NULL);
    LF_CHECK_INT(lf_jobs_add(j, me, "dance", NULL, a, &err), LF_ERR_ARG);
    lf_job_row *rows = NULL;
    size_t n = 9;
    LF_CHECK_INT(lf_jobs_list(j, other, 0, &rows, &n, &err), LF_OK);
    LF_CHECK_INT(n, 0);
    lf_job_rows_free(rows, n);
    LF_CHECK_INT(lf_jobs_cancel(j, other, b, &err), LF_ERR_NOT_FOUND);
    lf_jobs_close(j);
    lf_scope_close(me);
    lf_scope_close(other);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void cancels(void)
{
    char a[33], b[33], text[200];
    scopes();
    atomic_store(&hold, 1);
    lf_jobs *j = open_queue(1);
    add(j, 1, a);
    add(j, 2, b);
    wait_for(j, a, LF_JOB_RUNNING, text, sizeof text);
    LF_CHECK_INT(state_of(j, b, text, sizeof text), LF_JOB_QUEUED);
    LF_NEED(lf_jobs_cancel(j, me, b, err));
    LF_CHECK_INT(state_of(j, b, text, sizeof text), LF_JOB_CANCELLED);
    LF_NEED(lf_jobs_cancel(j, me, a, err));
    wait_for(j, a, LF_JOB_CANCELLED, text, sizeof text);
    LF_CHECK_INT(atomic_load(&n_started), 1); /* b never ran */
    lf_jobs_close(j);
    lf_scope_close(me);
    lf_scope_close(other);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Closed while one runs and one waits: both run at the next start. */
static void resumes(void)
{
    char a[33], b[33], text[200];
    scopes();
    atomic_store(&hold, 1);
    lf_jobs *j = open_queue(1);
    add(j, 5, a);
    add(j, 6, b);
    for (int i = 0; i < 1000 && atomic_load(&n_started) == 0; i++)
        nap();
    lf_jobs_close(j);
    atomic_store(&hold, 0);
    j = open_queue(0);
    LF_CHECK_INT(state_of(j, a, text, sizeof text), LF_JOB_QUEUED);
    LF_NEED(lf_jobs_start(j, 2, err));
    wait_for(j, a, LF_JOB_DONE, text, sizeof text);
    wait_for(j, b, LF_JOB_DONE, text, sizeof text);
    LF_CHECK_STR(text, "counting|{\"counted\":6}|");
    lf_jobs_close(j);
    lf_scope_close(me);
    lf_scope_close(other);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "job/runs_tells_and_fails", runs_and_fails },
        { "job/cancels_queued_and_running", cancels },
        { "job/resumes_after_a_restart", resumes },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

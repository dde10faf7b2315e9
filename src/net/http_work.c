/* net/http_work.c - the worker threads and the monitor.
 *
 * Workers are started when a job finds none waiting, up to workers_max, and end
 * after 30 s without one.  The monitor looks at every connection four times a
 * second while there is one: a client that hung up while its request was being
 * worked on (MHD does not watch a suspended connection) or in the middle of its
 * body, a request that arrives too slowly, a stream that has been silent. */
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_int.h"

enum {
    JOBS_MAX = 256,
    WORKER_IDLE_S = 30,
    WORKER_STACK_BYTES = 4 << 20, /* address space; JSON of depth 2048 needs about 1 MiB of it */
    TICK_MS = 250,
};

static struct timespec in_ms(int64_t ms)
{
    const int64_t us = lf_clock_us() + ms * 1000;
    return (struct timespec){ .tv_sec = (time_t)(us / 1000000),
                              .tv_nsec = (long)(us % 1000000) * 1000 };
}

/* The next job, or NULL when this worker should end.  Under h->lock. */
static lf_http_req *next_job(lf_http *h)
{
    const struct timespec until = in_ms(WORKER_IDLE_S * 1000);
    while (!h->jobs && !h->stopping) {
        h->n_waiting++;
        const int rc = pthread_cond_timedwait(&h->work, &h->lock, &until);
        h->n_waiting--;
        if (rc == ETIMEDOUT && !h->jobs)
            return NULL;
    }
    lf_http_req *r = h->jobs;
    if (r) {
        h->jobs = r->next_job;
        if (!h->jobs)
            h->jobs_end = &h->jobs;
        h->n_jobs--;
    }
    return r;
}

static void *work(void *ud)
{
    lf_http *h = ud;
    lf_http_req *r;
    (void)pthread_mutex_lock(&h->lock);
    while ((r = next_job(h)) != NULL) {
        const bool stopping = h->stopping;
        (void)pthread_mutex_unlock(&h->lock);
        if (stopping)
            lf_http_reply_error(r, 503, NULL, "stopping", "the server is stopping");
        else
            h->app.handle(h->app.ud, r);
        if (!r->replied)
            lf_http_reply_error(r, 500, NULL, "no_answer", "the request was not answered");
        lf_http_req_resume(r);
        lf_http_req_unref(r);
        (void)pthread_mutex_lock(&h->lock);
    }
    h->n_threads--;
    (void)pthread_cond_broadcast(&h->idle);
    (void)pthread_mutex_unlock(&h->lock);
    return NULL;
}

static bool start_worker(lf_http *h)
{
    pthread_attr_t a;
    pthread_t t;
    (void)pthread_attr_init(&a);
    (void)pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&a, WORKER_STACK_BYTES);
    const bool ok = pthread_create(&t, &a, work, h) == 0;
    (void)pthread_attr_destroy(&a);
    h->n_threads += ok;
    return ok;
}

bool lf_http_work_submit(lf_http *h, lf_http_req *r)
{
    if (h->stopping || h->n_jobs >= JOBS_MAX)
        return false;
    if (h->n_waiting <= h->n_jobs && h->n_threads < h->o.workers_max && !start_worker(h) &&
        h->n_threads == 0)
        return false;
    atomic_fetch_add(&r->refs, 1);
    r->next_job = NULL;
    *h->jobs_end = r;
    h->jobs_end = &r->next_job;
    h->n_jobs++;
    (void)pthread_cond_signal(&h->work);
    return true;
}

/* A client that hangs up in the middle of a body: what is missing will not come, and MHD
 * would wait for it until the deadline.  Two looks, because MHD may have taken the last bytes
 * and not told of them yet. */
static void watch_body(conn *c, bool gone)
{
    int n_unread = 0;
    const bool broke_off = gone && ioctl(c->fd, FIONREAD, &n_unread) == 0 && n_unread == 0;
    if (broke_off && c->broke_off)
        (void)shutdown(c->fd, SHUT_RDWR);
    c->broke_off = broke_off;
}

static void watch_conn(lf_http *h, conn *c, int64_t now_us)
{
    lf_http_req *r = c->req;
    if (c->deadline_us && now_us > c->deadline_us) {
        (void)shutdown(c->fd, SHUT_RDWR); /* MHD sees the end and cleans up */
        c->deadline_us = 0;
        return;
    }
    if (!r)
        return;
    struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };
    const bool gone = poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLERR | POLLHUP));
    if (r->state == REQ_READING) {
        watch_body(c, gone);
        return;
    }
    if (gone)
        atomic_store(&r->cancel, true);
    if (r->stream && gone)
        lf_http_stream_hang_up(r->stream);
    else if (r->stream)
        lf_http_stream_heartbeat(r->stream, now_us, (int64_t)h->o.heartbeat_ms * 1000);
}

static void *monitor(void *ud)
{
    lf_http *h = ud;
    (void)pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        if (h->n_conns == 0) {
            (void)pthread_cond_wait(&h->tick, &h->lock);
            continue;
        }
        const struct timespec until = in_ms(TICK_MS);
        (void)pthread_cond_timedwait(&h->tick, &h->lock, &until);
        const int64_t now_us = lf_clock_us();
        for (conn *c = h->conns; c; c = c->next)
            watch_conn(h, c, now_us);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return NULL;
}

lf_status lf_http_monitor_start(lf_http *h, lf_err *err)
{
    if (pthread_create(&h->monitor, NULL, monitor, h) != 0)
        return lf_fail(err, LF_ERR_NOMEM, "no thread for the server");
    h->monitor_on = true;
    return LF_OK;
}

void lf_http_work_stop(lf_http *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->stopping = true;
    for (conn *c = h->conns; c; c = c->next) {
        if (c->req)
            atomic_store(&c->req->cancel, true);
        if (c->req && c->req->stream)
            lf_http_stream_hang_up(c->req->stream);
    }
    (void)pthread_cond_broadcast(&h->work);
    (void)pthread_cond_broadcast(&h->tick);
    while (h->n_threads > 0) {
        const struct timespec until = in_ms(10000);
        if (pthread_cond_timedwait(&h->idle, &h->lock, &until) == ETIMEDOUT)
            lf_log(LF_LOG_WARN, "stopping: %u requests are still being worked on", h->n_threads);
    }
    (void)pthread_mutex_unlock(&h->lock);
    if (h->monitor_on)
        (void)pthread_join(h->monitor, NULL);
    h->monitor_on = false;
}

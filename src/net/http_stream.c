/* net/http_stream.c - event streams: a bounded queue from one thread to the loop.
 *
 * MHD asks for bytes on the loop thread (stream_read); when there are none, the
 * connection is suspended, and the next send, close or hang-up resumes it.  So an
 * idle stream costs no thread and no wake-ups.
 *
 * Invariants
 *   1. suspended is true only between stream_read's suspension and one resume.
 *   2. After lf_http_stream_lose() `mhd` is NULL and nobody resumes.
 *   3. bytes [off, q.len) of q are still to be read, at most max_bytes of them,
 *      but for one event larger than that, which is taken when the queue is empty. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "net/http_int.h"

struct lf_http_stream {
    atomic_int refs; /* opener, request, response */
    size_t max_bytes;
    uint32_t write_timeout_ms;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t space;
    lf_buf q;
    size_t off;
    int64_t last_us; /* when something was queued */
    bool closed;     /* by the opener: send the rest, then end */
    bool gone;       /* the client left: drop everything */
    bool suspended;
    struct MHD_Connection *mhd;
};

void lf_http_stream_unref(lf_http_stream *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    lf_buf_release(&s->q);
    (void)pthread_cond_destroy(&s->space);
    (void)pthread_mutex_destroy(&s->lock);
    lf_free(s);
}

static void response_freed(void *ud)
{
    lf_http_stream_unref(ud);
}

static void wake(lf_http_stream *s)
{
    if (s->suspended && s->mhd) {
        s->suspended = false;
        MHD_resume_connection(s->mhd);
    }
}

static ssize_t stream_read(void *ud, uint64_t pos, char *out, size_t max)
{
    lf_http_stream *s = ud;
    ssize_t n = 0;
    (void)pos;
    (void)pthread_mutex_lock(&s->lock);
    const size_t left = s->q.len - s->off;
    if (s->gone) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (left > 0) {
        n = (ssize_t)(left < max ? left : max);
        memcpy(out, s->q.data + s->off, (size_t)n);
        s->off += (size_t)n;
        if (s->off == s->q.len) {
            s->off = 0;
            lf_buf_clear(&s->q);
        }
        (void)pthread_cond_signal(&s->space);
    } else if (s->closed) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else if (s->mhd) {
        s->suspended = true;
        MHD_suspend_connection(s->mhd);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}

lf_status lf_http_stream_open(lf_http_req *r, lf_http_stream **out, lf_err *err)
{
    if (r->replied)
        return lf_fail(err, LF_ERR_ARG, "the request is answered already");
    lf_http_stream *s = lf_calloc(1, sizeof *s);
    if (!s)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for an event stream");
    pthread_condattr_t ca;
    (void)pthread_condattr_init(&ca);
    (void)pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->space, &ca);
    (void)pthread_condattr_destroy(&ca);
    (void)pthread_mutex_init(&s->lock, NULL);
    atomic_init(&s->refs, 3);
    s->max_bytes = r->server->o.stream_queue_bytes;
    s->write_timeout_ms = r->server->o.write_timeout_ms;
    s->last_us = lf_clock_us();

    r->response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, s, response_freed);
    if (!r->response) {
        atomic_store(&s->refs, 1);
        lf_http_stream_unref(s);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for an event stream");
    }
    lf_http_set_header(r, "Content-Type", "text/event-stream; charset=utf-8");
    lf_http_set_header(r, "Cache-Control", "no-store");
    lf_http_set_header(r, "X-Accel-Buffering", "no");
    r->http = 200;
    r->replied = true;
    (void)pthread_mutex_lock(&r->server->lock);
    s->mhd = r->mhd;
    s->gone = r->mhd == NULL || r->server->stopping;
    r->stream = s;
    (void)pthread_mutex_unlock(&r->server->lock);
    lf_http_req_resume(r);
    *out = s;
    return LF_OK;
}

void lf_http_stream_close(lf_http_stream *s)
{
    if (!s)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->closed = true;
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
    lf_http_stream_unref(s);
}

static void put(lf_http_stream *s, lf_str text)
{
    if (s->off > 0 && s->off > s->q.len / 2) {
        s->q.len -= s->off;
        memmove(s->q.data, s->q.data + s->off, s->q.len);
        s->q.data[s->q.len] = '\0';
        s->off = 0;
    }
    lf_buf_add(&s->q, text.p, text.len);
    s->last_us = lf_clock_us();
    wake(s);
}

/* "event: NAME", then one "data:" line for each line of the data, then a blank line. */
static bool frame(lf_buf *b, const char *event, lf_str data)
{
    if (event)
        lf_buf_addf(b, "event: %s\n", event);
    for (size_t at = 0; at <= data.len;) {
        const char *nl = data.len > at ? memchr(data.p + at, '\n', data.len - at) : NULL;
        const size_t n = nl ? (size_t)(nl - data.p) - at : data.len - at;
        lf_buf_add_str(b, "data: ");
        lf_buf_add(b, data.len ? data.p + at : "", n);
        lf_buf_add_char(b, '\n');
        at += n + 1;
    }
    lf_buf_add_char(b, '\n');
    return !b->failed;
}

static bool has_room(const lf_http_stream *s, size_t n)
{
    const size_t left = s->q.len - s->off;
    return left == 0 || left + n <= s->max_bytes;
}

/* Waits for room until the deadline; false when none came or the client is gone. */
static bool wait_for_room(lf_http_stream *s, size_t n)
{
    const int64_t until_us = lf_clock_us() + (int64_t)s->write_timeout_ms * 1000;
    const struct timespec ts = { .tv_sec = (time_t)(until_us / 1000000),
                                 .tv_nsec = (long)(until_us % 1000000) * 1000 };
    while (!s->gone && !has_room(s, n))
        if (pthread_cond_timedwait(&s->space, &s->lock, &ts) == ETIMEDOUT)
            break;
    return !s->gone && has_room(s, n);
}

lf_status lf_http_stream_send(lf_http_stream *s, const char *event, lf_str data, lf_err *err)
{
    lf_buf b = { 0 };
    lf_status st = LF_OK;
    if (!frame(&b, event, data)) {
        lf_buf_release(&b);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for an event of %zu bytes", data.len);
    }
    (void)pthread_mutex_lock(&s->lock);
    if (!wait_for_room(s, b.len)) {
        st = lf_fail(err, LF_ERR_CANCELLED,
                     s->gone ? "the client is gone" : "the client does not read its events");
        s->gone = true;
        wake(s);
    } else {
        put(s, (lf_str){ b.data, b.len });
        if (s->q.failed) {
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for an event of %zu bytes", data.len);
            s->gone = true;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    lf_buf_release(&b);
    return st;
}

bool lf_http_stream_try_send(lf_http_stream *s, const char *event, lf_str data)
{
    lf_buf b = { 0 };
    bool ok = frame(&b, event, data);
    (void)pthread_mutex_lock(&s->lock);
    ok = ok && !s->gone && has_room(s, b.len);
    if (ok) {
        put(s, (lf_str){ b.data, b.len });
        ok = !s->q.failed;
    }
    (void)pthread_mutex_unlock(&s->lock);
    lf_buf_release(&b);
    return ok;
}

bool lf_http_stream_is_gone(lf_http_stream *s)
{
    (void)pthread_mutex_lock(&s->lock);
    const bool gone = s->gone;
    (void)pthread_mutex_unlock(&s->lock);
    return gone;
}

void lf_http_stream_hang_up(lf_http_stream *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->gone = true;
    (void)pthread_cond_broadcast(&s->space);
    wake(s);
    (void)pthread_mutex_unlock(&s->lock);
}

void lf_http_stream_lose(lf_http_stream *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->gone = true;
    s->mhd = NULL;
    s->suspended = false;
    (void)pthread_cond_broadcast(&s->space);
    (void)pthread_mutex_unlock(&s->lock);
}

void lf_http_stream_heartbeat(lf_http_stream *s, int64_t now_us, int64_t every_us)
{
    (void)pthread_mutex_lock(&s->lock);
    if (!s->gone && !s->closed && s->suspended && now_us - s->last_us >= every_us)
        put(s, lf_str_of(": still here\n\n"));
    (void)pthread_mutex_unlock(&s->lock);
}

/* net/http_server.c - the listening socket and MHD's callbacks.
 *
 * MHD runs one epoll thread.  A request whose body is complete is suspended and
 * given to a worker; when the worker has an answer (or opens a stream), the
 * connection is resumed, MHD calls on_request again and the answer is queued. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_int.h"

enum {
    CONNECTION_MEMORY_BYTES = 32768, /* MHD's own limit, above ours for headers */
    BODY_GRACE_US = 30 * 1000000,
};

void lf_http_req_resume(lf_http_req *r)
{
    lf_http *h = r->server;
    (void)pthread_mutex_lock(&h->lock);
    r->state = REQ_READY;
    if (r->suspended && r->mhd) {
        r->suspended = false;
        MHD_resume_connection(r->mhd);
    }
    (void)pthread_mutex_unlock(&h->lock);
}

static enum MHD_Result send_reply(lf_http_req *r, struct MHD_Connection *mhd)
{
    static const lf_http_pair always[] = {
        { "X-Content-Type-Options", "nosniff" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Referrer-Policy", "no-referrer" },
    };
    if (!r->response)
        return MHD_NO;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        (void)MHD_add_response_header(r->response, always[i].name, always[i].value);
    for (size_t i = 0; i < r->n_extra; i++)
        (void)MHD_add_response_header(r->response, r->extra[i].name, r->extra[i].value);
    const enum MHD_Result ok = MHD_queue_response(mhd, (unsigned)r->http, r->response);
    MHD_destroy_response(r->response);
    r->response = NULL;
    return ok;
}

static conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

/* Headers are in. */
static void begin(lf_http *h, lf_http_req *r, struct MHD_Connection *mhd, const char *method)
{
    (void)pthread_mutex_lock(&h->lock);
    r->mhd = mhd;
    r->on = conn_of(mhd);
    if (r->on) {
        r->on->req = r;
        r->on->deadline_us = lf_clock_us() + BODY_GRACE_US;
    }
    (void)pthread_mutex_unlock(&h->lock);
    lf_http_req_begin(r, mhd, method);
}

/* The body is in: suspend and hand over; false: answered, there is too much to do. */
static bool hand_over(lf_http *h, lf_http_req *r, struct MHD_Connection *mhd)
{
    (void)pthread_mutex_lock(&h->lock);
    if (r->on)
        r->on->deadline_us = 0;
    r->state = REQ_HANDLING;
    const bool ok = lf_http_work_submit(h, r);
    if (ok) {
        r->suspended = true;
        MHD_suspend_connection(mhd);
    }
    (void)pthread_mutex_unlock(&h->lock);
    if (!ok)
        lf_http_reply_error(r, 503, NULL, "busy",
                            "too many requests are waiting: ask again in a moment");
    return ok;
}

/* The last call of MHD for a request's body. */
static enum MHD_Result finish_body(lf_http *h, lf_http_req *r, struct MHD_Connection *mhd)
{
    lf_http_req_body_end(r);
    if (!r->replied && hand_over(h, r, mhd))
        return MHD_YES; /* `r` is the worker's now */
    (void)pthread_mutex_lock(&h->lock);
    if (r->on)
        r->on->deadline_us = 0;
    (void)pthread_mutex_unlock(&h->lock);
    return send_reply(r, mhd);
}

static enum MHD_Result on_request(void *ud, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n_upload, void **con_cls)
{
    lf_http *h = ud;
    lf_http_req *r = *con_cls;
    (void)url;
    (void)version;
    if (!r)
        return MHD_NO; /* no memory when it began */
    if (!r->begun) {
        begin(h, r, mhd, method);
        return r->replied ? send_reply(r, mhd) : MHD_YES;
    }
    if (*n_upload > 0) {
        const enum MHD_Result ok = lf_http_req_body(r, upload, *n_upload);
        *n_upload = 0;
        (void)pthread_mutex_lock(&h->lock);
        if (r->on) /* at least 1 KiB/s */
            r->on->deadline_us =
                r->body_start_us + BODY_GRACE_US + (int64_t)(r->body_bytes / 1024) * 1000000;
        (void)pthread_mutex_unlock(&h->lock);
        return ok;
    }
    (void)pthread_mutex_lock(&h->lock);
    const req_state state = r->state;
    (void)pthread_mutex_unlock(&h->lock);
    if (state == REQ_READING)
        return finish_body(h, r, mhd);
    return send_reply(r, mhd);
}

static void *on_target(void *ud, const char *uri, struct MHD_Connection *mhd)
{
    (void)mhd;
    return lf_http_req_open(ud, uri);
}

static void on_completed(void *ud, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    lf_http *h = ud;
    lf_http_req *r = *con_cls;
    (void)mhd;
    *con_cls = NULL;
    if (!r)
        return;
    (void)pthread_mutex_lock(&h->lock);
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        atomic_store(&r->cancel, true);
    r->mhd = NULL;
    r->suspended = false;
    if (r->stream)
        lf_http_stream_lose(r->stream);
    if (r->on && r->on->req == r) {
        r->on->req = NULL;
        r->on->deadline_us = lf_clock_us() + (int64_t)h->o.request_timeout_ms * 1000;
    }
    (void)pthread_mutex_unlock(&h->lock);
    lf_http_req_unref(r);
}

static void on_connection(void *ud, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_ConnectionNotificationCode what)
{
    lf_http *h = ud;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *i =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        conn *c = i ? lf_calloc(1, sizeof *c) : NULL;
        *ctx = c;
        if (!c)
            return;
        c->fd = i->connect_fd;
        (void)pthread_mutex_lock(&h->lock);
        c->deadline_us = lf_clock_us() + (int64_t)h->o.request_timeout_ms * 1000;
        c->next = h->conns;
        if (h->conns)
            h->conns->prev = c;
        h->conns = c;
        h->n_conns++;
        (void)pthread_cond_signal(&h->tick);
        (void)pthread_mutex_unlock(&h->lock);
        return;
    }
    conn *c = *ctx;
    *ctx = NULL;
    if (!c)
        return;
    (void)pthread_mutex_lock(&h->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        h->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    h->n_conns--;
    (void)pthread_mutex_unlock(&h->lock);
    lf_free(c);
}

/* MHD decodes nothing: http_text.c does, with errors. */
static size_t keep_codes(void *ud, struct MHD_Connection *mhd, char *s)
{
    (void)ud;
    (void)mhd;
    return strlen(s);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *ud, const char *fmt, va_list ap)
{
    char line[512];
    (void)ud;
    (void)vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = '\0';
    lf_log(LF_LOG_DEBUG, "http: %s", line);
}

static lf_status listen_on(lf_http *h, int *out, lf_err *err)
{
    const char *host = strcmp(h->host, "localhost") == 0 ? "127.0.0.1" : h->host;
    char port[8];
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    struct addrinfo *ai = NULL;
    lf_status st = LF_OK;
    int fd = -1;
    const int one = 1;
    (void)snprintf(port, sizeof port, "%u", (unsigned)h->o.port);
    if (getaddrinfo(host, port, &hints, &ai) != 0)
        return lf_fail(err, LF_ERR_ARG, "'%s' is not an address to listen on", h->host);
    fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        st = lf_fail(err, LF_ERR_IO, "no socket to listen with: %s", strerror(errno));
        goto done;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, 128) != 0) {
        st = errno == EADDRINUSE
                 ? lf_fail(err, LF_ERR_BUSY,
                           "port %s on %s is already in use: choose another, or 0 for a free one",
                           port, h->host)
                 : lf_fail(err, LF_ERR_IO, "listening on %s port %s failed: %s", h->host, port,
                           strerror(errno));
        goto done;
    }
    struct sockaddr_storage sa = { 0 };
    socklen_t n = sizeof sa;
    char got[8] = "";
    if (getsockname(fd, (struct sockaddr *)&sa, &n) != 0 ||
        getnameinfo((struct sockaddr *)&sa, n, NULL, 0, got, sizeof got, NI_NUMERICSERV) != 0) {
        st = lf_fail(err, LF_ERR_IO, "the port that was given out cannot be read: %s",
                     strerror(errno));
        goto done;
    }
    h->port = (uint16_t)strtoul(got, NULL, 10);
    *out = fd;
    fd = -1;
done:
    if (fd >= 0)
        (void)close(fd);
    freeaddrinfo(ai);
    return st;
}

static lf_status start_daemon(lf_http *h, int fd, lf_err *err)
{
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)h->o.connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((h->o.request_timeout_ms + 999) / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        h, MHD_OPTION_UNESCAPE_CALLBACK, keep_codes, h, MHD_OPTION_END);
    if (!h->daemon)
        return lf_fail(err, LF_ERR_IO, "the HTTP server did not start: %s", strerror(errno));
    return LF_OK;
}

static void fill_defaults(lf_http_opts *o)
{
    o->workers_max = o->workers_max ? o->workers_max : 64;
    o->connections_max = o->connections_max ? o->connections_max : 1024;
    o->request_timeout_ms = o->request_timeout_ms ? o->request_timeout_ms : 60000;
    o->write_timeout_ms = o->write_timeout_ms ? o->write_timeout_ms : 30000;
    o->stream_queue_bytes = o->stream_queue_bytes ? o->stream_queue_bytes : 256 * 1024;
    o->heartbeat_ms = o->heartbeat_ms ? o->heartbeat_ms : 15000;
}

static void init_locks(lf_http *h)
{
    pthread_condattr_t ca;
    (void)pthread_condattr_init(&ca);
    (void)pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_cond_init(&h->work, &ca);
    (void)pthread_cond_init(&h->idle, &ca);
    (void)pthread_cond_init(&h->tick, &ca);
    (void)pthread_condattr_destroy(&ca);
    h->jobs_end = &h->jobs;
}

lf_status lf_http_open(const lf_http_opts *o, const lf_http_app *app, lf_http **out, lf_err *err)
{
    lf_status st = LF_OK;
    int fd = -1;
    char url[300];
    const char *host = o->host ? o->host : "127.0.0.1";
    if (!lf_http_addr_is_loopback(host))
        return lf_fail(
            err, LF_ERR_DENIED,
            "will not listen on '%s': there is no sign-in yet, so anybody on the network "
            "could read the documents; only 127.0.0.1, ::1 and localhost are allowed",
            host);
    lf_http *h = lf_calloc(1, sizeof *h);
    if (!h)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the HTTP server");
    init_locks(h);
    h->app = *app;
    h->o = *o;
    fill_defaults(&h->o);
    h->host = lf_strdup(host);
    h->spool_dir = o->spool_dir ? lf_strdup(o->spool_dir) : NULL;
    if (!h->host || (o->spool_dir && !h->spool_dir)) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the HTTP server");
        goto done;
    }
    st = listen_on(h, &fd, err);
    if (st != LF_OK)
        goto done;
    (void)snprintf(url, sizeof url, strchr(host, ':') ? "http://[%s]:%u/" : "http://%s:%u/", host,
                   (unsigned)h->port);
    h->url = lf_strdup(url);
    st = h->url ? lf_http_monitor_start(h, err)
                : lf_fail(err, LF_ERR_NOMEM, "no memory for the server");
    if (st == LF_OK)
        st = start_daemon(h, fd, err);
    if (st != LF_OK)
        goto done;
    fd = -1; /* MHD's */
    *out = h;
    h = NULL;
done:
    if (fd >= 0)
        (void)close(fd);
    lf_http_close(h);
    return st;
}

void lf_http_close(lf_http *h)
{
    if (!h)
        return;
    if (h->daemon) {
        const MHD_socket fd = MHD_quiesce_daemon(h->daemon);
        if (fd != MHD_INVALID_SOCKET)
            (void)close(fd);
    }
    lf_http_work_stop(h);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    (void)pthread_cond_destroy(&h->work);
    (void)pthread_cond_destroy(&h->idle);
    (void)pthread_cond_destroy(&h->tick);
    (void)pthread_mutex_destroy(&h->lock);
    lf_free(h->host);
    lf_free(h->spool_dir);
    lf_free(h->url);
    lf_free(h);
}

const char *lf_http_url(const lf_http *h)
{
    return h->url;
}

uint16_t lf_http_port(const lf_http *h)
{
    return h->port;
}

/* net/http_int.h - what the files of the server share.
 *
 * A connection (conn) lives from accept to close; on it one request (lf_http_req)
 * after the other.  A request is held by the loop (until MHD reports it completed)
 * and by its worker (until the handler has returned); the last one frees it.
 *
 *     READING --body complete--> HANDLING --reply or stream--> READY --sent--> (completed)
 *        `------reply in plan------------------------------------^
 *
 * Lock order: server.lock, then stream.lock, then MHD's own.  Nothing is called
 * out to while server.lock is held, but MHD's suspend, resume and shutdown(2).
 */
#ifndef LF_NET_HTTP_INT_H
#define LF_NET_HTTP_INT_H

#include <microhttpd.h>
#include <pthread.h>

#include "base/mem.h"
#include "net/http.h"
#include "net/http_text.h"

typedef enum req_state { REQ_READING, REQ_HANDLING, REQ_READY } req_state;

typedef struct conn {
    struct conn *prev, *next; /* server.conns, under server.lock */
    int fd;
    int64_t deadline_us; /* for what is being received; 0 = none; under server.lock */
    lf_http_req *req;    /* under server.lock */
    bool broke_off; /* the client has sent its last, and a body is not whole; under server.lock */
} conn;

typedef struct part {
    lf_http_part pub;
    lf_buf value;
    char *path; /* owned; unlinked with the request */
    int fd;     /* -1 when closed */
} part;

struct lf_http_req {
    lf_http *server;
    atomic_int refs;
    atomic_bool cancel;
    lf_arena arena; /* target, headers, names */

    /* Owned by the loop while READING, by the worker while HANDLING, by the loop after. */
    req_state state;            /* under server.lock */
    struct MHD_Connection *mhd; /* NULL once completed; under server.lock */
    conn *on;                   /* loop only */
    bool suspended;             /* under server.lock */
    lf_http_method method;
    const char *method_name;
    const char *raw_target;
    lf_http_target target;
    lf_http_pair *headers;
    size_t n_headers, header_bytes;
    lf_status header_status;
    lf_http_plan plan;
    bool begun, replied, is_form;

    lf_buf body;
    uint64_t body_bytes, body_max;
    int64_t body_start_us;
    struct MHD_PostProcessor *post;
    part *parts;
    size_t n_parts, cap_parts;
    part *current;
    lf_status body_status; /* why the body is refused; the rest of it is read and dropped */
    lf_err body_err;

    int http;
    struct MHD_Response *response; /* owned until queued */
    lf_http_pair extra[8];
    size_t n_extra;
    lf_http_stream *stream; /* a reference */

    lf_http_req *next_job; /* the work queue, under server.lock */
};

struct lf_http {
    lf_http_app app;
    lf_http_opts o;
    char *host, *spool_dir, *url;
    uint16_t port;
    struct MHD_Daemon *daemon;

    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t work;  /* a job is queued, or stopping */
    pthread_cond_t idle;  /* a thread ended */
    pthread_cond_t tick;  /* the monitor: a connection came, or stopping */
    conn *conns;
    size_t n_conns;
    lf_http_req *jobs, **jobs_end;
    size_t n_jobs;
    uint32_t n_threads, n_waiting;
    bool stopping;
    pthread_t monitor;
    bool monitor_on;
};

/* http_request.c */
lf_http_req *lf_http_req_open(lf_http *h, const char *raw_target);
void lf_http_req_unref(lf_http_req *r);
void lf_http_req_begin(lf_http_req *r, struct MHD_Connection *mhd,
                       const char *method); /* headers are in */
enum MHD_Result lf_http_req_body(lf_http_req *r, const char *p, size_t n_bytes);
void lf_http_req_body_end(lf_http_req *r); /* checks what arrived; replies when it is bad */

/* http_stream.c */
void lf_http_stream_unref(lf_http_stream *s);
void lf_http_stream_hang_up(lf_http_stream *s); /* the client is gone, or the server stops */
void lf_http_stream_lose(lf_http_stream *s); /* MHD has completed the request: never resume again */
void lf_http_stream_heartbeat(lf_http_stream *s, int64_t now_us, int64_t every_us);

/* http_work.c */
bool lf_http_work_submit(lf_http *h, lf_http_req *r); /* under h->lock; false: too much queued */
lf_status lf_http_monitor_start(lf_http *h, lf_err *err);
void lf_http_work_stop(lf_http *h); /* waits until every worker and the monitor have ended */

/* http_server.c */
void lf_http_req_resume(lf_http_req *r); /* let the loop go on with it; any thread */

#endif

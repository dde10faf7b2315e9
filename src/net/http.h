/* net/http.h - an HTTP/1.1 server for one application on the loopback interface.
 *
 * One event loop owns all sockets; a request whose body is complete is handed to
 * a worker thread, which may take its time: it answers once, or opens an event
 * stream and sends as it goes.  A stream has a bounded queue between worker and
 * loop, so that a slow reader holds up nobody else; a client that goes away sets
 * its request's cancel flag within a quarter of a second.
 *
 * Ownership  lf_http_open creates, lf_http_close ends it (requests under way are
 *            cancelled and waited for).  A lf_http_req is borrowed by the handler
 *            until it returns; a lf_http_stream is owned by who opened it.
 * Threads    lf_http_app.plan runs on the loop and must not block; handle runs on
 *            a worker.  A request belongs to its worker; a stream may be used by
 *            any one thread at a time.
 * Errors     Open: LF_ERR_DENIED host is not a loopback address, LF_ERR_BUSY port
 *            in use, LF_ERR_IO other socket errors.  Bad requests are answered by
 *            the server itself with {"error":{message,type,param,code}}.
 * Security   There is no sign-in, so: loopback only; the Host header must name
 *            the loopback (DNS rebinding); a request that a foreign web page made
 *            (Origin, Sec-Fetch-Site) is refused unless it only navigates.
 * Limits     Headers 16 KiB, address 8 KiB; body as planned; time to send the
 *            headers and then 1 KiB/s of body; see lf_http_opts.
 */
#ifndef LF_NET_HTTP_H
#define LF_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

typedef struct lf_http lf_http;
typedef struct lf_http_req lf_http_req;
typedef struct lf_http_stream lf_http_stream;

typedef enum lf_http_method {
    LF_HTTP_GET, /* HEAD too: the server drops the body */
    LF_HTTP_POST,
    LF_HTTP_PUT,
    LF_HTTP_DELETE,
    LF_HTTP_OTHER
} lf_http_method;

typedef enum lf_http_body_kind {
    LF_HTTP_BODY_NONE,   /* a body is refused */
    LF_HTTP_BODY_MEMORY, /* lf_http_body() */
    LF_HTTP_BODY_FORM,   /* multipart/form-data: files spooled to disk, lf_http_part_at() */
    LF_HTTP_BODY_EITHER  /* FORM when the content type says so, MEMORY otherwise */
} lf_http_body_kind;

typedef struct lf_http_plan {
    lf_http_body_kind body;
    uint64_t body_max_bytes; /* of MEMORY */
    uint64_t form_max_bytes; /* of FORM, all parts together */
    const void *route;       /* handed on: lf_http_route() */
} lf_http_plan;

typedef struct lf_http_app {
    /* Headers are in: say what to do with the body, or reply at once. */
    void (*plan)(void *ud, lf_http_req *r, lf_http_plan *plan);
    void (*handle)(void *ud, lf_http_req *r);
    void *ud;
} lf_http_app;

typedef struct lf_http_opts {
    const char *host;            /* NULL = "127.0.0.1" */
    uint16_t port;               /* 0 = a free one */
    const char *spool_dir;       /* for uploads; NULL = FORM bodies are refused */
    uint32_t workers_max;        /* 0 = 64; started when needed, ended after 30 s idle */
    uint32_t connections_max;    /* 0 = 1024 */
    uint32_t request_timeout_ms; /* to send the headers, and idle; 0 = 60,000 */
    uint32_t write_timeout_ms;   /* a full stream queue that nobody reads; 0 = 30,000 */
    uint32_t stream_queue_bytes; /* 0 = 256 KiB */
    uint32_t heartbeat_ms;       /* comment line on a silent stream; 0 = 15,000 */
} lf_http_opts;

LF_MUST_CHECK lf_status lf_http_open(const lf_http_opts *o, const lf_http_app *app, lf_http **out,
                                     lf_err *err);
void lf_http_close(lf_http *h);            /* NULL is a no-op */
const char *lf_http_url(const lf_http *h); /* "http://127.0.0.1:7080/", borrowed */
uint16_t lf_http_port(const lf_http *h);

/* The request.  Strings are valid UTF-8 without NUL, borrowed until the handler returns. */
lf_http_method lf_http_get_method(const lf_http_req *r);
const char *lf_http_method_name(const lf_http_req *r);              /* as sent */
const char *lf_http_path(const lf_http_req *r);                     /* decoded, begins with '/' */
const void *lf_http_route(const lf_http_req *r);                    /* from the plan */
const char *lf_http_header(const lf_http_req *r, const char *name); /* NULL = absent */
const char *lf_http_query(const lf_http_req *r, const char *name);  /* decoded; NULL = absent */
lf_str lf_http_body(const lf_http_req *r);
bool lf_http_is_form(const lf_http_req *r);
/* True when the client asked for an event stream (Accept: text/event-stream). */
bool lf_http_wants_events(const lf_http_req *r);
/* Becomes true when the client is gone or the server stops; valid until the handler returns. */
atomic_bool *lf_http_cancel(lf_http_req *r);

typedef struct lf_http_part {
    const char *name;     /* of the form field */
    const char *filename; /* NULL: a plain field; otherwise as sent, not to be trusted */
    const char *path;     /* the spooled file, removed with the request; NULL for plain fields */
    lf_str value;         /* of a plain field, at most 64 KiB */
    uint64_t n_bytes;
} lf_http_part;
size_t lf_http_n_parts(const lf_http_req *r);
const lf_http_part *lf_http_part_at(const lf_http_req *r, size_t i);
/* Transfers the spooled file: its path (lf_free), no longer removed with the
 * request; NULL when there is none or no memory. */
char *lf_http_part_take(lf_http_req *r, size_t i);

/* The answer: exactly one of these, once; a later one is ignored. */
void lf_http_reply_json(lf_http_req *r, int http, json_t *v); /* takes the reference; NULL: 503 */
void lf_http_reply_buf(lf_http_req *r, int http, const char *type, lf_buf *body); /* empties it */
void lf_http_reply_static(lf_http_req *r, int http, const char *type, const void *p, size_t n);
/* `param` is the field that is wrong, `code` a word for programs; both may be NULL. */
void lf_http_reply_error(lf_http_req *r, int http, const char *param, const char *code,
                         const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void lf_http_reply_fail(lf_http_req *r, const lf_err *err); /* by the status map of base/err.h */
/* Another header of the answer; before the reply.  Copied. */
void lf_http_set_header(lf_http_req *r, const char *name, const char *value);
/* The body of an error, for event streams; new reference, NULL = no memory. */
json_t *lf_http_error_json(int http, const char *param, const char *code, const char *message);

/* Answer with an event stream.  It outlives the request: the opener ends it with
 * lf_http_stream_close, from any thread, which sends what is queued and hangs up. */
LF_MUST_CHECK lf_status lf_http_stream_open(lf_http_req *r, lf_http_stream **out, lf_err *err);
void lf_http_stream_close(lf_http_stream *s); /* NULL is a no-op */

/* Queue one event; `event` NULL = unnamed.  Waits while the queue is full, at
 * most write_timeout_ms.
 *   LF_ERR_CANCELLED  the client is gone, does not read, or the server stops */
LF_MUST_CHECK lf_status lf_http_stream_send(lf_http_stream *s, const char *event, lf_str data,
                                            lf_err *err);
/* The same, never waiting: false when the queue is full or the client is gone. */
bool lf_http_stream_try_send(lf_http_stream *s, const char *event, lf_str data);
bool lf_http_stream_is_gone(lf_http_stream *s);
#endif

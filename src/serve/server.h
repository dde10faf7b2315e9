/* serve/server.h - the HTTP service: OpenAI-compatible and native routes, and the page.
 *
 * Ownership  lf_server_open creates, lf_server_close stops: requests under way are
 *            cancelled and waited for, then the job queue is closed.  know, provider and
 *            scope are borrowed and must outlive the server; jobs is transferred, also
 *            when opening fails.
 * Threads    Open and close from one thread; the rest is the server's own.
 * Errors     LF_ERR_DENIED host is not a loopback address (there is no sign-in),
 *            LF_ERR_BUSY port in use, LF_ERR_IO the upload folder or the socket.
 */
#ifndef LF_SERVE_SERVER_H
#define LF_SERVE_SERVER_H

#include <stdint.h>

#include "base/err.h"
#include "job/job.h"
#include "know/know.h"
#include "provider/provider.h"

typedef struct lf_server lf_server;

typedef struct lf_server_opts {
    const char *host; /* NULL = "127.0.0.1" */
    uint16_t port;    /* 0 = a free one */
    const char *home; /* uploads wait in home/cache/uploads until they are taken in */
    const char *version;
    lf_know *know;
    lf_provider *provider;
    lf_jobs *jobs;             /* not started yet: the server adds "ingest" and starts it */
    const lf_scope *scope;     /* of the one local person */
    uint64_t upload_max_bytes; /* 0 = 512 MiB */
} lf_server_opts;

LF_MUST_CHECK lf_status lf_server_open(const lf_server_opts *o, lf_server **out, lf_err *err);
void lf_server_close(lf_server *s);            /* NULL is a no-op */
const char *lf_server_url(const lf_server *s); /* "http://127.0.0.1:7080/", borrowed */
#endif

/* net/http_client.h - fetch a file or a short text over HTTP(S), with resume.
 *
 * A download goes to a partial file and picks up where it stopped: what the file
 * holds already is asked for with Range, and a server that ignores that (status
 * 200 instead of 206) makes it start over.  Whether the bytes are the right ones
 * is the caller's to check, by hash.
 *
 * Ownership  Strings are borrowed for the call.
 * Threads    Any thread; a call blocks until it is done, failed or cancelled.
 * Errors     LF_ERR_NOT_FOUND  status 404 or 410
 *            LF_ERR_DENIED     status 401 or 403
 *            LF_ERR_LIMIT      more than max_bytes
 *            LF_ERR_CANCELLED  *cancel became true, or on_progress said stop
 *            LF_ERR_ARG        not an http:// or https:// address
 *            LF_ERR_IO         everything else: name not resolved, refused,
 *                              certificate not trusted, stalled, disk full
 * Security   Certificates are verified.  At most 5 redirects, and never from
 *            https to http.
 */
#ifndef LF_NET_HTTP_CLIENT_H
#define LF_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "base/err.h"

/* `total_bytes` is 0 while it is not known.  Both count the resumed part.  Called
 * a few times a second on the caller's thread; false cancels. */
typedef bool lf_http_progress_fn(void *ud, uint64_t done_bytes, uint64_t total_bytes);

typedef struct lf_http_get {
    const char *url;
    uint64_t max_bytes;               /* most the whole may have; 0 = no limit */
    uint32_t connect_timeout_ms;      /* 0 = 15,000 */
    uint32_t stall_timeout_s;         /* no byte for this long is an error; 0 = 30 */
    lf_http_progress_fn *on_progress; /* optional */
    void *ud;
    atomic_bool *cancel; /* optional */
} lf_http_get;

/* Into the file `path`, continuing it where it exists.  On any failure the part
 * that arrived stays there for the next call. */
LF_MUST_CHECK lf_status lf_http_download(const lf_http_get *o, const char *path, lf_err *err);

/* Ask for the headers alone, following redirects.  values[i] becomes the last value
 * of the header names[i] (lower case) that any answer on the way had; it is left
 * alone where none had it. */
enum { LF_HTTP_VALUE_MAX = 256 };
LF_MUST_CHECK lf_status lf_http_head(const lf_http_get *o, const char *const *names,
                                     char (*values)[LF_HTTP_VALUE_MAX], size_t n, lf_err *err);

/* Appended to `out`; nothing is appended on failure.  Text of up to max_bytes (0 = 1 MiB). */
LF_MUST_CHECK lf_status lf_http_fetch(const lf_http_get *o, lf_buf *out, lf_err *err);
#endif

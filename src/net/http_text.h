/* net/http_text.h - the text of requests: percent codes, queries, Host and Origin.
 *
 * Pure functions over untrusted bytes; no state.
 */
#ifndef LF_NET_HTTP_TEXT_H
#define LF_NET_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

typedef struct lf_http_pair {
    const char *name, *value;
} lf_http_pair;

typedef struct lf_http_target {
    const char *path;
    lf_http_pair *query;
    size_t n_query;
} lf_http_target;

/* Split and decode a request target ("/a%20b?x=1&y=") into `a`.
 *   LF_ERR_ARG    bad percent code, NUL, invalid UTF-8, ".." segment, no leading '/'
 *   LF_ERR_LIMIT  longer than 8 KiB or more than 64 parameters */
LF_MUST_CHECK lf_status lf_http_target_parse(lf_arena *a, const char *raw, lf_http_target *out,
                                             lf_err *err);

/* "127.0.0.1", "localhost" or "[::1]", with or without a port. */
bool lf_http_host_is_local(const char *host);

/* An address to listen on that only this machine reaches. */
bool lf_http_addr_is_loopback(const char *host);

/* May this request change state?  NULL headers are absent ones. */
bool lf_http_is_same_origin(const char *host, const char *origin, const char *sec_fetch_site);

/* Does the comma-separated list (Accept, Content-Type) hold this media type, parameters aside? */
bool lf_http_has_type(const char *list, const char *type);

/* "text/x; charset=utf-8" for a file name shown to a browser; never an active type. */
const char *lf_http_type_of_file(const char *name);
#endif

/* net/http_request.c - one request: its headers, its body, and the checks on both.
 *
 * Everything that a handler may look at is copied out of MHD when the headers
 * are in, because MHD frees its own memory when the client leaves, which may be
 * while the handler runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/http_int.h"

enum {
    HEADERS_MAX_BYTES = 16384,
    HEADERS_MAX = 100,
    FIELD_MAX_BYTES = 65536, /* of a plain form field */
    PARTS_MAX = 1000,
    POST_BUFFER_BYTES = 65536,
    REQ_ARENA_BYTES = 256 * 1024,
    DROP_MAX_BYTES = 1 << 20, /* of a refused body that is read and dropped */
};

lf_http_req *lf_http_req_open(lf_http *h, const char *raw_target)
{
    lf_http_req *r = lf_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->server = h;
    atomic_init(&r->refs, 1);
    atomic_init(&r->cancel, false);
    lf_arena_init(&r->arena, REQ_ARENA_BYTES);
    r->raw_target = lf_arena_strndup(&r->arena, raw_target, strlen(raw_target));
    return r;
}

void lf_http_req_unref(lf_http_req *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    if (r->post)
        (void)MHD_destroy_post_processor(r->post);
    for (size_t i = 0; i < r->n_parts; i++) {
        part *p = &r->parts[i];
        if (p->fd >= 0)
            (void)close(p->fd);
        if (p->path)
            (void)unlink(p->path);
        lf_free(p->path);
        lf_buf_release(&p->value);
    }
    lf_free(r->parts);
    lf_buf_release(&r->body);
    if (r->response)
        MHD_destroy_response(r->response);
    lf_http_stream_unref(r->stream);
    lf_arena_release(&r->arena);
    lf_free(r);
}

static enum MHD_Result copy_header(void *ud, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    lf_http_req *r = ud;
    (void)kind;
    value = value ? value : "";
    r->header_bytes += strlen(key) + strlen(value) + 4;
    if (r->n_headers == HEADERS_MAX || r->header_bytes > HEADERS_MAX_BYTES) {
        r->header_status = LF_ERR_LIMIT;
        return MHD_NO;
    }
    r->headers[r->n_headers].name = lf_arena_strndup(&r->arena, key, strlen(key));
    r->headers[r->n_headers++].value = lf_arena_strndup(&r->arena, value, strlen(value));
    return MHD_YES;
}

static lf_http_method method_of(const char *m)
{
    return !strcmp(m, "GET") || !strcmp(m, "HEAD") ? LF_HTTP_GET
           : !strcmp(m, "POST")                    ? LF_HTTP_POST
           : !strcmp(m, "PUT")                     ? LF_HTTP_PUT
           : !strcmp(m, "DELETE")                  ? LF_HTTP_DELETE
                                                   : LF_HTTP_OTHER;
}

/* Who may ask at all: a program on this machine, or the page that this server gave out. */
static void check_sender(lf_http_req *r)
{
    const char *host = lf_http_header(r, "Host"), *origin = lf_http_header(r, "Origin");
    const char *site = lf_http_header(r, "Sec-Fetch-Site"),
               *mode = lf_http_header(r, "Sec-Fetch-Mode");
    if (!lf_http_host_is_local(host)) {
        lf_http_reply_error(r, 403, "Host", "denied",
                            "the Host header is '%.200s': this server has no sign-in and answers "
                            "only as localhost, 127.0.0.1 or [::1]",
                            host ? host : "");
        return;
    }
    const bool navigation =
        r->method == LF_HTTP_GET && !origin && mode && !strcmp(mode, "navigate");
    if (!navigation && !lf_http_is_same_origin(host, origin, site))
        lf_http_reply_error(r, 403, "Origin", "denied",
                            "the request was made by another web page (Origin '%.200s'): only this "
                            "server's own page and local programs may use it",
                            origin ? origin : "");
}

static void check_body_headers(lf_http_req *r)
{
    const char *length = lf_http_header(r, "Content-Length");
    const char *type = lf_http_header(r, "Content-Type");
    const bool has_body =
        (length && strcmp(length, "0") != 0) || lf_http_header(r, "Transfer-Encoding");
    const bool form = lf_http_has_type(type, "multipart/form-data");
    const lf_http_body_kind kind = r->plan.body;

    if (kind == LF_HTTP_BODY_NONE && has_body) {
        lf_http_reply_error(r, 400, NULL, "no_body", "%s %s takes no body", r->method_name,
                            r->target.path);
        return;
    }
    r->is_form = form && (kind == LF_HTTP_BODY_FORM || kind == LF_HTTP_BODY_EITHER);
    if (kind == LF_HTTP_BODY_FORM && !form) {
        lf_http_reply_error(r, 415, "Content-Type", "unsupported",
                            "the body must be multipart/form-data, found '%.100s'",
                            type ? type : "");
        return;
    }
    r->body_max = r->is_form ? r->plan.form_max_bytes : r->plan.body_max_bytes;
    if (has_body && length && strtoull(length, NULL, 10) > r->body_max)
        lf_http_reply_error(r, 413, NULL, "over_limit",
                            "the body has %.30s bytes, allowed are %llu", length,
                            (unsigned long long)r->body_max);
}

static enum MHD_Result on_part(void *ud, enum MHD_ValueKind kind, const char *key,
                               const char *filename, const char *type, const char *encoding,
                               const char *data, uint64_t off, size_t n);

void lf_http_req_begin(lf_http_req *r, struct MHD_Connection *mhd, const char *method)
{
    lf_err err = { 0 };
    r->begun = true;
    r->body_start_us = lf_clock_us();
    r->method = method_of(method);
    r->method_name = lf_arena_strndup(&r->arena, method, strlen(method));
    r->headers = lf_arena_alloc(&r->arena, HEADERS_MAX * sizeof *r->headers);
    if (r->headers)
        (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, copy_header, r);
    if (r->arena.failed) {
        lf_http_reply_error(r, 503, NULL, "out_of_memory", "no memory for the request's headers");
        return;
    }
    if (r->header_status != LF_OK) {
        lf_http_reply_error(r, 431, NULL, "over_limit",
                            "the headers are larger than %d bytes or more than %d",
                            HEADERS_MAX_BYTES, HEADERS_MAX);
        return;
    }
    lf_status st = lf_http_target_parse(&r->arena, r->raw_target, &r->target, &err);
    if (st != LF_OK) {
        lf_http_reply_error(r, st == LF_ERR_LIMIT ? 414 : 400, NULL, lf_status_name(st), "%s",
                            err.msg);
        return;
    }
    check_sender(r);
    if (!r->replied)
        r->server->app.plan(r->server->app.ud, r, &r->plan);
    if (!r->replied)
        check_body_headers(r);
    if (!r->replied && r->is_form) {
        r->post = r->server->spool_dir
                      ? MHD_create_post_processor(mhd, POST_BUFFER_BYTES, on_part, r)
                      : NULL;
        if (!r->post)
            lf_http_reply_error(r, 415, "Content-Type", "unsupported",
                                "the multipart/form-data body has no usable boundary");
    }
}

static part *part_new(lf_http_req *r, const char *key, const char *filename)
{
    if (r->n_parts == PARTS_MAX) {
        r->body_status =
            lf_fail(&r->body_err, LF_ERR_LIMIT, "the form has more than %d parts", PARTS_MAX);
        return NULL;
    }
    if (r->n_parts == r->cap_parts) {
        const size_t cap = r->cap_parts ? r->cap_parts * 2 : 8;
        part *v = lf_realloc(r->parts, cap * sizeof *v);
        if (!v)
            goto no_memory;
        r->parts = v;
        r->cap_parts = cap;
    }
    part *p = &r->parts[r->n_parts];
    *p = (part){ .fd = -1 };
    p->pub.name = lf_arena_strndup(&r->arena, key, strlen(key));
    p->pub.filename = filename ? lf_arena_strndup(&r->arena, filename, strlen(filename)) : NULL;
    if (r->arena.failed)
        goto no_memory;
    r->n_parts++;
    if (filename) {
        p->path = lf_path_join(r->server->spool_dir, "upload-XXXXXX");
        p->fd = p->path ? mkostemp(p->path, O_CLOEXEC) : -1;
        if (p->fd < 0) {
            r->body_status =
                lf_fail(&r->body_err, LF_ERR_IO, "the upload cannot be kept in '%s': %s",
                        r->server->spool_dir, strerror(errno));
            lf_free(p->path);
            p->path = NULL;
            return NULL;
        }
    }
    return p;
no_memory:
    r->body_status = lf_fail(&r->body_err, LF_ERR_NOMEM, "no memory for the form's parts");
    return NULL;
}

static void part_add(lf_http_req *r, part *p, const char *data, size_t n)
{
    p->pub.n_bytes += n;
    if (p->fd < 0) {
        if (p->pub.n_bytes > FIELD_MAX_BYTES)
            r->body_status =
                lf_fail(&r->body_err, LF_ERR_LIMIT, "the form field '%.60s' has more than %d bytes",
                        p->pub.name, FIELD_MAX_BYTES);
        else
            lf_buf_add(&p->value, data, n);
        return;
    }
    if (r->body_status == LF_OK && !lf_fd_write(p->fd, data, n))
        r->body_status =
            lf_fail(&r->body_err, LF_ERR_IO, "the upload cannot be kept: %s", strerror(errno));
}

/* MHD's form parser: a part's first piece comes with offset 0. */
static enum MHD_Result on_part(void *ud, enum MHD_ValueKind kind, const char *key,
                               const char *filename, const char *type, const char *encoding,
                               const char *data, uint64_t off, size_t n)
{
    lf_http_req *r = ud;
    (void)kind;
    (void)type;
    (void)encoding;
    if (r->body_status != LF_OK)
        return MHD_NO;
    if (off == 0) {
        if (r->current && r->current->fd >= 0) {
            (void)close(r->current->fd);
            r->current->fd = -1;
        }
        r->current = part_new(r, key ? key : "", filename);
    }
    if (r->current)
        part_add(r, r->current, data, n);
    return r->body_status == LF_OK ? MHD_YES : MHD_NO;
}

enum MHD_Result lf_http_req_body(lf_http_req *r, const char *p, size_t n)
{
    r->body_bytes += n;
    if (r->body_status == LF_OK && r->body_bytes > r->body_max)
        r->body_status = lf_fail(&r->body_err, LF_ERR_LIMIT,
                                 "the body has more than the %llu bytes that are allowed",
                                 (unsigned long long)r->body_max);
    if (r->body_status !=
        LF_OK) /* an answer can only be sent after the body: read on, for a while */
        return r->body_bytes > r->body_max + DROP_MAX_BYTES ? MHD_NO : MHD_YES;
    if (r->post) {
        if (MHD_post_process(r->post, p, n) == MHD_NO && r->body_status == LF_OK)
            r->body_status =
                lf_fail(&r->body_err, LF_ERR_ARG, "the multipart/form-data body is malformed");
        return MHD_YES;
    }
    lf_buf_add(&r->body, p, n);
    if (r->body.failed)
        r->body_status = lf_fail(&r->body_err, LF_ERR_NOMEM, "no memory for the body");
    return MHD_YES;
}

void lf_http_req_body_end(lf_http_req *r)
{
    if (r->post) {
        const enum MHD_Result ok = MHD_destroy_post_processor(r->post);
        r->post = NULL;
        if (ok == MHD_NO && r->body_status == LF_OK)
            r->body_status = lf_fail(&r->body_err, LF_ERR_ARG,
                                     "the multipart/form-data body ends before its last boundary");
    }
    for (size_t i = 0; i < r->n_parts; i++) {
        part *p = &r->parts[i];
        if (p->fd >= 0)
            (void)close(p->fd);
        p->fd = -1;
        p->pub.path = p->path;
        p->pub.value = (lf_str){ lf_buf_cstr(&p->value), p->value.len };
        if (p->value.failed && r->body_status == LF_OK)
            r->body_status = lf_fail(&r->body_err, LF_ERR_NOMEM, "no memory for the form");
    }
    if (r->body_status != LF_OK)
        lf_http_reply_fail(r, &r->body_err);
}

lf_http_method lf_http_get_method(const lf_http_req *r)
{
    return r->method;
}

const char *lf_http_method_name(const lf_http_req *r)
{
    return r->method_name;
}

const char *lf_http_path(const lf_http_req *r)
{
    return r->target.path;
}

const void *lf_http_route(const lf_http_req *r)
{
    return r->plan.route;
}

const char *lf_http_header(const lf_http_req *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

const char *lf_http_query(const lf_http_req *r, const char *name)
{
    for (size_t i = 0; i < r->target.n_query; i++)
        if (strcmp(r->target.query[i].name, name) == 0)
            return r->target.query[i].value;
    return NULL;
}

lf_str lf_http_body(const lf_http_req *r)
{
    return (lf_str){ lf_buf_cstr(&r->body), r->body.len };
}

bool lf_http_is_form(const lf_http_req *r)
{
    return r->is_form;
}

bool lf_http_wants_events(const lf_http_req *r)
{
    return lf_http_has_type(lf_http_header(r, "Accept"), "text/event-stream");
}

atomic_bool *lf_http_cancel(lf_http_req *r)
{
    return &r->cancel;
}

size_t lf_http_n_parts(const lf_http_req *r)
{
    return r->n_parts;
}

const lf_http_part *lf_http_part_at(const lf_http_req *r, size_t i)
{
    return i < r->n_parts ? &r->parts[i].pub : NULL;
}

char *lf_http_part_take(lf_http_req *r, size_t i)
{
    if (i >= r->n_parts)
        return NULL;
    char *path = r->parts[i].path;
    r->parts[i].path = NULL;
    r->parts[i].pub.path = NULL;
    return path;
}

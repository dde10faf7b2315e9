/* net/http_reply.c - answers: JSON, bytes, errors. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/http_int.h"

static const char no_memory[] =
    "{\"error\":{\"message\":\"no memory for the answer\",\"type\":\"server_error\",\"param\":null,"
    "\"code\":\"out_of_memory\"}}";

static void set(lf_http_req *r, int http, const char *type, struct MHD_Response *response)
{
    if (r->replied) {
        if (response)
            MHD_destroy_response(response);
        lf_log(LF_LOG_ERROR, "%s %s: a second answer was dropped", r->method_name, r->target.path);
        return;
    }
    if (!response) {
        http = 503;
        type = "application/json";
        response = MHD_create_response_from_buffer(sizeof no_memory - 1, (void *)no_memory,
                                                   MHD_RESPMEM_PERSISTENT);
    }
    r->http = http;
    r->response = response;
    r->replied = true;
    if (type)
        lf_http_set_header(r, "Content-Type", type);
}

void lf_http_reply_static(lf_http_req *r, int http, const char *type, const void *p, size_t n)
{
    set(r, http, type,
        MHD_create_response_from_buffer(n, (void *)(uintptr_t)p, MHD_RESPMEM_PERSISTENT));
}

void lf_http_reply_buf(lf_http_req *r, int http, const char *type, lf_buf *body)
{
    struct MHD_Response *response = NULL;
    if (!body->failed && body->len == 0) {
        response = MHD_create_response_from_buffer(0, (void *)no_memory, MHD_RESPMEM_PERSISTENT);
    } else if (!body->failed) {
        response =
            MHD_create_response_from_buffer_with_free_callback(body->len, body->data, lf_free);
        if (response)
            *body = (lf_buf){ 0 };
    }
    lf_buf_release(body);
    set(r, http, type, response);
}

void lf_http_reply_json(lf_http_req *r, int http, json_t *v)
{
    lf_buf b = { 0 };
    if (v)
        lf_json_dump(v, &b);
    else
        b.failed = true;
    json_decref(v);
    lf_http_reply_buf(r, http, "application/json", &b);
}

json_t *lf_http_error_json(int http, const char *param, const char *code, const char *message)
{
    const char *type = http == 401 || http == 403 ? "permission_error"
                       : http == 429              ? "rate_limit_error"
                       : http >= 500              ? "server_error"
                                                  : "invalid_request_error";
    json_t *text = lf_json_text(message, strlen(message));
    return json_pack("{s:{s:o,s:s,s:s?,s:s?}}", "error", "message", text, "type", type, "param",
                     param, "code", code);
}

void lf_http_reply_error(lf_http_req *r, int http, const char *param, const char *code,
                         const char *fmt, ...)
{
    char msg[1024];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (http == 503)
        lf_http_set_header(r, "Retry-After", "2");
    lf_http_reply_json(r, http, lf_http_error_json(http, param, code, msg));
}

void lf_http_reply_fail(lf_http_req *r, const lf_err *err)
{
    lf_http_reply_error(r, lf_status_http(err->code), NULL, lf_status_name(err->code), "%s",
                        err->msg);
}

void lf_http_set_header(lf_http_req *r, const char *name, const char *value)
{
    if (r->n_extra == sizeof r->extra / sizeof r->extra[0]) {
        lf_log(LF_LOG_ERROR, "%s: no room for the header %s", r->target.path, name);
        return;
    }
    lf_http_pair *e = &r->extra[r->n_extra];
    e->name = lf_arena_strndup(&r->arena, name, strlen(name));
    e->value = lf_arena_strndup(&r->arena, value, strlen(value));
    r->n_extra += e->name && e->value;
}

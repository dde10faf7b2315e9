/* serve/server.c - from a request to its route, and the server's life. */
#include "serve/server.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "serve/serve_int.h"

#define UPLOAD_MAX_BYTES (512ull << 20)

/* On the loop: find the route; its body limits are the plan. */
static void plan(void *ud, lf_http_req *r, lf_http_plan *p)
{
    const lf_server *s = ud;
    const char *path = lf_http_path(r);
    lf_route_args a;
    lf_buf allowed = { 0 };
    for (const lf_route *t = lf_routes; t->pattern; t++) {
        if (!lf_route_match(t->pattern, path, &a))
            continue;
        if (t->method == lf_http_get_method(r)) {
            *p = (lf_http_plan){ t->body, t->body_max_bytes, s->o.upload_max_bytes, t };
            lf_buf_release(&allowed);
            return;
        }
        static const char *const names[] = { "GET", "POST", "PUT", "DELETE", "" };
        lf_buf_addf(&allowed, "%s%s", allowed.len ? ", " : "", names[t->method]);
    }
    if (allowed.len) {
        lf_http_set_header(r, "Allow", lf_buf_cstr(&allowed));
        lf_http_reply_error(r, 405, NULL, "method_not_allowed", "%s takes %s, not %.20s", path,
                            lf_buf_cstr(&allowed), lf_http_method_name(r));
    } else {
        lf_http_reply_error(r, 404, NULL, "not_found", "there is no route '%.200s'", path);
    }
    lf_buf_release(&allowed);
}

static void handle(void *ud, lf_http_req *r)
{
    const lf_route *t = lf_http_route(r);
    lf_route_args a = { 0 };
    if (lf_route_match(t->pattern, lf_http_path(r), &a))
        t->run(ud, r, &a);
}

static lf_status prepare_spool(lf_server *s, lf_err *err)
{
    char *cache = lf_path_join(s->o.home, "cache");
    s->spool_dir = cache ? lf_path_join(cache, "uploads") : NULL;
    lf_free(cache);
    if (!s->spool_dir)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the server");
    return lf_path_make_dirs(s->spool_dir, err);
}

static lf_status start(lf_server *s, lf_err *err)
{
    const lf_http_app app = { plan, handle, s };
    const lf_http_opts ho = { .host = s->o.host, .port = s->o.port, .spool_dir = s->spool_dir };
    lf_status st = lf_serve_clean_spool(s, err);
    if (st == LF_OK)
        st = lf_jobs_handle(s->o.jobs, "ingest", lf_serve_ingest, s, err);
    if (st != LF_OK)
        return st;
    lf_jobs_watch(s->o.jobs, lf_serve_job_changed, s);
    st = lf_http_open(&ho, &app, &s->http, err);
    return st == LF_OK ? lf_jobs_start(s->o.jobs, 1, err) : st;
}

lf_status lf_server_open(const lf_server_opts *o, lf_server **out, lf_err *err)
{
    lf_server *s = lf_calloc(1, sizeof *s);
    if (!s) {
        lf_jobs_close(o->jobs);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the server");
    }
    s->o = *o;
    s->o.upload_max_bytes = o->upload_max_bytes ? o->upload_max_bytes : UPLOAD_MAX_BYTES;
    s->started_us = lf_clock_us();
    (void)pthread_mutex_init(&s->lock, NULL);
    lf_status st = prepare_spool(s, err);
    if (st == LF_OK)
        st = start(s, err);
    if (st != LF_OK) {
        lf_server_close(s);
        return st;
    }
    *out = s;
    return LF_OK;
}

void lf_server_close(lf_server *s)
{
    if (!s)
        return;
    lf_jobs_watch(s->o.jobs, NULL, NULL);
    lf_http_close(s->http);
    lf_jobs_close(s->o.jobs); /* whose functions use this server */
    lf_serve_drop_watchers(s);
    (void)pthread_mutex_destroy(&s->lock);
    lf_free(s->spool_dir);
    lf_free(s);
}

const char *lf_server_url(const lf_server *s)
{
    return lf_http_url(s->http);
}

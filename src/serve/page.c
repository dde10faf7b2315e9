/* serve/page.c - the page, health and version. */
#include "serve/page.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/serve_int.h"

void lf_serve_page(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)s;
    (void)a;
    lf_http_set_header(r, "Content-Security-Policy", lf_page_csp);
    lf_http_set_header(r, "X-Frame-Options", "DENY");
    lf_http_set_header(r, "Cache-Control", "no-cache");
    lf_http_reply_static(r, 200, "text/html; charset=utf-8", lf_page_html, lf_page_html_bytes);
}

void lf_serve_health(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    const lf_engine_load e = lf_engine_get_load(lf_provider_engine(s->o.provider));
    lf_http_reply_json(r, 200,
                       json_pack("{s:s,s:I,s:{s:I,s:I,s:I,s:I},s:I}", "status", "ok", "uptime_s",
                                 (json_int_t)((lf_clock_us() - s->started_us) / 1000000), "engine",
                                 "running", (json_int_t)e.n_running, "waiting",
                                 (json_int_t)e.n_waiting, "sequences", (json_int_t)e.n_sequences,
                                 "kv_bytes", (json_int_t)e.kv_bytes, "memory_blocks",
                                 (json_int_t)lf_mem_live()));
}

void lf_serve_version(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_http_reply_json(r, 200,
                       json_pack("{s:s,s:s,s:o?}", "name", "landfall", "version",
                                 s->o.version ? s->o.version : "", "models",
                                 lf_provider_list(s->o.provider)));
}

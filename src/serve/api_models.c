/* serve/api_models.c - /api/models: what is in memory, and loading and unloading. */
#include "serve/serve_int.h"

void lf_serve_api_models(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_http_reply_json(r, 200,
                       json_pack("{s:o,s:o}", "memory", lf_provider_memory(s->o.provider), "models",
                                 lf_provider_list(s->o.provider)));
}

void lf_serve_model_load(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    lf_model *m = NULL;
    lf_err err = { 0 };
    if (lf_serve_model_of(s, a->v[0], &m, &err) == LF_OK)
        lf_http_reply_json(r, 200, json_pack("{s:s,s:b}", "id", a->v[0], "loaded", 1));
    else
        lf_serve_model_fail(r, &err);
    lf_model_unref(m);
}

void lf_serve_model_unload(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    uint64_t freed = 0;
    lf_err err = { 0 };
    lf_status st = lf_serve_model_name(s, a->v[0], &err);
    if (st == LF_OK)
        st = lf_provider_unload(s->o.provider, a->v[0], &freed, &err);
    if (st == LF_OK)
        lf_http_reply_json(r, 200,
                           json_pack("{s:s,s:b,s:I}", "id", a->v[0], "loaded", 0, "freed_bytes",
                                     (json_int_t)freed));
    else
        lf_serve_model_fail(r, &err);
}

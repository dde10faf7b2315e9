/* serve/api_runs.c - GET /api/runs, GET /api/runs/{id}, POST /api/runs/{id}/replay. */
#include "flow/replay.h"
#include "flow/run_record.h"
#include "serve/serve_int.h"

enum { RUNS_DEFAULT = 50 };

void lf_serve_runs(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    int64_t n;
    json_t *rows = NULL;
    lf_err err = { 0 };
    if (!lf_serve_query_int(r, "n", RUNS_DEFAULT, 1, LF_RUNS_MAX, &n))
        return;
    if (lf_run_list(s->o.know, s->o.scope, (size_t)n, &rows, &err) == LF_OK)
        lf_http_reply_json(r, 200, json_pack("{s:o}", "runs", rows));
    else
        lf_serve_fail(r, NULL, &err);
}

void lf_serve_run(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    json_t *record = NULL;
    lf_err err = { 0 };
    if (lf_run_show(s->o.know, s->o.scope, a->v[0], &record, &err) == LF_OK)
        lf_http_reply_json(r, 200, record);
    else
        lf_serve_fail(r, "id", &err);
}

void lf_serve_replay(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    json_t *out = NULL;
    lf_err err = { 0 };
    if (lf_replay(s->o.know, s->o.provider, s->o.scope, a->v[0], lf_http_cancel(r), &out, &err) ==
        LF_OK)
        lf_http_reply_json(r, 200, out);
    else
        lf_serve_fail(r, "id", &err);
}

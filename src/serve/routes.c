/* serve/routes.c - the routes in one table, and what every route needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "serve/serve_int.h"

#define KIB 1024ull
#define MIB (1024ull * KIB)

/* docs/api.md describes each row. */
const lf_route lf_routes[] = {
    { LF_HTTP_GET, "/", lf_serve_page, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/v1/models", lf_serve_models, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/v1/models/{id}", lf_serve_model, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_POST, "/v1/chat/completions", lf_serve_chat, LF_HTTP_BODY_MEMORY, 8 * MIB },
    { LF_HTTP_POST, "/v1/completions", lf_serve_completions, LF_HTTP_BODY_MEMORY, 8 * MIB },
    { LF_HTTP_POST, "/v1/messages", lf_serve_messages, LF_HTTP_BODY_MEMORY, 8 * MIB },
    { LF_HTTP_POST, "/v1/messages/count_tokens", lf_serve_messages_count, LF_HTTP_BODY_MEMORY,
      8 * MIB },
    { LF_HTTP_POST, "/v1/rerank", lf_serve_rerank, LF_HTTP_BODY_MEMORY, 16 * MIB },
    { LF_HTTP_POST, "/tokenize", lf_serve_tokenize, LF_HTTP_BODY_MEMORY, 8 * MIB },
    { LF_HTTP_POST, "/detokenize", lf_serve_detokenize, LF_HTTP_BODY_MEMORY, 8 * MIB },
    { LF_HTTP_POST, "/v1/embeddings", lf_serve_embeddings, LF_HTTP_BODY_MEMORY, 16 * MIB },
    { LF_HTTP_GET, "/api/models", lf_serve_api_models, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_POST, "/api/models/{id}/load", lf_serve_model_load, LF_HTTP_BODY_MEMORY, 64 * KIB },
    { LF_HTTP_POST, "/api/models/{id}/unload", lf_serve_model_unload, LF_HTTP_BODY_MEMORY,
      64 * KIB },
    { LF_HTTP_GET, "/api/collections", lf_serve_collections, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_POST, "/api/collections", lf_serve_collection_add, LF_HTTP_BODY_MEMORY, 64 * KIB },
    { LF_HTTP_DELETE, "/api/collections/{name}", lf_serve_collection_remove, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/api/documents", lf_serve_docs, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_POST, "/api/documents", lf_serve_docs_add, LF_HTTP_BODY_EITHER, 64 * KIB },
    { LF_HTTP_GET, "/api/documents/{id}", lf_serve_doc, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_DELETE, "/api/documents/{id}", lf_serve_doc_remove, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/api/documents/{id}/original", lf_serve_original, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/api/documents/{id}/pages/{n}", lf_serve_page_image, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_POST, "/api/search", lf_serve_search, LF_HTTP_BODY_MEMORY, 1 * MIB },
    { LF_HTTP_POST, "/api/ask", lf_serve_ask, LF_HTTP_BODY_MEMORY, 2 * MIB },
    { LF_HTTP_GET, "/api/runs", lf_serve_runs, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/api/runs/{id}", lf_serve_run, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_POST, "/api/runs/{id}/replay", lf_serve_replay, LF_HTTP_BODY_MEMORY, 64 * KIB },
    { LF_HTTP_GET, "/api/jobs", lf_serve_jobs, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_DELETE, "/api/jobs/{id}", lf_serve_job_cancel, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/api/health", lf_serve_health, LF_HTTP_BODY_NONE, 0 },
    { LF_HTTP_GET, "/api/version", lf_serve_version, LF_HTTP_BODY_NONE, 0 },
    { .pattern = NULL },
};

bool lf_route_match(const char *pattern, const char *path, lf_route_args *a)
{
    size_t k = 0;
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        const size_t n = strcspn(path, "/");
        if (n == 0 || k == LF_ROUTE_ARGS || n >= sizeof a->v[0])
            return false;
        memcpy(a->v[k], path, n);
        a->v[k++][n] = '\0';
        path += n;
        pattern = strchr(pattern, '}') + 1;
    }
    return *path == '\0';
}

void lf_serve_fail(lf_http_req *r, const char *param, const lf_err *err)
{
    lf_http_reply_error(r, lf_status_http(err->code), param && param[0] ? param : NULL,
                        lf_status_name(err->code), "%s", err->msg);
}

bool lf_serve_has_json(lf_http_req *r)
{
    const char *type = lf_http_header(r, "Content-Type");
    return type && strncasecmp(type, "application/json", 16) == 0 &&
           (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

bool lf_serve_is_json(lf_http_req *r)
{
    const char *type = lf_http_header(r, "Content-Type");
    if (lf_serve_has_json(r))
        return true;
    lf_http_reply_error(r, 415, "Content-Type", "unsupported",
                        "the content type must be application/json, found '%.100s'",
                        type ? type : "");
    return false;
}

json_t *lf_serve_json(lf_http_req *r)
{
    json_t *root = NULL;
    lf_err err = { 0 };
    if (!lf_serve_is_json(r))
        return NULL;
    if (lf_fields_parse(lf_http_body(r), &root, &err) != LF_OK) {
        lf_http_reply_error(r, err.code == LF_ERR_NOMEM ? 503 : 400, NULL, lf_status_name(err.code),
                            "%s", err.msg);
        return NULL;
    }
    return root;
}

bool lf_serve_query_int(lf_http_req *r, const char *name, int64_t def, int64_t min, int64_t max,
                        int64_t *out)
{
    const char *v = lf_http_query(r, name);
    char *end;
    *out = def;
    if (!v)
        return true;
    *out = strtoll(v, &end, 10);
    if (end != v && !*end && *out >= min && *out <= max)
        return true;
    lf_http_reply_error(r, 400, name, "invalid_argument",
                        "'%s' is '%.30s', allowed are %lld to %lld", name, v, (long long)min,
                        (long long)max);
    return false;
}

lf_status lf_serve_event(lf_http_stream *s, const char *event, json_t *v, lf_err *err)
{
    lf_buf b = { 0 };
    lf_status st;
    if (v)
        lf_json_dump(v, &b);
    if (!v || b.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for an event");
    else
        st = lf_http_stream_send(s, event, (lf_str){ b.data, b.len }, err);
    json_decref(v);
    lf_buf_release(&b);
    return st;
}

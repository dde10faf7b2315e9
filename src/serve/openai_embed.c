/* serve/openai_embed.c - POST /v1/embeddings and GET /v1/models.
 *
 * Texts go to the engine a few at a time, so that other requests get their turn
 * and a client that left is noticed. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/openai_req.h"
#include "serve/serve_int.h"

enum { BATCH = 16 };

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* f32 in little-endian order, as OpenAI's clients unpack it. */
static json_t *base64_of(const float *v, size_t n)
{
    lf_buf b = { 0 }, raw = { 0 };
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &v[i], 4);
        const unsigned char le[4] = { (unsigned char)u, (unsigned char)(u >> 8),
                                      (unsigned char)(u >> 16), (unsigned char)(u >> 24) };
        lf_buf_add(&raw, le, 4);
    }
    for (size_t i = 0; !raw.failed && i < raw.len; i += 3) {
        const size_t left = raw.len - i;
        const unsigned char *p = (const unsigned char *)raw.data + i;
        const uint32_t x =
            (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        lf_buf_add_char(&b, base64_digits[x >> 18]);
        lf_buf_add_char(&b, base64_digits[x >> 12 & 63]);
        lf_buf_add_char(&b, left > 1 ? base64_digits[x >> 6 & 63] : '=');
        lf_buf_add_char(&b, left > 2 ? base64_digits[x & 63] : '=');
    }
    json_t *out = b.failed || raw.failed ? NULL : json_stringn(lf_buf_cstr(&b), b.len);
    lf_buf_release(&b);
    lf_buf_release(&raw);
    return out;
}

static json_t *vector_json(const float *v, size_t n, bool base64)
{
    if (base64)
        return base64_of(v, n);
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(a, json_real((double)v[i]));
    return a;
}

static lf_status embed_all(lf_server *s, lf_http_req *r, const lf_embed_req *q, lf_model *m,
                           json_t *data, lf_err *err)
{
    const size_t dim = lf_model_get_info(m)->n_embd;
    float *v = lf_calloc(BATCH * dim, sizeof *v);
    lf_status st = v ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for the vectors");
    for (size_t i = 0; i < q->n_texts && st == LF_OK; i += BATCH) {
        const size_t n = q->n_texts - i < BATCH ? q->n_texts - i : BATCH;
        if (atomic_load(lf_http_cancel(r))) {
            st = lf_fail(err, LF_ERR_CANCELLED, "the client is gone");
            break;
        }
        st =
            lf_engine_embed(lf_provider_engine(s->o.provider), m, q->texts + i, n, q->kind, v, err);
        for (size_t k = 0; st == LF_OK && k < n; k++)
            (void)json_array_append_new(data, json_pack("{s:s,s:I,s:o}", "object", "embedding",
                                                        "index", (json_int_t)(i + k), "embedding",
                                                        vector_json(v + k * dim, dim, q->base64)));
    }
    lf_free(v);
    return st;
}

static lf_status embed_by(lf_server *s, lf_http_req *r, const lf_embed_req *q, lf_model *m,
                          const char **param, lf_err *err)
{
    const lf_model_info *info = lf_model_get_info(m);
    *param = "dimensions";
    if (q->dimensions && q->dimensions != (int64_t)info->n_embd)
        return lf_fail(err, LF_ERR_ARG, "'%s' gives vectors of %u dimensions only", q->model,
                       info->n_embd);
    *param = NULL;
    json_t *data = json_array();
    const lf_status st = embed_all(s, r, q, m, data, err);
    if (st != LF_OK) {
        json_decref(data);
        return st;
    }
    const json_int_t n = (json_int_t)lf_serve_count_tokens(m, q->texts, q->n_texts);
    lf_http_reply_json(r, 200,
                       json_pack("{s:s,s:o,s:s,s:{s:I,s:I}}", "object", "list", "data", data,
                                 "model", q->model, "usage", "prompt_tokens", n, "total_tokens",
                                 n));
    return LF_OK;
}

static lf_status embed(lf_server *s, lf_http_req *r, const lf_embed_req *q, const char **param,
                       lf_err *err)
{
    lf_model *m = NULL;
    *param = "model";
    lf_status st = lf_serve_encoder(s, q->model, "embedding", &m, err);
    if (st == LF_OK)
        st = embed_by(s, r, q, m, param, err);
    lf_model_unref(m);
    return st;
}

void lf_serve_embeddings(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_embed_req q = { 0 };
    lf_err err = { 0 };
    char wrong[64];
    const char *param = NULL;
    if (!lf_serve_is_json(r))
        return;
    if (lf_embed_req_decode(lf_http_body(r), &q, wrong, &err) != LF_OK) {
        lf_serve_fail(r, wrong, &err);
        return;
    }
    if (embed(s, r, &q, &param, &err) != LF_OK)
        lf_http_reply_error(r, lf_status_http(err.code), param,
                            err.code == LF_ERR_NOT_FOUND ? "model_not_found"
                                                         : lf_status_name(err.code),
                            "%s", err.msg);
    lf_embed_req_release(&q);
}

static json_t *model_row(const json_t *m)
{
    json_t *of = json_object_get(m, "alias_of");
    json_t *row =
        json_pack("{s:O,s:s,s:O,s:s,s:O,s:O}", "id", json_object_get(m, "id"), "object", "model",
                  "created", json_object_get(m, "created"), "owned_by", "landfall", "kind",
                  json_object_get(m, "kind"), "loaded", json_object_get(m, "loaded"));
    if (row && of)
        (void)json_object_set(row, "alias_of", of);
    return row;
}

void lf_serve_models(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    json_t *all = lf_provider_list(s->o.provider), *data = json_array(), *m;
    size_t i;
    json_array_foreach(all, i, m)(void) json_array_append_new(data, model_row(m));
    json_decref(all);
    lf_http_reply_json(r, 200, json_pack("{s:s,s:o}", "object", "list", "data", data));
}

void lf_serve_model(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    json_t *all = lf_provider_list(s->o.provider), *found = NULL, *m;
    size_t i;
    json_array_foreach(all, i, m)
    {
        const char *id = json_string_value(json_object_get(m, "id"));
        if (id && strcmp(id, a->v[0]) == 0)
            found = model_row(m);
    }
    json_decref(all);
    lf_err err = { 0 };
    if (found) {
        lf_http_reply_json(r, 200, found);
    } else {
        (void)lf_provider_no_model(s->o.provider, a->v[0], &err);
        lf_serve_model_fail(r, &err);
    }
}

/* serve/openai_rerank.c - POST /v1/rerank: documents in the order of their likeness to
 * a query.
 *
 * The score is lf_engine_rank's, the cosine of the vectors of query and document, as
 * hybrid search has it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/serve_int.h"
#include "serve/text_req.h"

typedef struct hit {
    size_t index;
    float score;
} hit;

/* Best first; among equals the earlier document. */
static int by_score(const void *a, const void *b)
{
    const hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

static json_t *results(const lf_rank_req *q, const hit *hits)
{
    json_t *all = json_array();
    for (size_t i = 0; i < q->n_top; i++) {
        const hit *h = &hits[i];
        json_t *row = json_pack("{s:I,s:f}", "index", (json_int_t)h->index, "relevance_score",
                                (double)h->score);
        if (q->with_texts)
            (void)json_object_set_new(
                row, "document",
                json_pack("{s:o}", "text",
                          json_stringn(q->texts[h->index].p, q->texts[h->index].len)));
        (void)json_array_append_new(all, row);
    }
    return all;
}

static lf_status rank(lf_server *s, lf_http_req *r, const lf_rank_req *q, lf_model *m, hit *hits,
                      lf_err *err)
{
    float *scores = lf_calloc(q->n_texts, sizeof *scores);
    if (!scores)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu scores", q->n_texts);
    const lf_status st = lf_engine_rank(lf_provider_engine(s->o.provider), m, q->query, q->texts,
                                        q->n_texts, lf_http_cancel(r), scores, err);
    for (size_t i = 0; st == LF_OK && i < q->n_texts; i++)
        hits[i] = (hit){ i, scores[i] };
    lf_free(scores);
    if (st == LF_OK)
        qsort(hits, q->n_texts, sizeof *hits, by_score);
    return st;
}

static lf_status rerank(lf_server *s, lf_http_req *r, const lf_rank_req *q, lf_err *err)
{
    lf_model *m = NULL;
    lf_status st = lf_serve_encoder(s, q->model, "ranking", &m, err);
    if (st != LF_OK)
        return st;
    hit *hits = lf_calloc(q->n_texts, sizeof *hits);
    st = hits ? rank(s, r, q, m, hits, err)
              : lf_fail(err, LF_ERR_NOMEM, "no memory for %zu scores", q->n_texts);
    if (st == LF_OK) {
        const json_int_t n = (json_int_t)(lf_serve_count_tokens(m, &q->query, 1) +
                                          lf_serve_count_tokens(m, q->texts, q->n_texts));
        lf_http_reply_json(r, 200,
                           json_pack("{s:s,s:s,s:o,s:{s:I,s:I}}", "object", "list", "model",
                                     q->model, "results", results(q, hits), "usage",
                                     "prompt_tokens", n, "total_tokens", n));
    }
    lf_free(hits);
    lf_model_unref(m);
    return st;
}

void lf_serve_rerank(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_rank_req q = { 0 };
    lf_err err = { 0 };
    char param[64];
    if (!lf_serve_is_json(r))
        return;
    if (lf_rank_req_decode(lf_http_body(r), &q, param, &err) != LF_OK) {
        lf_serve_fail(r, param, &err);
        return;
    }
    if (rerank(s, r, &q, &err) != LF_OK)
        lf_serve_model_fail(r, &err);
    lf_rank_req_release(&q);
}

/* infer/runner.c - a model's workspace, and how a request gets its sequence. */
#include <string.h>

#include "base/mem.h"
#include "infer/engine_int.h"

static size_t n_segments(const runner *r, bool encoder)
{
    return encoder ? SEGMENTS_MAX : r->cap_seqs;
}

static lf_status open_parts(lf_engine *e, runner *r, lf_err *err)
{
    const lf_model_info *info = lf_model_get_info(r->m);
    r->rows_max = e->o.batch_tokens;
    if (info->is_encoder) {
        if (r->rows_max < ENCODER_ROWS)
            r->rows_max = ENCODER_ROWS;
        if (r->rows_max < info->ctx_tokens)
            r->rows_max = info->ctx_tokens;
    } else {
        r->cap_seqs = e->o.sessions_max;
        r->kv_type = LF_F16;
    }
    const size_t segs = n_segments(r, info->is_encoder);
    const size_t outs = segs > SCORE_ROWS ? segs : SCORE_ROWS;
    if (r->rows_max < outs)
        r->rows_max = outs;
    r->outs_max = outs;
    r->n_vocab = info->n_vocab;
    r->ids = lf_calloc(r->rows_max, sizeof *r->ids);
    r->out_rows = lf_calloc(outs, sizeof *r->out_rows);
    r->segs = lf_calloc(segs, sizeof *r->segs);
    r->job_of = lf_calloc(segs, sizeof(job *));
    if (!r->ids || !r->out_rows || !r->segs || !r->job_of)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a workspace of %zu tokens", r->rows_max);
    if (!info->is_encoder) {
        const lf_status st =
            lf_kv_pool_open(&e->kv, lf_kv_block_bytes(r->m, r->kv_type), &r->kv, err);
        if (st != LF_OK)
            return st;
    }
    return lf_graph_open(lf_forward_bytes(r->m, r->rows_max, segs, outs), e->pool, &r->g, err);
}

lf_status lf_runner_get(lf_engine *e, lf_model *m, runner **out, lf_err *err)
{
    for (runner *r = e->runners; r; r = r->next) {
        if (r->m == m) {
            *out = r;
            return LF_OK;
        }
    }
    runner *r = lf_calloc(1, sizeof *r);
    if (!r)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to run a model");
    r->m = lf_model_ref(m);
    r->next = e->runners;
    e->runners = r;
    const lf_status st = open_parts(e, r, err);
    if (st != LF_OK)
        lf_runner_close(e, r);
    else
        *out = r;
    return st;
}

void lf_runner_close(lf_engine *e, runner *r)
{
    for (runner **p = &e->runners; *p; p = &(*p)->next) {
        if (*p == r) {
            *p = r->next;
            break;
        }
    }
    lf_kv_pool_close(r->kv);
    lf_graph_close(&r->g);
    lf_token_tree_close(r->tree);
    lf_free(r->ids);
    lf_free(r->out_rows);
    lf_free(r->segs);
    lf_free(r->job_of);
    lf_model_unref(r->m);
    lf_free(r);
}

lf_status lf_runner_admit(runner *r, job *j, bool *admitted, lf_err *err)
{
    const lf_gen_req *q = j->req;
    *admitted = false;
    lf_kv_want w = { .n_prompt = j->n_tokens, .cap = j->n_tokens, .alone = true };
    if (q)
        w = (lf_kv_want){ .key = q->cache_key,
                          .prompt = q->tokens,
                          .n_prompt = q->n_tokens,
                          .cap = q->n_tokens + j->n_limit };
    const lf_status st = lf_kv_seq_open(r->kv, &w, &j->seq, err);
    *admitted = j->seq.pool != NULL;
    r->n_seqs += q && *admitted;
    return st;
}

/* infer/runner.c - a model's workspace, and how a request gets its sequence. */
#include <string.h>

#include "base/mem.h"
#include "infer/engine_int.h"

runner_sizes lf_runner_sizes(const lf_engine *e, const lf_model *m)
{
    const lf_model_info *info = lf_model_get_info(m);
    runner_sizes z = { .rows = e->o.batch_tokens, .kv_type = LF_F16 };
    if (info->is_encoder) {
        z.segs = SEGMENTS_MAX;
        if (z.rows < ENCODER_ROWS)
            z.rows = ENCODER_ROWS;
        if (z.rows < info->ctx_tokens)
            z.rows = info->ctx_tokens;
    } else {
        z.segs = e->o.sessions_max;
        z.kv_type = e->o.kv_type == LF_KV_Q8   ? LF_Q8_0
                    : e->o.kv_type == LF_KV_Q4 ? LF_Q4_0
                                               : LF_F16;
    }
    z.outs = z.segs > SCORE_ROWS ? z.segs : SCORE_ROWS;
    if (z.rows < z.outs)
        z.rows = z.outs;
    return z;
}

static lf_status open_parts(lf_engine *e, runner *r, lf_err *err)
{
    const lf_model_info *info = lf_model_get_info(r->m);
    const runner_sizes z = lf_runner_sizes(e, r->m);
    r->rows_max = z.rows;
    r->outs_max = z.outs;
    r->kv_type = z.kv_type;
    r->cap_seqs = info->is_encoder ? 0 : z.segs;
    r->n_vocab = info->n_vocab;
    r->ids = lf_calloc(z.rows, sizeof *r->ids);
    r->out_rows = lf_calloc(z.outs, sizeof *r->out_rows);
    r->segs = lf_calloc(z.segs, sizeof *r->segs);
    r->job_of = lf_calloc(z.segs, sizeof(job *));
    if (!r->ids || !r->out_rows || !r->segs || !r->job_of)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a workspace of %zu tokens", r->rows_max);
    if (!info->is_encoder) {
        const lf_status st =
            lf_kv_pool_open(&e->kv, lf_kv_block_bytes(r->m, r->kv_type), &r->kv, err);
        if (st != LF_OK)
            return st;
    }
    r->graph_bytes = lf_forward_bytes(r->m, z.rows, z.segs, z.outs);
    return lf_graph_open(r->graph_bytes, e->pool, &r->g, err);
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
    (void)pthread_mutex_lock(&e->lock);
    r->next = e->runners;
    e->runners = r;
    (void)pthread_mutex_unlock(&e->lock);
    const lf_status st = open_parts(e, r, err);
    if (st != LF_OK)
        lf_runner_close(e, r);
    else
        *out = r;
    return st;
}

void lf_runner_close(lf_engine *e, runner *r)
{
    (void)pthread_mutex_lock(&e->lock);
    for (runner **p = &e->runners; *p; p = &(*p)->next) {
        if (*p == r) {
            *p = r->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&e->lock);
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

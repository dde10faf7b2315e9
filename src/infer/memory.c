/* infer/memory.c - what models take, and what is asked of the engine's thread between two
 * rounds. */
#include "infer/engine_int.h"

void lf_engine_get_need(const lf_engine *e, const lf_model *m, lf_engine_need *out)
{
    const runner_sizes z = lf_runner_sizes(e, m);
    const size_t blocks = (lf_engine_ctx_tokens(e, m) + LF_KV_BLOCK - 1) / LF_KV_BLOCK;
    *out = (lf_engine_need){ .workspace_bytes = lf_forward_bytes(m, z.rows, z.segs, z.outs) };
    if (!lf_model_get_info(m)->is_encoder)
        out->session_bytes = blocks * lf_kv_block_bytes(m, z.kv_type);
}

static lf_status ask(lf_engine *e, lf_model *m, void (*fn)(lf_engine *e, job *j), uint64_t bytes,
                     lf_err *err)
{
    job j;
    lf_status st = lf_job_init(&j, JOB_MEMORY, m, err);
    if (st != LF_OK)
        return st;
    j.ask = fn;
    j.bytes = bytes;
    st = lf_job_run(e, &j, NULL, NULL, NULL, err);
    lf_job_release(&j);
    return st;
}

void lf_engine_publish(lf_engine *e)
{
    for (runner *r = e->runners; r; r = r->next) {
        r->use = (lf_engine_use){ .workspace_bytes = r->graph_bytes };
        if (r->kv) {
            r->use.kv_bytes = lf_kv_pool_bytes(r->kv, false);
            r->use.kv_busy_bytes = lf_kv_pool_bytes(r->kv, true);
        }
    }
}

lf_engine_use lf_engine_get_use(lf_engine *e, const lf_model *m)
{
    lf_engine_use sum = { 0 };
    (void)pthread_mutex_lock(&e->lock);
    for (const runner *r = e->runners; r; r = r->next) {
        if (m && r->m != m)
            continue;
        sum.workspace_bytes += r->use.workspace_bytes;
        sum.kv_bytes += r->use.kv_bytes;
        sum.kv_busy_bytes += r->use.kv_busy_bytes;
    }
    (void)pthread_mutex_unlock(&e->lock);
    return sum;
}

/* Those that wait count too: a grammar's matcher stands on the workspace's vocabulary. */
static bool is_wanted(const job *list, const lf_model *m)
{
    for (; list; list = list->next)
        if (list->kind != JOB_MEMORY && (list->m == m || (list->req && list->req->guesser == m)))
            return true;
    return false;
}

static void forget(lf_engine *e, job *j)
{
    lf_err err = { 0 };
    if (is_wanted(e->active, j->m) || is_wanted(e->waiting, j->m)) {
        lf_job_end(j, lf_fail(&err, LF_ERR_BUSY, "a request is at work on the model"), &err);
        return;
    }
    for (runner *r = e->runners, *next; r; r = next) {
        next = r->next;
        if (r->m == j->m)
            lf_runner_close(e, r);
    }
    lf_job_end(j, LF_OK, NULL);
}

lf_status lf_engine_forget(lf_engine *e, lf_model *m, lf_err *err)
{
    return ask(e, m, forget, 0, err);
}

static void set_budget(lf_engine *e, job *j)
{
    e->o.kv_budget_bytes = j->bytes;
    lf_kv_budget_set(&e->kv, j->bytes);
    lf_job_end(j, LF_OK, NULL);
}

lf_status lf_engine_set_kv_budget(lf_engine *e, uint64_t bytes, lf_err *err)
{
    return ask(e, NULL, set_budget, bytes, err);
}

/* infer/runner.c - a model's workspace and its sessions.
 *
 * Which session a request gets: the idle one with the longest common prefix is
 * best.  If that prefix is most of what the session holds, it is a conversation
 * that goes on, and is used in place.  Otherwise the session would lose text that
 * others may want: the oldest idle session is taken, and the prefix is copied
 * into it (copying keys and values costs a thousandth of computing them).  The
 * prefix may also be copied from a busy session: what is evaluated stays.
 *
 * The last token of a prompt is always evaluated: its scores are wanted. */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "infer/engine_int.h"

enum { REUSE_IN_PLACE_PERCENT = 70 };

static size_t n_segments(const runner *r, bool encoder)
{
    return encoder ? SEGMENTS_MAX : r->cap_sessions;
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
        r->cap_sessions = e->o.sessions_max;
        r->sessions = lf_calloc(r->cap_sessions, sizeof *r->sessions);
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
    r->seg_of = lf_calloc(segs, sizeof *r->seg_of);
    if (!r->ids || !r->out_rows || !r->segs || !r->seg_of || (!info->is_encoder && !r->sessions))
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a workspace of %zu tokens", r->rows_max);
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

static void close_session(lf_engine *e, runner *r, session *s)
{
    if (s->kv.data)
        e->kv_used_bytes -= lf_kv_cache_bytes(r->m, s->cap);
    lf_kv_close(&s->kv);
    lf_free(s->tokens);
    *s = (session){ 0 };
}

void lf_runner_close(lf_engine *e, runner *r)
{
    for (runner **p = &e->runners; *p; p = &(*p)->next) {
        if (*p == r) {
            *p = r->next;
            break;
        }
    }
    for (size_t i = 0; i < r->n_sessions; i++)
        close_session(e, r, &r->sessions[i]);
    lf_graph_close(&r->g);
    lf_token_tree_close(r->tree);
    lf_free(r->sessions);
    lf_free(r->ids);
    lf_free(r->out_rows);
    lf_free(r->segs);
    lf_free(r->seg_of);
    lf_model_unref(r->m);
    lf_free(r);
}

/* ---- choosing a session ---- */

static size_t common_prefix(const session *s, const job *j)
{
    const lf_gen_req *q = j->req;
    const size_t most = q->n_tokens - 1 < s->n ? q->n_tokens - 1 : s->n;
    size_t n = 0;
    if (s->cache_key != q->cache_key)
        return 0;
    while (n < most && s->tokens[n] == q->tokens[n])
        n++;
    return n;
}

static session *oldest_idle(runner *r)
{
    session *old = NULL;
    for (size_t i = 0; i < r->n_sessions; i++) {
        session *s = &r->sessions[i];
        if (s->kv.data && !s->job && (!old || s->used_at < old->used_at))
            old = s;
    }
    return old;
}

/* Free idle caches of any model, oldest first, until `bytes` more fit. */
static bool make_room(lf_engine *e, uint64_t bytes)
{
    while (e->kv_used_bytes + bytes > e->o.kv_budget_bytes) {
        runner *of = NULL;
        session *old = NULL;
        for (runner *r = e->runners; r; r = r->next) {
            session *s = oldest_idle(r);
            if (s && (!old || s->used_at < old->used_at)) {
                old = s;
                of = r;
            }
        }
        if (!old)
            return false;
        close_session(e, of, old);
    }
    return true;
}

static session *free_slot(runner *r)
{
    for (size_t i = 0; i < r->n_sessions; i++)
        if (!r->sessions[i].kv.data)
            return &r->sessions[i];
    return r->n_sessions < r->cap_sessions ? &r->sessions[r->n_sessions++] : NULL;
}

static size_t session_tokens(const lf_engine *e, const lf_model *m)
{
    const uint32_t own = lf_model_get_info(m)->ctx_tokens;
    const uint32_t most = e->o.ctx_tokens ? e->o.ctx_tokens : 8192;
    return own < most ? own : most;
}

static bool any_busy(const lf_engine *e)
{
    for (const runner *r = e->runners; r; r = r->next)
        for (size_t i = 0; i < r->n_sessions; i++)
            if (r->sessions[i].job)
                return true;
    return false;
}

/* A new session; *out NULL when there is no slot or no room until others end. */
static lf_status new_session(lf_engine *e, runner *r, session **out, lf_err *err)
{
    const size_t cap = session_tokens(e, r->m);
    const uint64_t bytes = lf_kv_cache_bytes(r->m, cap);
    *out = NULL;
    session *s = free_slot(r);
    if (!s)
        return LF_OK;
    if (!make_room(e, bytes)) {
        if (any_busy(e))
            return LF_OK;
        return lf_fail(err, LF_ERR_NOMEM,
                       "a session of %zu tokens takes %llu bytes of cache, the budget is %llu", cap,
                       (unsigned long long)bytes, (unsigned long long)e->o.kv_budget_bytes);
    }
    const lf_status st = lf_kv_open(r->m, cap, &s->kv, err);
    if (st != LF_OK)
        return st;
    s->tokens = lf_calloc(cap, sizeof *s->tokens);
    if (!s->tokens) {
        lf_kv_close(&s->kv);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a session of %zu tokens", cap);
    }
    s->cap = cap;
    e->kv_used_bytes += bytes;
    *out = s;
    return LF_OK;
}

lf_status lf_runner_admit(lf_engine *e, runner *r, job *j, session **out, lf_err *err)
{
    session *best = NULL, *target = NULL;
    size_t prefix = 0;
    for (size_t i = 0; i < r->n_sessions; i++) {
        session *s = &r->sessions[i];
        const size_t n = s->kv.data ? common_prefix(s, j) : 0;
        if (n > prefix || (n && n == prefix && best->job && !s->job)) {
            prefix = n;
            best = s;
        }
    }
    if (best && !best->job && prefix * 100 >= best->n * REUSE_IN_PLACE_PERCENT)
        target = best;
    if (!target) {
        const lf_status st = new_session(e, r, &target, err);
        if (st != LF_OK)
            return st;
    }
    if (best && !best->kv.data)
        best = NULL; /* it was the oldest, and made room for the new one */
    if (!target)
        target = oldest_idle(r);
    *out = target;
    if (!target)
        return LF_OK;
    if (!best)
        prefix = 0;
    if (best && best != target) {
        lf_kv_copy(r->m, &target->kv, &best->kv, prefix);
        memcpy(target->tokens, best->tokens, prefix * sizeof *target->tokens);
    }
    target->n = prefix;
    target->cache_key = j->req->cache_key;
    target->job = j;
    return LF_OK;
}

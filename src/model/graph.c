/* model/graph.c - the arena, the operations, and two of their backends.
 *
 * lf_op_* place the result in the arena and hand over to the backend.  Because
 * placing is the same for every backend, measuring is exactly running without
 * the arithmetic, and cannot disagree with it about memory. */
#include "model/graph.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tensor/norm.h"

enum { ALIGN = 64, ADAPT_ROWS = 16 /* that an adapter takes at a time */ };

/* ---- arena ---- */

void lf_graph_init_measure(lf_graph *g)
{
    *g = (lf_graph){ .ops = &lf_graph_measure, .cap = SIZE_MAX };
}

lf_status lf_graph_open(size_t cap_bytes, lf_pool *pool, lf_graph *g, lf_err *err)
{
    uint8_t *base = lf_alloc_aligned(ALIGN, cap_bytes);
    if (!base)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu bytes of activations", cap_bytes);
    *g = (lf_graph){ .ops = &lf_graph_run, .pool = pool, .base = base, .cap = cap_bytes };
    return LF_OK;
}

void lf_graph_close(lf_graph *g)
{
    lf_free(g->base);
    *g = (lf_graph){ 0 };
}

size_t lf_graph_mark(const lf_graph *g)
{
    return g->used;
}

void lf_graph_rewind(lf_graph *g, size_t mark)
{
    LF_ASSERT(mark <= g->used);
    g->used = mark;
}

void *lf_graph_bytes(lf_graph *g, size_t n_bytes)
{
    const size_t n = (n_bytes + ALIGN - 1) / ALIGN * ALIGN;
    LF_ASSERT(n <= g->cap - g->used);
    void *p = g->base ? g->base + g->used : NULL;
    g->used += n;
    if (g->used > g->peak)
        g->peak = g->used;
    return p;
}

static lf_mat new_mat(lf_graph *g, size_t rows, size_t cols)
{
    return (lf_mat){ .data = lf_graph_bytes(g, rows * cols * sizeof(float)),
                     .rows = rows,
                     .cols = cols };
}

/* ---- operations ---- */

lf_mat lf_op_embed(lf_graph *g, const lf_weight *w, const int32_t *ids, size_t n)
{
    const lf_mat y = new_mat(g, n, w->n_in);
    g->ops->embed(g, w, ids, y);
    return y;
}

lf_mat lf_op_gather(lf_graph *g, lf_mat x, const int32_t *rows, size_t n)
{
    const lf_mat y = new_mat(g, n, x.cols);
    g->ops->gather(g, x, rows, y);
    return y;
}

lf_mat lf_op_rmsnorm(lf_graph *g, lf_mat x, const float *w, float eps)
{
    const lf_mat y = new_mat(g, x.rows, x.cols);
    g->ops->rmsnorm(g, x, w, x.cols, eps, y);
    return y;
}

lf_mat lf_op_rmsnorm_groups(lf_graph *g, lf_mat x, const float *w, size_t group, float eps)
{
    g->ops->rmsnorm(g, x, w, group, eps, x);
    return x;
}

lf_mat lf_op_layernorm(lf_graph *g, lf_mat x, const float *w, const float *b, float eps)
{
    g->ops->layernorm(g, x, w, b, eps, x);
    return x;
}

void lf_op_matmul(lf_graph *g, lf_mat x, size_t n, const lf_weight *const *w,
                  const float *const *bias, lf_mat *y)
{
    for (size_t i = 0; i < n; i++) {
        LF_ASSERT(w[i]->n_in == x.cols);
        y[i] = new_mat(g, x.rows, w[i]->n_out);
    }
    const size_t mark = lf_graph_mark(g);
    void *scratch = lf_graph_bytes(g, lf_matmul_scratch_bytes(x.rows, x.cols));
    g->ops->matmul(g, x, n, w, bias, y, scratch);
    lf_graph_rewind(g, mark);
}

/* A few rows at a time, so that what is between A and B stays small whatever the batch. */
void lf_op_adapt(lf_graph *g, const lf_adapter_pair *p, float scale, lf_mat x, lf_mat y,
                 size_t row0, size_t n_rows)
{
    const size_t mark = lf_graph_mark(g), rank = p ? p->a.n_out : LF_ADAPTER_RANK_MAX;
    const size_t wide = x.cols > rank ? x.cols : rank;
    const size_t floats = ADAPT_ROWS * (rank + y.cols) * sizeof(float);
    LF_ASSERT(!p || (p->a.n_in == x.cols && p->b.n_out == y.cols && row0 + n_rows <= y.rows));
    uint8_t *scratch = lf_graph_bytes(g, floats + lf_matmul_scratch_bytes(ADAPT_ROWS, wide));
    g->ops->adapt(g, p, scale, x, y, row0, n_rows, scratch);
    lf_graph_rewind(g, mark);
}

lf_mat lf_op_rope(lf_graph *g, const lf_rope *r, const float *table, lf_mat x, size_t head_dim)
{
    g->ops->rope(g, r, table, x, head_dim);
    return x;
}

static size_t n_blocks(size_t n_pos)
{
    return (n_pos + LF_KV_BLOCK - 1) / LF_KV_BLOCK;
}

/* Blocks of the short-lived cache that sequences without one of their own need.
 * While measuring, the segments are not known: each may end inside a block. */
static size_t own_blocks(const lf_op_attn *a, size_t rows)
{
    size_t n = 0;
    if (!a->segs)
        return a->causal ? 0 : rows / LF_KV_BLOCK + a->n_segs;
    for (size_t i = 0; i < a->n_segs; i++)
        if (!a->segs[i].blocks)
            n += n_blocks(a->segs[i].n_rows);
    return n;
}

lf_mat lf_op_attention(lf_graph *g, const lf_op_attn *a, lf_mat q, lf_mat k, lf_mat v)
{
    const size_t mark = lf_graph_mark(g);
    lf_attn_job *jobs = lf_graph_bytes(g, a->n_segs * sizeof *jobs);
    const size_t n_own = own_blocks(a, q.rows);
    uint8_t **own = lf_graph_bytes(g, n_own * sizeof *own);
    uint8_t *cache = lf_graph_bytes(g, n_own * lf_kv_bytes(&a->attn.kv));
    for (size_t i = 0; own && i < n_own; i++)
        own[i] = cache + i * lf_kv_bytes(&a->attn.kv);
    g->ops->attention(g, a, q, k, v, jobs, own);
    lf_graph_rewind(g, mark);
    return q;
}

lf_mat lf_op_act(lf_graph *g, lf_act act, lf_mat x)
{
    g->ops->act(g, act, x);
    return x;
}

lf_mat lf_op_act_mul(lf_graph *g, lf_act act, lf_mat gate, lf_mat up)
{
    g->ops->act_mul(g, act, gate, up);
    return gate;
}

lf_mat lf_op_add(lf_graph *g, lf_mat x, lf_mat y)
{
    LF_ASSERT(x.rows == y.rows && x.cols == y.cols);
    g->ops->add(g, x, y);
    return x;
}

lf_mat lf_op_add_row(lf_graph *g, lf_mat x, const float *row)
{
    g->ops->add_row(g, x, row);
    return x;
}

lf_mat lf_op_scale(lf_graph *g, lf_mat x, float s)
{
    g->ops->scale(g, x, s);
    return x;
}

lf_mat lf_op_softcap(lf_graph *g, lf_mat x, float cap)
{
    g->ops->softcap(g, x, cap);
    return x;
}

lf_mat lf_op_pool(lf_graph *g, lf_mat x, const lf_segment *segs, size_t n_segs, bool first)
{
    const lf_mat y = new_mat(g, n_segs, x.cols);
    g->ops->pool_rows(g, x, segs, first, y);
    return y;
}

/* ---- backend: run at once ---- */

typedef struct embed_task {
    const lf_weight *w;
    const int32_t *ids;
    float *y;
} embed_task;

static void embed_rows(void *ud, size_t begin, size_t end, int worker)
{
    const embed_task *t = ud;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        lf_weight_row(t->w, (size_t)t->ids[i], t->y + i * t->w->n_in);
}

static void run_embed(lf_graph *g, const lf_weight *w, const int32_t *ids, lf_mat y)
{
    embed_task t = { .w = w, .ids = ids, .y = y.data };
    lf_pool_run(g->pool, y.rows, 16, embed_rows, &t);
}

static void run_gather(lf_graph *g, lf_mat x, const int32_t *rows, lf_mat y)
{
    (void)g;
    for (size_t i = 0; i < y.rows; i++)
        memcpy(y.data + i * y.cols, x.data + (size_t)rows[i] * x.cols, x.cols * sizeof(float));
}

static void run_rmsnorm(lf_graph *g, lf_mat x, const float *w, size_t group, float eps, lf_mat y)
{
    lf_rmsnorm(g->pool, x.data, w, x.rows * (x.cols / group), group, eps, y.data);
}

static void run_layernorm(lf_graph *g, lf_mat x, const float *w, const float *b, float eps,
                          lf_mat y)
{
    lf_layernorm(g->pool, x.data, w, b, x.rows, x.cols, eps, y.data);
}

static void run_matmul(lf_graph *g, lf_mat x, size_t n, const lf_weight *const *w,
                       const float *const *bias, lf_mat *y, void *scratch)
{
    enum { TOGETHER_MAX = 4 };
    float *out[TOGETHER_MAX];
    LF_ASSERT(n <= TOGETHER_MAX);
    for (size_t i = 0; i < n; i++)
        out[i] = y[i].data;
    if (n == 1)
        lf_matmul(g->pool, w[0], x.data, x.rows, bias[0], out[0], scratch);
    else
        lf_matmul_many(g->pool, w, n, x.data, x.rows, bias, out, scratch);
}

static void run_adapt(lf_graph *g, const lf_adapter_pair *p, float scale, lf_mat x, lf_mat y,
                      size_t row0, size_t n_rows, void *scratch)
{
    const size_t rank = p->a.n_out;
    float *more = scratch, *low = more + ADAPT_ROWS * y.cols;
    void *rest = low + ADAPT_ROWS * rank;
    for (size_t at = 0; at < n_rows; at += ADAPT_ROWS) {
        const size_t m = n_rows - at < ADAPT_ROWS ? n_rows - at : ADAPT_ROWS;
        float *out = y.data + (row0 + at) * y.cols;
        lf_matmul(g->pool, &p->a, x.data + (row0 + at) * x.cols, m, NULL, low, rest);
        lf_scale(g->pool, low, scale * p->scale, m * rank, low);
        lf_matmul(g->pool, &p->b, low, m, NULL, more, rest);
        lf_add(g->pool, out, more, m * y.cols, out);
    }
}

static void run_rope(lf_graph *g, const lf_rope *r, const float *table, lf_mat x, size_t head_dim)
{
    lf_rope_apply(g->pool, r, table, x.data, x.rows, x.cols / head_dim, head_dim);
}

static void run_attention(lf_graph *g, const lf_op_attn *a, lf_mat q, lf_mat k, lf_mat v,
                          lf_attn_job *jobs, uint8_t **own)
{
    for (size_t i = 0; i < a->n_segs; i++) {
        const lf_segment *s = &a->segs[i];
        lf_attn_job *j = &jobs[i];
        *j = (lf_attn_job){ .q = q.data + s->row0 * q.cols,
                            .out = q.data + s->row0 * q.cols,
                            .m = s->n_rows,
                            .blocks = s->blocks,
                            .at = a->layer * lf_kv_bytes(&a->attn.kv),
                            .n_kv = s->pos0 + s->n_rows,
                            .pos0 = s->pos0,
                            .causal = a->causal,
                            .window = a->window };
        if (!s->blocks) {
            j->blocks = own;
            j->at = 0;
            own += n_blocks(s->n_rows);
        }
        lf_kv_store(g->pool, &a->attn.kv, j->blocks, j->at, s->pos0, k.data + s->row0 * k.cols,
                    v.data + s->row0 * v.cols, s->n_rows);
    }
    lf_attention_many(g->pool, &a->attn, jobs, a->n_segs);
}

static void run_act(lf_graph *g, lf_act act, lf_mat x)
{
    lf_act_apply(g->pool, act, x.data, x.rows * x.cols, x.data);
}

static void run_act_mul(lf_graph *g, lf_act act, lf_mat gate, lf_mat up)
{
    lf_act_mul(g->pool, act, gate.data, up.data, gate.rows * gate.cols, gate.data);
}

static void run_add(lf_graph *g, lf_mat x, lf_mat y)
{
    lf_add(g->pool, x.data, y.data, x.rows * x.cols, x.data);
}

static void run_add_row(lf_graph *g, lf_mat x, const float *row)
{
    for (size_t i = 0; i < x.rows; i++)
        lf_add(g->pool, x.data + i * x.cols, row, x.cols, x.data + i * x.cols);
}

static void run_scale(lf_graph *g, lf_mat x, float s)
{
    lf_scale(g->pool, x.data, s, x.rows * x.cols, x.data);
}

static void run_softcap(lf_graph *g, lf_mat x, float cap)
{
    lf_softcap(g->pool, x.data, cap, x.rows * x.cols, x.data);
}

static void run_pool_rows(lf_graph *g, lf_mat x, const lf_segment *segs, bool first, lf_mat y)
{
    (void)g;
    for (size_t i = 0; i < y.rows; i++) {
        const float *rows = x.data + segs[i].row0 * x.cols;
        const size_t n = first ? 1 : segs[i].n_rows;
        float *out = y.data + i * y.cols;
        memcpy(out, rows, x.cols * sizeof *out);
        for (size_t r = 1; r < n; r++)
            for (size_t c = 0; c < x.cols; c++)
                out[c] += rows[r * x.cols + c];
        for (size_t c = 0; c < x.cols; c++)
            out[c] /= (float)n;
    }
}

const lf_graph_ops lf_graph_run = {
    .embed = run_embed,
    .gather = run_gather,
    .rmsnorm = run_rmsnorm,
    .layernorm = run_layernorm,
    .matmul = run_matmul,
    .adapt = run_adapt,
    .rope = run_rope,
    .attention = run_attention,
    .act = run_act,
    .act_mul = run_act_mul,
    .add = run_add,
    .add_row = run_add_row,
    .scale = run_scale,
    .softcap = run_softcap,
    .pool_rows = run_pool_rows,
};

/* ---- backend: measure ---- */

static void skip_embed(lf_graph *g, const lf_weight *w, const int32_t *ids, lf_mat y)
{
    (void)g, (void)w, (void)ids, (void)y;
}

static void skip_gather(lf_graph *g, lf_mat x, const int32_t *rows, lf_mat y)
{
    (void)g, (void)x, (void)rows, (void)y;
}

static void skip_rmsnorm(lf_graph *g, lf_mat x, const float *w, size_t group, float eps, lf_mat y)
{
    (void)g, (void)x, (void)w, (void)group, (void)eps, (void)y;
}

static void skip_layernorm(lf_graph *g, lf_mat x, const float *w, const float *b, float eps,
                           lf_mat y)
{
    (void)g, (void)x, (void)w, (void)b, (void)eps, (void)y;
}

static void skip_matmul(lf_graph *g, lf_mat x, size_t n, const lf_weight *const *w,
                        const float *const *bias, lf_mat *y, void *scratch)
{
    (void)g, (void)x, (void)n, (void)w, (void)bias, (void)y, (void)scratch;
}

static void skip_adapt(lf_graph *g, const lf_adapter_pair *p, float scale, lf_mat x, lf_mat y,
                       size_t row0, size_t n_rows, void *scratch)
{
    (void)g, (void)p, (void)scale, (void)x, (void)y, (void)row0, (void)n_rows, (void)scratch;
}

static void skip_rope(lf_graph *g, const lf_rope *r, const float *table, lf_mat x, size_t head_dim)
{
    (void)g, (void)r, (void)table, (void)x, (void)head_dim;
}

static void skip_attention(lf_graph *g, const lf_op_attn *a, lf_mat q, lf_mat k, lf_mat v,
                           lf_attn_job *jobs, uint8_t **own)
{
    (void)g, (void)a, (void)q, (void)k, (void)v, (void)jobs, (void)own;
}

static void skip_act(lf_graph *g, lf_act act, lf_mat x)
{
    (void)g, (void)act, (void)x;
}

static void skip_act_mul(lf_graph *g, lf_act act, lf_mat gate, lf_mat up)
{
    (void)g, (void)act, (void)gate, (void)up;
}

static void skip_add(lf_graph *g, lf_mat x, lf_mat y)
{
    (void)g, (void)x, (void)y;
}

static void skip_add_row(lf_graph *g, lf_mat x, const float *row)
{
    (void)g, (void)x, (void)row;
}

static void skip_scale(lf_graph *g, lf_mat x, float s)
{
    (void)g, (void)x, (void)s;
}

static void skip_pool_rows(lf_graph *g, lf_mat x, const lf_segment *segs, bool first, lf_mat y)
{
    (void)g, (void)x, (void)segs, (void)first, (void)y;
}

const lf_graph_ops lf_graph_measure = {
    .embed = skip_embed,
    .gather = skip_gather,
    .rmsnorm = skip_rmsnorm,
    .layernorm = skip_layernorm,
    .matmul = skip_matmul,
    .adapt = skip_adapt,
    .rope = skip_rope,
    .attention = skip_attention,
    .act = skip_act,
    .act_mul = skip_act_mul,
    .add = skip_add,
    .add_row = skip_add_row,
    .scale = skip_scale,
    .softcap = skip_scale,
    .pool_rows = skip_pool_rows,
};

/* model/arch_decoder.c - llama, qwen2, qwen3 and gemma3, as one forward pass.
 *
 *     x  = E[ids] * embd_scale
 *     for each layer:
 *         h        = rms(x, attn_norm)
 *         q, k, v  = h Wq + bq, h Wk + bk, h Wv + bv
 *         q, k     = rope(norm_heads(q)), rope(norm_heads(k))
 *         a        = attention(q, k, v) Wo
 *         x       += rms(a, attn_post_norm)
 *         h        = rms(x, ffn_norm)
 *         f        = (act(h Wgate) * h Wup) Wdown
 *         x       += rms(f, ffn_post_norm)
 *     scores = softcap(rms(x, out_norm) Wout)
 *
 * Which of these a model has is seen from its weights (biases, head norms and
 * post norms are NULL where there are none) and its numbers:
 *
 *     llama   nothing optional         Touvron et al. 2023, arXiv:2302.13971
 *     qwen2   biases on q, k, v        Yang et al. 2024, arXiv:2407.10671
 *     qwen3   norms of q and k heads   Yang et al. 2025, arXiv:2505.09388
 *     gemma3  both, post norms, scaled embedding, GELU, five layers in six see
 *             a window only            Gemma Team 2025, arXiv:2503.19786
 *
 * In the last layer only the rows whose scores are wanted go on after attention.
 * Each product is followed by what the adapters of its rows add (adapter.h). */
#include "model/forward.h"
#include "model/model_int.h"

/* Rows that adapters change: of segments, or of those among them that go on. */
typedef struct change {
    size_t row0, n_rows;
    const lf_adapter_mix *mix;
} change;
typedef struct changes {
    change *v;
    size_t n;
} changes;

/* What all layers of one batch share. */
typedef struct step {
    const lf_model *m;
    lf_graph *g;
    const lf_batch *b;
    changes all, outs;              /* of all rows; of the rows whose scores are wanted */
    const float *rope, *rope_local; /* angle tables; local only where layers slide */
} step;

static lf_mat matmul1(lf_graph *g, lf_mat x, const lf_weight *w, const float *bias)
{
    const lf_weight *const ws[1] = { w };
    const float *const bs[1] = { bias };
    lf_mat y;
    lf_op_matmul(g, x, 1, ws, bs, &y);
    return y;
}

static lf_kv_shape kv_shape(const lf_model *m, lf_type kv)
{
    return (lf_kv_shape){ .type = kv, .n_heads = m->hp.n_kv_heads, .head_dim = m->hp.head_dim };
}

/* After y = x W^T: what the adapters add to it. */
static void adapt(const step *s, const changes *c, size_t i, lf_adapt_slot slot, lf_mat x, lf_mat y)
{
    if (!s->g->base)
        lf_op_adapt(s->g, NULL, 0, x, y, 0, 0);
    for (size_t k = 0; k < c->n; k++) {
        const change *rows = &c->v[k];
        for (size_t u = 0; u < rows->mix->n; u++) {
            const lf_adapter_use *use = &rows->mix->v[u];
            const lf_adapter_pair *p = lf_adapter_get_pair(use->adapter, i, slot);
            if (p)
                lf_op_adapt(s->g, p, use->scale, x, y, rows->row0, rows->n_rows);
        }
    }
}

static lf_mat attention(const step *s, size_t i, lf_mat h)
{
    const lf_hparams *hp = &s->m->hp;
    const lf_layer *l = &s->m->layers[i];
    const lf_weight *const w[3] = { &l->wq, &l->wk, &l->wv };
    const float *const bias[3] = { l->bq, l->bk, l->bv };
    lf_mat y[3];
    lf_op_matmul(s->g, h, 3, w, bias, y);
    for (int k = 0; k < 3; k++)
        adapt(s, &s->all, i, LF_ADAPT_Q + k, h, y[k]);
    if (l->q_norm)
        y[0] = lf_op_rmsnorm_groups(s->g, y[0], l->q_norm, hp->head_dim, hp->eps);
    if (l->k_norm)
        y[1] = lf_op_rmsnorm_groups(s->g, y[1], l->k_norm, hp->head_dim, hp->eps);
    const lf_rope *r = l->sliding ? &hp->rope_local : &hp->rope;
    const float *table = l->sliding ? s->rope_local : s->rope;
    y[0] = lf_op_rope(s->g, r, table, y[0], hp->head_dim);
    y[1] = lf_op_rope(s->g, r, table, y[1], hp->head_dim);
    const lf_op_attn a = {
        .attn = { .kv = kv_shape(s->m, s->b->kv),
                  .n_q_heads = hp->n_heads,
                  .scale = hp->attn_scale,
                  .softcap = hp->attn_softcap },
        .causal = true,
        .window = l->sliding ? hp->window : 0,
        .layer = i,
        .segs = s->b->segs,
        .n_segs = s->b->n_segs,
    };
    return lf_op_attention(s->g, &a, y[0], y[1], y[2]);
}

static lf_mat feed_forward(const step *s, const changes *c, size_t i, lf_mat h)
{
    const lf_layer *l = &s->m->layers[i];
    const lf_weight *const w[2] = { &l->gate, &l->up };
    const float *const bias[2] = { NULL, l->b_up };
    lf_mat y[2];
    lf_op_matmul(s->g, h, 2, w, bias, y);
    adapt(s, c, i, LF_ADAPT_GATE, h, y[0]);
    adapt(s, c, i, LF_ADAPT_UP, h, y[1]);
    const lf_mat f = lf_op_act_mul(s->g, s->m->hp.act, y[0], y[1]);
    const lf_mat down = matmul1(s->g, f, &l->down, l->b_down);
    adapt(s, c, i, LF_ADAPT_DOWN, f, down);
    return down;
}

/* One layer; the residual stream x stays where it is (except for gathered rows). */
static lf_mat layer(const step *s, size_t i, lf_mat x)
{
    lf_graph *g = s->g;
    const lf_hparams *hp = &s->m->hp;
    const lf_layer *l = &s->m->layers[i];
    const bool last = i + 1 == hp->n_layers;
    const changes *c = &s->all;
    size_t mark = lf_graph_mark(g);

    lf_mat a = attention(s, i, lf_op_rmsnorm(g, x, l->attn_norm, hp->eps));
    if (last && s->b->n_out < s->b->n) {
        if (s->b->n_out == 0)
            return (lf_mat){ .cols = x.cols };
        a = lf_op_gather(g, a, s->b->out_rows, s->b->n_out);
        x = lf_op_gather(g, x, s->b->out_rows, s->b->n_out);
        c = &s->outs;
        mark = lf_graph_mark(g);
    }
    const lf_mat heads = a;
    a = matmul1(g, heads, &l->wo, l->bo);
    adapt(s, c, i, LF_ADAPT_O, heads, a);
    if (l->attn_post_norm)
        a = lf_op_rmsnorm(g, a, l->attn_post_norm, hp->eps);
    x = lf_op_add(g, x, a);
    lf_graph_rewind(g, mark);

    lf_mat f = feed_forward(s, c, i, lf_op_rmsnorm(g, x, l->ffn_norm, hp->eps));
    if (l->ffn_post_norm)
        f = lf_op_rmsnorm(g, f, l->ffn_post_norm, hp->eps);
    x = lf_op_add(g, x, f);
    lf_graph_rewind(g, mark);
    return x;
}

static const float *rope_table(lf_graph *g, const lf_rope *r, const int32_t *pos, size_t n)
{
    float *table = lf_graph_bytes(g, n * r->n_dims * sizeof *table);
    if (g->base)
        lf_rope_table(r, pos, n, table);
    return table;
}

/* Which rows are changed; where among the wanted ones they are. */
static void find_changes(step *s)
{
    const lf_batch *b = s->b;
    s->all.v = lf_graph_bytes(s->g, b->n_segs * sizeof *s->all.v);
    s->outs.v = lf_graph_bytes(s->g, b->n_segs * sizeof *s->outs.v);
    if (!s->g->base)
        return;
    size_t out = 0;
    for (size_t i = 0; i < b->n_segs; i++) {
        const lf_segment *seg = &b->segs[i];
        const size_t first = out, end = seg->row0 + seg->n_rows;
        while (out < b->n_out && (size_t)b->out_rows[out] < end)
            out++;
        if (!seg->adapters || seg->adapters->n == 0)
            continue;
        s->all.v[s->all.n++] = (change){ seg->row0, seg->n_rows, seg->adapters };
        if (out > first)
            s->outs.v[s->outs.n++] = (change){ first, out - first, seg->adapters };
    }
}

lf_mat lf_decoder_forward(const lf_model *m, lf_graph *g, const lf_batch *b)
{
    const lf_hparams *hp = &m->hp;
    step s = { .m = m, .g = g, .b = b };
    int32_t *pos = lf_graph_bytes(g, b->n * sizeof *pos);
    if (g->base)
        for (size_t i = 0; i < b->n_segs; i++)
            for (size_t k = 0; k < b->segs[i].n_rows; k++)
                pos[b->segs[i].row0 + k] = (int32_t)(b->segs[i].pos0 + k);
    s.rope = rope_table(g, &hp->rope, pos, b->n);
    if (hp->window)
        s.rope_local = rope_table(g, &hp->rope_local, pos, b->n);
    find_changes(&s);

    lf_mat x = lf_op_embed(g, &m->tok_embd, b->ids, b->n);
    if (hp->embd_scale != 1.0f)
        x = lf_op_scale(g, x, hp->embd_scale);
    for (size_t i = 0; i < hp->n_layers; i++)
        x = layer(&s, i, x);
    if (b->n_out == 0)
        return (lf_mat){ .cols = hp->n_vocab };
    x = lf_op_rmsnorm(g, x, m->out_norm, hp->eps);
    const lf_mat last = x;
    x = matmul1(g, last, &m->output, NULL);
    adapt(&s, &s.outs, 0, LF_ADAPT_OUTPUT, last, x);
    return hp->final_softcap > 0 ? lf_op_softcap(g, x, hp->final_softcap) : x;
}

size_t lf_forward_bytes(const lf_model *m, size_t n, size_t n_segs, size_t n_out)
{
    lf_graph g;
    const lf_batch b = { .n = n, .n_segs = n_segs, .n_out = n_out };
    lf_graph_init_measure(&g);
    if (m->info.is_encoder)
        (void)lf_encoder_forward(m, &g, &b);
    else
        (void)lf_decoder_forward(m, &g, &b);
    return g.peak;
}

size_t lf_kv_block_bytes(const lf_model *m, lf_type kv)
{
    const lf_kv_shape s = kv_shape(m, kv);
    return lf_kv_bytes(&s) * m->hp.n_layers;
}

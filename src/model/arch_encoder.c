/* model/arch_encoder.c - BERT and XLM-RoBERTa, as one forward pass.
 *
 *     x = norm(E[ids] + P[pos] + T[0])
 *     for each layer:
 *         q, k, v = x Wq + bq, x Wk + bk, x Wv + bv
 *         x       = norm(x + attention(q, k, v) Wo + bo)
 *         x       = norm(x + gelu(x Wup + bup) Wdown + bdown)
 *     y[segment] = mean of its rows, or its first row
 *
 * with layer norms after the addition, and every row attending to all rows of
 * its own segment.  Segments lie next to each other without padding.
 *
 * Source: Devlin et al. 2019, arXiv:1810.04805; Conneau et al. 2020,
 * arXiv:1911.02116 (positions counted from the padding id + 1). */
#include "model/forward.h"
#include "model/model_int.h"

static lf_mat matmul1(lf_graph *g, lf_mat x, const lf_weight *w, const float *bias)
{
    const lf_weight *const ws[1] = { w };
    const float *const bs[1] = { bias };
    lf_mat y;
    lf_op_matmul(g, x, 1, ws, bs, &y);
    return y;
}

static lf_mat embed(const lf_model *m, lf_graph *g, const lf_batch *b)
{
    const lf_mat x = lf_op_embed(g, &m->tok_embd, b->ids, b->n);
    const size_t mark = lf_graph_mark(g);
    int32_t *pos = lf_graph_bytes(g, b->n * sizeof *pos);
    if (g->base)
        for (size_t i = 0; i < b->n_segs; i++)
            for (size_t k = 0; k < b->segs[i].n_rows; k++)
                pos[b->segs[i].row0 + k] = (int32_t)(k + m->hp.pos_offset);
    lf_mat y = lf_op_add(g, x, lf_op_embed(g, &m->pos_embd, pos, b->n));
    if (m->type_embd)
        y = lf_op_add_row(g, y, m->type_embd);
    y = lf_op_layernorm(g, y, m->embd_norm, m->embd_norm_b, m->hp.eps);
    lf_graph_rewind(g, mark);
    return y;
}

static lf_mat attention(const lf_model *m, lf_graph *g, const lf_batch *b, const lf_layer *l,
                        lf_mat x)
{
    const lf_hparams *hp = &m->hp;
    const lf_weight *const w[3] = { &l->wq, &l->wk, &l->wv };
    const float *const bias[3] = { l->bq, l->bk, l->bv };
    lf_mat y[3];
    lf_op_matmul(g, x, 3, w, bias, y);
    const lf_op_attn a = {
        .attn = { .kv = { .type = LF_F32, .n_heads = hp->n_kv_heads, .head_dim = hp->head_dim },
                  .n_q_heads = hp->n_heads,
                  .scale = hp->attn_scale },
        .segs = b->segs,
        .n_segs = b->n_segs,
    };
    return lf_op_attention(g, &a, y[0], y[1], y[2]);
}

static lf_mat layer(const lf_model *m, lf_graph *g, const lf_batch *b, const lf_layer *l, lf_mat x)
{
    const float eps = m->hp.eps;
    const size_t mark = lf_graph_mark(g);
    lf_mat y = matmul1(g, attention(m, g, b, l, x), &l->wo, l->bo);
    x = lf_op_layernorm(g, lf_op_add(g, x, y), l->attn_post_norm, l->attn_post_norm_b, eps);
    lf_graph_rewind(g, mark);
    y = lf_op_act(g, m->hp.act, matmul1(g, x, &l->up, l->b_up));
    y = matmul1(g, y, &l->down, l->b_down);
    x = lf_op_layernorm(g, lf_op_add(g, x, y), l->ffn_post_norm, l->ffn_post_norm_b, eps);
    lf_graph_rewind(g, mark);
    return x;
}

lf_mat lf_encoder_forward(const lf_model *m, lf_graph *g, const lf_batch *b)
{
    lf_mat x = embed(m, g, b);
    for (uint32_t i = 0; i < m->hp.n_layers; i++)
        x = layer(m, g, b, &m->layers[i], x);
    return lf_op_pool(g, x, b->segs, b->n_segs, m->hp.pool_cls);
}

/* tensor/kern_attention.c - one tile of attention; compiled per kernel set.
 *
 * Up to LF_ATTN_PAIRS (query row, head) pairs that share a key/value head walk
 * the cache block by block:
 *
 *     s[p][j] = (scale q[p]) . k[j]     a lane owns a position; one fma per dim, in order
 *     m' = max(m, max_j s)              c = e^(m - m')
 *     p[j] = e^(s[j] - m')              l = l c + sum p    in 16 lanes
 *     o = o c + sum_j p[j] v[j]         a lane owns a dim; one fma per position, in order
 *
 * Positions that a pair may not see get s = -infinity, hence p = 0 exactly, and
 * a span without any leaves m, l and o as they were (c = 1): so that what a pair
 * gets does not depend on the pairs beside it. */
#include "tensor/kernels.h"

#include <float.h>
#include <math.h>

#include "tensor/hadamard.h"
#include "tensor/kernels_int.h"
#include "tensor/kv_layout.h"
#include "tensor/simd.h"
#include "tensor/simd_math.h"

enum { SPAN = LF_KV_BLOCK, PAIRS = LF_ATTN_PAIRS, DIM_MAX = LF_HEAD_DIM_MAX };

typedef struct tile_state {
    float q[DIM_MAX][PAIRS];          /* scaled queries, by dim */
    float s[PAIRS][SPAN];             /* scores, then weights */
    float o[PAIRS][DIM_MAX];          /* unnormalised output */
    float l[PAIRS][16];               /* sum of weights, in lanes */
    float m[PAIRS], c[PAIRS];         /* largest score so far; rescaling by the last span */
    size_t lo[PAIRS], hi[PAIRS];      /* positions seen: [lo, hi) */
    float qt[PAIRS][DIM_MAX];         /* queries as they were, and what they give with */
    float base[PAIRS];                /* a block's first key (quantised types) */
    float vs[LF_KV_GROUPS_MAX][SPAN]; /* scales of a block's values */
} tile_state;

LF_INLINE vf load_key(lf_type t, const uint8_t *p, size_t i)
{
    if (t == LF_F32)
        return vf_load((const float *)(const void *)p + i);
    return t == LF_F16 ? vf_f16((const uint16_t *)(const void *)p + i) : vf_s8(p + i);
}

/* LF_VL dims of a value from d on, without the scale of quantised types. */
LF_INLINE vf load_value(lf_type t, const uint8_t *p, size_t d)
{
    if (t != LF_Q4_0)
        return load_key(t, p, d);
    const vi two = vi_u8(p + d / LF_KV_GROUP * 16 + d % 16);
    const vi q = d % LF_KV_GROUP < 16 ? vi_and(two, vi_set1(15)) : vi_shr(two, 4);
    return vf_from_vi(vi_add(q, vi_set1(-8)));
}

/* Dims [d0, d1) of a page of keys: one more product each. */
LF_INLINE void score_dims(lf_type t, int n, const uint8_t *k, size_t lane, size_t d0, size_t d1,
                          const tile_state *st, vf *acc)
{
    for (size_t d = d0; d < d1; d++) {
        const vf kv = load_key(t, k, 16 * d + lane);
#pragma GCC unroll 8
        for (int p = 0; p < n; p++)
            acc[p] = vf_fma(kv, vf_set1(st->q[d][p]), acc[p]);
    }
}

/* Scores of one page of 16 positions; scales [group][64] where the type has any. */
LF_INLINE void score_page(lf_type t, int n, const uint8_t *k, const uint16_t *scales, size_t dim,
                          tile_state *st, size_t col)
{
    const bool quantised = lf_kv_is_quantised(t);
    for (size_t lane = 0; lane < 16; lane += LF_VL) {
        vf acc[PAIRS];
#pragma GCC unroll 8
        for (int p = 0; p < n; p++)
            acc[p] = vf_set1(quantised ? st->base[p] : 0.0f);
        if (!quantised)
            score_dims(t, n, k, lane, 0, dim, st, acc);
        for (size_t d = 0; quantised && d < dim; d += LF_KV_GROUP) {
            const size_t end = d + LF_KV_GROUP < dim ? d + LF_KV_GROUP : dim;
            vf part[PAIRS];
#pragma GCC unroll 8
            for (int p = 0; p < n; p++)
                part[p] = vf_set1(0);
            score_dims(t, n, k, lane, d, end, st, part);
            const vf scale = vf_f16(scales + d / LF_KV_GROUP * SPAN + col + lane);
#pragma GCC unroll 8
            for (int p = 0; p < n; p++)
                acc[p] = vf_fma(part[p], scale, acc[p]);
        }
#pragma GCC unroll 8
        for (int p = 0; p < n; p++)
            vf_store(&st->s[p][col + lane], acc[p]);
    }
}

/* Add the weighted values of positions [j0, j1) of the 16 from `col` on. */
LF_INLINE void value_page(lf_type t, int n, const uint8_t *v, size_t pos_bytes, size_t dim_pad,
                          tile_state *st, size_t col, size_t j0, size_t j1, bool first)
{
    for (size_t d = 0; d < dim_pad; d += LF_VL) {
        const size_t g = d / LF_KV_GROUP;
        vf o[PAIRS];
#pragma GCC unroll 8
        for (int p = 0; p < n; p++) {
            o[p] = vf_load(&st->o[p][d]);
            if (first)
                o[p] = vf_mul(o[p], vf_set1(st->c[p]));
        }
        for (size_t j = j0; j < j1; j++) {
            vf vv = load_value(t, v + j * pos_bytes, d);
            if (lf_kv_is_quantised(t))
                vv = vf_mul(vv, vf_set1(st->vs[g][col + j]));
#pragma GCC unroll 8
            for (int p = 0; p < n; p++)
                o[p] = vf_fma(vv, vf_set1(st->s[p][col + j]), o[p]);
        }
#pragma GCC unroll 8
        for (int p = 0; p < n; p++)
            vf_store(&st->o[p][d], o[p]);
    }
}

/* Scores of pair p over [from, from + SPAN) to weights; updates m, l and c. */
LF_INLINE void weigh(tile_state *st, int p, size_t from, float cap)
{
    float *s = st->s[p];
    if (cap > 0.0f)
        for (size_t j = 0; j < SPAN; j += LF_VL) {
            const vf c = vf_set1(cap);
            vf_store(s + j, vf_mul(c, vf_tanh(vf_div(vf_load(s + j), c))));
        }
    if (st->lo[p] > from || st->hi[p] < from + SPAN)
        for (size_t j = 0; j < SPAN; j++)
            if (from + j < st->lo[p] || from + j >= st->hi[p])
                s[j] = -INFINITY;
    vf top = vf_set1(st->m[p]);
    for (size_t j = 0; j < SPAN; j += LF_VL)
        top = vf_max(vf_load(s + j), top);
    float t[LF_VL], m = st->m[p];
    vf_store(t, top);
    for (size_t l = 0; l < LF_VL; l++)
        m = t[l] > m ? t[l] : m;
    vf_store(t, vf_exp(vf_set1(st->m[p] - m)));
    st->c[p] = t[0];
    st->m[p] = m;
    for (size_t lane = 0; lane < 16; lane += LF_VL) {
        vf sum = vf_mul(vf_load(&st->l[p][lane]), vf_set1(st->c[p]));
        for (size_t j = lane; j < SPAN; j += 16) {
            const vf w = vf_exp(vf_sub(vf_load(s + j), vf_set1(m)));
            vf_store(s + j, w);
            sum = vf_add(sum, w);
        }
        vf_store(&st->l[p][lane], sum);
    }
}

/* Which positions each pair sees; returns the union's ends. */
static void set_ranges(const lf_attn_tile *t, tile_state *st, size_t group, size_t *lo, size_t *hi)
{
    const lf_attn_job *j = t->job;
    *lo = j->n_kv;
    *hi = 0;
    for (size_t p = 0; p < t->n_pairs; p++) {
        const size_t pos = j->pos0 + (t->pair0 + p) / group;
        const size_t end = j->causal && pos + 1 < j->n_kv ? pos + 1 : j->n_kv;
        const size_t begin =
            j->causal && j->window && pos + 1 > j->window ? pos + 1 - j->window : 0;
        st->lo[p] = begin < end ? begin : end;
        st->hi[p] = end;
        *lo = st->lo[p] < *lo ? st->lo[p] : *lo;
        *hi = end > *hi ? end : *hi;
    }
}

static size_t q_offset(const lf_attn_tile *t, size_t group, size_t p)
{
    const size_t f = t->pair0 + p;
    const size_t row = f / group, head = t->kv_head * group + f % group;
    return (row * t->a->n_q_heads + head) * t->a->kv.head_dim;
}

/* Products of the queries with the block's first key, dims in 16 lanes: the other keys are
 * kept as differences from it. */
LF_INLINE void set_base(int n, const uint16_t *first, size_t dim_pad, tile_state *st)
{
#pragma GCC unroll 1
    for (int p = 0; p < n; p++) {
        vf acc[LF_VH];
        for (int h = 0; h < LF_VH; h++)
            acc[h] = vf_set1(0);
        for (size_t d = 0; d < dim_pad; d += 16)
            for (int h = 0; h < LF_VH; h++)
                acc[h] = vf_fma(vf_f16(first + d + h * LF_VL), vf_load(&st->qt[p][d + h * LF_VL]),
                                acc[h]);
        st->base[p] = lf_sum16(acc);
    }
}

LF_INLINE void walk(lf_type type, int n, const lf_attn_tile *t, tile_state *st, size_t lo,
                    size_t hi)
{
    const lf_kv_shape *kv = &t->a->kv;
    const size_t dim = kv->head_dim, dim_pad = (dim + 15) / 16 * 16;
    const size_t k_bytes = lf_kv_key_bytes(type, dim), k_pos = lf_kv_key_pos_bytes(type, dim);
    const size_t v_bytes = lf_kv_value_bytes(type, dim), v_pos = lf_kv_value_pos_bytes(type, dim);
    for (size_t from = lo / SPAN * SPAN; from < hi; from += SPAN) {
        const uint8_t *block = t->job->blocks[from / SPAN] + t->job->at;
        const uint8_t *k = block + t->kv_head * k_bytes;
        const uint8_t *v = block + kv->n_heads * k_bytes + t->kv_head * v_bytes;
        const uint16_t *ks = (const uint16_t *)(const void *)(k + lf_kv_key_scales(type, dim));
        const uint16_t *vs = (const uint16_t *)(const void *)(v + lf_kv_value_scales(type, dim));
        if (lf_kv_is_quantised(type))
            set_base(n, ks + lf_kv_groups(dim) * SPAN, dim_pad, st);
        for (size_t col = 0; col < SPAN && from + col < hi; col += 16)
            score_page(type, n, k + col * k_pos, ks, dim, st, col);
#pragma GCC unroll 1
        for (int p = 0; p < n; p++)
            weigh(st, p, from, t->a->softcap);
        for (size_t g = 0; lf_kv_is_quantised(type) && g < lf_kv_groups(dim); g++)
            for (size_t j = 0; j < SPAN; j += LF_VL)
                vf_store(&st->vs[g][j], vf_f16(vs + g * SPAN + j));
        for (size_t col = 0; col < SPAN && from + col < hi; col += 16) {
            const size_t base = from + col, j1 = hi - base < 16 ? hi - base : 16;
            const size_t j0 = lo > base ? (lo - base < 16 ? lo - base : 16) : 0;
            value_page(type, n, v + col * v_pos, v_pos, dim_pad, st, col, j0, j1, col == 0);
        }
    }
}

/* The query of pair p, scaled; rotated for keys that are (H H = n I: hence 1 / n). */
LF_INLINE void set_query(const lf_attn_tile *t, tile_state *st, size_t p, const float *q)
{
    float x[DIM_MAX];
    const size_t dim = t->a->kv.head_dim;
    for (size_t d = 0; d < dim; d++)
        x[d] = q[d] * t->a->scale;
    if (lf_kv_is_quantised(t->a->kv.type)) {
        memset(st->qt[p], 0, (dim + 15) / 16 * 16 * sizeof(float));
        memcpy(st->qt[p], x, dim * sizeof(float));
        for (size_t d = 0; d < dim; d++)
            x[d] /= (float)lf_hadamard_run(dim);
        lf_hadamard(x, dim);
    }
    for (size_t d = 0; d < dim; d++)
        st->q[d][p] = x[d];
}

/* What pair p gets: its sum over the weights; quantised values were rotated. */
LF_INLINE void get_output(const lf_attn_tile *t, tile_state *st, size_t p, float *out)
{
    const size_t dim = t->a->kv.head_dim;
    const bool rotated = lf_kv_is_quantised(t->a->kv.type);
    vf l[LF_VH];
    for (int h = 0; h < LF_VH; h++)
        l[h] = vf_load(&st->l[p][h * LF_VL]);
    const float sum = lf_sum16(l) * (rotated ? (float)lf_hadamard_run(dim) : 1.0f);
    const float inv = sum > 0.0f ? 1.0f / sum : 0.0f;
    if (rotated)
        lf_hadamard(st->o[p], dim);
    for (size_t d = 0; d < dim; d++)
        out[d] = st->o[p][d] * inv;
}

LF_INLINE void run_pairs(int n, const lf_attn_tile *t)
{
    tile_state st;
    const size_t dim = t->a->kv.head_dim, dim_pad = (dim + 15) / 16 * 16;
    const size_t group = t->a->n_q_heads / t->a->kv.n_heads;
    size_t lo, hi;
    set_ranges(t, &st, group, &lo, &hi);
    for (size_t p = 0; p < (size_t)n; p++) {
        const size_t from = p < t->n_pairs ? p : 0; /* spare pairs repeat the first */
        const float *q = t->job->q + q_offset(t, group, from);
        set_query(t, &st, p, q);
        st.lo[p] = st.lo[from];
        st.hi[p] = st.hi[from];
        st.m[p] = -FLT_MAX;
        memset(st.l[p], 0, sizeof st.l[p]);
        memset(st.o[p], 0, dim_pad * sizeof(float));
    }
    for (int p = 0; p < n; p++)
        memset(st.s[p], 0, sizeof st.s[p]);
    switch (t->a->kv.type) {
    case LF_F16:
        walk(LF_F16, n, t, &st, lo, hi);
        break;
    case LF_Q8_0:
        walk(LF_Q8_0, n, t, &st, lo, hi);
        break;
    case LF_Q4_0:
        walk(LF_Q4_0, n, t, &st, lo, hi);
        break;
    default:
        walk(LF_F32, n, t, &st, lo, hi);
        break;
    }
    for (size_t p = 0; p < t->n_pairs; p++)
        get_output(t, &st, p, t->job->out + q_offset(t, group, p));
}

static void tile8(const lf_attn_tile *t)
{
    run_pairs(8, t);
}

static void tile4(const lf_attn_tile *t)
{
    run_pairs(4, t);
}

static void tile2(const lf_attn_tile *t)
{
    run_pairs(2, t);
}

static void tile1(const lf_attn_tile *t)
{
    run_pairs(1, t);
}

static void tile(const lf_attn_tile *t)
{
    if (t->n_pairs > 4)
        tile8(t);
    else if (t->n_pairs > 2)
        tile4(t);
    else if (t->n_pairs == 2)
        tile2(t);
    else
        tile1(t);
}

const lf_kernels_attention LF_KERNEL_SYMBOL(lf_kernels_attention) = { .tile = tile };

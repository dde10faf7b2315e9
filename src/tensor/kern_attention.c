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

#include "tensor/kernels_int.h"
#include "tensor/simd.h"
#include "tensor/simd_math.h"

enum { SPAN = LF_KV_BLOCK, PAIRS = LF_ATTN_PAIRS, DIM_MAX = LF_HEAD_DIM_MAX };

typedef struct tile_state {
    float q[DIM_MAX][PAIRS];     /* scaled queries, by dim */
    float s[PAIRS][SPAN];        /* scores, then weights */
    float o[PAIRS][DIM_MAX];     /* unnormalised output */
    float l[PAIRS][16];          /* sum of weights, in lanes */
    float m[PAIRS], c[PAIRS];    /* largest score so far; rescaling by the last span */
    size_t lo[PAIRS], hi[PAIRS]; /* positions seen: [lo, hi) */
} tile_state;

LF_INLINE vf load_kv(lf_type t, const void *p, size_t i)
{
    return t == LF_F16 ? vf_f16((const uint16_t *)p + i) : vf_load((const float *)p + i);
}

/* Scores of one page of 16 positions: k [dim][16]. */
LF_INLINE void score_page(lf_type t, int n, const void *k, size_t dim, tile_state *st, size_t col)
{
    for (size_t lane = 0; lane < 16; lane += LF_VL) {
        vf acc[PAIRS];
#pragma GCC unroll 8
        for (int p = 0; p < n; p++)
            acc[p] = vf_set1(0);
        for (size_t d = 0; d < dim; d++) {
            const vf kv = load_kv(t, k, 16 * d + lane);
#pragma GCC unroll 8
            for (int p = 0; p < n; p++)
                acc[p] = vf_fma(kv, vf_set1(st->q[d][p]), acc[p]);
        }
#pragma GCC unroll 8
        for (int p = 0; p < n; p++)
            vf_store(&st->s[p][col + lane], acc[p]);
    }
}

/* Add the weighted values of positions [j0, j1) of a page: v [16][dim_pad]. */
LF_INLINE void value_page(lf_type t, int n, const void *v, size_t dim_pad, tile_state *st,
                          size_t col, size_t j0, size_t j1, bool first)
{
    for (size_t d = 0; d < dim_pad; d += LF_VL) {
        vf o[PAIRS];
#pragma GCC unroll 8
        for (int p = 0; p < n; p++) {
            o[p] = vf_load(&st->o[p][d]);
            if (first)
                o[p] = vf_mul(o[p], vf_set1(st->c[p]));
        }
        for (size_t j = j0; j < j1; j++) {
            const vf vv = load_kv(t, v, j * dim_pad + d);
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

LF_INLINE void walk(lf_type type, int n, const lf_attn_tile *t, tile_state *st, size_t lo,
                    size_t hi)
{
    const lf_kv_shape *kv = &t->a->kv;
    const size_t dim = kv->head_dim, dim_pad = (dim + 15) / 16 * 16;
    const size_t head_bytes = lf_kv_head_bytes(kv), page_bytes = head_bytes / (SPAN / 16);
    for (size_t from = lo / SPAN * SPAN; from < hi; from += SPAN) {
        const uint8_t *block = t->job->blocks[from / SPAN] + t->job->at;
        const uint8_t *k = block + t->kv_head * head_bytes, *v = k + kv->n_heads * head_bytes;
        for (size_t col = 0; col < SPAN && from + col < hi; col += 16)
            score_page(type, n, k + col / 16 * page_bytes, dim, st, col);
#pragma GCC unroll 1
        for (int p = 0; p < n; p++)
            weigh(st, p, from, t->a->softcap);
        for (size_t col = 0; col < SPAN && from + col < hi; col += 16) {
            const size_t base = from + col, j1 = hi - base < 16 ? hi - base : 16;
            const size_t j0 = lo > base ? (lo - base < 16 ? lo - base : 16) : 0;
            value_page(type, n, v + col / 16 * page_bytes, dim_pad, st, col, j0, j1, col == 0);
        }
    }
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
        for (size_t d = 0; d < dim; d++)
            st.q[d][p] = q[d] * t->a->scale;
        st.lo[p] = st.lo[from];
        st.hi[p] = st.hi[from];
        st.m[p] = -FLT_MAX;
        memset(st.l[p], 0, sizeof st.l[p]);
        memset(st.o[p], 0, dim_pad * sizeof(float));
    }
    for (int p = 0; p < n; p++)
        memset(st.s[p], 0, sizeof st.s[p]);
    if (t->a->kv.type == LF_F16)
        walk(LF_F16, n, t, &st, lo, hi);
    else
        walk(LF_F32, n, t, &st, lo, hi);
    for (size_t p = 0; p < t->n_pairs; p++) {
        float *out = t->job->out + q_offset(t, group, p);
        vf l[LF_VH];
        for (int h = 0; h < LF_VH; h++)
            l[h] = vf_load(&st.l[p][h * LF_VL]);
        const float sum = lf_sum16(l), inv = sum > 0.0f ? 1.0f / sum : 0.0f;
        for (size_t d = 0; d < dim; d++)
            out[d] = st.o[p][d] * inv;
    }
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

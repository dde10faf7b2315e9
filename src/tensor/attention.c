/* tensor/attention.c - writing and reading the cache, and the work of attention cut into tiles. */
#include "tensor/attention.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "tensor/hadamard.h"
#include "tensor/kernels.h"
#include "tensor/kv_layout.h"

/* A head of keys or values in a block. */
static uint8_t *head_of(const lf_kv_shape *s, bool is_key, uint8_t *block, size_t at, size_t h)
{
    const size_t k = lf_kv_key_bytes(s->type, s->head_dim);
    const size_t v = lf_kv_value_bytes(s->type, s->head_dim);
    return block + at + (is_key ? h * k : s->n_heads * k + h * v);
}

size_t lf_kv_bytes(const lf_kv_shape *s)
{
    LF_ASSERT(s->type == LF_F16 || s->type == LF_F32 || lf_kv_is_quantised(s->type));
    const size_t n = s->n_heads * (lf_kv_key_bytes(s->type, s->head_dim) +
                                   lf_kv_value_bytes(s->type, s->head_dim));
    return (n + 63) / 64 * 64;
}

/* Index of an element in its head (of a byte in 4 bits: two elements have the same). */
static size_t key_at(const lf_kv_shape *s, size_t slot, size_t d)
{
    return (slot / 16 * lf_kv_padded_dim(s->type, s->head_dim) + d) * 16 + slot % 16;
}

static size_t value_at(const lf_kv_shape *s, size_t slot, size_t d)
{
    const size_t pad = lf_kv_padded_dim(s->type, s->head_dim);
    return s->type == LF_Q4_0 ? slot * pad / 2 + d / 32 * 16 + d % 16 : slot * pad + d;
}

/* The scale of a position and a group of dims. */
static uint16_t *scale_of(const lf_kv_shape *s, bool is_key, uint8_t *head, size_t slot, size_t g)
{
    const size_t at =
        is_key ? lf_kv_key_scales(s->type, s->head_dim) : lf_kv_value_scales(s->type, s->head_dim);
    return (uint16_t *)(void *)(head + at) + g * LF_KV_BLOCK + slot;
}

static uint16_t *first_key_of(const lf_kv_shape *s, uint8_t *head)
{
    return (uint16_t *)(void *)(head + lf_kv_first_key(s->type, s->head_dim));
}

/* ---- storing ---- */

typedef struct store_task {
    const lf_kv_shape *s;
    uint8_t *const *blocks;
    size_t at, pos0;
    const float *k, *v;
} store_task;

/* q[d] for a group of 32 dims, as in x = scale q; the scale, which is a half. */
static uint16_t quantise_group(const float *x, float top, int8_t *q)
{
    float max = 0.0f;
    for (size_t d = 0; d < LF_KV_GROUP; d++)
        max = fabsf(x[d]) > max ? fabsf(x[d]) : max;
    const uint16_t half = lf_f32_to_f16(max / top);
    const float scale = lf_f16_to_f32(half), inv = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (size_t d = 0; d < LF_KV_GROUP; d++) {
        const float r = rintf(x[d] * inv);
        q[d] = (int8_t)(r > top ? top : r < -top ? -top : r);
    }
    return half;
}

/* x [LF_HEAD_DIM_MAX], zeros behind the head's dims. */
static void store_key(const lf_kv_shape *s, uint8_t *head, size_t slot, const float *x)
{
    int8_t q[LF_KV_GROUP];
    for (size_t g = 0; g < lf_kv_groups(s->head_dim); g++) {
        *scale_of(s, true, head, slot, g) = quantise_group(x + g * LF_KV_GROUP, 127.0f, q);
        for (size_t d = 0; d < LF_KV_GROUP; d++)
            head[key_at(s, slot, g * LF_KV_GROUP + d)] = (uint8_t)q[d];
    }
}

static void store_value(const lf_kv_shape *s, uint8_t *head, size_t slot, const float *x)
{
    int8_t q[LF_KV_GROUP];
    const bool four = s->type == LF_Q4_0;
    for (size_t g = 0; g < lf_kv_groups(s->head_dim); g++) {
        uint8_t *to = head + value_at(s, slot, g * LF_KV_GROUP);
        *scale_of(s, false, head, slot, g) =
            quantise_group(x + g * LF_KV_GROUP, four ? 7.0f : 127.0f, q);
        if (!four)
            memcpy(to, q, sizeof q);
        for (size_t d = 0; four && d < LF_KV_GROUP / 2; d++)
            to[d] = (uint8_t)((q[d] + 8) | (q[d + 16] + 8) << 4);
    }
}

static void store_quantised(const store_task *t, size_t i, size_t h, uint8_t *kp, uint8_t *vp)
{
    const lf_kv_shape *s = t->s;
    const size_t slot = (t->pos0 + i) % LF_KV_BLOCK, dim = s->head_dim;
    uint16_t fresh[LF_HEAD_DIM_MAX], *first = first_key_of(s, kp);
    float x[LF_HEAD_DIM_MAX] = { 0 };
    if (slot <= i) { /* the first key is among the new ones: another thread may be writing it */
        for (size_t d = 0; d < dim; d++)
            fresh[d] = lf_f32_to_f16(t->k[((i - slot) * s->n_heads + h) * dim + d]);
        if (slot == 0) {
            memset(first, 0, lf_kv_padded_dim(s->type, dim) * sizeof *first);
            memcpy(first, fresh, dim * sizeof *first);
        }
        first = fresh;
    }
    for (size_t d = 0; d < dim; d++)
        x[d] = t->k[(i * s->n_heads + h) * dim + d] - lf_f16_to_f32(first[d]);
    lf_hadamard(x, dim);
    store_key(s, kp, slot, x);
    memcpy(x, t->v + (i * s->n_heads + h) * dim, dim * sizeof *x);
    lf_hadamard(x, dim);
    store_value(s, vp, slot, x);
}

static void store_floats(const store_task *t, size_t i, size_t h, uint8_t *kp, uint8_t *vp)
{
    const lf_kv_shape *s = t->s;
    const size_t slot = (t->pos0 + i) % LF_KV_BLOCK, dim = s->head_dim;
    const size_t pad = lf_kv_padded_dim(s->type, dim);
    const float *k = t->k + (i * s->n_heads + h) * dim, *v = t->v + (i * s->n_heads + h) * dim;
    if (s->type == LF_F32) {
        float *kf = (float *)(void *)kp + key_at(s, slot, 0);
        float *vf = (float *)(void *)vp + value_at(s, slot, 0);
        for (size_t d = 0; d < dim; d++)
            kf[d * 16] = k[d];
        memcpy(vf, v, dim * sizeof *v);
        memset(vf + dim, 0, (pad - dim) * sizeof *vf);
        return;
    }
    uint16_t half[LF_HEAD_DIM_MAX], *kh = (uint16_t *)(void *)kp + key_at(s, slot, 0);
    uint16_t *vh = (uint16_t *)(void *)vp + value_at(s, slot, 0);
    lf_kernels_best()->elem->to_f16(k, dim, half);
    for (size_t d = 0; d < dim; d++)
        kh[d * 16] = half[d];
    lf_kernels_best()->elem->to_f16(v, dim, vh);
    memset(vh + dim, 0, (pad - dim) * sizeof *vh);
}

static void store_positions(void *ud, size_t begin, size_t end, int worker)
{
    const store_task *t = ud;
    const lf_kv_shape *s = t->s;
    const bool quantised = lf_kv_is_quantised(s->type);
    (void)worker;
    for (size_t i = begin; i < end; i++)
        for (size_t h = 0; h < s->n_heads; h++) {
            uint8_t *block = t->blocks[(t->pos0 + i) / LF_KV_BLOCK];
            (quantised ? store_quantised : store_floats)(t, i, h, head_of(s, true, block, t->at, h),
                                                         head_of(s, false, block, t->at, h));
        }
}

void lf_kv_store(lf_pool *pool, const lf_kv_shape *s, uint8_t *const *blocks, size_t at,
                 size_t pos0, const float *k, const float *v, size_t m)
{
    LF_ASSERT(s->head_dim >= 1 && s->head_dim <= LF_HEAD_DIM_MAX);
    store_task t = { .s = s, .blocks = blocks, .at = at, .pos0 = pos0, .k = k, .v = v };
    lf_pool_run(pool, m, 32, store_positions, &t);
}

/* ---- reading back ---- */

/* An element as it is kept. */
static float load_one(const lf_kv_shape *s, bool is_key, uint8_t *head, size_t slot, size_t d)
{
    const size_t i = is_key ? key_at(s, slot, d) : value_at(s, slot, d);
    if (s->type == LF_F32)
        return ((const float *)(const void *)head)[i];
    if (s->type == LF_F16)
        return lf_f16_to_f32(((const uint16_t *)(const void *)head)[i]);
    const float scale = lf_f16_to_f32(*scale_of(s, is_key, head, slot, d / LF_KV_GROUP));
    if (is_key || s->type == LF_Q8_0)
        return scale * (float)(int8_t)head[i];
    return scale * (float)((d % LF_KV_GROUP < 16 ? head[i] & 15 : head[i] >> 4) - 8);
}

/* A head of keys or values of one position. */
static void load_head(const lf_kv_shape *s, bool is_key, uint8_t *const *blocks, size_t at,
                      size_t pos, size_t h, float *x)
{
    uint8_t *head = head_of(s, is_key, blocks[pos / LF_KV_BLOCK], at, h);
    const size_t dim = s->head_dim;
    for (size_t d = 0; d < dim; d++)
        x[d] = load_one(s, is_key, head, pos % LF_KV_BLOCK, d);
    if (!lf_kv_is_quantised(s->type))
        return;
    lf_hadamard(x, dim);
    for (size_t d = 0; d < dim; d++)
        x[d] /= (float)lf_hadamard_run(dim);
    for (size_t d = 0; is_key && d < dim; d++)
        x[d] += lf_f16_to_f32(first_key_of(s, head)[d]);
}

void lf_kv_load(const lf_kv_shape *s, uint8_t *const *blocks, size_t at, size_t pos0, float *k,
                float *v, size_t m)
{
    for (size_t i = 0; i < m * s->n_heads; i++) {
        const size_t pos = pos0 + i / s->n_heads, h = i % s->n_heads;
        load_head(s, true, blocks, at, pos, h, k + i * s->head_dim);
        load_head(s, false, blocks, at, pos, h, v + i * s->head_dim);
    }
}

/* ---- attending ---- */

typedef struct attention_task {
    const lf_attn *a;
    const lf_attn_job *jobs;
    size_t pairs; /* of a tile, at most LF_ATTN_PAIRS */
} attention_task;

static size_t tiles_per_head(const attention_task *t, const lf_attn_job *j)
{
    return (j->m * (t->a->n_q_heads / t->a->kv.n_heads) + t->pairs - 1) / t->pairs;
}

static size_t count_tiles(const attention_task *t, size_t n_jobs)
{
    size_t n = 0;
    for (size_t i = 0; i < n_jobs; i++)
        n += tiles_per_head(t, &t->jobs[i]) * t->a->kv.n_heads;
    return n;
}

/* Tiles are numbered job by job, head by head. */
static void run_tiles(void *ud, size_t begin, size_t end, int worker)
{
    const attention_task *t = ud;
    const lf_attn_job *j = t->jobs;
    const size_t group = t->a->n_q_heads / t->a->kv.n_heads;
    size_t first = 0; /* number of job j's first tile */
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        while (i - first >= tiles_per_head(t, j) * t->a->kv.n_heads)
            first += tiles_per_head(t, j++) * t->a->kv.n_heads;
        const size_t per_head = tiles_per_head(t, j), at = i - first;
        const size_t pair0 = at % per_head * t->pairs, left = j->m * group - pair0;
        const lf_attn_tile tile = { .a = t->a,
                                    .job = j,
                                    .kv_head = at / per_head,
                                    .pair0 = pair0,
                                    .n_pairs = left < t->pairs ? left : t->pairs };
        lf_kernels_best()->attention->tile(&tile);
    }
}

void lf_attention_many(lf_pool *pool, const lf_attn *a, const lf_attn_job *jobs, size_t n_jobs)
{
    LF_ASSERT(a->kv.n_heads > 0 && a->n_q_heads % a->kv.n_heads == 0);
    LF_ASSERT(a->kv.head_dim >= 1 && a->kv.head_dim <= LF_HEAD_DIM_MAX);
    attention_task t = { .a = a, .jobs = jobs, .pairs = LF_ATTN_PAIRS };
    const size_t threads = (size_t)lf_pool_threads(pool);
    size_t n = count_tiles(&t, n_jobs);
    while (n < threads && t.pairs > 1) { /* one token: smaller tiles, so that no thread idles */
        t.pairs /= 2;
        n = count_tiles(&t, n_jobs);
    }
    const size_t grain = n / (16 * threads);
    lf_pool_run(pool, n, grain < 1 ? 1 : grain, run_tiles, &t);
}

void lf_attention(lf_pool *pool, const lf_attn *a, const lf_attn_job *job)
{
    lf_attention_many(pool, a, job, 1);
}

static double score_ref(const lf_attn *a, const lf_attn_job *j, const float *q, size_t pos,
                        size_t h)
{
    float k[LF_HEAD_DIM_MAX];
    double s = 0.0;
    load_head(&a->kv, true, j->blocks, j->at, pos, h, k);
    for (size_t d = 0; d < a->kv.head_dim; d++)
        s += (double)q[d] * (double)k[d];
    s *= (double)a->scale;
    return a->softcap > 0.0f ? (double)a->softcap * tanh(s / (double)a->softcap) : s;
}

void lf_attention_ref(const lf_attn *a, const lf_attn_job *j)
{
    const size_t dim = a->kv.head_dim, group = a->n_q_heads / a->kv.n_heads;
    for (size_t i = 0; i < j->m * a->n_q_heads; i++) {
        const size_t pos = j->pos0 + i / a->n_q_heads, h = i % a->n_q_heads / group;
        const size_t hi = j->causal && pos + 1 < j->n_kv ? pos + 1 : j->n_kv;
        const size_t lo = j->causal && j->window && pos + 1 > j->window ? pos + 1 - j->window : 0;
        double max = -INFINITY, sum = 0.0, o[LF_HEAD_DIM_MAX] = { 0 };
        for (size_t p = lo; p < hi; p++)
            max = fmax(max, score_ref(a, j, j->q + i * dim, p, h));
        for (size_t p = lo; p < hi; p++) {
            float v[LF_HEAD_DIM_MAX];
            const double w = exp(score_ref(a, j, j->q + i * dim, p, h) - max);
            load_head(&a->kv, false, j->blocks, j->at, p, h, v);
            sum += w;
            for (size_t d = 0; d < dim; d++)
                o[d] += w * (double)v[d];
        }
        for (size_t d = 0; d < dim; d++)
            j->out[i * dim + d] = sum > 0.0 ? (float)(o[d] / sum) : 0.0f;
    }
}

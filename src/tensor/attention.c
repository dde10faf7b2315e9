/* tensor/attention.c - the KV cache's layout, and the work of attention cut into tiles.
 *
 * A layer in a block: keys, then values, each head by head.  A head of keys is
 * [4][dim][16 positions], a head of values [64 positions][dim], dims padded to a
 * multiple of 16. */
#include "tensor/attention.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "tensor/kernels.h"

size_t lf_kv_bytes(const lf_kv_shape *s)
{
    LF_ASSERT(s->type == LF_F16 || s->type == LF_F32);
    return 2 * s->n_heads * lf_kv_head_bytes(s);
}

static size_t padded_dim(const lf_kv_shape *s)
{
    return (s->head_dim + 15) / 16 * 16;
}

/* Index of an element in its head of keys. */
static size_t key_at(const lf_kv_shape *s, size_t slot, size_t d)
{
    return (slot / 16 * padded_dim(s) + d) * 16 + slot % 16;
}

typedef struct store_task {
    const lf_kv_shape *s;
    uint8_t *const *blocks;
    size_t at, pos0;
    const float *k, *v;
} store_task;

/* Write one head of one position. */
static void store_head(const lf_kv_shape *s, uint8_t *kp, uint8_t *vp, size_t slot, const float *k,
                       const float *v)
{
    const size_t dim = s->head_dim, pad = padded_dim(s);
    if (s->type == LF_F32) {
        float *kf = (float *)(void *)kp + key_at(s, slot, 0);
        float *vf = (float *)(void *)vp + slot * pad;
        for (size_t d = 0; d < dim; d++)
            kf[d * 16] = k[d];
        memcpy(vf, v, dim * sizeof *v);
        memset(vf + dim, 0, (pad - dim) * sizeof *vf);
        return;
    }
    uint16_t t[LF_HEAD_DIM_MAX], *kh = (uint16_t *)(void *)kp + key_at(s, slot, 0);
    uint16_t *vh = (uint16_t *)(void *)vp + slot * pad;
    lf_kernels_best()->elem->to_f16(k, dim, t);
    for (size_t d = 0; d < dim; d++)
        kh[d * 16] = t[d];
    lf_kernels_best()->elem->to_f16(v, dim, vh);
    memset(vh + dim, 0, (pad - dim) * sizeof *vh);
}

static void store_positions(void *ud, size_t begin, size_t end, int worker)
{
    const store_task *t = ud;
    const lf_kv_shape *s = t->s;
    const size_t head_bytes = lf_kv_head_bytes(s);
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const size_t pos = t->pos0 + i;
        uint8_t *kp = t->blocks[pos / LF_KV_BLOCK] + t->at, *vp = kp + s->n_heads * head_bytes;
        for (size_t h = 0; h < s->n_heads; h++) {
            const size_t from = (i * s->n_heads + h) * s->head_dim;
            store_head(s, kp + h * head_bytes, vp + h * head_bytes, pos % LF_KV_BLOCK, t->k + from,
                       t->v + from);
        }
    }
}

void lf_kv_store(lf_pool *pool, const lf_kv_shape *s, uint8_t *const *blocks, size_t at,
                 size_t pos0, const float *k, const float *v, size_t m)
{
    LF_ASSERT(s->head_dim >= 1 && s->head_dim <= LF_HEAD_DIM_MAX);
    store_task t = { .s = s, .blocks = blocks, .at = at, .pos0 = pos0, .k = k, .v = v };
    lf_pool_run(pool, m, 32, store_positions, &t);
}

static float load_one(const lf_kv_shape *s, const void *p, size_t i)
{
    return s->type == LF_F16 ? lf_f16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

/* Key or value element of a position, head and dim. */
static float cached(const lf_kv_shape *s, uint8_t *const *blocks, size_t at, bool is_key,
                    size_t pos, size_t h, size_t d)
{
    const size_t slot = pos % LF_KV_BLOCK, head = is_key ? h : s->n_heads + h;
    const uint8_t *p = blocks[pos / LF_KV_BLOCK] + at + head * lf_kv_head_bytes(s);
    return load_one(s, p, is_key ? key_at(s, slot, d) : slot * padded_dim(s) + d);
}

void lf_kv_load(const lf_kv_shape *s, uint8_t *const *blocks, size_t at, size_t pos0, float *k,
                float *v, size_t m)
{
    for (size_t i = 0; i < m * s->n_heads; i++)
        for (size_t d = 0; d < s->head_dim; d++) {
            const size_t pos = pos0 + i / s->n_heads, h = i % s->n_heads;
            k[i * s->head_dim + d] = cached(s, blocks, at, true, pos, h, d);
            v[i * s->head_dim + d] = cached(s, blocks, at, false, pos, h, d);
        }
}

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
    double s = 0.0;
    for (size_t d = 0; d < a->kv.head_dim; d++)
        s += (double)q[d] * (double)cached(&a->kv, j->blocks, j->at, true, pos, h, d);
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
            const double w = exp(score_ref(a, j, j->q + i * dim, p, h) - max);
            sum += w;
            for (size_t d = 0; d < dim; d++)
                o[d] += w * (double)cached(&a->kv, j->blocks, j->at, false, p, h, d);
        }
        for (size_t d = 0; d < dim; d++)
            j->out[i * dim + d] = sum > 0.0 ? (float)(o[d] / sum) : 0.0f;
    }
}

/* tensor/attention.c - the KV cache's layout, and the work of attention cut into tiles.
 *
 * A page holds 16 positions: keys [head][dim][16 positions], values
 * [head][16 positions][dim], dims padded to a multiple of 16. */
#include "tensor/attention.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "tensor/kernels.h"

static size_t element_bytes(const lf_kv_shape *s)
{
    LF_ASSERT(s->type == LF_F16 || s->type == LF_F32);
    return s->type == LF_F16 ? 2 : 4;
}

static size_t padded_dim(const lf_kv_shape *s)
{
    return (s->head_dim + 15) / 16 * 16;
}

size_t lf_kv_page_bytes(const lf_kv_shape *s)
{
    return s->n_heads * padded_dim(s) * LF_KV_PAGE * element_bytes(s);
}

size_t lf_kv_bytes(const lf_kv_shape *s, size_t n_pos)
{
    return (n_pos + LF_KV_PAGE - 1) / LF_KV_PAGE * lf_kv_page_bytes(s);
}

typedef struct store_task {
    const lf_kv_shape *s;
    uint8_t *kc, *vc;
    size_t pos0;
    const float *k, *v;
} store_task;

/* Write one head of one position. */
static void store_head(const lf_kv_shape *s, uint8_t *kp, uint8_t *vp, size_t slot, const float *k,
                       const float *v)
{
    const size_t dim = s->head_dim, pad = padded_dim(s);
    if (s->type == LF_F32) {
        float *kf = (float *)(void *)kp, *vf = (float *)(void *)vp + slot * pad;
        for (size_t d = 0; d < dim; d++)
            kf[d * LF_KV_PAGE + slot] = k[d];
        memcpy(vf, v, dim * sizeof *v);
        memset(vf + dim, 0, (pad - dim) * sizeof *vf);
        return;
    }
    uint16_t t[LF_HEAD_DIM_MAX], *kh = (uint16_t *)(void *)kp;
    uint16_t *vh = (uint16_t *)(void *)vp + slot * pad;
    lf_kernels_best()->elem->to_f16(k, dim, t);
    for (size_t d = 0; d < dim; d++)
        kh[d * LF_KV_PAGE + slot] = t[d];
    lf_kernels_best()->elem->to_f16(v, dim, vh);
    memset(vh + dim, 0, (pad - dim) * sizeof *vh);
}

static void store_positions(void *ud, size_t begin, size_t end, int worker)
{
    const store_task *t = ud;
    const lf_kv_shape *s = t->s;
    const size_t page_bytes = lf_kv_page_bytes(s), head_bytes = page_bytes / s->n_heads;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const size_t pos = t->pos0 + i;
        const size_t page = pos / LF_KV_PAGE * page_bytes;
        for (size_t h = 0; h < s->n_heads; h++) {
            const size_t from = (i * s->n_heads + h) * s->head_dim;
            store_head(s, t->kc + page + h * head_bytes, t->vc + page + h * head_bytes,
                       pos % LF_KV_PAGE, t->k + from, t->v + from);
        }
    }
}

void lf_kv_store(lf_pool *pool, const lf_kv_shape *s, void *kc, void *vc, size_t pos0,
                 const float *k, const float *v, size_t m)
{
    LF_ASSERT(s->head_dim >= 1 && s->head_dim <= LF_HEAD_DIM_MAX);
    store_task t = { .s = s, .kc = kc, .vc = vc, .pos0 = pos0, .k = k, .v = v };
    lf_pool_run(pool, m, 32, store_positions, &t);
}

static float load_one(const lf_kv_shape *s, const void *p, size_t i)
{
    return s->type == LF_F16 ? lf_f16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

void lf_kv_load(const lf_kv_shape *s, const void *kc, const void *vc, size_t pos0, float *k,
                float *v, size_t m)
{
    const size_t page_bytes = lf_kv_page_bytes(s), head_bytes = page_bytes / s->n_heads;
    for (size_t i = 0; i < m; i++)
        for (size_t h = 0; h < s->n_heads; h++) {
            const size_t pos = pos0 + i, slot = pos % LF_KV_PAGE;
            const size_t at = pos / LF_KV_PAGE * page_bytes + h * head_bytes;
            const uint8_t *kp = (const uint8_t *)kc + at, *vp = (const uint8_t *)vc + at;
            for (size_t d = 0; d < s->head_dim; d++) {
                const size_t to = (i * s->n_heads + h) * s->head_dim + d;
                k[to] = load_one(s, kp, d * LF_KV_PAGE + slot);
                v[to] = load_one(s, vp, slot * padded_dim(s) + d);
            }
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

/* Key or value element of a position, head and dim. */
static double cached(const lf_kv_shape *s, const void *c, bool is_key, size_t pos, size_t h,
                     size_t d)
{
    const size_t page_bytes = lf_kv_page_bytes(s), slot = pos % LF_KV_PAGE;
    const uint8_t *p =
        (const uint8_t *)c + pos / LF_KV_PAGE * page_bytes + h * (page_bytes / s->n_heads);
    return (double)load_one(s, p, is_key ? d * LF_KV_PAGE + slot : slot * padded_dim(s) + d);
}

static double score_ref(const lf_attn *a, const lf_attn_job *j, const float *q, size_t pos,
                        size_t h)
{
    double s = 0.0;
    for (size_t d = 0; d < a->kv.head_dim; d++)
        s += (double)q[d] * cached(&a->kv, j->kc, true, pos, h, d);
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
                o[d] += w * cached(&a->kv, j->vc, false, p, h, d);
        }
        for (size_t d = 0; d < dim; d++)
            j->out[i * dim + d] = sum > 0.0 ? (float)(o[d] / sum) : 0.0f;
    }
}

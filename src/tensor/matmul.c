/* tensor/matmul.c - plans a product: quantises the activations, cuts the work, calls kernels.
 *
 * Work is a grid of row chunks of x (so that a chunk's quantised activations stay
 * in the second-level cache while all weights pass) and units of W: groups of 16
 * packed rows, or 16 plain rows.  A piece of work is a run of units within a chunk. */
#include "tensor/matmul.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "tensor/kernels.h"
#include "tensor/pack.h"

enum { UNIT_ROWS = LF_PACK_ROWS, CHUNK_BYTES = 384 * 1024, GRAIN_MAX = 64 };

/* Rows of BF16 activations lie behind the quantised ones. */
static size_t bf16_bytes(size_t m, size_t n_in)
{
    return (2 * m * n_in + 63) / 64 * 64;
}

size_t lf_matmul_scratch_bytes(size_t m, size_t n_in)
{
    return m * ((n_in + 31) / 32) * sizeof(lf_act32) + bf16_bytes(m, n_in);
}

/* Quantise rows [begin, end) of x into the tile list. */
typedef struct quant_task {
    const lf_kernels *k;
    const float *x;
    size_t m, n_in, n_blocks;
    lf_act32 *dst;
} quant_task;

static void quantize_rows(void *ud, size_t begin, size_t end, int worker)
{
    const quant_task *t = ud;
    (void)worker;
    for (size_t r = begin; r < end; r++) {
        /* The tiles of 16 come first, then of 4, then of 1. */
        const size_t in16 = t->m / 16 * 16, in4 = in16 + (t->m - in16) / 4 * 4;
        const size_t tile = r < in16 ? 16 : r < in4 ? 4 : 1;
        const size_t first = r < in16 ? r / 16 * 16 : r < in4 ? in16 + (r - in16) / 4 * 4 : r;
        t->k->elem->quantize(t->x + r * t->n_in, t->n_in,
                             t->dst + first * t->n_blocks + (r - first), tile);
    }
}

typedef struct bf16_task {
    const lf_kernels *k;
    const float *x;
    size_t n_in;
    uint16_t *dst;
} bf16_task;

static void bf16_rows(void *ud, size_t begin, size_t end, int worker)
{
    const bf16_task *t = ud;
    (void)worker;
    t->k->elem->to_bf16(t->x + begin * t->n_in, (end - begin) * t->n_in, t->dst + begin * t->n_in);
}

typedef struct plan {
    const lf_weight *const *w;
    const float *const *bias;
    float *const *y;
    size_t n_w, m, n_in, n_blocks;
    const float *x;
    const lf_act32 *act;
    const uint16_t *x_bf16;
    size_t chunk_rows; /* a multiple of 16 */
    size_t n_units;    /* of all weights */
} plan;

static bool is_float(lf_type t)
{
    return t == LF_F32 || t == LF_F16 || t == LF_BF16;
}

static size_t units_of(const lf_weight *w)
{
    return (w->n_out + UNIT_ROWS - 1) / UNIT_ROWS;
}

/* One block of a row that is used where it is: the arithmetic of kern_matmul.c. */
static float add_plain_block(lf_type t, float acc, const lf_q32 *q, const lf_act32 *x)
{
    const float d = lf_f16_to_f32(q->d), m = lf_f16_to_f32(q->m);
    const int offset = t == LF_Q4_0 ? 8 : t == LF_Q5_0 ? 16 : t == LF_Q6_K ? 32 : 0;
    int32_t sum[2] = { 0, 0 };
    for (int i = 0; i < 32; i++) {
        const int w = t == LF_Q8_0 ? (int8_t)q->q[i] : (int)q->q[i] - offset;
        sum[i / 16] += w * x->q[i];
    }
    switch (t) {
    case LF_Q6_K:
        acc = fmaf((float)sum[0], d * (float)(int8_t)q->sc[0] * x->d, acc);
        return fmaf((float)sum[1], d * (float)(int8_t)q->sc[1] * x->d, acc);
    case LF_Q4_K:
    case LF_Q5_K:
        acc = fmaf((float)(sum[0] + sum[1]), d * (float)q->sc[0] * x->d, acc);
        return fmaf(-m * (float)q->mn, x->ds, acc);
    case LF_Q4_1:
    case LF_Q5_1:
        acc = fmaf((float)(sum[0] + sum[1]), d * x->d, acc);
        return fmaf(m, x->ds, acc);
    default:
        return fmaf((float)(sum[0] + sum[1]), d * x->d, acc);
    }
}

/* Quantised rows [o0, o1) used where they are, against the tile list x. */
static void plain_rows(const lf_packed_job *j, const lf_weight *w, size_t o0, size_t o1)
{
    const size_t row_bytes = lf_type_row_bytes(w->type, w->n_in);
    for (size_t o = o0; o < o1; o++) {
        const uint8_t *row = (const uint8_t *)w->rows + o * row_bytes;
        const lf_act32 *x = j->x;
        for (size_t first = 0, tile; first < j->m; first += tile, x += tile * j->n_blocks) {
            float acc[16] = { 0 };
            tile = lf_tile_rows(j->m - first);
            for (size_t b = 0; b < j->n_blocks; b++) {
                lf_q32 q;
                lf_q32_read(w->type, row, b, &q);
                for (size_t r = 0; r < tile; r++)
                    acc[r] = add_plain_block(w->type, acc[r], &q, x + b * tile + r);
            }
            for (size_t r = 0; r < tile; r++)
                j->y[(first + r) * j->y_stride + o] = j->bias ? acc[r] + j->bias[o] : acc[r];
        }
    }
}

/* Units [u0, u1) of weight i against rows [r0, r0 + m). */
static void run_units(const plan *p, size_t i, size_t u0, size_t u1, size_t r0, size_t m)
{
    const lf_weight *w = p->w[i];
    const lf_kernels *k = lf_kernels_get(w->level);
    const float *bias = p->bias ? p->bias[i] : NULL;
    float *y = p->y[i] + r0 * w->n_out;
    const size_t o0 = u0 * UNIT_ROWS;
    const size_t o1 = u1 * UNIT_ROWS < w->n_out ? u1 * UNIT_ROWS : w->n_out;
    if (is_float(w->type)) {
        const lf_rows_job j = { .type = w->type,
                                .rows = w->rows,
                                .n_in = w->n_in,
                                .x = w->type == LF_BF16 ? (const void *)(p->x_bf16 + r0 * p->n_in)
                                                        : (const void *)(p->x + r0 * p->n_in),
                                .m = m,
                                .bias = bias,
                                .y = y,
                                .y_stride = w->n_out };
        k->matmul->rows(&j, o0, o1);
        return;
    }
    const lf_packed_job j = { .type = w->type,
                              .packed = w->packed,
                              .group_bytes = lf_pack_group_bytes(w->type, p->n_blocks),
                              .n_blocks = p->n_blocks,
                              .n_out = w->n_out,
                              .x = p->act + r0 * p->n_blocks,
                              .m = m,
                              .bias = bias,
                              .y = y,
                              .y_stride = w->n_out };
    if (w->packed)
        k->matmul->packed(&j, u0, u1);
    else
        plain_rows(&j, w, o0, o1);
}

/* Items [begin, end) of the grid, chunk by chunk and weight by weight. */
static void run_items(void *ud, size_t begin, size_t end, int worker)
{
    const plan *p = ud;
    (void)worker;
    while (begin < end) {
        const size_t chunk = begin / p->n_units;
        const size_t r0 = chunk * p->chunk_rows;
        const size_t m = p->m - r0 < p->chunk_rows ? p->m - r0 : p->chunk_rows;
        size_t i = 0, u = begin % p->n_units;
        while (u >= units_of(p->w[i]))
            u -= units_of(p->w[i++]);
        const size_t left = units_of(p->w[i]) - u;
        const size_t n = end - begin < left ? end - begin : left;
        run_units(p, i, u, u + n, r0, m);
        begin += n;
    }
}

static size_t rows_per_chunk(size_t m, size_t n_blocks)
{
    const size_t fit = CHUNK_BYTES / (n_blocks * sizeof(lf_act32) + 1) / 16 * 16;
    const size_t rows = fit < 16 ? 16 : fit;
    return rows < m ? rows : (m + 15) / 16 * 16;
}

void lf_matmul_many(lf_pool *pool, const lf_weight *const *w, size_t n_w, const float *x, size_t m,
                    const float *const *bias, float *const *y, void *scratch)
{
    if (m == 0 || n_w == 0)
        return;
    const size_t n_in = w[0]->n_in, n_blocks = (n_in + 31) / 32;
    plan p = { .w = w,
               .bias = bias,
               .y = y,
               .n_w = n_w,
               .m = m,
               .n_in = n_in,
               .n_blocks = n_blocks,
               .x = x,
               .chunk_rows = rows_per_chunk(m, n_blocks) };
    lf_act32 *act = scratch;
    uint16_t *x_bf16 = (uint16_t *)(void *)(act + m * n_blocks);
    p.act = act;
    p.x_bf16 = x_bf16;
    bool quantised = false, bf16 = false;
    for (size_t i = 0; i < n_w; i++) {
        LF_ASSERT(w[i]->n_in == n_in && lf_kernels_get(w[i]->level));
        p.n_units += units_of(w[i]);
        quantised |= !is_float(w[i]->type);
        bf16 |= w[i]->type == LF_BF16;
    }
    if (quantised) {
        quant_task q = { lf_kernels_get(w[0]->level), x, m, n_in, n_blocks, scratch };
        lf_pool_run(m < 4 ? NULL : pool, m, 16, quantize_rows, &q);
    }
    if (bf16) {
        bf16_task b = { lf_kernels_get(w[0]->level), x, n_in, x_bf16 };
        lf_pool_run(m < 4 ? NULL : pool, m, 16, bf16_rows, &b);
    }
    const size_t n_chunks = (m + p.chunk_rows - 1) / p.chunk_rows;
    const size_t n = n_chunks * p.n_units, pieces = 8 * (size_t)lf_pool_threads(pool);
    const size_t grain = n / pieces < 1 ? 1 : n / pieces > GRAIN_MAX ? GRAIN_MAX : n / pieces;
    lf_pool_run(pool, n, grain, run_items, &p);
}

void lf_matmul(lf_pool *pool, const lf_weight *w, const float *x, size_t m, const float *bias,
               float *y, void *scratch)
{
    lf_matmul_many(pool, &w, 1, x, m, &bias, &y, scratch);
}

void lf_weight_row(const lf_weight *w, size_t row, float *dst)
{
    if (!w->packed) {
        const size_t bytes = lf_type_row_bytes(w->type, w->n_in);
        lf_dequant_row(w->type, (const uint8_t *)w->rows + row * bytes, dst, w->n_in);
        return;
    }
    const size_t n_blocks = w->n_in / 32;
    const uint8_t *group =
        (const uint8_t *)w->packed + row / LF_PACK_ROWS * lf_pack_group_bytes(w->type, n_blocks);
    for (size_t b = 0; b < n_blocks; b++) {
        lf_q32 q;
        lf_pack_read(w->type, group, row % LF_PACK_ROWS, b, &q);
        lf_q32_values(w->type, &q, dst + 32 * b);
    }
}

/* Column j of a row without a buffer for the row: block by block. */
static double dot_row_ref(const lf_weight *w, size_t row, const float *x)
{
    double sum = 0.0;
    if (is_float(w->type)) {
        for (size_t j = 0; j < w->n_in; j++) {
            float v;
            const size_t at = row * w->n_in + j;
            lf_dequant_row(w->type, (const uint8_t *)w->rows + at * (w->type == LF_F32 ? 4 : 2), &v,
                           1);
            sum += (double)v * (double)x[j];
        }
        return sum;
    }
    const size_t n_blocks = w->n_in / 32, row_bytes = lf_type_row_bytes(w->type, w->n_in);
    for (size_t b = 0; b < n_blocks; b++) {
        lf_q32 q;
        float v[32];
        if (w->packed)
            lf_pack_read(w->type,
                         (const uint8_t *)w->packed +
                             row / LF_PACK_ROWS * lf_pack_group_bytes(w->type, n_blocks),
                         row % LF_PACK_ROWS, b, &q);
        else
            lf_q32_read(w->type, (const uint8_t *)w->rows + row * row_bytes, b, &q);
        lf_q32_values(w->type, &q, v);
        for (int j = 0; j < 32; j++)
            sum += (double)v[j] * (double)x[32 * b + (size_t)j];
    }
    return sum;
}

void lf_matmul_ref(const lf_weight *w, const float *x, size_t m, const float *bias, float *y)
{
    for (size_t r = 0; r < m; r++)
        for (size_t o = 0; o < w->n_out; o++)
            y[r * w->n_out + o] =
                (float)(dot_row_ref(w, o, x + r * w->n_in) + (bias ? (double)bias[o] : 0.0));
}

/* tensor/rope.c - angles of rotary embedding and their application. */
#include "tensor/rope.h"

#include <math.h>

#include "tensor/kernels.h"

void lf_rope_table(const lf_rope *r, const int32_t *pos, size_t m, float *cs)
{
    const size_t half = r->n_dims / 2;
    const double scale = r->freq_scale != 0.0f ? (double)r->freq_scale : 1.0;
    const double mscale = r->mscale != 0.0f ? (double)r->mscale : 1.0;
    for (size_t i = 0; i < half; i++) {
        double freq = scale * pow((double)r->base, -2.0 * (double)i / (double)r->n_dims);
        if (r->freq_factors)
            freq /= (double)r->freq_factors[i];
        for (size_t k = 0; k < m; k++) {
            const double angle = (double)pos[k] * freq;
            cs[k * r->n_dims + i] = (float)(cos(angle) * mscale);
            cs[k * r->n_dims + half + i] = (float)(sin(angle) * mscale);
        }
    }
}

typedef struct rope_task {
    const lf_rope *r;
    const float *cs;
    float *x;
    size_t n_heads, head_dim;
} rope_task;

static void rope_rows(void *ud, size_t begin, size_t end, int worker)
{
    const rope_task *t = ud;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        lf_kernels_best()->elem->rope(t->r->kind, t->r->n_dims, t->cs + i * t->r->n_dims,
                                      t->x + i * t->n_heads * t->head_dim, t->n_heads, t->head_dim);
}

void lf_rope_apply(lf_pool *pool, const lf_rope *r, const float *cs, float *x, size_t m,
                   size_t n_heads, size_t head_dim)
{
    rope_task t = { .r = r, .cs = cs, .x = x, .n_heads = n_heads, .head_dim = head_dim };
    lf_pool_run(pool, m, 8, rope_rows, &t);
}

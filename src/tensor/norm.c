/* tensor/norm.c - RMS and layer normalisation over rows. */
#include "tensor/norm.h"

#include <math.h>

#include "tensor/kernels.h"

enum { MIN_ELEMENTS = 4096 }; /* below this a piece is not worth a thread */

typedef struct norm_task {
    const float *x, *w, *b;
    size_t n;
    float eps;
    float *y;
} norm_task;

static size_t grain_rows(size_t n)
{
    return n >= MIN_ELEMENTS ? 1 : (MIN_ELEMENTS + n - 1) / n;
}

static void rms_rows(void *ud, size_t begin, size_t end, int worker)
{
    const norm_task *t = ud;
    (void)worker;
    for (size_t r = begin; r < end; r++)
        lf_kernels_best()->elem->rmsnorm(t->x + r * t->n, t->w, t->n, t->eps, t->y + r * t->n);
}

static void layer_rows(void *ud, size_t begin, size_t end, int worker)
{
    const norm_task *t = ud;
    (void)worker;
    for (size_t r = begin; r < end; r++)
        lf_kernels_best()->elem->layernorm(t->x + r * t->n, t->w, t->b, t->n, t->eps,
                                           t->y + r * t->n);
}

void lf_rmsnorm(lf_pool *pool, const float *x, const float *w, size_t m, size_t n, float eps,
                float *y)
{
    norm_task t = { .x = x, .w = w, .n = n, .eps = eps, .y = y };
    lf_pool_run(pool, m, grain_rows(n), rms_rows, &t);
}

void lf_layernorm(lf_pool *pool, const float *x, const float *w, const float *b, size_t m, size_t n,
                  float eps, float *y)
{
    norm_task t = { .x = x, .w = w, .b = b, .n = n, .eps = eps, .y = y };
    lf_pool_run(pool, m, grain_rows(n), layer_rows, &t);
}

void lf_rmsnorm_ref(const float *x, const float *w, size_t m, size_t n, float eps, float *y)
{
    for (size_t r = 0; r < m; r++, x += n, y += n) {
        double ss = 0.0;
        for (size_t i = 0; i < n; i++)
            ss += (double)x[i] * (double)x[i];
        const double s = 1.0 / sqrt(ss / (double)n + (double)eps);
        for (size_t i = 0; i < n; i++)
            y[i] = (float)((double)x[i] * s * (w ? (double)w[i] : 1.0));
    }
}

void lf_layernorm_ref(const float *x, const float *w, const float *b, size_t m, size_t n, float eps,
                      float *y)
{
    for (size_t r = 0; r < m; r++, x += n, y += n) {
        double sum = 0.0, ss = 0.0;
        for (size_t i = 0; i < n; i++)
            sum += (double)x[i];
        const double mean = sum / (double)n;
        for (size_t i = 0; i < n; i++)
            ss += ((double)x[i] - mean) * ((double)x[i] - mean);
        const double s = 1.0 / sqrt(ss / (double)n + (double)eps);
        for (size_t i = 0; i < n; i++)
            y[i] = (float)(((double)x[i] - mean) * s * (w ? (double)w[i] : 1.0) +
                           (b ? (double)b[i] : 0.0));
    }
}

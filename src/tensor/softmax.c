/* tensor/softmax.c - softmax over rows, log-sum-exp, argmax. */
#include "tensor/softmax.h"

#include <math.h>

#include "tensor/kernels.h"

typedef struct softmax_task {
    const float *x;
    size_t n;
    float scale;
    float *y;
} softmax_task;

static void softmax_rows(void *ud, size_t begin, size_t end, int worker)
{
    const softmax_task *t = ud;
    (void)worker;
    for (size_t r = begin; r < end; r++)
        lf_kernels_best()->elem->softmax(t->x + r * t->n, t->n, t->scale, t->y + r * t->n);
}

void lf_softmax(lf_pool *pool, const float *x, size_t m, size_t n, float scale, float *y)
{
    softmax_task t = { .x = x, .n = n, .scale = scale, .y = y };
    lf_pool_run(pool, m, n > 4096 ? 1 : 1 + 4096 / (n + 1), softmax_rows, &t);
}

void lf_softmax_ref(const float *x, size_t m, size_t n, float scale, float *y)
{
    for (size_t r = 0; r < m; r++, x += n, y += n) {
        double max = -INFINITY, sum = 0.0;
        for (size_t i = 0; i < n; i++)
            max = fmax(max, (double)x[i] * (double)scale);
        for (size_t i = 0; i < n; i++)
            sum += max == -INFINITY ? 0.0 : exp((double)x[i] * (double)scale - max);
        for (size_t i = 0; i < n; i++)
            y[i] = sum > 0.0 ? (float)(exp((double)x[i] * (double)scale - max) / sum) : 0.0f;
    }
}

float lf_logsumexp(const float *x, size_t n)
{
    const lf_kernels_elem *k = lf_kernels_best()->elem;
    const float max = k->max(x, n);
    if (max == -INFINITY || max == INFINITY)
        return max;
    return (float)((double)max + log(k->sumexp(x, n, max)));
}

size_t lf_argmax(const float *x, size_t n)
{
    const float max = lf_kernels_best()->elem->max(x, n);
    for (size_t i = 0; i < n; i++)
        if (x[i] == max)
            return i;
    return 0;
}

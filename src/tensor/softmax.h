/* tensor/softmax.h - softmax, its logarithm's normaliser, and the largest element. */
#ifndef LF_TENSOR_SOFTMAX_H
#define LF_TENSOR_SOFTMAX_H

#include <stddef.h>

#include "base/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[r] = softmax(scale * x[r]) for x, y f32[m, n], n >= 1; y may be x.  Elements of
 * -infinity get 0; a row of only those gets zeros. */
void lf_softmax(lf_pool *pool, const float *x, size_t m, size_t n, float scale, float *y);
void lf_softmax_ref(const float *x, size_t m, size_t n, float scale, float *y);

/* log(sum(exp(x))) over f32[n], n >= 1: log-probability i is x[i] minus this. */
float lf_logsumexp(const float *x, size_t n);

/* Index of the largest element, the first of equals; NaN is never the largest. */
size_t lf_argmax(const float *x, size_t n);

#ifdef __cplusplus
}
#endif
#endif

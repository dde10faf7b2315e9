/* tensor/norm.h - normalisation of rows.
 *
 * Threads   Rows are spread over the pool (NULL: the caller's thread).
 * Numbers   Sums run in 16 interleaved lanes that are added in a fixed tree, so
 *           that a row's result is the same on every kernel set, pool and batch.
 */
#ifndef LF_TENSOR_NORM_H
#define LF_TENSOR_NORM_H

#include <stddef.h>

#include "base/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/* y[r] = w * x[r] / sqrt(mean(x[r]^2) + eps).  x, y f32[m, n], n >= 1; w f32[n] or
 * NULL for ones; y may be x.  Norms per head: m = tokens * heads, n = head_dim.
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467. */
void lf_rmsnorm(lf_pool *pool, const float *x, const float *w, size_t m, size_t n, float eps,
                float *y);
void lf_rmsnorm_ref(const float *x, const float *w, size_t m, size_t n, float eps, float *y);

/* y[r] = w * (x[r] - mean) / sqrt(var + eps) + b.  w, b f32[n]; either may be NULL;
 * y may be x.  Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450. */
void lf_layernorm(lf_pool *pool, const float *x, const float *w, const float *b, size_t m, size_t n,
                  float eps, float *y);
void lf_layernorm_ref(const float *x, const float *w, const float *b, size_t m, size_t n, float eps,
                      float *y);

#ifdef __cplusplus
}
#endif
#endif

/* tensor/matmul.h - y = x W^T for every weight type, on the best kernel set.
 *
 * A weight is prepared once: where a repacked layout is faster it is written
 * into caller's memory (which may be a mapped cache file), otherwise the rows
 * are used where they are.
 *
 * Activations  are quantised per row in blocks of 32 for quantised weights, rounded to
 *              bfloat16 for BF16 weights, and used as they are for F32 and F16.
 * Determinism  Each output is reduced over its columns in one fixed order, so that a
 *              result depends neither on m, on chunking or thread count, nor on the
 *              kernel set (lf_cpu_level).
 * Threads      A prepared weight is immutable.
 */
#ifndef LF_TENSOR_MATMUL_H
#define LF_TENSOR_MATMUL_H

#include "base/cpu.h"
#include "base/err.h"
#include "base/pool.h"
#include "tensor/type.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_weight {
    lf_type type;
    size_t n_out, n_in; /* rows and columns of W */
    const void *rows;   /* GGUF layout, row-major; may be NULL when packed is set */
    const void *packed; /* repacked for `level`, or NULL */
    lf_cpu_level level;
} lf_weight;

/* Bytes that the repacked form takes; 0 = this type is used as it is. */
size_t lf_weight_packed_bytes(lf_type t, size_t n_out, size_t n_in, lf_cpu_level level);

/* Repack `rows` into dst (lf_weight_packed_bytes, 64-byte aligned). */
void lf_weight_pack(lf_type t, size_t n_out, size_t n_in, const void *rows, lf_cpu_level level,
                    void *dst, lf_pool *pool);

/* Scratch that lf_matmul needs for m rows of n_in activations, 64-byte aligned. */
size_t lf_matmul_scratch_bytes(size_t m, size_t n_in);

/* y f32[m, n_out] = x f32[m, n_in] W^T (+ bias f32[n_out] unless NULL). */
void lf_matmul(lf_pool *pool, const lf_weight *w, const float *x, size_t m, const float *bias,
               float *y, void *scratch);

/* Several weights over the same x (q, k, v; gate, up): activations are quantised
 * once.  y[i] f32[m, w[i]->n_out]. */
void lf_matmul_many(lf_pool *pool, const lf_weight *const *w, size_t n_w, const float *x, size_t m,
                    const float *const *bias, float *const *y, void *scratch);

/* The definition: dequantise, multiply, sum in double. */
void lf_matmul_ref(const lf_weight *w, const float *x, size_t m, const float *bias, float *y);

/* One row of W as floats (embedding lookup); works on `rows` or `packed`. */
void lf_weight_row(const lf_weight *w, size_t row, float *dst);

#ifdef __cplusplus
}
#endif
#endif

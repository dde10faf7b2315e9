/* tensor/vec.h - dot products of single vectors and of one vector with many.
 *
 * Sums run in 16 interleaved lanes added in a fixed tree: the same on every
 * kernel set.
 */
#ifndef LF_TENSOR_VEC_H
#define LF_TENSOR_VEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

float lf_dot_f32(const float *a, const float *b, size_t n);

/* out[i] = q . rows[i] for q f32[dim], rows f16[n, dim]: the scan of a vector search. */
void lf_dot_f16_rows(const float *q, const uint16_t *rows, size_t n, size_t dim, float *out);

/* The same for rows of Q4_0 (type.h), 18 bytes per 32 values; dim is a multiple of 32. */
void lf_dot_q4_rows(const float *q, const uint8_t *rows, size_t n, size_t dim, float *out);

/* Conversion of whole arrays, rounding to nearest even. */
void lf_vec_f32_to_f16(const float *x, size_t n, uint16_t *y);
void lf_vec_f16_to_f32(const uint16_t *x, size_t n, float *y);

/* x /= |x|_2; a zero vector stays zero. */
void lf_vec_normalize(float *x, size_t n);

#ifdef __cplusplus
}
#endif
#endif

/* tensor/vec.c - dot products and conversions of vectors, on the best kernel set. */
#include "tensor/vec.h"

#include <math.h>

#include "tensor/kernels.h"

float lf_dot_f32(const float *a, const float *b, size_t n)
{
    return lf_kernels_best()->elem->dot(a, b, n);
}

void lf_dot_f16_rows(const float *q, const uint16_t *rows, size_t n, size_t dim, float *out)
{
    lf_kernels_best()->elem->dot_f16_rows(q, rows, n, dim, out);
}

void lf_dot_q4_rows(const float *q, const uint8_t *rows, size_t n, size_t dim, float *out)
{
    lf_kernels_best()->elem->dot_q4_rows(q, rows, n, dim, out);
}

void lf_vec_f32_to_f16(const float *x, size_t n, uint16_t *y)
{
    lf_kernels_best()->elem->to_f16(x, n, y);
}

void lf_vec_f16_to_f32(const uint16_t *x, size_t n, float *y)
{
    lf_kernels_best()->elem->from_f16(x, n, y);
}

void lf_vec_normalize(float *x, size_t n)
{
    const float norm = sqrtf(lf_dot_f32(x, x, n));
    if (norm > 0.0f)
        lf_kernels_best()->elem->scale(x, 1.0f / norm, n, x);
}

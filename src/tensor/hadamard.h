/* tensor/hadamard.h - a rotation that spreads what a few dims hold over all of them.
 *
 *     y = H x, H the Walsh-Hadamard matrix: entries 1 and -1, H H = n I
 *
 * In few bits a dim that is far larger than the 31 beside it would leave nothing of them.
 * Source: QuaRot, Ashkboos et al. 2024, arXiv:2404.00456. */
#ifndef LF_TENSOR_HADAMARD_H
#define LF_TENSOR_HADAMARD_H

#include <stddef.h>

/* Dims are rotated in runs of n: the largest power of two that divides them. */
static inline size_t lf_hadamard_run(size_t dim)
{
    return dim & (~dim + 1);
}

/* In place; sums and differences in a fixed order, hence the same bits everywhere. */
static inline void lf_hadamard(float *x, size_t dim)
{
    const size_t run = lf_hadamard_run(dim);
    for (size_t half = 1; half < run; half *= 2)
        for (size_t i = 0; i < dim; i += 2 * half)
            for (size_t j = i; j < i + half; j++) {
                const float a = x[j], b = x[j + half];
                x[j] = a + b;
                x[j + half] = a - b;
            }
}

#endif

/* tensor/type_int.h - one block of 32 weights in the form that all formats share.
 *
 * Packing, the plain kernel and dequantisation read blocks through this, so
 * that each format's bit layout is known in one place (type.c).
 *
 *     Q4_0 Q5_0 Q8_0   w = d (q - offset)            offset 8, 16; Q8_0: q is int8
 *     Q4_1 Q5_1        w = d q + m
 *     Q4_K Q5_K        w = d sc[0] q - m mn
 *     Q6_K             w = d sc[i / 16] (q - 32)     sc is int8
 */
#ifndef LF_TENSOR_TYPE_INT_H
#define LF_TENSOR_TYPE_INT_H

#include "tensor/type.h"

typedef struct lf_q32 {
    uint8_t q[32];
    uint16_t d, m; /* f16 bits */
    uint8_t sc[2], mn;
} lf_q32;

/* Block b (of 32 columns) of a quantised row. */
void lf_q32_read(lf_type t, const void *row, size_t b, lf_q32 *out);

/* Its 32 values. */
void lf_q32_values(lf_type t, const lf_q32 *q, float *dst);

#endif

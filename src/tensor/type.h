/* tensor/type.h - element types and quantised blocks.
 *
 * The numbers are GGUF's ggml_type values, so that a file's type is this enum.
 */
#ifndef LF_TENSOR_TYPE_H
#define LF_TENSOR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_type {
    LF_F32 = 0,
    LF_F16 = 1,
    LF_Q4_0 = 2,
    LF_Q4_1 = 3,
    LF_Q5_0 = 6,
    LF_Q5_1 = 7,
    LF_Q8_0 = 8,
    LF_Q4_K = 12,
    LF_Q5_K = 13,
    LF_Q6_K = 14,
    LF_BF16 = 30
} lf_type;

bool lf_type_known(uint32_t t);
const char *lf_type_name(lf_type t); /* "Q4_0" */
size_t lf_type_block(lf_type t);     /* elements per block: 1, 32 or 256 */
size_t lf_type_block_bytes(lf_type t);

/* Bytes of a row of n elements; 0 when n is not a multiple of the block. */
size_t lf_type_row_bytes(lf_type t, size_t n);

float lf_f16_to_f32(uint16_t h);
uint16_t lf_f32_to_f16(float f); /* round to nearest even */
float lf_bf16_to_f32(uint16_t h);
uint16_t lf_f32_to_bf16(float f); /* round to nearest even */

/* Definition of each format: one row to floats, and the plain quantiser. */
void lf_dequant_row(lf_type t, const void *src, float *dst, size_t n);
void lf_quant_row_ref(lf_type t, const float *src, void *dst, size_t n); /* n: whole blocks */

#ifdef __cplusplus
}
#endif
#endif

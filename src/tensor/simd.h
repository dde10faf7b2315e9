/* tensor/simd.h - the vector type that the kernel sources are written over.
 *
 * kern_*.c are compiled once per kernel set (meson.build), each time with that
 * set's compiler flags and LF_SIMD_<SET> defined; this header then gives
 *
 *     vf   LF_VL floats            LF_VL divides 16
 *     vi   LF_VL int32, or 4 LF_VL bytes
 *
 * and the same operations on every set.  Each is exactly rounded (fma once,
 * mul and add each once), so that a kernel written over them gives the same
 * bits on every set.  There is no approximate reciprocal here for that reason.
 *
 *     lf_sum16(v)         sum of the 16 lanes of LF_VH vectors in a fixed tree: lane l takes
 *                         lane l + 8, then + 4, + 2, + 1
 *     vi_dot4(acc, w, x)  acc[l] += sum of 4 of w[4l+k] * x[4l+k], w in [0, 63], x int8
 *     vi_dot4s(acc, w, x) the same for w made by vi_prep_s8 of int8 bytes; where
 *                         LF_S8_BIAS is not 0, acc comes out LF_S8_BIAS * sum(x) too large
 *     vf_dot_bf16(acc, w, x)  two bfloat16 a lane: acc[l] + w[2l+1] x[2l+1], rounded,
 *                         + w[2l] x[2l], rounded.  Where the processor does it in one
 *                         instruction, subnormal numbers count as zero.
 */
#ifndef LF_TENSOR_SIMD_H
#define LF_TENSOR_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The scalar set is left to the compiler's judgement: with 16-lane loops forced into
 * every tile, a sanitizer build of it took minutes and 800 MB. */
#if defined(LF_SIMD_SCALAR)
#define LF_INLINE static inline __attribute__((unused))
#else
#define LF_INLINE static inline __attribute__((always_inline))
#endif

#if defined(LF_SIMD_AVX512_BF16) || defined(LF_SIMD_AVX512_VNNI) || defined(LF_SIMD_AVX512)
#include "tensor/simd_avx512.h"
#elif defined(LF_SIMD_AVX2)
#include "tensor/simd_avx2.h"
#elif defined(LF_SIMD_NEON)
#include "tensor/simd_neon.h"
#else
#include "tensor/simd_scalar.h"
#endif

enum { LF_VH = 16 / LF_VL }; /* vectors that make 16 lanes */

/* Ask for the line `ahead` bytes after p; it may lie outside of the array. */
LF_INLINE void lf_prefetch(const void *p, size_t ahead)
{
    __builtin_prefetch((const void *)((uintptr_t)p + ahead));
}

/* The first n < LF_VL floats of p, zeros behind. */
LF_INLINE vf vf_load_n(const float *p, size_t n)
{
    float t[LF_VL] = { 0 };
    memcpy(t, p, n * sizeof *t);
    return vf_load(t);
}

LF_INLINE void vf_store_n(float *p, vf v, size_t n)
{
    float t[LF_VL];
    vf_store(t, v);
    memcpy(p, t, n * sizeof *t);
}

#endif

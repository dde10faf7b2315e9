/* tensor/kernels_int.h - the parts that kern_*.c define, once per kernel set. */
#ifndef LF_TENSOR_KERNELS_INT_H
#define LF_TENSOR_KERNELS_INT_H

#include "tensor/kernels.h"

#if defined(LF_SIMD_AVX512_BF16)
#define LF_KERNEL_SYMBOL(name) name##_avx512_bf16
#elif defined(LF_SIMD_AVX512_VNNI)
#define LF_KERNEL_SYMBOL(name) name##_avx512_vnni
#elif defined(LF_SIMD_AVX512)
#define LF_KERNEL_SYMBOL(name) name##_avx512
#elif defined(LF_SIMD_AVX2)
#define LF_KERNEL_SYMBOL(name) name##_avx2
#elif defined(LF_SIMD_NEON)
#define LF_KERNEL_SYMBOL(name) name##_neon
#else
#define LF_KERNEL_SYMBOL(name) name##_scalar
#endif

#define LF_KERNEL_SET(set)                                                                         \
    extern const lf_kernels_elem lf_kernels_elem_##set;                                            \
    extern const lf_kernels_matmul lf_kernels_matmul_##set;                                        \
    extern const lf_kernels_attention lf_kernels_attention_##set

LF_KERNEL_SET(scalar);
#if defined(__x86_64__)
LF_KERNEL_SET(avx2);
LF_KERNEL_SET(avx512);
LF_KERNEL_SET(avx512_vnni);
LF_KERNEL_SET(avx512_bf16);
#elif defined(__aarch64__)
LF_KERNEL_SET(neon);
#endif

#endif

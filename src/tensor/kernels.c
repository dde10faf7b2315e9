/* tensor/kernels.c - the kernel sets of this build and the choice among them. */
#include "tensor/kernels.h"

#include "tensor/kernels_int.h"

#define SET(id, name)                                                                              \
    {                                                                                              \
        .level = (id), .elem = &lf_kernels_elem_##name, .matmul = &lf_kernels_matmul_##name,       \
        .attention = &lf_kernels_attention_##name                                                  \
    }

static const lf_kernels sets[] = {
    SET(LF_CPU_SCALAR, scalar),
#if defined(__x86_64__)
    SET(LF_CPU_AVX2, avx2),
    SET(LF_CPU_AVX512, avx512),
    SET(LF_CPU_AVX512_VNNI, avx512_vnni),
    SET(LF_CPU_AVX512_BF16, avx512_bf16),
#elif defined(__aarch64__)
    SET(LF_CPU_NEON, neon),
#endif
};

const lf_kernels *lf_kernels_get(lf_cpu_level level)
{
    if (!lf_cpu_supports(level))
        return NULL;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (sets[i].level == level)
            return &sets[i];
    return NULL;
}

const lf_kernels *lf_kernels_best(void)
{
    static const lf_kernels *best; /* the same value whoever writes it first */
    const lf_kernels *k = __atomic_load_n(&best, __ATOMIC_RELAXED);
    if (!k) {
        k = lf_kernels_get(lf_cpu_best());
        if (!k)
            k = &sets[0];
        __atomic_store_n(&best, k, __ATOMIC_RELAXED);
    }
    return k;
}

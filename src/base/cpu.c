/* base/cpu.c - instruction sets and processor count of the machine that runs. */
#include "base/cpu.h"

#include <sched.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

bool lf_cpu_supports(lf_cpu_level level)
{
    switch (level) {
    case LF_CPU_SCALAR:
        return true;
#if defined(__x86_64__)
    case LF_CPU_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case LF_CPU_AVX512:
        return lf_cpu_supports(LF_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    case LF_CPU_AVX512_VNNI:
        return lf_cpu_supports(LF_CPU_AVX512) && __builtin_cpu_supports("avx512vnni");
    case LF_CPU_AVX512_BF16:
        return lf_cpu_supports(LF_CPU_AVX512_VNNI) && __builtin_cpu_supports("avx512bf16");
#endif
#if defined(__aarch64__)
    case LF_CPU_NEON:
        return (getauxval(AT_HWCAP) & (1ul << 20)) != 0; /* HWCAP_ASIMDDP */
#endif
    default:
        return false;
    }
}

lf_cpu_level lf_cpu_best(void)
{
    static const lf_cpu_level order[] = { LF_CPU_NEON, LF_CPU_AVX512_BF16, LF_CPU_AVX512_VNNI,
                                          LF_CPU_AVX512, LF_CPU_AVX2 };
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++)
        if (lf_cpu_supports(order[i]))
            return order[i];
    return LF_CPU_SCALAR;
}

const char *lf_cpu_level_name(lf_cpu_level level)
{
    switch (level) {
    case LF_CPU_SCALAR:
        return "scalar";
    case LF_CPU_AVX2:
        return "avx2";
    case LF_CPU_AVX512:
        return "avx512";
    case LF_CPU_AVX512_VNNI:
        return "avx512-vnni";
    case LF_CPU_AVX512_BF16:
        return "avx512-bf16";
    case LF_CPU_NEON:
        return "neon";
    }
    return "unknown";
}

int lf_cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    const int n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

/* base/cpu.h - what this processor can do, and how many there are. */
#ifndef LF_BASE_CPU_H
#define LF_BASE_CPU_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_cpu_level { /* kernel sets, each includes the ones before it on its line */
                            LF_CPU_SCALAR,
                            LF_CPU_AVX2,        /* AVX2 + FMA + F16C */
                            LF_CPU_AVX512,      /* + AVX-512 F BW DQ VL */
                            LF_CPU_AVX512_VNNI, /* + VNNI */
                            LF_CPU_AVX512_BF16, /* + VNNI and BF16 */
                            LF_CPU_NEON         /* AArch64 with dot product */
} lf_cpu_level;

lf_cpu_level lf_cpu_best(void);
bool lf_cpu_supports(lf_cpu_level level);
const char *lf_cpu_level_name(lf_cpu_level level);

int lf_cpu_count(void); /* processors this process may use, at least 1 */

#ifdef __cplusplus
}
#endif
#endif

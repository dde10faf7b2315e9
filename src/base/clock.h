/* base/clock.h - monotonic and wall time. */
#ifndef LF_BASE_CLOCK_H
#define LF_BASE_CLOCK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int64_t lf_clock_us(void);      /* monotonic, microseconds since some start */
int64_t lf_clock_unix_ms(void); /* wall clock, milliseconds since 1970 UTC */

#ifdef __cplusplus
}
#endif
#endif

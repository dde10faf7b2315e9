/* base/atomic.h - atomic_bool for headers that C and C++ callers include. */
#ifndef LF_BASE_ATOMIC_H
#define LF_BASE_ATOMIC_H

#ifdef __cplusplus
#include <atomic>
using std::atomic_bool;
#else
#include <stdatomic.h>
#endif

#endif

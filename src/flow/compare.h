/* flow/compare.h - which of two answers says more, or came first.
 *
 * Threads    No state; any thread.
 * Errors     LF_ERR_NOMEM.
 */
#ifndef LF_FLOW_COMPARE_H
#define LF_FLOW_COMPARE_H

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* *order: -1 where `a` is less or earlier than `b`, 1 where it is more or later, 0
 * where that cannot be told: each sentence has to hold one date, or else one number,
 * of the same unit, and they have to differ. */
LF_MUST_CHECK lf_status lf_compare_said(const char *a, const char *b, int *order, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

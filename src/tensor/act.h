/* tensor/act.h - activations and other element-wise operations.
 *
 * Arrays are f32[n]; the output may be any of the inputs.  The vector exp,
 * erf and tanh are within 2e-7 (absolute, of the function's own scale) of the
 * double-precision definitions, and the same on every kernel set.
 */
#ifndef LF_TENSOR_ACT_H
#define LF_TENSOR_ACT_H

#include <stddef.h>

#include "base/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_act {
    LF_ACT_SILU,      /* x / (1 + e^-x) */
    LF_ACT_GELU,      /* x/2 (1 + erf(x / sqrt 2)), the exact one: BERT */
    LF_ACT_GELU_TANH, /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): gemma */
    LF_ACT_RELU,
    LF_ACT_TANH
} lf_act;

/* y = act(x) */
void lf_act_apply(lf_pool *pool, lf_act act, const float *x, size_t n, float *y);
/* y = act(gate) * up: the gated feed-forward of llama, qwen (SILU) and gemma (GELU_TANH) */
void lf_act_mul(lf_pool *pool, lf_act act, const float *gate, const float *up, size_t n, float *y);
/* The definition, in double. */
double lf_act_ref(lf_act act, double x);

void lf_add(lf_pool *pool, const float *a, const float *b, size_t n, float *y); /* y = a + b */
void lf_scale(lf_pool *pool, const float *x, float s, size_t n, float *y);      /* y = s x */
void lf_softcap(lf_pool *pool, const float *x, float cap, size_t n, float *y); /* cap tanh(x/cap) */

#ifdef __cplusplus
}
#endif
#endif

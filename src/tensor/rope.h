/* tensor/rope.h - rotary position embedding.
 *
 * The angles of a step are computed once (lf_rope_table) and applied to the
 * queries and keys of every layer (lf_rope_apply).
 *
 *     angle(p, i) = p * freq_scale * base^(-2 i / n_dims) / freq_factors[i]
 *     (a, b) -> (a cos - b sin, a sin + b cos) * mscale
 *
 * Source: Su et al. 2021, arXiv:2104.09864.
 */
#ifndef LF_TENSOR_ROPE_H
#define LF_TENSOR_ROPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_rope_kind {
    LF_ROPE_NORM, /* pairs (2i, 2i + 1): GGUF's llama */
    LF_ROPE_NEOX  /* pairs (i, i + n_dims / 2): qwen, gemma */
} lf_rope_kind;

typedef struct lf_rope {
    lf_rope_kind kind;
    size_t n_dims;             /* rotated part of a head, even; the rest stays as it is */
    float base;                /* 10000 and the like */
    float freq_scale;          /* 1; 1/factor where positions are scaled linearly; 0 means 1 */
    float mscale;              /* 1; YaRN's attention factor; 0 means 1 */
    const float *freq_factors; /* f32[n_dims / 2], or NULL; borrowed */
} lf_rope;

/* cs f32[m, n_dims]: per row n_dims/2 cosines, then n_dims/2 sines, of pos[m].
 * Angles are computed in double. */
void lf_rope_table(const lf_rope *r, const int32_t *pos, size_t m, float *cs);

/* Rotate x f32[m, n_heads, head_dim] in place; row i takes row i of the table. */
void lf_rope_apply(lf_pool *pool, const lf_rope *r, const float *cs, float *x, size_t m,
                   size_t n_heads, size_t head_dim);

#ifdef __cplusplus
}
#endif
#endif

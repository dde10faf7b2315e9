/* tensor/kernels.h - the table through which every operation reaches its kernels.
 *
 * One entry per device and instruction set; the scalar CPU is the first entry
 * and the reference.  A GPU is another entry with the same functions over its
 * own buffers, never an #ifdef in a model.  lf_kernels_get answers for the CPU
 * sets; operations (matmul.h, norm.h, …) take the best one, lf_weight.level
 * selects one for a product, and tests ask for each.
 *
 * All functions run on the caller's thread, allocate nothing, and give the same
 * bits on every set (simd.h).  A null row pointer is allowed where stated.
 */
#ifndef LF_TENSOR_KERNELS_H
#define LF_TENSOR_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "tensor/act.h"
#include "tensor/attention.h"
#include "tensor/rope.h"
#include "tensor/type.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 32 activations as int8: x = d q.  One cache line. */
typedef struct lf_act32 {
    int8_t q[32];
    float d, ds;       /* ds = d * sum(q) */
    int32_t nsum;      /* -sum(q) */
    int32_t nhalf[2];  /* -sum of the first and the second 16 */
    int32_t unused[3]; /* zero */
} lf_act32;

/* A product of packed rows: y[r * y_stride + o] for r in [0, m) and output o in the
 * 16-row groups [g0, g1).  x is a tile list as lf_matmul lays it out: tiles of 16, 4
 * and 1 rows (lf_tile_rows), each [block][row]. */
typedef struct lf_packed_job {
    lf_type type;
    const uint8_t *packed;
    size_t group_bytes, n_blocks, n_out;
    const lf_act32 *x;
    size_t m;
    const float *bias; /* f32[n_out] or NULL */
    float *y;
    size_t y_stride;
} lf_packed_job;

/* A product of F32, F16 or BF16 rows [o0, o1) with x[m, n_in]: f32, or bf16 where the
 * weights are BF16. */
typedef struct lf_rows_job {
    lf_type type;
    const void *rows;
    size_t n_in;
    const void *x;
    size_t m;
    const float *bias;
    float *y;
    size_t y_stride;
} lf_rows_job;

/* Attention of some (row, head) pairs of one group: pair f is query row f / group,
 * head kv_head * group + f % group.  n_pairs <= LF_ATTN_PAIRS. */
enum { LF_ATTN_PAIRS = 8 };
typedef struct lf_attn_tile {
    const lf_attn *a;
    const lf_attn_job *job;
    size_t kv_head, pair0, n_pairs;
} lf_attn_tile;

typedef struct lf_kernels_elem {
    void (*rmsnorm)(const float *x, const float *w, size_t n, float eps, float *y);
    void (*layernorm)(const float *x, const float *w, const float *b, size_t n, float eps,
                      float *y);
    void (*rope)(lf_rope_kind kind, size_t n_dims, const float *cs, float *x, size_t n_heads,
                 size_t head_dim);
    void (*act)(lf_act act, const float *x, const float *up, size_t n, float *y); /* up or NULL */
    void (*add)(const float *a, const float *b, size_t n, float *y);
    void (*scale)(const float *x, float s, size_t n, float *y);
    void (*softcap)(const float *x, float cap, size_t n, float *y);
    void (*softmax)(const float *x, size_t n, float scale, float *y);
    double (*sumexp)(const float *x, size_t n, float max); /* sum of exp(x - max) */
    float (*max)(const float *x, size_t n);                /* -infinity for n = 0 */
    float (*dot)(const float *a, const float *b, size_t n);
    void (*dot_f16_rows)(const float *q, const uint16_t *rows, size_t n, size_t dim, float *out);
    void (*dot_q4_rows)(const float *q, const uint8_t *rows, size_t n, size_t dim, float *out);
    void (*to_f16)(const float *x, size_t n, uint16_t *y);
    void (*from_f16)(const uint16_t *x, size_t n, float *y);
    void (*to_bf16)(const float *x, size_t n, uint16_t *y);
    /* n values (the last block padded with zeros) to blocks at out, out + stride, … */
    void (*quantize)(const float *x, size_t n, lf_act32 *out, size_t stride);
} lf_kernels_elem;

typedef struct lf_kernels_matmul {
    void (*packed)(const lf_packed_job *j, size_t g0, size_t g1);
    void (*rows)(const lf_rows_job *j, size_t o0, size_t o1);
} lf_kernels_matmul;

typedef struct lf_kernels_attention {
    void (*tile)(const lf_attn_tile *t);
} lf_kernels_attention;

typedef struct lf_kernels {
    lf_cpu_level level;
    const lf_kernels_elem *elem;
    const lf_kernels_matmul *matmul;
    const lf_kernels_attention *attention;
} lf_kernels;

/* NULL when this processor or this build does not have the set. */
const lf_kernels *lf_kernels_get(lf_cpu_level level);
const lf_kernels *lf_kernels_best(void); /* never NULL */

/* Rows of the tile that starts a list of m rows: 16, 4 or 1. */
static inline size_t lf_tile_rows(size_t m)
{
    return m >= 16 ? 16 : m >= 4 ? 4 : 1;
}

#ifdef __cplusplus
}
#endif
#endif

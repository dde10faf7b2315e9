/* tensor/attention.h - attention of query rows over a KV cache, grouped heads.
 *
 *     out[i, h] = sum_j softmax_j(scale * q[i, h] . k[j, h / group]) v[j, h / group]
 *
 * with j over the keys that row i may see.  One causal, sliding-window or
 * bidirectional job is one sequence: a batch of sessions, or of the texts of an
 * encoder, is a list of jobs (lf_attention_many).
 *
 * Cache     The positions of a sequence lie in blocks of LF_KV_BLOCK, found through
 *           a table of pointers: position p in blocks[p / LF_KV_BLOCK].  A block may
 *           hold many layers; a layer's keys and values take lf_kv_bytes of it, from
 *           the same offset `at` in each.  Inside, keys have positions side by side,
 *           so that a SIMD lane owns a position.  Sequences may have blocks in
 *           common; a cache is rewound by just using a smaller n_kv.  Only
 *           lf_kv_store writes a block.
 * Types     LF_Q8_0 and LF_Q4_0 keep keys in 8 bits as differences from the block's
 *           first, and values in 8 or 4, all rotated (hadamard.h), with a half-precision
 *           scale for each position and 32 dims of a head.  A position's bits depend on
 *           itself and the block's first key alone, so that chunks don't change them.
 * Softmax   Streaming (Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al.
 *           2022, arXiv:2205.14135) block by block from position 0, so that a row's result does not depend on which rows
 *           it is computed with, on chunking, or on the thread count.
 * Memory    No allocation; tiles live on the workers' stacks (under 64 KiB).
 */
#ifndef LF_TENSOR_ATTENTION_H
#define LF_TENSOR_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "tensor/type.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_KV_BLOCK = 64, LF_HEAD_DIM_MAX = 256 };

/* Shape of one layer's keys and values. */
typedef struct lf_kv_shape {
    lf_type type;    /* LF_F32, LF_F16, LF_Q8_0 or LF_Q4_0: how elements are kept */
    size_t n_heads;  /* key/value heads */
    size_t head_dim; /* 1..LF_HEAD_DIM_MAX */
} lf_kv_shape;

/* Bytes of one layer's keys and values in a block; a multiple of 64. */
size_t lf_kv_bytes(const lf_kv_shape *s);

/* Write m positions starting at pos0: k, v f32[m, n_heads, head_dim] to offset `at` of
 * the blocks (64-byte aligned; the table covers pos0 + m positions). */
void lf_kv_store(lf_pool *pool, const lf_kv_shape *s, uint8_t *const *blocks, size_t at,
                 size_t pos0, const float *k, const float *v, size_t m);
/* Read positions back as f32[m, n_heads, head_dim] (tests). */
void lf_kv_load(const lf_kv_shape *s, uint8_t *const *blocks, size_t at, size_t pos0, float *k,
                float *v, size_t m);

typedef struct lf_attn_job {
    const float *q;         /* f32[m, n_q_heads, head_dim] */
    float *out;             /* f32[m, n_q_heads, head_dim]; may be q */
    size_t m;               /* query rows */
    uint8_t *const *blocks; /* of this sequence, positions [0, n_kv) stored; only read */
    size_t at;              /* offset of the layer in each block */
    size_t n_kv;
    size_t pos0;   /* position of query row 0 (causal) */
    bool causal;   /* row i sees keys j <= pos0 + i; else all of [0, n_kv) */
    size_t window; /* causal: and j > pos0 + i - window; 0 = no window */
} lf_attn_job;

typedef struct lf_attn {
    lf_kv_shape kv;
    size_t n_q_heads; /* a multiple of kv.n_heads */
    float scale;      /* 1 / sqrt(head_dim) mostly */
    float softcap;    /* scores become cap tanh(score / cap); 0 = off */
} lf_attn;

void lf_attention_many(lf_pool *pool, const lf_attn *a, const lf_attn_job *jobs, size_t n_jobs);
void lf_attention(lf_pool *pool, const lf_attn *a, const lf_attn_job *job);
/* The definition: whole rows, in double. */
void lf_attention_ref(const lf_attn *a, const lf_attn_job *job);

#ifdef __cplusplus
}
#endif
#endif

/* tensor/kv_layout.h - where an element lies in a block; for attention.c and its kernel.
 *
 * A layer in a block is its keys, then its values, head by head.  A head is
 *
 *     keys        F32, F16    [4 pages][dim][16 positions]
 *                 quantised   the same of int8, then [group][64 positions] scales, f16, then
 *                             [dim] the block's first key, f16
 *     values      F32, F16    [64 positions][dim]
 *                 Q8_0        the same of int8, then [group][64] scales, f16
 *                 Q4_0        [64][group][16] bytes, then the scales: dims d and d + 16 of a
 *                             group in the halves of a byte, 8 more than they are
 *
 * with dims padded to 16, quantised to groups of 32.
 *
 * Keys differ from the block's first by little in just those dims that are large (biases in
 * dims which hardly turn in 64 positions): what is kept in 8 bits is the difference.
 * Differences and values are kept rotated (hadamard.h).  Keys in 4 bits, differences and rotation tried, cost 4 to 9 % of
 * perplexity where values cost none, so Q4_0 has 8 bits for keys too. */
#ifndef LF_TENSOR_KV_LAYOUT_H
#define LF_TENSOR_KV_LAYOUT_H

#include "tensor/attention.h"

enum { LF_KV_GROUP = 32, LF_KV_GROUPS_MAX = LF_HEAD_DIM_MAX / LF_KV_GROUP };

static inline bool lf_kv_is_quantised(lf_type t)
{
    return t == LF_Q8_0 || t == LF_Q4_0;
}

static inline size_t lf_kv_groups(size_t head_dim)
{
    return (head_dim + LF_KV_GROUP - 1) / LF_KV_GROUP;
}

static inline size_t lf_kv_padded_dim(lf_type t, size_t head_dim)
{
    return lf_kv_is_quantised(t) ? lf_kv_groups(head_dim) * LF_KV_GROUP : (head_dim + 15) / 16 * 16;
}

/* Bytes of one position's elements in a head of keys, and of values. */
static inline size_t lf_kv_key_pos_bytes(lf_type t, size_t head_dim)
{
    return lf_kv_padded_dim(t, head_dim) * (t == LF_F32 ? 4 : t == LF_F16 ? 2 : 1);
}

static inline size_t lf_kv_value_pos_bytes(lf_type t, size_t head_dim)
{
    return lf_kv_key_pos_bytes(t, head_dim) / (t == LF_Q4_0 ? 2 : 1);
}

/* Offsets of the scales, and of the first key, in a head. */
static inline size_t lf_kv_key_scales(lf_type t, size_t head_dim)
{
    return lf_kv_key_pos_bytes(t, head_dim) * LF_KV_BLOCK;
}

static inline size_t lf_kv_value_scales(lf_type t, size_t head_dim)
{
    return lf_kv_value_pos_bytes(t, head_dim) * LF_KV_BLOCK;
}

static inline size_t lf_kv_scales_bytes(lf_type t, size_t head_dim)
{
    return lf_kv_is_quantised(t) ? lf_kv_groups(head_dim) * LF_KV_BLOCK * 2 : 0;
}

static inline size_t lf_kv_first_key(lf_type t, size_t head_dim)
{
    return lf_kv_key_scales(t, head_dim) + lf_kv_scales_bytes(t, head_dim);
}

/* Bytes of a head of keys, and of values. */
static inline size_t lf_kv_key_bytes(lf_type t, size_t head_dim)
{
    return lf_kv_first_key(t, head_dim) +
           (lf_kv_is_quantised(t) ? lf_kv_padded_dim(t, head_dim) * 2 : 0);
}

static inline size_t lf_kv_value_bytes(lf_type t, size_t head_dim)
{
    return lf_kv_value_scales(t, head_dim) + lf_kv_scales_bytes(t, head_dim);
}

#endif

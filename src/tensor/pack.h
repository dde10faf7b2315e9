/* tensor/pack.h - the packed layout of quantised weights.
 *
 * 16 output rows form a group; a group's blocks of 32 columns follow each other
 * in "supers" that share a head of scales:
 *
 *     head    Q4_0 Q5_0 Q8_0   2 blocks: f16 d[16] each
 *             Q4_1 Q5_1        1 block:  f16 d[16], f16 m[16]
 *             Q4_K Q5_K        8 blocks: f16 d[16], f16 -m[16], then per block
 *                                        u8 scale[16], u8 min[16]
 *             Q6_K             8 blocks: f16 d[16], 32 bytes zero, then per block
 *                                        i8 scale[2][16] (columns 0..15, 16..31)
 *     quants  per block, in units of 64 bytes: 4 columns of each of the 16 rows,
 *             byte 4 row + column.  Unit j holds columns 4j .. 4j+3.
 *             Q8_0             8 units of int8
 *             Q4_* Q4_K        4 units: unit j in the low, unit j + 4 in the high nibbles
 *             Q5_* Q5_K        as Q4, then 1 unit: bit j of a byte = fifth bit of unit j
 *             Q6_K             as Q4, then 2 units of the upper 2 bits: units 0..3 and
 *                              4..7, unit j at bits 2 (j % 4)
 *
 * A SIMD lane of 32 bits owns one output row, so sums need no shuffle and their
 * order is that of the columns.  All parts are multiples of 64 bytes.  Rows past
 * n_out are zero.  The layout is the same for every kernel set, so that a packed
 * cache file serves any processor.
 */
#ifndef LF_TENSOR_PACK_H
#define LF_TENSOR_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/type.h"
#include "tensor/type_int.h"

enum { LF_PACK_ROWS = 16 };

typedef struct lf_pack_layout {
    uint16_t n_super;     /* blocks in a super */
    uint16_t head_bytes;  /* scales of a super */
    uint16_t block_bytes; /* quants of a block */
} lf_pack_layout;

/* Of a type that has a packed form; inline so that the kernels see constants. */
static inline lf_pack_layout lf_pack_layout_of(lf_type t)
{
    const uint16_t block_bytes = t == LF_Q8_0                                   ? 512
                                 : t == LF_Q6_K                                 ? 384
                                 : t == LF_Q5_0 || t == LF_Q5_1 || t == LF_Q5_K ? 320
                                                                                : 256;
    if (t == LF_Q4_K || t == LF_Q5_K || t == LF_Q6_K)
        return (lf_pack_layout){ 8, 64 + 8 * 32, block_bytes };
    return (lf_pack_layout){ (uint16_t)(t == LF_Q4_1 || t == LF_Q5_1 ? 1 : 2), 64, block_bytes };
}

bool lf_pack_has(lf_type t); /* is there a packed form? */
size_t lf_pack_group_bytes(lf_type t, size_t n_blocks);

/* Block b of row r (0..15) of a group, as it was before packing. */
void lf_pack_read(lf_type t, const uint8_t *group, size_t r, size_t b, lf_q32 *out);

#endif

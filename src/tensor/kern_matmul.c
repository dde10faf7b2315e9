/* tensor/kern_matmul.c - products of weights and activations; compiled per kernel set.
 *
 * Packed types   A lane owns an output row.  For each block of 32 columns the
 *     8 units of 4 columns are dotted with the activations' int8 in integers
 *     (exact), then
 *         y += (float)isum * (d_w * d_x)         one fma
 *         y += m * (d_x sum(x))                  one more where there is a minimum
 *     in the order of the columns.  Formats with an offset start isum at
 *     -offset * sum(x) instead of subtracting from each weight.  A block's
 *     weights are decoded once and used by all rows of a tile: the arithmetic of
 *     an output does not depend on the tile's size.
 * Float types    16 interleaved chains per output, added in lf_sum16's tree; a chain of BF16
 *     takes two columns at a time, of activations that are BF16 too.
 *
 * The functions below take the type and tile sizes as constants and are inlined
 * into one function per combination. */
#include "tensor/kernels.h"

#include "base/assert.h"
#include "tensor/kernels_int.h"
#include "tensor/pack.h"
#include "tensor/simd.h"

typedef struct block_scales {
    vf d, d1; /* d1: second half (Q6_K) */
    vf m;     /* added per sum(x) (affine formats) */
} block_scales;

LF_INLINE bool is_affine(lf_type t)
{
    return t == LF_Q4_1 || t == LF_Q5_1 || t == LF_Q4_K || t == LF_Q5_K;
}

LF_INLINE bool has_fifth(lf_type t)
{
    return t == LF_Q5_0 || t == LF_Q5_1 || t == LF_Q5_K;
}

/* Units 0..7 of a block, for lanes at byte `off` of each unit. */
LF_INLINE void decode(lf_type t, const uint8_t *p, size_t off, vi *w)
{
    const vi low = vi_set1(0x0f0f0f0f), bit4 = vi_set1(0x10101010), bits45 = vi_set1(0x30303030);
    p += off;
    if (t == LF_Q8_0) {
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++)
            w[j] = vi_prep_s8(vi_load(p + 64 * j));
        return;
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const vi two = vi_load(p + 64 * j);
        w[j] = vi_and(two, low);
        w[j + 4] = vi_and(vi_shr(two, 4), low);
    }
    if (has_fifth(t)) {
        const vi h = vi_load(p + 256);
        w[0] = vi_or_and(w[0], vi_shl(h, 4), bit4);
        w[1] = vi_or_and(w[1], vi_shl(h, 3), bit4);
        w[2] = vi_or_and(w[2], vi_shl(h, 2), bit4);
        w[3] = vi_or_and(w[3], vi_shl(h, 1), bit4);
        w[4] = vi_or_and(w[4], h, bit4);
        w[5] = vi_or_and(w[5], vi_shr(h, 1), bit4);
        w[6] = vi_or_and(w[6], vi_shr(h, 2), bit4);
        w[7] = vi_or_and(w[7], vi_shr(h, 3), bit4);
    } else if (t == LF_Q6_K) {
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            const vi h = vi_load(p + 256 + 64 * k);
            w[4 * k] = vi_or_and(w[4 * k], vi_shl(h, 4), bits45);
            w[4 * k + 1] = vi_or_and(w[4 * k + 1], vi_shl(h, 2), bits45);
            w[4 * k + 2] = vi_or_and(w[4 * k + 2], h, bits45);
            w[4 * k + 3] = vi_or_and(w[4 * k + 3], vi_shr(h, 2), bits45);
        }
    }
}

/* Scales of block s of a super, lanes from row `lane` on. */
LF_INLINE block_scales scales(lf_type t, const uint8_t *head, size_t s, size_t lane)
{
    const uint8_t *sub = head + 64 + 32 * s + lane;
    const uint16_t *half = (const uint16_t *)(const void *)head + lane;
    block_scales r = { .d = vf_set1(0), .d1 = vf_set1(0), .m = vf_set1(0) };
    if (t == LF_Q6_K) {
        const vf d = vf_f16(half);
        r.d = vf_mul(d, vf_s8(sub));
        r.d1 = vf_mul(d, vf_s8(sub + 16));
    } else if (t == LF_Q4_K || t == LF_Q5_K) {
        r.d = vf_mul(vf_f16(half), vf_u8(sub));
        r.m = vf_mul(vf_f16(half + 16), vf_u8(sub + 16));
    } else if (is_affine(t)) {
        r.d = vf_f16(half);
        r.m = vf_f16(half + 16);
    } else {
        r.d = vf_f16(half + 16 * s);
    }
    return r;
}

/* log2 of the offset that isum starts with, or -1. */
LF_INLINE int offset_shift(lf_type t)
{
    return t == LF_Q4_0                     ? 3
           : t == LF_Q5_0                   ? 4
           : t == LF_Q6_K                   ? 5
           : t == LF_Q8_0 && LF_S8_BIAS > 0 ? 7
                                            : -1;
}

LF_INLINE vi isum_start(lf_type t, const int32_t *nsum)
{
    const int shift = offset_shift(t);
    return shift < 0 ? vi_set1(0) : vi_shl(vi_bcast(nsum), shift);
}

LF_INLINE vi dot_units(lf_type t, vi acc, const vi *w, const int8_t *q, int from, int to)
{
#pragma GCC unroll 8
    for (int j = from; j < to; j++) {
        const vi x = vi_bcast(q + 4 * j);
        acc = t == LF_Q8_0 ? vi_dot4s(acc, w[j], x) : vi_dot4(acc, w[j], x);
    }
    return acc;
}

LF_INLINE vf add_block(lf_type t, vf acc, const vi *w, const block_scales *s, const lf_act32 *x)
{
    const vf dx = vf_set1(x->d);
    if (t == LF_Q6_K) {
        const vi a = dot_units(t, isum_start(t, &x->nhalf[0]), w, x->q, 0, 4);
        const vi b = dot_units(t, isum_start(t, &x->nhalf[1]), w, x->q, 4, 8);
        acc = vf_fma(vf_from_vi(a), vf_mul(s->d, dx), acc);
        return vf_fma(vf_from_vi(b), vf_mul(s->d1, dx), acc);
    }
    const vi a = dot_units(t, isum_start(t, &x->nsum), w, x->q, 0, 8);
    acc = vf_fma(vf_from_vi(a), vf_mul(s->d, dx), acc);
    return is_affine(t) ? vf_fma(s->m, vf_set1(x->ds), acc) : acc;
}

/* acc[h * mt + r]: nh vectors of lanes from `lane` on, mt rows of a tile whose blocks
 * are `stride` apart. */
LF_INLINE void packed_tile(lf_type t, int mt, int nh, const uint8_t *group, size_t n_blocks,
                           size_t lane, const lf_act32 *x, size_t stride, vf *acc)
{
    const lf_pack_layout l = lf_pack_layout_of(t);
    const size_t super_bytes = l.head_bytes + (size_t)l.n_super * l.block_bytes;
#pragma GCC unroll 16
    for (int i = 0; i < mt * nh; i++)
        acc[i] = vf_set1(0);
    for (size_t b = 0; b < n_blocks; b += l.n_super, group += super_bytes) {
        const size_t n = n_blocks - b < l.n_super ? n_blocks - b : l.n_super;
        const uint8_t *quants = group + l.head_bytes;
        for (size_t s = 0; s < n; s++, quants += l.block_bytes, x += stride) {
#pragma GCC unroll 4
            for (int h = 0; h < nh; h++) {
                vi w[8];
                const size_t first = lane + (size_t)h * LF_VL;
                const block_scales sc = scales(t, group, s, first);
                decode(t, quants, 4 * first, w);
#pragma GCC unroll 16
                for (int r = 0; r < mt; r++)
                    acc[h * mt + r] = add_block(t, acc[h * mt + r], w, &sc, x + r);
            }
        }
    }
}

/* Write lanes [lane, lane + LF_VL) of a row of outputs that has `left` lanes. */
LF_INLINE void put_lanes(const lf_packed_job *j, size_t row, size_t o, size_t lane, vf v)
{
    const size_t first = o + lane;
    if (first >= j->n_out)
        return;
    float *y = j->y + row * j->y_stride + first;
    if (j->n_out - first >= LF_VL) {
        vf_store(y, j->bias ? vf_add(v, vf_load(j->bias + first)) : v);
        return;
    }
    const size_t n = j->n_out - first;
    vf_store_n(y, j->bias ? vf_add(v, vf_load_n(j->bias + first, n)) : v, n);
}

/* All activation rows against one group, tile by tile. */
LF_INLINE void packed_group(lf_type t, const lf_packed_job *j, size_t g)
{
    const uint8_t *group = j->packed + g * j->group_bytes;
    const lf_act32 *x = j->x;
    vf acc[16];
    for (size_t row = 0, tile; row < j->m; row += tile, x += tile * j->n_blocks) {
        tile = lf_tile_rows(j->m - row);
        if (tile == 1) {
            packed_tile(t, 1, LF_VH, group, j->n_blocks, 0, x, 1, acc);
            for (size_t h = 0; h < LF_VH; h++)
                put_lanes(j, row, g * LF_PACK_ROWS, h * LF_VL, acc[h]);
            continue;
        }
        for (size_t lane = 0; lane < 16; lane += LF_VL)
            for (size_t r = 0; r < tile;) {
                const size_t left = tile - r;
                const size_t mt = left >= LF_TILE_ROWS ? LF_TILE_ROWS : 4;
                if (mt == LF_TILE_ROWS)
                    packed_tile(t, LF_TILE_ROWS, 1, group, j->n_blocks, lane, x + r, tile, acc);
                else
                    packed_tile(t, 4, 1, group, j->n_blocks, lane, x + r, tile, acc);
                for (size_t i = 0; i < mt; i++)
                    put_lanes(j, row + r + i, g * LF_PACK_ROWS, lane, acc[i]);
                r += mt;
            }
    }
}

#define LF_PACKED_FUNCTION(name, type)                                                             \
    static void packed_##name(const lf_packed_job *j, size_t g0, size_t g1)                        \
    {                                                                                              \
        for (size_t g = g0; g < g1; g++)                                                           \
            packed_group(type, j, g);                                                              \
    }
LF_PACKED_FUNCTION(q4_0, LF_Q4_0)
LF_PACKED_FUNCTION(q4_1, LF_Q4_1)
LF_PACKED_FUNCTION(q5_0, LF_Q5_0)
LF_PACKED_FUNCTION(q5_1, LF_Q5_1)
LF_PACKED_FUNCTION(q8_0, LF_Q8_0)
LF_PACKED_FUNCTION(q4_k, LF_Q4_K)
LF_PACKED_FUNCTION(q5_k, LF_Q5_K)
LF_PACKED_FUNCTION(q6_k, LF_Q6_K)

static void packed(const lf_packed_job *j, size_t g0, size_t g1)
{
    switch (j->type) {
    case LF_Q4_0:
        packed_q4_0(j, g0, g1);
        return;
    case LF_Q4_1:
        packed_q4_1(j, g0, g1);
        return;
    case LF_Q5_0:
        packed_q5_0(j, g0, g1);
        return;
    case LF_Q5_1:
        packed_q5_1(j, g0, g1);
        return;
    case LF_Q8_0:
        packed_q8_0(j, g0, g1);
        return;
    case LF_Q4_K:
        packed_q4_k(j, g0, g1);
        return;
    case LF_Q5_K:
        packed_q5_k(j, g0, g1);
        return;
    case LF_Q6_K:
        packed_q6_k(j, g0, g1);
        return;
    default:
        LF_UNREACHABLE("a type with a packed form");
    }
}

/* LF_VL values of a row from column i on, as floats. */
LF_INLINE vf load_row(lf_type t, const void *row, size_t i)
{
    if (t == LF_F32)
        return vf_load((const float *)row + i);
    return vf_f16((const uint16_t *)row + i);
}

/* nr rows of W against mt rows of x: acc[(o * mt + r) * LF_VH + h].  Columns from
 * `from` to `to`, a multiple of 16 apart.  The loops are flat, since gcc 12 keeps an
 * array in registers only when one unrolled loop touches it. */
LF_INLINE void rows_span(lf_type t, int nr, int mt, const uint8_t *const *w,
                         const uint8_t *const *x, size_t from, size_t to, vf *acc)
{
    const size_t size = t == LF_F32 ? 4 : 2, next = (size_t)(w[nr - 1] - w[0]) + to * size;
    for (size_t i = from; i < to; i += 16) {
        vf xv[4 * LF_VH], wv[4 * LF_VH];
        if (mt == 1)
#pragma GCC unroll 4
            for (int o = 0; o < nr; o++)
                lf_prefetch(w[o] + i * size, next); /* the rows after these */
#pragma GCC unroll 16
        for (int k = 0; k < mt * LF_VH; k++)
            xv[k] = vf_load((const float *)(const void *)x[k / LF_VH] + i +
                            (size_t)(k % LF_VH) * LF_VL);
#pragma GCC unroll 16
        for (int k = 0; k < nr * LF_VH; k++)
            wv[k] = load_row(t, w[k / LF_VH], i + (size_t)(k % LF_VH) * LF_VL);
#pragma GCC unroll 16
        for (int k = 0; k < nr * mt * LF_VH; k++) {
            const int h = k % LF_VH, r = k / LF_VH % mt, o = k / LF_VH / mt;
            acc[k] = vf_fma(wv[o * LF_VH + h], xv[r * LF_VH + h], acc[k]);
        }
    }
}

/* The same for BF16 weights and activations; from and to are a multiple of 32 apart. */
LF_INLINE void bf16_span(int nr, int mt, const uint8_t *const *w, const uint8_t *const *x,
                         size_t from, size_t to, vf *acc)
{
    const size_t next = (size_t)(w[nr - 1] - w[0]) + 2 * to;
    for (size_t i = 2 * from; i < 2 * to; i += 64) {
        vi xv[4 * LF_VH], wv[4 * LF_VH];
        if (mt == 1)
#pragma GCC unroll 4
            for (int o = 0; o < nr; o++)
                lf_prefetch(w[o] + i, next);
#pragma GCC unroll 16
        for (int k = 0; k < mt * LF_VH; k++)
            xv[k] = vi_load(x[k / LF_VH] + i + (size_t)(k % LF_VH) * 4 * LF_VL);
#pragma GCC unroll 16
        for (int k = 0; k < nr * LF_VH; k++)
            wv[k] = vi_load(w[k / LF_VH] + i + (size_t)(k % LF_VH) * 4 * LF_VL);
#pragma GCC unroll 16
        for (int k = 0; k < nr * mt * LF_VH; k++) {
            const int h = k % LF_VH, r = k / LF_VH % mt, o = k / LF_VH / mt;
            acc[k] = vf_dot_bf16(acc[k], wv[o * LF_VH + h], xv[r * LF_VH + h]);
        }
    }
}

/* The last columns, fewer than a step of the span, zero padded. */
LF_INLINE void rows_tail(lf_type t, int nr, int mt, const uint8_t *const *w,
                         const uint8_t *const *x, size_t from, size_t n_in, vf *acc)
{
    const size_t w_size = t == LF_F32 ? 4 : 2, x_size = t == LF_BF16 ? 2 : 4;
    float wt[4][16] = { { 0 } }, xt[4][16] = { { 0 } };
    const uint8_t *wp[4], *xp[4];
    for (int o = 0; o < nr; o++) {
        wp[o] = (const uint8_t *)wt[o];
        if (t == LF_F16)
            lf_dequant_row(t, w[o] + from * w_size, wt[o], n_in - from);
        else
            memcpy(wt[o], w[o] + from * w_size, (n_in - from) * w_size);
    }
    for (int r = 0; r < mt; r++) {
        xp[r] = (const uint8_t *)xt[r];
        memcpy(xt[r], x[r] + from * x_size, (n_in - from) * x_size);
    }
    if (t == LF_BF16)
        bf16_span(nr, mt, wp, xp, 0, 32, acc);
    else
        rows_span(LF_F32, nr, mt, wp, xp, 0, 16, acc);
}

LF_INLINE void rows_tile(lf_type t, int nr, int mt, const lf_rows_job *j, size_t o0, size_t r0)
{
    const uint8_t *w[4], *x[4];
    vf acc[16 * LF_VH];
    const size_t step = t == LF_BF16 ? 32 : 16, whole = j->n_in / step * step;
    const size_t row_bytes = j->n_in * (t == LF_F32 ? 4 : 2);
    const size_t x_bytes = j->n_in * (t == LF_BF16 ? 2 : 4);
    for (int o = 0; o < nr; o++)
        w[o] = (const uint8_t *)j->rows + (o0 + (size_t)o) * row_bytes;
    for (int r = 0; r < mt; r++)
        x[r] = (const uint8_t *)j->x + (r0 + (size_t)r) * x_bytes;
#pragma GCC unroll 16
    for (int i = 0; i < nr * mt * LF_VH; i++)
        acc[i] = vf_set1(0);
    if (t == LF_BF16)
        bf16_span(nr, mt, w, x, 0, whole, acc);
    else
        rows_span(t, nr, mt, w, x, 0, whole, acc);
    if (whole < j->n_in)
        rows_tail(t, nr, mt, w, x, whole, j->n_in, acc);
#pragma GCC unroll 4
    for (int o = 0; o < nr; o++)
#pragma GCC unroll 4
        for (int r = 0; r < mt; r++) {
            const size_t col = o0 + (size_t)o;
            const float s = lf_sum16(acc + (o * mt + r) * LF_VH);
            j->y[(r0 + (size_t)r) * j->y_stride + col] = j->bias ? s + j->bias[col] : s;
        }
}

LF_INLINE void rows_of(lf_type t, const lf_rows_job *j, size_t o0, size_t o1)
{
    enum { T = LF_VL == 16 ? 4 : 2 }; /* tile edge that the registers hold */
    for (size_t o = o0; o < o1;) {
        const bool wide = o1 - o >= T;
        for (size_t r = 0; r < j->m;) {
            const bool tall = j->m - r >= T;
            if (wide && tall)
                rows_tile(t, T, T, j, o, r);
            else if (wide)
                rows_tile(t, T, 1, j, o, r);
            else if (tall)
                rows_tile(t, 1, T, j, o, r);
            else
                rows_tile(t, 1, 1, j, o, r);
            r += tall ? T : 1;
        }
        o += wide ? T : 1;
    }
}

static void rows(const lf_rows_job *j, size_t o0, size_t o1)
{
    switch (j->type) {
    case LF_F32:
        rows_of(LF_F32, j, o0, o1);
        return;
    case LF_F16:
        rows_of(LF_F16, j, o0, o1);
        return;
    default:
        rows_of(LF_BF16, j, o0, o1);
    }
}

const lf_kernels_matmul LF_KERNEL_SYMBOL(lf_kernels_matmul) = { .packed = packed, .rows = rows };

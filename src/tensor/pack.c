/* tensor/pack.c - writes and reads the packed layout of pack.h. */
#include "tensor/pack.h"

#include <string.h>

#include "base/assert.h"
#include "tensor/matmul.h"

typedef enum pack_kind { KIND_SYM, KIND_AFFINE, KIND_K, KIND_Q6 } pack_kind;

static pack_kind kind_of(lf_type t)
{
    switch (t) {
    case LF_Q4_1:
    case LF_Q5_1:
        return KIND_AFFINE;
    case LF_Q4_K:
    case LF_Q5_K:
        return KIND_K;
    case LF_Q6_K:
        return KIND_Q6;
    default:
        return KIND_SYM;
    }
}

bool lf_pack_has(lf_type t)
{
    return lf_type_block(t) >= 32;
}

size_t lf_pack_group_bytes(lf_type t, size_t n_blocks)
{
    const lf_pack_layout l = lf_pack_layout_of(t);
    const size_t supers = (n_blocks + l.n_super - 1) / l.n_super;
    return supers * (l.head_bytes + (size_t)l.n_super * l.block_bytes);
}

/* Where block b of a group lies: its super's head, its place there, its quants. */
typedef struct block_place {
    uint8_t *head, *quants;
    size_t in_super;
} block_place;

static block_place place(lf_type t, const uint8_t *group, size_t b)
{
    const lf_pack_layout l = lf_pack_layout_of(t);
    const size_t super_bytes = l.head_bytes + (size_t)l.n_super * l.block_bytes;
    uint8_t *head = (uint8_t *)(uintptr_t)group + b / l.n_super * super_bytes;
    const size_t s = b % l.n_super;
    return (block_place){ head, head + l.head_bytes + s * l.block_bytes, s };
}

static void put16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, 2);
}

static uint16_t get16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

static void write_scales(lf_type t, block_place at, size_t r, const lf_q32 *q)
{
    uint8_t *sub = at.head + 64 + 32 * at.in_super;
    switch (kind_of(t)) {
    case KIND_SYM:
        put16(at.head + 32 * at.in_super + 2 * r, q->d);
        return;
    case KIND_AFFINE:
        put16(at.head + 2 * r, q->d);
        put16(at.head + 32 + 2 * r, q->m);
        return;
    case KIND_K:
        put16(at.head + 2 * r, q->d);
        put16(at.head + 32 + 2 * r, q->m ^ 0x8000u);
        sub[r] = q->sc[0];
        sub[16 + r] = q->mn;
        return;
    case KIND_Q6:
        put16(at.head + 2 * r, q->d);
        sub[r] = q->sc[0];
        sub[16 + r] = q->sc[1];
    }
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}

/* Unit j of the 32 columns is the j-th word of q. */
static void write_quants(size_t block_bytes, uint8_t *p, size_t r, const uint8_t *q)
{
    const uint32_t nibbles = 0x0f0f0f0f, ones = 0x01010101, threes = 0x03030303;
    uint8_t *row = p + 4 * r;
    uint32_t w[8], a = 0, b = 0;
    for (size_t j = 0; j < 8; j++)
        w[j] = get32(q + 4 * j);
    if (block_bytes == 512) {
        for (size_t j = 0; j < 8; j++)
            put32(row + 64 * j, w[j]);
        return;
    }
    for (size_t j = 0; j < 4; j++)
        put32(row + 64 * j, (w[j] & nibbles) | (w[j + 4] & nibbles) << 4);
    if (block_bytes == 320) {
        for (size_t j = 0; j < 8; j++)
            a |= (w[j] >> 4 & ones) << j;
        put32(row + 256, a);
    } else if (block_bytes == 384) {
        for (size_t j = 0; j < 4; j++) {
            a |= (w[j] >> 4 & threes) << 2 * j;
            b |= (w[j + 4] >> 4 & threes) << 2 * j;
        }
        put32(row + 256, a);
        put32(row + 320, b);
    }
}

static void read_quants(size_t block_bytes, const uint8_t *p, size_t r, uint8_t *q)
{
    const uint8_t *row = p + 4 * r;
    if (block_bytes == 512) {
        for (size_t j = 0; j < 8; j++)
            memcpy(q + 4 * j, row + 64 * j, 4);
        return;
    }
    for (size_t j = 0; j < 8; j++)
        for (size_t k = 0; k < 4; k++) {
            const unsigned two = row[64 * (j % 4) + k];
            unsigned v = j < 4 ? two & 15u : two >> 4;
            if (block_bytes == 320)
                v |= (row[256 + k] >> j & 1u) << 4;
            else if (block_bytes == 384)
                v |= (row[256 + 64 * (j / 4) + k] >> 2 * (j % 4) & 3u) << 4;
            q[4 * j + k] = (uint8_t)v;
        }
}

void lf_pack_read(lf_type t, const uint8_t *group, size_t r, size_t b, lf_q32 *out)
{
    const block_place at = place(t, group, b);
    const uint8_t *sub = at.head + 64 + 32 * at.in_super;
    read_quants(lf_pack_layout_of(t).block_bytes, at.quants, r, out->q);
    out->m = 0;
    out->sc[0] = out->sc[1] = out->mn = 0;
    switch (kind_of(t)) {
    case KIND_SYM:
        out->d = get16(at.head + 32 * at.in_super + 2 * r);
        return;
    case KIND_AFFINE:
        out->d = get16(at.head + 2 * r);
        out->m = get16(at.head + 32 + 2 * r);
        return;
    case KIND_K:
        out->d = get16(at.head + 2 * r);
        out->m = get16(at.head + 32 + 2 * r) ^ 0x8000u;
        out->sc[0] = sub[r];
        out->mn = sub[16 + r];
        return;
    case KIND_Q6:
        out->d = get16(at.head + 2 * r);
        out->sc[0] = sub[r];
        out->sc[1] = sub[16 + r];
    }
}

size_t lf_weight_packed_bytes(lf_type t, size_t n_out, size_t n_in, lf_cpu_level level)
{
    (void)level;
    if (!lf_pack_has(t) || n_in % lf_type_block(t) != 0)
        return 0;
    return (n_out + LF_PACK_ROWS - 1) / LF_PACK_ROWS * lf_pack_group_bytes(t, n_in / 32);
}

typedef struct pack_task {
    lf_type type;
    size_t n_out, n_blocks, row_bytes, group_bytes;
    const uint8_t *rows;
    uint8_t *dst;
} pack_task;

static void pack_groups(void *ud, size_t begin, size_t end, int worker)
{
    const pack_task *t = ud;
    const size_t block_bytes = lf_pack_layout_of(t->type).block_bytes;
    (void)worker;
    for (size_t g = begin; g < end; g++) {
        uint8_t *group = t->dst + g * t->group_bytes;
        memset(group, 0, t->group_bytes);
        for (size_t b = 0; b < t->n_blocks; b++) {
            const block_place at = place(t->type, group, b);
            for (size_t r = 0; r < LF_PACK_ROWS && g * LF_PACK_ROWS + r < t->n_out; r++) {
                lf_q32 q;
                lf_q32_read(t->type, t->rows + (g * LF_PACK_ROWS + r) * t->row_bytes, b, &q);
                write_scales(t->type, at, r, &q);
                write_quants(block_bytes, at.quants, r, q.q);
            }
        }
    }
}

void lf_weight_pack(lf_type t, size_t n_out, size_t n_in, const void *rows, lf_cpu_level level,
                    void *dst, lf_pool *pool)
{
    (void)level;
    LF_ASSERT(lf_pack_has(t) && n_in % lf_type_block(t) == 0);
    pack_task task = {
        .type = t,
        .n_out = n_out,
        .n_blocks = n_in / 32,
        .row_bytes = lf_type_row_bytes(t, n_in),
        .group_bytes = lf_pack_group_bytes(t, n_in / 32),
        .rows = rows,
        .dst = dst,
    };
    lf_pool_run(pool, (n_out + LF_PACK_ROWS - 1) / LF_PACK_ROWS, 4, pack_groups, &task);
}

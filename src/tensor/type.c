/* tensor/type.c - element types: sizes, half floats, block layouts, dequantisation.
 *
 * Blocks as GGUF files hold them, little endian (f16 = IEEE half):
 *
 *     Q4_0  f16 d | 16 bytes: low nibble column j, high nibble column j + 16
 *     Q4_1  f16 d, m | 16 bytes as above
 *     Q5_0  f16 d | u32 fifth bits, bit j = column j | 16 bytes as above
 *     Q5_1  f16 d, m | u32 fifth bits | 16 bytes
 *     Q8_0  f16 d | int8[32]
 *     Q4_K  f16 d, m | 12 bytes: 8 scales and 8 minima of 6 bits | 128 bytes: 32
 *           bytes hold 64 columns, low nibbles first
 *     Q5_K  f16 d, m | 12 bytes | 32 bytes: bit s of byte j = fifth bit of column
 *           32 s + j | 128 bytes
 *     Q6_K  128 bytes low nibbles | 64 bytes upper 2 bits | int8 scales[16] | f16 d
 *
 * The K formats have 256 columns in a block and are read as 8 blocks of 32. */
#include "tensor/type.h"

#include <string.h>

#include "base/assert.h"
#include "tensor/type_int.h"

typedef struct type_info {
    const char *name;
    uint16_t block, bytes;
} type_info;

static const type_info types[] = {
    [LF_F32] = { "F32", 1, 4 },       [LF_F16] = { "F16", 1, 2 },
    [LF_Q4_0] = { "Q4_0", 32, 18 },   [LF_Q4_1] = { "Q4_1", 32, 20 },
    [LF_Q5_0] = { "Q5_0", 32, 22 },   [LF_Q5_1] = { "Q5_1", 32, 24 },
    [LF_Q8_0] = { "Q8_0", 32, 34 },   [LF_Q4_K] = { "Q4_K", 256, 144 },
    [LF_Q5_K] = { "Q5_K", 256, 176 }, [LF_Q6_K] = { "Q6_K", 256, 210 },
    [LF_BF16] = { "BF16", 1, 2 },
};

bool lf_type_known(uint32_t t)
{
    return t < sizeof types / sizeof types[0] && types[t].block != 0;
}

const char *lf_type_name(lf_type t)
{
    return lf_type_known((uint32_t)t) ? types[t].name : "unknown";
}

size_t lf_type_block(lf_type t)
{
    return lf_type_known((uint32_t)t) ? types[t].block : 0;
}

size_t lf_type_block_bytes(lf_type t)
{
    return lf_type_known((uint32_t)t) ? types[t].bytes : 0;
}

size_t lf_type_row_bytes(lf_type t, size_t n)
{
    const size_t block = lf_type_block(t);
    size_t bytes;
    if (block == 0 || n % block != 0 ||
        __builtin_mul_overflow(n / block, (size_t)types[t].bytes, &bytes))
        return 0;
    return bytes;
}

static float bits_to_f32(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t f32_to_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

float lf_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t exp = (h >> 10) & 0x1fu, frac = h & 0x3ffu;
    if (exp == 0x1f) /* infinity, NaN */
        return bits_to_f32(sign | 0x7f800000u | frac << 13);
    if (exp != 0)
        return bits_to_f32(sign | (exp + 112) << 23 | frac << 13);
    const float v = (float)frac * 0x1p-24f; /* zero and subnormals are frac * 2^-24, exact */
    return sign ? -v : v;
}

uint16_t lf_f32_to_f16(float f)
{
    const uint32_t u = f32_to_bits(f), a = u & 0x7fffffffu;
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);
    if (a > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (a >> 13 & 0x3ffu));
    if (a >= 0x477ff000u) /* 65520 and above round to infinity */
        return sign | 0x7c00u;
    if (a < 0x38800000u) { /* below 2^-14: let the addition round to multiples of 2^-24 */
        const float r = bits_to_f32(a) + 0.5f;
        return (uint16_t)(sign | (f32_to_bits(r) - 0x3f000000u));
    }
    const uint32_t odd = a >> 13 & 1u;
    return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + odd) >> 13));
}

float lf_bf16_to_f32(uint16_t h)
{
    return bits_to_f32((uint32_t)h << 16);
}

uint16_t lf_f32_to_bf16(float f)
{
    const uint32_t u = f32_to_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40u); /* stay a NaN */
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

static uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get_u32(const uint8_t *p)
{
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

/* Eight columns at a time, a byte each.  Landfall's targets are little endian. */
static uint64_t get_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void put_u64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof v);
}

enum { EIGHT = 8 };
#define EACH_BYTE(x) (0x0101010101010101u * (x))

/* Bit i of `bits` to byte i, as 0 or 1. */
static uint64_t spread_bits(uint8_t bits)
{
    const uint64_t one_each = EACH_BYTE((uint64_t)bits) & 0x8040201008040201u;
    return (one_each + EACH_BYTE(0x7fu)) >> 7 & EACH_BYTE(1u);
}

static void read_nibbles(const uint8_t *p, uint32_t fifth, uint8_t *q)
{
    for (unsigned j = 0; j < 16; j += EIGHT) {
        const uint64_t two = get_u64(p + j);
        const uint64_t low = spread_bits((uint8_t)(fifth >> j)) << 4;
        const uint64_t high = spread_bits((uint8_t)(fifth >> (j + 16))) << 4;
        put_u64(q + j, (two & EACH_BYTE(15u)) | low);
        put_u64(q + j + 16, (two >> 4 & EACH_BYTE(15u)) | high);
    }
}

/* Scale and minimum s of the 12 bytes of Q4_K and Q5_K. */
static void read_scale_min(const uint8_t *p, size_t s, lf_q32 *o)
{
    if (s < 4) {
        o->sc[0] = p[s] & 63;
        o->mn = p[s + 4] & 63;
    } else {
        o->sc[0] = (uint8_t)((p[s + 4] & 15) | (p[s - 4] >> 6) << 4);
        o->mn = (uint8_t)(p[s + 4] >> 4 | (p[s] >> 6) << 4);
    }
}

static void read_k45(const uint8_t *p, size_t s, bool five, lf_q32 *o)
{
    const uint8_t *high = p + 16, *low = p + (five ? 48 : 16) + 32 * (s / 2);
    o->d = get_u16(p);
    o->m = get_u16(p + 2);
    read_scale_min(p + 4, s, o);
    for (size_t j = 0; j < 32; j += EIGHT) {
        uint64_t v = get_u64(low + j) >> (s % 2 ? 4 : 0) & EACH_BYTE(15u);
        if (five)
            v |= (get_u64(high + j) >> s & EACH_BYTE(1u)) << 4;
        put_u64(o->q + j, v);
    }
}

static void read_k6(const uint8_t *p, size_t s, lf_q32 *o)
{
    const size_t half = s / 4, part = s % 4; /* 128 columns; 32 of them */
    const uint8_t *low = p + 64 * half + 32 * (part % 2);
    const uint8_t *high = p + 128 + 32 * half;
    for (size_t j = 0; j < 32; j += EIGHT) {
        const uint64_t nibble = get_u64(low + j) >> (part < 2 ? 0 : 4) & EACH_BYTE(15u);
        put_u64(o->q + j, nibble | (get_u64(high + j) >> (2 * part) & EACH_BYTE(3u)) << 4);
    }
    o->sc[0] = p[192 + 2 * s];
    o->sc[1] = p[192 + 2 * s + 1];
    o->d = get_u16(p + 208);
}

void lf_q32_read(lf_type t, const void *row, size_t b, lf_q32 *o)
{
    const size_t per = lf_type_block(t) / 32;
    const uint8_t *p = (const uint8_t *)row + b / per * lf_type_block_bytes(t);
    o->m = 0;
    o->sc[0] = o->sc[1] = o->mn = 0;
    switch (t) {
    case LF_Q4_0:
        o->d = get_u16(p);
        read_nibbles(p + 2, 0, o->q);
        return;
    case LF_Q4_1:
        o->d = get_u16(p);
        o->m = get_u16(p + 2);
        read_nibbles(p + 4, 0, o->q);
        return;
    case LF_Q5_0:
        o->d = get_u16(p);
        read_nibbles(p + 6, get_u32(p + 2), o->q);
        return;
    case LF_Q5_1:
        o->d = get_u16(p);
        o->m = get_u16(p + 2);
        read_nibbles(p + 8, get_u32(p + 4), o->q);
        return;
    case LF_Q8_0:
        o->d = get_u16(p);
        memcpy(o->q, p + 2, 32);
        return;
    case LF_Q4_K:
        read_k45(p, b % 8, false, o);
        return;
    case LF_Q5_K:
        read_k45(p, b % 8, true, o);
        return;
    case LF_Q6_K:
        read_k6(p, b % 8, o);
        return;
    default:
        LF_UNREACHABLE("a quantised type");
    }
}

void lf_q32_values(lf_type t, const lf_q32 *o, float *dst)
{
    const float d = lf_f16_to_f32(o->d), m = lf_f16_to_f32(o->m);
    switch (t) {
    case LF_Q4_0:
    case LF_Q5_0:
        for (int j = 0; j < 32; j++)
            dst[j] = d * (float)(o->q[j] - (t == LF_Q4_0 ? 8 : 16));
        return;
    case LF_Q8_0:
        for (int j = 0; j < 32; j++)
            dst[j] = d * (float)(int8_t)o->q[j];
        return;
    case LF_Q4_1:
    case LF_Q5_1:
        for (int j = 0; j < 32; j++)
            dst[j] = d * (float)o->q[j] + m;
        return;
    case LF_Q4_K:
    case LF_Q5_K:
        for (int j = 0; j < 32; j++)
            dst[j] = d * (float)o->sc[0] * (float)o->q[j] - m * (float)o->mn;
        return;
    default: /* Q6_K: lf_q32_read admits no other */
        for (int j = 0; j < 32; j++)
            dst[j] = d * (float)(int8_t)o->sc[j / 16] * (float)(o->q[j] - 32);
    }
}

void lf_dequant_row(lf_type t, const void *src, float *dst, size_t n)
{
    const uint16_t *half = src;
    switch (t) {
    case LF_F32:
        memcpy(dst, src, n * sizeof *dst);
        return;
    case LF_F16:
        for (size_t i = 0; i < n; i++)
            dst[i] = lf_f16_to_f32(half[i]);
        return;
    case LF_BF16:
        for (size_t i = 0; i < n; i++)
            dst[i] = lf_bf16_to_f32(half[i]);
        return;
    default:
        break;
    }
    LF_ASSERT(lf_type_known((uint32_t)t) && n % lf_type_block(t) == 0);
    for (size_t b = 0; b < n / 32; b++) {
        lf_q32 q;
        lf_q32_read(t, src, b, &q);
        lf_q32_values(t, &q, dst + 32 * b);
    }
}

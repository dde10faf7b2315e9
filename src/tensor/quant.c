/* tensor/quant.c - the plain quantisers: one pass per block, no search.
 *
 * They define what a format can hold and serve tests, benchmarks and small
 * conversions; a quantiser that minimises error by search writes the same
 * layouts.  Layouts are in type.c. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "tensor/type.h"

static void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* Nearest integer to v * inv, within [0, top]. */
static uint8_t level(float v, float inv, int top)
{
    const int q = (int)lrintf(fminf(fmaxf(v * inv, 0.0f), (float)top));
    return (uint8_t)(q < 0 ? 0 : q > top ? top : q);
}

static float inverse(float d)
{
    return d != 0.0f ? 1.0f / d : 0.0f;
}

static void range(const float *x, int n, float *lo, float *hi)
{
    *lo = *hi = x[0];
    for (int i = 1; i < n; i++) {
        *lo = fminf(*lo, x[i]);
        *hi = fmaxf(*hi, x[i]);
    }
}

/* The element of the largest magnitude, with its sign. */
static float peak(const float *x, int n)
{
    float best = 0.0f;
    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(best))
            best = x[i];
    return best;
}

static void put_nibbles(uint8_t *p, const uint8_t *q)
{
    for (int j = 0; j < 16; j++)
        p[j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
}

static void put_fifth(uint8_t *p, const uint8_t *q)
{
    memset(p, 0, 4);
    for (int j = 0; j < 32; j++)
        p[j / 8] = (uint8_t)(p[j / 8] | (q[j] >> 4) << j % 8);
}

/* Q4_0 and Q5_0: the peak takes the level that has no counterpart (-offset). */
static void quant_symmetric(const float *x, uint8_t *p, int offset)
{
    uint8_t q[32];
    const float d = peak(x, 32) / (float)-offset, inv = inverse(d);
    put_u16(p, lf_f32_to_f16(d));
    for (int j = 0; j < 32; j++)
        q[j] = level(x[j] + d * (float)offset, inv, 2 * offset - 1);
    if (offset == 16)
        put_fifth(p + 2, q);
    put_nibbles(p + (offset == 16 ? 6 : 2), q);
}

static void quant_affine(const float *x, uint8_t *p, int top)
{
    uint8_t q[32];
    float lo, hi;
    range(x, 32, &lo, &hi);
    const float d = (hi - lo) / (float)top, inv = inverse(d);
    put_u16(p, lf_f32_to_f16(d));
    put_u16(p + 2, lf_f32_to_f16(lo));
    for (int j = 0; j < 32; j++)
        q[j] = level(x[j] - lo, inv, top);
    if (top == 31)
        put_fifth(p + 4, q);
    put_nibbles(p + (top == 31 ? 8 : 4), q);
}

static void quant_q8(const float *x, uint8_t *p)
{
    const float d = fabsf(peak(x, 32)) / 127.0f, inv = inverse(d);
    put_u16(p, lf_f32_to_f16(d));
    for (int j = 0; j < 32; j++)
        p[2 + j] = (uint8_t)(int8_t)lrintf(x[j] * inv);
}

static void put_scale_min(uint8_t *p, int s, unsigned sc, unsigned mn)
{
    if (s < 4) {
        p[s] = (uint8_t)(p[s] | sc);
        p[s + 4] = (uint8_t)(p[s + 4] | mn);
    } else {
        p[s + 4] = (uint8_t)((sc & 15) | (mn & 15) << 4);
        p[s - 4] = (uint8_t)(p[s - 4] | (sc >> 4) << 6);
        p[s] = (uint8_t)(p[s] | (mn >> 4) << 6);
    }
}

/* Q4_K and Q5_K: 8 blocks with a scale and a minimum of 6 bits each. */
static void quant_k45(const float *x, uint8_t *p, bool five)
{
    const int top = five ? 31 : 15;
    float scale[8], floor_[8], scale_max = 0.0f, floor_max = 0.0f;
    for (int s = 0; s < 8; s++) {
        float lo, hi;
        range(x + 32 * s, 32, &lo, &hi);
        floor_[s] = fmaxf(-lo, 0.0f);
        scale[s] = (fmaxf(hi, 0.0f) + floor_[s]) / (float)top;
        scale_max = fmaxf(scale_max, scale[s]);
        floor_max = fmaxf(floor_max, floor_[s]);
    }
    memset(p, 0, five ? 176 : 144);
    put_u16(p, lf_f32_to_f16(scale_max / 63.0f));
    put_u16(p + 2, lf_f32_to_f16(floor_max / 63.0f));
    const float d = lf_f16_to_f32(lf_f32_to_f16(scale_max / 63.0f));
    const float m = lf_f16_to_f32(lf_f32_to_f16(floor_max / 63.0f));
    for (int s = 0; s < 8; s++) {
        const unsigned sc = level(scale[s], inverse(d), 63), mn = level(floor_[s], inverse(m), 63);
        put_scale_min(p + 4, s, sc, mn);
        const float inv = inverse(d * (float)sc), low = m * (float)mn;
        uint8_t *qs = p + (five ? 48 : 16) + 32 * (s / 2);
        for (int j = 0; j < 32; j++) {
            const unsigned q = level(x[32 * s + j] + low, inv, top);
            qs[j] = (uint8_t)(qs[j] | (q & 15u) << (s % 2 ? 4 : 0));
            if (five)
                p[16 + j] = (uint8_t)(p[16 + j] | (q >> 4) << s);
        }
    }
}

/* Q6_K: 16 blocks of 16 with an int8 scale each. */
static void quant_k6(const float *x, uint8_t *p)
{
    float scale[16], largest = 0.0f;
    for (int s = 0; s < 16; s++) {
        scale[s] = peak(x + 16 * s, 16) / -32.0f;
        if (fabsf(scale[s]) > fabsf(largest))
            largest = scale[s];
    }
    memset(p, 0, 210);
    put_u16(p + 208, lf_f32_to_f16(largest / -128.0f));
    const float d = lf_f16_to_f32(lf_f32_to_f16(largest / -128.0f)), inv_d = inverse(d);
    for (int s = 0; s < 16; s++) {
        const int sc = (int)lrintf(fminf(fmaxf(scale[s] * inv_d, -128.0f), 127.0f));
        p[192 + s] = (uint8_t)(int8_t)sc;
        const float ds = d * (float)sc, inv = inverse(ds);
        for (int k = 0; k < 16; k++) {
            const int col = 16 * s + k, half = col / 128, part = col % 128 / 32, j = col % 32;
            const unsigned q = level(x[col] + 32.0f * ds, inv, 63);
            uint8_t *low = p + 64 * half + 32 * (part % 2) + j, *high = p + 128 + 32 * half + j;
            *low = (uint8_t)(*low | (q & 15u) << (part < 2 ? 0 : 4));
            *high = (uint8_t)(*high | (q >> 4) << (2 * part));
        }
    }
}

static void quant_block(lf_type t, const float *x, uint8_t *p)
{
    switch (t) {
    case LF_Q4_0:
        quant_symmetric(x, p, 8);
        return;
    case LF_Q5_0:
        quant_symmetric(x, p, 16);
        return;
    case LF_Q4_1:
        quant_affine(x, p, 15);
        return;
    case LF_Q5_1:
        quant_affine(x, p, 31);
        return;
    case LF_Q8_0:
        quant_q8(x, p);
        return;
    case LF_Q4_K:
    case LF_Q5_K:
        quant_k45(x, p, t == LF_Q5_K);
        return;
    default:
        quant_k6(x, p);
    }
}

void lf_quant_row_ref(lf_type t, const float *src, void *dst, size_t n)
{
    LF_ASSERT(lf_type_known((uint32_t)t) && n % lf_type_block(t) == 0);
    uint16_t *half = dst;
    switch (t) {
    case LF_F32:
        memcpy(dst, src, n * sizeof *src);
        return;
    case LF_F16:
        for (size_t i = 0; i < n; i++)
            half[i] = lf_f32_to_f16(src[i]);
        return;
    case LF_BF16:
        for (size_t i = 0; i < n; i++)
            half[i] = lf_f32_to_bf16(src[i]);
        return;
    default:
        for (size_t i = 0; i < n; i += lf_type_block(t))
            quant_block(t, src + i, (uint8_t *)dst + lf_type_row_bytes(t, i));
    }
}

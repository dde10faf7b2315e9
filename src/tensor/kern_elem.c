/* tensor/kern_elem.c - norms, rotations, activations, softmax, dot products and
 * the quantisation of activations; compiled per kernel set (simd.h). */
#include "tensor/kernels.h"

#include <math.h>

#include "tensor/kernels_int.h"
#include "tensor/simd.h"
#include "tensor/simd_math.h"

/* LF_VL elements of p from i on; `fill` for those at n and behind. */
LF_INLINE vf load_upto(const float *p, size_t i, size_t n, float fill)
{
    if (i + LF_VL <= n)
        return vf_load(p + i);
    float t[LF_VL];
    for (size_t l = 0; l < LF_VL; l++)
        t[l] = i + l < n ? p[i + l] : fill;
    return vf_load(t);
}

LF_INLINE void store_upto(float *p, size_t i, size_t n, vf v)
{
    if (n - i >= LF_VL)
        vf_store(p + i, v);
    else
        vf_store_n(p + i, v, n - i);
}

LF_INLINE void zero16(vf *acc)
{
#pragma GCC unroll 4
    for (int h = 0; h < LF_VH; h++)
        acc[h] = vf_set1(0);
}

/* sum((x[i] - shift)^2) in 16 lanes */
LF_INLINE float sum_squares(const float *x, size_t n, float shift)
{
    vf acc[LF_VH];
    const vf s = vf_set1(shift);
    zero16(acc);
    for (size_t i = 0; i < n; i += 16)
#pragma GCC unroll 4
        for (size_t h = 0; h < LF_VH; h++) {
            const vf v = vf_sub(load_upto(x, i + h * LF_VL, n, shift), s);
            acc[h] = vf_fma(v, v, acc[h]);
        }
    return lf_sum16(acc);
}

static void rmsnorm(const float *x, const float *w, size_t n, float eps, float *y)
{
    const float mean = sum_squares(x, n, 0.0f) / (float)n;
    const vf s = vf_set1(1.0f / sqrtf(mean + eps));
    for (size_t i = 0; i < n; i += LF_VL) {
        const vf v = vf_mul(load_upto(x, i, n, 0), s);
        store_upto(y, i, n, w ? vf_mul(v, load_upto(w, i, n, 0)) : v);
    }
}

static void layernorm(const float *x, const float *w, const float *b, size_t n, float eps, float *y)
{
    vf acc[LF_VH];
    zero16(acc);
    for (size_t i = 0; i < n; i += 16)
#pragma GCC unroll 4
        for (size_t h = 0; h < LF_VH; h++)
            acc[h] = vf_add(acc[h], load_upto(x, i + h * LF_VL, n, 0));
    const float mean = lf_sum16(acc) / (float)n;
    const float var = sum_squares(x, n, mean) / (float)n;
    const vf m = vf_set1(mean), s = vf_set1(1.0f / sqrtf(var + eps));
    for (size_t i = 0; i < n; i += LF_VL) {
        vf v = vf_mul(vf_sub(load_upto(x, i, n, 0), m), s);
        if (w)
            v = vf_mul(v, load_upto(w, i, n, 0));
        store_upto(y, i, n, b ? vf_add(v, load_upto(b, i, n, 0)) : v);
    }
}

static void rope_neox(size_t n_dims, const float *cs, float *x)
{
    const size_t half = n_dims / 2;
    for (size_t i = 0; i < half; i += LF_VL) {
        const vf c = load_upto(cs, i, half, 0), s = load_upto(cs + half, i, half, 0);
        const vf a = load_upto(x, i, half, 0), b = load_upto(x + half, i, half, 0);
        store_upto(x, i, half, vf_sub(vf_mul(a, c), vf_mul(b, s)));
        store_upto(x + half, i, half, vf_fma(a, s, vf_mul(b, c)));
    }
}

static void rope_pairs(size_t n_dims, const float *cs, float *x)
{
    const size_t half = n_dims / 2;
    for (size_t i = 0; i < half; i++) {
        const float c = cs[i], s = cs[half + i], a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * c - b * s;
        x[2 * i + 1] = a * s + b * c;
    }
}

static void rope(lf_rope_kind kind, size_t n_dims, const float *cs, float *x, size_t n_heads,
                 size_t head_dim)
{
    for (size_t h = 0; h < n_heads; h++, x += head_dim) {
        if (kind == LF_ROPE_NEOX)
            rope_neox(n_dims, cs, x);
        else
            rope_pairs(n_dims, cs, x);
    }
}

LF_INLINE vf activate(lf_act act, vf x)
{
    const vf half = vf_set1(0.5f), one = vf_set1(1.0f);
    if (act == LF_ACT_SILU)
        return vf_div(x, vf_add(one, vf_exp(vf_sub(vf_set1(0), x))));
    if (act == LF_ACT_GELU)
        return vf_mul(vf_mul(half, x), vf_add(one, vf_erf(vf_mul(x, vf_set1(0.70710678f)))));
    if (act == LF_ACT_GELU_TANH) {
        const vf u = vf_fma(vf_mul(vf_mul(x, x), x), vf_set1(0.044715f), x);
        return vf_mul(vf_mul(half, x), vf_add(one, vf_tanh(vf_mul(u, vf_set1(0.79788456f)))));
    }
    return act == LF_ACT_TANH ? vf_tanh(x) : vf_max(x, vf_set1(0));
}

LF_INLINE void act_loop(lf_act act, const float *x, const float *up, size_t n, float *y)
{
    for (size_t i = 0; i < n; i += LF_VL) {
        const vf v = activate(act, load_upto(x, i, n, 0));
        store_upto(y, i, n, up ? vf_mul(v, load_upto(up, i, n, 0)) : v);
    }
}

static void act(lf_act a, const float *x, const float *up, size_t n, float *y)
{
    switch (a) {
    case LF_ACT_SILU:
        act_loop(LF_ACT_SILU, x, up, n, y);
        return;
    case LF_ACT_GELU:
        act_loop(LF_ACT_GELU, x, up, n, y);
        return;
    case LF_ACT_GELU_TANH:
        act_loop(LF_ACT_GELU_TANH, x, up, n, y);
        return;
    case LF_ACT_TANH:
        act_loop(LF_ACT_TANH, x, up, n, y);
        return;
    case LF_ACT_RELU:
        act_loop(LF_ACT_RELU, x, up, n, y);
    }
}

static void add(const float *a, const float *b, size_t n, float *y)
{
    for (size_t i = 0; i < n; i += LF_VL)
        store_upto(y, i, n, vf_add(load_upto(a, i, n, 0), load_upto(b, i, n, 0)));
}

static void scale(const float *x, float s, size_t n, float *y)
{
    for (size_t i = 0; i < n; i += LF_VL)
        store_upto(y, i, n, vf_mul(load_upto(x, i, n, 0), vf_set1(s)));
}

static void softcap(const float *x, float cap, size_t n, float *y)
{
    const vf c = vf_set1(cap);
    for (size_t i = 0; i < n; i += LF_VL)
        store_upto(y, i, n, vf_mul(c, vf_tanh(vf_div(load_upto(x, i, n, 0), c))));
}

static float max_of(const float *x, size_t n)
{
    vf m = vf_set1(-INFINITY);
    for (size_t i = 0; i < n; i += LF_VL)
        m = vf_max(load_upto(x, i, n, -INFINITY), m); /* NaN leaves m */
    float t[LF_VL], best = -INFINITY;
    vf_store(t, m);
    for (size_t l = 0; l < LF_VL; l++)
        best = t[l] > best ? t[l] : best;
    return best;
}

static void softmax(const float *x, size_t n, float s, float *y)
{
    vf acc[LF_VH];
    zero16(acc);
    scale(x, s, n, y);
    const float top = max_of(y, n);
    const vf m = vf_set1(top);
    if (top == -INFINITY) {
        memset(y, 0, n * sizeof *y);
        return;
    }
    for (size_t i = 0; i < n; i += 16)
#pragma GCC unroll 4
        for (size_t h = 0; h < LF_VH; h++) {
            const size_t at = i + h * LF_VL;
            const vf e = vf_exp(vf_sub(load_upto(y, at, n, -INFINITY), m));
            acc[h] = vf_add(acc[h], e);
            if (at < n)
                store_upto(y, at, n, e);
        }
    scale(y, 1.0f / lf_sum16(acc), n, y);
}

/* Spans of 4096 are summed in 16 lanes, and the spans in double. */
static double sumexp(const float *x, size_t n, float max)
{
    enum { SPAN = 4096 };
    const vf m = vf_set1(max);
    double total = 0.0;
    for (size_t from = 0; from < n; from += SPAN) {
        const size_t to = n - from < SPAN ? n : from + SPAN;
        vf acc[LF_VH];
        zero16(acc);
        for (size_t i = from; i < to; i += 16)
#pragma GCC unroll 4
            for (size_t h = 0; h < LF_VH; h++) {
                const vf v = load_upto(x, i + h * LF_VL, to, -INFINITY);
                acc[h] = vf_add(acc[h], vf_exp(vf_sub(v, m)));
            }
        total += (double)lf_sum16(acc);
    }
    return total;
}

static float dot(const float *a, const float *b, size_t n)
{
    vf acc[LF_VH];
    zero16(acc);
    for (size_t i = 0; i < n; i += 16)
#pragma GCC unroll 4
        for (size_t h = 0; h < LF_VH; h++) {
            const size_t at = i + h * LF_VL;
            acc[h] = vf_fma(load_upto(a, at, n, 0), load_upto(b, at, n, 0), acc[h]);
        }
    return lf_sum16(acc);
}

/* Columns [from, to), a multiple of 16 apart, of `count` rows of `stride`. */
LF_INLINE void dot_f16_span(const float *q, const uint16_t *rows, int count, size_t stride,
                            size_t from, size_t to, vf *acc)
{
    for (size_t i = from; i < to; i += 16)
#pragma GCC unroll 16
        for (int k = 0; k < count * LF_VH; k++) {
            const size_t col = i + (size_t)(k % LF_VH) * LF_VL, row = (size_t)(k / LF_VH) * stride;
            lf_prefetch(rows + row + col, (size_t)count * stride * 2); /* the next rows */
            acc[k] = vf_fma(vf_f16(rows + row + col), vf_load(q + col), acc[k]);
        }
}

/* `count` rows at once, so that their chains of fma overlap. */
LF_INLINE void dot_f16_some(const float *q, const uint16_t *rows, int count, size_t dim, float *out)
{
    const size_t whole = dim / 16 * 16;
    vf acc[4 * LF_VH];
#pragma GCC unroll 16
    for (int i = 0; i < count * LF_VH; i++)
        acc[i] = vf_set1(0);
    dot_f16_span(q, rows, count, dim, 0, whole, acc);
    if (whole < dim) {
        uint16_t t[4 * 16] = { 0 };
        float tail[16] = { 0 };
        memcpy(tail, q + whole, (dim - whole) * sizeof *tail);
        for (int r = 0; r < count; r++)
            memcpy(t + 16 * r, rows + (size_t)r * dim + whole, (dim - whole) * sizeof *t);
        dot_f16_span(tail, t, count, 16, 0, 16, acc);
    }
#pragma GCC unroll 4
    for (int r = 0; r < count; r++)
        out[r] = lf_sum16(acc + r * LF_VH);
}

static void dot_f16_rows(const float *q, const uint16_t *rows, size_t n, size_t dim, float *out)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        dot_f16_some(q, rows + i * dim, 4, dim, out + i);
    for (; i < n; i++)
        dot_f16_some(q, rows + i * dim, 1, dim, out + i);
}

/* A finite half, exactly: its bits moved up are the value times 2^-112. */
LF_INLINE float half_at(const uint8_t *p)
{
    const uint32_t h = (uint32_t)p[0] | (uint32_t)p[1] << 8;
    uint32_t bits = (h & 0x7fff) << 13;
    float f;
    memcpy(&f, &bits, sizeof f);
    f *= 0x1p112f;
    memcpy(&bits, &f, sizeof bits);
    bits |= (h & 0x8000) << 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* A byte x holds two weights: the low nibble that of column j, the high one that of
 * column j + 16, both 8 too large.  high - 8 = rint(x/16 - 15/32 - 8) and
 * low - 8 = x - 136 - 16 (high - 8) are exact. */
LF_INLINE void dot_q4_block(const float *q, const uint8_t *block, vf *acc)
{
    const vf d = vf_set1(half_at(block));
#pragma GCC unroll 4
    for (size_t h = 0; h < LF_VH; h++) {
        const vf x = vf_u8(block + 2 + h * LF_VL);
        const vf high = vf_rint(vf_fma(x, vf_set1(0.0625f), vf_set1(-8.46875f)));
        const vf low = vf_fma(high, vf_set1(-16.0f), vf_sub(x, vf_set1(136.0f)));
        const vf two =
            vf_fma(low, vf_load(q + h * LF_VL), vf_mul(high, vf_load(q + 16 + h * LF_VL)));
        acc[h] = vf_fma(d, two, acc[h]);
    }
}

/* `count` rows at once, so that their chains of fma overlap. */
LF_INLINE void dot_q4_some(const float *q, const uint8_t *rows, int count, size_t dim, float *out)
{
    const size_t row_bytes = dim / 32 * 18;
    vf acc[4 * LF_VH];
#pragma GCC unroll 16
    for (int i = 0; i < count * LF_VH; i++)
        acc[i] = vf_set1(0);
    for (size_t c = 0; c < dim; c += 32)
#pragma GCC unroll 4
        for (int r = 0; r < count; r++) {
            const uint8_t *block = rows + (size_t)r * row_bytes + c / 32 * 18;
            lf_prefetch(block, (size_t)count * row_bytes); /* the next rows */
            dot_q4_block(q + c, block, acc + r * LF_VH);
        }
#pragma GCC unroll 4
    for (int r = 0; r < count; r++)
        out[r] = lf_sum16(acc + r * LF_VH);
}

static void dot_q4_rows(const float *q, const uint8_t *rows, size_t n, size_t dim, float *out)
{
    const size_t row_bytes = dim / 32 * 18;
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        dot_q4_some(q, rows + i * row_bytes, 4, dim, out + i);
    for (; i < n; i++)
        dot_q4_some(q, rows + i * row_bytes, 1, dim, out + i);
}

static void to_f16(const float *x, size_t n, uint16_t *y)
{
    size_t i = 0;
    for (; i + LF_VL <= n; i += LF_VL)
        vf_store_f16(y + i, vf_load(x + i));
    for (; i < n; i++)
        y[i] = lf_f32_to_f16(x[i]);
}

static void from_f16(const uint16_t *x, size_t n, float *y)
{
    size_t i = 0;
    for (; i + LF_VL <= n; i += LF_VL)
        vf_store(y + i, vf_f16(x + i));
    for (; i < n; i++)
        y[i] = lf_f16_to_f32(x[i]);
}

static void to_bf16(const float *x, size_t n, uint16_t *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lf_f32_to_bf16(x[i]);
}

/* d = max|x| / 127 and q = x / d to nearest even, as x * (127 / max|x|).  Blocks of
 * magnitudes under 1e-30 become zero: 127 / max|x| would overflow. */
LF_INLINE void quantize_block(const float *x, lf_act32 *o)
{
    enum { N = 32 / LF_VL };
    vf v[N], top = vf_set1(0);
    float t[LF_VL], amax = 0.0f;
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) {
        v[i] = vf_load(x + i * LF_VL);
        top = vf_max(vf_abs(v[i]), top);
    }
    vf_store(t, top);
    for (int l = 0; l < LF_VL; l++)
        amax = t[l] > amax ? t[l] : amax;
    const bool tiny = !(amax >= 1e-30f);
    const vf inv = vf_set1(tiny ? 0.0f : 127.0f / amax);
#pragma GCC unroll 8
    for (int i = 0; i < N; i++)
        vi_store_s8(o->q + i * LF_VL, vi_from_vf(vf_mul(v[i], inv)));
    int32_t a = 0, b = 0;
    for (int i = 0; i < 16; i++) {
        a += o->q[i];
        b += o->q[16 + i];
    }
    o->d = tiny ? 0.0f : amax / 127.0f;
    o->ds = o->d * (float)(a + b);
    o->nsum = -(a + b);
    o->nhalf[0] = -a;
    o->nhalf[1] = -b;
    o->unused[0] = o->unused[1] = o->unused[2] = 0;
}

static void quantize(const float *x, size_t n, lf_act32 *out, size_t stride)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32, out += stride)
        quantize_block(x + i, out);
    if (i < n) {
        float t[32] = { 0 };
        memcpy(t, x + i, (n - i) * sizeof *t);
        quantize_block(t, out);
    }
}

const lf_kernels_elem LF_KERNEL_SYMBOL(lf_kernels_elem) = {
    .rmsnorm = rmsnorm,
    .layernorm = layernorm,
    .rope = rope,
    .act = act,
    .add = add,
    .scale = scale,
    .softcap = softcap,
    .softmax = softmax,
    .sumexp = sumexp,
    .max = max_of,
    .dot = dot,
    .dot_f16_rows = dot_f16_rows,
    .dot_q4_rows = dot_q4_rows,
    .to_f16 = to_f16,
    .from_f16 = from_f16,
    .to_bf16 = to_bf16,
    .quantize = quantize,
};

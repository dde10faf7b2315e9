/* tensor/simd_scalar.h - the operations of simd.h as loops: their definition. */
#ifndef LF_TENSOR_SIMD_SCALAR_H
#define LF_TENSOR_SIMD_SCALAR_H

#include <math.h>

#include "tensor/type.h"

#define LF_VL        16
#define LF_TILE_ROWS 1
#define LF_S8_BIAS   0

typedef struct vf {
    float v[LF_VL];
} vf;
typedef struct vi {
    int32_t v[LF_VL];
} vi;

#define LF_SCALAR_EACH(type, expr)                                                                 \
    type r;                                                                                        \
    for (int l = 0; l < LF_VL; l++)                                                                \
        r.v[l] = (expr);                                                                           \
    return r

LF_INLINE vf vf_load(const float *p)
{
    LF_SCALAR_EACH(vf, p[l]);
}
LF_INLINE void vf_store(float *p, vf a)
{
    memcpy(p, a.v, sizeof a.v);
}
LF_INLINE vf vf_set1(float x)
{
    LF_SCALAR_EACH(vf, x);
}
LF_INLINE vf vf_add(vf a, vf b)
{
    LF_SCALAR_EACH(vf, a.v[l] + b.v[l]);
}
LF_INLINE vf vf_sub(vf a, vf b)
{
    LF_SCALAR_EACH(vf, a.v[l] - b.v[l]);
}
LF_INLINE vf vf_mul(vf a, vf b)
{
    LF_SCALAR_EACH(vf, a.v[l] * b.v[l]);
}
LF_INLINE vf vf_div(vf a, vf b)
{
    LF_SCALAR_EACH(vf, a.v[l] / b.v[l]);
}
LF_INLINE vf vf_max(vf a, vf b)
{
    LF_SCALAR_EACH(vf, a.v[l] > b.v[l] ? a.v[l] : b.v[l]);
}
LF_INLINE vf vf_min(vf a, vf b)
{
    LF_SCALAR_EACH(vf, a.v[l] < b.v[l] ? a.v[l] : b.v[l]);
}
LF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    LF_SCALAR_EACH(vf, fmaf(a.v[l], b.v[l], c.v[l]));
}
LF_INLINE vf vf_abs(vf a)
{
    LF_SCALAR_EACH(vf, fabsf(a.v[l]));
}
LF_INLINE vf vf_rint(vf a)
{
    LF_SCALAR_EACH(vf, rintf(a.v[l]));
}
LF_INLINE vf vf_copysign(vf a, vf s)
{
    LF_SCALAR_EACH(vf, copysignf(a.v[l], s.v[l]));
}
LF_INLINE vf vf_sel_lt(vf a, vf b, vf x, vf y) /* a < b ? x : y */
{
    LF_SCALAR_EACH(vf, a.v[l] < b.v[l] ? x.v[l] : y.v[l]);
}
LF_INLINE vf vf_pow2(vf n) /* 2^n for integral n in [-126, 127] */
{
    vf r;
    for (int l = 0; l < LF_VL; l++) {
        const uint32_t u = (uint32_t)((int32_t)lrintf(n.v[l]) + 127) << 23;
        memcpy(&r.v[l], &u, 4);
    }
    return r;
}
LF_INLINE vf vf_f16(const uint16_t *p)
{
    LF_SCALAR_EACH(vf, lf_f16_to_f32(p[l]));
}
LF_INLINE void vf_store_f16(uint16_t *p, vf a)
{
    for (int l = 0; l < LF_VL; l++)
        p[l] = lf_f32_to_f16(a.v[l]);
}
LF_INLINE vf vf_dot_bf16(vf acc, vi w, vi x)
{
    for (int l = 0; l < LF_VL; l++)
        for (int k = 16; k >= 0; k -= 16)
            acc.v[l] = fmaf(lf_bf16_to_f32((uint16_t)((uint32_t)w.v[l] >> k)),
                            lf_bf16_to_f32((uint16_t)((uint32_t)x.v[l] >> k)), acc.v[l]);
    return acc;
}
LF_INLINE vf vf_u8(const uint8_t *p)
{
    LF_SCALAR_EACH(vf, (float)p[l]);
}
LF_INLINE vf vf_s8(const uint8_t *p)
{
    LF_SCALAR_EACH(vf, (float)(int8_t)p[l]);
}
LF_INLINE vf vf_from_vi(vi a)
{
    LF_SCALAR_EACH(vf, (float)a.v[l]);
}
LF_INLINE vi vi_from_vf(vf a) /* to nearest even; |a| < 2^31 */
{
    LF_SCALAR_EACH(vi, (int32_t)lrintf(a.v[l]));
}
LF_INLINE vi vi_load(const void *p)
{
    vi r;
    memcpy(r.v, p, sizeof r.v);
    return r;
}
LF_INLINE vi vi_u8(const uint8_t *p)
{
    LF_SCALAR_EACH(vi, p[l]);
}
LF_INLINE vi vi_set1(int32_t x)
{
    LF_SCALAR_EACH(vi, x);
}
LF_INLINE vi vi_bcast(const void *p) /* 4 bytes to all lanes */
{
    int32_t x;
    memcpy(&x, p, 4);
    return vi_set1(x);
}
LF_INLINE vi vi_add(vi a, vi b)
{
    LF_SCALAR_EACH(vi, a.v[l] + b.v[l]);
}
LF_INLINE vi vi_and(vi a, vi b)
{
    LF_SCALAR_EACH(vi, a.v[l] & b.v[l]);
}
LF_INLINE vi vi_or_and(vi a, vi b, vi c) /* a | (b & c) */
{
    LF_SCALAR_EACH(vi, a.v[l] | (b.v[l] & c.v[l]));
}
LF_INLINE vi vi_shl(vi a, int n)
{
    LF_SCALAR_EACH(vi, (int32_t)((uint32_t)a.v[l] << n));
}
LF_INLINE vi vi_shr(vi a, int n) /* zeros come in */
{
    LF_SCALAR_EACH(vi, (int32_t)((uint32_t)a.v[l] >> n));
}
LF_INLINE void vi_store_s8(int8_t *p, vi a)
{
    for (int l = 0; l < LF_VL; l++)
        p[l] = (int8_t)a.v[l];
}
LF_INLINE vi vi_prep_s8(vi w)
{
    return w;
}
LF_INLINE vi vi_dot4(vi acc, vi w, vi x)
{
    for (int l = 0; l < LF_VL; l++)
        for (int k = 0; k < 32; k += 8)
            acc.v[l] += (int8_t)((uint32_t)w.v[l] >> k) * (int8_t)((uint32_t)x.v[l] >> k);
    return acc;
}
LF_INLINE vi vi_dot4s(vi acc, vi w, vi x)
{
    return vi_dot4(acc, w, x);
}

LF_INLINE float lf_sum16(const vf *v)
{
    float t[16];
    memcpy(t, v->v, sizeof t);
    for (int w = 8; w > 0; w /= 2)
        for (int l = 0; l < w; l++)
            t[l] += t[l + w];
    return t[0];
}

#endif

/* tensor/simd_neon.h - simd.h on AArch64 Advanced SIMD with the dot product. */
#ifndef LF_TENSOR_SIMD_NEON_H
#define LF_TENSOR_SIMD_NEON_H

#include <arm_neon.h>

#define LF_VL        4
#define LF_TILE_ROWS 8
#define LF_S8_BIAS   0

typedef float32x4_t vf;
typedef int32x4_t vi;

LF_INLINE vf vf_load(const float *p)
{
    return vld1q_f32(p);
}
LF_INLINE void vf_store(float *p, vf a)
{
    vst1q_f32(p, a);
}
LF_INLINE vf vf_set1(float x)
{
    return vdupq_n_f32(x);
}
LF_INLINE vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}
LF_INLINE vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}
LF_INLINE vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}
LF_INLINE vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}
LF_INLINE vf vf_max(vf a, vf b) /* b where a is NaN, as on x86 */
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}
LF_INLINE vf vf_min(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}
LF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}
LF_INLINE vf vf_abs(vf a)
{
    return vabsq_f32(a);
}
LF_INLINE vf vf_rint(vf a)
{
    return vrndnq_f32(a);
}
LF_INLINE vf vf_copysign(vf a, vf s)
{
    return vbslq_f32(vdupq_n_u32(0x80000000u), s, a);
}
LF_INLINE vf vf_sel_lt(vf a, vf b, vf x, vf y)
{
    return vbslq_f32(vcltq_f32(a, b), x, y);
}
LF_INLINE vf vf_pow2(vf n)
{
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
LF_INLINE vf vf_f16(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
LF_INLINE void vf_store_f16(uint16_t *p, vf a)
{
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a)));
}
LF_INLINE vf vf_dot_bf16(vf acc, vi w, vi x)
{
    const vi high = vdupq_n_s32((int32_t)0xffff0000u);
    acc = vfmaq_f32(acc, vreinterpretq_f32_s32(vandq_s32(w, high)),
                    vreinterpretq_f32_s32(vandq_s32(x, high)));
    return vfmaq_f32(acc, vreinterpretq_f32_s32(vshlq_n_s32(w, 16)),
                     vreinterpretq_f32_s32(vshlq_n_s32(x, 16)));
}
LF_INLINE vf vf_u8(const uint8_t *p)
{
    const uint8_t t[8] = { p[0], p[1], p[2], p[3] };
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(t)))));
}
LF_INLINE vf vf_s8(const uint8_t *p)
{
    const uint8_t t[8] = { p[0], p[1], p[2], p[3] };
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(vld1_u8(t))))));
}
LF_INLINE vf vf_from_vi(vi a)
{
    return vcvtq_f32_s32(a);
}
LF_INLINE vi vi_from_vf(vf a)
{
    return vcvtnq_s32_f32(a);
}
LF_INLINE vi vi_load(const void *p)
{
    return vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)p));
}
LF_INLINE vi vi_u8(const uint8_t *p)
{
    const uint8_t t[8] = { p[0], p[1], p[2], p[3] };
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(t)))));
}
LF_INLINE vi vi_set1(int32_t x)
{
    return vdupq_n_s32(x);
}
LF_INLINE vi vi_bcast(const void *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return vdupq_n_s32(x);
}
LF_INLINE vi vi_add(vi a, vi b)
{
    return vaddq_s32(a, b);
}
LF_INLINE vi vi_and(vi a, vi b)
{
    return vandq_s32(a, b);
}
LF_INLINE vi vi_or_and(vi a, vi b, vi c)
{
    return vorrq_s32(a, vandq_s32(b, c));
}
LF_INLINE vi vi_shl(vi a, int n)
{
    return vshlq_s32(a, vdupq_n_s32(n));
}
LF_INLINE vi vi_shr(vi a, int n)
{
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n)));
}
LF_INLINE void vi_store_s8(int8_t *p, vi a)
{
    int8_t t[8];
    const int16x4_t w = vmovn_s32(a);
    vst1_s8(t, vmovn_s16(vcombine_s16(w, w)));
    memcpy(p, t, 4);
}
LF_INLINE vi vi_prep_s8(vi w)
{
    return w;
}
LF_INLINE vi vi_dot4(vi acc, vi w, vi x)
{
    return vdotq_s32(acc, vreinterpretq_s8_s32(w), vreinterpretq_s8_s32(x));
}
LF_INLINE vi vi_dot4s(vi acc, vi w, vi x)
{
    return vi_dot4(acc, w, x);
}

LF_INLINE float lf_sum16(const vf *v)
{
    const vf a = vaddq_f32(vaddq_f32(v[0], v[2]), vaddq_f32(v[1], v[3]));
    const float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
}

#endif

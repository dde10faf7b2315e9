/* tensor/simd_avx512.h - simd.h on AVX-512 (F BW DQ VL), with or without VNNI, BF16. */
#ifndef LF_TENSOR_SIMD_AVX512_H
#define LF_TENSOR_SIMD_AVX512_H

#include <immintrin.h>

#define LF_VL        16
#define LF_TILE_ROWS 16
#if defined(LF_SIMD_AVX512_BF16) && !defined(LF_SIMD_AVX512_VNNI)
#define LF_SIMD_AVX512_VNNI /* the set with BF16 has both */
#endif
#ifdef LF_SIMD_AVX512_VNNI
#define LF_S8_BIAS 128 /* vpdpbusd wants unsigned weights */
#else
#define LF_S8_BIAS 0
#endif

typedef __m512 vf;
typedef __m512i vi;

LF_INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
LF_INLINE void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}
LF_INLINE vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}
LF_INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
LF_INLINE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
LF_INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
LF_INLINE vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
LF_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
LF_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
LF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
LF_INLINE vf vf_abs(vf a)
{
    return _mm512_abs_ps(a);
}
LF_INLINE vf vf_rint(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
LF_INLINE vf vf_copysign(vf a, vf s)
{
    const vf m = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(m, a), _mm512_and_ps(m, s));
}
LF_INLINE vf vf_sel_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
LF_INLINE vf vf_pow2(vf n)
{
    const vi e = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}
LF_INLINE vf vf_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
LF_INLINE void vf_store_f16(uint16_t *p, vf a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
#ifdef LF_SIMD_AVX512_BF16
LF_INLINE vf vf_dot_bf16(vf acc, vi w, vi x)
{
    return _mm512_dpbf16_ps(acc, (__m512bh)w, (__m512bh)x);
}
#else
LF_INLINE vf vf_dot_bf16(vf acc, vi w, vi x)
{
    const vi high = _mm512_set1_epi32((int)0xffff0000u);
    acc = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(w, high)),
                          _mm512_castsi512_ps(_mm512_and_si512(x, high)), acc);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(w, 16)),
                           _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), acc);
}
#endif
LF_INLINE vf vf_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
LF_INLINE vf vf_s8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
LF_INLINE vf vf_from_vi(vi a)
{
    return _mm512_cvtepi32_ps(a);
}
LF_INLINE vi vi_from_vf(vf a)
{
    return _mm512_cvtps_epi32(a);
}
LF_INLINE vi vi_load(const void *p)
{
    return _mm512_loadu_si512(p);
}
LF_INLINE vi vi_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}
LF_INLINE vi vi_set1(int32_t x)
{
    return _mm512_set1_epi32(x);
}
LF_INLINE vi vi_bcast(const void *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm512_set1_epi32(x);
}
LF_INLINE vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}
LF_INLINE vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
}
LF_INLINE vi vi_or_and(vi a, vi b, vi c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0xf8);
}
LF_INLINE vi vi_shl(vi a, int n)
{
    return _mm512_slli_epi32(a, (unsigned)n);
}
LF_INLINE vi vi_shr(vi a, int n)
{
    return _mm512_srli_epi32(a, (unsigned)n);
}
LF_INLINE void vi_store_s8(int8_t *p, vi a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(a));
}

#ifdef LF_SIMD_AVX512_VNNI
LF_INLINE vi vi_prep_s8(vi w)
{
    return _mm512_xor_si512(w, _mm512_set1_epi8((char)0x80));
}
LF_INLINE vi vi_dot4(vi acc, vi w, vi x)
{
    return _mm512_dpbusd_epi32(acc, w, x);
}
LF_INLINE vi vi_dot4s(vi acc, vi w, vi x)
{
    return _mm512_dpbusd_epi32(acc, w, x);
}
#else
LF_INLINE vi vi_prep_s8(vi w)
{
    return w;
}
/* w <= 63 keeps the pair sums of maddubs far from saturation. */
LF_INLINE vi vi_dot4(vi acc, vi w, vi x)
{
    const vi pairs = _mm512_maddubs_epi16(w, x);
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
/* |w| times x with w's sign: |-128| = 128 is right as unsigned, and 2 * 128 * 127 fits. */
LF_INLINE vi vi_dot4s(vi acc, vi w, vi x)
{
    const __mmask64 neg = _mm512_movepi8_mask(w);
    const vi signed_x = _mm512_mask_sub_epi8(x, neg, _mm512_setzero_si512(), x);
    return vi_dot4(acc, _mm512_abs_epi8(w), signed_x);
}
#endif

LF_INLINE float lf_sum16(const vf *v)
{
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(*v), _mm512_extractf32x8_ps(*v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

#endif

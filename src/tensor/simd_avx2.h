/* tensor/simd_avx2.h - simd.h on AVX2 with FMA and F16C. */
#ifndef LF_TENSOR_SIMD_AVX2_H
#define LF_TENSOR_SIMD_AVX2_H

#include <immintrin.h>

#define LF_VL        8
#define LF_TILE_ROWS 4
#define LF_S8_BIAS   0

typedef __m256 vf;
typedef __m256i vi;

LF_INLINE vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
LF_INLINE void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}
LF_INLINE vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}
LF_INLINE vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
LF_INLINE vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
LF_INLINE vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
LF_INLINE vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
LF_INLINE vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
LF_INLINE vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
LF_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
LF_INLINE vf vf_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
LF_INLINE vf vf_rint(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
LF_INLINE vf vf_copysign(vf a, vf s)
{
    const vf m = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(m, a), _mm256_and_ps(m, s));
}
LF_INLINE vf vf_sel_lt(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
LF_INLINE vf vf_pow2(vf n)
{
    const vi e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}
LF_INLINE vf vf_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
LF_INLINE void vf_store_f16(uint16_t *p, vf a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
LF_INLINE vf vf_dot_bf16(vf acc, vi w, vi x)
{
    const vi high = _mm256_set1_epi32((int)0xffff0000u);
    acc = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(w, high)),
                          _mm256_castsi256_ps(_mm256_and_si256(x, high)), acc);
    return _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(w, 16)),
                           _mm256_castsi256_ps(_mm256_slli_epi32(x, 16)), acc);
}
LF_INLINE vf vf_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
LF_INLINE vf vf_s8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
LF_INLINE vf vf_from_vi(vi a)
{
    return _mm256_cvtepi32_ps(a);
}
LF_INLINE vi vi_from_vf(vf a)
{
    return _mm256_cvtps_epi32(a);
}
LF_INLINE vi vi_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}
LF_INLINE vi vi_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}
LF_INLINE vi vi_set1(int32_t x)
{
    return _mm256_set1_epi32(x);
}
LF_INLINE vi vi_bcast(const void *p)
{
    int32_t x;
    memcpy(&x, p, 4);
    return _mm256_set1_epi32(x);
}
LF_INLINE vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}
LF_INLINE vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}
LF_INLINE vi vi_or_and(vi a, vi b, vi c)
{
    return _mm256_or_si256(a, _mm256_and_si256(b, c));
}
LF_INLINE vi vi_shl(vi a, int n)
{
    return _mm256_slli_epi32(a, n);
}
LF_INLINE vi vi_shr(vi a, int n)
{
    return _mm256_srli_epi32(a, n);
}
LF_INLINE void vi_store_s8(int8_t *p, vi a)
{
    const __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(w, w));
}
LF_INLINE vi vi_prep_s8(vi w)
{
    return w;
}
/* w <= 63 keeps the pair sums of maddubs far from saturation. */
LF_INLINE vi vi_dot4(vi acc, vi w, vi x)
{
    const vi pairs = _mm256_maddubs_epi16(w, x);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
/* |w| times x with w's sign: |-128| = 128 is right as unsigned, and 2 * 128 * 127 fits. */
LF_INLINE vi vi_dot4s(vi acc, vi w, vi x)
{
    return vi_dot4(acc, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

LF_INLINE float lf_sum16(const vf *v)
{
    const __m256 a = _mm256_add_ps(v[0], v[1]);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}

#endif

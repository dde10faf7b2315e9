/* tensor/simd_math.h - exp, tanh and erf over simd.h.
 *
 * Polynomials in fma, so that they give the same bits on every kernel set.
 * Errors were measured against double over the whole range (test_tensor):
 * exp 2 units in the last place, tanh and erf 3e-7 absolute. */
#ifndef LF_TENSOR_SIMD_MATH_H
#define LF_TENSOR_SIMD_MATH_H

#include "tensor/simd.h"

/* e^x = 2^n e^r with |r| <= ln(2)/2; the polynomial is Moshier's (Cephes expf).
 * Below -87.33 the result is 0, above 88.37 it stays at e^88.37.  NaN stays NaN. */
LF_INLINE vf vf_exp(vf x)
{
    const vf lowest = vf_set1(-87.33654f);
    const vf c = vf_min(vf_set1(88.37626f), vf_max(lowest, x)); /* NaN in the second operand */
    const vf n = vf_rint(vf_mul(c, vf_set1(1.44269504088896f)));
    vf r = vf_fma(n, vf_set1(-0.693359375f), c);
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    vf p = vf_set1(1.9875691500e-4f);
    p = vf_fma(p, r, vf_set1(1.3981999507e-3f));
    p = vf_fma(p, r, vf_set1(8.3334519073e-3f));
    p = vf_fma(p, r, vf_set1(4.1665795894e-2f));
    p = vf_fma(p, r, vf_set1(1.6666665459e-1f));
    p = vf_fma(p, r, vf_set1(5.0000001201e-1f));
    p = vf_add(vf_fma(p, vf_mul(r, r), r), vf_set1(1.0f));
    return vf_sel_lt(x, lowest, vf_set1(0.0f), vf_mul(p, vf_pow2(n)));
}

/* (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x */
LF_INLINE vf vf_tanh(vf x)
{
    const vf one = vf_set1(1.0f), e = vf_exp(vf_mul(vf_abs(x), vf_set1(-2.0f)));
    return vf_copysign(vf_div(vf_sub(one, e), vf_add(one, e)), x);
}

/* Abramowitz and Stegun 7.1.26, |error| <= 1.5e-7 */
LF_INLINE vf vf_erf(vf x)
{
    const vf a = vf_abs(x), one = vf_set1(1.0f);
    const vf t = vf_div(one, vf_fma(vf_set1(0.3275911f), a, one));
    vf p = vf_set1(1.061405429f);
    p = vf_fma(p, t, vf_set1(-1.453152027f));
    p = vf_fma(p, t, vf_set1(1.421413741f));
    p = vf_fma(p, t, vf_set1(-0.284496736f));
    p = vf_fma(p, t, vf_set1(0.254829592f));
    const vf e = vf_exp(vf_sub(vf_set1(0.0f), vf_mul(a, a)));
    return vf_copysign(vf_sub(one, vf_mul(vf_mul(p, t), e)), x);
}

#endif

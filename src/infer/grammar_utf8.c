/* infer/grammar_utf8.c - a range of code points as sequences of byte ranges.
 *
 * A range is cut where the length of the encoding changes, and then so that all
 * but its leading bytes run over everything: what is left has one range of values
 * at each place, independently of the others. */
#include "infer/grammar_int.h"
#include "text/utf8.h"

enum { SURROGATE_FIRST = 0xd800, SURROGATE_LAST = 0xdfff, CODE_POINT_LAST = 0x10ffff };

/* Where to cut lo..hi: the last code point of the first part, or hi. */
static uint32_t first_part(uint32_t lo, uint32_t hi)
{
    static const uint32_t ends[] = { 0x7f, 0x7ff, 0xffff };
    for (int i = 0; i < 3; i++)
        if (lo <= ends[i] && ends[i] < hi)
            return ends[i];
    if (hi <= 0x7f)
        return hi;
    for (int bits = 6; bits <= 18; bits += 6) {
        const uint32_t low = (UINT32_C(1) << bits) - 1;
        if ((lo & ~low) == (hi & ~low))
            continue;
        if (lo & low)
            return lo | low;
        if ((hi & low) != low)
            return (hi & ~low) - 1;
    }
    return hi;
}

bool lf_utf8_ranges(uint32_t lo, uint32_t hi, utf8_ranges_fn *emit, void *ud)
{
    hi = hi > CODE_POINT_LAST ? CODE_POINT_LAST : hi;
    while (lo <= hi) {
        if (lo >= SURROGATE_FIRST && lo <= SURROGATE_LAST) {
            lo = SURROGATE_LAST + 1;
            continue;
        }
        uint32_t end = lo < SURROGATE_FIRST && hi >= SURROGATE_FIRST ? SURROGATE_FIRST - 1 : hi;
        for (uint32_t cut; (cut = first_part(lo, end)) < end;)
            end = cut;
        uint8_t from[4], to[4];
        const size_t n = lf_utf8_put(lo, (char *)from);
        (void)lf_utf8_put(end, (char *)to);
        if (!emit(ud, from, to, (int)n))
            return false;
        lo = end + 1;
    }
    return true;
}

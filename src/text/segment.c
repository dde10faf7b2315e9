/* text/segment.c - unigram segmentation by dynamic programming (Viterbi).
 *
 * best[i] = min over words w = cps[i..i+len) of cost(w) + best[i + len], from the
 * right; cost is the negative log of the word's share of all counts.  A character
 * that is no word costs more than any word, so that it is cut off alone.  Of two
 * cuts with equal cost the one with the longer first word wins.
 *
 * Words are found by extending a prefix hash: the table holds every prefix of a
 * word, so that the search stops at the first miss.  A slot compares 23 bits of
 * hash beside its place: a wrong hit has a chance of about one in five million. */
#include "text/segment.h"

#include "base/assert.h"
#include "text/lexicon_int.h"

extern const uint32_t lf_lexicon_data[]; /* written by lexicon_build */

enum { HEAD_WORDS = 4, COST_UNKNOWN = 300, COST_PREFIX = 1, COST_BITS = 0xFF };

/* 0 = not in the table, else its slot without the print: name bit and cost. */
static uint32_t look_up(uint64_t state)
{
    const uint64_t key = lf_lexicon_key(state);
    const uint32_t mask = ((uint32_t)1 << lf_lexicon_data[2]) - 1;
    const uint32_t print = lf_lexicon_print(key);
    const uint32_t *slots = lf_lexicon_data + HEAD_WORDS;
    for (uint32_t at = (uint32_t)key & mask; slots[at]; at = (at + 1) & mask)
        if (slots[at] >> 9 == print)
            return slots[at] & (LF_LEXICON_NAME | COST_BITS);
    return 0;
}

void lf_segment(const uint32_t *cps, size_t n, uint8_t *lens)
{
    uint32_t best[LF_SEGMENT_MAX + 1];
    LF_ASSERT(n <= LF_SEGMENT_MAX);
    const size_t longest = lf_lexicon_data[3];
    best[n] = 0;
    for (size_t i = n; i-- > 0;) {
        uint64_t state = LF_LEXICON_SEED;
        best[i] = best[i + 1] + COST_UNKNOWN;
        lens[i] = 1;
        for (size_t len = 1; len <= longest && i + len <= n; len++) {
            state = lf_lexicon_step(state, cps[i + len - 1]);
            const uint32_t c = look_up(state) & COST_BITS;
            if (c == 0)
                break;
            if (c > COST_PREFIX && c + best[i + len] <= best[i]) {
                best[i] = c + best[i + len];
                lens[i] = (uint8_t)len;
            }
        }
    }
    for (size_t i = 0; i < n;) {
        const size_t len = lens[i];
        for (size_t k = 1; k < len; k++)
            lens[i + k] = 0;
        i += len;
    }
}

static uint32_t look_up_word(const uint32_t *cps, size_t n)
{
    uint64_t state = LF_LEXICON_SEED;
    for (size_t i = 0; i < n; i++)
        state = lf_lexicon_step(state, cps[i]);
    return n > 0 ? look_up(state) : 0;
}

bool lf_segment_is_word(const uint32_t *cps, size_t n)
{
    return (look_up_word(cps, n) & COST_BITS) > COST_PREFIX;
}

double lf_segment_rarity(const uint32_t *cps, size_t n)
{
    const uint32_t c = look_up_word(cps, n) & COST_BITS;
    return c > COST_PREFIX ? (c - 2) * LF_LEXICON_STEP : 0;
}

bool lf_segment_is_name(const uint32_t *cps, size_t n)
{
    return (look_up_word(cps, n) & LF_LEXICON_NAME) != 0;
}

/* text/segment.h - Chinese words: the likeliest cut of a run of ideographs.
 *
 * The words and their counts are a table in the executable's read-only data,
 * built from a word list of 349,000 entries; nothing is loaded or allocated at
 * start.
 *
 * Threads    The table is immutable; scratch is the caller's.
 * Units      Code points.
 */
#ifndef LF_TEXT_SEGMENT_H
#define LF_TEXT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_SEGMENT_MAX = 512 };

/* Cut cps[0..n), n <= LF_SEGMENT_MAX: lens[i] is the length of the word that
 * starts at i, 0 inside a word.  Ideographs without a word stand alone. */
void lf_segment(const uint32_t *cps, size_t n, uint8_t *lens);

/* Is the whole of cps[0..n) one word of the table? */
bool lf_segment_is_word(const uint32_t *cps, size_t n);

/* How rare a word is: -ln of its share of all words, 3 (的) to 20; 0 where the whole
 * of cps[0..n) is no word of the table. */
double lf_segment_rarity(const uint32_t *cps, size_t n);

/* Does the table list it as a name: of a place or an organisation? */
bool lf_segment_is_name(const uint32_t *cps, size_t n);

#ifdef __cplusplus
}
#endif
#endif

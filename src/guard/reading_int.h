/* guard/reading_int.h - a text as guard looks at it: terms, facts, sentences.
 *
 * Shared by the citation check and the choice of evidence.
 *
 * Ownership  lf_reading_release frees what lf_reading_take filled.
 */
#ifndef LF_GUARD_READING_INT_H
#define LF_GUARD_READING_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "guard/fact.h"
#include "text/sentence.h"
#include "text/terms.h"

typedef struct lf_reading {
    const char *text; /* borrowed */
    size_t n_bytes;
    lf_terms terms; /* in order of start */
    float *weights; /* of each term */
    uint64_t *ids;  /* of the terms, ascending, each once */
    size_t n_ids;
    lf_facts facts;
    lf_spans sentences; /* empty unless asked for */
} lf_reading;

LF_MUST_CHECK lf_status lf_reading_take(lf_analyzer *a, const char *text, bool sentences,
                                        lf_reading *out, lf_err *err);
void lf_reading_release(lf_reading *r); /* safe on a zeroed struct */

bool lf_reading_has(const lf_reading *r, uint64_t term_id);
bool lf_reading_has_name(const lf_reading *r, uint64_t name_id);

/* Does a term of this id start inside [start, end)? */
bool lf_reading_has_in(const lf_reading *r, uint64_t term_id, uint32_t start, uint32_t end);

/* Do the limits that stand in [start, end) ("20万元以上不满100万元") allow for the number? */
bool lf_reading_allows(const lf_reading *r, const lf_number *n, uint32_t start, uint32_t end);

/* What a term (one of r->terms) counts for: words fully; two characters that are
 * words of their own fully as well, for a name that no word list has is made of
 * such; 0 for stop words, for pairs across the edge of a word, and for the digits
 * of numbers, which are compared as numbers. */
double lf_reading_weight(const lf_reading *r, const lf_term *t);

/* More ideographs than words of letters? */
bool lf_reading_is_han(const lf_reading *r);

/* Is [start, end), one of its sentences, a row of a table? */
bool lf_reading_is_row(const lf_reading *r, uint32_t start, uint32_t end);

/* The text of [start, end) code points, borrowed. */
lf_str lf_reading_slice(const lf_reading *r, uint32_t start, uint32_t end);

#endif

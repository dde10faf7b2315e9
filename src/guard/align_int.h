/* guard/align_int.h - a sentence of an answer held beside the passage that it cites.
 *
 * Which part of the passage says the same is found by the words in common; then figures
 * and clauses of the two are compared.  Behind guard/cite.h.
 *
 * Ownership  Everything is borrowed, results are static.
 * Threads    No state.
 * Units      Spans count code points; a run is a span of whole sentences of the passage.
 */
#ifndef LF_GUARD_ALIGN_INT_H
#define LF_GUARD_ALIGN_INT_H

#include "guard/reading_int.h"

typedef struct lf_align {
    const lf_reading *s, *q, *p, *ctx; /* sentence; question or NULL; passage; context */
    bool crossed;                      /* sentence and passage are in different languages */
} lf_align;

/* Does a number that starts in [start, end) say the same as `n`? */
bool lf_align_number_in(const lf_reading *r, const lf_number *n, uint32_t start, uint32_t end);

/* The sentence puts its numbers i and i + 1 together as one date: does the run put one of
 * them together with another, and never these? */
bool lf_align_broken_date(const lf_align *j, size_t i, lf_span run);

/* Nothing before it but white space since the text began or a sentence or line ended? */
bool lf_align_begins_sentence(const lf_reading *r, uint32_t start);

/* Does each figure come from where the run speaks of the same thing? */
bool lf_align_bound(const lf_align *j, lf_span run);

/* "A 和 B 分别为 1 和 2": does the sentence take a key of one place and a figure of another?
 * (guard/pairs.c) */
bool lf_align_mispaired(const lf_align *j, lf_span run);

/* Is the first word of weight, mostly what the sentence is about, the asker's alone, so
 * that the passage may be about something else? */
bool lf_align_is_about_other(const lf_align *j);

/* What the run says otherwise, clause by clause: "negation", "direction", "scope",
 * "modality", "order" (who does it to whom, or words from two places), or "". */
const char *lf_align_conflict(const lf_align *j, lf_span run);

#endif

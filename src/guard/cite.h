/* guard/cite.h - is this sentence supported by that passage, and by which words of it?
 *
 * The check, in order (the first that fails is the reason):
 *   text      the sentence is valid UTF-8
 *   numbers   each number of the sentence stands in the passage with the same
 *             value and a unit that does not contradict; parts of a date together
 *   names     each word of Latin letters, and each Chinese name that the word list
 *             knows, stands in the passage, in its context, or (only where the
 *             languages differ) in the question
 *   binding   each number is said of what the passage says it of
 *   words     the share of the sentence's content words, weighted, that the
 *             passage or its context has; words that only the question has count
 *             little, for they are the asker's, not the answer's
 *   subject   what the sentence begins with is not the asker's word alone
 *   order     A does to B what A does to B in the source; words that belong together
 *             are not gathered from what comes later
 *   negation  sentence and source both deny or both affirm
 *   direction neither says "rise" where the other says "fall", "spring" for "autumn"
 *   scope     "all" and "every" come from the source
 *   modality  what is planned or possible is not told as done or certain
 *   meaning   where the languages differ and words cannot align: the cosine of
 *             sentence and source, by the callback; of the rest only numbers, names,
 *             binding, direction, scope and certainty are looked at
 * Synonyms are not assumed.  What is cited is the smallest run of whole source
 * sentences that holds all of it.
 *
 * Ownership  Everything passed in is borrowed for the call.  A checker belongs to
 *            its opener.
 * Threads    One checker per thread at a time.
 * Errors     LF_ERR_NOMEM, or what the callback returns.
 * Units      Offsets count code points of the passage's text.
 */
#ifndef LF_GUARD_CITE_H
#define LF_GUARD_CITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Vectors of unit length, out f32[n, dim]; NULL function = no meaning check. */
typedef struct lf_guard_embed {
    int32_t dim;
    lf_status (*embed)(void *ud, const lf_str *texts, size_t n, bool is_query, float *out,
                       lf_err *err);
    void *ud;
} lf_guard_embed;

typedef struct lf_cite_source {
    const char *text;    /* the passage */
    const char *context; /* what stands over it: headings, title; may be NULL */
} lf_cite_source;

typedef struct lf_cite_verdict {
    bool supported;
    double coverage;     /* 0..1, the words check */
    double similarity;   /* cosine; -1 where it was not asked */
    bool crossed;        /* sentence and passage are in different languages */
    uint32_t start, end; /* the cited run */
    const char *why;     /* "" or what failed: "numbers", "names", … (static) */
} lf_cite_verdict;

typedef struct lf_cite_checker lf_cite_checker;
LF_MUST_CHECK lf_status lf_cite_open(const lf_guard_embed *embed, lf_cite_checker **out,
                                     lf_err *err);
void lf_cite_close(lf_cite_checker *c); /* NULL is a no-op */

/* `question` may be NULL. */
LF_MUST_CHECK lf_status lf_cite_check(lf_cite_checker *c, const char *sentence,
                                      const char *question, const lf_cite_source *src,
                                      lf_cite_verdict *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

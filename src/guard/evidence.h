/* guard/evidence.h - which sentences hold the answer to a question, and whether any does.
 *
 * Sentences of the passages are ranked by how much of the question they cover
 * (alone, and with their neighbours and headings), by cosine, and by whether the
 * kind of thing that is asked for (a number of that unit, a date, a person) stands
 * in them.  From the same features a logistic model gives the probability that the
 * best one answers the question: the ground for "not in the documents".
 *
 * Ownership  The finder belongs to its opener; sources are borrowed for the call;
 *            the caller releases the list.
 * Threads    One finder per thread at a time.
 * Errors     LF_ERR_NOMEM, or what the callback returns.
 * Units      Offsets count code points of the source's text.
 */
#ifndef LF_GUARD_EVIDENCE_H
#define LF_GUARD_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "guard/cite.h"
#include "text/sentence.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_evidence {
    size_t source;       /* index into the sources */
    uint32_t start, end; /* the sentence */
    double score;        /* ranks; higher is better */
    double coverage;     /* share of the question found here or around, 0..1 */
    double topical;      /* the same, where what the source is about counts as found */
    double inside;       /* share found in the sentence itself */
    double missing;      /* share of the question found nowhere in the source or over it */
    double gap;        /* weight of the heaviest part found nowhere, of the heaviest of all, 0..1 */
    double subject;    /* share of the question's subject found here or around, 0..1 */
    double rest;       /* share of what is asked about the subject, likewise; 1 = nothing is */
    double similarity; /* cosine with the question; -1 where not asked */
    double kind;       /* is the kind of thing asked for there? 0..1 */
    double strange;    /* 1 = a name or number of the question is not there, or another year is */
    double answerable; /* probability that this sentence answers */
} lf_evidence;

typedef struct lf_evidence_list {
    lf_evidence *v; /* best first; owned */
    size_t n;
} lf_evidence_list;
void lf_evidence_release(lf_evidence_list *l); /* safe on a zeroed struct */

typedef struct lf_evidence_finder lf_evidence_finder;
LF_MUST_CHECK lf_status lf_evidence_open(const lf_guard_embed *embed, lf_evidence_finder **out,
                                         lf_err *err);
void lf_evidence_close(lf_evidence_finder *f); /* NULL is a no-op */

/* Sources in order of retrieval, best first.  At most 24 sentences come back; none
 * when the sources hold no sentence. */
LF_MUST_CHECK lf_status lf_evidence_find(lf_evidence_finder *f, const char *question,
                                         const lf_cite_source *src, size_t n_src,
                                         lf_evidence_list *out, lf_err *err);

/* The run of whole clauses of `sentence` (a span of `text`), at most `max_chars`
 * long, that says most about the question. */
LF_MUST_CHECK lf_status lf_evidence_span(lf_evidence_finder *f, const char *question,
                                         const char *text, lf_span sentence, uint32_t max_chars,
                                         lf_span *out, lf_err *err);

/* Does the sentence say something that the question does not, of the kind that was
 * asked for?  (Whether it is true is lf_cite_check's business.) */
LF_MUST_CHECK lf_status lf_evidence_responds(lf_evidence_finder *f, const char *question,
                                             const char *sentence, bool *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

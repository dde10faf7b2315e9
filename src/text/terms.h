/* text/terms.h - a text as the terms that full-text search counts.
 *
 * Chinese gives every pair of neighbouring ideographs, and of the words that
 * segmentation finds those of one character or of three and more: a word of two
 * is its pair.  So a query finds its words even where a text was cut otherwise.
 * Kana, Hangul, Thai and other scripts without spaces give pairs alone.  Latin,
 * Greek, Cyrillic … give words: folded, English ones stemmed.  Numbers stay
 * exact ("1,000" is "1000", "３．５" is "3.5"), and compounds such as "GPT-3.5"
 * give their parts and the whole ("gpt3.5").
 *
 * Ownership  lf_terms owns its array.  An analyzer belongs to its opener.
 * Threads    One analyzer per thread at a time.
 * Errors     LF_ERR_NOMEM alone.
 * Units      Offsets count code points of the text given.
 */
#ifndef LF_TEXT_TERMS_H
#define LF_TEXT_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_term_kind {
    LF_TERM_WORD,      /* a word: counts fully */
    LF_TERM_PAIR,      /* two neighbouring characters that are no word here */
    LF_TERM_PAIR_WORD, /* two characters that are a word here */
    LF_TERM_COMPOUND   /* the whole of a compound whose parts are given too */
} lf_term_kind;

typedef struct lf_term {
    uint64_t id; /* hash of script class and folded text; never 0 */
    uint32_t start, end;
    uint8_t kind;    /* lf_term_kind */
    uint8_t is_name; /* Chinese alone: the word list has it as a name (text/segment.h) */
    uint8_t is_stop; /* a word that carries no content ("the", "什么"): drop from queries */
} lf_term;

typedef struct lf_terms {
    lf_term *v;
    size_t n, cap;
} lf_terms;

void lf_terms_release(lf_terms *t); /* safe on a zeroed struct */

typedef struct lf_analyzer lf_analyzer;
LF_MUST_CHECK lf_status lf_analyzer_open(lf_analyzer **out, lf_err *err);
void lf_analyzer_close(lf_analyzer *a); /* NULL is a no-op */

/* Append the terms of a text (invalid UTF-8 counts as U+FFFD) in order of start. */
LF_MUST_CHECK lf_status lf_analyzer_terms(lf_analyzer *a, const char *p, size_t n_bytes,
                                          lf_terms *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

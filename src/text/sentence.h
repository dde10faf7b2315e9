/* text/sentence.h - where the sentences of a text begin and end.
 *
 * Chinese sentences end with 。！？；… (and closing quotes or brackets after
 * them); Western ones with . ! ? before white space, where the full stop is not
 * that of an abbreviation, an initial, a number or a list label.  A line break
 * ends a sentence where the line is short of being wrapped text: an empty line,
 * a break next to a Chinese end mark, or around a row of a table (cells between
 * tabs, or a line that begins with '|').
 *
 * Ownership  lf_spans owns its array: lf_spans_release.
 * Threads    No state; any thread.
 * Units      Spans are code points, half open.
 */
#ifndef LF_TEXT_SENTENCE_H
#define LF_TEXT_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_span {
    uint32_t start, end;
} lf_span;

typedef struct lf_spans {
    lf_span *v;
    size_t n, cap;
} lf_spans;

void lf_spans_release(lf_spans *s); /* safe on a zeroed struct */

/* Append the sentences of valid UTF-8 text; `first` is added to every offset.
 * White space between sentences belongs to none; a text of white space has none.
 *   LF_ERR_NOMEM  `out` keeps what it had */
LF_MUST_CHECK lf_status lf_sentences(const char *p, size_t n_bytes, uint32_t first, lf_spans *out,
                                     lf_err *err);

/* Is the first line of the text a row of a table: cells between tabs, or a line that
 * begins with '|'? */
bool lf_sentence_is_row(const char *p, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif

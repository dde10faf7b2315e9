/* text/fold.h - Unicode normalisation for search and comparison.
 *
 * Two texts that a reader takes for the same word fold to the same bytes: full
 * and half width, compatibility forms (ligatures, circled digits), letter case.
 *
 * Threads    No state; any thread.
 * Errors     LF_ERR_NOMEM alone: invalid UTF-8 becomes U+FFFD, one a bad byte.
 */
#ifndef LF_TEXT_FOLD_H
#define LF_TEXT_FOLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append the NFKC case fold of the text (Unicode's NFKC_Casefold: default
 * ignorable code points vanish).  Lengths and offsets change. */
LF_MUST_CHECK lf_status lf_text_fold(const char *p, size_t n_bytes, lf_buf *out, lf_err *err);

/* Most code points that one code point folds to in lf_cp_fold. */
enum { LF_CP_FOLD_MAX = 18 };

/* Fold one code point for an index: compatibility decomposition, case fold and
 * accents dropped (kana keep their voice marks).  Returns how many were written,
 * 0 for what is ignored.  Folding each code point of a text by itself gives the
 * same for composed and decomposed input, and keeps offsets known. */
size_t lf_cp_fold(uint32_t cp, uint32_t out[LF_CP_FOLD_MAX]);

#ifdef __cplusplus
}
#endif
#endif

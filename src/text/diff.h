/* text/diff.h - what changed from one text to another.
 *
 * Texts are compared by words, numbers and single characters of Chinese, so that a
 * change is never shown inside a word.  The steps in order, without the added ones,
 * are the old text; without the removed ones, the new.
 *
 * Ownership  lf_diff_release; steps are views into the two texts.
 * Threads    Pure functions.
 */
#ifndef LF_TEXT_DIFF_H
#define LF_TEXT_DIFF_H

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Beyond so many pieces in what differs, all of it counts as replaced. */
enum { LF_DIFF_PIECES_MAX = 3000 };

typedef enum lf_diff_op { LF_DIFF_SAME, LF_DIFF_REMOVED, LF_DIFF_ADDED } lf_diff_op;

typedef struct lf_diff_step {
    lf_diff_op op;
    lf_str text;
} lf_diff_step;

typedef struct lf_diff {
    lf_diff_step *v;
    size_t n;
} lf_diff;

/* Valid UTF-8 on both sides. */
LF_MUST_CHECK lf_status lf_diff_texts(lf_str before, lf_str after, lf_diff *out, lf_err *err);
void lf_diff_release(lf_diff *d);

#ifdef __cplusplus
}
#endif
#endif

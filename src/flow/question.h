/* flow/question.h - a question made self-contained, and cut into the facts it asks.
 *
 * Both work by rules on the wording, in Chinese and English; what the rules do not
 * recognise stays as it is.
 *
 * Ownership  Strings handed out are the caller's: lf_free, lf_questions_release.
 * Threads    No state; any thread.
 * Errors     LF_ERR_NOMEM.
 */
#ifndef LF_FLOW_QUESTION_H
#define LF_FLOW_QUESTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_QUESTIONS_MAX = 4 };

typedef enum lf_question_form {
    LF_QUESTION_PLAIN,
    LF_QUESTION_COMPARE, /* v[0] and v[1] ask for what is compared */
    LF_QUESTION_BRIDGE   /* v[0] asks for a name, which stands before `rest` in the next */
} lf_question_form;

typedef struct lf_questions {
    char *v[LF_QUESTIONS_MAX];
    size_t n;
    lf_question_form form;
    bool wants_less;  /* COMPARE: the earlier, smaller, shorter one */
    char *subject[2]; /* COMPARE: A and B; owned */
    char *rest;       /* COMPARE: "更早"; BRIDGE: what is asked about the name; owned */
} lf_questions;
void lf_questions_release(lf_questions *q); /* safe on a zeroed struct */

/* "A 和 B 分别 X" gives "A X" and "B X"; "X1，Y1？" gives both where each asks.
 * "A 和 B 哪个 N 更多" gives "A 的 N 有多少" and the same of B.  "V 的公司 X" gives "V 的公司
 * 叫什么", with X as the rest.  A question of one fact gives itself. */
LF_MUST_CHECK lf_status lf_question_split(const char *question, lf_questions *out, lf_err *err);

/* Forms of a follow-up with the subject of the earlier turns put in, likeliest
 * first; none where the question stands by itself or there is no earlier question. */
LF_MUST_CHECK lf_status lf_question_complete(const char *question, const char *earlier_question,
                                             const char *earlier_answer, lf_questions *out,
                                             lf_err *err);

/* Does it lean on what was said before?  2 surely (a pronoun, "那B呢"), 1 perhaps
 * (short, names nothing), 0 no. */
int lf_question_depends(const char *question);

/* The name that a sentence gives in answer to "… 叫什么": what follows its "叫", "是" or
 * "为"; empty where there is none.  A view of `sentence`. */
lf_str lf_question_named(const char *sentence);

/* Is it Chinese (else English)? */
bool lf_question_is_han(const char *question);

/* Does it ask for an explanation or a list, which takes several sentences? */
bool lf_question_is_open(const char *question);

#ifdef __cplusplus
}
#endif
#endif

/* flow/question_int.h - what question.c and split.c share: views of a question's text. */
#ifndef LF_FLOW_QUESTION_INT_H
#define LF_FLOW_QUESTION_INT_H

#include "flow/question.h"

/* Moves the text of `b` in; `b` is empty afterwards.  Past LF_QUESTIONS_MAX it is dropped. */
LF_MUST_CHECK lf_status lf_question_add(lf_questions *q, lf_buf *b, lf_err *err);

lf_str lf_question_cut(const char *from, const char *to); /* without white space at the ends */
const char *lf_question_find(lf_str s, const char *w);    /* NULL where it is not there */
void lf_question_add_view(lf_buf *b, lf_str s);

/* `q` with its first pronoun replaced; false where it has none. */
bool lf_question_with_subject(const char *q, lf_str subject, lf_buf *out);

#endif

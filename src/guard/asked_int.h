/* guard/asked_int.h - what kind of thing a question asks for. */
#ifndef LF_GUARD_ASKED_INT_H
#define LF_GUARD_ASKED_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "guard/reading_int.h"

typedef enum lf_asked {
    LF_ASKED_OTHER,
    LF_ASKED_DATE,
    LF_ASKED_NUMBER,
    LF_ASKED_DURATION,
    LF_ASKED_MONEY,
    LF_ASKED_PERCENT,
    LF_ASKED_CODE, /* a stock code, a model's number */
    LF_ASKED_PLACE,
    LF_ASKED_PERSON,
    LF_ASKED_ORGANISATION
} lf_asked;

typedef struct lf_question {
    lf_asked asked;
    lf_unit unit; /* of the number asked for, of the finest part of a date; NONE = any */
    bool by_role; /* of a person: "由谁审批" is answered by an office, not a name */
} lf_question;

LF_MUST_CHECK lf_status lf_question_read(const char *question, lf_question *out, lf_err *err);

/* The question with its asking words blanked ("多少", "哪一年", …): what is left has
 * to be found.  As many code points as the question. */
void lf_question_content(const char *question, lf_buf *out);

/* How well does [start, end) of `r` hold such a thing, that the question `q` itself
 * does not state?  0..1 */
double lf_question_kind(const lf_question *k, const lf_reading *q, const lf_reading *r,
                        uint32_t start, uint32_t end);

/* Words that say the same in questions and in documents: member `k` of `group`,
 * NULL past the last.  The groups are few and general. */
size_t lf_synonym_n_groups(void);
const char *lf_synonym_word(size_t group, size_t k);

#endif

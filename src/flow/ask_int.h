/* flow/ask_int.h - what the files of "ask" share. */
#ifndef LF_FLOW_ASK_INT_H
#define LF_FLOW_ASK_INT_H

#include "flow/ask.h"
#include "flow/question.h"
#include "guard/cite.h"
#include "guard/evidence.h"

enum { LF_ASK_K_DEFAULT = 8 };

/* One fact that is asked for: its own search, evidence and sentences. */
typedef struct lf_ask_part {
    char *question; /* owned by ask.questions */
    char *reworded; /* what was searched instead (flow/find.h); owned, mostly NULL */
    lf_passages passages;
    lf_cite_source *sources; /* views of the passages and of `contexts` */
    char **contexts;         /* headings of each passage, and what opens its section */
    lf_evidence_list evidence;
    bool answered;
    char *said;     /* what the part put into the answer; owned */
    size_t n_cited; /* citations of the answer after it */
} lf_ask_part;

typedef struct lf_asking {
    lf_know *know;
    lf_provider *provider;
    const lf_scope *scope;
    const lf_ask_req *req;
    lf_ask_fn *fn;
    void *ud;
    bool han;
    lf_guard_embed embed;
    lf_embedder embedder;
    lf_cite_checker *cite;
    lf_evidence_finder *finder;
    lf_questions questions;
    lf_ask_part parts[LF_QUESTIONS_MAX];
    size_t n_parts;
    lf_buf text;
    size_t cap_citations;
    int64_t start_us;
    lf_answer out;
} lf_asking;

/* One sentence with its number [n] before the full stop, into the answer and to the
 * caller; n 0 = no number. */
LF_MUST_CHECK lf_status lf_ask_say(lf_asking *a, const char *sentence, int32_t n, lf_err *err);

/* Do the documents answer the part, as far as its evidence tells? */
bool lf_ask_is_sure(const lf_ask_part *p);

/* Say what the part asks for: by the model, checked, else in the document's own
 * words.  *answered tells whether anything was said; `log` takes what happened. */
LF_MUST_CHECK lf_status lf_ask_say_part(lf_asking *a, const lf_ask_part *p, json_t *log,
                                        bool *answered, lf_err *err);

/* flow/run_record.c: the passages as a record has them; the record of an answer that
 * is whole, kept under a new id unless the request says otherwise. */
LF_MUST_CHECK lf_status lf_run_passages(const lf_passages *p, json_t **out, lf_err *err);
LF_MUST_CHECK lf_status lf_run_keep(lf_asking *a, json_t *parts, lf_err *err);

#endif

/* tests/unit/serve_doubles.h - stand-ins for what serve stands on, for its unit tests.
 *
 * Every function of know, flow, provider, infer, model, doc and job that the
 * routes call is defined in serve_doubles.c, so that nothing real is linked in:
 * a few documents in memory, a model that says its words one by one, a queue
 * that runs a job at once.  The tests of the real ones are elsewhere, and the
 * end-to-end tests run the real program.
 */
#ifndef LF_SERVE_DOUBLES_H
#define LF_SERVE_DOUBLES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/json.h"
#include "job/job.h"

/* What the doubles are to do, and what they have seen. */
typedef struct doubles {
    int token_ms;             /* pause between tokens and between sentences */
    int n_tokens;             /* that the model says */
    const char *says;         /* what it says instead, three bytes a token; NULL = words */
    uint64_t user_key;        /* of the last request */
    bool held;                /* the last answer was held to a grammar */
    size_t n_tools;           /* that the model was told of last */
    char adapters[80];        /* of the last answer: "polite*1 short*0.5 " */
    int n_scored;             /* prompts that were evaluated for their own sake */
    atomic_int n_said;        /* tokens that were said so far */
    atomic_int n_cancelled;   /* generations and answers that were cut short */
    atomic_int n_refs;        /* of models and adapters, not given back */
    bool answered;            /* lf_ask's verdict */
    char last_collection[65]; /* of the last ingest */
    char last_source[300];
    char last_text[300];
} doubles;
extern doubles lf_doubles;

lf_jobs *lf_doubles_jobs(void); /* a new queue; lf_doubles_free */
void lf_doubles_free(lf_jobs *j);
#endif

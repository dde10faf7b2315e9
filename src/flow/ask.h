/* flow/ask.h - "ask": a question about documents, answered with checked citations.
 *
 * The steps: make the question self-contained (history), retrieve, decide
 * whether the passages can answer, generate with the model, check every
 * sentence against the passage that it cites before it is shown, drop what
 * fails and say so, or answer "not in the documents".
 *
 * Ownership  The answer owns its memory: lf_answer_release.
 * Threads    The callback runs on the caller's thread.
 * Errors     LF_ERR_ARG question empty or longer than 8,000 characters;
 *            LF_ERR_NOT_FOUND unknown collection or model; LF_ERR_CANCELLED (`cancel`
 *            is set, or the callback said stop).
 */
#ifndef LF_FLOW_ASK_H
#define LF_FLOW_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/err.h"
#include "base/json.h"
#include "know/know.h"
#include "provider/provider.h"

typedef struct lf_citation {
    int32_t n;          /* the [n] in the answer, from 1 */
    lf_passage passage; /* the cited text alone, one page */
} lf_citation;

typedef struct lf_turn {
    const char *role; /* "user" or "assistant" */
    const char *content;
} lf_turn;

typedef struct lf_ask_req {
    const char *question;
    const char *collection;     /* NULL = "default" */
    const char *const *doc_ids; /* restriction from --in; n 0 = none */
    size_t n_doc_ids;
    int32_t k;         /* passages; 0 = 8 */
    bool no_llm;       /* answer with the best span alone */
    const char *model; /* NULL = "default" */
    const lf_turn *history;
    size_t n_history;
    uint64_t seed;
    bool unrecorded; /* keep no record of this run: lf_answer.run stays empty */
    atomic_bool *cancel;
} lf_ask_req;

typedef enum lf_ask_event_type {
    LF_ASK_PASSAGES, /* retrieval is done: `passages` */
    LF_ASK_SENTENCE, /* one checked sentence, with its [n]: `text`, `citations` so far */
    LF_ASK_STATUS    /* what is being done: `text` */
} lf_ask_event_type;

typedef struct lf_ask_event {
    lf_ask_event_type type;
    const char *text;
    const lf_passages *passages;
    const lf_citation *citations;
    size_t n_citations;
} lf_ask_event;

typedef bool lf_ask_fn(void *ud, const lf_ask_event *ev); /* false cancels */

typedef struct lf_answer {
    bool answered;
    char *text;
    char *question; /* self-contained form that was searched */
    lf_citation *citations;
    size_t n_citations;
    lf_passages passages;
    char *model;      /* its catalogue id, or the path that was given; NULL with no_llm */
    char run[33];     /* the record that replays it */
    size_t n_dropped; /* sentences that failed their check */
    json_t *record;   /* what was kept under `run` (flow/run_record.h) */
    int64_t ingest_us, retrieve_us, first_token_us, total_us; /* first_token -1 with no_llm */
} lf_answer;

LF_MUST_CHECK lf_status lf_ask(lf_know *know, lf_provider *provider, const lf_scope *scope,
                               const lf_ask_req *req, lf_ask_fn *fn, void *ud, lf_answer *out,
                               lf_err *err);
void lf_answer_release(lf_answer *a);

/* The JSON of the command line and of /api/ask (new reference; NULL = no memory). */
json_t *lf_answer_json(const lf_answer *a);
json_t *lf_passage_json(const lf_passage *p, bool with_score);
#endif

/* serve/ask_req.h - the bodies of /api/ask and /api/search, as the command line has them.
 *
 * {"question"|"query", "collection", "in": [PATH…], "doc_ids": […], "k",
 *  "no_llm", "model", "history": [{role, content}], "seed", "mode"}
 *
 * Ownership  A decoded request owns its JSON and arrays; strings point into it.
 * Errors     LF_ERR_ARG, with the field's name in `param`.
 */
#ifndef LF_SERVE_ASK_REQ_H
#define LF_SERVE_ASK_REQ_H

#include "base/json.h"
#include "flow/ask.h"

enum { LF_ASK_PATHS = 100, LF_ASK_DOCS = 1000, LF_ASK_TURNS = 200, LF_ASK_K = 100 };

typedef struct lf_ask_body {
    json_t *root;
    const char *text; /* the question or query */
    const char *collection, *model;
    const char **paths, **doc_ids;
    size_t n_paths, n_doc_ids;
    lf_turn *turns;
    size_t n_turns;
    int32_t k;
    bool no_llm;
    uint64_t seed;
    lf_search_mode mode;
} lf_ask_body;

LF_MUST_CHECK lf_status lf_ask_body_decode(lf_str body, bool is_search, lf_ask_body *out,
                                           char param[64], lf_err *err);
void lf_ask_body_release(lf_ask_body *b);
#endif

/* serve/messages_req.h - what requests in Anthropic's form ask for.
 *
 * As in openai_req.h, a field that would change the answer is used or refused by
 * name.  A conversation that ends with the assistant's words is to be continued
 * from them: they are the `prefill`.
 *
 * Ownership  A decoded request owns its JSON; strings point into it.
 * Errors     LF_ERR_ARG, with the field's name in `param`.
 */
#ifndef LF_SERVE_MESSAGES_REQ_H
#define LF_SERVE_MESSAGES_REQ_H

#include "serve/gen_req.h"
#include "serve/tool_req.h"

typedef struct lf_messages_req {
    json_t *root;
    const char *model;
    json_t *messages; /* as lf_messages_take gives them, the system's first; without the prefill */
    json_t *prefill;  /* a string; NULL = none */
    json_t *tools;    /* in OpenAI's form; NULL = none */
    lf_tool_use use;
    lf_gen_opts gen;
} lf_messages_req;

/* `counts`: only the prompt is wanted (POST /v1/messages/count_tokens), and the fields
 * of an answer are not. */
LF_MUST_CHECK lf_status lf_messages_req_decode(lf_str body, bool counts, lf_messages_req *out,
                                               char param[64], lf_err *err);
void lf_messages_req_release(lf_messages_req *r);
#endif

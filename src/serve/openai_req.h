/* serve/openai_req.h - what OpenAI's chat and embeddings requests ask for.
 *
 * A field that would change the answer and is not supported is refused by name,
 * never ignored; fields without meaning here (user, metadata, store, …) are let
 * pass.  Beyond OpenAI's: top_k, min_p, repeat_penalty, grammar (GBNF); for embeddings
 * input_type.
 *
 * Ownership  A decoded request owns its JSON; strings point into it.
 * Errors     LF_ERR_ARG, with the field's name in `param`.
 */
#ifndef LF_SERVE_OPENAI_REQ_H
#define LF_SERVE_OPENAI_REQ_H

#include "base/json.h"
#include "infer/engine.h"
#include "serve/gen_req.h"
#include "serve/tool_req.h"

typedef struct lf_chat_req {
    json_t *root;
    json_t *messages; /* as lf_messages_take gives them */
    const char *model;
    lf_gen_opts gen;
    lf_tool_use tools; /* tools.tools NULL: nothing may be called */
} lf_chat_req;

LF_MUST_CHECK lf_status lf_chat_req_decode(lf_str body, lf_chat_req *out, char param[64],
                                           lf_err *err);
void lf_chat_req_release(lf_chat_req *r);

/* The field "messages", checked and brought into the form of lf_chat_req; a new
 * reference in *out, also after a failure. */
void lf_chat_read_messages(lf_fields *f, json_t **out);

typedef struct lf_embed_req {
    json_t *root;
    const char *model;
    lf_str *texts;
    size_t n_texts;
    lf_embed_kind kind;
    bool base64;
    int64_t dimensions; /* 0 = not said */
} lf_embed_req;

LF_MUST_CHECK lf_status lf_embed_req_decode(lf_str body, lf_embed_req *out, char param[64],
                                            lf_err *err);
void lf_embed_req_release(lf_embed_req *r);
#endif

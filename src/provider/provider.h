/* provider/provider.h - one face for every model.
 *
 * Resolves a name (catalogue id, file path, "default", "default-embed") to a
 * model, loads it on first use and keeps it, and runs it on the own engine.
 *
 * Ownership  The provider owns engine and models; close it last.
 * Threads    Any thread.
 * Errors     LF_ERR_NOT_FOUND: no such model, or not pulled yet: the message
 *            names `landfall model pull ID`.
 */
#ifndef LF_PROVIDER_PROVIDER_H
#define LF_PROVIDER_PROVIDER_H

#include "base/err.h"
#include "base/json.h"
#include "infer/engine.h"
#include "know/know.h"
#include "model/tool_format.h"

typedef struct lf_provider lf_provider;

typedef struct lf_provider_opts {
    const char *home;    /* holds models/ and cache/ */
    const char *catalog; /* models/catalog.yaml; NULL = the installed one */
    lf_engine_opts engine;
} lf_provider_opts;

LF_MUST_CHECK lf_status lf_provider_open(const lf_provider_opts *o, lf_provider **out, lf_err *err);
void lf_provider_close(lf_provider *p);

/* Load (or fetch the loaded) model; the reference is borrowed until close. */
LF_MUST_CHECK lf_status lf_provider_model(lf_provider *p, const char *name, lf_model **out,
                                          lf_err *err);
/* The name by which the same model is found again, appended to `out`: its catalogue
 * id, or its path in full.  LF_ERR_NOT_FOUND as lf_provider_model. */
LF_MUST_CHECK lf_status lf_provider_model_id(lf_provider *p, const char *name, lf_buf *out,
                                             lf_err *err);
lf_engine *lf_provider_engine(lf_provider *p);

/* The models that can be used without a download, "default" and "default-embed"
 * resolved: [{"id", "kind": "chat"|"embedding", "default": bool, "loaded": bool,
 * "created": unix seconds}].  New reference; NULL = no memory. */
json_t *lf_provider_list(lf_provider *p);

/* Vectors for know, from "default-embed"; fills `out`, which stays valid until close. */
LF_MUST_CHECK lf_status lf_provider_embedder(lf_provider *p, lf_embedder *out, lf_err *err);

/* The tokens of a conversation, rendered by the model's own template with the
 * generation prompt, appended to `out`.  Text of the messages never becomes a
 * control token, whatever it spells.
 *   LF_ERR_UNSUPPORTED  the model has no chat template */
LF_MUST_CHECK lf_status lf_provider_tokens(lf_model *m, const json_t *messages, lf_tokens *out,
                                           lf_err *err);

/* The same of a conversation in which functions may be called, in the model's own format;
 * messages and tools as in lf_tool_format_messages.  Tools NULL: none may be, but calls
 * and results may lie behind.
 *   LF_ERR_ARG  the name of a parameter spells a control token */
LF_MUST_CHECK lf_status lf_provider_tool_tokens(lf_model *m, const json_t *messages,
                                                const json_t *tools, lf_tokens *out, lf_err *err);
/* How the model writes calls; it has a chat template. */
const lf_tool_format *lf_provider_tool_format(const lf_model *m);

/* A conversation, rendered by the model's own template and continued.  `messages`
 * is [{role, content}].  `req` gives everything but tokens. */
LF_MUST_CHECK lf_status lf_provider_chat(lf_provider *p, const lf_scope *scope, const char *model,
                                         const json_t *messages, const lf_gen_req *req,
                                         lf_gen_result *out, lf_err *err);
#endif

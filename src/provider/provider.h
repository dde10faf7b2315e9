/* provider/provider.h - one face for every model.
 *
 * Resolves a name (alias, catalogue id, file path, "default", "default-embed") to a
 * model, loads it on first use and keeps it within one memory budget (models.h), and
 * runs it on the own engine.
 *
 * Ownership  The provider owns engine and models; close it last.
 * Threads    Any thread.
 * Errors     LF_ERR_NOT_FOUND: no such model, or not pulled yet: the message
 *            names `landfall model pull ID`, or what there is.
 *            LF_ERR_NOMEM: no room for the model in the budget, with the numbers.
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
    const char *home;      /* holds models/ and cache/ */
    const char *catalog;   /* models/catalog.yaml; NULL = the installed one */
    const char *aliases;   /* "NAME=MODEL,…": MODEL is of the catalogue, or a path; NULL = none */
    const char *drafts;    /* "MODEL=SMALLER,…": who guesses for whom; NULL = nobody */
    uint64_t budget_bytes; /* for all models and their caches; 0 = three quarters of the machine's
                            * memory */
    lf_engine_opts engine;
} lf_provider_opts;

LF_MUST_CHECK lf_status lf_provider_open(const lf_provider_opts *o, lf_provider **out, lf_err *err);
void lf_provider_close(lf_provider *p);

/* Load (or fetch the loaded) model; a new reference, which the caller gives back by
 * lf_model_unref: as long as there is one, the model stays. */
LF_MUST_CHECK lf_status lf_provider_model(lf_provider *p, const char *name, lf_model **out,
                                          lf_err *err);
/* Is it an alias, a catalogue id, "default" or "default-embed"?  What else lf_provider_model
 * takes is a path of this machine, which only who sits at it may name. */
bool lf_provider_has_name(const lf_provider *p, const char *name);
/* The name by which the same model is found again, appended to `out`: its catalogue
 * id, the alias where that stands for a file, or its path in full.  LF_ERR_NOT_FOUND as lf_provider_model. */
LF_MUST_CHECK lf_status lf_provider_model_id(lf_provider *p, const char *name, lf_buf *out,
                                             lf_err *err);
lf_engine *lf_provider_engine(lf_provider *p);

/* The model that guesses for this one (lf_gen_req), by the settings; a new reference, or NULL
 * where none does. */
LF_MUST_CHECK lf_status lf_provider_guesser(lf_provider *p, const char *name, lf_model **out,
                                            lf_err *err);

/* An adapter of HOME/adapters (adapters.h) for this model; a new reference. */
LF_MUST_CHECK lf_status lf_provider_adapter(lf_provider *p, const lf_model *m, const char *name,
                                            lf_adapter **out, lf_err *err);

/* Let a model's memory go; *freed is what it took, 0 where it was not loaded.
 *   LF_ERR_BUSY  it is in use, or being loaded */
LF_MUST_CHECK lf_status lf_provider_unload(lf_provider *p, const char *name, uint64_t *freed,
                                           lf_err *err);
/* LF_ERR_NOT_FOUND, with the names of what can be used. */
lf_status lf_provider_no_model(const lf_provider *p, const char *name, lf_err *err);

/* The models that can be used without a download, and the aliases of such: [{"id", "kind":
 * "chat"|"base"|"embedding", "default": bool, "loaded": bool, "in_use": bool, "created": unix
 * seconds, "weights_bytes", "workspace_bytes", "kv_bytes"}], aliases with "alias_of" (null
 * where that is a path; their kind is null until they are loaded).  New reference; NULL =
 * no memory. */
json_t *lf_provider_list(lf_provider *p);
/* {"budget_bytes", "weights_bytes", "workspace_bytes", "kv_bytes", "kv_limit_bytes"}, of
 * all models.  New reference; NULL = no memory. */
json_t *lf_provider_memory(lf_provider *p);

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
 * is [{role, content}].  `req` gives everything but tokens and the key of the cache, which is
 * the scope's person's own, apart from prompts that are sent to the routes of models. */
LF_MUST_CHECK lf_status lf_provider_chat(lf_provider *p, const lf_scope *scope, const char *model,
                                         const json_t *messages, const lf_gen_req *req,
                                         lf_gen_result *out, lf_err *err);
#endif

/* provider/models.h - the models in memory, all under one budget.
 *
 * A model is opened on first use and stays, so that the next request finds it.  What
 * it takes is counted: its weights as they lie in memory, its workspace, and the cache
 * of keys and values of what it answers.  Where a new one has no room, those that
 * nobody uses go, the longest unused first; a model in use never does.  What then has
 * no room is refused with the numbers, before a weight of it is read.
 *
 * Budget     budget >= weights and workspaces of all models + the larger of: one session
 *            of full context of any of them, the caches that requests are at work in.
 *            The rest is the engine's for caches, up to its own limit.
 * Ownership  lf_models_get gives a reference: lf_model_unref it, and the model may go.
 * Threads    Any.  A model is loaded outside the lock, so that others are not held up.
 * Errors     LF_ERR_NOMEM no room, with what is asked, what holds the rest, and the limit;
 *            LF_ERR_BUSY unloading a model that is in use or being loaded;
 *            otherwise those of lf_model_open.
 */
#ifndef LF_PROVIDER_MODELS_H
#define LF_PROVIDER_MODELS_H

#include "base/err.h"
#include "infer/engine.h"

typedef struct lf_models lf_models;

typedef struct lf_models_opts {
    lf_engine *engine;        /* borrowed; closed before the models are */
    const char *cache_dir;    /* of packed weights */
    uint64_t budget_bytes;    /* 0 = three quarters of the machine's memory */
    uint64_t kv_budget_bytes; /* most for caches; 0 = a quarter of the machine's memory */
} lf_models_opts;

LF_MUST_CHECK lf_status lf_models_open(const lf_models_opts *o, lf_models **out, lf_err *err);
void lf_models_close(lf_models *ms); /* NULL is a no-op */

/* The model of a file, loaded if it is not; a new reference. */
LF_MUST_CHECK lf_status lf_models_get(lf_models *ms, const char *path, lf_model **out, lf_err *err);

/* Let a model go that is not in use; *freed is what it took, 0 where it was not loaded. */
LF_MUST_CHECK lf_status lf_models_unload(lf_models *ms, const char *path, uint64_t *freed,
                                         lf_err *err);

typedef struct lf_model_use {
    bool loaded, in_use;
    bool is_encoder, has_template;
    uint64_t weights_bytes, workspace_bytes, kv_bytes;
} lf_model_use;

/* What a model takes at this moment; zeros where it is not loaded. */
lf_model_use lf_models_use_of(lf_models *ms, const char *path);

typedef struct lf_models_sum {
    uint64_t budget_bytes, weights_bytes, workspace_bytes, kv_bytes;
    uint64_t kv_limit_bytes; /* that caches may come to take beside the models of now */
} lf_models_sum;

lf_models_sum lf_models_get_sum(lf_models *ms);
#endif

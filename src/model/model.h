/* model/model.h - a loaded model: immutable weights, tokenizer, template.
 *
 * lf_model_open takes a GGUF file or a safetensors folder.  Decoders: llama,
 * qwen2, qwen3, gemma3.  Encoders: BERT, XLM-RoBERTa.
 *
 * Ownership  Reference-counted (atomic), because sessions of several threads
 *            share it: lf_model_unref releases one reference, NULL is a no-op.
 * Threads    Immutable: any thread may read.
 * Errors     LF_ERR_FORMAT with the field; LF_ERR_UNSUPPORTED for an unknown
 *            architecture; LF_ERR_NOMEM with needed and available bytes.
 */
#ifndef LF_MODEL_MODEL_H
#define LF_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/chat.h"
#include "model/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_model lf_model;

typedef struct lf_model_info {
    char arch[32];  /* "qwen2", "bert", … */
    char name[128]; /* as the file says */
    char hash[65];  /* identifies the weights (SHA-256 of header, sizes and samples) */
    bool is_encoder;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, n_vocab;
    uint32_t ctx_tokens; /* longest context that it was trained for */
    uint64_t n_params, weight_bytes;
    uint64_t memory_bytes; /* what the weights take once they are repacked */
} lf_model_info;

typedef struct lf_model_opts {
    const char *cache_dir; /* where repacked weights are kept and mapped; NULL = in memory */
    const char *query_prefix, *passage_prefix; /* encoders; NULL = "query: ", "passage: " for E5 */
    /* May this model have its memory_bytes?  Asked when its numbers are known and before
     * any weight is read; what fails here fails the opening.  NULL = up to the memory of
     * the machine. */
    lf_status (*admit)(void *ud, const lf_model *m, lf_err *err);
    void *ud;
} lf_model_opts;

LF_MUST_CHECK lf_status lf_model_open(const char *path, const lf_model_opts *opts, lf_model **out,
                                      lf_err *err);
lf_model *lf_model_ref(lf_model *m);
void lf_model_unref(lf_model *m);

const lf_model_info *lf_model_get_info(const lf_model *m);
const lf_tokenizer *lf_model_tokenizer(const lf_model *m);
const char *lf_model_query_prefix(const lf_model *m); /* encoders; "" where there is none */
const char *lf_model_passage_prefix(const lf_model *m);
int lf_model_n_refs(const lf_model *m);                       /* of this moment */
const lf_chat_template *lf_model_template(const lf_model *m); /* NULL: the model has none */

#ifdef __cplusplus
}
#endif
#endif

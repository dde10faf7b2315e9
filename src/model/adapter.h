/* model/adapter.h - low-rank changes to a model's matrices (LoRA), chosen by request.
 *
 *     y = x W^T + scale * c (x A^T) B^T      A f32[r, n_in], B f32[n_out, r]
 *
 * The base's weights are not touched: requests with different adapters, several or none run
 * side by side in one batch.  c is alpha / r, or alpha / sqrt(r) where the file asks for it.
 *
 * Files      GGUF as llama.cpp writes it (general.type "adapter", tensors NAME.lora_a and
 *            NAME.lora_b beside a base tensor's NAME, adapter.lora.alpha), or a folder of
 *            PEFT's (adapter_config.json, adapter_model.safetensors).  Matrices of decoders'
 *            layers (q, k, v, o, gate, up, down) and the output matrix can be adapted.
 * Ownership  Reference-counted (atomic): lf_adapter_unref releases one.  An adapter holds no
 *            reference to the model it was opened for; it fits models of the same weights.
 * Threads    Immutable: any thread may read.
 * Errors     LF_ERR_FORMAT names tensor or key, what was found and what the base has;
 *            LF_ERR_UNSUPPORTED for changes of another kind (embeddings, biases, DoRA).
 *
 * Source: Hu et al. 2021, arXiv:2106.09685; rank-stabilised scale: Kalajdzievski 2023,
 * arXiv:2312.03732.
 */
#ifndef LF_MODEL_ADAPTER_H
#define LF_MODEL_ADAPTER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/model.h"
#include "tensor/matmul.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_ADAPTER_RANK_MAX = 512, LF_ADAPTERS_MAX = 8 };

typedef struct lf_adapter lf_adapter;

typedef struct lf_adapter_info {
    char hash[65];      /* of what it adds: values and scale */
    char base_hash[65]; /* the model that it fits: lf_model_info.hash */
    uint32_t n_matrices, rank_max;
    uint64_t n_params;
} lf_adapter_info;

/* The matrices that can be adapted; LF_ADAPT_OUTPUT is the model's, the others a layer's. */
typedef enum lf_adapt_slot {
    LF_ADAPT_Q,
    LF_ADAPT_K,
    LF_ADAPT_V,
    LF_ADAPT_O,
    LF_ADAPT_GATE,
    LF_ADAPT_UP,
    LF_ADAPT_DOWN,
    LF_ADAPT_LAYER_N,
    LF_ADAPT_OUTPUT = LF_ADAPT_LAYER_N
} lf_adapt_slot;

typedef struct lf_adapter_pair {
    lf_weight a, b; /* F32; a.rows NULL: this matrix is left as it is */
    float scale;    /* c of the formula */
} lf_adapter_pair;

/* The adapters of one request, applied in this order. */
typedef struct lf_adapter_use {
    lf_adapter *adapter; /* borrowed */
    float scale;         /* 1 = as it was trained */
} lf_adapter_use;
typedef struct lf_adapter_mix {
    lf_adapter_use v[LF_ADAPTERS_MAX];
    size_t n;
} lf_adapter_mix;

LF_MUST_CHECK lf_status lf_adapter_open(const lf_model *base, const char *path, lf_adapter **out,
                                        lf_err *err);
lf_adapter *lf_adapter_ref(lf_adapter *a);
void lf_adapter_unref(lf_adapter *a); /* NULL is a no-op */
const lf_adapter_info *lf_adapter_get_info(const lf_adapter *a);

/* NULL where this matrix is left as it is; `layer` is not looked at for the output. */
const lf_adapter_pair *lf_adapter_get_pair(const lf_adapter *a, size_t layer, lf_adapt_slot slot);

/* LF_ERR_ARG: an adapter is of another model, there are too many, or a scale is no number. */
LF_MUST_CHECK lf_status lf_adapter_mix_check(const lf_adapter_mix *mix, const lf_model *m,
                                             lf_err *err);
/* `key` with the adapters and scales folded in by a 64-bit hash: caches of other mixes have
 * other keys, but for a collision.
 * NULL or none: `key` itself. */
uint64_t lf_adapter_mix_key(const lf_adapter_mix *mix, uint64_t key);

#ifdef __cplusplus
}
#endif
#endif

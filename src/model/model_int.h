/* model/model_int.h - a model's parts, shared by the files of this folder.
 *
 * Loading goes: source (GGUF or safetensors) -> hyper-parameters -> weights by
 * name -> packed weights.  The forward passes read only `hp` and the weights.
 */
#ifndef LF_MODEL_MODEL_INT_H
#define LF_MODEL_MODEL_INT_H

#include <stdatomic.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "tensor/act.h"
#include "tensor/matmul.h"
#include "tensor/rope.h"

typedef enum lf_arch {
    LF_ARCH_LLAMA,
    LF_ARCH_QWEN2,
    LF_ARCH_QWEN3,
    LF_ARCH_GEMMA3,
    LF_ARCH_BERT,
    LF_ARCH_XLM_ROBERTA, /* BERT with positions that start after the padding id */
    LF_ARCH_N
} lf_arch;

typedef struct lf_hparams {
    lf_arch arch;
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab;
    uint32_t ctx_tokens;
    float eps;
    lf_act act;
    float attn_scale, attn_softcap, final_softcap;
    float embd_scale;        /* 1 = none */
    lf_rope rope;            /* global layers */
    lf_rope rope_local;      /* gemma3's sliding layers */
    uint32_t window;         /* of sliding layers; 0 = all layers see everything */
    uint32_t window_pattern; /* every n-th layer is global */
    float norm_offset;       /* added to RMS weights (gemma in safetensors stores w - 1) */
    bool pool_cls;           /* encoders: first token in place of the mean */
    uint32_t pos_offset;     /* encoders: row of the position table for position 0 */
} lf_hparams;

/* Where names and numbers come from. */
typedef struct lf_source {
    lf_gguf *gguf; /* one of these two */
    lf_safetensors *st;
    json_t *config; /* safetensors: config.json */
    const char *path;
} lf_source;

typedef struct lf_layer {
    const float *attn_norm, *attn_norm_b;
    lf_weight wq, wk, wv, wo;
    const float *bq, *bk, *bv, *bo;
    const float *q_norm, *k_norm;
    const float *attn_post_norm, *attn_post_norm_b;
    const float *ffn_norm;
    lf_weight gate, up, down; /* encoders have no gate */
    const float *b_up, *b_down;
    bool sliding; /* attends only to the last hp.window positions */
    const float *ffn_post_norm, *ffn_post_norm_b;
} lf_layer;

typedef struct lf_pack {
    lf_map map; /* the cache file, or */
    void *mem;  /* owned memory */
} lf_pack;

struct lf_model {
    atomic_int refs;
    char *path;
    bool mapped; /* the weights lie in a file map: pages can be given back */
    lf_model_info info;
    lf_hparams hp;
    lf_source src;
    lf_tokenizer *tok;
    lf_chat_template *chat;
    char *query_prefix, *passage_prefix;
    lf_arena arena; /* converted vectors, aligned copies, layers */
    lf_pack pack;
    lf_weight tok_embd;
    lf_weight output; /* decoders; the same as tok_embd when tied */
    bool tied;
    const float *out_norm;
    const float *embd_norm, *embd_norm_b; /* encoders */
    lf_weight pos_embd;                   /* encoders */
    const float *type_embd;               /* encoders: row 0 */
    lf_layer *layers;
};

/* hparams.c: read and check the numbers; fills hp and info.arch/name. */
LF_MUST_CHECK lf_status lf_hparams_load(lf_model *m, lf_err *err);

/* weights.c: bind every tensor, with its shape checked; converts vectors to f32. */
LF_MUST_CHECK lf_status lf_weights_load(lf_model *m, lf_err *err);

/* pack.c: repack the matrices for this machine, through a cache file where
 * `cache_dir` is given.  Weights that were packed lose their `rows`. */
LF_MUST_CHECK lf_status lf_pack_weights(lf_model *m, const char *cache_dir, lf_err *err);
void lf_pack_release(lf_pack *p);
/* Fill info.memory_bytes, before anything is packed. */
LF_MUST_CHECK lf_status lf_pack_measure(lf_model *m, lf_err *err);

/* weight_hash.c: m->info.hash. */
LF_MUST_CHECK lf_status lf_weight_hash(lf_model *m, lf_err *err);

#endif

/* model/weights.c - find every tensor of an architecture and check its shape.
 *
 * Tensors are asked for by their GGUF names; for a safetensors folder the name
 * is translated by the rules in `hf_names`.  Matrices stay where they are in the
 * map.  Vectors (norms, biases) are small and wanted as f32: they are used in
 * place when they are that already, converted into the model's arena otherwise.
 *
 * Invariant  After loading, every pointer that a forward pass of this
 *            architecture reads is set and has the size that `hp` implies. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_int.h"

enum { NAME_MAX_BYTES = 160 };

/* GGUF part -> Hugging Face part, of decoders and encoders.  A name is
 * "blk.N.PART.weight" or "PART.weight". */
static const struct hf_name {
    const char *gguf, *hf;
} hf_decoder[] = {
    { "token_embd", "model.embed_tokens" },
    { "output_norm", "model.norm" },
    { "output", "lm_head" },
    { "attn_norm", "input_layernorm" },
    { "attn_q", "self_attn.q_proj" },
    { "attn_k", "self_attn.k_proj" },
    { "attn_v", "self_attn.v_proj" },
    { "attn_output", "self_attn.o_proj" },
    { "attn_q_norm", "self_attn.q_norm" },
    { "attn_k_norm", "self_attn.k_norm" },
    { "ffn_gate", "mlp.gate_proj" },
    { "ffn_up", "mlp.up_proj" },
    { "ffn_down", "mlp.down_proj" },
    { "ffn_norm", "post_attention_layernorm" },
    { NULL, NULL },
}, hf_gemma[] = {
    { "post_attention_norm", "post_attention_layernorm" },
    { "ffn_norm", "pre_feedforward_layernorm" },
    { "post_ffw_norm", "post_feedforward_layernorm" },
    { NULL, NULL },
}, hf_encoder[] = {
    { "token_embd", "embeddings.word_embeddings" },
    { "position_embd", "embeddings.position_embeddings" },
    { "token_types", "embeddings.token_type_embeddings" },
    { "token_embd_norm", "embeddings.LayerNorm" },
    { "attn_q", "attention.self.query" },
    { "attn_k", "attention.self.key" },
    { "attn_v", "attention.self.value" },
    { "attn_output", "attention.output.dense" },
    { "attn_output_norm", "attention.output.LayerNorm" },
    { "ffn_up", "intermediate.dense" },
    { "ffn_down", "output.dense" },
    { "layer_output_norm", "output.LayerNorm" },
    { NULL, NULL },
};

static const char *lookup(const struct hf_name *t, const char *part)
{
    for (; t->gguf; t++)
        if (strcmp(t->gguf, part) == 0)
            return t->hf;
    return NULL;
}

static const char *hf_part(const lf_model *m, const char *part)
{
    const char *hf = NULL;
    if (m->info.is_encoder)
        return lookup(hf_encoder, part);
    if (m->hp.arch == LF_ARCH_GEMMA3)
        hf = lookup(hf_gemma, part);
    return hf ? hf : lookup(hf_decoder, part);
}

/* Checkpoints of bare encoders have names without a prefix, those of tasks have
 * one; language parts of models with eyes lie under language_model. */
static const char *const prefixes[] = { "", "bert.", "roberta.", "language_model.",
                                        "model.language_model." };

static const lf_gguf_tensor *find_hf(const lf_model *m, int layer, const char *part,
                                     const char *suffix)
{
    char name[NAME_MAX_BYTES];
    const char *hf = hf_part(m, part);
    if (!hf)
        return NULL;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (layer >= 0)
            (void)snprintf(name, sizeof name, "%s%s.%d.%s.%s", prefixes[i],
                           m->info.is_encoder ? "encoder.layer" : "model.layers", layer, hf,
                           suffix);
        else
            (void)snprintf(name, sizeof name, "%s%s.%s", prefixes[i], hf, suffix);
        const lf_gguf_tensor *t = lf_safetensors_find(m->src.st, name);
        if (t)
            return t;
    }
    return NULL;
}

/* layer -1: not part of a layer. */
static const lf_gguf_tensor *find(const lf_model *m, int layer, const char *part,
                                  const char *suffix)
{
    char name[NAME_MAX_BYTES];
    if (m->src.st)
        return find_hf(m, layer, part, suffix);
    if (layer >= 0)
        (void)snprintf(name, sizeof name, "blk.%d.%s.%s", layer, part, suffix);
    else
        (void)snprintf(name, sizeof name, "%s.%s", part, suffix);
    return lf_gguf_find(m->src.gguf, name);
}

static lf_status missing(const lf_model *m, int layer, const char *part, const char *suffix,
                         lf_err *err)
{
    char where[32] = "";
    if (layer >= 0)
        (void)snprintf(where, sizeof where, " of layer %d", layer);
    return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': tensor %s.%s%s is missing", m->src.path,
                   part, suffix, where);
}

static lf_status check_dims(const lf_model *m, const lf_gguf_tensor *t, uint64_t cols,
                            uint64_t rows, lf_err *err)
{
    if (t->data && t->dims[0] == cols && t->dims[1] == rows && t->dims[2] == 1 && t->dims[3] == 1)
        return LF_OK;
    if (!t->data)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot load '%s': tensor '%.*s' is not of type F32, F16 or BF16",
                       m->src.path, (int)t->name.len, t->name.p);
    return lf_fail(err, LF_ERR_FORMAT,
                   "cannot load '%s': tensor '%.*s' is %llu x %llu, the architecture needs %llu x "
                   "%llu",
                   m->src.path, (int)t->name.len, t->name.p, (unsigned long long)t->dims[1],
                   (unsigned long long)t->dims[0], (unsigned long long)rows,
                   (unsigned long long)cols);
}

static lf_status no_memory(const lf_model *m, lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory for the vectors of '%s'", m->src.path);
}

/* f32[n]; NULL in *out where it is optional and absent. */
static lf_status get_vec(lf_model *m, int layer, const char *part, const char *suffix, uint64_t n,
                         bool needed, float add, const float **out, lf_err *err)
{
    const lf_gguf_tensor *t = find(m, layer, part, suffix);
    if (!t)
        return needed ? missing(m, layer, part, suffix, err) : LF_OK;
    const lf_status st = check_dims(m, t, n, 1, err);
    if (st != LF_OK)
        return st;
    m->info.n_params += n;
    if (t->type == LF_F32 && (uintptr_t)t->data % sizeof(float) == 0 && add == 0.0f) {
        *out = t->data;
        return LF_OK;
    }
    float *v = lf_arena_alloc(&m->arena, (size_t)n * sizeof *v);
    void *copy = lf_arena_alloc(&m->arena, t->n_bytes); /* aligned as the type needs */
    if (!v || !copy)
        return no_memory(m, err);
    memcpy(copy, t->data, t->n_bytes);
    lf_dequant_row(t->type, copy, v, (size_t)n);
    for (uint64_t i = 0; i < n; i++)
        v[i] += add;
    *out = v;
    return LF_OK;
}

static lf_status get_norm(lf_model *m, int layer, const char *part, uint64_t n, const float **out,
                          lf_err *err)
{
    return get_vec(m, layer, part, "weight", n, true, m->hp.norm_offset, out, err);
}

static lf_status set_weight(lf_model *m, const lf_gguf_tensor *t, uint64_t n_in, uint64_t n_out,
                            lf_weight *out, lf_err *err)
{
    const lf_status st = check_dims(m, t, n_in, n_out, err);
    if (st != LF_OK)
        return st;
    const void *rows = t->data;
    if ((uintptr_t)rows % lf_type_block_bytes(t->type) && lf_type_block(t->type) == 1) {
        void *copy = lf_arena_alloc(&m->arena, t->n_bytes);
        if (!copy)
            return no_memory(m, err);
        memcpy(copy, rows, t->n_bytes);
        rows = copy;
    }
    *out = (lf_weight){ .type = t->type,
                        .n_out = (size_t)n_out,
                        .n_in = (size_t)n_in,
                        .rows = rows,
                        .level = lf_cpu_best() };
    m->info.n_params += n_in * n_out;
    m->info.weight_bytes += t->n_bytes;
    return LF_OK;
}

static lf_status get_mat(lf_model *m, int layer, const char *part, uint64_t n_in, uint64_t n_out,
                         lf_weight *out, lf_err *err)
{
    const lf_gguf_tensor *t = find(m, layer, part, "weight");
    return t ? set_weight(m, t, n_in, n_out, out, err) : missing(m, layer, part, "weight", err);
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        const lf_status st_ = (call);                                                              \
        if (st_ != LF_OK)                                                                          \
            return st_;                                                                            \
    } while (0)

static lf_status load_attention(lf_model *m, int i, lf_layer *l, lf_err *err)
{
    const lf_hparams *hp = &m->hp;
    const uint64_t d = hp->n_embd, q = (uint64_t)hp->n_heads * hp->head_dim,
                   kv = (uint64_t)hp->n_kv_heads * hp->head_dim;
    const bool biased = hp->arch == LF_ARCH_QWEN2 || m->info.is_encoder;
    TRY(get_mat(m, i, "attn_q", d, q, &l->wq, err));
    TRY(get_mat(m, i, "attn_k", d, kv, &l->wk, err));
    TRY(get_mat(m, i, "attn_v", d, kv, &l->wv, err));
    TRY(get_mat(m, i, "attn_output", q, d, &l->wo, err));
    TRY(get_vec(m, i, "attn_q", "bias", q, biased, 0, &l->bq, err));
    TRY(get_vec(m, i, "attn_k", "bias", kv, biased, 0, &l->bk, err));
    TRY(get_vec(m, i, "attn_v", "bias", kv, biased, 0, &l->bv, err));
    return get_vec(m, i, "attn_output", "bias", d, m->info.is_encoder, 0, &l->bo, err);
}

static lf_status load_decoder_layer(lf_model *m, int i, lf_layer *l, lf_err *err)
{
    const lf_hparams *hp = &m->hp;
    const uint64_t d = hp->n_embd, ff = hp->n_ff;
    TRY(load_attention(m, i, l, err));
    TRY(get_norm(m, i, "attn_norm", d, &l->attn_norm, err));
    TRY(get_norm(m, i, "ffn_norm", d, &l->ffn_norm, err));
    TRY(get_mat(m, i, "ffn_gate", d, ff, &l->gate, err));
    TRY(get_mat(m, i, "ffn_up", d, ff, &l->up, err));
    TRY(get_mat(m, i, "ffn_down", ff, d, &l->down, err));
    TRY(get_vec(m, i, "ffn_up", "bias", ff, false, 0, &l->b_up, err));
    TRY(get_vec(m, i, "ffn_down", "bias", d, false, 0, &l->b_down, err));
    if (hp->arch == LF_ARCH_QWEN3 || hp->arch == LF_ARCH_GEMMA3) {
        TRY(get_norm(m, i, "attn_q_norm", hp->head_dim, &l->q_norm, err));
        TRY(get_norm(m, i, "attn_k_norm", hp->head_dim, &l->k_norm, err));
    }
    if (hp->arch == LF_ARCH_GEMMA3) {
        TRY(get_norm(m, i, "post_attention_norm", d, &l->attn_post_norm, err));
        TRY(get_norm(m, i, "post_ffw_norm", d, &l->ffn_post_norm, err));
    }
    return LF_OK;
}

static lf_status load_encoder_layer(lf_model *m, int i, lf_layer *l, lf_err *err)
{
    const uint64_t d = m->hp.n_embd, ff = m->hp.n_ff;
    TRY(load_attention(m, i, l, err));
    TRY(get_norm(m, i, "attn_output_norm", d, &l->attn_post_norm, err));
    TRY(get_vec(m, i, "attn_output_norm", "bias", d, true, 0, &l->attn_post_norm_b, err));
    TRY(get_mat(m, i, "ffn_up", d, ff, &l->up, err));
    TRY(get_vec(m, i, "ffn_up", "bias", ff, true, 0, &l->b_up, err));
    TRY(get_mat(m, i, "ffn_down", ff, d, &l->down, err));
    TRY(get_vec(m, i, "ffn_down", "bias", d, true, 0, &l->b_down, err));
    TRY(get_norm(m, i, "layer_output_norm", d, &l->ffn_post_norm, err));
    return get_vec(m, i, "layer_output_norm", "bias", d, true, 0, &l->ffn_post_norm_b, err);
}

/* The vocabulary is as long as its embedding table. */
static lf_status load_embedding(lf_model *m, lf_err *err)
{
    const lf_gguf_tensor *t = find(m, -1, "token_embd", "weight");
    if (!t)
        return missing(m, -1, "token_embd", "weight", err);
    if (t->dims[1] > INT32_MAX)
        return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': a vocabulary of %llu tokens",
                       m->src.path, (unsigned long long)t->dims[1]);
    m->hp.n_vocab = (uint32_t)t->dims[1];
    m->info.n_vocab = m->hp.n_vocab;
    return set_weight(m, t, m->hp.n_embd, t->dims[1], &m->tok_embd, err);
}

static lf_status load_decoder_ends(lf_model *m, lf_err *err)
{
    lf_hparams *hp = &m->hp;
    TRY(get_norm(m, -1, "output_norm", hp->n_embd, &m->out_norm, err));
    const lf_gguf_tensor *t = find(m, -1, "output", "weight");
    m->tied = !t || json_is_true(json_object_get(m->src.config, "tie_word_embeddings"));
    if (!m->tied)
        TRY(set_weight(m, t, hp->n_embd, hp->n_vocab, &m->output, err));
    if (m->src.gguf && (t = lf_gguf_find(m->src.gguf, "rope_freqs.weight")) != NULL)
        TRY(get_vec(m, -1, "rope_freqs", "weight", hp->rope.n_dims / 2, true, 0,
                    &hp->rope.freq_factors, err));
    return LF_OK;
}

static lf_status load_encoder_ends(lf_model *m, lf_err *err)
{
    const uint64_t d = m->hp.n_embd;
    const lf_gguf_tensor *types = find(m, -1, "token_types", "weight");
    const lf_gguf_tensor *pos = find(m, -1, "position_embd", "weight");
    TRY(get_norm(m, -1, "token_embd_norm", d, &m->embd_norm, err));
    TRY(get_vec(m, -1, "token_embd_norm", "bias", d, true, 0, &m->embd_norm_b, err));
    if (!pos)
        return missing(m, -1, "position_embd", "weight", err);
    const uint64_t rows = (uint64_t)m->hp.ctx_tokens + m->hp.pos_offset;
    if (pos->dims[1] < rows)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot load '%s': %llu position embeddings, the context needs %llu",
                       m->src.path, (unsigned long long)pos->dims[1], (unsigned long long)rows);
    TRY(set_weight(m, pos, d, pos->dims[1], &m->pos_embd, err));
    if (!types)
        return LF_OK;
    lf_weight w;
    TRY(set_weight(m, types, d, types->dims[1], &w, err));
    float *row = lf_arena_alloc(&m->arena, (size_t)d * sizeof *row);
    if (!row)
        return no_memory(m, err);
    lf_weight_row(&w, 0, row);
    m->type_embd = row;
    return LF_OK;
}

/* Which layers see only the window: named one by one, or every n-th sees all. */
static bool is_sliding(const lf_model *m, uint32_t i)
{
    if (m->hp.window == 0)
        return false;
    const json_t *kinds = json_object_get(m->src.config, "layer_types");
    const char *kind = json_string_value(json_array_get(kinds, i));
    if (kind)
        return strcmp(kind, "sliding_attention") == 0;
    return (i + 1) % m->hp.window_pattern != 0;
}

lf_status lf_weights_load(lf_model *m, lf_err *err)
{
    TRY(load_embedding(m, err));
    m->layers = lf_arena_alloc(&m->arena, m->hp.n_layers * sizeof *m->layers);
    if (!m->layers)
        return no_memory(m, err);
    for (uint32_t i = 0; i < m->hp.n_layers; i++) {
        lf_layer *l = &m->layers[i];
        l->sliding = is_sliding(m, i);
        TRY(m->info.is_encoder ? load_encoder_layer(m, (int)i, l, err)
                               : load_decoder_layer(m, (int)i, l, err));
    }
    return m->info.is_encoder ? load_encoder_ends(m, err) : load_decoder_ends(m, err);
}

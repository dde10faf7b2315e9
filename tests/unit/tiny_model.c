/* tests/unit/tiny_model.c - weights from a fixed generator, a byte-level tokenizer. */
#include "tests/unit/tiny_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/gguf_write.h"
#include "tests/lf_test.h"

enum { N_TOKENS = 256 + 3, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 16, BLOCKS_MAX = 512 };

typedef struct maker {
    lf_gguf_writer *w;
    const tiny_opts *o;
    void *blocks[BLOCKS_MAX]; /* tensor data, until the file is made */
    size_t n_blocks;
    uint32_t state;
} maker;

static float next_float(maker *k)
{
    k->state = k->state * 1664525u + 1013904223u;
    return (float)(int32_t)k->state / 2147483648.0f;
}

static void tensor(maker *k, const char *name, lf_type type, uint64_t cols, uint64_t rows,
                   float mid, float spread)
{
    if (k->o->without && strcmp(k->o->without, name) == 0)
        return;
    const size_t n = (size_t)(cols * (rows ? rows : 1));
    float *v = malloc(n * sizeof *v);
    uint8_t *q = malloc(lf_type_row_bytes(type, n));
    if (!v || !q || k->n_blocks == BLOCKS_MAX)
        abort();
    for (size_t i = 0; i < n; i++)
        v[i] = mid + spread * next_float(k);
    if (type == LF_F32)
        memcpy(q, v, n * sizeof *v);
    else
        lf_quant_row_ref(type, v, q, n);
    free(v);
    k->blocks[k->n_blocks++] = q;
    lf_gguf_put_tensor(k->w, name, type, rows ? 2 : 1, (const uint64_t[]){ cols, rows }, q);
}

static void layer_tensor(maker *k, uint32_t layer, const char *part, lf_type type, uint64_t cols,
                         uint64_t rows)
{
    char name[80];
    const bool norm = strstr(part, "norm.weight") != NULL;
    (void)snprintf(name, sizeof name, "blk.%u.%s", layer, part);
    tensor(k, name, type, cols, rows, norm ? 1.0f : 0.0f, rows ? 0.25f : 0.1f);
}

static void put_u32(maker *k, const char *suffix, uint32_t value)
{
    char key[80];
    (void)snprintf(key, sizeof key, "%s.%s", k->o->arch, suffix);
    const bool other = k->o->key && strcmp(k->o->key, suffix) == 0;
    lf_gguf_put_u32(k->w, key, other ? k->o->value : value);
}

static void put_sizes(maker *k, uint32_t n_layers, bool encoder)
{
    char key[80];
    put_u32(k, "block_count", n_layers);
    put_u32(k, "context_length", TINY_CTX);
    put_u32(k, "embedding_length", TINY_EMBD);
    put_u32(k, "feed_forward_length", TINY_FF);
    put_u32(k, "attention.head_count", HEADS);
    (void)snprintf(key, sizeof key, "%s.attention.layer_norm%s_epsilon", k->o->arch,
                   encoder ? "" : "_rms");
    lf_gguf_put_f32(k->w, key, 1e-6f);
    if (encoder) {
        put_u32(k, "pooling_type", 1);
        return;
    }
    put_u32(k, "attention.head_count_kv", KV_HEADS);
    put_u32(k, "attention.key_length", HEAD_DIM);
    put_u32(k, "attention.value_length", HEAD_DIM);
    if (strcmp(k->o->arch, "gemma3") == 0)
        put_u32(k, "attention.sliding_window", 8);
}

/* The printable stand-ins of byte-level BPE: bytes that are no visible Latin-1
 * character take the code points from 256 on. */
static size_t stand_in(int byte, char out[4], int *n_moved)
{
    const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) ||
                         (byte >= 0xae && byte <= 0xff);
    const int cp = visible ? byte : 256 + (*n_moved)++;
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    out[0] = (char)(0xc0 | cp >> 6);
    out[1] = (char)(0x80 | (cp & 0x3f));
    return 2;
}

static void put_tokenizer(maker *k)
{
    static const char *const special[3] = { "<s>", "</s>", "<unk>" };
    static const lf_str merge = { "t h", 3 };
    char text[256][4];
    lf_str v[N_TOKENS + 1];
    int32_t kinds[N_TOKENS + 1];
    int n_moved = 0;
    for (int i = 0; i < 256; i++) {
        v[i] = (lf_str){ text[i], stand_in(i, text[i], &n_moved) };
        kinds[i] = 1;
    }
    for (int i = 0; i < 3; i++) {
        v[256 + i] = lf_str_of(special[i]);
        kinds[256 + i] = 3;
    }
    v[N_TOKENS] = lf_str_of("th");
    kinds[N_TOKENS] = 1;
    lf_gguf_put_str(k->w, "tokenizer.ggml.model", lf_str_of("gpt2"));
    lf_gguf_put_str(k->w, "tokenizer.ggml.pre", lf_str_of("qwen2"));
    lf_gguf_put_strs(k->w, "tokenizer.ggml.tokens", v, N_TOKENS + 1);
    lf_gguf_put_i32s(k->w, "tokenizer.ggml.token_type", kinds, N_TOKENS + 1);
    lf_gguf_put_strs(k->w, "tokenizer.ggml.merges", &merge, 1);
    lf_gguf_put_u32(k->w, "tokenizer.ggml.bos_token_id", 256);
    lf_gguf_put_u32(k->w, "tokenizer.ggml.eos_token_id", 257);
    lf_gguf_put_bool(k->w, "tokenizer.ggml.add_bos_token", true);
    if (k->o->chat)
        lf_gguf_put_str(k->w, "tokenizer.chat_template", lf_str_of(k->o->chat));
}

static void put_attention(maker *k, uint32_t i, bool encoder)
{
    const lf_type t = k->o->type;
    const uint64_t d = TINY_EMBD, q = HEADS * HEAD_DIM, kv = encoder ? q : KV_HEADS * HEAD_DIM;
    layer_tensor(k, i, "attn_q.weight", t, d, q);
    layer_tensor(k, i, "attn_k.weight", t, d, kv);
    layer_tensor(k, i, "attn_v.weight", t, d, kv);
    layer_tensor(k, i, "attn_output.weight", t, q, d);
    if (!encoder && strcmp(k->o->arch, "qwen2") != 0)
        return;
    layer_tensor(k, i, "attn_q.bias", LF_F32, q, 0);
    layer_tensor(k, i, "attn_k.bias", LF_F32, kv, 0);
    layer_tensor(k, i, "attn_v.bias", LF_F32, kv, 0);
}

static void put_decoder_layer(maker *k, uint32_t i)
{
    const lf_type t = k->o->type;
    const bool gemma = strcmp(k->o->arch, "gemma3") == 0;
    put_attention(k, i, false);
    layer_tensor(k, i, "attn_norm.weight", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "ffn_norm.weight", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "ffn_gate.weight", t, TINY_EMBD, TINY_FF);
    layer_tensor(k, i, "ffn_up.weight", t, TINY_EMBD, TINY_FF);
    layer_tensor(k, i, "ffn_down.weight", t, TINY_FF, TINY_EMBD);
    if (gemma || strcmp(k->o->arch, "qwen3") == 0) {
        layer_tensor(k, i, "attn_q_norm.weight", LF_F32, HEAD_DIM, 0);
        layer_tensor(k, i, "attn_k_norm.weight", LF_F32, HEAD_DIM, 0);
    }
    if (gemma) {
        layer_tensor(k, i, "post_attention_norm.weight", LF_F32, TINY_EMBD, 0);
        layer_tensor(k, i, "post_ffw_norm.weight", LF_F32, TINY_EMBD, 0);
    }
}

static void put_encoder_layer(maker *k, uint32_t i)
{
    const lf_type t = k->o->type;
    put_attention(k, i, true);
    layer_tensor(k, i, "attn_output.bias", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "attn_output_norm.weight", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "attn_output_norm.bias", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "ffn_up.weight", t, TINY_EMBD, TINY_FF);
    layer_tensor(k, i, "ffn_up.bias", LF_F32, TINY_FF, 0);
    layer_tensor(k, i, "ffn_down.weight", t, TINY_FF, TINY_EMBD);
    layer_tensor(k, i, "ffn_down.bias", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "layer_output_norm.weight", LF_F32, TINY_EMBD, 0);
    layer_tensor(k, i, "layer_output_norm.bias", LF_F32, TINY_EMBD, 0);
}

static void put_ends(maker *k, bool encoder)
{
    tensor(k, "token_embd.weight", k->o->type, TINY_EMBD, N_TOKENS + 1, 0, 1);
    if (encoder) {
        tensor(k, "position_embd.weight", LF_F32, TINY_EMBD, TINY_CTX, 0, 0.5f);
        tensor(k, "token_types.weight", LF_F32, TINY_EMBD, 2, 0, 0.5f);
        tensor(k, "token_embd_norm.weight", LF_F32, TINY_EMBD, 0, 1, 0.1f);
        tensor(k, "token_embd_norm.bias", LF_F32, TINY_EMBD, 0, 0, 0.1f);
        return;
    }
    tensor(k, "output_norm.weight", LF_F32, TINY_EMBD, 0, 1, 0.1f);
    if (k->o->untied)
        tensor(k, "output.weight", k->o->type, TINY_EMBD, N_TOKENS + 1, 0, 1);
}

void tiny_model_build(const tiny_opts *o, lf_buf *out)
{
    maker k = { .o = o, .state = o->seed * 7919u + 1 };
    const bool encoder = strcmp(o->arch, "bert") == 0;
    const uint32_t n_layers = o->n_layers ? o->n_layers : strcmp(o->arch, "gemma3") == 0 ? 6 : 2;
    LF_NEED(lf_gguf_writer_open(&k.w, err));
    lf_gguf_put_str(k.w, "general.architecture", lf_str_of(o->arch));
    lf_gguf_put_str(k.w, "general.name", lf_str_of("tiny"));
    put_sizes(&k, n_layers, encoder);
    put_tokenizer(&k);
    put_ends(&k, encoder);
    for (uint32_t i = 0; i < n_layers; i++) {
        if (encoder)
            put_encoder_layer(&k, i);
        else
            put_decoder_layer(&k, i);
    }
    LF_NEED(lf_gguf_writer_build(k.w, out, err));
    lf_gguf_writer_close(k.w);
    for (size_t i = 0; i < k.n_blocks; i++)
        free(k.blocks[i]);
}

const char *tiny_model(const char *name, const tiny_opts *o)
{
    lf_buf file = { 0 };
    tiny_model_build(o, &file);
    const char *path = lf_test_file(name, file.data, file.len);
    lf_buf_release(&file);
    return path;
}

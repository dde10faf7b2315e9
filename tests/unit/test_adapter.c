/* tests/unit/test_adapter.c - low-rank adapters: against merged weights, in one batch, refused. */
#include "tests/lf_test.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "infer/engine.h"
#include "model/gguf.h"
#include "model/gguf_write.h"
#include "provider/adapters.h"
#include "tests/unit/tiny_model.h"

enum { RANK = 3, N_GEN = 12, N_PARTS = 7, D_Q = 64, D_KV = 32, VOCAB = 260, HEAD = 16 };

static const struct part {
    const char *gguf, *hf;
    uint64_t n_in, n_out;
} parts[N_PARTS] = {
    { "attn_q", "self_attn.q_proj", TINY_EMBD, D_Q },
    { "attn_k", "self_attn.k_proj", TINY_EMBD, D_KV },
    { "attn_v", "self_attn.v_proj", TINY_EMBD, D_KV },
    { "attn_output", "self_attn.o_proj", D_Q, TINY_EMBD },
    { "ffn_gate", "mlp.gate_proj", TINY_EMBD, TINY_FF },
    { "ffn_up", "mlp.up_proj", TINY_EMBD, TINY_FF },
    { "ffn_down", "mlp.down_proj", TINY_FF, TINY_EMBD },
};

/* Value i of half `h` of a matrix, from a fixed generator. */
static float value(uint32_t seed, uint32_t layer, uint32_t part, int h, size_t i)
{
    uint32_t x = seed * 2654435761u + layer * 40503u + part * 977u + (uint32_t)h * 131u +
                 (uint32_t)i * 2246822519u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return 0.25f * ((float)(x % 2001) / 1000.0f - 1.0f);
}

static float *half(uint32_t seed, uint32_t layer, uint32_t part, int h, size_t n)
{
    float *v = malloc(n * sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        v[i] = value(seed, layer, part, h, i);
    return v;
}

/* ---- adapters as files ---- */

/* How an adapter departs from a good one. */
typedef struct odd {
    const char *type, *kind, *arch; /* of general.type, adapter.type, general.architecture */
    const char *name;               /* of one more tensor */
    const char *without;            /* leave this tensor out */
    const char *other;              /* this tensor has `dims` in place of its own */
    uint64_t dims[2];
    bool no_alpha, no_tensors, not_finite;
    const char *says; /* what the message has to hold */
    lf_status st;
} odd;

static void put(lf_gguf_writer *w, const odd *o, const char *name, uint64_t cols, uint64_t rows,
                const float *v)
{
    static float much[1024];
    if (o && o->without && strcmp(o->without, name) == 0)
        return;
    if (o && o->other && strcmp(o->other, name) == 0) {
        much[0] = o->not_finite ? INFINITY : 0;
        lf_gguf_put_tensor(w, name, LF_F32, 2, o->not_finite ? (uint64_t[]){ cols, rows } : o->dims,
                           much);
    } else {
        lf_gguf_put_tensor(w, name, LF_F32, 2, (uint64_t[]){ cols, rows }, v);
    }
}

static void build_adapter(uint32_t seed, const char *arch, const odd *o, lf_buf *out)
{
    lf_gguf_writer *w = NULL;
    float *kept[64];
    size_t n_kept = 0;
    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_str(w, "general.type", lf_str_of(o && o->type ? o->type : "adapter"));
    lf_gguf_put_str(w, "general.architecture", lf_str_of(o && o->arch ? o->arch : arch));
    lf_gguf_put_str(w, "adapter.type", lf_str_of(o && o->kind ? o->kind : "lora"));
    if (!o || !o->no_alpha)
        lf_gguf_put_f32(w, "adapter.lora.alpha", 2 * RANK);
    for (uint32_t l = 0; l < 2 && !(o && o->no_tensors); l++)
        for (uint32_t p = 0; p < N_PARTS; p++) {
            char name[80];
            float *a = half(seed, l, p, 0, RANK * parts[p].n_in);
            float *b = half(seed, l, p, 1, RANK * parts[p].n_out);
            kept[n_kept++] = a;
            kept[n_kept++] = b;
            (void)snprintf(name, sizeof name, "blk.%u.%s.weight.lora_a", l, parts[p].gguf);
            put(w, o, name, parts[p].n_in, RANK, a);
            (void)snprintf(name, sizeof name, "blk.%u.%s.weight.lora_b", l, parts[p].gguf);
            put(w, o, name, RANK, parts[p].n_out, b);
        }
    if (o && o->name)
        put(w, NULL, o->name, parts[0].n_in, RANK, kept[0]);
    LF_NEED(lf_gguf_writer_build(w, out, err));
    lf_gguf_writer_close(w);
    for (size_t i = 0; i < n_kept; i++)
        free(kept[i]);
}

static lf_adapter *open_adapter(const lf_model *m, uint32_t seed, const char *arch)
{
    lf_buf file = { 0 };
    lf_adapter *a = NULL;
    build_adapter(seed, arch, NULL, &file);
    LF_NEED(lf_adapter_open(m, lf_test_file("a.gguf", file.data, file.len), &a, err));
    lf_buf_release(&file);
    return a;
}

/* ---- models ---- */

static lf_model *open_base(const char *arch, lf_type type)
{
    lf_model *m = NULL;
    const tiny_opts o = { .arch = arch, .type = type, .untied = true, .seed = 5, .n_layers = 2 };
    LF_NEED(lf_model_open(tiny_model("m.gguf", &o), NULL, &m, err));
    return m;
}

/* The base with W + scale * 2 * B A in place of W (alpha is twice the rank). */
static lf_model *open_merged(const char *arch, uint32_t seed, float scale)
{
    lf_buf file = { 0 };
    lf_gguf *g = NULL;
    lf_model *m = NULL;
    const tiny_opts o = { .arch = arch, .type = LF_F32, .untied = true, .seed = 5, .n_layers = 2 };
    tiny_model_build(&o, &file);
    LF_NEED(lf_gguf_open_bytes(file.data, file.len, "base", &g, err));
    for (uint32_t l = 0; l < 2; l++)
        for (uint32_t p = 0; p < N_PARTS; p++) {
            char name[80];
            (void)snprintf(name, sizeof name, "blk.%u.%s.weight", l, parts[p].gguf);
            const lf_gguf_tensor *t = lf_gguf_find(g, name);
            char *at = file.data + ((const char *)t->data - file.data);
            for (size_t i = 0; i < parts[p].n_out; i++)
                for (size_t k = 0; k < parts[p].n_in; k++) {
                    double sum = 0;
                    float w;
                    char *cell = at + (i * parts[p].n_in + k) * sizeof w;
                    for (size_t r = 0; r < RANK; r++)
                        sum += (double)value(seed, l, p, 1, i * RANK + r) *
                               (double)value(seed, l, p, 0, r * parts[p].n_in + k);
                    memcpy(&w, cell, sizeof w);
                    w += (float)(2 * (double)scale * sum);
                    memcpy(cell, &w, sizeof w);
                }
        }
    lf_gguf_close(g);
    LF_NEED(lf_model_open(lf_test_file("merged.gguf", file.data, file.len), NULL, &m, err));
    lf_buf_release(&file);
    return m;
}

/* ---- what a model says ---- */

typedef struct said {
    lf_engine *e;
    lf_model *m;
    const lf_adapter_mix *mix;
    size_t n_prompt;
    int32_t ids[N_GEN];
    float logprobs[N_GEN][4];
    size_t n;
    uint32_t n_cached;
} said;

static bool hear(void *ud, const lf_token_event *ev)
{
    said *s = ud;
    if (ev->id < 0 || s->n == N_GEN)
        return true;
    s->ids[s->n] = ev->id;
    s->logprobs[s->n][0] = ev->logprob;
    for (int i = 0; i < 3; i++)
        s->logprobs[s->n][1 + i] = ev->top_logprobs[i];
    s->n++;
    return true;
}

static void *say(void *ud)
{
    said *s = ud;
    int32_t prompt[64];
    lf_gen_result r = { 0 };
    lf_gen_req q = { .tokens = prompt,
                     .n_tokens = s->n_prompt,
                     .n_max = N_GEN,
                     .sampling = lf_sampling_defaults(),
                     .ignore_end = true,
                     .adapters = s->mix,
                     .on_token = hear,
                     .ud = s };
    for (int i = 0; i < 64; i++)
        prompt[i] = (i * 29 + 7) % 250;
    q.sampling.logprobs = true;
    q.sampling.n_top_logprobs = 3;
    s->n = 0;
    LF_NEED(lf_engine_generate(s->e, s->m, &q, &r, err));
    s->n_cached = r.n_cached;
    lf_buf_release(&r.text);
    return NULL;
}

static lf_engine *open_engine(uint32_t batch)
{
    lf_engine *e = NULL;
    const lf_engine_opts o = { .n_threads = 2, .batch_tokens = batch, .sessions_max = 8 };
    LF_NEED(lf_engine_open(&o, &e, err));
    return e;
}

static bool same(const said *a, const said *b)
{
    return a->n == b->n && memcmp(a->ids, b->ids, a->n * sizeof a->ids[0]) == 0 &&
           memcmp(a->logprobs, b->logprobs, a->n * sizeof a->logprobs[0]) == 0;
}

static void an_adapter_is_the_merged_weights(void)
{
    static const char *const archs[] = { "llama", "qwen2", "qwen3", "gemma3" };
    for (size_t k = 0; k < 4; k++) {
        lf_model *base = open_base(archs[k], LF_F32), *merged = open_merged(archs[k], 3, 0.5f);
        lf_adapter *a = open_adapter(base, 3, archs[k]);
        const lf_adapter_mix mix = { .v = { { a, 0.5f } }, .n = 1 };
        lf_engine *e = open_engine(0);
        said plain = { .e = e, .m = base, .n_prompt = 40 }, with = plain, want = plain;
        with.mix = &mix;
        want.m = merged;
        (void)say(&plain);
        (void)say(&with);
        (void)say(&want);
        LF_CHECK_INT(lf_adapter_get_info(a)->n_matrices, 2 * N_PARTS);
        LF_CHECK_INT(with.n_cached, 0);
        LF_CHECK(!same(&plain, &with));
        for (size_t i = 0; i < N_GEN; i++) {
            LF_CHECK_INT(with.ids[i], want.ids[i]);
            for (int c = 0; c < 4; c++)
                LF_CHECK_NEAR(with.logprobs[i][c], want.logprobs[i][c], 0.02, i);
        }
        lf_engine_close(e);
        lf_adapter_unref(a);
        lf_model_unref(merged);
        lf_model_unref(base);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
}

/* Requests without, with one, with the other, with both and with a weaker one, alone and
 * together, with whole prompts and in chunks: each the same bits. */
static void requests_keep_their_own_in_one_batch(void)
{
    enum { N = 10 };
    lf_model *m = open_base("qwen2", LF_Q8_0);
    lf_adapter *a = open_adapter(m, 3, "qwen2"), *b = open_adapter(m, 4, "qwen2");
    const lf_adapter_mix mixes[5] = { { .n = 0 },
                                      { .v = { { a, 1 } }, .n = 1 },
                                      { .v = { { b, 1 } }, .n = 1 },
                                      { .v = { { a, 1 }, { b, 1 } }, .n = 2 },
                                      { .v = { { a, 0.25f } }, .n = 1 } };
    said alone[N], together[N];
    pthread_t t[N];
    for (int i = 0; i < N; i++) {
        lf_engine *e = open_engine(0);
        alone[i] = (said){ .e = e, .m = m, .mix = &mixes[i % 5], .n_prompt = 20 + (size_t)i * 4 };
        (void)say(&alone[i]);
        lf_engine_close(e);
    }
    for (int i = 1; i < 5; i++)
        LF_CHECK(!same(&alone[0], &alone[i]));
    lf_engine *e = open_engine(7);
    for (int i = 0; i < N; i++) {
        together[i] = alone[i];
        together[i].e = e;
        LF_CHECK_INT(pthread_create(&t[i], NULL, say, &together[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        LF_CHECK_INT(pthread_join(t[i], NULL), 0);
        LF_CHECK(same(&alone[i], &together[i]));
    }
    lf_engine_close(e);
    lf_adapter_unref(a);
    lf_adapter_unref(b);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* What one mix evaluated is of no use to another. */
static void caches_are_kept_apart(void)
{
    lf_model *m = open_base("llama", LF_Q8_0);
    lf_adapter *a = open_adapter(m, 3, "llama"), *again = open_adapter(m, 3, "llama"),
               *b = open_adapter(m, 4, "llama");
    const lf_adapter_mix mixes[] = { { .v = { { a, 1 } }, .n = 1 },
                                     { .v = { { again, 1 } }, .n = 1 }, /* loaded once more */
                                     { .v = { { a, 0.5f } }, .n = 1 },
                                     { .v = { { b, 1 } }, .n = 1 },
                                     { .v = { { b, 1 }, { a, 1 } }, .n = 2 },
                                     { .n = 0 } };
    lf_engine *e = open_engine(0);
    for (size_t i = 0; i < sizeof mixes / sizeof mixes[0]; i++) {
        said s = { .e = e, .m = m, .mix = &mixes[i], .n_prompt = 40 };
        (void)say(&s);
        LF_CHECK_INT(s.n_cached, i == 1 ? 39 : 0);
    }
    said none = { .e = e, .m = m, .n_prompt = 40 };
    (void)say(&none);
    LF_CHECK_INT(none.n_cached, 39); /* of the empty mix */
    lf_engine_close(e);
    lf_adapter_unref(a);
    lf_adapter_unref(again);
    lf_adapter_unref(b);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- PEFT's folders ---- */

static void put_file(const char *name, const void *data, size_t n)
{
    (void)lf_test_file(name, data, n);
}

/* Row `row` of q and k in GGUF's order of a head's rows, in Hugging Face's. */
static size_t hf_row(const char *part, size_t row)
{
    if (strcmp(part, "attn_q") != 0 && strcmp(part, "attn_k") != 0)
        return row;
    const size_t at = row % HEAD;
    return row - at + at / 2 + at % 2 * (HEAD / 2);
}

/* The adapter of `seed` as PEFT writes it, with rows as Hugging Face has them. */
static const char *write_peft(uint32_t seed, const char *config)
{
    static char dir[512];
    lf_buf head = { 0 }, data = { 0 };
    for (uint32_t l = 0; l < 2; l++)
        for (uint32_t p = 0; p < N_PARTS; p++)
            for (int h = 0; h < 2; h++) {
                const size_t n = RANK * (size_t)(h ? parts[p].n_out : parts[p].n_in);
                float *v = half(seed, l, p, h, n), *moved = malloc(n * sizeof *v);
                memcpy(moved, v, n * sizeof *v);
                for (size_t row = 0; h && row < parts[p].n_out; row++)
                    memcpy(moved + hf_row(parts[p].gguf, row) * RANK, v + row * RANK,
                           RANK * sizeof *v);
                lf_buf_addf(&head,
                            "%s\"base_model.model.model.layers.%u.%s.lora_%c.weight\":{\"dtype\":"
                            "\"F32\",\"shape\":[%zu,%zu],\"data_offsets\":[%zu,%zu]}",
                            head.len ? "," : "{", l, parts[p].hf, h ? 'B' : 'A',
                            h ? (size_t)parts[p].n_out : (size_t)RANK,
                            h ? (size_t)RANK : (size_t)parts[p].n_in, data.len,
                            data.len + n * sizeof *v);
                lf_buf_add(&data, moved, n * sizeof *v);
                free(v);
                free(moved);
            }
    lf_buf_add_char(&head, '}');
    while (head.len % 8)
        lf_buf_add_char(&head, ' ');
    lf_buf file = { 0 };
    const uint64_t n_head = head.len;
    lf_buf_add(&file, &n_head, sizeof n_head);
    lf_buf_add(&file, head.data, head.len);
    lf_buf_add(&file, data.data, data.len);
    (void)snprintf(dir, sizeof dir, "%s/peft", lf_test_dir());
    LF_NEED(lf_path_make_dirs(dir, err));
    put_file("peft/adapter_model.safetensors", file.data, file.len);
    put_file("peft/adapter_config.json", config, strlen(config));
    lf_buf_release(&head);
    lf_buf_release(&data);
    lf_buf_release(&file);
    return dir;
}

static void a_folder_of_peft_is_the_same(void)
{
    lf_model *m = open_base("llama", LF_F32);
    lf_adapter *a = open_adapter(m, 3, "llama"), *p = NULL;
    LF_NEED(lf_adapter_open(
        m, write_peft(3, "{\"peft_type\":\"LORA\",\"r\":3,\"lora_alpha\":6,\"bias\":\"none\"}"), &p,
        err));
    LF_CHECK_STR(lf_adapter_get_info(p)->hash, lf_adapter_get_info(a)->hash);
    LF_CHECK_INT(lf_adapter_get_info(p)->rank_max, RANK);
    lf_adapter_unref(p);
    LF_NEED(lf_adapter_open(m, write_peft(3, "{\"lora_alpha\":6,\"use_rslora\":true}"), &p, err));
    LF_CHECK_NEAR(lf_adapter_get_pair(p, 1, LF_ADAPT_UP)->scale, 6 / sqrt(RANK), 1e-6, 0);
    LF_CHECK(!lf_adapter_get_pair(p, 0, LF_ADAPT_OUTPUT));
    lf_adapter_unref(p);
    lf_adapter_unref(a);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void settings_of_peft_that_are_not_done_are_refused(void)
{
    static const char *const bad[][2] = {
        { "{\"peft_type\":\"LOHA\"}", "peft_type" },
        { "{\"bias\":\"all\"}", "bias" },
        { "{\"use_dora\":true}", "use_dora" },
        { "{\"modules_to_save\":[\"lm_head\"]}", "modules_to_save" },
        { "{\"alpha_pattern\":{\"q_proj\":3}}", "alpha_pattern" },
        { "{\"fan_in_fan_out\":true}", "fan_in_fan_out" },
        { "{\"lora_alpha\":\"x\"}", "lora_alpha" },
        { "[", "adapter_config.json" },
    };
    lf_model *m = open_base("llama", LF_F32);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lf_err e = { 0 };
        lf_adapter *a = NULL;
        LF_CHECK(lf_adapter_open(m, write_peft(3, bad[i][0]), &a, &e) != LF_OK);
        LF_CHECK(!a && strstr(e.msg, bad[i][1]));
    }
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- bad adapters ---- */

static void bad_adapters_are_refused_by_name(void)
{
    static const odd bad[] = {
        { .type = "model", .says = "general.type is 'model'", .st = LF_ERR_UNSUPPORTED },
        { .kind = "loha", .says = "adapter.type is 'loha'", .st = LF_ERR_UNSUPPORTED },
        { .arch = "qwen2", .says = "general.architecture is 'qwen2'", .st = LF_ERR_UNSUPPORTED },
        { .no_alpha = true, .says = "adapter.lora.alpha", .st = LF_ERR_UNSUPPORTED },
        { .no_tensors = true, .says = "changes no matrix", .st = LF_ERR_FORMAT },
        { .name = "token_embd.weight.lora_a",
          .says = "token_embd.weight.lora_a",
          .st = LF_ERR_UNSUPPORTED },
        { .name = "blk.0.attn_q.bias.lora_a", .says = "attn_q.bias", .st = LF_ERR_UNSUPPORTED },
        { .name = "blk.0.attn_q.weight", .says = "blk.0.attn_q.weight", .st = LF_ERR_UNSUPPORTED },
        { .name = "blk.2.attn_q.weight.lora_a", .says = "has 2 layers", .st = LF_ERR_FORMAT },
        { .name = "blk.-1.attn_q.weight.lora_a", .says = "blk.-1", .st = LF_ERR_UNSUPPORTED },
        { .name = "blk.99999999999.attn_q.weight.lora_a",
          .says = "blk.99999999999",
          .st = LF_ERR_UNSUPPORTED },
        { .without = "blk.1.ffn_up.weight.lora_b",
          .says = "lora_b for ffn_up of layer 1 is missing",
          .st = LF_ERR_FORMAT },
        { .other = "blk.0.attn_k.weight.lora_b",
          .dims = { RANK, D_KV + 1 },
          .says = "'blk.0.attn_k.weight.lora_b' is 33 x 3, the base's matrix has 32 rows",
          .st = LF_ERR_FORMAT },
        { .other = "blk.0.attn_k.weight.lora_a",
          .dims = { TINY_EMBD / 2, RANK },
          .says = "the base's matrix has 64 columns",
          .st = LF_ERR_FORMAT },
        { .other = "blk.0.attn_k.weight.lora_b",
          .dims = { RANK + 1, D_KV },
          .says = "lora_a for attn_k of layer 0 has rank 3, lora_b has 4",
          .st = LF_ERR_FORMAT },
        { .other = "blk.0.attn_k.weight.lora_a",
          .dims = { 1, LF_ADAPTER_RANK_MAX + 1 },
          .says = "has rank 513",
          .st = LF_ERR_FORMAT },
        { .other = "blk.1.attn_v.weight.lora_b",
          .not_finite = true,
          .says = "value 0 of tensor 'blk.1.attn_v.weight.lora_b' is not finite",
          .st = LF_ERR_FORMAT },
    };
    lf_model *m = open_base("llama", LF_Q8_0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lf_buf file = { 0 };
        lf_err e = { 0 };
        lf_adapter *a = NULL;
        build_adapter(3, "llama", &bad[i], &file);
        LF_CHECK_INT(lf_adapter_open(m, lf_test_file("a.gguf", file.data, file.len), &a, &e),
                     bad[i].st);
        if (!LF_CHECK(!a && strstr(e.msg, bad[i].says)))
            fprintf(stderr, "    case %zu: %s\n", i, e.msg);
        lf_buf_release(&file);
    }
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void every_truncation_is_refused(void)
{
    lf_model *m = open_base("llama", LF_Q8_0);
    lf_buf file = { 0 };
    build_adapter(3, "llama", NULL, &file);
    for (size_t n = 0; n < file.len; n += n < 4096 ? 7 : 997) {
        lf_adapter *a = NULL;
        LF_CHECK(lf_adapter_open(m, lf_test_file("a.gguf", file.data, n), &a, NULL) != LF_OK && !a);
    }
    lf_buf_release(&file);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void survives_every_failed_allocation(void)
{
    lf_model *m = open_base("llama", LF_Q8_0);
    const size_t live = lf_mem_live();
    for (int peft = 0; peft < 2; peft++) {
        lf_buf file = { 0 };
        lf_adapter *a = NULL;
        lf_status st = LF_ERR_NOMEM;
        build_adapter(3, "llama", NULL, &file);
        const char *path = peft ? write_peft(3, "{}") : lf_test_file("a.gguf", file.data, file.len);
        lf_buf_release(&file);
        for (long n = 0; st != LF_OK && n < 3000; n++) {
            lf_mem_fail_after(n);
            st = lf_adapter_open(m, path, &a, NULL);
            lf_mem_fail_after(-1);
            LF_CHECK(st == LF_OK || (!a && lf_mem_live() == live));
        }
        LF_CHECK_INT(st, LF_OK);
        lf_adapter_unref(a);
    }
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void mixes_that_do_not_fit_are_refused(void)
{
    lf_model *m = open_base("llama", LF_Q8_0), *other = open_base("qwen2", LF_Q8_0);
    lf_adapter *a = open_adapter(m, 3, "llama");
    lf_engine *e = open_engine(0);
    const int32_t ids[] = { 1, 2 };
    lf_gen_result r;
    const lf_adapter_mix good = { .v = { { a, 1 } }, .n = 1 },
                         nan = { .v = { { a, NAN } }, .n = 1 }, many = { .n = LF_ADAPTERS_MAX + 1 };
    lf_gen_req q = { .tokens = ids, .n_tokens = 2, .n_max = 1, .adapters = &good };
    q.sampling = lf_sampling_defaults();
    lf_err er = { 0 };
    LF_CHECK_INT(lf_engine_generate(e, other, &q, &r, &er), LF_ERR_ARG);
    LF_CHECK(strstr(er.msg, "another model") != NULL);
    q.adapters = &nan;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
    q.adapters = &many;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
    lf_model *enc = NULL;
    lf_adapter *none = NULL;
    LF_NEED(lf_model_open(tiny_model("b.gguf", &(tiny_opts){ .arch = "bert", .type = LF_F32 }),
                          NULL, &enc, err));
    LF_CHECK_INT(lf_adapter_open(enc, "x", &none, &er), LF_ERR_UNSUPPORTED);
    LF_CHECK_INT(lf_adapter_open(m, "/nowhere/a.gguf", &none, &er), LF_ERR_NOT_FOUND);
    lf_model_unref(enc);
    lf_engine_close(e);
    lf_adapter_unref(a);
    lf_model_unref(other);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- by name ---- */

static const char *put_named(const char *name, uint32_t seed)
{
    lf_buf file = { 0 };
    build_adapter(seed, "llama", NULL, &file);
    const char *path = lf_test_file(name, file.data, file.len);
    lf_buf_release(&file);
    return path;
}

static void check_hash(lf_adapters *as, lf_model *m, const char *name, lf_adapter *want)
{
    lf_adapter *got = NULL;
    LF_NEED(lf_adapters_get(as, m, name, &got, err));
    LF_CHECK_STR(lf_adapter_get_info(got)->hash, lf_adapter_get_info(want)->hash);
    lf_adapter_unref(got);
}

static void names_are_of_the_home(void)
{
    static const char *const strange[] = { "none",    "",    "../a",  "/etc/passwd",
                                           ".hidden", "a/b", "a.gguf" };
    lf_model *m = open_base("llama", LF_Q8_0);
    lf_adapter *three = open_adapter(m, 3, "llama"), *four = open_adapter(m, 4, "llama"), *a = NULL,
               *b = NULL;
    lf_adapters *as = NULL;
    char from[600], to[600];
    (void)snprintf(to, sizeof to, "%s/adapters", lf_test_dir());
    LF_NEED(lf_path_make_dirs(to, err));
    LF_NEED(lf_adapters_open(lf_test_dir(), &as, err));
    (void)snprintf(from, sizeof from, "%s", write_peft(4, "{\"lora_alpha\":6}"));
    (void)snprintf(to, sizeof to, "%s/adapters/folder", lf_test_dir());
    LF_CHECK_INT(rename(from, to), 0);
    (void)put_named("adapters/a.gguf", 3);
    check_hash(as, m, "a", three);
    check_hash(as, m, "folder", four);
    LF_NEED(lf_adapters_get(as, m, "a", &a, err));
    LF_NEED(lf_adapters_get(as, m, "a", &b, err));
    LF_CHECK(a == b); /* read once */
    lf_adapter_unref(b);
    LF_CHECK_INT(remove(put_named("adapters/a.gguf", 3)), 0);
    (void)put_named("adapters/a.gguf", 4); /* replaced while the old one is in use */
    check_hash(as, m, "a", four);
    LF_CHECK_STR(lf_adapter_get_info(a)->hash, lf_adapter_get_info(three)->hash);
    lf_adapter_unref(a);
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        lf_err e = { 0 };
        LF_CHECK_INT(lf_adapters_get(as, m, strange[i], &b, &e), LF_ERR_NOT_FOUND);
        LF_CHECK(strstr(e.msg, "there are: a, folder") != NULL);
    }
    for (int i = 0; i < 20; i++) { /* more than are kept */
        char name[40];
        (void)snprintf(name, sizeof name, "adapters/n%d.gguf", i);
        (void)put_named(name, i % 2 ? 3 : 4);
        (void)snprintf(name, sizeof name, "n%d", i);
        check_hash(as, m, name, i % 2 ? three : four);
        check_hash(as, m, "n0", four);
    }
    lf_adapters_close(as);
    lf_adapter_unref(three);
    lf_adapter_unref(four);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "adapter/is_the_merged_weights", an_adapter_is_the_merged_weights },
        { "adapter/keeps_its_own_in_one_batch", requests_keep_their_own_in_one_batch },
        { "adapter/caches_are_kept_apart", caches_are_kept_apart },
        { "adapter/a_folder_of_peft_is_the_same", a_folder_of_peft_is_the_same },
        { "adapter/settings_of_peft_are_refused", settings_of_peft_that_are_not_done_are_refused },
        { "adapter/bad_ones_are_refused_by_name", bad_adapters_are_refused_by_name },
        { "adapter/every_truncation_is_refused", every_truncation_is_refused },
        { "adapter/survives_every_failed_allocation", survives_every_failed_allocation },
        { "adapter/mixes_that_do_not_fit", mixes_that_do_not_fit_are_refused },
        { "adapter/names_are_of_the_home", names_are_of_the_home },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

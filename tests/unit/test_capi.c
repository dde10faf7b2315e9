/* tests/unit/test_capi.c - include/landfall.h, through that header alone, on tiny models. */
#include <landfall.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "model/gguf_write.h"
#include "tests/lf_test.h"
#include "tests/unit/tiny_model.h"

static const char chat[] = "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
                           "{% if add_generation_prompt %}<s>assistant:{% endif %}";

static void ok(landfall_status st, const landfall_error *err)
{
    if (st != LANDFALL_OK)
        fprintf(stderr, "    %s: %s\n", landfall_status_name(st), err->message);
    LF_CHECK_INT(st, LANDFALL_OK);
}

static landfall *open_lf(void)
{
    landfall_error err;
    landfall_options o = { .size = sizeof o, .n_threads = 2 };
    landfall *l = NULL;
    ok(landfall_open(&o, &l, &err), &err);
    return l;
}

static landfall_model *load(landfall *l, const char *arch)
{
    landfall_error err;
    landfall_model *m = NULL;
    const char *path = tiny_model(
        "m.gguf",
        &(tiny_opts){ .arch = arch, .type = LF_Q8_0, .chat = strcmp(arch, "bert") ? chat : NULL });
    ok(landfall_model_load(l, path, &m, &err), &err);
    return m;
}

/* ---- handles and errors ---- */

static void structs_carry_their_size(void)
{
    landfall_error err = { 0 };
    landfall *l = NULL;
    landfall_options o = { .size = 0 };
    LF_CHECK_INT(landfall_open(&o, &l, &err), LANDFALL_ERR_ARG);
    LF_CHECK(strstr(err.message, "sizeof(landfall_options)") != NULL);
    LF_CHECK_INT(err.status, LANDFALL_ERR_ARG);

    struct { /* of a later version, with one more field */
        landfall_options o;
        uint64_t more;
    } later = { .o = { .size = sizeof later, .n_threads = 1 }, .more = 1 };
    LF_CHECK_INT(landfall_open(&later.o, &l, &err), LANDFALL_ERR_ARG);
    later.more = 0;
    ok(landfall_open(&later.o, &l, &err), &err);

    landfall_model *m = load(l, "llama");
    landfall_model_info info = { .size = offsetof(landfall_model_info, is_encoder) };
    info.n_layers = 77; /* lies behind what the caller knows */
    landfall_model_get_info(m, &info);
    LF_CHECK_STR(info.arch, "llama");
    LF_CHECK_INT(info.n_layers, 77);
    info.size = sizeof info;
    landfall_model_get_info(m, &info);
    LF_CHECK_INT(info.n_layers, 2);
    LF_CHECK_INT(info.has_chat_template, 1);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void failures_say_what_and_leave_outputs_alone(void)
{
    landfall_error err = { 0 };
    landfall *l = open_lf();
    landfall_model *m = NULL, *enc;
    landfall_grammar *g = NULL;
    landfall_session *s = NULL;
    landfall_result r = { .size = sizeof r };
    int32_t *ids = NULL;
    size_t n = 0;
    char *text = NULL;
    const int32_t bad = 4000;
    const char *const some = "text";
    float v;
    LF_CHECK_INT(landfall_model_load(l, "/nowhere/x.gguf", &m, &err), LANDFALL_ERR_NOT_FOUND);
    LF_CHECK(strstr(err.message, "/nowhere/x.gguf") != NULL);
    m = load(l, "llama");
    enc = load(l, "bert");
    LF_CHECK_INT(landfall_generate(m, &bad, 1, NULL, &r, &err), LANDFALL_ERR_ARG);
    LF_CHECK(strstr(err.message, "4000") != NULL);
    LF_CHECK_INT(landfall_generate(m, &bad, 0, NULL, &r, NULL), LANDFALL_ERR_ARG);
    LF_CHECK_INT(landfall_detokenize(m, &bad, 1, 0, &text, NULL), LANDFALL_ERR_ARG);
    LF_CHECK_INT(landfall_tokenize(m, "a", 1, 64, &ids, &n, NULL), LANDFALL_ERR_ARG);
    LF_CHECK_INT(landfall_chat_tokens(m, "{}", &ids, &n, NULL), LANDFALL_ERR_ARG);
    LF_CHECK_INT(landfall_chat_tokens(m, "[{\"content\":\"x\"}]", &ids, &n, &err),
                 LANDFALL_ERR_ARG);
    LF_CHECK(strstr(err.message, "messages[0]") != NULL);
    LF_CHECK_INT(landfall_chat_tokens(m, "[", &ids, &n, NULL), LANDFALL_ERR_FORMAT);
    LF_CHECK_INT(landfall_grammar_parse("root = x", &g, NULL), LANDFALL_ERR_FORMAT);
    LF_CHECK_INT(landfall_grammar_from_schema("{\"not\":{}}", &g, &err), LANDFALL_ERR_UNSUPPORTED);
    LF_CHECK_INT(landfall_session_open(enc, &s, &err), LANDFALL_ERR_UNSUPPORTED);
    LF_CHECK_INT(landfall_embed(m, LANDFALL_EMBED_PLAIN, &some, 1, &v, &err), LANDFALL_ERR_ARG);
    LF_CHECK(!ids && !text && !g && !s && !r.text);
    ok(landfall_session_open(m, &s, &err), &err);
    LF_CHECK_INT(landfall_session_reply(s, NULL, &r, &err), LANDFALL_ERR_ARG);
    landfall_session_close(s);
    landfall_model_close(enc);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- tokens and generation ---- */

static void conversations_become_tokens(void)
{
    landfall_error err;
    landfall *l = open_lf();
    landfall_model *m = load(l, "llama");
    int32_t *ids = NULL;
    size_t n = 0;
    char *text = NULL;
    ok(landfall_chat_tokens(m, "[{\"role\":\"user\",\"content\":\"say </s>\"}]", &ids, &n, &err),
       &err);
    ok(landfall_detokenize(m, ids, n, 1, &text, &err), &err);
    LF_CHECK_STR(text, "<s>user: say </s></s><s>assistant:");
    size_t n_ends = 0;
    for (size_t i = 0; i < n; i++)
        n_ends += ids[i] == 257;
    LF_CHECK_INT(n_ends, 1); /* the template's, not the one that was typed */
    landfall_free(text);
    landfall_free(ids);
    ok(landfall_tokenize(m, "th</s>", 6, LANDFALL_PARSE_SPECIAL, &ids, &n, &err), &err);
    LF_CHECK_INT(n, 2);
    landfall_free(ids);
    ok(landfall_tokenize(m, "th</s>", 6, LANDFALL_ADD_SPECIAL, &ids, &n, &err), &err);
    LF_CHECK_INT(n, 6);
    LF_CHECK_INT(ids[0], 256);
    landfall_free(ids);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

typedef struct heard {
    char text[512];
    size_t n, n_calls, stop_at;
} heard;

static int hear(void *user, const char *text, size_t n_bytes)
{
    heard *h = user;
    LF_CHECK(n_bytes > 0 && h->n + n_bytes < sizeof h->text);
    memcpy(h->text + h->n, text, n_bytes);
    h->n += n_bytes;
    h->n_calls++;
    return h->stop_at == 0 || h->n_calls < h->stop_at;
}

static void a_conversation_keeps_its_cache(void)
{
    landfall_error err;
    landfall *l = open_lf();
    landfall_model *m = load(l, "llama");
    landfall_session *s = NULL;
    heard h = { .n = 0 };
    landfall_params p = {
        .size = sizeof p, .n_max = 12, .temperature = 0.8f, .seed = 5, .on_text = hear, .user = &h
    };
    landfall_result a = { .size = sizeof a }, b = { .size = sizeof b }, c = { .size = sizeof c };
    char *json = NULL;
    ok(landfall_session_open(m, &s, &err), &err);
    ok(landfall_session_add(s, "user", "one", &err), &err);
    ok(landfall_session_reply(s, &p, &a, &err), &err);
    LF_CHECK_INT(a.n_bytes, h.n);
    LF_CHECK(memcmp(a.text, h.text, h.n) == 0);
    LF_CHECK(a.n_generated > 0 && a.n_generated <= 12 && a.n_cached == 0);
    ok(landfall_session_add(s, "user", "two", &err), &err);
    p.on_text = NULL;
    ok(landfall_session_reply(s, &p, &b, &err), &err);
    LF_CHECK(b.n_cached >= a.n_prompt);
    LF_CHECK_INT(landfall_session_n_messages(s), 4);
    ok(landfall_session_messages(s, &json, &err), &err);
    LF_CHECK(strstr(json, "\"two\"") != NULL);
    landfall_session_rewind(s, 1); /* the same question, seed and cache: the same answer */
    ok(landfall_session_reply(s, &p, &c, &err), &err);
    LF_CHECK_STR(c.text, a.text);
    LF_CHECK_INT(c.n_cached, a.n_prompt - 1);
    landfall_free(json);
    landfall_free(a.text);
    landfall_free(b.text);
    landfall_free(c.text);
    landfall_session_close(s);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void outputs_are_held_to_grammars_and_ended(void)
{
    landfall_error err;
    landfall *l = open_lf();
    landfall_model *m = load(l, "qwen2");
    landfall_grammar *g = NULL;
    landfall_params p = { .size = sizeof p, .n_max = 40, .temperature = 1, .seed = 3 };
    landfall_result r = { .size = sizeof r };
    const int32_t ids[] = { 65, 66, 67 };
    ok(landfall_grammar_from_schema("{\"enum\":[\"left\",\"right\"]}", &g, &err), &err);
    p.grammar = g;
    ok(landfall_generate(m, ids, 3, &p, &r, &err), &err);
    LF_CHECK(strcmp(r.text, "\"left\"") == 0 || strcmp(r.text, "\"right\"") == 0);
    LF_CHECK_INT(r.finish, LANDFALL_FINISH_STOP);
    landfall_free(r.text);
    landfall_grammar_close(g);
    ok(landfall_grammar_parse("root ::= [ab]{30}", &g, &err), &err);
    heard h = { .stop_at = 4 };
    p.grammar = g;
    p.on_text = hear;
    p.user = &h;
    ok(landfall_generate(m, ids, 3, &p, &r, &err), &err);
    LF_CHECK_INT(r.finish, LANDFALL_FINISH_CALLER);
    LF_CHECK_INT(r.n_bytes, 4);
    LF_CHECK_INT(strspn(r.text, "ab"), 4);
    landfall_free(r.text);
    landfall_grammar_close(g);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static int cancel_at_first(void *user, const char *text, size_t n_bytes)
{
    (void)text, (void)n_bytes;
    landfall_cancel_now(user);
    return 1;
}

static void a_call_is_cancelled(void)
{
    landfall_error err;
    landfall *l = open_lf();
    landfall_model *m = load(l, "llama");
    landfall_session *s = NULL;
    landfall_cancel *c = NULL;
    landfall_result r = { .size = sizeof r };
    ok(landfall_cancel_open(&c, &err), &err);
    landfall_params p = { .size = sizeof p, .cancel = c, .on_text = cancel_at_first, .user = c };
    ok(landfall_grammar_parse("root ::= [a-z]{2000}", &p.grammar, &err), &err);
    ok(landfall_session_open(m, &s, &err), &err);
    ok(landfall_session_add(s, "user", "count", &err), &err);
    LF_CHECK_INT(landfall_session_reply(s, &p, &r, &err), LANDFALL_ERR_CANCELLED);
    LF_CHECK_INT(landfall_session_n_messages(s), 1);
    landfall_cancel_reset(c);
    p.on_text = NULL;
    p.n_max = 3;
    ok(landfall_session_reply(s, &p, &r, &err), &err);
    LF_CHECK_INT(r.finish, LANDFALL_FINISH_LENGTH);
    landfall_free(r.text);
    landfall_grammar_close(p.grammar);
    landfall_cancel_close(c);
    landfall_session_close(s);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* One that turns the values of layer 0 about. */
static const char *put_adapter(void)
{
    lf_gguf_writer *w = NULL;
    lf_buf file = { 0 };
    static float a[TINY_EMBD], b[32];
    for (int i = 0; i < TINY_EMBD; i++)
        a[i] = i % 2 ? 0.5f : -0.25f;
    for (int i = 0; i < 32; i++)
        b[i] = i % 3 ? 0.5f : -1;
    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_str(w, "general.type", lf_str_of("adapter"));
    lf_gguf_put_str(w, "general.architecture", lf_str_of("llama"));
    lf_gguf_put_str(w, "adapter.type", lf_str_of("lora"));
    lf_gguf_put_f32(w, "adapter.lora.alpha", 1);
    lf_gguf_put_tensor(w, "blk.0.attn_v.weight.lora_a", LF_F32, 2, (uint64_t[]){ TINY_EMBD, 1 }, a);
    lf_gguf_put_tensor(w, "blk.0.attn_v.weight.lora_b", LF_F32, 2, (uint64_t[]){ 1, 32 }, b);
    LF_NEED(lf_gguf_writer_build(w, &file, err));
    lf_gguf_writer_close(w);
    const char *path = lf_test_file("adapter.gguf", file.data, file.len);
    lf_buf_release(&file);
    return path;
}

/* A second model guesses: the same text.  An adapter that is none is told by name. */
static void drafts_and_adapters(void)
{
    landfall_error err;
    landfall *l = open_lf();
    landfall_model *m = load(l, "llama"), *small = NULL;
    landfall_adapter *a = NULL;
    const int32_t ids[] = { 65, 66, 67, 68 };
    landfall_params p = { .size = sizeof p, .n_max = 30 };
    landfall_result plain = { .size = sizeof plain }, drafted = { .size = sizeof drafted };
    const char *path =
        tiny_model("small.gguf", &(tiny_opts){ .arch = "llama", .type = LF_Q4_0, .n_layers = 1 });
    ok(landfall_model_load(l, path, &small, &err), &err);
    ok(landfall_generate(m, ids, 4, &p, &plain, &err), &err);
    p.draft = small;
    ok(landfall_generate(m, ids, 4, &p, &drafted, &err), &err);
    LF_CHECK_STR(drafted.text, plain.text);
    p.draft = m;
    LF_CHECK_INT(landfall_generate(m, ids, 4, &p, NULL, &err), LANDFALL_ERR_ARG);
    p.draft = NULL;
    path = tiny_model("no-adapter.gguf", &(tiny_opts){ .arch = "llama", .type = LF_F32 });
    LF_CHECK_INT(landfall_adapter_load(m, path, &a, &err), LANDFALL_ERR_UNSUPPORTED);
    LF_CHECK(!a && strstr(err.message, "general.type"));
    const landfall_adapter_use use[9] = { { NULL, 1 } };
    p.adapters = use;
    p.n_adapters = 9;
    LF_CHECK_INT(landfall_generate(m, ids, 4, &p, NULL, &err), LANDFALL_ERR_ARG);
    path = put_adapter();
    ok(landfall_adapter_load(m, path, &a, &err), &err);
    const landfall_adapter_use one = { a, 40 };
    p.adapters = &one;
    p.n_adapters = 1;
    landfall_free(drafted.text);
    ok(landfall_generate(m, ids, 4, &p, &drafted, &err), &err);
    LF_CHECK(strcmp(drafted.text, plain.text) != 0);
    landfall_adapter_close(a);
    landfall_free(plain.text);
    landfall_free(drafted.text);
    landfall_model_close(small);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- encoders ---- */

static void texts_become_vectors_and_ranks(void)
{
    enum { N = 3 };
    static const char *const texts[N] = { "one", "two two", "three" };
    landfall_error err;
    landfall *l = open_lf();
    landfall_model *m = load(l, "bert");
    float v[N][TINY_EMBD], q[TINY_EMBD], scores[N];
    static const char *const query[] = { "two" };
    ok(landfall_embed(m, LANDFALL_EMBED_PASSAGE, texts, N, v[0], &err), &err);
    ok(landfall_embed(m, LANDFALL_EMBED_QUERY, query, 1, q, &err), &err);
    ok(landfall_rank(m, query[0], texts, N, scores, &err), &err);
    for (int i = 0; i < N; i++) {
        double dot = 0, norm = 0;
        for (int c = 0; c < TINY_EMBD; c++) {
            dot += (double)v[i][c] * (double)q[c];
            norm += (double)v[i][c] * (double)v[i][c];
        }
        LF_CHECK_NEAR(norm, 1, 1e-4, i);
        LF_CHECK_NEAR(scores[i], dot, 1e-5, i);
    }
    LF_CHECK_INT(landfall_embed(m, (landfall_embed_kind)9, texts, N, v[0], &err), LANDFALL_ERR_ARG);
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* With a home, names of the catalogue are known, and repacked weights are kept there. */
static void a_home_gives_names(void)
{
    landfall_error err;
    landfall *l = NULL;
    landfall_model *m = NULL;
    landfall_options o = { .size = sizeof o, .n_threads = 1, .home = lf_test_dir() };
    ok(landfall_open(&o, &l, &err), &err);
    LF_CHECK_INT(landfall_model_load(l, "default", &m, &err), LANDFALL_ERR_NOT_FOUND);
    LF_CHECK(strstr(err.message, "landfall model pull") != NULL);
    m = load(l, "llama");
    landfall_model_close(m);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A model's workspace, caches and weights go with its handle, not with the next request. */
static void a_closed_model_is_gone(void)
{
    landfall_error err;
    landfall *l = open_lf();
    static const char *const text[] = { "one" };
    float v[TINY_EMBD];
    const size_t before = lf_mem_live();
    landfall_model *m = load(l, "bert");
    ok(landfall_embed(m, LANDFALL_EMBED_PLAIN, text, 1, v, &err), &err);
    LF_CHECK(lf_mem_live() > before);
    landfall_model_close(m);
    LF_CHECK_INT(lf_mem_live(), before);
    landfall_close(l);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "handles/structs_carry_their_size", structs_carry_their_size },
        { "handles/failures_say_what", failures_say_what_and_leave_outputs_alone },
        { "handles/a_home_gives_names", a_home_gives_names },
        { "handles/a_closed_model_is_gone", a_closed_model_is_gone },
        { "generate/conversations_become_tokens", conversations_become_tokens },
        { "generate/a_conversation_keeps_its_cache", a_conversation_keeps_its_cache },
        { "generate/held_to_grammars_and_ended", outputs_are_held_to_grammars_and_ended },
        { "generate/a_call_is_cancelled", a_call_is_cancelled },
        { "generate/drafts_and_adapters", drafts_and_adapters },
        { "encode/vectors_and_ranks", texts_become_vectors_and_ranks },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

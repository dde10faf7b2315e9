/* tests/unit/test_infer.c - sampling, streaming and the engine, on tiny random models.
 * Long: every property of the engine, each a case. */
#include "tests/lf_test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "infer/draft.h"
#include "infer/engine.h"
#include "infer/sample.h"
#include "infer/stream.h"
#include "tensor/softmax.h"
#include "tests/unit/tiny_model.h"

/* ---- sampling ---- */

enum { V = 8 };
static const float scores[V] = { 0.0f, 2.0f, 1.0f, -1.0f, 3.0f, 2.5f, -40.0f, 0.5f };

static int32_t pick_with(const lf_sampling *s, int32_t seen, lf_choice *c)
{
    lf_sampler *p = NULL;
    float x[V];
    memcpy(x, scores, sizeof x);
    LF_NEED(lf_sampler_open(s, V, &p, err));
    if (seen >= 0)
        lf_sampler_accept(p, seen, true);
    lf_sampler_pick(p, x, NULL, c);
    lf_sampler_close(p);
    return c->id;
}

static void greedy_bias_and_penalties(void)
{
    lf_choice c;
    lf_sampling s = lf_sampling_defaults();
    LF_CHECK_INT(pick_with(&s, -1, &c), 4);
    const lf_logit_bias bias[2] = { { 4, -100 }, { 3, 3 } };
    s.bias = bias;
    s.n_bias = 2;
    LF_CHECK_INT(pick_with(&s, -1, &c), 5);
    s.n_bias = 0;
    s.repeat_penalty = 2; /* 3 / 2 < 2.5 */
    LF_CHECK_INT(pick_with(&s, 4, &c), 5);
    s.repeat_penalty = 1;
    s.frequency_penalty = 0.6f;
    LF_CHECK_INT(pick_with(&s, 4, &c), 5);
    s.frequency_penalty = 0;
    s.presence_penalty = 0.6f;
    LF_CHECK_INT(pick_with(&s, 4, &c), 5);
    s.presence_penalty = 0.4f;
    LF_CHECK_INT(pick_with(&s, 4, &c), 4);
}

static void logprobs_are_of_the_models_distribution(void)
{
    lf_choice c;
    lf_sampling s = lf_sampling_defaults();
    s.logprobs = true;
    s.n_top_logprobs = 3;
    const lf_logit_bias bias = { 1, 50 };
    s.bias = &bias;
    s.n_bias = 1;
    LF_CHECK_INT(pick_with(&s, -1, &c), 1);
    double sum = 0;
    for (int i = 0; i < V; i++)
        sum += exp((double)scores[i]);
    LF_CHECK_NEAR(c.logprob, 2.0 - log(sum), 1e-5, 0);
    LF_CHECK(c.n_top == 3 && c.top_ids[0] == 4 && c.top_ids[1] == 5 && c.top_ids[2] == 1);
    LF_CHECK_NEAR(c.top_logprobs[0], 3.0 - log(sum), 1e-5, 0);
}

/* Draw often and compare with the distribution that the settings define. */
static void check_frequencies(const lf_sampling *s, const double *want)
{
    enum { N = 20000 };
    lf_sampler *p = NULL;
    int count[V] = { 0 };
    LF_NEED(lf_sampler_open(s, V, &p, err));
    for (int i = 0; i < N; i++) {
        float x[V];
        lf_choice c;
        memcpy(x, scores, sizeof x);
        lf_sampler_pick(p, x, NULL, &c);
        count[c.id]++;
    }
    lf_sampler_close(p);
    double sum = 0;
    for (int i = 0; i < V; i++)
        sum += want[i];
    for (int i = 0; i < V; i++)
        LF_CHECK_NEAR(count[i] / (double)N, want[i] / sum, want[i] > 0 ? 0.015 : 0, i);
}

static void draws_follow_the_distribution(void)
{
    double w[V];
    lf_sampling s = lf_sampling_defaults();
    s.temperature = 1.5f;
    s.seed = 7;
    for (int i = 0; i < V; i++)
        w[i] = i == 6 ? 0 : exp((double)scores[i] / 1.5);
    check_frequencies(&s, w);
    s.top_k = 3; /* 4, 5, 1 */
    check_frequencies(&s, (double[V]){ 0, w[1], 0, 0, w[4], w[5], 0, 0 });
    s.top_p = 0.7f; /* of those three: 4 and 5 have 0.76 */
    check_frequencies(&s, (double[V]){ 0, 0, 0, 0, w[4], w[5], 0, 0 });
    s.top_k = 0;
    s.top_p = 0.3f;
    check_frequencies(&s, (double[V]){ 0, 0, 0, 0, 1, 0, 0, 0 });
    s.top_p = 1;
    s.min_p = 0.5f; /* within 1.5 ln 2 = 1.04 of the best */
    check_frequencies(&s, (double[V]){ 0, w[1], 0, 0, w[4], w[5], 0, 0 });
}

static void sampler_names_bad_settings(void)
{
    static const struct {
        const char *word;
        lf_sampling s;
    } bad[] = {
        { "temperature", { .temperature = -1, .top_p = 1, .repeat_penalty = 1 } },
        { "temperature", { .temperature = NAN, .top_p = 1, .repeat_penalty = 1 } },
        { "top_p", { .top_p = 0, .repeat_penalty = 1 } },
        { "top_k", { .top_k = -1, .top_p = 1, .repeat_penalty = 1 } },
        { "min_p", { .min_p = 2, .top_p = 1, .repeat_penalty = 1 } },
        { "repeat_penalty", { .top_p = 1 } },
        { "top_logprobs", { .n_top_logprobs = 21, .top_p = 1, .repeat_penalty = 1 } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lf_sampler *p = NULL;
        lf_err e = { 0 };
        LF_CHECK_INT(lf_sampler_open(&bad[i].s, V, &p, &e), LF_ERR_ARG);
        LF_CHECK(!p && strstr(e.msg, bad[i].word) != NULL);
    }
    lf_sampling s = lf_sampling_defaults();
    const lf_logit_bias bias = { V, 1 };
    s.bias = &bias;
    s.n_bias = 1;
    lf_sampler *p = NULL;
    LF_CHECK_INT(lf_sampler_open(&s, V, &p, NULL), LF_ERR_ARG);
}

/* ---- streaming ---- */

/* Cut `text` everywhere into pieces of `size` bytes; what is shown must be `want`, and
 * stop[met] what ended it (-1: nothing did). */
static void stream_case(const char *text, const char *const *stop, size_t n_stop, const char *want,
                        int met)
{
    const size_t len = strlen(text);
    for (size_t size = 1; size <= len; size++) {
        lf_stream s = { .stop = stop, .n_stop = n_stop };
        lf_buf out = { 0 };
        for (size_t at = 0; at < len; at += size)
            if (!lf_stream_add(&s, text + at, len - at < size ? len - at : size, &out))
                break;
        lf_stream_end(&s, &out);
        LF_CHECK_STR(lf_buf_cstr(&out), want);
        LF_CHECK_INT(s.met_stop ? (int)s.met : -1, met);
        lf_buf_release(&out);
        lf_stream_release(&s);
    }
}

static void stop_strings_cross_tokens(void)
{
    static const char *const stop[] = { "END", "\n\n", "。好" };
    stream_case("one two", stop, 3, "one two", -1);
    stream_case("one EN two END three", stop, 3, "one EN two ", 0);
    stream_case("a\nb\n\nc", stop, 3, "a\nb", 1);
    stream_case("你好。你好。好了", stop, 3, "你好。你好", 2);
    stream_case("ENEND", stop, 3, "EN", 0);
    stream_case("EN", stop, 3, "EN", -1);
    stream_case("END", stop, 3, "", 0);
    stream_case("ab\xff\xe4\xbd", stop, 3, "ab\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", -1);
}

static void text_leaves_as_whole_characters(void)
{
    lf_stream s = { 0 };
    lf_buf out = { 0 };
    LF_CHECK(lf_stream_add(&s, "a\xe4", 2, &out) && lf_str_is((lf_str){ out.data, out.len }, "a"));
    LF_CHECK(lf_stream_add(&s, "\xbd", 1, &out) && out.len == 1);
    LF_CHECK(lf_stream_add(&s, "\xa0\xf0\x9f", 3, &out) && out.len == 4);
    LF_CHECK(lf_stream_add(&s, "\x98\x80", 2, &out) && out.len == 8);
    lf_buf_release(&out);
    lf_stream_release(&s);
}

/* ---- the engine ---- */

static lf_model *open_tiny(const char *arch, lf_type type)
{
    lf_model *m = NULL;
    const tiny_opts o = { .arch = arch, .type = type, .untied = true, .seed = 5 };
    LF_NEED(lf_model_open(tiny_model("m.gguf", &o), NULL, &m, err));
    return m;
}

static lf_engine *open_engine(const lf_engine_opts *o)
{
    lf_engine *e = NULL;
    LF_NEED(lf_engine_open(o, &e, err));
    return e;
}

enum { PROMPT_MAX = 100, N_GEN = 24 };

typedef struct heard {
    int32_t ids[64];
    float logprobs[64];
    size_t n, stop_after;
    char text[1024];
} heard;

static bool listen_to(void *ud, const lf_token_event *ev)
{
    heard *h = ud;
    if (ev->id >= 0 && h->n < 64) {
        h->ids[h->n] = ev->id;
        h->logprobs[h->n++] = ev->logprob;
    }
    const size_t len = strlen(h->text);
    (void)snprintf(h->text + len, sizeof h->text - len, "%.*s", (int)ev->n_bytes, ev->text);
    return !h->stop_after || h->n < h->stop_after;
}

typedef struct ask {
    lf_engine *e;
    lf_model *m;
    int32_t prompt[PROMPT_MAX];
    size_t n_prompt;
    lf_sampling s;
    bool no_drafts;
    lf_model *guesser;
    heard h;
    lf_gen_result r;
    lf_status st;
} ask;

static void fill_prompt(ask *a, size_t n, uint32_t seed)
{
    a->n_prompt = n;
    for (size_t i = 0; i < n; i++)
        a->prompt[i] = (int32_t)((i * 37 + seed * 11 + i * i) % 256);
    a->s = lf_sampling_defaults();
    a->s.temperature = seed % 2 ? 0.9f : 0.0f;
    a->s.top_p = 0.95f;
    a->s.seed = seed;
    a->s.logprobs = true;
}

static void run_ask(ask *a)
{
    lf_err e = { 0 };
    const lf_gen_req q = { .tokens = a->prompt,
                           .n_tokens = a->n_prompt,
                           .n_max = N_GEN,
                           .sampling = a->s,
                           .no_drafts = a->no_drafts,
                           .guesser = a->guesser,
                           .ignore_end = true,
                           .on_token = listen_to,
                           .ud = &a->h };
    a->h = (heard){ 0 };
    a->st = lf_engine_generate(a->e, a->m, &q, &a->r, &e);
    if (a->st != LF_OK)
        LF_CHECK_STR(e.msg, "no error");
    lf_buf_release(&a->r.text);
}

static void *run_ask_thread(void *ud)
{
    run_ask(ud);
    return NULL;
}

static bool same_heard(const heard *a, const heard *b)
{
    return a->n == b->n && memcmp(a->ids, b->ids, a->n * sizeof a->ids[0]) == 0 &&
           memcmp(a->logprobs, b->logprobs, a->n * sizeof a->logprobs[0]) == 0 &&
           strcmp(a->text, b->text) == 0;
}

enum { N_ASKS = 16 };

static void ask_together(ask *a)
{
    pthread_t t[N_ASKS];
    for (size_t i = 0; i < N_ASKS; i++)
        LF_CHECK(pthread_create(&t[i], NULL, run_ask_thread, &a[i]) == 0);
    for (size_t i = 0; i < N_ASKS; i++)
        LF_CHECK(pthread_join(t[i], NULL) == 0);
}

/* The same requests alone and sixteen together, whole and in chunks, with one thread and
 * more, and from a cached prefix: the same tokens and the same log-probability bits. */
static void same_bytes(const char *arch, lf_type type, lf_kv_type kv)
{
    static const lf_engine_opts opts[] = {
        { .n_threads = 1, .batch_tokens = 512 }, /* alone */
        { .n_threads = 3, .batch_tokens = 16 },
        { .n_threads = 2, .batch_tokens = 64, .sessions_max = 5 },
        { .n_threads = 1, .batch_tokens = 512 },
        { .n_threads = 2, .batch_tokens = 23, .sessions_max = 2 },
    };
    static ask first[N_ASKS], again[N_ASKS];
    lf_model *m = open_tiny(arch, type);
    for (size_t o = 0; o < sizeof opts / sizeof opts[0]; o++) {
        lf_engine_opts with = opts[o];
        with.kv_type = kv;
        lf_engine *e = open_engine(&with);
        for (size_t i = 0; i < N_ASKS; i++) {
            ask *a = o == 0 ? &first[i] : &again[i];
            fill_prompt(a, 9 + 91 * i / N_ASKS, (uint32_t)i);
            a->e = e;
            a->m = m;
            if (o == 0)
                run_ask(a);
        }
        if (o > 0)
            ask_together(again);
        for (size_t i = 0; o > 0 && i < N_ASKS; i++)
            LF_CHECK(again[i].st == LF_OK && same_heard(&first[i].h, &again[i].h));
        if (o == 1) { /* once more: the prompt is cached now */
            run_ask(&again[15]);
            LF_CHECK_INT(again[15].r.n_cached, again[15].n_prompt - 1);
            LF_CHECK(same_heard(&first[15].h, &again[15].h));
        }
        lf_engine_close(e);
    }
    LF_CHECK_INT(first[0].h.n, N_GEN);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void same_bytes_in_any_company(void)
{
    same_bytes("llama", LF_Q4_0, LF_KV_F16);
    same_bytes("qwen3", LF_Q8_0, LF_KV_F16);
    same_bytes("gemma3", LF_F16, LF_KV_F16);
}

static void same_bytes_with_8_bits(void)
{
    same_bytes("qwen2", LF_Q4_0, LF_KV_Q8);
    same_bytes("gemma3", LF_F16, LF_KV_Q8);
}

static void same_bytes_with_4_bits(void)
{
    same_bytes("qwen2", LF_Q8_0, LF_KV_Q4);
    same_bytes("llama", LF_F32, LF_KV_Q4);
}

/* Log-probabilities from several positions on are those of the scores. */
static void check_logprobs(lf_engine *e, lf_model *m, const int32_t *ids, size_t n,
                           const float *all)
{
    const size_t from[] = { 1, 2, 17, 40, n - 1 };
    float got[PROMPT_MAX + N_GEN];
    for (size_t k = 0; k < sizeof from / sizeof from[0]; k++) {
        LF_NEED(lf_engine_logprobs(e, m, ids, n, from[k], got, err));
        for (size_t i = from[k]; i < n; i++) {
            const float *x = all + (i - 1) * 260;
            LF_CHECK_NEAR(got[i - from[k]], x[ids[i]] - lf_logsumexp(x, 260), 0, i);
        }
    }
    static lf_choice c[PROMPT_MAX + N_GEN];
    LF_NEED(lf_engine_choices(e, m, ids, n, 2, 3, NULL, c, err));
    for (size_t i = 2; i < n; i++) {
        const float *x = all + (i - 1) * 260;
        const lf_choice *k = &c[i - 2];
        LF_CHECK(k->id == ids[i] && k->n_top == 3 && k->top_ids[0] == (int32_t)lf_argmax(x, 260));
        LF_CHECK_NEAR(k->top_logprobs[2], x[k->top_ids[2]] - lf_logsumexp(x, 260), 0, i);
        LF_CHECK(k->top_logprobs[0] >= k->top_logprobs[1] && k->top_logprobs[0] >= k->logprob);
    }
    LF_CHECK(lf_engine_choices(e, m, ids, n, 1, 21, NULL, c, NULL) == LF_ERR_ARG);
    LF_CHECK(lf_engine_logprobs(e, m, ids, n, 0, got, NULL) == LF_ERR_ARG);
    LF_CHECK(lf_engine_logprobs(e, m, ids, n, n, got, NULL) == LF_ERR_ARG);
}

/* Generation and teacher-forced scores are two ways to the same numbers. */
static void scores_match_generation(void)
{
    static float all[(PROMPT_MAX + N_GEN) * 260];
    lf_model *m = open_tiny("qwen2", LF_Q8_0);
    const lf_engine_opts o = { .n_threads = 2 };
    ask a = { .m = m, .e = open_engine(&o) };
    fill_prompt(&a, 40, 2);
    run_ask(&a);
    int32_t ids[PROMPT_MAX + N_GEN];
    memcpy(ids, a.prompt, 40 * sizeof ids[0]);
    memcpy(ids + 40, a.h.ids, N_GEN * sizeof ids[0]);
    LF_NEED(lf_engine_logits(a.e, m, ids, 40 + N_GEN, all, err));
    for (size_t i = 0; i < N_GEN; i++) {
        const float *x = all + (39 + i) * 260;
        size_t best = 0;
        for (size_t k = 1; k < 260; k++)
            best = x[k] > x[best] ? k : best;
        LF_CHECK_INT(best, a.h.ids[i]);
    }
    check_logprobs(a.e, m, ids, 40 + N_GEN, all);
    lf_engine_close(a.e);
    lf_model_unref(m);
}

typedef struct leaver {
    lf_engine *e;
    atomic_bool cancel, over;
} leaver;

/* Call it off once it has been started. */
static void *leave_when_running(void *ud)
{
    leaver *l = ud;
    while (!atomic_load(&l->over) && lf_engine_get_load(l->e).n_running == 0)
        ;
    atomic_store(&l->cancel, true);
    return NULL;
}

/* Scoring keeps to the engine's context, not the model's, and ends when its caller goes:
 * before it starts, and between two of its passes. */
static void scores_have_limits_and_can_be_cancelled(void)
{
    static lf_choice c[TINY_CTX];
    static int32_t ids[TINY_CTX];
    lf_err er = { 0 };
    lf_model *m = open_tiny("llama", LF_F32);
    lf_engine *e = open_engine(&(lf_engine_opts){ .n_threads = 1, .ctx_tokens = 64 });
    LF_NEED(lf_engine_choices(e, m, ids, 64, 1, 0, NULL, c, err));
    LF_CHECK_INT(lf_engine_choices(e, m, ids, 65, 1, 0, NULL, c, &er), LF_ERR_LIMIT);
    LF_CHECK_STR(er.msg, "65 tokens to score, 1 to 64 are allowed");
    LF_NEED(lf_engine_check_room(e, m, 60, 4, err));
    LF_CHECK_INT(lf_engine_check_room(e, m, 60, 5, &er), LF_ERR_LIMIT);
    LF_CHECK_INT(lf_engine_check_room(e, m, 64, 0, &er), LF_ERR_LIMIT);
    lf_engine_close(e);
    e = open_engine(&(lf_engine_opts){ .n_threads = 1 });
    leaver l = { .e = e, .cancel = true };
    LF_CHECK_INT(lf_engine_choices(e, m, ids, 9, 1, 0, &l.cancel, c, &er), LF_ERR_CANCELLED);
    lf_status st = LF_OK;
    for (int i = 0; i < 500 && st == LF_OK; i++) { /* until it is not done before that */
        pthread_t t;
        atomic_store(&l.cancel, false);
        atomic_store(&l.over, false);
        LF_CHECK(pthread_create(&t, NULL, leave_when_running, &l) == 0);
        st = lf_engine_choices(e, m, ids, TINY_CTX, 1, 0, &l.cancel, c, &er);
        atomic_store(&l.over, true);
        LF_CHECK(pthread_join(t, NULL) == 0);
    }
    LF_CHECK_INT(st, LF_ERR_CANCELLED);
    LF_NEED(lf_engine_choices(e, m, ids, TINY_CTX, 1, 0, NULL, c, err));
    LF_CHECK_INT(lf_engine_get_use(e, m).kv_busy_bytes, 0);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void prefixes_are_reused_and_kept_apart(void)
{
    lf_model *m = open_tiny("llama", LF_F32);
    const lf_engine_opts o = { .n_threads = 1, .sessions_max = 3 };
    lf_engine *e = open_engine(&o);
    int32_t ids[60];
    lf_gen_result r;
    for (int i = 0; i < 60; i++)
        ids[i] = i * 3 % 250;
    lf_gen_req q = { .tokens = ids,
                     .n_tokens = 60,
                     .n_max = 2,
                     .sampling = lf_sampling_defaults(),
                     .ignore_end = true };
    LF_NEED(lf_engine_generate(e, m, &q, &r, err));
    LF_CHECK_INT(r.n_cached, 0);
    lf_buf_release(&r.text);
    ids[40] = 251; /* another question after the same instruction */
    LF_NEED(lf_engine_generate(e, m, &q, &r, err));
    LF_CHECK_INT(r.n_cached, 40);
    lf_buf_release(&r.text);
    ids[40] = 120; /* the first one is still there */
    LF_NEED(lf_engine_generate(e, m, &q, &r, err));
    LF_CHECK_INT(r.n_cached, 59);
    lf_buf_release(&r.text);
    q.cache_key = 77; /* somebody with other rights */
    LF_NEED(lf_engine_generate(e, m, &q, &r, err));
    LF_CHECK_INT(r.n_cached, 0);
    lf_buf_release(&r.text);
    lf_engine_close(e);
    lf_model_unref(m);
}

/* From the third token on every allocation fails, and nobody notices. */
static bool fail_allocations(void *ud, const lf_token_event *ev)
{
    size_t *n = ud;
    (void)ev;
    if (++*n == 3)
        lf_mem_fail_after(0);
    return true;
}

/* Outputs of two tokens, so that guesses are often right and often wrong: with and
 * without them the same tokens, text and log-probabilities, alone and in company. */
static void guesses_change_nothing(void)
{
    static const lf_logit_bias two[] = { { 'a', 60 }, { 'b', 60 } };
    static const lf_engine_opts opts = {
        .n_threads = 2, .batch_tokens = 24, .sessions_max = 3, .kv_type = LF_KV_Q4
    };
    enum { N = 3, ROUNDS = 4 };
    static ask plain[N], guessed[N];
    lf_model *m = open_tiny("qwen3", LF_Q8_0);
    lf_engine *e = open_engine(&opts);
    uint32_t n_guessed = 0, n_right = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pthread_t t[N];
        for (uint32_t i = 0; i < N; i++) {
            fill_prompt(&plain[i], 40 + 7 * i, round);
            for (size_t k = 0; k < plain[i].n_prompt; k++)
                plain[i].prompt[k] = plain[i].prompt[k] % 3 ? 'a' : 'b';
            plain[i].e = e;
            plain[i].m = m;
            plain[i].s.bias = two;
            plain[i].s.n_bias = 2;
            guessed[i] = plain[i];
            plain[i].no_drafts = true;
            run_ask(&plain[i]);
            LF_CHECK_INT(plain[i].r.n_guessed, 0);
        }
        for (size_t i = 0; i < N; i++)
            LF_CHECK(pthread_create(&t[i], NULL, run_ask_thread, &guessed[i]) == 0);
        for (size_t i = 0; i < N; i++) {
            LF_CHECK(pthread_join(t[i], NULL) == 0);
            LF_CHECK(same_heard(&plain[i].h, &guessed[i].h));
            n_guessed += guessed[i].r.n_guessed;
            n_right += guessed[i].r.n_guessed_right;
        }
    }
    LF_CHECK(n_right > 20 && n_guessed > n_right);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A second model's guesses: one that is nearly the same, one that knows nothing.  Alone and
 * together, greedy and drawn, prompts in chunks and out of the cache: the bits of plain
 * decoding. */
static void a_guesser_changes_nothing(void)
{
    static const lf_engine_opts opts[] = {
        { .n_threads = 2, .batch_tokens = 24, .sessions_max = 3 },
        { .n_threads = 1 },
    };
    enum { N = 6 };
    static ask plain[N], guessed[N];
    lf_model *near = NULL, *far = NULL, *m = open_tiny("qwen3", LF_F16);
    const tiny_opts n = { .arch = "qwen3", .type = LF_Q8_0, .untied = true, .seed = 5 };
    const tiny_opts f = { .arch = "llama", .type = LF_Q8_0, .untied = true, .seed = 9 };
    LF_NEED(lf_model_open(tiny_model("near.gguf", &n), NULL, &near, err));
    LF_NEED(lf_model_open(tiny_model("far.gguf", &f), NULL, &far, err));
    uint32_t n_near = 0, n_right = 0, n_far = 0;
    for (size_t o = 0; o < 2; o++) {
        lf_engine *e = open_engine(&opts[o]);
        for (uint32_t round = 0; round < 3; round++) {
            pthread_t t[N];
            for (uint32_t i = 0; i < N; i++) {
                fill_prompt(&plain[i], 20 + 11 * i, round + i);
                plain[i].e = e;
                plain[i].m = m;
                guessed[i] = plain[i];
                guessed[i].guesser = i % 3 == 2 ? far : near;
                plain[i].no_drafts = true;
                run_ask(&plain[i]);
            }
            for (size_t i = 0; i < N; i++)
                LF_CHECK(pthread_create(&t[i], NULL, run_ask_thread, &guessed[i]) == 0);
            for (size_t i = 0; i < N; i++) {
                LF_CHECK(pthread_join(t[i], NULL) == 0);
                LF_CHECK(same_heard(&plain[i].h, &guessed[i].h));
                n_far += i % 3 == 2 ? guessed[i].r.n_guessed : 0;
                n_near += i % 3 == 2 ? 0 : guessed[i].r.n_guessed;
                n_right += i % 3 == 2 ? 0 : guessed[i].r.n_guessed_right;
            }
        }
        LF_CHECK_INT(lf_engine_get_load(e).n_running, 0);
        lf_engine_close(e);
    }
    LF_CHECK(n_far > 0 && n_right * 2 > n_near && n_right > 40);
    lf_model_unref(near);
    lf_model_unref(far);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* One guesser for two models that run at a time: the steps of one leave the requests of the
 * other alone. */
static void two_models_share_a_guesser(void)
{
    static const lf_engine_opts opts[] = {
        { .n_threads = 2, .batch_tokens = 24, .sessions_max = 1 },
        { .n_threads = 1, .sessions_max = 16 },
    };
    enum { N = 8 };
    static ask plain[N], guessed[N];
    lf_model *near = NULL, *m[2] = { open_tiny("qwen3", LF_F16) };
    const tiny_opts n = { .arch = "qwen3", .type = LF_Q8_0, .untied = true, .seed = 5 };
    const tiny_opts b = { .arch = "llama", .type = LF_F16, .untied = true, .seed = 7 };
    LF_NEED(lf_model_open(tiny_model("near.gguf", &n), NULL, &near, err));
    LF_NEED(lf_model_open(tiny_model("b.gguf", &b), NULL, &m[1], err));
    uint32_t n_guessed[2] = { 0 };
    for (size_t o = 0; o < 2; o++) {
        lf_engine *e = open_engine(&opts[o]);
        for (uint32_t round = 0; round < 3; round++) {
            pthread_t t[N];
            for (uint32_t i = 0; i < N; i++) {
                fill_prompt(&plain[i], 20 + 11 * i, round + i / 2);
                plain[i].e = e;
                plain[i].m = m[i % 2];
                guessed[i] = plain[i];
                guessed[i].guesser = near;
                plain[i].no_drafts = true;
                run_ask(&plain[i]);
            }
            for (size_t i = 0; i < N; i++)
                LF_CHECK(pthread_create(&t[i], NULL, run_ask_thread, &guessed[i]) == 0);
            for (size_t i = 0; i < N; i++) {
                LF_CHECK(pthread_join(t[i], NULL) == 0);
                LF_CHECK(same_heard(&plain[i].h, &guessed[i].h));
                n_guessed[i % 2] += guessed[i].r.n_guessed;
            }
        }
        lf_engine_close(e);
    }
    LF_CHECK(n_guessed[0] > 0 && n_guessed[1] > 0);
    lf_model_unref(near);
    lf_model_unref(m[0]);
    lf_model_unref(m[1]);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void guessers_that_do_not_fit_are_refused(void)
{
    lf_model *m = open_tiny("qwen3", LF_F32), *enc = NULL, *other = NULL;
    const int32_t ids[] = { 1, 2, 3 };
    lf_engine *e = open_engine(NULL);
    lf_gen_result r = { 0 };
    lf_gen_req q = { .tokens = ids, .n_tokens = 3, .n_max = 2, .sampling = lf_sampling_defaults() };
    const tiny_opts b = { .arch = "bert", .type = LF_F32 };
    LF_NEED(lf_model_open(tiny_model("enc.gguf", &b), NULL, &enc, err));
    LF_NEED(lf_model_open(lf_test_source("golden/model/qwen2.gguf"), NULL, &other, err));
    lf_model *const bad[] = { m, enc, other };
    static const char *const why[] = { "for itself", "is an encoder", "vocabulary has" };
    for (size_t i = 0; i < 3; i++) {
        lf_err er = { 0 };
        q.guesser = bad[i];
        LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
        LF_CHECK(strstr(er.msg, why[i]) != NULL);
    }
    lf_engine_close(e);
    lf_model_unref(m);
    lf_model_unref(enc);
    lf_model_unref(other);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Where guessing fails it is left alone for a while, and comes back. */
static void guesses_wait_after_misses(void)
{
    static const int32_t t[] = { 1, 2, 3, 4, 9, 1, 2 };
    int32_t out[LF_DRAFT_MAX];
    lf_drafter d = { 0 };
    LF_CHECK_INT(lf_draft(&d, t, 7, 3, 15, out), LF_DRAFT_SHORT);
    LF_CHECK(out[0] == 4 && out[1] == 9 && out[2] == 1);
    LF_CHECK_INT(lf_draft(&d, t, 7, 3, 2, out), 2);
    LF_CHECK_INT(lf_draft(&d, t, 7, 7, 15, out), 0);
    LF_CHECK_INT(lf_draft(&d, t, 1, 1, 15, out), 0);
    lf_draft_judge(&d, 3, 3);
    LF_CHECK_INT(lf_draft(&d, t, 7, 3, 15, out), 4); /* to the end of what was said */
    for (int i = 0; i < 3; i++)
        lf_draft_judge(&d, 3, 0);
    int waited = 0;
    while (lf_draft(&d, t, 7, 3, 15, out) == 0 && waited < 100)
        waited++;
    LF_CHECK_INT(waited, 8);
}

static void a_decode_step_allocates_nothing(void)
{
    static const char *const archs[] = { "llama", "qwen2", "qwen3", "gemma3" };
    for (size_t i = 0; i < 4; i++) {
        lf_model *m = open_tiny(archs[i], LF_Q4_0);
        const lf_engine_opts o = { .n_threads = 2 };
        lf_engine *e = open_engine(&o);
        const int32_t prompt[3] = { 65, 66, 67 };
        size_t n = 0;
        lf_gen_result r = { 0 };
        lf_gen_req q = { .tokens = prompt,
                         .n_tokens = 3,
                         .n_max = 60,
                         .sampling = lf_sampling_defaults(),
                         .ignore_end = true,
                         .on_token = fail_allocations,
                         .ud = &n };
        q.sampling.temperature = 1;
        q.sampling.top_p = 0.9f;
        q.sampling.repeat_penalty = 1.1f;
        const lf_status st = lf_engine_generate(e, m, &q, &r, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK_INT(st, LF_OK);
        LF_CHECK_INT(r.n_generated, 60);
        lf_buf_release(&r.text);
        lf_engine_close(e);
        lf_model_unref(m);
    }
}

static void requests_that_cannot_be_served(void)
{
    lf_model *m = open_tiny("llama", LF_F32), *enc = open_tiny("bert", LF_F32);
    const lf_engine_opts o = { .n_threads = 1, .ctx_tokens = 64 };
    lf_engine *e = open_engine(&o);
    int32_t ids[80] = { 1, 2, 3 };
    float v[64];
    lf_gen_result r;
    lf_err er = { 0 };
    lf_gen_req q = {
        .tokens = ids, .n_tokens = 60, .n_max = 5, .sampling = lf_sampling_defaults()
    };
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_LIMIT);
    LF_CHECK(strstr(er.msg, "60") && strstr(er.msg, "64"));
    q.n_tokens = 64;
    q.n_max = 0;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_LIMIT);
    q.n_tokens = 0;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
    q.n_tokens = 3;
    ids[1] = 260;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
    ids[1] = -1;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
    ids[1] = 1;
    q.sampling.top_p = 7;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_ARG);
    q.sampling.top_p = 1;
    LF_CHECK_INT(lf_engine_generate(e, enc, &q, &r, &er), LF_ERR_ARG);
    const lf_str text = lf_str_of("a");
    LF_CHECK_INT(lf_engine_embed(e, m, &text, 1, LF_EMBED_PLAIN, v, &er), LF_ERR_ARG);
    lf_engine_close(e);
    const lf_engine_opts tight = { .n_threads = 1, .kv_budget_bytes = 1000 };
    e = open_engine(&tight);
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, &er), LF_ERR_NOMEM);
    LF_CHECK(strstr(er.msg, "1000") != NULL);
    lf_engine_close(e);
    lf_model_unref(m);
    lf_model_unref(enc);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void callers_stop_and_cancel(void)
{
    lf_model *m = open_tiny("llama", LF_F32);
    const lf_engine_opts o = { .n_threads = 1 };
    lf_engine *e = open_engine(&o);
    const int32_t ids[3] = { 72, 105, 33 };
    heard h = { .stop_after = 5 };
    lf_gen_result r;
    atomic_bool cancel = true;
    lf_gen_req q = { .tokens = ids,
                     .n_tokens = 3,
                     .sampling = lf_sampling_defaults(),
                     .ignore_end = true,
                     .on_token = listen_to,
                     .ud = &h };
    LF_NEED(lf_engine_generate(e, m, &q, &r, err));
    LF_CHECK(r.finish == LF_FINISH_CALLER && r.n_generated == 5 && h.n == 5);
    LF_CHECK_STR(lf_buf_cstr(&r.text), h.text);
    lf_buf_release(&r.text);
    q.cancel = &cancel;
    LF_CHECK_INT(lf_engine_generate(e, m, &q, &r, NULL), LF_ERR_CANCELLED);
    q.cancel = NULL;
    h = (heard){ 0 };
    q.n_max = 0; /* to the end of the context */
    LF_NEED(lf_engine_generate(e, m, &q, &r, err));
    LF_CHECK(r.finish == LF_FINISH_LENGTH && r.n_generated == TINY_CTX - 3);
    lf_buf_release(&r.text);
    lf_engine_close(e);
    lf_model_unref(m);
}

/* ---- embedding ---- */

static void embeddings_do_not_depend_on_the_batch(void)
{
    enum { N = 90 };
    static float together[N * TINY_EMBD], alone[TINY_EMBD];
    static char text[N][700];
    lf_str v[N];
    lf_model *m = open_tiny("bert", LF_Q8_0);
    const lf_engine_opts o = { .n_threads = 3 };
    lf_engine *e = open_engine(&o);
    for (int i = 0; i < N; i++) {
        const int len = i == 40 ? 690 : i * 7 % 60; /* one longer than the context */
        for (int k = 0; k < len; k++)
            text[i][k] = (char)('a' + (k * (i + 3) + k / 5) % 26);
        v[i] = lf_str_of(text[i]);
    }
    LF_NEED(lf_engine_embed(e, m, v, N, LF_EMBED_PLAIN, together, err));
    for (int i = 0; i < N; i++) {
        double norm = 0;
        LF_NEED(lf_engine_embed(e, m, &v[i], 1, LF_EMBED_PLAIN, alone, err));
        LF_CHECK(memcmp(alone, together + i * TINY_EMBD, sizeof alone) == 0);
        for (int c = 0; c < TINY_EMBD; c++)
            norm += (double)alone[c] * (double)alone[c];
        LF_CHECK_NEAR(norm, 1, 1e-4, i);
    }
    LF_NEED(lf_engine_embed(e, m, v, 0, LF_EMBED_PLAIN, alone, err));
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* More texts than are held at a time; each score is the cosine of the pair's vectors. */
static void ranks_are_cosines(void)
{
    enum { N = 300 };
    static char text[N][40];
    static float ranks[N];
    float q[TINY_EMBD], p[TINY_EMBD];
    lf_str v[N];
    lf_model *m = open_tiny("bert", LF_F32);
    lf_engine *e = open_engine(NULL);
    for (int i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "%c%c text %d", 'a' + i % 26, 'a' + i % 7, i);
        v[i] = lf_str_of(text[i]);
    }
    atomic_bool cancel = true;
    lf_err gone = { 0 };
    LF_CHECK_INT(lf_engine_rank(e, m, lf_str_of("which text"), v, N, &cancel, ranks, &gone),
                 LF_ERR_CANCELLED);
    LF_NEED(lf_engine_rank(e, m, lf_str_of("which text"), v, N, NULL, ranks, err));
    const lf_str query = lf_str_of("which text");
    LF_NEED(lf_engine_embed(e, m, &query, 1, LF_EMBED_QUERY, q, err));
    for (int i = 0; i < N; i += 37) {
        double dot = 0;
        LF_NEED(lf_engine_embed(e, m, &v[i], 1, LF_EMBED_PASSAGE, p, err));
        for (int c = 0; c < TINY_EMBD; c++)
            dot += (double)q[c] * (double)p[c];
        LF_CHECK_NEAR(ranks[i], dot, 1e-5, i);
    }
    LF_CHECK(ranks[0] != ranks[1]);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

typedef struct reader {
    lf_engine *e;
    lf_model *m;
    lf_str texts[30];
    float out[30 * TINY_EMBD];
    lf_status st;
} reader;

static void *read_texts(void *arg)
{
    reader *r = arg;
    r->st = lf_engine_embed(r->e, r->m, r->texts, 30, LF_EMBED_PLAIN, r->out, NULL);
    return NULL;
}

/* Texts of several callers share passes, and get what each gets alone; beside a model that
 * generates too. */
static void embeddings_of_several_callers_share_passes(void)
{
    enum { CALLERS = 5 };
    static reader r[CALLERS];
    static char text[CALLERS * 30][80];
    static float alone[TINY_EMBD];
    const tiny_opts bert = { .arch = "bert", .type = LF_Q8_0, .seed = 5 };
    lf_model *m = NULL, *talker = open_tiny("llama", LF_Q8_0);
    LF_NEED(lf_model_open(tiny_model("bert.gguf", &bert), NULL, &m, err));
    const lf_engine_opts o = { .n_threads = 2 };
    lf_engine *e = open_engine(&o);
    pthread_t t[CALLERS], talk;
    ask a = { .e = e, .m = talker };
    fill_prompt(&a, 60, 2);
    for (int i = 0; i < CALLERS * 30; i++) {
        for (int k = 0; k < 5 + i * 7 % 70; k++)
            text[i][k] = (char)('a' + (k * (i + 3) + k / 5) % 26);
        r[i / 30].texts[i % 30] = lf_str_of(text[i]);
    }
    LF_CHECK(pthread_create(&talk, NULL, run_ask_thread, &a) == 0);
    for (int i = 0; i < CALLERS; i++) {
        r[i].e = e;
        r[i].m = m;
        LF_CHECK(pthread_create(&t[i], NULL, read_texts, &r[i]) == 0);
    }
    for (int i = 0; i < CALLERS; i++)
        LF_CHECK(pthread_join(t[i], NULL) == 0 && r[i].st == LF_OK);
    LF_CHECK(pthread_join(talk, NULL) == 0 && a.st == LF_OK);
    for (int i = 0; i < CALLERS * 30; i++) {
        LF_NEED(lf_engine_embed(e, m, &r[i / 30].texts[i % 30], 1, LF_EMBED_PLAIN, alone, err));
        LF_CHECK(memcmp(alone, r[i / 30].out + i % 30 * TINY_EMBD, sizeof alone) == 0);
    }
    lf_engine_close(e);
    lf_model_unref(m);
    lf_model_unref(talker);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A request that finds no memory says so, and the next one is served. */
static void requests_survive_every_failed_allocation(void)
{
    lf_model *m = open_tiny("llama", LF_F32);
    int32_t ids[100];
    for (int i = 0; i < 100; i++)
        ids[i] = i * 7 % 250;
    lf_gen_req q = { .tokens = ids,
                     .n_tokens = 100,
                     .n_max = 60,
                     .sampling = lf_sampling_defaults(),
                     .ignore_end = true };
    int failed = 0;
    for (long n = 0; n < 40; n++) {
        lf_gen_result r = { 0 };
        lf_err er = { 0 };
        lf_engine *e = open_engine(&(lf_engine_opts){ .n_threads = 1 });
        lf_mem_fail_after(n);
        const lf_status st = lf_engine_generate(e, m, &q, &r, &er);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK ? r.n_generated == 60 : st == LF_ERR_NOMEM && er.msg[0]);
        failed += st != LF_OK;
        lf_buf_release(&r.text);
        LF_NEED(lf_engine_generate(e, m, &q, &r, err));
        LF_CHECK_INT(r.n_generated, 60);
        lf_buf_release(&r.text);
        lf_engine_close(e);
    }
    LF_CHECK(failed > 12 && failed < 40);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "sample/greedy_bias_and_penalties", greedy_bias_and_penalties },
        { "sample/logprobs_are_of_the_models_distribution",
          logprobs_are_of_the_models_distribution },
        { "sample/draws_follow_the_distribution", draws_follow_the_distribution },
        { "sample/names_bad_settings", sampler_names_bad_settings },
        { "stream/stop_strings_cross_tokens", stop_strings_cross_tokens },
        { "stream/text_leaves_as_whole_characters", text_leaves_as_whole_characters },
        { "engine/same_bytes_in_any_company", same_bytes_in_any_company },
        { "engine/same_bytes_with_8_bits", same_bytes_with_8_bits },
        { "engine/same_bytes_with_4_bits", same_bytes_with_4_bits },
        { "engine/scores_match_generation", scores_match_generation },
        { "engine/scores_have_limits_and_can_be_cancelled",
          scores_have_limits_and_can_be_cancelled },
        { "engine/prefixes_are_reused_and_kept_apart", prefixes_are_reused_and_kept_apart },
        { "engine/guesses_change_nothing", guesses_change_nothing },
        { "engine/a_guesser_changes_nothing", a_guesser_changes_nothing },
        { "engine/two_models_share_a_guesser", two_models_share_a_guesser },
        { "engine/guessers_that_do_not_fit", guessers_that_do_not_fit_are_refused },
        { "draft/guesses_wait_after_misses", guesses_wait_after_misses },
        { "engine/a_decode_step_allocates_nothing", a_decode_step_allocates_nothing },
        { "engine/requests_that_cannot_be_served", requests_that_cannot_be_served },
        { "engine/callers_stop_and_cancel", callers_stop_and_cancel },
        { "embed/does_not_depend_on_the_batch", embeddings_do_not_depend_on_the_batch },
        { "embed/several_callers_share_passes", embeddings_of_several_callers_share_passes },
        { "engine/survives_every_failed_allocation", requests_survive_every_failed_allocation },
        { "embed/ranks_are_cosines", ranks_are_cosines },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

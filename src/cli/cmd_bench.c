/* cli/cmd_bench.c - `landfall bench`: how fast a model runs on this machine, and how well
 * it foresees a text.
 *
 * A decoder: R times a prompt of P tokens and N tokens after it, greedy, past any
 * end token.  No two prompts share a first token, so that nothing comes out of
 * the prefix cache.  Prefill is P over the engine's prefill time; decode is
 * counted between the first and the last token seen by the caller.  An encoder:
 * R times a batch of passages.  Medians are reported.
 *
 * Perplexity: the text's tokens in chunks of CHUNK side by side, each from an empty cache
 * and with the model's begin token in place of its first where it wants one.  The first
 * half of a chunk is there to be seen; exp of minus the mean log-probability of the others
 * is reported.  This is what llama.cpp's llama-perplexity does with -c 512. */
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "provider/provider.h"

enum { RUNS_MAX = 100, N_PASSAGES = 32, CHUNK = 512, TEXT_BYTES_MAX = 1 << 28 };

typedef struct bench {
    const char *model;
    long long n_prompt, n_gen, n_runs;
    double prefill[RUNS_MAX], decode[RUNS_MAX]; /* tokens a second; passages a second */
    int64_t load_us, first_token_us;
    const char *text; /* --perplexity: of this file */
    long long n_chunks;
    double nll; /* mean over n_scored tokens */
    size_t n_scored;
} bench;

typedef struct ticks {
    int64_t first_us, last_us;
    long long n;
} ticks;

static bool on_token(void *ud, const lf_token_event *ev)
{
    ticks *t = ud;
    (void)ev;
    t->last_us = lf_clock_us();
    if (t->n++ == 0)
        t->first_us = t->last_us;
    return true;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, size_t n)
{
    double sorted[RUNS_MAX];
    memcpy(sorted, v, n * sizeof *v);
    qsort(sorted, n, sizeof *sorted, by_value);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Highest resident memory of the process so far, in KiB, mapped weights included. */
static long long peak_kib(void)
{
    struct rusage u = { 0 };
    return getrusage(RUSAGE_SELF, &u) == 0 ? u.ru_maxrss : 0;
}

/* Ordinary tokens of the vocabulary, another sequence for each run. */
static void fill_prompt(const lf_tokenizer *t, int32_t *ids, long long n, long long run)
{
    const int64_t n_vocab = (int64_t)lf_tokenizer_n_vocab(t);
    for (long long i = 0; i < n; i++) {
        int64_t id = (1009 + 37 * i + 7919 * run) % n_vocab;
        while (lf_tokenizer_is_control(t, (int32_t)id) || lf_tokenizer_is_end(t, (int32_t)id))
            id = (id + 1) % n_vocab;
        ids[i] = (int32_t)id;
    }
}

static lf_status bench_decoder(bench *b, lf_engine *e, lf_model *m, lf_err *err)
{
    lf_status st = LF_OK;
    int32_t *ids = lf_calloc((size_t)b->n_prompt, sizeof *ids);
    if (!ids)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a prompt of %lld tokens", b->n_prompt);

    /* Run -1 warms caches and is not counted. */
    for (long long run = -1; run < b->n_runs && st == LF_OK; run++) {
        ticks t = { 0 };
        lf_gen_result r = { 0 };
        fill_prompt(lf_model_tokenizer(m), ids, b->n_prompt, run + 1);
        const lf_gen_req req = {
            .tokens = ids,
            .n_tokens = (size_t)b->n_prompt,
            .n_max = (uint32_t)b->n_gen,
            .sampling = lf_sampling_defaults(),
            .ignore_end = true,
            .no_drafts = true, /* the products are measured, not the guessing */
            .on_token = on_token,
            .ud = &t,
        };
        st = lf_engine_generate(e, m, &req, &r, err);
        if (st == LF_OK && run >= 0) {
            b->prefill[run] = 1e6 * (double)b->n_prompt / (double)r.prefill_us;
            b->decode[run] = 1e6 * (double)(t.n - 1) / (double)(t.last_us - t.first_us);
        }
        if (st == LF_OK && run == 0)
            b->first_token_us = r.first_token_us;
        lf_buf_release(&r.text);
    }
    lf_free(ids);
    return st;
}

static lf_status bench_encoder(bench *b, lf_engine *e, lf_model *m, lf_err *err)
{
    static const char passage[] =
        "The harbour authority keeps a register of berths. Each entry names the vessel, the "
        "date of arrival, the draught and the master who signed for it; entries are kept for "
        "ten years and may be read by anyone who asks at the office in writing. 港务局保存泊位登记"
        "簿，每条记录写明船名、到港日期、吃水与签字的船长，保存十年，任何人均可书面申请查阅。";
    lf_str texts[N_PASSAGES];
    lf_status st = LF_OK;
    float *out = lf_calloc((size_t)N_PASSAGES * lf_model_get_info(m)->n_embd, sizeof *out);
    if (!out)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %d vectors", N_PASSAGES);
    for (size_t i = 0; i < N_PASSAGES; i++)
        texts[i] = lf_str_of(passage);
    for (long long run = -1; run < b->n_runs && st == LF_OK; run++) {
        const int64_t start = lf_clock_us();
        st = lf_engine_embed(e, m, texts, N_PASSAGES, LF_EMBED_PASSAGE, out, err);
        if (run >= 0)
            b->prefill[run] = 1e6 * N_PASSAGES / (double)(lf_clock_us() - start);
    }
    lf_free(out);
    return st;
}

static lf_status text_tokens(const bench *b, const lf_tokenizer *t, lf_tokens *out, lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = lf_file_read(b->text, TEXT_BYTES_MAX, &text, err);
    if (st == LF_OK)
        st = lf_tokenizer_encode(t, lf_buf_cstr(&text), text.len, true, false, out, err);
    if (st == LF_OK && out->n < CHUNK)
        st = lf_fail(err, LF_ERR_ARG, "'%s' has %zu tokens, perplexity needs at least %d", b->text,
                     out->n, CHUNK);
    lf_buf_release(&text);
    return st;
}

static lf_status bench_text(bench *b, lf_engine *e, lf_model *m, lf_err *err)
{
    const lf_tokenizer *t = lf_model_tokenizer(m);
    lf_tokens ids = { 0 }, begin = { 0 };
    float logprobs[CHUNK / 2];
    double sum = 0;
    lf_status st = text_tokens(b, t, &ids, err);
    if (st == LF_OK) /* is there a token that the model wants in front? */
        st = lf_tokenizer_encode(t, "", 0, true, false, &begin, err);
    const bool has_begin = begin.n && begin.ids[0] == lf_tokenizer_bos(t);
    for (size_t at = 0; st == LF_OK && at + CHUNK <= ids.n && b->n_chunks > 0;
         at += CHUNK, b->n_chunks--) {
        int32_t *chunk = ids.ids + at;
        if (has_begin)
            chunk[0] = begin.ids[0];
        st = lf_engine_logprobs(e, m, chunk, CHUNK, CHUNK / 2 + 1, logprobs, err);
        for (size_t i = 0; st == LF_OK && i + 1 < CHUNK / 2; i++, b->n_scored++)
            sum -= (double)logprobs[i];
    }
    if (st == LF_OK)
        b->nll = sum / (double)b->n_scored;
    lf_tokens_release(&ids);
    lf_tokens_release(&begin);
    return st;
}

static int report_text(const lf_cli *c, const bench *b)
{
    if (c->json)
        return lf_cli_print(json_pack("{s:s, s:s, s:i, s:I, s:f, s:f}", "model", b->model, "text",
                                      b->text, "chunk_tokens", CHUNK, "scored_tokens",
                                      (json_int_t)b->n_scored, "mean_nll", b->nll, "perplexity",
                                      exp(b->nll)));
    printf(LF_TR(c, "perplexity %.4f over %zu tokens\n", "困惑度 %.4f，共 %zu 个词元\n"),
           exp(b->nll), b->n_scored);
    return 0;
}

static json_t *runs_json(const double *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json_real(v[i]));
    return json_pack("{s:f, s:o}", "median", median(v, n), "runs", list);
}

static int report(const lf_cli *c, const bench *b, const lf_model_info *info)
{
    const size_t n = (size_t)b->n_runs;
    const int threads = c->n_threads > 0 ? c->n_threads : lf_cpu_count();
    const char *kernels = lf_cpu_level_name(lf_cpu_best());

    if (c->json) {
        json_t *v =
            json_pack("{s:s, s:s, s:I, s:I, s:i, s:s, s:f, s:I}", "model", b->model, "arch",
                      info->arch, "params", (json_int_t)info->n_params, "weight_bytes",
                      (json_int_t)info->weight_bytes, "threads", threads, "kernels", kernels,
                      "load_ms", (double)b->load_us / 1e3, "peak_rss_kib", (json_int_t)peak_kib());
        if (info->is_encoder) {
            json_object_set_new(v, "passages_per_s", runs_json(b->prefill, n));
            return lf_cli_print(v);
        }
        json_object_set_new(v, "prompt_tokens", json_integer(b->n_prompt));
        json_object_set_new(v, "generated_tokens", json_integer(b->n_gen));
        json_object_set_new(v, "prefill_tokens_per_s", runs_json(b->prefill, n));
        json_object_set_new(v, "decode_tokens_per_s", runs_json(b->decode, n));
        json_object_set_new(v, "first_token_ms", json_real((double)b->first_token_us / 1e3));
        return lf_cli_print(v);
    }
    printf("%s (%s), %d threads, %s, loaded in %.0f ms, peak %.0f MiB\n", b->model, info->arch,
           threads, kernels, (double)b->load_us / 1e3, (double)peak_kib() / 1024);
    if (info->is_encoder) {
        printf("%-28s %8.1f\n", LF_TR(c, "passages a second", "每秒段落数"), median(b->prefill, n));
        return 0;
    }
    printf("%s %-6lld %8.1f\n", LF_TR(c, "prefill, tokens a second", "预填充，每秒词元数"),
           b->n_prompt, median(b->prefill, n));
    printf("%s %-6lld %8.1f\n", LF_TR(c, "decode,  tokens a second", "解码，  每秒词元数"),
           b->n_gen, median(b->decode, n));
    return 0;
}

static int run_bench(const lf_cli *c, int argc, char **argv)
{
    bench b = {
        .model = "default", .n_prompt = 512, .n_gen = 128, .n_runs = 5, .n_chunks = LLONG_MAX
    };
    const lf_cli_opt opts[] = {
        { "--model", LF_CLI_STR, &b.model, 0, 0 },
        { "-p", LF_CLI_INT, &b.n_prompt, 1, 1 << 20 },
        { "-n", LF_CLI_INT, &b.n_gen, 2, 1 << 20 },
        { "-r", LF_CLI_INT, &b.n_runs, 1, RUNS_MAX },
        { "--perplexity", LF_CLI_STR, &b.text, 0, 0 },
        { "--chunks", LF_CLI_INT, &b.n_chunks, 1, LLONG_MAX },
    };
    lf_provider *p = NULL;
    lf_model *m = NULL;
    lf_err err = { 0 };
    int n_args = 0, code = 1;

    lf_status st = lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &n_args, &err);
    if (st == LF_OK && n_args > 0)
        st = lf_fail(&err, LF_ERR_ARG, "bench takes no '%.100s'; see landfall help bench", argv[1]);
    if (st == LF_OK) {
        const int64_t start = lf_clock_us();
        const lf_provider_opts po = lf_cli_provider_opts(c);
        st = lf_provider_open(&po, &p, &err);
        if (st == LF_OK)
            st = lf_provider_model(p, b.model, &m, &err);
        b.load_us = lf_clock_us() - start;
    }
    if (st == LF_OK && b.text)
        st = bench_text(&b, lf_provider_engine(p), m, &err);
    else if (st == LF_OK && lf_model_get_info(m)->is_encoder)
        st = bench_encoder(&b, lf_provider_engine(p), m, &err);
    else if (st == LF_OK)
        st = bench_decoder(&b, lf_provider_engine(p), m, &err);
    if (st != LF_OK)
        code = lf_cli_fail(c, &err);
    else
        code = b.text ? report_text(c, &b) : report(c, &b, lf_model_get_info(m));
    lf_model_unref(m);
    lf_provider_close(p);
    return code;
}

const lf_cmd lf_cmd_bench = {
    .name = "bench",
    .args = "[--model M] [-p N] [-n N] [-r N] | [--model M] --perplexity FILE [--chunks N]",
    .summary = "measure how fast a model runs on this machine, or how well it foresees a text",
    .summary_zh = "测量模型在本机的运行速度，或它对文本的困惑度",
    .options = "--model M  a catalogue id, a file, default or default-embed (default: default)\n"
               "-p N       tokens of the prompt (default: 512)\n"
               "-n N       tokens generated after it (default: 128)\n"
               "-r N       repetitions, of which the median counts (default: 5)\n"
               "--perplexity FILE  of this text, in chunks of 512 tokens, the second half of each\n"
               "--chunks N         no more than this many chunks (default: all)\n",
    .options_zh = "--model M  目录中的模型名、文件、default 或 default-embed（默认：default）\n"
                  "-p N       提示的词元数（默认：512）\n"
                  "-n N       随后生成的词元数（默认：128）\n"
                  "-r N       重复次数，取中位数（默认：5）\n"
                  "--perplexity FILE  该文本的困惑度：每段 512 个词元，只计后半段\n"
                  "--chunks N         最多计算这么多段（默认：全部）\n",
    .run = run_bench,
};

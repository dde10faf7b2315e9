/* tests/unit/test_golden_models.c - tiny random models against reference programs.
 *
 * Tolerances: the encoders run in F32 throughout, so only the order of sums differs;
 * decoders keep keys and values as f16 (2^-11 relative), on scores of about 10. */
#include "tests/lf_test.h"

#include <stdlib.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "infer/engine.h"
#include "model/forward.h"

enum { IDS_MAX = 64 };

typedef struct expected {
    json_t *json;
    int32_t ids[IDS_MAX];
    size_t n;
    const json_t *output;
} expected;

static void read_expected(const char *rel, expected *x)
{
    lf_buf text = { 0 };
    LF_NEED(lf_file_read(lf_test_source(rel), 0, &text, err));
    LF_NEED(lf_json_parse(lf_buf_cstr(&text), text.len, rel, &x->json, err));
    const json_t *ids = json_object_get(x->json, "ids");
    x->n = json_array_size(ids);
    LF_CHECK(x->n > 0 && x->n <= IDS_MAX);
    for (size_t i = 0; i < x->n; i++)
        x->ids[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    x->output = json_object_get(x->json, "output");
    lf_buf_release(&text);
}

static lf_model *open_source(const char *rel)
{
    lf_model *m = NULL;
    LF_NEED(lf_model_open(lf_test_source(rel), NULL, &m, err));
    return m;
}

/* The pooled vector of the ids, straight from the forward pass. */
static void check_encoder(const char *dir)
{
    char path[128];
    expected x;
    lf_graph g;
    (void)snprintf(path, sizeof path, "golden/model/%s/expected.json", dir);
    read_expected(path, &x);
    (void)snprintf(path, sizeof path, "golden/model/%s", dir);
    lf_model *m = open_source(path);
    LF_CHECK_STR(lf_model_get_info(m)->arch, dir);
    const lf_segment seg = { .n_rows = x.n };
    const lf_batch b = { .ids = x.ids, .n = x.n, .segs = &seg, .n_segs = 1 };
    LF_NEED(lf_graph_open(lf_forward_bytes(m, x.n, 1, 0), NULL, &g, err));
    const lf_mat y = lf_encoder_forward(m, &g, &b);
    LF_CHECK_INT(json_array_size(x.output), y.cols);
    for (size_t i = 0; i < y.cols; i++)
        LF_CHECK_NEAR(y.data[i], json_number_value(json_array_get(x.output, i)), 2e-5, i);
    lf_graph_close(&g);
    lf_model_unref(m);
    json_decref(x.json);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void bert_matches_transformers(void)
{
    check_encoder("bert");
}

static void xlm_roberta_matches_transformers(void)
{
    check_encoder("xlm-roberta");
}

static float *score(lf_model *m, const int32_t *ids, size_t n)
{
    lf_engine *e = NULL;
    const lf_engine_opts o = { .n_threads = 1 };
    float *out = lf_calloc(n * lf_model_get_info(m)->n_vocab, sizeof *out);
    LF_CHECK(out != NULL);
    LF_NEED(lf_engine_open(&o, &e, err));
    LF_NEED(lf_engine_logits(e, m, ids, n, out, err));
    lf_engine_close(e);
    return out;
}

/* Perplexity of the ids after the first, by the scores that transformers gave. */
static void check_perplexity(lf_model *m, const expected *x)
{
    lf_engine *e = NULL;
    float got[IDS_MAX];
    double ours = 0, theirs = 0;
    const size_t v = lf_model_get_info(m)->n_vocab;
    LF_NEED(lf_engine_open(NULL, &e, err));
    LF_NEED(lf_engine_logprobs(e, m, x->ids, x->n, 1, got, err));
    for (size_t i = 0; i + 1 < x->n; i++) {
        double sum = 0;
        for (size_t k = 0; k < v; k++)
            sum += exp(json_number_value(json_array_get(x->output, i * v + k)));
        theirs +=
            log(sum) - json_number_value(json_array_get(x->output, i * v + (size_t)x->ids[i + 1]));
        ours -= (double)got[i];
    }
    const double n = (double)(x->n - 1);
    LF_CHECK_NEAR(exp(ours / n) / exp(theirs / n), 1.0, 0.005, 0);
    lf_engine_close(e);
}

static void llama_matches_transformers(void)
{
    expected x;
    read_expected("golden/model/llama/expected.json", &x);
    lf_model *m = open_source("golden/model/llama");
    const size_t n = x.n * lf_model_get_info(m)->n_vocab;
    float *y = score(m, x.ids, x.n);
    LF_CHECK_INT(json_array_size(x.output), n);
    for (size_t i = 0; i < n; i++)
        LF_CHECK_NEAR(y[i], json_number_value(json_array_get(x.output, i)), 2e-2, i);
    check_perplexity(m, &x);
    lf_free(y);
    lf_model_unref(m);
    json_decref(x.json);
}

typedef struct row {
    int pos, id, best;
    double top, lead;
} row;

static size_t read_rows(const char *rel, row *out, size_t cap)
{
    lf_buf text = { 0 };
    size_t n = 0;
    LF_NEED(lf_file_read(lf_test_source(rel), 0, &text, err));
    for (const char *p = lf_buf_cstr(&text); *p && n < cap; n++) {
        row *r = &out[n];
        LF_CHECK(sscanf(p, "%d %d %d %lf %lf", &r->pos, &r->id, &r->best, &r->top, &r->lead) == 5);
        const char *nl = strchr(p, '\n');
        p = nl ? nl + 1 : p + strlen(p);
    }
    lf_buf_release(&text);
    return n;
}

static void check_decoder(const char *arch)
{
    static row rows[IDS_MAX];
    char path[128];
    int32_t ids[IDS_MAX];
    (void)snprintf(path, sizeof path, "golden/model/%s.tsv", arch);
    const size_t n = read_rows(path, rows, IDS_MAX);
    LF_CHECK_INT(n, 24);
    for (size_t i = 0; i < n; i++)
        ids[i] = rows[i].id;
    (void)snprintf(path, sizeof path, "golden/model/%s.gguf", arch);
    lf_model *m = open_source(path);
    LF_CHECK_STR(lf_model_get_info(m)->arch, arch);
    const size_t v = lf_model_get_info(m)->n_vocab;
    float *y = score(m, ids, n);
    for (size_t i = 0; i < n; i++) {
        const float *x = y + i * v;
        size_t best = 0, second;
        for (size_t k = 1; k < v; k++)
            best = x[k] > x[best] ? k : best;
        second = best ? 0 : 1;
        for (size_t k = 0; k < v; k++)
            second = k != best && x[k] > x[second] ? k : second;
        LF_CHECK_INT(best, rows[i].best);
        LF_CHECK_NEAR(x[best], rows[i].top, 1e-2, i);
        LF_CHECK_NEAR(x[best] - x[second], rows[i].lead, 1e-2, i);
    }
    lf_free(y);
    lf_model_unref(m);
}

static void qwen2_matches_llamacpp(void)
{
    check_decoder("qwen2");
}

static void qwen3_matches_llamacpp(void)
{
    check_decoder("qwen3");
}

/* 24 tokens over windows of 8, and the seventh layer after the one that sees everything. */
static void gemma3_matches_llamacpp(void)
{
    check_decoder("gemma3");
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "golden/bert_matches_transformers", bert_matches_transformers },
        { "golden/xlm_roberta_matches_transformers", xlm_roberta_matches_transformers },
        { "golden/llama_matches_transformers", llama_matches_transformers },
        { "golden/qwen2_matches_llamacpp", qwen2_matches_llamacpp },
        { "golden/gemma3_matches_llamacpp", gemma3_matches_llamacpp },
        { "golden/qwen3_matches_llamacpp", qwen3_matches_llamacpp },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

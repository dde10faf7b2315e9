/* bench/bench_logits.c - teacher-forced scores of a model, a line a position.
 *
 *     bench_logits MODEL PROMPTS [THREADS]
 *
 * PROMPTS holds one JSON string a line.  Output, tab separated: number of the
 * prompt, position, token at this position, likeliest next token, its score, its
 * lead over the second.  bench/agreement.py compares this with a peer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "infer/engine.h"

static void print_row(size_t prompt, size_t pos, int32_t id, const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    float second = best == 0 ? x[1] : x[0];
    for (size_t i = 0; i < n; i++)
        if (i != best && x[i] > second)
            second = x[i];
    printf("%zu\t%zu\t%d\t%zu\t%.6f\t%.6f\n", prompt, pos, id, best, (double)x[best],
           (double)(x[best] - second));
}

static lf_status score(lf_engine *e, lf_model *m, size_t number, const char *text, lf_err *err)
{
    lf_tokens t = { 0 };
    float *scores = NULL;
    const size_t n_vocab = lf_model_get_info(m)->n_vocab;
    lf_status st =
        lf_tokenizer_encode(lf_model_tokenizer(m), text, strlen(text), true, true, &t, err);
    if (st == LF_OK && !(scores = lf_calloc(t.n * n_vocab, sizeof *scores)))
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the scores of %zu tokens", t.n);
    if (st == LF_OK)
        st = lf_engine_logits(e, m, t.ids, t.n, scores, err);
    for (size_t i = 0; st == LF_OK && i < t.n; i++)
        print_row(number, i, t.ids[i], scores + i * n_vocab, n_vocab);
    lf_free(scores);
    lf_tokens_release(&t);
    return st;
}

static lf_status run(char **argv, int n_threads, lf_err *err)
{
    lf_model *m = NULL;
    lf_engine *e = NULL;
    lf_buf text = { 0 };
    const lf_engine_opts o = { .n_threads = n_threads };
    lf_status st = lf_file_read(argv[2], 1 << 20, &text, err);
    if (st == LF_OK)
        st = lf_model_open(argv[1], NULL, &m, err);
    if (st == LF_OK)
        st = lf_engine_open(&o, &e, err);
    const char *p = lf_buf_cstr(&text);
    for (size_t number = 0; st == LF_OK && *p; number++) {
        const char *nl = strchr(p, '\n');
        const size_t len = nl ? (size_t)(nl - p) : strlen(p);
        json_t *line = json_loadb(p, len, JSON_DECODE_ANY, NULL);
        st = json_is_string(line)
                 ? score(e, m, number, json_string_value(line), err)
                 : lf_fail(err, LF_ERR_FORMAT, "line %zu is not a JSON string", number + 1);
        json_decref(line);
        p += len + (nl != NULL);
    }
    lf_engine_close(e);
    lf_model_unref(m);
    lf_buf_release(&text);
    return st;
}

int main(int argc, char **argv)
{
    lf_err err = { 0 };
    if (argc < 3) {
        (void)fprintf(stderr, "usage: bench_logits MODEL PROMPTS [THREADS]\n");
        return 2;
    }
    if (run(argv, argc > 3 ? (int)strtol(argv[3], NULL, 10) : 2, &err) == LF_OK)
        return 0;
    (void)fprintf(stderr, "bench_logits: %s\n", err.msg);
    return 1;
}

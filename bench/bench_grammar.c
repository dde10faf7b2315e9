/* bench/bench_grammar.c - random outputs that follow JSON Schemas, and what following costs.
 *
 *     bench_grammar TOKENIZER [SEED] < schemas.jsonl > outputs.jsonl
 *
 * TOKENIZER is a GGUF file or a folder with a tokenizer.json.  For each schema, one a line,
 * tokens are drawn blindly among those that are allowed, until the output is whole; the line
 * that is written is the output as a JSON string, or {"error": …}.  On standard error: the
 * time of a step (mask, draw, accept) and of compiling.  tests/e2e/schemas.py judges outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "infer/grammar.h"
#include "model/gguf.h"

enum { PATIENCE = 60, TOKENS_MAX = 20000 };

typedef struct walk {
    const lf_tokenizer *t;
    lf_token_tree *tree;
    float *scores;
    size_t n_vocab;
    uint64_t seed;
    int64_t step_us, compile_us;
    size_t n_steps;
    int32_t closers[8]; /* tokens that bring an output to its end, best first */
    size_t n_closers;
} walk;

static uint64_t draw(walk *w, uint64_t n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (w->seed >> 33) % n;
}

static int32_t choose(walk *w, lf_matcher *m, size_t n_done)
{
    memset(w->scores, 0, w->n_vocab * sizeof *w->scores);
    const size_t allowed = lf_matcher_mask(m, w->scores, w->n_vocab);
    if (allowed == 0)
        return -1;
    if (draw(w, 3) < (n_done > PATIENCE ? 2u : 1u))
        for (size_t i = draw(w, 2) ? 0 : draw(w, w->n_closers + 1); i < w->n_closers; i++)
            if (w->scores[w->closers[i]] == 0.0f)
                return w->closers[i];
    size_t left = draw(w, allowed), i = 0;
    for (;; i++)
        if (w->scores[i] == 0.0f && left-- == 0)
            return (int32_t)i;
}

static lf_status follow(walk *w, lf_grammar *g, lf_buf *out, lf_err *err)
{
    lf_matcher *m = NULL;
    lf_status st = lf_matcher_open(g, w->tree, &m, err);
    for (size_t n = 0; st == LF_OK && !lf_matcher_is_over(m); n++) {
        if (lf_matcher_may_end(m) && (n > PATIENCE || draw(w, 4) == 0))
            break;
        const int64_t from = lf_clock_us();
        const int32_t id = n < TOKENS_MAX ? choose(w, m, n) : -1;
        if (id < 0 || !lf_matcher_accept(m, id)) {
            st = lf_fail(err, LF_ERR_LIMIT, "no way on after %zu tokens: %s", n, lf_buf_cstr(out));
        } else if (lf_tokenizer_is_end(w->t, id)) {
            break;
        } else {
            lf_tokenizer_piece(w->t, id, false, out);
            w->step_us += lf_clock_us() - from;
            w->n_steps++;
        }
    }
    lf_matcher_close(m);
    return st;
}

static json_t *output_of(walk *w, const char *line, size_t n)
{
    lf_err err = { 0 };
    json_t *schema = NULL;
    lf_grammar *g = NULL;
    lf_buf out = { 0 };
    const int64_t from = lf_clock_us();
    lf_status st = lf_json_parse(line, n, "a schema", &schema, &err);
    if (st == LF_OK)
        st = lf_grammar_from_schema(schema, &g, &err);
    w->compile_us += lf_clock_us() - from;
    if (st == LF_OK)
        st = follow(w, g, &out, &err);
    json_t *v = st == LF_OK ? lf_json_text(lf_buf_cstr(&out), out.len)
                            : json_pack("{s:s}", "error", err.msg);
    lf_buf_release(&out);
    lf_grammar_close(g);
    json_decref(schema);
    return v;
}

static lf_status open_tokenizer(const char *path, lf_tokenizer **out, lf_err *err)
{
    lf_gguf *g = NULL;
    if (lf_path_is_dir(path))
        return lf_tokenizer_from_dir(path, out, err);
    lf_status st = lf_gguf_open(path, &g, err);
    if (st == LF_OK)
        st = lf_tokenizer_from_gguf(g, out, err);
    lf_gguf_close(g);
    return st;
}

/* The ids of what closes, shortens, or some patterns demand. */
static void find_closers(walk *w)
{
    static const char marks[] = "\"}]n0\\";
    for (size_t i = 0; i < sizeof marks - 1; i++)
        for (size_t id = 0; id < w->n_vocab; id++) {
            lf_buf b = { 0 };
            lf_tokenizer_piece(w->t, (int32_t)id, false, &b);
            const bool is_it = b.len == 1 && b.data[0] == marks[i];
            lf_buf_release(&b);
            if (is_it) {
                w->closers[w->n_closers++] = (int32_t)id;
                break;
            }
        }
}

int main(int argc, char **argv)
{
    lf_err err = { 0 };
    lf_tokenizer *t = NULL;
    char *line = NULL;
    size_t cap = 0, n_lines = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_grammar TOKENIZER [SEED] < schemas.jsonl\n");
        return 2;
    }
    walk w = { .seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1 };
    lf_status st = open_tokenizer(argv[1], &t, &err);
    if (st == LF_OK)
        st = lf_token_tree_open(t, &w.tree, &err);
    if (st != LF_OK) {
        (void)fprintf(stderr, "bench_grammar: %s\n", err.msg);
        return 1;
    }
    w.t = t;
    w.n_vocab = lf_tokenizer_n_vocab(t);
    w.scores = lf_calloc(w.n_vocab, sizeof *w.scores);
    find_closers(&w);
    for (ssize_t n; w.scores && (n = getline(&line, &cap, stdin)) > 0; n_lines++) {
        json_t *v = output_of(&w, line, (size_t)n);
        (void)json_dumpf(v, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)putchar('\n');
        json_decref(v);
    }
    (void)fprintf(
        stderr, "%zu tokens in the vocabulary; %.1f us a step over %zu steps, compiling %.1f us\n",
        w.n_vocab, w.n_steps ? (double)w.step_us / (double)w.n_steps : 0.0, w.n_steps,
        n_lines ? (double)w.compile_us / (double)n_lines : 0.0);
    free(line);
    lf_free(w.scores);
    lf_token_tree_close(w.tree);
    lf_tokenizer_close(t);
    return 0;
}

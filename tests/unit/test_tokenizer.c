/* tests/unit/test_tokenizer.c - tokenizers against the vectors of others. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/tokenizer.h"

/* The folder of vocabularies with .inp and .out files, skips without. */
static const char *vocab_dir(void)
{
    const char *dir = getenv("LANDFALL_VOCABS");
    if (!dir || !lf_path_is_dir(dir))
        lf_test_skip("LANDFALL_VOCABS names no folder of vocabularies");
    return dir;
}

static void load(const char *path, lf_gguf **g, lf_tokenizer **t)
{
    LF_NEED(lf_gguf_open(path, g, err));
    const int64_t t0 = lf_clock_us();
    LF_NEED(lf_tokenizer_from_gguf(*g, t, err));
    printf("    %s: %zu tokens in %.1f ms\n", lf_path_base(path), lf_tokenizer_n_vocab(*t),
           (double)(lf_clock_us() - t0) / 1000.0);
}

/* "1 2 3" -> ids, compared with what encode gives for one input. */
static bool same_ids(const char *line, size_t len, const lf_tokens *got)
{
    size_t k = 0;
    const char *p = line, *end = line + len;
    while (p < end) {
        char *q;
        const long long v = strtoll(p, &q, 10);
        if (q == p || q > end)
            break;
        if (k >= got->n || got->ids[k] != v)
            return false;
        k++;
        p = q;
    }
    return k == got->n;
}

static void check_vectors(const char *dir, const char *name)
{
    static const char sep[] = "\n__ggml_vocab_test__\n";
    char path[512];
    lf_buf in = { 0 }, want = { 0 };
    lf_gguf *g = NULL;
    lf_tokenizer *t = NULL;
    (void)snprintf(path, sizeof(path), "%s/ggml-vocab-%s.gguf", dir, name);
    load(path, &g, &t);
    (void)snprintf(path, sizeof(path), "%s/ggml-vocab-%s.gguf.inp", dir, name);
    LF_NEED(lf_file_read(path, 0, &in, err));
    (void)snprintf(path, sizeof(path), "%s/ggml-vocab-%s.gguf.out", dir, name);
    LF_NEED(lf_file_read(path, 0, &want, err));
    const char *p = in.data, *line = want.data;
    size_t n = 0, bad = 0;
    while (p) {
        const char *next = strstr(p, sep);
        const size_t len = next ? (size_t)(next - p) : strlen(p);
        const char *eol = strchr(line, '\n');
        const size_t line_len = eol ? (size_t)(eol - line) : strlen(line);
        lf_tokens out = { 0 };
        LF_NEED(lf_tokenizer_encode(t, p, len, false, false, &out, err));
        if (!same_ids(line, line_len, &out)) {
            bad++;
            printf("    differs on <<%.*s>>\n      want%.*s\n      got ", (int)len, p,
                   (int)line_len, line);
            for (size_t i = 0; i < out.n; i++)
                printf(" %d", out.ids[i]);
            printf("\n");
        }
        n++;
        lf_tokens_release(&out);
        line += line_len + (eol != NULL);
        p = next ? next + sizeof(sep) - 1 : NULL;
        if (!eol)
            break;
    }
    printf("    %s: %zu of %zu texts alike\n", name, n - bad, n);
    LF_CHECK(n > 30);
    LF_CHECK_INT(bad, 0);
    lf_buf_release(&in);
    lf_buf_release(&want);
    lf_tokenizer_close(t);
    lf_gguf_close(g);
}

static void test_vectors(void)
{
    static const char *const names[] = {
        "bert-bge", "command-r", "deepseek-coder", "deepseek-llm", "falcon",
        "gemma-4",  "gpt-2",     "llama-bpe",      "llama-spm",    "mpt",
        "phi-3",    "qwen2",     "qwen35",         "refact",       "starcoder",
    };
    const char *dir = vocab_dir();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        check_vectors(dir, names[i]);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "tokenizer/vectors_of_others", test_vectors },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

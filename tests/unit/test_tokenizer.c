/* tests/unit/test_tokenizer.c - tokenizers against the vectors of others. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/json.h"
#include "model/gguf_write.h"
#include "model/tok_regex.h"
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

/* ---- small tokenizers of each kind, made by the tokenizers package ---- */

static const char *const kinds[] = { "byte_level", "sentencepiece_bpe", "unigram", "wordpiece" };
enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static json_t *read_json(const char *kind, const char *name)
{
    char rel[128];
    lf_buf text = { 0 };
    json_t *v = NULL;
    (void)snprintf(rel, sizeof(rel), "golden/tokenizer/%s/%s", kind, name);
    LF_NEED(lf_file_read(lf_test_source(rel), 0, &text, err));
    LF_NEED(lf_json_parse(lf_buf_cstr(&text), text.len, name, &v, err));
    lf_buf_release(&text);
    return v;
}

static size_t n_unlike(const lf_tokenizer *t, const json_t *cases)
{
    const json_t *texts = json_array_get(cases, 0), *ids = json_array_get(cases, 1);
    size_t bad = 0;
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i), *want = json_array_get(ids, i);
        lf_tokens got = { 0 };
        LF_NEED(lf_tokenizer_encode(t, json_string_value(text), json_string_length(text), true,
                                    true, &got, err));
        bool same = got.n == json_array_size(want);
        for (size_t k = 0; same && k < got.n; k++)
            same = got.ids[k] == json_integer_value(json_array_get(want, k));
        if (!same)
            printf("    differs on <<%s>>\n", json_string_value(text));
        bad += !same;
        lf_tokens_release(&got);
    }
    return bad;
}

static void test_golden(void)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        lf_tokenizer *t = NULL;
        char rel[128];
        json_t *cases = read_json(kinds[i], "cases.json");
        (void)snprintf(rel, sizeof(rel), "golden/tokenizer/%s", kinds[i]);
        LF_NEED(lf_tokenizer_from_dir(lf_test_source(rel), &t, err));
        LF_CHECK(json_array_size(json_array_get(cases, 0)) > 15);
        LF_CHECK_INT(n_unlike(t, cases), 0);
        json_decref(cases);
        lf_tokenizer_close(t);
    }
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Byte-level BPE gives any bytes back, valid UTF-8 or not. */
static void test_round_trip(void)
{
    lf_tokenizer *t = NULL;
    char text[600];
    uint32_t x = 7;
    LF_NEED(lf_tokenizer_from_dir(lf_test_source("golden/tokenizer/byte_level"), &t, err));
    for (int round = 0; round < 200; round++) {
        const size_t n = (size_t)round * 3;
        for (size_t i = 0; i < n; i++)
            text[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
        lf_tokens ids = { 0 };
        lf_buf back = { 0 };
        LF_NEED(lf_tokenizer_encode(t, text, n, false, false, &ids, err));
        lf_tokenizer_decode(t, ids.ids, ids.n, false, &back);
        LF_CHECK(back.len == n && (n == 0 || memcmp(back.data, text, n) == 0));
        lf_buf_release(&back);
        lf_tokens_release(&ids);
    }
    lf_tokenizer_close(t);
}

static void test_no_memory(void)
{
    static const char text[] =
        "The warranty lasts two years. 员工入职满一年后 <s> \xF0\x9F\x9A\x80";
    for (size_t i = 0; i < N_KINDS; i++) {
        json_t *root = read_json(kinds[i], "tokenizer.json");
        bool done = false;
        for (long n = 0; n < 3000 && !done; n++) {
            lf_tokenizer *t = NULL;
            lf_tokens ids = { 0 };
            lf_err e = { 0 };
            const size_t live = lf_mem_live();
            lf_mem_fail_after(n);
            lf_status st = lf_tokenizer_from_json(root, NULL, &t, &e);
            if (st == LF_OK)
                st = lf_tokenizer_encode(t, text, sizeof(text) - 1, true, true, &ids, &e);
            lf_mem_fail_after(-1);
            done = st == LF_OK;
            if (!done && !LF_CHECK_INT(st, LF_ERR_NOMEM))
                printf("    %s, allocation %ld: %s\n", kinds[i], n, e.msg);
            lf_tokens_release(&ids);
            lf_tokenizer_close(t);
            LF_CHECK_INT(lf_mem_live(), live);
        }
        LF_CHECK(done);
        json_decref(root);
    }
}

/* ---- GGUF metadata ---- */

typedef struct parts {
    const char *model, *pre;
    bool no_merges, no_scores, short_types, bad_merge;
} parts;

static lf_status from_parts(const parts *p, lf_err *e)
{
    static const char *const texts[] = {
        "<unk>", "<s>", "</s>", "a", "b", "ab", "c", "\xE2\x96\x81"
    };
    lf_str tokens[8];
    const float scores[8] = { 0, 0, 0, -1, -2, -0.5f, -3, -4 };
    const int32_t types[8] = { 2, 3, 3, 1, 1, 1, 1, 1 };
    const lf_str merges[1] = { p->bad_merge ? lf_str_of("ab") : lf_str_of("a b") };
    lf_gguf_writer *w = NULL;
    lf_buf file = { 0 };
    lf_gguf *g = NULL;
    lf_tokenizer *t = NULL;
    for (int i = 0; i < 8; i++)
        tokens[i] = lf_str_of(texts[i]);
    LF_NEED(lf_gguf_writer_open(&w, err));
    lf_gguf_put_str(w, "tokenizer.ggml.model", lf_str_of(p->model));
    if (p->pre)
        lf_gguf_put_str(w, "tokenizer.ggml.pre", lf_str_of(p->pre));
    lf_gguf_put_strs(w, "tokenizer.ggml.tokens", tokens, 8);
    if (!p->no_scores)
        lf_gguf_put_f32s(w, "tokenizer.ggml.scores", scores, 8);
    lf_gguf_put_i32s(w, "tokenizer.ggml.token_type", types, p->short_types ? 7 : 8);
    if (!p->no_merges)
        lf_gguf_put_strs(w, "tokenizer.ggml.merges", merges, 1);
    lf_gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", 0);
    lf_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 1);
    lf_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 2);
    LF_NEED(lf_gguf_writer_build(w, &file, err));
    lf_gguf_writer_close(w);
    LF_NEED(lf_gguf_open_bytes(file.data, file.len, "test", &g, err));
    *e = (lf_err){ 0 };
    const lf_status st = lf_tokenizer_from_gguf(g, &t, e);
    if (st == LF_OK) {
        lf_tokens ids = { 0 };
        LF_NEED(lf_tokenizer_encode(t, "abc", 3, false, false, &ids, err));
        LF_CHECK(ids.n >= 1);
        lf_tokens_release(&ids);
        LF_CHECK_INT(lf_tokenizer_find(t, "ab"), 5);
        LF_CHECK_INT(lf_tokenizer_bos(t), 1);
        LF_CHECK(lf_tokenizer_is_end(t, 2) && lf_tokenizer_is_control(t, 2));
        LF_CHECK(!lf_tokenizer_is_end(t, 3) && !lf_tokenizer_is_end(t, -1) &&
                 !lf_tokenizer_is_end(t, 99));
    }
    lf_tokenizer_close(t);
    lf_gguf_close(g);
    lf_buf_release(&file);
    return st;
}

static void test_gguf(void)
{
    lf_err e;
    LF_CHECK_INT(from_parts(&(parts){ .model = "gpt2", .pre = "qwen2" }, &e), LF_OK);
    LF_CHECK_INT(from_parts(&(parts){ .model = "gpt2" }, &e), LF_OK);
    LF_CHECK_INT(from_parts(&(parts){ .model = "llama" }, &e), LF_OK);
    LF_CHECK_INT(from_parts(&(parts){ .model = "t5" }, &e), LF_OK);
    LF_CHECK_INT(from_parts(&(parts){ .model = "rwkv" }, &e), LF_ERR_UNSUPPORTED);
    LF_CHECK(strstr(e.msg, "'rwkv'") != NULL);
    LF_CHECK_INT(from_parts(&(parts){ .model = "gpt2", .pre = "qwen9" }, &e), LF_ERR_UNSUPPORTED);
    LF_CHECK(strstr(e.msg, "'qwen9'") != NULL);
    LF_CHECK_INT(from_parts(&(parts){ .model = "gpt2", .no_merges = true }, &e), LF_ERR_FORMAT);
    LF_CHECK_INT(from_parts(&(parts){ .model = "gpt2", .bad_merge = true }, &e), LF_ERR_FORMAT);
    LF_CHECK_INT(from_parts(&(parts){ .model = "llama", .no_scores = true }, &e), LF_ERR_FORMAT);
    LF_CHECK_INT(from_parts(&(parts){ .model = "llama", .short_types = true }, &e), LF_ERR_FORMAT);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Every family's patterns are known to the pattern compiler. */
static void test_families(void)
{
    static const char *const names[] = {
        "gpt-2",          "llama-bpe",   "chatglm-bpe", "qwen2",
        "qwen35",         "starcoder",   "falcon",      "deepseek-llm",
        "deepseek-coder", "deepseek-v3", "gpt-4o",      "granite-embed-multi-97m",
        "tekken",         "tiny_aya",    "kimi-k2",     "bailingmoe",
        "seed-coder",     "bloom",       "viking",      "superbpe",
        "minicpm5",       "gemma4",      "default",     "mpt",
        "refact",         "command-r",   "smollm",
    };
    lf_err e;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!LF_CHECK_INT(from_parts(&(parts){ .model = "gpt2", .pre = names[i] }, &e), LF_OK))
            printf("    %s: %s\n", names[i], e.msg);
}

/* ---- patterns ---- */

/* The matches in `text`, joined by '|'. */
static lf_status find_all(const char *pattern, const char *text, lf_buf *out, lf_err *e)
{
    tok_re *re = NULL;
    tok_re_stack stack = { 0 };
    tok_char c[300];
    *e = (lf_err){ 0 };
    lf_status st = tok_re_open(pattern, strlen(pattern), &re, e);
    const size_t n = tok_chars_of(text, strlen(text), c);
    for (size_t at = 0; st == LF_OK && at <= n;) {
        size_t from = 0, to = 0;
        st = tok_re_find(re, &stack, c, 0, n, at, &from, &to, e);
        if (st != LF_OK || from == SIZE_MAX)
            break;
        lf_buf_addf(out, "%s%.*s", out->len ? "|" : "", (int)(c[to].off - c[from].off),
                    text + c[from].off);
        at = to > from ? to : to + 1;
    }
    tok_re_stack_release(&stack);
    tok_re_close(re);
    return st;
}

static void test_patterns(void)
{
    static const struct {
        const char *pattern, *text, *want;
    } cases[] = {
        { "\\p{L}+|\\d{1,3}", "ab12345é 中文", "ab|123|45|é|中文" },
        { "(?i:'s|'re)", "it'S we'RE's", "'S|'RE|'s" },
        { "[^\\s\\p{L}]+", "a.. b!c", "..|!" },
        { "\\s+(?!\\S)|\\s+", "a   b", "  | " },
        { "a*+a", "aaa", "" },
        { "a*a", "aaa", "aaa" },
        { "(?:ab){2,3}", "abababab", "ababab" },
        { "[\\p{L}&&[^\\p{Han}]]+", "ab中cd", "ab|cd" },
        { "\\s+$", "a  b  ", "  " },
        { "(?=(\\d{3})+(?!\\d))", "12345", "" },
        { "x(?=y)", "xyxx", "x" },
        { "\\bfoo\\b", "foo food foo", "foo|foo" },
        { "[\\u4E00-\\u9FA5]", "a一龥", "一|龥" },
    };
    lf_err e;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lf_buf got = { 0 };
        LF_CHECK_INT(find_all(cases[i].pattern, cases[i].text, &got, &e), LF_OK);
        if (!LF_CHECK_STR(lf_buf_cstr(&got), cases[i].want))
            printf("    pattern %s: %s\n", cases[i].pattern, e.msg);
        lf_buf_release(&got);
    }
}

static void test_bad_patterns(void)
{
    static const struct {
        const char *pattern;
        lf_status st;
    } cases[] = {
        { "(", LF_ERR_FORMAT },
        { "a)", LF_ERR_FORMAT },
        { "[a", LF_ERR_FORMAT },
        { "*", LF_ERR_FORMAT },
        { "a{3,2}", LF_ERR_FORMAT },
        { "\\", LF_ERR_FORMAT },
        { "a+?", LF_ERR_UNSUPPORTED },
        { "\\p{Greek}", LF_ERR_UNSUPPORTED },
        { "(?<n>a)", LF_ERR_UNSUPPORTED },
        { "\\k", LF_ERR_UNSUPPORTED },
        { "a{2000}", LF_ERR_LIMIT },
        { "((a{999}){999}){999}", LF_ERR_LIMIT },
    };
    lf_err e;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lf_buf got = { 0 };
        if (!LF_CHECK_INT(find_all(cases[i].pattern, "aaa", &got, &e), cases[i].st))
            printf("    %s: %s\n", cases[i].pattern, e.msg);
        lf_buf_release(&got);
    }
    /* Exponential in the text's length: stopped, not waited for. */
    lf_buf got = { 0 };
    LF_CHECK_INT(find_all("(a|a)*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &got, &e),
                 LF_ERR_LIMIT);
    lf_buf_release(&got);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Parts that are not known are named. */
static void test_unknown_parts(void)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        { "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{}}}", "WordLevel" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},"
          "\"normalizer\":{\"type\":\"Lowercase\"}}",
          "Lowercase" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},"
          "\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}",
          "UnicodeScripts" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},"
          "\"post_processor\":{\"type\":\"Odd\"}}",
          "Odd" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],"
          "\"end_of_word_suffix\":\"</w>\"}}",
          "word suffix" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *v = NULL;
        lf_tokenizer *t = NULL;
        lf_err e = { 0 };
        LF_NEED(lf_json_parse(cases[i].json, strlen(cases[i].json), "test", &v, err));
        LF_CHECK_INT(lf_tokenizer_from_json(v, NULL, &t, &e), LF_ERR_UNSUPPORTED);
        if (!LF_CHECK(strstr(e.msg, cases[i].says) != NULL))
            printf("    %s\n", e.msg);
        json_decref(v);
    }
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "tokenizer/golden_of_each_kind", test_golden },
        { "tokenizer/bytes_come_back", test_round_trip },
        { "tokenizer/no_memory", test_no_memory },
        { "tokenizer/gguf_metadata", test_gguf },
        { "tokenizer/all_families_compile", test_families },
        { "tokenizer/patterns", test_patterns },
        { "tokenizer/bad_patterns", test_bad_patterns },
        { "tokenizer/unknown_parts_are_named", test_unknown_parts },
        { "tokenizer/vectors_of_others", test_vectors },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

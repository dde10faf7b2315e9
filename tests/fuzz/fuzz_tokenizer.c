/* tests/fuzz/fuzz_tokenizer.c - any bytes as a tokenizer.json, a pattern and a text.
 *
 * Up to the first NUL byte the input is tokenizer.json, after it the text; an input
 * that is no JSON is tried as a splitting pattern. */
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/tok_regex.h"
#include "model/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_pattern(const char *p, size_t n)
{
    static const char text[] = "The  year's 2024\n\n\xE4\xBD\xA0\xE5\xA5\xBD, a_b!! \xFF x";
    tok_re *re = NULL;
    tok_re_stack stack = { 0 };
    tok_char c[sizeof(text)];
    size_t from = 0, to = 0;
    lf_err err = { 0 };
    if (n > 4096 || tok_re_open(p, n, &re, &err) != LF_OK)
        return;
    const size_t n_chars = tok_chars_of(text, sizeof(text) - 1, c);
    for (size_t at = 0; at <= n_chars; at = to > from ? to : from + 1) {
        if (tok_re_find(re, &stack, c, 0, n_chars, at, &from, &to, &err) != LF_OK ||
            from == SIZE_MAX)
            break;
        if (from < at || to < from || to > n_chars)
            __builtin_trap();
    }
    tok_re_stack_release(&stack);
    tok_re_close(re);
}

static void try_tokenizer(const json_t *root, const char *text, size_t n)
{
    lf_tokenizer *t = NULL;
    lf_tokens ids = { 0 };
    lf_buf back = { 0 };
    lf_err err = { 0 };
    if (lf_tokenizer_from_json(root, NULL, &t, &err) != LF_OK)
        return;
    if (lf_tokenizer_encode(t, text, n, true, true, &ids, &err) == LF_OK) {
        for (size_t i = 0; i < ids.n; i++)
            if (ids.ids[i] < 0 || (size_t)ids.ids[i] >= lf_tokenizer_n_vocab(t))
                __builtin_trap();
        lf_tokenizer_decode(t, ids.ids, ids.n, true, &back);
    }
    lf_buf_release(&back);
    lf_tokens_release(&ids);
    lf_tokenizer_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    const size_t n_json = nul ? (size_t)(nul - data) : size;
    json_t *root = NULL;
    lf_err err = { 0 };
    if (lf_json_parse(p, n_json, "fuzz", &root, &err) != LF_OK) {
        try_pattern(p, size);
        return 0;
    }
    try_tokenizer(root, nul ? p + n_json + 1 : p, nul ? size - n_json - 1 : size);
    json_decref(root);
    return 0;
}

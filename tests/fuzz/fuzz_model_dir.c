/* tests/fuzz/fuzz_model_dir.c - the files of a safetensors folder, opened as a model.
 *
 * The input is config.json, tokenizer.json, model.safetensors.index.json and
 * model.safetensors, one after the other with a NUL byte between them; a file that
 * is empty is left out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "model/model.h"
#include "tests/fuzz/fuzz_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "config.json", "tokenizer.json",
                                     "model.safetensors.index.json", "model.safetensors" };

static void use(lf_model *m)
{
    lf_tokens t = { 0 };
    lf_err err = { 0 };
    if (lf_tokenizer_encode(lf_model_tokenizer(m), "the a", 5, true, true, &t, &err) == LF_OK)
        for (size_t i = 0; i < t.n; i++)
            if (t.ids[i] < 0 || (uint32_t)t.ids[i] >= lf_model_get_info(m)->n_vocab)
                __builtin_trap(); /* a row that the embedding table does not have */
    lf_tokens_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[300];
    lf_model *m = NULL;
    lf_err err = { 0 };
    const char *dir = fuzz_dir();
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *nul = size && i < 3 ? memchr(data, 0, size) : NULL;
        const size_t n = nul ? (size_t)(nul - data) : size;
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (n == 0)
            (void)unlink(path);
        else
            fuzz_write(path, data, n);
        data += nul ? n + 1 : n;
        size -= nul ? n + 1 : n;
    }
    if (lf_model_open(dir, NULL, &m, &err) == LF_OK)
        use(m);
    else if (err.msg[0] == '\0')
        __builtin_trap(); /* a refusal says why */
    lf_model_unref(m);
    return 0;
}

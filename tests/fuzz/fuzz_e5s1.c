/* tests/fuzz/fuzz_e5s1.c - any bytes as an encoder in the E5S1 format: what converts is
 * a GGUF file that can be read, with a tokenizer that works or is refused with a reason. */
#include <stdint.h>

#include "model/e5s1.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const lf_buf *file)
{
    static const char text[] = "a\xEF\xBC\xA1 b\xE2\x96\x81";
    lf_gguf *g = NULL;
    lf_tokenizer *t = NULL;
    lf_tokens ids = { 0 };
    lf_err err = { 0 };
    if (lf_gguf_open_bytes(file->data, file->len, "converted", &g, &err) != LF_OK)
        __builtin_trap(); /* the converter writes what the reader takes */
    if (lf_tokenizer_from_gguf(g, &t, &err) == LF_OK) {
        if (lf_tokenizer_encode(t, text, sizeof text - 1, true, false, &ids, &err) == LF_OK)
            for (size_t i = 0; i < ids.n; i++)
                if (ids.ids[i] < 0 || (size_t)ids.ids[i] >= lf_tokenizer_n_vocab(t))
                    __builtin_trap();
    } else if (err.msg[0] == '\0') {
        __builtin_trap();
    }
    lf_tokens_release(&ids);
    lf_tokenizer_close(t);
    lf_gguf_close(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_buf out = { 0 };
    lf_err err = { 0 };
    if (lf_e5s1_convert(data, size, "fuzz", &out, &err) == LF_OK)
        use(&out);
    else if (err.msg[0] == '\0')
        __builtin_trap(); /* a refusal says why */
    lf_buf_release(&out);
    return 0;
}

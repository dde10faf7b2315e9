/* tests/fuzz/fuzz_safetensors.c - any bytes as a safetensors file: open, read every value. */
#include <stdint.h>

#include "model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_safetensors *s = NULL;
    lf_err err = { 0 };
    if (lf_safetensors_open_bytes(data, size, "fuzz", &s, &err) != LF_OK) {
        if (err.msg[0] == '\0')
            __builtin_trap(); /* a refusal says why */
        return 0;
    }
    volatile unsigned sum = 0;
    for (size_t i = 0; i < lf_safetensors_n(s); i++) {
        const lf_gguf_tensor *t = lf_safetensors_at(s, i);
        for (size_t k = 0; k < t->name.len; k++)
            sum += (unsigned char)t->name.p[k];
        for (size_t k = 0; k < t->n_bytes; k++)
            sum += ((const uint8_t *)t->data)[k];
        if (lf_safetensors_find(s, t->name.p) != t)
            __builtin_trap(); /* what is listed is found under its name */
    }
    lf_safetensors_close(s);
    (void)sum; /* every byte was read, which is the point */
    return 0;
}

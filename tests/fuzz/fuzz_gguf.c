/* tests/fuzz/fuzz_gguf.c - any bytes as a GGUF file: open, read every value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const keys[] = {
    "general.architecture", "general.alignment", "s", "a.str", "a.f32", "a.i32"
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_gguf *g = NULL;
    lf_err err = { 0 };
    if (lf_gguf_open_bytes(data, size, "fuzz", &g, &err) != LF_OK)
        return err.msg[0] ? 0 : 1;
    volatile unsigned sum = 0;
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        lf_str s;
        uint32_t u;
        float f;
        bool b;
        size_t n;
        if (lf_gguf_str(g, keys[k], &s))
            for (size_t i = 0; i < s.len; i++)
                sum += (unsigned char)s.p[i];
        sum += lf_gguf_u32(g, keys[k], &u) + lf_gguf_f32(g, keys[k], &f) +
               lf_gguf_bool(g, keys[k], &b);
        if (lf_gguf_arr_len(g, keys[k], &n) && n < 100000) {
            lf_str *v = calloc(n + 1, sizeof *v);
            float *fv = calloc(n + 1, sizeof *fv);
            int32_t *iv = calloc(n + 1, sizeof *iv);
            if (v && lf_gguf_arr_strs(g, keys[k], v, n))
                for (size_t i = 0; i < n; i++)
                    sum += v[i].len ? (unsigned char)v[i].p[v[i].len - 1] : 0;
            sum += fv && lf_gguf_arr_f32s(g, keys[k], fv, n);
            sum += iv && lf_gguf_arr_i32s(g, keys[k], iv, n);
            free(v);
            free(fv);
            free(iv);
        }
    }
    for (size_t i = 0; i < lf_gguf_n_tensors(g); i++) {
        const lf_gguf_tensor *t = lf_gguf_tensor_at(g, i);
        sum += ((const uint8_t *)t->data)[0] + ((const uint8_t *)t->data)[t->n_bytes - 1];
    }
    lf_gguf_close(g);
    (void)sum; /* every byte was read, which is the point */
    return 0;
}

/* tests/unit/tiny_model.h - small random models as GGUF files, made on the spot. */
#ifndef LF_TESTS_TINY_MODEL_H
#define LF_TESTS_TINY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "tensor/type.h"

enum { TINY_EMBD = 64, TINY_FF = 128, TINY_CTX = 256 };

typedef struct tiny_opts {
    const char *arch;    /* as in general.architecture */
    lf_type type;        /* of the matrices */
    const char *without; /* leave this tensor out, or NULL */
    const char *key;     /* give this u32 key the value below in place of its own, or NULL */
    uint32_t value;
    bool untied;       /* decoders: an output matrix of its own */
    uint32_t n_layers; /* 0 = 2; gemma3: 6, so that one layer sees everything */
    uint32_t seed;
    const char *chat; /* chat template, or NULL */
} tiny_opts;

/* The bytes of a model, appended to `out`. */
void tiny_model_build(const tiny_opts *o, lf_buf *out);

/* Write a model into the case's folder; the path is borrowed until the next call
 * of lf_test_file. */
const char *tiny_model(const char *name, const tiny_opts *o);

#endif

/* model/gguf.h - GGUF v2 and v3 files, mapped.
 *
 * Source     The GGUF specification of the ggml project.
 * Ownership  lf_gguf owns the map; strings, arrays and tensor data are borrowed
 *            until lf_gguf_close.
 * Threads    Immutable once open.
 * Errors     LF_ERR_FORMAT names the field, its value and what is allowed.
 */
#ifndef LF_MODEL_GGUF_H
#define LF_MODEL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "tensor/type.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_gguf lf_gguf;

typedef struct lf_gguf_tensor {
    lf_str name;
    lf_type type;
    int32_t n_dims;
    uint64_t dims[4]; /* dims[0] is contiguous (columns), as in the file; unused are 1 */
    const void *data; /* in the map */
    size_t n_bytes;
} lf_gguf_tensor;

LF_MUST_CHECK lf_status lf_gguf_open(const char *path, lf_gguf **out, lf_err *err);
/* The same over bytes that the caller keeps (tests, fuzzing); they are aligned to 64
 * where tensor data is to be used. */
LF_MUST_CHECK lf_status lf_gguf_open_bytes(const void *data, size_t n_bytes, const char *name,
                                           lf_gguf **out, lf_err *err);
void lf_gguf_close(lf_gguf *g);

/* Metadata; false when the key is absent or of another kind.  Integers of any
 * width convert where the value fits. */
bool lf_gguf_str(const lf_gguf *g, const char *key, lf_str *out);
bool lf_gguf_u32(const lf_gguf *g, const char *key, uint32_t *out);
bool lf_gguf_f32(const lf_gguf *g, const char *key, float *out);
bool lf_gguf_bool(const lf_gguf *g, const char *key, bool *out);

/* Arrays: length, then element by index. */
bool lf_gguf_arr_len(const lf_gguf *g, const char *key, size_t *n);
bool lf_gguf_arr_strs(const lf_gguf *g, const char *key, lf_str *out, size_t n); /* first n */
bool lf_gguf_arr_f32s(const lf_gguf *g, const char *key, float *out, size_t n);
bool lf_gguf_arr_i32s(const lf_gguf *g, const char *key, int32_t *out, size_t n);
/* A byte array (u8 or i8) as it lies in the file, borrowed. */
bool lf_gguf_arr_bytes(const lf_gguf *g, const char *key, lf_str *out);

size_t lf_gguf_n_tensors(const lf_gguf *g);
const lf_gguf_tensor *lf_gguf_tensor_at(const lf_gguf *g, size_t i);
const lf_gguf_tensor *lf_gguf_find(const lf_gguf *g, const char *name); /* NULL when absent */

/* Everything before the tensor data: what identifies a file's structure. */
lf_str lf_gguf_header(const lf_gguf *g);

#ifdef __cplusplus
}
#endif
#endif

/* model/gguf_write.h - build a GGUF v3 file.
 *
 * Ownership  The writer copies keys, values and names; tensor data is borrowed
 *            until the file is made.
 * Errors     Adding is sticky: out of memory, a duplicate or a bad shape is
 *            remembered and reported when the file is made.
 * Threads    One thread at a time.
 */
#ifndef LF_MODEL_GGUF_WRITE_H
#define LF_MODEL_GGUF_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "tensor/type.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_gguf_writer lf_gguf_writer;

LF_MUST_CHECK lf_status lf_gguf_writer_open(lf_gguf_writer **out, lf_err *err);
void lf_gguf_writer_close(lf_gguf_writer *w); /* NULL is a no-op */

void lf_gguf_put_str(lf_gguf_writer *w, const char *key, lf_str value);
void lf_gguf_put_u32(lf_gguf_writer *w, const char *key, uint32_t value);
void lf_gguf_put_f32(lf_gguf_writer *w, const char *key, float value);
void lf_gguf_put_bool(lf_gguf_writer *w, const char *key, bool value);
void lf_gguf_put_strs(lf_gguf_writer *w, const char *key, const lf_str *v, size_t n);
void lf_gguf_put_f32s(lf_gguf_writer *w, const char *key, const float *v, size_t n);
void lf_gguf_put_i32s(lf_gguf_writer *w, const char *key, const int32_t *v, size_t n);
void lf_gguf_put_bytes(lf_gguf_writer *w, const char *key, const void *p, size_t n); /* u8 array */

/* `dims` as in lf_gguf_tensor (dims[0] is contiguous); data holds whole rows. */
void lf_gguf_put_tensor(lf_gguf_writer *w, const char *name, lf_type type, int n_dims,
                        const uint64_t *dims, const void *data);

/* Append the whole file to `out`. */
LF_MUST_CHECK lf_status lf_gguf_writer_build(const lf_gguf_writer *w, lf_buf *out, lf_err *err);
/* Write it, replacing `path` atomically. */
LF_MUST_CHECK lf_status lf_gguf_writer_save(const lf_gguf_writer *w, const char *path, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

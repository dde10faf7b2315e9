/* model/safetensors.h - safetensors files, mapped.
 *
 * Source     The safetensors format of Hugging Face: u64 length | JSON header | data.
 * Ownership  lf_safetensors owns the maps; tensor data is borrowed until close.
 * Threads    Immutable once open.
 * Errors     LF_ERR_FORMAT names file, tensor and what is wrong.
 */
#ifndef LF_MODEL_SAFETENSORS_H
#define LF_MODEL_SAFETENSORS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_safetensors lf_safetensors;

/* model.safetensors in `dir`, or the files that model.safetensors.index.json names. */
LF_MUST_CHECK lf_status lf_safetensors_open_dir(const char *dir, lf_safetensors **out, lf_err *err);
/* One file's bytes, which the caller keeps (tests, fuzzing). */
LF_MUST_CHECK lf_status lf_safetensors_open_bytes(const void *data, size_t n_bytes,
                                                  const char *name, lf_safetensors **out,
                                                  lf_err *err);
void lf_safetensors_close(lf_safetensors *s); /* NULL is a no-op */

size_t lf_safetensors_n(const lf_safetensors *s);
/* Shapes as in GGUF: dims[0] is contiguous.  F32, F16 and BF16 only; tensors of
 * other types are there with n_bytes 0 and data NULL. */
const lf_gguf_tensor *lf_safetensors_at(const lf_safetensors *s, size_t i);
const lf_gguf_tensor *lf_safetensors_find(const lf_safetensors *s, const char *name);

/* The mapped files, to be hashed. */
size_t lf_safetensors_n_files(const lf_safetensors *s);
lf_str lf_safetensors_file(const lf_safetensors *s, size_t i);
const char *lf_safetensors_path(const lf_safetensors *s, size_t i); /* borrowed */

#ifdef __cplusplus
}
#endif
#endif

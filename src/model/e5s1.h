/* model/e5s1.h - turn an encoder in the "E5S1" format into a GGUF file.
 *
 * E5S1 is how the multilingual-e5-small encoder is packed with 4-bit weights: a
 * BERT-shaped model with the XLM-RoBERTa Unigram vocabulary.  The weights' blocks
 * are bit for bit those of Q4_0, so the conversion loses nothing.
 *
 * Errors     LF_ERR_FORMAT what is wrong in the source, which is untrusted;
 *            LF_ERR_IO the destination cannot be written.
 */
#ifndef LF_MODEL_E5S1_H
#define LF_MODEL_E5S1_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read src_path, replace dst_path by a GGUF file with the architecture "bert". */
LF_MUST_CHECK lf_status lf_e5s1_to_gguf(const char *src_path, const char *dst_path, lf_err *err);

/* The same from bytes to bytes; the GGUF file is appended to `out`. */
LF_MUST_CHECK lf_status lf_e5s1_convert(const void *data, size_t n_bytes, const char *name,
                                        lf_buf *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

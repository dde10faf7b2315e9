/* model/tokenizer.h - text to token ids and back.
 *
 * Kinds      Byte-level BPE with its pre-tokenizer families, SentencePiece BPE
 *            and Unigram, WordPiece; from GGUF metadata or a tokenizer.json.
 * Ownership  lf_tokenizer is immutable and shared; close it when no user is left.
 * Threads    Any number of threads may use one tokenizer at once.
 * GGUF       tokenizer.ggml.model: "gpt2" (byte-level BPE, family in .pre),
 *            "llama" (SentencePiece BPE), "t5" (Unigram), "bert" (WordPiece),
 *            "gemma4" (BPE over plain UTF-8).  Keys are those of the GGUF
 *            specification.  Besides tokenizer.ggml.precompiled_charsmap a
 *            Unigram file may have tokenizer.landfall.charmap, an INT32 array of
 *            (code point, n, n replacement code points) sorted by code point,
 *            n = 0 drops it; code points that are not in it stand for themselves.
 * Errors     LF_ERR_FORMAT for a damaged vocabulary, LF_ERR_UNSUPPORTED for a
 *            kind or pre-tokenizer that is not known, with its name.
 */
#ifndef LF_MODEL_TOKENIZER_H
#define LF_MODEL_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "model/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_tokenizer lf_tokenizer;

typedef struct lf_tokens {
    int32_t *ids; /* owned; lf_tokens_release */
    size_t n, cap;
} lf_tokens;

LF_MUST_CHECK lf_status lf_tokenizer_from_gguf(const lf_gguf *g, lf_tokenizer **out, lf_err *err);
/* `dir` holds tokenizer.json and, where present, tokenizer_config.json. */
LF_MUST_CHECK lf_status lf_tokenizer_from_dir(const char *dir, lf_tokenizer **out, lf_err *err);
/* The same from parsed files; `config` (tokenizer_config.json) may be NULL. */
LF_MUST_CHECK lf_status lf_tokenizer_from_json(const json_t *tokenizer, const json_t *config,
                                               lf_tokenizer **out, lf_err *err);
void lf_tokenizer_close(lf_tokenizer *t);

/* Append the ids of text[0..n_bytes) to `out`.
 *   add_special    put the beginning/end tokens that the model wants around it
 *   parse_special  recognise control tokens such as <|im_start|> in the text */
LF_MUST_CHECK lf_status lf_tokenizer_encode(const lf_tokenizer *t, const char *text, size_t n_bytes,
                                            bool add_special, bool parse_special, lf_tokens *out,
                                            lf_err *err);

/* Append the bytes of one token (which may be part of a UTF-8 character).
 * Control tokens give nothing unless `show_special`. */
void lf_tokenizer_piece(const lf_tokenizer *t, int32_t id, bool show_special, lf_buf *out);

/* The text of a whole sequence, as the model family detokenizes it (leading
 * space of SentencePiece removed, WordPiece joined). */
void lf_tokenizer_decode(const lf_tokenizer *t, const int32_t *ids, size_t n, bool show_special,
                         lf_buf *out);

size_t lf_tokenizer_n_vocab(const lf_tokenizer *t);
int32_t lf_tokenizer_bos(const lf_tokenizer *t); /* -1 = none; so for the others */
int32_t lf_tokenizer_eos(const lf_tokenizer *t);
int32_t lf_tokenizer_find(const lf_tokenizer *t, const char *piece); /* by its vocabulary text */
bool lf_tokenizer_is_end(const lf_tokenizer *t, int32_t id); /* any end-of-generation token */
bool lf_tokenizer_is_control(const lf_tokenizer *t, int32_t id);

void lf_tokens_release(lf_tokens *t);

#ifdef __cplusplus
}
#endif
#endif

/* infer/sample.h - from scores to the next token.
 *
 * Order of operations: logit bias; repeat, frequency and presence penalties; the
 * grammar's mask, where there is one; then greedy choice where temperature is 0, else
 * min-p, top-k, temperature, top-p and one draw.  Equal scores: the smaller id comes
 * first.
 *
 * Ownership  lf_sampler is one request's; the settings are copied.
 * Threads    One thread at a time.
 * Errors     Only opening fails: LF_ERR_ARG names the setting that is out of range.
 */
#ifndef LF_INFER_SAMPLE_H
#define LF_INFER_SAMPLE_H

#include "infer/engine.h"
#include "infer/grammar.h"

typedef struct lf_sampler lf_sampler;

LF_MUST_CHECK lf_status lf_sampler_open(const lf_sampling *s, size_t n_vocab, lf_sampler **out,
                                        lf_err *err);
void lf_sampler_close(lf_sampler *s); /* NULL is a no-op */

/* Tell of a token of the prompt (generated = false) or of the output. */
void lf_sampler_accept(lf_sampler *s, int32_t id, bool generated);

/* Choose; `logits` f32[n_vocab] is scratch afterwards.  `grammar` may be NULL: then
 * nothing is allocated.  out->id is -1 where the grammar allows no token. */
void lf_sampler_pick(lf_sampler *s, float *logits, lf_matcher *grammar, lf_choice *out);

/* What scores f32[n_vocab] say of a token, and of the n_top best (at most
 * LF_TOP_LOGPROBS_MAX). */
void lf_choice_describe(const float *scores, size_t n_vocab, int32_t id, int32_t n_top,
                        lf_choice *out);

#endif

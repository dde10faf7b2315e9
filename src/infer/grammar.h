/* infer/grammar.h - output that is held to a grammar.
 *
 * A grammar is written in GBNF: `name ::= ...` rules with "literals", [classes],
 * `.` (any character), ( groups ), | and the quantifiers * + ? {m} {m,} {m,n};
 * `root` is where it starts, # begins a comment.  It is compiled to rules over
 * bytes, so that a token that holds half of a character is judged like any other.
 *
 * A matcher follows one output.  Its states are sets of pushdown stacks, made when
 * they are first met and remembered, so that a step costs a table lookup; the mask
 * of a state over the vocabulary is one walk over the vocabulary's prefix tree.
 *
 * Ownership  Grammar and tree are immutable and shared (counted); a matcher is its
 *            caller's and keeps references to both.
 * Threads    Grammar and tree: any.  A matcher: one at a time.
 * Errors     LF_ERR_FORMAT  the text is no grammar, with line and column
 *            LF_ERR_UNSUPPORTED  left recursion, with the rule's name
 *            LF_ERR_LIMIT   more than LF_GRAMMAR_ITEMS_MAX items once repetitions are
 *                           written out, or nested deeper than 200
 */
#ifndef LF_INFER_GRAMMAR_H
#define LF_INFER_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "model/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_GRAMMAR_ITEMS_MAX = 1 << 20 };

typedef struct lf_grammar lf_grammar;

LF_MUST_CHECK lf_status lf_grammar_parse(const char *text, size_t n_bytes, lf_grammar **out,
                                         lf_err *err);
/* A grammar of the JSON texts that a schema allows (schema.h says which schemas). */
LF_MUST_CHECK lf_status lf_grammar_from_schema(const json_t *schema, lf_grammar **out, lf_err *err);
lf_grammar *lf_grammar_share(lf_grammar *g);
void lf_grammar_close(lf_grammar *g); /* NULL is a no-op */

/* The tokens of a vocabulary by their bytes. */
typedef struct lf_token_tree lf_token_tree;

LF_MUST_CHECK lf_status lf_token_tree_open(const lf_tokenizer *t, lf_token_tree **out, lf_err *err);
lf_token_tree *lf_token_tree_share(lf_token_tree *t);
void lf_token_tree_close(lf_token_tree *t); /* NULL is a no-op */

typedef struct lf_matcher lf_matcher;

LF_MUST_CHECK lf_status lf_matcher_open(lf_grammar *g, lf_token_tree *t, lf_matcher **out,
                                        lf_err *err);
void lf_matcher_close(lf_matcher *m); /* NULL is a no-op */

/* May this token come next?  End-of-generation tokens may where the output is whole. */
bool lf_matcher_allows(lf_matcher *m, int32_t id);

/* Set the scores f32[n_scores] of all other tokens to -infinity; the number of
 * allowed ones, 0 also when memory ran out (lf_matcher_failed).  A model may score
 * more ids than its tokenizer has: those are never allowed. */
size_t lf_matcher_mask(lf_matcher *m, float *scores, size_t n_scores);

/* Go on by a token; false (and no move) where it is not allowed. */
bool lf_matcher_accept(lf_matcher *m, int32_t id);

bool lf_matcher_may_end(const lf_matcher *m); /* the output is whole */
/* The output is whole and nothing may follow. */
bool lf_matcher_is_over(const lf_matcher *m);
bool lf_matcher_failed(const lf_matcher *m);

#ifdef __cplusplus
}
#endif
#endif

/* infer/tool_grammar.h - an answer that may, or must, call functions, as a grammar.
 *
 *     auto      text, and where a call begins in it nothing but calls from there on, in the
 *               same spelling (tool_format.h says where which begins); with `answer`: calls in the format's own spelling, or an answer
 *     required  calls in the format's own spelling; where `only` is named, one call of it
 *
 * A call names one of the functions, and its arguments hold to that function's JSON Schema
 * (schema.h says which schemas): an answer that ends by itself parses and is valid.
 *
 * Errors     LF_ERR_ARG, LF_ERR_UNSUPPORTED: a function that cannot be held to, by its name
 *            LF_ERR_LIMIT  the grammar is too large (grammar.h)
 */
#ifndef LF_INFER_TOOL_GRAMMAR_H
#define LF_INFER_TOOL_GRAMMAR_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "infer/grammar.h"
#include "model/tool_format.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_TOOL_CALLS_MAX = 32 }; /* of one answer: a model may know no end */

typedef enum lf_tool_choice { LF_TOOLS_AUTO, LF_TOOLS_REQUIRED } lf_tool_choice;

/* What may be called; everything is borrowed. */
typedef struct lf_tool_use {
    const json_t *tools; /* [{"type": "function", "function": {"name", "description",
                          * "parameters"}}]; without parameters: called with none */
    lf_tool_choice choice;
    const char *only;     /* LF_TOOLS_REQUIRED: this function; NULL = any */
    bool parallel;        /* several calls an answer, where the format can */
    const json_t *answer; /* JSON Schema of an answer that calls nothing; NULL = free text */
} lf_tool_use;

/* Can every function be held to?  The error says which one cannot. */
LF_MUST_CHECK lf_status lf_tool_use_check(const lf_tool_use *u, lf_err *err);

LF_MUST_CHECK lf_status lf_tool_grammar(const lf_tool_format *f, const lf_tool_use *u,
                                        lf_grammar **out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

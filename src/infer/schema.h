/* infer/schema.h - JSON Schema as a grammar: every text that the grammar allows is
 * valid under the schema (not the reverse: see below).
 *
 * Supported   type (also a list), enum, const, anyOf, oneOf (alternatives that exclude each
 *     other by type, or by a required constant), allOf of one, $ref within the document
 *     (recursion too), $defs, definitions; properties, required, additionalProperties,
 *     minProperties 0 or 1; items, prefixItems, minItems, maxItems; minLength, maxLength or
 *     pattern; minimum, maximum and their exclusive forms; format date, time, date-time, uuid
 *     (other formats are annotations and restrict nothing; dates lie in the years 1000 to 2999).
 * Narrower    Properties come in the order in which the schema lists them.  Beside listed
 *     properties (be the list empty) no others are written.  All prefixItems are written.
 *     Bounds of numbers are taken inwards to whole ones.  A schema without a type that has
 *     keywords of one type means that type.  Characters are written as themselves, but for the
 *     escapes that JSON demands.
 * Refused     everything else that restricts (not, if, uniqueItems, multipleOf, contains,
 *     patternProperties, …) with LF_ERR_UNSUPPORTED, the keyword and where it stands; a schema
 *     that nothing can satisfy with LF_ERR_ARG; nested deeper than 64 with LF_ERR_LIMIT.
 *
 * Source: JSON Schema, draft 2020-12, json-schema.org/draft/2020-12.
 */
#ifndef LF_INFER_SCHEMA_H
#define LF_INFER_SCHEMA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append the grammar (GBNF, see grammar.h) to `out`. */
LF_MUST_CHECK lf_status lf_schema_to_gbnf(const json_t *schema, lf_buf *out, lf_err *err);

/* Append the rules s0, s1, … of n schemas, and those that they name (r0, r1, … and the words
 * of schema.c), for a grammar whose root the caller writes.  *bad is the schema that failed. */
LF_MUST_CHECK lf_status lf_schemas_to_gbnf(const json_t *const *schemas, size_t n, lf_buf *out,
                                           size_t *bad, lf_err *err);

/* Append "text" as GBNF writes a literal. */
void lf_gbnf_literal(const char *text, lf_buf *out);

/* A regular expression as the content of a JSON string: the body of a GBNF rule that may
 * name `char`.  Without ^ or $ anything may stand before or after.  Literals, ., classes,
 * \d \w \s \n \t …, groups, | and * + ? {m,n} are supported. */
LF_MUST_CHECK lf_status lf_pattern_to_gbnf(const char *pattern, lf_buf *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* base/yaml.h - YAML text (settings, catalogues) into a JSON value.
 *
 * The subset that a person writes: maps with string keys, lists, scalars.  A
 * plain scalar becomes null, true/false, an integer or a real by the YAML 1.2
 * core schema, otherwise a string; a quoted or block scalar is a string.
 * Anchors, aliases, tags, several documents in one text, duplicate keys, NUL
 * characters and nesting deeper than 32 are refused: LF_ERR_FORMAT with `what`,
 * line and column.  An empty text is an empty object.
 *
 * Ownership  *out and *lines are new references (json_decref).
 * Threads    Any thread.
 */
#ifndef LF_BASE_YAML_H
#define LF_BASE_YAML_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `lines` may be NULL; else it becomes an object from the dotted path of each
 * value ("serve.port", "models.0.id") to its line, counted from 1. */
LF_MUST_CHECK lf_status lf_yaml_parse(const char *text, size_t n_bytes, const char *what,
                                      json_t **out, json_t **lines, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

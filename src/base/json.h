/* base/json.h - small helpers over Jansson, the JSON library of the project.
 *
 * Code that reads or writes JSON includes this header and uses Jansson's own
 * API.  Ownership follows Jansson: a new reference is released by json_decref,
 * "borrowed" below means a borrowed reference.
 */
#ifndef LF_BASE_JSON_H
#define LF_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parse text (NUL bytes and duplicate keys are refused) into a new reference;
 * `what` names the source in the error, which has line and column. */
LF_MUST_CHECK lf_status lf_json_parse(const char *text, size_t n_bytes, const char *what,
                                      json_t **out, lf_err *err);

/* Fetch a member with its type checked.  A missing key gives the default (for
 * get_*) or LF_ERR_ARG naming the key (for need_*).  Strings are borrowed. */
LF_MUST_CHECK lf_status lf_json_need_str(const json_t *o, const char *key, const char **out,
                                         lf_err *err);
LF_MUST_CHECK lf_status lf_json_get_str(const json_t *o, const char *key, const char *def,
                                        const char **out, lf_err *err);
LF_MUST_CHECK lf_status lf_json_get_int(const json_t *o, const char *key, int64_t def, int64_t min,
                                        int64_t max, int64_t *out, lf_err *err);
LF_MUST_CHECK lf_status lf_json_get_num(const json_t *o, const char *key, double def, double min,
                                        double max, double *out, lf_err *err);
LF_MUST_CHECK lf_status lf_json_get_bool(const json_t *o, const char *key, bool def, bool *out,
                                         lf_err *err);

/* A JSON string from bytes that may hold invalid UTF-8 (each bad byte becomes U+FFFD). */
json_t *lf_json_text(const char *p, size_t n_bytes);

/* Compact text, object order kept, non-ASCII as UTF-8, reals with 9 digits; appended. */
void lf_json_dump(const json_t *v, lf_buf *out);

#ifdef __cplusplus
}
#endif
#endif

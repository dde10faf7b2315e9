/* serve/fields.h - read the members of a request's JSON object.
 *
 * Sticky: the first wrong member is kept, with its name for the answer's `param`;
 * what is read after it gives defaults.  Check `st` once at the end.
 * Strings are borrowed from the object.
 */
#ifndef LF_SERVE_FIELDS_H
#define LF_SERVE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

typedef struct lf_fields {
    const json_t *o;
    lf_status st;
    char param[64]; /* the member that is wrong, "" = none in particular */
    lf_err *err;
} lf_fields;

/* Parse a body that must be one JSON object, which the caller releases. */
LF_MUST_CHECK lf_status lf_fields_parse(lf_str body, json_t **root, lf_err *err);

const char *lf_fields_str(lf_fields *f, const char *key, const char *def);
const char *lf_fields_need_str(lf_fields *f, const char *key); /* "" after a failure */
int64_t lf_fields_int(lf_fields *f, const char *key, int64_t def, int64_t min, int64_t max);
double lf_fields_num(lf_fields *f, const char *key, double def, double min, double max);
bool lf_fields_bool(lf_fields *f, const char *key, bool def);
/* A member that is an array of at most n_max entries; NULL when absent or null. */
const json_t *lf_fields_array(lf_fields *f, const char *key, size_t n_max);
bool lf_fields_has(const lf_fields *f, const char *key); /* present and not null */

/* Refuse members that are not in the list (NULL-terminated). */
void lf_fields_only(lf_fields *f, const char *const *known);
lf_status lf_fields_fail(lf_fields *f, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif

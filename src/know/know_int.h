/* know/know_int.h - the open knowledge, shared by know's own files. */
#ifndef LF_KNOW_KNOW_INT_H
#define LF_KNOW_KNOW_INT_H

#include <pthread.h>

#include "know/know.h"
#include "store/state.h"
#include "text/terms.h"

enum { LF_KNOW_ANALYZERS = 8 };

struct lf_know {
    lf_state *state;
    char *cache_path; /* cache/in.lfdb beside the state file */
    bool has_embedder;
    lf_embedder embedder;
    pthread_mutex_t lock; /* guards what follows; not held over I/O but opening the cache */
    lf_state *cache;      /* NULL before the first lf_know_take_in */
    lf_analyzer *idle[LF_KNOW_ANALYZERS];
    size_t n_idle;
};

/* Documents taken in by lf_know_take_in live in the cache; their ids begin with a
 * digit of 8 or above, those of the state file with one below (lf_know_is_cached).
 * This is the file that holds the document, opened when needed. */
LF_MUST_CHECK lf_status lf_know_store_of(lf_know *k, const char *doc_id, lf_state **out,
                                         lf_err *err);
LF_MUST_CHECK lf_status lf_know_cache(lf_know *k, lf_state **out, lf_err *err);

/* An analyzer of the pool, for one thread until it is given back. */
LF_MUST_CHECK lf_status lf_know_analyzer_take(lf_know *k, lf_analyzer **out, lf_err *err);
void lf_know_analyzer_give(lf_know *k, lf_analyzer *a); /* NULL is a no-op */

/* LF_ERR_ARG unless it may name a collection. */
LF_MUST_CHECK lf_status lf_know_check_name(const char *name, lf_err *err);

/* Where a document goes. */
typedef struct lf_ingest_target {
    lf_state *state;
    bool cached; /* in the cache: the id is by content, the file's bytes are not kept */
    const char *collection;
    const lf_add_opts *opts; /* progress and cancel */
} lf_ingest_target;

/* Take in one file under a source name.  `r` says how it went; the status is for
 * what stops the whole. */
LF_MUST_CHECK lf_status lf_ingest_file(lf_know *k, const lf_scope *s, const lf_ingest_target *t,
                                       const char *path, const char *source, lf_add_result *r,
                                       lf_err *err);

/* A walk over a path that ingests each readable file and reports it. */
LF_MUST_CHECK lf_status lf_ingest_path(lf_know *k, const lf_scope *s, const lf_ingest_target *t,
                                       const char *path, const char *source_name, lf_add_fn *fn,
                                       void *ud, lf_err *err);

#endif

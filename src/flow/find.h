/* flow/find.h - passages for a question, also where it is in other words than the documents.
 *
 * The question is searched as it stands.  Where no passage has a fair share of its
 * words, because it is in another language or in the asker's own words, the model puts
 * it into the language of the passages found or into words of writing, and these are
 * searched.  (Measured: docs/benchmarks.md, "Retrieval".  Query rewriting: Ma et al.
 * 2023, arXiv:2305.14283; the same for translation, as in cross-language retrieval.)
 *
 * Ownership  lf_found owns what is in it: lf_found_release.
 * Threads    Any thread.
 * Errors     those of lf_know_search; LF_ERR_CANCELLED.  A model that cannot be had (not
 *            there, no room for it) is no error: then the question stands as it is.
 */
#ifndef LF_FLOW_FIND_H
#define LF_FLOW_FIND_H

#include <stdbool.h>

#include "base/atomic.h"
#include "know/know.h"
#include "provider/provider.h"

typedef struct lf_find_opts {
    lf_search_opts search;
    bool no_llm;       /* search the question as it stands alone */
    const char *model; /* NULL = "default" */
    atomic_bool *cancel;
} lf_find_opts;

typedef struct lf_found {
    lf_passages passages;
    char *reworded;  /* what was searched instead; NULL = the question as it stands */
    bool translated; /* `reworded` is the question in the documents' language, whole */
} lf_found;
void lf_found_release(lf_found *f); /* safe on a zeroed struct */

/* {"passages": [...], "reworded"} (new reference; NULL = no memory). */
json_t *lf_found_json(const lf_found *f);

LF_MUST_CHECK lf_status lf_find(lf_know *know, lf_provider *provider, const lf_scope *scope,
                                const char *question, const lf_find_opts *o, lf_found *out,
                                lf_err *err);

#endif

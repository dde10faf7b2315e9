/* store/search.h - one search: scores of every chunk that a scope lets be seen.
 *
 * A view is one moment's state of the file, with the scope and the filter applied
 * to it: both scans pass over what is not allowed, nothing is filtered afterwards.
 * Chunks have dense numbers [0, n) within a view.
 *
 * Vectors and chunk lengths are kept in memory from the first search on, shared by
 * all views, and brought up to date document by document when the file changes.
 *
 * Ownership  lf_view_open creates, lf_view_close releases.
 * Threads    A view belongs to one thread at a time; views of one state run side
 *            by side.
 * Errors     as in state.h
 */
#ifndef LF_STORE_SEARCH_H
#define LF_STORE_SEARCH_H

#include "store/state.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_view lf_view;

typedef struct lf_filter {
    const char *collection;     /* NULL = every one in the scope */
    const char *const *doc_ids; /* these alone; n_doc_ids 0 = no restriction */
    size_t n_doc_ids;
} lf_filter;

/* `model` names the vectors to use; NULL = none.  Documents whose vectors are of
 * another model have none here. */
LF_MUST_CHECK lf_status lf_view_open(lf_state *s, const lf_scope *scope, const lf_filter *f,
                                     const char *model, lf_view **out, lf_err *err);
void lf_view_close(lf_view *v); /* NULL is a no-op */

/* Is there such a collection, and may it be seen? */
bool lf_view_knows(const lf_view *v, const lf_scope *scope, const char *collection);

size_t lf_view_n_chunks(const lf_view *v); /* allowed or not: the length of score arrays */
size_t lf_view_n_allowed(const lf_view *v);
bool lf_view_allows(const lf_view *v, size_t chunk);
/* Number of the chunk's document in the view, and the run of its chunks. */
size_t lf_view_doc_of(const lf_view *v, size_t chunk, size_t *first, size_t *n);
const char *lf_view_doc_id(const lf_view *v, size_t doc); /* borrowed from the view */

typedef struct lf_query_term {
    uint64_t id;
    float weight; /* in */
    float idf;    /* out: ln(1 + (N - df + 0.5) / (df + 0.5)) over the allowed chunks */
    uint32_t df;  /* out */
} lf_query_term;

typedef struct lf_bm25 {
    float k1, b;
} lf_bm25;

/* BM25, summed over the terms into score[n_chunks] (zeroed here first):
 *     weight * idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * len / mean len))
 * Statistics are those of the allowed chunks: no score tells of others. */
LF_MUST_CHECK lf_status lf_view_scan_terms(lf_view *v, lf_query_term *terms, size_t n, lf_bm25 p,
                                           float *score, lf_err *err);
float lf_view_mean_len(const lf_view *v); /* terms per allowed chunk */

/* The allowed documents: how many, and a number that names their set (each by its id,
 * content and settings, in any order).  Equal sets give equal numbers. */
uint64_t lf_view_documents(const lf_view *v, size_t *n);

/* Cosine of q f32[dim] (unit length) with the best of each chunk's vectors into
 * cosine[n_chunks]; -2 where the chunk is not allowed or has no vector.  Above some
 * 65,000 vectors cosines are near the true ones only (lf_view_is_exact), and chunks far
 * from the question get that of their mean vector; `hint` (scores by words, or NULL)
 * names others that are to get their best vector's. */
LF_MUST_CHECK lf_status lf_view_scan_vectors(const lf_view *v, const float *q, int32_t dim,
                                             const float *hint, float *cosine, lf_err *err);

/* Does lf_view_scan_vectors give the cosines of the vectors as they are stored? */
bool lf_view_is_exact(const lf_view *v);
/* The cosine with the best vector as stored, for the chunks named, from the file. */
LF_MUST_CHECK lf_status lf_view_exact_vectors(lf_view *v, const float *q, int32_t dim,
                                              const uint32_t *chunks, size_t n, float *cosine,
                                              lf_err *err);

typedef struct lf_view_chunk {
    uint32_t start, end, byte_start, byte_end;
    int32_t page, section;
    char *heading; /* owned: lf_free */
} lf_view_chunk;
LF_MUST_CHECK lf_status lf_view_chunk_get(lf_view *v, size_t chunk, lf_view_chunk *out,
                                          lf_err *err);

/* Source name of a document (owned: lf_free). */
LF_MUST_CHECK lf_status lf_view_source(lf_view *v, size_t doc, char **out, lf_err *err);

/* Bytes [byte_start, byte_end) of a document's text, appended. */
LF_MUST_CHECK lf_status lf_view_slice(lf_view *v, size_t doc, uint32_t byte_start,
                                      uint32_t byte_end, lf_buf *out, lf_err *err);

/* Union of the boxes of the lines on `page` that the span touches; all zero when none. */
LF_MUST_CHECK lf_status lf_view_box(lf_view *v, size_t doc, uint32_t start, uint32_t end,
                                    int32_t page, lf_row_box *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* know/know.h - collections: take in files, find passages.
 *
 * Ownership  lf_know_open creates over a state file; passages and results own
 *            their memory and are released by the functions named below.
 * Threads    Calls from any thread; writers queue.
 * Errors     LF_ERR_NOT_FOUND, LF_ERR_FORMAT (the file), LF_ERR_IO (disk full:
 *            nothing is half written), LF_ERR_LIMIT.
 * Units      Spans are code points of the document's extracted text; boxes are
 *            points from the visible page's top left; pages count from 1.
 */
#ifndef LF_KNOW_KNOW_H
#define LF_KNOW_KNOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "base/err.h"
#include "doc/doc.h"
#include "store/runs.h"
#include "store/scope.h"

/* What know needs from above: vectors.  Implemented over infer by provider. */
typedef struct lf_embedder {
    int32_t dim;
    const char *model_hash; /* names the vectors; a change means embedding again */
    lf_status (*embed)(void *ud, const lf_str *texts, size_t n, bool is_query, float *out,
                       lf_err *err); /* out f32[n, dim], unit length */
    void *ud;
} lf_embedder;

typedef struct lf_know lf_know;

/* `embedder` may be NULL: then search is lexical alone and ingest stores no vectors. */
LF_MUST_CHECK lf_status lf_know_open(const char *state_path, const lf_embedder *embedder,
                                     lf_know **out, lf_err *err);
void lf_know_close(lf_know *k);

typedef struct lf_passage {
    char *doc_id;
    char *source;
    char *heading; /* heading path, " > " between levels; "" when none */
    char *text;    /* exactly [start, end) of the document's text */
    uint32_t start, end;
    int32_t page; /* 0 = no pages */
    lf_box box;
    double score;   /* fused, higher is better */
    double lexical; /* BM25 of this passage, 0 when the scan did not meet it */
    double vector;  /* cosine, 0 when there are no vectors */
} lf_passage;

typedef struct lf_passages {
    lf_passage *v;
    size_t n;
    double word_share; /* of the question's words, by weight: the most that one passage of all
                        * that were searched has, 0..1; 0 by vectors alone */
} lf_passages;
void lf_passages_release(lf_passages *p);

typedef struct lf_add_result {
    char doc_id[33];
    enum { LF_ADD_READY, LF_ADD_UNCHANGED, LF_ADD_FAILED } state;
    lf_err err; /* why it failed */
    size_t n_pages, n_chunks;
    int64_t parse_us, chunk_us, embed_us, index_us;
} lf_add_result;

/* Called after each document's commit (its acknowledgement); false stops. */
typedef bool lf_add_fn(void *ud, const char *source, const lf_add_result *r);
/* Progress inside a document: stage is "parse", "embed" or "index". */
typedef void lf_progress_fn(void *ud, const char *source, const char *stage, size_t done,
                            size_t total);

typedef struct lf_add_opts {
    const char *collection;  /* NULL = "default" */
    const char *source_name; /* for one file: shown in place of the path (uploads); NULL = path */
    lf_add_fn *on_doc;
    lf_progress_fn *on_progress;
    void *ud;
    atomic_bool *cancel;
} lf_add_opts;

/* Take in a file, or every readable file below a folder (sources relative to
 * it).  A document that fails is reported by on_doc and does not fail the call;
 * the status is for what stops the whole (disk full, cancelled, no such path). */
LF_MUST_CHECK lf_status lf_know_add(lf_know *k, const lf_scope *s, const char *path,
                                    const lf_add_opts *o, lf_err *err);

typedef struct lf_doc_row {
    char *doc_id, *source, *collection, *hash, *format;
    size_t n_pages, n_chunks, n_chars;
    int64_t added_unix_ms;
    char *settings; /* what else shaped its passages: a change means they may differ */
} lf_doc_row;
LF_MUST_CHECK lf_status lf_know_list(lf_know *k, const lf_scope *s, const char *collection,
                                     lf_doc_row **out, size_t *n, lf_err *err);
void lf_doc_rows_free(lf_doc_row *rows, size_t n);
LF_MUST_CHECK lf_status lf_know_remove(lf_know *k, const lf_scope *s, const char *doc_id,
                                       lf_err *err);

/* Collections: a name of 1 to 64 characters (no control characters, no '/').
 * "default" always exists.  Adding a document to an unknown collection makes it. */
typedef struct lf_collection_row {
    char *name;
    size_t n_docs, n_chunks;
} lf_collection_row;
LF_MUST_CHECK lf_status lf_know_collections(lf_know *k, const lf_scope *s, lf_collection_row **out,
                                            size_t *n, lf_err *err);
void lf_collection_rows_free(lf_collection_row *rows, size_t n);
/* LF_ERR_BUSY: it exists already; LF_ERR_ARG: not a name. */
LF_MUST_CHECK lf_status lf_know_collection_create(lf_know *k, const lf_scope *s, const char *name,
                                                  lf_err *err);
/* With all its documents, in one transaction; "default" is emptied and stays. */
LF_MUST_CHECK lf_status lf_know_collection_remove(lf_know *k, const lf_scope *s, const char *name,
                                                  lf_err *err);

/* The stored document: extracted text, blocks, lines, pages (lf_doc_close). */
LF_MUST_CHECK lf_status lf_know_doc(lf_know *k, const lf_scope *s, const char *doc_id, lf_doc **out,
                                    lf_err *err);
/* The row of one document, also of one that lf_know_take_in read
 * (lf_doc_row_release); LF_ERR_NOT_FOUND when it is not in the scope (any more). */
LF_MUST_CHECK lf_status lf_know_find(lf_know *k, const lf_scope *s, const char *doc_id,
                                     lf_doc_row *out, lf_err *err);
void lf_doc_row_release(lf_doc_row *row);
/* Was the document read by lf_know_take_in?  Its id says so. */
bool lf_know_is_cached(const char *doc_id);
/* Code points [start, end) of the document's text, appended; LF_ERR_NOT_FOUND also
 * where the text ends before. */
LF_MUST_CHECK lf_status lf_know_span(lf_know *k, const lf_scope *s, const char *doc_id,
                                     uint32_t start, uint32_t end, lf_buf *out, lf_err *err);
/* The original bytes, kept in the state file, for showing a page. */
LF_MUST_CHECK lf_status lf_know_original(lf_know *k, const lf_scope *s, const char *doc_id,
                                         lf_buf *out, lf_err *err);

typedef enum lf_search_mode {
    LF_SEARCH_HYBRID,
    LF_SEARCH_LEXICAL,
    LF_SEARCH_VECTOR
} lf_search_mode;

typedef struct lf_search_opts {
    const char *collection;     /* NULL = "default" */
    const char *const *doc_ids; /* restrict to these; n_doc_ids 0 = no restriction */
    size_t n_doc_ids;
    int32_t k; /* most passages; 0 = 8 */
    lf_search_mode mode;
} lf_search_opts;

/* LF_ERR_NOT_FOUND: there is no such collection. */
LF_MUST_CHECK lf_status lf_know_search(lf_know *k, const lf_scope *s, const char *query,
                                       const lf_search_opts *o, lf_passages *out, lf_err *err);

/* What a search with these options looks through: how many documents, and a number
 * that names their set: each document's id, content and settings. */
LF_MUST_CHECK lf_status lf_know_documents(lf_know *k, const lf_scope *s, const lf_search_opts *o,
                                          size_t *n, uint64_t *set, lf_err *err);

/* What --in names: parse and embed what the cache does not hold yet, and give
 * the documents' ids for lf_search_opts.doc_ids.  Kept in a store of its own
 * (cache/in.lfdb) by the hashes of content, parser and model. */
typedef struct lf_doc_set {
    char **doc_ids;
    size_t n;
    size_t n_failed;
} lf_doc_set;
LF_MUST_CHECK lf_status lf_know_take_in(lf_know *k, const lf_scope *s, const char *const *paths,
                                        size_t n_paths, const lf_add_opts *o, lf_doc_set *out,
                                        lf_err *err);
void lf_doc_set_release(lf_doc_set *s);

/* ---- runs ---- */

/* What replays an answer, kept in the state file: store/runs.h says what a row holds and
 * when its texts are erased. */
LF_MUST_CHECK lf_status lf_know_put_run(lf_know *k, const lf_scope *s, const char *id,
                                        const char *record, const char *texts,
                                        const char *const *doc_ids, size_t n_doc_ids, lf_err *err);
/* By the id or its first digits (4 at least).  LF_ERR_NOT_FOUND also when another
 * person made it; LF_ERR_ARG for what names no run, or several. */
LF_MUST_CHECK lf_status lf_know_get_run(lf_know *k, const lf_scope *s, const char *id,
                                        lf_run_row *out, lf_err *err);
/* The newest first. */
LF_MUST_CHECK lf_status lf_know_runs(lf_know *k, const lf_scope *s, size_t n_max, lf_run_row **out,
                                     size_t *n, lf_err *err);
#endif

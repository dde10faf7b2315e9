/* store/state.h - the one state file: documents, their text, layout, vectors and index.
 *
 * A SQLite database in WAL mode.  Every write is one transaction that is on the
 * disk when the call returns; killed at any moment the file opens again with all
 * that was acknowledged.
 *
 * Ownership  lf_state_open creates, lf_state_close releases; rows and buffers
 *            that reads fill belong to the caller.
 * Threads    Any thread: one writer at a time, readers beside it.  Several
 *            processes may use one file.
 * Errors     LF_ERR_CORRUPT damaged, LF_ERR_UNSUPPORTED written by a newer version,
 *            LF_ERR_FORMAT not a state file (none of these is ever modified);
 *            LF_ERR_IO disk full and the like: nothing is half written;
 *            LF_ERR_BUSY another process writes for too long; LF_ERR_NOMEM.
 * Scope      Every read takes one, and sees nothing outside of it.
 */
#ifndef LF_STORE_STATE_H
#define LF_STORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/scope.h"
#include "text/terms.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_state lf_state;

enum { LF_STATE_VERSION = 2, LF_DOC_ID = 33 /* 32 hexadecimal digits and NUL */ };

/* Open, or create with its folders.  Folders and file are readable by the owner alone. */
LF_MUST_CHECK lf_status lf_state_open(const char *path, lf_state **out, lf_err *err);
void lf_state_close(lf_state *s); /* NULL is a no-op; no call may be under way */
const char *lf_state_path(const lf_state *s);

/* Read every page and every index: LF_ERR_CORRUPT with the first finding. */
LF_MUST_CHECK lf_status lf_state_check(lf_state *s, lf_err *err);

/* ---- documents ---- */

typedef struct lf_row_box {
    float x0, y0, x1, y1;
} lf_row_box;

typedef struct lf_row_cell {
    int32_t row, col, n_rows, n_cols;
    uint32_t start, end;
    lf_row_box box;
} lf_row_cell;

typedef struct lf_row_block {
    int32_t type, level, page;
    lf_row_box box;
    uint32_t start, end;
    const lf_row_cell *cells;
    size_t n_cells;
} lf_row_block;

typedef struct lf_row_line {
    uint32_t start, end;
    int32_t page;
    lf_row_box box;
} lf_row_line;

typedef struct lf_row_page {
    float width, height;
    bool scanned;
} lf_row_page;

typedef struct lf_row_chunk {
    uint32_t start, end;           /* code points */
    uint32_t byte_start, byte_end; /* the same in bytes */
    int32_t page;
    int32_t section;     /* number of its section in the document */
    const char *heading; /* heading path; "" when none */
    uint16_t n_vectors;  /* a chunk is embedded in parts: how many */
} lf_row_chunk;

/* Terms of chunk i for the full-text index, appended to `out`. */
typedef lf_status lf_chunk_terms_fn(void *ud, size_t i, lf_terms *out, lf_err *err);

typedef struct lf_doc_put {
    const char *doc_id; /* replaces the document of this id, if there is one */
    const char *collection, *source;
    const char *hash;     /* of the content */
    const char *settings; /* of everything else that shaped the rows */
    const char *format, *warning;
    const void *original; /* NULL = the file's bytes are not kept */
    size_t n_original;
    const char *text;
    size_t n_bytes, n_chars;
    const lf_row_block *blocks;
    size_t n_blocks;
    const lf_row_line *lines;
    size_t n_lines;
    const lf_row_page *pages;
    size_t n_pages;
    const lf_row_chunk *chunks;
    size_t n_chunks;
    const uint16_t *vectors;       /* f16[n_vectors, dim], unit length; NULL = none */
    const uint64_t *vector_hashes; /* of what each stands for: equal hash, equal vector */
    size_t n_vectors;              /* the sum of the chunks' */
    int32_t dim;
    const char *model; /* names the vectors */
    lf_chunk_terms_fn *terms;
    void *terms_ud;
} lf_doc_put;

/* One transaction: all of the document or nothing.
 *   LF_ERR_DENIED  the scope does not reach the collection */
LF_MUST_CHECK lf_status lf_state_put(lf_state *s, const lf_scope *scope, const lf_doc_put *d,
                                     lf_err *err);
LF_MUST_CHECK lf_status lf_state_remove(lf_state *s, const lf_scope *scope, const char *doc_id,
                                        lf_err *err);

typedef struct lf_state_doc {
    int64_t id; /* row number, never used again */
    char doc_id[LF_DOC_ID];
    char *collection, *source, *hash, *settings, *format, *warning; /* owned */
    size_t n_bytes, n_chars, n_pages, n_chunks;
    int64_t added_unix_ms;
} lf_state_doc;
void lf_state_doc_release(lf_state_doc *d);
void lf_state_docs_free(lf_state_doc *d, size_t n);

/* LF_ERR_NOT_FOUND when there is none in the scope. */
LF_MUST_CHECK lf_status lf_state_find(lf_state *s, const lf_scope *scope, const char *doc_id,
                                      lf_state_doc *out, lf_err *err);
/* All of a collection (NULL = of every one), by source. */
LF_MUST_CHECK lf_status lf_state_list(lf_state *s, const lf_scope *scope, const char *collection,
                                      lf_state_doc **out, size_t *n, lf_err *err);

LF_MUST_CHECK lf_status lf_state_original(lf_state *s, const lf_scope *scope, const char *doc_id,
                                          lf_buf *out, lf_err *err);
LF_MUST_CHECK lf_status lf_state_text(lf_state *s, const lf_scope *scope, const char *doc_id,
                                      lf_buf *out, lf_err *err);

typedef struct lf_layout {
    lf_row_block *blocks;
    size_t n_blocks;
    lf_row_line *lines;
    size_t n_lines;
    lf_row_page *pages;
    size_t n_pages;
} lf_layout;
void lf_layout_release(lf_layout *l);
LF_MUST_CHECK lf_status lf_state_layout(lf_state *s, const lf_scope *scope, const char *doc_id,
                                        lf_layout *out, lf_err *err);

/* Vectors that this document, or another with the same content, already has under
 * `model`: found[i] says whether hashes[i] was met and row i of `vectors` written. */
LF_MUST_CHECK lf_status lf_state_known_vectors(lf_state *s, const lf_scope *scope,
                                               const char *doc_id, const char *content_hash,
                                               const char *model, int32_t dim,
                                               const uint64_t *hashes, size_t n, uint16_t *vectors,
                                               bool *found, lf_err *err);

/* ---- collections ---- */

typedef struct lf_state_collection {
    char *name; /* owned */
    size_t n_docs, n_chunks;
} lf_state_collection;
void lf_state_collections_free(lf_state_collection *v, size_t n);
LF_MUST_CHECK lf_status lf_state_collections(lf_state *s, const lf_scope *scope,
                                             lf_state_collection **out, size_t *n, lf_err *err);
/* LF_ERR_BUSY when it exists. */
LF_MUST_CHECK lf_status lf_state_collection_create(lf_state *s, const lf_scope *scope,
                                                   const char *name, lf_err *err);
/* Its documents, and itself unless `keep_row`, in one transaction. */
LF_MUST_CHECK lf_status lf_state_collection_remove(lf_state *s, const lf_scope *scope,
                                                   const char *name, bool keep_row, lf_err *err);

/* ---- use and limits of a cache ---- */

/* Note that these documents were used now. */
LF_MUST_CHECK lf_status lf_state_touch(lf_state *s, const char *const *doc_ids, size_t n,
                                       lf_err *err);
/* Remove the documents used longest ago until all texts and vectors fit in the
 * limit; those in `keep` stay. */
LF_MUST_CHECK lf_status lf_state_trim(lf_state *s, uint64_t max_bytes, const char *const *keep,
                                      size_t n_keep, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

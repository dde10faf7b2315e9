/* store/snapshot_int.h - what searches keep in memory of a state file.
 *
 * A snapshot belongs to one generation of the file and is immutable; documents
 * that did not change are shared between snapshots.
 */
#ifndef LF_STORE_SNAPSHOT_INT_H
#define LF_STORE_SNAPSHOT_INT_H

#include <stdatomic.h>

#include "store/state_int.h"

/* Up to so many vectors in the file are kept as they are; beyond, all of them as Q4_0,
 * which takes 28 % of the memory, and searches look at the stored ones of the best. */
enum { LF_SNAP_EXACT_MAX = 65536 };

typedef struct lf_snap_doc {
    atomic_int refs;
    int64_t id;   /* row number: never used again, so that it names the content */
    uint64_t key; /* of doc_id, content and settings: the same when taken in again */
    char doc_id[LF_DOC_ID];
    int64_t collection;
    uint32_t first_chunk, n_chunks;
    uint64_t total_len; /* sum of lens */
    uint16_t *lens;
    int32_t dim;            /* 0 = it has no vectors under the model */
    uint32_t *first_vector; /* [n_chunks + 1]: where each chunk's begin; NULL without */
    uint16_t *vectors;      /* f16[n_vectors, dim], or NULL and in their place: */
    uint8_t *packed;        /* Q4_0 rows of lf_snap_row_bytes(dim), [n_vectors] */
    uint8_t *means;         /* the same, [n_chunks]: of each chunk's vectors, unit length */
} lf_snap_doc;

typedef struct lf_snap_collection {
    int64_t id;
    char *name;
} lf_snap_collection;

typedef struct lf_snapshot {
    atomic_int refs;
    int64_t generation;
    char *model;        /* "" = loaded without vectors */
    uint64_t n_vectors; /* of all documents */
    bool is_packed;     /* n_vectors is above LF_SNAP_EXACT_MAX */
    lf_snap_doc **docs; /* by first chunk */
    size_t n_docs;
    uint32_t *first; /* [n_docs + 1]: dense number of each document's first chunk */
    size_t n_chunks;
    uint32_t *doc_of;   /* [n_chunks] */
    uint16_t *lens;     /* [n_chunks]: terms in each */
    uint32_t base;      /* lowest chunk id */
    uint32_t *dense_of; /* [n_ids]: dense number of chunk id base + i, or UINT32_MAX */
    size_t n_ids;
    uint32_t *by_doc_id; /* documents sorted by doc_id */
    int64_t *segments;
    size_t n_segments;
    lf_snap_collection *collections;
    size_t n_collections;
} lf_snapshot;

/* Values of a packed row, padded with zeros to whole blocks; and its bytes. */
static inline size_t lf_snap_row_values(int32_t dim)
{
    return ((size_t)dim + 31) / 32 * 32;
}
static inline size_t lf_snap_row_bytes(int32_t dim)
{
    return lf_snap_row_values(dim) / 32 * 18;
}

/* The snapshot of the generation that `db` sees, from the state's cache or built. */
LF_MUST_CHECK lf_status lf_snapshot_get(lf_state *s, lf_db *db, const char *model,
                                        lf_snapshot **out, lf_err *err);
void lf_snapshot_unref(lf_snapshot *s); /* NULL is a no-op */

#endif

/* store/postings_int.h - the inverted index inside the state file.
 *
 * For each term the chunks that hold it, with how often.  All calls run inside
 * the caller's transaction, so that a document and its index are one change.
 */
#ifndef LF_STORE_POSTINGS_INT_H
#define LF_STORE_POSTINGS_INT_H

#include "store/db_int.h"
#include "store/state.h"

typedef struct lf_posting {
    uint32_t chunk, count;
} lf_posting;

/* Index the chunks [first_chunk, first_chunk + n) of a document as new segments;
 * lens[i] gets the number of terms of chunk i (at most 65535 is told). */
LF_MUST_CHECK lf_status lf_postings_add(lf_db *db, int64_t doc, int64_t first_chunk, size_t n,
                                        lf_chunk_terms_fn *fn, void *ud, uint16_t *lens,
                                        lf_err *err);

/* Drop the segments that hold this document alone; elsewhere its postings are
 * passed over until a merge leaves them out. */
LF_MUST_CHECK lf_status lf_postings_remove(lf_db *db, int64_t doc, lf_err *err);

/* Merge one group of segments of like size, if there is one: *did. */
LF_MUST_CHECK lf_status lf_postings_merge(lf_db *db, bool *did, lf_err *err);

/* The list of a term in a segment; *p is borrowed until the next call on `db` and
 * NULL when the segment does not have the term. */
LF_MUST_CHECK lf_status lf_postings_find(lf_db *db, int64_t segment, uint64_t term,
                                         const uint8_t **p, size_t *n_bytes, lf_err *err);

/* Step through a list: false at its end (or at damage, which *bad tells). */
typedef struct lf_posting_iter {
    const uint8_t *p, *end;
    uint64_t chunk;
    bool bad;
} lf_posting_iter;
bool lf_posting_next(lf_posting_iter *it, lf_posting *out);

/* A whole list at once, chunk ids turned into dense numbers by `dense_of` (whose first
 * entry stands for id `base`; UINT32_MAX = not there) and those without left out.
 * `out` has room for n_bytes postings.  Returns how many; *bad tells of damage. */
size_t lf_postings_decode(const uint8_t *p, size_t n_bytes, uint32_t base, const uint32_t *dense_of,
                          size_t n_ids, lf_posting *out, bool *bad);

#endif

/* infer/kv_pool.h - the blocks of keys and values of a model's sequences: shared, promised, kept.
 *
 * A block holds LF_KV_BLOCK positions of every layer.  All blocks stand in one tree:
 * the path to a block spells the tokens before it, so that two sequences that begin
 * alike share the blocks they have in common, and finding them compares the tokens, not
 * hashes of them.  A sequence is a path; its end is its own, and what lies before is shared
 * and never written again.
 *
 *     lf_kv_seq_open      takes the longest path that spells the prompt, by reference, and
 *                         copies the part of one more block that agrees (copy on write)
 *     lf_kv_seq_follow    takes blocks that another sequence has finished meanwhile
 *     lf_kv_seq_reserve   blocks to store the next rows in
 *     lf_kv_seq_advance   of the stored rows the first n count; the rest are forgotten
 *     lf_kv_seq_close     the path stays in the tree, and goes from its end when room is needed
 *
 * Keys       Blocks are found only by sequences with the same key: what one asker's
 *            prompt left can't be seen, not even by its speed, with another's rights.
 *            The key is 64 bits, compared as they are.  The engine folds a request's
 *            adapters into it by a hash (lf_adapter_mix_key): that two mixes never share
 *            a block is as sure as that hash is free of collisions, one in 2^64 for a pair
 *            taken at random, and not proof against adapters made to collide.
 * Budget     Pools share a budget in bytes.  Opening promises a sequence all that it can
 *            come to need: blocks free or unused for long are kept in hand for it, so that
 *            a sequence that was opened never waits and never fails.
 * Memory     lf_kv_seq_open and the pool's opening allocate, nothing else does.  Blocks
 *            that were never written take address space alone.
 * Ownership  A sequence belongs to the caller, who closes it before its pool.
 * Threads    One thread at a time for all pools of a budget.
 * Source     Blocks and their table: Kwon et al. 2023, arXiv:2309.06180 (PagedAttention);
 *            the tree: Zheng et al. 2023, arXiv:2312.07104 (RadixAttention).
 */
#ifndef LF_INFER_KV_POOL_H
#define LF_INFER_KV_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/attention.h"

typedef struct lf_kv_pool lf_kv_pool;
typedef struct lf_kv_block lf_kv_block;

/* What the pools of a process may take together; zeroed but for the limit. */
typedef struct lf_kv_budget {
    uint64_t limit_bytes, used_bytes; /* used: blocks in hand, shared, kept or free */
    uint64_t clock;                   /* counts uses, for the oldest first */
    lf_kv_pool *pools;
    size_t n_seqs; /* open sequences */
} lf_kv_budget;

typedef struct lf_kv_seq {
    lf_kv_pool *pool;     /* NULL: not open */
    int32_t *tokens;      /* [cap]: of the positions that count, in order */
    size_t n, cap;        /* positions that count, and the most that may come */
    uint8_t **data;       /* block table for lf_segment */
    lf_kv_block **blocks; /* the same blocks, held */
    size_t n_blocks;
    size_t n_promised; /* blocks that may still be taken */
    uint64_t key;
    bool alone;
} lf_kv_seq;

typedef struct lf_kv_want {
    uint64_t key;
    const int32_t *prompt; /* what may be found of it: all but the last token, whose scores are */
    size_t n_prompt;       /* wanted; at least 1 */
    size_t cap;            /* most positions, n_prompt or more */
    bool alone;            /* share nothing, leave nothing */
} lf_kv_want;

/* Change the limit.  What is kept beyond it goes at once; what sequences hold goes when
 * they end, and until then `used` is over the limit. */
void lf_kv_budget_set(lf_kv_budget *b, uint64_t limit_bytes);

LF_MUST_CHECK lf_status lf_kv_pool_open(lf_kv_budget *b, size_t block_bytes, lf_kv_pool **out,
                                        lf_err *err);
void lf_kv_pool_close(lf_kv_pool *p); /* NULL is a no-op */
/* What a pool takes; `busy`: of it, what its open sequences hold or are promised. */
uint64_t lf_kv_pool_bytes(const lf_kv_pool *p, bool busy);

/* LF_OK and out->pool NULL: there is no room until others close.  LF_ERR_NOMEM: it would
 * not fit into the whole budget, or the machine has no memory and nobody will give any. */
LF_MUST_CHECK lf_status lf_kv_seq_open(lf_kv_pool *p, const lf_kv_want *w, lf_kv_seq *out,
                                       lf_err *err);
void lf_kv_seq_close(lf_kv_seq *s); /* safe on a zeroed struct */

/* Positions gained.  Only where no rows are stored behind s->n. */
size_t lf_kv_seq_follow(lf_kv_seq *s, const int32_t *prompt, size_t n_prompt);
/* The table covers [0, n + n_rows) afterwards; n + n_rows <= cap. */
void lf_kv_seq_reserve(lf_kv_seq *s, size_t n_rows);
/* ids [n] were stored at positions s->n and on, and count from now. */
void lf_kv_seq_advance(lf_kv_seq *s, const int32_t *ids, size_t n);

/* Blocks of a pool, for tests and the curious. */
typedef struct lf_kv_counts {
    size_t held, kept, free, promised; /* in sequences; found again; empty; of the last two */
} lf_kv_counts;
lf_kv_counts lf_kv_pool_count(const lf_kv_pool *p);

#endif

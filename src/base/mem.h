/* base/mem.h - allocation: counted, failure-injectable, overflow-checked.
 *
 * Ownership  Whoever calls lf_alloc/lf_calloc/lf_realloc/lf_strdup owns the
 *            block and releases it with lf_free.
 * Threads    All functions may be called from any thread.
 * Errors     NULL means out of memory; the caller raises LF_ERR_NOMEM.
 * Units      Bytes.
 */
#ifndef LF_BASE_MEM_H
#define LF_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

void *lf_alloc(size_t n_bytes);            /* uninitialised; n_bytes 0 gives a freeable block */
void *lf_calloc(size_t n, size_t size);    /* zeroed; NULL when n * size overflows */
void *lf_realloc(void *p, size_t n_bytes); /* on NULL the old block still stands */
void *lf_alloc_aligned(size_t align, size_t n_bytes); /* align: power of two >= 64 allowed */
char *lf_strdup(const char *s);
char *lf_strndup(const char *s, size_t n);
void lf_free(void *p); /* NULL is a no-op */

/* Make room for `need` items of an array that doubles: *p and *cap (items) change on
 * success; false leaves both as they are. */
LF_MUST_CHECK bool lf_grow(void **p, size_t *cap, size_t need, size_t item_bytes);

/* Blocks given out and not yet freed: a leak check for tests. */
size_t lf_mem_live(void);

/* Memory that this process may use: the machine's, or less where its control group
 * has a limit.  UINT64_MAX where neither can be told. */
uint64_t lf_mem_machine_bytes(void);

/* Let the next `n` allocations succeed, then fail every one; -1 switches off. */
void lf_mem_fail_after(long n);

static inline bool lf_mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool lf_add_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* An arena: many small blocks with one lifetime.  `failed` is sticky: check it
 * once at the end of a run of allocations. */
typedef struct lf_arena_block lf_arena_block;
typedef struct lf_arena {
    lf_arena_block *head;
    size_t cap_bytes; /* most it may ever hold; 0 = no limit */
    size_t used_bytes;
    bool failed;
} lf_arena;

void lf_arena_init(lf_arena *a, size_t cap_bytes);
void *lf_arena_alloc(lf_arena *a, size_t n_bytes); /* 16-byte aligned, zeroed; NULL sets failed */
char *lf_arena_strndup(lf_arena *a, const char *s, size_t n);
void lf_arena_release(lf_arena *a); /* frees everything; safe on a zeroed struct */

#ifdef __cplusplus
}
#endif
#endif

/* base/mem.c - counted allocation over malloc.
 *
 * Every block is malloc'ed as it is, so that ASan and valgrind see its true
 * bounds; only the number of live blocks is counted.  Failure injection is a
 * countdown shared by all threads: tests that use it run single-threaded. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_size_t live_blocks;       /* docs/globals.md */
static atomic_long fail_countdown = -1; /* docs/globals.md */

static bool injected_failure(void)
{
    long n = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (n < 0)
        return false;
    if (n == 0)
        return true;
    atomic_store_explicit(&fail_countdown, n - 1, memory_order_relaxed);
    return false;
}

static void *counted(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&live_blocks, 1, memory_order_relaxed);
    return p;
}

void *lf_alloc(size_t n_bytes)
{
    return injected_failure() ? NULL : counted(malloc(n_bytes ? n_bytes : 1));
}

void *lf_calloc(size_t n, size_t size)
{
    return injected_failure() ? NULL : counted(calloc(n ? n : 1, size ? size : 1));
}

void *lf_realloc(void *p, size_t n_bytes)
{
    if (!p)
        return lf_alloc(n_bytes);
    return injected_failure() ? NULL : realloc(p, n_bytes ? n_bytes : 1);
}

void *lf_alloc_aligned(size_t align, size_t n_bytes)
{
    size_t rounded;
    if (injected_failure() || !lf_add_size(n_bytes ? n_bytes : 1, align - 1, &rounded))
        return NULL;
    return counted(aligned_alloc(align, rounded & ~(align - 1)));
}

char *lf_strndup(const char *s, size_t n)
{
    char *p = n == SIZE_MAX ? NULL : lf_alloc(n + 1);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

char *lf_strdup(const char *s)
{
    return lf_strndup(s, strlen(s));
}

void lf_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub_explicit(&live_blocks, 1, memory_order_relaxed);
    free(p);
}

size_t lf_mem_live(void)
{
    return atomic_load_explicit(&live_blocks, memory_order_relaxed);
}

/* The limit of the process's own control group as a container shows it (version 2, then
 * 1); "max" and absent files are none. */
static uint64_t group_limit(void)
{
    static const char *const files[] = { "/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes" };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        unsigned long long v = 0;
        FILE *f = fopen(files[i], "re");
        const bool ok = f && fscanf(f, "%llu", &v) == 1 && v > 0;
        if (f)
            (void)fclose(f);
        if (ok)
            return v;
    }
    return UINT64_MAX;
}

uint64_t lf_mem_machine_bytes(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const uint64_t have = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    const uint64_t limit = group_limit();
    return limit < have ? limit : have;
}

void lf_mem_fail_after(long n)
{
    atomic_store_explicit(&fail_countdown, n, memory_order_relaxed);
}

bool lf_grow(void **p, size_t *cap, size_t need, size_t item_bytes)
{
    if (need <= *cap)
        return true;
    const size_t n = *cap > need / 2 ? 2 * *cap : need < 16 ? 16 : need;
    size_t bytes;
    void *q = lf_mul_size(n, item_bytes, &bytes) ? lf_realloc(*p, bytes) : NULL;
    if (!q)
        return false;
    *p = q;
    *cap = n;
    return true;
}

/* ---- arena: a chain of blocks, newest first ---- */

enum { ARENA_BLOCK_BYTES = 16 * 1024 };

struct lf_arena_block {
    lf_arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void lf_arena_init(lf_arena *a, size_t cap_bytes)
{
    *a = (lf_arena){ .cap_bytes = cap_bytes };
}

static lf_arena_block *arena_grow(lf_arena *a, size_t n_bytes)
{
    size_t total, size = n_bytes > ARENA_BLOCK_BYTES ? n_bytes : ARENA_BLOCK_BYTES;
    if (!lf_add_size(size, sizeof(lf_arena_block), &total))
        return NULL;
    lf_arena_block *b = lf_alloc(total);
    if (!b)
        return NULL;
    *b = (lf_arena_block){ .next = a->head, .size = size };
    a->head = b;
    return b;
}

void *lf_arena_alloc(lf_arena *a, size_t n_bytes)
{
    size_t n, used;
    lf_arena_block *b = a->head;

    if (a->failed || !lf_add_size(n_bytes ? n_bytes : 1, 15, &n))
        goto fail;
    n &= ~(size_t)15;
    if (!lf_add_size(a->used_bytes, n, &used) || (a->cap_bytes && used > a->cap_bytes))
        goto fail;
    if ((!b || b->size - b->used < n) && !(b = arena_grow(a, n)))
        goto fail;
    void *p = b->data + b->used;
    b->used += n;
    a->used_bytes = used;
    memset(p, 0, n);
    return p;
fail:
    a->failed = true;
    return NULL;
}

char *lf_arena_strndup(lf_arena *a, const char *s, size_t n)
{
    char *p = n == SIZE_MAX ? NULL : lf_arena_alloc(a, n + 1);
    if (p && n)
        memcpy(p, s, n);
    return p;
}

void lf_arena_release(lf_arena *a)
{
    for (lf_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        lf_free(b);
    }
    *a = (lf_arena){ .cap_bytes = a->cap_bytes };
}

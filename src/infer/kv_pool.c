/* infer/kv_pool.c - a tree of blocks, and who may take the next one.
 *
 * A block is held by sequences (refs), kept (in the tree, held by nobody) or free.
 * The kept ones form a list by when they were last let go.  A sequence lets go from
 * its end to its beginning, and whoever holds a block holds those before it: hence a
 * block is always let go after those behind it, and the oldest kept block never has
 * another behind it in the tree.
 *
 *     promise    n_free + n_kept >= n_promised, in each pool, always
 *
 * Growing goes before forgetting: opening takes new memory as long as the budget has
 * any; then blocks of other pools beyond their promises; kept ones go when they are
 * needed, one at a time. */
#include "infer/kv_pool.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { ALIGN = 64 };

struct lf_kv_block {
    uint8_t *data;
    lf_kv_block *parent, *child; /* child: the first of those that go on from here */
    lf_kv_block *prev, *next;    /* others that go on from the parent */
    lf_kv_block *older, *newer;  /* kept ones; free ones are chained by `newer` */
    uint64_t key, used_at;
    uint32_t refs, n;
    bool linked; /* in the tree */
    int32_t tokens[LF_KV_BLOCK];
};

struct lf_kv_pool {
    lf_kv_pool *next;
    lf_kv_budget *budget;
    size_t block_bytes; /* with the header above */
    lf_kv_block *top;   /* first blocks of all sequences */
    lf_kv_block *free, *oldest, *newest;
    size_t n_free, n_kept, n_held, n_promised;
};

static size_t header_bytes(void)
{
    return (sizeof(lf_kv_block) + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- memory ---- */

static void push_free(lf_kv_pool *p, lf_kv_block *b)
{
    b->newer = p->free;
    p->free = b;
    p->n_free++;
}

static lf_kv_block *pop_free(lf_kv_pool *p)
{
    lf_kv_block *b = p->free;
    p->free = b->newer;
    p->n_free--;
    return b;
}

static bool add_block(lf_kv_pool *p)
{
    if (p->budget->used_bytes + p->block_bytes > p->budget->limit_bytes)
        return false;
    uint8_t *mem = lf_alloc_aligned(ALIGN, p->block_bytes);
    if (!mem)
        return false;
    lf_kv_block *b = (lf_kv_block *)(void *)mem;
    b->data = mem + header_bytes();
    p->budget->used_bytes += p->block_bytes;
    push_free(p, b);
    return true;
}

static void drop_free(lf_kv_pool *p)
{
    p->budget->used_bytes -= p->block_bytes;
    lf_free(pop_free(p));
}

/* ---- the tree ---- */

static lf_kv_block **children(lf_kv_pool *p, lf_kv_block *parent)
{
    return parent ? &parent->child : &p->top;
}

static void link_block(lf_kv_pool *p, lf_kv_block *b, lf_kv_block *parent, uint64_t key)
{
    lf_kv_block **first = children(p, parent);
    b->parent = parent;
    b->child = b->prev = NULL;
    b->next = *first;
    if (b->next)
        b->next->prev = b;
    *first = b;
    b->key = key;
    b->n = 0;
    b->linked = true;
}

static void unlink_block(lf_kv_pool *p, lf_kv_block *b)
{
    LF_ASSERT(b->linked && !b->child);
    if (b->prev)
        b->prev->next = b->next;
    else
        *children(p, b->parent) = b->next;
    if (b->next)
        b->next->prev = b->prev;
    b->linked = false;
}

/* ---- who holds a block ---- */

static void unkeep(lf_kv_pool *p, lf_kv_block *b)
{
    *(b->older ? &b->older->newer : &p->oldest) = b->newer;
    *(b->newer ? &b->newer->older : &p->newest) = b->older;
    p->n_kept--;
}

static void hold(lf_kv_pool *p, lf_kv_block *b)
{
    if (b->refs++ == 0) {
        unkeep(p, b);
        p->n_held++;
    }
}

static void let_go(lf_kv_pool *p, lf_kv_block *b)
{
    if (--b->refs)
        return;
    p->n_held--;
    if (!b->linked) {
        push_free(p, b);
        return;
    }
    b->used_at = ++p->budget->clock;
    b->newer = NULL;
    b->older = p->newest;
    *(b->older ? &b->older->newer : &p->oldest) = b;
    p->newest = b;
    p->n_kept++;
}

/* A kept block becomes free. */
static void forget(lf_kv_pool *p, lf_kv_block *b)
{
    unkeep(p, b);
    unlink_block(p, b);
    push_free(p, b);
}

/* The block that a promise stands for. */
static lf_kv_block *take(lf_kv_pool *p)
{
    if (!p->free)
        forget(p, p->oldest);
    lf_kv_block *b = pop_free(p);
    b->refs = 1;
    b->linked = false;
    p->n_held++;
    return b;
}

/* ---- promises ---- */

/* A pool other than `mine` gives a block's memory back: a free one first, else the
 * longest unused. */
static bool trim(const lf_kv_budget *b, const lf_kv_pool *mine)
{
    lf_kv_pool *from = NULL;
    for (lf_kv_pool *p = b->pools; p; p = p->next) {
        if (p == mine || p->n_free + p->n_kept <= p->n_promised)
            continue;
        if (!from || (!from->free && (p->free || p->oldest->used_at < from->oldest->used_at)))
            from = p;
    }
    if (!from)
        return false;
    if (!from->free)
        forget(from, from->oldest);
    drop_free(from);
    return true;
}

void lf_kv_budget_set(lf_kv_budget *b, uint64_t limit_bytes)
{
    b->limit_bytes = limit_bytes;
    while (b->used_bytes > b->limit_bytes && trim(b, NULL)) {
    }
}

uint64_t lf_kv_pool_bytes(const lf_kv_pool *p, bool busy)
{
    return (busy ? p->n_held + p->n_promised : p->n_held + p->n_kept + p->n_free) * p->block_bytes;
}

static bool promise(lf_kv_pool *p, size_t n)
{
    const size_t want = p->n_promised + n;
    while (p->n_free < want && add_block(p)) {
    }
    while (p->n_free + p->n_kept < want)
        if (!add_block(p) && !trim(p->budget, p))
            return false;
    p->n_promised = want;
    return true;
}

/* ---- finding ---- */

static size_t agree(const lf_kv_block *b, const int32_t *t, size_t n)
{
    const size_t most = n < b->n ? n : b->n;
    size_t k = 0;
    while (k < most && b->tokens[k] == t[k])
        k++;
    return k;
}

/* The block after `parent` that agrees longest with t[0..n); *len tokens. */
static lf_kv_block *find(lf_kv_pool *p, lf_kv_block *parent, uint64_t key, const int32_t *t,
                         size_t n, size_t *len)
{
    lf_kv_block *best = NULL;
    *len = 0;
    for (lf_kv_block *b = *children(p, parent); b && *len < LF_KV_BLOCK; b = b->next) {
        const size_t k = b->key == key ? agree(b, t, n) : 0;
        if (k > *len) {
            *len = k;
            best = b;
        }
    }
    return best;
}

static lf_kv_block *before(const lf_kv_seq *s, size_t i)
{
    return i ? s->blocks[i - 1] : NULL;
}

static void set_block(lf_kv_seq *s, size_t i, lf_kv_block *b)
{
    s->blocks[i] = b;
    s->data[i] = b->data;
}

/* Give up the last block of the table, whose positions another block has too. */
static void drop_last(lf_kv_seq *s)
{
    lf_kv_block *b = s->blocks[--s->n_blocks];
    if (b->linked)
        unlink_block(s->pool, b);
    let_go(s->pool, b);
}

/* Hold whole blocks that spell the prompt from s->n on, in place of what the sequence
 * has begun itself.  `*copy` is one more block that agrees in part, for *n_copy tokens. */
static size_t share(lf_kv_seq *s, const int32_t *prompt, size_t n_prompt, lf_kv_block **copy,
                    size_t *n_copy)
{
    size_t gained = 0;
    for (;;) {
        const size_t i = s->n / LF_KV_BLOCK, at = i * LF_KV_BLOCK;
        lf_kv_block *b = find(s->pool, before(s, i), s->key, prompt + at, n_prompt - at, n_copy);
        if (copy)
            *copy = b;
        if (*n_copy < LF_KV_BLOCK)
            return gained;
        if (s->n_blocks > i)
            drop_last(s);
        else
            gained++;
        hold(s->pool, b);
        set_block(s, s->n_blocks++, b);
        memcpy(s->tokens + at, b->tokens, sizeof b->tokens);
        s->n = at + LF_KV_BLOCK;
    }
}

/* Another block that makes b, which nobody else holds, superfluous; blocks that b makes
 * superfluous are forgotten. */
static lf_kv_block *same_as(lf_kv_pool *p, lf_kv_block *b)
{
    for (lf_kv_block *o = *children(p, b->parent), *next; o; o = next) {
        next = o->next;
        if (o == b || o->key != b->key)
            continue;
        const size_t k = agree(o, b->tokens, b->n);
        if (k == b->n)
            return o;
        if (k == o->n && o->refs == 0)
            forget(p, o);
    }
    return NULL;
}

/* ---- sequences ---- */

static void release_arrays(lf_kv_seq *s)
{
    lf_free(s->tokens);
    lf_free(s->data);
    lf_free(s->blocks);
    *s = (lf_kv_seq){ 0 };
}

void lf_kv_seq_close(lf_kv_seq *s)
{
    lf_kv_pool *p = s->pool;
    if (!p)
        return;
    while (s->n_blocks) {
        lf_kv_block *b = s->blocks[s->n_blocks - 1];
        if (b->linked && b->n < LF_KV_BLOCK && same_as(p, b)) {
            drop_last(s);
        } else {
            let_go(p, b);
            s->n_blocks--;
        }
    }
    p->n_promised -= s->n_promised;
    p->budget->n_seqs--;
    release_arrays(s);
}

/* Copy the part that agrees: the block goes on differently from here. */
static void copy_part(lf_kv_seq *s, const lf_kv_block *from, size_t n)
{
    lf_kv_seq_reserve(s, n);
    memcpy(s->data[s->n_blocks - 1], from->data, s->pool->block_bytes - header_bytes());
    lf_kv_seq_advance(s, from->tokens, n);
}

lf_status lf_kv_seq_open(lf_kv_pool *p, const lf_kv_want *w, lf_kv_seq *out, lf_err *err)
{
    const size_t n_blocks = (w->cap + LF_KV_BLOCK - 1) / LF_KV_BLOCK;
    lf_kv_seq s = { .pool = p, .cap = w->cap, .key = w->key, .alone = w->alone };
    lf_kv_block *part = NULL;
    size_t n_part = 0, shared = 0;
    LF_ASSERT(w->n_prompt >= 1 && w->n_prompt <= w->cap);
    *out = (lf_kv_seq){ 0 };
    if (n_blocks > p->budget->limit_bytes / p->block_bytes)
        return lf_fail(err, LF_ERR_NOMEM,
                       "a request of %zu tokens takes %llu bytes of cache, the budget is %llu",
                       w->cap, (unsigned long long)n_blocks * p->block_bytes,
                       (unsigned long long)p->budget->limit_bytes);
    s.tokens = lf_calloc(w->cap, sizeof *s.tokens);
    s.data = lf_calloc(n_blocks, sizeof *s.data);
    s.blocks = lf_calloc(n_blocks, sizeof(lf_kv_block *));
    if (!s.tokens || !s.data || !s.blocks) {
        release_arrays(&s);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a request of %zu tokens", w->cap);
    }
    p->budget->n_seqs++;
    if (!w->alone)
        shared = share(&s, w->prompt, w->n_prompt - 1, &part, &n_part);
    if (part)
        hold(p, part); /* until it is copied: taking a block may be at its cost */
    bool ok = promise(p, n_blocks - shared);
    if (ok) {
        s.n_promised = n_blocks - shared;
        if (part)
            copy_part(&s, part, n_part);
    }
    if (part)
        let_go(p, part);
    if (!ok && part) { /* its room is what was missing, perhaps */
        ok = promise(p, n_blocks - shared);
        s.n_promised = ok ? n_blocks - shared : 0;
    }
    if (ok) {
        *out = s;
        return LF_OK;
    }
    lf_kv_seq_close(&s);
    if (p->budget->n_seqs)
        return LF_OK;
    return lf_fail(err, LF_ERR_NOMEM, "the machine has no memory for %zu tokens of cache", w->cap);
}

size_t lf_kv_seq_follow(lf_kv_seq *s, const int32_t *prompt, size_t n_prompt)
{
    const size_t n = s->n;
    size_t n_part;
    if (s->alone)
        return 0;
    LF_ASSERT(s->n_blocks <= n / LF_KV_BLOCK + (n % LF_KV_BLOCK > 0));
    const size_t gained = share(s, prompt, n_prompt - 1, NULL, &n_part);
    s->n_promised -= gained;
    s->pool->n_promised -= gained;
    return s->n - n;
}

void lf_kv_seq_reserve(lf_kv_seq *s, size_t n_rows)
{
    LF_ASSERT(n_rows <= s->cap - s->n);
    while (s->n_blocks * LF_KV_BLOCK < s->n + n_rows) {
        LF_ASSERT(s->n_promised > 0);
        s->n_promised--;
        s->pool->n_promised--;
        set_block(s, s->n_blocks++, take(s->pool));
    }
}

/* Block i is full: from now on it is shared.  Where another sequence was first with the
 * same tokens, its block takes the place: the bytes are the same. */
static void complete(lf_kv_seq *s, size_t i)
{
    lf_kv_block *b = s->blocks[i], *o = same_as(s->pool, b);
    if (!o)
        return;
    unlink_block(s->pool, b);
    hold(s->pool, o);
    set_block(s, i, o);
    let_go(s->pool, b);
}

void lf_kv_seq_advance(lf_kv_seq *s, const int32_t *ids, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const size_t i = s->n / LF_KV_BLOCK;
        lf_kv_block *b = s->blocks[i];
        s->tokens[s->n++] = ids[k];
        if (s->alone)
            continue;
        if (!b->linked)
            link_block(s->pool, b, before(s, i), s->key);
        b->tokens[b->n++] = ids[k];
        if (b->n == LF_KV_BLOCK)
            complete(s, i);
    }
}

/* ---- pools ---- */

lf_status lf_kv_pool_open(lf_kv_budget *b, size_t block_bytes, lf_kv_pool **out, lf_err *err)
{
    lf_kv_pool *p = lf_calloc(1, sizeof *p);
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a cache of keys and values");
    p->budget = b;
    p->block_bytes = header_bytes() + block_bytes;
    p->next = b->pools;
    b->pools = p;
    *out = p;
    return LF_OK;
}

void lf_kv_pool_close(lf_kv_pool *p)
{
    if (!p)
        return;
    LF_ASSERT(p->n_held == 0 && p->n_promised == 0);
    while (p->oldest)
        forget(p, p->oldest);
    while (p->free)
        drop_free(p);
    for (lf_kv_pool **q = &p->budget->pools; *q; q = &(*q)->next)
        if (*q == p) {
            *q = p->next;
            break;
        }
    lf_free(p);
}

lf_kv_counts lf_kv_pool_count(const lf_kv_pool *p)
{
    return (lf_kv_counts){
        .held = p->n_held, .kept = p->n_kept, .free = p->n_free, .promised = p->n_promised
    };
}

/* tests/unit/test_kv_pool.c - blocks of keys and values: shared, promised, kept, given back. */
#include "tests/lf_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "infer/kv_pool.h"

enum { BLOCK_BYTES = LF_KV_BLOCK * 8, SEQS = 12, TEXTS = 4000, TOKENS = 400, KEYS = 3 };

static uint32_t rnd_state;

static uint32_t rnd(uint32_t n)
{
    rnd_state = rnd_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)rnd_state * n) >> 32);
}

static size_t blocks_of(const lf_kv_pool *p)
{
    const lf_kv_counts c = lf_kv_pool_count(p);
    return c.held + c.kept + c.free;
}

/* ---- a sequence, what it must hold, and what was ever said ---- */

typedef struct text {
    uint64_t key;
    size_t n;
    int32_t t[TOKENS];
} text;

typedef struct subject {
    lf_kv_seq s;
    text want; /* key and tokens that count */
    int32_t prompt[TOKENS];
    size_t n_prompt;
} subject;

static uint64_t stamp(const text *t, size_t pos)
{
    return lf_hash64(t->t, (pos + 1) * sizeof t->t[0]) ^ t->key * 0x9e3779b97f4a7c15u;
}

static uint64_t *cell(const lf_kv_seq *s, size_t pos)
{
    return (uint64_t *)(void *)s->data[pos / LF_KV_BLOCK] + pos % LF_KV_BLOCK;
}

/* Every position holds what the tokens up to it make, whoever stored it. */
static bool intact(const subject *u)
{
    bool ok = u->s.n == u->want.n;
    for (size_t i = 0; ok && i < u->s.n; i++)
        ok = u->s.tokens[i] == u->want.t[i] && *cell(&u->s, i) == stamp(&u->want, i);
    return ok;
}

/* Store n_rows, of which n count: what a pass does, the rest as rejected guesses. */
static void go_on(subject *u, const int32_t *ids, size_t n_rows, size_t n)
{
    lf_kv_seq_reserve(&u->s, n_rows);
    for (size_t i = 0; i < n_rows; i++) {
        u->want.t[u->want.n + i] = i < n ? ids[i] : 999;
        *cell(&u->s, u->s.n + i) = stamp(&u->want, u->want.n + i);
    }
    u->want.n += n;
    lf_kv_seq_advance(&u->s, ids, n);
}

static size_t common(const text *a, uint64_t key, const int32_t *t, size_t n)
{
    size_t k = 0;
    while (a->key == key && k < a->n && k < n && a->t[k] == t[k])
        k++;
    return k;
}

static lf_status open_subject(lf_kv_pool *p, subject *u, size_t cap)
{
    lf_err e = { 0 };
    const lf_kv_want w = {
        .key = u->want.key, .prompt = u->prompt, .n_prompt = u->n_prompt, .cap = cap
    };
    const lf_status st = lf_kv_seq_open(p, &w, &u->s, &e);
    u->want.n = u->s.pool ? u->s.n : 0;
    memcpy(u->want.t, u->prompt, sizeof u->prompt);
    return st;
}

/* A prompt that begins as an earlier text does, mostly. */
static void new_prompt(subject *u, const text *said, size_t n_said)
{
    u->want.key = 1 + rnd(KEYS);
    u->n_prompt = 1 + rnd(TOKENS / 2);
    for (size_t i = 0; i < u->n_prompt; i++)
        u->prompt[i] = (int32_t)rnd(2);
    if (n_said && rnd(8)) {
        const text *from = &said[rnd((uint32_t)n_said)];
        const size_t n = rnd((uint32_t)from->n + 1);
        memcpy(u->prompt, from->t, (n < u->n_prompt ? n : u->n_prompt) * sizeof u->prompt[0]);
    }
}

static bool sound(const lf_kv_pool *p, const lf_kv_budget *b)
{
    const lf_kv_counts c = lf_kv_pool_count(p);
    return c.free + c.kept >= c.promised && b->used_bytes <= b->limit_bytes;
}

typedef struct world {
    lf_kv_budget b;
    lf_kv_pool *p;
    subject u[SEQS];
    text *said; /* [TEXTS]: of every sequence, as it ended or stands */
    size_t n_said, n_waits, n_shared;
    bool roomy; /* nothing is ever forgotten: sharing must be perfect */
} world;

static void step_open(world *w, subject *u)
{
    size_t best = 0;
    const subject *other = &w->u[rnd(SEQS)];
    new_prompt(u, w->said, w->n_said);
    if (other->s.pool && rnd(2)) { /* the same prompt as one that is being evaluated */
        u->want.key = other->want.key;
        u->n_prompt = other->n_prompt;
        memcpy(u->prompt, other->prompt, sizeof u->prompt);
    }
    for (size_t i = 0; i < w->n_said; i++) {
        const size_t k = common(&w->said[i], u->want.key, u->prompt, u->n_prompt - 1);
        best = k > best ? k : best;
    }
    for (size_t i = 0; i < SEQS; i++) {
        const size_t k = common(&w->u[i].want, u->want.key, u->prompt, u->n_prompt - 1);
        best = w->u[i].s.pool && k > best ? k : best;
    }
    LF_CHECK_INT(open_subject(w->p, u, u->n_prompt + rnd(TOKENS / 2)), LF_OK);
    w->n_waits += !u->s.pool;
    w->n_shared += u->s.n > 0;
    if (u->s.pool)
        LF_CHECK(w->roomy ? u->s.n == best : u->s.n <= best);
}

static void step_go_on(subject *u)
{
    int32_t ids[64];
    const size_t left = u->s.cap - u->s.n;
    size_t n = left ? 1 + rnd((uint32_t)(left < 64 ? left : 64)) : 0, count = n;
    if (u->s.n < u->n_prompt) {
        if (rnd(2)) /* to the end of a block, where another's may follow by reference */
            n = LF_KV_BLOCK - u->s.n % LF_KV_BLOCK;
        const size_t gained = lf_kv_seq_follow(&u->s, u->prompt, u->n_prompt);
        u->want.n += gained;
        n = n < u->n_prompt - u->s.n ? n : u->n_prompt - u->s.n;
        memcpy(ids, u->prompt + u->s.n, n * sizeof ids[0]);
        count = n;
    } else {
        for (size_t i = 0; i < n; i++)
            ids[i] = (int32_t)rnd(2);
        count = n ? rnd((uint32_t)n + 1) : 0;
    }
    go_on(u, ids, n, count);
}

static void close_subject(world *w, subject *u)
{
    if (u->s.pool && w->n_said < TEXTS)
        w->said[w->n_said++] = u->want;
    lf_kv_seq_close(&u->s);
}

static void random_life(uint32_t seed, size_t n_blocks, size_t n_steps)
{
    static world w;
    w = (world){ .b = { .limit_bytes = n_blocks * (BLOCK_BYTES + 448) }, .roomy = n_blocks > 9000 };
    rnd_state = seed;
    w.said = lf_calloc(TEXTS, sizeof *w.said);
    LF_NEED(lf_kv_pool_open(&w.b, BLOCK_BYTES, &w.p, err));
    for (size_t i = 0; i < n_steps; i++) {
        subject *u = &w.u[rnd(SEQS)];
        if (!u->s.pool)
            step_open(&w, u);
        else if (rnd(10) == 0)
            close_subject(&w, u);
        else
            step_go_on(u);
        LF_CHECK(sound(w.p, &w.b));
        for (size_t k = 0; k < SEQS; k++)
            LF_CHECK(!w.u[k].s.pool || intact(&w.u[k]));
    }
    LF_CHECK(w.roomy ? w.n_waits == 0 : w.n_waits > 10);
    LF_CHECK(w.n_shared > n_steps / 50);
    for (size_t k = 0; k < SEQS; k++)
        close_subject(&w, &w.u[k]);
    const lf_kv_counts c = lf_kv_pool_count(w.p);
    LF_CHECK(c.held == 0 && c.promised == 0 && w.b.n_seqs == 0);
    lf_kv_pool_close(w.p);
    LF_CHECK_INT(w.b.used_bytes, 0);
    lf_free(w.said);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void a_random_life_with_room(void)
{
    for (uint32_t seed = 1; seed <= 2; seed++)
        random_life(seed, 10000, 2000);
}

/* Blocks for a third of what the sequences may come to need. */
static void a_random_life_without_room(void)
{
    for (uint32_t seed = 11; seed <= 13; seed++)
        random_life(seed, 26, 3000);
}

/* ---- single rules ---- */

static void fill_subject(subject *u, uint64_t key, size_t n, int32_t last)
{
    *u = (subject){ .want.key = key, .n_prompt = n };
    for (size_t i = 0; i < n; i++)
        u->prompt[i] = (int32_t)(i % 7);
    u->prompt[n - 1] = last;
}

static void run_subject(subject *u)
{
    go_on(u, u->prompt + u->s.n, u->n_prompt - u->s.n, u->n_prompt - u->s.n);
}

static void two_keys_never_share(void)
{
    static subject a, b, c;
    lf_kv_budget bud = { .limit_bytes = 1 << 20 };
    lf_kv_pool *p;
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES, &p, err));
    fill_subject(&a, 5, 300, 1);
    fill_subject(&b, 6, 300, 1);
    fill_subject(&c, 5, 300, 1);
    LF_CHECK_INT(open_subject(p, &a, 300), LF_OK);
    run_subject(&a);
    LF_CHECK_INT(open_subject(p, &b, 300), LF_OK); /* while it runs */
    LF_CHECK_INT(b.s.n, 0);
    lf_kv_seq_close(&a.s);
    LF_CHECK_INT(lf_kv_seq_follow(&b.s, b.prompt, 300), 0);
    run_subject(&b);
    LF_CHECK_INT(open_subject(p, &c, 300), LF_OK);
    LF_CHECK_INT(c.s.n, 299); /* the same key: all but the last token */
    for (size_t i = 0; i < c.s.n_blocks; i++)
        for (size_t k = 0; k < b.s.n_blocks; k++)
            LF_CHECK(c.s.data[i] != b.s.data[k]);
    LF_CHECK(intact(&b) && intact(&c));
    lf_kv_seq_close(&b.s);
    lf_kv_seq_close(&c.s);
    lf_kv_pool_close(p);
}

/* Whole blocks are the same memory, the part of one is a copy, and what two wrote alike
 * becomes one. */
static void blocks_are_shared_and_tails_copied(void)
{
    static subject a, b, c;
    lf_kv_budget bud = { .limit_bytes = 1 << 20 };
    lf_kv_pool *p;
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES, &p, err));
    fill_subject(&a, 1, 150, 1);
    fill_subject(&b, 1, 150, 9);
    fill_subject(&c, 1, 150, 9);
    LF_CHECK_INT(open_subject(p, &a, 192), LF_OK);
    LF_CHECK_INT(open_subject(p, &b, 192), LF_OK);
    LF_CHECK_INT(open_subject(p, &c, 192), LF_OK);
    run_subject(&a);
    go_on(&b, b.prompt, 70, 70);
    LF_CHECK_INT(lf_kv_pool_count(p).held, 4); /* b's first block gave way to a's */
    LF_CHECK(a.s.data[0] == b.s.data[0] && a.s.data[1] != b.s.data[1]);
    LF_CHECK_INT(lf_kv_seq_follow(&b.s, b.prompt, 150), 58); /* a's second block, not its tail */
    b.want.n = b.s.n;
    LF_CHECK_INT(lf_kv_seq_follow(&c.s, c.prompt, 150), 128);
    LF_CHECK(c.s.n_promised == 1 && b.s.n_promised == 1); /* what is shared needs no room */
    LF_CHECK_INT(lf_kv_pool_count(p).promised, 2);
    lf_kv_seq_close(&c.s);
    LF_CHECK(a.s.data[1] == b.s.data[1]);
    run_subject(&b);
    LF_CHECK(a.s.data[2] != b.s.data[2] && intact(&a) && intact(&b));
    lf_kv_seq_close(&b.s);
    fill_subject(&b, 1, 151, 9);
    LF_CHECK_INT(open_subject(p, &b, 192), LF_OK);
    LF_CHECK_INT(b.s.n, 149);
    LF_CHECK(a.s.data[1] == b.s.data[1] && a.s.data[2] != b.s.data[2]);
    run_subject(&b);
    LF_CHECK(intact(&a) && intact(&b));
    lf_kv_seq_close(&b.s);
    lf_kv_seq_close(&a.s);
    lf_kv_pool_close(p);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void what_cannot_fit_waits_or_is_refused(void)
{
    static subject a, b, c;
    lf_err e = { 0 };
    lf_kv_budget bud = { .limit_bytes = 4 * (BLOCK_BYTES + 448) };
    lf_kv_pool *p, *q;
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES, &p, err));
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES * 2, &q, err));
    fill_subject(&a, 1, 100, 1);
    fill_subject(&b, 1, 100, 1);
    fill_subject(&c, 1, 100, 1);
    const lf_kv_want w = { .prompt = a.prompt, .n_prompt = 100, .cap = 300 };
    LF_CHECK_INT(lf_kv_seq_open(p, &w, &a.s, &e), LF_ERR_NOMEM);
    LF_CHECK(strstr(e.msg, "300 tokens") != NULL && a.s.pool == NULL);
    LF_CHECK_INT(open_subject(p, &a, 180), LF_OK); /* three blocks are promised */
    LF_CHECK(a.s.pool != NULL);
    LF_CHECK_INT(open_subject(p, &b, 180), LF_OK);
    LF_CHECK(b.s.pool == NULL); /* waits, though no block has been written */
    run_subject(&a);
    LF_CHECK_INT(open_subject(p, &b, 128), LF_OK); /* one of the two is shared: it fits */
    LF_CHECK(b.s.pool != NULL && b.s.n == 99);
    run_subject(&b);
    LF_CHECK_INT(open_subject(q, &c, 128), LF_OK);
    LF_CHECK(c.s.pool == NULL);
    lf_kv_seq_close(&b.s);
    lf_kv_seq_close(&a.s);
    LF_CHECK(lf_kv_pool_count(p).kept > 0);
    LF_CHECK_INT(open_subject(q, &c, 128), LF_OK); /* the other model's blocks give way */
    LF_CHECK(c.s.pool != NULL && c.s.n == 0);
    LF_CHECK_INT(blocks_of(p), 1);
    run_subject(&c);
    LF_CHECK(intact(&c));
    lf_kv_seq_close(&c.s);
    lf_kv_pool_close(p);
    lf_kv_pool_close(q);
    LF_CHECK_INT(bud.used_bytes, 0);
}

/* A smaller limit takes what is kept at once, and of what is at work nothing. */
static void a_new_limit_holds_at_once(void)
{
    static subject a, b;
    lf_kv_budget bud = { .limit_bytes = 8 * (BLOCK_BYTES + 448) };
    lf_kv_pool *p;
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES, &p, err));
    fill_subject(&a, 1, 200, 1);
    fill_subject(&b, 2, 100, 1);
    LF_CHECK_INT(open_subject(p, &a, 256), LF_OK);
    LF_CHECK_INT(open_subject(p, &b, 192), LF_OK);
    run_subject(&a);
    run_subject(&b);
    lf_kv_seq_close(&a.s);
    const uint64_t one = bud.used_bytes / 7; /* four blocks of a, three of b */
    LF_CHECK_INT(lf_kv_pool_bytes(p, false), 7 * one);
    LF_CHECK_INT(lf_kv_pool_bytes(p, true), 3 * one); /* two blocks and one more promised */
    lf_kv_budget_set(&bud, 5 * one);
    LF_CHECK_INT(bud.used_bytes, 5 * one);
    lf_kv_budget_set(&bud, one);
    LF_CHECK_INT(bud.used_bytes, 3 * one);
    LF_CHECK_INT(lf_kv_pool_bytes(p, true), 3 * one);
    go_on(&b, b.prompt, 92, 92); /* what was promised is kept */
    LF_CHECK(intact(&b));
    fill_subject(&a, 1, 60, 1);
    LF_CHECK_INT(open_subject(p, &a, 64), LF_OK);
    LF_CHECK(a.s.pool == NULL); /* there is no room while it runs */
    lf_kv_seq_close(&b.s);
    LF_CHECK_INT(open_subject(p, &a, 64), LF_OK);
    LF_CHECK(a.s.pool != NULL);
    lf_kv_seq_close(&a.s);
    lf_kv_budget_set(&bud, 0);
    LF_CHECK_INT(bud.used_bytes, 0);
    lf_kv_pool_close(p);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* The only room left is that of the block which agrees in part: it is given up. */
static void a_part_gives_way_to_the_whole(void)
{
    static subject a;
    lf_kv_budget bud = { .limit_bytes = 2 * (BLOCK_BYTES + 448) };
    lf_kv_pool *p;
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES, &p, err));
    fill_subject(&a, 1, 120, 1);
    LF_CHECK_INT(open_subject(p, &a, 128), LF_OK);
    run_subject(&a);
    lf_kv_seq_close(&a.s);
    fill_subject(&a, 1, 60, 1);
    LF_CHECK_INT(open_subject(p, &a, 128), LF_OK);
    LF_CHECK(a.s.pool && a.s.n == 0);
    run_subject(&a);
    LF_CHECK(intact(&a));
    lf_kv_seq_close(&a.s);
    lf_kv_pool_close(p);
}

static void opening_survives_every_failed_allocation(void)
{
    static subject a, b;
    lf_kv_budget bud = { .limit_bytes = 1 << 20 };
    lf_kv_pool *p;
    lf_status st = LF_ERR_NOMEM;
    LF_NEED(lf_kv_pool_open(&bud, BLOCK_BYTES, &p, err));
    fill_subject(&a, 1, 100, 1);
    LF_CHECK_INT(open_subject(p, &a, 100), LF_OK);
    run_subject(&a);
    lf_kv_seq_close(&a.s);
    const size_t live = lf_mem_live(), blocks = blocks_of(p);
    fill_subject(&b, 1, 380, 1);
    int failed = 0;
    for (long n = 0; st == LF_ERR_NOMEM && n < 50; n++) {
        lf_mem_fail_after(n);
        st = open_subject(p, &b, 380);
        lf_mem_fail_after(-1);
        failed += st != LF_OK;
        LF_CHECK(st == LF_OK || (b.s.pool == NULL && bud.n_seqs == 0 &&
                                 lf_mem_live() - live == blocks_of(p) - blocks));
    }
    LF_CHECK(st == LF_OK && failed >= 5 && b.s.n == 100);
    run_subject(&b);
    LF_CHECK(intact(&b));
    lf_kv_seq_close(&b.s);
    lf_kv_pool_close(p);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "kv/a_random_life_with_room", a_random_life_with_room },
        { "kv/a_random_life_without_room", a_random_life_without_room },
        { "kv/two_keys_never_share", two_keys_never_share },
        { "kv/blocks_are_shared_and_tails_copied", blocks_are_shared_and_tails_copied },
        { "kv/what_cannot_fit_waits_or_is_refused", what_cannot_fit_waits_or_is_refused },
        { "kv/a_new_limit_holds_at_once", a_new_limit_holds_at_once },
        { "kv/a_part_gives_way_to_the_whole", a_part_gives_way_to_the_whole },
        { "kv/opening_survives_every_failed_allocation", opening_survives_every_failed_allocation },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

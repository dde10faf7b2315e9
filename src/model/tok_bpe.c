/* model/tok_bpe.c - merging symbols: byte-pair encoding of all three kinds.
 *
 * Byte-level BPE (Radford et al. 2019) and BPE over UTF-8 join, again and again,
 * the pair of neighbours with the lowest rank in the merge list; SentencePiece
 * BPE (Kudo and Richardson 2018, arXiv:1808.06226) joins the pair whose joined
 * text is the token of highest score.  In both the leftmost pair wins a tie.
 *
 * One routine serves all: a pair has a 32-bit key, smaller first (the rank, or
 * the score's bits turned so that they sort).  Words of up to SHORT_WORD symbols
 * are searched for the smallest key; longer ones use a heap whose stale entries
 * are recognised by the lengths of their halves.
 *
 * Merges are kept by pair of ids, left << 44 | right << 24 | rank in one word,
 * so that a word costs no string work once its bytes are ids.  Words that were
 * met before in the same call are remembered (direct-mapped). */
#include <string.h>

#include "base/mem.h"
#include "model/tok_int.h"
#include "text/utf8.h"

enum { SHORT_WORD = 32, MEMO_SLOTS = 4096, MEMO_BYTES = 24, MEMO_IDS = 6 };
#define NO_KEY UINT32_MAX

typedef struct tok_sym {
    uint32_t at, len; /* in the text; len 0 = joined into another */
    int32_t prev, next;
    int32_t id;     /* -1: this text is no token */
    uint32_t key;   /* of the pair with `next` */
    int32_t joined; /* the token of that pair */
} tok_sym;

typedef struct tok_heap_item {
    uint32_t key;
    int32_t left, right;
    uint32_t len; /* of both halves together when it was pushed */
    int32_t joined;
} tok_heap_item;

typedef struct tok_memo {
    uint8_t len, n; /* n 0 = free */
    char text[MEMO_BYTES];
    int32_t ids[MEMO_IDS];
} tok_memo;

/* ------------------------------------------------------------------- merges */

static uint32_t pair_slot(const lf_tokenizer *t, uint64_t pair)
{
    return (uint32_t)((pair * 0x9E3779B97F4A7C15ull) >> 32) & t->pair_mask;
}

lf_status tok_merges_begin(lf_tokenizer *t, size_t n, lf_err *err)
{
    if (n >= TOK_MAX_MERGES)
        return lf_fail(err, LF_ERR_LIMIT, "tokenizer: %zu merges, at most %d are allowed", n,
                       TOK_MAX_MERGES - 1);
    size_t cap = 16;
    while (cap * 3 < n * 4)
        cap *= 2;
    t->n_merges = n;
    t->pair_mask = (uint32_t)(cap - 1);
    t->pairs = lf_alloc(cap * sizeof(*t->pairs));
    t->merged = lf_alloc((n ? n : 1) * sizeof(*t->merged));
    if (!t->pairs || !t->merged)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu merges", n);
    memset(t->pairs, 0xFF, cap * sizeof(*t->pairs));
    return LF_OK;
}

/* A merge that names text outside the vocabulary can never take part: both
 * halves start as tokens or come from merges.  It is passed over. */
lf_status tok_merges_add(lf_tokenizer *t, lf_str left, lf_str right, size_t rank, lf_buf *scratch,
                         lf_err *err)
{
    t->merged[rank] = -1;
    lf_buf_clear(scratch);
    if (t->byte_level) {
        if (!tok_bytes_of(left, scratch))
            return LF_OK;
        const size_t n = scratch->len;
        if (!tok_bytes_of(right, scratch))
            return LF_OK;
        left.len = n;
    } else {
        lf_buf_add(scratch, left.p, left.len);
        lf_buf_add(scratch, right.p, right.len);
    }
    if (scratch->failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a merge");
    const char *p = lf_buf_cstr(scratch);
    const int32_t l = tok_lookup(t, &t->words, p, left.len);
    const int32_t r = tok_lookup(t, &t->words, p + left.len, scratch->len - left.len);
    const int32_t id = tok_lookup(t, &t->words, p, scratch->len);
    if (l < 0 || r < 0 || id < 0)
        return LF_OK;
    t->merged[rank] = id;
    const uint64_t pair = (uint64_t)l << 20 | (uint64_t)r;
    for (uint32_t i = pair_slot(t, pair);; i = (i + 1) & t->pair_mask) {
        if (t->pairs[i] == UINT64_MAX) {
            t->pairs[i] = pair << 24 | rank;
            return LF_OK;
        }
        if (t->pairs[i] >> 24 == pair) /* listed before: the lower rank stands */
            return LF_OK;
    }
}

static uint32_t rank_of(const lf_tokenizer *t, int32_t l, int32_t r)
{
    const uint64_t pair = (uint64_t)l << 20 | (uint64_t)r;
    for (uint32_t i = pair_slot(t, pair);; i = (i + 1) & t->pair_mask) {
        const uint64_t e = t->pairs[i];
        if (e >> 24 == pair)
            return (uint32_t)(e & 0xFFFFFF);
        if (e == UINT64_MAX)
            return NO_KEY;
    }
}

/* Scores as keys: higher scores give smaller keys, in the order of floats. */
static uint32_t key_of_score(float score)
{
    uint32_t u;
    memcpy(&u, &score, sizeof(u));
    u = u & 0x80000000u ? ~u : u | 0x80000000u; /* ascending with the score */
    u = ~u;
    return u == NO_KEY ? NO_KEY - 1 : u;
}

/* ------------------------------------------------------------------ merging */

static void find_pair(const tok_work *w, const char *text, int32_t left)
{
    tok_sym *l = &w->sym[left];
    l->key = NO_KEY;
    if (l->next < 0)
        return;
    const tok_sym *r = &w->sym[l->next];
    const lf_tokenizer *t = w->t;
    if (t->kind == TOK_SPM) {
        l->joined = tok_lookup(t, &t->words, text + l->at, (size_t)l->len + r->len);
        if (l->joined >= 0)
            l->key = key_of_score(t->score[l->joined]);
    } else if (l->id >= 0 && r->id >= 0) {
        l->key = rank_of(t, l->id, r->id);
        if (l->key != NO_KEY)
            l->joined = t->merged[l->key];
    }
}

/* Join a symbol with its right neighbour and look at the new pairs. */
static void join(const tok_work *w, const char *text, int32_t left, int32_t joined)
{
    tok_sym *l = &w->sym[left], *r = &w->sym[l->next];
    l->len += r->len;
    l->id = joined;
    l->next = r->next;
    r->len = 0;
    if (l->next >= 0)
        w->sym[l->next].prev = left;
    find_pair(w, text, left);
    if (l->prev >= 0)
        find_pair(w, text, l->prev);
}

static void merge_short(const tok_work *w, const char *text)
{
    for (;;) {
        int32_t best = -1;
        uint32_t key = NO_KEY;
        for (int32_t i = 0; i >= 0; i = w->sym[i].next)
            if (w->sym[i].key < key) {
                key = w->sym[i].key;
                best = i;
            }
        if (best < 0)
            return;
        join(w, text, best, w->sym[best].joined);
    }
}

static bool before(const tok_heap_item *a, const tok_heap_item *b)
{
    return a->key < b->key || (a->key == b->key && a->left < b->left);
}

static lf_status heap_push(tok_work *w, int32_t left)
{
    const tok_sym *l = &w->sym[left];
    if (l->key == NO_KEY)
        return LF_OK;
    lf_status st =
        tok_grow((void **)&w->heap, &w->cap_heap, w->n_heap + 1, sizeof(*w->heap), w->err);
    if (st != LF_OK)
        return st;
    const tok_heap_item item = { .key = l->key,
                                 .left = left,
                                 .right = l->next,
                                 .len = l->len + w->sym[l->next].len,
                                 .joined = l->joined };
    size_t i = w->n_heap++;
    while (i > 0 && before(&item, &w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = item;
    return LF_OK;
}

static tok_heap_item heap_pop(tok_work *w)
{
    const tok_heap_item top = w->heap[0];
    const tok_heap_item last = w->heap[--w->n_heap];
    size_t i = 0;
    for (;;) {
        size_t c = 2 * i + 1;
        if (c >= w->n_heap)
            break;
        if (c + 1 < w->n_heap && before(&w->heap[c + 1], &w->heap[c]))
            c++;
        if (!before(&w->heap[c], &last))
            break;
        w->heap[i] = w->heap[c];
        i = c;
    }
    if (w->n_heap)
        w->heap[i] = last;
    return top;
}

static lf_status merge_long(tok_work *w, const char *text, size_t n_sym)
{
    lf_status st = LF_OK;
    w->n_heap = 0;
    for (size_t i = 0; st == LF_OK && i + 1 < n_sym; i++)
        st = heap_push(w, (int32_t)i);
    while (st == LF_OK && w->n_heap) {
        const tok_heap_item h = heap_pop(w);
        const tok_sym *l = &w->sym[h.left];
        if (l->len == 0 || l->next != h.right || l->len + w->sym[h.right].len != h.len)
            continue; /* one half has been joined with something since */
        join(w, text, h.left, h.joined);
        st = heap_push(w, h.left);
        if (st == LF_OK && l->prev >= 0)
            st = heap_push(w, l->prev);
    }
    return st;
}

/* ------------------------------------------------------------------- output */

/* A symbol that is no token becomes its bytes, or the unknown token. */
static lf_status emit_unknown(tok_work *w, const char *p, size_t n, bool *after_unk)
{
    const lf_tokenizer *t = w->t;
    bool all = true;
    for (size_t i = 0; i < n; i++)
        all = all && t->byte_id[(unsigned char)p[i]] >= 0;
    if (!all) {
        const bool skip = t->unk < 0 || (t->fuse_unk && *after_unk);
        *after_unk = true;
        return skip ? LF_OK : tok_emit(w, t->unk);
    }
    lf_status st = LF_OK;
    *after_unk = false;
    for (size_t i = 0; st == LF_OK && i < n; i++)
        st = tok_emit(w, t->byte_id[(unsigned char)p[i]]);
    return st;
}

static lf_status emit_symbols(tok_work *w, const char *text)
{
    lf_status st = LF_OK;
    bool after_unk = false;
    for (int32_t i = 0; st == LF_OK && i >= 0; i = w->sym[i].next) {
        const tok_sym *s = &w->sym[i];
        if (s->id >= 0) {
            after_unk = false;
            st = tok_emit(w, s->id);
        } else {
            st = emit_unknown(w, text + s->at, s->len, &after_unk);
        }
    }
    return st;
}

/* Cut text into its first symbols: bytes, or code points. */
static lf_status seed(tok_work *w, const char *text, size_t n, size_t *n_sym)
{
    lf_status st = tok_grow((void **)&w->sym, &w->cap_sym, n, sizeof(*w->sym), w->err);
    if (st != LF_OK)
        return st;
    size_t k = 0;
    for (size_t at = 0; at < n; k++) {
        size_t len = 1;
        int32_t id;
        if (w->t->byte_level) {
            id = w->t->byte_id[(unsigned char)text[at]];
        } else {
            len = lf_utf8_seq(text + at, text + n);
            len = len ? len : 1;
            id = tok_lookup(w->t, &w->t->words, text + at, len);
        }
        w->sym[k] = (tok_sym){ .at = (uint32_t)at,
                               .len = (uint32_t)len,
                               .id = id,
                               .prev = (int32_t)k - 1,
                               .next = (int32_t)k + 1 };
        at += len;
    }
    w->sym[k - 1].next = -1;
    for (size_t i = 0; i < k; i++)
        find_pair(w, text, (int32_t)i);
    *n_sym = k;
    return LF_OK;
}

static lf_status merge_word(tok_work *w, const char *p, size_t n)
{
    size_t n_sym = 0;
    lf_status st = seed(w, p, n, &n_sym);
    if (st != LF_OK)
        return st;
    if (n_sym <= SHORT_WORD)
        merge_short(w, p);
    else
        st = merge_long(w, p, n_sym);
    return st == LF_OK ? emit_symbols(w, p) : st;
}

/* The slot of a short word; `*hit` when it holds that word. */
static tok_memo *memo_of(const tok_work *w, const char *p, size_t n, bool *hit)
{
    *hit = false;
    if (!w->memo || n > MEMO_BYTES)
        return NULL;
    uint64_t h = TOK_HASH_START;
    for (size_t i = 0; i < n; i++)
        h = tok_hash_add(h, (unsigned char)p[i]);
    tok_memo *m = &w->memo[tok_hash_end(h) % MEMO_SLOTS];
    *hit = m->n && m->len == n && memcmp(m->text, p, n) == 0;
    return m;
}

lf_status tok_memo_open(tok_work *w)
{
    w->memo = w->t->kind == TOK_UNIGRAM || w->t->kind == TOK_WORDPIECE
                  ? NULL
                  : lf_calloc(MEMO_SLOTS, sizeof(*w->memo));
    if (!w->memo && w->t->kind <= TOK_SPM)
        return lf_fail(w->err, LF_ERR_NOMEM, "no memory to tokenize");
    return LF_OK;
}

lf_status tok_bpe_word(tok_work *w, const char *p, size_t n)
{
    if (n == 0)
        return LF_OK;
    /* Plain-text vocabularies have runs of newlines as tokens that no merge makes. */
    bool newlines = !w->t->byte_level;
    for (size_t i = 0; newlines && i < n; i++)
        newlines = p[i] == '\n';
    if (w->t->ignore_merges || newlines) {
        const int32_t id = tok_lookup(w->t, &w->t->words, p, n);
        if (id >= 0)
            return tok_emit(w, id);
    }
    if (n == 1 && w->t->byte_id[(unsigned char)*p] >= 0 && w->t->byte_level)
        return tok_emit(w, w->t->byte_id[(unsigned char)*p]);
    bool hit;
    tok_memo *m = memo_of(w, p, n, &hit);
    lf_status st = LF_OK;
    if (hit) {
        for (size_t i = 0; st == LF_OK && i < m->n; i++)
            st = tok_emit(w, m->ids[i]);
        return st;
    }
    const size_t start = w->out->n;
    st = merge_word(w, p, n);
    const size_t n_ids = w->out->n - start;
    if (st == LF_OK && m && n_ids > 0 && n_ids <= MEMO_IDS) {
        *m = (tok_memo){ .len = (uint8_t)n, .n = (uint8_t)n_ids };
        memcpy(m->text, p, n);
        memcpy(m->ids, w->out->ids + start, n_ids * sizeof(*m->ids));
    }
    return st;
}

/* ------------------------------------------------------------ SentencePiece */

static bool is_mark(const char *p, const char *end)
{
    return end - p >= 3 && memcmp(p, "\xE2\x96\x81", 3) == 0;
}

/* Whether U+2581 occurs in tokens only as a run at the head.  Then no token
 * crosses from another character into U+2581, so that text can be cut there. */
void tok_find_head_marks(lf_tokenizer *t)
{
    t->head_marks = true;
    for (size_t i = 0; i < t->n_vocab && t->head_marks; i++) {
        const lf_str s = tok_text(t, (int32_t)i);
        const int type = tok_type(t, (int32_t)i);
        if (type != TOK_NORMAL && type != TOK_UNUSED && type != TOK_USER)
            continue;
        const char *p = s.p, *end = s.p + s.len;
        while (is_mark(p, end))
            p += 3;
        while (p < end && !is_mark(p, end))
            p++;
        t->head_marks = p >= end;
    }
}

lf_status tok_spm_text(tok_work *w, const char *text, size_t n, bool at_start)
{
    const lf_tokenizer *t = w->t;
    lf_buf *b = &w->text;
    lf_buf_clear(b);
    const bool prefix = t->dummy_prefix && n > 0 && at_start &&
                        !(t->prefix_unless_space && (text[0] == ' ' || is_mark(text, text + n)));
    if (prefix)
        lf_buf_add(b, "\xE2\x96\x81", 3);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ' && t->escape_spaces)
            lf_buf_add(b, "\xE2\x96\x81", 3);
        else
            lf_buf_add_char(b, text[i]);
    }
    if (b->failed)
        return lf_fail(w->err, LF_ERR_NOMEM, "no memory to tokenize %zu bytes", n);
    lf_status st = LF_OK;
    const char *p = b->data, *end = b->data + b->len, *word = p;
    if (!t->head_marks)
        return b->len ? tok_bpe_word(w, p, b->len) : LF_OK;
    for (; st == LF_OK && p < end; p++) {
        if (p > word && is_mark(p, end) && (p - word < 3 || !is_mark(p - 3, end))) {
            st = tok_bpe_word(w, word, (size_t)(p - word));
            word = p;
        }
    }
    return st == LF_OK && end > word ? tok_bpe_word(w, word, (size_t)(end - word)) : st;
}

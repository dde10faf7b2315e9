/* model/tok_unigram.c - SentencePiece Unigram (Kudo 2018, arXiv:1804.10959).
 *
 * The text is normalised (code points replaced, runs of spaces made one, every
 * space U+2581), then the segmentation of highest summed log-probability is
 * found by Viterbi, in double as the reference programs do: of two equal ones
 * the one whose last piece begins earlier stands.  A code point that no token
 * covers costs the lowest score less UNKNOWN_PENALTY; unknown neighbours join.
 *
 * All pieces that begin at a place are found by probing the token table with
 * the running hash of ever longer prefixes; where no token has U+2581 inside,
 * the text is cut before each U+2581 first, which keeps the lattice small.
 *
 * charsmap, the normaliser in the model file: u32 size of the trie in bytes,
 * the trie, replacement strings ending in NUL.  The trie is a double array
 * (Darts-clone): unit = value | offset << 10 | extended offset (bit 9) | has a
 * leaf (bit 8) | label (bits 0-7); a leaf unit has bit 31 set and a value.  The
 * longest match at each place is replaced. */
#include <string.h>

#include "base/mem.h"
#include "model/tok_int.h"
#include "text/utf8.h"

#define UNKNOWN_PENALTY 10.0f
static const char mark[3] = { '\xE2', '\x96', '\x81' };

typedef struct tok_best { /* of all ways to reach a byte offset */
    double score;
    int32_t id;    /* the last token */
    uint32_t from; /* where it begins */
} tok_best;

/* --------------------------------------------------------------- normaliser */

void tok_norm_release(tok_norm *m)
{
    lf_free(m->map);
    lf_free(m->map_at);
    lf_free(m->map_out);
    lf_free(m->blob);
    *m = (tok_norm){ 0 };
}

lf_status tok_norm_charsmap(tok_norm *m, const uint8_t *data, size_t n, lf_err *err)
{
    if (n == 0)
        return LF_OK;
    uint32_t trie_bytes = 0;
    if (n >= 4)
        trie_bytes =
            data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
    if (n < 8 || trie_bytes < 4 || trie_bytes % 4 || trie_bytes > n - 4)
        return lf_fail(err, LF_ERR_FORMAT,
                       "tokenizer charsmap: a trie of %u bytes in %zu bytes is not possible",
                       (unsigned)trie_bytes, n);
    m->blob = lf_alloc(n + 1);
    if (!m->blob)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a charsmap of %zu bytes", n);
    memcpy(m->blob, data, n);
    m->blob[n] = 0; /* the last replacement ends in any case */
    m->trie_units = trie_bytes / 4;
    m->text_at = 4 + (size_t)trie_bytes;
    m->blob_len = n;
    return LF_OK;
}

lf_status tok_norm_map(tok_norm *m, const int32_t *v, size_t n, lf_err *err)
{
    size_t n_map = 0, n_out = 0;
    for (size_t i = 0; i < n; n_map++) {
        if (n - i < 2 || v[i + 1] < 0 || (size_t)v[i + 1] > n - i - 2)
            return lf_fail(err, LF_ERR_FORMAT,
                           "tokenizer.landfall.charmap: entry %zu ends after the array", n_map);
        n_out += (size_t)v[i + 1];
        i += 2 + (size_t)v[i + 1];
    }
    m->map = lf_alloc((n_map + 1) * sizeof(*m->map));
    m->map_at = lf_alloc((n_map + 1) * sizeof(*m->map_at));
    m->map_out = lf_alloc((n_out + 1) * sizeof(*m->map_out));
    if (!m->map || !m->map_at || !m->map_out)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a normaliser of %zu entries", n_map);
    size_t k = 0, o = 0;
    for (size_t i = 0; i < n; k++) {
        m->map[k] = (uint32_t)v[i];
        m->map_at[k] = (uint32_t)o;
        if (k && m->map[k] <= m->map[k - 1])
            return lf_fail(err, LF_ERR_FORMAT,
                           "tokenizer.landfall.charmap: entry %zu (U+%04X) is not above U+%04X", k,
                           (unsigned)m->map[k], (unsigned)m->map[k - 1]);
        for (int32_t j = 0; j < v[i + 1]; j++)
            m->map_out[o++] = (uint32_t)v[i + 2 + (size_t)j];
        i += 2 + (size_t)v[i + 1];
    }
    m->map_at[k] = (uint32_t)o;
    m->n_map = k;
    return LF_OK;
}

static uint32_t unit_at(const tok_norm *m, size_t i)
{
    if (i >= m->trie_units)
        return 0; /* label 0, no leaf: the walk ends */
    const uint8_t *p = m->blob + 4 + 4 * i;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t unit_offset(uint32_t u)
{
    return (size_t)(u >> 10) << ((u & (1u << 9)) >> 6);
}

/* Length of the longest key at p, its replacement in `*text`; 0 = none. */
static size_t charsmap_match(const tok_norm *m, const char *p, size_t n, const char **text)
{
    size_t best = 0, at = unit_offset(unit_at(m, 0));
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)p[i];
        at ^= c;
        const uint32_t u = unit_at(m, at);
        if (c == 0 || (u & (1u << 31 | 0xFF)) != c)
            break;
        at ^= unit_offset(u);
        if (u & (1u << 8)) {
            const size_t value = unit_at(m, at) & 0x7FFFFFFF;
            if (value < m->blob_len - m->text_at) {
                best = i + 1;
                *text = (const char *)m->blob + m->text_at + value;
            }
        }
    }
    return best;
}

static bool map_find(const tok_norm *m, uint32_t cp, size_t *at)
{
    size_t lo = 0, hi = m->n_map;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        if (m->map[mid] < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    *at = lo;
    return lo < m->n_map && m->map[lo] == cp;
}

void tok_norm_apply(const tok_norm *m, const char *text, size_t n, lf_buf *out)
{
    const char *p = text, *end = text + n;
    while (p < end) {
        const char *replaced = NULL;
        const size_t k = m->blob ? charsmap_match(m, p, (size_t)(end - p), &replaced) : 0;
        if (k) {
            lf_buf_add_str(out, replaced);
            p += k;
            continue;
        }
        const char *start = p;
        const uint32_t cp = lf_utf8_next(&p, end);
        size_t at;
        char utf8[4];
        if (m->n_map && map_find(m, cp, &at)) {
            for (uint32_t i = m->map_at[at]; i < m->map_at[at + 1]; i++)
                lf_buf_add(out, utf8, lf_utf8_put(m->map_out[i], utf8));
        } else if (cp == 0xFFFD) {
            lf_buf_add(out, utf8, lf_utf8_put(cp, utf8)); /* also for a bad byte */
        } else {
            lf_buf_add(out, start, (size_t)(p - start));
        }
    }
}

/* --------------------------------------------------------------- the lattice */

void tok_unigram_prepare(lf_tokenizer *t)
{
    float low = 0;
    bool any = false;
    for (size_t i = 0; i < t->n_vocab; i++) {
        if (tok_type(t, (int32_t)i) == TOK_NORMAL && (!any || t->score[i] < low)) {
            low = t->score[i];
            any = true;
        }
        if (tok_type(t, (int32_t)i) == TOK_USER)
            t->score[i] = 0; /* preferred to any split of it */
    }
    t->unk_score = low - UNKNOWN_PENALTY;
    tok_find_head_marks(t);
}

static void offer(tok_best *b, double score, int32_t id, uint32_t from)
{
    if (b->id == INT32_MIN || score > b->score)
        *b = (tok_best){ .score = score, .id = id, .from = from };
}

/* The best segmentation of p[0..n), appended in order. */
static lf_status segment(tok_work *w, const char *p, size_t n, bool *after_unk)
{
    const lf_tokenizer *t = w->t;
    lf_status st = tok_grow((void **)&w->best, &w->cap_best, n + 1, sizeof(*w->best), w->err);
    if (st != LF_OK)
        return st;
    tok_best *best = w->best;
    for (size_t i = 0; i <= n; i++)
        best[i].id = INT32_MIN;
    best[0] = (tok_best){ .id = -1 };
    size_t char_len;
    for (size_t at = 0; at < n; at += char_len) {
        char_len = lf_utf8_seq(p + at, p + n);
        char_len = char_len ? char_len : 1;
        const size_t most = n - at < t->max_len ? n - at : t->max_len;
        bool single = false;
        uint64_t h = TOK_HASH_START;
        for (size_t k = 0; k < most;) {
            h = tok_hash_add(h, (unsigned char)p[at + k++]);
            if (k < n - at && ((unsigned char)p[at + k] & 0xC0) == 0x80)
                continue; /* tokens end with a character */
            const int32_t id = tok_lookup_hash(t, &t->words, tok_hash_end(h), p + at, k);
            if (id < 0)
                continue;
            single = single || k == char_len;
            offer(&best[at + k], best[at].score + (double)t->score[id], id, (uint32_t)at);
        }
        if (!single)
            offer(&best[at + char_len], best[at].score + (double)t->unk_score, t->unk,
                  (uint32_t)at);
    }
    const size_t start = w->out->n;
    for (size_t at = n; st == LF_OK && at > 0; at = best[at].from)
        st = tok_emit(w, best[at].id);
    if (st != LF_OK)
        return st;
    int32_t *ids = w->out->ids;
    for (size_t i = start, j = w->out->n; i + 1 < j; i++) {
        const int32_t swap = ids[i];
        ids[i] = ids[--j];
        ids[j] = swap;
    }
    size_t k = start;
    for (size_t i = start; i < w->out->n; i++) {
        const bool unk = ids[i] == t->unk;
        if (!(unk && *after_unk))
            ids[k++] = ids[i];
        *after_unk = unk;
    }
    w->out->n = k;
    return LF_OK;
}

/* Length of the space at p, 0 when there is none. */
static size_t space_at(const lf_tokenizer *t, const char *p, const char *end)
{
    if (*p == ' ')
        return 1;
    if (end - p >= 3 && memcmp(p, mark, 3) == 0)
        return 3;
    const char *q = p;
    return t->any_space && lf_cp_is_space(lf_utf8_next(&q, end)) ? (size_t)(q - p) : 0;
}

/* Spaces to marks: one before the text, runs made one and none at the end. */
static void mark_spaces(const lf_tokenizer *t, const char *p, size_t n, lf_buf *out)
{
    const char *end = p + n;
    bool pending = t->dummy_prefix && !(n && !t->squeeze_spaces && space_at(t, p, end));
    bool any = false;
    while (p < end) {
        const size_t space = space_at(t, p, end);
        if (space == 0) {
            if (pending && (any || t->dummy_prefix))
                lf_buf_add(out, mark, 3);
            pending = false;
            any = true;
            lf_buf_add_char(out, *p++);
            continue;
        }
        p += space;
        if (t->squeeze_spaces)
            pending = true;
        else
            lf_buf_add(out, mark, 3);
    }
}

lf_status tok_unigram_text(tok_work *w, const char *text, size_t n)
{
    lf_buf_clear(&w->norm);
    lf_buf_clear(&w->text);
    tok_norm_apply(&w->t->norm, text, n, &w->norm);
    mark_spaces(w->t, lf_buf_cstr(&w->norm), w->norm.len, &w->text);
    if (w->norm.failed || w->text.failed)
        return lf_fail(w->err, LF_ERR_NOMEM, "no memory to tokenize %zu bytes", n);
    const char *p = lf_buf_cstr(&w->text), *end = p + w->text.len, *word = p;
    bool after_unk = false;
    lf_status st = LF_OK;
    if (!w->t->head_marks)
        return w->text.len ? segment(w, p, w->text.len, &after_unk) : LF_OK;
    for (; st == LF_OK && p < end; p++) {
        const bool is_mark = end - p >= 3 && memcmp(p, mark, 3) == 0;
        if (is_mark && p > word && (p - word < 3 || memcmp(p - 3, mark, 3) != 0)) {
            st = segment(w, word, (size_t)(p - word), &after_unk);
            word = p;
        }
    }
    return st == LF_OK && end > word ? segment(w, word, (size_t)(end - word), &after_unk) : st;
}

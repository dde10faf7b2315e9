/* text/terms.c - from characters to term ids.
 *
 * The text is folded code point by code point into parallel arrays (folded code
 * point, offset of its source), in windows that end at a character which is part
 * of no term, so that memory does not grow with the text.  Then runs of one
 * script class are cut into terms. */
#include "text/terms.h"

#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "text/fold.h"
#include "text/segment.h"
#include "text/stop_words.h"
#include "text/utf8.h"

typedef enum cls { C_OTHER, C_HAN, C_DENSE /* no spaces between words */, C_LETTER, C_DIGIT } cls;

enum { WINDOW = 4096, WORD_BYTES = 128, N_STOP_MAX = 512 };

struct lf_analyzer {
    struct sb_stemmer *english;
    size_t n; /* folded code points in the window */
    uint32_t cp[WINDOW + LF_CP_FOLD_MAX], at[WINDOW + LF_CP_FOLD_MAX];
    uint8_t cls[WINDOW + LF_CP_FOLD_MAX];
    uint64_t stop[N_STOP_MAX]; /* ids, ascending */
    size_t n_stop;
};

void lf_terms_release(lf_terms *t)
{
    lf_free(t->v);
    *t = (lf_terms){ 0 };
}

static cls classify(uint32_t c)
{
    if (c < 0x80)
        return (c >= 'a' && c <= 'z') ? C_LETTER : (c >= '0' && c <= '9') ? C_DIGIT : C_OTHER;
    if (lf_cp_is_han(c))
        return C_HAN;
    if ((c >= 0x3041 && c <= 0x30FF) || (c >= 0xAC00 && c <= 0xD7A3) ||
        (c >= 0x1100 && c <= 0x11FF) || (c >= 0x0E00 && c <= 0x0EFF) ||
        (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF))
        return C_DENSE;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MC:
        return C_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
        return C_DIGIT;
    default:
        return C_OTHER;
    }
}

static uint64_t id_of(const void *p, size_t n_bytes)
{
    /* 63 bits: the id is an INTEGER key in the state file, kept positive */
    const uint64_t h = lf_hash64(p, n_bytes) >> 1;
    return h ? h : 1;
}

static bool is_stop(const lf_analyzer *a, uint64_t id)
{
    size_t lo = 0, hi = a->n_stop;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (a->stop[mid] < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < a->n_stop && a->stop[lo] == id;
}

static lf_status push(const lf_analyzer *a, lf_terms *out, uint64_t id, lf_term_kind kind,
                      uint32_t start, uint32_t end, lf_err *err)
{
    if (out->n == out->cap) {
        const size_t cap = out->cap ? out->cap * 2 : 256;
        lf_term *grown = lf_realloc(out->v, cap * sizeof *grown);
        if (!grown)
            return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu terms", cap);
        out->v = grown;
        out->cap = cap;
    }
    out->v[out->n++] = (lf_term){
        .id = id, .start = start, .end = end, .kind = (uint8_t)kind, .is_stop = is_stop(a, id)
    };
    return LF_OK;
}

static lf_status push_cps(const lf_analyzer *a, lf_terms *out, size_t i, size_t n,
                          lf_term_kind kind, lf_err *err)
{
    return push(a, out, id_of(a->cp + i, n * sizeof a->cp[0]), kind, a->at[i], a->at[i + n - 1] + 1,
                err);
}

/* ---- scripts without spaces ---- */

static lf_status han_run(const lf_analyzer *a, size_t i, size_t n, lf_terms *out, lf_err *err)
{
    uint8_t lens[LF_SEGMENT_MAX];
    lf_status st = LF_OK;
    lf_segment(a->cp + i, n, lens);
    for (size_t k = 0; k < n && st == LF_OK; k++) {
        const bool name = lens[k] > 1 && lf_segment_is_name(a->cp + i + k, lens[k]);
        if (lens[k] == 1 || lens[k] > 2) {
            st = push_cps(a, out, i + k, lens[k], LF_TERM_WORD, err);
            if (st == LF_OK)
                out->v[out->n - 1].is_name = name;
        }
        if (k + 1 < n && st == LF_OK)
            st = push_cps(a, out, i + k, 2, lens[k] == 2 ? LF_TERM_PAIR_WORD : LF_TERM_PAIR, err);
        if (st == LF_OK && lens[k] == 2)
            out->v[out->n - 1].is_name = name;
    }
    return st;
}

static lf_status dense_run(const lf_analyzer *a, size_t i, size_t n, lf_terms *out, lf_err *err)
{
    lf_status st = LF_OK;
    if (n == 1)
        return push_cps(a, out, i, 1, LF_TERM_WORD, err);
    for (size_t k = 0; k + 1 < n && st == LF_OK; k++)
        st = push_cps(a, out, i + k, 2, LF_TERM_PAIR_WORD, err);
    return st;
}

/* ---- words and numbers ---- */

static bool is_alnum(uint8_t c)
{
    return c == C_LETTER || c == C_DIGIT;
}

/* UTF-8 of folded code points; a word longer than the buffer is cut there. */
static size_t encode(const uint32_t *cp, size_t n, char out[WORD_BYTES])
{
    size_t len = 0;
    for (size_t i = 0; i < n && len + 4 <= WORD_BYTES; i++)
        len += lf_utf8_put(cp[i], out + len);
    return len;
}

static uint64_t word_id(const lf_analyzer *a, const char *word, size_t len)
{
    bool english = len > 2;
    for (size_t i = 0; i < len && english; i++)
        english = word[i] >= 'a' && word[i] <= 'z';
    if (!english)
        return id_of(word, len);
    const sb_symbol *stem = sb_stemmer_stem(a->english, (const sb_symbol *)word, (int)len);
    return stem ? id_of(stem, (size_t)sb_stemmer_length(a->english)) : id_of(word, len);
}

/* A run of letters and digits at i: its length; inner separators of numbers count. */
static size_t word_length(const lf_analyzer *a, size_t i)
{
    size_t n = i;
    while (n < a->n) {
        const bool number_sep = (a->cp[n] == '.' || a->cp[n] == ',') && n > i && n + 1 < a->n &&
                                a->cls[n - 1] == C_DIGIT && a->cls[n + 1] == C_DIGIT;
        if (!is_alnum(a->cls[n]) && !number_sep)
            break;
        n++;
    }
    return n - i;
}

static lf_status push_word(const lf_analyzer *a, size_t i, size_t n, lf_terms *out, lf_err *err)
{
    uint32_t kept[WORD_BYTES];
    char word[WORD_BYTES];
    size_t m = 0;
    for (size_t k = 0; k < n && m < WORD_BYTES; k++)
        if (a->cp[i + k] != ',') /* 1,000 is 1000 */
            kept[m++] = a->cp[i + k];
    const size_t len = encode(kept, m, word);
    return push(a, out, word_id(a, word, len), LF_TERM_WORD, a->at[i], a->at[i + n - 1] + 1, err);
}

static bool is_joiner(uint32_t c)
{
    return c == '-' || c == '_' || c == '.' || c == '/' || c == '\'' || c == '&' || c == '+' ||
           c == 0x2019 || c == 0x2010 || c == 0x2011 || c == 0x2013;
}

/* Words joined without space: each part, then the whole without its joiners. */
static lf_status compound(const lf_analyzer *a, size_t *pos, lf_terms *out, lf_err *err)
{
    uint32_t whole[WORD_BYTES];
    char word[WORD_BYTES];
    size_t n_whole = 0, n_parts = 0, i = *pos, end = i;
    lf_status st = LF_OK;
    for (;;) {
        const size_t n = word_length(a, i);
        st = push_word(a, i, n, out, err);
        for (size_t k = 0; k < n && n_whole < WORD_BYTES; k++)
            if (a->cp[i + k] != ',')
                whole[n_whole++] = a->cp[i + k];
        n_parts++;
        end = i + n;
        if (st != LF_OK || end + 1 >= a->n || !is_joiner(a->cp[end]) || !is_alnum(a->cls[end + 1]))
            break;
        i = end + 1;
    }
    /* "C++", "C#": the signs are part of a one-letter name */
    if (n_parts == 1 && end - *pos == 1 && a->cls[*pos] == C_LETTER)
        while (end < a->n && (a->cp[end] == '+' || a->cp[end] == '#') && n_whole < 4)
            whole[n_whole++] = a->cp[end++], n_parts = 2;
    if (st == LF_OK && n_parts > 1) {
        const size_t len = encode(whole, n_whole, word);
        st = push(a, out, id_of(word, len), LF_TERM_COMPOUND, a->at[*pos], a->at[end - 1] + 1, err);
    }
    *pos = end;
    return st;
}

/* ---- windows ---- */

static lf_status cut_window(const lf_analyzer *a, lf_terms *out, lf_err *err)
{
    lf_status st = LF_OK;
    for (size_t i = 0; i < a->n && st == LF_OK;) {
        const uint8_t c = a->cls[i];
        size_t n = 1;
        if (is_alnum(c)) {
            st = compound(a, &i, out, err);
            continue;
        }
        while (i + n < a->n && a->cls[i + n] == c && n < LF_SEGMENT_MAX)
            n++;
        if (c == C_HAN)
            st = han_run(a, i, n, out, err);
        else if (c == C_DENSE)
            st = dense_run(a, i, n, out, err);
        i += n;
    }
    return st;
}

lf_status lf_analyzer_terms(lf_analyzer *a, const char *p, size_t n_bytes, lf_terms *out,
                            lf_err *err)
{
    const char *const end = p + n_bytes;
    lf_status st = LF_OK;
    uint32_t at = 0;
    a->n = 0;
    while (p < end && st == LF_OK) {
        uint32_t folded[LF_CP_FOLD_MAX];
        const size_t n = lf_cp_fold(lf_utf8_next(&p, end), folded);
        for (size_t i = 0; i < n; i++) {
            a->cp[a->n] = folded[i];
            a->at[a->n] = at;
            a->cls[a->n++] = (uint8_t)classify(folded[i]);
        }
        at++;
        /* a break after a character that joins nothing; or the window is full */
        const bool is_break = a->n && a->cls[a->n - 1] == C_OTHER && !is_joiner(a->cp[a->n - 1]) &&
                              a->cp[a->n - 1] != ',' && a->cp[a->n - 1] != '#';
        if (a->n >= WINDOW || (is_break && a->n > WINDOW / 2)) {
            st = cut_window(a, out, err);
            a->n = 0;
        }
    }
    if (st == LF_OK)
        st = cut_window(a, out, err);
    a->n = 0;
    return st;
}

/* ---- opening ---- */

static int by_id(const void *x, const void *y)
{
    const uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* The ids of the stop words, found by cutting each as any text is cut. */
static lf_status load_stop_words(lf_analyzer *a, lf_err *err)
{
    lf_terms t = { 0 };
    lf_status st = LF_OK;
    for (size_t i = 0; i < lf_n_stop_words && st == LF_OK; i++) {
        t.n = 0;
        st = lf_analyzer_terms(a, lf_stop_words[i], strlen(lf_stop_words[i]), &t, err);
        for (size_t k = 0; k < t.n && a->n_stop < N_STOP_MAX; k++)
            if (t.v[k].end - t.v[k].start ==
                lf_utf8_count(lf_stop_words[i], strlen(lf_stop_words[i])))
                a->stop[a->n_stop++] = t.v[k].id;
        /* sorted only after all are in, so that none hides another meanwhile */
    }
    qsort(a->stop, a->n_stop, sizeof a->stop[0], by_id);
    lf_terms_release(&t);
    return st;
}

lf_status lf_analyzer_open(lf_analyzer **out, lf_err *err)
{
    lf_analyzer *a = lf_calloc(1, sizeof *a);
    lf_status st = LF_OK;
    if (a)
        a->english = sb_stemmer_new("english", "UTF_8");
    if (!a || !a->english)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the text analyzer");
    else
        st = load_stop_words(a, err);
    if (st != LF_OK) {
        lf_analyzer_close(a);
        return st;
    }
    *out = a;
    return LF_OK;
}

void lf_analyzer_close(lf_analyzer *a)
{
    if (!a)
        return;
    if (a->english)
        sb_stemmer_delete(a->english);
    lf_free(a);
}

/* guard/reading.c - one analysis of a text for all of guard's questions about it. */
#include "guard/reading_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

void lf_reading_release(lf_reading *r)
{
    lf_terms_release(&r->terms);
    lf_free(r->ids);
    lf_free(r->weights);
    lf_facts_release(&r->facts);
    lf_spans_release(&r->sentences);
    *r = (lf_reading){ 0 };
}

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static lf_status index_ids(lf_reading *r, lf_err *err)
{
    size_t n = 0;
    r->ids = lf_alloc((r->terms.n + 1) * sizeof *r->ids);
    if (!r->ids)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu terms", r->terms.n);
    for (size_t i = 0; i < r->terms.n; i++)
        r->ids[i] = r->terms.v[i].id;
    qsort(r->ids, r->terms.n, sizeof *r->ids, by_id);
    for (size_t i = 0; i < r->terms.n; i++)
        if (n == 0 || r->ids[n - 1] != r->ids[i])
            r->ids[n++] = r->ids[i];
    r->n_ids = n;
    return LF_OK;
}

/* Part of a number, in digits or in numerals? */
static bool is_number_at(const lf_reading *r, const lf_term *t)
{
    for (size_t i = 0; i < r->facts.n_numbers; i++)
        if (t->start < r->facts.numbers[i].end && t->end > r->facts.numbers[i].start)
            return true;
    return false;
}

static bool is_digit_at(const lf_reading *r, uint32_t start)
{
    const lf_str s = lf_reading_slice(r, start, start + 1);
    const char *p = s.p;
    const uint32_t c = s.len ? lf_utf8_next(&p, s.p + s.len) : 0;
    return (c >= '0' && c <= '9') || (c >= 0xFF10 && c <= 0xFF19);
}

/* Is the pair at i outside of words of two and more, and of stop words? */
static bool is_loose_pair(const lf_reading *r, size_t i)
{
    const lf_term *t = &r->terms.v[i];
    size_t lo = i, hi = i;
    while (lo > 0 && t->start - r->terms.v[lo - 1].start < 12)
        lo--;
    while (hi + 1 < r->terms.n && r->terms.v[hi + 1].start < t->end)
        hi++;
    for (size_t k = lo; k <= hi; k++) {
        const lf_term *o = &r->terms.v[k];
        const bool overlaps = o->start < t->end && o->end > t->start;
        const bool word = o->kind == LF_TERM_PAIR_WORD ||
                          (o->kind == LF_TERM_WORD && (o->end - o->start > 1 || o->is_stop));
        if (k != i && overlaps && word)
            return false;
    }
    return true;
}

static lf_status weigh_terms(lf_reading *r, lf_err *err)
{
    r->weights = lf_calloc(r->terms.n + 1, sizeof *r->weights);
    if (!r->weights)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu terms", r->terms.n);
    for (size_t i = 0; i < r->terms.n; i++) {
        const lf_term *t = &r->terms.v[i];
        const uint32_t n = t->end - t->start;
        if (t->is_stop || is_digit_at(r, t->start) || is_number_at(r, t))
            continue;
        if (t->kind == LF_TERM_PAIR)
            r->weights[i] = is_loose_pair(r, i) ? 1.0f : 0.0f;
        else if (t->kind == LF_TERM_WORD)
            r->weights[i] = n == 1 ? 0.2f : n > 2 ? 1.3f : 1.0f;
        else
            r->weights[i] = 1.0f;
    }
    return LF_OK;
}

lf_status lf_reading_take(lf_analyzer *a, const char *text, bool sentences, lf_reading *out,
                          lf_err *err)
{
    lf_status st;
    lf_reading r = { .text = text ? text : "" };
    r.n_bytes = strlen(r.text);
    st = lf_analyzer_terms(a, r.text, r.n_bytes, &r.terms, err);
    if (st == LF_OK)
        st = index_ids(&r, err);
    if (st == LF_OK)
        st = lf_facts_read(r.text, r.n_bytes, &r.facts, err);
    if (st == LF_OK)
        st = weigh_terms(&r, err);
    if (st == LF_OK && sentences)
        st = lf_sentences(r.text, r.n_bytes, 0, &r.sentences, err);
    if (st != LF_OK) {
        lf_reading_release(&r);
        return st;
    }
    *out = r;
    return LF_OK;
}

bool lf_reading_has(const lf_reading *r, uint64_t term_id)
{
    return r->n_ids > 0 && bsearch(&term_id, r->ids, r->n_ids, sizeof *r->ids, by_id) != NULL;
}

bool lf_reading_has_name(const lf_reading *r, uint64_t name_id)
{
    for (size_t i = 0; i < r->facts.n_names; i++)
        if (r->facts.names[i].id == name_id)
            return true;
    return false;
}

bool lf_reading_has_in(const lf_reading *r, uint64_t term_id, uint32_t start, uint32_t end)
{
    size_t lo = 0, hi = r->terms.n;
    while (lo < hi) { /* first term that starts at or after `start` */
        const size_t mid = lo + (hi - lo) / 2;
        if (r->terms.v[mid].start < start)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < r->terms.n && r->terms.v[lo].start < end; lo++)
        if (r->terms.v[lo].id == term_id)
            return true;
    return false;
}

double lf_reading_weight(const lf_reading *r, const lf_term *t)
{
    return (double)r->weights[t - r->terms.v];
}

bool lf_reading_allows(const lf_reading *r, const lf_number *n, uint32_t start, uint32_t end)
{
    bool any = false;
    for (size_t i = 0; i < r->facts.n_numbers; i++) {
        const lf_number *m = &r->facts.numbers[i];
        if (m->start < start || m->start >= end || m->limit == LF_LIMIT_NONE)
            continue;
        if (!lf_number_within(n, m))
            return false;
        any = true;
    }
    return any;
}

bool lf_reading_is_han(const lf_reading *r)
{
    return 3 * r->facts.n_han > r->facts.n_letters;
}

bool lf_reading_is_row(const lf_reading *r, uint32_t start, uint32_t end)
{
    const lf_str t = lf_reading_slice(r, start, end);
    return lf_sentence_is_row(t.p, t.len);
}

lf_str lf_reading_slice(const lf_reading *r, uint32_t start, uint32_t end)
{
    const size_t a = lf_utf8_offset(r->text, r->n_bytes, start);
    const size_t b = a + lf_utf8_offset(r->text + a, r->n_bytes - a, end > start ? end - start : 0);
    return (lf_str){ .p = r->text + a, .len = b - a };
}

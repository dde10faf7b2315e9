/* text/diff.c - the longest common subsequence of two lists of pieces.
 *
 * What both texts begin and end with is set aside; a table of lengths over the rest
 * gives the steps, removals before additions. */
#include "text/diff.h"

#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

typedef struct pieces {
    lf_str *v;
    size_t n;
} pieces;

/* Does the character go on with the word before it? */
static bool in_word(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') ||
           (cp >= 0xC0 && cp < 0x2000);
}

static lf_status cut(lf_str s, pieces *out, lf_err *err)
{
    const char *p = s.p, *end = s.p + s.len;
    out->v = lf_alloc((s.len + 1) * sizeof *out->v);
    if (!out->v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to compare two texts");
    while (p < end) {
        const char *from = p, *next = p;
        if (in_word(lf_utf8_next(&next, end)))
            for (p = next; next < end && in_word(lf_utf8_next(&next, end));)
                p = next;
        else
            p = next;
        out->v[out->n++] = (lf_str){ from, (size_t)(p - from) };
    }
    return LF_OK;
}

static bool same(lf_str a, lf_str b)
{
    return a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* A step; pieces of one kind that follow each other are one. */
static void add(lf_diff *d, lf_diff_op op, lf_str piece)
{
    lf_diff_step *last = d->n ? &d->v[d->n - 1] : NULL;
    if (last && last->op == op)
        last->text.len += piece.len;
    else
        d->v[d->n++] = (lf_diff_step){ op, piece };
}

/* longest[i][j]: of a[i..] and b[j..], a row of nb + 1 each. */
static lf_status middle(const lf_str *a, size_t na, const lf_str *b, size_t nb, lf_diff *d,
                        lf_err *err)
{
    const size_t w = nb + 1;
    size_t i = 0, j = 0;
    uint16_t *longest = NULL;
    if (na <= LF_DIFF_PIECES_MAX && nb <= LF_DIFF_PIECES_MAX) {
        longest = lf_calloc((na + 1) * w, sizeof *longest);
        if (!longest)
            return lf_fail(err, LF_ERR_NOMEM, "no memory to compare two texts");
        for (size_t x = na; x-- > 0;)
            for (size_t y = nb; y-- > 0;) {
                const uint16_t down = longest[(x + 1) * w + y], right = longest[x * w + y + 1];
                longest[x * w + y] = same(a[x], b[y]) ? (uint16_t)(longest[(x + 1) * w + y + 1] + 1)
                                     : down > right   ? down
                                                      : right;
            }
    }
    while (longest && i < na && j < nb) {
        if (same(a[i], b[j])) {
            add(d, LF_DIFF_SAME, a[i]);
            i++;
            j++;
        } else if (longest[(i + 1) * w + j] >= longest[i * w + j + 1]) {
            add(d, LF_DIFF_REMOVED, a[i++]);
        } else {
            add(d, LF_DIFF_ADDED, b[j++]);
        }
    }
    while (i < na)
        add(d, LF_DIFF_REMOVED, a[i++]);
    while (j < nb)
        add(d, LF_DIFF_ADDED, b[j++]);
    lf_free(longest);
    return LF_OK;
}

lf_status lf_diff_texts(lf_str before, lf_str after, lf_diff *out, lf_err *err)
{
    pieces a = { 0 }, b = { 0 };
    lf_diff d = { 0 };
    size_t head = 0, tail = 0;
    lf_status st = cut(before, &a, err);
    if (st == LF_OK)
        st = cut(after, &b, err);
    if (st == LF_OK) {
        d.v = lf_alloc((a.n + b.n + 1) * sizeof *d.v);
        if (!d.v)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to compare two texts");
    }
    if (st == LF_OK) {
        while (head < a.n && head < b.n && same(a.v[head], b.v[head]))
            add(&d, LF_DIFF_SAME, a.v[head++]);
        while (tail < a.n - head && tail < b.n - head &&
               same(a.v[a.n - 1 - tail], b.v[b.n - 1 - tail]))
            tail++;
        st = middle(a.v + head, a.n - head - tail, b.v + head, b.n - head - tail, &d, err);
        for (size_t i = a.n - tail; i < a.n; i++)
            add(&d, LF_DIFF_SAME, a.v[i]);
    }
    lf_free(a.v);
    lf_free(b.v);
    if (st != LF_OK) {
        lf_diff_release(&d);
        return st;
    }
    *out = d;
    return LF_OK;
}

void lf_diff_release(lf_diff *d)
{
    lf_free(d->v);
    *d = (lf_diff){ 0 };
}

/* guard/pairs.c - "A、B 和 C 分别为 1、2 和 3": the first of these belongs to the first of those.
 *
 * What stands before "分别" in its clause and what stands after it are cut at "、", "和",
 * "及" and "与".  Of a statement that takes one of the keys and one of the figures, both have
 * to stand in the same place. */
#include <string.h>

#include "guard/align_int.h"
#include "text/utf8.h"

enum { PAIRS_MAX = 8 };

/* A figure, beside words of weight 1: words of the first piece may be said of all. */
static const double figure_weight = 8;

typedef struct row { /* pieces of a clause, in order */
    lf_span v[PAIRS_MAX];
    size_t n;
} row;

/* The comma of "1,000" does not. */
static bool ends_clause(const char *before, const char *c, const char *e)
{
    const char *next = c;
    const uint32_t cp = lf_utf8_next(&next, e);
    const bool grouping = cp == ',' && c > before && c[-1] >= '0' && c[-1] <= '9' && next < e &&
                          *next >= '0' && *next <= '9';
    return (cp == ',' && !grouping) || cp == 0xFF0C || cp == 0x3002 || cp == 0xFF1B || cp == ';' ||
           cp == 0xFF1A || cp == '\n';
}

static bool joins(uint32_t c)
{
    return c == 0x3001 || c == 0x548C || c == 0x53CA || c == 0x4E0E; /* 、和及与 */
}

/* Cut [start, end) at what joins; none where there are more than PAIRS_MAX pieces. */
static row cut(const lf_reading *p, uint32_t start, uint32_t end)
{
    const lf_str s = lf_reading_slice(p, start, end);
    const char *c = s.p, *e = s.p + s.len;
    row out = { .n = 0 };
    uint32_t from = start;
    for (uint32_t i = start; i <= end; i++) {
        const uint32_t cp = c < e ? lf_utf8_next(&c, e) : 0;
        if (i < end && !joins(cp))
            continue;
        if (i > from) {
            if (out.n == PAIRS_MAX)
                return (row){ .n = 0 };
            out.v[out.n++] = (lf_span){ from, i };
        }
        from = i + 1;
    }
    return out;
}

/* From where, and up to where, the clause goes that has [at, at + 2). */
static lf_span clause_of(const lf_reading *p, lf_span run, uint32_t at)
{
    lf_span out = run;
    const lf_str s = lf_reading_slice(p, run.start, run.end);
    const char *c = s.p, *e = s.p + s.len;
    for (uint32_t i = run.start; c < e; i++, (void)lf_utf8_next(&c, e)) {
        if (!ends_clause(s.p, c, e))
            continue;
        if (i >= at) {
            out.end = i;
            break;
        }
        out.start = i + 1;
    }
    return out;
}

static bool has_figure(const lf_reading *p, lf_span in, const lf_number *n)
{
    for (size_t i = 0; i < p->facts.n_numbers; i++) {
        const lf_number *m = &p->facts.numbers[i];
        if (m->start >= in.start && m->start < in.end && lf_number_agrees(m, n))
            return true;
    }
    return false;
}

/* What the sentence says of piece `k` and of no other piece of the row, by weight. */
static double taken(const lf_align *j, const row *r, size_t k)
{
    double have = 0;
    for (size_t i = 0; i < j->s->facts.n_numbers; i++) {
        size_t in = 0;
        for (size_t o = 0; o < r->n; o++)
            in += has_figure(j->p, r->v[o], &j->s->facts.numbers[i]);
        if (in == 1 && has_figure(j->p, r->v[k], &j->s->facts.numbers[i]))
            have += figure_weight;
    }
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        size_t in = 0;
        for (size_t o = 0; o < r->n; o++)
            in += lf_reading_has_in(j->p, t->id, r->v[o].start, r->v[o].end);
        if (in == 1 && lf_reading_has_in(j->p, t->id, r->v[k].start, r->v[k].end))
            have += lf_reading_weight(j->s, t);
    }
    return have;
}

/* The piece that the sentence takes; the row's length where it takes none, or several
 * alike. */
static size_t the_one(const lf_align *j, const row *r)
{
    double most = 0;
    size_t found = r->n;
    for (size_t k = 0; k < r->n; k++) {
        const double have = taken(j, r, k);
        if (have == most)
            found = r->n;
        if (have > most) {
            most = have;
            found = k;
        }
    }
    return found;
}

/* Of "东炉、西炉和北炉的良率" the last piece without what is said of all. */
static void drop_common(const lf_reading *p, row *keys)
{
    lf_span *last = &keys->v[keys->n - 1];
    const lf_str s = lf_reading_slice(p, last->start, last->end);
    const char *of = memmem(s.p, s.len, "的", strlen("的"));
    if (of && of > s.p)
        last->end = last->start + (uint32_t)lf_utf8_count(s.p, (size_t)(of - s.p));
}

/* Is there a figure in every piece? */
static bool all_figures(const lf_reading *p, const row *r)
{
    for (size_t k = 0; k < r->n; k++) {
        bool any = false;
        for (size_t i = 0; i < p->facts.n_numbers && !any; i++)
            any = p->facts.numbers[i].start >= r->v[k].start &&
                  p->facts.numbers[i].start < r->v[k].end;
        if (!any)
            return false;
    }
    return r->n > 1;
}

bool lf_align_mispaired(const lf_align *j, lf_span run)
{
    static const char word[] = "分别";
    const lf_str s = lf_reading_slice(j->p, run.start, run.end);
    const char *at = s.p;
    while ((at = memmem(at, s.len - (size_t)(at - s.p), word, sizeof word - 1)) != NULL) {
        const uint32_t pos = run.start + (uint32_t)lf_utf8_count(s.p, (size_t)(at - s.p));
        const lf_span clause = clause_of(j->p, run, pos);
        row keys = cut(j->p, clause.start, pos), values = cut(j->p, pos + 2, clause.end);
        at += sizeof word - 1;
        if (!all_figures(j->p, &values) || keys.n < values.n)
            continue;
        /* what stands before the keys may have joints of its own */
        memmove(keys.v, keys.v + (keys.n - values.n), values.n * sizeof *keys.v);
        keys.n = values.n;
        drop_common(j->p, &keys);
        const size_t k = the_one(j, &keys), v = the_one(j, &values);
        if (k < keys.n && v < values.n && k != v)
            return true;
    }
    return false;
}

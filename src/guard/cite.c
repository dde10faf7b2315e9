/* guard/cite.c - the citation check.
 *
 * Every run of one to three neighbouring sentences of the passage, and every row of a
 * table, is a candidate for what the answer rests on.  The run that misses the fewest
 * numbers and names wins, then the one whose words cover the sentence best, less a small
 * cost for length; the verdict is about that run.  What it says of whom is compared in
 * guard/align.c.
 *
 * Thresholds  Chosen on the dev sets of tests/data/casebook and tests/data/guard; what
 *             they let pass and stop is in tests/unit/test_guard.c and docs/benchmarks.md. */
#include "guard/cite.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "guard/align_int.h"
#include "guard/claim_int.h"
#include "text/utf8.h"

enum { RUN_MAX = 3 };

static const double question_word = 0.25; /* weight of a word that the asker brought */
static const double run_cost = 0.06;      /* per further sentence in a run */
static const double coverage_min = 0.62;
static const double fresh_min = 0.70;
static const double similarity_min = 0.80; /* E5 cosines of unrelated texts are near 0.75 */

struct lf_cite_checker {
    lf_analyzer *an;
    lf_guard_embed embed; /* embed.embed NULL: none */
    float *vec;           /* 2 x dim */
};

typedef struct run {
    uint32_t start, end;
    size_t n_missing_numbers, n_missing_names;
    double coverage, fresh; /* fresh: of the words that the question lacks */
    double inside, rank;    /* inside: of all words alike, by the run alone */
} run;

lf_status lf_cite_open(const lf_guard_embed *embed, lf_cite_checker **out, lf_err *err)
{
    lf_status st;
    lf_cite_checker *c = lf_calloc(1, sizeof *c);
    if (!c)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the citation check");
    st = lf_analyzer_open(&c->an, err);
    if (st == LF_OK && embed && embed->embed && embed->dim > 0) {
        c->embed = *embed;
        c->vec = lf_calloc(2 * (size_t)embed->dim, sizeof *c->vec);
        if (!c->vec)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for vectors of %d", (int)embed->dim);
    }
    if (st != LF_OK) {
        lf_cite_close(c);
        return st;
    }
    *out = c;
    return LF_OK;
}

void lf_cite_close(lf_cite_checker *c)
{
    if (!c)
        return;
    lf_analyzer_close(c->an);
    lf_free(c->vec);
    lf_free(c);
}

static bool name_in(const lf_reading *r, uint64_t id, uint32_t start, uint32_t end)
{
    for (size_t i = 0; i < r->facts.n_names; i++) {
        const lf_name *m = &r->facts.names[i];
        if (m->id == id && m->start >= start && m->start < end)
            return true;
    }
    return false;
}

/* Is the sentence Chinese, also where it is mostly made of Latin names? */
static bool speaks_han(const lf_reading *r)
{
    static const char *const little[] = { "的", "是", "了", "由", "为", "在", "有" };
    for (size_t i = 0; i < sizeof little / sizeof little[0]; i++)
        if (memmem(r->text, r->n_bytes, little[i], strlen(little[i])))
            return true;
    return lf_reading_is_han(r);
}

/* Does the number stand in the passage, outside of the run?  For a row the other rows
 * do not count. */
static bool number_elsewhere(const lf_align *j, const lf_number *n, bool row)
{
    const lf_spans *ss = &j->p->sentences;
    if (!row)
        return lf_align_number_in(j->p, n, 0, UINT32_MAX);
    for (size_t k = 0; k < ss->n; k++)
        if (!lf_reading_is_row(j->p, ss->v[k].start, ss->v[k].end) &&
            lf_align_number_in(j->p, n, ss->v[k].start, ss->v[k].end))
            return true;
    return false;
}

static size_t missing_numbers(const lf_align *j, uint32_t start, uint32_t end)
{
    const bool row = lf_reading_is_row(j->p, start, end);
    size_t n = 0;
    for (size_t i = 0; i < j->s->facts.n_numbers; i++) {
        const lf_number *m = &j->s->facts.numbers[i];
        if (lf_align_broken_date(j, i, (lf_span){ start, end })) {
            n++;
            continue;
        }
        if (lf_align_number_in(j->p, m, start, end) ||
            (j->q && lf_align_number_in(j->q, m, 0, UINT32_MAX) &&
             lf_reading_allows(j->p, m, start, end)))
            continue;
        /* What the asker said may also stand elsewhere in the passage or over it. */
        if (j->q && lf_align_number_in(j->q, m, 0, UINT32_MAX) &&
            (number_elsewhere(j, m, row) || lf_align_number_in(j->ctx, m, 0, UINT32_MAX)))
            continue;
        n++;
    }
    return n;
}

/* Names that the Chinese word list knows. */
static size_t missing_listed_names(const lf_align *j, uint32_t start, uint32_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < j->s->terms.n && !j->crossed; i++) {
        const lf_term *t = &j->s->terms.v[i];
        const bool asked = j->q && lf_reading_has(j->q, t->id);
        n += t->is_name && !lf_reading_has_in(j->p, t->id, start, end) &&
             !lf_reading_has(j->ctx, t->id) && !(asked && lf_reading_has(j->p, t->id));
    }
    return n;
}

/* Does the question have it with a capital that its place does not give it? */
static bool is_asked_name(const lf_align *j, uint64_t id)
{
    for (size_t i = 0; j->q && i < j->q->facts.n_names; i++) {
        const lf_name *m = &j->q->facts.names[i];
        if (m->id == id && !m->is_plain && !lf_align_begins_sentence(j->q, m->start))
            return true;
    }
    return false;
}

static size_t missing_names(const lf_align *j, uint32_t start, uint32_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < j->s->facts.n_names; i++) {
        const lf_name *m = &j->s->facts.names[i];
        const bool asked = j->q && lf_reading_has_name(j->q, m->id);
        if (m->is_plain || name_in(j->p, m->id, start, end))
            continue;
        if (asked &&
            (j->crossed || lf_reading_has_name(j->p, m->id) || lf_reading_has_name(j->ctx, m->id)))
            continue;
        if (lf_reading_has_name(j->ctx, m->id))
            continue;
        if (!speaks_han(j->s) && m->end - m->start > 0 && !is_asked_name(j, m->id)) {
            /* A capital that begins a sentence makes a name only if digits or further
             * capitals say so; the words check sees the others.  Across languages no words
             * check does: there a capital inside the sentence is a name. */
            lf_str t = lf_reading_slice(j->s, m->start + 1, m->end);
            bool mark = !j->crossed && !lf_align_begins_sentence(j->s, m->start);
            for (size_t k = 0; k < t.len; k++)
                mark = mark || (t.p[k] >= 'A' && t.p[k] <= 'Z') || (t.p[k] >= '0' && t.p[k] <= '9');
            if (!mark && !(j->crossed && m->start > 0))
                continue;
        }
        n++;
    }
    return n + missing_listed_names(j, start, end);
}

static double coverage(const lf_align *j, uint32_t start, uint32_t end, double *fresh,
                       double *inside)
{
    double have = 0, all = 0, fresh_have = 0, fresh_all = 0, in = 0, in_all = 0;
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        double w = lf_reading_weight(j->s, t);
        const bool asked = j->q && lf_reading_has(j->q, t->id);
        const bool here = lf_reading_has_in(j->p, t->id, start, end);
        if (w <= 0)
            continue;
        in_all += w;
        in += here ? w : 0;
        if (asked)
            w *= question_word;
        else
            fresh_all += w;
        all += w;
        if (here || lf_reading_has(j->ctx, t->id) || (asked && lf_reading_has(j->p, t->id))) {
            have += w;
            fresh_have += asked ? 0 : w;
        }
    }
    *inside = in_all > 0 ? in / in_all : 0;
    *fresh = fresh_all > 0 ? fresh_have / fresh_all : 1;
    return all > 0 ? have / all : j->s->facts.n_numbers > 0 ? 1.0 : 0.0;
}

/* Rows of a table do not make a run: a year of one row and a figure of the next are no
 * statement. */
static run best_run(const lf_align *j)
{
    const lf_spans *ss = &j->p->sentences;
    run best = { .n_missing_numbers = SIZE_MAX };
    for (size_t i = 0; i < ss->n; i++)
        for (size_t k = i; k < ss->n && k < i + RUN_MAX; k++) {
            if (k > i && (lf_reading_is_row(j->p, ss->v[k].start, ss->v[k].end) ||
                          lf_reading_is_row(j->p, ss->v[i].start, ss->v[i].end)))
                break;
            run r = { .start = ss->v[i].start, .end = ss->v[k].end };
            r.n_missing_numbers = missing_numbers(j, r.start, r.end);
            r.n_missing_names = missing_names(j, r.start, r.end);
            r.coverage = coverage(j, r.start, r.end, &r.fresh, &r.inside);
            r.rank = r.coverage + r.inside - run_cost * (double)(k - i);
            const size_t miss = r.n_missing_numbers + r.n_missing_names;
            const size_t best_miss = best.n_missing_numbers == SIZE_MAX
                                         ? SIZE_MAX
                                         : best.n_missing_numbers + best.n_missing_names;
            if (miss < best_miss || (miss == best_miss && r.rank > best.rank + 1e-9))
                best = r;
        }
    return best;
}

static lf_status similarity(lf_cite_checker *c, const char *sentence, lf_str source, double *out,
                            lf_err *err)
{
    const size_t d = (size_t)c->embed.dim;
    const lf_str texts[2] = { lf_str_of(sentence), source };
    double dot = 0;
    const lf_status st = c->embed.embed(c->embed.ud, texts, 2, false, c->vec, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < d; i++)
        dot += (double)c->vec[i] * (double)c->vec[d + i];
    *out = dot;
    return LF_OK;
}

static lf_status judge(lf_cite_checker *c, const lf_align *j, const run *r, lf_cite_verdict *v,
                       lf_err *err)
{
    const lf_str all = lf_reading_slice(j->p, r->start, r->end);
    const lf_span at = { r->start, r->end };
    v->coverage = r->coverage;
    v->start = r->start;
    v->end = r->end;
    if (r->n_missing_numbers > 0)
        v->why = "numbers";
    else if (r->n_missing_names > 0)
        v->why = "names";
    else if (!lf_align_bound(j, at))
        v->why = "binding";
    else if (j->crossed) {
        lf_status st = c->embed.embed ? similarity(c, j->s->text, all, &v->similarity, err) : LF_OK;
        if (st != LF_OK)
            return st;
        v->why = v->similarity < similarity_min
                     ? "meaning"
                     : lf_claim_crossed((lf_str){ j->s->text, j->s->n_bytes }, all);
    } else if (r->coverage < coverage_min || r->fresh < fresh_min)
        v->why = "words";
    else if (!lf_reading_is_row(j->p, r->start, r->end) && lf_align_is_about_other(j))
        v->why = "subject";
    else
        v->why = lf_align_conflict(j, at);
    v->supported = v->why[0] == '\0';
    return LF_OK;
}

lf_status lf_cite_check(lf_cite_checker *c, const char *sentence, const char *question,
                        const lf_cite_source *src, lf_cite_verdict *out, lf_err *err)
{
    lf_reading s = { 0 }, q = { 0 }, p = { 0 }, ctx = { 0 };
    lf_cite_verdict v = { .similarity = -1, .why = "" };
    if (!lf_utf8_valid(sentence, strlen(sentence))) { /* broken bytes say nothing */
        *out = (lf_cite_verdict){ .similarity = -1, .why = "text" };
        return LF_OK;
    }
    lf_status st = lf_reading_take(c->an, sentence, false, &s, err);
    if (st == LF_OK && question)
        st = lf_reading_take(c->an, question, false, &q, err);
    if (st == LF_OK)
        st = lf_reading_take(c->an, src->text, true, &p, err);
    if (st == LF_OK)
        st = lf_reading_take(c->an, src->context, false, &ctx, err);
    if (st == LF_OK) {
        lf_align j = { .s = &s, .q = question ? &q : NULL, .p = &p, .ctx = &ctx };
        run r;
        j.crossed = speaks_han(&s) != lf_reading_is_han(&p);
        v.crossed = j.crossed;
        r = best_run(&j);
        if (r.n_missing_numbers == SIZE_MAX)
            v.why = "empty";
        else
            st = judge(c, &j, &r, &v, err);
    }
    lf_reading_release(&s);
    lf_reading_release(&q);
    lf_reading_release(&p);
    lf_reading_release(&ctx);
    if (st == LF_OK)
        *out = v;
    return st;
}

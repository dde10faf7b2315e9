/* guard/cite.c - the citation check.
 *
 * Every run of one to three neighbouring sentences of the passage, and every row of a
 * table, is a candidate for what the answer rests on.  The run that misses the fewest numbers and names
 * wins, then the one whose words cover the sentence best, less a small cost for
 * length; the verdict is about that run.
 *
 * Thresholds  Chosen on the dev questions of tests/data/casebook; what they let pass
 *             and stop is in tests/unit/test_guard.c. */
#include "guard/cite.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "guard/reading_int.h"
#include "text/sentence.h"
#include "text/utf8.h"

enum { RUN_MAX = 3, COUNTED_CHARS = 9 };

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

typedef struct job {
    const lf_reading *s, *q, *p, *ctx; /* sentence, question, passage, context */
    bool crossed;                      /* sentence and passage are in different languages */
} job;

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

/* Is the sentence Chinese, also where it is mostly made of Latin names? */
static bool speaks_han(const lf_reading *r)
{
    static const char *const little[] = { "的", "是", "了", "由", "为", "在", "有" };
    for (size_t i = 0; i < sizeof little / sizeof little[0]; i++)
        if (memmem(r->text, r->n_bytes, little[i], strlen(little[i])))
            return true;
    return lf_reading_is_han(r);
}

static bool number_in(const lf_reading *r, const lf_number *n, uint32_t start, uint32_t end)
{
    for (size_t i = 0; i < r->facts.n_numbers; i++) {
        const lf_number *m = &r->facts.numbers[i];
        if (m->start >= start && m->start < end && lf_number_agrees(m, n))
            return true;
    }
    return false;
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

/* Rows of a table do not make a run: a year of one row and a figure of the next are
 * no statement. */
static bool is_row(const lf_reading *p, uint32_t start, uint32_t end)
{
    const lf_str t = lf_reading_slice(p, start, end);
    return lf_sentence_is_row(t.p, t.len);
}

/* Does the number stand in the passage, outside of the run?  For a row the other rows
 * do not count. */
static bool number_elsewhere(const job *j, const lf_number *n, bool row)
{
    const lf_spans *ss = &j->p->sentences;
    if (!row)
        return number_in(j->p, n, 0, UINT32_MAX);
    for (size_t k = 0; k < ss->n; k++)
        if (!is_row(j->p, ss->v[k].start, ss->v[k].end) &&
            number_in(j->p, n, ss->v[k].start, ss->v[k].end))
            return true;
    return false;
}

static size_t missing_numbers(const job *j, uint32_t start, uint32_t end)
{
    const bool row = is_row(j->p, start, end);
    size_t n = 0;
    for (size_t i = 0; i < j->s->facts.n_numbers; i++) {
        const lf_number *m = &j->s->facts.numbers[i];
        if (number_in(j->p, m, start, end) ||
            (j->q && number_in(j->q, m, 0, UINT32_MAX) && lf_reading_allows(j->p, m, start, end)))
            continue;
        /* What the asker said may also stand elsewhere in the passage or over it. */
        if (j->q && number_in(j->q, m, 0, UINT32_MAX) &&
            (number_elsewhere(j, m, row) || number_in(j->ctx, m, 0, UINT32_MAX)))
            continue;
        n++;
    }
    return n;
}

static size_t missing_names(const job *j, uint32_t start, uint32_t end)
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
        if (!speaks_han(j->s) && m->end - m->start > 0 && !asked) {
            /* A capital at the start of an English word is a name only if digits or
             * further capitals say so; the words check sees the others. */
            lf_str t = lf_reading_slice(j->s, m->start + 1, m->end);
            bool mark = false;
            for (size_t k = 0; k < t.len; k++)
                mark = mark || (t.p[k] >= 'A' && t.p[k] <= 'Z') || (t.p[k] >= '0' && t.p[k] <= '9');
            if (!mark)
                continue;
        }
        n++;
    }
    return n;
}

static double coverage(const job *j, uint32_t start, uint32_t end, double *fresh, double *inside)
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

static run best_run(const job *j)
{
    const lf_spans *ss = &j->p->sentences;
    run best = { .n_missing_numbers = SIZE_MAX };
    for (size_t i = 0; i < ss->n; i++)
        for (size_t k = i; k < ss->n && k < i + RUN_MAX; k++) {
            if (k > i && (is_row(j->p, ss->v[k].start, ss->v[k].end) ||
                          is_row(j->p, ss->v[i].start, ss->v[i].end)))
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

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The clause of the passage around a position: between commas or ends. */
static void clause_around(const lf_reading *p, uint32_t pos, uint32_t lo, uint32_t hi,
                          uint32_t *start, uint32_t *end)
{
    const lf_str s = lf_reading_slice(p, lo, hi);
    const char *c = s.p, *e = s.p + s.len;
    uint32_t i = lo;
    *start = lo;
    *end = hi;
    for (; c < e; i++) {
        const char *before = c;
        const uint32_t cp = lf_utf8_next(&c, e);
        const bool grouping = cp == ',' && before > s.p && before[-1] >= '0' && before[-1] <= '9' &&
                              c < e && *c >= '0' && *c <= '9';
        const bool wrapped = before > s.p && is_letter(before[-1]) && c < e && is_letter(*c);
        const bool cut = cp == 0xFF0C || (cp == ',' && !grouping) || cp == 0xFF1B || cp == ';' ||
                         cp == 0x3002 || (cp == '\n' && !wrapped);
        if (!cut)
            continue;
        if (i < pos)
            *start = i + 1;
        else {
            *end = i;
            return;
        }
    }
}

/* Weight of the sentence's terms that start in [start, end) of the passage.  What is
 * counted follows its number and tells most: terms close after `number` (of the
 * sentence; NULL = none) count twice. */
static double overlap(const job *j, uint32_t start, uint32_t end, const lf_number *number)
{
    double have = 0;
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        const bool counted =
            number && t->start >= number->end && t->start < number->end + COUNTED_CHARS;
        if (lf_reading_has_in(j->p, t->id, start, end))
            have += lf_reading_weight(j->s, t) * (counted ? 2 : 1);
    }
    return have;
}

/* Of the clause [a, b) around number `k`, what lies between the numbers of its unit
 * before and after it. */
static void between_likes(const lf_reading *p, size_t k, uint32_t *a, uint32_t *b)
{
    const lf_number *n = p->facts.numbers;
    for (size_t i = 0; i < p->facts.n_numbers; i++) {
        if (n[i].unit != n[k].unit)
            continue;
        if (i < k && n[i].end > *a)
            *a = n[i].end;
        if (i > k && n[i].start < *b)
            *b = n[i].start;
    }
}

/* A number must come from the clause that speaks of the same thing: where another
 * clause of the run has a number of the same kind and far more of the sentence's
 * words, the model took the wrong one ("99 % easier, 98 % faster"). */
static bool bound(const job *j, const run *r)
{
    for (size_t i = 0; i < j->s->facts.n_numbers; i++) {
        const lf_number *n = &j->s->facts.numbers[i];
        double own = -1, other = 0;
        if (j->q && number_in(j->q, n, 0, UINT32_MAX))
            continue;
        for (size_t k = 0; k < j->p->facts.n_numbers; k++) {
            const lf_number *m = &j->p->facts.numbers[k];
            uint32_t a, b;
            double o;
            if (m->start < r->start || m->start >= r->end)
                continue;
            clause_around(j->p, m->start, r->start, r->end, &a, &b);
            between_likes(j->p, k, &a, &b);
            o = overlap(j, a, b, n);
            if (lf_number_agrees(m, n))
                own = o > own ? o : own;
            else if (m->unit == n->unit && !number_in(j->s, m, 0, UINT32_MAX))
                other = o > other ? o : other;
        }
        if (own >= 0 && other > own + 1.0)
            return false;
    }
    return true;
}

static const char *const denials[] = { "不", "没", "未", "无", "非", "勿", "别" };
/* Words in which those characters deny nothing. */
static const char *const no_denials[] = {
    "不仅", "不但",     "不断",   "不同",     "不良",     "不少",   "不只",   "不管",   "不论",
    "不过", "不可或缺", "不足",   "不动产",   "不久",     "不止",   "不愧",   "不妨",   "不敢",
    "不菲", "不凡",     "不锈",   "未来",     "未必",     "无论",   "无线",   "无限",   "无缝",
    "无感", "无数",     "无人",   "无疑",     "无形",     "无障碍", "无锡",   "非常",   "非遗",
    "非凡", "非洲",     "非结构", "非线性",   "别墅",     "个别",   "区别",   "识别",   "特别",
    "类别", "级别",     "分别",   "性别",     "差别",     "鉴别",   "辨别",   "别名",   "派别",
    "告别", "淹没",     "沉没",   "埋没",     "没收",     "南非",   "除非",   "并非一", "是非",
    "绝不", "不一",     "不锈钢", "源源不断", "必不可少", "不打烊", "无接触", "无监督", "不确定性",
    "别人", "别的",     "不满",   "不超过",   "不低于",   "不少于", "不高于",
};

static size_t count_of(lf_str s, const char *w)
{
    const size_t n = strlen(w);
    size_t k = 0;
    for (size_t i = 0; i + n <= s.len; i++)
        if (memcmp(s.p + i, w, n) == 0)
            k++;
    return k;
}

static bool is_word_at(lf_str s, size_t i, const char *w)
{
    const size_t n = strlen(w);
    if (i + n > s.len || (i > 0 && ((s.p[i - 1] | 32) >= 'a' && (s.p[i - 1] | 32) <= 'z')))
        return false;
    for (size_t k = 0; k < n; k++)
        if ((s.p[i + k] | 32) != w[k] && s.p[i + k] != w[k])
            return false;
    return i + n == s.len || !((s.p[i + n] | 32) >= 'a' && (s.p[i + n] | 32) <= 'z');
}

static bool denies(lf_str s)
{
    static const char *const english[] = { "not",   "no",    "never",  "without", "cannot",
                                           "none",  "isn't", "wasn't", "doesn't", "didn't",
                                           "can't", "won't", "aren't", "weren't" };
    size_t n = 0, harmless = 0;
    for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++)
        n += count_of(s, denials[i]);
    for (size_t i = 0; i < sizeof no_denials / sizeof no_denials[0]; i++)
        harmless += count_of(s, no_denials[i]);
    if (n > harmless)
        return true;
    for (size_t i = 0; i < s.len; i++)
        for (size_t k = 0; k < sizeof english / sizeof english[0]; k++)
            if (is_word_at(s, i, english[k]))
                return true;
    return false;
}

static bool any_of(lf_str s, const char *const *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (count_of(s, w[i]) > 0)
            return true;
    return false;
}

/* -1 falls, 1 rises, 0 both or neither. */
static int direction(lf_str s)
{
    static const char *const up[] = { "提升",     "提高", "增长", "增加",    "上升",
                                      "加快",     "延长", "扩大", "升高",    "上涨",
                                      "increase", "rise", "rose", "improve", "grew" };
    static const char *const down[] = { "降低", "减少", "下降", "缩短", "节省",     "节约",
                                        "降至", "下跌", "减缓", "缩小", "decrease", "reduce",
                                        "fell", "fall", "drop", "cut" };
    const bool u = any_of(s, up, sizeof up / sizeof up[0]);
    const bool d = any_of(s, down, sizeof down / sizeof down[0]);
    return u == d ? 0 : u ? 1 : -1;
}

/* The clause of the run that shares most with the sentence. */
static lf_str aligned_clause(const job *j, const run *r)
{
    uint32_t a = r->start, b = r->end, best_a = r->start, best_b = r->end;
    double best = -1;
    for (uint32_t pos = r->start; pos < r->end; pos = b + 1) {
        double o;
        clause_around(j->p, pos, r->start, r->end, &a, &b);
        o = overlap(j, a, b, NULL);
        if (o > best) {
            best = o;
            best_a = a;
            best_b = b;
        }
    }
    return lf_reading_slice(j->p, best_a, best_b);
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

static lf_status judge(lf_cite_checker *c, const job *j, const run *r, lf_cite_verdict *v,
                       lf_err *err)
{
    const lf_str all = lf_reading_slice(j->p, r->start, r->end);
    const lf_str said = { .p = j->s->text, .len = j->s->n_bytes };
    v->coverage = r->coverage;
    v->start = r->start;
    v->end = r->end;
    if (r->n_missing_numbers > 0)
        v->why = "numbers";
    else if (r->n_missing_names > 0)
        v->why = "names";
    else if (!j->crossed && !bound(j, r))
        v->why = "binding";
    else if (j->crossed) {
        lf_status st = c->embed.embed ? similarity(c, j->s->text, all, &v->similarity, err) : LF_OK;
        if (st != LF_OK)
            return st;
        v->why = v->similarity < similarity_min ? "meaning" : "";
    } else if (r->coverage < coverage_min || r->fresh < fresh_min)
        v->why = "words";
    else {
        const lf_str src = aligned_clause(j, r);
        const int up = direction(said);
        if (denies(said) != denies(src) && denies(said) != denies(all))
            v->why = "negation";
        else if (up != 0 && direction(src) == -up)
            v->why = "direction";
    }
    v->supported = v->why[0] == '\0';
    return LF_OK;
}

lf_status lf_cite_check(lf_cite_checker *c, const char *sentence, const char *question,
                        const lf_cite_source *src, lf_cite_verdict *out, lf_err *err)
{
    lf_reading s = { 0 }, q = { 0 }, p = { 0 }, ctx = { 0 };
    lf_cite_verdict v = { .similarity = -1, .why = "" };
    lf_status st = lf_reading_take(c->an, sentence, false, &s, err);
    if (st == LF_OK && question)
        st = lf_reading_take(c->an, question, false, &q, err);
    if (st == LF_OK)
        st = lf_reading_take(c->an, src->text, true, &p, err);
    if (st == LF_OK)
        st = lf_reading_take(c->an, src->context, false, &ctx, err);
    if (st == LF_OK) {
        job j = { .s = &s, .q = question ? &q : NULL, .p = &p, .ctx = &ctx };
        run r;
        j.crossed = speaks_han(&s) != lf_reading_is_han(&p);
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

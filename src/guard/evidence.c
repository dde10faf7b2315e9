/* guard/evidence.c - ranking of sentences, and the probability of an answer.
 *
 * The question's terms are weighted by kind and by how rare they are among the
 * sentences at hand (a name that retrieval searched for stands in most of them; the
 * word that the question turns on does not).  For each sentence
 *
 *   coverage = sum of w * where / sum of w, where = 1 in the sentence, 0.8 by a
 *              synonym there, 0.9 in the heading row of its table, 0.65 in the sentence
 *              before it, 0.6 in the headings, 0.55 in the sentence before that, 0.4
 *              elsewhere in the source
 *   kind     = how well a number, date, person or organisation of the kind asked for
 *              stands there, in a clause that also has what is asked about it
 *   gap      = weight of the heaviest part that the source has nowhere
 *   subject  = share of what stands before the question's first "的" or verb
 *   rest     = share of what stands after that
 *   strange  = a name or a number of the question that the source has nowhere
 *
 *   topical  = coverage, where = 0.95 also for what the source's headings or first
 *              sentence have
 *
 * A sentence's score is topical + 2.5 (cosine - 0.85) + 0.5 kind - 0.3 strange - 0.02 rank
 * of the source, for a Chinese question of Chinese text; an English question, and one in
 * another language than the sources, weigh the cosine more (conclude).  Cosines are asked
 * for the best by words alone (score_by_words).
 *
 * The probability is a logistic function of the features; its constants were fitted
 * by bench/fit_answerable.py (docs/benchmarks.md, "Answers"). */
#include "guard/evidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "guard/asked_int.h"
#include "guard/reading_int.h"
#include "text/segment.h"
#include "text/utf8.h"

enum {
    SENTENCES_MAX = 512,
    EMBED_SAME = 12,
    EMBED_CROSSED = 24,
    CONTEXT_CHARS = 80,
    GROUPS_MAX = 6,
    OPENING_CHARS = 14
};

static const double OF_TOPIC = 0.95;                   /* where, of what the source is about */
static const double COMMON_NATS = 7.5, RARE_NATS = 10; /* of words: 现在 7.4, 上市 9.6 */

struct lf_evidence_finder {
    lf_analyzer *an;
    lf_guard_embed embed;
};

typedef struct part { /* a term or a number of the question */
    uint64_t id;      /* 0 = a number */
    const lf_number *number;
    double weight;
    bool in_subject;
    bool is_name;               /* of Latin letters, with a capital or a digit */
    bool is_counted;            /* what "多少" counts */
    bool is_known;              /* some sentence at hand has it */
    uint8_t groups[GROUPS_MAX]; /* synonym groups that this part belongs to */
    size_t n_groups;
} part;

typedef struct work {
    lf_evidence_finder *f;
    const lf_cite_source *src;
    size_t n_src;
    lf_reading q, *texts, *contexts;
    lf_question asked;
    part *parts;
    size_t n_parts;
    double weight_sum, weight_max;
    bool crossed;    /* the question is in another language than the sources */
    lf_evidence *ev; /* every sentence */
    size_t n_ev;
} work;

void lf_evidence_release(lf_evidence_list *l)
{
    lf_free(l->v);
    *l = (lf_evidence_list){ 0 };
}

lf_status lf_evidence_open(const lf_guard_embed *embed, lf_evidence_finder **out, lf_err *err)
{
    lf_status st;
    lf_evidence_finder *f = lf_calloc(1, sizeof *f);
    if (!f)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the search of evidence");
    if (embed && embed->embed && embed->dim > 0)
        f->embed = *embed;
    st = lf_analyzer_open(&f->an, err);
    if (st != LF_OK) {
        lf_free(f);
        return st;
    }
    *out = f;
    return LF_OK;
}

void lf_evidence_close(lf_evidence_finder *f)
{
    if (!f)
        return;
    lf_analyzer_close(f->an);
    lf_free(f);
}

static bool holds(lf_str s, const char *word)
{
    const size_t n = strlen(word);
    return n > 0 && memmem(s.p, s.len, word, n) != NULL;
}

static bool group_in(size_t group, lf_str s)
{
    const char *w;
    for (size_t k = 0; (w = lf_synonym_word(group, k)) != NULL; k++)
        if (holds(s, w))
            return true;
    return false;
}

/* Groups that have a member in the question which overlaps [start, end). */
static void take_groups(const lf_reading *q, uint32_t start, uint32_t end, part *p)
{
    const lf_str s = lf_reading_slice(q, start, end);
    const lf_str all = { .p = q->text, .len = q->n_bytes };
    for (size_t g = 0; g < lf_synonym_n_groups() && p->n_groups < GROUPS_MAX; g++) {
        const char *w;
        bool in = false;
        for (size_t k = 0; !in && (w = lf_synonym_word(g, k)) != NULL; k++) {
            const char *at = memmem(all.p, all.len, w, strlen(w));
            in = at && at < s.p + s.len && at + strlen(w) > s.p;
        }
        if (in)
            p->groups[p->n_groups++] = (uint8_t)g;
    }
}

/* Where the subject of a question ends: before its first "的", asking word or verb. */
static uint32_t subject_end(const char *q, const char *content)
{
    static const char *const ends[] = { "的",   "是",   "在",   "有",   "把",   "被",
                                        "于",   "由",   "用",   "让",   "使",   "，",
                                        "成立", "创立", "创办", "达到", "上市", "发布",
                                        "上线", "启用", "推出", "发起", "获得", "融资" };
    const char *best = q + strlen(q);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const char *at = strstr(q, ends[i]);
        if (at && at > q && at < best)
            best = at;
    }
    const char *blank = strstr(content, "   "); /* an asking word was there */
    if (blank && blank > content && content + (best - q) > blank)
        best = q + (blank - content);
    return (uint32_t)lf_utf8_count(q, (size_t)(best - q));
}

/* Everyday words ("现在", "开始", "能够") say little about what is asked: their weight
 * falls with how common they are. */
static double rarity(const lf_reading *r, const lf_term *t)
{
    const lf_str s = lf_reading_slice(r, t->start, t->end);
    const char *p = s.p, *e = s.p + s.len;
    uint32_t cps[8];
    size_t n = 0;
    double nats;
    while (p < e && n < 8)
        cps[n++] = lf_utf8_next(&p, e);
    nats = lf_segment_rarity(cps, n);
    if (nats <= 0)
        return 1;
    return nats <= COMMON_NATS ? 0.3
           : nats >= RARE_NATS ? 1
                               : 0.3 + 0.7 * (nats - COMMON_NATS) / (RARE_NATS - COMMON_NATS);
}

static bool in_name(const lf_reading *q, const lf_term *t)
{
    for (size_t i = 0; i < q->facts.n_names; i++) {
        const lf_name *m = &q->facts.names[i];
        const lf_str s = lf_reading_slice(q, m->start, m->end);
        bool marked = false; /* "cross-connection" is a word */
        for (size_t k = 0; k < s.len; k++)
            marked = marked || (s.p[k] >= 'A' && s.p[k] <= 'Z') || (s.p[k] >= '0' && s.p[k] <= '9');
        if (marked && t->start >= m->start && t->end <= m->end)
            return true;
    }
    return false;
}

/* Where the noun of "多少个零售店", "how many pumps" is looked for. */
static lf_span counted_noun(const lf_reading *q)
{
    enum { NOUN_CHARS = 10, NOUN_CHARS_EN = 14 };
    static const struct {
        const char *word;
        uint32_t chars, noun;
    } asking[] = { { "多少", 2, NOUN_CHARS },
                   { "几", 1, NOUN_CHARS },
                   { "ow many ", 8, NOUN_CHARS_EN } };
    for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++) {
        const char *at = strstr(q->text, asking[i].word);
        if (at) {
            const uint32_t from =
                (uint32_t)lf_utf8_count(q->text, (size_t)(at - q->text)) + asking[i].chars;
            return (lf_span){ from, from + asking[i].noun };
        }
    }
    return (lf_span){ 0 };
}

static lf_status take_parts(work *w, lf_err *err)
{
    const lf_reading *q = &w->q;
    lf_reading content = { 0 };
    lf_buf text = { 0 };
    const lf_span noun = counted_noun(q);
    lf_status st;
    uint32_t subject;
    lf_question_content(q->text, &text);
    subject = lf_reading_is_han(q) ? subject_end(q->text, lf_buf_cstr(&text)) : 0;
    st = text.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a question")
                     : lf_reading_take(w->f->an, lf_buf_cstr(&text), false, &content, err);
    if (st == LF_OK) {
        w->parts = lf_calloc(content.terms.n + q->facts.n_numbers + 1, sizeof *w->parts);
        if (!w->parts)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the terms of a question");
    }
    for (size_t i = 0; st == LF_OK && i < content.terms.n; i++) {
        const lf_term *t = &content.terms.v[i];
        const double weight = lf_reading_weight(&content, t) * rarity(&content, t);
        bool seen = weight <= 0;
        for (size_t k = 0; k < w->n_parts && !seen; k++)
            seen = w->parts[k].id == t->id;
        if (!seen) {
            w->parts[w->n_parts] =
                (part){ .id = t->id,
                        .weight = weight,
                        .in_subject = t->start < subject,
                        .is_name = in_name(&content, t),
                        .is_counted = t->start >= noun.start && t->start < noun.end };
            take_groups(q, t->start, t->end, &w->parts[w->n_parts++]);
        }
    }
    for (size_t i = 0; st == LF_OK && i < q->facts.n_numbers; i++)
        w->parts[w->n_parts++] = (part){ .number = &q->facts.numbers[i],
                                         .weight = 1.5,
                                         .in_subject = q->facts.numbers[i].start < subject };
    lf_reading_release(&content);
    lf_buf_release(&text);
    return st;
}

static bool number_between(const lf_reading *r, const lf_number *n, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < r->facts.n_numbers; i++) {
        const lf_number *m = &r->facts.numbers[i];
        if (m->start >= a && m->start < b && lf_number_agrees(m, n))
            return true;
    }
    return lf_reading_allows(r, n, a, b);
}

static bool part_between(const part *p, const lf_reading *r, uint32_t a, uint32_t b)
{
    return p->number ? number_between(r, p->number, a, b) : lf_reading_has_in(r, p->id, a, b);
}

static double by_synonym(const part *p, lf_str s)
{
    for (size_t g = 0; g < p->n_groups; g++)
        if (group_in(p->groups[g], s))
            return 0.8;
    return 0;
}

/* Rarity among the sentences at hand, 0.3 .. 1, into the weights. */
static void weigh(work *w)
{
    const double n = (double)w->n_ev, top = log(1 + (n + 0.5) / 0.5);
    for (size_t i = 0; i < w->n_parts; i++) {
        part *p = &w->parts[i];
        size_t df = 0;
        double idf;
        for (size_t k = 0; k < w->n_ev; k++)
            df += part_between(p, &w->texts[w->ev[k].source], w->ev[k].start, w->ev[k].end);
        p->is_known = df > 0;
        idf = log(1 + (n - (double)df + 0.5) / ((double)df + 0.5)) / top;
        p->weight *= idf < 0.3 ? 0.3 : idf;
        w->weight_sum += p->weight;
        w->weight_max = p->weight > w->weight_max ? p->weight : w->weight_max;
    }
}

static bool ends_clause(uint32_t c, uint32_t before, uint32_t after)
{
    const bool digits = before >= '0' && before <= '9' && after >= '0' && after <= '9';
    return c == 0xFF0C || c == 0xFF1B || c == ';' || c == 0x3002 || (c == ',' && !digits);
}

/* Clauses of [start, end), each with its end mark. */
static lf_status clauses(const lf_reading *r, uint32_t start, uint32_t end, lf_spans *out,
                         lf_err *err)
{
    const lf_str s = lf_reading_slice(r, start, end);
    const char *p = s.p, *e = s.p + s.len;
    uint32_t from = start, at = start, before = 0;
    out->v = lf_calloc((size_t)(end - start) + 1, sizeof *out->v);
    if (!out->v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the clauses of a sentence");
    while (p < e) {
        const uint32_t c = lf_utf8_next(&p, e);
        const char *peek = p;
        const uint32_t after = peek < e ? lf_utf8_next(&peek, e) : 0;
        at++;
        if (ends_clause(c, before, after) || p >= e) {
            out->v[out->n++] = (lf_span){ .start = from, .end = at };
            from = at;
        }
        before = c;
    }
    return LF_OK;
}

/* The first row of the table that sentence [start, end) is a row of; empty for others
 * and for the first row itself. */
static lf_span table_head(const lf_reading *r, uint32_t start, uint32_t end)
{
    const lf_spans *ss = &r->sentences;
    lf_span head = { start, start };
    bool inside = false;
    if (!lf_reading_is_row(r, start, end))
        return head;
    for (size_t k = 0; k < ss->n && ss->v[k].start < start; k++) {
        const bool row = lf_reading_is_row(r, ss->v[k].start, ss->v[k].end);
        if (row && !inside)
            head = ss->v[k];
        else if (!row)
            head = (lf_span){ start, start };
        inside = row;
    }
    return head;
}

/* Too little to be what is asked: "人" of "有多少人". */
static bool is_light(const work *w, const part *p)
{
    return p->weight < 0.25 * w->weight_max;
}

/* The kind of thing asked for has to stand by what is asked about it: a number in a
 * clause that has nothing of the question but its subject counts less. */
static double kind_by_clause(const work *w, const lf_reading *r, uint32_t start, uint32_t end)
{
    const lf_span head = table_head(r, start, end);
    lf_spans cl = { 0 };
    double best = 0;
    if (w->asked.asked == LF_ASKED_OTHER || w->asked.asked == LF_ASKED_PERSON ||
        w->asked.asked == LF_ASKED_CODE || w->asked.asked == LF_ASKED_ORGANISATION ||
        clauses(r, start, end, &cl, NULL) != LF_OK)
        return lf_question_kind(&w->asked, &w->q, r, start, end);
    for (size_t i = 0; i < cl.n; i++) {
        /* "2005年，公司成立": a short clause opens the next */
        const bool opens = cl.v[i].end - cl.v[i].start <= OPENING_CHARS && i + 1 < cl.n;
        const lf_span by_in = { cl.v[i].start, cl.v[opens ? i + 1 : i].end };
        const lf_str s = lf_reading_slice(r, by_in.start, by_in.end);
        double k = lf_question_kind(&w->asked, &w->q, r, cl.v[i].start, cl.v[i].end);
        bool by = false, any = false;
        for (size_t p = 0; p < w->n_parts && !by && k > best; p++) {
            if (w->parts[p].in_subject || is_light(w, &w->parts[p]))
                continue;
            any = true;
            by = part_between(&w->parts[p], r, by_in.start, by_in.end) ||
                 part_between(&w->parts[p], r, head.start, head.end) ||
                 by_synonym(&w->parts[p], s) > 0;
        }
        k *= by || !any                                                           ? 1
             : w->asked.asked == LF_ASKED_NUMBER && w->asked.unit == LF_UNIT_NONE ? 0.4
                                                                                  : 0.7;
        best = k > best ? k : best;
    }
    lf_spans_release(&cl);
    return best;
}

/* Does the sentence speak of a year, and not of the one asked about? */
static bool other_year(const part *p, const lf_reading *r, uint32_t a, uint32_t b)
{
    bool any = false;
    if (!p->number || !lf_number_is_year(p->number))
        return false;
    for (size_t i = 0; i < r->facts.n_numbers; i++) {
        const lf_number *m = &r->facts.numbers[i];
        if (m->start >= a && m->start < b && lf_number_is_year(m))
            any = true;
    }
    return any && !number_between(r, p->number, a, b);
}

/* Is a name or a number of the question missing that should be there?  In the other
 * language names are written otherwise; those that the documents use must be there. */
static bool is_strange(const work *w, const part *p, double around)
{
    if (around > 0 || (!p->number && !p->is_name))
        return false;
    return w->crossed ? p->is_name && p->is_known : true;
}

/* What a source is about stands in its headings or its first sentence and is not said
 * again: "分布在哪些地区" is asked of the plant, and answered in a sentence without it. */
static bool is_topic(const part *p, const lf_reading *r, const lf_reading *ctx)
{
    const lf_span first = r->sentences.n ? r->sentences.v[0] : (lf_span){ 0 };
    return part_between(p, r, first.start, first.end) || part_between(p, ctx, 0, UINT32_MAX);
}

/* Features of one sentence but the cosine; its neighbours begin at `first`, the nearer
 * of them at `before`. */
static void measure(work *w, lf_evidence *e, uint32_t first, uint32_t before)
{
    const lf_reading *r = &w->texts[e->source], *ctx = &w->contexts[e->source];
    const lf_str s = lf_reading_slice(r, e->start, e->end);
    const lf_span head = table_head(r, e->start, e->end);
    double subject = 0, subject_all = 0, rest = 0, rest_all = 0;
    bool counts = false, counted = false;
    for (size_t i = 0; i < w->n_parts; i++) {
        const part *p = &w->parts[i];
        double here = part_between(p, r, e->start, e->end) ? 1 : by_synonym(p, s), around;
        if (here < 0.9 && part_between(p, r, head.start, head.end))
            here = 0.9; /* what a column is called holds for its cells */
        around = here;
        if (here < 0.65 && part_between(p, r, before, e->start))
            around = 0.65;
        else if (here < 0.6 && part_between(p, ctx, 0, UINT32_MAX))
            around = 0.6;
        else if (here < 0.55 && part_between(p, r, first, e->start))
            around = 0.55;
        else if (here < 0.4 && part_between(p, r, 0, UINT32_MAX))
            around = 0.4;
        e->topical += p->weight * (around < OF_TOPIC && is_topic(p, r, ctx) ? OF_TOPIC : around);
        e->inside += p->weight * here;
        e->coverage += p->weight * around;
        if (p->in_subject) {
            subject_all += p->weight;
            subject += around > 0 ? p->weight : 0;
        } else if (!is_light(w, p)) {
            rest_all += p->weight;
            rest += around >= 0.5 ? p->weight : 0;
        }
        if (p->is_counted && !is_light(w, p)) {
            counts = true;
            counted = counted || around >= 0.5;
        }
        e->missing += around > 0 ? 0 : p->weight;
        if (is_strange(w, p, around) || (around < 0.5 && other_year(p, r, e->start, e->end)))
            e->strange = 1;
        if (around <= 0 && p->weight > e->gap * w->weight_max)
            e->gap = p->weight / w->weight_max;
    }
    if (w->weight_sum > 0) {
        e->inside /= w->weight_sum;
        e->coverage /= w->weight_sum;
        e->topical /= w->weight_sum;
        e->missing /= w->weight_sum;
    }
    e->subject = subject_all > 0 ? subject / subject_all : 1;
    /* of a code nothing else is said: "岩山科技（002195.SZ）" */
    e->rest = rest_all > 0 && w->asked.asked != LF_ASKED_CODE ? rest / rest_all : 1;
    e->kind = kind_by_clause(w, r, e->start, e->end);
    if (w->asked.asked == LF_ASKED_NUMBER && counts && !counted)
        e->kind *= 0.5; /* numbers of other things */
    e->similarity = -1;
}

/* A question is no evidence: the FAQ's own heading would always fit best. */
static bool is_question(const lf_reading *r, lf_span s)
{
    const lf_str t = lf_reading_slice(r, s.start, s.end);
    return lf_str_ends(t, "?") || lf_str_ends(t, "？");
}

static lf_status take_sources(work *w, lf_err *err)
{
    lf_status st = LF_OK;
    w->texts = lf_calloc(w->n_src + 1, sizeof *w->texts);
    w->contexts = lf_calloc(w->n_src + 1, sizeof *w->contexts);
    w->ev = lf_calloc(SENTENCES_MAX, sizeof *w->ev);
    if (!w->texts || !w->contexts || !w->ev)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu sources", w->n_src);
    for (size_t i = 0; i < w->n_src && st == LF_OK; i++) {
        st = lf_reading_take(w->f->an, w->src[i].text, true, &w->texts[i], err);
        if (st == LF_OK)
            st = lf_reading_take(w->f->an, w->src[i].context, false, &w->contexts[i], err);
        for (size_t k = 0; st == LF_OK && k < w->texts[i].sentences.n; k++)
            if (w->n_ev < SENTENCES_MAX && !is_question(&w->texts[i], w->texts[i].sentences.v[k]))
                w->ev[w->n_ev++] = (lf_evidence){ .source = i,
                                                  .start = w->texts[i].sentences.v[k].start,
                                                  .end = w->texts[i].sentences.v[k].end };
    }
    return st;
}

static void measure_all(work *w)
{
    for (size_t i = 0; i < w->n_ev; i++) {
        size_t k = i;
        while (k > 0 && i - k < 2 && w->ev[k - 1].source == w->ev[i].source)
            k--;
        const bool second = i > 0 && w->ev[i - 1].source == w->ev[i].source;
        measure(w, &w->ev[i], k < i ? w->ev[k].start : 0, second ? w->ev[i - 1].start : 0);
    }
}

/* Which sentences are worth a cosine.  Across languages few words can match: the first
 * sources are. */
static double score_by_words(const lf_evidence *e, bool crossed)
{
    return crossed ? e->coverage + 0.1 * e->kind - 0.1 * (double)e->source
                   : e->topical + 0.5 * e->kind - 0.3 * e->strange - 0.02 * (double)e->source;
}

static int by_score(const void *a, const void *b)
{
    const lf_evidence *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Cosines of the question with the first `n` sentences (headings before each). */
static lf_status add_cosines(work *w, size_t n, lf_err *err)
{
    const size_t d = (size_t)w->f->embed.dim;
    float *vec = lf_alloc((n + 1) * d * sizeof *vec);
    lf_buf *text = lf_calloc(n + 1, sizeof *text);
    lf_str *view = lf_calloc(n + 1, sizeof *view);
    const lf_str q = { .p = w->q.text, .len = w->q.n_bytes };
    lf_status st =
        vec && text && view ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for vectors");
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        const lf_evidence *e = &w->ev[i];
        const lf_str s = lf_reading_slice(&w->texts[e->source], e->start, e->end);
        const lf_span head = table_head(&w->texts[e->source], e->start, e->end);
        const lf_str h = lf_reading_slice(&w->texts[e->source], head.start, head.end);
        const char *ctx = w->src[e->source].context;
        if (ctx && *ctx)
            lf_buf_add(&text[i], ctx, lf_utf8_offset(ctx, strlen(ctx), CONTEXT_CHARS));
        if (ctx && *ctx)
            lf_buf_add_str(&text[i], ": ");
        lf_buf_add(&text[i], h.p, h.len);
        if (h.len)
            lf_buf_add_char(&text[i], '\n');
        lf_buf_add(&text[i], s.p, s.len);
        if (text[i].failed)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for a sentence");
        view[i] = (lf_str){ .p = lf_buf_cstr(&text[i]), .len = text[i].len };
    }
    if (st == LF_OK)
        st = w->f->embed.embed(w->f->embed.ud, &q, 1, true, vec + n * d, err);
    if (st == LF_OK)
        st = w->f->embed.embed(w->f->embed.ud, view, n, false, vec, err);
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        double dot = 0;
        for (size_t k = 0; k < d; k++)
            dot += (double)vec[i * d + k] * (double)vec[n * d + k];
        w->ev[i].similarity = dot;
    }
    for (size_t i = 0; text && i < n; i++)
        lf_buf_release(&text[i]);
    lf_free(text);
    lf_free(view);
    lf_free(vec);
    return st;
}

static double logistic(double z)
{
    return 1 / (1 + exp(-z));
}

static void conclude(lf_evidence *e, bool crossed, bool western, bool number, lf_asked asked)
{
    const double sim = e->similarity < 0 ? 0.91 : e->similarity; /* no vectors: words decide */
    const bool unmet = number && e->kind < 0.6; /* a figure is asked for, none is there */
    if (crossed) { /* few words can match, and only by the table of both languages */
        e->score = 3 * (sim - 0.80) + e->coverage + 0.4 * e->kind - 0.01 * (double)e->source;
        e->answerable = logistic(-1.45 + 45 * (sim - 0.795) + 3.5 * e->coverage + 1.0 * e->kind -
                                 (unmet ? 1.5 : 0) - 1.5 * e->strange);
    } else if (western) { /* set by hand on questions about samples/: cosines are lower */
        e->score = e->coverage + 4 * (sim - 0.85) + 0.5 * e->kind - 0.5 * e->strange -
                   0.02 * (double)e->source;
        e->answerable = logistic(-0.6 + 45 * (sim - 0.835) + 3 * (e->coverage - 0.4) + e->kind -
                                 0.5 - 2 * e->strange - (unmet ? 1 : 0));
    } else {
        e->score = e->topical + 2.5 * (sim - 0.85) + 0.5 * e->kind - 0.3 * e->strange -
                   0.02 * (double)e->source;
        /* the last four are set by hand, for near misses that the fit has too few of: another
         * subject, another name or year, nothing of what is asked about the subject (a date is
         * always that of a deed), no number by that */
        e->answerable =
            logistic(-5.1 + 2.2 * e->coverage + 2.8 * e->inside - 1.4 * e->gap + 49 * (sim - 0.88) +
                     2.9 * e->kind - (e->subject < 0.5 ? 1.2 : 0) - 2.5 * e->strange -
                     (e->rest >= 0.35          ? 0
                      : asked == LF_ASKED_DATE ? 2.2
                                               : 1) -
                     (e->kind >= 0.35 || !number ? 0
                      : asked == LF_ASKED_CODE   ? 3
                                                 : 1.5));
    }
}

static bool crosses(const work *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_src; i++)
        n += lf_reading_is_han(&w->texts[i]) != lf_reading_is_han(&w->q);
    return 2 * n > w->n_src;
}

static lf_status rank(work *w, lf_evidence_list *out, lf_err *err)
{
    lf_status st = LF_OK;
    size_t n;
    w->crossed = crosses(w);
    weigh(w);
    measure_all(w);
    for (size_t i = 0; i < w->n_ev; i++)
        w->ev[i].score = score_by_words(&w->ev[i], w->crossed);
    qsort(w->ev, w->n_ev, sizeof *w->ev, by_score);
    n = w->crossed ? EMBED_CROSSED : EMBED_SAME;
    n = n < w->n_ev ? n : w->n_ev;
    if (w->f->embed.embed && n > 0)
        st = add_cosines(w, n, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < n; i++)
        conclude(&w->ev[i], w->crossed, !lf_reading_is_han(&w->q),
                 w->asked.asked >= LF_ASKED_DATE && w->asked.asked <= LF_ASKED_CODE,
                 w->asked.asked);
    qsort(w->ev, n, sizeof *w->ev, by_score);
    out->v = lf_calloc(n + 1, sizeof *out->v);
    if (!out->v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the evidence");
    memcpy(out->v, w->ev, n * sizeof *out->v);
    out->n = n;
    return LF_OK;
}

lf_status lf_evidence_find(lf_evidence_finder *f, const char *question, const lf_cite_source *src,
                           size_t n_src, lf_evidence_list *out, lf_err *err)
{
    work w = { .f = f, .src = src, .n_src = n_src };
    lf_status st = lf_reading_take(f->an, question, false, &w.q, err);
    if (st == LF_OK)
        st = lf_question_read(question, &w.asked, err);
    if (st == LF_OK)
        st = take_parts(&w, err);
    if (st == LF_OK)
        st = take_sources(&w, err);
    if (st == LF_OK)
        st = rank(&w, out, err);
    lf_reading_release(&w.q);
    for (size_t i = 0; w.texts && i < n_src; i++)
        lf_reading_release(&w.texts[i]);
    for (size_t i = 0; w.contexts && i < n_src; i++)
        lf_reading_release(&w.contexts[i]);
    lf_free(w.texts);
    lf_free(w.contexts);
    lf_free(w.parts);
    lf_free(w.ev);
    return st;
}

/* ---- short answers ---- */

/* How well a clause holds the kind of thing asked for by what is asked about it. */
static double clause_worth(const work *w, uint32_t a, uint32_t b)
{
    const lf_str s = lf_reading_slice(&w->texts[0], a, b);
    double have = 0, all = 0;
    for (size_t i = 0; i < w->n_parts; i++) {
        const part *p = &w->parts[i];
        if (p->in_subject || p->number)
            continue;
        all += p->weight;
        have += part_between(p, &w->texts[0], a, b) || by_synonym(p, s) > 0 ? p->weight : 0;
    }
    return lf_question_kind(&w->asked, &w->q, &w->texts[0], a, b) *
           (0.4 + 0.6 * (all > 0 ? have / all : 1));
}

/* `kind`: the greatest clause_worth in [a, b). */
static double window_worth(const work *w, uint32_t a, uint32_t b, double kind)
{
    const lf_str s = lf_reading_slice(&w->texts[0], a, b);
    double have = 2.0 * kind;
    for (size_t i = 0; i < w->n_parts; i++) {
        const double here =
            part_between(&w->parts[i], &w->texts[0], a, b) ? 1 : by_synonym(&w->parts[i], s);
        have += w->parts[i].weight * here;
    }
    return have;
}

lf_status lf_evidence_span(lf_evidence_finder *f, const char *question, const char *text,
                           lf_span sentence, uint32_t max_chars, lf_span *out, lf_err *err)
{
    lf_reading r = { 0 }, none = { 0 };
    work w = { .f = f, .texts = &r, .contexts = &none, .n_src = 1 };
    lf_spans cl = { 0 };
    double best = -1;
    lf_status st = lf_reading_take(f->an, question, false, &w.q, err);
    *out = sentence;
    if (st == LF_OK)
        st = lf_question_read(question, &w.asked, err);
    if (st == LF_OK)
        st = take_parts(&w, err);
    if (st == LF_OK)
        st = lf_reading_take(f->an, text, false, &r, err);
    if (st == LF_OK)
        st = clauses(&r, sentence.start, sentence.end, &cl, err);
    for (size_t i = 0; st == LF_OK && i < cl.n; i++) {
        double kind = 0;
        for (size_t k = i; k < cl.n && cl.v[k].end - cl.v[i].start <= max_chars; k++) {
            const double own = clause_worth(&w, cl.v[k].start, cl.v[k].end);
            kind = own > kind ? own : kind;
            const double v = window_worth(&w, cl.v[i].start, cl.v[k].end, kind) -
                             0.004 * (double)(cl.v[k].end - cl.v[i].start);
            if (v > best) {
                best = v;
                *out = (lf_span){ .start = cl.v[i].start, .end = cl.v[k].end };
            }
        }
    }
    if (st == LF_OK && out->end - out->start > max_chars)
        out->end = out->start + max_chars; /* one clause longer than the limit */
    lf_spans_release(&cl);
    lf_reading_release(&w.q);
    lf_reading_release(&r);
    lf_free(w.parts);
    return st;
}

/* Of "多少中文 tokens", "how many pumps" the sentence has to speak of tokens or pumps too:
 * some word of what is counted has to be there, or one that says the same. */
static bool counts_same(const lf_reading *q, const lf_reading *s)
{
    const lf_span noun = counted_noun(q);
    const lf_str all = { .p = s->text, .len = s->n_bytes };
    bool any = false, found = false;
    for (size_t i = 0; i < q->terms.n; i++) {
        const lf_term *t = &q->terms.v[i];
        part p = { .id = t->id };
        if (t->start < noun.start || t->start >= noun.end || lf_reading_weight(q, t) < 0.5)
            continue;
        for (size_t k = 0; k < q->facts.n_names; k++)
            if (q->facts.names[k].start == t->start && !lf_reading_has(s, t->id))
                return false;
        take_groups(q, t->start, t->end, &p);
        found = found || lf_reading_has(s, t->id) || by_synonym(&p, all) > 0;
        any = true;
    }
    return found || !any;
}

lf_status lf_evidence_responds(lf_evidence_finder *f, const char *question, const char *sentence,
                               bool *out, lf_err *err)
{
    lf_reading q = { 0 }, s = { 0 };
    lf_question asked = { 0 };
    double fresh = 0;
    lf_status st = lf_reading_take(f->an, question, false, &q, err);
    if (st == LF_OK)
        st = lf_reading_take(f->an, sentence, false, &s, err);
    if (st == LF_OK)
        st = lf_question_read(question, &asked, err);
    for (size_t i = 0; st == LF_OK && i < s.terms.n; i++)
        if (!lf_reading_has(&q, s.terms.v[i].id))
            fresh += lf_reading_weight(&s, &s.terms.v[i]);
    for (size_t i = 0; st == LF_OK && i < s.facts.n_names; i++)
        if (!lf_reading_has_name(&q, s.facts.names[i].id))
            fresh += 1;
    if (st == LF_OK) {
        if (asked.asked == LF_ASKED_OTHER || asked.asked >= LF_ASKED_PLACE)
            *out = fresh >= 0.9 || lf_question_kind(&(lf_question){ .asked = LF_ASKED_NUMBER }, &q,
                                                    &s, 0, UINT32_MAX) > 0;
        else
            *out = lf_question_kind(&asked, &q, &s, 0, UINT32_MAX) >= 0.2 &&
                   (asked.asked != LF_ASKED_NUMBER || counts_same(&q, &s));
    }
    lf_reading_release(&q);
    lf_reading_release(&s);
    return st;
}

/* guard/align.c - figures bound to what is said of them, and clauses held beside the
 * clauses they come from.
 *
 * Everything goes by the words in common.  A figure's words are those of its clause up
 * to the next figure; where another figure of the passage has them and the sentence's
 * own figure has not, figures were taken for each other.  A clause's counterpart is the
 * sentence of the run with most of its words; there denial, direction, scope, certainty
 * and the order of words have to agree (guard/claim.c).
 *
 * Measured on tests/data/guard by bench/guard.sh. */
#include "guard/align_int.h"

#include <string.h>

#include "guard/claim_int.h"
#include "text/utf8.h"

bool lf_align_number_in(const lf_reading *r, const lf_number *n, uint32_t start, uint32_t end)
{
    for (size_t i = 0; i < r->facts.n_numbers; i++) {
        const lf_number *m = &r->facts.numbers[i];
        if (m->start >= start && m->start < end && lf_number_agrees(m, n))
            return true;
    }
    return false;
}

/* Nothing before it but white space since the text began or a sentence or line ended? */
bool lf_align_begins_sentence(const lf_reading *r, uint32_t start)
{
    const lf_str t = lf_reading_slice(r, 0, start);
    size_t n = t.len;
    while (n > 0 && (t.p[n - 1] == ' ' || t.p[n - 1] == '"' || t.p[n - 1] == '('))
        n--;
    return n == 0 || t.p[n - 1] == '.' || t.p[n - 1] == ':' || t.p[n - 1] == '\n' ||
           t.p[n - 1] == '?' || t.p[n - 1] == '!';
}

static bool is_capital(const lf_reading *r, uint32_t at)
{
    const lf_str t = lf_reading_slice(r, at, at + 1);
    return t.len == 1 && t.p[0] >= 'A' && t.p[0] <= 'Z' && !lf_align_begins_sentence(r, at);
}

/* Are numbers i and i + 1 parts of one date? */
static bool is_chain(const lf_reading *r, size_t i)
{
    const lf_number *n = r->facts.numbers + i;
    return i + 1 < r->facts.n_numbers && lf_number_date_part(n) != LF_UNIT_NONE &&
           lf_number_date_part(n + 1) != LF_UNIT_NONE &&
           lf_number_date_part(n) != lf_number_date_part(n + 1) && n[1].start - n->end <= 4;
}

static bool is_date(const lf_reading *r, size_t i)
{
    return lf_number_date_part(r->facts.numbers + i) != LF_UNIT_NONE;
}

/* The sentence puts numbers i and i + 1 together as one date: does the passage put one
 * of them together with another, and never these? */
bool lf_align_broken_date(const lf_align *j, size_t i, lf_span r)
{
    if (!is_chain(j->s, i))
        return false;
    const lf_number *a = &j->s->facts.numbers[i], *b = a + 1;
    bool broken = false;
    for (size_t k = 0; k + 1 < j->p->facts.n_numbers; k++) {
        const lf_number *m = &j->p->facts.numbers[k];
        if (m->start < r.start || m->start >= r.end || !is_chain(j->p, k))
            continue;
        const lf_number *x = lf_number_date_part(m) == lf_number_date_part(a) ? m : m + 1,
                        *y = x == m ? m + 1 : m;
        if (lf_number_date_part(x) != lf_number_date_part(a) ||
            lf_number_date_part(y) != lf_number_date_part(b))
            continue;
        if (lf_number_agrees(x, a) && lf_number_agrees(y, b))
            return false;
        broken = broken || lf_number_agrees(x, a) || lf_number_agrees(y, b);
    }
    return broken;
}

/* Where a statement ends for a figure: "80 %、90 %", "9 euros and 4.50". */
static bool is_joint(const char *c, const char *e)
{
    static const char *const joints[] = { "、", "而", "以及", " and ", " but ", " while " };
    for (size_t i = 0; i < sizeof joints / sizeof joints[0]; i++)
        if ((size_t)(e - c) >= strlen(joints[i]) && memcmp(c, joints[i], strlen(joints[i])) == 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The clause around a position: between commas or ends, or, if `fine`, joints too. */
static void clause_around(const lf_reading *p, uint32_t pos, uint32_t lo, uint32_t hi, bool fine,
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
                         cp == 0x3002 || (cp == '\n' && !wrapped) || (fine && is_joint(before, e));
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

/* Weight of the sentence's terms that start in `said` and that `there` of the passage has. */
static double overlap(const lf_align *j, lf_span said, lf_span there)
{
    double have = 0;
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        if (t->start >= said.start && t->start < said.end &&
            lf_reading_has_in(j->p, t->id, there.start, there.end))
            have += lf_reading_weight(j->s, t);
    }
    return have;
}

/* What is said of a figure: its clause, up to the figures before and after it; then
 * `*shared`, for it is open which of them the words between belong to.  In a passage
 * (`loose`) only figures of its kind part them.  A date has its whole sentence ("In May
 * 2009, …"), and parts no words from a figure. */
static lf_span about(const lf_reading *r, size_t i, lf_span within, bool loose, bool *shared)
{
    const lf_number *v = r->facts.numbers, *n = v + i;
    lf_span s = within;
    *shared = false;
    if (is_date(r, i)) {
        clause_around(r, n->start, within.start, within.end, false, &s.start, &s.end);
        for (size_t k = 0; k < r->sentences.n; k++)
            if (n->start >= r->sentences.v[k].start && n->start < r->sentences.v[k].end)
                s = r->sentences.v[k];
        return s;
    }
    clause_around(r, n->start, within.start, within.end, true, &s.start, &s.end);
    for (size_t k = 0; k < r->facts.n_numbers; k++) {
        const bool range = (k + 1 == i && n->start - v[k].end <= 1) ||
                           (k == i + 1 && v[k].start - n->end <= 1); /* "4-5" is one */
        if (k == i || range || (loose ? v[k].unit != n->unit : is_date(r, k)) ||
            v[k].start < s.start || v[k].start >= s.end)
            continue;
        *shared = true;
        if (k < i)
            s.start = v[k].end;
        else
            s.end = v[k].start;
    }
    return s;
}

/* Does what is said of figure `i` have a word that the passage says of figure `theirs`
 * and not of figure `own`? */
static bool strays(const lf_align *j, lf_span said, lf_span theirs, lf_span own)
{
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        if (t->start >= said.start && t->start < said.end && lf_reading_weight(j->s, t) >= 1 &&
            lf_reading_has_in(j->p, t->id, theirs.start, theirs.end) &&
            !lf_reading_has_in(j->p, t->id, own.start, own.end))
            return true;
    }
    return false;
}

/* Where in the run does the passage give figure `i`, in the words that fit best? */
static bool find_figure(const lf_align *j, lf_span r, size_t i, lf_span said, lf_span *where)
{
    double best = -1;
    bool shared;
    for (size_t k = 0; k < j->p->facts.n_numbers; k++) {
        const lf_number *m = &j->p->facts.numbers[k];
        if (m->start < r.start || m->start >= r.end ||
            !lf_number_agrees(m, &j->s->facts.numbers[i]))
            continue;
        const lf_span there = about(j->p, k, r, true, &shared);
        const double o = overlap(j, said, there);
        if (o > best) {
            best = o;
            *where = there;
        }
    }
    return best >= 0;
}

/* Two figures that changed places: what is said of each is what the passage says of
 * the other. */
static bool crossed_figures(const lf_align *j, lf_span r, lf_span all)
{
    bool sa, sb;
    for (size_t i = 0; i < j->s->facts.n_numbers; i++)
        for (size_t k = i + 1; k < j->s->facts.n_numbers; k++) {
            const lf_span a = about(j->s, i, all, false, &sa), b = about(j->s, k, all, false, &sb);
            lf_span pa, pb;
            if (sa || sb || (a.start < b.end && b.start < a.end) || !find_figure(j, r, i, a, &pa) ||
                !find_figure(j, r, k, b, &pb) || (pa.start == pb.start && pa.end == pb.end))
                continue;
            if (strays(j, a, pb, pa) && strays(j, b, pa, pb))
                return true;
        }
    return false;
}

/* "From 6 to 10" of "from 10 to 6": two figures of a kind beside each other, in the
 * opposite order, and a word that makes a way of them. */
static bool turned_round(const lf_align *j, lf_span r)
{
    const lf_number *s = j->s->facts.numbers, *p = j->p->facts.numbers;
    for (size_t i = 0; i + 1 < j->s->facts.n_numbers; i++) {
        bool turned = false, same = false;
        if (s[i].unit != s[i + 1].unit ||
            !lf_claim_is_way(lf_reading_slice(j->s, 0, s[i + 1].start)))
            continue;
        for (size_t k = 0; k + 1 < j->p->facts.n_numbers; k++) {
            if (p[k].start < r.start || p[k].start >= r.end)
                continue;
            same =
                same || (lf_number_agrees(&p[k], &s[i]) && lf_number_agrees(&p[k + 1], &s[i + 1]));
            turned = turned ||
                     (lf_number_agrees(&p[k], &s[i + 1]) && lf_number_agrees(&p[k + 1], &s[i]));
        }
        if (turned && !same)
            return true;
    }
    return false;
}

/* A number must come from the clause that speaks of the same thing: where another
 * clause of the run has a number of the same kind and far more of the words said of
 * this one, the model took the wrong one ("99 % easier, 98 % faster").  Across
 * languages the words in common are few, names, and count for more. */
bool lf_align_bound(const lf_align *j, lf_span r)
{
    enum { COUNTED_CHARS = 9 };
    const lf_span all = { 0, (uint32_t)lf_utf8_count(j->s->text, j->s->n_bytes) };
    for (size_t i = 0; i < j->s->facts.n_numbers; i++) {
        const lf_number *n = &j->s->facts.numbers[i];
        bool shared, mixed, unclear = false;
        const lf_span said = about(j->s, i, all, false, &shared);
        /* what is counted follows its number and tells most: it counts twice */
        const lf_span counted = { n->end, n->end + COUNTED_CHARS };
        double own = -1, other = 0;
        if (shared || (j->q && lf_align_number_in(j->q, n, 0, UINT32_MAX)))
            continue;
        for (size_t k = 0; k < j->p->facts.n_numbers; k++) {
            const lf_number *m = &j->p->facts.numbers[k];
            if (m->start < r.start || m->start >= r.end)
                continue;
            const lf_span there = about(j->p, k, r, true, &mixed);
            const double o = overlap(j, said, there) + overlap(j, counted, there);
            if (lf_number_agrees(m, n)) {
                own = o > own ? o : own;
                unclear = unclear || mixed; /* "from 80 % to 98 %" */
            } else if (m->unit == n->unit)
                other = o > other ? o : other;
        }
        if (own >= 0 && !unclear && other > own + (j->crossed ? 0.5 : 1.0))
            return false;
    }
    return !crossed_figures(j, r, all) && !turned_round(j, r) && !lf_align_mispaired(j, r);
}

/* Of the run, the sentence that shares most with what is said. */
static lf_span main_sentence(const lf_align *j, lf_span r, lf_span said)
{
    lf_span best = r;
    double most = -1;
    for (size_t k = 0; k < j->p->sentences.n; k++) {
        const lf_span s = j->p->sentences.v[k];
        if (s.start < r.start || s.end > r.end)
            continue;
        const double o = overlap(j, said, s);
        if (o > most) {
            most = o;
            best = s;
        }
    }
    return best;
}

/* Of a sentence of the passage, the part that says what is said: from its first word
 * in common, or rather the beginning of that one's clause, to its last. */
static lf_span matched_part(const lf_align *j, lf_span said, lf_span sentence)
{
    lf_span part = { UINT32_MAX, 0 };
    uint32_t ignored;
    for (size_t i = 0; i < j->p->terms.n; i++) {
        const lf_term *t = &j->p->terms.v[i];
        if (t->start < sentence.start || t->start >= sentence.end ||
            lf_reading_weight(j->p, t) <= 0 ||
            !lf_reading_has_in(j->s, t->id, said.start, said.end))
            continue;
        part.start = t->start < part.start ? t->start : part.start;
        part.end = t->end > part.end ? t->end : part.end;
    }
    if (part.end == 0)
        return sentence;
    clause_around(j->p, part.start, sentence.start, sentence.end, false, &part.start, &ignored);
    return part;
}

/* Of a sentence of the passage, the clause that shares most with what is said. */
static lf_span best_clause(const lf_align *j, lf_span said, lf_span sentence)
{
    lf_span best = sentence, c = sentence;
    double most = -1;
    for (uint32_t pos = sentence.start; pos < sentence.end; pos = c.end + 1) {
        clause_around(j->p, pos, sentence.start, sentence.end, true, &c.start, &c.end);
        const double o = overlap(j, said, c);
        if (o > most) {
            most = o;
            best = c;
        }
    }
    return best;
}

/* The only place of a term in a part of a text; false: none, or several. */
static bool only_place(const lf_reading *r, uint64_t id, lf_span in, uint32_t *start)
{
    size_t n = 0;
    for (size_t i = 0; i < r->terms.n; i++)
        if (r->terms.v[i].id == id && r->terms.v[i].start >= in.start &&
            r->terms.v[i].start < in.end) {
            *start = r->terms.v[i].start;
            n++;
        }
    return n == 1;
}

/* "A surpasses B" of "B surpasses A": three words in the opposite order, neither side in
 * the passive. */
static bool reversed(const lf_align *j, lf_span r, lf_span said)
{
    enum { WORDS_MAX = 48 };
    const lf_span sentence = main_sentence(j, r, said);
    uint32_t here[WORDS_MAX], there[WORDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < j->s->terms.n && n < WORDS_MAX; i++) {
        const lf_term *t = &j->s->terms.v[i];
        if (t->start >= said.start && t->start < said.end && lf_reading_weight(j->s, t) >= 1 &&
            only_place(j->s, t->id, said, &here[n]) && only_place(j->p, t->id, sentence, &there[n]))
            n++;
    }
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++)
            for (size_t c = 0; c < n; c++)
                if (here[a] < here[b] && here[b] < here[c] && there[a] > there[b] &&
                    there[b] > there[c])
                    return lf_claim_is_passive(lf_reading_slice(j->s, said.start, said.end)) ==
                           lf_claim_is_passive(
                               lf_reading_slice(j->p, sentence.start, sentence.end));
    return false;
}

/* Does a clause take words from what the passage says later, about something else?
 * What came before it may be its subject still. */
static bool scattered(const lf_align *j, lf_span said, lf_span sentence)
{
    double later = 0;
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        if (t->start < said.start || t->start >= said.end || lf_reading_weight(j->s, t) < 1 ||
            (j->q && lf_reading_has(j->q, t->id)) || lf_reading_has(j->ctx, t->id) ||
            lf_reading_has_in(j->p, t->id, 0, sentence.end))
            continue;
        if (lf_reading_has_in(j->p, t->id, sentence.end, UINT32_MAX))
            later += t->is_name || is_capital(j->s, t->start) ? 2 : 1;
    }
    return later >= 2;
}

/* Do the characters of a Chinese word stand in the text in their order and close
 * together, as those of "交行" do in "交通银行"? */
static bool abbreviates(lf_str word, lf_str text)
{
    enum { CLOSE = 12 };
    const char *from = text.p, *end = text.p + text.len;
    while (from < end) {
        const char *w = word.p, *t = from;
        uint32_t want = lf_utf8_next(&w, word.p + word.len);
        const bool begins = lf_utf8_next(&from, end) == want;
        for (int k = 0; begins && t < end && k < CLOSE; k++)
            if (lf_utf8_next(&t, end) == want) {
                if (w == word.p + word.len)
                    return true;
                want = lf_utf8_next(&w, word.p + word.len);
            }
    }
    return false;
}

/* Is the first word of weight, mostly what the sentence is about, the asker's alone,
 * so that the passage may be about something else? */
bool lf_align_is_about_other(const lf_align *j)
{
    for (size_t i = 0; i < j->s->terms.n; i++) {
        const lf_term *t = &j->s->terms.v[i];
        if (lf_reading_weight(j->s, t) < 1)
            continue;
        const lf_str word = lf_reading_slice(j->s, t->start, t->end);
        /* Only what may be a name: a word of the list, or none of any list. */
        return (t->is_name || t->kind == LF_TERM_PAIR) && j->q && lf_reading_has(j->q, t->id) &&
               !lf_reading_has(j->p, t->id) && !lf_reading_has(j->ctx, t->id) &&
               !abbreviates(word, (lf_str){ j->p->text, j->p->n_bytes }) &&
               !abbreviates(word, (lf_str){ j->ctx->text, j->ctx->n_bytes });
    }
    return false;
}

/* Clause by clause: does the source say the contrary, or less? */
const char *lf_align_conflict(const lf_align *j, lf_span r)
{
    const uint32_t n = (uint32_t)lf_utf8_count(j->s->text, j->s->n_bytes);
    lf_span said = { 0, n };
    if (reversed(j, r, said))
        return "order";
    for (uint32_t pos = 0; pos < n; pos = said.end + 1) {
        clause_around(j->s, pos, 0, n, false, &said.start, &said.end);
        const lf_span sentence = main_sentence(j, r, said);
        if (overlap(j, said, sentence) < 1.0)
            continue;
        const lf_span part = matched_part(j, said, sentence);
        const lf_span clause = best_clause(j, said, sentence);
        const lf_str words = lf_reading_slice(j->s, said.start, said.end);
        const lf_str there = lf_reading_slice(j->p, part.start, part.end);
        const lf_str near = lf_reading_slice(j->p, clause.start, clause.end);
        const bool denied = lf_claim_denies(words);
        if (denied != lf_claim_denies(there) && denied != lf_claim_denies(near))
            return "negation";
        if (scattered(j, said, sentence))
            return "order";
        const char *why = lf_claim_conflict(words, near, there,
                                            lf_reading_slice(j->p, sentence.start, sentence.end));
        if (why[0])
            return why;
    }
    return "";
}

/* infer/sample.c - sampling without sorting the vocabulary.
 *
 * Tokens whose probability is below e^-30 of the best one's cannot change a draw
 * of 53 bits by more than its last digits: they are left out first (with min-p,
 * more are).  What remains is usually some hundreds, and goes into a heap, from
 * which top-k and top-p take the best one by one until they have enough.
 *
 *     p_i = exp((x_i - max) / T) / sum        top-p: smallest set with mass >= p
 *
 * Sources: top-k Fan et al. 2018 arXiv:1805.04833; top-p Holtzman et al. 2020
 * arXiv:1904.09751; min-p Nguyen et al. 2024 arXiv:2407.01082; repeat penalty
 * Keskar et al. 2019 arXiv:1909.05858.  The generator is SplitMix64 (Steele, Lea
 * and Flood 2014), one step a draw, so that draw n of a seed is fixed. */
#include "infer/sample.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/softmax.h"

enum { REPEAT_DEFAULT = 64, REPEAT_MAX = 1 << 20, GRAMMAR_TRIES = 4 };

#define TAIL_NATS 30.0f

typedef struct candidate {
    float logit;
    int32_t id;
} candidate;

struct lf_sampler {
    lf_sampling s;
    size_t n_vocab;
    uint64_t state;
    lf_logit_bias *bias; /* owned copy */
    candidate *cand;     /* [n_vocab], where temperature > 0 */
    float *raw;          /* [n_vocab], where log-probabilities are wanted */
    int32_t *recent;     /* ring of the last repeat_last_n tokens */
    size_t n_recent, at_recent;
    uint32_t *stamp; /* [n_vocab]: the pick that penalised this token last */
    uint32_t *count; /* [n_vocab]: times generated */
    int32_t *seen;   /* generated tokens, each once */
    size_t n_seen;
    uint32_t n_picks;
};

static lf_status bad(lf_err *err, const char *name, double v, const char *allowed)
{
    return lf_fail(err, LF_ERR_ARG, "%s is %g, %s is allowed", name, v, allowed);
}

static lf_status check(const lf_sampling *s, size_t n_vocab, lf_err *err)
{
    if (!(s->temperature >= 0 && s->temperature <= 100))
        return bad(err, "temperature", (double)s->temperature, "0 to 100");
    if (s->top_k < 0)
        return bad(err, "top_k", s->top_k, "0 (off) or more");
    if (!(s->top_p > 0 && s->top_p <= 1))
        return bad(err, "top_p", (double)s->top_p, "above 0 and up to 1");
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return bad(err, "min_p", (double)s->min_p, "0 to 1");
    if (!(s->repeat_penalty > 0 && s->repeat_penalty <= 100))
        return bad(err, "repeat_penalty", (double)s->repeat_penalty, "above 0 and up to 100");
    if (!(fabsf(s->frequency_penalty) <= 100))
        return bad(err, "frequency_penalty", (double)s->frequency_penalty, "-100 to 100");
    if (!(fabsf(s->presence_penalty) <= 100))
        return bad(err, "presence_penalty", (double)s->presence_penalty, "-100 to 100");
    if (s->repeat_last_n < 0 || s->repeat_last_n > REPEAT_MAX)
        return bad(err, "repeat_last_n", s->repeat_last_n, "0 (the default, 64) to 1048576");
    if (s->n_top_logprobs < 0 || s->n_top_logprobs > LF_TOP_LOGPROBS_MAX)
        return bad(err, "top_logprobs", s->n_top_logprobs, "0 to 20");
    for (size_t i = 0; i < s->n_bias; i++) {
        if (s->bias[i].id < 0 || (size_t)s->bias[i].id >= n_vocab)
            return bad(err, "the token of a logit bias", s->bias[i].id, "an id of the vocabulary");
        if (!(fabsf(s->bias[i].bias) <= 1000))
            return bad(err, "a logit bias", (double)s->bias[i].bias, "-1000 to 1000");
    }
    return LF_OK;
}

static bool counts_needed(const lf_sampling *s)
{
    return s->frequency_penalty != 0.0f || s->presence_penalty != 0.0f;
}

static bool alloc_parts(lf_sampler *p)
{
    const lf_sampling *s = &p->s;
    bool ok = true;
    if (s->n_bias) {
        p->bias = lf_calloc(s->n_bias, sizeof *p->bias);
        if (p->bias)
            memcpy(p->bias, s->bias, s->n_bias * sizeof *p->bias);
        ok = ok && p->bias;
    }
    if (s->temperature > 0)
        ok = ok && (p->cand = lf_calloc(p->n_vocab, sizeof *p->cand)) != NULL;
    if (s->logprobs)
        ok = ok && (p->raw = lf_calloc(p->n_vocab, sizeof *p->raw)) != NULL;
    if (s->repeat_penalty != 1.0f)
        ok = ok && (p->recent = lf_calloc((size_t)s->repeat_last_n, sizeof *p->recent)) != NULL &&
             (p->stamp = lf_calloc(p->n_vocab, sizeof *p->stamp)) != NULL;
    if (counts_needed(s))
        ok = ok && (p->count = lf_calloc(p->n_vocab, sizeof *p->count)) != NULL &&
             (p->seen = lf_calloc(p->n_vocab, sizeof *p->seen)) != NULL;
    p->s.bias = p->bias;
    return ok;
}

lf_status lf_sampler_open(const lf_sampling *s, size_t n_vocab, lf_sampler **out, lf_err *err)
{
    const lf_status st = check(s, n_vocab, err);
    if (st != LF_OK)
        return st;
    lf_sampler *p = lf_calloc(1, sizeof *p);
    if (p) {
        p->s = *s;
        p->n_vocab = n_vocab;
        p->state = s->seed;
        if (p->s.repeat_last_n == 0)
            p->s.repeat_last_n = REPEAT_DEFAULT;
    }
    if (!p || !alloc_parts(p)) {
        lf_sampler_close(p);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to sample from %zu tokens", n_vocab);
    }
    *out = p;
    return LF_OK;
}

void lf_sampler_close(lf_sampler *p)
{
    if (!p)
        return;
    lf_free(p->bias);
    lf_free(p->cand);
    lf_free(p->raw);
    lf_free(p->recent);
    lf_free(p->stamp);
    lf_free(p->count);
    lf_free(p->seen);
    lf_free(p);
}

void lf_sampler_accept(lf_sampler *p, int32_t id, bool generated)
{
    if (p->recent) {
        const size_t cap = (size_t)p->s.repeat_last_n;
        p->recent[p->at_recent] = id;
        p->at_recent = (p->at_recent + 1) % cap;
        if (p->n_recent < cap)
            p->n_recent++;
    }
    if (p->count && generated && p->count[id]++ == 0)
        p->seen[p->n_seen++] = id;
}

/* ---- adjusting the scores ---- */

static void adjust(lf_sampler *p, float *x)
{
    const lf_sampling *s = &p->s;
    for (size_t i = 0; i < s->n_bias; i++)
        x[s->bias[i].id] += s->bias[i].bias;
    p->n_picks++;
    for (size_t i = 0; i < p->n_recent; i++) {
        const int32_t id = p->recent[i];
        if (p->stamp[id] == p->n_picks)
            continue; /* each token once, however often it occurred */
        p->stamp[id] = p->n_picks;
        x[id] = x[id] > 0 ? x[id] / s->repeat_penalty : x[id] * s->repeat_penalty;
    }
    for (size_t i = 0; i < p->n_seen; i++) {
        const int32_t id = p->seen[i];
        x[id] -= (float)p->count[id] * s->frequency_penalty + s->presence_penalty;
    }
}

/* ---- the heap: best candidate on top ---- */

static bool better(candidate a, candidate b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static void sift_down(candidate *c, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && better(c[child + 1], c[child]))
            child++;
        if (!better(c[child], c[at]))
            return;
        const candidate t = c[at];
        c[at] = c[child];
        c[child] = t;
        at = child;
    }
}

/* Move the best of c[0..n) to c[n - 1]. */
static candidate pop_best(candidate *c, size_t n)
{
    const candidate best = c[0];
    c[0] = c[n - 1];
    c[n - 1] = best;
    sift_down(c, 0, n - 1);
    return best;
}

/* ---- drawing ---- */

static double draw(lf_sampler *p)
{
    uint64_t z = (p->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

static double weight(candidate c, float max, float temperature)
{
    return exp((double)(c.logit - max) / (double)temperature);
}

static int32_t draw_from(lf_sampler *p, const candidate *c, size_t n, float max, double sum)
{
    double left = draw(p) * sum;
    for (size_t i = 0; i < n; i++) {
        left -= weight(c[i], max, p->s.temperature);
        if (left < 0)
            return c[i].id;
    }
    return c[n - 1].id; /* rounding used up the last bit */
}

/* The best candidates, best last in memory order: c[n - kept .. n) reversed. */
static int32_t pick_best_first(lf_sampler *p, candidate *c, size_t n, float max)
{
    const lf_sampling *s = &p->s;
    const float t = s->temperature;
    const size_t k = s->top_k > 0 && (size_t)s->top_k < n ? (size_t)s->top_k : n;
    double total = 0, mass = 0;
    for (size_t i = n / 2; i-- > 0;)
        sift_down(c, i, n);
    if (k == n)
        for (size_t i = 0; i < n; i++)
            total += weight(c[i], max, t);
    size_t kept = 0;
    if (k < n) { /* the mass that top-p is a share of is that of the k best */
        for (; kept < k; kept++)
            total += weight(pop_best(c, n - kept), max, t);
        for (size_t i = 1; i <= kept; i++) {
            mass += weight(c[n - i], max, t);
            if (mass >= (double)s->top_p * total) {
                kept = i;
                break;
            }
        }
    } else {
        while (kept < n && (kept == 0 || mass < (double)s->top_p * total))
            mass += weight(pop_best(c, n - kept++), max, t);
    }
    return draw_from(p, c + n - kept, kept, max, mass);
}

static int32_t pick_random(lf_sampler *p, const float *x)
{
    const lf_sampling *s = &p->s;
    const float max = x[lf_argmax(x, p->n_vocab)];
    float floor = max - TAIL_NATS * s->temperature;
    if (s->min_p > 0)
        floor = fmaxf(floor, max + s->temperature * logf(s->min_p));
    size_t n = 0;
    for (size_t i = 0; i < p->n_vocab; i++)
        if (x[i] >= floor)
            p->cand[n++] = (candidate){ .logit = x[i], .id = (int32_t)i };
    if (n <= 1)
        return n ? p->cand[0].id : (int32_t)lf_argmax(x, p->n_vocab);
    if ((s->top_k > 0 && (size_t)s->top_k < n) || s->top_p < 1.0f)
        return pick_best_first(p, p->cand, n, max);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weight(p->cand[i], max, s->temperature);
    return draw_from(p, p->cand, n, max, sum);
}

/* The n best of raw by insertion into a short sorted list. */
static void top_of(const float *raw, size_t n_vocab, float log_sum, int32_t want, lf_choice *out)
{
    int32_t n = 0;
    for (size_t i = 0; want > 0 && i < n_vocab; i++) {
        const float v = raw[i] - log_sum;
        if (n == want && !(v > out->top_logprobs[n - 1]))
            continue;
        int32_t at = n < want ? n++ : n - 1;
        for (; at > 0 && out->top_logprobs[at - 1] < v; at--) {
            out->top_logprobs[at] = out->top_logprobs[at - 1];
            out->top_ids[at] = out->top_ids[at - 1];
        }
        out->top_logprobs[at] = v;
        out->top_ids[at] = (int32_t)i;
    }
    out->n_top = n;
}

void lf_choice_describe(const float *scores, size_t n_vocab, int32_t id, int32_t n_top,
                        lf_choice *out)
{
    const float log_sum = lf_logsumexp(scores, n_vocab);
    out->id = id;
    out->logprob = scores[id] - log_sum;
    top_of(scores, n_vocab, log_sum, n_top, out);
}

/* The best token that the grammar allows.  It is mostly the best one of all: a few are
 * tried before the whole vocabulary is masked. */
static int32_t pick_best(const lf_sampler *p, float *x, lf_matcher *grammar)
{
    for (int i = 0; grammar && i < GRAMMAR_TRIES; i++) {
        const int32_t best = (int32_t)lf_argmax(x, p->n_vocab);
        if (lf_matcher_allows(grammar, best))
            return best;
        x[best] = -INFINITY;
    }
    if (grammar && lf_matcher_mask(grammar, x, p->n_vocab) == 0)
        return -1;
    return (int32_t)lf_argmax(x, p->n_vocab);
}

void lf_sampler_pick(lf_sampler *p, float *x, lf_matcher *grammar, lf_choice *out)
{
    if (p->raw)
        memcpy(p->raw, x, p->n_vocab * sizeof *x);
    adjust(p, x);
    if (p->s.temperature <= 0)
        out->id = pick_best(p, x, grammar);
    else if (grammar && lf_matcher_mask(grammar, x, p->n_vocab) == 0)
        out->id = -1;
    else
        out->id = pick_random(p, x);
    out->logprob = 0;
    out->n_top = 0;
    if (p->raw && out->id >= 0)
        lf_choice_describe(p->raw, p->n_vocab, out->id, p->s.n_top_logprobs, out);
}

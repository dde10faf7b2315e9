/* infer/draft.c - prompt lookup, and when to leave it alone. */
#include "infer/draft.h"

enum { MATCH_MAX = 16, WAIT_MAX = 32 };

/* Tokens before t[i] and before the end of t that agree. */
static size_t agree_before(const int32_t *t, size_t i, size_t n)
{
    size_t k = 0;
    while (k < MATCH_MAX && k < i && t[i - 1 - k] == t[n - 1 - k])
        k++;
    return k;
}

bool lf_draft_rests(lf_drafter *d)
{
    const bool rests = d->wait > 0;
    d->wait -= rests;
    return rests;
}

size_t lf_draft(lf_drafter *d, const int32_t *t, size_t n, int32_t next, size_t room, int32_t *out)
{
    const size_t most = d->trusted ? LF_DRAFT_MAX : LF_DRAFT_SHORT;
    size_t best = 0, from = 0;
    if (lf_draft_rests(d))
        return 0;
    for (size_t i = n; i-- > 0 && best < MATCH_MAX;) { /* of equal matches the latest */
        if (t[i] != next || i + 1 == n)
            continue;
        const size_t k = 1 + agree_before(t, i, n);
        if (k > best) {
            best = k;
            from = i + 1;
        }
    }
    if (best < LF_DRAFT_MATCH)
        return 0;
    size_t k = 0;
    for (; k < most && k < room && from + k < n; k++)
        out[k] = t[from + k];
    return k;
}

void lf_draft_judge(lf_drafter *d, size_t n_guessed, size_t n_right)
{
    if (n_guessed == 0)
        return;
    d->n_guessed += (uint32_t)n_guessed;
    d->n_right += (uint32_t)n_right;
    d->trusted = n_right == n_guessed;
    d->misses = n_right ? 0 : d->misses + 1;
    if (d->misses > 1)
        d->wait = d->misses < 6 ? 1u << d->misses : WAIT_MAX;
}

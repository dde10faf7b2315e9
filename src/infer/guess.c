/* infer/guess.c - guesses at what comes next by a smaller model of the same vocabulary.
 *
 * Where prompt lookup (draft.h) finds nothing, a second model continues the sequence by
 * itself, greedily, a token a pass; the passes of all sequences are joined.  What it says is
 * a guess like any other: evaluated by the real model in one pass and kept as far as the
 * sampler chooses just that, so that the output is that of plain decoding, bit by bit.
 *
 *     sequence   t0 t1 t2 … t(n-1) pending
 *     guesser    ------- counted -------->  g0 g1 g2 …   stored, not counted
 *
 * The guesser's own sequence follows: before it guesses it evaluates what it has not seen, a
 * prompt in chunks, at most one a step.  Keys and values of guesses that came true are
 * counted afterwards and not evaluated again.
 *
 * Source: Leviathan et al. 2023, arXiv:2211.17192; greedy guesses, exact verification. */
#include <string.h>

#include "infer/engine_int.h"
#include "tensor/softmax.h"

enum { GUESS_MAX = 7, GUESS_SHORT = 3 }; /* when the last were all right; else */

/* ---- who guesses ---- */

static lf_status tell_apart(const lf_model *a, const lf_model *b, lf_err *err)
{
    const lf_tokenizer *ta = lf_model_tokenizer(a), *tb = lf_model_tokenizer(b);
    const char *na = lf_model_get_info(a)->name, *nb = lf_model_get_info(b)->name;
    const size_t n = lf_tokenizer_n_vocab(ta), n_b = lf_tokenizer_n_vocab(tb);
    lf_buf pa = { 0 }, pb = { 0 };
    lf_status st = LF_OK;
    if (n != n_b)
        st = lf_fail(err, LF_ERR_ARG,
                     "'%.100s' cannot guess for '%.100s': its vocabulary has %zu tokens, not %zu",
                     nb, na, n_b, n);
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        lf_buf_clear(&pa);
        lf_buf_clear(&pb);
        lf_tokenizer_piece(ta, (int32_t)i, true, &pa);
        lf_tokenizer_piece(tb, (int32_t)i, true, &pb);
        if (pa.failed || pb.failed)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to compare two vocabularies");
        else if (pa.len != pb.len || (pa.len && memcmp(pa.data, pb.data, pa.len) != 0))
            st =
                lf_fail(err, LF_ERR_ARG,
                        "'%.100s' cannot guess for '%.100s': its token %zu is '%.40s', not '%.40s'",
                        nb, na, i, lf_buf_cstr(&pb), lf_buf_cstr(&pa));
    }
    lf_buf_release(&pa);
    lf_buf_release(&pb);
    return st;
}

lf_status lf_guess_prepare(lf_engine *e, runner *r, job *j, lf_err *err)
{
    lf_model *m = j->req->guesser;
    if (m == r->m)
        return lf_fail(err, LF_ERR_ARG, "a model cannot guess for itself");
    if (lf_model_get_info(m)->is_encoder)
        return lf_fail(err, LF_ERR_ARG, "'%s' is an encoder: it cannot guess",
                       lf_model_get_info(m)->name);
    if (r->guesser_hash[0] == '\0' || strcmp(r->guesser_hash, lf_model_get_info(m)->hash) != 0) {
        const lf_status st = tell_apart(r->m, m, err);
        if (st != LF_OK)
            return st;
        memcpy(r->guesser_hash, lf_model_get_info(m)->hash, sizeof r->guesser_hash);
    }
    return lf_runner_get(e, m, &j->guesser, err);
}

void lf_guess_open(job *j)
{
    runner *d = j->guesser;
    const lf_gen_req *q = j->req;
    const size_t cap = q->n_tokens + j->n_limit, most = lf_model_get_info(d->m)->ctx_tokens;
    const lf_kv_want w = {
        .key = q->cache_key, .prompt = q->tokens, .n_prompt = q->n_tokens, .cap = cap
    };
    if (cap > most || lf_kv_seq_open(d->kv, &w, &j->guess_seq, NULL) != LF_OK)
        j->guess_seq = (lf_kv_seq){ 0 }; /* no room: without guesses */
}

void lf_guess_close(job *j)
{
    lf_kv_seq_close(&j->guess_seq);
    j->guesser = NULL;
}

/* ---- a step ---- */

/* Guesses that came true are part of the sequence; the last token never is: its scores are
 * wanted. */
static void settle(job *j)
{
    lf_kv_seq *s = &j->guess_seq;
    for (size_t k = 0; k < j->n_stored && s->n < j->seq.n && j->guess[k] == j->seq.tokens[s->n];
         k++)
        lf_kv_seq_advance(s, &j->guess[k], 1);
    j->n_stored = 0;
}

static size_t most_of(const job *j)
{
    const size_t most = j->guesser_ok.trusted ? GUESS_MAX : GUESS_SHORT;
    return most < j->guess_room ? most : j->guess_room;
}

static void add_rows(runner *d, lf_batch *b, job *j, size_t behind, size_t n, bool out)
{
    lf_kv_seq *s = &j->guess_seq;
    lf_kv_seq_reserve(s, behind + n);
    d->job_of[b->n_segs] = j;
    d->segs[b->n_segs++] =
        (lf_segment){ .row0 = b->n, .n_rows = n, .pos0 = s->n + behind, .blocks = s->data };
    b->n += n;
    if (out)
        d->out_rows[b->n_out++] = (int32_t)(b->n - 1);
}

static lf_mat run(runner *d, lf_batch *b)
{
    b->ids = d->ids;
    b->segs = d->segs;
    b->out_rows = d->out_rows;
    b->kv = d->kv_type;
    lf_graph_rewind(&d->g, 0);
    return lf_decoder_forward(d->m, &d->g, b);
}

static void take_guess(const runner *d, const runner *r, job *j, const float *scores)
{
    const size_t n = d->n_vocab < r->n_vocab ? d->n_vocab : r->n_vocab;
    j->guess[j->n_guess++] = (int32_t)lf_argmax(scores, n);
}

/* Whether `d` guesses for this job in this step, which is one of r's model: what the jobs of
 * other models have in by_guesser is of another step. */
static bool asks(const runner *d, const runner *r, const job *j)
{
    return j->m == r->m && j->guesser == d && j->by_guesser;
}

/* Evaluate what the guesser has not seen, up to the pending token; those that are level have
 * their first guess then. */
static void catch_up(runner *d, const runner *r, job *active)
{
    lf_batch b = { .n = 0 };
    size_t out = 0;
    for (job *j = active; j && b.n < d->rows_max; j = j->next) {
        if (!asks(d, r, j))
            continue;
        const size_t from = j->guess_seq.n, left = j->seq.n + 1 - from, room = d->rows_max - b.n;
        const size_t n = left < room ? left : room;
        for (size_t i = 0; i < n; i++)
            d->ids[b.n + i] = from + i < j->seq.n ? j->seq.tokens[from + i] : j->pending;
        add_rows(d, &b, j, 0, n, n == left);
    }
    if (b.n == 0)
        return;
    const lf_mat scores = run(d, &b);
    for (size_t i = 0; i < b.n_segs; i++) {
        job *j = d->job_of[i];
        lf_kv_seq_advance(&j->guess_seq, d->ids + d->segs[i].row0, d->segs[i].n_rows);
        if (j->guess_seq.n > j->seq.n)
            take_guess(d, r, j, scores.data + out++ * d->n_vocab);
    }
}

/* One more guess for those that have `n` and may have more; false: there are none. */
static bool go_on(runner *d, const runner *r, job *active, size_t n)
{
    lf_batch b = { .n = 0 };
    for (job *j = active; j; j = j->next) {
        if (!asks(d, r, j) || j->n_guess != n || n >= most_of(j))
            continue;
        d->ids[b.n] = j->guess[n - 1];
        add_rows(d, &b, j, n - 1, 1, true);
        j->n_stored = n;
    }
    if (b.n == 0)
        return false;
    const lf_mat scores = run(d, &b);
    for (size_t i = 0; i < b.n_segs; i++)
        take_guess(d, r, d->job_of[i], scores.data + i * d->n_vocab);
    return true;
}

bool lf_guess_wanted(job *j)
{
    if (!j->guesser)
        return false;
    settle(j);
    return j->guess_seq.pool && j->guess_seq.n <= j->seq.n && j->guess_room > 0 &&
           !lf_draft_rests(&j->guesser_ok);
}

void lf_guess_step(lf_engine *e, const runner *r)
{
    for (runner *d = e->runners; d; d = d->next) {
        if (d == r || !d->kv)
            continue;
        catch_up(d, r, e->active);
        for (size_t n = 1; go_on(d, r, e->active, n); n++)
            ;
    }
}

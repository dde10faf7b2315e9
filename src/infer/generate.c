/* infer/generate.c - one step of continuous batching.
 *
 * A step is one forward pass over rows of several sequences: each sequence that is
 * generating gives its last token (one row, whose scores are wanted), then
 * prompts fill the pass up to the batch size, each with as many rows as the others
 * as long as it has any.  A prompt that goes on like one which is further lets it
 * pass, and takes its blocks.  The last row of a prompt wants scores too.  Afterwards each sequence
 * with scores chooses its token.  A sequence that is generating may add guesses at
 * the tokens after its last one (draft.h): it chooses at each of these rows in turn,
 * up to the first where it chooses otherwise, and forgets the rows behind.
 * Nothing is allocated but text that is shown and what a grammar's matcher learns.
 *
 *     waiting --admit--> prompt --last chunk--> generating --end--> done
 *
 * A sequence whose caller lies EVENTS_MAX events behind is left out of the step. */
#include <string.h>

#include "base/clock.h"
#include "infer/engine_int.h"

/* The job's sequence stays in the cache, for whoever begins alike. */
static void leave(runner *r, job *j)
{
    lf_guess_close(j);
    lf_kv_seq_close(&j->seq);
    r->n_seqs--;
}

static void finish(runner *r, job *j, lf_finish how)
{
    j->finish = how;
    leave(r, j);
    lf_job_end(j, LF_OK, NULL);
}

static void give_up(runner *r, job *j, lf_status st, const char *why)
{
    lf_err err;
    leave(r, j);
    lf_job_end(j, lf_fail(&err, st, "%s", why), &err);
}

/* Tokens whose events the caller's ring has room for. */
static size_t event_room(job *j)
{
    if (!j->events)
        return EVENTS_MAX;
    (void)pthread_mutex_lock(&j->lock);
    const size_t n = j->n_events;
    (void)pthread_mutex_unlock(&j->lock);
    return n < EVENTS_MAX - 1 ? EVENTS_MAX - 1 - n : 0; /* one is left for what was held back */
}

/* ---- what a chosen token brings ---- */

static void push_event(job *j, const lf_choice *c, size_t text_at)
{
    if (j->events) {
        j->events[(j->event_at + j->n_events) % EVENTS_MAX] =
            (event){ .choice = *c, .text_at = text_at, .n_text = j->text.len - text_at };
        j->n_events++;
        (void)pthread_cond_signal(&j->moved);
    }
}

/* Show what was held back as an event of its own, with no token. */
static void flush_text(job *j)
{
    const lf_choice none = { .id = -1 };
    (void)pthread_mutex_lock(&j->lock);
    const size_t at = j->text.len;
    lf_stream_end(&j->stream, &j->text);
    if (j->text.len > at)
        push_event(j, &none, at);
    (void)pthread_mutex_unlock(&j->lock);
}

static void take_token(runner *r, job *j, const lf_choice *c)
{
    const lf_tokenizer *tok = lf_model_tokenizer(j->m);
    const int64_t now = lf_clock_us();
    if (j->n_generated == 0) {
        j->prefill_done_us = now;
        j->first_token_us = now - j->started_us;
    }
    if (!j->req->ignore_end && lf_tokenizer_is_end(tok, c->id)) {
        flush_text(j);
        finish(r, j, LF_FINISH_STOP);
        return;
    }
    lf_buf_clear(&j->piece);
    lf_tokenizer_piece(tok, c->id, false, &j->piece);
    (void)pthread_mutex_lock(&j->lock);
    const size_t at = j->text.len;
    const bool go_on = lf_stream_add(&j->stream, lf_buf_cstr(&j->piece), j->piece.len, &j->text);
    j->n_generated++;
    push_event(j, c, at);
    const bool failed = j->text.failed || j->piece.failed || j->stream.held.failed;
    (void)pthread_mutex_unlock(&j->lock);

    lf_sampler_accept(j->sampler, c->id, true);
    if (j->matcher && !lf_matcher_accept(j->matcher, c->id)) {
        give_up(r, j, LF_ERR_NOMEM, "no memory to follow the grammar");
    } else if (failed) {
        give_up(r, j, LF_ERR_NOMEM, "no memory for the generated text");
    } else if (!go_on) {
        finish(r, j, LF_FINISH_STOP);
    } else if (j->matcher && lf_matcher_is_over(j->matcher)) {
        flush_text(j);
        finish(r, j, LF_FINISH_STOP);
    } else if (j->n_generated >= j->n_limit) {
        flush_text(j);
        finish(r, j, LF_FINISH_LENGTH);
    } else {
        j->pending = c->id;
    }
}

static void take_choice(runner *r, job *j, const lf_choice *c)
{
    if (c->id >= 0)
        take_token(r, j, c);
    else if (lf_matcher_failed(j->matcher))
        give_up(r, j, LF_ERR_NOMEM, "no memory to follow the grammar");
    else
        give_up(r, j, LF_ERR_UNSUPPORTED, "no token of the model can continue the grammar here");
}

/* ---- a step ---- */

/* The generating jobs of a runner, one after the other; NULL behind the last. */
static job *next_of(const runner *r, job *j)
{
    while (j && !(j->kind == JOB_GENERATE && j->m == r->m && !j->ended))
        j = j->next;
    return j;
}

typedef struct filling {
    runner *r;
    lf_batch b;
    size_t n_segs;
    size_t spare; /* rows with scores that nobody needs: for guesses */
} filling;

/* n rows of a sequence; the scores of the last n_out of them are wanted. */
static void add_rows(filling *f, job *j, const int32_t *ids, size_t n, size_t n_out)
{
    runner *r = f->r;
    lf_segment *seg = &r->segs[f->n_segs];
    lf_kv_seq_reserve(&j->seq, n);
    *seg = (lf_segment){ .row0 = f->b.n,
                         .n_rows = n,
                         .pos0 = j->seq.n,
                         .blocks = j->seq.data,
                         .adapters = j->req->adapters };
    memcpy(r->ids + f->b.n, ids, n * sizeof *ids);
    f->b.n += n;
    r->job_of[f->n_segs++] = j;
    for (size_t i = n - n_out; i < n; i++)
        r->out_rows[f->b.n_out++] = (int32_t)(seg->row0 + i);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Guesses by lookup; where there are none, another model may be asked. */
static void guess(lf_engine *e, const runner *r, size_t spare)
{
    for (job *j = next_of(r, e->active); j; j = next_of(r, j->next)) {
        const lf_kv_seq *s = &j->seq;
        const size_t events = event_room(j);
        j->n_guess = 0;
        j->by_guesser = false;
        if (j->pending < 0 || j->req->no_drafts || events == 0)
            continue;
        j->guess_room = least(least(spare, events - 1), s->cap - s->n - 1);
        j->guess_room = least(j->guess_room, j->n_limit - j->n_generated - 1);
        const bool ask = lf_guess_wanted(j);
        j->n_guess = lf_draft(&j->drafter, s->tokens, s->n, j->pending, j->guess_room, j->guess);
        j->by_guesser = ask && j->n_guess == 0;
    }
    lf_guess_step(e, r);
}

static void add_generating(filling *f, job *j)
{
    int32_t ids[1 + LF_DRAFT_MAX] = { j->pending };
    const size_t rows = f->r->rows_max - f->b.n, events = event_room(j);
    if (j->pending < 0 || rows == 0 || events == 0)
        return;
    const size_t n = least(least(j->n_guess, events - 1), least(f->spare, rows - 1));
    memcpy(ids + 1, j->guess, n * sizeof *ids);
    f->spare -= n;
    add_rows(f, j, ids, 1 + n, 1 + n);
}

static size_t prompt_left(const job *j)
{
    return j->pending < 0 && j->req->n_tokens > j->seq.n ? j->req->n_tokens - j->seq.n : 0;
}

/* Rows that prompts would take with at most `each`. */
static size_t prompt_rows(const runner *r, job *active, size_t each)
{
    size_t n = 0;
    for (job *j = next_of(r, active); j; j = next_of(r, j->next))
        n += j->behind ? 0 : least(prompt_left(j), each);
    return n;
}

/* The most that each may take so that all get it: a long prompt takes what short ones
 * leave, not more. */
static size_t fair_share(const runner *r, job *active, size_t room)
{
    size_t low = 0, high = room;
    while (low < high) {
        const size_t mid = (low + high + 1) / 2;
        if (prompt_rows(r, active, mid) <= room)
            low = mid;
        else
            high = mid - 1;
    }
    return low ? low : 1;
}

/* Whether another prompt, further or as far and earlier, evaluates the rest of j's
 * block just now. */
static bool is_behind(const runner *r, job *active, const job *j)
{
    const size_t end = (j->seq.n / LF_KV_BLOCK + 1) * LF_KV_BLOCK;
    bool earlier = true;
    if (end >= j->req->n_tokens)
        return false;
    for (job *o = next_of(r, active); o; o = next_of(r, o->next)) {
        if (o == j)
            earlier = false;
        else if (prompt_left(o) && o->req->cache_key == j->req->cache_key &&
                 (o->seq.n > j->seq.n || (o->seq.n == j->seq.n && earlier)) &&
                 end <= o->req->n_tokens &&
                 memcmp(o->req->tokens, j->req->tokens, end * sizeof *j->req->tokens) == 0)
            return true;
    }
    return false;
}

static void add_prompt(filling *f, job *j, size_t most)
{
    const size_t left = prompt_left(j), room = least(most, f->r->rows_max - f->b.n);
    const size_t n = j->behind ? 0 : least(left, room);
    if (n)
        add_rows(f, j, j->req->tokens + j->seq.n, n, n == left ? 1 : 0);
}

static void add_prompts(filling *f, job *active)
{
    const runner *r = f->r;
    for (job *j = next_of(r, active); j; j = next_of(r, j->next))
        if (prompt_left(j))
            j->n_cached += (uint32_t)lf_kv_seq_follow(&j->seq, j->req->tokens, j->req->n_tokens);
    for (job *j = next_of(r, active); j; j = next_of(r, j->next))
        j->behind = prompt_left(j) && is_behind(r, active, j);
    const size_t share = fair_share(r, active, r->rows_max - f->b.n);
    for (job *j = next_of(r, active); j; j = next_of(r, j->next))
        add_prompt(f, j, share);
}

/* After the pass: choose at each row with scores, scores f32[n_out][n_vocab], as long
 * as the rows that follow hold what was chosen. */
static void take_segment(runner *r, size_t i, float *scores, size_t n_out)
{
    const lf_segment *seg = &r->segs[i];
    const int32_t *ids = r->ids + seg->row0;
    job *j = r->job_of[i];
    const bool guessed = j->pending >= 0;
    size_t n = seg->n_rows - n_out, right = 0;
    j->pending = -1;
    lf_kv_seq_advance(&j->seq, ids, n);
    for (size_t k = 0; k < n_out; k++, n++) {
        lf_choice choice;
        lf_kv_seq_advance(&j->seq, ids + n, 1);
        lf_sampler_pick(j->sampler, scores + k * r->n_vocab, j->matcher, &choice);
        const bool as_guessed = k + 1 < n_out && choice.id == ids[n + 1];
        right += as_guessed;
        if (guessed && !as_guessed)
            lf_draft_judge(j->by_guesser ? &j->guesser_ok : &j->drafter, n_out - 1, right);
        take_choice(r, j, &choice);
        if (j->ended || !as_guessed)
            return;
    }
}

static void drop_cancelled(runner *r, job *active)
{
    for (job *j = next_of(r, active); j; j = next_of(r, j->next)) {
        const char *why = lf_job_over(j);
        if (why)
            give_up(r, j, LF_ERR_CANCELLED, why);
    }
}

static void fill(filling *f, lf_engine *e)
{
    job *active = e->active;
    f->spare = f->r->outs_max > f->r->n_seqs ? f->r->outs_max - f->r->n_seqs : 0;
    guess(e, f->r, f->spare);
    for (job *j = next_of(f->r, active); j; j = next_of(f->r, j->next))
        add_generating(f, j);
    add_prompts(f, active);
}

bool lf_generate_step(lf_engine *e, runner *r)
{
    filling f = { .r = r, .b = { .kv = r->kv_type } };
    drop_cancelled(r, e->active);
    fill(&f, e);
    if (f.b.n == 0)
        return false;
    f.b.ids = r->ids;
    f.b.segs = r->segs;
    f.b.n_segs = f.n_segs;
    f.b.out_rows = r->out_rows;
    lf_graph_rewind(&r->g, 0);
    const lf_mat scores = lf_decoder_forward(r->m, &r->g, &f.b);
    size_t out = 0;
    for (size_t i = 0; i < f.n_segs; i++) {
        const size_t end = r->segs[i].row0 + r->segs[i].n_rows;
        size_t n = 0;
        while (out + n < f.b.n_out && (size_t)r->out_rows[out + n] < end)
            n++;
        take_segment(r, i, scores.data + out * r->n_vocab, n);
        out += n;
    }
    return true;
}

/* infer/generate.c - one step of continuous batching.
 *
 * A step is one forward pass over rows of several sessions: each session that is
 * generating gives its last token (one row, whose scores are wanted), then
 * prompts fill the pass up to the batch size, a chunk each, in the order in which
 * they came.  The last row of a prompt wants scores too.  Afterwards each session
 * with scores chooses its token.  Nothing is allocated but text that is shown.
 *
 *     waiting --admit--> prompt --last chunk--> generating --end--> done
 *
 * A session whose caller lies EVENTS_MAX events behind is left out of the step. */
#include <string.h>

#include "base/clock.h"
#include "infer/engine_int.h"

static void finish(lf_engine *e, job *j, lf_finish how)
{
    j->finish = how;
    j->sess->job = NULL;
    j->sess->used_at = ++e->step;
    j->sess = NULL;
    lf_job_end(j, LF_OK, NULL);
}

static void give_up(lf_engine *e, job *j, lf_status st, const char *why)
{
    lf_err err;
    j->sess->job = NULL;
    j->sess->used_at = ++e->step;
    j->sess = NULL;
    lf_job_end(j, lf_fail(&err, st, "%s", why), &err);
}

/* Is there a place for the event of another token? */
static bool caller_keeps_up(job *j)
{
    if (!j->events)
        return true;
    (void)pthread_mutex_lock(&j->lock);
    const bool ok = j->n_events < EVENTS_MAX - 1; /* one is left for what was held back */
    (void)pthread_mutex_unlock(&j->lock);
    return ok;
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

static void take_token(lf_engine *e, job *j, const lf_choice *c)
{
    const lf_tokenizer *tok = lf_model_tokenizer(j->m);
    const int64_t now = lf_clock_us();
    if (j->n_generated == 0) {
        j->prefill_done_us = now;
        j->first_token_us = now - j->started_us;
    }
    if (!j->req->ignore_end && lf_tokenizer_is_end(tok, c->id)) {
        flush_text(j);
        finish(e, j, LF_FINISH_STOP);
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
        give_up(e, j, LF_ERR_NOMEM, "no memory to follow the grammar");
    } else if (failed) {
        give_up(e, j, LF_ERR_NOMEM, "no memory for the generated text");
    } else if (!go_on) {
        finish(e, j, LF_FINISH_STOP);
    } else if (j->matcher && lf_matcher_is_over(j->matcher)) {
        flush_text(j);
        finish(e, j, LF_FINISH_STOP);
    } else if (j->n_generated >= j->n_limit) {
        flush_text(j);
        finish(e, j, LF_FINISH_LENGTH);
    } else {
        j->pending = c->id;
    }
}

static void take_choice(lf_engine *e, job *j, const lf_choice *c)
{
    if (c->id >= 0)
        take_token(e, j, c);
    else if (lf_matcher_failed(j->matcher))
        give_up(e, j, LF_ERR_NOMEM, "no memory to follow the grammar");
    else
        give_up(e, j, LF_ERR_UNSUPPORTED, "no token of the model can continue the grammar here");
}

/* ---- a step ---- */

typedef struct filling {
    runner *r;
    lf_batch b;
    size_t n_segs;
} filling;

static void add_rows(filling *f, session *s, const int32_t *ids, size_t n, bool want_scores)
{
    runner *r = f->r;
    lf_segment *seg = &r->segs[f->n_segs];
    *seg = (lf_segment){ .row0 = f->b.n, .n_rows = n, .pos0 = s->n, .kv = &s->kv };
    memcpy(r->ids + f->b.n, ids, n * sizeof *ids);
    f->b.n += n;
    r->seg_of[f->n_segs++] = s;
    if (want_scores)
        r->out_rows[f->b.n_out++] = (int32_t)(f->b.n - 1);
}

static void add_generating(filling *f, job *j)
{
    session *s = j->sess;
    if (j->pending >= 0 && f->b.n < f->r->rows_max && caller_keeps_up(j))
        add_rows(f, s, &j->pending, 1, true);
}

static void add_prompt(filling *f, job *j)
{
    session *s = j->sess;
    const size_t room = f->r->rows_max - f->b.n;
    const size_t left = j->req->n_tokens > s->n ? j->req->n_tokens - s->n : 0;
    if (j->pending >= 0 || left == 0 || room == 0)
        return;
    const size_t n = left < room ? left : room;
    add_rows(f, s, j->req->tokens + s->n, n, n == left);
}

/* After the pass: what was evaluated is part of the session. */
static void advance(const filling *f, size_t i)
{
    session *s = f->r->seg_of[i];
    const lf_segment *seg = &f->r->segs[i];
    memcpy(s->tokens + s->n, f->r->ids + seg->row0, seg->n_rows * sizeof *s->tokens);
    s->n += seg->n_rows;
    s->job->pending = -1;
}

static void drop_cancelled(lf_engine *e, runner *r)
{
    for (size_t i = 0; i < r->n_sessions; i++) {
        job *j = r->sessions[i].job;
        if (j && lf_job_cancelled(j))
            give_up(e, j, LF_ERR_CANCELLED, "the request was cancelled");
    }
}

static void fill(filling *f, const job *active)
{
    for (const job *j = active; j; j = j->next)
        if (j->sess && j->m == f->r->m)
            add_generating(f, (job *)(uintptr_t)j);
    for (const job *j = active; j; j = j->next)
        if (j->sess && j->m == f->r->m)
            add_prompt(f, (job *)(uintptr_t)j);
}

bool lf_generate_step(lf_engine *e, runner *r)
{
    filling f = { .r = r };
    lf_choice choice;
    drop_cancelled(e, r);
    fill(&f, e->active);
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
        const lf_segment *seg = &r->segs[i];
        job *j = r->seg_of[i]->job;
        advance(&f, i);
        if (out < f.b.n_out && (size_t)r->out_rows[out] == seg->row0 + seg->n_rows - 1) {
            lf_sampler_pick(j->sampler, scores.data + out * scores.cols, j->matcher, &choice);
            out++;
            take_choice(e, j, &choice);
        }
    }
    return true;
}

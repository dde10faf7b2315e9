/* infer/engine.c - the engine thread and its callers.
 *
 * A caller puts its job into the incoming list, pokes the engine and waits on the
 * job: for events, which it passes to its callback on its own thread, and for the
 * end.  The engine thread goes round:
 *
 *     1. take incoming jobs
 *     2. give waiting jobs a sequence (or tell them why there is none), by turns of users
 *     3. one step of each model that has running requests, one pass of each encoder that
 *        has texts, one of each scoring job
 *
 * and sleeps when a round found nothing to do, until it is poked: by a new job, a
 * cancelled one, or a caller that took an event from a full ring. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "infer/engine_int.h"

enum {
    BATCH_DEFAULT = 512,
    SESSIONS_DEFAULT = 16,
    BATCH_MAX = 65536,
    CANCEL_POLL_MS = 20 /* how often a waiting caller looks at *cancel */
};

lf_sampling lf_sampling_defaults(void)
{
    return (lf_sampling){ .top_p = 1.0f, .repeat_penalty = 1.0f };
}

bool lf_kv_type_of(const char *name, lf_kv_type *out)
{
    static const char *const names[] = { "f16", "q8", "q4" };
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (lf_kv_type)i;
            return true;
        }
    return false;
}

/* ---- jobs ---- */

lf_status lf_job_init(job *j, job_kind kind, lf_model *m, lf_err *err)
{
    pthread_condattr_t attr;
    *j = (job){ .kind = kind, .m = m, .pending = -1, .started_us = lf_clock_us() };
    atomic_init(&j->abort, false);
    if (pthread_mutex_init(&j->lock, NULL) != 0)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a request");
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&j->moved, &attr);
    (void)pthread_condattr_destroy(&attr);
    return LF_OK;
}

void lf_job_release(job *j)
{
    lf_sampler_close(j->sampler);
    lf_matcher_close(j->matcher);
    lf_stream_release(&j->stream);
    lf_buf_release(&j->text);
    lf_buf_release(&j->piece);
    lf_free(j->events);
    (void)pthread_cond_destroy(&j->moved);
    (void)pthread_mutex_destroy(&j->lock);
}

static bool is_late(const job *j)
{
    return j->req && j->req->deadline_us && lf_clock_us() >= j->req->deadline_us;
}

const char *lf_job_over(const job *j)
{
    if (atomic_load_explicit(&j->abort, memory_order_acquire) ||
        (j->cancel && atomic_load(j->cancel)))
        return "the request was cancelled";
    return is_late(j) ? "the request was not done by its deadline" : NULL;
}

void lf_job_end(job *j, lf_status st, const lf_err *err)
{
    j->status = st;
    if (err)
        j->err = *err;
    j->ended = true;
}

/* Tell the caller, which may free the job as soon as it sees `done`: the job is in
 * no list any more, and nothing of it is touched after. */
static void release_to_caller(job *j)
{
    (void)pthread_mutex_lock(&j->lock);
    j->ended_us = lf_clock_us();
    j->done = true;
    (void)pthread_cond_signal(&j->moved);
    (void)pthread_mutex_unlock(&j->lock);
}

static void poke(lf_engine *e)
{
    (void)pthread_mutex_lock(&e->lock);
    e->poked = true;
    (void)pthread_cond_signal(&e->wake);
    (void)pthread_mutex_unlock(&e->lock);
}

static void submit(lf_engine *e, job *j)
{
    (void)pthread_mutex_lock(&e->lock);
    *e->incoming_end = j;
    e->incoming_end = &j->next;
    e->load.n_waiting++;
    e->poked = true;
    (void)pthread_cond_signal(&e->wake);
    (void)pthread_mutex_unlock(&e->lock);
}

/* Wait, with j->lock held, for an event or the end; false when it was time to look
 * at *cancel and the clock instead. */
static bool await(job *j)
{
    struct timespec t;
    if (!j->cancel && !(j->req && j->req->deadline_us))
        return pthread_cond_wait(&j->moved, &j->lock) == 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += CANCEL_POLL_MS * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return pthread_cond_timedwait(&j->moved, &j->lock, &t) != ETIMEDOUT;
}

static void abort_job(lf_engine *e, job *j)
{
    atomic_store_explicit(&j->abort, true, memory_order_release);
    poke(e);
}

/* Take the oldest event and call back without any lock held; false = stop. */
static bool deliver(lf_engine *e, job *j, lf_buf *copy, size_t *n_text, uint32_t *n_tokens)
{
    (void)pthread_mutex_lock(&j->lock);
    const event ev = j->events[j->event_at];
    const bool was_full = j->n_events >= EVENTS_MAX - 1;
    j->event_at = (j->event_at + 1) % EVENTS_MAX;
    j->n_events--;
    lf_buf_clear(copy);
    lf_buf_add(copy, lf_buf_cstr(&j->text) + ev.text_at, ev.n_text);
    (void)pthread_mutex_unlock(&j->lock);
    if (was_full)
        poke(e);
    const lf_token_event out = { .id = ev.choice.id,
                                 .text = lf_buf_cstr(copy),
                                 .n_bytes = copy->len,
                                 .logprob = ev.choice.logprob,
                                 .top_ids = ev.choice.top_ids,
                                 .top_logprobs = ev.choice.top_logprobs,
                                 .n_top = ev.choice.n_top };
    *n_text = ev.text_at + ev.n_text;
    *n_tokens += ev.choice.id >= 0;
    return j->req->on_token(j->req->ud, &out);
}

lf_status lf_job_run(lf_engine *e, job *j, size_t *n_text, uint32_t *n_tokens, bool *stopped,
                     lf_err *err)
{
    lf_buf copy = { 0 };
    bool listening = j->events != NULL;
    submit(e, j);
    for (;;) {
        (void)pthread_mutex_lock(&j->lock);
        bool over = false;
        while (!j->done && !(listening && j->n_events) && !over)
            over = !await(j) && lf_job_over(j);
        const bool has_event = listening && j->n_events;
        const bool done = j->done;
        (void)pthread_mutex_unlock(&j->lock);
        if (has_event) {
            if (!deliver(e, j, &copy, n_text, n_tokens)) {
                listening = false;
                *stopped = true;
                abort_job(e, j);
            }
        } else if (done) {
            break;
        } else if (over) {
            poke(e); /* it may sleep, and has to see it */
        }
    }
    lf_buf_release(&copy);
    if (j->status != LF_OK && err)
        *err = j->err;
    return j->status;
}

/* ---- generating, the caller's side ---- */

uint32_t lf_engine_ctx_tokens(const lf_engine *e, const lf_model *m)
{
    const uint32_t own = lf_model_get_info(m)->ctx_tokens;
    const uint32_t most = e->o.ctx_tokens ? e->o.ctx_tokens : 8192;
    return own < most ? own : most;
}

lf_status lf_engine_check_room(const lf_engine *e, const lf_model *m, size_t n_prompt,
                               uint32_t n_max, lf_err *err)
{
    const uint32_t ctx = lf_engine_ctx_tokens(e, m);
    if (n_prompt >= ctx || n_max > ctx - n_prompt)
        return lf_fail(err, LF_ERR_LIMIT,
                       "a prompt of %zu tokens and %u to generate exceed the context of %u tokens",
                       n_prompt, n_max, ctx);
    return LF_OK;
}

static lf_status check_request(const lf_engine *e, const lf_model *m, const lf_gen_req *q,
                               uint32_t *n_limit, lf_err *err)
{
    const lf_model_info *info = lf_model_get_info(m);
    lf_status st;
    if (info->is_encoder)
        return lf_fail(err, LF_ERR_ARG, "'%s' is an encoder: it cannot generate text", info->name);
    if (q->n_tokens == 0)
        return lf_fail(err, LF_ERR_ARG, "the prompt is empty");
    st = lf_engine_check_room(e, m, q->n_tokens, q->n_max, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < q->n_tokens; i++)
        if (q->tokens[i] < 0 || (uint32_t)q->tokens[i] >= info->n_vocab)
            return lf_fail(err, LF_ERR_ARG, "token %zu of the prompt is %d, the vocabulary has %u",
                           i, q->tokens[i], info->n_vocab);
    *n_limit = q->n_max ? q->n_max : lf_engine_ctx_tokens(e, m) - (uint32_t)q->n_tokens;
    return lf_adapter_mix_check(q->adapters, m, err);
}

static lf_status prepare(job *j, lf_err *err)
{
    const lf_gen_req *q = j->req;
    const size_t n_vocab = lf_model_get_info(j->m)->n_vocab;
    const lf_status st = lf_sampler_open(&q->sampling, n_vocab, &j->sampler, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < q->n_tokens; i++)
        lf_sampler_accept(j->sampler, q->tokens[i], false);
    j->stream = (lf_stream){ .stop = q->stop, .n_stop = q->n_stop };
    if (q->on_token)
        j->events = lf_calloc(EVENTS_MAX, sizeof *j->events);
    /* What a step appends to is made large enough now for most answers. */
    if ((q->on_token && !j->events) || !lf_buf_reserve(&j->text, (size_t)j->n_limit * 8 + 64) ||
        !lf_buf_reserve(&j->stream.held, 1024) || !lf_buf_reserve(&j->piece, 1024))
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a request of %u tokens", j->n_limit);
    return LF_OK;
}

static void fill_result(job *j, size_t n_text, uint32_t n_tokens, bool stopped, lf_gen_result *out)
{
    *out = (lf_gen_result){ .finish = stopped ? LF_FINISH_CALLER : j->finish,
                            .stop = j->stream.met_stop ? (int32_t)j->stream.met : -1,
                            .n_prompt = (uint32_t)j->req->n_tokens,
                            .n_cached = j->n_cached,
                            .n_generated = stopped ? n_tokens : j->n_generated,
                            .n_guessed = j->drafter.n_guessed + j->guesser_ok.n_guessed,
                            .n_guessed_right = j->drafter.n_right + j->guesser_ok.n_right,
                            .first_token_us = j->first_token_us };
    out->prefill_us = j->prefill_done_us ? j->prefill_done_us - j->started_us : 0;
    out->decode_us = j->prefill_done_us ? j->ended_us - j->prefill_done_us : 0;
    out->text = j->text;
    j->text = (lf_buf){ 0 };
    if (stopped && out->text.len > n_text) {
        out->text.len = n_text;
        out->text.data[n_text] = '\0';
    }
}

lf_status lf_engine_generate(lf_engine *e, lf_model *m, const lf_gen_req *req, lf_gen_result *out,
                             lf_err *err)
{
    job j;
    size_t n_text = 0;
    uint32_t n_tokens = 0, n_limit = 0;
    bool stopped = false;
    lf_gen_req own = *req; /* with the key of its adapters */
    lf_status st = check_request(e, m, req, &n_limit, err);
    if (st == LF_OK)
        st = lf_job_init(&j, JOB_GENERATE, m, err);
    if (st != LF_OK)
        return st;
    own.cache_key = lf_adapter_mix_key(req->adapters, req->cache_key);
    j.req = &own;
    j.cancel = req->cancel;
    j.n_limit = n_limit;
    st = prepare(&j, err);
    if (st == LF_OK)
        st = lf_job_run(e, &j, &n_text, &n_tokens, &stopped, err);
    if (st == LF_OK || stopped) {
        fill_result(&j, n_text, n_tokens, stopped, out);
        st = LF_OK;
    }
    lf_job_release(&j);
    return st;
}

/* ---- the engine thread ---- */

/* Requests take turns by rounds: in each round one of every user.  A new one comes a
 * round after the last of its user, and not before the round that is being served. */
static void give_round(lf_engine *e, job *j)
{
    const job *const lists[] = { e->active, e->waiting };
    j->round = e->round;
    for (size_t i = 0; i < 2; i++)
        for (const job *o = lists[i]; o && o != j; o = o->next)
            if (o->req && o->req->user_key == j->req->user_key && o->round >= j->round)
                j->round = o->round + 1;
}

/* Move incoming jobs to the end of the waiting list; sleep while there is nothing
 * to do.  False: the engine is closing and everything is done. */
static bool take_incoming(lf_engine *e, bool idle)
{
    job **end = &e->waiting;
    while (*end)
        end = &(*end)->next;
    job **const first = end;
    (void)pthread_mutex_lock(&e->lock);
    e->load.n_sequences = e->kv.n_seqs;
    e->load.kv_bytes = e->kv.used_bytes;
    lf_engine_publish(e);
    while (idle && !e->incoming && !e->poked && !(e->stop && !e->active && !e->waiting))
        (void)pthread_cond_wait(&e->wake, &e->lock);
    e->poked = false;
    *end = e->incoming;
    e->incoming = NULL;
    e->incoming_end = &e->incoming;
    const bool go_on = !e->stop || e->active || e->waiting;
    (void)pthread_mutex_unlock(&e->lock);
    for (job *j = *first; j; j = j->next)
        if (j->req)
            give_round(e, j);
    return go_on;
}

static lf_status open_matcher(runner *r, job *j, lf_err *err)
{
    lf_status st = LF_OK;
    if (!r->tree)
        st = lf_token_tree_open(lf_model_tokenizer(r->m), &r->tree, err);
    return st == LF_OK ? lf_matcher_open(j->req->grammar, r->tree, &j->matcher, err) : st;
}

/* Start a waiting job: false when it must wait for room.  It may have ended. */
static bool start(lf_engine *e, job *j)
{
    lf_err err = { 0 };
    runner *r;
    bool admitted = true;
    const char *why = lf_job_over(j);
    if (why) {
        lf_job_end(j, lf_fail(&err, LF_ERR_CANCELLED, "%s", why), &err);
        return true;
    }
    if (j->kind == JOB_MEMORY) {
        j->ask(e, j);
        return true;
    }
    lf_status st = lf_runner_get(e, j->m, &r, &err);
    if (st == LF_OK && j->kind == JOB_GENERATE && j->req->grammar && !j->matcher)
        st = open_matcher(r, j, &err);
    if (st == LF_OK && j->kind == JOB_GENERATE && j->req->guesser && !j->req->no_drafts)
        st = lf_guess_prepare(e, r, j, &err);
    if (st == LF_OK && j->kind != JOB_EMBED)
        st = lf_runner_admit(r, j, &admitted, &err);
    if (st == LF_OK && admitted && j->guesser)
        lf_guess_open(j);
    if (st != LF_OK)
        lf_job_end(j, st, &err);
    else
        j->n_cached = (uint32_t)j->seq.n;
    return j->ended || admitted;
}

static bool is_full(const lf_engine *e, const lf_model *m)
{
    for (const runner *r = e->runners; r; r = r->next)
        if (r->m == m)
            return r->n_seqs == r->cap_seqs;
    return false;
}

/* The waiting request whose turn it is: of the least round the first that came, among
 * those whose model does not run as many as it may. */
static job **next_in_turn(lf_engine *e)
{
    job **best = NULL;
    for (job **p = &e->waiting; *p; p = &(*p)->next)
        if ((*p)->kind == JOB_GENERATE && (!best || (*p)->round < (*best)->round) &&
            !is_full(e, (*p)->m))
            best = p;
    return best;
}

/* Start *p or tell its caller why not; false: it waits on. */
static bool start_at(lf_engine *e, job **p)
{
    job *j = *p, **end = &e->active;
    if (!start(e, j))
        return false;
    *p = j->next;
    j->next = NULL;
    while (*end)
        end = &(*end)->next;
    if (!j->ended)
        *end = j;
    (void)pthread_mutex_lock(&e->lock);
    e->load.n_waiting--;
    e->load.n_running += !j->ended;
    lf_engine_publish(e);
    (void)pthread_mutex_unlock(&e->lock);
    if (j->ended)
        release_to_caller(j);
    return true;
}

/* Whose turn it is starts or holds up those behind it, so that a large request is not
 * passed by small ones for ever.  Embeddings take no blocks and start at once. */
static void start_waiting(lf_engine *e)
{
    for (job **p = &e->waiting; *p;)
        if (((*p)->kind == JOB_GENERATE && !lf_job_over(*p)) || !start_at(e, p))
            p = &(*p)->next;
    for (job **p = next_in_turn(e); p; p = next_in_turn(e)) {
        const uint64_t round = (*p)->round;
        if (!start_at(e, p))
            return;
        e->round = round;
    }
}

static size_t n_generating(const lf_engine *e)
{
    size_t n = 0;
    for (const runner *r = e->runners; r; r = r->next)
        n += r->n_seqs;
    return n;
}

static void scores_pass(lf_engine *e, job *j)
{
    lf_err err = { 0 };
    runner *r;
    const lf_status st = lf_runner_get(e, j->m, &r, &err);
    if (st != LF_OK)
        lf_job_end(j, st, &err);
    else
        lf_scores_step(r, j);
}

/* One step of each model with running requests, one pass of each encoder with texts and
 * of each scoring job; then the jobs that ended leave the list. */
static bool work(lf_engine *e)
{
    bool busy = false;
    const size_t rows = n_generating(e) ? ENCODER_SHARE : SIZE_MAX;
    for (runner *r = e->runners; r; r = r->next) {
        if (r->n_seqs)
            busy = lf_generate_step(e, r) || busy;
        else if (!r->kv)
            busy = lf_embed_step(r, e->active, rows) || busy;
    }
    for (job *j = e->active; j; j = j->next)
        if (j->kind == JOB_SCORES) {
            scores_pass(e, j);
            busy = true;
        }
    for (job **p = &e->active; *p;) {
        job *j = *p;
        if (j->ended) {
            *p = j->next;
            (void)pthread_mutex_lock(&e->lock);
            e->load.n_running--;
            lf_engine_publish(e); /* before its caller goes on */
            (void)pthread_mutex_unlock(&e->lock);
            release_to_caller(j);
            busy = true; /* there is room: somebody may be waiting for it */
        } else {
            p = &j->next;
        }
    }
    return busy;
}

lf_engine_load lf_engine_get_load(lf_engine *e)
{
    (void)pthread_mutex_lock(&e->lock);
    const lf_engine_load load = e->load;
    (void)pthread_mutex_unlock(&e->lock);
    return load;
}

/* Workspaces of models that nobody else holds any more. */
static void close_unused(lf_engine *e)
{
    for (runner *r = e->runners, *next; r; r = next) {
        next = r->next;
        bool used = lf_model_n_refs(r->m) > 1;
        for (const job *j = e->active; j && !used; j = j->next)
            used = j->m == r->m;
        if (!used)
            lf_runner_close(e, r);
    }
}

static void *engine_main(void *arg)
{
    lf_engine *e = arg;
    for (bool idle = true;;) {
        if (idle)
            close_unused(e);
        if (!take_incoming(e, idle))
            return NULL;
        start_waiting(e);
        idle = !work(e);
    }
}

/* ---- opening and closing ---- */

static lf_status check_opts(const lf_engine_opts *o, lf_err *err)
{
    if (o->batch_tokens > BATCH_MAX)
        return lf_fail(err, LF_ERR_ARG, "a batch of %u tokens, up to %d are allowed",
                       o->batch_tokens, BATCH_MAX);
    if (o->sessions_max > SESSIONS_MAX)
        return lf_fail(err, LF_ERR_ARG, "%u sessions, up to %d are allowed", o->sessions_max,
                       SESSIONS_MAX);
    return LF_OK;
}

static void set_defaults(lf_engine *e, const lf_engine_opts *o)
{
    if (o)
        e->o = *o;
    if (e->o.n_threads == 0)
        e->o.n_threads = lf_cpu_count();
    if (e->o.batch_tokens == 0)
        e->o.batch_tokens = BATCH_DEFAULT;
    if (e->o.sessions_max == 0)
        e->o.sessions_max = SESSIONS_DEFAULT;
    if (e->o.kv_budget_bytes == 0)
        e->o.kv_budget_bytes = lf_mem_machine_bytes() / 4;
    e->kv.limit_bytes = e->o.kv_budget_bytes;
}

lf_status lf_engine_open(const lf_engine_opts *o, lf_engine **out, lf_err *err)
{
    lf_status st = o ? check_opts(o, err) : LF_OK;
    if (st != LF_OK)
        return st;
    lf_engine *e = lf_calloc(1, sizeof *e);
    if (!e)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the engine");
    set_defaults(e, o);
    e->incoming_end = &e->incoming;
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_cond_init(&e->wake, NULL);
    st = lf_pool_open(e->o.n_threads, &e->pool, err);
    if (st == LF_OK && pthread_create(&e->thread, NULL, engine_main, e) != 0)
        st = lf_fail(err, LF_ERR_IO, "cannot start the engine's thread");
    e->started = st == LF_OK;
    if (st == LF_OK)
        *out = e;
    else
        lf_engine_close(e);
    return st;
}

void lf_engine_close(lf_engine *e)
{
    if (!e)
        return;
    if (e->started) {
        (void)pthread_mutex_lock(&e->lock);
        e->stop = true;
        (void)pthread_cond_signal(&e->wake);
        (void)pthread_mutex_unlock(&e->lock);
        (void)pthread_join(e->thread, NULL);
    }
    while (e->runners)
        lf_runner_close(e, e->runners);
    lf_pool_close(e->pool);
    (void)pthread_cond_destroy(&e->wake);
    (void)pthread_mutex_destroy(&e->lock);
    lf_free(e);
}

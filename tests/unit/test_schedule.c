/* tests/unit/test_schedule.c - who is served when: turns, deadlines, shares of a pass, room. */
#include "tests/lf_test.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "infer/engine.h"
#include "model/forward.h"
#include "tests/unit/tiny_model.h"

static lf_model *open_tiny(const char *arch, lf_type type)
{
    lf_model *m = NULL;
    const tiny_opts o = { .arch = arch, .type = type, .untied = true, .seed = 5 };
    LF_NEED(lf_model_open(tiny_model("m.gguf", &o), NULL, &m, err));
    return m;
}

static lf_engine *open_engine(const lf_engine_opts *o)
{
    lf_engine *e = NULL;
    LF_NEED(lf_engine_open(o, &e, err));
    return e;
}

/* A caller that holds the engine's place until it is let go. */
typedef struct holder {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool go, begun;
} holder;

static bool hold_place(void *ud, const lf_token_event *ev)
{
    holder *h = ud;
    (void)ev;
    (void)pthread_mutex_lock(&h->lock);
    h->begun = true;
    (void)pthread_cond_signal(&h->moved);
    while (!h->go)
        (void)pthread_cond_wait(&h->moved, &h->lock);
    (void)pthread_mutex_unlock(&h->lock);
    return true;
}

typedef struct visitor {
    lf_engine *e;
    lf_model *m;
    uint64_t user_key;
    uint32_t n_max;
    size_t n_tokens;
    uint32_t seed;
    int64_t deadline_us;
    lf_token_fn *on_token;
    void *ud;
    int64_t begun_us; /* first token */
    lf_status st;
    lf_err er;
    lf_gen_result r;
    pthread_t t;
} visitor;

static void *visit(void *arg)
{
    visitor *v = arg;
    int32_t ids[TINY_CTX];
    for (size_t i = 0; i < v->n_tokens; i++)
        ids[i] = (int32_t)((i * 31 + v->seed * 17 + 5) % 256);
    const lf_gen_req q = { .tokens = ids,
                           .n_tokens = v->n_tokens,
                           .n_max = v->n_max,
                           .sampling = lf_sampling_defaults(),
                           .ignore_end = true,
                           .user_key = v->user_key,
                           .deadline_us = v->deadline_us,
                           .on_token = v->on_token,
                           .ud = v->ud };
    const int64_t start_us = lf_clock_us();
    v->st = lf_engine_generate(v->e, v->m, &q, &v->r, &v->er);
    v->begun_us = start_us + v->r.first_token_us;
    lf_buf_release(&v->r.text);
    return NULL;
}

static void start_visit(visitor *v)
{
    LF_CHECK(pthread_create(&v->t, NULL, visit, v) == 0);
}

static void end_visit(visitor *v)
{
    LF_CHECK(pthread_join(v->t, NULL) == 0);
}

/* The one place of an engine is held; v come in and wait for it, one after the other. */
static void queue_up(lf_engine *e, lf_model *m, holder *h, visitor *first, visitor *v, size_t n)
{
    *first =
        (visitor){ .e = e, .m = m, .n_max = 150, .n_tokens = 4, .on_token = hold_place, .ud = h };
    start_visit(first);
    (void)pthread_mutex_lock(&h->lock);
    while (!h->begun)
        (void)pthread_cond_wait(&h->moved, &h->lock);
    (void)pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < n; i++) {
        start_visit(&v[i]);
        while (lf_engine_get_load(e).n_waiting < i + 1)
            (void)sched_yield();
    }
}

static void let_go(holder *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->go = true;
    (void)pthread_cond_signal(&h->moved);
    (void)pthread_mutex_unlock(&h->lock);
}

/* One user has sent many requests; another's first one does not wait for them all. */
static void users_are_served_in_turn(void)
{
    enum { N = 8 };
    static visitor v[N], first;
    lf_model *m = open_tiny("llama", LF_F32);
    const lf_engine_opts o = { .n_threads = 1, .sessions_max = 1 };
    lf_engine *e = open_engine(&o);
    holder h = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    for (uint32_t i = 0; i < N; i++) /* five of 7, two of 8, one of 9 */
        v[i] = (visitor){ .e = e,
                          .m = m,
                          .user_key = i < 5   ? 7
                                      : i < 7 ? 8
                                              : 9,
                          .n_max = 60,
                          .n_tokens = 5,
                          .seed = i };
    queue_up(e, m, &h, &first, v, N);
    let_go(&h);
    for (size_t i = 0; i < N; i++)
        end_visit(&v[i]);
    end_visit(&first);
    for (size_t i = 0; i < N; i++)
        LF_CHECK_INT(v[i].st, LF_OK);
    static const size_t order[N] = { 0, 5, 7, 1, 6, 2, 3, 4 };
    for (size_t i = 1; i < N; i++)
        LF_CHECK(v[order[i - 1]].begun_us < v[order[i]].begun_us);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A deadline ends a request that waits, and one that runs. */
static void deadlines_end_requests(void)
{
    static visitor v, first;
    lf_model *m = open_tiny("llama", LF_F32);
    const lf_engine_opts o = { .n_threads = 1, .sessions_max = 1 };
    lf_engine *e = open_engine(&o);
    holder h = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    v = (visitor){ .e = e, .m = m, .n_max = 3, .n_tokens = 5 };
    queue_up(e, m, &h, &first, NULL, 0);
    v.deadline_us = lf_clock_us() + 30000;
    (void)visit(&v); /* while the place is held */
    LF_CHECK_INT(v.st, LF_ERR_CANCELLED);
    LF_CHECK(strstr(v.er.msg, "deadline") != NULL);
    LF_CHECK(lf_clock_us() >= v.deadline_us);
    let_go(&h);
    end_visit(&first);
    LF_CHECK_INT(first.st, LF_OK);
    holder never = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    v = (visitor){ .e = e, .m = m, .n_max = 200, .n_tokens = 5, .on_token = hold_place };
    v.ud = &never;
    v.deadline_us = lf_clock_us() + 20000;
    start_visit(&v);
    while (lf_clock_us() < v.deadline_us)
        (void)sched_yield();
    let_go(&never); /* its ring is full, and its time is over */
    end_visit(&v);
    LF_CHECK_INT(v.st, LF_ERR_CANCELLED);
    v = (visitor){ .e = e, .m = m, .n_max = 3, .n_tokens = 5 };
    v.deadline_us = lf_clock_us() + 60000000;
    (void)visit(&v);
    LF_CHECK_INT(v.st, LF_OK);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A short prompt that starts together with a long one, and behind it, has its first token
 * before it. */
static void long_prompts_do_not_hold_up_short_ones(void)
{
    static visitor v[2], first;
    lf_model *m = open_tiny("llama", LF_F32);
    const lf_engine_opts o = { .n_threads = 1,
                               .batch_tokens = 16,
                               .kv_budget_bytes = 5 * (lf_kv_block_bytes(m, LF_F16) + 512) };
    lf_engine *e = open_engine(&o);
    holder h = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };
    v[0] = (visitor){ .e = e, .m = m, .n_max = 2, .n_tokens = 240, .seed = 1 };
    v[1] = (visitor){ .e = e, .m = m, .n_max = 2, .n_tokens = 20, .seed = 2 };
    queue_up(e, m, &h, &first, v, 2); /* who holds the place has three of the five blocks */
    let_go(&h);
    end_visit(&v[0]);
    end_visit(&v[1]);
    end_visit(&first);
    LF_CHECK(v[0].st == LF_OK && v[1].st == LF_OK);
    LF_CHECK(v[1].begun_us < v[0].begun_us);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Sixteen come at once with the same long beginning: it is evaluated once. */
static void what_all_begin_with_is_evaluated_once(void)
{
    enum { N = 16, LEN = 200, OWN = 5 };
    static visitor v[N], first;
    lf_model *m = open_tiny("llama", LF_Q8_0);
    const lf_engine_opts o = { .n_threads = 2, .batch_tokens = 32, .sessions_max = N };
    lf_engine *e = open_engine(&o);
    for (size_t i = 0; i < N; i++) {
        v[i] = (visitor){ .e = e, .m = m, .n_max = 3, .n_tokens = LEN + OWN, .seed = 3 };
        start_visit(&v[i]);
    }
    uint32_t n_cached = 0, n_leaders = 0;
    for (size_t i = 0; i < N; i++) {
        end_visit(&v[i]);
        n_cached += v[i].r.n_cached;
        n_leaders += v[i].r.n_cached < LEN / LF_KV_BLOCK * LF_KV_BLOCK;
    }
    LF_CHECK_INT(n_leaders, 1);
    LF_CHECK(n_cached >= (N - 1) * (LEN / LF_KV_BLOCK * LF_KV_BLOCK));
    first = (visitor){ .e = e, .m = m, .n_max = 3, .n_tokens = LEN + OWN, .seed = 3 };
    (void)visit(&first);
    LF_CHECK_INT(first.r.n_cached, LEN + OWN - 1);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Room for one and a half requests: all come through, one after the other. */
static void requests_wait_for_room(void)
{
    enum { N = 6 };
    static visitor v[N];
    lf_model *m = open_tiny("llama", LF_F32);
    const lf_engine_opts o = { .n_threads = 1,
                               .kv_budget_bytes = 5 * (lf_kv_block_bytes(m, LF_F16) + 512) };
    lf_engine *e = open_engine(&o);
    for (uint32_t i = 0; i < N; i++) {
        v[i] = (visitor){ .e = e, .m = m, .n_max = 100, .n_tokens = 90, .seed = i };
        start_visit(&v[i]);
    }
    for (size_t i = 0; i < N; i++) {
        end_visit(&v[i]);
        LF_CHECK_INT(v[i].st, LF_OK);
        LF_CHECK_INT(v[i].r.n_generated, 100);
    }
    visitor large = { .e = e, .m = m, .n_max = TINY_CTX - 90, .n_tokens = 90 };
    (void)visit(&large);
    LF_CHECK_INT(large.st, LF_OK);
    lf_engine_close(e);
    lf_model_unref(m);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "schedule/users_are_served_in_turn", users_are_served_in_turn },
        { "schedule/deadlines_end_requests", deadlines_end_requests },
        { "schedule/long_prompts_do_not_hold_up_short_ones",
          long_prompts_do_not_hold_up_short_ones },
        { "schedule/what_all_begin_with_is_evaluated_once", what_all_begin_with_is_evaluated_once },
        { "schedule/requests_wait_for_room", requests_wait_for_room },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

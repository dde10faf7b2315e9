/* infer/engine_int.h - what the engine's files share.
 *
 * Threads    Callers make a job and wait on it.  Everything that is not marked
 *            otherwise belongs to the engine thread.  Two locks: `engine.lock`
 *            (incoming jobs, stop) and each `job.lock` (events, text, end); the
 *            engine's is never taken while a job's is held.
 */
#ifndef LF_INFER_ENGINE_INT_H
#define LF_INFER_ENGINE_INT_H

#include <pthread.h>

#include "base/pool.h"
#include "infer/draft.h"
#include "infer/engine.h"
#include "infer/kv_pool.h"
#include "infer/sample.h"
#include "infer/stream.h"
#include "model/forward.h"

enum {
    EVENTS_MAX = 64, /* that a slow caller may lie behind */
    SESSIONS_MAX = 1024,
    SEGMENTS_MAX = 64,   /* texts in one pass of an encoder */
    ENCODER_ROWS = 1024, /* least rows of one pass of an encoder */
    ENCODER_SHARE = 256, /* the same between two steps of a model that generates */
    SCORE_ROWS = 16      /* rows whose scores one pass can give */
};

/* A model's workspace. */
typedef struct runner {
    struct runner *next;
    lf_model *m;
    lf_graph g;
    size_t rows_max;
    int32_t *ids, *out_rows;
    lf_segment *segs;
    struct job **job_of; /* of each segment */
    lf_kv_pool *kv;      /* decoders */
    lf_type kv_type;
    size_t n_seqs, cap_seqs; /* sequences of generating jobs */
    size_t outs_max;         /* rows whose scores one pass can give */
    size_t graph_bytes;
    lf_engine_use use; /* under engine.lock, as lf_engine_publish last saw it */
    uint32_t n_vocab;
    lf_token_tree *tree;   /* made for the first grammar */
    char guesser_hash[65]; /* the last that was found to have the same vocabulary */
} runner;

typedef enum job_kind { JOB_GENERATE, JOB_EMBED, JOB_SCORES, JOB_MEMORY } job_kind;

typedef struct event {
    lf_choice choice;
    size_t text_at, n_text; /* in job.text */
} event;

/* A window of a text's tokens, one segment of an encoder. */
typedef struct window {
    size_t text, at, n; /* tokens [at, at + n) of job.tokens; text it belongs to */
    float weight;
} window;

typedef struct job {
    struct job *next;
    job_kind kind;
    lf_model *m;
    const lf_gen_req *req;
    const atomic_bool *cancel; /* optional; the caller's */

    pthread_mutex_t lock;
    pthread_cond_t moved; /* an event came, or the end */
    bool done;            /* under lock, as are the next four */
    lf_buf text;          /* the whole output so far */
    event *events;        /* ring of EVENTS_MAX, where the request has a callback */
    size_t event_at, n_events;

    atomic_bool abort; /* set by the caller */

    /* engine thread; the caller's again once done */
    uint64_t round; /* while waiting: its turn among users */
    bool ended;
    lf_status status;
    lf_err err;
    lf_kv_seq seq; /* open while active; embedding has none */
    bool behind;   /* another evaluates what comes next in the prompt */
    lf_sampler *sampler;
    lf_matcher *matcher; /* where the request has a grammar */
    lf_stream stream;
    int32_t pending; /* chosen and not yet evaluated; -1 = none */
    lf_drafter drafter;
    int32_t guess[LF_DRAFT_MAX]; /* of this step: what may follow the pending token */
    size_t n_guess, guess_room;
    bool by_guesser; /* the guesses are guess.c's, not draft.c's */
    struct runner *guesser;
    lf_kv_seq guess_seq; /* of the guesser */
    size_t n_stored;     /* guesses that lie behind it, not counted */
    lf_drafter guesser_ok;
    lf_finish finish;
    uint32_t n_cached, n_generated, n_limit;
    int64_t started_us, prefill_done_us, ended_us, first_token_us;
    lf_buf piece; /* scratch */

    /* JOB_EMBED, JOB_SCORES */
    const int32_t *tokens;
    size_t n_tokens;
    const window *windows;
    size_t n_windows, at_window;
    size_t score_from;  /* JOB_SCORES: first position whose scores are wanted */
    lf_choice *choices; /* JOB_SCORES: of the tokens that follow, in place of all scores */
    int32_t n_top;
    float *out;

    /* JOB_MEMORY */
    void (*ask)(struct lf_engine *e, struct job *j); /* done between two rounds */
    uint64_t bytes;
} job;

struct lf_engine {
    lf_engine_opts o;
    lf_pool *pool;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    job *incoming, **incoming_end; /* under lock */
    bool stop, poked;              /* under lock */
    lf_engine_load load;           /* under lock */

    runner *runners;       /* changed under lock */
    job *waiting, *active; /* lists; active ones have their sequence */
    uint64_t round;        /* of the job that was started last */
    lf_kv_budget kv;
};

/* How large a model's workspace is to be. */
typedef struct runner_sizes {
    size_t rows, segs, outs;
    lf_type kv_type; /* decoders */
} runner_sizes;

/* runner.c */
runner_sizes lf_runner_sizes(const lf_engine *e, const lf_model *m);
LF_MUST_CHECK lf_status lf_runner_get(lf_engine *e, lf_model *m, runner **out, lf_err *err);
void lf_runner_close(lf_engine *e, runner *r);
/* A sequence for the job, with the longest prefix that any other has; false (and LF_OK)
 * when there is no room until others end: the job waits. */
LF_MUST_CHECK lf_status lf_runner_admit(runner *r, job *j, bool *admitted, lf_err *err);

/* memory.c: write down what each runner takes, for lf_engine_get_use; with engine.lock held. */
void lf_engine_publish(lf_engine *e);

/* generate.c: one step of all active sequences of a runner; false: nothing to do. */
bool lf_generate_step(lf_engine *e, runner *r);

/* guess.c: guesses by a smaller model. */
/* The guesser of the request, its vocabulary compared; before the job is admitted. */
LF_MUST_CHECK lf_status lf_guess_prepare(lf_engine *e, runner *r, job *j, lf_err *err);
void lf_guess_open(job *j);  /* once it is; without room it goes without guesses */
void lf_guess_close(job *j); /* safe without a guesser */
/* Whether the guesser is to guess for this job in this step; once a step. */
bool lf_guess_wanted(job *j);
/* Guess for all jobs with `by_guesser`. */
void lf_guess_step(lf_engine *e, const runner *r);

/* embed.c: one pass over texts of all embedding jobs of an encoder, up to about n_rows
 * rows (false: nothing to do), or of a scoring job. */
bool lf_embed_step(runner *r, job *active, size_t n_rows);
void lf_scores_step(runner *r, job *j);

/* engine.c */
/* Mark it ended; it leaves the lists and goes back to its caller at the end of the round. */
void lf_job_end(job *j, lf_status st, const lf_err *err);
LF_MUST_CHECK lf_status lf_job_init(job *j, job_kind kind, lf_model *m, lf_err *err);
void lf_job_release(job *j);
/* Hand the job over and wait for its end; passes events on in between. */
lf_status lf_job_run(lf_engine *e, job *j, size_t *n_text_seen, uint32_t *n_tokens_seen,
                     bool *caller_stopped, lf_err *err);
/* NULL, or why the job must not go on: cancelled, or past its deadline. */
const char *lf_job_over(const job *j);

#endif

/* infer/engine.h - the one scheduler: every generation and embedding of the process.
 *
 * One engine thread owns all sequences and steps them in batches over the pool;
 * callers hand in requests from any thread and block until theirs is done,
 * receiving tokens through a callback on their own thread.
 *
 * Ownership  Requests are borrowed for the length of the call.  The engine
 *            keeps its own reference to a model while it is in use.
 * Threads    All calls from any thread.
 * Memory     Keys and values are kept in blocks within one budget for all models
 *            (kv_pool.h).  A request starts when all that it can come to need is
 *            promised; until then it waits.  Give n_max: without it that is the
 *            whole context.
 * Errors     LF_ERR_LIMIT  prompt + n_max exceeds the context (never truncated)
 *            LF_ERR_CANCELLED  *cancel became true, the callback said stop, or the
 *                              deadline passed (the message says which)
 *            LF_ERR_NOMEM  it can never fit into the memory budget, with the numbers
 *            LF_ERR_UNSUPPORTED  no token of the model can continue the grammar
 */
#ifndef LF_INFER_ENGINE_H
#define LF_INFER_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/buf.h"
#include "base/err.h"
#include "infer/grammar.h"
#include "model/adapter.h"
#include "model/model.h"

typedef struct lf_engine lf_engine;

/* How keys and values are kept: halves; 8 bits; keys in 8 and values in 4 bits. */
typedef enum lf_kv_type { LF_KV_F16, LF_KV_Q8, LF_KV_Q4 } lf_kv_type;
bool lf_kv_type_of(const char *name, lf_kv_type *out); /* "f16", "q8", "q4" */

typedef struct lf_engine_opts {
    int n_threads;            /* 0 = as many as the process may use */
    uint32_t ctx_tokens;      /* per request; 0 = min(8192, the model's own) */
    uint32_t batch_tokens;    /* prefill chunk; 0 = 512 */
    uint32_t sessions_max;    /* requests of a model that run at a time; 0 = 16 */
    uint64_t kv_budget_bytes; /* 0 = a quarter of the machine's memory */
    lf_kv_type kv_type;
} lf_engine_opts;

typedef struct lf_logit_bias {
    int32_t id;
    float bias;
} lf_logit_bias;

typedef struct lf_sampling {
    float temperature;    /* 0 = greedy */
    int32_t top_k;        /* 0 = off */
    float top_p, min_p;   /* 1 and 0 = off */
    float repeat_penalty; /* 1 = off; over the last repeat_last_n tokens */
    float frequency_penalty, presence_penalty;
    int32_t repeat_last_n; /* 0 = 64 */
    uint64_t seed;
    const lf_logit_bias *bias; /* borrowed */
    size_t n_bias;
    int32_t n_top_logprobs; /* 0..20; reported per token when logprobs is set */
    bool logprobs;
} lf_sampling;

lf_sampling lf_sampling_defaults(void); /* greedy, nothing else on, seed 0 */

enum { LF_TOP_LOGPROBS_MAX = 20 };

typedef struct lf_choice {
    int32_t id;
    float logprob; /* of the model's own distribution: before bias, penalties, temperature */
    int32_t n_top;
    int32_t top_ids[LF_TOP_LOGPROBS_MAX]; /* best first */
    float top_logprobs[LF_TOP_LOGPROBS_MAX];
} lf_choice;

typedef struct lf_token_event {
    int32_t id;       /* -1: no token, only text that had been held back */
    const char *text; /* new text, whole UTF-8 characters only; may be "" */
    size_t n_bytes;
    float logprob;
    const int32_t *top_ids; /* n_top entries, best first */
    const float *top_logprobs;
    int32_t n_top;
} lf_token_event;

/* Return false to stop the generation. */
typedef bool lf_token_fn(void *ud, const lf_token_event *ev);

typedef struct lf_gen_req {
    const int32_t *tokens;
    size_t n_tokens;
    uint32_t n_max; /* most tokens to generate; 0 = to the end of the context */
    lf_sampling sampling;
    const char *const *stop; /* stop strings, not part of the output */
    size_t n_stop;
    lf_grammar *grammar; /* what the output is held to; NULL = nothing.  Borrowed */
    lf_model *guesser;   /* smaller, of the same vocabulary: guesses where the prompt gives none,
                            * the output is the same; NULL = none.  Borrowed */
    bool no_drafts;      /* one token a pass: nothing is guessed (benchmarks) */
    bool ignore_end;     /* go on past end-of-generation tokens (benchmarks) */
    atomic_bool *cancel; /* optional */
    const lf_adapter_mix *adapters; /* of this model, see model/adapter.h; NULL = none.  Borrowed.
                                     * Cached prefixes are shared with the same mix alone */
    uint64_t cache_key;    /* prompts share cached prefixes only with the same key: set it to
                                * something of the asker's rights; 0 = common to all */
    uint64_t user_key;     /* who asks: those who wait are served in turn, a request of each */
    int64_t deadline_us;   /* lf_clock_us() by which it must be done; 0 = none */
    lf_token_fn *on_token; /* optional */
    void *ud;
} lf_gen_req;

typedef enum lf_finish { LF_FINISH_STOP, LF_FINISH_LENGTH, LF_FINISH_CALLER } lf_finish;

typedef struct lf_gen_result {
    lf_buf text; /* owned by the caller: lf_buf_release */
    lf_finish finish;
    int32_t stop; /* which of the request's stop strings ended it; -1 = none */
    uint32_t n_prompt, n_cached, n_generated;
    uint32_t n_guessed, n_guessed_right; /* tokens that draft.h guessed */
    int64_t prefill_us, decode_us, first_token_us;
} lf_gen_result;

LF_MUST_CHECK lf_status lf_engine_open(const lf_engine_opts *o, lf_engine **out, lf_err *err);
void lf_engine_close(lf_engine *e); /* waits for running requests; NULL is a no-op */

/* The most tokens of prompt and answer together that a request on this model may have. */
uint32_t lf_engine_ctx_tokens(const lf_engine *e, const lf_model *m);
/* LF_ERR_LIMIT where a prompt with n_max to generate (0 = any) is more than that, as
 * lf_engine_generate says it. */
LF_MUST_CHECK lf_status lf_engine_check_room(const lf_engine *e, const lf_model *m, size_t n_prompt,
                                             uint32_t n_max, lf_err *err);

/* What the engine has to do, as of now: for those who watch it. */
typedef struct lf_engine_load {
    uint32_t n_waiting, n_running; /* requests and embeddings */
    size_t n_sequences;            /* open, as of the last step; 0 when nothing runs */
    uint64_t kv_bytes;             /* of all caches, kept ones too, as of the last step */
} lf_engine_load;
lf_engine_load lf_engine_get_load(lf_engine *e);

LF_MUST_CHECK lf_status lf_engine_generate(lf_engine *e, lf_model *m, const lf_gen_req *req,
                                           lf_gen_result *out, lf_err *err);

/* Sentence embeddings, mean pooled and L2-normalised: out f32[n, n_embd].  Texts
 * longer than the encoder's context are windowed and averaged (the policy). */
typedef enum lf_embed_kind { LF_EMBED_PLAIN, LF_EMBED_QUERY, LF_EMBED_PASSAGE } lf_embed_kind;
LF_MUST_CHECK lf_status lf_engine_embed(lf_engine *e, lf_model *m, const lf_str *texts, size_t n,
                                        lf_embed_kind kind, float *out, lf_err *err);

/* How well each text answers the query, by an encoder: the cosine of their vectors, out
 * f32[n] in the order of the texts; higher is better.  `cancel` may be NULL. */
LF_MUST_CHECK lf_status lf_engine_rank(lf_engine *e, lf_model *m, lf_str query, const lf_str *texts,
                                       size_t n, const atomic_bool *cancel, float *scores,
                                       lf_err *err);

/* Teacher-forced scores for tests and evaluation: logits f32[n_tokens, n_vocab]
 * after each position, from an empty cache.  Of these three: LF_ERR_LIMIT beyond
 * lf_engine_ctx_tokens. */
LF_MUST_CHECK lf_status lf_engine_logits(lf_engine *e, lf_model *m, const int32_t *tokens,
                                         size_t n_tokens, float *out, lf_err *err);
/* The natural logarithm of the probability that the model gives each of tokens[first..n)
 * after those before it, from an empty cache: out f32[n - first]; 1 <= first < n. */
LF_MUST_CHECK lf_status lf_engine_logprobs(lf_engine *e, lf_model *m, const int32_t *tokens,
                                           size_t n_tokens, size_t first, float *out, lf_err *err);
/* The same with the n_top best at each place (0 to LF_TOP_LOGPROBS_MAX): out
 * [n - first].  `cancel` is optional: LF_ERR_CANCELLED once it is true. */
LF_MUST_CHECK lf_status lf_engine_choices(lf_engine *e, lf_model *m, const int32_t *tokens,
                                          size_t n_tokens, size_t first, int32_t n_top,
                                          const atomic_bool *cancel, lf_choice *out, lf_err *err);

/* ---- memory ---- */

typedef struct lf_engine_need {
    uint64_t workspace_bytes; /* while the model is at work */
    uint64_t session_bytes;   /* the cache of one request of full context */
} lf_engine_need;

/* What a model is going to take; only its numbers need to be known (lf_model_opts.admit). */
void lf_engine_get_need(const lf_engine *e, const lf_model *m, lf_engine_need *out);

typedef struct lf_engine_use {
    uint64_t workspace_bytes;
    uint64_t kv_bytes;      /* caches, those included that are kept for what may come */
    uint64_t kv_busy_bytes; /* of them, what requests hold or are promised */
} lf_engine_use;

/* What the engine holds of a model (NULL = of all), as of its last step; does not wait for
 * the one that runs.  A request that has been answered is not in it any more. */
lf_engine_use lf_engine_get_use(lf_engine *e, const lf_model *m);
/* Let go of a model's workspace and caches, and of the engine's reference to it.
 *   LF_ERR_BUSY  a request is at work on it */
LF_MUST_CHECK lf_status lf_engine_forget(lf_engine *e, lf_model *m, lf_err *err);
/* A new limit of all caches: what is kept beyond it goes at once, what requests hold goes
 * with them. */
LF_MUST_CHECK lf_status lf_engine_set_kv_budget(lf_engine *e, uint64_t bytes, lf_err *err);
#endif

/* serve/gen.h - one generation behind a route: chat, completions and messages.
 *
 * A route decodes its request (gen_req.h), opens a lf_gen, makes the tokens of the
 * prompt, runs it once for each choice and says what came in its own words.  What
 * is the same for all stands here: which model, the prompt into the engine, the
 * event stream, what it cost, what is said of a failure.
 *
 *     lf_gen g = { .server = s, .r = r, .o = &req.gen, .on_token = fn, .ud = me };
 *     st = lf_gen_open(&g, req.model, "chatcmpl-");
 *     st = lf_provider_tokens(g.m, …);
 *     st = lf_gen_run(&g, &prompt, choice, &result);   fn calls lf_gen_send
 *     lf_gen_close(&g);
 *
 * A stream is opened by the first lf_gen_send, so that whatever can be wrong with a
 * request (no such model, a prompt over the context) is answered with a status.
 *
 * Ownership  What the caller sets is borrowed until lf_gen_close.
 * Threads    The request's worker.
 * Errors     In `err`; `st` is sticky, so that a callback's failure is not lost.
 */
#ifndef LF_SERVE_GEN_H
#define LF_SERVE_GEN_H

#include "infer/tool_grammar.h"
#include "serve/gen_part.h"
#include "serve/gen_req.h"
#include "serve/serve_int.h"

typedef struct lf_gen {
    lf_server *server;
    lf_http_req *r;
    const lf_gen_opts *o;
    lf_token_fn *on_token;    /* NULL = only the whole text is wanted */
    lf_gen_part_fn *on_part;  /* instead: text and calls, told apart */
    const lf_tool_use *tools; /* what may be called, with on_part; NULL = nothing */
    void *ud;

    /* lf_gen_open */
    lf_model *m;
    lf_buf model;            /* its name for answers */
    lf_model *guesser;       /* for it, by the settings; NULL = none */
    lf_adapter_mix adapters; /* of "MODEL:ADAPTER" and the request's lora; references */
    char id[48];
    int64_t created; /* unix seconds */

    const lf_tool_format *format; /* of tools, from the first run on */
    lf_grammar *tool_grammar;
    lf_http_stream *stream; /* NULL until something was sent */
    uint64_t n_prompt, n_cached, n_generated;
    lf_status st;
    lf_err err;
} lf_gen;

/* Find and load the model, "MODEL" or "MODEL:ADAPTER", and the adapters; `prefix` begins
 * the answer's id. */
LF_MUST_CHECK lf_status lf_gen_open(lf_gen *g, const char *model, const char *prefix);
void lf_gen_close(lf_gen *g); /* ends the stream; safe after a failed lf_gen_open */

/* Continue the prompt; each choice has a seed of its own.  out->text is the caller's
 * also after a failure.  With tools the answer is held to tool_grammar.h. */
LF_MUST_CHECK lf_status lf_gen_run(lf_gen *g, const lf_tokens *prompt, uint32_t choice,
                                   lf_gen_result *out);

/* Send one event (takes the reference); false: the client is gone, `st` says so. */
bool lf_gen_send(lf_gen *g, const char *event, json_t *v);

/* OpenAI's face of a failure: as the answer, or as an event where the stream is open.
 * `prompt` names the field that a prompt over the context came in. */
void lf_gen_fail(lf_gen *g, const char *prompt);
/* The status and words of a failure, for another face. */
void lf_gen_error(const lf_err *e, const char *prompt, int *http, const char **param,
                  const char **code);

/* `prefix` and 24 random digits. */
void lf_gen_make_id(const char *prefix, char *out, size_t n);
json_t *lf_gen_usage(const lf_gen *g);            /* OpenAI's */
const char *lf_gen_finish_name(lf_finish finish); /* OpenAI's */
/* Log-probabilities of impossible tokens are -inf, which JSON cannot hold. */
static inline double lf_gen_finite(float logprob)
{
    return logprob > -9999.0f ? (double)logprob : -9999.0;
}
/* A token of the chat's log-probabilities, with the best others. */
json_t *lf_gen_logprob(const lf_gen *g, const lf_token_event *ev);
#endif

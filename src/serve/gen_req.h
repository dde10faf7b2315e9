/* serve/gen_req.h - the fields that requests for generated text have in common.
 *
 * Chat, completions and messages read them through these functions, so that a
 * field means the same on each route.  Fields are sticky as in fields.h: the
 * first wrong one is kept, with its name.
 *
 * Ownership  lf_gen_opts owns bias, grammar and schema; the stop strings point into the
 *            request's JSON, which has to outlive it.
 */
#ifndef LF_SERVE_GEN_REQ_H
#define LF_SERVE_GEN_REQ_H

#include "base/json.h"
#include "infer/engine.h"
#include "serve/fields.h"

enum { LF_GEN_STOPS = 16, LF_GEN_BIASES = 300, LF_GEN_CHOICES = 8 };

typedef struct lf_gen_lora {
    const char *id; /* in the request's JSON */
    float scale;
} lf_gen_lora;

typedef struct lf_gen_opts {
    bool stream, include_usage;
    uint32_t n_choices, n_max; /* n_max 0 = to the end of the context */
    lf_sampling sampling;      /* bias points to `bias` */
    lf_logit_bias *bias;
    const char *stop[LF_GEN_STOPS];
    size_t n_stop;
    lf_grammar *grammar; /* of response_format or grammar; NULL = free text */
    uint64_t user_key;   /* who asks, of `user`: those who wait are served in turn */
    json_t *schema;      /* of response_format; NULL = none */
    lf_gen_lora lora[LF_ADAPTERS_MAX];
    size_t n_lora;
} lf_gen_opts;

/* stream, stream_options. */
void lf_gen_read_stream(lf_fields *f, lf_gen_opts *o);
/* temperature (up to `t_max`), top_p, min_p, top_k, the penalties, seed (a fresh one
 * where there is none), logit_bias.  Log-probabilities differ from route to route. */
void lf_gen_read_sampling(lf_fields *f, double t_max, lf_gen_opts *o);
/* A string or an array of them, under `key` ("stop", "stop_sequences"). */
void lf_gen_read_stop(lf_fields *f, const char *key, lf_gen_opts *o);
/* response_format or grammar, which exclude each other. */
void lf_gen_read_grammar(lf_fields *f, lf_gen_opts *o);
/* lora: [{"id", "scale"}], as llama-server's, with names for ids. */
void lf_gen_read_lora(lf_fields *f, lf_gen_opts *o);
/* Who asks, by a name of the client's own choice; NULL = not said. */
void lf_gen_set_user(const char *user, lf_gen_opts *o);
void lf_gen_opts_release(lf_gen_opts *o);

/* What somebody wrote: a string, or parts {"type": "text", "text"} put together.
 * New reference, or NULL after a failure that names `param` and `where`. */
json_t *lf_gen_content(lf_fields *f, const char *param, const char *where, const json_t *content);
#endif

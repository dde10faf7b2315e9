/* serve/text_req.h - what requests over plain text ask for: completions, token counts,
 * ranks.
 *
 * As in openai_req.h, a field that would change the answer is used or refused by
 * name.
 *
 * Ownership  A decoded request owns its JSON; strings point into it.
 * Errors     LF_ERR_ARG, with the field's name in `param`.
 */
#ifndef LF_SERVE_TEXT_REQ_H
#define LF_SERVE_TEXT_REQ_H

#include "serve/gen_req.h"

enum { LF_TEXT_PROMPTS = 256, LF_RANK_TEXTS = 2048 };

/* POST /v1/completions */
typedef struct lf_text_req {
    json_t *root;
    const char *model;
    json_t *prompts; /* each a string, or an array of token ids */
    bool echo;       /* the prompt in front of what follows it */
    lf_gen_opts gen;
} lf_text_req;

LF_MUST_CHECK lf_status lf_text_req_decode(lf_str body, lf_text_req *out, char param[64],
                                           lf_err *err);
void lf_text_req_release(lf_text_req *r);

/* POST /tokenize: text, or a conversation as the model would see it */
typedef struct lf_tokenize_req {
    json_t *root;
    const char *model;
    lf_str content;
    json_t *messages; /* NULL: content */
    bool add_special, parse_special, with_pieces;
} lf_tokenize_req;

LF_MUST_CHECK lf_status lf_tokenize_req_decode(lf_str body, lf_tokenize_req *out, char param[64],
                                               lf_err *err);
void lf_tokenize_req_release(lf_tokenize_req *r);

/* POST /detokenize */
typedef struct lf_detokenize_req {
    json_t *root;
    const char *model;
    const json_t *tokens; /* integers of 0 to INT32_MAX, in `root` */
} lf_detokenize_req;

LF_MUST_CHECK lf_status lf_detokenize_req_decode(lf_str body, lf_detokenize_req *out,
                                                 char param[64], lf_err *err);
void lf_detokenize_req_release(lf_detokenize_req *r);

/* POST /v1/rerank */
typedef struct lf_rank_req {
    json_t *root;
    const char *model;
    lf_str query;
    lf_str *texts;
    size_t n_texts;
    size_t n_top; /* results wanted, at most n_texts */
    bool with_texts;
} lf_rank_req;

LF_MUST_CHECK lf_status lf_rank_req_decode(lf_str body, lf_rank_req *out, char param[64],
                                           lf_err *err);
void lf_rank_req_release(lf_rank_req *r);
#endif

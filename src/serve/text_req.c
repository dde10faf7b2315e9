/* serve/text_req.c - decoding of requests over plain text. */
#include "serve/text_req.h"

#include <string.h>

#include "base/mem.h"
#include "serve/openai_req.h"

enum { COMPLETION_TOKENS = 16 }; /* OpenAI's default of max_tokens for completions */

/* Is it an array of token ids? */
static bool is_ids(const json_t *v)
{
    size_t i;
    json_t *x;
    if (!json_is_array(v) || json_array_size(v) == 0)
        return false;
    json_array_foreach(v, i, x)
    {
        if (!json_is_integer(x) || json_integer_value(x) < 0 || json_integer_value(x) > INT32_MAX)
            return false;
    }
    return true;
}

static void read_prompts(lf_fields *f, lf_text_req *r)
{
    json_t *v = json_object_get(f->o, "prompt"), *x;
    size_t i;
    if (f->st != LF_OK)
        return;
    if (json_is_string(v) || is_ids(v)) {
        r->prompts = json_pack("[O]", v);
    } else if (json_is_array(v) && json_array_size(v) > 0 &&
               json_array_size(v) <= LF_TEXT_PROMPTS) {
        json_array_foreach(v, i, x)
        {
            if (!json_is_string(x) && !is_ids(x))
                (void)lf_fields_fail(f, "prompt",
                                     "'prompt[%zu]' must be a string or an array of token ids", i);
        }
        r->prompts = json_incref(v);
    } else {
        (void)lf_fields_fail(f, "prompt",
                             "'prompt' must be a string, an array of token ids, or an array of 1 "
                             "to %d of these",
                             LF_TEXT_PROMPTS);
    }
    if (f->st == LF_OK && !r->prompts)
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for the prompts");
}

/* Fields with values that change nothing, and those that are not done here. */
static void refuse_unsupported(lf_fields *f, const lf_text_req *r)
{
    const char *suffix = lf_fields_str(f, "suffix", "");
    if (*suffix)
        (void)lf_fields_fail(f, "suffix",
                             "'suffix' is not supported: put the model's own tokens for filling in "
                             "the middle into the prompt");
    const int64_t best = lf_fields_int(f, "best_of", r->gen.n_choices, 1, 1000);
    if (best != r->gen.n_choices)
        (void)lf_fields_fail(f, "best_of", "'best_of' is not supported, but for the value of 'n'");
}

lf_status lf_text_req_decode(lf_str body, lf_text_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = { "model", "prompt", "stream", "stream_options",
                                         "max_tokens", "temperature", "top_p", "min_p", "top_k",
                                         "frequency_penalty", "presence_penalty", "repeat_penalty",
                                         "logprobs", "seed", "logit_bias", "stop", "n", "echo",
                                         "response_format", "grammar", "lora", "suffix", "best_of",
                                         /* without meaning here */
                                         "user", "metadata", "store", NULL };
    lf_text_req r = { 0 };
    param[0] = '\0';
    const lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    lf_fields_only(&f, known);
    r.model = lf_fields_need_str(&f, "model");
    read_prompts(&f, &r);
    lf_gen_read_stream(&f, &r.gen);
    lf_gen_set_user(json_string_value(json_object_get(r.root, "user")), &r.gen);
    lf_gen_read_sampling(&f, 2, &r.gen);
    lf_gen_read_stop(&f, "stop", &r.gen);
    lf_gen_read_grammar(&f, &r.gen);
    lf_gen_read_lora(&f, &r.gen);
    r.gen.sampling.logprobs = lf_fields_has(&f, "logprobs");
    r.gen.sampling.n_top_logprobs = (int32_t)lf_fields_int(&f, "logprobs", 0, 0, 20);
    r.gen.n_choices = (uint32_t)lf_fields_int(&f, "n", 1, 1, LF_GEN_CHOICES);
    r.gen.n_max = (uint32_t)lf_fields_int(&f, "max_tokens", COMPLETION_TOKENS, 1, UINT32_MAX);
    r.echo = lf_fields_bool(&f, "echo", false);
    refuse_unsupported(&f, &r);
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_text_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_text_req_release(lf_text_req *r)
{
    json_decref(r->prompts);
    json_decref(r->root);
    lf_gen_opts_release(&r->gen);
    *r = (lf_text_req){ 0 };
}

/* ---- tokens ---- */

lf_status lf_tokenize_req_decode(lf_str body, lf_tokenize_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = { "model",         "content",     "messages", "add_special",
                                         "parse_special", "with_pieces", NULL };
    lf_tokenize_req r = { 0 };
    param[0] = '\0';
    const lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    lf_fields_only(&f, known);
    r.model = lf_fields_str(&f, "model", "default");
    r.add_special = lf_fields_bool(&f, "add_special", true);
    r.parse_special = lf_fields_bool(&f, "parse_special", true);
    r.with_pieces = lf_fields_bool(&f, "with_pieces", false);
    if (lf_fields_has(&f, "messages")) {
        if (lf_fields_has(&f, "content"))
            (void)lf_fields_fail(&f, "content", "'content' and 'messages' exclude each other");
        lf_chat_read_messages(&f, &r.messages);
    } else {
        r.content.p = lf_fields_need_str(&f, "content");
        r.content.len = json_string_length(json_object_get(r.root, "content"));
    }
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_tokenize_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_tokenize_req_release(lf_tokenize_req *r)
{
    json_decref(r->messages);
    json_decref(r->root);
    *r = (lf_tokenize_req){ 0 };
}

lf_status lf_detokenize_req_decode(lf_str body, lf_detokenize_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = { "model", "tokens", NULL };
    lf_detokenize_req r = { 0 };
    param[0] = '\0';
    const lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    lf_fields_only(&f, known);
    r.model = lf_fields_str(&f, "model", "default");
    r.tokens = json_object_get(r.root, "tokens");
    if (f.st == LF_OK && !is_ids(r.tokens) &&
        !(json_is_array(r.tokens) && json_array_size(r.tokens) == 0))
        (void)lf_fields_fail(&f, "tokens", "'tokens' must be an array of token ids");
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_detokenize_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_detokenize_req_release(lf_detokenize_req *r)
{
    json_decref(r->root);
    *r = (lf_detokenize_req){ 0 };
}

/* ---- ranks ---- */

/* A document is a string, or an object with a member "text". */
static void read_documents(lf_fields *f, lf_rank_req *r)
{
    const json_t *v = lf_fields_array(f, "documents", LF_RANK_TEXTS);
    size_t i;
    json_t *d;
    if (f->st == LF_OK && json_array_size(v) == 0)
        (void)lf_fields_fail(f, "documents",
                             "'documents' is missing: an array of 1 to %d texts is needed",
                             LF_RANK_TEXTS);
    if (f->st != LF_OK)
        return;
    r->texts = lf_calloc(json_array_size(v), sizeof *r->texts);
    if (!r->texts) {
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for %zu texts", json_array_size(v));
        return;
    }
    json_array_foreach(v, i, d)
    {
        const json_t *t = json_is_object(d) ? json_object_get(d, "text") : d;
        if (!json_is_string(t))
            (void)lf_fields_fail(f, "documents",
                                 "'documents[%zu]' must be a string or an object with 'text'", i);
        else
            r->texts[r->n_texts++] = (lf_str){ json_string_value(t), json_string_length(t) };
    }
}

lf_status lf_rank_req_decode(lf_str body, lf_rank_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = { "model", "query", "documents", "top_n", "return_documents",
                                         "user",  NULL };
    lf_rank_req r = { 0 };
    param[0] = '\0';
    const lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    lf_fields_only(&f, known);
    r.model = lf_fields_str(&f, "model", "default-embed");
    r.query = lf_str_of(lf_fields_need_str(&f, "query"));
    if (f.st == LF_OK && r.query.len == 0)
        (void)lf_fields_fail(&f, "query", "'query' is empty");
    read_documents(&f, &r);
    r.n_top = (size_t)lf_fields_int(&f, "top_n", LF_RANK_TEXTS, 1, INT32_MAX);
    if (r.n_top > r.n_texts)
        r.n_top = r.n_texts;
    r.with_texts = lf_fields_bool(&f, "return_documents", false);
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_rank_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_rank_req_release(lf_rank_req *r)
{
    json_decref(r->root);
    lf_free(r->texts);
    *r = (lf_rank_req){ 0 };
}

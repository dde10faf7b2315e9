/* serve/openai_chat.c - POST /v1/chat/completions.
 *
 * The stream is opened with the first token, so that whatever can be wrong with a
 * request (no such model, a prompt over the context) is still answered with a
 * status.  Choices are generated one after the other; the engine keeps the
 * prompt's cache, so that a second one costs its own tokens only. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "serve/openai_req.h"
#include "serve/serve_int.h"

typedef struct chat {
    lf_server *server;
    lf_http_req *r;
    lf_chat_req req;
    char id[48];
    const char *model;
    int64_t created;
    const lf_tokenizer *tok;
    lf_http_stream *stream; /* NULL until the first token */
    uint32_t choice;
    bool begun;       /* this choice's first chunk is sent */
    json_t *logprobs; /* of the choice that is being generated, when not streaming */
    uint64_t n_prompt, n_cached, n_generated;
    lf_err err;
    lf_status st;
} chat;

static void make_id(char *out, size_t n)
{
    uint64_t x[2] = { 0 };
    if (getrandom(x, sizeof x, GRND_NONBLOCK) != (ssize_t)sizeof x)
        x[0] = (uint64_t)lf_clock_us();
    (void)snprintf(out, n, "chatcmpl-%016" PRIx64 "%08" PRIx64, x[0], x[1] >> 32);
}

static json_t *token_json(const chat *c, int32_t id, float logprob)
{
    lf_buf b = { 0 };
    json_t *bytes = json_array();
    lf_tokenizer_piece(c->tok, id, true, &b);
    for (size_t i = 0; i < b.len; i++)
        (void)json_array_append_new(bytes, json_integer((unsigned char)b.data[i]));
    /* Log-probabilities of impossible tokens are -inf, which JSON cannot hold. */
    json_t *v = json_pack("{s:o,s:f,s:o}", "token", lf_json_text(lf_buf_cstr(&b), b.len), "logprob",
                          logprob > -9999.0f ? (double)logprob : -9999.0, "bytes", bytes);
    lf_buf_release(&b);
    return v;
}

static json_t *event_logprob(const chat *c, const lf_token_event *ev)
{
    json_t *v = token_json(c, ev->id, ev->logprob), *top = json_array();
    for (int32_t i = 0; i < ev->n_top; i++)
        (void)json_array_append_new(top, token_json(c, ev->top_ids[i], ev->top_logprobs[i]));
    (void)json_object_set_new(v, "top_logprobs", top);
    return v;
}

/* One chunk of the stream; takes `delta` and `logprobs` (NULL = null). */
static bool send_chunk(chat *c, json_t *delta, json_t *logprobs, const char *finish)
{
    json_t *choice = json_pack("{s:i,s:o,s:o?,s:s?}", "index", (int)c->choice, "delta", delta,
                               "logprobs", logprobs, "finish_reason", finish);
    json_t *v = json_pack("{s:s,s:s,s:I,s:s,s:[o]}", "id", c->id, "object", "chat.completion.chunk",
                          "created", (json_int_t)c->created, "model", c->model, "choices", choice);
    if (v && c->req.include_usage)
        (void)json_object_set_new(v, "usage", json_null());
    c->st = lf_serve_event(c->stream, NULL, v, &c->err);
    return c->st == LF_OK;
}

static bool begin_choice(chat *c)
{
    if (!c->stream)
        c->st = lf_http_stream_open(c->r, &c->stream, &c->err);
    if (c->st != LF_OK)
        return false;
    c->begun = true;
    return send_chunk(c, json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL, NULL);
}

static bool on_token(void *ud, const lf_token_event *ev)
{
    chat *c = ud;
    json_t *lp = c->req.sampling.logprobs ? event_logprob(c, ev) : NULL;
    if (!c->req.stream) {
        if (lp)
            (void)json_array_append_new(c->logprobs, lp);
        return true;
    }
    if (!c->begun && !begin_choice(c)) {
        json_decref(lp);
        return false;
    }
    if (ev->n_bytes == 0 && !lp)
        return true;
    if (lp)
        lp = json_pack("{s:[o],s:n}", "content", lp, "refusal");
    return send_chunk(c, json_pack("{s:o}", "content", lf_json_text(ev->text, ev->n_bytes)), lp,
                      NULL);
}

static lf_status generate(chat *c, lf_gen_result *out)
{
    lf_gen_req g = { .n_max = c->req.n_max,
                     .sampling = c->req.sampling,
                     .stop = c->req.stop,
                     .n_stop = c->req.n_stop,
                     .grammar = c->req.grammar,
                     .cancel = lf_http_cancel(c->r),
                     .on_token = c->req.stream || c->req.sampling.logprobs ? on_token : NULL,
                     .ud = c };
    g.sampling.seed += c->choice;
    const lf_server_opts *o = &c->server->o;
    c->begun = false;
    lf_status st =
        lf_provider_chat(o->provider, o->scope, c->req.model, c->req.messages, &g, out, &c->err);
    if (st == LF_OK) {
        c->n_prompt = out->n_prompt;
        c->n_cached = out->n_cached;
        c->n_generated += out->n_generated;
    }
    return c->st != LF_OK ? c->st : st;
}

static json_t *usage(const chat *c)
{
    return json_pack("{s:I,s:I,s:I,s:{s:I}}", "prompt_tokens", (json_int_t)c->n_prompt,
                     "completion_tokens", (json_int_t)c->n_generated, "total_tokens",
                     (json_int_t)(c->n_prompt + c->n_generated), "prompt_tokens_details",
                     "cached_tokens", (json_int_t)c->n_cached);
}

/* What OpenAI's clients expect for the two failures that they tell apart. */
static void shape_error(const chat *c, lf_err *e, int *http, const char **param, const char **code)
{
    *http = lf_status_http(e->code);
    *code = lf_status_name(e->code);
    *param = NULL;
    (void)c;
    if (e->code == LF_ERR_LIMIT) {
        *http = 400;
        *param = "messages";
        *code = "context_length_exceeded";
    } else if (e->code == LF_ERR_NOT_FOUND) {
        *param = "model";
        *code = "model_not_found";
    }
}

static void fail(chat *c)
{
    int http;
    const char *param, *code;
    shape_error(c, &c->err, &http, &param, &code);
    if (!c->stream) {
        lf_http_reply_error(c->r, http, param, code, "%s", c->err.msg);
        return;
    }
    lf_err gone = { 0 };
    (void)!lf_serve_event(c->stream, NULL, lf_http_error_json(http, param, code, c->err.msg),
                          &gone);
}

static const char *finish_name(lf_finish f)
{
    return f == LF_FINISH_LENGTH ? "length" : "stop";
}

static lf_status run_streamed(chat *c)
{
    lf_status st = LF_OK;
    for (c->choice = 0; c->choice < c->req.n_choices && st == LF_OK; c->choice++) {
        lf_gen_result g = { 0 };
        st = generate(c, &g);
        if (st == LF_OK && !c->begun && !begin_choice(c))
            st = c->st;
        if (st == LF_OK && !send_chunk(c, json_object(), NULL, finish_name(g.finish)))
            st = c->st;
        lf_buf_release(&g.text);
    }
    if (st == LF_OK && c->req.include_usage)
        st = lf_serve_event(c->stream, NULL,
                            json_pack("{s:s,s:s,s:I,s:s,s:[],s:o}", "id", c->id, "object",
                                      "chat.completion.chunk", "created", (json_int_t)c->created,
                                      "model", c->model, "choices", "usage", usage(c)),
                            &c->err);
    if (st == LF_OK)
        st = lf_http_stream_send(c->stream, NULL, lf_str_of("[DONE]"), &c->err);
    return st;
}

static lf_status run_whole(chat *c)
{
    json_t *choices = json_array();
    lf_status st = LF_OK;
    for (c->choice = 0; c->choice < c->req.n_choices && st == LF_OK; c->choice++) {
        lf_gen_result g = { 0 };
        c->logprobs = c->req.sampling.logprobs ? json_array() : NULL;
        st = generate(c, &g);
        json_t *lp = c->logprobs ? json_pack("{s:o,s:n}", "content", c->logprobs, "refusal") : NULL;
        c->logprobs = NULL;
        if (st == LF_OK)
            (void)json_array_append_new(
                choices, json_pack("{s:i,s:{s:s,s:o,s:n},s:o?,s:s}", "index", (int)c->choice,
                                   "message", "role", "assistant", "content",
                                   lf_json_text(lf_buf_cstr(&g.text), g.text.len), "refusal",
                                   "logprobs", lp, "finish_reason", finish_name(g.finish)));
        else
            json_decref(lp);
        lf_buf_release(&g.text);
    }
    if (st != LF_OK) {
        json_decref(choices);
        return st;
    }
    lf_http_reply_json(c->r, 200,
                       json_pack("{s:s,s:s,s:I,s:s,s:o,s:o}", "id", c->id, "object",
                                 "chat.completion", "created", (json_int_t)c->created, "model",
                                 c->model, "choices", choices, "usage", usage(c)));
    return LF_OK;
}

/* Token texts of log-probabilities come from the model's own tokenizer. */
static lf_status need_tokenizer(chat *c)
{
    lf_model *m = NULL;
    if (!c->req.sampling.logprobs)
        return LF_OK;
    lf_status st = lf_provider_model(c->server->o.provider, c->req.model, &m, &c->err);
    if (st == LF_OK)
        c->tok = lf_model_tokenizer(m);
    return st;
}

void lf_serve_chat(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    char param[64];
    chat c = { .server = s, .r = r, .created = lf_clock_unix_ms() / 1000 };
    if (!lf_serve_is_json(r))
        return;
    if (lf_chat_req_decode(lf_http_body(r), &c.req, param, &c.err) != LF_OK) {
        lf_serve_fail(r, param, &c.err);
        return;
    }
    make_id(c.id, sizeof c.id);
    lf_buf id = { 0 };
    lf_status st = lf_serve_model_name(c.req.model, &c.err);
    if (st == LF_OK)
        st = lf_provider_model_id(s->o.provider, c.req.model, &id, &c.err);
    c.model = lf_buf_cstr(&id);
    if (st == LF_OK)
        st = need_tokenizer(&c);
    if (st == LF_OK)
        st = c.req.stream ? run_streamed(&c) : run_whole(&c);
    if (st != LF_OK)
        fail(&c);
    lf_http_stream_close(c.stream);
    lf_chat_req_release(&c.req);
    lf_buf_release(&id);
}

/* serve/openai_chat.c - POST /v1/chat/completions.
 *
 * Choices are generated one after the other; the engine keeps the prompt's cache,
 * so that a second one costs its own tokens only. */
#include "base/mem.h"
#include "serve/gen.h"
#include "serve/openai_req.h"

typedef struct chat {
    lf_gen g;
    lf_chat_req req;
    lf_tokens prompt;
    uint32_t choice;
    bool begun;       /* this choice's first chunk is sent */
    json_t *logprobs; /* of the choice that is being generated, when not streaming */
} chat;

/* One chunk of the stream; takes `choices`. */
static json_t *chunk(const chat *c, json_t *choices)
{
    return json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", c->g.id, "object", "chat.completion.chunk",
                     "created", (json_int_t)c->g.created, "model", lf_buf_cstr(&c->g.model),
                     "choices", choices);
}

/* Takes `delta` and `logprobs` (NULL = null). */
static bool send_chunk(chat *c, json_t *delta, json_t *logprobs, const char *finish)
{
    json_t *v = chunk(c, json_pack("[{s:i,s:o,s:o?,s:s?}]", "index", (int)c->choice, "delta", delta,
                                   "logprobs", logprobs, "finish_reason", finish));
    if (v && c->req.gen.include_usage)
        (void)json_object_set_new(v, "usage", json_null());
    return lf_gen_send(&c->g, NULL, v);
}

static bool begin_choice(chat *c)
{
    c->begun = true;
    return send_chunk(c, json_pack("{s:s,s:s}", "role", "assistant", "content", ""), NULL, NULL);
}

static bool on_token(void *ud, const lf_token_event *ev)
{
    chat *c = ud;
    json_t *lp = c->req.gen.sampling.logprobs ? lf_gen_logprob(&c->g, ev) : NULL;
    if (!c->req.gen.stream) {
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

static lf_status run_streamed(chat *c)
{
    lf_status st = LF_OK;
    for (c->choice = 0; c->choice < c->req.gen.n_choices && st == LF_OK; c->choice++) {
        lf_gen_result g = { 0 };
        c->begun = false;
        st = lf_gen_run(&c->g, &c->prompt, c->choice, &g);
        if (st == LF_OK && !c->begun && !begin_choice(c))
            st = c->g.st;
        if (st == LF_OK && !send_chunk(c, json_object(), NULL, lf_gen_finish_name(g.finish)))
            st = c->g.st;
        lf_buf_release(&g.text);
    }
    if (st == LF_OK && c->req.gen.include_usage) {
        json_t *v = chunk(c, json_array());
        (void)json_object_set_new(v, "usage", lf_gen_usage(&c->g));
        (void)lf_gen_send(&c->g, NULL, v);
        st = c->g.st;
    }
    if (st == LF_OK)
        st = lf_http_stream_send(c->g.stream, NULL, lf_str_of("[DONE]"), &c->g.err);
    return st;
}

static lf_status run_whole(chat *c)
{
    json_t *choices = json_array();
    lf_status st = LF_OK;
    for (c->choice = 0; c->choice < c->req.gen.n_choices && st == LF_OK; c->choice++) {
        lf_gen_result g = { 0 };
        c->logprobs = c->req.gen.sampling.logprobs ? json_array() : NULL;
        st = lf_gen_run(&c->g, &c->prompt, c->choice, &g);
        json_t *lp = c->logprobs ? json_pack("{s:o,s:n}", "content", c->logprobs, "refusal") : NULL;
        c->logprobs = NULL;
        if (st == LF_OK)
            (void)json_array_append_new(
                choices, json_pack("{s:i,s:{s:s,s:o,s:n},s:o?,s:s}", "index", (int)c->choice,
                                   "message", "role", "assistant", "content",
                                   lf_json_text(lf_buf_cstr(&g.text), g.text.len), "refusal",
                                   "logprobs", lp, "finish_reason", lf_gen_finish_name(g.finish)));
        else
            json_decref(lp);
        lf_buf_release(&g.text);
    }
    if (st != LF_OK) {
        json_decref(choices);
        return st;
    }
    lf_http_reply_json(c->g.r, 200,
                       json_pack("{s:s,s:s,s:I,s:s,s:o,s:o}", "id", c->g.id, "object",
                                 "chat.completion", "created", (json_int_t)c->g.created, "model",
                                 lf_buf_cstr(&c->g.model), "choices", choices, "usage",
                                 lf_gen_usage(&c->g)));
    return LF_OK;
}

void lf_serve_chat(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    char param[64];
    chat c = { .g = { .server = s, .r = r } };
    if (!lf_serve_is_json(r))
        return;
    if (lf_chat_req_decode(lf_http_body(r), &c.req, param, &c.g.err) != LF_OK) {
        lf_serve_fail(r, param, &c.g.err);
        return;
    }
    c.g.o = &c.req.gen;
    c.g.on_token = c.req.gen.stream || c.req.gen.sampling.logprobs ? on_token : NULL;
    c.g.ud = &c;
    lf_status st = lf_gen_open(&c.g, c.req.model, "chatcmpl-");
    if (st == LF_OK)
        st = lf_provider_tokens(c.g.m, c.req.messages, &c.prompt, &c.g.err);
    if (st == LF_OK)
        st = c.req.gen.stream ? run_streamed(&c) : run_whole(&c);
    if (st != LF_OK)
        lf_gen_fail(&c.g, "messages");
    lf_gen_close(&c.g);
    lf_tokens_release(&c.prompt);
    lf_chat_req_release(&c.req);
}

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
    /* of the choice that is being generated */
    bool begun;        /* its first chunk is sent */
    size_t n_whole;    /* calls that have ended */
    json_t *logprobs;  /* when not streaming, as are the next three */
    lf_buf text, args; /* args: of the last call */
    json_t *calls;
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

/* ---- streamed ---- */

/* The part as a delta; the end of a call says nothing of its own. */
static json_t *delta_of(const lf_gen_part *part)
{
    char id[48];
    const int index = (int)part->call;
    switch (part->kind) {
    case LF_TOOL_TEXT:
        return json_pack("{s:o}", "content", lf_json_text(part->text.p, part->text.len));
    case LF_TOOL_CALL:
        lf_gen_make_id("call_", id, sizeof id);
        return json_pack("{s:[{s:i,s:s,s:s,s:{s:o,s:s}}]}", "tool_calls", "index", index, "id", id,
                         "type", "function", "function", "name",
                         lf_json_text(part->text.p, part->text.len), "arguments", "");
    case LF_TOOL_ARGS:
        return json_pack("{s:[{s:i,s:{s:o}}]}", "tool_calls", "index", index, "function",
                         "arguments", lf_json_text(part->text.p, part->text.len));
    case LF_TOOL_CALL_END:
        break;
    }
    return json_object();
}

static bool send_part(chat *c, const lf_gen_part *part, json_t *logprob)
{
    if (!c->begun && !begin_choice(c)) {
        json_decref(logprob);
        return false;
    }
    if (part->text.len == 0 && !logprob)
        return true;
    if (logprob)
        logprob = json_pack("{s:[o],s:n}", "content", logprob, "refusal");
    return send_chunk(c, delta_of(part), logprob, NULL);
}

/* ---- whole ---- */

/* The arguments that have come, into the last call. */
static void end_arguments(chat *c)
{
    json_t *last = json_array_get(c->calls, json_array_size(c->calls) - 1);
    if (last && c->args.len)
        (void)json_object_set_new(json_object_get(last, "function"), "arguments",
                                  lf_json_text(lf_buf_cstr(&c->args), c->args.len));
    lf_buf_clear(&c->args);
}

static void keep_part(chat *c, const lf_gen_part *part, json_t *logprob)
{
    char id[48];
    if (logprob)
        (void)json_array_append_new(c->logprobs, logprob);
    if (part->kind == LF_TOOL_TEXT) {
        lf_buf_add(&c->text, part->text.p, part->text.len);
    } else if (part->kind == LF_TOOL_CALL) {
        lf_gen_make_id("call_", id, sizeof id);
        (void)json_array_append_new(c->calls, json_pack("{s:s,s:s,s:{s:o,s:s}}", "id", id, "type",
                                                        "function", "function", "name",
                                                        lf_json_text(part->text.p, part->text.len),
                                                        "arguments", ""));
    } else if (part->kind == LF_TOOL_ARGS) {
        lf_buf_add(&c->args, part->text.p, part->text.len);
    } else {
        end_arguments(c);
    }
}

/* {role, content, refusal} and, where there are any, {tool_calls}. */
static json_t *message_of(chat *c)
{
    end_arguments(c); /* of a call that was cut short */
    const bool called = json_array_size(c->calls) > 0;
    json_t *text =
        called && c->text.len == 0 ? json_null() : lf_json_text(lf_buf_cstr(&c->text), c->text.len);
    json_t *v = json_pack("{s:s,s:o,s:n}", "role", "assistant", "content", text, "refusal");
    if (called)
        (void)json_object_set(v, "tool_calls", c->calls);
    return v;
}

static bool on_part(void *ud, const lf_gen_part *part)
{
    chat *c = ud;
    json_t *lp =
        part->token && c->req.gen.sampling.logprobs ? lf_gen_logprob(&c->g, part->token) : NULL;
    c->n_whole += part->kind == LF_TOOL_CALL_END;
    if (c->req.gen.stream)
        return send_part(c, part, lp);
    keep_part(c, part, lp);
    return true;
}

static const char *finish_name(const chat *c, lf_finish finish)
{
    return c->n_whole && finish == LF_FINISH_STOP ? "tool_calls" : lf_gen_finish_name(finish);
}

/* Generate the choice `c->choice`, from nothing. */
static lf_status run_choice(chat *c, lf_gen_result *out)
{
    c->begun = false;
    c->n_whole = 0;
    lf_buf_clear(&c->text);
    lf_buf_clear(&c->args);
    json_decref(c->calls);
    c->calls = json_array();
    if (c->req.gen.sampling.logprobs && !c->req.gen.stream)
        c->logprobs = json_array();
    const lf_status st = lf_gen_run(&c->g, &c->prompt, c->choice, out);
    lf_buf_release(&out->text);
    if (st == LF_OK && (c->text.failed || c->args.failed || !c->calls))
        return lf_fail(&c->g.err, LF_ERR_NOMEM, "no memory for the answer");
    return st;
}

static lf_status run_streamed(chat *c)
{
    lf_status st = LF_OK;
    for (c->choice = 0; c->choice < c->req.gen.n_choices && st == LF_OK; c->choice++) {
        lf_gen_result g = { 0 };
        st = run_choice(c, &g);
        if (st == LF_OK && !c->begun && !begin_choice(c))
            st = c->g.st;
        if (st == LF_OK && !send_chunk(c, json_object(), NULL, finish_name(c, g.finish)))
            st = c->g.st;
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
        st = run_choice(c, &g);
        json_t *lp = c->logprobs ? json_pack("{s:o,s:n}", "content", c->logprobs, "refusal") : NULL;
        c->logprobs = NULL;
        if (st == LF_OK)
            (void)json_array_append_new(choices,
                                        json_pack("{s:i,s:o,s:o?,s:s}", "index", (int)c->choice,
                                                  "message", message_of(c), "logprobs", lp,
                                                  "finish_reason", finish_name(c, g.finish)));
        else
            json_decref(lp);
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
    c.g.on_part = on_part;
    c.g.tools = c.req.tools.tools ? &c.req.tools : NULL;
    c.g.ud = &c;
    lf_status st = lf_gen_open(&c.g, c.req.model, "chatcmpl-");
    if (st == LF_OK)
        st = lf_provider_tool_tokens(c.g.m, c.req.messages, c.req.tools.tools, &c.prompt, &c.g.err);
    if (st == LF_OK)
        st = c.req.gen.stream ? run_streamed(&c) : run_whole(&c);
    if (st != LF_OK)
        lf_gen_fail(&c.g, "messages");
    lf_gen_close(&c.g);
    lf_tokens_release(&c.prompt);
    lf_buf_release(&c.text);
    lf_buf_release(&c.args);
    json_decref(c.calls);
    lf_chat_req_release(&c.req);
}

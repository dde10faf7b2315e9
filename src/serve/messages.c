/* serve/messages.c - POST /v1/messages: a conversation in Anthropic's form.
 *
 * One text block, whole or as the events message_start, content_block_start,
 * content_block_delta…, content_block_stop, message_delta, message_stop.  Errors
 * have Anthropic's shape: {"type": "error", "error": {"type", "message"}}. */
#include <string.h>

#include "base/mem.h"
#include "serve/gen.h"
#include "serve/messages_req.h"

typedef struct message {
    lf_gen g;
    lf_messages_req req;
    lf_tokens prompt;
    bool begun; /* message_start is sent */
} message;

/* ---- failures ---- */

static const char *error_type(int http)
{
    switch (http) {
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 503:
        return "overloaded_error";
    default:
        return http < 500 ? "invalid_request_error" : "api_error";
    }
}

static json_t *error_json(int http, const char *text)
{
    return json_pack("{s:s,s:{s:s,s:s}}", "type", "error", "error", "type", error_type(http),
                     "message", text);
}

static void fail(lf_http_req *r, lf_http_stream *stream, const lf_err *err)
{
    int http;
    const char *param, *code;
    lf_err gone = { 0 };
    lf_gen_error(err, "messages", &http, &param, &code);
    if (stream)
        (void)!lf_serve_event(stream, "error", error_json(http, err->msg), &gone);
    else
        lf_http_reply_json(r, http, error_json(http, err->msg));
}

/* ---- what is said ---- */

static json_t *message_json(const message *m, json_t *content, const char *reason, const char *stop)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:s?,s:s?,s:{s:I,s:I}}", "id", m->g.id, "type",
                     "message", "role", "assistant", "model", lf_buf_cstr(&m->g.model), "content",
                     content, "stop_reason", reason, "stop_sequence", stop, "usage", "input_tokens",
                     (json_int_t)m->prompt.n, "output_tokens", (json_int_t)m->g.n_generated);
}

/* Why it ended; *stop is the stop sequence that did it, or NULL. */
static const char *stop_reason(const message *m, const lf_gen_result *g, const char **stop)
{
    *stop = g->stop >= 0 ? m->req.gen.stop[g->stop] : NULL;
    return *stop ? "stop_sequence" : g->finish == LF_FINISH_LENGTH ? "max_tokens" : "end_turn";
}

static bool begin(message *m)
{
    m->begun = true;
    return lf_gen_send(&m->g, "message_start",
                       json_pack("{s:s,s:o}", "type", "message_start", "message",
                                 message_json(m, json_array(), NULL, NULL))) &&
           lf_gen_send(&m->g, "content_block_start",
                       json_pack("{s:s,s:i,s:{s:s,s:s}}", "type", "content_block_start", "index", 0,
                                 "content_block", "type", "text", "text", ""));
}

static bool on_token(void *ud, const lf_token_event *ev)
{
    message *m = ud;
    if (!m->begun && !begin(m))
        return false;
    return ev->n_bytes == 0 ||
           lf_gen_send(&m->g, "content_block_delta",
                       json_pack("{s:s,s:i,s:{s:s,s:o}}", "type", "content_block_delta", "index", 0,
                                 "delta", "type", "text_delta", "text",
                                 lf_json_text(ev->text, ev->n_bytes)));
}

static bool end(message *m, const lf_gen_result *g)
{
    const char *stop, *reason = stop_reason(m, g, &stop);
    return (m->begun || begin(m)) &&
           lf_gen_send(&m->g, "content_block_stop",
                       json_pack("{s:s,s:i}", "type", "content_block_stop", "index", 0)) &&
           lf_gen_send(&m->g, "message_delta",
                       json_pack("{s:s,s:{s:s,s:s?},s:{s:I}}", "type", "message_delta", "delta",
                                 "stop_reason", reason, "stop_sequence", stop, "usage",
                                 "output_tokens", (json_int_t)m->g.n_generated)) &&
           lf_gen_send(&m->g, "message_stop", json_pack("{s:s}", "type", "message_stop"));
}

static lf_status run(message *m)
{
    lf_gen_result g = { 0 };
    lf_status st = lf_gen_run(&m->g, &m->prompt, 0, &g);
    if (st == LF_OK && m->req.gen.stream) {
        st = end(m, &g) ? LF_OK : m->g.st;
    } else if (st == LF_OK) {
        const char *stop, *reason = stop_reason(m, &g, &stop);
        lf_http_reply_json(m->g.r, 200,
                           message_json(m,
                                        json_pack("[{s:s,s:o}]", "type", "text", "text",
                                                  lf_json_text(lf_buf_cstr(&g.text), g.text.len)),
                                        reason, stop));
    }
    lf_buf_release(&g.text);
    return st;
}

/* ---- the routes ---- */

/* The conversation up to the assistant's turn, and what that begins with. */
static lf_status make_prompt(message *m)
{
    const char *begins = json_string_value(m->req.prefill);
    lf_status st = lf_provider_tokens(m->g.m, m->req.messages, &m->prompt, &m->g.err);
    if (st == LF_OK && begins)
        st = lf_tokenizer_encode(lf_model_tokenizer(m->g.m), begins, strlen(begins), false, false,
                                 &m->prompt, &m->g.err);
    return st;
}

static bool is_json(lf_http_req *r)
{
    lf_err err = { 0 };
    if (lf_serve_has_json(r))
        return true;
    (void)lf_fail(&err, LF_ERR_ARG, "the content type must be application/json");
    fail(r, NULL, &err);
    return false;
}

static void serve(lf_server *s, lf_http_req *r, bool counts)
{
    char param[64];
    message m = { .g = { .server = s, .r = r } };
    if (!is_json(r))
        return;
    lf_status st = lf_messages_req_decode(lf_http_body(r), counts, &m.req, param, &m.g.err);
    if (st == LF_OK) {
        m.g.o = &m.req.gen;
        m.g.on_token = m.req.gen.stream ? on_token : NULL;
        m.g.ud = &m;
        st = lf_gen_open(&m.g, m.req.model, "msg_");
    }
    if (st == LF_OK)
        st = make_prompt(&m);
    if (st == LF_OK && counts)
        lf_http_reply_json(r, 200, json_pack("{s:I}", "input_tokens", (json_int_t)m.prompt.n));
    else if (st == LF_OK)
        st = run(&m);
    if (st != LF_OK)
        fail(r, m.g.stream, &m.g.err);
    lf_gen_close(&m.g);
    lf_tokens_release(&m.prompt);
    lf_messages_req_release(&m.req);
}

void lf_serve_messages(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    serve(s, r, false);
}

void lf_serve_messages_count(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    serve(s, r, true);
}

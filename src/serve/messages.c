/* serve/messages.c - POST /v1/messages: a conversation in Anthropic's form.
 *
 * The answer is blocks of text and of calls (tool_use), whole or as the events
 * message_start, then content_block_start, content_block_delta…, content_block_stop of
 * each block, message_delta, message_stop.  An answer of nothing has one block of no
 * text.  Errors have Anthropic's shape: {"type": "error", "error": {"type", "message"}}. */
#include <string.h>

#include "base/mem.h"
#include "serve/gen.h"
#include "serve/messages_req.h"

typedef struct message {
    lf_gen g;
    lf_messages_req req;
    lf_tokens prompt;
    bool begun;      /* message_start is sent */
    size_t n_blocks; /* begun so far; the last one is open */
    bool in_call;    /* it is a call, not text */
    size_t n_whole;  /* calls that have ended */
    json_t *blocks;  /* when not streaming */
    lf_buf text;     /* of the open block: its text, or its call's arguments */
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
    if (*stop)
        return "stop_sequence";
    if (g->finish == LF_FINISH_LENGTH)
        return "max_tokens";
    return m->n_whole ? "tool_use" : "end_turn";
}

/* The open block of an answer that is not streamed; arguments that were cut short are none. */
static void keep_block(message *m)
{
    json_t *last = json_array_get(m->blocks, json_array_size(m->blocks) - 1), *input = NULL;
    if (!m->in_call) {
        (void)json_object_set_new(last, "text", lf_json_text(lf_buf_cstr(&m->text), m->text.len));
    } else if (lf_json_parse(lf_buf_cstr(&m->text), m->text.len, "arguments", &input, NULL) ==
               LF_OK) {
        (void)json_object_set_new(last, "input", input);
    }
    lf_buf_clear(&m->text);
}

static bool close_block(message *m)
{
    if (m->n_blocks == 0)
        return true;
    if (m->req.gen.stream)
        return lf_gen_send(
            &m->g, "content_block_stop",
            json_pack("{s:s,s:i}", "type", "content_block_stop", "index", (int)m->n_blocks - 1));
    keep_block(m);
    return true;
}

/* Begin a block, after the one before it; takes the reference. */
static bool open_block(message *m, bool is_call, json_t *block)
{
    if (!close_block(m)) {
        json_decref(block);
        return false;
    }
    m->in_call = is_call;
    m->n_blocks++;
    if (!m->req.gen.stream)
        return json_array_append_new(m->blocks, block) == 0;
    return lf_gen_send(&m->g, "content_block_start",
                       json_pack("{s:s,s:i,s:o}", "type", "content_block_start", "index",
                                 (int)m->n_blocks - 1, "content_block", block));
}

static bool open_text(message *m)
{
    return open_block(m, false, json_pack("{s:s,s:s}", "type", "text", "text", ""));
}

static bool open_call(message *m, lf_str name)
{
    char id[48];
    lf_gen_make_id("toolu_", id, sizeof id);
    return open_block(m, true,
                      json_pack("{s:s,s:s,s:o,s:{}}", "type", "tool_use", "id", id, "name",
                                lf_json_text(name.p, name.len), "input"));
}

/* More of the open block. */
static bool go_on(message *m, lf_str text)
{
    if (!m->req.gen.stream) {
        lf_buf_add(&m->text, text.p, text.len);
        return !m->text.failed;
    }
    return lf_gen_send(&m->g, "content_block_delta",
                       json_pack("{s:s,s:i,s:{s:s,s:o}}", "type", "content_block_delta", "index",
                                 (int)m->n_blocks - 1, "delta", "type",
                                 m->in_call ? "input_json_delta" : "text_delta",
                                 m->in_call ? "partial_json" : "text",
                                 lf_json_text(text.p, text.len)));
}

static bool begin(message *m)
{
    if (m->begun || !m->req.gen.stream)
        return true;
    m->begun = true;
    return lf_gen_send(&m->g, "message_start",
                       json_pack("{s:s,s:o}", "type", "message_start", "message",
                                 message_json(m, json_array(), NULL, NULL)));
}

static bool on_part(void *ud, const lf_gen_part *part)
{
    message *m = ud;
    if (!begin(m))
        return false;
    switch (part->kind) {
    case LF_TOOL_TEXT:
        if (part->text.len == 0)
            return true;
        return (m->n_blocks && !m->in_call ? true : open_text(m)) && go_on(m, part->text);
    case LF_TOOL_CALL:
        return open_call(m, part->text);
    case LF_TOOL_ARGS:
        return go_on(m, part->text);
    case LF_TOOL_CALL_END:
        m->n_whole++;
        break;
    }
    return true;
}

static bool end(message *m, const lf_gen_result *g)
{
    const char *stop, *reason = stop_reason(m, g, &stop);
    if (!begin(m) || (m->n_blocks == 0 && !open_text(m)) || !close_block(m))
        return false;
    if (!m->req.gen.stream) {
        lf_http_reply_json(m->g.r, 200, message_json(m, json_incref(m->blocks), reason, stop));
        return true;
    }
    return lf_gen_send(&m->g, "message_delta",
                       json_pack("{s:s,s:{s:s,s:s?},s:{s:I}}", "type", "message_delta", "delta",
                                 "stop_reason", reason, "stop_sequence", stop, "usage",
                                 "output_tokens", (json_int_t)m->g.n_generated)) &&
           lf_gen_send(&m->g, "message_stop", json_pack("{s:s}", "type", "message_stop"));
}

static lf_status run(message *m)
{
    lf_gen_result g = { 0 };
    m->blocks = json_array();
    lf_status st = lf_gen_run(&m->g, &m->prompt, 0, &g);
    if (st == LF_OK && (m->text.failed || g.finish == LF_FINISH_CALLER || !end(m, &g)))
        st = m->g.st != LF_OK ? m->g.st
                              : lf_fail(&m->g.err, LF_ERR_NOMEM, "no memory for the answer");
    lf_buf_release(&g.text);
    return st;
}

/* ---- the routes ---- */

/* The conversation up to the assistant's turn, and what that begins with. */
static lf_status make_prompt(message *m)
{
    const char *begins = json_string_value(m->req.prefill);
    lf_status st =
        lf_provider_tool_tokens(m->g.m, m->req.messages, m->req.use.tools, &m->prompt, &m->g.err);
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
        m.g.on_part = on_part;
        m.g.tools = m.req.use.tools ? &m.req.use : NULL;
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
    lf_buf_release(&m.text);
    json_decref(m.blocks);
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

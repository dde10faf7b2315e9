/* tests/unit/test_serve.c - every route over a real socket, with stand-ins below it.
 * Long: a case or two for each route. */
#include "tests/lf_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "serve/ask_req.h"
#include "serve/messages_req.h"
#include "serve/openai_req.h"
#include "serve/serve_int.h"
#include "serve/server.h"
#include "serve_doubles.h"

static lf_server *server;
static lf_jobs *jobs;
static lf_buf got; /* the last answer, whole */

static void start(void)
{
    jobs = lf_doubles_jobs();
    const lf_server_opts o = { .home = lf_test_dir(), .version = "1.2.3", .jobs = jobs };
    LF_NEED(lf_server_open(&o, &server, err));
}

static void stop(void)
{
    lf_server_close(server);
    lf_doubles_free(jobs);
    lf_buf_release(&got);
    LF_CHECK_INT(lf_mem_live(), 0);
    LF_CHECK_INT(atomic_load(&lf_doubles.n_refs), 0);
}

static int dial(void)
{
    const char *url = lf_server_url(server);
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)strtol(strrchr(url, ':') + 1, NULL, 10)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    LF_CHECK(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
    return fd;
}

static int post_as(const char *path, const char *type, const char *body, const char *more)
{
    lf_buf b = { 0 };
    const int fd = dial();
    lf_buf_addf(&b,
                "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%sContent-Length: %zu"
                "\r\n\r\n%s",
                path, type, more, strlen(body), body);
    for (size_t at = 0; at < b.len;) {
        const ssize_t n = send(fd, b.data + at, b.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    lf_buf_release(&b);
    return fd;
}

/* Read until `want` was seen or, with NULL, the end; true when so. */
static bool hear(int fd, const char *want)
{
    const int64_t until = lf_clock_us() + 8000000;
    while (!want || !strstr(lf_buf_cstr(&got), want)) {
        char chunk[4096];
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (lf_clock_us() > until || poll(&p, 1, 1000) < 0)
            return false;
        const ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
        if (n == 0)
            return !want;
        if (n > 0)
            lf_buf_add(&got, chunk, (size_t)n);
    }
    return true;
}

static int finish(int fd)
{
    lf_buf_clear(&got);
    LF_CHECK(hear(fd, NULL));
    (void)close(fd);
    return got.len > 12 ? (int)strtol(got.data + 9, NULL, 10) : 0;
}

static int post(const char *path, const char *body)
{
    return finish(post_as(path, "application/json", body, "Connection: close\r\n"));
}

static int ask_for(const char *method, const char *path)
{
    lf_buf b = { 0 };
    const int fd = dial();
    lf_buf_addf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);
    LF_CHECK(send(fd, b.data, b.len, MSG_NOSIGNAL) == (ssize_t)b.len);
    lf_buf_release(&b);
    return finish(fd);
}

static bool has(const char *text)
{
    return strstr(lf_buf_cstr(&got), text) != NULL;
}

static json_t *body_json(void)
{
    const char *p = strstr(lf_buf_cstr(&got), "\r\n\r\n");
    json_t *v = p ? json_loads(p + 4, 0, NULL) : NULL;
    LF_CHECK(v != NULL);
    return v;
}

/* ---- OpenAI ---- */

#define ASK "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void chat_whole(void)
{
    start();
    LF_CHECK_INT(post("/v1/chat/completions",
                      "{\"model\":\"words\",\"n\":2,\"logprobs\":true,\"top_logprobs\":2," ASK "}"),
                 200);
    json_t *v = body_json();
    json_t *choices = json_object_get(v, "choices");
    LF_CHECK_INT(json_array_size(choices), 2);
    json_t *one = json_array_get(choices, 1);
    LF_CHECK_INT(json_integer_value(json_object_get(one, "index")), 1);
    LF_CHECK_STR(json_string_value(json_object_get(json_object_get(one, "message"), "content")),
                 "w0 w1 w2 w3 w4 ");
    LF_CHECK_STR(json_string_value(json_object_get(one, "finish_reason")), "stop");
    json_t *lp = json_object_get(json_object_get(one, "logprobs"), "content");
    LF_CHECK_INT(json_array_size(lp), 5);
    LF_CHECK_STR(json_string_value(json_object_get(json_array_get(lp, 3), "token")), "w3 ");
    LF_CHECK_INT(json_array_size(json_object_get(json_array_get(lp, 3), "top_logprobs")), 2);
    json_t *usage = json_object_get(v, "usage");
    LF_CHECK_INT(json_integer_value(json_object_get(usage, "prompt_tokens")), 9);
    LF_CHECK_INT(json_integer_value(json_object_get(usage, "completion_tokens")), 10);
    json_decref(v);
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"words\",\"max_tokens\":2," ASK "}"),
                 200);
    LF_CHECK(has("\"finish_reason\":\"length\""));
    stop();
}

static void chat_streamed(void)
{
    start();
    lf_doubles.token_ms = 100;
    const int fd = post_as("/v1/chat/completions", "application/json",
                           "{\"model\":\"words\",\"stream\":true,"
                           "\"stream_options\":{\"include_usage\":true}," ASK "}",
                           "Connection: close\r\n");
    lf_buf_clear(&got);
    LF_CHECK(hear(fd, "\"content\":\"w0 \""));
    LF_CHECK(!has("w4")); /* words come as they are said */
    LF_CHECK(hear(fd, NULL));
    (void)close(fd);
    LF_CHECK(has("Content-Type: text/event-stream"));
    LF_CHECK(has("data: {\"id\":\"chatcmpl-") && has("\"object\":\"chat.completion.chunk\""));
    LF_CHECK(has("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}"));
    const char *role = strstr(got.data, "\"role\"");
    LF_CHECK(role && !strstr(role + 1, "\"role\"")); /* the first chunk alone has it */
    LF_CHECK(has("\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\""));
    LF_CHECK(has("\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5,"));
    LF_CHECK(has("data: [DONE]\n\n"));
    stop();
}

static bool settles(atomic_int *v, int want)
{
    for (int i = 0; i < 400 && atomic_load(v) < want; i++) {
        const struct timespec ts = { .tv_nsec = 10000000 };
        (void)nanosleep(&ts, NULL);
    }
    return atomic_load(v) >= want;
}

static void chat_stops_with_its_client(void)
{
    start();
    lf_doubles.token_ms = 20;
    lf_doubles.n_tokens = 100000;
    for (int stream = 0; stream < 2; stream++) {
        const int fd = post_as("/v1/chat/completions", "application/json",
                               stream ? "{\"model\":\"words\",\"stream\":true," ASK "}"
                                      : "{\"model\":\"words\"," ASK "}",
                               "");
        lf_buf_clear(&got);
        if (stream)
            LF_CHECK(hear(fd, "w3 "));
        else
            LF_CHECK(settles(&lf_doubles.n_said, 3));
        (void)close(fd);
        LF_CHECK(settles(&lf_doubles.n_cancelled, stream + 1));
    }
    stop();
}

static void chat_refuses(void)
{
    static const struct {
        const char *body, *param;
        int http;
    } bad[] = {
        { "", "null", 400 },
        { "{", "null", 400 },
        { "[]", "null", 400 },
        { "{\"model\":\"words\"}", "\"messages\"", 400 },
        { "{" ASK "}", "\"model\"", 400 },
        { "{\"model\":7," ASK "}", "\"model\"", 400 },
        { "{\"model\":\"words\",\"messages\":[]}", "\"messages\"", 400 },
        { "{\"model\":\"words\",\"messages\":[7]}", "\"messages\"", 400 },
        { "{\"model\":\"words\",\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}",
          "\"messages\"", 400 },
        { "{\"model\":\"words\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
          "\"image_url\"}]}]}",
          "\"messages\"", 400 },
        { "{\"model\":\"words\",\"tools\":[{}]," ASK "}", "\"tools\"", 400 },
        { "{\"model\":\"words\",\"response_format\":{\"type\":\"xml\"}," ASK "}",
          "\"response_format\"", 400 },
        { "{\"model\":\"words\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
          "\"schema\":{\"not\":{}}}}," ASK "}",
          "\"response_format\"", 400 },
        { "{\"model\":\"words\",\"grammar\":\"root ::= x\"," ASK "}", "\"grammar\"", 400 },
        { "{\"model\":\"words\",\"temperature\":3," ASK "}", "\"temperature\"", 400 },
        { "{\"model\":\"words\",\"top_p\":\"a\"," ASK "}", "\"top_p\"", 400 },
        { "{\"model\":\"words\",\"n\":0," ASK "}", "\"n\"", 400 },
        { "{\"model\":\"words\",\"max_tokens\":-1," ASK "}", "\"max_tokens\"", 400 },
        { "{\"model\":\"words\",\"max_tokens\":5,\"max_completion_tokens\":6," ASK "}",
          "\"max_tokens\"", 400 },
        { "{\"model\":\"words\",\"top_logprobs\":2," ASK "}", "\"top_logprobs\"", 400 },
        { "{\"model\":\"words\",\"logit_bias\":{\"x\":1}," ASK "}", "\"logit_bias\"", 400 },
        { "{\"model\":\"words\",\"stop\":[1]," ASK "}", "\"stop\"", 400 },
        { "{\"model\":\"words\",\"stop\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]," ASK "}",
          "\"stop\"", 400 },
        { "{\"model\":\"words\",\"stream_options\":{}," ASK "}", "\"stream_options\"", 400 },
        { "{\"model\":\"words\",\"surprise\":1," ASK "}", "\"surprise\"", 400 },
        { "{\"model\":\"words\",\"model\":\"words\"," ASK "}", "null", 400 },
        { "{\"model\":\"absent\"," ASK "}", "\"model\"", 404 },
        { "{\"model\":\"absent\",\"stream\":true," ASK "}", "\"model\"", 404 },
        { "{\"model\":\"/etc/passwd\"," ASK "}", "\"model\"", 404 },
        { "{\"model\":\"x.gguf\"," ASK "}", "\"model\"", 404 },
    };
    start();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char param[64];
        (void)snprintf(param, sizeof param, "\"param\":%s", bad[i].param);
        if (!LF_CHECK(post("/v1/chat/completions", bad[i].body) == bad[i].http && has(param) &&
                      has("\"type\":\"invalid_request_error\"")))
            printf("    body %s\n    got %s\n", bad[i].body, lf_buf_cstr(&got));
    }
    LF_CHECK_INT(
        finish(post_as("/v1/chat/completions", "text/plain", "{}", "Connection: close\r\n")), 415);
    /* Nesting that would exhaust a stack, and a prompt that does not fit. */
    lf_buf b = { 0 };
    lf_buf_add_str(&b, "{\"model\":");
    for (int i = 0; i < 100000; i++)
        lf_buf_add_char(&b, '[');
    LF_CHECK_INT(post("/v1/chat/completions", b.data), 400);
    lf_buf_clear(&b);
    lf_buf_add_str(&b, "{\"model\":\"words\",\"messages\":[{\"role\":\"user\",\"content\":\"");
    for (int i = 0; i < 6000; i++)
        lf_buf_add_char(&b, 'x');
    lf_buf_add_str(&b, "\"}]}");
    LF_CHECK_INT(post("/v1/chat/completions", b.data), 400);
    LF_CHECK(has("\"code\":\"context_length_exceeded\""));
    lf_buf_release(&b);
    stop();
}

/* ---- functions ---- */

#define LOOK                                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"look\",\"parameters\":{\"type\":\"object\","  \
    "\"properties\":{\"at\":{\"type\":\"string\"}},\"required\":[\"at\"]}}}"
#define TOOLS "\"model\":\"words\",\"tools\":[" LOOK "]"
#define SAYS_CALL(at)                                                                              \
    "<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"" at "\"}}\n</tool_call>"

/* The choice of a whole answer; the answer is to be released. */
static json_t *ask_with_tools(const char *body, json_t **answer)
{
    if (!LF_CHECK_INT(post("/v1/chat/completions", body), 200))
        printf("    %s\n", lf_buf_cstr(&got));
    *answer = body_json();
    return json_array_get(json_object_get(*answer, "choices"), 0);
}

static void chat_calls_functions(void)
{
    start();
    json_t *v, *one, *message, *calls;
    lf_doubles.says = "I look. \n" SAYS_CALL("a.b") "\n" SAYS_CALL("c");
    one = ask_with_tools("{" TOOLS ",\"logprobs\":true,\"stop\":\".b\"," ASK "}", &v);
    message = json_object_get(one, "message");
    calls = json_object_get(message, "tool_calls");
    LF_CHECK_STR(json_string_value(json_object_get(message, "content")), "I look.");
    LF_CHECK_STR(json_string_value(json_object_get(one, "finish_reason")), "tool_calls");
    LF_CHECK(lf_doubles.held && lf_doubles.n_tools == 1);
    LF_CHECK_INT(json_array_size(calls), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *call = json_array_get(calls, i), *f = json_object_get(call, "function");
        const char *id = json_string_value(json_object_get(call, "id"));
        LF_CHECK(id && strncmp(id, "call_", 5) == 0 && strlen(id) == 29);
        LF_CHECK_STR(json_string_value(json_object_get(call, "type")), "function");
        LF_CHECK_STR(json_string_value(json_object_get(f, "name")), "look");
        LF_CHECK_STR(json_string_value(json_object_get(f, "arguments")),
                     i ? "{\"at\": \"c\"}" : "{\"at\": \"a.b\"}"); /* no stop within a call */
    }
    const size_t n_tokens = (strlen(lf_doubles.says) + 2) / 3;
    LF_CHECK_INT(json_array_size(json_object_get(json_object_get(one, "logprobs"), "content")),
                 n_tokens);
    json_decref(v);

    lf_doubles.says = SAYS_CALL("x");
    one = ask_with_tools("{" TOOLS ",\"tool_choice\":\"required\"," ASK "}", &v);
    message = json_object_get(one, "message");
    LF_CHECK(json_is_null(json_object_get(message, "content")));
    LF_CHECK_INT(json_array_size(json_object_get(message, "tool_calls")), 1);
    json_decref(v);

    /* Cut short: what there is of the arguments, and why it ended. */
    one = ask_with_tools("{" TOOLS ",\"max_tokens\":16," ASK "}", &v);
    LF_CHECK_STR(json_string_value(json_object_get(one, "finish_reason")), "length");
    LF_CHECK(has("\"arguments\":\"{\\\"at\\\":\""));
    json_decref(v);

    /* Also where a whole call came before. */
    lf_doubles.says = SAYS_CALL("x") "\n" SAYS_CALL("y");
    one = ask_with_tools("{" TOOLS ",\"max_tokens\":40," ASK "}", &v);
    LF_CHECK_STR(json_string_value(json_object_get(one, "finish_reason")), "length");
    LF_CHECK(has("\"arguments\":\"{\\\"at\\\": \\\"x\\\"}\""));
    json_decref(v);

    /* A stop string in the text ends it; without functions a call is text. */
    lf_doubles.says = "one two three" SAYS_CALL("x");
    one = ask_with_tools("{" TOOLS ",\"stop\":[\"x\",\"wo t\"]," ASK "}", &v);
    LF_CHECK(has("\"content\":\"one t\"") && has("\"finish_reason\":\"stop\""));
    LF_CHECK(!has("tool_calls"));
    json_decref(v);
    one = ask_with_tools("{" TOOLS ",\"tool_choice\":\"none\"," ASK "}", &v);
    LF_CHECK(has("three<tool_call>") && !lf_doubles.held && lf_doubles.n_tools == 0);
    json_decref(v);
    stop();
}

static void chat_streams_calls(void)
{
    start();
    lf_doubles.says = "Hm <b>\n" SAYS_CALL("a") "\n" SAYS_CALL("b");
    LF_CHECK_INT(post("/v1/chat/completions", "{\"stream\":true," TOOLS "," ASK "}"), 200);
    LF_CHECK(has("\"delta\":{\"content\":\"Hm\"}") && has("\"delta\":{\"content\":\" <b>\"}"));
    LF_CHECK(!has("tool_call>") && !has("\"content\":\"\\n"));
    const char *first = strstr(got.data, "\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_");
    const char *second = strstr(got.data, "\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_");
    LF_CHECK(first && second && first < second);
    LF_CHECK(has("\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]}"));
    LF_CHECK(has("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"\"}}]}"));
    LF_CHECK(has("\"delta\":{},\"logprobs\":null,\"finish_reason\":\"tool_calls\""));
    stop();
}

#define CALLED                                                                                          \
    "{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["  \
    "{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":"                \
    "\"{\\\"at\\\":\\\"x\\\"}\"}},{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"look\"," \
    "\"arguments\":\"\"}}]}"
#define RESULT(id, text) "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"content\":" text "}"

static void results_follow_their_calls(void)
{
    lf_chat_req q;
    char param[64];
    lf_err e = { 0 };
    LF_NEED(lf_chat_req_decode(
        lf_str_of("{\"model\":\"m\",\"messages\":[" CALLED "," RESULT("2", "\"two\"") "," RESULT(
            "1", "[{\"type\":\"text\",\"text\":\"one\"}]") "]}"),
        &q, param, err));
    lf_buf b = { 0 };
    lf_json_dump(q.messages, &b);
    LF_CHECK(strstr(b.data, "\"content\":\"\",\"tool_calls\":[{\"id\":\"1\"") != NULL);
    LF_CHECK(strstr(b.data, "\"arguments\":{\"at\":\"x\"}") && strstr(b.data, "\"arguments\":{}"));
    const char *one =
        strstr(b.data, "\"content\":\"one\",\"tool_call_id\":\"1\",\"name\":\"look\"");
    const char *two = strstr(b.data, "\"content\":\"two\",\"tool_call_id\":\"2\"");
    LF_CHECK(one && two && one < two);
    lf_buf_release(&b);
    lf_chat_req_release(&q);
    static const struct {
        const char *messages, *says;
    } bad[] = {
        { CALLED, "(1) has no result" },
        { CALLED "," RESULT("1", "\"a\""), "(2) has no result" },
        { CALLED "," RESULT("1", "\"a\"") "," RESULT("1", "\"a\""), "'1', which is no open call" },
        { CALLED "," RESULT("3", "\"a\""), "'3', which is no open call" },
        { RESULT("1", "\"a\""), "no open call" },
        { "{\"role\":\"user\",\"content\":\"a\",\"tool_calls\":[]}", "only an assistant" },
        { "{\"role\":\"assistant\",\"tool_calls\":[]}", "array of 1 to" },
        { "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\"}]}", "must be {\"id\"" },
        { "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\","
          "\"arguments\":\"[]\"}}]}",
          "text of a JSON object" },
        { "{\"role\":\"assistant\"}", "must be a string" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lf_buf_clear(&b);
        lf_buf_addf(&b, "{\"model\":\"m\",\"messages\":[%s]}", bad[i].messages);
        LF_CHECK_INT(lf_chat_req_decode((lf_str){ b.data, b.len }, &q, param, &e), LF_ERR_ARG);
        if (!LF_CHECK(strcmp(param, "messages") == 0 && strstr(e.msg, bad[i].says)))
            printf("    case %zu: %s\n", i, e.msg);
    }
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void tools_are_checked(void)
{
    static const struct {
        const char *fields, *param, *says;
    } bad[] = {
        { "\"tools\":{}", "tools", "must be an array" },
        { "\"tools\":[{\"type\":\"custom\"}]", "tools", "must be {\"type\": \"function\"" },
        { "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]", "tools",
          "function.name" },
        { "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"x\":1}}]", "tools",
          "unknown member 'x'" },
        { "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{\"type\":"
          "\"string\"}}}]",
          "tools", "of the type object" },
        { "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":{\"type\":"
          "\"object\",\"not\":{}}}}]",
          "tools", "function 'a': JSON Schema, #: not" },
        { "\"tools\":[" LOOK "," LOOK "]", "tools", "'look' twice" },
        { "\"tools\":[" LOOK "],\"tool_choice\":\"any\"", "tool_choice", "must be \"none\"" },
        { "\"tools\":[" LOOK "],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":"
          "\"b\"}}",
          "tool_choice", "'b', which 'tools' does not have" },
        { "\"tool_choice\":\"required\"", "tool_choice", "without 'tools'" },
        { "\"tools\":[" LOOK "],\"grammar\":\"root ::= [a]\"", "grammar", "exclude each other" },
        { "\"parallel_tool_calls\":1", "parallel_tool_calls", "parallel_tool_calls" },
        { "\"functions\":[{}]", "functions", "use 'tools'" },
    };
    lf_buf b = { 0 };
    lf_chat_req q;
    char param[64];
    lf_err e = { 0 };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lf_buf_clear(&b);
        lf_buf_addf(&b, "{\"model\":\"m\",%s," ASK "}", bad[i].fields);
        LF_CHECK_INT(lf_chat_req_decode((lf_str){ b.data, b.len }, &q, param, &e), LF_ERR_ARG);
        if (!LF_CHECK(strcmp(param, bad[i].param) == 0 && strstr(e.msg, bad[i].says)))
            printf("    case %zu: %s: %s\n", i, param, e.msg);
    }
    lf_buf_release(&b);
    LF_NEED(lf_chat_req_decode(
        lf_str_of("{" TOOLS ",\"parallel_tool_calls\":false,\"tool_choice\":{\"type\":\"function\","
                  "\"function\":{\"name\":\"look\"}},\"response_format\":{\"type\":"
                  "\"json_object\"}," ASK "}"),
        &q, param, err));
    LF_CHECK(q.tools.choice == LF_TOOLS_REQUIRED && !q.tools.parallel && q.tools.answer);
    LF_CHECK_STR(q.tools.only, "look");
    lf_chat_req_release(&q);
    LF_CHECK_INT(lf_mem_live(), 0);
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st == LF_ERR_NOMEM && n < 4000; n++) {
        lf_mem_fail_after(n);
        st = lf_chat_req_decode(
            lf_str_of("{\"messages\":[" CALLED
                      "," RESULT("1", "[{\"type\":\"text\",\"text\":\"a\"}]") "," RESULT(
                          "2", "\"\"") "]," TOOLS ",\"grammar\":null}"),
            &q, param, &e);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || lf_mem_live() == 0);
    }
    if (!LF_CHECK_INT(st, LF_OK))
        printf("    %s\n", e.msg);
    else
        lf_chat_req_release(&q);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void embeddings(void)
{
    start();
    LF_CHECK_INT(post("/v1/embeddings", "{\"model\":\"vectors\",\"input\":[\"ab\",\"文\"]}"), 200);
    LF_CHECK(has("\"embedding\":[2.0,1.0,-0.5,1.0]"));
    LF_CHECK(has("\"index\":1") && has("\"prompt_tokens\":7"));
    LF_CHECK_INT(post("/v1/embeddings",
                      "{\"model\":\"vectors\",\"input\":\"ab\",\"encoding_format\":"
                      "\"base64\",\"input_type\":\"passage\"}"),
                 200);
    LF_CHECK(has("\"embedding\":\"AAAAQAAAAEAAAAC/AACAPw==\"")); /* 2, 2, -0.5, 1 */
    static const char *const bad[] = {
        "{\"model\":\"vectors\"}",
        "{\"model\":\"vectors\",\"input\":[]}",
        "{\"model\":\"vectors\",\"input\":[1,2]}",
        "{\"model\":\"vectors\",\"input\":\"\"}",
        "{\"model\":\"vectors\",\"input\":\"a\",\"encoding_format\":\"x\"}",
        "{\"model\":\"vectors\",\"input\":\"a\",\"dimensions\":3}",
        "{\"model\":\"vectors\",\"input\":\"a\",\"input_type\":\"x\"}",
        "{\"model\":\"words\",\"input\":\"a\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        LF_CHECK_INT(post("/v1/embeddings", bad[i]), 400);
    LF_CHECK_INT(post("/v1/embeddings", "{\"model\":\"absent\",\"input\":\"a\"}"), 404);
    LF_CHECK_INT(ask_for("GET", "/v1/models"), 200);
    LF_CHECK(has("\"id\":\"vectors\",\"object\":\"model\",\"created\":1700000001"));
    LF_CHECK_INT(ask_for("GET", "/v1/models/words"), 200);
    LF_CHECK(has("\"id\":\"gpt\"") || ask_for("GET", "/v1/models/gpt") == 200);
    LF_CHECK(has("\"alias_of\":\"words\""));
    LF_CHECK_INT(ask_for("GET", "/v1/models/none"), 404);
    LF_CHECK(has("there is no model 'none'; this machine has words, vectors") &&
             has("\"param\":\"model\",\"code\":\"model_not_found\""));
    stop();
}

static void completions(void)
{
    start();
    LF_CHECK_INT(post("/v1/completions", "{\"model\":\"words\",\"prompt\":[\"ab\",[104,105,106]],"
                                         "\"n\":2,\"echo\":true,\"max_tokens\":2}"),
                 200);
    json_t *v = body_json();
    LF_CHECK_STR(json_string_value(json_object_get(v, "object")), "text_completion");
    static const char *const want[] = { "abw0 w1 ", "abw0 w1 ", "hijw0 w1 ", "hijw0 w1 " };
    json_t *choices = json_object_get(v, "choices"), *c;
    size_t i;
    LF_CHECK_INT(json_array_size(choices), 4);
    json_array_foreach(choices, i, c)
    {
        LF_CHECK_STR(json_string_value(json_object_get(c, "text")), want[i]);
        LF_CHECK_INT(json_integer_value(json_object_get(c, "index")), (long long)i);
        LF_CHECK_STR(json_string_value(json_object_get(c, "finish_reason")), "length");
    }
    json_t *usage = json_object_get(v, "usage"); /* "<ab" once, "hij" once; two words four times */
    LF_CHECK_INT(json_integer_value(json_object_get(usage, "prompt_tokens")), 6);
    LF_CHECK_INT(json_integer_value(json_object_get(usage, "completion_tokens")), 8);
    json_decref(v);

    LF_CHECK_INT(post("/v1/completions", "{\"model\":\"words\",\"prompt\":\"ab\",\"logprobs\":2}"),
                 200);
    LF_CHECK(has("\"tokens\":[\"w0 \",\"w1 \",\"w2 \",\"w3 \",\"w4 \"]"));
    LF_CHECK(has("\"token_logprobs\":[-0.25,-0.25,-0.25,-0.25,-0.25]"));
    LF_CHECK(has("\"top_logprobs\":[{\"w0 \":-0.25,\"w1 \":-3.0},"));
    LF_CHECK(has("\"text_offset\":[0,3,6,9,12]"));

    LF_CHECK_INT(post("/v1/completions",
                      "{\"model\":\"words\",\"prompt\":[97,98,99],\"max_tokens\":1,"
                      "\"logprobs\":1,\"echo\":true}"),
                 200); /* those of the prompt too, but for its first token */
    LF_CHECK(has("\"text\":\"abcw0 \""));
    LF_CHECK(has("\"tokens\":[\"a\",\"b\",\"c\",\"w0 \"]"));
    LF_CHECK(has("\"token_logprobs\":[null,-0.5,-1.0,-0.25]"));
    LF_CHECK(has("\"top_logprobs\":[null,{\"b\":-0.5},{\"c\":-1.0},{\"w0 \":-0.25}]"));
    LF_CHECK(has("\"text_offset\":[0,1,2,3]"));

    LF_CHECK_INT(
        post("/v1/completions",
             "{\"model\":\"words\",\"prompt\":[\"a\",\"b\"],\"max_tokens\":1,\"echo\":true,"
             "\"stream\":true,\"stream_options\":{\"include_usage\":true}}"),
        200);
    LF_CHECK(has("{\"text\":\"a\",\"index\":0,") && has("{\"text\":\"w0 \",\"index\":0,"));
    LF_CHECK(has("{\"text\":\"b\",\"index\":1,") && has("{\"text\":\"w0 \",\"index\":1,"));
    LF_CHECK(has("{\"text\":\"\",\"index\":1,\"logprobs\":null,\"finish_reason\":\"length\"}"));
    LF_CHECK(has("\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2,"));
    LF_CHECK(has("data: [DONE]\n\n"));

    static const struct {
        const char *body, *param;
        int http;
    } bad[] = {
        { "{\"model\":\"words\"}", "\"prompt\"", 400 },
        { "{\"model\":\"words\",\"prompt\":[]}", "\"prompt\"", 400 },
        { "{\"model\":\"words\",\"prompt\":[1,\"a\"]}", "\"prompt\"", 400 },
        { "{\"model\":\"words\",\"prompt\":[-1]}", "\"prompt\"", 400 },
        { "{\"model\":\"words\",\"prompt\":[256]}", "null", 400 },
        { "{\"model\":\"words\",\"prompt\":\"a\",\"suffix\":\"b\"}", "\"suffix\"", 400 },
        { "{\"model\":\"words\",\"prompt\":\"a\",\"best_of\":2}", "\"best_of\"", 400 },
        { "{\"model\":\"words\",\"prompt\":\"a\",\"logprobs\":true}", "\"logprobs\"", 400 },
        { "{\"model\":\"words\",\"prompt\":\"a\",\"messages\":[]}", "\"messages\"", 400 },
        { "{\"model\":\"absent\",\"prompt\":\"a\"}", "\"model\"", 404 },
    };
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char param[64];
        (void)snprintf(param, sizeof param, "\"param\":%s", bad[i].param);
        if (!LF_CHECK(post("/v1/completions", bad[i].body) == bad[i].http && has(param)))
            printf("    body %s\n    got %s\n", bad[i].body, lf_buf_cstr(&got));
    }
    stop();
}

/* A prompt whose log-probabilities are wanted is evaluated once, however many choices it has,
 * and not at all where it is over the context. */
static void prompts_are_scored_once(void)
{
    start();
    lf_doubles.n_scored = 0;
    LF_CHECK_INT(post("/v1/completions",
                      "{\"model\":\"words\",\"prompt\":[[97,98],[99,100]],\"max_tokens\":1,"
                      "\"n\":3,\"logprobs\":1,\"echo\":true}"),
                 200);
    LF_CHECK_INT(lf_doubles.n_scored, 2);
    json_t *c, *v = body_json();
    size_t i;
    json_array_foreach(json_object_get(v, "choices"), i, c)
    {
        const json_t *lp = json_object_get(json_object_get(c, "logprobs"), "token_logprobs");
        LF_CHECK_INT(json_array_size(lp), 3);
    }
    LF_CHECK_INT(i, 6);
    json_decref(v);

    lf_buf large = { 0 }; /* over the context: refused before anything is evaluated */
    lf_buf_add_str(&large, "{\"model\":\"words\",\"logprobs\":1,\"echo\":true,\"prompt\":[97");
    for (i = 0; i < 4096; i++)
        lf_buf_add_str(&large, ",98");
    lf_buf_add_str(&large, "]}");
    LF_CHECK_INT(post("/v1/completions", lf_buf_cstr(&large)), 400);
    LF_CHECK(has("context_length_exceeded"));
    LF_CHECK_INT(lf_doubles.n_scored, 2);
    lf_buf_release(&large);
    stop();
}

static void tokens(void)
{
    start();
    LF_CHECK_INT(post("/tokenize", "{\"model\":\"words\",\"content\":\"a\\u00e9\"}"), 200);
    LF_CHECK(has("{\"count\":4,\"tokens\":[60,97,195,169]}"));
    LF_CHECK_INT(post("/tokenize", "{\"content\":\"a\\u00e9\",\"with_pieces\":true,"
                                   "\"add_special\":false}"),
                 200);
    LF_CHECK(
        has("{\"count\":3,\"tokens\":[{\"id\":97,\"piece\":\"a\"},{\"id\":195,\"piece\":[195]},"
            "{\"id\":169,\"piece\":[169]}]}"));
    LF_CHECK_INT(post("/tokenize", "{" ASK "}"), 200);
    LF_CHECK(has("\"count\":9,"));
    LF_CHECK_INT(post("/detokenize", "{\"tokens\":[104,195,169]}"), 200);
    LF_CHECK(has("{\"content\":\"hé\"}"));
    LF_CHECK_INT(post("/detokenize", "{\"tokens\":[256]}"), 400);
    LF_CHECK_INT(post("/detokenize", "{\"tokens\":[\"a\"]}"), 400);
    LF_CHECK_INT(post("/detokenize", "{\"model\":\"absent\",\"tokens\":[]}"), 404);
    LF_CHECK_INT(post("/tokenize", "{\"content\":1}"), 400);
    LF_CHECK_INT(post("/tokenize", "{\"content\":\"\"," ASK "}"), 400);
    stop();
}

static void ranks(void)
{
    start();
    LF_CHECK_INT(post("/v1/rerank", "{\"model\":\"vectors\",\"query\":\"ab\",\"top_n\":2,"
                                    "\"return_documents\":true,"
                                    "\"documents\":[\"a\",{\"text\":\"abc\"},\"abc\"]}"),
                 200);
    LF_CHECK(
        has("\"results\":[{\"index\":1,\"relevance_score\":0.75,\"document\":{\"text\":\"abc\"}},"
            "{\"index\":2,\"relevance_score\":0.75,\"document\":{\"text\":\"abc\"}}]"));
    LF_CHECK(has("\"usage\":{\"prompt_tokens\":13,\"total_tokens\":13}"));
    static const char *const bad[] = {
        "{\"model\":\"vectors\",\"query\":\"a\"}",
        "{\"model\":\"vectors\",\"query\":\"\",\"documents\":[\"a\"]}",
        "{\"model\":\"vectors\",\"query\":\"a\",\"documents\":[1]}",
        "{\"model\":\"vectors\",\"query\":\"a\",\"documents\":[\"a\"],\"top_n\":0}",
        "{\"model\":\"words\",\"query\":\"a\",\"documents\":[\"a\"]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        LF_CHECK_INT(post("/v1/rerank", bad[i]), 400);
    LF_CHECK_INT(post("/v1/rerank", "{\"model\":\"absent\",\"query\":\"a\",\"documents\":[\"a\"]}"),
                 404);
    stop();
}

/* Requests of one user have one key on every route, those of another have another. */
static void users_are_told_apart(void)
{
    uint64_t ann;
    start();
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"words\"," ASK "}"), 200);
    LF_CHECK(lf_doubles.user_key == 0);
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"words\",\"user\":\"ann\"," ASK "}"),
                 200);
    ann = lf_doubles.user_key;
    LF_CHECK(ann != 0);
    LF_CHECK_INT(post("/v1/completions", "{\"model\":\"words\",\"user\":\"bob\",\"prompt\":\"a\"}"),
                 200);
    LF_CHECK(lf_doubles.user_key != 0 && lf_doubles.user_key != ann);
    LF_CHECK_INT(post("/v1/messages", "{\"model\":\"words\",\"max_tokens\":1,"
                                      "\"metadata\":{\"user_id\":\"ann\"}," ASK "}"),
                 200);
    LF_CHECK(lf_doubles.user_key == ann);
    stop();
}

/* Whatever is wrong, on whichever route, OpenAI's clients find what they look for. */
static void errors_have_one_shape(void)
{
    static const struct {
        const char *path, *absent; /* absent: a body that names a model that is not there */
    } routes[] = {
        { "/v1/chat/completions", "{\"model\":\"absent\"," ASK "}" },
        { "/v1/completions", "{\"model\":\"absent\",\"prompt\":\"a\"}" },
        { "/v1/embeddings", "{\"model\":\"absent\",\"input\":\"a\"}" },
        { "/v1/rerank", "{\"model\":\"absent\",\"query\":\"a\",\"documents\":[\"a\"]}" },
        { "/tokenize", "{\"model\":\"absent\",\"content\":\"a\"}" },
        { "/detokenize", "{\"model\":\"absent\",\"tokens\":[]}" },
    };
    static const char *const wrong[] = { "", "{", "[]", "{\"model\":\"words\",\"nope\":1}" };
    start();
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const char *path = routes[i].path;
        bool ok = true;
        for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++)
            ok = post(path, wrong[k]) == 400 && has("{\"error\":{\"message\":") &&
                 has("\"type\":\"invalid_request_error\",\"param\":") && ok;
        ok = finish(post_as(path, "text/plain", "{}", "Connection: close\r\n")) == 415 &&
             has("{\"error\":{\"message\":") && ok;
        ok = ask_for("GET", path) == 405 && has("{\"error\":{\"message\":") && ok;
        ok = post(path, routes[i].absent) == 404 && ok;
        if (!LF_CHECK(ok && has("there is no model 'absent'; this machine has words, vectors") &&
                      has("\"param\":\"model\",\"code\":\"model_not_found\"")))
            printf("    %s: %s\n", path, lf_buf_cstr(&got));
    }
    LF_CHECK_INT(post("/v1/nothing", "{}"), 404);
    LF_CHECK(has("{\"error\":{\"message\":\"there is no route '/v1/nothing'\""));
    stop();
}

/* A name in a request reaches no file of the working directory, and no answer says where
 * the files of this machine lie. */
static void names_reach_no_files(void)
{
    static const char *const rows[][2] = {
        { "/v1/chat/completions", "," ASK "}" },
        { "/v1/completions", ",\"prompt\":\"a\"}" },
        { "/v1/messages", ",\"max_tokens\":1," ASK "}" },
        { "/v1/embeddings", ",\"input\":\"a\"}" },
        { "/v1/rerank", ",\"query\":\"a\",\"documents\":[\"b\"]}" },
        { "/tokenize", ",\"content\":\"a\"}" },
        { "/api/models/Makefile/load", "}" },
        { "/api/models/Makefile/unload", "}" },
    };
    char body[400];
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const names[] = { "Makefile", "Makefile:polite" };
        for (size_t k = 0; k < 2; k++) {
            (void)snprintf(body, sizeof body, "{\"model\":\"%s\"%s", names[k], rows[i][1]);
            if (!LF_CHECK(post(rows[i][0], body) == 404 && has("there is no model 'Makefile")))
                printf("    %s: %s\n", rows[i][0], lf_buf_cstr(&got));
        }
        (void)snprintf(body, sizeof body, "{\"model\":\"broken\"%s", rows[i][1]);
        if (i < 6 && !LF_CHECK(post(rows[i][0], body) >= 400 && !has("of us") &&
                               has("cannot read 'broken.gguf': cut")))
            printf("    %s: %s\n", rows[i][0], lf_buf_cstr(&got));
    }
    stop();
    static const char *const paths[][2] = {
        { "/a/b", "b" },
        { "no '/a b/c d.gguf' (/x/y: 1), 3 / 4 of and/or",
          "no 'c d.gguf' (y: 1), 3 / 4 of and/or" },
        { "cut '/a/b", "cut 'b" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        (void)snprintf(body, sizeof body, "%s", paths[i][0]);
        lf_serve_hide_paths(body);
        LF_CHECK_STR(body, paths[i][1]);
    }
}

static void models_come_and_go(void)
{
    start();
    LF_CHECK_INT(ask_for("GET", "/api/models"), 200);
    LF_CHECK(has("\"memory\":{\"budget_bytes\":4096}") && has("\"id\":\"gpt\""));
    LF_CHECK_INT(post("/api/models/words/load", "{}"), 200);
    LF_CHECK(has("{\"id\":\"words\",\"loaded\":true}"));
    LF_CHECK_INT(post("/api/models/words/unload", "{}"), 200);
    LF_CHECK(has("{\"id\":\"words\",\"loaded\":false,\"freed_bytes\":1000}"));
    LF_CHECK_INT(post("/api/models/vectors/unload", "{}"), 409);
    LF_CHECK(has("\"code\":\"busy\""));
    LF_CHECK_INT(post("/api/models/absent/unload", "{}"), 404);
    LF_CHECK_INT(post("/api/models/absent/load", "{}"), 404);
    LF_CHECK_INT(post("/api/models/x.gguf/load", "{}"), 404);
    stop();
}

/* ---- Anthropic ---- */

static void messages_whole(void)
{
    start();
    LF_CHECK_INT(
        post(
            "/v1/messages",
            "{\"model\":\"words\",\"max_tokens\":3,\"system\":[{\"type\":\"text\",\"text\":\"s\"}]," ASK
            "}"),
        200);
    LF_CHECK(has("{\"id\":\"msg_") && has("\"type\":\"message\",\"role\":\"assistant\""));
    LF_CHECK(has("\"content\":[{\"type\":\"text\",\"text\":\"w0 w1 w2 \"}]"));
    LF_CHECK(has("\"stop_reason\":\"max_tokens\",\"stop_sequence\":null"));
    LF_CHECK(has("\"usage\":{\"input_tokens\":9,\"output_tokens\":3}"));
    LF_CHECK_INT(post("/v1/messages", "{\"model\":\"words\",\"max_tokens\":99,"
                                      "\"stop_sequences\":[\"zz\",\"w2\"]," ASK "}"),
                 200);
    LF_CHECK(has("\"text\":\"w0 w1 \"") &&
             has("\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"w2\""));
    /* The assistant's last words belong to the prompt: "<user>\nhi" and "yes". */
    LF_CHECK_INT(post("/v1/messages/count_tokens",
                      "{\"model\":\"words\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},"
                      "{\"role\":\"assistant\",\"content\":\"yes\"}]}"),
                 200);
    LF_CHECK(has("{\"input_tokens\":12}"));
    static const struct {
        const char *body, *word;
        int http;
    } bad[] = {
        { "{\"model\":\"words\"," ASK "}", "'max_tokens'", 400 },
        { "{\"model\":\"words\",\"max_tokens\":1}", "'messages'", 400 },
        { "{\"model\":\"words\",\"max_tokens\":1,\"tools\":[{}]," ASK "}", "'tools[0]", 400 },
        { "{\"model\":\"words\",\"max_tokens\":1,\"thinking\":{\"type\":\"enabled\"}," ASK "}",
          "'thinking'", 400 },
        { "{\"model\":\"words\",\"max_tokens\":1,\"temperature\":1.5," ASK "}", "temperature",
          400 },
        { "{\"model\":\"words\",\"max_tokens\":1,\"stop\":[\"a\"]," ASK "}", "'stop'", 400 },
        { "{\"model\":\"words\",\"max_tokens\":1,\"messages\":[{\"role\":\"system\",\"content\":"
          "\"a\"}]}",
          "'system'", 400 },
        { "{\"model\":\"absent\",\"max_tokens\":1," ASK "}", "absent", 404 },
        { "{\"model\":\"words\",\"max_tokens\":1,\"system\":\"s\",\"messages\":[{\"role\":"
          "\"assistant\",\"content\":\"a\"}]}",
          "'messages' needs a message of the user", 400 },
        { "{", "line", 400 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *type =
            bad[i].http == 404
                ? "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\","
                : "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",";
        if (!LF_CHECK(post("/v1/messages", bad[i].body) == bad[i].http && has(type) &&
                      has(bad[i].word)))
            printf("    body %s\n    got %s\n", bad[i].body, lf_buf_cstr(&got));
    }
    stop();
}

static void messages_streamed(void)
{
    start();
    LF_CHECK_INT(post("/v1/messages", "{\"model\":\"words\",\"max_tokens\":9,\"stream\":true,"
                                      "\"stop_sequences\":[\"w2\"]," ASK "}"),
                 200);
    static const char *const want[] = {
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_",
        "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,"
        "\"output_tokens\":0}}",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
        "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
        "\"delta\":{\"type\":\"text_delta\",\"text\":\"w0 \"}}",
        "\"text\":\"w1 \"",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
        "\"stop_sequence\",\"stop_sequence\":\"w2\"},\"usage\":{\"output_tokens\":2}}",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}",
    };
    const char *at = lf_buf_cstr(&got);
    for (size_t i = 0; i < sizeof want / sizeof want[0] && at; i++) {
        at = strstr(at, want[i]); /* all, in this order */
        if (!LF_CHECK(at != NULL))
            printf("    no %s\n    in %s\n", want[i], lf_buf_cstr(&got));
    }
    LF_CHECK_INT(
        post("/v1/messages", "{\"model\":\"absent\",\"max_tokens\":9,\"stream\":true," ASK "}"),
        404);
    stop();
}

#define MSG "{\"model\":\"words\",\"max_tokens\":200,"
#define LOOK_A                                                                                     \
    "\"tools\":[{\"name\":\"look\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\","   \
    "\"properties\":{\"at\":{\"type\":\"string\"}}},\"cache_control\":{\"type\":\"ephemeral\"}}]"

static void messages_call_functions(void)
{
    start();
    lf_doubles.says = "so:\n" SAYS_CALL("a b") "\n" SAYS_CALL("c");
    LF_CHECK_INT(post("/v1/messages", MSG LOOK_A "," ASK "}"), 200);
    LF_CHECK(lf_doubles.held && lf_doubles.n_tools == 1);
    LF_CHECK(has(
        "\"content\":[{\"type\":\"text\",\"text\":\"so:\"},{\"type\":\"tool_use\",\"id\":\"toolu_"));
    LF_CHECK(has("\"name\":\"look\",\"input\":{\"at\":\"a b\"}},{\"type\":\"tool_use\""));
    LF_CHECK(has("\"input\":{\"at\":\"c\"}}],\"stop_reason\":\"tool_use\",\"stop_sequence\":null"));
    LF_CHECK_INT(post("/v1/messages", "{\"model\":\"words\",\"max_tokens\":18," LOOK_A "," ASK "}"),
                 200);
    LF_CHECK(has("\"input\":{}}],\"stop_reason\":\"max_tokens\"")); /* cut short: no arguments */

    LF_CHECK_INT(post("/v1/messages", MSG "\"stream\":true," LOOK_A "," ASK "}"), 200);
    static const char *const want[] = {
        "event: message_start\n",
        "\"index\":0,\"content_block\":{\"type\":\"text\"",
        "{\"type\":\"content_block_stop\",\"index\":0}",
        "\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_",
        "\"name\":\"look\",\"input\":{}}",
        "\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"",
        "{\"type\":\"content_block_stop\",\"index\":1}",
        "\"index\":2,\"content_block\":{\"type\":\"tool_use\"",
        "{\"type\":\"content_block_stop\",\"index\":2}",
        "\"stop_reason\":\"tool_use\"",
        "event: message_stop\n",
    };
    const char *at = lf_buf_cstr(&got);
    for (size_t i = 0; i < sizeof want / sizeof want[0] && at; i++) {
        at = strstr(at, want[i]); /* all, in this order */
        if (!LF_CHECK(at != NULL))
            printf("    no %s\n    in %s\n", want[i], lf_buf_cstr(&got));
    }
    LF_CHECK_INT(
        post("/v1/messages", MSG "\"tool_choice\":{\"type\":\"none\"}," LOOK_A "," ASK "}"), 200);
    LF_CHECK(lf_doubles.n_tools == 0 && has("\"stop_reason\":\"end_turn\""));
    lf_doubles.says = "";
    LF_CHECK_INT(post("/v1/messages", MSG ASK "}"), 200);
    LF_CHECK(has("\"content\":[{\"type\":\"text\",\"text\":\"\"}],\"stop_reason\":\"end_turn\""));
    lf_doubles.says = NULL;
    static const char *const bad[][2] = {
        { LOOK_A ",\"tool_choice\":{\"type\":\"tool\",\"name\":\"nope\"}", "'nope'" },
        { LOOK_A ",\"tool_choice\":{\"type\":\"all\"}", "'all'" },
        { "\"tool_choice\":{\"type\":\"any\"}", "without 'tools'" },
        { "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"w\"}]", "web_search_20250305" },
        { "\"tools\":[{\"name\":\"a b\",\"input_schema\":{\"type\":\"object\"}}]", "name" },
        { "\"output_config\":{\"format\":{\"type\":\"xml\"}}", "'output_config.format'" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char body[1000];
        (void)snprintf(body, sizeof body, MSG "%s," ASK "}", bad[i][0]);
        if (!LF_CHECK(post("/v1/messages", body) == 400 && has(bad[i][1])))
            printf("    body %s\n    got %s\n", body, lf_buf_cstr(&got));
    }
    stop();
}

/* Blocks become the messages that every route's template takes. */
static void messages_take_results(void)
{
    static const char body[] =
        "{\"model\":\"m\",\"max_tokens\":1,\"system\":\"s\",\"messages\":["
        "{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I look\"},"
        "{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"look\",\"input\":{\"at\":\"x\"}},"
        "{\"type\":\"tool_use\",\"id\":\"2\",\"name\":\"look\",\"input\":{}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"2\"},"
        "{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":[{\"type\":\"text\",\"text\":"
        "\"found\"}]},{\"type\":\"text\",\"text\":\"and?\"}]}],"
        "\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}";
    static const char want[] =
        "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":\"I look\",\"tool_calls\":["
        "{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":{\"at\":\"x\"}}},"
        "{\"id\":\"2\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":{}}}]},"
        "{\"role\":\"tool\",\"content\":\"found\",\"tool_call_id\":\"1\",\"name\":\"look\"},"
        "{\"role\":\"tool\",\"content\":\"\",\"tool_call_id\":\"2\",\"name\":\"look\"},"
        "{\"role\":\"user\",\"content\":\"and?\"}]";
    lf_messages_req r;
    char param[64];
    lf_buf b = { 0 };
    lf_err e = { 0 };
    LF_NEED(lf_messages_req_decode(lf_str_of(body), false, &r, param, err));
    lf_json_dump(r.messages, &b);
    LF_CHECK_STR(lf_buf_cstr(&b), want);
    LF_CHECK(r.gen.grammar != NULL && r.prefill == NULL);
    lf_buf_release(&b);
    lf_messages_req_release(&r);
    for (size_t n = 0; n < sizeof body - 1; n++)
        LF_CHECK_INT(lf_messages_req_decode((lf_str){ body, n }, false, &r, param, &e), LF_ERR_ARG);
    static const char *const bad[] = {
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"9\"}]}",
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"a\","
        "\"input\":7}]}",
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"name\":\"a\",\"input\":{}}]}",
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"a\","
        "\"input\":{}}]}", /* no result follows */
        "{\"role\":\"user\",\"content\":[{\"type\":\"image\"}]}",
        "{\"role\":\"user\"}",
        "7",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[600];
        (void)snprintf(text, sizeof text, "{\"model\":\"m\",\"max_tokens\":1,\"messages\":[%s]}",
                       bad[i]);
        if (!LF_CHECK(lf_messages_req_decode(lf_str_of(text), false, &r, param, &e) == LF_ERR_ARG &&
                      strcmp(param, "messages") == 0))
            printf("    %s: %s\n", text, e.msg);
    }
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- native ---- */

static void documents(void)
{
    start();
    LF_CHECK_INT(ask_for("GET", "/api/documents"), 200);
    LF_CHECK(has("\"documents\":[{\"doc_id\":\"d1\",\"source\":\"报告 \\\"a\\\".pdf\""));
    LF_CHECK_INT(ask_for("GET", "/api/documents?collection=none"), 404);
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1"), 200);
    LF_CHECK(has("\"text\":\"报告\\n\\n第一章 Budget 😀") && has("\"type\":\"heading\""));
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1?from=5&to=10"), 200);
    LF_CHECK(has("\"text_start\":4,\"text\":\"第一章 Budget 😀 is 42 million.\"") &&
             !has("\"type\":\"heading\""));
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1?lines=2"), 200);
    LF_CHECK(has("\"lines\":[{\"start\":33,\"end\":37,\"box\":[10.0,20.0,60.0,32.0]}]"));
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1?from=x"), 400);
    LF_CHECK_INT(ask_for("GET", "/api/documents/none"), 404);
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1/original"), 200);
    LF_CHECK(has("%PDF-1.7 bytes") && has("Content-Security-Policy: sandbox") &&
             has("filename*=UTF-8''%E6%8A%A5%E5%91%8A%20%22a%22.pdf"));
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1/pages/2?dpi=72&v=h"), 200);
    LF_CHECK(has("PNG page 2 at 72") && has("Content-Type: image/png") && has("immutable"));
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1/pages/3"), 400);
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1/pages/x"), 400);
    LF_CHECK_INT(ask_for("GET", "/api/documents/d1/pages/1?dpi=9000"), 400);
    LF_CHECK_INT(ask_for("DELETE", "/api/documents/d1"), 200);
    LF_CHECK_INT(ask_for("DELETE", "/api/documents/d2"), 404);
    LF_CHECK_INT(ask_for("PUT", "/api/documents/d1"), 405);
    LF_CHECK(has("Allow: GET, DELETE"));
    LF_CHECK_INT(ask_for("GET", "/api/nothing"), 404);
    LF_CHECK_INT(ask_for("GET", "/api/collections"), 200);
    LF_CHECK(has("{\"name\":\"default\",\"documents\":1,\"chunks\":3}"));
    LF_CHECK_INT(post("/api/collections", "{\"name\":\"new\"}"), 201);
    LF_CHECK_INT(post("/api/collections", "{\"name\":\"default\"}"), 409);
    LF_CHECK_INT(post("/api/collections", "{\"nome\":\"x\"}"), 400);
    LF_CHECK_INT(ask_for("DELETE", "/api/collections/%E4%B8%AD%20%E6%96%87"), 200);
    stop();
}

static int upload(const char *filename, const char *content)
{
    lf_buf b = { 0 };
    lf_buf_addf(
        &b,
        "--BB\r\nContent-Disposition: form-data; name=\"collection\"\r\n\r\nmine\r\n"
        "--BB\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n\r\n%s\r\n"
        "--BB--\r\n",
        filename, content);
    const int status = finish(post_as("/api/documents", "multipart/form-data; boundary=BB",
                                      lf_buf_cstr(&b), "Connection: close\r\n"));
    lf_buf_release(&b);
    return status;
}

static lf_status count_file(void *ud, const char *path, const char *rel, lf_err *err)
{
    (void)path;
    (void)rel;
    (void)err;
    ++*(int *)ud;
    return LF_OK;
}

static void uploads(void)
{
    int left = 0;
    char spool[400];
    start();
    LF_CHECK_INT(upload("../../etc/报告.txt", "hello"), 202);
    LF_CHECK(has("{\"jobs\":[{\"id\":\"job1\",\"source\":\"报告.txt\"}]}"));
    LF_CHECK_STR(lf_doubles.last_source, "报告.txt");
    LF_CHECK_STR(lf_doubles.last_text, "hello");
    LF_CHECK_STR(lf_doubles.last_collection, "mine");
    LF_CHECK_INT(upload("C:\\x\\b.txt", "broken"), 202);
    LF_CHECK_STR(lf_doubles.last_source, "b.txt");
    LF_CHECK_INT(ask_for("GET", "/api/jobs"), 200);
    LF_CHECK(
        has("\"id\":\"job1\",\"kind\":\"ingest\",\"source\":\"报告.txt\",\"collection\":\"mine\","
            "\"state\":\"done\",\"stage\":\"parse\",\"done\":1,\"total\":2"));
    LF_CHECK(has("\"state\":\"failed\",\"error\":\"the file is broken\""));
    LF_CHECK_INT(upload("x.exe", "hello"), 415);
    LF_CHECK_INT(upload("", "hello"), 400);
    LF_CHECK_INT(post("/api/documents", "{\"path\":\"relative.txt\"}"), 400);
    LF_CHECK_INT(post("/api/documents", "{\"path\":\"/no/such/file.txt\"}"), 404);
    const char *file = lf_test_file("here.txt", "on disk", 7);
    lf_buf b = { 0 };
    lf_buf_addf(&b, "{\"path\":\"%s\"}", file);
    LF_CHECK_INT(post("/api/documents", b.data), 202);
    LF_CHECK_STR(lf_doubles.last_text, "on disk");
    LF_CHECK(lf_path_exists(file)); /* only uploads are removed */
    lf_buf_release(&b);
    LF_CHECK_INT(ask_for("DELETE", "/api/jobs/job1"), 200);
    LF_CHECK_INT(ask_for("DELETE", "/api/jobs/job9"), 404);
    (void)snprintf(spool, sizeof spool, "%s/cache/uploads", lf_test_dir());
    LF_NEED(lf_walk(spool, count_file, &left, err));
    LF_CHECK_INT(left, 0);
    stop();
}

static void job_events(void)
{
    start();
    const int fd = dial();
    static const char get[] =
        "GET /api/jobs HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    LF_CHECK(send(fd, get, sizeof get - 1, MSG_NOSIGNAL) > 0);
    lf_buf_clear(&got);
    LF_CHECK(hear(fd, "event: jobs\ndata: {\"jobs\":[]}\n\n"));
    lf_buf keep = got;
    got = (lf_buf){ 0 };
    LF_CHECK_INT(upload("a.txt", "hello"), 202);
    lf_buf_release(&got);
    got = keep;
    LF_CHECK(hear(fd, "\"state\":\"queued\""));
    LF_CHECK(hear(fd, "\"stage\":\"parse\",\"done\":1,\"total\":2"));
    LF_CHECK(hear(fd, "\"state\":\"done\""));
    (void)close(fd);
    stop();
}

static void asking(void)
{
    start();
    LF_CHECK_INT(post("/api/ask",
                      "{\"question\":\"How much?\",\"k\":3,\"history\":[{\"role\":\"user\","
                      "\"content\":\"x\"}]}"),
                 200);
    LF_CHECK(has("{\"answered\":true,\"answer\":\"A sentence [1].\",\"dropped\":1,"
                 "\"question\":\"How much?\"}"));
    LF_CHECK_INT(post("/api/search", "{\"query\":\"budget\",\"mode\":\"lexical\"}"), 200);
    LF_CHECK(has("{\"passages\":[{\"doc_id\":\"d1\"") && has("\"score\":0.5"));
    static const char *const bad[] = {
        "{}",
        "{\"question\":\"\"}",
        "{\"question\":\" \\n\"}",
        "{\"question\":7}",
        "{\"question\":\"q\",\"k\":0}",
        "{\"question\":\"q\",\"k\":\"3\"}",
        "{\"question\":\"q\",\"history\":[{\"role\":\"system\",\"content\":\"x\"}]}",
        "{\"question\":\"q\",\"history\":7}",
        "{\"question\":\"q\",\"doc_ids\":[\"\"]}",
        "{\"question\":\"q\",\"in\":[\"/x\"],\"collection\":\"c\"}",
        "{\"query\":\"q\"}",
        "{\"question\":\"\\u0000\"}",
        "{\"question\":\"\\ud800\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!LF_CHECK(post("/api/ask", bad[i]) == 400))
            printf("    body %s\n    got %s\n", bad[i], lf_buf_cstr(&got));
    LF_CHECK_INT(post("/api/search", "{\"query\":\"q\",\"mode\":\"x\"}"), 400);
    LF_CHECK_INT(post("/api/ask", "{\"question\":\"q\",\"in\":[\"/no/such\"]}"), 404);
    LF_CHECK_INT(post("/api/ask", "{\"question\":\"q\",\"in\":\"/\"}"), 200);
    lf_buf b = { 0 };
    lf_buf_add_str(&b, "{\"question\":\"");
    for (int i = 0; i < 100000; i++)
        lf_buf_add_str(&b, "问");
    lf_buf_add_str(&b, "\"}");
    LF_CHECK_INT(post("/api/ask", b.data), 400);
    LF_CHECK(has("allowed are 8000"));
    lf_buf_release(&b);
    stop();
}

static void asking_streamed(void)
{
    start();
    lf_doubles.token_ms = 100;
    lf_doubles.n_tokens = 2;
    int fd = post_as("/api/ask", "application/json", "{\"question\":\"How much?\"}",
                     "Accept: text/event-stream\r\nConnection: close\r\n");
    lf_buf_clear(&got);
    LF_CHECK(hear(fd, "event: passages\ndata: {\"passages\":[{"));
    LF_CHECK(!has("event: sentence"));
    LF_CHECK(hear(fd, "event: sentence\ndata: {\"text\":\"A sentence [1].\",\"citations\":[{"));
    LF_CHECK(!has("event: done"));
    LF_CHECK(hear(fd, NULL));
    LF_CHECK(has("event: done\ndata: {\"answered\":true"));
    (void)close(fd);

    lf_doubles.n_tokens = 100000;
    fd = post_as("/api/ask", "application/json", "{\"question\":\"How much?\"}",
                 "Accept: text/event-stream\r\n");
    lf_buf_clear(&got);
    LF_CHECK(hear(fd, "event: sentence"));
    (void)close(fd);
    LF_CHECK(settles(&lf_doubles.n_cancelled, 1));
    stop();
}

/* "MODEL:ADAPTER" and lora reach the engine, in this order, and are given back. */
static void adapters_by_request(void)
{
#define MESSAGES "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
    start();
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"words:polite\"," MESSAGES "}"), 200);
    LF_CHECK_STR(lf_doubles.adapters, "polite*1 ");
    LF_CHECK(has("\"model\":\"words:polite\""));
    LF_CHECK_INT(
        post("/v1/chat/completions",
             "{\"model\":\"words:polite\",\"lora\":[{\"id\":\"short\",\"scale\":0.5}]," MESSAGES
             "}"),
        200);
    LF_CHECK_STR(lf_doubles.adapters, "polite*1 short*0.5 ");
    LF_CHECK_INT(post("/v1/completions",
                      "{\"model\":\"words\",\"prompt\":\"a\",\"lora\":[{\"id\":\"short\"}]}"),
                 200);
    LF_CHECK_STR(lf_doubles.adapters, "short*1 ");
    LF_CHECK_INT(post("/v1/messages", "{\"model\":\"words:short\",\"max_tokens\":4," MESSAGES "}"),
                 200);
    LF_CHECK_STR(lf_doubles.adapters, "short*1 ");
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"words\"," MESSAGES "}"), 200);
    LF_CHECK_STR(lf_doubles.adapters, "");
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"words:rude\"," MESSAGES "}"), 404);
    LF_CHECK(has("there is no adapter 'rude'"));
    LF_CHECK_INT(post("/v1/chat/completions", "{\"model\":\"nothing:polite\"," MESSAGES "}"), 404);
    LF_CHECK_INT(post("/v1/chat/completions",
                      "{\"model\":\"words\",\"lora\":[{\"id\":\"rude\"}]," MESSAGES "}"),
                 400);
    LF_CHECK(has("lora[0]: there is no adapter 'rude'"));
    static const char *const bad[] = { "3",
                                       "[3]",
                                       "[{}]",
                                       "[{\"id\":3}]",
                                       "[{\"id\":\"short\",\"scale\":\"x\"}]",
                                       "[{\"id\":\"short\",\"other\":1}]" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char body[256];
        (void)snprintf(body, sizeof body, "{\"model\":\"words\",\"lora\":%s," MESSAGES "}", bad[i]);
        LF_CHECK_INT(post("/v1/chat/completions", body), 400);
        LF_CHECK(has("\"param\":\"lora\""));
    }
    stop();
    LF_CHECK_INT(lf_doubles.n_refs, 0);
#undef MESSAGES
}

static void the_page(void)
{
    start();
    LF_CHECK_INT(ask_for("GET", "/"), 200);
    LF_CHECK(has("Content-Security-Policy: default-src 'none'; script-src 'sha256-") &&
             has("frame-ancestors 'none'") && has("<!doctype html>") && has("<script>"));
    LF_CHECK(!has("https://")); /* nothing from elsewhere */
    LF_CHECK_INT(ask_for("GET", "/api/health"), 200);
    LF_CHECK(has("\"status\":\"ok\""));
    LF_CHECK(has("\"engine\":{\"running\":2,\"waiting\":3,\"sequences\":2,\"kv_bytes\":4096}"));
    LF_CHECK(has("\"memory_blocks\":"));
    LF_CHECK_INT(ask_for("GET", "/api/version"), 200);
    LF_CHECK(has("\"version\":\"1.2.3\""));
    stop();
}

static void runs(void)
{
    start();
    LF_CHECK_INT(ask_for("GET", "/api/runs"), 200);
    LF_CHECK(has("\"runs\":[{\"run\":\"abcd\",\"n_max\":50}]"));
    LF_CHECK_INT(ask_for("GET", "/api/runs?n=7"), 200);
    LF_CHECK(has("\"n_max\":7"));
    LF_CHECK_INT(ask_for("GET", "/api/runs?n=0"), 400);
    LF_CHECK(has("\"param\":\"n\""));
    LF_CHECK_INT(ask_for("GET", "/api/runs/abcd"), 200);
    LF_CHECK_INT(ask_for("GET", "/api/runs/ffff"), 404);
    LF_CHECK_INT(post("/api/runs/abcd/replay", "{}"), 200);
    LF_CHECK(has("\"verdict\":\"same\""));
    LF_CHECK_INT(ask_for("POST", "/api/runs/abcd/replay"), 200); /* a body is not needed */
    LF_CHECK_INT(post("/api/runs/ffff/replay", "{}"), 404);
    LF_CHECK_INT(ask_for("GET", "/api/runs/abcd/replay"), 405);
    stop();
}

/* The decoders, at every truncation and with every allocation failing. */
static void decoders(void)
{
    static const char chat[] =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\","
        "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]}],\"stop\":[\"x\"],\"seed\":-3,"
        "\"logit_bias\":{\"5\":-100},\"top_k\":4}";
    static const char question[] =
        "{\"question\":\"q\",\"history\":[{\"role\":\"user\",\"content\":"
        "\"c\"}],\"doc_ids\":[\"a\",\"b\"]}";
    lf_chat_req c;
    lf_ask_body a;
    char param[64];
    for (size_t n = 0; n < sizeof chat - 1; n++)
        LF_CHECK_INT(lf_chat_req_decode((lf_str){ chat, n }, &c, param, NULL), LF_ERR_ARG);
    for (size_t n = 0; n < sizeof question - 1; n++)
        LF_CHECK_INT(lf_ask_body_decode((lf_str){ question, n }, false, &a, param, NULL),
                     LF_ERR_ARG);
    LF_NEED(lf_chat_req_decode(lf_str_of(chat), &c, param, err));
    LF_CHECK_STR(json_string_value(json_object_get(json_array_get(c.messages, 0), "content")),
                 "ab");
    LF_CHECK_STR(json_string_value(json_object_get(json_array_get(c.messages, 0), "role")),
                 "system");
    LF_CHECK(c.gen.sampling.n_bias == 1 && c.gen.bias[0].id == 5 && c.gen.n_stop == 1);
    LF_CHECK_NEAR(c.gen.sampling.temperature, 1, 0, 0);
    lf_chat_req_release(&c);
    LF_CHECK_INT(lf_mem_live(), 0);
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st == LF_ERR_NOMEM && n < 100; n++) {
        lf_mem_fail_after(n);
        st = lf_ask_body_decode(lf_str_of(question), false, &a, param, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || lf_mem_live() == 0);
    }
    LF_CHECK(st == LF_OK && a.n_turns == 1 && a.n_doc_ids == 2);
    lf_ask_body_release(&a);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "decode/truncations_and_failed_allocations", decoders },
        { "openai/chat_whole", chat_whole },
        { "openai/chat_streams_token_by_token", chat_streamed },
        { "openai/chat_stops_with_its_client", chat_stops_with_its_client },
        { "openai/chat_refuses_by_name", chat_refuses },
        { "openai/chat_calls_functions", chat_calls_functions },
        { "openai/chat_streams_calls", chat_streams_calls },
        { "decode/results_follow_their_calls", results_follow_their_calls },
        { "decode/tools_are_checked", tools_are_checked },
        { "openai/embeddings_and_models", embeddings },
        { "openai/completions", completions },
        { "openai/prompts_are_scored_once", prompts_are_scored_once },
        { "openai/tokens_and_back", tokens },
        { "openai/rerank", ranks },
        { "openai/users_are_told_apart", users_are_told_apart },
        { "openai/errors_have_one_shape", errors_have_one_shape },
        { "native/names_reach_no_files", names_reach_no_files },
        { "native/models_come_and_go", models_come_and_go },
        { "anthropic/messages", messages_whole },
        { "anthropic/messages_streamed", messages_streamed },
        { "anthropic/messages_call_functions", messages_call_functions },
        { "anthropic/messages_take_results", messages_take_results },
        { "native/documents_and_collections", documents },
        { "native/uploads_become_jobs", uploads },
        { "native/job_events", job_events },
        { "native/ask_and_search", asking },
        { "native/ask_streams_by_sentence", asking_streamed },
        { "openai/adapters_by_request", adapters_by_request },
        { "native/page_health_version", the_page },
        { "native/runs_and_replays", runs },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

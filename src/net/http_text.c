/* net/http_text.c - decoding and judging what a request line and headers say. */
#include "net/http_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

enum { TARGET_MAX_BYTES = 8192, QUERY_MAX = 64 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Jansson refuses a string that is not UTF-8. */
static bool is_utf8(const char *p, size_t n)
{
    json_t *v = json_stringn(p, n);
    json_decref(v);
    return v != NULL;
}

/* Decode raw[0..n) into the arena; `plus` turns '+' into a blank. */
static lf_status decode(lf_arena *a, const char *raw, size_t n, bool plus, const char **out,
                        lf_err *err)
{
    char *p = lf_arena_alloc(a, n + 1);
    size_t k = 0;
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the request's address");
    for (size_t i = 0; i < n; i++) {
        char c = raw[i];
        if (c == '%') {
            const int hi = n - i > 2 ? hex(raw[i + 1]) : -1;
            const int lo = n - i > 2 ? hex(raw[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return lf_fail(err, LF_ERR_ARG,
                               "the address has '%%' without two hexadecimal digits after it");
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0')
            return lf_fail(err, LF_ERR_ARG, "the address has a NUL byte");
        p[k++] = c;
    }
    if (!is_utf8(p, k))
        return lf_fail(err, LF_ERR_ARG, "the address is not UTF-8");
    *out = p;
    return LF_OK;
}

static bool has_dot_dot(const char *path)
{
    for (const char *p = path; (p = strstr(p, "/..")) != NULL; p += 3)
        if (p[3] == '\0' || p[3] == '/')
            return true;
    return false;
}

static lf_status parse_query(lf_arena *a, const char *raw, lf_http_target *t, lf_err *err)
{
    lf_status st = LF_OK;
    t->query = lf_arena_alloc(a, QUERY_MAX * sizeof *t->query);
    if (!t->query)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the request's parameters");
    while (*raw && st == LF_OK) {
        const size_t n = strcspn(raw, "&"), k = strcspn(raw, "=&");
        if (n > 0 && t->n_query == QUERY_MAX)
            return lf_fail(err, LF_ERR_LIMIT, "the address has more than %d parameters", QUERY_MAX);
        if (n > 0) {
            lf_http_pair *q = &t->query[t->n_query];
            st = decode(a, raw, k, true, &q->name, err);
            if (st == LF_OK)
                st = decode(a, raw + k + (k < n), n - k - (k < n), true, &q->value, err);
            t->n_query += st == LF_OK;
        }
        raw += n + (raw[n] == '&');
    }
    return st;
}

lf_status lf_http_target_parse(lf_arena *a, const char *raw, lf_http_target *out, lf_err *err)
{
    lf_http_target t = { 0 };
    const size_t n = strlen(raw), n_path = strcspn(raw, "?#");
    if (n > TARGET_MAX_BYTES)
        return lf_fail(err, LF_ERR_LIMIT, "the address has %zu bytes, allowed are %d", n,
                       TARGET_MAX_BYTES);
    if (raw[0] != '/')
        return lf_fail(err, LF_ERR_ARG, "the address must begin with '/'");
    lf_status st = decode(a, raw, n_path, false, &t.path, err);
    if (st == LF_OK && has_dot_dot(t.path))
        st = lf_fail(err, LF_ERR_ARG, "the address has a '..' segment");
    if (st == LF_OK && raw[n_path] == '?')
        st = parse_query(a, raw + n_path + 1, &t, err);
    if (st == LF_OK)
        *out = t;
    return st;
}

bool lf_http_host_is_local(const char *host)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; host && i < sizeof names / sizeof names[0]; i++) {
        const size_t n = strlen(names[i]);
        if (strncasecmp(host, names[i], n) != 0)
            continue;
        if (host[n] == '\0' || (host[n] == ':' && strspn(host + n + 1, "0123456789") > 0 &&
                                host[n + 1 + strspn(host + n + 1, "0123456789")] == '\0'))
            return true;
    }
    return false;
}

bool lf_http_addr_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool lf_http_is_same_origin(const char *host, const char *origin, const char *sec_fetch_site)
{
    if (sec_fetch_site && strcmp(sec_fetch_site, "same-origin") != 0 &&
        strcmp(sec_fetch_site, "none") != 0)
        return false;
    if (!origin)
        return true; /* not a browser, or a request that browsers send without one */
    if (!host || strncasecmp(origin, "http://", 7) != 0)
        return false;
    return strcasecmp(origin + 7, host) == 0;
}

bool lf_http_has_type(const char *list, const char *type)
{
    while (list && *list) {
        const char *p = list + strspn(list, " \t,");
        const size_t n = strcspn(p, ",; \t");
        if (n == strlen(type) && strncasecmp(p, type, n) == 0)
            return true;
        list = p + strcspn(p, ",");
    }
    return false;
}

const char *lf_http_type_of_file(const char *name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        { ".pdf", "application/pdf" },
        { ".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
        { ".txt", "text/plain; charset=utf-8" },
        { ".md", "text/plain; charset=utf-8" },
        { ".markdown", "text/plain; charset=utf-8" },
        { ".png", "image/png" },
    };
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const size_t k = strlen(types[i].ending);
        if (n >= k && strcasecmp(name + n - k, types[i].ending) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* base/err.c - error text and the table of codes. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A message cut by the buffer must not end inside a UTF-8 sequence: it goes
 * into JSON.  Invalid bytes that came in by a file name become '?'. */
static void make_valid_utf8(char *s)
{
    unsigned char *p = (unsigned char *)s;
    while (*p) {
        const int n = *p < 0x80         ? 1
                      : (*p >> 5) == 6  ? 2
                      : (*p >> 4) == 14 ? 3
                      : (*p >> 3) == 30 ? 4
                                        : 0;
        int ok = n;
        for (int i = 1; i < n; i++)
            if ((p[i] & 0xC0) != 0x80) {
                ok = 0;
                break;
            }
        if (n == 2 && *p < 0xC2)
            ok = 0;
        if (n == 3 && ok && ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F)))
            ok = 0;
        if (n == 4 && ok &&
            (*p > 0xF4 || (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F)))
            ok = 0;
        if (!ok)
            *p = '?';
        if (ok && *p < 0x20)
            *p = ' ';
        p += ok ? n : 1;
    }
}

lf_status lf_fail_at(lf_err *err, lf_status code, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    err->file = file;
    err->line = line;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    make_valid_utf8(err->msg);
    return code;
}

lf_status lf_err_context(lf_err *err, lf_status code, const char *fmt, ...)
{
    char head[sizeof err->msg], tail[sizeof err->msg];
    va_list ap;

    if (!err)
        return code;
    va_start(ap, fmt);
    (void)vsnprintf(head, sizeof head, fmt, ap);
    va_end(ap);
    memcpy(tail, err->msg, sizeof tail);
    const size_t room = sizeof err->msg - 3;
    const size_t n_head = strlen(head) < room ? strlen(head) : room;
    memcpy(err->msg, head, n_head);
    memcpy(err->msg + n_head, ": ", 2);
    const size_t left = sizeof err->msg - n_head - 3;
    const size_t n_tail = strlen(tail) < left ? strlen(tail) : left;
    memcpy(err->msg + n_head + 2, tail, n_tail);
    err->msg[n_head + 2 + n_tail] = '\0';
    make_valid_utf8(err->msg);
    return code;
}

const char *lf_status_name(lf_status code)
{
    switch (code) {
#define X(name, value, http, exit, text)                                                           \
    case LF_##name:                                                                                \
        return text;
        LF_STATUS_MAP(X)
#undef X
    }
    return "unknown";
}

int lf_status_http(lf_status code)
{
    switch (code) {
#define X(name, value, http, exit, text)                                                           \
    case LF_##name:                                                                                \
        return http;
        LF_STATUS_MAP(X)
#undef X
    }
    return 500;
}

int lf_status_exit(lf_status code)
{
    switch (code) {
#define X(name, value, http, exit, text)                                                           \
    case LF_##name:                                                                                \
        return exit;
        LF_STATUS_MAP(X)
#undef X
    }
    return 1;
}

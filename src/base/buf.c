/* base/buf.c - growable byte buffer. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

lf_str lf_str_of(const char *cstr)
{
    return (lf_str){ .p = cstr, .len = cstr ? strlen(cstr) : 0 };
}

bool lf_str_eq(lf_str a, lf_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool lf_str_is(lf_str a, const char *cstr)
{
    return lf_str_eq(a, lf_str_of(cstr));
}

bool lf_str_starts(lf_str a, const char *prefix)
{
    const size_t n = strlen(prefix);
    return a.len >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

bool lf_str_ends(lf_str a, const char *suffix)
{
    const size_t n = strlen(suffix);
    return a.len >= n && (n == 0 || memcmp(a.p + a.len - n, suffix, n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

lf_str lf_str_trim(lf_str a)
{
    while (a.len && is_space(a.p[0])) {
        a.p++;
        a.len--;
    }
    while (a.len && is_space(a.p[a.len - 1]))
        a.len--;
    return a;
}

bool lf_buf_reserve(lf_buf *b, size_t more_bytes)
{
    size_t need;
    if (b->failed)
        return false;
    if (!lf_add_size(b->len, more_bytes, &need) || !lf_add_size(need, 1, &need))
        goto fail;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < need)
        if (!lf_mul_size(cap, 2, &cap))
            goto fail;
    char *p = lf_realloc(b->data, cap);
    if (!p)
        goto fail;
    b->data = p;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
fail:
    b->failed = true;
    return false;
}

void lf_buf_add(lf_buf *b, const void *p, size_t n_bytes)
{
    if (!lf_buf_reserve(b, n_bytes))
        return;
    if (n_bytes)
        memcpy(b->data + b->len, p, n_bytes);
    b->len += n_bytes;
    b->data[b->len] = '\0';
}

void lf_buf_add_str(lf_buf *b, const char *cstr)
{
    lf_buf_add(b, cstr, strlen(cstr));
}

void lf_buf_add_char(lf_buf *b, char c)
{
    lf_buf_add(b, &c, 1);
}

void lf_buf_addf(lf_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = true;
    else if (lf_buf_reserve(b, (size_t)n)) {
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

const char *lf_buf_cstr(const lf_buf *b)
{
    return b->data ? b->data : "";
}

char *lf_buf_take(lf_buf *b)
{
    char *p = NULL;
    if (lf_buf_reserve(b, 0)) {
        p = b->data;
        b->data = NULL;
    }
    lf_buf_release(b);
    return p;
}

void lf_buf_clear(lf_buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

void lf_buf_release(lf_buf *b)
{
    lf_free(b->data);
    *b = (lf_buf){ 0 };
}

/* infer/stream.c - stop strings and UTF-8 across token boundaries.
 *
 * `held` is what has come and not been shown.  After each piece
 *   1. the earliest stop string in `held` ends the text there;
 *   2. otherwise the longest tail of `held` that begins a stop string stays, and
 *      so does a tail that begins a UTF-8 character; the rest is shown. */
#include "infer/stream.h"

#include <string.h>

#include "text/utf8.h"

/* Bytes at the end of p[0..n) that are a proper prefix of `stop`. */
static size_t stop_tail(const char *p, size_t n, const char *stop)
{
    const size_t len = strlen(stop);
    for (size_t k = n < len ? n : len - 1; k > 0; k--)
        if (memcmp(p + n - k, stop, k) == 0)
            return k;
    return 0;
}

/* Bytes at the end that begin a UTF-8 character which is not complete yet. */
static size_t utf8_tail(const char *p, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        const unsigned char c = (unsigned char)p[n - k];
        if (c < 0x80)
            return 0;
        if (c >= 0xc0) {
            const size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            return c < 0xf8 && k < want ? k : 0;
        }
    }
    return 0;
}

static size_t find_stop(const lf_stream *s, size_t *which)
{
    size_t at = SIZE_MAX;
    for (size_t i = 0; i < s->n_stop; i++) {
        if (!s->stop[i][0])
            continue;
        const char *hit = memmem(s->held.data, s->held.len, s->stop[i], strlen(s->stop[i]));
        if (hit && (size_t)(hit - s->held.data) < at) {
            at = (size_t)(hit - s->held.data);
            *which = i;
        }
    }
    return at;
}

/* Show the first n bytes of `held`. */
static void show(lf_stream *s, size_t n, lf_buf *out)
{
    const char *p = s->held.data, *end = p + n;
    while (p < end) {
        const size_t k = lf_utf8_seq(p, end);
        if (k) {
            lf_buf_add(out, p, k);
            p += k;
        } else {
            lf_buf_add(out, "\xef\xbf\xbd", 3);
            p++;
        }
    }
    s->held.len -= n;
    if (s->held.data)
        memmove(s->held.data, s->held.data + n, s->held.len + 1);
}

bool lf_stream_add(lf_stream *s, const char *piece, size_t n, lf_buf *out)
{
    if (s->stopped)
        return false;
    lf_buf_add(&s->held, piece, n);
    if (s->held.failed || s->held.len == 0)
        return true;
    const size_t hit = find_stop(s, &s->met);
    if (hit != SIZE_MAX) {
        show(s, hit, out);
        s->stopped = s->met_stop = true;
        return false;
    }
    size_t keep = utf8_tail(s->held.data, s->held.len);
    for (size_t i = 0; i < s->n_stop; i++) {
        const size_t k = s->stop[i][0] ? stop_tail(s->held.data, s->held.len, s->stop[i]) : 0;
        keep = k > keep ? k : keep;
    }
    /* A tail that begins a stop string may itself begin inside a character. */
    if (keep < s->held.len)
        show(s, s->held.len - keep, out);
    return true;
}

void lf_stream_end(lf_stream *s, lf_buf *out)
{
    if (!s->stopped && s->held.len)
        show(s, s->held.len, out);
    s->stopped = true;
}

void lf_stream_release(lf_stream *s)
{
    lf_buf_release(&s->held);
    *s = (lf_stream){ 0 };
}

/* doc/decode.c - byte-order marks, UTF-8/16/32, and the rest by iconv.
 *
 * iconv is glibc's: its GB18030 table is complete (four-byte forms included) and
 * kept current by the distribution, which an own 60 KB table would not be. */
#include "doc/decode.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <strings.h>

#include "text/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD"

typedef struct charset {
    const char *iconv_name;
    const char *labels; /* separated by blanks, lower case */
} charset;

/* Row 0 is the one that plain text needs.  Labels after the WHATWG Encoding
 * Standard: gb2312 and gbk are read as GB18030, latin1 as windows-1252. */
static const charset charsets[LF_CHARSETS_MAX] = {
    { "GB18030", " gb18030 gb2312 gbk gb_2312-80 x-gbk chinese csgb2312 iso-ir-58 cp936 " },
    { "BIG5-HKSCS", " big5 big5-hkscs cn-big5 csbig5 x-x-big5 " },
    { "CP1252", " windows-1252 iso-8859-1 latin1 ascii us-ascii cp1252 l1 iso8859-1 x-cp1252 " },
    { "CP932", " shift_jis shift-jis sjis ms932 windows-31j x-sjis ms_kanji csshiftjis " },
    { "EUC-JP", " euc-jp cseucpkdfmtjapanese x-euc-jp " },
    { "UHC", " euc-kr ks_c_5601-1987 korean cseuckr ksc5601 windows-949 " },
    { "CP1251", " windows-1251 cp1251 x-cp1251 " },
    { "CP1250", " windows-1250 cp1250 x-cp1250 " },
    { "KOI8-R", " koi8-r koi8 koi cskoi8r " },
    { "ISO-8859-15", " iso-8859-15 latin9 l9 iso8859-15 " },
};

void lf_charsets_open(lf_charsets *c, bool all)
{
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < (all ? LF_CHARSETS_MAX : 1); i++) {
        const iconv_t cd = iconv_open("UTF-8", charsets[i].iconv_name);
        c->cd[i] = cd == (iconv_t)-1 ? NULL : (void *)cd;
    }
}

void lf_charsets_close(lf_charsets *c)
{
    for (size_t i = 0; i < LF_CHARSETS_MAX; i++)
        if (c->cd[i])
            (void)iconv_close((iconv_t)c->cd[i]);
    memset(c, 0, sizeof *c);
}

/* ---- UTF-8 with replacement ---- */

/* Length of the longest prefix of a well-formed sequence at p (at least 1), and
 * whether it is whole: table 3-7 of the Unicode Standard. */
static size_t utf8_subpart(const uint8_t *p, const uint8_t *end, bool *whole)
{
    const uint8_t a = p[0];
    size_t want = a < 0x80 ? 1 : a < 0xC2 ? 0 : a < 0xE0 ? 2 : a < 0xF0 ? 3 : a < 0xF5 ? 4 : 0;
    uint8_t lo = 0x80, hi = 0xBF;
    *whole = want == 1;
    if (want < 2)
        return 1;
    if (a == 0xE0)
        lo = 0xA0;
    else if (a == 0xED)
        hi = 0x9F;
    else if (a == 0xF0)
        lo = 0x90;
    else if (a == 0xF4)
        hi = 0x8F;
    size_t n = 1;
    for (; n < want && p + n < end && p[n] >= lo && p[n] <= hi; n++) {
        lo = 0x80;
        hi = 0xBF;
    }
    *whole = n == want;
    return n;
}

static void utf8_replacing(const uint8_t *p, size_t n, lf_buf *out)
{
    const uint8_t *end = p + n, *run = p;
    while (p < end) {
        bool whole;
        const size_t k = utf8_subpart(p, end, &whole);
        if (!whole) {
            lf_buf_add(out, run, (size_t)(p - run));
            lf_buf_add_str(out, REPLACEMENT);
            run = p + k;
        }
        p += k;
    }
    lf_buf_add(out, run, (size_t)(p - run));
}

/* ---- UTF-16 and UTF-32 ---- */

static uint32_t unit_at(const uint8_t *p, size_t size, bool big)
{
    uint32_t v = 0;
    for (size_t i = 0; i < size; i++)
        v = (v << 8) | p[big ? i : size - 1 - i];
    return v;
}

static void put_cp(uint32_t cp, lf_buf *out)
{
    char seq[4];
    lf_buf_add(out, seq, lf_utf8_put(cp, seq)); /* a lone surrogate becomes U+FFFD */
}

static void utf16(const uint8_t *p, size_t n, bool big, lf_buf *out)
{
    size_t i = 0;
    while (i + 2 <= n) {
        uint32_t u = unit_at(p + i, 2, big);
        i += 2;
        if (u >= 0xD800 && u < 0xDC00 && i + 2 <= n) {
            const uint32_t v = unit_at(p + i, 2, big);
            if (v >= 0xDC00 && v < 0xE000) {
                u = 0x10000 + ((u - 0xD800) << 10) + (v - 0xDC00);
                i += 2;
            }
        } else if (u >= 0xD800 && u < 0xDC00) {
            i = n; /* half a pair and perhaps a byte more: one bad sequence */
        }
        put_cp(u, out);
    }
    if (i < n)
        lf_buf_add_str(out, REPLACEMENT);
}

static void utf32(const uint8_t *p, size_t n, bool big, lf_buf *out)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        put_cp(unit_at(p + i, 4, big), out);
    if (i < n)
        lf_buf_add_str(out, REPLACEMENT);
}

static bool by_mark(const uint8_t *p, size_t n, lf_buf *out)
{
    if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        utf8_replacing(p + 3, n - 3, out);
    else if (n >= 4 && memcmp(p, "\xFF\xFE\0\0", 4) == 0)
        utf32(p + 4, n - 4, false, out);
    else if (n >= 4 && memcmp(p, "\0\0\xFE\xFF", 4) == 0)
        utf32(p + 4, n - 4, true, out);
    else if (n >= 2 && memcmp(p, "\xFF\xFE", 2) == 0)
        utf16(p + 2, n - 2, false, out);
    else if (n >= 2 && memcmp(p, "\xFE\xFF", 2) == 0)
        utf16(p + 2, n - 2, true, out);
    else
        return false;
    return true;
}

/* ---- iconv ---- */

/* Convert all of it; with `strict` false is returned at the first bad byte,
 * else each bad byte becomes U+FFFD. */
static bool by_iconv(iconv_t cd, const uint8_t *p, size_t n, bool strict, lf_buf *out)
{
    const size_t start = out->len;
    char *in = (char *)(uintptr_t)p;
    size_t left = n;
    (void)iconv(cd, NULL, NULL, NULL, NULL);
    while (left) {
        if (!lf_buf_reserve(out, left + left / 2 + 16))
            return true; /* out->failed tells */
        char *to = out->data + out->len;
        size_t room = out->cap - out->len - 1;
        const size_t before = room;
        const size_t got = iconv(cd, &in, &left, &to, &room);
        const int e = errno;
        out->len += before - room;
        out->data[out->len] = '\0';
        if (got != (size_t)-1 || e == E2BIG)
            continue;
        if (strict) {
            out->len = start;
            out->data[start] = '\0';
            return false;
        }
        lf_buf_add_str(out, REPLACEMENT);
        in++;
        left--;
    }
    return true;
}

static int find_label(const char *label)
{
    char key[48] = " ";
    size_t n = 1;
    for (; *label && n + 2 < sizeof key; label++) {
        const char ch = *label;
        if (ch != ' ' && ch != '"' && ch != '\'')
            key[n++] = (char)(ch >= 'A' && ch <= 'Z' ? ch + 32 : ch);
    }
    key[n++] = ' ';
    key[n] = '\0';
    for (int i = 0; n > 2 && i < LF_CHARSETS_MAX; i++)
        if (strstr(charsets[i].labels, key))
            return i;
    return -1;
}

/* CR LF to LF, in place, from byte `at` on. */
static void unix_lines(lf_buf *b, size_t at)
{
    if (b->failed || b->len == at)
        return;
    char *to = memchr(b->data + at, '\r', b->len - at);
    if (!to)
        return;
    const char *end = b->data + b->len;
    for (const char *from = to; from < end; from++)
        if (!(*from == '\r' && from + 1 < end && from[1] == '\n'))
            *to++ = *from;
    *to = '\0';
    b->len = (size_t)(to - b->data);
}

lf_status lf_decode(const uint8_t *p, size_t n, const lf_charsets *c, const char *label,
                    lf_buf *out, lf_err *err)
{
    const size_t at = out->len;
    const int named = label ? find_label(label) : -1;
    if (by_mark(p, n, out)) {
        /* done */
    } else if (named >= 0 && c->cd[named]) {
        (void)by_iconv((iconv_t)c->cd[named], p, n, false, out);
    } else if (lf_utf8_valid((const char *)p, n)) {
        lf_buf_add(out, p, n);
    } else if (!c->cd[0]) {
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "the text is not UTF-8, and this system's C library "
                       "has no GB18030 table to try");
    } else if (!by_iconv((iconv_t)c->cd[0], p, n, true, out)) {
        utf8_replacing(p, n, out);
    }
    unix_lines(out, at);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory to decode %zu bytes of text", n)
                       : LF_OK;
}

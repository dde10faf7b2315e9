/* doc/lines.c - the looks of one line, for Chinese and European text. */
#include "doc/lines.h"

#include <string.h>
#include <strings.h>

#include "text/utf8.h"

enum { SHORT_COLUMNS = 64, SHORT_WORDS = 12 };

/* Punctuation and symbols as far as headings need them: ASCII, Latin-1, general
 * punctuation, CJK symbols, full-width forms. */
bool lf_line_is_punct(uint32_t cp)
{
    if (cp < 0x80)
        return !((cp >= '0' && cp <= '9') || (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z'));
    return (cp >= 0xA0 && cp <= 0xBF) || cp == 0xD7 || (cp >= 0x2000 && cp <= 0x206F) ||
           (cp >= 0x2190 && cp <= 0x2BFF) || (cp >= 0x3000 && cp <= 0x303F && cp != 0x3007) ||
           (cp >= 0xFE10 && cp <= 0xFE6F) || (cp >= 0xFF01 && cp <= 0xFF0F) ||
           (cp >= 0xFF1A && cp <= 0xFF20) || (cp >= 0xFF3B && cp <= 0xFF40) ||
           (cp >= 0xFF5B && cp <= 0xFF65);
}

static bool is_wide(uint32_t cp)
{
    return lf_cp_is_han(cp) || (cp >= 0x1100 && cp <= 0x115F) || (cp >= 0x2E80 && cp <= 0xA4CF) ||
           (cp >= 0xAC00 && cp <= 0xD7A3) || (cp >= 0xF900 && cp <= 0xFAFF) ||
           (cp >= 0xFE30 && cp <= 0xFE6F) || (cp >= 0xFF00 && cp <= 0xFF60);
}

static bool is_digit(uint32_t cp)
{
    return (cp >= '0' && cp <= '9') || (cp >= 0xFF10 && cp <= 0xFF19);
}

static uint32_t last_cp(lf_str s)
{
    size_t k = s.len;
    while (k > 0 && ((unsigned char)s.p[--k] & 0xC0) == 0x80) {
    }
    const char *p = s.p + k;
    return s.len ? lf_utf8_next(&p, s.p + s.len) : 0;
}

lf_str lf_line_trim(lf_str s)
{
    while (s.len) {
        const char *p = s.p;
        const uint32_t cp = lf_utf8_next(&p, s.p + s.len);
        if (!lf_cp_is_space(cp) && cp != 0xFEFF && cp != 0)
            break;
        s.len -= (size_t)(p - s.p);
        s.p = p;
    }
    while (s.len) {
        const uint32_t cp = last_cp(s);
        if (!lf_cp_is_space(cp) && cp != 0)
            break;
        char seq[4];
        s.len -= lf_utf8_put(cp, seq);
    }
    return s;
}

size_t lf_line_width(lf_str s)
{
    size_t w = 0;
    for (const char *p = s.p, *end = s.p + s.len; p < end;)
        w += is_wide(lf_utf8_next(&p, end)) ? 2 : 1;
    return w;
}

size_t lf_line_bullet(lf_str s)
{
    static const char *const marks[] = { "- ",
                                         "* ",
                                         "+ ",
                                         "\xE2\x80\xA2",
                                         "\xE2\x97\x8F",
                                         "\xE2\x96\xA0",
                                         "\xE2\x97\x86",
                                         "\xE2\x96\xB6",
                                         "\xE2\x80\xA3",
                                         "\xE2\x97\x8B",
                                         "\xE2\x9C\x93",
                                         "\xEF\x82\xB7",
                                         "\xE2\x80\x93 ",
                                         "\xE2\x96\xAA",
                                         "\xEF\x81\xAC",
                                         "\xEF\x83\x98",
                                         "\xC2\xB7 " };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (lf_str_starts(s, marks[i]) && s.len > strlen(marks[i]))
            return strlen(marks[i]);
    return 0;
}

/* ---- numbering ---- */

static const char han_digits[] = "一二三四五六七八九十百零〇两";

static size_t han_number(const char *p, const char *end)
{
    const char *s = p;
    while (s + 3 <= end) {
        const char key[4] = { s[0], s[1], s[2], '\0' };
        const char *hit = strstr(han_digits, key);
        if (!hit || (hit - han_digits) % 3 != 0)
            break;
        s += 3;
    }
    return (size_t)(s - p);
}

static size_t digits(const char *p, const char *end)
{
    const char *s = p;
    while (s < end) {
        const char *next = s;
        if (!is_digit(lf_utf8_next(&next, end)))
            break;
        s = next;
    }
    return (size_t)(s - p);
}

static size_t any_of(const char *p, const char *end, const char *const *words)
{
    for (; *words; words++) {
        const size_t n = strlen(*words);
        if ((size_t)(end - p) >= n && memcmp(p, *words, n) == 0)
            return n;
    }
    return 0;
}

/* 第N章 and its like. */
static bool ordinal(lf_str s, lf_numbering *out)
{
    static const char *const chapters[] = { "章", "篇", "编", "部分", "部", NULL };
    static const char *const sections[] = { "节", NULL };
    const char *p = s.p, *end = s.p + s.len;
    if (!lf_str_starts(s, "第"))
        return false;
    p += 3;
    while (p < end && *p == ' ')
        p++;
    size_t n = han_number(p, end);
    n = n ? n : digits(p, end);
    p += n;
    while (p < end && *p == ' ')
        p++;
    const size_t c = n ? any_of(p, end, chapters) : 0, t = n ? any_of(p, end, sections) : 0;
    if (!c && !t)
        return false;
    *out = (lf_numbering){ .kind = c ? LF_NUM_CHAPTER : LF_NUM_SECTION,
                           .depth = 1,
                           .n_bytes = (size_t)(p - s.p) + c + t };
    return true;
}

static bool english_ordinal(lf_str s, lf_numbering *out)
{
    static const struct {
        const char *word;
        lf_num_kind kind;
    } words[] = { { "Chapter ", LF_NUM_CHAPTER },
                  { "Part ", LF_NUM_CHAPTER },
                  { "Appendix ", LF_NUM_CHAPTER },
                  { "Section ", LF_NUM_SECTION } };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t n = strlen(words[i].word);
        if (s.len <= n || strncasecmp(s.p, words[i].word, n) != 0)
            continue;
        size_t k = n;
        while (k < s.len && strchr("0123456789IVXLCABDEF", s.p[k]) != NULL)
            k++;
        if (k == n || (k < s.len && strchr(" .:-", s.p[k]) == NULL))
            return false;
        *out = (lf_numbering){ .kind = words[i].kind, .depth = 1, .n_bytes = k };
        return true;
    }
    return false;
}

/* （一） (1) （1） ① and 一、 */
static bool bracketed(lf_str s, lf_numbering *out)
{
    static const char *const open[] = { "（", "(", NULL };
    static const char *const close[] = { "）", ")", NULL };
    static const char *const after[] = { "、", "．", "，", NULL };
    const char *end = s.p + s.len;
    const size_t o = any_of(s.p, end, open);
    const char *p = s.p + o;
    const size_t han = han_number(p, end), num = digits(p, end), n = han ? han : num;
    if (n == 0 || n > 9)
        return false;
    const size_t c = any_of(p + n, end, o ? close : after);
    if (c == 0 || (!o && !han))
        return false;
    *out = (lf_numbering){ .kind = !han ? LF_NUM_NUMBER
                                   : o  ? LF_NUM_HAN_2
                                        : LF_NUM_HAN_1,
                           .depth = 1,
                           .n_bytes = o + n + c };
    return true;
}

/* 1. 1、 1) 1.2 1.2.3 A. — a bare number needs a mark or depth behind it, so that
 * "2023 was a good year" and "3.5 million" are no headings. */
static bool dotted(lf_str s, lf_numbering *out)
{
    static const char *const marks[] = { ". ", ".", "、", "．", ") ", ")", "）", NULL };
    const char *p = s.p, *end = s.p + s.len;
    int depth = 0;
    for (;;) {
        const size_t n = digits(p, end);
        if (n == 0 || n > 3)
            return false;
        depth++;
        p += n;
        if (end - p >= 2 && *p == '.' && digits(p + 1, end) > 0) {
            p++;
            continue;
        }
        break;
    }
    const size_t m = any_of(p, end, marks);
    const char *rest = p + m;
    if (rest >= end)
        return false;
    const char *peek = rest;
    const uint32_t first = lf_utf8_next(&peek, end);
    if (depth == 1 ? m == 0 || is_digit(first)
                   : m == 0 && first != ' ' && first != '\t' && !is_wide(first))
        return false;
    if (depth == 2 && m == 0 && first != '\t' && lf_cp_is_han(first))
        return false; /* 3.5亿元: an amount */
    *out = (lf_numbering){ .kind = depth > 1 ? LF_NUM_DOTTED : LF_NUM_NUMBER,
                           .depth = depth,
                           .n_bytes = (size_t)(rest - s.p) };
    return true;
}

bool lf_line_numbering(lf_str s, lf_numbering *out)
{
    const char *p = s.p;
    const uint32_t first = s.len ? lf_utf8_next(&p, s.p + s.len) : 0;
    if (first >= 0x2460 && first <= 0x2473) { /* circled digits */
        *out = (lf_numbering){ .kind = LF_NUM_NUMBER, .depth = 1, .n_bytes = 3 };
        return true;
    }
    return ordinal(s, out) || english_ordinal(s, out) || bracketed(s, out) || dotted(s, out);
}

/* ---- captions, contents, headings ---- */

bool lf_line_is_caption(lf_str s)
{
    static const char *const words[] = { "图",     "表",    "圖",  "Figure", "Fig.", "Table",
                                         "FIGURE", "TABLE", "(图", "（图",   NULL };
    const char *end = s.p + s.len;
    const size_t n = any_of(s.p, end, words);
    const char *p = s.p + n;
    while (p < end && *p == ' ')
        p++;
    return n > 0 && digits(p, end) > 0;
}

bool lf_line_toc(lf_str s, lf_str *title)
{
    size_t k = s.len;
    while (k > 0 && s.p[k - 1] >= '0' && s.p[k - 1] <= '9')
        k--;
    const size_t n_digits = s.len - k;
    if (n_digits == 0 || n_digits > 4 || k < 2)
        return false;
    size_t end = k, dots = 0, tabs = 0;
    while (end > 0) {
        const lf_str before = { s.p, end };
        if (s.p[end - 1] == '\t')
            tabs++, end--;
        else if (s.p[end - 1] == ' ')
            end--;
        else if (s.p[end - 1] == '.')
            dots++, end--;
        else if (lf_str_ends(before, "…"))
            dots += 3, end -= 3;
        else if (lf_str_ends(before, "·"))
            dots++, end -= 2;
        else
            break;
    }
    if (end == 0 || (dots < 4 && !(tabs > 0 && end + tabs + n_digits + 2 >= s.len)))
        return false;
    if (memchr(s.p, '\t', end))
        return false; /* more columns: a table row */
    if (title)
        *title = lf_line_trim((lf_str){ s.p, end });
    return true;
}

static bool ends_with_any(lf_str s, const char *const *marks)
{
    for (; *marks; marks++)
        if (lf_str_ends(s, *marks))
            return true;
    return false;
}

bool lf_line_ends_sentence(lf_str s)
{
    static const char *const marks[] = { "。", "！", "？", "；",  "，", "、", "…",  "．", ".", "!",
                                         "?",  ";",  ",",  "”。", "—",  "-",  "\"", "|",  NULL };
    return ends_with_any(s, marks);
}

bool lf_line_ends_with_colon(lf_str s)
{
    static const char *const marks[] = { "：", ":", NULL };
    return ends_with_any(s, marks);
}

bool lf_line_is_short(lf_str s)
{
    size_t width = 0, words = 1, letters = 0, colons = 0;
    if (s.len > 400 || lf_line_ends_sentence(s))
        return false;
    for (const char *p = s.p, *end = s.p + s.len; p < end;) {
        const uint32_t cp = lf_utf8_next(&p, end);
        width += is_wide(cp) ? 2 : 1;
        words += cp == ' ';
        letters += !lf_line_is_punct(cp) && !lf_cp_is_space(cp) && !is_digit(cp);
        colons += (cp == ':' || cp == 0xFF1A) && p < end;
        if (cp == '\t' || cp == '\n' || cp == '|' || cp == 0 || cp == 0x3002)
            return false;
    }
    return letters >= 2 && colons == 0 && width <= SHORT_COLUMNS && words <= SHORT_WORDS;
}

bool lf_line_is_question(lf_str s)
{
    const size_t mark = lf_str_ends(s, "?") ? 1 : lf_str_ends(s, "？") ? 3 : 0;
    s.len -= mark;
    return mark && lf_line_is_short(s);
}

char lf_line_underline(lf_str s)
{
    s = lf_line_trim(s);
    if (s.len < 3 || (s.p[0] != '=' && s.p[0] != '-'))
        return 0;
    for (size_t i = 1; i < s.len; i++)
        if (s.p[i] != s.p[0])
            return 0;
    return s.p[0];
}

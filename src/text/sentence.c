/* text/sentence.c - one pass over the code points, with two of look-ahead. */
#include "text/sentence.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/utf8.h"

/* Full stops after these do not end a sentence (compared in lower case). */
static const char *const abbreviations[] = {
    "mr",  "mrs", "ms",  "dr",  "prof", "st",  "sr",   "jr",  "vs",  "etc", "e.g",    "i.e",  "fig",
    "no",  "vol", "pp",  "ed",  "eds",  "al",  "cf",   "inc", "ltd", "co",  "corp",   "jan",  "feb",
    "mar", "apr", "jun", "jul", "aug",  "sep", "sept", "oct", "nov", "dec", "approx", "dept", "est",
};

static bool is_cjk_end(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF1B || c == 0xFF61 || c == 0x2026;
}

static bool is_western_end(uint32_t c)
{
    return c == '.' || c == '!' || c == '?';
}

static bool is_closer(uint32_t c)
{
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x201D || c == 0x2019 ||
           c == 0xFF09 || c == 0x300D || c == 0x300F || c == 0x300B || c == 0x3011;
}

static bool is_ascii_letter(uint32_t c)
{
    return (c | 32) >= 'a' && (c | 32) <= 'z' && c < 0x80;
}

/* The word that ends just before byte `at` (letters and inner full stops). */
static lf_str word_before(const char *p, size_t at)
{
    size_t s = at;
    while (s > 0 && (is_ascii_letter((unsigned char)p[s - 1]) || p[s - 1] == '.'))
        s--;
    return (lf_str){ p + s, at - s };
}

static bool is_abbreviation(const char *p, size_t at)
{
    const lf_str w = word_before(p, at);
    if (w.len == 1 && w.p[0] >= 'A' && w.p[0] <= 'Z')
        return true; /* an initial: "J. Smith" */
    for (size_t i = 0; i < sizeof abbreviations / sizeof abbreviations[0]; i++)
        if (strlen(abbreviations[i]) == w.len && !strncasecmp(w.p, abbreviations[i], w.len))
            return true;
    return false;
}

/* A full stop that ends a list label ("1." or "a)") at the start of a sentence. */
static bool is_label(const char *p, size_t start, size_t at)
{
    if (at <= start || at - start > 3)
        return false;
    for (size_t i = start; i < at; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

static lf_status push(lf_spans *out, uint32_t start, uint32_t end, lf_err *err)
{
    if (out->n == out->cap) {
        const size_t cap = out->cap ? out->cap * 2 : 16;
        lf_span *grown = lf_realloc(out->v, cap * sizeof *grown);
        if (!grown)
            return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu sentences", cap);
        out->v = grown;
        out->cap = cap;
    }
    out->v[out->n++] = (lf_span){ start, end };
    return LF_OK;
}

typedef struct scan {
    const char *base, *p, *end; /* text, next byte, end */
    uint32_t at;                /* code points before p */
} scan;

static uint32_t peek(const scan *s)
{
    const char *q = s->p;
    return q < s->end ? lf_utf8_next(&q, s->end) : 0;
}

static uint32_t take(scan *s)
{
    s->at++;
    return lf_utf8_next(&s->p, s->end);
}

bool lf_sentence_is_row(const char *p, size_t n_bytes)
{
    const char *stop = n_bytes ? memchr(p, '\n', n_bytes) : NULL;
    const size_t n = stop ? (size_t)(stop - p) : n_bytes;
    return n > 0 && (*p == '|' || memchr(p, '\t', n) != NULL);
}

/* At a line break: is one of the two lines that meet here a row? */
static bool meets_row(const scan *s)
{
    const char *line = s->p - 1;
    while (line > s->base && line[-1] != '\n')
        line--;
    return lf_sentence_is_row(line, (size_t)(s->p - 1 - line)) ||
           lf_sentence_is_row(s->p, (size_t)(s->end - s->p));
}

/* After c was taken: does the sentence that began at byte `start` end here? */
static bool ends_here(const scan *s, uint32_t c, size_t start)
{
    const uint32_t next = peek(s);
    const size_t at = (size_t)(s->p - s->base) - 1; /* byte of c when it is ASCII */
    if (s->p >= s->end)
        return true;
    if (is_cjk_end(c))
        return !is_cjk_end(next);
    if (c == '!' || c == '?')
        return !is_western_end(next) &&
               (lf_cp_is_space(next) || is_closer(next) || lf_cp_is_han(next));
    if (c == '.')
        return (lf_cp_is_space(next) || is_closer(next)) && !is_abbreviation(s->base, at) &&
               !is_label(s->base, start, at);
    if (c == '\n') {
        const char *q = s->p;
        while (q < s->end && (*q == ' ' || *q == '\t'))
            q++;
        return (q < s->end && *q == '\n') || meets_row(s);
    }
    return false;
}

void lf_spans_release(lf_spans *s)
{
    lf_free(s->v);
    *s = (lf_spans){ 0 };
}

lf_status lf_sentences(const char *p, size_t n_bytes, uint32_t first, lf_spans *out, lf_err *err)
{
    scan s = { .base = p, .p = p, .end = p + n_bytes };
    const size_t kept = out->n;
    lf_status st = LF_OK;
    while (s.p < s.end && st == LF_OK) {
        while (s.p < s.end && lf_cp_is_space(peek(&s)))
            take(&s);
        if (s.p >= s.end)
            break;
        const uint32_t start = s.at;
        const size_t start_byte = (size_t)(s.p - s.base);
        uint32_t last = s.at; /* end of the last character that is not white space */
        for (bool over = false; s.p < s.end && !over;) {
            const uint32_t c = take(&s);
            if (!lf_cp_is_space(c))
                last = s.at;
            over = ends_here(&s, c, start_byte);
            while (over && s.p < s.end && is_closer(peek(&s))) {
                take(&s);
                last = s.at;
            }
        }
        st = push(out, first + start, first + last, err);
    }
    if (st != LF_OK)
        out->n = kept;
    return st;
}

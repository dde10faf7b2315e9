/* model/chat_lex.c - template text to tokens.
 *
 * White space as transformers sets Jinja: trim_blocks (the newline after a block
 * or comment goes), lstrip_blocks (blanks before a block or comment that begins
 * its line go), a '-' at a tag's edge takes all white space on that side, a '+'
 * switches the rule off there; one newline at the very end of the source goes. */
#include <stdlib.h>
#include <string.h>

#include "model/chat_int.h"
#include "text/utf8.h"

typedef struct lexer {
    const char *p, *end;
    lf_arena *arena;
    token_list *out;
    uint32_t line;
    bool line_start; /* the last tag ended with a newline, or this is the start */
    lf_status st;
    lf_err *err;
} lexer;

static void fail(lexer *l, lf_status code, const char *what)
{
    if (l->st == LF_OK)
        l->st = lf_fail(l->err, code, "chat template, line %u: %s", l->line, what);
    l->p = l->end;
}

static token *add(lexer *l, token_kind kind, lf_str s)
{
    token_list *o = l->out;
    if (o->n == o->cap) {
        const size_t cap = o->cap ? o->cap * 2 : 256;
        token *v = lf_realloc(o->v, cap * sizeof(*v));
        if (!v) {
            if (l->st == LF_OK)
                l->st = lf_fail(l->err, LF_ERR_NOMEM, "no memory for a chat template");
            l->p = l->end;
            return NULL;
        }
        o->v = v;
        o->cap = cap;
    }
    token *t = &o->v[o->n++];
    *t = (token){ .kind = kind, .line = l->line, .s = s };
    return t;
}

static void count_lines(lexer *l, const char *from, const char *to)
{
    for (; from < to; from++)
        l->line += *from == '\n';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool at(const lexer *l, const char *what)
{
    const size_t n = strlen(what);
    return (size_t)(l->end - l->p) >= n && memcmp(l->p, what, n) == 0;
}

/* The text from `start` to `stop`, before a tag whose first character after the
 * braces is `sign`. */
static void add_text(lexer *l, const char *start, const char *stop, char sign, bool block)
{
    const char *end = stop;
    if (sign == '-') {
        end = start +
              chat_strip((lf_str){ start, (size_t)(stop - start) }, (lf_str){ 0 }, false, true).len;
    } else if (sign != '+' && block) {
        const char *q = stop;
        while (q > start && q[-1] != '\n')
            q--;
        const lf_str rest = { q, (size_t)(stop - q) };
        if ((q > start || l->line_start) && chat_strip(rest, (lf_str){ 0 }, true, false).len == 0)
            end = q;
    }
    if (end > start)
        (void)add(l, T_TEXT, (lf_str){ start, (size_t)(end - start) });
    count_lines(l, start, stop);
}

/* After a tag: `sign` stood before its closing braces. */
static void after_tag(lexer *l, char sign, bool block)
{
    const char *from = l->p;
    if (sign == '-') {
        const lf_str rest = { l->p, (size_t)(l->end - l->p) };
        l->p = chat_strip(rest, (lf_str){ 0 }, true, false).p;
    } else if (block && sign != '+' && l->p < l->end && *l->p == '\n') {
        l->p++;
    }
    l->line_start = l->p > from && l->p[-1] == '\n';
    count_lines(l, from, l->p);
}

static int hex(const char *p, const char *end, int n, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (p + i >= end)
            return 0;
        const char c = p[i];
        const int d = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
        if (d < 0)
            return 0;
        *out = *out * 16 + (uint32_t)d;
    }
    return n;
}

/* One escape after its backslash, as in Python; unknown ones stay as they are. */
static void unescape(const char **p, const char *end, lf_buf *b)
{
    const char c = *(*p)++;
    uint32_t cp = 0;
    char utf8[4];
    int n = 0;
    switch (c) {
    case 'n':
        lf_buf_add_char(b, '\n');
        return;
    case 't':
        lf_buf_add_char(b, '\t');
        return;
    case 'r':
        lf_buf_add_char(b, '\r');
        return;
    case 'b':
        lf_buf_add_char(b, '\b');
        return;
    case 'f':
        lf_buf_add_char(b, '\f');
        return;
    case 'v':
        lf_buf_add_char(b, '\v');
        return;
    case 'a':
        lf_buf_add_char(b, '\a');
        return;
    case '\\':
    case '\'':
    case '"':
        lf_buf_add_char(b, c);
        return;
    case '\n':
        return;
    case 'x':
        n = hex(*p, end, 2, &cp);
        break;
    case 'u':
        n = hex(*p, end, 4, &cp);
        break;
    case 'U':
        n = hex(*p, end, 8, &cp);
        break;
    default:
        break;
    }
    if (n) {
        *p += n;
        lf_buf_add(b, utf8, lf_utf8_put(cp, utf8));
        return;
    }
    lf_buf_add_char(b, '\\');
    lf_buf_add_char(b, c);
}

static void lex_string(lexer *l)
{
    const char quote = *l->p++;
    const char *start = l->p;
    const char *q = start;
    while (q < l->end && *q != quote)
        q += *q == '\\' && q + 1 < l->end ? 2 : 1;
    if (q >= l->end) {
        fail(l, LF_ERR_FORMAT, "a string without its closing quote");
        return;
    }
    lf_buf b = { 0 };
    for (const char *p = start; p < q;) {
        if (*p != '\\') {
            lf_buf_add_char(&b, *p++);
            continue;
        }
        p++;
        unescape(&p, q, &b);
    }
    const char *copy = lf_arena_strndup(l->arena, lf_buf_cstr(&b), b.len);
    const lf_str s = { copy, b.len };
    if (b.failed || !copy)
        fail(l, LF_ERR_NOMEM, "no memory for a string");
    else
        (void)add(l, T_STRING, s);
    lf_buf_release(&b);
    if (l->st == LF_OK) {
        count_lines(l, start, q);
        l->p = q + 1;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void lex_number(lexer *l)
{
    char digits[64];
    size_t n = 0;
    bool real = false;
    const char *p = l->p;
    while (p < l->end && n < sizeof(digits) - 1) {
        const bool fraction = *p == '.' && !real && p + 1 < l->end && is_digit(p[1]);
        const bool exponent =
            (*p == 'e' || *p == 'E') && p + 1 < l->end &&
            (is_digit(p[1]) || ((p[1] == '+' || p[1] == '-') && p + 2 < l->end && is_digit(p[2])));
        if (*p == '_') {
            p++;
            continue;
        }
        if (!is_digit(*p) && !fraction && !exponent)
            break;
        real = real || fraction || exponent;
        digits[n++] = *p++;
        if (exponent)
            digits[n++] = *p++;
    }
    digits[n] = '\0';
    token *t = add(l, real ? T_FLOAT : T_INT, (lf_str){ l->p, (size_t)(p - l->p) });
    if (!t)
        return;
    if (real) {
        t->d = strtod(digits, NULL);
    } else if (n > 18) {
        fail(l, LF_ERR_LIMIT, "a whole number of more than 18 digits");
        return;
    } else {
        t->i = strtoll(digits, NULL, 10);
    }
    l->p = p;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 128 || (!first && is_digit(c));
}

static void lex_op(lexer *l)
{
    static const char *const ops[] = { "//", "**", "==", "!=", "<=", ">=", "+", "-", "*",
                                       "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                       "]",  "{",  "}",  ".",  ",",  ":",  "|", ";" };
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (at(l, ops[i])) {
            (void)add(l, T_OP, lf_str_of(ops[i]));
            if (l->st == LF_OK)
                l->p += strlen(ops[i]);
            return;
        }
    }
    fail(l, LF_ERR_FORMAT, "a character that no expression has");
}

/* Inside a tag, up to and with its closing braces. */
static void lex_tag(lexer *l, bool block)
{
    const char *close = block ? "%}" : "}}";
    int depth = 0;
    for (;;) {
        while (l->p < l->end && is_blank(*l->p)) {
            l->line += *l->p == '\n';
            l->p++;
        }
        if (l->p >= l->end) {
            fail(l, LF_ERR_FORMAT, "a tag that is not closed");
            return;
        }
        const char c = *l->p;
        const char sign = c == '-' || (c == '+' && block) ? c : 0;
        if (depth == 0) {
            l->p += sign != 0;
            if (at(l, close)) {
                (void)add(l, block ? T_BLOCK_END : T_VAR_END, (lf_str){ 0 });
                if (l->st == LF_OK)
                    l->p += 2;
                after_tag(l, sign, block);
                return;
            }
            l->p -= sign != 0;
        }
        if (c == '"' || c == '\'') {
            lex_string(l);
        } else if (is_digit(c)) {
            lex_number(l);
        } else if (is_name_char(c, true)) {
            const char *start = l->p;
            while (l->p < l->end && is_name_char(*l->p, false))
                l->p++;
            const char *stop = l->p;
            (void)add(l, T_NAME, (lf_str){ start, (size_t)(stop - start) });
        } else {
            depth += c == '{' || c == '(' || c == '[';
            depth -= (c == '}' || c == ')' || c == ']') && depth > 0;
            lex_op(l);
        }
    }
}

/* {% raw %}: what follows is text up to {% endraw %}. */
static bool lex_raw(lexer *l)
{
    const char *p = l->p + 2;
    if (p < l->end && (*p == '-' || *p == '+'))
        p++;
    while (p < l->end && is_blank(*p))
        p++;
    if (l->end - p < 3 || memcmp(p, "raw", 3) != 0)
        return false;
    p += 3;
    while (p < l->end && is_blank(*p))
        p++;
    const bool strip = p < l->end && *p == '-';
    p += strip;
    if (l->end - p < 2 || memcmp(p, "%}", 2) != 0)
        return false;
    l->p = p + 2;
    if (strip)
        after_tag(l, '-', true);
    const char *start = l->p;
    for (const char *q = start; l->end - q >= 2; q++) {
        if (memcmp(q, "{%", 2) != 0)
            continue;
        const char *r = q + 2;
        const char sign = r < l->end ? *r : 0;
        r += sign == '-' || sign == '+';
        while (r < l->end && is_blank(*r))
            r++;
        if (l->end - r < 6 || memcmp(r, "endraw", 6) != 0)
            continue;
        r += 6;
        while (r < l->end && is_blank(*r))
            r++;
        const char last = r < l->end && (*r == '-' || *r == '+') ? *r : 0;
        r += last != 0;
        if (l->end - r < 2 || memcmp(r, "%}", 2) != 0)
            continue;
        l->line_start = false;
        add_text(l, start, q, sign, true);
        if (l->st == LF_OK)
            l->p = r + 2;
        after_tag(l, last, true);
        return true;
    }
    fail(l, LF_ERR_FORMAT, "{% raw %} without {% endraw %}");
    return true;
}

static void lex_comment(lexer *l)
{
    const char *q = l->p + 2;
    while (l->end - q >= 2 && memcmp(q, "#}", 2) != 0)
        q++;
    if (l->end - q < 2) {
        fail(l, LF_ERR_FORMAT, "a comment that is not closed");
        return;
    }
    count_lines(l, l->p, q);
    const char sign = q > l->p + 2 ? q[-1] : 0;
    l->p = q + 2;
    after_tag(l, sign == '-' || sign == '+' ? sign : 0, true);
}

static void lex_all(lexer *l)
{
    while (l->st == LF_OK && l->p < l->end) {
        const char *start = l->p, *q = start;
        while (q < l->end &&
               !(*q == '{' && q + 1 < l->end && (q[1] == '{' || q[1] == '%' || q[1] == '#')))
            q++;
        if (q >= l->end) {
            (void)add(l, T_TEXT, (lf_str){ start, (size_t)(l->end - start) });
            return;
        }
        const bool block = q[1] != '{';
        const char sign = q + 2 < l->end && (q[2] == '-' || q[2] == '+') ? q[2] : 0;
        add_text(l, start, q, sign, block);
        if (l->st != LF_OK)
            return;
        l->p = q;
        if (q[1] == '#') {
            lex_comment(l);
        } else if (q[1] != '%' || !lex_raw(l)) {
            (void)add(l, block ? T_BLOCK_BEGIN : T_VAR_BEGIN, (lf_str){ 0 });
            if (l->st == LF_OK)
                l->p = q + 2 + (sign != 0);
            lex_tag(l, block);
        }
    }
}

lf_status chat_lex(const char *source, size_t n, lf_arena *arena, token_list *out, lf_err *err)
{
    /* A copy with every newline as \n, less one at the end. */
    char *copy = lf_arena_alloc(arena, n + 1);
    if (!copy)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a chat template of %zu bytes", n);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (source[i] == '\r' && i + 1 < n && source[i + 1] == '\n')
            continue;
        copy[k++] = (char)(source[i] == '\r' ? '\n' : source[i]);
    }
    if (k && copy[k - 1] == '\n')
        k--;
    lexer l = { .p = copy,
                .end = copy + k,
                .arena = arena,
                .out = out,
                .line = 1,
                .line_start = true,
                .err = err };
    lex_all(&l);
    if (l.st == LF_OK)
        (void)add(&l, T_END, (lf_str){ 0 });
    return l.st;
}

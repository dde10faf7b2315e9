/* infer/schema_pattern.c - regular expressions (ECMA-262's common part) as GBNF.
 *
 * The text that is matched stands in a JSON string, so that a character that JSON
 * escapes is matched by its escape: sets are split into those that stand for
 * themselves and those that don't. */
#include <string.h>

#include "infer/schema.h"
#include "text/utf8.h"

enum { DEPTH_MAX = 64, RANGES_MAX = 128 };

typedef struct code_set {
    uint32_t from[RANGES_MAX], to[RANGES_MAX];
    size_t n;
    bool negated;
} code_set;

typedef struct regex {
    const char *begin, *p, *end;
    lf_buf *out;
    int depth;
    lf_err *err;
} regex;

static lf_status refuse(const regex *r, const char *what)
{
    return lf_fail(r->err, LF_ERR_UNSUPPORTED, "pattern \"%s\", byte %zu: %s", r->begin,
                   (size_t)(r->p - r->begin), what);
}

/* ---- sets ---- */

static bool add_range(code_set *s, uint32_t from, uint32_t to)
{
    if (s->n == RANGES_MAX)
        return false;
    s->from[s->n] = from;
    s->to[s->n++] = to;
    return true;
}

static bool has(const code_set *s, uint32_t c)
{
    bool in = false;
    for (size_t i = 0; i < s->n; i++)
        in |= s->from[i] <= c && c <= s->to[i];
    return in != s->negated;
}

/* \d \w \s; false: not one of these. */
static bool add_named(code_set *s, char c)
{
    if (c == 'd')
        return add_range(s, '0', '9');
    if (c == 'w')
        return add_range(s, 'a', 'z') && add_range(s, 'A', 'Z') && add_range(s, '0', '9') &&
               add_range(s, '_', '_');
    if (c == 's')
        return add_range(s, ' ', ' ') && add_range(s, '\t', '\r');
    return false;
}

/* Part of the set that stands for itself in a JSON string, as a class of GBNF: what is
 * left of each range without control characters, " and \. */
static void put_plain(const code_set *s, lf_buf *out)
{
    static const struct {
        uint32_t from, to;
    } holes[] = { { 0, 0x1f }, { '"', '"' }, { '\\', '\\' }, { 0x7f, 0x7f } };
    lf_buf_add_str(out, s->negated ? "[^\\x00-\\x1f\\\"\\\\\\x7f" : "[");
    for (size_t i = 0; i < s->n; i++) {
        uint32_t from = s->from[i];
        for (size_t h = 0; h < 4 && !s->negated; h++) {
            if (holes[h].to < from || holes[h].from > s->to[i])
                continue;
            if (holes[h].from > from)
                lf_buf_addf(out, "\\U%08x-\\U%08x", from, holes[h].from - 1);
            from = holes[h].to + 1;
        }
        if (from <= s->to[i])
            lf_buf_addf(out, "\\U%08x-\\U%08x", from, s->to[i]);
    }
    lf_buf_add_str(out, "]");
}

static void put_set(const code_set *s, lf_buf *out)
{
    static const struct {
        uint32_t c;
        const char *gbnf;
    } escaped[] = { { '"', "\"\\\\\\\"\"" },
                    { '\\', "\"\\\\\\\\\"" },
                    { '\n', "\"\\\\n\"" },
                    { '\r', "\"\\\\r\"" },
                    { '\t', "\"\\\\t\"" } };
    lf_buf_add_str(out, "(");
    put_plain(s, out);
    for (size_t i = 0; i < sizeof escaped / sizeof escaped[0]; i++)
        if (has(s, escaped[i].c))
            lf_buf_addf(out, " | %s", escaped[i].gbnf);
    lf_buf_add_str(out, ")");
}

static lf_status put_char(regex *r, uint32_t c)
{
    code_set s = { .n = 0 };
    if (c < 0x20 && c != '\n' && c != '\r' && c != '\t')
        return refuse(r, "a control character");
    (void)add_range(&s, c, c);
    put_set(&s, r->out);
    return LF_OK;
}

/* ---- parsing ---- */

/* The character after a backslash, where that is one. */
static lf_status escaped_char(regex *r, uint32_t *out)
{
    const char c = *r->p;
    static const char names[] = "nrt", values[] = "\n\r\t";
    const char *known = strchr(names, c);
    if (known && c) {
        *out = (uint32_t)values[known - names];
    } else if (c == 'u' || c == 'x') {
        const int n = c == 'u' ? 4 : 2;
        *out = 0;
        for (int i = 1; i <= n; i++) {
            const char d = r->p + i < r->end ? r->p[i] : 0;
            const int v = d >= '0' && d <= '9'   ? d - '0'
                          : d >= 'a' && d <= 'f' ? d - 'a' + 10
                          : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                 : -1;
            if (v < 0)
                return refuse(r, "an escape lacks hexadecimal digits");
            *out = *out << 4 | (uint32_t)v;
        }
        r->p += n;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || !c) {
        return refuse(r, "an escape that is not supported (\\d \\w \\s \\n \\r \\t \\u \\x are)");
    } else {
        *out = (unsigned char)c;
    }
    r->p++;
    return LF_OK;
}

static lf_status class_member(regex *r, code_set *s, uint32_t *out, bool *is_char)
{
    *is_char = true;
    if (*r->p != '\\') {
        *out = lf_utf8_next(&r->p, r->end);
        return LF_OK;
    }
    r->p++;
    if (r->p < r->end && strchr("dws", *r->p)) {
        *is_char = false;
        return add_named(s, *r->p++) ? LF_OK : refuse(r, "too many ranges in a class");
    }
    return r->p < r->end ? escaped_char(r, out) : refuse(r, "it ends with a backslash");
}

static lf_status class_of(regex *r)
{
    code_set s = { .n = 0 };
    lf_status st = LF_OK;
    r->p++;
    s.negated = r->p < r->end && *r->p == '^';
    r->p += s.negated;
    while (st == LF_OK && r->p < r->end && *r->p != ']') {
        uint32_t from = 0, to;
        bool is_char;
        st = class_member(r, &s, &from, &is_char);
        to = from;
        if (st == LF_OK && is_char && r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
            r->p++;
            st = class_member(r, &s, &to, &is_char);
            if (st == LF_OK && (!is_char || to < from))
                st = refuse(r, "a range of a class runs backwards");
        }
        if (st == LF_OK && is_char && !add_range(&s, from, to))
            st = refuse(r, "too many ranges in a class");
    }
    if (st == LF_OK && r->p >= r->end)
        st = refuse(r, "a class has no closing ]");
    r->p++;
    if (st == LF_OK)
        put_set(&s, r->out);
    return st;
}

static lf_status alternatives(regex *r);

static lf_status group(regex *r)
{
    r->p++;
    if (r->end - r->p >= 2 && r->p[0] == '?' && r->p[1] == ':')
        r->p += 2;
    else if (r->p < r->end && *r->p == '?')
        return refuse(r, "groups that look around or have names are not supported");
    lf_buf_add_str(r->out, "(");
    const lf_status st = alternatives(r);
    if (st != LF_OK)
        return st;
    if (r->p >= r->end)
        return refuse(r, "a group has no closing )");
    r->p++;
    lf_buf_add_str(r->out, ")");
    return LF_OK;
}

static lf_status escape(regex *r)
{
    code_set s = { .n = 0 };
    uint32_t c = 0;
    r->p++;
    if (r->p < r->end && strchr("dwsDWS", *r->p)) {
        s.negated = *r->p >= 'A' && *r->p <= 'Z';
        (void)add_named(&s, (char)(*r->p | 0x20));
        r->p++;
        put_set(&s, r->out);
        return LF_OK;
    }
    const lf_status st = escaped_char(r, &c);
    return st == LF_OK ? put_char(r, c) : st;
}

static void quantifier(regex *r)
{
    const char *at = r->p;
    if (r->p < r->end && strchr("*+?", *r->p))
        r->p++;
    else if (r->p < r->end && *r->p == '{')
        while (r->p < r->end && *r->p++ != '}')
            ;
    if (r->p > at) {
        lf_buf_add(r->out, at, (size_t)(r->p - at));
        if (r->p < r->end && *r->p == '?')
            r->p++; /* lazy or greedy: the same texts match */
    }
}

static lf_status sequence(regex *r)
{
    static const code_set dot = { /* no line terminator */
                                  .from = { '\n', '\r', 0x2028 },
                                  .to = { '\n', '\r', 0x2029 },
                                  .n = 3,
                                  .negated = true
    };
    lf_status st = LF_OK;
    lf_buf_add_str(r->out, "\"\"");
    while (st == LF_OK && r->p < r->end && *r->p != '|' && *r->p != ')') {
        lf_buf_add_str(r->out, " ");
        const char c = *r->p;
        if (c == '(') {
            st = group(r);
        } else if (c == '[') {
            st = class_of(r);
        } else if (c == '\\') {
            st = escape(r);
        } else if (c == '.') {
            r->p++;
            put_set(&dot, r->out);
        } else if (strchr("*+?{^$", c)) {
            st = refuse(r, c == '^' || c == '$' ? "an anchor inside of the expression"
                                                : "a quantifier with nothing before it");
        } else {
            st = put_char(r, lf_utf8_next(&r->p, r->end));
        }
        if (st == LF_OK)
            quantifier(r);
    }
    return st;
}

static lf_status alternatives(regex *r)
{
    lf_status st;
    if (++r->depth > DEPTH_MAX)
        return refuse(r, "groups are nested deeper than 64");
    while ((st = sequence(r)) == LF_OK && r->p < r->end && *r->p == '|') {
        r->p++;
        lf_buf_add_str(r->out, " | ");
    }
    r->depth--;
    return st;
}

/* ^ and $ hold for the whole expression where no | stands outside of groups. */
static bool has_open_choice(const char *p, const char *end)
{
    int depth = 0;
    bool in_class = false;
    for (; p < end; p++) {
        if (*p == '\\')
            p++;
        else if (in_class)
            in_class = *p != ']';
        else if (*p == '[')
            in_class = true;
        else if (*p == '(' || *p == ')')
            depth += *p == '(' ? 1 : -1;
        else if (*p == '|' && depth == 0)
            return true;
    }
    return false;
}

lf_status lf_pattern_to_gbnf(const char *pattern, lf_buf *out, lf_err *err)
{
    regex r = { .begin = pattern, .p = pattern, .out = out, .err = err };
    size_t n = strlen(pattern);
    const bool starts = n > 0 && pattern[0] == '^';
    bool ends = n > 0 && pattern[n - 1] == '$';
    size_t slashes = 0;
    while (ends && slashes + 1 < n && pattern[n - 2 - slashes] == '\\')
        slashes++;
    ends = ends && slashes % 2 == 0;
    r.p += starts;
    r.end = pattern + n - ends;
    if (!lf_utf8_valid(pattern, n))
        return lf_fail(err, LF_ERR_FORMAT, "a pattern is not UTF-8");
    if ((starts || ends) && has_open_choice(r.p, r.end))
        return refuse(&r, "^ or $ beside | outside of a group");
    lf_buf_add_str(out, starts ? "(" : "char* (");
    const lf_status st = alternatives(&r);
    if (st == LF_OK && r.p < r.end)
        return refuse(&r, "a ) without its (");
    lf_buf_add_str(out, ends ? ")" : ") char*");
    return st;
}

/* infer/grammar.c - GBNF to rules over bytes.
 *
 * A recursive descent parser.  A sequence is collected in `seq` and written behind
 * the finished items once it is complete, so that the groups inside of it, which
 * become rules of their own, lie before it.  Quantifiers become rules too:
 *
 *     x*      S ::= x S |             x{2,4}   x x Q2     Q2 ::= x Q1 |
 *     x?      Q ::= x |                                   Q1 ::= x |
 *
 * The recursion of S is at its end, where the matcher keeps no return address: a
 * repetition costs no depth. */
#include "infer/grammar.h"

#include <string.h>

#include "base/mem.h"
#include "infer/grammar_int.h"
#include "text/utf8.h"

enum { DEPTH_MAX = 200, REPEAT_MAX = 100000, NAME_MAX_BYTES = 128 };

typedef struct parser {
    const char *p, *end, *begin;
    lf_grammar *g;
    item *seq; /* sequences being collected, the innermost last */
    size_t n_seq, cap_seq;
    int depth;
    lf_err *err;
} parser;

/* ---- the grammar's parts ---- */

lf_grammar *lf_grammar_share(lf_grammar *g)
{
    (void)__atomic_add_fetch(&g->refs, 1, __ATOMIC_RELAXED);
    return g;
}

void lf_grammar_close(lf_grammar *g)
{
    if (!g || __atomic_sub_fetch(&g->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < g->n_rules; i++) {
        lf_free(g->rules[i].name);
        lf_free(g->rules[i].alts);
    }
    lf_free(g->rules);
    lf_free(g->items);
    lf_free(g->sets);
    lf_free(g);
}

static lf_status no_memory(parser *s)
{
    return lf_fail(s->err, LF_ERR_NOMEM, "no memory for a grammar of %zu items", s->g->n_items);
}

static lf_status fail_here(parser *s, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *p = s->begin; p < s->p; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return lf_fail(s->err, LF_ERR_FORMAT, "grammar, line %zu, column %zu: %s", line, column, what);
}

static lf_status push_item(parser *s, item_kind kind, uint32_t ref)
{
    if (s->n_seq + s->g->n_items >= LF_GRAMMAR_ITEMS_MAX)
        return lf_fail(s->err, LF_ERR_LIMIT,
                       "the grammar has more than %d items, repetitions written "
                       "out",
                       LF_GRAMMAR_ITEMS_MAX);
    if (!lf_grow((void **)&s->seq, &s->cap_seq, s->n_seq + 1, sizeof *s->seq))
        return no_memory(s);
    s->seq[s->n_seq++] = (item){ .kind = (uint8_t)kind, .ref = ref };
    return LF_OK;
}

static lf_status push_set(parser *s, const byte_set *set)
{
    lf_grammar *g = s->g;
    size_t i = 0;
    while (i < g->n_sets && memcmp(&g->sets[i], set, sizeof *set) != 0)
        i++;
    if (i == g->n_sets) {
        if (!lf_grow((void **)&g->sets, &g->cap_sets, g->n_sets + 1, sizeof *g->sets))
            return no_memory(s);
        g->sets[g->n_sets++] = *set;
    }
    return push_item(s, ITEM_BYTES, (uint32_t)i);
}

static lf_status new_rule(parser *s, const char *name, size_t n, uint32_t *out)
{
    lf_grammar *g = s->g;
    if (!lf_grow((void **)&g->rules, &g->cap_rules, g->n_rules + 1, sizeof *g->rules))
        return no_memory(s);
    rule *r = &g->rules[g->n_rules];
    *r = (rule){ .name = name ? lf_strndup(name, n) : NULL, .defined = name == NULL };
    if (name && !r->name)
        return no_memory(s);
    *out = (uint32_t)g->n_rules++;
    return LF_OK;
}

static lf_status find_rule(parser *s, const char *name, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < s->g->n_rules; i++) {
        const char *r = s->g->rules[i].name;
        if (r && strlen(r) == n && memcmp(r, name, n) == 0) {
            *out = (uint32_t)i;
            return LF_OK;
        }
    }
    return new_rule(s, name, n, out);
}

/* The sequence from seq[from] on becomes an alternative of rule r. */
static lf_status end_alternative(parser *s, uint32_t r, size_t from)
{
    lf_grammar *g = s->g;
    const size_t n = s->n_seq - from;
    if (!lf_grow((void **)&g->items, &g->cap_items, g->n_items + n + 1, sizeof *g->items))
        return no_memory(s);
    rule *to = &g->rules[r];
    size_t cap = to->cap_alts;
    if (!lf_grow((void **)&to->alts, &cap, to->n_alts + 1u, sizeof *to->alts))
        return no_memory(s);
    to->cap_alts = (uint32_t)cap;
    to->alts[to->n_alts++] = (uint32_t)g->n_items;
    if (n)
        memcpy(g->items + g->n_items, s->seq + from, n * sizeof *g->items);
    g->n_items += n;
    g->items[g->n_items++] = (item){ .kind = ITEM_END };
    s->n_seq = from;
    return LF_OK;
}

/* ---- quantifiers ---- */

/* A rule of the one alternative seq[from..): an item that can be repeated. */
static lf_status wrap(parser *s, size_t from, item *out)
{
    if (s->n_seq - from == 1) {
        *out = s->seq[from];
        s->n_seq = from;
        return LF_OK;
    }
    uint32_t r = 0;
    lf_status st = new_rule(s, NULL, 0, &r);
    if (st == LF_OK)
        st = end_alternative(s, r, from);
    *out = (item){ .kind = ITEM_RULE, .ref = r };
    return st;
}

/* R ::= x NEXT | ; NEXT is R itself where `loop`, `next` (or nothing) elsewhere. */
static lf_status optional(parser *s, item x, bool loop, const item *next, item *out)
{
    uint32_t r = 0;
    const size_t from = s->n_seq;
    lf_status st = new_rule(s, NULL, 0, &r);
    if (st == LF_OK)
        st = push_item(s, x.kind, x.ref);
    if (st == LF_OK && loop)
        st = push_item(s, ITEM_RULE, r);
    if (st == LF_OK && next)
        st = push_item(s, next->kind, next->ref);
    if (st == LF_OK)
        st = end_alternative(s, r, from);
    if (st == LF_OK)
        st = end_alternative(s, r, s->n_seq);
    *out = (item){ .kind = ITEM_RULE, .ref = r };
    return st;
}

/* seq[from..) repeated least to most times (most < 0: without end). */
static lf_status repeat(parser *s, size_t from, int64_t least, int64_t most)
{
    item x, rest = { 0 };
    lf_status st = wrap(s, from, &x);
    for (int64_t i = 0; st == LF_OK && i < least; i++)
        st = push_item(s, x.kind, x.ref);
    if (st != LF_OK || most == least)
        return st;
    if (most < 0)
        st = optional(s, x, true, NULL, &rest);
    for (int64_t i = least; st == LF_OK && i < most; i++) {
        const item next = rest;
        st = optional(s, x, false, i > least ? &next : NULL, &rest);
    }
    return st == LF_OK ? push_item(s, rest.kind, rest.ref) : st;
}

/* ---- characters ---- */

typedef struct code_range {
    uint32_t from, to;
} code_range;

typedef struct class_rule {
    parser *s;
    uint32_t rule;
    lf_status st;
} class_rule;

static bool add_sequence(void *ud, const uint8_t *from, const uint8_t *to, int n)
{
    class_rule *c = ud;
    const size_t at = c->s->n_seq;
    for (int i = 0; c->st == LF_OK && i < n; i++) {
        byte_set set = { { 0 } };
        byte_set_add(&set, from[i], to[i]);
        c->st = push_set(c->s, &set);
    }
    if (c->st == LF_OK)
        c->st = end_alternative(c->s, c->rule, at);
    return c->st == LF_OK;
}

/* Sorted, disjoint ranges as one item. */
static lf_status push_class(parser *s, const code_range *v, size_t n)
{
    byte_set ascii = { { 0 } };
    bool has_ascii = false, has_more = false;
    for (size_t i = 0; i < n; i++) {
        if (v[i].from < 0x80)
            byte_set_add(&ascii, v[i].from, v[i].to < 0x7f ? v[i].to : 0x7f);
        has_ascii |= v[i].from < 0x80;
        has_more |= v[i].to >= 0x80;
    }
    if (!has_more)
        return push_set(s, &ascii); /* the empty class matches nothing */
    class_rule c = { .s = s };
    c.st = new_rule(s, NULL, 0, &c.rule);
    const size_t at = s->n_seq;
    if (c.st == LF_OK && has_ascii) {
        c.st = push_set(s, &ascii);
        if (c.st == LF_OK)
            c.st = end_alternative(s, c.rule, at);
    }
    for (size_t i = 0; c.st == LF_OK && i < n; i++)
        if (v[i].to >= 0x80)
            (void)lf_utf8_ranges(v[i].from < 0x80 ? 0x80 : v[i].from, v[i].to, add_sequence, &c);
    return c.st == LF_OK ? push_item(s, ITEM_RULE, c.rule) : c.st;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One character of a literal or class, escapes resolved. */
static lf_status next_char(parser *s, uint32_t *out)
{
    if (s->p >= s->end)
        return fail_here(s, "the text ends inside of a literal or class");
    if (*s->p != '\\') {
        if (!lf_utf8_seq(s->p, s->end))
            return fail_here(s, "invalid UTF-8");
        *out = lf_utf8_next(&s->p, s->end);
        return LF_OK;
    }
    const char c = s->p + 1 < s->end ? s->p[1] : 0;
    static const char names[] = "nrt\\\"[]-^/", values[] = "\n\r\t\\\"[]-^/";
    const char *known = c ? strchr(names, c) : NULL;
    if (known) {
        *out = (unsigned char)values[known - names];
        s->p += 2;
        return LF_OK;
    }
    const int n = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t v = 0;
    for (int i = 0; i < n; i++) {
        const int d = s->p + 2 + i < s->end ? hex_digit(s->p[2 + i]) : -1;
        if (d < 0)
            return fail_here(s, "an escape needs 2 (\\x), 4 (\\u) or 8 (\\U) hexadecimal digits");
        v = v << 4 | (uint32_t)d;
    }
    if (n == 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return fail_here(
            s,
            n ? "the escape is no character"
              : "unknown escape (allowed: \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\^ \\/ \\x \\u \\U)");
    *out = v;
    s->p += 2 + n;
    return LF_OK;
}

static lf_status literal(parser *s)
{
    lf_status st = LF_OK;
    s->p++;
    while (st == LF_OK && s->p < s->end && *s->p != '"') {
        uint32_t c = 0;
        char bytes[4];
        st = next_char(s, &c);
        const size_t n = st == LF_OK ? lf_utf8_put(c, bytes) : 0;
        for (size_t i = 0; st == LF_OK && i < n; i++) {
            byte_set set = { { 0 } };
            byte_set_add(&set, (uint8_t)bytes[i], (uint8_t)bytes[i]);
            st = push_set(s, &set);
        }
    }
    if (st == LF_OK && s->p >= s->end)
        return fail_here(s, "a literal has no closing \"");
    s->p++;
    return st;
}

static void sort_ranges(code_range *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && v[k].from < v[k - 1].from; k--) {
            const code_range t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
}

/* Sorted and disjoint; where `negated`, what lies between. */
static size_t tidy_ranges(code_range *v, size_t n, bool negated)
{
    size_t kept = 0;
    sort_ranges(v, n);
    for (size_t i = 0; i < n; i++) {
        if (kept && v[i].from <= v[kept - 1].to + 1) {
            if (v[i].to > v[kept - 1].to)
                v[kept - 1].to = v[i].to;
        } else {
            v[kept++] = v[i];
        }
    }
    if (!negated)
        return kept;
    size_t out = 0;
    uint32_t next = 0;
    for (size_t i = 0; i < kept; i++) {
        const code_range r = v[i];
        if (r.from > next)
            v[out++] = (code_range){ next, r.from - 1 };
        next = r.to + 1;
    }
    if (next <= 0x10ffff)
        v[out++] = (code_range){ next, 0x10ffff }; /* there is room: callers keep one place */
    return out;
}

static lf_status char_class(parser *s)
{
    code_range *v = NULL;
    size_t n = 0, cap = 0;
    lf_status st = LF_OK;
    s->p++;
    const bool negated = s->p < s->end && *s->p == '^';
    s->p += negated;
    while (st == LF_OK && s->p < s->end && *s->p != ']') {
        code_range r = { 0 };
        st = next_char(s, &r.from);
        r.to = r.from;
        if (st == LF_OK && s->end - s->p >= 2 && s->p[0] == '-' && s->p[1] != ']') {
            s->p++;
            st = next_char(s, &r.to);
            if (st == LF_OK && r.to < r.from)
                st = fail_here(s, "a range of characters ends before it begins");
        }
        if (st == LF_OK && !lf_grow((void **)&v, &cap, n + 2, sizeof *v))
            st = no_memory(s);
        if (st == LF_OK)
            v[n++] = r;
    }
    if (st == LF_OK && s->p >= s->end)
        st = fail_here(s, "a class has no closing ]");
    if (st == LF_OK && !v && !lf_grow((void **)&v, &cap, 1, sizeof *v))
        st = no_memory(s);
    if (st == LF_OK) {
        s->p++;
        n = tidy_ranges(v, n, negated);
        st = push_class(s, v, n);
    }
    lf_free(v);
    return st;
}

/* ---- rules ---- */

static void skip_space(parser *s, bool over_lines)
{
    while (s->p < s->end) {
        if (*s->p == '#')
            while (s->p < s->end && *s->p != '\n')
                s->p++;
        else if (*s->p == ' ' || *s->p == '\t' || (over_lines && (*s->p == '\n' || *s->p == '\r')))
            s->p++;
        else
            return;
    }
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static lf_status name(parser *s, const char **at, size_t *n)
{
    *at = s->p;
    while (s->p < s->end && is_name_char(*s->p))
        s->p++;
    *n = (size_t)(s->p - *at);
    if (*n == 0)
        return fail_here(s, "a rule's name was expected (letters, digits, - and _)");
    if (*n > NAME_MAX_BYTES)
        return fail_here(s, "a rule's name is longer than 128 bytes");
    return LF_OK;
}

static lf_status alternatives(parser *s, uint32_t r, bool nested);

static lf_status group(parser *s)
{
    uint32_t r = 0;
    lf_status st = new_rule(s, NULL, 0, &r);
    s->p++;
    if (st == LF_OK)
        st = alternatives(s, r, true);
    if (st == LF_OK && (s->p >= s->end || *s->p != ')'))
        st = fail_here(s, "a group has no closing )");
    s->p++;
    return st == LF_OK ? push_item(s, ITEM_RULE, r) : st;
}

static lf_status count(parser *s, int64_t *out)
{
    skip_space(s, false);
    int64_t v = 0;
    const char *at = s->p;
    for (; s->p < s->end && *s->p >= '0' && *s->p <= '9' && v <= REPEAT_MAX; s->p++)
        v = v * 10 + (*s->p - '0');
    if (s->p == at || v > REPEAT_MAX)
        return fail_here(s, "a number of repetitions, 0 to 100000, was expected");
    *out = v;
    skip_space(s, false);
    return LF_OK;
}

/* {m} {m,} {m,n} */
static lf_status braces(parser *s, size_t from)
{
    int64_t least = 0, most = 0;
    s->p++;
    lf_status st = count(s, &least);
    most = least;
    if (st == LF_OK && s->p < s->end && *s->p == ',') {
        s->p++;
        skip_space(s, false);
        most = -1;
        if (s->p < s->end && *s->p != '}')
            st = count(s, &most);
    }
    if (st == LF_OK && (s->p >= s->end || *s->p != '}'))
        st = fail_here(s, "a repetition has no closing }");
    if (st == LF_OK && most >= 0 && most < least)
        st = fail_here(s, "a repetition's maximum is below its minimum");
    s->p++;
    return st == LF_OK ? repeat(s, from, least, most) : st;
}

static lf_status quantifier(parser *s, size_t from)
{
    lf_status st = LF_OK;
    while (st == LF_OK && s->p < s->end) {
        const char c = *s->p;
        if (c == '{') {
            st = braces(s, from);
        } else if (c == '*' || c == '+' || c == '?') {
            s->p++;
            st = repeat(s, from, c == '+', c == '?' ? 1 : -1);
        } else {
            break;
        }
    }
    return st;
}

/* The rule that the name here means. */
static lf_status named_rule(parser *s, uint32_t *out)
{
    const char *at;
    size_t n;
    const lf_status st = name(s, &at, &n);
    return st == LF_OK ? find_rule(s, at, n, out) : st;
}

static lf_status reference(parser *s)
{
    uint32_t r = 0;
    const lf_status st = named_rule(s, &r);
    return st == LF_OK ? push_item(s, ITEM_RULE, r) : st;
}

static lf_status any_char(parser *s)
{
    static const code_range any = { 0, 0x10ffff };
    s->p++;
    return push_class(s, &any, 1);
}

/* Does a new rule begin here?  name ::= */
static bool at_definition(const parser *s)
{
    parser look = *s;
    while (look.p < look.end && is_name_char(*look.p))
        look.p++;
    if (look.p == s->p)
        return false;
    skip_space(&look, false);
    return look.end - look.p >= 3 && memcmp(look.p, "::=", 3) == 0;
}

static lf_status sequence(parser *s, bool nested)
{
    lf_status st = LF_OK;
    for (;;) {
        skip_space(s, nested);
        const size_t from = s->n_seq;
        const char c = s->p < s->end ? *s->p : 0;
        if (c == '"')
            st = literal(s);
        else if (c == '[')
            st = char_class(s);
        else if (c == '(')
            st = group(s);
        else if (c == '.')
            st = any_char(s);
        else if (is_name_char(c) && !at_definition(s))
            st = reference(s);
        else
            return LF_OK;
        if (st == LF_OK)
            st = quantifier(s, from);
        if (st != LF_OK)
            return st;
    }
}

static lf_status alternatives(parser *s, uint32_t r, bool nested)
{
    lf_status st = LF_OK;
    if (++s->depth > DEPTH_MAX)
        return lf_fail(s->err, LF_ERR_LIMIT, "the grammar's groups are nested deeper than %d",
                       DEPTH_MAX);
    for (;;) {
        const size_t from = s->n_seq;
        st = sequence(s, nested);
        if (st == LF_OK)
            st = end_alternative(s, r, from);
        if (st != LF_OK)
            return st;
        /* A rule goes on in the next line where that begins with | */
        parser look = *s;
        skip_space(&look, true);
        if (look.p >= look.end || *look.p != '|')
            break;
        s->p = look.p + 1;
        skip_space(s, true);
    }
    s->depth--;
    return LF_OK;
}

static lf_status definition(parser *s)
{
    uint32_t r = 0;
    lf_status st = named_rule(s, &r);
    if (st != LF_OK)
        return st;
    skip_space(s, false);
    if (s->end - s->p < 3 || memcmp(s->p, "::=", 3) != 0)
        return fail_here(s, "::= was expected");
    if (s->g->rules[r].defined)
        return fail_here(s, "the rule is defined twice");
    s->p += 3;
    skip_space(s, true);
    st = alternatives(s, r, false);
    if (st != LF_OK)
        return st;
    s->g->rules[r].defined = true;
    skip_space(s, false);
    if (s->p < s->end && *s->p != '\n' && *s->p != '\r')
        return fail_here(s, "a literal, class, group, rule, | or the end of the line was expected");
    return LF_OK;
}

/* ---- checks over the whole ---- */

/* nullable[r]: the rule matches the empty text. */
static void find_nullable(const lf_grammar *g, bool *nullable)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t r = 0; r < g->n_rules; r++)
            for (uint32_t a = 0; a < g->rules[r].n_alts && !nullable[r]; a++) {
                const item *p = g->items + g->rules[r].alts[a];
                while (p->kind == ITEM_RULE && nullable[p->ref])
                    p++;
                nullable[r] = p->kind == ITEM_END;
                changed |= nullable[r];
            }
    }
}

/* Depth first over "begins with": state 1 = on the path, 2 = done.  A cycle grows
 * the stack without reading a byte where one of its references is followed by more;
 * references in last place keep no return address and are harmless. */
typedef struct cycle_search {
    const lf_grammar *g;
    const bool *nullable;
    uint8_t *state;
    uint32_t *path;    /* rules on the path */
    bool *pushes;      /* the step to path[i] keeps a return address */
    size_t *alt, *pos; /* where path[i] is looked at */
} cycle_search;

/* The next rule that path[at] can begin with; false when there is none left. */
static bool next_left(cycle_search *c, size_t at, uint32_t *to, bool *pushes)
{
    const rule *r = &c->g->rules[c->path[at]];
    while (c->alt[at] < r->n_alts) {
        const item *p = c->g->items + r->alts[c->alt[at]] + c->pos[at];
        if (p->kind != ITEM_RULE) {
            c->alt[at]++;
            c->pos[at] = 0;
            continue;
        }
        *to = p->ref;
        *pushes = p[1].kind != ITEM_END;
        if (c->nullable[p->ref]) {
            c->pos[at]++;
        } else {
            c->alt[at]++;
            c->pos[at] = 0;
        }
        return true;
    }
    return false;
}

/* A rule that is left-recursive, or n_rules. */
static size_t search_from(cycle_search *c, uint32_t start)
{
    size_t n = 0;
    c->path[n] = start;
    c->state[start] = 1;
    c->alt[n] = c->pos[n] = 0;
    c->pushes[n++] = false;
    while (n > 0) {
        uint32_t to;
        bool pushes;
        if (!next_left(c, n - 1, &to, &pushes)) {
            c->state[c->path[--n]] = 2;
        } else if (c->state[to] == 1) {
            for (size_t i = n; i-- > 0 && !pushes && c->path[i] != to;)
                pushes = c->pushes[i];
            if (pushes)
                return to;
        } else if (c->state[to] == 0) {
            c->state[to] = 1;
            c->path[n] = to;
            c->alt[n] = c->pos[n] = 0;
            c->pushes[n++] = pushes;
        }
    }
    return c->g->n_rules;
}

static lf_status check_recursion(parser *s)
{
    lf_grammar *g = s->g;
    const size_t n = g->n_rules;
    lf_status st = LF_OK;
    bool *nullable = lf_calloc(n, sizeof *nullable), *pushes = lf_calloc(n + 1, sizeof *pushes);
    uint8_t *state = lf_calloc(n, 1);
    uint32_t *path = lf_calloc(n + 1, sizeof *path);
    size_t *alt = lf_calloc(2 * (n + 1), sizeof *alt);
    if (!nullable || !pushes || !state || !path || !alt) {
        st = no_memory(s);
    } else {
        cycle_search c = { g, nullable, state, path, pushes, alt, alt + n + 1 };
        find_nullable(g, nullable);
        for (size_t r = 0; st == LF_OK && r < n; r++) {
            const size_t bad = state[r] == 0 ? search_from(&c, (uint32_t)r) : n;
            if (bad < n)
                st = lf_fail(s->err, LF_ERR_UNSUPPORTED,
                             "the grammar is left-recursive at %s: write it with * or +",
                             g->rules[bad].name ? g->rules[bad].name : "a group");
        }
    }
    lf_free(nullable);
    lf_free(pushes);
    lf_free(state);
    lf_free(path);
    lf_free(alt);
    return st;
}

static lf_status check_defined(parser *s)
{
    for (size_t i = 0; i < s->g->n_rules; i++)
        if (!s->g->rules[i].defined)
            return lf_fail(s->err, LF_ERR_FORMAT, "grammar: the rule %s is used and not defined",
                           s->g->rules[i].name);
    return LF_OK;
}

/* Split the classes of bytes by each set in turn. */
static void find_classes(lf_grammar *g)
{
    g->n_classes = 1;
    memset(g->class_of, 0, sizeof g->class_of);
    for (size_t i = 0; i < g->n_sets; i++) {
        int split[256]; /* class -> class of its members inside of the set */
        uint32_t inside[256] = { 0 }, all[256] = { 0 };
        for (unsigned b = 0; b < 256; b++) {
            all[g->class_of[b]]++;
            inside[g->class_of[b]] += byte_set_has(&g->sets[i], b);
        }
        for (unsigned c = 0, n = g->n_classes; c < n; c++)
            split[c] = inside[c] && inside[c] < all[c] ? (int)g->n_classes++ : -1;
        for (unsigned b = 0; b < 256; b++)
            if (split[g->class_of[b]] >= 0 && byte_set_has(&g->sets[i], b))
                g->class_of[b] = (uint8_t)split[g->class_of[b]];
    }
    for (unsigned b = 0; b < 256; b++)
        g->example[g->class_of[b]] = (uint8_t)b;
}

lf_status lf_grammar_parse(const char *text, size_t n_bytes, lf_grammar **out, lf_err *err)
{
    parser s = { .p = text, .end = text + n_bytes, .begin = text, .err = err };
    lf_status st = LF_OK;
    s.g = lf_calloc(1, sizeof *s.g);
    if (!s.g)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a grammar");
    s.g->refs = 1;
    for (skip_space(&s, true); st == LF_OK && s.p < s.end; skip_space(&s, true))
        st = definition(&s);
    if (st == LF_OK)
        st = check_defined(&s);
    if (st == LF_OK) {
        size_t i = 0;
        while (i < s.g->n_rules && !(s.g->rules[i].name && strcmp(s.g->rules[i].name, "root") == 0))
            i++;
        s.g->root = (uint32_t)i;
        if (i == s.g->n_rules)
            st = lf_fail(err, LF_ERR_FORMAT, "grammar: there is no rule named root");
    }
    if (st == LF_OK)
        st = check_recursion(&s);
    if (st == LF_OK) {
        find_classes(s.g);
        *out = s.g;
    } else {
        lf_grammar_close(s.g);
    }
    lf_free(s.seq);
    return st;
}

/* model/tok_regex.c - a backtracking matcher for tokenizer patterns.
 *
 * A pattern is parsed into a small tree and compiled into instructions.  The
 * text is decoded once into code points that carry their general category, so
 * that testing a class is a mask and, below U+0080, a bit.  Two things keep the
 * usual patterns fast: a repeated class is one instruction that leaves one
 * entry on the stack (a range of positions to fall back to), and an alternative
 * whose first character can't match is not entered.
 *
 * Invariants
 *   1. An instruction index in the program is below n_inst; MATCH ends it.
 *   2. A match takes at most STEPS_PER_MATCH instructions, because patterns
 *      from files may be exponential. */
#include "model/tok_regex.h"

#include <string.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/utf8.h"

enum {
    MAX_NODES = 4096,
    MAX_INST = 16384,
    MAX_SETS = 1024,
    MAX_RANGES = 8192,
    MAX_DEPTH = 32,
    MAX_REPEAT = 1000,
    MAX_STACK = 1 << 22,
    STEPS_PER_MATCH = 50 * 1000 * 1000
};

typedef enum node_kind {
    N_EMPTY,
    N_SET,
    N_CAT,
    N_ALT,
    N_REP,
    N_LOOK,
    N_ATOMIC,
    N_ASSERT
} node_kind;
enum { ASSERT_BEGIN, ASSERT_END, ASSERT_WORD, ASSERT_NOT_WORD };

typedef struct node {
    node_kind kind;
    int32_t a, b;      /* children; for N_SET the set; for N_ASSERT which */
    uint32_t min, max; /* N_REP; max UINT32_MAX = no limit */
    bool flag;         /* N_REP possessive; N_LOOK negative */
} node;

typedef struct cp_range {
    uint32_t lo, hi;
} cp_range;

typedef struct cp_set {
    uint64_t ascii[2]; /* the answer for code points below 128 */
    uint32_t mask;     /* categories and space bits */
    uint32_t first, n; /* ranges */
    bool negate;
    int32_t also; /* a set that must match too, -1 = none */
} cp_set;

typedef enum op_code {
    OP_SET,
    OP_RUN,      /* a = set, min..max, greedy */
    OP_RUN_KEEP, /* the same, possessive */
    OP_SPLIT,    /* try a, then b; `set` limits a's first character when >= 0 */
    OP_JMP,
    OP_LOOK,   /* body follows and ends with MATCH; a = where to go on; min = negative */
    OP_ATOMIC, /* the same, keeping the end of the body */
    OP_ASSERT,
    OP_MATCH
} op_code;

typedef struct inst {
    uint8_t op;
    int32_t a, b;
    uint32_t min, max;
    int32_t set;
} inst;

struct tok_re {
    inst *prog;
    size_t n_inst;
    cp_set *sets;
    size_t n_sets;
    cp_range *ranges;
    size_t n_ranges;
    int32_t start; /* the set of what a match can begin with, -1 = it may be empty */
};

typedef struct tok_re_alt {
    int32_t pc;
    size_t pos, min_pos; /* min_pos < pos: positions down to it are to be tried too */
} tok_re_alt;

/* ------------------------------------------------------------------ classes */

uint32_t tok_cls_of(uint32_t cp)
{
    const utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)cp);
    return (1u << cat) | (lf_cp_is_space(cp) ? TOK_CLS_SPACE : TOK_CLS_NONSPACE);
}

size_t tok_chars_of(const char *text, size_t n_bytes, tok_char *c)
{
    /* Classes of ASCII are asked for most: look them up once a call. */
    uint32_t ascii[128];
    for (uint32_t i = 0; i < 128; i++)
        ascii[i] = tok_cls_of(i);
    const char *p = text, *end = text + n_bytes;
    size_t n = 0;
    while (p < end) {
        tok_char *o = &c[n++];
        o->off = (uint32_t)(p - text);
        if ((unsigned char)*p < 128) {
            o->cp = (unsigned char)*p++;
            o->cls = ascii[o->cp];
        } else {
            o->cp = lf_utf8_next(&p, end);
            o->cls = tok_cls_of(o->cp);
        }
    }
    c[n] = (tok_char){ .cp = 0, .cls = 0, .off = (uint32_t)n_bytes };
    return n;
}

static bool set_has(const tok_re *re, const cp_set *s, const tok_char *c)
{
    if (c->cp < 128)
        return (s->ascii[c->cp >> 6] >> (c->cp & 63)) & 1;
    bool in = (s->mask & c->cls) != 0;
    for (uint32_t i = 0; !in && i < s->n; i++) {
        const cp_range r = re->ranges[s->first + i];
        in = c->cp >= r.lo && c->cp <= r.hi;
    }
    in = in != s->negate;
    return in && (s->also < 0 || set_has(re, &re->sets[s->also], c));
}

/* ------------------------------------------------------------------ parsing */

typedef struct parser {
    const char *start, *p, *end;
    tok_re *re;
    node *nodes;
    size_t n_nodes;
    bool fold; /* inside (?i: */
    int depth;
    lf_status st;
    lf_err *err;
} parser;

static int32_t parse_alt(parser *ps);

static int32_t fail_at(parser *ps, lf_status code, const char *what)
{
    if (ps->st == LF_OK)
        ps->st = lf_fail(ps->err, code, "tokenizer pattern '%.*s': %s at byte %d",
                         (int)(ps->end - ps->start > 120 ? 120 : ps->end - ps->start), ps->start,
                         what, (int)(ps->p - ps->start));
    ps->p = ps->end;
    return 0;
}

static int32_t new_node(parser *ps, node n)
{
    if (ps->n_nodes == MAX_NODES)
        return fail_at(ps, LF_ERR_LIMIT, "too many parts");
    ps->nodes[ps->n_nodes] = n;
    return (int32_t)ps->n_nodes++;
}

static int32_t new_set(parser *ps)
{
    if (ps->re->n_sets == MAX_SETS)
        return fail_at(ps, LF_ERR_LIMIT, "too many classes");
    ps->re->sets[ps->re->n_sets] = (cp_set){ .also = -1, .first = (uint32_t)ps->re->n_ranges };
    return (int32_t)ps->re->n_sets++;
}

static void add_range(parser *ps, uint32_t lo, uint32_t hi)
{
    if (ps->re->n_ranges == MAX_RANGES) {
        (void)fail_at(ps, LF_ERR_LIMIT, "too many ranges");
        return;
    }
    ps->re->ranges[ps->re->n_ranges++] = (cp_range){ lo, hi };
}

/* A literal, with its other case inside (?i:.  U+017F and U+212A fold to s and k. */
static void add_literal(parser *ps, uint32_t cp)
{
    add_range(ps, cp, cp);
    if (!ps->fold)
        return;
    const uint32_t lower = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    const uint32_t upper = (uint32_t)utf8proc_toupper((utf8proc_int32_t)cp);
    if (lower != cp)
        add_range(ps, lower, lower);
    if (upper != cp)
        add_range(ps, upper, upper);
    if (lower == 's')
        add_range(ps, 0x17F, 0x17F);
    if (lower == 'k')
        add_range(ps, 0x212A, 0x212A);
}

/* Fill the ASCII part once ranges and mask of a set are complete. */
static void close_set(parser *ps, int32_t i)
{
    tok_re *re = ps->re;
    cp_set *s = &re->sets[i];
    s->n = (uint32_t)re->n_ranges - s->first;
    for (uint32_t cp = 0; cp < 128; cp++) {
        bool in = (s->mask & tok_cls_of(cp)) != 0;
        for (uint32_t k = 0; !in && k < s->n; k++)
            in = cp >= re->ranges[s->first + k].lo && cp <= re->ranges[s->first + k].hi;
        in = in != s->negate;
        if (in && s->also >= 0)
            in = (re->sets[s->also].ascii[cp >> 6] >> (cp & 63)) & 1;
        if (in)
            s->ascii[cp >> 6] |= 1ull << (cp & 63);
    }
}

#define CAT(x)  (1u << UTF8PROC_CATEGORY_##x)
#define CAT_L   (CAT(LU) | CAT(LL) | CAT(LT) | CAT(LM) | CAT(LO))
#define CAT_M   (CAT(MN) | CAT(MC) | CAT(ME))
#define CAT_N   (CAT(ND) | CAT(NL) | CAT(NO))
#define CAT_P   (CAT(PC) | CAT(PD) | CAT(PS) | CAT(PE) | CAT(PI) | CAT(PF) | CAT(PO))
#define CAT_S   (CAT(SM) | CAT(SC) | CAT(SK) | CAT(SO))
#define CAT_Z   (CAT(ZS) | CAT(ZL) | CAT(ZP))
#define CAT_C   (CAT(CC) | CAT(CF) | CAT(CS) | CAT(CO) | CAT(CN))
#define CAT_ALL (CAT_L | CAT_M | CAT_N | CAT_P | CAT_S | CAT_Z | CAT_C)

static const struct {
    const char *name;
    uint32_t mask;
} category_names[] = {
    { "L", CAT_L },    { "M", CAT_M },    { "N", CAT_N },    { "P", CAT_P },    { "S", CAT_S },
    { "Z", CAT_Z },    { "C", CAT_C },    { "Lu", CAT(LU) }, { "Ll", CAT(LL) }, { "Lt", CAT(LT) },
    { "Lm", CAT(LM) }, { "Lo", CAT(LO) }, { "Mn", CAT(MN) }, { "Mc", CAT(MC) }, { "Me", CAT(ME) },
    { "Nd", CAT(ND) }, { "Nl", CAT(NL) }, { "No", CAT(NO) }, { "Pc", CAT(PC) }, { "Pd", CAT(PD) },
    { "Ps", CAT(PS) }, { "Pe", CAT(PE) }, { "Pi", CAT(PI) }, { "Pf", CAT(PF) }, { "Po", CAT(PO) },
    { "Sm", CAT(SM) }, { "Sc", CAT(SC) }, { "Sk", CAT(SK) }, { "So", CAT(SO) }, { "Zs", CAT(ZS) },
    { "Zl", CAT(ZL) }, { "Zp", CAT(ZP) }, { "Cc", CAT(CC) }, { "Cf", CAT(CF) }, { "Cs", CAT(CS) },
    { "Co", CAT(CO) }, { "Cn", CAT(CN) },
};

/* The blocks that lf_cp_is_han() knows and the signs of script Han beside them. */
static void add_han(parser *ps)
{
    static const cp_range han[] = {
        { 0x2E80, 0x2E99 },   { 0x2E9B, 0x2EF3 },   { 0x2F00, 0x2FD5 },   { 0x3005, 0x3005 },
        { 0x3007, 0x3007 },   { 0x3021, 0x3029 },   { 0x3038, 0x303B },   { 0x3400, 0x4DBF },
        { 0x4E00, 0x9FFF },   { 0xF900, 0xFA6D },   { 0xFA70, 0xFAD9 },   { 0x16FE2, 0x16FE3 },
        { 0x16FF0, 0x16FF1 }, { 0x20000, 0x2A6DF }, { 0x2A700, 0x2EBE0 }, { 0x2F800, 0x2FA1D },
        { 0x30000, 0x323AF }
    };
    for (size_t i = 0; i < sizeof(han) / sizeof(han[0]); i++)
        add_range(ps, han[i].lo, han[i].hi);
}

/* After "\p": {Name} or {^Name}. */
static void parse_category(parser *ps, int32_t set, bool negate)
{
    const char *close =
        ps->p < ps->end && *ps->p == '{' ? memchr(ps->p, '}', (size_t)(ps->end - ps->p)) : NULL;
    if (!close) {
        (void)fail_at(ps, LF_ERR_UNSUPPORTED, "\\p without {name}");
        return;
    }
    lf_str name = { ps->p + 1, (size_t)(close - ps->p - 1) };
    if (name.len && name.p[0] == '^') {
        negate = !negate;
        name.p++;
        name.len--;
    }
    for (size_t i = 0; i < sizeof(category_names) / sizeof(category_names[0]); i++) {
        if (lf_str_is(name, category_names[i].name)) {
            const uint32_t mask = category_names[i].mask;
            ps->re->sets[set].mask |= negate ? CAT_ALL & ~mask : mask;
            ps->p = close + 1;
            return;
        }
    }
    if (lf_str_is(name, "Han") && !negate) {
        add_han(ps);
        ps->p = close + 1;
        return;
    }
    (void)fail_at(ps, LF_ERR_UNSUPPORTED, "unknown \\p{name}");
}

static uint32_t parse_hex(parser *ps, int n_digits)
{
    uint32_t v = 0;
    for (int i = 0; i < n_digits; i++) {
        const char c = ps->p < ps->end ? *ps->p : 0;
        const int d = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
        if (d < 0) {
            (void)fail_at(ps, LF_ERR_FORMAT, "bad hexadecimal escape");
            return 0;
        }
        v = v * 16 + (uint32_t)d;
        ps->p++;
    }
    return v;
}

/* After a backslash: adds a class to `set` and returns false, or gives a literal. */
static bool parse_escape(parser *ps, int32_t set, uint32_t *literal)
{
    if (ps->p == ps->end) {
        (void)fail_at(ps, LF_ERR_FORMAT, "a backslash at the end");
        return false;
    }
    uint32_t *mask = &ps->re->sets[set].mask;
    const uint32_t word = CAT_L | CAT_M | CAT(ND) | CAT(PC);
    const char c = *ps->p++;
    switch (c) {
    case 's':
        *mask |= TOK_CLS_SPACE;
        return false;
    case 'S':
        *mask |= TOK_CLS_NONSPACE;
        return false;
    case 'd':
        *mask |= CAT(ND);
        return false;
    case 'D':
        *mask |= CAT_ALL & ~CAT(ND);
        return false;
    case 'w':
        *mask |= word;
        return false;
    case 'W':
        *mask |= CAT_ALL & ~word;
        return false;
    case 'p':
        parse_category(ps, set, false);
        return false;
    case 'P':
        parse_category(ps, set, true);
        return false;
    case 'n':
        *literal = '\n';
        return true;
    case 'r':
        *literal = '\r';
        return true;
    case 't':
        *literal = '\t';
        return true;
    case 'f':
        *literal = '\f';
        return true;
    case 'v':
        *literal = '\v';
        return true;
    case 'x':
        *literal = parse_hex(ps, 2);
        return true;
    case 'u':
        *literal = parse_hex(ps, 4);
        return true;
    default:
        break;
    }
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        (void)fail_at(ps, LF_ERR_UNSUPPORTED, "unknown escape");
        return false;
    }
    ps->p--;
    *literal = lf_utf8_next(&ps->p, ps->end);
    return true;
}

/* After '[': the class up to its ']'.  The intersection operand, if any, is a
 * set of its own that is parsed first into `also`. */
static int32_t parse_class(parser *ps)
{
    if (++ps->depth > MAX_DEPTH)
        return fail_at(ps, LF_ERR_LIMIT, "too deep");
    const bool negate = ps->p < ps->end && *ps->p == '^';
    if (negate)
        ps->p++;
    const int32_t set = new_set(ps);
    bool first = true;
    while (ps->st == LF_OK && ps->p < ps->end && (*ps->p != ']' || first)) {
        first = false;
        if (ps->end - ps->p >= 3 && memcmp(ps->p, "&&[", 3) == 0) {
            ps->p += 3;
            cp_set *s = &ps->re->sets[set];
            s->negate = negate;
            const uint32_t n_own = (uint32_t)ps->re->n_ranges - s->first;
            const int32_t also = parse_class(ps);
            if (ps->st != LF_OK || ps->p == ps->end || *ps->p != ']')
                return fail_at(ps, LF_ERR_UNSUPPORTED, "text after a class intersection");
            /* The operand's ranges follow ours: close over our own alone. */
            const size_t n_all = ps->re->n_ranges;
            ps->re->n_ranges = s->first + n_own;
            s->also = also;
            close_set(ps, set);
            ps->re->n_ranges = n_all;
            ps->p++;
            ps->depth--;
            return set;
        }
        uint32_t lo = 0, hi;
        if (*ps->p == '[')
            return fail_at(ps, LF_ERR_UNSUPPORTED, "a class in a class");
        if (*ps->p == '\\') {
            ps->p++;
            if (!parse_escape(ps, set, &lo))
                continue;
        } else {
            lo = lf_utf8_next(&ps->p, ps->end);
        }
        if (ps->end - ps->p < 2 || ps->p[0] != '-' || ps->p[1] == ']') {
            add_literal(ps, lo);
            continue;
        }
        ps->p++;
        if (*ps->p == '\\') {
            ps->p++;
            if (!parse_escape(ps, set, &hi))
                return fail_at(ps, LF_ERR_FORMAT, "a range that ends in a class");
        } else {
            hi = lf_utf8_next(&ps->p, ps->end);
        }
        if (hi < lo)
            return fail_at(ps, LF_ERR_FORMAT, "a range that runs backwards");
        add_range(ps, lo, hi);
    }
    if (ps->p == ps->end)
        return fail_at(ps, LF_ERR_FORMAT, "a class without ']'");
    ps->p++;
    ps->re->sets[set].negate = negate;
    close_set(ps, set);
    ps->depth--;
    return set;
}

static int32_t parse_group(parser *ps)
{
    if (++ps->depth > MAX_DEPTH)
        return fail_at(ps, LF_ERR_LIMIT, "too deep");
    const bool fold = ps->fold;
    node n = { .kind = N_EMPTY };
    const size_t left = (size_t)(ps->end - ps->p);
    if (left >= 2 && ps->p[0] == '?') {
        if (ps->p[1] == ':') {
            ps->p += 2;
        } else if (ps->p[1] == '=' || ps->p[1] == '!') {
            n = (node){ .kind = N_LOOK, .flag = ps->p[1] == '!' };
            ps->p += 2;
        } else if (ps->p[1] == '>') {
            n.kind = N_ATOMIC;
            ps->p += 2;
        } else if (left >= 3 && ps->p[1] == 'i' && ps->p[2] == ':') {
            ps->fold = true;
            ps->p += 3;
        } else {
            return fail_at(ps, LF_ERR_UNSUPPORTED, "unknown (? group");
        }
    }
    const int32_t body = parse_alt(ps);
    if (ps->p == ps->end || *ps->p != ')')
        return fail_at(ps, LF_ERR_FORMAT, "a group without ')'");
    ps->p++;
    ps->fold = fold;
    ps->depth--;
    if (n.kind == N_EMPTY)
        return body;
    n.a = body;
    return new_node(ps, n);
}

static int32_t parse_atom(parser *ps)
{
    const char c = *ps->p;
    if (c == '(') {
        ps->p++;
        return parse_group(ps);
    }
    if (c == '[') {
        ps->p++;
        const int32_t set = parse_class(ps);
        return new_node(ps, (node){ .kind = N_SET, .a = set });
    }
    if (c == '^' || c == '$') {
        ps->p++;
        return new_node(ps, (node){ .kind = N_ASSERT, .a = c == '^' ? ASSERT_BEGIN : ASSERT_END });
    }
    if (c == '*' || c == '+' || c == '?')
        return fail_at(ps, LF_ERR_FORMAT, "a repetition of nothing");
    if (c == '\\' && ps->end - ps->p >= 2 && (ps->p[1] == 'b' || ps->p[1] == 'B')) {
        ps->p += 2;
        return new_node(
            ps, (node){ .kind = N_ASSERT, .a = ps->p[-1] == 'b' ? ASSERT_WORD : ASSERT_NOT_WORD });
    }
    const int32_t set = new_set(ps);
    if (ps->st != LF_OK)
        return 0;
    if (c == '.') {
        ps->p++;
        add_range(ps, '\n', '\n');
        ps->re->sets[set].negate = true;
    } else if (c == '\\') {
        uint32_t literal;
        ps->p++;
        if (parse_escape(ps, set, &literal))
            add_literal(ps, literal);
    } else {
        add_literal(ps, lf_utf8_next(&ps->p, ps->end));
    }
    close_set(ps, set);
    return new_node(ps, (node){ .kind = N_SET, .a = set });
}

static uint32_t parse_count(parser *ps)
{
    uint32_t v = 0;
    while (ps->p < ps->end && *ps->p >= '0' && *ps->p <= '9' && v <= MAX_REPEAT)
        v = v * 10 + (uint32_t)(*ps->p++ - '0');
    if (v > MAX_REPEAT)
        (void)fail_at(ps, LF_ERR_LIMIT, "a repetition over 1000");
    return v;
}

/* {n}, {n,}, {,m} or {n,m}; a '{' that is none of these is a literal. */
static bool parse_braces(parser *ps, node *r)
{
    const char *q = ps->p + 1;
    while (q < ps->end && ((*q >= '0' && *q <= '9') || *q == ','))
        q++;
    if (q == ps->end || *q != '}' || q == ps->p + 1)
        return false;
    ps->p++;
    r->min = parse_count(ps);
    r->max = r->min;
    if (ps->p < ps->end && *ps->p == ',') {
        ps->p++;
        r->max = *ps->p == '}' ? UINT32_MAX : parse_count(ps);
    }
    if (ps->st != LF_OK || ps->p == ps->end || *ps->p != '}' || r->max < r->min) {
        (void)fail_at(ps, LF_ERR_FORMAT, "a bad {n,m}");
        return false;
    }
    ps->p++;
    return true;
}

static int32_t parse_repeat(parser *ps)
{
    int32_t a = parse_atom(ps);
    while (ps->st == LF_OK && ps->p < ps->end) {
        node r = { .kind = N_REP, .a = a };
        const char c = *ps->p;
        if (c == '*' || c == '+' || c == '?') {
            ps->p++;
            r.min = c == '+';
            r.max = c == '?' ? 1 : UINT32_MAX;
        } else if (c != '{' || !parse_braces(ps, &r)) {
            break;
        }
        if (ps->p < ps->end && *ps->p == '?')
            return fail_at(ps, LF_ERR_UNSUPPORTED, "a lazy repetition");
        if (ps->p < ps->end && *ps->p == '+') {
            r.flag = true;
            ps->p++;
        }
        a = new_node(ps, r);
    }
    return a;
}

static int32_t parse_cat(parser *ps)
{
    int32_t left = -1;
    while (ps->st == LF_OK && ps->p < ps->end && *ps->p != '|' && *ps->p != ')') {
        const int32_t right = parse_repeat(ps);
        left = left < 0 ? right : new_node(ps, (node){ .kind = N_CAT, .a = left, .b = right });
    }
    return left < 0 ? new_node(ps, (node){ .kind = N_EMPTY }) : left;
}

static int32_t parse_alt(parser *ps)
{
    /* Right-leaning, so that alternatives are tried in order. */
    const int32_t left = parse_cat(ps);
    if (ps->st != LF_OK || ps->p == ps->end || *ps->p != '|')
        return left;
    if (++ps->depth > 8 * MAX_DEPTH)
        return fail_at(ps, LF_ERR_LIMIT, "too many alternatives");
    ps->p++;
    const int32_t right = parse_alt(ps);
    ps->depth--;
    return new_node(ps, (node){ .kind = N_ALT, .a = left, .b = right });
}

/* ---------------------------------------------------------------- compiling */

typedef struct first_set { /* what a match of a node can begin with */
    uint64_t ascii[2];
    bool other, nullable;
} first_set;

static first_set first_of(const parser *ps, int32_t at)
{
    const node *n = &ps->nodes[at];
    first_set f = { .nullable = true };
    switch (n->kind) {
    case N_SET: {
        const cp_set *s = &ps->re->sets[n->a];
        return (first_set){ .ascii = { s->ascii[0], s->ascii[1] }, .other = true };
    }
    case N_CAT: {
        f = first_of(ps, n->a);
        if (!f.nullable)
            return f;
        const first_set g = first_of(ps, n->b);
        f.ascii[0] |= g.ascii[0];
        f.ascii[1] |= g.ascii[1];
        f.nullable = g.nullable;
        break;
    }
    case N_ALT: {
        f = first_of(ps, n->a);
        const first_set g = first_of(ps, n->b);
        f.ascii[0] |= g.ascii[0];
        f.ascii[1] |= g.ascii[1];
        f.nullable |= g.nullable;
        break;
    }
    case N_REP:
        f = first_of(ps, n->a);
        f.nullable |= n->min == 0;
        break;
    case N_ATOMIC:
        return first_of(ps, n->a);
    case N_EMPTY:
    case N_LOOK:
    case N_ASSERT:
        break;
    }
    f.other = true;
    return f;
}

static int32_t emit(parser *ps, inst i)
{
    if (ps->re->n_inst == MAX_INST)
        return fail_at(ps, LF_ERR_LIMIT, "too long a program");
    ps->re->prog[ps->re->n_inst] = i;
    return (int32_t)ps->re->n_inst++;
}

/* The set of what a match of node `at` can begin with; -1 when it may be empty.
 * Any code point from U+0080 is taken to begin it. */
static int32_t guard_of(parser *ps, int32_t at)
{
    const first_set f = first_of(ps, at);
    if (f.nullable)
        return -1;
    const int32_t set = new_set(ps);
    cp_set *s = &ps->re->sets[set];
    s->ascii[0] = f.ascii[0];
    s->ascii[1] = f.ascii[1];
    s->mask = UINT32_MAX;
    return set;
}

/* A SPLIT whose first branch is guarded by what node `at` can begin with. */
static int32_t emit_split(parser *ps, int32_t at)
{
    const int32_t set = guard_of(ps, at);
    return emit(ps, (inst){ .op = OP_SPLIT, .set = set });
}

static void compile(parser *ps, int32_t at);

static void compile_body(parser *ps, op_code op, int32_t body, bool negative)
{
    const int32_t pc = emit(ps, (inst){ .op = (uint8_t)op, .min = negative });
    compile(ps, body);
    (void)emit(ps, (inst){ .op = OP_MATCH });
    ps->re->prog[pc].a = (int32_t)ps->re->n_inst;
}

static void compile_repeat(parser *ps, const node *n)
{
    if (ps->nodes[n->a].kind == N_SET) {
        (void)emit(ps, (inst){ .op = n->flag ? OP_RUN_KEEP : OP_RUN,
                               .a = ps->nodes[n->a].a,
                               .min = n->min,
                               .max = n->max });
        return;
    }
    for (uint32_t i = 0; i < n->min && ps->st == LF_OK; i++)
        compile(ps, n->a);
    if (n->max == UINT32_MAX) {
        const int32_t split = emit_split(ps, n->a);
        ps->re->prog[split].a = split + 1;
        compile(ps, n->a);
        (void)emit(ps, (inst){ .op = OP_JMP, .a = split });
        ps->re->prog[split].b = (int32_t)ps->re->n_inst;
        return;
    }
    for (uint32_t i = n->min; i < n->max && ps->st == LF_OK; i++) {
        /* Each optional copy falls through to the next: leaving at copy i and
         * failing all later ones end at the same place. */
        const int32_t split = emit_split(ps, n->a);
        ps->re->prog[split].a = split + 1;
        compile(ps, n->a);
        ps->re->prog[split].b = (int32_t)ps->re->n_inst;
    }
}

static void compile(parser *ps, int32_t at)
{
    if (ps->st != LF_OK)
        return;
    const node n = ps->nodes[at];
    switch (n.kind) {
    case N_EMPTY:
        break;
    case N_SET:
        (void)emit(ps, (inst){ .op = OP_SET, .a = n.a });
        break;
    case N_CAT:
        compile(ps, n.a);
        compile(ps, n.b);
        break;
    case N_ALT: {
        const int32_t split = emit_split(ps, n.a);
        ps->re->prog[split].a = split + 1;
        compile(ps, n.a);
        const int32_t jump = emit(ps, (inst){ .op = OP_JMP });
        ps->re->prog[split].b = (int32_t)ps->re->n_inst;
        compile(ps, n.b);
        ps->re->prog[jump].a = (int32_t)ps->re->n_inst;
        break;
    }
    case N_REP:
        if (n.flag && ps->nodes[n.a].kind != N_SET) {
            node plain = n;
            plain.flag = false;
            compile_body(ps, OP_ATOMIC, new_node(ps, plain), false);
        } else {
            compile_repeat(ps, &n);
        }
        break;
    case N_LOOK:
        compile_body(ps, OP_LOOK, n.a, n.flag);
        break;
    case N_ATOMIC:
        compile_body(ps, OP_ATOMIC, n.a, false);
        break;
    case N_ASSERT:
        (void)emit(ps, (inst){ .op = OP_ASSERT, .a = n.a });
        break;
    }
}

/* Give back what the fixed-size tables of parsing did not need. */
static void *shrink(void *p, size_t n_bytes)
{
    void *q = lf_realloc(p, n_bytes ? n_bytes : 1);
    return q ? q : p;
}

lf_status tok_re_open(const char *pattern, size_t n_bytes, tok_re **out, lf_err *err)
{
    lf_status st = LF_OK;
    parser ps = { .start = pattern, .p = pattern, .end = pattern + n_bytes, .err = err };
    tok_re *re = lf_calloc(1, sizeof(*re));
    ps.nodes = lf_alloc(MAX_NODES * sizeof(*ps.nodes));
    if (re) {
        re->prog = lf_alloc(MAX_INST * sizeof(*re->prog));
        re->sets = lf_alloc(MAX_SETS * sizeof(*re->sets));
        re->ranges = lf_alloc(MAX_RANGES * sizeof(*re->ranges));
    }
    if (!re || !ps.nodes || !re->prog || !re->sets || !re->ranges) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a tokenizer pattern");
        goto done;
    }
    ps.re = re;
    const int32_t root = parse_alt(&ps);
    if (ps.st == LF_OK && ps.p != ps.end)
        (void)fail_at(&ps, LF_ERR_FORMAT, "a ')' too many");
    compile(&ps, root);
    if (ps.st == LF_OK) {
        (void)emit(&ps, (inst){ .op = OP_MATCH });
        re->start = guard_of(&ps, root);
    }
    st = ps.st;
    if (st != LF_OK)
        goto done;
    re->prog = shrink(re->prog, re->n_inst * sizeof(*re->prog));
    re->sets = shrink(re->sets, re->n_sets * sizeof(*re->sets));
    re->ranges = shrink(re->ranges, re->n_ranges * sizeof(*re->ranges));
    *out = re;
    re = NULL;
done:
    lf_free(ps.nodes);
    tok_re_close(re);
    return st;
}

void tok_re_close(tok_re *re)
{
    if (!re)
        return;
    lf_free(re->prog);
    lf_free(re->sets);
    lf_free(re->ranges);
    lf_free(re);
}

/* ----------------------------------------------------------------- matching */

typedef struct matcher {
    const tok_re *re;
    tok_re_stack *s;
    const tok_char *c;
    size_t begin, end;
    uint32_t steps;
    bool failed, no_memory;
} matcher;

void tok_re_stack_release(tok_re_stack *s)
{
    lf_free(s->alt);
    *s = (tok_re_stack){ 0 };
}

static void push(matcher *m, int32_t pc, size_t pos, size_t min_pos)
{
    tok_re_stack *s = m->s;
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 64;
        tok_re_alt *p = cap > MAX_STACK ? NULL : lf_realloc(s->alt, cap * sizeof(*p));
        if (!p) {
            m->failed = true;
            m->no_memory = cap <= MAX_STACK;
            return;
        }
        s->alt = p;
        s->cap = cap;
    }
    s->alt[s->n++] = (tok_re_alt){ pc, pos, min_pos };
}

static bool is_word(const matcher *m, size_t at)
{
    return at >= m->begin && at < m->end &&
           (m->c[at].cls & (CAT_L | CAT_M | CAT(ND) | CAT(PC))) != 0;
}

static bool holds(const matcher *m, int32_t which, size_t at)
{
    const bool edge = (at > m->begin && is_word(m, at - 1)) != is_word(m, at);
    switch (which) {
    case ASSERT_BEGIN:
        return at == m->begin;
    case ASSERT_END:
        return at == m->end;
    case ASSERT_WORD:
        return edge;
    default:
        return !edge;
    }
}

static size_t run_length(const matcher *m, const inst *i, size_t pos)
{
    const cp_set *s = &m->re->sets[i->a];
    const size_t most = i->max < m->end - pos ? i->max : m->end - pos;
    size_t k = 0;
    while (k < most && set_has(m->re, s, &m->c[pos + k]))
        k++;
    return k;
}

/* Run the program from `pc` at `pos`; the stack above its height on entry is
 * this call's own.  Lookaround bodies recurse, at most MAX_DEPTH deep. */
static size_t run(matcher *m, int32_t pc, size_t pos)
{
    const size_t base = m->s->n;
    const inst *prog = m->re->prog;
    size_t result = SIZE_MAX;
    for (;;) {
        const inst *i = &prog[pc];
        bool ok = true;
        if (++m->steps > STEPS_PER_MATCH)
            m->failed = true;
        if (m->failed)
            break;
        switch ((op_code)i->op) {
        case OP_SET:
            ok = pos < m->end && set_has(m->re, &m->re->sets[i->a], &m->c[pos]);
            pos++;
            pc++;
            break;
        case OP_RUN:
        case OP_RUN_KEEP: {
            const size_t k = run_length(m, i, pos);
            ok = k >= i->min;
            if (ok && k > i->min && i->op == OP_RUN)
                push(m, pc + 1, pos + k - 1, pos + i->min);
            pos += k;
            pc++;
            break;
        }
        case OP_SPLIT:
            if (i->set >= 0 &&
                (pos >= m->end || !set_has(m->re, &m->re->sets[i->set], &m->c[pos]))) {
                pc = i->b;
            } else {
                push(m, i->b, pos, pos);
                pc = i->a;
            }
            break;
        case OP_JMP:
            pc = i->a;
            break;
        case OP_LOOK:
            ok = (run(m, pc + 1, pos) != SIZE_MAX) != (i->min != 0);
            pc = i->a;
            break;
        case OP_ATOMIC: {
            const size_t to = run(m, pc + 1, pos);
            ok = to != SIZE_MAX;
            pos = to;
            pc = i->a;
            break;
        }
        case OP_ASSERT:
            ok = holds(m, i->a, pos);
            pc++;
            break;
        case OP_MATCH:
            result = pos;
            break;
        }
        if (result != SIZE_MAX)
            break;
        if (ok)
            continue;
        if (m->s->n == base)
            break;
        tok_re_alt *alt = &m->s->alt[m->s->n - 1];
        pc = alt->pc;
        pos = alt->pos;
        if (alt->pos > alt->min_pos)
            alt->pos--;
        else
            m->s->n--;
    }
    m->s->n = base;
    return result;
}

lf_status tok_re_find(const tok_re *re, tok_re_stack *s, const tok_char *c, size_t begin,
                      size_t end, size_t at, size_t *from, size_t *to, lf_err *err)
{
    matcher m = { .re = re, .s = s, .c = c, .begin = begin, .end = end };
    const cp_set *start = re->start >= 0 ? &re->sets[re->start] : NULL;
    s->n = 0;
    for (; at <= end; at++) {
        if (start && (at == end || !set_has(re, start, &c[at])))
            continue;
        m.steps = 0;
        const size_t r = run(&m, 0, at);
        if (m.no_memory)
            return lf_fail(err, LF_ERR_NOMEM, "no memory to split text for the tokenizer");
        if (m.failed)
            return lf_fail(err, LF_ERR_LIMIT,
                           "splitting text for the tokenizer: a pattern took over %d steps at one "
                           "place",
                           STEPS_PER_MATCH);
        if (r != SIZE_MAX) {
            *from = at;
            *to = r;
            return LF_OK;
        }
    }
    *from = SIZE_MAX;
    return LF_OK;
}

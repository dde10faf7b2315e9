/* model/chat_parse.c - tokens to a tree, by recursive descent.
 *
 * The grammar and the order of operators are Jinja's: inline if, or, and, not,
 * comparisons (chained), + -, ~, * / // %, **, sign, then calls, attributes,
 * subscripts, filters and tests. */
#include <string.h>

#include "model/chat_int.h"

typedef struct parser {
    const token *t;
    lf_arena *arena;
    uint32_t depth, loops;
    lf_status st;
    lf_err *err;
} parser;

static node *parse_expr(parser *p);
static node *parse_body(parser *p, const char *const *ends);

static void *fail(parser *p, lf_status code, const char *what, lf_str s)
{
    if (p->st == LF_OK)
        p->st = lf_fail(p->err, code, "chat template, line %u: %s%s%.*s%s", p->t->line, what,
                        s.len ? " '" : "", (int)(s.len > 60 ? 60 : s.len), s.len ? s.p : "",
                        s.len ? "'" : "");
    return NULL;
}

static node *make(parser *p, node_kind kind)
{
    node *n = lf_arena_alloc(p->arena, sizeof(*n));
    if (!n)
        return fail(p, LF_ERR_NOMEM, "no memory", (lf_str){ 0 });
    n->kind = kind;
    n->line = p->t->line;
    return n;
}

static bool is_op(const parser *p, const char *op)
{
    return p->t->kind == T_OP && lf_str_is(p->t->s, op);
}

static bool is_name(const parser *p, const char *name)
{
    return p->t->kind == T_NAME && lf_str_is(p->t->s, name);
}

static void next(parser *p)
{
    if (p->t->kind != T_END)
        p->t++;
}

static bool skip_op(parser *p, const char *op)
{
    if (!is_op(p, op))
        return false;
    next(p);
    return true;
}

static bool skip_name(parser *p, const char *name)
{
    if (!is_name(p, name))
        return false;
    next(p);
    return true;
}

static bool need_op(parser *p, const char *op)
{
    if (skip_op(p, op))
        return true;
    (void)fail(p, LF_ERR_FORMAT, "expected", lf_str_of(op));
    return false;
}

static lf_str need_name(parser *p)
{
    const lf_str s = p->t->s;
    if (p->t->kind != T_NAME) {
        (void)fail(p, LF_ERR_FORMAT, "expected a name", (lf_str){ 0 });
        return (lf_str){ 0 };
    }
    next(p);
    return s;
}

/* -------------------------------------------------------------- expressions */

static node *parse_args(parser *p)
{
    node *first = NULL, **tail = &first;
    while (p->st == LF_OK && !is_op(p, ")")) {
        lf_str keyword = { 0 };
        if (is_op(p, "*") || is_op(p, "**"))
            return fail(p, LF_ERR_UNSUPPORTED, "argument unpacking is not known", p->t->s);
        if (p->t->kind == T_NAME && p->t[1].kind == T_OP && lf_str_is(p->t[1].s, "=")) {
            keyword = p->t->s;
            p->t += 2;
        }
        node *a = parse_expr(p);
        if (!a)
            return NULL;
        a->keyword = keyword;
        *tail = a;
        tail = &a->next;
        if (!skip_op(p, ","))
            break;
    }
    (void)need_op(p, ")");
    return first;
}

static node *parse_items(parser *p, node *into, const char *close)
{
    node **tail = &into->list;
    while (p->st == LF_OK && !is_op(p, close)) {
        node *a = parse_expr(p);
        if (!a)
            return NULL;
        *tail = a;
        tail = &a->next;
        if (!skip_op(p, ","))
            break;
    }
    return need_op(p, close) ? into : NULL;
}

static node *parse_dict(parser *p)
{
    node *d = make(p, E_DICT);
    node **tail = d ? &d->list : NULL;
    while (d && p->st == LF_OK && !is_op(p, "}")) {
        node *k = parse_expr(p);
        if (!k || !need_op(p, ":"))
            return NULL;
        node *v = parse_expr(p);
        if (!v)
            return NULL;
        *tail = k;
        k->next = v;
        tail = &v->next;
        if (!skip_op(p, ","))
            break;
    }
    return d && need_op(p, "}") ? d : NULL;
}

static node *parse_const(parser *p, val v)
{
    node *n = make(p, E_CONST);
    if (n)
        n->v = v;
    next(p);
    return n;
}

/* Neighbouring string literals are one. */
static node *parse_string(parser *p)
{
    lf_str s = p->t->s;
    node *n = parse_const(p, val_str(s));
    while (n && p->t->kind == T_STRING) {
        char *both = lf_arena_alloc(p->arena, s.len + p->t->s.len + 1);
        if (!both)
            return fail(p, LF_ERR_NOMEM, "no memory", (lf_str){ 0 });
        memcpy(both, s.p, s.len);
        memcpy(both + s.len, p->t->s.p, p->t->s.len);
        s = (lf_str){ both, s.len + p->t->s.len };
        n->v = val_str(s);
        next(p);
    }
    return n;
}

/* After '(': grouping or a tuple. */
static node *parse_paren(parser *p)
{
    if (skip_op(p, ")"))
        return make(p, E_TUPLE);
    node *first = parse_expr(p);
    if (!first || !is_op(p, ","))
        return first && need_op(p, ")") ? first : NULL;
    node *t = make(p, E_TUPLE);
    if (!t)
        return NULL;
    next(p);
    node *rest = parse_items(p, t, ")");
    if (!rest)
        return NULL;
    first->next = t->list;
    t->list = first;
    return t;
}

static node *parse_primary(parser *p)
{
    const token *t = p->t;
    switch (t->kind) {
    case T_STRING:
        return parse_string(p);
    case T_INT:
        return parse_const(p, val_int(t->i));
    case T_FLOAT:
        return parse_const(p, val_float(t->d));
    case T_NAME: {
        if (is_name(p, "true") || is_name(p, "True"))
            return parse_const(p, val_bool(true));
        if (is_name(p, "false") || is_name(p, "False"))
            return parse_const(p, val_bool(false));
        if (is_name(p, "none") || is_name(p, "None"))
            return parse_const(p, val_none());
        node *n = make(p, E_NAME);
        if (n)
            n->name = t->s;
        next(p);
        return n;
    }
    case T_OP:
        if (skip_op(p, "("))
            return parse_paren(p);
        if (skip_op(p, "[")) {
            node *n = make(p, E_LIST);
            return n ? parse_items(p, n, "]") : NULL;
        }
        if (skip_op(p, "{"))
            return parse_dict(p);
        return fail(p, LF_ERR_FORMAT, "unexpected", t->s);
    default:
        return fail(p, LF_ERR_FORMAT, "an expression is missing", (lf_str){ 0 });
    }
}

/* After '[': an index or a slice. */
static node *parse_subscript(parser *p, node *of)
{
    node *part[3] = { NULL, NULL, NULL };
    int n = 0;
    bool slice = false;
    while (p->st == LF_OK && !is_op(p, "]")) {
        if (skip_op(p, ":")) {
            slice = true;
            if (++n > 2)
                return fail(p, LF_ERR_FORMAT, "a slice with too many parts", (lf_str){ 0 });
            continue;
        }
        if (part[n])
            return fail(p, LF_ERR_FORMAT, "expected ']'", (lf_str){ 0 });
        part[n] = parse_expr(p);
    }
    if (!need_op(p, "]") || (!slice && !part[0]))
        return fail(p, LF_ERR_FORMAT, "an empty subscript", (lf_str){ 0 });
    node *s = make(p, slice ? E_SLICE : E_ITEM);
    if (!s)
        return NULL;
    s->a = of;
    if (!slice) {
        s->b = part[0];
        return s;
    }
    s->b = part[0];
    s->c = part[1];
    s->body = part[2]; /* the step */
    return s;
}

static node *parse_postfix(parser *p, node *n)
{
    while (n && p->st == LF_OK) {
        if (skip_op(p, ".")) {
            node *a = NULL;
            if (p->t->kind == T_INT) { /* x.0 is x[0] */
                a = make(p, E_ITEM);
                if (a)
                    a->b = parse_const(p, val_int(p->t->i));
            } else {
                a = make(p, E_ATTR);
                if (a)
                    a->name = need_name(p);
            }
            if (!a)
                return NULL;
            a->a = n;
            n = a;
        } else if (skip_op(p, "[")) {
            n = parse_subscript(p, n);
        } else if (skip_op(p, "(")) {
            node *call = make(p, E_CALL);
            if (!call)
                return NULL;
            call->a = n;
            call->list = parse_args(p);
            n = call;
        } else {
            break;
        }
    }
    return p->st == LF_OK ? n : NULL;
}

static node *parse_filter(parser *p, node *n)
{
    node *f = make(p, E_FILTER);
    if (!f)
        return NULL;
    f->a = n;
    f->name = need_name(p);
    if (skip_op(p, "("))
        f->list = parse_args(p);
    return f;
}

/* A test may take its one argument without parentheses. */
static bool starts_bare_argument(const parser *p)
{
    if (p->t->kind == T_STRING || p->t->kind == T_INT || p->t->kind == T_FLOAT)
        return true;
    if (p->t->kind == T_NAME)
        return !is_name(p, "else") && !is_name(p, "or") && !is_name(p, "and") &&
               !is_name(p, "is") && !is_name(p, "if") && !is_name(p, "not") && !is_name(p, "in");
    return is_op(p, "[") || is_op(p, "{");
}

static node *parse_test(parser *p, node *n)
{
    node *t = make(p, E_TEST);
    if (!t)
        return NULL;
    t->a = n;
    t->negated = skip_name(p, "not");
    t->name = need_name(p);
    if (lf_str_is(t->name, "not") || (p->st == LF_OK && !chat_has_test(t->name)))
        return fail(p, LF_ERR_UNSUPPORTED, "no test is called", t->name);
    if (skip_op(p, "(")) {
        t->list = parse_args(p);
    } else if (starts_bare_argument(p)) {
        node *a = parse_primary(p);
        t->list = parse_postfix(p, a);
    }
    return p->st == LF_OK ? t : NULL;
}

static node *parse_unary(parser *p, bool with_filter)
{
    if (++p->depth > CHAT_MAX_TREE_DEPTH)
        return fail(p, LF_ERR_LIMIT, "an expression that is nested too deep", (lf_str){ 0 });
    node *n;
    if (is_op(p, "-") || is_op(p, "+")) {
        n = make(p, is_op(p, "-") ? E_NEG : E_POS);
        next(p);
        if (n)
            n->a = parse_unary(p, false);
    } else {
        n = parse_primary(p);
    }
    n = parse_postfix(p, n);
    while (with_filter && n && p->st == LF_OK) {
        if (skip_op(p, "|"))
            n = parse_filter(p, n);
        else if (skip_name(p, "is"))
            n = parse_test(p, n);
        else if (is_op(p, "("))
            n = parse_postfix(p, n);
        else
            break;
    }
    p->depth--;
    return p->st == LF_OK ? n : NULL;
}

static node *binary(parser *p, node_kind kind, op_kind op, node *a, node *b)
{
    node *n = a && b ? make(p, kind) : NULL;
    if (n) {
        n->op = op;
        n->a = a;
        n->b = b;
    }
    return n;
}

static node *parse_pow(parser *p)
{
    node *n = parse_unary(p, true);
    while (n && skip_op(p, "**"))
        n = binary(p, E_BINARY, OP_POW, n, parse_unary(p, true));
    return n;
}

static node *parse_product(parser *p)
{
    node *n = parse_pow(p);
    while (n && p->st == LF_OK) {
        const op_kind op = is_op(p, "*")    ? OP_MUL
                           : is_op(p, "/")  ? OP_DIV
                           : is_op(p, "//") ? OP_FLOORDIV
                           : is_op(p, "%")  ? OP_MOD
                                            : OP_NONE;
        if (op == OP_NONE)
            break;
        next(p);
        n = binary(p, E_BINARY, op, n, parse_pow(p));
    }
    return n;
}

static node *parse_concat(parser *p)
{
    node *n = parse_product(p);
    if (!n || !is_op(p, "~"))
        return n;
    node *cat = make(p, E_CONCAT);
    if (!cat)
        return NULL;
    cat->list = n;
    while (n && skip_op(p, "~")) {
        n->next = parse_product(p);
        n = n->next;
    }
    return n ? cat : NULL;
}

static node *parse_sum(parser *p)
{
    node *n = parse_concat(p);
    while (n && (is_op(p, "+") || is_op(p, "-"))) {
        const op_kind op = is_op(p, "+") ? OP_ADD : OP_SUB;
        next(p);
        n = binary(p, E_BINARY, op, n, parse_concat(p));
    }
    return n;
}

static op_kind comparison(parser *p)
{
    static const struct {
        const char *text;
        op_kind op;
    } ops[] = { { "==", OP_EQ }, { "!=", OP_NE }, { "<", OP_LT },
                { "<=", OP_LE }, { ">", OP_GT },  { ">=", OP_GE } };
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (skip_op(p, ops[i].text))
            return ops[i].op;
    if (skip_name(p, "in"))
        return OP_IN;
    if (is_name(p, "not") && p->t[1].kind == T_NAME && lf_str_is(p->t[1].s, "in")) {
        p->t += 2;
        return OP_NOT_IN;
    }
    return OP_NONE;
}

static node *parse_compare(parser *p)
{
    node *n = parse_sum(p);
    node *cmp = NULL, **tail = NULL;
    while (n && p->st == LF_OK) {
        const op_kind op = comparison(p);
        if (op == OP_NONE)
            break;
        if (!cmp) {
            cmp = make(p, E_COMPARE);
            if (!cmp)
                return NULL;
            cmp->a = n;
            tail = &cmp->list;
        }
        node *b = parse_sum(p);
        if (!b)
            return NULL;
        b->cmp = op;
        *tail = b;
        tail = &b->next;
    }
    return cmp ? cmp : n;
}

static node *parse_not(parser *p)
{
    if (!skip_name(p, "not"))
        return parse_compare(p);
    if (++p->depth > CHAT_MAX_TREE_DEPTH)
        return fail(p, LF_ERR_LIMIT, "an expression that is nested too deep", (lf_str){ 0 });
    node *n = make(p, E_NOT);
    if (n)
        n->a = parse_not(p);
    p->depth--;
    return n && n->a ? n : NULL;
}

static node *parse_and(parser *p)
{
    node *n = parse_not(p);
    while (n && skip_name(p, "and"))
        n = binary(p, E_AND, OP_NONE, n, parse_not(p));
    return n;
}

static node *parse_or(parser *p)
{
    node *n = parse_and(p);
    while (n && skip_name(p, "or"))
        n = binary(p, E_OR, OP_NONE, n, parse_and(p));
    return n;
}

static node *parse_expr(parser *p)
{
    if (++p->depth > CHAT_MAX_TREE_DEPTH)
        return fail(p, LF_ERR_LIMIT, "an expression that is nested too deep", (lf_str){ 0 });
    node *n = parse_or(p);
    while (n && skip_name(p, "if")) {
        node *cond = make(p, E_COND);
        if (!cond)
            return NULL;
        cond->b = n;
        cond->a = parse_or(p);
        if (cond->a && skip_name(p, "else")) {
            cond->c = parse_expr(p);
            if (!cond->c)
                return NULL;
        }
        n = cond->a ? cond : NULL;
    }
    p->depth--;
    return p->st == LF_OK ? n : NULL;
}

/* An expression or a tuple without parentheses. */
static node *parse_tuple(parser *p)
{
    node *first = parse_expr(p);
    if (!first || !is_op(p, ","))
        return first;
    node *t = make(p, E_TUPLE);
    if (!t)
        return NULL;
    t->list = first;
    while (first && skip_op(p, ",")) {
        if (p->t->kind == T_BLOCK_END || p->t->kind == T_VAR_END)
            break;
        first->next = parse_expr(p);
        first = first->next;
    }
    return p->st == LF_OK ? t : NULL;
}

/* --------------------------------------------------------------- statements */

static bool end_block(parser *p)
{
    if (p->t->kind == T_BLOCK_END) {
        next(p);
        return true;
    }
    (void)fail(p, LF_ERR_FORMAT, "expected '%}' before", p->t->s);
    return false;
}

/* Whether the tokens are {% NAME with NAME one of `names`. */
static bool at_tag(const parser *p, const char *const *names)
{
    if (p->t->kind != T_BLOCK_BEGIN || p->t[1].kind != T_NAME)
        return false;
    for (; *names; names++)
        if (lf_str_is(p->t[1].s, *names))
            return true;
    return false;
}

/* Body up to {% end %}, which is taken. */
static node *body_to(parser *p, const char *end)
{
    const char *const ends[] = { end, NULL };
    node *b = parse_body(p, ends);
    if (p->st == LF_OK) {
        p->t += 2;
        /* {% endmacro name %} and its like: the name is for the reader. */
        if (p->t->kind == T_NAME)
            next(p);
        (void)end_block(p);
    }
    return b;
}

/* Names that a value is given to: a, (a, b), or ns.a. */
static node *parse_target(parser *p, bool attributes)
{
    node *first = NULL, **tail = &first;
    const bool paren = skip_op(p, "(");
    bool tuple = paren;
    do {
        if (first && (is_name(p, "in") || is_op(p, "=") || is_op(p, ")")))
            break;
        node *n = make(p, E_NAME);
        if (!n)
            return NULL;
        n->name = need_name(p);
        if (attributes && skip_op(p, ".")) {
            node *attr = make(p, E_ATTR);
            if (!attr)
                return NULL;
            attr->name = need_name(p);
            attr->a = n;
            n = attr;
        }
        *tail = n;
        tail = &n->next;
        tuple = tuple || is_op(p, ",");
    } while (p->st == LF_OK && skip_op(p, ","));
    if (paren)
        (void)need_op(p, ")");
    if (!tuple || p->st != LF_OK)
        return p->st == LF_OK ? first : NULL;
    node *t = make(p, E_TUPLE);
    if (t)
        t->list = first;
    return t;
}

static node *parse_if(parser *p)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    node *n = make(p, S_IF);
    if (!n)
        return NULL;
    n->a = parse_tuple(p);
    if (!n->a || !end_block(p))
        return NULL;
    n->body = parse_body(p, ends);
    if (p->st != LF_OK)
        return NULL;
    p->t++;
    if (skip_name(p, "elif")) {
        if (++p->depth > CHAT_MAX_TREE_DEPTH)
            return fail(p, LF_ERR_LIMIT, "too many elif", (lf_str){ 0 });
        n->otherwise = parse_if(p);
        p->depth--;
        return n->otherwise ? n : NULL;
    }
    if (skip_name(p, "else")) {
        if (!end_block(p))
            return NULL;
        n->otherwise = body_to(p, "endif");
        return n;
    }
    next(p); /* endif */
    return end_block(p) ? n : NULL;
}

static node *parse_for(parser *p)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    node *n = make(p, S_FOR);
    if (!n)
        return NULL;
    n->list = parse_target(p, false);
    if (!n->list)
        return NULL;
    if (!skip_name(p, "in"))
        return fail(p, LF_ERR_FORMAT, "expected 'in' in a for", (lf_str){ 0 });
    /* The iterable may not swallow the loop's own `if`. */
    n->a = parse_or(p);
    if (n->a && is_op(p, ",")) {
        node *t = make(p, E_TUPLE);
        if (!t)
            return NULL;
        t->list = n->a;
        for (node *last = n->a; last && skip_op(p, ","); last = last->next)
            last->next = parse_or(p);
        n->a = t;
    }
    if (n->a && skip_name(p, "if"))
        n->b = parse_expr(p);
    if (p->st == LF_OK && is_name(p, "recursive"))
        return fail(p, LF_ERR_UNSUPPORTED, "recursive loops are not known", (lf_str){ 0 });
    if (p->st != LF_OK || !end_block(p))
        return NULL;
    p->loops++;
    n->body = parse_body(p, ends);
    p->loops--;
    if (p->st != LF_OK)
        return NULL;
    p->t++;
    if (skip_name(p, "else")) {
        if (!end_block(p))
            return NULL;
        n->otherwise = body_to(p, "endfor");
        return n;
    }
    next(p); /* endfor */
    return end_block(p) ? n : NULL;
}

static node *parse_set(parser *p)
{
    node *n = make(p, S_SET);
    if (!n)
        return NULL;
    n->list = parse_target(p, true);
    if (!n->list)
        return NULL;
    if (skip_op(p, "=")) {
        n->a = parse_tuple(p);
        return n->a && end_block(p) ? n : NULL;
    }
    n->kind = S_SET_BLOCK;
    while (p->st == LF_OK && skip_op(p, "|")) /* for the body's text */
        n->c = parse_filter(p, n->c);
    if (p->st != LF_OK || !end_block(p))
        return NULL;
    n->body = body_to(p, "endset");
    return n;
}

/* "(a, b=1)" of a macro or call block. */
static node *parse_params(parser *p)
{
    node *first = NULL, **tail = &first;
    while (p->st == LF_OK && !is_op(p, ")")) {
        node *n = make(p, E_NAME);
        if (!n)
            return NULL;
        n->name = need_name(p);
        if (skip_op(p, "="))
            n->a = parse_expr(p);
        *tail = n;
        tail = &n->next;
        if (!skip_op(p, ","))
            break;
    }
    (void)need_op(p, ")");
    return first;
}

static node *parse_macro(parser *p)
{
    node *n = make(p, S_MACRO);
    if (!n)
        return NULL;
    n->name = need_name(p);
    if (!need_op(p, "("))
        return NULL;
    n->list = parse_params(p);
    if (p->st != LF_OK || !end_block(p))
        return NULL;
    const uint32_t loops = p->loops;
    p->loops = 0;
    n->body = body_to(p, "endmacro");
    p->loops = loops;
    return n;
}

/* {% call(x) macro(...) %}: the body is a macro named caller. */
static node *parse_call(parser *p)
{
    node *n = make(p, S_CALL);
    node *caller = n ? make(p, S_MACRO) : NULL;
    if (!caller)
        return NULL;
    caller->name = lf_str_of("caller");
    if (skip_op(p, "("))
        caller->list = parse_params(p);
    if (p->st == LF_OK)
        n->a = parse_expr(p);
    if (!n->a || !end_block(p))
        return NULL;
    if (n->a->kind != E_CALL)
        return fail(p, LF_ERR_FORMAT, "a call block needs a macro call", (lf_str){ 0 });
    n->b = caller;
    caller->body = body_to(p, "endcall");
    return n;
}

static node *parse_filter_block(parser *p)
{
    node *n = make(p, S_FILTER);
    if (!n)
        return NULL;
    node *f = parse_filter(p, NULL);
    while (p->st == LF_OK && skip_op(p, "|"))
        f = parse_filter(p, f);
    n->c = f;
    if (p->st != LF_OK || !end_block(p))
        return NULL;
    n->body = body_to(p, "endfilter");
    return n;
}

static node *parse_with(parser *p)
{
    node *n = make(p, S_WITH);
    node **tail = n ? &n->list : NULL;
    while (n && p->st == LF_OK && p->t->kind != T_BLOCK_END) {
        node *v = make(p, E_NAME);
        if (!v)
            return NULL;
        v->name = need_name(p);
        if (!need_op(p, "="))
            return NULL;
        v->a = parse_expr(p);
        *tail = v;
        tail = &v->next;
        if (!skip_op(p, ","))
            break;
    }
    if (!n || p->st != LF_OK || !end_block(p))
        return NULL;
    n->body = body_to(p, "endwith");
    return n;
}

static node *parse_jump(parser *p, node_kind kind)
{
    if (p->loops == 0)
        return fail(p, LF_ERR_FORMAT, "break or continue outside a loop", (lf_str){ 0 });
    node *n = make(p, kind);
    return n && end_block(p) ? n : NULL;
}

static node *parse_statement(parser *p)
{
    const lf_str name = need_name(p);
    if (lf_str_is(name, "if"))
        return parse_if(p);
    if (lf_str_is(name, "for"))
        return parse_for(p);
    if (lf_str_is(name, "set"))
        return parse_set(p);
    if (lf_str_is(name, "macro"))
        return parse_macro(p);
    if (lf_str_is(name, "call"))
        return parse_call(p);
    if (lf_str_is(name, "filter"))
        return parse_filter_block(p);
    if (lf_str_is(name, "with"))
        return parse_with(p);
    if (lf_str_is(name, "break"))
        return parse_jump(p, S_BREAK);
    if (lf_str_is(name, "continue"))
        return parse_jump(p, S_CONTINUE);
    if (lf_str_is(name, "do")) {
        node *n = make(p, S_DO);
        if (n)
            n->a = parse_tuple(p);
        return n && n->a && end_block(p) ? n : NULL;
    }
    if (lf_str_is(name, "generation")) { /* marks what the assistant said: only its text */
        node *n = make(p, S_SCOPE);
        if (!n || !end_block(p))
            return NULL;
        n->body = body_to(p, "endgeneration");
        return n;
    }
    if (p->st != LF_OK)
        return NULL;
    return fail(p, LF_ERR_UNSUPPORTED, "no statement is called", name);
}

static node *parse_body(parser *p, const char *const *ends)
{
    node *first = NULL, **tail = &first;
    if (++p->depth > CHAT_MAX_TREE_DEPTH)
        return fail(p, LF_ERR_LIMIT, "blocks that are nested too deep", (lf_str){ 0 });
    while (p->st == LF_OK) {
        node *n = NULL;
        if (p->t->kind == T_TEXT) {
            n = make(p, S_TEXT);
            if (n)
                n->v = val_str(p->t->s);
            next(p);
        } else if (p->t->kind == T_VAR_BEGIN) {
            next(p);
            n = make(p, S_OUTPUT);
            if (n)
                n->a = parse_tuple(p);
            if (p->st == LF_OK && p->t->kind != T_VAR_END)
                (void)fail(p, LF_ERR_FORMAT, "expected '}}' before", p->t->s);
            next(p);
        } else if (p->t->kind == T_BLOCK_BEGIN) {
            if (ends && at_tag(p, ends))
                break;
            next(p);
            n = parse_statement(p);
        } else {
            if (ends)
                (void)fail(p, LF_ERR_FORMAT, "the template ends without", lf_str_of(ends[0]));
            break;
        }
        if (n) {
            *tail = n;
            tail = &n->next;
        }
    }
    p->depth--;
    return p->st == LF_OK ? first : NULL;
}

lf_status chat_parse(const token_list *tokens, lf_arena *arena, node **root, lf_err *err)
{
    parser p = { .t = tokens->v, .arena = arena, .err = err };
    *root = parse_body(&p, NULL);
    if (p.st == LF_OK && p.t->kind != T_END)
        (void)fail(&p, LF_ERR_FORMAT, "unexpected", p.t->s);
    return p.st;
}

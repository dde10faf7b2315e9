/* model/chat_eval.c - runs a template's tree over values.
 *
 * Scopes nest as in Jinja: a loop's body, a macro, a call and a with block have
 * their own names, an if has not; `set` writes to the innermost scope.  Each
 * node evaluated counts as a step, steps, depth, memory and output are bounded,
 * so that no template can hang or exhaust the process. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "model/chat_int.h"

typedef struct var {
    lf_str name;
    val v;
    struct var *next;
} var;

val chat_fail(ctx *c, lf_status code, const char *fmt, ...)
{
    if (c->st == LF_OK) {
        char text[400];
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        /* A failed allocation of an arena that is nearly full is its limit. */
        if (code == LF_ERR_NOMEM && c->arena.used_bytes > CHAT_MAX_MEMORY / 2)
            code = LF_ERR_LIMIT;
        c->st = lf_fail(c->err, code, "chat template, line %u: %s", c->line, text);
    }
    return val_none();
}

/* ------------------------------------------------------------------- scopes */

static val *find_in(const scope *s, lf_str name)
{
    for (var *v = s->vars; v; v = v->next)
        if (v->name.len == name.len && memcmp(v->name.p, name.p, name.len) == 0)
            return &v->v;
    return NULL;
}

static val lookup(ctx *c, lf_str name)
{
    for (const scope *s = c->scope; s; s = s->parent) {
        const val *v = find_in(s, name);
        if (v)
            return *v;
    }
    return chat_global(name);
}

static void assign(ctx *c, lf_str name, val v)
{
    val *old = find_in(c->scope, name);
    if (old) {
        *old = v;
        return;
    }
    var *n = lf_arena_alloc(&c->arena, sizeof(*n));
    if (!n) {
        (void)chat_fail(c, LF_ERR_NOMEM, "no memory for a variable");
        return;
    }
    *n = (var){ .name = name, .v = v, .next = c->scope->vars };
    c->scope->vars = n;
}

/* Give values to a name, a namespace attribute or a tuple of names. */
static void assign_to(ctx *c, const node *target, val v)
{
    if (c->st != LF_OK)
        return;
    if (target->kind == E_NAME) {
        assign(c, target->name, v);
        return;
    }
    if (target->kind == E_ATTR) {
        const val o = lookup(c, target->a->name);
        if (o.kind != V_NAMESPACE)
            (void)chat_fail(c, LF_ERR_ARG,
                            "only a namespace's attributes can be set, not those of %s",
                            val_type(o));
        else
            val_put(c, o, val_str(target->name), v);
        return;
    }
    const val items = val_items(c, v, "unpacking");
    size_t i = 0;
    for (const node *n = target->list; c->st == LF_OK && n; n = n->next, i++) {
        if (i >= items.list->n)
            break;
        assign_to(c, n, items.list->v[i]);
    }
    size_t n_targets = 0;
    for (const node *n = target->list; n; n = n->next)
        n_targets++;
    if (c->st == LF_OK && n_targets != items.list->n)
        (void)chat_fail(c, LF_ERR_ARG, "%zu values for %zu names", items.list->n, n_targets);
}

/* -------------------------------------------------------------- expressions */

val chat_arg(const args *a, size_t i, const char *name)
{
    for (size_t k = 0; k < a->n_kw; k++)
        if (lf_str_is(a->names[k], name))
            return a->kw[k];
    return i < a->n_pos ? a->pos[i] : val_undef((lf_str){ 0 });
}

bool chat_has_arg(const args *a, size_t i, const char *name)
{
    for (size_t k = 0; k < a->n_kw; k++)
        if (lf_str_is(a->names[k], name))
            return true;
    return i < a->n_pos;
}

static args eval_args(ctx *c, const node *list)
{
    args a = { 0 };
    size_t n = 0;
    for (const node *p = list; p; p = p->next)
        n++;
    if (n == 0)
        return a;
    a.pos = lf_arena_alloc(&c->arena, n * sizeof(*a.pos));
    a.kw = lf_arena_alloc(&c->arena, n * sizeof(*a.kw));
    a.names = lf_arena_alloc(&c->arena, n * sizeof(*a.names));
    if (!a.pos || !a.kw || !a.names) {
        (void)chat_fail(c, LF_ERR_NOMEM, "no memory for arguments");
        return (args){ 0 };
    }
    for (const node *p = list; c->st == LF_OK && p; p = p->next) {
        const val v = chat_eval(c, p);
        if (p->keyword.len) {
            a.names[a.n_kw] = p->keyword;
            a.kw[a.n_kw++] = v;
        } else {
            a.pos[a.n_pos++] = v;
        }
    }
    return a;
}

static val loop_attr(ctx *c, const val_loop *l, lf_str name)
{
    const size_t n = l->items->n;
    if (lf_str_is(name, "index"))
        return val_int((int64_t)l->at + 1);
    if (lf_str_is(name, "index0"))
        return val_int((int64_t)l->at);
    if (lf_str_is(name, "revindex"))
        return val_int((int64_t)(n - l->at));
    if (lf_str_is(name, "revindex0"))
        return val_int((int64_t)(n - l->at) - 1);
    if (lf_str_is(name, "first"))
        return val_bool(l->at == 0);
    if (lf_str_is(name, "last"))
        return val_bool(l->at + 1 == n);
    if (lf_str_is(name, "length"))
        return val_int((int64_t)n);
    if (lf_str_is(name, "depth"))
        return val_int((int64_t)l->depth);
    if (lf_str_is(name, "depth0"))
        return val_int((int64_t)l->depth - 1);
    if (lf_str_is(name, "previtem"))
        return l->at ? l->items->v[l->at - 1] : val_undef(name);
    if (lf_str_is(name, "nextitem"))
        return l->at + 1 < n ? l->items->v[l->at + 1] : val_undef(name);
    (void)c;
    return val_undef(name);
}

static val bind(ctx *c, val o, lf_str name)
{
    val_method *m = lf_arena_alloc(&c->arena, sizeof(*m));
    if (!m)
        return chat_fail(c, LF_ERR_NOMEM, "no memory for a method");
    *m = (val_method){ .self = o, .name = name };
    return (val){ .kind = V_METHOD, .m = m };
}

static val undefined_use(ctx *c, val o, lf_str name)
{
    return chat_fail(c, LF_ERR_ARG, "'%.*s' is undefined, so it has no '%.*s'",
                     (int)(o.s.len > 80 ? 80 : o.s.len), o.s.len ? o.s.p : "",
                     (int)(name.len > 80 ? 80 : name.len), name.len ? name.p : "");
}

val chat_attr(ctx *c, val o, lf_str name)
{
    if (o.kind == V_UNDEF)
        return undefined_use(c, o, name);
    if (chat_is_method(o, name))
        return bind(c, o, name);
    if (o.kind == V_DICT || o.kind == V_NAMESPACE) {
        const val *v = val_get_str(o.dict, name);
        return v ? *v : val_undef(name);
    }
    if (o.kind == V_LOOP)
        return loop_attr(c, o.loop, name);
    if (o.kind == V_MACRO && lf_str_is(name, "name"))
        return val_str(o.macro->def->name);
    return val_undef(name);
}

val chat_item(ctx *c, val o, val key)
{
    if (o.kind == V_UNDEF)
        return undefined_use(c, o, key.kind == V_STR ? key.s : lf_str_of("item"));
    if (o.kind == V_DICT) {
        const val *v = val_get(o.dict, key);
        if (v)
            return *v;
        return key.kind == V_STR ? chat_attr(c, o, key.s) : val_undef(lf_str_of("item"));
    }
    const bool index = key.kind == V_INT || key.kind == V_BOOL;
    if (index && (o.kind == V_LIST || o.kind == V_TUPLE || o.kind == V_STR)) {
        const int64_t at = key.kind == V_BOOL ? key.b : key.i;
        const val items = val_items(c, o, "subscript");
        if (c->st != LF_OK)
            return items;
        const int64_t n = (int64_t)items.list->n;
        const int64_t i = at < 0 ? at + n : at;
        return i >= 0 && i < n ? items.list->v[i] : val_undef(lf_str_of("list item"));
    }
    if (key.kind == V_STR)
        return chat_attr(c, o, key.s);
    return val_undef(lf_str_of("item"));
}

static val overflow(ctx *c)
{
    return chat_fail(c, LF_ERR_LIMIT, "whole numbers over 64 bits");
}

static val int_op(ctx *c, op_kind op, int64_t a, int64_t b)
{
    int64_t r = 0;
    bool over = false;
    switch (op) {
    case OP_ADD:
        over = __builtin_add_overflow(a, b, &r);
        break;
    case OP_SUB:
        over = __builtin_sub_overflow(a, b, &r);
        break;
    case OP_MUL:
        over = __builtin_mul_overflow(a, b, &r);
        break;
    case OP_FLOORDIV:
    case OP_MOD:
        if (b == 0)
            return chat_fail(c, LF_ERR_ARG, "division by zero");
        if (b == -1)
            return op == OP_MOD ? val_int(0) : int_op(c, OP_SUB, 0, a);
        r = a / b;
        if (a % b != 0 && (a < 0) != (b < 0)) /* towards minus infinity */
            r--;
        if (op == OP_MOD)
            r = a - r * b;
        break;
    default:
        r = 1;
        for (int64_t i = 0; i < b && !over && i < 64; i++)
            over = __builtin_mul_overflow(r, a, &r);
        over = over || (b >= 64 && a > 1);
        break;
    }
    return over ? overflow(c) : val_int(r);
}

static val num_op(ctx *c, op_kind op, val a, val b)
{
    const double x = val_num(a), y = val_num(b);
    if (a.kind != V_FLOAT && b.kind != V_FLOAT && op != OP_DIV && !(op == OP_POW && y < 0))
        return int_op(c, op, a.kind == V_BOOL ? a.b : a.i, b.kind == V_BOOL ? b.b : b.i);
    if (y == 0 && (op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD))
        return chat_fail(c, LF_ERR_ARG, "division by zero");
    switch (op) {
    case OP_ADD:
        return val_float(x + y);
    case OP_SUB:
        return val_float(x - y);
    case OP_MUL:
        return val_float(x * y);
    case OP_DIV:
        return val_float(x / y);
    case OP_FLOORDIV:
        return val_float(floor(x / y));
    case OP_MOD:
        return val_float(x - floor(x / y) * y);
    default:
        return val_float(pow(x, y));
    }
}

static val join_str(ctx *c, lf_str a, lf_str b)
{
    char *p = lf_arena_alloc(&c->arena, a.len + b.len + 1);
    if (!p)
        return chat_fail(c, LF_ERR_NOMEM, "no memory for text");
    if (a.len)
        memcpy(p, a.p, a.len);
    if (b.len)
        memcpy(p + a.len, b.p, b.len);
    return val_str((lf_str){ p, a.len + b.len });
}

static val repeat(ctx *c, val v, int64_t n)
{
    if (v.kind == V_STR) {
        lf_buf b = { 0 };
        if (n > 0 && v.s.len > CHAT_MAX_OUTPUT / (size_t)n)
            return chat_fail(c, LF_ERR_LIMIT, "text over %d bytes", CHAT_MAX_OUTPUT);
        for (int64_t i = 0; i < n; i++)
            lf_buf_add(&b, v.s.p, v.s.len);
        return val_from_buf(c, &b);
    }
    const val out = val_list_new(c, v.kind);
    for (int64_t i = 0; c->st == LF_OK && i < n; i++) {
        if (++c->steps > CHAT_MAX_STEPS)
            return chat_fail(c, LF_ERR_LIMIT, "more than %d steps", CHAT_MAX_STEPS);
        for (size_t k = 0; c->st == LF_OK && k < v.list->n; k++)
            val_push(c, out, v.list->v[k]);
    }
    return out;
}

static val binary(ctx *c, op_kind op, val a, val b)
{
    if (c->st != LF_OK)
        return val_none();
    if (val_is_num(a) && val_is_num(b))
        return num_op(c, op, a, b);
    if (op == OP_ADD && a.kind == V_STR && b.kind == V_STR) {
        val both = join_str(c, b.markup && !a.markup ? val_as_str(c, chat_escape(c, a.s)) : a.s,
                            a.markup && !b.markup ? val_as_str(c, chat_escape(c, b.s)) : b.s);
        both.markup = (a.markup || b.markup) && both.kind == V_STR;
        return both;
    }
    if (op == OP_ADD && a.kind == b.kind && (a.kind == V_LIST || a.kind == V_TUPLE)) {
        const val out = val_list_new(c, a.kind);
        for (size_t i = 0; c->st == LF_OK && i < a.list->n; i++)
            val_push(c, out, a.list->v[i]);
        for (size_t i = 0; c->st == LF_OK && i < b.list->n; i++)
            val_push(c, out, b.list->v[i]);
        return out;
    }
    const bool a_seq = a.kind == V_STR || a.kind == V_LIST || a.kind == V_TUPLE;
    const bool b_seq = b.kind == V_STR || b.kind == V_LIST || b.kind == V_TUPLE;
    if (op == OP_MUL && a_seq && b.kind == V_INT)
        return repeat(c, a, b.i);
    if (op == OP_MUL && b_seq && a.kind == V_INT)
        return repeat(c, b, a.i);
    if (op == OP_MOD && a.kind == V_STR) {
        const val list[1] = { b };
        args f = { .pos = (val *)list, .n_pos = 1 };
        if (b.kind == V_TUPLE)
            f = (args){ .pos = b.list->v, .n_pos = b.list->n };
        return chat_filter(c, lf_str_of("format"), a, &f);
    }
    if (a.kind == V_UNDEF || b.kind == V_UNDEF)
        return undefined_use(c, a.kind == V_UNDEF ? a : b, lf_str_of("value"));
    static const char *const signs[] = { "?", "+", "-", "*", "/", "//", "%", "**" };
    return chat_fail(c, LF_ERR_ARG, "%s %s %s is not possible", val_type(a), signs[op],
                     val_type(b));
}

static bool compare(ctx *c, op_kind op, val a, val b)
{
    switch (op) {
    case OP_EQ:
        return val_eq(a, b);
    case OP_NE:
        return !val_eq(a, b);
    case OP_LT:
        return val_cmp(c, a, b) < 0;
    case OP_LE:
        return val_cmp(c, a, b) <= 0;
    case OP_GT:
        return val_cmp(c, a, b) > 0;
    case OP_GE:
        return val_cmp(c, a, b) >= 0;
    case OP_IN:
        return val_in(c, a, b);
    default:
        return !val_in(c, a, b);
    }
}

static val eval_compare(ctx *c, const node *n)
{
    val left = chat_eval(c, n->a);
    for (const node *o = n->list; c->st == LF_OK && o; o = o->next) {
        const val right = chat_eval(c, o);
        if (c->st != LF_OK || !compare(c, o->cmp, left, right))
            return val_bool(false);
        left = right;
    }
    return val_bool(true);
}

static val eval_items(ctx *c, const node *n)
{
    const val out = val_list_new(c, n->kind == E_LIST ? V_LIST : V_TUPLE);
    for (const node *p = n->list; c->st == LF_OK && p; p = p->next)
        val_push(c, out, chat_eval(c, p));
    return out;
}

static val eval_dict(ctx *c, const node *n)
{
    const val out = val_dict_new(c, V_DICT);
    for (const node *p = n->list; c->st == LF_OK && p; p = p->next->next) {
        const val k = chat_eval(c, p);
        val_put(c, out, k, chat_eval(c, p->next));
    }
    return out;
}

static val eval_concat(ctx *c, const node *n)
{
    lf_buf b = { 0 };
    for (const node *p = n->list; c->st == LF_OK && p; p = p->next)
        val_text(c, chat_eval(c, p), &b);
    return val_from_buf(c, &b);
}

static val negate(ctx *c, val v)
{
    if (!val_is_num(v))
        return chat_fail(c, LF_ERR_ARG, "-%s is not possible", val_type(v));
    return v.kind == V_FLOAT ? val_float(-v.d) : int_op(c, OP_SUB, 0, v.kind == V_BOOL ? v.b : v.i);
}

/* Filters of a block have no operand of their own: `with` takes its place. */
static val eval_filter(ctx *c, const node *n, const val *with)
{
    const val v =
        n->a ? (n->a->kind == E_FILTER && with ? eval_filter(c, n->a, with) : chat_eval(c, n->a))
             : *with;
    const args a = eval_args(c, n->list);
    return c->st == LF_OK ? chat_filter(c, n->name, v, &a) : val_none();
}

static val eval_node(ctx *c, const node *n)
{
    switch (n->kind) {
    case E_CONST:
        return n->v;
    case E_NAME:
        return lookup(c, n->name);
    case E_LIST:
    case E_TUPLE:
        return eval_items(c, n);
    case E_DICT:
        return eval_dict(c, n);
    case E_ATTR: {
        const val o = chat_eval(c, n->a);
        return c->st == LF_OK ? chat_attr(c, o, n->name) : o;
    }
    case E_ITEM: {
        const val o = chat_eval(c, n->a), k = chat_eval(c, n->b);
        return c->st == LF_OK ? chat_item(c, o, k) : o;
    }
    case E_SLICE: {
        const val o = chat_eval(c, n->a);
        const val from = n->b ? chat_eval(c, n->b) : val_none();
        const val to = n->c ? chat_eval(c, n->c) : val_none();
        const val by = n->body ? chat_eval(c, n->body) : val_none();
        return c->st == LF_OK ? chat_slice(c, o, from, to, by) : o;
    }
    case E_CALL: {
        const val f = chat_eval(c, n->a);
        const args a = eval_args(c, n->list);
        c->line = n->line;
        return c->st == LF_OK ? chat_call(c, f, &a) : f;
    }
    case E_FILTER:
        return eval_filter(c, n, NULL);
    case E_TEST: {
        const val v = chat_eval(c, n->a);
        const args a = eval_args(c, n->list);
        return val_bool(c->st == LF_OK && chat_test(c, n->name, v, &a) != n->negated);
    }
    case E_NEG:
        return negate(c, chat_eval(c, n->a));
    case E_POS:
        return chat_eval(c, n->a);
    case E_NOT:
        return val_bool(!val_truth(chat_eval(c, n->a)));
    case E_AND: {
        const val a = chat_eval(c, n->a);
        return val_truth(a) ? chat_eval(c, n->b) : a;
    }
    case E_OR: {
        const val a = chat_eval(c, n->a);
        return val_truth(a) ? a : chat_eval(c, n->b);
    }
    case E_BINARY: {
        const val a = chat_eval(c, n->a), b = chat_eval(c, n->b);
        return binary(c, n->op, a, b);
    }
    case E_COMPARE:
        return eval_compare(c, n);
    case E_CONCAT:
        return eval_concat(c, n);
    case E_COND:
        if (val_truth(chat_eval(c, n->a)))
            return chat_eval(c, n->b);
        return n->c ? chat_eval(c, n->c) : val_undef(lf_str_of("inline if without else"));
    default:
        return chat_fail(c, LF_ERR_FORMAT, "not an expression");
    }
}

val chat_eval(ctx *c, const node *n)
{
    if (c->st != LF_OK)
        return val_none();
    if (++c->steps > CHAT_MAX_STEPS)
        return chat_fail(c, LF_ERR_LIMIT, "more than %d steps", CHAT_MAX_STEPS);
    if (c->depth >= CHAT_MAX_DEPTH)
        return chat_fail(c, LF_ERR_LIMIT, "nested deeper than %d", CHAT_MAX_DEPTH);
    c->depth++;
    c->line = n->line;
    const val v = eval_node(c, n);
    c->depth--;
    return v;
}

/* -------------------------------------------------------------------- calls */

/* Run statements with their output caught as a string. */
static val capture(ctx *c, const node *body)
{
    lf_buf text = { 0 };
    lf_buf *out = c->out;
    c->out = &text;
    chat_run(c, body);
    c->out = out;
    return val_from_buf(c, &text);
}

static val call_macro(ctx *c, const val_macro *m, const args *a)
{
    scope *caller = c->scope;
    scope *own = lf_arena_alloc(&c->arena, sizeof(*own)); /* macros defined inside keep it */
    if (!own)
        return chat_fail(c, LF_ERR_NOMEM, "no memory for a macro");
    own->parent = m->scope;
    c->scope = own;
    size_t i = 0;
    for (const node *p = m->def->list; c->st == LF_OK && p; p = p->next, i++) {
        val v = val_undef(p->name);
        bool given = i < a->n_pos;
        if (given)
            v = a->pos[i];
        for (size_t k = 0; k < a->n_kw; k++) {
            if (lf_str_eq(a->names[k], p->name)) {
                v = a->kw[k];
                given = true;
            }
        }
        if (!given && p->a)
            v = chat_eval(c, p->a);
        assign(c, p->name, v);
    }
    if (c->st == LF_OK && a->n_pos > i)
        (void)chat_fail(c, LF_ERR_ARG, "the macro '%.*s' takes %zu arguments, not %zu",
                        (int)m->def->name.len, m->def->name.p, i, a->n_pos);
    for (size_t k = 0; c->st == LF_OK && k < a->n_kw; k++)
        if (lf_str_is(a->names[k], "caller"))
            assign(c, a->names[k], a->kw[k]);
    const int flow = c->flow;
    const val out = capture(c, m->def->body);
    c->flow = flow;
    c->scope = caller;
    return out;
}

val chat_call(ctx *c, val f, const args *a)
{
    switch (f.kind) {
    case V_MACRO: {
        if (c->depth >= CHAT_MAX_DEPTH)
            return chat_fail(c, LF_ERR_LIMIT, "nested deeper than %d", CHAT_MAX_DEPTH);
        c->depth += 8; /* macros that call themselves use more stack than expressions */
        const val v = call_macro(c, f.macro, a);
        c->depth -= 8;
        return v;
    }
    case V_FUNC:
        return chat_func(c, f.s, a);
    case V_METHOD:
        return chat_method(c, f.m, a);
    case V_UNDEF:
        return chat_fail(c, LF_ERR_ARG, "'%.*s' is undefined and can't be called",
                         (int)(f.s.len > 80 ? 80 : f.s.len), f.s.len ? f.s.p : "");
    default:
        return chat_fail(c, LF_ERR_ARG, "%s can't be called", val_type(f));
    }
}

/* --------------------------------------------------------------- statements */

/* The items of a loop that its `if` lets through. */
static val loop_items(ctx *c, const node *n)
{
    const val all = val_items(c, chat_eval(c, n->a), "for");
    if (!n->b || c->st != LF_OK)
        return all;
    const val some = val_list_new(c, V_LIST);
    scope *outer = c->scope;
    for (size_t i = 0; c->st == LF_OK && i < all.list->n; i++) {
        scope own = { .parent = outer };
        c->scope = &own;
        assign_to(c, n->list, all.list->v[i]);
        if (val_truth(chat_eval(c, n->b)))
            val_push(c, some, all.list->v[i]);
    }
    c->scope = outer;
    return some;
}

static void run_for(ctx *c, const node *n)
{
    const val items = loop_items(c, n);
    if (c->st != LF_OK)
        return;
    val_loop *loop = lf_arena_alloc(&c->arena, sizeof(*loop));
    scope *outer = c->scope;
    if (!loop) {
        (void)chat_fail(c, LF_ERR_NOMEM, "no memory for a loop");
        return;
    }
    /* The items are fixed now, though a list that grows is out of reach anyway. */
    *loop = (val_loop){ .items = items.list, .depth = 1, .changed = val_undef((lf_str){ 0 }) };
    const size_t n_items = items.list->n;
    for (size_t i = 0; c->st == LF_OK && i < n_items; i++) {
        scope *own = lf_arena_alloc(&c->arena, sizeof(*own)); /* macros may keep it */
        if (!own) {
            (void)chat_fail(c, LF_ERR_NOMEM, "no memory for a loop");
            break;
        }
        own->parent = outer;
        c->scope = own;
        loop->at = i;
        assign(c, lf_str_of("loop"), (val){ .kind = V_LOOP, .loop = loop });
        assign_to(c, n->list, items.list->v[i]);
        chat_run(c, n->body);
        const int flow = c->flow;
        c->flow = 0;
        if (flow == S_BREAK)
            break;
    }
    c->scope = outer;
    if (c->st == LF_OK && n_items == 0)
        chat_run(c, n->otherwise);
}

static void run_macro(ctx *c, const node *n, val *out)
{
    val_macro *m = lf_arena_alloc(&c->arena, sizeof(*m));
    if (!m) {
        (void)chat_fail(c, LF_ERR_NOMEM, "no memory for a macro");
        return;
    }
    *m = (val_macro){ .def = n, .scope = c->scope };
    *out = (val){ .kind = V_MACRO, .macro = m };
}

/* {% call %}: the macro gets the body as `caller`. */
static void run_call(ctx *c, const node *n)
{
    val caller = val_none();
    run_macro(c, n->b, &caller);
    const val f = chat_eval(c, n->a->a);
    args a = eval_args(c, n->a->list);
    if (c->st != LF_OK)
        return;
    val *kw = lf_arena_alloc(&c->arena, (a.n_kw + 1) * sizeof(*kw));
    lf_str *names = lf_arena_alloc(&c->arena, (a.n_kw + 1) * sizeof(*names));
    if (!kw || !names) {
        (void)chat_fail(c, LF_ERR_NOMEM, "no memory for arguments");
        return;
    }
    for (size_t i = 0; i < a.n_kw; i++) {
        kw[i] = a.kw[i];
        names[i] = a.names[i];
    }
    kw[a.n_kw] = caller;
    names[a.n_kw] = lf_str_of("caller");
    a.kw = kw;
    a.names = names;
    a.n_kw++;
    val_text(c, chat_call(c, f, &a), c->out);
}

static void run_with(ctx *c, const node *n)
{
    scope *own = lf_arena_alloc(&c->arena, sizeof(*own));
    scope *outer = c->scope;
    if (!own) {
        (void)chat_fail(c, LF_ERR_NOMEM, "no memory for a with block");
        return;
    }
    own->parent = outer;
    for (const node *p = n->list; c->st == LF_OK && p; p = p->next) {
        c->scope = outer; /* values see the names outside */
        const val v = chat_eval(c, p->a);
        c->scope = own;
        assign(c, p->name, v);
    }
    c->scope = own;
    chat_run(c, n->body);
    c->scope = outer;
}

static void run_one(ctx *c, const node *n)
{
    switch (n->kind) {
    case S_TEXT:
        lf_buf_add(c->out, n->v.s.p, n->v.s.len);
        break;
    case S_OUTPUT:
        val_text(c, chat_eval(c, n->a), c->out);
        break;
    case S_IF:
        chat_run(c, val_truth(chat_eval(c, n->a)) ? n->body : n->otherwise);
        break;
    case S_FOR:
        run_for(c, n);
        break;
    case S_SET:
        assign_to(c, n->list, chat_eval(c, n->a));
        break;
    case S_SET_BLOCK: {
        val v = capture(c, n->body);
        if (n->c && c->st == LF_OK)
            v = eval_filter(c, n->c, &v);
        assign_to(c, n->list, v);
        break;
    }
    case S_MACRO: {
        val m = val_none();
        run_macro(c, n, &m);
        assign(c, n->name, m);
        break;
    }
    case S_CALL:
        run_call(c, n);
        break;
    case S_FILTER: {
        const val v = capture(c, n->body);
        if (c->st == LF_OK)
            val_text(c, eval_filter(c, n->c, &v), c->out);
        break;
    }
    case S_WITH:
        run_with(c, n);
        break;
    case S_DO:
        (void)chat_eval(c, n->a);
        break;
    case S_BREAK:
    case S_CONTINUE:
        c->flow = (int)n->kind;
        break;
    case S_SCOPE:
        chat_run(c, n->body);
        break;
    default:
        (void)chat_fail(c, LF_ERR_FORMAT, "not a statement");
        break;
    }
}

void chat_run(ctx *c, const node *list)
{
    if (c->st == LF_OK && c->depth >= CHAT_MAX_DEPTH) {
        (void)chat_fail(c, LF_ERR_LIMIT, "nested deeper than %d", CHAT_MAX_DEPTH);
        return;
    }
    c->depth++;
    for (const node *n = list; c->st == LF_OK && !c->flow && n; n = n->next) {
        c->line = n->line;
        if (++c->steps > CHAT_MAX_STEPS)
            (void)chat_fail(c, LF_ERR_LIMIT, "more than %d steps", CHAT_MAX_STEPS);
        else
            run_one(c, n);
        if (c->out->len > CHAT_MAX_OUTPUT)
            (void)chat_fail(c, LF_ERR_LIMIT, "more than %d bytes of output", CHAT_MAX_OUTPUT);
    }
    c->depth--;
}

/* ---------------------------------------------------------------- interface */

lf_status lf_chat_template_open(const char *source, size_t n_bytes, lf_chat_template **out,
                                lf_err *err)
{
    token_list tokens = { 0 };
    lf_status st = LF_OK;
    if (n_bytes > CHAT_MAX_SOURCE)
        return lf_fail(err, LF_ERR_LIMIT, "a chat template of %zu bytes: at most %d", n_bytes,
                       CHAT_MAX_SOURCE);
    lf_chat_template *t = lf_calloc(1, sizeof(*t));
    if (!t)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a chat template");
    lf_arena_init(&t->arena, 0);
    st = chat_lex(source, n_bytes, &t->arena, &tokens, err);
    if (st == LF_OK)
        st = chat_parse(&tokens, &t->arena, &t->root, err);
    lf_free(tokens.v);
    if (st == LF_OK) {
        *out = t;
        t = NULL;
    }
    lf_chat_template_close(t);
    return st;
}

void lf_chat_template_close(lf_chat_template *t)
{
    if (!t)
        return;
    lf_arena_release(&t->arena);
    lf_free(t);
}

lf_status lf_chat_render(const lf_chat_template *t, const json_t *vars, lf_buf *out, lf_err *err)
{
    ctx c = { .err = err, .now_ms = lf_clock_unix_ms() };
    scope globals = { 0 };
    lf_buf text = { 0 };
    const char *k;
    json_t *v;
    lf_arena_init(&c.arena, CHAT_MAX_MEMORY);
    c.out = &text;
    c.globals = c.scope = &globals;
    if (!json_is_object(vars))
        (void)chat_fail(&c, LF_ERR_ARG, "the variables are not a map");
    json_object_foreach((json_t *)vars, k, v)
    {
        if (c.st != LF_OK)
            break;
        if (strcmp(k, "now_unix_ms") == 0 && json_is_integer(v))
            c.now_ms = json_integer_value(v);
        assign(&c, lf_str_of(k), val_from_json(&c, v));
    }
    if (c.st == LF_OK)
        chat_run(&c, t->root);
    if (c.st == LF_OK) {
        lf_buf_add(out, lf_buf_cstr(&text), text.len);
        if (text.failed || out->failed)
            (void)chat_fail(&c, LF_ERR_NOMEM, "no memory for the prompt");
    }
    lf_buf_release(&text);
    lf_arena_release(&c.arena);
    return c.st;
}

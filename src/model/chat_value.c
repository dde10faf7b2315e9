/* model/chat_value.c - values of the template language, as Python has them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/chat_int.h"
#include "text/utf8.h"

enum { MAX_REPR_DEPTH = 64 };

val val_undef(lf_str name)
{
    return (val){ .kind = V_UNDEF, .s = name };
}

val val_none(void)
{
    return (val){ .kind = V_NONE };
}

val val_bool(bool b)
{
    return (val){ .kind = V_BOOL, .b = b };
}

val val_int(int64_t i)
{
    return (val){ .kind = V_INT, .i = i };
}

val val_float(double d)
{
    return (val){ .kind = V_FLOAT, .d = d };
}

val val_str(lf_str s)
{
    return (val){ .kind = V_STR, .s = s };
}

val val_cstr(const char *s)
{
    return val_str(lf_str_of(s));
}

static val no_memory(ctx *c)
{
    return chat_fail(c, LF_ERR_NOMEM, "no memory (a rendering may use %d MiB)",
                     CHAT_MAX_MEMORY >> 20);
}

val val_list_new(ctx *c, val_kind kind)
{
    val_list *l = lf_arena_alloc(&c->arena, sizeof(*l));
    return l ? (val){ .kind = kind, .list = l } : no_memory(c);
}

val val_dict_new(ctx *c, val_kind kind)
{
    val_dict *d = lf_arena_alloc(&c->arena, sizeof(*d));
    return d ? (val){ .kind = kind, .dict = d } : no_memory(c);
}

/* Room for one more in an array of the arena; the old one is left behind. */
static bool grow(ctx *c, val **v, size_t n, size_t cap)
{
    val *p = lf_arena_alloc(&c->arena, cap * sizeof(*p));
    if (!p) {
        (void)no_memory(c);
        return false;
    }
    if (n)
        memcpy(p, *v, n * sizeof(*p));
    *v = p;
    return true;
}

void val_push(ctx *c, val list, val item)
{
    if (c->st != LF_OK)
        return;
    val_list *l = list.list;
    if (l->n == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 8;
        if (!grow(c, &l->v, l->n, cap))
            return;
        l->cap = cap;
    }
    l->v[l->n++] = item;
}

val *val_get(const val_dict *d, val key)
{
    if (key.kind == V_STR)
        return val_get_str(d, key.s);
    for (size_t i = 0; i < d->n; i++)
        if (val_eq(d->k[i], key))
            return &d->v[i];
    return NULL;
}

val *val_get_str(const val_dict *d, lf_str key)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->k[i].kind == V_STR && lf_str_eq(d->k[i].s, key))
            return &d->v[i];
    return NULL;
}

void val_put(ctx *c, val dict, val key, val v)
{
    if (c->st != LF_OK)
        return;
    val_dict *d = dict.dict;
    val *old = val_get(d, key);
    if (old) {
        *old = v;
        return;
    }
    if (d->n == d->cap) {
        const size_t cap = d->cap ? d->cap * 2 : 8;
        if (!grow(c, &d->k, d->n, cap) || !grow(c, &d->v, d->n, cap))
            return;
        d->cap = cap;
    }
    d->k[d->n] = key;
    d->v[d->n++] = v;
}

val val_from_buf(ctx *c, lf_buf *b)
{
    const bool failed = b->failed;
    const lf_str s = { failed ? NULL : lf_arena_strndup(&c->arena, lf_buf_cstr(b), b->len),
                       b->len };
    lf_buf_release(b);
    return s.p ? val_str(s) : no_memory(c);
}

static val copy_str(ctx *c, const char *p, size_t n)
{
    const char *q = lf_arena_strndup(&c->arena, p, n);
    return q ? val_str((lf_str){ q, n }) : no_memory(c);
}

val val_from_json(ctx *c, const json_t *j)
{
    if (c->st != LF_OK || ++c->depth > CHAT_MAX_DEPTH)
        return chat_fail(c, LF_ERR_LIMIT, "values nested deeper than %d", CHAT_MAX_DEPTH);
    val v = val_none();
    switch (json_typeof(j)) {
    case JSON_OBJECT: {
        const char *k;
        json_t *item;
        v = val_dict_new(c, V_DICT);
        json_object_foreach((json_t *)j, k, item)
        {
            if (c->st != LF_OK)
                break;
            const val key = copy_str(c, k, strlen(k));
            val_put(c, v, key, val_from_json(c, item));
        }
        break;
    }
    case JSON_ARRAY:
        v = val_list_new(c, V_LIST);
        for (size_t i = 0; c->st == LF_OK && i < json_array_size(j); i++)
            val_push(c, v, val_from_json(c, json_array_get(j, i)));
        break;
    case JSON_STRING:
        v = copy_str(c, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        v = val_int(json_integer_value(j));
        break;
    case JSON_REAL:
        v = val_float(json_real_value(j));
        break;
    case JSON_TRUE:
        v = val_bool(true);
        break;
    case JSON_FALSE:
        v = val_bool(false);
        break;
    case JSON_NULL:
        break;
    }
    c->depth--;
    return v;
}

/* --------------------------------------------------------------- comparison */

bool val_truth(val v)
{
    switch (v.kind) {
    case V_UNDEF:
    case V_NONE:
        return false;
    case V_BOOL:
        return v.b;
    case V_INT:
        return v.i != 0;
    case V_FLOAT:
        return v.d != 0;
    case V_STR:
        return v.s.len > 0;
    case V_LIST:
    case V_TUPLE:
        return v.list->n > 0;
    case V_DICT:
        return v.dict->n > 0;
    default:
        return true;
    }
}

bool val_is_num(val v)
{
    return v.kind == V_BOOL || v.kind == V_INT || v.kind == V_FLOAT;
}

double val_num(val v)
{
    return v.kind == V_FLOAT ? v.d : v.kind == V_BOOL ? (double)v.b : (double)v.i;
}

static bool eq_deep(val a, val b, int depth)
{
    if (val_is_num(a) && val_is_num(b)) {
        if (a.kind != V_FLOAT && b.kind != V_FLOAT)
            return (a.kind == V_BOOL ? a.b : a.i) == (b.kind == V_BOOL ? b.b : b.i);
        return val_num(a) == val_num(b);
    }
    if (a.kind != b.kind || depth > MAX_REPR_DEPTH)
        return false;
    switch (a.kind) {
    case V_UNDEF:
    case V_NONE:
        return true;
    case V_STR:
        return lf_str_eq(a.s, b.s);
    case V_LIST:
    case V_TUPLE:
        if (a.list->n != b.list->n)
            return false;
        for (size_t i = 0; i < a.list->n; i++)
            if (!eq_deep(a.list->v[i], b.list->v[i], depth + 1))
                return false;
        return true;
    case V_DICT:
        if (a.dict->n != b.dict->n)
            return false;
        for (size_t i = 0; i < a.dict->n; i++) {
            const val *o = val_get(b.dict, a.dict->k[i]);
            if (!o || !eq_deep(a.dict->v[i], *o, depth + 1))
                return false;
        }
        return true;
    case V_NAMESPACE:
        return a.dict == b.dict;
    case V_LOOP:
        return a.loop == b.loop;
    case V_MACRO:
        return a.macro == b.macro;
    case V_FUNC:
        return lf_str_eq(a.s, b.s);
    default:
        return false;
    }
}

bool val_eq(val a, val b)
{
    return eq_deep(a, b, 0);
}

static int cmp_str(lf_str a, lf_str b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int d = n ? memcmp(a.p, b.p, n) : 0; /* byte order is code point order */
    return d ? d : (a.len > b.len) - (a.len < b.len);
}

int val_cmp(ctx *c, val a, val b)
{
    if (val_is_num(a) && val_is_num(b)) {
        if (a.kind == V_INT && b.kind == V_INT)
            return (a.i > b.i) - (a.i < b.i);
        return (val_num(a) > val_num(b)) - (val_num(a) < val_num(b));
    }
    if (a.kind == V_STR && b.kind == V_STR)
        return cmp_str(a.s, b.s);
    if (a.kind == b.kind && (a.kind == V_LIST || a.kind == V_TUPLE)) {
        for (size_t i = 0; c->st == LF_OK && i < a.list->n && i < b.list->n; i++)
            if (!val_eq(a.list->v[i], b.list->v[i]))
                return val_cmp(c, a.list->v[i], b.list->v[i]);
        return (a.list->n > b.list->n) - (a.list->n < b.list->n);
    }
    (void)chat_fail(c, LF_ERR_ARG, "%s and %s can't be ordered", val_type(a), val_type(b));
    return 0;
}

bool val_in(ctx *c, val item, val where)
{
    switch (where.kind) {
    case V_STR:
        if (item.kind != V_STR) {
            (void)chat_fail(c, LF_ERR_ARG, "'in' a string needs a string, not %s", val_type(item));
            return false;
        }
        return item.s.len == 0 || memmem(where.s.p, where.s.len, item.s.p, item.s.len) != NULL;
    case V_LIST:
    case V_TUPLE:
        for (size_t i = 0; i < where.list->n; i++)
            if (val_eq(where.list->v[i], item))
                return true;
        return false;
    case V_DICT:
        return val_get(where.dict, item) != NULL;
    case V_UNDEF:
        return false;
    default:
        (void)chat_fail(c, LF_ERR_ARG, "'in' needs text, a list or a map, not %s", val_type(where));
        return false;
    }
}

/* ---------------------------------------------------------------- text forms */

const char *val_type(val v)
{
    static const char *const names[] = { "undefined", "NoneType", "bool",     "int",   "float",
                                         "str",       "list",     "tuple",    "dict",  "namespace",
                                         "loop",      "macro",    "function", "method" };
    return names[v.kind];
}

/* Python's repr of a float: the shortest digits that read back as the same. */
static void add_float(double d, lf_buf *out, bool json)
{
    char text[40];
    if (isnan(d) || isinf(d)) {
        lf_buf_add_str(out, isnan(d) ? (json ? "NaN" : "nan")
                            : d > 0  ? (json ? "Infinity" : "inf")
                                     : (json ? "-Infinity" : "-inf"));
        return;
    }
    int digits = 1;
    do {
        (void)snprintf(text, sizeof(text), "%.*e", digits - 1, d);
    } while (strtod(text, NULL) != d && ++digits <= 17);
    const int exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= 16) {
        lf_buf_add_str(out, text); /* 1e-05 and 1e+16 are how Python writes them too */
        return;
    }
    const int decimals = digits - 1 - exponent;
    (void)snprintf(text, sizeof(text), "%.*f", decimals > 1 ? decimals : 1, d);
    lf_buf_add_str(out, text);
}

static void repr_str(lf_str s, lf_buf *out)
{
    const bool has_single = s.len && memchr(s.p, '\'', s.len);
    const bool has_double = s.len && memchr(s.p, '"', s.len);
    const char quote = has_single && !has_double ? '"' : '\'';
    lf_buf_add_char(out, quote);
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char ch = (unsigned char)s.p[i];
        if (ch == '\n')
            lf_buf_add_str(out, "\\n");
        else if (ch == '\r')
            lf_buf_add_str(out, "\\r");
        else if (ch == '\t')
            lf_buf_add_str(out, "\\t");
        else if (ch == '\\' || ch == (unsigned char)quote)
            lf_buf_addf(out, "\\%c", ch);
        else if (ch < 32 || ch == 127)
            lf_buf_addf(out, "\\x%02x", ch);
        else
            lf_buf_add_char(out, (char)ch);
    }
    lf_buf_add_char(out, quote);
}

static void repr_list(ctx *c, val v, lf_buf *out, int depth)
{
    const bool tuple = v.kind == V_TUPLE;
    lf_buf_add_char(out, tuple ? '(' : '[');
    for (size_t i = 0; i < v.list->n; i++) {
        if (i)
            lf_buf_add_str(out, ", ");
        val_repr(c, v.list->v[i], out, depth + 1);
    }
    if (tuple && v.list->n == 1)
        lf_buf_add_char(out, ',');
    lf_buf_add_char(out, tuple ? ')' : ']');
}

void val_repr(ctx *c, val v, lf_buf *out, int depth)
{
    if (depth > MAX_REPR_DEPTH || out->len > CHAT_MAX_OUTPUT) {
        (void)chat_fail(c, LF_ERR_LIMIT, "a value too deep or too long to print");
        return;
    }
    switch (v.kind) {
    case V_UNDEF:
        lf_buf_add_str(out, "Undefined");
        break;
    case V_NONE:
        lf_buf_add_str(out, "None");
        break;
    case V_BOOL:
        lf_buf_add_str(out, v.b ? "True" : "False");
        break;
    case V_INT:
        lf_buf_addf(out, "%" PRId64, v.i);
        break;
    case V_FLOAT:
        add_float(v.d, out, false);
        break;
    case V_STR:
        repr_str(v.s, out);
        break;
    case V_LIST:
    case V_TUPLE:
        repr_list(c, v, out, depth);
        break;
    case V_DICT:
        lf_buf_add_char(out, '{');
        for (size_t i = 0; i < v.dict->n; i++) {
            if (i)
                lf_buf_add_str(out, ", ");
            val_repr(c, v.dict->k[i], out, depth + 1);
            lf_buf_add_str(out, ": ");
            val_repr(c, v.dict->v[i], out, depth + 1);
        }
        lf_buf_add_char(out, '}');
        break;
    default:
        lf_buf_addf(out, "<%s>", val_type(v));
        break;
    }
}

void val_text(ctx *c, val v, lf_buf *out)
{
    if (v.kind == V_STR)
        lf_buf_add(out, v.s.p, v.s.len);
    else if (v.kind != V_UNDEF)
        val_repr(c, v, out, 0);
}

lf_str val_as_str(ctx *c, val v)
{
    if (v.kind == V_STR)
        return v.s;
    lf_buf b = { 0 };
    val_text(c, v, &b);
    const val s = val_from_buf(c, &b);
    return s.kind == V_STR ? s.s : (lf_str){ "", 0 };
}

/* --------------------------------------------------------------------- JSON */

static void json_str(lf_str s, bool ascii, lf_buf *out)
{
    const char *p = s.p, *end = s.p + s.len;
    lf_buf_add_char(out, '"');
    while (p < end) {
        const char *start = p;
        const unsigned char ch = (unsigned char)*p;
        const uint32_t cp = lf_utf8_next(&p, end);
        if (ch == '"' || ch == '\\')
            lf_buf_addf(out, "\\%c", ch);
        else if (ch == '\n')
            lf_buf_add_str(out, "\\n");
        else if (ch == '\r')
            lf_buf_add_str(out, "\\r");
        else if (ch == '\t')
            lf_buf_add_str(out, "\\t");
        else if (ch == '\b')
            lf_buf_add_str(out, "\\b");
        else if (ch == '\f')
            lf_buf_add_str(out, "\\f");
        else if (ch < 32 || (ascii && cp >= 127 && cp < 0x10000 && cp != 127))
            lf_buf_addf(out, "\\u%04x", (unsigned)cp);
        else if (ascii && cp >= 0x10000)
            lf_buf_addf(out, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((cp - 0x10000) >> 10)),
                        (unsigned)(0xDC00 + ((cp - 0x10000) & 0x3FF)));
        else
            lf_buf_add(out, start, (size_t)(p - start));
    }
    lf_buf_add_char(out, '"');
}

static void json_break(int indent, int level, lf_buf *out)
{
    if (indent < 0)
        return;
    lf_buf_add_char(out, '\n');
    for (int i = 0; i < indent * level; i++)
        lf_buf_add_char(out, ' ');
}

/* Order in which the keys are written. */
static size_t key_at(ctx *c, const val_dict *d, size_t i, bool sorted)
{
    if (!sorted)
        return i;
    /* The i-th smallest: maps are small. */
    for (size_t k = 0; k < d->n; k++) {
        size_t below = 0;
        for (size_t j = 0; j < d->n; j++)
            below += val_cmp(c, d->k[j], d->k[k]) < 0;
        if (below == i)
            return k;
    }
    return i;
}

void val_json(ctx *c, val v, int indent, int level, bool sort_keys, bool ascii, lf_buf *out)
{
    if (level > MAX_REPR_DEPTH || out->len > CHAT_MAX_OUTPUT) {
        (void)chat_fail(c, LF_ERR_LIMIT, "a value too deep or too long for JSON");
        return;
    }
    const char *comma = indent < 0 ? ", " : ",";
    switch (v.kind) {
    case V_NONE:
        lf_buf_add_str(out, "null");
        break;
    case V_BOOL:
        lf_buf_add_str(out, v.b ? "true" : "false");
        break;
    case V_INT:
        lf_buf_addf(out, "%" PRId64, v.i);
        break;
    case V_FLOAT:
        add_float(v.d, out, true);
        break;
    case V_STR:
        json_str(v.s, ascii, out);
        break;
    case V_LIST:
    case V_TUPLE:
        lf_buf_add_char(out, '[');
        for (size_t i = 0; c->st == LF_OK && i < v.list->n; i++) {
            lf_buf_add_str(out, i ? comma : "");
            json_break(indent, level + 1, out);
            val_json(c, v.list->v[i], indent, level + 1, sort_keys, ascii, out);
        }
        if (v.list->n)
            json_break(indent, level, out);
        lf_buf_add_char(out, ']');
        break;
    case V_DICT:
        lf_buf_add_char(out, '{');
        for (size_t i = 0; c->st == LF_OK && i < v.dict->n; i++) {
            const size_t k = key_at(c, v.dict, i, sort_keys);
            lf_buf_add_str(out, i ? comma : "");
            json_break(indent, level + 1, out);
            json_str(val_as_str(c, v.dict->k[k]), ascii, out);
            lf_buf_add_str(out, ": ");
            val_json(c, v.dict->v[k], indent, level + 1, sort_keys, ascii, out);
        }
        if (v.dict->n)
            json_break(indent, level, out);
        lf_buf_add_char(out, '}');
        break;
    default:
        (void)chat_fail(c, LF_ERR_ARG, "tojson of %s", val_type(v));
        break;
    }
}

/* ---------------------------------------------------------------- sequences */

val val_items(ctx *c, val v, const char *what)
{
    val out;
    switch (v.kind) {
    case V_LIST:
    case V_TUPLE:
        return v;
    case V_UNDEF:
        return val_list_new(c, V_LIST);
    case V_DICT:
        out = val_list_new(c, V_LIST);
        for (size_t i = 0; c->st == LF_OK && i < v.dict->n; i++)
            val_push(c, out, v.dict->k[i]);
        return out;
    case V_STR: {
        out = val_list_new(c, V_LIST);
        const char *p = v.s.p, *end = v.s.p + v.s.len;
        while (c->st == LF_OK && p < end) {
            const char *start = p;
            (void)lf_utf8_next(&p, end);
            val_push(c, out, val_str((lf_str){ start, (size_t)(p - start) }));
        }
        return out;
    }
    default:
        return chat_fail(c, LF_ERR_ARG, "%s: %s is no sequence", what, val_type(v));
    }
}

size_t val_len(ctx *c, val v)
{
    switch (v.kind) {
    case V_UNDEF:
        return 0;
    case V_STR:
        return lf_utf8_count(v.s.p, v.s.len);
    case V_LIST:
    case V_TUPLE:
        return v.list->n;
    case V_DICT:
        return v.dict->n;
    default:
        (void)chat_fail(c, LF_ERR_ARG, "%s has no length", val_type(v));
        return 0;
    }
}

static bool slice_bound(ctx *c, val v, int64_t otherwise, int64_t n, int64_t low, int64_t *out)
{
    if (v.kind == V_UNDEF || v.kind == V_NONE) {
        *out = otherwise;
        return true;
    }
    if (v.kind != V_INT && v.kind != V_BOOL) {
        (void)chat_fail(c, LF_ERR_ARG, "a slice needs whole numbers, not %s", val_type(v));
        return false;
    }
    int64_t i = v.kind == V_BOOL ? v.b : v.i;
    if (i < 0)
        i = i < -n ? low : i + n;
    else if (i > n + low) /* low is -1 for a slice that runs backwards */
        i = n + low;
    *out = i;
    return true;
}

val chat_slice(ctx *c, val o, val from, val to, val step)
{
    int64_t by = 1, a, b;
    if (step.kind == V_INT)
        by = step.i;
    if (by == 0)
        return chat_fail(c, LF_ERR_ARG, "a slice with step 0");
    if (o.kind != V_STR && o.kind != V_LIST && o.kind != V_TUPLE)
        return chat_fail(c, LF_ERR_ARG, "%s can't be sliced", val_type(o));
    const val items = val_items(c, o, "slice");
    if (c->st != LF_OK)
        return items;
    const int64_t n = (int64_t)items.list->n, low = by < 0 ? -1 : 0;
    if (!slice_bound(c, from, by < 0 ? n - 1 : 0, n, low, &a) ||
        !slice_bound(c, to, by < 0 ? -1 : n, n, low, &b))
        return val_none();
    if (o.kind == V_STR && by == 1) { /* the text between two characters, uncopied */
        if (a >= b)
            return val_cstr("");
        const lf_str first = items.list->v[a].s, last = items.list->v[b - 1].s;
        return val_str((lf_str){ first.p, (size_t)(last.p + last.len - first.p) });
    }
    const val out = val_list_new(c, o.kind == V_STR ? V_LIST : o.kind);
    for (int64_t i = a; c->st == LF_OK && (by > 0 ? i < b : i > b); i += by)
        val_push(c, out, items.list->v[i]);
    if (o.kind != V_STR || c->st != LF_OK)
        return out;
    lf_buf text = { 0 };
    for (size_t i = 0; i < out.list->n; i++)
        lf_buf_add(&text, out.list->v[i].s.p, out.list->v[i].s.len);
    return val_from_buf(c, &text);
}

/* --------------------------------------------------------------------- text */

bool chat_is_space(uint32_t cp)
{
    return lf_cp_is_space(cp) || (cp >= 0x1C && cp <= 0x1F);
}

static bool to_strip(uint32_t cp, lf_str chars)
{
    if (!chars.p)
        return chat_is_space(cp);
    const char *p = chars.p, *end = chars.p + chars.len;
    while (p < end)
        if (lf_utf8_next(&p, end) == cp)
            return true;
    return false;
}

lf_str chat_strip(lf_str s, lf_str chars, bool left, bool right)
{
    const char *p = s.p, *end = s.p + s.len;
    while (left && p < end) {
        const char *q = p;
        if (!to_strip(lf_utf8_next(&q, end), chars))
            break;
        p = q;
    }
    while (right && p < end) {
        const char *q = end - 1;
        while (q > p && ((unsigned char)*q & 0xC0) == 0x80)
            q--;
        const char *r = q;
        if (!to_strip(lf_utf8_next(&r, end), chars))
            break;
        end = q;
    }
    return (lf_str){ p, (size_t)(end - p) };
}

/* model/chat_filter.c - the filters (x|name) and tests (x is name) of the language. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "model/chat_int.h"
#include "text/utf8.h"

/* --------------------------------------------------------------------- case */

typedef enum case_kind {
    CASE_LOWER,
    CASE_UPPER,
    CASE_CAPITAL,
    CASE_TITLE,
    CASE_TITLE_JINJA
} case_kind;

/* Where Jinja's title begins a new word. */
static bool breaks_word(uint32_t cp)
{
    return cp == '-' || cp == '(' || cp == '{' || cp == '[' || cp == '<' || chat_is_space(cp);
}

static bool is_letter(uint32_t cp)
{
    const utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)cp);
    return cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO;
}

static val fold_case(ctx *c, lf_str s, case_kind kind)
{
    lf_buf b = { 0 };
    const char *p = s.p, *end = s.p + s.len;
    bool first = true;
    while (p < end) {
        const uint32_t cp = lf_utf8_next(&p, end);
        const bool upper = kind == CASE_UPPER || (kind != CASE_LOWER && first);
        const utf8proc_int32_t to =
            upper ? utf8proc_toupper((utf8proc_int32_t)cp) : utf8proc_tolower((utf8proc_int32_t)cp);
        char utf8[4];
        lf_buf_add(&b, utf8, lf_utf8_put((uint32_t)to, utf8));
        first = kind == CASE_TITLE         ? !is_letter(cp)
                : kind == CASE_TITLE_JINJA ? breaks_word(cp)
                                           : false;
    }
    return val_from_buf(c, &b);
}

val chat_fold(ctx *c, lf_str s, const char *how)
{
    return fold_case(c, s,
                     strcmp(how, "lower") == 0        ? CASE_LOWER
                     : strcmp(how, "upper") == 0      ? CASE_UPPER
                     : strcmp(how, "capitalize") == 0 ? CASE_CAPITAL
                                                      : CASE_TITLE);
}

/* --------------------------------------------------------- plain text filters */

val chat_replace(ctx *c, lf_str s, lf_str from, lf_str to, int64_t most)
{
    lf_buf b = { 0 };
    const char *p = s.p, *end = s.p + s.len;
    while (most != 0) {
        if (from.len == 0) { /* between all characters, as Python has it */
            lf_buf_add(&b, to.p, to.len);
            most--;
            if (p == end)
                break;
            const char *start = p;
            (void)lf_utf8_next(&p, end);
            lf_buf_add(&b, start, (size_t)(p - start));
            continue;
        }
        const char *hit = p < end ? memmem(p, (size_t)(end - p), from.p, from.len) : NULL;
        if (!hit)
            break;
        lf_buf_add(&b, p, (size_t)(hit - p));
        lf_buf_add(&b, to.p, to.len);
        p = hit + from.len;
        most--;
        if (b.len > CHAT_MAX_OUTPUT)
            break;
    }
    if (b.len > CHAT_MAX_OUTPUT) {
        lf_buf_release(&b);
        return chat_fail(c, LF_ERR_LIMIT, "text over %d bytes", CHAT_MAX_OUTPUT);
    }
    lf_buf_add(&b, p, (size_t)(end - p));
    return val_from_buf(c, &b);
}

static val f_indent(ctx *c, lf_str s, const args *a)
{
    lf_buf b = { 0 }, pad = { 0 };
    const val width = chat_arg(a, 0, "width");
    const bool first = val_truth(chat_arg(a, 1, "first"));
    const bool blank = val_truth(chat_arg(a, 2, "blank"));
    if (width.kind == V_STR)
        lf_buf_add(&pad, width.s.p, width.s.len);
    else
        for (int64_t i = 0; i < (width.kind == V_INT ? width.i : 4) && i < 1000; i++)
            lf_buf_add_char(&pad, ' ');
    const char *p = s.p, *end = s.p + s.len;
    for (size_t line = 0; p <= end; line++) {
        const char *eol = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        const char *stop = eol ? eol : end;
        if (line ? (blank || stop > p) : first)
            lf_buf_add(&b, lf_buf_cstr(&pad), pad.len);
        lf_buf_add(&b, p, (size_t)(stop - p));
        if (!eol)
            break;
        lf_buf_add_char(&b, '\n');
        p = eol + 1;
    }
    lf_buf_release(&pad);
    return val_from_buf(c, &b);
}

val chat_escape(ctx *c, lf_str s)
{
    lf_buf b = { 0 };
    for (size_t i = 0; i < s.len; i++) {
        switch (s.p[i]) {
        case '&':
            lf_buf_add_str(&b, "&amp;");
            break;
        case '<':
            lf_buf_add_str(&b, "&lt;");
            break;
        case '>':
            lf_buf_add_str(&b, "&gt;");
            break;
        case '"':
            lf_buf_add_str(&b, "&#34;");
            break;
        case '\'':
            lf_buf_add_str(&b, "&#39;");
            break;
        default:
            lf_buf_add_char(&b, s.p[i]);
            break;
        }
    }
    return val_from_buf(c, &b);
}

static val f_tojson(ctx *c, val v, const args *a)
{
    lf_buf b = { 0 };
    const val indent = chat_arg(a, 0, "indent");
    val_json(c, v, indent.kind == V_INT && indent.i >= 0 && indent.i < 64 ? (int)indent.i : -1, 0,
             val_truth(chat_arg(a, 3, "sort_keys")), val_truth(chat_arg(a, 9, "ensure_ascii")), &b);
    return val_from_buf(c, &b);
}

/* One %-conversion of `spec` (from after '%' to its letter): flags, width and
 * precision only, which the caller has seen to, so the format can be built. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void format_one(ctx *c, lf_str spec, char kind, val v, lf_buf *b)
{
    char fmt[40];
    if (spec.len > 6) {
        (void)chat_fail(c, LF_ERR_ARG, "a format of more than 6 characters");
        return;
    }
    const int n = (int)spec.len;
    if (kind == 's' || kind == 'r') {
        lf_buf text = { 0 };
        if (kind == 's')
            val_text(c, v, &text);
        else
            val_repr(c, v, &text, 0);
        (void)snprintf(fmt, sizeof(fmt), "%%%.*ss", n, spec.p);
        if (n == 0) {
            lf_buf_add(b, lf_buf_cstr(&text), text.len);
        } else {
            char out[1024];
            (void)snprintf(out, sizeof(out), fmt, lf_buf_cstr(&text));
            lf_buf_add_str(b, out);
        }
        lf_buf_release(&text);
        return;
    }
    char out[512];
    if (!val_is_num(v)) {
        (void)chat_fail(c, LF_ERR_ARG, "%%%c needs a number, not %s", kind, val_type(v));
        return;
    }
    if (kind == 'd' || kind == 'i' || kind == 'x' || kind == 'X' || kind == 'o') {
        (void)snprintf(fmt, sizeof(fmt), "%%%.*sll%c", n, spec.p, kind == 'i' ? 'd' : kind);
        (void)snprintf(out, sizeof(out), fmt,
                       v.kind == V_FLOAT ? (long long)v.d
                                         : (long long)(v.kind == V_BOOL ? v.b : v.i));
    } else {
        (void)snprintf(fmt, sizeof(fmt), "%%%.*s%c", n, spec.p, kind);
        (void)snprintf(out, sizeof(out), fmt, val_num(v));
    }
    lf_buf_add_str(b, out);
}

#pragma GCC diagnostic pop

static val f_format(ctx *c, lf_str s, const args *a)
{
    lf_buf b = { 0 };
    size_t i_arg = 0;
    for (size_t i = 0; c->st == LF_OK && i < s.len; i++) {
        if (s.p[i] != '%') {
            lf_buf_add_char(&b, s.p[i]);
            continue;
        }
        const size_t start = ++i;
        while (i < s.len && strchr("0123456789.+- #", s.p[i]) && s.p[i])
            i++;
        if (i < s.len && s.p[i] == '%') {
            lf_buf_add_char(&b, '%');
        } else if (i >= s.len || !s.p[i] || !strchr("srdixXofFeEgG", s.p[i])) {
            (void)chat_fail(c, LF_ERR_ARG, "a format with an unknown %% conversion");
        } else if (i_arg >= a->n_pos) {
            (void)chat_fail(c, LF_ERR_ARG, "not enough arguments for a format");
        } else {
            format_one(c, (lf_str){ s.p + start, i - start }, s.p[i], a->pos[i_arg++], &b);
        }
    }
    return val_from_buf(c, &b);
}

/* ---------------------------------------------------------- filters of lists */

/* "a.b.0": attributes and indices, one after the other. */
static val path_of(ctx *c, val v, lf_str path)
{
    while (c->st == LF_OK && path.len) {
        const char *dot = memchr(path.p, '.', path.len);
        const lf_str part = { path.p, dot ? (size_t)(dot - path.p) : path.len };
        bool number = part.len > 0 && part.len < 10;
        int64_t n = 0;
        for (size_t i = 0; number && i < part.len; i++) {
            number = part.p[i] >= '0' && part.p[i] <= '9';
            n = n * 10 + (part.p[i] - '0');
        }
        v = v.kind == V_UNDEF ? v : chat_item(c, v, number ? val_int(n) : val_str(part));
        path.p += part.len + (dot != NULL);
        path.len -= part.len + (dot != NULL);
    }
    return v;
}

static val attribute_of(ctx *c, val v, val attribute)
{
    if (attribute.kind == V_STR)
        return path_of(c, v, attribute.s);
    return attribute.kind == V_INT ? chat_item(c, v, attribute) : v;
}

/* Arguments without the first `n` positional ones. */
static args rest_of(const args *a, size_t n)
{
    args r = *a;
    r.n_pos = a->n_pos > n ? a->n_pos - n : 0;
    r.pos = a->n_pos > n ? a->pos + n : NULL;
    return r;
}

static val f_select(ctx *c, val v, const args *a, bool by_attr, bool keep)
{
    const val out = val_list_new(c, V_LIST);
    if (!val_truth(v)) /* none too */
        return out;
    const val items = val_items(c, v, "select");
    const size_t i_test = by_attr ? 1 : 0;
    if (by_attr && a->n_pos == 0)
        return chat_fail(c, LF_ERR_ARG, "selectattr and rejectattr need the attribute's name");
    const args rest = rest_of(a, i_test + 1);
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        const val item = items.list->v[i];
        const val x = by_attr ? attribute_of(c, item, a->pos[0]) : item;
        bool ok = val_truth(x);
        if (a->n_pos > i_test)
            ok = a->pos[i_test].kind == V_STR && chat_test(c, a->pos[i_test].s, x, &rest);
        if (ok == keep)
            val_push(c, out, item);
    }
    return out;
}

static val f_map(ctx *c, val v, const args *a)
{
    const val out = val_list_new(c, V_LIST);
    if (!val_truth(v))
        return out;
    const val items = val_items(c, v, "map");
    const val attribute = chat_arg(a, 99, "attribute");
    const bool by_attr = attribute.kind != V_UNDEF;
    if (!by_attr && (a->n_pos == 0 || a->pos[0].kind != V_STR))
        return chat_fail(c, LF_ERR_ARG, "map needs the name of a filter, or attribute=");
    const args rest = rest_of(a, 1);
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        val x = items.list->v[i];
        if (by_attr) {
            x = attribute_of(c, x, attribute);
            if (x.kind == V_UNDEF && chat_has_arg(a, 99, "default"))
                x = chat_arg(a, 99, "default");
        } else {
            x = chat_filter(c, a->pos[0].s, x, &rest);
        }
        val_push(c, out, x);
    }
    return out;
}

static val f_join(ctx *c, val v, const args *a)
{
    lf_buf b = { 0 };
    const val items = val_items(c, v, "join");
    const val sep = chat_arg(a, 0, "d");
    const val attribute = chat_arg(a, 1, "attribute");
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        if (i)
            val_text(c, sep, &b);
        val_text(c, attribute_of(c, items.list->v[i], attribute), &b);
    }
    return val_from_buf(c, &b);
}

/* What sorting compares: text without regard to case unless asked. */
static val sort_key(ctx *c, val v, val attribute, bool cased)
{
    v = attribute_of(c, v, attribute);
    return v.kind == V_STR && !cased ? fold_case(c, v.s, CASE_LOWER) : v;
}

/* Stable insertion by binary search. */
static val sorted(ctx *c, val items, val attribute, bool cased, bool reverse)
{
    const val out = val_list_new(c, V_LIST), keys = val_list_new(c, V_LIST);
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        const val key = sort_key(c, items.list->v[i], attribute, cased);
        size_t lo = 0, hi = keys.list->n;
        while (lo < hi && c->st == LF_OK) {
            const size_t mid = lo + (hi - lo) / 2;
            const int d = val_cmp(c, key, keys.list->v[mid]);
            if (reverse ? d <= 0 : d >= 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        val_push(c, out, val_none());
        val_push(c, keys, val_none());
        if (c->st != LF_OK)
            break;
        const size_t n = out.list->n - 1 - lo;
        memmove(out.list->v + lo + 1, out.list->v + lo, n * sizeof(val));
        memmove(keys.list->v + lo + 1, keys.list->v + lo, n * sizeof(val));
        out.list->v[lo] = items.list->v[i];
        keys.list->v[lo] = key;
    }
    return out;
}

static val f_sort(ctx *c, val v, const args *a)
{
    const val items = val_items(c, v, "sort");
    return c->st != LF_OK ? items
                          : sorted(c, items, chat_arg(a, 2, "attribute"),
                                   val_truth(chat_arg(a, 1, "case_sensitive")),
                                   val_truth(chat_arg(a, 0, "reverse")));
}

static val pairs_of(ctx *c, val v, const char *what)
{
    const val out = val_list_new(c, V_LIST);
    if (v.kind == V_UNDEF || c->st != LF_OK)
        return out;
    if (v.kind != V_DICT)
        return chat_fail(c, LF_ERR_ARG, "%s needs a map, not %s", what, val_type(v));
    for (size_t i = 0; c->st == LF_OK && i < v.dict->n; i++) {
        const val pair = val_list_new(c, V_TUPLE);
        val_push(c, pair, v.dict->k[i]);
        val_push(c, pair, v.dict->v[i]);
        val_push(c, out, pair);
    }
    return out;
}

val chat_pairs(ctx *c, val v)
{
    return pairs_of(c, v, "items");
}

static val f_dictsort(ctx *c, val v, const args *a)
{
    const val by = chat_arg(a, 1, "by");
    const val pairs = pairs_of(c, v, "dictsort");
    const bool by_value = by.kind == V_STR && lf_str_is(by.s, "value");
    return c->st != LF_OK
               ? pairs
               : sorted(c, pairs, val_int(by_value), val_truth(chat_arg(a, 0, "case_sensitive")),
                        val_truth(chat_arg(a, 2, "reverse")));
}

static val f_unique(ctx *c, val v, const args *a)
{
    const val items = val_items(c, v, "unique");
    const val out = val_list_new(c, V_LIST), seen = val_list_new(c, V_LIST);
    const bool cased = val_truth(chat_arg(a, 0, "case_sensitive"));
    const val attribute = chat_arg(a, 1, "attribute");
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        const val key = sort_key(c, items.list->v[i], attribute, cased);
        if (c->st == LF_OK && !val_in(c, key, seen)) {
            val_push(c, seen, key);
            val_push(c, out, items.list->v[i]);
        }
    }
    return out;
}

static val f_extreme(ctx *c, val v, const args *a, int sign)
{
    const val items = val_items(c, v, "min and max");
    const bool cased = val_truth(chat_arg(a, 0, "case_sensitive"));
    const val attribute = chat_arg(a, 1, "attribute");
    val best = val_undef(lf_str_of("aggregate")), best_key = best;
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        const val key = sort_key(c, items.list->v[i], attribute, cased);
        if (i == 0 || val_cmp(c, key, best_key) * sign > 0) {
            best = items.list->v[i];
            best_key = key;
        }
    }
    return best;
}

static val f_sum(ctx *c, val v, const args *a)
{
    const val items = val_items(c, v, "sum");
    const val attribute = chat_arg(a, 0, "attribute");
    int64_t whole = 0;
    double real = 0;
    bool is_real = false;
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        const val x = attribute_of(c, items.list->v[i], attribute);
        if (!val_is_num(x))
            return chat_fail(c, LF_ERR_ARG, "sum of %s", val_type(x));
        is_real = is_real || x.kind == V_FLOAT;
        real += val_num(x);
        if (!is_real && __builtin_add_overflow(whole, x.kind == V_BOOL ? x.b : x.i, &whole))
            return chat_fail(c, LF_ERR_LIMIT, "a sum over 64 bits");
    }
    return is_real ? val_float(real) : val_int(whole);
}

static val f_groupby(ctx *c, val v, const args *a)
{
    const val items = val_items(c, v, "groupby");
    const val attribute = chat_arg(a, 0, "attribute");
    const val out = val_list_new(c, V_LIST);
    if (c->st != LF_OK)
        return out;
    const val in_order = sorted(c, items, attribute, false, false);
    val list = val_none(), last = val_none();
    for (size_t i = 0; c->st == LF_OK && i < in_order.list->n; i++) {
        const val key = attribute_of(c, in_order.list->v[i], attribute);
        if (i == 0 || !val_eq(key, last)) {
            const val pair = val_list_new(c, V_TUPLE);
            list = val_list_new(c, V_LIST);
            val_push(c, pair, key);
            val_push(c, pair, list);
            val_push(c, out, pair);
            last = key;
        }
        val_push(c, list, in_order.list->v[i]);
    }
    return out;
}

static val f_reverse(ctx *c, val v)
{
    if (v.kind == V_STR)
        return chat_slice(c, v, val_none(), val_none(), val_int(-1));
    const val items = val_items(c, v, "reverse");
    const val out = val_list_new(c, V_LIST);
    for (size_t i = c->st == LF_OK ? items.list->n : 0; c->st == LF_OK && i > 0; i--)
        val_push(c, out, items.list->v[i - 1]);
    return out;
}

static val f_end(ctx *c, val v, bool last)
{
    const val items = val_items(c, v, last ? "last" : "first");
    if (c->st != LF_OK || items.list->n == 0)
        return val_undef(lf_str_of(last ? "last item" : "first item"));
    return items.list->v[last ? items.list->n - 1 : 0];
}

static val f_list(ctx *c, val v)
{
    const val items = val_items(c, v, "list");
    const val out = val_list_new(c, V_LIST);
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++)
        val_push(c, out, items.list->v[i]);
    return out;
}

/* ------------------------------------------------------------ number filters */

static val f_int(ctx *c, val v, const args *a)
{
    const val otherwise = chat_has_arg(a, 0, "default") ? chat_arg(a, 0, "default") : val_int(0);
    const val base = chat_arg(a, 1, "base");
    if (v.kind == V_FLOAT)
        return fabs(v.d) < 9e18 ? val_int((int64_t)v.d) : otherwise;
    if (v.kind == V_INT || v.kind == V_BOOL)
        return val_int(v.kind == V_BOOL ? v.b : v.i);
    if (v.kind != V_STR)
        return otherwise;
    const lf_str s = chat_strip(v.s, (lf_str){ 0 }, true, true);
    char text[64], *end;
    if (s.len == 0 || s.len >= sizeof(text))
        return otherwise;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    const long long i =
        strtoll(text, &end, base.kind == V_INT && base.i >= 2 && base.i <= 36 ? (int)base.i : 10);
    if (*end == '\0')
        return val_int(i);
    const double d = strtod(text, &end);
    (void)c;
    return *end == '\0' && fabs(d) < 9e18 ? val_int((int64_t)d) : otherwise;
}

static val f_float(val v, const args *a)
{
    const val otherwise = chat_has_arg(a, 0, "default") ? chat_arg(a, 0, "default") : val_float(0);
    if (val_is_num(v))
        return val_float(val_num(v));
    char text[64], *end;
    if (v.kind != V_STR || v.s.len == 0 || v.s.len >= sizeof(text))
        return otherwise;
    memcpy(text, v.s.p, v.s.len);
    text[v.s.len] = '\0';
    const double d = strtod(text, &end);
    return *end == '\0' ? val_float(d) : otherwise;
}

static val f_round(ctx *c, val v, const args *a)
{
    const val digits = chat_arg(a, 0, "precision"), method = chat_arg(a, 1, "method");
    if (!val_is_num(v))
        return chat_fail(c, LF_ERR_ARG, "round of %s", val_type(v));
    const double scale = pow(10, digits.kind == V_INT ? (double)digits.i : 0);
    const double x = val_num(v) * scale;
    const bool up = method.kind == V_STR && lf_str_is(method.s, "ceil");
    const bool down = method.kind == V_STR && lf_str_is(method.s, "floor");
    return val_float((up ? ceil(x) : down ? floor(x) : nearbyint(x)) / scale);
}

static val f_abs(ctx *c, val v)
{
    if (!val_is_num(v))
        return chat_fail(c, LF_ERR_ARG, "abs of %s", val_type(v));
    return v.kind == V_FLOAT ? val_float(fabs(v.d)) : val_int(llabs(v.kind == V_BOOL ? v.b : v.i));
}

/* ----------------------------------------------------------------- dispatch */

static val f_default(val v, const args *a)
{
    const bool use = v.kind == V_UNDEF || (val_truth(chat_arg(a, 1, "boolean")) && !val_truth(v));
    if (!use)
        return v;
    return chat_has_arg(a, 0, "default_value") ? chat_arg(a, 0, "default_value") : val_cstr("");
}

static val f_trim(ctx *c, val v, const args *a)
{
    const val chars = chat_arg(a, 0, "chars");
    return val_str(
        chat_strip(val_as_str(c, v), chars.kind == V_STR ? chars.s : (lf_str){ 0 }, true, true));
}

static val f_replace(ctx *c, val v, const args *a)
{
    const val most = chat_arg(a, 2, "count");
    return chat_replace(c, val_as_str(c, v), val_as_str(c, chat_arg(a, 0, "old")),
                        val_as_str(c, chat_arg(a, 1, "new")), most.kind == V_INT ? most.i : -1);
}

static val f_wordcount(ctx *c, lf_str s)
{
    int64_t n = 0;
    bool in = false;
    const char *p = s.p, *end = s.p + s.len;
    (void)c;
    while (p < end) {
        const bool space = chat_is_space(lf_utf8_next(&p, end));
        n += !space && !in;
        in = !space;
    }
    return val_int(n);
}

static val marked(val v)
{
    v.markup = v.kind == V_STR;
    return v;
}

/* Each filter: its name, and what it makes of the value v with the arguments a.  The
 * functions and the table below come from this list. */
/* clang-format off */
#define FILTERS(X) \
    X(abs, f_abs(c, v)) \
    X(capitalize, fold_case(c, val_as_str(c, v), CASE_CAPITAL)) \
    X(count, val_int((int64_t)val_len(c, v))) \
    X(d, f_default(v, a)) \
    X(default, f_default(v, a)) \
    X(dictsort, f_dictsort(c, v, a)) \
    X(e, v.markup ? v : marked(chat_escape(c, val_as_str(c, v)))) \
    X(escape, v.markup ? v : marked(chat_escape(c, val_as_str(c, v)))) \
    X(first, f_end(c, v, false)) \
    X(float, f_float(v, a)) \
    X(format, f_format(c, val_as_str(c, v), a)) \
    X(groupby, f_groupby(c, v, a)) \
    X(indent, f_indent(c, val_as_str(c, v), a)) \
    X(int, f_int(c, v, a)) \
    X(items, pairs_of(c, v, "items")) \
    X(join, f_join(c, v, a)) \
    X(last, f_end(c, v, true)) \
    X(length, val_int((int64_t)val_len(c, v))) \
    X(list, f_list(c, v)) \
    X(lower, fold_case(c, val_as_str(c, v), CASE_LOWER)) \
    X(map, f_map(c, v, a)) \
    X(max, f_extreme(c, v, a, 1)) \
    X(min, f_extreme(c, v, a, -1)) \
    X(reject, f_select(c, v, a, false, false)) \
    X(rejectattr, f_select(c, v, a, true, false)) \
    X(replace, f_replace(c, v, a)) \
    X(reverse, f_reverse(c, v)) \
    X(round, f_round(c, v, a)) \
    X(safe, marked(val_str(val_as_str(c, v)))) \
    X(select, f_select(c, v, a, false, true)) \
    X(selectattr, f_select(c, v, a, true, true)) \
    X(sort, f_sort(c, v, a)) \
    X(string, val_str(val_as_str(c, v))) \
    X(sum, f_sum(c, v, a)) \
    X(title, fold_case(c, val_as_str(c, v), CASE_TITLE_JINJA)) \
    X(tojson, f_tojson(c, v, a)) \
    X(trim, f_trim(c, v, a)) \
    X(unique, f_unique(c, v, a)) \
    X(upper, fold_case(c, val_as_str(c, v), CASE_UPPER)) \
    X(wordcount, f_wordcount(c, val_as_str(c, v)))
/* clang-format on */

typedef val filter_fn(ctx *c, val v, const args *a);

#define X(name, result)                                                                            \
    static val filter_##name(ctx *c, val v, const args *a)                                         \
    {                                                                                              \
        (void)c;                                                                                   \
        (void)a;                                                                                   \
        return result;                                                                             \
    }
FILTERS(X)
#undef X

static const struct {
    const char *name;
    filter_fn *apply;
} filters[] = {
#define X(name, result) { #name, filter_##name },
    FILTERS(X)
#undef X
};
enum { N_FILTERS = sizeof filters / sizeof filters[0] };

val chat_filter(ctx *c, lf_str name, val v, const args *a)
{
    for (int i = 0; i < N_FILTERS; i++)
        if (lf_str_is(name, filters[i].name))
            return filters[i].apply(c, v, a);
    return chat_fail(c, LF_ERR_UNSUPPORTED, "no filter is called '%.*s'",
                     (int)(name.len > 60 ? 60 : name.len), name.p);
}

/* -------------------------------------------------------------------- tests */

static const char *const test_names[] = {
    "defined", "undefined", "none",   "string",      "mapping", "sequence", "iterable",    "number",
    "boolean", "integer",   "float",  "true",        "false",   "callable", "odd",         "even",
    "lower",   "upper",     "in",     "eq",          "equalto", "==",       "ne",          "!=",
    "lt",      "lessthan",  "<",      "le",          "<=",      "gt",       "greaterthan", ">",
    "ge",      ">=",        "sameas", "divisibleby", "filter",  "test",     "escaped",
};

bool chat_has_test(lf_str name)
{
    for (size_t i = 0; i < sizeof(test_names) / sizeof(test_names[0]); i++)
        if (lf_str_is(name, test_names[i]))
            return true;
    return false;
}

static bool is(lf_str name, const char *a, const char *b, const char *d)
{
    return lf_str_is(name, a) || lf_str_is(name, b) || lf_str_is(name, d);
}

static bool test_kind(lf_str name, val v, bool *result)
{
    const bool seq = v.kind == V_STR || v.kind == V_LIST || v.kind == V_TUPLE || v.kind == V_DICT;
    if (lf_str_is(name, "defined"))
        *result = v.kind != V_UNDEF;
    else if (lf_str_is(name, "undefined"))
        *result = v.kind == V_UNDEF;
    else if (lf_str_is(name, "none"))
        *result = v.kind == V_NONE;
    else if (lf_str_is(name, "string"))
        *result = v.kind == V_STR;
    else if (lf_str_is(name, "mapping"))
        *result = v.kind == V_DICT;
    else if (lf_str_is(name, "sequence"))
        *result = seq || v.kind == V_UNDEF;
    else if (lf_str_is(name, "iterable"))
        *result = seq || v.kind == V_UNDEF || v.kind == V_LOOP;
    else if (lf_str_is(name, "number"))
        *result = val_is_num(v);
    else if (lf_str_is(name, "boolean"))
        *result = v.kind == V_BOOL;
    else if (lf_str_is(name, "integer"))
        *result = v.kind == V_INT;
    else if (lf_str_is(name, "float"))
        *result = v.kind == V_FLOAT;
    else if (lf_str_is(name, "true"))
        *result = v.kind == V_BOOL && v.b;
    else if (lf_str_is(name, "false"))
        *result = v.kind == V_BOOL && !v.b;
    else if (lf_str_is(name, "callable"))
        *result = v.kind == V_MACRO || v.kind == V_FUNC || v.kind == V_METHOD;
    else if (lf_str_is(name, "escaped"))
        *result = false;
    else
        return false;
    return true;
}

static bool test_against(ctx *c, lf_str name, val v, val x)
{
    if (is(name, "eq", "equalto", "=="))
        return val_eq(v, x);
    if (is(name, "ne", "!=", "!="))
        return !val_eq(v, x);
    if (is(name, "lt", "lessthan", "<"))
        return val_cmp(c, v, x) < 0;
    if (is(name, "le", "<=", "<="))
        return val_cmp(c, v, x) <= 0;
    if (is(name, "gt", "greaterthan", ">"))
        return val_cmp(c, v, x) > 0;
    if (is(name, "ge", ">=", ">="))
        return val_cmp(c, v, x) >= 0;
    if (lf_str_is(name, "in"))
        return val_in(c, v, x);
    if (lf_str_is(name, "sameas"))
        return v.kind == x.kind && val_eq(v, x);
    if (lf_str_is(name, "divisibleby")) {
        if (v.kind != V_INT || x.kind != V_INT || x.i == 0)
            (void)chat_fail(c, LF_ERR_ARG, "divisibleby needs whole numbers, the second not 0");
        return c->st == LF_OK && x.i != -1 && v.i % x.i == 0;
    }
    (void)chat_fail(c, LF_ERR_UNSUPPORTED, "no test is called '%.*s'",
                    (int)(name.len > 60 ? 60 : name.len), name.p);
    return false;
}

bool chat_test(ctx *c, lf_str name, val v, const args *a)
{
    bool result = false;
    if (test_kind(name, v, &result))
        return result;
    if (lf_str_is(name, "odd") || lf_str_is(name, "even")) {
        if (v.kind != V_INT)
            (void)chat_fail(c, LF_ERR_ARG, "odd and even need a whole number, not %s", val_type(v));
        return (v.kind == V_INT && v.i % 2 != 0) == lf_str_is(name, "odd");
    }
    if (lf_str_is(name, "lower") || lf_str_is(name, "upper")) {
        const lf_str s = val_as_str(c, v);
        const val same = fold_case(c, s, lf_str_is(name, "lower") ? CASE_LOWER : CASE_UPPER);
        const val other = fold_case(c, s, lf_str_is(name, "lower") ? CASE_UPPER : CASE_LOWER);
        return c->st == LF_OK && lf_str_eq(same.s, s) && !lf_str_eq(other.s, s);
    }
    if (lf_str_is(name, "filter") || lf_str_is(name, "test")) {
        if (v.kind != V_STR)
            return false;
        if (lf_str_is(name, "test"))
            return chat_has_test(v.s);
        for (int i = 0; i < N_FILTERS; i++)
            if (lf_str_is(v.s, filters[i].name))
                return true;
        return false;
    }
    if (a->n_pos == 0) {
        (void)chat_fail(c, LF_ERR_ARG, "the test '%.*s' needs an argument",
                        (int)(name.len > 60 ? 60 : name.len), name.p);
        return false;
    }
    return test_against(c, name, v, a->pos[0]);
}

/* model/chat_method.c - methods of strings, maps and lists; global functions.
 *
 * As in the sandbox that transformers uses, what would change a list or a map in
 * place (append, update, pop, …) is refused. */
#include <string.h>
#include <time.h>

#include "model/chat_int.h"
#include "text/utf8.h"

static const char *const str_methods[] = {
    "strip",      "lstrip",  "rstrip",    "split",     "rsplit",       "splitlines",   "startswith",
    "endswith",   "upper",   "lower",     "title",     "capitalize",   "replace",      "find",
    "rfind",      "index",   "count",     "join",      "format",       "isdigit",      "isalpha",
    "isalnum",    "isspace", "isupper",   "islower",   "removeprefix", "removesuffix", "partition",
    "rpartition", "zfill",   "isnumeric", "isdecimal", NULL,
};
static const char *const dict_methods[] = { "get",   "items",   "keys",   "values",
                                            "copy",  "pop",     "update", "setdefault",
                                            "clear", "popitem", NULL };
static const char *const list_methods[] = { "index",  "count",  "copy",    "append",
                                            "extend", "insert", "remove",  "pop",
                                            "clear",  "sort",   "reverse", NULL };
static const char *const loop_methods[] = { "cycle", "changed", NULL };

static bool in_list(lf_str name, const char *const *list)
{
    for (; *list; list++)
        if (lf_str_is(name, *list))
            return true;
    return false;
}

bool chat_is_method(val o, lf_str name)
{
    switch (o.kind) {
    case V_STR:
        return in_list(name, str_methods);
    case V_DICT:
        return in_list(name, dict_methods);
    case V_LIST:
        return in_list(name, list_methods);
    case V_TUPLE:
        return lf_str_is(name, "index") || lf_str_is(name, "count");
    case V_LOOP:
        return in_list(name, loop_methods);
    default:
        return false;
    }
}

/* The string argument `i`; fails when it is something else. */
static lf_str str_arg(ctx *c, const args *a, size_t i, const char *name)
{
    const val v = chat_arg(a, i, name);
    if (v.kind != V_STR) {
        (void)chat_fail(c, LF_ERR_ARG, "a method of text needs text, not %s", val_type(v));
        return (lf_str){ "", 0 };
    }
    return v.s;
}

/* -------------------------------------------------------------------- split */

static val split_space(ctx *c, lf_str s, int64_t most)
{
    const val out = val_list_new(c, V_LIST);
    lf_str rest = chat_strip(s, (lf_str){ 0 }, true, false);
    while (c->st == LF_OK && rest.len) {
        const char *p = rest.p, *end = rest.p + rest.len, *stop = end;
        while (most != 0 && p < end) {
            const char *start = p;
            if (chat_is_space(lf_utf8_next(&p, end))) {
                stop = start;
                break;
            }
        }
        lf_str word = { rest.p, (size_t)(stop - rest.p) };
        if (most == 0)
            word = chat_strip(word, (lf_str){ 0 }, false, true);
        val_push(c, out, val_str(word));
        rest = chat_strip((lf_str){ stop, (size_t)(end - stop) }, (lf_str){ 0 }, true, false);
        most -= most > 0;
    }
    return out;
}

static const char *find_last(lf_str s, lf_str what)
{
    for (size_t i = s.len >= what.len ? s.len - what.len + 1 : 0; i > 0; i--)
        if (memcmp(s.p + i - 1, what.p, what.len) == 0)
            return s.p + i - 1;
    return NULL;
}

static val split_by(ctx *c, lf_str s, lf_str sep, int64_t most, bool from_right)
{
    const val out = val_list_new(c, V_LIST);
    if (sep.len == 0)
        return chat_fail(c, LF_ERR_ARG, "split needs a separator that is not empty");
    while (c->st == LF_OK && most != 0) {
        const char *hit =
            from_right ? find_last(s, sep) : (s.len ? memmem(s.p, s.len, sep.p, sep.len) : NULL);
        if (!hit)
            break;
        const size_t before = (size_t)(hit - s.p);
        const lf_str left = { s.p, before };
        const lf_str right = { hit + sep.len, s.len - before - sep.len };
        val_push(c, out, val_str(from_right ? right : left));
        s = from_right ? left : right;
        most -= most > 0;
    }
    val_push(c, out, val_str(s));
    if (!from_right || c->st != LF_OK)
        return out;
    for (size_t i = 0, j = out.list->n; i + 1 < j; i++) {
        const val swap = out.list->v[i];
        out.list->v[i] = out.list->v[--j];
        out.list->v[j] = swap;
    }
    return out;
}

static val m_split(ctx *c, lf_str s, const args *a, bool from_right)
{
    const val sep = chat_arg(a, 0, "sep"), most = chat_arg(a, 1, "maxsplit");
    const int64_t n = most.kind == V_INT ? most.i : -1;
    if (sep.kind == V_UNDEF || sep.kind == V_NONE) {
        if (from_right && n >= 0)
            return chat_fail(c, LF_ERR_UNSUPPORTED, "rsplit at white space with a limit");
        return split_space(c, s, n);
    }
    return split_by(c, s, str_arg(c, a, 0, "sep"), n, from_right);
}

static val m_splitlines(ctx *c, lf_str s, bool keep)
{
    const val out = val_list_new(c, V_LIST);
    size_t start = 0;
    for (size_t i = 0; c->st == LF_OK && i < s.len; i++) {
        if (s.p[i] != '\n' && s.p[i] != '\r')
            continue;
        const size_t stop = i;
        if (s.p[i] == '\r' && i + 1 < s.len && s.p[i + 1] == '\n')
            i++;
        val_push(c, out, val_str((lf_str){ s.p + start, (keep ? i + 1 : stop) - start }));
        start = i + 1;
    }
    if (start < s.len)
        val_push(c, out, val_str((lf_str){ s.p + start, s.len - start }));
    return out;
}

static val m_partition(ctx *c, lf_str s, lf_str sep, bool last)
{
    const val out = val_list_new(c, V_TUPLE);
    const char *hit = sep.len == 0 || s.len == 0 ? NULL
                      : last                     ? find_last(s, sep)
                                                 : memmem(s.p, s.len, sep.p, sep.len);
    const size_t at = hit ? (size_t)(hit - s.p) : s.len;
    const lf_str none = { "", 0 };
    if (!hit) {
        val_push(c, out, val_str(last ? none : s));
        val_push(c, out, val_str(none));
        val_push(c, out, val_str(last ? s : none));
        return out;
    }
    val_push(c, out, val_str((lf_str){ s.p, at }));
    val_push(c, out, val_str(sep));
    val_push(c, out, val_str((lf_str){ hit + sep.len, s.len - at - sep.len }));
    return out;
}

/* ------------------------------------------------------------ other strings */

static bool begins(lf_str s, lf_str with, bool at_end)
{
    return s.len >= with.len &&
           memcmp(at_end ? s.p + s.len - with.len : s.p, with.p, with.len) == 0;
}

static val m_begins(ctx *c, lf_str s, const args *a, bool at_end)
{
    const val with = chat_arg(a, 0, "prefix");
    if (with.kind == V_TUPLE) {
        for (size_t i = 0; i < with.list->n; i++)
            if (with.list->v[i].kind == V_STR && begins(s, with.list->v[i].s, at_end))
                return val_bool(true);
        return val_bool(false);
    }
    const lf_str one = str_arg(c, a, 0, "prefix");
    return val_bool(begins(s, one, at_end));
}

static val m_find(ctx *c, lf_str s, const args *a, bool last, bool must)
{
    const lf_str what = str_arg(c, a, 0, "sub");
    const char *hit = last                 ? find_last(s, what)
                      : s.len || !what.len ? (what.len ? memmem(s.p, s.len, what.p, what.len) : s.p)
                                           : NULL;
    if (!hit && must)
        return chat_fail(c, LF_ERR_ARG, "index: the text does not occur");
    return val_int(hit ? (int64_t)lf_utf8_count(s.p, (size_t)(hit - s.p)) : -1);
}

static val m_count(lf_str s, lf_str what)
{
    int64_t n = 0;
    if (what.len == 0)
        return val_int((int64_t)lf_utf8_count(s.p, s.len) + 1);
    const char *p = s.p, *end = s.p + s.len;
    while (p < end && (p = memmem(p, (size_t)(end - p), what.p, what.len)) != NULL) {
        p += what.len;
        n++;
    }
    return val_int(n);
}

static val m_join(ctx *c, lf_str sep, const args *a)
{
    lf_buf b = { 0 };
    const val items = val_items(c, chat_arg(a, 0, "iterable"), "join");
    for (size_t i = 0; c->st == LF_OK && i < items.list->n; i++) {
        if (i)
            lf_buf_add(&b, sep.p, sep.len);
        if (items.list->v[i].kind != V_STR)
            (void)chat_fail(c, LF_ERR_ARG, "join of %s", val_type(items.list->v[i]));
        else
            lf_buf_add(&b, items.list->v[i].s.p, items.list->v[i].s.len);
    }
    return val_from_buf(c, &b);
}

/* "{} {0} {name}" without format specifications. */
static val m_format(ctx *c, lf_str s, const args *a)
{
    lf_buf b = { 0 };
    size_t auto_at = 0;
    for (size_t i = 0; c->st == LF_OK && i < s.len; i++) {
        const char ch = s.p[i];
        if ((ch == '{' || ch == '}') && i + 1 < s.len && s.p[i + 1] == ch) {
            lf_buf_add_char(&b, ch);
            i++;
            continue;
        }
        if (ch != '{') {
            lf_buf_add_char(&b, ch);
            continue;
        }
        const char *close = memchr(s.p + i, '}', s.len - i);
        if (!close) {
            (void)chat_fail(c, LF_ERR_ARG, "format: a '{' without '}'");
            break;
        }
        const lf_str field = { s.p + i + 1, (size_t)(close - s.p) - i - 1 };
        char name[64] = { 0 };
        bool number = field.len < 4;
        size_t at = 0;
        for (size_t k = 0; k < field.len; k++) {
            number = number && field.p[k] >= '0' && field.p[k] <= '9';
            at = number ? at * 10 + (size_t)(field.p[k] - '0') : at;
        }
        if (field.len >= sizeof(name) || memchr(field.p, ':', field.len) ||
            memchr(field.p, '!', field.len)) {
            (void)chat_fail(c, LF_ERR_UNSUPPORTED, "format: '{%.*s}' has more than a name",
                            (int)(field.len > 40 ? 40 : field.len), field.p);
            break;
        }
        memcpy(name, field.p, field.len);
        if (field.len == 0)
            at = auto_at++;
        const val v =
            number ? (at < a->n_pos ? a->pos[at] : val_undef(field)) : chat_arg(a, SIZE_MAX, name);
        if (v.kind == V_UNDEF)
            (void)chat_fail(c, LF_ERR_ARG, "format: nothing for '{%s}'", name);
        val_text(c, v, &b);
        i += field.len + 1;
    }
    return val_from_buf(c, &b);
}

static val m_zfill(ctx *c, lf_str s, const args *a)
{
    const val width = chat_arg(a, 0, "width");
    const int64_t n = (int64_t)lf_utf8_count(s.p, s.len);
    lf_buf b = { 0 };
    const bool sign = s.len && (s.p[0] == '-' || s.p[0] == '+');
    if (sign)
        lf_buf_add_char(&b, s.p[0]);
    for (int64_t i = n; width.kind == V_INT && i < width.i && i < 1000; i++)
        lf_buf_add_char(&b, '0');
    lf_buf_add(&b, s.p + sign, s.len - sign);
    return val_from_buf(c, &b);
}

/* isdigit and its like: true for all characters, and there is one. */
static val m_is(ctx *c, lf_str s, lf_str name)
{
    const char *p = s.p, *end = s.p + s.len;
    bool all = s.len > 0, cased = false;
    while (all && p < end) {
        const uint32_t cp = lf_utf8_next(&p, end);
        const bool digit = cp >= '0' && cp <= '9';
        const bool lower = cp >= 'a' && cp <= 'z', upper = cp >= 'A' && cp <= 'Z';
        const bool letter = lower || upper || cp >= 0xC0;
        if (lf_str_is(name, "isdigit") || lf_str_is(name, "isdecimal") ||
            lf_str_is(name, "isnumeric"))
            all = digit;
        else if (lf_str_is(name, "isalpha"))
            all = letter;
        else if (lf_str_is(name, "isalnum"))
            all = letter || digit;
        else if (lf_str_is(name, "isspace"))
            all = chat_is_space(cp);
        else
            all = lf_str_is(name, "isupper") ? !lower : !upper;
        cased = cased || lower || upper;
    }
    (void)c;
    if (lf_str_is(name, "isupper") || lf_str_is(name, "islower"))
        all = all && cased;
    return val_bool(all);
}

static val str_method(ctx *c, lf_str s, lf_str name, const args *a)
{
    const val first = chat_arg(a, 0, "chars");
    const lf_str chars = first.kind == V_STR ? first.s : (lf_str){ 0 };
    if (lf_str_is(name, "strip"))
        return val_str(chat_strip(s, chars, true, true));
    if (lf_str_is(name, "lstrip"))
        return val_str(chat_strip(s, chars, true, false));
    if (lf_str_is(name, "rstrip"))
        return val_str(chat_strip(s, chars, false, true));
    if (lf_str_is(name, "split") || lf_str_is(name, "rsplit"))
        return m_split(c, s, a, lf_str_is(name, "rsplit"));
    if (lf_str_is(name, "splitlines"))
        return m_splitlines(c, s, val_truth(chat_arg(a, 0, "keepends")));
    if (lf_str_is(name, "startswith") || lf_str_is(name, "endswith"))
        return m_begins(c, s, a, lf_str_is(name, "endswith"));
    if (lf_str_is(name, "upper"))
        return chat_fold(c, s, "upper");
    if (lf_str_is(name, "lower"))
        return chat_fold(c, s, "lower");
    if (lf_str_is(name, "title"))
        return chat_fold(c, s, "title");
    if (lf_str_is(name, "capitalize"))
        return chat_fold(c, s, "capitalize");
    if (lf_str_is(name, "replace")) {
        const val most = chat_arg(a, 2, "count");
        return chat_replace(c, s, str_arg(c, a, 0, "old"), str_arg(c, a, 1, "new"),
                            most.kind == V_INT ? most.i : -1);
    }
    if (lf_str_is(name, "find") || lf_str_is(name, "rfind") || lf_str_is(name, "index"))
        return m_find(c, s, a, lf_str_is(name, "rfind"), lf_str_is(name, "index"));
    if (lf_str_is(name, "count"))
        return m_count(s, str_arg(c, a, 0, "sub"));
    if (lf_str_is(name, "join"))
        return m_join(c, s, a);
    if (lf_str_is(name, "format"))
        return m_format(c, s, a);
    if (lf_str_is(name, "zfill"))
        return m_zfill(c, s, a);
    if (lf_str_is(name, "partition") || lf_str_is(name, "rpartition"))
        return m_partition(c, s, str_arg(c, a, 0, "sep"), lf_str_is(name, "rpartition"));
    if (lf_str_is(name, "removeprefix") || lf_str_is(name, "removesuffix")) {
        const bool at_end = lf_str_is(name, "removesuffix");
        const lf_str with = str_arg(c, a, 0, "prefix");
        if (!begins(s, with, at_end))
            return val_str(s);
        return val_str((lf_str){ s.p + (at_end ? 0 : with.len), s.len - with.len });
    }
    return m_is(c, s, name);
}

/* ------------------------------------------------------------ maps and lists */

static val refused(ctx *c, lf_str name)
{
    return chat_fail(c, LF_ERR_DENIED, "'%.*s' would change a value in place", (int)name.len,
                     name.p);
}

static val dict_method(ctx *c, val d, lf_str name, const args *a)
{
    if (lf_str_is(name, "get")) {
        const val *v = a->n_pos ? val_get(d.dict, a->pos[0]) : NULL;
        if (v)
            return *v;
        return chat_has_arg(a, 1, "default") ? chat_arg(a, 1, "default") : val_none();
    }
    if (lf_str_is(name, "items"))
        return chat_pairs(c, d);
    if (lf_str_is(name, "keys"))
        return val_items(c, d, "keys");
    if (lf_str_is(name, "values")) {
        const val out = val_list_new(c, V_LIST);
        for (size_t i = 0; c->st == LF_OK && i < d.dict->n; i++)
            val_push(c, out, d.dict->v[i]);
        return out;
    }
    if (lf_str_is(name, "copy")) {
        const val out = val_dict_new(c, V_DICT);
        for (size_t i = 0; c->st == LF_OK && i < d.dict->n; i++)
            val_put(c, out, d.dict->k[i], d.dict->v[i]);
        return out;
    }
    return refused(c, name);
}

static val list_method(ctx *c, val l, lf_str name, const args *a)
{
    const val what = chat_arg(a, 0, "value");
    if (lf_str_is(name, "count") || lf_str_is(name, "index")) {
        int64_t n = 0;
        for (size_t i = 0; i < l.list->n; i++) {
            if (!val_eq(l.list->v[i], what))
                continue;
            if (lf_str_is(name, "index"))
                return val_int((int64_t)i);
            n++;
        }
        return lf_str_is(name, "count") ? val_int(n)
                                        : chat_fail(c, LF_ERR_ARG, "index: no such item");
    }
    if (lf_str_is(name, "copy"))
        return chat_slice(c, l, val_none(), val_none(), val_none());
    return refused(c, name);
}

static val loop_method(ctx *c, val_loop *l, lf_str name, const args *a)
{
    if (lf_str_is(name, "cycle")) {
        if (a->n_pos == 0)
            return chat_fail(c, LF_ERR_ARG, "loop.cycle needs values");
        return a->pos[l->at % a->n_pos];
    }
    const val all = val_list_new(c, V_TUPLE);
    for (size_t i = 0; i < a->n_pos; i++)
        val_push(c, all, a->pos[i]);
    const bool changed = !val_eq(l->changed, all);
    l->changed = all;
    return val_bool(changed);
}

val chat_method(ctx *c, const val_method *m, const args *a)
{
    switch (m->self.kind) {
    case V_STR:
        return str_method(c, m->self.s, m->name, a);
    case V_DICT:
        return dict_method(c, m->self, m->name, a);
    case V_LOOP:
        return loop_method(c, m->self.loop, m->name, a);
    default:
        return list_method(c, m->self, m->name, a);
    }
}

/* ---------------------------------------------------------- global functions */

static const char *const functions[] = { "namespace",       "range",        "dict",
                                         "raise_exception", "strftime_now", NULL };

val chat_global(lf_str name)
{
    return in_list(name, functions) ? (val){ .kind = V_FUNC, .s = name } : val_undef(name);
}

static val fn_range(ctx *c, const args *a)
{
    int64_t part[3] = { 0, 0, 1 };
    for (size_t i = 0; i < a->n_pos && i < 3; i++) {
        if (a->pos[i].kind != V_INT)
            return chat_fail(c, LF_ERR_ARG, "range needs whole numbers, not %s",
                             val_type(a->pos[i]));
        part[i] = a->pos[i].i;
    }
    if (a->n_pos == 1) {
        part[1] = part[0];
        part[0] = 0;
    }
    if (a->n_pos == 0 || part[2] == 0)
        return chat_fail(c, LF_ERR_ARG, "range needs an end, and a step that is not 0");
    const val out = val_list_new(c, V_LIST);
    for (int64_t i = part[0]; c->st == LF_OK && (part[2] > 0 ? i < part[1] : i > part[1]);) {
        if (out.list->n >= 100000) /* as in Jinja's sandbox */
            return chat_fail(c, LF_ERR_LIMIT, "range over 100,000 items");
        val_push(c, out, val_int(i));
        if (__builtin_add_overflow(i, part[2], &i))
            break;
    }
    return out;
}

static val fn_now(ctx *c, const args *a)
{
    char fmt[128], text[256] = "";
    const lf_str f = str_arg(c, a, 0, "format");
    const time_t at = (time_t)(c->now_ms / 1000);
    struct tm tm;
    if (c->st != LF_OK || f.len == 0)
        return val_cstr("");
    if (f.len >= sizeof(fmt) || !localtime_r(&at, &tm))
        return chat_fail(c, LF_ERR_ARG, "strftime_now: a format of more than 127 bytes");
    memcpy(fmt, f.p, f.len);
    fmt[f.len] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const size_t n = strftime(text, sizeof(text), fmt, &tm);
#pragma GCC diagnostic pop
    const char *copy = lf_arena_strndup(&c->arena, text, n);
    return copy ? val_str((lf_str){ copy, n }) : chat_fail(c, LF_ERR_NOMEM, "no memory for a date");
}

static val fn_dict(ctx *c, const args *a, val_kind kind)
{
    const val out = val_dict_new(c, kind);
    const val from = a->n_pos ? a->pos[0] : val_none();
    if (from.kind == V_DICT)
        for (size_t i = 0; c->st == LF_OK && i < from.dict->n; i++)
            val_put(c, out, from.dict->k[i], from.dict->v[i]);
    for (size_t i = 0; c->st == LF_OK && i < a->n_kw; i++)
        val_put(c, out, val_str(a->names[i]), a->kw[i]);
    return out;
}

val chat_func(ctx *c, lf_str name, const args *a)
{
    if (lf_str_is(name, "namespace"))
        return fn_dict(c, a, V_NAMESPACE);
    if (lf_str_is(name, "dict"))
        return fn_dict(c, a, V_DICT);
    if (lf_str_is(name, "range"))
        return fn_range(c, a);
    if (lf_str_is(name, "strftime_now"))
        return fn_now(c, a);
    const lf_str why = val_as_str(c, chat_arg(a, 0, "message"));
    return chat_fail(c, LF_ERR_ARG, "refused: %.*s", (int)(why.len > 300 ? 300 : why.len), why.p);
}

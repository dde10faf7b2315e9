/* infer/tool_stream.c - text and calls, told apart.
 *
 *              open NAME middle            object is closed
 *     IN_TEXT ------------------> IN_ARGS ------------------> AT_CLOSE
 *        ^                                                        |
 *        +------------- close, or something else -----------------+
 *
 * `held` begins at the first byte that is not decided.  A step takes bytes from its front and
 * says whether another may follow; it looks at nothing but `held` and the state, and
 * waits where more bytes could change what it does: so the cuts between pieces make no
 * difference. */
#include "infer/tool_stream.h"

#include <string.h>

enum { IN_TEXT, IN_ARGS, AT_CLOSE };

typedef enum match { MATCH_NO, MATCH_MORE, MATCH_YES } match; /* the surest last */

static void emit(lf_tool_stream *s, lf_tool_event_kind kind, const char *p, size_t n)
{
    const lf_tool_event ev = { .kind = kind,
                               .call = kind == LF_TOOL_TEXT ? s->n_calls : s->n_calls - 1,
                               .text = { p, n } };
    if ((n == 0 && kind != LF_TOOL_CALL_END) || s->stopped)
        return;
    s->in_text = kind == LF_TOOL_TEXT;
    s->stopped = !s->on_event(s->ud, &ev);
}

static void drop(lf_tool_stream *s, size_t n)
{
    s->held.len -= n;
    memmove(s->held.data, s->held.data + n, s->held.len + 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Does p[0..n) begin with `word`, or may it with more bytes? */
static match begins(const char *p, size_t n, const char *word)
{
    const size_t len = strlen(word);
    if (memcmp(p, word, n < len ? n : len) != 0)
        return MATCH_NO;
    return n < len ? MATCH_MORE : MATCH_YES;
}

static bool is_known(const lf_tool_stream *s, const char *name, size_t n)
{
    const json_t *tool;
    size_t i;
    if (!s->tools)
        return lf_tool_name_ok(name, n);
    json_array_foreach(s->tools, i, tool)
    {
        const char *known =
            json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
        if (known && strlen(known) == n && memcmp(known, name, n) == 0)
            return true;
    }
    return false;
}

/* White space at the end of p[0..n), in bytes. */
static size_t space_tail(const char *p, size_t n)
{
    size_t k = 0;
    while (k < n && is_space(p[n - 1 - k]))
        k++;
    return k;
}

/* A call in held: where it begins, its name, and its arguments. */
typedef struct opening {
    size_t spelling, at, name, n_name, args;
} opening;

/* Is there  open NAME middle {  in this spelling at held[at..)?  Fills *o where there is. */
static match spelled_at(const lf_tool_stream *s, size_t at, size_t spelling, opening *o)
{
    const lf_tool_spelling *sp = &s->format->spellings[spelling];
    const char *p = s->held.data + at;
    const size_t n = s->held.len - at;
    match m = begins(p, n, sp->open);
    if (m != MATCH_YES)
        return m;
    const char *name = p + strlen(sp->open);
    const size_t left = n - strlen(sp->open);
    const char *end = memchr(name, sp->middle[0], left);
    const size_t len = end ? (size_t)(end - name) : left;
    if (len > LF_TOOL_NAME_MAX || (len && !lf_tool_name_ok(name, len)))
        return MATCH_NO;
    if (!end)
        return MATCH_MORE;
    m = begins(end, left - len, sp->middle);
    if (m == MATCH_NO || !is_known(s, name, len))
        return MATCH_NO;
    const size_t args = len + strlen(sp->middle);
    if (m == MATCH_MORE || args == left)
        return MATCH_MORE;
    const size_t name_at = at + strlen(sp->open);
    *o = (opening){ spelling, at, name_at, len, name_at + args };
    return name[args] == '{' ? MATCH_YES : MATCH_NO;
}

/* May a call in this spelling stand at held[at]? */
static bool may_stand(const lf_tool_stream *s, size_t at, size_t spelling)
{
    const lf_tool_format *f = s->format;
    if (spelling == 0 && f->n_mark)
        return true;
    if (s->in_text || (spelling && s->own_only))
        return false;
    if (s->n_calls && !(f->join && spelling == s->spelling))
        return false;
    return space_tail(s->held.data, at) == at;
}

static match call_at(const lf_tool_stream *s, size_t at, opening *o)
{
    match best = MATCH_NO;
    for (size_t i = 0; i < s->format->n_spellings && best != MATCH_YES; i++) {
        const match m = may_stand(s, at, i) ? spelled_at(s, at, i, o) : MATCH_NO;
        best = m > best ? m : best;
    }
    return best;
}

/* Show text up to a call, or to where one may yet come. */
static bool step_text(lf_tool_stream *s)
{
    opening o;
    size_t at = 0;
    match m = MATCH_NO;
    while (at < s->held.len && (m = call_at(s, at, &o)) == MATCH_NO)
        at++;
    const size_t n_text = at - space_tail(s->held.data, at);
    emit(s, LF_TOOL_TEXT, s->held.data, n_text);
    if (m == MATCH_YES) {
        s->n_calls++;
        s->spelling = o.spelling;
        emit(s, LF_TOOL_CALL, s->held.data + o.name, o.n_name);
        s->where = IN_ARGS;
        s->depth = 0;
        s->in_string = s->escaped = false;
    }
    drop(s, m == MATCH_YES ? o.args : n_text);
    return m == MATCH_YES;
}

/* Follow a byte of the arguments; true: it closes the object. */
static bool follow(lf_tool_stream *s, char c)
{
    if (s->in_string) {
        if (s->escaped)
            s->escaped = false;
        else if (c == '\\')
            s->escaped = true;
        else if (c == '"')
            s->in_string = false;
        return false;
    }
    s->in_string = c == '"';
    s->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    return s->depth <= 0;
}

static bool step_args(lf_tool_stream *s)
{
    size_t n = 0;
    bool closed = false;
    while (n < s->held.len && !closed)
        closed = follow(s, s->held.data[n++]);
    emit(s, LF_TOOL_ARGS, s->held.data, n);
    drop(s, n);
    if (closed)
        s->where = AT_CLOSE;
    return closed;
}

static bool step_close(lf_tool_stream *s)
{
    const char *close = s->format->spellings[s->spelling].close;
    const match m = begins(s->held.data, s->held.len, close);
    if (m == MATCH_MORE)
        return false;
    emit(s, LF_TOOL_CALL_END, NULL, 0);
    if (m == MATCH_YES)
        drop(s, strlen(close));
    s->where = IN_TEXT;
    return true;
}

bool lf_tool_stream_add(lf_tool_stream *s, const char *piece, size_t n)
{
    bool go_on = n > 0 && !s->stopped;
    if (go_on && !s->format) {
        emit(s, LF_TOOL_TEXT, piece, n);
        return !s->stopped;
    }
    lf_buf_add(&s->held, piece, n);
    while (go_on && !s->stopped && !s->held.failed && s->held.len)
        go_on = s->where == IN_TEXT   ? step_text(s)
                : s->where == IN_ARGS ? step_args(s)
                                      : step_close(s);
    return !s->stopped && !s->held.failed;
}

bool lf_tool_stream_end(lf_tool_stream *s)
{
    const bool space_only = space_tail(s->held.data, s->held.len) == s->held.len;
    if (s->held.failed || s->stopped)
        return false;
    if (s->where == AT_CLOSE) /* what is held begins `close` */
        emit(s, LF_TOOL_CALL_END, NULL, 0);
    else if (!(space_only && s->n_calls))
        emit(s, LF_TOOL_TEXT, s->held.data, s->held.len);
    lf_buf_clear(&s->held);
    return !s->stopped;
}

void lf_tool_stream_release(lf_tool_stream *s)
{
    lf_buf_release(&s->held);
}

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

typedef enum match { MATCH_NO, MATCH_MORE, MATCH_YES } match;

static void emit(lf_tool_stream *s, lf_tool_event_kind kind, const char *p, size_t n)
{
    const lf_tool_event ev = { .kind = kind,
                               .call = kind == LF_TOOL_TEXT ? s->n_calls : s->n_calls - 1,
                               .text = { p, n } };
    if ((n == 0 && kind != LF_TOOL_CALL_END) || s->stopped)
        return;
    s->any_text = true;
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

/* Is there  open NAME middle {  at p[0..n)?  The name lies at p[*at .. *at + *len). */
static match call_at(const lf_tool_stream *s, const char *p, size_t n, size_t *at, size_t *len)
{
    match m = begins(p, n, s->format->open);
    if (m != MATCH_YES)
        return m;
    *at = strlen(s->format->open);
    const char *name = p + *at;
    const size_t left = n - *at;
    const char *end = memchr(name, s->format->middle[0], left);
    *len = end ? (size_t)(end - name) : left;
    if (*len > LF_TOOL_NAME_MAX || (*len && !lf_tool_name_ok(name, *len)))
        return MATCH_NO;
    if (!end)
        return MATCH_MORE;
    m = begins(end, left - *len, s->format->middle);
    if (m != MATCH_YES || !is_known(s, name, *len))
        return m == MATCH_MORE && is_known(s, name, *len) ? MATCH_MORE : MATCH_NO;
    const size_t args = *len + strlen(s->format->middle);
    return args == left ? MATCH_MORE : name[args] == '{' ? MATCH_YES : MATCH_NO;
}

/* White space at the end of p[0..n), in bytes. */
static size_t space_tail(const char *p, size_t n)
{
    size_t k = 0;
    while (k < n && is_space(p[n - 1 - k]))
        k++;
    return k;
}

/* The next place in held[from..) where a call may stand, or held.len. */
static size_t next_open(const lf_tool_stream *s, size_t from)
{
    const lf_tool_format *f = s->format;
    if (f->n_mark == 0)
        return from == 0 && !s->any_text ? 0 : s->held.len;
    for (const char *p = s->held.data + from, *end = s->held.data + s->held.len; p < end; p++) {
        p = memchr(p, f->open[0], (size_t)(end - p));
        if (!p)
            break;
        const size_t n = (size_t)(end - p);
        if (memcmp(p, f->open, n < f->n_mark ? n : f->n_mark) == 0)
            return (size_t)(p - s->held.data);
    }
    return s->held.len;
}

/* Show text up to a call, or to where one may yet come. */
static bool step_text(lf_tool_stream *s)
{
    size_t name_at = 0, name_len = 0, at = 0;
    match m = MATCH_NO;
    for (at = next_open(s, 0); at < s->held.len; at = next_open(s, at + 1)) {
        m = call_at(s, s->held.data + at, s->held.len - at, &name_at, &name_len);
        if (m != MATCH_NO)
            break;
    }
    const size_t n_text = at - space_tail(s->held.data, at);
    if (n_text) {
        emit(s, LF_TOOL_TEXT, s->held.data, n_text);
        drop(s, n_text);
        at -= n_text;
    }
    if (m != MATCH_YES)
        return false;
    s->n_calls++;
    emit(s, LF_TOOL_CALL, s->held.data + at + name_at, name_len);
    drop(s, at + name_at + name_len + strlen(s->format->middle));
    s->where = IN_ARGS;
    s->depth = 0;
    s->in_string = s->escaped = false;
    return true;
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
    const match m = begins(s->held.data, s->held.len, s->format->close);
    if (m == MATCH_MORE)
        return false;
    emit(s, LF_TOOL_CALL_END, NULL, 0);
    if (m == MATCH_YES)
        drop(s, strlen(s->format->close));
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

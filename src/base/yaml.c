/* base/yaml.c - libyaml's event parser folded into a Jansson value.
 *
 * One function per kind of node, recursive, at most DEPTH_MAX deep.  The dotted
 * path of the current value is kept in one buffer: each level appends its key
 * and cuts it off again. */
#include "base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"

enum { DEPTH_MAX = 32 };

typedef struct reader {
    yaml_parser_t parser;
    const char *what;
    json_t *lines; /* NULL when not wanted */
    lf_buf path;
    int depth;
} reader;

static lf_status read_node(reader *r, yaml_event_t *ev, json_t **out, lf_err *err);

static lf_status fail_at(const reader *r, const yaml_mark_t *at, const char *why, lf_err *err)
{
    return lf_fail(err, LF_ERR_FORMAT, "cannot read %s, line %zu, column %zu: %s", r->what,
                   at->line + 1, at->column + 1, why);
}

/* The next event; the caller deletes it. */
static lf_status next_event(reader *r, yaml_event_t *ev, lf_err *err)
{
    if (yaml_parser_parse(&r->parser, ev))
        return LF_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);
    return fail_at(r, &r->parser.problem_mark,
                   r->parser.problem ? r->parser.problem : "not valid YAML", err);
}

static bool is_any(const char *s, const char *a, const char *b, const char *c)
{
    return strcmp(s, a) == 0 || strcmp(s, b) == 0 || strcmp(s, c) == 0;
}

/* A number by the core schema: digits with sign, dot and exponent; or NULL. */
static json_t *plain_number(const char *s)
{
    const char *p = s + (*s == '-' || *s == '+');
    if (*p == '\0' || s[strspn(s, "0123456789+-.eE")] != '\0' || !strpbrk(p, "0123456789"))
        return NULL;
    char *end = NULL;
    errno = 0;
    if (!strpbrk(p, ".eE")) {
        const long long v = strtoll(s, &end, 10);
        return *end == '\0' && errno == 0 ? json_integer(v) : NULL;
    }
    const double d = strtod(s, &end);
    return *end == '\0' && errno == 0 ? json_real(d) : NULL;
}

static json_t *plain_scalar(const char *s)
{
    if (s[0] == '\0' || strcmp(s, "~") == 0 || is_any(s, "null", "Null", "NULL"))
        return json_null();
    if (is_any(s, "true", "True", "TRUE"))
        return json_true();
    if (is_any(s, "false", "False", "FALSE"))
        return json_false();
    json_t *n = plain_number(s);
    return n ? n : json_string(s);
}

static lf_status read_scalar(const reader *r, const yaml_event_t *ev, json_t **out, lf_err *err)
{
    const char *s = (const char *)ev->data.scalar.value;
    if (ev->data.scalar.tag)
        return fail_at(r, &ev->start_mark, "tags are not supported", err);
    if (memchr(s, '\0', ev->data.scalar.length))
        return fail_at(r, &ev->start_mark, "a NUL character is not allowed", err);
    json_t *v = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_scalar(s) : json_string(s);
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);
    *out = v;
    return LF_OK;
}

/* Read the value that starts with `ev` as the member `key` of the current path. */
static lf_status read_member(reader *r, yaml_event_t *ev, const char *key, json_t **out,
                             lf_err *err)
{
    const size_t keep = r->path.len;
    lf_buf_addf(&r->path, keep ? ".%s" : "%s", key);
    if (r->path.failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);
    if (r->lines && json_object_set_new(r->lines, lf_buf_cstr(&r->path),
                                        json_integer((json_int_t)ev->start_mark.line + 1)) != 0)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);
    const lf_status st = read_node(r, ev, out, err);
    r->path.len = keep;
    if (r->path.data)
        r->path.data[keep] = '\0';
    return st;
}

static lf_status read_list(reader *r, json_t **out, lf_err *err)
{
    json_t *list = json_array();
    yaml_event_t ev;
    lf_status st = list ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);

    while (st == LF_OK && (st = next_event(r, &ev, err)) == LF_OK) {
        const bool end = ev.type == YAML_SEQUENCE_END_EVENT;
        json_t *v = NULL;
        char key[32];
        if (!end) {
            snprintf(key, sizeof key, "%zu", json_array_size(list));
            st = read_member(r, &ev, key, &v, err);
            if (st == LF_OK && json_array_append_new(list, v) != 0)
                st = lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);
        }
        yaml_event_delete(&ev);
        if (end)
            break;
    }
    if (st != LF_OK) {
        json_decref(list);
        return st;
    }
    *out = list;
    return LF_OK;
}

/* One "key: value" of a map; `ev` holds the key's event. */
static lf_status read_pair(reader *r, const yaml_event_t *ev, json_t *map, lf_err *err)
{
    yaml_event_t vev;
    json_t *v = NULL;

    if (ev->type != YAML_SCALAR_EVENT || ev->data.scalar.tag || ev->data.scalar.anchor)
        return fail_at(r, &ev->start_mark, "a key has to be a plain word", err);
    const char *key = (const char *)ev->data.scalar.value;
    if (memchr(key, '\0', ev->data.scalar.length))
        return fail_at(r, &ev->start_mark, "a NUL character is not allowed", err);
    if (json_object_get(map, key))
        return fail_at(r, &ev->start_mark, "this key stands there twice", err);
    lf_status st = next_event(r, &vev, err);
    if (st != LF_OK)
        return st;
    st = read_member(r, &vev, key, &v, err);
    if (st == LF_OK && json_object_set_new(map, key, v) != 0)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);
    yaml_event_delete(&vev);
    return st;
}

static lf_status read_map(reader *r, json_t **out, lf_err *err)
{
    json_t *map = json_object();
    yaml_event_t ev;
    lf_status st = map ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", r->what);

    while (st == LF_OK && (st = next_event(r, &ev, err)) == LF_OK) {
        const bool end = ev.type == YAML_MAPPING_END_EVENT;
        if (!end)
            st = read_pair(r, &ev, map, err);
        yaml_event_delete(&ev);
        if (end)
            break;
    }
    if (st != LF_OK) {
        json_decref(map);
        return st;
    }
    *out = map;
    return LF_OK;
}

static lf_status read_node(reader *r, yaml_event_t *ev, json_t **out, lf_err *err)
{
    lf_status st = LF_OK;

    if (r->depth >= DEPTH_MAX)
        return fail_at(r, &ev->start_mark, "nested deeper than 32 levels", err);
    r->depth++;
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        st = ev->data.scalar.anchor ? fail_at(r, &ev->start_mark, "anchors are not supported", err)
                                    : read_scalar(r, ev, out, err);
        break;
    case YAML_SEQUENCE_START_EVENT:
        st = ev->data.sequence_start.anchor || ev->data.sequence_start.tag
                 ? fail_at(r, &ev->start_mark, "anchors and tags are not supported", err)
                 : read_list(r, out, err);
        break;
    case YAML_MAPPING_START_EVENT:
        st = ev->data.mapping_start.anchor || ev->data.mapping_start.tag
                 ? fail_at(r, &ev->start_mark, "anchors and tags are not supported", err)
                 : read_map(r, out, err);
        break;
    default:
        st = fail_at(r, &ev->start_mark, "aliases are not supported", err);
    }
    r->depth--;
    return st;
}

/* stream start, [document start, node, document end], stream end. */
static lf_status read_stream(reader *r, json_t **out, lf_err *err)
{
    lf_status st = LF_OK;
    for (bool end = false; st == LF_OK && !end;) {
        yaml_event_t ev;
        st = next_event(r, &ev, err);
        if (st != LF_OK)
            return st;
        switch (ev.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT:
            break;
        case YAML_STREAM_END_EVENT:
            end = true;
            break;
        case YAML_DOCUMENT_START_EVENT:
            if (*out)
                st = fail_at(r, &ev.start_mark, "only one document is allowed", err);
            break;
        default:
            st = read_node(r, &ev, out, err);
        }
        yaml_event_delete(&ev);
    }
    return st;
}

lf_status lf_yaml_parse(const char *text, size_t n_bytes, const char *what, json_t **out,
                        json_t **lines, lf_err *err)
{
    reader r = { .what = what };
    json_t *v = NULL;

    if (!yaml_parser_initialize(&r.parser))
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", what);
    lf_status st = LF_OK;
    if (lines) {
        r.lines = json_object();
        if (!r.lines)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", what);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n_bytes);
    if (st == LF_OK)
        st = read_stream(&r, &v, err);
    if (st == LF_OK && (!v || json_is_null(v))) {
        json_decref(v);
        v = json_object();
        if (!v)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", what);
    }
    if (st == LF_OK) {
        *out = v;
        v = NULL;
        if (lines) {
            *lines = r.lines;
            r.lines = NULL;
        }
    }
    json_decref(v);
    json_decref(r.lines);
    lf_buf_release(&r.path);
    yaml_parser_delete(&r.parser);
    return st;
}

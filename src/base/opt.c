/* base/opt.c - settings from text, by table.
 *
 * Every source ends in lf_opt_set, which checks the value against the row and
 * writes the field: there is one parser and one range check per type. */
#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

size_t lf_opt_count(const lf_opt *rows)
{
    size_t n = 0;
    while (rows[n].key)
        n++;
    return n;
}

const lf_opt *lf_opt_find(const lf_opt *rows, const char *key, size_t *index)
{
    for (size_t i = 0; rows[i].key; i++) {
        if (strcmp(rows[i].key, key) != 0)
            continue;
        if (index)
            *index = i;
        return &rows[i];
    }
    return NULL;
}

static bool parse_bool(const char *s, bool *out)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
            *out = strcmp(s, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static lf_status set_bool(const lf_opt *row, void *field, const char *value, const char *where,
                          lf_err *err)
{
    bool v = false;
    if (!parse_bool(value, &v))
        return lf_fail(err, LF_ERR_ARG, "%s: %s is '%.100s', allowed are true and false", where,
                       row->key, value);
    memcpy(field, &v, sizeof v);
    return LF_OK;
}

static lf_status set_num(const lf_opt *row, void *field, const char *value, const char *where,
                         lf_err *err)
{
    char *end = NULL;
    const double v = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(v) || v < row->min || v > row->max)
        return lf_fail(err, LF_ERR_ARG, "%s: %s is '%.100s', allowed is a number from %g to %g",
                       where, row->key, value, row->min, row->max);
    memcpy(field, &v, sizeof v);
    return LF_OK;
}

/* LF_OPT_INT and LF_OPT_U64. */
static lf_status set_int(const lf_opt *row, void *field, const char *value, const char *where,
                         lf_err *err)
{
    char *end = NULL;
    errno = 0;
    const long long v = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || errno == ERANGE || (double)v < row->min ||
        (double)v > row->max)
        return lf_fail(err, LF_ERR_ARG,
                       "%s: %s is '%.100s', allowed is a whole number from %.0f to %.0f", where,
                       row->key, value, row->min, row->max);
    if (row->type == LF_OPT_INT) {
        const int32_t narrow = (int32_t)v;
        memcpy(field, &narrow, sizeof narrow);
    } else {
        const uint64_t wide = (uint64_t)v;
        memcpy(field, &wide, sizeof wide);
    }
    return LF_OK;
}

static bool is_choice(const char *choices, const char *value)
{
    const size_t n = strlen(value);
    for (const char *p = choices; *p;) {
        const size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, value, n) == 0)
            return true;
        p += len + (p[len] == '|');
    }
    return false;
}

static lf_status set_str(const lf_opt *row, void *field, const char *value, const char *where,
                         lf_err *err)
{
    const size_t n = strlen(value);
    if (row->choices && !is_choice(row->choices, value))
        return lf_fail(err, LF_ERR_ARG, "%s: %s is '%.100s', allowed are %s", where, row->key,
                       value, row->choices);
    if (n >= row->size)
        return lf_fail(err, LF_ERR_ARG, "%s: %s has %zu bytes, allowed are %zu", where, row->key, n,
                       row->size - 1);
    memcpy(field, value, n + 1);
    return LF_OK;
}

/* Each entry has a name and a value; neither holds ',' or '='. */
static lf_status set_map(const lf_opt *row, void *field, const char *value, const char *where,
                         lf_err *err)
{
    for (const char *p = value; *p;) {
        const size_t len = strcspn(p, ","), name = strcspn(p, "=,");
        if (name == 0 || name + 1 >= len || strcspn(p + name + 1, "=,") != len - name - 1)
            return lf_fail(err, LF_ERR_ARG, "%s: %s has the entry '%.*s', allowed is NAME=VALUE",
                           where, row->key, len < 100 ? (int)len : 100, p);
        p += len + (p[len] == ',');
    }
    return set_str(row, field, value, where, err);
}

lf_status lf_opt_set(const lf_opt *rows, void *settings, lf_opt_source *from, const char *key,
                     const char *value, lf_opt_source source, const char *where, lf_err *err)
{
    size_t index = 0;
    lf_status st = LF_OK;
    const lf_opt *row = lf_opt_find(rows, key, &index);
    if (!row)
        return lf_fail(err, LF_ERR_ARG,
                       "%s: there is no setting '%.100s'; see landfall config show", where, key);
    void *field = (char *)settings + row->offset;
    switch (row->type) {
    case LF_OPT_BOOL:
        st = set_bool(row, field, value, where, err);
        break;
    case LF_OPT_INT:
    case LF_OPT_U64:
        st = set_int(row, field, value, where, err);
        break;
    case LF_OPT_NUM:
        st = set_num(row, field, value, where, err);
        break;
    case LF_OPT_STR:
        st = set_str(row, field, value, where, err);
        break;
    case LF_OPT_MAP:
        st = set_map(row, field, value, where, err);
        break;
    }
    if (st == LF_OK)
        from[index] = source;
    return st;
}

lf_status lf_opt_defaults(const lf_opt *rows, void *settings, lf_opt_source *from, lf_err *err)
{
    lf_status st = LF_OK;
    for (size_t i = 0; rows[i].key && st == LF_OK; i++)
        st = lf_opt_set(rows, settings, from, rows[i].key, rows[i].def, LF_OPT_DEFAULT, "default",
                        err);
    return st;
}

/* A scalar as the text that was written (numbers in their shortest exact form). */
static bool scalar_text(const json_t *v, lf_buf *out)
{
    if (json_is_string(v))
        lf_buf_add(out, json_string_value(v), json_string_length(v));
    else if (json_is_boolean(v))
        lf_buf_add_str(out, json_is_true(v) ? "true" : "false");
    else if (json_is_integer(v))
        lf_buf_addf(out, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        lf_buf_addf(out, "%.17g", json_real_value(v));
    else
        return false;
    return true;
}

/* A map of scalars as the text of a LF_OPT_MAP. */
static bool map_text(json_t *map, lf_buf *out)
{
    const char *key;
    json_t *v;
    json_object_foreach(map, key, v)
    {
        lf_buf_addf(out, "%s%s=", out->len ? "," : "", key);
        if (!scalar_text(v, out))
            return false;
    }
    return true;
}

typedef struct yaml_ctx {
    const lf_opt *rows;
    void *settings;
    lf_opt_source *from;
    const char *file;
    const json_t *lines;
} yaml_ctx;

static lf_status set_yaml_value(const yaml_ctx *c, const char *path, json_t *v, lf_err *err)
{
    lf_buf where = { 0 }, text = { 0 };
    lf_status st = LF_OK;

    lf_buf_addf(&where, "%s, line %lld", c->file,
                (long long)json_integer_value(json_object_get(c->lines, path)));
    if (!(json_is_object(v) ? map_text(v, &text) : scalar_text(v, &text)))
        st = lf_fail(err, LF_ERR_ARG, "%s: %.100s has to be one value", lf_buf_cstr(&where), path);
    else if (text.failed || where.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", c->file);
    else
        st = lf_opt_set(c->rows, c->settings, c->from, path, lf_buf_cstr(&text), LF_OPT_FILE,
                        lf_buf_cstr(&where), err);
    lf_buf_release(&text);
    lf_buf_release(&where);
    return st;
}

/* Walk nested maps (the YAML reader limits their depth); `path` is cut back. */
static lf_status set_yaml_map(const yaml_ctx *c, lf_buf *path, json_t *map, lf_err *err)
{
    const char *key = NULL;
    json_t *v = NULL;
    lf_status st = LF_OK;
    const size_t keep = path->len;

    json_object_foreach(map, key, v)
    {
        lf_buf_addf(path, keep ? ".%s" : "%s", key);
        if (path->failed)
            return lf_fail(err, LF_ERR_NOMEM, "no memory to read %s", c->file);
        const lf_opt *row = lf_opt_find(c->rows, lf_buf_cstr(path), NULL);
        st = json_is_object(v) && !(row && row->type == LF_OPT_MAP)
                 ? set_yaml_map(c, path, v, err)
                 : set_yaml_value(c, lf_buf_cstr(path), v, err);
        path->len = keep;
        path->data[keep] = '\0';
        if (st != LF_OK)
            break;
    }
    return st;
}

lf_status lf_opt_set_yaml(const lf_opt *rows, void *settings, lf_opt_source *from, const char *text,
                          size_t n_bytes, const char *file, lf_err *err)
{
    json_t *v = NULL, *lines = NULL;
    lf_buf path = { 0 };

    lf_status st = lf_yaml_parse(text, n_bytes, file, &v, &lines, err);
    if (st != LF_OK)
        return st;
    const yaml_ctx c = { rows, settings, from, file, lines };
    if (json_is_object(v))
        st = set_yaml_map(&c, &path, v, err);
    else
        st = lf_fail(err, LF_ERR_ARG, "%s: expected a map of settings", file);
    lf_buf_release(&path);
    json_decref(lines);
    json_decref(v);
    return st;
}

void lf_opt_env_name(const char *key, lf_buf *out)
{
    lf_buf_add_str(out, "LANDFALL_");
    for (; *key; key++)
        lf_buf_add_char(out, *key == '.' ? '_' : (char)toupper((unsigned char)*key));
}

void lf_opt_text(const lf_opt *row, const void *settings, lf_buf *out)
{
    const char *field = (const char *)settings + row->offset;
    bool b = false;
    int32_t i = 0;
    uint64_t u = 0;
    double d = 0;

    switch (row->type) {
    case LF_OPT_BOOL:
        memcpy(&b, field, sizeof b);
        lf_buf_add_str(out, b ? "true" : "false");
        break;
    case LF_OPT_INT:
        memcpy(&i, field, sizeof i);
        lf_buf_addf(out, "%d", (int)i);
        break;
    case LF_OPT_U64:
        memcpy(&u, field, sizeof u);
        lf_buf_addf(out, "%llu", (unsigned long long)u);
        break;
    case LF_OPT_NUM:
        memcpy(&d, field, sizeof d);
        lf_buf_addf(out, "%g", d);
        break;
    case LF_OPT_STR:
    case LF_OPT_MAP:
        lf_buf_add_str(out, field);
        break;
    }
}

static json_t *value_json(const lf_opt *row, const void *settings, const lf_buf *text)
{
    const char *field = (const char *)settings + row->offset;
    double d = 0;

    switch (row->type) {
    case LF_OPT_BOOL:
        return json_boolean(strcmp(lf_buf_cstr(text), "true") == 0);
    case LF_OPT_INT:
    case LF_OPT_U64:
        return json_integer(strtoll(lf_buf_cstr(text), NULL, 10));
    case LF_OPT_NUM:
        memcpy(&d, field, sizeof d);
        return json_real(d);
    case LF_OPT_STR:
    case LF_OPT_MAP:
        break;
    }
    return lf_json_text(text->data, text->len);
}

json_t *lf_opt_json(const lf_opt *rows, const void *settings, const lf_opt_source *from, bool zh)
{
    json_t *list = json_array();
    lf_buf text = { 0 };

    for (size_t i = 0; list && rows[i].key; i++) {
        lf_buf_clear(&text);
        lf_opt_text(&rows[i], settings, &text);
        json_t *value = text.failed ? NULL : value_json(&rows[i], settings, &text);
        json_t *row = json_pack("{s:s, s:o, s:s, s:s, s:s}", "key", rows[i].key, "value", value,
                                "default", rows[i].def, "origin", lf_opt_source_name(from[i]),
                                "help", zh ? rows[i].help_zh : rows[i].help);
        if (!row || json_array_append_new(list, row) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    lf_buf_release(&text);
    return list;
}

const char *lf_opt_source_name(lf_opt_source s)
{
    static const char *const names[] = { "default", "file", "environment", "flag" };
    return (unsigned)s < 4 ? names[s] : "unknown";
}

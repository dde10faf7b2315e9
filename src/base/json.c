/* base/json.c - typed access to Jansson values with errors that name the key. */
#include "base/json.h"

#include <string.h>

lf_status lf_json_parse(const char *text, size_t n_bytes, const char *what, json_t **out,
                        lf_err *err)
{
    json_error_t je;
    json_t *v =
        json_loadb(text ? text : "", n_bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!v) {
        const bool oom = json_error_code(&je) == json_error_out_of_memory;
        return lf_fail(err, oom ? LF_ERR_NOMEM : LF_ERR_FORMAT,
                       "%s is not valid JSON: line %d, column %d: %s", what, je.line, je.column,
                       je.text);
    }
    *out = v;
    return LF_OK;
}

static const char *type_name(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

static lf_status wrong_type(lf_err *err, const char *key, const char *want, const json_t *got)
{
    return lf_fail(err, LF_ERR_ARG, "'%s' must be %s, found %s", key, want, type_name(got));
}

lf_status lf_json_get_str(const json_t *o, const char *key, const char *def, const char **out,
                          lf_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (v && !json_is_null(v) && !json_is_string(v))
        return wrong_type(err, key, "a string", v);
    *out = v && !json_is_null(v) ? json_string_value(v) : def;
    return LF_OK;
}

lf_status lf_json_need_str(const json_t *o, const char *key, const char **out, lf_err *err)
{
    const char *s = NULL;
    lf_status st = lf_json_get_str(o, key, NULL, &s, err);
    if (st == LF_OK && !s)
        return lf_fail(err, LF_ERR_ARG, "'%s' is missing: a string is needed", key);
    if (st == LF_OK)
        *out = s;
    return st;
}

lf_status lf_json_get_int(const json_t *o, const char *key, int64_t def, int64_t min, int64_t max,
                          int64_t *out, lf_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) {
        *out = def;
        return LF_OK;
    }
    if (!json_is_integer(v))
        return wrong_type(err, key, "an integer", v);
    const int64_t x = json_integer_value(v);
    if (x < min || x > max)
        return lf_fail(err, LF_ERR_ARG, "'%s' is %lld, allowed are %lld to %lld", key, (long long)x,
                       (long long)min, (long long)max);
    *out = x;
    return LF_OK;
}

lf_status lf_json_get_num(const json_t *o, const char *key, double def, double min, double max,
                          double *out, lf_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v)) {
        *out = def;
        return LF_OK;
    }
    if (!json_is_number(v))
        return wrong_type(err, key, "a number", v);
    const double x = json_number_value(v);
    if (!(x >= min && x <= max))
        return lf_fail(err, LF_ERR_ARG, "'%s' is %g, allowed are %g to %g", key, x, min, max);
    *out = x;
    return LF_OK;
}

lf_status lf_json_get_bool(const json_t *o, const char *key, bool def, bool *out, lf_err *err)
{
    const json_t *v = json_object_get(o, key);
    if (v && !json_is_null(v) && !json_is_boolean(v))
        return wrong_type(err, key, "a boolean", v);
    *out = v && !json_is_null(v) ? json_is_true(v) : def;
    return LF_OK;
}

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
    static const unsigned char low[] = { 0, 0, 0x80, 0xA0, 0x90 };
    const size_t n = *p < 0x80         ? 1
                     : (*p >> 5) == 6  ? 2
                     : (*p >> 4) == 14 ? 3
                     : (*p >> 3) == 30 ? 4
                                       : 0;
    if (n == 0 || n > left || (n == 2 && *p < 0xC2) || *p > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((*p == 0xE0 || *p == 0xF0) && p[1] < low[n])
        return 0;
    if ((*p == 0xED && p[1] > 0x9F) || (*p == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

json_t *lf_json_text(const char *p, size_t n_bytes)
{
    json_t *whole = json_stringn(p ? p : "", n_bytes);
    if (whole)
        return whole;
    lf_buf b = { 0 };
    for (size_t i = 0; i < n_bytes;) {
        const size_t n = utf8_len((const unsigned char *)p + i, n_bytes - i);
        lf_buf_add(&b, n ? p + i : "\xEF\xBF\xBD", n ? n : 3);
        i += n ? n : 1;
    }
    if (!b.failed)
        whole = json_stringn(lf_buf_cstr(&b), b.len);
    lf_buf_release(&b);
    return whole;
}

static int add_chunk(const char *p, size_t n, void *ud)
{
    lf_buf_add(ud, p, n);
    return ((lf_buf *)ud)->failed ? -1 : 0;
}

void lf_json_dump(const json_t *v, lf_buf *out)
{
    if (!v || json_dump_callback(v, add_chunk, out,
                                 JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) != 0)
        out->failed = true;
}

/* serve/fields.c - sticky, typed access to a request's members. */
#include "serve/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

lf_status lf_fields_parse(lf_str body, json_t **root, lf_err *err)
{
    json_t *v = NULL;
    if (body.len == 0)
        return lf_fail(err, LF_ERR_ARG, "the body is empty: a JSON object is needed");
    lf_status st = lf_json_parse(body.p, body.len, "the body", &v, err);
    if (st == LF_ERR_FORMAT && err) /* of a request it is the caller's mistake, not a file's */
        err->code = LF_ERR_ARG;
    if (st != LF_OK)
        return st == LF_ERR_FORMAT ? LF_ERR_ARG : st;
    if (!json_is_object(v)) {
        json_decref(v);
        return lf_fail(err, LF_ERR_ARG, "the body must be a JSON object");
    }
    *root = v;
    return LF_OK;
}

static void note(lf_fields *f, const char *param, lf_status st)
{
    if (st == LF_OK || f->st != LF_OK)
        return;
    f->st = st;
    (void)snprintf(f->param, sizeof f->param, "%s", param ? param : "");
}

lf_status lf_fields_fail(lf_fields *f, const char *param, const char *fmt, ...)
{
    char msg[400];
    va_list ap;
    if (f->st != LF_OK)
        return f->st;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    note(f, param, lf_fail(f->err, LF_ERR_ARG, "%s", msg));
    return f->st;
}

const char *lf_fields_str(lf_fields *f, const char *key, const char *def)
{
    const char *v = def;
    if (f->st == LF_OK)
        note(f, key, lf_json_get_str(f->o, key, def, &v, f->err));
    return v;
}

const char *lf_fields_need_str(lf_fields *f, const char *key)
{
    const char *v = "";
    if (f->st == LF_OK)
        note(f, key, lf_json_need_str(f->o, key, &v, f->err));
    return v;
}

int64_t lf_fields_int(lf_fields *f, const char *key, int64_t def, int64_t min, int64_t max)
{
    int64_t v = def;
    if (f->st == LF_OK)
        note(f, key, lf_json_get_int(f->o, key, def, min, max, &v, f->err));
    return v;
}

double lf_fields_num(lf_fields *f, const char *key, double def, double min, double max)
{
    double v = def;
    if (f->st == LF_OK)
        note(f, key, lf_json_get_num(f->o, key, def, min, max, &v, f->err));
    return v;
}

bool lf_fields_bool(lf_fields *f, const char *key, bool def)
{
    bool v = def;
    if (f->st == LF_OK)
        note(f, key, lf_json_get_bool(f->o, key, def, &v, f->err));
    return v;
}

const json_t *lf_fields_array(lf_fields *f, const char *key, size_t n_max)
{
    const json_t *v = json_object_get(f->o, key);
    if (f->st != LF_OK || !v || json_is_null(v))
        return NULL;
    if (!json_is_array(v)) {
        (void)lf_fields_fail(f, key, "'%s' must be an array", key);
        return NULL;
    }
    if (json_array_size(v) > n_max) {
        (void)lf_fields_fail(f, key, "'%s' has %zu entries, allowed are %zu", key,
                             json_array_size(v), n_max);
        return NULL;
    }
    return v;
}

bool lf_fields_has(const lf_fields *f, const char *key)
{
    const json_t *v = json_object_get(f->o, key);
    return v && !json_is_null(v);
}

void lf_fields_only(lf_fields *f, const char *const *known)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)f->o, key, v)
    {
        bool ok = false;
        for (size_t i = 0; known[i] && !ok; i++)
            ok = strcmp(known[i], key) == 0;
        if (!ok) {
            (void)lf_fields_fail(f, key, "'%.60s' is not a field of this request", key);
            return;
        }
    }
}

/* serve/gen_req.c - reading of the fields that requests for generated text share. */
#include "serve/gen_req.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

/* A request without a seed gets one that nobody can foresee. */
static uint64_t fresh_seed(void)
{
    uint64_t s;
    if (getrandom(&s, sizeof s, GRND_NONBLOCK) != (ssize_t)sizeof s)
        s = (uint64_t)lf_clock_us();
    return s;
}

json_t *lf_gen_content(lf_fields *f, const char *param, const char *where, const json_t *content)
{
    lf_buf b = { 0 };
    json_t *part, *out = NULL;
    size_t k;
    if (json_is_string(content))
        return json_incref((json_t *)content);
    if (!json_is_array(content)) {
        (void)lf_fields_fail(f, param, "'%s' must be a string", where);
        return NULL;
    }
    json_array_foreach(content, k, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *text = json_object_get(part, "text");
        if (!type || strcmp(type, "text") != 0 || !json_is_string(text)) {
            (void)lf_fields_fail(f, param, "'%s[%zu]' is of type '%.30s': only text is supported",
                                 where, k, type ? type : "");
            break;
        }
        lf_buf_add(&b, json_string_value(text), json_string_length(text));
    }
    if (f->st == LF_OK)
        out = json_stringn(lf_buf_cstr(&b), b.len);
    lf_buf_release(&b);
    return out;
}

void lf_gen_read_stop(lf_fields *f, const char *key, lf_gen_opts *o)
{
    const json_t *v = json_object_get(f->o, key);
    if (!v || json_is_null(v))
        return;
    if (json_is_string(v)) {
        o->stop[o->n_stop++] = json_string_value(v);
    } else {
        json_t *s;
        size_t i;
        v = lf_fields_array(f, key, LF_GEN_STOPS);
        json_array_foreach(v, i, s)
        {
            if (!json_is_string(s))
                (void)lf_fields_fail(f, key, "'%s[%zu]' must be a string", key, i);
            else
                o->stop[o->n_stop++] = json_string_value(s);
        }
    }
    for (size_t i = 0; i < o->n_stop; i++)
        if (o->stop[i][0] == '\0')
            (void)lf_fields_fail(f, key, "'%s' has an empty string", key);
}

static void read_bias(lf_fields *f, lf_gen_opts *o)
{
    const json_t *v = json_object_get(f->o, "logit_bias");
    const char *key;
    json_t *x;
    if (!v || json_is_null(v) || f->st != LF_OK)
        return;
    if (!json_is_object(v) || json_object_size(v) > LF_GEN_BIASES) {
        (void)lf_fields_fail(f, "logit_bias",
                             "'logit_bias' must be an object of at most %d token ids",
                             LF_GEN_BIASES);
        return;
    }
    o->bias = lf_calloc(json_object_size(v) + 1, sizeof *o->bias);
    if (!o->bias) {
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for 'logit_bias'");
        return;
    }
    json_object_foreach((json_t *)v, key, x)
    {
        char *end;
        const long long id = strtoll(key, &end, 10);
        const double bias = json_is_number(x) ? json_number_value(x) : 1000;
        if (*end || end == key || id < 0 || id > INT32_MAX || !(bias >= -100 && bias <= 100)) {
            (void)lf_fields_fail(f, "logit_bias",
                                 "'logit_bias' maps token ids to numbers from -100 to 100; found "
                                 "the entry '%.40s'",
                                 key);
            return;
        }
        o->bias[o->sampling.n_bias++] = (lf_logit_bias){ (int32_t)id, (float)bias };
    }
    o->sampling.bias = o->bias;
}

void lf_gen_read_sampling(lf_fields *f, double t_max, lf_gen_opts *o)
{
    lf_sampling *s = &o->sampling;
    s->temperature = (float)lf_fields_num(f, "temperature", 1, 0, t_max);
    s->top_p = (float)lf_fields_num(f, "top_p", 1, 0, 1);
    s->min_p = (float)lf_fields_num(f, "min_p", 0, 0, 1);
    s->top_k = (int32_t)lf_fields_int(f, "top_k", 0, 0, 1000000);
    s->frequency_penalty = (float)lf_fields_num(f, "frequency_penalty", 0, -2, 2);
    s->presence_penalty = (float)lf_fields_num(f, "presence_penalty", 0, -2, 2);
    s->repeat_penalty = (float)lf_fields_num(f, "repeat_penalty", 1, 0.5, 2);
    s->seed = lf_fields_has(f, "seed") ? (uint64_t)lf_fields_int(f, "seed", 0, INT64_MIN, INT64_MAX)
                                       : fresh_seed();
    read_bias(f, o);
}

/* A grammar's own errors, as those of the field that it came in. */
static void take_grammar(lf_fields *f, const char *field, lf_status st, const lf_err *why)
{
    if (st == LF_ERR_NOMEM)
        f->st = lf_fail(f->err, st, "%s", why->msg);
    else if (st != LF_OK)
        (void)lf_fields_fail(f, field, "'%s': %s", field, why->msg);
}

void lf_gen_read_grammar(lf_fields *f, lf_gen_opts *o)
{
    lf_err why = { 0 };
    const json_t *format = json_object_get(f->o, "response_format");
    const char *type = json_string_value(json_object_get(format, "type"));
    const char *text = lf_fields_str(f, "grammar", NULL);
    const bool free_text = !format || json_is_null(format) || (type && strcmp(type, "text") == 0);
    if (f->st != LF_OK)
        return;
    if (text && !free_text) {
        (void)lf_fields_fail(f, "grammar", "'grammar' and 'response_format' exclude each other");
    } else if (text) {
        take_grammar(f, "grammar", lf_grammar_parse(text, strlen(text), &o->grammar, &why), &why);
    } else if (!free_text && type && strcmp(type, "json_object") == 0) {
        o->schema = json_pack("{s:s}", "type", "object");
    } else if (!free_text && type && strcmp(type, "json_schema") == 0) {
        o->schema = json_incref(json_object_get(json_object_get(format, "json_schema"), "schema"));
        if (!o->schema)
            (void)lf_fields_fail(f, "response_format",
                                 "'response_format.json_schema.schema' is missing");
    } else if (!free_text) {
        (void)lf_fields_fail(f, "response_format",
                             "'response_format.type' is '%.30s': allowed are text, json_object and "
                             "json_schema",
                             type ? type : "");
    }
    if (o->schema)
        take_grammar(f, "response_format", lf_grammar_from_schema(o->schema, &o->grammar, &why),
                     &why);
}

void lf_gen_read_stream(lf_fields *f, lf_gen_opts *o)
{
    o->stream = lf_fields_bool(f, "stream", false);
    const json_t *v = json_object_get(f->o, "stream_options");
    if (!v || json_is_null(v) || f->st != LF_OK)
        return;
    lf_fields in = { .o = v, .err = f->err };
    static const char *const known[] = { "include_usage", "include_obfuscation", NULL };
    if (!json_is_object(v) || !o->stream) {
        (void)lf_fields_fail(f, "stream_options",
                             "'stream_options' must be an object, and needs 'stream': true");
        return;
    }
    lf_fields_only(&in, known);
    o->include_usage = lf_fields_bool(&in, "include_usage", false);
    if (in.st != LF_OK) {
        f->st = in.st;
        memcpy(f->param, "stream_options", sizeof "stream_options");
    }
}

void lf_gen_read_lora(lf_fields *f, lf_gen_opts *o)
{
    static const char *const known[] = { "id", "scale", NULL };
    const json_t *list = lf_fields_array(f, "lora", LF_ADAPTERS_MAX), *v;
    size_t i;
    json_array_foreach(list, i, v)
    {
        lf_fields in = { .o = v, .err = f->err };
        if (f->st != LF_OK)
            return;
        if (!json_is_object(v)) {
            (void)lf_fields_fail(f, "lora", "'lora[%zu]' must be an object", i);
            return;
        }
        lf_fields_only(&in, known);
        o->lora[i].id = lf_fields_need_str(&in, "id");
        o->lora[i].scale = (float)lf_fields_num(&in, "scale", 1, -100, 100);
        if (in.st != LF_OK) {
            f->st = in.st;
            memcpy(f->param, "lora", sizeof "lora");
        }
    }
    if (f->st == LF_OK)
        o->n_lora = json_array_size(list);
}

void lf_gen_set_user(const char *user, lf_gen_opts *o)
{
    o->user_key = user ? lf_hash64(user, strlen(user)) : 0;
}

void lf_gen_opts_release(lf_gen_opts *o)
{
    lf_free(o->bias);
    lf_grammar_close(o->grammar);
    json_decref(o->schema);
    *o = (lf_gen_opts){ 0 };
}

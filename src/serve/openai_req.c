/* serve/openai_req.c - decoding of OpenAI's request bodies. */
#include "serve/openai_req.h"

#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "serve/fields.h"

enum { MESSAGES_MAX = 2000, TEXTS_MAX = 2048 };

/* A request without a seed gets one that nobody can foresee. */
static uint64_t fresh_seed(void)
{
    uint64_t s;
    if (getrandom(&s, sizeof s, GRND_NONBLOCK) != (ssize_t)sizeof s)
        s = (uint64_t)lf_clock_us();
    return s;
}

/* Content is a string, or parts of which only text is understood here. */
static json_t *message_text(lf_fields *f, size_t i, const json_t *content)
{
    lf_buf b = { 0 };
    json_t *part, *out = NULL;
    size_t k;
    if (json_is_string(content))
        return json_incref((json_t *)content);
    if (!json_is_array(content)) {
        (void)lf_fields_fail(f, "messages", "'messages[%zu].content' must be a string", i);
        return NULL;
    }
    json_array_foreach(content, k, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *text = json_object_get(part, "text");
        if (!type || strcmp(type, "text") != 0 || !json_is_string(text)) {
            (void)lf_fields_fail(f, "messages",
                                 "'messages[%zu].content[%zu]' is of type '%.30s': only text is "
                                 "supported",
                                 i, k, type ? type : "");
            break;
        }
        lf_buf_add(&b, json_string_value(text), json_string_length(text));
    }
    if (f->st == LF_OK)
        out = json_stringn(lf_buf_cstr(&b), b.len);
    lf_buf_release(&b);
    return out;
}

static void add_message(lf_fields *f, size_t i, const json_t *m, json_t *out)
{
    const char *role = json_string_value(json_object_get(m, "role"));
    if (!role) {
        (void)lf_fields_fail(f, "messages", "'messages[%zu].role' is missing", i);
        return;
    }
    if (strcmp(role, "developer") == 0)
        role = "system";
    if (strcmp(role, "system") != 0 && strcmp(role, "user") != 0 &&
        strcmp(role, "assistant") != 0) {
        (void)lf_fields_fail(f, "messages",
                             "'messages[%zu].role' is '%.30s': allowed are system, developer, user "
                             "and assistant",
                             i, role);
        return;
    }
    if (json_object_get(m, "tool_calls") || json_object_get(m, "function_call")) {
        (void)lf_fields_fail(f, "messages", "'messages[%zu]' calls a tool: not supported", i);
        return;
    }
    json_t *text = message_text(f, i, json_object_get(m, "content"));
    if (f->st == LF_OK &&
        json_array_append_new(out, json_pack("{s:s,s:o}", "role", role, "content", text)) != 0)
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for the messages");
}

static void read_messages(lf_fields *f, lf_chat_req *r)
{
    const json_t *v = lf_fields_array(f, "messages", MESSAGES_MAX);
    json_t *m;
    size_t i;
    if (f->st == LF_OK && (!v || json_array_size(v) == 0))
        (void)lf_fields_fail(f, "messages",
                             "'messages' is missing: an array of messages is needed");
    r->messages = json_array();
    json_array_foreach(v, i, m)
    {
        if (f->st == LF_OK)
            add_message(f, i, m, r->messages);
    }
}

static void read_stop(lf_fields *f, lf_chat_req *r)
{
    const json_t *v = json_object_get(f->o, "stop");
    if (!v || json_is_null(v))
        return;
    if (json_is_string(v)) {
        r->stop[r->n_stop++] = json_string_value(v);
    } else {
        json_t *s;
        size_t i;
        v = lf_fields_array(f, "stop", LF_CHAT_STOPS);
        json_array_foreach(v, i, s)
        {
            if (!json_is_string(s))
                (void)lf_fields_fail(f, "stop", "'stop[%zu]' must be a string", i);
            else
                r->stop[r->n_stop++] = json_string_value(s);
        }
    }
    for (size_t i = 0; i < r->n_stop; i++)
        if (r->stop[i][0] == '\0')
            (void)lf_fields_fail(f, "stop", "'stop' has an empty string");
}

static void read_bias(lf_fields *f, lf_chat_req *r)
{
    const json_t *v = json_object_get(f->o, "logit_bias");
    const char *key;
    json_t *x;
    if (!v || json_is_null(v) || f->st != LF_OK)
        return;
    if (!json_is_object(v) || json_object_size(v) > LF_CHAT_BIASES) {
        (void)lf_fields_fail(f, "logit_bias",
                             "'logit_bias' must be an object of at most %d token ids",
                             LF_CHAT_BIASES);
        return;
    }
    r->bias = lf_calloc(json_object_size(v) + 1, sizeof *r->bias);
    if (!r->bias) {
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
        r->bias[r->sampling.n_bias++] = (lf_logit_bias){ (int32_t)id, (float)bias };
    }
    r->sampling.bias = r->bias;
}

static void read_sampling(lf_fields *f, lf_chat_req *r)
{
    lf_sampling *s = &r->sampling;
    s->temperature = (float)lf_fields_num(f, "temperature", 1, 0, 2);
    s->top_p = (float)lf_fields_num(f, "top_p", 1, 0, 1);
    s->min_p = (float)lf_fields_num(f, "min_p", 0, 0, 1);
    s->top_k = (int32_t)lf_fields_int(f, "top_k", 0, 0, 1000000);
    s->frequency_penalty = (float)lf_fields_num(f, "frequency_penalty", 0, -2, 2);
    s->presence_penalty = (float)lf_fields_num(f, "presence_penalty", 0, -2, 2);
    s->repeat_penalty = (float)lf_fields_num(f, "repeat_penalty", 1, 0.5, 2);
    s->logprobs = lf_fields_bool(f, "logprobs", false);
    s->n_top_logprobs = (int32_t)lf_fields_int(f, "top_logprobs", 0, 0, 20);
    if (s->n_top_logprobs > 0 && !s->logprobs)
        (void)lf_fields_fail(f, "top_logprobs", "'top_logprobs' needs 'logprobs': true");
    s->seed = lf_fields_has(f, "seed") ? (uint64_t)lf_fields_int(f, "seed", 0, INT64_MIN, INT64_MAX)
                                       : fresh_seed();
    read_bias(f, r);
}

/* OpenAI's fields that would change the answer and are not done here, and the
 * values with which they change nothing. */
static void refuse_unsupported(lf_fields *f)
{
    static const char *const never[] = { "tools",     "functions",          "function_call",
                                         "audio",     "web_search_options", "prediction",
                                         "reasoning", "reasoning_effort",   "verbosity" };
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        const json_t *v = json_object_get(f->o, never[i]);
        if (v && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0))
            (void)lf_fields_fail(f, never[i], "'%s' is not supported", never[i]);
    }
    const json_t *choice = json_object_get(f->o, "tool_choice");
    if (choice && !json_is_null(choice) &&
        !(json_is_string(choice) && strcmp(json_string_value(choice), "none") == 0))
        (void)lf_fields_fail(f, "tool_choice", "'tool_choice' is not supported, but for \"none\"");
    const json_t *modes = json_object_get(f->o, "modalities");
    const char *mode = json_string_value(json_array_get(modes, 0));
    if (modes && !json_is_null(modes) &&
        (json_array_size(modes) != 1 || !mode || strcmp(mode, "text") != 0))
        (void)lf_fields_fail(f, "modalities", "'modalities' is not supported, but for [\"text\"]");
}

/* A grammar's own errors, as those of the field that it came in. */
static void take_grammar(lf_fields *f, const char *field, lf_status st, const lf_err *why)
{
    if (st == LF_ERR_NOMEM)
        f->st = lf_fail(f->err, st, "%s", why->msg);
    else if (st != LF_OK)
        (void)lf_fields_fail(f, field, "'%s': %s", field, why->msg);
}

static void read_grammar(lf_fields *f, lf_chat_req *r)
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
        take_grammar(f, "grammar", lf_grammar_parse(text, strlen(text), &r->grammar, &why), &why);
    } else if (!free_text && type && strcmp(type, "json_object") == 0) {
        json_t *any = json_pack("{s:s}", "type", "object");
        take_grammar(f, "response_format", lf_grammar_from_schema(any, &r->grammar, &why), &why);
        json_decref(any);
    } else if (!free_text && type && strcmp(type, "json_schema") == 0) {
        const json_t *s = json_object_get(json_object_get(format, "json_schema"), "schema");
        if (!s)
            (void)lf_fields_fail(f, "response_format",
                                 "'response_format.json_schema.schema' is missing");
        else
            take_grammar(f, "response_format", lf_grammar_from_schema(s, &r->grammar, &why), &why);
    } else if (!free_text) {
        (void)lf_fields_fail(f, "response_format",
                             "'response_format.type' is '%.30s': allowed are text, json_object and "
                             "json_schema",
                             type ? type : "");
    }
}

static void read_stream(lf_fields *f, lf_chat_req *r)
{
    r->stream = lf_fields_bool(f, "stream", false);
    const json_t *o = json_object_get(f->o, "stream_options");
    if (!o || json_is_null(o) || f->st != LF_OK)
        return;
    lf_fields in = { .o = o, .err = f->err };
    static const char *const known[] = { "include_usage", "include_obfuscation", NULL };
    if (!json_is_object(o) || !r->stream) {
        (void)lf_fields_fail(f, "stream_options",
                             "'stream_options' must be an object, and needs 'stream': true");
        return;
    }
    lf_fields_only(&in, known);
    r->include_usage = lf_fields_bool(&in, "include_usage", false);
    if (in.st != LF_OK) {
        f->st = in.st;
        memcpy(f->param, "stream_options", sizeof "stream_options");
    }
}

lf_status lf_chat_req_decode(lf_str body, lf_chat_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = {
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "top_p", "min_p", "top_k", "frequency_penalty", "presence_penalty",
        "repeat_penalty", "logprobs", "top_logprobs", "seed", "logit_bias", "stop", "n",
        "response_format", "grammar",
        /* refused below, or without meaning here */
        "tools", "functions", "function_call", "audio", "web_search_options", "prediction",
        "reasoning", "reasoning_effort", "verbosity", "tool_choice", "modalities", "user",
        "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention", NULL
    };
    lf_chat_req r = { 0 };
    param[0] = '\0';
    lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    refuse_unsupported(&f);
    lf_fields_only(&f, known);
    r.model = lf_fields_need_str(&f, "model");
    read_messages(&f, &r);
    read_stream(&f, &r);
    read_sampling(&f, &r);
    read_stop(&f, &r);
    read_grammar(&f, &r);
    r.n_choices = (uint32_t)lf_fields_int(&f, "n", 1, 1, LF_CHAT_CHOICES);
    const int64_t old_max = lf_fields_int(&f, "max_tokens", 0, 1, UINT32_MAX);
    r.n_max = (uint32_t)lf_fields_int(&f, "max_completion_tokens", old_max, 1, UINT32_MAX);
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_chat_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_chat_req_release(lf_chat_req *r)
{
    json_decref(r->messages);
    json_decref(r->root);
    lf_free(r->bias);
    lf_grammar_close(r->grammar);
    *r = (lf_chat_req){ 0 };
}

static void read_input(lf_fields *f, lf_embed_req *r)
{
    const json_t *v = json_object_get(f->o, "input");
    const bool one = json_is_string(v);
    const size_t n = one ? 1 : json_array_size(v);
    if (f->st != LF_OK)
        return;
    if (n == 0 || n > TEXTS_MAX) {
        (void)lf_fields_fail(f, "input", "'input' must be a string or an array of 1 to %d strings",
                             TEXTS_MAX);
        return;
    }
    r->texts = lf_calloc(n, sizeof *r->texts);
    if (!r->texts) {
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for %zu texts", n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *t = one ? v : json_array_get(v, i);
        if (!json_is_string(t) || json_string_length(t) == 0) {
            (void)lf_fields_fail(f, "input",
                                 json_is_string(t) ? "'input[%zu]' is empty"
                                                   : "'input[%zu]' must be a string: token ids are "
                                                     "not supported",
                                 i);
            return;
        }
        r->texts[r->n_texts++] = (lf_str){ json_string_value(t), json_string_length(t) };
    }
}

static void read_kind(lf_fields *f, lf_embed_req *r)
{
    const char *kind = lf_fields_str(f, "input_type", "query");
    if (!strcmp(kind, "query") || !strcmp(kind, "search_query"))
        r->kind = LF_EMBED_QUERY;
    else if (!strcmp(kind, "passage") || !strcmp(kind, "document") ||
             !strcmp(kind, "search_document"))
        r->kind = LF_EMBED_PASSAGE;
    else if (!strcmp(kind, "plain"))
        r->kind = LF_EMBED_PLAIN;
    else
        (void)lf_fields_fail(f, "input_type",
                             "'input_type' is '%.30s': allowed are query, passage and plain", kind);
    const char *format = lf_fields_str(f, "encoding_format", "float");
    r->base64 = strcmp(format, "base64") == 0;
    if (!r->base64 && strcmp(format, "float") != 0)
        (void)lf_fields_fail(f, "encoding_format",
                             "'encoding_format' is '%.30s': allowed are float and base64", format);
}

lf_status lf_embed_req_decode(lf_str body, lf_embed_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = { "model",      "input",      "encoding_format",
                                         "input_type", "dimensions", "user",
                                         NULL };
    lf_embed_req r = { 0 };
    param[0] = '\0';
    lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    lf_fields_only(&f, known);
    r.model = lf_fields_need_str(&f, "model");
    read_input(&f, &r);
    read_kind(&f, &r);
    r.dimensions = lf_fields_int(&f, "dimensions", 0, 1, 100000);
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_embed_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_embed_req_release(lf_embed_req *r)
{
    json_decref(r->root);
    lf_free(r->texts);
    *r = (lf_embed_req){ 0 };
}

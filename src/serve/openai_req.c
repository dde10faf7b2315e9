/* serve/openai_req.c - decoding of OpenAI's request bodies. */
#include "serve/openai_req.h"

#include <string.h>

#include "base/mem.h"
#include "serve/fields.h"

enum { TEXTS_MAX = 2048 };

void lf_chat_read_messages(lf_fields *f, json_t **out)
{
    lf_messages_take(f, lf_fields_array(f, "messages", LF_MESSAGES_MAX), out);
}

static void read_logprobs(lf_fields *f, lf_sampling *s)
{
    s->logprobs = lf_fields_bool(f, "logprobs", false);
    s->n_top_logprobs = (int32_t)lf_fields_int(f, "top_logprobs", 0, 0, 20);
    if (s->n_top_logprobs > 0 && !s->logprobs)
        (void)lf_fields_fail(f, "top_logprobs", "'top_logprobs' needs 'logprobs': true");
}

/* OpenAI's fields that would change the answer and are not done here, and the
 * values with which they change nothing. */
static void refuse_unsupported(lf_fields *f)
{
    static const char *const never[] = { "audio",     "web_search_options", "prediction",
                                         "reasoning", "reasoning_effort",   "verbosity" };
    static const char *const old[][2] = { { "functions", "tools" },
                                          { "function_call", "tool_choice" } };
    for (size_t i = 0; i < 2; i++)
        if (lf_fields_has(f, old[i][0]))
            (void)lf_fields_fail(f, old[i][0], "'%s' is not supported: use '%s'", old[i][0],
                                 old[i][1]);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        const json_t *v = json_object_get(f->o, never[i]);
        if (v && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0))
            (void)lf_fields_fail(f, never[i], "'%s' is not supported", never[i]);
    }
    const json_t *modes = json_object_get(f->o, "modalities");
    const char *mode = json_string_value(json_array_get(modes, 0));
    if (modes && !json_is_null(modes) &&
        (json_array_size(modes) != 1 || !mode || strcmp(mode, "text") != 0))
        (void)lf_fields_fail(f, "modalities", "'modalities' is not supported, but for [\"text\"]");
}

/* What excludes functions, and what an answer without calls is held to. */
static void join_tools(lf_fields *f, lf_chat_req *r)
{
    if (!r->tools.tools)
        return;
    if (r->gen.grammar && !r->gen.schema)
        (void)lf_fields_fail(f, "grammar", "'grammar' and 'tools' exclude each other");
    r->tools.answer = r->gen.schema;
}

lf_status lf_chat_req_decode(lf_str body, lf_chat_req *out, char param[64], lf_err *err)
{
    static const char *const known[] = {
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "top_p", "min_p", "top_k", "frequency_penalty", "presence_penalty",
        "repeat_penalty", "logprobs", "top_logprobs", "seed", "logit_bias", "stop", "n",
        "response_format", "grammar", "lora", "tools", "tool_choice", "parallel_tool_calls",
        /* refused below, or without meaning here */
        "functions", "function_call", "audio", "web_search_options", "prediction", "reasoning",
        "reasoning_effort", "verbosity", "modalities", "user", "metadata", "store", "service_tier",
        "safety_identifier", "prompt_cache_key", "prompt_cache_retention", NULL
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
    lf_chat_read_messages(&f, &r.messages);
    lf_gen_read_stream(&f, &r.gen);
    lf_gen_set_user(json_string_value(json_object_get(r.root, "user")), &r.gen);
    lf_gen_read_sampling(&f, 2, &r.gen);
    read_logprobs(&f, &r.gen.sampling);
    lf_gen_read_stop(&f, "stop", &r.gen);
    lf_gen_read_grammar(&f, &r.gen);
    lf_gen_read_lora(&f, &r.gen);
    lf_tools_read(&f, &r.tools);
    join_tools(&f, &r);
    r.gen.n_choices = (uint32_t)lf_fields_int(&f, "n", 1, 1, LF_GEN_CHOICES);
    const int64_t old_max = lf_fields_int(&f, "max_tokens", 0, 1, UINT32_MAX);
    r.gen.n_max = (uint32_t)lf_fields_int(&f, "max_completion_tokens", old_max, 1, UINT32_MAX);
    if (old_max && r.gen.n_max != old_max)
        (void)lf_fields_fail(&f, "max_tokens",
                             "'max_tokens' is %lld and 'max_completion_tokens' %u: say one of them",
                             (long long)old_max, r.gen.n_max);
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
    lf_gen_opts_release(&r->gen);
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

/* serve/messages_req.c - decoding of requests in Anthropic's form.
 *
 * Functions, calls and results are brought into OpenAI's form, and checked there
 * (tool_req.h): a user's message of results and text becomes several. */
#include "serve/messages_req.h"

#include <stdio.h>
#include <string.h>

static void no_memory(lf_fields *f)
{
    if (f->st == LF_OK)
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for the request");
}

/* Append v (NULL: there was no memory for it). */
static void add(lf_fields *f, json_t *to, json_t *v)
{
    if (json_array_append_new(to, v) != 0)
        no_memory(f);
}

/* ---- messages ---- */

static json_t *call_of(lf_fields *f, size_t i, const json_t *block)
{
    const json_t *input = json_object_get(block, "input");
    lf_buf text = { 0 };
    if (!json_is_object(input)) {
        (void)lf_fields_fail(f, "messages",
                             "'messages[%zu].content' has a block tool_use whose 'input' is no "
                             "object",
                             i);
        return NULL;
    }
    lf_json_dump(input, &text);
    json_t *call = text.failed
                       ? NULL
                       : json_pack("{s:O*, s:s, s:{s:O*, s:s}}", "id", json_object_get(block, "id"),
                                   "type", "function", "function", "name",
                                   json_object_get(block, "name"), "arguments", lf_buf_cstr(&text));
    lf_buf_release(&text);
    return call;
}

static json_t *result_of(const json_t *block)
{
    json_t *content = json_object_get(block, "content");
    return json_pack("{s:s, s:O*, s:o}", "role", "tool", "tool_call_id",
                     json_object_get(block, "tool_use_id"), "content",
                     content ? json_incref(content) : json_string(""));
}

/* The blocks of a message: calls to `calls`, results to `out`, the rest to `parts`. */
static void sort_blocks(lf_fields *f, size_t i, const json_t *blocks, json_t *calls, json_t *parts,
                        json_t *out)
{
    size_t k;
    json_t *block;
    json_array_foreach(blocks, k, block)
    {
        const char *type = json_string_value(json_object_get(block, "type"));
        if (f->st != LF_OK)
            return;
        if (type && strcmp(type, "tool_use") == 0)
            add(f, calls, call_of(f, i, block));
        else if (type && strcmp(type, "tool_result") == 0)
            add(f, out, result_of(block));
        else
            add(f, parts, json_incref(block));
    }
}

static void convert_message(lf_fields *f, size_t i, const json_t *m, json_t *out)
{
    const char *role = json_string_value(json_object_get(m, "role"));
    json_t *content = json_object_get(m, "content");
    if (!role || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)) {
        (void)lf_fields_fail(f, "messages",
                             "'messages[%zu].role' is '%.30s': allowed are user and assistant", i,
                             role ? role : "");
        return;
    }
    if (!json_is_array(content)) {
        add(f, out, json_pack("{s:s, s:O*}", "role", role, "content", content));
        return;
    }
    json_t *calls = json_array(), *parts = json_array();
    const size_t n_before = json_array_size(out);
    sort_blocks(f, i, content, calls, parts, out);
    if (f->st == LF_OK &&
        (json_array_size(parts) || json_array_size(calls) || json_array_size(out) == n_before)) {
        json_t *to = json_pack("{s:s, s:O}", "role", role, "content", parts);
        if (to && json_array_size(calls))
            (void)json_object_set(to, "tool_calls", calls);
        add(f, out, to);
    }
    json_decref(calls);
    json_decref(parts);
}

/* The last words of the assistant are not a message: the answer goes on from them. */
static void take_prefill(lf_messages_req *r)
{
    const size_t n = json_array_size(r->messages);
    const json_t *last = json_array_get(r->messages, n - 1);
    if (n == 0 || strcmp(json_string_value(json_object_get(last, "role")), "assistant") != 0 ||
        json_object_get(last, "tool_calls"))
        return;
    r->prefill = json_incref(json_object_get(last, "content"));
    (void)json_array_remove(r->messages, n - 1);
}

/* Words, or results of functions. */
static bool has_user(const json_t *messages)
{
    const json_t *m;
    size_t i;
    json_array_foreach(messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        if (role && (strcmp(role, "user") == 0 || strcmp(role, "tool") == 0))
            return true;
    }
    return false;
}

static void read_messages(lf_fields *f, lf_messages_req *r)
{
    const json_t *v = lf_fields_array(f, "messages", LF_MESSAGES_MAX);
    json_t *form = json_array(), *m;
    size_t i;
    json_array_foreach(v, i, m)
    {
        if (f->st == LF_OK)
            convert_message(f, i, m, form);
    }
    lf_messages_take(f, form, &r->messages);
    json_decref(form);
    if (f->st == LF_OK && lf_fields_has(f, "system")) {
        json_t *text = lf_gen_content(f, "system", "system", json_object_get(f->o, "system"));
        if (f->st == LF_OK &&
            json_array_insert_new(r->messages, 0,
                                  json_pack("{s:s, s:O}", "role", "system", "content", text)) != 0)
            no_memory(f);
        json_decref(text);
    }
    if (f->st == LF_OK)
        take_prefill(r);
    if (f->st == LF_OK && !has_user(r->messages))
        (void)lf_fields_fail(f, "messages", "'messages' needs a message of the user");
}

/* ---- functions ---- */

static void convert_tool(lf_fields *f, size_t i, const json_t *t, json_t *out)
{
    static const char *const known[] = { "name",   "description", "input_schema",
                                         "strict", "type",        "cache_control",
                                         NULL };
    const char *type = json_string_value(json_object_get(t, "type"));
    lf_fields in = { .o = t, .err = f->err };
    if (!json_is_object(t) || (type && strcmp(type, "custom") != 0)) {
        (void)lf_fields_fail(f, "tools",
                             "'tools[%zu]' is of the type '%.40s': functions of your own (custom) "
                             "are supported",
                             i, type ? type : "");
        return;
    }
    lf_fields_only(&in, known);
    if (in.st != LF_OK) {
        f->st = in.st;
        memcpy(f->param, "tools", sizeof "tools");
        return;
    }
    add(f, out,
        json_pack("{s:s, s:{s:O*, s:O*, s:O*, s:O*}}", "type", "function", "function", "name",
                  json_object_get(t, "name"), "description", json_object_get(t, "description"),
                  "parameters", json_object_get(t, "input_schema"), "strict",
                  json_object_get(t, "strict")));
}

static bool has_tool(const json_t *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *fn = json_object_get(json_array_get(tools, i), "function");
        if (strcmp(json_string_value(json_object_get(fn, "name")), name) == 0)
            return true;
    }
    return false;
}

/* {"type": "auto" | "any" | "tool" with "name" | "none", "disable_parallel_tool_use"} */
static void read_choice(lf_fields *f, lf_tool_use *u)
{
    const json_t *v = json_object_get(f->o, "tool_choice");
    const char *type = json_string_value(json_object_get(v, "type"));
    if (f->st != LF_OK || !lf_fields_has(f, "tool_choice"))
        return;
    u->parallel = !json_is_true(json_object_get(v, "disable_parallel_tool_use"));
    if (!type || (strcmp(type, "auto") != 0 && strcmp(type, "any") != 0 &&
                  strcmp(type, "tool") != 0 && strcmp(type, "none") != 0)) {
        (void)lf_fields_fail(f, "tool_choice",
                             "'tool_choice.type' is '%.30s': allowed are auto, any, tool and none",
                             type ? type : "");
    } else if (strcmp(type, "none") == 0) {
        u->tools = NULL;
    } else if (strcmp(type, "auto") != 0) {
        u->choice = LF_TOOLS_REQUIRED;
        if (!u->tools)
            (void)lf_fields_fail(f, "tool_choice", "'tool_choice' is '%s' without 'tools'", type);
    }
    if (f->st != LF_OK || !type || strcmp(type, "tool") != 0)
        return;
    u->only = json_string_value(json_object_get(v, "name"));
    if (!u->only || !has_tool(u->tools, u->only))
        (void)lf_fields_fail(f, "tool_choice",
                             "'tool_choice.name' is '%.64s', which 'tools' does not have",
                             u->only ? u->only : "");
}

static void read_tools(lf_fields *f, lf_messages_req *r)
{
    const json_t *v = lf_fields_array(f, "tools", LF_TOOLS_MAX);
    json_t *t;
    size_t i;
    r->tools = json_array();
    json_array_foreach(v, i, t)
    {
        if (f->st == LF_OK)
            convert_tool(f, i, t, r->tools);
    }
    lf_tools_check(f, "tools", r->tools);
    r->use =
        (lf_tool_use){ .tools = json_array_size(r->tools) ? r->tools : NULL, .parallel = true };
    read_choice(f, &r->use);
}

/* output_config: {"format": {"type": "json_schema", "schema"}}; "effort" has no meaning here. */
static void read_format(lf_fields *f, lf_messages_req *r)
{
    const json_t *format = json_object_get(json_object_get(f->o, "output_config"), "format");
    const char *type = json_string_value(json_object_get(format, "type"));
    lf_err why = { 0 };
    if (f->st != LF_OK || !format || json_is_null(format))
        return;
    r->gen.schema = json_incref(json_object_get(format, "schema"));
    if (!type || strcmp(type, "json_schema") != 0 || !r->gen.schema) {
        (void)lf_fields_fail(f, "output_config",
                             "'output_config.format' must be {\"type\": \"json_schema\", "
                             "\"schema\": {…}}");
        return;
    }
    const lf_status st = lf_grammar_from_schema(r->gen.schema, &r->gen.grammar, &why);
    if (st != LF_OK)
        (void)lf_fields_fail(f, "output_config", "'output_config': %s", why.msg);
    r->use.answer = r->gen.schema;
}

/* Fields that would change the answer and are not done here, and the values with which
 * they change nothing. */
static void refuse_unsupported(lf_fields *f)
{
    static const char *const never[] = { "mcp_servers", "container", "context_management" };
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        const json_t *v = json_object_get(f->o, never[i]);
        if (v && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0))
            (void)lf_fields_fail(f, never[i], "'%s' is not supported", never[i]);
    }
    const char *thinking =
        json_string_value(json_object_get(json_object_get(f->o, "thinking"), "type"));
    if (lf_fields_has(f, "thinking") && (!thinking || strcmp(thinking, "disabled") != 0))
        (void)lf_fields_fail(f, "thinking",
                             "'thinking' is not supported, but for the type \"disabled\"");
}

/* A step's worth of text has to be asked for: there is no default. */
static void read_max(lf_fields *f, lf_messages_req *r)
{
    if (f->st == LF_OK && !lf_fields_has(f, "max_tokens"))
        (void)lf_fields_fail(f, "max_tokens",
                             "'max_tokens' is missing: the most tokens to generate are needed");
    r->gen.n_max = (uint32_t)lf_fields_int(f, "max_tokens", 1, 1, UINT32_MAX);
}

lf_status lf_messages_req_decode(lf_str body, bool counts, lf_messages_req *out, char param[64],
                                 lf_err *err)
{
    static const char *const known[] = {
        "model", "messages", "system", "max_tokens", "stop_sequences", "temperature", "top_p",
        "top_k", "stream", "tools", "tool_choice", "thinking", "mcp_servers", "container",
        "context_management", "output_config",
        /* without meaning here */
        "metadata", "service_tier", "cache_control", "inference_geo", "diagnostics", "speed",
        "user_profile_id", "workspace_id", NULL
    };
    lf_messages_req r = { 0 };
    param[0] = '\0';
    const lf_status st = lf_fields_parse(body, &r.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = r.root, .err = err };
    refuse_unsupported(&f);
    lf_fields_only(&f, known);
    r.model = lf_fields_need_str(&f, "model");
    read_messages(&f, &r);
    read_tools(&f, &r);
    if (!counts)
        read_max(&f, &r);
    lf_gen_read_sampling(&f, 1, &r.gen);
    lf_gen_read_stop(&f, "stop_sequences", &r.gen);
    read_format(&f, &r);
    r.gen.n_choices = 1;
    lf_gen_set_user(
        json_string_value(json_object_get(json_object_get(r.root, "metadata"), "user_id")), &r.gen);
    r.gen.stream = lf_fields_bool(&f, "stream", false);
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_messages_req_release(&r);
        return f.st;
    }
    *out = r;
    return LF_OK;
}

void lf_messages_req_release(lf_messages_req *r)
{
    json_decref(r->messages);
    json_decref(r->prefill);
    json_decref(r->tools);
    json_decref(r->root);
    lf_gen_opts_release(&r->gen);
    *r = (lf_messages_req){ 0 };
}

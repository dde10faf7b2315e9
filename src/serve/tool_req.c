/* serve/tool_req.c - functions and messages, checked and brought into one form. */
#include "serve/tool_req.h"

#include <stdio.h>
#include <string.h>

#include "serve/gen_req.h"

static bool is_absent(const json_t *v)
{
    return !v || json_is_null(v);
}

/* The members of an object are in the list (NULL-terminated). */
static bool only(const json_t *o, const char *const *known, const char **stranger)
{
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, *stranger, v)
    {
        bool ok = false;
        for (size_t i = 0; known[i] && !ok; i++)
            ok = strcmp(known[i], *stranger) == 0;
        if (!ok)
            return false;
    }
    return true;
}

static void no_memory(lf_fields *f)
{
    if (f->st == LF_OK)
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for the messages");
}

/* ---- functions ---- */

static const char *name_at(const json_t *tools, size_t i)
{
    return json_string_value(
        json_object_get(json_object_get(json_array_get(tools, i), "function"), "name"));
}

/* Arguments are an object, whatever else the schema says. */
static bool is_object_schema(const json_t *s)
{
    const char *type = json_string_value(json_object_get(s, "type"));
    return json_is_object(s) &&
           (type ? strcmp(type, "object") == 0 : json_object_get(s, "properties") != NULL);
}

static void check_tool(lf_fields *f, const char *param, const json_t *tools, size_t i)
{
    static const char *const outer[] = { "type", "function", NULL };
    static const char *const inner[] = { "name", "description", "parameters", "strict", NULL };
    const json_t *tool = json_array_get(tools, i), *fn = json_object_get(tool, "function");
    const char *type = json_string_value(json_object_get(tool, "type"));
    const char *name = name_at(tools, i), *stranger = "";
    const json_t *description = json_object_get(fn, "description");
    const json_t *parameters = json_object_get(fn, "parameters");
    if (!type || strcmp(type, "function") != 0 || !json_is_object(fn))
        (void)lf_fields_fail(
            f, param, "'%s[%zu]' must be {\"type\": \"function\", \"function\": {…}}", param, i);
    else if (!only(tool, outer, &stranger) || !only(fn, inner, &stranger))
        (void)lf_fields_fail(f, param, "'%s[%zu]' has the unknown member '%.60s'", param, i,
                             stranger);
    else if (!name || !lf_tool_name_ok(name, strlen(name)))
        (void)lf_fields_fail(f, param,
                             "'%s[%zu].function.name' must be 1 to %d of a-z A-Z 0-9 _ - and .",
                             param, i, LF_TOOL_NAME_MAX);
    else if (!is_absent(description) && !json_is_string(description))
        (void)lf_fields_fail(f, param, "'%s[%zu].function.description' must be a string", param, i);
    else if (!is_absent(parameters) && !is_object_schema(parameters))
        (void)lf_fields_fail(f, param,
                             "'%s[%zu].function.parameters' must be a JSON Schema of the type "
                             "object",
                             param, i);
    for (size_t k = 0; f->st == LF_OK && k < i; k++)
        if (strcmp(name_at(tools, k), name) == 0)
            (void)lf_fields_fail(f, param, "'%s' has the function '%s' twice", param, name);
}

void lf_tools_check(lf_fields *f, const char *param, const json_t *tools)
{
    lf_err why = { 0 };
    for (size_t i = 0; i < json_array_size(tools) && f->st == LF_OK; i++)
        check_tool(f, param, tools, i);
    if (f->st != LF_OK)
        return;
    const lf_tool_use u = { .tools = tools };
    const lf_status st = lf_tool_use_check(&u, &why);
    if (st == LF_ERR_NOMEM)
        no_memory(f);
    else if (st != LF_OK)
        (void)lf_fields_fail(f, param, "'%s': %s", param, why.msg);
}

static bool has_tool(const json_t *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools); i++)
        if (strcmp(name_at(tools, i), name) == 0)
            return true;
    return false;
}

/* "none", "auto", "required", or a function by its name. */
static void read_choice(lf_fields *f, lf_tool_use *u)
{
    const json_t *v = json_object_get(f->o, "tool_choice");
    const char *word = json_string_value(v);
    const char *type = json_string_value(json_object_get(v, "type"));
    if (f->st != LF_OK || is_absent(v))
        return;
    if (word && strcmp(word, "none") == 0) {
        u->tools = NULL;
    } else if (word && strcmp(word, "auto") == 0) {
        u->choice = LF_TOOLS_AUTO;
    } else if (word && strcmp(word, "required") == 0) {
        u->choice = LF_TOOLS_REQUIRED;
    } else if (type && strcmp(type, "function") == 0) {
        u->choice = LF_TOOLS_REQUIRED;
        u->only = json_string_value(json_object_get(json_object_get(v, "function"), "name"));
        if (!u->only || !has_tool(u->tools, u->only))
            (void)lf_fields_fail(f, "tool_choice",
                                 "'tool_choice.function.name' is '%.64s', which 'tools' does not "
                                 "have",
                                 u->only ? u->only : "");
        return;
    } else {
        (void)lf_fields_fail(f, "tool_choice",
                             "'tool_choice' must be \"none\", \"auto\", \"required\" or {\"type\": "
                             "\"function\", \"function\": {\"name\": …}}");
    }
    if (u->choice == LF_TOOLS_REQUIRED && !u->tools)
        (void)lf_fields_fail(f, "tool_choice", "'tool_choice' is \"required\" without 'tools'");
}

void lf_tools_read(lf_fields *f, lf_tool_use *out)
{
    const json_t *tools = lf_fields_array(f, "tools", LF_TOOLS_MAX);
    *out = (lf_tool_use){ .tools = json_array_size(tools) ? tools : NULL };
    out->parallel = lf_fields_bool(f, "parallel_tool_calls", true);
    lf_tools_check(f, "tools", tools);
    read_choice(f, out);
}

/* ---- messages ---- */

/* The calls of the last assistant, and what has come back of them. */
typedef struct calling {
    size_t at;           /* the assistant's message */
    const json_t *calls; /* NULL: none are open */
    json_t *results;     /* by call; null until it came */
} calling;

static const char *id_at(const json_t *calls, size_t k)
{
    return json_string_value(json_object_get(json_array_get(calls, k), "id"));
}

/* The text of arguments as an object; nothing at all is one without members. */
static json_t *take_arguments(lf_fields *f, const char *where, const json_t *v)
{
    json_t *out = NULL;
    lf_err why = { 0 };
    if (json_is_string(v) && json_string_length(v) == 0)
        return json_object();
    if (!json_is_string(v)) {
        (void)lf_fields_fail(f, "messages", "'%s.function.arguments' must be a string", where);
    } else if (lf_json_parse(json_string_value(v), json_string_length(v), where, &out, &why) !=
                   LF_OK ||
               !json_is_object(out)) {
        (void)lf_fields_fail(f, "messages",
                             "'%s.function.arguments' must be the text of a JSON object", where);
        json_decref(out);
        out = NULL;
    }
    return out;
}

static void take_call(lf_fields *f, size_t i, size_t k, const json_t *call, json_t *calls)
{
    const char *id = json_string_value(json_object_get(call, "id"));
    const json_t *fn = json_object_get(call, "function");
    const char *name = json_string_value(json_object_get(fn, "name"));
    char where[64];
    (void)snprintf(where, sizeof where, "messages[%zu].tool_calls[%zu]", i, k);
    if (!id || !*id || !name || !lf_tool_name_ok(name, strlen(name))) {
        (void)lf_fields_fail(
            f, "messages",
            "'%s' must be {\"id\", \"type\": \"function\", \"function\": {\"name\", "
            "\"arguments\"}}",
            where);
        return;
    }
    for (size_t j = 0; j < k; j++)
        if (f->st == LF_OK && strcmp(id_at(calls, j), id) == 0)
            (void)lf_fields_fail(f, "messages", "'%s.id' is '%.60s', as another's", where, id);
    json_t *args =
        f->st == LF_OK ? take_arguments(f, where, json_object_get(fn, "arguments")) : NULL;
    if (f->st == LF_OK &&
        json_array_append_new(calls,
                              json_pack("{s:s, s:s, s:{s:s, s:o}}", "id", id, "type", "function",
                                        "function", "name", name, "arguments", args)) != 0)
        no_memory(f);
}

/* The calls of an assistant's message, under `tool_calls` of `to`. */
static void take_calls(lf_fields *f, size_t i, const json_t *v, json_t *to, calling *c)
{
    json_t *calls = json_array(), *call;
    size_t k;
    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > LF_TOOLS_MAX)
        (void)lf_fields_fail(f, "messages",
                             "'messages[%zu].tool_calls' must be an array of 1 to %d calls", i,
                             LF_TOOLS_MAX);
    json_array_foreach(v, k, call)
    {
        if (f->st == LF_OK)
            take_call(f, i, k, call, calls);
    }
    if (json_object_set_new(to, "tool_calls", calls) != 0)
        no_memory(f);
    if (f->st != LF_OK)
        return;
    *c = (calling){ .at = i, .calls = calls, .results = json_array() };
    for (k = 0; k < json_array_size(calls); k++)
        if (json_array_append_new(c->results, json_null()) != 0)
            no_memory(f);
}

/* Put the results behind their calls, in the calls' order. */
static void settle(lf_fields *f, calling *c, json_t *out)
{
    json_t *result;
    size_t k;
    json_array_foreach(c->results, k, result)
    {
        if (f->st == LF_OK && json_is_null(result))
            (void)lf_fields_fail(f, "messages",
                                 "'messages[%zu].tool_calls[%zu]' (%.60s) has no result: a message "
                                 "of the role tool has to follow",
                                 c->at, k, id_at(c->calls, k));
        else if (f->st == LF_OK && json_array_append(out, result) != 0)
            no_memory(f);
    }
    json_decref(c->results);
    *c = (calling){ 0 };
}

static void take_result(lf_fields *f, size_t i, const json_t *m, json_t *content, calling *c)
{
    const char *id = json_string_value(json_object_get(m, "tool_call_id"));
    const size_t n = json_array_size(c->results);
    size_t k = 0;
    while (id && k < n && strcmp(id_at(c->calls, k), id) != 0)
        k++;
    if (!id || k == n || !json_is_null(json_array_get(c->results, k))) {
        (void)lf_fields_fail(
            f, "messages",
            "'messages[%zu].tool_call_id' is '%.60s', which is no open call of the "
            "assistant before it",
            i, id ? id : "");
        return;
    }
    const json_t *fn = json_object_get(json_array_get(c->calls, k), "function");
    if (json_array_set_new(c->results, k,
                           json_pack("{s:s, s:O, s:s, s:O}", "role", "tool", "content", content,
                                     "tool_call_id", id, "name", json_object_get(fn, "name"))) != 0)
        no_memory(f);
}

static const char *role_of(lf_fields *f, size_t i, const json_t *m)
{
    static const char *const roles[] = { "system", "user", "assistant", "tool" };
    const char *role = json_string_value(json_object_get(m, "role"));
    if (!role) {
        (void)lf_fields_fail(f, "messages", "'messages[%zu].role' is missing", i);
        return NULL;
    }
    if (strcmp(role, "developer") == 0)
        return "system";
    for (size_t k = 0; k < sizeof roles / sizeof roles[0]; k++)
        if (strcmp(role, roles[k]) == 0)
            return role;
    (void)lf_fields_fail(f, "messages",
                         "'messages[%zu].role' is '%.30s': allowed are system, developer, user, "
                         "assistant and tool",
                         i, role);
    return NULL;
}

static void take_message(lf_fields *f, size_t i, const json_t *m, json_t *out, calling *c)
{
    const char *role = role_of(f, i, m);
    const json_t *calls = json_object_get(m, "tool_calls"),
                 *content = json_object_get(m, "content");
    char where[48];
    if (!role)
        return;
    const bool is_result = strcmp(role, "tool") == 0, assistant = strcmp(role, "assistant") == 0;
    if (!is_absent(json_object_get(m, "function_call")) || (!assistant && !is_absent(calls)))
        (void)lf_fields_fail(f, "messages",
                             "'messages[%zu]' calls a function: only an assistant does, by "
                             "'tool_calls'",
                             i);
    if (!is_result)
        settle(f, c, out);
    (void)snprintf(where, sizeof where, "messages[%zu].content", i);
    json_t *text = !is_absent(calls) && is_absent(content)
                       ? json_string("")
                       : lf_gen_content(f, "messages", where, content);
    if (f->st == LF_OK && is_result) {
        take_result(f, i, m, text, c);
    } else if (f->st == LF_OK) {
        json_t *to = json_pack("{s:s, s:O}", "role", role, "content", text);
        if (!to || json_array_append(out, to) != 0)
            no_memory(f);
        else if (!is_absent(calls))
            take_calls(f, i, calls, to, c);
        json_decref(to);
    }
    json_decref(text);
}

void lf_messages_take(lf_fields *f, const json_t *messages, json_t **out)
{
    calling c = { 0 };
    json_t *m;
    size_t i;
    if (f->st == LF_OK && json_array_size(messages) == 0)
        (void)lf_fields_fail(f, "messages",
                             "'messages' is missing: an array of messages is needed");
    *out = json_array();
    json_array_foreach(messages, i, m)
    {
        if (f->st == LF_OK)
            take_message(f, i, m, *out, &c);
    }
    settle(f, &c, *out);
}

/* model/tool_format.c - the formats, and conversations for templates without functions.
 *
 * A template is asked, not read: it renders a question, a function and a call of it, and
 * the format is the one whose spelling of that call is in what comes out. */
#include "model/tool_format.h"

#include <string.h>

#define MARK  "<tool_call>"
#define FENCE "```"

static const lf_tool_spelling tagged[] = {
    { MARK "\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>" },
    { "{\"name\": \"", "\", \"arguments\": ", "}" },
    { "{\n  \"name\": \"", "\",\n  \"arguments\": ", "\n}" },
    { FENCE "json\n{\"name\": \"", "\", \"arguments\": ", "}\n" FENCE },
    { FENCE "json\n{\n  \"name\": \"", "\",\n  \"arguments\": ", "\n}\n" FENCE },
};
static const lf_tool_spelling bare[] = {
    { "{\"name\": \"", "\", \"parameters\": ", "}" },
    { "{\"type\": \"function\", \"name\": \"", "\", \"parameters\": ", "}" },
};

#define TAGGED                                                                                     \
    .spellings = tagged, .n_spellings = sizeof tagged / sizeof tagged[0], .join = "\n",            \
    .n_mark = sizeof MARK - 1

static const lf_tool_format formats[] = {
    { .name = "hermes", TAGGED, .native = true },
    { .name = "llama3", .spellings = bare, .n_spellings = 2, .native = true },
};
static const lf_tool_format plain = { .name = "plain", TAGGED };

bool lf_tool_name_ok(const char *name, size_t n)
{
    if (n == 0 || n > LF_TOOL_NAME_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        const char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return true;
}

/* ---- asking a template ---- */

/* Render messages (and tools); takes both references.  False: the template refuses. */
static bool renders(const lf_chat_template *t, json_t *messages, json_t *tools, lf_buf *out)
{
    json_t *vars =
        json_pack("{s:o, s:b, s:s, s:s, s:o*}", "messages", messages, "add_generation_prompt", 0,
                  "bos_token", "", "eos_token", "", "tools", tools);
    const bool ok = vars && lf_chat_render(t, vars, out, NULL) == LF_OK && !out->failed;
    json_decref(vars);
    return ok;
}

#define PROBE "probe_of_calls"

const lf_tool_format *lf_tool_format_of(const lf_chat_template *t)
{
    lf_buf text = { 0 }, call = { 0 };
    const lf_tool_format *found = &plain;
    const bool ok = renders(
        t,
        json_pack("[{s:s, s:s}, {s:s, s:s, s:[{s:s, s:s, s:{s:s, s:{}}}]}]", "role", "user",
                  "content", "x", "role", "assistant", "content", "", "tool_calls", "id",
                  "call00001", "type", "function", "function", "name", PROBE, "arguments"),
        json_pack("[{s:s, s:{s:s, s:s, s:{s:s, s:{}}}}]", "type", "function", "function", "name",
                  PROBE, "description", "", "parameters", "type", "object", "properties"),
        &text);
    for (size_t i = 0; ok && i < sizeof formats / sizeof formats[0]; i++) {
        const lf_tool_format *f = &formats[i];
        lf_buf_clear(&call);
        lf_buf_addf(&call, "%s" PROBE "%s{}%s", f->spellings->open, f->spellings->middle,
                    f->spellings->close);
        const char *hit = call.failed ? NULL : strstr(lf_buf_cstr(&text), lf_buf_cstr(&call));
        if (hit) {
            found = f;
            break;
        }
    }
    lf_buf_release(&text);
    lf_buf_release(&call);
    return found;
}

static bool takes_system(const lf_chat_template *t)
{
    lf_buf text = { 0 };
    const bool ok = renders(t,
                            json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "system", "content",
                                      PROBE, "role", "user", "content", "x"),
                            NULL, &text) &&
                    strstr(lf_buf_cstr(&text), PROBE) != NULL;
    lf_buf_release(&text);
    return ok;
}

/* ---- functions, calls and results as text ---- */

static void tell_tools(const json_t *tools, lf_buf *out)
{
    const json_t *tool;
    size_t i;
    lf_buf_add_str(out, "You may call these functions:\n<tools>\n");
    json_array_foreach(tools, i, tool)
    {
        lf_json_dump(json_object_get(tool, "function"), out);
        lf_buf_add_char(out, '\n');
    }
    lf_buf_add_str(out, "</tools>\nTo call one, write\n<tool_call>\n{\"name\": <its name>, "
                        "\"arguments\": <a JSON object>}\n</tool_call>\nas often as there are "
                        "calls to make, and nothing after that. Each result comes back "
                        "within <tool_response></tool_response>.");
}

/* The text of a message: what it says, its calls, or the result that it brings. */
static void message_text(const json_t *m, lf_buf *out)
{
    const char *role = json_string_value(json_object_get(m, "role"));
    const char *content = json_string_value(json_object_get(m, "content"));
    const json_t *calls = json_object_get(m, "tool_calls"), *call;
    const bool is_result = role && strcmp(role, "tool") == 0;
    size_t i;
    lf_buf_addf(out, is_result ? "<tool_response>\n%s\n</tool_response>" : "%s",
                content ? content : "");
    json_array_foreach(calls, i, call)
    {
        const json_t *f = json_object_get(call, "function");
        const char *name = json_string_value(json_object_get(f, "name"));
        lf_buf_addf(out, "%s%s%s%s", out->len ? plain.join : "", tagged->open, name ? name : "",
                    tagged->middle);
        lf_json_dump(json_object_get(f, "arguments"), out);
        lf_buf_add_str(out, tagged->close);
    }
}

static bool set_content(json_t *m, const lf_buf *text)
{
    return !text->failed &&
           json_object_set_new(m, "content", json_stringn(lf_buf_cstr(text), text->len)) == 0;
}

/* Put a message behind the others; a user's behind a user's becomes part of it. */
static bool put_message(json_t *out, const char *role, const lf_buf *text)
{
    json_t *last = json_array_get(out, json_array_size(out) - 1);
    const char *last_role = json_string_value(json_object_get(last, "role"));
    if (last_role && strcmp(role, "user") == 0 && strcmp(last_role, "user") == 0) {
        lf_buf both = { 0 };
        lf_buf_addf(&both, "%s\n%s", json_string_value(json_object_get(last, "content")),
                    lf_buf_cstr(text));
        const bool ok = !text->failed && set_content(last, &both);
        lf_buf_release(&both);
        return ok;
    }
    json_t *m = json_pack("{s:s, s:s}", "role", role, "content", "");
    const bool ok = m && set_content(m, text) && json_array_append(out, m) == 0;
    json_decref(m);
    return ok;
}

lf_status lf_tool_format_messages(const lf_tool_format *f, const lf_chat_template *t,
                                  const json_t *messages, const json_t *tools, json_t **out,
                                  lf_err *err)
{
    if (f->native) {
        *out = json_incref((json_t *)(uintptr_t)messages);
        return LF_OK;
    }
    const char *first = json_string_value(json_object_get(json_array_get(messages, 0), "role"));
    const bool system = takes_system(t), in_first = system && first && !strcmp(first, "system");
    json_t *list = json_array(), *m;
    lf_buf text = { 0 };
    size_t i;
    bool told = json_array_size(tools) == 0, ok = list != NULL;
    if (ok && !told && !in_first) {
        tell_tools(tools, &text);
        ok = put_message(list, system ? "system" : "user", &text);
        told = true;
    }
    json_array_foreach(messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        lf_buf_clear(&text);
        message_text(m, &text);
        if (!told) {
            lf_buf_add_str(&text, "\n\n");
            tell_tools(tools, &text);
            told = true;
        }
        ok = ok && role && put_message(list, strcmp(role, "tool") == 0 ? "user" : role, &text);
    }
    ok = ok && !text.failed;
    lf_buf_release(&text);
    if (!ok) {
        json_decref(list);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a conversation with functions");
    }
    *out = list;
    return LF_OK;
}

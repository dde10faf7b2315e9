/* serve/messages_req.c - decoding of requests in Anthropic's form. */
#include "serve/messages_req.h"

#include <stdio.h>
#include <string.h>

enum { MESSAGES_MAX = 2000 };

static void add(lf_fields *f, json_t *out, const char *role, json_t *text)
{
    if (f->st != LF_OK)
        json_decref(text);
    else if (json_array_append_new(out, json_pack("{s:s,s:o}", "role", role, "content", text)) != 0)
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for the messages");
}

static void add_message(lf_fields *f, size_t i, const json_t *m, json_t *out)
{
    const char *role = json_string_value(json_object_get(m, "role"));
    char where[48];
    if (!role || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)) {
        (void)lf_fields_fail(f, "messages",
                             "'messages[%zu].role' is '%.30s': allowed are user and assistant", i,
                             role ? role : "");
        return;
    }
    (void)snprintf(where, sizeof where, "messages[%zu].content", i);
    add(f, out, role, lf_gen_content(f, "messages", where, json_object_get(m, "content")));
}

/* The last words of the assistant are not a message: the answer goes on from them. */
static void take_prefill(lf_messages_req *r)
{
    const size_t n = json_array_size(r->messages);
    const json_t *last = json_array_get(r->messages, n - 1);
    if (n == 0 || strcmp(json_string_value(json_object_get(last, "role")), "assistant") != 0)
        return;
    r->prefill = json_incref(json_object_get(last, "content"));
    (void)json_array_remove(r->messages, n - 1);
}

static void read_messages(lf_fields *f, lf_messages_req *r)
{
    const json_t *v = lf_fields_array(f, "messages", MESSAGES_MAX);
    json_t *m;
    size_t i;
    if (f->st == LF_OK && json_array_size(v) == 0)
        (void)lf_fields_fail(f, "messages",
                             "'messages' is missing: an array of messages is needed");
    r->messages = json_array();
    if (lf_fields_has(f, "system"))
        add(f, r->messages, "system",
            lf_gen_content(f, "system", "system", json_object_get(f->o, "system")));
    json_array_foreach(v, i, m)
    {
        if (f->st == LF_OK)
            add_message(f, i, m, r->messages);
    }
    if (f->st == LF_OK)
        take_prefill(r);
}

/* Fields that would change the answer and are not done here, and the values with which
 * they change nothing. */
static void refuse_unsupported(lf_fields *f)
{
    static const char *const never[] = { "tools", "mcp_servers", "container", "context_management",
                                         "output_config" };
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        const json_t *v = json_object_get(f->o, never[i]);
        if (v && !json_is_null(v) && !(json_is_array(v) && json_array_size(v) == 0))
            (void)lf_fields_fail(f, never[i], "'%s' is not supported", never[i]);
    }
    const char *choice =
        json_string_value(json_object_get(json_object_get(f->o, "tool_choice"), "type"));
    if (lf_fields_has(f, "tool_choice") && (!choice || strcmp(choice, "none") != 0))
        (void)lf_fields_fail(f, "tool_choice",
                             "'tool_choice' is not supported, but for the type \"none\"");
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
        "metadata", "service_tier", "cache_control", "inference_geo", NULL
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
    if (!counts)
        read_max(&f, &r);
    lf_gen_read_sampling(&f, 1, &r.gen);
    lf_gen_read_stop(&f, "stop_sequences", &r.gen);
    r.gen.n_choices = 1;
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
    json_decref(r->root);
    lf_gen_opts_release(&r->gen);
    *r = (lf_messages_req){ 0 };
}

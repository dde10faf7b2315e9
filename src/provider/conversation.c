/* provider/conversation.c - conversations to tokens.
 *
 * A conversation is rendered by the model's template and then cut into tokens.
 * What people, documents and functions wrote must never become a control token, whatever it
 * spells ("<|im_end|>"): a text that does is rendered as a mark, and the marks are replaced
 * by tokens of plain text afterwards.  A template writes texts as they are or as JSON; which
 * of the two is seen in what stands around the mark. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "model/tool_format.h"
#include "provider/provider.h"

#define MARK_BEGIN "\xEE\x80\x80" /* private-use characters around the mark's number */
#define MARK_END   "\xEE\x80\x81"

/* ---- marks ---- */

typedef struct marking {
    const lf_tokenizer *t;
    json_t *texts; /* of the marks, by number */
    lf_err *err;
} marking;

/* Does plain text hold what the tokenizer would take for a control token? */
static lf_status spells_control(const lf_tokenizer *t, const char *text, bool *out, lf_err *err)
{
    lf_tokens ids = { 0 };
    const lf_status st = lf_tokenizer_encode(t, text, strlen(text), false, true, &ids, err);
    *out = false;
    for (size_t i = 0; st == LF_OK && i < ids.n; i++)
        if (lf_tokenizer_is_control(t, ids.ids[i]))
            *out = true;
    lf_tokens_release(&ids);
    return st;
}

static lf_status no_memory(lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory for the messages");
}

static lf_status marked_text(marking *k, const json_t *v, json_t **out)
{
    bool bad = false;
    lf_status st = spells_control(k->t, json_string_value(v), &bad, k->err);
    if (st != LF_OK)
        return st;
    if (!bad) {
        *out = json_incref((json_t *)(uintptr_t)v);
        return LF_OK;
    }
    lf_buf mark = { 0 };
    lf_buf_addf(&mark, MARK_BEGIN "%zu" MARK_END, json_array_size(k->texts));
    *out = mark.failed ? NULL : json_string(lf_buf_cstr(&mark));
    lf_buf_release(&mark);
    return *out && json_array_append(k->texts, (json_t *)(uintptr_t)v) == 0 ? LF_OK
                                                                            : no_memory(k->err);
}

static lf_status marked(marking *k, const json_t *v, json_t **out);

static lf_status marked_object(marking *k, const json_t *v, json_t *to)
{
    lf_status st = LF_OK;
    const char *key;
    json_t *x;
    json_object_foreach((json_t *)(uintptr_t)v, key, x)
    {
        bool bad = false;
        json_t *y = NULL;
        if (st == LF_OK)
            st = spells_control(k->t, key, &bad, k->err);
        if (st == LF_OK && bad)
            st = lf_fail(k->err, LF_ERR_ARG,
                         "the name '%.60s' in a function or its arguments spells a control token "
                         "of the model",
                         key);
        if (st == LF_OK)
            st = marked(k, x, &y);
        if (st == LF_OK && json_object_set(to, key, y) != 0)
            st = no_memory(k->err);
        json_decref(y);
    }
    return st;
}

/* A copy of `v` in which texts that spell control tokens are marks; a new reference in *out,
 * also after a failure (then NULL or a part). */
static lf_status marked(marking *k, const json_t *v, json_t **out)
{
    lf_status st = LF_OK;
    json_t *x;
    size_t i;
    if (json_is_string(v))
        return marked_text(k, v, out);
    if (!json_is_object(v) && !json_is_array(v)) {
        *out = json_incref((json_t *)(uintptr_t)v);
        return LF_OK;
    }
    *out = json_is_object(v) ? json_object() : json_array();
    if (!*out)
        return no_memory(k->err);
    if (json_is_object(v))
        return marked_object(k, v, *out);
    json_array_foreach(v, i, x)
    {
        json_t *y = NULL;
        if (st == LF_OK)
            st = marked(k, x, &y);
        if (st == LF_OK && json_array_append(*out, y) != 0)
            st = no_memory(k->err);
        json_decref(y);
    }
    return st;
}

/* The tokens of a marked text; `quoted`: it stands within JSON. */
static lf_status encode_text(const lf_tokenizer *t, const json_t *text, bool quoted, lf_tokens *out,
                             lf_err *err)
{
    lf_buf b = { 0 };
    if (quoted)
        lf_json_dump(text, &b);
    else
        lf_buf_add(&b, json_string_value(text), json_string_length(text));
    const size_t edge = quoted ? 1 : 0;
    const lf_status st = b.failed ? no_memory(err)
                                  : lf_tokenizer_encode(t, lf_buf_cstr(&b) + edge, b.len - 2 * edge,
                                                        false, false, out, err);
    lf_buf_release(&b);
    return st;
}

/* The next mark in `text`, or NULL; its number, and what follows it. */
static const char *next_mark(const char *text, size_t n_marks, size_t *number, const char **after)
{
    for (text = strstr(text, MARK_BEGIN); text; text = strstr(text + 3, MARK_BEGIN)) {
        char *end = NULL;
        const unsigned long i = strtoul(text + 3, &end, 10);
        if (end > text + 3 && i < n_marks && strncmp(end, MARK_END, 3) == 0) {
            *number = i;
            *after = end + 3;
            return text;
        }
    }
    return NULL;
}

/* Encode `text`, putting plain tokens in place of the marks. */
static lf_status encode_marked(const lf_tokenizer *t, const char *text, const json_t *marks,
                               lf_tokens *out, lf_err *err)
{
    const char *after = NULL, *at;
    size_t i = 0;
    while ((at = next_mark(text, json_array_size(marks), &i, &after)) != NULL) {
        const bool quoted = at > text && at[-1] == '"' && *after == '"';
        lf_status st = lf_tokenizer_encode(t, text, (size_t)(at - text), false, true, out, err);
        if (st == LF_OK)
            st = encode_text(t, json_array_get(marks, i), quoted, out, err);
        if (st != LF_OK)
            return st;
        text = after;
    }
    return lf_tokenizer_encode(t, text, strlen(text), false, true, out, err);
}

/* ---- rendering ---- */

static void token_text(const lf_tokenizer *t, int32_t id, lf_buf *out)
{
    if (id >= 0)
        lf_tokenizer_piece(t, id, true, out);
}

/* `talk`: {messages} or {messages, tools}, to which the rest is added. */
static lf_status render(const lf_model *m, json_t *talk, lf_buf *out, lf_err *err)
{
    const lf_tokenizer *t = lf_model_tokenizer(m);
    lf_buf bos = { 0 }, eos = { 0 };
    token_text(t, lf_tokenizer_bos(t), &bos);
    token_text(t, lf_tokenizer_eos(t), &eos);
    const bool ok = json_object_set_new(talk, "add_generation_prompt", json_true()) == 0 &&
                    json_object_set_new(talk, "bos_token", json_string(lf_buf_cstr(&bos))) == 0 &&
                    json_object_set_new(talk, "eos_token", json_string(lf_buf_cstr(&eos))) == 0;
    const lf_status st = ok ? lf_chat_render(lf_model_template(m), talk, out, err)
                            : lf_fail(err, LF_ERR_NOMEM, "no memory to render the conversation");
    lf_buf_release(&bos);
    lf_buf_release(&eos);
    return st;
}

static bool uses_tools(const json_t *messages)
{
    json_t *m;
    size_t i;
    json_array_foreach(messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        if (json_object_get(m, "tool_calls") || (role && strcmp(role, "tool") == 0))
            return true;
    }
    return false;
}

/* What the template is given: {messages}, and {tools} where it knows what they are. */
static lf_status as_template_takes(const lf_model *m, const json_t *messages, const json_t *tools,
                                   json_t **out, lf_err *err)
{
    const lf_chat_template *t = lf_model_template(m);
    json_t *list = NULL;
    bool native = false;
    lf_status st = LF_OK;
    if (!tools && !uses_tools(messages)) {
        list = json_incref((json_t *)(uintptr_t)messages);
    } else {
        const lf_tool_format *f = lf_tool_format_of(t);
        native = f->native;
        st = lf_tool_format_messages(f, t, messages, tools, &list, err);
    }
    if (st != LF_OK)
        return st;
    *out = native && tools ? json_pack("{s:o, s:O}", "messages", list, "tools", tools)
                           : json_pack("{s:o}", "messages", list);
    return *out ? LF_OK : no_memory(err);
}

const lf_tool_format *lf_provider_tool_format(const lf_model *m)
{
    return lf_tool_format_of(lf_model_template(m));
}

lf_status lf_provider_tool_tokens(lf_model *m, const json_t *messages, const json_t *tools,
                                  lf_tokens *out, lf_err *err)
{
    const lf_tokenizer *t = lf_model_tokenizer(m);
    lf_buf text = { 0 };
    json_t *talk = NULL, *copy = NULL;
    marking k = { .t = t, .err = err };
    lf_status st;
    if (!lf_model_template(m))
        return lf_fail(err, LF_ERR_UNSUPPORTED, "model '%s' has no chat template",
                       lf_model_get_info(m)->name);
    k.texts = json_array();
    st = k.texts ? as_template_takes(m, messages, tools, &talk, err) : no_memory(err);
    if (st == LF_OK)
        st = marked(&k, talk, &copy);
    if (st == LF_OK)
        st = render(m, copy, &text, err);
    if (st == LF_OK && text.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the prompt");
    if (st == LF_OK)
        st = encode_marked(t, lf_buf_cstr(&text), k.texts, out, err);
    json_decref(talk);
    json_decref(copy);
    json_decref(k.texts);
    lf_buf_release(&text);
    return st;
}

lf_status lf_provider_tokens(lf_model *m, const json_t *messages, lf_tokens *out, lf_err *err)
{
    return lf_provider_tool_tokens(m, messages, NULL, out, err);
}

/* Prompts of flows hold text of documents: what they leave in the cache is found by the
 * same person's flows alone, and not by who sends prompts of his own and watches
 * how much of them was known. */
static lf_status flow_key(const lf_scope *scope, uint64_t *out, lf_err *err)
{
    char hash[LF_SHA256_HEX] = "";
    lf_buf b = { 0 };
    lf_buf_addf(&b, "flow %s", scope ? lf_scope_person(scope) : "");
    const lf_status st = b.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a key")
                                  : lf_sha256_of(b.data, b.len, hash, err);
    lf_buf_release(&b);
    hash[16] = '\0';
    *out = strtoull(hash, NULL, 16);
    return st;
}

lf_status lf_provider_chat(lf_provider *p, const lf_scope *scope, const char *model,
                           const json_t *messages, const lf_gen_req *req, lf_gen_result *out,
                           lf_err *err)
{
    lf_status st;
    lf_model *m = NULL;
    lf_tokens ids = { 0 };
    lf_gen_req r = *req;
    st = flow_key(scope, &r.cache_key, err);
    if (st == LF_OK)
        st = lf_provider_model(p, model, &m, err);
    if (st == LF_OK)
        st = lf_provider_tokens(m, messages, &ids, err);
    if (st == LF_OK) {
        r.tokens = ids.ids;
        r.n_tokens = ids.n;
        st = lf_engine_generate(lf_provider_engine(p), m, &r, out, err);
    }
    lf_tokens_release(&ids);
    lf_model_unref(m);
    return st;
}

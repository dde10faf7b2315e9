/* serve/ask_req.c - decoding of questions and searches. */
#include "serve/ask_req.h"

#include <string.h>

#include "base/mem.h"
#include "serve/fields.h"

/* An array of strings, or one string alone. */
static void read_strings(lf_fields *f, const char *key, size_t n_max, const char ***out, size_t *n)
{
    const json_t *v = json_object_get(f->o, key);
    const bool one = json_is_string(v);
    if (!one)
        v = lf_fields_array(f, key, n_max);
    const size_t count = one ? 1 : json_array_size(v);
    if (f->st != LF_OK || count == 0)
        return;
    *out = lf_calloc(count, sizeof **out);
    if (!*out) {
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for '%s'", key);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *s = json_string_value(one ? v : json_array_get(v, i));
        if (!s || !s[0]) {
            (void)lf_fields_fail(f, key, "'%s[%zu]' must be a string that is not empty", key, i);
            return;
        }
        (*out)[(*n)++] = s;
    }
}

static void read_history(lf_fields *f, lf_ask_body *b)
{
    const json_t *v = lf_fields_array(f, "history", LF_ASK_TURNS);
    const json_t *m;
    size_t i;
    if (!v || json_array_size(v) == 0)
        return;
    b->turns = lf_calloc(json_array_size(v), sizeof *b->turns);
    if (!b->turns) {
        f->st = lf_fail(f->err, LF_ERR_NOMEM, "no memory for 'history'");
        return;
    }
    json_array_foreach(v, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        const char *content = json_string_value(json_object_get(m, "content"));
        if (!role || !content || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0)) {
            (void)lf_fields_fail(
                f, "history",
                "'history[%zu]' must have 'role' (user or assistant) and 'content' "
                "(a string)",
                i);
            return;
        }
        b->turns[b->n_turns++] = (lf_turn){ role, content };
    }
}

static void read_mode(lf_fields *f, lf_ask_body *b)
{
    static const char *const names[] = { "hybrid", "lexical", "vector" };
    const char *mode = lf_fields_str(f, "mode", "hybrid");
    for (size_t i = 0; i < 3; i++)
        if (strcmp(mode, names[i]) == 0) {
            b->mode = (lf_search_mode)i;
            return;
        }
    (void)lf_fields_fail(f, "mode", "'mode' is '%.30s': allowed are hybrid, lexical and vector",
                         mode);
}

lf_status lf_ask_body_decode(lf_str body, bool is_search, lf_ask_body *out, char param[64],
                             lf_err *err)
{
    static const char *const for_search[] = { "query", "collection", "in",     "doc_ids",
                                              "k",     "mode",       "no_llm", NULL };
    static const char *const for_ask[] = { "question", "collection", "in",   "doc_ids", "k",
                                           "no_llm",   "model",      "seed", "history", NULL };
    lf_ask_body b = { 0 };
    param[0] = '\0';
    lf_status st = lf_fields_parse(body, &b.root, err);
    if (st != LF_OK)
        return st;
    lf_fields f = { .o = b.root, .err = err };
    lf_fields_only(&f, is_search ? for_search : for_ask);
    b.text = lf_fields_need_str(&f, is_search ? "query" : "question");
    if (f.st == LF_OK && b.text[strspn(b.text, " \t\r\n")] == '\0')
        (void)lf_fields_fail(&f, is_search ? "query" : "question", "'%s' is empty",
                             is_search ? "query" : "question");
    b.collection = lf_fields_str(&f, "collection", NULL);
    b.k = (int32_t)lf_fields_int(&f, "k", 0, 1, LF_ASK_K);
    b.no_llm = lf_fields_bool(&f, "no_llm", false);
    read_strings(&f, "in", LF_ASK_PATHS, &b.paths, &b.n_paths);
    read_strings(&f, "doc_ids", LF_ASK_DOCS, &b.doc_ids, &b.n_doc_ids);
    if (b.n_paths && (b.collection || b.n_doc_ids))
        (void)lf_fields_fail(&f, "in", "'in' cannot stand together with 'collection' or 'doc_ids'");
    if (is_search) {
        read_mode(&f, &b);
    } else {
        b.model = lf_fields_str(&f, "model", NULL);
        b.seed = (uint64_t)lf_fields_int(&f, "seed", 0, 0, INT64_MAX);
        read_history(&f, &b);
    }
    if (f.st != LF_OK) {
        memcpy(param, f.param, sizeof f.param);
        lf_ask_body_release(&b);
        return f.st;
    }
    *out = b;
    return LF_OK;
}

void lf_ask_body_release(lf_ask_body *b)
{
    lf_free(b->paths);
    lf_free(b->doc_ids);
    lf_free(b->turns);
    json_decref(b->root);
    *b = (lf_ask_body){ 0 };
}

/* capi/capi.c - the library's engine, models, tokens and grammars.
 *
 * Every function does three things: check what came from outside, call the engine's own
 * function, turn lf_err into landfall_error.  The statuses have the same numbers on both
 * sides, which is checked here. */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capi/capi_int.h"
#include "infer/grammar.h"
#include "provider/provider.h"

#include <string.h>

#define SAME(name) _Static_assert((int)LANDFALL_##name == (int)LF_##name, "statuses differ")
SAME(OK);
SAME(ERR_ARG);
SAME(ERR_FORMAT);
SAME(ERR_LIMIT);
SAME(ERR_NOT_FOUND);
SAME(ERR_IO);
SAME(ERR_NOMEM);
SAME(ERR_BUSY);
SAME(ERR_CANCELLED);
SAME(ERR_UNSUPPORTED);
SAME(ERR_DENIED);
SAME(ERR_CORRUPT);
_Static_assert(sizeof(((landfall_error *)0)->message) == sizeof(((lf_err *)0)->msg),
               "messages differ in length");
_Static_assert(__builtin_strcmp(LF_VERSION, LANDFALL_VERSION) == 0, "the header's version differs");

/* ---- errors and structs ---- */

landfall_status lf_capi_status(lf_status st, const lf_err *e, landfall_error *err)
{
    if (st != LF_OK && err) {
        err->status = (landfall_status)st;
        memcpy(err->message, e->msg, sizeof err->message);
    }
    return (landfall_status)st;
}

lf_status lf_capi_take_struct(const void *from, const char *what, void *to, size_t n, lf_err *e)
{
    size_t size;
    if (!from)
        return LF_OK;
    memcpy(&size, from, sizeof size);
    if (size < sizeof size)
        return lf_fail(e, LF_ERR_ARG, "%s.size is %zu: set it to sizeof(%s)", what, size, what);
    for (size_t i = n; i < size; i++)
        if (((const char *)from)[i] != 0)
            return lf_fail(e, LF_ERR_ARG, "%s has fields that version %s does not know", what,
                           LF_VERSION);
    memcpy(to, from, size < n ? size : n);
    return LF_OK;
}

void lf_capi_give_struct(const void *from, size_t n, void *to)
{
    size_t size;
    memcpy(&size, to, sizeof size);
    if (size > n)
        size = n;
    if (size > sizeof size)
        memcpy((char *)to + sizeof size, (const char *)from + sizeof size, size - sizeof size);
}

const char *landfall_version(void)
{
    return LF_VERSION;
}

const char *landfall_status_name(landfall_status status)
{
    return lf_status_name((lf_status)status);
}

void landfall_free(void *p)
{
    lf_free(p);
}

/* ---- the engine ---- */

static lf_status open_home(landfall *l, const char *home, lf_err *e)
{
    l->home = lf_strdup(home);
    l->cache = lf_path_join(home, "cache");
    if (!l->home || !l->cache)
        return lf_fail(e, LF_ERR_NOMEM, "no memory for a path");
    const lf_status st = lf_path_make_dirs(l->cache, e);
    return st == LF_OK ? lf_catalog_open(NULL, &l->catalog, e) : st;
}

landfall_status landfall_open(const landfall_options *options, landfall **out, landfall_error *err)
{
    lf_err e = { 0 };
    landfall_options o = { 0 };
    landfall *l = lf_calloc(1, sizeof *l);
    lf_status st = l ? lf_capi_take_struct(options, "landfall_options", &o, sizeof o, &e)
                     : lf_fail(&e, LF_ERR_NOMEM, "no memory for an engine");
    if (st == LF_OK && o.n_threads < 0)
        st = lf_fail(&e, LF_ERR_ARG, "n_threads is %d, 0 and more are allowed", o.n_threads);
    if (st == LF_OK && o.home)
        st = open_home(l, o.home, &e);
    const lf_engine_opts eo = { .n_threads = o.n_threads,
                                .ctx_tokens = o.ctx_tokens,
                                .batch_tokens = o.batch_tokens,
                                .sessions_max = o.sessions_max,
                                .kv_budget_bytes = o.kv_cache_bytes };
    if (st == LF_OK)
        st = lf_engine_open(&eo, &l->engine, &e);
    if (st == LF_OK)
        *out = l;
    else
        landfall_close(l);
    return lf_capi_status(st, &e, err);
}

void landfall_close(landfall *l)
{
    if (!l)
        return;
    lf_engine_close(l->engine);
    lf_catalog_close(l->catalog);
    lf_free(l->home);
    lf_free(l->cache);
    lf_free(l);
}

/* ---- models ---- */

landfall_status landfall_model_load(landfall *l, const char *name, landfall_model **out,
                                    landfall_error *err)
{
    lf_err e = { 0 };
    lf_buf path = { 0 };
    const lf_model_opts o = { .cache_dir = l->cache };
    landfall_model *m = lf_calloc(1, sizeof *m);
    lf_status st = m ? LF_OK : lf_fail(&e, LF_ERR_NOMEM, "no memory to load '%s'", name);
    if (st == LF_OK && l->catalog)
        st = lf_catalog_path(l->catalog, l->home, name, &path, &e);
    else
        lf_buf_add_str(&path, name);
    if (st == LF_OK && path.failed)
        st = lf_fail(&e, LF_ERR_NOMEM, "no memory for a path");
    if (st == LF_OK)
        st = lf_model_open(lf_buf_cstr(&path), &o, &m->m, &e);
    lf_buf_release(&path);
    if (st == LF_OK) {
        m->l = l;
        *out = m;
    } else {
        lf_free(m);
    }
    return lf_capi_status(st, &e, err);
}

void landfall_model_close(landfall_model *m)
{
    if (m) {
        (void)!lf_engine_forget(m->l->engine, m->m, NULL); /* workspace and caches, now */
        lf_model_unref(m->m);
    }
    lf_free(m);
}

void landfall_model_get_info(const landfall_model *m, landfall_model_info *out)
{
    const lf_model_info *i = lf_model_get_info(m->m);
    const landfall_model_info v = { .arch = i->arch,
                                    .name = i->name,
                                    .hash = i->hash,
                                    .is_encoder = i->is_encoder,
                                    .has_chat_template = lf_model_template(m->m) != NULL,
                                    .n_layers = i->n_layers,
                                    .n_embd = i->n_embd,
                                    .n_vocab = i->n_vocab,
                                    .ctx_tokens = i->ctx_tokens,
                                    .n_params = i->n_params,
                                    .weight_bytes = i->weight_bytes };
    lf_capi_give_struct(&v, sizeof v, out);
}

landfall_status landfall_adapter_load(const landfall_model *m, const char *path,
                                      landfall_adapter **out, landfall_error *err)
{
    lf_err e = { 0 };
    lf_adapter *a = NULL;
    const lf_status st = lf_adapter_open(m->m, path, &a, &e);
    if (st == LF_OK)
        *out = (landfall_adapter *)a;
    return lf_capi_status(st, &e, err);
}

void landfall_adapter_close(landfall_adapter *a)
{
    lf_adapter_unref((lf_adapter *)a);
}

/* ---- tokens ---- */

static landfall_status give_tokens(lf_status st, lf_tokens *t, int32_t **ids, size_t *n_ids,
                                   const lf_err *e, landfall_error *err)
{
    if (st == LF_OK) {
        *ids = t->ids;
        *n_ids = t->n;
        *t = (lf_tokens){ 0 };
    }
    lf_tokens_release(t);
    return lf_capi_status(st, e, err);
}

landfall_status landfall_tokenize(const landfall_model *m, const char *text, size_t n_bytes,
                                  int flags, int32_t **ids, size_t *n_ids, landfall_error *err)
{
    lf_err e = { 0 };
    lf_tokens t = { 0 };
    const int known = LANDFALL_ADD_SPECIAL | LANDFALL_PARSE_SPECIAL;
    lf_status st;
    if (flags & ~known)
        st = lf_fail(&e, LF_ERR_ARG, "flags are %#x, known are %#x", (unsigned)flags,
                     (unsigned)known);
    else
        st = lf_tokenizer_encode(lf_model_tokenizer(m->m), text, n_bytes,
                                 (flags & LANDFALL_ADD_SPECIAL) != 0,
                                 (flags & LANDFALL_PARSE_SPECIAL) != 0, &t, &e);
    return give_tokens(st, &t, ids, n_ids, &e, err);
}

landfall_status landfall_detokenize(const landfall_model *m, const int32_t *ids, size_t n_ids,
                                    int show_special, char **text, landfall_error *err)
{
    lf_err e = { 0 };
    lf_buf out = { 0 };
    const uint32_t n_vocab = lf_model_get_info(m->m)->n_vocab;
    lf_status st = LF_OK;
    for (size_t i = 0; st == LF_OK && i < n_ids; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab)
            st = lf_fail(&e, LF_ERR_ARG, "token %zu is %d, the vocabulary has %u", i, ids[i],
                         n_vocab);
    if (st == LF_OK) {
        lf_tokenizer_decode(lf_model_tokenizer(m->m), ids, n_ids, show_special != 0, &out);
        char *taken = lf_buf_take(&out);
        if (taken)
            *text = taken;
        else
            st = lf_fail(&e, LF_ERR_NOMEM, "no memory for the text of %zu tokens", n_ids);
    }
    lf_buf_release(&out);
    return lf_capi_status(st, &e, err);
}

/* What a template expects: a list of objects that say who speaks. */
static lf_status parse_messages(const char *text, json_t **out, lf_err *e)
{
    size_t i;
    json_t *list = NULL, *m;
    lf_status st = lf_json_parse(text, strlen(text), "messages", &list, e);
    if (st == LF_OK && json_array_size(list) == 0)
        st = lf_fail(e, LF_ERR_ARG, "messages are not a list of at least one");
    json_array_foreach(list, i, m)
    {
        if (st == LF_OK && !json_is_string(json_object_get(m, "role")))
            st = lf_fail(e, LF_ERR_ARG, "messages[%zu] has no role that is a text", i);
    }
    if (st == LF_OK)
        *out = list;
    else
        json_decref(list);
    return st;
}

landfall_status landfall_chat_tokens(landfall_model *m, const char *messages, int32_t **ids,
                                     size_t *n_ids, landfall_error *err)
{
    lf_err e = { 0 };
    lf_tokens t = { 0 };
    json_t *list = NULL;
    lf_status st = parse_messages(messages, &list, &e);
    if (st == LF_OK)
        st = lf_provider_tokens(m->m, list, &t, &e);
    json_decref(list);
    return give_tokens(st, &t, ids, n_ids, &e, err);
}

/* ---- grammars ---- */

landfall_status landfall_grammar_parse(const char *gbnf, landfall_grammar **out,
                                       landfall_error *err)
{
    lf_err e = { 0 };
    lf_grammar *g = NULL;
    const lf_status st = lf_grammar_parse(gbnf, strlen(gbnf), &g, &e);
    if (st == LF_OK)
        *out = (landfall_grammar *)g;
    return lf_capi_status(st, &e, err);
}

landfall_status landfall_grammar_from_schema(const char *json_schema, landfall_grammar **out,
                                             landfall_error *err)
{
    lf_err e = { 0 };
    lf_grammar *g = NULL;
    json_t *schema = NULL;
    lf_status st = lf_json_parse(json_schema, strlen(json_schema), "the schema", &schema, &e);
    if (st == LF_OK)
        st = lf_grammar_from_schema(schema, &g, &e);
    json_decref(schema);
    if (st == LF_OK)
        *out = (landfall_grammar *)g;
    return lf_capi_status(st, &e, err);
}

void landfall_grammar_close(landfall_grammar *g)
{
    lf_grammar_close(lf_capi_grammar(g));
}

/* capi/capi_generate.c - generation, conversations, vectors and ranks.
 *
 * A conversation is its messages.  A reply renders them all again: what was evaluated
 * before is found in the engine's caches by its tokens, which is what makes it cheap, and
 * what makes a session nothing that could be lost with a cache. */
#include "base/json.h"
#include "base/mem.h"
#include "capi/capi_int.h"
#include "provider/provider.h"

#include <string.h>

struct landfall_session {
    landfall_model *m;
    json_t *messages;
};

/* ---- cancelling ---- */

landfall_status landfall_cancel_open(landfall_cancel **out, landfall_error *err)
{
    lf_err e = { 0 };
    landfall_cancel *c = lf_calloc(1, sizeof *c);
    if (!c)
        return lf_capi_status(lf_fail(&e, LF_ERR_NOMEM, "no memory for a flag"), &e, err);
    atomic_init(&c->set, false);
    *out = c;
    return LANDFALL_OK;
}

void landfall_cancel_now(landfall_cancel *c)
{
    atomic_store(&c->set, true);
}

void landfall_cancel_reset(landfall_cancel *c)
{
    atomic_store(&c->set, false);
}

void landfall_cancel_close(landfall_cancel *c)
{
    lf_free(c);
}

/* ---- generation ---- */

static bool pass_text(void *ud, const lf_token_event *ev)
{
    const landfall_params *p = ud;
    return ev->n_bytes == 0 || p->on_text(p->user, ev->text, ev->n_bytes) != 0;
}

static lf_status take_adapters(const landfall_params *p, lf_adapter_mix *mix, lf_err *e)
{
    if (p->n_adapters > LF_ADAPTERS_MAX)
        return lf_fail(e, LF_ERR_ARG, "%zu adapters, up to %d are allowed", p->n_adapters,
                       LF_ADAPTERS_MAX);
    for (mix->n = 0; mix->n < p->n_adapters; mix->n++)
        mix->v[mix->n] = (lf_adapter_use){ (lf_adapter *)p->adapters[mix->n].adapter,
                                           p->adapters[mix->n].scale };
    return LF_OK;
}

static lf_gen_req request(const int32_t *ids, size_t n_ids, const landfall_params *p)
{
    lf_sampling s = lf_sampling_defaults();
    s.temperature = p->temperature;
    s.top_k = p->top_k;
    s.top_p = p->top_p != 0 ? p->top_p : s.top_p;
    s.min_p = p->min_p;
    s.repeat_penalty = p->repeat_penalty != 0 ? p->repeat_penalty : s.repeat_penalty;
    s.seed = p->seed;
    return (lf_gen_req){ .tokens = ids,
                         .n_tokens = n_ids,
                         .n_max = p->n_max,
                         .sampling = s,
                         .stop = p->stop,
                         .n_stop = p->n_stop,
                         .grammar = lf_capi_grammar(p->grammar),
                         .cancel = p->cancel ? &p->cancel->set : NULL,
                         .cache_key = p->cache_key,
                         .guesser = p->draft ? p->draft->m : NULL,
                         .on_token = p->on_text ? pass_text : NULL,
                         .ud = (void *)(uintptr_t)p };
}

static lf_status generate(landfall_model *m, const int32_t *ids, size_t n_ids,
                          const landfall_params *params, landfall_result *out, lf_err *e)
{
    lf_gen_result r = { 0 };
    lf_adapter_mix mix;
    lf_gen_req q = request(ids, n_ids, params);
    lf_status st = take_adapters(params, &mix, e);
    if (st != LF_OK)
        return st;
    q.adapters = &mix;
    st = lf_engine_generate(m->l->engine, m->m, &q, &r, e);
    if (st != LF_OK)
        return st;
    landfall_result v = { .n_bytes = r.text.len,
                          .finish = (landfall_finish)r.finish,
                          .n_prompt = r.n_prompt,
                          .n_cached = r.n_cached,
                          .n_generated = r.n_generated,
                          .prefill_us = r.prefill_us,
                          .decode_us = r.decode_us };
    v.text = lf_buf_take(&r.text);
    if (!v.text)
        return lf_fail(e, LF_ERR_NOMEM, "no memory for the generated text");
    *out = v;
    return LF_OK;
}

/* Hand a result to the caller, whose struct may be shorter, or absent. */
static void give_result(landfall_result *v, landfall_result *out)
{
    if (out)
        lf_capi_give_struct(v, sizeof *v, out);
    if (!out || out->size < offsetof(landfall_result, n_bytes))
        lf_free(v->text);
}

_Static_assert((int)LANDFALL_FINISH_STOP == (int)LF_FINISH_STOP &&
                   (int)LANDFALL_FINISH_LENGTH == (int)LF_FINISH_LENGTH &&
                   (int)LANDFALL_FINISH_CALLER == (int)LF_FINISH_CALLER,
               "ends differ");

landfall_status landfall_generate(landfall_model *m, const int32_t *ids, size_t n_ids,
                                  const landfall_params *params, landfall_result *out,
                                  landfall_error *err)
{
    lf_err e = { 0 };
    landfall_params p = { 0 };
    landfall_result v = { 0 };
    lf_status st = lf_capi_take_struct(params, "landfall_params", &p, sizeof p, &e);
    if (st == LF_OK)
        st = generate(m, ids, n_ids, &p, &v, &e);
    if (st == LF_OK)
        give_result(&v, out);
    return lf_capi_status(st, &e, err);
}

/* ---- conversations ---- */

landfall_status landfall_session_open(landfall_model *m, landfall_session **out,
                                      landfall_error *err)
{
    lf_err e = { 0 };
    if (!lf_model_template(m->m))
        return lf_capi_status(lf_fail(&e, LF_ERR_UNSUPPORTED, "model '%s' has no chat template",
                                      lf_model_get_info(m->m)->name),
                              &e, err);
    landfall_session *s = lf_calloc(1, sizeof *s);
    if (s)
        s->messages = json_array();
    if (!s || !s->messages) {
        lf_free(s);
        return lf_capi_status(lf_fail(&e, LF_ERR_NOMEM, "no memory for a session"), &e, err);
    }
    s->m = m;
    *out = s;
    return LANDFALL_OK;
}

void landfall_session_close(landfall_session *s)
{
    if (s)
        json_decref(s->messages);
    lf_free(s);
}

static lf_status add(landfall_session *s, const char *role, const char *text, size_t n_bytes,
                     lf_err *e)
{
    json_t *m = json_pack("{s:o, s:o}", "role", lf_json_text(role, strlen(role)), "content",
                          lf_json_text(text, n_bytes));
    if (!m || json_array_append_new(s->messages, m) != 0)
        return lf_fail(e, LF_ERR_NOMEM, "no memory for a message of %zu bytes", n_bytes);
    return LF_OK;
}

landfall_status landfall_session_add(landfall_session *s, const char *role, const char *content,
                                     landfall_error *err)
{
    lf_err e = { 0 };
    return lf_capi_status(add(s, role, content, strlen(content), &e), &e, err);
}

landfall_status landfall_session_reply(landfall_session *s, const landfall_params *params,
                                       landfall_result *out, landfall_error *err)
{
    lf_err e = { 0 };
    landfall_params p = { 0 };
    landfall_result v = { 0 };
    lf_tokens ids = { 0 };
    lf_status st = lf_capi_take_struct(params, "landfall_params", &p, sizeof p, &e);
    if (st == LF_OK && json_array_size(s->messages) == 0)
        st = lf_fail(&e, LF_ERR_ARG, "the session has no messages to reply to");
    if (st == LF_OK)
        st = lf_provider_tokens(s->m->m, s->messages, &ids, &e);
    if (st == LF_OK)
        st = generate(s->m, ids.ids, ids.n, &p, &v, &e);
    if (st == LF_OK)
        st = add(s, "assistant", v.text, v.n_bytes, &e);
    if (st == LF_OK)
        give_result(&v, out);
    else
        lf_free(v.text);
    lf_tokens_release(&ids);
    return lf_capi_status(st, &e, err);
}

size_t landfall_session_n_messages(const landfall_session *s)
{
    return json_array_size(s->messages);
}

void landfall_session_rewind(landfall_session *s, size_t n)
{
    while (json_array_size(s->messages) > n)
        (void)json_array_remove(s->messages, json_array_size(s->messages) - 1);
}

landfall_status landfall_session_messages(const landfall_session *s, char **json,
                                          landfall_error *err)
{
    lf_err e = { 0 };
    lf_buf text = { 0 };
    lf_json_dump(s->messages, &text);
    char *taken = lf_buf_take(&text);
    if (!taken)
        return lf_capi_status(lf_fail(&e, LF_ERR_NOMEM, "no memory for the messages"), &e, err);
    *json = taken;
    return LANDFALL_OK;
}

/* ---- encoders ---- */

static lf_status views(const char *const *texts, size_t n, lf_str **out, lf_err *e)
{
    lf_str *v = lf_calloc(n ? n : 1, sizeof *v);
    if (!v)
        return lf_fail(e, LF_ERR_NOMEM, "no memory for %zu texts", n);
    for (size_t i = 0; i < n; i++)
        v[i] = lf_str_of(texts[i]);
    *out = v;
    return LF_OK;
}

landfall_status landfall_embed(landfall_model *m, landfall_embed_kind kind,
                               const char *const *texts, size_t n_texts, float *out,
                               landfall_error *err)
{
    static const lf_embed_kind kinds[] = { [LANDFALL_EMBED_PLAIN] = LF_EMBED_PLAIN,
                                           [LANDFALL_EMBED_QUERY] = LF_EMBED_QUERY,
                                           [LANDFALL_EMBED_PASSAGE] = LF_EMBED_PASSAGE };
    lf_err e = { 0 };
    lf_str *v = NULL;
    lf_status st = LF_OK;
    if ((unsigned)kind >= sizeof kinds / sizeof kinds[0])
        st = lf_fail(&e, LF_ERR_ARG, "kind is %d, 0 to 2 are allowed", (int)kind);
    if (st == LF_OK)
        st = views(texts, n_texts, &v, &e);
    if (st == LF_OK)
        st = lf_engine_embed(m->l->engine, m->m, v, n_texts, kinds[kind], out, &e);
    lf_free(v);
    return lf_capi_status(st, &e, err);
}

landfall_status landfall_rank(landfall_model *m, const char *query, const char *const *texts,
                              size_t n_texts, float *scores, landfall_error *err)
{
    lf_err e = { 0 };
    lf_str *v = NULL;
    lf_status st = views(texts, n_texts, &v, &e);
    if (st == LF_OK)
        st = lf_engine_rank(m->l->engine, m->m, lf_str_of(query), v, n_texts, NULL, scores, &e);
    lf_free(v);
    return lf_capi_status(st, &e, err);
}

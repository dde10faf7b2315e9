/* serve/gen.c - what the routes that generate text share. */
#include "serve/gen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

void lf_gen_make_id(const char *prefix, char *out, size_t n)
{
    uint64_t x[2] = { 0 };
    if (getrandom(x, sizeof x, GRND_NONBLOCK) != (ssize_t)sizeof x)
        x[0] = (uint64_t)lf_clock_us();
    (void)snprintf(out, n, "%s%016" PRIx64 "%08" PRIx64, prefix, x[0], x[1] >> 32);
}

static lf_status add_adapter(lf_gen *g, const char *name, float scale)
{
    lf_adapter *a = NULL;
    if (g->adapters.n == LF_ADAPTERS_MAX)
        return lf_fail(&g->err, LF_ERR_ARG, "up to %d adapters are allowed", LF_ADAPTERS_MAX);
    const lf_status st = lf_provider_adapter(g->server->o.provider, g->m, name, &a, &g->err);
    if (st == LF_OK)
        g->adapters.v[g->adapters.n++] = (lf_adapter_use){ a, scale };
    return st;
}

/* The adapter of the model's name, then those of the request. */
static lf_status find_adapters(lf_gen *g, const char *of_name)
{
    lf_status st = LF_OK;
    if (of_name) {
        st = add_adapter(g, of_name, 1);
        lf_buf_addf(&g->model, ":%s", of_name);
    }
    for (size_t i = 0; st == LF_OK && i < g->o->n_lora; i++) {
        st = add_adapter(g, g->o->lora[i].id, g->o->lora[i].scale);
        if (st == LF_ERR_NOT_FOUND) {
            g->err.code = LF_ERR_ARG; /* the model is there */
            st = lf_err_context(&g->err, LF_ERR_ARG, "lora[%zu]", i);
        }
    }
    return st;
}

/* "MODEL:ADAPTER": what stands before the last colon, unless all of it is a model. */
static const char *split_name(const lf_provider *p, const char *model, char *base, size_t n)
{
    const char *colon = strrchr(model, ':');
    const bool whole = !colon || lf_provider_has_name(p, model);
    (void)snprintf(base, n, "%.*s", (int)(whole ? strlen(model) : (size_t)(colon - model)), model);
    return whole ? NULL : colon + 1;
}

lf_status lf_gen_open(lf_gen *g, const char *model, const char *prefix)
{
    char base[160];
    lf_provider *p = g->server->o.provider;
    lf_gen_make_id(prefix, g->id, sizeof g->id);
    g->created = lf_clock_unix_ms() / 1000;
    const char *adapter = split_name(p, model, base, sizeof base);
    g->st = lf_serve_model_name(g->server, base, &g->err);
    if (g->st == LF_OK)
        g->st = lf_provider_model_id(p, base, &g->model, &g->err);
    if (g->st == LF_OK)
        g->st = lf_provider_model(p, base, &g->m, &g->err);
    if (g->st == LF_OK)
        g->st = lf_provider_guesser(p, base, &g->guesser, &g->err);
    if (g->st == LF_OK)
        g->st = find_adapters(g, adapter);
    if (g->st != LF_OK)
        lf_serve_hide_paths(g->err.msg);
    return g->st;
}

void lf_gen_close(lf_gen *g)
{
    lf_buf_release(&g->model);
    lf_grammar_close(g->tool_grammar);
    for (size_t i = 0; i < g->adapters.n; i++)
        lf_adapter_unref(g->adapters.v[i].adapter);
    lf_model_unref(g->guesser);
    lf_model_unref(g->m);
    lf_http_stream_close(g->stream); /* last: who saw the end finds the model free */
}

/* The model's way to call, and what holds it to the functions; once for all choices. */
static lf_status need_tool_grammar(lf_gen *g)
{
    if (!g->tools || g->tool_grammar)
        return LF_OK;
    g->format = lf_provider_tool_format(g->m);
    const lf_status st = lf_tool_grammar(g->format, g->tools, &g->tool_grammar, &g->err);
    if (st == LF_OK || st == LF_ERR_NOMEM)
        return st;
    g->err.code = LF_ERR_ARG; /* too large or too deep: of the request, not of its prompt */
    return lf_err_context(&g->err, LF_ERR_ARG, "tools");
}

/* Generate, and tell text and calls apart on the way. */
static lf_status run_parts(lf_gen *g, lf_gen_req *q, lf_gen_result *out)
{
    lf_parts p;
    lf_status st = need_tool_grammar(g);
    if (st != LF_OK)
        return st;
    lf_parts_init(&p, g->format, g->tools ? g->tools->tools : NULL, q->stop,
                  g->tools ? q->n_stop : 0, g->on_part, g->ud);
    p.tools.own_only = g->tools && (g->tools->answer || g->tools->choice == LF_TOOLS_REQUIRED);
    q->on_token = lf_parts_token;
    q->ud = &p;
    if (g->tools) {
        q->grammar = g->tool_grammar;
        q->n_stop = 0; /* within the text alone, by lf_parts */
    }
    st = lf_engine_generate(lf_provider_engine(g->server->o.provider), g->m, q, out, &g->err);
    if (st == LF_OK && out->finish != LF_FINISH_CALLER)
        (void)lf_parts_end(&p);
    if (st == LF_OK && p.stop.met_stop) {
        out->finish = LF_FINISH_STOP;
        out->stop = (int32_t)p.stop.met;
    }
    if (st == LF_OK && lf_parts_failed(&p))
        st = lf_fail(&g->err, LF_ERR_NOMEM, "no memory for the answer");
    lf_parts_release(&p);
    return st;
}

lf_status lf_gen_run(lf_gen *g, const lf_tokens *prompt, uint32_t choice, lf_gen_result *out)
{
    const lf_gen_opts *o = g->o;
    lf_gen_req q = { .tokens = prompt->ids,
                     .n_tokens = prompt->n,
                     .n_max = o->n_max,
                     .sampling = o->sampling,
                     .stop = o->stop,
                     .n_stop = o->n_stop,
                     .grammar = o->grammar,
                     .adapters = &g->adapters,
                     .guesser = g->guesser,
                     .cancel = lf_http_cancel(g->r),
                     .user_key = o->user_key,
                     .on_token = g->on_token,
                     .ud = g->ud };
    q.sampling.seed += choice;
    const lf_status st = g->on_part ? run_parts(g, &q, out)
                                    : lf_engine_generate(lf_provider_engine(g->server->o.provider),
                                                         g->m, &q, out, &g->err);
    if (g->st == LF_OK)
        g->st = st;
    if (st != LF_OK)
        return g->st;
    if (choice == 0) {
        g->n_prompt += out->n_prompt;
        g->n_cached += out->n_cached;
    }
    g->n_generated += out->n_generated;
    return g->st;
}

bool lf_gen_send(lf_gen *g, const char *event, json_t *v)
{
    if (g->st == LF_OK && !g->stream)
        g->st = lf_http_stream_open(g->r, &g->stream, &g->err);
    if (g->st != LF_OK) {
        json_decref(v);
        return false;
    }
    g->st = lf_serve_event(g->stream, event, v, &g->err);
    return g->st == LF_OK;
}

/* OpenAI's clients tell two failures apart from the others. */
void lf_gen_error(const lf_err *e, const char *prompt, int *http, const char **param,
                  const char **code)
{
    *http = lf_status_http(e->code);
    *code = lf_status_name(e->code);
    *param = NULL;
    if (e->code == LF_ERR_LIMIT) {
        *http = 400;
        *param = prompt;
        *code = "context_length_exceeded";
    } else if (e->code == LF_ERR_UNSUPPORTED) { /* by this model */
        *http = 400;
        *param = "model";
    } else if (e->code == LF_ERR_NOT_FOUND) {
        *param = "model";
        *code = "model_not_found";
    }
}

void lf_gen_fail(lf_gen *g, const char *prompt)
{
    int http;
    const char *param, *code;
    lf_err gone = { 0 };
    lf_gen_error(&g->err, prompt, &http, &param, &code);
    if (!g->stream)
        lf_http_reply_error(g->r, http, param, code, "%s", g->err.msg);
    else
        (void)!lf_serve_event(g->stream, NULL, lf_http_error_json(http, param, code, g->err.msg),
                              &gone);
}

json_t *lf_gen_usage(const lf_gen *g)
{
    return json_pack("{s:I,s:I,s:I,s:{s:I}}", "prompt_tokens", (json_int_t)g->n_prompt,
                     "completion_tokens", (json_int_t)g->n_generated, "total_tokens",
                     (json_int_t)(g->n_prompt + g->n_generated), "prompt_tokens_details",
                     "cached_tokens", (json_int_t)g->n_cached);
}

const char *lf_gen_finish_name(lf_finish finish)
{
    return finish == LF_FINISH_LENGTH ? "length" : "stop";
}

static json_t *token_json(const lf_gen *g, int32_t id, float logprob)
{
    lf_buf b = { 0 };
    json_t *bytes = json_array();
    lf_tokenizer_piece(lf_model_tokenizer(g->m), id, true, &b);
    for (size_t i = 0; i < b.len; i++)
        (void)json_array_append_new(bytes, json_integer((unsigned char)b.data[i]));
    json_t *v = json_pack("{s:o,s:f,s:o}", "token", lf_json_text(lf_buf_cstr(&b), b.len), "logprob",
                          lf_gen_finite(logprob), "bytes", bytes);
    lf_buf_release(&b);
    return v;
}

json_t *lf_gen_logprob(const lf_gen *g, const lf_token_event *ev)
{
    json_t *v = token_json(g, ev->id, ev->logprob), *top = json_array();
    for (int32_t i = 0; i < ev->n_top; i++)
        (void)json_array_append_new(top, token_json(g, ev->top_ids[i], ev->top_logprobs[i]));
    (void)json_object_set_new(v, "top_logprobs", top);
    return v;
}

/* serve/openai_text.c - POST /v1/completions: text continued as it stands.
 *
 * The prompt is cut into tokens as it is, control tokens included: who sends it
 * writes all of it, template and all.  Choice i * n + k is the k-th continuation
 * of prompt i, one after the other. */
#include "base/mem.h"
#include "serve/gen.h"
#include "serve/text_req.h"
#include "text/utf8.h"

typedef struct text {
    lf_gen g;
    lf_text_req req;
    uint32_t index;   /* of the choice that is being generated */
    json_t *logprobs; /* of that choice, or of the next chunk */
    size_t offset;    /* code points shown so far, for text_offset */
    lf_choice *given; /* what the model gave the prompt's tokens from the second on, for echo */
    json_t *choices;  /* when not streaming */
} text;

static json_t *answer(const text *t, json_t *choices)
{
    return json_pack("{s:s,s:s,s:I,s:s,s:o}", "id", t->g.id, "object", "text_completion", "created",
                     (json_int_t)t->g.created, "model", lf_buf_cstr(&t->g.model), "choices",
                     choices);
}

/* Takes `shown` and the log-probabilities that have come. */
static json_t *choice(text *t, json_t *shown, const char *finish)
{
    json_t *lp = t->logprobs;
    t->logprobs = NULL;
    return json_pack("{s:o,s:i,s:o?,s:s?}", "text", shown, "index", (int)t->index, "logprobs", lp,
                     "finish_reason", finish);
}

static bool send_chunk(text *t, json_t *shown, const char *finish)
{
    json_t *v = answer(t, json_pack("[o]", choice(t, shown, finish)));
    if (v && t->req.gen.include_usage)
        (void)json_object_set_new(v, "usage", json_null());
    return lf_gen_send(&t->g, NULL, v);
}

/* ---- log-probabilities, in four arrays side by side ---- */

static void piece_of(const text *t, int32_t id, lf_buf *out)
{
    lf_buf_clear(out);
    lf_tokenizer_piece(lf_model_tokenizer(t->g.m), id, true, out);
}

/* One more token; `c` NULL: the first of all, which nothing foretold. */
static void add_logprob(text *t, int32_t id, const lf_choice *c)
{
    lf_buf b = { 0 };
    json_t *top = c ? json_object() : NULL;
    if (!t->logprobs)
        t->logprobs = json_pack("{s:[],s:[],s:[],s:[]}", "tokens", "token_logprobs", "top_logprobs",
                                "text_offset");
    for (int32_t i = 0; c && i < c->n_top; i++) {
        json_t *key;
        piece_of(t, c->top_ids[i], &b);
        key = lf_json_text(lf_buf_cstr(&b), b.len);
        (void)json_object_set_new(top, key ? json_string_value(key) : "",
                                  json_real(lf_gen_finite(c->top_logprobs[i])));
        json_decref(key);
    }
    piece_of(t, id, &b);
    (void)json_array_append_new(json_object_get(t->logprobs, "tokens"),
                                lf_json_text(lf_buf_cstr(&b), b.len));
    (void)json_array_append_new(json_object_get(t->logprobs, "token_logprobs"),
                                c ? json_real(lf_gen_finite(c->logprob)) : json_null());
    (void)json_array_append_new(json_object_get(t->logprobs, "top_logprobs"),
                                c ? top : json_null());
    (void)json_array_append_new(json_object_get(t->logprobs, "text_offset"),
                                json_integer((json_int_t)t->offset));
    lf_buf_release(&b);
}

/* Evaluate the prompt for echo, once for all its choices.  One that leaves no room for the
 * answer is refused before. */
static lf_status score_prompt(text *t, const lf_tokens *ids)
{
    lf_engine *e = lf_provider_engine(t->g.server->o.provider);
    const lf_status st = lf_engine_check_room(e, t->g.m, ids->n, t->req.gen.n_max, &t->g.err);
    if (st != LF_OK)
        return st;
    t->given = lf_calloc(ids->n + 1, sizeof *t->given);
    if (!t->given)
        return lf_fail(&t->g.err, LF_ERR_NOMEM, "no memory for %zu tokens", ids->n);
    if (ids->n < 2)
        return LF_OK;
    return lf_engine_choices(e, t->g.m, ids->ids, ids->n, 1, t->req.gen.sampling.n_top_logprobs,
                             lf_http_cancel(t->g.r), t->given, &t->g.err);
}

static void add_prompt_logprobs(text *t, const lf_tokens *ids)
{
    const lf_tokenizer *tok = lf_model_tokenizer(t->g.m);
    lf_buf b = { 0 };
    t->offset = 0;
    for (size_t i = 0; i < ids->n; i++) {
        add_logprob(t, ids->ids[i], i ? &t->given[i - 1] : NULL);
        lf_buf_clear(&b);
        lf_tokenizer_piece(tok, ids->ids[i], false, &b);
        t->offset += lf_utf8_count(lf_buf_cstr(&b), b.len);
    }
    lf_buf_release(&b);
}

static bool on_token(void *ud, const lf_token_event *ev)
{
    text *t = ud;
    if (t->req.gen.sampling.logprobs && ev->id >= 0) {
        lf_choice c = { .id = ev->id, .logprob = ev->logprob, .n_top = ev->n_top };
        for (int32_t i = 0; i < ev->n_top; i++) {
            c.top_ids[i] = ev->top_ids[i];
            c.top_logprobs[i] = ev->top_logprobs[i];
        }
        add_logprob(t, ev->id, &c);
    }
    t->offset += lf_utf8_count(ev->text, ev->n_bytes);
    if (!t->req.gen.stream || (ev->n_bytes == 0 && !t->logprobs))
        return true;
    return send_chunk(t, lf_json_text(ev->text, ev->n_bytes), NULL);
}

/* ---- one prompt ---- */

static lf_status read_prompt(const text *t, const json_t *v, lf_tokens *ids, lf_buf *shown,
                             lf_err *err)
{
    const lf_tokenizer *tok = lf_model_tokenizer(t->g.m);
    if (json_is_string(v)) {
        lf_buf_add(shown, json_string_value(v), json_string_length(v));
        return lf_tokenizer_encode(tok, json_string_value(v), json_string_length(v), true, true,
                                   ids, err);
    }
    const size_t n = json_array_size(v), n_vocab = lf_model_get_info(t->g.m)->n_vocab;
    ids->ids = lf_calloc(n, sizeof *ids->ids);
    if (!ids->ids)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a prompt of %zu tokens", n);
    ids->n = ids->cap = n;
    for (size_t i = 0; i < n; i++) {
        ids->ids[i] = (int32_t)json_integer_value(json_array_get(v, i));
        if ((size_t)ids->ids[i] >= n_vocab)
            return lf_fail(err, LF_ERR_ARG, "token %zu of the prompt is %d, the vocabulary has %zu",
                           i, ids->ids[i], n_vocab);
    }
    lf_tokenizer_decode(tok, ids->ids, n, true, shown);
    return LF_OK;
}

static bool finish_choice(text *t, const lf_buf *shown, const lf_gen_result *g)
{
    const char *finish = lf_gen_finish_name(g->finish);
    if (t->req.gen.stream)
        return send_chunk(t, json_string(""), finish);
    lf_buf whole = { 0 };
    if (t->req.echo)
        lf_buf_add(&whole, lf_buf_cstr(shown), shown->len);
    lf_buf_add(&whole, lf_buf_cstr(&g->text), g->text.len);
    json_t *v = whole.failed ? NULL : lf_json_text(lf_buf_cstr(&whole), whole.len);
    lf_buf_release(&whole);
    if (!v || json_array_append_new(t->choices, choice(t, v, finish)) != 0)
        t->g.st = lf_fail(&t->g.err, LF_ERR_NOMEM, "no memory for the answer");
    return t->g.st == LF_OK;
}

static lf_status run_choice(text *t, const lf_tokens *ids, const lf_buf *shown, uint32_t k)
{
    lf_gen_result g = { 0 };
    if (t->given)
        add_prompt_logprobs(t, ids);
    t->offset = t->req.echo ? lf_utf8_count(lf_buf_cstr(shown), shown->len) : 0;
    if (t->req.echo && t->req.gen.stream &&
        !send_chunk(t, lf_json_text(lf_buf_cstr(shown), shown->len), NULL))
        return t->g.st;
    lf_status st = lf_gen_run(&t->g, ids, k, &g);
    if (st == LF_OK && !finish_choice(t, shown, &g))
        st = t->g.st;
    json_decref(t->logprobs);
    t->logprobs = NULL;
    lf_buf_release(&g.text);
    return st;
}

static lf_status run_prompt(text *t, const json_t *prompt)
{
    lf_tokens ids = { 0 };
    lf_buf shown = { 0 };
    lf_status st = read_prompt(t, prompt, &ids, &shown, &t->g.err);
    if (st == LF_OK && shown.failed)
        st = lf_fail(&t->g.err, LF_ERR_NOMEM, "no memory for a prompt");
    if (st == LF_OK && t->req.echo && t->req.gen.sampling.logprobs)
        st = score_prompt(t, &ids);
    for (uint32_t k = 0; k < t->req.gen.n_choices && st == LF_OK; k++, t->index++)
        st = run_choice(t, &ids, &shown, k);
    lf_free(t->given);
    t->given = NULL;
    lf_tokens_release(&ids);
    lf_buf_release(&shown);
    return st;
}

static lf_status run(text *t)
{
    lf_status st = LF_OK;
    size_t i;
    json_t *prompt;
    t->choices = t->req.gen.stream ? NULL : json_array();
    json_array_foreach(t->req.prompts, i, prompt)
    {
        if (st == LF_OK)
            st = run_prompt(t, prompt);
    }
    if (st != LF_OK)
        return st;
    if (!t->req.gen.stream) {
        json_t *v = answer(t, json_incref(t->choices));
        (void)json_object_set_new(v, "usage", lf_gen_usage(&t->g));
        lf_http_reply_json(t->g.r, 200, v);
        return LF_OK;
    }
    if (t->req.gen.include_usage) {
        json_t *v = answer(t, json_array());
        (void)json_object_set_new(v, "usage", lf_gen_usage(&t->g));
        if (!lf_gen_send(&t->g, NULL, v))
            return t->g.st;
    }
    return lf_http_stream_send(t->g.stream, NULL, lf_str_of("[DONE]"), &t->g.err);
}

void lf_serve_completions(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    char param[64];
    text t = { .g = { .server = s, .r = r } };
    if (!lf_serve_is_json(r))
        return;
    if (lf_text_req_decode(lf_http_body(r), &t.req, param, &t.g.err) != LF_OK) {
        lf_serve_fail(r, param, &t.g.err);
        return;
    }
    t.g.o = &t.req.gen;
    t.g.on_token = t.req.gen.stream || t.req.gen.sampling.logprobs ? on_token : NULL;
    t.g.ud = &t;
    lf_status st = lf_gen_open(&t.g, t.req.model, "cmpl-");
    if (st == LF_OK)
        st = run(&t);
    if (st != LF_OK)
        lf_gen_fail(&t.g, "prompt");
    lf_gen_close(&t.g);
    json_decref(t.choices);
    lf_text_req_release(&t.req);
}

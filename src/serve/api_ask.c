/* serve/api_ask.c - POST /api/ask and POST /api/search.
 *
 * With Accept: text/event-stream an answer comes as events:
 *     status    {"text"}                    what is being done
 *     passages  {"passages":[…]}            retrieval is done
 *     sentence  {"text","citations":[…]}    one checked sentence
 *     done      the whole answer, as without streaming
 *     error     {"error":{…}}               instead of done
 * A request that is wrong in itself is answered with a status and no stream. */
#include <string.h>

#include "base/clock.h"
#include "flow/find.h"
#include "serve/ask_req.h"
#include "serve/serve_int.h"

typedef struct asking {
    lf_server *server;
    lf_http_req *r;
    lf_ask_body body;
    lf_doc_set set; /* of "in" */
    lf_know *know;
    const char *const *doc_ids;
    size_t n_doc_ids;
    int64_t ingest_us;
    lf_http_stream *stream; /* NULL until the first event */
    lf_err err;
} asking;

/* Which documents: those of "in" (taken in now), or a collection's. */
static lf_status find_docs(asking *a)
{
    const lf_server_opts *o = &a->server->o;
    const lf_ask_body *b = &a->body;
    a->know = o->know;
    a->doc_ids = b->doc_ids;
    a->n_doc_ids = b->n_doc_ids;
    if (b->n_paths == 0)
        return lf_serve_need_collection(a->server, b->collection, &a->err);
    const lf_add_opts ao = { .cancel = lf_http_cancel(a->r) };
    const int64_t t0 = lf_clock_us();
    lf_status st = lf_know_take_in(o->know, o->scope, b->paths, b->n_paths, &ao, &a->set, &a->err);
    a->ingest_us = lf_clock_us() - t0;
    if (st != LF_OK)
        return st;
    if (a->set.n == 0)
        return lf_fail(&a->err, LF_ERR_FORMAT, "none of the files in 'in' could be read");
    a->doc_ids = (const char *const *)a->set.doc_ids;
    a->n_doc_ids = a->set.n;
    return LF_OK;
}

static json_t *passages_json(const lf_passages *p)
{
    json_t *v = json_array();
    for (size_t i = 0; i < p->n; i++)
        (void)json_array_append_new(v, lf_passage_json(&p->v[i], true));
    return json_pack("{s:o}", "passages", v);
}

static json_t *sentence_json(const lf_ask_event *ev)
{
    json_t *cites = json_array();
    for (size_t i = 0; i < ev->n_citations; i++) {
        json_t *c = lf_passage_json(&ev->citations[i].passage, false);
        (void)json_object_set_new(c, "n", json_integer(ev->citations[i].n));
        (void)json_array_append_new(cites, c);
    }
    return json_pack("{s:o,s:o}", "text", lf_json_text(ev->text, strlen(ev->text)), "citations",
                     cites);
}

static bool on_event(void *ud, const lf_ask_event *ev)
{
    asking *a = ud;
    if (!a->stream && lf_http_stream_open(a->r, &a->stream, &a->err) != LF_OK)
        return false;
    json_t *v = ev->type == LF_ASK_PASSAGES   ? passages_json(ev->passages)
                : ev->type == LF_ASK_SENTENCE ? sentence_json(ev)
                                              : json_pack("{s:s}", "text", ev->text);
    const char *name = ev->type == LF_ASK_PASSAGES   ? "passages"
                       : ev->type == LF_ASK_SENTENCE ? "sentence"
                                                     : "status";
    return lf_serve_event(a->stream, name, v, &a->err) == LF_OK;
}

static lf_status run(asking *a, lf_answer *out)
{
    const lf_server_opts *o = &a->server->o;
    const lf_ask_body *b = &a->body;
    lf_status st = b->model ? lf_serve_model_name(a->server, b->model, &a->err) : LF_OK;
    if (st == LF_OK)
        st = find_docs(a);
    if (st != LF_OK)
        return st;
    const lf_ask_req q = { .question = b->text,
                           .collection = b->collection,
                           .doc_ids = a->doc_ids,
                           .n_doc_ids = a->n_doc_ids,
                           .k = b->k,
                           .no_llm = b->no_llm,
                           .model = b->model,
                           .history = b->turns,
                           .n_history = b->n_turns,
                           .seed = b->seed,
                           .cancel = lf_http_cancel(a->r) };
    st = lf_ask(a->know, o->provider, o->scope, &q, lf_http_wants_events(a->r) ? on_event : NULL, a,
                out, &a->err);
    if (st == LF_OK)
        out->ingest_us = a->ingest_us;
    else
        lf_serve_hide_paths(a->err.msg);
    return st;
}

/* The answer of the command line, and what the page shows beside it. */
static json_t *answer_json(const lf_answer *ans)
{
    json_t *v = lf_answer_json(ans);
    if (v) {
        (void)json_object_set_new(v, "dropped", json_integer((json_int_t)ans->n_dropped));
        (void)json_object_set_new(v, "question",
                                  ans->question ? json_string(ans->question) : json_null());
    }
    return v;
}

static void finish(asking *a, lf_status st, const lf_answer *ans)
{
    lf_err gone = { 0 };
    if (st == LF_OK && a->stream)
        (void)!lf_serve_event(a->stream, "done", answer_json(ans), &gone);
    else if (st == LF_OK && lf_http_wants_events(a->r) &&
             lf_http_stream_open(a->r, &a->stream, &gone) == LF_OK)
        (void)!lf_serve_event(a->stream, "done", answer_json(ans), &gone);
    else if (st == LF_OK)
        lf_http_reply_json(a->r, 200, answer_json(ans));
    else if (a->stream)
        (void)!lf_serve_event(
            a->stream, "error",
            lf_http_error_json(lf_status_http(st), NULL, lf_status_name(st), a->err.msg), &gone);
    else
        lf_serve_fail(a->r, NULL, &a->err);
}

void lf_serve_ask(lf_server *s, lf_http_req *r, const lf_route_args *args)
{
    (void)args;
    char param[64];
    lf_answer ans = { 0 };
    asking a = { .server = s, .r = r };
    if (!lf_serve_is_json(r))
        return;
    if (lf_ask_body_decode(lf_http_body(r), false, &a.body, param, &a.err) != LF_OK) {
        lf_serve_fail(r, param, &a.err);
        return;
    }
    const lf_status st = run(&a, &ans);
    finish(&a, st, &ans);
    lf_http_stream_close(a.stream);
    lf_answer_release(&ans);
    lf_doc_set_release(&a.set);
    lf_ask_body_release(&a.body);
}

void lf_serve_search(lf_server *s, lf_http_req *r, const lf_route_args *args)
{
    (void)args;
    char param[64];
    lf_found found = { 0 };
    asking a = { .server = s, .r = r };
    if (!lf_serve_is_json(r))
        return;
    if (lf_ask_body_decode(lf_http_body(r), true, &a.body, param, &a.err) != LF_OK) {
        lf_serve_fail(r, param, &a.err);
        return;
    }
    lf_status st = find_docs(&a);
    const lf_find_opts o = { .search = { .collection = a.body.collection,
                                         .doc_ids = a.doc_ids,
                                         .n_doc_ids = a.n_doc_ids,
                                         .k = a.body.k,
                                         .mode = a.body.mode },
                             .no_llm = a.body.no_llm,
                             .cancel = lf_http_cancel(r) };
    if (st == LF_OK)
        st = lf_find(a.know, s->o.provider, s->o.scope, a.body.text, &o, &found, &a.err);
    if (st == LF_OK)
        lf_http_reply_json(r, 200, lf_found_json(&found));
    else
        lf_serve_fail(r, NULL, &a.err);
    lf_found_release(&found);
    lf_doc_set_release(&a.set);
    lf_ask_body_release(&a.body);
}

/* flow/ask_json.c - the JSON shape of answers and passages, for command line and server. */
#include "base/json.h"
#include "flow/ask.h"

static json_t *box_json(const lf_box *b)
{
    if (b->x0 == 0 && b->y0 == 0 && b->x1 == 0 && b->y1 == 0)
        return json_null();
    return json_pack("[f, f, f, f]", (double)b->x0, (double)b->y0, (double)b->x1, (double)b->y1);
}

json_t *lf_passage_json(const lf_passage *p, bool with_score)
{
    json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:s}", "doc_id", p->doc_id, "source",
                          p->source, "page", p->page > 0 ? json_integer(p->page) : json_null(),
                          "box", box_json(&p->box), "start", (json_int_t)p->start, "end",
                          (json_int_t)p->end, "text", p->text);
    if (o && with_score && json_object_set_new(o, "score", json_real(p->score)) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *citation_json(const lf_citation *c)
{
    json_t *o = json_object(), *rest = lf_passage_json(&c->passage, false);
    if (o && rest && json_object_set_new(o, "n", json_integer(c->n)) == 0 &&
        json_object_update(o, rest) == 0) {
        json_decref(rest);
        return o;
    }
    json_decref(o);
    json_decref(rest);
    return NULL;
}

static json_t *ms_json(const lf_answer *a)
{
    json_t *first =
        a->first_token_us < 0 ? json_null() : json_real((double)a->first_token_us / 1000.0);
    return json_pack("{s:f, s:f, s:o, s:f}", "ingest", (double)a->ingest_us / 1000.0, "retrieve",
                     (double)a->retrieve_us / 1000.0, "first_token", first, "total",
                     (double)a->total_us / 1000.0);
}

json_t *lf_answer_json(const lf_answer *a)
{
    json_t *cites = json_array(), *passages = json_array();
    json_t *model = a->model ? json_string(a->model) : json_null();
    for (size_t i = 0; cites && i < a->n_citations; i++)
        if (json_array_append_new(cites, citation_json(&a->citations[i])) != 0)
            goto fail;
    for (size_t i = 0; passages && i < a->passages.n; i++)
        if (json_array_append_new(passages, lf_passage_json(&a->passages.v[i], true)) != 0)
            goto fail;
    return json_pack("{s:b, s:s, s:o, s:o, s:o, s:s, s:o}", "answered", (int)a->answered, "answer",
                     a->text, "citations", cites, "passages", passages, "model", model, "run",
                     a->run, "ms", ms_json(a));
fail:
    json_decref(cites);
    json_decref(passages);
    json_decref(model);
    return NULL;
}

/* flow/ask.c - the steps of a question.
 *
 *     complete -> split -> (search, evidence) each -> (generate, check, say) each -> record
 *
 * A question of two facts is searched and answered fact by fact: a small model that
 * is shown one sentence does not mix them up.  What a part cannot answer is said. */
#include "flow/ask.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "flow/ask_int.h"
#include "flow/compare.h"
#include "flow/find.h"
#include "flow/run_record.h"
#include "text/utf8.h"

enum { QUESTION_CHARS_MAX = 8000, LEAD_CHARS = 60 };

static void part_release(lf_ask_part *p)
{
    lf_passages_release(&p->passages);
    lf_evidence_release(&p->evidence);
    lf_free(p->sources);
    for (size_t i = 0; p->contexts && p->contexts[i]; i++)
        lf_free(p->contexts[i]);
    lf_free(p->contexts);
    lf_free(p->said);
    lf_free(p->reworded);
    *p = (lf_ask_part){ 0 };
}

static void citations_release(lf_answer *a)
{
    for (size_t i = 0; i < a->n_citations; i++) {
        lf_passage *p = &a->citations[i].passage;
        lf_free(p->doc_id);
        lf_free(p->source);
        lf_free(p->heading);
        lf_free(p->text);
    }
    lf_free(a->citations);
    a->citations = NULL;
    a->n_citations = 0;
}

void lf_answer_release(lf_answer *a)
{
    lf_free(a->text);
    lf_free(a->question);
    lf_free(a->model);
    citations_release(a);
    lf_passages_release(&a->passages);
    json_decref(a->record);
    *a = (lf_answer){ 0 };
}

/* What opens the section of a document that `pos` lies in: who speaks there is often
 * said once, under the section's heading, and nowhere else.  The section is that of
 * the second heading of the path, or of the only one. */
static void add_lead(const lf_doc *d, uint32_t pos, lf_buf *out)
{
    size_t path[7] = { 0 }, section = 0, n = 0;
    uint32_t chars = 0;
    for (size_t i = 0; i < d->n_blocks && d->blocks[i].start <= pos; i++) {
        const int32_t level = d->blocks[i].level;
        if (d->blocks[i].type != LF_BLOCK_HEADING || level < 1 || level > 6)
            continue;
        path[level] = i + 1;
        for (int32_t k = level + 1; k < 7; k++)
            path[k] = 0;
    }
    for (size_t k = 1; k < 7 && n < 2; k++)
        if (path[k] > 0) {
            section = path[k];
            n++;
        }
    for (size_t i = section; section > 0 && i < d->n_blocks && chars < LEAD_CHARS; i++) {
        const lf_block *b = &d->blocks[i], *top = &d->blocks[section - 1];
        const size_t from = lf_utf8_offset(d->text, d->n_bytes, b->start);
        const uint32_t len =
            b->end - b->start < LEAD_CHARS - chars ? b->end - b->start : LEAD_CHARS - chars;
        if ((b->type == LF_BLOCK_HEADING && b->level <= top->level + 1) ||
            b->type == LF_BLOCK_TABLE)
            break;
        lf_buf_add_str(out, chars == 0 ? " | " : " ");
        lf_buf_add(out, d->text + from, lf_utf8_offset(d->text + from, d->n_bytes - from, len));
        chars += len;
    }
}

static lf_status take_contexts(lf_asking *a, lf_ask_part *p, lf_err *err)
{
    lf_doc *d = NULL;
    const char *of = "";
    lf_status st = LF_OK;
    p->contexts = lf_calloc(p->passages.n + 1, sizeof *p->contexts);
    if (!p->contexts)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu passages", p->passages.n);
    for (size_t i = 0; st == LF_OK && i < p->passages.n; i++) {
        const lf_passage *v = &p->passages.v[i];
        lf_buf b = { 0 };
        if (strcmp(of, v->doc_id) != 0) { /* neighbours in rank are mostly of one document */
            lf_doc_close(d);
            d = NULL;
            st = lf_know_doc(a->know, a->scope, v->doc_id, &d, err);
            of = v->doc_id;
        }
        lf_buf_add_str(&b, v->heading ? v->heading : "");
        if (st == LF_OK)
            add_lead(d, v->start, &b);
        lf_buf_add_str(&b, "");
        p->contexts[i] = lf_buf_take(&b);
        if (st == LF_OK && !p->contexts[i])
            p->contexts[i] = lf_strdup("");
        if (st == LF_OK && !p->contexts[i])
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for a heading");
        p->sources[i] = (lf_cite_source){ .text = v->text, .context = p->contexts[i] };
    }
    lf_doc_close(d);
    return st;
}

static lf_status search(lf_asking *a, lf_ask_part *p, lf_err *err)
{
    const lf_ask_req *r = a->req;
    const lf_find_opts o = { .search = { .collection = r->collection,
                                         .doc_ids = r->doc_ids,
                                         .n_doc_ids = r->n_doc_ids,
                                         .k = r->k > 0 ? r->k : LF_ASK_K_DEFAULT,
                                         .mode = LF_SEARCH_HYBRID },
                             .no_llm = r->no_llm,
                             .model = r->model,
                             .cancel = r->cancel };
    lf_found f = { 0 };
    lf_status st = lf_find(a->know, a->provider, a->scope, p->question, &o, &f, err);
    if (st != LF_OK)
        return st;
    p->passages = f.passages;
    p->reworded = f.reworded;
    p->sources = lf_calloc(p->passages.n + 1, sizeof *p->sources);
    if (!p->sources)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu passages", p->passages.n);
    st = take_contexts(a, p, err);
    if (st != LF_OK)
        return st;
    return lf_evidence_find(a->finder, p->question, p->sources, p->passages.n, &p->evidence, err);
}

static double sureness(const lf_ask_part *p)
{
    return p->evidence.n > 0 ? p->evidence.v[0].answerable : 0;
}

/* The last question of the earlier turns, and the answer to it. */
static void last_turn(const lf_ask_req *r, const char **question, const char **answer)
{
    *question = *answer = NULL;
    for (size_t i = r->n_history; i-- > 0;) {
        if (strcmp(r->history[i].role, "user") == 0) {
            *question = r->history[i].content;
            return;
        }
        if (strcmp(r->history[i].role, "assistant") == 0 && !*answer)
            *answer = r->history[i].content;
    }
}

/* A follow-up: of its forms with the subject put in, the one that the documents
 * answer best.  The question as asked stays a candidate unless it surely leans on
 * what was said before. */
static lf_status complete(lf_asking *a, lf_err *err)
{
    const char *earlier, *answer;
    const int depends = a->req->n_history > 0 ? lf_question_depends(a->req->question) : 0;
    lf_questions forms = { 0 };
    lf_status st = LF_OK;
    double best = -1;
    last_turn(a->req, &earlier, &answer);
    if (depends > 0)
        st = lf_question_complete(a->req->question, earlier, answer, &forms, err);
    for (size_t i = 0; st == LF_OK && i < forms.n; i++) {
        lf_ask_part p = { .question = forms.v[i] };
        st = search(a, &p, err);
        if (st == LF_OK && sureness(&p) > best) {
            char *copy = lf_strdup(forms.v[i]);
            best = sureness(&p);
            lf_free(a->out.question);
            a->out.question = copy;
            if (!copy)
                st = lf_fail(err, LF_ERR_NOMEM, "no memory for the question");
        }
        part_release(&p);
    }
    if (st == LF_OK && depends == 1 && a->out.question) {
        lf_ask_part p = { .question = (char *)a->req->question };
        st = search(a, &p, err);
        if (st == LF_OK && best < 0.3 && sureness(&p) > best) {
            lf_free(a->out.question);
            a->out.question = NULL;
        }
        part_release(&p);
    }
    if (st == LF_OK && !a->out.question) {
        a->out.question = lf_strdup(a->req->question);
        if (!a->out.question)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the question");
    }
    lf_questions_release(&forms);
    return st;
}

static lf_status copy_passage(const lf_passage *from, lf_passage *to, lf_err *err)
{
    *to = *from;
    to->doc_id = lf_strdup(from->doc_id);
    to->source = lf_strdup(from->source);
    to->heading = lf_strdup(from->heading ? from->heading : "");
    to->text = lf_strdup(from->text);
    if (to->doc_id && to->source && to->heading && to->text)
        return LF_OK;
    return lf_fail(err, LF_ERR_NOMEM, "no memory for a passage");
}

/* All parts' passages, the best of each first, each passage once. */
static lf_status merge_passages(lf_asking *a, lf_err *err)
{
    size_t total = 0, most = 0;
    lf_passages *out = &a->out.passages;
    for (size_t i = 0; i < a->n_parts; i++) {
        total += a->parts[i].passages.n;
        most = a->parts[i].passages.n > most ? a->parts[i].passages.n : most;
    }
    out->v = lf_calloc(total + 1, sizeof *out->v);
    if (!out->v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu passages", total);
    for (size_t r = 0; r < most; r++)
        for (size_t i = 0; i < a->n_parts; i++) {
            const lf_passages *ps = &a->parts[i].passages;
            bool seen = r >= ps->n;
            lf_status st;
            for (size_t k = 0; k < out->n && !seen; k++)
                seen = out->v[k].start == ps->v[r].start &&
                       strcmp(out->v[k].doc_id, ps->v[r].doc_id) == 0;
            if (seen)
                continue;
            st = copy_passage(&ps->v[r], &out->v[out->n++], err);
            if (st != LF_OK)
                return st;
        }
    /* scores fall along the list, as callers expect of a ranking */
    for (size_t i = 1; i < out->n; i++)
        if (out->v[i].score > out->v[i - 1].score)
            out->v[i].score = out->v[i - 1].score;
    return LF_OK;
}

static lf_status retrieve(lf_asking *a, lf_err *err)
{
    lf_ask_event ev = { .type = LF_ASK_PASSAGES };
    lf_status st = complete(a, err);
    if (st == LF_OK && a->req->no_llm) { /* the best span alone: one search, one span */
        a->questions.v[0] = lf_strdup(a->out.question);
        a->questions.n = a->questions.v[0] ? 1 : 0;
        if (!a->questions.v[0])
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the question");
    } else if (st == LF_OK) {
        st = lf_question_split(a->out.question, &a->questions, err);
    }
    if (st == LF_OK && a->questions.form == LF_QUESTION_BRIDGE) { /* as it stands, for a start */
        a->questions.v[1] = lf_strdup(a->out.question);
        a->questions.n = a->questions.v[1] ? 2 : 1;
        if (!a->questions.v[1])
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the question");
    }
    for (size_t i = 0; st == LF_OK && i < a->questions.n; i++) {
        a->parts[i].question = a->questions.v[i];
        a->n_parts = i + 1;
        st = search(a, &a->parts[i], err);
    }
    if (st == LF_OK)
        st = merge_passages(a, err);
    a->out.retrieve_us = lf_clock_us() - a->start_us;
    ev.passages = &a->out.passages;
    if (st == LF_OK && a->fn && !a->fn(a->ud, &ev))
        st = lf_fail(err, LF_ERR_CANCELLED, "the answer was cancelled");
    return st;
}

static json_t *evidence_json(const lf_ask_part *p)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < p->evidence.n && i < 3; i++) {
        const lf_evidence *e = &p->evidence.v[i];
        const lf_passage *from = &p->passages.v[e->source];
        json_array_append_new(
            rows,
            json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                      "doc_id", from->doc_id, "start", (int)(from->start + e->start), "end",
                      (int)(from->start + e->end), "score", e->score, "coverage", e->coverage,
                      "topical", e->topical, "inside", e->inside, "missing", e->missing, "gap",
                      e->gap, "subject", e->subject, "rest", e->rest, "similarity", e->similarity,
                      "kind", e->kind, "strange", e->strange, "answerable", e->answerable));
    }
    return rows;
}

static void add_note(lf_asking *a, const char *zh, const char *en)
{
    if (a->text.len > 0 && !a->han)
        lf_buf_add_char(&a->text, ' ');
    lf_buf_add_str(&a->text, a->han ? zh : en);
}

/* One part, with its row in the record. */
static lf_status say_part(lf_asking *a, size_t i, json_t *log, lf_err *err)
{
    lf_ask_part *p = &a->parts[i];
    const size_t before = a->text.len;
    json_t *row = json_object(), *passages = NULL;
    lf_status st;
    json_object_set_new(row, "question", json_string(p->question));
    if (p->reworded)
        json_object_set_new(row, "reworded", json_string(p->reworded));
    st = lf_run_passages(&p->passages, &passages, err);
    json_object_set_new(row, "passages", passages);
    json_object_set_new(row, "evidence", evidence_json(p));
    if (st == LF_OK)
        st = lf_ask_say_part(a, p, row, &p->answered, err);
    json_object_set_new(row, "answered", json_boolean(p->answered));
    json_array_append_new(log, row);
    if (st == LF_OK && p->answered) {
        p->said = lf_strndup(lf_buf_cstr(&a->text) + before, a->text.len - before);
        p->n_cited = a->out.n_citations;
        if (!p->said)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for a sentence");
    }
    return st;
}

/* The second question of a bridge with the name that the first answer gives, where the
 * documents answer that more surely than the question as it was asked. */
static lf_status take_bridge(lf_asking *a, lf_err *err)
{
    const lf_str name = lf_question_named(a->parts[0].said ? a->parts[0].said : "");
    lf_buf b = { 0 };
    lf_ask_part p = { 0 };
    lf_status st = LF_OK;
    if (name.len == 0)
        return LF_OK;
    lf_buf_add(&b, name.p, name.len);
    lf_buf_add_str(&b, a->questions.rest);
    p.question = lf_buf_take(&b);
    if (!p.question)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a question");
    st = search(a, &p, err);
    if (st != LF_OK || sureness(&p) <= sureness(&a->parts[1])) {
        lf_free(p.question);
        part_release(&p);
        return st;
    }
    part_release(&a->parts[1]);
    lf_free(a->questions.v[1]);
    a->questions.v[1] = p.question;
    a->parts[1] = p;
    return LF_OK;
}

/* Over the bridge; the first sentence is shown now. */
static lf_status cross_bridge(lf_asking *a, lf_ask_fn *fn, lf_err *err)
{
    const lf_status st = take_bridge(a, err);
    lf_ask_event ev = { .type = LF_ASK_SENTENCE,
                        .text = a->parts[0].said,
                        .citations = a->out.citations,
                        .n_citations = a->out.n_citations };
    a->fn = fn;
    if (st == LF_OK && fn && ev.text && lf_ask_is_sure(&a->parts[1]) && !fn(a->ud, &ev))
        return lf_fail(err, LF_ERR_CANCELLED, "the answer was cancelled");
    return st;
}

/* "A和B谁更早": what the two answers come to. */
static lf_status say_comparison(lf_asking *a, lf_err *err)
{
    const lf_questions *q = &a->questions;
    int order = 0;
    lf_status st;
    if (!a->parts[0].said || !a->parts[1].said)
        return LF_OK;
    st = lf_compare_said(a->parts[0].said, a->parts[1].said, &order, err);
    if (st == LF_OK && order != 0) {
        lf_buf b = { 0 };
        lf_buf_addf(&b, "相比之下，%s更%s", q->subject[(order < 0) == q->wants_less ? 0 : 1],
                    q->rest);
        if (a->parts[0].n_cited < a->parts[1].n_cited)
            lf_buf_addf(&b, "[%zu]", a->parts[0].n_cited);
        st = lf_ask_say(a, lf_buf_cstr(&b), (int32_t)a->parts[1].n_cited, err);
        lf_buf_release(&b);
    }
    return st;
}

/* Parts that have no answer are named; a question that has none at all is refused, and so
 * is one whose name alone was found. */
static lf_status say_parts(lf_asking *a, json_t *log, lf_err *err)
{
    const bool bridge = a->questions.form == LF_QUESTION_BRIDGE && a->n_parts == 2;
    lf_ask_fn *fn = a->fn;
    size_t n_answered = 0;
    lf_status st = LF_OK;
    for (size_t i = 0; i < a->n_parts && st == LF_OK; i++) {
        if (bridge && i == 0)
            a->fn = NULL; /* the name is worth showing with what was asked about it */
        if (bridge && i == 1)
            st = cross_bridge(a, fn, err);
        if (st == LF_OK)
            st = say_part(a, i, log, err);
        n_answered += a->parts[i].answered;
    }
    if (st == LF_OK && a->questions.form == LF_QUESTION_COMPARE && a->n_parts == 2)
        st = say_comparison(a, err);
    if (st != LF_OK)
        return st;
    a->out.answered = bridge ? a->parts[1].answered : n_answered > 0;
    if (!a->out.answered) {
        lf_buf_clear(&a->text);
        citations_release(&a->out);
        a->cap_citations = 0;
        add_note(a, "资料中没有找到这个问题的答案。", "The documents do not answer this question.");
        return LF_OK;
    }
    for (size_t i = 0; i < a->n_parts; i++)
        if (!a->parts[i].answered && !bridge)
            lf_buf_addf(&a->text,
                        a->han ? "资料中没有找到“%s”的答案。" : " The documents do not answer: %s",
                        a->parts[i].question);
    if (a->out.n_dropped > 0)
        add_note(a, "（有内容未能在资料中核实，已略去。）",
                 "(Something that the documents do not bear out was left out.)");
    return LF_OK;
}

static lf_status check_request(const lf_ask_req *r, lf_err *err)
{
    const size_t bytes = r->question ? strlen(r->question) : 0;
    const size_t n = bytes ? lf_utf8_count(r->question, bytes) : 0;
    if (lf_str_trim(lf_str_of(r->question)).len == 0)
        return lf_fail(err, LF_ERR_ARG, "the question is empty");
    if (!lf_utf8_valid(r->question, bytes))
        return lf_fail(err, LF_ERR_ARG, "the question is not valid UTF-8");
    if (n > QUESTION_CHARS_MAX)
        return lf_fail(err, LF_ERR_ARG, "the question has %zu characters, at most %d are allowed",
                       n, QUESTION_CHARS_MAX);
    return LF_OK;
}

static lf_status open_tools(lf_asking *a, lf_err *err)
{
    lf_model *m = NULL;
    lf_status st = LF_OK;
    if (!a->req->no_llm) { /* a missing model is told before the work */
        lf_buf id = { 0 };
        st = lf_provider_model(a->provider, a->req->model, &m, err);
        lf_model_unref(m);
        if (st == LF_OK)
            st = lf_provider_model_id(a->provider, a->req->model, &id, err);
        a->out.model = lf_buf_take(&id);
        if (st == LF_OK && !a->out.model)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for a name");
    }
    if (st == LF_OK)
        st = lf_provider_embedder(a->provider, &a->embedder, err);
    if (st != LF_OK)
        return st;
    a->embed = (lf_guard_embed){ .dim = a->embedder.dim,
                                 .embed = a->embedder.embed,
                                 .ud = a->embedder.ud };
    st = lf_cite_open(&a->embed, &a->cite, err);
    if (st == LF_OK)
        st = lf_evidence_open(&a->embed, &a->finder, err);
    return st;
}

lf_status lf_ask(lf_know *know, lf_provider *provider, const lf_scope *scope, const lf_ask_req *req,
                 lf_ask_fn *fn, void *ud, lf_answer *out, lf_err *err)
{
    lf_asking a = { .know = know,
                    .provider = provider,
                    .scope = scope,
                    .req = req,
                    .fn = fn,
                    .ud = ud,
                    .start_us = lf_clock_us(),
                    .out = { .first_token_us = -1 } };
    json_t *parts = json_array();
    lf_status st = check_request(req, err);
    if (st == LF_OK)
        st = open_tools(&a, err);
    if (st == LF_OK) {
        a.han = lf_question_is_han(req->question);
        st = retrieve(&a, err);
    }
    if (st == LF_OK)
        st = say_parts(&a, parts, err);
    if (st == LF_OK) {
        a.out.text = lf_buf_take(&a.text);
        if (!a.out.text)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the answer");
    }
    a.out.total_us = lf_clock_us() - a.start_us;
    if (st == LF_OK)
        st = lf_run_keep(&a, parts, err);
    json_decref(parts);
    lf_buf_release(&a.text);
    for (size_t i = 0; i < a.n_parts; i++)
        part_release(&a.parts[i]);
    lf_questions_release(&a.questions);
    lf_cite_close(a.cite);
    lf_evidence_close(a.finder);
    if (st != LF_OK)
        lf_answer_release(&a.out);
    else
        *out = a.out;
    return st;
}

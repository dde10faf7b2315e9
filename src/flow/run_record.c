/* flow/run_record.c - the record of a run: made, kept apart from its words, read back. */
#include "flow/run_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/version.h"
#include "flow/ask_int.h"

/* Of so many documents that a question was restricted to, each one's row is kept. */
enum { ROWS_MAX = 100 };

static lf_status no_memory(lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory for the run record");
}

/* ---- making ---- */

/* A row for where a passage stands, with the members of `more` (which is taken) behind. */
static lf_status add_place(const lf_passage *p, json_t *more, json_t *rows, lf_err *err)
{
    char hash[LF_SHA256_HEX];
    json_t *row = NULL;
    lf_status st = lf_sha256_of(p->text, strlen(p->text), hash, err);
    if (st == LF_OK) {
        row = json_pack("{s:s, s:o, s:o, s:I, s:I, s:s}", "doc_id", p->doc_id, "source",
                        lf_json_text(p->source, strlen(p->source)), "page",
                        p->page > 0 ? json_integer(p->page) : json_null(), "start",
                        (json_int_t)p->start, "end", (json_int_t)p->end, "sha256", hash);
        if (!row || !more || json_object_update(row, more) != 0 ||
            json_array_append(rows, row) != 0)
            st = no_memory(err);
    }
    json_decref(row);
    json_decref(more);
    return st;
}

/* Rows go to `*out` where all of them are there, and are released otherwise. */
static lf_status hand_over(json_t *rows, lf_status st, json_t **out, lf_err *err)
{
    if (st == LF_OK && !rows)
        st = no_memory(err);
    if (st == LF_OK)
        *out = rows;
    else
        json_decref(rows);
    return st;
}

lf_status lf_run_passages(const lf_passages *p, json_t **out, lf_err *err)
{
    lf_status st = LF_OK;
    json_t *rows = json_array();
    for (size_t i = 0; rows && st == LF_OK && i < p->n; i++)
        st = add_place(&p->v[i],
                       json_pack("{s:f, s:f, s:f}", "score", (double)p->v[i].score, "lexical",
                                 (double)p->v[i].lexical, "vector", (double)p->v[i].vector),
                       rows, err);
    return hand_over(rows, st, out, err);
}

static lf_status citations_json(const lf_answer *a, json_t **out, lf_err *err)
{
    lf_status st = LF_OK;
    json_t *rows = json_array();
    for (size_t i = 0; rows && st == LF_OK && i < a->n_citations; i++)
        st = add_place(&a->citations[i].passage, json_pack("{s:i}", "n", (int)a->citations[i].n),
                       rows, err);
    return hand_over(rows, st, out, err);
}

static bool has_row(const json_t *rows, const char *doc_id)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *id = json_string_value(json_object_get(row, "doc_id"));
        if (id && strcmp(id, doc_id) == 0)
            return true;
    }
    return false;
}

static lf_status add_row(const lf_asking *a, const char *doc_id, json_t *rows, lf_err *err)
{
    lf_doc_row d = { 0 };
    lf_err aside = { 0 };
    if (has_row(rows, doc_id))
        return LF_OK;
    lf_status st = lf_know_find(a->know, a->scope, doc_id, &d, &aside);
    if (st == LF_ERR_NOT_FOUND) /* removed meanwhile: the replay will say so */
        return LF_OK;
    if (st != LF_OK)
        return lf_fail(err, st, "%s", aside.msg);
    if (json_array_append_new(rows, json_pack("{s:s, s:o, s:s, s:s}", "doc_id", d.doc_id, "source",
                                              lf_json_text(d.source, strlen(d.source)), "hash",
                                              d.hash, "settings", d.settings)) != 0)
        st = no_memory(err);
    lf_doc_row_release(&d);
    return st;
}

/* What was searched: `documents` of the record. */
static lf_status documents_json(const lf_asking *a, json_t **out, lf_err *err)
{
    const lf_ask_req *r = a->req;
    const lf_search_opts o = { .collection = r->collection,
                               .doc_ids = r->doc_ids,
                               .n_doc_ids = r->n_doc_ids };
    size_t n = 0;
    uint64_t set = 0;
    char hex[17];
    json_t *rows = json_array();
    lf_status st = rows ? lf_know_documents(a->know, a->scope, &o, &n, &set, err) : no_memory(err);
    for (size_t i = 0; st == LF_OK && i < a->out.passages.n; i++)
        st = add_row(a, a->out.passages.v[i].doc_id, rows, err);
    for (size_t i = 0; st == LF_OK && r->n_doc_ids <= ROWS_MAX && i < r->n_doc_ids; i++)
        st = add_row(a, r->doc_ids[i], rows, err);
    if (st == LF_OK) {
        (void)snprintf(hex, sizeof hex, "%016" PRIx64, set);
        *out = json_pack("{s:I, s:s, s:O}", "n", (json_int_t)n, "set", hex, "of", rows);
        if (!*out)
            st = no_memory(err);
    }
    json_decref(rows);
    return st;
}

static json_t *only_json(const lf_ask_req *r)
{
    json_t *v = r->n_doc_ids ? json_array() : json_null();
    for (size_t i = 0; v && i < r->n_doc_ids; i++)
        if (json_array_append_new(v, json_string(r->doc_ids[i])) != 0) {
            json_decref(v);
            return NULL;
        }
    return v;
}

static json_t *history_json(const lf_ask_req *r)
{
    json_t *v = json_array();
    for (size_t i = 0; v && i < r->n_history; i++)
        if (json_array_append_new(v, json_pack("{s:s, s:s}", "role", r->history[i].role, "content",
                                               r->history[i].content)) != 0) {
            json_decref(v);
            return NULL;
        }
    return v;
}

/* The model as it is found again, and its hash; null and "" without. */
static lf_status add_model(const lf_asking *a, json_t *o, lf_err *err)
{
    lf_buf id = { 0 };
    lf_model *m = NULL;
    lf_status st = LF_OK;
    if (!a->req->no_llm) {
        st = lf_provider_model(a->provider, a->req->model, &m, err);
        if (st == LF_OK)
            st = lf_provider_model_id(a->provider, a->req->model, &id, err);
    }
    if (st == LF_OK &&
        (json_object_set_new(o, "model",
                             m ? lf_json_text(lf_buf_cstr(&id), id.len) : json_null()) != 0 ||
         json_object_set_new(o, "model_hash", json_string(m ? lf_model_get_info(m)->hash : "")) !=
             0))
        st = no_memory(err);
    lf_buf_release(&id);
    lf_model_unref(m);
    return st;
}

static json_t *ms_json(const lf_answer *a)
{
    return json_pack("{s:f, s:o, s:f}", "retrieve", (double)a->retrieve_us / 1000.0, "first_token",
                     a->first_token_us < 0 ? json_null()
                                           : json_real((double)a->first_token_us / 1000.0),
                     "total", (double)a->total_us / 1000.0);
}

static lf_status make(const lf_asking *a, json_t *parts, json_t **out, lf_err *err)
{
    const lf_ask_req *r = a->req;
    char hash[LF_SHA256_HEX];
    json_t *documents = NULL, *citations = NULL, *o = NULL;
    lf_status st = lf_sha256_of(a->out.text, strlen(a->out.text), hash, err);
    if (st == LF_OK)
        st = documents_json(a, &documents, err);
    if (st == LF_OK)
        st = citations_json(&a->out, &citations, err);
    if (st == LF_OK) {
        o = json_pack("{s:s, s:i, s:s, s:I, s:s, s:s, s:s, s:s, s:I, s:i, s:b, s:s?, s:o, s:O,"
                      " s:b, s:s, s:I, s:O, s:o, s:O, s:s, s:o}",
                      "kind", "ask", "format", (int)LF_RECORD_FORMAT, "version", lf_version(),
                      "unix_ms", (json_int_t)lf_clock_unix_ms(), "question", r->question,
                      "self_contained", a->out.question, "embedding_hash", a->embedder.model_hash,
                      "kernels", lf_cpu_level_name(lf_cpu_best()), "seed", (json_int_t)r->seed, "k",
                      (int)(r->k > 0 ? r->k : LF_ASK_K_DEFAULT), "no_llm", (int)r->no_llm,
                      "collection",
                      r->n_doc_ids    ? NULL
                      : r->collection ? r->collection
                                      : "default",
                      "only", only_json(r), "documents", documents, "answered",
                      (int)a->out.answered, "answer_sha256", hash, "dropped",
                      (json_int_t)a->out.n_dropped, "citations", citations, "ms", ms_json(&a->out),
                      "parts", parts, "answer", a->out.text, "history", history_json(r));
        st = o ? add_model(a, o, err) : no_memory(err);
    }
    json_decref(documents);
    json_decref(citations);
    if (st != LF_OK) {
        json_decref(o);
        return st;
    }
    *out = o;
    return LF_OK;
}

/* ---- keeping ---- */

/* The members that are words, of the record and of each part: a later step of a question
 * may name what an earlier one found, so that questions of parts are among them. */
static const char *const words[] = { "answer", "history", "self_contained" };
static const char *const part_words[] = { "question", "generated" };
enum { N_WORDS = 3, N_PART_WORDS = 2 };

/* Move the members `keys` of `from` to `to`; those that are not there are passed over. */
static bool move(json_t *from, json_t *to, const char *const *keys, size_t n)
{
    bool ok = from && to;
    for (size_t i = 0; ok && i < n; i++) {
        json_t *v = json_object_get(from, keys[i]);
        ok = !v || (json_object_set(to, keys[i], v) == 0 && json_object_del(from, keys[i]) == 0);
    }
    return ok;
}

/* A copy of the record without its words, and those in the same shape. */
static lf_status split(const json_t *whole, json_t **record, json_t **texts, lf_err *err)
{
    json_t *copy = json_deep_copy(whole), *apart = json_object(), *parts = json_array(), *part;
    size_t i;
    bool ok = copy && parts && move(copy, apart, words, N_WORDS) &&
              json_object_set(apart, "parts", parts) == 0;
    json_array_foreach(json_object_get(copy, "parts"), i, part)
    {
        json_t *one = json_object();
        ok = ok && move(part, one, part_words, N_PART_WORDS);
        ok = json_array_append_new(parts, one) == 0 && ok;
    }
    json_decref(parts);
    if (!ok) {
        json_decref(copy);
        json_decref(apart);
        return no_memory(err);
    }
    *record = copy;
    *texts = apart;
    return LF_OK;
}

static lf_status new_run_id(char id[33], lf_err *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        return lf_fail(err, LF_ERR_IO, "the system gave no random bytes for a run's name");
    for (size_t i = 0; i < sizeof b; i++)
        (void)snprintf(id + 2 * i, 3, "%02x", b[i]);
    return LF_OK;
}

static lf_status put(lf_asking *a, lf_err *err)
{
    json_t *record = NULL, *texts = NULL;
    const char **ids = NULL;
    lf_buf r = { 0 }, t = { 0 };
    lf_status st = split(a->out.record, &record, &texts, err);
    if (st == LF_OK) {
        lf_json_dump(record, &r);
        lf_json_dump(texts, &t);
        ids = lf_calloc(a->out.passages.n + 1, sizeof *ids);
        st = r.failed || t.failed || !ids ? no_memory(err) : new_run_id(a->out.run, err);
    }
    for (size_t i = 0; st == LF_OK && i < a->out.passages.n; i++)
        ids[i] = a->out.passages.v[i].doc_id;
    if (st == LF_OK)
        st = lf_know_put_run(a->know, a->scope, a->out.run, lf_buf_cstr(&r), lf_buf_cstr(&t), ids,
                             a->out.passages.n, err);
    lf_free(ids);
    lf_buf_release(&r);
    lf_buf_release(&t);
    json_decref(record);
    json_decref(texts);
    return st;
}

lf_status lf_run_keep(lf_asking *a, json_t *parts, lf_err *err)
{
    const lf_status st = make(a, parts, &a->out.record, err);
    return st == LF_OK && !a->req->unrecorded ? put(a, err) : st;
}

/* ---- reading back ---- */

/* Put the words back in their places. */
static lf_status join(json_t *record, json_t *texts, lf_err *err)
{
    json_t *apart = json_object_get(texts, "parts"), *part;
    size_t i;
    bool ok = json_object_set_new(record, "erased", json_boolean(!texts)) == 0 &&
              (!texts || move(texts, record, words, N_WORDS));
    json_array_foreach(json_object_get(record, "parts"), i, part)
    {
        json_t *one = json_array_get(apart, i);
        ok = ok && (!one || move(one, part, part_words, N_PART_WORDS));
    }
    return ok ? LF_OK : no_memory(err);
}

static lf_status record_of(const lf_run_row *row, json_t **out, lf_err *err)
{
    json_t *record = NULL, *texts = NULL;
    lf_status st = lf_json_parse(row->record, strlen(row->record), "a run's record", &record, err);
    if (st == LF_OK && row->texts)
        st = lf_json_parse(row->texts, strlen(row->texts), "a run's words", &texts, err);
    if (st == LF_OK)
        st = join(record, texts, err);
    if (st == LF_OK && json_object_set_new(record, "run", json_string(row->id)) != 0)
        st = no_memory(err);
    json_decref(texts);
    if (st != LF_OK) {
        json_decref(record);
        return st;
    }
    *out = record;
    return LF_OK;
}

/* `state` of a place, and its text where it is still what was read. */
static lf_status look_up(lf_know *know, const lf_scope *scope, json_t *place, lf_err *err)
{
    const char *doc_id = json_string_value(json_object_get(place, "doc_id"));
    const char *want = json_string_value(json_object_get(place, "sha256"));
    const json_int_t start = json_integer_value(json_object_get(place, "start"));
    const json_int_t end = json_integer_value(json_object_get(place, "end"));
    char hash[LF_SHA256_HEX] = "";
    const char *state = "gone";
    lf_doc_row row = { 0 };
    lf_buf text = { 0 };
    lf_err aside = { 0 };
    lf_status st = LF_OK;
    if (doc_id && lf_know_find(know, scope, doc_id, &row, &aside) == LF_OK) {
        state = "changed";
        if (want && lf_know_span(know, scope, doc_id, (uint32_t)start, (uint32_t)end, &text,
                                 &aside) == LF_OK)
            st = lf_sha256_of(lf_buf_cstr(&text), text.len, hash, err);
        if (want && st == LF_OK && strcmp(hash, want) == 0) {
            state = "same";
            if (json_object_set_new(place, "text", lf_json_text(lf_buf_cstr(&text), text.len)) != 0)
                st = no_memory(err);
        }
    }
    if (st == LF_OK && json_object_set_new(place, "state", json_string(state)) != 0)
        st = no_memory(err);
    lf_doc_row_release(&row);
    lf_buf_release(&text);
    return st;
}

static lf_status look_up_all(lf_know *know, const lf_scope *scope, json_t *places, lf_err *err)
{
    lf_status st = LF_OK;
    size_t i;
    json_t *place;
    json_array_foreach(places, i, place)
    {
        if (st == LF_OK)
            st = look_up(know, scope, place, err);
    }
    return st;
}

lf_status lf_run_show(lf_know *know, const lf_scope *scope, const char *run, json_t **out,
                      lf_err *err)
{
    lf_run_row row = { 0 };
    json_t *record = NULL, *part;
    size_t i;
    lf_status st = lf_know_get_run(know, scope, run, &row, err);
    if (st == LF_OK)
        st = record_of(&row, &record, err);
    if (st == LF_OK)
        st = look_up_all(know, scope, json_object_get(record, "citations"), err);
    json_array_foreach(json_object_get(record, "parts"), i, part)
    {
        if (st == LF_OK)
            st = look_up_all(know, scope, json_object_get(part, "passages"), err);
    }
    lf_run_row_release(&row);
    if (st != LF_OK) {
        json_decref(record);
        return st;
    }
    *out = record;
    return LF_OK;
}

static lf_status summary(const lf_run_row *row, json_t **out, lf_err *err)
{
    static const char *const keys[] = { "unix_ms",    "question", "answered", "model",
                                        "collection", "format",   "erased",   "version" };
    json_t *record = NULL, *o = NULL;
    lf_status st = record_of(row, &record, err);
    if (st == LF_OK) {
        o = json_pack("{s:s}", "run", row->id);
        st = o ? LF_OK : no_memory(err);
    }
    for (size_t i = 0; st == LF_OK && i < sizeof keys / sizeof keys[0]; i++) {
        json_t *v = json_object_get(record, keys[i]);
        if (json_object_set(o, keys[i], v ? v : json_null()) != 0)
            st = no_memory(err);
    }
    json_decref(record);
    if (st != LF_OK) {
        json_decref(o);
        return st;
    }
    *out = o;
    return LF_OK;
}

lf_status lf_run_list(lf_know *know, const lf_scope *scope, size_t n_max, json_t **out, lf_err *err)
{
    lf_run_row *rows = NULL;
    size_t n = 0;
    json_t *list = json_array();
    lf_status st =
        list ? lf_know_runs(know, scope, n_max < LF_RUNS_MAX ? n_max : LF_RUNS_MAX, &rows, &n, err)
             : no_memory(err);
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        json_t *one = NULL;
        st = summary(&rows[i], &one, err);
        if (st == LF_OK && json_array_append_new(list, one) != 0)
            st = no_memory(err);
    }
    lf_run_rows_free(rows, n);
    if (st != LF_OK) {
        json_decref(list);
        return st;
    }
    *out = list;
    return LF_OK;
}

/* flow/replay.c - load the record, see what changed, ask again, compare. */
#include "flow/replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/version.h"
#include "flow/ask.h"
#include "flow/run_record.h"
#include "text/diff.h"

enum { ADDED_SHOWN = 20 };

typedef struct replaying {
    lf_know *know;
    lf_provider *provider;
    const lf_scope *scope;
    json_t *record; /* owned, like what follows */
    json_t *changes;
    lf_answer again;
    bool asked;         /* `again` is filled */
    lf_err why;         /* code LF_OK unless it cannot be run again */
    size_t n_documents; /* that are there to be searched */
    const char **only;  /* views into the record */
    size_t n_only;
    lf_turn *turns;
    size_t n_turns;
} replaying;

static lf_status no_memory(lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory to replay a run");
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* ---- what changed ---- */

static lf_status add_change(replaying *r, json_t *change, lf_err *err)
{
    return json_array_append_new(r->changes, change) == 0 ? LF_OK : no_memory(err);
}

static lf_status compare_text(replaying *r, const char *what, const char *key, const char *now,
                              lf_err *err)
{
    const char *was = text_of(r->record, key);
    if (strcmp(was, now) == 0)
        return LF_OK;
    return add_change(r, json_pack("{s:s, s:s, s:s}", "what", what, "was", was, "now", now), err);
}

/* The model of the record, by the name under which it is found again. */
static lf_status compare_models(replaying *r, lf_err *err)
{
    const char *name = json_string_value(json_object_get(r->record, "model"));
    const char *was = text_of(r->record, "model_hash");
    lf_embedder e = { 0 };
    lf_model *m = NULL;
    lf_status st = LF_OK;
    if (name && lf_provider_model(r->provider, name, &m, &r->why) == LF_OK &&
        strcmp(lf_model_get_info(m)->hash, was) != 0)
        st = add_change(r,
                        json_pack("{s:s, s:s, s:s, s:s}", "what", "model", "model", name, "was",
                                  was, "now", lf_model_get_info(m)->hash),
                        err);
    lf_model_unref(m);
    if (st == LF_OK && r->why.code == LF_OK &&
        lf_provider_embedder(r->provider, &e, &r->why) == LF_OK)
        st = compare_text(r, "embedding", "embedding_hash", e.model_hash, err);
    return st == LF_OK && r->why.code == LF_ERR_NOMEM ? no_memory(err) : st;
}

static lf_status compare_document(replaying *r, const json_t *was, lf_err *err)
{
    const char *doc_id = text_of(was, "doc_id"), *change = NULL;
    lf_doc_row now = { 0 };
    lf_err aside = { 0 };
    lf_status st = lf_know_find(r->know, r->scope, doc_id, &now, &aside);
    if (st == LF_ERR_NOMEM)
        return lf_fail(err, st, "%s", aside.msg);
    if (st != LF_OK)
        change = "removed";
    else if (strcmp(now.hash, text_of(was, "hash")) != 0)
        change = "changed";
    else if (strcmp(now.settings, text_of(was, "settings")) != 0)
        change = "reread";
    lf_doc_row_release(&now);
    if (!change)
        return LF_OK;
    return add_change(r,
                      json_pack("{s:s, s:s, s:s, s:s, s:b}", "what", "document", "change", change,
                                "doc_id", doc_id, "source", text_of(was, "source"), "cached",
                                (int)lf_know_is_cached(doc_id)),
                      err);
}

/* Is the document among those whose change is told by itself? */
static bool is_told(const replaying *r, const char *doc_id)
{
    size_t i;
    json_t *was;
    json_array_foreach(json_object_get(json_object_get(r->record, "documents"), "of"), i, was)
    {
        if (strcmp(text_of(was, "doc_id"), doc_id) == 0)
            return true;
    }
    return false;
}

/* Sources of documents that came into the collection after the run. */
static lf_status added_since(replaying *r, json_t *out, lf_err *err)
{
    const char *collection = json_string_value(json_object_get(r->record, "collection"));
    const int64_t then = json_integer_value(json_object_get(r->record, "unix_ms"));
    lf_doc_row *rows = NULL;
    size_t n = 0;
    lf_status st = collection ? lf_know_list(r->know, r->scope, collection, &rows, &n, err) : LF_OK;
    for (size_t i = 0; st == LF_OK && i < n && json_array_size(out) < ADDED_SHOWN; i++)
        if (rows[i].added_unix_ms > then && !is_told(r, rows[i].doc_id) &&
            json_array_append_new(out, lf_json_text(rows[i].source, strlen(rows[i].source))) != 0)
            st = no_memory(err);
    lf_doc_rows_free(rows, n);
    return st;
}

static lf_status compare_set(replaying *r, lf_err *err)
{
    const json_t *was = json_object_get(r->record, "documents");
    const lf_search_opts o = { .collection =
                                   json_string_value(json_object_get(r->record, "collection")),
                               .doc_ids = r->only,
                               .n_doc_ids = r->n_only };
    const json_int_t n_was = json_integer_value(json_object_get(was, "n"));
    uint64_t set = 0;
    char hex[17];
    json_t *added = NULL;
    lf_status st = lf_know_documents(r->know, r->scope, &o, &r->n_documents, &set, err);
    (void)snprintf(hex, sizeof hex, "%016" PRIx64, set);
    if (st != LF_OK || strcmp(text_of(was, "set"), hex) == 0)
        return st;
    added = json_array();
    st = added ? added_since(r, added, err) : no_memory(err);
    if (st == LF_OK)
        st = add_change(r,
                        json_pack("{s:s, s:I, s:I, s:O}", "what", "documents", "was", n_was, "now",
                                  (json_int_t)r->n_documents, "added", added),
                        err);
    json_decref(added);
    if (st == LF_OK && n_was > 0 && r->n_documents == 0 && r->why.code == LF_OK)
        (void)lf_fail(&r->why, LF_ERR_NOT_FOUND,
                      r->n_only ? "none of the %lld documents is kept any more: what --in names "
                                  "stays in a cache of limited size; ask again with --in"
                                : "none of the %lld documents that were searched is here any more",
                      (long long)n_was);
    return st;
}

static lf_status find_changes(replaying *r, lf_err *err)
{
    size_t i;
    json_t *was;
    lf_status st = compare_text(r, "version", "version", lf_version(), err);
    if (st == LF_OK)
        st = compare_text(r, "kernels", "kernels", lf_cpu_level_name(lf_cpu_best()), err);
    if (st == LF_OK)
        st = compare_models(r, err);
    json_array_foreach(json_object_get(json_object_get(r->record, "documents"), "of"), i, was)
    {
        if (st == LF_OK)
            st = compare_document(r, was, err);
    }
    return st == LF_OK ? compare_set(r, err) : st;
}

/* ---- running it again ---- */

static lf_status take_request(replaying *r, lf_err *err)
{
    const json_t *only = json_object_get(r->record, "only");
    const json_t *history = json_object_get(r->record, "history");
    size_t i;
    json_t *v;
    r->only = lf_calloc(json_array_size(only) + 1, sizeof *r->only);
    r->turns = lf_calloc(json_array_size(history) + 1, sizeof *r->turns);
    if (!r->only || !r->turns)
        return no_memory(err);
    json_array_foreach(only, i, v)
    {
        if (json_is_string(v))
            r->only[r->n_only++] = json_string_value(v);
    }
    json_array_foreach(history, i, v)
    {
        r->turns[r->n_turns++] = (lf_turn){ text_of(v, "role"), text_of(v, "content") };
    }
    return LF_OK;
}

static lf_status ask_again(replaying *r, atomic_bool *cancel, lf_err *err)
{
    const lf_ask_req q = { .question = text_of(r->record, "question"),
                           .collection =
                               json_string_value(json_object_get(r->record, "collection")),
                           .doc_ids = r->only,
                           .n_doc_ids = r->n_only,
                           .k = (int32_t)json_integer_value(json_object_get(r->record, "k")),
                           .no_llm = json_is_true(json_object_get(r->record, "no_llm")),
                           .model = json_string_value(json_object_get(r->record, "model")),
                           .history = r->turns,
                           .n_history = r->n_turns,
                           .seed = (uint64_t)json_integer_value(json_object_get(r->record, "seed")),
                           .unrecorded = true,
                           .cancel = cancel };
    const lf_status st = lf_ask(r->know, r->provider, r->scope, &q, NULL, NULL, &r->again, &r->why);
    r->asked = st == LF_OK;
    if (st == LF_ERR_CANCELLED || st == LF_ERR_NOMEM)
        return lf_fail(err, st, "%s", r->why.msg);
    return LF_OK;
}

/* ---- comparing ---- */

static bool same_place(const json_t *a, const json_t *b)
{
    return strcmp(text_of(a, "doc_id"), text_of(b, "doc_id")) == 0 &&
           strcmp(text_of(a, "sha256"), text_of(b, "sha256")) == 0 &&
           json_integer_value(json_object_get(a, "start")) ==
               json_integer_value(json_object_get(b, "start")) &&
           json_integer_value(json_object_get(a, "end")) ==
               json_integer_value(json_object_get(b, "end")) &&
           json_integer_value(json_object_get(a, "n")) ==
               json_integer_value(json_object_get(b, "n"));
}

/* Those of `a` that are not in `b`, appended to `out` (NULL = only counted). */
static size_t without(const json_t *a, const json_t *b, json_t *out)
{
    size_t i, k, n = 0;
    json_t *x, *y;
    json_array_foreach(a, i, x)
    {
        bool met = false;
        json_array_foreach(b, k, y)
        {
            met = met || same_place(x, y);
        }
        if (met)
            continue;
        n++;
        if (out)
            (void)json_array_append(out, x);
    }
    return n;
}

static lf_status diff_answer(const replaying *r, json_t **out, lf_err *err)
{
    static const char *const ops[] = { "same", "removed", "added" };
    const char *before = json_string_value(json_object_get(r->record, "answer"));
    lf_diff d = { 0 };
    json_t *steps = NULL;
    lf_status st;
    if (!before) {
        *out = json_null();
        return LF_OK;
    }
    st = lf_diff_texts(lf_str_of(before), lf_str_of(r->again.text), &d, err);
    if (st != LF_OK)
        return st;
    steps = json_array();
    for (size_t i = 0; i < d.n; i++)
        if (json_array_append_new(steps, json_pack("{s:s, s:s%}", "op", ops[d.v[i].op], "text",
                                                   d.v[i].text.p, d.v[i].text.len)) != 0)
            st = no_memory(err);
    lf_diff_release(&d);
    if (st != LF_OK || !steps) {
        json_decref(steps);
        return st != LF_OK ? st : no_memory(err);
    }
    *out = steps;
    return LF_OK;
}

/* Passages of all parts, old and new, that the other side has not. */
static json_t *diff_passages(const replaying *r)
{
    const json_t *was = json_object_get(r->record, "parts");
    const json_t *now = json_object_get(r->again.record, "parts");
    size_t removed = 0, added = 0, total = 0;
    for (size_t i = 0; i < json_array_size(was) || i < json_array_size(now); i++) {
        const json_t *a = json_object_get(json_array_get(was, i), "passages");
        const json_t *b = json_object_get(json_array_get(now, i), "passages");
        removed += without(a, b, NULL);
        added += without(b, a, NULL);
        total += json_array_size(a);
    }
    return json_pack("{s:I, s:I, s:I}", "removed", (json_int_t)removed, "added", (json_int_t)added,
                     "same", (json_int_t)(total - removed));
}

static lf_status compare(const replaying *r, bool *same, json_t **out, lf_err *err)
{
    const json_t *was = json_object_get(r->record, "citations");
    const json_t *now = json_object_get(r->again.record, "citations");
    json_t *removed = json_array(), *added = json_array(), *steps = NULL;
    const size_t n = without(was, now, removed) + without(now, was, added);
    lf_status st = removed && added ? diff_answer(r, &steps, err) : no_memory(err);
    *same = n == 0 && strcmp(text_of(r->record, "answer_sha256"),
                             text_of(r->again.record, "answer_sha256")) == 0;
    if (st == LF_OK) {
        *out = json_pack("{s:o, s:{s:O, s:O}, s:o}", "answer", steps, "citations", "removed",
                         removed, "added", added, "passages", diff_passages(r));
        if (!*out)
            st = no_memory(err);
    }
    json_decref(removed);
    json_decref(added);
    return st;
}

static lf_status result(const replaying *r, json_t **out, lf_err *err)
{
    json_t *diff = NULL, *again = NULL, *error = NULL;
    bool same = false;
    lf_status st = r->asked ? compare(r, &same, &diff, err) : LF_OK;
    if (st != LF_OK)
        return st;
    if (r->asked) {
        again = lf_answer_json(&r->again);
        (void)json_object_del(again, "run");
    } else {
        error = json_pack("{s:s, s:s}", "code", lf_status_name(r->why.code), "message", r->why.msg);
    }
    *out = json_pack(
        "{s:O, s:s, s:o, s:O, s:o, s:o, s:O}", "run", json_object_get(r->record, "run"), "verdict",
        !r->asked ? "failed"
        : same    ? "same"
                  : "different",
        "error", error ? error : json_null(), "changes", r->changes, "again",
        again ? again : json_null(), "diff", diff ? diff : json_null(), "record", r->record);
    return *out ? LF_OK : no_memory(err);
}

lf_status lf_replay(lf_know *know, lf_provider *provider, const lf_scope *scope, const char *run,
                    atomic_bool *cancel, json_t **out, lf_err *err)
{
    replaying r = { .know = know, .provider = provider, .scope = scope, .changes = json_array() };
    lf_status st = r.changes ? lf_run_show(know, scope, run, &r.record, err) : no_memory(err);
    if (st == LF_OK)
        st = take_request(&r, err);
    if (st == LF_OK && json_integer_value(json_object_get(r.record, "format")) != LF_RECORD_FORMAT)
        (void)lf_fail(&r.why, LF_ERR_UNSUPPORTED,
                      "the record of run %.32s was kept by another version of Landfall (%.20s) and "
                      "does not say what was searched: it can be shown, not run again",
                      text_of(r.record, "run"), text_of(r.record, "version"));
    else if (st == LF_OK)
        st = find_changes(&r, err);
    if (st == LF_OK && r.why.code == LF_OK)
        st = ask_again(&r, cancel, err);
    if (st == LF_OK)
        st = result(&r, out, err);
    if (r.asked)
        lf_answer_release(&r.again);
    json_decref(r.record);
    json_decref(r.changes);
    lf_free(r.only);
    lf_free(r.turns);
    return st;
}

/* tests/unit/test_replay.c - questions over tiny random models: what is kept of them, and
 * the replay.  What such a model writes is noise, so that answers are the documents' own
 * words or refusals; what counts here is that they come again. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "flow/ask.h"
#include "flow/replay.h"
#include "flow/run_record.h"
#include "tests/unit/tiny_model.h"

static const char catalog[] =
    "models:\n"
    "  - {id: talker, name: T, default: true, kind: chat, arch: llama, languages: [en],\n"
    "     licence: MIT, licence_url: 'https://example.org/', file: talker.gguf, memory: 1000000,\n"
    "     sources: [{hub: 'https://example.org/t', own_hash: true}]}\n"
    "  - {id: vectors, name: V, default: true, kind: embedding, arch: bert, languages: [en],\n"
    "     licence: MIT, licence_url: 'https://example.org/', file: vectors.gguf, memory: 1000000,\n"
    "     sources: [{hub: 'https://example.org/v', own_hash: true}]}\n";
static const char chat[] = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}";
static const char question[] = "When is the gate opened?";

typedef struct world {
    lf_provider *p;
    lf_know *k;
    lf_scope *me;
    char docs[4096];
} world;

static void put_model(const char *name, const tiny_opts *o)
{
    lf_buf file = { 0 };
    tiny_model_build(o, &file);
    (void)lf_test_file(name, file.data, file.len);
    lf_buf_release(&file);
}

static void put_doc(const char *name, const char *text)
{
    char rel[80];
    (void)snprintf(rel, sizeof rel, "docs/%s", name);
    (void)lf_test_file(rel, text, strlen(text));
}

static void make_dir(const char *name)
{
    char *dir = lf_path_join(lf_test_dir(), name);
    LF_NEED(lf_path_make_dirs(dir, err));
    lf_free(dir);
}

static void open_models(world *w)
{
    char yaml[4096], state[4096];
    lf_embedder e = { 0 };
    (void)snprintf(yaml, sizeof yaml, "%s/catalog.yaml", lf_test_dir());
    (void)snprintf(state, sizeof state, "%s/state.lfdb", lf_test_dir());
    const lf_provider_opts o = { .home = lf_test_dir(),
                                 .catalog = yaml,
                                 .engine = { .n_threads = 1 } };
    LF_NEED(lf_provider_open(&o, &w->p, err));
    LF_NEED(lf_provider_embedder(w->p, &e, err));
    LF_NEED(lf_know_open(state, &e, &w->k, err));
}

static void close_models(world *w)
{
    lf_know_close(w->k);
    lf_provider_close(w->p);
}

static void add_docs(world *w)
{
    LF_NEED(lf_know_add(w->k, w->me, w->docs, NULL, err));
}

static void open_world(world *w)
{
    make_dir("models");
    make_dir("docs");
    (void)snprintf(w->docs, sizeof w->docs, "%s/docs", lf_test_dir());
    (void)lf_test_file("catalog.yaml", catalog, sizeof catalog - 1);
    put_model("models/talker.gguf", &(tiny_opts){ .arch = "llama", .type = LF_Q8_0, .chat = chat });
    put_model("models/vectors.gguf", &(tiny_opts){ .arch = "bert", .type = LF_Q8_0 });
    put_doc("gate.txt", "The gate is opened at noon.\n");
    put_doc("tea.txt", "Tea is at four.\n");
    LF_NEED(lf_scope_open("me", NULL, 0, &w->me, err));
    open_models(w);
    add_docs(w);
}

static void close_world(world *w)
{
    close_models(w);
    lf_scope_close(w->me);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void ask(world *w, const lf_ask_req *r, char run[33])
{
    lf_answer a = { 0 };
    LF_NEED(lf_ask(w->k, w->p, w->me, r, NULL, NULL, &a, err));
    memcpy(run, a.run, 33);
    LF_CHECK_INT(strlen(run), 32);
    lf_answer_release(&a);
}

static json_t *replay(world *w, const char *run)
{
    json_t *v = NULL;
    LF_NEED(lf_replay(w->k, w->p, w->me, run, NULL, &v, err));
    return v;
}

static bool verdict_is(const json_t *v, const char *want)
{
    const char *got = json_string_value(json_object_get(v, "verdict"));
    return got && strcmp(got, want) == 0;
}

/* Is there a change of this kind, with this member of this value (NULL = any)? */
static bool has_change(const json_t *v, const char *what, const char *key, const char *value)
{
    size_t i;
    json_t *c;
    json_array_foreach(json_object_get(v, "changes"), i, c)
    {
        const char *is = json_string_value(json_object_get(c, "what"));
        const char *got = key ? json_string_value(json_object_get(c, key)) : NULL;
        if (strcmp(is, what) == 0 && (!key || (got && strcmp(got, value) == 0)))
            return true;
    }
    return false;
}

static void the_same_again(void)
{
    static const lf_turn turns[] = { { "user", "Is there a gate?" }, { "assistant", "Yes." } };
    world w = { 0 };
    open_world(&w);
    const lf_ask_req reqs[] = {
        { .question = question },
        { .question = question, .no_llm = true },
        { .question = "And when is it opened?", .history = turns, .n_history = 2, .seed = 3 },
        { .question = question, .k = 1, .model = "talker" },
    };
    for (size_t i = 0; i < sizeof reqs / sizeof reqs[0]; i++) {
        char run[33];
        json_t *list = NULL;
        ask(&w, &reqs[i], run);
        json_t *v = replay(&w, run);
        const json_t *r = json_object_get(v, "record");
        LF_CHECK(verdict_is(v, "same"));
        LF_CHECK_INT(json_array_size(json_object_get(v, "changes")), 0);
        LF_CHECK_STR(json_string_value(json_object_get(r, "question")), reqs[i].question);
        LF_CHECK_INT(json_array_size(json_object_get(r, "history")), reqs[i].n_history);
        LF_CHECK_INT(json_integer_value(json_object_get(json_object_get(r, "documents"), "n")), 2);
        LF_CHECK(json_is_false(json_object_get(r, "erased")));
        LF_CHECK(json_is_null(json_object_get(r, "model")) == reqs[i].no_llm);
        json_decref(v);
        LF_NEED(lf_run_list(w.k, w.me, 50, &list, err)); /* a replay is no run */
        LF_CHECK_INT(json_array_size(list), i + 1);
        json_decref(list);
    }
    close_world(&w);
}

static void changed_documents_are_named(void)
{
    world w = { 0 };
    char run[33];
    open_world(&w);
    ask(&w, &(lf_ask_req){ .question = question, .no_llm = true }, run);
    put_doc("more.txt", "More is to come.\n");
    add_docs(&w);
    json_t *v = replay(&w, run);
    LF_CHECK(has_change(v, "documents", NULL, NULL) && !has_change(v, "document", NULL, NULL));
    json_decref(v);
    put_doc("gate.txt", "The gate is opened at eleven.\n");
    add_docs(&w);
    v = replay(&w, run);
    LF_CHECK(has_change(v, "document", "change", "changed"));
    LF_CHECK(has_change(v, "document", "source", "gate.txt"));
    LF_CHECK(!has_change(v, "document", "source", "tea.txt"));
    json_decref(v);
    close_world(&w);
}

static void removed_documents_take_the_words_along(void)
{
    world w = { 0 };
    char run[33];
    lf_doc_row *rows = NULL;
    size_t n = 0;
    lf_buf text = { 0 };
    open_world(&w);
    ask(&w, &(lf_ask_req){ .question = question }, run);
    LF_NEED(lf_know_list(w.k, w.me, NULL, &rows, &n, err));
    LF_CHECK_INT(n, 2);
    for (size_t i = 0; i < n; i++)
        LF_NEED(lf_know_remove(w.k, w.me, rows[i].doc_id, err));
    lf_doc_rows_free(rows, n);
    json_t *v = replay(&w, run);
    const json_t *r = json_object_get(v, "record");
    LF_CHECK(verdict_is(v, "failed") && json_is_true(json_object_get(r, "erased")));
    LF_CHECK(has_change(v, "document", "change", "removed"));
    lf_json_dump(v, &text);
    LF_CHECK(!strstr(lf_buf_cstr(&text), "noon"));
    LF_CHECK(strlen(json_string_value(json_object_get(r, "answer_sha256"))) == 64);
    lf_buf_release(&text);
    json_decref(v);
    close_world(&w);
}

static void a_run_is_its_persons_own(void)
{
    world w = { 0 };
    lf_scope *other = NULL;
    json_t *v = NULL;
    char run[33];
    open_world(&w);
    ask(&w, &(lf_ask_req){ .question = question, .no_llm = true }, run);
    LF_NEED(lf_scope_open("other", NULL, 0, &other, err));
    LF_CHECK_INT(lf_replay(w.k, w.p, other, run, NULL, &v, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_run_show(w.k, other, run, &v, NULL), LF_ERR_NOT_FOUND);
    lf_scope_close(other);
    /* the same person with fewer rights: the documents are gone for them */
    const char *const none[] = { "elsewhere" };
    LF_NEED(lf_scope_open("me", none, 1, &other, err));
    LF_NEED(lf_replay(w.k, w.p, other, run, NULL, &v, err));
    LF_CHECK(verdict_is(v, "failed") && has_change(v, "document", "change", "removed"));
    json_decref(v);
    lf_scope_close(other);
    close_world(&w);
}

static void another_model_is_named(void)
{
    world w = { 0 };
    char run[33], path[4096];
    open_world(&w);
    ask(&w, &(lf_ask_req){ .question = question }, run);
    close_models(&w);
    put_model("models/talker.gguf",
              &(tiny_opts){ .arch = "llama", .type = LF_Q8_0, .chat = chat, .seed = 9 });
    open_models(&w);
    json_t *v = replay(&w, run);
    LF_CHECK(has_change(v, "model", "model", "talker") && !verdict_is(v, "failed"));
    json_decref(v);
    close_models(&w);
    (void)snprintf(path, sizeof path, "%s/models/talker.gguf", lf_test_dir());
    LF_CHECK_INT(unlink(path), 0);
    open_models(&w);
    v = replay(&w, run);
    LF_CHECK(verdict_is(v, "failed"));
    LF_CHECK(strstr(json_string_value(json_object_get(json_object_get(v, "error"), "message")),
                    "model pull talker") != NULL);
    LF_CHECK(json_is_null(json_object_get(v, "again")));
    json_decref(v);
    close_world(&w);
}

static void a_record_of_before_is_shown_alone(void)
{
    static const char *const id = "0123456789abcdef0123456789abcdef";
    world w = { 0 };
    open_world(&w);
    LF_NEED(
        lf_know_put_run(w.k, w.me, id,
                        "{\"kind\":\"ask\",\"version\":\"0.0.9\",\"question\":\"q\","
                        "\"parts\":[{\"passages\":[{\"doc_id\":\"x\",\"start\":0,\"end\":3}]}]}",
                        "{}", NULL, 0, err));
    json_t *v = replay(&w, "0123");
    LF_CHECK(verdict_is(v, "failed"));
    LF_CHECK_STR(json_string_value(json_object_get(json_object_get(v, "error"), "code")),
                 "unsupported");
    LF_CHECK_STR(json_string_value(json_object_get(json_object_get(v, "record"), "question")), "q");
    json_decref(v);
    LF_NEED(lf_know_put_run(w.k, w.me, "1123456789abcdef0123456789abcdef", "{\"kind\":", "{}", NULL,
                            0, err));
    LF_CHECK_INT(lf_replay(w.k, w.p, w.me, "1123", NULL, &v, NULL), LF_ERR_FORMAT);
    close_world(&w);
}

static void survives_every_failed_allocation(void)
{
    world w = { 0 };
    char run[33];
    open_world(&w);
    ask(&w, &(lf_ask_req){ .question = question, .no_llm = true }, run);
    json_decref(replay(&w, run));
    const long live = lf_mem_live();
    lf_status st = LF_ERR_NOMEM;
    long n = 0;
    for (; st == LF_ERR_NOMEM && n < 20000; n += n < 200 ? 1 : 37) {
        json_t *v = NULL;
        lf_mem_fail_after(n);
        st = lf_replay(w.k, w.p, w.me, run, NULL, &v, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK ? v != NULL : !v);
        LF_CHECK(!v || verdict_is(v, "same"));
        json_decref(v);
        LF_CHECK_INT(lf_mem_live(), live);
    }
    LF_CHECK(st == LF_OK && n > 20);
    close_world(&w);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "replay/the_same_again", the_same_again },
        { "replay/changed_documents_are_named", changed_documents_are_named },
        { "replay/removed_documents_take_the_words_along", removed_documents_take_the_words_along },
        { "replay/a_run_is_its_persons_own", a_run_is_its_persons_own },
        { "replay/another_model_is_named", another_model_is_named },
        { "replay/a_record_of_before_is_shown_alone", a_record_of_before_is_shown_alone },
        { "replay/survives_every_failed_allocation", survives_every_failed_allocation },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

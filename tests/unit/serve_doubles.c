/* tests/unit/serve_doubles.c - stand-ins for what serve stands on; see the header. */
#include "serve_doubles.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "flow/ask.h"
#include "flow/find.h"
#include "flow/replay.h"
#include "flow/run_record.h"
#include "infer/engine.h"
#include "know/know.h"
#include "provider/provider.h"

doubles lf_doubles = { .n_tokens = 5, .answered = true };

static void pause_ms(int ms)
{
    const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    if (ms > 0)
        (void)nanosleep(&ts, NULL);
}

static bool is_cancelled(atomic_bool *c)
{
    return c && atomic_load(c);
}

/* ---- doc ---- */

static const char text_one[] = "报告\n\n第一章 Budget 😀 is 42 million.\n\nEnd.";
static const lf_block blocks_one[] = {
    { .type = LF_BLOCK_HEADING, .level = 1, .page = 1, .start = 0, .end = 2 },
    { .type = LF_BLOCK_PARAGRAPH, .page = 1, .box = { 10, 20, 110, 32 }, .start = 4, .end = 31 },
    { .type = LF_BLOCK_PARAGRAPH, .page = 2, .start = 33, .end = 37 },
};
static const lf_line lines_one[] = { { 0, 2, 1, { 10, 5, 40, 15 } },
                                     { 4, 31, 1, { 10, 20, 110, 32 } },
                                     { 33, 37, 2, { 10, 20, 60, 32 } } };
static const lf_page pages_one[] = { { 612, 792, false }, { 612, 792, false } };
static const lf_doc doc_one = { .text = (char *)text_one,
                                .n_bytes = sizeof text_one - 1,
                                .n_chars = 37,
                                .format = "pdf",
                                .blocks = (lf_block *)blocks_one,
                                .n_blocks = 3,
                                .lines = (lf_line *)lines_one,
                                .n_lines = 3,
                                .pages = (lf_page *)pages_one,
                                .n_pages = 2,
                                .warning = "" };

void lf_doc_close(lf_doc *d)
{
    (void)d;
}

const char *lf_block_type_name(lf_block_type t)
{
    return t == LF_BLOCK_HEADING ? "heading" : "paragraph";
}

bool lf_doc_can_read(const char *path)
{
    return lf_str_ends(lf_str_of(path), ".txt") || lf_str_ends(lf_str_of(path), ".pdf");
}

lf_status lf_doc_render_page(const void *data, size_t n_bytes, int32_t page, int dpi, lf_buf *png,
                             lf_err *err)
{
    (void)data;
    (void)n_bytes;
    if (page > 2)
        return lf_fail(err, LF_ERR_ARG, "page %d of 2", page);
    lf_buf_addf(png, "PNG page %d at %d", page, dpi);
    return LF_OK;
}

/* ---- know ---- */

static char *dup(const char *s)
{
    return lf_strdup(s);
}

void lf_doc_rows_free(lf_doc_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lf_free(rows[i].doc_id);
        lf_free(rows[i].source);
        lf_free(rows[i].collection);
        lf_free(rows[i].hash);
        lf_free(rows[i].format);
    }
    lf_free(rows);
}

lf_status lf_know_list(lf_know *k, const lf_scope *s, const char *collection, lf_doc_row **out,
                       size_t *n, lf_err *err)
{
    (void)k;
    (void)s;
    if (collection && strcmp(collection, "default") != 0)
        return lf_fail(err, LF_ERR_NOT_FOUND, "there is no collection '%s'", collection);
    *out = lf_calloc(1, sizeof **out);
    **out = (lf_doc_row){ dup("d1"),
                          dup("报告 \"a\".pdf"),
                          dup("default"),
                          dup("h"),
                          dup("pdf"),
                          2,
                          3,
                          38,
                          1700000000000,
                          NULL };
    *n = 1;
    return LF_OK;
}

lf_status lf_know_remove(lf_know *k, const lf_scope *s, const char *doc_id, lf_err *err)
{
    (void)k;
    (void)s;
    return strcmp(doc_id, "d1") == 0 ? LF_OK
                                     : lf_fail(err, LF_ERR_NOT_FOUND, "no document '%s'", doc_id);
}

lf_status lf_know_doc(lf_know *k, const lf_scope *s, const char *doc_id, lf_doc **out, lf_err *err)
{
    static lf_doc d;
    d = doc_one;
    *out = &d;
    return lf_know_remove(k, s, doc_id, err);
}

lf_status lf_know_original(lf_know *k, const lf_scope *s, const char *doc_id, lf_buf *out,
                           lf_err *err)
{
    lf_status st = lf_know_remove(k, s, doc_id, err);
    if (st == LF_OK)
        lf_buf_add_str(out, "%PDF-1.7 bytes");
    return st;
}

lf_status lf_know_collections(lf_know *k, const lf_scope *s, lf_collection_row **out, size_t *n,
                              lf_err *err)
{
    (void)k;
    (void)s;
    (void)err;
    *out = lf_calloc(1, sizeof **out);
    **out = (lf_collection_row){ dup("default"), 1, 3 };
    *n = 1;
    return LF_OK;
}

void lf_collection_rows_free(lf_collection_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_free(rows[i].name);
    lf_free(rows);
}

lf_status lf_know_collection_create(lf_know *k, const lf_scope *s, const char *name, lf_err *err)
{
    (void)k;
    (void)s;
    return strcmp(name, "default") == 0 ? lf_fail(err, LF_ERR_BUSY, "'default' exists") : LF_OK;
}

lf_status lf_know_collection_remove(lf_know *k, const lf_scope *s, const char *name, lf_err *err)
{
    (void)k;
    (void)s;
    return strcmp(name, "中 文") == 0 ? LF_OK
                                      : lf_fail(err, LF_ERR_NOT_FOUND, "no collection '%s'", name);
}

lf_status lf_know_add(lf_know *k, const lf_scope *s, const char *path, const lf_add_opts *o,
                      lf_err *err)
{
    lf_buf b = { 0 };
    lf_add_result r = { .doc_id = "0123456789abcdef0123456789abcdef", .state = LF_ADD_READY };
    (void)k;
    (void)s;
    lf_status st = lf_file_read(path, 0, &b, err);
    if (st != LF_OK)
        return st;
    (void)snprintf(lf_doubles.last_collection, sizeof lf_doubles.last_collection, "%s",
                   o->collection ? o->collection : "");
    (void)snprintf(lf_doubles.last_source, sizeof lf_doubles.last_source, "%s",
                   o->source_name ? o->source_name : path);
    (void)snprintf(lf_doubles.last_text, sizeof lf_doubles.last_text, "%s", lf_buf_cstr(&b));
    lf_buf_release(&b);
    o->on_progress(o->ud, path, "parse", 1, 2);
    if (strstr(lf_doubles.last_text, "broken")) {
        r.state = LF_ADD_FAILED;
        r.doc_id[0] = '\0';
        (void)lf_fail(&r.err, LF_ERR_FORMAT, "the file is broken");
    }
    return o->on_doc(o->ud, lf_doubles.last_source, &r) ? LF_OK
                                                        : lf_fail(err, LF_ERR_CANCELLED, "stopped");
}

static void fill_passage(lf_passage *p)
{
    *p = (lf_passage){ .doc_id = dup("d1"),
                       .source = dup("报告 \"a\".pdf"),
                       .heading = dup(""),
                       .text = dup("Budget 😀 is 42 million."),
                       .start = 8,
                       .end = 32,
                       .page = 1,
                       .box = { 10, 20, 110, 32 },
                       .score = 0.5 };
}

static void clear_passage(lf_passage *p)
{
    lf_free(p->doc_id);
    lf_free(p->source);
    lf_free(p->heading);
    lf_free(p->text);
}

void lf_passages_release(lf_passages *p)
{
    for (size_t i = 0; i < p->n; i++)
        clear_passage(&p->v[i]);
    lf_free(p->v);
    *p = (lf_passages){ 0 };
}

/* One passage, or none for "nothing". */
static lf_status find_one(const char *query, lf_passages *out)
{
    *out = (lf_passages){ .v = lf_calloc(1, sizeof *out->v), .n = strcmp(query, "nothing") != 0 };
    if (out->n)
        fill_passage(out->v);
    return LF_OK;
}

lf_status lf_know_take_in(lf_know *k, const lf_scope *s, const char *const *paths, size_t n_paths,
                          const lf_add_opts *o, lf_doc_set *out, lf_err *err)
{
    (void)k;
    (void)s;
    (void)o;
    if (!lf_path_exists(paths[n_paths - 1]))
        return lf_fail(err, LF_ERR_NOT_FOUND, "no file '%s'", paths[n_paths - 1]);
    out->doc_ids = lf_calloc(1, sizeof *out->doc_ids);
    out->doc_ids[0] = dup("d1");
    out->n = 1;
    return LF_OK;
}

void lf_doc_set_release(lf_doc_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        lf_free(s->doc_ids[i]);
    lf_free(s->doc_ids);
    *s = (lf_doc_set){ 0 };
}

/* ---- provider, engine, model ---- */

lf_sampling lf_sampling_defaults(void)
{
    return (lf_sampling){ .top_p = 1, .repeat_penalty = 1 };
}

lf_status lf_provider_no_model(const lf_provider *p, const char *name, lf_err *err)
{
    (void)p;
    return lf_fail(err, LF_ERR_NOT_FOUND, "there is no model '%s'; this machine has words, vectors",
                   name);
}

bool lf_provider_has_name(const lf_provider *p, const char *name)
{
    (void)p;
    return strcmp(name, "words") == 0 || strcmp(name, "vectors") == 0 ||
           strcmp(name, "default") == 0 || strcmp(name, "broken") == 0;
}

/* As the provider does, it takes paths too: "Makefile" is a file of the working directory. */
lf_status lf_provider_model(lf_provider *p, const char *name, lf_model **out, lf_err *err)
{
    if (strcmp(name, "broken") == 0)
        return lf_fail(err, LF_ERR_FORMAT, "cannot read '/home/of us/models/broken.gguf': cut");
    if (strcmp(name, "Makefile") != 0 && !lf_provider_has_name(p, name))
        return lf_provider_no_model(p, name, err);
    *out = (lf_model *)(uintptr_t)(name[0] == 'v' ? 2 : 1);
    lf_doubles.n_refs++;
    return LF_OK;
}

lf_status lf_provider_unload(lf_provider *p, const char *name, uint64_t *freed, lf_err *err)
{
    if (strcmp(name, "vectors") == 0)
        return lf_fail(err, LF_ERR_BUSY, "'vectors' is in use");
    *freed = 1000;
    return strcmp(name, "words") == 0 ? LF_OK : lf_provider_no_model(p, name, err);
}

json_t *lf_provider_memory(lf_provider *p)
{
    (void)p;
    return json_pack("{s:i}", "budget_bytes", 4096);
}

lf_engine *lf_provider_engine(lf_provider *p)
{
    (void)p;
    return NULL;
}

lf_status lf_provider_model_id(lf_provider *p, const char *name, lf_buf *out, lf_err *err)
{
    lf_model *m = NULL;
    lf_buf_add_str(out, strcmp(name, "default") == 0 ? "words" : name);
    const lf_status st = lf_provider_model(p, name, &m, err);
    lf_doubles.n_refs -= st == LF_OK;
    return st;
}

json_t *lf_provider_list(lf_provider *p)
{
    (void)p;
    return json_pack("[{s:s,s:s,s:b,s:b,s:i},{s:s,s:s,s:b,s:b,s:i},{s:s,s:s,s:b,s:b,s:i,s:s}]",
                     "id", "words", "kind", "chat", "default", 1, "loaded", 1, "created",
                     1700000000, "id", "vectors", "kind", "embedding", "default", 1, "loaded", 0,
                     "created", 1700000001, "id", "gpt", "kind", "chat", "default", 0, "loaded", 1,
                     "created", 1700000000, "alias_of", "words");
}

lf_status lf_provider_guesser(lf_provider *p, const char *name, lf_model **out, lf_err *err)
{
    (void)p;
    (void)name;
    (void)err;
    *out = NULL;
    return LF_OK;
}

static const char *const adapter_names[] = { "polite", "short" };

lf_status lf_provider_adapter(lf_provider *p, const lf_model *m, const char *name, lf_adapter **out,
                              lf_err *err)
{
    (void)p;
    (void)m;
    for (uintptr_t i = 0; i < 2; i++)
        if (strcmp(name, adapter_names[i]) == 0) {
            *out = (lf_adapter *)(i + 1);
            lf_doubles.n_refs++;
            return LF_OK;
        }
    return lf_fail(err, LF_ERR_NOT_FOUND, "there is no adapter '%s'; there are: polite, short",
                   name);
}

void lf_adapter_unref(lf_adapter *a)
{
    lf_doubles.n_refs -= a != NULL;
}

static void note_adapters(const lf_adapter_mix *mix)
{
    lf_doubles.adapters[0] = '\0';
    for (size_t i = 0; mix && i < mix->n; i++) {
        const size_t at = strlen(lf_doubles.adapters);
        (void)snprintf(lf_doubles.adapters + at, sizeof lf_doubles.adapters - at, "%s*%g ",
                       adapter_names[(uintptr_t)mix->v[i].adapter - 1], (double)mix->v[i].scale);
    }
}

void lf_model_unref(lf_model *m)
{
    lf_doubles.n_refs -= m != NULL;
}

const lf_model_info *lf_model_get_info(const lf_model *m)
{
    static const lf_model_info words = {
        .arch = "qwen2", .n_embd = 8, .n_vocab = 256, .ctx_tokens = 4096
    };
    static const lf_model_info vectors = {
        .arch = "bert", .is_encoder = true, .n_embd = 4, .n_vocab = 256
    };
    return (uintptr_t)m == 2 ? &vectors : &words;
}

const lf_tokenizer *lf_model_tokenizer(const lf_model *m)
{
    return (const lf_tokenizer *)m;
}

/* A token for each byte. */
static void add_bytes(lf_tokens *t, const char *p, size_t n)
{
    const bool ok = lf_grow((void **)&t->ids, &t->cap, t->n + n, sizeof *t->ids);
    for (size_t i = 0; ok && i < n; i++)
        t->ids[t->n++] = (unsigned char)p[i];
}

lf_status lf_tokenizer_encode(const lf_tokenizer *t, const char *text, size_t n_bytes,
                              bool add_special, bool parse_special, lf_tokens *out, lf_err *err)
{
    (void)t;
    (void)parse_special;
    (void)err;
    if (add_special)
        add_bytes(out, "<", 1);
    add_bytes(out, text, n_bytes);
    return LF_OK;
}

void lf_tokens_release(lf_tokens *t)
{
    lf_free(t->ids);
    *t = (lf_tokens){ 0 };
}

/* Words are 0 to 31, bytes the rest. */
void lf_tokenizer_piece(const lf_tokenizer *t, int32_t id, bool show_special, lf_buf *out)
{
    (void)t;
    (void)show_special;
    if (id < 32)
        lf_buf_addf(out, "w%d ", id);
    else
        lf_buf_add_char(out, (char)id);
}

void lf_tokenizer_decode(const lf_tokenizer *t, const int32_t *ids, size_t n, bool show_special,
                         lf_buf *out)
{
    for (size_t i = 0; i < n; i++)
        lf_tokenizer_piece(t, ids[i], show_special, out);
}

lf_engine_load lf_engine_get_load(lf_engine *e)
{
    (void)e;
    return (lf_engine_load){ .n_waiting = 3, .n_running = 2, .n_sequences = 2, .kv_bytes = 4096 };
}

lf_status lf_engine_embed(lf_engine *e, lf_model *m, const lf_str *texts, size_t n,
                          lf_embed_kind kind, float *out, lf_err *err)
{
    (void)e;
    (void)m;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        const float v[4] = { (float)texts[i].len, (float)kind, -0.5f, 1 };
        memcpy(out + i * 4, v, sizeof v);
    }
    return LF_OK;
}

/* The further in, the less likely each token was. */
lf_status lf_engine_choices(lf_engine *e, lf_model *m, const int32_t *tokens, size_t n_tokens,
                            size_t first, int32_t n_top, const atomic_bool *cancel, lf_choice *out,
                            lf_err *err)
{
    (void)e;
    (void)m;
    if (!cancel)
        return lf_fail(err, LF_ERR_ARG, "who asks could not call it off");
    lf_doubles.n_scored++;
    for (size_t i = first; i < n_tokens; i++) {
        lf_choice *c = &out[i - first];
        *c = (lf_choice){ .id = tokens[i], .logprob = -0.5f * (float)i, .n_top = n_top };
        for (int32_t k = 0; k < n_top; k++) {
            c->top_ids[k] = tokens[i] + k;
            c->top_logprobs[k] = -0.5f * (float)i - (float)k;
        }
    }
    return LF_OK;
}

/* The longest text is the nearest. */
lf_status lf_engine_rank(lf_engine *e, lf_model *m, lf_str query, const lf_str *texts, size_t n,
                         const atomic_bool *cancel, float *scores, lf_err *err)
{
    (void)e;
    (void)m;
    (void)query;
    (void)cancel;
    (void)err;
    for (size_t i = 0; i < n; i++)
        scores[i] = (float)texts[i].len / 4;
    return LF_OK;
}

/* Seven tokens, and one for each byte of the last message. */
lf_status lf_provider_tool_tokens(lf_model *m, const json_t *messages, const json_t *tools,
                                  lf_tokens *out, lf_err *err)
{
    lf_doubles.n_tools = json_array_size(tools);
    return lf_provider_tokens(m, messages, out, err);
}

/* As a model that writes <tool_call>. */
const lf_tool_format *lf_provider_tool_format(const lf_model *m)
{
    static const char source[] = "{{ messages[0].content }}";
    lf_chat_template *t = NULL;
    (void)m;
    if (lf_chat_template_open(source, sizeof source - 1, &t, NULL) != LF_OK)
        return NULL;
    const lf_tool_format *f = lf_tool_format_of(t);
    lf_chat_template_close(t);
    return f;
}

lf_status lf_provider_tokens(lf_model *m, const json_t *messages, lf_tokens *out, lf_err *err)
{
    const size_t n = json_array_size(messages);
    const char *last =
        n ? json_string_value(json_object_get(json_array_get(messages, n - 1), "content")) : "";
    (void)m;
    (void)err;
    add_bytes(out, "<user>\n", 7);
    add_bytes(out, last, strlen(last));
    return LF_OK;
}

/* The i-th token: a word, or three bytes of what the test wants said; NULL: no more. */
static const char *word_at(int i, char w[32])
{
    const char *says = lf_doubles.says;
    if (!says && i >= lf_doubles.n_tokens)
        return NULL;
    if (says && strlen(says) <= (size_t)i * 3)
        return NULL;
    (void)(says ? snprintf(w, 4, "%.3s", says + (size_t)i * 3) : snprintf(w, 32, "w%d ", i));
    return w;
}

static int32_t stop_in(const lf_gen_req *req, const char *text)
{
    for (size_t k = 0; k < req->n_stop; k++)
        if (strstr(text, req->stop[k]))
            return (int32_t)k;
    return -1;
}

lf_status lf_engine_check_room(const lf_engine *e, const lf_model *m, size_t n_prompt,
                               uint32_t n_max, lf_err *err)
{
    (void)e;
    (void)m;
    (void)n_max;
    if (n_prompt > 4096)
        return lf_fail(err, LF_ERR_LIMIT, "the prompt has %zu tokens, the context 4096", n_prompt);
    return LF_OK;
}

lf_status lf_engine_generate(lf_engine *e, lf_model *m, const lf_gen_req *req, lf_gen_result *out,
                             lf_err *err)
{
    char w[32];
    const lf_status st = lf_engine_check_room(e, m, req->n_tokens, req->n_max, err);
    if (st != LF_OK)
        return st;
    lf_doubles.held = req->grammar != NULL;
    lf_doubles.user_key = req->user_key;
    note_adapters(req->adapters);
    out->stop = -1;
    out->n_prompt = (uint32_t)req->n_tokens;
    out->finish = LF_FINISH_STOP;
    for (int i = 0; word_at(i, w); i++) {
        const int32_t top[2] = { i, i + 1 };
        const float lps[2] = { -0.25f, -3.0f };
        const lf_token_event ev = {
            i, w, strlen(w), -0.25f, top, lps, req->sampling.n_top_logprobs
        };
        out->stop = stop_in(req, w);
        if (out->stop >= 0)
            break;
        pause_ms(lf_doubles.token_ms);
        atomic_fetch_add(&lf_doubles.n_said, 1);
        if (is_cancelled(req->cancel)) {
            atomic_fetch_add(&lf_doubles.n_cancelled, 1);
            lf_buf_release(&out->text);
            return lf_fail(err, LF_ERR_CANCELLED, "cancelled");
        }
        lf_buf_add_str(&out->text, w);
        out->n_generated++;
        if (req->on_token && !req->on_token(req->ud, &ev)) {
            atomic_fetch_add(&lf_doubles.n_cancelled, 1);
            out->finish = LF_FINISH_CALLER;
            break;
        }
        if (out->n_generated == req->n_max) {
            out->finish = LF_FINISH_LENGTH;
            break;
        }
    }
    return LF_OK;
}

/* ---- flow ---- */

json_t *lf_passage_json(const lf_passage *p, bool with_score)
{
    json_t *v =
        json_pack("{s:s,s:s,s:i,s:[f,f,f,f],s:i,s:i,s:s}", "doc_id", p->doc_id, "source", p->source,
                  "page", p->page, "box", (double)p->box.x0, (double)p->box.y0, (double)p->box.x1,
                  (double)p->box.y1, "start", (int)p->start, "end", (int)p->end, "text", p->text);
    if (with_score)
        (void)json_object_set_new(v, "score", json_real(p->score));
    return v;
}

lf_status lf_find(lf_know *know, lf_provider *provider, const lf_scope *scope, const char *question,
                  const lf_find_opts *o, lf_found *out, lf_err *err)
{
    (void)know;
    (void)provider;
    (void)scope;
    (void)o;
    (void)err;
    *out = (lf_found){ 0 };
    return find_one(question, &out->passages);
}

void lf_found_release(lf_found *f)
{
    lf_passages_release(&f->passages);
    *f = (lf_found){ 0 };
}

json_t *lf_found_json(const lf_found *f)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < f->passages.n; i++)
        (void)json_array_append_new(rows, lf_passage_json(&f->passages.v[i], true));
    return json_pack("{s:o}", "passages", rows);
}

json_t *lf_answer_json(const lf_answer *a)
{
    return json_pack("{s:b,s:s}", "answered", (int)a->answered, "answer", a->text);
}

void lf_answer_release(lf_answer *a)
{
    lf_free(a->text);
    lf_free(a->question);
    lf_passages_release(&a->passages);
    *a = (lf_answer){ 0 };
}

lf_status lf_ask(lf_know *know, lf_provider *provider, const lf_scope *scope, const lf_ask_req *req,
                 lf_ask_fn *fn, void *ud, lf_answer *out, lf_err *err)
{
    lf_passage p;
    (void)know;
    (void)scope;
    (void)provider;
    if (strlen(req->question) > 8000)
        return lf_fail(err, LF_ERR_ARG, "the question has %zu characters, allowed are 8000",
                       strlen(req->question));
    fill_passage(&p);
    lf_passages found = { .v = &p, .n = 1 };
    lf_citation c = { 1, p };
    bool go = true;
    for (int i = 0; i < lf_doubles.n_tokens + 1 && go; i++) {
        const lf_ask_event passages = { LF_ASK_PASSAGES, NULL, &found, NULL, 0 };
        const lf_ask_event sentence = { LF_ASK_SENTENCE, "A sentence [1].", NULL, &c, 1 };
        pause_ms(lf_doubles.token_ms);
        go = !is_cancelled(req->cancel) && (!fn || fn(ud, i == 0 ? &passages : &sentence));
    }
    clear_passage(&p);
    if (!go) {
        atomic_fetch_add(&lf_doubles.n_cancelled, 1);
        return lf_fail(err, LF_ERR_CANCELLED, "cancelled");
    }
    out->answered = lf_doubles.answered;
    out->text = dup("A sentence [1].");
    out->question = dup(req->question);
    out->n_dropped = req->n_history;
    return find_one("x", &out->passages);
}

lf_status lf_run_list(lf_know *know, const lf_scope *scope, size_t n_max, json_t **out, lf_err *err)
{
    (void)know;
    (void)scope;
    (void)err;
    *out = json_pack("[{s:s, s:I}]", "run", "abcd", "n_max", (json_int_t)n_max);
    return LF_OK;
}

static lf_status find_run(const char *run, lf_err *err)
{
    return strcmp(run, "abcd") == 0 ? LF_OK : lf_fail(err, LF_ERR_NOT_FOUND, "no run '%s'", run);
}

lf_status lf_run_show(lf_know *know, const lf_scope *scope, const char *run, json_t **out,
                      lf_err *err)
{
    (void)know;
    (void)scope;
    const lf_status st = find_run(run, err);
    if (st == LF_OK)
        *out = json_pack("{s:s}", "run", run);
    return st;
}

lf_status lf_replay(lf_know *know, lf_provider *provider, const lf_scope *scope, const char *run,
                    atomic_bool *cancel, json_t **out, lf_err *err)
{
    (void)know;
    (void)provider;
    (void)scope;
    if (!cancel)
        return lf_fail(err, LF_ERR_ARG, "a replay cannot be cancelled");
    const lf_status st = find_run(run, err);
    if (st == LF_OK)
        *out = json_pack("{s:s, s:s}", "run", run, "verdict", "same");
    return st;
}

/* ---- job: a queue that runs a job at once, on the thread that adds it ---- */

struct lf_jobs {
    lf_job_fn *fn;
    void *ud;
    lf_job_watch_fn *watch;
    void *watch_ud;
    int n;
    lf_job_row rows[64];
};

struct lf_job_run {
    lf_jobs *jobs;
    lf_job_row *row;
    atomic_bool cancel;
};

lf_jobs *lf_doubles_jobs(void)
{
    return lf_calloc(1, sizeof(lf_jobs));
}

void lf_jobs_close(lf_jobs *j)
{
    (void)j; /* the test still looks at it */
}

void lf_doubles_free(lf_jobs *j)
{
    for (int i = 0; i < j->n; i++) {
        lf_free(j->rows[i].args);
        lf_free(j->rows[i].result);
        lf_free(j->rows[i].error);
    }
    lf_free(j);
}

const char *lf_job_state_name(lf_job_state s)
{
    static const char *const names[] = { "queued", "running", "done", "failed", "cancelled" };
    return names[s];
}

lf_status lf_jobs_handle(lf_jobs *j, const char *kind, lf_job_fn *fn, void *ud, lf_err *err)
{
    (void)kind;
    (void)err;
    j->fn = fn;
    j->ud = ud;
    return LF_OK;
}

void lf_jobs_watch(lf_jobs *j, lf_job_watch_fn *fn, void *ud)
{
    j->watch = fn;
    j->watch_ud = ud;
}

lf_status lf_jobs_start(lf_jobs *j, int n_workers, lf_err *err)
{
    (void)j;
    (void)n_workers;
    (void)err;
    return LF_OK;
}

static void tell(lf_jobs *j, const lf_job_row *row)
{
    if (j->watch)
        j->watch(j->watch_ud, row);
}

lf_status lf_jobs_add(lf_jobs *j, const lf_scope *s, const char *kind, const json_t *args,
                      char id[33], lf_err *err)
{
    lf_buf b = { 0 }, r = { 0 };
    json_t *result = NULL;
    lf_err why = { 0 };
    (void)s;
    (void)err;
    lf_job_row *row = &j->rows[j->n++];
    lf_json_dump(args, &b);
    *row = (lf_job_row){ .kind = (char *)(uintptr_t)kind, .args = lf_buf_take(&b), .stage = "" };
    (void)snprintf(row->id, sizeof row->id, "job%d", j->n);
    memcpy(id, row->id, 33);
    lf_job_run run = { .jobs = j, .row = row };
    tell(j, row);
    row->state = LF_JOB_RUNNING;
    const lf_status st = j->fn(j->ud, &run, args, &result, &why);
    row->state = st == LF_OK ? LF_JOB_DONE : LF_JOB_FAILED;
    row->error = lf_strdup(why.msg);
    if (result)
        lf_json_dump(result, &r);
    json_decref(result);
    row->result = lf_buf_take(&r);
    tell(j, row);
    return LF_OK;
}

lf_status lf_jobs_cancel(lf_jobs *j, const lf_scope *s, const char *id, lf_err *err)
{
    (void)j;
    (void)s;
    return strcmp(id, "job1") == 0 ? LF_OK : lf_fail(err, LF_ERR_NOT_FOUND, "no job '%s'", id);
}

lf_status lf_jobs_list(lf_jobs *j, const lf_scope *s, size_t n_max, lf_job_row **out, size_t *n,
                       lf_err *err)
{
    (void)s;
    (void)n_max;
    (void)err;
    *n = (size_t)j->n;
    *out = lf_calloc((size_t)j->n + 1, sizeof **out);
    memcpy(*out, j->rows, (size_t)j->n * sizeof **out);
    return LF_OK;
}

void lf_job_rows_free(lf_job_row *rows, size_t n)
{
    (void)n;
    lf_free(rows);
}

void lf_job_progress(lf_job_run *run, const char *stage, uint64_t done, uint64_t total)
{
    run->row->stage = (char *)(uintptr_t)stage;
    run->row->done = done;
    run->row->total = total;
    tell(run->jobs, run->row);
}

atomic_bool *lf_job_cancel_flag(lf_job_run *run)
{
    return &run->cancel;
}

const char *lf_job_id(const lf_job_run *run)
{
    return run->row->id;
}

/* provider/provider.c - names to loaded models, and conversations to tokens.
 *
 * Models are loaded on first use, under the lock, and stay until close: asking
 * twice for one never maps it twice, also where the same file goes by two names
 * ("default" and its id).
 *
 * A conversation is rendered by the model's template and then cut into tokens.
 * What people and documents wrote must never become a control token, whatever it
 * spells ("<|im_end|>"): where a message holds such text, it is rendered as a
 * mark, and the marks are replaced by tokens of plain text afterwards. */
#include "provider/provider.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/catalog.h"

typedef struct loaded {
    char *path;
    lf_model *model;
    struct loaded *next;
} loaded;

struct lf_provider {
    char *home, *cache;
    lf_catalog *catalog;
    lf_engine *engine;
    pthread_mutex_t lock; /* guards `models`; held while a model is loaded; innermost */
    loaded *models;
};

lf_status lf_provider_open(const lf_provider_opts *o, lf_provider **out, lf_err *err)
{
    lf_status st;
    lf_provider *p = lf_calloc(1, sizeof *p);
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the provider");
    pthread_mutex_init(&p->lock, NULL);
    p->home = lf_strdup(o->home);
    p->cache = lf_path_join(o->home, "cache");
    st = p->home && p->cache ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for the provider");
    if (st == LF_OK)
        st = lf_catalog_open(o->catalog, &p->catalog, err);
    if (st == LF_OK)
        st = lf_path_make_dirs(p->cache, err);
    if (st == LF_OK)
        st = lf_engine_open(&o->engine, &p->engine, err);
    if (st != LF_OK) {
        lf_provider_close(p);
        return st;
    }
    *out = p;
    return LF_OK;
}

void lf_provider_close(lf_provider *p)
{
    if (!p)
        return;
    lf_engine_close(p->engine);
    while (p->models) {
        loaded *m = p->models;
        p->models = m->next;
        lf_model_unref(m->model);
        lf_free(m->path);
        lf_free(m);
    }
    lf_catalog_close(p->catalog);
    pthread_mutex_destroy(&p->lock);
    lf_free(p->home);
    lf_free(p->cache);
    lf_free(p);
}

lf_engine *lf_provider_engine(lf_provider *p)
{
    return p->engine;
}

static loaded *find_loaded(const lf_provider *p, const char *path)
{
    for (loaded *m = p->models; m; m = m->next)
        if (strcmp(m->path, path) == 0)
            return m;
    return NULL;
}

static lf_status load(lf_provider *p, const char *path, lf_model **out, lf_err *err)
{
    lf_status st;
    const lf_model_opts opts = { .cache_dir = p->cache };
    loaded *m = lf_calloc(1, sizeof *m);
    if (!m)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to load '%s'", path);
    m->path = lf_strdup(path);
    st = m->path ? lf_model_open(path, &opts, &m->model, err)
                 : lf_fail(err, LF_ERR_NOMEM, "no memory to load '%s'", path);
    if (st != LF_OK) {
        lf_free(m->path);
        lf_free(m);
        return st;
    }
    m->next = p->models;
    p->models = m;
    *out = m->model;
    return LF_OK;
}

lf_status lf_provider_model(lf_provider *p, const char *name, lf_model **out, lf_err *err)
{
    lf_status st;
    lf_buf path = { 0 };
    st = lf_catalog_path(p->catalog, p->home, name ? name : "default", &path, err);
    if (st == LF_OK && path.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a path");
    if (st == LF_OK) {
        loaded *m;
        pthread_mutex_lock(&p->lock);
        m = find_loaded(p, lf_buf_cstr(&path));
        if (m)
            *out = m->model;
        else
            st = load(p, lf_buf_cstr(&path), out, err);
        pthread_mutex_unlock(&p->lock);
    }
    lf_buf_release(&path);
    return st;
}

lf_status lf_provider_model_id(lf_provider *p, const char *name, lf_buf *out, lf_err *err)
{
    name = name ? name : "default";
    const lf_catalog_model *m = lf_catalog_find(p->catalog, name);
    char full[PATH_MAX];
    if (!m && !realpath(name, full))
        return lf_fail(err, LF_ERR_NOT_FOUND, "there is no model '%s'", name);
    lf_buf_add_str(out, m ? m->id : full);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the name of a model") : LF_OK;
}

static json_t *list_row(lf_provider *p, const lf_catalog_model *m, const char *path)
{
    struct stat sb;
    bool is_loaded;
    const bool embeds = m->kind == LF_MODEL_EMBEDDING;
    if (stat(path, &sb) != 0)
        return NULL;
    pthread_mutex_lock(&p->lock);
    is_loaded = find_loaded(p, path) != NULL;
    pthread_mutex_unlock(&p->lock);
    return json_pack("{s:s, s:s, s:b, s:b, s:I}", "id", m->id, "kind",
                     embeds ? "embedding" : "chat", "default", (int)m->is_default, "loaded",
                     (int)is_loaded, "created", (json_int_t)sb.st_mtime);
}

json_t *lf_provider_list(lf_provider *p)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < lf_catalog_n_models(p->catalog); i++) {
        const lf_catalog_model *m = lf_catalog_at(p->catalog, i);
        lf_buf path = { 0 };
        json_t *row;
        lf_catalog_file(m, p->home, &path);
        row = path.failed ? NULL : list_row(p, m, lf_buf_cstr(&path));
        if (row && json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
        lf_buf_release(&path);
    }
    return rows;
}

/* ---- vectors ---- */

static lf_status embed(void *ud, const lf_str *texts, size_t n, bool is_query, float *out,
                       lf_err *err)
{
    lf_provider *p = ud;
    lf_model *m = NULL;
    const lf_status st = lf_provider_model(p, "default-embed", &m, err);
    if (st != LF_OK)
        return st;
    return lf_engine_embed(p->engine, m, texts, n, is_query ? LF_EMBED_QUERY : LF_EMBED_PASSAGE,
                           out, err);
}

lf_status lf_provider_embedder(lf_provider *p, lf_embedder *out, lf_err *err)
{
    lf_model *m = NULL;
    const lf_model_info *info;
    const lf_status st = lf_provider_model(p, "default-embed", &m, err);
    if (st != LF_OK)
        return st;
    info = lf_model_get_info(m);
    if (!info->is_encoder)
        return lf_fail(err, LF_ERR_UNSUPPORTED, "model '%s' (%s) gives no embeddings", info->name,
                       info->arch);
    *out = (lf_embedder){
        .dim = (int32_t)info->n_embd, .model_hash = info->hash, .embed = embed, .ud = p
    };
    return LF_OK;
}

/* ---- conversations ---- */

/* Does plain text hold what the tokenizer would take for a control token? */
static lf_status spells_control(const lf_tokenizer *t, const char *text, bool *out, lf_err *err)
{
    lf_tokens ids = { 0 };
    const lf_status st = lf_tokenizer_encode(t, text, strlen(text), false, true, &ids, err);
    *out = false;
    for (size_t i = 0; st == LF_OK && i < ids.n; i++)
        if (lf_tokenizer_is_control(t, ids.ids[i]))
            *out = true;
    lf_tokens_release(&ids);
    return st;
}

/* A mark for message i: private-use characters around its number. */
static void mark_of(size_t i, lf_buf *out)
{
    lf_buf_addf(out, "\xEE\x80\x80%zu\xEE\x80\x81", i);
}

/* A copy of the messages in which those that spell control tokens are marks;
 * *any says whether there was one. */
static lf_status marked_copy(const lf_tokenizer *t, const json_t *messages, json_t **out, bool *any,
                             lf_err *err)
{
    json_t *copy = json_deep_copy(messages), *m;
    lf_status st = copy ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for the messages");
    size_t i;
    *any = false;
    if (copy)
        json_array_foreach(copy, i, m)
        {
            const char *text = json_string_value(json_object_get(m, "content"));
            bool bad = false;
            lf_buf mark = { 0 };
            if (st != LF_OK || !text)
                continue;
            st = spells_control(t, text, &bad, err);
            if (st != LF_OK || !bad)
                continue;
            mark_of(i, &mark);
            if (mark.failed ||
                json_object_set_new(m, "content", json_string(lf_buf_cstr(&mark))) != 0)
                st = lf_fail(err, LF_ERR_NOMEM, "no memory for the messages");
            *any = true;
            lf_buf_release(&mark);
        }
    if (st != LF_OK) {
        json_decref(copy);
        return st;
    }
    *out = copy;
    return LF_OK;
}

/* Encode `text`, putting the plain tokens of the messages in place of their marks. */
static lf_status encode_marked(const lf_tokenizer *t, const char *text, const json_t *messages,
                               lf_tokens *out, lf_err *err)
{
    lf_status st = LF_OK;
    while (st == LF_OK && *text) {
        const char *next = strstr(text, "\xEE\x80\x80");
        char *end = NULL;
        const unsigned long i = next ? strtoul(next + 3, &end, 10) : 0;
        const char *content;
        if (!next || end == next + 3 || strncmp(end, "\xEE\x80\x81", 3) != 0 ||
            i >= json_array_size(messages))
            return lf_tokenizer_encode(t, text, strlen(text), false, true, out, err);
        st = lf_tokenizer_encode(t, text, (size_t)(next - text), false, true, out, err);
        content = json_string_value(json_object_get(json_array_get(messages, i), "content"));
        if (st == LF_OK && content)
            st = lf_tokenizer_encode(t, content, strlen(content), false, false, out, err);
        text = end + 3;
    }
    return st;
}

static void token_text(const lf_tokenizer *t, int32_t id, lf_buf *out)
{
    if (id >= 0)
        lf_tokenizer_piece(t, id, true, out);
}

static lf_status render(const lf_model *m, const json_t *messages, lf_buf *out, lf_err *err)
{
    const lf_tokenizer *t = lf_model_tokenizer(m);
    lf_buf bos = { 0 }, eos = { 0 };
    json_t *vars = NULL;
    lf_status st;
    token_text(t, lf_tokenizer_bos(t), &bos);
    token_text(t, lf_tokenizer_eos(t), &eos);
    vars = json_pack("{s:O, s:b, s:s, s:s}", "messages", messages, "add_generation_prompt", 1,
                     "bos_token", lf_buf_cstr(&bos), "eos_token", lf_buf_cstr(&eos));
    st = vars ? lf_chat_render(lf_model_template(m), vars, out, err)
              : lf_fail(err, LF_ERR_NOMEM, "no memory to render the conversation");
    json_decref(vars);
    lf_buf_release(&bos);
    lf_buf_release(&eos);
    return st;
}

lf_status lf_provider_tokens(lf_model *m, const json_t *messages, lf_tokens *out, lf_err *err)
{
    const lf_tokenizer *t = lf_model_tokenizer(m);
    lf_buf text = { 0 };
    json_t *copy = NULL;
    bool any = false;
    lf_status st;
    if (!lf_model_template(m))
        return lf_fail(err, LF_ERR_UNSUPPORTED, "model '%s' has no chat template",
                       lf_model_get_info(m)->name);
    st = marked_copy(t, messages, &copy, &any, err);
    if (st == LF_OK)
        st = render(m, copy, &text, err);
    if (st == LF_OK && text.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the prompt");
    if (st == LF_OK)
        st = any ? encode_marked(t, lf_buf_cstr(&text), messages, out, err)
                 : lf_tokenizer_encode(t, lf_buf_cstr(&text), text.len, false, true, out, err);
    json_decref(copy);
    lf_buf_release(&text);
    return st;
}

lf_status lf_provider_chat(lf_provider *p, const lf_scope *scope, const char *model,
                           const json_t *messages, const lf_gen_req *req, lf_gen_result *out,
                           lf_err *err)
{
    lf_status st;
    lf_model *m = NULL;
    lf_tokens ids = { 0 };
    lf_gen_req r = *req;
    (void)scope; /* one local person may use every model; rights of others come with access */
    st = lf_provider_model(p, model, &m, err);
    if (st == LF_OK)
        st = lf_provider_tokens(m, messages, &ids, err);
    if (st == LF_OK) {
        r.tokens = ids.ids;
        r.n_tokens = ids.n;
        st = lf_engine_generate(p->engine, m, &r, out, err);
    }
    lf_tokens_release(&ids);
    return st;
}

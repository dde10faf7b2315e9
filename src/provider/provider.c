/* provider/provider.c - names to loaded models.
 *
 * Models are loaded on first use, under the lock, and stay until close: asking
 * twice for one never maps it twice, also where the same file goes by two names
 * ("default" and its id). */
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

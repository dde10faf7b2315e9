/* provider/provider.c - names to loaded models.
 *
 * A name is an alias of the settings, a catalogue id, "default", "default-embed" or a
 * path; it comes down to a file, and the file is what models.h counts: asking for one by
 * two names never maps it twice. */
#include "provider/provider.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "provider/adapters.h"
#include "provider/models.h"
#include "model/catalog.h"

typedef struct alias {
    const char *name, *target;
} alias;

struct lf_provider {
    char *home, *cache;
    lf_catalog *catalog;
    lf_engine *engine;
    lf_models *models;
    lf_adapters *adapters;
    char *alias_text; /* that the aliases point into */
    alias *aliases;
    size_t n_aliases;
    char *drafts;         /* as the settings have it */
    pthread_mutex_t lock; /* guards embed_hash; innermost */
    char embed_hash[65];
};

/* "name=target,…", as the settings have checked it, split in place. */
static lf_status read_aliases(lf_provider *p, const char *text, lf_err *err)
{
    size_t n = 1;
    for (const char *c = text; *c; c++)
        n += *c == ',';
    p->alias_text = lf_strdup(text);
    p->aliases = lf_calloc(n, sizeof *p->aliases);
    if (!p->alias_text || !p->aliases)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the names of models");
    for (char *at = p->alias_text, *next; at && *at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        char *eq = strchr(at, '=');
        if (!eq)
            return lf_fail(err, LF_ERR_ARG, "models.aliases: '%.100s' is not NAME=MODEL", at);
        *eq = '\0';
        if (lf_catalog_find(p->catalog, at))
            return lf_fail(err, LF_ERR_ARG,
                           "models.aliases: '%.100s' is the name of a model of the catalogue", at);
        if (!strchr(eq + 1, '/') && !lf_catalog_find(p->catalog, eq + 1))
            return lf_fail(err, LF_ERR_ARG,
                           "models.aliases: '%.100s' stands for '%.100s', which is neither a model "
                           "of the catalogue nor a path",
                           at, eq + 1);
        p->aliases[p->n_aliases++] = (alias){ at, eq + 1 };
    }
    return LF_OK;
}

static const alias *find_alias(const lf_provider *p, const char *name)
{
    for (size_t i = 0; i < p->n_aliases; i++)
        if (strcmp(p->aliases[i].name, name) == 0)
            return &p->aliases[i];
    return NULL;
}

/* What a name stands for. */
static const char *unalias(const lf_provider *p, const char *name)
{
    const alias *a = find_alias(p, name);
    return a ? a->target : name;
}

bool lf_provider_has_name(const lf_provider *p, const char *name)
{
    return find_alias(p, name) || lf_catalog_find(p->catalog, name);
}

lf_status lf_provider_open(const lf_provider_opts *o, lf_provider **out, lf_err *err)
{
    lf_status st;
    lf_provider *p = lf_calloc(1, sizeof *p);
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the provider");
    pthread_mutex_init(&p->lock, NULL);
    p->home = lf_strdup(o->home);
    p->cache = lf_path_join(o->home, "cache");
    p->drafts = lf_strdup(o->drafts ? o->drafts : "");
    st = p->home && p->cache && p->drafts
             ? LF_OK
             : lf_fail(err, LF_ERR_NOMEM, "no memory for the provider");
    if (st == LF_OK)
        st = lf_catalog_open(o->catalog, &p->catalog, err);
    if (st == LF_OK)
        st = read_aliases(p, o->aliases ? o->aliases : "", err);
    if (st == LF_OK)
        st = lf_path_make_dirs(p->cache, err);
    if (st == LF_OK)
        st = lf_engine_open(&o->engine, &p->engine, err);
    const lf_models_opts mo = { .engine = p->engine,
                                .cache_dir = p->cache,
                                .budget_bytes = o->budget_bytes,
                                .kv_budget_bytes = o->engine.kv_budget_bytes };
    if (st == LF_OK)
        st = lf_models_open(&mo, &p->models, err);
    if (st == LF_OK)
        st = lf_adapters_open(p->home, &p->adapters, err);
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
    lf_models_close(p->models);
    lf_adapters_close(p->adapters);
    lf_catalog_close(p->catalog);
    pthread_mutex_destroy(&p->lock);
    lf_free(p->aliases);
    lf_free(p->alias_text);
    lf_free(p->drafts);
    lf_free(p->home);
    lf_free(p->cache);
    lf_free(p);
}

lf_engine *lf_provider_engine(lf_provider *p)
{
    return p->engine;
}

lf_status lf_provider_adapter(lf_provider *p, const lf_model *m, const char *name, lf_adapter **out,
                              lf_err *err)
{
    return lf_adapters_get(p->adapters, m, name, out, err);
}

/* ---- names ---- */

static bool is_here(const lf_provider *p, const lf_catalog_model *m)
{
    lf_buf path = { 0 };
    lf_catalog_file(m, p->home, &path);
    const bool here = !path.failed && lf_path_exists(lf_buf_cstr(&path));
    lf_buf_release(&path);
    return here;
}

lf_status lf_provider_no_model(const lf_provider *p, const char *name, lf_err *err)
{
    lf_buf names = { 0 };
    lf_buf_add_str(&names, "default, default-embed");
    for (size_t i = 0; i < p->n_aliases; i++)
        lf_buf_addf(&names, ", %s", p->aliases[i].name);
    for (size_t i = 0; i < lf_catalog_n_models(p->catalog); i++)
        if (is_here(p, lf_catalog_at(p->catalog, i)))
            lf_buf_addf(&names, ", %s", lf_catalog_at(p->catalog, i)->id);
    const lf_status st =
        lf_fail(err, LF_ERR_NOT_FOUND, "there is no model '%.100s'; this machine has %.300s", name,
                lf_buf_cstr(&names));
    lf_buf_release(&names);
    return st;
}

/* The one path of a file, by which it is counted; as it is where there is no file. */
static void make_canonical(lf_buf *path)
{
    char full[PATH_MAX];
    if (!path->failed && realpath(lf_buf_cstr(path), full)) {
        lf_buf_clear(path);
        lf_buf_add_str(path, full);
    }
}

/* The file that a name stands for. */
static lf_status path_of(const lf_provider *p, const char *name, lf_buf *out, lf_err *err)
{
    const char *target = unalias(p, name ? name : "default");
    if (!lf_catalog_find(p->catalog, target) && !lf_path_exists(target))
        return target == name ? lf_provider_no_model(p, name, err)
                              : lf_fail(err, LF_ERR_NOT_FOUND,
                                        "the file that models.aliases gives the name '%.100s' is "
                                        "not there",
                                        name);
    const lf_status st = lf_catalog_path(p->catalog, p->home, target, out, err);
    make_canonical(out);
    return st == LF_OK && out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a path") : st;
}

lf_status lf_provider_model(lf_provider *p, const char *name, lf_model **out, lf_err *err)
{
    lf_buf path = { 0 };
    lf_status st = path_of(p, name, &path, err);
    if (st == LF_OK)
        st = lf_models_get(p->models, lf_buf_cstr(&path), out, err);
    lf_buf_release(&path);
    return st;
}

lf_status lf_provider_unload(lf_provider *p, const char *name, uint64_t *freed, lf_err *err)
{
    lf_buf path = { 0 };
    lf_status st = path_of(p, name, &path, err);
    if (st == LF_OK)
        st = lf_models_unload(p->models, lf_buf_cstr(&path), freed, err);
    lf_buf_release(&path);
    return st;
}

lf_status lf_provider_model_id(lf_provider *p, const char *name, lf_buf *out, lf_err *err)
{
    const char *target = unalias(p, name ? name : "default");
    const lf_catalog_model *m = lf_catalog_find(p->catalog, target);
    char full[PATH_MAX];
    if (!m && target == name && !realpath(name, full))
        return lf_provider_no_model(p, name, err);
    lf_buf_add_str(out, m ? m->id : target == name ? full : name);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the name of a model") : LF_OK;
}

/* Do two names stand for one model?  A name for which there is nothing does not. */
static bool same_model(lf_provider *p, const char *a, const char *b)
{
    lf_buf ia = { 0 }, ib = { 0 };
    const bool same = path_of(p, a, &ia, NULL) == LF_OK && path_of(p, b, &ib, NULL) == LF_OK &&
                      strcmp(lf_buf_cstr(&ia), lf_buf_cstr(&ib)) == 0;
    lf_buf_release(&ia);
    lf_buf_release(&ib);
    return same;
}

lf_status lf_provider_guesser(lf_provider *p, const char *name, lf_model **out, lf_err *err)
{
    lf_status st = LF_OK;
    *out = NULL;
    for (const char *at = p->drafts; *at && st == LF_OK && !*out;) {
        const size_t n = strcspn(at, ",");
        char *pair = lf_strndup(at, n), *eq = pair ? strchr(pair, '=') : NULL;
        if (!pair)
            return lf_fail(err, LF_ERR_NOMEM, "no memory for the name of a model");
        if (eq)
            *eq = '\0';
        if (eq && same_model(p, pair, name))
            st = lf_provider_model(p, eq + 1, out, err);
        lf_free(pair);
        at += n + (at[n] == ',');
    }
    return st == LF_OK ? LF_OK : lf_err_context(err, st, "models.drafts");
}

/* ---- what there is ---- */

/* A row for `name`, of the catalogue's model `m` or, where that is NULL, of a file;
 * NULL where the file is not here. */
static json_t *list_row(lf_provider *p, const char *name, const lf_catalog_model *m,
                        const char *path)
{
    struct stat sb;
    if (stat(path, &sb) != 0)
        return NULL;
    const lf_model_use u = lf_models_use_of(p->models, path);
    const lf_model_kind seen = u.is_encoder     ? LF_MODEL_EMBEDDING
                               : u.has_template ? LF_MODEL_CHAT
                                                : LF_MODEL_BASE;
    const char *kind = m ? lf_model_kind_name(m->kind) : u.loaded ? lf_model_kind_name(seen) : NULL;
    const bool other = !m || strcmp(name, m->id) != 0;
    json_t *row = json_pack(
        "{s:s, s:s?, s:b, s:b, s:b, s:I, s:I, s:I, s:I}", "id", name, "kind", kind, "default",
        (int)(m && m->is_default && !other), "loaded", (int)u.loaded, "in_use", (int)u.in_use,
        "created", (json_int_t)sb.st_mtime, "weights_bytes", (json_int_t)u.weights_bytes,
        "workspace_bytes", (json_int_t)u.workspace_bytes, "kv_bytes", (json_int_t)u.kv_bytes);
    if (row && other)
        (void)json_object_set_new(row, "alias_of", m ? json_string(m->id) : json_null());
    return row;
}

static bool add_row(lf_provider *p, json_t *rows, const char *name, const char *target)
{
    const lf_catalog_model *m = lf_catalog_find(p->catalog, target);
    lf_buf path = { 0 };
    if (m)
        lf_catalog_file(m, p->home, &path);
    else
        lf_buf_add_str(&path, target);
    make_canonical(&path);
    json_t *row = path.failed ? NULL : list_row(p, name, m, lf_buf_cstr(&path));
    const bool ok = !path.failed && (!row || json_array_append_new(rows, row) == 0);
    lf_buf_release(&path);
    return ok;
}

json_t *lf_provider_list(lf_provider *p)
{
    json_t *rows = json_array();
    bool ok = rows != NULL;
    for (size_t i = 0; ok && i < lf_catalog_n_models(p->catalog); i++) {
        const char *id = lf_catalog_at(p->catalog, i)->id;
        ok = add_row(p, rows, id, id);
    }
    for (size_t i = 0; ok && i < p->n_aliases; i++)
        ok = add_row(p, rows, p->aliases[i].name, p->aliases[i].target);
    if (ok)
        return rows;
    json_decref(rows);
    return NULL;
}

json_t *lf_provider_memory(lf_provider *p)
{
    const lf_models_sum s = lf_models_get_sum(p->models);
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "budget_bytes", (json_int_t)s.budget_bytes,
                     "weights_bytes", (json_int_t)s.weights_bytes, "workspace_bytes",
                     (json_int_t)s.workspace_bytes, "kv_bytes", (json_int_t)s.kv_bytes,
                     "kv_limit_bytes", (json_int_t)s.kv_limit_bytes);
}

/* ---- vectors ---- */

static lf_status embed(void *ud, const lf_str *texts, size_t n, bool is_query, float *out,
                       lf_err *err)
{
    lf_provider *p = ud;
    lf_model *m = NULL;
    lf_status st = lf_provider_model(p, "default-embed", &m, err);
    if (st == LF_OK)
        st = lf_engine_embed(p->engine, m, texts, n, is_query ? LF_EMBED_QUERY : LF_EMBED_PASSAGE,
                             out, err);
    lf_model_unref(m);
    return st;
}

/* Vectors of another model would not compare with those that are stored: a file that was
 * replaced meanwhile is told. */
static lf_status keep_hash(lf_provider *p, const char *hash, lf_err *err)
{
    lf_status st = LF_OK;
    (void)pthread_mutex_lock(&p->lock);
    if (!p->embed_hash[0])
        memcpy(p->embed_hash, hash, sizeof p->embed_hash);
    else if (strcmp(p->embed_hash, hash) != 0)
        st = lf_fail(err, LF_ERR_CORRUPT,
                     "the embedding model's file was replaced by another model: start again");
    (void)pthread_mutex_unlock(&p->lock);
    return st;
}

lf_status lf_provider_embedder(lf_provider *p, lf_embedder *out, lf_err *err)
{
    lf_model *m = NULL;
    lf_status st = lf_provider_model(p, "default-embed", &m, err);
    if (st != LF_OK)
        return st;
    const lf_model_info *info = lf_model_get_info(m);
    if (!info->is_encoder)
        st = lf_fail(err, LF_ERR_UNSUPPORTED, "model '%s' (%s) gives no embeddings", info->name,
                     info->arch);
    if (st == LF_OK)
        st = keep_hash(p, info->hash, err);
    if (st == LF_OK)
        *out = (lf_embedder){
            .dim = (int32_t)info->n_embd, .model_hash = p->embed_hash, .embed = embed, .ud = p
        };
    lf_model_unref(m);
    return st;
}

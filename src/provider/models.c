/* provider/models.c - the models in memory, under one budget; see the header.
 *
 * An entry is listed before it is loaded: who asks for the same file meanwhile waits
 * for it, and who asks for another adds up what it is going to take.
 *
 * References of a loaded model: one of the entry, one of the engine where it has a
 * workspace for it, one for each user.  New ones are given under the lock only, so that
 * one that has nothing but the entry's, seen under the lock, can go. */
#include "provider/models.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

typedef struct entry {
    struct entry *next;
    char *path;
    lf_model *model;                      /* NULL while it is loaded */
    uint64_t weights, workspace, session; /* bytes; 0 until they are known */
    uint64_t used_at;
    bool idle; /* as look() last saw it */
} entry;

struct lf_models {
    lf_models_opts o;
    pthread_mutex_t lock;   /* guards all below; held while the engine is asked, never while
                             * a model is read */
    pthread_cond_t changed; /* a load came to its end */
    entry *list;
    uint64_t clock;
};

lf_status lf_models_open(const lf_models_opts *o, lf_models **out, lf_err *err)
{
    const uint64_t have = lf_mem_machine_bytes();
    lf_models *ms = lf_calloc(1, sizeof *ms);
    if (!ms)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the list of models");
    ms->o = *o;
    if (ms->o.budget_bytes == 0)
        ms->o.budget_bytes = have / 4 * 3;
    if (ms->o.kv_budget_bytes == 0)
        ms->o.kv_budget_bytes = have / 4;
    (void)pthread_mutex_init(&ms->lock, NULL);
    (void)pthread_cond_init(&ms->changed, NULL);
    *out = ms;
    return LF_OK;
}

static void drop(lf_models *ms, entry *e)
{
    for (entry **p = &ms->list; *p; p = &(*p)->next) {
        if (*p == e) {
            *p = e->next;
            break;
        }
    }
    lf_model_unref(e->model);
    lf_free(e->path);
    lf_free(e);
}

void lf_models_close(lf_models *ms)
{
    if (!ms)
        return;
    while (ms->list)
        drop(ms, ms->list);
    (void)pthread_cond_destroy(&ms->changed);
    (void)pthread_mutex_destroy(&ms->lock);
    lf_free(ms);
}

static entry *find(const lf_models *ms, const char *path)
{
    for (entry *e = ms->list; e; e = e->next)
        if (strcmp(e->path, path) == 0)
            return e;
    return NULL;
}

/* ---- the budget ---- */

/* Nobody holds it but the list, and the engine for its workspace. */
static bool is_idle(const lf_models *ms, const entry *e)
{
    return e->model && lf_model_n_refs(e->model) <=
                           (lf_engine_get_use(ms->o.engine, e->model).workspace_bytes ? 2 : 1);
}

static void look(lf_models *ms)
{
    for (entry *e = ms->list; e; e = e->next)
        e->idle = is_idle(ms, e);
}

/* All that models take and caches have to be able to take; `without_idle`: if the idle
 * ones were gone. */
static uint64_t needed(const lf_models *ms, uint64_t kv_busy, bool without_idle)
{
    uint64_t fixed = 0, session = kv_busy;
    for (const entry *e = ms->list; e; e = e->next) {
        if (without_idle && e->idle)
            continue;
        fixed += e->weights + e->workspace;
        session = e->session > session ? e->session : session;
    }
    return fixed + session;
}

static uint64_t fixed_bytes(const lf_models *ms)
{
    uint64_t sum = 0;
    for (const entry *e = ms->list; e; e = e->next)
        sum += e->weights + e->workspace;
    return sum;
}

static uint64_t kv_limit(const lf_models *ms)
{
    const uint64_t fixed = fixed_bytes(ms);
    const uint64_t rest = ms->o.budget_bytes > fixed ? ms->o.budget_bytes - fixed : 0;
    return rest < ms->o.kv_budget_bytes ? rest : ms->o.kv_budget_bytes;
}

static lf_status set_kv_limit(lf_models *ms, lf_err *err)
{
    return lf_engine_set_kv_budget(ms->o.engine, kv_limit(ms), err);
}

/* Let it go if that can be; false: somebody uses it after all. */
static bool evict(lf_models *ms, entry *e)
{
    if (lf_engine_forget(ms->o.engine, e->model, NULL) != LF_OK || lf_model_n_refs(e->model) != 1)
        return false;
    drop(ms, e);
    return true;
}

static entry *longest_unused(const lf_models *ms)
{
    entry *old = NULL;
    for (entry *e = ms->list; e; e = e->next)
        if (e->idle && (!old || e->used_at < old->used_at))
            old = e;
    return old;
}

static const char *name_of(const entry *e)
{
    const char *slash = strrchr(e->path, '/');
    return slash ? slash + 1 : e->path;
}

/* "qwen2.gguf 410 MiB (in use), …" */
static void tell_others(const lf_models *ms, const entry *asked, lf_buf *out)
{
    for (const entry *e = ms->list; e; e = e->next) {
        if (e != asked)
            lf_buf_addf(out, "%s%s %" PRIu64 " MiB%s", out->len ? ", " : "", name_of(e),
                        (e->weights + e->workspace) >> 20,
                        e->idle    ? ""
                        : e->model ? " (in use)"
                                   : " (being loaded)");
    }
    if (out->len == 0)
        lf_buf_add_str(out, "nothing");
}

static lf_status refuse(const lf_models *ms, const entry *e, uint64_t kv_busy, lf_err *err)
{
    lf_buf others = { 0 };
    tell_others(ms, e, &others);
    const lf_status st = lf_fail(
        err, LF_ERR_NOMEM,
        "cannot load '%.150s': it takes %" PRIu64 " MiB (weights %" PRIu64 ", workspace %" PRIu64
        ", cache of a session %" PRIu64 "); loaded are %.150s; "
        "caches at work %" PRIu64 " MiB; allowed are %" PRIu64 " MiB in all (models.memory_mib)",
        name_of(e), (e->weights + e->workspace + e->session) >> 20, e->weights >> 20,
        e->workspace >> 20, e->session >> 20, lf_buf_cstr(&others), kv_busy >> 20,
        ms->o.budget_bytes >> 20);
    lf_buf_release(&others);
    return st;
}

/* With the lock held: make room for `e`, whose numbers are set.  Nothing is let go in
 * vain: first it is seen whether that can be enough. */
static lf_status make_room(lf_models *ms, const entry *e, lf_err *err)
{
    const lf_engine_use use = lf_engine_get_use(ms->o.engine, NULL);
    look(ms);
    if (needed(ms, use.kv_busy_bytes, true) > ms->o.budget_bytes)
        return refuse(ms, e, use.kv_busy_bytes, err);
    while (needed(ms, use.kv_busy_bytes, false) > ms->o.budget_bytes) {
        entry *old = longest_unused(ms);
        if (!old)
            return refuse(ms, e, use.kv_busy_bytes, err);
        if (!evict(ms, old))
            old->idle = false; /* somebody came to use it meanwhile */
    }
    return set_kv_limit(ms, err);
}

/* ---- loading ---- */

typedef struct loading {
    lf_models *ms;
    entry *e;
} loading;

static lf_status admit(void *ud, const lf_model *m, lf_err *err)
{
    const loading *l = ud;
    entry *e = l->e;
    lf_engine_need need;
    lf_engine_get_need(l->ms->o.engine, m, &need);
    (void)pthread_mutex_lock(&l->ms->lock);
    e->weights = lf_model_get_info(m)->memory_bytes;
    e->workspace = need.workspace_bytes;
    e->session = need.session_bytes;
    const lf_status st = make_room(l->ms, e, err);
    if (st != LF_OK) /* what was refused takes nothing, also until its entry is gone */
        e->weights = e->workspace = e->session = 0;
    (void)pthread_mutex_unlock(&l->ms->lock);
    return st;
}

/* With the lock held, which is let go meanwhile. */
static lf_status load(lf_models *ms, const char *path, lf_model **out, lf_err *err)
{
    lf_status st;
    entry *e = lf_calloc(1, sizeof *e);
    loading l = { ms, e };
    const lf_model_opts opts = { .cache_dir = ms->o.cache_dir, .admit = admit, .ud = &l };
    if (e)
        e->path = lf_strdup(path);
    if (!e || !e->path) {
        lf_free(e);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to load '%s'", path);
    }
    lf_model *m = NULL;
    e->next = ms->list;
    ms->list = e;
    (void)pthread_mutex_unlock(&ms->lock);
    st = lf_model_open(path, &opts, &m, err);
    (void)pthread_mutex_lock(&ms->lock);
    if (st == LF_OK) {
        e->model = m;
        e->used_at = ++ms->clock;
        *out = lf_model_ref(m);
    } else {
        drop(ms, e);
        (void)!set_kv_limit(ms, NULL); /* as it was, or less than it could be */
    }
    (void)pthread_cond_broadcast(&ms->changed);
    return st;
}

lf_status lf_models_get(lf_models *ms, const char *path, lf_model **out, lf_err *err)
{
    entry *e;
    lf_status st = LF_OK;
    (void)pthread_mutex_lock(&ms->lock);
    while ((e = find(ms, path)) != NULL && !e->model)
        (void)pthread_cond_wait(&ms->changed, &ms->lock);
    if (e) {
        e->used_at = ++ms->clock;
        *out = lf_model_ref(e->model);
    } else {
        st = load(ms, path, out, err);
    }
    (void)pthread_mutex_unlock(&ms->lock);
    return st;
}

lf_status lf_models_unload(lf_models *ms, const char *path, uint64_t *freed, lf_err *err)
{
    lf_status st = LF_OK;
    *freed = 0;
    (void)pthread_mutex_lock(&ms->lock);
    entry *e = find(ms, path);
    if (e && !e->model) {
        st = lf_fail(err, LF_ERR_BUSY, "'%s' is being loaded", name_of(e));
    } else if (e) {
        const uint64_t bytes = e->weights + e->workspace;
        look(ms);
        if (e->idle && evict(ms, e)) {
            *freed = bytes;
            st = set_kv_limit(ms, err);
        } else {
            st = lf_fail(err, LF_ERR_BUSY, "'%s' is in use: it can go when its requests have ended",
                         name_of(e));
        }
    }
    (void)pthread_mutex_unlock(&ms->lock);
    return st;
}

/* ---- what there is ---- */

lf_model_use lf_models_use_of(lf_models *ms, const char *path)
{
    lf_model_use u = { 0 };
    (void)pthread_mutex_lock(&ms->lock);
    const entry *e = find(ms, path);
    if (e && e->model)
        u = (lf_model_use){ .loaded = true,
                            .in_use = !is_idle(ms, e),
                            .is_encoder = lf_model_get_info(e->model)->is_encoder,
                            .has_template = lf_model_template(e->model) != NULL,
                            .weights_bytes = e->weights,
                            .workspace_bytes = e->workspace,
                            .kv_bytes = lf_engine_get_use(ms->o.engine, e->model).kv_bytes };
    (void)pthread_mutex_unlock(&ms->lock);
    return u;
}

lf_models_sum lf_models_get_sum(lf_models *ms)
{
    (void)pthread_mutex_lock(&ms->lock);
    lf_models_sum s = { .budget_bytes = ms->o.budget_bytes,
                        .kv_bytes = lf_engine_get_use(ms->o.engine, NULL).kv_bytes,
                        .kv_limit_bytes = kv_limit(ms) };
    for (const entry *e = ms->list; e; e = e->next) {
        s.weights_bytes += e->weights;
        s.workspace_bytes += e->workspace;
    }
    (void)pthread_mutex_unlock(&ms->lock);
    return s;
}

/* provider/adapters.c - names to adapters, which are kept; see the header.
 *
 * The lock is held while an adapter is read: they are small, and who asks for the same one
 * meanwhile wants to wait for it. */
#include "provider/adapters.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

enum { KEPT_MAX = 16, NAME_BYTES_MAX = 100, NAMES_SHOWN = 12 };

typedef struct kept {
    char *path;
    char base_hash[65];
    struct timespec changed; /* of the file, when it was read */
    off_t size;
    lf_adapter *adapter;
    uint64_t used_at;
} kept;

struct lf_adapters {
    char *folder;
    pthread_mutex_t lock; /* guards all below; innermost */
    kept v[KEPT_MAX];
    uint64_t clock;
};

lf_status lf_adapters_open(const char *home, lf_adapters **out, lf_err *err)
{
    lf_adapters *as = lf_calloc(1, sizeof *as);
    if (as)
        as->folder = lf_path_join(home, "adapters");
    if (!as || !as->folder) {
        lf_free(as);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the list of adapters");
    }
    (void)pthread_mutex_init(&as->lock, NULL);
    *out = as;
    return LF_OK;
}

static void drop(kept *k)
{
    lf_adapter_unref(k->adapter);
    lf_free(k->path);
    *k = (kept){ 0 };
}

void lf_adapters_close(lf_adapters *as)
{
    if (!as)
        return;
    for (size_t i = 0; i < KEPT_MAX; i++)
        drop(&as->v[i]);
    (void)pthread_mutex_destroy(&as->lock);
    lf_free(as->folder);
    lf_free(as);
}

/* ---- names ---- */

/* What HOME/adapters has, "a, b": files and folders by their first name, in order. */
typedef struct names {
    lf_buf text;
    char last[NAME_BYTES_MAX + 1];
    int n;
} names;

static lf_status add_name(void *ud, const char *path, const char *rel, lf_err *err)
{
    names *ns = ud;
    char name[NAME_BYTES_MAX + 1];
    (void)path;
    (void)err;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(rel, "/"), rel);
    const size_t n = strlen(name);
    if (n > 5 && strcmp(name + n - 5, ".gguf") == 0)
        name[n - 5] = '\0';
    if (strcmp(name, ns->last) == 0)
        return LF_OK;
    memcpy(ns->last, name, sizeof name);
    if (ns->n++ < NAMES_SHOWN)
        lf_buf_addf(&ns->text, "%s%s", ns->text.len ? ", " : "", name);
    return LF_OK;
}

static lf_status no_adapter(const lf_adapters *as, const char *name, lf_err *err)
{
    names ns = { .n = 0 };
    (void)!lf_walk(as->folder, add_name, &ns, NULL); /* no folder: no names */
    const lf_status st = lf_fail(
        err, LF_ERR_NOT_FOUND, "there is no adapter '%.100s' in '%.200s'; there are: %s%s", name,
        as->folder, ns.n ? lf_buf_cstr(&ns.text) : "none", ns.n > NAMES_SHOWN ? ", …" : "");
    lf_buf_release(&ns.text);
    return st;
}

/* The file that says whether an adapter has been replaced: itself, or its weights. */
static lf_status find(const lf_adapters *as, const char *name, lf_buf *path, struct stat *sb,
                      lf_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.";
    static const char weights[] = "/adapter_model.safetensors";
    const size_t n = strlen(name);
    if (n == 0 || n > NAME_BYTES_MAX || name[0] == '.' || strspn(name, allowed) != n)
        return no_adapter(as, name, err);
    lf_buf_addf(path, "%s/%s.gguf", as->folder, name);
    bool here = stat(lf_buf_cstr(path), sb) == 0;
    if (!here) {
        lf_buf_clear(path);
        lf_buf_addf(path, "%s/%s%s", as->folder, name, weights);
        here = stat(lf_buf_cstr(path), sb) == 0;
        if (here) {
            path->len -= sizeof weights - 1;
            path->data[path->len] = '\0';
        }
    }
    if (path->failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a path");
    return here ? LF_OK : no_adapter(as, name, err);
}

/* ---- what is kept ---- */

static bool same_file(const kept *k, const struct stat *sb)
{
    return k->size == sb->st_size && k->changed.tv_sec == sb->st_mtim.tv_sec &&
           k->changed.tv_nsec == sb->st_mtim.tv_nsec;
}

static lf_status read_into(kept *k, const lf_model *m, const char *path, const struct stat *sb,
                           lf_err *err)
{
    kept fresh = { .changed = sb->st_mtim, .size = sb->st_size, .path = lf_strdup(path) };
    lf_status st = fresh.path ? lf_adapter_open(m, path, &fresh.adapter, err)
                              : lf_fail(err, LF_ERR_NOMEM, "no memory for a path");
    if (st != LF_OK) {
        drop(&fresh);
        return st;
    }
    memcpy(fresh.base_hash, lf_model_get_info(m)->hash, sizeof fresh.base_hash);
    drop(k);
    *k = fresh;
    return LF_OK;
}

lf_status lf_adapters_get(lf_adapters *as, const lf_model *m, const char *name, lf_adapter **out,
                          lf_err *err)
{
    lf_buf path = { 0 };
    struct stat sb;
    const char *hash = lf_model_get_info(m)->hash;
    lf_status st = find(as, name, &path, &sb, err);
    if (st != LF_OK) {
        lf_buf_release(&path);
        return st;
    }
    (void)pthread_mutex_lock(&as->lock);
    kept *k = NULL, *oldest = &as->v[0];
    for (size_t i = 0; i < KEPT_MAX && !k; i++) {
        kept *c = &as->v[i];
        if (c->adapter && strcmp(c->path, lf_buf_cstr(&path)) == 0 &&
            strcmp(c->base_hash, hash) == 0)
            k = c;
        else if (c->used_at < oldest->used_at)
            oldest = c;
    }
    if (!k || !same_file(k, &sb)) {
        k = k ? k : oldest;
        st = read_into(k, m, lf_buf_cstr(&path), &sb, err);
    }
    if (st == LF_OK) {
        k->used_at = ++as->clock;
        *out = lf_adapter_ref(k->adapter);
    }
    (void)pthread_mutex_unlock(&as->lock);
    lf_buf_release(&path);
    return st;
}

/* know/takein.c - what --in names, kept in a cache of its own.
 *
 * The cache is a state file like the other, at cache/in.lfdb, and may be deleted at
 * any time.  Its documents are named by source and content, and carry the settings
 * that shaped them, so that asking again finds them by the hash of the file alone.
 * A cache that is damaged or of another version is set aside and begun anew. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "know/know_int.h"

static const uint64_t CACHE_MAX_BYTES = (uint64_t)2 << 30;

typedef struct taking {
    const lf_add_opts *opts;
    lf_doc_set set;
    size_t cap;
    lf_err last; /* why the last failed document failed */
    bool failed; /* out of memory */
} taking;

static bool on_doc(void *ud, const char *source, const lf_add_result *r)
{
    taking *t = ud;
    bool go_on = true;
    if (r->state == LF_ADD_FAILED) {
        t->set.n_failed++;
        t->last = r->err;
    } else {
        if (t->set.n == t->cap) {
            const size_t cap = t->cap ? t->cap * 2 : 16;
            char **grown = lf_realloc(t->set.doc_ids, cap * sizeof *grown);
            if (grown) {
                t->set.doc_ids = grown;
                t->cap = cap;
            }
        }
        char *id = t->set.n < t->cap ? lf_strdup(r->doc_id) : NULL;
        if (id)
            t->set.doc_ids[t->set.n++] = id;
        t->failed = t->failed || !id;
        go_on = id != NULL;
    }
    if (t->opts->on_doc)
        go_on = t->opts->on_doc(t->opts->ud, source, r) && go_on;
    return go_on;
}

void lf_doc_set_release(lf_doc_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        lf_free(s->doc_ids[i]);
    lf_free(s->doc_ids);
    *s = (lf_doc_set){ 0 };
}

/* Remove the cache's files: nothing in it is not also elsewhere. */
static void discard(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        lf_buf b = { 0 };
        lf_buf_addf(&b, "%s%s", path, ends[i]);
        if (!b.failed)
            (void)unlink(b.data);
        lf_buf_release(&b);
    }
}

static lf_status open_cache(lf_know *k, lf_state **out, lf_err *err)
{
    lf_status st = lf_know_cache(k, out, err);
    if (st != LF_ERR_CORRUPT && st != LF_ERR_UNSUPPORTED && st != LF_ERR_FORMAT)
        return st;
    lf_log(LF_LOG_WARN, "the cache '%s' cannot be used and is begun anew", k->cache_path);
    discard(k->cache_path);
    return lf_know_cache(k, out, err);
}

lf_status lf_know_take_in(lf_know *k, const lf_scope *s, const char *const *paths, size_t n_paths,
                          const lf_add_opts *o, lf_doc_set *out, lf_err *err)
{
    static const lf_add_opts none = { 0 };
    taking t = { .opts = o ? o : &none };
    lf_ingest_target target = { .cached = true, .collection = "in", .opts = t.opts };
    lf_status st = open_cache(k, &target.state, err);
    for (size_t i = 0; i < n_paths && st == LF_OK; i++)
        st = lf_ingest_path(k, s, &target, paths[i], NULL, on_doc, &t, err);
    if (t.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to take in '%s'", paths[0]);
    if (st == LF_OK && t.set.n == 0 && t.set.n_failed) {
        if (err)
            *err = t.last;
        st = t.last.code;
    } else if (st == LF_OK && t.set.n == 0) {
        st = lf_fail(err, LF_ERR_NOT_FOUND, "'%s' has no document that can be read", paths[0]);
    }
    const char *const *ids = (const char *const *)t.set.doc_ids;
    lf_err aside = { 0 }; /* ageing is housekeeping: it never fails the search */
    if (st == LF_OK &&
        (lf_state_touch(target.state, ids, t.set.n, &aside) != LF_OK ||
         lf_state_trim(target.state, CACHE_MAX_BYTES, ids, t.set.n, &aside) != LF_OK))
        lf_log(LF_LOG_WARN, "the cache '%s' was not trimmed: %s", k->cache_path, aside.msg);
    if (st != LF_OK) {
        lf_doc_set_release(&t.set);
        return st;
    }
    *out = t.set;
    return LF_OK;
}

/* model/catalog.c - reads the catalogue of models and finds files by name.
 *
 * The YAML text becomes a JSON tree (base/yaml.h) that is kept: the rows borrow
 * its strings.  Every key is checked, an unknown one is an error, so that a
 * misspelt key can't silently do nothing. */
#include "model/catalog.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"

extern const unsigned char lf_catalog_yaml[];
extern const size_t lf_catalog_yaml_size;

struct lf_catalog {
    json_t *tree;
    lf_arena arena;
    lf_catalog_model *models;
    size_t n;
};

const char *lf_model_kind_name(lf_model_kind k)
{
    static const char *const names[] = { "chat", "base", "embedding" };
    return names[k];
}

/* ------------------------------------------------------------------ reading */

static lf_status only_keys(const json_t *o, const char *what, const char *const *keys, lf_err *err)
{
    const char *k;
    json_t *v;
    if (!json_is_object(o))
        return lf_fail(err, LF_ERR_FORMAT, "%s is not a map", what);
    json_object_foreach((json_t *)o, k, v)
    {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], k) != 0)
            i++;
        if (!keys[i])
            return lf_fail(err, LF_ERR_FORMAT, "%s has the unknown key '%s'", what, k);
    }
    return LF_OK;
}

static bool is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static lf_status get_sha(const json_t *o, const char *key, const char *what, const char **out,
                         lf_err *err)
{
    lf_status st = lf_json_get_str(o, key, "", out, err);
    if (st == LF_OK && **out && !is_sha256(*out))
        st = lf_fail(err, LF_ERR_FORMAT, "%s: %s is not 64 small hexadecimal digits", what, key);
    return st;
}

/* Names that become part of a path or a command line. */
static bool is_plain_name(const char *s)
{
    return *s && *s != '.' && *s != '-' &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
               strlen(s);
}

static lf_status read_part(const json_t *o, lf_catalog_part *p, lf_err *err)
{
    static const char *const keys[] = { "name",         "version",  "member",
                                        "wheel_sha256", "platform", NULL };
    lf_status st = only_keys(o, "a package", keys, err);
    if (st == LF_OK)
        st = lf_json_need_str(o, "name", &p->name, err);
    if (st == LF_OK)
        st = lf_json_need_str(o, "version", &p->version, err);
    if (st == LF_OK)
        st = lf_json_need_str(o, "member", &p->member, err);
    if (st == LF_OK)
        st = get_sha(o, "wheel_sha256", p->name, &p->wheel_sha256, err);
    if (st == LF_OK)
        st = lf_json_get_str(o, "platform", "", &p->platform, err);
    if (st == LF_OK && (!is_plain_name(p->name) || !is_plain_name(p->version) ||
                        (*p->platform && !is_plain_name(p->platform))))
        st = lf_fail(err, LF_ERR_FORMAT,
                     "package '%s' '%s': letters, digits, '.', '_' and '-' are allowed", p->name,
                     p->version);
    return st;
}

static lf_status read_source(lf_catalog *c, const json_t *o, lf_catalog_source *s, lf_err *err)
{
    static const char *const keys[] = { "hub",     "packages",   "checked",  "own_hash",
                                        "convert", "raw_sha256", "raw_size", NULL };
    int64_t raw = 0;
    lf_status st = only_keys(o, "a source", keys, err);
    if (st == LF_OK)
        st = lf_json_get_str(o, "hub", NULL, &s->url, err);
    if (st == LF_OK)
        st = lf_json_get_bool(o, "checked", false, &s->checked, err);
    if (st == LF_OK)
        st = lf_json_get_bool(o, "own_hash", false, &s->own_hash, err);
    if (st == LF_OK)
        st = lf_json_get_str(o, "convert", "", &s->convert, err);
    if (st == LF_OK)
        st = get_sha(o, "raw_sha256", "a source", &s->raw_sha256, err);
    if (st == LF_OK)
        st = lf_json_get_int(o, "raw_size", 0, 0, (int64_t)1 << 50, &raw, err);
    if (st != LF_OK)
        return st;
    s->raw_bytes = (uint64_t)raw;
    const json_t *parts = json_object_get(o, "packages");
    if ((s->url != NULL) == (parts != NULL) || (parts && json_array_size(parts) == 0))
        return lf_fail(err, LF_ERR_FORMAT, "a source needs either hub or packages");
    if (*s->convert && (strcmp(s->convert, "e5s1") != 0 || !*s->raw_sha256))
        return lf_fail(err, LF_ERR_FORMAT,
                       "convert is '%s': e5s1 is known, and it needs raw_sha256", s->convert);
    lf_catalog_part *p = lf_arena_alloc(&c->arena, (json_array_size(parts) + 1) * sizeof(*p));
    for (size_t i = 0; p && st == LF_OK && i < json_array_size(parts); i++)
        st = read_part(json_array_get(parts, i), &p[i], err);
    s->parts = p;
    s->n_parts = json_array_size(parts);
    return st;
}

static lf_status read_kind(const json_t *o, lf_catalog_model *m, lf_err *err)
{
    const char *kind = NULL;
    lf_status st = lf_json_need_str(o, "kind", &kind, err);
    if (st != LF_OK)
        return st;
    for (int k = LF_MODEL_CHAT; k <= LF_MODEL_EMBEDDING; k++) {
        if (strcmp(kind, lf_model_kind_name((lf_model_kind)k)) == 0) {
            m->kind = (lf_model_kind)k;
            return LF_OK;
        }
    }
    return lf_fail(err, LF_ERR_FORMAT, "kind is '%s': chat, base and embedding are known", kind);
}

static lf_status read_texts(const json_t *o, lf_catalog_model *m, lf_err *err)
{
    lf_status st = lf_json_need_str(o, "id", &m->id, err);
    if (st == LF_OK)
        st = lf_json_get_str(o, "name", m->id, &m->name, err);
    if (st == LF_OK)
        st = lf_json_need_str(o, "arch", &m->arch, err);
    if (st == LF_OK)
        st = lf_json_need_str(o, "licence", &m->licence, err);
    if (st == LF_OK)
        st = lf_json_get_str(o, "licence_url", "", &m->licence_url, err);
    if (st == LF_OK)
        st = lf_json_get_str(o, "notes", "", &m->notes, err);
    if (st == LF_OK)
        st = lf_json_need_str(o, "file", &m->file, err);
    if (st == LF_OK)
        st = get_sha(o, "sha256", m->id, &m->sha256, err);
    if (st == LF_OK && (!is_plain_name(m->id) || !is_plain_name(m->file)))
        st = lf_fail(err, LF_ERR_FORMAT,
                     "id '%s', file '%s': letters, digits, '.', '_' and '-' are allowed", m->id,
                     m->file);
    return st;
}

static lf_status read_languages(lf_catalog *c, const json_t *o, lf_catalog_model *m, lf_err *err)
{
    const json_t *list = json_object_get(o, "languages");
    const size_t n = json_array_size(list);
    const char **v = lf_arena_alloc(&c->arena, (n + 1) * sizeof(*v));
    for (size_t i = 0; v && i < n; i++) {
        v[i] = json_string_value(json_array_get(list, i));
        if (!v[i])
            return lf_fail(err, LF_ERR_FORMAT, "languages of '%s' must be text", m->id);
    }
    m->languages = v;
    m->n_languages = n;
    return LF_OK;
}

static lf_status read_model(lf_catalog *c, const json_t *o, lf_catalog_model *m, lf_err *err)
{
    static const char *const keys[] = { "id",    "name",    "kind",   "arch",    "languages",
                                        "file",  "size",    "sha256", "licence", "licence_url",
                                        "notes", "default", "memory", "sources", NULL };
    int64_t size = 0, memory = 0;
    lf_status st = only_keys(o, "a model", keys, err);
    if (st == LF_OK)
        st = read_texts(o, m, err);
    if (st == LF_OK)
        st = read_kind(o, m, err);
    if (st == LF_OK)
        st = lf_json_get_bool(o, "default", false, &m->is_default, err);
    if (st == LF_OK)
        st = lf_json_get_int(o, "size", 0, 0, (int64_t)1 << 50, &size, err);
    if (st == LF_OK)
        st = lf_json_get_int(o, "memory", 0, 0, (int64_t)1 << 50, &memory, err);
    if (st == LF_OK)
        st = read_languages(c, o, m, err);
    if (st != LF_OK)
        return st;
    m->size_bytes = (uint64_t)size;
    m->memory_bytes = (uint64_t)memory;
    const json_t *list = json_object_get(o, "sources");
    const size_t n = json_array_size(list);
    if (n == 0)
        return lf_fail(err, LF_ERR_FORMAT, "model '%s' has no sources", m->id);
    lf_catalog_source *s = lf_arena_alloc(&c->arena, n * sizeof(*s));
    for (size_t i = 0; s && st == LF_OK && i < n; i++)
        st = read_source(c, json_array_get(list, i), &s[i], err);
    m->sources = s;
    m->n_sources = n;
    return st;
}

static lf_status read_all(lf_catalog *c, lf_err *err)
{
    const json_t *list = json_object_get(c->tree, "models");
    lf_status st = LF_OK;
    if (!json_is_array(list))
        return lf_fail(err, LF_ERR_FORMAT, "there is no list 'models'");
    c->n = json_array_size(list);
    c->models = lf_arena_alloc(&c->arena, (c->n + 1) * sizeof(*c->models));
    for (size_t i = 0; c->models && st == LF_OK && i < c->n; i++) {
        st = read_model(c, json_array_get(list, i), &c->models[i], err);
        if (st != LF_OK)
            return lf_err_context(err, st, "model %zu of %zu", i + 1, c->n);
        for (size_t k = 0; k < i; k++)
            if (strcmp(c->models[k].id, c->models[i].id) == 0)
                return lf_fail(err, LF_ERR_FORMAT, "two models have the id '%s'", c->models[i].id);
    }
    return c->arena.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the catalogue") : st;
}

lf_status lf_catalog_open(const char *path, lf_catalog **out, lf_err *err)
{
    lf_buf text = { 0 };
    const char *name = path ? path : "models/catalog.yaml";
    lf_status st = LF_OK;
    lf_catalog *c = lf_calloc(1, sizeof(*c));
    if (!c) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the catalogue of models");
        goto done;
    }
    lf_arena_init(&c->arena, 16u << 20);
    if (path)
        st = lf_file_read(path, 4u << 20, &text, err);
    if (st == LF_OK)
        st = lf_yaml_parse(path ? lf_buf_cstr(&text) : (const char *)lf_catalog_yaml,
                           path ? text.len : lf_catalog_yaml_size, name, &c->tree, NULL, err);
    if (st == LF_OK) {
        st = read_all(c, err);
        if (st != LF_OK) {
            if (st == LF_ERR_ARG) /* a key that is missing or of the wrong type */
                st = err ? (err->code = LF_ERR_FORMAT) : LF_ERR_FORMAT;
            st = lf_err_context(err, st, "%s", name);
        }
    }
    if (st == LF_OK) {
        *out = c;
        c = NULL;
    }
done:
    lf_buf_release(&text);
    lf_catalog_close(c);
    return st;
}

void lf_catalog_close(lf_catalog *c)
{
    if (!c)
        return;
    json_decref(c->tree);
    lf_arena_release(&c->arena);
    lf_free(c);
}

/* ------------------------------------------------------------------ finding */

size_t lf_catalog_n_models(const lf_catalog *c)
{
    return c->n;
}

const lf_catalog_model *lf_catalog_at(const lf_catalog *c, size_t i)
{
    return i < c->n ? &c->models[i] : NULL;
}

const lf_catalog_model *lf_catalog_find(const lf_catalog *c, const char *name)
{
    const bool chat = strcmp(name, "default") == 0;
    const bool embed = strcmp(name, "default-embed") == 0;
    for (size_t i = 0; i < c->n; i++) {
        const lf_catalog_model *m = &c->models[i];
        if (chat || embed) {
            if (m->is_default && (m->kind == LF_MODEL_EMBEDDING) == embed)
                return m;
        } else if (strcmp(m->id, name) == 0) {
            return m;
        }
    }
    return NULL;
}

void lf_catalog_file(const lf_catalog_model *m, const char *home, lf_buf *out)
{
    lf_buf_addf(out, "%s/models/%s", home, m->file);
}

lf_status lf_catalog_path(const lf_catalog *c, const char *home, const char *name, lf_buf *out,
                          lf_err *err)
{
    const size_t start = out->len;
    const lf_catalog_model *m = lf_catalog_find(c, name);
    if (!m && !lf_path_exists(name)) {
        lf_buf known = { 0 };
        for (size_t i = 0; i < c->n; i++)
            lf_buf_addf(&known, "%s%s", i ? ", " : "", c->models[i].id);
        lf_status st = lf_fail(err, LF_ERR_NOT_FOUND,
                               "there is no model '%s': it is neither a file nor one of %s", name,
                               lf_buf_cstr(&known));
        lf_buf_release(&known);
        return st;
    }
    if (m)
        lf_catalog_file(m, home, out);
    else
        lf_buf_add_str(out, name);
    if (out->failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the path of a model");
    if (m && !lf_path_exists(out->data + start)) {
        out->data[out->len = start] = '\0';
        return lf_fail(err, LF_ERR_NOT_FOUND,
                       "the model '%s' is not on this machine: get it by `landfall model pull %s`",
                       m->id, m->id);
    }
    return LF_OK;
}

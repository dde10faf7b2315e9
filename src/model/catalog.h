/* model/catalog.h - the catalogue of models, and where a named model is on disk.
 *
 * models/catalog.yaml is part of the executable; a file given instead replaces
 * it.  A model that has been pulled is HOME/models/FILE, and beside it
 * HOME/models/FILE.json records what was verified (size, SHA-256, source).
 *
 * Ownership  lf_catalog owns all that it hands out, until lf_catalog_close.
 * Threads    Immutable once open.
 * Errors     LF_ERR_FORMAT with line for a bad catalogue; LF_ERR_NOT_FOUND for
 *            a model that is unknown or not pulled yet (the message names
 *            `landfall model pull ID`).
 */
#ifndef LF_MODEL_CATALOG_H
#define LF_MODEL_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_catalog lf_catalog;

typedef enum lf_model_kind {
    LF_MODEL_CHAT, /* instruct model with a chat template */
    LF_MODEL_BASE, /* continues text, follows no instructions */
    LF_MODEL_EMBEDDING
} lf_model_kind;

typedef struct lf_catalog_part { /* one package of the Python index, and the file in its wheel */
    const char *name, *version, *member;
    const char *wheel_sha256; /* "" = not stated */
    const char *platform;     /* wheel platform to ask for; "" = any */
} lf_catalog_part;

typedef struct lf_catalog_source {
    const char *url; /* hub address; NULL = packages */
    bool own_hash;   /* the hub has another build of the model: what it states counts */
    bool checked;    /* this source was fetched and looked into (docs/models.md) */
    const lf_catalog_part *parts; /* concatenated in order */
    size_t n_parts;
    const char *convert;    /* "" or "e5s1": the parts give that format, made into GGUF */
    const char *raw_sha256; /* of what is converted; "" unless convert is set */
    uint64_t raw_bytes;
} lf_catalog_source;

typedef struct lf_catalog_model {
    const char *id, *name, *arch, *licence, *licence_url, *notes;
    const char *file; /* name below HOME/models */
    lf_model_kind kind;
    bool is_default; /* "default" (chat) or "default-embed" (embedding) */
    const char *const *languages;
    size_t n_languages;
    uint64_t size_bytes;   /* 0 = only the hub states it */
    const char *sha256;    /* "" = only the hub states it */
    uint64_t memory_bytes; /* to run it with 4,096 tokens of context, about */
    const lf_catalog_source *sources;
    size_t n_sources;
} lf_catalog_model;

/* `path` NULL = the catalogue in the executable. */
LF_MUST_CHECK lf_status lf_catalog_open(const char *path, lf_catalog **out, lf_err *err);
void lf_catalog_close(lf_catalog *c); /* NULL is a no-op */

size_t lf_catalog_n_models(const lf_catalog *c);
const lf_catalog_model *lf_catalog_at(const lf_catalog *c, size_t i);

/* By id, "default" or "default-embed"; NULL = no such row. */
const lf_catalog_model *lf_catalog_find(const lf_catalog *c, const char *name);

/* HOME/models/FILE appended to `out`, whether or not it exists. */
void lf_catalog_file(const lf_catalog_model *m, const char *home, lf_buf *out);

/* What `name` (id, "default", "default-embed" or a path) is on disk, appended to
 * `out`.  A catalogue name goes before a file of that name; "./NAME" is always a
 * path. */
LF_MUST_CHECK lf_status lf_catalog_path(const lf_catalog *c, const char *home, const char *name,
                                        lf_buf *out, lf_err *err);

const char *lf_model_kind_name(lf_model_kind k); /* "chat", "base", "embedding" */

#ifdef __cplusplus
}
#endif
#endif

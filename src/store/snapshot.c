/* store/snapshot.c - building snapshots, with what the one before already holds.
 *
 * Vectors take nearly all of the memory.  As long as they are few they are kept as
 * stored (f16); a file with many keeps them as Q4_0, and search.c reads the stored
 * ones of the candidates that matter. */
#include "store/snapshot_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tensor/type.h"
#include "tensor/vec.h"

static void doc_unref(lf_snap_doc *d)
{
    if (!d || atomic_fetch_sub(&d->refs, 1) > 1)
        return;
    lf_free(d->lens);
    lf_free(d->vectors);
    lf_free(d->packed);
    lf_free(d->first_vector);
    lf_free(d->means);
    lf_free(d);
}

void lf_snapshot_unref(lf_snapshot *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    for (size_t i = 0; i < s->n_docs; i++)
        doc_unref(s->docs[i]);
    for (size_t i = 0; i < s->n_collections; i++)
        lf_free(s->collections[i].name);
    lf_free(s->model);
    lf_free(s->docs);
    lf_free(s->first);
    lf_free(s->doc_of);
    lf_free(s->lens);
    lf_free(s->dense_of);
    lf_free(s->by_doc_id);
    lf_free(s->segments);
    lf_free(s->collections);
    lf_free(s);
}

static lf_status no_memory(lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
}

/* Room for one more element; a power of two at a time. */
static bool grow(void **v, size_t n, size_t size)
{
    if (n & (n - 1) && n)
        return true;
    if (n && n < 16)
        return true;
    void *p = lf_realloc(*v, (n ? n * 2 : 16) * size);
    if (p)
        *v = p;
    return p != NULL;
}

static uint64_t n_vectors_of(const lf_snap_doc *d)
{
    return d->dim ? d->first_vector[d->n_chunks] : 0;
}

/* Pack a chunk's vectors, f16[n, dim] at any address, and their mean, which the coarse
 * pass over many chunks looks at (search.c); `row`, `sum` and `half` are scratch. */
static void pack_chunk(const lf_snap_doc *d, uint32_t i, const uint8_t *f16, float *row, float *sum,
                       uint16_t *half)
{
    const size_t dim = (size_t)d->dim, values = lf_snap_row_values(d->dim);
    const size_t bytes = lf_snap_row_bytes(d->dim);
    memset(row, 0, values * sizeof *row);
    memset(sum, 0, values * sizeof *sum);
    for (uint32_t k = d->first_vector[i]; k < d->first_vector[i + 1]; k++) {
        memcpy(half, f16 + k * dim * sizeof *half, dim * sizeof *half);
        lf_vec_f16_to_f32(half, dim, row);
        for (size_t x = 0; x < dim; x++)
            sum[x] += row[x];
        lf_quant_row_ref(LF_Q4_0, row, d->packed + k * bytes, values);
    }
    lf_vec_normalize(sum, dim);
    lf_quant_row_ref(LF_Q4_0, sum, d->means + i * bytes, values);
}

/* `f16` holds the vectors of a document whose other members are filled. */
static lf_status pack_vectors(lf_snap_doc *d, const void *f16, lf_err *err)
{
    const size_t values = lf_snap_row_values(d->dim), bytes = lf_snap_row_bytes(d->dim);
    float *row = lf_alloc(3 * values * sizeof *row); /* a row, a sum, a row of halves */
    d->packed = lf_alloc((size_t)n_vectors_of(d) * bytes);
    d->means = lf_alloc(d->n_chunks * bytes);
    const bool ok = row && d->packed && d->means;
    for (uint32_t i = 0; ok && i < d->n_chunks; i++)
        pack_chunk(d, i, f16, row, row + values, (uint16_t *)(void *)(row + 2 * values));
    lf_free(row);
    return ok ? LF_OK : no_memory(err);
}

/* The document with its vectors packed; it shares nothing with the one before. */
static lf_status packed_copy(const lf_snap_doc *d, lf_snap_doc **out, lf_err *err)
{
    lf_snap_doc *c = lf_alloc(sizeof *c);
    if (!c)
        return no_memory(err);
    memcpy(c, d, sizeof *c);
    atomic_init(&c->refs, 1);
    c->vectors = NULL;
    c->lens = lf_alloc(d->n_chunks * sizeof *c->lens);
    c->first_vector = lf_alloc((d->n_chunks + 1) * sizeof *c->first_vector);
    lf_status st = c->lens && c->first_vector ? LF_OK : no_memory(err);
    if (st == LF_OK) {
        memcpy(c->lens, d->lens, d->n_chunks * sizeof *c->lens);
        memcpy(c->first_vector, d->first_vector, (d->n_chunks + 1) * sizeof *c->first_vector);
        st = pack_vectors(c, d->vectors, err);
    }
    if (st != LF_OK) {
        doc_unref(c);
        return st;
    }
    *out = c;
    return LF_OK;
}

/* `q` stands on a row of (dim, counts, data). */
static lf_status copy_vectors(sqlite3_stmt *q, lf_snap_doc *d, bool packed, lf_err *err)
{
    const int64_t dim = sqlite3_column_int64(q, 0);
    const size_t n_bytes = (size_t)sqlite3_column_bytes(q, 2);
    const uint8_t *counts = sqlite3_column_blob(q, 1);
    uint64_t total = 0;
    if (dim < 1 || dim > 65536 ||
        (size_t)sqlite3_column_bytes(q, 1) != d->n_chunks * sizeof(uint16_t))
        return lf_fail(err, LF_ERR_CORRUPT, "the vectors of document %s are damaged", d->doc_id);
    d->first_vector = lf_alloc((d->n_chunks + 1) * sizeof *d->first_vector);
    if (!d->first_vector)
        return no_memory(err);
    for (uint32_t i = 0; i < d->n_chunks; i++) {
        uint16_t count;
        memcpy(&count, counts + i * sizeof count, sizeof count);
        d->first_vector[i] = (uint32_t)total;
        total += count;
    }
    d->first_vector[d->n_chunks] = (uint32_t)total;
    if (n_bytes != total * (uint64_t)dim * sizeof *d->vectors)
        return lf_fail(err, LF_ERR_CORRUPT, "the vectors of document %s are damaged", d->doc_id);
    d->dim = (int32_t)dim;
    if (packed)
        return pack_vectors(d, sqlite3_column_blob(q, 2), err);
    d->vectors = lf_alloc(n_bytes);
    if (!d->vectors)
        return no_memory(err);
    if (n_bytes)
        memcpy(d->vectors, sqlite3_column_blob(q, 2), n_bytes);
    return LF_OK;
}

static lf_status load_vectors(lf_db *db, lf_snap_doc *d, const char *model, bool packed,
                              lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    if (!*model)
        return LF_OK;
    lf_status st =
        lf_db_stmt(db, "SELECT dim, counts, data FROM vectors WHERE doc=? AND model=?", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, d->id);
    (void)sqlite3_bind_text(q, 2, model, -1, SQLITE_STATIC);
    st = lf_db_row(db, q, "read vectors", &has, err);
    if (st == LF_OK && has)
        st = copy_vectors(q, d, packed, err);
    (void)sqlite3_reset(q);
    return st;
}

/* What names a document's content and all that shaped its rows, in columns 1, 5 and 6. */
static uint64_t key_of(sqlite3_stmt *q)
{
    uint64_t parts[3];
    for (int i = 0; i < 3; i++) {
        const int column = i == 0 ? 1 : 4 + i;
        const void *p = sqlite3_column_text(q, column);
        parts[i] = lf_hash64(p ? p : "", (size_t)sqlite3_column_bytes(q, column));
    }
    return lf_hash64(parts, sizeof parts);
}

/* One document from the current row of `q`. */
static lf_status load_doc(lf_db *db, sqlite3_stmt *q, const char *model, bool packed,
                          lf_snap_doc **out, lf_err *err)
{
    lf_snap_doc *d = lf_calloc(1, sizeof *d);
    if (!d)
        return no_memory(err);
    atomic_init(&d->refs, 1);
    d->id = sqlite3_column_int64(q, 0);
    const char *doc_id = (const char *)sqlite3_column_text(q, 1);
    (void)snprintf(d->doc_id, sizeof d->doc_id, "%s", doc_id ? doc_id : "");
    d->collection = sqlite3_column_int64(q, 2);
    d->first_chunk = (uint32_t)sqlite3_column_int64(q, 3); /* in range: load_docs */
    d->n_chunks = (uint32_t)sqlite3_column_int64(q, 4);
    d->key = key_of(q);
    sqlite3_stmt *l;
    bool has = false;
    lf_status st = lf_db_stmt(db, "SELECT lens FROM documents WHERE id=?", &l, err);
    if (st == LF_OK) {
        (void)sqlite3_bind_int64(l, 1, d->id);
        st = lf_db_row(db, l, "read documents", &has, err);
    }
    const size_t n_bytes = has ? (size_t)sqlite3_column_bytes(l, 0) : 0;
    if (st == LF_OK && n_bytes != d->n_chunks * sizeof *d->lens)
        st = lf_fail(err, LF_ERR_CORRUPT, "the row of document %s is damaged", d->doc_id);
    if (st == LF_OK) {
        d->lens = lf_alloc(n_bytes);
        if (!d->lens)
            st = no_memory(err);
        else if (n_bytes)
            memcpy(d->lens, sqlite3_column_blob(l, 0), n_bytes);
        (void)sqlite3_reset(l);
    }
    for (uint32_t i = 0; st == LF_OK && i < d->n_chunks; i++)
        d->total_len += d->lens[i];
    if (st == LF_OK)
        st = load_vectors(db, d, model, packed, err);
    if (st != LF_OK) {
        doc_unref(d);
        return st;
    }
    *out = d;
    return LF_OK;
}

/* Chunk ids of documents do not overlap, and none is above those given out so far:
 * the tables that number_chunks fills stand on it. */
static lf_status check_ids(int64_t first, int64_t n, int64_t *taken, int64_t limit, lf_err *err)
{
    if (first < *taken || n < 0 || first > limit || n > limit - first)
        return lf_fail(err, LF_ERR_CORRUPT,
                       "the documents' passages are damaged: %lld from number %lld on, where %lld "
                       "to %lld are free",
                       (long long)n, (long long)first, (long long)*taken, (long long)limit);
    *taken = first + n;
    return LF_OK;
}

/* Pack what was loaded before it was known that there are so many. */
static lf_status pack_the_rest(lf_snapshot *s, lf_err *err)
{
    lf_status st = LF_OK;
    for (size_t i = 0; i < s->n_docs && st == LF_OK; i++) {
        lf_snap_doc *packed = NULL;
        if (!s->docs[i]->vectors)
            continue;
        st = packed_copy(s->docs[i], &packed, err);
        if (st == LF_OK) {
            doc_unref(s->docs[i]);
            s->docs[i] = packed;
        }
    }
    return st;
}

/* Both lists ascend by first chunk, so that what is shared is met by one walk. */
static lf_status load_docs(lf_db *db, lf_snapshot *s, const lf_snapshot *before, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    size_t at = 0;
    int64_t taken = 0, limit = 0;
    const bool same_model = before && !strcmp(before->model, s->model);
    lf_status st = lf_db_int(db, "SELECT value FROM meta WHERE key='next_chunk'", 0, &limit, err);
    if (limit > UINT32_MAX)
        limit = UINT32_MAX;
    if (st == LF_OK)
        st = lf_db_stmt(db,
                        "SELECT id, doc_id, collection, first_chunk, n_chunks, hash, settings"
                        " FROM documents ORDER BY first_chunk, id",
                        &q, err);
    if (st != LF_OK)
        return st;
    while ((st = lf_db_row(db, q, "read documents", &has, err)) == LF_OK && has) {
        const int64_t id = sqlite3_column_int64(q, 0);
        const int64_t first = sqlite3_column_int64(q, 3);
        lf_snap_doc *d = NULL;
        st = check_ids(first, sqlite3_column_int64(q, 4), &taken, limit, err);
        if (st != LF_OK)
            break;
        if (!grow((void **)&s->docs, s->n_docs, sizeof *s->docs)) {
            st = no_memory(err);
            break;
        }
        while (same_model && at < before->n_docs &&
               (before->docs[at]->first_chunk < first ||
                (before->docs[at]->first_chunk == first && before->docs[at]->id < id)))
            at++;
        if (same_model && at < before->n_docs && before->docs[at]->id == id) {
            d = before->docs[at];
            atomic_fetch_add(&d->refs, 1);
        } else {
            st = load_doc(db, q, s->model, s->is_packed, &d, err);
        }
        if (st != LF_OK)
            break;
        s->docs[s->n_docs++] = d;
        s->n_vectors += n_vectors_of(d);
        s->is_packed = s->is_packed || s->n_vectors > LF_SNAP_EXACT_MAX;
    }
    (void)sqlite3_reset(q);
    return st == LF_OK && s->is_packed ? pack_the_rest(s, err) : st;
}

static lf_status load_small_tables(lf_db *db, lf_snapshot *s, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(db, "SELECT id FROM segments ORDER BY id", &q, err);
    if (st != LF_OK)
        return st;
    while ((st = lf_db_row(db, q, "read segments", &has, err)) == LF_OK && has) {
        if (!grow((void **)&s->segments, s->n_segments, sizeof *s->segments)) {
            (void)sqlite3_reset(q);
            return no_memory(err);
        }
        s->segments[s->n_segments++] = sqlite3_column_int64(q, 0);
    }
    (void)sqlite3_reset(q);
    if (st == LF_OK)
        st = lf_db_stmt(db, "SELECT id, name FROM collections", &q, err);
    while (st == LF_OK && (st = lf_db_row(db, q, "read collections", &has, err)) == LF_OK && has) {
        const char *name = (const char *)sqlite3_column_text(q, 1);
        char *copy = lf_strdup(name ? name : "");
        if (!copy || !grow((void **)&s->collections, s->n_collections, sizeof *s->collections)) {
            lf_free(copy);
            st = no_memory(err);
            break;
        }
        s->collections[s->n_collections++] =
            (lf_snap_collection){ .id = sqlite3_column_int64(q, 0), .name = copy };
    }
    (void)sqlite3_reset(q);
    return st;
}

static int by_doc_id(const void *x, const void *y, void *ud)
{
    const lf_snapshot *s = ud;
    return strcmp(s->docs[*(const uint32_t *)x]->doc_id, s->docs[*(const uint32_t *)y]->doc_id);
}

static lf_status number_chunks(lf_snapshot *s, lf_err *err)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_docs; i++)
        n += s->docs[i]->n_chunks;
    s->n_chunks = (size_t)n;
    if (s->n_docs) {
        const lf_snap_doc *last = s->docs[s->n_docs - 1];
        s->base = s->docs[0]->first_chunk;
        s->n_ids = (size_t)last->first_chunk + last->n_chunks - s->base;
    }
    s->first = lf_alloc((s->n_docs + 1) * sizeof *s->first);
    s->by_doc_id = lf_alloc((s->n_docs + 1) * sizeof *s->by_doc_id);
    s->doc_of = lf_alloc((s->n_chunks + 1) * sizeof *s->doc_of);
    s->lens = lf_alloc((s->n_chunks + 1) * sizeof *s->lens);
    s->dense_of = lf_alloc((s->n_ids + 1) * sizeof *s->dense_of);
    if (!s->first || !s->by_doc_id || !s->doc_of || !s->lens || !s->dense_of)
        return no_memory(err);
    memset(s->dense_of, 0xFF, (s->n_ids + 1) * sizeof *s->dense_of);
    uint32_t dense = 0;
    for (size_t i = 0; i < s->n_docs; i++) {
        const lf_snap_doc *d = s->docs[i];
        s->by_doc_id[i] = (uint32_t)i;
        s->first[i] = dense;
        for (uint32_t k = 0; k < d->n_chunks; k++) {
            s->doc_of[dense] = (uint32_t)i;
            s->lens[dense] = d->lens[k];
            s->dense_of[d->first_chunk - s->base + k] = dense++;
        }
    }
    s->first[s->n_docs] = dense;
    if (s->n_docs)
        qsort_r(s->by_doc_id, s->n_docs, sizeof *s->by_doc_id, by_doc_id, s);
    return LF_OK;
}

static lf_status build(lf_db *db, int64_t generation, const char *model, const lf_snapshot *before,
                       lf_snapshot **out, lf_err *err)
{
    lf_snapshot *s = lf_calloc(1, sizeof *s);
    if (!s)
        return no_memory(err);
    atomic_init(&s->refs, 1);
    s->generation = generation;
    s->model = lf_strdup(model);
    s->is_packed = before && before->is_packed && !strcmp(before->model, model);
    lf_status st = s->model ? load_docs(db, s, before, err) : no_memory(err);
    if (st == LF_OK && s->is_packed && s->n_vectors <= LF_SNAP_EXACT_MAX) {
        /* few again: how they are kept depends on the file alone, not on what it was */
        lf_snapshot_unref(s);
        return build(db, generation, model, NULL, out, err);
    }
    if (st == LF_OK)
        st = load_small_tables(db, s, err);
    if (st == LF_OK)
        st = number_chunks(s, err);
    if (st != LF_OK) {
        lf_snapshot_unref(s);
        return st;
    }
    *out = s;
    return LF_OK;
}

lf_status lf_snapshot_get(lf_state *s, lf_db *db, const char *model, lf_snapshot **out, lf_err *err)
{
    int64_t generation = 0;
    lf_snapshot *before, *now = NULL;
    lf_status st =
        lf_db_int(db, "SELECT value FROM meta WHERE key='generation'", 0, &generation, err);
    if (st != LF_OK)
        return st;
    (void)pthread_mutex_lock(&s->lock);
    before = s->snapshot;
    if (before)
        atomic_fetch_add(&before->refs, 1);
    (void)pthread_mutex_unlock(&s->lock);
    if (before && before->generation == generation && !strcmp(before->model, model)) {
        *out = before;
        return LF_OK;
    }
    st = build(db, generation, model, before, &now, err);
    lf_snapshot_unref(before);
    if (st != LF_OK)
        return st;
    (void)pthread_mutex_lock(&s->lock);
    before = s->snapshot;
    if (!before || before->generation <= generation) { /* keep the newest */
        s->snapshot = now;
        atomic_fetch_add(&now->refs, 1);
    } else {
        before = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    lf_snapshot_unref(before);
    *out = now;
    return LF_OK;
}

/* store/search.c - the two scans over one view, and what a result needs to be shown.
 *
 * Term scan: term at a time into a dense accumulator.  A term's lists are decoded
 * into one array first, where what is not allowed has been left out, because its
 * document frequency is that of the allowed chunks; then its weight is known and
 * added.  With a few dozen terms over 100,000 chunks this is bounded by memory
 * speed, and it is exact: no block of chunks is skipped by an estimate. */
#include "store/search.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "store/postings_int.h"
#include "store/snapshot_int.h"
#include "tensor/type.h"
#include "tensor/vec.h"

struct lf_view {
    lf_state *state;
    lf_db *db;
    lf_snapshot *snap;
    uint8_t *allow; /* [n_docs] */
    size_t n_allowed;
    float mean_len;
    lf_posting *hits; /* scratch of the term scan: chunk = dense number */
    size_t hits_cap;
};

/* ---- the view ---- */

static void allow_doc_ids(const lf_snapshot *s, const lf_filter *f, uint8_t *named)
{
    for (size_t i = 0; i < f->n_doc_ids; i++) {
        size_t lo = 0, hi = s->n_docs;
        while (lo < hi) {
            const size_t mid = (lo + hi) / 2;
            if (strcmp(s->docs[s->by_doc_id[mid]]->doc_id, f->doc_ids[i]) < 0)
                lo = mid + 1;
            else
                hi = mid;
        }
        if (lo < s->n_docs && !strcmp(s->docs[s->by_doc_id[lo]]->doc_id, f->doc_ids[i]))
            named[s->by_doc_id[lo]] = 1;
    }
}

static lf_status apply_scope(lf_view *v, const lf_scope *scope, const lf_filter *f, lf_err *err)
{
    const lf_snapshot *s = v->snap;
    uint64_t total = 0;
    v->allow = lf_calloc(s->n_docs + 1, 1);
    if (!v->allow)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
    if (f->n_doc_ids)
        allow_doc_ids(s, f, v->allow);
    else
        memset(v->allow, 1, s->n_docs);
    for (size_t c = 0; c < s->n_collections; c++) {
        const char *name = s->collections[c].name;
        if (lf_scope_allows(scope, name) && (!f->collection || !strcmp(f->collection, name)))
            continue;
        for (size_t i = 0; i < s->n_docs; i++)
            if (s->docs[i]->collection == s->collections[c].id)
                v->allow[i] = 0;
    }
    for (size_t i = 0; i < s->n_docs; i++)
        if (v->allow[i]) {
            v->n_allowed += s->docs[i]->n_chunks;
            total += s->docs[i]->total_len;
        }
    v->mean_len = v->n_allowed && total ? (float)((double)total / (double)v->n_allowed) : 1.0f;
    return LF_OK;
}

lf_status lf_view_open(lf_state *s, const lf_scope *scope, const lf_filter *f, const char *model,
                       lf_view **out, lf_err *err)
{
    lf_view *v = lf_calloc(1, sizeof *v);
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
    v->state = s;
    lf_status st = lf_state_begin_read(s, &v->db, err);
    if (st == LF_OK)
        st = lf_snapshot_get(s, v->db, model ? model : "", &v->snap, err);
    if (st == LF_OK)
        st = apply_scope(v, scope, f, err);
    if (st != LF_OK) {
        lf_view_close(v);
        return st;
    }
    *out = v;
    return LF_OK;
}

void lf_view_close(lf_view *v)
{
    if (!v)
        return;
    lf_state_end_read(v->state, v->db);
    lf_snapshot_unref(v->snap);
    lf_free(v->allow);
    lf_free(v->hits);
    lf_free(v);
}

bool lf_view_knows(const lf_view *v, const lf_scope *scope, const char *collection)
{
    for (size_t i = 0; i < v->snap->n_collections; i++)
        if (!strcmp(v->snap->collections[i].name, collection))
            return lf_scope_allows(scope, collection);
    return false;
}

size_t lf_view_n_chunks(const lf_view *v)
{
    return v->snap->n_chunks;
}

size_t lf_view_n_allowed(const lf_view *v)
{
    return v->n_allowed;
}

bool lf_view_allows(const lf_view *v, size_t chunk)
{
    return v->allow[v->snap->doc_of[chunk]];
}

size_t lf_view_doc_of(const lf_view *v, size_t chunk, size_t *first, size_t *n)
{
    const size_t d = v->snap->doc_of[chunk];
    *first = v->snap->first[d];
    *n = v->snap->docs[d]->n_chunks;
    return d;
}

const char *lf_view_doc_id(const lf_view *v, size_t doc)
{
    return v->snap->docs[doc]->doc_id;
}

float lf_view_mean_len(const lf_view *v)
{
    return v->mean_len;
}

uint64_t lf_view_documents(const lf_view *v, size_t *n)
{
    uint64_t sum = 0;
    *n = 0;
    for (size_t i = 0; i < v->snap->n_docs; i++)
        if (v->allow[i]) {
            sum += v->snap->docs[i]->key;
            (*n)++;
        }
    return sum;
}

/* ---- terms ---- */

/* Leave out what the scope or the filter does not let be seen. */
static size_t keep_allowed(const lf_view *v, lf_posting *hits, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        hits[kept] = hits[i];
        kept += v->allow[v->snap->doc_of[hits[i].chunk]] != 0;
    }
    return kept;
}

static lf_status collect(lf_view *v, uint64_t term, size_t *n_out, lf_err *err)
{
    const lf_snapshot *s = v->snap;
    size_t n = 0;
    bool bad = false;
    for (size_t i = 0; i < s->n_segments; i++) {
        const uint8_t *p;
        size_t n_bytes;
        const lf_status st = lf_postings_find(v->db, s->segments[i], term, &p, &n_bytes, err);
        if (st != LF_OK)
            return st;
        if (!p)
            continue;
        if (n + n_bytes > v->hits_cap) { /* a posting takes at least a byte */
            const size_t cap = (n + n_bytes) * 2;
            lf_posting *grown = lf_realloc(v->hits, cap * sizeof *grown);
            if (!grown)
                return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
            v->hits = grown;
            v->hits_cap = cap;
        }
        n += lf_postings_decode(p, n_bytes, s->base, s->dense_of, s->n_ids, v->hits + n, &bad);
        if (bad)
            return lf_fail(err, LF_ERR_CORRUPT, "the full-text index in '%s' is damaged",
                           v->state->path);
    }
    *n_out = v->n_allowed < s->n_chunks ? keep_allowed(v, v->hits, n) : n;
    return LF_OK;
}

static void add_scores(const lf_view *v, size_t n, float w, lf_bm25 p, float *score)
{
    const float flat = p.k1 * (1.0f - p.b), slope = p.k1 * p.b / v->mean_len;
    const uint16_t *lens = v->snap->lens;
    for (size_t i = 0; i < n; i++) {
        const lf_posting h = v->hits[i];
        const float tf = (float)h.count;
        score[h.chunk] += w * tf / (tf + flat + slope * (float)lens[h.chunk]);
    }
}

lf_status lf_view_scan_terms(lf_view *v, lf_query_term *terms, size_t n, lf_bm25 p, float *score,
                             lf_err *err)
{
    memset(score, 0, v->snap->n_chunks * sizeof *score);
    for (size_t t = 0; t < n; t++) {
        size_t df = 0;
        const lf_status st = collect(v, terms[t].id, &df, err);
        if (st != LF_OK)
            return st;
        terms[t].df = (uint32_t)df;
        terms[t].idf =
            (float)log(1.0 + ((double)v->n_allowed - (double)df + 0.5) / ((double)df + 0.5));
        add_scores(v, df, terms[t].weight * terms[t].idf * (p.k1 + 1.0f), p, score);
    }
    return LF_OK;
}

/* ---- vectors ----
 *
 * Up to LF_SNAP_EXACT_MAX vectors are all looked at.  Beyond, a first pass takes the mean
 * vector of each chunk, and a second one all vectors of the REFINED chunks whose
 * mean is nearest and of those that the hint puts first: a chunk far from the
 * question in the mean of its five or six parts is not near in the best of them
 * (and where it is, its words are in the question as well).
 *
 * In a file with so many, vectors are packed in memory (Q4_0: a cosine is off by half a
 * hundredth); lf_view_exact_vectors gives the candidates their cosine as stored. */

enum { REFINED = 3000, HINTED = 500 };

/* The best of a chunk's n dot products. */
static float best_of(const float *dots, uint32_t n)
{
    float best = -2.0f;
    for (uint32_t k = 0; k < n; k++)
        if (dots[k] > best)
            best = dots[k];
    return best;
}

/* The best vector of chunk i of a document; `dots` has room for all of its own, q is
 * padded to whole blocks. */
static float best_of_chunk(const lf_snap_doc *d, uint32_t i, const float *q, float *dots)
{
    const uint32_t first = d->first_vector[i], n = d->first_vector[i + 1] - first;
    if (d->vectors)
        lf_dot_f16_rows(q, d->vectors + (size_t)first * (size_t)d->dim, n, (size_t)d->dim, dots);
    else
        lf_dot_q4_rows(q, d->packed + first * lf_snap_row_bytes(d->dim), n,
                       lf_snap_row_values(d->dim), dots);
    return best_of(dots, n);
}

static bool is_scanned(const lf_view *v, size_t d, int32_t dim)
{
    return v->allow[d] && v->snap->docs[d]->dim == dim;
}

/* Value of rank `rank` from above in x[0..n), by quickselect on a copy. */
static lf_status nth_largest(const float *x, size_t n, size_t rank, float *out, lf_err *err)
{
    float *v = lf_alloc(n * sizeof *v);
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
    memcpy(v, x, n * sizeof *v);
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        const float pivot = v[lo + (hi - lo) / 2];
        size_t gt = lo, i = lo, lt = hi; /* v[lo,gt) > pivot, v[lt,hi) < pivot */
        while (i < lt) {
            const float x_i = v[i];
            if (x_i > pivot) {
                v[i++] = v[gt];
                v[gt++] = x_i;
            } else if (x_i < pivot) {
                v[i] = v[--lt];
                v[lt] = x_i;
            } else {
                i++;
            }
        }
        if (rank < gt) {
            hi = gt;
        } else if (rank >= lt) {
            lo = lt;
        } else {
            lo = rank;
            break;
        }
    }
    *out = v[lo];
    lf_free(v);
    return LF_OK;
}

static lf_status refine(const lf_view *v, const float *q, int32_t dim, const float *hint,
                        float *cosine, lf_err *err)
{
    const lf_snapshot *s = v->snap;
    float dots[UINT16_MAX], near = -2.0f, hinted = 0.0f;
    lf_status st = nth_largest(cosine, s->n_chunks, REFINED, &near, err);
    if (st == LF_OK && hint)
        st = nth_largest(hint, s->n_chunks, HINTED, &hinted, err);
    if (st != LF_OK)
        return st;
    for (size_t d = 0; d < s->n_docs; d++) {
        if (!is_scanned(v, d, dim))
            continue;
        for (uint32_t i = 0; i < s->docs[d]->n_chunks; i++) {
            const size_t at = s->first[d] + i;
            if (cosine[at] >= near || (hint && hint[at] > 0 && hint[at] >= hinted))
                cosine[at] = best_of_chunk(s->docs[d], i, q, dots);
        }
    }
    return LF_OK;
}

/* All vectors, or the coarse pass; q is padded. */
static lf_status scan_padded(const lf_view *v, const float *q, int32_t dim, const float *hint,
                             float *cosine, lf_err *err)
{
    const lf_snapshot *s = v->snap;
    uint64_t n_vectors = 0;
    float dots[UINT16_MAX]; /* a chunk has no more vectors than its count can say */
    for (size_t d = 0; d < s->n_docs; d++)
        if (is_scanned(v, d, dim))
            n_vectors += s->docs[d]->first_vector[s->docs[d]->n_chunks];
    const bool all = n_vectors <= LF_SNAP_EXACT_MAX || s->n_chunks <= REFINED;
    for (size_t d = 0; d < s->n_docs; d++) {
        const lf_snap_doc *doc = s->docs[d];
        float *out = cosine + s->first[d];
        if (!is_scanned(v, d, dim)) {
            for (uint32_t i = 0; i < doc->n_chunks; i++)
                out[i] = -2.0f;
        } else if (all) {
            for (uint32_t i = 0; i < doc->n_chunks; i++)
                out[i] = best_of_chunk(doc, i, q, dots);
        } else {
            lf_dot_q4_rows(q, doc->means, doc->n_chunks, lf_snap_row_values(dim), out);
        }
    }
    return all ? LF_OK : refine(v, q, dim, hint, cosine, err);
}

lf_status lf_view_scan_vectors(const lf_view *v, const float *q, int32_t dim, const float *hint,
                               float *cosine, lf_err *err)
{
    float *padded = lf_calloc(lf_snap_row_values(dim), sizeof *padded);
    if (!padded)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
    memcpy(padded, q, (size_t)dim * sizeof *padded);
    const lf_status st = scan_padded(v, padded, dim, hint, cosine, err);
    lf_free(padded);
    return st;
}

bool lf_view_is_exact(const lf_view *v)
{
    return !v->snap->is_packed;
}

/* Stored vectors [from, end) of a document through an open handle on its row, into `f16`. */
static lf_status read_vectors(lf_view *v, sqlite3_blob *blob, const lf_snap_doc *d, uint32_t from,
                              uint32_t end, lf_buf *f16, lf_err *err)
{
    const size_t row = (size_t)d->dim * sizeof(uint16_t), n = (end - from) * row;
    lf_buf_clear(f16);
    if (!lf_buf_reserve(f16, n))
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the vectors of a passage");
    if ((size_t)sqlite3_blob_bytes(blob) < end * row ||
        sqlite3_blob_read(blob, f16->data, (int)n, (int)(from * row)) != SQLITE_OK)
        return lf_fail(err, LF_ERR_CORRUPT, "the vectors of document %s in '%s' are damaged",
                       d->doc_id, v->state->path);
    return LF_OK;
}

lf_status lf_view_exact_vectors(lf_view *v, const float *q, int32_t dim, const uint32_t *chunks,
                                size_t n, float *cosine, lf_err *err)
{
    const lf_snapshot *s = v->snap;
    sqlite3_blob *blob = NULL;
    lf_buf f16 = { 0 };
    float dots[UINT16_MAX];
    lf_status st = LF_OK;
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        const size_t d = s->doc_of[chunks[i]];
        const lf_snap_doc *doc = s->docs[d];
        if (!is_scanned(v, d, dim) || doc->vectors)
            continue;
        const uint32_t at = chunks[i] - s->first[d];
        const uint32_t from = doc->first_vector[at], end = doc->first_vector[at + 1];
        const int rc =
            blob ? sqlite3_blob_reopen(blob, doc->id)
                 : sqlite3_blob_open(v->db->h, "main", "vectors", "data", doc->id, 0, &blob);
        if (rc != SQLITE_OK)
            st = lf_db_fail(v->db, "read a passage's vectors", err);
        if (st == LF_OK)
            st = read_vectors(v, blob, doc, from, end, &f16, err);
        if (st == LF_OK) {
            lf_dot_f16_rows(q, (const uint16_t *)(const void *)f16.data, end - from, (size_t)dim,
                            dots);
            cosine[chunks[i]] = best_of(dots, end - from);
        }
    }
    (void)sqlite3_blob_close(blob);
    lf_buf_release(&f16);
    return st;
}

/* ---- showing a result ---- */

lf_status lf_view_chunk_get(lf_view *v, size_t chunk, lf_view_chunk *out, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    const lf_snapshot *s = v->snap;
    const size_t d = s->doc_of[chunk];
    lf_status st = lf_db_stmt(v->db,
                              "SELECT start, end, byte_start, byte_end, page, section, heading"
                              " FROM chunks WHERE id=?",
                              &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1,
                             (int64_t)s->docs[d]->first_chunk + (int64_t)(chunk - s->first[d]));
    st = lf_db_row(v->db, q, "read a passage", &has, err);
    if (st != LF_OK)
        return st;
    if (!has)
        return lf_fail(err, LF_ERR_CORRUPT, "a passage of document %s is missing from '%s'",
                       s->docs[d]->doc_id, v->state->path);
    const char *heading = (const char *)sqlite3_column_text(q, 6);
    *out = (lf_view_chunk){ .start = (uint32_t)sqlite3_column_int64(q, 0),
                            .end = (uint32_t)sqlite3_column_int64(q, 1),
                            .byte_start = (uint32_t)sqlite3_column_int64(q, 2),
                            .byte_end = (uint32_t)sqlite3_column_int64(q, 3),
                            .page = (int32_t)sqlite3_column_int64(q, 4),
                            .section = (int32_t)sqlite3_column_int64(q, 5),
                            .heading = lf_strdup(heading ? heading : "") };
    (void)sqlite3_reset(q);
    return out->heading ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for a passage");
}

lf_status lf_view_source(lf_view *v, size_t doc, char **out, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(v->db, "SELECT source FROM documents WHERE id=?", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, v->snap->docs[doc]->id);
    st = lf_db_row(v->db, q, "read a document", &has, err);
    if (st != LF_OK)
        return st;
    const char *source = has ? (const char *)sqlite3_column_text(q, 0) : NULL;
    char *copy = lf_strdup(source ? source : "");
    (void)sqlite3_reset(q);
    if (!copy)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a passage");
    *out = copy;
    return LF_OK;
}

lf_status lf_view_slice(lf_view *v, size_t doc, uint32_t byte_start, uint32_t byte_end, lf_buf *out,
                        lf_err *err)
{
    sqlite3_blob *blob = NULL;
    lf_status st = LF_OK;
    if (sqlite3_blob_open(v->db->h, "main", "texts", "text", v->snap->docs[doc]->id, 0, &blob) !=
        SQLITE_OK)
        return lf_db_fail(v->db, "read a document's text", err);
    const size_t size = (size_t)sqlite3_blob_bytes(blob);
    const size_t n = byte_start <= byte_end && byte_end <= size ? byte_end - byte_start : SIZE_MAX;
    if (n != SIZE_MAX && !lf_buf_reserve(out, n)) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a passage of %zu bytes", n);
    } else if (n == SIZE_MAX || sqlite3_blob_read(blob, out->data + out->len, (int)n,
                                                  (int)byte_start) != SQLITE_OK) {
        st = lf_fail(err, LF_ERR_CORRUPT, "the text of document %s is damaged",
                     v->snap->docs[doc]->doc_id);
    } else {
        out->len += n;
        out->data[out->len] = '\0';
    }
    (void)sqlite3_blob_close(blob);
    return st;
}

lf_status lf_view_box(lf_view *v, size_t doc, uint32_t start, uint32_t end, int32_t page,
                      lf_row_box *out, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(v->db,
                              "SELECT min(x0), min(y0), max(x1), max(y1) FROM lines"
                              " WHERE doc=? AND start<? AND end>? AND page=?",
                              &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, v->snap->docs[doc]->id);
    (void)sqlite3_bind_int64(q, 2, end);
    (void)sqlite3_bind_int64(q, 3, start);
    (void)sqlite3_bind_int64(q, 4, page);
    st = lf_db_row(v->db, q, "read lines", &has, err);
    if (st != LF_OK)
        return st;
    *out = (lf_row_box){ (float)sqlite3_column_double(q, 0), (float)sqlite3_column_double(q, 1),
                         (float)sqlite3_column_double(q, 2), (float)sqlite3_column_double(q, 3) };
    (void)sqlite3_reset(q);
    return LF_OK;
}

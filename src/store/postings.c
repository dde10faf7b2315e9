/* store/postings.c - segments of postings: written whole, merged in tiers.
 *
 * A list is, chunk ids ascending,  varint(delta * 2 + (count > 1)) [varint(count)].
 * A row of table `postings` holds one or more terms, ascending:
 *     { varint(term - term before, 0 for the first) varint(bytes of list) list }...
 * and is keyed by its first term, so that a term is found in the last row whose
 * key is not above it.  Small lists share a row of about ROW_BYTES, which stays
 * on one page; a long list has a row of its own.
 *
 * A document is written as a segment of its own (more than one when it is large).
 * Segments whose posting counts lie in the same power of MERGE_FANIN are merged
 * once there are MERGE_FANIN of them: each posting is rewritten a logarithmic
 * number of times, and a search looks into a logarithmic number of segments.
 * Merging drops the postings of documents that are gone. */
#include "store/postings_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { ROW_BYTES = 1400, FLUSH_ENTRIES = 2 << 20, MERGE_FANIN = 8, TIER_BASE = 2048 };

/* ---- varints ---- */

static void put_varint(lf_buf *b, uint64_t v)
{
    char tmp[10];
    size_t n = 0;
    do {
        tmp[n++] = (char)((v & 0x7F) | (v > 0x7F ? 0x80 : 0));
        v >>= 7;
    } while (v);
    lf_buf_add(b, tmp, n);
}

static bool get_varint(const uint8_t **p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; *p < end && shift < 64; shift += 7) {
        const uint8_t c = *(*p)++;
        v |= (uint64_t)(c & 0x7F) << shift;
        if (c < 0x80) {
            *out = v;
            return true;
        }
    }
    return false;
}

bool lf_posting_next(lf_posting_iter *it, lf_posting *out)
{
    uint64_t v, count = 1;
    if (it->p >= it->end)
        return false;
    if (!get_varint(&it->p, it->end, &v) || ((v & 1) && !get_varint(&it->p, it->end, &count)) ||
        it->chunk + (v >> 1) > UINT32_MAX) {
        it->bad = true;
        return false;
    }
    it->chunk += v >> 1;
    *out = (lf_posting){ .chunk = (uint32_t)it->chunk,
                         .count = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count };
    return true;
}

size_t lf_postings_decode(const uint8_t *p, size_t n_bytes, uint32_t base, const uint32_t *dense_of,
                          size_t n_ids, lf_posting *out, bool *bad)
{
    const uint8_t *const end = p + n_bytes;
    uint64_t chunk = 0;
    size_t n = 0;
    while (p < end) {
        uint64_t v = *p, count = 1;
        if (v < 0x80)
            p++; /* nearly all: a short gap */
        else if (!get_varint(&p, end, &v))
            goto damaged;
        if ((v & 1) && !get_varint(&p, end, &count))
            goto damaged;
        chunk += v >> 1;
        if (chunk > UINT32_MAX)
            goto damaged;
        const uint64_t at = chunk - base; /* below base wraps to a large number */
        const uint32_t dense = at < n_ids ? dense_of[at] : UINT32_MAX;
        out[n] = (lf_posting){ dense, count > UINT32_MAX ? UINT32_MAX : (uint32_t)count };
        n += dense != UINT32_MAX;
    }
    return n;
damaged:
    *bad = true;
    return n;
}

static void put_list(lf_buf *b, const lf_posting *v, size_t n)
{
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        put_varint(b, (uint64_t)(v[i].chunk - last) << 1 | (v[i].count > 1));
        if (v[i].count > 1)
            put_varint(b, v[i].count);
        last = v[i].chunk;
    }
}

/* ---- writing one segment ---- */

typedef struct writer {
    lf_db *db;
    int64_t segment;
    uint64_t first_term, last_term;
    lf_buf row, list;
    uint64_t n_postings;
    uint32_t min_chunk, max_chunk;
} writer;

static lf_status writer_begin(writer *w, lf_db *db, lf_err *err)
{
    *w = (writer){ .db = db, .min_chunk = UINT32_MAX };
    lf_status st =
        lf_db_int(db, "SELECT value FROM meta WHERE key='next_segment'", 1, &w->segment, err);
    if (st == LF_OK)
        st = lf_db_exec(db, "UPDATE meta SET value=value+1 WHERE key='next_segment'", err);
    return st;
}

static lf_status writer_flush(writer *w, lf_err *err)
{
    sqlite3_stmt *q;
    if (w->row.failed || w->list.failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the full-text index");
    if (w->row.len == 0)
        return LF_OK;
    lf_status st = lf_db_stmt(w->db, "INSERT INTO postings VALUES(?,?,?)", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, w->segment);
    (void)sqlite3_bind_int64(q, 2, (int64_t)w->first_term);
    (void)sqlite3_bind_blob64(q, 3, w->row.data, w->row.len, SQLITE_STATIC);
    st = lf_db_run(w->db, q, "write the full-text index", err);
    lf_buf_clear(&w->row);
    return st;
}

static lf_status writer_add(writer *w, uint64_t term, const lf_posting *v, size_t n, lf_err *err)
{
    lf_status st = LF_OK;
    lf_buf_clear(&w->list);
    put_list(&w->list, v, n);
    if (w->row.len && w->row.len + w->list.len > ROW_BYTES)
        st = writer_flush(w, err);
    if (st != LF_OK)
        return st;
    if (w->row.len == 0)
        w->first_term = w->last_term = term;
    put_varint(&w->row, term - w->last_term);
    put_varint(&w->row, w->list.len);
    lf_buf_add(&w->row, w->list.data, w->list.len);
    w->last_term = term;
    w->n_postings += n;
    if (v[0].chunk < w->min_chunk)
        w->min_chunk = v[0].chunk;
    if (v[n - 1].chunk > w->max_chunk)
        w->max_chunk = v[n - 1].chunk;
    return LF_OK;
}

/* The segment's own row; `doc` 0 = of several documents. */
static lf_status writer_end(writer *w, int64_t doc, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = writer_flush(w, err);
    if (st != LF_OK || w->n_postings == 0)
        return st;
    st = lf_db_stmt(w->db, "INSERT INTO segments VALUES(?,nullif(?,0),?,?,?)", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, w->segment);
    (void)sqlite3_bind_int64(q, 2, doc);
    (void)sqlite3_bind_int64(q, 3, (int64_t)w->n_postings);
    (void)sqlite3_bind_int64(q, 4, w->min_chunk);
    (void)sqlite3_bind_int64(q, 5, w->max_chunk);
    return lf_db_run(w->db, q, "write the full-text index", err);
}

static void writer_release(writer *w)
{
    lf_buf_release(&w->row);
    lf_buf_release(&w->list);
}

/* ---- a document's terms ---- */

typedef struct entry {
    uint64_t term;
    uint32_t chunk;
} entry;

static int by_term(const void *x, const void *y)
{
    const entry *a = x, *b = y;
    if (a->term != b->term)
        return a->term < b->term ? -1 : 1;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

static lf_status write_entries(lf_db *db, int64_t doc, entry *v, size_t n, lf_err *err)
{
    writer w;
    lf_posting *list = NULL;
    size_t cap = 0;
    lf_status st = writer_begin(&w, db, err);
    if (n)
        qsort(v, n, sizeof *v, by_term);
    for (size_t i = 0; i < n && st == LF_OK;) {
        size_t m = 0, k = i;
        for (; k < n && v[k].term == v[i].term; k++) {
            if (m && list[m - 1].chunk == v[k].chunk) {
                list[m - 1].count++;
                continue;
            }
            if (m == cap) {
                cap = cap ? cap * 2 : 64;
                lf_posting *grown = lf_realloc(list, cap * sizeof *list);
                if (!grown) {
                    st = lf_fail(err, LF_ERR_NOMEM, "no memory for the full-text index");
                    goto done;
                }
                list = grown;
            }
            list[m++] = (lf_posting){ .chunk = v[k].chunk, .count = 1 };
        }
        st = writer_add(&w, v[i].term, list, m, err);
        i = k;
    }
    if (st == LF_OK)
        st = writer_end(&w, doc, err);
done:
    writer_release(&w);
    lf_free(list);
    return st;
}

lf_status lf_postings_add(lf_db *db, int64_t doc, int64_t first_chunk, size_t n,
                          lf_chunk_terms_fn *fn, void *ud, uint16_t *lens, lf_err *err)
{
    lf_status st = LF_OK;
    lf_terms terms = { 0 };
    entry *v = NULL;
    size_t n_v = 0, cap = 0;
    if (first_chunk + (int64_t)n > UINT32_MAX)
        return lf_fail(err, LF_ERR_LIMIT, "more than %u chunks in one state file", UINT32_MAX);
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        terms.n = 0;
        st = fn(ud, i, &terms, err);
        if (st != LF_OK)
            break;
        lens[i] = terms.n > UINT16_MAX ? UINT16_MAX : (uint16_t)terms.n;
        if (n_v + terms.n > cap) {
            cap = (n_v + terms.n) * 2;
            entry *grown = lf_realloc(v, cap * sizeof *v);
            if (!grown) {
                st = lf_fail(err, LF_ERR_NOMEM, "no memory for the full-text index");
                break;
            }
            v = grown;
        }
        for (size_t k = 0; k < terms.n; k++)
            v[n_v++] = (entry){ terms.v[k].id, (uint32_t)(first_chunk + (int64_t)i) };
        if (n_v >= FLUSH_ENTRIES) {
            st = write_entries(db, doc, v, n_v, err);
            n_v = 0;
        }
    }
    if (st == LF_OK && n_v)
        st = write_entries(db, doc, v, n_v, err);
    lf_free(v);
    lf_terms_release(&terms);
    return st;
}

lf_status lf_postings_remove(lf_db *db, int64_t doc, lf_err *err)
{
    static const char *const sql[] = {
        "DELETE FROM postings WHERE segment IN (SELECT id FROM segments WHERE doc=?)",
        "DELETE FROM segments WHERE doc=?",
    };
    lf_status st = LF_OK;
    for (size_t i = 0; i < 2 && st == LF_OK; i++) {
        sqlite3_stmt *q;
        st = lf_db_stmt(db, sql[i], &q, err);
        if (st == LF_OK) {
            (void)sqlite3_bind_int64(q, 1, doc);
            st = lf_db_run(db, q, "remove from the full-text index", err);
        }
    }
    return st;
}

/* ---- reading ---- */

static lf_status damaged(const lf_db *db, lf_err *err)
{
    return lf_fail(err, LF_ERR_CORRUPT, "the full-text index in '%s' is damaged", db->path);
}

lf_status lf_postings_find(lf_db *db, int64_t segment, uint64_t term, const uint8_t **out,
                           size_t *n_bytes, lf_err *err)
{
    sqlite3_stmt *q;
    bool has;
    *out = NULL;
    *n_bytes = 0;
    lf_status st = lf_db_stmt(db,
                              "SELECT term, data FROM postings WHERE segment=? AND term<=?"
                              " ORDER BY term DESC LIMIT 1",
                              &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, segment);
    (void)sqlite3_bind_int64(q, 2, (int64_t)term);
    st = lf_db_row(db, q, "read the full-text index", &has, err);
    if (st != LF_OK || !has)
        return st;
    uint64_t at = (uint64_t)sqlite3_column_int64(q, 0), delta, len;
    const uint8_t *p = sqlite3_column_blob(q, 1);
    const uint8_t *const end = p + sqlite3_column_bytes(q, 1);
    while (p < end) {
        if (!get_varint(&p, end, &delta) || !get_varint(&p, end, &len) || len > (size_t)(end - p))
            return damaged(db, err);
        at += delta;
        if (at >= term) {
            if (at == term) {
                *out = p;
                *n_bytes = (size_t)len;
            }
            return LF_OK;
        }
        p += len;
    }
    return LF_OK;
}

/* ---- merging ---- */

typedef struct cursor { /* walks the terms of one segment in order */
    sqlite3_stmt *q;
    const uint8_t *p, *end; /* rest of the row */
    uint64_t term;
    const uint8_t *list;
    size_t list_bytes;
    bool over;
} cursor;

static lf_status cursor_next(lf_db *db, cursor *c, lf_err *err)
{
    uint64_t delta, len;
    if (c->p >= c->end) {
        bool has;
        const lf_status st = lf_db_row(db, c->q, "merge the full-text index", &has, err);
        c->over = !has;
        if (st != LF_OK || !has)
            return st;
        c->term = (uint64_t)sqlite3_column_int64(c->q, 0);
        c->p = sqlite3_column_blob(c->q, 1);
        c->end = c->p + sqlite3_column_bytes(c->q, 1);
    }
    if (!get_varint(&c->p, c->end, &delta) || !get_varint(&c->p, c->end, &len) ||
        len > (size_t)(c->end - c->p))
        return damaged(db, err);
    c->term += delta;
    c->list = c->p;
    c->list_bytes = (size_t)len;
    c->p += len;
    return LF_OK;
}

typedef struct ranges { /* chunk ids of living documents, ascending */
    lf_posting *v;      /* chunk = first, count = number */
    size_t n, cap;
} ranges;

static lf_status load_ranges(lf_db *db, ranges *r, int64_t min, int64_t max, lf_err *err)
{
    sqlite3_stmt *q;
    bool has = true;
    lf_status st = lf_db_stmt(db,
                              "SELECT first_chunk, n_chunks FROM documents WHERE first_chunk>="
                              "(SELECT coalesce(max(first_chunk),0) FROM documents"
                              " WHERE first_chunk<=?1) AND first_chunk<=?2 ORDER BY first_chunk",
                              &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, min);
    (void)sqlite3_bind_int64(q, 2, max);
    while ((st = lf_db_row(db, q, "list documents", &has, err)) == LF_OK && has) {
        if (r->n == r->cap) {
            r->cap = r->cap ? r->cap * 2 : 64;
            lf_posting *grown = lf_realloc(r->v, r->cap * sizeof *grown);
            if (!grown) {
                st = lf_fail(err, LF_ERR_NOMEM, "no memory to merge the full-text index");
                break;
            }
            r->v = grown;
        }
        r->v[r->n++] = (lf_posting){ .chunk = (uint32_t)sqlite3_column_int64(q, 0),
                                     .count = (uint32_t)sqlite3_column_int64(q, 1) };
    }
    (void)sqlite3_reset(q);
    return st;
}

static bool is_living(const ranges *r, uint32_t chunk)
{
    size_t lo = 0, hi = r->n; /* the last range that begins at or before it */
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (r->v[mid].chunk <= chunk)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && chunk - r->v[lo - 1].chunk < r->v[lo - 1].count;
}

static int by_chunk(const void *x, const void *y)
{
    const lf_posting *a = x, *b = y;
    return a->chunk < b->chunk ? -1 : a->chunk > b->chunk;
}

typedef struct gathered {
    lf_posting *v;
    size_t n, cap;
    bool sorted;
} gathered;

static lf_status gather(const lf_db *db, gathered *g, const cursor *c, const ranges *living,
                        lf_err *err)
{
    lf_posting_iter it = { .p = c->list, .end = c->list + c->list_bytes };
    lf_posting p;
    while (lf_posting_next(&it, &p)) {
        if (!is_living(living, p.chunk))
            continue;
        if (g->n == g->cap) {
            g->cap = g->cap ? g->cap * 2 : 256;
            lf_posting *grown = lf_realloc(g->v, g->cap * sizeof *grown);
            if (!grown)
                return lf_fail(err, LF_ERR_NOMEM, "no memory to merge the full-text index");
            g->v = grown;
        }
        g->sorted = g->sorted && (g->n == 0 || g->v[g->n - 1].chunk < p.chunk);
        g->v[g->n++] = p;
    }
    return it.bad ? damaged(db, err) : LF_OK;
}

static lf_status merge_cursors(lf_db *db, cursor *c, size_t n, const ranges *living, lf_err *err)
{
    writer w;
    gathered g = { 0 };
    lf_status st = writer_begin(&w, db, err);
    for (size_t i = 0; i < n && st == LF_OK; i++)
        st = cursor_next(db, &c[i], err);
    while (st == LF_OK) {
        uint64_t term = UINT64_MAX;
        for (size_t i = 0; i < n; i++)
            if (!c[i].over && c[i].term < term)
                term = c[i].term;
        if (term == UINT64_MAX)
            break;
        g.n = 0;
        g.sorted = true;
        for (size_t i = 0; i < n && st == LF_OK; i++) {
            if (c[i].over || c[i].term != term)
                continue;
            st = gather(db, &g, &c[i], living, err);
            if (st == LF_OK)
                st = cursor_next(db, &c[i], err);
        }
        if (!g.sorted)
            qsort(g.v, g.n, sizeof *g.v, by_chunk);
        if (st == LF_OK && g.n)
            st = writer_add(&w, term, g.v, g.n, err);
    }
    if (st == LF_OK)
        st = writer_end(&w, 0, err);
    writer_release(&w);
    lf_free(g.v);
    return st;
}

typedef struct group {
    int64_t id[MERGE_FANIN];
    size_t n;
    int64_t min, max;
} group;

static int tier_of(int64_t n_postings)
{
    int t = 0;
    for (int64_t top = TIER_BASE; n_postings > top && t < 15; top *= MERGE_FANIN)
        t++;
    return t;
}

/* The first tier that is full, oldest segments first. */
static lf_status pick_group(lf_db *db, group *out, lf_err *err)
{
    group tiers[16] = { 0 };
    sqlite3_stmt *q;
    bool has;
    lf_status st = lf_db_stmt(
        db, "SELECT id, n_postings, min_chunk, max_chunk FROM segments ORDER BY id", &q, err);
    if (st != LF_OK)
        return st;
    out->n = 0;
    while ((st = lf_db_row(db, q, "list segments", &has, err)) == LF_OK && has) {
        group *g = &tiers[tier_of(sqlite3_column_int64(q, 1))];
        const int64_t lo = sqlite3_column_int64(q, 2), hi = sqlite3_column_int64(q, 3);
        g->min = g->n == 0 || lo < g->min ? lo : g->min;
        g->max = g->n == 0 || hi > g->max ? hi : g->max;
        g->id[g->n++] = sqlite3_column_int64(q, 0);
        if (g->n == MERGE_FANIN) {
            *out = *g;
            break;
        }
    }
    (void)sqlite3_reset(q);
    return st;
}

static lf_status drop_segment(lf_db *db, int64_t id, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, "DELETE FROM postings WHERE segment=?", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, id);
    st = lf_db_run(db, q, "merge the full-text index", err);
    if (st == LF_OK)
        st = lf_db_stmt(db, "DELETE FROM segments WHERE id=?", &q, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_bind_int64(q, 1, id);
    return lf_db_run(db, q, "merge the full-text index", err);
}

lf_status lf_postings_merge(lf_db *db, bool *did, lf_err *err)
{
    group g;
    cursor c[MERGE_FANIN] = { 0 };
    ranges living = { 0 };
    *did = false;
    lf_status st = pick_group(db, &g, err);
    if (st != LF_OK || g.n == 0)
        return st;
    st = load_ranges(db, &living, g.min, g.max, err);
    for (size_t i = 0; i < g.n && st == LF_OK; i++) {
        if (sqlite3_prepare_v2(db->h,
                               "SELECT term, data FROM postings WHERE segment=? ORDER BY term", -1,
                               &c[i].q, NULL) != SQLITE_OK)
            st = lf_db_fail(db, "merge the full-text index", err);
        else
            (void)sqlite3_bind_int64(c[i].q, 1, g.id[i]);
    }
    if (st == LF_OK)
        st = merge_cursors(db, c, g.n, &living, err);
    for (size_t i = 0; i < g.n; i++)
        (void)sqlite3_finalize(c[i].q);
    for (size_t i = 0; i < g.n && st == LF_OK; i++)
        st = drop_segment(db, g.id[i], err);
    lf_free(living.v);
    *did = st == LF_OK;
    return st;
}

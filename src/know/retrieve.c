/* know/retrieve.c - from a question to passages.
 *
 * 1. Two scans give every allowed chunk a BM25 score and the cosine of its best
 *    vector with the question's.
 * 2. Fusion:  bm25 / ideal  +  VECTOR_WEIGHT * cosine, where `ideal` is what a
 *    chunk would get that is saturated with every term of the question, so that the
 *    first part lies in [0, 1] and says how much of the question is there at all.
 *    (Reciprocal ranks were measured too: they throw that away and lose 0.002 in
 *    mean reciprocal rank on CMRC.)
 * 3. The best CANDIDATES are ordered by it.  A chunk that repeats one above it is
 *    put behind all others; short ones take in their neighbours of the same
 *    section, so that a passage stands on its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "know/know_int.h"
#include "store/search.h"

enum {
    K_DEFAULT = 8,
    K_MAX = 1000,
    QUERY_TERMS_MAX = 256,
    QUERY_BYTES_MAX = 16384, /* of a longer question the beginning is searched */
    PASSAGE_CHARS = 800,
    PASSAGE_SHORT = 320 /* take in neighbours up to PASSAGE_CHARS */
};

static const lf_bm25 bm25 = { .k1 = 1.2f, .b = 0.75f };
static const float pair_weight = 0.7f; /* of two characters that are no word */
static const float vector_weight = 5.0f;

typedef struct search {
    lf_know *k;
    const lf_search_opts *o;
    lf_state *store;
    lf_view *view;
    lf_query_term *terms;
    size_t n_terms;
    float *query; /* the question's vector, NULL without */
    float *lexical, *cosine, *fused;
    float ideal;
    uint32_t *order; /* candidates, best first */
    size_t n_order;
} search;

static void search_release(search *q)
{
    lf_view_close(q->view);
    lf_free(q->terms);
    lf_free(q->query);
    lf_free(q->lexical);
    lf_free(q->cosine);
    lf_free(q->fused);
    lf_free(q->order);
}

static lf_status no_memory(lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory to search the documents");
}

/* ---- the question ---- */

static int by_id(const void *x, const void *y)
{
    const lf_query_term *a = x, *b = y;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Distinct terms with their weights; stop words only when there is nothing else. */
static lf_status query_terms(search *q, const char *text, size_t n_bytes, lf_err *err)
{
    lf_analyzer *a = NULL;
    lf_terms t = { 0 };
    size_t n_content = 0, n = 0;
    lf_status st = lf_know_analyzer_take(q->k, &a, err);
    if (st == LF_OK)
        st = lf_analyzer_terms(a, text, n_bytes, &t, err);
    lf_know_analyzer_give(q->k, a);
    if (st == LF_OK) {
        q->terms = lf_calloc(t.n + 1, sizeof *q->terms);
        if (!q->terms)
            st = no_memory(err);
    }
    if (st != LF_OK)
        goto done;
    for (size_t i = 0; i < t.n; i++)
        n_content += !t.v[i].is_stop;
    for (size_t i = 0; i < t.n; i++)
        if (!t.v[i].is_stop || n_content == 0)
            q->terms[n++] =
                (lf_query_term){ .id = t.v[i].id,
                                 .weight = t.v[i].kind == LF_TERM_PAIR ? pair_weight : 1.0f };
    if (n)
        qsort(q->terms, n, sizeof *q->terms, by_id);
    for (size_t i = 0; i < n; i++) {
        if (q->n_terms && q->terms[q->n_terms - 1].id == q->terms[i].id) {
            if (q->terms[i].weight > q->terms[q->n_terms - 1].weight)
                q->terms[q->n_terms - 1].weight = q->terms[i].weight;
            continue;
        }
        q->terms[q->n_terms++] = q->terms[i];
    }
    if (q->n_terms > QUERY_TERMS_MAX)
        q->n_terms = QUERY_TERMS_MAX;
done:
    lf_terms_release(&t);
    return st;
}

static lf_status query_vector(search *q, const char *text, size_t n_bytes, lf_err *err)
{
    if (!q->k->has_embedder || q->o->mode == LF_SEARCH_LEXICAL)
        return LF_OK;
    const lf_str s = { text, n_bytes };
    q->query = lf_alloc((size_t)q->k->embedder.dim * sizeof *q->query);
    if (!q->query)
        return no_memory(err);
    return q->k->embedder.embed(q->k->embedder.ud, &s, 1, true, q->query, err);
}

/* ---- scores ---- */

static lf_status scan(search *q, lf_err *err)
{
    const size_t n = lf_view_n_chunks(q->view);
    q->lexical = lf_calloc(n + 1, sizeof *q->lexical);
    q->cosine = lf_alloc((n + 1) * sizeof *q->cosine);
    q->fused = lf_alloc((n + 1) * sizeof *q->fused);
    if (!q->lexical || !q->cosine || !q->fused)
        return no_memory(err);
    lf_status st = LF_OK;
    if (q->o->mode != LF_SEARCH_VECTOR)
        st = lf_view_scan_terms(q->view, q->terms, q->n_terms, bm25, q->lexical, err);
    for (size_t i = 0; i < q->n_terms; i++)
        q->ideal += q->terms[i].weight * q->terms[i].idf * (bm25.k1 + 1.0f);
    for (size_t i = 0; i < n; i++)
        q->cosine[i] = -2.0f;
    if (st == LF_OK && q->query)
        st =
            lf_view_scan_vectors(q->view, q->query, q->k->embedder.dim, q->lexical, q->cosine, err);
    return st;
}

static float fuse_one(const search *q, size_t i)
{
    const float lexical = q->ideal > 0 ? 1.0f / q->ideal : 0.0f;
    const bool has_vector = q->cosine[i] > -1.5f;
    if (!lf_view_allows(q->view, i) || (q->lexical[i] <= 0 && !has_vector))
        return -INFINITY;
    if (q->o->mode == LF_SEARCH_VECTOR)
        return has_vector ? q->cosine[i] : -INFINITY;
    return q->lexical[i] * lexical + (q->query && has_vector ? vector_weight * q->cosine[i] : 0.0f);
}

static void fuse(search *q)
{
    const size_t n = lf_view_n_chunks(q->view);
    for (size_t i = 0; i < n; i++)
        q->fused[i] = fuse_one(q, i);
}

static double word_share(const search *q)
{
    const size_t n = lf_view_n_chunks(q->view);
    float most = 0;
    for (size_t i = 0; i < n; i++)
        if (q->lexical[i] > most && lf_view_allows(q->view, i))
            most = q->lexical[i];
    return q->ideal > 0 ? (double)(most / q->ideal) : 0;
}

/* ---- the best ---- */

static bool worse(const float *score, uint32_t a, uint32_t b)
{
    return score[a] != score[b] ? score[a] < score[b] : a > b;
}

static void sift_down(uint32_t *heap, size_t n, size_t i, const float *score)
{
    for (;;) {
        size_t least = i;
        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < n; c++)
            if (worse(score, heap[c], heap[least]))
                least = c;
        if (least == i)
            return;
        const uint32_t t = heap[i];
        heap[i] = heap[least];
        heap[least] = t;
        i = least;
    }
}

/* The `want` best of score[0..n) into q->order, best first: a heap whose root is
 * the worst of those kept, then sorted by taking the root off. */
static lf_status pick(search *q, size_t want, lf_err *err)
{
    const size_t n = lf_view_n_chunks(q->view);
    q->order = lf_alloc((want + 1) * sizeof *q->order);
    if (!q->order)
        return no_memory(err);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (q->fused[i] == -INFINITY)
            continue;
        if (m < want) {
            q->order[m++] = (uint32_t)i;
            if (m == want)
                for (size_t k = m / 2; k-- > 0;)
                    sift_down(q->order, m, k, q->fused);
        } else if (want && worse(q->fused, q->order[0], (uint32_t)i)) {
            q->order[0] = (uint32_t)i;
            sift_down(q->order, m, 0, q->fused);
        }
    }
    if (m < want)
        for (size_t k = m / 2; k-- > 0;)
            sift_down(q->order, m, k, q->fused);
    q->n_order = m;
    for (size_t left = m; left > 1; left--) {
        const uint32_t t = q->order[0];
        q->order[0] = q->order[left - 1];
        q->order[left - 1] = t;
        sift_down(q->order, left - 1, 0, q->fused);
    }
    return LF_OK;
}

/* Where cosines are not those of the stored vectors: those of twice as many
 * candidates are, and the best of them stay.  (A cosine is off by 0.005, the
 * candidates that fall away are behind by ten times that.) */
static lf_status pick_exact(search *q, size_t want, lf_err *err)
{
    if (!q->query || lf_view_is_exact(q->view))
        return pick(q, want, err);
    lf_status st = pick(q, want * 2, err);
    if (st == LF_OK)
        st = lf_view_exact_vectors(q->view, q->query, q->k->embedder.dim, q->order, q->n_order,
                                   q->cosine, err);
    for (size_t i = 0; st == LF_OK && i < q->n_order; i++) {
        const uint32_t chunk = q->order[i];
        size_t at = i;
        q->fused[chunk] = fuse_one(q, chunk);
        for (; at > 0 && worse(q->fused, q->order[at - 1], chunk); at--)
            q->order[at] = q->order[at - 1];
        q->order[at] = chunk;
    }
    if (q->n_order > want)
        q->n_order = want;
    return st;
}

/* ---- passages ---- */

static void passage_release(lf_passage *p)
{
    lf_free(p->doc_id);
    lf_free(p->source);
    lf_free(p->heading);
    lf_free(p->text);
    *p = (lf_passage){ 0 };
}

void lf_passages_release(lf_passages *p)
{
    for (size_t i = 0; i < p->n; i++)
        passage_release(&p->v[i]);
    lf_free(p->v);
    *p = (lf_passages){ 0 };
}

typedef struct extent { /* chunks [first, last] shown as one passage */
    size_t first, last, best;
    lf_view_chunk a, z;
} extent;

/* Take in the chunk beside the extent if it belongs to the same section and page
 * and all of it fits; `used` chunks are shown already. */
static lf_status widen(search *q, extent *e, bool forward, const uint8_t *used, bool *did,
                       lf_err *err)
{
    size_t first, n;
    lf_view_chunk c = { 0 };
    *did = false;
    (void)lf_view_doc_of(q->view, e->best, &first, &n);
    if (forward ? e->last + 1 >= first + n : e->first <= first)
        return LF_OK;
    const size_t at = forward ? e->last + 1 : e->first - 1;
    if (used[at])
        return LF_OK;
    lf_status st = lf_view_chunk_get(q->view, at, &c, err);
    if (st != LF_OK)
        return st;
    const uint32_t start = forward ? e->a.start : c.start, end = forward ? c.end : e->z.end;
    if (c.page == e->a.page && c.section == e->a.section && end - start <= PASSAGE_CHARS) {
        lf_view_chunk *side = forward ? &e->z : &e->a;
        lf_free(side->heading);
        *side = c;
        *(forward ? &e->last : &e->first) = at;
        *did = true;
        return LF_OK;
    }
    lf_free(c.heading);
    return LF_OK;
}

static lf_status make_extent(search *q, uint32_t chunk, const uint8_t *used, extent *e, lf_err *err)
{
    *e = (extent){ .first = chunk, .last = chunk, .best = chunk };
    lf_status st = lf_view_chunk_get(q->view, chunk, &e->a, err);
    if (st == LF_OK)
        st = lf_view_chunk_get(q->view, chunk, &e->z, err);
    bool more = st == LF_OK;
    while (more && st == LF_OK && e->z.end - e->a.start < PASSAGE_SHORT) {
        bool fore = false, back = false;
        st = widen(q, e, true, used, &fore, err);
        if (st == LF_OK && e->z.end - e->a.start < PASSAGE_SHORT)
            st = widen(q, e, false, used, &back, err);
        more = fore || back;
    }
    return st;
}

static lf_status fill_passage(search *q, const extent *e, lf_passage *p, lf_err *err)
{
    size_t first, n;
    lf_buf text = { 0 };
    lf_row_box box = { 0 };
    const size_t doc = lf_view_doc_of(q->view, e->best, &first, &n);
    *p = (lf_passage){ .doc_id = lf_strdup(lf_view_doc_id(q->view, doc)),
                       .heading = lf_strdup(e->a.heading),
                       .start = e->a.start,
                       .end = e->z.end,
                       .page = e->a.page,
                       .score = (double)q->fused[e->best],
                       .lexical = (double)q->lexical[e->best],
                       .vector = q->cosine[e->best] > -1.5f ? (double)q->cosine[e->best] : 0.0 };
    lf_status st = p->doc_id && p->heading ? LF_OK : no_memory(err);
    if (st == LF_OK)
        st = lf_view_source(q->view, doc, &p->source, err);
    if (st == LF_OK)
        st = lf_view_slice(q->view, doc, e->a.byte_start, e->z.byte_end, &text, err);
    if (st == LF_OK && p->page > 0)
        st = lf_view_box(q->view, doc, p->start, p->end, p->page, &box, err);
    p->box = (lf_box){ box.x0, box.y0, box.x1, box.y1 };
    if (st == LF_OK) {
        lf_buf_add_str(&text, "");
        p->text = text.data ? lf_buf_take(&text) : lf_strdup("");
        if (!p->text)
            st = no_memory(err);
    }
    lf_buf_release(&text);
    return st;
}

/* Does passage p say what one of those before it says word for word? */
static bool repeats(const lf_passages *out, const lf_passage *p)
{
    for (size_t i = 0; i < out->n; i++)
        if (!strcmp(out->v[i].text, p->text))
            return true;
    return false;
}

/* Two rounds over the candidates: what is new, then, if room is left, what repeats. */
static lf_status show(search *q, size_t k, lf_passages *out, lf_err *err)
{
    lf_status st = LF_OK;
    uint8_t *used = lf_calloc(lf_view_n_chunks(q->view) + 1, 1);
    uint32_t *again = NULL;
    size_t n_again = 0;
    out->v = lf_calloc(k + 1, sizeof *out->v);
    again = lf_alloc((q->n_order + 1) * sizeof *again);
    if (!used || !out->v || !again)
        st = no_memory(err);
    for (size_t i = 0; st == LF_OK && i < q->n_order + n_again && out->n < k; i++) {
        const bool second = i >= q->n_order;
        const uint32_t chunk = second ? again[i - q->n_order] : q->order[i];
        lf_passage p = { 0 };
        extent e = { 0 };
        if (used[chunk])
            continue;
        st = make_extent(q, chunk, used, &e, err);
        if (st == LF_OK)
            st = fill_passage(q, &e, &p, err);
        if (st != LF_OK) {
            passage_release(&p);
        } else if (!second && repeats(out, &p)) {
            again[n_again++] = chunk;
            passage_release(&p);
        } else {
            memset(used + e.first, 1, e.last - e.first + 1);
            out->v[out->n++] = p;
        }
        lf_free(e.a.heading);
        lf_free(e.z.heading);
    }
    lf_free(used);
    lf_free(again);
    if (st != LF_OK)
        lf_passages_release(out);
    return st;
}

/* Cut at a character, so that what is embedded stays valid UTF-8. */
static size_t query_bytes(const char *query)
{
    size_t n = strlen(query);
    if (n <= QUERY_BYTES_MAX)
        return n;
    for (n = QUERY_BYTES_MAX; n > 0 && ((unsigned char)query[n] & 0xC0) == 0x80;)
        n--;
    return n;
}

static lf_filter filter_of(const lf_search_opts *o)
{
    return (lf_filter){ .collection = o->n_doc_ids    ? NULL
                                      : o->collection ? o->collection
                                                      : "default",
                        .doc_ids = o->doc_ids,
                        .n_doc_ids = o->n_doc_ids };
}

lf_status lf_know_documents(lf_know *k, const lf_scope *s, const lf_search_opts *o, size_t *n,
                            uint64_t *set, lf_err *err)
{
    lf_state *store = k->state;
    lf_view *v = NULL;
    const lf_filter f = filter_of(o);
    lf_status st = LF_OK;
    if (o->n_doc_ids)
        st = lf_know_store_of(k, o->doc_ids[0], &store, err);
    if (st == LF_OK) /* with the vectors' model: the snapshot that the search has made */
        st = lf_view_open(store, s, &f, k->has_embedder ? k->embedder.model_hash : NULL, &v, err);
    if (st == LF_OK)
        *set = lf_view_documents(v, n);
    lf_view_close(v);
    return st;
}

/* The view to search in; the default collection exists before anything is in it. */
static lf_status open_view(search *q, const lf_scope *s, lf_err *err)
{
    const lf_filter f = filter_of(q->o);
    const char *model = q->query ? q->k->embedder.model_hash : NULL;
    const lf_status st = lf_view_open(q->store, s, &f, model, &q->view, err);
    if (st == LF_OK && f.collection && strcmp(f.collection, "default") != 0 &&
        !lf_view_knows(q->view, s, f.collection))
        return lf_fail(err, LF_ERR_NOT_FOUND, "there is no collection '%.100s'", f.collection);
    return st;
}

lf_status lf_know_search(lf_know *k, const lf_scope *s, const char *query, const lf_search_opts *o,
                         lf_passages *out, lf_err *err)
{
    static const lf_search_opts none = { 0 };
    o = o ? o : &none;
    search q = { .k = k, .o = o, .store = k->state };
    lf_passages found = { 0 };
    const size_t n_bytes = query_bytes(query);
    const size_t want = o->k < 1 ? K_DEFAULT : o->k > K_MAX ? K_MAX : (size_t)o->k;
    lf_status st = LF_OK;
    if (o->n_doc_ids)
        st = lf_know_store_of(k, o->doc_ids[0], &q.store, err);
    if (st == LF_OK && o->mode == LF_SEARCH_VECTOR && !k->has_embedder)
        st = lf_fail(err, LF_ERR_ARG, "a search by vectors alone needs an embedding model");
    if (st == LF_OK)
        st = query_terms(&q, query, n_bytes, err);
    if (st == LF_OK)
        st = query_vector(&q, query, n_bytes, err);
    if (st == LF_OK)
        st = open_view(&q, s, err);
    if (st == LF_OK)
        st = scan(&q, err);
    if (st == LF_OK) {
        fuse(&q);
        st = pick_exact(&q, want * 2 + 16, err);
    }
    if (st == LF_OK)
        st = show(&q, want, &found, err);
    if (st == LF_OK)
        found.word_share = word_share(&q);
    search_release(&q);
    if (st == LF_OK)
        *out = found;
    return st;
}

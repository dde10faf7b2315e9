/* tests/unit/test_store.c - the state file, its full-text index and its scans. */
#include "tests/lf_test.h"

#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/runs.h"
#include "store/search.h"
#include "store/state.h"
#include "tensor/type.h"

/* ---- a small world of made-up documents ---- */

enum { DIM = 16, VOCAB = 40, WORDS = 30 };

static uint32_t seed = 1;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

typedef struct made {
    size_t n_chunks;
    uint64_t words[64][WORDS]; /* term ids */
    size_t n_words[64];
    size_t n_vectors;
    uint16_t vectors[3 * 64 * DIM];
    uint64_t hashes[3 * 64];
    lf_row_chunk chunks[64];
} made;

static lf_status made_terms(void *ud, size_t i, lf_terms *out, lf_err *err)
{
    const made *m = ud;
    for (size_t k = 0; k < m->n_words[i]; k++) {
        if (out->n == out->cap) {
            const size_t cap = out->cap ? out->cap * 2 : 16;
            lf_term *grown = lf_realloc(out->v, cap * sizeof *grown);
            if (!grown)
                return lf_fail(err, LF_ERR_NOMEM, "no memory");
            out->v = grown;
            out->cap = cap;
        }
        out->v[out->n++] = (lf_term){ .id = m->words[i][k] };
    }
    return LF_OK;
}

static void make(made *m, size_t n_chunks)
{
    m->n_chunks = n_chunks;
    m->n_vectors = 0;
    for (size_t i = 0; i < n_chunks; i++) {
        m->n_words[i] = 1 + rnd(WORDS);
        for (size_t k = 0; k < m->n_words[i]; k++)
            m->words[i][k] = 1000 + 7919 * (uint64_t)(rnd(VOCAB) * rnd(VOCAB) / VOCAB);
        const size_t n_parts = 1 + rnd(3);
        for (size_t k = 0; k < n_parts; k++) {
            float v[DIM], sum = 0;
            for (int d = 0; d < DIM; d++) {
                v[d] = (float)((int)rnd(2001) - 1000);
                sum += v[d] * v[d];
            }
            for (size_t d = 0; d < DIM; d++)
                m->vectors[m->n_vectors * DIM + d] = lf_f32_to_f16(v[d] / sqrtf(sum));
            m->hashes[m->n_vectors] = 77 + m->n_vectors;
            m->n_vectors++;
        }
        m->chunks[i] = (lf_row_chunk){ .start = (uint32_t)i,
                                       .end = (uint32_t)i + 1,
                                       .byte_start = (uint32_t)i,
                                       .byte_end = (uint32_t)i + 1,
                                       .heading = "",
                                       .n_vectors = (uint16_t)n_parts };
    }
}

static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmn";

static lf_doc_put put_of(const made *m, const char *doc_id, const char *collection)
{
    return (lf_doc_put){ .doc_id = doc_id,
                         .collection = collection,
                         .source = doc_id,
                         .hash = "h",
                         .settings = "s",
                         .format = "text",
                         .warning = "",
                         .original = "raw",
                         .n_original = 3,
                         .text = letters,
                         .n_bytes = m->n_chunks,
                         .n_chars = m->n_chunks,
                         .chunks = m->chunks,
                         .n_chunks = m->n_chunks,
                         .vectors = m->vectors,
                         .vector_hashes = m->hashes,
                         .n_vectors = m->n_vectors,
                         .dim = DIM,
                         .model = "m1",
                         .terms = made_terms,
                         .terms_ud = (void *)(uintptr_t)m };
}

static const char *state_path(void)
{
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/a/state.lfdb", lf_test_dir());
    return path;
}

static lf_scope *scope_of(const char *collection)
{
    lf_scope *s = NULL;
    LF_NEED(lf_scope_open("me", &collection, collection ? 1 : 0, &s, err));
    return s;
}

/* ---- documents ---- */

static void documents_come_back(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    make(&m, 3);
    const lf_row_cell cells[] = { { 0, 1, 1, 2, 0, 1, { 1, 2, 3, 4 } } };
    const lf_row_block blocks[] = { { 3, 0, 1, { 1, 2, 3, 4 }, 0, 2, cells, 1 },
                                    { 1, 0, 2, { 0, 0, 0, 0 }, 2, 3, NULL, 0 } };
    const lf_row_line lines[] = { { 0, 2, 1, { 10, 20, 30, 40 } }, { 2, 3, 2, { 5, 5, 6, 6 } } };
    const lf_row_page pages[] = { { 595, 842, false }, { 595, 842, true } };
    lf_doc_put p = put_of(&m, "0123", "c1");
    p.blocks = blocks;
    p.n_blocks = 2;
    p.lines = lines;
    p.n_lines = 2;
    p.pages = pages;
    p.n_pages = 2;
    LF_NEED(lf_state_open(state_path(), &s, err));
    LF_NEED(lf_state_put(s, all, &p, err));
    for (int round = 0; round < 2; round++) { /* now, and after opening again */
        lf_state_doc d;
        lf_layout l;
        lf_buf b = { 0 };
        LF_NEED(lf_state_find(s, all, "0123", &d, err));
        LF_CHECK_STR(d.collection, "c1");
        LF_CHECK_INT(d.n_pages, 2);
        LF_CHECK_INT(d.n_chunks, 3);
        lf_state_doc_release(&d);
        LF_NEED(lf_state_original(s, all, "0123", &b, err));
        LF_CHECK_STR(lf_buf_cstr(&b), "raw");
        lf_buf_clear(&b);
        LF_NEED(lf_state_text(s, all, "0123", &b, err));
        LF_CHECK_STR(lf_buf_cstr(&b), "abc");
        lf_buf_release(&b);
        LF_NEED(lf_state_layout(s, all, "0123", &l, err));
        LF_CHECK_INT(l.n_blocks, 2);
        LF_CHECK_INT(l.blocks[0].n_cells, 1);
        LF_CHECK_INT(l.blocks[0].cells[0].n_cols, 2);
        LF_CHECK_INT(l.n_lines, 2);
        LF_CHECK_INT(l.lines[1].page, 2);
        LF_CHECK(l.pages[1].scanned && l.blocks[0].box.y1 == 4);
        lf_layout_release(&l);
        LF_NEED(lf_state_check(s, err));
        lf_state_close(s);
        LF_NEED(lf_state_open(state_path(), &s, err));
    }
    LF_NEED(lf_state_remove(s, all, "0123", err));
    lf_state_doc gone;
    LF_CHECK_INT(lf_state_find(s, all, "0123", &gone, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_state_remove(s, all, "0123", NULL), LF_ERR_NOT_FOUND);
    lf_state_close(s);
    lf_scope_close(all);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void a_scope_hides_other_collections(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL), *one = scope_of("c1");
    make(&m, 4);
    const lf_doc_put p = put_of(&m, "d1", "c1"), q = put_of(&m, "d2", "c2");
    LF_NEED(lf_state_open(state_path(), &s, err));
    LF_NEED(lf_state_put(s, all, &p, err));
    LF_NEED(lf_state_put(s, all, &q, err));
    LF_CHECK_INT(lf_state_put(s, one, &q, NULL), LF_ERR_DENIED);
    lf_state_doc *docs = NULL, d;
    size_t n = 0;
    lf_buf b = { 0 };
    LF_NEED(lf_state_list(s, one, NULL, &docs, &n, err));
    LF_CHECK_INT(n, 1);
    lf_state_docs_free(docs, n);
    LF_NEED(lf_state_list(s, one, "c2", &docs, &n, err));
    LF_CHECK_INT(n, 0);
    lf_state_docs_free(docs, n);
    LF_CHECK_INT(lf_state_find(s, one, "d2", &d, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_state_text(s, one, "d2", &b, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_state_remove(s, one, "d2", NULL), LF_ERR_NOT_FOUND);
    lf_view *v = NULL;
    const lf_filter f = { 0 };
    LF_NEED(lf_view_open(s, one, &f, "m1", &v, err));
    LF_CHECK_INT(lf_view_n_chunks(v), 8);
    LF_CHECK_INT(lf_view_n_allowed(v), 4);
    float score[8], cosine[8], query[DIM] = { 1 };
    lf_query_term t[VOCAB];
    for (size_t i = 0; i < VOCAB; i++)
        t[i] = (lf_query_term){ .id = 1000 + 7919 * (uint64_t)i, .weight = 1 };
    LF_NEED(lf_view_scan_terms(v, t, VOCAB, (lf_bm25){ 1.2f, 0.75f }, score, err));
    LF_NEED(lf_view_scan_vectors(v, query, DIM, NULL, cosine, err));
    for (size_t i = 0; i < 8; i++) {
        size_t first, k;
        const bool mine = !strcmp(lf_view_doc_id(v, lf_view_doc_of(v, i, &first, &k)), "d1");
        LF_CHECK((score[i] > 0) == mine);
        LF_CHECK((cosine[i] > -1.5f) == mine);
    }
    lf_view_close(v);
    lf_state_close(s);
    lf_scope_close(all);
    lf_scope_close(one);
}

/* ---- scans against the definition ---- */

typedef struct world {
    made docs[40];
    bool there[40];
    char ids[40][LF_DOC_ID];
} world;

static void check_scans(lf_state *s, const lf_scope *scope, const world *w)
{
    lf_view *v = NULL;
    const lf_filter f = { .collection = "c" };
    LF_NEED(lf_view_open(s, scope, &f, "m1", &v, err));
    const size_t n = lf_view_n_chunks(v);
    float *score = lf_alloc((n + 1) * sizeof *score), *cosine = lf_alloc((n + 1) * sizeof *cosine);
    LF_CHECK(score && cosine);
    float q[DIM];
    for (int d = 0; d < DIM; d++)
        q[d] = (float)rnd(100) / 100;
    lf_query_term t[3] = { { .id = 1000, .weight = 1 },
                           { .id = 1000 + 7919 * 5, .weight = 0.5f },
                           { .id = 1000 + 7919 * 20, .weight = 2 } };
    LF_NEED(lf_view_scan_terms(v, t, 3, (lf_bm25){ 1.2f, 0.75f }, score, err));
    LF_NEED(lf_view_scan_vectors(v, q, DIM, NULL, cosine, err));
    size_t alive = 0;
    double total = 0;
    for (size_t d = 0; d < 40; d++)
        for (size_t c = 0; w->there[d] && c < w->docs[d].n_chunks; c++) {
            alive++;
            total += (double)w->docs[d].n_words[c];
        }
    LF_CHECK_INT(lf_view_n_allowed(v), alive);
    double idf[3];
    for (size_t k = 0; k < 3; k++) {
        double df = 0;
        for (size_t d = 0; d < 40; d++)
            for (size_t c = 0; w->there[d] && c < w->docs[d].n_chunks; c++) {
                bool has = false;
                for (size_t x = 0; x < w->docs[d].n_words[c]; x++)
                    has = has || w->docs[d].words[c][x] == t[k].id;
                df += has;
            }
        LF_CHECK_INT(t[k].df, df);
        idf[k] = log(1 + ((double)alive - df + 0.5) / (df + 0.5));
    }
    for (size_t i = 0; i < n; i++) {
        size_t first, k;
        const char *id = lf_view_doc_id(v, lf_view_doc_of(v, i, &first, &k));
        size_t d = 0;
        while (d < 40 && strcmp(w->ids[d], id) != 0)
            d++;
        LF_CHECK(d < 40 && w->there[d]);
        const made *m = &w->docs[d];
        const size_t c = i - first;
        double want = 0, dot = 0;
        for (size_t x = 0; x < 3; x++) {
            double tf = 0;
            for (size_t y = 0; y < m->n_words[c]; y++)
                tf += m->words[c][y] == t[x].id;
            if (tf > 0)
                want +=
                    (double)t[x].weight * idf[x] * tf * 2.2 /
                    (tf + 1.2 * (0.25 + 0.75 * (double)m->n_words[c] / (total / (double)alive)));
        }
        size_t at = 0;
        for (size_t x = 0; x < c; x++)
            at += m->chunks[x].n_vectors;
        dot = -2;
        for (size_t x = 0; x < m->chunks[c].n_vectors; x++) {
            double one = 0;
            for (size_t y = 0; y < DIM; y++)
                one += (double)q[y] * (double)lf_f16_to_f32(m->vectors[(at + x) * DIM + y]);
            if (one > dot)
                dot = one;
        }
        LF_CHECK_NEAR(score[i], want, 1e-4, i);
        LF_CHECK_NEAR(cosine[i], dot, 1e-4, i);
    }
    lf_free(score);
    lf_free(cosine);
    lf_view_close(v);
}

/* Put, replace and remove at random; segments merge meanwhile. */
static void scans_match_the_definition(void)
{
    static world w;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    LF_NEED(lf_state_open(state_path(), &s, err));
    for (int step = 0; step < 120; step++) {
        const size_t d = rnd(40);
        (void)snprintf(w.ids[d], LF_DOC_ID, "doc%zu", d);
        if (w.there[d] && rnd(3) == 0) {
            LF_NEED(lf_state_remove(s, all, w.ids[d], err));
            w.there[d] = false;
        } else {
            make(&w.docs[d], rnd(64));
            w.there[d] = true;
            const lf_doc_put p = put_of(&w.docs[d], w.ids[d], "c");
            LF_NEED(lf_state_put(s, all, &p, err));
        }
        if (step % 8 == 0)
            check_scans(s, all, &w);
    }
    LF_NEED(lf_state_check(s, err));
    lf_state_close(s);
    LF_NEED(lf_state_open(state_path(), &s, err));
    check_scans(s, all, &w);
    lf_state_close(s);
    lf_scope_close(all);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* The best of a chunk's vectors, as they were put. */
static float best_cosine(const made *m, size_t chunk, const float *q)
{
    size_t first = 0;
    double best = -2;
    for (size_t c = 0; c < chunk; c++)
        first += m->chunks[c].n_vectors;
    for (size_t k = first; k < first + m->chunks[chunk].n_vectors; k++) {
        double dot = 0;
        for (size_t i = 0; i < DIM; i++)
            dot += (double)q[i] * (double)lf_f16_to_f32(m->vectors[k * DIM + i]);
        best = dot > best ? dot : best;
    }
    return (float)best;
}

/* Documents go until few vectors are left: then cosines are exact without the file. */
static void shrink_and_look(lf_state *s, const lf_scope *all, const made *m, int n_docs,
                            size_t n_vectors)
{
    const lf_filter f = { 0 };
    lf_view *v = NULL;
    for (int d = 0; n_vectors > 65536; d++) {
        char id[LF_DOC_ID];
        LF_CHECK(d < n_docs - 1);
        (void)snprintf(id, sizeof id, "d%05d", d);
        LF_NEED(lf_state_remove(s, all, id, err));
        n_vectors -= 64; /* one a chunk at least */
    }
    LF_NEED(lf_view_open(s, all, &f, "m1", &v, err));
    LF_CHECK(lf_view_is_exact(v));
    const size_t n = lf_view_n_chunks(v);
    float *cosine = lf_alloc(n * sizeof *cosine), q[DIM] = { 1 };
    LF_CHECK(cosine != NULL);
    LF_NEED(lf_view_scan_vectors(v, q, DIM, NULL, cosine, err));
    for (size_t c = 0; c < 64; c++)
        LF_CHECK_NEAR(cosine[n - 64 + c], best_cosine(m, c, q), 1e-6, c);
    lf_free(cosine);
    lf_view_close(v);
}

/* More vectors than are scanned exactly: what is nearest, and what is hinted at,
 * still gets the cosine of its best vector: about, and from the file exactly. */
static void a_coarse_pass_misses_nothing_near(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    lf_view *v = NULL;
    const lf_filter f = { 0 };
    size_t n_vectors = 0;
    int n_docs = 0;
    LF_NEED(lf_state_open(state_path(), &s, err));
    for (int d = 0; n_vectors < 70000; d++, n_docs++) {
        if (n_vectors > 60000 && !v) { /* a snapshot of before there were so many */
            LF_NEED(lf_view_open(s, all, &f, "m1", &v, err));
            LF_CHECK(lf_view_is_exact(v));
        }
        char id[LF_DOC_ID];
        (void)snprintf(id, sizeof id, "d%05d", d);
        make(&m, 64);
        const lf_doc_put p = put_of(&m, id, "c");
        LF_NEED(lf_state_put(s, all, &p, err));
        n_vectors += m.n_vectors;
    }
    lf_view_close(v);
    LF_NEED(lf_view_open(s, all, &f, "m1", &v, err));
    LF_CHECK(!lf_view_is_exact(v));
    const size_t n = lf_view_n_chunks(v);
    float *cosine = lf_alloc(n * sizeof *cosine), *hint = lf_calloc(n, sizeof *hint);
    LF_CHECK(cosine && hint);
    size_t n_exact = 0;
    for (size_t c = 0, at = 0; c < 64; at += m.chunks[c++].n_vectors) {
        float q[DIM]; /* a vector of chunk c of the document that was put last */
        for (size_t i = 0; i < DIM; i++)
            q[i] = lf_f16_to_f32(m.vectors[at * DIM + i]);
        memset(hint, 0, n * sizeof *hint);
        LF_NEED(lf_view_scan_vectors(v, q, DIM, hint, cosine, err));
        n_exact += cosine[n - 64 + c] > 0.95f;
        hint[n - 64 + c] = 1;
        LF_NEED(lf_view_scan_vectors(v, q, DIM, hint, cosine, err));
        LF_CHECK_NEAR(cosine[n - 64 + c], 1.0, 0.05, c);
        const uint32_t pair[] = { (uint32_t)(n - 64 + c), (uint32_t)(n - 1 - c) };
        LF_NEED(lf_view_exact_vectors(v, q, DIM, pair, 2, cosine, err));
        LF_CHECK_NEAR(cosine[pair[0]], best_cosine(&m, c, q), 1e-6, c);
        LF_CHECK_NEAR(cosine[pair[1]], best_cosine(&m, 63 - c, q), 1e-6, c);
    }
    LF_CHECK(n_exact >= 60);
    lf_free(cosine);
    lf_free(hint);
    lf_view_close(v);
    shrink_and_look(s, all, &m, n_docs, n_vectors);
    lf_state_close(s);
    lf_scope_close(all);
}

static void known_vectors_are_found_by_hash(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    make(&m, 10);
    const lf_doc_put p = put_of(&m, "d1", "c");
    LF_NEED(lf_state_open(state_path(), &s, err));
    LF_NEED(lf_state_put(s, all, &p, err));
    uint16_t got[30 * DIM] = { 0 };
    bool found[30] = { false }, none[30] = { false };
    const size_t n = m.n_vectors;
    m.hashes[4] = 12345;
    LF_NEED(lf_state_known_vectors(s, all, "d1", "other", "m1", DIM, m.hashes, n, got, found, err));
    for (size_t i = 0; i < n; i++) {
        LF_CHECK(found[i] == (i != 4));
        if (found[i])
            LF_CHECK(!memcmp(got + i * DIM, m.vectors + i * DIM, DIM * sizeof *got));
    }
    LF_NEED(lf_state_known_vectors(s, all, "d1", "h", "m2", DIM, m.hashes, n, got, none, err));
    for (size_t i = 0; i < n; i++)
        LF_CHECK(!none[i]);
    lf_state_close(s);
    lf_scope_close(all);
}

static void a_cache_is_trimmed_oldest_first(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    make(&m, 8);
    LF_NEED(lf_state_open(state_path(), &s, err));
    const char *ids[] = { "d0", "d1", "d2", "d3" };
    for (size_t i = 0; i < 4; i++) {
        const lf_doc_put p = put_of(&m, ids[i], "in");
        LF_NEED(lf_state_put(s, all, &p, err));
        (void)usleep(2000);
    }
    LF_NEED(lf_state_touch(s, &ids[0], 1, err));
    LF_NEED(lf_state_trim(s, 17 << 10, &ids[1], 1, err)); /* two of about 8 KiB each */
    lf_state_doc d;
    for (size_t i = 0; i < 4; i++) {
        const lf_status st = lf_state_find(s, all, ids[i], &d, NULL);
        LF_CHECK_INT(st, i == 0 || i == 1 ? LF_OK : LF_ERR_NOT_FOUND);
        if (st == LF_OK)
            lf_state_doc_release(&d);
    }
    lf_state_close(s);
    lf_scope_close(all);
}

/* ---- files that are refused ---- */

static void refused_unchanged(const char *path, lf_status want, const char *word)
{
    lf_buf before = { 0 }, after = { 0 };
    lf_state *s = NULL;
    lf_err e = { 0 };
    LF_NEED(lf_file_read(path, 0, &before, err));
    LF_CHECK_INT(lf_state_open(path, &s, &e), want);
    LF_CHECK(s == NULL && strstr(e.msg, word));
    LF_NEED(lf_file_read(path, 0, &after, err));
    LF_CHECK(before.len == after.len && !memcmp(before.data, after.data, before.len));
    lf_buf_release(&before);
    lf_buf_release(&after);
}

static void a_filled_state(lf_buf *out)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    LF_NEED(lf_state_open(state_path(), &s, err));
    make(&m, 60);
    for (int i = 0; i < 6; i++) {
        char id[LF_DOC_ID];
        (void)snprintf(id, sizeof id, "d%d", i);
        const lf_doc_put p = put_of(&m, id, "c");
        LF_NEED(lf_state_put(s, all, &p, err));
    }
    lf_state_close(s);
    lf_scope_close(all);
    LF_NEED(lf_file_read(state_path(), 0, out, err));
}

static void foreign_newer_and_damaged_files_are_refused(void)
{
    lf_buf good = { 0 }, bad = { 0 };
    a_filled_state(&good);
    LF_CHECK_INT((uint8_t)good.data[20], 32); /* reserved bytes on every page */
    refused_unchanged(lf_test_file("text", "hello", 5), LF_ERR_FORMAT, "not a Landfall");
    lf_buf_add(&bad, good.data, good.len);
    bad.data[71] ^= 1; /* application id */
    refused_unchanged(lf_test_file("foreign", bad.data, bad.len), LF_ERR_FORMAT, "another program");
    bad.data[71] ^= 1;
    bad.data[63] = 99; /* user version */
    refused_unchanged(lf_test_file("newer", bad.data, bad.len), LF_ERR_UNSUPPORTED, "newer");
    bad.data[63] = good.data[63];
    refused_unchanged(lf_test_file("short", bad.data, bad.len - 8192), LF_ERR_CORRUPT, "cut off");
    size_t n_refused = 0;
    for (size_t page = 1; page < bad.len / 8192; page++) { /* the root and some other pages */
        memset(bad.data + page * 8192, 0xA5, 64);
        lf_state *s = NULL;
        const char *path = lf_test_file("damaged", bad.data, bad.len);
        if (lf_state_open(path, &s, NULL) != LF_OK)
            n_refused++;
        lf_state_close(s);
        memcpy(bad.data + page * 8192, good.data + page * 8192, 64);
    }
    LF_CHECK(n_refused >= bad.len / 8192 / 2);
    lf_buf_release(&good);
    lf_buf_release(&bad);
}

/* Wherever a state file is cut off: refused with a reason, and left as it is. */
static void every_truncation_is_refused(void)
{
    lf_buf good = { 0 };
    a_filled_state(&good);
    for (size_t n = 1; n < good.len; n += n < 128 ? 1 : 1021) {
        lf_state *s = NULL;
        lf_err e = { 0 };
        const char *path = lf_test_file("cut", good.data, n);
        const lf_status st = lf_state_open(path, &s, &e);
        LF_CHECK(st == (n < 100 ? LF_ERR_FORMAT : LF_ERR_CORRUPT) && !s && strstr(e.msg, path));
    }
    lf_buf_release(&good);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Pages that are good and rows that are not. */
static void damaged_rows_are_told(void)
{
    static const char *const sql[] = {
        "UPDATE documents SET first_chunk=first_chunk-1 WHERE doc_id='d3'",
        "UPDATE documents SET first_chunk=4294967000 WHERE doc_id='d3'",
        "UPDATE documents SET first_chunk=-5 WHERE doc_id='d3'",
        "UPDATE documents SET n_chunks=-1 WHERE doc_id='d3'",
        "UPDATE documents SET n_chunks=1000000 WHERE doc_id='d3'",
        "UPDATE documents SET lens=x'00' WHERE doc_id='d3'",
        "UPDATE vectors SET counts=x'ffff' WHERE doc=3",
        "UPDATE vectors SET dim=1000000 WHERE doc=3",
        "UPDATE vectors SET data=x'00' WHERE doc=3",
        "UPDATE meta SET value=7 WHERE key='next_chunk'",
        "UPDATE postings SET data=x'ff'",
        "UPDATE chunks SET byte_end=4000000000",
        "UPDATE chunks SET byte_start=3, byte_end=2",
        "DELETE FROM chunks",
    };
    lf_buf good = { 0 };
    lf_scope *all = scope_of(NULL);
    a_filled_state(&good);
    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        const char *path = lf_test_file("rows", good.data, good.len);
        lf_state *s = NULL;
        lf_view *v = NULL;
        lf_err e = { 0 };
        sqlite3 *db = NULL;
        float score[360], q[DIM] = { 1 };
        lf_query_term t = { .id = 1000, .weight = 1 };
        LF_CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
        LF_CHECK_INT(sqlite3_exec(db, sql[i], NULL, NULL, NULL), SQLITE_OK);
        LF_CHECK_INT(sqlite3_close(db), SQLITE_OK);
        LF_NEED(lf_state_open(path, &s, err));
        lf_status st = lf_view_open(s, all, &(lf_filter){ 0 }, "m1", &v, &e);
        if (st == LF_OK)
            st = lf_view_scan_terms(v, &t, 1, (lf_bm25){ 1, 1 }, score, &e);
        if (st == LF_OK)
            st = lf_view_scan_vectors(v, q, DIM, NULL, score, &e);
        for (size_t c = 0; st == LF_OK && c < lf_view_n_chunks(v); c++) {
            lf_view_chunk k;
            lf_buf b = { 0 };
            st = lf_view_chunk_get(v, c, &k, &e);
            if (st == LF_OK) {
                st = lf_view_slice(v, c / 60, k.byte_start, k.byte_end, &b, &e);
                lf_free(k.heading);
            }
            lf_buf_release(&b);
        }
        LF_CHECK_INT(st, LF_ERR_CORRUPT);
        LF_CHECK(e.msg[0] != '\0');
        lf_view_close(v);
        lf_state_close(s);
    }
    lf_buf_release(&good);
    lf_scope_close(all);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* A first opening that was killed after the header was written. */
static void an_unfinished_creation_is_finished(void)
{
    lf_buf good = { 0 };
    lf_state *s = NULL;
    const char *path = lf_test_file("x.lfdb", "", 0);
    LF_NEED(lf_state_open(path, &s, err));
    lf_state_close(s);
    LF_NEED(lf_state_open(path, &s, err));
    LF_NEED(lf_state_check(s, err));
    lf_state_close(s);
    lf_buf_release(&good);
}

/* ---- memory and disk that run out ---- */

static void survives_every_failed_allocation(void)
{
    static made m;
    lf_scope *all = scope_of(NULL);
    make(&m, 5);
    const lf_doc_put p = put_of(&m, "d1", "c");
    const size_t live = lf_mem_live();
    bool through = false;
    for (long n = 0; n < 400 && !through; n++) {
        lf_state *s = NULL;
        lf_view *v = NULL;
        float score[64], cosine[64], q[DIM] = { 1 };
        lf_query_term t = { .id = 1000, .weight = 1 };
        const lf_filter f = { 0 };
        lf_layout l = { 0 };
        lf_mem_fail_after(n);
        lf_status st = lf_state_open(state_path(), &s, NULL);
        if (st == LF_OK)
            st = lf_state_put(s, all, &p, NULL);
        if (st == LF_OK)
            st = lf_view_open(s, all, &f, "m1", &v, NULL);
        if (st == LF_OK)
            st = lf_view_scan_terms(v, &t, 1, (lf_bm25){ 1, 1 }, score, NULL);
        if (st == LF_OK) {
            st = lf_view_scan_vectors(v, q, DIM, NULL, cosine, NULL);
        }
        if (st == LF_OK) {
            st = lf_state_layout(s, all, "d1", &l, NULL);
        }
        lf_mem_fail_after(-1);
        through = st == LF_OK;
        LF_CHECK(through || st == LF_ERR_NOMEM);
        lf_layout_release(&l);
        lf_view_close(v);
        lf_state_close(s);
        LF_CHECK_INT(lf_mem_live(), live);
    }
    LF_CHECK(through);
    lf_scope_close(all);
}

static void a_full_disk_is_an_error_and_loses_nothing(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL);
    size_t n_ok = 0, n_docs = 0;
    lf_state_doc *docs = NULL;
    make(&m, 64);
    LF_NEED(lf_state_open(state_path(), &s, err));
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = { 300 << 10, 300 << 10 };
    LF_CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    lf_status st = LF_OK;
    lf_err e = { 0 };
    char id[LF_DOC_ID];
    for (int i = 0; i < 200 && st == LF_OK; i++) {
        (void)snprintf(id, sizeof id, "d%d", i);
        const lf_doc_put p = put_of(&m, id, "c");
        st = lf_state_put(s, all, &p, &e);
        n_ok += st == LF_OK;
    }
    LF_CHECK_INT(st, LF_ERR_IO);
    LF_CHECK(e.msg[0] != '\0');
    LF_NEED(lf_state_list(s, all, NULL, &docs, &n_docs, err));
    LF_CHECK_INT(n_docs, n_ok);
    lf_state_docs_free(docs, n_docs);
    lf_state_close(s);
    s = NULL;
    LF_NEED(lf_state_open(state_path(), &s, err));
    LF_NEED(lf_state_check(s, err));
    LF_NEED(lf_state_list(s, all, NULL, &docs, &n_docs, err));
    LF_CHECK_INT(n_docs, n_ok);
    lf_state_docs_free(docs, n_docs);
    lf_state_close(s);
    lf_scope_close(all);
}

/* The number that names the searched documents, and how many they are. */
static uint64_t set_of(lf_state *s, const lf_scope *who, const char *collection, size_t n_want)
{
    const lf_filter f = { .collection = collection };
    lf_view *v = NULL;
    size_t n = 0;
    LF_NEED(lf_view_open(s, who, &f, "m1", &v, err));
    const uint64_t set = lf_view_documents(v, &n);
    lf_view_close(v);
    LF_CHECK_INT(n, n_want);
    return set;
}

static void sets_of_documents_are_named_by_content(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *all = scope_of(NULL), *one = scope_of("c");
    make(&m, 4);
    LF_NEED(lf_state_open(state_path(), &s, err));
    lf_doc_put p = put_of(&m, "d1", "c");
    LF_NEED(lf_state_put(s, all, &p, err));
    const uint64_t first = set_of(s, all, "c", 1);
    p = put_of(&m, "d2", "c");
    LF_NEED(lf_state_put(s, all, &p, err));
    LF_CHECK(set_of(s, all, "c", 2) != first);
    p = put_of(&m, "d3", "other");
    LF_NEED(lf_state_put(s, all, &p, err));
    LF_CHECK(set_of(s, all, NULL, 3) != set_of(s, all, "c", 2));
    LF_CHECK(set_of(s, one, NULL, 2) == set_of(s, all, "c", 2)); /* the scope's alone */
    LF_NEED(lf_state_remove(s, all, "d2", err));
    LF_CHECK(set_of(s, all, "c", 1) == first);
    p = put_of(&m, "d1", "c"); /* once more: another row, the same document */
    LF_NEED(lf_state_put(s, all, &p, err));
    LF_CHECK(set_of(s, all, "c", 1) == first);
    p.hash = "another";
    LF_NEED(lf_state_put(s, all, &p, err));
    LF_CHECK(set_of(s, all, "c", 1) != first);
    lf_state_close(s);
    lf_scope_close(all);
    lf_scope_close(one);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void put_run(lf_state *s, const lf_scope *who, const char *id, const char *doc_id)
{
    const char *const docs[] = { doc_id };
    const lf_run_put r = { .id = id,
                           .record = "{\"a\":1}",
                           .texts = "{\"answer\":\"words\"}",
                           .doc_ids = docs,
                           .n_doc_ids = 1 };
    LF_NEED(lf_state_put_run(s, who, &r, err));
}

#define RUN_A "aaaa0000000000000000000000000001"
#define RUN_B "aaaa0000000000000000000000000002"
#define RUN_C "bbbb0000000000000000000000000003"

static void run_records_are_private(void)
{
    lf_state *s = NULL;
    lf_scope *me = scope_of(NULL), *other = NULL;
    lf_run_row r = { 0 }, *all = NULL;
    size_t n = 0;
    LF_NEED(lf_scope_open("other", NULL, 0, &other, err));
    LF_NEED(lf_state_open(state_path(), &s, err));
    put_run(s, me, RUN_A, "d1");
    put_run(s, me, RUN_B, "d2");
    put_run(s, other, RUN_C, "d2");
    LF_NEED(lf_state_get_run(s, me, RUN_A, &r, err));
    LF_CHECK_STR(r.record, "{\"a\":1}");
    LF_CHECK_STR(r.texts, "{\"answer\":\"words\"}");
    LF_CHECK_STR(r.id, RUN_A);
    lf_run_row_release(&r);
    LF_CHECK_INT(lf_state_get_run(s, other, RUN_A, &r, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_state_get_run(s, me, "bbbb", &r, NULL), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_state_get_run(s, me, "aaaa", &r, NULL), LF_ERR_ARG); /* of two */
    LF_CHECK_INT(lf_state_get_run(s, other, "aa", &r, NULL), LF_ERR_ARG);
    LF_CHECK_INT(lf_state_get_run(s, other, "bb%_", &r, NULL), LF_ERR_ARG);
    LF_NEED(lf_state_get_run(s, other, "bbbb", &r, err));
    LF_CHECK_STR(r.id, RUN_C);
    lf_run_row_release(&r);
    LF_NEED(lf_state_runs(s, me, 10, &all, &n, err));
    LF_CHECK_INT(n, 2);
    lf_run_rows_free(all, n);
    LF_NEED(lf_state_runs(s, me, 1, &all, &n, err));
    LF_CHECK_INT(n, 1);
    lf_run_rows_free(all, n);
    lf_state_close(s);
    lf_scope_close(me);
    lf_scope_close(other);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Has the run of this id still its words? */
static bool has_words(lf_state *s, const lf_scope *me, const char *id)
{
    lf_run_row r = { 0 };
    LF_NEED(lf_state_get_run(s, me, id, &r, err));
    LF_CHECK_STR(r.record, "{\"a\":1}");
    const bool has = r.texts != NULL;
    lf_run_row_release(&r);
    return has;
}

static void words_of_runs_go_with_their_documents(void)
{
    static made m;
    lf_state *s = NULL;
    lf_scope *me = scope_of(NULL);
    make(&m, 4);
    LF_NEED(lf_state_open(state_path(), &s, err));
    lf_doc_put p = put_of(&m, "d1", "c");
    LF_NEED(lf_state_put(s, me, &p, err));
    p = put_of(&m, "d2", "c");
    LF_NEED(lf_state_put(s, me, &p, err));
    put_run(s, me, RUN_A, "d1");
    put_run(s, me, RUN_B, "d2");
    p = put_of(&m, "d1", "c"); /* another version: the words stay */
    LF_NEED(lf_state_put(s, me, &p, err));
    LF_CHECK(has_words(s, me, RUN_A) && has_words(s, me, RUN_B));
    LF_NEED(lf_state_remove(s, me, "d1", err));
    LF_CHECK(!has_words(s, me, RUN_A) && has_words(s, me, RUN_B));
    LF_NEED(lf_state_collection_remove(s, me, "c", false, err));
    LF_CHECK(!has_words(s, me, RUN_B));
    lf_state_close(s);
    lf_scope_close(me);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void sql(const char *text)
{
    sqlite3 *db = NULL;
    LF_CHECK_INT(sqlite3_open(state_path(), &db), SQLITE_OK);
    LF_CHECK_INT(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

/* A file of format 1, with a run of that time. */
static void an_older_format_is_brought_up(void)
{
    lf_state *s = NULL;
    lf_scope *me = scope_of(NULL);
    LF_NEED(lf_state_open(state_path(), &s, err));
    lf_state_close(s);
    s = NULL;
    sql("DROP TABLE run_texts; DROP TABLE run_docs; DROP INDEX runs_person;"
        "INSERT INTO runs VALUES('" RUN_A "', 'me', 5, '{\"a\":1}'); PRAGMA user_version=1");
    LF_NEED(lf_state_open(state_path(), &s, err));
    LF_CHECK(!has_words(s, me, RUN_A));
    put_run(s, me, RUN_B, "d1");
    LF_CHECK(has_words(s, me, RUN_B));
    LF_NEED(lf_state_check(s, err));
    lf_state_close(s);
    s = NULL;
    LF_NEED(lf_state_open(state_path(), &s, err)); /* and once only */
    LF_CHECK(has_words(s, me, RUN_B));
    lf_state_close(s);
    lf_scope_close(me);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "store/documents_come_back", documents_come_back },
        { "store/a_scope_hides_other_collections", a_scope_hides_other_collections },
        { "store/scans_match_the_definition", scans_match_the_definition },
        { "store/a_coarse_pass_misses_nothing_near", a_coarse_pass_misses_nothing_near },
        { "store/known_vectors_are_found_by_hash", known_vectors_are_found_by_hash },
        { "store/a_cache_is_trimmed_oldest_first", a_cache_is_trimmed_oldest_first },
        { "store/foreign_newer_and_damaged_files_are_refused",
          foreign_newer_and_damaged_files_are_refused },
        { "store/every_truncation_is_refused", every_truncation_is_refused },
        { "store/damaged_rows_are_told", damaged_rows_are_told },
        { "store/an_unfinished_creation_is_finished", an_unfinished_creation_is_finished },
        { "store/survives_every_failed_allocation", survives_every_failed_allocation },
        { "store/a_full_disk_is_an_error_and_loses_nothing",
          a_full_disk_is_an_error_and_loses_nothing },
        { "store/sets_of_documents_are_named_by_content", sets_of_documents_are_named_by_content },
        { "store/run_records_are_private", run_records_are_private },
        { "store/words_of_runs_go_with_their_documents", words_of_runs_go_with_their_documents },
        { "store/an_older_format_is_brought_up", an_older_format_is_brought_up },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

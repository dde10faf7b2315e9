/* tests/unit/test_know.c - cutting, ingest, search and the take-in cache.
 *
 * The embedder here is a stand-in: a vector of hashed terms, so that texts with
 * common words are near each other and every run gives the same. */
#include "tests/lf_test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "know/chunk.h"
#include "know/know.h"
#include "text/terms.h"
#include "text/utf8.h"

enum { DIM = 64 };

typedef struct fake {
    size_t n_texts; /* embedded so far */
    bool fails;
} fake;

static lf_status fake_embed(void *ud, const lf_str *texts, size_t n, bool is_query, float *out,
                            lf_err *err)
{
    fake *f = ud;
    lf_analyzer *a = NULL;
    lf_terms t = { 0 };
    if (f->fails)
        return lf_fail(err, LF_ERR_IO, "the model is gone");
    if (!is_query)
        f->n_texts += n;
    lf_status st = lf_analyzer_open(&a, err);
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        float *v = out + i * DIM;
        memset(v, 0, DIM * sizeof *v);
        v[0] = 0.01f;
        t.n = 0;
        st = lf_analyzer_terms(a, texts[i].p, texts[i].len, &t, err);
        for (size_t k = 0; k < t.n; k++)
            v[t.v[k].id % DIM] += 1;
        float sum = 0;
        for (size_t k = 0; k < DIM; k++)
            sum += v[k] * v[k];
        for (size_t k = 0; k < DIM; k++)
            v[k] /= sqrtf(sum);
    }
    lf_terms_release(&t);
    lf_analyzer_close(a);
    return st;
}

typedef struct world {
    fake f;
    lf_embedder e;
    lf_know *k;
    lf_scope *s;
    lf_add_result last;
    size_t n_docs;
} world;

static void open_world(world *w)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/home/state.lfdb", lf_test_dir());
    w->e = (lf_embedder){ .dim = DIM, .model_hash = "fake", .embed = fake_embed, .ud = &w->f };
    LF_NEED(lf_scope_open("me", NULL, 0, &w->s, err));
    LF_NEED(lf_know_open(path, &w->e, &w->k, err));
}

static void close_world(world *w)
{
    lf_know_close(w->k);
    lf_scope_close(w->s);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static bool on_doc(void *ud, const char *source, const lf_add_result *r)
{
    world *w = ud;
    (void)source;
    w->last = *r;
    w->n_docs++;
    return true;
}

static void add(world *w, const char *path)
{
    const lf_add_opts o = { .on_doc = on_doc, .ud = w };
    LF_NEED(lf_know_add(w->k, w->s, path, &o, err));
}

static const char *text_file(const char *name, const char *text)
{
    return lf_test_file(name, text, strlen(text));
}

/* ---- cutting ---- */

static void check_chunks(const lf_doc *d, const lf_chunks *c)
{
    uint32_t last = 0;
    for (size_t i = 0; i < c->n; i++) {
        const lf_chunk *k = &c->v[i];
        LF_CHECK(k->start >= last && k->end > k->start && k->end <= d->n_chars);
        LF_CHECK(k->end - k->start <= LF_CHUNK_CHARS);
        LF_CHECK_INT(lf_utf8_offset(d->text, d->n_bytes, k->start), k->byte_start);
        LF_CHECK_INT(lf_utf8_offset(d->text, d->n_bytes, k->end), k->byte_end);
        LF_CHECK(k->n_units > 0 && k->first_unit + k->n_units <= c->n_units);
        LF_CHECK_INT(c->units[k->first_unit].start, k->start);
        LF_CHECK_INT(c->units[k->first_unit + k->n_units - 1].end, k->end);
        for (uint32_t u = 0; u < k->n_units; u++) {
            const lf_chunk_unit *x = &c->units[k->first_unit + u];
            LF_CHECK(x->end > x->start && x->path < c->n_paths);
            LF_CHECK_INT(lf_utf8_offset(d->text, d->n_bytes, x->start), x->byte_start);
        }
        last = k->end;
    }
}

static void chunks_have_exact_spans(void)
{
    lf_buf b = { 0 };
    lf_doc *d = NULL;
    lf_chunks c = { 0 };
    for (int i = 0; i < 40; i++) {
        lf_buf_addf(&b, "# 第%d章 标题 Title\n\n", i);
        for (int k = 0; k < i % 7; k++)
            lf_buf_add_str(&b,
                           "这是一个句子，讲的是第二件事情。Another sentence here, with words. ");
        lf_buf_add_str(&b, "\n\n- 列表项目一\n- item two\n\n");
        for (int k = 0; k < i % 5; k++)
            lf_buf_add_str(&b,
                           "没有句号的很长的一段话没有句号的很长的一段话没有句号的很长的一段话"
                           "没有句号的很长的一段话没有句号的很长的一段话没有句号的很长的一段话");
        lf_buf_add_str(&b, "\n\n| 项目 | 值 |\n|---|---|\n| 长度 | 12 |\n| 宽度 | 7 |\n\n");
    }
    LF_NEED(lf_doc_parse(lf_test_file("a.md", b.data, b.len), &d, err));
    LF_NEED(lf_chunks_of(d, &c, err));
    LF_CHECK(c.n > 20);
    check_chunks(d, &c);
    size_t with_path = 0;
    for (size_t i = 0; i < c.n; i++)
        with_path += strstr(c.paths[c.v[i].path], "标题 Title") != NULL;
    LF_CHECK_INT(with_path, c.n);
    lf_chunks_release(&c);
    lf_doc_close(d);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* Blocks of different pages never share a chunk, and no running head gets in. */
static void chunks_keep_to_their_page(void)
{
    lf_block blocks[] = { { .type = LF_BLOCK_PARAGRAPH, .page = 1, .start = 0, .end = 4 },
                          { .type = LF_BLOCK_FOOTER, .page = 1, .start = 4, .end = 6 },
                          { .type = LF_BLOCK_PARAGRAPH, .page = 2, .start = 6, .end = 10 } };
    char text[] = "abcd12efgh";
    const lf_doc d = {
        .text = text, .n_bytes = 10, .n_chars = 10, .blocks = blocks, .n_blocks = 3
    };
    lf_chunks c = { 0 };
    LF_NEED(lf_chunks_of(&d, &c, err));
    LF_CHECK_INT(c.n, 2);
    LF_CHECK_INT(c.v[0].end, 4);
    LF_CHECK_INT(c.v[1].start, 6);
    LF_CHECK_INT(c.v[1].page, 2);
    lf_chunks_release(&c);
    const lf_doc empty = { .text = text };
    LF_NEED(lf_chunks_of(&empty, &c, err));
    LF_CHECK_INT(c.n, 0);
    lf_chunks_release(&c);
    for (long n = 0; n < 100; n++) {
        lf_mem_fail_after(n);
        const lf_status st = lf_chunks_of(&d, &c, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || (st == LF_ERR_NOMEM && lf_mem_live() == 0));
        if (st == LF_OK) {
            lf_chunks_release(&c);
            break;
        }
    }
}

/* ---- taking in and finding ---- */

static void best_is(world *w, const char *query, const lf_search_opts *o, const char *needle)
{
    lf_passages p = { 0 };
    LF_NEED(lf_know_search(w->k, w->s, query, o, &p, err));
    LF_CHECK(p.n > 0 && strstr(p.v[0].text, needle));
    for (size_t i = 0; i < p.n; i++) {
        lf_doc *d = NULL;
        LF_NEED(lf_know_doc(w->k, w->s, p.v[i].doc_id, &d, err));
        const size_t a = lf_utf8_offset(d->text, d->n_bytes, p.v[i].start);
        const size_t b = lf_utf8_offset(d->text, d->n_bytes, p.v[i].end);
        LF_CHECK(strlen(p.v[i].text) == b - a && !memcmp(p.v[i].text, d->text + a, b - a));
        LF_CHECK(p.v[i].end - p.v[i].start <= LF_CHUNK_CHARS);
        LF_CHECK(i == 0 || p.v[i].score <= p.v[i - 1].score);
        lf_doc_close(d);
    }
    lf_passages_release(&p);
}

static void added_documents_are_found(void)
{
    world w = { 0 };
    open_world(&w);
    add(&w, text_file("one.txt", "南京长江大桥于一九六八年建成通车。\n\n它有两层，下层走火车。"));
    LF_CHECK_INT(w.last.state, LF_ADD_READY);
    add(&w, text_file("two.md", "# Harbour\n\nThe harbour opens at 06:30 and closes at 22:00.\n"));
    for (int mode = LF_SEARCH_HYBRID; mode <= LF_SEARCH_VECTOR; mode++) {
        const lf_search_opts o = { .mode = (lf_search_mode)mode };
        best_is(&w, "长江大桥哪一年建成？", &o, "一九六八");
        best_is(&w, "When does the harbour open?", &o, "06:30");
    }
    lf_passages p = { 0 };
    const lf_search_opts none = { .collection = "other" };
    LF_CHECK_INT(lf_know_search(w.k, w.s, "harbour", &none, &p, NULL), LF_ERR_NOT_FOUND);
    lf_doc_row *rows = NULL;
    size_t n = 0;
    LF_NEED(lf_know_list(w.k, w.s, NULL, &rows, &n, err));
    LF_CHECK_INT(n, 2);
    LF_NEED(lf_know_remove(w.k, w.s, rows[0].doc_id, err));
    lf_doc_rows_free(rows, n);
    LF_NEED(lf_know_search(w.k, w.s, "长江大桥", NULL, &p, err));
    LF_CHECK(p.n == 1 && strstr(p.v[0].text, "06:30"));
    lf_passages_release(&p);
    close_world(&w);
}

static void only_what_changed_is_embedded_again(void)
{
    world w = { 0 };
    lf_buf b = { 0 };
    open_world(&w);
    for (int i = 0; i < 60; i++)
        lf_buf_addf(&b, "第%d号仓库里存放着%d箱编号为%d的货物，由第%d组负责看管和清点。\n\n", i,
                    i * 7, i * 31, i % 9);
    const char *path = lf_test_file("n.txt", b.data, b.len);
    add(&w, path);
    const size_t first = w.f.n_texts;
    LF_CHECK(first > 5 && w.last.state == LF_ADD_READY);
    add(&w, path);
    LF_CHECK_INT(w.last.state, LF_ADD_UNCHANGED);
    LF_CHECK_INT(w.f.n_texts, first);
    char *at = strstr(b.data, "第59号");
    LF_CHECK(at != NULL);
    if (at)
        at[3] = '8';
    path = lf_test_file("n.txt", b.data, b.len);
    add(&w, path);
    LF_CHECK_INT(w.last.state, LF_ADD_READY);
    LF_CHECK(w.f.n_texts > first && w.f.n_texts <= first + 2);
    lf_doc_row *rows = NULL;
    size_t n = 0;
    LF_NEED(lf_know_list(w.k, w.s, NULL, &rows, &n, err));
    LF_CHECK_INT(n, 1);
    lf_doc_rows_free(rows, n);
    best_is(&w, "第17号仓库存放多少箱", NULL, "第17号");
    lf_buf_release(&b);
    close_world(&w);
}

static void the_cache_answers_without_reading_again(void)
{
    world w = { 0 };
    char folder[4096], path[4200];
    open_world(&w);
    (void)snprintf(folder, sizeof folder, "%s/f", lf_test_dir());
    LF_NEED(lf_path_make_dirs(folder, err));
    (void)snprintf(path, sizeof path, "%s/a.txt", folder);
    LF_NEED(lf_file_replace(path, "苹果是红色的。", strlen("苹果是红色的。"), err));
    (void)snprintf(path, sizeof path, "%s/b.txt", folder);
    LF_NEED(lf_file_replace(path, "天空是蓝色的。", strlen("天空是蓝色的。"), err));
    const char *const in[] = { folder };
    for (int round = 0; round < 2; round++) {
        lf_doc_set set = { 0 };
        LF_NEED(lf_know_take_in(w.k, w.s, in, 1, NULL, &set, err));
        LF_CHECK_INT(set.n, 2);
        LF_CHECK_INT(w.f.n_texts, 2); /* the second round embeds nothing */
        const lf_search_opts both = { .doc_ids = (const char *const *)set.doc_ids, .n_doc_ids = 2 };
        const lf_search_opts one = { .doc_ids = (const char *const *)set.doc_ids, .n_doc_ids = 1 };
        best_is(&w, "天空是什么颜色", &both, "天空");
        best_is(&w, "天空是什么颜色", &one, "苹果");
        lf_doc_set_release(&set);
    }
    lf_doc_row *rows = NULL;
    size_t n = 1;
    LF_NEED(lf_know_list(w.k, w.s, NULL, &rows, &n, err));
    LF_CHECK_INT(n, 0); /* what is taken in is not in the state file */
    lf_doc_rows_free(rows, n);
    lf_doc_set set = { 0 };
    const char *const gone[] = { "/nowhere/at/all" };
    LF_CHECK_INT(lf_know_take_in(w.k, w.s, gone, 1, NULL, &set, NULL), LF_ERR_NOT_FOUND);
    close_world(&w);
}

static void failures_are_told_and_harm_nothing(void)
{
    world w = { 0 };
    open_world(&w);
    add(&w, text_file("good.txt", "一个好的文件。"));
    const char *path = text_file("bad.pdf", "no pdf at all");
    add(&w, path);
    LF_CHECK_INT(w.last.state, LF_ADD_FAILED);
    LF_CHECK(w.last.err.msg[0] != '\0');
    w.f.fails = true;
    lf_err e = { 0 };
    const lf_add_opts o = { .on_doc = on_doc, .ud = &w };
    LF_CHECK(lf_know_add(w.k, w.s, text_file("x.txt", "别的内容。"), &o, &e) != LF_OK);
    LF_CHECK_INT(lf_know_add(w.k, w.s, "/nowhere", &o, NULL), LF_ERR_NOT_FOUND);
    const lf_add_opts named = { .collection = "a/b" };
    LF_CHECK_INT(lf_know_add(w.k, w.s, path, &named, NULL), LF_ERR_ARG);
    w.f.fails = false;
    atomic_bool cancel;
    atomic_init(&cancel, true);
    const lf_add_opts stop = { .cancel = &cancel };
    LF_CHECK_INT(lf_know_add(w.k, w.s, path, &stop, NULL), LF_ERR_CANCELLED);
    lf_doc_row *rows = NULL;
    size_t n = 0;
    LF_NEED(lf_know_list(w.k, w.s, NULL, &rows, &n, err));
    LF_CHECK_INT(n, 1);
    lf_doc_rows_free(rows, n);
    close_world(&w);
}

/* Names that are no UTF-8 are shown as text, and stay names of two files. */
static void odd_names_are_shown_as_text(void)
{
    world w = { 0 };
    lf_passages p = { 0 };
    lf_doc_row *rows = NULL;
    size_t n = 0;
    char path[4096];
    open_world(&w);
    add(&w, text_file("a\xFF\n\".txt", "The harbour opens at 06:30."));
    add(&w, text_file("a\xFE\n\".txt", "The museum opens at 09:00."));
    LF_NEED(lf_know_list(w.k, w.s, NULL, &rows, &n, err));
    LF_CHECK_INT(n, 2);
    lf_doc_rows_free(rows, n);
    LF_NEED(lf_know_search(w.k, w.s, "harbour", NULL, &p, err));
    LF_CHECK(p.n >= 1 && lf_utf8_valid(p.v[0].source, strlen(p.v[0].source)));
    LF_CHECK(p.n >= 1 && strstr(p.v[0].source, "a\xEF\xBF\xBD\n\".txt") != NULL);
    lf_passages_release(&p);
    (void)snprintf(path, sizeof path, "%s/pipe.txt", lf_test_dir());
    LF_CHECK(mkfifo(path, 0600) == 0);
    add(&w, path); /* not waited for */
    LF_CHECK(w.last.state == LF_ADD_FAILED && strstr(w.last.err.msg, "regular file"));
    close_world(&w);
}

static void collections_come_and_go(void)
{
    world w = { 0 };
    lf_collection_row *rows = NULL;
    size_t n = 0;
    open_world(&w);
    LF_NEED(lf_know_collections(w.k, w.s, &rows, &n, err));
    LF_CHECK(n == 1 && !strcmp(rows[0].name, "default"));
    lf_collection_rows_free(rows, n);
    LF_NEED(lf_know_collection_create(w.k, w.s, "账本", err));
    LF_CHECK_INT(lf_know_collection_create(w.k, w.s, "账本", NULL), LF_ERR_BUSY);
    LF_CHECK_INT(lf_know_collection_create(w.k, w.s, "", NULL), LF_ERR_ARG);
    const lf_add_opts o = { .collection = "账本" };
    LF_NEED(lf_know_add(w.k, w.s, text_file("a.txt", "收入三元。"), &o, err));
    LF_NEED(lf_know_collections(w.k, w.s, &rows, &n, err));
    LF_CHECK(n == 2 && rows[1].n_docs == 1);
    lf_collection_rows_free(rows, n);
    LF_NEED(lf_know_collection_remove(w.k, w.s, "账本", err));
    LF_CHECK_INT(lf_know_collection_remove(w.k, w.s, "账本", NULL), LF_ERR_NOT_FOUND);
    lf_passages p = { 0 };
    const lf_search_opts so = { .collection = "账本" };
    LF_CHECK_INT(lf_know_search(w.k, w.s, "收入", &so, &p, NULL), LF_ERR_NOT_FOUND);
    LF_NEED(lf_know_collection_create(w.k, w.s, "账本", err)); /* there and empty */
    LF_NEED(lf_know_search(w.k, w.s, "收入", &so, &p, err));
    LF_CHECK_INT(p.n, 0);
    lf_passages_release(&p);
    close_world(&w);
}

static void odd_questions_are_searched(void)
{
    world w = { 0 };
    lf_buf b = { 0 };
    lf_passages p = { 0 };
    open_world(&w);
    add(&w, text_file("a.txt", "什么是什么。这里有一个问题。"));
    for (int i = 0; i < 100000; i++)
        lf_buf_add_str(&b, "问");
    LF_NEED(lf_know_search(w.k, w.s, b.data, NULL, &p, err));
    lf_passages_release(&p);
    LF_NEED(lf_know_search(w.k, w.s, "？！", NULL, &p, err));
    lf_passages_release(&p);
    LF_NEED(lf_know_search(w.k, w.s, "\xFF\xFE", NULL, &p, err));
    lf_passages_release(&p);
    best_is(&w, "什么", NULL, "什么");
    lf_buf_release(&b);
    close_world(&w);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "know/chunks_have_exact_spans", chunks_have_exact_spans },
        { "know/chunks_keep_to_their_page", chunks_keep_to_their_page },
        { "know/added_documents_are_found", added_documents_are_found },
        { "know/only_what_changed_is_embedded_again", only_what_changed_is_embedded_again },
        { "know/the_cache_answers_without_reading_again", the_cache_answers_without_reading_again },
        { "know/failures_are_told_and_harm_nothing", failures_are_told_and_harm_nothing },
        { "know/odd_names_are_shown_as_text", odd_names_are_shown_as_text },
        { "know/collections_come_and_go", collections_come_and_go },
        { "know/odd_questions_are_searched", odd_questions_are_searched },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

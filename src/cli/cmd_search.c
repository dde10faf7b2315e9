/* cli/cmd_search.c - `landfall search QUERY`: passages, best first. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/with_know.h"
#include "flow/find.h"

enum { QUERIES_BYTES_MAX = 1 << 30 };

typedef struct search_args {
    lf_cli_strs in;
    const char *collection, *queries, *query;
    long long k;
    bool lexical, vector, no_llm;
} search_args;

static lf_status parse_args(int argc, char **argv, search_args *a, lf_err *err)
{
    int n = 0;
    const lf_cli_opt opts[] = {
        { "--in", LF_CLI_STRS, &a->in, 0, 0 },
        { "--collection", LF_CLI_STR, &a->collection, 0, 0 },
        { "-k", LF_CLI_INT, &a->k, 1, 1000 },
        { "--queries", LF_CLI_STR, &a->queries, 0, 0 },
        { "--lexical", LF_CLI_FLAG, &a->lexical, 0, 0 },
        { "--vector", LF_CLI_FLAG, &a->vector, 0, 0 },
        { "--no-llm", LF_CLI_FLAG, &a->no_llm, 0, 0 },
    };
    const lf_status st = lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &n, err);
    if (st != LF_OK)
        return st;
    if (n != (a->queries ? 0 : 1))
        return lf_fail(err, LF_ERR_ARG,
                       "search takes one QUERY or --queries FILE (one JSON string a line)");
    if (a->lexical && a->vector)
        return lf_fail(err, LF_ERR_ARG, "--lexical and --vector exclude each other");
    if (a->in.n && a->collection)
        return lf_fail(err, LF_ERR_ARG, "--in and --collection exclude each other");
    a->query = n ? argv[1] : NULL;
    return LF_OK;
}

static void print_human(const lf_found *f)
{
    const lf_passages *p = &f->passages;
    if (f->reworded)
        printf("-> %s\n\n", f->reworded);
    for (size_t i = 0; i < p->n; i++) {
        const lf_passage *x = &p->v[i];
        printf("%zu. %s", i + 1, x->source);
        if (x->page > 0)
            printf(" p. %d", (int)x->page);
        printf("  [%u, %u)  %.3f\n", x->start, x->end, x->score);
        if (*x->heading)
            printf("   %s\n", x->heading);
        for (const char *s = x->text; *s;) {
            const size_t n = strcspn(s, "\n");
            printf("   %.*s\n", (int)n, s);
            s += n + (s[n] == '\n');
        }
        printf("\n");
    }
}

typedef struct searching {
    lf_with_know w;
    lf_find_opts o;
    bool any_failed;
} searching;

static lf_status search_one(searching *s, const char *query, lf_err *err)
{
    lf_found f = { 0 };
    lf_status st = *query ? lf_find(s->w.know, s->w.provider, s->w.scope, query, &s->o, &f, err)
                          : lf_fail(err, LF_ERR_ARG, "the query is empty");
    if (st != LF_OK)
        return st;
    if (!s->w.cli->json)
        print_human(&f);
    else if (lf_cli_print(lf_found_json(&f)) != 0)
        st = lf_fail(err, LF_ERR_IO, "cannot write to standard output");
    lf_found_release(&f);
    return st;
}

/* A line that cannot be searched gives its error in its place; the rest goes on. */
static lf_status search_line(searching *s, lf_str line, size_t number, lf_err *err)
{
    json_error_t why;
    lf_err bad = { 0 };
    json_t *text = json_loadb(line.p, line.len, JSON_DECODE_ANY, &why);
    lf_status st = json_is_string(text)
                       ? search_one(s, json_string_value(text), &bad)
                       : lf_fail(&bad, LF_ERR_ARG, "line %zu is not one JSON string", number);
    json_decref(text);
    if (st == LF_OK)
        return LF_OK;
    s->any_failed = true;
    if (s->w.cli->json && lf_cli_print(lf_cli_error_json(&bad)) != 0)
        return lf_fail(err, LF_ERR_IO, "cannot write to standard output");
    if (!s->w.cli->json)
        (void)lf_cli_fail(s->w.cli, &bad);
    return LF_OK;
}

static lf_status search_lines(searching *s, const char *path, lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = lf_file_read(path, QUERIES_BYTES_MAX, &text, err);
    const char *p = lf_buf_cstr(&text), *const end = p + text.len;
    for (size_t number = 1; st == LF_OK && p < end; number++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const lf_str line = lf_str_trim((lf_str){ p, (size_t)((nl ? nl : end) - p) });
        p = nl ? nl + 1 : end;
        st = search_line(s, line, number, err);
    }
    lf_buf_release(&text);
    return st;
}

static int cmd_search(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    search_args a = { 0 };
    searching s = { 0 };
    lf_doc_set set = { 0 };
    lf_status st = parse_args(argc, argv, &a, &err);
    if (st == LF_OK)
        st = lf_with_know_open(c, !a.lexical || a.in.n > 0, &s.w, &err);
    if (st == LF_OK && a.in.n) {
        const lf_add_opts o = { .on_progress = lf_with_know_progress, .ud = &s.w };
        st = lf_know_take_in(s.w.know, s.w.scope, a.in.v, a.in.n, &o, &set, &err);
        lf_with_know_progress_end(&s.w);
    }
    s.o.no_llm = a.no_llm;
    s.o.search = (lf_search_opts){ .collection = a.collection,
                                   .doc_ids = (const char *const *)set.doc_ids,
                                   .n_doc_ids = set.n,
                                   .k = (int32_t)a.k,
                                   .mode = a.lexical  ? LF_SEARCH_LEXICAL
                                           : a.vector ? LF_SEARCH_VECTOR
                                                      : LF_SEARCH_HYBRID };
    if (st == LF_OK)
        st = a.queries ? search_lines(&s, a.queries, &err) : search_one(&s, a.query, &err);
    lf_doc_set_release(&set);
    lf_with_know_close(&s.w);
    lf_free(a.in.v);
    return st == LF_OK ? s.any_failed : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_search = {
    .name = "search",
    .args = "[--in PATH]... [--collection NAME] [-k N] QUERY",
    .summary = "find passages in documents, best first",
    .summary_zh = "在文档中检索段落，按相关度排列",
    .options =
        "--in PATH          search these files and folders (may be repeated)\n"
        "--collection NAME  search one collection (default: default)\n"
        "-k N               most passages, 1 to 1000 (default: 8)\n"
        "--queries FILE     one JSON string a line; one result a line, in order\n"
        "--lexical          by words alone\n"
        "--vector           by meaning alone\n"
        "--no-llm           the query as it stands: where the documents have few of its words,\n"
        "                   the model does not put it into theirs\n",
    .options_zh = "--in PATH          检索这些文件与文件夹（可重复）\n"
                  "--collection NAME  检索一个集合（默认：default）\n"
                  "-k N               最多段落数，1 到 1000（默认：8）\n"
                  "--queries FILE     每行一个 JSON 字符串；逐行按序输出结果\n"
                  "--lexical          只按词检索\n"
                  "--vector           只按语义检索\n"
                  "--no-llm           原样检索：文档中少有其用词时，不让模型改写或翻译\n",
    .run = cmd_search,
};

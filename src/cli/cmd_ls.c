/* cli/cmd_ls.c - `landfall ls`: the documents that are stored. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/with_know.h"

static json_t *rows_json(const lf_doc_row *rows, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < n; i++) {
        json_t *o = json_pack("{s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:I}", "doc_id", rows[i].doc_id,
                              "source", lf_json_text(rows[i].source, strlen(rows[i].source)),
                              "collection", rows[i].collection, "format", rows[i].format, "pages",
                              (json_int_t)rows[i].n_pages, "characters",
                              (json_int_t)rows[i].n_chars, "passages", (json_int_t)rows[i].n_chunks,
                              "added_ms", (json_int_t)rows[i].added_unix_ms);
        if (json_array_append_new(a, o) != 0) {
            json_decref(a);
            a = NULL;
        }
    }
    return a ? json_pack("{s:o}", "documents", a) : NULL;
}

static int cmd_ls(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_with_know w = { 0 };
    lf_doc_row *rows = NULL;
    size_t n_rows = 0;
    const char *collection = NULL;
    int n = 0, code = 0;
    const lf_cli_opt opts[] = { { "--collection", LF_CLI_STR, &collection, 0, 0 } };
    lf_status st = lf_cli_parse(opts, 1, argc, argv, &n, &err);
    if (st == LF_OK && n != 0)
        st = lf_fail(&err, LF_ERR_ARG, "ls takes no argument, got '%s'", argv[1]);
    if (st == LF_OK)
        st = lf_with_know_open(c, false, &w, &err);
    if (st == LF_OK)
        st = lf_know_list(w.know, w.scope, collection, &rows, &n_rows, &err);
    if (st == LF_OK && c->json)
        code = lf_cli_print(rows_json(rows, n_rows));
    for (size_t i = 0; st == LF_OK && !c->json && i < n_rows; i++)
        if (printf("%s  %-12s %s\n", rows[i].doc_id, rows[i].collection, rows[i].source) < 0)
            code = 1;
    lf_doc_rows_free(rows, n_rows);
    lf_with_know_close(&w);
    return st == LF_OK ? code : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_ls = {
    .name = "ls",
    .args = "[--collection NAME]",
    .summary = "list the stored documents",
    .summary_zh = "列出已保存的文档",
    .options = "--collection NAME  those of one collection\n",
    .options_zh = "--collection NAME  只列一个集合\n",
    .run = cmd_ls,
};

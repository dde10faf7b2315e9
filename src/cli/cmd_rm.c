/* cli/cmd_rm.c - `landfall rm DOC_ID...`: remove stored documents. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/with_know.h"

static int cmd_rm(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_with_know w = { 0 };
    json_t *removed = NULL;
    int n = 0, code = 0;
    lf_status st = lf_cli_parse(NULL, 0, argc, argv, &n, &err);
    if (st == LF_OK && n == 0)
        st = lf_fail(&err, LF_ERR_ARG, "rm takes the id of a document (see `landfall ls`)");
    if (st == LF_OK)
        st = lf_with_know_open(c, false, &w, &err);
    if (st == LF_OK && !(removed = json_array()))
        st = lf_fail(&err, LF_ERR_NOMEM, "no memory to remove documents");
    for (int i = 1; i <= n && st == LF_OK; i++) {
        st = lf_know_remove(w.know, w.scope, argv[i], &err);
        if (st == LF_OK)
            (void)json_array_append_new(removed, json_string(argv[i]));
        if (st == LF_OK && !c->json)
            code |= printf(LF_TR(c, "removed %s\n", "已删除 %s\n"), argv[i]) < 0;
    }
    lf_with_know_close(&w);
    if (st == LF_OK && c->json)
        return lf_cli_print(json_pack("{s:o}", "removed", removed));
    json_decref(removed);
    return st == LF_OK ? code : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_rm = {
    .name = "rm",
    .args = "DOC_ID...",
    .summary = "remove stored documents",
    .summary_zh = "删除已保存的文档",
    .run = cmd_rm,
};

/* cli/cmd_runs.c - `landfall runs`: the answers that were given, newest first. */
#include <stdio.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/run_text.h"
#include "cli/with_know.h"
#include "flow/run_record.h"

static int show(const lf_cli *c, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        char when[32];
        lf_cli_time(json_integer_value(json_object_get(row, "unix_ms")), when);
        printf("%s  %s  %s  %s\n", json_string_value(json_object_get(row, "run")), when,
               json_is_true(json_object_get(row, "answered")) ? LF_TR(c, "answered    ", "已回答")
                                                              : LF_TR(c, "not in there", "无答案"),
               json_string_value(json_object_get(row, "question")));
    }
    if (json_array_size(rows) == 0)
        (void)fputs(LF_TR(c, "No question was asked yet.\n", "还没有提过问题。\n"), stderr);
    return ferror(stdout) ? 1 : 0;
}

static int run(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_with_know w = { 0 };
    json_t *rows = NULL;
    long long n_max = 20;
    int n = 0, code = 0;
    const lf_cli_opt opts[] = { { "-n", LF_CLI_INT, &n_max, 1, LF_RUNS_MAX } };
    lf_status st = lf_cli_parse(opts, 1, argc, argv, &n, &err);
    if (st == LF_OK && n != 0)
        st = lf_fail(&err, LF_ERR_ARG, "runs takes no argument, got '%s'", argv[1]);
    if (st == LF_OK)
        st = lf_with_know_open(c, false, &w, &err);
    if (st == LF_OK)
        st = lf_run_list(w.know, w.scope, (size_t)n_max, &rows, &err);
    if (st == LF_OK)
        code = c->json ? lf_cli_print(json_pack("{s:O}", "runs", rows)) : show(c, rows);
    json_decref(rows);
    lf_with_know_close(&w);
    return st == LF_OK ? code : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_runs = {
    .name = "runs",
    .args = "[-n N]",
    .summary = "list the answers that were given; `landfall replay` runs one again",
    .summary_zh = "列出给出过的回答；用 `landfall replay` 可以重现",
    .options = "-n N  at most so many, the newest first (default 20)\n",
    .options_zh = "-n N  最多列出多少条，最新的在前（默认 20）\n",
    .run = run,
};

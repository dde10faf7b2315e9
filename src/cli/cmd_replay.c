/* cli/cmd_replay.c - `landfall replay RUN`: a run's record, and the run once more. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/run_text.h"
#include "cli/with_know.h"
#include "flow/replay.h"
#include "flow/run_record.h"

/* The newest run, where none is named. */
static lf_status newest(const lf_with_know *w, char id[33], lf_err *err)
{
    json_t *rows = NULL;
    const char *run;
    lf_status st = lf_run_list(w->know, w->scope, 1, &rows, err);
    if (st != LF_OK)
        return st;
    run = json_string_value(json_object_get(json_array_get(rows, 0), "run"));
    if (run)
        (void)snprintf(id, 33, "%s", run);
    else
        st = lf_fail(err, LF_ERR_NOT_FOUND, "there is no run yet: ask a question first");
    json_decref(rows);
    return st;
}

/* Whatever keeps the run from being run again is told like any failure, below the record. */
static int show(const lf_cli *c, const json_t *replay, bool explain)
{
    const char *verdict = json_string_value(json_object_get(replay, "verdict"));
    const json_t *error = json_object_get(replay, "error");
    lf_cli_show_record(c, json_object_get(replay, "record"), explain);
    lf_cli_show_replay(c, replay);
    if (json_is_object(error)) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "landfall: %s: %s\n",
                      LF_TR(c, "it cannot be run again", "无法重新运行"),
                      json_string_value(json_object_get(error, "message")));
    }
    return strcmp(verdict, "same") == 0 && !ferror(stdout) ? 0 : 1;
}

static int run(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_with_know w = { 0 };
    json_t *out = NULL;
    char id[33] = "";
    bool explain = false, record_only = false;
    int n = 0, code = 1;
    const lf_cli_opt opts[] = { { "--explain", LF_CLI_FLAG, &explain, 0, 0 },
                                { "--record", LF_CLI_FLAG, &record_only, 0, 0 } };
    lf_status st = lf_cli_parse(opts, 2, argc, argv, &n, &err);
    if (st == LF_OK && n > 1)
        st = lf_fail(&err, LF_ERR_ARG, "replay takes one RUN, got '%s' as well", argv[2]);
    if (st == LF_OK)
        st = lf_with_know_open(c, !record_only, &w, &err);
    if (st == LF_OK && n == 0)
        st = newest(&w, id, &err);
    if (st == LF_OK && !record_only)
        lf_with_know_status(&w, "Running it again…", "正在重新运行……");
    if (st == LF_OK)
        st = record_only ? lf_run_show(w.know, w.scope, n ? argv[1] : id, &out, &err)
                         : lf_replay(w.know, w.provider, w.scope, n ? argv[1] : id,
                                     lf_cli_interrupt(), &out, &err);
    lf_with_know_progress_end(&w);
    if (st != LF_OK) {
        code = lf_cli_fail(c, &err);
    } else if (c->json) {
        const char *verdict = json_string_value(json_object_get(out, "verdict"));
        code = verdict && strcmp(verdict, "same") != 0;
        if (lf_cli_print(json_incref(out)) != 0)
            code = 1;
    } else if (record_only) {
        lf_cli_show_record(c, out, explain);
        code = ferror(stdout) ? 1 : 0;
    } else {
        code = show(c, out, explain);
    }
    json_decref(out);
    lf_with_know_close(&w);
    return code;
}

const lf_cmd lf_cmd_replay = {
    .name = "replay",
    .args = "[RUN]",
    .summary = "show how an answer came, run it again and compare",
    .summary_zh = "显示一次回答的由来，重新运行并比较",
    .options = "RUN        the `run` of an answer, or its first 4 digits or more (default: the\n"
               "           newest; see `landfall runs`)\n"
               "--explain  also evidence, what the model wrote and each check\n"
               "--record   only show the record, without running it again\n"
               "Exit code 0: answer and citations are the same, byte for byte.  1: they differ,\n"
               "or the run cannot be run again; what changed since is said.\n",
    .options_zh =
        "RUN        回答中的 `run`，或其前 4 位以上（默认：最近一次；见 `landfall runs`）\n"
        "--explain  还显示依据、模型写出的文字和每次核对\n"
        "--record   只显示记录，不重新运行\n"
        "退出码 0：回答与引用逐字节相同。1：有差别，或无法重新运行，并说明之后有何变化。\n",
    .run = run,
};

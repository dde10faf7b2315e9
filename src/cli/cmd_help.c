/* cli/cmd_help.c - `landfall help [COMMAND]`, and docs/cli.md from the same table. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/commands.h"

static const char global_en[] =
    "--home DIR      folder of models, state and caches (default: LANDFALL_HOME, else\n"
    "                the XDG data folder + /landfall)\n"
    "--state FILE    the state file (default: HOME/state.lfdb)\n"
    "--json          JSON on standard output\n"
    "--threads N     threads to compute with (default: all that the process may use)\n"
    "--lang en|zh    language of messages (default: by LC_ALL, LC_MESSAGES, LANG)\n"
    "--set KEY=VALUE a setting for this run; see landfall config show\n"
    "-h, --help      help on the command\n";
static const char global_zh[] =
    "--home DIR      模型、状态与缓存所在的文件夹（默认：LANDFALL_HOME，\n"
    "                否则为 XDG 数据文件夹下的 landfall）\n"
    "--state FILE    状态文件（默认：HOME/state.lfdb）\n"
    "--json          在标准输出上输出 JSON\n"
    "--threads N     计算用的线程数（默认：进程可用的全部处理器）\n"
    "--lang en|zh    提示所用的语言（默认取自 LC_ALL、LC_MESSAGES、LANG）\n"
    "--set KEY=VALUE 本次运行的设置；见 landfall config show\n"
    "-h, --help      显示该命令的帮助\n";

/* Each line of `text` behind `indent`. */
static void add_indented(lf_buf *out, const char *indent, const char *text)
{
    while (*text) {
        const size_t n = strcspn(text, "\n");
        lf_buf_add_str(out, indent);
        lf_buf_add(out, text, n);
        lf_buf_add_char(out, '\n');
        text += n + (text[n] == '\n');
    }
}

static void add_command(lf_buf *out, const lf_cli *c, const lf_cmd *cmd)
{
    lf_buf_addf(out, "%s landfall %s%s%s\n\n%s\n", LF_TR(c, "usage:", "用法："), cmd->name,
                cmd->args[0] ? " " : "", cmd->args, LF_TR(c, cmd->summary, cmd->summary_zh));
    const char *options = LF_TR(c, cmd->options, cmd->options_zh);
    if (options) {
        lf_buf_addf(out, "\n%s\n", LF_TR(c, "options:", "选项："));
        add_indented(out, "  ", options);
    }
    lf_buf_addf(out, "\n%s\n", LF_TR(c, "options of every command:", "所有命令共有的选项："));
    add_indented(out, "  ", LF_TR(c, global_en, global_zh));
}

static void add_overview(lf_buf *out, const lf_cli *c)
{
    lf_buf_addf(out, "%s\n\n",
                LF_TR(c, "usage: landfall <command> [options]", "用法：landfall <命令> [选项]"));
    for (size_t i = 0; i < lf_cmd_count(); i++) {
        const lf_cmd *cmd = lf_cmd_at(i);
        lf_buf_addf(out, "  %-9s %s\n", cmd->name, LF_TR(c, cmd->summary, cmd->summary_zh));
    }
    lf_buf_addf(out, "\n%s\n", LF_TR(c, "options of every command:", "所有命令共有的选项："));
    add_indented(out, "  ", LF_TR(c, global_en, global_zh));
    lf_buf_addf(out, "\n%s\n",
                LF_TR(c, "exit codes: 0 done, 1 failed, 2 wrong usage",
                      "退出码：0 完成，1 失败，2 用法错误"));
}

static void add_markdown(lf_buf *out)
{
    lf_buf_add_str(out,
                   "# The command line\n\n"
                   "Made by `landfall help --markdown`; a test compares it with the table.\n\n"
                   "Data goes to standard output, everything else to standard error. With\n"
                   "`--json` standard output holds JSON alone, on failure\n"
                   "`{\"error\":{\"code\",\"message\"}}`. Exit codes: 0 done, 1 failed, 2 wrong "
                   "usage.\n\nOptions of every command:\n\n");
    add_indented(out, "    ", global_en);
    for (size_t i = 0; i < lf_cmd_count(); i++) {
        const lf_cmd *cmd = lf_cmd_at(i);
        lf_buf_addf(out, "\n## landfall %s\n\n", cmd->name);
        lf_buf_addf(out, "    landfall %s%s%s\n\n%s.\n%s。\n", cmd->name, cmd->args[0] ? " " : "",
                    cmd->args, cmd->summary, cmd->summary_zh);
        if (cmd->options) {
            lf_buf_add_char(out, '\n');
            add_indented(out, "    ", cmd->options);
        }
    }
}

static json_t *commands_json(const lf_cli *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < lf_cmd_count(); i++) {
        const lf_cmd *cmd = lf_cmd_at(i);
        json_t *row = json_pack("{s:s, s:s, s:s}", "name", cmd->name, "args", cmd->args, "summary",
                                LF_TR(c, cmd->summary, cmd->summary_zh));
        if (!row || json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:o}", "commands", list);
}

static int run_help(const lf_cli *c, int argc, char **argv)
{
    bool markdown = false;
    const lf_cli_opt opts[] = { { "--markdown", LF_CLI_FLAG, &markdown, 0, 0 } };
    lf_buf out = { 0 };
    lf_err err = { 0 };
    int n_args = 0;

    if (lf_cli_parse(opts, 1, argc, argv, &n_args, &err) != LF_OK)
        return lf_cli_fail(c, &err);
    const lf_cmd *cmd = n_args > 0 ? lf_cmd_find(argv[1]) : NULL;
    if (n_args > 1 || (n_args == 1 && !cmd)) {
        (void)lf_fail(&err, LF_ERR_ARG, "no command '%.100s'; see landfall help",
                      argv[n_args > 1 ? 2 : 1]);
        return lf_cli_fail(c, &err);
    }
    if (c->json)
        return lf_cli_print(commands_json(c));
    if (markdown)
        add_markdown(&out);
    else if (cmd)
        add_command(&out, c, cmd);
    else
        add_overview(&out, c);
    const bool ok = !out.failed && fputs(lf_buf_cstr(&out), stdout) >= 0;
    lf_buf_release(&out);
    return ok ? 0 : 1;
}

const lf_cmd lf_cmd_help = {
    .name = "help",
    .args = "[COMMAND]",
    .summary = "show the commands, or the options of one",
    .summary_zh = "列出命令，或显示某个命令的选项",
    .options = "--markdown  the whole reference as Markdown (docs/cli.md)\n",
    .options_zh = "--markdown  以 Markdown 输出完整参考（docs/cli.md）\n",
    .run = run_help,
};

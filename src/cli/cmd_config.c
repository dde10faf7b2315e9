/* cli/cmd_config.c - `landfall config show`: every setting, its value and origin. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/settings.h"

static void add_markdown(lf_buf *out)
{
    lf_buf_add_str(
        out, "# Settings\n\nMade by `landfall config show --markdown`; a test compares it with "
             "the table.\n\nSources, a later one wins: default, `HOME/config.yaml`, "
             "environment, `--set KEY=VALUE`.\nIn the file a dot is a level "
             "(`serve:` / `  port: 7080`) or part of the key.\nAn unknown key or a value out "
             "of range is an error that names it.\n\n"
             "| key | environment | default | allowed | meaning | 含义 |\n"
             "|--|--|--|--|--|--|\n");
    for (const lf_opt *o = lf_settings_rows; o->key; o++) {
        lf_buf_addf(out, "| `%s` | `", o->key);
        lf_opt_env_name(o->key, out);
        lf_buf_addf(out, "` | `%s` | ", o->def);
        if (o->choices)
            for (const char *p = o->choices; *p; p++)
                lf_buf_addf(out, "%.*s", *p == '|' ? 2 : 1, *p == '|' ? ", " : p);
        else
            lf_buf_addf(out, "%.0f to %.0f", o->min, o->max);
        lf_buf_addf(out, " | %s | %s |\n", o->help, o->help_zh);
    }
}

static void add_table(lf_buf *out, const lf_cli *c)
{
    const lf_settings *s = c->settings;
    lf_buf value = { 0 };

    lf_buf_addf(out, "%-24s %s\n%-24s %s\n", "home", c->home, "state", c->state);
    for (size_t i = 0; lf_settings_rows[i].key; i++) {
        lf_buf_clear(&value);
        lf_opt_text(&lf_settings_rows[i], s, &value);
        lf_buf_addf(out, "%-24s %-10s %-12s %s\n", lf_settings_rows[i].key, lf_buf_cstr(&value),
                    lf_opt_source_name(s->from[i]),
                    LF_TR(c, lf_settings_rows[i].help, lf_settings_rows[i].help_zh));
    }
    out->failed = out->failed || value.failed;
    lf_buf_release(&value);
}

static int run_config(const lf_cli *c, int argc, char **argv)
{
    bool markdown = false;
    const lf_cli_opt opts[] = { { "--markdown", LF_CLI_FLAG, &markdown, 0, 0 } };
    lf_err err = { 0 };
    lf_buf out = { 0 };
    int n_args = 0;

    if (lf_cli_parse(opts, 1, argc, argv, &n_args, &err) != LF_OK)
        return lf_cli_fail(c, &err);
    if (n_args != 1 || strcmp(argv[1], "show") != 0) {
        (void)lf_fail(&err, LF_ERR_ARG, "config takes one word, show; see landfall help config");
        return lf_cli_fail(c, &err);
    }
    if (c->json)
        return lf_cli_print(
            json_pack("{s:s, s:s, s:o}", "home", c->home, "state", c->state, "settings",
                      lf_opt_json(lf_settings_rows, c->settings, c->settings->from, c->zh)));
    if (markdown)
        add_markdown(&out);
    else
        add_table(&out, c);
    const bool ok = !out.failed && fputs(lf_buf_cstr(&out), stdout) >= 0;
    lf_buf_release(&out);
    return ok ? 0 : 1;
}

const lf_cmd lf_cmd_config = {
    .name = "config",
    .args = "show",
    .summary = "print every setting with its value and where it comes from",
    .summary_zh = "列出所有设置的取值与来源",
    .options = "--markdown  the table of settings as Markdown (docs/config.md)\n",
    .options_zh = "--markdown  以 Markdown 输出设置表（docs/config.md）\n",
    .run = run_config,
};

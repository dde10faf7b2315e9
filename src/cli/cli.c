/* cli/cli.c - global options, dispatch and output.
 *
 * Global options are taken out of argv before the command sees it, wherever
 * they stand up to "--".  This file alone reads the environment. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/version.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/settings.h"

typedef struct globals {
    const char *home, *state, *lang;
    long long n_threads; /* -1 = not given */
    lf_cli_strs set;     /* KEY=VALUE */
    bool json, help, version;
} globals;

json_t *lf_cli_error_json(const lf_err *err)
{
    return json_pack("{s:{s:s, s:o}}", "error", "code", lf_status_name(err->code), "message",
                     lf_json_text(err->msg, strlen(err->msg)));
}

int lf_cli_fail(const lf_cli *c, const lf_err *err)
{
    if (c->json)
        (void)lf_cli_print(lf_cli_error_json(err));
    else
        fprintf(stderr, "landfall: %s\n", err->msg);
    const int code = lf_status_exit(err->code);
    return code == 0 ? 1 : code;
}

int lf_cli_print(json_t *v)
{
    lf_buf out = { 0 };
    bool ok = v != NULL;

    if (ok) {
        lf_json_dump(v, &out);
        lf_buf_add_char(&out, '\n');
        ok = !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len;
        ok = fflush(stdout) == 0 && ok;
    }
    if (!ok)
        fprintf(stderr, "landfall: cannot write the result on standard output\n");
    lf_buf_release(&out);
    json_decref(v);
    return ok ? 0 : 1;
}

static const char *env_or_null(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

/* Chinese where the first of these that is set says so. */
static bool lang_is_zh(const char *choice)
{
    const char *v = choice && strcmp(choice, "auto") != 0 ? choice : env_or_null("LC_ALL");
    if (!v)
        v = env_or_null("LC_MESSAGES");
    if (!v)
        v = env_or_null("LANG");
    return v && strncmp(v, "zh", 2) == 0;
}

/* The folder of models, state and caches: owned, absolute; NULL with `err` set. */
static char *home_dir(const char *flag, lf_err *err)
{
    lf_buf b = { 0 };
    char cwd[PATH_MAX];
    const char *home = flag ? flag : env_or_null("LANDFALL_HOME");
    const char *xdg = env_or_null("XDG_DATA_HOME");
    const char *user = env_or_null("HOME");

    if (!home && !xdg && !user) {
        (void)lf_fail(err, LF_ERR_ARG,
                      "no folder for models and state: none of --home, "
                      "LANDFALL_HOME, XDG_DATA_HOME and HOME is set");
        return NULL;
    }
    if (home && home[0] != '/') {
        if (!getcwd(cwd, sizeof cwd)) {
            (void)lf_fail(err, LF_ERR_IO, "cannot find the current folder: %s", strerror(errno));
            return NULL;
        }
        lf_buf_addf(&b, "%s/", cwd);
    }
    if (home)
        lf_buf_add_str(&b, home);
    else if (xdg)
        lf_buf_addf(&b, "%s/landfall", xdg);
    else
        lf_buf_addf(&b, "%s/.local/share/landfall", user);
    char *out = lf_buf_take(&b);
    if (!out)
        (void)lf_fail(err, LF_ERR_NOMEM, "no memory for the path of the home folder");
    return out;
}

/* How many arguments the global option at argv[i] takes up (0 = not one). */
static int take_global(globals *g, int argc, char **argv, int i, lf_err *err)
{
    const lf_cli_opt opts[] = {
        { "--home", LF_CLI_STR, &g->home, 0, 0 },
        { "--state", LF_CLI_STR, &g->state, 0, 0 },
        { "--lang", LF_CLI_STR, &g->lang, 0, 0 },
        { "--threads", LF_CLI_INT, &g->n_threads, 0, 256 },
        { "--set", LF_CLI_STRS, &g->set, 0, 0 },
        { "--json", LF_CLI_FLAG, &g->json, 0, 0 },
        { "--help", LF_CLI_FLAG, &g->help, 0, 0 },
        { "-h", LF_CLI_FLAG, &g->help, 0, 0 },
        { "--version", LF_CLI_FLAG, &g->version, 0, 0 },
    };
    char *pair[3] = { (char *)"landfall", argv[i], i + 1 < argc ? argv[i + 1] : NULL };
    int n_args = 0;

    for (size_t k = 0; k < sizeof opts / sizeof opts[0]; k++) {
        const size_t n = strlen(opts[k].name);
        if (strncmp(argv[i], opts[k].name, n) != 0 || (argv[i][n] != '\0' && argv[i][n] != '='))
            continue;
        const bool two = opts[k].type != LF_CLI_FLAG && argv[i][n] == '\0' && pair[2];
        if (lf_cli_parse(&opts[k], 1, two ? 3 : 2, pair, &n_args, err) != LF_OK)
            return -1;
        return two ? 2 : 1;
    }
    return 0;
}

/* Move global options out of argv[1..]; *argc becomes what is left. */
static lf_status take_globals(globals *g, int *argc, char **argv, lf_err *err)
{
    int n = 1;
    for (int i = 1; i < *argc;) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < *argc)
                argv[n++] = argv[i++];
            break;
        }
        const int used = err->code == LF_OK ? take_global(g, *argc, argv, i, err)
                                            : take_global(g, *argc, argv, i, NULL);
        if (used < 0) /* go on: --json may follow, and decides how this is reported */
            i++;
        else if (used == 0)
            argv[n++] = argv[i++];
        else
            i += used;
    }
    *argc = n;
    if (err->code != LF_OK)
        return err->code;
    if (g->lang && strcmp(g->lang, "en") != 0 && strcmp(g->lang, "zh") != 0)
        return lf_fail(err, LF_ERR_ARG, "option --lang: '%.100s' is neither en nor zh", g->lang);
    return LF_OK;
}

/* Run the help command in place of `name` (NULL = the overview). */
static int show_help(const lf_cli *c, const char *name)
{
    char *argv[] = { (char *)"help", (char *)name, NULL };
    return lf_cmd_help.run(c, name ? 2 : 1, argv);
}

/* Settings from all sources, and what of them the whole program heeds. */
static lf_status load_settings(lf_cli *c, const globals *g, lf_settings *s, lf_err *err)
{
    static const char *const levels[] = { "error", "warn", "info", "debug" };
    const lf_status st = lf_settings_load(s, c->home, environ, g->set.v, g->set.n, err);
    if (st != LF_OK)
        return st;
    c->settings = s;
    c->n_threads = g->n_threads >= 0 ? (int)g->n_threads : s->threads;
    c->zh = lang_is_zh(g->lang ? g->lang : s->lang);
    for (int i = 0; i < 4; i++)
        if (strcmp(s->log_level, levels[i]) == 0)
            lf_log_set_level((lf_log_level)i);
    return LF_OK;
}

/* How many letters a and b differ by (put in, left out, replaced); 9 for long ones. */
static int distance(const char *a, const char *b)
{
    enum { LETTERS = 16 };
    int row[LETTERS + 1];
    const size_t na = strlen(a), nb = strlen(b);
    if (na > LETTERS || nb > LETTERS)
        return 9;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            const int replaced = corner + (a[i - 1] != b[j - 1]);
            const int moved = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
            corner = row[j];
            row[j] = replaced < moved ? replaced : moved;
        }
    }
    return row[nb];
}

static lf_status unknown_command(const char *name, lf_err *err)
{
    const char *near = NULL;
    int best = strlen(name) > 3 ? 3 : 2; /* less than that */
    for (size_t i = 0; i < lf_cmd_count(); i++) {
        const int d = distance(name, lf_cmd_at(i)->name);
        if (d < best) {
            best = d;
            near = lf_cmd_at(i)->name;
        }
    }
    if (near)
        return lf_fail(err, LF_ERR_ARG, "no command '%.100s'; did you mean '%s'? See landfall help",
                       name, near);
    return lf_fail(err, LF_ERR_ARG, "no command '%.100s'; see landfall help", name);
}

static int dispatch(lf_cli *c, const globals *g, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_settings settings = { 0 };

    if (g->version) {
        if (c->json)
            return lf_cli_print(json_pack("{s:s}", "version", lf_version()));
        printf("landfall %s\n", lf_version());
        return 0;
    }
    if (argc < 2 && g->help)
        return show_help(c, NULL);
    if (argc < 2) {
        (void)lf_fail(&err, LF_ERR_ARG, "no command given; see landfall help");
        return lf_cli_fail(c, &err);
    }
    const lf_cmd *cmd = lf_cmd_find(argv[1]);
    if (!cmd) {
        (void)unknown_command(argv[1], &err);
        return lf_cli_fail(c, &err);
    }
    c->command = cmd->name;
    if (g->help)
        return show_help(c, cmd->name);
    if (cmd != &lf_cmd_help && load_settings(c, g, &settings, &err) != LF_OK)
        return lf_cli_fail(c, &err);
    return cmd->run(c, argc - 1, argv + 1);
}

/* The path of the running program, for files installed beside it; owned. */
static char *self_path(void)
{
    char path[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    return lf_strndup(path, n > 0 ? (size_t)n : 0);
}

int lf_cli_main(int argc, char **argv)
{
    globals g = { .n_threads = -1 };
    lf_cli c = { 0 };
    lf_err err = { 0 };
    int code = 1;

    /* A reader that goes away is an error of the write, not the end of the process. */
    (void)signal(SIGPIPE, SIG_IGN);

    lf_status st = take_globals(&g, &argc, argv, &err);
    c.json = g.json;
    c.zh = lang_is_zh(g.lang);
    char *self = self_path();
    char *home = st == LF_OK ? home_dir(g.home, &err) : NULL;
    char *state = NULL;
    if (home)
        state = g.state ? lf_strdup(g.state) : lf_path_join(home, "state.lfdb");
    if (home && (!state || !self))
        (void)lf_fail(&err, LF_ERR_NOMEM, "no memory to start");

    c.home = home;
    c.state = state;
    c.self = self;
    code = err.code == LF_OK ? dispatch(&c, &g, argc, argv) : lf_cli_fail(&c, &err);

    if (fflush(stdout) != 0 && code == 0)
        code = 1;
    lf_free(state);
    lf_free(home);
    lf_free(self);
    lf_free(g.set.v);
    lf_cli_end_if_interrupted();
    return code;
}

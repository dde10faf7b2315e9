/* cli/cli.h - what every subcommand gets: global options, output, exit codes.
 *
 * Data goes to standard output, everything else to standard error.  With
 * --json, standard output holds one JSON document (or one a line where the
 * command says so) and on failure {"error":{"code","message"}}.
 *
 * Adding a command: a file cli/cmd_NAME.c that defines `const lf_cmd lf_cmd_NAME`
 * (its row: arguments, summary, options, function) and one line X(NAME) in
 * cli/commands.h.  Dispatch, help and docs/cli.md follow from that.
 */
#ifndef LF_CLI_CLI_H
#define LF_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_settings lf_settings; /* cli/settings.h */

typedef struct lf_cli {
    const char *home;  /* LANDFALL_HOME, --home or the XDG data folder + "/landfall" */
    const char *state; /* the state file: --state or home + "/state.lfdb" */
    bool json;         /* --json */
    const char *command;
    int n_threads;    /* --threads N, 0 = all that the process may use */
    bool zh;          /* messages in Chinese: --lang zh, else by LC_ALL, LC_MESSAGES, LANG */
    const char *self; /* path of this executable, to find what is installed beside it */
    const lf_settings *settings; /* every setting; `landfall help` alone runs without */
} lf_cli;

/* The text in the user's language; works as a format where both are literals. */
#define LF_TR(c, en, zh_) ((c)->zh ? (zh_) : (en))

/* A subcommand: argv[0] is its own name, global options are already taken out.
 * Returns the exit code: 0 done, 1 failed, 2 wrong usage. */
typedef int lf_cmd_fn(const lf_cli *c, int argc, char **argv);

/* A row of the command table. */
typedef struct lf_cmd {
    const char *name;
    const char *args;                 /* as shown in help: "[--in PATH]... QUERY" */
    const char *summary, *summary_zh; /* one line, no full stop */
    const char *options, *options_zh; /* lines "-k N  passages to return\n", or NULL */
    lf_cmd_fn *run;
} lf_cmd;

/* One option of a subcommand.  Options may stand anywhere; "--" ends them. */
typedef enum lf_cli_type {
    LF_CLI_FLAG,
    LF_CLI_STR,
    LF_CLI_STRS,
    LF_CLI_INT,
    LF_CLI_NUM
} lf_cli_type;
typedef struct lf_cli_opt {
    const char *name; /* "--in" or "-k" */
    lf_cli_type type;
    void *out;          /* bool*, const char**, lf_cli_strs*, long long*, double* */
    long long min, max; /* for LF_CLI_INT and LF_CLI_NUM; both 0 = any number */
} lf_cli_opt;
typedef struct lf_cli_strs {
    const char **v; /* points into argv; the array is owned, lf_free */
    size_t n;
} lf_cli_strs;

/* Parse options ("--name VALUE", "--name=VALUE"), leave the positional
 * arguments in argv[1..*n_args].  The outputs hold the defaults beforehand and
 * keep them where an option is absent; a repeated option other than STRS: the
 * last one counts.  On wrong usage `err` says what, LF_ERR_ARG is returned and
 * every STRS array is released. */
LF_MUST_CHECK lf_status lf_cli_parse(const lf_cli_opt *opts, size_t n_opts, int argc, char **argv,
                                     int *n_args, lf_err *err);

/* Print the error as the command line wants it (JSON on stdout with --json, a
 * line on stderr otherwise) and return its exit code. */
int lf_cli_fail(const lf_cli *c, const lf_err *err);

/* Print one JSON value and a newline on standard output; takes the reference
 * (NULL = out of memory).  Returns 0, or 1 when it cannot be written. */
int lf_cli_print(json_t *v);

/* The {"error":{"code","message"}} object (new reference, NULL = no memory). */
json_t *lf_cli_error_json(const lf_err *err);

/* The whole program: global options, dispatch, exit code. */
int lf_cli_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif

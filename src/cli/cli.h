/* cli/cli.h - what every subcommand gets: global options, output, exit codes.
 *
 * Data goes to standard output, everything else to standard error.  With
 * --json, standard output holds one JSON document (or one a line where the
 * command says so) and on failure {"error":{"code","message"}}.
 */
#ifndef LF_CLI_CLI_H
#define LF_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

typedef struct lf_cli {
    const char *home;   /* LANDFALL_HOME, --home or the XDG data folder + "/landfall" */
    const char *state;  /* the state file: --state or home + "/state.lfdb" */
    bool json;          /* --json */
    const char *command;
    int n_threads;      /* --threads N, 0 = all that the process may use */
} lf_cli;

/* A subcommand: argv[0] is its own name, global options are already taken out.
 * Returns the exit code: 0 done, 1 failed, 2 wrong usage. */
typedef int lf_cmd_fn(const lf_cli *c, int argc, char **argv);

/* One option of a subcommand.  Options may stand anywhere; "--" ends them. */
typedef enum lf_cli_type { LF_CLI_FLAG, LF_CLI_STR, LF_CLI_STRS, LF_CLI_INT, LF_CLI_NUM } lf_cli_type;
typedef struct lf_cli_opt {
    const char *name;  /* "--in" or "-k" */
    lf_cli_type type;
    void *out;         /* bool*, const char**, lf_cli_strs*, long long*, double* */
    long long min, max; /* for LF_CLI_INT */
} lf_cli_opt;
typedef struct lf_cli_strs {
    const char **v;    /* points into argv; the array is owned, lf_free */
    size_t n;
} lf_cli_strs;

/* Parse options, leave the positional arguments in argv[1..*n_args].  On wrong
 * usage `err` says what and LF_ERR_ARG is returned. */
LF_MUST_CHECK lf_status lf_cli_parse(const lf_cli_opt *opts, size_t n_opts, int argc, char **argv,
                                     int *n_args, lf_err *err);

/* Print the error as the command line wants it (JSON on stdout with --json, a
 * line on stderr otherwise) and return its exit code. */
int lf_cli_fail(const lf_cli *c, const lf_err *err);

/* Print one JSON value and a newline on standard output; takes the reference.
 * Returns 0, or 1 when standard output cannot be written. */
int lf_cli_print(json_t *v);
#endif

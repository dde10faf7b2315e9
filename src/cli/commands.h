/* cli/commands.h - the list of subcommands, in the order in which help shows them.
 *
 * X(name) stands for `const lf_cmd lf_cmd_name` in cli/cmd_name.c. */
#ifndef LF_CLI_COMMANDS_H
#define LF_CLI_COMMANDS_H

#include <stddef.h>

#include "cli/cli.h"

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
#define LF_COMMANDS(X) \
    X(add) \
    X(ask) \
    X(bench) \
    X(config) \
    X(embed) \
    X(help) \
    X(ls) \
    X(model) \
    X(parse) \
    X(replay) \
    X(rm) \
    X(run) \
    X(runs) \
    X(search) \
    X(serve) \
    X(tokenize)
/* clang-format on */

#define X(name) extern const lf_cmd lf_cmd_##name;
LF_COMMANDS(X)
#undef X

size_t lf_cmd_count(void);
const lf_cmd *lf_cmd_at(size_t i);           /* i < lf_cmd_count() */
const lf_cmd *lf_cmd_find(const char *name); /* NULL when there is none */

#ifdef __cplusplus
}
#endif
#endif

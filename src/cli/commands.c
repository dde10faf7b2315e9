/* cli/commands.c - the command table made from the list in commands.h. */
#include "cli/commands.h"

#include <string.h>

static const lf_cmd *const commands[] = {
#define X(name) &lf_cmd_##name,
    LF_COMMANDS(X)
#undef X
};

size_t lf_cmd_count(void)
{
    return sizeof commands / sizeof commands[0];
}

const lf_cmd *lf_cmd_at(size_t i)
{
    return commands[i];
}

const lf_cmd *lf_cmd_find(const char *name)
{
    for (size_t i = 0; i < lf_cmd_count(); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

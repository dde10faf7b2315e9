/* cli/parse.c - options of a subcommand.
 *
 * One pass over argv: options fill their outputs, everything else moves to the
 * front.  A value is the rest after '=' or the next argument, whatever that
 * looks like, so that a negative number or a prompt with a dash can be given. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The option that `arg` names; *inline_value is what follows '=' or NULL. */
static const lf_cli_opt *find_opt(const lf_cli_opt *opts, size_t n_opts, const char *arg,
                                  const char **inline_value)
{
    for (size_t i = 0; i < n_opts; i++) {
        const size_t n = strlen(opts[i].name);
        if (strncmp(arg, opts[i].name, n) != 0)
            continue;
        if (arg[n] == '\0') {
            *inline_value = NULL;
            return &opts[i];
        }
        if (arg[n] == '=' && arg[1] == '-') {
            *inline_value = arg + n + 1;
            return &opts[i];
        }
    }
    return NULL;
}

static lf_status add_str(const lf_cli_opt *o, const char *value, lf_err *err)
{
    lf_cli_strs *s = o->out;
    const char **grown = lf_realloc(s->v, (s->n + 1) * sizeof *grown);
    if (!grown)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for option %s", o->name);
    grown[s->n] = value;
    s->v = grown;
    s->n++;
    return LF_OK;
}

static lf_status set_int(const lf_cli_opt *o, const char *value, lf_err *err)
{
    char *end = NULL;
    errno = 0;
    const long long v = strtoll(value, &end, 10);
    if (end == value || *end != '\0' || errno == ERANGE)
        return lf_fail(err, LF_ERR_ARG, "option %s: '%.100s' is not a whole number", o->name,
                       value);
    if ((o->min != 0 || o->max != 0) && (v < o->min || v > o->max))
        return lf_fail(err, LF_ERR_ARG, "option %s: %lld is outside %lld to %lld", o->name, v,
                       o->min, o->max);
    *(long long *)o->out = v;
    return LF_OK;
}

static lf_status set_num(const lf_cli_opt *o, const char *value, lf_err *err)
{
    char *end = NULL;
    const double v = strtod(value, &end);
    if (end == value || *end != '\0' || !isfinite(v))
        return lf_fail(err, LF_ERR_ARG, "option %s: '%.100s' is not a number", o->name, value);
    if ((o->min != 0 || o->max != 0) && (v < (double)o->min || v > (double)o->max))
        return lf_fail(err, LF_ERR_ARG, "option %s: %g is outside %lld to %lld", o->name, v, o->min,
                       o->max);
    *(double *)o->out = v;
    return LF_OK;
}

static lf_status set_value(const lf_cli_opt *o, const char *value, lf_err *err)
{
    switch (o->type) {
    case LF_CLI_STR:
        *(const char **)o->out = value;
        return LF_OK;
    case LF_CLI_STRS:
        return add_str(o, value, err);
    case LF_CLI_INT:
        return set_int(o, value, err);
    case LF_CLI_NUM:
        return set_num(o, value, err);
    case LF_CLI_FLAG:
        break;
    }
    return lf_fail(err, LF_ERR_ARG, "option %s takes no value", o->name);
}

/* The option at argv[*i]; moves *i on when its value is the next argument. */
static lf_status take_opt(const lf_cli_opt *opts, size_t n_opts, int argc, char **argv, int *i,
                          lf_err *err)
{
    const char *value = NULL;
    const lf_cli_opt *o = find_opt(opts, n_opts, argv[*i], &value);
    if (!o)
        return lf_fail(err, LF_ERR_ARG, "'%s' has no option '%.100s'; see landfall help %s",
                       argv[0], argv[*i], argv[0]);
    if (o->type == LF_CLI_FLAG && !value) {
        *(bool *)o->out = true;
        return LF_OK;
    }
    if (!value && o->type != LF_CLI_FLAG) {
        if (*i + 1 >= argc)
            return lf_fail(err, LF_ERR_ARG, "option %s needs a value", o->name);
        value = argv[++*i];
    }
    return set_value(o, value, err);
}

lf_status lf_cli_parse(const lf_cli_opt *opts, size_t n_opts, int argc, char **argv, int *n_args,
                       lf_err *err)
{
    lf_status st = LF_OK;
    int n = 0;
    bool ended = false;

    for (int i = 1; i < argc && st == LF_OK; i++) {
        char *arg = argv[i];
        if (!ended && strcmp(arg, "--") == 0)
            ended = true;
        else if (ended || arg[0] != '-' || arg[1] == '\0')
            argv[++n] = arg;
        else
            st = take_opt(opts, n_opts, argc, argv, &i, err);
    }
    if (st == LF_OK) {
        *n_args = n;
        return LF_OK;
    }
    for (size_t i = 0; i < n_opts; i++) {
        if (opts[i].type == LF_CLI_STRS) {
            lf_cli_strs *s = opts[i].out;
            lf_free(s->v);
            *s = (lf_cli_strs){ 0 };
        }
    }
    return st;
}

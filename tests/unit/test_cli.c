/* tests/unit/test_cli.c - option parser and command table. */
#include "tests/lf_test.h"

#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/commands.h"

typedef struct parsed {
    bool flag;
    const char *str;
    lf_cli_strs strs;
    long long k;
    double t;
    int n_args;
    lf_err err;
} parsed;

static lf_status parse(parsed *p, char **argv)
{
    const lf_cli_opt opts[] = {
        { "--flag", LF_CLI_FLAG, &p->flag, 0, 0 }, { "--str", LF_CLI_STR, &p->str, 0, 0 },
        { "--in", LF_CLI_STRS, &p->strs, 0, 0 },   { "-k", LF_CLI_INT, &p->k, 1, 100 },
        { "--temp", LF_CLI_NUM, &p->t, 0, 2 },
    };
    int argc = 0;
    while (argv[argc])
        argc++;
    return lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &p->n_args, &p->err);
}

static void options_stand_anywhere(void)
{
    char *argv[] = { "x",      "a",      "--in", "p", "-k",     "7",  "b",      "--in=q",
                     "--flag", "--temp", "0.5",  "-", "--str=", "--", "--flag", NULL };
    parsed p = { 0 };
    LF_CHECK_INT(parse(&p, argv), LF_OK);
    LF_CHECK_INT(p.n_args, 4);
    LF_CHECK_STR(argv[1], "a");
    LF_CHECK_STR(argv[2], "b");
    LF_CHECK_STR(argv[3], "-");
    LF_CHECK_STR(argv[4], "--flag");
    LF_CHECK(p.flag && p.k == 7 && p.t == 0.5);
    LF_CHECK_STR(p.str, "");
    LF_CHECK_INT(p.strs.n, 2);
    LF_CHECK(p.strs.n == 2 && strcmp(p.strs.v[0], "p") == 0 && strcmp(p.strs.v[1], "q") == 0);
    lf_free(p.strs.v);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void values_may_look_like_options(void)
{
    char *argv[] = { "x", "--str", "--flag", NULL };
    parsed p = { 0 };
    LF_CHECK_INT(parse(&p, argv), LF_OK);
    LF_CHECK_STR(p.str, "--flag");
    LF_CHECK(!p.flag);
}

static void wrong_usage_is_named(void)
{
    static char *const bad[][4] = {
        { "x", "--nope", NULL },
        { "x", "-k", NULL },
        { "x", "-k", "0", NULL },
        { "x", "-k", "101", NULL },
        { "x", "-k", "7x", NULL },
        { "x", "-k", "", NULL },
        { "x", "-k", "99999999999999999999", NULL },
        { "x", "--temp", "nan", NULL },
        { "x", "--temp", "3", NULL },
        { "x", "--temp", "a", NULL },
        { "x", "--flag=1", NULL },
        { "x", "--inn", "p", NULL },
        { "x", "-k7", NULL },
        { "x", "--in=p", "--str", NULL },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *argv[4];
        memcpy(argv, bad[i], sizeof argv);
        parsed p = { 0 };
        LF_CHECK_INT(parse(&p, argv), LF_ERR_ARG);
        LF_CHECK(p.err.msg[0] != '\0');
        LF_CHECK_INT(lf_mem_live(), 0);
    }
}

static void every_failed_allocation_is_survived(void)
{
    lf_status st = LF_ERR_NOMEM;
    for (long n = 0; st == LF_ERR_NOMEM && n < 20; n++) {
        char *argv[] = { "x", "--in", "a", "--in", "b", "--in", "c", NULL };
        parsed p = { 0 };
        lf_mem_fail_after(n);
        st = parse(&p, argv);
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || (st == LF_ERR_NOMEM && p.strs.v == NULL));
        lf_free(p.strs.v);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
    LF_CHECK_INT(st, LF_OK);
}

static void every_command_is_complete(void)
{
    LF_CHECK(lf_cmd_find("help") == &lf_cmd_help);
    LF_CHECK(lf_cmd_find("nope") == NULL);
    for (size_t i = 0; i < lf_cmd_count(); i++) {
        const lf_cmd *c = lf_cmd_at(i);
        LF_CHECK(c->name && c->args && c->run);
        LF_CHECK(c->summary && c->summary[0] && c->summary_zh && c->summary_zh[0]);
        LF_CHECK((c->options == NULL) == (c->options_zh == NULL));
        LF_CHECK(lf_cmd_find(c->name) == c);
    }
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "parse/options_stand_anywhere", options_stand_anywhere },
        { "parse/values_may_look_like_options", values_may_look_like_options },
        { "parse/wrong_usage_is_named", wrong_usage_is_named },
        { "parse/every_failed_allocation_is_survived", every_failed_allocation_is_survived },
        { "table/every_command_is_complete", every_command_is_complete },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* cli/cmd_serve.c - `landfall serve`: the HTTP service and the page, until a signal.
 *
 * SIGINT and SIGTERM are blocked in every thread and waited for in this one, so
 * that stopping is ordinary code: close the server (requests are cancelled, the
 * job that is under way goes on at the next start), then the state. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include "base/version.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "cli/with_know.h"
#include "job/job.h"
#include "serve/server.h"

/* Malloc's own pools of free memory, which otherwise grow with the number of threads. */
enum { MALLOC_ARENAS = 4 };

typedef struct serving {
    lf_with_know w;
    lf_server *server;
} serving;

static lf_status start(const lf_cli *c, const char *host, long long port, serving *s, lf_err *err)
{
    lf_jobs *jobs = NULL;
    lf_status st = lf_with_know_open(c, true, &s->w, err);
    if (st == LF_OK)
        st = lf_jobs_open(c->state, &jobs, err);
    if (st != LF_OK)
        return st;
    const lf_server_opts o = { .host = host,
                               .port = (uint16_t)port,
                               .home = c->home,
                               .version = lf_version(),
                               .know = s->w.know,
                               .provider = s->w.provider,
                               .jobs = jobs,
                               .scope = s->w.scope };
    return lf_server_open(&o, &s->server, err);
}

/* The first line is the address, for people and for programs that started this one. */
static lf_status announce(const lf_cli *c, const lf_server *server, lf_err *err)
{
    const char *url = lf_server_url(server);
    const bool ok =
        c->json ? lf_cli_print(json_pack("{s:s}", "url", url)) == 0 : printf("%s\n", url) > 0;
    if (!ok || fflush(stdout) != 0)
        return lf_fail(err, LF_ERR_IO, "the address cannot be written to standard output");
    if (!c->json)
        (void)fprintf(stderr, "%s\n",
                      LF_TR(c,
                            "serving on this machine only, as there is no sign-in; "
                            "Ctrl-C stops",
                            "没有登录机制，因此仅在本机提供服务；按 Ctrl-C 停止"));
    return LF_OK;
}

static int serve(const lf_cli *c, int argc, char **argv)
{
    const char *host = "127.0.0.1";
    long long port = c->settings->serve_port;
    serving s = { 0 };
    lf_err err = { 0 };
    sigset_t signals;
    int n = 0, got = 0;
    const lf_cli_opt opts[] = {
        { "--port", LF_CLI_INT, &port, 0, 65535 },
        { "--host", LF_CLI_STR, &host, 0, 0 },
    };
    lf_status st = lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &n, &err);
    if (st == LF_OK && n != 0)
        st = lf_fail(&err, LF_ERR_ARG, "serve takes no arguments, found '%s'", argv[1]);
    if (st != LF_OK)
        return lf_cli_fail(c, &err);

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);

    st = start(c, host, port, &s, &err);
    if (st == LF_OK)
        st = announce(c, s.server, &err);
    if (st == LF_OK)
        (void)sigwait(&signals, &got);
    lf_server_close(s.server);
    lf_with_know_close(&s.w);
    return st == LF_OK ? 0 : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_serve = {
    .name = "serve",
    .args = "[--port N] [--host ADDRESS]",
    .summary = "serve the page, the OpenAI-compatible and the native routes",
    .summary_zh = "提供网页、OpenAI 兼容接口和原生接口",
    .options = "--port N        TCP port (7080); 0 takes a free one\n"
               "--host ADDRESS  a loopback address: 127.0.0.1, ::1 or localhost\n",
    .options_zh = "--port N        TCP 端口（7080）；0 表示任选空闲端口\n"
                  "--host 地址     本机回环地址：127.0.0.1、::1 或 localhost\n",
    .run = serve,
};

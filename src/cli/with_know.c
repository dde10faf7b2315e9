/* cli/with_know.c - provider, knowledge and scope of one command. */
#include "cli/with_know.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access/access.h"
#include "base/clock.h"
#include "cli/settings.h"

lf_status lf_with_know_open(const lf_cli *c, bool with_embedder, lf_with_know *out, lf_err *err)
{
    lf_with_know w = { .cli = c };
    lf_embedder embedder = { 0 };
    lf_status st = lf_access_local_scope(&w.scope, err);
    if (st == LF_OK && with_embedder) {
        lf_with_know_status(&w, "Loading the model…", "正在载入模型……");
        const lf_provider_opts o = lf_cli_provider_opts(c);
        st = lf_provider_open(&o, &w.provider, err);
        if (st == LF_OK)
            st = lf_provider_embedder(w.provider, &embedder, err);
    }
    if (st == LF_OK)
        st = lf_know_open(c->state, with_embedder ? &embedder : NULL, &w.know, err);
    lf_with_know_progress_end(&w);
    if (st != LF_OK) {
        lf_with_know_close(&w);
        return st;
    }
    *out = w;
    return LF_OK;
}

void lf_with_know_close(lf_with_know *w)
{
    lf_know_close(w->know);
    lf_provider_close(w->provider);
    lf_scope_close(w->scope);
    *w = (lf_with_know){ 0 };
}

static const char *stage_zh(const char *stage)
{
    return strcmp(stage, "parse") == 0 ? "解析" : strcmp(stage, "embed") == 0 ? "向量化" : "入库";
}

void lf_with_know_progress(void *ud, const char *source, const char *stage, size_t done,
                           size_t total)
{
    lf_with_know *w = ud;
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const int64_t now = lf_clock_us(), pause_us = terminal ? 100000 : 5000000;
    if (w->shown_us == 0)
        w->shown_us = now; /* what is over at once shows nothing */
    if (now - w->shown_us < pause_us)
        return;
    w->shown_us = now;
    w->shown = terminal;
    if (terminal)
        (void)fputs("\r\033[K", stderr);
    if (w->cli->zh)
        (void)fprintf(stderr, "%s：%s %zu/%zu", source, stage_zh(stage), done, total);
    else
        (void)fprintf(stderr, "%s: %s %zu of %zu", source, stage, done, total);
    if (!terminal)
        (void)fputc('\n', stderr);
    (void)fflush(stderr);
}

void lf_with_know_status(lf_with_know *w, const char *en, const char *zh)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    (void)fprintf(stderr, "\r\033[K%s", w->cli->zh ? zh : en);
    (void)fflush(stderr);
    w->shown = true;
}

void lf_with_know_progress_end(lf_with_know *w)
{
    if (w->shown)
        (void)fputs("\r\033[K", stderr);
    w->shown = false;
}

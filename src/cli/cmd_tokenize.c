/* cli/cmd_tokenize.c - `landfall tokenize`: a text's token ids and pieces. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "model/catalog.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

enum { TEXT_MAX_BYTES = 256 << 20 };

static lf_status open_tokenizer(const lf_cli *c, const char *name, lf_tokenizer **out, lf_err *err)
{
    lf_catalog *catalog = NULL;
    lf_gguf *g = NULL;
    lf_buf path = { 0 };
    lf_status st = lf_catalog_open(NULL, &catalog, err);
    if (st == LF_OK)
        st = lf_catalog_path(catalog, c->home, name, &path, err);
    if (st == LF_OK && lf_path_is_dir(lf_buf_cstr(&path))) {
        st = lf_tokenizer_from_dir(lf_buf_cstr(&path), out, err);
    } else if (st == LF_OK) {
        st = lf_gguf_open(lf_buf_cstr(&path), &g, err);
        if (st == LF_OK)
            st = lf_tokenizer_from_gguf(g, out, err);
        if (st != LF_OK)
            st = lf_err_context(err, st, "%s", lf_buf_cstr(&path));
    }
    lf_gguf_close(g);
    lf_buf_release(&path);
    lf_catalog_close(catalog);
    return st;
}

static json_t *tokens_json(const lf_tokenizer *t, const lf_tokens *ids)
{
    json_t *list = json_array(), *pieces = json_array();
    lf_buf b = { 0 };
    for (size_t i = 0; list && pieces && i < ids->n; i++) {
        lf_buf_clear(&b);
        lf_tokenizer_piece(t, ids->ids[i], true, &b);
        (void)json_array_append_new(list, json_integer(ids->ids[i]));
        (void)json_array_append_new(pieces, lf_json_text(lf_buf_cstr(&b), b.len));
    }
    lf_buf_release(&b);
    return json_pack("{s:I, s:o, s:o}", "n", (json_int_t)ids->n, "ids", list, "pieces", pieces);
}

static void print_tokens(const lf_tokenizer *t, const lf_tokens *ids)
{
    lf_buf b = { 0 };
    for (size_t i = 0; i < ids->n; i++) {
        lf_buf_clear(&b);
        lf_tokenizer_piece(t, ids->ids[i], true, &b);
        json_t *text = lf_json_text(lf_buf_cstr(&b), b.len);
        lf_buf_clear(&b);
        lf_json_dump(text, &b);
        printf("%7d %s\n", ids->ids[i], lf_buf_cstr(&b));
        json_decref(text);
    }
    lf_buf_release(&b);
}

static lf_status read_text(const char *file, int n, char **argv, lf_buf *out, lf_err *err)
{
    if ((file != NULL) == (n > 0))
        return lf_fail(err, LF_ERR_ARG, "tokenize takes a text or --file FILE, one of the two");
    if (file)
        return lf_file_read(file, TEXT_MAX_BYTES, out, err);
    for (int i = 1; i <= n; i++) {
        lf_buf_add_str(out, i > 1 ? " " : "");
        lf_buf_add_str(out, argv[i]);
    }
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the text") : LF_OK;
}

static int run_tokenize(const lf_cli *c, int argc, char **argv)
{
    const char *model = "default", *file = NULL;
    bool special = false, around = false;
    lf_buf text = { 0 };
    lf_tokens ids = { 0 };
    lf_tokenizer *t = NULL;
    lf_err err = { 0 };
    int n = 0, code = 0;
    const lf_cli_opt opts[] = {
        { .name = "--model", .type = LF_CLI_STR, .out = &model },
        { .name = "--file", .type = LF_CLI_STR, .out = &file },
        { .name = "--special", .type = LF_CLI_FLAG, .out = &special },
        { .name = "--around", .type = LF_CLI_FLAG, .out = &around },
    };
    lf_status st = lf_cli_parse(opts, sizeof(opts) / sizeof(opts[0]), argc, argv, &n, &err);
    if (st == LF_OK)
        st = read_text(file, n, argv, &text, &err);
    if (st == LF_OK)
        st = open_tokenizer(c, model, &t, &err);
    if (st == LF_OK)
        st = lf_tokenizer_encode(t, lf_buf_cstr(&text), text.len, around, special, &ids, &err);
    if (st != LF_OK)
        code = lf_cli_fail(c, &err);
    else if (c->json)
        code = lf_cli_print(tokens_json(t, &ids));
    else
        print_tokens(t, &ids);
    lf_tokens_release(&ids);
    lf_tokenizer_close(t);
    lf_buf_release(&text);
    return code;
}

const lf_cmd lf_cmd_tokenize = {
    .name = "tokenize",
    .args = "[--model M] TEXT | --file FILE",
    .summary = "the token ids and pieces of a text",
    .summary_zh = "文本的词元编号与片段",
    .options = "--model M    catalogue id, file or folder (default)\n"
               "--file FILE  take the text from a file, byte for byte\n"
               "--special    take <|im_start|> and its like for what they spell\n"
               "--around     with the tokens that the model wants around a text\n",
    .options_zh = "--model M    目录编号、文件或文件夹（default）\n"
                  "--file FILE  从文件逐字节读取文本\n"
                  "--special    识别 <|im_start|> 等控制词元\n"
                  "--around     加上模型要求的首尾词元\n",
    .run = run_tokenize,
};

/* cli/cmd_ask.c - `landfall ask QUESTION`: an answer with checked citations. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/desk.h"
#include "cli/interrupt.h"
#include "flow/ask.h"

enum { HISTORY_BYTES_MAX = 4 << 20, K_MAX = 100 };

typedef struct asked {
    const lf_cli *cli;
    lf_cli_strs in;
    const char *collection, *history, *queries, *model;
    long long k, seed;
    bool no_llm, explain;
    lf_desk desk;
    lf_turn *turns; /* views into `messages` */
    size_t n_turns;
    json_t *messages;
    bool said;
    char *last; /* the sentence that was said last; owned */
} asked;

/* JSONL of {"role", "content"}. */
static lf_status read_history(asked *a, lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = lf_file_read(a->history, HISTORY_BYTES_MAX, &text, err);
    size_t n = 0;
    a->messages = json_array();
    if (st == LF_OK && !a->messages)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the history");
    for (const char *p = lf_buf_cstr(&text), *end = p + text.len; st == LF_OK && p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const lf_str line = lf_str_trim((lf_str){ .p = p, .len = (size_t)((nl ? nl : end) - p) });
        json_t *m = NULL;
        const char *role, *content;
        p = nl ? nl + 1 : end;
        if (line.len == 0)
            continue;
        st = lf_json_parse(line.p, line.len, a->history, &m, err);
        if (st == LF_OK && !json_is_object(m))
            st = lf_fail(err, LF_ERR_FORMAT, "'%s': a line is no message {\"role\", \"content\"}",
                         a->history);
        if (st == LF_OK)
            st = lf_json_need_str(m, "role", &role, err);
        if (st == LF_OK)
            st = lf_json_need_str(m, "content", &content, err);
        if (st == LF_OK && json_array_append(a->messages, m) != 0)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the history");
        json_decref(m);
    }
    lf_buf_release(&text);
    n = json_array_size(a->messages);
    a->turns = st == LF_OK ? lf_calloc(n + 1, sizeof *a->turns) : NULL;
    if (st == LF_OK && !a->turns)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the history");
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        const json_t *m = json_array_get(a->messages, i);
        a->turns[a->n_turns++] =
            (lf_turn){ .role = json_string_value(json_object_get(m, "role")),
                       .content = json_string_value(json_object_get(m, "content")) };
    }
    return st;
}

static bool on_event(void *ud, const lf_ask_event *ev)
{
    asked *a = ud;
    if (ev->type == LF_ASK_PASSAGES)
        lf_with_know_status(&a->desk.w, "Writing and checking…", "正在撰写并核对……");
    if (ev->type == LF_ASK_SENTENCE) {
        lf_with_know_progress_end(&a->desk.w);
        printf("%s%s", a->said ? " " : "", ev->text);
        fflush(stdout);
        a->said = true;
        lf_free(a->last);
        a->last = lf_strdup(ev->text);
    }
    return true;
}

static lf_status ask(asked *a, const char *question, lf_ask_fn *fn, lf_answer *out, lf_err *err)
{
    const lf_ask_req r = { .question = question,
                           .collection = a->collection,
                           .doc_ids = (const char *const *)a->desk.in.doc_ids,
                           .n_doc_ids = a->desk.in.n,
                           .k = (int32_t)a->k,
                           .no_llm = a->no_llm,
                           .model = a->model,
                           .history = a->turns,
                           .n_history = a->n_turns,
                           .seed = (uint64_t)a->seed,
                           .cancel = lf_cli_interrupt() };
    const lf_status st =
        lf_ask(a->desk.w.know, a->desk.w.provider, a->desk.w.scope, &r, fn, a, out, err);
    if (st == LF_OK)
        out->ingest_us = a->desk.ingest_us;
    return st;
}

static lf_status ask_json(void *ud, const char *question, json_t **out, lf_err *err)
{
    asked *a = ud;
    lf_answer answer = { 0 };
    const lf_status st = ask(a, question, NULL, &answer, err);
    if (st != LF_OK)
        return st;
    *out = lf_answer_json(&answer);
    if (*out && a->explain)
        json_object_set(*out, "explain", answer.record);
    lf_answer_release(&answer);
    return *out ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for the answer");
}

/* What the stream did not say (notes, refusals), then the list of citations. */
static void show_rest(const asked *a, const lf_answer *r)
{
    const char *rest = r->text;
    for (const char *at = a->last ? strstr(r->text, a->last) : NULL; at;
         at = strstr(at + 1, a->last))
        rest = at + strlen(a->last);
    printf("%s\n", rest);
    for (size_t i = 0; i < r->n_citations; i++) {
        const lf_citation *c = &r->citations[i];
        printf("\n[%d] %s", (int)c->n, c->passage.source);
        if (c->passage.page > 0)
            printf(LF_TR(a->cli, ", page %d", "，第 %d 页"), (int)c->passage.page);
        printf("\n    %s\n", c->passage.text);
    }
}

/* What helps from here on, on standard error: where nothing is stored yet, how to begin;
 * on a terminal, how to see where the answer came from. */
static void show_hint(const asked *a, const lf_answer *r)
{
    const lf_cli *c = a->cli;
    if (r->passages.n == 0 && a->desk.in.n == 0)
        (void)fprintf(
            stderr,
            LF_TR(c,
                  "The collection '%s' holds no documents yet: landfall add PATH, or "
                  "ask with --in PATH.\n",
                  "集合“%s”中还没有文档：请先 landfall add 路径，或提问时用 --in 路径。\n"),
            a->collection ? a->collection : "default");
    else if (isatty(STDOUT_FILENO) == 1 && isatty(STDERR_FILENO) == 1)
        (void)fprintf(
            stderr,
            LF_TR(c, "\nHow it came: landfall replay %.8s\n", "\n查看由来：landfall replay %.8s\n"),
            r->run);
}

static int run_one(asked *a, const char *question)
{
    lf_err err = { 0 };
    lf_answer answer = { 0 };
    json_t *out = NULL;
    if (a->cli->json) {
        if (ask_json(a, question, &out, &err) != LF_OK)
            return lf_cli_fail(a->cli, &err);
        return lf_cli_print(out);
    }
    lf_with_know_status(&a->desk.w, "Looking through the documents…", "正在查阅文档……");
    const lf_status st = ask(a, question, on_event, &answer, &err);
    lf_with_know_progress_end(&a->desk.w);
    if (st != LF_OK) {
        if (a->said)
            printf("\n");
        lf_free(a->last);
        return lf_cli_fail(a->cli, &err);
    }
    show_rest(a, &answer);
    (void)fflush(stdout);
    show_hint(a, &answer);
    lf_free(a->last);
    lf_answer_release(&answer);
    return ferror(stdout) ? 1 : 0;
}

/* One question from the arguments; several words are one question. */
static lf_status question_of(int n_args, char **argv, lf_buf *out, lf_err *err)
{
    for (int i = 1; i <= n_args; i++)
        lf_buf_addf(out, "%s%s", i > 1 ? " " : "", argv[i]);
    if (out->failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the question");
    if (lf_str_trim((lf_str){ lf_buf_cstr(out), out->len }).len == 0)
        return lf_fail(err, LF_ERR_ARG, "ask needs a QUESTION (or --queries FILE)");
    return LF_OK;
}

static int run(const lf_cli *c, int argc, char **argv)
{
    asked a = { .cli = c, .k = 8 };
    lf_buf question = { 0 };
    lf_err err = { 0 };
    int n_args = 0, code;
    const lf_cli_opt opts[] = {
        { .name = "--in", .type = LF_CLI_STRS, .out = &a.in },
        { .name = "--collection", .type = LF_CLI_STR, .out = (void *)&a.collection },
        { .name = "-k", .type = LF_CLI_INT, .out = &a.k, .min = 1, .max = K_MAX },
        { .name = "--no-llm", .type = LF_CLI_FLAG, .out = &a.no_llm },
        { .name = "--history", .type = LF_CLI_STR, .out = (void *)&a.history },
        { .name = "--queries", .type = LF_CLI_STR, .out = (void *)&a.queries },
        { .name = "--model", .type = LF_CLI_STR, .out = (void *)&a.model },
        { .name = "--seed", .type = LF_CLI_INT, .out = &a.seed, .min = 0, .max = INT64_MAX },
        { .name = "--explain", .type = LF_CLI_FLAG, .out = &a.explain },
    };
    lf_status st = lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &n_args, &err);
    if (st == LF_OK && !a.queries)
        st = question_of(n_args, argv, &question, &err);
    else if (st == LF_OK && n_args > 0)
        st = lf_fail(&err, LF_ERR_ARG, "ask takes a QUESTION or --queries FILE, not both");
    if (st == LF_OK && a.history)
        st = read_history(&a, &err);
    if (st == LF_OK)
        st = lf_desk_open(c, &a.in, &a.desk, &err);
    if (st != LF_OK)
        code = lf_cli_fail(c, &err);
    else
        code = a.queries ? lf_desk_each_query(c, a.queries, ask_json, &a)
                         : run_one(&a, lf_buf_cstr(&question));
    lf_desk_close(&a.desk);
    lf_buf_release(&question);
    lf_free(a.turns);
    json_decref(a.messages);
    lf_free((void *)a.in.v);
    return code;
}

const lf_cmd lf_cmd_ask = {
    .name = "ask",
    .args = "[--in PATH]... QUESTION",
    .summary = "answer a question from documents, with checked citations",
    .summary_zh = "根据文档回答问题，并附经过核对的引用",
    .options =
        "--in PATH          a file or folder to answer from (repeatable); read once, then cached\n"
        "--collection NAME  a collection of the state file (default: default)\n"
        "-k N               passages to look at (default 8)\n"
        "--no-llm           the best span of the documents alone, without the language model\n"
        "--history FILE     earlier turns, a JSON message {role, content} a line\n"
        "--queries FILE     questions, a JSON string a line; an object a line comes out\n"
        "--model NAME       model to answer with (default: default)\n"
        "--seed N           seed of the sampler (default 0)\n"
        "--explain          with --json: add what was kept about this run\n",
    .options_zh = "--in PATH          要依据的文件或文件夹（可重复）；只读取一次，之后用缓存\n"
                  "--collection NAME  状态文件中的集合（默认：default）\n"
                  "-k N               查看的段落数（默认 8）\n"
                  "--no-llm           不用语言模型，只给出文档中最合适的一段原文\n"
                  "--history FILE     之前的对话，每行一条 JSON 消息 {role, content}\n"
                  "--queries FILE     问题列表，每行一个 JSON 字符串；每行输出一个对象\n"
                  "--model NAME       用来回答的模型（默认：default）\n"
                  "--seed N           采样种子（默认 0）\n"
                  "--explain          与 --json 合用：附上本次运行留存的记录\n",
    .run = run,
};

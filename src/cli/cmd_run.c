/* cli/cmd_run.c - `landfall run MODEL -p PROMPT`: continue a prompt on the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/settings.h"
#include "provider/provider.h"

typedef struct run_args {
    const char *model, *guesser, *prompt, *system, *grammar, *schema;
    long long n_max, top_k, seed;
    double temperature, top_p, min_p, repeat_penalty;
    lf_cli_strs stop, lora;
    bool raw, no_drafts;
} run_args;

static bool print_text(void *ud, const lf_token_event *ev)
{
    (void)ud;
    return fwrite(ev->text, 1, ev->n_bytes, stdout) == ev->n_bytes && fflush(stdout) == 0;
}

static lf_status parse_args(int argc, char **argv, run_args *a, lf_err *err)
{
    int n = 0;
    const lf_cli_opt opts[] = {
        { "-p", LF_CLI_STR, &a->prompt, 0, 0 },
        { "--system", LF_CLI_STR, &a->system, 0, 0 },
        { "-n", LF_CLI_INT, &a->n_max, 1, 1000000 },
        { "--temp", LF_CLI_NUM, &a->temperature, 0, 100 },
        { "--seed", LF_CLI_INT, &a->seed, 0, INT64_MAX },
        { "--top-k", LF_CLI_INT, &a->top_k, 0, 1000000 },
        { "--top-p", LF_CLI_NUM, &a->top_p, 0, 1 },
        { "--min-p", LF_CLI_NUM, &a->min_p, 0, 1 },
        { "--repeat-penalty", LF_CLI_NUM, &a->repeat_penalty, 0, 100 },
        { "--stop", LF_CLI_STRS, &a->stop, 0, 0 },
        { "--grammar", LF_CLI_STR, &a->grammar, 0, 0 },
        { "--lora", LF_CLI_STRS, &a->lora, 0, 0 },
        { "--schema", LF_CLI_STR, &a->schema, 0, 0 },
        { "--raw", LF_CLI_FLAG, &a->raw, 0, 0 },
        { "--no-drafts", LF_CLI_FLAG, &a->no_drafts, 0, 0 },
        { "--draft-model", LF_CLI_STR, &a->guesser, 0, 0 },
    };
    const lf_status st = lf_cli_parse(opts, sizeof opts / sizeof opts[0], argc, argv, &n, err);
    if (st != LF_OK)
        return st;
    if (n != 1 || !a->prompt)
        return lf_fail(err, LF_ERR_ARG, "run takes one MODEL and -p PROMPT");
    if (a->grammar && a->schema)
        return lf_fail(err, LF_ERR_ARG, "--grammar and --schema exclude each other");
    a->model = argv[1];
    return LF_OK;
}

/* The prompt as it is, or as what a user says to the model. */
static lf_status make_tokens(const run_args *a, lf_model *m, lf_tokens *out, lf_err *err)
{
    if (a->raw || !lf_model_template(m))
        return lf_tokenizer_encode(lf_model_tokenizer(m), a->prompt, strlen(a->prompt), true, true,
                                   out, err);
    json_t *messages = json_array();
    int bad = 0;
    if (a->system)
        bad |=
            json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "system", "content",
                                                      lf_json_text(a->system, strlen(a->system))));
    bad |= json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "user", "content",
                                                     lf_json_text(a->prompt, strlen(a->prompt))));
    const lf_status st = bad ? lf_fail(err, LF_ERR_NOMEM, "no memory for the prompt")
                             : lf_provider_tokens(m, messages, out, err);
    json_decref(messages);
    return st;
}

/* The grammar of --grammar FILE or --schema FILE; NULL without them. */
static lf_status read_grammar(const run_args *a, lf_grammar **out, lf_err *err)
{
    enum { FILE_MAX = 4 << 20 };
    const char *path = a->grammar ? a->grammar : a->schema;
    lf_buf text = { 0 };
    json_t *schema = NULL;
    if (!path)
        return LF_OK;
    lf_status st = lf_file_read(path, FILE_MAX, &text, err);
    if (st == LF_OK && a->schema)
        st = lf_json_parse(lf_buf_cstr(&text), text.len, path, &schema, err);
    if (st == LF_OK)
        st = a->schema ? lf_grammar_from_schema(schema, out, err)
                       : lf_grammar_parse(lf_buf_cstr(&text), text.len, out, err);
    json_decref(schema);
    lf_buf_release(&text);
    return st;
}

/* --lora NAME or NAME=SCALE, each a reference in `mix`. */
static lf_status read_adapters(const run_args *a, lf_provider *p, const lf_model *m,
                               lf_adapter_mix *mix, lf_err *err)
{
    lf_status st = LF_OK;
    if (a->lora.n > LF_ADAPTERS_MAX)
        return lf_fail(err, LF_ERR_ARG, "%zu adapters, up to %d are allowed", a->lora.n,
                       LF_ADAPTERS_MAX);
    for (size_t i = 0; st == LF_OK && i < a->lora.n; i++) {
        const char *text = a->lora.v[i], *eq = strchr(text, '=');
        char name[128], *end = NULL;
        lf_adapter_use use = { .scale = eq ? strtof(eq + 1, &end) : 1 };
        (void)snprintf(name, sizeof name, "%.*s", eq ? (int)(eq - text) : (int)strlen(text), text);
        if (eq && (end == eq + 1 || *end))
            return lf_fail(err, LF_ERR_ARG, "--lora '%.100s' is not NAME or NAME=SCALE", text);
        st = lf_provider_adapter(p, m, name, &use.adapter, err);
        if (st == LF_OK)
            mix->v[mix->n++] = use;
    }
    return st;
}

static const char *finish_name(lf_finish f)
{
    return f == LF_FINISH_STOP ? "stop" : f == LF_FINISH_LENGTH ? "length" : "cancelled";
}

static json_t *result_json(const lf_model *m, const lf_gen_result *r)
{
    const double decode_s = (double)r->decode_us / 1e6, prefill_s = (double)r->prefill_us / 1e6;
    return json_pack(
        "{s:o, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:{s:f, s:f, s:f}, s:f, s:f}", "text",
        lf_json_text(lf_buf_cstr(&r->text), r->text.len), "finish", finish_name(r->finish), "model",
        lf_model_get_info(m)->name, "prompt_tokens", (int)r->n_prompt, "cached_tokens",
        (int)r->n_cached, "generated_tokens", (int)r->n_generated, "guessed_tokens",
        (int)r->n_guessed, "guessed_right", (int)r->n_guessed_right, "ms", "prefill",
        (double)r->prefill_us / 1e3, "first_token", (double)r->first_token_us / 1e3, "decode",
        (double)r->decode_us / 1e3, "prefill_tokens_per_s",
        prefill_s > 0 ? (double)(r->n_prompt - r->n_cached) / prefill_s : 0.0,
        "decode_tokens_per_s",
        decode_s > 0 && r->n_generated > 1 ? (double)(r->n_generated - 1) / decode_s : 0.0);
}

static lf_status generate(const lf_cli *c, lf_provider *p, const run_args *a, lf_err *err)
{
    lf_model *m = NULL, *guesser = NULL;
    lf_tokens ids = { 0 };
    lf_gen_result r = { 0 };
    lf_grammar *grammar = NULL;
    lf_adapter_mix adapters = { .n = 0 };
    lf_sampling s = lf_sampling_defaults();
    s.temperature = (float)a->temperature;
    s.top_k = (int32_t)a->top_k;
    s.top_p = (float)a->top_p;
    s.min_p = (float)a->min_p;
    s.repeat_penalty = (float)a->repeat_penalty;
    s.seed = (uint64_t)a->seed;

    lf_status st = read_grammar(a, &grammar, err);
    if (st == LF_OK)
        st = lf_provider_model(p, a->model, &m, err);
    if (st == LF_OK)
        st = read_adapters(a, p, m, &adapters, err);
    if (st == LF_OK)
        st = a->guesser ? lf_provider_model(p, a->guesser, &guesser, err)
                        : lf_provider_guesser(p, a->model, &guesser, err);
    if (st == LF_OK)
        st = make_tokens(a, m, &ids, err);
    if (st != LF_OK)
        goto done;
    const lf_gen_req req = { .tokens = ids.ids,
                             .n_tokens = ids.n,
                             .n_max = (uint32_t)a->n_max,
                             .sampling = s,
                             .stop = a->stop.v,
                             .n_stop = a->stop.n,
                             .grammar = grammar,
                             .adapters = &adapters,
                             .no_drafts = a->no_drafts,
                             .guesser = guesser,
                             .cancel = lf_cli_interrupt(),
                             .on_token = c->json ? NULL : print_text };
    st = lf_engine_generate(lf_provider_engine(p), m, &req, &r, err);
    if (st != LF_OK) {
        if (st == LF_ERR_CANCELLED && !c->json)
            (void)putchar('\n');
        goto done;
    }
    if (!c->json && r.finish == LF_FINISH_CALLER)
        st = lf_fail(err, LF_ERR_IO, "cannot write to standard output");
    else if (!c->json)
        (void)putchar('\n');
    else if (lf_cli_print(result_json(m, &r)) != 0)
        st = lf_fail(err, LF_ERR_IO, "cannot write to standard output");
done:
    lf_buf_release(&r.text);
    lf_tokens_release(&ids);
    lf_grammar_close(grammar);
    for (size_t i = 0; i < adapters.n; i++)
        lf_adapter_unref(adapters.v[i].adapter);
    lf_model_unref(guesser);
    lf_model_unref(m);
    return st;
}

static int run_run(const lf_cli *c, int argc, char **argv)
{
    lf_err err = { 0 };
    lf_provider *p = NULL;
    run_args a = { .top_p = 1, .repeat_penalty = 1 };
    lf_status st = parse_args(argc, argv, &a, &err);
    const lf_provider_opts o = lf_cli_provider_opts(c);
    if (st == LF_OK)
        st = lf_provider_open(&o, &p, &err);
    if (st == LF_OK)
        st = generate(c, p, &a, &err);
    lf_provider_close(p);
    lf_free(a.stop.v);
    lf_free(a.lora.v);
    return st == LF_OK ? 0 : lf_cli_fail(c, &err);
}

const lf_cmd lf_cmd_run = {
    .name = "run",
    .args = "MODEL -p PROMPT [-n N] [--temp T] [--seed S]",
    .summary = "generate text on the terminal",
    .summary_zh = "在终端生成文本",
    .options =
        "-p PROMPT            what the user says; the model's chat template is applied\n"
        "--system TEXT        a system message before it\n"
        "--raw                the prompt as it is, without the template\n"
        "-n N                 most tokens to generate (default: to the end of the context)\n"
        "--temp T             temperature; 0 (the default) always takes the likeliest token\n"
        "--top-k N, --top-p P, --min-p P, --repeat-penalty R\n"
        "--seed S             of the random draws (default 0)\n"
        "--stop TEXT          end before this text; may be repeated\n"
        "--grammar FILE       hold the output to a grammar (GBNF)\n"
        "--schema FILE        hold the output to a JSON Schema\n"
        "--lora NAME[=SCALE]  with this adapter of HOME/adapters; may be repeated\n"
        "--draft-model M      a smaller model of the same vocabulary guesses; the text is the same\n"
        "--no-drafts          one token a pass; the text is the same, only slower\n",
    .options_zh = "-p PROMPT            用户的话；按模型自己的对话模板组织\n"
                  "--system TEXT        放在前面的系统消息\n"
                  "--raw                原样使用提示，不套模板\n"
                  "-n N                 最多生成的词元数（默认：直到上下文结束）\n"
                  "--temp T             温度；0（默认）总取最可能的词元\n"
                  "--top-k N, --top-p P, --min-p P, --repeat-penalty R\n"
                  "--seed S             随机种子（默认 0）\n"
                  "--stop TEXT          遇到这段文字之前结束；可重复\n"
                  "--grammar FILE       输出须符合语法（GBNF）\n"
                  "--schema FILE        输出须符合 JSON Schema\n"
                  "--lora NAME[=SCALE]  使用 HOME/adapters 中的适配器；可重复\n"
                  "--draft-model M      由词表相同的较小模型先猜；文本相同\n"
                  "--no-drafts          每步只算一个词元；文本相同，只是更慢\n",
    .run = run_run,
};

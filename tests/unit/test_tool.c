/* tests/unit/test_tool.c - functions: formats of templates, grammars, and streams of calls. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "infer/tool_grammar.h"
#include "tests/unit/tool_record.h"

/* Templates of the kinds that the golden ones do not have. */
#define TURNS "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
static const char calls_as_json[] =
    "{% if tools %}Functions: {{ tools | tojson }}{% endif %}" TURNS
    "{% if m.tool_calls %}{\"name\": \"{{ m.tool_calls[0].function.name }}\", \"parameters\": "
    "{{ m.tool_calls[0].function.arguments | tojson }}}{% endif %}{% endfor %}";
static const char calls_as_xml[] =
    TURNS "{% for c in m.tool_calls %}<tool_call>\n<function={{ c.function.name }}>\n</function>\n"
          "</tool_call>{% endfor %}{% endfor %}";
static const char no_system[] =
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}"
    "{% endfor %}";

static lf_chat_template *open_text(const char *source)
{
    lf_chat_template *t = NULL;
    LF_NEED(lf_chat_template_open(source, strlen(source), &t, err));
    return t;
}

static lf_chat_template *open_golden(const char *name)
{
    char rel[128];
    lf_buf text = { 0 };
    (void)snprintf(rel, sizeof rel, "golden/chat/%s.jinja", name);
    LF_NEED(lf_file_read(lf_test_source(rel), 0, &text, err));
    lf_chat_template *t = open_text(lf_buf_cstr(&text));
    lf_buf_release(&text);
    return t;
}

static const lf_tool_format *format_of(lf_chat_template *t)
{
    const lf_tool_format *f = lf_tool_format_of(t);
    lf_chat_template_close(t);
    return f;
}

static const lf_tool_format *hermes(void)
{
    return format_of(open_golden("qwen3"));
}

static const lf_tool_format *llama3(void)
{
    return format_of(open_text(calls_as_json));
}

static json_t *parse(const char *text)
{
    json_t *v = NULL;
    LF_NEED(lf_json_parse(text, strlen(text), "test", &v, err));
    return v;
}

#define WEATHER                                                                                    \
    "{\"type\":\"function\",\"function\":{\"name\":\"weather\",\"description\":\"d\","             \
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"},"          \
    "\"days\":{\"$ref\":\"#/$defs/n\"}},\"required\":[\"city\"],\"additionalProperties\":false,"   \
    "\"$defs\":{\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}}}}}"
#define CLOCK "{\"type\":\"function\",\"function\":{\"name\":\"clock\"}}"
#define UNIT                                                                                       \
    "{\"type\":\"function\",\"function\":{\"name\":\"weather_in\",\"parameters\":{\"type\":"       \
    "\"object\",\"properties\":{\"unit\":{\"$ref\":\"#/$defs/n\"}},\"required\":[\"unit\"],"       \
    "\"$defs\":{\"n\":{\"enum\":[\"C\",\"F\"]}}}}}"

/* ---- formats ---- */

static void a_template_shows_its_format(void)
{
    LF_CHECK_STR(format_of(open_golden("qwen2.5-coder-0.5b-instruct"))->name, "hermes");
    LF_CHECK_STR(format_of(open_golden("qwen3"))->name, "hermes");
    LF_CHECK_STR(format_of(open_golden("smollm2-135m-instruct"))->name, "plain");
    LF_CHECK_STR(format_of(open_text(calls_as_json))->name, "llama3");
    LF_CHECK_STR(format_of(open_text(calls_as_xml))->name, "plain");
    LF_CHECK_STR(format_of(open_text(no_system))->name, "plain");
    LF_CHECK(hermes()->native && !format_of(open_text(no_system))->native);
}

static void names_are_checked(void)
{
    char long_name[66];
    memset(long_name, 'a', sizeof long_name);
    LF_CHECK(lf_tool_name_ok("get_Weather-2.0", 15) && lf_tool_name_ok(long_name, 64));
    LF_CHECK(!lf_tool_name_ok("", 0) && !lf_tool_name_ok(long_name, 65));
    LF_CHECK(!lf_tool_name_ok("a b", 3) && !lf_tool_name_ok("a\"", 2));
}

static const char conversation[] =
    "[{\"role\":\"user\",\"content\":\"Rain?\"},{\"role\":\"assistant\",\"content\":\"I look.\","
    "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"weather\","
    "\"arguments\":{\"city\":\"Oslo\"}}},{\"id\":\"2\",\"type\":\"function\",\"function\":{"
    "\"name\":\"clock\",\"arguments\":{}}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\","
    "\"content\":\"wet\"},{\"role\":\"tool\",\"tool_call_id\":\"2\",\"content\":\"noon\"},"
    "{\"role\":\"user\",\"content\":\"So?\"}]";

static char *as_rendered(const char *source, const char *messages, const char *tools)
{
    lf_chat_template *t = open_text(source);
    json_t *m = parse(messages), *u = tools ? parse(tools) : NULL, *out = NULL;
    lf_buf text = { 0 };
    const lf_tool_format *f = lf_tool_format_of(t);
    LF_NEED(lf_tool_format_messages(f, t, m, u, &out, err));
    json_t *vars = json_pack("{s:o}", "messages", out);
    LF_NEED(lf_chat_render(t, vars, &text, err));
    json_decref(vars);
    json_decref(m);
    json_decref(u);
    lf_chat_template_close(t);
    return lf_buf_take(&text);
}

#define CALLS                                                                                      \
    "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\":\"Oslo\"}}\n</tool_call>\n"     \
    "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}}\n</tool_call>"
#define RESULTS                                                                                    \
    "<tool_response>\nwet\n</tool_response>\n<tool_response>\nnoon\n</tool_response>\nSo?"

/* Templates that know no functions are told in words, where they allow it. */
static void templates_without_functions_are_told_in_words(void)
{
    char *text = as_rendered(no_system, conversation, NULL);
    LF_CHECK_STR(text, "[user]Rain?[assistant]I look.\n" CALLS "[user]" RESULTS);
    lf_free(text);
    text = as_rendered(no_system, conversation, "[" CLOCK "]");
    LF_CHECK(strstr(text, "[user]You may call these functions:\n<tools>\n{\"name\":\"clock\"}\n") ==
             text);
    LF_CHECK(strstr(text, "</tool_response>.Rain?") == NULL && strstr(text, "\nRain?[assistant]"));
    lf_free(text);
    text = as_rendered(calls_as_xml,
                       "[{\"role\":\"system\",\"content\":\"Be kind.\"},"
                       "{\"role\":\"user\",\"content\":\"x\"}]",
                       "[" CLOCK "]");
    LF_CHECK(strstr(text, "[system]Be kind.\n\nYou may call") == text);
    LF_CHECK(strstr(text, "</tool_response>.[user]x") != NULL);
    lf_free(text);
    /* A native format leaves the messages to the template. */
    text = as_rendered(calls_as_json, conversation, NULL);
    LF_CHECK(strstr(text, "{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}") != NULL);
    lf_free(text);
}

/* ---- grammars ---- */

/* How far a text goes: -1 refused, 0 a prefix, 1 whole. */
static int follow(lf_grammar *g, lf_token_tree *tree, const lf_tokenizer *t, const char *text)
{
    lf_matcher *m = NULL;
    lf_tokens ids = { 0 };
    LF_NEED(lf_matcher_open(g, tree, &m, err));
    LF_NEED(lf_tokenizer_encode(t, text, strlen(text), false, false, &ids, err));
    bool ok = true;
    for (size_t i = 0; ok && i < ids.n; i++)
        ok = lf_matcher_accept(m, ids.ids[i]);
    const int r = !ok ? -1 : lf_matcher_may_end(m) ? 1 : 0;
    lf_tokens_release(&ids);
    lf_matcher_close(m);
    return r;
}

#define H(name, args) "<tool_call>\n{\"name\": \"" name "\", \"arguments\": " args "}\n</tool_call>"
#define B(name, args) "{\"name\": \"" name "\", \"arguments\": " args "}"
#define L(name, args) "{\"name\": \"" name "\", \"parameters\": " args "}"

typedef struct grammar_case {
    char format; /* h or l */
    lf_tool_use use;
    const char *answer, *text;
    int want;
} grammar_case;

#define AUTO .choice = LF_TOOLS_AUTO, .parallel = true
#define MUST .choice = LF_TOOLS_REQUIRED, .parallel = true
#define ONE  .choice = LF_TOOLS_REQUIRED

static const grammar_case grammar_cases[] = {
    { 'h', { AUTO }, NULL, "", 1 },
    { 'h', { AUTO }, NULL, "It is 5 < 6 <<tool <tool_cal l>, 你好", 1 },
    { 'h', { AUTO }, NULL, "text <tool_call>", 0 },
    { 'h', { AUTO }, NULL, "<<tool_call>\n", 0 },
    { 'h', { AUTO }, NULL, "<tool_<tool_call>\n", 0 },
    { 'h', { AUTO }, NULL, "<tool_call> ", -1 },
    { 'h', { AUTO }, NULL, "<tool_call>\n{\"name\": \"wheather", -1 },
    { 'h', { AUTO }, NULL, "Let me see.\n" H("weather", "{\"city\": \"Oslo\", \"days\": 9}"), 1 },
    { 'h', { AUTO }, NULL, H("weather", "{\"city\": \"Oslo\", \"days\": 10}"), -1 },
    { 'h', { AUTO }, NULL, H("weather", "{\"days\": 3}"), -1 },
    { 'h', { AUTO }, NULL, H("weather_in", "{\"unit\": \"F\"}"), 1 },
    { 'h', { AUTO }, NULL, H("weather_in", "{\"unit\": 4}"), -1 }, /* $defs of another function */
    { 'h', { AUTO }, NULL, H("clock", "{}"), 1 },
    { 'h', { AUTO }, NULL, H("clock", "{\"a\": 1}"), -1 },
    { 'h', { AUTO }, NULL, H("clock", "{}") "\n" H("clock", "{}"), 1 },
    { 'h', { AUTO }, NULL, H("clock", "{}") " done", -1 },
    { 'h', { .choice = LF_TOOLS_AUTO }, NULL, H("clock", "{}"), 1 },
    { 'h', { .choice = LF_TOOLS_AUTO }, NULL, H("clock", "{}") "\n<", -1 },
    { 'h', { MUST }, NULL, "", 0 },
    { 'h', { MUST }, NULL, "Let", -1 },
    { 'h', { MUST }, NULL, H("clock", "{}") "\n" H("weather_in", "{\"unit\":\"C\"}"), 1 },
    { 'h', { ONE }, NULL, H("clock", "{}") "\n", -1 },
    { 'h', { ONE, .only = "clock" }, NULL, H("clock", "{}"), 1 },
    { 'h', { MUST, .only = "clock" }, NULL, H("clock", "{}") "\n", -1 },
    { 'h', { ONE, .only = "weather" }, NULL, H("weather", "{\"city\":\"x\"}"), 1 },
    { 'h', { ONE, .only = "weather" }, NULL, "<tool_call>\n{\"name\": \"weather_", -1 },
    { 'h', { AUTO }, "{\"type\":\"integer\"}", "12", 1 },
    { 'h', { AUTO }, "{\"type\":\"integer\"}", "x", -1 },
    { 'h', { AUTO }, "{\"type\":\"integer\"}", H("clock", "{}"), 1 },
    /* The tags left out, at the beginning only. */
    { 'h', { AUTO }, NULL, B("clock", "{}"), 1 },
    { 'h', { AUTO }, NULL, B("clock", "{}") "\n" B("weather", "{\"city\": \"Oslo\"}"), 1 },
    { 'h', { AUTO }, NULL, B("clock", "{}") "\n" H("clock", "{}"), -1 },
    { 'h', { AUTO }, NULL, B("clock", "{\"a\": 1}"), -1 },
    { 'h', { AUTO }, NULL, B("joke", "{}") " is text", 1 },
    { 'h', { AUTO }, NULL, "\n \n" B("clock", "{}"), 1 },
    { 'h', { AUTO }, NULL, "\n \n" B("clock", "{\"a\": 1}"), -1 },
    { 'h', { AUTO }, NULL, "{\"name\": \"clock\", \"now", -1 },
    { 'h', { AUTO }, NULL, "{\"name\": \"weather_of\"} <tool_call>", 0 },
    { 'h', { AUTO }, NULL, "{\"name\": 5}, ```json", 1 },
    { 'h', { AUTO }, NULL, "{\n  \"name\": 5 <tool_call>", 0 },
    { 'h', { AUTO }, NULL, "{<tool_call>", 0 },
    { 'h', { AUTO }, NULL, "So " B("joke", "{}"), 1 },
    { 'h', { AUTO }, NULL, "```json\n{\n  \"name\": \"clock\",\n  \"arguments\": {}\n}\n```", 1 },
    { 'h', { AUTO }, NULL, "```json\n{\n  \"name\": \"clock\",\n  \"arguments\": {}\n} ", -1 },
    { 'h', { AUTO }, NULL, "```json\n" B("weather_in", "{\"unit\": \"F\"}") "\n```", 1 },
    { 'h', { AUTO }, NULL, "```json\n[1, 2]\n```", 1 },
    { 'h', { AUTO }, NULL, "```python\n{\"name\": \"joke\"}\n```", 1 },
    { 'h', { MUST }, NULL, B("clock", "{}"), -1 },
    { 'l', { AUTO }, NULL, "", 1 },
    { 'l', { AUTO }, NULL, "{\"name\": 5} and text", 1 },
    { 'l', { AUTO }, NULL, "{\"name\": \"Bob\"}", 1 },
    { 'l', { AUTO }, NULL, "{\"name\": \"clock\"}", -1 },
    { 'l', { AUTO }, NULL, "As JSON: {\"name\": \"Bob\"}", 1 },
    { 'l', { AUTO }, NULL, L("clock", "{}"), 1 },
    { 'l', { AUTO }, NULL, "{\"type\": \"function\", \"name\": \"clock\", \"parameters\": {}}", 1 },
    { 'l', { AUTO }, NULL, "{\"type\": \"function\", \"name\": \"clock\", \"parameters\": 1", -1 },
    { 'l', { AUTO }, NULL, "{\"type\": \"object\"}", 1 },
    { 'l', { AUTO }, NULL, L("weather", "{\"city\": \"Oslo\"}"), 1 },
    { 'l', { AUTO }, NULL, L("clock", "{}") ";", -1 },
    { 'l', { MUST }, NULL, L("clock", "{}"), 1 },
    { 'l', { MUST }, NULL, "text", -1 },
};

static void grammars_hold_calls_to_their_schema(void)
{
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = NULL;
    json_t *tools = parse("[" WEATHER "," CLOCK "," UNIT "]");
    LF_NEED(lf_tokenizer_from_dir(lf_test_source("golden/tokenizer/byte_level"), &t, err));
    LF_NEED(lf_token_tree_open(t, &tree, err));
    for (size_t i = 0; i < sizeof grammar_cases / sizeof grammar_cases[0]; i++) {
        const grammar_case *c = &grammar_cases[i];
        lf_grammar *g = NULL;
        json_t *answer = NULL;
        lf_tool_use u = c->use;
        if (c->answer)
            answer = parse(c->answer);
        u.tools = tools;
        u.answer = answer;
        LF_NEED(lf_tool_grammar(c->format == 'h' ? hermes() : llama3(), &u, &g, err));
        if (!LF_CHECK_INT(follow(g, tree, t, c->text), c->want))
            printf("    case %zu: %s\n", i, c->text);
        lf_grammar_close(g);
        json_decref(answer);
    }
    json_decref(tools);
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void a_function_that_cannot_be_held_to_is_named(void)
{
    json_t *tools = parse("[" CLOCK ",{\"type\":\"function\",\"function\":{\"name\":\"odd\","
                          "\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"not\":{}}}}"
                          "}}]");
    const lf_tool_use u = { .tools = tools };
    lf_grammar *g = NULL;
    lf_err e = { 0 };
    LF_CHECK_INT(lf_tool_use_check(&u, &e), LF_ERR_UNSUPPORTED);
    LF_CHECK(strstr(e.msg, "function 'odd'") && strstr(e.msg, "#/properties/x: not"));
    LF_CHECK_INT(lf_tool_grammar(hermes(), &u, &g, &e), LF_ERR_UNSUPPORTED);
    json_decref(tools);
}

/* As many functions as a request may have, with the longest names. */
static void many_functions_make_a_grammar(void)
{
    json_t *tools = json_array();
    lf_grammar *g = NULL;
    for (int i = 0; i < 128; i++) {
        char name[65];
        (void)snprintf(name, sizeof name, "%03d%061d", i * 7, 0);
        (void)json_array_append_new(
            tools, json_pack("{s:s, s:{s:s}}", "type", "function", "function", "name", name));
    }
    const lf_tool_use u = { .tools = tools, .parallel = true };
    LF_NEED(lf_tool_grammar(hermes(), &u, &g, err));
    lf_grammar_close(g);
    json_decref(tools);
}

/* ---- streams ---- */

static const struct {
    char format;
    const char *text, *want;
} stream_cases[] = {
    { 'h', "", "" },
    { 'h', "Hello\n", "T(Hello\n)" },
    { 'h', " \n", "T( \n)" },
    { 'h', "a <tool_cal b", "T(a <tool_cal b)" },
    { 'h', "a <tool_call", "T(a <tool_call)" },
    { 'h', H("clock", "{}"), "C(clock)A({})E" },
    { 'h', "Look. \n\n" H("clock", "{}") "\n", "T(Look.)C(clock)A({})E" },
    { 'h', "<" H("clock", "{}") "\n" H("weather", "{\"a\": [{\"}\": \"\\\"}\"}]}"),
      "T(<)C(clock)A({})EC(weather)A({\"a\": [{\"}\": \"\\\"}\"}]})E" },
    { 'h', "<tool_call>\n" H("clock", "{}"), "T(<tool_call>)C(clock)A({})E" },
    { 'h', H("other", "{}") " x", "T(" H("other", "{}") " x)" }, /* no such function */
    { 'h', "<tool_call>\n{\"name\": \"clock\", \"arguments\": 5}\n</tool_call>",
      "T(<tool_call>\n{\"name\": \"clock\", \"arguments\": 5}\n</tool_call>)" },
    { 'h', H("clock", "{}") " and 你好", "C(clock)A({})ET( and 你好)" },
    { 'h', "<tool_call>\n{\"name\": \"clock\", \"arguments\": {}} oh", "C(clock)A({})ET(} oh)" },
    { 'h', "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Os",
      "C(weather)A({\"city\": \"Os)" },
    { 'h', "x <tool_call>\n{\"name\": \"weather\", \"arg",
      "T(x <tool_call>\n{\"name\": \"weather\", \"arg)" },
    { 'h', B("clock", "{}") "\n" B("weather", "{\"x\": {}}"),
      "C(clock)A({})EC(weather)A({\"x\": {}})E" },
    { 'h', " \n" B("clock", "{}"), "C(clock)A({})E" },
    { 'h', " \n" B("joke", "{}"), "T( \n" B("joke", "{}") ")" },
    { 'h', "So: " B("clock", "{}"), "T(So: " B("clock", "{}") ")" },
    { 'h', B("joke", "{}"), "T(" B("joke", "{}") ")" },
    { 'h', B("clock", "{}") "\n```json\n" B("clock", "{}") "\n```",
      "C(clock)A({})ET(\n```json\n" B("clock", "{}") "\n```)" },
    { 'h', "```json\n{\n  \"name\": \"clock\",\n  \"arguments\": {\n    \"a\": 1\n  }\n}\n```",
      "C(clock)A({\n    \"a\": 1\n  })E" },
    { 'h', "```json\n{\n  \"name\": 5\n}\n```", "T(```json\n{\n  \"name\": 5\n}\n```)" },
    { 'l', L("clock", "{}"), "C(clock)A({})E" },
    { 'l', L("clock", "{}") L("clock", "{}"), "C(clock)A({})ET(" L("clock", "{}") ")" },
    { 'l', "{\"type\": \"function\", \"name\": \"clock\", \"parameters\": {}}", "C(clock)A({})E" },
    { 'l', "So: " L("clock", "{}"), "T(So: " L("clock", "{}") ")" },
    { 'l', L("other", "{}"), "T(" L("other", "{}") ")" },
    { 'l', "{\"name\": \"Bob\"}", "T({\"name\": \"Bob\"})" },
    { 'l', L("weather", "{\"city\": \"{\"}"), "C(weather)A({\"city\": \"{\"})E" },
    { '-', H("clock", "{}"), "T(" H("clock", "{}") ")" },
};

static const lf_tool_format *case_format(char c)
{
    return c == 'h' ? hermes() : c == 'l' ? llama3() : NULL;
}

/* However a text is cut, in two or everywhere, the same comes out. */
static void a_stream_does_not_see_the_cuts(void)
{
    json_t *tools = parse("[" WEATHER "," CLOCK "]");
    for (size_t i = 0; i < sizeof stream_cases / sizeof stream_cases[0]; i++) {
        const lf_tool_format *f = case_format(stream_cases[i].format);
        const char *text = stream_cases[i].text;
        const size_t n = strlen(text);
        for (size_t k = 0; k <= n + 1; k++) {
            tool_record r = { 0 };
            lf_tool_stream s = {
                .format = f, .tools = tools, .on_event = tool_record_event, .ud = &r
            };
            if (k > n) {
                r = tool_record_of(f, tools, text, n, UINT64_MAX);
            } else {
                LF_CHECK(lf_tool_stream_add(&s, text, k) &&
                         lf_tool_stream_add(&s, text + k, n - k));
                LF_CHECK(lf_tool_stream_end(&s));
                tool_record_close(&r);
            }
            if (!LF_CHECK_STR(lf_buf_cstr(&r.out), stream_cases[i].want))
                printf("    case %zu, cut at %zu\n", i, k);
            lf_tool_stream_release(&s);
            lf_buf_release(&r.out);
        }
    }
    json_decref(tools);
}

/* An answer that ends early: what came out before is a beginning of what would have. */
static void a_truncated_answer_gives_a_beginning(void)
{
    static const char text[] =
        "Look. \n" H("weather", "{\"city\": \"Oslo\"}") "\n" H("clock", "{}");
    tool_record all = tool_record_of(hermes(), NULL, text, sizeof text - 1, 0);
    for (size_t n = 0; n < sizeof text; n++) {
        tool_record part = { 0 };
        lf_tool_stream s = { .format = hermes(), .on_event = tool_record_event, .ud = &part };
        (void)lf_tool_stream_add(&s, text, n);
        /* Before the end is known nothing that looks like a call is shown as text. */
        LF_CHECK(memcmp(lf_buf_cstr(&part.out), lf_buf_cstr(&all.out), part.out.len) == 0);
        LF_CHECK(!strstr(lf_buf_cstr(&part.out), "tool_call"));
        lf_tool_stream_release(&s);
        lf_buf_release(&part.out);
    }
    lf_buf_release(&all.out);
}

static bool stops_at_calls(void *ud, const lf_tool_event *ev)
{
    ++*(int *)ud;
    return ev->kind != LF_TOOL_CALL;
}

static void a_caller_can_stop(void)
{
    int n = 0;
    static const char text[] = "a" H("clock", "{}") "b";
    lf_tool_stream s = { .format = hermes(), .on_event = stops_at_calls, .ud = &n };
    LF_CHECK(!lf_tool_stream_add(&s, text, sizeof text - 1));
    LF_CHECK(!lf_tool_stream_add(&s, "c", 1) && !lf_tool_stream_end(&s));
    LF_CHECK_INT(n, 2);
    lf_tool_stream_release(&s);
}

/* ---- grammar and stream together ---- */

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    return *x ^= *x << 17;
}

/* Tokens by chance, as the grammar allows; the end when it may, the sooner the longer. */
static void walk(lf_grammar *g, lf_token_tree *tree, const lf_tokenizer *t, uint64_t seed,
                 lf_buf *out)
{
    const size_t n_vocab = lf_tokenizer_n_vocab(t);
    float *scores = lf_calloc(n_vocab, sizeof *scores);
    lf_matcher *m = NULL;
    LF_NEED(lf_matcher_open(g, tree, &m, err));
    for (int step = 0; step < 4000 && !(lf_matcher_may_end(m) && step > 20); step++) {
        memset(scores, 0, n_vocab * sizeof *scores);
        size_t n = lf_matcher_mask(m, scores, n_vocab);
        if (!LF_CHECK(n > 0))
            break;
        size_t pick = next_random(&seed) % n, id = 0;
        /* Marks of JSON are preferred, so that an end is reached. */
        for (size_t i = 0; i < n_vocab && next_random(&seed) % 2; i++) {
            lf_buf piece = { 0 };
            if (scores[i] == 0)
                lf_tokenizer_piece(t, (int32_t)i, false, &piece);
            const bool closes = piece.len == 1 && strchr("\"}]", piece.data[0]);
            lf_buf_release(&piece);
            if (closes) {
                id = i;
                n = 0;
                break;
            }
        }
        for (size_t i = 0; n && i < n_vocab; i++)
            if (scores[i] == 0 && pick-- == 0) {
                id = i;
                break;
            }
        if (lf_tokenizer_is_end(t, (int32_t)id))
            break;
        LF_CHECK(lf_matcher_accept(m, (int32_t)id));
        lf_tokenizer_piece(t, (int32_t)id, false, out);
    }
    LF_CHECK(lf_matcher_may_end(m));
    lf_matcher_close(m);
    lf_free(scores);
}

typedef struct reading {
    lf_buf args;
    size_t n_calls, n_ends, n_text;
} reading;

static bool read_event(void *ud, const lf_tool_event *ev)
{
    reading *r = ud;
    r->n_calls += ev->kind == LF_TOOL_CALL;
    r->n_ends += ev->kind == LF_TOOL_CALL_END;
    r->n_text += ev->kind == LF_TOOL_TEXT;
    if (ev->kind == LF_TOOL_ARGS)
        lf_buf_add(&r->args, ev->text.p, ev->text.len);
    if (ev->kind == LF_TOOL_CALL_END) {
        json_t *v = NULL;
        LF_CHECK_INT(lf_json_parse(r->args.data, r->args.len, "arguments", &v, NULL), LF_OK);
        LF_CHECK(json_is_object(v));
        json_decref(v);
        lf_buf_clear(&r->args);
    }
    return true;
}

static void every_answer_of_the_grammar_is_read(void)
{
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = NULL;
    json_t *tools = parse("[" WEATHER "," CLOCK "," UNIT "]");
    LF_NEED(lf_tokenizer_from_dir(lf_test_source("golden/tokenizer/byte_level"), &t, err));
    LF_NEED(lf_token_tree_open(t, &tree, err));
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const lf_tool_use u = { .tools = tools, .choice = LF_TOOLS_REQUIRED, .parallel = seed & 1 };
        const lf_tool_format *f = seed % 3 ? hermes() : llama3();
        lf_grammar *g = NULL;
        lf_buf text = { 0 };
        reading r = { 0 };
        lf_tool_stream s = { .format = f, .tools = tools, .on_event = read_event, .ud = &r };
        LF_NEED(lf_tool_grammar(f, &u, &g, err));
        walk(g, tree, t, seed * 0x9e3779b97f4a7c15ull, &text);
        (void)lf_tool_stream_add(&s, lf_buf_cstr(&text), text.len);
        (void)lf_tool_stream_end(&s);
        if (!LF_CHECK(r.n_calls > 0 && r.n_ends == r.n_calls && r.n_text == 0))
            printf("    %s\n", lf_buf_cstr(&text));
        lf_tool_stream_release(&s);
        lf_buf_release(&r.args);
        lf_buf_release(&text);
        lf_grammar_close(g);
    }
    json_decref(tools);
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
}

/* Calls of an answer whose arguments are not those of WEATHER and CLOCK. */
typedef struct judge {
    lf_buf args;
    bool is_clock;
    size_t n_calls, n_bad;
} judge;

static bool judge_event(void *ud, const lf_tool_event *ev)
{
    judge *j = ud;
    json_t *v = NULL;
    if (ev->kind == LF_TOOL_CALL) {
        j->is_clock = ev->text.len == 5;
        j->n_calls++;
        lf_buf_clear(&j->args);
    } else if (ev->kind == LF_TOOL_ARGS) {
        lf_buf_add(&j->args, ev->text.p, ev->text.len);
    } else if (ev->kind == LF_TOOL_CALL_END) {
        const bool ok = lf_json_parse(j->args.data, j->args.len, "x", &v, NULL) == LF_OK;
        const size_t n = json_object_size(v);
        j->n_bad +=
            !ok || (j->is_clock ? n != 0 : n != 1 || !json_is_string(json_object_get(v, "city")));
        json_decref(v);
    }
    return true;
}

/* Texts put together from what calls are made of: whenever the grammar allows one, whatever is
 * read as a call in it is a valid one. */
static void what_is_read_as_a_call_was_held_to_its_schema(void)
{
    static const char *const parts[] = { "<tool_call>",
                                         "\n{\"name\": \"",
                                         "{\"name\": \"",
                                         "clock",
                                         "weather",
                                         "joke",
                                         "\", \"arguments\": ",
                                         "{}",
                                         "{\"city\": \"x\"}",
                                         "{\"city\": 1}",
                                         "}",
                                         "}\n</tool_call>",
                                         "```json\n",
                                         "{\n  \"name\": \"",
                                         "\",\n  \"arguments\": ",
                                         "\n}",
                                         "\n```",
                                         " ",
                                         "\n",
                                         "<",
                                         "x",
                                         H("clock", "{}"),
                                         B("clock", "{}"),
                                         B("weather", "{}"),
                                         H("weather", "{}"),
                                         L("clock", "{}"),
                                         L("weather", "{\"city\": 2}"),
                                         "\", \"parameters\": " };
    static const char *const in_order[5][4] = {
        { "<tool_call>\n{\"name\": \"", "{\"name\": \"", "```json\n{\n  \"name\": \"",
          "\n{\n  \"name\": \"" },
        { "clock", "weather", "clock", "joke" },
        { "\", \"arguments\": ", "\",\n  \"arguments\": ", "\", \"parameters\": ", "\": " },
        { "{}", "{\"city\": \"x\"}", "{\"city\": 1}", "{\"city\": \"}\"}" },
        { "}\n</tool_call>", "}", "\n}", "\n}\n```" },
    };
    enum { N = sizeof parts / sizeof parts[0] };
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = NULL;
    lf_grammar *g[2] = { NULL, NULL };
    json_t *tools = parse("[" WEATHER "," CLOCK "]");
    const lf_tool_use u = { .tools = tools, .parallel = true };
    uint64_t x = 88172645463325252ull;
    size_t n_whole = 0, n_calls = 0;
    LF_NEED(lf_tokenizer_from_dir(lf_test_source("golden/tokenizer/byte_level"), &t, err));
    LF_NEED(lf_token_tree_open(t, &tree, err));
    LF_NEED(lf_tool_grammar(hermes(), &u, &g[0], err));
    LF_NEED(lf_tool_grammar(llama3(), &u, &g[1], err));
    for (int i = 0; i < 40000; i++) {
        lf_buf text = { 0 };
        judge j = { 0 };
        lf_tool_stream s = {
            .format = i % 2 ? llama3() : hermes(), .tools = tools, .on_event = judge_event, .ud = &j
        };
        for (size_t k = 0; i % 4 > 1 && k < 5; k++)
            lf_buf_add_str(&text, in_order[k][next_random(&x) % 4]);
        for (size_t k = next_random(&x) % 7; i % 4 < 2 && k > 0; k--)
            lf_buf_add_str(&text, parts[next_random(&x) % N]);
        if (follow(g[i % 2], tree, t, lf_buf_cstr(&text)) == 1) {
            (void)lf_tool_stream_add(&s, text.data, text.len);
            (void)lf_tool_stream_end(&s);
            if (!LF_CHECK_INT(j.n_bad, 0))
                printf("    %s\n", text.data);
            n_whole++;
            n_calls += j.n_calls;
        }
        lf_tool_stream_release(&s);
        lf_buf_release(&j.args);
        lf_buf_release(&text);
    }
    if (!LF_CHECK(n_whole > 5000 && n_calls > 300))
        printf("    %zu texts, %zu calls\n", n_whole, n_calls);
    lf_grammar_close(g[0]);
    lf_grammar_close(g[1]);
    json_decref(tools);
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
    LF_CHECK_INT(lf_mem_live(), 0);
}

/* ---- memory that runs out ---- */

static void it_survives_every_failed_allocation(void)
{
    json_t *tools = parse("[" WEATHER "," CLOCK "]"), *messages = parse(conversation);
    lf_chat_template *t = open_text(no_system);
    const lf_tool_format *f = lf_tool_format_of(t);
    lf_status st = LF_ERR_NOMEM;
    const size_t live = lf_mem_live();
    for (long n = 0; st != LF_OK && n < 4000; n++) {
        const lf_tool_use u = { .tools = tools, .parallel = true };
        lf_grammar *g = NULL;
        lf_err e = { 0 };
        json_t *out = NULL;
        lf_mem_fail_after(n);
        st = lf_tool_grammar(f, &u, &g, &e);
        if (st == LF_OK)
            st = lf_tool_format_messages(f, t, messages, tools, &out, &e);
        lf_mem_fail_after(-1);
        if (!LF_CHECK(st == LF_OK || (st == LF_ERR_NOMEM && e.msg[0])))
            printf("    allocation %ld: %d %s\n", n, st, e.msg);
        json_decref(out);
        lf_grammar_close(g);
        if (!LF_CHECK_INT(lf_mem_live(), live))
            printf("    allocation %ld\n", n);
    }
    LF_CHECK_INT(st, LF_OK);
    lf_chat_template_close(t);
    json_decref(messages);
    json_decref(tools);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "format/a_template_shows_its_format", a_template_shows_its_format },
        { "format/names_are_checked", names_are_checked },
        { "format/templates_without_functions_are_told_in_words",
          templates_without_functions_are_told_in_words },
        { "grammar/calls_are_held_to_their_schema", grammars_hold_calls_to_their_schema },
        { "grammar/a_function_that_cannot_be_held_to_is_named",
          a_function_that_cannot_be_held_to_is_named },
        { "grammar/many_functions_make_one", many_functions_make_a_grammar },
        { "stream/the_cuts_are_not_seen", a_stream_does_not_see_the_cuts },
        { "stream/a_truncated_answer_gives_a_beginning", a_truncated_answer_gives_a_beginning },
        { "stream/a_caller_can_stop", a_caller_can_stop },
        { "both/every_answer_of_the_grammar_is_read", every_answer_of_the_grammar_is_read },
        { "both/what_is_read_as_a_call_was_held_to_its_schema",
          what_is_read_as_a_call_was_held_to_its_schema },
        { "both/it_survives_every_failed_allocation", it_survives_every_failed_allocation },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* tests/unit/test_chat.c - chat templates against what Jinja2 renders. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/chat.h"

static json_t *parse(const char *text, size_t n)
{
    json_t *v = NULL;
    LF_NEED(lf_json_parse(text, n, "test", &v, err));
    return v;
}

/* Render; the text, or NULL with the reason in `e`. */
static char *render(const char *source, size_t n, const json_t *vars, lf_err *e)
{
    lf_chat_template *t = NULL;
    lf_buf out = { 0 };
    *e = (lf_err){ 0 };
    if (lf_chat_template_open(source, n, &t, e) == LF_OK &&
        lf_chat_render(t, vars, &out, e) == LF_OK && !out.data)
        lf_buf_add_str(&out, "");
    lf_chat_template_close(t);
    if (e->code != LF_OK) {
        LF_CHECK_INT(out.len, 0);
        lf_buf_release(&out);
        return NULL;
    }
    return lf_buf_take(&out);
}

typedef struct folder_run {
    json_t *cases;
    size_t n_alike, n_refused, n_differ;
} folder_run;

static void show_difference(const char *got, const char *want)
{
    size_t i = 0;
    while (got[i] && got[i] == want[i])
        i++;
    const size_t from = i > 40 ? i - 40 : 0;
    printf("      at byte %zu: got  <<%.100s>>\n", i, got + from);
    printf("                 want <<%.100s>>\n", want + from);
}

/* Jinja's map and select give one-way iterators, which JSON refuses; ours give lists. */
static bool refused_generator(char *file)
{
    lf_buf why = { 0 };
    memcpy(file + strlen(file) - 3, "err", 3);
    LF_NEED(lf_file_read(file, 0, &why, err));
    const bool yes = strstr(lf_buf_cstr(&why), "generator is not JSON") != NULL;
    lf_buf_release(&why);
    return yes;
}

static void check_case(folder_run *r, const char *path, const lf_buf *source, const char *name,
                       const json_t *vars)
{
    char file[1024];
    lf_buf want = { 0 };
    lf_err e;
    const size_t stem = strlen(path) - strlen(".jinja");
    (void)snprintf(file, sizeof(file), "%.*s.%s.out", (int)stem, path, name);
    const bool fine = lf_path_exists(file);
    if (fine)
        LF_NEED(lf_file_read(file, 0, &want, err));
    char *got = render(lf_buf_cstr(source), source->len, vars, &e);
    bool same = false;
    if (fine)
        same = got && strcmp(got, lf_buf_cstr(&want)) == 0;
    else /* Jinja refused as well: an error of the same sort, not a gap in our subset */
        same = (!got && e.code != LF_ERR_UNSUPPORTED) || refused_generator(file);
    r->n_alike += same && fine;
    r->n_refused += same && !fine;
    if (!same) {
        r->n_differ++;
        printf("    %s, case %s: %s\n", lf_path_base(path), name,
               got ? (fine ? "differs" : "should be refused") : e.msg);
        if (got && fine)
            show_difference(got, lf_buf_cstr(&want));
    }
    lf_free(got);
    lf_buf_release(&want);
}

static lf_status check_template(void *ud, const char *path, const char *rel, lf_err *err)
{
    folder_run *r = ud;
    lf_buf source = { 0 };
    const char *name;
    json_t *vars;
    const size_t n = strlen(rel);
    if (n < 6 || strcmp(rel + n - 6, ".jinja") != 0)
        return LF_OK;
    lf_status st = lf_file_read(path, 0, &source, err);
    if (st == LF_OK) {
        json_object_foreach(r->cases, name, vars)
        {
            check_case(r, path, &source, name, vars);
        }
    }
    lf_buf_release(&source);
    return st;
}

static void check_folder(const char *dir, const char *cases_path)
{
    folder_run r = { 0 };
    lf_buf text = { 0 };
    (void)setenv("TZ", "UTC", 1);
    LF_NEED(lf_file_read(cases_path, 0, &text, err));
    r.cases = parse(lf_buf_cstr(&text), text.len);
    LF_NEED(lf_walk(dir, check_template, &r, err));
    printf("    %zu renderings alike, %zu refused by both, %zu differ\n", r.n_alike, r.n_refused,
           r.n_differ);
    LF_CHECK(r.n_alike > 0);
    LF_CHECK_INT(r.n_differ, 0);
    json_decref(r.cases);
    lf_buf_release(&text);
}

static void test_golden(void)
{
    char dir[1000], cases[1024];
    (void)snprintf(dir, sizeof(dir), "%s", lf_test_source("golden/chat"));
    (void)snprintf(cases, sizeof(cases), "%s/cases.json", dir);
    check_folder(dir, cases);
}

static void test_many(void)
{
    char cases[1024];
    const char *dir = getenv("LANDFALL_TEMPLATES");
    if (!dir || !lf_path_is_dir(dir))
        lf_test_skip("LANDFALL_TEMPLATES names no folder of templates");
    (void)snprintf(cases, sizeof(cases), "%s/cases.json", lf_test_source("golden/chat"));
    check_folder(dir, cases);
}

/* ---- small templates: what they give, or what the error says ---- */

static const char vars_text[] =
    "{\"a\": [3, 1, 2], \"s\": \" Ab c \", \"d\": {\"k\": \"v\", \"items\": 5}, \"n\": null,"
    " \"t\": true, \"f\": 1.5, \"zh\": \"你好世界\","
    " \"ms\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"bot\"}]}";

static void test_language(void)
{
    static const struct {
        const char *source, *want;
    } cases[] = {
        { "{{ 1 + 2 * 3 ** 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}",
          "19 3 -4 2 3.5" },
        { "{{ a }} {{ d }} {{ n }} {{ t }} {{ f }} {{ missing }}|",
          "[3, 1, 2] {'k': 'v', 'items': 5} None True 1.5 |" },
        { "{{ a|sort|join(',') }} {{ a|sum }} {{ a|max }} {{ a|reverse|list }}",
          "1,2,3 6 3 [2, 1, 3]" },
        { "{{ s|trim|upper }}{{ s.strip().split(' ')[-1] }}{{ s|length }}", "AB Cc6" },
        { "{{ zh[1:3] }} {{ zh[::-1] }} {{ zh|length }} {{ zh[-1] }}", "好世 界世好你 4 界" },
        { "{{ d.k }} {{ d['items'] }} {{ d.get('z', 'no') }} {{ d.items()|list }}",
          "v 5 no [('k', 'v'), ('items', 5)]" },
        { "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 2 in a }} {{ 9 not in a }} {{ 'b' in s }}",
          "True False True True True" },
        { "{{ 'y' if t else 'n' }}{{ 'x' if n }}|{{ n is none }} {{ q is defined }}",
          "y|True False" },
        { "{% for x in a if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %},"
          "{% endif %}{% else %}none{% endfor %}",
          "1/2:3,2/2:2" },
        { "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "items=5;k=v;" },
        { "{% set ns = namespace(n=0) %}{% for x in a %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}",
          "6" },
        { "{% set x = 1 %}{% for i in a %}{% set x = i %}{% endfor %}{{ x }}", "1" },
        { "{% macro m(p, q='d') %}<{{ p }}{{ q }}>{% endmacro %}{{ m(1) }}{{ m(1, q=2) }}",
          "<1d><12>" },
        { "{% macro w() %}[{{ caller('z') }}]{% endmacro %}{% call(y) w() %}{{ y }}!{% endcall %}",
          "[z!]" },
        { "{% set b %}x{{ 1 }}{% endset %}{{ b|upper }}{% filter upper %}q{% endfilter %}", "X1Q" },
        { "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}"
          "{% endif %}{{ i }}{% endfor %}",
          "02" },
        { "{{ ms|selectattr('role', 'equalto', 'user')|map(attribute='content')|list }}", "['x']" },
        { "{{ d|tojson }} {{ [1, {'a': none}]|tojson(indent=1) }}",
          "{\"k\": \"v\", \"items\": 5} [\n 1,\n {\n  \"a\": null\n }\n]" },
        { "a\n  {% if t %}\n  b\n  {%- endif %}\n c\n", "a\n  b c" },
        { "  {#- c -#}  x {{- 1 -}} y", "x1y" },
        { "{% raw %}{{ x }}{% endraw %}", "{{ x }}" },
        { "{% generation %}g{% endgeneration %}", "g" },
        { "{{ '%s-%03d-%.2f' % ('a', 7, 1.5) }} {{ '{} {n}'.format(1, n=2) }}", "a-007-1.50 1 2" },
        { "{{ 'a' ~ 1 ~ n }} {{ ('x', 1) }} {{ (1,) }} {{ 1e20 }} {{ 0.1 + 0.2 }}",
          "a1None ('x', 1) (1,) 1e+20 0.30000000000000004" },
        { "{{ 'A'|safe + '<' }}", "A&lt;" },
        { "{% with x = 2, y = 3 %}{{ x * y }}{% endwith %}", "6" },
        { "{{ \"it's\" }} {{ [\"it's\"] }} {{ 'tab\\t\\u4f60' }}", "it's [\"it's\"] tab\t你" },
    };
    json_t *vars = parse(vars_text, strlen(vars_text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lf_err e;
        char *got = render(cases[i].source, strlen(cases[i].source), vars, &e);
        if (!LF_CHECK_STR(got ? got : e.msg, cases[i].want))
            printf("    of %s\n", cases[i].source);
        lf_free(got);
    }
    json_decref(vars);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void test_errors(void)
{
    static const struct {
        const char *source;
        lf_status st;
        const char *says;
    } cases[] = {
        { "{{ raise_exception('not so') }}", LF_ERR_ARG, "not so" },
        { "\n\n{{ missing.x }}", LF_ERR_ARG, "line 3" },
        { "{{ missing.x }}", LF_ERR_ARG, "'missing' is undefined" },
        { "{{ 1 / 0 }}", LF_ERR_ARG, "zero" },
        { "{{ 'a' + 1 }}", LF_ERR_ARG, "str + int" },
        { "{{ a.append(1) }}", LF_ERR_DENIED, "append" },
        { "{{ a|nonsense }}", LF_ERR_UNSUPPORTED, "nonsense" },
        { "{% if a is nonsense %}{% endif %}", LF_ERR_UNSUPPORTED, "nonsense" },
        { "{% include 'x' %}", LF_ERR_UNSUPPORTED, "include" },
        { "{% if t %}", LF_ERR_FORMAT, "elif" },
        { "{{ ", LF_ERR_FORMAT, "not closed" },
        { "{{ 'abc }}", LF_ERR_FORMAT, "quote" },
        { "{{ 9223372036854775807 + 1 }}", LF_ERR_LIMIT, "digits" },
        { "{{ 999999999999999999 * 999999999999999999 }}", LF_ERR_LIMIT, "64 bits" },
        { "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", LF_ERR_LIMIT, "deeper" },
        { "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
          LF_ERR_LIMIT, "" },
        { "{{ 'x' * 1000000000 }}", LF_ERR_LIMIT, "" },
        { "{{ range(10000000) }}", LF_ERR_LIMIT, "100,000" },
        { "{% set x = 'ab' * 10000000 %}{% for i in range(9) %}{{ x }}{% endfor %}", LF_ERR_LIMIT,
          "" },
    };
    json_t *vars = parse(vars_text, strlen(vars_text));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lf_err e;
        char *got = render(cases[i].source, strlen(cases[i].source), vars, &e);
        LF_CHECK(got == NULL);
        if (!LF_CHECK_INT(e.code, cases[i].st) || !LF_CHECK(strstr(e.msg, cases[i].says) != NULL))
            printf("    of %.60s: %s\n", cases[i].source, e.msg);
        lf_free(got);
    }
    json_decref(vars);
}

/* Nesting of any kind ends in an error, not in the stack's end. */
static void test_deep(void)
{
    static const char *const units[] = { "(",          "[",    "{{ -",  "not ",
                                         "{% if t %}", "a.b(", "1 if ", "{% macro m() %}",
                                         "x|f(" };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        lf_buf b = { 0 };
        lf_err e;
        json_t *vars = parse("{}", 2);
        lf_buf_add_str(&b, units[i][0] == '{' ? "" : "{{ ");
        for (int k = 0; k < 20000; k++)
            lf_buf_add_str(&b, units[i]);
        char *got = render(b.data, b.len, vars, &e);
        LF_CHECK(got == NULL && e.code != LF_OK);
        lf_free(got);
        lf_buf_release(&b);
        json_decref(vars);
    }
}

/* Every beginning of real templates, and every allocation that fails. */
static void test_cut_and_no_memory(void)
{
    lf_buf source = { 0 };
    LF_NEED(lf_file_read(lf_test_source("golden/chat/qwen3.jinja"), 0, &source, err));
    static const char hello[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}";
    json_t *vars = parse(hello, sizeof(hello) - 1);
    for (size_t n = 0; n < source.len; n++) {
        lf_err e;
        char *copy = lf_strndup(source.data, n); /* so that a read past the end is seen */
        lf_free(render(copy, n, vars, &e));
        lf_free(copy);
    }
    bool done = false;
    for (long n = 0; n < 5000 && !done; n++) {
        lf_chat_template *t = NULL;
        lf_buf out = { 0 };
        lf_err e = { 0 };
        const size_t live = lf_mem_live();
        lf_mem_fail_after(n);
        lf_status st = lf_chat_template_open(source.data, source.len, &t, &e);
        if (st == LF_OK)
            st = lf_chat_render(t, vars, &out, &e);
        lf_mem_fail_after(-1);
        done = st == LF_OK;
        if (!done)
            LF_CHECK_INT(st, LF_ERR_NOMEM);
        lf_chat_template_close(t);
        lf_buf_release(&out);
        LF_CHECK_INT(lf_mem_live(), live);
    }
    LF_CHECK(done);
    json_decref(vars);
    lf_buf_release(&source);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "chat/as_jinja_renders", test_golden },
        { "chat/language", test_language },
        { "chat/errors", test_errors },
        { "chat/deep_nesting", test_deep },
        { "chat/cut_off_and_no_memory", test_cut_and_no_memory },
        { "chat/templates_of_others", test_many },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

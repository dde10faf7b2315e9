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

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "chat/as_jinja_renders", test_golden },
        { "chat/templates_of_others", test_many },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* tests/unit/test_yaml.c - the YAML reader: types, refusals, truncations. */
#include "tests/lf_test.h"

#include <string.h>

#include "base/mem.h"
#include "base/yaml.h"

static const char good[] = "# settings\n"
                           "serve:\n"
                           "  port: 7080\n"
                           "  host: \"127.0.0.1\"\n"
                           "list: [1, -2.5, 1e3, yes, true, ~, '7', 0x1f, -, 2026-11-23]\n"
                           "models:\n"
                           "  - id: a\n"
                           "    name: 模型\n"
                           "  - id: b\n"
                           "text: |\n"
                           "  two\n"
                           "  lines\n";

static void values_have_their_types(void)
{
    json_t *v = NULL, *lines = NULL;
    lf_buf b = { 0 };
    LF_NEED(lf_yaml_parse(good, sizeof good - 1, "test", &v, &lines, err));
    lf_json_dump(v, &b);
    LF_CHECK_STR(
        lf_buf_cstr(&b),
        "{\"serve\":{\"port\":7080,\"host\":\"127.0.0.1\"},\"list\":[1,-2.5,1000.0,\"yes\","
        "true,null,\"7\",\"0x1f\",\"-\",\"2026-11-23\"],\"models\":[{\"id\":\"a\",\"name\":"
        "\"模型\"},{\"id\":\"b\"}],\"text\":\"two\\nlines\\n\"}");
    LF_CHECK_INT(json_integer_value(json_object_get(lines, "serve.port")), 3);
    LF_CHECK_INT(json_integer_value(json_object_get(lines, "models.1.id")), 9);
    LF_CHECK_INT(json_integer_value(json_object_get(lines, "text")), 10);
    lf_buf_release(&b);
    json_decref(v);
    json_decref(lines);
}

static void an_empty_text_is_an_empty_object(void)
{
    static const char *const empty[] = { "", "\n", "# only a comment\n", "---\n" };
    for (size_t i = 0; i < 4; i++) {
        json_t *v = NULL;
        LF_NEED(lf_yaml_parse(empty[i], strlen(empty[i]), "test", &v, NULL, err));
        LF_CHECK(json_is_object(v) && json_object_size(v) == 0);
        json_decref(v);
    }
}

static void what_is_not_supported_is_refused_with_its_place(void)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "a: 1\nb: 2\na: 3\n", "line 3, column 1: this key stands there twice" },
        { "a: &x 1\nb: *x\n", "anchors" },
        { "a: *x\n", "aliases" },
        { "a: !!int 1\n", "tags" },
        { "a: !t [1]\n", "tags" },
        { "a: 1\n---\nb: 2\n", "only one document" },
        { "a: \"\\0\"\n", "NUL" },
        { "? [1, 2]\n: 3\n", "plain word" },
        { "a: [1, 2\n", "line" },
        { "a: \xff\xfe\n", "line" },
        { "\ta: 1\n", "line" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *v = NULL, *lines = NULL;
        lf_err err = { 0 };
        LF_CHECK_INT(lf_yaml_parse(bad[i].text, strlen(bad[i].text), "test", &v, &lines, &err),
                     LF_ERR_FORMAT);
        LF_CHECK(v == NULL && lines == NULL);
        if (!LF_CHECK(strstr(err.msg, bad[i].says) != NULL))
            LF_CHECK_STR(err.msg, bad[i].says);
    }
}

static void deep_nesting_is_refused(void)
{
    char text[4096];
    memset(text, '[', sizeof text);
    json_t *v = NULL;
    lf_err err = { 0 };
    LF_CHECK_INT(lf_yaml_parse(text, sizeof text, "test", &v, NULL, &err), LF_ERR_FORMAT);
    LF_CHECK(strstr(err.msg, "nested deeper") != NULL);
}

static void every_truncation_ends_well(void)
{
    for (size_t n = 0; n < sizeof good; n++) {
        json_t *v = NULL, *lines = NULL;
        lf_err err = { 0 };
        const lf_status st = lf_yaml_parse(good, n, "test", &v, &lines, &err);
        LF_CHECK(st == LF_OK || (st == LF_ERR_FORMAT && v == NULL && lines == NULL));
        json_decref(v);
        json_decref(lines);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "yaml/values_have_their_types", values_have_their_types },
        { "yaml/an_empty_text_is_an_empty_object", an_empty_text_is_an_empty_object },
        { "yaml/what_is_not_supported_is_refused_with_its_place",
          what_is_not_supported_is_refused_with_its_place },
        { "yaml/deep_nesting_is_refused", deep_nesting_is_refused },
        { "yaml/every_truncation_ends_well", every_truncation_ends_well },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

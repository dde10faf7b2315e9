/* tests/unit/test_opt.c - settings: sources in turn, ranges, messages. */
#include "tests/lf_test.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"
#include "cli/settings.h"

typedef struct sample {
    bool on;
    int32_t port;
    uint64_t bytes;
    double rate;
    char host[10];
    char mode[8];
    char names[24];
} sample;

#define FIELD(f) offsetof(sample, f), sizeof(((sample *)0)->f)
static const lf_opt rows[] = {
    { "on", LF_OPT_BOOL, FIELD(on), "no", 0, 0, NULL, "switch", "开关" },
    { "net.port", LF_OPT_INT, FIELD(port), "7080", 0, 65535, NULL, "port", "端口" },
    { "net.bytes", LF_OPT_U64, FIELD(bytes), "0", 0, 1099511627776.0, NULL, "bytes", "字节" },
    { "rate", LF_OPT_NUM, FIELD(rate), "0.5", 0, 1, NULL, "rate", "比率" },
    { "net.host", LF_OPT_STR, FIELD(host), "localhost", 0, 0, NULL, "host", "主机" },
    { "mode", LF_OPT_STR, FIELD(mode), "a", 0, 0, "a|bb|c", "mode", "模式" },
    { "names", LF_OPT_MAP, FIELD(names), "", 0, 0, NULL, "names", "名称" },
    { .key = NULL },
};

static void later_sources_win(void)
{
    sample s = { 0 };
    lf_opt_source from[7];
    static const char yaml[] = "net:\n  port: 81\n  bytes: 1099511627776\nrate: 1\non: true\n"
                               "net.host: h\nmode: bb\nnames: {gpt-4: m.1, x: y}\n";
    LF_NEED(lf_opt_defaults(rows, &s, from, err));
    LF_CHECK(!s.on && s.port == 7080 && s.rate == 0.5);
    LF_NEED(lf_opt_set_yaml(rows, &s, from, yaml, sizeof yaml - 1, "f.yaml", err));
    LF_CHECK(s.on && s.port == 81 && s.rate == 1 && s.bytes == 1099511627776u);
    LF_CHECK_STR(s.host, "h");
    LF_CHECK_STR(s.mode, "bb");
    LF_CHECK_STR(s.names, "gpt-4=m.1,x=y");
    LF_NEED(lf_opt_set(rows, &s, from, "net.port", "82", LF_OPT_ENV, "environment", err));
    LF_CHECK_INT(s.port, 82);
    LF_CHECK(from[0] == LF_OPT_FILE && from[1] == LF_OPT_ENV && from[3] == LF_OPT_FILE);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void bad_values_name_key_and_place(void)
{
    static const struct {
        const char *yaml, *says;
    } bad[] = {
        { "net:\n  port: 65536\n", "f.yaml, line 2: net.port is '65536'" },
        { "net.port: -1\n", "net.port" },
        { "net.port: 1.5\n", "whole number from 0 to 65535" },
        { "net.port: x\n", "net.port is 'x'" },
        { "on: maybe\n", "on is 'maybe'" },
        { "rate: 1.01\n", "rate" },
        { "rate: .nan\n", "rate" },
        { "net.host: abcdefghij\n", "has 10 bytes, allowed are 9" },
        { "mode: b\n", "allowed are a|bb|c" },
        { "\nnet:\n  prot: 1\n", "f.yaml, line 3: there is no setting 'net.prot'" },
        { "mode: [a]\n", "has to be one value" },
        { "mode: {a: b}\n", "there is no setting 'mode.a'" },
        { "names: a\n", "names has the entry 'a', allowed is NAME=VALUE" },
        { "names: {a: 'b,c'}\n", "names has the entry 'c'" },
        { "names: a=b=c\n", "names has the entry 'a=b=c'" },
        { "names: a=,b=c\n", "names has the entry 'a='" },
        { "names: \"=b\"\n", "names has the entry '=b'" },
        { "names: {a: [b]}\n", "has to be one value" },
        { "names: {aaaaaaaaaaaa: bbbbbbbbbbbb}\n", "has 25 bytes, allowed are 23" },
        { "mode: ~\n", "has to be one value" },
        { "- a\n", "expected a map" },
        { "mode: 'a\n", "f.yaml" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sample s = { 0 };
        lf_opt_source from[7];
        LF_NEED(lf_opt_defaults(rows, &s, from, err));
        lf_err err = { 0 };
        LF_CHECK(lf_opt_set_yaml(rows, &s, from, bad[i].yaml, strlen(bad[i].yaml), "f.yaml",
                                 &err) != LF_OK);
        if (!LF_CHECK(strstr(err.msg, bad[i].says) != NULL))
            LF_CHECK_STR(err.msg, bad[i].says);
        LF_CHECK_INT(lf_mem_live(), 0);
    }
}

static void names_and_texts(void)
{
    lf_buf b = { 0 };
    lf_opt_env_name("net.kv_bytes", &b);
    LF_CHECK_STR(lf_buf_cstr(&b), "LANDFALL_NET_KV_BYTES");
    lf_buf_release(&b);
    sample s = { 0 };
    lf_opt_source from[7];
    LF_NEED(lf_opt_defaults(rows, &s, from, err));
    json_t *v = lf_opt_json(rows, &s, from, false);
    LF_CHECK_INT(json_array_size(v), 7);
    const json_t *port = json_array_get(v, 1);
    LF_CHECK_INT(json_integer_value(json_object_get(port, "value")), 7080);
    LF_CHECK_STR(json_string_value(json_object_get(port, "origin")), "default");
    json_decref(v);
}

static void every_setting_has_a_valid_default(void)
{
    lf_settings s = { 0 };
    char *env[] = { (char *)"LANDFALL_SERVE_PORT=7081", (char *)"LANDFALL_THREADS=", NULL };
    const char *flags[] = { "ask.k=3" };
    LF_CHECK(lf_opt_count(lf_settings_rows) <= LF_SETTINGS_MAX);
    LF_NEED(lf_settings_load(&s, lf_test_dir(), env, flags, 1, err));
    LF_CHECK(s.serve_port == 7081 && s.ask_k == 3 && s.threads == 0);
    for (const lf_opt *o = lf_settings_rows; o->key; o++) {
        LF_CHECK(o->help[0] && o->help_zh[0]);
        LF_CHECK(lf_opt_find(lf_settings_rows, o->key, NULL) == o);
    }
    lf_err err = { 0 };
    const char *bad[] = { "ask.q=3" };
    LF_CHECK_INT(lf_settings_load(&s, lf_test_dir(), env, bad, 1, &err), LF_ERR_ARG);
    LF_CHECK(strstr(err.msg, "ask.q") != NULL);
    bad[0] = "ask.k";
    LF_CHECK_INT(lf_settings_load(&s, lf_test_dir(), env, bad, 1, &err), LF_ERR_ARG);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "opt/later_sources_win", later_sources_win },
        { "opt/bad_values_name_key_and_place", bad_values_name_key_and_place },
        { "opt/names_and_texts", names_and_texts },
        { "settings/every_setting_has_a_valid_default", every_setting_has_a_valid_default },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

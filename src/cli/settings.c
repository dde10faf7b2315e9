/* cli/settings.c - the table of settings, and its sources in turn. */
#include "cli/settings.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define ROW(key, type, field, def, min, max, choices, help, help_zh)                               \
    {                                                                                              \
        key, type, offsetof(lf_settings, field), sizeof(((lf_settings *)0)->field), def, min, max, \
            choices, help, help_zh                                                                 \
    }

/* clang-format off */
const lf_opt lf_settings_rows[] = {
    ROW("threads", LF_OPT_INT, threads, "0", 0, 256, NULL,
        "threads to compute with; 0 = all that the process may use",
        "计算用的线程数；0 = 进程可用的全部处理器"),
    ROW("lang", LF_OPT_STR, lang, "auto", 0, 0, "auto|en|zh",
        "language of messages; auto = by LC_ALL, LC_MESSAGES, LANG",
        "提示所用的语言；auto = 取自 LC_ALL、LC_MESSAGES、LANG"),
    ROW("log.level", LF_OPT_STR, log_level, "warn", 0, 0, "error|warn|info|debug",
        "least severe events that are logged on standard error",
        "写入标准错误的日志的最低级别"),
    ROW("engine.ctx_tokens", LF_OPT_U64, engine_ctx_tokens, "0", 0, 1048576, NULL,
        "context of a request in tokens; 0 = the model's own, at most 8192",
        "每个请求的上下文长度（词元）；0 = 模型自身的长度，至多 8192"),
    ROW("engine.batch_tokens", LF_OPT_U64, engine_batch_tokens, "0", 0, 8192, NULL,
        "prompt tokens evaluated in one pass; 0 = 512",
        "一次计算的提示词元数；0 = 512"),
    ROW("engine.sessions_max", LF_OPT_U64, engine_sessions_max, "0", 0, 1024, NULL,
        "requests of a model that run at a time; 0 = 16",
        "每个模型同时运行的请求数；0 = 16"),
    ROW("engine.kv_budget_mib", LF_OPT_U64, engine_kv_budget_mib, "0", 0, 16777216, NULL,
        "memory for all key-value caches in MiB; 0 = a quarter of the machine's",
        "全部键值缓存可用的内存（MiB）；0 = 机器内存的四分之一"),
    ROW("engine.kv_type", LF_OPT_STR, engine_kv_type, "f16", 0, 0, "f16|q8|q4",
        "how keys and values are kept: f16, q8 (8 bits), q4 (keys 8 bits, values 4)",
        "键值缓存的存储方式：f16、q8（8 位）、q4（键 8 位，值 4 位）"),
    ROW("models.memory_mib", LF_OPT_U64, models_memory_mib, "0", 0, 16777216, NULL,
        "memory for all models and their caches in MiB; 0 = three quarters of the machine's",
        "全部模型及其缓存可用的内存（MiB）；0 = 机器内存的四分之三"),
    ROW("models.aliases", LF_OPT_MAP, models_aliases, "", 0, 0, NULL,
        "other names of models, as {NAME: MODEL} or NAME=MODEL,NAME=MODEL; MODEL is of the catalogue or a path",
        "模型的别名，写作 {名称: 模型} 或 名称=模型,名称=模型；模型为目录中的名称或路径"),
    ROW("models.drafts", LF_OPT_MAP, models_drafts, "", 0, 0, NULL,
        "models that guess what a larger one of the same vocabulary says next, as MODEL=SMALLER,…",
        "为词表相同的较大模型先猜后续词元的较小模型，写作 模型=较小模型,…"),
    ROW("serve.port", LF_OPT_INT, serve_port, "7080", 0, 65535, NULL,
        "TCP port of the server; 0 takes a free one",
        "服务的 TCP 端口；0 = 任选一个空闲端口"),
    ROW("ask.k", LF_OPT_INT, ask_k, "8", 1, 100, NULL,
        "passages that a question is answered from",
        "回答问题时使用的段落数"),
    { .key = NULL },
};
/* clang-format on */

lf_provider_opts lf_cli_provider_opts(const lf_cli *c)
{
    const lf_settings *s = c->settings;
    lf_kv_type kv = LF_KV_F16;
    (void)lf_kv_type_of(s->engine_kv_type, &kv); /* the row allows no other */
    return (lf_provider_opts){
        .home = c->home,
        .aliases = s->models_aliases,
        .drafts = s->models_drafts,
        .budget_bytes = s->models_memory_mib << 20,
        .engine = { .n_threads = c->n_threads,
                    .ctx_tokens = (uint32_t)s->engine_ctx_tokens,
                    .batch_tokens = (uint32_t)s->engine_batch_tokens,
                    .sessions_max = (uint32_t)s->engine_sessions_max,
                    .kv_budget_bytes = s->engine_kv_budget_mib << 20,
                    .kv_type = kv },
    };
}

static lf_status load_file(lf_settings *s, const char *home, lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = LF_OK;
    char *path = lf_path_join(home, "config.yaml");

    if (!path)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the path of config.yaml");
    if (lf_path_exists(path)) {
        st = lf_file_read(path, 1 << 20, &text, err);
        if (st == LF_OK)
            st = lf_opt_set_yaml(lf_settings_rows, s, s->from, lf_buf_cstr(&text), text.len, path,
                                 err);
    }
    lf_buf_release(&text);
    lf_free(path);
    return st;
}

static lf_status load_environment(lf_settings *s, char *const *environment, lf_err *err)
{
    lf_status st = LF_OK;
    lf_buf name = { 0 };

    for (size_t i = 0; lf_settings_rows[i].key && st == LF_OK; i++) {
        lf_buf_clear(&name);
        lf_opt_env_name(lf_settings_rows[i].key, &name);
        lf_buf_add_char(&name, '=');
        if (name.failed) {
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to read the environment");
            break;
        }
        for (char *const *e = environment; *e && st == LF_OK; e++) {
            if (strncmp(*e, name.data, name.len) == 0 && (*e)[name.len] != '\0')
                st = lf_opt_set(lf_settings_rows, s, s->from, lf_settings_rows[i].key,
                                *e + name.len, LF_OPT_ENV, "environment", err);
        }
    }
    lf_buf_release(&name);
    return st;
}

static lf_status load_flag(lf_settings *s, const char *flag, lf_err *err)
{
    const char *eq = strchr(flag, '=');
    if (!eq)
        return lf_fail(err, LF_ERR_ARG, "option --set: '%.100s' is not KEY=VALUE", flag);
    char *key = lf_strndup(flag, (size_t)(eq - flag));
    if (!key)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for option --set");
    const lf_status st =
        lf_opt_set(lf_settings_rows, s, s->from, key, eq + 1, LF_OPT_FLAG, "option --set", err);
    lf_free(key);
    return st;
}

lf_status lf_settings_load(lf_settings *s, const char *home, char *const *environment,
                           const char *const *flags, size_t n_flags, lf_err *err)
{
    lf_status st = lf_opt_defaults(lf_settings_rows, s, s->from, err);
    if (st == LF_OK)
        st = load_file(s, home, err);
    if (st == LF_OK)
        st = load_environment(s, environment, err);
    for (size_t i = 0; i < n_flags && st == LF_OK; i++)
        st = load_flag(s, flags[i], err);
    return st;
}

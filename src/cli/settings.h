/* cli/settings.h - every setting of the program.
 *
 * Plain data: filled once at start from defaults, HOME/config.yaml, the
 * environment (LANDFALL_SERVE_PORT for serve.port) and flags (--set serve.port=0),
 * then passed around as const.  A unit is part of the name. */
#ifndef LF_CLI_SETTINGS_H
#define LF_CLI_SETTINGS_H

#include <stdint.h>

#include "base/opt.h"
#include "cli/cli.h"
#include "provider/provider.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_SETTINGS_MAX = 64 }; /* rows that lf_settings_rows may have */

struct lf_settings {
    int32_t threads;   /* 0 = all that the process may use */
    char lang[8];      /* "auto", "en", "zh" */
    char log_level[8]; /* "error", "warn", "info", "debug" */
    uint64_t engine_ctx_tokens;
    uint64_t engine_batch_tokens;
    uint64_t engine_sessions_max;
    uint64_t engine_kv_budget_mib;
    char engine_kv_type[8]; /* "f16", "q8", "q4" */
    uint64_t models_memory_mib;
    char models_aliases[2048]; /* "name=model,…" */
    char models_drafts[2048];  /* "model=smaller,…" */
    int32_t serve_port;
    int32_t ask_k;
    lf_opt_source from[LF_SETTINGS_MAX]; /* where the value of each row came from */
};

extern const lf_opt lf_settings_rows[];

/* How the provider and its engine are to be opened under these settings. */
lf_provider_opts lf_cli_provider_opts(const lf_cli *c);

/* "KEY=VALUE" flags on top of file and environment.  `home` holds config.yaml. */
LF_MUST_CHECK lf_status lf_settings_load(lf_settings *s, const char *home, char *const *environment,
                                         const char *const *flags, size_t n_flags, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* cli/run_text.h - a run and its replay as text for a person. */
#ifndef LF_CLI_RUN_TEXT_H
#define LF_CLI_RUN_TEXT_H

#include "base/json.h"
#include "cli/cli.h"

/* Local time, "2026-11-23 18:50:12". */
void lf_cli_time(int64_t unix_ms, char out[32]);

/* The record (flow/run_record.h) on standard output; `explain` adds evidence and checks. */
void lf_cli_show_record(const lf_cli *c, const json_t *record, bool explain);

/* What a replay (flow/replay.h) found, below its record. */
void lf_cli_show_replay(const lf_cli *c, const json_t *replay);
#endif

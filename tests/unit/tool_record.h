/* tests/unit/tool_record.h - what a tool stream gives, written down so that it can be compared.
 *
 * Pieces of the same text or arguments are put together: "T(text)C(name)A(arguments)E".
 */
#ifndef LF_TESTS_TOOL_RECORD_H
#define LF_TESTS_TOOL_RECORD_H

#include "infer/tool_stream.h"

typedef struct tool_record {
    lf_buf out;
    lf_tool_event_kind last;
    bool open; /* the last part has no ) yet */
} tool_record;

bool tool_record_event(void *ud, const lf_tool_event *ev); /* ud: tool_record */

/* The record of p[0..n), cut after every byte i for which bit i % 64 of `cuts` is set; its text is
 * owned by the caller. */
tool_record tool_record_of(const lf_tool_format *f, const json_t *tools, const char *p, size_t n,
                           uint64_t cuts);
void tool_record_close(tool_record *r); /* write the last ) */

#endif

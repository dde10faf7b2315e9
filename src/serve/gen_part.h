/* serve/gen_part.h - the parts of an answer: its text and its calls, as they come.
 *
 * Between the engine's tokens and a route's own words.  Stop strings are looked for in the
 * text alone, so that they never cut a call.
 *
 * Ownership  Everything is borrowed until lf_parts_release; a part until the callback returns.
 * Threads    The request's worker.
 */
#ifndef LF_SERVE_GEN_PART_H
#define LF_SERVE_GEN_PART_H

#include "infer/engine.h"
#include "infer/stream.h"
#include "infer/tool_stream.h"

typedef struct lf_gen_part {
    lf_tool_event_kind kind; /* text may be "" where only a token is told */
    size_t call;
    lf_str text;
    const lf_token_event *token; /* with the first part that a token brings; or NULL */
} lf_gen_part;

/* Return false to stop the generation. */
typedef bool lf_gen_part_fn(void *ud, const lf_gen_part *part);

typedef struct lf_parts {
    lf_gen_part_fn *fn;
    void *ud;
    lf_tool_stream tools;
    lf_stream stop;
    lf_buf shown;
    const lf_token_event *token; /* that no part has told yet */
} lf_parts;

/* `format` NULL: no calls, everything is text.  *p stays where it is until lf_parts_release. */
void lf_parts_init(lf_parts *p, const lf_tool_format *format, const json_t *tools,
                   const char *const *stop, size_t n_stop, lf_gen_part_fn *fn, void *ud);
bool lf_parts_token(void *ud, const lf_token_event *ev); /* lf_token_fn; ud: lf_parts */
bool lf_parts_end(lf_parts *p);                          /* what was held back */
bool lf_parts_failed(const lf_parts *p);                 /* out of memory */
void lf_parts_release(lf_parts *p);
#endif

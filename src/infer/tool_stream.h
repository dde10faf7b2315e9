/* infer/tool_stream.h - an answer as it comes, told apart into text and calls.
 *
 * The pieces of an answer go in, events come out:
 *
 *     TEXT      text to show
 *     CALL      a call has begun: its name
 *     ARGS      the next piece of the call's arguments (JSON); in sum one JSON object
 *     CALL_END  the call is whole
 *
 * What may be the beginning of a call is held back until it is one or is none.  White space
 * right before a call and after the last one belongs to neither and is dropped; else nothing is
 * lost, and what only looks like a call is text.  However an answer is cut into pieces,
 * the same text, calls and arguments come out.
 *
 * Ownership  Format and tools are borrowed until lf_tool_stream_release; an event's text until
 *            the callback returns.
 * Errors     Out of memory is sticky (`held.failed`): nothing more comes out.
 */
#ifndef LF_INFER_TOOL_STREAM_H
#define LF_INFER_TOOL_STREAM_H

#include "base/buf.h"
#include "base/json.h"
#include "model/tool_format.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_tool_event_kind {
    LF_TOOL_TEXT,
    LF_TOOL_CALL,
    LF_TOOL_ARGS,
    LF_TOOL_CALL_END
} lf_tool_event_kind;

typedef struct lf_tool_event {
    lf_tool_event_kind kind;
    size_t call; /* which, from 0; of TEXT: how many there were before */
    lf_str text; /* TEXT, ARGS: never empty; CALL: the name */
} lf_tool_event;

/* Return false to hear nothing more. */
typedef bool lf_tool_event_fn(void *ud, const lf_tool_event *ev);

typedef struct lf_tool_stream {
    const lf_tool_format *format; /* NULL: everything is text */
    const json_t *tools;          /* as in lf_tool_use: only these are calls; NULL = any name */
    bool own_only;                /* calls in the format's own spelling only */
    lf_tool_event_fn *on_event;
    void *ud;
    /* private from here on, zero at the start */
    lf_buf held;
    int where;       /* of what the next byte is part */
    int depth;       /* of brackets in the arguments */
    size_t spelling; /* of the last call */
    bool in_string, escaped, stopped;
    bool in_text;   /* text came out since the start or the last call */
    size_t n_calls; /* that have begun */
} lf_tool_stream;

/* False once the callback said so, or memory ran out. */
bool lf_tool_stream_add(lf_tool_stream *s, const char *piece, size_t n);

/* No more pieces: what was held back is text, unless it is white space after a call.  Arguments
 * that were cut short get no CALL_END. */
bool lf_tool_stream_end(lf_tool_stream *s);

void lf_tool_stream_release(lf_tool_stream *s); /* of its memory */

#ifdef __cplusplus
}
#endif
#endif

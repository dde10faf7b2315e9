/* model/tool_format.h - how a model writes a call of a function.
 *
 * A call is  open NAME middle ARGUMENTS close,  where ARGUMENTS is one JSON object;
 * calls in a row have `join` between them.  Which format a model knows is seen in what
 * its chat template makes of a conversation with a call in it:
 *
 *   hermes  <tool_call>\n{"name": "f", "arguments": {…}}\n</tool_call>
 *           Qwen2.5, Qwen3, Hermes 2 and 3, Granite 4
 *   llama3  {"name": "f", "parameters": {…}}, as the whole answer and one at a time; these
 *           models write {"type": "function", "name": … as well
 *           Llama 3.1 to 3.3
 *   plain   calls as in hermes, for models whose template knows no functions (Gemma 3,
 *           SmolLM2) or writes calls in another way: what can be called, and how, is told
 *           in the system's message, a call is text of the assistant, and results
 *           are text of the user, <tool_response>\n…\n</tool_response>
 *
 * Models of hermes and plain, small ones above all, often leave the tags out: an answer that
 * begins with the bare object, or with it in a block ```json, calls as well where its name is
 * that of a function.
 *
 * Ownership  Formats are constants.
 * Threads    Any.
 */
#ifndef LF_MODEL_TOOL_FORMAT_H
#define LF_MODEL_TOOL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "model/chat.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_TOOL_NAME_MAX = 64 };

typedef struct lf_tool_spelling {
    const char *open, *middle, *close;
} lf_tool_spelling;

typedef struct lf_tool_format {
    const char *name;
    const lf_tool_spelling *spellings; /* [0] is the model's own; the others are known at the
                                        * beginning of an answer only */
    size_t n_spellings;
    const char *join; /* NULL: one call an answer */
    size_t n_mark;    /* this much of the own `open` tells a call from text, anywhere in an
                       * answer; 0: it too is known at the beginning only */
    bool native;      /* the model's template renders functions, calls and results */
} lf_tool_format;

const lf_tool_format *lf_tool_format_of(const lf_chat_template *t);

/* Is it 1 to LF_TOOL_NAME_MAX of a-z A-Z 0-9 _ - . ? */
bool lf_tool_name_ok(const char *name, size_t n_bytes);

/* A conversation as the model's template takes it.  `messages` is [{role, content, …}] with
 * content a string, calls as [{function: {name, arguments: {…}}}] under `tool_calls` of an
 * assistant, and results under the role `tool`; `tools` is [{type, function: {name,
 * description, parameters}}], NULL = none.  Native formats give the messages back; otherwise
 * functions, calls and results become text, and a user's messages in a row one.
 * *out is a new reference. */
LF_MUST_CHECK lf_status lf_tool_format_messages(const lf_tool_format *f, const lf_chat_template *t,
                                                const json_t *messages, const json_t *tools,
                                                json_t **out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

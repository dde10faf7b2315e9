/* serve/tool_req.h - functions, calls and results in a request, in OpenAI's form.
 *
 * Routes with another form bring theirs into this one and check it here.
 */
#ifndef LF_SERVE_TOOL_REQ_H
#define LF_SERVE_TOOL_REQ_H

#include "infer/tool_grammar.h"
#include "serve/fields.h"

enum { LF_TOOLS_MAX = 128, LF_MESSAGES_MAX = 2000 };

/* tools, tool_choice and parallel_tool_calls; out->tools is NULL where nothing may be called
 * (no tools, or the choice "none").  Every function can be held to (lf_tool_use_check). */
void lf_tools_read(lf_fields *f, lf_tool_use *out);

/* Check functions that came in the field `param`: [{"type": "function", "function":
 * {"name", "description", "parameters", "strict"}}]. */
void lf_tools_check(lf_fields *f, const char *param, const json_t *tools);

/* Messages as lf_tool_format_messages takes them: content is one string, arguments are
 * objects, and the results of an assistant's calls follow it, one for each call and in their
 * order.  A new reference in *out, also after a failure, which names "messages". */
void lf_messages_take(lf_fields *f, const json_t *messages, json_t **out);
#endif

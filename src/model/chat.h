/* model/chat.h - render a conversation with the model's own chat template.
 *
 * The template is Jinja as Hugging Face models use it; the subset that is
 * understood is listed in docs/chat-templates.md, anything else is
 * LF_ERR_UNSUPPORTED naming line and construct.  Rendering is bounded in steps
 * and output size.
 */
#ifndef LF_MODEL_CHAT_H
#define LF_MODEL_CHAT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_chat_template lf_chat_template; /* immutable, shared */

LF_MUST_CHECK lf_status lf_chat_template_open(const char *source, size_t n_bytes,
                                              lf_chat_template **out, lf_err *err);
void lf_chat_template_close(lf_chat_template *t);

/* `vars` is an object: messages [{role, content, …}], add_generation_prompt,
 * bos_token, eos_token, tools (optional), and whatever else the caller sets.
 * The prompt is appended to `out`. */
LF_MUST_CHECK lf_status lf_chat_render(const lf_chat_template *t, const json_t *vars, lf_buf *out,
                                       lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* provider/adapters.h - the adapters (LoRA) of HOME/adapters, by name.
 *
 * NAME is HOME/adapters/NAME.gguf or the folder HOME/adapters/NAME of PEFT's (see
 * model/adapter.h).  What was asked for stays in memory, the last 16; a file that has been
 * replaced is read again.
 *
 * Ownership  An adapter is handed out as a new reference.
 * Threads    Any.
 */
#ifndef LF_PROVIDER_ADAPTERS_H
#define LF_PROVIDER_ADAPTERS_H

#include "base/err.h"
#include "model/adapter.h"

typedef struct lf_adapters lf_adapters;

LF_MUST_CHECK lf_status lf_adapters_open(const char *home, lf_adapters **out, lf_err *err);
void lf_adapters_close(lf_adapters *as); /* NULL is a no-op */

/* For this model.  LF_ERR_NOT_FOUND names what there is; else as lf_adapter_open. */
LF_MUST_CHECK lf_status lf_adapters_get(lf_adapters *as, const lf_model *m, const char *name,
                                        lf_adapter **out, lf_err *err);
#endif

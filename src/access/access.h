/* access/access.h - who may see what: it alone builds the scopes that every read takes.
 *
 * There is one local person today: whoever may run this program on this machine
 * and read the state file, and that person sees every collection.  All reads take
 * a scope all the same, so that more people need no change below or above.
 *
 * Ownership  A scope belongs to the caller: lf_scope_close.
 * Threads    A scope is immutable: any number of threads may use it.
 * Errors     LF_ERR_NOMEM.
 */
#ifndef LF_ACCESS_ACCESS_H
#define LF_ACCESS_ACCESS_H

#include "base/err.h"
#include "store/scope.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The one local person, who sees every collection. */
LF_MUST_CHECK lf_status lf_access_local_scope(lf_scope **out, lf_err *err);

/* The name under which the local person's jobs and runs are kept. */
#define LF_ACCESS_LOCAL_PERSON "local"

#ifdef __cplusplus
}
#endif
#endif

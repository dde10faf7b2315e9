/* store/scope.h - what a reader may see: an argument of every read, never a filter after it.
 *
 * Scopes are built by `access` alone (lf_access_scope) and are opaque to all who
 * carry them; `store` asks lf_scope_allows for each document inside the scan.
 */
#ifndef LF_STORE_SCOPE_H
#define LF_STORE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_scope lf_scope;

/* Everything in the collections named; n = 0 means every collection.  Only
 * `access` calls this. */
LF_MUST_CHECK lf_status lf_scope_open(const char *person, const char *const *collections, size_t n,
                                      lf_scope **out, lf_err *err);
void lf_scope_close(lf_scope *s); /* NULL is a no-op */
const char *lf_scope_person(const lf_scope *s);
bool lf_scope_allows(const lf_scope *s, const char *collection);

#ifdef __cplusplus
}
#endif
#endif

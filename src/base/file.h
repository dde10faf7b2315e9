/* base/file.h - reading, mapping and replacing files; walking folders.
 *
 * Ownership  lf_file_read fills a caller's lf_buf; lf_map is unmapped by
 *            lf_map_close.  Paths are borrowed.
 * Errors     LF_ERR_NOT_FOUND no such file; LF_ERR_LIMIT larger than allowed;
 *            LF_ERR_IO anything the system refuses, with its reason.
 */
#ifndef LF_BASE_FILE_H
#define LF_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_map {
    const uint8_t *data; /* read-only, page-aligned; NULL for an empty file */
    size_t len;
} lf_map;

/* Whole file into `out` (appended); a pipe or device is read to its end.  `max_bytes`
 * 0 = no limit (256 MiB where it is no regular file). */
LF_MUST_CHECK lf_status lf_file_read(const char *path, size_t max_bytes, lf_buf *out, lf_err *err);

/* Write beside the target, fsync, rename over it, fsync the folder. */
LF_MUST_CHECK lf_status lf_file_replace(const char *path, const void *data, size_t n_bytes,
                                        lf_err *err);

/* All of the bytes to an open file or pipe, interruptions gone over; false: errno says
 * why, and a part may be written. */
LF_MUST_CHECK bool lf_fd_write(int fd, const void *data, size_t n_bytes);

LF_MUST_CHECK lf_status lf_map_open(const char *path, lf_map *out, lf_err *err);
void lf_map_close(lf_map *m); /* safe on a zeroed or closed map */

bool lf_path_exists(const char *path);
bool lf_path_is_dir(const char *path);
LF_MUST_CHECK lf_status lf_path_make_dirs(const char *path, lf_err *err); /* like mkdir -p, 0700 */
const char *lf_path_base(const char *path);            /* borrowed: after the last '/' */
char *lf_path_join(const char *dir, const char *name); /* owned; NULL = out of memory */

/* Call `fn` for every regular file below `dir`, in byte order of the relative
 * path; hidden names (leading '.') and symbolic links are passed over.  A
 * status other than LF_OK from `fn` ends the walk and is returned. */
typedef lf_status lf_walk_fn(void *ud, const char *path, const char *rel, lf_err *err);
LF_MUST_CHECK lf_status lf_walk(const char *dir, lf_walk_fn *fn, void *ud, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* base/buf.h - a growable byte buffer, and a borrowed view of bytes.
 *
 * Invariant  `data` is NULL or ends with a NUL byte at data[len], which is not
 *            counted in `len`: a buffer of text can be used as a C string.
 * Ownership  lf_buf owns its bytes until lf_buf_release() or lf_buf_take().
 *            lf_str borrows.
 * Errors     Appending is sticky: out of memory sets `failed`, drops what
 *            follows, and is checked once by the caller at the end.
 */
#ifndef LF_BASE_BUF_H
#define LF_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_str {
    const char *p; /* not NUL-terminated */
    size_t len;
} lf_str;

typedef struct lf_buf {
    char *data;
    size_t len, cap;
    bool failed;
} lf_buf;

lf_str lf_str_of(const char *cstr); /* NULL gives the empty view */
bool lf_str_eq(lf_str a, lf_str b);
bool lf_str_is(lf_str a, const char *cstr);
bool lf_str_starts(lf_str a, const char *prefix);
bool lf_str_ends(lf_str a, const char *suffix);
lf_str lf_str_trim(lf_str a); /* ASCII white space at both ends */

bool lf_buf_reserve(lf_buf *b, size_t more_bytes);
void lf_buf_add(lf_buf *b, const void *p, size_t n_bytes);
void lf_buf_add_str(lf_buf *b, const char *cstr);
void lf_buf_add_char(lf_buf *b, char c);
void lf_buf_addf(lf_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *lf_buf_cstr(const lf_buf *b); /* borrowed; "" when empty */
char *lf_buf_take(lf_buf *b);             /* transfers (lf_free), empties b; NULL if failed */
void lf_buf_clear(lf_buf *b);             /* len = 0, keeps the memory, resets failed */
void lf_buf_release(lf_buf *b);

#ifdef __cplusplus
}
#endif
#endif

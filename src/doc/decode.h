/* doc/decode.h - bytes of a text file to UTF-8.
 *
 * The order: a byte-order mark decides; else UTF-8 if valid; else GB18030 if
 * valid; else UTF-8 with one U+FFFD for each bad sequence (each maximal subpart,
 * Unicode 15 section 3.9).  The mark is dropped, CR LF becomes LF, and nothing
 * else is changed: a NUL byte stays.
 *
 * lf_charsets holds converters of the C library.  They are opened before the
 * sandbox closes, because opening one reads a table from disk.
 */
#ifndef LF_DOC_DECODE_H
#define LF_DOC_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_CHARSETS_MAX = 10 };
typedef struct lf_charsets {
    void *cd[LF_CHARSETS_MAX]; /* iconv_t; NULL = not there */
} lf_charsets;

/* Open GB18030, and with `all` the other charsets that web pages name. */
void lf_charsets_open(lf_charsets *c, bool all);
void lf_charsets_close(lf_charsets *c);

/* Decode into `out` (appended).  `label` (NULL or a charset's name, as in HTML)
 * is followed when no mark is there and it is known.
 *   LF_ERR_UNSUPPORTED  GB18030 is needed and this system has no table for it */
LF_MUST_CHECK lf_status lf_decode(const uint8_t *p, size_t n, const lf_charsets *c,
                                  const char *label, lf_buf *out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* text/utf8.h - UTF-8 in and out, and code-point counting.
 *
 * Units  `start`/`end` of spans count code points; `n_bytes` counts bytes.
 */
#ifndef LF_TEXT_UTF8_H
#define LF_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Decode one code point at *p (p < end) and advance.  An invalid byte gives
 * U+FFFD and advances by one byte. */
uint32_t lf_utf8_next(const char **p, const char *end);

/* Length in bytes of the valid sequence at p, or 0 when it is invalid. */
size_t lf_utf8_seq(const char *p, const char *end);

/* Encode into out[4]; returns 1 to 4.  Surrogates and > U+10FFFF become U+FFFD. */
size_t lf_utf8_put(uint32_t cp, char out[4]);

bool lf_utf8_valid(const char *p, size_t n_bytes);
size_t lf_utf8_count(const char *p, size_t n_bytes); /* code points; valid text expected */

/* Byte offset of code point `n_chars` in valid text; n_bytes when past the end. */
size_t lf_utf8_offset(const char *p, size_t n_bytes, size_t n_chars);

bool lf_cp_is_han(uint32_t cp);   /* CJK ideographs, all blocks */
bool lf_cp_is_space(uint32_t cp); /* Unicode White_Space */

#ifdef __cplusplus
}
#endif
#endif

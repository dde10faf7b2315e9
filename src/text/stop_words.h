/* text/stop_words.h - words that ask or bind and carry no content, in both languages.
 *
 * Used on the side of the query alone: an index keeps every word.
 */
#ifndef LF_TEXT_STOP_WORDS_H
#define LF_TEXT_STOP_WORDS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const char *const lf_stop_words[];
extern const size_t lf_n_stop_words;

#ifdef __cplusplus
}
#endif
#endif

/* doc/lines.h - what one line of text looks like: bullet, numbering, caption, ...
 *
 * Pure functions over a borrowed line of valid UTF-8 without its newline.  Used
 * by the readers of formats that carry no structure of their own (text, PDF).
 */
#ifndef LF_DOC_LINES_H
#define LF_DOC_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lf_num_kind {
    LF_NUM_CHAPTER, /* 第三章, 第一篇, Chapter 3, Part 2 */
    LF_NUM_SECTION, /* 第二节, Section 4 */
    LF_NUM_HAN_1,   /* 一、 */
    LF_NUM_HAN_2,   /* （一） */
    LF_NUM_DOTTED,  /* 1.2  1.2.3: depth counts the numbers */
    LF_NUM_NUMBER   /* 1. 1、 1) (1) （1） ① */
} lf_num_kind;

typedef struct lf_numbering {
    lf_num_kind kind;
    int depth;
    size_t n_bytes; /* of the number and what follows it */
} lf_numbering;

lf_str lf_line_trim(lf_str line);  /* Unicode white space at both ends */
size_t lf_line_width(lf_str line); /* columns: Han and full-width count two */
bool lf_line_is_punct(uint32_t cp);

size_t lf_line_bullet(lf_str line); /* bytes of "- ", "* ", "• ", …; 0 = none */
bool lf_line_numbering(lf_str line, lf_numbering *out);
bool lf_line_is_caption(lf_str line); /* 图 3 …, Table 2: … */

/* "Title ..... 12" or "Title<tab>12": an entry of a table of contents. */
bool lf_line_toc(lf_str line, lf_str *title);

/* Could be a heading by itself: short, has letters, does not end like a sentence. */
bool lf_line_is_short(lf_str line);
bool lf_line_is_question(lf_str line); /* short but for its question mark: of a FAQ, say */
bool lf_line_ends_with_colon(lf_str line);
bool lf_line_ends_sentence(lf_str line);

/* '=' or '-' when the line is nothing but three or more of that; else 0. */
char lf_line_underline(lf_str line);

#ifdef __cplusplus
}
#endif
#endif

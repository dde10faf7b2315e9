/* doc/builder.h - what a parser fills: text, blocks, lines, pages; and its wire form.
 *
 * A parser appends text and says what stands where.  The finished document
 * crosses the pipe from the sandboxed child as one flat image, and
 * lf_doc_from_wire() checks every field of it before anybody reads it.
 *
 * Ownership  A zeroed lf_builder is empty; lf_builder_release frees it.
 * Errors     Sticky: out of memory, or more text than spans can count, sets
 *            `failed`; lf_builder_status() turns that into a status at the end.
 * Units      Positions count code points of the text.
 */
#ifndef LF_DOC_BUILDER_H
#define LF_DOC_BUILDER_H

#include "base/buf.h"
#include "base/err.h"
#include "doc/doc.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_builder {
    lf_buf text, blocks, cells, lines, pages, warning;
    uint32_t n_chars, last_end;
    uint32_t n_blocks, n_cells, n_lines, n_pages;
    bool failed, too_long;
} lf_builder;

/* Append UTF-8; anything invalid goes in as U+FFFD. */
void lf_builder_add(lf_builder *b, const char *p, size_t n_bytes);
void lf_builder_add_str(lf_builder *b, const char *cstr);

/* Hand over a whole text at once: `text` is emptied. The builder must be empty. */
void lf_builder_take_text(lf_builder *b, lf_buf *text);

/* End what was written with `sep` unless the text is empty or ends so already. */
void lf_builder_separate(lf_builder *b, const char *sep);

/* Add a block; its cells are copied.  Blocks come in ascending order and must
 * not overlap: one that starts before the last one's end is cut to start there,
 * and an empty one is left out. */
void lf_builder_block(lf_builder *b, const lf_block *blk);
void lf_builder_line(lf_builder *b, const lf_line *line);
void lf_builder_page(lf_builder *b, const lf_page *page);

/* Note for the reader; several are joined by "; ". */
void lf_builder_warn(lf_builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

LF_MUST_CHECK lf_status lf_builder_status(const lf_builder *b, lf_err *err);
void lf_builder_release(lf_builder *b);

/* The image, appended to `out` piece by piece through `put` (false stops). */
typedef bool lf_wire_put(void *ud, const void *p, size_t n_bytes);
bool lf_builder_to_wire(const lf_builder *b, const char *format, lf_wire_put *put, void *ud);

/* Check an image and make a document of it.  Takes the bytes of `wire` over in
 * every case.  LF_ERR_FORMAT when a field is out of its range. */
LF_MUST_CHECK lf_status lf_doc_from_wire(lf_buf *wire, lf_doc **out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

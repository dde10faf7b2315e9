/* doc/doc.h - a file as text and blocks, each with page, box and span.
 *
 * lf_doc_parse() reads one file in a sandboxed child of this executable (no
 * network, no files but the one given, limits on memory and time) and returns
 * its extracted text and what stands in it.  A parser that crashes costs this
 * one document, with an error.
 *
 * Ownership  lf_doc owns everything it points to; lf_doc_close releases it.
 * Threads    A parsed document is immutable and may be shared.
 * Errors     LF_ERR_NOT_FOUND, LF_ERR_FORMAT (damaged, encrypted, empty),
 *            LF_ERR_LIMIT (too large, took too long), LF_ERR_UNSUPPORTED (no
 *            parser for this type, no sandbox, PDFium missing).
 * Units      Spans count code points of `text`, half open.  Pages count from 1,
 *            0 = the format has no pages.  Boxes are points (1/72 inch) from the
 *            visible, rotated page's top left corner.
 */
#ifndef LF_DOC_DOC_H
#define LF_DOC_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts the changes of what parsers extract: stored documents of another version
 * are read again when they are added again. */
enum { LF_DOC_VERSION = 1 };

typedef struct lf_box {
    float x0, y0, x1, y1; /* all zero: no box */
} lf_box;

typedef enum lf_block_type {
    LF_BLOCK_HEADING,
    LF_BLOCK_PARAGRAPH,
    LF_BLOCK_LIST_ITEM,
    LF_BLOCK_TABLE,
    LF_BLOCK_CODE,
    LF_BLOCK_HEADER, /* running head, repeated on many pages */
    LF_BLOCK_FOOTER  /* running foot, page number */
} lf_block_type;

typedef struct lf_cell {
    int32_t row, col, n_rows, n_cols; /* position and extent in the table */
    uint32_t start, end;              /* span of the cell's text */
    lf_box box;
} lf_cell;

typedef struct lf_block {
    lf_block_type type;
    int32_t level; /* heading 1..6, list nesting from 1, else 0 */
    int32_t page;  /* a block never crosses pages */
    lf_box box;
    uint32_t start, end;
    const lf_cell *cells; /* tables only, row by row */
    size_t n_cells;
} lf_block;

/* A visual line, finest unit with a box: a citation's box is the union of the
 * lines that its span touches.  Only formats with pages have lines. */
typedef struct lf_line {
    uint32_t start, end;
    int32_t page;
    lf_box box;
} lf_line;

typedef struct lf_page {
    float width, height; /* visible, rotated */
    bool scanned;        /* an image without text: reported, not read */
} lf_page;

typedef struct lf_doc {
    char *text; /* valid UTF-8, NUL-terminated */
    size_t n_bytes, n_chars;
    const char *format; /* "pdf", "docx", "html", "markdown", "text" */
    lf_block *blocks;   /* in reading order; spans ascend and do not overlap */
    size_t n_blocks;
    lf_line *lines; /* spans ascend */
    size_t n_lines;
    lf_page *pages; /* pages[i] is page i + 1 */
    size_t n_pages;
    const char *warning; /* "" or what a reader should know, such as scanned pages */
} lf_doc;

const char *lf_block_type_name(lf_block_type t); /* "heading", "list_item", … */

LF_MUST_CHECK lf_status lf_doc_parse(const char *path, lf_doc **out, lf_err *err);
void lf_doc_close(lf_doc *d); /* NULL is a no-op */

/* Page and box of the span; box all zero and page 0 where there is none.  A span
 * that crosses pages gets the page that its start is on. */
void lf_doc_locate(const lf_doc *d, uint32_t start, uint32_t end, int32_t *page, lf_box *box);

/* Draw one page of a paged document (PDF) as a PNG image, in the sandboxed child.
 * The bytes are borrowed for the call; the image is appended to `png`.
 *   page  from 1        dpi  36 to 200 (72 = one pixel a point, as boxes count)
 *   LF_ERR_ARG          page or dpi outside what there is, with both numbers
 *   LF_ERR_UNSUPPORTED  the format has no pages, or PDFium is missing */
LF_MUST_CHECK lf_status lf_doc_render_page(const void *data, size_t n_bytes, int32_t page, int dpi,
                                           lf_buf *png, lf_err *err);

/* True when this file name's ending is one that lf_doc_parse reads. */
bool lf_doc_can_read(const char *path);

#ifdef __cplusplus
}
#endif
#endif

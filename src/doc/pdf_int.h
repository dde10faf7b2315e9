/* doc/pdf_int.h - what the three parts of the PDF reader share.
 *
 *   pdf_page.c    a page's characters and rules, from PDFium
 *   pdf_layout.c  characters to lines and tables, in reading order
 *   doc_pdf.c     the whole document: running heads, headings, paragraphs, text
 *
 * Frames  Work is done in the reading frame: points from the top left of the page
 *         turned so that most of its text is upright.  Boxes leave in the visible
 *         frame (the page as /Rotate shows it).
 */
#ifndef LF_DOC_PDF_INT_H
#define LF_DOC_PDF_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/pdfium.h"

typedef struct pdf_char {
    uint32_t cp;
    lf_box box;                          /* reading frame */
    float size;                          /* em, points */
    int32_t cell;                        /* 0 = running text, else 1 + index into pdf_page.cells */
    uint8_t turns;                       /* quarter turns against the page's reading direction */
    bool space_before, real_space, bold; /* real: drawn, not guessed by PDFium */
} pdf_char;

/* A thin horizontal or vertical stroke. */
typedef struct pdf_rule {
    float at;       /* y of a horizontal, x of a vertical rule */
    float from, to; /* along the other axis */
} pdf_rule;

typedef struct pdf_cell {
    int32_t row, col, n_rows, n_cols;
    lf_box box; /* reading frame until the page is done, then visible */
    uint32_t table;
    uint32_t first_line, n_lines; /* in pdf_text.lines */
} pdf_cell;

typedef enum pdf_kind { PDF_LINE, PDF_TABLE, PDF_CELL_LINE } pdf_kind;

/* One visual line of running text or of a cell, or a table as a whole. */
typedef struct pdf_line {
    pdf_kind kind;
    int32_t page;
    uint32_t text, n_bytes; /* in pdf_text.text */
    uint32_t cell, n_cells; /* tables: in pdf_text.cells */
    lf_box box;             /* visible frame */
    lf_box read;            /* reading frame */
    float column0, column1; /* left and right end of the column it stands in */
    float size;
    bool bold, sideways;
} pdf_line;

/* Everything that is kept of the pages: small beside PDFium's own page. */
typedef struct pdf_text {
    lf_buf text;  /* UTF-8 of all lines */
    lf_buf lines; /* pdf_line[], reading order; cell lines precede their table */
    lf_buf cells; /* pdf_cell[] */
    lf_buf pages; /* lf_page[] */
    bool failed;
} pdf_text;

typedef struct pdf_page {
    int32_t number;
    float width, height; /* reading frame */
    float size;          /* commonest em of the page */
    int to_visible;      /* clockwise quarter turns from reading to visible frame */
    lf_buf chars;        /* pdf_char[] */
    lf_buf across, down; /* pdf_rule[]: horizontal, vertical */
    lf_buf cells;        /* pdf_cell[] of ruled tables */
    uint32_t n_tables;
    float image_area; /* largest image, share of the page */
    bool failed;
} pdf_page;

static inline size_t pdf_count(const lf_buf *b, size_t size)
{
    return b->len / size;
}

/* Turn a box clockwise by quarter turns inside a page of width x height. */
lf_box pdf_turn(lf_box b, int quarter_turns, float width, float height);

/* Read page `index` (from 0) into `p` (zeroed or cleared). */
LF_MUST_CHECK lf_status pdf_page_read(const lf_pdfium *lib, void *doc, int index, pdf_page *p,
                                      lf_page *info, lf_err *err);
void pdf_page_clear(pdf_page *p);
void pdf_page_release(pdf_page *p);

/* Find ruled tables, make lines, order them, and append all to `out`. */
void pdf_page_layout(pdf_page *p, pdf_text *out);

/* Ruled tables: fills p->cells and marks the characters inside. (pdf_table.c) */
void pdf_find_ruled(pdf_page *p);
#endif

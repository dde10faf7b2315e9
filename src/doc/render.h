/* doc/render.h - a PDF page as PNG, drawn in this process (the sandboxed child). */
#ifndef LF_DOC_RENDER_H
#define LF_DOC_RENDER_H

#include "base/buf.h"
#include "base/err.h"
#include "doc/pdfium.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LF_RENDER_DPI_MIN = 36, LF_RENDER_DPI_MAX = 200, LF_RENDER_SIDE_MAX = 8000 };

/* Append the image of page `page` (from 1) to `png`.  A page so large that a side
 * would pass LF_RENDER_SIDE_MAX pixels is LF_ERR_LIMIT; a page that is not there
 * LF_ERR_ARG with how many there are. */
LF_MUST_CHECK lf_status lf_render_pdf_page(const lf_pdfium *lib, const void *data, size_t n,
                                           int32_t page, int dpi, lf_buf *png, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

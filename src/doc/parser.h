/* doc/parser.h - the readers, one per format, all of one shape.
 *
 * A reader gets the file's bytes (borrowed, read-only) and fills a builder.  It
 * runs in the sandboxed child, or directly in tests and fuzz targets; it opens
 * no file and keeps nothing.
 *
 * Errors     LF_ERR_FORMAT   damaged, encrypted, empty
 *            LF_ERR_LIMIT    over a size, depth or ratio limit, which is named
 *            LF_ERR_UNSUPPORTED, LF_ERR_NOMEM
 */
#ifndef LF_DOC_PARSER_H
#define LF_DOC_PARSER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "doc/builder.h"
#include "doc/decode.h"
#include "doc/pdfium.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What must be loaded before the sandbox closes. */
typedef struct lf_doc_tools {
    lf_charsets charsets;
    lf_pdfium pdfium;
} lf_doc_tools;

typedef lf_status lf_doc_reader(const uint8_t *p, size_t n, const lf_doc_tools *tools,
                                lf_builder *b, lf_err *err);

lf_doc_reader lf_doc_read_text, lf_doc_read_markdown, lf_doc_read_html, lf_doc_read_docx,
    lf_doc_read_pdf;

typedef enum lf_doc_needs {
    LF_DOC_NEEDS_NOTHING,
    LF_DOC_NEEDS_GB18030,
    LF_DOC_NEEDS_CHARSETS,
    LF_DOC_NEEDS_PDFIUM
} lf_doc_needs;

typedef struct lf_doc_format {
    const char *name;
    const char *endings; /* ".md .markdown ", each followed by a blank */
    size_t max_bytes;
    lf_doc_reader *read;
    lf_doc_needs needs;
} lf_doc_format;

/* By the name's ending, without regard to case; NULL when none fits. */
const lf_doc_format *lf_doc_format_of(const char *path);
const lf_doc_format *lf_doc_format_named(const char *name);

/* Load what `format` needs; release with lf_doc_tools_close in every case. */
LF_MUST_CHECK lf_status lf_doc_tools_open(const lf_doc_format *format, lf_doc_tools *t,
                                          lf_err *err);
void lf_doc_tools_close(lf_doc_tools *t);

/* Read in this process, without a sandbox: for tests and fuzz targets only. */
LF_MUST_CHECK lf_status lf_doc_read_here(const lf_doc_format *format, const void *p, size_t n,
                                         lf_doc **out, lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* doc/pdfium.h - the part of PDFium's C interface that is used, loaded at run time.
 *
 * PDFium (BSD-3-Clause and Apache-2.0) is a side library: where libpdfium.so is
 * missing, PDF files are refused with a message and all else works.  The
 * declarations are ours, after the documentation of fpdfview.h, fpdf_text.h and
 * fpdf_edit.h.
 *
 * Threads    PDFium is not thread-safe: it is used in the sandboxed child alone.
 */
#ifndef LF_DOC_PDFIUM_H
#define LF_DOC_PDFIUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpdf_rect {
    float left, top, right, bottom;
} fpdf_rect;

typedef struct fpdf_matrix {
    float a, b, c, d, e, f;
} fpdf_matrix;

typedef struct fpdf_config {
    int version; /* 2 */
    const char **user_font_paths;
    void *isolate;
    unsigned v8_embedder_slot;
} fpdf_config;

enum {
    FPDF_OK = 0,
    FPDF_ERR_FILE = 2,
    FPDF_ERR_FORMAT = 3,
    FPDF_ERR_PASSWORD = 4,
    FPDF_ERR_SECURITY = 5,
    FPDF_OBJ_TEXT = 1,
    FPDF_OBJ_PATH = 2,
    FPDF_OBJ_IMAGE = 3,
    FPDF_OBJ_SHADING = 4,
    FPDF_OBJ_FORM = 5,
    FPDF_SEGMENT_LINETO = 0,
    FPDF_SEGMENT_BEZIERTO = 1,
    FPDF_SEGMENT_MOVETO = 2,
    FPDF_RENDER_ANNOT = 1,
    FPDF_BITMAP_BGRX = 3
};

/* name, result, parameters: one row per function that is looked up. */
#define LF_PDFIUM_FUNCTIONS(X)                                                                     \
    X(FPDF_InitLibraryWithConfig, void, (const fpdf_config *))                                     \
    X(FPDF_DestroyLibrary, void, (void))                                                           \
    X(FPDF_LoadMemDocument64, void *, (const void *, size_t, const char *))                        \
    X(FPDF_GetLastError, unsigned long, (void))                                                    \
    X(FPDF_CloseDocument, void, (void *))                                                          \
    X(FPDF_GetPageCount, int, (void *))                                                            \
    X(FPDF_LoadPage, void *, (void *, int))                                                        \
    X(FPDF_ClosePage, void, (void *))                                                              \
    X(FPDF_GetPageWidthF, float, (void *))                                                         \
    X(FPDF_GetPageHeightF, float, (void *))                                                        \
    X(FPDF_GetPageBoundingBox, int, (void *, fpdf_rect *))                                         \
    X(FPDFPage_GetRotation, int, (void *))                                                         \
    X(FPDFText_LoadPage, void *, (void *))                                                         \
    X(FPDFText_ClosePage, void, (void *))                                                          \
    X(FPDFText_CountChars, int, (void *))                                                          \
    X(FPDFText_GetUnicode, unsigned, (void *, int))                                                \
    X(FPDFText_IsGenerated, int, (void *, int))                                                    \
    X(FPDFText_IsHyphen, int, (void *, int))                                                       \
    X(FPDFText_GetFontSize, double, (void *, int))                                                 \
    X(FPDFText_GetFontWeight, int, (void *, int))                                                  \
    X(FPDFText_GetFontInfo, unsigned long, (void *, int, void *, unsigned long, int *))            \
    X(FPDFText_GetMatrix, int, (void *, int, fpdf_matrix *))                                       \
    X(FPDFText_GetCharAngle, float, (void *, int))                                                 \
    X(FPDFText_GetCharBox, int, (void *, int, double *, double *, double *, double *))             \
    X(FPDFText_GetLooseCharBox, int, (void *, int, fpdf_rect *))                                   \
    X(FPDFPage_CountObjects, int, (void *))                                                        \
    X(FPDFPage_GetObject, void *, (void *, int))                                                   \
    X(FPDFPageObj_GetType, int, (void *))                                                          \
    X(FPDFPageObj_GetBounds, int, (void *, float *, float *, float *, float *))                    \
    X(FPDFPageObj_GetMatrix, int, (void *, fpdf_matrix *))                                         \
    X(FPDFFormObj_CountObjects, int, (void *))                                                     \
    X(FPDFFormObj_GetObject, void *, (void *, unsigned long))                                      \
    X(FPDFPath_CountSegments, int, (void *))                                                       \
    X(FPDFPath_GetPathSegment, void *, (void *, int))                                              \
    X(FPDFPath_GetDrawMode, int, (void *, int *, int *))                                           \
    X(FPDFPathSegment_GetPoint, int, (void *, float *, float *))                                   \
    X(FPDFPathSegment_GetType, int, (void *))                                                      \
    X(FPDFPathSegment_GetClose, int, (void *))                                                     \
    X(FPDFBitmap_CreateEx, void *, (int, int, int, void *, int))                                   \
    X(FPDFBitmap_FillRect, int, (void *, int, int, int, int, unsigned long))                       \
    X(FPDFBitmap_Destroy, void, (void *))                                                          \
    X(FPDF_RenderPageBitmap, void, (void *, void *, int, int, int, int, int, int))

typedef struct lf_pdfium {
    void *library; /* NULL = not loaded */
#define X(name, result, parameters) result(*name) parameters;
    LF_PDFIUM_FUNCTIONS(X)
#undef X
} lf_pdfium;

/* Find, load and initialise the library: beside the executable, in its ../lib and
 * .deps/lib, in the source tree's .deps/lib, in /usr/local/lib/landfall and
 * /usr/lib/landfall, then where the system looks.
 *   LF_ERR_UNSUPPORTED  not found, or it lacks a function; with what was tried */
LF_MUST_CHECK lf_status lf_pdfium_open(lf_pdfium *p, lf_err *err);
void lf_pdfium_close(lf_pdfium *p);

/* Load a document from memory (borrowed while it is open), or say why not. */
LF_MUST_CHECK lf_status lf_pdfium_load(const lf_pdfium *p, const void *data, size_t n, void **doc,
                                       lf_err *err);

#ifdef __cplusplus
}
#endif
#endif

/* doc/render.c - PDFium draws into a bitmap, libpng packs it.
 *
 * libpng's simplified interface is not used: it cannot write through a callback
 * that appends, and its longjmp errors are caught here once. */
#include "doc/render.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

#include "base/mem.h"

static void png_append(png_structp png, png_bytep p, size_t n)
{
    lf_buf *out = png_get_io_ptr(png);
    lf_buf_add(out, p, n);
    if (out->failed)
        png_error(png, "no memory");
}

static void png_no_flush(png_structp png)
{
    (void)png;
}

static void png_quiet(png_structp png, png_const_charp msg)
{
    (void)png;
    (void)msg;
}

static void png_jump(png_structp png, png_const_charp msg)
{
    (void)msg;
    png_longjmp(png, 1);
}

/* pixels: BGRX, width * 4 bytes a row. */
static lf_status write_png(const uint8_t *pixels, int width, int height, lf_buf *out, lf_err *err)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_jump, png_quiet);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png)) != 0) {
        png_destroy_write_struct(&png, &info);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to write a %d x %d image", width, height);
    }
    png_set_write_fn(png, out, png_append, png_no_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 4);
    png_write_info(png, info);
    png_set_bgr(png);
    png_set_filler(png, 0, PNG_FILLER_AFTER);
    for (int y = 0; y < height; y++)
        png_write_row(png, pixels + (size_t)y * (size_t)width * 4);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return LF_OK;
}

static lf_status draw(const lf_pdfium *lib, void *page, int dpi, lf_buf *png, lf_err *err)
{
    lf_status st;
    const float scale = (float)dpi / 72.0F;
    const float w = lib->FPDF_GetPageWidthF(page) * scale,
                h = lib->FPDF_GetPageHeightF(page) * scale;
    if (!(w >= 1 && h >= 1 && w <= LF_RENDER_SIDE_MAX && h <= LF_RENDER_SIDE_MAX))
        return lf_fail(err, LF_ERR_LIMIT,
                       "the page is %.0f x %.0f pixels at %d dpi, the limit is %d", (double)w,
                       (double)h, dpi, LF_RENDER_SIDE_MAX);
    const int width = (int)(w + 0.5F), height = (int)(h + 0.5F);
    uint8_t *pixels = lf_calloc((size_t)width * (size_t)height, 4);
    void *bitmap =
        pixels ? lib->FPDFBitmap_CreateEx(width, height, FPDF_BITMAP_BGRX, pixels, width * 4)
               : NULL;
    if (!bitmap) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to draw %d x %d pixels", width, height);
        goto done;
    }
    (void)lib->FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFFUL);
    lib->FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, FPDF_RENDER_ANNOT);
    st = write_png(pixels, width, height, png, err);
done:
    if (bitmap)
        lib->FPDFBitmap_Destroy(bitmap);
    lf_free(pixels);
    return st;
}

lf_status lf_render_pdf_page(const lf_pdfium *lib, const void *data, size_t n, int32_t page,
                             int dpi, lf_buf *png, lf_err *err)
{
    void *doc = NULL;
    lf_status st = lf_pdfium_load(lib, data, n, &doc, err);
    if (st != LF_OK)
        return st;
    const int n_pages = lib->FPDF_GetPageCount(doc);
    void *p = NULL;
    if (page < 1 || page > n_pages)
        st = lf_fail(err, LF_ERR_ARG, "there is no page %d: the document has %d", (int)page,
                     n_pages);
    else if (!(p = lib->FPDF_LoadPage(doc, page - 1)))
        st = lf_fail(err, LF_ERR_FORMAT, "page %d is damaged", (int)page);
    else
        st = draw(lib, p, dpi, png, err);
    if (p)
        lib->FPDF_ClosePage(p);
    lib->FPDF_CloseDocument(doc);
    return st;
}

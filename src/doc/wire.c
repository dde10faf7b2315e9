/* doc/wire.c - a document's flat image, checked and turned into an lf_doc.
 *
 * The image comes from a child that has just read a stranger's file, so each
 * count is checked against the bytes that are there before anything is
 * allocated, and each field against its range.  The text is not copied: it
 * stays in the image's memory, which is cut down to it. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "doc/builder.h"
#include "doc/wire_int.h"
#include "text/utf8.h"

typedef struct doc_impl {
    lf_doc pub; /* first: an lf_doc * is a doc_impl * */
    char *image;
    lf_cell *cells;
    char *warning;
} doc_impl;

typedef struct reader {
    const char *p;
    size_t left;
    bool bad; /* sticky */
} reader;

static const char *const format_names[] = { "pdf", "docx", "html", "markdown", "text" };

static const char *known_format(const char *name)
{
    for (size_t i = 0; i < sizeof format_names / sizeof format_names[0]; i++)
        if (strncmp(name, format_names[i], 16) == 0)
            return format_names[i];
    return NULL;
}

static const char *take(reader *r, size_t n, size_t size)
{
    size_t bytes;
    if (r->bad || !lf_mul_size(n, size, &bytes) || bytes > r->left) {
        r->bad = true;
        return NULL;
    }
    const char *p = r->p;
    r->p += bytes;
    r->left -= bytes;
    return p;
}

static bool box_ok(const lf_box *b)
{
    return isfinite(b->x0) && isfinite(b->y0) && isfinite(b->x1) && isfinite(b->y1) &&
           b->x0 <= b->x1 && b->y0 <= b->y1;
}

static bool read_pages(lf_doc *d, const char *p)
{
    for (size_t i = 0; i < d->n_pages; i++) {
        wire_page w;
        memcpy(&w, p + i * sizeof w, sizeof w);
        if (!isfinite(w.width) || !isfinite(w.height) || w.width < 0 || w.height < 0)
            return false;
        d->pages[i] = (lf_page){ .width = w.width, .height = w.height, .scanned = w.scanned != 0 };
    }
    return true;
}

static bool read_lines(lf_doc *d, const char *p)
{
    uint32_t last = 0;
    for (size_t i = 0; i < d->n_lines; i++) {
        lf_line *l = &d->lines[i];
        memcpy(l, p + i * sizeof *l, sizeof *l);
        if (l->start < last || l->end <= l->start || l->end > d->n_chars || l->page < 1 ||
            (size_t)l->page > d->n_pages || !box_ok(&l->box))
            return false;
        last = l->end;
    }
    return true;
}

static bool cell_ok(const lf_cell *c, const lf_block *b)
{
    enum { MOST = 1 << 20 };
    return c->row >= 0 && c->col >= 0 && c->n_rows >= 1 && c->n_cols >= 1 && c->row < MOST &&
           c->col < MOST && c->n_rows <= MOST && c->n_cols <= MOST && c->start >= b->start &&
           c->start <= c->end && c->end <= b->end && box_ok(&c->box);
}

static bool read_blocks(lf_doc *d, const char *p, const char *cells_p, lf_cell *cells,
                        size_t n_cells)
{
    uint32_t last = 0;
    size_t used = 0;
    for (size_t i = 0; i < d->n_blocks; i++) {
        wire_block w;
        memcpy(&w, p + i * sizeof w, sizeof w);
        if (w.type < LF_BLOCK_HEADING || w.type > LF_BLOCK_FOOTER || w.level < 0 || w.level > 64 ||
            w.page < 0 || (size_t)w.page > d->n_pages || w.start < last || w.end <= w.start ||
            w.end > d->n_chars || !box_ok(&w.box) || w.n_cells > n_cells - used)
            return false;
        lf_block *b = &d->blocks[i];
        *b = (lf_block){ .type = (lf_block_type)w.type,
                         .level = w.level,
                         .page = w.page,
                         .box = w.box,
                         .start = w.start,
                         .end = w.end,
                         .cells = w.n_cells ? cells + used : NULL,
                         .n_cells = w.n_cells };
        for (size_t k = 0; k < w.n_cells; k++, used++) {
            memcpy(&cells[used], cells_p + used * sizeof cells[0], sizeof cells[0]);
            if (!cell_ok(&cells[used], b))
                return false;
        }
        last = w.end;
    }
    return used == n_cells;
}

static bool allocate(doc_impl *d, size_t n_cells, const char *warning, size_t n_warning)
{
    lf_doc *p = &d->pub;
    p->pages = lf_calloc(p->n_pages, sizeof *p->pages);
    p->lines = lf_calloc(p->n_lines, sizeof *p->lines);
    p->blocks = lf_calloc(p->n_blocks, sizeof *p->blocks);
    d->cells = lf_calloc(n_cells, sizeof *d->cells);
    d->warning = lf_strndup(warning, n_warning);
    p->warning = d->warning;
    return p->pages && p->lines && p->blocks && d->cells && d->warning;
}

/* Keep the text alone of the image: moved to its front, the rest given back. */
static void keep_text(doc_impl *d, char *image, size_t at)
{
    memmove(image, image + at, d->pub.n_bytes);
    image[d->pub.n_bytes] = '\0';
    char *less = lf_realloc(image, d->pub.n_bytes + 1);
    d->image = less ? less : image;
    d->pub.text = d->image;
}

lf_status lf_doc_from_wire(lf_buf *wire, lf_doc **out, lf_err *err)
{
    lf_status st = LF_OK;
    wire_head h = { 0 };
    reader r = { .p = wire->data, .left = wire->len };
    doc_impl *d = lf_calloc(1, sizeof *d);
    if (!d) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a document");
        goto done;
    }
    const char *head = take(&r, 1, sizeof h);
    if (head)
        memcpy(&h, head, sizeof h);
    const char *text = take(&r, h.n_bytes, 1);
    const char *pages = take(&r, h.n_pages, sizeof(wire_page));
    const char *lines = take(&r, h.n_lines, sizeof(lf_line));
    const char *blocks = take(&r, h.n_blocks, sizeof(wire_block));
    const char *cells = take(&r, h.n_cells, sizeof(lf_cell));
    const char *warning = take(&r, h.n_warning, 1);
    const char *format = known_format(h.format);
    if (r.bad || r.left != 0 || memcmp(h.magic, WIRE_MAGIC, sizeof h.magic) != 0 || !format ||
        !lf_utf8_valid(text, h.n_bytes) || lf_utf8_count(text, h.n_bytes) != h.n_chars ||
        !lf_utf8_valid(warning, h.n_warning)) {
        st = lf_fail(err, LF_ERR_FORMAT, "the document reader's answer is not well formed");
        goto done;
    }
    d->pub = (lf_doc){ .n_bytes = h.n_bytes,
                       .n_chars = h.n_chars,
                       .format = format,
                       .n_blocks = h.n_blocks,
                       .n_lines = h.n_lines,
                       .n_pages = h.n_pages };
    if (!allocate(d, h.n_cells, warning, h.n_warning)) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a document of %u blocks", h.n_blocks);
        goto done;
    }
    if (!read_pages(&d->pub, pages) || !read_lines(&d->pub, lines) ||
        !read_blocks(&d->pub, blocks, cells, d->cells, h.n_cells)) {
        st = lf_fail(err, LF_ERR_FORMAT, "the document reader's answer is out of range");
        goto done;
    }
    keep_text(d, wire->data, (size_t)(text - wire->data));
    *wire = (lf_buf){ 0 };
    *out = &d->pub;
    d = NULL;
done:
    lf_doc_close(d ? &d->pub : NULL);
    lf_buf_release(wire);
    return st;
}

void lf_doc_close(lf_doc *doc)
{
    if (!doc)
        return;
    doc_impl *d = (doc_impl *)doc;
    lf_free(d->pub.pages);
    lf_free(d->pub.lines);
    lf_free(d->pub.blocks);
    lf_free(d->cells);
    lf_free(d->warning);
    lf_free(d->image);
    lf_free(d);
}

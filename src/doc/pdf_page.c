/* doc/pdf_page.c - what PDFium knows of one page: characters and drawn rules.
 *
 * PDFium's coordinates have their origin at the bottom left of the unrotated
 * page.  Here they become points from the top left of the page box, turned by
 * the text's main direction: /Rotate says how the page is shown, the text's own
 * angle says how it is read, and the two need not agree. */
#include <math.h>
#include <string.h>

#include "doc/pdf_int.h"
#include "text/utf8.h"

enum { MAX_CHARS = 400000, MAX_OBJECTS = 200000, MAX_RULES = 20000, MAX_DEPTH = 4 };

typedef struct raw_char {
    uint32_t cp;
    lf_box box; /* top left origin, unrotated */
    float size;
    uint8_t turns; /* clockwise quarter turns that make it upright */
    bool space_before, real_space, bold;
} raw_char;

typedef struct page_reader {
    const lf_pdfium *lib;
    void *page, *text;
    fpdf_rect bounds;
    lf_buf raw; /* raw_char[] */
    pdf_page *out;
    int turns; /* of the reading frame */
    size_t n_objects;
} page_reader;

lf_box pdf_turn(lf_box b, int quarter_turns, float w, float h)
{
    switch (quarter_turns & 3) {
    case 1:
        return (lf_box){ h - b.y1, b.x0, h - b.y0, b.x1 };
    case 2:
        return (lf_box){ w - b.x1, h - b.y1, w - b.x0, h - b.y0 };
    case 3:
        return (lf_box){ b.y0, w - b.x1, b.y1, w - b.x0 };
    default:
        return b;
    }
}

static lf_box from_pdf(const page_reader *r, double x0, double y0, double x1, double y1)
{
    lf_box b = { (float)(x0 < x1 ? x0 : x1) - r->bounds.left,
                 r->bounds.top - (float)(y0 > y1 ? y0 : y1),
                 (float)(x0 < x1 ? x1 : x0) - r->bounds.left,
                 r->bounds.top - (float)(y0 > y1 ? y1 : y0) };
    float *v[4] = { &b.x0, &b.y0, &b.x1, &b.y1 };
    for (int i = 0; i < 4; i++)
        if (!isfinite(*v[i]) || fabsf(*v[i]) > 1e6F)
            *v[i] = 0;
    if (b.x1 < b.x0)
        b.x1 = b.x0;
    if (b.y1 < b.y0)
        b.y1 = b.y0;
    return b;
}

/* ---- characters ---- */

static float em_of(const page_reader *r, int i)
{
    fpdf_matrix m = { 0 };
    const double size = r->lib->FPDFText_GetFontSize(r->text, i);
    double scale = 1;
    if (r->lib->FPDFText_GetMatrix(r->text, i, &m))
        scale = sqrt((double)m.c * m.c + (double)m.d * m.d);
    const float em = (float)(size * (scale > 0 ? scale : 1));
    return isfinite(em) && em > 0.5F && em < 2000 ? em : 10;
}

/* Line-high box where the font's metrics are sane, else the glyph's own. */
static lf_box box_of(const page_reader *r, int i, float em)
{
    fpdf_rect loose = { 0 };
    double x0 = 0, x1 = 0, y0 = 0, y1 = 0;
    const bool tight = r->lib->FPDFText_GetCharBox(r->text, i, &x0, &x1, &y0, &y1) != 0;
    lf_box b = from_pdf(r, x0, y0, x1, y1);
    if (r->lib->FPDFText_GetLooseCharBox(r->text, i, &loose)) {
        const lf_box l = from_pdf(r, (double)loose.left, (double)loose.bottom, (double)loose.right,
                                  (double)loose.top);
        const float w = l.x1 - l.x0, h = l.y1 - l.y0, most = 1.9F * em;
        if (!tight || (w <= most && h <= most && (w > 0.01F || h > 0.4F * em)))
            return l;
    }
    return b;
}

static bool has_bold_name(const page_reader *r, int i)
{
    char name[128] = "";
    int flags = 0;
    static const char *const words[] = { "Bold", "bold", "Black", "Heavy", "SimHei", "Semibold" };
    const unsigned long n = r->lib->FPDFText_GetFontInfo(r->text, i, name, sizeof name - 1, &flags);
    if (n == 0 || n > sizeof name - 1)
        return false;
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (strstr(name, words[k]))
            return true;
    return false;
}

static uint8_t turns_of(const page_reader *r, int i)
{
    const float angle = r->lib->FPDFText_GetCharAngle(r->text, i);
    if (!(angle > 0) || !isfinite(angle))
        return 0;
    const int quarter = (int)(angle / 1.57079633F + 0.5F); /* clockwise, as PDFium counts */
    return (uint8_t)((4 - (quarter & 3)) & 3);
}

static uint32_t cp_at(const page_reader *r, int i, int n)
{
    uint32_t cp = r->lib->FPDFText_GetUnicode(r->text, i);
    if (cp >= 0xD800 && cp < 0xDC00 && i + 1 < n) {
        const uint32_t lo = r->lib->FPDFText_GetUnicode(r->text, i + 1);
        if (lo >= 0xDC00 && lo < 0xE000)
            return 0x10000 + ((cp - 0xD800) << 10) + (lo - 0xDC00);
    }
    return cp;
}

static bool is_ignored(uint32_t cp)
{
    return cp == 0 || (cp >= 0xD800 && cp < 0xE000) || cp == 0xFFFE || cp == 0xFFFF ||
           cp == 0xFEFF || (cp < 32 && cp != 2);
}

static void read_chars(page_reader *r, bool *cut)
{
    int n = r->lib->FPDFText_CountChars(r->text);
    bool space = false, real = false, bold = false;
    float bold_em = -1;
    *cut = n > MAX_CHARS;
    n = *cut ? MAX_CHARS : n;
    for (int i = 0; i < n; i++) {
        uint32_t cp = cp_at(r, i, n);
        if (lf_cp_is_space(cp)) {
            space = true;
            real = real || r->lib->FPDFText_IsGenerated(r->text, i) != 1;
            continue;
        }
        if (is_ignored(cp))
            continue;
        if (cp == 2 || r->lib->FPDFText_IsHyphen(r->text, i) == 1)
            cp = '-'; /* PDFium marks a hyphen at a line's end so */
        raw_char c = { .cp = cp,
                       .size = em_of(r, i),
                       .turns = turns_of(r, i),
                       .space_before = space,
                       .real_space = real };
        c.box = box_of(r, i, c.size);
        if (space || c.size != bold_em) { /* the font is asked for once a word */
            bold = r->lib->FPDFText_GetFontWeight(r->text, i) >= 600 || has_bold_name(r, i);
            bold_em = c.size;
        }
        c.bold = bold;
        space = real = false;
        lf_buf_add(&r->raw, &c, sizeof c);
    }
}

static int main_turns(const page_reader *r)
{
    const raw_char *c = (const raw_char *)(const void *)r->raw.data;
    size_t count[4] = { 0 };
    for (size_t i = 0; i < pdf_count(&r->raw, sizeof *c); i++)
        count[c[i].turns]++;
    int best = 0;
    for (int k = 1; k < 4; k++)
        if (count[k] > count[best])
            best = k;
    return count[best] ? best : r->lib->FPDFPage_GetRotation(r->page) & 3;
}

static void place_chars(page_reader *r, float w, float h)
{
    const raw_char *c = (const raw_char *)(const void *)r->raw.data;
    for (size_t i = 0; i < pdf_count(&r->raw, sizeof *c); i++) {
        const lf_box b = pdf_turn(c[i].box, r->turns, w, h);
        if (b.x1 < -2 || b.y1 < -2 || b.x0 > r->out->width + 2 || b.y0 > r->out->height + 2)
            continue; /* outside the visible page */
        const pdf_char p = { .cp = c[i].cp,
                             .box = b,
                             .size = c[i].size,
                             .turns = (uint8_t)((c[i].turns - r->turns) & 3),
                             .space_before = c[i].space_before,
                             .real_space = c[i].real_space,
                             .bold = c[i].bold };
        lf_buf_add(&r->out->chars, &p, sizeof p);
    }
}

/* ---- rules and images ---- */

static fpdf_matrix multiply(fpdf_matrix m, fpdf_matrix n) /* first m, then n */
{
    return (fpdf_matrix){ m.a * n.a + m.b * n.c,       m.a * n.b + m.b * n.d,
                          m.c * n.a + m.d * n.c,       m.c * n.b + m.d * n.d,
                          m.e * n.a + m.f * n.c + n.e, m.e * n.b + m.f * n.d + n.f };
}

static lf_box box_through(const page_reader *r, fpdf_matrix m, float x0, float y0, float x1,
                          float y1)
{
    const float ax = m.a * x0 + m.c * y0 + m.e, ay = m.b * x0 + m.d * y0 + m.f;
    const float bx = m.a * x1 + m.c * y1 + m.e, by = m.b * x1 + m.d * y1 + m.f;
    const float w = r->bounds.right - r->bounds.left, h = r->bounds.top - r->bounds.bottom;
    return pdf_turn(from_pdf(r, (double)ax, (double)ay, (double)bx, (double)by), r->turns, w, h);
}

static void add_rule(page_reader *r, lf_box b)
{
    const float w = b.x1 - b.x0, h = b.y1 - b.y0;
    if (pdf_count(&r->out->across, sizeof(pdf_rule)) + pdf_count(&r->out->down, sizeof(pdf_rule)) >
        MAX_RULES)
        return;
    if (h <= 3 && w >= 4) {
        const pdf_rule k = { .at = (b.y0 + b.y1) / 2, .from = b.x0, .to = b.x1 };
        lf_buf_add(&r->out->across, &k, sizeof k);
    } else if (w <= 3 && h >= 4) {
        const pdf_rule k = { .at = (b.x0 + b.x1) / 2, .from = b.y0, .to = b.y1 };
        lf_buf_add(&r->out->down, &k, sizeof k);
    }
}

static void add_frame(page_reader *r, lf_box b)
{
    if (b.x1 - b.x0 <= 3 || b.y1 - b.y0 <= 3) {
        add_rule(r, b);
        return;
    }
    add_rule(r, (lf_box){ b.x0, b.y0, b.x1, b.y0 });
    add_rule(r, (lf_box){ b.x0, b.y1, b.x1, b.y1 });
    add_rule(r, (lf_box){ b.x0, b.y0, b.x0, b.y1 });
    add_rule(r, (lf_box){ b.x1, b.y0, b.x1, b.y1 });
}

/* A path's straight parts.  What is only filled is a rule when thin and a cell's
 * shading when not; both draw the same grid. */
static void read_path(page_reader *r, void *path, fpdf_matrix outer)
{
    const lf_pdfium *lib = r->lib;
    fpdf_matrix own = { 1, 0, 0, 1, 0, 0 };
    const int n = lib->FPDFPath_CountSegments(path);
    int fill = 0, stroke = 0;
    if (n <= 0 || n > 2000 || !lib->FPDFPath_GetDrawMode(path, &fill, &stroke) ||
        (!fill && !stroke))
        return;
    (void)lib->FPDFPageObj_GetMatrix(path, &own);
    const fpdf_matrix m = multiply(own, outer);
    float x0 = 0, y0 = 0, sx = 0, sy = 0, lo_x = 1e9F, lo_y = 1e9F, hi_x = -1e9F, hi_y = -1e9F;
    bool straight = true, axes = true;
    int n_edges = 0;
    for (int i = 0; i < n; i++) {
        float x = 0, y = 0;
        void *seg = lib->FPDFPath_GetPathSegment(path, i);
        const int type = lib->FPDFPathSegment_GetType(seg);
        if (!lib->FPDFPathSegment_GetPoint(seg, &x, &y))
            return;
        if (type == FPDF_SEGMENT_MOVETO) {
            sx = x;
            sy = y;
        } else if (type == FPDF_SEGMENT_LINETO) {
            axes = axes && (fabsf(x - x0) < 0.1F || fabsf(y - y0) < 0.1F);
            n_edges++;
            if (stroke)
                add_rule(r, box_through(r, m, x0, y0, x, y));
        } else {
            straight = false;
        }
        x0 = x;
        y0 = y;
        if (lib->FPDFPathSegment_GetClose(seg) && stroke)
            add_rule(r, box_through(r, m, x0, y0, sx, sy));
        lo_x = x < lo_x ? x : lo_x;
        hi_x = x > hi_x ? x : hi_x;
        lo_y = y < lo_y ? y : lo_y;
        hi_y = y > hi_y ? y : hi_y;
    }
    const lf_box all = box_through(r, m, lo_x, lo_y, hi_x, hi_y);
    const bool thin = all.x1 - all.x0 <= 3 || all.y1 - all.y0 <= 3;
    if (fill && !stroke && straight && n_edges >= 2 && (thin || (axes && n_edges <= 5)))
        add_frame(r, all);
}

static void read_object(page_reader *r, void *obj, fpdf_matrix outer, int depth)
{
    const lf_pdfium *lib = r->lib;
    if (++r->n_objects > MAX_OBJECTS)
        return;
    const int type = lib->FPDFPageObj_GetType(obj);
    if (type == FPDF_OBJ_PATH) {
        read_path(r, obj, outer);
    } else if (type == FPDF_OBJ_IMAGE) {
        float x0, y0, x1, y1;
        const float page = r->out->width * r->out->height;
        if (lib->FPDFPageObj_GetBounds(obj, &x0, &y0, &x1, &y1) && page > 0) {
            const lf_box b = box_through(r, outer, x0, y0, x1, y1);
            const float share = (b.x1 - b.x0) * (b.y1 - b.y0) / page;
            if (share > r->out->image_area)
                r->out->image_area = share;
        }
    } else if (type == FPDF_OBJ_FORM && depth < MAX_DEPTH) {
        fpdf_matrix own = { 1, 0, 0, 1, 0, 0 };
        (void)lib->FPDFPageObj_GetMatrix(obj, &own);
        const fpdf_matrix m = multiply(own, outer);
        const int n = lib->FPDFFormObj_CountObjects(obj);
        for (int i = 0; i < n && r->n_objects <= MAX_OBJECTS; i++)
            read_object(r, lib->FPDFFormObj_GetObject(obj, (unsigned long)i), m, depth + 1);
    }
}

/* ---- the page ---- */

static float common_size(const lf_buf *chars)
{
    uint32_t count[200] = { 0 };
    const pdf_char *c = (const pdf_char *)(const void *)chars->data;
    for (size_t i = 0; i < pdf_count(chars, sizeof *c); i++)
        count[c[i].size * 2 < 199 ? (int)(c[i].size * 2 + 0.5F) : 199]++;
    int best = 20;
    for (int k = 1; k < 200; k++)
        if (count[k] > count[best])
            best = k;
    return (float)best / 2;
}

lf_status pdf_page_read(const lf_pdfium *lib, void *doc, int index, pdf_page *p, lf_page *info,
                        lf_err *err)
{
    lf_status st = LF_OK;
    bool cut = false;
    page_reader r = { .lib = lib, .out = p };
    *info = (lf_page){ 0 };
    p->number = index + 1;
    r.page = lib->FPDF_LoadPage(doc, index);
    if (!r.page)
        return LF_OK; /* a damaged page is an empty one: the rest is still worth reading */
    const int shown = lib->FPDFPage_GetRotation(r.page) & 3;
    info->width = lib->FPDF_GetPageWidthF(r.page);
    info->height = lib->FPDF_GetPageHeightF(r.page);
    if (!lib->FPDF_GetPageBoundingBox(r.page, &r.bounds) || r.bounds.right <= r.bounds.left)
        r.bounds = (fpdf_rect){ 0, shown & 1 ? info->width : info->height,
                                shown & 1 ? info->height : info->width, 0 };
    const float w = r.bounds.right - r.bounds.left, h = r.bounds.top - r.bounds.bottom;
    r.text = lib->FPDFText_LoadPage(r.page);
    if (r.text)
        read_chars(&r, &cut);
    r.turns = main_turns(&r);
    p->to_visible = (shown - r.turns) & 3;
    p->width = r.turns & 1 ? h : w;
    p->height = r.turns & 1 ? w : h;
    place_chars(&r, w, h);
    p->size = common_size(&p->chars);
    const int n = lib->FPDFPage_CountObjects(r.page);
    for (int i = 0; i < n && r.n_objects <= MAX_OBJECTS; i++)
        read_object(&r, lib->FPDFPage_GetObject(r.page, i), (fpdf_matrix){ 1, 0, 0, 1, 0, 0 }, 0);
    info->scanned = pdf_count(&p->chars, sizeof(pdf_char)) < 16 && p->image_area > 0.4F;
    if (p->chars.failed || p->across.failed || p->down.failed || r.raw.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for page %d", index + 1);
    else if (cut)
        st =
            lf_fail(err, LF_ERR_LIMIT, "page %d has more than %d characters", index + 1, MAX_CHARS);
    if (r.text)
        lib->FPDFText_ClosePage(r.text);
    lib->FPDF_ClosePage(r.page);
    lf_buf_release(&r.raw);
    return st;
}

void pdf_page_clear(pdf_page *p)
{
    lf_buf_clear(&p->chars);
    lf_buf_clear(&p->across);
    lf_buf_clear(&p->down);
    lf_buf_clear(&p->cells);
    p->n_tables = 0;
    p->image_area = 0;
}

void pdf_page_release(pdf_page *p)
{
    lf_buf_release(&p->chars);
    lf_buf_release(&p->across);
    lf_buf_release(&p->down);
    lf_buf_release(&p->cells);
    *p = (pdf_page){ 0 };
}

/* doc/doc_pdf.c - a PDF as a whole: from ordered lines to blocks.
 *
 * Pages are read one at a time and only their lines are kept (some 100 bytes a
 * line), so memory does not grow with what PDFium holds of a page.  Then, over
 * all pages:
 *
 * 1. The body's font size is the one that most characters have.
 * 2. Lines near the top or bottom edge that recur on other pages (digits read as
 *    one sign, for page numbers) are running heads and feet.
 * 3. Headings are larger than the body, or bold, or numbered in the Chinese way,
 *    and short; their sizes, in order, give the levels.
 * 4. Other lines join to paragraphs by pitch, indent and where the line before
 *    ended.  A block never crosses a page.
 *
 * Lines are joined by a space; not at all between CJK characters; and a hyphen at
 * a line's end goes when a small letter follows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doc/lines.h"
#include "doc/parser.h"
#include "doc/pdf_int.h"
#include "text/utf8.h"

enum { MAX_PAGES = 20000, MAX_LEVELS = 6, MAX_TEXT = 512 << 20 };

typedef struct assembler {
    const pdf_text *t;
    const pdf_line *lines;
    const lf_page *pages;
    size_t n_lines, n_pages;
    uint8_t *role;     /* per line: 0, or LF_BLOCK_HEADER / FOOTER + 1 */
    float body, pitch; /* em of the body; commonest line pitch in em */
    float sizes[MAX_LEVELS];
    int n_sizes;
    lf_builder *b;
} assembler;

static lf_str text_of(const assembler *a, const pdf_line *l)
{
    return (lf_str){ lf_buf_cstr(&a->t->text) + l->text, l->n_bytes };
}

/* ---- 1. sizes ---- */

static int size_slot(float size)
{
    return size * 2 < 399 ? (int)(size * 2 + 0.5F) : 399;
}

static void find_body(assembler *a)
{
    uint64_t by_size[400] = { 0 };
    uint32_t by_pitch[100] = { 0 };
    for (size_t i = 0; i < a->n_lines; i++) {
        const pdf_line *l = &a->lines[i];
        if (l->kind == PDF_LINE)
            by_size[size_slot(l->size)] += l->n_bytes;
    }
    int best = 20;
    for (int k = 1; k < 400; k++)
        if (by_size[k] > by_size[best])
            best = k;
    a->body = (float)best / 2;
    for (size_t i = 1; i < a->n_lines; i++) {
        const pdf_line *p = &a->lines[i - 1], *l = &a->lines[i];
        const float pitch = (l->read.y1 - p->read.y1) / (l->size > 0 ? l->size : 1);
        if (l->kind == PDF_LINE && p->kind == PDF_LINE && l->page == p->page &&
            fabsf(l->column0 - p->column0) < 1 && fabsf(l->size - p->size) < 0.3F && pitch > 0.8F &&
            pitch < 3.0F)
            by_pitch[(int)(pitch * 20)]++;
    }
    best = 24;
    for (int k = 16; k < 60; k++)
        if (by_pitch[k] > by_pitch[best])
            best = k;
    a->pitch = (float)(best + 1) / 20;
}

/* ---- 2. running heads and feet ---- */

static uint64_t masked_key(lf_str s, bool top)
{
    uint64_t h = top ? 0x9E3779B97F4A7C15u : 0xC2B2AE3D27D4EB4Fu;
    bool digit = false;
    for (const char *p = s.p, *end = s.p + s.len; p < end;) {
        const uint32_t cp = lf_utf8_next(&p, end);
        const bool is_digit = cp >= '0' && cp <= '9';
        if (lf_cp_is_space(cp) || (is_digit && digit))
            continue;
        digit = is_digit;
        h = (h ^ (is_digit ? '0' : cp)) * 0x100000001b3u;
    }
    return h | 1;
}

typedef struct seen {
    uint64_t key;
    uint32_t n_pages, last_page;
} seen;

/* 1 = top, 2 = bottom edge of its page, 0 = neither. */
static int edge_of(const assembler *a, const pdf_line *l)
{
    const float h = a->pages[l->page - 1].height;
    if (l->kind != PDF_LINE || l->n_bytes > 300 || l->size > 1.25F * a->body)
        return 0;
    return l->box.y1 < 0.09F * h ? 1 : l->box.y0 > 0.91F * h ? 2 : 0;
}

static seen *seen_of(seen *table, size_t cap, uint64_t key)
{
    size_t i = (size_t)(key >> 7) & (cap - 1);
    while (table[i].key && table[i].key != key)
        i = (i + 1) & (cap - 1);
    table[i].key = key;
    return &table[i];
}

static bool find_running(assembler *a)
{
    size_t cap = 64, n = 0;
    for (size_t i = 0; i < a->n_lines; i++)
        n += edge_of(a, &a->lines[i]) != 0;
    while (cap < 2 * n + 2)
        cap *= 2;
    seen *table = lf_calloc(cap, sizeof *table);
    a->role = lf_calloc(a->n_lines, 1);
    if (!table || !a->role) {
        lf_free(table);
        return false;
    }
    const size_t fifth = a->n_pages / 5;
    const size_t need = a->n_pages <= 3 ? 2 : fifth < 3 ? 3 : fifth > 20 ? 20 : fifth;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < a->n_lines; i++) {
            const pdf_line *l = &a->lines[i];
            const int edge = edge_of(a, l);
            if (!edge)
                continue;
            seen *s = seen_of(table, cap, masked_key(text_of(a, l), edge == 1));
            if (pass == 0 && s->last_page != (uint32_t)l->page) {
                s->last_page = (uint32_t)l->page;
                s->n_pages++;
            }
            if (pass == 1 && s->n_pages >= need)
                a->role[i] = (uint8_t)((edge == 1 ? LF_BLOCK_HEADER : LF_BLOCK_FOOTER) + 1);
        }
    lf_free(table);
    return true;
}

/* ---- 3. headings ---- */

static bool has_letters(lf_str s)
{
    size_t n = 0;
    for (const char *p = s.p, *end = s.p + s.len; p < end && n < 2;) {
        const uint32_t cp = lf_utf8_next(&p, end);
        n += !lf_line_is_punct(cp) && !lf_cp_is_space(cp) && !(cp >= '0' && cp <= '9');
    }
    return n >= 2;
}

static bool is_large(const assembler *a, const pdf_line *l)
{
    return l->size >= 1.12F * a->body && l->n_bytes <= 300 && has_letters(text_of(a, l));
}

static bool is_strong(const assembler *a, const pdf_line *l)
{
    const lf_str s = text_of(a, l);
    return l->bold && l->size >= 0.96F * a->body && lf_line_is_short(s) && !lf_line_bullet(s) &&
           !lf_line_is_caption(s);
}

static bool is_numbered(const assembler *a, const pdf_line *l)
{
    const lf_str s = text_of(a, l);
    lf_numbering n;
    return l->size >= 0.96F * a->body && lf_line_is_short(s) && lf_line_numbering(s, &n) &&
           n.kind <= LF_NUM_HAN_1 && !lf_line_toc(s, NULL);
}

static void find_levels(assembler *a)
{
    uint32_t count[400] = { 0 };
    for (size_t i = 0; i < a->n_lines; i++)
        if (a->lines[i].kind == PDF_LINE && !a->role[i] && !a->lines[i].sideways &&
            is_large(a, &a->lines[i]))
            count[size_slot(a->lines[i].size)]++;
    for (int k = 399; k > 0 && a->n_sizes < MAX_LEVELS - 1; k--)
        if (count[k] && (a->n_sizes == 0 || (float)k / 2 < 0.95F * a->sizes[a->n_sizes - 1]))
            a->sizes[a->n_sizes++] = (float)k / 2;
}

/* 0 = no heading */
static int level_of(const assembler *a, size_t i)
{
    const pdf_line *l = &a->lines[i];
    if (l->kind != PDF_LINE || a->role[i] || l->sideways)
        return 0;
    if (is_large(a, l)) {
        int k = 0;
        while (k + 1 < a->n_sizes && l->size < 0.95F * a->sizes[k])
            k++;
        return k + 1;
    }
    if (!is_strong(a, l) && !is_numbered(a, l))
        return 0;
    const pdf_line *next = i + 1 < a->n_lines ? &a->lines[i + 1] : NULL;
    const bool full =
        l->read.x1 - l->read.x0 > 0.9F * (l->column1 - l->column0) && l->column1 - l->column0 > 200;
    if (full && next && next->page == l->page && next->kind == PDF_LINE && next->bold == l->bold)
        return 0; /* a bold paragraph */
    return a->n_sizes + 1 + (is_strong(a, l) ? 0 : a->n_sizes + 1 < MAX_LEVELS);
}

/* ---- 4. blocks ---- */

static uint32_t cp_first(lf_str s)
{
    const char *p = s.p;
    return s.len ? lf_utf8_next(&p, s.p + s.len) : 0;
}

static uint32_t cp_last(lf_str s)
{
    size_t k = s.len;
    while (k > 0 && ((unsigned char)s.p[--k] & 0xC0) == 0x80) {
    }
    return cp_first((lf_str){ s.p + k, s.len - k });
}

static bool is_cjk(uint32_t cp)
{
    return lf_cp_is_han(cp) || (cp >= 0x3000 && cp <= 0x30FF) || (cp >= 0xFF00 && cp <= 0xFFEF);
}

static bool is_letter(uint32_t cp)
{
    return (cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z') || (cp >= 0xC0 && cp <= 0x24F);
}

/* The word goes on in `next`: drop the hyphen. */
static bool is_hyphenated(lf_str s, lf_str next)
{
    const uint32_t last = cp_last(s), first = cp_first(next);
    if ((last != '-' && last != 0xAD && last != 0x2010) || s.len < 3)
        return false;
    char seq[4];
    const size_t n = lf_utf8_put(last, seq);
    for (size_t k = s.len - n; k > 0 && s.p[k - 1] != ' '; k--)
        if (s.p[k - 1] == '-')
            return false; /* state-of-the-art has its own hyphens */
    return is_letter(cp_last((lf_str){ s.p, s.len - n })) && first >= 'a' && first <= 'z';
}

static void unite(lf_box *a, const lf_box *b)
{
    a->x0 = fminf(a->x0, b->x0);
    a->y0 = fminf(a->y0, b->y0);
    a->x1 = fmaxf(a->x1, b->x1);
    a->y1 = fmaxf(a->y1, b->y1);
}

static void put_source_line(assembler *a, const pdf_line *l, lf_str s)
{
    const uint32_t start = a->b->n_chars;
    lf_builder_add(a->b, s.p, s.len);
    lf_builder_line(
        a->b, &(lf_line){ .start = start, .end = a->b->n_chars, .page = l->page, .box = l->box });
}

/* Lines [from, to), joined; `stride` lines are all of running text. */
static void put_joined(assembler *a, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        lf_str s = text_of(a, &a->lines[i]);
        const lf_str next = i + 1 < to ? text_of(a, &a->lines[i + 1]) : (lf_str){ 0 };
        const bool hyphen = i + 1 < to && is_hyphenated(s, next);
        if (hyphen) {
            char seq[4];
            s.len -= lf_utf8_put(cp_last(s), seq);
        }
        put_source_line(a, &a->lines[i], s);
        if (i + 1 < to && !hyphen && !is_cjk(cp_last(s)) && !is_cjk(cp_first(next)) &&
            cp_last(s) != '-')
            lf_builder_add_str(a->b, " ");
    }
}

static void put_block(assembler *a, lf_block_type type, int level, size_t from, size_t to)
{
    lf_builder_separate(a->b, "\n");
    lf_block blk = { .type = type,
                     .level = level > MAX_LEVELS ? MAX_LEVELS : level,
                     .page = a->lines[from].page,
                     .box = a->lines[from].box,
                     .start = a->b->n_chars };
    put_joined(a, from, to);
    for (size_t i = from + 1; i < to; i++)
        unite(&blk.box, &a->lines[i].box);
    blk.end = a->b->n_chars;
    lf_builder_block(a->b, &blk);
}

/* How far the lines around i reach: the column's true right end here, where wider
 * text stands above or below. */
static float reach_around(const assembler *a, size_t i)
{
    float x1 = 0;
    for (size_t k = i > 4 ? i - 4 : 0; k < a->n_lines && k < i + 5; k++)
        if (a->lines[k].kind == PDF_LINE && a->lines[k].page == a->lines[i].page && !a->role[k] &&
            fabsf(a->lines[k].column0 - a->lines[i].column0) < 1)
            x1 = fmaxf(x1, a->lines[k].read.x1);
    return x1;
}

/* A full stop, with a closing quote or bracket perhaps. */
static bool ends_statement(lf_str s)
{
    static const char *const closers[] = { "”", "’", "\"", "'", ")", "）", "」", "』", "》" };
    static const char *const stops[] = { "。", "！", "？", ".", "!", "?", "；", ";", "…" };
    for (size_t i = 0; i < sizeof closers / sizeof closers[0]; i++)
        if (lf_str_ends(s, closers[i])) {
            s.len -= strlen(closers[i]);
            break;
        }
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        if (lf_str_ends(s, stops[i]))
            return true;
    return false;
}

/* Does line i go on with the paragraph that began at `from`? */
static bool joins(const assembler *a, size_t from, size_t i, bool list)
{
    const pdf_line *f = &a->lines[from], *p = &a->lines[i - 1], *l = &a->lines[i];
    const lf_str above = text_of(a, p), here = text_of(a, l);
    lf_numbering num;
    const float em = l->size > 0 ? l->size : 10, right = reach_around(a, i - 1);
    const float pitch = (l->read.y1 - p->read.y1) / em;
    if (l->kind != PDF_LINE || l->page != p->page || a->role[i] || level_of(a, i) ||
        fabsf(l->column0 - p->column0) > 1 || fabsf(l->size - f->size) > 0.08F * f->size ||
        l->bold != p->bold || l->sideways != p->sideways)
        return false;
    if (pitch < 0.3F || pitch > 1.2F * fmaxf(a->pitch, 1.15F))
        return false;
    if (lf_line_bullet(here) || lf_line_toc(here, NULL) || lf_line_toc(above, NULL) ||
        (lf_line_numbering(here, &num) &&
         !(num.kind == LF_NUM_NUMBER && p->read.x1 > right - em && !ends_statement(above))))
        return false;
    if (is_hyphenated(above, here))
        return true;
    if (list && l->read.x0 > f->read.x0 + 0.5F * em)
        return true;
    const float margin = i - from > 1 ? p->read.x0 : fminf(p->read.x0, l->read.x0);
    if (l->read.x0 > margin + 1.2F * em)
        return false; /* first-line indent */
    const bool short_line = p->read.x1 < right - fmaxf(2 * em, 0.12F * (right - p->column0));
    return !(short_line && (ends_statement(above) || lf_line_ends_with_colon(above) || list));
}

static size_t put_text(assembler *a, size_t i)
{
    const lf_str s = text_of(a, &a->lines[i]);
    const int level = level_of(a, i);
    lf_numbering num;
    size_t to = i + 1;
    if (a->role[i]) {
        put_block(a, (lf_block_type)(a->role[i] - 1), 0, i, to);
        return to;
    }
    if (level) { /* a heading of several lines */
        while (to < a->n_lines && level_of(a, to) == level &&
               a->lines[to].page == a->lines[i].page &&
               a->lines[to].read.y0 - a->lines[to - 1].read.y1 < 0.6F * a->lines[i].size &&
               a->lines[to].read.y0 > a->lines[to - 1].read.y0 && is_large(a, &a->lines[i]) &&
               !lf_line_numbering(text_of(a, &a->lines[to]), &num))
            to++;
        put_block(a, LF_BLOCK_HEADING, level, i, to);
        return to;
    }
    const bool list =
        lf_line_bullet(s) > 0 || (lf_line_numbering(s, &num) && num.kind == LF_NUM_NUMBER);
    while (to < a->n_lines && joins(a, i, to, list))
        to++;
    const float em = a->lines[i].size > 0 ? a->lines[i].size : 10;
    const int nesting = 1 + (int)((a->lines[i].read.x0 - a->lines[i].column0) / (2.5F * em));
    put_block(a, list ? LF_BLOCK_LIST_ITEM : LF_BLOCK_PARAGRAPH,
              list ? (nesting > MAX_LEVELS ? MAX_LEVELS : nesting) : 0, i, to);
    return to;
}

/* ---- tables ---- */

/* Lines of cells from `first` on, then the table itself at `at`. */
static bool put_table(assembler *a, size_t first, size_t at)
{
    const pdf_line *t = &a->lines[at];
    const pdf_cell *src = (const pdf_cell *)(const void *)a->t->cells.data + t->cell;
    lf_cell *cells = lf_calloc(t->n_cells, sizeof *cells);
    uint32_t *next = lf_alloc((at - first + 1) * sizeof *next); /* lines in order of cells */
    if (!cells || !next) {
        lf_free(cells);
        lf_free(next);
        return false;
    }
    const size_t n = at - first;
    for (size_t i = 0; i < n; i++) { /* stable; they come nearly sorted */
        size_t k = i;
        const uint32_t line = (uint32_t)(first + i);
        while (k > 0 && a->lines[next[k - 1]].cell > a->lines[line].cell) {
            next[k] = next[k - 1];
            k--;
        }
        next[k] = line;
    }
    lf_builder_separate(a->b, "\n");
    lf_block blk = { .type = LF_BLOCK_TABLE,
                     .page = t->page,
                     .box = t->box,
                     .start = a->b->n_chars,
                     .cells = cells,
                     .n_cells = t->n_cells };
    size_t k = 0;
    for (uint32_t c = 0; c < t->n_cells; c++) {
        if (c)
            lf_builder_add_str(a->b, src[c].row != src[c - 1].row ? "\n" : "\t");
        cells[c] = (lf_cell){ .row = src[c].row,
                              .col = src[c].col,
                              .n_rows = src[c].n_rows,
                              .n_cols = src[c].n_cols,
                              .box = src[c].box,
                              .start = a->b->n_chars };
        for (bool any = false; k < n && a->lines[next[k]].cell == t->cell + c; k++, any = true) {
            const lf_str s = text_of(a, &a->lines[next[k]]);
            const lf_str have = { a->b->text.data, a->b->text.len };
            if (any && !is_cjk(cp_last(have)) && !is_cjk(cp_first(s)))
                lf_builder_add_str(a->b, " ");
            put_source_line(a, &a->lines[next[k]], s);
        }
        cells[c].end = a->b->n_chars;
    }
    blk.end = a->b->n_chars;
    lf_builder_block(a->b, &blk);
    lf_free(cells);
    lf_free(next);
    return true;
}

static bool assemble(assembler *a)
{
    size_t i = 0;
    find_body(a);
    if (!find_running(a))
        return false;
    find_levels(a);
    while (i < a->n_lines && !a->b->failed) {
        if (a->lines[i].kind == PDF_LINE) {
            i = put_text(a, i);
            continue;
        }
        size_t at = i;
        while (at < a->n_lines && a->lines[at].kind == PDF_CELL_LINE)
            at++;
        if (at < a->n_lines && !put_table(a, i, at))
            return false;
        i = at + 1;
    }
    return true;
}

/* ---- reading ---- */

static void warn_of_scans(lf_builder *b, const lf_page *pages, size_t n_pages)
{
    lf_buf list = { 0 };
    size_t n = 0;
    for (size_t i = 0; i < n_pages; i++)
        if (pages[i].scanned && ++n <= 12)
            lf_buf_addf(&list, "%s%zu", n > 1 ? ", " : "", i + 1);
    if (n)
        lf_builder_warn(b,
                        "%zu of %zu pages are scanned images without text and were not read: %s%s",
                        n, n_pages, lf_buf_cstr(&list), n > 12 ? ", ..." : "");
    lf_buf_release(&list);
}

static lf_status read_pages(const lf_pdfium *lib, void *doc, int n_pages, pdf_text *t,
                            lf_builder *b, lf_err *err)
{
    pdf_page page = { 0 };
    lf_status st = LF_OK;
    for (int i = 0; i < n_pages && st == LF_OK; i++) {
        lf_page info = { 0 };
        pdf_page_clear(&page);
        st = pdf_page_read(lib, doc, i, &page, &info, err);
        if (st != LF_OK)
            break;
        lf_builder_page(b, &info);
        lf_buf_add(&t->pages, &info, sizeof info);
        if (info.width <= 0)
            lf_builder_warn(b, "page %d is damaged and was not read", i + 1);
        else
            pdf_page_layout(&page, t);
        if (t->failed || t->pages.failed || page.failed)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for page %d", i + 1);
        else if (t->text.len > MAX_TEXT)
            st = lf_fail(err, LF_ERR_LIMIT, "the PDF's text is over %d MiB", MAX_TEXT >> 20);
    }
    pdf_page_release(&page);
    return st;
}

lf_status lf_doc_read_pdf(const uint8_t *p, size_t n, const lf_doc_tools *tools, lf_builder *b,
                          lf_err *err)
{
    const lf_pdfium *lib = &tools->pdfium;
    pdf_text t = { 0 };
    assembler a = { .t = &t, .b = b };
    void *doc = NULL;
    lf_status st = lf_pdfium_load(lib, p, n, &doc, err);
    if (st != LF_OK)
        return st;
    const int n_pages = lib->FPDF_GetPageCount(doc);
    if (n_pages < 1)
        st = lf_fail(err, LF_ERR_FORMAT, "the PDF has no pages");
    else if (n_pages > MAX_PAGES)
        st =
            lf_fail(err, LF_ERR_LIMIT, "the PDF has %d pages, the limit is %d", n_pages, MAX_PAGES);
    else
        st = read_pages(lib, doc, n_pages, &t, b, err);
    if (st == LF_OK) {
        a.lines = (const pdf_line *)(const void *)t.lines.data;
        a.n_lines = pdf_count(&t.lines, sizeof *a.lines);
        a.pages = (const lf_page *)(const void *)t.pages.data;
        a.n_pages = pdf_count(&t.pages, sizeof *a.pages);
        warn_of_scans(b, a.pages, a.n_pages);
        if (!assemble(&a))
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the blocks of a PDF");
    }
    lib->FPDF_CloseDocument(doc);
    lf_free(a.role);
    lf_buf_release(&t.text);
    lf_buf_release(&t.lines);
    lf_buf_release(&t.cells);
    lf_buf_release(&t.pages);
    return st == LF_OK ? lf_builder_status(b, err) : st;
}

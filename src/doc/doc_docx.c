/* doc/doc_docx.c - DOCX: the story parts of a WordprocessingML package as blocks.
 *
 * ECMA-376 part 1, sections 17.3 (paragraphs, runs), 17.4 (tables), 17.9
 * (numbering), 17.11 (footnotes), 17.13.5 (revisions).  One streaming pass over
 * each part; paragraphs nest (text boxes stand inside a run), so their state is
 * a stack.  Left out: deleted and moved-away text, field instructions, hidden
 * text, and mc:Fallback, which repeats the text box that mc:Choice holds.
 * Numbers of headings and list items are not in the text of a DOCX; they are
 * computed, since people cite them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "doc/docx_int.h"
#include "doc/parser.h"

enum { MAX_NESTED = 64, MAX_COLS = 1000, MAX_ROWS = 200000 };

typedef struct para {
    lf_buf text;
    char style[DOCX_ID];
    int num_id, num_level, outline;
} para;

typedef struct story {
    xmlTextReaderPtr r;
    docx_tables *t;
    lf_builder *b;
    lf_block_type plain; /* what a paragraph is: PARAGRAPH, HEADER or FOOTER */
    para stack[MAX_NESTED];
    int depth;  /* open paragraphs */
    int tables; /* open tables; inner ones are read as text of the outer cell */
    bool hidden, in_ppr;
    const char *note; /* mark in front of the next paragraph, or NULL */
    /* the open outer table */
    lf_buf cells; /* lf_cell[]: start and end are bytes of cell_text until the table ends */
    lf_buf cell_text;
    int32_t row, col, span;
    bool merged_below, in_cell;
    int32_t open_in_col[MAX_COLS]; /* 1 + index of the cell that a vMerge goes on */
} story;

static para *top(story *s)
{
    return s->depth > 0 ? &s->stack[s->depth - 1] : NULL;
}

/* ---- paragraphs ---- */

static void begin_paragraph(story *s)
{
    if (s->depth == MAX_NESTED) {
        s->b->failed = true;
        return;
    }
    s->stack[s->depth++] = (para){ .num_id = -1, .num_level = -1, .outline = -1 };
    s->hidden = false;
}

static void add_to_cell(story *s, const para *p)
{
    const lf_cell *c = (const lf_cell *)(const void *)s->cells.data;
    const size_t n = s->cells.len / sizeof *c;
    if (p->text.len == 0 || n == 0)
        return;
    if (s->cell_text.len > c[n - 1].start)
        lf_buf_add_str(&s->cell_text, " ");
    for (size_t i = 0; i < p->text.len; i++) /* a cell is one line of its row */
        lf_buf_add_char(&s->cell_text,
                        p->text.data[i] == '\n' || p->text.data[i] == '\t' ? ' ' : p->text.data[i]);
}

static bool is_blank(const lf_buf *b)
{
    return lf_str_trim((lf_str){ lf_buf_cstr(b), b->len }).len == 0;
}

static void put_paragraph(story *s, const para *p)
{
    char number[96];
    int num_id = p->num_id, num_level = p->num_level;
    const int styled = docx_heading_level(s->t, p->style);
    const int level = s->plain != LF_BLOCK_PARAGRAPH ? 0
                      : p->outline >= 0              ? (p->outline <= 8 ? p->outline + 1 : 0)
                                                     : styled;
    docx_style_numbering(s->t, p->style, &num_id, &num_level);
    num_level = num_level < 0 ? 0 : num_level;
    if (is_blank(&p->text))
        return;
    number[0] = '\0';
    if (num_id > 0)
        docx_number(s->t, num_id, num_level, number, sizeof number);
    lf_builder_separate(s->b, "\n");
    lf_block blk = { .type = s->plain, .start = s->b->n_chars };
    if (s->note)
        lf_builder_add_str(s->b, s->note);
    s->note = NULL;
    if (number[0]) {
        lf_builder_add_str(s->b, number);
        lf_builder_add_str(s->b, " ");
    }
    lf_builder_add(s->b, p->text.data, p->text.len);
    if (level) {
        blk.type = LF_BLOCK_HEADING;
        blk.level = level > 6 ? 6 : level;
    } else if (s->plain == LF_BLOCK_PARAGRAPH && docx_is_code(s->t, p->style)) {
        blk.type = LF_BLOCK_CODE;
    } else if (s->plain == LF_BLOCK_PARAGRAPH && num_id > 0) {
        blk.type = LF_BLOCK_LIST_ITEM;
        blk.level = num_level + 1;
    }
    blk.end = s->b->n_chars;
    lf_builder_block(s->b, &blk);
}

static void end_paragraph(story *s)
{
    para *p = top(s);
    if (!p)
        return;
    s->b->failed = s->b->failed || p->text.failed;
    if (s->tables > 0)
        add_to_cell(s, p);
    else if (!s->b->failed)
        put_paragraph(s, p);
    lf_buf_release(&p->text);
    s->depth--;
}

/* ---- tables ---- */

static void begin_cell(story *s)
{
    const lf_cell c = { .row = s->row,
                        .col = s->col,
                        .n_rows = 1,
                        .n_cols = 1,
                        .start = (uint32_t)s->cell_text.len,
                        .end = (uint32_t)s->cell_text.len };
    lf_buf_add(&s->cells, &c, sizeof c);
    s->span = 1;
    s->merged_below = false;
    s->in_cell = true;
}

static void end_cell(story *s)
{
    lf_cell *c = (lf_cell *)(void *)s->cells.data;
    const size_t n = s->cells.len / sizeof *c;
    if (!s->in_cell || n == 0 || s->cells.failed)
        return;
    lf_cell *last = &c[n - 1];
    last->end = (uint32_t)s->cell_text.len;
    last->n_cols = s->span;
    int32_t *open = s->col < MAX_COLS ? &s->open_in_col[s->col] : NULL;
    if (open && s->merged_below && *open > 0) {
        lf_cell *above = &c[*open - 1];
        if (above->row + above->n_rows == s->row)
            above->n_rows++;
        s->cells.len -= sizeof *c; /* a continued cell has no text of its own */
        s->cell_text.len = last->start;
    } else if (open) {
        *open = (int32_t)n;
    }
    s->col += s->span;
    s->in_cell = false;
}

static void begin_table(story *s)
{
    if (s->tables++ > 0)
        return;
    lf_buf_clear(&s->cells);
    lf_buf_clear(&s->cell_text);
    memset(s->open_in_col, 0, sizeof s->open_in_col);
    s->row = -1;
    s->in_cell = false;
}

static void end_table(story *s)
{
    if (s->tables == 0 || --s->tables > 0)
        return;
    lf_cell *c = (lf_cell *)(void *)s->cells.data;
    const size_t n = s->cells.len / sizeof *c;
    s->b->failed = s->b->failed || s->cells.failed || s->cell_text.failed;
    if (s->b->failed || n == 0)
        return;
    lf_builder_separate(s->b, "\n");
    lf_block blk = { .type = n > 1 && s->plain == LF_BLOCK_PARAGRAPH ? LF_BLOCK_TABLE : s->plain,
                     .start = s->b->n_chars };
    for (size_t i = 0; i < n; i++) {
        const size_t from = c[i].start, to = c[i].end;
        if (i)
            lf_builder_add_str(s->b, c[i].row != c[i - 1].row ? "\n" : "\t");
        c[i].start = s->b->n_chars;
        lf_builder_add(s->b, s->cell_text.data ? s->cell_text.data + from : "", to - from);
        c[i].end = s->b->n_chars;
    }
    blk.end = s->b->n_chars;
    blk.cells = blk.type == LF_BLOCK_TABLE ? c : NULL;
    blk.n_cells = blk.type == LF_BLOCK_TABLE ? n : 0;
    lf_builder_block(s->b, &blk);
}

/* ---- elements ---- */

static void paragraph_property(story *s, para *p)
{
    if (docx_is(s->r, "pStyle"))
        (void)docx_attr(s->r, "val", p->style, sizeof p->style);
    else if (docx_is(s->r, "numId"))
        p->num_id = docx_attr_int(s->r, "val", -1);
    else if (docx_is(s->r, "ilvl"))
        p->num_level = docx_attr_int(s->r, "val", -1);
    else if (docx_is(s->r, "outlineLvl"))
        p->outline = docx_attr_int(s->r, "val", -1);
}

static void table_element(story *s)
{
    if (s->tables != 1)
        return;
    if (docx_is(s->r, "tr")) {
        s->row += s->row < MAX_ROWS;
        s->col = 0;
    } else if (docx_is(s->r, "gridBefore")) {
        s->col = docx_attr_int(s->r, "val", 0) % MAX_COLS;
    } else if (docx_is(s->r, "tc") && s->row >= 0) {
        begin_cell(s);
    } else if (docx_is(s->r, "gridSpan") && s->in_cell) {
        const int n = docx_attr_int(s->r, "val", 1);
        s->span = n < 1 ? 1 : n > MAX_COLS ? MAX_COLS : n;
    } else if (docx_is(s->r, "vMerge") && s->in_cell) {
        char v[16];
        s->merged_below = !docx_attr(s->r, "val", v, sizeof v) || strcmp(v, "continue") == 0;
    }
}

static void add_text(story *s, const char *text)
{
    para *p = top(s);
    if (p && !s->hidden)
        lf_buf_add_str(&p->text, text);
}

static void note_mark(story *s)
{
    char mark[24];
    const int id = docx_attr_int(s->r, "id", 0);
    if (id > 0) {
        (void)snprintf(mark, sizeof mark, "[%d]", id);
        add_text(s, mark);
    }
}

static void run_element(story *s)
{
    char kind[16];
    if (docx_is(s->r, "tab") && !s->in_ppr)
        add_text(s, "\t");
    else if (docx_is(s->r, "cr"))
        add_text(s, "\n");
    else if (docx_is(s->r, "br") && !(docx_attr(s->r, "type", kind, sizeof kind) && kind[0] != 't'))
        add_text(s, "\n");
    else if (docx_is(s->r, "noBreakHyphen"))
        add_text(s, "-");
    else if (docx_is(s->r, "vanish") && !s->in_ppr)
        s->hidden = docx_attr_on(s->r);
    else if (docx_is(s->r, "footnoteReference") || docx_is(s->r, "endnoteReference"))
        note_mark(s);
}

/* Subtrees whose text is not the document's. */
static bool is_left_out(story *s)
{
    static const char *const names[] = { "del",          "moveFrom",  "instrText", "delText",
                                         "delInstrText", "pPrChange", "rPrChange", "tblPrChange",
                                         "tcPrChange",   "sectPr",    "rubyPr",    "rt" };
    const xmlChar *local = xmlTextReaderConstLocalName(s->r);
    if (local && strcmp((const char *)local, "Fallback") == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (docx_is(s->r, names[i]))
            return true;
    return false;
}

static void start_element(story *s)
{
    const bool empty = xmlTextReaderIsEmptyElement(s->r) == 1;
    if (docx_is(s->r, "p")) {
        begin_paragraph(s);
        if (empty)
            end_paragraph(s);
        return;
    }
    if (docx_is(s->r, "tbl") && !empty) {
        begin_table(s);
        return;
    }
    if (docx_is(s->r, "r"))
        s->hidden = false;
    if (docx_is(s->r, "pPr") && !empty)
        s->in_ppr = true;
    para *p = top(s);
    if (p && s->in_ppr)
        paragraph_property(s, p);
    table_element(s);
    run_element(s);
}

static void end_element(story *s)
{
    if (docx_is(s->r, "p"))
        end_paragraph(s);
    else if (docx_is(s->r, "tbl"))
        end_table(s);
    else if (docx_is(s->r, "tc") && s->tables == 1)
        end_cell(s);
    else if (docx_is(s->r, "pPr"))
        s->in_ppr = false;
}

/* One part.  With `notes`, each w:footnote begins with its mark. */
static lf_status read_story(story *s, const lf_buf *part, const char *name, bool notes, lf_err *err)
{
    char mark[24];
    int more = 0, skip_depth = -1;
    bool in_t = false;
    lf_status st = docx_xml_open(part, &s->r, err);
    if (st != LF_OK)
        return st;
    while (!s->b->failed && (more = docx_xml_next(s->r, name, err)) == 1) {
        const int type = xmlTextReaderNodeType(s->r), depth = xmlTextReaderDepth(s->r);
        if (skip_depth >= 0) {
            if (depth > skip_depth || type != XML_READER_TYPE_END_ELEMENT)
                continue;
            skip_depth = -1;
            continue;
        }
        if (type == XML_READER_TYPE_ELEMENT) {
            const bool empty = xmlTextReaderIsEmptyElement(s->r) == 1;
            char kind[32];
            const bool separator =
                notes && (docx_is(s->r, "footnote") || docx_is(s->r, "endnote")) &&
                docx_attr(s->r, "type", kind, sizeof kind) && strcmp(kind, "normal") != 0;
            if (is_left_out(s) || separator) {
                skip_depth = empty ? -1 : depth;
                continue;
            }
            if (notes && (docx_is(s->r, "footnote") || docx_is(s->r, "endnote"))) {
                (void)snprintf(mark, sizeof mark, "[%d] ", docx_attr_int(s->r, "id", 0));
                s->note = mark;
            }
            in_t = docx_is(s->r, "t") && !empty;
            start_element(s);
        } else if (type == XML_READER_TYPE_END_ELEMENT) {
            in_t = false;
            end_element(s);
        } else if (in_t && (type == XML_READER_TYPE_TEXT || type == XML_READER_TYPE_CDATA ||
                            type == XML_READER_TYPE_SIGNIFICANT_WHITESPACE ||
                            type == XML_READER_TYPE_WHITESPACE)) {
            const xmlChar *v = xmlTextReaderConstValue(s->r);
            add_text(s, v ? (const char *)v : "");
        }
    }
    while (s->depth > 0)
        lf_buf_release(&s->stack[--s->depth].text);
    s->tables = 0;
    s->note = NULL;
    xmlFreeTextReader(s->r);
    s->r = NULL;
    return more < 0 ? LF_ERR_FORMAT : lf_builder_status(s->b, err);
}

/* ---- the package ---- */

static lf_status read_part(docx_package *k, story *s, const char *name, bool notes, lf_err *err)
{
    lf_buf part = { 0 };
    lf_status st = docx_read(k, name, &part, err);
    if (st == LF_OK)
        st = read_story(s, &part, name, notes, err);
    lf_buf_release(&part);
    return st;
}

/* word/header1.xml, word/header2.xml …: mostly the same text again, taken once. */
static lf_status read_running(docx_package *k, story *s, const char *prefix, lf_block_type type,
                              lf_err *err)
{
    lf_buf seen = { 0 };
    lf_status st = LF_OK;
    s->plain = type;
    for (size_t i = 0; i < docx_n_parts(k) && st == LF_OK; i++) {
        const char *name = docx_part_name(k, i);
        if (strncasecmp(name, prefix, strlen(prefix)) != 0 || !strstr(name, ".xml") ||
            strstr(name, ".rels"))
            continue;
        lf_buf part = { 0 };
        st = docx_read(k, name, &part, err);
        if (st == LF_OK &&
            !(seen.len == part.len && part.len && memcmp(seen.data, part.data, part.len) == 0))
            st = read_story(s, &part, name, false, err);
        lf_buf_release(&seen);
        seen = part;
    }
    lf_buf_release(&seen);
    s->plain = LF_BLOCK_PARAGRAPH;
    return st;
}

/* The main part: named by _rels/.rels, in practice always word/document.xml. */
static lf_status read_main(docx_package *k, story *s, lf_err *err)
{
    static const char *const names[] = { "word/document.xml", "word/document2.xml" };
    lf_err first = { 0 };
    lf_status st = read_part(k, s, names[0], false, &first);
    if (st != LF_ERR_NOT_FOUND)
        return st == LF_OK ? st : lf_fail(err, st, "%s", first.msg);
    st = read_part(k, s, names[1], false, err);
    return st != LF_ERR_NOT_FOUND
               ? st
               : lf_fail(err, LF_ERR_FORMAT, "the file is a zip, but no DOCX: it has no part '%s'",
                         names[0]);
}

lf_status lf_doc_read_docx(const uint8_t *p, size_t n, const lf_doc_tools *tools, lf_builder *b,
                           lf_err *err)
{
    static const char *const notes[] = { "word/footnotes.xml", "word/endnotes.xml" };
    (void)tools;
    docx_package *k = NULL;
    docx_tables t = { 0 };
    story *s = lf_calloc(1, sizeof *s);
    lf_status st =
        s ? docx_open(p, n, &k, err) : lf_fail(err, LF_ERR_NOMEM, "no memory for a DOCX");
    if (st != LF_OK)
        goto done;
    s->t = &t;
    s->b = b;
    s->plain = LF_BLOCK_PARAGRAPH;
    st = docx_tables_read(k, &t, err);
    if (st == LF_OK)
        st = read_running(k, s, "word/header", LF_BLOCK_HEADER, err);
    if (st == LF_OK)
        st = read_main(k, s, err);
    for (size_t i = 0; i < 2 && st == LF_OK; i++) {
        lf_err why = { 0 };
        st = read_part(k, s, notes[i], true, &why);
        st = st == LF_ERR_NOT_FOUND || st == LF_OK ? LF_OK : lf_fail(err, st, "%s", why.msg);
    }
    if (st == LF_OK)
        st = read_running(k, s, "word/footer", LF_BLOCK_FOOTER, err);
done:
    if (s) {
        lf_buf_release(&s->cells);
        lf_buf_release(&s->cell_text);
    }
    lf_free(s);
    docx_tables_release(&t);
    docx_close(k);
    return st == LF_OK ? lf_builder_status(b, err) : st;
}

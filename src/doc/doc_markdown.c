/* doc/doc_markdown.c - Markdown by blocks; the extracted text is the source itself.
 *
 * A block scanner of our own: what matters here is where blocks lie in the
 * source (spans are file positions), which md4c's rendering callbacks do not
 * say.  Inline marks (** ` []) stay in the text.  Recognised, after CommonMark
 * 0.31 and GitHub's tables: ATX and setext headings, fenced and indented code,
 * bullet and ordered lists with nesting by indent, pipe tables, block quotes
 * (as what is inside them), front matter and HTML comments (left out of the
 * blocks).  Every line belongs to at most one block. */
#include <string.h>

#include "doc/lines.h"
#include "doc/parser.h"
#include "text/utf8.h"

typedef struct md_line {
    lf_str s;       /* after indent and quote marks, without the newline, right-trimmed */
    size_t indent;  /* columns before s.p, tabs to the next 4 */
    size_t from;    /* bytes of the raw line */
    uint32_t start; /* code point of s.p */
    uint32_t end;
} md_line;

typedef struct md {
    const char *text;
    size_t n, at;
    uint32_t at_char;
    lf_builder *b;
    md_line cur;
    bool more;
    lf_buf cells;
} md;

static uint32_t count(const char *p, size_t n)
{
    return (uint32_t)lf_utf8_count(p, n);
}

/* Take the next line; false at the end. */
static bool next_line(md *m)
{
    if (m->at >= m->n)
        return m->more = false;
    const char *raw = m->text + m->at, *nl = memchr(raw, '\n', m->n - m->at);
    const size_t len = nl ? (size_t)(nl - raw) : m->n - m->at;
    size_t k = 0, indent = 0;
    for (; k < len; k++) {
        if (raw[k] == ' ')
            indent++;
        else if (raw[k] == '\t')
            indent += 4 - indent % 4;
        else if (raw[k] == '>' && indent < 4)
            indent = 0, k += k + 1 < len && raw[k + 1] == ' ';
        else
            break;
    }
    size_t end = len;
    while (end > k && (raw[end - 1] == ' ' || raw[end - 1] == '\t'))
        end--;
    m->cur = (md_line){ .s = { raw + k, end - k },
                        .indent = indent,
                        .from = m->at,
                        .start = m->at_char + count(raw, k),
                        .end = 0 };
    m->cur.end = m->cur.start + count(m->cur.s.p, m->cur.s.len);
    m->at_char += count(raw, len) + (nl ? 1 : 0);
    m->at += len + (nl ? 1 : 0);
    return m->more = true;
}

static void put(md *m, lf_block_type type, int level, uint32_t start, uint32_t end)
{
    lf_builder_block(m->b, &(lf_block){ .type = type, .level = level, .start = start, .end = end });
}

/* ---- what a line is ---- */

static int atx_level(lf_str s)
{
    size_t n = 0;
    while (n < s.len && s.p[n] == '#')
        n++;
    return n >= 1 && n <= 6 && (n == s.len || s.p[n] == ' ' || s.p[n] == '\t') ? (int)n : 0;
}

static size_t fence_length(lf_str s)
{
    size_t n = 0;
    while (n < s.len && s.p[n] == s.p[0])
        n++;
    return n >= 3 && (s.p[0] == '`' || s.p[0] == '~') ? n : 0;
}

/* Bytes of "- " or "12. "; 0 = no list item. */
static size_t item_marker(lf_str s)
{
    size_t k = 0;
    if (s.len && strchr("-*+", s.p[0]))
        k = 1;
    else
        while (k < s.len && k < 9 && s.p[k] >= '0' && s.p[k] <= '9')
            k++;
    if (k && s.p[k - 1] >= '0' && s.p[k - 1] <= '9')
        k = k < s.len && (s.p[k] == '.' || s.p[k] == ')') ? k + 1 : 0;
    if (!k || k >= s.len || s.p[k] != ' ')
        return 0;
    while (k < s.len && s.p[k] == ' ')
        k++;
    return k;
}

static bool is_rule(lf_str s)
{
    size_t marks = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == ' ')
            continue;
        if (!strchr("-*_", s.p[i]) || s.p[i] != s.p[0])
            return false;
        marks++;
    }
    return marks >= 3;
}

/* |---|:--:| — the line under a table's head. */
static bool is_delimiter_row(lf_str s)
{
    size_t dashes = 0, pipes = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (!strchr("|-: \t", s.p[i]))
            return false;
        dashes += s.p[i] == '-';
        pipes += s.p[i] == '|';
    }
    return dashes >= 1 && pipes >= 1;
}

static bool has_pipe(lf_str s)
{
    return s.len && memchr(s.p, '|', s.len) != NULL;
}

/* ---- blocks ---- */

static void heading(md *m, int level)
{
    lf_str s = m->cur.s;
    size_t lead = (size_t)level;
    while (lead < s.len && (s.p[lead] == ' ' || s.p[lead] == '\t'))
        lead++;
    size_t end = s.len;
    while (end > lead && s.p[end - 1] == '#')
        end--;
    if (end < s.len && end > lead && s.p[end - 1] != ' ')
        end = s.len; /* "C#" ends so */
    while (end > lead && s.p[end - 1] == ' ')
        end--;
    put(m, LF_BLOCK_HEADING, level, m->cur.start + (uint32_t)lead, m->cur.start + count(s.p, end));
    (void)next_line(m);
}

static void fenced_code(md *m)
{
    const char mark = m->cur.s.p[0];
    const size_t n = fence_length(m->cur.s);
    uint32_t start = 0, end = 0;
    bool any = false;
    while (next_line(m)) {
        const lf_str s = m->cur.s;
        if (s.len && s.p[0] == mark && fence_length(s) >= n && fence_length(s) == s.len) {
            (void)next_line(m);
            break;
        }
        const uint32_t from = m->cur.start;
        if (!any)
            start = from;
        any = true;
        end = m->cur.end;
    }
    if (any)
        put(m, LF_BLOCK_CODE, 0, start, end);
}

static void indented_code(md *m)
{
    const uint32_t start = m->cur.start;
    uint32_t end = m->cur.end;
    while (next_line(m) && (m->cur.indent >= 4 || m->cur.s.len == 0))
        if (m->cur.s.len)
            end = m->cur.end;
    put(m, LF_BLOCK_CODE, 0, start, end);
}

static void table_row(md *m, int32_t row)
{
    const lf_str s = m->cur.s;
    size_t from = s.len && s.p[0] == '|' ? 1 : 0;
    int32_t col = 0;
    bool in_code = false;
    for (size_t i = from; i <= s.len; i++) {
        if (i < s.len && s.p[i] == '`')
            in_code = !in_code;
        if (i < s.len && (s.p[i] != '|' || in_code || (i > 0 && s.p[i - 1] == '\\')))
            continue;
        if (i == s.len && from >= s.len)
            break; /* the closing pipe has ended the row */
        lf_str c = { s.p + from, i - from };
        while (c.len && *c.p == ' ')
            c.p++, c.len--;
        while (c.len && c.p[c.len - 1] == ' ')
            c.len--;
        const uint32_t start = m->cur.start + count(s.p, (size_t)(c.p - s.p));
        const lf_cell cell = { .row = row,
                               .col = col++,
                               .n_rows = 1,
                               .n_cols = 1,
                               .start = start,
                               .end = start + count(c.p, c.len) };
        lf_buf_add(&m->cells, &cell, sizeof cell);
        from = i + 1;
    }
}

/* The current line is the head row; the delimiter row follows. */
static void table(md *m)
{
    const uint32_t start = m->cur.start;
    uint32_t end = m->cur.end;
    int32_t row = 0;
    lf_buf_clear(&m->cells);
    table_row(m, row++);
    (void)next_line(m);
    while (next_line(m) && has_pipe(m->cur.s) && m->cur.indent < 4) {
        table_row(m, row++);
        end = m->cur.end;
    }
    m->b->failed = m->b->failed || m->cells.failed;
    const lf_block t = { .type = LF_BLOCK_TABLE,
                         .start = start,
                         .end = end,
                         .cells = (const lf_cell *)(const void *)m->cells.data,
                         .n_cells = m->cells.len / sizeof(lf_cell) };
    lf_builder_block(m->b, &t);
}

static bool interrupts(md *m)
{
    const lf_str s = m->cur.s;
    return s.len == 0 || atx_level(s) || fence_length(s) || item_marker(s) || is_rule(s);
}

static void list_item(md *m)
{
    const size_t marker = item_marker(m->cur.s);
    const int level = 1 + (int)(m->cur.indent / 2 > 8 ? 8 : m->cur.indent / 2);
    const uint32_t start = m->cur.start + (uint32_t)marker;
    uint32_t end = m->cur.end;
    while (next_line(m) && !interrupts(m))
        end = m->cur.end;
    put(m, LF_BLOCK_LIST_ITEM, level, start, end);
}

static bool next_is_delimiter(md *m)
{
    const md keep = *m;
    const bool yes = has_pipe(m->cur.s) && next_line(m) && is_delimiter_row(m->cur.s);
    m->at = keep.at;
    m->at_char = keep.at_char;
    m->cur = keep.cur;
    m->more = keep.more;
    return yes;
}

static void paragraph(md *m)
{
    const uint32_t start = m->cur.start;
    uint32_t end = m->cur.end;
    while (next_line(m)) {
        const char under = lf_line_underline(m->cur.s);
        if (under && m->cur.indent < 4) {
            put(m, LF_BLOCK_HEADING, under == '=' ? 1 : 2, start, end);
            (void)next_line(m);
            return;
        }
        if (interrupts(m) || next_is_delimiter(m))
            break;
        end = m->cur.end;
    }
    put(m, LF_BLOCK_PARAGRAPH, 0, start, end);
}

static void comment(md *m)
{
    while (m->more && !memmem(m->cur.s.p, m->cur.s.len, "-->", 3))
        (void)next_line(m);
    if (m->more)
        (void)next_line(m);
}

/* --- at the very top: metadata up to the next --- or ... */
static void front_matter(md *m)
{
    const md keep = *m;
    if (!m->more || !lf_str_is(m->cur.s, "---"))
        return;
    while (next_line(m))
        if (lf_str_is(m->cur.s, "---") || lf_str_is(m->cur.s, "...")) {
            (void)next_line(m);
            return;
        }
    m->at = keep.at;
    m->at_char = keep.at_char;
    m->cur = keep.cur;
    m->more = keep.more;
}

lf_status lf_doc_read_markdown(const uint8_t *p, size_t n, const lf_doc_tools *tools, lf_builder *b,
                               lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = lf_decode(p, n, &tools->charsets, NULL, &text, err);
    if (st == LF_OK) {
        lf_builder_take_text(b, &text);
        st = lf_builder_status(b, err);
    }
    lf_buf_release(&text);
    if (st != LF_OK)
        return st;
    md m = { .text = lf_buf_cstr(&b->text), .n = b->text.len, .b = b };
    (void)next_line(&m);
    front_matter(&m);
    while (m.more && !b->failed) {
        const lf_str s = m.cur.s;
        if (s.len == 0 || (is_rule(s) && m.cur.indent < 4))
            (void)next_line(&m);
        else if (fence_length(s))
            fenced_code(&m);
        else if (item_marker(s))
            list_item(&m);
        else if (m.cur.indent >= 4)
            indented_code(&m);
        else if (atx_level(s))
            heading(&m, atx_level(s));
        else if (lf_str_starts(s, "<!--"))
            comment(&m);
        else if (next_is_delimiter(&m))
            table(&m);
        else
            paragraph(&m);
    }
    lf_buf_release(&m.cells);
    return lf_builder_status(b, err);
}

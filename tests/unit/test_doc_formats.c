/* tests/unit/test_doc_formats.c - HTML, DOCX, PDF: samples, fixtures, hostile files. */
#include "tests/lf_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"
#include "base/mem.h"
#include "doc/doc.h"
#include "doc/parser.h"
#include "text/utf8.h"

static void need_pdfium(void)
{
    lf_pdfium lib;
    if (lf_pdfium_open(&lib, NULL) != LF_OK)
        lf_test_skip("libpdfium.so is not installed");
    lf_pdfium_close(&lib);
}

static void read_source(const char *rel, lf_buf *out)
{
    LF_NEED(lf_file_read(lf_test_source(rel), 0, out, err));
}

static lf_doc *read_bytes(const char *format, const void *p, size_t n)
{
    lf_doc *d = NULL;
    LF_NEED(lf_doc_read_here(lf_doc_format_named(format), p, n, &d, err));
    return d;
}

static lf_doc *read_fixture(const char *format, const char *rel)
{
    lf_buf b = { 0 };
    read_source(rel, &b);
    lf_doc *d = read_bytes(format, b.data, b.len);
    lf_buf_release(&b);
    return d;
}

static lf_str text_of(const lf_doc *d, uint32_t start, uint32_t end)
{
    const size_t from = lf_utf8_offset(d->text, d->n_bytes, start),
                 to = lf_utf8_offset(d->text, d->n_bytes, end);
    return (lf_str){ d->text + from, to - from };
}

static void check_text(lf_str got, const char *want)
{
    lf_buf b = { 0 };
    lf_buf_add(&b, got.p, got.len);
    LF_CHECK_STR(lf_buf_cstr(&b), want);
    lf_buf_release(&b);
}

/* "h1:Title|p:text|…" */
static void check_blocks(const lf_doc *d, const char *want)
{
    static const char letters[] = "hpltcHF";
    lf_buf got = { 0 };
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        const lf_str s = text_of(d, b->start, b->end);
        lf_buf_addf(&got, "%s%c", i ? "|" : "", letters[b->type]);
        if (b->level)
            lf_buf_addf(&got, "%d", b->level);
        lf_buf_addf(&got, ":%.*s", (int)s.len, s.p);
    }
    LF_CHECK_STR(lf_buf_cstr(&got), want);
    lf_buf_release(&got);
}

/* ---- the samples, through the sandbox ---- */

static void gist(lf_buf *out, lf_str s)
{
    const char *p = s.p, *end = s.p + s.len;
    for (int n = 0; p < end && n < 30; n++) {
        char seq[4];
        const uint32_t cp = lf_utf8_next(&p, end);
        lf_buf_add(out, seq, lf_utf8_put(cp == '\n' || cp == '\t' ? ' ' : cp, seq));
    }
}

static void check_sample(const char *name)
{
    char rel[200];
    lf_buf want = { 0 }, got = { 0 };
    lf_doc *d = NULL;
    (void)snprintf(rel, sizeof rel, "golden/doc/%s.outline", name);
    read_source(rel, &want);
    (void)snprintf(rel, sizeof rel, "../samples/%s", name);
    LF_NEED(lf_doc_parse(lf_test_source(rel), &d, err));
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        lf_buf_addf(&got, "%s %d %d %u %u %zu ", lf_block_type_name(b->type), (int)b->level,
                    (int)b->page, b->start, b->end, b->n_cells);
        gist(&got, text_of(d, b->start, b->end));
        lf_buf_add_char(&got, '\n');
    }
    LF_CHECK_STR(lf_buf_cstr(&got), lf_buf_cstr(&want));
    lf_doc_close(d);
    lf_buf_release(&want);
    lf_buf_release(&got);
}

static void samples_are_as_recorded(void)
{
    check_sample("customer-faq.txt");
    check_sample("safety-rules.zh.txt");
    check_sample("leave-policy.zh.md");
    check_sample("pump-maintenance.html");
    check_sample("purchasing.zh.docx");
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void pdf_samples_are_as_recorded(void)
{
    need_pdfium();
    check_sample("annual-report-2025.pdf");
    check_sample("water-quality-2025.zh.pdf");
}

/* ---- PDF ---- */

static void pdf_reads_columns_in_order(void)
{
    need_pdfium();
    lf_doc *d = read_fixture("pdf", "data/doc/two-columns.pdf");
    const char *at = d->text;
    /* each sentence once, in order: B1..B8, b1..b6, C1..C8, … */
    for (const char *k = "BbCcDdEeFfGg"; *k; k++)
        for (int i = 1; i <= (*k < 'a' ? 8 : 6); i++) {
            char key[32];
            (void)snprintf(key, sizeof key, "Sentence %c%d ", *k, i);
            const char *hit = strstr(at, key);
            if (!LF_CHECK(hit != NULL))
                printf("      %s is missing or out of order\n", key);
            at = hit ? hit : at;
        }
    LF_CHECK_INT(d->n_pages, 2);
    LF_CHECK_INT(d->blocks[0].type, LF_BLOCK_HEADING);
    lf_doc_close(d);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void pdf_boxes_are_in_the_visible_page(void)
{
    need_pdfium();
    static const lf_box want[4] = {
        { 40, 38, 233, 133 }, { 40, 138, 233, 233 }, { 167, 40, 262, 233 }, { 40, 38, 233, 133 }
    };
    static const float size[4][2] = { { 400, 300 }, { 400, 300 }, { 400, 300 }, { 400, 300 } };
    lf_doc *d = read_fixture("pdf", "data/doc/rotated.pdf");
    LF_CHECK_INT(d->n_blocks, 4);
    for (size_t i = 0; i < d->n_blocks && i < 4; i++) {
        const lf_box *b = &d->blocks[i].box;
        LF_CHECK_NEAR((double)d->pages[i].width, (double)size[i][0], 0.1, i);
        LF_CHECK_NEAR((double)d->pages[i].height, (double)size[i][1], 0.1, i);
        LF_CHECK_NEAR((double)b->x0, (double)want[i].x0, 2, i);
        LF_CHECK_NEAR((double)b->y0, (double)want[i].y0, 2, i);
        LF_CHECK_NEAR((double)b->x1, (double)want[i].x1, 2, i);
        LF_CHECK_NEAR((double)b->y1, (double)want[i].y1, 2, i);
        LF_CHECK_INT(d->blocks[i].page, i + 1);
    }
    int32_t page = 0;
    lf_box box;
    const char *third = strstr(d->text, "Line 3");
    const uint32_t at = (uint32_t)lf_utf8_count(d->text, (size_t)(third - d->text));
    lf_doc_locate(d, at, at + 6, &page, &box);
    LF_CHECK_INT(page, 1);
    LF_CHECK_NEAR((double)box.y0, 300 - 250 + 32 - 11.3, 1.5, 0);
    lf_doc_close(d);
}

static void pdf_joins_lines_and_finds_unruled_tables(void)
{
    need_pdfium();
    lf_doc *d = read_fixture("pdf", "data/doc/mixed.pdf");
    check_blocks(d, "p:The inspection of the reinforced concrete reservoir was carried out by a "
                    "well-known engineer in March, and its result is a state-of-the-art report.|"
                    "h1:2 Results|t:Year\tVolume\tShare\n2023\t1,204\t14.1 %\n2024\t1,130\t13.0 %\n"
                    "2025\t1,058\t11.8 %|l1:• first the valve is closed,|"
                    "l1:• then the pipe is drained.|p:DRAFT");
    lf_doc_close(d);
    d = read_fixture("pdf", "data/doc/unruled.pdf");
    size_t tables = 0;
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        if (b->type != LF_BLOCK_TABLE)
            continue;
        LF_CHECK_INT(b->n_cells, tables == 0 ? 35 : 20);
        const lf_cell *c = &b->cells[tables == 0 ? 12 : 5];
        check_text(text_of(d, c->start, c->end), tables == 0 ? "0.62" : "860");
        LF_CHECK(c->box.x1 > c->box.x0 && c->box.y0 >= b->box.y0 && c->box.y1 <= b->box.y1);
        tables++;
    }
    LF_CHECK_INT(tables, 2);
    lf_doc_close(d);
}

static void pdf_knows_running_heads(void)
{
    need_pdfium();
    lf_doc *d = read_fixture("pdf", "data/doc/running.pdf");
    size_t heads = 0, feet = 0, others = 0;
    for (size_t i = 0; i < d->n_blocks; i++) {
        heads += d->blocks[i].type == LF_BLOCK_HEADER;
        feet += d->blocks[i].type == LF_BLOCK_FOOTER;
        others += d->blocks[i].type == LF_BLOCK_PARAGRAPH;
    }
    LF_CHECK_INT(heads, 12);
    LF_CHECK_INT(feet, 12);
    LF_CHECK_INT(others, 12);
    lf_doc_close(d);
}

static void pdf_says_what_it_cannot_read(void)
{
    need_pdfium();
    lf_err why = { 0 };
    lf_doc *d = NULL;
    LF_CHECK_INT(lf_doc_parse(lf_test_source("data/doc/encrypted.pdf"), &d, &why), LF_ERR_FORMAT);
    LF_CHECK(strstr(why.msg, "password") != NULL);
    LF_NEED(lf_doc_parse(lf_test_source("data/doc/scanned.pdf"), &d, err));
    LF_CHECK(!d->pages[0].scanned && d->pages[1].scanned);
    LF_CHECK_STR(d->warning, "1 of 2 pages are scanned images without text and were not read: 2");
    lf_doc_close(d);
}

static void page_is_drawn(void)
{
    need_pdfium();
    lf_buf pdf = { 0 }, png = { 0 };
    lf_err why = { 0 };
    read_source("data/doc/rotated.pdf", &pdf);
    LF_NEED(lf_doc_render_page(pdf.data, pdf.len, 2, 144, &png, err));
    const unsigned char *p = (const unsigned char *)png.data;
    LF_CHECK(png.len > 1000 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0);
    LF_CHECK_INT(p[18] * 256 + p[19], 800);
    LF_CHECK_INT(p[22] * 256 + p[23], 600);
    LF_CHECK_INT(lf_doc_render_page(pdf.data, pdf.len, 5, 72, &png, &why), LF_ERR_ARG);
    LF_CHECK(strstr(why.msg, "no page 5") && strstr(why.msg, "has 4"));
    LF_CHECK_INT(lf_doc_render_page(pdf.data, pdf.len, 1, 500, &png, &why), LF_ERR_ARG);
    LF_CHECK_INT(lf_doc_render_page("text", 4, 1, 72, &png, &why), LF_ERR_UNSUPPORTED);
    lf_buf_release(&pdf);
    lf_buf_release(&png);
}

/* ---- HTML ---- */

static void html_blocks(const char *html, const char *want)
{
    lf_doc *d = read_bytes("html", html, strlen(html));
    check_blocks(d, want);
    lf_doc_close(d);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void html_is_what_a_reader_sees(void)
{
    html_blocks(
        "<title>T</title><nav>no</nav><script>no()</script><h2>A &amp; B</h2><p>one\n two <b>three"
        "</b><br>four<style>x</style><div hidden>no</div><ul><li>x<ol><li>y<li>z</ol></ul>"
        "<pre>  a\n b</pre><blockquote>q</blockquote><footer>f</footer>",
        "h1:T|h2:A & B|p:one two three\nfour|l1:x|l2:1. y|l2:2. z|c:  a\n b|p:q|F:f");
    html_blocks(
        "<table><caption>C</caption><tr><th rowspan=2>a<th colspan=2>b<tr><td>c<td>d<br>e</table>",
        "p:C|t:a\tb\nc\td e");
    html_blocks("<table><tr><td><table><tr><td>1<td>2</table><td>side</table>", "t:1\t2|p:side");
    html_blocks("<meta charset=gb2312><p>\xD6\xD0\xB9\xFA", "p:中国");
    html_blocks("<meta charset=windows-1252><p>caf\xE9", "p:café");
}

static void html_spans_fill_a_grid(void)
{
    static const char html[] = "<table><tr><th rowspan=2>a<th colspan=2>b<tr><td>c<td>d</table>";
    static const int want[4][4] = {
        { 0, 0, 2, 1 }, { 0, 1, 1, 2 }, { 1, 1, 1, 1 }, { 1, 2, 1, 1 }
    };
    lf_doc *d = read_bytes("html", html, sizeof html - 1);
    LF_CHECK_INT(d->blocks[0].n_cells, 4);
    for (size_t i = 0; i < d->blocks[0].n_cells && i < 4; i++) {
        const lf_cell *c = &d->blocks[0].cells[i];
        LF_CHECK(c->row == want[i][0] && c->col == want[i][1] && c->n_rows == want[i][2] &&
                 c->n_cols == want[i][3]);
    }
    lf_doc_close(d);
}

/* ---- DOCX ---- */

typedef struct part {
    const char *name, *xml;
} part;

#define W "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\""

/* A DOCX of these parts at a path in the case's folder (borrowed). */
static const char *make_docx(const part *parts, size_t n)
{
    const char *path = lf_test_file("made.docx", "", 0);
    int e = 0;
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &e);
    for (size_t i = 0; z && i < n; i++) {
        zip_source_t *s = zip_source_buffer(z, parts[i].xml, strlen(parts[i].xml), 0);
        if (zip_file_add(z, parts[i].name, s, ZIP_FL_OVERWRITE) < 0)
            lf_test_abort("zip_file_add", parts[i].name, __FILE__, __LINE__);
    }
    if (!z || zip_close(z) != 0)
        lf_test_abort("zip_close", path, __FILE__, __LINE__);
    return path;
}

#define P(x) "<w:p><w:r><w:t>" x "</w:t></w:r></w:p>"

static void docx_reads_what_word_writes(void)
{
    static const part parts[] = {
        { "word/styles.xml",
          "<w:styles " W
          "><w:style w:type=\"paragraph\" w:styleId=\"a1\"><w:name w:val=\"标题 1\"/></w:style>"
          "<w:style w:type=\"paragraph\" w:styleId=\"b\"><w:name w:val=\"Mine\"/><w:basedOn w:val=\"a1\"/>"
          "</w:style><w:style w:type=\"paragraph\" w:styleId=\"o\"><w:name w:val=\"X\"/><w:pPr>"
          "<w:outlineLvl w:val=\"2\"/></w:pPr></w:style></w:styles>" },
        { "word/numbering.xml",
          "<w:numbering " W
          "><w:abstractNum w:abstractNumId=\"7\"><w:lvl w:ilvl=\"0\"><w:start w:val=\"1\"/>"
          "<w:numFmt w:val=\"chineseCounting\"/><w:lvlText w:val=\"第%1条\"/></w:lvl><w:lvl w:ilvl=\"1\">"
          "<w:start w:val=\"1\"/><w:numFmt w:val=\"decimal\"/><w:lvlText w:val=\"%1.%2\"/></w:lvl>"
          "</w:abstractNum><w:num w:numId=\"3\"><w:abstractNumId w:val=\"7\"/></w:num></w:numbering>" },
        { "word/header1.xml", "<w:hdr " W ">" P("Head") "</w:hdr>" },
        { "word/footer1.xml", "<w:ftr " W ">" P("Foot") "</w:ftr>" },
        { "word/footnotes.xml",
          "<w:footnotes " W "><w:footnote w:type=\"separator\" w:id=\"0\">" P(
              "no") "</w:footnote>"
                    "<w:footnote w:id=\"2\">" P("A note.") "</w:footnote></w:footnotes>" },
        { "word/document.xml",
          "<w:document " W
          " xmlns:mc=\"http://schemas.openxmlformats.org/markup-compatibility/2006\"><w:body>"
          "<w:p><w:pPr><w:pStyle w:val=\"b\"/></w:pPr><w:r><w:t>总则</w:t></w:r></w:p>"
          "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
          "<w:ins><w:r><w:t xml:space=\"preserve\"> added</w:t></w:r></w:ins><w:r><w:rPr><w:vanish/></w:rPr>"
          "<w:t>hidden</w:t></w:r><w:r><w:footnoteReference w:id=\"2\"/></w:r></w:p>"
          "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"3\"/></w:numPr></w:pPr><w:r><w:t>甲</w:t></w:r></w:p>"
          "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"3\"/></w:numPr></w:pPr><w:r><w:t>乙</w:t></w:r></w:p>"
          "<w:p><w:pPr><w:pStyle w:val=\"o\"/></w:pPr><w:r><w:t>Third</w:t></w:r></w:p>"
          "<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>" P(
              "box") "</w:txbxContent></mc:Choice>"
                     "<mc:Fallback><w:txbxContent>" P(
                         "box") "</w:txbxContent></mc:Fallback></mc:AlternateContent>"
                                "<w:t>around</w:t></w:r></w:p>"
                                "<w:tbl><w:tr><w:tc><w:tcPr><w:vMerge w:val=\"restart\"/></w:tcPr>" P(
                                    "a") "</w:tc>"
                                         "<w:tc><w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>" P("b") P(
                                             "c") "</w:tc></w:tr>"
                                                  "<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc><w:tc>" P(
                                                      "d") "</w:tc><w:tc>" P("e") "</w:tc></w:tr>"
                                                                                  "</w:tbl></w:body></w:document>" },
    };
    static const int want[4][4] = {
        { 0, 0, 2, 1 }, { 0, 1, 1, 2 }, { 1, 1, 1, 1 }, { 1, 2, 1, 1 }
    };
    lf_doc *d = NULL;
    LF_NEED(lf_doc_parse(make_docx(parts, sizeof parts / sizeof parts[0]), &d, err));
    check_blocks(d,
                 "H:Head|h1:总则|p:kept added[2]|l1:第一条 甲|l1:第二条 乙|h3:Third|p:box|p:around|"
                 "t:a\tb c\nd\te|p:[2] A note.|F:Foot");
    for (size_t i = 0; i < d->n_blocks; i++)
        for (size_t k = 0; k < d->blocks[i].n_cells && k < 4; k++) {
            const lf_cell *c = &d->blocks[i].cells[k];
            LF_CHECK(c->row == want[k][0] && c->col == want[k][1] && c->n_rows == want[k][2] &&
                     c->n_cols == want[k][3]);
        }
    lf_doc_close(d);
}

static void expect_refusal(const char *path, lf_status want, const char *words)
{
    lf_doc *d = NULL;
    lf_err err = { 0 };
    LF_CHECK_INT(lf_doc_parse(path, &d, &err), want);
    if (!strstr(err.msg, words))
        LF_CHECK_STR(err.msg, words);
    LF_CHECK(d == NULL);
}

static void hostile_docx_is_refused(void)
{
    static const part entities[] = {
        { "word/document.xml",
          "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
          "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><w:document " W
          "><w:body>" P("&c;") "</w:body></w:document>" }
    };
    static const part external[] = {
        { "word/document.xml", "<!DOCTYPE d SYSTEM \"file:///etc/passwd\"><w:document " W "/>" }
    };
    static const part other[] = { { "xl/workbook.xml", "<x/>" } };
    static const part broken[] = { { "word/document.xml", "<w:document " W "><w:body>" P("x") } };
    expect_refusal(make_docx(entities, 1), LF_ERR_FORMAT, "entities");
    expect_refusal(make_docx(external, 1), LF_ERR_FORMAT, "entities");
    expect_refusal(make_docx(other, 1), LF_ERR_FORMAT, "word/document.xml");
    expect_refusal(make_docx(broken, 1), LF_ERR_FORMAT, "not well-formed");
    const size_t n = (size_t)24 << 20;
    char *zeros = calloc(1, n + 1);
    memset(zeros, ' ', n);
    const part bomb = { "word/document.xml", zeros };
    expect_refusal(make_docx(&bomb, 1), LF_ERR_LIMIT, "unpacks from");
    free(zeros);
    expect_refusal(lf_test_file("x.docx", "PK\3\4 nothing else", 17), LF_ERR_FORMAT, "damaged");
}

static void docx_nests_without_end(void)
{
    lf_buf xml = { 0 };
    lf_buf_add_str(&xml, "<w:document " W "><w:body>");
    for (int i = 0; i < 100000; i++)
        lf_buf_add_str(&xml, "<w:tbl><w:tr><w:tc><w:p>");
    const part deep = { "word/document.xml", xml.data };
    lf_doc *d = NULL;
    lf_err err = { 0 };
    const lf_status st = lf_doc_parse(make_docx(&deep, 1), &d, &err);
    LF_CHECK(st == LF_ERR_FORMAT || st == LF_ERR_LIMIT);
    LF_CHECK(!strstr(err.msg, "crashed"));
    lf_buf_release(&xml);
}

/* ---- all formats ---- */

static void hostile_html_is_refused(void)
{
    lf_buf b = { 0 };
    for (int i = 0; i < 200000; i++)
        lf_buf_add_str(&b, "<div>");
    expect_refusal(lf_test_file("deep.html", b.data, b.len), LF_ERR_LIMIT, "nests");
    lf_buf_clear(&b);
    for (int i = 0; i < 200000; i++)
        lf_buf_add_str(&b, "<li>x");
    lf_doc *d = NULL;
    LF_NEED(lf_doc_parse(lf_test_file("wide.html", b.data, b.len), &d, err));
    LF_CHECK_INT(d->n_blocks, 200000);
    lf_doc_close(d);
    lf_buf_release(&b);
}

static const char *const endings[] = { "txt", "md", "html", "docx", "pdf" };

static void empty_and_random_files_are_survived(void)
{
    unsigned char noise[3000];
    uint64_t x = 88172645463325252u;
    need_pdfium();
    for (size_t f = 0; f < 5; f++) {
        char name[32];
        lf_doc *d = NULL;
        lf_err err = { 0 };
        (void)snprintf(name, sizeof name, "e.%s", endings[f]);
        LF_CHECK_INT(lf_doc_parse(lf_test_file(name, "", 0), &d, &err), LF_ERR_FORMAT);
        LF_CHECK(strstr(err.msg, "empty") != NULL);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < sizeof noise; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                noise[i] = (unsigned char)(x >> 24);
            }
            err = (lf_err){ 0 };
            const lf_status st = lf_doc_parse(lf_test_file(name, noise, sizeof noise), &d, &err);
            LF_CHECK(f < 3 ? st == LF_OK : st == LF_ERR_FORMAT);
            LF_CHECK((st == LF_OK) == (err.msg[0] == '\0') && !strstr(err.msg, "crashed"));
            if (st == LF_OK)
                lf_doc_close(d);
            d = NULL;
        }
    }
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void check_truncations(const char *format, const char *rel, size_t n_cuts)
{
    lf_buf b = { 0 };
    read_source(rel, &b);
    for (size_t i = 0; i < n_cuts; i++) {
        lf_doc *d = NULL;
        lf_err err = { 0 };
        const size_t n = b.len * i / n_cuts;
        char *copy = malloc(n + 1); /* exact bounds, for the sanitizer */
        memcpy(copy, b.data, n);
        const lf_status st = lf_doc_read_here(lf_doc_format_named(format), copy, n, &d, &err);
        LF_CHECK((st == LF_OK) == (d != NULL));
        LF_CHECK(st == LF_OK || err.msg[0]);
        lf_doc_close(d);
        free(copy);
        LF_CHECK_INT(lf_mem_live(), b.data ? 1 : 0);
    }
    lf_buf_release(&b);
}

static void truncations_are_survived(void)
{
    check_truncations("text", "../samples/safety-rules.zh.txt", 400);
    check_truncations("markdown", "../samples/leave-policy.zh.md", 400);
    check_truncations("html", "../samples/pump-maintenance.html", 400);
    check_truncations("docx", "../samples/purchasing.zh.docx", 100);
}

static void pdf_truncations_are_survived(void)
{
    need_pdfium();
    check_truncations("pdf", "data/doc/mixed.pdf", 60);
    check_truncations("pdf", "data/doc/rotated.pdf", 60);
    check_truncations("pdf", "../samples/water-quality-2025.zh.pdf", 20);
}

/* Fail the n-th allocation for all n, in steps that grow where there are many. */
static void check_allocations(const char *format, const char *rel)
{
    lf_buf b = { 0 };
    lf_status st = LF_ERR_NOMEM;
    read_source(rel, &b);
    for (long n = 0; st != LF_OK && n < 200000; n += 1 + n / 40) {
        lf_doc *d = NULL;
        lf_mem_fail_after(n);
        st = lf_doc_read_here(lf_doc_format_named(format), b.data, b.len, &d, NULL);
        lf_mem_fail_after(-1);
        LF_CHECK((st == LF_OK) == (d != NULL));
        LF_CHECK(st == LF_OK || st == LF_ERR_NOMEM);
        lf_doc_close(d);
        LF_CHECK_INT(lf_mem_live(), 1);
    }
    LF_CHECK_INT(st, LF_OK);
    lf_buf_release(&b);
}

static void failed_allocations_are_survived(void)
{
    check_allocations("html", "../samples/pump-maintenance.html");
    check_allocations("docx", "../samples/purchasing.zh.docx");
}

static void pdf_failed_allocations_are_survived(void)
{
    need_pdfium();
    check_allocations("pdf", "data/doc/mixed.pdf");
    check_allocations("pdf", "../samples/annual-report-2025.pdf");
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "samples/are_as_recorded", samples_are_as_recorded },
        { "samples/pdf_are_as_recorded", pdf_samples_are_as_recorded },
        { "pdf/reads_columns_in_order", pdf_reads_columns_in_order },
        { "pdf/boxes_are_in_the_visible_page", pdf_boxes_are_in_the_visible_page },
        { "pdf/joins_lines_and_finds_unruled_tables", pdf_joins_lines_and_finds_unruled_tables },
        { "pdf/knows_running_heads", pdf_knows_running_heads },
        { "pdf/says_what_it_cannot_read", pdf_says_what_it_cannot_read },
        { "pdf/page_is_drawn", page_is_drawn },
        { "html/is_what_a_reader_sees", html_is_what_a_reader_sees },
        { "html/spans_fill_a_grid", html_spans_fill_a_grid },
        { "html/hostile_is_refused", hostile_html_is_refused },
        { "docx/reads_what_word_writes", docx_reads_what_word_writes },
        { "docx/hostile_is_refused", hostile_docx_is_refused },
        { "docx/nests_without_end", docx_nests_without_end },
        { "all/empty_and_random_files_are_survived", empty_and_random_files_are_survived },
        { "all/truncations_are_survived", truncations_are_survived },
        { "all/pdf_truncations_are_survived", pdf_truncations_are_survived },
        { "all/failed_allocations_are_survived", failed_allocations_are_survived },
        { "all/pdf_failed_allocations_are_survived", pdf_failed_allocations_are_survived },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

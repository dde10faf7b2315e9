/* tests/unit/test_doc.c - decoding, the wire form, and text and Markdown by blocks. */
#include "tests/lf_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "doc/builder.h"
#include "doc/decode.h"
#include "doc/doc.h"
#include "doc/parser.h"
#include "text/utf8.h"

static void check_decodes(const void *bytes, size_t n, const char *want)
{
    lf_charsets c;
    lf_buf out = { 0 };
    lf_charsets_open(&c, false);
    LF_NEED(lf_decode(bytes, n, &c, NULL, &out, err));
    LF_CHECK_STR(lf_buf_cstr(&out), want);
    lf_buf_release(&out);
    lf_charsets_close(&c);
}

static void decodes_by_mark_then_by_validity(void)
{
    check_decodes("\xEF\xBB\xBF"
                  "a\r\nb\rc",
                  9, "a\nb\rc");
    check_decodes("\xFF\xFE"
                  "a\0-N\r\0\n\0",
                  10, "a中\n");
    check_decodes("\xFE\xFF\0a\x4E\x2D", 6, "a中");
    check_decodes("\xFF\xFE\0\0a\0\0\0", 8, "a");
    check_decodes("\xFE\xFF\xD8\x3D\xDE\x00\xD8\x00", 8, "\xF0\x9F\x98\x80\xEF\xBF\xBD");
    check_decodes("\xD6\xD0\xB9\xFA", 4, "中国");     /* GBK */
    check_decodes("\x81\x30\x86\x30", 4, "\xC2\xB8"); /* four bytes: GB18030 alone has it */
    check_decodes("\xE4\xB8\xAD", 3, "中");
    check_decodes("caf\xE9 \xE4\xB8", 7, "caf\xEF\xBF\xBD \xEF\xBF\xBD");
    check_decodes("\xF0\x90\x80 \xFFx", 6, "\xEF\xBF\xBD \xEF\xBF\xBDx");
}

static lf_doc *read_as(const char *format, const char *text)
{
    lf_doc *d = NULL;
    LF_NEED(lf_doc_read_here(lf_doc_format_named(format), text, strlen(text), &d, err));
    return d;
}

/* "h1:Title|p:text|…" */
static void outline(const lf_doc *d, lf_buf *out)
{
    static const char letters[] = "hpltcHF";
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        const size_t from = lf_utf8_offset(d->text, d->n_bytes, b->start),
                     to = lf_utf8_offset(d->text, d->n_bytes, b->end);
        lf_buf_addf(out, "%s%c", i ? "|" : "", letters[b->type]);
        if (b->level)
            lf_buf_addf(out, "%d", b->level);
        lf_buf_addf(out, ":%.*s", (int)(to - from), d->text + from);
    }
}

static void check_outline(const char *format, const char *text, const char *want)
{
    lf_buf got = { 0 };
    lf_doc *d = read_as(format, text);
    outline(d, &got);
    LF_CHECK_STR(lf_buf_cstr(&got), want);
    lf_buf_release(&got);
    lf_doc_close(d);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void text_has_structure(void)
{
    check_outline("text", "Guide\n\nFirst paragraph of two\nlines, all wrapped.\n\n- one\n- two\n",
                  "h1:Guide|p:First paragraph of two\nlines, all wrapped.|l1:- one|l1:- two");
    check_outline("text",
                  "第一章 总则\n\n为了规范管理，制定本办法。\n\n一、范围\n\n适用于全体员工。\n",
                  "h1:第一章 总则|p:为了规范管理，制定本办法。|h2:一、范围|p:适用于全体员工。");
    check_outline("text", "Title\n=====\n\nSome text here.\n\nPart\n----\nMore text.\n",
                  "h1:Title|p:Some text here.|p:Part\n----\nMore text.");
    check_outline("text", "FAQ\n\nWhat does it cost?\n\nTwo yuan.\n\nWhy?\n",
                  "h1:FAQ|h2:What does it cost?|p:Two yuan.|p:Why?");
    check_outline("text", "图 1 结构\n\n价格是3.5亿元。\n\n2023 was a good year.\n",
                  "p:图 1 结构|p:价格是3.5亿元。|p:2023 was a good year.");
}

static void text_follows_its_contents_list(void)
{
    check_outline(
        "text",
        "甲系统\t1\n乙系统\t2\n丙系统\t3\n丁 系统\t4\n\n前言写在这里，供人阅读。\n\n"
        "甲系统\n\n概述\n\n内容在此。\n\n乙系统\n\n概述\n\n内容二。\n\n丙系统\n\n概述\n\n内容三。\n\n"
        "丁系统\n\n概述\n\n内容四。\n",
        "p:甲系统\t1\n乙系统\t2\n丙系统\t3\n丁 系统\t4|p:前言写在这里，供人阅读。|"
        "h1:甲系统|h2:概述|p:内容在此。|h1:乙系统|h2:概述|p:内容二。|h1:丙系统|h2:概述|"
        "p:内容三。|h1:丁系统|h2:概述|p:内容四。");
}

static void markdown_has_structure(void)
{
    check_outline(
        "markdown",
        "# A #\n\npara *x*\nmore\n\n- one\n  cont\n  - two\n1. three\n\n```c\nint x;\n```\n\n"
        "| a | b |\n|---|:-:|\n| 1 | 2 |\n\nSet\n===\n> quoted\n\n    code\n",
        "h1:A|p:para *x*\nmore|l1:one\n  cont|l2:two|l1:three|c:int x;|"
        "t:| a | b |\n|---|:-:|\n| 1 | 2 ||h1:Set|p:quoted|c:code");
}

static void markdown_cells_are_exact(void)
{
    lf_doc *d = read_as("markdown", "| 项目 | b |\n|---|---|\n| 一 | 22 |\n");
    LF_CHECK_INT(d->n_blocks, 1);
    LF_CHECK_INT(d->blocks[0].n_cells, 4);
    const lf_cell *c = &d->blocks[0].cells[3];
    LF_CHECK_INT(c->row, 1);
    LF_CHECK_INT(c->col, 1);
    const size_t at = lf_utf8_offset(d->text, d->n_bytes, c->start);
    LF_CHECK(strncmp(d->text + at, "22 ", 3) == 0 && c->end - c->start == 2);
    lf_doc_close(d);
}

static void parse_by_child_equals_parse_here(void)
{
    const char text[] = "Title\n\nBody with a NUL \0 inside.\n\n中文段落。\n";
    lf_doc *d = NULL;
    LF_NEED(lf_doc_parse(lf_test_file("a.txt", text, sizeof text - 1), &d, err));
    LF_CHECK_INT(d->n_bytes, sizeof text - 1);
    LF_CHECK(memcmp(d->text, text, sizeof text - 1) == 0);
    LF_CHECK_STR(d->format, "text");
    LF_CHECK_INT(d->n_blocks, 3);
    lf_doc_close(d);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void refusals_say_why(void)
{
    lf_doc *d = NULL;
    lf_err err = { 0 };
    LF_CHECK_INT(lf_doc_parse("/no/such.txt", &d, &err), LF_ERR_NOT_FOUND);
    LF_CHECK_INT(lf_doc_parse(lf_test_file("x.doc", "a", 1), &d, &err), LF_ERR_UNSUPPORTED);
    LF_CHECK(strstr(err.msg, ".docx") != NULL);
    LF_CHECK_INT(lf_doc_parse(lf_test_file("e.txt", "", 0), &d, &err), LF_ERR_FORMAT);
    LF_CHECK(strstr(err.msg, "empty") != NULL);
    LF_CHECK(lf_doc_can_read("A.PDF") == lf_doc_can_read("b.pdf"));
    LF_CHECK(!lf_doc_can_read("noending") && d == NULL);
}

static bool put_buf(void *ud, const void *p, size_t n)
{
    lf_buf_add(ud, p, n);
    return true;
}

static void make_wire(lf_buf *wire)
{
    lf_builder b = { 0 };
    lf_builder_page(&b, &(lf_page){ .width = 100, .height = 200 });
    lf_builder_add_str(&b, "ab中d\tx");
    const lf_cell cells[2] = { { .n_rows = 1, .n_cols = 1, .end = 4 },
                               { .col = 1, .n_rows = 1, .n_cols = 1, .start = 5, .end = 6 } };
    lf_builder_line(&b, &(lf_line){ .start = 0, .end = 6, .page = 1, .box = { 1, 2, 3, 4 } });
    lf_builder_block(&b, &(lf_block){ .type = LF_BLOCK_TABLE,
                                      .page = 1,
                                      .start = 0,
                                      .end = 6,
                                      .cells = cells,
                                      .n_cells = 2 });
    lf_builder_warn(&b, "scan");
    LF_CHECK(lf_builder_to_wire(&b, "pdf", put_buf, wire));
    lf_builder_release(&b);
}

static void wire_survives_truncation_and_flips(void)
{
    lf_buf good = { 0 };
    make_wire(&good);
    for (size_t n = 0; n <= good.len; n++) {
        lf_doc *d = NULL;
        lf_buf w = { 0 };
        lf_buf_add(&w, good.data, n);
        const lf_status st = lf_doc_from_wire(&w, &d, NULL);
        LF_CHECK_INT(st, n == good.len ? LF_OK : LF_ERR_FORMAT);
        lf_doc_close(d);
    }
    for (size_t i = 0; i < good.len; i++)
        for (int bit = 0; bit < 8; bit++) {
            lf_doc *d = NULL;
            lf_buf w = { 0 };
            lf_buf_add(&w, good.data, good.len);
            w.data[i] = (char)(w.data[i] ^ (1 << bit));
            if (lf_doc_from_wire(&w, &d, NULL) == LF_OK) {
                lf_buf o = { 0 };
                outline(d, &o);
                lf_buf_release(&o);
                for (size_t k = 0; k < d->n_blocks; k++)
                    LF_CHECK(d->blocks[k].start < d->blocks[k].end &&
                             d->blocks[k].end <= d->n_chars);
                for (size_t k = 0; k < d->n_lines; k++)
                    LF_CHECK(d->lines[k].end <= d->n_chars &&
                             (size_t)d->lines[k].page <= d->n_pages);
            }
            lf_doc_close(d);
        }
    lf_buf_release(&good);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void readers_survive_failed_allocations(void)
{
    static const char text[] =
        "# A\n\n甲\t1\n乙\t2\n丙\t3\n丁\t4\n\n- x\n\n| a | b |\n|--|--|\n| 1 | 2 |\n";
    static const char *const names[] = { "text", "markdown" };
    for (size_t f = 0; f < 2; f++) {
        lf_status st = LF_ERR_NOMEM;
        for (long n = 0; st == LF_ERR_NOMEM && n < 300; n++) {
            lf_doc *d = NULL;
            lf_mem_fail_after(n);
            st = lf_doc_read_here(lf_doc_format_named(names[f]), text, sizeof text - 1, &d, NULL);
            lf_mem_fail_after(-1);
            LF_CHECK((st == LF_OK) == (d != NULL));
            lf_doc_close(d);
            LF_CHECK_INT(lf_mem_live(), 0);
        }
        LF_CHECK_INT(st, LF_OK);
    }
}

/* The casebook: 52 cases, each a heading with 概述 and 效益分析 below it. */
static void casebook_has_its_cases(void)
{
    const char *path = lf_test_data("casebook/casebook-2023.txt");
    lf_doc *d = NULL;
    lf_buf raw = { 0 };
    LF_NEED(lf_file_read(path, 0, &raw, err));
    LF_NEED(lf_doc_parse(path, &d, err));
    LF_CHECK(d->n_bytes == raw.len && memcmp(d->text, raw.data, raw.len) == 0);
    int cases = 0, overviews = 0, case_level = 0;
    for (size_t i = 0; i < d->n_blocks; i++) {
        const lf_block *b = &d->blocks[i];
        const size_t from = lf_utf8_offset(d->text, d->n_bytes, b->start),
                     to = lf_utf8_offset(d->text, d->n_bytes, b->end);
        const lf_str s = { d->text + from, to - from };
        if (b->type != LF_BLOCK_HEADING)
            continue;
        if (lf_str_is(s, "风乌气象大模型"))
            case_level = b->level;
        if (lf_str_is(s, "概述"))
            overviews++;
    }
    for (size_t i = 0; i < d->n_blocks; i++)
        cases += d->blocks[i].type == LF_BLOCK_HEADING && d->blocks[i].level == case_level;
    LF_CHECK_INT(overviews, 52);
    LF_CHECK_INT(cases, 53); /* one title is printed twice */
    lf_doc_close(d);
    lf_buf_release(&raw);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "decode/by_mark_then_by_validity", decodes_by_mark_then_by_validity },
        { "text/has_structure", text_has_structure },
        { "text/follows_its_contents_list", text_follows_its_contents_list },
        { "text/casebook_has_its_cases", casebook_has_its_cases },
        { "markdown/has_structure", markdown_has_structure },
        { "markdown/cells_are_exact", markdown_cells_are_exact },
        { "doc/parse_by_child_equals_parse_here", parse_by_child_equals_parse_here },
        { "doc/refusals_say_why", refusals_say_why },
        { "doc/wire_survives_truncation_and_flips", wire_survives_truncation_and_flips },
        { "doc/readers_survive_failed_allocations", readers_survive_failed_allocations },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

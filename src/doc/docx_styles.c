/* doc/docx_styles.c - styles.xml and numbering.xml: what makes a heading, and its number.
 *
 * A heading is known by its outline level (w:outlineLvl, in the style or one that it is
 * based on) or by the built-in style's name: "heading 1", "标题 1", "Title". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "doc/docx_int.h"
#include "text/utf8.h"

enum { MAX_STYLES = 5000, MAX_CHAIN = 20, MAX_NUMBERINGS = 5000 };

static const docx_style *find_style(const docx_tables *t, const char *id)
{
    const docx_style *s = (const docx_style *)(const void *)t->styles.data;
    for (size_t i = 0; id[0] && i < t->styles.len / sizeof *s; i++)
        if (strcmp(s[i].id, id) == 0)
            return &s[i];
    return NULL;
}

/* "heading 3", "标题 3", "标题3": the digit, or 0. */
static int level_in_name(const char *name)
{
    static const char *const words[] = { "heading", "标题", "標題" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t n = strlen(words[i]);
        if (strncasecmp(name, words[i], n) != 0)
            continue;
        const char *p = name + n;
        while (*p == ' ')
            p++;
        if (*p >= '1' && *p <= '9' && p[1] == '\0')
            return *p - '0';
    }
    return 0;
}

static void end_style(docx_tables *t, docx_style *s)
{
    const int named = level_in_name(s->name);
    if (named && s->outline < 0)
        s->outline = named - 1;
    s->is_title = strcasecmp(s->name, "title") == 0 || strcmp(s->name, "标题") == 0;
    s->is_code = strcasestr(s->name, "code") || strcasestr(s->name, "preformatted") ||
                 strstr(s->name, "代码");
    if (t->styles.len / sizeof *s < MAX_STYLES)
        lf_buf_add(&t->styles, s, sizeof *s);
}

static lf_status read_styles(docx_tables *t, const lf_buf *part, lf_err *err)
{
    xmlTextReaderPtr r = NULL;
    docx_style s = { .outline = -1 };
    bool inside = false;
    int more = 0;
    lf_status st = docx_xml_open(part, &r, err);
    if (st != LF_OK)
        return st;
    while ((more = docx_xml_next(r, "styles.xml", err)) == 1) {
        const int type = xmlTextReaderNodeType(r);
        if (docx_is(r, "style") && type == XML_READER_TYPE_ELEMENT) {
            char kind[16];
            s = (docx_style){ .outline = -1, .num_id = -1, .num_level = -1 };
            (void)docx_attr(r, "styleId", s.id, sizeof s.id);
            inside = docx_attr(r, "type", kind, sizeof kind) && strcmp(kind, "paragraph") == 0 &&
                     !xmlTextReaderIsEmptyElement(r);
        } else if (docx_is(r, "style") && inside) {
            end_style(t, &s);
            inside = false;
        } else if (inside && type == XML_READER_TYPE_ELEMENT) {
            if (docx_is(r, "name"))
                (void)docx_attr(r, "val", s.name, sizeof s.name);
            else if (docx_is(r, "basedOn"))
                (void)docx_attr(r, "val", s.based_on, sizeof s.based_on);
            else if (docx_is(r, "outlineLvl"))
                s.outline = docx_attr_int(r, "val", -1);
            else if (docx_is(r, "numId"))
                s.num_id = docx_attr_int(r, "val", -1);
            else if (docx_is(r, "ilvl"))
                s.num_level = docx_attr_int(r, "val", -1);
        }
    }
    xmlFreeTextReader(r);
    return more < 0 ? LF_ERR_FORMAT : LF_OK;
}

int docx_heading_level(const docx_tables *t, const char *style_id)
{
    const docx_style *s = find_style(t, style_id);
    for (int k = 0; s && k < MAX_CHAIN; k++) {
        if (s->outline >= 0)
            return s->outline <= 8 ? s->outline + 1 : 0;
        if (s->is_title)
            return 1;
        s = find_style(t, s->based_on);
    }
    return s || style_id[0] == '\0' ? 0 : find_style(t, style_id) ? 0 : level_in_name(style_id);
}

bool docx_is_code(const docx_tables *t, const char *style_id)
{
    const docx_style *s = find_style(t, style_id);
    return s && s->is_code;
}

void docx_style_numbering(const docx_tables *t, const char *style_id, int *num_id, int *level)
{
    const docx_style *s = find_style(t, style_id);
    for (int k = 0; s && k < MAX_CHAIN; k++) {
        if (*num_id < 0 && s->num_id >= 0)
            *num_id = s->num_id;
        if (*level < 0 && s->num_level >= 0)
            *level = s->num_level;
        s = find_style(t, s->based_on);
    }
}

/* ---- numbering ---- */

static docx_level *level_at(docx_numbering *n, int i)
{
    return i >= 0 && i < DOCX_LEVELS ? &n->levels[i] : NULL;
}

static void add_num(docx_tables *t, int num_id, int abstract_id)
{
    const docx_numbering *a = (const docx_numbering *)(const void *)t->abstract.data;
    for (size_t i = 0; i < t->abstract.len / sizeof *a; i++)
        if (a[i].abstract_id == abstract_id && t->nums.len / sizeof(int[2]) < MAX_NUMBERINGS) {
            const int pair[2] = { num_id, (int)i };
            lf_buf_add(&t->nums, pair, sizeof pair);
            return;
        }
}

static lf_status read_numbering(docx_tables *t, const lf_buf *part, lf_err *err)
{
    xmlTextReaderPtr r = NULL;
    docx_numbering n = { 0 };
    docx_level *level = NULL;
    bool inside = false;
    int num_id = -1, more = 0;
    lf_status st = docx_xml_open(part, &r, err);
    if (st != LF_OK)
        return st;
    while ((more = docx_xml_next(r, "numbering.xml", err)) == 1) {
        const bool start = xmlTextReaderNodeType(r) == XML_READER_TYPE_ELEMENT;
        if (docx_is(r, "abstractNum")) {
            if (start)
                n = (docx_numbering){ .abstract_id = docx_attr_int(r, "abstractNumId", -1) };
            else if (t->abstract.len / sizeof n < MAX_NUMBERINGS)
                lf_buf_add(&t->abstract, &n, sizeof n);
            inside = start;
            level = NULL;
        } else if (docx_is(r, "num") && start) {
            num_id = docx_attr_int(r, "numId", -1);
        } else if (docx_is(r, "abstractNumId") && start && num_id >= 0) {
            add_num(t, num_id, docx_attr_int(r, "val", -1));
            num_id = -1;
        } else if (inside && start && docx_is(r, "lvl")) {
            level = level_at(&n, docx_attr_int(r, "ilvl", -1));
            if (level)
                level->start = 1;
        } else if (inside && start && level) {
            if (docx_is(r, "numFmt"))
                (void)docx_attr(r, "val", level->format, sizeof level->format);
            else if (docx_is(r, "lvlText"))
                (void)docx_attr(r, "val", level->text, sizeof level->text);
            else if (docx_is(r, "start"))
                level->start = docx_attr_int(r, "val", 1);
        }
    }
    xmlFreeTextReader(r);
    return more < 0 ? LF_ERR_FORMAT : LF_OK;
}

static void put_chinese(lf_buf *out, int n)
{
    static const char *const digit[] = {
        "〇", "一", "二", "三", "四", "五", "六", "七", "八", "九"
    };
    if (n >= 100 || n < 0) {
        lf_buf_addf(out, "%d", n);
        return;
    }
    if (n >= 20)
        lf_buf_add_str(out, digit[n / 10]);
    if (n >= 10)
        lf_buf_add_str(out, "十");
    if (n % 10 || n < 10)
        lf_buf_add_str(out, digit[n % 10]);
}

static void put_roman(lf_buf *out, int n, bool upper)
{
    static const struct {
        int value;
        const char *text;
    } parts[] = { { 1000, "m" }, { 900, "cm" }, { 500, "d" }, { 400, "cd" }, { 100, "c" },
                  { 90, "xc" },  { 50, "l" },   { 40, "xl" }, { 10, "x" },   { 9, "ix" },
                  { 5, "v" },    { 4, "iv" },   { 1, "i" } };
    for (size_t i = 0; n < 4000 && i < sizeof parts / sizeof parts[0]; i++)
        for (; n >= parts[i].value; n -= parts[i].value)
            for (const char *p = parts[i].text; *p; p++)
                lf_buf_add_char(out, (char)(upper ? *p - 32 : *p));
}

static void put_number(lf_buf *out, const char *format, int n)
{
    char seq[4];
    if (strncmp(format, "chinese", 7) == 0 || strncmp(format, "japanese", 8) == 0 ||
        strncmp(format, "taiwanese", 9) == 0 || strcmp(format, "ideographDigital") == 0)
        put_chinese(out, n);
    else if (strcmp(format, "upperRoman") == 0 || strcmp(format, "lowerRoman") == 0)
        put_roman(out, n, format[0] == 'u');
    else if ((strcmp(format, "upperLetter") == 0 || strcmp(format, "lowerLetter") == 0) && n >= 1 &&
             n <= 26)
        lf_buf_add_char(out, (char)((format[0] == 'u' ? 'A' : 'a') + n - 1));
    else if (strncmp(format, "decimalEnclosedCircle", 21) == 0 && n >= 1 && n <= 20)
        lf_buf_add(out, seq, lf_utf8_put((uint32_t)(0x2460 + n - 1), seq));
    else
        lf_buf_addf(out, strcmp(format, "decimalZero") == 0 ? "%02d" : "%d", n);
}

void docx_number(docx_tables *t, int num_id, int level, char *out, size_t cap)
{
    const int *nums = (const int *)(const void *)t->nums.data;
    docx_numbering *n = NULL;
    lf_buf text = { 0 };
    out[0] = '\0';
    for (size_t i = 0; i < t->nums.len / sizeof(int[2]) && !n; i++)
        if (nums[2 * i] == num_id)
            n = (docx_numbering *)(void *)t->abstract.data + nums[2 * i + 1];
    if (!n || level < 0 || level >= DOCX_LEVELS)
        return;
    const docx_level *l = &n->levels[level];
    n->counters[level]++;
    for (int k = level + 1; k < DOCX_LEVELS; k++)
        n->counters[k] = 0;
    if (strcmp(l->format, "bullet") == 0 || strcmp(l->format, "none") == 0 || !l->text[0])
        return;
    for (const char *p = l->text; *p; p++) {
        if (*p != '%' || p[1] < '1' || p[1] > '9') {
            lf_buf_add_char(&text, *p);
            continue;
        }
        const int k = *++p - '1';
        const docx_level *of = &n->levels[k];
        const int count = n->counters[k] > 0 ? n->counters[k] : 1;
        put_number(&text, of->format[0] ? of->format : "decimal", of->start + count - 1);
    }
    if (!text.failed && text.len < cap)
        memcpy(out, lf_buf_cstr(&text), text.len + 1);
    lf_buf_release(&text);
}

/* ---- both ---- */

static lf_status read_optional(docx_package *k, const char *name, docx_tables *t,
                               lf_status (*read)(docx_tables *, const lf_buf *, lf_err *),
                               lf_err *err)
{
    lf_buf part = { 0 };
    lf_err why = { 0 };
    lf_status st = docx_read(k, name, &part, &why);
    if (st == LF_OK)
        st = read(t, &part, &why);
    lf_buf_release(&part);
    if (st == LF_ERR_NOT_FOUND)
        return LF_OK;
    return st == LF_OK ? LF_OK : lf_fail(err, st, "%s", why.msg);
}

lf_status docx_tables_read(docx_package *k, docx_tables *t, lf_err *err)
{
    lf_status st = read_optional(k, "word/styles.xml", t, read_styles, err);
    if (st == LF_OK)
        st = read_optional(k, "word/numbering.xml", t, read_numbering, err);
    if (st == LF_OK && (t->styles.failed || t->abstract.failed || t->nums.failed))
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the styles of a DOCX");
    return st;
}

void docx_tables_release(docx_tables *t)
{
    lf_buf_release(&t->styles);
    lf_buf_release(&t->abstract);
    lf_buf_release(&t->nums);
}

/* doc/doc_text.c - plain text: paragraphs, lists and headings by their looks.
 *
 * The extracted text is the decoded file itself, so spans are file positions.
 *
 * 1. Cut the text into units: a run of lines without a blank one between, cut
 *    again where a line starts a list item, a numbered heading, an indented
 *    paragraph, or follows a line too long to be hard-wrapped.
 * 2. Give each unit a class by what can be seen in it alone: numbering (第一章,
 *    一、, （一）, 1.2), an underline, the table of contents, or "short".
 * 3. Look at the neighbours: what stands in the table of contents is a title; a
 *    short line that recurs as a line of its own is a section head (those that
 *    recur least of them one level down); in a long run of short lines (a list of names) only the last can be a heading.
 * 4. Levels: the classes that occur, in their fixed order, become levels 1..6.
 *
 * The rules lean to "paragraph": a missed heading costs a path, a false one
 * cuts a passage in two. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doc/lines.h"
#include "doc/parser.h"
#include "text/utf8.h"

enum { RECURS = 4, LONG_LINE = 120, RUN_MAX = 3, TOC_MIN = 4 };

typedef enum unit_class {
    U_BODY,
    U_LIST,
    U_TOC_LINE,
    U_CAPTION,
    /* headings, in the order of their levels */
    U_TITLE,
    U_CHAPTER,
    U_SECTION,
    U_LISTED,
    U_RECURRING,
    U_RECURRING_LESS,
    U_HAN_1,
    U_HAN_2,
    U_SHORT,
    U_DOTTED_1,
    U_DOTTED_2,
    U_DOTTED_3,
    U_NUMBER,
    U_COLON,
    U_QUESTION,
    U_CLASSES
} unit_class;

typedef struct unit {
    uint32_t byte, n_bytes; /* trimmed */
    uint32_t start, end;    /* code points */
    uint8_t cls;
    bool alone; /* one line between blank lines or edges */
    int32_t level;
} unit;

typedef struct scan {
    const char *text;
    lf_buf units; /* unit[] */
    size_t n;
    lf_buf keys; /* uint64_t[], sorted: entries of the table of contents */
    size_t n_toc;
    uint32_t *count; /* open hash of short lines: how often each occurs */
    uint64_t *count_key;
    size_t count_cap;
    uint32_t most; /* the highest of the counts */
} scan;

static unit *units_of(scan *s)
{
    return (unit *)(void *)s->units.data;
}

/* Letters, digits and Han characters alone: "A - B" and "A B" are the same entry. */
static uint64_t key_of(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *end = p + n; p < end;) {
        const uint32_t cp = lf_utf8_next(&p, end);
        if (lf_cp_is_space(cp) || lf_line_is_punct(cp))
            continue;
        h = (h ^ cp) * 0x100000001b3u;
    }
    return h | 1;
}

/* ---- 1. units ---- */

static void add_unit(scan *s, size_t from, size_t to, uint32_t at_char, unit_class cls, bool alone)
{
    const char *t = s->text;
    while (from < to && (t[from] == ' ' || t[from] == '\t' || t[from] == '\n')) {
        from++;
        at_char++;
    }
    while (to > from && (t[to - 1] == ' ' || t[to - 1] == '\t' || t[to - 1] == '\n'))
        to--;
    if (from == to)
        return;
    const unit u = { .byte = (uint32_t)from,
                     .n_bytes = (uint32_t)(to - from),
                     .start = at_char,
                     .end = at_char + (uint32_t)lf_utf8_count(t + from, to - from),
                     .cls = (uint8_t)cls,
                     .alone = alone };
    lf_buf_add(&s->units, &u, sizeof u);
    s->n++;
}

/* The class that a single line shows by itself. */
static unit_class class_of_line(lf_str line)
{
    lf_numbering num;
    if (lf_line_bullet(line) > 0)
        return U_LIST;
    if (lf_line_toc(line, NULL))
        return U_TOC_LINE;
    if (lf_line_is_caption(line))
        return U_CAPTION;
    if (lf_line_numbering(line, &num)) {
        if (!lf_line_is_short(line))
            return num.kind >= LF_NUM_NUMBER ? U_LIST : U_BODY;
        switch (num.kind) {
        case LF_NUM_CHAPTER:
            return U_CHAPTER;
        case LF_NUM_SECTION:
            return U_SECTION;
        case LF_NUM_HAN_1:
            return U_HAN_1;
        case LF_NUM_HAN_2:
            return U_HAN_2;
        case LF_NUM_DOTTED:
            return num.depth <= 1 ? U_DOTTED_1 : num.depth == 2 ? U_DOTTED_2 : U_DOTTED_3;
        case LF_NUM_NUMBER:
            return U_NUMBER;
        default:
            return U_BODY;
        }
    }
    if (lf_line_is_question(line))
        return U_QUESTION;
    if (!lf_line_is_short(line))
        return U_BODY;
    return lf_line_ends_with_colon(line) ? U_COLON : U_SHORT;
}

/* Does this line start a new unit although no blank line stands before it? */
static bool starts_unit(lf_str prev, lf_str line, unit_class prev_cls, unit_class cls)
{
    const bool indented = lf_str_starts(line, "\xE3\x80\x80") || lf_str_starts(line, "\t");
    if (cls == U_TOC_LINE || prev_cls == U_TOC_LINE)
        return cls != prev_cls;
    if (cls == U_LIST || (cls >= U_CHAPTER && cls <= U_HAN_2))
        return true;
    if (prev_cls >= U_CHAPTER && prev_cls <= U_HAN_2)
        return true;
    return indented || lf_line_width(prev) > LONG_LINE;
}

typedef struct group {
    size_t from; /* byte where the open unit starts */
    uint32_t from_char;
    unit_class cls;
    size_t n_lines, n_lines_group;
    lf_str prev;
    unit_class prev_cls;
    size_t first_unit; /* of this group */
} group;

static void close_unit(scan *s, group *g, size_t to)
{
    if (g->n_lines) {
        const bool heading = g->cls >= U_TITLE;
        add_unit(s, g->from, to, g->from_char, heading && g->n_lines > 1 ? U_BODY : g->cls, false);
    }
    g->n_lines = 0;
}

/* A blank line or the end: a group of one line stands alone; a second line of
 * === or --- underlines the first. */
static void close_group(scan *s, group *g, size_t to)
{
    close_unit(s, g, to);
    if (!s->units.failed && s->n == g->first_unit + 1) {
        unit *u = &units_of(s)[g->first_unit];
        const char *nl = memchr(s->text + u->byte, '\n', u->n_bytes);
        u->alone = !nl;
        if (nl && g->n_lines_group == 2) {
            const char *end = s->text + u->byte + u->n_bytes;
            const char mark = lf_line_underline((lf_str){ nl + 1, (size_t)(end - nl - 1) });
            if (mark) {
                u->n_bytes = (uint32_t)(nl - (s->text + u->byte));
                u->end = u->start + (uint32_t)lf_utf8_count(s->text + u->byte, u->n_bytes);
                u->cls = mark == '=' ? U_CHAPTER : U_SECTION;
                u->alone = true;
            }
        }
    }
    g->n_lines_group = 0;
    g->first_unit = s->n;
}

static void cut_units(scan *s, size_t n_bytes)
{
    group g = { 0 };
    size_t at = 0, blank_at = 0;
    uint32_t at_char = 0;
    while (at < n_bytes) {
        const char *nl = memchr(s->text + at, '\n', n_bytes - at);
        const size_t end = nl ? (size_t)(nl - s->text) : n_bytes;
        const lf_str raw = { s->text + at, end - at };
        const lf_str line = lf_line_trim(raw);
        if (line.len == 0) {
            close_group(s, &g, blank_at);
        } else {
            const unit_class cls = class_of_line(line);
            if (g.n_lines && starts_unit(g.prev, raw, g.prev_cls, cls))
                close_unit(s, &g, at);
            if (g.n_lines == 0) {
                g.from = at;
                g.from_char = at_char;
                g.cls = cls;
            }
            g.n_lines++;
            g.n_lines_group++;
            g.prev = raw;
            g.prev_cls = cls;
        }
        at_char += (uint32_t)lf_utf8_count(raw.p, raw.len) + (nl ? 1 : 0);
        at = nl ? end + 1 : n_bytes;
        blank_at = at;
    }
    close_group(s, &g, n_bytes);
}

/* ---- 2. the table of contents and recurring lines ---- */

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void collect_toc(scan *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const unit *u = &units_of(s)[i];
        if (u->cls != U_TOC_LINE)
            continue;
        const char *p = s->text + u->byte, *end = p + u->n_bytes;
        while (p < end) {
            const char *nl = memchr(p, '\n', (size_t)(end - p));
            lf_str title;
            if (lf_line_toc(lf_line_trim((lf_str){ p, (size_t)((nl ? nl : end) - p) }), &title)) {
                const uint64_t k = key_of(title.p, title.len);
                lf_buf_add(&s->keys, &k, sizeof k);
                s->n_toc++;
            }
            p = nl ? nl + 1 : end;
        }
    }
    if (s->n_toc < TOC_MIN || s->keys.failed)
        s->n_toc = 0;
    if (s->n_toc)
        qsort(s->keys.data, s->n_toc, sizeof(uint64_t), compare_keys);
}

static bool in_toc(const scan *s, uint64_t key)
{
    return s->n_toc && bsearch(&key, s->keys.data, s->n_toc, sizeof key, compare_keys) != NULL;
}

static uint32_t *counter_of(scan *s, uint64_t key)
{
    size_t i = (size_t)key & (s->count_cap - 1);
    while (s->count_key[i] && s->count_key[i] != key)
        i = (i + 1) & (s->count_cap - 1);
    s->count_key[i] = key;
    return &s->count[i];
}

static bool is_heading(const unit *u)
{
    return u->cls >= U_TITLE;
}

static bool count_recurring(scan *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += units_of(s)[i].cls == U_SHORT && units_of(s)[i].alone;
    s->count_cap = 64;
    while (s->count_cap < 2 * n + 2)
        s->count_cap *= 2;
    s->count = lf_calloc(s->count_cap, sizeof *s->count);
    s->count_key = lf_calloc(s->count_cap, sizeof *s->count_key);
    if (!s->count || !s->count_key)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const unit *u = &units_of(s)[i];
        if (u->cls == U_SHORT && u->alone && is_heading(u))
            ++*counter_of(s, key_of(s->text + u->byte, u->n_bytes));
    }
    for (size_t i = 0; i < s->count_cap; i++)
        s->most = s->count[i] > s->most ? s->count[i] : s->most;
    return true;
}

/* Followed by something to be the heading of: a body, a list, or a heading. */
static bool has_content(scan *s, size_t i)
{
    return i + 1 < s->n && units_of(s)[i + 1].cls != U_CAPTION;
}

static void classify(scan *s)
{
    unit *u = units_of(s);
    for (size_t i = 0; i < s->n; i++) {
        if (u[i].cls == U_TOC_LINE || u[i].n_bytes > 400 || !u[i].alone)
            continue;
        const uint64_t key = key_of(s->text + u[i].byte, u[i].n_bytes);
        if (in_toc(s, key) && u[i].cls != U_CHAPTER && u[i].cls != U_SECTION)
            u[i].cls = U_LISTED;
        else if (u[i].cls == U_SHORT && *counter_of(s, key) >= RECURS && has_content(s, i))
            u[i].cls = *counter_of(s, key) * 3 >= s->most ? U_RECURRING : U_RECURRING_LESS;
    }
}

/* Short lines that are no headings: not alone, the last thing in the file, or
 * inside a long run of short lines. */
static void demote(scan *s)
{
    unit *u = units_of(s);
    for (size_t i = 0; i < s->n;) {
        if (u[i].cls != U_SHORT) {
            i++;
            continue;
        }
        size_t end = i;
        while (end < s->n && u[end].cls == U_SHORT)
            end++;
        const bool led = end < s->n && (u[end].cls == U_BODY || u[end].cls == U_LIST);
        for (size_t k = i; k < end; k++) {
            const bool last = k + 1 == end;
            const bool keep = u[k].alone && (end - i <= RUN_MAX ? led || end < s->n : last && led);
            if (!keep || !has_content(s, k))
                u[k].cls = U_BODY;
        }
        i = end;
    }
    for (size_t i = 0; i < s->n; i++)
        if ((u[i].cls == U_COLON && (!u[i].alone || !has_content(s, i))) ||
            (u[i].cls == U_QUESTION &&
             (!u[i].alone || i + 1 == s->n || (u[i + 1].cls != U_BODY && u[i + 1].cls != U_LIST))))
            u[i].cls = U_BODY;
}

/* The first unit of a document without chapters or contents list is its title. */
static void find_title(scan *s)
{
    unit *u = units_of(s);
    for (size_t i = 0; i < s->n; i++)
        if (u[i].cls == U_LISTED)
            return;
    if (s->n > 1 && u[0].alone &&
        (u[0].cls == U_SHORT || (u[0].cls == U_BODY && u[0].n_bytes < 120 &&
                                 lf_line_is_short((lf_str){ s->text + u[0].byte, u[0].n_bytes }))))
        u[0].cls = U_TITLE;
}

/* A run of numbered short lines with nothing between is a list, not headings. */
static void numbered_lists(scan *s)
{
    unit *u = units_of(s);
    for (size_t i = 0; i < s->n; i++) {
        if (u[i].cls != U_NUMBER && u[i].cls != U_DOTTED_1)
            continue;
        size_t end = i + 1;
        while (end < s->n && (u[end].cls == U_NUMBER || u[end].cls == U_DOTTED_1 ||
                              (u[end].cls == U_LIST && !u[end].alone)))
            end++;
        const bool list = end - i > 1 || !u[i].alone;
        for (size_t k = i; list && k < end; k++)
            u[k].cls = U_LIST;
        i = end - 1;
    }
}

static void set_levels(scan *s)
{
    bool seen[U_CLASSES] = { false };
    int level_of[U_CLASSES] = { 0 }, next = 0;
    unit *u = units_of(s);
    for (size_t i = 0; i < s->n; i++)
        seen[u[i].cls] = true;
    for (int c = U_TITLE; c < U_CLASSES; c++) {
        if (seen[c] && next < 6)
            next++;
        level_of[c] = next;
    }
    for (size_t i = 0; i < s->n; i++)
        u[i].level = is_heading(&u[i]) ? level_of[u[i].cls] : u[i].cls == U_LIST ? 1 : 0;
}

static void emit(scan *s, lf_builder *b)
{
    for (size_t i = 0; i < s->n; i++) {
        const unit *u = &units_of(s)[i];
        lf_builder_block(b, &(lf_block){ .type = is_heading(u)      ? LF_BLOCK_HEADING
                                                 : u->cls == U_LIST ? LF_BLOCK_LIST_ITEM
                                                                    : LF_BLOCK_PARAGRAPH,
                                         .level = u->level,
                                         .start = u->start,
                                         .end = u->end });
    }
}

lf_status lf_doc_read_text(const uint8_t *p, size_t n, const lf_doc_tools *tools, lf_builder *b,
                           lf_err *err)
{
    scan s = { 0 };
    lf_buf text = { 0 };
    lf_status st = lf_decode(p, n, &tools->charsets, NULL, &text, err);
    if (st != LF_OK)
        goto done;
    lf_builder_take_text(b, &text);
    st = lf_builder_status(b, err);
    if (st != LF_OK)
        goto done;
    s.text = lf_buf_cstr(&b->text);
    cut_units(&s, b->text.len);
    if (!s.units.failed)
        collect_toc(&s);
    if (s.units.failed || s.keys.failed || !count_recurring(&s)) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the paragraphs of a text");
        goto done;
    }
    classify(&s);
    numbered_lists(&s);
    demote(&s);
    find_title(&s);
    set_levels(&s);
    emit(&s, b);
    st = lf_builder_status(b, err);
done:
    lf_buf_release(&text);
    lf_buf_release(&s.units);
    lf_buf_release(&s.keys);
    lf_free(s.count);
    lf_free(s.count_key);
    return st;
}

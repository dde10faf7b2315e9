/* doc/doc_html.c - HTML by gumbo's tree, walked without recursion.
 *
 * Text is what a reader sees: white space collapsed, scripts, styles, navigation
 * and hidden elements left out, numbers of ordered lists written out.  A <table>
 * becomes a table block with its spans resolved into a grid, unless it holds
 * another table or headings: then it is layout, and its cells are read as text.
 *
 * gumbo checks no allocation, so it gets an arena with a cap, and a failed one
 * leaves by longjmp; the tree is never freed node by node (gumbo does that by
 * recursion, which a deep page would turn into a stack overflow).  For the same
 * reason nesting is counted before parsing: gumbo's time is quadratic in it. */
#include <gumbo.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "doc/parser.h"
#include "text/utf8.h"

enum { MAX_NESTING = 3000, MAX_COLS = 1000, MAX_ROWS = 100000, META_BYTES = 4096, LIST_DEPTH = 32 };
static const size_t tree_cap = (size_t)1536 << 20;

/* ---- charset ---- */

static const char *find_ci(const char *p, size_t n, const char *what)
{
    const size_t k = strlen(what);
    for (size_t i = 0; i + k <= n; i++)
        if (strncasecmp(p + i, what, k) == 0)
            return p + i + k;
    return NULL;
}

/* <meta charset=…>, <meta … content="text/html; charset=…"> or <?xml encoding=…?> */
static bool charset_of(const char *p, size_t n, char *out, size_t cap)
{
    n = n > META_BYTES ? META_BYTES : n;
    const char *end = p + n, *at = find_ci(p, n, "charset=");
    if (!at && n > 5 && memcmp(p, "<?xml", 5) == 0)
        at = find_ci(p, n > 200 ? 200 : n, "encoding=");
    if (!at)
        return false;
    while (at < end && (*at == '"' || *at == '\'' || *at == ' '))
        at++;
    size_t k = 0;
    while (at < end && k + 1 < cap && strchr("\"'; \t\r\n/>?", *at) == NULL)
        out[k++] = *at++;
    out[k] = '\0';
    return k > 0;
}

/* ---- nesting, before the tree is built ---- */

static bool is_self_closing(const char *name, size_t n)
{
    static const char *const words =
        " p li dt dd tr td th tbody thead tfoot option colgroup col br hr img input meta link area "
        "base embed source track wbr param rt rp optgroup html head body ";
    char key[16] = " ";
    if (n == 0 || n > 11)
        return n == 0;
    for (size_t i = 0; i < n; i++)
        key[i + 1] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    key[n + 1] = ' ';
    return strstr(words, key) != NULL;
}

static bool nests_too_deep(const char *p, size_t n)
{
    long depth = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        if (p[i] != '<')
            continue;
        const bool closing = p[i + 1] == '/';
        const size_t from = i + 1 + closing;
        size_t k = from;
        while (k < n && ((p[k] >= 'a' && p[k] <= 'z') || (p[k] >= 'A' && p[k] <= 'Z') ||
                         (k > from && p[k] >= '0' && p[k] <= '9')))
            k++;
        if (is_self_closing(p + from, k - from))
            continue;
        depth += closing ? -(depth > 0) : 1;
        if (depth > MAX_NESTING)
            return true;
    }
    return false;
}

/* ---- the tree ---- */

typedef struct tree {
    lf_arena arena;
    jmp_buf out_of_memory;
} tree;

static void *tree_alloc(void *ud, size_t n)
{
    tree *t = ud;
    void *p = lf_arena_alloc(&t->arena, n);
    if (!p)
        longjmp(t->out_of_memory, 1);
    return p;
}

static void tree_free(void *ud, void *p)
{
    (void)ud;
    (void)p;
}

static GumboOutput *parse_tree(tree *t, const char *p, size_t n)
{
    GumboOptions o = kGumboDefaultOptions;
    o.allocator = tree_alloc;
    o.deallocator = tree_free;
    o.userdata = t;
    o.max_errors = 0;
    return setjmp(t->out_of_memory) != 0 ? NULL : gumbo_parse_with_options(&o, p, n);
}

static const GumboVector *children_of(const GumboNode *n)
{
    if (n->type == GUMBO_NODE_DOCUMENT)
        return &n->v.document.children;
    return n->type == GUMBO_NODE_ELEMENT || n->type == GUMBO_NODE_TEMPLATE ? &n->v.element.children
                                                                           : NULL;
}

/* The node after `n` in document order, inside `root`; its children are passed
 * over with `over`.  *up counts how many elements end on the way. */
static const GumboNode *next_node(const GumboNode *n, const GumboNode *root, bool over,
                                  void (*leave)(void *ud, const GumboNode *n), void *ud)
{
    const GumboVector *c = over ? NULL : children_of(n);
    if (c && c->length)
        return c->data[0];
    for (;;) {
        if (leave)
            leave(ud, n);
        if (n == root)
            return NULL;
        const GumboNode *parent = n->parent;
        const GumboVector *siblings = children_of(parent);
        if (n->index_within_parent + 1 < siblings->length)
            return siblings->data[n->index_within_parent + 1];
        n = parent;
    }
}

static GumboTag tag_of(const GumboNode *n)
{
    return n->type == GUMBO_NODE_ELEMENT ? n->v.element.tag : GUMBO_TAG_UNKNOWN;
}

static const char *attribute(const GumboNode *n, const char *name)
{
    const GumboAttribute *a =
        n->type == GUMBO_NODE_ELEMENT ? gumbo_get_attribute(&n->v.element.attributes, name) : NULL;
    return a ? a->value : NULL;
}

static bool is_left_out(const GumboNode *n)
{
    if (n->type == GUMBO_NODE_TEMPLATE || n->type == GUMBO_NODE_COMMENT)
        return true;
    if (n->type != GUMBO_NODE_ELEMENT)
        return false;
    if (n->v.element.tag_namespace != GUMBO_NAMESPACE_HTML)
        return true;
    const char *role = attribute(n, "role"), *style = attribute(n, "style");
    if (attribute(n, "hidden") || (role && strcmp(role, "navigation") == 0) ||
        (style && (strstr(style, "display:none") || strstr(style, "display: none"))))
        return true;
    switch (n->v.element.tag) {
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_NAV:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
        return true;
    default:
        return false;
    }
}

static bool is_block(GumboTag t)
{
    switch (t) {
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_FOOTER:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_BLOCKQUOTE:
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_TABLE:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_HR:
    case GUMBO_TAG_PRE:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_BODY:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
        return true;
    default:
        return false;
    }
}

/* ---- blocks ---- */

typedef struct walker {
    lf_builder *b;
    bool open, space; /* a block has begun; a space is owed */
    uint32_t start;
    lf_block_type type;
    int level;
    int lists;                     /* nesting of ul and ol */
    int pre, footer;               /* inside how many */
    bool item;                     /* the next block is a list item */
    uint32_t number;               /* of the item, 0 = bullet */
    uint32_t counters[LIST_DEPTH]; /* items so far, of each open list */
} walker;

static void close_block(walker *w)
{
    if (w->open)
        lf_builder_block(w->b, &(lf_block){ .type = w->type,
                                            .level = w->level,
                                            .start = w->start,
                                            .end = w->b->n_chars });
    w->open = w->space = false;
    w->type = w->footer ? LF_BLOCK_FOOTER : LF_BLOCK_PARAGRAPH;
    w->level = 0;
}

static void open_block(walker *w)
{
    if (w->open)
        return;
    lf_builder_separate(w->b, "\n");
    if (w->item && w->type == LF_BLOCK_PARAGRAPH) {
        w->type = LF_BLOCK_LIST_ITEM;
        w->level = w->lists ? w->lists : 1;
    }
    w->start = w->b->n_chars;
    w->open = true;
    w->space = false;
    if (w->item && w->number) {
        char text[16];
        (void)snprintf(text, sizeof text, "%u. ", w->number);
        lf_builder_add_str(w->b, text);
    }
    w->item = false;
}

static bool is_html_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void add_text(walker *w, const char *p)
{
    if (w->pre) {
        open_block(w);
        lf_builder_add_str(w->b, p);
        return;
    }
    while (*p) {
        const char *from = p;
        while (*p && !is_html_space(*p))
            p++;
        if (p > from) {
            const bool owed = w->space && w->open;
            open_block(w);
            if (owed)
                lf_builder_add_str(w->b, " ");
            lf_builder_add(w->b, from, (size_t)(p - from));
            w->space = false;
        }
        while (is_html_space(*p)) {
            w->space = true;
            p++;
        }
    }
}

/* ---- tables ---- */

static bool is_data_table(const GumboNode *table)
{
    size_t cells = 0;
    for (const GumboNode *n = next_node(table, table, false, NULL, NULL); n;
         n = next_node(n, table, false, NULL, NULL)) {
        const GumboTag t = tag_of(n);
        if (t == GUMBO_TAG_TABLE || (t >= GUMBO_TAG_H1 && t <= GUMBO_TAG_H6))
            return false;
        cells += t == GUMBO_TAG_TD || t == GUMBO_TAG_TH;
    }
    return cells >= 2;
}

static int32_t span_of(const GumboNode *n, const char *name, int32_t most)
{
    const char *v = attribute(n, name);
    int32_t k = 0;
    for (; v && *v >= '0' && *v <= '9' && k < 100000; v++)
        k = k * 10 + (*v - '0');
    return k < 1 ? 1 : k > most ? most : k;
}

static void cell_text(walker *w, const GumboNode *cell)
{
    bool space = false, any = false, over = false;
    for (const GumboNode *n = next_node(cell, cell, false, NULL, NULL); n;
         n = next_node(n, cell, over, NULL, NULL)) {
        over = is_left_out(n);
        if (over)
            continue;
        if (is_block(tag_of(n)) || tag_of(n) == GUMBO_TAG_BR || n->type == GUMBO_NODE_WHITESPACE)
            space = true;
        if (n->type != GUMBO_NODE_TEXT && n->type != GUMBO_NODE_CDATA)
            continue;
        for (const char *p = n->v.text.text; *p;) {
            const char *from = p;
            while (*p && !is_html_space(*p))
                p++;
            if (p > from) {
                if (space && any)
                    lf_builder_add_str(w->b, " ");
                lf_builder_add(w->b, from, (size_t)(p - from));
                any = true;
                space = false;
            }
            for (; is_html_space(*p); p++)
                space = true;
        }
    }
}

typedef struct table_state {
    lf_buf cells;            /* lf_cell[] */
    int32_t taken[MAX_COLS]; /* rows for which each column is still spanned */
    int32_t row;
} table_state;

static void table_row(walker *w, table_state *t, const GumboNode *tr)
{
    const GumboVector *c = children_of(tr);
    int32_t col = 0;
    bool first = true;
    if (t->row)
        lf_builder_separate(w->b, "\n");
    for (unsigned i = 0; i < c->length; i++) {
        const GumboNode *n = c->data[i];
        if (tag_of(n) != GUMBO_TAG_TD && tag_of(n) != GUMBO_TAG_TH)
            continue;
        while (col < MAX_COLS && t->taken[col] > 0)
            col++;
        if (col >= MAX_COLS)
            break;
        if (!first)
            lf_builder_add_str(w->b, "\t");
        first = false;
        lf_cell cell = { .row = t->row,
                         .col = col,
                         .n_rows = span_of(n, "rowspan", MAX_ROWS),
                         .n_cols = span_of(n, "colspan", MAX_COLS - col),
                         .start = w->b->n_chars };
        cell_text(w, n);
        cell.end = w->b->n_chars;
        for (int32_t k = 0; k < cell.n_cols; k++)
            t->taken[col + k] = cell.n_rows;
        col += cell.n_cols;
        lf_buf_add(&t->cells, &cell, sizeof cell);
    }
    for (int32_t k = 0; k < MAX_COLS; k++)
        t->taken[k] -= t->taken[k] > 0;
    t->row++;
}

static void put_table(walker *w, const GumboNode *table)
{
    table_state t = { .row = 0 };
    bool over = false;
    for (const GumboNode *n = next_node(table, table, false, NULL, NULL); n;
         n = next_node(n, table, over, NULL, NULL)) {
        over = tag_of(n) == GUMBO_TAG_CAPTION;
        if (over) { /* before the table, as a paragraph of its own */
            open_block(w);
            cell_text(w, n);
            close_block(w);
        }
    }
    lf_builder_separate(w->b, "\n");
    const uint32_t start = w->b->n_chars;
    for (const GumboNode *n = next_node(table, table, false, NULL, NULL); n && t.row < MAX_ROWS;
         n = next_node(n, table, over, NULL, NULL)) {
        over = tag_of(n) == GUMBO_TAG_TR;
        if (over)
            table_row(w, &t, n);
    }
    lf_cell *cells = (lf_cell *)(void *)t.cells.data;
    const size_t n_cells = t.cells.len / sizeof *cells;
    for (size_t i = 0; i < n_cells; i++)
        if (cells[i].n_rows > t.row - cells[i].row)
            cells[i].n_rows = t.row - cells[i].row;
    w->b->failed = w->b->failed || t.cells.failed;
    if (!w->b->failed)
        lf_builder_block(w->b, &(lf_block){ .type = LF_BLOCK_TABLE,
                                            .start = start,
                                            .end = w->b->n_chars,
                                            .cells = cells,
                                            .n_cells = n_cells });
    lf_buf_release(&t.cells);
}

/* ---- walking ---- */

static void leave(void *ud, const GumboNode *n)
{
    walker *w = ud;
    const GumboTag t = tag_of(n);
    if (n->type != GUMBO_NODE_ELEMENT)
        return;
    if (is_block(t))
        close_block(w);
    if (t == GUMBO_TAG_PRE)
        w->pre--;
    if (t == GUMBO_TAG_UL || t == GUMBO_TAG_OL)
        w->lists--;
    if (t == GUMBO_TAG_LI || t == GUMBO_TAG_DD)
        w->item = false;
    if (t == GUMBO_TAG_FOOTER) {
        w->footer--;
        w->type = w->footer ? LF_BLOCK_FOOTER : LF_BLOCK_PARAGRAPH;
    }
}

static void enter(walker *w, const GumboNode *n)
{
    const GumboTag t = tag_of(n);
    if (is_block(t))
        close_block(w);
    if (t >= GUMBO_TAG_H1 && t <= GUMBO_TAG_H6) {
        w->type = LF_BLOCK_HEADING;
        w->level = 1 + (int)(t - GUMBO_TAG_H1);
    } else if (t == GUMBO_TAG_PRE) {
        w->pre++;
        w->type = LF_BLOCK_CODE;
    } else if (t == GUMBO_TAG_UL || t == GUMBO_TAG_OL) {
        w->lists++;
        if (w->lists < LIST_DEPTH)
            w->counters[w->lists] = 0;
    } else if (t == GUMBO_TAG_LI || t == GUMBO_TAG_DD) {
        w->item = true;
        w->number = tag_of(n->parent) == GUMBO_TAG_OL && w->lists < LIST_DEPTH
                        ? ++w->counters[w->lists]
                        : 0;
    } else if (t == GUMBO_TAG_FOOTER) {
        w->footer++;
        w->type = LF_BLOCK_FOOTER;
    } else if (t == GUMBO_TAG_BR) {
        if (w->open)
            lf_builder_add_str(w->b, "\n");
        w->space = false;
    }
}

static void walk(walker *w, const GumboNode *body)
{
    const GumboNode *n = body;
    while (n && !w->b->failed) {
        bool over = is_left_out(n);
        if (over) {
            n = next_node(n, body, true, leave, w);
            if (!n)
                break;
            continue;
        }
        if (n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_CDATA) {
            add_text(w, n->v.text.text);
        } else if (n->type == GUMBO_NODE_WHITESPACE) {
            if (w->pre)
                add_text(w, n->v.text.text);
            w->space = true;
        } else if (n->type == GUMBO_NODE_ELEMENT) {
            enter(w, n);
            if (n->v.element.tag == GUMBO_TAG_TABLE && is_data_table(n)) {
                put_table(w, n);
                over = true;
            }
        }
        n = next_node(n, body, over, leave, w);
    }
    close_block(w);
}

/* The page's title leads when no heading of the first level says it. */
static void put_title(walker *w, const GumboNode *root)
{
    const char *title = NULL;
    bool has_h1 = false;
    for (const GumboNode *n = root; n; n = next_node(n, root, false, NULL, NULL)) {
        if (tag_of(n) == GUMBO_TAG_TITLE && !title && n->v.element.children.length)
            title = ((const GumboNode *)n->v.element.children.data[0])->v.text.text;
        has_h1 = has_h1 || tag_of(n) == GUMBO_TAG_H1;
    }
    if (!title || has_h1)
        return;
    w->type = LF_BLOCK_HEADING;
    w->level = 1;
    add_text(w, title);
    close_block(w);
}

lf_status lf_doc_read_html(const uint8_t *p, size_t n, const lf_doc_tools *tools, lf_builder *b,
                           lf_err *err)
{
    char label[48];
    lf_buf text = { 0 };
    tree t;
    walker w = { .b = b, .type = LF_BLOCK_PARAGRAPH };
    lf_arena_init(&t.arena, tree_cap);
    lf_status st =
        lf_decode(p, n, &tools->charsets,
                  charset_of((const char *)p, n, label, sizeof label) ? label : NULL, &text, err);
    if (st == LF_OK && nests_too_deep(lf_buf_cstr(&text), text.len))
        st = lf_fail(err, LF_ERR_LIMIT, "the page nests elements deeper than %d", MAX_NESTING);
    if (st != LF_OK)
        goto done;
    const GumboOutput *out = parse_tree(&t, lf_buf_cstr(&text), text.len);
    if (!out) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the tree of an HTML page of %zu bytes", n);
        goto done;
    }
    put_title(&w, out->root);
    walk(&w, out->root);
    st = lf_builder_status(b, err);
done:
    lf_arena_release(&t.arena);
    lf_buf_release(&text);
    return st;
}

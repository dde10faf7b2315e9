/* doc/pdf_layout.c - a page's characters to lines and tables, in reading order.
 *
 * 1. Characters that follow each other on one baseline make a piece.
 * 2. Ruled tables are set aside as one item each (pdf_table.c).
 * 3. A region is cut at a gutter: an x in its middle that few items cross, with
 *    running text (not table columns: the pieces fill their side) on both sides.
 *    Items across the gutter split it into bands; each band is read left side
 *    first, and each side is a region again.  Without a gutter a region is rows.
 * 4. Rows whose pieces stand in columns, three or more of them, are an unruled
 *    table; other rows become one line each.
 *
 * A recursive XY-cut (Nagy and Seth, "Hierarchical representation of optically
 * scanned documents", ICPR 1984) would cut a two-column page between its lines
 * where the columns share a baseline grid; looking for the gutter first avoids
 * that. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doc/lines.h"
#include "doc/pdf_int.h"
#include "text/utf8.h"

enum { MAX_REGION_DEPTH = 4, GUTTER_LINES = 4, MAX_TABLE_COLS = 40 };

/* A piece of a line, or a ruled table. */
typedef struct item {
    lf_box box;
    float size;
    size_t first, n; /* characters in layout.order; tables: 0 */
    int32_t table;   /* -1 = text */
    bool bold;
} item;

typedef struct layout {
    pdf_page *p;
    pdf_text *out;
    const pdf_char *chars;
    uint32_t *order; /* character indices, piece by piece */
    size_t n_order;
    lf_buf items;         /* item[] */
    uint32_t *of_cell;    /* characters of all cells, cell by cell */
    uint32_t *cell_start; /* where each cell's begin; one more at the end */
} layout;

static float height(const lf_box *b)
{
    return b->y1 - b->y0;
}

static float mid_y(const lf_box *b)
{
    return (b->y0 + b->y1) / 2;
}

static void unite(lf_box *a, const lf_box *b)
{
    a->x0 = fminf(a->x0, b->x0);
    a->y0 = fminf(a->y0, b->y0);
    a->x1 = fmaxf(a->x1, b->x1);
    a->y1 = fmaxf(a->y1, b->y1);
}

static bool same_row(const lf_box *a, const lf_box *b)
{
    const float over = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    return over > 0.5F * fminf(height(a), height(b));
}

/* ---- 1. pieces ---- */

static bool is_wide(uint32_t cp)
{
    return lf_cp_is_han(cp) || (cp >= 0x3000 && cp <= 0x30FF) || (cp >= 0xFF00 && cp <= 0xFFEF);
}

/* Does `c` go on where `last` of the piece ended? */
static bool continues(const pdf_char *last, const pdf_char *c)
{
    const float em = fmaxf(last->size, c->size);
    if (c->turns != last->turns || c->cell != last->cell)
        return false;
    if (c->turns != 0) { /* sideways: near enough */
        const float dx = fmaxf(0, fmaxf(c->box.x0 - last->box.x1, last->box.x0 - c->box.x1));
        const float dy = fmaxf(0, fmaxf(c->box.y0 - last->box.y1, last->box.y0 - c->box.y1));
        return dx < em && dy < em;
    }
    /* cells of a table stand apart without a space character; words mostly have one */
    const float most = c->real_space ? em : 0.45F * em;
    return fabsf(mid_y(&c->box) - mid_y(&last->box)) < 0.5F * em &&
           c->box.x0 > last->box.x0 - 0.3F * em && c->box.x0 - last->box.x1 < most;
}

/* The same glyph drawn twice to look bold. */
static bool is_overprint(const layout *l, size_t first, size_t end, const pdf_char *c)
{
    for (size_t k = end; k > first && k + 3 > end; k--) {
        const pdf_char *o = &l->chars[l->order[k - 1]];
        if (o->cp == c->cp && fabsf(o->box.x0 - c->box.x0) < 0.2F * c->size &&
            fabsf(o->box.y0 - c->box.y0) < 0.2F * c->size)
            return true;
    }
    return false;
}

static void close_piece(layout *l, item *it)
{
    size_t bold = 0;
    if (it->n == 0)
        return;
    for (size_t i = 0; i < it->n; i++)
        bold += l->chars[l->order[it->first + i]].bold;
    it->bold = bold * 10 > it->n * 6;
    it->size = l->chars[l->order[it->first + it->n / 2]].size;
    lf_buf_add(&l->items, it, sizeof *it);
    *it = (item){ .first = l->n_order, .table = -1 };
}

/* Pieces of all characters with `cell` (0 = running text) and upright or not. */
static void make_pieces(layout *l, const uint32_t *from, size_t n, int32_t cell, bool upright)
{
    item it = { .first = l->n_order, .table = -1 };
    const pdf_char *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const pdf_char *c = &l->chars[from ? from[i] : i];
        if (c->cell != cell || (c->turns == 0) != upright)
            continue;
        if (last && !continues(last, c))
            close_piece(l, &it);
        if (it.n && is_overprint(l, it.first, l->n_order, c))
            continue;
        if (it.n == 0)
            it.box = c->box;
        else
            unite(&it.box, &c->box);
        l->order[l->n_order++] = (uint32_t)(from ? from[i] : i);
        it.n++;
        last = c;
    }
    close_piece(l, &it);
}

/* ---- writing lines ---- */

static bool needs_space(const pdf_char *a, const pdf_char *b)
{
    const float em = fmaxf(a->size, b->size);
    const float gap = a->turns == 0 ? b->box.x0 - a->box.x1 : 0;
    const bool wide = is_wide(a->cp) && is_wide(b->cp);
    if (b->space_before)
        return !wide || gap > 0.3F * em;
    return gap > (wide ? 0.9F : 0.28F) * em;
}

static void put_cp(lf_buf *out, uint32_t cp)
{
    char seq[4];
    lf_buf_add(out, seq, lf_utf8_put(cp, seq));
}

static void put_piece(layout *l, const item *it)
{
    const pdf_char *last = NULL;
    for (size_t i = 0; i < it->n; i++) {
        const pdf_char *c = &l->chars[l->order[it->first + i]];
        if (last && needs_space(last, c))
            lf_buf_add_char(&l->out->text, ' ');
        put_cp(&l->out->text, c->cp);
        last = c;
    }
}

static bool piece_gap(const layout *l, const item *a, const item *b)
{
    return needs_space(&l->chars[l->order[a->first + a->n - 1]], &l->chars[l->order[b->first]]);
}

static lf_box visible(const layout *l, lf_box b)
{
    return pdf_turn(b, l->p->to_visible, l->p->width, l->p->height);
}

/* The pieces of one row as one line. */
static void put_line(layout *l, const item *row, size_t n, pdf_kind kind, float column0,
                     float column1)
{
    size_t n_chars = 0, n_bold = 0, longest = 0;
    pdf_line line = { .kind = kind,
                      .page = l->p->number,
                      .text = (uint32_t)l->out->text.len,
                      .read = row[0].box,
                      .column0 = column0,
                      .column1 = column1 };
    for (size_t i = 0; i < n; i++) {
        if (i && piece_gap(l, &row[i - 1], &row[i]))
            lf_buf_add_char(&l->out->text, ' ');
        put_piece(l, &row[i]);
        unite(&line.read, &row[i].box);
        n_chars += row[i].n;
        n_bold += row[i].bold ? row[i].n : 0;
        if (row[i].n > longest) {
            longest = row[i].n;
            line.size = row[i].size;
        }
    }
    line.bold = n_bold * 10 > n_chars * 6;
    line.sideways = l->chars[l->order[row[0].first]].turns != 0;
    line.n_bytes = (uint32_t)(l->out->text.len - line.text);
    line.box = visible(l, line.read);
    lf_buf_add(&l->out->lines, &line, sizeof line);
}

/* ---- rows ---- */

static int by_y(const void *a, const void *b)
{
    const item *x = a, *y = b;
    const float p = mid_y(&x->box), q = mid_y(&y->box);
    if (p != q)
        return p < q ? -1 : 1;
    return x->box.x0 < y->box.x0 ? -1 : x->box.x0 > y->box.x0;
}

static int by_x(const void *a, const void *b)
{
    const item *x = a, *y = b;
    return x->box.x0 < y->box.x0 ? -1 : x->box.x0 > y->box.x0;
}

/* Sort v into rows: pieces of a row stand next to each other from left to right.
 * Returns the number of items of the row that starts at v. */
static size_t row_length(item *v, size_t n)
{
    lf_box row = v[0].box;
    size_t k = 1;
    while (k < n && v[0].table < 0 && v[k].table < 0 && same_row(&row, &v[k].box)) {
        unite(&row, &v[k].box);
        k++;
    }
    qsort(v, k, sizeof *v, by_x);
    return k;
}

/* Is this piece only the bullet or number of what follows? */
static bool is_marker(const layout *l, const item *it)
{
    char text[64];
    size_t len = 0;
    if (it->n > 5)
        return false;
    for (size_t i = 0; i < it->n; i++)
        len += lf_utf8_put(l->chars[l->order[it->first + i]].cp, text + len);
    text[len] = ' ';
    text[len + 1] = 'x';
    const lf_str s = { text, len + 2 };
    lf_numbering num;
    return lf_line_bullet(s) > 0 || (lf_line_numbering(s, &num) && num.n_bytes >= len);
}

/* ---- 4. unruled tables ---- */

typedef struct columns {
    float from[MAX_TABLE_COLS], to[MAX_TABLE_COLS];
    int n;
} columns;

/* Lay one interval into the set, uniting what it touches. */
static bool add_interval(columns *c, float from, float to)
{
    columns out = { .n = 0 };
    bool placed = false;
    for (int i = 0; i < c->n; i++) {
        if (c->to[i] < from - 1 || c->from[i] > to + 1) {
            if (!placed && c->from[i] > to) {
                if (out.n == MAX_TABLE_COLS)
                    return false;
                out.from[out.n] = from;
                out.to[out.n++] = to;
                placed = true;
            }
            if (out.n == MAX_TABLE_COLS)
                return false;
            out.from[out.n] = c->from[i];
            out.to[out.n++] = c->to[i];
        } else {
            from = fminf(from, c->from[i]);
            to = fmaxf(to, c->to[i]);
        }
    }
    if (!placed) {
        int at = out.n;
        if (out.n == MAX_TABLE_COLS)
            return false;
        while (at > 0 && out.from[at - 1] > from)
            at--;
        memmove(out.from + at + 1, out.from + at, (size_t)(out.n - at) * sizeof out.from[0]);
        memmove(out.to + at + 1, out.to + at, (size_t)(out.n - at) * sizeof out.to[0]);
        out.from[at] = from;
        out.to[at] = to;
        out.n++;
    }
    *c = out;
    return true;
}

static int column_of(const columns *c, const lf_box *b)
{
    for (int i = 0; i < c->n; i++)
        if (b->x0 >= c->from[i] - 2 && b->x1 <= c->to[i] + 2)
            return i;
    return -1;
}

/* Does every row's every piece stand in a column of its own? */
static bool fits(const columns *c, const item *v, const size_t *row, size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r++) {
        int last = -1;
        for (size_t i = row[r]; i < row[r + 1]; i++) {
            const int k = column_of(c, &v[i].box);
            if (k <= last)
                return false;
            last = k;
        }
    }
    return true;
}

/* How many rows from row[0] on are one unruled table; 0 = none.  row[] are the
 * starts of the rows in v, ended by one more. */
static size_t table_rows(const layout *l, const item *v, const size_t *row, size_t n_rows,
                         columns *cols)
{
    columns c = { .n = 0 };
    size_t n = 0, many = 0, last_many = 0;
    for (; n < n_rows; n++) {
        const size_t pieces = row[n + 1] - row[n];
        const item *first = &v[row[n]];
        if (first->table >= 0)
            break;
        if (n > 0) {
            const item *above = &v[row[n - 1]];
            if (first->box.y0 - above->box.y1 > 2.5F * fmaxf(height(&first->box), l->p->size))
                break;
        }
        columns with = c;
        bool ok = pieces >= 2 || (n > 0 && column_of(&c, &first->box) >= 0);
        for (size_t i = row[n]; ok && pieces >= 2 && i < row[n + 1]; i++)
            ok = add_interval(&with, v[i].box.x0, v[i].box.x1);
        if (!ok || (pieces >= 2 && is_marker(l, first) && pieces == 2) || with.n < 2 ||
            !fits(&with, v, row, n + 1))
            break;
        c = with;
        if (pieces >= 2) {
            many++;
            last_many = n + 1;
        }
    }
    *cols = c;
    const bool wide = c.n >= 3;
    return many >= (wide ? 2U : 3U) && many * 2 >= last_many ? last_many : 0;
}

/* Put the lines of one cell (already in reading order, each a piece). */
static void put_table(layout *l, const item *v, const size_t *row, size_t n_rows,
                      const columns *cols)
{
    const uint32_t first_cell = (uint32_t)pdf_count(&l->out->cells, sizeof(pdf_cell));
    int32_t table_row = -1;
    uint32_t last_cell[MAX_TABLE_COLS] = { 0 };
    lf_box all = v[row[0]].box;
    for (size_t r = 0; r < n_rows; r++) {
        const size_t pieces = row[r + 1] - row[r];
        const int first_col = column_of(cols, &v[row[r]].box);
        const bool wrapped = pieces == 1 && first_col > 0 && table_row >= 0 && last_cell[first_col];
        table_row += !wrapped;
        for (size_t i = row[r]; i < row[r + 1]; i++) {
            const int col = column_of(cols, &v[i].box);
            const uint32_t at = (uint32_t)pdf_count(&l->out->lines, sizeof(pdf_line));
            unite(&all, &v[i].box);
            put_line(l, &v[i], 1, PDF_CELL_LINE, cols->from[col], cols->to[col]);
            if (l->out->lines.failed || l->out->cells.failed)
                return;
            pdf_line *line = (pdf_line *)(void *)l->out->lines.data + at;
            if (wrapped) {
                pdf_cell *c = (pdf_cell *)(void *)l->out->cells.data + (last_cell[col] - 1);
                const lf_box b = visible(l, v[i].box);
                unite(&c->box, &b);
                line->cell = last_cell[col] - 1;
                continue;
            }
            const pdf_cell c = {
                .row = table_row, .col = col, .n_rows = 1, .n_cols = 1, .box = visible(l, v[i].box)
            };
            line->cell = (uint32_t)pdf_count(&l->out->cells, sizeof c);
            lf_buf_add(&l->out->cells, &c, sizeof c);
            last_cell[col] = line->cell + 1;
        }
    }
    const pdf_line t = { .kind = PDF_TABLE,
                         .page = l->p->number,
                         .cell = first_cell,
                         .n_cells =
                             (uint32_t)pdf_count(&l->out->cells, sizeof(pdf_cell)) - first_cell,
                         .read = all,
                         .box = visible(l, all),
                         .size = l->p->size,
                         .column0 = all.x0,
                         .column1 = all.x1 };
    lf_buf_add(&l->out->lines, &t, sizeof t);
}

/* ---- ruled tables ---- */

static void put_ruled(layout *l, const item *it)
{
    const pdf_cell *cells = (const pdf_cell *)(const void *)l->p->cells.data;
    const size_t n = pdf_count(&l->p->cells, sizeof *cells), keep_items = l->items.len;
    const uint32_t first_cell = (uint32_t)pdf_count(&l->out->cells, sizeof *cells);
    for (size_t i = 0; i < n; i++) {
        if (cells[i].table != (uint32_t)it->table)
            continue;
        pdf_cell c = cells[i];
        const uint32_t id = (uint32_t)pdf_count(&l->out->cells, sizeof c);
        c.box = visible(l, c.box);
        lf_buf_add(&l->out->cells, &c, sizeof c);
        const size_t first = l->items.len / sizeof(item);
        make_pieces(l, l->of_cell + l->cell_start[i], l->cell_start[i + 1] - l->cell_start[i],
                    (int32_t)i + 1, true);
        if (l->items.failed)
            return;
        item *v = (item *)(void *)l->items.data + first;
        const size_t n_pieces = l->items.len / sizeof(item) - first;
        if (n_pieces)
            qsort(v, n_pieces, sizeof *v, by_y);
        for (size_t k = 0; k < n_pieces;) {
            const size_t row = row_length(v + k, n_pieces - k);
            const size_t at = pdf_count(&l->out->lines, sizeof(pdf_line));
            put_line(l, v + k, row, PDF_CELL_LINE, cells[i].box.x0, cells[i].box.x1);
            if (l->out->lines.failed)
                return;
            ((pdf_line *)(void *)l->out->lines.data)[at].cell = id;
            k += row;
        }
        l->items.len = keep_items;
    }
    const pdf_line t = { .kind = PDF_TABLE,
                         .page = l->p->number,
                         .cell = first_cell,
                         .n_cells = (uint32_t)pdf_count(&l->out->cells, sizeof *cells) - first_cell,
                         .read = it->box,
                         .box = visible(l, it->box),
                         .size = l->p->size,
                         .column0 = it->box.x0,
                         .column1 = it->box.x1 };
    lf_buf_add(&l->out->lines, &t, sizeof t);
}

/* ---- 3. regions ---- */

static void put_rows(layout *l, item *v, size_t n)
{
    float x0 = 1e9F, x1 = -1e9F;
    size_t n_rows = 0;
    size_t *row = lf_alloc((n + 1) * sizeof *row);
    if (!row) {
        l->out->failed = true;
        return;
    }
    qsort(v, n, sizeof *v, by_y);
    for (size_t i = 0; i < n;) {
        row[n_rows++] = i;
        i += row_length(v + i, n - i);
    }
    row[n_rows] = n;
    for (int pass = 0; pass < 2 && x1 < x0; pass++) /* first without running heads and feet */
        for (size_t i = 0; i < n; i++)
            if (pass ||
                (v[i].box.y1 > 0.09F * l->p->height && v[i].box.y0 < 0.91F * l->p->height)) {
                x0 = fminf(x0, v[i].box.x0);
                x1 = fmaxf(x1, v[i].box.x1);
            }
    for (size_t r = 0; r < n_rows;) {
        columns cols;
        const size_t k =
            row[r + 1] - row[r] >= 2 ? table_rows(l, v, row + r, n_rows - r, &cols) : 0;
        if (v[row[r]].table >= 0)
            put_ruled(l, &v[row[r]]);
        else if (k)
            put_table(l, v, row + r, k, &cols);
        else
            put_line(l, v + row[r], row[r + 1] - row[r], PDF_LINE, x0, x1);
        r += k ? k : 1;
    }
    lf_free(row);
}

/* Share of a side's pieces that fill most of its width. */
static bool is_prose(const item *v, size_t n, float gutter, bool left, float edge)
{
    size_t all = 0, full = 0;
    const float width = left ? gutter - edge : edge - gutter;
    for (size_t i = 0; i < n; i++) {
        if (v[i].table >= 0 || (left ? v[i].box.x1 > gutter + 1 : v[i].box.x0 < gutter - 1))
            continue;
        all++;
        full += v[i].box.x1 - v[i].box.x0 > 0.6F * width;
    }
    return all >= GUTTER_LINES && full * 10 >= all * 4;
}

static bool find_gutter(const item *v, size_t n, float *gutter)
{
    float x0 = 1e9F, x1 = -1e9F, best_x = 0;
    size_t best_cross = n, best_min = 0;
    int plateau = 0;
    for (size_t i = 0; i < n; i++) {
        x0 = fminf(x0, v[i].box.x0);
        x1 = fmaxf(x1, v[i].box.x1);
    }
    if (n < 2 * GUTTER_LINES || x1 - x0 < 100)
        return false;
    for (float x = x0 + 0.2F * (x1 - x0); x < x1 - 0.2F * (x1 - x0); x += 1) {
        size_t cross = 0, left = 0, right = 0;
        for (size_t i = 0; i < n; i++) {
            left += v[i].box.x1 <= x + 1;
            right += v[i].box.x0 >= x - 1;
            cross += v[i].box.x1 > x + 1 && v[i].box.x0 < x - 1;
        }
        const size_t least = left < right ? left : right;
        if (cross < best_cross || (cross == best_cross && least > best_min)) {
            best_cross = cross;
            best_min = least;
            best_x = x;
            plateau = 0;
        } else if (cross == best_cross && least == best_min && (float)plateau + best_x + 1.5F > x) {
            plateau++;
        }
    }
    best_x += (float)plateau / 2;
    *gutter = best_x;
    return best_min >= GUTTER_LINES && best_cross <= best_min && is_prose(v, n, best_x, true, x0) &&
           is_prose(v, n, best_x, false, x1);
}

static void put_region(layout *l, item *v, size_t n, int depth);

/* One band between two items that cross the gutter: left side, then right. */
static void put_band(layout *l, item *v, size_t n, float gutter, int depth)
{
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if ((v[i].box.x0 + v[i].box.x1) / 2 < gutter) {
            const item swap = v[left];
            v[left++] = v[i];
            v[i] = swap;
        }
    if (left < 3 || n - left < 3) { /* a running head, a caption: no columns */
        put_rows(l, v, n);
        return;
    }
    if (left)
        put_region(l, v, left, depth + 1);
    if (n > left)
        put_region(l, v + left, n - left, depth + 1);
}

static void put_region(layout *l, item *v, size_t n, int depth)
{
    float gutter = 0;
    if (n == 0)
        return;
    if (depth >= MAX_REGION_DEPTH || !find_gutter(v, n, &gutter)) {
        put_rows(l, v, n);
        return;
    }
    qsort(v, n, sizeof *v, by_y);
    for (size_t i = 0; i < n;) { /* runs of crossing and of non-crossing items */
        size_t k = i;
        const bool cross = v[i].box.x0 < gutter - 1 && v[i].box.x1 > gutter + 1;
        while (k < n && (v[k].box.x0 < gutter - 1 && v[k].box.x1 > gutter + 1) == cross)
            k++;
        if (cross)
            put_rows(l, v + i, k - i);
        else
            put_band(l, v + i, k - i, gutter, depth);
        i = k;
    }
}

/* Sort the characters inside tables by their cell. */
static bool index_cells(layout *l)
{
    const size_t n = pdf_count(&l->p->chars, sizeof(pdf_char)),
                 n_cells = pdf_count(&l->p->cells, sizeof(pdf_cell));
    l->of_cell = lf_alloc(n * sizeof *l->of_cell);
    l->cell_start = lf_calloc(n_cells + 2, sizeof *l->cell_start);
    if (!l->of_cell || !l->cell_start)
        return false;
    /* counting sort by id (from 1); then shifted, so that index 0 is the first cell */
    for (size_t i = 0; i < n; i++)
        if (l->chars[i].cell)
            l->cell_start[l->chars[i].cell]++;
    for (size_t k = 1; k <= n_cells; k++)
        l->cell_start[k] += l->cell_start[k - 1];
    for (size_t i = n; i > 0; i--)
        if (l->chars[i - 1].cell)
            l->of_cell[--l->cell_start[l->chars[i - 1].cell]] = (uint32_t)(i - 1);
    for (size_t k = 0; k < n_cells; k++)
        l->cell_start[k] = l->cell_start[k + 1];
    uint32_t in_cells = 0;
    for (size_t i = 0; i < n; i++)
        in_cells += l->chars[i].cell != 0;
    l->cell_start[n_cells] = in_cells;
    return true;
}

static void add_tables(layout *l)
{
    const pdf_cell *cells = (const pdf_cell *)(const void *)l->p->cells.data;
    const size_t n = pdf_count(&l->p->cells, sizeof *cells);
    for (uint32_t t = 0; t < l->p->n_tables; t++) {
        item it = { .table = (int32_t)t };
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            if (cells[i].table != t)
                continue;
            if (any)
                unite(&it.box, &cells[i].box);
            else
                it.box = cells[i].box;
            any = true;
        }
        if (any)
            lf_buf_add(&l->items, &it, sizeof it);
    }
}

/* Text that stands sideways (margins, watermarks) comes after the rest. */
static void put_sideways(layout *l)
{
    l->items.len = 0;
    make_pieces(l, NULL, pdf_count(&l->p->chars, sizeof(pdf_char)), 0, false);
    if (l->items.failed)
        return;
    const item *v = (const item *)(const void *)l->items.data;
    for (size_t i = 0; i < l->items.len / sizeof *v; i++)
        put_line(l, &v[i], 1, PDF_LINE, v[i].box.x0, v[i].box.x1);
}

void pdf_page_layout(pdf_page *p, pdf_text *out)
{
    const size_t n = pdf_count(&p->chars, sizeof(pdf_char));
    layout l = { .p = p, .out = out };
    pdf_find_ruled(p);
    l.chars = (const pdf_char *)(const void *)p->chars.data;
    l.order = n ? lf_alloc(2 * n * sizeof *l.order) : NULL;
    if (n == 0)
        return;
    if (!l.order) {
        out->failed = true;
        return;
    }
    make_pieces(&l, NULL, n, 0, true);
    add_tables(&l);
    if (!index_cells(&l))
        out->failed = true;
    if (!l.items.failed && !out->failed) {
        /* put_ruled grows l.items: the region's own items are moved out first */
        lf_buf own = l.items;
        l.items = (lf_buf){ 0 };
        put_region(&l, (item *)(void *)own.data, own.len / sizeof(item), 0);
        lf_buf_release(&own);
        put_sideways(&l);
    }
    out->failed = out->failed || l.items.failed || p->failed || p->cells.failed ||
                  out->text.failed || out->lines.failed || out->cells.failed;
    lf_buf_release(&l.items);
    lf_free(l.order);
    lf_free(l.of_cell);
    lf_free(l.cell_start);
}

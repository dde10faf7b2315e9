/* doc/pdf_table.c - ruled tables: from drawn lines to a grid of cells.
 *
 * 1. Collinear rules that touch become one (a border is often drawn cell by cell).
 * 2. Rules that cross or meet form a component; each component is one candidate.
 * 3. Its distinct x and y make a grid; where no rule stands between two
 *    neighbours they are one cell (spans).
 * 4. Characters go to the cell that holds their centre.  A candidate with one
 *    column, one cell, or hardly any text is decoration and is dropped. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doc/pdf_int.h"

enum { MAX_MERGED = 3000, MAX_COLS = 60, MAX_ROWS = 500 };
static const float near_pt = 3.0F;

typedef struct grid {
    float xs[MAX_COLS + 1], ys[MAX_ROWS + 1];
    int n_xs, n_ys;
} grid;

static int compare_rules(const void *a, const void *b)
{
    const pdf_rule *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Sort, then let each rule swallow those that continue or repeat it. */
static size_t merge_rules(lf_buf *rules)
{
    pdf_rule *v = (pdf_rule *)(void *)rules->data;
    const size_t n = pdf_count(rules, sizeof *v);
    size_t kept = 0;
    if (n == 0)
        return 0;
    qsort(v, n, sizeof *v, compare_rules);
    for (size_t i = 0; i < n; i++) {
        bool done = false;
        for (size_t k = kept; k > 0 && v[i].at - v[k - 1].at <= 1.6F; k--) {
            pdf_rule *o = &v[k - 1];
            if (v[i].from <= o->to + near_pt && v[i].to >= o->from - near_pt) {
                o->from = fminf(o->from, v[i].from);
                o->to = fmaxf(o->to, v[i].to);
                done = true;
                break;
            }
        }
        if (!done)
            v[kept++] = v[i];
    }
    rules->len = kept * sizeof *v;
    return kept;
}

/* ---- components ---- */

static size_t root_of(uint32_t *parent, size_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static bool meet(const pdf_rule *across, const pdf_rule *down)
{
    return across->at >= down->from - near_pt && across->at <= down->to + near_pt &&
           down->at >= across->from - near_pt && down->at <= across->to + near_pt;
}

static bool insert_coordinate(float *v, int *n, int most, float x)
{
    int i = 0;
    while (i < *n && v[i] < x)
        i++;
    if ((i < *n && v[i] - x < near_pt) || (i > 0 && x - v[i - 1] < near_pt))
        return true;
    if (*n > most)
        return false;
    memmove(v + i + 1, v + i, (size_t)(*n - i) * sizeof *v);
    v[i] = x;
    ++*n;
    return true;
}

typedef struct component {
    const pdf_rule *across, *down;
    size_t n_across, n_down;
    uint32_t *parent; /* across first, then down */
    size_t root;
} component;

static bool make_grid(const component *k, grid *g)
{
    float lo = 1e9F, hi = -1e9F;
    g->n_xs = g->n_ys = 0;
    for (size_t i = 0; i < k->n_down; i++)
        if (root_of(k->parent, k->n_across + i) == k->root &&
            !insert_coordinate(g->xs, &g->n_xs, MAX_COLS, k->down[i].at))
            return false;
    for (size_t i = 0; i < k->n_across; i++) {
        if (root_of(k->parent, i) != k->root)
            continue;
        if (!insert_coordinate(g->ys, &g->n_ys, MAX_ROWS, k->across[i].at))
            return false;
        lo = fminf(lo, k->across[i].from);
        hi = fmaxf(hi, k->across[i].to);
    }
    if (g->n_xs == 0 || g->n_ys < 2)
        return false;
    /* a table open at its sides: the horizontal rules say where it ends */
    if (lo < g->xs[0] - 8 && !insert_coordinate(g->xs, &g->n_xs, MAX_COLS, lo))
        return false;
    if (hi > g->xs[g->n_xs - 1] + 8 && !insert_coordinate(g->xs, &g->n_xs, MAX_COLS, hi))
        return false;
    return g->n_xs >= 3;
}

/* Is at least half of [from, to] at `at` drawn? */
static bool is_drawn(const pdf_rule *v, size_t n, float at, float from, float to)
{
    float covered = 0;
    for (size_t i = 0; i < n; i++) {
        if (fabsf(v[i].at - at) > near_pt)
            continue;
        const float a = fmaxf(v[i].from, from), b = fminf(v[i].to, to);
        covered += b > a ? b - a : 0;
    }
    return covered >= 0.5F * (to - from);
}

/* ---- cells ---- */

static int slot_of(const float *v, int n, float x)
{
    if (n < 2 || x < v[0] || x > v[n - 1])
        return -1;
    int i = 0;
    while (i + 2 < n && x > v[i + 1])
        i++;
    return i;
}

typedef struct table_maker {
    const component *k;
    const grid *g;
    int32_t *owner; /* [row][col] -> index of its cell in p->cells, -1 = none yet */
    int n_rows, n_cols;
} table_maker;

static bool open_right(const table_maker *t, int row, int col)
{
    const grid *g = t->g;
    return !is_drawn(t->k->down, t->k->n_down, g->xs[col + 1], g->ys[row], g->ys[row + 1]);
}

static bool open_below(const table_maker *t, int row, int col)
{
    const grid *g = t->g;
    return !is_drawn(t->k->across, t->k->n_across, g->ys[row + 1], g->xs[col], g->xs[col + 1]);
}

static void make_cell(table_maker *t, pdf_page *p, int row, int col)
{
    const grid *g = t->g;
    int right = col + 1, below = row + 1;
    while (right < t->n_cols && t->owner[row * t->n_cols + right] < 0 &&
           open_right(t, row, right - 1))
        right++;
    for (bool open = true; open && below < t->n_rows;) {
        for (int c = col; c < right; c++)
            open = open && open_below(t, below - 1, c) && t->owner[below * t->n_cols + c] < 0;
        below += open;
    }
    const int32_t id = (int32_t)pdf_count(&p->cells, sizeof(pdf_cell));
    const pdf_cell cell = { .row = row,
                            .col = col,
                            .n_rows = below - row,
                            .n_cols = right - col,
                            .box = { g->xs[col], g->ys[row], g->xs[right], g->ys[below] },
                            .table = p->n_tables };
    lf_buf_add(&p->cells, &cell, sizeof cell);
    for (int r = row; r < below; r++)
        for (int c = col; c < right; c++)
            t->owner[r * t->n_cols + c] = id;
}

static int32_t *cell_of_char(const table_maker *t, const pdf_char *c)
{
    const int col = slot_of(t->g->xs, t->g->n_xs, (c->box.x0 + c->box.x1) / 2);
    const int row = slot_of(t->g->ys, t->g->n_ys, (c->box.y0 + c->box.y1) / 2);
    return col < 0 || row < 0 ? NULL : &t->owner[row * t->n_cols + col];
}

/* Mark the characters; false when there is too little text for a table. */
static bool fill_cells(const table_maker *t, pdf_page *p, size_t first)
{
    pdf_char *c = (pdf_char *)(void *)p->chars.data;
    const size_t n = pdf_count(&p->chars, sizeof *c),
                 n_cells = pdf_count(&p->cells, sizeof(pdf_cell));
    pdf_cell *cells = (pdf_cell *)(void *)p->cells.data;
    size_t filled = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t *cell = c[i].cell ? NULL : cell_of_char(t, &c[i]);
        if (cell && cells[*cell].n_lines == 0) {
            cells[*cell].n_lines = 1;
            filled++;
        }
    }
    for (size_t i = first; i < n_cells; i++)
        cells[i].n_lines = 0;
    if (filled < 3 || filled * 8 < n_cells - first)
        return false;
    for (size_t i = 0; i < n; i++) {
        const int32_t *cell = c[i].cell ? NULL : cell_of_char(t, &c[i]);
        if (cell)
            c[i].cell = *cell + 1;
    }
    return true;
}

static void try_component(pdf_page *p, const component *k)
{
    grid g;
    if (!make_grid(k, &g))
        return;
    table_maker t = { .k = k, .g = &g, .n_rows = g.n_ys - 1, .n_cols = g.n_xs - 1 };
    const size_t n = (size_t)t.n_rows * (size_t)t.n_cols,
                 first = pdf_count(&p->cells, sizeof(pdf_cell));
    t.owner = lf_alloc(n * sizeof *t.owner);
    if (!t.owner) {
        p->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        t.owner[i] = -1;
    for (int r = 0; r < t.n_rows; r++)
        for (int c = 0; c < t.n_cols; c++)
            if (t.owner[r * t.n_cols + c] < 0)
                make_cell(&t, p, r, c);
    if (!p->cells.failed && fill_cells(&t, p, first))
        p->n_tables++;
    else
        p->cells.len = first * sizeof(pdf_cell);
    lf_free(t.owner);
}

void pdf_find_ruled(pdf_page *p)
{
    component k = { .n_across = merge_rules(&p->across), .n_down = merge_rules(&p->down) };
    const size_t n = k.n_across + k.n_down;
    if (k.n_across < 2 || k.n_down < 1 || n > MAX_MERGED)
        return;
    k.across = (const pdf_rule *)(const void *)p->across.data;
    k.down = (const pdf_rule *)(const void *)p->down.data;
    k.parent = lf_alloc(n * sizeof *k.parent);
    if (!k.parent) {
        p->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        k.parent[i] = (uint32_t)i;
    for (size_t i = 0; i < k.n_across; i++)
        for (size_t j = 0; j < k.n_down; j++)
            if (meet(&k.across[i], &k.down[j]))
                k.parent[root_of(k.parent, i)] = (uint32_t)root_of(k.parent, k.n_across + j);
    for (size_t i = 0; i < n; i++)
        if (root_of(k.parent, i) == i) {
            k.root = i;
            try_component(p, &k);
        }
    lf_free(k.parent);
}

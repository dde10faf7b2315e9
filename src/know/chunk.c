/* know/chunk.c - blocks to pieces, pieces to units and chunks.
 *
 * 1. Every block becomes pieces that are never cut again: sentences, short list
 *    items, table rows, code lines, headings.  What is longer than PIECE_MAX is cut
 *    at a comma or a space, at worst anywhere.
 * 2. Pieces are packed into chunks: a chunk ends before a piece of another page,
 *    before a heading of the two upper levels, before another heading once it has
 *    HEADING_BREAK characters, before a paragraph that would not fit whole once it
 *    has PARAGRAPH_BREAK, and before whatever does not fit.
 * 3. The pieces of a chunk are packed into units of about UNIT_WEIGHT: an ideograph
 *    weighs as much as three Latin letters, so that a unit holds as many facts in
 *    either script. */
#include "know/chunk.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/sentence.h"
#include "text/utf8.h"

enum {
    PIECE_MAX = 360,
    ITEM_WHOLE = 160,
    HEADING_BREAK = 300,
    PARAGRAPH_BREAK = 400,
    UNIT_WEIGHT = 480, /* 3 for an ideograph, 1 for another character */
    LEVELS = 6
};

typedef struct piece {
    uint32_t start, end, byte_start, byte_end;
    uint32_t path;
    uint32_t head_start, head_end;
    uint32_t group_end; /* where the paragraph or block of this piece ends */
    int32_t page, section;
    uint8_t heading; /* its level, 0 = none */
    uint8_t first;   /* first of its block */
} piece;

typedef struct cutter {
    const lf_doc *d;
    piece *v;
    size_t n, cap;
    char *level[LEVELS]; /* headings open at each level */
    uint32_t path;
    int32_t section;
    lf_chunks *out;
    size_t cap_paths, cap_units, cap_chunks;
    uint32_t at, at_byte; /* a position whose byte offset is known */
} cutter;

static lf_status no_memory(lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory to cut a document into passages");
}

static bool room(void **v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    const size_t want = *cap ? *cap * 2 : 64;
    void *p = lf_realloc(*v, want * size);
    if (p) {
        *v = p;
        *cap = want;
    }
    return p != NULL;
}

/* Byte offset of a code point; cheap near the one that was asked for last. */
static uint32_t byte_of(cutter *c, uint32_t cp)
{
    if (cp < c->at / 2)
        c->at = c->at_byte = 0;
    for (; cp < c->at; c->at--)
        do
            c->at_byte--;
        while (((unsigned char)c->d->text[c->at_byte] & 0xC0) == 0x80);
    c->at_byte +=
        (uint32_t)lf_utf8_offset(c->d->text + c->at_byte, c->d->n_bytes - c->at_byte, cp - c->at);
    c->at = cp;
    return c->at_byte;
}

/* ---- pieces ---- */

static lf_status add_piece(cutter *c, const lf_block *b, uint32_t start, uint32_t end, lf_err *err)
{
    if (end <= start)
        return LF_OK;
    if (!room((void **)&c->v, c->n, &c->cap, sizeof *c->v))
        return no_memory(err);
    piece *p = &c->v[c->n++];
    *p = (piece){ .start = start,
                  .end = end,
                  .path = c->path,
                  .group_end = b->end,
                  .page = b->page,
                  .section = c->section,
                  .first = start == b->start };
    p->byte_start = byte_of(c, start);
    p->byte_end = byte_of(c, end);
    return LF_OK;
}

static bool is_soft_break(uint32_t cp)
{
    return cp == ',' || cp == ';' || cp == ':' || cp == 0xFF0C || cp == 0x3001 || cp == 0xFF1B ||
           cp == 0xFF1A || lf_cp_is_space(cp);
}

/* Cut [start, end) into pieces of at most PIECE_MAX, after a soft break if one
 * lies in the second half. */
static lf_status add_long(cutter *c, const lf_block *b, uint32_t start, uint32_t end, lf_err *err)
{
    lf_status st = LF_OK;
    while (end - start > PIECE_MAX && st == LF_OK) {
        const char *p = c->d->text + byte_of(c, start), *const stop = c->d->text + c->d->n_bytes;
        uint32_t cut = start + PIECE_MAX;
        for (uint32_t i = 1; i <= PIECE_MAX && p < stop; i++)
            if (is_soft_break(lf_utf8_next(&p, stop)) && i > PIECE_MAX / 2)
                cut = start + i;
        st = add_piece(c, b, start, cut, err);
        start = cut;
    }
    return st == LF_OK ? add_piece(c, b, start, end, err) : st;
}

static lf_status add_sentences(cutter *c, const lf_block *b, lf_err *err)
{
    lf_spans s = { 0 };
    const uint32_t from = byte_of(c, b->start), to = byte_of(c, b->end);
    lf_status st = lf_sentences(c->d->text + from, to - from, b->start, &s, err);
    for (size_t i = 0; i < s.n && st == LF_OK; i++)
        st = add_long(c, b, s.v[i].start, s.v[i].end, err);
    lf_spans_release(&s);
    return st;
}

/* One piece a line. */
static lf_status add_code(cutter *c, const lf_block *b, lf_err *err)
{
    lf_status st = LF_OK;
    const char *p = c->d->text + byte_of(c, b->start), *const end = c->d->text + c->d->n_bytes;
    uint32_t start = b->start, at = b->start;
    while (at < b->end && p < end && st == LF_OK) {
        const uint32_t cp = lf_utf8_next(&p, end);
        at++;
        if (cp == '\n' || at == b->end) {
            st = add_long(c, b, start, cp == '\n' ? at - 1 : at, err);
            start = at;
        }
    }
    return st;
}

/* One piece a row; all but the first know where the header row is. */
static lf_status add_table(cutter *c, const lf_block *b, lf_err *err)
{
    lf_status st = LF_OK;
    uint32_t head_start = 0, head_end = 0;
    for (size_t i = 0; i < b->n_cells && st == LF_OK;) {
        const int32_t row = b->cells[i].row;
        uint32_t start = b->cells[i].start, end = b->cells[i].end;
        for (; i < b->n_cells && b->cells[i].row == row; i++) {
            start = b->cells[i].start < start ? b->cells[i].start : start;
            end = b->cells[i].end > end ? b->cells[i].end : end;
        }
        if (end <= start || start < b->start || end > b->end)
            continue;
        const size_t before = c->n;
        st = add_long(c, b, start, end, err);
        if (st == LF_OK && head_end == 0) {
            head_start = byte_of(c, start);
            head_end = byte_of(c, end);
        } else {
            for (size_t k = before; k < c->n; k++) {
                c->v[k].head_start = head_start;
                c->v[k].head_end = head_end;
            }
        }
    }
    return b->n_cells ? st : add_sentences(c, b, err);
}

/* ---- headings ---- */

static lf_status set_path(cutter *c, lf_err *err)
{
    lf_buf b = { 0 };
    for (size_t i = 0; i < LEVELS; i++)
        if (c->level[i]) {
            if (b.len)
                lf_buf_add_str(&b, " > ");
            lf_buf_add_str(&b, c->level[i]);
        }
    char *path = b.len || b.failed ? lf_buf_take(&b) : lf_strdup("");
    if (!path || !room((void **)&c->out->paths, c->out->n_paths, &c->cap_paths, sizeof(char *))) {
        lf_free(path);
        return no_memory(err);
    }
    c->path = (uint32_t)c->out->n_paths;
    c->out->paths[c->out->n_paths++] = path;
    return LF_OK;
}

/* Line breaks inside a heading become spaces, ends are trimmed. */
static char *heading_text(const char *p, size_t n)
{
    const lf_str s = lf_str_trim((lf_str){ p, n });
    char *copy = lf_strndup(s.p, s.len);
    for (char *q = copy; q && *q; q++)
        if (*q == '\n' || *q == '\t')
            *q = ' ';
    return copy;
}

static lf_status add_heading(cutter *c, const lf_block *b, lf_err *err)
{
    const int32_t level = b->level < 1 ? 1 : b->level > LEVELS ? LEVELS : b->level;
    const uint32_t from = byte_of(c, b->start), to = byte_of(c, b->end);
    for (int32_t i = level - 1; i < LEVELS; i++) {
        lf_free(c->level[i]);
        c->level[i] = NULL;
    }
    c->level[level - 1] = heading_text(c->d->text + from, to - from);
    if (!c->level[level - 1])
        return no_memory(err);
    if (level <= 2)
        c->section++;
    lf_status st = set_path(c, err);
    const size_t before = c->n;
    if (st == LF_OK)
        st = add_long(c, b, b->start, b->end, err);
    if (st == LF_OK && c->n > before)
        c->v[before].heading = (uint8_t)level;
    return st;
}

static lf_status cut_blocks(cutter *c, lf_err *err)
{
    lf_status st = set_path(c, err);
    for (size_t i = 0; i < c->d->n_blocks && st == LF_OK; i++) {
        const lf_block *b = &c->d->blocks[i];
        switch (b->type) {
        case LF_BLOCK_HEADING:
            st = add_heading(c, b, err);
            break;
        case LF_BLOCK_TABLE:
            st = add_table(c, b, err);
            break;
        case LF_BLOCK_CODE:
            st = add_code(c, b, err);
            break;
        case LF_BLOCK_LIST_ITEM:
            st = b->end - b->start <= ITEM_WHOLE ? add_piece(c, b, b->start, b->end, err)
                                                 : add_sentences(c, b, err);
            break;
        case LF_BLOCK_PARAGRAPH:
            st = add_sentences(c, b, err);
            break;
        case LF_BLOCK_HEADER:
        case LF_BLOCK_FOOTER:
            break; /* repeated on every page: noise for search */
        }
    }
    return st;
}

/* ---- units and chunks ---- */

static uint32_t weight_of(const lf_doc *d, uint32_t byte_start, uint32_t byte_end)
{
    const char *p = d->text + byte_start, *const end = d->text + byte_end;
    uint32_t w = 0;
    while (p < end) {
        const uint32_t cp = lf_utf8_next(&p, end);
        w += cp >= 0x2E80 && cp < 0x1F000 ? 3 : 1;
    }
    return w;
}

static lf_status close_unit(cutter *c, const piece *a, const piece *z, lf_err *err)
{
    if (!room((void **)&c->out->units, c->out->n_units, &c->cap_units, sizeof *c->out->units))
        return no_memory(err);
    c->out->units[c->out->n_units++] = (lf_chunk_unit){ .start = a->start,
                                                        .end = z->end,
                                                        .byte_start = a->byte_start,
                                                        .byte_end = z->byte_end,
                                                        .path = a->path,
                                                        .head_start = a->head_start,
                                                        .head_end = a->head_end };
    return LF_OK;
}

/* Pieces [from, to) as one chunk. */
static lf_status close_chunk(cutter *c, size_t from, size_t to, lf_err *err)
{
    const piece *v = c->v;
    lf_status st = LF_OK;
    if (!room((void **)&c->out->v, c->out->n, &c->cap_chunks, sizeof *c->out->v))
        return no_memory(err);
    lf_chunk *k = &c->out->v[c->out->n];
    *k = (lf_chunk){ .start = v[from].start,
                     .end = v[to - 1].end,
                     .byte_start = v[from].byte_start,
                     .byte_end = v[to - 1].byte_end,
                     .page = v[from].page,
                     .section = v[from].section,
                     .path = v[from].path,
                     .first_unit = (uint32_t)c->out->n_units };
    size_t a = from;
    for (size_t i = from; i < to && st == LF_OK; i++) {
        const bool last = i + 1 == to;
        const uint32_t now = weight_of(c->d, v[a].byte_start, v[i].byte_end);
        if (last || now + weight_of(c->d, v[i + 1].byte_start, v[i + 1].byte_end) > UNIT_WEIGHT ||
            (v[i + 1].heading && now > UNIT_WEIGHT / 3)) {
            st = close_unit(c, &v[a], &v[i], err);
            a = i + 1;
        }
    }
    k->n_units = (uint32_t)c->out->n_units - k->first_unit;
    c->out->n += st == LF_OK;
    return st;
}

/* Must a chunk that holds pieces [from, i) end before piece i? */
static bool breaks_before(const piece *v, size_t from, size_t i)
{
    const uint32_t len = v[i - 1].end - v[from].start;
    if (v[i].page != v[from].page || v[i].section != v[from].section ||
        v[i].end - v[from].start > LF_CHUNK_CHARS)
        return true;
    if (v[i].heading)
        return len >= HEADING_BREAK && !v[i - 1].heading;
    return v[i].first && len >= PARAGRAPH_BREAK && !v[i - 1].heading &&
           v[i].group_end - v[from].start > LF_CHUNK_CHARS;
}

/* A heading stays with what follows it. */
static size_t back_over_headings(const piece *v, size_t from, size_t i)
{
    size_t k = i;
    while (k > from + 1 && v[k - 1].heading)
        k--;
    return k > from && !v[k - 1].heading ? k : i;
}

static lf_status pack(cutter *c, lf_err *err)
{
    lf_status st = LF_OK;
    size_t from = 0;
    for (size_t i = 1; i <= c->n && st == LF_OK; i++) {
        if (i < c->n && !breaks_before(c->v, from, i))
            continue;
        size_t to = i;
        if (i < c->n && c->v[i].page == c->v[from].page && c->v[i].section == c->v[from].section)
            to = back_over_headings(c->v, from, i);
        st = close_chunk(c, from, to, err);
        from = to;
        if (to < i)
            i = to; /* the loop looks at the pieces after the new beginning again */
    }
    return st;
}

void lf_chunks_release(lf_chunks *c)
{
    for (size_t i = 0; i < c->n_paths; i++)
        lf_free(c->paths[i]);
    lf_free(c->paths);
    lf_free(c->units);
    lf_free(c->v);
    *c = (lf_chunks){ 0 };
}

lf_status lf_chunks_of(const lf_doc *d, lf_chunks *out, lf_err *err)
{
    lf_chunks made = { 0 };
    cutter c = { .d = d, .out = &made };
    lf_status st = cut_blocks(&c, err);
    if (st == LF_OK && c.n)
        st = pack(&c, err);
    for (size_t i = 0; i < LEVELS; i++)
        lf_free(c.level[i]);
    lf_free(c.v);
    if (st != LF_OK) {
        lf_chunks_release(&made);
        return st;
    }
    *out = made;
    return LF_OK;
}

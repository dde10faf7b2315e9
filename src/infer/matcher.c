/* infer/matcher.c - follows an output through a grammar.
 *
 * A stack is a chain of frames: the item that comes next, and the frame to go back
 * to when the item's sequence ends.  Frames are interned, so that equal stacks are
 * equal numbers, and a state, a set of stacks that wait for a byte, is interned too.
 * A step by a byte is worked out once per state and class of bytes and then looked
 * up: an automaton that is written while it is used.  A reference in the last place
 * of a sequence keeps no frame, so that repetitions come back to the same state.
 *
 * When the tables outgrow TABLE_BYTES_MAX they are emptied but for the state in use. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "infer/grammar_int.h"
#include "infer/token_tree.h"

enum {
    NO_STATE = -1, /* the byte is not allowed */
    UNKNOWN = -2,  /* not worked out yet */
    NO_FRAME = -1, /* below the first rule */
    WHOLE = -2,    /* in a state's list: the output may end here */
    MASKS_MAX = 256
};

#define TABLE_BYTES_MAX ((size_t)64 << 20)

typedef struct frame {
    uint32_t item;
    int32_t below;
} frame;

/* An open-addressed table of indices + 1; the owner compares. */
typedef struct index_table {
    uint32_t *slots;
    size_t cap, n; /* cap: a power of two */
} index_table;

typedef struct state {
    size_t at; /* stacks[at .. at + n): frames whose item is bytes, or WHOLE; sorted */
    uint32_t n;
    int32_t mask; /* of masks, or -1 */
} state;

typedef struct tables {
    frame *frames;
    size_t n_frames, cap_frames;
    index_table frame_table, state_table;
    state *states;
    size_t n_states, cap_states;
    int32_t *steps; /* [n_states][n_classes] */
    size_t cap_steps;
    int32_t *stacks;
    size_t n_stacks, cap_stacks;
    uint64_t *masks; /* [MASKS_MAX][mask_words] */
    size_t n_masks;
} tables;

struct lf_matcher {
    lf_grammar *g;
    lf_token_tree *tree;
    tables t;
    frame *todo; /* scratch of a closure: to visit and visited */
    size_t n_todo, cap_todo;
    index_table todo_table;
    int32_t *next; /* scratch: the state that is being made */
    size_t n_next, cap_next;
    int32_t *path;       /* [depth_max + 1]: states along the walk */
    uint8_t *path_bytes; /* the same: by which byte each was reached */
    size_t mask_words;
    int32_t now;
    bool failed;
};

/* ---- interning ---- */

static bool table_room(index_table *t, const lf_matcher *m,
                       uint64_t (*hash_of)(const lf_matcher *, size_t))
{
    if (2 * (t->n + 1) <= t->cap)
        return true;
    const size_t cap = t->cap ? 2 * t->cap : 256;
    uint32_t *slots = lf_calloc(cap, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < t->cap; i++) {
        if (!t->slots[i])
            continue;
        size_t at = hash_of(m, t->slots[i] - 1) & (cap - 1);
        while (slots[at])
            at = (at + 1) & (cap - 1);
        slots[at] = t->slots[i];
    }
    lf_free(t->slots);
    t->slots = slots;
    t->cap = cap;
    return true;
}

static uint64_t frame_hash(const lf_matcher *m, size_t i)
{
    return lf_hash64(&m->t.frames[i], sizeof m->t.frames[i]);
}

static uint64_t stacks_hash(const int32_t *v, size_t n)
{
    return lf_hash64(v, n * sizeof *v);
}

static uint64_t state_hash(const lf_matcher *m, size_t i)
{
    return stacks_hash(m->t.stacks + m->t.states[i].at, m->t.states[i].n);
}

/* The number of a frame; NO_FRAME where memory ran out (m->failed). */
static int32_t intern_frame(lf_matcher *m, frame f)
{
    index_table *t = &m->t.frame_table;
    if (!table_room(t, m, frame_hash) ||
        !lf_grow((void **)&m->t.frames, &m->t.cap_frames, m->t.n_frames + 1, sizeof *m->t.frames)) {
        m->failed = true;
        return NO_FRAME;
    }
    size_t at = lf_hash64(&f, sizeof f) & (t->cap - 1);
    for (; t->slots[at]; at = (at + 1) & (t->cap - 1)) {
        const frame *have = &m->t.frames[t->slots[at] - 1];
        if (have->item == f.item && have->below == f.below)
            return (int32_t)(t->slots[at] - 1);
    }
    m->t.frames[m->t.n_frames] = f;
    t->slots[at] = (uint32_t)++m->t.n_frames;
    t->n++;
    return (int32_t)(m->t.n_frames - 1);
}

static int by_number(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The state of the stacks in m->next (sorted here). */
static int32_t intern_state(lf_matcher *m)
{
    int32_t *v = m->next;
    size_t n = 0;
    if (m->n_next > 1)
        qsort(v, m->n_next, sizeof *v, by_number);
    for (size_t i = 0; i < m->n_next; i++)
        if (n == 0 || v[i] != v[n - 1])
            v[n++] = v[i];
    if (n == 0)
        return NO_STATE;
    index_table *t = &m->t.state_table;
    const size_t classes = m->g->n_classes;
    if (m->failed || !table_room(t, m, state_hash) ||
        !lf_grow((void **)&m->t.states, &m->t.cap_states, m->t.n_states + 1, sizeof *m->t.states) ||
        !lf_grow((void **)&m->t.steps, &m->t.cap_steps, (m->t.n_states + 1) * classes,
                 sizeof *m->t.steps) ||
        !lf_grow((void **)&m->t.stacks, &m->t.cap_stacks, m->t.n_stacks + n, sizeof *m->t.stacks)) {
        m->failed = true;
        return NO_STATE;
    }
    size_t at = stacks_hash(v, n) & (t->cap - 1);
    for (; t->slots[at]; at = (at + 1) & (t->cap - 1)) {
        const state *have = &m->t.states[t->slots[at] - 1];
        if (have->n == n && memcmp(m->t.stacks + have->at, v, n * sizeof *v) == 0)
            return (int32_t)(t->slots[at] - 1);
    }
    m->t.states[m->t.n_states] = (state){ .at = m->t.n_stacks, .n = (uint32_t)n, .mask = -1 };
    memcpy(m->t.stacks + m->t.n_stacks, v, n * sizeof *v);
    m->t.n_stacks += n;
    for (size_t c = 0; c < classes; c++)
        m->t.steps[m->t.n_states * classes + c] = UNKNOWN;
    t->slots[at] = (uint32_t)++m->t.n_states;
    t->n++;
    return (int32_t)(m->t.n_states - 1);
}

/* ---- closure: what can come next ---- */

static uint64_t todo_hash(const lf_matcher *m, size_t i)
{
    return lf_hash64(&m->todo[i], sizeof m->todo[i]);
}

/* Each frame once; by a table, for a grammar may have a hundred thousand alternatives. */
static void visit(lf_matcher *m, uint32_t it, int32_t below)
{
    index_table *t = &m->todo_table;
    const frame f = { it, below };
    if (!table_room(t, m, todo_hash) ||
        !lf_grow((void **)&m->todo, &m->cap_todo, m->n_todo + 1, sizeof *m->todo)) {
        m->failed = true;
        return;
    }
    size_t at = lf_hash64(&f, sizeof f) & (t->cap - 1);
    for (; t->slots[at]; at = (at + 1) & (t->cap - 1)) {
        const frame *have = &m->todo[t->slots[at] - 1];
        if (have->item == it && have->below == below)
            return;
    }
    m->todo[m->n_todo] = f;
    t->slots[at] = (uint32_t)++m->n_todo;
    t->n++;
}

static void forget_todo(lf_matcher *m)
{
    if (m->n_todo > 0)
        memset(m->todo_table.slots, 0, m->todo_table.cap * sizeof *m->todo_table.slots);
    m->todo_table.n = m->n_todo = 0;
}

static void put_stack(lf_matcher *m, int32_t f)
{
    if (!lf_grow((void **)&m->next, &m->cap_next, m->n_next + 1, sizeof *m->next))
        m->failed = true;
    else
        m->next[m->n_next++] = f;
}

static void visit_rule(lf_matcher *m, uint32_t r, int32_t below)
{
    const rule *rl = &m->g->rules[r];
    for (uint32_t a = 0; a < rl->n_alts; a++)
        visit(m, rl->alts[a], below);
}

/* Work off m->todo into m->next.  A path that was visited is not gone again, which
 * also ends references that come round without a byte. */
static void close_over(lf_matcher *m)
{
    for (size_t i = 0; i < m->n_todo && !m->failed; i++) {
        const frame f = m->todo[i];
        const item *it = &m->g->items[f.item];
        if (it->kind == ITEM_BYTES) {
            put_stack(m, intern_frame(m, f));
        } else if (it->kind == ITEM_END) {
            if (f.below == NO_FRAME)
                put_stack(m, WHOLE);
            else
                visit(m, m->t.frames[f.below].item, m->t.frames[f.below].below);
        } else if (it[1].kind == ITEM_END) {
            visit_rule(m, it->ref, f.below);
        } else {
            visit_rule(m, it->ref, intern_frame(m, (frame){ f.item + 1, f.below }));
        }
    }
    forget_todo(m);
}

static int32_t work_out(lf_matcher *m, int32_t from, uint8_t cls)
{
    const state s = m->t.states[from];
    const uint8_t byte = m->g->example[cls];
    m->n_next = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        const int32_t top = m->t.stacks[s.at + i];
        if (top == WHOLE)
            continue;
        const frame f = m->t.frames[top];
        if (byte_set_has(&m->g->sets[m->g->items[f.item].ref], byte))
            visit(m, f.item + 1, f.below);
    }
    close_over(m);
    const int32_t to = intern_state(m);
    if (!m->failed)
        m->t.steps[(size_t)from * m->g->n_classes + cls] = to;
    return to;
}

static inline int32_t step(lf_matcher *m, int32_t from, uint8_t byte)
{
    const uint8_t cls = m->g->class_of[byte];
    const int32_t to = m->t.steps[(size_t)from * m->g->n_classes + cls];
    return to != UNKNOWN ? to : work_out(m, from, cls);
}

/* ---- opening, closing, keeping small ---- */

static bool start(lf_matcher *m)
{
    m->n_next = 0;
    visit_rule(m, m->g->root, NO_FRAME);
    close_over(m);
    m->now = intern_state(m);
    return !m->failed;
}

lf_status lf_matcher_open(lf_grammar *g, lf_token_tree *t, lf_matcher **out, lf_err *err)
{
    lf_matcher *m = lf_calloc(1, sizeof *m);
    bool ok = m != NULL;
    if (ok) {
        m->g = lf_grammar_share(g);
        m->tree = lf_token_tree_share(t);
        m->mask_words = (t->n_vocab + 63) / 64;
        m->path = lf_calloc(t->depth_max + 1, sizeof *m->path);
        m->path_bytes = lf_calloc(t->depth_max + 1, 1);
        ok = m->path && m->path_bytes && start(m);
    }
    if (!ok) {
        lf_matcher_close(m);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to follow a grammar");
    }
    *out = m;
    return LF_OK;
}

static void free_tables(tables *t)
{
    lf_free(t->frames);
    lf_free(t->frame_table.slots);
    lf_free(t->state_table.slots);
    lf_free(t->states);
    lf_free(t->steps);
    lf_free(t->stacks);
    lf_free(t->masks);
}

void lf_matcher_close(lf_matcher *m)
{
    if (!m)
        return;
    free_tables(&m->t);
    lf_free(m->todo);
    lf_free(m->todo_table.slots);
    lf_free(m->next);
    lf_free(m->path);
    lf_free(m->path_bytes);
    lf_grammar_close(m->g);
    lf_token_tree_close(m->tree);
    lf_free(m);
}

static size_t table_bytes(const tables *t)
{
    return t->cap_frames * sizeof *t->frames + t->cap_states * sizeof *t->states +
           (t->cap_steps + t->cap_stacks) * sizeof(int32_t) +
           (t->frame_table.cap + t->state_table.cap) * sizeof(uint32_t);
}

/* Copy the stack `f` of `old` into the new frames, from its foot up. */
static int32_t copy_stack(lf_matcher *m, const frame *old, int32_t f)
{
    size_t depth = 0;
    for (int32_t i = f; i != NO_FRAME; i = old[i].below)
        depth++;
    int32_t below = NO_FRAME;
    for (size_t d = depth; d-- > 0 && !m->failed;) {
        int32_t i = f;
        for (size_t k = 0; k < d; k++)
            i = old[i].below;
        below = intern_frame(m, (frame){ old[i].item, below });
    }
    return below;
}

/* Forget all states but the one in use; the masks' memory stays where it is. */
static void shrink(lf_matcher *m)
{
    tables old = m->t;
    const state s = old.states[m->now];
    m->t = (tables){ .masks = old.masks, .n_masks = old.n_masks };
    old.masks = NULL;
    m->n_next = 0;
    for (uint32_t i = 0; i < s.n && !m->failed; i++) {
        const int32_t top = old.stacks[s.at + i];
        put_stack(m, top == WHOLE ? WHOLE : copy_stack(m, old.frames, top));
    }
    m->now = intern_state(m);
    free_tables(&old);
}

/* ---- what callers ask ---- */

bool lf_matcher_may_end(const lf_matcher *m)
{
    return m->now >= 0 && m->t.stacks[m->t.states[m->now].at] == WHOLE; /* sorted: it comes first */
}

bool lf_matcher_is_over(const lf_matcher *m)
{
    return lf_matcher_may_end(m) && m->t.states[m->now].n == 1;
}

bool lf_matcher_failed(const lf_matcher *m)
{
    return m->failed;
}

/* The state after a token, or NO_STATE. */
static int32_t after(lf_matcher *m, int32_t id)
{
    const lf_str b = lf_token_bytes(m->tree, id);
    int32_t s = b.len ? m->now : NO_STATE;
    for (size_t i = 0; i < b.len && s >= 0; i++)
        s = step(m, s, (uint8_t)b.p[i]);
    return s;
}

bool lf_matcher_allows(lf_matcher *m, int32_t id)
{
    if (m->failed || id < 0 || (size_t)id >= m->tree->n_vocab)
        return false;
    return m->tree->is_end[id] ? lf_matcher_may_end(m) : after(m, id) >= 0;
}

bool lf_matcher_accept(lf_matcher *m, int32_t id)
{
    if (!lf_matcher_allows(m, id))
        return false;
    if (!m->tree->is_end[id]) {
        m->now = after(m, id);
        if (table_bytes(&m->t) > TABLE_BYTES_MAX)
            shrink(m);
    }
    return !m->failed;
}

/* A walk over the vocabulary may itself make more states than there is room for: then
 * those along the walk, up to `depth`, are worked out again. */
static void keep_small(lf_matcher *m, uint32_t depth)
{
    if (table_bytes(&m->t) <= TABLE_BYTES_MAX)
        return;
    shrink(m);
    m->path[0] = m->now;
    for (uint32_t d = 1; d <= depth && !m->failed; d++)
        m->path[d] = step(m, m->path[d - 1], m->path_bytes[d]);
}

/* Walk the tree; bit i of `mask`: token i may come next. */
static void make_mask(lf_matcher *m, uint64_t *mask)
{
    const lf_token_tree *t = m->tree;
    memset(mask, 0, m->mask_words * sizeof *mask);
    m->path[0] = m->now;
    for (uint32_t i = 0; i < t->n_nodes && !m->failed;) {
        const lf_token_node *n = &t->nodes[i];
        const int32_t s = step(m, m->path[n->depth - 1], n->byte);
        if (s < 0) {
            i = n->end;
            continue;
        }
        m->path[n->depth] = s;
        m->path_bytes[n->depth] = n->byte;
        for (uint32_t k = 0; k < n->n_ids; k++) {
            const uint32_t id = (uint32_t)t->ids[n->id0 + k];
            mask[id >> 6] |= UINT64_C(1) << (id & 63);
        }
        keep_small(m, n->depth);
        i++;
    }
    for (size_t i = 0; i < t->n_vocab && lf_matcher_may_end(m); i++)
        if (t->is_end[i])
            mask[i >> 6] |= UINT64_C(1) << (i & 63);
}

static const uint64_t *mask_now(lf_matcher *m)
{
    if (m->t.states[m->now].mask >= 0)
        return m->t.masks + (size_t)m->t.states[m->now].mask * m->mask_words;
    if (!m->t.masks) {
        m->t.masks = lf_calloc(MASKS_MAX, m->mask_words * sizeof *m->t.masks);
        m->failed = !m->t.masks;
    }
    if (m->failed)
        return NULL;
    if (m->t.n_masks == MASKS_MAX) {
        for (size_t i = 0; i < m->t.n_states; i++)
            m->t.states[i].mask = -1;
        m->t.n_masks = 0;
    }
    uint64_t *mask = m->t.masks + m->t.n_masks * m->mask_words;
    make_mask(m, mask);
    if (m->failed)
        return NULL;
    m->t.states[m->now].mask = (int32_t)m->t.n_masks++;
    return mask;
}

size_t lf_matcher_mask(lf_matcher *m, float *scores, size_t n_scores)
{
    const uint64_t *mask = m->failed || m->now < 0 ? NULL : mask_now(m);
    size_t n = 0;
    for (size_t w = 0; 64 * w < n_scores; w++) {
        const uint64_t bits = mask && w < m->mask_words ? mask[w] : 0;
        const size_t from = w * 64, left = n_scores - from;
        n += (size_t)__builtin_popcountll(bits);
        if (~bits == 0)
            continue;
        for (size_t i = 0; i < 64 && i < left; i++)
            if (!(bits >> i & 1))
                scores[from + i] = -INFINITY;
    }
    return n;
}

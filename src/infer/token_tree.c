/* infer/token_tree.c - a vocabulary as a prefix tree in preorder.
 *
 * Node i covers nodes [i + 1, end[i]): a walk that cannot take a node's byte goes on
 * at end[i].  Tokens with the same bytes hang on the same node, in order of ids. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "infer/token_tree.h"

typedef struct spelled {
    const lf_token_tree *t;
    int32_t id;
} spelled;

lf_token_tree *lf_token_tree_share(lf_token_tree *t)
{
    (void)__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
    return t;
}

void lf_token_tree_close(lf_token_tree *t)
{
    if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    lf_buf_release(&t->bytes);
    lf_free(t->at);
    lf_free(t->is_end);
    lf_free(t->ids);
    lf_free(t->nodes);
    lf_free(t);
}

static int by_bytes(const void *pa, const void *pb)
{
    const spelled *a = pa, *b = pb;
    const lf_str x = lf_token_bytes(a->t, a->id), y = lf_token_bytes(b->t, b->id);
    const size_t n = x.len < y.len ? x.len : y.len;
    const int c = n ? memcmp(x.p, y.p, n) : 0;
    if (c != 0 || x.len != y.len)
        return c != 0 ? c : x.len < y.len ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static size_t common_prefix(lf_str a, lf_str b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.p[n] == b.p[n])
        n++;
    return n;
}

/* Spell all tokens; control tokens and ends stay empty. */
static bool spell(lf_token_tree *t, const lf_tokenizer *tok)
{
    t->at = lf_calloc(t->n_vocab + 1, sizeof *t->at);
    t->is_end = lf_calloc(t->n_vocab, sizeof *t->is_end);
    if (!t->at || !t->is_end)
        return false;
    for (size_t i = 0; i < t->n_vocab; i++) {
        const int32_t id = (int32_t)i;
        t->at[i] = (uint32_t)t->bytes.len;
        t->is_end[i] = lf_tokenizer_is_end(tok, id);
        if (!t->is_end[i] && !lf_tokenizer_is_control(tok, id))
            lf_tokenizer_piece(tok, id, false, &t->bytes);
    }
    t->at[t->n_vocab] = (uint32_t)t->bytes.len;
    return !t->bytes.failed && t->bytes.len < UINT32_MAX;
}

/* Close the open nodes deeper than `depth`. */
static void close_nodes(lf_token_tree *t, uint32_t *open, size_t *n_open, size_t depth)
{
    while (*n_open > depth)
        t->nodes[open[--*n_open]].end = (uint32_t)t->n_nodes;
}

static bool grow_tree(lf_token_tree *t, const spelled *order, size_t n)
{
    size_t cap = 0, cap_open = 0, n_open = 0;
    uint32_t *open = NULL;
    lf_str last = { 0 };
    bool ok = (t->ids = lf_calloc(n + 1, sizeof *t->ids)) != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        const lf_str b = lf_token_bytes(t, order[i].id);
        close_nodes(t, open, &n_open, common_prefix(last, b));
        ok = lf_grow((void **)&t->nodes, &cap, t->n_nodes + b.len, sizeof *t->nodes) &&
             lf_grow((void **)&open, &cap_open, b.len, sizeof *open);
        while (ok && n_open < b.len) {
            t->nodes[t->n_nodes] = (lf_token_node){ .depth = (uint32_t)n_open + 1,
                                                    .byte = (uint8_t)b.p[n_open],
                                                    .id0 = (uint32_t)i };
            open[n_open++] = (uint32_t)t->n_nodes++;
        }
        if (ok) {
            t->ids[i] = order[i].id;
            t->nodes[open[n_open - 1]].n_ids++;
            t->depth_max = n_open > t->depth_max ? n_open : t->depth_max;
        }
        last = b;
    }
    if (ok)
        close_nodes(t, open, &n_open, 0);
    lf_free(open);
    return ok;
}

lf_status lf_token_tree_open(const lf_tokenizer *tok, lf_token_tree **out, lf_err *err)
{
    lf_token_tree *t = lf_calloc(1, sizeof *t);
    spelled *order = NULL;
    size_t n = 0;
    bool ok = t != NULL;
    if (ok) {
        t->refs = 1;
        t->n_vocab = lf_tokenizer_n_vocab(tok);
        ok = spell(t, tok) && (order = lf_calloc(t->n_vocab + 1, sizeof *order)) != NULL;
    }
    for (size_t i = 0; ok && i < t->n_vocab; i++)
        if (t->at[i + 1] > t->at[i])
            order[n++] = (spelled){ t, (int32_t)i };
    if (ok) {
        qsort(order, n, sizeof *order, by_bytes);
        ok = grow_tree(t, order, n);
    }
    lf_free(order);
    if (!ok) {
        lf_token_tree_close(t);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the prefix tree of a vocabulary");
    }
    *out = t;
    return LF_OK;
}

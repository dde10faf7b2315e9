/* infer/token_tree.h - a vocabulary's prefix tree, as matcher.c walks it. */
#ifndef LF_INFER_TOKEN_TREE_H
#define LF_INFER_TOKEN_TREE_H

#include "infer/grammar.h"

typedef struct lf_token_node {
    uint32_t end;   /* the node after this one's descendants */
    uint32_t depth; /* bytes from the root, this one counted */
    uint32_t id0;   /* ids[id0 .. id0 + n_ids) end here */
    uint16_t n_ids;
    uint8_t byte;
} lf_token_node;

struct lf_token_tree {
    int32_t refs; /* atomic */
    size_t n_vocab, n_nodes, depth_max;
    lf_buf bytes; /* all tokens' bytes, by id */
    uint32_t *at; /* [n_vocab + 1]: where a token's begin */
    bool *is_end; /* [n_vocab]: ends a generation */
    int32_t *ids; /* in order of bytes */
    lf_token_node *nodes;
};

/* Borrowed; empty for control tokens. */
static inline lf_str lf_token_bytes(const lf_token_tree *t, int32_t id)
{
    return (lf_str){ lf_buf_cstr(&t->bytes) + t->at[id], t->at[id + 1] - t->at[id] };
}

#endif

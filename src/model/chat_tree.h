/* model/chat_tree.h - tokens and tree of a chat template.
 *
 * Ownership  Nodes and texts are in the template's arena.
 */
#ifndef LF_MODEL_CHAT_TREE_H
#define LF_MODEL_CHAT_TREE_H

#include "base/err.h"
#include "base/mem.h"
#include "model/chat.h"
#include "model/chat_value.h"

/* --------------------------------------------------------------------- tree */

typedef enum node_kind {
    /* expressions */
    E_CONST,
    E_NAME,
    E_LIST,
    E_TUPLE,
    E_DICT,
    E_ATTR,
    E_ITEM,
    E_SLICE,
    E_CALL,
    E_FILTER,
    E_TEST,
    E_NEG,
    E_POS,
    E_NOT,
    E_AND,
    E_OR,
    E_BINARY,
    E_COMPARE,
    E_CONCAT,
    E_COND,
    /* statements */
    S_TEXT,
    S_OUTPUT,
    S_IF,
    S_FOR,
    S_SET,
    S_SET_BLOCK,
    S_MACRO,
    S_CALL,
    S_FILTER,
    S_WITH,
    S_DO,
    S_BREAK,
    S_CONTINUE,
    S_SCOPE
} node_kind;

typedef enum op_kind {
    OP_NONE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOORDIV,
    OP_MOD,
    OP_POW,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
    OP_TILDE
} op_kind;

typedef struct node node;
struct node {
    node_kind kind;
    op_kind op;   /* E_BINARY */
    op_kind cmp;  /* as an operand of E_COMPARE: what compares it with the one before */
    bool negated; /* `is not` */
    uint32_t line;
    lf_str name;    /* of a name, attribute, filter, test, macro */
    lf_str keyword; /* as an argument: its name, or empty */
    val v;          /* E_CONST; S_TEXT */
    node *a, *b, *c;
    node *list; /* arguments, items, operands, targets */
    node *body, *otherwise;
    node *next; /* in the list that this node is part of */
};

struct lf_chat_template {
    lf_arena arena;
    node *root;
};

struct val_macro {
    const node *def;
    struct scope *scope; /* where it was defined */
};

/* ------------------------------------------------------------------- lexing */

typedef enum token_kind {
    T_END,
    T_TEXT,
    T_VAR_BEGIN,
    T_VAR_END,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_OP
} token_kind;

typedef struct token {
    token_kind kind;
    uint32_t line;
    lf_str s; /* text, name, string value, or the operator's characters */
    int64_t i;
    double d;
} token;

typedef struct token_list {
    token *v;
    size_t n, cap;
} token_list;

/* Tokens in `out` (v is lf_free'd by the caller), their text in `arena`. */
LF_MUST_CHECK lf_status chat_lex(const char *source, size_t n, lf_arena *arena, token_list *out,
                                 lf_err *err);
LF_MUST_CHECK lf_status chat_parse(const token_list *tokens, lf_arena *arena, node **root,
                                   lf_err *err);

#endif

/* model/chat_int.h - what the chat template renderer's files share.
 *
 * chat_lex.c     template text to tokens, with Jinja's white space rules
 * chat_parse.c   tokens to a tree
 * chat_value.c   values: text forms, JSON, comparison
 * chat_eval.c    statements and expressions
 * chat_filter.c  filters and tests
 * chat_method.c  methods of strings and maps, global functions
 *
 * Everything lives in two arenas: the tree in the template's, values in that of
 * one rendering.  A failure is sticky in the context (`st`); code goes on with
 * undefined values until it looks.
 */
#ifndef LF_MODEL_CHAT_INT_H
#define LF_MODEL_CHAT_INT_H

#include "base/json.h"
#include "base/mem.h"
#include "model/chat.h"
#include "model/chat_tree.h"
#include "model/chat_value.h"

enum {
    CHAT_MAX_SOURCE = 1 << 20,
    CHAT_MAX_TREE_DEPTH = 200,
    CHAT_MAX_DEPTH = 400,       /* of evaluation */
    CHAT_MAX_STEPS = 20000000,  /* nodes evaluated in one rendering */
    CHAT_MAX_OUTPUT = 64 << 20, /* bytes */
    CHAT_MAX_MEMORY = 512 << 20 /* bytes of values in one rendering */
};

/* --------------------------------------------------------------- evaluation */

typedef struct scope {
    struct scope *parent;
    struct var *vars;
} scope;

typedef struct ctx {
    lf_arena arena;
    lf_buf *out;
    scope *globals, *scope;
    lf_status st;
    lf_err *err;
    uint32_t steps, depth, line;
    int flow;       /* 0, or the S_BREAK / S_CONTINUE that is under way */
    int64_t now_ms; /* for strftime_now */
} ctx;

typedef struct args { /* of a call, filter or test */
    val *pos;
    size_t n_pos;
    lf_str *names;
    val *kw;
    size_t n_kw;
} args;

val chat_fail(ctx *c, lf_status code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
val chat_eval(ctx *c, const node *n);
void chat_run(ctx *c, const node *list);
val chat_call(ctx *c, val f, const args *a);
val chat_attr(ctx *c, val o, lf_str name); /* o.name */
val chat_item(ctx *c, val o, val key);     /* o[key] */
val chat_filter(ctx *c, lf_str name, val v, const args *a);
bool chat_test(ctx *c, lf_str name, val v, const args *a);
bool chat_has_test(lf_str name);
val chat_method(ctx *c, const val_method *m, const args *a);
bool chat_is_method(val o, lf_str name);
val chat_global(lf_str name); /* a global function, or undefined */
val chat_func(ctx *c, lf_str name, const args *a);

/* Argument `i` or keyword `name`; undefined when it was not given. */
val chat_arg(const args *a, size_t i, const char *name);
bool chat_has_arg(const args *a, size_t i, const char *name);

/* values */
val val_undef(lf_str name);
val val_none(void);
val val_bool(bool b);
val val_int(int64_t i);
val val_float(double d);
val val_str(lf_str s);
val val_cstr(const char *s);
val val_list_new(ctx *c, val_kind kind); /* V_LIST or V_TUPLE */
val val_dict_new(ctx *c, val_kind kind);
void val_push(ctx *c, val list, val item);
void val_put(ctx *c, val dict, val key, val v);
val *val_get(const val_dict *d, val key);
val *val_get_str(const val_dict *d, lf_str key);
val val_from_json(ctx *c, const json_t *j);
val val_from_buf(ctx *c, lf_buf *b); /* a string copied to the arena; releases b */
bool val_truth(val v);
bool val_eq(val a, val b);
int val_cmp(ctx *c, val a, val b); /* fails where Python would */
bool val_in(ctx *c, val item, val where);
bool val_is_num(val v); /* bool counts as a number, as in Python */
double val_num(val v);
void val_text(ctx *c, val v, lf_buf *out); /* str() */
void val_repr(ctx *c, val v, lf_buf *out, int depth);
void val_json(ctx *c, val v, int indent, int level, bool sort_keys, bool ascii, lf_buf *out);
const char *val_type(val v);                    /* Python's name of it */
val val_items(ctx *c, val v, const char *what); /* what iteration gives, as a list */
size_t val_len(ctx *c, val v);
lf_str val_as_str(ctx *c, val v);                 /* the string, or str() of it */
val chat_fold(ctx *c, lf_str s, const char *how); /* lower, upper, capitalize, title */
val chat_replace(ctx *c, lf_str s, lf_str from, lf_str to, int64_t most); /* most < 0 = all */
val chat_escape(ctx *c, lf_str s);                                        /* for HTML */
val chat_pairs(ctx *c, val v); /* of a map, as (key, value) tuples */
val chat_slice(ctx *c, val o, val from, val to, val step);

/* text helpers: Python's idea of white space */
bool chat_is_space(uint32_t cp);
lf_str chat_strip(lf_str s, lf_str chars, bool left, bool right); /* chars.p NULL = white space */

#endif

/* model/chat_value.h - the values of the template language.
 *
 * Ownership  A val is passed by value; what it points to is in the arena of the
 *            rendering (or, for constants, of the template).
 */
#ifndef LF_MODEL_CHAT_VALUE_H
#define LF_MODEL_CHAT_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* ------------------------------------------------------------------- values */

typedef enum val_kind {
    V_UNDEF, /* s = what was not there */
    V_NONE,
    V_BOOL,
    V_INT,
    V_FLOAT,
    V_STR,
    V_LIST,
    V_TUPLE,
    V_DICT,
    V_NAMESPACE, /* a dict that `set ns.x` may change */
    V_LOOP,
    V_MACRO,
    V_FUNC,  /* a global function, s = its name */
    V_METHOD /* m = what it is bound to */
} val_kind;

typedef struct val val;
typedef struct val_list {
    val *v;
    size_t n, cap;
} val_list;
typedef struct val_dict val_dict;
typedef struct val_macro val_macro;
typedef struct val_loop val_loop;
typedef struct val_method val_method;

struct val {
    val_kind kind;
    bool markup; /* text from |safe: adding other text to it escapes that for HTML, as in Jinja */
    union {
        bool b;
        int64_t i;
        double d;
        lf_str s;
        val_list *list;
        val_dict *dict;
        val_macro *macro;
        val_loop *loop;
        val_method *m;
    };
};

struct val_dict { /* in order of insertion; small, so searched in line */
    val *k, *v;
    size_t n, cap;
};

struct val_method {
    val self;
    lf_str name;
};

struct val_loop {
    const val_list *items;
    size_t at, depth;
    val changed; /* the last argument of loop.changed() */
};

#endif

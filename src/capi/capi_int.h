/* capi/capi_int.h - what stands behind the handles of include/landfall.h. */
#ifndef LF_CAPI_CAPI_INT_H
#define LF_CAPI_CAPI_INT_H

#include "infer/engine.h"
#include "landfall.h"
#include "model/catalog.h"

struct landfall {
    lf_engine *engine;
    lf_catalog *catalog; /* with a home, as the next two */
    char *home, *cache;
};

struct landfall_model {
    landfall *l;
    lf_model *m;
};

struct landfall_cancel {
    atomic_bool set;
};

/* A grammar's handle is the grammar itself. */
static inline lf_grammar *lf_capi_grammar(landfall_grammar *g)
{
    return (lf_grammar *)g;
}

/* The status for the caller, and the message where *err is wanted. */
landfall_status lf_capi_status(lf_status st, const lf_err *e, landfall_error *err);

/* Copy a caller's struct, which begins with its size, over `to` (n bytes, zeroed):
 * what a shorter one lacks stays zero.  LF_ERR_ARG: no size, or fields of a later
 * version that are set.  `from` NULL copies nothing. */
LF_MUST_CHECK lf_status lf_capi_take_struct(const void *from, const char *what, void *to, size_t n,
                                            lf_err *e);
/* The other way: as much of `from` (n bytes) as to's size says; the size stays. */
void lf_capi_give_struct(const void *from, size_t n, void *to);

#endif

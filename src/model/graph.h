/* model/graph.h - the operations that a forward pass is written in.
 *
 * An architecture is written once, as calls of lf_op_*.  What a call does is
 * decided by the graph's table of operations: lf_graph_run computes at once,
 * lf_graph_measure only adds up the memory that computing would take, and a
 * trainer's table can record the calls and their operands.
 *
 * Values     lf_mat is f32[rows, cols], row-major, in the graph's arena.  An
 *            operation whose comment says "consumes x" may give its result in
 *            x's memory: x must not be used afterwards.
 * Memory     The arena is one block, sized when it is opened (measure first) and
 *            bumped.  Nothing is allocated while operations run.  lf_graph_mark
 *            and lf_graph_rewind free what a layer used.
 * Threads    One thread at a time; the kernels use the pool.
 * Errors     None at run time: sizes are the architecture's, the arena was
 *            measured.  A graph that is too small is a bug (LF_ASSERT).
 */
#ifndef LF_MODEL_GRAPH_H
#define LF_MODEL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "model/adapter.h"
#include "tensor/act.h"
#include "tensor/attention.h"
#include "tensor/matmul.h"
#include "tensor/rope.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_graph lf_graph;

typedef struct lf_mat {
    float *data; /* NULL while measuring */
    size_t rows, cols;
} lf_mat;

/* Rows [row0, row0 + n_rows) of a batch are consecutive positions of one sequence. */
typedef struct lf_segment {
    size_t row0, n_rows;
    size_t pos0;                    /* position of the first row */
    uint8_t *const *blocks;         /* its keys and values (tensor/attention.h), borrowed; the table
                             * covers pos0 + n_rows positions.  NULL: the rows see each other
                             * and nothing else (encoders) */
    const lf_adapter_mix *adapters; /* borrowed; decoders: what changes its matrices; NULL = none */
} lf_segment;

typedef struct lf_op_attn {
    lf_attn attn;
    bool causal;
    size_t window; /* 0 = none */
    size_t layer;  /* its place in the blocks */
    const lf_segment *segs;
    size_t n_segs;
} lf_op_attn;

/* What a backend does for each operation.  Outputs are already placed. */
typedef struct lf_graph_ops {
    void (*embed)(lf_graph *g, const lf_weight *w, const int32_t *ids, lf_mat y);
    void (*gather)(lf_graph *g, lf_mat x, const int32_t *rows, lf_mat y);
    void (*rmsnorm)(lf_graph *g, lf_mat x, const float *w, size_t group, float eps, lf_mat y);
    void (*layernorm)(lf_graph *g, lf_mat x, const float *w, const float *b, float eps, lf_mat y);
    void (*matmul)(lf_graph *g, lf_mat x, size_t n, const lf_weight *const *w,
                   const float *const *bias, lf_mat *y, void *scratch);
    void (*adapt)(lf_graph *g, const lf_adapter_pair *p, float scale, lf_mat x, lf_mat y,
                  size_t row0, size_t n_rows, void *scratch);
    void (*rope)(lf_graph *g, const lf_rope *r, const float *table, lf_mat x, size_t head_dim);
    void (*attention)(lf_graph *g, const lf_op_attn *a, lf_mat q, lf_mat k, lf_mat v,
                      lf_attn_job *jobs, uint8_t **own);
    void (*act)(lf_graph *g, lf_act act, lf_mat x);
    void (*act_mul)(lf_graph *g, lf_act act, lf_mat gate, lf_mat up);
    void (*add)(lf_graph *g, lf_mat x, lf_mat y);
    void (*add_row)(lf_graph *g, lf_mat x, const float *row);
    void (*scale)(lf_graph *g, lf_mat x, float s);
    void (*softcap)(lf_graph *g, lf_mat x, float cap);
    void (*pool_rows)(lf_graph *g, lf_mat x, const lf_segment *segs, bool first, lf_mat y);
} lf_graph_ops;

extern const lf_graph_ops lf_graph_run;
extern const lf_graph_ops lf_graph_measure;

struct lf_graph {
    const lf_graph_ops *ops;
    lf_pool *pool;
    uint8_t *base; /* the arena; NULL while measuring */
    size_t cap, used, peak;
};

/* Start measuring; read `peak` afterwards. */
void lf_graph_init_measure(lf_graph *g);
/* An arena of cap bytes that runs on `pool` (borrowed). */
LF_MUST_CHECK lf_status lf_graph_open(size_t cap_bytes, lf_pool *pool, lf_graph *g, lf_err *err);
void lf_graph_close(lf_graph *g); /* safe on a zeroed struct */

size_t lf_graph_mark(const lf_graph *g);
void lf_graph_rewind(lf_graph *g, size_t mark);
void *lf_graph_bytes(lf_graph *g, size_t n_bytes); /* 64-byte aligned scratch */

/* Rows of an embedding table: f32[n, w->n_in]. */
lf_mat lf_op_embed(lf_graph *g, const lf_weight *w, const int32_t *ids, size_t n);
/* Some rows of x. */
lf_mat lf_op_gather(lf_graph *g, lf_mat x, const int32_t *rows, size_t n);
lf_mat lf_op_rmsnorm(lf_graph *g, lf_mat x, const float *w, float eps);
/* Each group of `group` columns on its own (queries and keys by head); consumes x. */
lf_mat lf_op_rmsnorm_groups(lf_graph *g, lf_mat x, const float *w, size_t group, float eps);
lf_mat lf_op_layernorm(lf_graph *g, lf_mat x, const float *w, const float *b,
                       float eps); /* consumes x */
/* y[i] = x w[i]^T + bias[i] (bias[i] may be NULL). */
void lf_op_matmul(lf_graph *g, lf_mat x, size_t n, const lf_weight *const *w,
                  const float *const *bias, lf_mat *y);
/* y[rows] += scale * p->scale * (x[rows] A^T) B^T, for rows [row0, row0 + n_rows).  While
 * measuring `p` may be NULL: any pair. */
void lf_op_adapt(lf_graph *g, const lf_adapter_pair *p, float scale, lf_mat x, lf_mat y,
                 size_t row0, size_t n_rows);
/* Consumes x; `table` as lf_rope_table makes it for these rows. */
lf_mat lf_op_rope(lf_graph *g, const lf_rope *r, const float *table, lf_mat x, size_t head_dim);
/* Stores k and v in the sequences' caches, then attends; consumes q. */
lf_mat lf_op_attention(lf_graph *g, const lf_op_attn *a, lf_mat q, lf_mat k, lf_mat v);
lf_mat lf_op_act(lf_graph *g, lf_act act, lf_mat x);                   /* consumes x */
lf_mat lf_op_act_mul(lf_graph *g, lf_act act, lf_mat gate, lf_mat up); /* consumes gate */
lf_mat lf_op_add(lf_graph *g, lf_mat x, lf_mat y);                     /* consumes x */
lf_mat lf_op_add_row(lf_graph *g, lf_mat x, const float *row);         /* consumes x */
lf_mat lf_op_scale(lf_graph *g, lf_mat x, float s);                    /* consumes x */
lf_mat lf_op_softcap(lf_graph *g, lf_mat x, float cap);                /* consumes x */
/* Mean of each segment's rows, or its first row: f32[n_segs, x.cols]. */
lf_mat lf_op_pool(lf_graph *g, lf_mat x, const lf_segment *segs, size_t n_segs, bool first);

#ifdef __cplusplus
}
#endif
#endif

/* model/forward.h - the forward passes, and the memory that they take.
 *
 * A batch is rows of tokens; consecutive rows of one sequence form a segment.
 * A row's result does not depend on what else is in the batch, on how a prompt
 * was cut into chunks, or on the number of threads.
 *
 * Ownership  Results lie in the graph's arena until it is rewound.
 * Errors     None: the caller has checked ids (0 <= id < n_vocab), positions
 *            (covered by the segments' blocks) and the arena's size.
 */
#ifndef LF_MODEL_FORWARD_H
#define LF_MODEL_FORWARD_H

#include "model/graph.h"
#include "model/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_batch {
    const int32_t *ids; /* [n] */
    size_t n;
    const lf_segment *segs; /* cover rows 0..n in order */
    size_t n_segs;
    const int32_t *out_rows; /* decoders: the rows whose scores are wanted, ascending */
    size_t n_out;
    lf_type kv; /* decoders: element type of the segments' blocks */
} lf_batch;

/* Decoder: scores f32[n_out, n_vocab].  Keys and values of all rows are stored. */
lf_mat lf_decoder_forward(const lf_model *m, lf_graph *g, const lf_batch *b);

/* Encoder: one pooled vector a segment, f32[n_segs, n_embd], not normalised. */
lf_mat lf_encoder_forward(const lf_model *m, lf_graph *g, const lf_batch *b);

/* Arena bytes for any batch of up to n rows, n_segs segments and n_out scores. */
size_t lf_forward_bytes(const lf_model *m, size_t n, size_t n_segs, size_t n_out);

/* Bytes of one block of a decoder's keys and values, all layers. */
size_t lf_kv_block_bytes(const lf_model *m, lf_type kv);

#ifdef __cplusplus
}
#endif
#endif

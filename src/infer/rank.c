/* infer/rank.c - how near texts are to a query: cosines of their vectors.
 *
 * A pair's score depends on these two texts alone, so that texts may come in any order and
 * number.  A group's vectors are held at a time, not all. */
#include "base/mem.h"
#include "infer/engine.h"
#include "tensor/vec.h"

enum { GROUP = 64 }; /* texts between two looks at the flag */

lf_status lf_engine_rank(lf_engine *e, lf_model *m, lf_str query, const lf_str *texts, size_t n,
                         const atomic_bool *cancel, float *scores, lf_err *err)
{
    const size_t d = lf_model_get_info(m)->n_embd, most = n < GROUP ? n : GROUP;
    float *v = lf_calloc((most + 1) * d, sizeof *v); /* the query's in front */
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu vectors of %zu", most + 1, d);
    lf_status st = lf_engine_embed(e, m, &query, 1, LF_EMBED_QUERY, v, err);
    for (size_t at = 0; st == LF_OK && at < n; at += GROUP) {
        if (cancel && atomic_load(cancel)) {
            st = lf_fail(err, LF_ERR_CANCELLED, "ranking was cancelled");
            break;
        }
        const size_t k = n - at < GROUP ? n - at : GROUP;
        st = lf_engine_embed(e, m, texts + at, k, LF_EMBED_PASSAGE, v + d, err);
        for (size_t i = 0; st == LF_OK && i < k; i++)
            scores[at + i] = lf_dot_f32(v, v + (i + 1) * d, d);
    }
    lf_free(v);
    return st;
}

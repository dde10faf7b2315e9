/* know/know_runs.c - run records, kept for flow in the state file. */
#include "know/know_int.h"

lf_status lf_know_put_run(lf_know *k, const lf_scope *s, const char *id, const char *record,
                          const char *texts, const char *const *doc_ids, size_t n_doc_ids,
                          lf_err *err)
{
    const lf_run_put r = {
        .id = id, .record = record, .texts = texts, .doc_ids = doc_ids, .n_doc_ids = n_doc_ids
    };
    return lf_state_put_run(k->state, s, &r, err);
}

lf_status lf_know_get_run(lf_know *k, const lf_scope *s, const char *id, lf_run_row *out,
                          lf_err *err)
{
    return lf_state_get_run(k->state, s, id, out, err);
}

lf_status lf_know_runs(lf_know *k, const lf_scope *s, size_t n_max, lf_run_row **out, size_t *n,
                       lf_err *err)
{
    return lf_state_runs(k->state, s, n_max, out, n, err);
}

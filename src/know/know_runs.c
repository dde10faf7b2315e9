/* know/know_runs.c - run records, kept for flow in the state file. */
#include <string.h>

#include "base/mem.h"
#include "know/know_int.h"
#include "store/runs.h"

lf_status lf_know_put_run(lf_know *k, const lf_scope *s, const char *id, const char *record,
                          const char *texts, const char *const *doc_ids, size_t n_doc_ids,
                          lf_err *err)
{
    const lf_run_put r = {
        .id = id, .record = record, .texts = texts, .doc_ids = doc_ids, .n_doc_ids = n_doc_ids
    };
    return lf_state_put_run(k->state, s, &r, err);
}

/* The texts change hands. */
static lf_run_row row_from(lf_state_run *r)
{
    lf_run_row out = { .unix_ms = r->unix_ms, .record = r->record, .texts = r->texts };
    memcpy(out.id, r->id, sizeof out.id);
    r->record = r->texts = NULL;
    return out;
}

lf_status lf_know_get_run(lf_know *k, const lf_scope *s, const char *id, lf_run_row *out,
                          lf_err *err)
{
    lf_state_run r = { 0 };
    const lf_status st = lf_state_get_run(k->state, s, id, &r, err);
    if (st == LF_OK)
        *out = row_from(&r);
    return st;
}

lf_status lf_know_runs(lf_know *k, const lf_scope *s, size_t n_max, lf_run_row **out, size_t *n_out,
                       lf_err *err)
{
    lf_state_run *v = NULL;
    size_t n = 0;
    lf_status st = lf_state_runs(k->state, s, n_max, &v, &n, err);
    if (st != LF_OK)
        return st;
    lf_run_row *rows = lf_calloc(n + 1, sizeof *rows);
    if (!rows)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to list %zu runs", n);
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = row_from(&v[i]);
    lf_state_runs_free(v, n);
    if (st != LF_OK)
        return st;
    *out = rows;
    *n_out = n;
    return LF_OK;
}

void lf_run_row_release(lf_run_row *r)
{
    lf_free(r->record);
    lf_free(r->texts);
    *r = (lf_run_row){ 0 };
}

void lf_run_rows_free(lf_run_row *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lf_run_row_release(&v[i]);
    lf_free(v);
}

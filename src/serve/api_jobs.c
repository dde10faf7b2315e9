/* serve/api_jobs.c - GET /api/jobs, as a list or as events, and DELETE /api/jobs/{id}.
 *
 * A watcher is a stream that its handler has left: a job's change is written to
 * all of them without waiting, and one that does not read fast enough to keep
 * its queue from filling is dropped (its browser connects again and gets the
 * whole list). */
#include <string.h>

#include "serve/serve_int.h"

static json_t *parsed(const char *text)
{
    json_t *v = text && text[0] ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return v ? v : json_null();
}

static json_t *job_json(const lf_job_row *j)
{
    json_t *args = parsed(j->args);
    json_t *source = json_object_get(args, "source"),
           *collection = json_object_get(args, "collection");
    json_t *v = json_pack("{s:s,s:s,s:O?,s:O?,s:s,s:s,s:I,s:I,s:s?,s:o,s:I,s:o}", "id", j->id,
                          "kind", j->kind, "source", source, "collection", collection, "state",
                          lf_job_state_name(j->state), "stage", j->stage ? j->stage : "", "done",
                          (json_int_t)j->done, "total", (json_int_t)j->total, "error",
                          j->error && j->error[0] ? j->error : NULL, "result", parsed(j->result),
                          "created", (json_int_t)j->created_unix_ms, "ended",
                          j->ended_unix_ms ? json_integer(j->ended_unix_ms) : json_null());
    json_decref(args);
    return v;
}

void lf_serve_job_changed(void *ud, const lf_job_row *row)
{
    lf_server *s = ud;
    lf_buf b = { 0 };
    json_t *v = job_json(row);
    if (v)
        lf_json_dump(v, &b);
    json_decref(v);
    (void)pthread_mutex_lock(&s->lock);
    s->n_changes++;
    for (size_t i = 0; b.len > 0 && !b.failed && i < s->n_watchers;) {
        if (lf_http_stream_try_send(s->watchers[i], "job", (lf_str){ b.data, b.len })) {
            i++;
        } else {
            lf_http_stream_close(s->watchers[i]);
            s->watchers[i] = s->watchers[--s->n_watchers];
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    lf_buf_release(&b);
}

void lf_serve_drop_watchers(lf_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    while (s->n_watchers > 0)
        lf_http_stream_close(s->watchers[--s->n_watchers]);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Forget the watchers that have left; false when there is no room for one more. */
static bool make_room(lf_server *s)
{
    for (size_t i = 0; i < s->n_watchers;) {
        if (!lf_http_stream_is_gone(s->watchers[i])) {
            i++;
            continue;
        }
        lf_http_stream_close(s->watchers[i]);
        s->watchers[i] = s->watchers[--s->n_watchers];
    }
    return s->n_watchers < LF_WATCHERS_MAX;
}

/* All jobs as text; `seen` is the number of changes that it is sure to hold. */
static lf_status list_text(lf_server *s, lf_buf *out, uint64_t *seen, lf_err *err)
{
    lf_job_row *rows = NULL;
    size_t n = 0;
    (void)pthread_mutex_lock(&s->lock);
    *seen = s->n_changes;
    (void)pthread_mutex_unlock(&s->lock);
    lf_status st = lf_jobs_list(s->o.jobs, s->o.scope, 0, &rows, &n, err);
    if (st != LF_OK)
        return st;
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, job_json(&rows[i]));
    lf_job_rows_free(rows, n);
    json_t *v = json_pack("{s:o}", "jobs", list);
    lf_buf_clear(out);
    lf_json_dump(v, out);
    json_decref(v);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the list of jobs") : LF_OK;
}

/* Add a watcher whose first event is the list; false: a job has changed since. */
static bool add_watcher(lf_server *s, lf_http_stream *stream, lf_str list, uint64_t seen)
{
    (void)pthread_mutex_lock(&s->lock);
    const bool fresh = s->n_changes == seen;
    const bool room = fresh && make_room(s);
    if (room && lf_http_stream_try_send(stream, "jobs", list))
        s->watchers[s->n_watchers++] = stream;
    else if (fresh)
        lf_http_stream_close(stream);
    (void)pthread_mutex_unlock(&s->lock);
    return fresh;
}

/* The list is made outside of the lock, because the queue calls lf_serve_job_changed
 * under locks of its own; when a change came between, it is made again. */
static void watch(lf_server *s, lf_http_req *r)
{
    lf_http_stream *stream = NULL;
    lf_buf b = { 0 };
    lf_err err = { 0 };
    uint64_t seen = 0;
    lf_status st = list_text(s, &b, &seen, &err);
    if (st == LF_OK)
        st = lf_http_stream_open(r, &stream, &err);
    if (st != LF_OK)
        lf_serve_fail(r, NULL, &err);
    while (st == LF_OK && !add_watcher(s, stream, (lf_str){ b.data, b.len }, seen)) {
        st = list_text(s, &b, &seen, &err);
        if (st != LF_OK || lf_http_stream_is_gone(stream)) {
            lf_http_stream_close(stream);
            break;
        }
    }
    lf_buf_release(&b);
}

void lf_serve_jobs(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_buf b = { 0 };
    lf_err err = { 0 };
    uint64_t seen;
    if (lf_http_wants_events(r))
        watch(s, r);
    else if (list_text(s, &b, &seen, &err) == LF_OK)
        lf_http_reply_buf(r, 200, "application/json", &b);
    else
        lf_serve_fail(r, NULL, &err);
    lf_buf_release(&b);
}

void lf_serve_job_cancel(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    lf_err err = { 0 };
    if (lf_jobs_cancel(s->o.jobs, s->o.scope, a->v[0], &err) == LF_OK)
        lf_http_reply_json(r, 200, json_pack("{s:s}", "cancelled", a->v[0]));
    else
        lf_serve_fail(r, NULL, &err);
}

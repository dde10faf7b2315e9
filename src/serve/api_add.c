/* serve/api_add.c - POST /api/documents: take documents in, as jobs.
 *
 * A file that was uploaded is kept in the upload folder under a name of ours
 * (its own name is only shown), one job a file; a path of this machine is read
 * where it is.  The job's function is also run again after a restart, so the
 * upload is removed only when the job has ended for good; what no job refers to
 * is removed at the start. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "serve/serve_int.h"

enum { NAME_MAX_BYTES = 200, ENDING_MAX = 10 };

typedef struct ingest {
    lf_job_run *run;
    const char *spooled, *name; /* of an upload: where it is kept, and what people call it */
    json_t *documents;
    size_t n_done; /* documents that are finished; progress counts them when there are many */
} ingest;

/* The error in the words of who uploaded: with the file's name, not where it is kept. */
static json_t *error_text(const ingest *g, const char *msg)
{
    lf_buf b = { 0 };
    const char *at = g->spooled ? strstr(msg, g->spooled) : NULL;
    if (!at)
        return lf_json_text(msg, strlen(msg));
    lf_buf_add(&b, msg, (size_t)(at - msg));
    lf_buf_add_str(&b, g->name);
    lf_buf_add_str(&b, at + strlen(g->spooled));
    json_t *v = b.failed ? NULL : lf_json_text(b.data, b.len);
    lf_buf_release(&b);
    return v;
}

static bool on_doc(void *ud, const char *source, const lf_add_result *res)
{
    static const char *const states[] = { "ready", "unchanged", "failed" };
    ingest *g = ud;
    const bool failed = res->state == LF_ADD_FAILED;
    (void)json_array_append_new(
        g->documents,
        json_pack("{s:s?,s:o,s:s,s:o}", "doc_id", res->doc_id[0] ? res->doc_id : NULL, "source",
                  lf_json_text(source, strlen(source)), "state", states[res->state], "error",
                  failed ? error_text(g, res->err.msg) : json_null()));
    g->n_done++;
    return !atomic_load(lf_job_cancel_flag(g->run));
}

static void on_progress(void *ud, const char *source, const char *stage, size_t done, size_t total)
{
    const ingest *g = ud;
    (void)source;
    lf_job_progress(g->run, stage, done, total);
}

lf_status lf_serve_ingest(void *ud, lf_job_run *run, const json_t *args, json_t **result,
                          lf_err *err)
{
    const lf_server *s = ud;
    const char *path = json_string_value(json_object_get(args, "path"));
    const char *name = json_string_value(json_object_get(args, "source"));
    const bool spooled = json_is_true(json_object_get(args, "spooled"));
    ingest g = { .run = run,
                 .spooled = spooled ? path : NULL,
                 .name = name ? name : "",
                 .documents = json_array() };
    const lf_add_opts o = { .collection = json_string_value(json_object_get(args, "collection")),
                            .source_name = spooled ? name : NULL,
                            .on_doc = on_doc,
                            .on_progress = on_progress,
                            .ud = &g,
                            .cancel = lf_job_cancel_flag(run) };
    lf_status st = path ? lf_know_add(s->o.know, s->o.scope, path, &o, err)
                        : lf_fail(err, LF_ERR_FORMAT, "the job names no file");
    *result = json_pack("{s:o}", "documents", g.documents);
    if (spooled && path && st != LF_ERR_CANCELLED)
        (void)unlink(path);
    return st;
}

/* The name to show: what stands after the last separator, without control characters. */
static void clean_name(const char *sent, char out[NAME_MAX_BYTES + 1])
{
    const char *base = sent;
    for (const char *p = sent; *p; p++)
        if (*p == '/' || *p == '\\')
            base = p + 1;
    size_t n = 0;
    for (; *base && n < NAME_MAX_BYTES; base++)
        if ((unsigned char)*base >= ' ' && *base != 127)
            out[n++] = *base;
    while (n > 0 && ((unsigned char)out[n - 1] & 0xC0) == 0x80 && *base) /* cut in a character */
        n--;
    out[n] = '\0';
    json_t *valid = json_string(out);
    if (!valid || n == 0)
        (void)snprintf(out, NAME_MAX_BYTES + 1, "upload");
    json_decref(valid);
}

/* Give the spooled file the ending of its name, by which parsers are chosen. */
static char *with_ending(char *path, const char *name, lf_err *err)
{
    const char *dot = strrchr(name, '.');
    lf_buf b = { 0 };
    size_t n = dot ? strlen(dot + 1) : 0;
    if (n == 0 || n > ENDING_MAX)
        return path;
    lf_buf_addf(&b, "%s.", path);
    for (size_t i = 1; i <= n; i++)
        if (isalnum((unsigned char)dot[i]))
            lf_buf_add_char(&b, (char)tolower((unsigned char)dot[i]));
    char *to = lf_buf_take(&b);
    if (!to || rename(path, to) != 0) {
        (void)lf_fail(err, to ? LF_ERR_IO : LF_ERR_NOMEM, "the upload cannot be kept: %s",
                      to ? strerror(errno) : "no memory");
        (void)unlink(path);
        lf_free(path);
        lf_free(to);
        return NULL;
    }
    lf_free(path);
    return to;
}

static lf_status add_job(lf_server *s, const char *path, const char *source, const char *collection,
                         bool spooled, json_t *jobs, lf_err *err)
{
    char id[33] = "";
    json_t *args = json_pack("{s:s,s:s,s:s?,s:b}", "path", path, "source", source, "collection",
                             collection, "spooled", (int)spooled);
    if (!args)
        return lf_fail(err, LF_ERR_ARG, "the path is not UTF-8");
    lf_status st = lf_jobs_add(s->o.jobs, s->o.scope, "ingest", args, id, err);
    json_decref(args);
    if (st == LF_OK)
        (void)json_array_append_new(jobs, json_pack("{s:s,s:s}", "id", id, "source", source));
    return st;
}

static lf_status add_upload(lf_server *s, lf_http_req *r, size_t i, const char *collection,
                            json_t *jobs, lf_err *err)
{
    char name[NAME_MAX_BYTES + 1];
    clean_name(lf_http_part_at(r, i)->filename, name);
    if (!lf_doc_can_read(name))
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "'%.100s' is of a type that cannot be read: PDF, DOCX, HTML, Markdown and "
                       "plain text can",
                       name);
    char *path = lf_http_part_take(r, i);
    path = path ? with_ending(path, name, err) : NULL;
    if (!path)
        return err->code != LF_OK ? err->code
                                  : lf_fail(err, LF_ERR_NOMEM, "no memory for the upload");
    lf_status st = add_job(s, path, name, collection, true, jobs, err);
    if (st != LF_OK)
        (void)unlink(path);
    lf_free(path);
    return st;
}

/* A file field that was left empty has the name "". */
static bool is_file(const lf_http_part *p)
{
    return p->filename && p->filename[0];
}

static void add_form(lf_server *s, lf_http_req *r)
{
    const char *collection = NULL;
    char name[65] = "";
    json_t *jobs = json_array();
    lf_err err = { 0 };
    lf_status st = LF_OK;
    size_t n_files = 0;
    for (size_t i = 0; i < lf_http_n_parts(r); i++) {
        const lf_http_part *p = lf_http_part_at(r, i);
        if (p->filename || strcmp(p->name, "collection") != 0 || p->value.len == 0)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)p->value.len, p->value.p);
        collection = name;
    }
    for (size_t i = 0; i < lf_http_n_parts(r) && st == LF_OK; i++)
        if (is_file(lf_http_part_at(r, i))) {
            n_files++;
            st = add_upload(s, r, i, collection, jobs, &err);
        }
    if (st == LF_OK && n_files == 0)
        st = lf_fail(&err, LF_ERR_ARG, "the form has no file: a part with a file name is needed");
    if (st != LF_OK) {
        json_decref(jobs);
        lf_http_reply_error(r, st == LF_ERR_UNSUPPORTED ? 415 : lf_status_http(st), "file",
                            lf_status_name(st), "%s", err.msg);
        return;
    }
    lf_http_reply_json(r, 202, json_pack("{s:o}", "jobs", jobs));
}

static void add_path(lf_server *s, lf_http_req *r)
{
    static const char *const known[] = { "path", "collection", NULL };
    lf_err err = { 0 };
    json_t *root = lf_serve_json(r), *jobs = json_array();
    if (!root) {
        json_decref(jobs);
        return;
    }
    lf_fields f = { .o = root, .err = &err };
    lf_fields_only(&f, known);
    const char *path = lf_fields_need_str(&f, "path");
    const char *collection = lf_fields_str(&f, "collection", NULL);
    if (f.st == LF_OK && path[0] != '/')
        (void)lf_fields_fail(&f, "path", "'path' must be absolute, found '%.100s'", path);
    if (f.st == LF_OK && !lf_path_exists(path)) {
        f.st = lf_fail(&err, LF_ERR_NOT_FOUND, "there is no file or folder '%.200s'", path);
        (void)snprintf(f.param, sizeof f.param, "path");
    }
    if (f.st == LF_OK)
        f.st = add_job(s, path, path, collection, false, jobs, &err);
    if (f.st == LF_OK) {
        lf_http_reply_json(r, 202, json_pack("{s:o}", "jobs", jobs));
    } else {
        json_decref(jobs);
        lf_serve_fail(r, f.param, &err);
    }
    json_decref(root);
}

void lf_serve_docs_add(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    if (lf_http_is_form(r))
        add_form(s, r);
    else
        add_path(s, r);
}

/* ---- what the last run left behind ---- */

typedef struct sweep {
    const lf_job_row *rows;
    size_t n;
} sweep;

static lf_status sweep_file(void *ud, const char *path, const char *rel, lf_err *err)
{
    const sweep *w = ud;
    (void)err;
    for (size_t i = 0; i < w->n; i++) {
        const bool open = w->rows[i].state == LF_JOB_QUEUED || w->rows[i].state == LF_JOB_RUNNING;
        if (open && strstr(w->rows[i].args, rel))
            return LF_OK;
    }
    if (unlink(path) != 0)
        lf_log(LF_LOG_WARN, "the old upload '%s' cannot be removed: %s", path, strerror(errno));
    return LF_OK;
}

lf_status lf_serve_clean_spool(lf_server *s, lf_err *err)
{
    lf_job_row *rows = NULL;
    size_t n = 0;
    lf_status st = lf_jobs_list(s->o.jobs, s->o.scope, 100000, &rows, &n, err);
    if (st != LF_OK)
        return st;
    sweep w = { rows, n };
    st = lf_walk(s->spool_dir, sweep_file, &w, err);
    lf_job_rows_free(rows, n);
    return st;
}

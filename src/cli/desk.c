/* cli/desk.c - opening what a question needs, and lists of questions in files. */
#include "cli/desk.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/interrupt.h"

enum { QUERIES_BYTES_MAX = 64 << 20 };

typedef struct intake {
    lf_desk *desk;
    lf_err first; /* of the first document that failed */
} intake;

static bool on_doc(void *ud, const char *source, const lf_add_result *r)
{
    intake *t = ud;
    lf_with_know_progress_end(&t->desk->w);
    if (r->state == LF_ADD_FAILED) {
        (void)fprintf(stderr, "%s: %s\n", source, r->err.msg);
        if (t->first.code == LF_OK)
            t->first = r->err;
    }
    return true;
}

static void on_progress(void *ud, const char *source, const char *stage, size_t done, size_t total)
{
    intake *t = ud;
    lf_with_know_progress(&t->desk->w, source, stage, done, total);
}

static lf_status take_in(lf_desk *d, const lf_cli_strs *in, lf_err *err)
{
    intake t = { .desk = d };
    const lf_add_opts o = {
        .on_doc = on_doc, .on_progress = on_progress, .ud = &t, .cancel = lf_cli_interrupt()
    };
    const int64_t begun = lf_clock_us();
    const lf_status st = lf_know_take_in(d->w.know, d->w.scope, in->v, in->n, &o, &d->in, err);
    lf_with_know_progress_end(&d->w);
    if (st != LF_OK)
        return st;
    d->ingest_us = lf_clock_us() - begun;
    if (d->in.n > 0)
        return LF_OK;
    if (t.first.code != LF_OK) {
        *err = t.first;
        return t.first.code;
    }
    return lf_fail(err, LF_ERR_NOT_FOUND, "'%s' holds no document that can be read", in->v[0]);
}

lf_status lf_desk_open(const lf_cli *c, const lf_cli_strs *in, lf_desk *out, lf_err *err)
{
    lf_desk d = { 0 };
    lf_status st = lf_with_know_open(c, true, &d.w, err);
    if (st == LF_OK && in && in->n > 0)
        st = take_in(&d, in, err);
    if (st != LF_OK) {
        lf_desk_close(&d);
        return st;
    }
    *out = d;
    return LF_OK;
}

void lf_desk_close(lf_desk *d)
{
    lf_doc_set_release(&d->in);
    lf_with_know_close(&d->w);
    *d = (lf_desk){ 0 };
}

static lf_status one_line(lf_str line, lf_desk_line_fn *fn, void *ud, json_t **out, lf_err *err)
{
    json_t *wrapped = NULL;
    const char *query;
    lf_buf b = { 0 };
    lf_status st;
    lf_buf_add_char(&b, '[');
    lf_buf_add(&b, line.p, line.len);
    lf_buf_add_char(&b, ']');
    if (b.failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a line of %zu bytes", line.len);
    st = lf_json_parse(b.data, b.len, "query line", &wrapped, err);
    lf_buf_release(&b);
    if (st != LF_OK)
        return st;
    query = json_array_size(wrapped) == 1 ? json_string_value(json_array_get(wrapped, 0)) : NULL;
    st = query ? fn(ud, query, out, err)
               : lf_fail(err, LF_ERR_ARG, "the line is not one JSON string");
    json_decref(wrapped);
    return st;
}

int lf_desk_each_query(const lf_cli *c, const char *path, lf_desk_line_fn *fn, void *ud)
{
    lf_buf text = { 0 };
    lf_err err = { 0 };
    int code = 0;
    if (lf_file_read(path, QUERIES_BYTES_MAX, &text, &err) != LF_OK) {
        lf_buf_release(&text);
        return lf_cli_fail(c, &err);
    }
    for (const char *p = lf_buf_cstr(&text), *end = p + text.len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const lf_str line = lf_str_trim((lf_str){ .p = p, .len = (size_t)((nl ? nl : end) - p) });
        json_t *out = NULL;
        p = nl ? nl + 1 : end;
        if (line.len == 0)
            continue;
        err = (lf_err){ 0 };
        if (one_line(line, fn, ud, &out, &err) != LF_OK) {
            out = lf_cli_error_json(&err);
            code = 1;
        }
        if (lf_cli_print(out) != 0) {
            code = 1;
            break;
        }
        fflush(stdout);
        if (atomic_load(lf_cli_interrupt()))
            break; /* the rest was not asked */
    }
    lf_buf_release(&text);
    return code;
}

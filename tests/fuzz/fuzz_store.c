/* tests/fuzz/fuzz_store.c - a damaged state file: opened and used, it gives an error that
 * says so, or goes on; and whatever was damaged, nothing outside of a row is touched.
 *
 * The input is a list of changes to a good file.  A change begins with a byte:
 *     0  byte in the file             u24 position, u8 value
 *     1  cut the file off             u24 length
 *     2  a value of a row             u8 column (of all tables), u8 row, u8 kind: an
 *                                     integer (i64), one of the usual wrong ones, a
 *                                     blob or text (u8 length, bytes), or NULL
 *     3  a row goes                   u8 table, u8 row
 * The last two are done by SQLite, so that the pages stay good.
 * Changes through SQL come first, whatever their order in the list. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "flow/run_record.h"
#include "know/know.h"
#include "store/jobs.h"
#include "store/runs.h"
#include "store/search.h"
#include "store/state.h"
#include "tests/fuzz/fuzz_dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIM = 4, CHUNKS = 6, DOCS = 6, TERMS = 5, COLUMNS_MAX = 128, TABLES_MAX = 32 };

static const char text[] = "alpha beta. gamma delta. alpha! \xE6\xB0\xB4 beta gamma delta";
static lf_buf good;
static char path[300];
static struct {
    char table[32], column[32];
} columns[COLUMNS_MAX];
static char tables[TABLES_MAX][32];
static size_t n_columns, n_tables;

static void need(bool ok)
{
    if (!ok)
        __builtin_trap();
}

/* ---- the good file ---- */

static lf_status terms_of(void *ud, size_t i, lf_terms *out, lf_err *err)
{
    (void)ud;
    if (out->cap < TERMS) {
        lf_term *v = lf_realloc(out->v, TERMS * sizeof *v);
        if (!v)
            return lf_fail(err, LF_ERR_NOMEM, "no memory");
        out->v = v;
        out->cap = TERMS;
    }
    for (size_t k = 0; k < TERMS; k++)
        out->v[out->n++] = (lf_term){ .id = 1000 + (i + k * k) % 7 };
    return LF_OK;
}

static lf_status put(lf_state *s, const lf_scope *scope, int n, lf_err *err)
{
    char id[LF_DOC_ID];
    uint16_t vectors[CHUNKS * DIM] = { 0 };
    uint64_t hashes[CHUNKS];
    lf_row_chunk chunks[CHUNKS];
    const lf_row_cell cells[2] = { { 0, 0, 1, 1, 0, 5, { 1, 2, 3, 4 } },
                                   { 0, 1, 1, 1, 6, 10, { 3, 2, 4, 4 } } };
    const lf_row_block blocks[2] = { { LF_BLOCK_HEADING, 1, 1, { 1, 2, 3, 4 }, 0, 5, NULL, 0 },
                                     { LF_BLOCK_TABLE, 0, 1, { 1, 2, 3, 4 }, 6, 20, cells, 2 } };
    const lf_row_line lines[2] = { { 0, 10, 1, { 1, 2, 3, 4 } }, { 10, 40, 1, { 1, 4, 3, 6 } } };
    const lf_row_page pages[1] = { { 595, 842, false } };
    (void)snprintf(id, sizeof id, "%032d", n);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        vectors[i * DIM + i % DIM] = 0x3C00; /* 1.0 */
        hashes[i] = i + 7 * (uint64_t)n;
        chunks[i] = (lf_row_chunk){ .start = i * 5,
                                    .end = i * 5 + 5,
                                    .byte_start = i * 5,
                                    .byte_end = i * 5 + 5,
                                    .page = 1,
                                    .heading = "A > B",
                                    .n_vectors = 1 };
    }
    const lf_doc_put d = { .doc_id = id,
                           .collection = "default",
                           .source = "a.txt",
                           .hash = id,
                           .settings = "s",
                           .format = "text",
                           .warning = "",
                           .original = "raw",
                           .n_original = 3,
                           .text = text,
                           .n_bytes = sizeof text - 1,
                           .n_chars = sizeof text - 3,
                           .blocks = blocks,
                           .n_blocks = 2,
                           .lines = lines,
                           .n_lines = 2,
                           .pages = pages,
                           .n_pages = 1,
                           .chunks = chunks,
                           .n_chunks = CHUNKS,
                           .vectors = vectors,
                           .vector_hashes = hashes,
                           .n_vectors = CHUNKS,
                           .dim = DIM,
                           .model = "m",
                           .terms = terms_of };
    return lf_state_put(s, scope, &d, err);
}

static void list_columns(sqlite3 *db)
{
    sqlite3_stmt *q = NULL;
    need(
        sqlite3_prepare_v2(db,
                           "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
                           " WHERE m.type='table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, c.cid",
                           -1, &q, NULL) == SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW && n_columns < COLUMNS_MAX) {
        const char *table = (const char *)sqlite3_column_text(q, 0);
        (void)snprintf(columns[n_columns].table, 32, "%s", table);
        (void)snprintf(columns[n_columns++].column, 32, "%s",
                       (const char *)sqlite3_column_text(q, 1));
        if (n_tables < TABLES_MAX && (n_tables == 0 || strcmp(tables[n_tables - 1], table) != 0))
            (void)snprintf(tables[n_tables++], 32, "%s", table);
    }
    (void)sqlite3_finalize(q);
}

static const char record[] =
    "{\"kind\":\"ask\",\"format\":2,\"question\":\"q\",\"answered\":true,\"citations\":[{\"n\":1,"
    "\"doc_id\":\"00000000000000000000000000000001\",\"start\":0,\"end\":5,\"sha256\":\"x\"}],\"parts\":["
    "{\"question\":\"q\",\"passages\":[{\"doc_id\":\"00000000000000000000000000000002\",\"start\":3,"
    "\"end\":30,\"sha256\":\"y\"}]}]}";
static const char texts[] = "{\"answer\":\"a[1].\",\"history\":[],\"generated\":[\"a\"]}";

static void make_good(void)
{
    static const char *const of[] = { "00000000000000000000000000000001" };
    const lf_run_put run = { .id = "00112233445566778899aabbccddeeff",
                             .record = record,
                             .texts = texts,
                             .doc_ids = of,
                             .n_doc_ids = 1 };
    lf_state *s = NULL;
    lf_scope *scope = NULL;
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/state.lfdb", fuzz_dir());
    need(lf_scope_open("me", NULL, 0, &scope, NULL) == LF_OK);
    need(lf_state_open(path, &s, NULL) == LF_OK);
    for (int i = 0; i < DOCS; i++)
        need(put(s, scope, i, NULL) == LF_OK);
    need(lf_state_put_run(s, scope, &run, NULL) == LF_OK);
    need(lf_state_job_add(s, scope, "00112233445566778899aabbccddeeff", "add", "{}", NULL) ==
         LF_OK);
    lf_state_close(s);
    lf_scope_close(scope);
    need(sqlite3_open(path, &db) == SQLITE_OK);
    list_columns(db);
    need(sqlite3_exec(db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(db);
    need(lf_file_read(path, 0, &good, NULL) == LF_OK);
}

/* ---- the changes ---- */

typedef struct input {
    const uint8_t *p;
    size_t n;
} input;

static uint64_t take(input *in, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) {
        const uint8_t c = in->n ? *in->p : 0;
        in->p += in->n != 0;
        in->n -= in->n != 0;
        v |= (uint64_t)c << 8 * i;
    }
    return v;
}

/* One change of the list; what it does not use stays zero. */
typedef struct change {
    unsigned op, kind;
    size_t at, row;
    uint8_t value;
    int64_t number;
    const uint8_t *blob;
    size_t n_blob;
} change;

static change next_change(input *in)
{
    static const int64_t usual[] = { 0,         1,         -1,        2,         255,
                                     65535,     65536,     INT32_MAX, INT32_MIN, UINT32_MAX,
                                     INT64_MAX, INT64_MIN, 3,         6,         12 };
    change c = { .op = (unsigned)take(in, 1) % 4 };
    if (c.op < 2) {
        c.at = take(in, 3);
        c.value = c.op == 0 ? (uint8_t)take(in, 1) : 0;
        return c;
    }
    c.at = take(in, 1);
    c.row = take(in, 1) % (DOCS * CHUNKS);
    c.kind = c.op == 2 ? (unsigned)take(in, 1) : 255;
    if (c.kind < 64) {
        c.number = (int64_t)take(in, 8);
    } else if (c.kind < 160) {
        c.number = usual[c.kind % (sizeof usual / sizeof usual[0])];
    } else if (c.kind < 250) {
        c.n_blob = take(in, 1);
        c.n_blob = c.n_blob < in->n ? c.n_blob : in->n;
        c.blob = in->p;
        in->p += c.n_blob;
        in->n -= c.n_blob;
    }
    return c;
}

static void change_value(sqlite3 *db, const change *c)
{
    char sql[256];
    sqlite3_stmt *q = NULL;
    const char *table = columns[c->at % n_columns].table;
    const char *column = columns[c->at % n_columns].column;
    (void)snprintf(
        sql, sizeof sql,
        "UPDATE OR IGNORE %s SET %s=?1 WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %zu)", table,
        column, column, column, table, c->row);
    need(sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK);
    if (c->kind < 160)
        (void)sqlite3_bind_int64(q, 1, c->number);
    else if (c->kind < 250 && c->kind % 2)
        (void)sqlite3_bind_blob(q, 1, c->blob, (int)c->n_blob, SQLITE_STATIC);
    else if (c->kind < 250)
        (void)sqlite3_bind_text(q, 1, (const char *)c->blob, (int)c->n_blob, SQLITE_STATIC);
    (void)sqlite3_step(q); /* a column that must not be NULL refuses it */
    (void)sqlite3_finalize(q);
}

static void remove_row(sqlite3 *db, const change *c)
{
    char sql[256];
    const char *table = tables[c->at % n_tables], *key = NULL;
    for (size_t i = 0; i < n_columns && !key; i++)
        if (strcmp(columns[i].table, table) == 0)
            key = columns[i].column;
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM %s WHERE %s IN (SELECT %s FROM %s LIMIT 1 OFFSET %zu)", table, key,
                   key, table, c->row);
    need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* One pass over the list: through SQL where `db` is given, else in the bytes. */
static void apply(sqlite3 *db, lf_buf *file, input in)
{
    for (int n = 0; in.n > 0 && n < 24; n++) {
        const change c = next_change(&in);
        if (db && c.op == 2)
            change_value(db, &c);
        else if (db && c.op == 3)
            remove_row(db, &c);
        else if (!db && c.op == 0 && file->len)
            file->data[c.at % file->len] = (char)c.value;
        else if (!db && c.op == 1 && c.at < file->len)
            file->len = c.at;
    }
}

static void make_bad(const uint8_t *data, size_t size)
{
    lf_buf file = { 0 };
    sqlite3 *db = NULL;
    char log[310];
    static const char *const ends[] = { "-wal", "-shm", "-journal" };
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(log, sizeof log, "%s%s", path, ends[i]);
        (void)unlink(log);
    }
    fuzz_write(path, good.data, good.len);
    need(sqlite3_open(path, &db) == SQLITE_OK);
    need(sqlite3_exec(db, "PRAGMA synchronous=OFF;PRAGMA journal_mode=OFF;BEGIN", NULL, NULL,
                      NULL) == SQLITE_OK);
    apply(db, NULL, (input){ data, size });
    need(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    (void)sqlite3_close(db);
    need(lf_file_read(path, 0, &file, NULL) == LF_OK);
    apply(NULL, &file, (input){ data, size });
    fuzz_write(path, file.data, file.len);
    lf_buf_release(&file);
}

/* ---- using it ---- */

static bool fine(lf_status st, lf_err *err)
{
    need(st == LF_OK || err->msg[0] != '\0'); /* a refusal says why */
    *err = (lf_err){ 0 };
    return st == LF_OK;
}

static void scan(lf_state *s, const lf_scope *scope)
{
    lf_err err = { 0 };
    lf_view *v = NULL;
    const lf_filter f = { .collection = "default" };
    lf_query_term t[2] = { { .id = 1001, .weight = 1 }, { .id = 1003, .weight = 1 } };
    const float q[DIM] = { 1 };
    if (!fine(lf_view_open(s, scope, &f, "m", &v, &err), &err))
        return;
    const size_t n = lf_view_n_chunks(v);
    float *score = malloc((n + 1) * sizeof *score);
    need(score != NULL);
    (void)fine(lf_view_scan_terms(v, t, 2, (lf_bm25){ 1.2f, 0.75f }, score, &err), &err);
    (void)fine(lf_view_scan_vectors(v, q, DIM, NULL, score, &err), &err);
    for (size_t i = 0; i < n; i++) {
        lf_view_chunk c;
        lf_buf b = { 0 };
        lf_row_box box;
        size_t first, count;
        const size_t d = lf_view_doc_of(v, i, &first, &count);
        need(first <= i && i < first + count);
        const uint32_t one = (uint32_t)i;
        (void)fine(lf_view_exact_vectors(v, q, DIM, &one, 1, score, &err), &err);
        if (!fine(lf_view_chunk_get(v, i, &c, &err), &err))
            continue;
        (void)fine(lf_view_slice(v, d, c.byte_start, c.byte_end, &b, &err), &err);
        (void)fine(lf_view_box(v, d, c.start, c.end, c.page, &box, &err), &err);
        lf_free(c.heading);
        lf_buf_release(&b);
    }
    free(score);
    lf_view_close(v);
}

static void read_documents(lf_know *k, const lf_scope *scope)
{
    lf_err err = { 0 };
    lf_doc_row *rows = NULL;
    lf_passages ps = { 0 };
    size_t n = 0;
    if (fine(lf_know_list(k, scope, NULL, &rows, &n, &err), &err)) {
        for (size_t i = 0; i < n; i++) {
            lf_doc *d = NULL;
            lf_buf b = { 0 };
            int32_t page = 0;
            lf_box box;
            if (fine(lf_know_doc(k, scope, rows[i].doc_id, &d, &err), &err)) {
                for (size_t x = 0; x < d->n_blocks; x++) {
                    need(d->blocks[x].start <= d->blocks[x].end && d->blocks[x].end <= d->n_chars);
                    for (size_t c = 0; c < d->blocks[x].n_cells; c++)
                        need(d->blocks[x].cells[c].start <= d->blocks[x].cells[c].end &&
                             d->blocks[x].cells[c].end <= d->n_chars);
                }
                lf_doc_locate(d, 1, 30, &page, &box);
                lf_doc_close(d);
            }
            (void)fine(lf_know_original(k, scope, rows[i].doc_id, &b, &err), &err);
            lf_buf_release(&b);
        }
        lf_doc_rows_free(rows, n);
    }
    json_t *runs = NULL;
    if (fine(lf_run_list(k, scope, 10, &runs, &err), &err))
        json_decref(runs);
    if (fine(lf_run_show(k, scope, "0011", &runs, &err), &err))
        json_decref(runs);
    const lf_search_opts o = { .mode = LF_SEARCH_LEXICAL };
    if (fine(lf_know_search(k, scope, "alpha beta", &o, &ps, &err), &err))
        lf_passages_release(&ps);
}

static void write_to(lf_state *s, const lf_scope *scope)
{
    lf_err err = { 0 };
    lf_state_job *jobs = NULL, job = { 0 };
    size_t n = 0;
    bool has = false;
    lf_run_row *runs = NULL, run = { 0 };
    if (fine(lf_state_runs(s, scope, 10, &runs, &n, &err), &err))
        lf_run_rows_free(runs, n);
    if (fine(lf_state_get_run(s, scope, "0011", &run, &err), &err))
        lf_run_row_release(&run);
    (void)fine(lf_state_jobs_recover(s, 10, &err), &err);
    if (fine(lf_state_job_list(s, scope, NULL, 10, &jobs, &n, &err), &err)) {
        for (size_t i = 0; i < n; i++)
            lf_state_job_release(&jobs[i]);
        lf_free(jobs);
    }
    if (fine(lf_state_job_claim(s, &job, &has, &err), &err))
        lf_state_job_release(&job);
    for (int i = 0; i < 3; i++)
        (void)fine(put(s, scope, DOCS + i, &err), &err);
    (void)fine(lf_state_remove(s, scope, "00000000000000000000000000000003", &err), &err);
    (void)fine(lf_state_trim(s, 1000, NULL, 0, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_err err = { 0 };
    lf_know *k = NULL;
    lf_state *s = NULL;
    lf_scope *scope = NULL;
    if (good.len == 0)
        make_good();
    make_bad(data, size);
    need(lf_scope_open("me", NULL, 0, &scope, NULL) == LF_OK);
    if (fine(lf_know_open(path, NULL, &k, &err), &err))
        read_documents(k, scope);
    lf_know_close(k);
    if (fine(lf_state_open(path, &s, &err), &err)) {
        (void)fine(lf_state_check(s, &err), &err);
        scan(s, scope);
        write_to(s, scope);
        scan(s, scope);
    }
    lf_state_close(s);
    lf_scope_close(scope);
    return 0;
}

/* store/state.c - opening, checking and closing the state file; its connections.
 *
 * Order of an opening.  1: the raw header is read, without SQLite: a file that is
 * not ours, or newer, is refused before anything could touch it.  2: the database
 * is opened and, still without checkpointing, tested (`quick_check`): always when
 * small, and after an unclean end (a log is left) whatever its size; else pages
 * are verified as they are read.  3: only then tables are created or used.
 *
 * The file reserves 32 bytes at the end of every page (header byte 20) for a
 * checksum and a nonce, from the first version on. */
#include "store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/snapshot_int.h"
#include "store/state_int.h"

enum {
    APPLICATION_ID = 0x4C464442, /* "LFDB" */
    RESERVED_BYTES = 32,
    PAGE_BYTES = 8192,
    HEADER_BYTES = 100,
    CHECK_ALWAYS_BYTES = 8 << 20
};

/* ---- 1: the header ---- */

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool has_log(const char *path)
{
    struct stat sb;
    lf_buf wal = { 0 };
    lf_buf_addf(&wal, "%s-wal", path);
    const bool has = !wal.failed && stat(wal.data, &sb) == 0 && sb.st_size > 0;
    lf_buf_release(&wal);
    return has;
}

static lf_status check_header(const char *path, const uint8_t *h, size_t n, uint64_t size,
                              lf_err *err)
{
    if (n < HEADER_BYTES || memcmp(h, "SQLite format 3", 16) != 0)
        return lf_fail(err, LF_ERR_FORMAT, "'%s' is not a Landfall state file; it is left as it is",
                       path);
    const uint32_t app = be32(h + 68), version = be32(h + 60);
    /* All zero: a first opening was killed between two of its steps. */
    if (app == 0 && version == 0 && (size <= 2 * PAGE_BYTES))
        return LF_OK;
    if (app != APPLICATION_ID)
        return lf_fail(err, LF_ERR_FORMAT,
                       "'%s' is a database of another program (id %08x); it is left as it is", path,
                       app);
    if (version > LF_STATE_VERSION)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "'%s' was written by a newer Landfall (format %u; this one reads up to %d); "
                       "it is left as it is",
                       path, version, LF_STATE_VERSION);
    const uint64_t page = be32(h + 16) >> 16 == 1 ? 65536 : be32(h + 16) >> 16;
    const uint64_t want = page * be32(h + 28);
    /* While a log is left, pages may still be missing from the file itself. */
    if (size < want && !has_log(path))
        return lf_fail(err, LF_ERR_CORRUPT,
                       "'%s' is cut off: %llu bytes of %llu; it is left as it is", path,
                       (unsigned long long)size, (unsigned long long)want);
    return LF_OK;
}

/* Create the file when there is none; look at its header when there is one. */
static lf_status look_at_file(const char *path, bool *is_new, uint64_t *size, lf_err *err)
{
    uint8_t head[HEADER_BYTES];
    struct stat sb;
    lf_status st = LF_OK;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &sb) != 0) {
        st = lf_fail(err, errno == EACCES ? LF_ERR_DENIED : LF_ERR_IO,
                     "cannot open the state file '%s': %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(sb.st_mode)) {
        st = lf_fail(err, LF_ERR_FORMAT, "'%s' is not a file", path);
        goto done;
    }
    *size = (uint64_t)sb.st_size;
    *is_new = sb.st_size == 0;
    if (!*is_new) {
        const ssize_t n = pread(fd, head, sizeof head, 0);
        st = check_header(path, head, n < 0 ? 0 : (size_t)n, *size, err);
    }
done:
    if (fd >= 0)
        (void)close(fd);
    return st;
}

/* ---- 2 and 3: the database ---- */

static lf_status quick_check(lf_db *db, const char *pragma, lf_err *err)
{
    sqlite3_stmt *q = NULL;
    lf_status st = LF_OK;
    if (sqlite3_prepare_v2(db->h, pragma, -1, &q, NULL) != SQLITE_OK ||
        sqlite3_step(q) != SQLITE_ROW)
        st = lf_db_fail(db, "check the state", err);
    else if (strcmp((const char *)sqlite3_column_text(q, 0), "ok") != 0)
        st = lf_fail(err, LF_ERR_CORRUPT, "the file '%s' is damaged: %s; it is left as it is",
                     db->path, (const char *)sqlite3_column_text(q, 0));
    (void)sqlite3_finalize(q);
    return st;
}

/* Settings that must stand before the first page is written. */
static lf_status shape_new(lf_db *db, lf_err *err)
{
    int reserved = RESERVED_BYTES;
    char sql[64];
    if (sqlite3_file_control(db->h, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved) != SQLITE_OK)
        return lf_db_fail(db, "reserve bytes on pages", err);
    (void)snprintf(sql, sizeof sql, "PRAGMA page_size=%d;PRAGMA auto_vacuum=INCREMENTAL;",
                   PAGE_BYTES);
    return lf_db_exec(db, sql, err);
}

static lf_status bring_tables(lf_db *db, lf_err *err)
{
    int64_t version = 0;
    lf_status st = lf_db_exec(db, "BEGIN IMMEDIATE", err);
    if (st != LF_OK)
        return st;
    /* asked inside the transaction: another process may have been first */
    st = lf_db_int(db, "PRAGMA user_version", 0, &version, err);
    if (st == LF_OK && version < LF_STATE_VERSION)
        st = lf_schema_update(db, version, err);
    if (st == LF_OK && version < LF_STATE_VERSION) {
        char sql[96];
        (void)snprintf(sql, sizeof sql, "PRAGMA application_id=%d;PRAGMA user_version=%d;",
                       APPLICATION_ID, LF_STATE_VERSION);
        st = lf_db_exec(db, sql, err);
    }
    if (st == LF_OK)
        st = lf_db_exec(db, "COMMIT", err);
    else
        (void)sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static lf_status open_writer(lf_state *s, bool is_new, uint64_t size, bool unclean, lf_err *err)
{
    int64_t version = 0;
    lf_status st = lf_db_open(s->path, false, &s->writer, err);
    if (st != LF_OK)
        return st;
    (void)sqlite3_db_config(s->writer->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (is_new)
        st = shape_new(s->writer, err);
    else if (size <= CHECK_ALWAYS_BYTES || unclean)
        st = quick_check(s->writer, "PRAGMA quick_check(1)", err);
    if (st == LF_OK)
        st = lf_db_int(s->writer, "PRAGMA user_version", 0, &version, err);
    if (st == LF_OK && version > LF_STATE_VERSION) /* in the log alone so far */
        st = lf_fail(err, LF_ERR_UNSUPPORTED,
                     "'%s' was written by a newer Landfall (format %lld; this one reads up to %d); "
                     "it is left as it is",
                     s->path, (long long)version, LF_STATE_VERSION);
    if (st == LF_OK)
        st = lf_db_exec(s->writer, "PRAGMA journal_mode=WAL", err);
    if (st == LF_OK && version < LF_STATE_VERSION)
        st = bring_tables(s->writer, err);
    if (st == LF_OK)
        (void)sqlite3_db_config(s->writer->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return st;
}

static lf_status make_folder_of(const char *path, lf_err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return LF_OK;
    char *dir = lf_strndup(path, (size_t)(slash - path));
    if (!dir)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", path);
    const lf_status st = lf_path_make_dirs(dir, err);
    lf_free(dir);
    return st;
}

lf_status lf_state_open(const char *path, lf_state **out, lf_err *err)
{
    bool is_new = false;
    uint64_t size = 0;
    lf_status st = make_folder_of(path, err);
    if (st != LF_OK)
        return st;
    const bool unclean = has_log(path);
    st = look_at_file(path, &is_new, &size, err);
    if (st != LF_OK)
        return st;
    lf_state *s = lf_calloc(1, sizeof *s);
    if (!s)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", path);
    (void)pthread_mutex_init(&s->write_lock, NULL);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->path = lf_strdup(path);
    st = s->path ? open_writer(s, is_new, size, unclean, err)
                 : lf_fail(err, LF_ERR_NOMEM, "no memory to open '%s'", path);
    if (st != LF_OK) {
        lf_state_close(s);
        return st;
    }
    *out = s;
    return LF_OK;
}

void lf_state_close(lf_state *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_idle; i++)
        lf_db_close(s->idle[i]);
    lf_db_close(s->writer); /* last: its close folds the log into the file */
    lf_snapshot_unref(s->snapshot);
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_mutex_destroy(&s->write_lock);
    lf_free(s->path);
    lf_free(s);
}

const char *lf_state_path(const lf_state *s)
{
    return s->path;
}

lf_status lf_state_check(lf_state *s, lf_err *err)
{
    lf_db *db = NULL;
    lf_status st = lf_state_begin_read(s, &db, err);
    if (st == LF_OK)
        st = quick_check(db, "PRAGMA integrity_check(1)", err);
    lf_state_end_read(s, db);
    return st;
}

/* ---- transactions ---- */

lf_status lf_state_begin_read(lf_state *s, lf_db **out, lf_err *err)
{
    lf_db *db = NULL;
    lf_status st = LF_OK;
    (void)pthread_mutex_lock(&s->lock);
    if (s->n_idle)
        db = s->idle[--s->n_idle];
    (void)pthread_mutex_unlock(&s->lock);
    if (!db)
        st = lf_db_open(s->path, true, &db, err);
    if (st == LF_OK)
        st = lf_db_exec(db, "BEGIN", err);
    if (st != LF_OK) {
        lf_db_close(db);
        return st;
    }
    *out = db;
    return LF_OK;
}

void lf_state_end_read(lf_state *s, lf_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < db->n_cached; i++)
        (void)sqlite3_reset(db->cache[i].stmt);
    const bool good = sqlite3_exec(db->h, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK;
    (void)pthread_mutex_lock(&s->lock);
    if (good && s->n_idle < LF_STATE_READERS) {
        s->idle[s->n_idle++] = db;
        db = NULL;
    }
    (void)pthread_mutex_unlock(&s->lock);
    lf_db_close(db);
}

lf_status lf_state_begin_write(lf_state *s, lf_db **out, lf_err *err)
{
    (void)pthread_mutex_lock(&s->write_lock);
    const lf_status st = lf_db_exec(s->writer, "BEGIN IMMEDIATE", err);
    if (st != LF_OK) {
        (void)pthread_mutex_unlock(&s->write_lock);
        return st;
    }
    *out = s->writer;
    return LF_OK;
}

lf_status lf_state_end_write(lf_state *s, lf_status st, lf_err *err)
{
    for (size_t i = 0; i < s->writer->n_cached; i++)
        (void)sqlite3_reset(s->writer->cache[i].stmt);
    if (st == LF_OK)
        st = lf_db_exec(s->writer, "COMMIT", err);
    if (st != LF_OK && !sqlite3_get_autocommit(s->writer->h))
        (void)sqlite3_exec(s->writer->h, "ROLLBACK", NULL, NULL, NULL);
    (void)pthread_mutex_unlock(&s->write_lock);
    return st;
}

lf_status lf_state_bump(lf_db *db, lf_err *err)
{
    sqlite3_stmt *q;
    lf_status st = lf_db_stmt(db, "UPDATE meta SET value=value+1 WHERE key='generation'", &q, err);
    return st == LF_OK ? lf_db_run(db, q, "count the change", err) : st;
}

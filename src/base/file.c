/* base/file.c - POSIX files. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static lf_status sys_fail(lf_err *err, const char *what, const char *path)
{
    const int e = errno;
    return lf_fail(err, e == ENOENT || e == ENOTDIR ? LF_ERR_NOT_FOUND : LF_ERR_IO,
                   "cannot %s '%s': %s", what, path, strerror(e));
}

static lf_status open_regular(const char *path, int *fd_out, size_t *size, lf_err *err)
{
    struct stat sb;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sys_fail(err, "open", path);
    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode)) {
        (void)close(fd);
        return lf_fail(err, LF_ERR_IO, "cannot read '%s': not a regular file", path);
    }
    *fd_out = fd;
    *size = (size_t)sb.st_size;
    return LF_OK;
}

/* Append what is left to read of fd, at most `max_bytes`.  The size that the system
 * states is only a first guess: pipes and /proc state none. */
static lf_status read_to_end(int fd, const char *path, size_t guess, size_t max_bytes, lf_buf *out,
                             lf_err *err)
{
    size_t got = 0, step = guess + 1;
    for (;;) {
        if (!lf_buf_reserve(out, step))
            return lf_fail(err, LF_ERR_NOMEM, "no memory for the bytes of '%s'", path);
        const ssize_t n = read(fd, out->data + out->len, step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return sys_fail(err, "read", path);
        if (n == 0)
            return LF_OK;
        got += (size_t)n;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (got > max_bytes)
            return lf_fail(err, LF_ERR_LIMIT, "cannot read '%s': more than %zu bytes, the limit",
                           path, max_bytes);
        step = got < guess ? guess - got + 1 : 65536;
    }
}

lf_status lf_file_read(const char *path, size_t max_bytes, lf_buf *out, lf_err *err)
{
    enum { STREAM_MAX = 256 << 20 }; /* of a pipe or device, where the caller sets no limit */
    struct stat sb;
    lf_status st;
    const size_t start = out->len;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sys_fail(err, "open", path);
    if (fstat(fd, &sb) != 0 || S_ISDIR(sb.st_mode)) {
        st = lf_fail(err, LF_ERR_IO, "cannot read '%s': it is a folder", path);
        goto done;
    }
    const size_t size = S_ISREG(sb.st_mode) ? (size_t)sb.st_size : 0;
    if (max_bytes && size > max_bytes) {
        st = lf_fail(err, LF_ERR_LIMIT, "cannot read '%s': %zu bytes, the limit is %zu", path, size,
                     max_bytes);
        goto done;
    }
    if (max_bytes == 0)
        max_bytes = S_ISREG(sb.st_mode) ? SIZE_MAX / 2 : STREAM_MAX;
    st = read_to_end(fd, path, size, max_bytes, out, err);
    if (st != LF_OK && out->data) {
        out->len = start;
        out->data[start] = '\0';
    }
done:
    (void)close(fd);
    return st;
}

bool lf_fd_write(int fd, const void *data, size_t n_bytes)
{
    const char *p = data;
    while (n_bytes) {
        const ssize_t w = write(fd, p, n_bytes);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            if (w == 0) /* nothing is taken and no reason given: not to be asked for ever */
                errno = EIO;
            return false;
        }
        p += w;
        n_bytes -= (size_t)w;
    }
    return true;
}

static lf_status write_all(int fd, const char *path, const void *p, size_t n, lf_err *err)
{
    if (!lf_fd_write(fd, p, n))
        return sys_fail(err, "write", path);
    return fsync(fd) == 0 ? LF_OK : sys_fail(err, "flush", path);
}

static void sync_folder_of(const char *path)
{
    char *dir = lf_strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    if (slash)
        slash[slash == dir ? 1 : 0] = '\0';
    const int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    lf_free(dir);
}

lf_status lf_file_replace(const char *path, const void *data, size_t n_bytes, lf_err *err)
{
    lf_status st;
    lf_buf tmp = { 0 };
    lf_buf_addf(&tmp, "%s.%ld.XXXXXX", path, (long)getpid());
    if (tmp.failed) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to write '%s'", path);
        goto done;
    }
    const int fd = mkstemp(tmp.data);
    if (fd < 0) {
        st = sys_fail(err, "write beside", path);
        goto done;
    }
    st = write_all(fd, path, data, n_bytes, err);
    if (close(fd) != 0 && st == LF_OK)
        st = sys_fail(err, "close", path);
    if (st == LF_OK && rename(tmp.data, path) != 0)
        st = sys_fail(err, "replace", path);
    if (st == LF_OK)
        sync_folder_of(path);
    else
        (void)unlink(tmp.data);
done:
    lf_buf_release(&tmp);
    return st;
}

lf_status lf_map_open(const char *path, lf_map *out, lf_err *err)
{
    int fd = -1;
    size_t size = 0;
    lf_status st = open_regular(path, &fd, &size, err);
    if (st != LF_OK)
        return st;
    lf_map m = { .len = size };
    if (size) {
        void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
            st = sys_fail(err, "map", path);
        else
            m.data = p;
    }
    (void)close(fd);
    if (st == LF_OK)
        *out = m;
    return st;
}

void lf_map_close(lf_map *m)
{
    if (m->data)
        (void)munmap((void *)(uintptr_t)m->data, m->len);
    *m = (lf_map){ 0 };
}

bool lf_path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool lf_path_is_dir(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

lf_status lf_path_make_dirs(const char *path, lf_err *err)
{
    lf_status st = LF_OK;
    char *p = lf_strdup(path);
    if (!p)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to make folder '%s'", path);
    for (char *s = p + 1;; s++) {
        if (*s != '/' && *s != '\0')
            continue;
        const char keep = *s;
        *s = '\0';
        if (mkdir(p, 0700) != 0 && errno != EEXIST) {
            st = sys_fail(err, "make folder", p);
            break;
        }
        *s = keep;
        if (!keep)
            break;
    }
    lf_free(p);
    if (st == LF_OK && !lf_path_is_dir(path))
        st = lf_fail(err, LF_ERR_IO, "cannot make folder '%s': a file of that name is there", path);
    return st;
}

const char *lf_path_base(const char *path)
{
    const char *s = strrchr(path, '/');
    return s ? s + 1 : path;
}

char *lf_path_join(const char *dir, const char *name)
{
    lf_buf b = { 0 };
    const size_t n = strlen(dir);
    lf_buf_addf(&b, "%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
    return lf_buf_take(&b);
}

/* ---- walking ---- */

enum { WALK_DEPTH_MAX = 64 };

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static lf_status list_names(const char *dir, char ***out, size_t *n_out, lf_err *err)
{
    lf_status st = LF_OK;
    char **names = NULL;
    size_t n = 0, cap = 0;
    DIR *d = opendir(dir);
    if (!d)
        return sys_fail(err, "list folder", dir);
    for (struct dirent *e; st == LF_OK && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 32;
            char **grown = lf_realloc(names, cap * sizeof *names);
            if (!grown) {
                st = lf_fail(err, LF_ERR_NOMEM, "no memory to list '%s'", dir);
                break;
            }
            names = grown;
        }
        names[n] = lf_strdup(e->d_name);
        if (!names[n])
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to list '%s'", dir);
        else
            n++;
    }
    (void)closedir(d);
    if (n)
        qsort(names, n, sizeof *names, by_bytes);
    *out = names;
    *n_out = n;
    return st;
}

static lf_status walk_dir(const char *dir, const char *rel, int depth, lf_walk_fn *fn, void *ud,
                          lf_err *err)
{
    char **names = NULL;
    size_t n = 0;
    if (depth > WALK_DEPTH_MAX)
        return lf_fail(err, LF_ERR_LIMIT, "folder '%s' is more than %d levels deep", dir,
                       WALK_DEPTH_MAX);
    lf_status st = list_names(dir, &names, &n, err);
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        struct stat sb;
        char *path = lf_path_join(dir, names[i]);
        char *sub = *rel ? lf_path_join(rel, names[i]) : lf_strdup(names[i]);
        if (!path || !sub)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory to walk '%s'", dir);
        else if (lstat(path, &sb) == 0 && S_ISDIR(sb.st_mode))
            st = walk_dir(path, sub, depth + 1, fn, ud, err);
        else if (lstat(path, &sb) == 0 && S_ISREG(sb.st_mode))
            st = fn(ud, path, sub, err);
        lf_free(path);
        lf_free(sub);
    }
    for (size_t i = 0; i < n; i++)
        lf_free(names[i]);
    lf_free(names);
    return st;
}

lf_status lf_walk(const char *dir, lf_walk_fn *fn, void *ud, lf_err *err)
{
    return walk_dir(dir, "", 0, fn, ud, err);
}

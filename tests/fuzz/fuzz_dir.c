/* tests/fuzz/fuzz_dir.c - see the header. */
#include "tests/fuzz/fuzz_dir.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[256];
static pid_t owner;

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void clean(void)
{
    if (getpid() == owner)
        (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    if (dir[0])
        return dir;
    (void)snprintf(dir, sizeof dir, "%s/lf-fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    owner = getpid();
    if (!mkdtemp(dir) || atexit(clean) != 0) {
        perror("fuzz_dir");
        abort();
    }
    return dir;
}

void fuzz_write(const char *path, const void *data, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, n) != (ssize_t)n || close(fd) != 0) {
        perror(path);
        abort();
    }
}

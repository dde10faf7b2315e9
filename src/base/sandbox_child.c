/* base/sandbox_child.c - the child's side: from the constructor to _exit.
 *
 * The constructor runs in every program that links this library.  It does
 * nothing unless the first argument is the hidden flag; then it never returns
 * to main().  Invariants: `prepare` runs before the lock and never touches the
 * document; `run` runs after it; the status record is the last thing written. */
#include "base/sandbox_int.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

extern const lf_sandbox_job *const __start_lf_sandbox_jobs[] __attribute__((weak));
extern const lf_sandbox_job *const __stop_lf_sandbox_jobs[] __attribute__((weak));

const lf_sandbox_job *lf_sandbox_find(const char *name)
{
    for (const lf_sandbox_job *const *j = __start_lf_sandbox_jobs; j != __stop_lf_sandbox_jobs; j++)
        if (strcmp((*j)->name, name) == 0)
            return *j;
    return NULL;
}

bool lf_sandbox_write(lf_sandbox_child *c, const void *p, size_t n_bytes)
{
    if (!c->write_failed)
        c->write_failed = !lf_fd_write(LF_SANDBOX_FD_ANSWER, p, n_bytes);
    return !c->write_failed;
}

static const lf_sandbox_request *map_request(void)
{
    struct stat sb;
    if (fstat(LF_SANDBOX_FD_REQUEST, &sb) != 0 || sb.st_size < (off_t)sizeof(lf_sandbox_request))
        return NULL;
    const void *p =
        mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, LF_SANDBOX_FD_REQUEST, 0);
    if (p == MAP_FAILED)
        return NULL;
    const lf_sandbox_request *r = p;
    return r->n_arg == (uint64_t)sb.st_size - sizeof *r ? r : NULL;
}

static lf_status serve(const char *name, lf_err *err)
{
    const lf_sandbox_job *job = lf_sandbox_find(name);
    const lf_sandbox_request *r = map_request();
    if (!job || !r)
        return lf_fail(err, LF_ERR_ARG, "the sandboxed child got no proper request");
    lf_sandbox_child c = { .fd = r->has_doc ? LF_SANDBOX_FD_DOC : -1,
                           .arg = (const char *)(r + 1),
                           .n_arg = (size_t)r->n_arg };
    lf_status st = job->prepare ? job->prepare(&c, err) : LF_OK;
    if (st == LF_OK)
        st = lf_sandbox_lock(job, r, err);
    if (st == LF_OK)
        st = job->run(&c, err);
    if (st == LF_OK && c.write_failed)
        st = lf_fail(err, LF_ERR_IO, "the sandboxed child could not deliver its answer");
    return st;
}

__attribute__((constructor)) static void sandbox_entry(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], LF_SANDBOX_FLAG) != 0)
        return;
    lf_sandbox_status rec = { .magic = LF_SANDBOX_MAGIC };
    lf_err err = { 0 };
    (void)close_range(LF_SANDBOX_FD_STATUS + 1, ~0U, 0);
    rec.code = serve(argv[2], &err);
    memcpy(rec.msg, err.msg, sizeof rec.msg);
    const bool told = lf_fd_write(LF_SANDBOX_FD_STATUS, (const char *)&rec, sizeof rec);
    _exit(told ? 0 : 2);
}

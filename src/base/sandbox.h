/* base/sandbox.h - runs one function of this executable in a locked-up child.
 *
 * What strangers wrote (documents above all) is read in a child process that
 * can compute and answer, and nothing else: no network, no file but the one
 * descriptor it was given and what its job names, no new process, a limit on
 * memory, processor time, wall time and on the length of its answer.  If it
 * crashes, hangs or eats memory, that costs one document and is reported.
 *
 * How a child starts: the executable is spawned again (/proc/self/exe), so the
 * child has none of the parent's memory, threads, locks or open files; a
 * constructor in sandbox.c sees the hidden arguments before main() and runs
 * the job.  Jobs stand in a table that the linker collects, so a program only
 * has to link this library: main() needs no code for it, test programs
 * included.  The child is made anew for each call (a few milliseconds).
 *
 * What locks it: no_new_privs, its own user, network, IPC and host-name
 * namespaces where the system permits, Landlock (no paths), a seccomp
 * allow-list, rlimits, and the parent's watch over resident memory and time.
 * With neither Landlock nor seccomp the job is not run (LF_ERR_UNSUPPORTED).
 * Under a sanitizer RLIMIT_AS is left out, for its shadow memory's sake, and the
 * environment is passed on; everything else stands.
 *
 * Threads    lf_sandbox_run may be called from any thread, concurrently.
 * Errors     of lf_sandbox_run: what the job itself returned, or
 *              LF_ERR_FORMAT       the child crashed (with the signal)
 *              LF_ERR_LIMIT        over memory, time, or length of the answer
 *              LF_ERR_DENIED       it tried a forbidden system call
 *              LF_ERR_UNSUPPORTED  no sandbox can be had on this system
 *              LF_ERR_NOT_FOUND    no job of that name
 *              LF_ERR_IO, LF_ERR_NOMEM
 */
#ifndef LF_BASE_SANDBOX_H
#define LF_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a job sees, in the child. */
typedef struct lf_sandbox_child {
    int fd;          /* the descriptor handed over, or -1 */
    const char *arg; /* the request's bytes, borrowed for the child's life */
    size_t n_arg;
    void *ud; /* from prepare to run */
    bool write_failed;
} lf_sandbox_child;

typedef struct lf_sandbox_job {
    const char *name;
    /* (optional) Before the doors close: load shared libraries and tables.  Must
     * not read `fd`. */
    lf_status (*prepare)(lf_sandbox_child *c, lf_err *err);
    /* The work.  Its answer goes out by lf_sandbox_write. */
    lf_status (*run)(lf_sandbox_child *c, lf_err *err);
    /* (optional) Folders that stay readable, ended by NULL; needs Landlock. */
    const char *const *read_paths;
} lf_sandbox_job;

/* Put a `static const lf_sandbox_job` into the table of this executable. */
#define LF_SANDBOX_JOB(job)                                                                        \
    static const lf_sandbox_job *const job##_entry                                                 \
        __attribute__((used, section("lf_sandbox_jobs"))) = &(job)

enum { LF_SANDBOX_NO_SECCOMP = 1, LF_SANDBOX_NO_LANDLOCK = 2 };

typedef struct lf_sandbox_opts {
    size_t memory_bytes; /* resident and address space */
    size_t answer_bytes; /* longest answer taken */
    int cpu_s, wall_ms;
    unsigned without; /* for tests of one layer alone: LF_SANDBOX_NO_* */
} lf_sandbox_opts;

/* Run job `name` in a child; its answer is appended to `out` (unchanged on
 * failure).  `fd` (borrowed, -1 for none) becomes the child's only file. */
LF_MUST_CHECK lf_status lf_sandbox_run(const char *name, const lf_sandbox_opts *opts, int fd,
                                       const void *arg, size_t n_arg, lf_buf *out, lf_err *err);

/* In the child: append to the answer.  False (and sticky) when the parent is gone. */
bool lf_sandbox_write(lf_sandbox_child *c, const void *p, size_t n_bytes);

/* The folder of the running executable (borrowed, "" when unknown), for libraries
 * that lie beside it. */
const char *lf_sandbox_exe_dir(char *out, size_t cap);

#ifdef __cplusplus
}
#endif
#endif

/* base/sandbox_lock.c - the locks of the sandboxed child, in the order they close:
 * privileges, namespaces, rlimits, Landlock, seccomp.
 *
 * Landlock and seccomp each confine on their own; either may be missing on an
 * old or odd system, both may not.  Privileges and namespaces are taken where
 * the system permits and are a further wall, never the only one.
 *
 * The seccomp list has three answers: allow (computing, memory, the open
 * descriptors), EACCES (what libraries try in passing: opening a locale file,
 * asking for the terminal), and for all the rest the end of the process, which
 * the parent reports.  Memory can never be made executable.  Where a job names
 * folders, files may be opened for reading, and Landlock says which.
 *
 * Landlock is called by number, since Debian 12 has no library for it:
 * Documentation/userspace-api/landlock.rst of Linux. */
#include "base/sandbox_int.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The comparison macros of libseccomp leave their second operand out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* ---- privileges and namespaces ---- */

static void drop_privileges(void)
{
    enum { NOBODY = 65534 };
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (geteuid() == 0) {
        (void)!setgroups(0, NULL);
        (void)!setresgid(NOBODY, NOBODY, NOBODY);
        (void)!setresuid(NOBODY, NOBODY, NOBODY);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a change of user clears it */
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
        (void)unshare(CLONE_NEWUSER);
}

static void limit(__rlimit_resource_t what, rlim_t soft, rlim_t hard)
{
    const struct rlimit r = { .rlim_cur = soft, .rlim_max = hard };
    (void)setrlimit(what, &r);
}

static void set_limits(const lf_sandbox_request *r, bool opens_files)
{
    if (!LF_SANITIZED)
        limit(RLIMIT_AS, r->memory_bytes, r->memory_bytes);
    limit(RLIMIT_CPU, (rlim_t)r->cpu_s, (rlim_t)r->cpu_s + 2);
    limit(RLIMIT_FSIZE, 0, 0);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_NPROC, 0, 0);
    limit(RLIMIT_MEMLOCK, 0, 0);
    if (!opens_files)
        limit(RLIMIT_NOFILE, LF_SANDBOX_FD_STATUS + 1, LF_SANDBOX_FD_STATUS + 1);
    else
        limit(RLIMIT_NOFILE, 64, 64);
}

/* ---- Landlock ---- */

typedef struct ll_ruleset {
    uint64_t fs, net, scoped;
} ll_ruleset;

typedef struct ll_path {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed)) ll_path;

enum {
    LL_CREATE = 444,
    LL_ADD = 445,
    LL_RESTRICT = 446,
    LL_GET_VERSION = 1,
    LL_RULE_PATH = 1,
    LL_READ_FILE = 1 << 2,
    LL_READ_DIR = 1 << 3
};

static uint64_t fs_rights_of(long abi)
{
    uint64_t fs = (1U << 13) - 1; /* ABI 1: execute ... make symbolic link */
    if (abi >= 2)
        fs |= 1U << 13; /* refer */
    if (abi >= 3)
        fs |= 1U << 14; /* truncate */
    if (abi >= 5)
        fs |= 1U << 15; /* device ioctl */
    return fs;
}

static bool landlock(const char *const *read_paths)
{
    const long abi = syscall(LL_CREATE, NULL, 0, LL_GET_VERSION);
    if (abi < 1)
        return false;
    const ll_ruleset rs = { .fs = fs_rights_of(abi),
                            .net = abi >= 4 ? 3 : 0,      /* bind and connect TCP */
                            .scoped = abi >= 6 ? 3 : 0 }; /* abstract sockets, signals */
    const size_t size = abi >= 6 ? sizeof rs : abi >= 4 ? 16 : 8;
    const int fd = (int)syscall(LL_CREATE, &rs, size, 0);
    if (fd < 0)
        return false;
    bool ok = true;
    for (const char *const *p = read_paths; p && *p; p++) {
        ll_path rule = { .allowed = LL_READ_FILE | LL_READ_DIR,
                         .parent_fd = open(*p, O_PATH | O_CLOEXEC | O_DIRECTORY) };
        if (rule.parent_fd < 0)
            continue; /* no such folder here: nothing to allow */
        ok = syscall(LL_ADD, fd, LL_RULE_PATH, &rule, 0) == 0 && ok;
        (void)close(rule.parent_fd);
    }
    ok = ok && syscall(LL_RESTRICT, fd, 0) == 0;
    (void)close(fd);
    return ok;
}

/* ---- seccomp ---- */

static const int allowed_calls[] = { SCMP_SYS(read),
                                     SCMP_SYS(readv),
                                     SCMP_SYS(pread64),
                                     SCMP_SYS(write),
                                     SCMP_SYS(writev),
                                     SCMP_SYS(close),
                                     SCMP_SYS(fstat),
                                     SCMP_SYS(lseek),
                                     SCMP_SYS(munmap),
                                     SCMP_SYS(mremap),
                                     SCMP_SYS(madvise),
                                     SCMP_SYS(brk),
                                     SCMP_SYS(futex),
                                     SCMP_SYS(exit),
                                     SCMP_SYS(exit_group),
                                     SCMP_SYS(rt_sigreturn),
                                     SCMP_SYS(rt_sigprocmask),
                                     SCMP_SYS(rt_sigaction),
                                     SCMP_SYS(sigaltstack),
                                     SCMP_SYS(getpid),
                                     SCMP_SYS(gettid),
                                     SCMP_SYS(clock_gettime),
                                     SCMP_SYS(clock_getres),
                                     SCMP_SYS(gettimeofday),
                                     SCMP_SYS(time),
                                     SCMP_SYS(getrandom),
                                     SCMP_SYS(sched_yield),
                                     SCMP_SYS(sched_getaffinity),
                                     SCMP_SYS(nanosleep),
                                     SCMP_SYS(clock_nanosleep),
                                     SCMP_SYS(restart_syscall),
                                     SCMP_SYS(sysinfo),
                                     SCMP_SYS(getrusage),
                                     SCMP_SYS(getuid),
                                     SCMP_SYS(geteuid),
                                     SCMP_SYS(getgid),
                                     SCMP_SYS(getegid),
                                     SCMP_SYS(fadvise64),
                                     SCMP_SYS(set_robust_list),
                                     SCMP_SYS(rseq) };

static const int refused_calls[] = {
    SCMP_SYS(open),       SCMP_SYS(openat),     SCMP_SYS(openat2),   SCMP_SYS(stat),
    SCMP_SYS(lstat),      SCMP_SYS(newfstatat), SCMP_SYS(statx),     SCMP_SYS(access),
    SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(readlink),  SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),     SCMP_SYS(ioctl),      SCMP_SYS(fcntl),     SCMP_SYS(prctl),
    SCMP_SYS(getdents64), SCMP_SYS(uname),      SCMP_SYS(getrlimit), SCMP_SYS(prlimit64),
    SCMP_SYS(unlink),     SCMP_SYS(statfs),     SCMP_SYS(fstatfs),   SCMP_SYS(mlock)
};

static const int reading_calls[] = { SCMP_SYS(getdents64), SCMP_SYS(stat),       SCMP_SYS(lstat),
                                     SCMP_SYS(statx),      SCMP_SYS(newfstatat), SCMP_SYS(access),
                                     SCMP_SYS(fcntl) };

static bool is_in(int call, const int *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == call)
            return true;
    return false;
}

/* Rules whose answer hangs on an argument; returns libseccomp's 0 or an error. */
static int add_argument_rules(scmp_filter_ctx f, bool opens_files)
{
    const scmp_datum_t writes =
        O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    int e = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                             SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                          SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (opens_files)
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0));
    else /* how glibc says fstat() */
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                              SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH));
    return e;
}

static bool seccomp(bool opens_files)
{
    const size_t n_reading = opens_files ? sizeof reading_calls / sizeof reading_calls[0] : 0;
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!f)
        return false;
    int e = 0;
    for (size_t i = 0; i < sizeof allowed_calls / sizeof allowed_calls[0]; i++)
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed_calls[i], 0);
    for (size_t i = 0; i < n_reading; i++)
        e |= seccomp_rule_add(f, SCMP_ACT_ALLOW, reading_calls[i], 0);
    e |= add_argument_rules(f, opens_files);
    for (size_t i = 0; i < sizeof refused_calls / sizeof refused_calls[0]; i++) {
        const int call = refused_calls[i];
        if (is_in(call, reading_calls, n_reading))
            continue;
        if (call == SCMP_SYS(openat) && opens_files)
            e |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), call, 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, O_WRONLY, O_WRONLY));
        else if (call == SCMP_SYS(newfstatat))
            e |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), call, 1,
                                  SCMP_A3(SCMP_CMP_NE, AT_EMPTY_PATH));
        else
            e |= seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), call, 0);
    }
    const bool ok = e == 0 && seccomp_load(f) == 0;
    seccomp_release(f);
    return ok;
}

lf_status lf_sandbox_lock(const lf_sandbox_job *job, const lf_sandbox_request *r, lf_err *err)
{
    drop_privileges();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return lf_fail(err, LF_ERR_UNSUPPORTED, "no sandbox: privileges cannot be given up: %s",
                       strerror(errno));
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const bool paths = !(r->without & LF_SANDBOX_NO_LANDLOCK) && landlock(job->read_paths);
    const bool opens_files = paths && job->read_paths;
    set_limits(r, opens_files);
    const bool calls = !(r->without & LF_SANDBOX_NO_SECCOMP) && seccomp(opens_files);
    if (!paths && !calls)
        return lf_fail(
            err, LF_ERR_UNSUPPORTED,
            "no sandbox can be had here: this system offers neither seccomp nor Landlock, "
            "and unknown files are not read without one");
    return LF_OK;
}

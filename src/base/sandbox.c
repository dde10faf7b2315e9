/* base/sandbox.c - the parent's side: spawn, feed, watch, collect.
 *
 * Descriptors in the child: 0 and 1 /dev/null, 2 /dev/null (kept under a
 * sanitizer, whose report is wanted), 3 the document, 4 the answer, 5 the
 * request (a memory file), 6 the status.
 *
 * The answer travels raw; after it, one status record {magic, code, length,
 * message} on descriptor 6.  The parent believes an answer only with a status
 * of LF_OK and an orderly end.  Nothing the child writes is used as a size. */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sandbox_int.h"

enum { FD_ABOVE = 16, WATCH_MS = 20 };

typedef struct run_state {
    pid_t pid;
    int answer_fd, status_fd;
    lf_buf status;
    size_t answer_start;
    int wait_status;
    bool ended, too_slow, too_big, too_long, no_memory;
} run_state;

static lf_status sys_fail(lf_err *err, const char *what)
{
    return lf_fail(err, LF_ERR_IO, "cannot start the sandboxed child: %s: %s", what,
                   strerror(errno));
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Numbers from FD_ABOVE on, so that the child's dup2 targets never collide. */
static int move_up(int fd)
{
    const int up = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE);
    (void)close(fd);
    return up;
}

static bool open_pipe(int p[2])
{
    if (pipe2(p, O_CLOEXEC) != 0)
        return false;
    p[0] = move_up(p[0]);
    p[1] = move_up(p[1]);
    return p[0] >= 0 && p[1] >= 0;
}

static int open_request(const lf_sandbox_request *r, const void *arg)
{
    int fd = memfd_create("request", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    fd = move_up(fd);
    if (fd >= 0 && (!lf_fd_write(fd, r, sizeof *r) || !lf_fd_write(fd, arg, r->n_arg)))
        close_fd(&fd);
    return fd;
}

static int add_actions(posix_spawn_file_actions_t *fa, int doc, int answer, int request, int status)
{
    int e = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
    e = e ? e : posix_spawn_file_actions_addopen(fa, 1, "/dev/null", O_WRONLY, 0);
    if (!LF_SANITIZED)
        e = e ? e : posix_spawn_file_actions_addopen(fa, 2, "/dev/null", O_WRONLY, 0);
    if (doc >= 0)
        e = e ? e : posix_spawn_file_actions_adddup2(fa, doc, LF_SANDBOX_FD_DOC);
    else
        e = e ? e
              : posix_spawn_file_actions_addopen(fa, LF_SANDBOX_FD_DOC, "/dev/null", O_RDONLY, 0);
    e = e ? e : posix_spawn_file_actions_adddup2(fa, answer, LF_SANDBOX_FD_ANSWER);
    e = e ? e : posix_spawn_file_actions_adddup2(fa, request, LF_SANDBOX_FD_REQUEST);
    return e ? e : posix_spawn_file_actions_adddup2(fa, status, LF_SANDBOX_FD_STATUS);
}

/* The environment is empty: what steers the parent must not steer a parser. */
static lf_status spawn(const char *name, int doc, int answer, int request, int status, pid_t *pid,
                       lf_err *err)
{
    char self[] = "landfall", flag[] = LF_SANDBOX_FLAG, job[64];
    char *const argv[] = { self, flag, job, NULL };
    char *const no_env[] = { NULL };
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, all;

    (void)snprintf(job, sizeof job, "%s", name);
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawn_file_actions_init(&fa) != 0)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to start the sandboxed child");
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&fa);
        return lf_fail(err, LF_ERR_NOMEM, "no memory to start the sandboxed child");
    }
    int e = add_actions(&fa, doc, answer, request, status);
    e = e ? e : posix_spawnattr_setsigmask(&attr, &none);
    e = e ? e : posix_spawnattr_setsigdefault(&attr, &all);
    e = e ? e : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    e = e ? e
          : posix_spawn(pid, "/proc/self/exe", &fa, &attr, argv, LF_SANITIZED ? environ : no_env);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&fa);
    errno = e;
    return e ? sys_fail(err, "posix_spawn") : LF_OK;
}

static size_t resident_bytes(pid_t pid)
{
    char path[64], text[128];
    unsigned long total = 0, resident = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    const ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%lu %lu", &total, &resident) != 2)
        return 0;
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Read what is there; closes *fd at its end.  False when the buffer may not grow. */
static bool drain(int *fd, lf_buf *b, size_t most, bool *too_long)
{
    if (!lf_buf_reserve(b, (size_t)64 << 10))
        return false;
    const ssize_t n = read(*fd, b->data + b->len, (size_t)64 << 10);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0) {
        close_fd(fd);
        return true;
    }
    b->len += (size_t)n;
    b->data[b->len] = '\0';
    *too_long = b->len > most;
    return !*too_long;
}

static void reap(run_state *s, bool block)
{
    pid_t got;
    while ((got = waitpid(s->pid, &s->wait_status, block ? 0 : WNOHANG)) < 0 && errno == EINTR) {
    }
    s->ended = got != 0; /* ECHILD counts as ended: somebody else reaped it */
    if (got < 0)
        s->wait_status = 0;
}

static void stop(run_state *s)
{
    if (!s->ended) {
        (void)kill(s->pid, SIGKILL);
        reap(s, true);
    }
}

/* Until the child has ended and both pipes are read, or a limit is hit. */
static void watch(run_state *s, const lf_sandbox_opts *o, lf_buf *out)
{
    const int64_t deadline = lf_clock_us() + (int64_t)o->wall_ms * 1000;
    int64_t next_look = 0;
    while (!s->ended || s->answer_fd >= 0 || s->status_fd >= 0) {
        struct pollfd p[2] = { { .fd = s->answer_fd, .events = POLLIN },
                               { .fd = s->status_fd, .events = POLLIN } };
        const bool piped = s->answer_fd >= 0 || s->status_fd >= 0;
        (void)poll(p, 2, piped ? WATCH_MS : 1);
        if (p[0].revents && s->answer_fd >= 0 &&
            !drain(&s->answer_fd, out, s->answer_start + o->answer_bytes, &s->too_long)) {
            s->no_memory = !s->too_long;
            return;
        }
        if (p[1].revents && s->status_fd >= 0 &&
            !drain(&s->status_fd, &s->status, sizeof(lf_sandbox_status), &s->too_long))
            return;
        const int64_t now = lf_clock_us();
        if (now >= next_look) {
            next_look = now + WATCH_MS * 1000;
            s->too_big = resident_bytes(s->pid) > o->memory_bytes;
            s->too_slow = now > deadline;
            if (s->too_big || s->too_slow)
                return;
        }
        if (!s->ended)
            reap(s, false);
    }
}

static lf_status explain_signal(int sig, const lf_sandbox_opts *o, lf_err *err)
{
    if (sig == SIGSYS)
        return lf_fail(err, LF_ERR_DENIED,
                       "the sandboxed child was stopped: it tried a forbidden system call");
    if (sig == SIGXCPU)
        return lf_fail(err, LF_ERR_LIMIT,
                       "the sandboxed child used more than %d s of processor time", o->cpu_s);
    if (sig == SIGKILL)
        return lf_fail(err, LF_ERR_LIMIT,
                       "the sandboxed child was killed by the system (out of memory?)");
    return lf_fail(err, LF_ERR_FORMAT, "the sandboxed child crashed with signal %d (%s)", sig,
                   strsignal(sig));
}

/* Turn how it ended into a status; the child's own words come last in trust. */
static lf_status verdict(const run_state *s, const lf_sandbox_opts *o, lf_err *err)
{
    lf_sandbox_status rec = { 0 };
    if (s->no_memory)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the sandboxed child's answer");
    if (s->too_long)
        return lf_fail(err, LF_ERR_LIMIT, "the sandboxed child's answer is over %zu MiB",
                       o->answer_bytes >> 20);
    if (s->too_big)
        return lf_fail(err, LF_ERR_LIMIT, "the sandboxed child needs more than %zu MiB of memory",
                       o->memory_bytes >> 20);
    if (s->too_slow)
        return lf_fail(err, LF_ERR_LIMIT, "the sandboxed child took longer than %d ms", o->wall_ms);
    if (WIFSIGNALED(s->wait_status))
        return explain_signal(WTERMSIG(s->wait_status), o, err);
    if (s->status.len == sizeof rec)
        memcpy(&rec, s->status.data, sizeof rec);
    rec.msg[sizeof rec.msg - 1] = '\0';
    if (memcmp(rec.magic, LF_SANDBOX_MAGIC, sizeof rec.magic) != 0)
        return lf_fail(err, LF_ERR_FORMAT,
                       "the sandboxed child ended without an answer (exit code %d)",
                       WEXITSTATUS(s->wait_status));
    if (rec.code == LF_OK)
        return LF_OK;
    if (strcmp(lf_status_name((lf_status)rec.code), "unknown") == 0)
        return lf_fail(err, LF_ERR_FORMAT, "the sandboxed child gave an unknown status %d",
                       (int)rec.code);
    return lf_fail(err, (lf_status)rec.code, "%s", rec.msg);
}

lf_status lf_sandbox_run(const char *name, const lf_sandbox_opts *opts, int fd, const void *arg,
                         size_t n_arg, lf_buf *out, lf_err *err)
{
    lf_status st;
    run_state s = { .answer_fd = -1, .status_fd = -1, .answer_start = out->len };
    int answer[2] = { -1, -1 }, status[2] = { -1, -1 }, request = -1, doc = -1;
    const lf_sandbox_request r = { .memory_bytes = opts->memory_bytes,
                                   .cpu_s = opts->cpu_s,
                                   .has_doc = fd >= 0,
                                   .without = opts->without,
                                   .n_arg = n_arg };

    if (!lf_sandbox_find(name))
        return lf_fail(err, LF_ERR_NOT_FOUND, "no sandbox job '%s' in this program", name);
    if (!open_pipe(answer) || !open_pipe(status) || (request = open_request(&r, arg)) < 0 ||
        (fd >= 0 && (doc = fcntl(fd, F_DUPFD_CLOEXEC, FD_ABOVE)) < 0)) {
        st = sys_fail(err, "pipes");
        goto done;
    }
    st = spawn(name, doc, answer[1], request, status[1], &s.pid, err);
    if (st != LF_OK)
        goto done;
    close_fd(&answer[1]);
    close_fd(&status[1]);
    s.answer_fd = answer[0];
    s.status_fd = status[0];
    answer[0] = status[0] = -1;
    watch(&s, opts, out);
    stop(&s);
    st = verdict(&s, opts, err);
done:
    if (st != LF_OK && out->data) {
        out->len = s.answer_start;
        out->data[out->len] = '\0';
    }
    close_fd(&answer[0]);
    close_fd(&answer[1]);
    close_fd(&status[0]);
    close_fd(&status[1]);
    close_fd(&s.answer_fd);
    close_fd(&s.status_fd);
    close_fd(&request);
    close_fd(&doc);
    lf_buf_release(&s.status);
    return st;
}

const char *lf_sandbox_exe_dir(char *out, size_t cap)
{
    const ssize_t n = readlink("/proc/self/exe", out, cap - 1);
    out[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = '\0';
    return out;
}

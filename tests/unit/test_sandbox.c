/* tests/unit/test_sandbox.c - a child that misbehaves in each way is contained and reported. */
#include "tests/lf_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/sandbox_int.h"

/* One job for all misdeeds: the request's first letter says which. */
static lf_status misbehave(lf_sandbox_child *c, lf_err *err)
{
    char text[64] = "";
    int fd;
    switch (c->n_arg ? c->arg[0] : 0) {
    case 'e': /* echo the document */
        fd = (int)read(c->fd, text, sizeof text);
        (void)lf_sandbox_write(c, text, fd > 0 ? (size_t)fd : 0);
        return LF_OK;
    case 'c': /* crash */
        (void)raise(SIGSEGV);
        return LF_OK;
    case 'a':
        abort();
    case 'l': /* loop: wall clock */
        for (volatile unsigned i = 0;; i++) {
        }
    case 'm': /* eat memory */
        for (size_t n = 0; n < 4096; n++) {
            char *p = malloc((size_t)8 << 20);
            if (!p)
                return lf_fail(err, LF_ERR_NOMEM, "malloc said no");
            memset(p, 1, (size_t)8 << 20);
        }
        return LF_OK;
    case 's': /* open a socket */
        (void)socket(AF_INET, SOCK_STREAM, 0);
        return LF_OK;
    case 'x': /* run a program */
        (void)execl("/bin/true", "true", (char *)NULL);
        return LF_OK;
    case 'f': /* fork */
        (void)fork();
        return LF_OK;
    case 'o': /* open a file */
        fd = open("/etc/passwd", O_RDONLY);
        return fd < 0 ? lf_fail(err, LF_ERR_DENIED, "open: %s", strerror(errno)) : LF_OK;
    case 'w': /* make a file */
        fd = open(c->arg + 1, O_WRONLY | O_CREAT, 0600);
        return fd < 0 ? lf_fail(err, LF_ERR_DENIED, "create: %s", strerror(errno)) : LF_OK;
    case 'p': /* memory that runs */
        (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return LF_OK;
    case 'k': /* a signal to the parent */
        (void)kill(getppid(), SIGTERM);
        return LF_OK;
    case 'z': /* an endless answer */
        while (lf_sandbox_write(c, text, sizeof text)) {
        }
        return LF_OK;
    case 'q': /* leave without a word */
        _exit(0);
    default:
        return lf_fail(err, LF_ERR_FORMAT, "no such misdeed");
    }
}

static const lf_sandbox_job job_misbehave = { "test-misbehave", NULL, misbehave, NULL };
LF_SANDBOX_JOB(job_misbehave);

static const char *const readable[] = { "/usr/share", NULL };
static const lf_sandbox_job job_reader = { "test-reader", NULL, misbehave, readable };
LF_SANDBOX_JOB(job_reader);

static lf_sandbox_opts small(void)
{
    return (lf_sandbox_opts){
        .memory_bytes = (size_t)256 << 20, .answer_bytes = 1 << 20, .cpu_s = 20, .wall_ms = 20000
    };
}

static lf_status run_with(const char *arg, lf_sandbox_opts o, lf_buf *out, lf_err *err)
{
    return lf_sandbox_run("test-misbehave", &o, -1, arg, strlen(arg) + 1, out, err);
}

static void expect(const char *arg, lf_sandbox_opts o, lf_status want, const char *part)
{
    lf_buf out = { 0 };
    lf_err err = { 0 };
    LF_CHECK_INT(run_with(arg, o, &out, &err), want);
    if (!strstr(err.msg, part))
        LF_CHECK_STR(err.msg, part);
    LF_CHECK_INT(out.len, 0);
    lf_buf_release(&out);
}

static void gives_the_document_and_takes_the_answer(void)
{
    lf_buf out = { 0 };
    const int fd = open(lf_test_file("d", "hello", 5), O_RDONLY);
    const lf_sandbox_opts o = small();
    lf_buf_add_str(&out, "<");
    LF_NEED(lf_sandbox_run("test-misbehave", &o, fd, "e", 1, &out, err));
    LF_CHECK_STR(lf_buf_cstr(&out), "<hello");
    (void)close(fd);
    lf_buf_release(&out);
    LF_CHECK_INT(lf_mem_live(), 0);
}

static void crash_is_reported(void)
{
    if (!LF_SANITIZED) /* a sanitizer turns the signal into a report and an exit code */
        expect("c", small(), LF_ERR_FORMAT, "crashed with signal 11");
    else
        expect("c", small(), LF_ERR_FORMAT, "the sandboxed child");
    expect("a", small(), LF_ERR_FORMAT, "the sandboxed child");
    expect("q", small(), LF_ERR_FORMAT, "ended without an answer");
    expect("?", small(), LF_ERR_FORMAT, "no such misdeed");
}

static void endless_loop_is_stopped(void)
{
    lf_sandbox_opts o = small();
    const int64_t before = lf_clock_us();
    o.wall_ms = 300;
    expect("l", o, LF_ERR_LIMIT, "longer than 300 ms");
    LF_CHECK(lf_clock_us() - before < 5000000);
    o = small();
    o.cpu_s = 1;
    expect("l", o, LF_ERR_LIMIT, "processor time");
}

static void memory_is_bounded(void)
{
    lf_buf out = { 0 };
    lf_err err = { 0 };
    const lf_status st = run_with("m", small(), &out, &err);
    LF_CHECK(st == LF_ERR_NOMEM || st == LF_ERR_LIMIT);
    lf_buf_release(&out);
}

static void endless_answer_is_cut(void)
{
    expect("z", small(), LF_ERR_LIMIT, "over 1 MiB");
}

static void system_calls_are_refused(void)
{
    const char *calls[] = { "s", "x", "f", "k" };
    for (size_t i = 0; i < 4; i++)
        expect(calls[i], small(), LF_ERR_DENIED, "forbidden system call");
    expect("p", small(), LF_ERR_DENIED, "forbidden system call");
}

static void files_are_closed_to_it(void)
{
    char arg[4096] = "w";
    (void)snprintf(arg + 1, sizeof arg - 1, "%s/made", lf_test_dir());
    expect("o", small(), LF_ERR_DENIED, "open: Permission denied");
    expect(arg, small(), LF_ERR_DENIED, "create: Permission denied");
    LF_CHECK(access(arg + 1, F_OK) != 0);
}

/* Each of the two walls holds alone; with neither the job does not start. */
static void one_wall_is_enough_none_is_refused(void)
{
    lf_buf out = { 0 };
    lf_err err = { 0 };
    lf_sandbox_opts o = small();
    o.without = LF_SANDBOX_NO_SECCOMP; /* the reader may open files: Landlock says which */
    LF_CHECK_INT(lf_sandbox_run("test-reader", &o, -1, "o", 2, &out, &err), LF_ERR_DENIED);
    LF_CHECK_STR(err.msg, "open: Permission denied");
    lf_buf_release(&out);
    o.without = LF_SANDBOX_NO_LANDLOCK;
    expect("o", o, LF_ERR_DENIED, "open: Permission denied");
    expect("s", o, LF_ERR_DENIED, "forbidden system call");
    o.without = LF_SANDBOX_NO_SECCOMP | LF_SANDBOX_NO_LANDLOCK;
    expect("e", o, LF_ERR_UNSUPPORTED, "neither seccomp nor Landlock");
}

static void named_folders_are_readable_and_no_others(void)
{
    lf_buf out = { 0 };
    lf_err err = { 0 };
    const lf_sandbox_opts o = small();
    LF_CHECK_INT(lf_sandbox_run("test-reader", &o, -1, "o", 2, &out, &err), LF_ERR_DENIED);
    LF_CHECK_STR(err.msg, "open: Permission denied");
    LF_CHECK_INT(lf_sandbox_run("test-none", &o, -1, "o", 2, &out, &err), LF_ERR_NOT_FOUND);
    lf_buf_release(&out);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "sandbox/gives_the_document_and_takes_the_answer",
          gives_the_document_and_takes_the_answer },
        { "sandbox/crash_is_reported", crash_is_reported },
        { "sandbox/endless_loop_is_stopped", endless_loop_is_stopped },
        { "sandbox/memory_is_bounded", memory_is_bounded },
        { "sandbox/endless_answer_is_cut", endless_answer_is_cut },
        { "sandbox/system_calls_are_refused", system_calls_are_refused },
        { "sandbox/files_are_closed_to_it", files_are_closed_to_it },
        { "sandbox/one_wall_is_enough_none_is_refused", one_wall_is_enough_none_is_refused },
        { "sandbox/named_folders_are_readable_and_no_others",
          named_folders_are_readable_and_no_others },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

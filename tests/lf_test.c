/* tests/lf_test.c - forks a child per case, so that a crash costs one case. */
#include "tests/lf_test.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, FAILURES_SHOWN = 20 };

static int failures;
static char case_dir[256];
static char path_buf[4096];

static bool report(bool ok, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool report(bool ok, const char *file, int line, const char *fmt, ...)
{
    if (ok)
        return true;
    va_list ap;
    printf("    %s:%d: ", file, line);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    if (++failures >= FAILURES_SHOWN) {
        printf("    more than %d failures: giving up on this case\n", FAILURES_SHOWN);
        exit(EXIT_FAILED);
    }
    return false;
}

bool lf_test_check(bool ok, const char *expr, const char *file, int line)
{
    return report(ok, file, line, "%s", expr);
}

bool lf_test_check_int(long long got, long long want, const char *expr, const char *file, int line)
{
    return report(got == want, file, line, "%s is %lld, wanted %lld", expr, got, want);
}

bool lf_test_check_str(const char *got, const char *want, const char *expr, const char *file,
                       int line)
{
    const bool ok = got && want && strcmp(got, want) == 0;
    return report(ok, file, line, "%s is \"%s\", wanted \"%s\"", expr, got ? got : "(null)",
                  want ? want : "(null)");
}

bool lf_test_check_near(double got, double want, double tol, long long at, const char *expr,
                        const char *file, int line)
{
    return report(fabs(got - want) <= tol, file, line, "%s is %.9g, wanted %.9g +- %.3g (at %lld)",
                  expr, got, want, tol, at);
}

void lf_test_abort(const char *expr, const char *why, const char *file, int line)
{
    printf("    %s:%d: %s failed: %s\n", file, line, expr, why);
    exit(EXIT_FAILED);
}

void lf_test_skip(const char *why)
{
    printf("    skipped: %s\n", why);
    exit(failures ? EXIT_FAILED : EXIT_SKIPPED);
}

const char *lf_test_dir(void)
{
    return case_dir;
}

const char *lf_test_file(const char *name, const void *data, size_t n_bytes)
{
    (void)snprintf(path_buf, sizeof path_buf, "%s/%s", case_dir, name);
    FILE *f = fopen(path_buf, "wb");
    if (!f || (n_bytes && fwrite(data, 1, n_bytes, f) != n_bytes) || fclose(f) != 0)
        lf_test_abort("lf_test_file", path_buf, __FILE__, __LINE__);
    return path_buf;
}

const char *lf_test_data(const char *rel)
{
    const char *root = getenv("LANDFALL_DATA");
    if (!root || !*root)
        lf_test_skip("LANDFALL_DATA is not set");
    (void)snprintf(path_buf, sizeof path_buf, "%s/%s", root, rel);
    if (access(path_buf, R_OK) != 0)
        lf_test_skip("LANDFALL_DATA does not hold this file");
    return path_buf;
}

const char *lf_test_source(const char *rel)
{
    (void)snprintf(path_buf, sizeof path_buf, "%s/%s", LF_TEST_SOURCE_DIR, rel);
    return path_buf;
}

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int run_case(const lf_test *t, unsigned timeout_s)
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(case_dir, sizeof case_dir, "%s/lf-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(case_dir)) {
        perror("mkdtemp");
        return EXIT_FAILED;
    }
    (void)fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(timeout_s);
        t->run();
        (void)fflush(stdout);
        exit(failures ? EXIT_FAILED : 0);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    (void)nftw(case_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (WIFSIGNALED(status)) {
        const int sig = WTERMSIG(status);
        printf("    ended by signal %d (%s)\n", sig, sig == SIGALRM ? "timed out" : strsignal(sig));
        return EXIT_FAILED;
    }
    return WEXITSTATUS(status);
}

static bool wanted(const char *name, int argc, char **argv, int first)
{
    bool any = first >= argc;
    for (int i = first; i < argc; i++)
        any = any || strstr(name, argv[i]) != NULL;
    return any;
}

int lf_test_main(int argc, char **argv, const lf_test *tests)
{
    int n_passed = 0, n_failed = 0, n_skipped = 0, first = 1;
    unsigned timeout_s = 120;

    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (const lf_test *t = tests; t->name; t++)
            printf("%s\n", t->name);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "--timeout") == 0) {
        timeout_s = (unsigned)strtoul(argv[2], NULL, 10);
        first = 3;
    }
    for (const lf_test *t = tests; t->name; t++) {
        if (!wanted(t->name, argc, argv, first))
            continue;
        const int code = run_case(t, timeout_s);
        const char *word = code == 0 ? "ok" : code == EXIT_SKIPPED ? "skipped" : "FAILED";
        n_passed += code == 0;
        n_skipped += code == EXIT_SKIPPED;
        n_failed += code != 0 && code != EXIT_SKIPPED;
        printf("%-8s %s\n", word, t->name);
    }
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    if (n_passed + n_failed + n_skipped == 0) {
        printf("no case matches\n");
        return 1;
    }
    return n_failed ? 1 : 0;
}

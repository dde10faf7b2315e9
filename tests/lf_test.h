/* tests/lf_test.h - the test runner: a table of named cases, one process each.
 *
 * A test program ends with  return lf_test_main(argc, argv, tests);  It takes
 *   --list      print the names
 *   --timeout N seconds per case (default 120)
 *   NAME...     run the cases whose name contains one of these
 * and prints a line a case, then "N passed, N failed, N skipped".  The exit
 * code is non-zero when any case failed, crashed or timed out.
 */
#ifndef LF_TEST_H
#define LF_TEST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lf_test {
    const char *name; /* "area/what_holds"; NULL ends the table */
    void (*run)(void);
} lf_test;

int lf_test_main(int argc, char **argv, const lf_test *tests);

/* A failed check is printed and the case goes on, up to 20 failures. */
#define LF_CHECK(e) lf_test_check((e), #e, __FILE__, __LINE__)
#define LF_CHECK_INT(got, want)                                                                    \
    lf_test_check_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define LF_CHECK_STR(got, want) lf_test_check_str((got), (want), #got, __FILE__, __LINE__)
/* |got - want| <= tol; NaN fails; `at` is printed. */
#define LF_CHECK_NEAR(got, want, tol, at)                                                          \
    lf_test_check_near((got), (want), (tol), (long long)(at), #got, __FILE__, __LINE__)

/* Status must be LF_OK; prints err.msg otherwise.  Ends the case on failure. */
#define LF_NEED(expr)                                                                              \
    do {                                                                                           \
        lf_err need_err_ = { 0 };                                                                  \
        lf_err *const err = &need_err_;                                                            \
        (void)err;                                                                                 \
        if ((expr) != 0)                                                                           \
            lf_test_abort(#expr, need_err_.msg, __FILE__, __LINE__);                               \
    } while (0)

bool lf_test_check(bool ok, const char *expr, const char *file, int line);
bool lf_test_check_int(long long got, long long want, const char *expr, const char *file, int line);
bool lf_test_check_str(const char *got, const char *want, const char *expr, const char *file,
                       int line);
bool lf_test_check_near(double got, double want, double tol, long long at, const char *expr,
                        const char *file, int line);
void lf_test_abort(const char *expr, const char *why, const char *file, int line)
    __attribute__((noreturn));

/* End the case as skipped, with the reason. */
void lf_test_skip(const char *why) __attribute__((noreturn));

/* A private folder for this case, removed when it ends. */
const char *lf_test_dir(void);

/* Write a file into lf_test_dir(); the path is borrowed until the next call. */
const char *lf_test_file(const char *name, const void *data, size_t n_bytes);

/* Path below LANDFALL_DATA (borrowed until the next call); skips the case if absent. */
const char *lf_test_data(const char *rel);

/* Path below the source tree's tests/ folder (borrowed until the next call). */
const char *lf_test_source(const char *rel);

#endif

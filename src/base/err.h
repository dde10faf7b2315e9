/* base/err.h - the one error scheme of the project.
 *
 * A function that can fail for a reason outside the program returns lf_status
 * (0 is success, failures are negative), is marked LF_MUST_CHECK and takes
 * `lf_err *err` last.  Outputs are written only on success.
 *
 * Ownership  lf_err is a fixed-size struct in the caller's memory: nothing to
 *            free, no question of threads.
 * Messages   What was attempted, on what, what was found, what is allowed;
 *            no newline, no full stop.
 */
#ifndef LF_BASE_ERR_H
#define LF_BASE_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

#define LF_MUST_CHECK __attribute__((warn_unused_result))

/* One row per code: name, value, HTTP status, exit code, word for scripts.
 * A new code only where a caller would act differently. */
#define LF_STATUS_MAP(X)                                                                           \
    X(OK, 0, 200, 0, "ok")                                                                         \
    X(ERR_ARG, -1, 400, 2, "invalid_argument")                                                     \
    X(ERR_FORMAT, -2, 422, 1, "malformed_input")                                                   \
    X(ERR_LIMIT, -3, 413, 1, "over_limit")                                                         \
    X(ERR_NOT_FOUND, -4, 404, 1, "not_found")                                                      \
    X(ERR_IO, -5, 500, 1, "io_error")                                                              \
    X(ERR_NOMEM, -6, 503, 1, "out_of_memory")                                                      \
    X(ERR_BUSY, -7, 409, 1, "busy")                                                                \
    X(ERR_CANCELLED, -8, 499, 1, "cancelled")                                                      \
    X(ERR_UNSUPPORTED, -9, 501, 1, "unsupported")                                                  \
    X(ERR_DENIED, -10, 403, 1, "denied")                                                           \
    X(ERR_CORRUPT, -11, 500, 1, "corrupt")

typedef enum lf_status {
#define X(name, value, http, exit, text) LF_##name = (value),
    LF_STATUS_MAP(X)
#undef X
} lf_status;

typedef struct lf_err {
    lf_status code;
    const char *file; /* where it was first raised */
    int line;
    char msg[512]; /* complete sentence fragment, no newline, always valid UTF-8 */
} lf_err;

/* Fill `*err` (NULL is allowed: the text is dropped) and return `code`, so that
 * a function can write  return lf_fail(err, LF_ERR_IO, "...");  */
#define lf_fail(err, code, ...)                                                                    \
    __extension__({                                                                                \
        const lf_status lf_fail_code_ = (code);                                                    \
        (void)lf_fail_at((err), lf_fail_code_, __FILE__, __LINE__, __VA_ARGS__);                   \
        lf_fail_code_; /* seen by the compiler: what follows knows that it failed */               \
    })
lf_status lf_fail_at(lf_err *err, lf_status code, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Put "context: " in front of an error that is already there; returns its code. */
lf_status lf_err_context(lf_err *err, lf_status code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *lf_status_name(lf_status code); /* "not_found"; "unknown" for others */
int lf_status_http(lf_status code);
int lf_status_exit(lf_status code);

#ifdef __cplusplus
}
#endif
#endif

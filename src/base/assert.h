/* base/assert.h - checks for bugs, never for input.
 *
 * LF_ASSERT stays in every build; LF_DCHECK only where LF_DEBUG is defined.
 * Nothing that a user, file, model or network sends may reach either.
 */
#ifndef LF_BASE_ASSERT_H
#define LF_BASE_ASSERT_H

#ifdef __cplusplus
extern "C" {
#endif

void lf_assert_failed(const char *expr, const char *file, int line) __attribute__((noreturn));

#define LF_ASSERT(e)                                                                               \
    do {                                                                                           \
        if (!(e))                                                                                  \
            lf_assert_failed(#e, __FILE__, __LINE__);                                              \
    } while (0)

/* A branch that cannot be taken: says what would have had to hold. */
#define LF_UNREACHABLE(why) lf_assert_failed(why, __FILE__, __LINE__)

#ifdef LF_DEBUG
#define LF_DCHECK(e) LF_ASSERT(e)
#else
#define LF_DCHECK(e)                                                                               \
    do {                                                                                           \
        if (0 && (e)) {                                                                            \
        }                                                                                          \
    } while (0)
#endif

#ifdef __cplusplus
}
#endif
#endif

/* base/sandbox_int.h - what the two sides of the sandbox share. */
#ifndef LF_BASE_SANDBOX_INT_H
#define LF_BASE_SANDBOX_INT_H

#include <stdint.h>

#include "base/sandbox.h"

#define LF_SANDBOX_FLAG  "--sandbox-child"
#define LF_SANDBOX_MAGIC "LFS1"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LF_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define LF_SANITIZED 1
#endif
#endif
#ifndef LF_SANITIZED
#define LF_SANITIZED 0
#endif

enum {
    LF_SANDBOX_FD_DOC = 3,
    LF_SANDBOX_FD_ANSWER = 4,
    LF_SANDBOX_FD_REQUEST = 5,
    LF_SANDBOX_FD_STATUS = 6
};

/* Both sides are the same executable, so the structs travel as they are. */
typedef struct lf_sandbox_request {
    uint64_t memory_bytes, n_arg;
    int32_t cpu_s, has_doc;
    uint32_t without, pad;
} lf_sandbox_request;

typedef struct lf_sandbox_status {
    char magic[4];
    int32_t code;
    char msg[512];
} lf_sandbox_status;

const lf_sandbox_job *lf_sandbox_find(const char *name);

/* Close the doors, in sandbox_lock.c.  LF_ERR_UNSUPPORTED when neither Landlock
 * nor seccomp holds. */
LF_MUST_CHECK lf_status lf_sandbox_lock(const lf_sandbox_job *job, const lf_sandbox_request *r,
                                        lf_err *err);
#endif

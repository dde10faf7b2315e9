/* base/hash.h - SHA-256 of bytes and files (FIPS 180-4, by OpenSSL's libcrypto). */
#ifndef LF_BASE_HASH_H
#define LF_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lf_sha256 lf_sha256; /* a running hash */

enum { LF_SHA256_BYTES = 32, LF_SHA256_HEX = 65 /* 64 digits and NUL */ };

LF_MUST_CHECK lf_status lf_sha256_open(lf_sha256 **out, lf_err *err);
void lf_sha256_add(lf_sha256 *h, const void *p, size_t n_bytes);
void lf_sha256_hex(lf_sha256 *h, char out[LF_SHA256_HEX]); /* ends the hash; close it afterwards */
void lf_sha256_close(lf_sha256 *h);

LF_MUST_CHECK lf_status lf_sha256_of(const void *p, size_t n_bytes, char out[LF_SHA256_HEX],
                                     lf_err *err);
LF_MUST_CHECK lf_status lf_sha256_of_file(const char *path, char out[LF_SHA256_HEX], lf_err *err);

uint64_t lf_hash64(const void *p, size_t n_bytes); /* FNV-1a with a final mix; for tables only */

#ifdef __cplusplus
}
#endif
#endif

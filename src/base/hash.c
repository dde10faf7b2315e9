/* base/hash.c - SHA-256 through libcrypto's EVP interface, and a table hash. */
#include "base/hash.h"

#include <openssl/evp.h>

#include "base/file.h"
#include "base/mem.h"

struct lf_sha256 {
    EVP_MD_CTX *ctx;
};

lf_status lf_sha256_open(lf_sha256 **out, lf_err *err)
{
    lf_sha256 *h = lf_calloc(1, sizeof *h);
    if (h && (h->ctx = EVP_MD_CTX_new()) != NULL && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL)) {
        *out = h;
        return LF_OK;
    }
    lf_sha256_close(h);
    return lf_fail(err, LF_ERR_NOMEM, "no memory for a SHA-256 state");
}

void lf_sha256_add(lf_sha256 *h, const void *p, size_t n_bytes)
{
    (void)EVP_DigestUpdate(h->ctx, p, n_bytes);
}

void lf_sha256_hex(lf_sha256 *h, char out[LF_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char d[EVP_MAX_MD_SIZE] = { 0 };
    unsigned n = 0;
    (void)EVP_DigestFinal_ex(h->ctx, d, &n);
    for (int i = 0; i < LF_SHA256_BYTES; i++) {
        out[2 * i] = digits[d[i] >> 4];
        out[2 * i + 1] = digits[d[i] & 15];
    }
    out[LF_SHA256_HEX - 1] = '\0';
}

void lf_sha256_close(lf_sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    lf_free(h);
}

lf_status lf_sha256_of(const void *p, size_t n_bytes, char out[LF_SHA256_HEX], lf_err *err)
{
    lf_sha256 *h = NULL;
    lf_status st = lf_sha256_open(&h, err);
    if (st != LF_OK)
        return st;
    lf_sha256_add(h, p, n_bytes);
    lf_sha256_hex(h, out);
    lf_sha256_close(h);
    return LF_OK;
}

lf_status lf_sha256_of_file(const char *path, char out[LF_SHA256_HEX], lf_err *err)
{
    lf_map m = { 0 };
    lf_status st = lf_map_open(path, &m, err);
    if (st != LF_OK)
        return st;
    st = lf_sha256_of(m.data, m.len, out, err);
    lf_map_close(&m);
    return st;
}

uint64_t lf_hash64(const void *p, size_t n_bytes)
{
    const unsigned char *s = p;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n_bytes; i++)
        h = (h ^ s[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

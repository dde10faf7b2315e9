/* model/weight_hash.c - a hash that identifies weights, cheap enough for every start.
 *
 *     SHA-256( for each file: size | structure | 4 KiB at every MiB | the last 4 KiB )
 *
 * where structure is the part before the tensor data (GGUF: keys and tensor
 * entries; safetensors: the JSON header), and for a folder config.json as well.
 * The samples are read with pread, not through the map: touching a page of a map
 * makes its neighbours resident too, and with packed weights the original file
 * is to stay out of memory.  The whole file's SHA-256 is checked when a model is
 * pulled; here it is told apart from others and from itself half overwritten. */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "base/hash.h"
#include "model/model_int.h"

enum { SAMPLE_BYTES = 4096, STRIDE = 1 << 20 };

static bool add_sample(lf_sha256 *h, int fd, size_t at, size_t size)
{
    uint8_t block[SAMPLE_BYTES];
    const size_t n = size - at < sizeof block ? size - at : sizeof block;
    if (pread(fd, block, n, (off_t)at) != (ssize_t)n)
        return false;
    lf_sha256_add(h, block, n);
    return true;
}

static lf_status add_file(lf_sha256 *h, const char *path, size_t size, lf_str structure,
                          lf_err *err)
{
    const uint64_t n = size;
    lf_sha256_add(h, &n, sizeof n);
    lf_sha256_add(h, structure.p, structure.len);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0;
    for (size_t at = structure.len; ok && at < size; at += STRIDE)
        ok = add_sample(h, fd, at, size);
    if (ok && size > SAMPLE_BYTES)
        ok = add_sample(h, fd, size - SAMPLE_BYTES, size);
    if (fd >= 0)
        (void)close(fd);
    if (!ok)
        return lf_fail(err, LF_ERR_IO, "cannot read '%s' again to identify the weights", path);
    return LF_OK;
}

static size_t file_size(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const off_t n = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (fd >= 0)
        (void)close(fd);
    return n < 0 ? 0 : (size_t)n;
}

lf_status lf_weight_hash(lf_model *m, lf_err *err)
{
    lf_sha256 *h = NULL;
    lf_status st = lf_sha256_open(&h, err);
    if (st != LF_OK)
        return st;
    if (m->src.gguf) {
        st = add_file(h, m->src.path, file_size(m->src.path), lf_gguf_header(m->src.gguf), err);
    } else {
        lf_buf config = { 0 };
        lf_json_dump(m->src.config, &config);
        lf_sha256_add(h, lf_buf_cstr(&config), config.len);
        lf_buf_release(&config);
        for (size_t i = 0; st == LF_OK && i < lf_safetensors_n_files(m->src.st); i++) {
            const lf_str file = lf_safetensors_file(m->src.st, i);
            uint64_t header = 0;
            for (int b = 7; b >= 0; b--)
                header = header << 8 | (uint8_t)file.p[b];
            const lf_str structure = { .p = file.p, .len = (size_t)header + 8 };
            st = add_file(h, lf_safetensors_path(m->src.st, i), file.len, structure, err);
        }
    }
    if (st == LF_OK)
        lf_sha256_hex(h, m->info.hash);
    lf_sha256_close(h);
    return st;
}

/* model/pack.c - weights in the layout that this machine's kernels like best.
 *
 * Repacking reads every weight, so its result is kept in a cache file that is
 * mapped at the next start:
 *
 *     pack_header (PAGE bytes) | packed weights, each 64-byte aligned
 *
 * The file's name and header hold a key: SHA-256 over the weights' hash, the
 * kernel set, every weight's type and shape, and a fingerprint of the layout
 * itself (small known matrices, packed and hashed), so that a file written by
 * kernels that pack differently is never used.  `samples` hashes 4 KiB of every
 * MiB and the tail: a partial or damaged file does not match and is rebuilt.
 *
 * Several processes  The builder holds flock on "pack.lock"; others wait and find
 * the file.  It is built under a temporary name and renamed, so a reader sees all
 * of it or nothing, and a killed builder leaves a temporary file that the next
 * one removes.
 *
 * Memory  A weight's original pages are given back to the kernel as soon as it
 * is packed; afterwards only the packed form is touched. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "model/model_int.h"

enum {
    PAGE = 4096,
    ALIGN = 64,
    SAMPLE_BYTES = 4096,
    STRIDE = 1 << 20,
    PER_LAYER = 7 /* matrices of a layer */
};

static const char magic[8] = { 'L', 'F', 'P', 'A', 'C', 'K', '1', '\n' };

typedef struct pack_header {
    char magic[8];
    uint64_t n_bytes; /* of the file */
    char key[LF_SHA256_HEX + 7];
    char samples[LF_SHA256_HEX + 7];
} pack_header;

typedef struct plan {
    lf_weight **w; /* those that have a packed form */
    size_t *at;    /* offset in the file */
    size_t n;
    size_t n_bytes; /* of the file, or of the memory block */
    char key[LF_SHA256_HEX];
} plan;

/* ---- what is to be packed ---- */

static void plan_add(plan *p, lf_weight *w)
{
    const size_t bytes = w->rows ? lf_weight_packed_bytes(w->type, w->n_out, w->n_in, w->level) : 0;
    if (bytes == 0)
        return;
    p->w[p->n] = w;
    p->at[p->n++] = p->n_bytes;
    p->n_bytes += (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* Embedding tables that are only looked up row by row stay as they are. */
static lf_status plan_open(lf_model *m, plan *p, lf_err *err)
{
    const size_t cap = (size_t)m->hp.n_layers * PER_LAYER + 1;
    *p = (plan){ .n_bytes = PAGE };
    p->w = lf_calloc(cap, sizeof *p->w);
    p->at = lf_calloc(cap, sizeof *p->at);
    if (!p->w || !p->at)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to plan the packing of '%s'", m->src.path);
    for (uint32_t i = 0; i < m->hp.n_layers; i++) {
        lf_layer *l = &m->layers[i];
        lf_weight *const ws[PER_LAYER] = { &l->wq,   &l->wk, &l->wv,  &l->wo,
                                           &l->gate, &l->up, &l->down };
        for (int k = 0; k < PER_LAYER; k++)
            plan_add(p, ws[k]);
    }
    if (!m->info.is_encoder)
        plan_add(p, m->tied ? &m->tok_embd : &m->output);
    return LF_OK;
}

static void plan_close(plan *p)
{
    lf_free(p->w);
    lf_free(p->at);
}

/* A weight's original pages are given back once it is packed. */
lf_status lf_pack_measure(lf_model *m, lf_err *err)
{
    plan p;
    const lf_status st = plan_open(m, &p, err);
    uint64_t bytes = m->info.weight_bytes + (p.n ? p.n_bytes : 0);
    for (size_t i = 0; st == LF_OK && i < p.n; i++)
        bytes -= lf_type_row_bytes(p.w[i]->type, p.w[i]->n_in) * p.w[i]->n_out;
    m->info.memory_bytes = bytes;
    plan_close(&p);
    return st;
}

/* A small matrix with every byte value, packed: changes when the layout does. */
static lf_status add_fingerprint(lf_sha256 *h, lf_type type, lf_cpu_level level, lf_err *err)
{
    enum { ROWS = 64, COLS = 512 };
    const size_t n = lf_type_row_bytes(type, COLS) * ROWS;
    const size_t packed = lf_weight_packed_bytes(type, ROWS, COLS, level);
    uint8_t *src = lf_alloc_aligned(ALIGN, n), *dst = lf_alloc_aligned(ALIGN, packed);
    lf_status st = LF_OK;
    if (src && dst) {
        for (size_t i = 0; i < n; i++)
            src[i] = (uint8_t)(i * 151 + i / 251);
        memset(dst, 0, packed);
        lf_weight_pack(type, ROWS, COLS, src, level, dst, NULL);
        lf_sha256_add(h, dst, packed);
    } else {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to fingerprint the packed layout");
    }
    lf_free(src);
    lf_free(dst);
    return st;
}

static lf_status make_key(const lf_model *m, plan *p, lf_err *err)
{
    lf_sha256 *h = NULL;
    bool seen[256] = { false };
    lf_status st = lf_sha256_open(&h, err);
    if (st != LF_OK)
        return st;
    lf_sha256_add(h, m->info.hash, sizeof m->info.hash);
    for (size_t i = 0; i < p->n && st == LF_OK; i++) {
        const lf_weight *w = p->w[i];
        const uint64_t v[5] = { (uint64_t)w->type, w->n_out, w->n_in, (uint64_t)w->level,
                                p->at[i] };
        lf_sha256_add(h, v, sizeof v);
        if (!seen[(uint8_t)w->type])
            st = add_fingerprint(h, w->type, w->level, err);
        seen[(uint8_t)w->type] = true;
    }
    lf_sha256_hex(h, p->key);
    lf_sha256_close(h);
    return st;
}

/* ---- packing ---- */

/* Tell the kernel that the whole pages of a mapped range are not needed any more. */
static void drop_pages(const lf_model *m, const void *p, size_t n)
{
    const uintptr_t begin = ((uintptr_t)p + PAGE - 1) / PAGE * PAGE;
    const uintptr_t end = ((uintptr_t)p + n) / PAGE * PAGE;
    if (m->mapped && end > begin)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static size_t packed_bytes(const lf_weight *w)
{
    return lf_weight_packed_bytes(w->type, w->n_out, w->n_in, w->level);
}

static void pack_one(const lf_model *m, const lf_weight *w, void *dst, lf_pool *pool)
{
    lf_weight_pack(w->type, w->n_out, w->n_in, w->rows, w->level, dst, pool);
    drop_pages(m, w->rows, lf_type_row_bytes(w->type, w->n_in) * w->n_out);
}

static void use_packed(const plan *p, const uint8_t *base)
{
    for (size_t i = 0; i < p->n; i++) {
        p->w[i]->packed = base + p->at[i];
        p->w[i]->rows = NULL;
    }
}

static lf_status pack_in_memory(lf_model *m, const plan *p, lf_pool *pool, lf_err *err)
{
    uint8_t *mem = lf_alloc_aligned(ALIGN, p->n_bytes);
    if (!mem)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu bytes of repacked weights of '%s'",
                       p->n_bytes, m->src.path);
    for (size_t i = 0; i < p->n; i++)
        pack_one(m, p->w[i], mem + p->at[i], pool);
    m->pack.mem = mem;
    use_packed(p, mem);
    return LF_OK;
}

/* ---- the cache file ---- */

static bool add_samples(lf_sha256 *h, int fd, size_t size)
{
    uint8_t block[SAMPLE_BYTES];
    for (size_t at = PAGE; at < size; at += STRIDE) {
        const size_t n = size - at < sizeof block ? size - at : sizeof block;
        if (pread(fd, block, n, (off_t)at) != (ssize_t)n)
            return false;
        lf_sha256_add(h, block, n);
    }
    const size_t tail = size < sizeof block ? size : sizeof block;
    if (pread(fd, block, tail, (off_t)(size - tail)) != (ssize_t)tail)
        return false;
    lf_sha256_add(h, block, tail);
    return true;
}

/* The header that a complete file of this plan has. */
static lf_status make_header(const plan *p, int fd, pack_header *out, lf_err *err)
{
    lf_sha256 *h = NULL;
    const lf_status st = lf_sha256_open(&h, err);
    if (st != LF_OK)
        return st;
    *out = (pack_header){ .n_bytes = p->n_bytes };
    memcpy(out->magic, magic, sizeof magic);
    memcpy(out->key, p->key, sizeof p->key);
    const bool ok = add_samples(h, fd, p->n_bytes);
    lf_sha256_hex(h, out->samples);
    lf_sha256_close(h);
    return ok ? LF_OK : lf_fail(err, LF_ERR_IO, "cannot read the weight cache back");
}

/* Map a complete file; false when there is none (or only a damaged one). */
static bool use_file(lf_model *m, const plan *p, const char *path)
{
    pack_header want, got;
    struct stat sb;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool ok =
        fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && (size_t)sb.st_size == p->n_bytes &&
        pread(fd, &got, sizeof got, 0) == (ssize_t)sizeof got &&
        make_header(p, fd, &want, NULL) == LF_OK && memcmp(&want, &got, sizeof got) == 0;
    (void)close(fd);
    if (!ok) {
        lf_log(LF_LOG_WARN, "weight cache '%s' is damaged and will be rebuilt", path);
        return false;
    }
    if (lf_map_open(path, &m->pack.map, NULL) != LF_OK || m->pack.map.len != p->n_bytes) {
        lf_map_close(&m->pack.map);
        return false;
    }
    use_packed(p, m->pack.map.data);
    return true;
}

/* Weights are packed into a shared map of the file, one at a time. */
static lf_status write_weights(const lf_model *m, const plan *p, int fd, lf_pool *pool, lf_err *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const size_t skip = p->at[i] % PAGE, n = packed_bytes(p->w[i]) + skip;
        uint8_t *dst =
            mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(p->at[i] - skip));
        if (dst == MAP_FAILED)
            return lf_fail(err, LF_ERR_IO, "cannot map the weight cache for writing: %s",
                           strerror(errno));
        pack_one(m, p->w[i], dst + skip, pool);
        (void)munmap(dst, n);
    }
    return LF_OK;
}

static lf_status build_file(const lf_model *m, const plan *p, const char *path, lf_pool *pool,
                            lf_err *err)
{
    lf_status st;
    pack_header header;
    lf_buf tmp = { 0 };
    int fd = -1;

    lf_buf_addf(&tmp, "%s.tmp.XXXXXX", path);
    if (tmp.failed) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to write '%s'", path);
        goto done;
    }
    fd = mkstemp(tmp.data);
    /* Space is reserved first: a disk that fills is an error here, not a fault
     * in the middle of a store to the map. */
    if (fd < 0 || posix_fallocate(fd, 0, (off_t)p->n_bytes) != 0) {
        st = lf_fail(err, LF_ERR_IO, "cannot reserve %zu bytes for '%s'", p->n_bytes, path);
        goto done;
    }
    st = write_weights(m, p, fd, pool, err);
    if (st == LF_OK)
        st = make_header(p, fd, &header, err);
    if (st != LF_OK)
        goto done;
    if (pwrite(fd, &header, sizeof header, 0) != (ssize_t)sizeof header || fsync(fd) != 0 ||
        rename(tmp.data, path) != 0)
        st = lf_fail(err, LF_ERR_IO, "cannot finish '%s': %s", path, strerror(errno));
done:
    if (fd >= 0)
        (void)close(fd);
    if (st != LF_OK && fd >= 0)
        (void)unlink(tmp.data);
    lf_buf_release(&tmp);
    return st;
}

/* Under the lock no other builder is at work, so every temporary file is a leftover. */
static void remove_leftovers(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".lfpack.tmp."))
            (void)unlinkat(dirfd(d), e->d_name, 0);
    (void)closedir(d);
}

static int lock_dir(const char *dir)
{
    char *path = lf_path_join(dir, "pack.lock");
    const int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    lf_free(path);
    if (fd >= 0)
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {
        }
    return fd;
}

static lf_status build_locked(lf_model *m, const plan *p, const char *dir, const char *path,
                              lf_pool *pool, lf_err *err)
{
    lf_status st = lf_path_make_dirs(dir, err);
    if (st != LF_OK)
        return st;
    const int lock = lock_dir(dir);
    if (lock < 0)
        return lf_fail(err, LF_ERR_IO, "cannot lock the weight cache in '%s'", dir);
    if (!lf_path_exists(path) || !use_file(m, p, path)) {
        remove_leftovers(dir);
        st = build_file(m, p, path, pool, err);
        if (st == LF_OK && !use_file(m, p, path))
            st = lf_fail(err, LF_ERR_CORRUPT, "weight cache '%s' does not read back as written",
                         path);
    }
    (void)close(lock);
    return st;
}

static lf_status pack_cached(lf_model *m, const plan *p, const char *dir, lf_err *err)
{
    lf_buf name = { 0 };
    lf_pool *pool = NULL;
    lf_status st = LF_OK;

    lf_buf_addf(&name, "%s/%.32s.lfpack", dir, p->key);
    if (name.failed) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a path in '%s'", dir);
        goto done;
    }
    if (lf_path_exists(name.data) && use_file(m, p, name.data))
        goto done;
    st = lf_pool_open(lf_cpu_count(), &pool, err);
    if (st == LF_OK)
        st = build_locked(m, p, dir, name.data, pool, err);
done:
    lf_pool_close(pool);
    lf_buf_release(&name);
    return st;
}

lf_status lf_pack_weights(lf_model *m, const char *cache_dir, lf_err *err)
{
    plan p;
    lf_pool *pool = NULL;
    lf_status st = plan_open(m, &p, err);
    if (st != LF_OK || p.n == 0)
        goto done;
    if (cache_dir) {
        lf_err why = { 0 };
        st = make_key(m, &p, &why);
        if (st == LF_OK)
            st = pack_cached(m, &p, cache_dir, &why);
        if (st == LF_OK)
            goto done;
        lf_log(LF_LOG_WARN, "weights of '%s' are repacked in memory: %s", m->src.path, why.msg);
    }
    st = lf_pool_open(lf_cpu_count(), &pool, err);
    if (st == LF_OK)
        st = pack_in_memory(m, &p, pool, err);
done:
    lf_pool_close(pool);
    plan_close(&p);
    return st;
}

void lf_pack_release(lf_pack *p)
{
    lf_map_close(&p->map);
    lf_free(p->mem);
    *p = (lf_pack){ 0 };
}

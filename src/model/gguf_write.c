/* model/gguf_write.c - writing GGUF files; the layout is drawn in gguf.c.
 *
 * Keys and tensor entries are serialised as they come, each into its own
 * buffer; the counts are known at the end, so the file is put together from
 * header, keys, entries, padding and data in one pass. */
#include "model/gguf_write.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { ALIGN = 32, VERSION = 3 };

/* GGUF value kinds that are written. */
enum { W_U8 = 0, W_U32 = 4, W_I32 = 5, W_F32 = 6, W_BOOL = 7, W_STR = 8, W_ARR = 9 };

typedef struct piece {
    const void *data; /* borrowed */
    size_t n_bytes;
} piece;

struct lf_gguf_writer {
    lf_buf kv, entries;
    uint64_t n_kv;
    piece *tensors;
    size_t n_tensors, cap_tensors;
    uint64_t data_bytes; /* so far, padded */
    bool failed;         /* out of memory */
    char bad[200];       /* first tensor with an impossible shape */
};

static void put_u32(lf_buf *b, uint32_t v)
{
    const uint8_t p[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    lf_buf_add(b, p, sizeof p);
}

static void put_u64(lf_buf *b, uint64_t v)
{
    put_u32(b, (uint32_t)v);
    put_u32(b, (uint32_t)(v >> 32));
}

static void put_f32(lf_buf *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u32(b, bits);
}

static void put_text(lf_buf *b, const char *p, size_t n)
{
    put_u64(b, n);
    lf_buf_add(b, p, n);
}

lf_status lf_gguf_writer_open(lf_gguf_writer **out, lf_err *err)
{
    lf_gguf_writer *w = lf_calloc(1, sizeof *w);
    if (!w)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to write a GGUF file");
    *out = w;
    return LF_OK;
}

void lf_gguf_writer_close(lf_gguf_writer *w)
{
    if (!w)
        return;
    lf_buf_release(&w->kv);
    lf_buf_release(&w->entries);
    lf_free(w->tensors);
    lf_free(w);
}

static lf_buf *begin(lf_gguf_writer *w, const char *key, uint32_t kind)
{
    put_text(&w->kv, key, strlen(key));
    put_u32(&w->kv, kind);
    w->n_kv++;
    return &w->kv;
}

static lf_buf *begin_arr(lf_gguf_writer *w, const char *key, uint32_t kind, size_t n)
{
    lf_buf *b = begin(w, key, W_ARR);
    put_u32(b, kind);
    put_u64(b, n);
    return b;
}

void lf_gguf_put_str(lf_gguf_writer *w, const char *key, lf_str value)
{
    put_text(begin(w, key, W_STR), value.p, value.len);
}

void lf_gguf_put_u32(lf_gguf_writer *w, const char *key, uint32_t value)
{
    put_u32(begin(w, key, W_U32), value);
}

void lf_gguf_put_f32(lf_gguf_writer *w, const char *key, float value)
{
    put_f32(begin(w, key, W_F32), value);
}

void lf_gguf_put_bool(lf_gguf_writer *w, const char *key, bool value)
{
    lf_buf_add_char(begin(w, key, W_BOOL), value ? 1 : 0);
}

void lf_gguf_put_strs(lf_gguf_writer *w, const char *key, const lf_str *v, size_t n)
{
    lf_buf *b = begin_arr(w, key, W_STR, n);
    for (size_t i = 0; i < n; i++)
        put_text(b, v[i].p, v[i].len);
}

void lf_gguf_put_f32s(lf_gguf_writer *w, const char *key, const float *v, size_t n)
{
    lf_buf *b = begin_arr(w, key, W_F32, n);
    for (size_t i = 0; i < n; i++)
        put_f32(b, v[i]);
}

void lf_gguf_put_i32s(lf_gguf_writer *w, const char *key, const int32_t *v, size_t n)
{
    lf_buf *b = begin_arr(w, key, W_I32, n);
    for (size_t i = 0; i < n; i++)
        put_u32(b, (uint32_t)v[i]);
}

void lf_gguf_put_bytes(lf_gguf_writer *w, const char *key, const void *p, size_t n)
{
    lf_buf_add(begin_arr(w, key, W_U8, n), p, n);
}

void lf_gguf_put_tensor(lf_gguf_writer *w, const char *name, lf_type type, int n_dims,
                        const uint64_t *dims, const void *data)
{
    size_t bytes = n_dims >= 1 && n_dims <= 4 ? lf_type_row_bytes(type, (size_t)dims[0]) : 0;
    for (int d = 1; d < n_dims && bytes; d++)
        if (!lf_mul_size(bytes, (size_t)dims[d], &bytes))
            bytes = 0;
    if (bytes == 0) {
        if (!w->bad[0])
            (void)snprintf(w->bad, sizeof w->bad, "%s", name);
        return;
    }
    if (w->n_tensors == w->cap_tensors) {
        const size_t cap = w->cap_tensors ? w->cap_tensors * 2 : 64;
        piece *grown = lf_realloc(w->tensors, cap * sizeof *grown);
        if (!grown) {
            w->failed = true;
            return;
        }
        w->tensors = grown;
        w->cap_tensors = cap;
    }
    w->tensors[w->n_tensors++] = (piece){ .data = data, .n_bytes = bytes };
    put_text(&w->entries, name, strlen(name));
    put_u32(&w->entries, (uint32_t)n_dims);
    for (int d = 0; d < n_dims; d++)
        put_u64(&w->entries, dims[d]);
    put_u32(&w->entries, (uint32_t)type);
    put_u64(&w->entries, w->data_bytes);
    w->data_bytes += (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void pad(lf_buf *b, size_t start)
{
    static const char zeros[ALIGN];
    lf_buf_add(b, zeros, (ALIGN - (b->len - start) % ALIGN) % ALIGN);
}

lf_status lf_gguf_writer_build(const lf_gguf_writer *w, lf_buf *out, lf_err *err)
{
    const size_t start = out->len;
    if (w->bad[0])
        return lf_fail(err, LF_ERR_ARG,
                       "cannot write tensor '%s': 1 to 4 dimensions of whole blocks are allowed",
                       w->bad);
    if (w->failed || w->kv.failed || w->entries.failed ||
        !lf_buf_reserve(out, w->kv.len + w->entries.len + (size_t)w->data_bytes + 2 * ALIGN))
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a GGUF file of %llu bytes of weights",
                       (unsigned long long)w->data_bytes);
    lf_buf_add(out, "GGUF", 4);
    put_u32(out, VERSION);
    put_u64(out, w->n_tensors);
    put_u64(out, w->n_kv);
    lf_buf_add(out, w->kv.data, w->kv.len);
    lf_buf_add(out, w->entries.data, w->entries.len);
    for (size_t i = 0; i < w->n_tensors; i++) {
        pad(out, start);
        lf_buf_add(out, w->tensors[i].data, w->tensors[i].n_bytes);
    }
    if (out->failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a GGUF file of %llu bytes of weights",
                       (unsigned long long)w->data_bytes);
    return LF_OK;
}

lf_status lf_gguf_writer_save(const lf_gguf_writer *w, const char *path, lf_err *err)
{
    lf_buf b = { 0 };
    lf_status st = lf_gguf_writer_build(w, &b, err);
    if (st == LF_OK)
        st = lf_file_replace(path, b.data, b.len, err);
    lf_buf_release(&b);
    return st;
}

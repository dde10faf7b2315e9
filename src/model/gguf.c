/* model/gguf.c - reading GGUF files.
 *
 * Layout, little endian, no padding before the tensor data:
 *
 *     "GGUF" | u32 version | u64 n_tensors | u64 n_kv
 *     n_kv      x { string key | u32 kind | value }
 *     n_tensors x { string name | u32 n_dims | u64 dim[n_dims] | u32 type | u64 offset }
 *     padding to general.alignment | tensor data
 *
 * where a string is { u64 length | bytes } and an array value is
 * { u32 kind | u64 length | elements }.
 *
 * The file is untrusted.  Everything goes through a cursor with a sticky `bad`
 * flag; counts are bounded by the bytes that are left before anything is
 * allocated for them.  Values stay in the map: an entry keeps a pointer to its
 * bytes, which are known to be complete, and is converted when it is asked for.
 *
 * Invariants after a successful open
 *   1. Every value and every element of an array lies inside the file.
 *   2. Keys are unique, and so are tensor names.
 *   3. Every tensor has a known type, 1 to 4 dimensions of at least 1, whole
 *      blocks in a row, and its bytes lie inside the data section. */
#include "model/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    GGUF_ALIGN_DEFAULT = 32,
    GGUF_ALIGN_MAX = 1 << 20,
    GGUF_NAME_MAX = 4096,      /* bytes of a key or tensor name */
    GGUF_COUNT_MAX = 1 << 20,  /* keys, and tensors */
    GGUF_KV_BYTES_MIN = 13,    /* empty key, kind, one byte */
    GGUF_TENSOR_BYTES_MIN = 32 /* empty name, one dimension, type, offset */
};

typedef enum gguf_kind {
    KIND_U8,
    KIND_I8,
    KIND_U16,
    KIND_I16,
    KIND_U32,
    KIND_I32,
    KIND_F32,
    KIND_BOOL,
    KIND_STR,
    KIND_ARR,
    KIND_U64,
    KIND_I64,
    KIND_F64,
    N_KINDS
} gguf_kind;

/* Bytes of one value; 0 where it depends on the value. */
static const uint8_t kind_bytes[N_KINDS] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

typedef struct gguf_kv {
    lf_str key;
    gguf_kind kind; /* of the value, or of the elements when is_arr */
    bool is_arr;
    size_t n;         /* elements; 1 for a plain value */
    const uint8_t *p; /* first element */
} gguf_kv;

struct lf_gguf {
    lf_map map; /* empty when the bytes are the caller's */
    const uint8_t *data;
    size_t len;
    size_t data_offset; /* where the tensor data begins */
    gguf_kv *kv;
    size_t n_kv;
    lf_gguf_tensor *tensors;
    size_t n_tensors;
    uint32_t *kv_table, *tensor_table; /* open addressing: index + 1, 0 = free */
    size_t kv_mask, tensor_mask;
};

typedef struct cursor {
    const uint8_t *p;
    size_t len, pos;
    bool bad; /* sticky: something lay outside the file */
} cursor;

static const uint8_t *take(cursor *c, size_t n)
{
    if (c->bad || n > c->len - c->pos) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->p + c->pos;
    c->pos += n;
    return p;
}

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t load_u64(const uint8_t *p)
{
    return load_u32(p) | (uint64_t)load_u32(p + 4) << 32;
}

static uint32_t take_u32(cursor *c)
{
    const uint8_t *p = take(c, 4);
    return p ? load_u32(p) : 0;
}

static uint64_t take_u64(cursor *c)
{
    const uint8_t *p = take(c, 8);
    return p ? load_u64(p) : 0;
}

static lf_str take_str(cursor *c)
{
    const uint64_t n = take_u64(c);
    if (n > c->len - c->pos) {
        c->bad = true;
        return (lf_str){ 0 };
    }
    return (lf_str){ .p = (const char *)take(c, (size_t)n), .len = (size_t)n };
}

/* ---- lookup tables ---- */

static size_t table_size(size_t n)
{
    size_t size = 16;
    while (size < n * 2)
        size *= 2;
    return size;
}

static lf_str kv_name(const lf_gguf *g, size_t i)
{
    return g->kv[i].key;
}

static lf_str tensor_name(const lf_gguf *g, size_t i)
{
    return g->tensors[i].name;
}

typedef lf_str name_fn(const lf_gguf *g, size_t i);

/* Slot that holds `name`, or the free slot where it belongs. */
static size_t table_slot(const lf_gguf *g, const uint32_t *table, size_t mask, name_fn *name_of,
                         lf_str name)
{
    size_t at = (size_t)lf_hash64(name.p, name.len) & mask;
    while (table[at] && !lf_str_eq(name_of(g, table[at] - 1), name))
        at = (at + 1) & mask;
    return at;
}

static const gguf_kv *find_kv(const lf_gguf *g, const char *key)
{
    const size_t at = table_slot(g, g->kv_table, g->kv_mask, kv_name, lf_str_of(key));
    return g->kv_table[at] ? &g->kv[g->kv_table[at] - 1] : NULL;
}

/* ---- parsing ---- */

static lf_status fail_truncated(lf_err *err, const char *file, const char *what, size_t i, size_t n,
                                size_t pos)
{
    return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': it ends inside %s %zu of %zu (byte %zu)",
                   file, what, i, n, pos);
}

static lf_status check_name(const char *file, const char *what, lf_str name, lf_err *err)
{
    if (name.len == 0 || name.len > GGUF_NAME_MAX)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': a %s has %zu bytes, 1 to %d are allowed", file, what,
                       name.len, GGUF_NAME_MAX);
    if (memchr(name.p, 0, name.len))
        return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': a %s holds a zero byte", file, what);
    return LF_OK;
}

/* Step over `n` elements of a kind, all of which must be there. */
static void skip_values(cursor *c, gguf_kind kind, size_t n)
{
    size_t bytes;
    if (kind == KIND_STR) {
        for (size_t i = 0; i < n && !c->bad; i++)
            (void)take_str(c);
    } else if (lf_mul_size(n, kind_bytes[kind], &bytes)) {
        (void)take(c, bytes);
    } else {
        c->bad = true;
    }
}

static lf_status parse_kv(const char *file, cursor *c, gguf_kv *kv, lf_err *err)
{
    kv->key = take_str(c);
    uint32_t kind = take_u32(c);
    if (c->bad)
        return LF_OK;
    const lf_status st = check_name(file, "key", kv->key, err);
    if (st != LF_OK)
        return st;
    kv->n = 1;
    if (kind == KIND_ARR) {
        kv->is_arr = true;
        kind = take_u32(c);
        const uint64_t n = take_u64(c);
        if (kind == KIND_ARR)
            return lf_fail(err, LF_ERR_UNSUPPORTED,
                           "cannot read '%s': key '%.*s' is an array of arrays", file,
                           (int)kv->key.len, kv->key.p);
        if (n > c->len) /* the smallest element takes a byte */
            c->bad = true;
        kv->n = (size_t)n;
    }
    if (kind >= N_KINDS)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': key '%.*s' has value kind %u, kinds are 0 to %d", file,
                       (int)kv->key.len, kv->key.p, kind, N_KINDS - 1);
    kv->kind = (gguf_kind)kind;
    kv->p = c->p + c->pos;
    skip_values(c, kv->kind, kv->n);
    return LF_OK;
}

static lf_status parse_kvs(lf_gguf *g, const char *file, cursor *c, uint64_t n, lf_err *err)
{
    if (n > GGUF_COUNT_MAX || n > (c->len - c->pos) / GGUF_KV_BYTES_MIN)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': %llu keys do not fit in the %zu bytes left", file,
                       (unsigned long long)n, c->len - c->pos);
    const size_t size = table_size((size_t)n);
    g->kv = lf_calloc((size_t)n, sizeof *g->kv);
    g->kv_table = lf_calloc(size, sizeof *g->kv_table);
    g->kv_mask = size - 1;
    if (!g->kv || !g->kv_table)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the %zu keys of '%s'", (size_t)n, file);
    for (size_t i = 0; i < n; i++) {
        gguf_kv *kv = &g->kv[i];
        const lf_status st = parse_kv(file, c, kv, err);
        if (st != LF_OK)
            return st;
        if (c->bad)
            return fail_truncated(err, file, "key", i, (size_t)n, c->pos);
        const size_t at = table_slot(g, g->kv_table, g->kv_mask, kv_name, kv->key);
        if (g->kv_table[at])
            return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': key '%.*s' occurs twice", file,
                           (int)kv->key.len, kv->key.p);
        g->kv_table[at] = (uint32_t)i + 1;
        g->n_kv = i + 1;
    }
    return LF_OK;
}

/* Fill the shape; `*n_bytes` becomes the size of the data. */
static lf_status check_shape(const char *file, lf_gguf_tensor *t, lf_err *err)
{
    size_t rows = 1;
    const int name_len = (int)t->name.len;
    const size_t row =
        t->dims[0] > SIZE_MAX / 4 ? 0 : lf_type_row_bytes(t->type, (size_t)t->dims[0]);
    if (row == 0)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': tensor '%.*s' has rows of %llu elements, %s needs a "
                       "multiple of %zu",
                       file, name_len, t->name.p, (unsigned long long)t->dims[0],
                       lf_type_name(t->type), lf_type_block(t->type));
    for (int d = 1; d < 4; d++) {
        if (!lf_mul_size(rows, (size_t)t->dims[d], &rows))
            return lf_fail(err, LF_ERR_FORMAT,
                           "cannot read '%s': the size of tensor '%.*s' overflows", file, name_len,
                           t->name.p);
    }
    if (!lf_mul_size(rows, row, &t->n_bytes))
        return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': the size of tensor '%.*s' overflows",
                       file, name_len, t->name.p);
    return LF_OK;
}

/* One entry; its offset is returned, because the data section is not known yet. */
static lf_status parse_tensor(const char *file, cursor *c, lf_gguf_tensor *t, uint64_t *offset,
                              lf_err *err)
{
    t->name = take_str(c);
    const uint32_t n_dims = take_u32(c);
    if (c->bad)
        return LF_OK;
    const lf_status st = check_name(file, "tensor name", t->name, err);
    if (st != LF_OK)
        return st;
    const int name_len = (int)t->name.len;
    if (n_dims < 1 || n_dims > 4)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': tensor '%.*s' has %u dimensions, 1 to 4 are allowed",
                       file, name_len, t->name.p, n_dims);
    t->n_dims = (int32_t)n_dims;
    for (uint32_t d = 0; d < 4; d++)
        t->dims[d] = d < n_dims ? take_u64(c) : 1;
    const uint32_t type = take_u32(c);
    *offset = take_u64(c);
    if (c->bad)
        return LF_OK;
    for (uint32_t d = 0; d < n_dims; d++)
        if (t->dims[d] == 0)
            return lf_fail(err, LF_ERR_FORMAT,
                           "cannot read '%s': dimension %u of tensor '%.*s' is 0", file, d,
                           name_len, t->name.p);
    if (!lf_type_known(type))
        return lf_fail(
            err, LF_ERR_UNSUPPORTED,
            "cannot read '%s': tensor '%.*s' has element type %u, which is not supported "
            "(F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K are)",
            file, name_len, t->name.p, type);
    t->type = (lf_type)type;
    return check_shape(file, t, err);
}

static lf_status parse_tensors(lf_gguf *g, const char *file, cursor *c, uint64_t n,
                               uint64_t *offsets, lf_err *err)
{
    const size_t size = table_size((size_t)n);
    g->tensors = lf_calloc((size_t)n, sizeof *g->tensors);
    g->tensor_table = lf_calloc(size, sizeof *g->tensor_table);
    g->tensor_mask = size - 1;
    if (!g->tensors || !g->tensor_table)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the %zu tensors of '%s'", (size_t)n, file);
    for (size_t i = 0; i < n; i++) {
        lf_gguf_tensor *t = &g->tensors[i];
        const lf_status st = parse_tensor(file, c, t, &offsets[i], err);
        if (st != LF_OK)
            return st;
        if (c->bad)
            return fail_truncated(err, file, "tensor", i, (size_t)n, c->pos);
        const size_t at = table_slot(g, g->tensor_table, g->tensor_mask, tensor_name, t->name);
        if (g->tensor_table[at])
            return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': tensor '%.*s' occurs twice", file,
                           (int)t->name.len, t->name.p);
        g->tensor_table[at] = (uint32_t)i + 1;
        g->n_tensors = i + 1;
    }
    return LF_OK;
}

static lf_status read_alignment(const lf_gguf *g, const char *file, uint32_t *out, lf_err *err)
{
    *out = GGUF_ALIGN_DEFAULT;
    if (!find_kv(g, "general.alignment"))
        return LF_OK;
    if (!lf_gguf_u32(g, "general.alignment", out) || *out < 8 || *out > GGUF_ALIGN_MAX ||
        (*out & (*out - 1)))
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': general.alignment must be a power of two from 8 to %d",
                       file, GGUF_ALIGN_MAX);
    return LF_OK;
}

/* Point the tensors at their data, which begins after `header_end`. */
static lf_status place_tensors(lf_gguf *g, const char *file, size_t header_end,
                               const uint64_t *offsets, lf_err *err)
{
    uint32_t align;
    const lf_status st = read_alignment(g, file, &align, err);
    if (st != LF_OK)
        return st;
    const size_t start = header_end + (align - header_end % align) % align;
    g->data_offset = start < g->len ? start : g->len;
    const size_t room = g->len - g->data_offset;
    for (size_t i = 0; i < g->n_tensors; i++) {
        lf_gguf_tensor *t = &g->tensors[i];
        if (offsets[i] % align)
            return lf_fail(err, LF_ERR_FORMAT,
                           "cannot read '%s': tensor '%.*s' is at offset %llu, which is not a "
                           "multiple of the alignment %u",
                           file, (int)t->name.len, t->name.p, (unsigned long long)offsets[i],
                           align);
        if (offsets[i] > room || t->n_bytes > room - offsets[i])
            return lf_fail(
                err, LF_ERR_FORMAT,
                "cannot read '%s': tensor '%.*s' takes %zu bytes at offset %llu, but the "
                "file has only %zu bytes of data (it is truncated or damaged)",
                file, (int)t->name.len, t->name.p, t->n_bytes, (unsigned long long)offsets[i],
                room);
        t->data = g->data + g->data_offset + offsets[i];
    }
    return LF_OK;
}

static lf_status parse_header(const char *file, cursor *c, uint64_t *n_tensors, uint64_t *n_kv,
                              lf_err *err)
{
    const uint8_t *magic = take(c, 4);
    if (!magic || memcmp(magic, "GGUF", 4) != 0)
        return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': it does not begin with \"GGUF\"",
                       file);
    const uint32_t version = take_u32(c);
    if (!c->bad && (version == 0x02000000u || version == 0x03000000u))
        return lf_fail(err, LF_ERR_UNSUPPORTED, "cannot read '%s': it is a big-endian GGUF file",
                       file);
    if (!c->bad && version != 2 && version != 3)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot read '%s': GGUF version %u, versions 2 and 3 are supported", file,
                       version);
    *n_tensors = take_u64(c);
    *n_kv = take_u64(c);
    if (c->bad)
        return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': %zu bytes are too short for a header",
                       file, c->len);
    return LF_OK;
}

static lf_status parse(lf_gguf *g, const char *file, lf_err *err)
{
    lf_status st;
    cursor c = { .p = g->data, .len = g->len };
    uint64_t n_tensors, n_kv;
    uint64_t *offsets = NULL;

    st = parse_header(file, &c, &n_tensors, &n_kv, err);
    if (st == LF_OK)
        st = parse_kvs(g, file, &c, n_kv, err);
    if (st != LF_OK)
        goto done;
    if (n_tensors > GGUF_COUNT_MAX || n_tensors > (c.len - c.pos) / GGUF_TENSOR_BYTES_MIN) {
        st = lf_fail(err, LF_ERR_FORMAT,
                     "cannot read '%s': %llu tensors do not fit in the %zu bytes left", file,
                     (unsigned long long)n_tensors, c.len - c.pos);
        goto done;
    }
    offsets = lf_calloc((size_t)n_tensors, sizeof *offsets);
    if (!offsets) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the %zu tensors of '%s'", (size_t)n_tensors,
                     file);
        goto done;
    }
    st = parse_tensors(g, file, &c, n_tensors, offsets, err);
    if (st == LF_OK)
        st = place_tensors(g, file, c.pos, offsets, err);
done:
    lf_free(offsets);
    return st;
}

lf_status lf_gguf_open_bytes(const void *data, size_t n_bytes, const char *name, lf_gguf **out,
                             lf_err *err)
{
    lf_gguf *g = lf_calloc(1, sizeof *g);
    if (!g)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", name);
    g->data = data;
    g->len = n_bytes;
    const lf_status st = parse(g, name, err);
    if (st == LF_OK)
        *out = g;
    else
        lf_gguf_close(g);
    return st;
}

lf_status lf_gguf_open(const char *path, lf_gguf **out, lf_err *err)
{
    lf_map map = { 0 };
    lf_gguf *g = NULL;
    lf_status st = lf_map_open(path, &map, err);
    if (st == LF_OK)
        st = lf_gguf_open_bytes(map.data, map.len, path, &g, err);
    if (st != LF_OK) {
        lf_map_close(&map);
        return st;
    }
    g->map = map;
    *out = g;
    return LF_OK;
}

void lf_gguf_close(lf_gguf *g)
{
    if (!g)
        return;
    lf_map_close(&g->map);
    lf_free(g->kv);
    lf_free(g->kv_table);
    lf_free(g->tensors);
    lf_free(g->tensor_table);
    lf_free(g);
}

/* ---- values ---- */

/* Element `i` as an integer; false when it is none or does not fit in i64. */
static bool int_at(const gguf_kv *kv, size_t i, int64_t *out)
{
    const uint8_t *p = kv->p + i * kind_bytes[kv->kind];
    switch (kv->kind) {
    case KIND_U8:
        *out = p[0];
        return true;
    case KIND_I8:
        *out = (int8_t)p[0];
        return true;
    case KIND_U16:
        *out = (uint16_t)(p[0] | p[1] << 8);
        return true;
    case KIND_I16:
        *out = (int16_t)(p[0] | p[1] << 8);
        return true;
    case KIND_U32:
        *out = load_u32(p);
        return true;
    case KIND_I32:
        *out = (int32_t)load_u32(p);
        return true;
    case KIND_U64:
    case KIND_I64:
        *out = (int64_t)load_u64(p);
        return kv->kind == KIND_I64 || *out >= 0;
    default:
        return false;
    }
}

static bool float_at(const gguf_kv *kv, size_t i, float *out)
{
    const uint8_t *p = kv->p + i * kind_bytes[kv->kind];
    if (kv->kind == KIND_F32) {
        const uint32_t bits = load_u32(p);
        memcpy(out, &bits, sizeof *out);
        return true;
    }
    if (kv->kind == KIND_F64) {
        const uint64_t bits = load_u64(p);
        double d;
        memcpy(&d, &bits, sizeof d);
        *out = (float)d;
        return true;
    }
    return false;
}

static const gguf_kv *find_plain(const lf_gguf *g, const char *key)
{
    const gguf_kv *kv = find_kv(g, key);
    return kv && !kv->is_arr ? kv : NULL;
}

/* An array of at least n elements. */
static const gguf_kv *find_arr(const lf_gguf *g, const char *key, size_t n)
{
    const gguf_kv *kv = find_kv(g, key);
    return kv && kv->is_arr && kv->n >= n ? kv : NULL;
}

bool lf_gguf_str(const lf_gguf *g, const char *key, lf_str *out)
{
    const gguf_kv *kv = find_plain(g, key);
    if (!kv || kv->kind != KIND_STR)
        return false;
    *out = (lf_str){ .p = (const char *)kv->p + 8, .len = (size_t)load_u64(kv->p) };
    return true;
}

bool lf_gguf_u32(const lf_gguf *g, const char *key, uint32_t *out)
{
    const gguf_kv *kv = find_plain(g, key);
    int64_t v;
    if (!kv || !int_at(kv, 0, &v) || v < 0 || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

bool lf_gguf_f32(const lf_gguf *g, const char *key, float *out)
{
    const gguf_kv *kv = find_plain(g, key);
    return kv && float_at(kv, 0, out);
}

bool lf_gguf_bool(const lf_gguf *g, const char *key, bool *out)
{
    const gguf_kv *kv = find_plain(g, key);
    if (!kv || kv->kind != KIND_BOOL)
        return false;
    *out = kv->p[0] != 0;
    return true;
}

bool lf_gguf_arr_len(const lf_gguf *g, const char *key, size_t *n)
{
    const gguf_kv *kv = find_arr(g, key, 0);
    if (!kv)
        return false;
    *n = kv->n;
    return true;
}

bool lf_gguf_arr_strs(const lf_gguf *g, const char *key, lf_str *out, size_t n)
{
    const gguf_kv *kv = find_arr(g, key, n);
    if (!kv || kv->kind != KIND_STR)
        return false;
    const uint8_t *p = kv->p;
    for (size_t i = 0; i < n; i++) {
        out[i] = (lf_str){ .p = (const char *)p + 8, .len = (size_t)load_u64(p) };
        p += 8 + out[i].len;
    }
    return true;
}

bool lf_gguf_arr_f32s(const lf_gguf *g, const char *key, float *out, size_t n)
{
    const gguf_kv *kv = find_arr(g, key, n);
    if (!kv)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!float_at(kv, i, &out[i]))
            return false;
    return true;
}

bool lf_gguf_arr_i32s(const lf_gguf *g, const char *key, int32_t *out, size_t n)
{
    const gguf_kv *kv = find_arr(g, key, n);
    if (!kv)
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t v;
        if (!int_at(kv, i, &v) || v < INT32_MIN || v > INT32_MAX)
            return false;
        out[i] = (int32_t)v;
    }
    return true;
}

bool lf_gguf_arr_bytes(const lf_gguf *g, const char *key, lf_str *out)
{
    const gguf_kv *kv = find_arr(g, key, 0);
    if (!kv || (kv->kind != KIND_U8 && kv->kind != KIND_I8))
        return false;
    *out = (lf_str){ .p = (const char *)kv->p, .len = kv->n };
    return true;
}

/* ---- tensors ---- */

size_t lf_gguf_n_tensors(const lf_gguf *g)
{
    return g->n_tensors;
}

const lf_gguf_tensor *lf_gguf_tensor_at(const lf_gguf *g, size_t i)
{
    return i < g->n_tensors ? &g->tensors[i] : NULL;
}

const lf_gguf_tensor *lf_gguf_find(const lf_gguf *g, const char *name)
{
    const size_t at = table_slot(g, g->tensor_table, g->tensor_mask, tensor_name, lf_str_of(name));
    return g->tensor_table[at] ? &g->tensors[g->tensor_table[at] - 1] : NULL;
}

lf_str lf_gguf_header(const lf_gguf *g)
{
    return (lf_str){ .p = (const char *)g->data, .len = g->data_offset };
}

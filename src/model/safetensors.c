/* model/safetensors.c - reading safetensors.
 *
 *     u64 n (little endian) | n bytes of JSON | tensor data
 *     JSON: { "name": {"dtype": "F32", "shape": [rows, cols], "data_offsets": [begin, end]}, … }
 *
 * The JSON header is parsed by Jansson with duplicate keys refused; every offset
 * and shape is checked against the file before a pointer is made of it. */
#include "model/safetensors.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"

enum { HEADER_BYTES_MAX = 100 << 20, FILES_MAX = 1000 };

typedef struct st_file {
    lf_map map; /* empty when the bytes are the caller's */
    lf_str bytes;
    char *path;
    json_t *header; /* owns the tensor names */
} st_file;

struct lf_safetensors {
    st_file *files;
    size_t n_files;
    lf_gguf_tensor *tensors; /* sorted by name */
    size_t n_tensors, cap_tensors;
};

static int compare_names(lf_str a, lf_str b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int c = memcmp(a.p, b.p, n);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_tensors(const void *a, const void *b)
{
    return compare_names(((const lf_gguf_tensor *)a)->name, ((const lf_gguf_tensor *)b)->name);
}

static bool type_of(const char *dtype, lf_type *out)
{
    if (strcmp(dtype, "F32") == 0)
        *out = LF_F32;
    else if (strcmp(dtype, "F16") == 0)
        *out = LF_F16;
    else if (strcmp(dtype, "BF16") == 0)
        *out = LF_BF16;
    else
        return false;
    return true;
}

static lf_status bad_tensor(lf_err *err, const char *path, const char *name, const char *what)
{
    return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': tensor '%s' %s", path, name, what);
}

/* Shape [.., rows, cols] to dims {cols, rows, ..}. */
static lf_status read_shape(const char *path, const char *name, const json_t *shape,
                            lf_gguf_tensor *t, lf_err *err)
{
    const size_t n = json_array_size(shape);
    if (!json_is_array(shape) || n > 4)
        return bad_tensor(err, path, name, "has no shape of at most 4 dimensions");
    t->n_dims = n ? (int32_t)n : 1;
    for (size_t d = 0; d < 4; d++)
        t->dims[d] = 1;
    for (size_t d = 0; d < n; d++) {
        const json_t *v = json_array_get(shape, n - 1 - d);
        if (!json_is_integer(v) || json_integer_value(v) < 1)
            return bad_tensor(err, path, name, "has a dimension that is not a positive number");
        t->dims[d] = (uint64_t)json_integer_value(v);
    }
    return LF_OK;
}

static lf_status read_tensor(const char *path, const char *name, const json_t *entry, lf_str data,
                             lf_gguf_tensor *t, lf_err *err)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype || json_array_size(offsets) != 2)
        return bad_tensor(err, path, name, "lacks dtype or data_offsets");
    const lf_status st = read_shape(path, name, json_object_get(entry, "shape"), t, err);
    if (st != LF_OK)
        return st;
    const json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    const json_int_t end = json_integer_value(json_array_get(offsets, 1));
    if (begin < 0 || end < begin || (size_t)end > data.len)
        return bad_tensor(err, path, name, "has data outside the file");
    t->name = lf_str_of(name);
    if (!type_of(dtype, &t->type))
        return LF_OK; /* integer buffers and the like: listed, not usable */
    size_t n = lf_type_block_bytes(t->type);
    for (int d = 0; d < 4; d++)
        if (!lf_mul_size(n, (size_t)t->dims[d], &n))
            return bad_tensor(err, path, name, "has a size that overflows");
    if (n != (size_t)(end - begin))
        return bad_tensor(err, path, name, "has a shape that does not match its data");
    t->n_bytes = n;
    t->data = data.p + begin;
    return LF_OK;
}

static bool grow_tensors(lf_safetensors *s, size_t more)
{
    if (s->cap_tensors - s->n_tensors >= more)
        return true;
    const size_t cap = s->n_tensors + more;
    lf_gguf_tensor *grown = lf_realloc(s->tensors, cap * sizeof *grown);
    if (!grown)
        return false;
    s->tensors = grown;
    s->cap_tensors = cap;
    return true;
}

static lf_status parse_file(lf_safetensors *s, st_file *f, lf_err *err)
{
    uint64_t n = 0;
    if (f->bytes.len < 8)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': %zu bytes are too short for safetensors", f->path,
                       f->bytes.len);
    for (int i = 7; i >= 0; i--)
        n = n << 8 | (uint8_t)f->bytes.p[i];
    if (n > HEADER_BYTES_MAX || n > f->bytes.len - 8)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot read '%s': its header takes %llu bytes, the file has %zu", f->path,
                       (unsigned long long)n, f->bytes.len);
    lf_status st = lf_json_parse(f->bytes.p + 8, (size_t)n, f->path, &f->header, err);
    if (st != LF_OK)
        return st == LF_ERR_NOMEM ? st : LF_ERR_FORMAT;
    if (!json_is_object(f->header))
        return lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': its header is not a JSON object",
                       f->path);
    const lf_str data = { .p = f->bytes.p + 8 + n, .len = f->bytes.len - 8 - (size_t)n };
    if (!grow_tensors(s, json_object_size(f->header)))
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the tensors of '%s'", f->path);
    const char *name;
    json_t *entry;
    json_object_foreach(f->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        lf_gguf_tensor *t = &s->tensors[s->n_tensors];
        *t = (lf_gguf_tensor){ 0 };
        st = read_tensor(f->path, name, entry, data, t, err);
        if (st != LF_OK)
            return st;
        s->n_tensors++;
    }
    return LF_OK;
}

/* Sort, and refuse a name that two files have. */
static lf_status finish(lf_safetensors *s, const char *what, lf_err *err)
{
    if (s->n_tensors)
        qsort(s->tensors, s->n_tensors, sizeof *s->tensors, compare_tensors);
    for (size_t i = 1; i < s->n_tensors; i++)
        if (lf_str_eq(s->tensors[i - 1].name, s->tensors[i].name))
            return bad_tensor(err, what, s->tensors[i].name.p, "occurs twice");
    return LF_OK;
}

static lf_safetensors *new_safetensors(size_t n_files)
{
    lf_safetensors *s = lf_calloc(1, sizeof *s);
    if (s)
        s->files = lf_calloc(n_files, sizeof *s->files);
    if (s && !s->files) {
        lf_free(s);
        s = NULL;
    }
    return s;
}

lf_status lf_safetensors_open_bytes(const void *data, size_t n_bytes, const char *name,
                                    lf_safetensors **out, lf_err *err)
{
    lf_safetensors *s = new_safetensors(1);
    if (!s)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", name);
    s->n_files = 1;
    s->files[0].bytes = (lf_str){ .p = data, .len = n_bytes };
    s->files[0].path = lf_strdup(name);
    lf_status st = s->files[0].path ? parse_file(s, &s->files[0], err)
                                    : lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", name);
    if (st == LF_OK)
        st = finish(s, name, err);
    if (st == LF_OK)
        *out = s;
    else
        lf_safetensors_close(s);
    return st;
}

static lf_status open_file(lf_safetensors *s, const char *dir, const char *name, lf_err *err)
{
    st_file *f = &s->files[s->n_files++];
    f->path = lf_path_join(dir, name);
    if (!f->path)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", name);
    const lf_status st = lf_map_open(f->path, &f->map, err);
    if (st != LF_OK)
        return st;
    f->bytes = (lf_str){ .p = (const char *)f->map.data, .len = f->map.len };
    return parse_file(s, f, err);
}

/* The distinct file names of the index, each opened once. */
static lf_status open_indexed(const char *dir, const json_t *index, const char *index_path,
                              lf_safetensors **out, lf_err *err)
{
    json_t *map = json_object_get(index, "weight_map"), *seen = json_object(), *v;
    const char *key;
    lf_status st = LF_OK;
    lf_safetensors *s = NULL;

    json_object_foreach(map, key, v)
    {
        const char *name = json_string_value(v);
        if (!name || !name[0] || strchr(name, '/')) {
            st = lf_fail(err, LF_ERR_FORMAT,
                         "cannot read '%s': weight_map of '%s' is not the name of a file beside it",
                         index_path, key);
            goto done;
        }
        (void)json_object_set_new(seen, name, json_true());
    }
    const size_t n = json_object_size(seen);
    if (n == 0 || n > FILES_MAX) {
        st = lf_fail(err, LF_ERR_FORMAT,
                     "cannot read '%s': weight_map names %zu files, 1 to %d are "
                     "allowed",
                     index_path, n, FILES_MAX);
        goto done;
    }
    s = new_safetensors(n);
    if (!s) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", index_path);
        goto done;
    }
    json_object_foreach(seen, key, v)
    {
        st = open_file(s, dir, key, err);
        if (st != LF_OK)
            goto done;
    }
    *out = s;
    s = NULL;
done:
    json_decref(seen);
    lf_safetensors_close(s);
    return st;
}

static lf_status open_index(const char *dir, const char *path, lf_safetensors **out, lf_err *err)
{
    lf_buf text = { 0 };
    json_t *index = NULL;
    lf_status st = lf_file_read(path, HEADER_BYTES_MAX, &text, err);
    if (st == LF_OK)
        st = lf_json_parse(lf_buf_cstr(&text), text.len, path, &index, err);
    if (st == LF_OK)
        st = open_indexed(dir, index, path, out, err);
    json_decref(index);
    lf_buf_release(&text);
    return st;
}

lf_status lf_safetensors_open_dir(const char *dir, lf_safetensors **out, lf_err *err)
{
    lf_status st;
    lf_safetensors *s = NULL;
    char *index_path = lf_path_join(dir, "model.safetensors.index.json");
    if (!index_path)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", dir);
    if (lf_path_exists(index_path)) {
        st = open_index(dir, index_path, &s, err);
    } else {
        s = new_safetensors(1);
        st = s ? open_file(s, dir, "model.safetensors", err)
               : lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", dir);
    }
    if (st == LF_OK)
        st = finish(s, dir, err);
    if (st == LF_OK)
        *out = s;
    else
        lf_safetensors_close(s);
    lf_free(index_path);
    return st;
}

void lf_safetensors_close(lf_safetensors *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_files; i++) {
        json_decref(s->files[i].header);
        lf_map_close(&s->files[i].map);
        lf_free(s->files[i].path);
    }
    lf_free(s->files);
    lf_free(s->tensors);
    lf_free(s);
}

size_t lf_safetensors_n(const lf_safetensors *s)
{
    return s->n_tensors;
}

const lf_gguf_tensor *lf_safetensors_at(const lf_safetensors *s, size_t i)
{
    return i < s->n_tensors ? &s->tensors[i] : NULL;
}

const lf_gguf_tensor *lf_safetensors_find(const lf_safetensors *s, const char *name)
{
    const lf_gguf_tensor key = { .name = lf_str_of(name) };
    return s->n_tensors ? bsearch(&key, s->tensors, s->n_tensors, sizeof key, compare_tensors)
                        : NULL;
}

size_t lf_safetensors_n_files(const lf_safetensors *s)
{
    return s->n_files;
}

lf_str lf_safetensors_file(const lf_safetensors *s, size_t i)
{
    return s->files[i].bytes;
}

const char *lf_safetensors_path(const lf_safetensors *s, size_t i)
{
    return s->files[i].path;
}

/* model/e5s1.c - reading E5S1.
 *
 * Little endian, no padding:
 *
 *     "E5S1" | u32 version = 1
 *     i32 width, layers, heads, feed-forward, vocabulary rows, positions, token types
 *     f32 epsilon | i32 block = 32
 *     i32 n pieces | i32 bos, eos, pad, unk | u64 blob bytes
 *     u32 offset[n + 1] | f32 score[n] | blob of pieces
 *     i32 n mappings | u32 bytes | n x { u32 code point | u8 k | u32 replacement[k] }
 *     i32 n tensors | n x { u16 len | name | u8 type | u32 elements | u64 offset | u64 bytes }
 *     tensor data (type 0: f32, type 1: Q4_0 blocks)
 *
 * The file is untrusted: a cursor with a sticky flag, and every tensor is asked
 * for by name with the size that the header implies.  The embedding table has a
 * few rows more than there are pieces; they are never looked up and left out. */
#include "model/e5s1.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/gguf_write.h"

enum {
    BLOCK = 32,
    WIDTH_MAX = 4096,
    LAYERS_MAX = 128,
    FF_MAX = 32768,
    PIECES_MAX = 1 << 20,
    POSITIONS_MAX = 1 << 16,
    MAPPED_MAX = 64, /* code points that one may become */
    NAME_MAX_BYTES = 64
};

typedef struct cursor {
    const uint8_t *p;
    size_t len, pos;
    bool bad;
} cursor;

typedef struct e5s1 {
    cursor c;
    const char *name; /* of the file, for messages */
    uint32_t width, layers, heads, ff, rows, positions, types;
    float eps;
    uint32_t n_pieces, bos, eos, pad, unk;
    lf_str *pieces;
    float *scores;
    int32_t *kinds;
    int32_t *charmap;
    size_t n_charmap;
    size_t directory; /* position of the tensor directory */
    uint32_t n_tensors;
} e5s1;

static const uint8_t *take(cursor *c, size_t n)
{
    if (c->bad || n > c->len - c->pos) {
        c->bad = true;
        return NULL;
    }
    c->pos += n;
    return c->p + c->pos - n;
}

static uint64_t take_int(cursor *c, size_t n_bytes)
{
    const uint8_t *p = take(c, n_bytes);
    uint64_t v = 0;
    for (size_t i = n_bytes; p && i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static uint32_t take_u32(cursor *c)
{
    return (uint32_t)take_int(c, 4);
}

static float take_f32(cursor *c)
{
    const uint32_t bits = take_u32(c);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static lf_status bad(const e5s1 *e, const char *what, lf_err *err)
{
    return lf_fail(err, LF_ERR_FORMAT, "cannot convert '%s': %s (byte %zu of %zu)", e->name, what,
                   e->c.pos, e->c.len);
}

static lf_status no_memory(const e5s1 *e, lf_err *err)
{
    return lf_fail(err, LF_ERR_NOMEM, "no memory to convert '%s'", e->name);
}

static bool in(uint32_t v, uint32_t min, uint32_t max)
{
    return v >= min && v <= max;
}

static lf_status read_header(e5s1 *e, lf_err *err)
{
    cursor *c = &e->c;
    const uint8_t *magic = take(c, 4);
    if (!magic || memcmp(magic, "E5S1", 4) != 0)
        return bad(e, "it does not begin with \"E5S1\"", err);
    if (take_u32(c) != 1)
        return bad(e, "its version is not 1", err);
    e->width = take_u32(c);
    e->layers = take_u32(c);
    e->heads = take_u32(c);
    e->ff = take_u32(c);
    e->rows = take_u32(c);
    e->positions = take_u32(c);
    e->types = take_u32(c);
    e->eps = take_f32(c);
    const uint32_t block = take_u32(c);
    if (c->bad)
        return bad(e, "it ends inside the header", err);
    if (!in(e->width, BLOCK, WIDTH_MAX) || e->width % BLOCK || !in(e->layers, 1, LAYERS_MAX) ||
        !in(e->heads, 1, e->width) || e->width % e->heads || !in(e->ff, BLOCK, FF_MAX) ||
        e->ff % BLOCK || !in(e->positions, 3, POSITIONS_MAX) || !in(e->types, 1, 16) ||
        !(e->eps > 0 && e->eps < 1) || block != BLOCK)
        return bad(e, "a size in its header is out of range", err);
    return LF_OK;
}

static lf_status read_pieces(e5s1 *e, lf_err *err)
{
    cursor *c = &e->c;
    e->n_pieces = take_u32(c);
    e->bos = take_u32(c);
    e->eos = take_u32(c);
    e->pad = take_u32(c);
    e->unk = take_u32(c);
    const uint64_t blob_bytes = take_int(c, 8);
    if (c->bad || !in(e->n_pieces, 4, PIECES_MAX) || e->n_pieces > e->rows || blob_bytes > c->len)
        return bad(e, "its vocabulary is truncated or too large", err);
    const uint32_t n = e->n_pieces;
    if (e->bos >= n || e->eos >= n || e->pad >= n || e->unk >= n)
        return bad(e, "a special piece is outside the vocabulary", err);
    e->pieces = lf_calloc(n, sizeof *e->pieces);
    e->scores = lf_calloc(n, sizeof *e->scores);
    e->kinds = lf_calloc(n, sizeof *e->kinds);
    if (!e->pieces || !e->scores || !e->kinds)
        return no_memory(e, err);
    cursor offsets = *c;
    (void)take(c, ((size_t)n + 1) * 4);
    for (uint32_t i = 0; i < n; i++) {
        e->scores[i] = take_f32(c);
        if (!isfinite(e->scores[i]))
            return bad(e, "a piece has a score that is not a number", err);
    }
    const uint8_t *blob = take(c, (size_t)blob_bytes);
    if (!blob)
        return bad(e, "it ends inside the vocabulary", err);
    uint32_t at = take_u32(&offsets);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t end = take_u32(&offsets);
        if (end < at || end > blob_bytes)
            return bad(e, "a piece lies outside the vocabulary", err);
        e->pieces[i] = (lf_str){ .p = (const char *)blob + at, .len = end - at };
        const bool control = i == e->bos || i == e->eos || i == e->pad || i + 1 == n;
        e->kinds[i] = i == e->unk ? 2 : control && e->scores[i] == 0.0f ? 3 : 1;
        at = end;
    }
    return LF_OK;
}

/* The code point map as the tokenizer reads it: (code point, n, replacements). */
static lf_status read_charmap(e5s1 *e, lf_err *err)
{
    cursor *c = &e->c;
    const uint32_t n = take_u32(c), n_bytes = take_u32(c);
    const uint8_t *p = take(c, n_bytes);
    if (!p || n > n_bytes / 5 + 1)
        return bad(e, "it ends inside the map of characters", err);
    cursor m = { .p = p, .len = n_bytes };
    e->charmap = lf_calloc((size_t)n_bytes + 2, sizeof *e->charmap);
    if (!e->charmap)
        return no_memory(e, err);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t cp = take_u32(&m), k = (uint32_t)take_int(&m, 1);
        if (m.bad || cp > 0x10ffff || k > MAPPED_MAX)
            return bad(e, "the map of characters is damaged", err);
        e->charmap[e->n_charmap++] = (int32_t)cp;
        e->charmap[e->n_charmap++] = (int32_t)k;
        for (uint32_t r = 0; r < k; r++) {
            const uint32_t to = take_u32(&m);
            if (m.bad || to > 0x10ffff)
                return bad(e, "the map of characters is damaged", err);
            e->charmap[e->n_charmap++] = (int32_t)to;
        }
    }
    return LF_OK;
}

/* ---- tensors ---- */

/* Data of the tensor `name` with at least `n` elements of a type; NULL if absent. */
static const void *find_tensor(const e5s1 *e, const char *name, bool quantised, size_t n)
{
    cursor c = e->c;
    c.pos = e->directory;
    for (uint32_t i = 0; i < e->n_tensors; i++) {
        const size_t len = (size_t)take_int(&c, 2);
        const uint8_t *text = take(&c, len);
        const uint64_t type = take_int(&c, 1);
        const uint32_t n_have = take_u32(&c);
        const uint64_t offset = take_int(&c, 8), bytes = take_int(&c, 8);
        if (c.bad)
            return NULL;
        if (len != strlen(name) || memcmp(text, name, len) != 0)
            continue;
        const size_t need = quantised ? lf_type_row_bytes(LF_Q4_0, n) : n * sizeof(float);
        const bool fits = type == (quantised ? 1u : 0u) && n_have >= n && bytes >= need &&
                          offset <= e->c.len && need <= e->c.len - offset;
        return fits ? e->c.p + offset : NULL;
    }
    return NULL;
}

typedef struct tensor_name {
    const char *from, *to;
    bool quantised;
    uint32_t cols, rows; /* rows 0: a vector */
} tensor_name;

static lf_status put(const e5s1 *e, lf_gguf_writer *w, const tensor_name *t, int layer, lf_err *err)
{
    char from[NAME_MAX_BYTES], to[NAME_MAX_BYTES], what[2 * NAME_MAX_BYTES];
    (void)snprintf(from, sizeof from, layer < 0 ? "%s" : "l%2$d.%1$s", t->from, layer);
    (void)snprintf(to, sizeof to, layer < 0 ? "%s" : "blk.%2$d.%1$s", t->to, layer);
    const size_t n = (size_t)t->cols * (t->rows ? t->rows : 1);
    const void *data = find_tensor(e, from, t->quantised, n);
    if (!data) {
        (void)snprintf(what, sizeof what, "tensor '%s' is missing or damaged", from);
        return bad(e, what, err);
    }
    lf_gguf_put_tensor(w, to, t->quantised ? LF_Q4_0 : LF_F32, t->rows ? 2 : 1,
                       (const uint64_t[]){ t->cols, t->rows }, data);
    return LF_OK;
}

static lf_status put_tensors(e5s1 *e, lf_gguf_writer *w, lf_err *err)
{
    const uint32_t d = e->width, ff = e->ff;
    const tensor_name ends[] = {
        { "emb.word", "token_embd.weight", true, d, e->n_pieces },
        { "emb.pos", "position_embd.weight", false, d, e->positions },
        { "emb.type", "token_types.weight", false, d, e->types },
        { "emb.ln.w", "token_embd_norm.weight", false, d, 0 },
        { "emb.ln.b", "token_embd_norm.bias", false, d, 0 },
    };
    const tensor_name layer[] = {
        { "q.w", "attn_q.weight", true, d, d },
        { "q.b", "attn_q.bias", false, d, 0 },
        { "k.w", "attn_k.weight", true, d, d },
        { "k.b", "attn_k.bias", false, d, 0 },
        { "v.w", "attn_v.weight", true, d, d },
        { "v.b", "attn_v.bias", false, d, 0 },
        { "ao.w", "attn_output.weight", true, d, d },
        { "ao.b", "attn_output.bias", false, d, 0 },
        { "aln.w", "attn_output_norm.weight", false, d, 0 },
        { "aln.b", "attn_output_norm.bias", false, d, 0 },
        { "fi.w", "ffn_up.weight", true, d, ff },
        { "fi.b", "ffn_up.bias", false, ff, 0 },
        { "fo.w", "ffn_down.weight", true, ff, d },
        { "fo.b", "ffn_down.bias", false, d, 0 },
        { "oln.w", "layer_output_norm.weight", false, d, 0 },
        { "oln.b", "layer_output_norm.bias", false, d, 0 },
    };
    lf_status st = LF_OK;
    for (size_t i = 0; st == LF_OK && i < sizeof ends / sizeof ends[0]; i++)
        st = put(e, w, &ends[i], -1, err);
    for (uint32_t l = 0; l < e->layers; l++)
        for (size_t i = 0; st == LF_OK && i < sizeof layer / sizeof layer[0]; i++)
            st = put(e, w, &layer[i], (int)l, err);
    return st;
}

static void put_keys(const e5s1 *e, lf_gguf_writer *w)
{
    lf_gguf_put_str(w, "general.architecture", lf_str_of("bert"));
    lf_gguf_put_str(w, "general.name", lf_str_of("multilingual-e5-small"));
    lf_gguf_put_str(w, "general.license", lf_str_of("mit"));
    lf_gguf_put_u32(w, "bert.block_count", e->layers);
    lf_gguf_put_u32(w, "bert.context_length", e->positions);
    lf_gguf_put_u32(w, "bert.embedding_length", e->width);
    lf_gguf_put_u32(w, "bert.feed_forward_length", e->ff);
    lf_gguf_put_u32(w, "bert.attention.head_count", e->heads);
    lf_gguf_put_f32(w, "bert.attention.layer_norm_epsilon", e->eps);
    lf_gguf_put_bool(w, "bert.attention.causal", false);
    lf_gguf_put_u32(w, "bert.pooling_type", 1);
    lf_gguf_put_str(w, "tokenizer.ggml.model", lf_str_of("t5"));
    lf_gguf_put_str(w, "tokenizer.ggml.pre", lf_str_of("default"));
    lf_gguf_put_strs(w, "tokenizer.ggml.tokens", e->pieces, e->n_pieces);
    lf_gguf_put_f32s(w, "tokenizer.ggml.scores", e->scores, e->n_pieces);
    lf_gguf_put_i32s(w, "tokenizer.ggml.token_type", e->kinds, e->n_pieces);
    lf_gguf_put_u32(w, "tokenizer.ggml.token_type_count", e->types);
    lf_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", e->bos);
    lf_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", e->eos);
    lf_gguf_put_u32(w, "tokenizer.ggml.unknown_token_id", e->unk);
    lf_gguf_put_u32(w, "tokenizer.ggml.seperator_token_id", e->eos);
    lf_gguf_put_u32(w, "tokenizer.ggml.padding_token_id", e->pad);
    lf_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", true);
    lf_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", true);
    lf_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", true);
    lf_gguf_put_bool(w, "tokenizer.ggml.remove_extra_whitespaces", true);
    lf_gguf_put_i32s(w, "tokenizer.landfall.charmap", e->charmap, e->n_charmap);
}

lf_status lf_e5s1_convert(const void *data, size_t n_bytes, const char *name, lf_buf *out,
                          lf_err *err)
{
    e5s1 e = { .c = { .p = data, .len = n_bytes }, .name = name };
    lf_gguf_writer *w = NULL;
    lf_status st = read_header(&e, err);
    if (st == LF_OK)
        st = read_pieces(&e, err);
    if (st == LF_OK)
        st = read_charmap(&e, err);
    if (st != LF_OK)
        goto done;
    e.n_tensors = take_u32(&e.c);
    e.directory = e.c.pos;
    if (e.c.bad || e.n_tensors > 32 * LAYERS_MAX) {
        st = bad(&e, "its tensor directory is truncated or too large", err);
        goto done;
    }
    st = lf_gguf_writer_open(&w, err);
    if (st != LF_OK)
        goto done;
    put_keys(&e, w);
    st = put_tensors(&e, w, err);
    if (st == LF_OK)
        st = lf_gguf_writer_build(w, out, err);
done:
    lf_gguf_writer_close(w);
    lf_free(e.pieces);
    lf_free(e.scores);
    lf_free(e.kinds);
    lf_free(e.charmap);
    return st;
}

lf_status lf_e5s1_to_gguf(const char *src_path, const char *dst_path, lf_err *err)
{
    lf_map map = { 0 };
    lf_buf out = { 0 };
    lf_status st = lf_map_open(src_path, &map, err);
    if (st == LF_OK)
        st = lf_e5s1_convert(map.data, map.len, src_path, &out, err);
    if (st == LF_OK)
        st = lf_file_replace(dst_path, out.data, out.len, err);
    lf_map_close(&map);
    lf_buf_release(&out);
    return st;
}

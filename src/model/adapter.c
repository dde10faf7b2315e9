/* model/adapter.c - reads adapters and checks them against their base.
 *
 * Both formats become the same: pairs of F32 matrices by layer and slot.  Every tensor of the
 * file must find its place; a pair needs both halves, of one rank.
 *
 * Llama's queries and keys lie in one of two row orders within a head, as their rotation
 * wants it (rope.h): pairs (i, i + d/2) in Hugging Face's weights, pairs (2i, 2i + 1) in
 * GGUF's.  Where the adapter has the other order than the base, the rows of B are moved. */
#include "model/adapter.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "model/model_int.h"

enum { CONFIG_BYTES_MAX = 1 << 20, NAME_BYTES = 160 };

struct lf_adapter {
    atomic_int refs;
    lf_adapter_info info;
    lf_arena arena;         /* pairs and their values */
    lf_adapter_pair *pairs; /* [n_layers][LF_ADAPT_LAYER_N], then the output's */
    size_t n_pairs;
};

/* What is being read. */
typedef struct reading {
    lf_adapter *a;
    const lf_model *base;
    const char *path;
    float alpha;
    bool by_sqrt; /* rank-stabilised: alpha / sqrt(r) */
    bool peft;
} reading;

static const struct slot_name {
    const char *gguf, *hf;
} slot_names[LF_ADAPT_LAYER_N] = {
    [LF_ADAPT_Q] = { "attn_q", "self_attn.q_proj" },
    [LF_ADAPT_K] = { "attn_k", "self_attn.k_proj" },
    [LF_ADAPT_V] = { "attn_v", "self_attn.v_proj" },
    [LF_ADAPT_O] = { "attn_output", "self_attn.o_proj" },
    [LF_ADAPT_GATE] = { "ffn_gate", "mlp.gate_proj" },
    [LF_ADAPT_UP] = { "ffn_up", "mlp.up_proj" },
    [LF_ADAPT_DOWN] = { "ffn_down", "mlp.down_proj" },
};

static const lf_weight *base_weight(const lf_model *m, size_t layer, lf_adapt_slot slot)
{
    const lf_layer *l = &m->layers[layer];
    switch (slot) {
    case LF_ADAPT_Q:
        return &l->wq;
    case LF_ADAPT_K:
        return &l->wk;
    case LF_ADAPT_V:
        return &l->wv;
    case LF_ADAPT_O:
        return &l->wo;
    case LF_ADAPT_GATE:
        return &l->gate;
    case LF_ADAPT_UP:
        return &l->up;
    case LF_ADAPT_DOWN:
        return &l->down;
    case LF_ADAPT_OUTPUT:
        break;
    }
    return &m->output;
}

/* ---- names ---- */

typedef struct place {
    size_t layer;
    lf_adapt_slot slot;
    bool is_b;
} place;

/* "blk.N.attn_q.weight" or "output.weight" in front of ".lora_a". */
static bool parse_gguf(const char *name, place *p)
{
    int n = 0, end = 0;
    char part[NAME_BYTES], half = 0;
    if (sscanf(name, "output.weight.lora_%c%n", &half, &end) == 1 && !name[end]) {
        p->slot = LF_ADAPT_OUTPUT;
    } else {
        if (sscanf(name, "blk.%9d.%150[^.].weight.lora_%c%n", &n, part, &half, &end) != 3 ||
            name[end] || n < 0)
            return false;
        p->slot = LF_ADAPT_Q;
        while (p->slot < LF_ADAPT_LAYER_N && strcmp(slot_names[p->slot].gguf, part) != 0)
            p->slot++;
        if (p->slot == LF_ADAPT_LAYER_N)
            return false;
    }
    p->layer = (size_t)n;
    p->is_b = half == 'b';
    return half == 'a' || half == 'b';
}

/* "base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight", where some writers put
 * the adapter's name behind lora_A. */
static bool parse_peft(const char *name, place *p)
{
    static const char layers[] = "base_model.model.model.layers.",
                      head[] = "base_model.model.lm_head";
    const char *half = strstr(name, ".lora_");
    int n = 0, end = 0;
    if (!half || (half[6] != 'A' && half[6] != 'B') ||
        (strcmp(half + 7, ".weight") != 0 && strcmp(half + 7, ".default.weight") != 0))
        return false;
    p->is_b = half[6] == 'B';
    p->layer = 0;
    if (strncmp(name, head, sizeof head - 1) == 0 && name + sizeof head - 1 == half) {
        p->slot = LF_ADAPT_OUTPUT;
        return true;
    }
    if (strncmp(name, layers, sizeof layers - 1) != 0)
        return false;
    name += sizeof layers - 1;
    if (sscanf(name, "%9d.%n", &n, &end) != 1 || end == 0 || n < 0)
        return false;
    p->layer = (size_t)n;
    name += end;
    for (p->slot = LF_ADAPT_Q; p->slot < LF_ADAPT_LAYER_N; p->slot++) {
        const char *hf = slot_names[p->slot].hf;
        if (strlen(hf) == (size_t)(half - name) && strncmp(hf, name, strlen(hf)) == 0)
            return true;
    }
    return false;
}

/* ---- tensors ---- */

static lf_status check_shape(const reading *r, const char *name, const lf_gguf_tensor *t,
                             const lf_weight *w, bool is_b, lf_err *err)
{
    const uint64_t rank = t->dims[is_b ? 0 : 1], wide = t->dims[is_b ? 1 : 0];
    const uint64_t want = is_b ? w->n_out : w->n_in;
    if (!t->data)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot load adapter '%s': tensor '%s' is not of type F32, F16 or BF16",
                       r->path, name);
    if (rank == 0 || rank > LF_ADAPTER_RANK_MAX)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot load adapter '%s': tensor '%s' has rank %llu, 1 to %d are allowed",
                       r->path, name, (unsigned long long)rank, LF_ADAPTER_RANK_MAX);
    if (wide != want || t->dims[2] != 1 || t->dims[3] != 1)
        return lf_fail(
            err, LF_ERR_FORMAT,
            "cannot load adapter '%s': tensor '%s' is %llu x %llu, the base's matrix has "
            "%llu %s",
            r->path, name, (unsigned long long)t->dims[1], (unsigned long long)t->dims[0],
            (unsigned long long)want, is_b ? "rows" : "columns");
    return LF_OK;
}

/* Rows of each head from one rotation's order to the other's: f32[n_out, rank]. */
static void reorder_heads(float *v, const float *from, const reading *r, size_t n_out, size_t rank)
{
    const size_t d = r->base->hp.head_dim, half = d / 2;
    for (size_t row = 0; row < n_out; row++) {
        const size_t at = row % d;
        const size_t to = r->peft ? at % half * 2 + at / half : at % 2 * half + at / 2;
        memcpy(v + (row - at + to) * rank, from + row * rank, rank * sizeof *v);
    }
}

static bool other_order(const reading *r, lf_adapt_slot slot)
{
    const lf_rope_kind own =
        r->peft || r->base->hp.arch != LF_ARCH_LLAMA ? LF_ROPE_NEOX : LF_ROPE_NORM;
    return (slot == LF_ADAPT_Q || slot == LF_ADAPT_K) && own != r->base->hp.rope.kind;
}

/* The tensor's values as F32 in the arena. */
static lf_status take_values(const reading *r, const char *name, const lf_gguf_tensor *t,
                             bool reorder, float **out, lf_err *err)
{
    const size_t n = (size_t)(t->dims[0] * t->dims[1]);
    lf_status st = LF_OK;
    float *v = lf_arena_alloc(&r->a->arena, n * sizeof *v);
    float *file_order = reorder ? lf_calloc(n, sizeof *v) : v;
    void *aligned = lf_alloc(t->n_bytes);
    if (!v || !file_order || !aligned) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for adapter '%s'", r->path);
        goto done;
    }
    memcpy(aligned, t->data, t->n_bytes);
    lf_dequant_row(t->type, aligned, file_order, n);
    for (size_t i = 0; i < n && st == LF_OK; i++)
        if (!isfinite(file_order[i]))
            st = lf_fail(err, LF_ERR_FORMAT,
                         "cannot load adapter '%s': value %zu of tensor '%s' is not finite",
                         r->path, i, name);
    if (reorder)
        reorder_heads(v, file_order, r, (size_t)t->dims[1], (size_t)t->dims[0]);
    *out = v;
done:
    if (file_order != v)
        lf_free(file_order);
    lf_free(aligned);
    return st;
}

static lf_status take_tensor(const reading *r, const lf_gguf_tensor *t, lf_err *err)
{
    char name[NAME_BYTES];
    place p = { 0 };
    float *v = NULL;
    (void)snprintf(name, sizeof name, "%.*s", (int)(t->name.len < 150 ? t->name.len : 150),
                   t->name.p);
    if (!(r->peft ? parse_peft(name, &p) : parse_gguf(name, &p)))
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot load adapter '%s': tensor '%s' changes nothing that can be adapted "
                       "(q, k, v, o, gate, up and down of layers, the output matrix)",
                       r->path, name);
    if (p.slot != LF_ADAPT_OUTPUT && p.layer >= r->base->hp.n_layers)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot load adapter '%s': tensor '%s', but the base has %u layers", r->path,
                       name, r->base->hp.n_layers);
    if (p.slot == LF_ADAPT_OUTPUT)
        p.layer = r->base->hp.n_layers;
    const lf_weight *w = base_weight(r->base, p.slot == LF_ADAPT_OUTPUT ? 0 : p.layer, p.slot);
    lf_status st = check_shape(r, name, t, w, p.is_b, err);
    lf_adapter_pair *pair =
        &r->a->pairs[p.layer * LF_ADAPT_LAYER_N + (p.slot == LF_ADAPT_OUTPUT ? 0 : (size_t)p.slot)];
    lf_weight *half = p.is_b ? &pair->b : &pair->a;
    if (st == LF_OK && half->rows)
        st = lf_fail(err, LF_ERR_FORMAT, "cannot load adapter '%s': tensor '%s' stands there twice",
                     r->path, name);
    if (st == LF_OK)
        st = take_values(r, name, t, p.is_b && other_order(r, p.slot), &v, err);
    if (st != LF_OK)
        return st;
    *half = (lf_weight){ .type = LF_F32,
                         .n_out = (size_t)t->dims[1],
                         .n_in = (size_t)t->dims[0],
                         .rows = v,
                         .level = lf_cpu_best() };
    r->a->info.n_params += t->dims[0] * t->dims[1];
    return LF_OK;
}

/* Both halves, of one rank; then the scale. */
static lf_status finish_pairs(const reading *r, lf_err *err)
{
    lf_adapter_info *info = &r->a->info;
    for (size_t i = 0; i < r->a->n_pairs; i++) {
        lf_adapter_pair *p = &r->a->pairs[i];
        char where[64] = "the output matrix";
        if (!p->a.rows && !p->b.rows)
            continue;
        if (i + 1 < r->a->n_pairs)
            (void)snprintf(where, sizeof where, "%s of layer %zu",
                           slot_names[i % LF_ADAPT_LAYER_N].gguf, i / LF_ADAPT_LAYER_N);
        if (!p->a.rows || !p->b.rows)
            return lf_fail(err, LF_ERR_FORMAT,
                           "cannot load adapter '%s': lora_%c for %s is missing", r->path,
                           p->a.rows ? 'b' : 'a', where);
        if (p->a.n_out != p->b.n_in)
            return lf_fail(err, LF_ERR_FORMAT,
                           "cannot load adapter '%s': lora_a for %s has rank %zu, lora_b has %zu",
                           r->path, where, p->a.n_out, p->b.n_in);
        const float rank = (float)p->a.n_out;
        p->scale = r->alpha == 0 ? 1.0f : r->alpha / (r->by_sqrt ? sqrtf(rank) : rank);
        info->n_matrices++;
        if (info->rank_max < p->a.n_out)
            info->rank_max = (uint32_t)p->a.n_out;
    }
    if (info->n_matrices == 0)
        return lf_fail(err, LF_ERR_FORMAT, "cannot load adapter '%s': it changes no matrix",
                       r->path);
    return LF_OK;
}

static lf_status hash_pairs(lf_adapter *a, lf_err *err)
{
    lf_sha256 *h = NULL;
    const lf_status st = lf_sha256_open(&h, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < a->n_pairs; i++) {
        const lf_adapter_pair *p = &a->pairs[i];
        if (!p->a.rows)
            continue;
        lf_sha256_add(h, &i, sizeof i);
        lf_sha256_add(h, &p->scale, sizeof p->scale);
        lf_sha256_add(h, p->a.rows, p->a.n_in * p->a.n_out * sizeof(float));
        lf_sha256_add(h, p->b.rows, p->b.n_in * p->b.n_out * sizeof(float));
    }
    lf_sha256_hex(h, a->info.hash);
    lf_sha256_close(h);
    return LF_OK;
}

/* ---- files ---- */

static lf_status bad_key(const reading *r, const char *key, const char *found, const char *want,
                         lf_err *err)
{
    return lf_fail(err, LF_ERR_UNSUPPORTED, "cannot load adapter '%s': %s is %s, allowed is %s",
                   r->path, key, found, want);
}

static lf_status need_str(const reading *r, const lf_gguf *g, const char *key, const char *want,
                          lf_err *err)
{
    lf_str v = { 0 };
    char found[80] = "absent";
    if (lf_gguf_str(g, key, &v) && lf_str_is(v, want))
        return LF_OK;
    if (v.p)
        (void)snprintf(found, sizeof found, "'%.*s'", (int)(v.len < 60 ? v.len : 60), v.p);
    return bad_key(r, key, found, want, err);
}

static lf_status read_gguf(reading *r, lf_err *err)
{
    lf_gguf *g = NULL;
    lf_status st = lf_gguf_open(r->path, &g, err);
    if (st == LF_OK)
        st = need_str(r, g, "general.type", "adapter", err);
    if (st == LF_OK)
        st = need_str(r, g, "adapter.type", "lora", err);
    if (st == LF_OK)
        st = need_str(r, g, "general.architecture", r->base->info.arch, err);
    if (st == LF_OK && !lf_gguf_f32(g, "adapter.lora.alpha", &r->alpha))
        st = bad_key(r, "adapter.lora.alpha", "absent", "a number", err);
    if (st == LF_OK && !isfinite(r->alpha))
        st = bad_key(r, "adapter.lora.alpha", "not finite", "a number", err);
    for (size_t i = 0; st == LF_OK && i < lf_gguf_n_tensors(g); i++)
        st = take_tensor(r, lf_gguf_tensor_at(g, i), err);
    lf_gguf_close(g);
    return st;
}

/* What of PEFT's settings would change the result and is not done here. */
static lf_status check_peft(reading *r, const json_t *c, lf_err *err)
{
    static const char *const absent[] = { "modules_to_save", "alpha_pattern", "use_dora",
                                          "fan_in_fan_out", "layer_replication" };
    const char *kind = NULL, *bias = NULL;
    double alpha = 0;
    lf_status st = lf_json_get_str(c, "peft_type", "LORA", &kind, err);
    if (st == LF_OK)
        st = lf_json_get_str(c, "bias", "none", &bias, err);
    if (st == LF_OK && strcmp(kind, "LORA") != 0)
        return bad_key(r, "peft_type", kind, "LORA", err);
    if (st == LF_OK && strcmp(bias, "none") != 0)
        return bad_key(r, "bias", bias, "none", err);
    for (size_t i = 0; st == LF_OK && i < sizeof absent / sizeof absent[0]; i++) {
        const json_t *v = json_object_get(c, absent[i]);
        if (v && !json_is_null(v) && !json_is_false(v) &&
            !((json_is_object(v) || json_is_array(v)) &&
              json_object_size(v) + json_array_size(v) == 0))
            return bad_key(r, absent[i], "set", "absent", err);
    }
    if (st == LF_OK)
        st = lf_json_get_num(c, "lora_alpha", 8, -1e6, 1e6, &alpha, err);
    if (st == LF_OK)
        st = lf_json_get_bool(c, "use_rslora", false, &r->by_sqrt, err);
    r->alpha = (float)alpha;
    return st;
}

static lf_status read_peft(reading *r, lf_err *err)
{
    lf_buf text = { 0 };
    json_t *config = NULL;
    lf_map map = { 0 };
    lf_safetensors *s = NULL;
    char *cpath = lf_path_join(r->path, "adapter_config.json");
    char *tpath = lf_path_join(r->path, "adapter_model.safetensors");
    lf_status st = cpath && tpath ? lf_file_read(cpath, CONFIG_BYTES_MAX, &text, err)
                                  : lf_fail(err, LF_ERR_NOMEM, "no memory for a path");
    if (st == LF_OK)
        st = lf_json_parse(lf_buf_cstr(&text), text.len, cpath, &config, err);
    if (st == LF_OK)
        st = check_peft(r, config, err);
    if (st == LF_OK)
        st = lf_map_open(tpath, &map, err);
    if (st == LF_OK)
        st = lf_safetensors_open_bytes(map.data, map.len, tpath, &s, err);
    for (size_t i = 0; st == LF_OK && i < lf_safetensors_n(s); i++)
        st = take_tensor(r, lf_safetensors_at(s, i), err);
    lf_safetensors_close(s);
    lf_map_close(&map);
    json_decref(config);
    lf_buf_release(&text);
    lf_free(cpath);
    lf_free(tpath);
    return st;
}

lf_status lf_adapter_open(const lf_model *base, const char *path, lf_adapter **out, lf_err *err)
{
    lf_adapter *a = NULL;
    if (base->info.is_encoder)
        return lf_fail(err, LF_ERR_UNSUPPORTED, "'%s' is an encoder: it takes no adapters",
                       base->info.name);
    a = lf_calloc(1, sizeof *a);
    if (!a)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for adapter '%s'", path);
    atomic_init(&a->refs, 1);
    a->n_pairs = (size_t)base->hp.n_layers * LF_ADAPT_LAYER_N + 1;
    a->pairs = lf_arena_alloc(&a->arena, a->n_pairs * sizeof *a->pairs);
    reading r = { .a = a, .base = base, .path = path, .peft = lf_path_is_dir(path) };
    lf_status st = a->pairs ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for '%s'", path);
    if (st == LF_OK)
        st = r.peft ? read_peft(&r, err) : read_gguf(&r, err);
    if (st == LF_OK)
        st = finish_pairs(&r, err);
    if (st == LF_OK)
        st = hash_pairs(a, err);
    if (st != LF_OK) {
        lf_adapter_unref(a);
        return st;
    }
    memcpy(a->info.base_hash, base->info.hash, sizeof a->info.base_hash);
    *out = a;
    return LF_OK;
}

lf_adapter *lf_adapter_ref(lf_adapter *a)
{
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void lf_adapter_unref(lf_adapter *a)
{
    if (a && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1) {
        lf_arena_release(&a->arena);
        lf_free(a);
    }
}

const lf_adapter_info *lf_adapter_get_info(const lf_adapter *a)
{
    return &a->info;
}

const lf_adapter_pair *lf_adapter_get_pair(const lf_adapter *a, size_t layer, lf_adapt_slot slot)
{
    const lf_adapter_pair *p = slot == LF_ADAPT_OUTPUT
                                   ? &a->pairs[a->n_pairs - 1]
                                   : &a->pairs[layer * LF_ADAPT_LAYER_N + (size_t)slot];
    return p->a.rows ? p : NULL;
}

/* ---- mixes ---- */

lf_status lf_adapter_mix_check(const lf_adapter_mix *mix, const lf_model *m, lf_err *err)
{
    if (!mix)
        return LF_OK;
    if (mix->n > LF_ADAPTERS_MAX)
        return lf_fail(err, LF_ERR_ARG, "%zu adapters, up to %d are allowed", mix->n,
                       LF_ADAPTERS_MAX);
    for (size_t i = 0; i < mix->n; i++) {
        if (strcmp(mix->v[i].adapter->info.base_hash, m->info.hash) != 0)
            return lf_fail(err, LF_ERR_ARG, "adapter %zu is for another model than '%s'", i,
                           m->info.name);
        if (!isfinite(mix->v[i].scale))
            return lf_fail(err, LF_ERR_ARG, "the scale of adapter %zu is no finite number", i);
    }
    return LF_OK;
}

uint64_t lf_adapter_mix_key(const lf_adapter_mix *mix, uint64_t key)
{
    struct {
        uint64_t key;
        char hash[64];
        float scale;
        uint32_t pad; /* no bytes that are not set */
    } fold = { .key = key };
    for (size_t i = 0; mix && i < mix->n; i++) {
        memcpy(fold.hash, mix->v[i].adapter->info.hash, sizeof fold.hash);
        fold.scale = mix->v[i].scale;
        fold.key = lf_hash64(&fold, sizeof fold);
    }
    return fold.key;
}

/* model/hparams.c - the numbers of an architecture, from GGUF keys or config.json.
 *
 * One table-like function per group of numbers asks for each by both of its
 * names, with default and range; a number out of range is refused by name,
 * because every size that is computed later relies on these ranges. */
#include <math.h>
#include <string.h>

#include "model/model_int.h"
#include "tensor/attention.h"

enum {
    LAYERS_MAX = 1024,
    EMBD_MAX = 1 << 16,
    HEADS_MAX = 1 << 10,
    FF_MAX = 1 << 20,
    CTX_MAX = 1 << 24,
    KEY_MAX = 128
};

static const struct arch_name {
    const char *gguf, *hf; /* general.architecture, model_type */
    lf_arch arch;
} arch_names[] = {
    { "llama", "llama", LF_ARCH_LLAMA },
    { "qwen2", "qwen2", LF_ARCH_QWEN2 },
    { "qwen3", "qwen3", LF_ARCH_QWEN3 },
    { "gemma3", "gemma3_text", LF_ARCH_GEMMA3 },
    { "gemma3", "gemma3", LF_ARCH_GEMMA3 },
    { "bert", "bert", LF_ARCH_BERT },
    { "xlm-roberta", "xlm-roberta", LF_ARCH_XLM_ROBERTA },
};

/* One number under its two names; 0 for a name means that the source has none. */
typedef struct num_spec {
    const char *gguf; /* after "ARCH." */
    const char *json;
    double def, min, max; /* def NAN = required */
} num_spec;

static bool find_num(const lf_model *m, const num_spec *s, double *out)
{
    if (m->src.gguf) {
        char key[KEY_MAX];
        uint32_t u;
        float f;
        if (!s->gguf)
            return false;
        (void)snprintf(key, sizeof key, "%s.%s", m->info.arch, s->gguf);
        if (lf_gguf_u32(m->src.gguf, key, &u))
            *out = u;
        else if (lf_gguf_f32(m->src.gguf, key, &f))
            *out = (double)f;
        else
            return false;
        return true;
    }
    const json_t *v = s->json ? json_object_get(m->src.config, s->json) : NULL;
    if (!json_is_number(v))
        return false;
    *out = json_number_value(v);
    return true;
}

static lf_status get_num(const lf_model *m, num_spec s, double *out, lf_err *err)
{
    double v = s.def;
    const char *name = m->src.gguf ? s.gguf : s.json;
    if (!find_num(m, &s, &v) && isnan(s.def))
        return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': %s has no '%s'", m->src.path,
                       m->src.gguf ? m->info.arch : "config.json", name ? name : s.gguf);
    if (!(v >= s.min && v <= s.max))
        return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': '%s' is %g, %g to %g are allowed",
                       m->src.path, name ? name : s.gguf, v, s.min, s.max);
    *out = v;
    return LF_OK;
}

static lf_status get_u32(const lf_model *m, const char *gguf, const char *json, double def,
                         uint32_t min, uint32_t max, uint32_t *out, lf_err *err)
{
    double v;
    const num_spec s = { .gguf = gguf, .json = json, .def = def, .min = min, .max = max };
    const lf_status st = get_num(m, s, &v, err);
    if (st == LF_OK && v != floor(v))
        return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': '%s' is %g, a whole number is needed",
                       m->src.path, m->src.gguf ? gguf : json, v);
    if (st == LF_OK)
        *out = (uint32_t)v;
    return st;
}

static lf_status get_f32(const lf_model *m, const char *gguf, const char *json, double def,
                         double min, double max, float *out, lf_err *err)
{
    double v;
    const num_spec s = { .gguf = gguf, .json = json, .def = def, .min = min, .max = max };
    const lf_status st = get_num(m, s, &v, err);
    if (st == LF_OK)
        *out = (float)v;
    return st;
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        const lf_status st_ = (call);                                                              \
        if (st_ != LF_OK)                                                                          \
            return st_;                                                                            \
    } while (0)

/* ---- architecture and name ---- */

static void copy_text(char *dst, size_t cap, lf_str s)
{
    const size_t n = s.len < cap - 1 ? s.len : cap - 1;
    if (n)
        memcpy(dst, s.p, n);
    dst[n] = '\0';
}

static lf_status load_arch(lf_model *m, lf_err *err)
{
    lf_str name = { 0 };
    if (m->src.gguf) {
        if (!lf_gguf_str(m->src.gguf, "general.architecture", &name))
            return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': no general.architecture",
                           m->src.path);
    } else {
        name = lf_str_of(json_string_value(json_object_get(m->src.config, "model_type")));
        /* A model with eyes keeps the numbers of its language part one level down. */
        json_t *text = json_object_get(m->src.config, "text_config");
        if (json_is_object(text)) {
            json_incref(text);
            json_decref(m->src.config);
            m->src.config = text;
        }
    }
    for (size_t i = 0; i < sizeof arch_names / sizeof arch_names[0]; i++) {
        if (!lf_str_is(name, m->src.gguf ? arch_names[i].gguf : arch_names[i].hf))
            continue;
        m->hp.arch = arch_names[i].arch;
        copy_text(m->info.arch, sizeof m->info.arch, lf_str_of(arch_names[i].gguf));
        return LF_OK;
    }
    return lf_fail(err, LF_ERR_UNSUPPORTED,
                   "cannot load '%s': architecture '%.*s' is not supported (llama, qwen2, qwen3, "
                   "gemma3, bert and xlm-roberta are)",
                   m->src.path, (int)(name.len < 60 ? name.len : 60), name.p ? name.p : "");
}

static void load_name(lf_model *m)
{
    lf_str name = { 0 };
    if (m->src.gguf)
        (void)lf_gguf_str(m->src.gguf, "general.name", &name);
    else
        name = lf_str_of(json_string_value(json_object_get(m->src.config, "_name_or_path")));
    if (!name.len)
        name = lf_str_of(lf_path_base(m->src.path));
    copy_text(m->info.name, sizeof m->info.name, name);
}

/* ---- rotary embedding ---- */

/* Llama 3.1's stretching of long wavelengths ("The Llama 3 Herd of Models",
 * arXiv:2407.21783; numbers from the model's config): frequencies above `high`
 * stay, those below `low` are divided by `factor`, between them linearly mixed. */
static lf_status llama3_factors(lf_model *m, const json_t *scaling, lf_rope *r, lf_err *err)
{
    const double factor = json_number_value(json_object_get(scaling, "factor"));
    const double low = json_number_value(json_object_get(scaling, "low_freq_factor"));
    const double high = json_number_value(json_object_get(scaling, "high_freq_factor"));
    const double ctx =
        json_number_value(json_object_get(scaling, "original_max_position_embeddings"));
    if (!(factor >= 1 && low > 0 && high > low && ctx >= 1))
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot load '%s': rope_scaling of type llama3 needs "
                       "factor, low_freq_factor, high_freq_factor and "
                       "original_max_position_embeddings",
                       m->src.path);
    float *f = lf_arena_alloc(&m->arena, r->n_dims / 2 * sizeof *f);
    if (!f)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the frequencies of '%s'", m->src.path);
    for (size_t i = 0; i < r->n_dims / 2; i++) {
        const double freq = pow((double)r->base, -2.0 * (double)i / (double)r->n_dims);
        const double turns = ctx * freq / (2 * M_PI); /* over the original context */
        if (turns > high) {
            f[i] = 1;
        } else if (turns < low) {
            f[i] = (float)factor;
        } else {
            const double mix = (turns - low) / (high - low);
            f[i] = (float)(1 / ((1 - mix) / factor + mix));
        }
    }
    r->freq_factors = f;
    return LF_OK;
}

static lf_status scaling_unsupported(const lf_model *m, const char *kind, lf_err *err)
{
    return lf_fail(err, LF_ERR_UNSUPPORTED,
                   "cannot load '%s': rope scaling '%.40s' is not supported (none, linear and "
                   "llama3 are)",
                   m->src.path, kind);
}

static lf_status load_scaling_json(lf_model *m, const json_t *o, lf_rope *r, lf_err *err)
{
    if (!json_is_object(o))
        return LF_OK;
    const char *kind = json_string_value(json_object_get(o, "rope_type"));
    if (!kind)
        kind = json_string_value(json_object_get(o, "type"));
    const json_t *theta = json_object_get(o, "rope_theta");
    if (json_is_number(theta))
        r->base = (float)json_number_value(theta);
    if (!kind || strcmp(kind, "default") == 0)
        return LF_OK;
    if (strcmp(kind, "llama3") == 0)
        return llama3_factors(m, o, r, err);
    if (strcmp(kind, "linear") != 0)
        return scaling_unsupported(m, kind, err);
    const double factor = json_number_value(json_object_get(o, "factor"));
    if (!(factor >= 1 && factor <= 1e4))
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot load '%s': rope factor is %g, 1 to 10000 are "
                       "allowed",
                       m->src.path, factor);
    r->freq_scale = (float)(1 / factor);
    return LF_OK;
}

static lf_status load_scaling_gguf(lf_model *m, lf_rope *r, lf_err *err)
{
    char key[KEY_MAX];
    lf_str kind;
    float factor = 1;
    (void)snprintf(key, sizeof key, "%s.rope.scaling.type", m->info.arch);
    if (lf_gguf_str(m->src.gguf, key, &kind) && !lf_str_is(kind, "none") &&
        !lf_str_is(kind, "linear") && kind.len) {
        char text[41];
        copy_text(text, sizeof text, kind);
        return scaling_unsupported(m, text, err);
    }
    TRY(get_f32(m, "rope.scaling.factor", NULL, 1, 0, 1e4, &factor, err));
    r->freq_scale = factor > 0 ? 1 / factor : 1;
    return LF_OK;
}

static lf_status load_rope(lf_model *m, lf_err *err)
{
    lf_hparams *hp = &m->hp;
    lf_rope *r = &hp->rope;
    uint32_t n_dims;
    /* GGUF's llama has its query and key rows reordered for neighbouring pairs. */
    r->kind = m->src.gguf && hp->arch == LF_ARCH_LLAMA ? LF_ROPE_NORM : LF_ROPE_NEOX;
    r->freq_scale = 1;
    r->mscale = 1;
    TRY(get_u32(m, "rope.dimension_count", NULL, hp->head_dim, 2, hp->head_dim, &n_dims, err));
    if (n_dims % 2)
        return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': %u rotated dimensions are odd",
                       m->src.path, n_dims);
    r->n_dims = n_dims;
    const double base = hp->arch == LF_ARCH_GEMMA3 ? 1e6 : 1e4;
    TRY(get_f32(m, "rope.freq_base", "rope_theta", base, 1, 1e12, &r->base, err));
    hp->rope_local = *r;
    if (m->src.gguf) {
        TRY(load_scaling_gguf(m, r, err));
        TRY(get_f32(m, "rope.freq_base_swa", NULL, 1e4, 1, 1e12, &hp->rope_local.base, err));
        return LF_OK;
    }
    TRY(get_f32(m, NULL, "rope_local_base_freq", 1e4, 1, 1e12, &hp->rope_local.base, err));
    TRY(load_scaling_json(m, json_object_get(m->src.config, "rope_scaling"), r, err));
    const json_t *params = json_object_get(m->src.config, "rope_parameters");
    const json_t *full = json_object_get(params, "full_attention");
    TRY(load_scaling_json(m, full ? full : params, r, err));
    if (full)
        TRY(load_scaling_json(m, json_object_get(params, "sliding_attention"), &hp->rope_local,
                              err));
    return LF_OK;
}

/* ---- groups ---- */

static lf_status load_sizes(lf_model *m, lf_err *err)
{
    lf_hparams *hp = &m->hp;
    TRY(get_u32(m, "block_count", "num_hidden_layers", NAN, 1, LAYERS_MAX, &hp->n_layers, err));
    TRY(get_u32(m, "embedding_length", "hidden_size", NAN, 1, EMBD_MAX, &hp->n_embd, err));
    TRY(get_u32(m, "feed_forward_length", "intermediate_size", NAN, 1, FF_MAX, &hp->n_ff, err));
    TRY(get_u32(m, "attention.head_count", "num_attention_heads", NAN, 1, HEADS_MAX, &hp->n_heads,
                err));
    TRY(get_u32(m, "attention.head_count_kv", "num_key_value_heads", hp->n_heads, 1, hp->n_heads,
                &hp->n_kv_heads, err));
    TRY(get_u32(m, "attention.key_length", "head_dim", hp->n_embd / hp->n_heads, 2, LF_HEAD_DIM_MAX,
                &hp->head_dim, err));
    TRY(get_u32(m, "context_length", "max_position_embeddings", NAN, 1, CTX_MAX, &hp->ctx_tokens,
                err));
    if (hp->n_heads % hp->n_kv_heads)
        return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': %u heads do not share %u key heads",
                       m->src.path, hp->n_heads, hp->n_kv_heads);
    uint32_t v_dim;
    TRY(get_u32(m, "attention.value_length", NULL, hp->head_dim, 1, LF_HEAD_DIM_MAX, &v_dim, err));
    if (v_dim != hp->head_dim)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot load '%s': value heads of %u dimensions beside key heads of %u",
                       m->src.path, v_dim, hp->head_dim);
    return LF_OK;
}

static lf_status load_decoder(lf_model *m, lf_err *err)
{
    lf_hparams *hp = &m->hp;
    TRY(get_f32(m, "attention.layer_norm_rms_epsilon", "rms_norm_eps", 1e-6, 0, 1, &hp->eps, err));
    TRY(load_rope(m, err));
    hp->act = LF_ACT_SILU;
    if (hp->arch != LF_ARCH_GEMMA3)
        return LF_OK;
    hp->act = LF_ACT_GELU_TANH;
    hp->embd_scale = sqrtf((float)hp->n_embd);
    hp->norm_offset = m->src.gguf ? 0.0f : 1.0f;
    TRY(get_u32(m, "attention.sliding_window", "sliding_window", 0, 0, CTX_MAX, &hp->window, err));
    TRY(get_u32(m, "attention.sliding_window_pattern", "sliding_window_pattern", 6, 1, LAYERS_MAX,
                &hp->window_pattern, err));
    TRY(get_f32(m, "final_logit_softcapping", "final_logit_softcapping", 0, 0, 1e6,
                &hp->final_softcap, err));
    TRY(get_f32(m, "attn_logit_softcapping", "attn_logit_softcapping", 0, 0, 1e6, &hp->attn_softcap,
                err));
    /* The 27B model (62 layers) divides by the share of the width that a head has. */
    float scalar =
        hp->n_layers == 62 ? (float)hp->n_embd / (float)hp->n_heads : (float)hp->head_dim;
    TRY(get_f32(m, NULL, "query_pre_attn_scalar", (double)scalar, 1, 1e6, &scalar, err));
    hp->attn_scale = 1 / sqrtf(scalar);
    return LF_OK;
}

static lf_status load_encoder(lf_model *m, lf_err *err)
{
    lf_hparams *hp = &m->hp;
    uint32_t pooling;
    TRY(get_f32(m, "attention.layer_norm_epsilon", "layer_norm_eps", 1e-12, 0, 1, &hp->eps, err));
    TRY(get_u32(m, "pooling_type", NULL, 1, 0, 10, &pooling, err));
    if (pooling > 2)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot load '%s': pooling type %u (1 mean and 2 first token are supported)",
                       m->src.path, pooling);
    hp->pool_cls = pooling == 2;
    hp->act = LF_ACT_GELU;
    if (hp->arch == LF_ARCH_XLM_ROBERTA && !m->src.gguf) {
        uint32_t pad;
        TRY(get_u32(m, NULL, "pad_token_id", 1, 0, 1000, &pad, err));
        hp->pos_offset = pad + 1;
        if (hp->ctx_tokens <= hp->pos_offset)
            return lf_fail(err, LF_ERR_FORMAT, "cannot load '%s': %u positions leave none to use",
                           m->src.path, hp->ctx_tokens);
        hp->ctx_tokens -= hp->pos_offset;
    }
    const char *act = json_string_value(json_object_get(m->src.config, "hidden_act"));
    if (act && strcmp(act, "gelu") != 0)
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "cannot load '%s': activation '%.40s' (gelu is "
                       "supported)",
                       m->src.path, act);
    return LF_OK;
}

lf_status lf_hparams_load(lf_model *m, lf_err *err)
{
    lf_hparams *hp = &m->hp;
    TRY(load_arch(m, err));
    load_name(m);
    TRY(load_sizes(m, err));
    hp->attn_scale = 1 / sqrtf((float)hp->head_dim);
    hp->embd_scale = 1;
    m->info.is_encoder = hp->arch == LF_ARCH_BERT || hp->arch == LF_ARCH_XLM_ROBERTA;
    TRY(m->info.is_encoder ? load_encoder(m, err) : load_decoder(m, err));
    m->info.n_layers = hp->n_layers;
    m->info.n_embd = hp->n_embd;
    m->info.n_heads = hp->n_heads;
    m->info.n_kv_heads = hp->n_kv_heads;
    m->info.ctx_tokens = hp->ctx_tokens;
    return LF_OK;
}

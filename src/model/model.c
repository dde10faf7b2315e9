/* model/model.c - opening a model, and its reference count.
 *
 * Order: source, hyper-parameters, tokenizer and template, weights, hash, packed
 * weights.  Whatever fails, lf_model_unref of the one reference undoes what was
 * done so far: every part is safe to release when it is still zero. */
#include <string.h>
#include <strings.h>

#include "model/model_int.h"

enum { CONFIG_BYTES_MAX = 16 << 20, TEMPLATE_BYTES_MAX = 1 << 20 };

static void release(lf_model *m)
{
    lf_tokenizer_close(m->tok);
    lf_chat_template_close(m->chat);
    lf_pack_release(&m->pack);
    lf_arena_release(&m->arena);
    lf_gguf_close(m->src.gguf);
    lf_safetensors_close(m->src.st);
    json_decref(m->src.config);
    lf_free(m->query_prefix);
    lf_free(m->passage_prefix);
    lf_free(m->path);
    lf_free(m);
}

lf_model *lf_model_ref(lf_model *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void lf_model_unref(lf_model *m)
{
    if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
        release(m);
}

const lf_model_info *lf_model_get_info(const lf_model *m)
{
    return &m->info;
}

const lf_tokenizer *lf_model_tokenizer(const lf_model *m)
{
    return m->tok;
}

const lf_chat_template *lf_model_template(const lf_model *m)
{
    return m->chat;
}

const char *lf_model_query_prefix(const lf_model *m)
{
    return m->query_prefix;
}

const char *lf_model_passage_prefix(const lf_model *m)
{
    return m->passage_prefix;
}

int lf_model_n_refs(const lf_model *m)
{
    return atomic_load_explicit(&m->refs, memory_order_acquire);
}

/* ---- source ---- */

static lf_status read_json(const char *dir, const char *name, json_t **out, lf_err *err)
{
    lf_buf text = { 0 };
    char *path = lf_path_join(dir, name);
    lf_status st = path ? lf_file_read(path, CONFIG_BYTES_MAX, &text, err)
                        : lf_fail(err, LF_ERR_NOMEM, "no memory to read '%s'", dir);
    if (st == LF_OK)
        st = lf_json_parse(lf_buf_cstr(&text), text.len, path, out, err);
    if (st == LF_OK && !json_is_object(*out))
        st = lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': not a JSON object", path);
    lf_buf_release(&text);
    lf_free(path);
    return st;
}

static lf_status open_source(lf_model *m, lf_err *err)
{
    m->src.path = m->path;
    m->mapped = true;
    if (!lf_path_is_dir(m->path))
        return lf_gguf_open(m->path, &m->src.gguf, err);
    lf_status st = read_json(m->path, "config.json", &m->src.config, err);
    if (st == LF_OK)
        st = lf_safetensors_open_dir(m->path, &m->src.st, err);
    return st;
}

/* ---- tokenizer, template, prefixes ---- */

static lf_status open_template(lf_model *m, lf_err *err)
{
    lf_str text = { 0 };
    json_t *conf = NULL;
    if (m->src.gguf) {
        (void)lf_gguf_str(m->src.gguf, "tokenizer.chat_template", &text);
    } else if (read_json(m->path, "tokenizer_config.json", &conf, NULL) == LF_OK) {
        const json_t *t = json_object_get(conf, "chat_template");
        if (json_is_string(t))
            text = (lf_str){ .p = json_string_value(t), .len = json_string_length(t) };
    }
    lf_status st = LF_OK;
    if (text.len > TEMPLATE_BYTES_MAX)
        st = lf_fail(err, LF_ERR_LIMIT,
                     "cannot load '%s': a chat template of %zu bytes, %d are "
                     "allowed",
                     m->path, text.len, TEMPLATE_BYTES_MAX);
    else if (text.len)
        st = lf_chat_template_open(text.p, text.len, &m->chat, err);
    json_decref(conf);
    return st;
}

static bool holds_word(const char *text, const char *word)
{
    for (; *text; text++)
        if (strncasecmp(text, word, strlen(word)) == 0)
            return true;
    return false;
}

/* E5 models were trained with these words in front (Wang et al. 2024, arXiv:2402.05672). */
static lf_status set_prefixes(lf_model *m, const lf_model_opts *o, lf_err *err)
{
    const bool e5 = m->info.is_encoder && holds_word(m->info.name, "e5");
    m->query_prefix = lf_strdup(o && o->query_prefix ? o->query_prefix : e5 ? "query: " : "");
    m->passage_prefix = lf_strdup(o && o->passage_prefix ? o->passage_prefix
                                  : e5                   ? "passage: "
                                                         : "");
    if (!m->query_prefix || !m->passage_prefix)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to load '%s'", m->path);
    return LF_OK;
}

static lf_status open_tokenizer(lf_model *m, lf_err *err)
{
    const lf_status st = m->src.gguf ? lf_tokenizer_from_gguf(m->src.gguf, &m->tok, err)
                                     : lf_tokenizer_from_dir(m->path, &m->tok, err);
    if (st != LF_OK)
        return st;
    if (lf_tokenizer_n_vocab(m->tok) > m->hp.n_vocab)
        return lf_fail(err, LF_ERR_FORMAT,
                       "cannot load '%s': the tokenizer has %zu tokens, the embedding table %u",
                       m->path, lf_tokenizer_n_vocab(m->tok), m->hp.n_vocab);
    return LF_OK;
}

/* ---- opening ---- */

/* Weights are read from end to end in every step: more of them than there is
 * memory would mean reading the disk for each token. */
static lf_status check_memory(const lf_model *m, lf_err *err)
{
    const uint64_t have = lf_mem_machine_bytes();
    if (m->info.memory_bytes <= have)
        return LF_OK;
    return lf_fail(err, LF_ERR_NOMEM,
                   "cannot load '%s': its weights take %llu bytes, this machine has %llu", m->path,
                   (unsigned long long)m->info.memory_bytes, (unsigned long long)have);
}

static void tie_output(lf_model *m)
{
    if (m->tied)
        m->output = m->tok_embd;
}

static lf_status load(lf_model *m, const lf_model_opts *o, lf_err *err)
{
    lf_status st = open_source(m, err);
    if (st == LF_OK)
        st = lf_hparams_load(m, err);
    if (st == LF_OK)
        st = lf_weights_load(m, err);
    tie_output(m);
    if (st == LF_OK)
        st = lf_pack_measure(m, err);
    if (st == LF_OK)
        st = o && o->admit ? o->admit(o->ud, m, err) : check_memory(m, err);
    if (st == LF_OK)
        st = open_tokenizer(m, err);
    if (st == LF_OK)
        st = open_template(m, err);
    if (st == LF_OK)
        st = set_prefixes(m, o, err);
    if (st == LF_OK)
        st = lf_weight_hash(m, err);
    if (st == LF_OK)
        st = lf_pack_weights(m, o ? o->cache_dir : NULL, err);
    tie_output(m); /* to its packed form */
    return st;
}

lf_status lf_model_open(const char *path, const lf_model_opts *opts, lf_model **out, lf_err *err)
{
    lf_model *m = lf_calloc(1, sizeof *m);
    if (!m)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to load '%s'", path);
    atomic_init(&m->refs, 1);
    lf_arena_init(&m->arena, 0);
    m->path = lf_strdup(path);
    const lf_status st =
        m->path ? load(m, opts, err) : lf_fail(err, LF_ERR_NOMEM, "no memory to load '%s'", path);
    if (st == LF_OK)
        *out = m;
    else
        release(m);
    return st;
}

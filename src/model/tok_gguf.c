/* model/tok_gguf.c - a tokenizer from the metadata of a GGUF file. */
#include <string.h>

#include "base/mem.h"
#include "model/tok_int.h"

#define KEY(name) "tokenizer.ggml." name

static int32_t special_id(const lf_gguf *g, const char *key, size_t n_vocab, int32_t otherwise)
{
    uint32_t id;
    if (lf_gguf_u32(g, key, &id))
        return id < n_vocab ? (int32_t)id : -1; /* 0xFFFFFFFF is written for "none" */
    return otherwise >= 0 && (size_t)otherwise < n_vocab ? otherwise : -1;
}

static bool flag(const lf_gguf *g, const char *key, bool otherwise)
{
    bool v = otherwise;
    return lf_gguf_bool(g, key, &v) ? v : otherwise;
}

/* What the kind takes as given, where the file has no key for it. */
static lf_status set_kind(lf_tokenizer *t, const lf_gguf *g, lf_str model, lf_err *err)
{
    lf_str pre = { 0 };
    if (lf_str_is(model, "gpt2") || lf_str_is(model, "gemma4")) {
        t->kind = TOK_BPE;
        if (lf_str_is(model, "gemma4"))
            pre = lf_str_of("gemma4");
        else if (!lf_gguf_str(g, KEY("pre"), &pre))
            pre = lf_str_of("default");
        return tok_pre_family(t, pre, err);
    }
    if (lf_str_is(model, "llama")) {
        t->kind = TOK_SPM;
        t->escape_spaces = true;
        t->dummy_prefix = flag(g, KEY("add_space_prefix"), true);
        t->strip_decode = t->dummy_prefix;
        t->n_prefix = 1;
    } else if (lf_str_is(model, "t5")) {
        t->kind = TOK_UNIGRAM;
        t->dummy_prefix = flag(g, KEY("add_space_prefix"), true);
        t->squeeze_spaces = flag(g, KEY("remove_extra_whitespaces"), true);
        t->strip_decode = t->dummy_prefix;
        t->n_suffix = 1;
    } else if (lf_str_is(model, "bert")) {
        t->kind = TOK_WORDPIECE;
        t->lowercase = flag(g, KEY("normalizer.lowercase"), true);
        t->strip_accents = flag(g, KEY("normalizer.strip_accents"), t->lowercase);
        t->cjk_spaces = t->clean_text = t->clean_spaces = true;
        t->max_word_chars = 100;
        t->n_prefix = t->n_suffix = 1;
    } else {
        return lf_fail(err, LF_ERR_UNSUPPORTED,
                       "tokenizer.ggml.model is '%.*s': gpt2, llama, t5, bert and gemma4 are known",
                       (int)(model.len > 64 ? 64 : model.len), model.p);
    }
    return LF_OK;
}

static lf_status read_types(lf_tokenizer *t, const lf_gguf *g, size_t n, lf_err *err)
{
    size_t n_types = 0;
    t->flags = lf_alloc(n);
    if (!t->flags)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu tokens", n);
    memset(t->flags, TOK_NORMAL, n);
    if (!lf_gguf_arr_len(g, KEY("token_type"), &n_types))
        return LF_OK;
    int32_t *v = n_types == n ? lf_alloc(n * sizeof(*v)) : NULL;
    if (n_types != n)
        return lf_fail(err, LF_ERR_FORMAT,
                       "tokenizer.ggml.token_type has %zu entries for %zu tokens", n_types, n);
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu token types", n);
    const bool ok = lf_gguf_arr_i32s(g, KEY("token_type"), v, n);
    for (size_t i = 0; ok && i < n; i++)
        t->flags[i] = v[i] >= TOK_NORMAL && v[i] <= TOK_BYTE ? (uint8_t)v[i] : TOK_UNUSED;
    lf_free(v);
    return ok ? LF_OK
              : lf_fail(err, LF_ERR_FORMAT,
                        "tokenizer.ggml.token_type is not an array of integers");
}

static lf_status read_scores(lf_tokenizer *t, const lf_gguf *g, size_t n, lf_err *err)
{
    size_t n_scores = 0;
    if (t->kind != TOK_SPM && t->kind != TOK_UNIGRAM)
        return LF_OK;
    if (!lf_gguf_arr_len(g, KEY("scores"), &n_scores) || n_scores != n)
        return lf_fail(err, LF_ERR_FORMAT, "tokenizer.ggml.scores has %zu entries for %zu tokens",
                       n_scores, n);
    t->score = lf_alloc(n * sizeof(*t->score));
    if (!t->score)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu token scores", n);
    if (!lf_gguf_arr_f32s(g, KEY("scores"), t->score, n))
        return lf_fail(err, LF_ERR_FORMAT, "tokenizer.ggml.scores is not an array of numbers");
    for (size_t i = 0; i < n; i++)
        if (!(t->score[i] > -1e30f && t->score[i] < 1e30f))
            return lf_fail(err, LF_ERR_FORMAT, "tokenizer.ggml.scores[%zu] is not finite", i);
    return LF_OK;
}

static lf_status read_merges(lf_tokenizer *t, const lf_gguf *g, lf_err *err)
{
    size_t n = 0;
    if (!lf_gguf_arr_len(g, KEY("merges"), &n))
        return lf_fail(err, LF_ERR_FORMAT, "a BPE tokenizer without tokenizer.ggml.merges");
    lf_buf scratch = { 0 };
    lf_str *v = lf_alloc((n ? n : 1) * sizeof(*v));
    lf_status st =
        v ? tok_merges_begin(t, n, err) : lf_fail(err, LF_ERR_NOMEM, "no memory for %zu merges", n);
    if (st == LF_OK && !lf_gguf_arr_strs(g, KEY("merges"), v, n))
        st = lf_fail(err, LF_ERR_FORMAT, "tokenizer.ggml.merges is not an array of strings");
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        /* Halves may begin with a space in plain-text vocabularies. */
        const char *gap = v[i].len > 1 ? memchr(v[i].p + 1, ' ', v[i].len - 1) : NULL;
        if (!gap) {
            st = lf_fail(err, LF_ERR_FORMAT, "tokenizer.ggml.merges[%zu] has no space in it", i);
            break;
        }
        const lf_str left = { v[i].p, (size_t)(gap - v[i].p) };
        const lf_str right = { gap + 1, v[i].len - left.len - 1 };
        st = tok_merges_add(t, left, right, i, &scratch, err);
    }
    lf_buf_release(&scratch);
    lf_free(v);
    return st;
}

static lf_status read_norm(lf_tokenizer *t, const lf_gguf *g, lf_err *err)
{
    static const char *const keys[] = { KEY("precompiled_charsmap"), "tokenizer.landfall.charmap" };
    lf_status st = LF_OK;
    for (size_t k = 0; st == LF_OK && k < 2; k++) {
        size_t n = 0;
        if (!lf_gguf_arr_len(g, keys[k], &n) || n == 0)
            continue;
        int32_t *v = lf_alloc(n * sizeof(*v));
        if (!v)
            return lf_fail(err, LF_ERR_NOMEM, "no memory for %s", keys[k]);
        if (!lf_gguf_arr_i32s(g, keys[k], v, n)) {
            st = lf_fail(err, LF_ERR_FORMAT, "%s is not an array of integers", keys[k]);
        } else if (k == 1) {
            st = tok_norm_map(&t->norm, v, n, err);
        } else {
            uint8_t *bytes = (uint8_t *)v; /* narrowed in place, front to back */
            for (size_t i = 0; i < n; i++)
                bytes[i] = (uint8_t)v[i];
            st = tok_norm_charsmap(&t->norm, bytes, n, err);
        }
        lf_free(v);
    }
    return st;
}

/* The ids of the special tokens, and which go around a text. */
static lf_status read_specials(lf_tokenizer *t, const lf_gguf *g, lf_err *err)
{
    const bool spm = t->kind == TOK_SPM, bert = t->kind == TOK_WORDPIECE;
    const size_t n = t->n_vocab;
    t->bos = special_id(g, KEY("bos_token_id"), n, spm ? 1 : bert ? 101 : -1);
    t->eos = special_id(g, KEY("eos_token_id"), n,
                        spm                      ? 2
                        : t->kind == TOK_UNIGRAM ? 1
                        : t->kind == TOK_BPE     ? 11
                                                 : -1);
    t->unk = special_id(g, KEY("unknown_token_id"), n,
                        spm                      ? 0
                        : bert                   ? 100
                        : t->kind == TOK_UNIGRAM ? 2
                                                 : -1);
    t->sep = special_id(g, KEY("seperator_token_id"), n, bert ? 102 : -1); /* as it is spelt */
    t->sep = special_id(g, KEY("separator_token_id"), n, t->sep);
    t->pad = special_id(g, KEY("padding_token_id"), n, -1);
    if (bert && t->bos < 0)
        t->bos = special_id(g, KEY("cls_token_id"), n, 101);
    if (t->kind == TOK_BPE && t->bos < 0 && t->n_prefix)
        t->n_prefix = 0;
    const bool add_bos = flag(g, KEY("add_bos_token"), t->n_prefix > 0);
    const bool add_eos = flag(g, KEY("add_eos_token"), t->kind == TOK_UNIGRAM);
    t->n_prefix = t->n_suffix = 0;
    if (add_bos && t->bos >= 0)
        t->prefix[t->n_prefix++] = t->bos;
    if (bert && t->sep >= 0)
        t->suffix[t->n_suffix++] = t->sep;
    else if (add_eos && t->eos >= 0)
        t->suffix[t->n_suffix++] = t->eos;
    if ((t->kind == TOK_UNIGRAM || bert) && t->unk < 0)
        return lf_fail(err, LF_ERR_FORMAT, "the tokenizer has no unknown token");
    return LF_OK;
}

/* White space that some models' special tokens swallow is nowhere in the file:
 * it goes by the model's name, as in the reference programs. */
static void set_strips(lf_tokenizer *t, const lf_gguf *g)
{
    lf_str name = { 0 }, arch = { 0 }, pre = { 0 };
    (void)lf_gguf_str(g, "general.name", &name);
    (void)lf_gguf_str(g, "general.architecture", &arch);
    (void)lf_gguf_str(g, KEY("pre"), &pre);
    char lower[16] = { 0 };
    for (size_t i = 0; i < name.len && i < sizeof(lower) - 1; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    const char *mask = lf_str_is(arch, "nomic-bert-moe") || lf_str_is(arch, "jina-bert-v3") ||
                               lf_str_starts(pre, "jina-v2-")
                           ? "<mask>"
                       : lf_str_is(pre, "modern-bert") ? "[MASK]"
                                                       : NULL;
    const int32_t id = mask ? tok_lookup(t, &t->specials, mask, strlen(mask)) : -1;
    if (id >= 0)
        t->flags[id] |= TOK_LSTRIP;
    if (strncmp(lower, "phi-3", 5) != 0 && strncmp(lower, "phi3", 4) != 0)
        return;
    for (size_t i = 0; i < t->n_vocab; i++) {
        const lf_str s = tok_text(t, (int32_t)i);
        const int type = tok_type(t, (int32_t)i);
        if ((type == TOK_CONTROL || type == TOK_USER || lf_str_is(s, "</s>")) &&
            !lf_str_is(s, "<unk>") && !lf_str_is(s, "<s>") && !lf_str_is(s, "<|endoftext|>"))
            t->flags[i] |= TOK_RSTRIP;
    }
}

static lf_status load(lf_tokenizer *t, const lf_gguf *g, lf_err *err)
{
    lf_str model = { 0 };
    size_t n = 0;
    if (!lf_gguf_str(g, KEY("model"), &model) || !lf_gguf_arr_len(g, KEY("tokens"), &n))
        return lf_fail(err, LF_ERR_FORMAT,
                       "the file has no tokenizer: tokenizer.ggml.model and .tokens are needed");
    if (n == 0 || n >= TOK_MAX_VOCAB)
        return lf_fail(err, LF_ERR_LIMIT,
                       "tokenizer.ggml.tokens has %zu entries, 1 to %d are allowed", n,
                       TOK_MAX_VOCAB - 1);
    lf_status st = set_kind(t, g, model, err);
    if (st == LF_OK)
        st = read_types(t, g, n, err);
    if (st == LF_OK)
        st = read_scores(t, g, n, err);
    lf_str *texts = st == LF_OK ? lf_alloc(n * sizeof(*texts)) : NULL;
    if (st == LF_OK && !texts)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for %zu tokens", n);
    if (st == LF_OK && !lf_gguf_arr_strs(g, KEY("tokens"), texts, n))
        st = lf_fail(err, LF_ERR_FORMAT, "tokenizer.ggml.tokens is not an array of strings");
    if (st == LF_OK)
        st = tok_vocab_set(t, texts, n, err);
    lf_free(texts);
    if (st == LF_OK)
        st = tok_vocab_index(t, err);
    if (st == LF_OK)
        st = read_specials(t, g, err);
    if (st == LF_OK && t->kind == TOK_BPE)
        st = read_merges(t, g, err);
    if (st == LF_OK && t->kind == TOK_UNIGRAM)
        st = read_norm(t, g, err);
    if (st != LF_OK)
        return st;
    if (t->kind == TOK_UNIGRAM)
        tok_unigram_prepare(t);
    if (t->kind == TOK_SPM)
        tok_find_head_marks(t);
    const int32_t eot = special_id(g, KEY("eot_token_id"), n, -1);
    const int32_t eom = special_id(g, KEY("eom_token_id"), n, -1);
    if (eot >= 0)
        t->flags[eot] |= TOK_END;
    if (eom >= 0)
        t->flags[eom] |= TOK_END;
    tok_mark_ends(t);
    set_strips(t, g);
    return LF_OK;
}

lf_status lf_tokenizer_from_gguf(const lf_gguf *g, lf_tokenizer **out, lf_err *err)
{
    lf_tokenizer *t = lf_calloc(1, sizeof(*t));
    if (!t)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a tokenizer");
    lf_status st = load(t, g, err);
    if (st == LF_OK) {
        *out = t;
        t = NULL;
    }
    lf_tokenizer_close(t);
    return st;
}

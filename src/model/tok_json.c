/* model/tok_json.c - a tokenizer from tokenizer.json (Hugging Face tokenizers).
 *
 * The file names its parts: normalizer, pre_tokenizer, model, post_processor.
 * They map onto the same fields that a GGUF file fills.  A part, or a setting of
 * one, that has no counterpart here is refused by name: a tokenizer that is
 * nearly right gives a model nonsense. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/tok_int.h"

enum { FILE_MAX_BYTES = 256 << 20 };
#define MARK "\xE2\x96\x81"
#define GPT2_PATTERN                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

typedef struct loader {
    lf_tokenizer *t;
    const json_t *root, *model;
    const json_t *config; /* tokenizer_config.json, may be NULL */
    lf_str *texts;
    size_t n;
    lf_buf scratch; /* texts that are not in the JSON tree as they are needed */
    bool byte_fallback;
    lf_err *err;
} loader;

static const char *type_of(const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "type"));
    return s ? s : "";
}

static bool is_type(const json_t *o, const char *type)
{
    return strcmp(type_of(o), type) == 0;
}

static bool flag(const json_t *o, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(o, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static lf_status unknown(const loader *l, const char *part, const char *what)
{
    return lf_fail(l->err, LF_ERR_UNSUPPORTED,
                   "tokenizer.json: the %s '%.100s' is not one that this program knows", part,
                   what);
}

/* ----------------------------------------------------------------- normalizer */

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static lf_status read_charsmap(loader *l, const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "precompiled_charsmap"));
    lf_buf bytes = { 0 };
    uint32_t bits = 0;
    int n_bits = 0;
    for (; s && *s && *s != '='; s++) {
        const int v = base64_value(*s);
        if (v < 0) {
            lf_buf_release(&bytes);
            return lf_fail(l->err, LF_ERR_FORMAT,
                           "tokenizer.json: precompiled_charsmap is not base64");
        }
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            lf_buf_add_char(&bytes, (char)(bits >> n_bits));
        }
    }
    lf_status st = bytes.failed
                       ? lf_fail(l->err, LF_ERR_NOMEM, "no memory for a charsmap")
                       : tok_norm_charsmap(&l->t->norm, (const uint8_t *)lf_buf_cstr(&bytes),
                                           bytes.len, l->err);
    lf_buf_release(&bytes);
    return st;
}

static lf_status read_replace(loader *l, const json_t *o)
{
    const json_t *pattern = json_object_get(o, "pattern");
    const char *text = json_string_value(json_object_get(pattern, "String"));
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *to = json_string_value(json_object_get(o, "content"));
    if (text && to && strcmp(text, " ") == 0 && strcmp(to, MARK) == 0) {
        l->t->escape_spaces = true;
        return LF_OK;
    }
    if (regex && to && strcmp(regex, " {2,}") == 0 &&
        (strcmp(to, " ") == 0 || strcmp(to, MARK) == 0)) {
        l->t->squeeze_spaces = true;
        return LF_OK;
    }
    return unknown(l, "Replace normalizer for", text ? text : regex ? regex : "");
}

static lf_status read_normalizer(loader *l, const json_t *o)
{
    lf_tokenizer *t = l->t;
    lf_status st = LF_OK;
    if (!o || json_is_null(o))
        return LF_OK;
    if (is_type(o, "Sequence")) {
        const json_t *list = json_object_get(o, "normalizers");
        for (size_t i = 0; st == LF_OK && i < json_array_size(list); i++)
            st = read_normalizer(l, json_array_get(list, i));
        return st;
    }
    if (is_type(o, "NFC")) {
        t->nfc = true;
    } else if (is_type(o, "NFKC")) {
        t->nfkc = true;
    } else if (is_type(o, "Precompiled")) {
        return read_charsmap(l, o);
    } else if (is_type(o, "Replace")) {
        return read_replace(l, o);
    } else if (is_type(o, "Strip") && t->kind == TOK_UNIGRAM) {
        t->squeeze_spaces = true;
    } else if (is_type(o, "Prepend")) {
        const char *s = json_string_value(json_object_get(o, "prepend"));
        if (!s || strcmp(s, MARK) != 0)
            return unknown(l, "Prepend normalizer of", s ? s : "");
        t->dummy_prefix = t->strip_decode = true;
    } else if (is_type(o, "BertNormalizer") && t->kind == TOK_WORDPIECE) {
        t->clean_text = flag(o, "clean_text", true);
        t->cjk_spaces = flag(o, "handle_chinese_chars", true);
        t->lowercase = flag(o, "lowercase", true);
        t->strip_accents = flag(o, "strip_accents", t->lowercase);
    } else {
        return unknown(l, "normalizer", type_of(o));
    }
    return LF_OK;
}

/* -------------------------------------------------------------- pre_tokenizer */

static lf_status add_pattern(loader *l, const char *pattern, tok_split_mode mode)
{
    return tok_pre_add(l->t, pattern, strlen(pattern), mode, l->err);
}

/* A plain string as a pattern. */
static lf_status add_literal(loader *l, const char *text, tok_split_mode mode)
{
    lf_buf b = { 0 };
    for (const char *p = text; *p; p++) {
        if (strchr("\\^$.|?*+()[]{}", *p))
            lf_buf_add_char(&b, '\\');
        lf_buf_add_char(&b, *p);
    }
    lf_status st = b.failed ? lf_fail(l->err, LF_ERR_NOMEM, "no memory for a pattern")
                            : tok_pre_add(l->t, lf_buf_cstr(&b), b.len, mode, l->err);
    lf_buf_release(&b);
    return st;
}

static lf_status split_mode(const loader *l, const json_t *o, tok_split_mode *out)
{
    const char *s = json_string_value(json_object_get(o, "behavior"));
    const bool invert = flag(o, "invert", false);
    s = s ? s : "Isolated";
    if (strcmp(s, "Isolated") == 0 || strcmp(s, "Contiguous") == 0)
        *out = TOK_ISOLATED;
    else if (strcmp(s, "Removed") == 0)
        *out = invert ? TOK_KEPT : TOK_REMOVED;
    else if (strcmp(s, "MergedWithPrevious") == 0 && !invert)
        *out = TOK_WITH_PREV;
    else if (strcmp(s, "MergedWithNext") == 0 && !invert)
        *out = TOK_WITH_NEXT;
    else
        return unknown(l, "Split behavior", s);
    return LF_OK;
}

static lf_status read_split(loader *l, const json_t *o)
{
    const json_t *pattern = json_object_get(o, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    const char *text = json_string_value(json_object_get(pattern, "String"));
    tok_split_mode mode = TOK_ISOLATED;
    lf_status st = split_mode(l, o, &mode);
    if (st != LF_OK)
        return st;
    if (regex)
        return add_pattern(l, regex, mode);
    /* Where spaces have become marks already, it is the mark that splits. */
    if (text && strcmp(text, " ") == 0 && l->t->escape_spaces)
        text = MARK;
    return text ? add_literal(l, text, mode) : unknown(l, "Split pattern", "without text");
}

static lf_status read_metaspace(loader *l, const json_t *o)
{
    lf_tokenizer *t = l->t;
    const char *mark = json_string_value(json_object_get(o, "replacement"));
    const char *scheme = json_string_value(json_object_get(o, "prepend_scheme"));
    const bool add = flag(o, "add_prefix_space", true);
    scheme = scheme ? scheme : add ? "always" : "never";
    if (mark && strcmp(mark, MARK) != 0)
        return unknown(l, "Metaspace replacement", mark);
    t->escape_spaces = true;
    t->dummy_prefix = t->strip_decode = t->prefix_unless_space = strcmp(scheme, "never") != 0;
    t->prefix_once = strcmp(scheme, "first") == 0;
    if (t->kind == TOK_BPE && flag(o, "split", true))
        return add_pattern(l, MARK, TOK_WITH_NEXT);
    return LF_OK;
}

static lf_status read_byte_level(loader *l, const json_t *o)
{
    lf_tokenizer *t = l->t;
    if (t->kind != TOK_BPE)
        return unknown(l, "pre_tokenizer ByteLevel with the model", type_of(l->model));
    if (flag(o, "add_prefix_space", true)) {
        if (t->n_steps)
            return unknown(l, "pre_tokenizer ByteLevel with", "add_prefix_space after a split");
        t->byte_prefix_space = true;
    }
    return flag(o, "use_regex", true) ? add_pattern(l, GPT2_PATTERN, TOK_ISOLATED) : LF_OK;
}

static lf_status read_punctuation(loader *l, const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "behavior"));
    const bool runs = s && strcmp(s, "Contiguous") == 0;
    tok_split_mode mode = TOK_ISOLATED;
    lf_status st = split_mode(l, o, &mode);
    if (st != LF_OK)
        return st;
    return add_pattern(l, runs ? "[\\p{P}$+<=>^`|~]+" : "[\\p{P}$+<=>^`|~]", mode);
}

static lf_status read_pre(loader *l, const json_t *o)
{
    lf_status st = LF_OK;
    if (!o || json_is_null(o))
        return LF_OK;
    if (is_type(o, "Sequence")) {
        const json_t *list = json_object_get(o, "pretokenizers");
        for (size_t i = 0; st == LF_OK && i < json_array_size(list); i++)
            st = read_pre(l, json_array_get(list, i));
        return st;
    }
    const tok_kind kind = l->t->kind;
    if (is_type(o, "ByteLevel"))
        return read_byte_level(l, o);
    if (is_type(o, "Metaspace") && kind != TOK_WORDPIECE)
        return read_metaspace(l, o);
    if (is_type(o, "BertPreTokenizer") && kind == TOK_WORDPIECE)
        return LF_OK;
    if (is_type(o, "WhitespaceSplit") && kind == TOK_UNIGRAM) {
        l->t->squeeze_spaces = l->t->any_space = true;
        return LF_OK;
    }
    if (kind == TOK_BPE) {
        if (is_type(o, "Split"))
            return read_split(l, o);
        if (is_type(o, "Digits"))
            return add_pattern(l, flag(o, "individual_digits", false) ? "\\p{N}" : "\\p{N}+",
                               TOK_ISOLATED);
        if (is_type(o, "Punctuation"))
            return read_punctuation(l, o);
        if (is_type(o, "WhitespaceSplit"))
            return add_pattern(l, "\\s+", TOK_REMOVED);
        if (is_type(o, "Whitespace"))
            return add_pattern(l, "\\w+|[^\\w\\s]+", TOK_KEPT);
    }
    return unknown(l, "pre_tokenizer", type_of(o));
}

/* Byte-level or not decides how texts are kept, so it is asked first. */
static bool has_byte_level(const json_t *o)
{
    const json_t *list = json_object_get(o, "pretokenizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (has_byte_level(json_array_get(list, i)))
            return true;
    return is_type(o, "ByteLevel");
}

/* ----------------------------------------------------------------- vocabulary */

static lf_status count_ids(loader *l, const json_t *vocab, const json_t *added)
{
    int64_t top = -1;
    const char *k;
    json_t *v;
    if (json_is_array(vocab))
        top = (int64_t)json_array_size(vocab) - 1;
    json_object_foreach((json_t *)vocab, k, v)
    {
        if (!json_is_integer(v) || json_integer_value(v) < 0)
            return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: '%.60s' has no id", k);
        top = json_integer_value(v) > top ? json_integer_value(v) : top;
    }
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *id = json_object_get(json_array_get(added, i), "id");
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: added token %zu has no id", i);
        top = json_integer_value(id) > top ? json_integer_value(id) : top;
    }
    if (top < 0 || top >= TOK_MAX_VOCAB - 1)
        return lf_fail(l->err, LF_ERR_LIMIT, "tokenizer.json: ids up to %lld, 0 to %d are allowed",
                       (long long)top, TOK_MAX_VOCAB - 2);
    l->n = (size_t)top + 1;
    return LF_OK;
}

static lf_status read_pieces(loader *l, const json_t *vocab)
{
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *pair = json_array_get(vocab, i);
        const json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
        const double s = json_number_value(score);
        if (!json_is_string(text) || !json_is_number(score) || !(s > -1e30 && s < 1e30))
            return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: vocab[%zu] is not [text, score]",
                           i);
        l->texts[i] = (lf_str){ json_string_value(text), json_string_length(text) };
        l->t->score[i] = (float)s;
        l->t->flags[i] = TOK_NORMAL;
    }
    return LF_OK;
}

/* WordPiece texts get the mark that says "begins a word"; "##" goes. */
static lf_str wordpiece_text(loader *l, const char *k)
{
    const char *prefix = json_string_value(json_object_get(l->model, "continuing_subword_prefix"));
    prefix = prefix ? prefix : "##";
    const size_t n = strlen(prefix);
    if (strncmp(k, prefix, n) == 0 && k[n])
        return lf_str_of(k + n);
    /* The buffer was reserved for all of them: it does not move. */
    const size_t at = l->scratch.len;
    lf_buf_add_str(&l->scratch, MARK);
    lf_buf_add_str(&l->scratch, k);
    return (lf_str){ l->scratch.data + at, l->scratch.len - at };
}

static lf_status read_map(loader *l, const json_t *vocab)
{
    const char *k;
    json_t *v;
    const bool wordpiece = l->t->kind == TOK_WORDPIECE;
    size_t total = 0;
    json_object_foreach((json_t *)vocab, k, v) total += strlen(k) + 4;
    if (wordpiece && !lf_buf_reserve(&l->scratch, total))
        return lf_fail(l->err, LF_ERR_NOMEM, "no memory for a vocabulary");
    json_object_foreach((json_t *)vocab, k, v)
    {
        const size_t id = (size_t)json_integer_value(v);
        l->texts[id] = wordpiece ? wordpiece_text(l, k) : lf_str_of(k);
        l->t->flags[id] = TOK_NORMAL;
        if (l->byte_fallback && strlen(k) == 6 && strncmp(k, "<0x", 3) == 0 && k[5] == '>')
            l->t->flags[id] = TOK_BYTE;
    }
    return LF_OK;
}

static void read_added(loader *l, const json_t *added)
{
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *a = json_array_get(added, i);
        const size_t id = (size_t)json_integer_value(json_object_get(a, "id"));
        const char *s = json_string_value(json_object_get(a, "content"));
        if (!s)
            continue;
        l->texts[id] = lf_str_of(s);
        l->t->flags[id] = flag(a, "special", false) ? TOK_CONTROL : TOK_USER;
        if (flag(a, "lstrip", false))
            l->t->flags[id] |= TOK_LSTRIP;
        if (flag(a, "rstrip", false))
            l->t->flags[id] |= TOK_RSTRIP;
    }
}

static lf_status read_vocab(loader *l)
{
    lf_tokenizer *t = l->t;
    const json_t *vocab = json_object_get(l->model, "vocab");
    const json_t *added = json_object_get(l->root, "added_tokens");
    if (!(t->kind == TOK_UNIGRAM ? json_is_array(vocab) : json_is_object(vocab)))
        return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: the model has no vocab of its kind");
    lf_status st = count_ids(l, vocab, added);
    if (st != LF_OK)
        return st;
    l->texts = lf_calloc(l->n, sizeof(*l->texts));
    t->flags = lf_alloc(l->n);
    if (t->kind == TOK_UNIGRAM)
        t->score = lf_calloc(l->n, sizeof(*t->score));
    if (!l->texts || !t->flags || (t->kind == TOK_UNIGRAM && !t->score))
        return lf_fail(l->err, LF_ERR_NOMEM, "no memory for %zu tokens", l->n);
    memset(t->flags, TOK_UNUSED, l->n);
    st = t->kind == TOK_UNIGRAM ? read_pieces(l, vocab) : read_map(l, vocab);
    if (st != LF_OK)
        return st;
    read_added(l, added);
    st = tok_vocab_set(t, l->texts, l->n, l->err);
    return st == LF_OK ? tok_vocab_index(t, l->err) : st;
}

static lf_status read_merges(loader *l)
{
    const json_t *merges = json_object_get(l->model, "merges");
    const size_t n = json_array_size(merges);
    lf_buf scratch = { 0 };
    lf_status st = tok_merges_begin(l->t, n, l->err);
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        const json_t *m = json_array_get(merges, i);
        const char *s = json_string_value(m);
        const char *gap = s && *s ? strchr(s + 1, ' ') : NULL;
        const char *a = json_string_value(json_array_get(m, 0));
        const char *b = json_string_value(json_array_get(m, 1));
        if (!gap && !(a && b))
            st = lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: merges[%zu] is no pair", i);
        else
            st = tok_merges_add(l->t, gap ? (lf_str){ s, (size_t)(gap - s) } : lf_str_of(a),
                                lf_str_of(gap ? gap + 1 : b), i, &scratch, l->err);
    }
    lf_buf_release(&scratch);
    return st;
}

/* -------------------------------------------------------------- special tokens */

static int32_t find_token(const lf_tokenizer *t, const char *s)
{
    return s ? lf_tokenizer_find(t, s) : -1;
}

/* A token of tokenizer_config.json: a string, or an object with its content. */
static int32_t config_token(const loader *l, const char *key)
{
    const json_t *v = json_object_get(l->config, key);
    return find_token(l->t, json_is_object(v) ? json_string_value(json_object_get(v, "content"))
                                              : json_string_value(v));
}

static void add_around(lf_tokenizer *t, bool before, int32_t id)
{
    if (before && t->n_prefix < TOK_MAX_AROUND)
        t->prefix[t->n_prefix++] = id;
    if (!before && t->n_suffix < TOK_MAX_AROUND)
        t->suffix[t->n_suffix++] = id;
}

static lf_status read_post(loader *l, const json_t *o)
{
    lf_tokenizer *t = l->t;
    lf_status st = LF_OK;
    if (!o || json_is_null(o) || is_type(o, "ByteLevel"))
        return LF_OK;
    if (is_type(o, "Sequence")) {
        const json_t *list = json_object_get(o, "processors");
        for (size_t i = 0; st == LF_OK && i < json_array_size(list); i++)
            st = read_post(l, json_array_get(list, i));
        return st;
    }
    if (is_type(o, "BertProcessing") || is_type(o, "RobertaProcessing")) {
        const char *cls = json_string_value(json_array_get(json_object_get(o, "cls"), 0));
        const char *sep = json_string_value(json_array_get(json_object_get(o, "sep"), 0));
        if (find_token(t, cls) < 0 || find_token(t, sep) < 0)
            return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: cls or sep is no token");
        add_around(t, true, find_token(t, cls));
        add_around(t, false, find_token(t, sep));
        return LF_OK;
    }
    if (!is_type(o, "TemplateProcessing"))
        return unknown(l, "post_processor", type_of(o));
    const json_t *single = json_object_get(o, "single");
    bool before = true;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *part = json_array_get(single, i);
        const json_t *special = json_object_get(part, "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        if (!special) {
            before = false; /* the text itself */
            continue;
        }
        const int32_t id = find_token(t, name);
        if (id < 0)
            return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: '%.60s' is no token",
                           name ? name : "");
        add_around(t, before, id);
    }
    return LF_OK;
}

static lf_status read_specials(loader *l)
{
    lf_tokenizer *t = l->t;
    t->bos = config_token(l, "bos_token");
    t->eos = config_token(l, "eos_token");
    t->pad = config_token(l, "pad_token");
    t->sep = config_token(l, "sep_token");
    t->unk = find_token(t, json_string_value(json_object_get(l->model, "unk_token")));
    const json_t *unk_id = json_object_get(l->model, "unk_id");
    if (json_is_integer(unk_id) && json_integer_value(unk_id) >= 0 &&
        (size_t)json_integer_value(unk_id) < t->n_vocab)
        t->unk = (int32_t)json_integer_value(unk_id);
    if (t->kind != TOK_BPE && t->unk < 0)
        return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json: the model has no unknown token");
    lf_status st = read_post(l, json_object_get(l->root, "post_processor"));
    if (t->kind == TOK_WORDPIECE && t->bos < 0 && t->n_prefix)
        t->bos = t->prefix[0];
    tok_mark_ends(t);
    return st;
}

/* ----------------------------------------------------------------------- whole */

static lf_status set_kind(loader *l)
{
    lf_tokenizer *t = l->t;
    const json_t *m = l->model;
    const char *type = type_of(m);
    const char *end = json_string_value(json_object_get(m, "end_of_word_suffix"));
    const char *sub = json_string_value(json_object_get(m, "continuing_subword_prefix"));
    if (strcmp(type, "BPE") == 0 || (!*type && json_object_get(m, "merges"))) {
        t->kind = TOK_BPE;
        t->byte_level = has_byte_level(json_object_get(l->root, "pre_tokenizer")) ||
                        is_type(json_object_get(l->root, "decoder"), "ByteLevel");
        t->ignore_merges = flag(m, "ignore_merges", false);
        t->fuse_unk = flag(m, "fuse_unk", false);
        l->byte_fallback = flag(m, "byte_fallback", false);
        if ((end && *end) || (sub && *sub))
            return unknown(l, "BPE model with", "a word suffix or subword prefix");
    } else if (strcmp(type, "Unigram") == 0) {
        t->kind = TOK_UNIGRAM;
        if (flag(m, "byte_fallback", false))
            return unknown(l, "Unigram model with", "byte_fallback");
    } else if (strcmp(type, "WordPiece") == 0) {
        const json_t *most = json_object_get(m, "max_input_chars_per_word");
        t->kind = TOK_WORDPIECE;
        t->max_word_chars = json_is_integer(most) && json_integer_value(most) > 0
                                ? (size_t)json_integer_value(most)
                                : 100;
        t->clean_spaces = true;
    } else {
        return unknown(l, "model", type);
    }
    return LF_OK;
}

static lf_status load(loader *l)
{
    lf_tokenizer *t = l->t;
    l->model = json_object_get(l->root, "model");
    if (!json_is_object(l->model))
        return lf_fail(l->err, LF_ERR_FORMAT, "tokenizer.json has no model");
    t->bos = t->eos = t->unk = t->sep = t->pad = -1;
    lf_status st = set_kind(l);
    if (st == LF_OK)
        st = read_normalizer(l, json_object_get(l->root, "normalizer"));
    if (st == LF_OK)
        st = read_pre(l, json_object_get(l->root, "pre_tokenizer"));
    if (st == LF_OK)
        st = read_vocab(l);
    if (st == LF_OK && t->kind == TOK_BPE)
        st = read_merges(l);
    if (st == LF_OK)
        st = read_specials(l);
    if (st == LF_OK && t->kind == TOK_UNIGRAM)
        tok_unigram_prepare(t);
    return st;
}

static lf_status read_json(const char *dir, const char *name, json_t **out, lf_err *err)
{
    lf_buf path = { 0 }, text = { 0 };
    lf_buf_addf(&path, "%s/%s", dir, name);
    lf_status st = path.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a path")
                               : lf_file_read(lf_buf_cstr(&path), FILE_MAX_BYTES, &text, err);
    if (st == LF_OK)
        st = lf_json_parse(lf_buf_cstr(&text), text.len, lf_buf_cstr(&path), out, err);
    lf_buf_release(&text);
    lf_buf_release(&path);
    return st;
}

lf_status lf_tokenizer_from_json(const json_t *tokenizer, const json_t *config, lf_tokenizer **out,
                                 lf_err *err)
{
    loader l = { .root = tokenizer, .config = config, .err = err };
    l.t = lf_calloc(1, sizeof(*l.t));
    if (!l.t)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a tokenizer");
    lf_status st = load(&l);
    if (st == LF_OK) {
        *out = l.t;
        l.t = NULL;
    }
    lf_free(l.texts);
    lf_buf_release(&l.scratch);
    lf_tokenizer_close(l.t);
    return st;
}

lf_status lf_tokenizer_from_dir(const char *dir, lf_tokenizer **out, lf_err *err)
{
    json_t *root = NULL, *config = NULL;
    lf_err no_config = { 0 };
    lf_status st = read_json(dir, "tokenizer.json", &root, err);
    if (st == LF_OK) {
        st = read_json(dir, "tokenizer_config.json", &config, &no_config);
        if (st == LF_ERR_NOT_FOUND)
            st = LF_OK; /* it is optional */
        else if (st != LF_OK)
            st = lf_fail(err, st, "%s", no_config.msg);
    }
    if (st == LF_OK)
        st = lf_tokenizer_from_json(root, config, out, err);
    json_decref(root);
    json_decref(config);
    return st;
}

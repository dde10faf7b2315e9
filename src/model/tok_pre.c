/* model/tok_pre.c - cutting text into words before byte-pair encoding.
 *
 * Every BPE model was trained on text that was first cut by its own patterns,
 * and encodes differently when it is cut otherwise.  A GGUF file names the
 * family; the patterns below are the published ones of those models' tokenizer
 * files (one line a step: each step cuts the words of the one before it). */
#include <string.h>

#include "base/mem.h"
#include "model/tok_int.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAIL         "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define WORDS_THEN(numbers)                                                                        \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" TAIL
#define LLAMA3 WORDS_THEN("\\p{N}{1,3}")
#define QWEN2  WORDS_THEN("\\p{N}")

/* Words with one change of case: "HelloWorld" is two. */
#define UPPER "\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}"
#define LOWER "\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}"
#define CASED(and, ending)                                                                         \
    "[^\\r\\n\\p{L}\\p{N}]?[" UPPER and "]*[" LOWER and                                            \
        "]+" ending "|[^\\r\\n\\p{L}\\p{N}]?[" UPPER and "]+[" LOWER and "]*" ending
#define O200K  CASED("", CONTRACTIONS "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" TAIL
#define TEKKEN CASED("", "") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" TAIL

#define CJK "[\\u4E00-\\u9FA5\\u3040-\\u309F\\u30A0-\\u30FF]+"
#define DEEPSEEK3                                                                                  \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" TAIL
#define OLD_CJK "[\\u4E00-\\u9FA5\\u0800-\\u4E00\\uAC00-\\uD7FF]+"

/* The cased letters that the first DeepSeek tokenizer lists one by one. */
#define DEEPSEEK_LETTERS                                                                                                                 \
    "\\s?[A-Za-z\\u00B5\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u01BA\\u01BC-\\u01BF\\u01C4-"                                             \
    "\\u0293\\u0295-\\u02AF\\u0370-\\u0373\\u0376\\u0377\\u037B-\\u037D\\u037F\\u0386\\u0388-"                                           \
    "\\u038A\\u038C\\u038E-\\u03A1\\u03A3-\\u03F5\\u03F7-\\u0481\\u048A-\\u052F\\u0531-"                                                 \
    "\\u0556\\u10A0-\\u10C5\\u13A0-\\u13F5\\u13F8-\\u13FD\\u1C90-\\u1CBA\\u1CBD-\\u1CBF"                                                 \
    "\\u1D00-\\u1D2B\\u1D6B-\\u1D77\\u1D79-\\u1D9A\\u1E00-\\u1F15\\u1F18-\\u1F1D\\u1F20-"                                                \
    "\\u1F45\\u1F48-\\u1F4D\\u1F50-\\u1F57\\u1F59\\u1F5B\\u1F5D\\u1F5F-\\u1F7D\\u1F80-\\u1FB4"                                           \
    "\\u1FB6-\\u1FBC\\u1FBE\\u1FC2-\\u1FC4\\u1FC6-\\u1FCC\\u1FD0-\\u1FD3\\u1FD6-\\u1FDB"                                                 \
    "\\u1FE0-\\u1FEC\\u1FF2-\\u1FF4\\u1FF6-\\u1FFC\\u2102\\u2107\\u210A-\\u2113\\u2115\\u2119"                                           \
    "-\\u211D\\u2124\\u2126\\u2128\\u212A-\\u212D\\u212F-\\u2134\\u2139\\u213C-\\u213F\\u2145"                                           \
    "-\\u2149\\u214E\\u2183\\u2184\\u2C00-\\u2C7B\\u2C7E-\\u2CE4\\u2CEB-\\u2CEE\\u2CF2\\u2CF3"                                           \
    "\\uA640-\\uA66D\\uA680-\\uA69B\\uA722-\\uA76F\\uA771-\\uA787\\uA78B-\\uA78E\\uAB70-"                                                \
    "\\uABBF\\uFB00-\\uFB06\\uFB13-\\uFB17\\uFF21-\\uFF3A\\uFF41-\\uFF5A𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃" \
    "]+"

#define BLOOM " ?[^(\\s|.,!?\\u2026\\u3002\\uFF0C\\u3001\\u0964\\u06D4\\u060C)]+"

enum { F_IGNORE_MERGES = 1, F_CLEAN = 2, F_ADD_BOS = 4, F_PLAIN = 8 };

typedef struct family {
    const char *names; /* separated by spaces */
    unsigned flags;
    const char *step[TOK_MAX_STEPS];
} family;

static const family families[] = {
    { "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert "
      "jina-v1-en jina-v2-code roberta-bpe mpt olmo jais trillion granite-docling exaone4",
      F_CLEAN,
      { GPT2 } },
    { "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
      F_IGNORE_MERGES | F_CLEAN | F_ADD_BOS,
      { LLAMA3 } },
    { "dbrx smaug-bpe glm4 chatglm-bpe", F_CLEAN, { LLAMA3 } },
    { "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez hunyuan solar-open grok-2 stablelm2",
      0,
      { QWEN2 } },
    { "qwen35",
      0,
      { CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                     "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" TAIL } },
    { "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
      0,
      { "\\p{N}", GPT2 } },
    { "falcon", F_CLEAN, { "[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]" } },
    { "deepseek-llm",
      0,
      { "[\\r\\n]", DEEPSEEK_LETTERS,
        "\\s?[!-/:-~\\uFF01-\\uFF0F\\uFF1A-\\uFF5E\\u2018-\\u201F\\u3000-\\u3002]+", "\\s+$",
        OLD_CJK, "\\p{N}+" } },
    { "deepseek-coder", 0, { "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", OLD_CJK, "\\p{N}" } },
    { "deepseek-v3 hunyuan-dense joyai-llm hy_v4", 0, { "\\p{N}{1,3}", CJK, DEEPSEEK3 } },
    { "gpt-4o llama4 kanana2 talkie minimax-m2", 0, { O200K } },
    { "granite-embed-multi-97m", F_IGNORE_MERGES, { O200K } },
    { "tekken", F_IGNORE_MERGES | F_ADD_BOS, { TEKKEN } },
    { "tiny_aya cohere2moe", 0, { "\\d{1,3}(?=(?:\\d{3})*\\b)", O200K } },
    { "kimi-k2",
      0,
      { "[\\p{Han}]+|" CASED("&&[^\\p{Han}]",
                             CONTRACTIONS "?") "|\\p{N}{1,3}| "
                                               "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" TAIL } },
    { "bailingmoe bailingmoe2 llada-moe",
      0,
      { "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| "
        "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+" } },
    { "seed-coder",
      0,
      { CONTRACTIONS
        "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" TAIL } },
    { "poro-chat bloom gpt3-finnish", 0, { BLOOM } },
    { "viking", 0, { BLOOM, "\\p{N}" } },
    { "superbpe", 0, { "\\p{N}+", "(?=(\\d{3})+(?!\\d))" } },
    { "minicpm5", F_IGNORE_MERGES, { "\\p{N}{1,3}", WORDS_THEN("\\p{N}+") } },
    { "gemma4 granite-embed-multi-311m sarvam-moe", F_PLAIN, { "[^\\n]+|[\\n]+" } },
    { "default", F_CLEAN, { "[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]" } },
};

static bool has_name(const char *names, lf_str name)
{
    for (const char *p = names; *p;) {
        const size_t n = strcspn(p, " ");
        if (n == name.len && memcmp(p, name.p, n) == 0)
            return true;
        p += n + (p[n] == ' ');
    }
    return false;
}

lf_status tok_pre_add(lf_tokenizer *t, const char *pattern, size_t n_bytes, tok_split_mode mode,
                      lf_err *err)
{
    if (t->n_steps == TOK_MAX_STEPS)
        return lf_fail(err, LF_ERR_LIMIT, "tokenizer: more than %d splitting rules", TOK_MAX_STEPS);
    tok_step *s = &t->step[t->n_steps];
    lf_status st = tok_re_open(pattern, n_bytes, &s->re, err);
    if (st == LF_OK) {
        s->mode = mode;
        t->n_steps++;
    }
    return st;
}

lf_status tok_pre_family(lf_tokenizer *t, lf_str name, lf_err *err)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        const family *f = &families[i];
        if (!has_name(f->names, name))
            continue;
        t->ignore_merges = (f->flags & F_IGNORE_MERGES) != 0;
        t->clean_spaces = (f->flags & F_CLEAN) != 0;
        t->byte_level = (f->flags & F_PLAIN) == 0;
        t->escape_spaces = !t->byte_level;
        if (f->flags & F_ADD_BOS)
            t->n_prefix = 1; /* what it is, the file says */
        for (size_t k = 0; k < TOK_MAX_STEPS && f->step[k]; k++) {
            lf_status st = tok_pre_add(t, f->step[k], strlen(f->step[k]), TOK_ISOLATED, err);
            if (st != LF_OK)
                return st;
        }
        return LF_OK;
    }
    return lf_fail(err, LF_ERR_UNSUPPORTED,
                   "tokenizer.ggml.pre is '%.*s': this program knows no such pre-tokenizer",
                   (int)(name.len > 64 ? 64 : name.len), name.p);
}

/* ---------------------------------------------------------------- splitting */

typedef struct pieces { /* begin and end of each piece, in code points */
    size_t *at, n;
} pieces;

static lf_status add_piece(tok_work *w, int side, pieces *out, size_t begin, size_t end)
{
    if (begin >= end)
        return LF_OK;
    if (2 * out->n + 2 > w->cap_bounds) {
        /* Both sides grow together: they change places after each step. */
        const size_t cap = w->cap_bounds ? w->cap_bounds * 2 : 256;
        for (int i = 0; i < 2; i++) {
            size_t *p = lf_realloc(w->bounds[i], cap * sizeof(*p));
            if (!p)
                return lf_fail(w->err, LF_ERR_NOMEM, "no memory to split text for the tokenizer");
            w->bounds[i] = p;
        }
        w->cap_bounds = cap;
    }
    out->at = w->bounds[side];
    out->at[2 * out->n] = begin;
    out->at[2 * out->n + 1] = end;
    out->n++;
    return LF_OK;
}

/* Cut the piece [begin, end) by one rule. */
static lf_status split(tok_work *w, const tok_step *s, size_t begin, size_t end, int side,
                       pieces *out)
{
    size_t rest = begin, at = begin, from, to = begin;
    lf_status st = LF_OK;
    while (st == LF_OK && at < end) {
        st = tok_re_find(s->re, &w->stack, w->chars, begin, end, at, &from, &to, w->err);
        if (st != LF_OK || from == SIZE_MAX || from >= end)
            break;
        at = to > from ? to : from + 1;
        switch (s->mode) {
        case TOK_ISOLATED:
            st = add_piece(w, side, out, rest, from);
            if (st == LF_OK)
                st = add_piece(w, side, out, from, to);
            rest = to;
            break;
        case TOK_REMOVED:
            st = add_piece(w, side, out, rest, from);
            rest = to;
            break;
        case TOK_KEPT:
            st = add_piece(w, side, out, from, to);
            rest = end;
            break;
        case TOK_WITH_PREV:
            st = add_piece(w, side, out, rest, to);
            rest = to;
            break;
        case TOK_WITH_NEXT:
            st = add_piece(w, side, out, rest, from);
            rest = from;
            break;
        }
    }
    if (st == LF_OK && s->mode != TOK_KEPT)
        st = add_piece(w, side, out, rest, end);
    return st;
}

lf_status tok_pre_encode(tok_work *w, const char *text, size_t n)
{
    const lf_tokenizer *t = w->t;
    if (t->n_steps == 0)
        return tok_bpe_word(w, text, n);
    lf_status st = tok_grow((void **)&w->chars, &w->cap_chars, n + 1, sizeof(*w->chars), w->err);
    if (st != LF_OK)
        return st;
    const size_t n_chars = tok_chars_of(text, n, w->chars);
    pieces now = { 0 };
    int side = 0;
    st = add_piece(w, side, &now, 0, n_chars);
    for (size_t k = 0; st == LF_OK && k < t->n_steps; k++) {
        pieces next = { 0 };
        for (size_t i = 0; st == LF_OK && i < now.n; i++) {
            const size_t *p = w->bounds[side] + 2 * i;
            st = split(w, &t->step[k], p[0], p[1], !side, &next);
        }
        now = next;
        side = !side;
    }
    for (size_t i = 0; st == LF_OK && i < now.n; i++) {
        const size_t from = w->chars[w->bounds[side][2 * i]].off;
        const size_t to = w->chars[w->bounds[side][2 * i + 1]].off;
        st = tok_bpe_word(w, text + from, to - from);
    }
    return st;
}

/* model/tok_int.h - what the tokenizer's files share.
 *
 * tok_vocab.c   token texts, the table from text to id, special tokens
 * tok_pre.c     splitting text into words before BPE
 * tok_bpe.c     merging: byte-level BPE, BPE over UTF-8, SentencePiece BPE
 * tok_unigram.c SentencePiece Unigram and its normaliser
 * tok_wordpiece.c BERT
 * tok_gguf.c, tok_json.c  the two sources
 *
 * Texts are kept in the form in which they are looked up: bytes for byte-level
 * BPE (the printable stand-ins of the file undone), U+2581 for a space in the
 * SentencePiece kinds, and in WordPiece U+2581 before what begins a word.
 */
#ifndef LF_MODEL_TOK_INT_H
#define LF_MODEL_TOK_INT_H

#include "base/json.h"
#include "model/tok_regex.h"
#include "model/tokenizer.h"

enum {
    TOK_MAX_VOCAB = 1 << 20, /* ids fit 20 bits: see the pair table */
    TOK_MAX_MERGES = 1 << 24,
    TOK_MAX_STEPS = 8,     /* splitting rules in a row */
    TOK_MAX_AROUND = 8,    /* tokens put before or after a text */
    TOK_MAX_TEXT = 1 << 30 /* bytes encoded in one call */
};

typedef enum tok_kind { TOK_BPE, TOK_SPM, TOK_UNIGRAM, TOK_WORDPIECE } tok_kind;

/* flags of a token; the types are those of GGUF's token_type */
enum {
    TOK_NORMAL = 1,
    TOK_UNKNOWN = 2,
    TOK_CONTROL = 3,
    TOK_USER = 4, /* matched in the text before anything else, and not hidden */
    TOK_UNUSED = 5,
    TOK_BYTE = 6,
    TOK_TYPE = 7,
    TOK_END = 8,     /* ends a generation */
    TOK_LSTRIP = 16, /* takes the white space before it along */
    TOK_RSTRIP = 32,
    TOK_ALWAYS = 64 /* matched whether or not special tokens are parsed (a USER token is too) */
};

typedef struct tok_slot { /* an entry of a text -> id table */
    uint32_t tag;         /* high half of the hash */
    int32_t id;           /* -1 = free */
} tok_slot;

typedef struct tok_table {
    tok_slot *slot;
    uint32_t mask; /* number of slots - 1 */
} tok_table;

typedef enum tok_split_mode {
    TOK_ISOLATED,  /* matches and the gaps between them are words */
    TOK_REMOVED,   /* gaps are words, matches are dropped */
    TOK_KEPT,      /* matches are words, gaps are dropped */
    TOK_WITH_PREV, /* a match joins the gap before it */
    TOK_WITH_NEXT
} tok_split_mode;

typedef struct tok_step {
    tok_re *re;
    tok_split_mode mode;
} tok_step;

/* A normaliser: replacements by code point, or SentencePiece's charsmap. */
typedef struct tok_norm {
    uint32_t *map;    /* sorted code points, owned */
    uint32_t *map_at; /* n_map + 1 offsets into map_out */
    uint32_t *map_out;
    size_t n_map;
    uint8_t *blob; /* charsmap: trie units, then replacement strings; owned */
    size_t trie_units, blob_len, text_at;
} tok_norm;

struct lf_tokenizer {
    tok_kind kind;
    size_t n_vocab;
    char *blob;    /* all texts */
    uint32_t *off; /* n_vocab + 1 offsets into blob */
    uint8_t *flags;
    float *score;         /* SPM and Unigram, else NULL */
    tok_table words;      /* tokens that text can become */
    tok_table specials;   /* control, unknown and user-defined tokens */
    uint8_t *special_len; /* for each first byte the lengths that occur, longest first */
    uint16_t special_at[257];
    int32_t byte_id[256]; /* the token of a single byte, -1 = none */
    int32_t bos, eos, unk, sep, pad;
    int32_t prefix[TOK_MAX_AROUND], suffix[TOK_MAX_AROUND]; /* of add_special */
    size_t n_prefix, n_suffix;

    /* BPE and SPM */
    bool byte_level;          /* texts are bytes; otherwise UTF-8 with byte fallback */
    bool ignore_merges;       /* a word that is a token is that token */
    bool escape_spaces;       /* ' ' becomes U+2581 */
    bool dummy_prefix;        /* a space before the text */
    bool prefix_once;         /* only at the very start of the text */
    bool prefix_unless_space; /* not where a space stands already */
    bool byte_prefix_space;   /* byte-level: the same with a plain space */
    bool head_marks;          /* U+2581 stands only at the head of tokens: split there */
    bool fuse_unk;
    uint64_t *pairs; /* left << 44 | right << 24 | rank, UINT64_MAX = free */
    uint32_t pair_mask;
    int32_t *merged; /* id by rank */
    size_t n_merges;
    tok_step step[TOK_MAX_STEPS];
    size_t n_steps;
    bool nfc, nfkc; /* normalise first (tokenizer.json) */

    /* Unigram */
    tok_norm norm;
    bool any_space;      /* all white space of Unicode counts as a space */
    bool squeeze_spaces; /* runs become one, ends are trimmed */
    float unk_score;
    size_t max_len; /* longest text in bytes */

    /* WordPiece */
    bool lowercase, strip_accents, cjk_spaces, clean_text;
    size_t max_word_chars;
    bool strip_decode; /* detokenizing drops one leading space */
    bool clean_spaces; /* ... and spaces before punctuation */
};

static inline lf_str tok_text(const lf_tokenizer *t, int32_t id)
{
    return (lf_str){ t->blob + t->off[id], t->off[id + 1] - t->off[id] };
}
static inline int tok_type(const lf_tokenizer *t, int32_t id)
{
    return t->flags[id] & TOK_TYPE;
}

/* tok_vocab.c */

/* A running hash, so that all prefixes of a text are hashed in one pass. */
#define TOK_HASH_START 0xCBF29CE484222325ull
static inline uint64_t tok_hash_add(uint64_t h, unsigned char c)
{
    return (h ^ c) * 0x100000001B3ull;
}
static inline uint64_t tok_hash_end(uint64_t h)
{
    h ^= h >> 32;
    h *= 0x9E3779B97F4A7C15ull;
    return h ^ (h >> 29);
}
int32_t tok_lookup_hash(const lf_tokenizer *t, const tok_table *tab, uint64_t hash, const char *p,
                        size_t n);
int32_t tok_lookup(const lf_tokenizer *t, const tok_table *tab, const char *p, size_t n);

/* Take the vocabulary over: `texts` are copied (for byte-level BPE decoded),
 * `flags` and `score` (may be NULL) become the tokenizer's.  All other fields
 * of `t` that say how texts are kept are to be set before. */
LF_MUST_CHECK lf_status tok_vocab_set(lf_tokenizer *t, const lf_str *texts, size_t n, lf_err *err);
/* After flags are final: the tables, byte tokens and end tokens. */
LF_MUST_CHECK lf_status tok_vocab_index(lf_tokenizer *t, lf_err *err);
/* Undo the printable stand-ins of byte-level BPE; false: not such a text. */
bool tok_bytes_of(lf_str text, lf_buf *out);
/* Add "<|im_end|>" and its like to the end-of-generation tokens. */
void tok_mark_ends(lf_tokenizer *t);
/* The special token at text[0..n), with its length; -1 = none. */
int32_t tok_special_at(const lf_tokenizer *t, const char *p, size_t n, bool parse_special,
                       size_t *len);

/* tok_pre.c */
LF_MUST_CHECK lf_status tok_pre_family(lf_tokenizer *t, lf_str name, lf_err *err);
LF_MUST_CHECK lf_status tok_pre_add(lf_tokenizer *t, const char *pattern, size_t n_bytes,
                                    tok_split_mode mode, lf_err *err);

/* What one encode call works with; released whole at its end. */
typedef struct tok_work {
    const lf_tokenizer *t;
    lf_tokens *out;
    lf_err *err;
    tok_char *chars;
    size_t cap_chars;
    size_t *bounds[2]; /* word boundaries between steps, as pairs of char indices */
    size_t cap_bounds;
    tok_re_stack stack;
    struct tok_sym *sym;
    size_t cap_sym;
    struct tok_heap_item *heap;
    size_t n_heap, cap_heap;
    lf_buf form, norm, text; /* in the order in which they are made of each other */
    struct tok_best *best;
    size_t cap_best;
    struct tok_memo *memo; /* words met before in this call */
} tok_work;
void tok_work_release(tok_work *w);
LF_MUST_CHECK lf_status tok_emit(tok_work *w, int32_t id);
LF_MUST_CHECK lf_status tok_grow(void **p, size_t *cap, size_t need, size_t item_bytes,
                                 lf_err *err);

/* Split text and hand each word to tok_bpe_word. */
LF_MUST_CHECK lf_status tok_pre_encode(tok_work *w, const char *text, size_t n);

/* tok_bpe.c */
LF_MUST_CHECK lf_status tok_memo_open(tok_work *w);
LF_MUST_CHECK lf_status tok_bpe_word(tok_work *w, const char *p, size_t n);
LF_MUST_CHECK lf_status tok_spm_text(tok_work *w, const char *text, size_t n, bool at_start);
/* Merges "a b" in order of rank; the pair table and `merged`. */
LF_MUST_CHECK lf_status tok_merges_begin(lf_tokenizer *t, size_t n, lf_err *err);
LF_MUST_CHECK lf_status tok_merges_add(lf_tokenizer *t, lf_str left, lf_str right, size_t rank,
                                       lf_buf *scratch, lf_err *err);
void tok_find_head_marks(lf_tokenizer *t);

/* tok_unigram.c */
LF_MUST_CHECK lf_status tok_unigram_text(tok_work *w, const char *text, size_t n);
LF_MUST_CHECK lf_status tok_norm_charsmap(tok_norm *m, const uint8_t *data, size_t n, lf_err *err);
LF_MUST_CHECK lf_status tok_norm_map(tok_norm *m, const int32_t *v, size_t n, lf_err *err);
void tok_norm_release(tok_norm *m);
void tok_norm_apply(const tok_norm *m, const char *text, size_t n, lf_buf *out);
void tok_unigram_prepare(lf_tokenizer *t);

/* tok_wordpiece.c */
LF_MUST_CHECK lf_status tok_wordpiece_text(tok_work *w, const char *text, size_t n);

#endif

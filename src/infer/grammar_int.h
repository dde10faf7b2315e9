/* infer/grammar_int.h - compiled rules, between grammar.c and matcher.c. */
#ifndef LF_INFER_GRAMMAR_INT_H
#define LF_INFER_GRAMMAR_INT_H

#include "infer/grammar.h"

/* One item of a sequence.  Sequences lie one after the other, each closed by an
 * ITEM_END. */
typedef enum item_kind { ITEM_END, ITEM_BYTES, ITEM_RULE } item_kind;

typedef struct item {
    uint8_t kind;
    uint32_t ref; /* ITEM_BYTES: a byte set; ITEM_RULE: a rule */
} item;

typedef struct byte_set {
    uint64_t bits[4];
} byte_set;

static inline bool byte_set_has(const byte_set *s, unsigned b)
{
    return s->bits[b >> 6] >> (b & 63) & 1;
}

static inline void byte_set_add(byte_set *s, unsigned from, unsigned to)
{
    for (unsigned b = from; b <= to; b++)
        s->bits[b >> 6] |= UINT64_C(1) << (b & 63);
}

typedef struct rule {
    char *name;     /* owned; NULL for the rules that groups and quantifiers made */
    uint32_t *alts; /* first item of each alternative */
    uint32_t n_alts, cap_alts;
    bool defined;
} rule;

struct lf_grammar {
    int32_t refs; /* atomic */
    item *items;
    size_t n_items, cap_items;
    rule *rules;
    size_t n_rules, cap_rules;
    byte_set *sets;
    size_t n_sets, cap_sets;
    uint32_t root;
    /* Bytes that no set tells apart are one class. */
    uint8_t class_of[256], example[256];
    uint32_t n_classes;
};

/* grammar_utf8.c: the sequences of byte ranges that spell the code points lo..hi
 * (surrogates left out).  emit gets n_bytes ranges from[i]..to[i]; false stops. */
typedef bool utf8_ranges_fn(void *ud, const uint8_t *from, const uint8_t *to, int n_bytes);
bool lf_utf8_ranges(uint32_t lo, uint32_t hi, utf8_ranges_fn *emit, void *ud);

#endif

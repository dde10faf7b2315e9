/* model/tok_vocab.c - token texts, the tables from text to id, special tokens.
 *
 * A start of the program waits for this, so it makes no allocation per token:
 * all texts go into one block, and a table is open addressing over 8-byte slots
 * that hold half of the hash.  A miss is decided by the slots alone. */
#include <string.h>

#include "base/mem.h"
#include "model/tok_int.h"
#include "text/utf8.h"

static uint64_t hash_of(const char *p, size_t n)
{
    uint64_t h = TOK_HASH_START;
    for (size_t i = 0; i < n; i++)
        h = tok_hash_add(h, (unsigned char)p[i]);
    return tok_hash_end(h);
}

int32_t tok_lookup_hash(const lf_tokenizer *t, const tok_table *tab, uint64_t hash, const char *p,
                        size_t n)
{
    if (!tab->slot)
        return -1;
    const uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & tab->mask;; i = (i + 1) & tab->mask) {
        const tok_slot s = tab->slot[i];
        if (s.id < 0)
            return -1;
        if (s.tag == tag) {
            const lf_str text = tok_text(t, s.id);
            if (text.len == n && memcmp(text.p, p, n) == 0)
                return s.id;
        }
    }
}

int32_t tok_lookup(const lf_tokenizer *t, const tok_table *tab, const char *p, size_t n)
{
    return tok_lookup_hash(t, tab, hash_of(p, n), p, n);
}

/* The stand-ins: printable Latin-1 characters are themselves; the other bytes
 * are U+0100 and up in order (the GPT-2 byte alphabet). */
static int byte_of_stand_in(uint32_t cp)
{
    if ((cp >= 0x21 && cp <= 0x7E) || (cp >= 0xA1 && cp <= 0xAC) || (cp >= 0xAE && cp <= 0xFF))
        return (int)cp;
    if (cp < 0x100 || cp > 0x143)
        return -1;
    const uint32_t k = cp - 0x100;
    if (k <= 0x20)
        return (int)k;
    if (k <= 0x20 + 34)
        return (int)(0x7F + k - 0x21);
    return 0xAD;
}

bool tok_bytes_of(lf_str text, lf_buf *out)
{
    const size_t start = out->len;
    const char *p = text.p, *end = text.p + text.len;
    while (p < end) {
        const int b = byte_of_stand_in((unsigned char)*p < 128 ? (uint32_t)(unsigned char)*p++
                                                               : lf_utf8_next(&p, end));
        if (b < 0) {
            if (out->data)
                out->data[out->len = start] = '\0';
            return false;
        }
        lf_buf_add_char(out, (char)b);
    }
    return true;
}

/* Decode into dst, which has room for text.len bytes; false: not stand-ins. */
static bool bytes_into(lf_str text, char *dst, size_t *n)
{
    const char *p = text.p, *end = text.p + text.len;
    size_t k = 0;
    while (p < end) {
        const unsigned char c = (unsigned char)*p;
        if (c > 0x20 && c < 0x7F) {
            dst[k++] = *p++;
            continue;
        }
        const int b = byte_of_stand_in(lf_utf8_next(&p, end));
        if (b < 0)
            return false;
        dst[k++] = (char)b;
    }
    *n = k;
    return true;
}

static bool is_plain_text(int type)
{
    return type == TOK_NORMAL || type == TOK_UNUSED || type == 0;
}

lf_status tok_vocab_set(lf_tokenizer *t, const lf_str *texts, size_t n, lf_err *err)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (!lf_add_size(total, texts[i].len, &total) || total > UINT32_MAX - 8)
            return lf_fail(err, LF_ERR_LIMIT, "tokenizer: the token texts are over 4 GiB");
    t->n_vocab = n;
    t->blob = lf_alloc(total + 1);
    t->off = lf_alloc((n + 1) * sizeof(*t->off));
    if (!t->blob || !t->off)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a vocabulary of %zu tokens", n);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = texts[i].len;
        t->off[i] = (uint32_t)at;
        if (k == 0)
            continue; /* an id that no piece has: no text at all */
        if (!t->byte_level || !is_plain_text(t->flags[i] & TOK_TYPE) ||
            !bytes_into(texts[i], t->blob + at, &k)) {
            k = texts[i].len;
            memcpy(t->blob + at, texts[i].p, k);
        }
        at += k;
    }
    t->off[n] = (uint32_t)at;
    return LF_OK;
}

static lf_status table_open(tok_table *tab, size_t n, lf_err *err)
{
    size_t cap = 16;
    while (cap * 3 < n * 4) /* at most three quarters full */
        cap *= 2;
    tab->slot = lf_alloc(cap * sizeof(*tab->slot));
    if (!tab->slot)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a table of %zu tokens", n);
    memset(tab->slot, 0xFF, cap * sizeof(*tab->slot));
    tab->mask = (uint32_t)(cap - 1);
    return LF_OK;
}

/* Of two tokens with one text the later stands, as in the reference programs. */
static void table_put(const lf_tokenizer *t, tok_table *tab, int32_t id)
{
    const lf_str text = tok_text(t, id);
    if (text.len == 0)
        return;
    const uint64_t hash = hash_of(text.p, text.len);
    const uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & tab->mask;; i = (i + 1) & tab->mask) {
        tok_slot *s = &tab->slot[i];
        const bool same = s->id >= 0 && s->tag == tag && lf_str_eq(tok_text(t, s->id), text);
        if (s->id < 0 || same) {
            *s = (tok_slot){ .tag = tag, .id = id };
            return;
        }
    }
}

static bool is_special(int type)
{
    return type == TOK_CONTROL || type == TOK_UNKNOWN || type == TOK_USER;
}

/* Per first byte, which lengths special tokens have: a text is then searched
 * with one table probe for each length that is possible at that byte. */
static lf_status index_lengths(lf_tokenizer *t, lf_err *err)
{
    static const size_t max_len = 255;
    uint8_t(*seen)[32] = lf_calloc(256, sizeof(*seen)); /* a bit per length */
    size_t n = 0;
    if (!seen)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for special tokens");
    for (size_t i = 0; i < t->n_vocab; i++) {
        const lf_str s = tok_text(t, (int32_t)i);
        if (!is_special(t->flags[i] & TOK_TYPE) || s.len == 0 || s.len > max_len)
            continue;
        uint8_t *row = seen[(unsigned char)s.p[0]];
        if (!(row[s.len >> 3] & (1u << (s.len & 7)))) {
            row[s.len >> 3] |= (uint8_t)(1u << (s.len & 7));
            n++;
        }
    }
    t->special_len = lf_alloc(n ? n : 1);
    if (!t->special_len) {
        lf_free(seen);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for special tokens");
    }
    n = 0;
    for (size_t b = 0; b < 256; b++) {
        t->special_at[b] = (uint16_t)n;
        for (size_t len = max_len; len > 0; len--)
            if (seen[b][len >> 3] & (1u << (len & 7)))
                t->special_len[n++] = (uint8_t)len;
    }
    t->special_at[256] = (uint16_t)n;
    lf_free(seen);
    return LF_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* "<0x0A>" */
static int byte_token(lf_str s)
{
    if (s.len != 6 || memcmp(s.p, "<0x", 3) != 0 || s.p[5] != '>')
        return -1;
    const int hi = hex_digit(s.p[3]), lo = hex_digit(s.p[4]);
    return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

static void index_bytes(lf_tokenizer *t)
{
    for (size_t b = 0; b < 256; b++) {
        const char c = (char)b;
        t->byte_id[b] = t->byte_level ? tok_lookup(t, &t->words, &c, 1) : -1;
    }
    if (t->byte_level)
        return;
    for (size_t i = 0; i < t->n_vocab; i++) {
        const int b =
            tok_type(t, (int32_t)i) == TOK_BYTE ? byte_token(tok_text(t, (int32_t)i)) : -1;
        if (b >= 0)
            t->byte_id[b] = (int32_t)i;
    }
}

lf_status tok_vocab_index(lf_tokenizer *t, lf_err *err)
{
    size_t n_words = 0, n_specials = 0;
    t->max_len = 0;
    for (size_t i = 0; i < t->n_vocab; i++) {
        const int type = t->flags[i] & TOK_TYPE;
        n_words += is_plain_text(type) || type == TOK_USER;
        n_specials += is_special(type);
    }
    lf_status st = table_open(&t->words, n_words, err);
    if (st == LF_OK)
        st = table_open(&t->specials, n_specials, err);
    if (st == LF_OK)
        st = index_lengths(t, err);
    if (st != LF_OK)
        return st;
    for (size_t i = 0; i < t->n_vocab; i++) {
        const int type = t->flags[i] & TOK_TYPE;
        if (is_plain_text(type) || type == TOK_USER) {
            table_put(t, &t->words, (int32_t)i);
            const size_t len = t->off[i + 1] - t->off[i];
            t->max_len = len > t->max_len ? len : t->max_len;
        }
        if (is_special(type))
            table_put(t, &t->specials, (int32_t)i);
    }
    index_bytes(t);
    return LF_OK;
}

void tok_mark_ends(lf_tokenizer *t)
{
    static const char *const ends[] = {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "<|eom_id|>",
        "<EOT>",
        "[EOT]",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<|end_of_turn|>",
        "<turn|>",
        ("<\xEF\xBD\x9C"
         "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"),
    };
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const int32_t id = tok_lookup(t, &t->specials, ends[i], strlen(ends[i]));
        if (id >= 0 && tok_type(t, id) != TOK_UNKNOWN)
            t->flags[id] |= TOK_END;
    }
    /* In the "harmony" format <|end|> closes one message of several. */
    const int32_t end = tok_lookup(t, &t->specials, "<|end|>", 7);
    if (end >= 0 && tok_lookup(t, &t->specials, "<|return|>", 10) >= 0 &&
        tok_lookup(t, &t->specials, "<|call|>", 8) >= 0)
        t->flags[end] &= (uint8_t)~TOK_END;
    if (t->eos >= 0)
        t->flags[t->eos] |= TOK_END;
}

int32_t tok_special_at(const lf_tokenizer *t, const char *p, size_t n, bool parse_special,
                       size_t *len)
{
    const unsigned char first = (unsigned char)p[0];
    for (size_t i = t->special_at[first]; i < t->special_at[first + 1]; i++) {
        const size_t k = t->special_len[i];
        if (k > n)
            continue;
        const int32_t id = tok_lookup(t, &t->specials, p, k);
        if (id < 0)
            continue;
        if (!parse_special && tok_type(t, id) != TOK_USER && !(t->flags[id] & TOK_ALWAYS))
            continue;
        *len = k;
        return id;
    }
    return -1;
}

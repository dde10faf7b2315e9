/* model/tok_wordpiece.c - BERT's tokenizer (Devlin et al. 2018, arXiv:1810.04805).
 *
 * Clean (no control characters), put spaces around CJK ideographs, lower-case
 * and strip accents where the model says so, cut at white space and around each
 * punctuation mark; then take from each word the longest token again and again.
 * A word that can't be covered, or is longer than max_word_chars, is unknown. */
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "model/tok_int.h"
#include "text/utf8.h"

static bool is_cjk(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* General category P, and the ASCII symbols that BERT counts with it. */
static bool is_punct(uint32_t c)
{
    if (c < 128)
        return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
               (c >= 123 && c <= 126);
    const utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
    return cat >= UTF8PROC_CATEGORY_PC && cat <= UTF8PROC_CATEGORY_PO;
}

/* Unassigned code points stay, as in the tokenizers library. */
static bool is_dropped(uint32_t c)
{
    if (c == 0 || c == 0xFFFD)
        return true;
    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    const utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
    return cat == UTF8PROC_CATEGORY_CC || cat == UTF8PROC_CATEGORY_CF ||
           cat == UTF8PROC_CATEGORY_CO || cat == UTF8PROC_CATEGORY_CS;
}

/* One code point into the normal form: decomposed without its accents, lower case. */
static void add_folded(const lf_tokenizer *t, uint32_t c, lf_buf *out)
{
    utf8proc_int32_t parts[16] = { (utf8proc_int32_t)c };
    utf8proc_ssize_t n = 1;
    char utf8[4];
    if (t->strip_accents && c >= 128) {
        int boundclass = 0;
        n = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 16, UTF8PROC_DECOMPOSE,
                                    &boundclass);
        if (n < 1 || n > 16) {
            parts[0] = (utf8proc_int32_t)c;
            n = 1;
        }
    }
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        if (t->strip_accents && utf8proc_category(parts[i]) == UTF8PROC_CATEGORY_MN)
            continue;
        const utf8proc_int32_t cp = t->lowercase ? utf8proc_tolower(parts[i]) : parts[i];
        lf_buf_add(out, utf8, lf_utf8_put((uint32_t)cp, utf8));
    }
}

/* `word` is U+2581 and the word's text. */
static lf_status emit_word(tok_work *w, const lf_buf *word)
{
    const lf_tokenizer *t = w->t;
    const size_t n = word->len, start = w->out->n;
    if (n <= 3)
        return LF_OK;
    if (lf_utf8_count(word->data + 3, n - 3) > t->max_word_chars)
        return tok_emit(w, t->unk);
    lf_status st = LF_OK;
    for (size_t at = 0; st == LF_OK && at < n;) {
        size_t len = n - at < t->max_len ? n - at : t->max_len;
        int32_t id = -1;
        for (; len > 0; len--) {
            if (at + len < n && ((unsigned char)word->data[at + len] & 0xC0) == 0x80)
                continue; /* inside a character */
            if (at == 0 && len <= 3)
                break; /* the mark alone is no token */
            id = tok_lookup(t, &t->words, word->data + at, len);
            if (id >= 0)
                break;
        }
        if (id < 0) {
            w->out->n = start;
            return tok_emit(w, t->unk);
        }
        st = tok_emit(w, id);
        at += len;
    }
    return st;
}

static void begin_word(lf_buf *word)
{
    lf_buf_clear(word);
    lf_buf_add(word, "\xE2\x96\x81", 3);
}

lf_status tok_wordpiece_text(tok_work *w, const char *text, size_t n)
{
    const lf_tokenizer *t = w->t;
    const char *p = text, *end = text + n;
    lf_buf *word = &w->text;
    lf_status st = LF_OK;
    begin_word(word);
    while (st == LF_OK && p < end) {
        const uint32_t c = lf_utf8_next(&p, end);
        if (t->clean_text && is_dropped(c))
            continue;
        if (lf_cp_is_space(c)) {
            st = emit_word(w, word);
            begin_word(word);
        } else if (is_punct(c) || (t->cjk_spaces && is_cjk(c))) {
            st = emit_word(w, word);
            begin_word(word);
            add_folded(t, c, word);
            if (st == LF_OK)
                st = emit_word(w, word);
            begin_word(word);
        } else {
            add_folded(t, c, word);
        }
        if (word->failed)
            return lf_fail(w->err, LF_ERR_NOMEM, "no memory to tokenize %zu bytes", n);
    }
    return st == LF_OK ? emit_word(w, word) : st;
}

/* model/tokenizer.c - encode and decode, for every kind of tokenizer.
 *
 * A text is first cut at special tokens (leftmost, of several the longest); the
 * stretches between go to the kind's own encoder.  On failure nothing has been
 * appended. */
#include "model/tokenizer.h"

#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "model/tok_int.h"
#include "text/utf8.h"

void lf_tokenizer_close(lf_tokenizer *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n_steps; i++)
        tok_re_close(t->step[i].re);
    tok_norm_release(&t->norm);
    lf_free(t->blob);
    lf_free(t->off);
    lf_free(t->flags);
    lf_free(t->score);
    lf_free(t->words.slot);
    lf_free(t->specials.slot);
    lf_free(t->special_len);
    lf_free(t->pairs);
    lf_free(t->merged);
    lf_free(t);
}

/* ----------------------------------------------------------------- encoding */

lf_status tok_grow(void **p, size_t *cap, size_t need, size_t item_bytes, lf_err *err)
{
    if (!lf_grow(p, cap, need, item_bytes))
        return lf_fail(err, LF_ERR_NOMEM, "no memory to tokenize: %zu items of %zu bytes", need,
                       item_bytes);
    return LF_OK;
}

lf_status tok_emit(tok_work *w, int32_t id)
{
    lf_tokens *o = w->out;
    if (o->n == o->cap) {
        lf_status st = tok_grow((void **)&o->ids, &o->cap, o->n + 1, sizeof(*o->ids), w->err);
        if (st != LF_OK)
            return st;
    }
    o->ids[o->n++] = id;
    return LF_OK;
}

void tok_work_release(tok_work *w)
{
    lf_free(w->chars);
    lf_free(w->bounds[0]);
    lf_free(w->bounds[1]);
    tok_re_stack_release(&w->stack);
    lf_free(w->sym);
    lf_free(w->heap);
    lf_buf_release(&w->form);
    lf_buf_release(&w->text);
    lf_buf_release(&w->norm);
    lf_free(w->best);
    lf_free(w->memo);
}

/* tokenizer.json may ask for a Unicode normal form before anything else. */
static lf_status normal_form(tok_work *w, const char **text, size_t *n)
{
    utf8proc_uint8_t *u = NULL;
    const int form = UTF8PROC_STABLE | UTF8PROC_COMPOSE | (w->t->nfkc ? UTF8PROC_COMPAT : 0);
    bool ascii = true;
    for (size_t i = 0; ascii && i < *n; i++)
        ascii = (unsigned char)(*text)[i] < 128;
    if (ascii || !lf_utf8_valid(*text, *n)) /* nothing to do, or nothing that can be done */
        return LF_OK;
    const utf8proc_ssize_t k = utf8proc_map((const utf8proc_uint8_t *)*text, (utf8proc_ssize_t)*n,
                                            &u, (utf8proc_option_t)form);
    if (k < 0)
        return lf_fail(w->err, LF_ERR_NOMEM, "normalising %zu bytes for the tokenizer: %s", *n,
                       utf8proc_errmsg(k));
    lf_buf_clear(&w->form);
    lf_buf_add(&w->form, u, (size_t)k);
    free(u); /* allocated by utf8proc with malloc */
    if (w->form.failed)
        return lf_fail(w->err, LF_ERR_NOMEM, "no memory to normalise %zu bytes", *n);
    *text = lf_buf_cstr(&w->form);
    *n = (size_t)k;
    return LF_OK;
}

/* Encode text without special tokens; `at_start`: the text's start or after a
 * special token, `first`: the text's start. */
static lf_status encode_plain(tok_work *w, const char *text, size_t n, bool at_start, bool first)
{
    const lf_tokenizer *t = w->t;
    lf_status st = LF_OK;
    if (t->nfc || t->nfkc)
        st = normal_form(w, &text, &n);
    if (st != LF_OK || n == 0)
        return st;
    switch (t->kind) {
    case TOK_SPM:
        return tok_spm_text(w, text, n, t->prefix_once ? first : at_start);
    case TOK_UNIGRAM:
        return tok_unigram_text(w, text, n);
    case TOK_WORDPIECE:
        return tok_wordpiece_text(w, text, n);
    case TOK_BPE:
        break;
    }
    if (!t->escape_spaces && !t->byte_prefix_space)
        return tok_pre_encode(w, text, n);
    lf_buf_clear(&w->text);
    if (t->byte_prefix_space && text[0] != ' ')
        lf_buf_add_char(&w->text, ' ');
    if (t->dummy_prefix && (t->prefix_once ? first : at_start) &&
        !(t->prefix_unless_space && text[0] == ' '))
        lf_buf_add(&w->text, "\xE2\x96\x81", 3);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ' && t->escape_spaces)
            lf_buf_add(&w->text, "\xE2\x96\x81", 3);
        else
            lf_buf_add_char(&w->text, text[i]);
    }
    if (w->text.failed)
        return lf_fail(w->err, LF_ERR_NOMEM, "no memory to tokenize %zu bytes", n);
    return tok_pre_encode(w, w->text.data, w->text.len);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static lf_status encode_all(tok_work *w, const char *text, size_t n, bool parse_special)
{
    const lf_tokenizer *t = w->t;
    lf_status st = LF_OK;
    size_t begin = 0, at = 0;
    bool at_start = true;
    while (st == LF_OK && at < n) {
        const unsigned char c = (unsigned char)text[at];
        size_t len = 0;
        const int32_t id = t->special_at[c] == t->special_at[c + 1]
                               ? -1
                               : tok_special_at(t, text + at, n - at, parse_special, &len);
        if (id < 0) {
            at++;
            continue;
        }
        size_t end = at;
        if (t->flags[id] & TOK_LSTRIP)
            while (end > begin && is_blank(text[end - 1]))
                end--;
        if (end > begin)
            st = encode_plain(w, text + begin, end - begin, at_start, begin == 0);
        if (st == LF_OK)
            st = tok_emit(w, id);
        at += len;
        if (t->flags[id] & TOK_RSTRIP)
            while (at < n && is_blank(text[at]))
                at++;
        begin = at;
        at_start = true;
    }
    if (st == LF_OK && n > begin)
        st = encode_plain(w, text + begin, n - begin, at_start, begin == 0);
    return st;
}

lf_status lf_tokenizer_encode(const lf_tokenizer *t, const char *text, size_t n_bytes,
                              bool add_special, bool parse_special, lf_tokens *out, lf_err *err)
{
    tok_work w = { .t = t, .out = out, .err = err };
    const size_t start = out->n;
    lf_status st = LF_OK;
    if (n_bytes > TOK_MAX_TEXT)
        return lf_fail(err, LF_ERR_LIMIT, "tokenizing %zu bytes: at most %d in one call", n_bytes,
                       TOK_MAX_TEXT);
    if (n_bytes > 256)
        st = tok_memo_open(&w);
    for (size_t i = 0; st == LF_OK && add_special && i < t->n_prefix; i++)
        st = tok_emit(&w, t->prefix[i]);
    if (st == LF_OK)
        st = encode_all(&w, text, n_bytes, parse_special);
    for (size_t i = 0; st == LF_OK && add_special && i < t->n_suffix; i++)
        st = tok_emit(&w, t->suffix[i]);
    if (st != LF_OK)
        out->n = start;
    tok_work_release(&w);
    return st;
}

void lf_tokens_release(lf_tokens *t)
{
    lf_free(t->ids);
    *t = (lf_tokens){ 0 };
}

/* ----------------------------------------------------------------- decoding */

static bool valid(const lf_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->n_vocab;
}

void lf_tokenizer_piece(const lf_tokenizer *t, int32_t id, bool show_special, lf_buf *out)
{
    if (!valid(t, id))
        return;
    const int type = tok_type(t, id);
    const lf_str s = tok_text(t, id);
    if (type == TOK_CONTROL || type == TOK_UNKNOWN || type == TOK_USER) {
        if (show_special || type == TOK_USER)
            lf_buf_add(out, s.p, s.len);
        return;
    }
    if (t->kind == TOK_BPE && t->byte_level) {
        lf_buf_add(out, s.p, s.len);
        return;
    }
    if (type == TOK_BYTE) {
        for (int b = 0; b < 256; b++)
            if (t->byte_id[b] == id)
                lf_buf_add_char(out, (char)b);
        return;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.len - i >= 3 && memcmp(s.p + i, "\xE2\x96\x81", 3) == 0) {
            lf_buf_add_char(out, ' ');
            i += 2;
        } else {
            lf_buf_add_char(out, s.p[i]);
        }
    }
}

/* "word ." -> "word.", as BERT's detokenizer tidies up. */
static void tidy(lf_buf *b, size_t from)
{
    static const char *const close_up[] = { " .",   " ?",  " !",  " ,",   " ' ",
                                            " n't", " 'm", " 's", " 've", " 're" };
    size_t k = from;
    for (size_t i = from; i < b->len;) {
        size_t skip = 0, keep = 0;
        for (size_t j = 0; j < sizeof(close_up) / sizeof(close_up[0]) && !skip; j++) {
            const size_t len = strlen(close_up[j]);
            if (len <= b->len - i && memcmp(b->data + i, close_up[j], len) == 0) {
                skip = len;
                keep = strcmp(close_up[j], " ' ") == 0 ? 1 : len - 1;
            }
        }
        if (skip) {
            memmove(b->data + k, b->data + i + 1, keep);
            k += keep;
            i += skip;
        } else {
            b->data[k++] = b->data[i++];
        }
    }
    b->len = k;
    b->data[k] = '\0';
}

void lf_tokenizer_decode(const lf_tokenizer *t, const int32_t *ids, size_t n, bool show_special,
                         lf_buf *out)
{
    const size_t from = out->len;
    for (size_t i = 0; i < n; i++) {
        const size_t at = out->len;
        lf_tokenizer_piece(t, ids[i], show_special, out);
        const bool first = at == from;
        if (first && out->len > at && out->data[at] == ' ' &&
            (t->strip_decode || t->kind == TOK_WORDPIECE)) {
            memmove(out->data + at, out->data + at + 1, out->len - at);
            out->len--;
        }
    }
    if (t->kind == TOK_WORDPIECE && t->clean_spaces && out->len > from && !out->failed)
        tidy(out, from);
}

/* ------------------------------------------------------------------ queries */

size_t lf_tokenizer_n_vocab(const lf_tokenizer *t)
{
    return t->n_vocab;
}

int32_t lf_tokenizer_bos(const lf_tokenizer *t)
{
    return t->bos;
}

int32_t lf_tokenizer_eos(const lf_tokenizer *t)
{
    return t->eos;
}

int32_t lf_tokenizer_find(const lf_tokenizer *t, const char *piece)
{
    const lf_str s = lf_str_of(piece);
    int32_t id = tok_lookup(t, &t->specials, s.p, s.len);
    if (id >= 0)
        return id;
    if (t->kind == TOK_BPE && t->byte_level) {
        lf_buf b = { 0 };
        if (tok_bytes_of(s, &b) && !b.failed)
            id = tok_lookup(t, &t->words, lf_buf_cstr(&b), b.len);
        lf_buf_release(&b);
        return id;
    }
    id = tok_lookup(t, &t->words, s.p, s.len);
    for (size_t i = 0; id < 0 && s.len == 6 && i < 256; i++)
        if (t->byte_id[i] >= 0 && lf_str_eq(tok_text(t, t->byte_id[i]), s))
            id = t->byte_id[i];
    return id;
}

bool lf_tokenizer_is_end(const lf_tokenizer *t, int32_t id)
{
    return valid(t, id) && (t->flags[id] & TOK_END) != 0;
}

bool lf_tokenizer_is_control(const lf_tokenizer *t, int32_t id)
{
    return valid(t, id) && (tok_type(t, id) == TOK_CONTROL || tok_type(t, id) == TOK_UNKNOWN);
}

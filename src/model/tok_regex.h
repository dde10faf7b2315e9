/* model/tok_regex.h - the regular expressions that tokenizers split text with.
 *
 * Tokenizer files carry their splitting rules as patterns in the dialect of
 * Oniguruma.  This is the part of it that they use: alternation, groups (plain,
 * (?:), (?i:), (?=), (?!)), greedy and possessive repetition, classes with
 * ranges, escapes, \p{..} general categories, \p{Han} and && intersection,
 * \s \S \d \D \w \W, \b, ^ and $ (ends of the text given).
 *
 * Ownership  tok_re_open allocates, tok_re_close frees.  Immutable in between.
 * Errors     LF_ERR_UNSUPPORTED names the construct that is not known;
 *            LF_ERR_LIMIT when a match takes more steps than it may.
 */
#ifndef LF_MODEL_TOK_REGEX_H
#define LF_MODEL_TOK_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct tok_re tok_re;

/* One code point with what the classes ask about it. */
typedef struct tok_char {
    uint32_t cp;
    uint32_t cls; /* 1 << general category, plus TOK_CLS_SPACE or TOK_CLS_NONSPACE */
    uint32_t off; /* byte offset in the text */
} tok_char;

#define TOK_CLS_SPACE    (1u << 30)
#define TOK_CLS_NONSPACE (1u << 31)

uint32_t tok_cls_of(uint32_t cp);

/* Decode text[0..n_bytes) into c[0..n] (room for n_bytes + 1; c[n] is an end
 * mark with off = n_bytes) and return n.  Invalid bytes become U+FFFD each. */
size_t tok_chars_of(const char *text, size_t n_bytes, tok_char *c);

LF_MUST_CHECK lf_status tok_re_open(const char *pattern, size_t n_bytes, tok_re **out, lf_err *err);
void tok_re_close(tok_re *re); /* NULL is a no-op */

/* Scratch of one thread: the stack of alternatives still to try. */
typedef struct tok_re_stack {
    struct tok_re_alt *alt;
    size_t n, cap;
} tok_re_stack;
void tok_re_stack_release(tok_re_stack *s);

/* The first match at or after c[at], seeing c[begin..end) alone: it is
 * c[*from..*to), which may be empty; *from = SIZE_MAX when there is none. */
LF_MUST_CHECK lf_status tok_re_find(const tok_re *re, tok_re_stack *s, const tok_char *c,
                                    size_t begin, size_t end, size_t at, size_t *from, size_t *to,
                                    lf_err *err);

#endif

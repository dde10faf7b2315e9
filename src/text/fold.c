/* text/fold.c - NFKC case folding by utf8proc (Unicode 15, UAX #15 and #31).
 *
 * ASCII and the unified ideographs, nearly all of what is indexed, map to
 * themselves or to lower case and pass by the library. */
#include "text/fold.h"

#include <utf8proc.h>

#include "base/mem.h"
#include "text/utf8.h"

/* U+3400..U+4DBF and U+4E00..U+9FFF have no decomposition, case or mark. */
static bool folds_to_itself(uint32_t cp)
{
    return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF);
}

static uint32_t ascii_lower(uint32_t cp)
{
    return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
}

static bool is_kana_voice_mark(uint32_t cp)
{
    return cp == 0x3099 || cp == 0x309A;
}

size_t lf_cp_fold(uint32_t cp, uint32_t out[LF_CP_FOLD_MAX])
{
    utf8proc_int32_t tmp[LF_CP_FOLD_MAX];
    int last_class = 0;
    if (cp < 0x80 || folds_to_itself(cp)) {
        out[0] = ascii_lower(cp);
        return 1;
    }
    const utf8proc_ssize_t n = utf8proc_decompose_char(
        (utf8proc_int32_t)cp, tmp, LF_CP_FOLD_MAX,
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, &last_class);
    if (n < 0 || n > LF_CP_FOLD_MAX) { /* not assigned: stands for itself */
        out[0] = cp;
        return 1;
    }
    size_t kept = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        const utf8proc_category_t c = utf8proc_category(tmp[i]);
        const bool mark = c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_ME;
        if (!mark || is_kana_voice_mark((uint32_t)tmp[i]))
            out[kept++] = (uint32_t)tmp[i];
    }
    return kept;
}

/* Fold n code points that may interact (marks, jamo): decompose, reorder, compose. */
static lf_status fold_run(const utf8proc_int32_t *cps, size_t n, lf_buf *out, lf_err *err)
{
    lf_status st = LF_OK;
    size_t bytes;
    utf8proc_int32_t *tmp = NULL;
    lf_buf utf8 = { 0 };
    char enc[4];
    for (size_t i = 0; i < n; i++)
        lf_buf_add(&utf8, enc, lf_utf8_put((uint32_t)cps[i], enc));
    /* reencode writes UTF-8 in place: 4 bytes a code point always suffice */
    if (!utf8.failed && lf_mul_size(n, LF_CP_FOLD_MAX * sizeof *tmp, &bytes))
        tmp = lf_alloc(bytes + sizeof *tmp);
    if (!tmp) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to fold %zu characters", n);
        goto done;
    }
    const utf8proc_option_t how =
        (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                            UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
    utf8proc_ssize_t m =
        utf8proc_decompose((const utf8proc_uint8_t *)utf8.data, (utf8proc_ssize_t)utf8.len, tmp,
                           (utf8proc_ssize_t)(n * LF_CP_FOLD_MAX), how);
    if (m >= 0 && m <= (utf8proc_ssize_t)(n * LF_CP_FOLD_MAX))
        m = utf8proc_reencode(tmp, m, how);
    if (m >= 0)
        lf_buf_add(out, tmp, (size_t)m);
    else
        lf_buf_add(out, utf8.data, utf8.len);
done:
    lf_free(tmp);
    lf_buf_release(&utf8);
    return st;
}

enum { RUN_MAX = 256 };

lf_status lf_text_fold(const char *p, size_t n_bytes, lf_buf *out, lf_err *err)
{
    utf8proc_int32_t run[RUN_MAX];
    size_t n = 0;
    const char *const end = p + n_bytes;
    lf_status st = LF_OK;
    while (p < end && st == LF_OK) {
        const uint32_t cp = lf_utf8_next(&p, end);
        /* A simple character ends a run, but the last ASCII letter before a run
         * belongs to it: a mark may follow. */
        const bool next_simple = p == end || (unsigned char)*p < 0x80 ||
                                 ((unsigned char)*p >= 0xE4 && (unsigned char)*p <= 0xE9);
        if ((cp < 0x80 || folds_to_itself(cp)) && n == 0 && next_simple) {
            char enc[4];
            lf_buf_add(out, enc, lf_utf8_put(ascii_lower(cp), enc));
            continue;
        }
        run[n++] = (utf8proc_int32_t)cp;
        if (n < RUN_MAX && !((cp < 0x80 || folds_to_itself(cp)) && next_simple))
            continue;
        st = fold_run(run, n, out, err);
        n = 0;
    }
    if (n && st == LF_OK)
        st = fold_run(run, n, out, err);
    if (out->failed && st == LF_OK)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to fold a text of %zu bytes", n_bytes);
    return st;
}

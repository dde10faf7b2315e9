/* tests/unit/test_text.c - folding, sentences, segmentation and index terms. */
#include "tests/lf_test.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/diff.h"
#include "text/fold.h"
#include "text/segment.h"
#include "text/sentence.h"
#include "text/terms.h"
#include "text/utf8.h"

static void fold_is(const char *in, const char *want)
{
    lf_buf out = { 0 };
    LF_NEED(lf_text_fold(in, strlen(in), &out, err));
    LF_CHECK_STR(lf_buf_cstr(&out), want);
    lf_buf_release(&out);
}

static void fold_unifies_width_case_and_forms(void)
{
    fold_is("ＡＢＣ１２３", "abc123");
    fold_is("Straße", "strasse");
    fold_is("cafe\xCC\x81", "caf\xC3\xA9");
    fold_is("CAFÉ", "caf\xC3\xA9");
    fold_is("①ﬁ㎏", "1fikg");
    fold_is("中文，不变。", "中文,不变。");
    fold_is("ｶﾞ", "ガ");
    fold_is("", "");
    fold_is("a\xFF", "a\xEF\xBF\xBD");
}

/* Splitting a text anywhere into simple and other runs must not change the fold. */
static void fold_of_long_text_is_fold_of_parts(void)
{
    lf_buf in = { 0 }, out = { 0 }, want = { 0 };
    for (int i = 0; i < 400; i++) {
        lf_buf_add_str(&in, "Ｘe\xCC\x81中");
        lf_buf_add_str(&want, "x\xC3\xA9中");
    }
    LF_NEED(lf_text_fold(in.data, in.len, &out, err));
    LF_CHECK_STR(lf_buf_cstr(&out), lf_buf_cstr(&want));
    lf_buf_release(&in);
    lf_buf_release(&out);
    lf_buf_release(&want);
}

/* `want` has the sentences separated by '|'. */
static void sentences_are(const char *text, const char *want)
{
    lf_spans s = { 0 };
    lf_buf got = { 0 };
    LF_NEED(lf_sentences(text, strlen(text), 100, &s, err));
    for (size_t i = 0; i < s.n; i++) {
        const size_t a = lf_utf8_offset(text, strlen(text), s.v[i].start - 100);
        const size_t b = lf_utf8_offset(text, strlen(text), s.v[i].end - 100);
        if (i)
            lf_buf_add_char(&got, '|');
        lf_buf_add(&got, text + a, b - a);
    }
    LF_CHECK_STR(lf_buf_cstr(&got), want);
    lf_buf_release(&got);
    lf_spans_release(&s);
}

static void sentences_of_both_languages(void)
{
    sentences_are("你好。今天很好！走吗？", "你好。|今天很好！|走吗？");
    sentences_are("他说：“走吧。”然后走了。", "他说：“走吧。”|然后走了。");
    sentences_are("等等……好的", "等等……|好的");
    sentences_are("Dr. Smith paid 3.5 dollars. Why? J. Doe asked (twice.) Yes",
                  "Dr. Smith paid 3.5 dollars.|Why?|J. Doe asked (twice.)|Yes");
    sentences_are("1. First point. Second", "1. First point.|Second");
    sentences_are("no end here\nwrapped line\n\nnext part", "no end here\nwrapped line|next part");
    sentences_are("A head\nYear\tLoss\n2025\t11.8\nand so on\nto the end",
                  "A head|Year\tLoss|2025\t11.8|and so on\nto the end");
    sentences_are("  \n ", "");
    sentences_are("", "");
}

static void segment_is(const char *text, const char *want)
{
    uint32_t cps[LF_SEGMENT_MAX] = { 0 };
    uint8_t lens[LF_SEGMENT_MAX];
    size_t n = 0;
    lf_buf got = { 0 };
    for (const char *p = text, *end = text + strlen(text); p < end;)
        cps[n++] = lf_utf8_next(&p, end);
    lf_segment(cps, n, lens);
    for (size_t i = 0; i < n; i += lens[i]) {
        char enc[4];
        if (i)
            lf_buf_add_char(&got, '/');
        for (size_t k = 0; k < lens[i]; k++)
            lf_buf_add(&got, enc, lf_utf8_put(cps[i + k], enc));
    }
    LF_CHECK_STR(lf_buf_cstr(&got), want);
    lf_buf_release(&got);
}

static void segmentation_finds_words(void)
{
    segment_is("财政部关于印发政府采购", "财政部/关于/印发/政府/采购");
    segment_is("他来到了网易杭研大厦", "他/来到/了/网易/杭/研/大厦");
    segment_is("南京市长江大桥", "南京市/长江大桥");
    segment_is("龘靐齉", "龘/靐/齉");
}

static bool has(const lf_terms *t, uint32_t start, uint32_t end, lf_term_kind kind)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].start == start && t->v[i].end == end && t->v[i].kind == kind)
            return true;
    return false;
}

static bool share_a_term(lf_analyzer *a, const char *x, const char *y)
{
    lf_terms s = { 0 }, t = { 0 };
    bool found = false;
    LF_NEED(lf_analyzer_terms(a, x, strlen(x), &s, err));
    LF_NEED(lf_analyzer_terms(a, y, strlen(y), &t, err));
    for (size_t i = 0; i < s.n; i++)
        for (size_t k = 0; k < t.n; k++)
            found = found || s.v[i].id == t.v[k].id;
    lf_terms_release(&s);
    lf_terms_release(&t);
    return found;
}

static void terms_have_kinds_and_offsets(void)
{
    lf_analyzer *a = NULL;
    lf_terms t = { 0 };
    LF_NEED(lf_analyzer_open(&a, err));
    const char *text = "研究长江大桥，GPT-3.5 的 1,000 元";
    LF_NEED(lf_analyzer_terms(a, text, strlen(text), &t, err));
    LF_CHECK(has(&t, 0, 2, LF_TERM_PAIR_WORD)); /* 研究 */
    LF_CHECK(has(&t, 1, 3, LF_TERM_PAIR));      /* 究长 */
    LF_CHECK(has(&t, 2, 6, LF_TERM_WORD));      /* 长江大桥 */
    LF_CHECK(has(&t, 7, 10, LF_TERM_WORD));     /* GPT */
    LF_CHECK(has(&t, 11, 14, LF_TERM_WORD));    /* 3.5 */
    LF_CHECK(has(&t, 7, 14, LF_TERM_COMPOUND));
    LF_CHECK(has(&t, 17, 22, LF_TERM_WORD)); /* 1,000 */
    for (size_t i = 1; i < t.n; i++)
        LF_CHECK(t.v[i].id != 0);
    lf_terms_release(&t);
    LF_CHECK(share_a_term(a, "Running", "runs"));
    LF_CHECK(share_a_term(a, "ＧＰＴ", "gpt"));
    LF_CHECK(share_a_term(a, "GPT-4", "gpt4"));
    LF_CHECK(share_a_term(a, "1,000", "1000"));
    LF_CHECK(share_a_term(a, "café", "cafe\xCC\x81"));
    LF_CHECK(share_a_term(a, "C++", "c++"));
    LF_CHECK(!share_a_term(a, "3.5", "3.6"));
    LF_CHECK(!share_a_term(a, "1860", "186"));
    lf_analyzer_close(a);
}

static void stop_words_are_marked(void)
{
    lf_analyzer *a = NULL;
    lf_terms t = { 0 };
    LF_NEED(lf_analyzer_open(&a, err));
    LF_NEED(lf_analyzer_terms(a, "What 什么 模型", strlen("What 什么 模型"), &t, err));
    size_t n_stop = 0;
    for (size_t i = 0; i < t.n; i++)
        n_stop += t.v[i].is_stop;
    LF_CHECK_INT(n_stop, 2);
    lf_terms_release(&t);
    lf_analyzer_close(a);
}

/* Terms near the edge of the internal window must be the same as elsewhere. */
static void long_texts_lose_nothing(void)
{
    lf_analyzer *a = NULL;
    lf_terms t = { 0 };
    lf_buf b = { 0 };
    LF_NEED(lf_analyzer_open(&a, err));
    for (int i = 0; i < 3000; i++)
        lf_buf_add_str(&b, "大模型 gpt-4, ");
    LF_NEED(lf_analyzer_terms(a, b.data, b.len, &t, err));
    const size_t per = 6; /* 大 + 模型|大模型 … counted on one copy below */
    lf_terms one = { 0 };
    LF_NEED(lf_analyzer_terms(a, b.data, b.len / 3000, &one, err));
    LF_CHECK(one.n >= per - 1);
    LF_CHECK_INT(t.n, one.n * 3000);
    lf_terms_release(&one);
    lf_terms_release(&t);
    lf_buf_release(&b);
    lf_analyzer_close(a);
}

static void survives_every_failed_allocation(void)
{
    const char *text = "Straße 长江大桥。第二句 ＡＢ\xCC\x81";
    for (long n = 0;; n++) {
        lf_analyzer *a = NULL;
        lf_terms t = { 0 };
        lf_spans s = { 0 };
        lf_buf b = { 0 };
        lf_mem_fail_after(n);
        lf_status st = lf_analyzer_open(&a, NULL);
        if (st == LF_OK)
            st = lf_analyzer_terms(a, text, strlen(text), &t, NULL);
        if (st == LF_OK)
            st = lf_sentences(text, strlen(text), 0, &s, NULL);
        if (st == LF_OK)
            st = lf_text_fold(text, strlen(text), &b, NULL);
        lf_mem_fail_after(-1);
        lf_analyzer_close(a);
        lf_terms_release(&t);
        lf_spans_release(&s);
        lf_buf_release(&b);
        LF_CHECK_INT(lf_mem_live(), 0);
        LF_CHECK(st == LF_OK || st == LF_ERR_NOMEM);
        if (st == LF_OK || n > 200) {
            LF_CHECK(n > 3 && n < 200);
            break;
        }
    }
}

/* The steps as one line: removed in [], added in {}. */
static void check_diff(const char *before, const char *after, const char *want)
{
    static const char *const marks[][2] = { { "", "" }, { "[", "]" }, { "{", "}" } };
    lf_diff d = { 0 };
    lf_buf b = { 0 };
    LF_NEED(lf_diff_texts(lf_str_of(before), lf_str_of(after), &d, err));
    for (size_t i = 0; i < d.n; i++) {
        lf_buf_add_str(&b, marks[d.v[i].op][0]);
        lf_buf_add(&b, d.v[i].text.p, d.v[i].text.len);
        lf_buf_add_str(&b, marks[d.v[i].op][1]);
    }
    LF_CHECK_STR(lf_buf_cstr(&b), want);
    lf_diff_release(&d);
    lf_buf_release(&b);
}

static void differences_are_whole_words(void)
{
    check_diff("", "", "");
    check_diff("", "new", "{new}");
    check_diff("old", "", "[old]");
    check_diff("At 80 °C, it trips[1].", "At 85 °C, it trips[1].", "At [80]{85} °C, it trips[1].");
    check_diff("a b c d", "a x c y d", "a [b]{x} c{ y} d");
    check_diff("入院3天后", "入院5天内", "入院[3]{5}天[后]{内}");
    check_diff("same", "same", "same");
    check_diff("aa", "a", "[aa]{a}");
}

static void differences_of_long_texts_are_bounded(void)
{
    lf_buf a = { 0 }, b = { 0 };
    lf_diff d = { 0 };
    for (int i = 0; i < 4 * LF_DIFF_PIECES_MAX; i++) {
        lf_buf_addf(&a, "a%d ", i);
        lf_buf_addf(&b, "b%d ", i);
    }
    LF_NEED(lf_diff_texts((lf_str){ a.data, a.len }, (lf_str){ b.data, b.len }, &d, err));
    LF_CHECK(d.n <= 4 && d.v[0].op == LF_DIFF_REMOVED && d.v[0].text.len + 1 >= a.len);
    lf_diff_release(&d);
    lf_buf_release(&a);
    lf_buf_release(&b);
    LF_CHECK_INT(lf_mem_live(), 0);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "text/fold_unifies_width_case_and_forms", fold_unifies_width_case_and_forms },
        { "text/fold_of_long_text_is_fold_of_parts", fold_of_long_text_is_fold_of_parts },
        { "text/sentences_of_both_languages", sentences_of_both_languages },
        { "text/segmentation_finds_words", segmentation_finds_words },
        { "text/terms_have_kinds_and_offsets", terms_have_kinds_and_offsets },
        { "text/stop_words_are_marked", stop_words_are_marked },
        { "text/long_texts_lose_nothing", long_texts_lose_nothing },
        { "text/survives_every_failed_allocation", survives_every_failed_allocation },
        { "text/differences_are_whole_words", differences_are_whole_words },
        { "text/differences_of_long_texts_are_bounded", differences_of_long_texts_are_bounded },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

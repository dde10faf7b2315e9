/* tests/unit/test_question.c - splitting and completing questions. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/compare.h"
#include "flow/question.h"
#include "tests/lf_test.h"

static void split_rows(void)
{
    static const struct {
        const char *q, *a, *b;
    } rows[] = {
        { "阿里云和百川智能分别成立于哪一年？", "阿里云成立于哪一年？", "百川智能成立于哪一年？" },
        { "天观和书生·筑梦的参数规模分别是多少？", "天观的参数规模是多少？",
          "书生·筑梦的参数规模是多少？" },
        { "A 的正确率和 B 的胜率分别是多少？", "A 的正确率是多少？", "B 的胜率是多少？" },
        { "小布搭载的是什么模型，山海是哪家公司研发的？", "小布搭载的是什么模型？",
          "山海是哪家公司研发的？" },
        { "Which database did JD develop, and which one did Ant use?",
          "Which database did JD develop?", "which one did Ant use?" },
        { "When were OPPO and Baichuan founded?", "When were OPPO founded?",
          "When were Baichuan founded?" },
        { "卓繁和软通动力都是哪年成立的？", "卓繁是哪年成立的？", "软通动力是哪年成立的？" },
        { "优刻得和云从的股票代码各是多少？", "优刻得的股票代码是多少？",
          "云从的股票代码是多少？" },
        { "15万元的设备用什么方式采购，由谁审批？", "15万元的设备用什么方式采购？",
          "15万元的设备由谁审批？" },
        { "蜜度是什么时候成立的，那云从呢？", "蜜度是什么时候成立的？", "云从是什么时候成立的？" },
        { "360 的研发投入和循道的研发费用各是多少？", "360 的研发投入是多少？",
          "循道的研发费用是多少？" },
        { "集团有几座水厂？叫什么名字？", "集团有几座水厂？", "集团叫什么名字？" },
        { "How long does a new connection take, and what does it cost?",
          "How long does a new connection take?", "what does a new connection cost?" },
        { "成都和重庆的分公司在哪里？", "成都和重庆的分公司在哪里？", NULL },
        { "截至2022年底，公司的市值是多少？", "截至2022年底，公司的市值是多少？", NULL },
        { "How large is it?", "How large is it?", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lf_questions q = { 0 };
        LF_NEED(lf_question_split(rows[i].q, &q, err));
        LF_CHECK_INT(q.n, rows[i].b ? 2 : 1);
        if (q.n > 0)
            LF_CHECK_STR(q.v[0], rows[i].a);
        if (q.n > 1 && rows[i].b)
            LF_CHECK_STR(q.v[1], rows[i].b);
        lf_questions_release(&q);
    }
}

static void compare_rows(void)
{
    static const struct {
        const char *q, *a, *b, *word;
        bool less;
    } rows[] = {
        { "恒生电子和优刻得，哪一家上市更早？", "恒生电子上市是什么时候？",
          "优刻得上市是什么时候？", "早", true },
        { "东方财富和蜜度哪家公司成立得更晚？", "东方财富成立是什么时候？", "蜜度成立是什么时候？",
          "晚", false },
        { "天壤和智谱哪个参数多，分别有多少？", "天壤的参数有多少？", "智谱的参数有多少？", "多",
          false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lf_questions q = { 0 };
        LF_NEED(lf_question_split(rows[i].q, &q, err));
        LF_CHECK_INT(q.form, LF_QUESTION_COMPARE);
        LF_CHECK_INT(q.n, 2);
        if (q.n == 2) {
            LF_CHECK_STR(q.v[0], rows[i].a);
            LF_CHECK_STR(q.v[1], rows[i].b);
            LF_CHECK_STR(q.rest, rows[i].word);
            LF_CHECK_INT(q.wants_less, rows[i].less);
        }
        lf_questions_release(&q);
    }
}

/* A question may end right after "and in": nothing behind its end is read. */
static void cut_short(void)
{
    static const char *const rows[] = { "When did it open and in", "Who runs it, and by" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t n = strlen(rows[i]) + 1;
        char *exact = malloc(n); /* a block without room behind it, for the sanitizer */
        lf_questions q = { 0 };
        LF_CHECK(exact != NULL);
        memcpy(exact, rows[i], n);
        LF_NEED(lf_question_split(exact, &q, err));
        LF_CHECK_INT(q.form, LF_QUESTION_PLAIN);
        lf_questions_release(&q);
        free(exact);
    }
}

static void bridge_rows(void)
{
    static const struct {
        const char *q, *first, *rest;
    } rows[] = {
        { "王小川创立的公司一共融资多少？", "王小川创立的公司叫什么名字？", "一共融资多少？" },
        { "研发“山海”的公司，它的注册资本是多少？", "研发“山海”的公司叫什么名字？",
          "注册资本是多少？" },
        { "王小川创立的公司叫什么？", NULL, NULL },
        { "哪家公司推出的公司章程最长？", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lf_questions q = { 0 };
        LF_NEED(lf_question_split(rows[i].q, &q, err));
        LF_CHECK_INT(q.form, rows[i].first ? LF_QUESTION_BRIDGE : LF_QUESTION_PLAIN);
        if (q.form == LF_QUESTION_BRIDGE) {
            LF_CHECK_STR(q.v[0], rows[i].first);
            LF_CHECK_STR(q.rest, rows[i].rest);
        }
        lf_questions_release(&q);
    }
}

static void named_rows(void)
{
    static const char *const rows[][2] = {
        { "王小川创立的公司叫百川智能[1]。", "百川智能" },
        { "公司是“云岭科技”。", "云岭科技" },
        { "创立于成都。", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const lf_str s = lf_question_named(rows[i][0]);
        LF_CHECK(lf_str_is(s, rows[i][1]));
    }
}

static void compared_rows(void)
{
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {
        { "甲成立于 2005 年 1 月。", "乙创立于 2009 年。", -1 },
        { "甲成立于 2017 年 4 月 19 日。", "乙成立于 2017 年 4 月 9 日。", 1 },
        { "甲有 200 亿参数。", "乙有 720 亿参数。", -1 },
        { "甲有 200 亿参数、60 层。", "乙有 720 亿参数。", 0 }, /* which of the two? */
        { "甲用了 30 秒。", "乙用了 40 天。", 0 },
        { "甲成立于 2005 年。", "乙有 30 人。", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int order = 2;
        LF_NEED(lf_compare_said(rows[i].a, rows[i].b, &order, err));
        LF_CHECK_INT(order, rows[i].order);
    }
}

static void complete_rows(void)
{
    static const struct {
        const char *q, *earlier, *answer, *want;
        int depends;
    } rows[] = {
        { "它的参数规模是多少？", "天观是哪家公司研发的？", "蚂蚁集团研发了天观。",
          "天观的参数规模是多少？", 2 },
        { "那百川智能呢？", "阿里云成立于哪一年？", "2009年。", "百川智能成立于哪一年？", 2 },
        { "准确率是多少？", "高济神农是谁打造的？", "高济健康。", "高济神农的准确率是多少？", 1 },
        { "Where is its office?", "When was Qinghe Labs founded?", "In 2011.",
          "Where is Qinghe Labs's office?", 2 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lf_questions q = { 0 };
        LF_NEED(lf_question_complete(rows[i].q, rows[i].earlier, rows[i].answer, &q, err));
        LF_CHECK(q.n > 0);
        if (q.n > 0)
            LF_CHECK_STR(q.v[0], rows[i].want);
        LF_CHECK_INT(lf_question_depends(rows[i].q), rows[i].depends);
        lf_questions_release(&q);
    }
    LF_CHECK_INT(lf_question_depends("昆仑万维是哪一年成立、在哪里上市的？"), 0);
}

static void allocation(void)
{
    static const char *const rows[] = { "阿里云和百川智能分别成立于哪一年？",
                                        "恒生电子和优刻得，哪一家上市更早？",
                                        "王小川创立的公司一共融资多少？",
                                        "15万元的设备用什么方式采购，由谁审批？" };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (long n = 0; n < 14; n++) {
            lf_questions q = { 0 };
            const size_t before = lf_mem_live();
            lf_mem_fail_after(n);
            if (lf_question_split(rows[i], &q, NULL) == LF_OK)
                lf_questions_release(&q);
            lf_mem_fail_after(-1);
            LF_CHECK_INT(lf_mem_live(), before);
        }
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "question/split", split_rows },
        { "question/compare", compare_rows },
        { "question/bridge", bridge_rows },
        { "question/cut_short", cut_short },
        { "question/named", named_rows },
        { "question/compared", compared_rows },
        { "question/complete", complete_rows },
        { "question/failed allocations", allocation },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* tests/unit/test_question.c - splitting and completing questions. */
#include <string.h>

#include "base/mem.h"
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
    for (long n = 0; n < 12; n++) {
        lf_questions q = { 0 };
        const size_t before = lf_mem_live();
        lf_mem_fail_after(n);
        if (lf_question_split("阿里云和百川智能分别成立于哪一年？", &q, NULL) == LF_OK)
            lf_questions_release(&q);
        lf_mem_fail_after(-1);
        LF_CHECK_INT(lf_mem_live(), before);
    }
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "question/split", split_rows },
        { "question/complete", complete_rows },
        { "question/failed allocations", allocation },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

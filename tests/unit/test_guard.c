/* tests/unit/test_guard.c - facts, the citation check, evidence. */
#include <string.h>

#include "base/mem.h"
#include "guard/cite.h"
#include "guard/evidence.h"
#include "guard/fact.h"
#include "tests/lf_test.h"
#include "text/utf8.h"

static void check_number(const char *text, double value, lf_unit unit)
{
    lf_facts f = { 0 };
    LF_NEED(lf_facts_read(text, strlen(text), &f, err));
    LF_CHECK_INT(f.n_numbers, 1);
    if (f.n_numbers == 1) {
        LF_CHECK_NEAR(f.numbers[0].value, value, 1e-6 * value, 0);
        LF_CHECK_INT(f.numbers[0].unit, unit);
    }
    lf_facts_release(&f);
}

static void fact_numbers(void)
{
    check_number("1,860 亿", 1860e8, LF_UNIT_NONE);
    check_number("３．５％", 3.5, LF_UNIT_PERCENT);
    check_number("百分之三十", 30, LF_UNIT_PERCENT);
    check_number("百分之 97.6", 97.6, LF_UNIT_PERCENT);
    check_number("二十多家企业", 20, LF_UNIT_COUNT);
    check_number("20 多万手术病患", 200000, LF_UNIT_NONE);
    check_number("三百二十人", 320, LF_UNIT_COUNT);
    check_number("一千二百万元", 12000000, LF_UNIT_MONEY);
    check_number("二〇二三年", 2023, LF_UNIT_YEAR);
    check_number("1e-3 量级", 0.001, LF_UNIT_ORDER);
    check_number("8W+ 用户", 80000, LF_UNIT_NONE);
    check_number("30 seconds", 30, LF_UNIT_SECOND);
    check_number("2.5 million dollars", 2500000, LF_UNIT_DOLLAR);
    check_number("54.9千米", 54.9, LF_UNIT_LENGTH_KM);
    check_number("twenty-five miles", 25, LF_UNIT_LENGTH_MILE);
    check_number("two hundred and fifty thousand euros", 250000, LF_UNIT_EURO);
    check_number("两大数据中心", 2, LF_UNIT_COUNT);
    check_number("近 10 个小时", 10, LF_UNIT_HOUR);
    check_number("3 月", 3, LF_UNIT_MONTH);
    check_number("3 个月", 3, LF_UNIT_MONTHS);
    check_number("三周年", 3, LF_UNIT_YEAR);
    check_number("三周", 3, LF_UNIT_WEEKS);
    check_number("四分之三", 75, LF_UNIT_PERCENT);
    check_number("seven working days", 7, LF_UNIT_DAYS);
}

static void fact_dates(void)
{
    static const char *const texts[] = { "on 28 April", "on April 28", "4 月 28 日" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        lf_facts f = { 0 };
        bool month = false, day = false;
        LF_NEED(lf_facts_read(texts[i], strlen(texts[i]), &f, err));
        LF_CHECK_INT(f.n_numbers, 2);
        for (size_t k = 0; k < f.n_numbers; k++) {
            month = month || (f.numbers[k].unit == LF_UNIT_MONTH && f.numbers[k].value == 4);
            day = day || (f.numbers[k].unit == LF_UNIT_DAY && f.numbers[k].value == 28);
        }
        LF_CHECK(month && day);
        lf_facts_release(&f);
    }
}

static void fact_ranges(void)
{
    static const char text[] = "耗费 20-30 亿美元";
    lf_facts f = { 0 };
    LF_NEED(lf_facts_read(text, sizeof text - 1, &f, err));
    LF_CHECK_INT(f.n_numbers, 2);
    if (f.n_numbers == 2) {
        LF_CHECK_NEAR(f.numbers[0].value, 20e8, 1, 0);
        LF_CHECK_INT(f.numbers[0].unit, LF_UNIT_DOLLAR);
    }
    lf_facts_release(&f);
}

static void fact_limits(void)
{
    static const char row[] = "20万元以上不满100万元";
    lf_facts f = { 0 };
    const lf_number more = { .value = 3e5, .unit = LF_UNIT_MONEY };
    const lf_number less = { .value = 1e4, .unit = LF_UNIT_MONEY };
    const lf_number other = { .value = 3e5, .unit = LF_UNIT_DAYS };
    LF_NEED(lf_facts_read(row, sizeof row - 1, &f, err));
    LF_CHECK_INT(f.n_numbers, 2);
    if (f.n_numbers == 2) {
        LF_CHECK_INT(f.numbers[0].limit, LF_LIMIT_FROM);
        LF_CHECK_INT(f.numbers[1].limit, LF_LIMIT_TO);
        LF_CHECK(lf_number_within(&more, &f.numbers[0]));
        LF_CHECK(lf_number_within(&more, &f.numbers[1]));
        LF_CHECK(!lf_number_within(&less, &f.numbers[0]));
        LF_CHECK(!lf_number_within(&other, &f.numbers[0]));
    }
    lf_facts_release(&f);
}

static void fact_no_numbers(void)
{
    static const char *const none[] = { "统一的平台", "进一步提升", "Qwen-72B 与 A100",
                                        "十分重要",   "千方百计",   "万一",
                                        "图5 架构",   "Figure 2",   "three-dimensional",
                                        "no one may" };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        lf_facts f = { 0 };
        LF_NEED(lf_facts_read(none[i], strlen(none[i]), &f, err));
        if (!LF_CHECK_INT(f.n_numbers, 0))
            LF_CHECK_STR(none[i], "");
        lf_facts_release(&f);
    }
}

/* A month's name makes a day of its neighbour; a rate keeps both units. */
static void fact_dates_and_rates(void)
{
    static const char text[] = "On 14 July 2025 they paid 0.1 per cent a day, and May said so.";
    static const lf_unit want[] = { LF_UNIT_DAY, LF_UNIT_MONTH, LF_UNIT_NONE, LF_UNIT_PERCENT };
    lf_facts f = { 0 };
    LF_NEED(lf_facts_read(text, sizeof text - 1, &f, err));
    LF_CHECK_INT(f.n_numbers, 4);
    for (size_t i = 0; i < f.n_numbers && i < 4; i++)
        LF_CHECK_INT(f.numbers[i].unit, want[i]);
    if (f.n_numbers == 4) {
        LF_CHECK_INT(f.numbers[3].per, LF_UNIT_DAYS);
        const lf_number month = { .value = 0.1, .unit = LF_UNIT_PERCENT, .per = LF_UNIT_MONTHS };
        LF_CHECK(!lf_number_agrees(&f.numbers[3], &month));
    }
    lf_facts_release(&f);
}

static void fact_allocation(void)
{
    static const char text[] =
        "InternLM-20B 有 200 亿参数，60 层，2023 年 9 月发布，准确率 97.6%。";
    for (long n = 0; n < 8; n++) {
        lf_facts f = { 0 };
        const size_t before = lf_mem_live();
        lf_mem_fail_after(n);
        if (lf_facts_read(text, sizeof text - 1, &f, NULL) == LF_OK)
            lf_facts_release(&f);
        lf_mem_fail_after(-1);
        LF_CHECK_INT(lf_mem_live(), before);
    }
}

typedef struct cite_case {
    const char *sentence, *question, *passage, *why;
} cite_case;

static const char intern[] =
    "书生浦语由上海人工智能实验室研发。因此在架构设计时，研究人员把模型层数设定为 60 "
    "层，超过 7B 与 13B 模型通常采用的 32 层或者 40 层设计。它不支持语音输入。";
static const char values[] =
    "上手难度降低 99%，创意维度增加 75%，节省 98% 的出图时间，100% 增加内容沉淀。";

static const char limits[] =
    "金额\t采购方式\t审批人\n2万元以上不满20万元\t三家询价\t采购中心主任\n";
static const char furnaces[] =
    "东炉、西炉和北炉的良率分别为 92%、88% 和 75%。2022 年的产值为 400 亿元,"
    "预计 2027 年及 2032 年的产值将分别达到 3990 亿元和 1.3 万亿元。";
static const char furnace[] =
    "今年 3 月到 8 月，甲炉的良率为 92%，乙炉的良率为 88%。西线工厂的月产量超过东线工厂。"
    "公司计划明年在苏州建设新厂，部分设备可能外购。";
static const char harbour[] =
    "The Mole was opened on 3 May 1921 and rebuilt in 1954. Fishing is allowed from the northern "
    "arm, and the fee is 2 euros a day. Twelve of its twenty lamps burn all night. The council "
    "plans to widen the road in 2027. The harbour master inspects the pilots. Most boats leave "
    "before nine, but no boat is without a light.";

static const char shops[] =
    "目前远山的足迹已遍及 60 多个国家和地区，通过 26000 多个全球零售店数量及 3100 多个门店与用户相连。";
static const char tiers[] = "The first tier (up to 180 cubic metres) costs 2.85 yuan, the second\n"
                            "tier (181 to 260) costs 3.95 yuan.";
static const char leakage[] = "Bursts and leakage\nYear\tBursts\tLeakage (%)\n2024\t352\t13.0\n"
                              "2025\t317\t11.8";

static const cite_case cases[] = {
    { "it was 11.8 in 2025.", "What was the leakage in 2025?", leakage, "" },
    { "it was 13.0 in 2025.", "What was the leakage in 2025?", leakage, "numbers" },
    { "模型层数设定为 60 层。", "模型层数设定为多少层？", intern, "" },
    { "模型层数设定为六十层。", "模型层数设定为多少层？", intern, "" },
    { "模型层数设定为 70 层。", "模型层数设定为多少层？", intern, "numbers" },
    { "模型训练了 60 天。", "模型训练了多久？", intern, "numbers" },
    { "GPT-4 的层数是 60 层。", "层数是多少？", intern, "names" },
    { "它支持语音输入。", "它支持语音输入吗？", intern, "negation" },
    { "研究人员在杭州吃了火锅。", "研究人员做了什么？", intern, "names" },
    { "书生浦语由阿里巴巴集团研发。", "书生浦语由谁研发？", intern, "words" },
    { "可以节省 98% 的出图时间。", "可以节省多少出图时间？", values, "" },
    { "可以节省 100% 的出图时间。", "可以节省多少出图时间？", values, "binding" },
    { "创意维度降低 75%。", "创意维度有什么变化？", values, "direction" },
    { "15万元的设备由采购中心主任审批。", "15万元的设备由谁审批？", limits, "" },
    { "35万元的设备由采购中心主任审批。", "35万元的设备由谁审批？", limits, "numbers" },
    { "The shops belong to Alibaba.", "Who owns the shops?", shops, "names" },
    { "远山是 Alibaba 的产品。", "远山是哪家公司的产品？", shops, "names" },
    { "远山在全球有 60 多个零售店。", "远山在全球有多少个零售店？", shops, "binding" },
    { "远山在全球有 26000 多个零售店。", "远山在全球有多少个零售店？", shops, "" },
    { "The second tier costs 3.95 yuan.", "What does the second tier cost?", tiers, "" },
    { "The second tier costs 2.85 yuan.", "What does the second tier cost?", tiers, "binding" },
    { "The plant opened in 2009.", "When did the plant open?", "The plant opened in May 2009.",
      "" },
    { "The plant opened in 2010.", "When did the plant open?", "The plant opened in May 2009.",
      "numbers" },
    { "The plant never opened.", "Did the plant open?", "The plant opened in May 2009.", "words" },
    /* figures bound to what is said of them */
    { "甲炉的良率为 92%，乙炉的良率为 88%。", NULL, furnace, "" },
    { "甲炉的良率为 88%，乙炉的良率为 92%。", NULL, furnace, "binding" },
    { "The fee is 2 euros a day.", NULL, harbour, "" },
    { "The fee is 2 euros a week.", NULL, harbour, "numbers" },
    { "The fee is 2 dollars a day.", NULL, harbour, "numbers" },
    { "12 of its 20 lamps burn all night.", NULL, harbour, "" },
    { "Ten of its twenty lamps burn all night.", NULL, harbour, "numbers" },
    /* figures in the order of what they belong to */
    { "北炉的良率为 75%。", NULL, furnaces, "" },
    { "西炉的良率为 88%。", NULL, furnaces, "" },
    { "西炉的良率为 92%。", NULL, furnaces, "binding" },
    { "东炉的良率为 75%。", NULL, furnaces, "binding" },
    { "预计 2032 年的产值为 1.3 万亿元。", NULL, furnaces, "" },
    { "预计 2032 年的产值为 3990 亿元。", NULL, furnaces, "binding" },
    { "预计 2027 年的产值为 3990 亿元。", NULL, furnaces, "" },
    /* dates are one thing */
    { "The Mole was opened in May 1921.", NULL, harbour, "" },
    { "The Mole was opened in May 1954.", NULL, harbour, "numbers" },
    /* names */
    { "公司计划明年在苏州建设新厂。", NULL, furnace, "" },
    { "公司计划明年在无锡建设新厂。", NULL, furnace, "names" },
    { "The council of Ostend plans to widen the road in 2027.", NULL, harbour, "names" },
    /* who does it to whom */
    { "西线工厂的产量超过东线工厂。", NULL, furnace, "" },
    { "东线工厂的产量超过西线工厂。", NULL, furnace, "order" },
    { "The pilots are inspected by the harbour master.", NULL, harbour, "" },
    { "The pilots inspect the harbour master.", NULL, harbour, "order" },
    /* scope, certainty, opposites, denials */
    { "所有设备都可能外购。", NULL, furnace, "scope" },
    { "Every lamp burns all night.", NULL, harbour, "scope" },
    { "公司已经在苏州建设新厂。", NULL, furnace, "modality" },
    { "The council has widened the road in 2027.", NULL, harbour, "modality" },
    { "Fishing is allowed from the southern arm.", NULL, harbour, "direction" },
    { "No boat is without a light.", NULL, harbour, "" },
    { "A boat is without a light.", NULL, harbour, "negation" },
    /* somebody else's figure */
    { "澜帆的月产量超过东线工厂。", "澜帆的月产量超过谁？", furnace, "subject" },
    /* and what is no fault */
    { "The entrance fee is 2 euros a day.", "What is the entrance fee?", harbour, "" },
    { "Lamps burn all night, 12 of them.", "How many lamps burn all night?", harbour, "" },
    { "准确率提升到了 98%。", "准确率提升到多少？", "单据的整案提取准确率由 80% 提升至 98%。", "" },
};

static void cite_verdicts(void)
{
    lf_cite_checker *c = NULL;
    LF_NEED(lf_cite_open(NULL, &c, err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const lf_cite_source src = { .text = cases[i].passage, .context = "" };
        lf_cite_verdict v = { 0 };
        LF_NEED(lf_cite_check(c, cases[i].sentence, cases[i].question, &src, &v, err));
        if (!LF_CHECK_STR(v.why, cases[i].why))
            LF_CHECK_STR(cases[i].sentence, "");
        LF_CHECK(v.supported == (cases[i].why[0] == '\0'));
    }
    lf_cite_close(c);
}

static void cite_smallest_run(void)
{
    lf_cite_checker *c = NULL;
    const lf_cite_source src = { .text = intern };
    lf_cite_verdict v = { 0 };
    LF_NEED(lf_cite_open(NULL, &c, err));
    LF_NEED(lf_cite_check(c, "层数设定为 60 层。", NULL, &src, &v, err));
    LF_CHECK(v.supported);
    LF_CHECK_INT(v.start, 17); /* the second sentence alone */
    LF_CHECK(v.end > 70 && v.end < 85);
    lf_cite_close(c);
}

static void cite_empty(void)
{
    lf_cite_checker *c = NULL;
    const lf_cite_source src = { .text = "" };
    lf_cite_verdict v = { 0 };
    LF_NEED(lf_cite_open(NULL, &c, err));
    LF_NEED(lf_cite_check(c, "有 60 层。", NULL, &src, &v, err));
    LF_CHECK(!v.supported);
    lf_cite_close(c);
}

static const lf_cite_source sources[] = {
    { .text =
          "青禾科技成立于 2011 年 3 月，总部位于成都。公司现有员工 420 人，去年营业收入 3.2 亿元。",
      .context = "公司简介" },
    { .text = "远山农业专注果园监测。其无人机一次可飞行 45 分钟。", .context = "合作伙伴" },
};

static void evidence_finds(void)
{
    static const struct {
        const char *question;
        size_t source;
        bool answered;
    } rows[] = {
        { "青禾科技有多少名员工？", 0, true },
        { "青禾科技成立于哪一年？", 0, true },
        { "远山农业的无人机一次能飞多久？", 1, true },
        { "青禾科技的董事长是谁？", 0, false },
        { "珠穆朗玛峰的海拔是多少米？", 0, false },
        /* another year, another company, another kind of thing */
        { "青禾科技 2019 年 8 月有多少名员工？", 0, false },
        { "蓝湾重工的无人机一次能飞多久？", 1, false },
        { "青禾科技的股票代码是多少？", 0, false },
        { "青禾科技上市是哪一年？", 0, false },
        { "青禾科技上市于哪一年？", 0, false },
        { "青禾科技的总部在哪里？", 0, true },
    };
    lf_evidence_finder *f = NULL;
    LF_NEED(lf_evidence_open(NULL, &f, err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lf_evidence_list l = { 0 };
        LF_NEED(lf_evidence_find(f, rows[i].question, sources, 2, &l, err));
        LF_CHECK(l.n > 0);
        if (l.n > 0 && rows[i].answered)
            LF_CHECK_INT(l.v[0].source, rows[i].source);
        if (l.n > 0 && !LF_CHECK((l.v[0].answerable >= 0.5) == rows[i].answered))
            LF_CHECK_STR(rows[i].question, "");
        lf_evidence_release(&l);
    }
    lf_evidence_close(f);
}

/* A question in the other language finds its sentence by the words of both. */
static void evidence_crosses(void)
{
    static const struct {
        const char *question, *holds;
    } rows[] = {
        { "How many employees does it have?", "420" },
        { "When was it founded?", "2011" },
        { "What was the revenue?", "3.2" },
    };
    lf_evidence_finder *f = NULL;
    LF_NEED(lf_evidence_open(NULL, &f, err));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lf_evidence_list l = { 0 };
        lf_span s = { 0 };
        LF_NEED(lf_evidence_find(f, rows[i].question, sources, 1, &l, err));
        LF_CHECK(l.n > 0);
        if (l.n > 0) {
            LF_NEED(lf_evidence_span(f, rows[i].question, sources[0].text,
                                     (lf_span){ l.v[0].start, l.v[0].end }, 40, &s, err));
            const char *at =
                sources[0].text + lf_utf8_offset(sources[0].text, strlen(sources[0].text), s.start);
            LF_CHECK(memmem(at, lf_utf8_offset(at, strlen(at), s.end - s.start), rows[i].holds,
                            strlen(rows[i].holds)) != NULL);
        }
        lf_evidence_release(&l);
    }
    lf_evidence_close(f);
}

/* The sentence that says what is asked wins over the one that only names the subject. */
static void evidence_keeps_to_the_topic(void)
{
    static const lf_cite_source plant = {
        .text =
            "银叶树（学名：Heritiera littoralis）为锦葵科银叶树属的常绿乔木。高可达二十米，树皮灰黑色。"
            "分布于海南、广东沿海以及印度、越南等地。",
    };
    static const char wanted[] = "分布于";
    lf_evidence_finder *f = NULL;
    lf_evidence_list l = { 0 };
    LF_NEED(lf_evidence_open(NULL, &f, err));
    LF_NEED(lf_evidence_find(f, "银叶树分布在哪些地区？", &plant, 1, &l, err));
    LF_CHECK(l.n > 0);
    if (l.n > 0) {
        const size_t at = lf_utf8_offset(plant.text, strlen(plant.text), l.v[0].start);
        LF_CHECK(memcmp(plant.text + at, wanted, sizeof wanted - 1) == 0);
    }
    lf_evidence_release(&l);
    lf_evidence_close(f);
}

static void evidence_responds(void)
{
    lf_evidence_finder *f = NULL;
    bool yes = false;
    LF_NEED(lf_evidence_open(NULL, &f, err));
    LF_NEED(lf_evidence_responds(f, "有多少名员工？", "有 420 名员工。", &yes, err));
    LF_CHECK(yes);
    LF_NEED(lf_evidence_responds(f, "有多少名员工？", "有很多员工。", &yes, err));
    LF_CHECK(!yes);
    LF_NEED(lf_evidence_responds(f, "FM 100B 拿到几项第一？", "FM 100B 拿到几项第一。", &yes, err));
    LF_CHECK(!yes); /* the question said back */
    LF_NEED(lf_evidence_responds(f, "用了多少中文 tokens？", "用了 80 多项中文任务。", &yes, err));
    LF_CHECK(!yes); /* another thing is counted */
    LF_NEED(lf_evidence_responds(f, "数据库叫什么？", "数据库叫 Vearch。", &yes, err));
    LF_CHECK(yes);
    LF_NEED(lf_evidence_responds(f, "When does the harbour open?", "The harbour opens at 06:30.",
                                 &yes, err));
    LF_CHECK(yes); /* a time of day */
    LF_NEED(lf_evidence_responds(f, "博物馆什么时候开门？", "博物馆9点开门。", &yes, err));
    LF_CHECK(yes);
    LF_NEED(lf_evidence_responds(f, "When does the harbour open?", "The harbour opens for boats.",
                                 &yes, err));
    LF_CHECK(!yes);
    lf_evidence_close(f);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "fact/numbers", fact_numbers },
        { "fact/ordinary words are no numbers", fact_no_numbers },
        { "fact/dates and rates", fact_dates_and_rates },
        { "fact/limits", fact_limits },
        { "fact/ranges", fact_ranges },
        { "fact/dates", fact_dates },
        { "fact/failed allocations", fact_allocation },
        { "cite/verdicts", cite_verdicts },
        { "cite/the smallest run", cite_smallest_run },
        { "cite/empty passage", cite_empty },
        { "evidence/finds and refuses", evidence_finds },
        { "evidence/the other language", evidence_crosses },
        { "evidence/keeps to the topic", evidence_keeps_to_the_topic },
        { "evidence/responds", evidence_responds },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* guard/asked.c - the kind of answer that a question expects, by its asking words. */
#include "guard/asked_int.h"

#include <string.h>

#include "text/segment.h"
#include "text/utf8.h"

static bool stands_in(lf_str s, const char *const *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memmem(s.p, s.len, w[i], strlen(w[i])))
            return true;
    return false;
}

#define STANDS_IN(s, list) stands_in((s), (list), sizeof(list) / sizeof((list)[0]))
#define HAS_ANY(s, list)   STANDS_IN(lf_str_of(s), list)

/* The unit after "多少" or "几": read "2 UNIT" as a number. */
static lf_status unit_after(const char *s, const char *word, lf_unit *out, lf_err *err)
{
    const char *p = strstr(s, word);
    lf_buf b = { 0 };
    lf_facts f = { 0 };
    lf_status st;
    *out = LF_UNIT_NONE;
    if (!p)
        return LF_OK;
    lf_buf_add_str(&b, "2");
    lf_buf_add_str(&b, p + strlen(word));
    if (b.failed)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read a question");
    st = lf_facts_read(lf_buf_cstr(&b), b.len, &f, err);
    if (st == LF_OK && f.n_numbers > 0 && f.numbers[0].start == 0)
        *out = f.numbers[0].unit;
    lf_facts_release(&f);
    lf_buf_release(&b);
    return st;
}

/* "节省多少时间": in any unit, 98 % as well as 3 days. */
static bool changes(const char *q)
{
    static const char *const words[] = { "降",   "升", "提高", "增", "减", "省", "缩",
                                         "节约", "快", "慢",   "涨", "占", "跌" };
    return HAS_ANY(q, words);
}

/* "多少参数", "how many pumps": things are counted.  "多少" at the end asks for a figure
 * of any unit, and so does a question of change ("节省多少时间": 98 %). */
static bool counts(const char *q)
{
    const char *at = strstr(q, "多少");
    if (strstr(q, "ow many "))
        return true;
    if (!at || changes(q) ||
        (at - q >= 3 && strncmp(at - 3, "按", 3) == 0)) /* "按多少发": a rate */
        return false;
    at += strlen("多少");
    return *at && *at != ' ' && *at != '?' && strncmp(at, "？", strlen("？")) != 0 &&
           strncmp(at, "，", strlen("，")) != 0 && strncmp(at, "的", strlen("的")) != 0;
}

/* The finest part of the date that is asked for. */
static lf_unit date_unit(const char *q)
{
    static const char *const day[] = { "哪天", "哪一天", "几号", "几日", "hat date", "hich day" };
    static const char *const month[] = { "哪个月", "几月", "hich month" };
    static const char *const year[] = { "哪一年", "哪年", "年份", "hat year", "hich year" };
    return HAS_ANY(q, day)     ? LF_UNIT_DAY
           : HAS_ANY(q, month) ? LF_UNIT_MONTH
           : HAS_ANY(q, year)  ? LF_UNIT_YEAR
                               : LF_UNIT_NONE;
}

lf_status lf_question_read(const char *question, lf_question *out, lf_err *err)
{
    static const char *const date[] = {
        "什么时候", "何时", "哪个时间", "什么日子", "when ", "When "
    };
    static const char *const lasts[] = { "多久",     "多长时间", "多少时间", "how long",
                                         "How long", "多少秒",   "多少分钟", "多少小时" };
    static const char *const money[] = {
        "多少钱", "价格", "售价", "费用", "金额", "多少元", "how much money", "price", " cost",
        "资本",   "收入", "利润", "营收", "资金", "投资",   "市值",           "损失"
    };
    static const char *const price[] = { "the price", "hat does it cost", " cost?", " cost " };
    static const char *const share[] = { "百分之几", "百分之多少", "百分比",
                                         "比例",     "占比",       "percentage",
                                         "percent",  "what share", "What share" };
    static const char *const count[] = { "多少",      "多大",      "多高",     "多长",
                                         "多快",      "多远",      "多重",     "几",
                                         "how many",  "How many",  "how much", "How much",
                                         "how large", "How large", "how big",  "How big",
                                         "how high",  "How high",  "how hot",  "How hot" };
    static const char *const code[] = { "代码", "编号", "号码", "stock code", "hone number" };
    static const char *const place[] = { "哪里",     "在哪",   "哪儿",   "什么地方", "哪个城市",
                                         "哪座城市", "where ", "Where ", "hich city" };
    static const char *const person[] = { "谁", "哪位", "who ", "Who " };
    static const char *const role[] = { "由谁", "谁来",     "谁批",       "谁负责",
                                        "谁审", "Who must", "Who has to", "ho approves" };
    static const char *const organisation[] = {
        "哪家公司", "哪个公司", "哪个单位", "哪家单位", "哪家机构",     "哪个机构",   "哪家企业",
        "哪个企业", "哪个团队", "哪家研究", "哪所大学", "hich company", "hat company"
    };
    lf_status st = LF_OK;
    lf_question q = { .asked = LF_ASKED_OTHER };
    if (date_unit(question) != LF_UNIT_NONE || HAS_ANY(question, date)) {
        q.asked = LF_ASKED_DATE;
        q.unit = date_unit(question);
    } else if (HAS_ANY(question, lasts))
        q.asked = LF_ASKED_DURATION;
    else if (HAS_ANY(question, code))
        q.asked = LF_ASKED_CODE;
    else if (HAS_ANY(question, share))
        q.asked = LF_ASKED_PERCENT;
    else if (HAS_ANY(question, count)) {
        q.asked = HAS_ANY(question, money) && !changes(question) ? LF_ASKED_MONEY : LF_ASKED_NUMBER;
        st = unit_after(question, "多少", &q.unit, err);
        if (st == LF_OK && q.unit == LF_UNIT_NONE)
            st = unit_after(question, "几", &q.unit, err);
        if (st == LF_OK && q.unit == LF_UNIT_NONE && counts(question))
            q.unit = LF_UNIT_COUNT;
    } else if (HAS_ANY(question, price))
        q.asked = LF_ASKED_MONEY;
    else if (HAS_ANY(question, place))
        q.asked = LF_ASKED_PLACE;
    else if (HAS_ANY(question, organisation))
        q.asked = LF_ASKED_ORGANISATION;
    else if (HAS_ANY(question, person))
        q.asked = LF_ASKED_PERSON;
    q.by_role = HAS_ANY(question, role);
    if (st == LF_OK)
        *out = q;
    return st;
}

void lf_question_content(const char *question, lf_buf *out)
{
    static const char *const asking[] = {
        "是什么时候", "是哪一年", "什么时候", "多长时间", "多少时间", "叫什么名字", "百分之多少",
        "百分之几",   "哪一年",   "哪一天",   "哪个月",   "叫什么",   "是什么",     "是多少",
        "有多少",     "有多大",   "哪年",     "哪天",     "哪个",     "哪家",       "哪些",
        "哪位",       "哪里",     "多少",     "多大",     "多长",     "多久",       "多高",
        "什么",       "何时",     "怎么",     "怎样",     "如何",     "为什么",     "一共",
        "总共",       "大约",     "大概",     "分别",     "请问",     "是谁",       "哪",
        "谁",         "几",       "吗",       "呢",
    };
    const char *p = question, *end = p + strlen(p);
    while (p < end) {
        const char *from = p;
        size_t n = 0;
        for (size_t i = 0; i < sizeof asking / sizeof asking[0] && n == 0; i++)
            if (strncmp(p, asking[i], strlen(asking[i])) == 0)
                n = strlen(asking[i]);
        if (n == 0) {
            lf_utf8_next(&p, end);
            lf_buf_add(out, from, (size_t)(p - from));
            continue;
        }
        for (; n > 0; n -= 3, p += 3) /* each of these characters has three bytes */
            lf_buf_add_char(out, ' ');
    }
}

/* A number of a date: the part that is asked for counts fully. */
static double date_fits(lf_unit asked, const lf_number *m)
{
    const bool year =
        m->value >= 1000 && m->value < 2100 && (m->unit == LF_UNIT_YEAR || m->unit == LF_UNIT_NONE);
    if (year)
        return asked == LF_UNIT_DAY || asked == LF_UNIT_MONTH ? 0.6 : 1;
    if (m->unit == LF_UNIT_MONTH)
        return asked == LF_UNIT_YEAR ? 0.2 : asked == LF_UNIT_DAY ? 0.7 : 1;
    if (m->unit == LF_UNIT_DAY)
        return asked == LF_UNIT_YEAR ? 0.2 : 1;
    return 0;
}

static double number_fits(const lf_question *k, const lf_number *m)
{
    const bool lasts = (m->unit == LF_UNIT_YEAR && m->value < 1000) ||
                       (m->unit >= LF_UNIT_MONTHS && m->unit <= LF_UNIT_SECOND);
    switch (k->asked) {
    case LF_ASKED_DATE:
        return date_fits(k->unit, m);
    case LF_ASKED_DURATION:
        return lasts ? 1 : 0.1;
    case LF_ASKED_MONEY:
        return m->unit == LF_UNIT_MONEY || m->unit == LF_UNIT_DOLLAR ? 1
               : m->unit == LF_UNIT_NONE                             ? 0.3
                                                                     : 0.1;
    case LF_ASKED_PERCENT:
        return m->unit == LF_UNIT_PERCENT ? 1 : 0.2;
    case LF_ASKED_CODE:
        return m->end - m->start >= 4 && m->unit == LF_UNIT_NONE ? 1 : 0;
    default:
        if (k->unit != LF_UNIT_NONE)
            return m->unit == k->unit ? 1 : m->unit == LF_UNIT_NONE ? 0.7 : 0.2;
        return lf_number_date_part(m) != LF_UNIT_NONE ? 0.3 : lasts ? 0.7 : 1;
    }
}

/* Family names of most people in China, and what stands beside a person's name. */
static bool near_person(lf_str s)
{
    static const char names[] =
        "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖"
        "田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方"
        "白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤聂梅"
        "乔";
    static const char *const beside[] = { "CEO",  "总裁", "董事长", "院士",   "教授", "博士",
                                          "先生", "女士", "创始人", "负责人", "主任", "院长",
                                          "首席", "经理", "主编",   "作者",   "老师" };
    const char *p = s.p, *e = s.p + s.len;
    if (!STANDS_IN(s, beside))
        return false;
    while (p < e) {
        const char *at = p;
        uint32_t c[2] = { lf_utf8_next(&p, e), 0 };
        const char *q = p;
        if (q < e)
            c[1] = lf_utf8_next(&q, e);
        if (lf_cp_is_han(c[0]) && lf_cp_is_han(c[1]) && !lf_segment_is_word(c, 2)) {
            char key[5] = { 0 };
            memcpy(key, at, (size_t)(p - at) < 4 ? (size_t)(p - at) : 4);
            if (strstr(names, key))
                return true;
        }
    }
    return false;
}

static bool near_office(lf_str s)
{
    static const char *const words[] = { "主任",    "经理",    "负责人", "班长",    "主管",
                                         "领导",    "办公会",  "部",     "处",      "人员",
                                         "manager", "head of", "owner",  "customer" };
    return STANDS_IN(s, words);
}

/* A word for organisations with a name before it: "与公司自研的" names none. */
static bool near_organisation(lf_str s)
{
    static const char *const words[] = { "公司", "集团", "实验室", "研究院", "研究所", "大学",
                                         "中心", "科技", "银行",   "医院",   "企业",   "机构",
                                         "学院", "Inc",  "Ltd",    "Lab" };
    static const char nameless[] = "与和在由该本的为是我贵对向让被，。、；：";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *p = s.p, *at;
        while ((at = memmem(p, (size_t)(s.p + s.len - p), words[i], strlen(words[i]))) != NULL) {
            char before[4] = { 0 };
            if (at - s.p >= 3)
                memcpy(before, at - 3, 3);
            if (before[0] && !strstr(nameless, before))
                return true;
            p = at + strlen(words[i]);
        }
    }
    return false;
}

/* Numbers that read as words: "2.3T", "16K", "1e-3"; codes such as "D00202". */
static double name_fits(const lf_question *k, const lf_reading *q, const lf_reading *r,
                        uint32_t start, uint32_t end)
{
    for (size_t i = 0; i < r->facts.n_names; i++) {
        const lf_name *m = &r->facts.names[i];
        const lf_str s = lf_reading_slice(r, m->start, m->end);
        size_t digits = 0;
        if (m->start < start || m->start >= end || lf_reading_has_name(q, m->id))
            continue;
        for (size_t c = 0; c < s.len; c++)
            digits += s.p[c] >= '0' && s.p[c] <= '9';
        if (k->asked == LF_ASKED_CODE ? digits >= 4 : s.p[0] >= '0' && s.p[0] <= '9')
            return k->asked == LF_ASKED_CODE ? 1 : k->unit == LF_UNIT_NONE ? 0.8 : 0.4;
    }
    return 0;
}

static bool near_place(lf_str s)
{
    static const char *const words[] = { "位于", "坐落",   "地处",   "落户",     "总部",   "市",
                                         "省",   "交易所", "交所",   "县",       "岛",     "板",
                                         "国",   "区",     "北京",   "上海",     "重庆",   "天津",
                                         "香港", "street", "Street", "district", "located" };
    return STANDS_IN(s, words);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "06:30", "9点", "下午两点半", "5 p.m.", "on Mondays": what "when" may ask for beside a date. */
static bool tells_time(lf_str s)
{
    static const char *const words[] = { "点钟",     "点半",    "点整",     "上午",    "下午",
                                         "中午",     "晚上",    "凌晨",     "周一",    "周二",
                                         "周三",     "周四",    "周五",     "周六",    "周日",
                                         "周末",     "星期",    " a.m",     " p.m",    "noon",
                                         "midnight", "o'clock", "Monday",   "Tuesday", "Wednesday",
                                         "Thursday", "Friday",  "Saturday", "Sunday",  "weekend" };
    if (STANDS_IN(s, words))
        return true;
    for (size_t i = 1; i + 2 < s.len; i++)
        if (is_digit(s.p[i - 1]) &&
            ((s.p[i] == ':' && is_digit(s.p[i + 1]) && is_digit(s.p[i + 2])) ||
             memcmp(s.p + i, "点", 3) == 0))
            return true;
    return false;
}

double lf_question_kind(const lf_question *k, const lf_reading *q, const lf_reading *r,
                        uint32_t start, uint32_t end)
{
    double best = 0;
    if (k->asked == LF_ASKED_OTHER)
        return 0.8;
    if (k->asked == LF_ASKED_PERSON && k->by_role && near_office(lf_reading_slice(r, start, end)))
        return 1;
    if (k->asked == LF_ASKED_PERSON)
        return near_person(lf_reading_slice(r, start, end)) ? 1 : 0.3;
    if (k->asked == LF_ASKED_PLACE)
        return near_place(lf_reading_slice(r, start, end)) ? 1 : 0.3;
    if (k->asked == LF_ASKED_ORGANISATION)
        return near_organisation(lf_reading_slice(r, start, end)) ? 1 : 0.4;
    if (k->asked == LF_ASKED_DATE && k->unit == LF_UNIT_NONE &&
        tells_time(lf_reading_slice(r, start, end)))
        return 1;
    for (size_t i = 0; i < r->facts.n_numbers; i++) {
        const lf_number *m = &r->facts.numbers[i];
        bool asked = false;
        if (m->start < start || m->start >= end)
            continue;
        for (size_t j = 0; j < q->facts.n_numbers && !asked; j++)
            asked = lf_number_agrees(&q->facts.numbers[j], m);
        if (!asked) {
            const double fit = number_fits(k, m);
            best = fit > best ? fit : best;
        }
    }
    if (k->asked == LF_ASKED_NUMBER || k->asked == LF_ASKED_CODE) {
        const double named = name_fits(k, q, r, start, end);
        best = named > best ? named : best;
    }
    return best;
}

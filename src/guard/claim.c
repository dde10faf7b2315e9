/* guard/claim.c - the word lists, and what follows from them.
 *
 * Negation   Denials are counted; an odd number denies ("no district was without").
 * Direction  Words that exclude each other (more, less; 提高, 降低; spring, autumn):
 *            one of a group in the answer, another in the source, which lacks the
 *            first.
 * Scope      "all", "every", 所有 need a word of their kind in the source.
 * Modality   What the source plans or thinks possible is not told as done; "must" and
 *            "certainly" need their like.
 *
 * English entries match whole words, Chinese ones anywhere. */
#include "guard/claim_int.h"

#include <string.h>

typedef const char *const *words; /* NULL ends a list */

static bool is_latin(char c)
{
    const char l = (char)(c | 32);
    return l >= 'a' && l <= 'z';
}

static bool stands_at(lf_str s, size_t i, const char *w)
{
    const size_t n = strlen(w);
    if (i + n > s.len)
        return false;
    if ((unsigned char)w[0] >= 0x80)
        return memcmp(s.p + i, w, n) == 0;
    if (i > 0 && (is_latin(s.p[i - 1]) || s.p[i - 1] == '-'))
        return false;
    for (size_t k = 0; k < n; k++)
        if (s.p[i + k] != w[k] && !(is_latin(s.p[i + k]) && (s.p[i + k] | 32) == w[k]))
            return false;
    return i + n == s.len || !is_latin(s.p[i + n]);
}

static bool has(lf_str s, words list)
{
    for (; *list; list++)
        for (size_t i = 0; i < s.len; i++)
            if (stands_at(s, i, *list))
                return true;
    return false;
}

static const char *const denials[] = {
    "不",     "没",      "未",      "无",     "非",      "勿",       "别",      "not",
    "no",     "never",   "without", "cannot", "none",    "nobody",   "nothing", "nowhere",
    "nor",    "neither", "isn't",   "wasn't", "doesn't", "didn't",   "can't",   "won't",
    "aren't", "weren't", "don't",   "hasn't", "haven't", "couldn't", NULL,
};

/* Words in which those characters deny nothing. */
static const char *const no_denials[] = {
    "不仅",     "不但",   "不断",     "不同",   "不良",     "不少",      "不只",     "不管",
    "不论",     "不过",   "不可或缺", "不足",   "不动产",   "不久",      "不止",     "不愧",
    "不妨",     "不敢",   "不菲",     "不凡",   "不锈",     "未来",      "未必",     "无论",
    "无线",     "无限",   "无缝",     "无感",   "无数",     "无人",      "无疑",     "无形",
    "无障碍",   "无锡",   "非常",     "非遗",   "非凡",     "非洲",      "非结构",   "非线性",
    "别墅",     "个别",   "区别",     "识别",   "特别",     "类别",      "级别",     "分别",
    "性别",     "差别",   "鉴别",     "辨别",   "别名",     "派别",      "告别",     "淹没",
    "沉没",     "埋没",   "没收",     "南非",   "除非",     "是非",      "不一",     "源源不断",
    "必不可少", "不打烊", "无接触",   "无监督", "不确定性", "别人",      "别的",     "差不多",
    "不满",     "不超过", "不低于",   "不少于", "不高于",   "no matter", "not only", "no doubt",
    NULL,
};

static bool is_harmless(lf_str s, size_t at, size_t len)
{
    for (words w = no_denials; *w; w++) {
        const size_t n = strlen(*w);
        for (size_t i = at + len >= n ? at + len - n : 0; i <= at; i++)
            if (stands_at(s, i, *w))
                return true;
    }
    return false;
}

bool lf_claim_denies(lf_str s)
{
    int n = 0;
    for (size_t i = 0; i < s.len; i++)
        for (words w = denials; *w; w++)
            if (stands_at(s, i, *w) && !is_harmless(s, i, strlen(*w)))
                n++;
    return n % 2 == 1;
}

/* Groups of lists of which one excludes the others. */
static const char *const rises[] = {
    "提升",  "提高",   "增长",     "增加",      "上升",      "加快",    "延长",     "扩大",
    "升高",  "上涨",   "increase", "increases", "increased", "rise",    "rises",    "rose",
    "risen", "raised", "grew",     "grow",      "grown",     "improve", "improved", NULL,
};
static const char *const falls[] = {
    "降低",      "减少",   "下降",    "缩短",    "节省",   "节约",   "降至",     "下跌",
    "减缓",      "缩小",   "fell",    "fall",    "falls",  "fallen", "decrease", "decreases",
    "decreased", "reduce", "reduced", "reduces", "shrank", "shrunk", "lowered",  NULL,
};
static const char *const stays[] = { "不变", "持平", "unchanged", "constant", NULL };
static const char *const more[] = { "more", "多于", "高于", "大于", NULL };
static const char *const less[] = { "less", "fewer", "少于", "低于", "小于", NULL };
static const char *const above[] = { "above", "以上", NULL };
static const char *const below[] = { "below", "以下", NULL };
static const char *const before[] = { "before", "earlier", "之前", NULL };
static const char *const after[] = { "after", "later", "之后", NULL };
static const char *const faster[] = { "faster", "更快", NULL };
static const char *const slower[] = { "slower", "更慢", NULL };
static const char *const longer[] = { "longer", "更长", NULL };
static const char *const shorter[] = { "shorter", "更短", NULL };
static const char *const larger[] = { "larger", "bigger", "更大", "最大", "largest", NULL };
static const char *const smaller[] = { "smaller", "更小", "最小", "smallest", NULL };
static const char *const highest[] = { "highest", "最高", NULL };
static const char *const lowest[] = { "lowest", "最低", NULL };
static const char *const spring[] = { "spring", "春季", "春天", NULL };
static const char *const summer[] = { "summer", "夏季", "夏天", NULL };
static const char *const autumn[] = { "autumn", "秋季", "秋天", NULL };
static const char *const winter[] = { "winter", "冬季", "冬天", NULL };
static const char *const north[] = { "north", "northern", "北部", "以北", NULL };
static const char *const south[] = { "south", "southern", "南部", "以南", NULL };
static const char *const east[] = { "east", "eastern", "东部", "以东", NULL };
static const char *const west[] = { "west", "western", "西部", "以西", NULL };
static const char *const mornings[] = { "morning", "上午", "早上", NULL };
static const char *const evenings[] = { "evening", "下午", "晚上", NULL };
static const char *const always[] = { "always", "总是", "始终", NULL };
static const char *const sometimes[] = { "sometimes", "occasionally", "有时", "偶尔", NULL };

static const words groups[][5] = {
    { rises, falls, stays },
    { more, less },
    { above, below },
    { before, after },
    { faster, slower },
    { longer, shorter },
    { larger, smaller },
    { highest, lowest },
    { spring, summer, autumn, winter },
    { north, south, east, west },
    { mornings, evenings },
    { always, sometimes },
};

static bool excludes(lf_str said, lf_str part)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        for (size_t i = 0; i < 5 && groups[g][i]; i++) {
            const bool in_said = has(said, groups[g][i]), in_part = has(part, groups[g][i]);
            if (in_said && !in_part)
                for (size_t k = 0; k < 5 && groups[g][k]; k++)
                    if (k != i && has(part, groups[g][k]) && !has(said, groups[g][k]))
                        return true;
        }
    }
    return false;
}

static const char *const universal[] = {
    "所有",     "全部",       "一切",  "任何",   "每个",        "每位",      "每名",   "每家",
    "每一",     "全都",       "全体",  "无一",   "all",         "every",     "always", "each",
    "everyone", "everything", "whole", "entire", "unanimously", "unanimous", NULL,
};
static const char *const any[] = { "any", NULL };

static const char *const plans[] = {
    "预计",  "预期",      "计划",     "有望",       "拟于",    "可能",     "将会",
    "将于",  "将在",      "将来",     "即将",       "未来",    "或将",     "希望",
    "力争",  "逐步",      "打算",     "建议",       "could",   "may",      "might",
    "would", "plans",     "plan to",  "planned",    "expect",  "expects",  "expected",
    "will",  "suggest",   "suggests", "suggested",  "propose", "proposes", "hope",
    "hopes", "likely",    "possible", "possibly",   "perhaps", "intend",   "intends",
    "aims",  "are to be", "is to be", "would like", NULL,
};
/* Only in the answer: ways to say a plan that mean other things as well. */
static const char *const maybe[] = { "将", "拟", "can", "should", "to be", NULL };
static const char *const done[] = { "已",  "已经", "完成", "成功", "has", "have", "had",
                                    "was", "were", "did",  "is",   "are", "been", NULL };
static const char *const certain[] = { "必将",       "必定",      "必然",       "一定会",
                                       "毫无疑问",   "certainly", "definitely", "undoubtedly",
                                       "prove",      "proves",    "must",       "必须",
                                       "inevitably", NULL };

static int count(lf_str s, words list)
{
    int n = 0;
    for (; *list; list++)
        for (size_t i = 0; i < s.len; i++)
            n += stands_at(s, i, *list);
    return n;
}

static bool is_wider(lf_str said, lf_str whole)
{
    const int n = count(said, universal), m = count(whole, universal);
    return n > m || (has(said, any) && !lf_claim_denies(said) && !has(whole, any) && m == 0);
}

const char *lf_claim_conflict(lf_str said, lf_str clause, lf_str part, lf_str whole)
{
    const char *why = lf_claim_crossed(said, whole);
    if (why[0])
        return why;
    if (excludes(said, clause) || excludes(said, part))
        return "direction";
    return has(part, plans) && has(said, done) && !has(said, plans) && !has(said, maybe)
               ? "modality"
               : "";
}

const char *lf_claim_crossed(lf_str said, lf_str whole)
{
    if (excludes(said, whole))
        return "direction";
    if (is_wider(said, whole))
        return "scope";
    return has(said, certain) && !has(whole, certain) ? "modality" : "";
}

/* "was kept", "is checked", "are to be fitted": a form of "be", and of the two words
 * after it one that may be a participle. */
static bool is_participle_after(lf_str s, size_t i)
{
    static const char *const irregular[] = { "kept", "made", "built", "held",  "sent", "left",
                                             "lost", "paid", "told",  "found", "won",  "read",
                                             "set",  "put",  "cut",   "done",  "sold", NULL };
    for (int k = 0; k < 2; k++) {
        while (i < s.len && s.p[i] == ' ')
            i++;
        size_t e = i;
        while (e < s.len && is_latin(s.p[e]))
            e++;
        const bool tail = e > i + 3 && ((s.p[e - 2] == 'e' && s.p[e - 1] == 'd') ||
                                        (s.p[e - 2] == 'e' && s.p[e - 1] == 'n'));
        if (tail || has((lf_str){ s.p + i, e - i }, irregular))
            return true;
        i = e;
    }
    return false;
}

bool lf_claim_is_passive(lf_str s)
{
    static const char *const marks[] = { "by", "被", "由", "受", NULL };
    static const char *const named[] = { "被视为", "被称为", "被誉为", NULL };
    static const char *const be[] = { "is", "are", "was", "were", "be", "been", "being", NULL };
    if (count(s, marks) > count(s, named))
        return true;
    for (size_t i = 0; i < s.len; i++)
        for (words w = be; *w; w++)
            if (stands_at(s, i, *w) && is_participle_after(s, i + strlen(*w)))
                return true;
    return false;
}

bool lf_claim_is_way(lf_str s)
{
    static const char *const marks[] = { "from", "从", "由", "自", NULL };
    return has(s, marks);
}

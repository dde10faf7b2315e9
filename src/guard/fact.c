/* guard/fact.c - one pass over the code points, folded to half width.
 *
 * A number is digits (with ',' between groups and one '.'), a run of Chinese
 * numerals, or English words ("twenty-five"), times the scales that follow it
 * (十 百 千 万 亿, thousand, million, …), times the unit.  The words around it say
 * whether it is a limit or a rate.
 * Chinese numerals count as a number only where they hold a scale of ten or
 * more, or a unit follows, and "一" alone never does: it is part of too many
 * ordinary words; so is "one".
 * Of a range the first number takes unit and scale of the second, in the end. */
#include "guard/fact.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "text/fold.h"
#include "text/utf8.h"

typedef struct reader {
    uint32_t *c; /* folded, one for one with the source */
    size_t n;
    lf_facts *out;
    size_t cap_numbers, cap_names;
    bool failed;
} reader;

typedef struct unit_row {
    const char *text;
    lf_unit unit;
} unit_row;

/* Longest first where one is the beginning of another; whole words of English are below. */
static const unit_row units[] = {
    { "个百分点", LF_UNIT_PERCENT }, { "百分点", LF_UNIT_PERCENT },
    { "percent", LF_UNIT_PERCENT },  { "per cent", LF_UNIT_PERCENT },
    { "%", LF_UNIT_PERCENT },        { "立方米", LF_UNIT_CUBIC_M },
    { "平方米", LF_UNIT_AREA },      { "平米", LF_UNIT_AREA },
    { "亩", LF_UNIT_AREA },          { "公里", LF_UNIT_LENGTH_KM },
    { "千米", LF_UNIT_LENGTH_KM },   { "km", LF_UNIT_LENGTH_KM },
    { "厘米", LF_UNIT_LENGTH_CM },   { "公分", LF_UNIT_LENGTH_CM },
    { "毫米", LF_UNIT_LENGTH_MM },   { "mm", LF_UNIT_LENGTH_MM },
    { "公尺", LF_UNIT_LENGTH_M },    { "米", LF_UNIT_LENGTH_M },
    { "英里", LF_UNIT_LENGTH_MILE }, { "英尺", LF_UNIT_LENGTH_FOOT },
    { "公斤", LF_UNIT_KILOGRAM },    { "千克", LF_UNIT_KILOGRAM },
    { "克", LF_UNIT_GRAM },          { "公吨", LF_UNIT_TONNE },
    { "公顿", LF_UNIT_TONNE },       { "吨", LF_UNIT_TONNE },
    { "升", LF_UNIT_LITRE },         { "欧元", LF_UNIT_EURO },
    { "美元", LF_UNIT_DOLLAR },      { "美金", LF_UNIT_DOLLAR },
    { "人民币", LF_UNIT_MONEY },     { "元", LF_UNIT_MONEY },
    { "块钱", LF_UNIT_MONEY },       { "yuan", LF_UNIT_MONEY },
    { "个小时", LF_UNIT_HOUR },      { "个工作日", LF_UNIT_DAYS },
    { "个星期", LF_UNIT_WEEKS },     { "周年", LF_UNIT_YEAR },
    { "周", LF_UNIT_WEEKS },         { "小时", LF_UNIT_HOUR },
    { "分钟", LF_UNIT_MINUTE },      { "秒", LF_UNIT_SECOND },
    { "年", LF_UNIT_YEAR },          { "个月", LF_UNIT_MONTHS },
    { "月", LF_UNIT_MONTH },         { "工作日", LF_UNIT_DAYS },
    { "天", LF_UNIT_DAYS },          { "日", LF_UNIT_DAY },
    { "号", LF_UNIT_DAY },           { "倍", LF_UNIT_TIMES },
    { "度", LF_UNIT_DEGREE },        { "摄氏度", LF_UNIT_DEGREE },
    { "℃", LF_UNIT_DEGREE },         { "量级", LF_UNIT_ORDER },
    { "个", LF_UNIT_COUNT },         { "名", LF_UNIT_COUNT },
    { "位", LF_UNIT_COUNT },         { "人", LF_UNIT_COUNT },
    { "户", LF_UNIT_COUNT },         { "家", LF_UNIT_COUNT },
    { "种", LF_UNIT_COUNT },         { "类", LF_UNIT_COUNT },
    { "项", LF_UNIT_COUNT },         { "款", LF_UNIT_COUNT },
    { "条", LF_UNIT_COUNT },         { "台", LF_UNIT_COUNT },
    { "次", LF_UNIT_COUNT },         { "张", LF_UNIT_COUNT },
    { "层", LF_UNIT_COUNT },         { "篇", LF_UNIT_COUNT },
    { "件", LF_UNIT_COUNT },         { "门", LF_UNIT_COUNT },
    { "所", LF_UNIT_COUNT },         { "座", LF_UNIT_COUNT },
    { "支", LF_UNIT_COUNT },         { "辆", LF_UNIT_COUNT },
    { "部", LF_UNIT_COUNT },         { "帧", LF_UNIT_COUNT },
    { "岁", LF_UNIT_COUNT },         { "字", LF_UNIT_COUNT },
    { "页", LF_UNIT_COUNT },         { "份", LF_UNIT_COUNT },
    { "笔", LF_UNIT_COUNT },         { "套", LF_UNIT_COUNT },
    { "组", LF_UNIT_COUNT },         { "场", LF_UNIT_COUNT },
    { "期", LF_UNIT_COUNT },         { "届", LF_UNIT_COUNT },
    { "轮", LF_UNIT_COUNT },         { "步", LF_UNIT_COUNT },
    { "栋", LF_UNIT_COUNT },         { "只", LF_UNIT_COUNT },
    { "艘", LF_UNIT_COUNT },         { "例", LF_UNIT_COUNT },
    { "题", LF_UNIT_COUNT },         { "枚", LF_UNIT_COUNT },
    { "章", LF_UNIT_COUNT },         { "大", LF_UNIT_COUNT }, /* "两大数据中心" */
};

/* English words, each with and without the s of the plural. */
static const unit_row english_units[] = {
    { "cubic metre", LF_UNIT_CUBIC_M },
    { "cubic meter", LF_UNIT_CUBIC_M },
    { "square metre", LF_UNIT_AREA },
    { "square meter", LF_UNIT_AREA },
    { "dollar", LF_UNIT_DOLLAR },
    { "euro", LF_UNIT_EURO },
    { "hour", LF_UNIT_HOUR },
    { "minute", LF_UNIT_MINUTE },
    { "second", LF_UNIT_SECOND },
    { "year", LF_UNIT_YEAR },
    { "month", LF_UNIT_MONTHS },
    { "week", LF_UNIT_WEEKS },
    { "working day", LF_UNIT_DAYS },
    { "day", LF_UNIT_DAYS },
    { "time", LF_UNIT_TIMES },
    { "kilometre", LF_UNIT_LENGTH_KM },
    { "kilometer", LF_UNIT_LENGTH_KM },
    { "centimetre", LF_UNIT_LENGTH_CM },
    { "centimeter", LF_UNIT_LENGTH_CM },
    { "millimetre", LF_UNIT_LENGTH_MM },
    { "millimeter", LF_UNIT_LENGTH_MM },
    { "metre", LF_UNIT_LENGTH_M },
    { "meter", LF_UNIT_LENGTH_M },
    { "mile", LF_UNIT_LENGTH_MILE },
    { "feet", LF_UNIT_LENGTH_FOOT },
    { "foot", LF_UNIT_LENGTH_FOOT },
    { "kilogram", LF_UNIT_KILOGRAM },
    { "gram", LF_UNIT_GRAM },
    { "kg", LF_UNIT_KILOGRAM },
    { "tonne", LF_UNIT_TONNE },
    { "ton", LF_UNIT_TONNE },
    { "litre", LF_UNIT_LITRE },
    { "liter", LF_UNIT_LITRE },
};

void lf_facts_release(lf_facts *f)
{
    lf_free(f->numbers);
    lf_free(f->names);
    *f = (lf_facts){ 0 };
}

static uint32_t at(const reader *r, size_t i)
{
    return i < r->n ? r->c[i] : 0;
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t skip_blank(const reader *r, size_t i)
{
    return at(r, i) == ' ' || at(r, i) == 0xA0 ? i + 1 : i;
}

static bool literal_at(const reader *r, size_t i, const char *text, size_t *end)
{
    const char *p = text, *e = text + strlen(text);
    while (p < e) {
        uint32_t c = at(r, i++);
        if (c >= 'A' && c <= 'Z')
            c += 32;
        if (c != lf_utf8_next(&p, e))
            return false;
    }
    *end = i;
    return true;
}

/* Value of a numeral character, or -1; scales give 10 and more. */
static double numeral(uint32_t c)
{
    static const char chars[] = "零一二三四五六七八九十百千万亿";
    static const double values[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1000, 1e4, 1e8 };
    const char *p = chars;
    if (c == 0x3007) /* 〇 */
        return 0;
    if (c == 0x4E24) /* 两 */
        return 2;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (lf_utf8_next(&p, chars + sizeof chars - 1) == c)
            return values[i];
    return -1;
}

static bool is_about(uint32_t c) /* 多 余 几 来 + : "20 多万" */
{
    return c == 0x591A || c == 0x4F59 || c == 0x51E0 || c == 0x6765 || c == '+';
}

/* The scales after a number: multiplies *v and returns where they end. */
static size_t read_scales(const reader *r, size_t i, double *v)
{
    for (;;) {
        size_t j = skip_blank(r, i);
        const size_t after_about = is_about(at(r, j)) ? j + 1 : j;
        double s = numeral(at(r, after_about));
        size_t end = after_about + 1, unit_end;
        if ((at(r, after_about) | 32) == 'w' && !is_letter(at(r, after_about + 1)))
            s = 1e4; /* "8W+" */
        else if (literal_at(r, after_about, "thousand", &end))
            s = 1e3;
        else if (literal_at(r, after_about, "million", &end))
            s = 1e6;
        else if (literal_at(r, after_about, "billion", &end))
            s = 1e9;
        else if (literal_at(r, after_about, "trillion", &end))
            s = 1e12;
        if (s < 10 || literal_at(r, after_about, "千米", &unit_end) ||
            literal_at(r, after_about, "千克", &unit_end) ||
            literal_at(r, after_about, "千瓦", &unit_end))
            return i;
        *v *= s;
        i = end;
    }
}

/* A whole English word, its plural allowed. */
static bool word_at(const reader *r, size_t i, const char *text, size_t *end)
{
    if (!literal_at(r, i, text, end))
        return false;
    if ((at(r, *end) | 32) == 's' && !is_letter(at(r, *end + 1)))
        ++*end;
    return !is_letter(at(r, *end)) && !is_digit(at(r, *end));
}

/* The unit after a number, and where it ends (`i` where there is none). */
static lf_unit read_unit(const reader *r, size_t i, size_t *unit_end)
{
    size_t end, j = skip_blank(r, i);
    *unit_end = i;
    if (is_about(at(r, j)) || (at(r, j) == '-' && is_letter(at(r, j + 1))))
        j = skip_blank(r, j + 1);
    for (size_t k = 0; k < sizeof units / sizeof units[0]; k++)
        if (literal_at(r, j, units[k].text, &end) &&
            (!is_letter(at(r, j)) || !is_letter(at(r, end)))) {
            *unit_end = end;
            return units[k].unit;
        }
    for (size_t k = 0; k < sizeof english_units / sizeof english_units[0]; k++)
        if (word_at(r, j, english_units[k].text, &end)) {
            *unit_end = end;
            return english_units[k].unit;
        }
    return LF_UNIT_NONE;
}

/* " a day", " per month", "/天" after a unit: a time or nothing. */
static lf_unit read_rate(const reader *r, size_t i)
{
    static const char *const words[] = { "a", "an", "per", "each", "every" };
    size_t j = skip_blank(r, i), end = j;
    for (size_t k = 0; k < sizeof words / sizeof words[0] && end == j; k++)
        if (!word_at(r, j, words[k], &end))
            end = j;
    if (end == j && at(r, j) == '/')
        end = j + 1;
    if (end == j)
        return LF_UNIT_NONE;
    const lf_unit u = read_unit(r, end, &j);
    return u >= LF_UNIT_YEAR && u <= LF_UNIT_SECOND ? u : LF_UNIT_NONE;
}

static bool any_at(const reader *r, size_t i, const char *const *words, size_t n)
{
    size_t end;
    for (size_t k = 0; k < n; k++)
        if (literal_at(r, i, words[k], &end))
            return true;
    return false;
}

static bool any_before(const reader *r, size_t i, const char *const *words, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const size_t len = lf_utf8_count(words[k], strlen(words[k]));
        size_t end;
        if (i >= len && literal_at(r, i - len, words[k], &end))
            return true;
    }
    return false;
}

/* What the words around a number, [start, unit_end), make of it. */
static lf_limit read_limit(const reader *r, size_t start, size_t unit_end)
{
    static const char *const to_before[] = { "不满",   "未满",   "低于",  "少于",  "不足",
                                             "不超过", "不高于", "up to", "under", "below" };
    static const char *const from_before[] = { "满",     "超过",   "高于", "大于",
                                               "不少于", "不低于", "over", "above" };
    static const char *const to_after[] = { "以下", "以内", "之内" };
    static const char *const from_after[] = { "以上", "及以上", "or more" };
    const size_t before = start > 0 && r->c[start - 1] == ' ' ? start - 1 : start;
    const size_t after = skip_blank(r, unit_end);
    if (any_before(r, before, to_before, sizeof to_before / sizeof to_before[0]) ||
        any_at(r, after, to_after, sizeof to_after / sizeof to_after[0]))
        return LF_LIMIT_TO;
    if (any_before(r, before, from_before, sizeof from_before / sizeof from_before[0]) ||
        any_at(r, after, from_after, sizeof from_after / sizeof from_after[0]))
        return LF_LIMIT_FROM;
    return LF_LIMIT_NONE;
}

/* "图5", "表 3", "Figure 2": the number of a picture says nothing. */
static bool is_label(const reader *r, size_t start)
{
    static const char *const labels[] = { "图", "表", "figure", "table", "fig." };
    const size_t before = start > 0 && r->c[start - 1] == ' ' ? start - 1 : start;
    return any_before(r, before, labels, sizeof labels / sizeof labels[0]);
}

static void add_number(reader *r, double value, double scale, lf_unit unit, size_t start,
                       size_t end, size_t unit_end)
{
    lf_facts *o = r->out;
    if (unit == LF_UNIT_NONE && value < 100 && is_label(r, start))
        return;
    if (!lf_grow((void **)&o->numbers, &r->cap_numbers, o->n_numbers + 1, sizeof *o->numbers)) {
        r->failed = true;
        return;
    }
    o->numbers[o->n_numbers++] = (lf_number){ .value = value,
                                              .scale = scale,
                                              .unit = unit,
                                              .per = read_rate(r, unit_end),
                                              .limit = read_limit(r, start, unit_end),
                                              .start = (uint32_t)start,
                                              .end = (uint32_t)end };
}

static void add_name(reader *r, size_t start, size_t end)
{
    lf_facts *o = r->out;
    uint64_t h = 0xCBF29CE484222325ull;
    bool plain = true;
    if (!lf_grow((void **)&o->names, &r->cap_names, o->n_names + 1, sizeof *o->names)) {
        r->failed = true;
        return;
    }
    /* "Mondays" is "Monday" */
    const bool plural =
        end - start > 4 && r->c[end - 1] == 's' && r->c[end - 2] >= 'a' && r->c[end - 2] <= 'z';
    for (size_t i = start; i < end - (plural ? 1 : 0); i++) {
        uint32_t c = r->c[i];
        if (!(c >= 'a' && c <= 'z'))
            plain = false;
        if (c == '-' || c == '.')
            continue; /* "GPT-4" is "GPT4" */
        if (c >= 'A' && c <= 'Z')
            c += 32;
        h = (h ^ c) * 0x100000001B3ull;
    }
    o->names[o->n_names++] =
        (lf_name){ .id = h, .start = (uint32_t)start, .end = (uint32_t)end, .is_plain = plain };
}

/* 1 to 12 where the name of a month begins at `i`, else 0. */
static int month_at(const reader *r, size_t i, size_t *end)
{
    static const char *const months[] = { "January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December" };
    for (int k = 0; k < 12; k++)
        if (at(r, i) == (uint32_t)months[k][0] && literal_at(r, i + 1, months[k] + 1, end) &&
            !is_letter(at(r, *end)))
            return k + 1;
    return 0;
}

/* The number that an English word stands for, or -1. */
static double number_word(const reader *r, size_t i, size_t *end)
{
    static const char *const words[] = { "one",     "two",       "three",    "four",     "five",
                                         "six",     "seven",     "eight",    "nine",     "ten",
                                         "eleven",  "twelve",    "thirteen", "fourteen", "fifteen",
                                         "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
                                         "thirty",  "forty",     "fifty",    "sixty",    "seventy",
                                         "eighty",  "ninety",    "hundred" };
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        if (literal_at(r, i, words[k], end) && !is_letter(at(r, *end)) && !is_digit(at(r, *end)))
            return k < 20 ? (double)(k + 1) : k < 27 ? (double)(10 * (k - 17)) : 100;
    return -1;
}

/* "twenty-five", "two hundred and fifty"; -1 where none begins.  "one" alone is none: it
 * is a pronoun as often. */
static double number_words(const reader *r, size_t i, size_t *end)
{
    double total = 0, v;
    size_t n = 0, e;
    while ((v = number_word(r, i, &e)) >= 0 && (v != 100 || n == 1)) {
        total = v == 100 ? total * 100 : total + v;
        n++;
        *end = i = e;
        if (at(r, i) == '-' || at(r, i) == ' ')
            i++;
        if (v == 100 && word_at(r, i, "and", &e))
            i = skip_blank(r, e);
    }
    return n == 0 || (n == 1 && total == 1) ? -1 : total;
}

/* A month or a number in words: where it ends, or `i`. */
static size_t read_number_word(reader *r, size_t i)
{
    size_t end = i, unit_end = i;
    const int month = month_at(r, i, &end);
    double v, scale = 1;
    lf_unit unit;
    if (month > 0) { /* "May" may be another word: a day or a year stands beside a month */
        const size_t next = skip_blank(r, end);
        const size_t before = i > 1 && r->c[i - 1] == ' ' ? i - 2 : i;
        if (!is_digit(at(r, next)) && !(before < i && is_digit(r->c[before])))
            return i;
        add_number(r, month, 1, LF_UNIT_MONTH, i, end, end);
        return end;
    }
    v = number_words(r, i, &end);
    if (v < 0)
        return i;
    end = read_scales(r, end, &scale);
    unit = read_unit(r, end, &unit_end);
    if (unit == LF_UNIT_NONE && at(r, end) == '-')
        return i; /* "three-dimensional" */
    add_number(r, v * scale, scale, unit, i, end, unit_end);
    return end;
}

/* Digits beside the name of a month: "28 April", "April 28". */
static bool is_day_of_month(const reader *r, size_t start, size_t end)
{
    const lf_facts *o = r->out;
    size_t month_end;
    if (month_at(r, skip_blank(r, end), &month_end) > 0)
        return true;
    return o->n_numbers > 0 && o->numbers[o->n_numbers - 1].unit == LF_UNIT_MONTH &&
           skip_blank(r, o->numbers[o->n_numbers - 1].end) == start;
}

/* Letters, digits, '-' and '.' between them. */
static size_t read_name(reader *r, size_t i)
{
    size_t end = read_number_word(r, i);
    if (end > i || r->failed)
        return end > i ? end : i + 1;
    end = i;
    while (end < r->n) {
        const uint32_t c = r->c[end], next = at(r, end + 1);
        const bool inner = (c == '-' || c == '.') && (is_letter(next) || is_digit(next));
        const bool glued = end > i && is_digit(r->c[end - 1]) && c >= 'A' && c <= 'Z' &&
                           next >= 'A' && next <= 'Z'; /* "A100GPU" is two */
        if ((!is_letter(c) && !is_digit(c) && !inner) || glued)
            break;
        end++;
    }
    add_name(r, i, end);
    return end;
}

/* "1,860.5", "1e-3"; then scales and unit. */
static size_t read_digits(reader *r, size_t i)
{
    const size_t start = i;
    size_t unit_end;
    double v = 0, frac = 0.1, scale = 1;
    lf_unit unit;
    for (; is_digit(at(r, i)) ||
           (at(r, i) == ',' && i > start && is_digit(at(r, i + 1)) && is_digit(at(r, i + 2)) &&
            is_digit(at(r, i + 3)) && !is_digit(at(r, i + 4)));
         i++)
        if (at(r, i) != ',')
            v = v * 10 + (double)(at(r, i) - '0');
    if (at(r, i) == '.' && is_digit(at(r, i + 1)))
        for (i++; is_digit(at(r, i)); i++, frac *= 0.1)
            v += frac * (double)(at(r, i) - '0');
    if (at(r, i) == 'e' &&
        (is_digit(at(r, i + 1)) ||
         ((at(r, i + 1) == '-' || at(r, i + 1) == '+') && is_digit(at(r, i + 2))))) {
        const bool neg = at(r, i + 1) == '-';
        double ex = 0;
        for (i += is_digit(at(r, i + 1)) ? 1 : 2; is_digit(at(r, i)); i++)
            ex = ex * 10 + (double)(at(r, i) - '0');
        v *= pow(10, neg ? -ex : ex);
    }
    i = read_scales(r, i, &scale);
    v *= scale;
    unit = read_unit(r, i, &unit_end);
    if (unit == LF_UNIT_NONE && is_letter(at(r, i)) && !is_letter(at(r, i + 1))) {
        add_name(r, start, i + 1); /* "16K", "2.3T", "70B": one word, compared as such */
        return i + 1;
    }
    if (unit == LF_UNIT_NONE && v >= 1 && v <= 31 && is_day_of_month(r, start, i))
        unit = LF_UNIT_DAY;
    add_number(r, v, scale, unit, start, i, unit_end);
    return i;
}

/* "三百二十", "十多", "百分之三十". */
static size_t read_numerals(reader *r, size_t i)
{
    const size_t start = i;
    double total = 0, section = 0, digit = 0, biggest = 0;
    bool percent = false, any_digit = false;
    size_t end, n_digits = 0, unit_end;
    lf_unit unit;
    if (literal_at(r, i, "百分之", &end)) {
        percent = true;
        i = end;
    }
    if (percent)
        i = skip_blank(r, i);
    if (percent && is_digit(at(r, i))) {
        end = read_digits(r, i);
        if (r->out->n_numbers)
            r->out->numbers[r->out->n_numbers - 1].unit = LF_UNIT_PERCENT;
        return end;
    }
    for (;; i++) {
        const double v = numeral(at(r, i));
        if (v < 0) {
            if (i > start && is_about(at(r, i)) && numeral(at(r, i + 1)) >= 1e4)
                continue; /* "十多万" */
            break;
        }
        if (v < 10) {
            digit = any_digit ? digit * 10 + v : v; /* "二〇二三" */
            any_digit = true;
            n_digits++;
            continue;
        }
        biggest = v > biggest ? v : biggest;
        if (v >= 1e4) {
            total = (total + section + (any_digit ? digit : section > 0 || total > 0 ? 0 : 1)) * v;
            section = 0;
        } else {
            section += (any_digit ? digit : 1) * v;
        }
        digit = 0;
        any_digit = false;
    }
    total += section + digit;
    unit = percent ? LF_UNIT_PERCENT : read_unit(r, i, &unit_end);
    if (percent)
        unit_end = i;
    if (!percent && total > 0 && literal_at(r, i, "分之", &end) && numeral(at(r, end)) > 0 &&
        numeral(at(r, end)) < 10) { /* "三分之一" */
        add_number(r, 100 * numeral(at(r, end)) / total, 1, LF_UNIT_PERCENT, start, end + 1,
                   end + 1);
        return end + 1;
    }
    if (i == start || (percent && i == start + 3))
        return start + 1;
    if (!percent && i == start + 1 && (unit == LF_UNIT_NONE || total == 1 || total >= 100))
        return i; /* one character alone: "一", or a word such as "千", "百" */
    if (!percent && unit == LF_UNIT_NONE && numeral(at(r, start)) >= 100)
        return i; /* "万一", "千万" */
    if (percent || unit != LF_UNIT_NONE || (biggest >= 10 && i > start + 1) || n_digits >= 4)
        add_number(r, total, 1, unit, start, i, unit_end);
    return i;
}

static void scan(reader *r)
{
    size_t i = 0;
    while (i < r->n && !r->failed) {
        const uint32_t c = r->c[i];
        if (lf_cp_is_han(c))
            r->out->n_han++;
        if (is_letter(c)) {
            const size_t end = read_name(r, i);
            r->out->n_letters += end - i;
            i = end;
        } else if (is_digit(c)) {
            i = read_digits(r, i);
        } else if (numeral(c) >= 0) {
            i = read_numerals(r, i);
        } else {
            i++;
        }
    }
}

/* "20-30 亿美元", "14 至 40 岁": what stands after the second holds for the first. */
static void join_ranges(reader *r)
{
    static const char *const marks[] = { "-", "~", "–", "—", "至", "到" };
    for (size_t k = 0; k + 1 < r->out->n_numbers; k++) {
        lf_number *a = &r->out->numbers[k];
        const lf_number *b = a + 1;
        const size_t mark = skip_blank(r, a->end);
        if (a->unit != LF_UNIT_NONE || skip_blank(r, mark + 1) != b->start ||
            !any_at(r, mark, marks, sizeof marks / sizeof marks[0]))
            continue;
        a->unit = b->unit;
        if (a->scale <= 1) {
            a->value *= b->scale;
            a->scale = b->scale;
        }
    }
}

/* Full-width forms to ASCII; letters keep their case, which tells names from words. */
static uint32_t fold_one(uint32_t c)
{
    if (c >= 0xFF01 && c <= 0xFF5E)
        return c - 0xFEE0;
    return c == 0x3000 ? ' ' : c;
}

lf_status lf_facts_read(const char *p, size_t n_bytes, lf_facts *out, lf_err *err)
{
    const char *end = p + n_bytes;
    lf_facts f = { 0 };
    reader r = { .out = &f };
    r.c = lf_alloc((n_bytes + 1) * sizeof *r.c);
    if (!r.c)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read the facts of %zu bytes", n_bytes);
    while (p < end)
        r.c[r.n++] = fold_one(lf_utf8_next(&p, end));
    scan(&r);
    if (!r.failed)
        join_ranges(&r);
    lf_free(r.c);
    if (r.failed) {
        lf_facts_release(&f);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the facts of a sentence");
    }
    *out = f;
    return LF_OK;
}

/* Days and months of a date and of a stretch of time: one class for comparisons. */
static lf_unit plain_unit(lf_unit u)
{
    return u == LF_UNIT_DAYS ? LF_UNIT_DAY : u == LF_UNIT_MONTHS ? LF_UNIT_MONTH : u;
}

static bool units_agree(const lf_number *a, const lf_number *b)
{
    if (plain_unit(a->unit) == plain_unit(b->unit))
        return true;
    return a->unit <= LF_UNIT_COUNT && b->unit <= LF_UNIT_COUNT;
}

bool lf_number_agrees(const lf_number *a, const lf_number *b)
{
    const double m = fabs(a->value) > fabs(b->value) ? fabs(a->value) : fabs(b->value);
    if (fabs(a->value - b->value) > 1e-9 * m)
        return false;
    if (a->per != b->per && a->per != LF_UNIT_NONE && b->per != LF_UNIT_NONE)
        return false;
    if (units_agree(a, b))
        return true;
    /* "in 2009" and "2009 年" */
    return a->value >= 1000 && a->value < 3000 &&
           (a->unit == LF_UNIT_NONE || b->unit == LF_UNIT_NONE) &&
           (a->unit == LF_UNIT_YEAR || b->unit == LF_UNIT_YEAR);
}

bool lf_number_is_year(const lf_number *n)
{
    if (n->unit == LF_UNIT_YEAR)
        return n->value >= 1000 && n->value < 3000;
    return n->unit == LF_UNIT_NONE && n->scale <= 1 && n->end - n->start == 4 && n->value >= 1900 &&
           n->value < 2100;
}

lf_unit lf_number_date_part(const lf_number *n)
{
    if (lf_number_is_year(n))
        return LF_UNIT_YEAR;
    return n->unit == LF_UNIT_MONTH || n->unit == LF_UNIT_DAY ? n->unit : LF_UNIT_NONE;
}

bool lf_number_within(const lf_number *n, const lf_number *limit)
{
    if (limit->limit == LF_LIMIT_NONE || n->unit == LF_UNIT_NONE || !units_agree(n, limit))
        return false;
    return limit->limit == LF_LIMIT_FROM ? n->value >= limit->value : n->value <= limit->value;
}

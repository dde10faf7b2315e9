/* flow/split.c - one question cut into the facts that it asks, by its wording.
 *
 * Chinese: "A和B的N分别V" -> "A的N V", "B的N V"; the part "的N" goes to A unless A ends as N
 * does (two kinds of rate, "正确率" and "胜率", end alike).  Clauses that both hold an asking
 * word are questions of their own; one that begins with it speaks of what the first speaks
 * of.  "A和B哪个N更多" asks N of both; "V的公司X" asks what that company is called and then X
 * of the name.  English: ", and" before an asking word, and "W were A and B V". */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "flow/question_int.h"

static bool asks(lf_str s)
{
    static const char *const words[] = { "谁",   "什么", "多少", "几",   "哪",   "何", "怎",
                                         "多大", "多久", "多长", "多高", "是否", "吗" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (lf_question_find(s, words[i]))
            return true;
    return false;
}

static bool is_wh(const char *p)
{
    static const char *const words[] = { "who", "what", "when",  "where",    "which",
                                         "how", "why",  "whose", "in which", "by how" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t n = strlen(words[i]);
        if (strncasecmp(p, words[i], n) == 0 && p[n] == ' ')
            return true;
    }
    return false;
}

/* Size of the last character of a view. */
static size_t last_char(lf_str s)
{
    size_t n = s.len ? 1 : 0;
    while (n < s.len && ((unsigned char)s.p[s.len - n] & 0xC0) == 0x80)
        n++;
    return n;
}

static size_t count_of(lf_str s, const char *w)
{
    size_t n = 0;
    const char *at;
    while ((at = lf_question_find(s, w)) != NULL) {
        n++;
        s = (lf_str){ at + strlen(w), (size_t)(s.p + s.len - at) - strlen(w) };
    }
    return n;
}

/* "的N" at the end of B, where A neither has it nor ends alike. */
static lf_str shared_noun(lf_str a, lf_str b)
{
    const char *de = NULL, *p = b.p;
    lf_str noun;
    while ((p = lf_question_find((lf_str){ p, (size_t)(b.p + b.len - p) }, "的")) != NULL) {
        de = p;
        p += strlen("的");
    }
    if (!de || count_of(a, "的") >= count_of(b, "的")) /* A has a noun of its own */
        return (lf_str){ 0 };
    noun = (lf_str){ .p = de, .len = (size_t)(b.p + b.len - de) };
    if (noun.len <= strlen("的") || a.len == 0)
        return (lf_str){ 0 };
    if (last_char(a) == last_char(noun) &&
        memcmp(a.p + a.len - last_char(a), noun.p + noun.len - last_char(noun), last_char(a)) == 0)
        return (lf_str){ 0 };
    return noun;
}

/* Where "A和B" of "A和B分别X" ends, and where X begins.  "都" and "各" count only before
 * a verb: "成都" and "各类" are other words. */
static const char *find_each(const char *question, const char **tail)
{
    static const struct {
        const char *word;
        size_t skip; /* bytes of it that do not belong to X */
    } marks[] = { { "分别", 6 }, { "各自", 6 }, { "各是", 3 }, { "各有", 3 }, { "各为", 3 },
                  { "各在", 3 }, { "都是", 3 }, { "都在", 3 }, { "都有", 3 }, { "都叫", 3 } };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *at = strstr(question, marks[i].word);
        if (!at)
            continue;
        *tail = at + marks[i].skip;
        return at;
    }
    return NULL;
}

/* The first word that joins two items; its width. */
static const char *find_joint(lf_str s, size_t *width)
{
    static const char *const joints[] = { "以及", "和", "与", "及", "跟", "、" };
    const char *best = NULL;
    for (size_t i = 0; i < sizeof joints / sizeof joints[0]; i++) {
        const char *at = lf_question_find(s, joints[i]);
        if (at && at > s.p && (!best || at < best)) {
            best = at;
            *width = strlen(joints[i]);
        }
    }
    return best;
}

/* "A、B和C分别X？" into one question each; false where it is not of that form. */
static lf_status split_each(const char *question, lf_questions *out, bool *done, lf_err *err)
{
    const char *after = NULL, *each = find_each(question, &after), *p;
    lf_str items[LF_QUESTIONS_MAX], tail, head, noun;
    size_t n = 0;
    lf_status st = LF_OK;
    *done = false;
    if (!each)
        return LF_OK;
    head = lf_question_cut(question, each);
    tail = lf_question_cut(after, question + strlen(question));
    for (p = head.p; n < LF_QUESTIONS_MAX - 1;) {
        const lf_str rest = { .p = p, .len = (size_t)(head.p + head.len - p) };
        size_t width = 0;
        const char *best = find_joint(rest, &width);
        if (!best)
            break;
        items[n++] = lf_question_cut(rest.p, best);
        p = best + width;
    }
    if (n == 0)
        return LF_OK;
    items[n++] = lf_question_cut(p, head.p + head.len);
    noun = shared_noun(items[0], items[n - 1]);
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        lf_buf b = { 0 };
        lf_question_add_view(&b, items[i]);
        if (i + 1 < n)
            lf_question_add_view(&b, noun);
        lf_question_add_view(&b, tail);
        st = lf_question_add(out, &b, err);
    }
    *done = true;
    return st;
}

/* The first of these words in `s`, and which. */
static const char *find_any(lf_str s, const char *const *words, size_t n, size_t *which)
{
    const char *best = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *at = lf_question_find(s, words[i]);
        if (at && (!best || at < best)) {
            best = at;
            *which = i;
        }
    }
    return best;
}

/* Words of no content at the edges of what is compared: "公司成立得" -> "成立". */
static lf_str trim_compared(lf_str s)
{
    static const char *const before[] = { "公司", "企业", "大模型", "模型", "产品", "的", "，" };
    static const char *const after[] = { "得", "的", "要" };
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        if (lf_str_starts(s, before[i]) && s.len > strlen(before[i]))
            s = lf_question_cut(s.p + strlen(before[i]), s.p + s.len);
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
        if (lf_str_ends(s, after[i]))
            s = lf_question_cut(s.p, s.p + s.len - strlen(after[i]));
    return s;
}

/* "A和B哪个N更多？" into what A and B have of it. */
static lf_status split_compare(const char *question, lf_questions *out, bool *done, lf_err *err)
{
    static const char *const choice[] = { "哪一家", "哪一个", "哪个", "哪家", "哪款", "谁" };
    static const char *const more[] = { "早", "先", "久", "晚", "多", "少", "大",
                                        "小", "高", "低", "长", "短", "贵" };
    enum { N_WHEN = 4 }; /* so many of them ask when */
    static const bool less[] = { true, true,  true, false, false, true, false,
                                 true, false, true, false, true,  false };
    const size_t n_more = sizeof more / sizeof more[0];
    const lf_str all = lf_str_of(question);
    size_t which = 0, width = 0, adjective = 0;
    const char *at = find_any(all, choice, sizeof choice / sizeof choice[0], &which), *joint, *end;
    lf_str head, rest, noun, item[2];
    lf_status st = LF_OK;
    *done = false;
    if (!at)
        return LF_OK;
    head = lf_question_cut(question, at);
    while (lf_str_ends(head, "，") || lf_str_ends(head, ","))
        head = lf_question_cut(head.p,
                               head.p + head.len - (lf_str_ends(head, ",") ? 1 : strlen("，")));
    rest = lf_question_cut(at + strlen(choice[which]), question + strlen(question));
    joint = find_joint(head, &width);
    end = lf_question_find(rest, "更");
    const char *adj = find_any(end ? (lf_str){ end, (size_t)(rest.p + rest.len - end) } : rest,
                               more, n_more, &adjective);
    if (!joint || !adj)
        return LF_OK;
    /* without "更" the adjective closes its clause: "哪个参数多？" */
    const lf_str after = lf_question_cut(adj + strlen(more[adjective]), rest.p + rest.len);
    if (!end && after.len > 0 && !lf_str_starts(after, "？") && !lf_str_starts(after, "?") &&
        !lf_str_starts(after, "，"))
        return LF_OK;
    noun = trim_compared(lf_question_cut(rest.p, end ? end : adj));
    item[0] = lf_question_cut(head.p, joint);
    item[1] = lf_question_cut(joint + width, head.p + head.len);
    if (noun.len == 0 || item[1].len == 0)
        return LF_OK;
    for (size_t i = 0; i < 2 && st == LF_OK; i++) {
        lf_buf b = { 0 };
        lf_question_add_view(&b, item[i]);
        if (adjective >= N_WHEN)
            lf_buf_add_str(&b, "的");
        lf_question_add_view(&b, noun);
        lf_buf_add_str(&b, adjective < N_WHEN ? "是什么时候？" : "有多少？");
        st = lf_question_add(out, &b, err);
        out->subject[i] = lf_strndup(item[i].p, item[i].len);
    }
    out->rest = lf_strdup(more[adjective]);
    out->wants_less = less[adjective];
    out->form = LF_QUESTION_COMPARE;
    *done = true;
    if (st == LF_OK && !(out->subject[0] && out->subject[1] && out->rest))
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a question");
    return st;
}

/* "王小川创立的公司一共融资多少？": first its name, then the rest of the question. */
static lf_status split_bridge(const char *question, lf_questions *out, bool *done, lf_err *err)
{
    static const char *const nouns[] = { "的公司", "的企业", "的机构", "的单位",
                                         "的团队", "的银行", "的医院", "的大学" };
    static const char *const deeds[] = { "创立", "创办", "创建", "研发", "开发", "推出", "发布",
                                         "打造", "自研", "运营", "建设", "上市", "提供" };
    static const char *const leads[] = { "，", "的", "它", "其", "该公司", "这家公司", "的" };
    const lf_str all = lf_str_of(question);
    size_t which = 0, deed = 0;
    const char *at = find_any(all, nouns, sizeof nouns / sizeof nouns[0], &which);
    lf_str who, rest;
    lf_buf b = { 0 };
    lf_status st;
    *done = false;
    if (!at)
        return LF_OK;
    who = lf_question_cut(question, at + strlen(nouns[which]));
    rest = lf_question_cut(at + strlen(nouns[which]), question + strlen(question));
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (lf_str_starts(rest, leads[i]))
            rest = lf_question_cut(rest.p + strlen(leads[i]), rest.p + rest.len);
    /* "V的公司是哪家", "V的公司叫什么" ask for the name alone */
    if (!find_any((lf_str){ question, (size_t)(at - question) }, deeds,
                  sizeof deeds / sizeof deeds[0], &deed) ||
        asks(who) || !asks(rest) || lf_str_starts(rest, "是") || lf_str_starts(rest, "叫"))
        return LF_OK;
    lf_question_add_view(&b, who);
    lf_buf_add_str(&b, "叫什么名字？");
    st = lf_question_add(out, &b, err);
    out->rest = lf_strndup(rest.p, rest.len);
    out->form = LF_QUESTION_BRIDGE;
    *done = true;
    if (st == LF_OK && !out->rest)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a question");
    return st;
}

lf_str lf_question_named(const char *sentence)
{
    static const char *const says[] = { "名为", "叫做", "叫", "是", "为" };
    enum { NAME_BYTES_MIN = 3, NAME_BYTES_MAX = 90 };
    const char *mark = strrchr(sentence, '['); /* its citation */
    const char *end = mark ? mark : sentence + strlen(sentence);
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        const char *at = strstr(sentence, says[i]);
        lf_str name;
        if (!at)
            continue;
        name = lf_question_cut(at + strlen(says[i]), end);
        while (lf_str_ends(name, "。") || lf_str_ends(name, "”"))
            name = lf_question_cut(name.p, name.p + name.len - strlen("。"));
        if (lf_str_starts(name, "“"))
            name = lf_question_cut(name.p + strlen("“"), name.p + name.len);
        if (name.len >= NAME_BYTES_MIN && name.len <= NAME_BYTES_MAX &&
            !lf_question_find(name, "，"))
            return name;
    }
    return (lf_str){ 0 };
}

/* What a clause asks about: all that stands before its asking word, less the verb there.
 * "15万元的设备用什么方式采购" -> "15万元的设备". */
static lf_str asked_about(lf_str clause)
{
    static const char *const asking[] = { "什么", "多少", "哪",   "谁",   "几",  "何",
                                          "怎",   "多久", "多长", "多大", "多高" };
    static const char *const verbs[] = { "是", "有", "在",   "用", "由", "叫",
                                         "于", "为", "一共", "要", "能" };
    size_t which;
    const char *at = find_any(clause, asking, sizeof asking / sizeof asking[0], &which);
    lf_str head = at ? lf_question_cut(clause.p, at) : (lf_str){ 0 };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (lf_str_ends(head, verbs[i]))
            return lf_question_cut(head.p, head.p + head.len - strlen(verbs[i]));
    return head;
}

/* Does a clause begin with its asking word, or with a verb before that: "由谁审批", "叫什么"?
 * Then it speaks of what the clause before it speaks of. */
static bool lacks_subject(lf_str clause)
{
    const lf_str about = asked_about(clause);
    return about.len == 0;
}

/* "那B呢" asks of B what the first clause asks. */
static void add_same_asked(lf_str first, lf_str clause, lf_buf *out)
{
    const lf_str about = asked_about(first);
    lf_str other = lf_question_cut(clause.p, clause.p + clause.len - strlen("呢"));
    if (lf_str_starts(other, "那"))
        other = lf_question_cut(other.p + strlen("那"), other.p + other.len);
    if (about.len == 0 || other.len == 0)
        return;
    lf_question_add_view(out, other);
    lf_question_add_view(out, lf_question_cut(about.p + about.len, first.p + first.len));
}

/* Clauses at commas and question marks, each with an asking word of its own. */
static lf_status split_clauses(const char *question, lf_questions *out, bool *done, lf_err *err)
{
    static const char *const marks[] = { "，", "？", "；", "?", ";", "。" };
    lf_str part[LF_QUESTIONS_MAX];
    size_t n = 0;
    const char *p = question, *end = question + strlen(question);
    lf_status st = LF_OK;
    *done = false;
    while (p < end && n < LF_QUESTIONS_MAX) {
        const char *best = end;
        size_t width = 0;
        for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
            const char *at = lf_question_find((lf_str){ p, (size_t)(end - p) }, marks[i]);
            if (at && at < best) {
                best = at;
                width = strlen(marks[i]);
            }
        }
        part[n] = lf_question_cut(p, best);
        if (part[n].len > 0)
            n++;
        p = best + width;
    }
    if (n < 2)
        return LF_OK;
    for (size_t i = 0; i < n; i++)
        if (!asks(part[i]) && !(i > 0 && lf_str_ends(part[i], "呢")))
            return LF_OK; /* "2022年，X是多少" is one question */
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        lf_buf b = { 0 };
        if (i > 0 && !asks(part[i]))
            add_same_asked(part[0], part[i], &b);
        else if (i > 0 && lacks_subject(part[i]))
            lf_question_add_view(&b, asked_about(part[0]));
        if (b.len == 0 || asks(part[i]))
            lf_question_add_view(&b, part[i]);
        lf_buf_add_str(&b, "？");
        st = lf_question_add(out, &b, err);
    }
    *done = true;
    return st;
}

/* What an English question is about: "a new connection" of "How long does a new connection
 * take".  Empty where it has no helping verb. */
static lf_str asked_about_english(const char *q)
{
    static const char *const verbs[] = { " does ", " did ", " do ", " is ", " was ", " are " };
    enum { N_WITH_VERB = 3 }; /* after these the main verb comes last */
    const char *end = q + strcspn(q, ",?");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const char *at = strstr(q, verbs[i]);
        lf_str about;
        if (!at || at >= end)
            continue;
        about = lf_question_cut(at + strlen(verbs[i]), end);
        while (i < N_WITH_VERB && about.len > 0 && about.p[about.len - 1] != ' ')
            about.len--;
        return lf_str_trim(about);
    }
    return (lf_str){ 0 };
}

/* ", and which …"; "When were A and B founded?" */
static lf_status split_english(const char *question, lf_questions *out, bool *done, lf_err *err)
{
    static const char *const verbs[] = { " were ", " are ", " did ", " do ",
                                         " have ", " was ", " is " };
    enum { AND = 5 }; /* bytes of " and " */
    const char *joint = strstr(question, " and "), *verb = NULL, *rest, *b_end;
    lf_buf one = { 0 }, two = { 0 };
    size_t width = 0;
    lf_status st;
    *done = false;
    if (!joint)
        return LF_OK;
    if (is_wh(joint + AND)) {
        lf_buf_add(&one, question, (size_t)(joint - question));
        while (one.len > 0 && (one.data[one.len - 1] == ',' || one.data[one.len - 1] == ' '))
            one.data[--one.len] = '\0';
        lf_buf_add_char(&one, '?');
        if (asked_about_english(question).len == 0 ||
            !lf_question_with_subject(joint + AND, asked_about_english(question), &two))
            lf_buf_add_str(&two, joint + AND);
    } else {
        for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
            const char *at = strstr(question, verbs[i]);
            if (at && at < joint && (!verb || at < verb)) {
                verb = at;
                width = strlen(verbs[i]);
            }
        }
        if (!verb || !is_wh(question))
            return LF_OK;
        rest = joint + AND;
        b_end = rest; /* B: words with a capital or a digit */
        while (*b_end) {
            const char *e = strpbrk(b_end, " ?");
            if (!((*b_end >= 'A' && *b_end <= 'Z') || (*b_end >= '0' && *b_end <= '9')) &&
                b_end > rest)
                break;
            if (!e)
                e = b_end + strlen(b_end);
            b_end = *e == ' ' ? e + 1 : e;
            if (*e != ' ')
                break;
        }
        lf_buf_add(&one, question, (size_t)(joint - question));
        lf_buf_add_char(&one, ' ');
        lf_buf_add_str(&one, b_end);
        lf_buf_add(&two, question, (size_t)(verb - question) + width);
        lf_buf_add_str(&two, rest);
    }
    *done = true;
    st = lf_question_add(out, &one, err);
    if (st == LF_OK)
        st = lf_question_add(out, &two, err);
    lf_buf_release(&one);
    lf_buf_release(&two);
    return st;
}

lf_status lf_question_split(const char *question, lf_questions *out, lf_err *err)
{
    lf_questions q = { 0 };
    lf_status st = LF_OK;
    bool done = false;
    if (lf_question_is_han(question)) {
        st = split_compare(question, &q, &done, err);
        if (st == LF_OK && !done)
            st = split_clauses(question, &q, &done, err);
        if (st == LF_OK && !done)
            st = split_bridge(question, &q, &done, err);
        if (st == LF_OK && !done)
            st = split_each(question, &q, &done, err);
    } else {
        st = split_english(question, &q, &done, err);
    }
    if (st == LF_OK && !done) {
        lf_buf b = { 0 };
        lf_buf_add_str(&b, question);
        st = lf_question_add(&q, &b, err);
    }
    if (st != LF_OK) {
        lf_questions_release(&q);
        return st;
    }
    *out = q;
    return LF_OK;
}

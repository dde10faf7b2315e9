/* flow/question.c - follow-ups made self-contained, and what kind of question one is.
 *
 * The subject of an earlier question is what stands before its first "的", "是", verb of
 * founding and the like, or its whole beginning up to the asking word; a new name in the
 * earlier answer is another candidate ("what is it called?").  "那B呢？" puts B in place of
 * the subject of the earlier question. */
#include "flow/question_int.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "text/utf8.h"

void lf_questions_release(lf_questions *q)
{
    for (size_t i = 0; i < q->n; i++)
        lf_free(q->v[i]);
    lf_free(q->subject[0]);
    lf_free(q->subject[1]);
    lf_free(q->rest);
    *q = (lf_questions){ 0 };
}

lf_status lf_question_add(lf_questions *q, lf_buf *b, lf_err *err)
{
    char *s;
    if (q->n == LF_QUESTIONS_MAX) {
        lf_buf_release(b);
        return LF_OK;
    }
    s = lf_buf_take(b);
    if (!s)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for a question");
    q->v[q->n++] = s;
    return LF_OK;
}

lf_str lf_question_cut(const char *from, const char *to)
{
    return lf_str_trim((lf_str){ .p = from, .len = (size_t)(to - from) });
}

const char *lf_question_find(lf_str s, const char *w)
{
    return s.len ? memmem(s.p, s.len, w, strlen(w)) : NULL;
}

bool lf_question_is_han(const char *question)
{
    const char *p = question, *e = p + strlen(p);
    while (p < e)
        if (lf_cp_is_han(lf_utf8_next(&p, e)))
            return true;
    return false;
}

bool lf_question_is_open(const char *question)
{
    static const char *const words[] = { "哪些",     "如何",     "怎么",    "怎样",     "为什么",
                                         "为何",     "介绍",     "说明",    "有什么",   "总结",
                                         "概括",     "why ",     "Why ",    "how does", "How does",
                                         "how do ",  "How do ",  "explain", "Explain",  "escribe",
                                         "What are", "what are", "ummar" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(question, words[i]))
            return true;
    return false;
}

void lf_question_add_view(lf_buf *b, lf_str s)
{
    lf_buf_add(b, s.p, s.len);
}

static const char *const pronouns[] = { "这家公司", "那家公司", "该公司",   "这个公司", "这款产品",
                                        "该产品",   "这个产品", "这个系统", "该系统",   "这个模型",
                                        "该模型",   "这个平台", "该平台",   "该项目",   "这个项目",
                                        "它们",     "它",       "他们",     "他",       "她",
                                        "该",       "其" };
static const char *const pronouns_en[] = {
    " its ", " it ",  " it?",  " they ",        " their ",       " them ",      " he ",
    " she ", " his ", " her ", " that company", " this company", " that model", " this model"
};

/* The subject of a question: what stands before the first of these. */
static lf_str subject_of(const char *q)
{
    static const char *const stops[] = {
        "的", "是", "有",   "在",   "成立", "创立", "创办", "于",   "叫",   "用了", "使用", "把",
        "能", "会", "可以", "需要", "达到", "由",   "为",   "什么", "多少", "哪",   "几",   "谁",
        "，", "？", "?",    "上市", "发布", "研发", "支持", "获得", "拥有", "覆盖", "服务", "生成"
    };
    const char *end = q + strlen(q), *best = end;
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        const char *at = lf_question_find((lf_str){ q, (size_t)(end - q) }, stops[i]);
        if (at && at > q && at < best)
            best = at;
    }
    return lf_question_cut(q, best);
}

/* English: the words with capitals after the first word, joined. */
static lf_str subject_of_english(const char *q)
{
    const char *p = strchr(q, ' '), *start = NULL, *end = NULL;
    while (p && *p) {
        const char *w = p + strspn(p, " ");
        const char *e = w + strcspn(w, " ?,.!");
        if (w < e && *w >= 'A' && *w <= 'Z') {
            if (!start)
                start = w;
            end = e;
        } else if (start) {
            break;
        }
        p = *e ? e : NULL;
        if (p && *p != ' ')
            p = *(p + 1) ? p + 1 : NULL;
    }
    if (start && end - start > 2 && end[-1] == 's' && end[-2] == '\'')
        end -= 2;
    return start ? lf_question_cut(start, end) : (lf_str){ 0 };
}

/* A name of Latin letters in the answer that the question does not have. */
static lf_str new_name(const char *question, const char *answer)
{
    const char *p = answer ? answer : "";
    while (*p) {
        const char *e = p;
        while ((*e >= 'a' && *e <= 'z') || (*e >= 'A' && *e <= 'Z') || (*e >= '0' && *e <= '9') ||
               *e == '-' || *e == '.')
            e++;
        if (e - p >= 3 && ((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')) &&
            !memmem(question, strlen(question), p, (size_t)(e - p)))
            return lf_question_cut(p, e);
        p = e > p ? e : p + 1;
    }
    return (lf_str){ 0 };
}

/* "那B呢？", "B呢", "and B?", "what about B?" -> B; empty otherwise. */
static lf_str other_subject(const char *q)
{
    static const char *const starts[] = { "那么",       "那",         "what about ", "What about ",
                                          "how about ", "How about ", "and ",        "And " };
    const char *p = q, *end = q + strlen(q), *ne = strstr(q, "呢");
    bool led = false;
    for (size_t i = 0; i < sizeof starts / sizeof starts[0] && !led; i++)
        if (strncmp(q, starts[i], strlen(starts[i])) == 0) {
            p = q + strlen(starts[i]);
            led = true;
        }
    if (ne && strlen(ne) <= strlen("呢？"))
        end = ne;
    else if (!led || lf_question_is_han(q))
        return (lf_str){ 0 };
    while (end > p && (end[-1] == '?' || end[-1] == ' '))
        end--;
    return lf_question_cut(p, end);
}

/* `q` with the first pronoun replaced; false where it has none. */
bool lf_question_with_subject(const char *q, lf_str subject, lf_buf *out)
{
    for (size_t i = 0; i < sizeof pronouns / sizeof pronouns[0]; i++) {
        const char *at = strstr(q, pronouns[i]);
        if (!at || (strcmp(pronouns[i], "其") == 0 && strncmp(at, "其他", strlen("其他")) == 0))
            continue;
        lf_buf_add(out, q, (size_t)(at - q));
        lf_question_add_view(out, subject);
        if (strcmp(pronouns[i], "其") == 0 || strcmp(pronouns[i], "该") == 0)
            lf_buf_add_str(out, "的");
        lf_buf_add_str(out, at + strlen(pronouns[i]));
        return true;
    }
    for (size_t i = 0; i < sizeof pronouns_en / sizeof pronouns_en[0]; i++) {
        const char *at = strstr(q, pronouns_en[i]);
        const size_t n = strlen(pronouns_en[i]);
        if (!at)
            continue;
        lf_buf_add(out, q, (size_t)(at - q) + 1);
        lf_question_add_view(out, subject);
        if (strcmp(pronouns_en[i], " its ") == 0 || strcmp(pronouns_en[i], " their ") == 0 ||
            strcmp(pronouns_en[i], " his ") == 0)
            lf_buf_add_str(out, "'s");
        lf_buf_add(out, at + n - 1, strlen(at + n - 1));
        return true;
    }
    return false;
}

int lf_question_depends(const char *question)
{
    lf_buf b = { 0 };
    const bool pronoun = lf_question_with_subject(question, (lf_str){ .p = "X", .len = 1 }, &b);
    bool named = false;
    lf_buf_release(&b);
    if (pronoun || other_subject(question).len > 0)
        return 2;
    for (const char *p = question; *p; p++)
        named = named || (*p >= 'A' && *p <= 'Z' && p > question);
    if (lf_question_is_han(question))
        return !named && lf_utf8_count(question, strlen(question)) <= 12 ? 1 : 0;
    return !named && strlen(question) <= 48 ? 1 : 0;
}

static lf_status add_form(const char *q, lf_str subject, lf_questions *out, lf_err *err)
{
    lf_buf b = { 0 };
    if (subject.len == 0)
        return LF_OK;
    if (!lf_question_with_subject(q, subject, &b)) {
        if (memmem(q, strlen(q), subject.p, subject.len)) {
            lf_buf_release(&b);
            return LF_OK;
        }
        if (lf_question_is_han(q)) {
            lf_question_add_view(&b, subject);
            lf_buf_add_str(&b, "的");
            lf_buf_add_str(&b, q);
        } else {
            lf_buf_add_str(&b, q);
            lf_buf_add_str(&b, " (");
            lf_question_add_view(&b, subject);
            lf_buf_add_str(&b, ")");
        }
    }
    return lf_question_add(out, &b, err);
}

lf_status lf_question_complete(const char *question, const char *earlier_question,
                               const char *earlier_answer, lf_questions *out, lf_err *err)
{
    lf_questions forms = { 0 };
    lf_status st = LF_OK;
    lf_str subject, other, name;
    if (!earlier_question || !*earlier_question) {
        *out = forms;
        return LF_OK;
    }
    subject = lf_question_is_han(earlier_question) ? subject_of(earlier_question)
                                                   : subject_of_english(earlier_question);
    other = other_subject(question);
    name = new_name(earlier_question, earlier_answer);
    if (other.len > 0 && subject.len > 0) {
        lf_buf b = { 0 };
        const char *at = memmem(earlier_question, strlen(earlier_question), subject.p, subject.len);
        lf_buf_add(&b, earlier_question, (size_t)(at - earlier_question));
        lf_question_add_view(&b, other);
        lf_buf_add_str(&b, at + subject.len);
        st = lf_question_add(&forms, &b, err);
    } else {
        st = add_form(question, subject, &forms, err);
        if (st == LF_OK && name.len > 0)
            st = add_form(question, name, &forms, err);
    }
    if (st != LF_OK) {
        lf_questions_release(&forms);
        return st;
    }
    *out = forms;
    return LF_OK;
}

/* flow/find.c - search, and search again in the documents' words.
 *
 * A translation is searched alone: words of the other language would only dilute it.
 * Words of writing are searched together with the question, which a small model's
 * choice of words may lose (measured: 31 of 40 against 23 alone, 27 without). */
#include "flow/find.h"

#include <string.h>

#include "base/mem.h"
#include "flow/ask.h"
#include "flow/question.h"
#include "text/utf8.h"

enum {
    QUESTION_CHARS_MAX = 300,
    REWORDED_TOKENS = 64,
    REWORDED_BYTES_MAX = 1024,
    PASSAGES_LOOKED_AT = 8
};

/* Questions in the documents' own words have 0.2 and more, others up to 0.12. */
static const double few_words = 0.15;

void lf_found_release(lf_found *f)
{
    lf_passages_release(&f->passages);
    lf_free(f->reworded);
    *f = (lf_found){ 0 };
}

json_t *lf_found_json(const lf_found *f)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < f->passages.n; i++)
        if (json_array_append_new(rows, lf_passage_json(&f->passages.v[i], true)) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    return rows ? json_pack("{s:o, s:s*}", "passages", rows, "reworded", f->reworded) : NULL;
}

/* What the model is to do, with examples of it: a small model follows these. */
typedef struct task {
    const char *system;
    const char *examples[2][2];
} task;

static const task into_chinese = {
    "你是翻译。把英文翻译成简体中文，只输出译文。",
    { { "Which bank uses a large model to read contracts?", "哪家银行用大模型阅读合同？" },
      { "speech recognition for dialects", "方言语音识别" } },
};
static const task into_english = {
    "You are a translator. Translate the Chinese into English. Give the translation alone.",
    { { "哪家银行用大模型阅读合同？", "Which bank uses a large model to read contracts?" },
      { "方言语音识别", "speech recognition for dialects" } },
};
static const task into_terms = {
    "把口语化的问题改写成正式的书面检索词，可补充同义词。只输出检索词。",
    { { "看病排队时有没有机器能先问问哪儿不舒服？", "预问诊 智能导诊 患者症状采集 医疗大模型" },
      { "怎么让机器帮我把合同里的坑找出来？", "合同审查 风险条款识别 法律大模型" } },
};

static bool are_han(const lf_passages *p)
{
    const size_t n = p->n < PASSAGES_LOOKED_AT ? p->n : PASSAGES_LOOKED_AT;
    size_t han = 0;
    for (size_t i = 0; i < n; i++)
        han += lf_question_is_han(p->v[i].text);
    return 2 * han > n;
}

/* NULL: nothing is known to help (an English question over English text). */
static const task *task_for(const char *question, const lf_passages *p)
{
    const bool docs = are_han(p);
    if (lf_question_is_han(question))
        return docs ? &into_terms : &into_english;
    return docs ? &into_chinese : NULL;
}

static json_t *messages_of(const task *t, const char *question)
{
    return json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "role",
                     "system", "content", t->system, "role", "user", "content", t->examples[0][0],
                     "role", "assistant", "content", t->examples[0][1], "role", "user", "content",
                     t->examples[1][0], "role", "assistant", "content", t->examples[1][1], "role",
                     "user", "content", question);
}

/* *out stays NULL where the model cannot be had or says nothing of use. */
static lf_status reword(lf_provider *provider, const lf_scope *scope, const lf_find_opts *o,
                        const task *t, const char *question, char **out, lf_err *err)
{
    static const char *const stop[] = { "\n" };
    lf_gen_result res = { 0 };
    json_t *messages = messages_of(t, question);
    const lf_gen_req req = { .n_max = REWORDED_TOKENS,
                             .sampling = lf_sampling_defaults(),
                             .stop = stop,
                             .n_stop = 1,
                             .cancel = o->cancel };
    if (!messages)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the messages");
    lf_err why = { 0 };
    lf_status st = lf_provider_chat(provider, scope, o->model, messages, &req, &res, &why);
    json_decref(messages);
    if (st == LF_ERR_CANCELLED) {
        if (err)
            *err = why;
        return st;
    }
    if (st != LF_OK) /* no such model, or no room for it: the passages found so far stand */
        return LF_OK;
    const lf_str s = lf_str_trim((lf_str){ lf_buf_cstr(&res.text), res.text.len });
    if (s.len > 0 && s.len <= REWORDED_BYTES_MAX && lf_utf8_valid(s.p, s.len)) {
        *out = lf_strndup(s.p, s.len);
        st = *out ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for a question");
    }
    lf_buf_release(&res.text);
    return st;
}

static lf_status search_again(lf_know *know, const lf_scope *scope, const char *question,
                              const lf_find_opts *o, lf_found *f, lf_err *err)
{
    lf_buf both = { 0 };
    lf_passages p = { 0 };
    if (!f->translated)
        lf_buf_addf(&both, "%s\n", question);
    lf_buf_add_str(&both, f->reworded);
    lf_status st = both.failed
                       ? lf_fail(err, LF_ERR_NOMEM, "no memory for a question")
                       : lf_know_search(know, scope, lf_buf_cstr(&both), &o->search, &p, err);
    if (st == LF_OK) {
        lf_passages_release(&f->passages);
        f->passages = p;
    }
    lf_buf_release(&both);
    return st;
}

lf_status lf_find(lf_know *know, lf_provider *provider, const lf_scope *scope, const char *question,
                  const lf_find_opts *o, lf_found *out, lf_err *err)
{
    lf_found f = { 0 };
    lf_status st = lf_know_search(know, scope, question, &o->search, &f.passages, err);
    const bool may = !o->no_llm && provider && o->search.mode == LF_SEARCH_HYBRID &&
                     lf_utf8_count(question, strlen(question)) <= QUESTION_CHARS_MAX;
    const task *t = st == LF_OK && may && f.passages.n > 0 && f.passages.word_share < few_words
                        ? task_for(question, &f.passages)
                        : NULL;
    if (t)
        st = reword(provider, scope, o, t, question, &f.reworded, err);
    f.translated = f.reworded && t != &into_terms;
    if (st == LF_OK && f.reworded)
        st = search_again(know, scope, question, o, &f, err);
    if (st != LF_OK)
        lf_found_release(&f);
    else
        *out = f;
    return st;
}

/* cli/run_text.c - run records and replays, in two languages. */
#include "cli/run_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *str(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static long long num(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

void lf_cli_time(int64_t unix_ms, char out[32])
{
    const time_t t = (time_t)(unix_ms / 1000);
    struct tm tm = { 0 };
    (void)localtime_r(&t, &tm);
    if (strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        out[0] = '\0';
}

/* ---- the record ---- */

static const char *state_of(const lf_cli *c, const json_t *place)
{
    const char *s = str(place, "state");
    if (strcmp(s, "same") == 0)
        return LF_TR(c, "as it was", "与当时相同");
    if (strcmp(s, "changed") == 0)
        return LF_TR(c, "changed since", "之后有改动");
    return LF_TR(c, "gone", "已不在");
}

/* "report.pdf, page 2, characters 10 to 90: as it was" */
static void show_place(const lf_cli *c, const json_t *p)
{
    printf("%s", str(p, "source"));
    if (num(p, "page") > 0)
        printf(LF_TR(c, ", page %lld", "，第 %lld 页"), num(p, "page"));
    printf(LF_TR(c, ", characters %lld to %lld: %s\n", "，第 %lld 至 %lld 字：%s\n"),
           num(p, "start"), num(p, "end"), state_of(c, p));
}

/* Why a sentence was dropped: the citation check's reason (guard/cite.h), or that it
 * misses the question; "" for one that was not. */
static const char *reason_of(const lf_cli *c, const json_t *check)
{
    static const struct {
        const char *why, *en, *zh;
    } reasons[] = {
        { "numbers", "a number is not in the source", "有数字不在出处中" },
        { "names", "a name is not in the source", "有名称不在出处中" },
        { "binding", "what it says is said of something else", "出处说的是另一事物" },
        { "words", "too few of its words are in the source", "出处中找不到其大部分词语" },
        { "subject", "the source may be about something else", "出处说的可能是另一对象" },
        { "order", "the source says it of others, or puts it together otherwise",
          "谁对谁、什么配什么，与出处不同" },
        { "negation", "it denies what the source says, or the reverse", "与出处的肯定或否定相反" },
        { "direction", "the source says it the other way round", "与出处所说的方向相反" },
        { "scope", "it speaks of more than the source does", "所说的范围比出处更大" },
        { "modality", "it is surer than the source is", "说得比出处更肯定" },
        { "meaning", "its meaning is too far from the source", "含义与出处相差太远" },
        { "empty", "it says nothing", "没有内容" },
    };
    const char *why = str(check, "why");
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(why, reasons[i].why) == 0)
            return LF_TR(c, reasons[i].en, reasons[i].zh);
    if (!*why && !json_is_true(json_object_get(check, "responds")))
        return LF_TR(c, "it does not say what was asked", "没有回答所问的内容");
    return why;
}

static void show_evidence(const lf_cli *c, const json_t *part)
{
    size_t i;
    json_t *e;
    json_array_foreach(json_object_get(part, "evidence"), i, e)
    {
        printf(LF_TR(c, "    evidence: characters %lld to %lld, answers with probability %.2f\n",
                     "    依据：第 %lld 至 %lld 字，能回答的概率 %.2f\n"),
               num(e, "start"), num(e, "end"), json_number_value(json_object_get(e, "answerable")));
    }
    if (*str(part, "generated"))
        printf(LF_TR(c, "    the model wrote: %s\n", "    模型写出：%s\n"), str(part, "generated"));
    json_array_foreach(json_object_get(part, "checks"), i, e)
    {
        const bool ok = json_is_true(json_object_get(e, "supported")) &&
                        json_is_true(json_object_get(e, "responds"));
        const char *why = reason_of(c, e);
        printf(LF_TR(c, "    check: %s, words %.2f, meaning %.2f%s%s\n",
                     "    核对：%s，词语 %.2f，含义 %.2f%s%s\n"),
               ok ? LF_TR(c, "borne out", "有出处支持") : LF_TR(c, "dropped", "已略去"),
               json_number_value(json_object_get(e, "coverage")),
               json_number_value(json_object_get(e, "similarity")),
               *why ? LF_TR(c, ": ", "：") : "", why);
    }
}

static void show_parts(const lf_cli *c, const json_t *record, bool explain)
{
    const json_t *parts = json_object_get(record, "parts");
    size_t i, k;
    json_t *part, *p;
    json_array_foreach(parts, i, part)
    {
        if (json_array_size(parts) > 1 && *str(part, "question"))
            printf(LF_TR(c, "Passages for: %s\n", "检索到的段落（%s）：\n"), str(part, "question"));
        else
            printf("%s\n", LF_TR(c, "Passages:", "检索到的段落："));
        json_array_foreach(json_object_get(part, "passages"), k, p)
        {
            printf("  %zu. %.3f  ", k + 1, json_number_value(json_object_get(p, "score")));
            show_place(c, p);
        }
        if (explain)
            show_evidence(c, part);
    }
}

void lf_cli_show_record(const lf_cli *c, const json_t *record, bool explain)
{
    const json_t *ms = json_object_get(record, "ms");
    const char *model = json_string_value(json_object_get(record, "model"));
    const char *collection = json_string_value(json_object_get(record, "collection"));
    char when[32];
    size_t i;
    json_t *p;
    lf_cli_time(num(record, "unix_ms"), when);
    printf(LF_TR(c, "Run %s, %s, Landfall %s\n", "运行 %s，%s，Landfall %s\n"), str(record, "run"),
           when, str(record, "version"));
    printf(LF_TR(c, "Question: %s\n", "问题：%s\n"), str(record, "question"));
    if (*str(record, "self_contained") &&
        strcmp(str(record, "self_contained"), str(record, "question")) != 0)
        printf(LF_TR(c, "Searched as: %s\n", "检索时用：%s\n"), str(record, "self_contained"));
    if (model)
        printf(LF_TR(c, "Model: %s (%.12s), seed %lld, CPU kernels %s\n",
                     "模型：%s（%.12s），种子 %lld，处理器指令集 %s\n"),
               model, str(record, "model_hash"), num(record, "seed"), str(record, "kernels"));
    if (json_is_object(ms))
        printf(LF_TR(c, "Searched: %lld documents (%s%s); found in %.0f ms, %.0f ms in all\n",
                     "检索范围：%lld 份文档（%s%s）；检索 %.0f 毫秒，共 %.0f 毫秒\n"),
               num(json_object_get(record, "documents"), "n"),
               collection ? LF_TR(c, "collection ", "文档库 ")
                          : LF_TR(c, "those that were named", "指定的文档"),
               collection ? collection : "", json_number_value(json_object_get(ms, "retrieve")),
               json_number_value(json_object_get(ms, "total")));
    show_parts(c, record, explain);
    if (json_is_true(json_object_get(record, "erased")))
        printf(LF_TR(c,
                     "Answer: its words were erased with a document that was removed (SHA-256 "
                     "%.16s…)\n",
                     "回答：其文字已随被删除的文档一并清除（SHA-256 %.16s…）\n"),
               str(record, "answer_sha256"));
    else
        printf(LF_TR(c, "Answer: %s\n", "回答：%s\n"), str(record, "answer"));
    json_array_foreach(json_object_get(record, "citations"), i, p)
    {
        printf("  [%lld] ", num(p, "n"));
        show_place(c, p);
    }
}

/* ---- the replay ---- */

static void show_document(const lf_cli *c, const json_t *ch)
{
    const char *how = str(ch, "change");
    const bool cached = json_is_true(json_object_get(ch, "cached"));
    const char *text = strcmp(how, "changed") == 0 ? LF_TR(c, "has other content now", "内容已改变")
                       : strcmp(how, "reread") == 0
                           ? LF_TR(c, "was read again by another version", "已由其他版本重新读取")
                       : cached
                           ? LF_TR(c, "is not in the cache of --in any more: ask with --in again",
                                   "已不在 --in 的缓存中：请再次用 --in 提问")
                           : LF_TR(c, "was removed", "已被删除");
    printf("  - %s: %s\n", str(ch, "source"), text);
}

static void show_set(const lf_cli *c, const json_t *ch)
{
    const json_t *added = json_object_get(ch, "added");
    size_t i;
    json_t *s;
    printf(LF_TR(c, "  - the documents that are searched: %lld then, %lld now",
                 "  - 检索的文档：当时 %lld 份，现在 %lld 份"),
           num(ch, "was"), num(ch, "now"));
    json_array_foreach(added, i, s)
    {
        printf("%s%s", i > 0 ? ", " : LF_TR(c, "; since then came ", "；之后加入的有 "),
               json_string_value(s));
    }
    printf("\n");
}

static void show_changes(const lf_cli *c, const json_t *changes)
{
    size_t i;
    json_t *ch;
    if (json_array_size(changes) > 0)
        printf("%s\n", LF_TR(c, "What changed since:", "之后的变化："));
    json_array_foreach(changes, i, ch)
    {
        const char *what = str(ch, "what");
        if (strcmp(what, "document") == 0)
            show_document(c, ch);
        else if (strcmp(what, "documents") == 0)
            show_set(c, ch);
        else
            printf(LF_TR(c, "  - %s: %.16s then, %.16s now\n", "  - %s：当时 %.16s，现在 %.16s\n"),
                   strcmp(what, "model") == 0 ? LF_TR(c, "the model's weights", "模型权重")
                   : strcmp(what, "embedding") == 0 ? LF_TR(c, "the embedding model", "向量模型")
                   : strcmp(what, "version") == 0   ? LF_TR(c, "the program", "程序版本")
                                                    : LF_TR(c, "CPU kernels", "处理器指令集"),
                   str(ch, "was"), str(ch, "now"));
    }
}

static void show_diff(const lf_cli *c, const json_t *replay)
{
    static const char *const marks[][2] = { { "", "" }, { "[-", "-]" }, { "{+", "+}" } };
    const json_t *diff = json_object_get(replay, "diff");
    const json_t *steps = json_object_get(diff, "answer");
    const json_t *cites = json_object_get(diff, "citations");
    size_t i;
    json_t *s;
    printf(LF_TR(c, "Answer now: %s\n", "现在的回答：%s\n"),
           str(json_object_get(replay, "again"), "answer"));
    if (json_array_size(steps) > 0)
        printf("%s", LF_TR(c, "Difference: ", "差别："));
    json_array_foreach(steps, i, s)
    {
        const char *op = str(s, "op");
        const size_t k = strcmp(op, "removed") == 0 ? 1 : strcmp(op, "added") == 0 ? 2 : 0;
        printf("%s%s%s", marks[k][0], str(s, "text"), marks[k][1]);
    }
    if (json_array_size(steps) > 0)
        printf("\n");
    json_array_foreach(json_object_get(cites, "removed"), i, s)
    {
        printf("  - [%lld] ", num(s, "n"));
        show_place(c, s);
    }
    json_array_foreach(json_object_get(cites, "added"), i, s)
    {
        printf("  + [%lld] %s, %lld-%lld\n", num(s, "n"), str(s, "source"), num(s, "start"),
               num(s, "end"));
    }
}

void lf_cli_show_replay(const lf_cli *c, const json_t *replay)
{
    const char *verdict = str(replay, "verdict");
    printf("\n");
    if (strcmp(verdict, "same") == 0)
        printf("%s\n", LF_TR(c, "Run again: the same answer and citations, byte for byte.",
                             "重新运行：回答与引用逐字节相同。"));
    else if (strcmp(verdict, "different") == 0)
        printf("%s\n", LF_TR(c, "Run again: a different result.", "重新运行：结果不同。"));
    show_changes(c, json_object_get(replay, "changes"));
    if (strcmp(verdict, "different") == 0)
        show_diff(c, replay);
}

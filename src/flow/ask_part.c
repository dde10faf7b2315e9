/* flow/ask_part.c - one fact: prompt, generation, check, or the document's own words.
 *
 * A model of half a billion parameters answers well from one or two sentences and
 * badly from a page (measured: docs/benchmarks.md, "Answers"), so the prompt holds
 * the best sentence, with the one before it where it leans on that.  At most
 * PROMPT_CHARS of it; with template and question under 700 tokens.
 *
 * The prompt carries document text as data between marks.  Nothing that such text
 * says can be acted on: there is nothing here but words to be said, and each
 * sentence of them has to stand in a passage. */
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "flow/ask_int.h"
#include "text/sentence.h"
#include "text/utf8.h"

enum {
    PROMPT_CHARS = 600,
    SPAN_CHARS = 160,
    SENTENCE_CHARS = 190,
    TOKENS_FACT = 96,
    TOKENS_OPEN = 224
};

/* Least probability that the evidence answers (lf_evidence.answerable): to say what
 * the model said and the check passed, and to say the document's own words. */
static const double least_with_model = 0.52;
static const double least_alone = 0.52;
static const double least_after_failure = 0.60; /* the model spoke and failed its check */

/* ---- citations ---- */

static lf_status copy_text(const char *s, size_t n, char **out, lf_err *err)
{
    *out = lf_strndup(s, n);
    return *out ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for a citation");
}

/* Page and box of a span of a paged document. */
static lf_status locate(lf_asking *a, lf_passage *p, lf_err *err)
{
    lf_doc *d = NULL;
    lf_status st;
    if (p->page == 0)
        return LF_OK;
    st = lf_know_doc(a->know, a->scope, p->doc_id, &d, err);
    if (st == LF_OK)
        lf_doc_locate(d, p->start, p->end, &p->page, &p->box);
    lf_doc_close(d);
    return st;
}

/* Cite [start, end) code points of a passage's text; *n is its number in the answer. */
static lf_status cite(lf_asking *a, const lf_passage *from, uint32_t start, uint32_t end,
                      int32_t *n, lf_err *err)
{
    const size_t bytes = strlen(from->text);
    const size_t b0 = lf_utf8_offset(from->text, bytes, start);
    const size_t b1 = lf_utf8_offset(from->text, bytes, end);
    lf_passage p = { .start = from->start + start,
                     .end = from->start + end,
                     .page = from->page,
                     .score = from->score,
                     .lexical = from->lexical,
                     .vector = from->vector };
    lf_citation *c = a->out.citations;
    lf_status st;
    for (size_t i = 0; i < a->out.n_citations; i++)
        if (strcmp(c[i].passage.doc_id, from->doc_id) == 0 && c[i].passage.start == p.start &&
            c[i].passage.end == p.end) {
            *n = c[i].n;
            return LF_OK;
        }
    if (a->out.n_citations == a->cap_citations) {
        c = lf_realloc(c, (a->cap_citations + 8) * sizeof *c);
        if (!c)
            return lf_fail(err, LF_ERR_NOMEM, "no memory for a citation");
        a->out.citations = c;
        a->cap_citations += 8;
    }
    c = &a->out.citations[a->out.n_citations];
    *c = (lf_citation){ .n = (int32_t)a->out.n_citations + 1, .passage = p };
    a->out.n_citations++; /* what is filled so far is released with the answer */
    st = copy_text(from->text + b0, b1 - b0, &c->passage.text, err);
    if (st == LF_OK)
        st = copy_text(from->doc_id, strlen(from->doc_id), &c->passage.doc_id, err);
    if (st == LF_OK)
        st = copy_text(from->source, strlen(from->source), &c->passage.source, err);
    if (st == LF_OK)
        st = copy_text(from->heading ? from->heading : "",
                       from->heading ? strlen(from->heading) : 0, &c->passage.heading, err);
    if (st == LF_OK)
        st = locate(a, &c->passage, err);
    *n = c->n;
    return st;
}

/* ---- saying ---- */

/* White space as one blank, list marks and emphasis of plain-text documents away. */
static void tidy(lf_str s, lf_buf *out)
{
    s = lf_str_trim(s);
    while (s.len > 1 && (s.p[0] == '-' || s.p[0] == '*' || s.p[0] == '#') &&
           (s.p[1] == ' ' || s.p[1] == '*' || s.p[1] == '#')) {
        s.p++;
        s.len--;
        s = lf_str_trim(s);
    }
    if (lf_str_starts(s, "• "))
        s = (lf_str){ .p = s.p + 4, .len = s.len - 4 };
    for (size_t i = 0; i < s.len; i++) {
        const char c = s.p[i];
        const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
        if (c == '*' && i + 1 < s.len && s.p[i + 1] == '*') {
            i++;
            continue;
        }
        if (blank && (out->len == 0 || out->data[out->len - 1] == ' '))
            continue;
        if (c == '\t') { /* cells of a table */
            lf_buf_add_str(out, " | ");
            continue;
        }
        lf_buf_add_char(out, blank ? ' ' : c);
    }
}

static bool cut_end(lf_buf *b, const char *mark)
{
    const size_t n = strlen(mark);
    if (b->len < n || memcmp(b->data + b->len - n, mark, n) != 0)
        return false;
    b->len -= n;
    b->data[b->len] = '\0';
    return true;
}

lf_status lf_ask_say(lf_asking *a, const char *sentence, int32_t n, lf_err *err)
{
    static const char *const ends[] = { "。", "；", "，", "：", "、", ".", ";", ",", ":", " " };
    const bool han = lf_question_is_han(sentence);
    lf_buf b = { 0 };
    lf_ask_event ev = { .type = LF_ASK_SENTENCE };
    lf_status st = LF_OK;
    bool more = true;
    lf_buf_add_str(&b, sentence);
    while (more && !b.failed) {
        more = false;
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
            more = cut_end(&b, ends[i]) || more;
    }
    if (n > 0)
        lf_buf_addf(&b, "[%d]", (int)n);
    lf_buf_add_str(&b, han ? "。" : ".");
    if (a->text.len > 0 && !han)
        lf_buf_add_char(&a->text, ' ');
    lf_buf_add_str(&a->text, lf_buf_cstr(&b));
    if (b.failed || a->text.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the answer");
    ev.text = lf_buf_cstr(&b);
    ev.citations = a->out.citations;
    ev.n_citations = a->out.n_citations;
    if (st == LF_OK && a->fn && !a->fn(a->ud, &ev))
        st = lf_fail(err, LF_ERR_CANCELLED, "the answer was cancelled");
    lf_buf_release(&b);
    return st;
}

/* The best clauses of the best sentence, as they stand. */
static lf_status say_span(lf_asking *a, const lf_ask_part *p, lf_err *err)
{
    const lf_evidence *e = &p->evidence.v[0];
    const lf_passage *from = &p->passages.v[e->source];
    const size_t bytes = strlen(from->text);
    lf_span span;
    lf_buf b = { 0 };
    int32_t n = 0;
    lf_status st = lf_evidence_span(a->finder, p->question, from->text,
                                    (lf_span){ e->start, e->end }, SPAN_CHARS, &span, err);
    if (st == LF_OK) {
        const size_t b0 = lf_utf8_offset(from->text, bytes, span.start);
        const size_t b1 = lf_utf8_offset(from->text, bytes, span.end);
        tidy((lf_str){ .p = from->text + b0, .len = b1 - b0 }, &b);
        st = b.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the answer")
                      : cite(a, from, e->start, e->end, &n, err);
    }
    if (st == LF_OK)
        st = lf_ask_say(a, lf_buf_cstr(&b), n, err);
    lf_buf_release(&b);
    return st;
}

/* ---- the model ---- */

static void add_clipped(lf_buf *b, lf_str s, size_t max_chars)
{
    lf_buf_add(b, s.p, lf_utf8_offset(s.p, s.len, max_chars));
}

/* Does the sentence lean on the one before it? */
static bool leans(lf_str s)
{
    static const char *const words[] = { "该",   "其",   "它",    "此",    "这",
                                         "上述", "本",   "同时",  "并",    "目前",
                                         "It ",  "Its ", "This ", "They ", "These " };
    s = lf_str_trim(s);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (lf_str_starts(s, words[i]))
            return true;
    return false;
}

/* The first row of the table that the row at `row` (a span of text) stands in. */
static lf_status table_head(const char *text, lf_span row, lf_span *head, lf_err *err)
{
    const size_t bytes = strlen(text);
    lf_spans all = { 0 };
    lf_status st = lf_sentences(text, bytes, 0, &all, err);
    *head = row;
    for (size_t k = 0; st == LF_OK && k < all.n && all.v[k].start <= row.start; k++) {
        const size_t b0 = lf_utf8_offset(text, bytes, all.v[k].start);
        const size_t b1 = lf_utf8_offset(text, bytes, all.v[k].end);
        const bool starts = head->start == row.start && head->end == row.end;
        if (!lf_sentence_is_row(text + b0, b1 - b0))
            *head = row;
        else if (starts)
            *head = all.v[k];
    }
    lf_spans_release(&all);
    return st;
}

/* The heading row of evidence that is a row of a table, as a line of its own. */
static lf_status add_table_head(const char *text, lf_span row, lf_buf *out, lf_err *err)
{
    const size_t bytes = strlen(text);
    const size_t b0 = lf_utf8_offset(text, bytes, row.start);
    lf_span head;
    if (!lf_sentence_is_row(text + b0, lf_utf8_offset(text, bytes, row.end) - b0))
        return LF_OK;
    lf_status st = table_head(text, row, &head, err);
    if (st == LF_OK && head.start < row.start) {
        const size_t h0 = lf_utf8_offset(text, bytes, head.start);
        tidy((lf_str){ text + h0, lf_utf8_offset(text, bytes, head.end) - h0 }, out);
        lf_buf_add_char(out, '\n');
    }
    return st;
}

/* The sentence of evidence `i` with what it needs; at most `max_chars`. */
static lf_status material(const lf_asking *a, const lf_ask_part *p, size_t i, size_t max_chars,
                          lf_buf *out, lf_err *err)
{
    const lf_evidence *e = &p->evidence.v[i];
    const char *text = p->sources[e->source].text, *ctx = p->sources[e->source].context;
    const size_t bytes = strlen(text);
    lf_span s = { e->start, e->end };
    size_t from;
    lf_status st = LF_OK;
    if (s.end - s.start > max_chars)
        st = lf_evidence_span(a->finder, p->question, text, s, (uint32_t)max_chars, &s, err);
    if (st != LF_OK)
        return st;
    from = lf_utf8_offset(text, bytes, s.start);
    if (ctx && *ctx) {
        add_clipped(out, lf_str_of(ctx), 80);
        lf_buf_add_str(out, "：");
    }
    if (s.start == e->start && (leans((lf_str){ text + from, bytes - from }) || e->inside < 0.35)) {
        lf_spans all = { 0 };
        st = lf_sentences(text, bytes, 0, &all, err);
        for (size_t k = 1; st == LF_OK && k < all.n; k++)
            if (all.v[k].start == e->start && s.end - all.v[k - 1].start <= max_chars)
                s.start = all.v[k - 1].start;
        lf_spans_release(&all);
        from = lf_utf8_offset(text, bytes, s.start);
    }
    if (st == LF_OK)
        st = add_table_head(text, (lf_span){ e->start, e->end }, out, err);
    tidy((lf_str){ text + from, lf_utf8_offset(text + from, bytes - from, s.end - s.start) }, out);
    return st;
}

static lf_status build_prompt(const lf_asking *a, const lf_ask_part *p, bool open, lf_buf *out,
                              lf_err *err)
{
    lf_status st = LF_OK;
    const size_t n = open ? 3 : 1;
    for (size_t i = 0; i < n && i < p->evidence.n && st == LF_OK; i++) {
        if (i > 0)
            lf_buf_add_char(out, '\n');
        st = material(a, p, i, PROMPT_CHARS / n, out, err);
    }
    if (st != LF_OK)
        return st;
    if (a->han)
        lf_buf_addf(out, "\n\n根据上面的资料回答：%s%s", p->question,
                    open ? "请简要回答。" : "请用一句完整的话回答。");
    else
        lf_buf_addf(out, "\n\nAnswer from the text above, in English%s: %s",
                    open ? "" : ", in one full sentence", p->question);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the prompt") : LF_OK;
}

/* Which source bears the sentence?  The one it was made from first.  What that one, in
 * the sentence's own language, does not bear is not saved by a passage in the other
 * language, which is held to less. */
static lf_status check(lf_asking *a, const lf_ask_part *p, const char *sentence, size_t *source,
                       lf_cite_verdict *v, lf_err *err)
{
    const size_t first = p->evidence.v[0].source;
    lf_cite_verdict own = { 0 };
    lf_status st = LF_OK;
    for (size_t i = 0; i < p->passages.n && st == LF_OK; i++) {
        const size_t k = i == 0 ? first : i <= first ? i - 1 : i;
        st = lf_cite_check(a->cite, sentence, p->question, &p->sources[k], v, err);
        if (st == LF_OK && i == 0)
            own = *v;
        if (st == LF_OK && v->supported && (own.crossed || !v->crossed)) {
            *source = k;
            return LF_OK;
        }
    }
    *v = own;
    return st;
}

static json_t *verdict_json(const lf_cite_verdict *v, bool responds)
{
    return json_pack("{s:b, s:b, s:f, s:f, s:s}", "supported", (int)v->supported, "responds",
                     (int)responds, "coverage", v->coverage, "similarity", v->similarity, "why",
                     v->why ? v->why : "");
}

/* The model's text as it comes: each sentence is checked and said once it is whole. */
typedef struct speech {
    lf_asking *a;
    const lf_ask_part *p;
    bool open;
    lf_buf text;
    size_t done_bytes; /* of the text, in sentences that were dealt with */
    size_t n_sentences, n_said;
    json_t *checks;
    lf_status st;
    lf_err err;
} speech;

/* The sentence without what refers to the prompt: no document says "根据上面的资料". */
static lf_str without_lead(lf_str s)
{
    static const char *const leads[] = { "根据上面的资料，",
                                         "根据以上资料，",
                                         "根据资料，",
                                         "根据上述资料，",
                                         "根据资料显示，",
                                         "According to the text, ",
                                         "According to the text above, " };
    s = lf_str_trim(s);
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (lf_str_starts(s, leads[i]))
            return (lf_str){ s.p + strlen(leads[i]), s.len - strlen(leads[i]) };
    return s;
}

/* One sentence: said with its citation, or dropped. */
static lf_status say_checked(speech *s, lf_str sentence, lf_err *err)
{
    lf_cite_verdict v = { 0 };
    size_t source = 0;
    bool responds = true;
    int32_t n = 0;
    lf_buf b = { 0 };
    tidy(without_lead(sentence), &b);
    const char *text = lf_buf_cstr(&b);
    lf_status st = b.failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for a sentence")
                            : check(s->a, s->p, text, &source, &v, err);
    if (st == LF_OK && !s->open)
        st = lf_evidence_responds(s->a->finder, s->p->question, text, &responds, err);
    if (st == LF_OK)
        json_array_append_new(s->checks, verdict_json(&v, responds));
    if (st == LF_OK && v.supported && responds && lf_utf8_valid(text, b.len) &&
        lf_utf8_count(text, b.len) <= SENTENCE_CHARS) {
        st = cite(s->a, &s->p->passages.v[source], v.start, v.end, &n, err);
        if (st == LF_OK)
            st = lf_ask_say(s->a, text, n, err);
        s->n_said += st == LF_OK;
    } else if (st == LF_OK) {
        s->a->out.n_dropped++;
    }
    lf_buf_release(&b);
    return st;
}

/* Does the text end with a mark that ends a sentence in any case? */
static bool is_whole(lf_str s)
{
    static const char *const ends[] = { "。", "！", "？", "\n" };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (lf_str_ends(s, ends[i]))
            return true;
    return false;
}

/* Say what is whole, or at the end of the text all that is left. */
static lf_status say_whole(speech *s, bool at_end, lf_err *err)
{
    const char *from = lf_buf_cstr(&s->text) + s->done_bytes;
    const size_t len = s->text.len - s->done_bytes;
    lf_spans ss = { 0 };
    lf_status st = lf_sentences(from, len, 0, &ss, err);
    for (size_t i = 0; st == LF_OK && i < ss.n; i++) {
        const size_t b0 = lf_utf8_offset(from, len, ss.v[i].start);
        const size_t b1 = lf_utf8_offset(from, len, ss.v[i].end);
        if (!at_end && i + 1 == ss.n && !is_whole((lf_str){ from, len }))
            break;
        s->done_bytes = (size_t)(from - lf_buf_cstr(&s->text)) + b1;
        if (s->open || s->n_sentences == 0) /* one fact is one sentence */
            st = say_checked(s, (lf_str){ from + b0, b1 - b0 }, err);
        s->n_sentences++;
    }
    lf_spans_release(&ss);
    return st;
}

static bool on_token(void *ud, const lf_token_event *ev)
{
    speech *s = ud;
    lf_buf_add(&s->text, ev->text, ev->n_bytes);
    s->st = s->text.failed ? lf_fail(&s->err, LF_ERR_NOMEM, "no memory for the model's text")
                           : say_whole(s, false, &s->err);
    return s->st == LF_OK && (s->open || s->n_sentences == 0);
}

/* Have the model answer, saying its sentences as they come. */
static lf_status speak(speech *s, json_t *log, lf_err *err)
{
    lf_asking *a = s->a;
    lf_buf prompt = { 0 };
    lf_gen_result res = { 0 };
    json_t *messages = NULL;
    char hash[LF_SHA256_HEX] = "";
    const int64_t begun = lf_clock_us();
    lf_gen_req req = { .n_max = s->open ? TOKENS_OPEN : TOKENS_FACT,
                       .sampling = lf_sampling_defaults(),
                       .cancel = a->req->cancel,
                       .on_token = on_token,
                       .ud = s };
    lf_status st = build_prompt(a, s->p, s->open, &prompt, err);
    req.sampling.seed = a->req->seed;
    if (st == LF_OK) {
        messages = json_pack("[{s:s, s:s}]", "role", "user", "content", lf_buf_cstr(&prompt));
        st = messages ? lf_sha256_of(prompt.data, prompt.len, hash, err)
                      : lf_fail(err, LF_ERR_NOMEM, "no memory for the messages");
    }
    if (st == LF_OK)
        st = lf_provider_chat(a->provider, a->scope, a->req->model, messages, &req, &res, err);
    if (s->st != LF_OK) { /* what went wrong in the callback is the reason */
        st = s->st;
        if (err)
            *err = s->err;
    }
    if (st == LF_OK)
        st = say_whole(s, true, err);
    if (st == LF_OK) {
        if (a->out.first_token_us < 0)
            a->out.first_token_us = begun - a->start_us + res.first_token_us;
        json_object_set_new(log, "prompt_sha256", json_string(hash));
        json_object_set_new(log, "n_prompt", json_integer(res.n_prompt));
        json_object_set_new(log, "n_generated", json_integer(res.n_generated));
        json_object_set_new(log, "prefill_ms", json_integer(res.prefill_us / 1000));
        json_object_set_new(log, "decode_ms", json_integer(res.decode_us / 1000));
        json_object_set_new(log, "generated", lf_json_text(lf_buf_cstr(&res.text), res.text.len));
        json_object_set(log, "checks", s->checks);
    }
    json_decref(messages);
    lf_buf_release(&prompt);
    lf_buf_release(&res.text);
    return st;
}

bool lf_ask_is_sure(const lf_ask_part *p)
{
    return p->evidence.n > 0 && p->evidence.v[0].answerable >= least_alone;
}

lf_status lf_ask_say_part(lf_asking *a, const lf_ask_part *p, json_t *log, bool *answered,
                          lf_err *err)
{
    const bool open = lf_question_is_open(p->question);
    const double sure = p->evidence.n > 0 ? p->evidence.v[0].answerable : 0;
    const size_t dropped = a->out.n_dropped;
    size_t n_said = 0;
    lf_status st = LF_OK;
    *answered = false;
    if (p->evidence.n == 0)
        return LF_OK;
    if (!a->req->no_llm && sure >= least_with_model) {
        speech s = { .a = a, .p = p, .open = open, .checks = json_array() };
        st = speak(&s, log, err);
        n_said = s.n_said;
        json_decref(s.checks);
        lf_buf_release(&s.text);
    }
    if (st == LF_OK && n_said == 0 &&
        sure >= (a->out.n_dropped > dropped ? least_after_failure : least_alone)) {
        st = say_span(a, p, err);
        n_said = 1;
    }
    *answered = n_said > 0;
    return st;
}

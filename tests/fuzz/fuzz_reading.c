/* tests/fuzz/fuzz_reading.c - what a document says, read in this process for search and for
 * the check of answers: sentences, terms, facts, evidence, citations, chunks.
 *
 * The input is a question, a sentence and a document's text, with a NUL byte between
 * them; bytes that are no UTF-8 become U+FFFD, as the readers of documents see to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doc/builder.h"
#include "flow/question.h"
#include "guard/cite.h"
#include "guard/evidence.h"
#include "guard/fact.h"
#include "know/chunk.h"
#include "text/diff.h"
#include "text/terms.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 14 };

static lf_analyzer *analyzer;
static lf_cite_checker *checker;
static lf_evidence_finder *finder;

static void need(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static char *next(const uint8_t **data, size_t *size, bool last)
{
    const uint8_t *nul = *size && !last ? memchr(*data, 0, *size) : NULL;
    const size_t n = nul ? (size_t)(nul - *data) : *size;
    lf_builder b = { 0 };
    for (size_t i = 0; i < n;) { /* a NUL in the text is not text */
        const size_t k = strnlen((const char *)*data + i, n - i);
        lf_builder_add(&b, (const char *)*data + i, k);
        i += k + 1;
    }
    char *text = lf_strdup(lf_buf_cstr(&b.text));
    lf_builder_release(&b);
    *data += nul ? n + 1 : n;
    *size -= nul ? n + 1 : n;
    need(text != NULL && lf_utf8_valid(text, strlen(text)));
    return text;
}

static void in_order(const lf_spans *s, uint32_t n_chars)
{
    uint32_t last = 0;
    for (size_t i = 0; i < s->n; i++) {
        need(s->v[i].start >= last && s->v[i].start < s->v[i].end && s->v[i].end <= n_chars);
        last = s->v[i].end;
    }
}

static void read_text(const char *text, uint32_t n_chars)
{
    const size_t n = strlen(text);
    lf_spans spans = { 0 };
    lf_terms terms = { 0 };
    lf_facts facts = { 0 };
    need(lf_sentences(text, n, 0, &spans, NULL) == LF_OK);
    in_order(&spans, n_chars);
    need(lf_analyzer_terms(analyzer, text, n, &terms, NULL) == LF_OK);
    for (size_t i = 0; i < terms.n; i++)
        need(terms.v[i].start < terms.v[i].end && terms.v[i].end <= n_chars);
    need(lf_facts_read(text, n, &facts, NULL) == LF_OK);
    lf_facts_release(&facts);
    lf_terms_release(&terms);
    lf_spans_release(&spans);
}

static void cut(const char *text, uint32_t n_chars)
{
    lf_block block = { .type = LF_BLOCK_PARAGRAPH, .end = n_chars };
    const lf_doc d = { .format = "text",
                       .text = (char *)(uintptr_t)text,
                       .n_bytes = strlen(text),
                       .n_chars = n_chars,
                       .blocks = &block,
                       .n_blocks = n_chars > 0 };
    lf_chunks c = { 0 };
    uint32_t last = 0;
    need(lf_chunks_of(&d, &c, NULL) == LF_OK);
    for (size_t i = 0; i < c.n; i++) {
        need(c.v[i].start >= last && c.v[i].start < c.v[i].end && c.v[i].end <= n_chars);
        need(lf_utf8_offset(text, d.n_bytes, c.v[i].end) == c.v[i].byte_end);
        last = c.v[i].end;
    }
    lf_chunks_release(&c);
}

static void check(const char *question, const char *sentence, const char *text, uint32_t n_chars)
{
    const lf_cite_source src = { .text = text, .context = question };
    lf_evidence_list found = { 0 };
    lf_cite_verdict v = { 0 };
    bool responds;
    need(lf_cite_check(checker, sentence, question, &src, &v, NULL) == LF_OK);
    need(!v.supported || (v.start < v.end && v.end <= n_chars));
    need(lf_evidence_find(finder, question, &src, 1, &found, NULL) == LF_OK);
    for (size_t i = 0; i < found.n; i++) {
        const lf_evidence *e = &found.v[i];
        lf_span span;
        need(e->source == 0 && e->start < e->end && e->end <= n_chars);
        need(e->answerable >= 0 && e->answerable <= 1);
        need(lf_evidence_span(finder, question, text, (lf_span){ e->start, e->end }, 40, &span,
                              NULL) == LF_OK);
        need(span.start >= e->start && span.start <= span.end && span.end <= e->end);
    }
    need(lf_evidence_responds(finder, question, sentence, &responds, NULL) == LF_OK);
    lf_evidence_release(&found);
}

static void ask(const char *question, const char *earlier)
{
    lf_questions parts = { 0 }, forms = { 0 };
    need(lf_question_split(question, &parts, NULL) == LF_OK);
    need(parts.n >= 1 && parts.n <= LF_QUESTIONS_MAX);
    for (size_t i = 0; i < parts.n; i++)
        need(lf_utf8_valid(parts.v[i], strlen(parts.v[i])));
    need(lf_question_complete(question, earlier, earlier, &forms, NULL) == LF_OK);
    for (size_t i = 0; i < forms.n; i++)
        need(lf_utf8_valid(forms.v[i], strlen(forms.v[i])));
    (void)lf_question_depends(question);
    (void)lf_question_is_open(question);
    lf_questions_release(&parts);
    lf_questions_release(&forms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_diff diff = { 0 };
    if (size > BYTES_MAX)
        return 0;
    if (!analyzer) {
        need(lf_analyzer_open(&analyzer, NULL) == LF_OK);
        need(lf_cite_open(&(lf_guard_embed){ 0 }, &checker, NULL) == LF_OK);
        need(lf_evidence_open(&(lf_guard_embed){ 0 }, &finder, NULL) == LF_OK);
    }
    char *question = next(&data, &size, false), *sentence = next(&data, &size, false);
    char *text = next(&data, &size, true);
    const uint32_t n_chars = (uint32_t)lf_utf8_count(text, strlen(text));
    read_text(text, n_chars);
    cut(text, n_chars);
    check(question, sentence, text, n_chars);
    ask(question, sentence);
    need(lf_diff_texts(lf_str_of(sentence), lf_str_of(text), &diff, NULL) == LF_OK);
    lf_diff_release(&diff);
    lf_free(question);
    lf_free(sentence);
    lf_free(text);
    return 0;
}

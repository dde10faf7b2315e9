/* tests/unit/test_grammar.c - GBNF, JSON Schema, and outputs that follow them. */
#include "tests/lf_test.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "infer/grammar.h"
#include "infer/grammar_int.h"
#include "infer/schema.h"
#include "text/utf8.h"

static lf_token_tree *open_tree(const char *kind, lf_tokenizer **t)
{
    char rel[64];
    lf_token_tree *tree = NULL;
    (void)snprintf(rel, sizeof rel, "golden/tokenizer/%s", kind);
    LF_NEED(lf_tokenizer_from_dir(lf_test_source(rel), t, err));
    LF_NEED(lf_token_tree_open(*t, &tree, err));
    return tree;
}

/* How far a text goes: -1 refused, 0 a prefix, 1 whole. */
static int follow(lf_grammar *g, lf_token_tree *tree, const lf_tokenizer *t, const char *text)
{
    lf_matcher *m = NULL;
    lf_tokens ids = { 0 };
    LF_NEED(lf_matcher_open(g, tree, &m, err));
    LF_NEED(lf_tokenizer_encode(t, text, strlen(text), false, false, &ids, err));
    bool ok = true;
    for (size_t i = 0; ok && i < ids.n; i++)
        ok = lf_matcher_accept(m, ids.ids[i]);
    LF_CHECK(!lf_matcher_failed(m));
    const int r = !ok ? -1 : lf_matcher_may_end(m) ? 1 : 0;
    lf_tokens_release(&ids);
    lf_matcher_close(m);
    return r;
}

typedef struct expectation {
    const char *grammar, *text;
    int want;
} expectation;

static const expectation gbnf_cases[] = {
    { "root ::= \"ab\" | \"ac\"", "ab", 1 },
    { "root ::= \"ab\" | \"ac\"", "ac", 1 },
    { "root ::= \"ab\" | \"ac\"", "a", 0 },
    { "root ::= \"ab\" | \"ac\"", "ad", -1 },
    { "root ::= \"ab\" | \"ac\"", "abc", -1 },
    { "root ::= [a-c]+ \"!\"?", "abcab", 1 },
    { "root ::= [a-c]+ \"!\"?", "abcab!", 1 },
    { "root ::= [a-c]+ \"!\"?", "!", -1 },
    { "root ::= [^x]*", "你好，落地", 1 },
    { "root ::= [^好]*", "你好", -1 },
    { "root ::= [一-龥]{2,3}", "落地", 1 },
    { "root ::= [一-龥]{2,3}", "落", 0 },
    { "root ::= [一-龥]{2,3}", "落地落地", -1 },
    { "root ::= \"x\"{2,} # twice or more", "x", 0 },
    { "root ::= \"x\"{2,}", "xxxxx", 1 },
    { "root ::= (\"a\" | \"b\" (\"c\" | \"d\"))* \".\"", "abdbca.", 1 },
    { "root ::= (\"a\" | \"b\" (\"c\" | \"d\"))* \".\"", "abb", -1 },
    { "root ::= list\nlist ::= \"(\" (list | \"x\")* \")\"", "((x)(()x))", 1 },
    { "root ::= list\nlist ::= \"(\" (list | \"x\")* \")\"", "((x)(()x)", 0 },
    { "root ::= a\n  | b\na ::= \"1\"\nb ::= \"2\" .", "2é", 1 },
    { "root ::= ((\"a\"*)*)* \"b\"", "aaab", 1 }, /* empty repetitions end */
    { "root ::= \"\\x41\\u00e9\\U0001F600\\n\"", "Aé😀\n", 1 },
    { "root ::= \"\"", "", 1 },
    { "root ::= [\\]\\-a]+", "]-a", 1 },
};

static void gbnf_matches(void)
{
    static const char *const kinds[] = { "byte_level", "sentencepiece_bpe" };
    for (size_t k = 0; k < 2; k++) {
        lf_tokenizer *t = NULL;
        lf_token_tree *tree = open_tree(kinds[k], &t);
        for (size_t i = 0; i < sizeof gbnf_cases / sizeof gbnf_cases[0]; i++) {
            const expectation *c = &gbnf_cases[i];
            lf_grammar *g = NULL;
            LF_NEED(lf_grammar_parse(c->grammar, strlen(c->grammar), &g, err));
            /* SentencePiece puts a space in front of a text and may not know a character. */
            if (k == 0)
                LF_CHECK_INT(follow(g, tree, t, c->text), c->want);
            lf_grammar_close(g);
        }
        lf_token_tree_close(tree);
        lf_tokenizer_close(t);
    }
}

#define A "\"a\""

static void gbnf_errors(void)
{
    static const struct {
        const char *text, *says;
        lf_status st;
    } bad[] = {
        { "", "no rule named root", LF_ERR_FORMAT },
        { "x ::= \"a\"", "no rule named root", LF_ERR_FORMAT },
        { "root ::= y", "rule y is used and not defined", LF_ERR_FORMAT },
        { "root ::= \"a", "no closing \"", LF_ERR_FORMAT },
        { "root ::= [a", "no closing ]", LF_ERR_FORMAT },
        { "root ::= (\"a\"", "no closing )", LF_ERR_FORMAT },
        { "root ::= \"a\"{3", "no closing }", LF_ERR_FORMAT },
        { "root ::= \"a\"{3,2}", "maximum is below", LF_ERR_FORMAT },
        { "root ::= \"a\"\nroot ::= \"b\"", "line 2, column 6: the rule is defined twice",
          LF_ERR_FORMAT },
        { "root = \"a\"", "line 1, column 6: ::= was expected", LF_ERR_FORMAT },
        { "root ::= [z-a]", "ends before it begins", LF_ERR_FORMAT },
        { "root ::= \"\\q\"", "unknown escape", LF_ERR_FORMAT },
        { "root ::= \"\\ud800\"", "no character", LF_ERR_FORMAT },
        { "root ::= root \"a\" | \"b\"", "left-recursive", LF_ERR_UNSUPPORTED },
        { "root ::= x \"a\"\nx ::= \"q\"? y\ny ::= root | \"b\"", "left-recursive",
          LF_ERR_UNSUPPORTED },
        { "root ::= (" A "{99999} " A "{99999} " A "{99999} " A "{99999} " A "{99999} " A
          "{99999} " A "{99999} " A "{99999} " A "{99999} " A "{99999} " A "{99999})",
          "items", LF_ERR_LIMIT },
        { "root ::= \"a\" }", "was expected", LF_ERR_FORMAT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lf_grammar *g = NULL;
        lf_err err = { 0 };
        LF_CHECK_INT(lf_grammar_parse(bad[i].text, strlen(bad[i].text), &g, &err), bad[i].st);
        if (!strstr(err.msg, bad[i].says))
            printf("    %s: %s\n", bad[i].text, err.msg);
        LF_CHECK(strstr(err.msg, bad[i].says) != NULL);
    }
}

/* Every cut of a grammar parses or says why; every failed allocation is reported. */
static void gbnf_truncation_and_memory(void)
{
    static const char text[] = "root ::= (\"a\" | [^b-d\\u4e00]{2,5} x)* \"\\\"\"? # end\nx ::= .+";
    for (size_t n = 0; n < sizeof text; n++) {
        lf_grammar *g = NULL;
        lf_err err;
        if (lf_grammar_parse(text, n, &g, &err) == LF_OK)
            lf_grammar_close(g);
    }
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = open_tree("byte_level", &t);
    long n = 0;
    for (lf_status st = LF_ERR_NOMEM; st != LF_OK; n++) {
        const size_t live = lf_mem_live();
        lf_grammar *g = NULL;
        lf_matcher *m = NULL;
        lf_err err;
        static float x[100000];
        lf_mem_fail_after(n);
        st = lf_grammar_parse(text, sizeof text - 1, &g, &err);
        if (st == LF_OK)
            st = lf_matcher_open(g, tree, &m, &err);
        if (st == LF_OK && lf_matcher_mask(m, x, 100000) == 0)
            st = LF_ERR_NOMEM;
        lf_mem_fail_after(-1);
        LF_CHECK(st == LF_OK || st == LF_ERR_NOMEM);
        lf_matcher_close(m);
        lf_grammar_close(g);
        LF_CHECK_INT(lf_mem_live(), live);
    }
    LF_CHECK(n > 20);
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
}

/* The byte sequences of a range spell exactly its code points. */
typedef struct span_check {
    uint32_t lo, hi;
    uint32_t next; /* the code point that must come next */
} span_check;

static bool check_span(void *ud, const uint8_t *from, const uint8_t *to, int n)
{
    span_check *c = ud;
    size_t count = 1;
    const char *p = (const char *)from, *q = (const char *)to;
    LF_CHECK_INT(lf_utf8_seq(p, p + n), n);
    for (int i = 0; i < n; i++)
        count *= (size_t)(to[i] - from[i]) + 1;
    if (c->next == 0xd800)
        c->next = 0xe000;
    LF_CHECK_INT(lf_utf8_next(&p, p + n), c->next);
    c->next += (uint32_t)count;
    LF_CHECK_INT(lf_utf8_next(&q, q + n), c->next - 1);
    return true;
}

static void utf8_ranges_cover(void)
{
    static const uint32_t ends[] = { 0,      1,       0x20,    0x7f,    0x80,     0x81,
                                     0x7ff,  0x800,   0x1234,  0xd7ff,  0xe000,   0xfffd,
                                     0xffff, 0x10000, 0x1f600, 0x40000, 0x10fffe, 0x10ffff };
    const size_t n = sizeof ends / sizeof ends[0];
    for (size_t i = 0; i < n; i++)
        for (size_t k = i; k < n; k++) {
            span_check c = { ends[i], ends[k], ends[i] };
            LF_CHECK(lf_utf8_ranges(c.lo, c.hi, check_span, &c));
            LF_CHECK_INT(c.next == 0xd800 ? 0xd800 : c.next, ends[k] + 1);
        }
}

/* The mask allows exactly the tokens that are allowed one by one. */
static void mask_is_what_tokens_say(void)
{
    static const char *const kinds[] = { "byte_level", "sentencepiece_bpe", "unigram",
                                         "wordpiece" };
    static const char text[] =
        "root ::= \"{\" ([a-zé-ü]+ \":\" [0-9一-龥]* \" \"?){0,3} \"}\" [ \\n]*";
    for (size_t k = 0; k < 4; k++) {
        lf_tokenizer *t = NULL;
        lf_token_tree *tree = open_tree(kinds[k], &t);
        lf_grammar *g = NULL;
        lf_matcher *m = NULL;
        const size_t n_vocab = lf_tokenizer_n_vocab(t), n = n_vocab + 37;
        float *x = lf_calloc(n, sizeof *x);
        LF_NEED(lf_grammar_parse(text, sizeof text - 1, &g, err));
        LF_NEED(lf_matcher_open(g, tree, &m, err));
        uint32_t seed = 7;
        for (int turn = 0; turn < 40 && !lf_matcher_is_over(m); turn++) {
            size_t allowed = 0, chosen = 0;
            memset(x, 0, n * sizeof *x);
            const size_t said = lf_matcher_mask(m, x, n);
            for (size_t i = 0; i < n; i++) {
                LF_CHECK_INT(x[i] == 0.0f, i < n_vocab && lf_matcher_allows(m, (int32_t)i));
                allowed += x[i] == 0.0f;
            }
            LF_CHECK_INT(said, allowed);
            if (allowed == 0)
                break; /* a vocabulary without the bytes: the caller is told */
            seed = seed * 1664525u + 1013904223u;
            for (size_t i = 0, left = seed / 65536u % allowed; i < n; i++)
                if (x[i] == 0.0f && left-- == 0)
                    chosen = i;
            if (!lf_matcher_accept(m, (int32_t)chosen) || lf_tokenizer_is_end(t, (int32_t)chosen))
                break;
        }
        lf_free(x);
        lf_matcher_close(m);
        lf_grammar_close(g);
        lf_token_tree_close(tree);
        lf_tokenizer_close(t);
    }
}

static const expectation schema_cases[] = {
    { "{}", "{\"a\": [1, -2.5e3, null, true, \"x\\n\"]}", 1 },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
      "\"string\"}},\"required\":[\"a\"]}",
      "{\"a\": 12}", 1 },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
      "\"string\"}},\"required\":[\"a\"]}",
      "{\"a\":12,\"b\":\"落地\"}", 1 },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
      "\"string\"}},\"required\":[\"a\"]}",
      "{\"b\"", -1 },
    { "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":"
      "\"string\"}},\"required\":[\"b\"]}",
      "{\"b\":\"\"}", 1 },
    { "{\"properties\":{\"a\":{},\"b\":{}}}", "{}", 1 },
    { "{\"type\":\"object\",\"properties\":{}}", "{}", 1 },
    { "{\"type\":\"object\",\"properties\":{}}", "{\"type\": 1}", -1 },
    { "{\"properties\":{},\"additionalProperties\":true}", "{\"type\": 1}", 1 },
    { "{\"properties\":{},\"minProperties\":1}", "{\"type\": 1}", 1 },
    { "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120}", "-3", 1 },
    { "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120}", "-4", -1 },
    { "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120}", "120", 1 },
    { "{\"type\":\"integer\",\"minimum\":-3,\"maximum\":120}", "121", -1 },
    { "{\"type\":\"integer\",\"exclusiveMinimum\":9,\"exclusiveMaximum\":1000}", "10", 1 },
    { "{\"type\":\"integer\",\"exclusiveMinimum\":9,\"exclusiveMaximum\":1000}", "1000", -1 },
    { "{\"type\":\"integer\",\"minimum\":20}", "2000", 1 },
    { "{\"type\":\"integer\",\"minimum\":20}", "19", 0 }, /* 19x may still come */
    { "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}", "0.375", 1 },
    { "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}", "1.0", 1 },
    { "{\"type\":\"number\",\"minimum\":0,\"maximum\":1}", "1.1", -1 },
    { "{\"type\":\"number\",\"maximum\":-2}", "-2.5", 1 },
    { "{\"type\":\"number\",\"maximum\":-2}", "-1", 0 }, /* -1x is still to come */
    { "{\"type\":[\"string\",\"null\"],\"maxLength\":2}", "null", 1 },
    { "{\"type\":[\"string\",\"null\"],\"maxLength\":2}", "\"你好\"", 1 },
    { "{\"type\":[\"string\",\"null\"],\"maxLength\":2}", "\"你好吗", -1 },
    { "{\"enum\":[\"a\\\"b\",3,null]}", "\"a\\\"b\"", 1 },
    { "{\"enum\":[\"a\",3,null],\"type\":\"integer\"}", "3", 1 },
    { "{\"enum\":[\"a\",3,null],\"type\":\"integer\"}", "\"a", -1 },
    { "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":1,\"maxItems\":2}",
      "[true, false]", 1 },
    { "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":1,\"maxItems\":2}", "[]",
      -1 },
    { "{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":1,\"maxItems\":2}",
      "[true,true,", -1 },
    { "{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"items\":{\"const\":3},\"maxItems\":4}",
      "[1,2,3,3]", 1 },
    { "{\"$ref\":\"#/$defs/node\",\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{"
      "\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/node\"},{\"type\":\"null\"}]}},\"required\":["
      "\"next\"]}}}",
      "{\"next\":{\"next\":null}}", 1 },
    { "{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}-\\\\d+(\\\\.\\\\d)?$\"}", "\"AB-12.5\"", 1 },
    { "{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}-\\\\d+(\\\\.\\\\d)?$\"}", "\"ABC", -1 },
    { "{\"type\":\"string\",\"pattern\":\"b\"}", "\"abc\"", 1 },
    { "{\"type\":\"string\",\"pattern\":\"b\"}", "\"ac\"", -1 },
    { "{\"type\":\"string\",\"pattern\":\"^[^a]\\\"$\"}", "\"\\\\\\\"\"", 1 },
    { "{\"type\":\"string\",\"pattern\":\"^.{2}$\"}", "\"\\\\好\"", 1 },
    { "{\"type\":\"string\",\"pattern\":\"^.{2}$\"}", "\"\\n", -1 }, /* . is no line end */
    { "{\"type\":\"string\",\"format\":\"date\"}", "\"2026-11-30\"", 1 },
    { "{\"type\":\"string\",\"format\":\"date\"}", "\"2026-02-30", -1 },
    { "{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"a\"}},\"required\":["
      "\"k\"]},{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"b\"},\"v\":{\"type\":"
      "\"integer\"}},\"required\":[\"k\",\"v\"]}]}",
      "{\"k\":\"b\",\"v\":1}", 1 },
    { "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}", "{\"x\":1,\"y\":2}",
      1 },
    { "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}", "{\"x\":\"", -1 },
};

static void schemas_match(void)
{
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = open_tree("byte_level", &t);
    for (size_t i = 0; i < sizeof schema_cases / sizeof schema_cases[0]; i++) {
        const expectation *c = &schema_cases[i];
        json_t *schema = NULL;
        lf_grammar *g = NULL;
        LF_NEED(lf_json_parse(c->grammar, strlen(c->grammar), "schema", &schema, err));
        LF_NEED(lf_grammar_from_schema(schema, &g, err));
        const int got = follow(g, tree, t, c->text);
        if (got != c->want)
            printf("    %s: %s\n", c->grammar, c->text);
        LF_CHECK_INT(got, c->want);
        lf_grammar_close(g);
        json_decref(schema);
    }
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
}

static void schema_errors(void)
{
    static const struct {
        const char *text, *says;
        lf_status st;
    } bad[] = {
        { "false", "it is false", LF_ERR_ARG },
        { "3", "must be an object", LF_ERR_UNSUPPORTED },
        { "{\"type\":\"strin\"}", "type is none of", LF_ERR_UNSUPPORTED },
        { "{\"not\":{}}", "not is not supported", LF_ERR_UNSUPPORTED },
        { "{\"properties\":{\"a\":{\"multipleOf\":3}}}", "#/properties/a: multipleOf",
          LF_ERR_UNSUPPORTED },
        { "{\"type\":\"array\",\"uniqueItems\":true}", "uniqueItems", LF_ERR_UNSUPPORTED },
        { "{\"$ref\":\"#/$defs/none\"}", "points at nothing", LF_ERR_UNSUPPORTED },
        { "{\"$ref\":\"http://x\"}", "points at nothing", LF_ERR_UNSUPPORTED },
        { "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"string\",\"maxLength\":3}]}",
          "exclude each other", LF_ERR_UNSUPPORTED },
        { "{\"type\":\"integer\",\"minimum\":5,\"maximum\":4}", "no whole number", LF_ERR_ARG },
        { "{\"type\":\"string\",\"minLength\":5,\"maxLength\":4}", "minLength", LF_ERR_ARG },
        { "{\"enum\":[\"a\"],\"type\":\"integer\"}", "no value is left", LF_ERR_ARG },
        { "{\"type\":\"string\",\"pattern\":\"(?=a)\"}", "look around", LF_ERR_UNSUPPORTED },
        { "{\"type\":\"string\",\"pattern\":\"a|^b\"}", "", LF_ERR_UNSUPPORTED },
        { "{\"type\":\"object\",\"required\":[\"a\"]}", "does not list", LF_ERR_UNSUPPORTED },
        { "{\"minItems\":3,\"maxItems\":2}", "more items", LF_ERR_ARG },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *schema = NULL;
        lf_grammar *g = NULL;
        lf_err e = { 0 };
        LF_NEED(lf_json_parse(bad[i].text, strlen(bad[i].text), "schema", &schema, err));
        LF_CHECK_INT(lf_grammar_from_schema(schema, &g, &e), bad[i].st);
        if (!strstr(e.msg, bad[i].says))
            printf("    %s: %s\n", bad[i].text, e.msg);
        LF_CHECK(strstr(e.msg, bad[i].says) != NULL);
        json_decref(schema);
    }
    /* Nested too deep: said, not crashed. */
    lf_buf deep = { 0 };
    for (int i = 0; i < 200; i++)
        lf_buf_add_str(&deep, "{\"items\":");
    lf_buf_add_str(&deep, "{}");
    for (int i = 0; i < 200; i++)
        lf_buf_add_str(&deep, "}");
    json_t *schema = NULL;
    lf_grammar *g = NULL;
    lf_err e;
    LF_NEED(lf_json_parse(lf_buf_cstr(&deep), deep.len, "schema", &schema, err));
    LF_CHECK_INT(lf_grammar_from_schema(schema, &g, &e), LF_ERR_LIMIT);
    json_decref(schema);
    lf_buf_release(&deep);
}

/* A long output keeps the tables small: they are emptied and the match goes on. */
static void long_nesting_goes_on(void)
{
    static const char text[] = "root ::= v\nv ::= \"[\" (v (\",\" v)*)? \"]\"";
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = open_tree("byte_level", &t);
    lf_grammar *g = NULL;
    lf_matcher *m = NULL;
    lf_tokens open = { 0 }, shut = { 0 };
    enum { DEPTH = 30000 };
    LF_NEED(lf_grammar_parse(text, sizeof text - 1, &g, err));
    LF_NEED(lf_matcher_open(g, tree, &m, err));
    LF_NEED(lf_tokenizer_encode(t, "[", 1, false, false, &open, err));
    LF_NEED(lf_tokenizer_encode(t, "]", 1, false, false, &shut, err));
    bool ok = true;
    for (int i = 0; i < DEPTH; i++)
        ok = ok && lf_matcher_accept(m, open.ids[open.n - 1]);
    LF_CHECK(ok);
    for (int i = 0; i < DEPTH; i++) {
        LF_CHECK(!lf_matcher_is_over(m));
        ok = ok && lf_matcher_accept(m, shut.ids[shut.n - 1]);
    }
    LF_CHECK(ok);
    LF_CHECK(lf_matcher_is_over(m));
    LF_CHECK(!lf_matcher_accept(m, shut.ids[shut.n - 1]));
    lf_tokens_release(&open);
    lf_tokens_release(&shut);
    lf_matcher_close(m);
    lf_grammar_close(g);
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
}

/* Work grows with the words, not with their square: that would take minutes here. */
static void a_hundred_thousand_words(void)
{
    enum { WORDS = 100000, TIMES = 48 };
    lf_tokenizer *t = NULL;
    lf_token_tree *tree = open_tree("byte_level", &t);
    lf_grammar *g = NULL;
    lf_buf b = { 0 };
    lf_buf_add_str(&b, "root ::= \"0\"");
    for (int i = 0; i < WORDS; i++)
        lf_buf_addf(&b, " | \"%05d\"", i);
    LF_NEED(lf_grammar_parse(lf_buf_cstr(&b), b.len, &g, err));
    for (int i = 0; i < TIMES; i++) {
        char word[16];
        (void)snprintf(word, sizeof word, "%05d", i * 2003);
        LF_CHECK_INT(follow(g, tree, t, word), 1);
        word[4] = '\0';
        LF_CHECK_INT(follow(g, tree, t, word), 0);
    }
    LF_CHECK_INT(follow(g, tree, t, "000000"), -1);
    lf_buf_release(&b);
    lf_grammar_close(g);
    lf_token_tree_close(tree);
    lf_tokenizer_close(t);
}

int main(int argc, char **argv)
{
    static const lf_test tests[] = {
        { "gbnf/matches", gbnf_matches },
        { "gbnf/errors", gbnf_errors },
        { "gbnf/truncation_and_memory", gbnf_truncation_and_memory },
        { "gbnf/utf8_ranges_cover", utf8_ranges_cover },
        { "gbnf/long_nesting_goes_on", long_nesting_goes_on },
        { "gbnf/a_hundred_thousand_words", a_hundred_thousand_words },
        { "mask/is_what_tokens_say", mask_is_what_tokens_say },
        { "schema/matches", schemas_match },
        { "schema/errors", schema_errors },
        { NULL, NULL },
    };
    return lf_test_main(argc, argv, tests);
}

/* bench/bench_guard.c - what the citation check lets through and what it stops.
 *
 *     bench_guard [--show] <PAIRS          (JSONL of bench/guard_pairs.py)
 *
 * Each pair is a passage and a sentence that follows from it or does not; it goes
 * through lf_cite_check as an answer's sentence does, with the default encoder of
 * LANDFALL_HOME behind the embedding callback.  Prints, by kind and language, how
 * many supported sentences were let through and how many unsupported ones stopped,
 * then precision and recall of both.  --show lists the wrong verdicts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "guard/cite.h"
#include "provider/provider.h"

enum { N_LANGS = 3, KINDS_MAX = 24 };

static const char *const langs[N_LANGS] = { "zh", "en", "cross" };

typedef struct tally {
    char kind[24];
    bool supported;
    int n[N_LANGS], right[N_LANGS];
} tally;

typedef struct board {
    tally kinds[KINDS_MAX];
    size_t n_kinds;
    bool show;
} board;

static tally *row_of(board *b, const char *kind, bool supported)
{
    for (size_t i = 0; i < b->n_kinds; i++)
        if (strcmp(b->kinds[i].kind, kind) == 0 && b->kinds[i].supported == supported)
            return &b->kinds[i];
    if (b->n_kinds == KINDS_MAX)
        return NULL;
    tally *t = &b->kinds[b->n_kinds++];
    (void)snprintf(t->kind, sizeof t->kind, "%s", kind);
    t->supported = supported;
    return t;
}

static size_t lang_of(const char *lang)
{
    for (size_t i = 0; i < N_LANGS; i++)
        if (strcmp(lang, langs[i]) == 0)
            return i;
    return N_LANGS;
}

static lf_status judge(lf_cite_checker *c, const json_t *pair, board *b, lf_err *err)
{
    const char *passage, *sentence, *question, *label, *kind, *lang;
    lf_cite_verdict v = { 0 };
    lf_status st = lf_json_need_str(pair, "passage", &passage, err);
    if (st == LF_OK)
        st = lf_json_need_str(pair, "sentence", &sentence, err);
    if (st == LF_OK)
        st = lf_json_get_str(pair, "question", NULL, &question, err);
    if (st == LF_OK)
        st = lf_json_need_str(pair, "label", &label, err);
    if (st == LF_OK)
        st = lf_json_need_str(pair, "kind", &kind, err);
    if (st == LF_OK)
        st = lf_json_need_str(pair, "lang", &lang, err);
    if (st != LF_OK)
        return st;
    const lf_cite_source src = { .text = passage, .context = "" };
    const bool supported = strcmp(label, "supported") == 0;
    const size_t l = lang_of(lang);
    tally *t = row_of(b, kind, supported);
    if (l == N_LANGS || !t)
        return lf_fail(err, LF_ERR_FORMAT, "language '%s' or too many kinds ('%s')", lang, kind);
    st = lf_cite_check(c, sentence, question, &src, &v, err);
    if (st != LF_OK)
        return st;
    t->n[l]++;
    t->right[l] += v.supported == supported;
    if (b->show && v.supported != supported)
        printf("%s %-10s %s [%s %.2f %.2f]\n", supported ? "stopped" : "passed ", kind, sentence,
               v.why, v.coverage, v.similarity);
    return LF_OK;
}

static void print_kinds(const board *b)
{
    printf("| | kind | zh | en | cross |\n|--|--|--|--|--|\n");
    for (int supported = 1; supported >= 0; supported--)
        for (size_t i = 0; i < b->n_kinds; i++) {
            const tally *t = &b->kinds[i];
            if (t->supported != (supported == 1))
                continue;
            printf("| %s | %s |", supported ? "let through" : "stopped", t->kind);
            for (size_t l = 0; l < N_LANGS; l++)
                if (t->n[l])
                    printf(" %d/%d |", t->right[l], t->n[l]);
                else
                    printf(" |");
            printf("\n");
        }
}

static double share(int part, int whole)
{
    return whole ? (double)part / whole : 0;
}

/* Precision and recall of letting supported sentences through, and of stopping others. */
static void print_sums(const board *b)
{
    printf("\n| language | pairs | let through: precision | recall | stopped: precision | recall "
           "|\n|--|--|--|--|--|--|\n");
    for (size_t l = 0; l <= N_LANGS; l++) {
        int good = 0, passed = 0, bad = 0, stopped = 0;
        for (size_t i = 0; i < b->n_kinds; i++)
            for (size_t k = 0; k < N_LANGS; k++) {
                const tally *t = &b->kinds[i];
                if (l < N_LANGS && k != l)
                    continue;
                *(t->supported ? &good : &bad) += t->n[k];
                *(t->supported ? &passed : &stopped) += t->right[k];
            }
        printf("| %s | %d | %.3f | %.3f | %.3f | %.3f |\n", l < N_LANGS ? langs[l] : "all",
               good + bad, share(passed, passed + bad - stopped), share(passed, good),
               share(stopped, stopped + good - passed), share(stopped, bad));
    }
}

static lf_status run(lf_cite_checker *c, board *b, lf_err *err)
{
    lf_status st = LF_OK;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while (st == LF_OK && (n = getline(&line, &cap, stdin)) > 0) {
        json_t *pair = NULL;
        st = lf_json_parse(line, (size_t)n, "a pair", &pair, err);
        if (st == LF_OK)
            st = judge(c, pair, b, err);
        json_decref(pair);
    }
    free(line);
    if (st == LF_OK && b->n_kinds == 0)
        st = lf_fail(err, LF_ERR_ARG, "no pairs on standard input");
    return st;
}

int main(int argc, char **argv)
{
    lf_err err = { 0 };
    lf_provider *p = NULL;
    lf_cite_checker *c = NULL;
    lf_embedder e = { 0 };
    board b = { .show = argc > 1 && strcmp(argv[1], "--show") == 0 };
    const lf_provider_opts o = { .home = getenv("LANDFALL_HOME") };
    lf_status st = o.home ? lf_provider_open(&o, &p, &err)
                          : lf_fail(&err, LF_ERR_ARG, "LANDFALL_HOME is not set");
    if (st == LF_OK)
        st = lf_provider_embedder(p, &e, &err);
    const lf_guard_embed g = { .dim = e.dim, .embed = e.embed, .ud = e.ud };
    if (st == LF_OK)
        st = lf_cite_open(&g, &c, &err);
    if (st == LF_OK)
        st = run(c, &b, &err);
    if (st == LF_OK) {
        print_kinds(&b);
        print_sums(&b);
    } else {
        (void)fprintf(stderr, "bench_guard: %s\n", err.msg);
    }
    lf_cite_close(c);
    lf_provider_close(p);
    return st == LF_OK ? 0 : 1;
}

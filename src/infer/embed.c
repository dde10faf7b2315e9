/* infer/embed.c - sentence embeddings, and scores of given text.
 *
 * Embedding: the caller's thread tokenizes; each text becomes windows of at most
 * the encoder's context, each with the model's own beginning and end tokens.  A
 * pass takes as many windows as fit, of all jobs in turn, side by side without padding.  A text's
 * vector is the mean of its windows' vectors weighted by their tokens, normalised
 * to length 1.  A text of one window is thus exactly what the model gives. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "infer/engine_int.h"
#include "tensor/softmax.h"
#include "tensor/vec.h"

typedef struct packing {
    runner *r;
    size_t rows, rows_max, n_segs;
    job *of[SEGMENTS_MAX];
    const window *win[SEGMENTS_MAX];
} packing;

static bool add_next_window(packing *p, job *j)
{
    const window *w = &j->windows[j->at_window];
    if (j->ended || j->at_window == j->n_windows || p->n_segs == SEGMENTS_MAX ||
        (p->rows && w->n > p->rows_max - p->rows))
        return false;
    p->r->segs[p->n_segs] = (lf_segment){ .row0 = p->rows, .n_rows = w->n };
    p->of[p->n_segs] = j;
    p->win[p->n_segs++] = w;
    memcpy(p->r->ids + p->rows, j->tokens + w->at, w->n * sizeof *p->r->ids);
    p->rows += w->n;
    p->rows_max = p->rows > p->rows_max ? p->rows : p->rows_max;
    j->at_window++;
    return true;
}

static bool is_embedding(const runner *r, const job *j)
{
    return j->kind == JOB_EMBED && j->m == r->m && !j->ended;
}

/* Texts of all jobs in turn, one of each, so that a question does not wait for a library. */
static void pack(packing *p, job *active)
{
    for (bool more = true; more;) {
        more = false;
        for (job *j = active; j; j = j->next)
            if (is_embedding(p->r, j))
                more = add_next_window(p, j) || more;
    }
}

bool lf_embed_step(runner *r, job *active, size_t n_rows)
{
    packing p = { .r = r, .rows_max = n_rows < r->rows_max ? n_rows : r->rows_max };
    for (job *j = active; j; j = j->next) {
        lf_err err;
        const char *why = is_embedding(r, j) ? lf_job_over(j) : NULL;
        if (why)
            lf_job_end(j, lf_fail(&err, LF_ERR_CANCELLED, "%s", why), &err);
    }
    pack(&p, active);
    if (p.n_segs == 0)
        return false;
    const lf_batch b = { .ids = r->ids, .n = p.rows, .segs = r->segs, .n_segs = p.n_segs };
    lf_graph_rewind(&r->g, 0);
    const lf_mat y = lf_encoder_forward(r->m, &r->g, &b);
    for (size_t i = 0; i < p.n_segs; i++) {
        job *j = p.of[i];
        float *out = j->out + p.win[i]->text * y.cols;
        for (size_t c = 0; c < y.cols; c++)
            out[c] += p.win[i]->weight * y.data[i * y.cols + c];
        if (p.win[i] == &j->windows[j->n_windows - 1])
            lf_job_end(j, LF_OK, NULL);
    }
    return true;
}

/* Scores of a pass, whose rows begin at j->seq.n: as they are, or what they give to the token
 * that follows (the last position has none). */
static void keep_scores(job *j, lf_mat y)
{
    const size_t at = j->seq.n - j->score_from;
    if (!j->choices) {
        memcpy(j->out + at * y.cols, y.data, y.rows * y.cols * sizeof *y.data);
        return;
    }
    for (size_t i = 0; i < y.rows && j->seq.n + i + 1 < j->n_tokens; i++) {
        const float *x = y.data + i * y.cols;
        lf_choice_describe(x, y.cols, j->tokens[j->seq.n + i + 1], j->n_top, &j->choices[at + i]);
    }
}

void lf_scores_step(runner *r, job *j)
{
    lf_kv_seq *s = &j->seq;
    lf_err err;
    const char *why = lf_job_over(j);
    if (why) {
        lf_kv_seq_close(s);
        lf_job_end(j, lf_fail(&err, LF_ERR_CANCELLED, "%s", why), &err);
        return;
    }
    const bool wanted = s->n >= j->score_from;
    const size_t left = (wanted ? j->n_tokens : j->score_from) - s->n;
    const size_t most = wanted ? SCORE_ROWS : r->rows_max, n = left < most ? left : most;
    memcpy(r->ids, j->tokens + s->n, n * sizeof *r->ids);
    for (size_t i = 0; wanted && i < n; i++)
        r->out_rows[i] = (int32_t)i;
    lf_kv_seq_reserve(s, n);
    r->segs[0] = (lf_segment){ .n_rows = n, .pos0 = s->n, .blocks = s->data };
    const lf_batch b = { .ids = r->ids,
                         .n = n,
                         .segs = r->segs,
                         .n_segs = 1,
                         .out_rows = r->out_rows,
                         .n_out = wanted ? n : 0,
                         .kv = r->kv_type };
    lf_graph_rewind(&r->g, 0);
    const lf_mat y = lf_decoder_forward(r->m, &r->g, &b);
    if (wanted)
        keep_scores(j, y);
    lf_kv_seq_advance(s, r->ids, n);
    if (s->n == j->n_tokens) {
        lf_kv_seq_close(s);
        lf_job_end(j, LF_OK, NULL);
    }
}

/* ---- the caller's side of embedding ---- */

typedef struct pieces {
    lf_tokens tokens; /* of all windows, specials included */
    window *v;
    size_t n, cap;
} pieces;

static bool add_window(pieces *p, window w)
{
    if (p->n == p->cap) {
        const size_t cap = p->cap ? p->cap * 2 : 64;
        window *grown = lf_realloc(p->v, cap * sizeof *grown);
        if (!grown)
            return false;
        p->v = grown;
        p->cap = cap;
    }
    p->v[p->n++] = w;
    return true;
}

static bool add_ids(lf_tokens *t, const int32_t *ids, size_t n)
{
    if (t->cap - t->n < n) {
        const size_t cap = (t->n + n) * 2;
        int32_t *grown = lf_realloc(t->ids, cap * sizeof *grown);
        if (!grown)
            return false;
        t->ids = grown;
        t->cap = cap;
    }
    if (n)
        memcpy(t->ids + t->n, ids, n * sizeof *ids);
    t->n += n;
    return true;
}

/* How many special tokens the model puts before and after a text. */
static lf_status special_ids(const lf_tokenizer *tok, lf_tokens *ids, size_t *n_before, lf_err *err)
{
    lf_tokens probe = { 0 };
    lf_status st = lf_tokenizer_encode(tok, "", 0, true, false, ids, err);
    if (st == LF_OK)
        st = lf_tokenizer_encode(tok, "a", 1, true, false, &probe, err);
    size_t n = 0;
    while (st == LF_OK && n < ids->n && n < probe.n && ids->ids[n] == probe.ids[n])
        n++;
    *n_before = n;
    lf_tokens_release(&probe);
    return st;
}

/* Cut content tokens into windows of at most `room`, each with its specials. */
static bool cut(pieces *p, size_t text, const lf_tokens *content, size_t room,
                const lf_tokens *special, size_t n_before)
{
    bool ok = true;
    for (size_t at = 0; ok && (at < content->n || at == 0); at += room) {
        const size_t left = content->n - at, n = left < room ? left : room;
        const window w = {
            .text = text, .at = p->tokens.n, .n = n + special->n, .weight = n ? (float)n : 1.0f
        };
        if (w.n == 0)
            return true; /* nothing at all to look at: the vector stays zero */
        ok = add_ids(&p->tokens, special->ids, n_before) &&
             add_ids(&p->tokens, content->ids + at, n) &&
             add_ids(&p->tokens, special->ids + n_before, special->n - n_before) &&
             add_window(p, w);
    }
    return ok;
}

static lf_status tokenize_all(const lf_model *m, const lf_str *texts, size_t n, const char *prefix,
                              pieces *p, lf_err *err)
{
    const lf_tokenizer *tok = lf_model_tokenizer(m);
    const uint32_t ctx = lf_model_get_info(m)->ctx_tokens;
    lf_tokens special = { 0 }, content = { 0 };
    lf_buf text = { 0 };
    size_t n_before = 0;
    lf_status st = special_ids(tok, &special, &n_before, err);
    if (st == LF_OK && special.n >= ctx)
        st = lf_fail(err, LF_ERR_LIMIT, "the encoder's context of %u tokens has no room for text",
                     ctx);
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        lf_buf_clear(&text);
        content.n = 0;
        lf_buf_add_str(&text, prefix);
        lf_buf_add(&text, texts[i].p, texts[i].len);
        if (text.failed)
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for a text of %zu bytes", texts[i].len);
        else
            st =
                lf_tokenizer_encode(tok, lf_buf_cstr(&text), text.len, false, false, &content, err);
        if (st == LF_OK && !cut(p, i, &content, ctx - special.n, &special, n_before))
            st = lf_fail(err, LF_ERR_NOMEM, "no memory for the tokens of %zu texts", n);
    }
    lf_tokens_release(&special);
    lf_tokens_release(&content);
    lf_buf_release(&text);
    return st;
}

lf_status lf_engine_embed(lf_engine *e, lf_model *m, const lf_str *texts, size_t n,
                          lf_embed_kind kind, float *out, lf_err *err)
{
    lf_status st;
    job j;
    pieces p = { 0 };
    float *sums = NULL;
    const lf_model_info *info = lf_model_get_info(m);
    const char *prefix = kind == LF_EMBED_QUERY     ? lf_model_query_prefix(m)
                         : kind == LF_EMBED_PASSAGE ? lf_model_passage_prefix(m)
                                                    : "";
    const size_t d = info->n_embd;
    if (n == 0)
        return LF_OK;
    if (!info->is_encoder)
        return lf_fail(err, LF_ERR_ARG, "'%s' is a %s model: embeddings need an encoder",
                       info->name, info->arch);
    st = lf_job_init(&j, JOB_EMBED, m, err);
    if (st != LF_OK)
        return st;
    st = tokenize_all(m, texts, n, prefix, &p, err);
    if (st != LF_OK)
        goto done;
    sums = lf_calloc(n * d, sizeof *sums);
    if (!sums) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for %zu vectors of %zu", n, d);
        goto done;
    }
    j.tokens = p.tokens.ids;
    j.n_tokens = p.tokens.n;
    j.windows = p.v;
    j.n_windows = p.n;
    j.out = sums;
    if (p.n)
        st = lf_job_run(e, &j, NULL, NULL, NULL, err);
    if (st != LF_OK)
        goto done;
    for (size_t i = 0; i < n; i++)
        lf_vec_normalize(sums + i * d, d);
    memcpy(out, sums, n * d * sizeof *out);
done:
    lf_free(sums);
    lf_free(p.v);
    lf_tokens_release(&p.tokens);
    lf_job_release(&j);
    return st;
}

/* ---- the caller's side of scores ---- */

/* All scores from position `from` on into `out`, or what the choices of the tokens behind
 * it were into `choices`. */
static lf_status run_scores(lf_engine *e, lf_model *m, const int32_t *tokens, size_t n_tokens,
                            size_t from, float *out, lf_choice *choices, int32_t n_top,
                            const atomic_bool *cancel, lf_err *err)
{
    job j;
    const lf_model_info *info = lf_model_get_info(m);
    if (info->is_encoder)
        return lf_fail(err, LF_ERR_ARG, "'%s' is an encoder: it has no scores", info->name);
    if (n_tokens == 0 || n_tokens > lf_engine_ctx_tokens(e, m))
        return lf_fail(err, LF_ERR_LIMIT, "%zu tokens to score, 1 to %u are allowed", n_tokens,
                       lf_engine_ctx_tokens(e, m));
    for (size_t i = 0; i < n_tokens; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= info->n_vocab)
            return lf_fail(err, LF_ERR_ARG, "token %zu is %d, the vocabulary has %u", i, tokens[i],
                           info->n_vocab);
    lf_status st = lf_job_init(&j, JOB_SCORES, m, err);
    if (st != LF_OK)
        return st;
    j.cancel = cancel;
    j.tokens = tokens;
    j.n_tokens = n_tokens;
    j.score_from = from;
    j.choices = choices;
    j.n_top = n_top;
    j.out = out;
    st = lf_job_run(e, &j, NULL, NULL, NULL, err);
    lf_job_release(&j);
    return st;
}

lf_status lf_engine_logits(lf_engine *e, lf_model *m, const int32_t *tokens, size_t n_tokens,
                           float *out, lf_err *err)
{
    return run_scores(e, m, tokens, n_tokens, 0, out, NULL, 0, NULL, err);
}

lf_status lf_engine_choices(lf_engine *e, lf_model *m, const int32_t *tokens, size_t n_tokens,
                            size_t first, int32_t n_top, const atomic_bool *cancel, lf_choice *out,
                            lf_err *err)
{
    if (first == 0 || first >= n_tokens)
        return lf_fail(err, LF_ERR_ARG,
                       "probabilities from token %zu on of %zu: the first can be 1 to %zu", first,
                       n_tokens, n_tokens ? n_tokens - 1 : 0);
    if (n_top < 0 || n_top > LF_TOP_LOGPROBS_MAX)
        return lf_fail(err, LF_ERR_ARG, "%d best tokens at each place, 0 to %d are allowed", n_top,
                       LF_TOP_LOGPROBS_MAX);
    return run_scores(e, m, tokens, n_tokens, first - 1, NULL, out, n_top, cancel, err);
}

lf_status lf_engine_logprobs(lf_engine *e, lf_model *m, const int32_t *tokens, size_t n_tokens,
                             size_t first, float *out, lf_err *err)
{
    lf_choice *c = lf_calloc(n_tokens + 1, sizeof *c);
    if (!c)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for %zu probabilities", n_tokens);
    const lf_status st = lf_engine_choices(e, m, tokens, n_tokens, first, 0, NULL, c, err);
    for (size_t i = 0; st == LF_OK && i < n_tokens - first; i++)
        out[i] = c[i].logprob;
    lf_free(c);
    return st;
}

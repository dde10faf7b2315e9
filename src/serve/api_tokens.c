/* serve/api_tokens.c - POST /tokenize and /detokenize: text to token ids and back. */
#include <string.h>

#include "base/mem.h"
#include "serve/serve_int.h"
#include "serve/text_req.h"
#include "text/utf8.h"

/* A token's text; its bytes where they are no whole characters. */
static json_t *piece_json(const lf_tokenizer *t, int32_t id)
{
    lf_buf b = { 0 };
    json_t *v;
    lf_tokenizer_piece(t, id, true, &b);
    if (lf_utf8_valid(lf_buf_cstr(&b), b.len)) {
        v = json_stringn(lf_buf_cstr(&b), b.len);
    } else {
        v = json_array();
        for (size_t i = 0; i < b.len; i++)
            (void)json_array_append_new(v, json_integer((unsigned char)b.data[i]));
    }
    lf_buf_release(&b);
    return json_pack("{s:i,s:o}", "id", id, "piece", v);
}

static lf_status tokenize(lf_server *s, const lf_tokenize_req *q, json_t **out, lf_err *err)
{
    lf_model *m = NULL;
    lf_tokens ids = { 0 };
    lf_status st = lf_serve_model_of(s, q->model, &m, err);
    if (st == LF_OK && q->messages)
        st = lf_provider_tokens(m, q->messages, &ids, err);
    else if (st == LF_OK)
        st = lf_tokenizer_encode(lf_model_tokenizer(m), q->content.p, q->content.len,
                                 q->add_special, q->parse_special, &ids, err);
    if (st == LF_OK) {
        json_t *all = json_array();
        for (size_t i = 0; i < ids.n; i++)
            (void)json_array_append_new(all, q->with_pieces
                                                 ? piece_json(lf_model_tokenizer(m), ids.ids[i])
                                                 : json_integer(ids.ids[i]));
        *out = json_pack("{s:I,s:o}", "count", (json_int_t)ids.n, "tokens", all);
    }
    lf_tokens_release(&ids);
    lf_model_unref(m);
    return st;
}

void lf_serve_tokenize(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_tokenize_req q = { 0 };
    lf_err err = { 0 };
    char param[64];
    json_t *v = NULL;
    if (!lf_serve_is_json(r))
        return;
    if (lf_tokenize_req_decode(lf_http_body(r), &q, param, &err) != LF_OK) {
        lf_serve_fail(r, param, &err);
        return;
    }
    if (tokenize(s, &q, &v, &err) == LF_OK)
        lf_http_reply_json(r, 200, v);
    else
        lf_serve_model_fail(r, &err);
    lf_tokenize_req_release(&q);
}

static lf_status detokenize(lf_server *s, const lf_detokenize_req *q, json_t **out, lf_err *err)
{
    lf_model *m = NULL;
    lf_buf text = { 0 };
    const size_t n = json_array_size(q->tokens);
    int32_t *ids = lf_calloc(n + 1, sizeof *ids);
    lf_status st = ids ? lf_serve_model_of(s, q->model, &m, err)
                       : lf_fail(err, LF_ERR_NOMEM, "no memory for tokens");
    for (size_t i = 0; i < n && st == LF_OK; i++) {
        ids[i] = (int32_t)json_integer_value(json_array_get(q->tokens, i));
        if ((size_t)ids[i] >= lf_model_get_info(m)->n_vocab)
            st = lf_fail(err, LF_ERR_ARG, "'tokens[%zu]' is %d, the vocabulary of '%s' has %u", i,
                         ids[i], q->model, lf_model_get_info(m)->n_vocab);
    }
    if (st == LF_OK) {
        lf_tokenizer_decode(lf_model_tokenizer(m), ids, n, true, &text);
        *out = text.failed
                   ? NULL
                   : json_pack("{s:o}", "content", lf_json_text(lf_buf_cstr(&text), text.len));
    }
    lf_buf_release(&text);
    lf_free(ids);
    lf_model_unref(m);
    return st;
}

void lf_serve_detokenize(lf_server *s, lf_http_req *r, const lf_route_args *a)
{
    (void)a;
    lf_detokenize_req q = { 0 };
    lf_err err = { 0 };
    char param[64];
    json_t *v = NULL;
    if (!lf_serve_is_json(r))
        return;
    if (lf_detokenize_req_decode(lf_http_body(r), &q, param, &err) != LF_OK) {
        lf_serve_fail(r, param, &err);
        return;
    }
    if (detokenize(s, &q, &v, &err) == LF_OK)
        lf_http_reply_json(r, 200, v);
    else
        lf_serve_model_fail(r, &err);
    lf_detokenize_req_release(&q);
}

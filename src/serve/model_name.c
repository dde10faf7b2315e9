/* serve/model_name.c - the models that requests name, and what is said when there is none.
 *
 * Who asks over the network may name what the catalogue and the settings name, and learns
 * nothing of where the files lie. */
#include <string.h>

#include "serve/serve_int.h"

lf_status lf_serve_model_name(lf_server *s, const char *name, lf_err *err)
{
    return lf_provider_has_name(s->o.provider, name)
               ? LF_OK
               : lf_provider_no_model(s->o.provider, name, err);
}

/* A path starts where a word does; in quotes it may have spaces. */
void lf_serve_hide_paths(char *msg)
{
    char *to = msg;
    char before = ' ';
    for (const char *at = msg; *at;) {
        if (at[0] == '/' && at[1] && at[1] != ' ' && strchr(" '\"(=,", before)) {
            const char *end = before == '\'' ? "'" : before == '"' ? "\"" : " '\"(),:;";
            const char *name = at + strcspn(at, end);
            while (name[-1] != '/')
                name--;
            at = name;
            before = '/';
        } else {
            before = *at;
            *to++ = *at++;
        }
    }
    *to = '\0';
}

lf_status lf_serve_model_of(lf_server *s, const char *name, lf_model **out, lf_err *err)
{
    lf_status st = lf_serve_model_name(s, name, err);
    if (st == LF_OK)
        st = lf_provider_model(s->o.provider, name, out, err);
    if (st != LF_OK)
        lf_serve_hide_paths(err->msg);
    return st;
}

void lf_serve_model_fail(lf_http_req *r, const lf_err *err)
{
    const bool unknown = err->code == LF_ERR_NOT_FOUND;
    lf_http_reply_error(r, lf_status_http(err->code), unknown ? "model" : NULL,
                        unknown ? "model_not_found" : lf_status_name(err->code), "%s", err->msg);
}

lf_status lf_serve_encoder(lf_server *s, const char *name, const char *what, lf_model **out,
                           lf_err *err)
{
    lf_model *m = NULL;
    const lf_status st = lf_serve_model_of(s, name, &m, err);
    if (st != LF_OK)
        return st;
    if (!lf_model_get_info(m)->is_encoder) {
        lf_model_unref(m);
        return lf_fail(err, LF_ERR_ARG, "'%s' generates text: %s needs an encoder", name, what);
    }
    *out = m;
    return LF_OK;
}

uint64_t lf_serve_count_tokens(const lf_model *m, const lf_str *texts, size_t n_texts)
{
    uint64_t n = 0;
    for (size_t i = 0; i < n_texts; i++) {
        lf_tokens t = { 0 };
        if (lf_tokenizer_encode(lf_model_tokenizer(m), texts[i].p, texts[i].len, true, false, &t,
                                NULL) == LF_OK)
            n += t.n;
        lf_tokens_release(&t);
    }
    return n;
}

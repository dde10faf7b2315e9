/* tests/fuzz/fuzz_http_json.c - bodies of the routes that take JSON.
 *
 * The first byte chooses the route, the rest is the body. */
#include <stdint.h>
#include <string.h>

#include "serve/ask_req.h"
#include "serve/messages_req.h"
#include "serve/openai_req.h"
#include "serve/text_req.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char param[64];
    lf_err err = { 0 };
    if (size == 0)
        return 0;
    const lf_str body = { (const char *)data + 1, size - 1 };
    lf_chat_req c;
    lf_embed_req e;
    lf_ask_body a;
    lf_text_req t;
    lf_tokenize_req k;
    lf_detokenize_req d;
    lf_rank_req r;
    lf_messages_req m;
    switch (data[0] % 16) {
    case 0:
        if (lf_chat_req_decode(body, &c, param, &err) == LF_OK)
            lf_chat_req_release(&c);
        break;
    case 1:
        if (lf_embed_req_decode(body, &e, param, &err) == LF_OK)
            lf_embed_req_release(&e);
        break;
    case 4:
        if (lf_text_req_decode(body, &t, param, &err) == LF_OK)
            lf_text_req_release(&t);
        break;
    case 5:
        if (lf_tokenize_req_decode(body, &k, param, &err) == LF_OK)
            lf_tokenize_req_release(&k);
        break;
    case 6:
        if (lf_detokenize_req_decode(body, &d, param, &err) == LF_OK)
            lf_detokenize_req_release(&d);
        break;
    case 7:
        if (lf_rank_req_decode(body, &r, param, &err) == LF_OK)
            lf_rank_req_release(&r);
        break;
    case 8:
    case 9:
        if (lf_messages_req_decode(body, data[0] % 16 == 9, &m, param, &err) == LF_OK)
            lf_messages_req_release(&m);
        break;
    default:
        if (lf_ask_body_decode(body, data[0] % 16 == 3, &a, param, &err) == LF_OK)
            lf_ask_body_release(&a);
    }
    if (err.code != LF_OK && err.msg[0] == '\0')
        __builtin_trap(); /* a refusal says why */
    return 0;
}

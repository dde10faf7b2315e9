/* tests/fuzz/fuzz_http_text.c - request targets, Host, Origin and media types from anywhere. */
#include <stdint.h>
#include <string.h>

#include "net/http_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = lf_strndup((const char *)data, size);
    if (!text)
        return 0;
    lf_arena a;
    lf_http_target t = { 0 };
    lf_arena_init(&a, 1 << 20);
    if (lf_http_target_parse(&a, text, &t, NULL) == LF_OK)
        for (size_t i = 0; i < t.n_query; i++)
            (void)(strlen(t.query[i].name) + strlen(t.query[i].value));
    (void)lf_http_host_is_local(text);
    (void)lf_http_addr_is_loopback(text);
    (void)lf_http_is_same_origin("localhost:1", text, NULL);
    (void)lf_http_has_type(text, "text/event-stream");
    (void)lf_http_type_of_file(text);
    lf_arena_release(&a);
    lf_free(text);
    return 0;
}

/* tests/fuzz/fuzz_doc_html.c - any bytes, read as html in this process. */
#include <stdint.h>

#include "doc/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_doc *d = NULL;
    if (lf_doc_read_here(lf_doc_format_named("html"), data, size, &d, NULL) == LF_OK)
        lf_doc_close(d);
    return 0;
}

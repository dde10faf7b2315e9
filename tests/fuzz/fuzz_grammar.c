/* tests/fuzz/fuzz_grammar.c - any bytes as GBNF; where they are JSON, as a schema. */
#include <stdint.h>

#include "infer/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_grammar *g = NULL;
    json_t *schema = NULL;
    if (lf_grammar_parse((const char *)data, size, &g, NULL) == LF_OK)
        lf_grammar_close(g);
    g = NULL;
    if (lf_json_parse((const char *)data, size, "input", &schema, NULL) != LF_OK)
        return 0;
    if (lf_grammar_from_schema(schema, &g, NULL) == LF_OK)
        lf_grammar_close(g);
    json_decref(schema);
    return 0;
}

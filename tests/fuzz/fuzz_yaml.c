/* tests/fuzz/fuzz_yaml.c - any bytes through the YAML reader. */
#include <stdint.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *v = NULL, *lines = NULL;
    if (lf_yaml_parse((const char *)data, size, "input", &v, &lines, NULL) == LF_OK) {
        json_decref(v);
        json_decref(lines);
    }
    return 0;
}

/* tests/fuzz/fuzz_chat.c - any text as a chat template, rendered with a conversation. */
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "model/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vars_text[] =
    "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\","
    " \"content\": \"\xE4\xBD\xA0 x\"}, {\"role\": \"assistant\", \"content\": null,"
    " \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": {\"a\": 1.5}}}]}],"
    " \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}],"
    " \"add_generation_prompt\": true, \"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_chat_template *t = NULL;
    json_t *vars = NULL;
    lf_buf out = { 0 };
    lf_err err = { 0 };
    if (lf_json_parse(vars_text, sizeof(vars_text) - 1, "vars", &vars, &err) != LF_OK)
        return 0;
    if (lf_chat_template_open((const char *)data, size, &t, &err) == LF_OK &&
        lf_chat_render(t, vars, &out, &err) != LF_OK && out.len != 0)
        __builtin_trap(); /* nothing is given on failure */
    lf_chat_template_close(t);
    lf_buf_release(&out);
    json_decref(vars);
    return 0;
}

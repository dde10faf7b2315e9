/* tests/fuzz/fuzz_tool.c - any text as a model's answer, whole and in pieces.
 *
 * Byte 0 chooses the format, bytes 1 to 8 where the text is cut, the rest is the text.  Cuts
 * change nothing, and a text without calls comes out as it went in. */
#include <stdint.h>
#include <string.h>

#include "tests/unit/tool_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const lf_tool_format *format_of(uint8_t choice)
{
    static const char calls[] = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls %}"
                                "{\"name\": \"{{ c.function.name }}\", \"parameters\": "
                                "{{ c.function.arguments | tojson }}}{% endfor %}{% endfor %}";
    static const char none[] = "{% for m in messages %}{{ m.content }}{% endfor %}";
    const char *source = choice & 1 ? calls : none;
    lf_chat_template *t = NULL;
    if (lf_chat_template_open(source, strlen(source), &t, NULL) != LF_OK)
        return NULL;
    const lf_tool_format *f = lf_tool_format_of(t);
    lf_chat_template_close(t);
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const lf_tool_format *formats[2];
    uint64_t cuts;
    if (size < 9)
        return 0;
    const lf_tool_format **f = &formats[data[0] & 1];
    if (!*f)
        *f = format_of(data[0]);
    memcpy(&cuts, data + 1, sizeof cuts);
    const char *text = (const char *)data + 9;
    tool_record whole = tool_record_of(*f, NULL, text, size - 9, 0);
    tool_record cut = tool_record_of(*f, NULL, text, size - 9, cuts);
    if (whole.out.len != cut.out.len ||
        memcmp(lf_buf_cstr(&whole.out), lf_buf_cstr(&cut.out), whole.out.len) != 0)
        __builtin_trap();
    const bool text_only = !memmem(lf_buf_cstr(&whole.out), whole.out.len, "C(", 2);
    if (text_only && size > 9 &&
        (whole.out.len != size - 9 + 3 || memcmp(whole.out.data + 2, text, size - 9) != 0))
        __builtin_trap();
    lf_buf_release(&whole.out);
    lf_buf_release(&cut.out);
    return 0;
}

/* tests/unit/tool_record.c - see the header. */
#include "tool_record.h"

void tool_record_close(tool_record *r)
{
    if (r->open)
        lf_buf_add_char(&r->out, ')');
    r->open = false;
}

bool tool_record_event(void *ud, const lf_tool_event *ev)
{
    tool_record *r = ud;
    if (r->last != ev->kind || ev->kind == LF_TOOL_CALL || !r->open) {
        tool_record_close(r);
        lf_buf_add_char(&r->out, "TCAE"[ev->kind]);
        r->open = ev->kind != LF_TOOL_CALL_END;
        if (r->open)
            lf_buf_add_char(&r->out, '(');
    }
    lf_buf_add(&r->out, ev->text.p, ev->text.len);
    r->last = ev->kind;
    return true;
}

tool_record tool_record_of(const lf_tool_format *f, const json_t *tools, const char *p, size_t n,
                           uint64_t cuts)
{
    tool_record r = { 0 };
    lf_tool_stream s = { .format = f, .tools = tools, .on_event = tool_record_event, .ud = &r };
    for (size_t at = 0, end = 0; end < n; end++)
        if (end + 1 == n || cuts >> (end % 64) & 1) {
            (void)lf_tool_stream_add(&s, p + at, end + 1 - at);
            at = end + 1;
        }
    (void)lf_tool_stream_end(&s);
    lf_tool_stream_release(&s);
    tool_record_close(&r);
    return r;
}

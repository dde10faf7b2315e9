/* serve/gen_part.c - tokens to text and calls: tool_stream.h, then stop strings in the text. */
#include "serve/gen_part.h"

static bool tell(lf_parts *p, lf_tool_event_kind kind, size_t call, lf_str text)
{
    const lf_gen_part part = { .kind = kind, .call = call, .text = text, .token = p->token };
    p->token = NULL;
    return p->fn(p->ud, &part);
}

/* Tell the text that no stop string can begin in any more. */
static bool tell_shown(lf_parts *p, size_t call)
{
    const bool ok =
        p->shown.len == 0 || tell(p, LF_TOOL_TEXT, call, (lf_str){ p->shown.data, p->shown.len });
    lf_buf_clear(&p->shown);
    return ok;
}

static bool on_event(void *ud, const lf_tool_event *ev)
{
    lf_parts *p = ud;
    if (p->stop.n_stop == 0)
        return tell(p, ev->kind, ev->call, ev->text);
    if (ev->kind == LF_TOOL_TEXT) {
        const bool go_on = lf_stream_add(&p->stop, ev->text.p, ev->text.len, &p->shown);
        return tell_shown(p, ev->call) && go_on;
    }
    if (ev->kind == LF_TOOL_CALL) { /* a stop string does not reach over a call */
        lf_stream_end(&p->stop, &p->shown);
        p->stop.stopped = false;
        if (!tell_shown(p, ev->call))
            return false;
    }
    return tell(p, ev->kind, ev->call, ev->text);
}

void lf_parts_init(lf_parts *p, const lf_tool_format *format, const json_t *tools,
                   const char *const *stop, size_t n_stop, lf_gen_part_fn *fn, void *ud)
{
    *p = (lf_parts){ .fn = fn,
                     .ud = ud,
                     .stop = { .stop = stop, .n_stop = n_stop },
                     .tools = { .format = format, .tools = tools, .on_event = on_event, .ud = p } };
}

bool lf_parts_failed(const lf_parts *p)
{
    return p->tools.held.failed || p->stop.held.failed || p->shown.failed;
}

bool lf_parts_token(void *ud, const lf_token_event *ev)
{
    lf_parts *p = ud;
    p->token = ev->id >= 0 ? ev : NULL;
    bool ok = lf_tool_stream_add(&p->tools, ev->text, ev->n_bytes);
    if (ok && p->token)
        ok = tell(p, LF_TOOL_TEXT, 0, (lf_str){ "", 0 });
    p->token = NULL;
    return ok && !lf_parts_failed(p);
}

bool lf_parts_end(lf_parts *p)
{
    if (p->stop.met_stop || !lf_tool_stream_end(&p->tools))
        return false;
    lf_stream_end(&p->stop, &p->shown);
    return tell_shown(p, p->tools.n_calls) && !lf_parts_failed(p);
}

void lf_parts_release(lf_parts *p)
{
    lf_tool_stream_release(&p->tools);
    lf_stream_release(&p->stop);
    lf_buf_release(&p->shown);
}

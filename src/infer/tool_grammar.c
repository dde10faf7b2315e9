/* infer/tool_grammar.c - calls and the text before them as GBNF.
 *
 *     call   ::= OPEN ( "f" MIDDLE s0 | "g" MIDDLE s1 ) CLOSE
 *     calls  ::= call ( JOIN call ){0,31}
 *
 * Text before a call is all text in which the mark (the first bytes of OPEN) does not come:
 * rule tK stands where the last K bytes are the longest beginning of the mark, as in the
 * search of Knuth, Morris and Pratt, and where the mark is whole a call goes on:
 *
 *     tK     ::= "" | "c" tK+1 | "d" tJ | … | [^cd…] t0        c: byte K of the mark
 *     tN-1   ::= "" | "c" begun | …
 *
 * Where a call is told by the beginning of the answer alone, bK stands for text whose first
 * K bytes are those of OPEN. */
#include "infer/tool_grammar.h"

#include <string.h>

#include "base/mem.h"
#include "infer/schema.h"

static bool is_wanted(const lf_tool_use *u, const char *name)
{
    return !u->only || strcmp(u->only, name) == 0;
}

static const char *name_of(const json_t *tool)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
    return name ? name : "";
}

/* ---- the schemas: s0, s1, … of the functions, then of an answer without calls ---- */

static lf_status put_schemas(const lf_tool_use *u, lf_buf *out, lf_err *err)
{
    const size_t n = json_array_size(u->tools);
    json_t *none = json_pack("{s:s, s:b}", "type", "object", "additionalProperties", 0);
    const json_t **v = lf_calloc(n + 1, sizeof *v);
    size_t bad = 0;
    lf_status st = none && v ? LF_OK : lf_fail(err, LF_ERR_NOMEM, "no memory for functions");
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        const json_t *f = json_object_get(json_array_get(u->tools, i), "function");
        const json_t *p = json_object_get(f, "parameters");
        v[i] = p && !json_is_null(p) ? p : none;
    }
    if (st == LF_OK) {
        v[n] = u->answer;
        st = lf_schemas_to_gbnf(v, u->answer ? n + 1 : n, out, &bad, err);
        if (st != LF_OK && bad < n)
            st = lf_err_context(err, st, "function '%s'", name_of(json_array_get(u->tools, bad)));
    }
    lf_free(v);
    json_decref(none);
    return st;
}

lf_status lf_tool_use_check(const lf_tool_use *u, lf_err *err)
{
    lf_buf text = { 0 };
    const lf_status st = put_schemas(u, &text, err);
    lf_buf_release(&text);
    return st;
}

/* ---- calls ---- */

/* `skip` bytes of the call's beginning stand already. */
static void put_call(const lf_tool_format *f, const lf_tool_use *u, const char *rule, size_t skip,
                     lf_buf *out)
{
    const json_t *tool;
    size_t i, n = 0;
    lf_buf_addf(out, "%s ::= ", rule);
    lf_gbnf_literal(f->open + skip, out);
    lf_buf_add_str(out, " ( ");
    json_array_foreach(u->tools, i, tool)
    {
        if (!is_wanted(u, name_of(tool)))
            continue;
        lf_buf_add_str(out, n++ ? " | " : "");
        lf_gbnf_literal(name_of(tool), out);
        lf_buf_add_char(out, ' ');
        lf_gbnf_literal(f->middle, out);
        lf_buf_addf(out, " s%zu", i);
    }
    lf_buf_add_str(out, " ) ");
    lf_gbnf_literal(f->close, out);
    lf_buf_add_char(out, '\n');
}

/* calls ::= …; begun ::= the same, of which the mark stands already. */
static void put_calls(const lf_tool_format *f, const lf_tool_use *u, lf_buf *out)
{
    put_call(f, u, "call", 0, out);
    put_call(f, u, "rest", f->n_mark, out);
    lf_buf_add_str(out, "more ::= ");
    if (u->parallel && f->join) {
        lf_buf_add_str(out, "( ");
        lf_gbnf_literal(f->join, out);
        lf_buf_addf(out, " call ){0,%d}", LF_TOOL_CALLS_MAX - 1);
    } else {
        lf_buf_add_str(out, "\"\"");
    }
    lf_buf_add_str(out, "\ncalls ::= call more\nbegun ::= rest more\n");
}

/* ---- text that is no call ---- */

static void put_byte(char c, lf_buf *out)
{
    const char s[2] = { c, '\0' };
    lf_gbnf_literal(s, out);
}

/* A class of everything but the bytes of `list`. */
static void put_others(const char *list, size_t n, lf_buf *out)
{
    lf_buf_add_str(out, "[^");
    for (size_t i = 0; i < n; i++)
        lf_buf_addf(out, "\\x%02x", (unsigned char)list[i]);
    lf_buf_add_str(out, "]");
}

/* The longest beginning of mark[0..n) that mark[0..k) and then `c` end with. */
static size_t falls_to(const char *mark, size_t k, char c)
{
    for (size_t len = k; len > 0; len--)
        if (mark[len - 1] == c && memcmp(mark, mark + k - (len - 1), len - 1) == 0)
            return len;
    return 0;
}

static void put_text_until(const char *mark, size_t n, lf_buf *out)
{
    for (size_t k = 0; k < n; k++) {
        lf_buf_addf(out, "t%zu ::= \"\" | ", k);
        put_byte(mark[k], out);
        if (k + 1 < n)
            lf_buf_addf(out, " t%zu | ", k + 1);
        else
            lf_buf_add_str(out, " begun | ");
        char seen[LF_TOOL_NAME_MAX];
        size_t n_seen = 0;
        seen[n_seen++] = mark[k];
        for (size_t i = 0; i < k; i++) {
            const size_t to = falls_to(mark, k, mark[i]);
            if (to == 0 || memchr(seen, mark[i], n_seen))
                continue;
            seen[n_seen++] = mark[i];
            put_byte(mark[i], out);
            lf_buf_addf(out, " t%zu | ", to);
        }
        put_others(seen, n_seen, out);
        lf_buf_add_str(out, " t0\n");
    }
}

static void put_text_unlike(const char *open, lf_buf *out)
{
    for (size_t k = 0; open[k]; k++) {
        lf_buf_addf(out, "b%zu ::= \"\" | ", k);
        if (open[k + 1]) {
            put_byte(open[k], out);
            lf_buf_addf(out, " b%zu | ", k + 1);
        }
        put_others(&open[k], 1, out);
        lf_buf_add_str(out, " .*\n");
    }
}

lf_status lf_tool_grammar(const lf_tool_format *f, const lf_tool_use *u, lf_grammar **out,
                          lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = put_schemas(u, &text, err);
    put_calls(f, u, &text);
    if (u->choice == LF_TOOLS_REQUIRED) {
        lf_buf_add_str(&text, "root ::= calls\n");
    } else if (u->answer) {
        lf_buf_addf(&text, "root ::= calls | s%zu\n", json_array_size(u->tools));
    } else if (f->n_mark) {
        put_text_until(f->open, f->n_mark, &text);
        lf_buf_add_str(&text, "root ::= t0\n");
    } else {
        put_text_unlike(f->open, &text);
        lf_buf_add_str(&text, "root ::= calls | b0\n");
    }
    if (st == LF_OK && text.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the grammar of functions");
    if (st == LF_OK)
        st = lf_grammar_parse(text.data, text.len, out, err);
    lf_buf_release(&text);
    return st;
}

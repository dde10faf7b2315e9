/* infer/tool_grammar.c - calls and the text before them as GBNF.
 *
 *     argsI  ::= "f" MIDDLE s0 CLOSE | "g" MIDDLE s1 CLOSE       of spelling I
 *     moreI  ::= ( JOIN OPEN argsI ){0,31}
 *     calls  ::= OPEN args0 more0
 *
 * Text before a call is all text in which the mark (the first bytes of the own OPEN) does not
 * come: rule tK stands where the last K bytes are the longest beginning of the mark, as in
 * the search of Knuth, Morris and Pratt, and where the mark is whole a call goes on:
 *
 *     tK     ::= "" | "c" tK+1 | "d" tJ | … | [^cd…] t0          c: byte K of the mark
 *     tN-1   ::= "" | "c" marked | …
 *
 * A call that is known at the beginning of an answer alone is text up to the end of a
 * function's name; white space may come first.  All OPEN NAME " of these form a tree: at each node the answer goes on to
 * a byte that one of them has next, and falls back to text (t1, t0) otherwise. */
#include "infer/tool_grammar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "infer/schema.h"

enum { OPEN_MAX = 48, WAY_MAX = OPEN_MAX + LF_TOOL_NAME_MAX + 2 };

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

static void put_args(const lf_tool_spelling *p, const lf_tool_use *u, lf_buf *out)
{
    const json_t *tool;
    size_t i, n = 0;
    json_array_foreach(u->tools, i, tool)
    {
        if (!is_wanted(u, name_of(tool)))
            continue;
        lf_buf_add_str(out, n++ ? " | " : "");
        lf_gbnf_literal(name_of(tool), out);
        lf_buf_add_char(out, ' ');
        lf_gbnf_literal(p->middle, out);
        lf_buf_addf(out, " s%zu ", i);
        lf_gbnf_literal(p->close, out);
    }
}

static void put_calls(const lf_tool_format *f, const lf_tool_use *u, size_t i, lf_buf *out)
{
    const lf_tool_spelling *p = &f->spellings[i];
    lf_buf_addf(out, "args%zu ::= ", i);
    put_args(p, u, out);
    lf_buf_addf(out, "\nmore%zu ::= ", i);
    if (u->parallel && !u->only && f->join) {
        lf_buf_add_str(out, "( ");
        lf_gbnf_literal(f->join, out);
        lf_buf_add_char(out, ' ');
        lf_gbnf_literal(p->open, out);
        lf_buf_addf(out, " args%zu ){0,%d}\n", i, LF_TOOL_CALLS_MAX - 1);
    } else {
        lf_buf_add_str(out, "\"\"\n");
    }
}

/* NAME ::= OPEN but for its first `skip` bytes, and calls. */
static void put_own(const lf_tool_format *f, const char *name, size_t skip, lf_buf *out)
{
    lf_buf_addf(out, "%s ::= ", name);
    lf_gbnf_literal(f->spellings->open + skip, out);
    lf_buf_add_str(out, " args0 more0\n");
}

/* ---- text that is no call ---- */

static void put_byte(char c, lf_buf *out)
{
    const char s[2] = { c, '\0' };
    lf_gbnf_literal(s, out);
}

/* All other characters lead back to text; those beyond ASCII by a rule that all share. */
static void put_others(const char *list, size_t n, lf_buf *out)
{
    lf_buf_add_str(out, "[^");
    for (size_t i = 0; i < n; i++)
        lf_buf_addf(out, "\\x%02x", (unsigned char)list[i]);
    lf_buf_add_str(out, "\\x80-\\U0010ffff] t0 | wide t0 ");
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
            lf_buf_add_str(out, " marked | ");
        char seen[OPEN_MAX];
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
        lf_buf_add_char(out, '\n');
    }
}

/* What tells a call at the beginning of an answer. */
typedef struct way {
    char text[WAY_MAX]; /* OPEN NAME and the first byte of MIDDLE */
    size_t spelling, tool;
} way;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const way *)a)->text, ((const way *)b)->text);
}

/* The alternatives where the answer so far is the first k bytes of v[0..n), which are sorted and
 * share them.  None is the beginning of another. */
static void put_tree(const lf_tool_format *f, const way *v, size_t n, size_t k, lf_buf *out)
{
    char seen[WAY_MAX];
    size_t n_seen = 0;
    lf_buf_add_str(out, "\"\" | ");
    if (k == 0) { /* white space may come before everything */
        lf_buf_add_str(out, "[ \\t\\r\\n] start | ");
        memcpy(seen, " \t\r\n", n_seen = 4);
    }
    for (size_t i = 0, end; i < n; i = end) {
        const char c = v[i].text[k];
        for (end = i; end < n && v[end].text[k] == c;)
            end++;
        seen[n_seen++] = c;
        put_byte(c, out);
        if (v[i].text[k + 1]) {
            lf_buf_add_str(out, " ( ");
            put_tree(f, v + i, end - i, k + 1, out);
            lf_buf_add_str(out, ") | ");
        } else {
            lf_buf_addf(out, " begun%zu_%zu | ", v[i].spelling, v[i].tool);
        }
    }
    const char mark = f->n_mark ? f->spellings->open[0] : '\0';
    if (mark && !memchr(seen, mark, n_seen)) {
        seen[n_seen++] = mark;
        put_byte(mark, out);
        lf_buf_add_str(out, " t1 | ");
    }
    put_others(seen, n_seen, out);
}

/* The ways into calls of a spelling, and the rules that they lead to. */
static size_t put_ways(const lf_tool_format *f, const lf_tool_use *u, size_t i, way *v, lf_buf *out)
{
    const lf_tool_spelling *p = &f->spellings[i];
    const json_t *tool;
    size_t k, n = 0;
    put_calls(f, u, i, out);
    json_array_foreach(u->tools, k, tool)
    {
        (void)snprintf(v[n].text, sizeof v[n].text, "%s%s%c", p->open, name_of(tool), p->middle[0]);
        v[n].spelling = i;
        v[n++].tool = k;
        lf_buf_addf(out, "begun%zu_%zu ::= ", i, k);
        lf_gbnf_literal(p->middle + 1, out);
        lf_buf_addf(out, " s%zu ", k);
        lf_gbnf_literal(p->close, out);
        lf_buf_addf(out, " more%zu\n", i);
    }
    return n;
}

/* Calls at the beginning in any spelling, or text, with calls in the own one. */
static lf_status put_auto(const lf_tool_format *f, const lf_tool_use *u, lf_buf *out, lf_err *err)
{
    size_t n = 0;
    way *v = lf_calloc(f->n_spellings * json_array_size(u->tools) + 1, sizeof *v);
    if (!v)
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the grammar of functions");
    for (size_t i = f->n_mark ? 1 : 0; i < f->n_spellings; i++)
        n += put_ways(f, u, i, v + n, out);
    if (n > 1)
        qsort(v, n, sizeof *v, by_text);
    if (f->n_mark) {
        put_calls(f, u, 0, out);
        put_own(f, "marked", f->n_mark, out);
        put_text_until(f->spellings->open, f->n_mark, out);
    } else {
        lf_buf_add_str(out, "t0 ::= .*\n");
    }
    lf_buf_add_str(out, "wide ::= [^\\x00-\\x7f]\nroot ::= start\nstart ::= ");
    put_tree(f, v, n, 0, out);
    lf_buf_add_char(out, '\n');
    lf_free(v);
    return LF_OK;
}

lf_status lf_tool_grammar(const lf_tool_format *f, const lf_tool_use *u, lf_grammar **out,
                          lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = put_schemas(u, &text, err);
    if (st == LF_OK && u->choice == LF_TOOLS_AUTO && !u->answer) {
        st = put_auto(f, u, &text, err);
    } else {
        put_calls(f, u, 0, &text);
        put_own(f, "calls", 0, &text);
        lf_buf_add_str(&text, "root ::= calls");
        if (u->choice == LF_TOOLS_AUTO)
            lf_buf_addf(&text, " | s%zu", json_array_size(u->tools));
        lf_buf_add_char(&text, '\n');
    }
    if (st == LF_OK && text.failed)
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the grammar of functions");
    if (st == LF_OK)
        st = lf_grammar_parse(text.data, text.len, out, err);
    lf_buf_release(&text);
    return st;
}

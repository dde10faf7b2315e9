/* infer/schema.c - JSON Schema to GBNF.
 *
 * Each schema becomes a rule rN, written after the rules that it names.  A $ref gets
 * its number before its target is looked at, so that a schema may hold itself. */
#include "infer/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "infer/grammar.h"

enum { DEPTH_MAX = 64, WHERE_MAX = 256, COUNT_MAX = 10000 };

#define DIGITS_MOST INT64_C(999999999999999) /* exact in a double */

typedef struct reference {
    const char *path; /* borrowed from the schema */
    int rule;
} reference;

typedef struct build {
    const json_t *root;
    lf_buf *out;
    int n_rules, depth;
    bool no_memory; /* to follow a path: what was not found may be there */
    reference *refs;
    size_t n_refs, cap_refs;
    lf_err *err;
} build;

/* Where a schema stands, for messages: "#/properties/age". */
typedef struct place {
    char text[WHERE_MAX];
} place;

static place below(const place *p, const char *a, const char *b)
{
    place r;
    const int n =
        snprintf(r.text, sizeof r.text, "%s/%s%s%s", p->text, a, b ? "/" : "", b ? b : "");
    if (n >= (int)sizeof r.text)
        memcpy(r.text + sizeof r.text - 4, "...", 4);
    return r;
}

static lf_status refuse(build *b, const place *at, const char *keyword, const char *why)
{
    if (b->no_memory)
        return lf_fail(b->err, LF_ERR_NOMEM, "no memory for a schema");
    return lf_fail(b->err, LF_ERR_UNSUPPORTED, "JSON Schema, %s: %s %s", at->text, keyword, why);
}

static lf_status nothing_fits(build *b, const place *at, const char *why)
{
    return lf_fail(b->err, LF_ERR_ARG, "JSON Schema, %s: nothing can satisfy it: %s", at->text,
                   why);
}

static lf_status emit(build *b, const json_t *schema, const place *at, int *rule);

/* ---- keywords ---- */

static bool one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static const char *const annotations[] = {
    "title",       "description", "default",          "examples", "example",   "$schema",
    "$id",         "$comment",    "deprecated",       "readOnly", "writeOnly", "$defs",
    "definitions", "strict",      "contentMediaType", NULL
};
static const char *const restrictions[] = {
    "type",          "properties", "required",         "additionalProperties",
    "minProperties", "items",      "prefixItems",      "minItems",
    "maxItems",      "minLength",  "maxLength",        "pattern",
    "minimum",       "maximum",    "exclusiveMinimum", "exclusiveMaximum",
    "format",        NULL
};

/* Keys beside `own` must be annotations, or restrictions where those are allowed. */
static lf_status check_keys(build *b, const json_t *s, const place *at, const char *own,
                            bool with_restrictions)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)s, key, v)
    {
        const bool harmless = json_is_false(v) && strcmp(key, "uniqueItems") == 0;
        if (harmless || (own && strcmp(key, own) == 0) || one_of(key, annotations) ||
            (with_restrictions && one_of(key, restrictions)))
            continue;
        return refuse(b, at, key,
                      own ? "beside another keyword is not supported" : "is not supported");
    }
    return LF_OK;
}

static lf_status get_count(build *b, const json_t *s, const place *at, const char *key, int64_t def,
                           int64_t *out)
{
    const json_t *v = json_object_get(s, key);
    *out = v ? (int64_t)json_number_value(v) : def;
    if (v && (!json_is_number(v) || json_number_value(v) < 0 || json_number_value(v) > COUNT_MAX ||
              json_number_value(v) != floor(json_number_value(v))))
        return refuse(b, at, key, "must be a whole number, 0 to 10000");
    return LF_OK;
}

/* ---- literals ---- */

void lf_gbnf_literal(const char *text, lf_buf *out)
{
    lf_buf_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            lf_buf_add_char(out, '\\');
        lf_buf_add_char(out, *text);
    }
    lf_buf_add_char(out, '"');
}

static lf_status put_value(build *b, const json_t *v, lf_buf *out)
{
    lf_buf text = { 0 };
    lf_json_dump(v, &text);
    lf_gbnf_literal(lf_buf_cstr(&text), out);
    const bool failed = text.failed;
    lf_buf_release(&text);
    return failed ? lf_fail(b->err, LF_ERR_NOMEM, "no memory for a schema") : LF_OK;
}

static lf_status put_key(build *b, const char *key, lf_buf *out)
{
    json_t *v = json_string(key);
    if (!v)
        return lf_fail(b->err, LF_ERR_NOMEM, "no memory for a schema");
    const lf_status st = put_value(b, v, out);
    json_decref(v);
    return st;
}

/* ---- types ---- */

typedef enum type_bit {
    T_OBJECT = 1,
    T_ARRAY = 2,
    T_STRING = 4,
    T_INTEGER = 8,
    T_NUMBER = 16,
    T_BOOLEAN = 32,
    T_NULL = 64
} type_bit;

static const struct {
    const char *name;
    type_bit bit;
} type_names[] = { { "object", T_OBJECT },   { "array", T_ARRAY },   { "string", T_STRING },
                   { "integer", T_INTEGER }, { "number", T_NUMBER }, { "boolean", T_BOOLEAN },
                   { "null", T_NULL } };

static unsigned type_of_name(const json_t *v)
{
    const char *name = json_string_value(v);
    for (size_t i = 0; name && i < sizeof type_names / sizeof type_names[0]; i++)
        if (strcmp(name, type_names[i].name) == 0)
            return type_names[i].bit;
    return 0;
}

static unsigned type_of_value(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return T_OBJECT;
    case JSON_ARRAY:
        return T_ARRAY;
    case JSON_STRING:
        return T_STRING;
    case JSON_INTEGER:
        return T_INTEGER | T_NUMBER;
    case JSON_REAL:
        return json_real_value(v) == floor(json_real_value(v)) ? T_INTEGER | T_NUMBER : T_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return T_BOOLEAN;
    case JSON_NULL:
        break;
    }
    return T_NULL;
}

/* The types that a schema names, or means by its keywords; 0: any. */
static lf_status types_of(build *b, const json_t *s, const place *at, unsigned *out)
{
    static const struct {
        const char *key;
        type_bit bit;
    } hints[] = { { "properties", T_OBJECT },
                  { "required", T_OBJECT },
                  { "additionalProperties", T_OBJECT },
                  { "minProperties", T_OBJECT },
                  { "items", T_ARRAY },
                  { "prefixItems", T_ARRAY },
                  { "minItems", T_ARRAY },
                  { "maxItems", T_ARRAY },
                  { "minLength", T_STRING },
                  { "maxLength", T_STRING },
                  { "pattern", T_STRING },
                  { "minimum", T_NUMBER },
                  { "maximum", T_NUMBER },
                  { "exclusiveMinimum", T_NUMBER },
                  { "exclusiveMaximum", T_NUMBER } };
    const json_t *t = json_object_get(s, "type");
    unsigned bits = t && !json_is_array(t) ? type_of_name(t) : 0;
    bool known = !t || bits;
    for (size_t i = 0; json_is_array(t) && i < json_array_size(t); i++) {
        const unsigned one = type_of_name(json_array_get(t, i));
        known = one && (i == 0 || known);
        bits |= one;
    }
    if (!known)
        return refuse(b, at, "type",
                      "is none of object, array, string, integer, number, boolean, null");
    for (size_t i = 0; !t && i < sizeof hints / sizeof hints[0]; i++)
        if (json_object_get(s, hints[i].key))
            bits |= hints[i].bit;
    *out = bits;
    return LF_OK;
}

/* ---- numbers ---- */

/* n digits between a and b (both of n digits), as GBNF. */
static void put_digits(const char *a, const char *b, int n, lf_buf *out)
{
    if (n == 0)
        return;
    if (strspn(a, "0") >= (size_t)n && strspn(b, "9") >= (size_t)n) {
        lf_buf_addf(out, "[0-9]{%d} ", n);
        return;
    }
    if (*a == *b) {
        lf_buf_addf(out, "\"%c\" ", *a);
        put_digits(a + 1, b + 1, n - 1, out);
        return;
    }
    static const char zeros[] = "0000000000000000000", nines[] = "9999999999999999999";
    lf_buf_addf(out, "( \"%c\" ", *a);
    put_digits(a + 1, nines, n - 1, out);
    if (*b - *a > 1) {
        lf_buf_addf(out, "| [%c-%c] ", *a + 1, *b - 1);
        put_digits(zeros, nines, n - 1, out);
    }
    lf_buf_addf(out, "| \"%c\" ", *b);
    put_digits(zeros, b + 1, n - 1, out);
    lf_buf_add_str(out, ") ");
}

/* Whole numbers lo..hi without a sign, 0 <= lo <= hi. */
static void put_whole(int64_t lo, int64_t hi, lf_buf *out)
{
    lf_buf_add_str(out, "( ");
    int64_t power = 10;
    int n = 1;
    for (bool first = true; lo <= hi;
         power = power > INT64_MAX / 10 ? INT64_MAX : power * 10, n++) {
        if (lo >= power)
            continue;
        char a[24], z[24];
        const int64_t end = hi < power - 1 ? hi : power - 1;
        (void)snprintf(a, sizeof a, "%lld", (long long)lo);
        (void)snprintf(z, sizeof z, "%lld", (long long)end);
        if (!first)
            lf_buf_add_str(out, "| ");
        first = false;
        put_digits(a, z, n, out);
        lf_buf_add_char(out, ' ');
        lo = end + 1;
    }
    lf_buf_add_str(out, ") ");
}

/* Magnitudes lo..hi, with a fraction where `real`. */
static void put_magnitude(int64_t lo, int64_t hi, bool real, lf_buf *out)
{
    if (!real) {
        put_whole(lo, hi, out);
        return;
    }
    lf_buf_add_str(out, "( ");
    if (hi > lo) {
        put_whole(lo, hi - 1, out);
        lf_buf_add_str(out, "fraction? | ");
    }
    put_whole(hi, hi, out);
    lf_buf_add_str(out, "( \".\" \"0\"{1,3} )? ) ");
}

/* A bound: taken inwards to a whole number. */
static lf_status bound(build *b, const json_t *s, const place *at, bool upper, bool *set,
                       int64_t *out)
{
    static const char *const keys[2][2] = { { "minimum", "exclusiveMinimum" },
                                            { "maximum", "exclusiveMaximum" } };
    *out = upper ? DIGITS_MOST : -DIGITS_MOST;
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        const char *key = keys[upper][exclusive];
        const json_t *v = json_object_get(s, key);
        if (!v)
            continue;
        const double x = json_number_value(v);
        if (!json_is_number(v) || !(fabs(x) <= (double)DIGITS_MOST))
            return refuse(b, at, key, "must be a number of at most 15 digits");
        double whole = upper ? floor(x) : ceil(x);
        if (exclusive && whole == x)
            whole += upper ? -1 : 1;
        if (upper ? whole < (double)*out : whole > (double)*out)
            *out = (int64_t)whole;
        *set = true;
    }
    return LF_OK;
}

static lf_status put_number(build *b, const json_t *s, const place *at, bool real, lf_buf *out)
{
    int64_t lo = 0, hi = 0;
    bool set = false;
    lf_status st = bound(b, s, at, false, &set, &lo);
    if (st == LF_OK)
        st = bound(b, s, at, true, &set, &hi);
    if (st != LF_OK)
        return st;
    if (!set) {
        lf_buf_add_str(out, real ? "number " : "integer ");
        return LF_OK;
    }
    if (lo > hi)
        return nothing_fits(b, at, "no whole number lies between its bounds");
    lf_buf_add_str(out, "( ");
    if (hi >= 0)
        put_magnitude(lo > 0 ? lo : 0, hi, real, out);
    if (lo < 0) {
        const int64_t least = hi < 0 ? -hi : real ? 0 : 1;
        lf_buf_add_str(out, hi >= 0 ? "| \"-\" " : "\"-\" ");
        put_magnitude(least, -lo, real, out);
    }
    lf_buf_add_str(out, ") ");
    return LF_OK;
}

/* ---- strings ---- */

static const struct {
    const char *format, *gbnf;
} formats[] = { { "date", "date" },
                { "time", "time" },
                { "date-time", "date \"T\" time" },
                { "uuid", "hex{8} \"-\" hex{4} \"-\" hex{4} \"-\" hex{4} \"-\" hex{12}" } };

static lf_status put_string(build *b, const json_t *s, const place *at, lf_buf *out)
{
    const char *pattern = json_string_value(json_object_get(s, "pattern"));
    const char *format = json_string_value(json_object_get(s, "format"));
    int64_t least = 0, most = -1;
    lf_status st = get_count(b, s, at, "minLength", 0, &least);
    if (st == LF_OK)
        st = get_count(b, s, at, "maxLength", -1, &most);
    if (st != LF_OK)
        return st;
    const bool sized = least > 0 || most >= 0;
    if (most >= 0 && least > most)
        return nothing_fits(b, at, "minLength is above maxLength");
    const char *shape = NULL;
    for (size_t i = 0; format && i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(format, formats[i].format) == 0)
            shape = formats[i].gbnf;
    if ((pattern != NULL) + (shape != NULL) + sized > 1)
        return refuse(b, at, "pattern, format and lengths", "are supported one at a time");
    lf_buf_add_str(out, "\"\\\"\" ");
    if (pattern) {
        st = lf_pattern_to_gbnf(pattern, out, b->err);
        if (st != LF_OK)
            return lf_err_context(b->err, st, "JSON Schema, %s", at->text);
    } else if (shape) {
        lf_buf_add_str(out, shape);
    } else if (most >= 0) {
        lf_buf_addf(out, "char{%lld,%lld}", (long long)least, (long long)most);
    } else {
        lf_buf_addf(out, "char{%lld,}", (long long)least);
    }
    lf_buf_add_str(out, " \"\\\"\" ");
    return LF_OK;
}

/* ---- arrays ---- */

static lf_status put_array(build *b, const json_t *s, const place *at, lf_buf *out)
{
    const json_t *items = json_object_get(s, "items"), *first = json_object_get(s, "prefixItems");
    const int64_t n_first = (int64_t)json_array_size(first);
    int64_t least = 0, most = -1;
    int rule = -1;
    lf_status st = get_count(b, s, at, "minItems", 0, &least);
    if (st == LF_OK)
        st = get_count(b, s, at, "maxItems", -1, &most);
    if (st != LF_OK)
        return st;
    if (json_is_false(items) || (n_first && !items))
        most = most < 0 || most > n_first ? n_first : most;
    if ((most >= 0 && least > most) || (most >= 0 && n_first > most))
        return nothing_fits(b, at, "more items are demanded than allowed");
    lf_buf_add_str(out, "\"[\" ws ");
    for (int64_t i = 0; st == LF_OK && i < n_first; i++) {
        char index[24];
        (void)snprintf(index, sizeof index, "%lld", (long long)i);
        const place p = below(at, "prefixItems", index);
        st = emit(b, json_array_get(first, (size_t)i), &p, &rule);
        lf_buf_addf(out, "%sr%d ", i ? "\",\" ws " : "", rule);
    }
    const int64_t more_least = least > n_first ? least - n_first : 0;
    const int64_t more_most = most < 0 ? -1 : most - n_first;
    if (st == LF_OK && more_most != 0) {
        const place p = below(at, "items", NULL);
        rule = -1;
        if (items)
            st = emit(b, items, &p, &rule);
        char name[32] = "value", bounds[64];
        if (rule >= 0)
            (void)snprintf(name, sizeof name, "r%d", rule);
        /* The first of an array without prefix has no comma before it. */
        const int64_t commas_least = n_first ? more_least : more_least > 0 ? more_least - 1 : 0;
        const int64_t commas_most = more_most < 0 ? -1 : n_first ? more_most : more_most - 1;
        if (commas_most < 0)
            (void)snprintf(bounds, sizeof bounds, "{%lld,}", (long long)commas_least);
        else
            (void)snprintf(bounds, sizeof bounds, "{%lld,%lld}", (long long)commas_least,
                           (long long)commas_most);
        if (n_first)
            lf_buf_addf(out, "( \",\" ws %s )%s ", name, bounds);
        else
            lf_buf_addf(out, "( %s ( \",\" ws %s )%s )%s ", name, name, bounds,
                        more_least > 0 ? "" : "?");
    }
    lf_buf_add_str(out, "ws \"]\" ");
    return st;
}

/* ---- objects ---- */

static bool is_required(const json_t *s, const char *key)
{
    const json_t *list = json_object_get(s, "required");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name && strcmp(name, key) == 0)
            return true;
    }
    return false;
}

/* One of the listed properties, in order. */
typedef struct property {
    const char *key;
    int rule;
    bool required;
} property;

static lf_status put_pair(build *b, const property *p, lf_buf *out)
{
    const lf_status st = put_key(b, p->key, out);
    lf_buf_addf(out, " ws \":\" ws r%d ", p->rule);
    return st;
}

/* What may follow property i - 1, as rules from the last to the first: rest[i] after a
 * comma would be due, head[i] where nothing was written yet. */
static lf_status put_order(build *b, const property *v, size_t n, lf_buf *out)
{
    const int base = b->n_rules;
    lf_status st = LF_OK;
    b->n_rules += 2 * (int)n;
    for (size_t i = n; st == LF_OK && i-- > 0;) {
        const int rest = base + 2 * (int)i, head = rest + 1;
        char then[32] = "", skip[32] = "\"\"";
        if (i + 1 < n) {
            (void)snprintf(then, sizeof then, "r%d", rest + 2);
            (void)snprintf(skip, sizeof skip, "r%d", head + 2);
        }
        lf_buf_addf(b->out, "r%d ::= ( \",\" ws ", rest);
        st = put_pair(b, &v[i], b->out);
        lf_buf_addf(b->out, ")%s %s\nr%d ::= ", v[i].required ? "" : "?", then, head);
        if (st == LF_OK)
            st = put_pair(b, &v[i], b->out);
        lf_buf_add_str(b->out, then);
        if (!v[i].required)
            lf_buf_addf(b->out, " | %s", skip);
        lf_buf_add_str(b->out, "\n");
    }
    lf_buf_addf(out, "\"{\" ws r%d ws \"}\" ", base + 1);
    return st;
}

static lf_status put_map(build *b, const json_t *s, const place *at, lf_buf *out)
{
    const json_t *more = json_object_get(s, "additionalProperties");
    int64_t least = 0;
    int rule = -1;
    lf_status st = get_count(b, s, at, "minProperties", 0, &least);
    if (st == LF_OK && least > 1)
        return refuse(b, at, "minProperties", "above 1 is not supported");
    const bool listed_none = json_object_get(s, "properties") && !more && least == 0;
    if (st == LF_OK && (json_is_false(more) || listed_none)) {
        if (least > 0)
            return nothing_fits(b, at, "a property is demanded and none is allowed");
        lf_buf_add_str(out, "\"{\" ws \"}\" ");
        return LF_OK;
    }
    if (st == LF_OK && json_is_object(more)) {
        const place p = below(at, "additionalProperties", NULL);
        st = emit(b, more, &p, &rule);
    }
    char name[32] = "value";
    if (rule >= 0)
        (void)snprintf(name, sizeof name, "r%d", rule);
    lf_buf_addf(
        out, "\"{\" ws ( string ws \":\" ws %s ( \",\" ws string ws \":\" ws %s )* )%s ws \"}\" ",
        name, name, least ? "" : "?");
    return st;
}

static lf_status put_object(build *b, const json_t *s, const place *at, lf_buf *out)
{
    json_t *props = json_object_get(s, "properties");
    const json_t *required = json_object_get(s, "required");
    const size_t n = json_object_size(props);
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *key = json_string_value(json_array_get(required, i));
        if (!key || !json_object_get(props, key))
            return refuse(b, at, "required", "names something that properties does not list");
    }
    if (n == 0)
        return put_map(b, s, at, out);
    if (json_object_get(s, "minProperties") &&
        json_integer_value(json_object_get(s, "minProperties")) >
            (json_int_t)json_array_size(required))
        return refuse(b, at, "minProperties",
                      "above the number of required properties is not supported");
    property *v = lf_calloc(n, sizeof *v);
    if (!v)
        return lf_fail(b->err, LF_ERR_NOMEM, "no memory for a schema");
    lf_status st = LF_OK;
    size_t i = 0;
    const char *key;
    json_t *sub;
    json_object_foreach(props, key, sub)
    {
        const place p = below(at, "properties", key);
        v[i] = (property){ .key = key, .required = is_required(s, key) };
        if (st == LF_OK)
            st = emit(b, sub, &p, &v[i++].rule);
    }
    if (st == LF_OK)
        st = put_order(b, v, n, out);
    lf_free(v);
    return st;
}

/* ---- choices ---- */

static lf_status put_enum(build *b, const json_t *s, const place *at, lf_buf *out)
{
    const json_t *list = json_object_get(s, "enum"), *one = json_object_get(s, "const");
    unsigned types = 0;
    size_t kept = 0;
    lf_status st = types_of(b, s, at, &types);
    for (size_t i = 0; st == LF_OK && i < (one ? 1 : json_array_size(list)); i++) {
        const json_t *v = one ? one : json_array_get(list, i);
        if (types && !(types & type_of_value(v)))
            continue;
        lf_buf_add_str(out, kept++ ? " | " : "");
        st = put_value(b, v, out);
    }
    if (st == LF_OK && kept == 0)
        return nothing_fits(b, at, "no value is left of enum or const");
    return st;
}

static lf_status check_enum_keys(build *b, const json_t *s, const place *at)
{
    static const char *const own[] = { "enum", "const", "type", NULL };
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)s, key, v)
    {
        if (!one_of(key, own) && !one_of(key, annotations))
            return refuse(b, at, key, "beside enum or const is not supported");
    }
    return LF_OK;
}

static const json_t *pointed(build *b, const char *path);

static const json_t *through_refs(build *b, const json_t *s)
{
    for (int i = 0; i < DEPTH_MAX && s; i++) {
        const char *ref = json_string_value(json_object_get(s, "$ref"));
        if (!ref)
            return s;
        s = pointed(b, ref);
    }
    return NULL;
}

/* Do two alternatives exclude each other: by type, or by a required property that has
 * another constant in each? */
static bool exclusive(build *b, const json_t *x, const json_t *y, const place *at)
{
    const json_t *s[2] = { through_refs(b, x), through_refs(b, y) };
    unsigned bits[2];
    lf_err ignored;
    for (int i = 0; i < 2; i++) {
        const json_t *one = s[i] ? json_object_get(s[i], "const") : NULL;
        lf_err *saved = b->err;
        b->err = &ignored;
        const bool ok = s[i] && types_of(b, s[i], at, &bits[i]) == LF_OK;
        b->err = saved;
        if (!ok)
            return false;
        if (!bits[i] && one)
            bits[i] = type_of_value(one);
        if (!bits[i])
            return false;
        if (bits[i] & T_NUMBER)
            bits[i] |= T_INTEGER;
    }
    if (!(bits[0] & bits[1]))
        return true;
    const json_t *c[2] = { json_object_get(s[0], "const"), json_object_get(s[1], "const") };
    if (c[0] && c[1])
        return !json_equal(c[0], c[1]);
    const char *key;
    json_t *v;
    json_object_foreach(json_object_get(s[0], "properties"), key, v)
    {
        const json_t *here = json_object_get(v, "const");
        const json_t *there =
            json_object_get(json_object_get(json_object_get(s[1], "properties"), key), "const");
        if (here && there && is_required(s[0], key) && is_required(s[1], key) &&
            !json_equal(here, there))
            return true;
    }
    return false;
}

static lf_status put_choice(build *b, const json_t *s, const place *at, const char *keyword,
                            lf_buf *out)
{
    const json_t *list = json_object_get(s, keyword);
    const size_t n = json_array_size(list);
    lf_status st = check_keys(b, s, at, keyword, false);
    if (st == LF_OK && n == 0)
        return refuse(b, at, keyword, "must be a list of schemas");
    if (st == LF_OK && strcmp(keyword, "allOf") == 0 && n > 1)
        return refuse(b, at, keyword, "of several schemas is not supported");
    for (size_t i = 0; st == LF_OK && strcmp(keyword, "oneOf") == 0 && i < n; i++)
        for (size_t k = i + 1; st == LF_OK && k < n; k++)
            if (!exclusive(b, json_array_get(list, i), json_array_get(list, k), at))
                st = refuse(b, at, keyword,
                            "needs alternatives that exclude each other, by type or by a required "
                            "constant (anyOf has no such condition)");
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        char index[24];
        int rule = 0;
        (void)snprintf(index, sizeof index, "%zu", i);
        const place p = below(at, keyword, index);
        st = emit(b, json_array_get(list, i), &p, &rule);
        lf_buf_addf(out, "%sr%d", i ? " | " : "", rule);
    }
    return st;
}

/* ---- references ---- */

/* The schema at a JSON pointer (RFC 6901) behind '#', or NULL. */
static const json_t *pointed(build *b, const char *path)
{
    const json_t *at = b->root;
    if (*path++ != '#')
        return NULL;
    while (at && *path == '/') {
        lf_buf name = { 0 };
        for (path++; *path && *path != '/'; path++) {
            const bool escape = *path == '~' && (path[1] == '0' || path[1] == '1');
            lf_buf_add_char(&name, escape ? (path[1] == '0' ? '~' : '/') : *path);
            path += escape;
        }
        const char *key = lf_buf_cstr(&name);
        size_t index = 0;
        for (const char *d = key; *d >= '0' && *d <= '9' && index < COUNT_MAX; d++)
            index = index * 10 + (size_t)(*d - '0');
        at = json_is_array(at) ? json_array_get(at, index) : json_object_get(at, key);
        b->no_memory |= name.failed;
        lf_buf_release(&name);
    }
    return *path ? NULL : at;
}

static lf_status emit_into(build *b, const json_t *schema, const place *at, int rule);

static lf_status emit_ref(build *b, const json_t *s, const place *at, int *rule)
{
    const char *path = json_string_value(json_object_get(s, "$ref"));
    lf_status st = check_keys(b, s, at, "$ref", false);
    if (st != LF_OK)
        return st;
    const json_t *target = path ? pointed(b, path) : NULL;
    if (!target)
        return refuse(b, at, "$ref",
                      "points at nothing within the schema (allowed: #, #/$defs/name)");
    for (size_t i = 0; i < b->n_refs; i++)
        if (strcmp(b->refs[i].path, path) == 0) {
            *rule = b->refs[i].rule;
            return LF_OK;
        }
    if (!lf_grow((void **)&b->refs, &b->cap_refs, b->n_refs + 1, sizeof *b->refs))
        return lf_fail(b->err, LF_ERR_NOMEM, "no memory for a schema");
    *rule = b->n_rules++;
    b->refs[b->n_refs++] = (reference){ path, *rule };
    place p;
    (void)snprintf(p.text, sizeof p.text, "%s", path);
    return emit_into(b, target, &p, *rule);
}

/* ---- any schema ---- */

static lf_status put_types(build *b, const json_t *s, const place *at, lf_buf *out)
{
    unsigned types = 0;
    lf_status st = check_keys(b, s, at, NULL, true);
    if (st == LF_OK)
        st = types_of(b, s, at, &types);
    if (st == LF_OK && types == 0) {
        lf_buf_add_str(out, "value");
        return LF_OK;
    }
    if (types & T_NUMBER)
        types &= ~(unsigned)T_INTEGER;
    for (size_t i = 0, n = 0; st == LF_OK && i < sizeof type_names / sizeof type_names[0]; i++) {
        const type_bit t = type_names[i].bit;
        if (!(types & t))
            continue;
        lf_buf_add_str(out, n++ ? "| " : "");
        if (t == T_OBJECT)
            st = put_object(b, s, at, out);
        else if (t == T_ARRAY)
            st = put_array(b, s, at, out);
        else if (t == T_STRING)
            st = put_string(b, s, at, out);
        else if (t == T_INTEGER || t == T_NUMBER)
            st = put_number(b, s, at, t == T_NUMBER, out);
        else
            lf_buf_add_str(out, t == T_NULL ? "\"null\" " : "( \"true\" | \"false\" ) ");
    }
    return st;
}

static lf_status put_schema(build *b, const json_t *s, const place *at, lf_buf *out)
{
    static const char *const choices[] = { "anyOf", "oneOf", "allOf", NULL };
    if (json_is_true(s)) {
        lf_buf_add_str(out, "value");
        return LF_OK;
    }
    if (json_is_false(s))
        return nothing_fits(b, at, "it is false");
    if (!json_is_object(s))
        return refuse(b, at, "a schema", "must be an object, true or false");
    for (const char *const *c = choices; *c; c++)
        if (json_object_get(s, *c))
            return put_choice(b, s, at, *c, out);
    if (json_object_get(s, "enum") || json_object_get(s, "const")) {
        const lf_status st = check_enum_keys(b, s, at);
        if (st != LF_OK)
            return st;
        return put_enum(b, s, at, out);
    }
    return put_types(b, s, at, out);
}

static lf_status emit_into(build *b, const json_t *schema, const place *at, int rule)
{
    lf_buf expr = { 0 };
    if (++b->depth > DEPTH_MAX)
        return lf_fail(b->err, LF_ERR_LIMIT, "JSON Schema, %s: nested deeper than %d", at->text,
                       DEPTH_MAX);
    const lf_status st = put_schema(b, schema, at, &expr);
    if (st == LF_OK)
        lf_buf_addf(b->out, "r%d ::= %s\n", rule, lf_buf_cstr(&expr));
    b->out->failed |= expr.failed;
    lf_buf_release(&expr);
    b->depth--;
    return st;
}

static lf_status emit(build *b, const json_t *schema, const place *at, int *rule)
{
    if (json_object_get(schema, "$ref"))
        return emit_ref(b, schema, at, rule);
    *rule = b->n_rules++;
    return emit_into(b, schema, at, *rule);
}

/* The rules that all schemas name.  White space is short, so that a model cannot go on
 * with it for ever; a date is one that every year has, from 1000 to 2999. */
static const char common[] =
    "ws ::= ( \" \" | \"\\n\" [ \\t]{0,20} )?\n"
    "hex ::= [0-9a-fA-F]\n"
    "char ::= [^\\x00-\\x1f\\\"\\\\\\x7f] | \"\\\\\" ( [\\\"\\\\\\/bfnrt] | \"u00\" ( \"0\" [1-9a-fA-F] | "
    "\"1\" hex | \"7\" [fF] ) )\n"
    "string ::= \"\\\"\" char* \"\\\"\"\n"
    "fraction ::= \".\" [0-9]{1,15}\n"
    "integer ::= \"-\"? ( \"0\" | [1-9] [0-9]{0,14} )\n"
    "number ::= integer fraction? ( [eE] [-+]? [0-9]{1,2} )?\n"
    "array ::= \"[\" ws ( value ( \",\" ws value )* )? ws \"]\"\n"
    "object ::= \"{\" ws ( string ws \":\" ws value ( \",\" ws string ws \":\" ws value )* )? ws \"}\"\n"
    "value ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
    "date ::= [12] [0-9]{3} \"-\" ( ( \"0\" [1-9] | \"1\" [0-2] ) \"-\" ( \"0\" [1-9] | \"1\" [0-9] | \"2\" "
    "[0-8] ) | ( \"0\" [13-9] | \"1\" [0-2] ) \"-\" ( \"29\" | \"30\" ) | ( \"0\" [13578] | \"1\" [02] ) "
    "\"-31\" )\n"
    "time ::= ( [01] [0-9] | \"2\" [0-3] ) ( \":\" [0-5] [0-9] ){2} ( \".\" [0-9]{1,6} )? ( \"Z\" | [-+] "
    "( \"0\" [0-9] | \"1\" [0-4] ) \":\" [0-5] [0-9] )\n";

lf_status lf_schemas_to_gbnf(const json_t *const *schemas, size_t n, lf_buf *out, size_t *bad,
                             lf_err *err)
{
    build b = { .out = out, .err = err };
    const place at = { "#" };
    lf_status st = LF_OK;
    for (size_t i = 0; st == LF_OK && i < n; i++) {
        int rule = 0;
        *bad = i;
        b.root = schemas[i];
        b.n_refs = 0; /* a path means another place in each schema */
        st = emit(&b, schemas[i], &at, &rule);
        lf_buf_addf(out, "s%zu ::= r%d\n", i, rule);
    }
    lf_free(b.refs);
    if (st != LF_OK)
        return st;
    lf_buf_add_str(out, common);
    return out->failed ? lf_fail(err, LF_ERR_NOMEM, "no memory for the grammar of a schema")
                       : LF_OK;
}

lf_status lf_schema_to_gbnf(const json_t *schema, lf_buf *out, lf_err *err)
{
    size_t bad;
    const lf_status st = lf_schemas_to_gbnf(&schema, 1, out, &bad, err);
    lf_buf_add_str(out, "root ::= s0\n");
    return st == LF_OK && out->failed
               ? lf_fail(err, LF_ERR_NOMEM, "no memory for the grammar of a schema")
               : st;
}

lf_status lf_grammar_from_schema(const json_t *schema, lf_grammar **out, lf_err *err)
{
    lf_buf text = { 0 };
    lf_status st = lf_schema_to_gbnf(schema, &text, err);
    if (st == LF_OK)
        st = lf_grammar_parse(lf_buf_cstr(&text), text.len, out, err);
    lf_buf_release(&text);
    return st;
}

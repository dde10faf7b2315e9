/* store/scope.c - a person and the collections that this person may see. */
#include "store/scope.h"

#include <string.h>

#include "base/mem.h"

struct lf_scope {
    char *person;
    char **collections; /* n = 0: all */
    size_t n;
};

lf_status lf_scope_open(const char *person, const char *const *collections, size_t n,
                        lf_scope **out, lf_err *err)
{
    bool ok = false;
    lf_scope *s = lf_calloc(1, sizeof *s);
    if (s) {
        s->person = lf_strdup(person);
        s->collections = lf_calloc(n + 1, sizeof *s->collections);
        ok = s->person && s->collections;
    }
    for (size_t i = 0; ok && i < n; i++) {
        s->collections[i] = lf_strdup(collections[i]);
        ok = s->collections[i] != NULL;
        s->n = i + 1;
    }
    if (!ok) {
        lf_scope_close(s);
        return lf_fail(err, LF_ERR_NOMEM, "no memory for the rights of '%s'", person);
    }
    *out = s;
    return LF_OK;
}

void lf_scope_close(lf_scope *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        lf_free(s->collections[i]);
    lf_free(s->collections);
    lf_free(s->person);
    lf_free(s);
}

const char *lf_scope_person(const lf_scope *s)
{
    return s->person;
}

bool lf_scope_allows(const lf_scope *s, const char *collection)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->collections[i], collection))
            return true;
    return s->n == 0;
}

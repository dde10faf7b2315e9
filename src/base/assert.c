/* base/assert.c - report a broken invariant and abort. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void lf_assert_failed(const char *expr, const char *file, int line)
{
    (void)fprintf(stderr, "landfall: broken invariant at %s:%d: %s\n", file, line, expr);
    abort();
}

/* access/access.c - the one local person. */
#include "access/access.h"

lf_status lf_access_local_scope(lf_scope **out, lf_err *err)
{
    return lf_scope_open(LF_ACCESS_LOCAL_PERSON, NULL, 0, out, err);
}

/* base/version.c - LF_VERSION comes from meson.build. */
#include "base/version.h"

const char *lf_version(void)
{
    return LF_VERSION;
}

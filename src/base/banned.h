/* base/banned.h - functions that this project does not use, made compile errors.
 *
 * The build forces this header into every source file.  Each has a bounded or
 * reentrant counterpart: snprintf, lf_buf, strtoll with its end checked,
 * gmtime_r.  Sources of others that are compiled in define LF_THIRD_PARTY. */
#ifndef LF_BASE_BANNED_H
#define LF_BASE_BANNED_H

#if !defined(__cplusplus) && !defined(LF_THIRD_PARTY)
/* The system headers first, so that their own declarations are not touched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets
#pragma GCC poison atoi atol atoll atof gmtime localtime ctime asctime
#endif

#endif

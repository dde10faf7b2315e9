/* base/version.h - the version of the program, from the build definition. */
#ifndef LF_BASE_VERSION_H
#define LF_BASE_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

const char *lf_version(void); /* "0.1.0"; static */

#ifdef __cplusplus
}
#endif
#endif

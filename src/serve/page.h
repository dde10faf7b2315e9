/* serve/page.h - the console's page, as the build packed it (web/pack.c). */
#ifndef LF_SERVE_PAGE_H
#define LF_SERVE_PAGE_H

#include <stddef.h>

extern const unsigned char lf_page_html[];
extern const size_t lf_page_html_bytes;
/* Content-Security-Policy with the hashes of the page's script and style. */
extern const char lf_page_csp[];
#endif

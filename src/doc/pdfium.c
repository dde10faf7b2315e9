/* doc/pdfium.c - finding and loading libpdfium.so. */
#include "doc/pdfium.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sandbox.h"

static void *try_folder(const char *dir, const char *below)
{
    char path[4200];
    (void)snprintf(path, sizeof path, "%s%s/libpdfium.so", dir, below);
    return access(path, R_OK) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static void *find_library(void)
{
    char exe[4096];
    static const char *const beside[] = { "",           "/lib",          "/../lib",
                                          "/.deps/lib", "/../.deps/lib", "/../lib/landfall" };
    static const char *const fixed[] = { LF_DEPS_LIB, "/usr/local/lib/landfall",
                                         "/usr/lib/landfall" };
    (void)lf_sandbox_exe_dir(exe, sizeof exe);
    for (size_t i = 0; exe[0] && i < sizeof beside / sizeof beside[0]; i++) {
        void *lib = try_folder(exe, beside[i]);
        if (lib)
            return lib;
    }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        void *lib = try_folder(fixed[i], "");
        if (lib)
            return lib;
    }
    return dlopen("libpdfium.so", RTLD_NOW | RTLD_LOCAL);
}

lf_status lf_pdfium_open(lf_pdfium *p, lf_err *err)
{
    static const char *font_paths[] = { "/usr/share/fonts", "/usr/local/share/fonts", NULL };
    const fpdf_config config = { .version = 2, .user_font_paths = font_paths };
    memset(p, 0, sizeof *p);
    p->library = find_library();
    if (!p->library)
        return lf_fail(
            err, LF_ERR_UNSUPPORTED,
            "reading PDF needs libpdfium.so; it is not beside the program, in .deps/lib, "
            "/usr/local/lib/landfall or the system's folders (./run installs it)");
#define X(name, result, parameters)                                                                \
    {                                                                                              \
        void *f = dlsym(p->library, #name);                                                        \
        if (!f) {                                                                                  \
            lf_pdfium_close(p);                                                                    \
            return lf_fail(err, LF_ERR_UNSUPPORTED, "libpdfium.so has no function %s", #name);     \
        }                                                                                          \
        memcpy(&p->name, &f, sizeof f);                                                            \
    }
    LF_PDFIUM_FUNCTIONS(X)
#undef X
    p->FPDF_InitLibraryWithConfig(&config);
    return LF_OK;
}

void lf_pdfium_close(lf_pdfium *p)
{
    if (p->library && p->FPDF_RenderPageBitmap) /* the last one looked up: all are there */
        p->FPDF_DestroyLibrary();
    if (p->library)
        (void)dlclose(p->library);
    memset(p, 0, sizeof *p);
}

lf_status lf_pdfium_load(const lf_pdfium *p, const void *data, size_t n, void **doc, lf_err *err)
{
    void *d = p->FPDF_LoadMemDocument64(data, n, NULL);
    if (d) {
        *doc = d;
        return LF_OK;
    }
    switch (p->FPDF_GetLastError()) {
    case FPDF_ERR_PASSWORD:
        return lf_fail(
            err, LF_ERR_FORMAT,
            "the PDF is protected by a password; remove the protection and add it again");
    case FPDF_ERR_SECURITY:
        return lf_fail(err, LF_ERR_FORMAT,
                       "the PDF is encrypted by a scheme that is not supported");
    default:
        return lf_fail(err, LF_ERR_FORMAT,
                       "the PDF is damaged or cut short: no readable structure");
    }
}

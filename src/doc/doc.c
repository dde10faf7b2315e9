/* doc/doc.c - the parent's side of reading a document, and the child's jobs.
 *
 * The file is opened here, once; the child gets the descriptor and nothing else.
 * Three jobs stand in the sandbox's table: "doc" for what needs no fonts,
 * "doc-pdf" and "page", which may read the system's font folders (a PDF without
 * embedded fonts takes its widths and shapes from there). */
#include "doc/doc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "doc/parser.h"
#include "doc/render.h"

static const lf_doc_format formats[] = {
    { "text", ".txt .text .log ", (size_t)256 << 20, lf_doc_read_text, LF_DOC_NEEDS_GB18030 },
    { "markdown", ".md .markdown .mkd ", (size_t)256 << 20, lf_doc_read_markdown,
      LF_DOC_NEEDS_GB18030 },
    { "html", ".html .htm .xhtml ", (size_t)64 << 20, lf_doc_read_html, LF_DOC_NEEDS_CHARSETS },
    { "docx", ".docx .docm ", (size_t)256 << 20, lf_doc_read_docx, LF_DOC_NEEDS_NOTHING },
    { "pdf", ".pdf ", (size_t)512 << 20, lf_doc_read_pdf, LF_DOC_NEEDS_PDFIUM },
};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

const lf_doc_format *lf_doc_format_of(const char *path)
{
    char ending[16];
    const char *dot = strrchr(lf_path_base(path), '.');
    const size_t n = dot ? strlen(dot) : 0;
    if (n < 2 || n + 2 > sizeof ending)
        return NULL;
    for (size_t i = 0; i <= n; i++)
        ending[i] = (char)(dot[i] >= 'A' && dot[i] <= 'Z' ? dot[i] + 32 : dot[i]);
    ending[n] = ' ';
    ending[n + 1] = '\0';
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strstr(formats[i].endings, ending))
            return &formats[i];
    return NULL;
}

const lf_doc_format *lf_doc_format_named(const char *name)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

bool lf_doc_can_read(const char *path)
{
    return lf_doc_format_of(path) != NULL;
}

const char *lf_block_type_name(lf_block_type t)
{
    static const char *const names[] = { "heading", "paragraph", "list_item", "table",
                                         "code",    "header",    "footer" };
    return (size_t)t < sizeof names / sizeof names[0] ? names[t] : "unknown";
}

/* ---- tools ---- */

lf_status lf_doc_tools_open(const lf_doc_format *format, lf_doc_tools *t, lf_err *err)
{
    memset(t, 0, sizeof *t);
    if (format->needs == LF_DOC_NEEDS_PDFIUM)
        return lf_pdfium_open(&t->pdfium, err);
    if (format->needs != LF_DOC_NEEDS_NOTHING)
        lf_charsets_open(&t->charsets, format->needs == LF_DOC_NEEDS_CHARSETS);
    return LF_OK;
}

void lf_doc_tools_close(lf_doc_tools *t)
{
    lf_charsets_close(&t->charsets);
    lf_pdfium_close(&t->pdfium);
}

/* ---- the child ---- */

typedef struct child_state {
    lf_doc_tools tools;
    const lf_doc_format *format;
} child_state;

static lf_status prepare_doc(lf_sandbox_child *c, lf_err *err)
{
    char name[16] = "";
    child_state *s = lf_calloc(1, sizeof *s); /* for the life of the process */
    if (!s)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read a document");
    if (c->n_arg < sizeof name)
        memcpy(name, c->arg, c->n_arg);
    c->ud = s;
    s->format = lf_doc_format_named(name);
    if (!s->format)
        return lf_fail(err, LF_ERR_ARG, "the document reader got an unknown format");
    return lf_doc_tools_open(s->format, &s->tools, err);
}

static lf_status map_fd(int fd, const uint8_t **p, size_t *n, lf_err *err)
{
    struct stat sb;
    if (fstat(fd, &sb) != 0)
        return lf_fail(err, LF_ERR_IO, "cannot look at the document: %s", strerror(errno));
    *n = (size_t)sb.st_size;
    if (*n == 0)
        return lf_fail(err, LF_ERR_FORMAT, "the file is empty");
    void *m = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (m == MAP_FAILED)
        return lf_fail(err, LF_ERR_NOMEM, "cannot map the document's %zu bytes: %s", *n,
                       strerror(errno));
    *p = m;
    return LF_OK;
}

static bool put_answer(void *ud, const void *p, size_t n)
{
    return lf_sandbox_write(ud, p, n);
}

static lf_status run_doc(lf_sandbox_child *c, lf_err *err)
{
    const child_state *s = c->ud;
    const uint8_t *p = NULL;
    size_t n = 0;
    lf_builder b = { 0 };
    lf_status st = map_fd(c->fd, &p, &n, err);
    if (st == LF_OK)
        st = s->format->read(p, n, &s->tools, &b, err);
    if (st == LF_OK)
        st = lf_builder_status(&b, err);
    if (st == LF_OK)
        (void)lf_builder_to_wire(&b, s->format->name, put_answer, c);
    return st; /* the process ends here: nothing is released one by one */
}

typedef struct page_request {
    int32_t page, dpi;
} page_request;

static lf_status prepare_page(lf_sandbox_child *c, lf_err *err)
{
    child_state *s = lf_calloc(1, sizeof *s);
    if (!s)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to draw a page");
    c->ud = s;
    return lf_pdfium_open(&s->tools.pdfium, err);
}

static lf_status run_page(lf_sandbox_child *c, lf_err *err)
{
    const child_state *s = c->ud;
    const uint8_t *p = NULL;
    size_t n = 0;
    page_request r = { 0 };
    lf_buf png = { 0 };
    if (c->n_arg == sizeof r)
        memcpy(&r, c->arg, sizeof r);
    lf_status st = map_fd(c->fd, &p, &n, err);
    if (st == LF_OK)
        st = lf_render_pdf_page(&s->tools.pdfium, p, n, r.page, r.dpi, &png, err);
    if (st == LF_OK)
        (void)lf_sandbox_write(c, png.data, png.len);
    return st;
}

static const char *const font_folders[] = { "/usr/share/fonts", "/usr/local/share/fonts", NULL };
static const lf_sandbox_job job_doc = { "doc", prepare_doc, run_doc, NULL };
static const lf_sandbox_job job_doc_pdf = { "doc-pdf", prepare_doc, run_doc, font_folders };
static const lf_sandbox_job job_page = { "page", prepare_page, run_page, font_folders };
LF_SANDBOX_JOB(job_doc);
LF_SANDBOX_JOB(job_doc_pdf);
LF_SANDBOX_JOB(job_page);

/* ---- the parent ---- */

/* Memory and time by size: the text of a document is at most a few times its
 * file, except in packed formats, which have their own limits besides. */
static lf_sandbox_opts limits_for(size_t n_bytes)
{
    const size_t mib = n_bytes >> 20;
    return (lf_sandbox_opts){ .memory_bytes = ((size_t)1 << 30) + 6 * n_bytes,
                              .answer_bytes = (size_t)2 << 30,
                              .cpu_s = 120 + (int)mib,
                              .wall_ms = 180000 + (int)mib * 1500 };
}

static lf_status open_document(const char *path, const lf_doc_format *f, int *out, size_t *size,
                               lf_err *err)
{
    struct stat sb;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return lf_fail(err, errno == ENOENT || errno == ENOTDIR ? LF_ERR_NOT_FOUND : LF_ERR_IO,
                       "cannot open '%s': %s", path, strerror(errno));
    lf_status st = LF_OK;
    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
        st = lf_fail(err, LF_ERR_IO, "cannot read '%s': not a regular file", path);
    else if (sb.st_size == 0)
        st = lf_fail(err, LF_ERR_FORMAT, "cannot read '%s': the file is empty", path);
    else if ((uint64_t)sb.st_size > f->max_bytes)
        st = lf_fail(err, LF_ERR_LIMIT, "cannot read '%s': %lld bytes, the limit for %s is %zu MiB",
                     path, (long long)sb.st_size, f->name, f->max_bytes >> 20);
    if (st != LF_OK) {
        (void)close(fd);
        return st;
    }
    *out = fd;
    *size = (size_t)sb.st_size;
    return LF_OK;
}

lf_status lf_doc_parse(const char *path, lf_doc **out, lf_err *err)
{
    const lf_doc_format *f = lf_doc_format_of(path);
    lf_buf wire = { 0 };
    int fd = -1;
    size_t size = 0;
    if (!f && !lf_path_exists(path))
        return lf_fail(err, LF_ERR_NOT_FOUND, "cannot open '%s': no such file", path);
    if (!f)
        return lf_fail(
            err, LF_ERR_UNSUPPORTED,
            "cannot read '%s': its ending is none of .txt .text .log .md .markdown .html "
            ".htm .xhtml .docx .pdf",
            path);
    lf_status st = open_document(path, f, &fd, &size, err);
    if (st != LF_OK)
        return st;
    const lf_sandbox_opts o = limits_for(size);
    st = lf_sandbox_run(f->needs == LF_DOC_NEEDS_PDFIUM ? "doc-pdf" : "doc", &o, fd, f->name,
                        strlen(f->name), &wire, err);
    (void)close(fd);
    if (st == LF_OK)
        st = lf_doc_from_wire(&wire, out, err);
    lf_buf_release(&wire);
    return st == LF_OK ? LF_OK : lf_err_context(err, st, "cannot read '%s'", path);
}

static int memory_file(const void *data, size_t n)
{
    const int fd = memfd_create("document", MFD_CLOEXEC);
    if (fd >= 0 && !lf_fd_write(fd, data, n)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

lf_status lf_doc_render_page(const void *data, size_t n_bytes, int32_t page, int dpi, lf_buf *png,
                             lf_err *err)
{
    const page_request r = { .page = page, .dpi = dpi };
    if (dpi < LF_RENDER_DPI_MIN || dpi > LF_RENDER_DPI_MAX)
        return lf_fail(err, LF_ERR_ARG, "cannot draw a page at %d dpi: %d to %d are allowed", dpi,
                       LF_RENDER_DPI_MIN, LF_RENDER_DPI_MAX);
    if (n_bytes < 5 || !memmem(data, n_bytes < 1024 ? n_bytes : 1024, "%PDF-", 5))
        return lf_fail(err, LF_ERR_UNSUPPORTED, "only the pages of PDF files can be drawn");
    const int fd = memory_file(data, n_bytes);
    if (fd < 0)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to hand over %zu bytes for drawing: %s",
                       n_bytes, strerror(errno));
    lf_sandbox_opts o = limits_for(n_bytes);
    o.answer_bytes = (size_t)256 << 20;
    o.wall_ms = 60000;
    o.cpu_s = 60;
    const lf_status st = lf_sandbox_run("page", &o, fd, &r, sizeof r, png, err);
    (void)close(fd);
    return st == LF_OK ? LF_OK : lf_err_context(err, st, "cannot draw page %d", (int)page);
}

/* ---- where a span is ---- */

static void unite(lf_box *b, const lf_box *x, bool first)
{
    if (first || x->x0 < b->x0)
        b->x0 = x->x0;
    if (first || x->y0 < b->y0)
        b->y0 = x->y0;
    if (first || x->x1 > b->x1)
        b->x1 = x->x1;
    if (first || x->y1 > b->y1)
        b->y1 = x->y1;
}

void lf_doc_locate(const lf_doc *d, uint32_t start, uint32_t end, int32_t *page, lf_box *box)
{
    size_t lo = 0, hi = d->n_lines;
    *page = 0;
    *box = (lf_box){ 0 };
    while (lo < hi) { /* first line that ends after start */
        const size_t mid = lo + (hi - lo) / 2;
        if (d->lines[mid].end <= start)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (size_t i = lo; i < d->n_lines && d->lines[i].start < end; i++) {
        if (*page && d->lines[i].page != *page)
            break;
        unite(box, &d->lines[i].box, *page == 0);
        *page = d->lines[i].page;
    }
}

/* ---- without a sandbox, for tests ---- */

static bool put_buf(void *ud, const void *p, size_t n)
{
    lf_buf_add(ud, p, n);
    return !((lf_buf *)ud)->failed;
}

lf_status lf_doc_read_here(const lf_doc_format *format, const void *p, size_t n, lf_doc **out,
                           lf_err *err)
{
    lf_doc_tools tools;
    lf_builder b = { 0 };
    lf_buf wire = { 0 };
    lf_status st = lf_doc_tools_open(format, &tools, err);
    if (st == LF_OK && n == 0)
        st = lf_fail(err, LF_ERR_FORMAT, "the file is empty");
    if (st == LF_OK)
        st = format->read(p, n, &tools, &b, err);
    if (st == LF_OK)
        st = lf_builder_status(&b, err);
    if (st == LF_OK && !lf_builder_to_wire(&b, format->name, put_buf, &wire))
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for a document");
    if (st == LF_OK)
        st = lf_doc_from_wire(&wire, out, err);
    lf_buf_release(&wire);
    lf_builder_release(&b);
    lf_doc_tools_close(&tools);
    return st;
}

/* tests/fuzz/fuzz_docx_parts.c - the XML of a DOCX file whose archive is sound.
 *
 * The input is word/document.xml, styles.xml, numbering.xml, footnotes.xml and
 * header1.xml, with a NUL byte between them.  They are put into a zip without
 * compression, so that what changes here is what the reader of the parts sees:
 * fuzz_doc_docx changes the archive itself. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "doc/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTS = 5, LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50 };

static const char *const names[PARTS] = { "word/document.xml", "word/styles.xml",
                                          "word/numbering.xml", "word/footnotes.xml",
                                          "word/header1.xml" };

static void put(lf_buf *b, uint32_t v, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        lf_buf_add_char(b, (char)(i < 4 ? v >> 8 * i : 0));
}

static uint32_t crc32(const uint8_t *p, size_t n)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xEDB88320u : 0);
    }
    return ~c;
}

/* What a local and a central record share, from "version needed" on. */
static void put_member(lf_buf *b, const char *name, const uint8_t *p, uint32_t n, size_t extra)
{
    put(b, 20, 2);
    put(b, 0, 2); /* flags */
    put(b, 0, 2); /* stored */
    put(b, 0, 4); /* time and date */
    put(b, crc32(p, n), 4);
    put(b, n, 4);
    put(b, n, 4);
    put(b, (uint32_t)strlen(name), 2);
    put(b, 0, extra);
}

static void make_zip(const uint8_t *data, size_t size, lf_buf *zip)
{
    lf_buf central = { 0 };
    uint32_t n_parts = 0;
    for (size_t i = 0; i < PARTS && size > 0; i++) {
        const uint8_t *nul = i + 1 < PARTS ? memchr(data, 0, size) : NULL;
        const uint32_t n = (uint32_t)(nul ? (size_t)(nul - data) : size);
        const uint32_t at = (uint32_t)zip->len;
        if (n > 0) {
            put(zip, LOCAL, 4);
            put_member(zip, names[i], data, n, 2);
            lf_buf_add_str(zip, names[i]);
            lf_buf_add(zip, data, n);
            put(&central, CENTRAL, 4);
            put(&central, 20, 2);
            put_member(&central, names[i], data, n, 2 + 2 + 2 + 2 + 4);
            put(&central, at, 4);
            lf_buf_add_str(&central, names[i]);
            n_parts++;
        }
        data += nul ? n + 1 : n;
        size -= nul ? n + 1 : n;
    }
    const uint32_t at = (uint32_t)zip->len;
    lf_buf_add(zip, central.data ? central.data : "", central.len);
    put(zip, END, 4);
    put(zip, 0, 4);
    put(zip, n_parts, 2);
    put(zip, n_parts, 2);
    put(zip, (uint32_t)central.len, 4);
    put(zip, at, 4);
    put(zip, 0, 2);
    lf_buf_release(&central);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lf_doc *d = NULL;
    lf_buf zip = { 0 };
    lf_err err = { 0 };
    make_zip(data, size, &zip);
    if (lf_doc_read_here(lf_doc_format_named("docx"), zip.data, zip.len, &d, &err) != LF_OK &&
        (err.msg[0] == '\0' || strstr(err.msg, "Not a zip")))
        __builtin_trap(); /* a refusal says why, and the archive is none of the reasons */
    lf_doc_close(d);
    lf_buf_release(&zip);
    return 0;
}

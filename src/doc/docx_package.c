/* doc/docx_package.c - the zip and the XML of a DOCX file, with their limits.
 *
 * A member may unpack to 256 MiB and to 200 times its packed size (small ones to
 * 4 MiB whatever the ratio), all members together to 512 MiB.  Real documents stay far below:
 * WordprocessingML packs some 10 to 30 times.  XML is read without entities:
 * a DTD, which Word never writes, is refused at sight. */
#include "doc/docx_int.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/mem.h"

enum { MAX_PARTS = 20000 };
static const zip_uint64_t member_max = (zip_uint64_t)256 << 20, total_max = (zip_uint64_t)512 << 20,
                          small_size = (zip_uint64_t)4 << 20;
static const zip_uint64_t ratio_max = 200;

struct docx_package {
    zip_t *zip;
    zip_uint64_t total;
};

lf_status docx_open(const void *p, size_t n, docx_package **out, lf_err *err)
{
    zip_error_t e;
    zip_error_init(&e);
    lf_status st = LF_OK;
    zip_source_t *src = NULL;
    docx_package *k = lf_calloc(1, sizeof *k);
    if (n >= 8 && memcmp(p, "\xD0\xCF\x11\xE0", 4) == 0) {
        st = lf_fail(err, LF_ERR_FORMAT,
                     "the DOCX is protected by a password (or is an old .doc file)");
        goto done;
    }
    src = k ? zip_source_buffer_create(p, n, 0, &e) : NULL;
    if (!src) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory to open a DOCX");
        goto done;
    }
    k->zip = zip_open_from_source(src, ZIP_RDONLY, &e);
    if (!k->zip) {
        zip_source_free(src);
        st = lf_fail(err, LF_ERR_FORMAT, "the DOCX is damaged or cut short: %s",
                     zip_error_strerror(&e));
        goto done;
    }
    if (zip_get_num_entries(k->zip, 0) > MAX_PARTS) {
        st = lf_fail(err, LF_ERR_LIMIT, "the DOCX has more than %d members", MAX_PARTS);
        goto done;
    }
    *out = k;
    k = NULL;
done:
    zip_error_fini(&e);
    docx_close(k);
    return st;
}

void docx_close(docx_package *k)
{
    if (k && k->zip)
        zip_discard(k->zip);
    lf_free(k);
}

size_t docx_n_parts(const docx_package *k)
{
    const zip_int64_t n = zip_get_num_entries(k->zip, 0);
    return n > 0 ? (size_t)n : 0;
}

const char *docx_part_name(const docx_package *k, size_t i)
{
    const char *name = zip_get_name(k->zip, i, 0);
    return name ? name : "";
}

lf_status docx_read(docx_package *k, const char *name, lf_buf *out, lf_err *err)
{
    zip_stat_t s;
    zip_stat_init(&s);
    if (zip_stat(k->zip, name, ZIP_FL_NOCASE, &s) != 0 || !(s.valid & ZIP_STAT_SIZE))
        return lf_fail(err, LF_ERR_NOT_FOUND, "the DOCX has no part '%s'", name);
    if ((s.valid & ZIP_STAT_ENCRYPTION_METHOD) && s.encryption_method != ZIP_EM_NONE)
        return lf_fail(err, LF_ERR_FORMAT, "the DOCX is encrypted");
    const zip_uint64_t packed = s.valid & ZIP_STAT_COMP_SIZE ? s.comp_size : s.size;
    if (s.size > member_max || k->total + s.size > total_max ||
        (s.size > small_size && s.size / ratio_max > packed))
        return lf_fail(err, LF_ERR_LIMIT,
                       "part '%s' unpacks from %llu to %llu bytes; allowed are %llu MiB and %llu "
                       "times its size",
                       name, (unsigned long long)packed, (unsigned long long)s.size,
                       (unsigned long long)(member_max >> 20), (unsigned long long)ratio_max);
    zip_file_t *f = zip_fopen_index(k->zip, s.index, 0);
    if (!f)
        return lf_fail(err, LF_ERR_FORMAT, "part '%s' cannot be unpacked: %s", name,
                       zip_strerror(k->zip));
    lf_status st = LF_OK;
    const size_t want = (size_t)s.size;
    if (!lf_buf_reserve(out, want + 1)) {
        st = lf_fail(err, LF_ERR_NOMEM, "no memory for the %zu bytes of part '%s'", want, name);
        goto done;
    }
    /* one byte more than announced: a member that goes on lied about its size */
    for (size_t got = 0; got <= want;) {
        const zip_int64_t r = zip_fread(f, out->data + out->len, want + 1 - got);
        if (r < 0) {
            st =
                lf_fail(err, LF_ERR_FORMAT, "part '%s' is damaged: %s", name, zip_file_strerror(f));
            goto done;
        }
        if (r == 0)
            break;
        got += (size_t)r;
        out->len += (size_t)r;
        out->data[out->len] = '\0';
        if (got > want)
            st = lf_fail(err, LF_ERR_FORMAT, "part '%s' is longer than it says", name);
    }
    k->total += s.size;
done:
    (void)zip_fclose(f);
    return st;
}

/* ---- XML ---- */

static void quiet(void *ud, const char *msg, xmlParserSeverities severity,
                  xmlTextReaderLocatorPtr at)
{
    (void)ud;
    (void)msg;
    (void)severity;
    (void)at;
}

lf_status docx_xml_open(const lf_buf *part, xmlTextReaderPtr *out, lf_err *err)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_COMPACT;
    if (memmem(lf_buf_cstr(part), part->len, "<!DOCTYPE", 9) ||
        memmem(lf_buf_cstr(part), part->len, "<!ENTITY", 8))
        return lf_fail(err, LF_ERR_FORMAT, "the DOCX declares XML entities, which is not allowed");
    xmlTextReaderPtr r =
        part->len < INT32_MAX
            ? xmlReaderForMemory(lf_buf_cstr(part), (int)part->len, NULL, NULL, options)
            : NULL;
    if (!r)
        return lf_fail(err, LF_ERR_NOMEM, "no memory to read XML");
    xmlTextReaderSetErrorHandler(r, quiet, NULL);
    *out = r;
    return LF_OK;
}

int docx_xml_next(xmlTextReaderPtr r, const char *what, lf_err *err)
{
    const int got = xmlTextReaderRead(r);
    if (got < 0)
        (void)lf_fail(err, LF_ERR_FORMAT, "%s is not well-formed XML (line %d)", what,
                      xmlTextReaderGetParserLineNumber(r));
    if (got == 1 && xmlTextReaderNodeType(r) == XML_READER_TYPE_DOCUMENT_TYPE) {
        (void)lf_fail(err, LF_ERR_FORMAT, "%s has a document type, which is not allowed", what);
        return -1;
    }
    return got;
}

static bool is_word_namespace(const xmlChar *ns)
{
    static const char *const known[] = {
        "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "http://purl.oclc.org/ooxml/wordprocessingml/main"
    };
    return ns &&
           (strcmp((const char *)ns, known[0]) == 0 || strcmp((const char *)ns, known[1]) == 0);
}

bool docx_is(xmlTextReaderPtr r, const char *name)
{
    const xmlChar *local = xmlTextReaderConstLocalName(r);
    return local && strcmp((const char *)local, name) == 0 &&
           is_word_namespace(xmlTextReaderConstNamespaceUri(r));
}

bool docx_attr(xmlTextReaderPtr r, const char *name, char *out, size_t cap)
{
    bool found = false;
    out[0] = '\0';
    if (xmlTextReaderMoveToFirstAttribute(r) != 1)
        return false;
    do {
        if (!docx_is(r, name))
            continue;
        const xmlChar *v = xmlTextReaderConstValue(r);
        const size_t n = v ? strlen((const char *)v) : 0;
        if (n < cap) {
            memcpy(out, v ? (const char *)v : "", n + 1);
            found = true;
        }
        break;
    } while (xmlTextReaderMoveToNextAttribute(r) == 1);
    (void)xmlTextReaderMoveToElement(r);
    return found;
}

int docx_attr_int(xmlTextReaderPtr r, const char *name, int otherwise)
{
    char v[16];
    if (!docx_attr(r, name, v, sizeof v) || !v[0])
        return otherwise;
    const long n = strtol(v, NULL, 10);
    return n < -1 || n > 1000000 ? otherwise : (int)n;
}

bool docx_attr_on(xmlTextReaderPtr r)
{
    char v[16];
    return !docx_attr(r, "val", v, sizeof v) ||
           !(strcmp(v, "0") == 0 || strcmp(v, "false") == 0 || strcmp(v, "off") == 0);
}

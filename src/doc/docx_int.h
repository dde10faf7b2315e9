/* doc/docx_int.h - the package, the styles and the numbering of a DOCX file. */
#ifndef LF_DOC_DOCX_INT_H
#define LF_DOC_DOCX_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxml/xmlreader.h>

#include "base/buf.h"
#include "base/err.h"

typedef struct docx_package docx_package;

/* Open the zip (the bytes are borrowed).  Encrypted or damaged: LF_ERR_FORMAT. */
LF_MUST_CHECK lf_status docx_open(const void *p, size_t n, docx_package **out, lf_err *err);
void docx_close(docx_package *k);
size_t docx_n_parts(const docx_package *k);
const char *docx_part_name(const docx_package *k, size_t i); /* "" when it has none */

/* Read one part whole.  LF_ERR_NOT_FOUND when it is absent, LF_ERR_LIMIT when it
 * unpacks to too much, alone or together with those read before. */
LF_MUST_CHECK lf_status docx_read(docx_package *k, const char *name, lf_buf *out, lf_err *err);

/* A streaming reader over a part's bytes (borrowed while it lives) that resolves
 * no entities, loads nothing and refuses documents with a DTD. */
LF_MUST_CHECK lf_status docx_xml_open(const lf_buf *part, xmlTextReaderPtr *out, lf_err *err);

/* Step on: 1 a node, 0 the end, -1 damaged or a DTD (`err` is filled). */
int docx_xml_next(xmlTextReaderPtr r, const char *what, lf_err *err);

/* Is the reader at element (or end of element) w:NAME? */
bool docx_is(xmlTextReaderPtr r, const char *name);
/* Attribute w:NAME into out ("" when absent); false when absent. */
bool docx_attr(xmlTextReaderPtr r, const char *name, char *out, size_t cap);
int docx_attr_int(xmlTextReaderPtr r, const char *name, int otherwise);
/* A w:val that switches: absent, "1", "true", "on" = true. */
bool docx_attr_on(xmlTextReaderPtr r);

/* ---- styles and numbering ---- */

enum { DOCX_ID = 64, DOCX_LEVELS = 9 };

typedef struct docx_style {
    char id[DOCX_ID], based_on[DOCX_ID], name[DOCX_ID];
    int outline;           /* 0..8, 9 = body, -1 = not said */
    int num_id, num_level; /* -1 = not said */
    bool is_title, is_code;
} docx_style;

typedef struct docx_level {
    char format[24], text[64];
    int start;
} docx_level;

typedef struct docx_numbering {
    int abstract_id;
    docx_level levels[DOCX_LEVELS];
    int counters[DOCX_LEVELS];
} docx_numbering;

typedef struct docx_tables {
    lf_buf styles;   /* docx_style[] */
    lf_buf abstract; /* docx_numbering[] */
    lf_buf nums;     /* int[2]: numId, index into abstract */
} docx_tables;

/* Read word/styles.xml and word/numbering.xml; both may be absent. */
LF_MUST_CHECK lf_status docx_tables_read(docx_package *k, docx_tables *t, lf_err *err);
void docx_tables_release(docx_tables *t);

/* What a paragraph's style says, through its chain: heading level (1..9, 0 none). */
int docx_heading_level(const docx_tables *t, const char *style_id);
bool docx_is_code(const docx_tables *t, const char *style_id);
void docx_style_numbering(const docx_tables *t, const char *style_id, int *num_id, int *level);

/* Count one more item of the list and write its number ("第一章", "2.1", "" for a
 * bullet) into `out`. */
void docx_number(docx_tables *t, int num_id, int level, char *out, size_t cap);
#endif

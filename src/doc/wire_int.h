/* doc/wire_int.h - records of a document's flat image; builder.c writes, wire.c reads. */
#ifndef LF_DOC_WIRE_INT_H
#define LF_DOC_WIRE_INT_H

#include <stdint.h>

#include "doc/doc.h"

#define WIRE_MAGIC "LFDOC001"

typedef struct wire_head {
    char magic[8];
    char format[16];
    uint64_t n_bytes;
    uint32_t n_chars, n_blocks, n_cells, n_lines, n_pages, n_warning;
} wire_head;

typedef struct wire_page {
    float width, height;
    uint32_t scanned;
} wire_page;

typedef struct wire_block {
    int32_t type, level, page;
    lf_box box;
    uint32_t start, end, n_cells;
} wire_block;
#endif

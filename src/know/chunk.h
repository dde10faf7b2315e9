/* know/chunk.h - a document cut into passages that can stand on their own.
 *
 * A chunk is a run of whole sentences, list items, table rows or code lines of at
 * most LF_CHUNK_CHARS characters: what search ranks and shows.  It begins and ends
 * where the structure does if it can: at a heading, at a paragraph, else at a
 * sentence; it never crosses a page.  A chunk is embedded in units of a few
 * sentences, because one vector of a long passage blurs its facts (measured on
 * CMRC: recall@1 by vectors 0.936 with whole passages, 0.968 with units).
 *
 * Ownership  lf_chunks owns everything in it: lf_chunks_release.  The document is
 *            borrowed for the call alone.
 * Threads    No state.
 * Errors     LF_ERR_NOMEM alone.
 * Units      Code points of the document's text, and the same in bytes.
 */
#ifndef LF_KNOW_CHUNK_H
#define LF_KNOW_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "doc/doc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LF_CHUNK_CHARS = 800,
    LF_CHUNK_VERSION = 1 /* part of a document's settings: a change cuts it again */
};

typedef struct lf_chunk_unit {
    uint32_t start, end, byte_start, byte_end;
    uint32_t path;                 /* heading path of its beginning: lf_chunks.paths */
    uint32_t head_start, head_end; /* bytes of the table's header row; equal = none */
} lf_chunk_unit;

typedef struct lf_chunk {
    uint32_t start, end, byte_start, byte_end;
    int32_t page;
    int32_t section; /* counts the document's headings of the two upper levels met */
    uint32_t path;
    uint32_t first_unit, n_units;
} lf_chunk;

typedef struct lf_chunks {
    lf_chunk *v;
    size_t n;
    lf_chunk_unit *units;
    size_t n_units;
    char **paths; /* [0] is "" ; levels are joined by " > " */
    size_t n_paths;
} lf_chunks;

LF_MUST_CHECK lf_status lf_chunks_of(const lf_doc *d, lf_chunks *out, lf_err *err);
void lf_chunks_release(lf_chunks *c);

#ifdef __cplusplus
}
#endif
#endif

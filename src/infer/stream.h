/* infer/stream.h - bytes of tokens to text that may be shown.
 *
 * Text is held back while it may still become part of a stop string or of a
 * UTF-8 character; bytes that are no UTF-8 leave as U+FFFD.
 *
 * Ownership  The stop strings are borrowed until lf_stream_release.
 * Errors     Out of memory is sticky in the buffers (`failed`).
 */
#ifndef LF_INFER_STREAM_H
#define LF_INFER_STREAM_H

#include "base/buf.h"

typedef struct lf_stream {
    const char *const *stop;
    size_t n_stop;
    lf_buf held; /* received and not yet shown */
    bool stopped;
    bool met_stop; /* by stop[met] */
    size_t met;
} lf_stream;

/* Appends what may be shown after piece[0..n) to `out`.  Returns false when a
 * stop string has been met: it and what follows are dropped. */
bool lf_stream_add(lf_stream *s, const char *piece, size_t n, lf_buf *out);

/* No more pieces: appends what was held back, unless a stop string was met. */
void lf_stream_end(lf_stream *s, lf_buf *out);

void lf_stream_release(lf_stream *s);

#endif

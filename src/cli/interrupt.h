/* cli/interrupt.h - Ctrl-C as an ordinary end of the work.
 *
 * A command that can stop half way asks for the flag and hands it down as `cancel`: the
 * work then ends at its next safe point, is reported, and everything is closed.  A second
 * Ctrl-C ends the process at once, which harms nothing that is stored either.
 */
#ifndef LF_CLI_INTERRUPT_H
#define LF_CLI_INTERRUPT_H

#include "base/atomic.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From now on the first SIGINT or SIGTERM sets the flag (static, never reset). */
atomic_bool *lf_cli_interrupt(void);

/* If the flag was set, end by the signal that set it, as callers expect of a program
 * that was interrupted; else return. */
void lf_cli_end_if_interrupted(void);

#ifdef __cplusplus
}
#endif
#endif

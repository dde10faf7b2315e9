/* flow/replay.h - an answer run again from its record.
 *
 * Same bytes are promised for the same documents, models, settings, program version and
 * kind of CPU.  Where the replay differs, what changed since says why.
 *
 * Ownership  The result is a new reference.
 * Threads    The caller's; as lf_ask.
 * Errors     For the run itself as lf_know_get_run; LF_ERR_CANCELLED; LF_ERR_NOMEM.  What
 *            keeps the run from being run again is no failure of the call: the verdict
 *            is "failed" and `error` says why.
 * Rights     The run has to be the scope's person's own, and the replay sees what the
 *            scope lets be seen now, nothing that it only let be seen then.
 */
#ifndef LF_FLOW_REPLAY_H
#define LF_FLOW_REPLAY_H

#include "base/atomic.h"
#include "base/json.h"
#include "know/know.h"
#include "provider/provider.h"

/* {
 *   "run", "record"                     as lf_run_show
 *   "verdict"   "same": answer and citations are the same, byte for byte
 *               "different"
 *               "failed": it could not be run again
 *   "error"     {code, message} with "failed", else null
 *   "changes"   [{"what", …}], empty when nothing changed:
 *               document    {doc_id, source, change: removed|changed|reread, cached}
 *               documents   {was, now, added: [source]}: the set that was searched
 *               model       {was, now, model}: hashes
 *               embedding   {was, now}
 *               version     {was, now}
 *               kernels     {was, now}
 *   "again"     the new answer as lf_answer_json (without run); null with "failed"
 *   "diff"      null with "failed", else {
 *     "answer"     [{"op": "same"|"removed"|"added", "text"}]; null when the words of the
 *                  first answer were erased
 *     "citations"  {"removed": […], "added": […]}
 *     "passages"   {"removed": n, "added": n, "same": n} }
 * }
 * Nothing is kept of the replay. */
LF_MUST_CHECK lf_status lf_replay(lf_know *know, lf_provider *provider, const lf_scope *scope,
                                  const char *run, atomic_bool *cancel, json_t **out, lf_err *err);
#endif

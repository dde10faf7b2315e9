/* flow/run_record.h - what is kept about an answer, and reading it back.
 *
 * A record is one JSON object; format 2:
 *
 *     kind, format, version, unix_ms     "ask"; the program's version
 *     question                           as asked
 *     model, model_hash                  catalogue id or path; null without a model
 *     embedding_hash, kernels            what made the vectors; the set of CPU kernels
 *     seed, k, no_llm                    the request
 *     collection, only                   what was searched: a collection, or these ids
 *     documents {n, set, of}             how many documents were searched, a number that
 *                                        names their set, and {doc_id, source, hash,
 *                                        settings} of those that passages come from
 *     answered, answer_sha256, dropped
 *     citations [{n, doc_id, source, page, start, end, sha256}]
 *     ms {retrieve, first_token, total}
 *     parts [{answered, passages, evidence, prompt_sha256, n_prompt, n_generated,
 *             prefill_ms, decode_ms, checks}]
 *                                        each fact that was asked for; a passage is
 *                                        {doc_id, source, page, start, end, score,
 *                                        lexical, vector, sha256}
 *
 * and the words, which are stored apart and erased with any document that passages came
 * from: answer, history, self_contained (the question as it was searched), and in each
 * part question and generated.  Without them `erased` is true.
 * In a file that an earlier version wrote, records have no `format` and lack what was
 * searched: they can be shown, not run again.
 *
 * Ownership  JSON comes as a new reference.
 * Threads    Any thread.
 */
#ifndef LF_FLOW_RUN_RECORD_H
#define LF_FLOW_RUN_RECORD_H

#include "base/json.h"
#include "know/know.h"

enum { LF_RECORD_FORMAT = 2, LF_RUNS_MAX = 1000 };

/* The record with its words and `run`, its id.  Each passage and citation has a `state`:
 * "same" (then its `text` is there), "changed" or "gone", as this scope sees it now.
 * Errors as lf_know_get_run. */
LF_MUST_CHECK lf_status lf_run_show(lf_know *know, const lf_scope *scope, const char *run,
                                    json_t **out, lf_err *err);

/* [{run, unix_ms, question, answered, model, collection, format, erased}], newest first. */
LF_MUST_CHECK lf_status lf_run_list(lf_know *know, const lf_scope *scope, size_t n_max,
                                    json_t **out, lf_err *err);
#endif

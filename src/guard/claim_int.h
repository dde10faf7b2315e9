/* guard/claim_int.h - what a text claims beyond its words and figures: whether it
 * denies, which way things go, of how many it speaks, how certain it is.
 *
 * Small word lists of both languages, read at the edges of words.  They tell a
 * contradiction from a paraphrase only beside the part of the source that says the
 * same thing; finding that part is the caller's business.
 *
 * Ownership  Texts are borrowed, results static.
 * Threads    No state.
 */
#ifndef LF_GUARD_CLAIM_INT_H
#define LF_GUARD_CLAIM_INT_H

#include "base/buf.h"

/* An odd number of denials?  "No district was without" affirms. */
bool lf_claim_denies(lf_str s);

/* What `said` claims and the source does not: "direction", "scope", "modality", or ""
 * where no list objects.  `clause` is what of the source comes nearest, `part` all that
 * has words of it, `whole` the sentence around them. */
const char *lf_claim_conflict(lf_str said, lf_str clause, lf_str part, lf_str whole);

/* The same where the languages differ, and no part could be found by its words. */
const char *lf_claim_crossed(lf_str said, lf_str whole);

/* Is there a sign of the passive ("by", "was kept", "被", "由")?  Then who does what to
 * whom stands in another order. */
bool lf_claim_is_passive(lf_str s);

/* Does it lead from one thing to another ("from", "从", "由")? */
bool lf_claim_is_way(lf_str s);

#endif

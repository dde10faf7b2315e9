/* infer/draft.h - guesses at what comes next, from what was said before.
 *
 * An answer over given passages repeats their words: where the last tokens stood
 * before, those that followed them then are a good guess.  Guessed tokens are
 * evaluated in the same pass as the token before them, and kept as far as the
 * sampler chooses just these: the output is that of plain decoding, bit by bit.
 *
 * Source: prompt lookup decoding, Saxena 2023; after speculative decoding,
 * Leviathan et al. 2023, arXiv:2211.17192.
 */
#ifndef LF_INFER_DRAFT_H
#define LF_INFER_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LF_DRAFT_MAX = 15,  /* with the token before them a tile of the products' rows */
    LF_DRAFT_SHORT = 3, /* the same for the smaller tile */
    LF_DRAFT_MATCH = 2  /* tokens that must have stood there before */
};

/* How well guessing went for one output; zeroed at its begin. */
typedef struct lf_drafter {
    uint32_t n_guessed, n_right; /* tokens */
    uint32_t misses, wait;       /* passes without a right guess; passes to let go by */
    bool trusted;                /* the last guesses were all right */
} lf_drafter;

/* Is guessing left alone for this pass?  Counts the pass. */
bool lf_draft_rests(lf_drafter *d);

/* Guess at most `room` tokens after t[0..n) and `next`; the number written to out. */
size_t lf_draft(lf_drafter *d, const int32_t *t, size_t n, int32_t next, size_t room, int32_t *out);

/* Tell how many of them were right. */
void lf_draft_judge(lf_drafter *d, size_t n_guessed, size_t n_right);

#endif

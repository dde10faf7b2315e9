/* text/lexicon_int.h - what the word table's builder and its reader share. */
#ifndef LF_TEXT_LEXICON_INT_H
#define LF_TEXT_LEXICON_INT_H

#include <stdint.h>

#define LF_LEXICON_MAGIC   0x584C464Cu /* "LFLX" */
#define LF_LEXICON_VERSION 2u
#define LF_LEXICON_STEP    0.08   /* nats per unit of cost */
#define LF_LEXICON_NAME    0x100u /* in a slot: the word names a place or an organisation */
#define LF_LEXICON_SEED    0xCBF29CE484222325ull

/* Extend the hash of a prefix by one code point (FNV-1a over code points). */
static inline uint64_t lf_lexicon_step(uint64_t state, uint32_t cp)
{
    return (state ^ cp) * 0x100000001B3ull;
}

/* Spread a state over all bits: low ones pick the slot, the top 23 are the print. */
static inline uint64_t lf_lexicon_key(uint64_t state)
{
    state ^= state >> 29;
    state *= 0xBF58476D1CE4E5B9ull;
    return state ^ state >> 32;
}

/* A slot is 0 (empty) or print << 9 | LF_LEXICON_NAME or not | cost. */
static inline uint32_t lf_lexicon_print(uint64_t key)
{
    return (uint32_t)(key >> 41);
}

#endif

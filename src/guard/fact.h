/* guard/fact.h - the hard facts of a text: its numbers with their units, and its names.
 *
 * Numbers are read in the ways that both languages write them ("1,860 亿",
 * "３．５％", "百分之三十", "二十多家", "1e-3", "8W+", "April 28", "twenty-five days")
 * and compared by value and by class of unit; of a range ("20-30 亿美元") both ends
 * have scale and unit.  Names are words of Latin letters, with the digits and hyphens
 * that belong to them ("Qwen-72B", "A100"): digits of a name are no number.
 *
 * Ownership  lf_facts owns its arrays: lf_facts_release.
 * Threads    No state; any thread.
 * Errors     LF_ERR_NOMEM alone.
 * Units      Offsets count code points.
 */
#ifndef LF_GUARD_FACT_H
#define LF_GUARD_FACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is counted.  NONE: no unit, or a word that this table does not know. */
typedef enum lf_unit {
    LF_UNIT_NONE,
    LF_UNIT_COUNT, /* 个 名 位 家 种 … : any counter */
    LF_UNIT_YEAR,
    LF_UNIT_MONTH,  /* of a date: 3月 */
    LF_UNIT_DAY,    /* of a date: 12日 */
    LF_UNIT_MONTHS, /* a stretch of time, and so are all down to seconds: 3个月 */
    LF_UNIT_WEEKS,
    LF_UNIT_DAYS, /* 12天 */
    LF_UNIT_HOUR,
    LF_UNIT_MINUTE,
    LF_UNIT_SECOND,
    LF_UNIT_PERCENT,
    LF_UNIT_TIMES,
    LF_UNIT_MONEY,
    LF_UNIT_DOLLAR,
    LF_UNIT_LENGTH_KM,
    LF_UNIT_LENGTH_M,
    LF_UNIT_AREA,
    LF_UNIT_DEGREE,
    LF_UNIT_ORDER, /* 第N, 量级 */
    LF_UNIT_EURO,
    LF_UNIT_LENGTH_CM,
    LF_UNIT_LENGTH_MM,
    LF_UNIT_LENGTH_MILE,
    LF_UNIT_LENGTH_FOOT,
    LF_UNIT_GRAM,
    LF_UNIT_KILOGRAM,
    LF_UNIT_TONNE,
    LF_UNIT_LITRE,
    LF_UNIT_CUBIC_M
} lf_unit;

/* "20万元以上" holds for what is more, "不满100万元" for what is less. */
typedef enum lf_limit { LF_LIMIT_NONE, LF_LIMIT_FROM, LF_LIMIT_TO } lf_limit;

typedef struct lf_number {
    double value;
    double scale; /* of 万, 亿, million … in the value; 1 = none */
    lf_unit unit;
    lf_unit per; /* "0.1 per cent a day", "1000 元/天": DAYS; NONE: no rate */
    lf_limit limit;
    uint32_t start, end; /* of the digits and their scale, without the unit */
} lf_number;

typedef struct lf_name {
    uint64_t id; /* hash of the folded word */
    uint32_t start, end;
    bool is_plain; /* lower-case letters only: an ordinary word of a Western text */
} lf_name;

typedef struct lf_facts {
    lf_number *numbers;
    size_t n_numbers;
    lf_name *names;
    size_t n_names;
    size_t n_han, n_letters; /* ideographs and Latin letters, to tell the language */
} lf_facts;

LF_MUST_CHECK lf_status lf_facts_read(const char *p, size_t n_bytes, lf_facts *out, lf_err *err);
void lf_facts_release(lf_facts *f); /* safe on a zeroed struct */

/* Do two numbers say the same?  Values must be equal; units must not contradict:
 * a counter goes with no unit, any other unit needs its like; two rates need the same. */
bool lf_number_agrees(const lf_number *a, const lf_number *b);

/* A year, said to be one ("2025年") or bare ("in 2025")? */
bool lf_number_is_year(const lf_number *n);

/* YEAR, MONTH or DAY where the number is that part of a date, else NONE. */
lf_unit lf_number_date_part(const lf_number *n);

/* Is `n` within what this limit allows ("15万元", "不满20万元")?  False without a limit. */
bool lf_number_within(const lf_number *n, const lf_number *limit);

#ifdef __cplusplus
}
#endif
#endif

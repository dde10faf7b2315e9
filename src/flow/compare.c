/* flow/compare.c - a figure of each sentence, compared.
 *
 * A sentence that holds several figures is left alone: which of them is meant would
 * be a guess, and what is said here is said without a passage behind it. */
#include "flow/compare.h"

#include <stdbool.h>
#include <string.h>

#include "guard/fact.h"

typedef struct figure {
    bool found, is_date;
    double value; /* a date: year * 10000 + month * 100 + day */
    lf_unit unit;
} figure;

/* The date of the year at `i`, with the month and day that follow it. */
static double date_at(const lf_facts *f, size_t i)
{
    double month = 0, day = 0;
    if (i + 1 < f->n_numbers && f->numbers[i + 1].unit == LF_UNIT_MONTH)
        month = f->numbers[i + 1].value;
    if (month > 0 && i + 2 < f->n_numbers && f->numbers[i + 2].unit == LF_UNIT_DAY)
        day = f->numbers[i + 2].value;
    return f->numbers[i].value * 10000 + month * 100 + day;
}

static figure figure_of(const lf_facts *f)
{
    size_t n_years = 0, n_others = 0;
    figure date = { .is_date = true }, other = { 0 };
    for (size_t i = 0; i < f->n_numbers; i++) {
        const lf_number *m = &f->numbers[i];
        if (m->unit == LF_UNIT_YEAR && m->value >= 1000) {
            date.found = true;
            date.value = date_at(f, i);
            n_years++;
        } else if (m->unit != LF_UNIT_MONTH && m->unit != LF_UNIT_DAY) {
            other = (figure){ .found = true, .value = m->value, .unit = m->unit };
            n_others++;
        }
    }
    if (n_others == 1)
        return other;
    return n_others == 0 && n_years == 1 ? date : (figure){ 0 };
}

lf_status lf_compare_said(const char *a, const char *b, int *order, lf_err *err)
{
    lf_facts fa = { 0 }, fb = { 0 };
    lf_status st = lf_facts_read(a, strlen(a), &fa, err);
    if (st == LF_OK)
        st = lf_facts_read(b, strlen(b), &fb, err);
    if (st == LF_OK) {
        const figure x = figure_of(&fa), y = figure_of(&fb);
        const bool alike = x.found && y.found && x.is_date == y.is_date && x.unit == y.unit;
        *order = !alike || x.value == y.value ? 0 : x.value < y.value ? -1 : 1;
    }
    lf_facts_release(&fa);
    lf_facts_release(&fb);
    return st;
}

#!/bin/bash
# The section "answers" of docs/benchmarks.md: the sets of questions, with the model and without.
set -euo pipefail
cd "$(dirname "$0")/.."
code=0
for set in dev dev2 samples test held; do
    printf '\n**%s**\n\n~~~\n' "$set"
    one=0
    bench/ask_casebook.py --set "$set" --both --totals --landfall "${LANDFALL:-$PWD/landfall}" ||
        one=$?
    [ $one = 0 ] || [ $one = 3 ] || exit $one
    [ $one = 0 ] || code=3
    printf '~~~\n'
done
exit $code

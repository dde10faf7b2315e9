#!/bin/bash
# The section "answers" of docs/benchmarks.md: both sets of questions, with the model and without.
set -euo pipefail
cd "$(dirname "$0")/.."
for set in dev test; do
    printf '\n**%s**\n\n~~~\n' "$set"
    bench/ask_casebook.py --set "$set" --both --landfall "${LANDFALL:-$PWD/landfall}" | grep -v '^   '
    printf '~~~\n'
done

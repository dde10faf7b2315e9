#!/bin/bash
# bench/guard.sh [--show] - the guard section: what the citation check lets through and stops.
# --show lists the pairs of dev that it judges wrongly; those of test are not to be looked at.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(dirname "${LANDFALL:-build/landfall}")
ninja -C "$build" bench/bench_guard >&2
for set in dev test; do
    pairs=$(mktemp)
    code=0
    bench/guard_pairs.py $set >"$pairs" || code=$?
    if [ $code = 0 ]; then
        printf '\n**%s**\n\n' $set
        show=
        [ "$set ${1:-}" != "dev --show" ] || show=--show
        "$build/bench/bench_guard" $show <"$pairs" || code=$?
    fi
    rm -f "$pairs"
    [ $code = 0 ] || exit $code
done

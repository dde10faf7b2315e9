#!/bin/bash
# bench/search.sh - the search section: latency over 100,000 chunks, warm.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(dirname "${LANDFALL:-build/landfall}")
ninja -C "$build" bench/bench_search >&2
printf '```\n'
"$build/bench/bench_search"
printf '```\n'

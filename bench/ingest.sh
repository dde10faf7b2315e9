#!/bin/bash
# bench/ingest.sh - the ingest section: documents a fresh home takes in, and where the time goes.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${LANDFALL:-build/landfall}
models=${LANDFALL_HOME:-}/models
[ -d "$models" ] || { echo "no models in LANDFALL_HOME" >&2; exit 77; }
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
ln -s "$models" "$home/models"

# take_in NAME FILE...: the summary line that `landfall add` ends with.
take_in() {
    local name=$1
    shift
    "$bin" add --home "$home" --lang en "$@" 2>"$home/err" >/dev/null
    printf '| %s | %s |\n' "$name" "$(grep ' ready, ' "$home/err" | tail -n 1)"
}
printf '| documents | result |\n|--|--|\n'
mapfile -t samples < <(find samples -maxdepth 1 -type f | sort)
take_in "samples/" "${samples[@]}"
casebook=${LANDFALL_DATA:-/nonexistent}/casebook/casebook-2023.txt
[ ! -f "$casebook" ] || take_in "casebook-2023.txt" "$casebook"

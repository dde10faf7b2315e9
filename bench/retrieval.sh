#!/bin/bash
# bench/retrieval.sh - the retrieval section: CMRC 2018 trial contexts as documents.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f "${LANDFALL_DATA:-/nonexistent}/data/cmrc2018/trial.json" ] ||
    { echo "no data/cmrc2018/trial.json in LANDFALL_DATA" >&2; exit 77; }
printf 'CMRC 2018 trial split, every context a document, every question a query.\n\n```\n'
code=0
bench/retrieval_cmrc.py --landfall "${LANDFALL:-build/landfall}" || code=$?
printf '```\n'
exit $code

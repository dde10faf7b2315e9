#!/bin/bash
# bench/run.sh [SECTION...] - makes the tables of docs/benchmarks.md.
#
# A section is a program bench/SECTION.py or bench/SECTION.sh that prints
# Markdown on standard output and progress on standard error; exit code 77 leaves the
# section as it is (what it needs is not there; the reason goes to standard error); exit
# code 3 says that a bar was missed: the table is written all the same, and this program
# fails in the end.
# Its output replaces what stands between the section's marks in docs/benchmarks.md.
#
#   LANDFALL       the program (default: build/landfall)
#   LANDFALL_HOME  where the default models are
#   LANDFALL_DATA  the shared data, for retrieval and answers
#   LLAMA_BIN      folder of a built llama.cpp (llama-bench, llama-simple), for comparisons
set -euo pipefail
cd "$(dirname "$0")/.."
export LANDFALL=${LANDFALL:-$PWD/build/landfall}
export LANDFALL_HOME=${LANDFALL_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/landfall}
if [ -z "${LANDFALL_DATA:-}" ] && [ -d ../shared ]; then LANDFALL_DATA=$(cd ../shared && pwd); fi
export LANDFALL_DATA=${LANDFALL_DATA:-}
[ -x "$LANDFALL" ] || { echo "no program at $LANDFALL: run ./run first" >&2; exit 1; }
[ $# -gt 0 ] || set -- speed engine serving kv drafts guesser constrained agreement perplexity retrieval answers guard ingest encoder search

page=docs/benchmarks.md
failed=0
for section in "$@"; do
    program=
    for p in bench/"$section".py bench/"$section".sh; do [ ! -x "$p" ] || program=$p; done
    if [ -z "$program" ] || ! grep -q "^<!-- begin $section -->" $page; then
        echo "no section '$section'" >&2
        failed=1
        continue
    fi
    echo "== $section" >&2
    out=$(mktemp)
    code=0
    "$program" >"$out" || code=$?
    if [ $code = 77 ]; then
        echo "$section: left as it is" >&2
    elif [ $code != 0 ] && [ $code != 3 ]; then
        echo "$section failed with exit code $code" >&2
        failed=1
    else
        [ $code = 0 ] || { grep '^bar missed' "$out" >&2; failed=1; }
        {
            printf '\n%s, %s, %s processors, commit %s\n' "$(date -u +%Y-%m-%d)" \
                "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
                "$(git rev-parse --short HEAD)"
        } >>"$out"
        python3 - "$page" "$section" "$out" <<'PY'
import sys
page, section, out = sys.argv[1:]
text = open(page, encoding="utf-8").read()
begin, end = "<!-- begin %s -->\n" % section, "<!-- end %s -->" % section
a, b = text.index(begin) + len(begin), text.index(end)
made = open(out, encoding="utf-8").read().strip()
open(page, "w", encoding="utf-8").write(text[:a] + made + "\n" + text[b:])
PY
    fi
    rm -f "$out"
done
exit $failed

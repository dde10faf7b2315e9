#!/bin/bash
# docs/cli.md and docs/config.md are what the tables of the program say.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
bin=${LANDFALL:-build/landfall}
fail=0
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
LC_ALL=C "$bin" help --markdown --home "$home" | diff docs/cli.md - ||
    { fail=1; echo "docs/cli.md differs: build/landfall help --markdown >docs/cli.md"; }
LC_ALL=C "$bin" config show --markdown --home "$home" | diff docs/config.md - ||
    { fail=1; echo "docs/config.md differs: build/landfall config show --markdown >docs/config.md"; }
exit $fail

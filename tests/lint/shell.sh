#!/bin/bash
# Runs shellcheck over every shell script.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
mapfile -t files < <({ find . -maxdepth 1 \( -name run -o -name test \) -printf '%P\n'; echo .ci/run; find deploy tests bench -name '*.sh' 2>/dev/null; } | sort)
shellcheck -x "${files[@]}" && echo "${#files[@]} scripts looked at"

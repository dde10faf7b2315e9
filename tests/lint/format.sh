#!/bin/bash
# All C files are as clang-format 14 with the root's .clang-format lays them out.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
mapfile -t files < <(find src tests bench include examples -name '*.[ch]' 2>/dev/null | sort)
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 16 clang-format-14 --dry-run -Werror 2>&1 |
    grep -E 'error:' | sed 's/: error:.*//' | cut -d: -f1 | sort | uniq -c >"${TMPDIR:-/tmp}/lf-format.$$"
bad=$(wc -l <"${TMPDIR:-/tmp}/lf-format.$$")
cat "${TMPDIR:-/tmp}/lf-format.$$"
rm -f "${TMPDIR:-/tmp}/lf-format.$$"
echo "${#files[@]} files looked at, $bad not formatted: clang-format-14 -i FILE"
[ "$bad" = 0 ] && [ ${#files[@]} -gt 0 ]

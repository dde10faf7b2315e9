#!/bin/bash
# clang takes the whole source without a warning, fuzz targets with it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
[ -f build-clang/build.ninja ] ||
    CC=clang meson setup build-clang -Dbuildtype=debug -Dwerror=true >build-logs/clang-setup.log 2>&1 ||
    { tail -n 20 build-logs/clang-setup.log; exit 1; }
# Objects are enough: nothing is linked, and SQLite is not ours.
mapfile -t objects < <(ninja -C build-clang -t targets all | sed -n 's/\.o: .*/.o/p' | grep -v sqlite)
[ ${#objects[@]} -gt 0 ] || exit 1
ninja -C build-clang -k 0 -j "$(nproc)" "${objects[@]}" >build-logs/clang-build.log 2>&1
code=$?
grep -E ' error: |FAILED' build-logs/clang-build.log | head -n 40
exit $code

#!/bin/bash
# deploy/fuzz.sh [SECONDS] [NAME...] - looks for inputs that break a parser.
#
# Builds the targets of tests/fuzz with clang's libFuzzer, AddressSanitizer and UBSan
# in build-fuzz/ and runs each (those whose name contains a NAME) for SECONDS
# (default 60) from its corpus.  What a run finds interesting is kept in
# build-fuzz/corpus for the next one; what breaks a target is kept in
# build-logs/fuzz: mend the cause and add the file to tests/fuzz/corpus/TARGET.
# Exit code 1 when something was found.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
mkdir -p build-logs/fuzz
LF_LOG=$PWD/build-logs/build.log
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

seconds=60
case "${1:-}" in
-h | --help)
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
[0-9]*)
    seconds=$1
    shift
    ;;
esac
[[ $seconds =~ ^[0-9]+$ ]] || die "SECONDS is a number, not $seconds" "秒数应为数字，而不是 $seconds"

need_packages deploy/debian-packages.txt deploy/debian-packages-test.txt
deploy/fetch-deps.sh || die "a pinned piece is missing" "缺少固定版本的组件"
say "build with libFuzzer" "带 libFuzzer 的构建"
export CC=clang
build_folder build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
work=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)/lf-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work # targets whose input is a file write it there

passed=0 failed=0
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    wanted=${1:+no}
    for f in "$@"; do case "$name" in *"$f"*) wanted=yes ;; esac done
    if [ ! -d "tests/fuzz/corpus/$name" ] || [ "$wanted" = no ]; then continue; fi
    build build-fuzz "tests/$name"
    mkdir -p "build-fuzz/corpus/$name"
    say "$name, $seconds s" "$name，$seconds 秒"
    log=build-logs/fuzz/$name.log
    options=(-max_total_time="$seconds" -len_control=0 -timeout=20 -rss_limit_mb=3000 -print_final_stats=1
        -artifact_prefix="build-logs/fuzz/$name-")
    if "build-fuzz/tests/$name" "${options[@]}" "build-fuzz/corpus/$name" \
        "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        word=ok passed=$((passed + 1))
    else
        word=FOUND failed=$((failed + 1))
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
    cov=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
    printf '%-6s %-18s %s runs, %s\n' "$word" "$name" "${runs:-?}" "${cov:-cov: ?}"
    [ $word = ok ] || grep -E -m 3 'ERROR: |SUMMARY: |runtime error|Test unit written' "$log" |
        sed 's/^/       /'
done
printf '%d passed, %d failed, 0 skipped\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]

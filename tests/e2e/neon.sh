#!/bin/sh
# tests/e2e/neon.sh - build the tensor unit test for AArch64 and run it under emulation.
#
# Needs gcc-aarch64-linux-gnu and qemu-user.  Without them it says "skipped" and
# leaves with 77, which ./test counts as skipped.
set -eu
cd "$(dirname "$0")/../.."
cc=${LF_NEON_CC:-aarch64-linux-gnu-gcc}
emulator=${LF_NEON_EMULATOR:-qemu-aarch64}
for tool in "$cc" "$emulator"; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "skipped: $tool is not installed (apt-get install gcc-aarch64-linux-gnu qemu-user)"
        exit 77
    fi
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=gnu11 -O2 -Wall -Wextra -ffp-contract=off -fno-math-errno -fno-trapping-math
       -D_GNU_SOURCE -Isrc -Itests -I. -include src/base/banned.h"
compile() { # suffix, extra flags, sources
    suffix=$1 extra=$2
    shift 2
    for source in "$@"; do
        # shellcheck disable=SC2086
        "$cc" $flags $extra -c "$source" -o "$out/$(basename "$source" .c)$suffix.o"
    done
}
t=src/tensor
compile "" "-DLF_TEST_SOURCE_DIR=\"$PWD/tests\"" tests/lf_test.c tests/unit/test_tensor.c \
    src/base/assert.c src/base/clock.c src/base/cpu.c src/base/err.c src/base/mem.c src/base/pool.c \
    $t/type.c $t/quant.c $t/pack.c $t/matmul.c $t/kernels.c $t/norm.c $t/rope.c $t/act.c \
    $t/softmax.c $t/vec.c $t/attention.c
kernels="$t/kern_elem.c $t/kern_matmul.c $t/kern_attention.c"
# shellcheck disable=SC2086
compile _scalar "-DLF_SIMD_SCALAR" $kernels
# shellcheck disable=SC2086
compile _neon "-march=armv8.2-a+dotprod -DLF_SIMD_NEON" $kernels
"$cc" -static -o "$out/test_tensor" "$out"/*.o -lpthread -lm
"$emulator" -cpu max "$out/test_tensor" --timeout 600 "$@"

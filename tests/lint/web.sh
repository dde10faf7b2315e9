#!/bin/bash
# The page's TypeScript is checked by tsc; esbuild, which builds it, only strips the types.
set -uo pipefail
cd "$(dirname "$0")/../../web" || exit 1
if ! command -v tsc >/dev/null; then
    echo "skipped: no tsc (package node-typescript)"
    exit 77
fi
tsc -p . || exit 1
# Text reaches the page as text nodes only.
if grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(' src/*.ts index.html; then
    echo "markup must not be made from strings"
    exit 1
fi
# Both languages have the same texts: the compiler sees to it, since zh is Record<Key, string>.
echo "the page's types hold"

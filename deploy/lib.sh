# shellcheck shell=bash
# deploy/lib.sh - what ./run, ./test and deploy/*.sh share: messages in the user's
# language, packages, build folders.  Sourced with the repository as current folder.

case "${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}" in zh*) zh=1 ;; *) zh= ;; esac

# say ENGLISH CHINESE: a line of progress, with the seconds since the start.
say() { printf '[%4ds] %s\n' "$SECONDS" "$([ -n "$zh" ] && echo "$2" || echo "$1")" >&2; }
die() {
    say "error: $1" "错误：$2"
    exit 1
}

# The packages of the given lists that are not installed.
missing_packages() {
    local want have
    want=$(grep -hv '^#' "$@" | sort -u)
    # shellcheck disable=SC2086 # one word a package
    have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' $want 2>/dev/null |
        sed -n 's/ installed$//p' | sort -u) || true # some are unknown to dpkg
    comm -23 <(printf '%s\n' "$want") <(printf '%s\n' "$have")
}

# Install what the lists name; a plain user is told what to install.
need_packages() {
    local want
    mapfile -t want < <(missing_packages "$@")
    [ ${#want[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        die "these Debian packages are missing; as root run:
        apt-get install --no-install-recommends ${want[*]}" "缺少以下 Debian 软件包；请以 root 运行：
        apt-get install --no-install-recommends ${want[*]}"
    fi
    say "installing ${#want[@]} Debian packages: ${want[*]}" \
        "正在安装 ${#want[@]} 个 Debian 软件包：${want[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >&2 || say "apt-get update failed, going on" "apt-get update 失败，继续"
    apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${want[@]}" \
        >"$LF_LOG" 2>&1 || {
        tail -n 20 "$LF_LOG" >&2
        die "apt-get could not install them" "apt-get 安装失败"
    }
}

# build_folder FOLDER MESON-OPTION...: set up once, again when the options changed.
build_folder() {
    local dir=$1
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        rm -rf "$dir"
        meson setup "$dir" "$@" >"$LF_LOG" 2>&1 || {
            tail -n 20 "$LF_LOG" >&2
            die "meson setup $dir failed" "meson setup $dir 失败"
        }
    fi
}

# build FOLDER TARGET...: ninja with a line of progress every ten seconds.
build() {
    local dir=$1 pid last
    shift
    ninja -C "$dir" -j "$(nproc)" "$@" >"$LF_LOG" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            sleep 1
            kill -0 "$pid" 2>/dev/null || break 2
        done
        last=$(grep -o '^\[[0-9]*/[0-9]*\]' "$LF_LOG" | tail -n 1)
        say "  compiling $last" "  编译中 $last"
    done
    wait "$pid" || {
        grep -E 'error|FAILED|undefined' -A 3 "$LF_LOG" | head -n 40 >&2
        die "the build in $dir failed; log: $LF_LOG" "$dir 构建失败；日志：$LF_LOG"
    }
}

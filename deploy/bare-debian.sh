#!/bin/bash
# deploy/bare-debian.sh [--test] [--keep] FOLDER - proof that a clone runs on a bare Debian 12.
#
# Makes a minimal Debian 12 in FOLDER (debootstrap), clones the committed state of
# this repository into it and runs there, with timings:
#
#   ./run --once                     with network
#   ./run --once                     again, without any network
#   ./run --once                     as a plain user, in a clone and a home of its own
#   ./test                           with --test
#
# The host's apt, pip and npm client settings and its certificates are copied, so
# that a machine behind a mirror works.  Needs root and the package debootstrap.
# The folder is removed when all went well, unless --keep.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build-logs
LF_LOG=$PWD/build-logs/bare-debian.log
# shellcheck source=deploy/lib.sh
. deploy/lib.sh

keep='' with_test='' root=''
for a in "$@"; do
    case "$a" in
    --keep) keep=1 ;;
    --test) with_test=1 ;;
    -*) die "unknown option $a" "未知选项 $a" ;;
    *) root=$a ;;
    esac
done
[ -n "$root" ] || die "name a folder to put Debian into" "请给出存放 Debian 的文件夹"
[ "$(id -u)" = 0 ] || die "this has to run as root" "需要以 root 运行"
command -v debootstrap >/dev/null || die "install debootstrap first" "请先安装 debootstrap"
mkdir -p "$root"
root=$(cd "$root" && pwd)

if [ ! -x "$root/bin/bash" ]; then
    say "debootstrap into $root" "debootstrap 到 $root"
    mirror=$(find /etc/apt -maxdepth 2 \( -name '*.list' -o -name '*.sources' \) -exec \
        sed -nE 's/^(URIs:|deb( \[[^]]*\])?) *(https?:[^ ]*debian)\/?( .*)?$/\3/p' {} + | sed -n 1p)
    debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} \
        >"$LF_LOG" 2>&1 || { tail -n 5 "$LF_LOG" >&2; die "debootstrap failed" "debootstrap 失败"; }
fi

say "client settings of this host" "本机的客户端配置"
rm -f "$root/etc/apt/sources.list"
# copy FILE FOLDER: into that folder of the new Debian, where there is such a file.
copy() {
    [ -e "$1" ] || return 0
    mkdir -p "$root$2"
    cp -aL "$1" "$root$2/" 2>/dev/null || true
}
for f in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/keyrings \
    /etc/pip.conf /etc/resolv.conf /etc/hosts /usr/local/share/ca-certificates /etc/ssl/certs; do
    copy "$f" "$(dirname "$f")"
done
# The settings of whoever runs this become those of the users in there.
user_settings() { # HOME-IN-THERE
    copy "$HOME/.npmrc" "$1"
    copy "$HOME/.config/pip" "$1/.config"
}
user_settings /root
# Hooks of the host's own packages have no business in there.
rm -f "$root"/etc/apt/apt.conf.d/{20packagekit,50appstream}
mkdir -p "$root/root/landfall"
if [ ! -d "$root/root/landfall/.git" ]; then
    git clone -q --no-hardlinks . "$root/root/landfall"
else
    git -C "$root/root/landfall" fetch -q "$PWD" HEAD
    git -C "$root/root/landfall" reset -q --hard FETCH_HEAD
fi
say "clone of $(git -C "$root/root/landfall" log --oneline -1)" \
    "克隆自 $(git -C "$root/root/landfall" log --oneline -1)"

# inside [--no-network] [--plain] COMMAND: in the new Debian as its own root, so that
# sandboxes can be made in there (a chroot alone forbids user namespaces).
inside() {
    local net=() home=/root
    [ "$1" != --no-network ] || { net=(--net); shift; }
    [ "$1" != --plain ] || { home=$plain_home; shift; }
    # shellcheck disable=SC2016 # expanded by the inner shell
    env -i HOME="$home" TERM=dumb LANG="${LANG:-C.UTF-8}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        PIP_CERT="${PIP_CERT:-}" SSL_CERT_FILE="${SSL_CERT_FILE:-}" NODE_EXTRA_CA_CERTS="${NODE_EXTRA_CA_CERTS:-}" \
        PIP_DEFAULT_TIMEOUT="${PIP_DEFAULT_TIMEOUT:-60}" \
        unshare --mount --pid --fork "${net[@]}" bash -c '
            set -e
            mount --bind "$0" "$0"
            cd "$0"
            mount -t proc proc proc
            mount --rbind /sys sys
            mount --rbind /dev dev
            mount -t tmpfs -o mode=1777 tmpfs tmp
            mkdir -p .host
            pivot_root . .host
            umount -l /.host
            [ ! -x /sbin/ip ] || /sbin/ip link set lo up || true
            cd "$HOME/landfall"
            [ "$HOME" = /root ] || as="setpriv --reuid 1000 --regid 1000 --clear-groups"
            exec ${as:-} bash -c "$1"' "$root" "$1"
}

# timed LABEL inside-arguments...
timed() {
    local label=$1 start=$SECONDS
    shift
    say "$label" "$label"
    inside "$@" || die "$label failed" "$label 失败"
    say "$label: $((SECONDS - start)) s" "$label：$((SECONDS - start)) 秒"
}

timed "first ./run --once" './run --once'
timed "second ./run --once, no network" --no-network './run --once'

# A user who may install nothing; the packages are there by now.
plain_home=/home/plain
mkdir -p "$root$plain_home"
rm -rf --one-file-system "$root$plain_home/landfall"
git clone -q --no-hardlinks "$root/root/landfall" "$root$plain_home/landfall"
user_settings "$plain_home"
grep -q '^plain:' "$root/etc/passwd" ||
    echo "plain:x:1000:1000::$plain_home:/bin/bash" >>"$root/etc/passwd"
chown -R 1000:1000 "$root$plain_home"
timed "./run --once as a plain user" --plain './run --once'

[ -z "$with_test" ] || timed "./test" './test'

[ -n "$keep" ] || rm -rf --one-file-system "$root"

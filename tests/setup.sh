#!/usr/bin/env bash
# Makes what building and running needs and a machine with Rust may lack: system
# packages, Python environments of the emulator and the hub. `setup.sh tests`
# makes what tests need besides: a browser and what moves it, cargo-deny.
# Whatever is there already is left alone, and a second run says nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum
deny_version=0.20.2
# The first that is there is taken, after the one that LYCEUM_BROWSER names.
browsers=(chromium google-chrome google-chrome-stable chromium-browser)
# The first that will do. The system's own is built to be fast: one compiled with
# no more than defaults takes half as long again for the emulator's work.
pythons=(/usr/bin/python3 python3)

say() { printf 'setup: %s\n' "$*" >&2; }

main() {
    mkdir -p "$cache"
    # Two runs at once would write into one environment.
    exec 9>"$cache/setup.lock"
    flock 9
    system_packages
    environment venv "$here/requirements.txt"
    # What the role jupyterhub carries, as its image has it.
    environment hub-venv "$here/../cookbooks/jupyterhub/files/image/requirements.txt"
    [ "${1:-}" = tests ] || return 0
    # What moves the browser; the browser itself is the machine's.
    environment browser-venv "$here/browser/requirements.txt"
    browser
    cargo_deny
}

system_packages() {
    local wanted=()
    command -v git >/dev/null || wanted+=(git)
    command -v cc >/dev/null || wanted+=(build-essential)
    command -v pkg-config >/dev/null || wanted+=(pkg-config)
    command -v make >/dev/null || wanted+=(make)
    # What the roles' small programs call.
    command -v openssl >/dev/null || wanted+=(openssl)
    command -v curl >/dev/null || wanted+=(curl)
    pkg-config --exists openssl 2>/dev/null || wanted+=(libssl-dev)
    find_python >/dev/null || wanted+=(python3-venv)
    # Nodes are containers, made from Debian's packages. A machine's own Docker
    # will do; where there is none, tests start docker.io's by themselves.
    docker version >/dev/null 2>&1 || [ -x /usr/sbin/dockerd ] || wanted+=(docker.io)
    [ -x /usr/sbin/iptables ] || wanted+=(iptables)
    command -v mmdebstrap >/dev/null || wanted+=(mmdebstrap)
    [ ${#wanted[@]} -eq 0 ] || install "${wanted[@]}"
}

find_python() {
    local name can='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    for name in "${pythons[@]}"; do
        "$name" -c "$can" 2>/dev/null && printf '%s\n' "$name" && return
    done
    return 1
}

install() {
    say "installing $*"
    as_root "$*" apt-get update -qq >&2
    as_root "$*" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

# The rest of the line, for which this is needed.
as_root() {
    local what=$1 root=()
    shift
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "missing: $what; install them as root and run again"; exit 1; }
        root=(sudo)
    fi
    "${root[@]}" "$@"
}

# An environment carries a copy of the list it was made from: another list means
# another environment. So does another version of its Python, which sees nothing
# that is in it.
environment() {
    local venv=$cache/$1 list=$2 python
    cmp -s "$list" "$venv/requirements.txt" && "$venv/bin/python" -c 'import pip' 2>/dev/null && return
    python=$(find_python) || { say 'Python 3.11 or newer with venv is needed, and apt has none'; exit 1; }
    say "making the Python environment $venv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$list" >&2
    cp "$list" "$venv/requirements.txt"
}

# People in tests look at the hub with it; browser/person.py reads which one it is.
browser() {
    local found
    if ! found=$(find_browser); then
        apt_has_browser || no_browser
        # Its text needs a font.
        install chromium fonts-dejavu-core
        found=$(find_browser) || no_browser
    fi
    printf '%s\n' "$found" > "$cache/browser-venv/browser"
}

find_browser() {
    local name path
    for name in ${LYCEUM_BROWSER:+"$LYCEUM_BROWSER"} "${browsers[@]}"; do
        path=$(type -P "$name") || continue
        if is_snap "$path" || ! "$path" --version >/dev/null 2>&1; then continue; fi
        realpath -s "$path"
        return
    done
    return 1
}

# A snap sees neither the profile that a test makes for it nor root's files.
# Ubuntu's package is a script that calls the snap.
is_snap() {
    case $(readlink -f "$1") in
    /snap/* | */bin/snap) return 0 ;;
    esac
    [ "$(head -c 2 "$1" | tr -d '\0')" = '#!' ] && grep -q '/snap/' "$1"
}

# Whether apt has one that is no snap.
apt_has_browser() {
    command -v apt-get >/dev/null || return 1
    as_root chromium apt-get update -qq >&2
    local version
    version=$(LC_ALL=C apt-cache policy chromium | sed -n 's/^  Candidate: //p')
    [ -n "$version" ] && [ "$version" != '(none)' ] && [[ $version != *snap* ]]
}

no_browser() {
    say 'no browser for the tests, and apt has none that is not a snap: install Google Chrome' \
        'from google.com/chrome (the .deb), or name a Chromium with LYCEUM_BROWSER'
    exit 1
}

cargo_deny() {
    local bin=$cache/tools/bin/cargo-deny
    [ -x "$bin" ] && [ "$("$bin" --version)" = "cargo-deny $deny_version" ] && return
    say "building cargo-deny $deny_version (a few minutes, once)"
    CARGO_TARGET_DIR=$cache/tools/target cargo install cargo-deny \
        --version "$deny_version" --locked --quiet --force --root "$cache/tools" >&2
    rm -rf "$cache/tools/target"
}

main "$@"

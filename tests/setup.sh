#!/usr/bin/env bash
# Makes what building and testing needs and a machine with Rust may lack: system
# packages, Python environments of the emulator, the hub and the browser, a
# browser, cargo-deny.
# Whatever is there already is left alone, and a second run says nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lyceum
deny_version=0.20.2

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
    # What moves the browser; the browser itself is Debian's.
    environment browser-venv "$here/browser/requirements.txt"
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
    python3 -c 'import venv, ensurepip' 2>/dev/null || wanted+=(python3-venv)
    # Nodes are containers, made from Debian's packages. A machine's own Docker
    # will do; where there is none, tests start docker.io's by themselves.
    docker version >/dev/null 2>&1 || [ -x /usr/sbin/dockerd ] || wanted+=(docker.io)
    [ -x /usr/sbin/iptables ] || wanted+=(iptables)
    command -v mmdebstrap >/dev/null || wanted+=(mmdebstrap)
    # People in tests look at the hub with it. Its text needs a font.
    [ -x /usr/bin/chromium ] || wanted+=(chromium fonts-dejavu-core)
    [ ${#wanted[@]} -eq 0 ] || install "${wanted[@]}"
}

install() {
    say "installing $*"
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "missing: $*; install them and run again"; exit 1; }
        root=(sudo)
    fi
    "${root[@]}" apt-get update -qq >&2
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

# An environment carries a copy of the list it was made from: another list means
# another environment.
environment() {
    local venv=$cache/$1 list=$2
    cmp -s "$list" "$venv/requirements.txt" && return
    say "making the Python environment $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$list" >&2
    cp "$list" "$venv/requirements.txt"
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

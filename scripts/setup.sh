#!/bin/sh
# Installs what is missing on a Debian machine that has Rust and a C compiler.
#
#   scripts/setup.sh        what building and running need
#   scripts/setup.sh test   what the tests need, too
#
# Nothing is touched that is there already, so that it costs nothing to run it every time.
set -eu

# The version that deny.toml was written for.
deny_version=0.20.2

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

packages=
want() { packages="$packages $1"; }

have pkg-config || want pkg-config
if ! have pkg-config || ! pkg-config --exists openssl; then
    want libssl-dev
fi
[ -e /etc/ssl/certs/ca-certificates.crt ] || want ca-certificates
have openssl || want openssl
have curl || want curl
if [ "${1:-}" = test ]; then
    have xmllint || want libxml2-utils
    have git || want git
    # For the programs that others wrote (scripts/foreign.sh).
    python3 -c 'import ensurepip, venv' 2>/dev/null || want 'python3 python3-venv'
    # For the test of the simulator's page.
    have chromium || want chromium
    have node || want nodejs
    have npm || want npm
    # For the test in network namespaces, which needs root.
    if [ "$(id -u)" = 0 ]; then
        have ip || want iproute2
        have ethtool || want ethtool
    fi
    # The fuzz targets' runtime is C++.
    if [ -e fuzz/Cargo.toml ]; then
        have c++ || want g++
    fi
fi

if [ -n "$packages" ]; then
    say "installing$packages"
    have apt-get || fail "there is no apt-get here; install by hand what these Debian packages hold:$packages"
    [ "$(id -u)" = 0 ] || fail "run this as root once: apt-get install$packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    # shellcheck disable=SC2086 # a list of words
    apt-get -qq install --yes --no-install-recommends $packages >&2
fi

have cc || have gcc || have clang || fail "there is no C compiler: apt-get install gcc libc6-dev"
have cargo || fail "there is no Rust: https://rustup.rs installs it"

if [ "${1:-}" = test ]; then
    # What the programs of others need (docs/foreign-clients.md).
    node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' ||
        fail "node is $(node --version); the tests need 18 or later"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "python3 is $(python3 --version); the tests need 3.11 or later"
    for component in rustfmt clippy; do
        case $component in
            rustfmt) tool=fmt ;;
            clippy) tool=clippy ;;
        esac
        if ! cargo "$tool" --version >/dev/null 2>&1; then
            have rustup || fail "cargo $tool is missing, and there is no rustup to install it with"
            rustup component add "$component"
        fi
    done
    if ! have cargo-deny; then
        say "installing cargo-deny, which takes some minutes, once"
        cargo install --quiet --locked --version "$deny_version" cargo-deny
    fi
    # What drives the browser; nothing that runs when it is installed.
    browser=target/browser
    if ! cmp -s tests/browser/package-lock.json "$browser/package-lock.json" ||
        [ ! -e "$browser/node_modules/playwright-core" ]; then
        say "installing what drives the browser"
        mkdir -p "$browser"
        cp tests/browser/package.json tests/browser/package-lock.json "$browser/"
        (cd "$browser" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    fi
fi

#!/bin/sh
# Points programs that nobody here wrote at the gateway and the simulator (docs/foreign-clients.md).
#
#   scripts/foreign.sh                 all of them
#   scripts/foreign.sh -k zeep         those that pytest chooses so
#
# The programs are installed in target/foreign, from lists with a hash for each file
# (tests/foreign/requirements.txt and package-lock.json), and only when these have changed.
# MLANGO_BIN names the program under test; without it, it is built.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'foreign: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

here=$PWD/tests/foreign
place=$PWD/target/foreign
venv=$place/venv
node=$place/node
mkdir -p "$place"

# Runs the rest of its words unless NAME was made of exactly these files and this program before.
once() {
    name=$1 made=$2
    shift 2
    mark=$place/$name.made
    if [ ! -e "$mark" ] || [ "$(cat "$mark")" != "$made" ]; then
        say "installing the $name programs"
        rm -f "$mark"
        "$@" || fail "they could not be installed: is there a way to the registry?"
        printf '%s\n' "$made" > "$mark"
    fi
}

install_python() {
    rm -rf "$venv"
    python3 -m venv "$venv" || fail "python3 makes no venv: apt-get install python3-venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --only-binary :all: -r "$here/requirements.txt"
}

install_node() {
    rm -rf "$node"
    mkdir -p "$node"
    cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$node"
    (cd "$node" && npm ci --silent --ignore-scripts --no-audit --no-fund)
}

sum() { cat "$@" | sha256sum | cut -d ' ' -f 1; }
once Python "$(python3 --version) $(sum "$here/requirements.txt")" install_python
once Node "$(node --version) $(sum "$here/package-lock.json")" install_node

if [ -z "${MLANGO_BIN:-}" ]; then
    cargo build --locked --quiet --bin mlango
fi
export FOREIGN_NODE_MODULES="$node/node_modules"
# Addresses of this machine are not asked of a proxy.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
exec "$venv/bin/python" -B -m pytest -q -p no:cacheprovider --durations=5 "$here" "$@"

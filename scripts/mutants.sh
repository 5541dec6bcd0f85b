#!/bin/sh
# Breaks the code on purpose, in one small way at a time, and looks whether a test goes red.
#
#   scripts/mutants.sh [domain | engine] [options of cargo mutants]
#
# Without a room it is both, one after the other, which takes hours. `domain` breaks src/domain and
# runs its own tests and the tables; `engine` breaks src/engine and runs its own tests and
# tests/engine. So that each of many hundred mutants takes seconds and not minutes, a house is built
# with only the rooms that these name: the same files, copied.
# docs/mutants.md has the last result, and the reason for every mutant that no test catches.
set -eu

version=27.1.0

say() { printf 'mutants: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

cd "$(dirname "$0")/.."
cargo mutants --version >/dev/null 2>&1 || fail "cargo-mutants is missing. \
Install it with: cargo install --locked --version $version cargo-mutants"

case ${1:-} in
    domain | engine)
        room=$1
        shift
        ;;
    *)
        for room in domain engine; do
            # 2 and 3 say that mutants were missed or ran too long: docs/mutants.md says which may.
            code=0
            sh scripts/mutants.sh "$room" "$@" || code=$?
            case $code in 0 | 2 | 3) ;; *) exit "$code" ;; esac
        done
        exit 0
        ;;
esac

house=${MUTANTS_DIR:-target/mutants}/$room
mkdir -p "$house"
house=$(cd "$house" && pwd)
rm -rf "$house/src" "$house/tests" "$house/mutants.out.old"
mkdir -p "$house/src" "$house/tests" "$house/.cargo"

# The same dependencies at the same versions, as far as these rooms need them.
need() {
    sed -n '/^\[package\]/,/^rust-version/p' Cargo.toml
    printf '\n[dependencies]\n'
    sed -n '/^\[dependencies\]/,/^$/p' Cargo.toml | grep -E "^($1) = "
    printf '\n[dev-dependencies]\n'
    sed -n '/^\[dev-dependencies\]/,/^$/p' Cargo.toml | grep -E '^(proptest|tokio) = '
    printf '\n[profile.dev]\ndebug = false\n\n[workspace]\n'
}

case $room in
    domain)
        need 'chrono|serde|sha2|thiserror' >"$house/Cargo.toml"
        printf 'pub mod domain;\n' >"$house/src/lib.rs"
        cp -R src/domain "$house/src/"
        cp -R tests/payout_table.rs tests/law_table.rs tests/domain_words.rs tests/inquiry_rules \
            tests/payment_table.rs tests/payment_rules tests/inquiry_table tests/text_table.rs \
            "$house/tests/"
        ;;
    engine)
        need 'bytes|chrono|serde|thiserror|tokio|tokio-util|tracing|sha2|crc32fast|postcard|lz4_flex' \
            >"$house/Cargo.toml"
        printf 'pub mod clock;\npub mod domain;\npub mod engine;\npub mod store;\npub mod telemetry;\n' \
            >"$house/src/lib.rs"
        cp -R src/clock.rs src/domain src/engine src/store src/telemetry "$house/src/"
        cp -R tests/engine "$house/tests/"
        # What these leave out needs the rooms that are left out: the store on the disk, the log's
        # own configuration, the rail on a socket.
        rm -r "$house/src/store/sled" "$house/src/store/sled.rs" "$house/src/telemetry/log.rs" \
            "$house/tests/engine/rail.rs"
        sed -i '/^pub mod sled;$/d' "$house/src/store/mod.rs"
        sed -i '/^pub mod log;$/d' "$house/src/telemetry/mod.rs"
        sed -i '/^mod rail;$/d' "$house/tests/engine/main.rs"
        ;;
esac
cp Cargo.lock "$house/"
cp .cargo/mutants.toml "$house/.cargo/"

# Files that are named stand in place of the whole room.
files="-f src/$room/**"
case " $* " in *" -f "*) files= ;; esac

# Fewer cases of the random tests: each mutant gets the same ones.
export MLANGO_CASES="${MLANGO_CASES:-10}" PROPTEST_CASES="${PROPTEST_CASES:-64}"
cd "$house"
# shellcheck disable=SC2086
set -f
exec cargo mutants --in-place --no-shuffle --minimum-test-timeout 60 --cap-lints=true $files "$@"

#!/bin/sh
# Plants bugs, one after the other, and says which layer of the proof caught each.
#
#   scripts/planted.sh            all of tests/planted
#   scripts/planted.sh 04 09      those whose names begin so
#   LAYERS="table seeds" …        only these of the layers: table model engine crash seeds store
#
# Each bug is applied to a copy of the last commit; the layers' tests are built and run there. It ends
# with 1 when a bug was caught by no layer, or could not be planted any more.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target/planted}"
copy=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$copy/tree" 2>/dev/null || true; rm -rf "$copy"' EXIT
git -C "$root" worktree add --quiet --detach "$copy/tree" HEAD
cd "$copy/tree"

layers=${LAYERS:-table model engine crash seeds store}

tables="payout_table inquiry_rules payment_table payment_rules inquiry_table text_table"
targets=
for layer in $layers; do
    case "$layer" in
    table) for test in $tables; do targets="$targets --test $test"; done ;;
    crash | seeds) targets="$targets --test whole" ;;
    *) targets="$targets --test $layer" ;;
    esac
done

# A layer that hangs has noticed something, too: it is stopped and counts as red.
runs() {
    if timeout 600 cargo test --locked --quiet "$@" >"$copy/log" 2>&1; then
        printf ' . '
    else
        printf ' X '
        caught=yes
    fi
}

look() {
    for layer in $layers; do
        case "$layer" in
        table)
            of_tables=
            for test in $tables; do of_tables="$of_tables --test $test"; done
            # shellcheck disable=SC2086
            runs $of_tables
            ;;
        model) runs --test model -- with_every_fault ;;
        engine) runs --test engine ;;
        crash) runs --test whole -- whatever_point ;;
        seeds) MLANGO_SEEDS=${MLANGO_SEEDS:-100} runs --test whole -- the_book ;;
        store) runs --test store -- power:: disk:: full:: kill:: lives:: ;;
        esac
    done
}

echo "X: caught, by these layers in this order: $layers"
broken=
total=0
found=0
for patch in tests/planted/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ]; then
        wanted=
        for prefix in "$@"; do
            case "$name" in "$prefix"*) wanted=yes ;; esac
        done
        [ -n "$wanted" ] || continue
    fi
    total=$((total + 1))
    if ! git apply --recount "$patch" 2>"$copy/log"; then
        broken="$broken $name(cannot be planted)"
        continue
    fi
    caught=
    # shellcheck disable=SC2086
    if cargo test --locked --quiet --no-run $targets >"$copy/log" 2>&1; then
        look
    else
        broken="$broken $name(does not build)"
    fi
    git checkout --quiet -- src
    if [ -n "$caught" ]; then
        found=$((found + 1))
    fi
    echo " $name: $(head -n 1 "$patch")"
done
echo "$found of $total planted bugs were caught"
if [ -n "$broken" ]; then
    echo "these need another look:$broken" >&2
fi
[ "$found" -eq "$total" ]

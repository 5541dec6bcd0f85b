#!/bin/sh
# Cuts the power of a real filesystem, again and again, while the store writes to it, and looks for
# what was acknowledged and is gone.
#
#   scripts/power-loss.sh [ROUNDS] [SEED]     20 rounds, unless told
#
# An ext4 on a loop device is shut down at a random moment (FS_IOC_SHUTDOWN without a flush of its
# journal), which forgets whatever the kernel has not written to the image. The store begins on the
# same filesystem after every cut. Needs root and the right to mount; where that is missing it says
# so and ends well. Exit 1 when anything that was acknowledged is lost.
set -eu

rounds=${1:-20}
seed=${2:-$$}
cargo=${CARGO:-cargo}

say() { printf 'power-loss: %s\n' "$*"; }
skip() { say "skipped: $*"; exit 0; }
have() { command -v "$1" >/dev/null 2>&1; }

[ "$(id -u)" = 0 ] || skip "only root may mount a filesystem"
for tool in mkfs.ext4 fsck.ext4 mount umount python3; do
    have "$tool" || skip "$tool is missing"
done

place=$(mktemp -d)
image=$place/image
disk=$place/disk
acknowledged=$place/acknowledged
child=
clean() {
    [ -z "$child" ] || kill -9 "$child" 2>/dev/null || :
    umount "$disk" 2>/dev/null || umount -l "$disk" 2>/dev/null || :
    rm -rf "$place"
}
trap clean EXIT
trap 'exit 130' INT TERM

mkdir "$disk"
truncate -s 512M "$image"
mkfs.ext4 -q -F "$image"
mount -o loop "$image" "$disk" 2>/dev/null || skip "this machine lets nobody mount a loop device"

# FS_IOC_SHUTDOWN with FS_IOC_GOFLAGS_NOLOGFLUSH.
shut_down() {
    python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))' "$1"
}

# Pauses of 0.3 to 2.3 seconds that follow from the seed.
pause() {
    awk -v seed="$seed" -v round="$1" 'BEGIN { srand(seed * 1000 + round); print 0.3 + 2 * rand() }'
}

say "building"
test=$("$cargo" test --locked --test store --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\/store-[^"]*\)".*/\1/p' | tail -n 1)
[ -x "$test" ] || { say "the test does not build"; exit 1; }

losses=0
total=0
: >"$acknowledged"
round=1
say "seed $seed, $rounds rounds"
while [ "$round" -le "$rounds" ]; do
    MLANGO_TEST_STORE_DIR="$disk/data" MLANGO_TEST_STORE_FIRST="${round}000000" \
        "$test" --exact kill::writes_until_it_is_killed --ignored --nocapture \
        >"$place/said" 2>"$place/err" &
    child=$!
    sleep "$(pause "$round")"
    shut_down "$disk" || skip "this kernel does not shut filesystems down"
    # It finds its disk gone, and may end by itself.
    sleep 0.1
    kill -9 "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null || :
    child=
    # Only whole lines: the last may have been cut.
    grep -E '^acknowledged [0-9]+ [0-9]+$' "$place/said" >"$place/fresh" || :
    cat "$place/fresh" >>"$acknowledged"
    count=$(wc -l <"$place/fresh")
    total=$((total + count))
    umount "$disk"
    fsck.ext4 -p -f "$image" >"$place/fsck" 2>&1 || [ $? -le 1 ] || {
        say "round $round: the filesystem itself is damaged"
        cat "$place/fsck"
        exit 1
    }
    mount -o loop "$image" "$disk"
    if RUST_BACKTRACE=0 MLANGO_TEST_STORE_DIR="$disk/data" MLANGO_TEST_STORE_ACKNOWLEDGED="$acknowledged" \
        "$test" --exact kill::everything_acknowledged_is_there --ignored --nocapture \
        >"$place/checked" 2>&1; then
        say "round $round: $count acknowledged, all there"
    else
        losses=$((losses + 1))
        say "round $round: $count acknowledged, and not all there:"
        grep -A 9 'panicked at' "$place/checked" | head -n 10
        # The next round begins anew, so that each loss is counted once.
        rm -rf "$disk/data"
        : >"$acknowledged"
    fi
    # Small enough to read whole after every round.
    if [ $((round % 5)) = 0 ]; then
        rm -rf "$disk/data"
        : >"$acknowledged"
    fi
    round=$((round + 1))
done
say "seed $seed: $rounds power cuts, $total acknowledgements, $losses with a loss"
[ "$losses" = 0 ]

#!/bin/sh
# Buildroot, when the root is packed: hashes, initrd, signed FIT, disk.
# Usage: post-image.sh BINARIES_DIR BOARD
#
# In BINARIES_DIR afterwards: root.verity and kernel.fit, which are a slot and go into an update; disk.img, for flashing;
# root-hash; sizes, in bytes.
set -eu
images=$1 board=$2
here=$(cd "$(dirname "$0")" && pwd)
external=$(cd "$here/../.." && pwd)
PATH=$HOST_DIR/bin:$HOST_DIR/sbin:$PATH
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$external/../pyproject.toml")
work=$BUILD_DIR/conclave-image
rm -rf "$work"
mkdir -p "$work"
# shellcheck source=/dev/null
. "$here/../$board/board.conf"

"$here/append-hashes" "$images/rootfs.squashfs" "$images/root.verity" "$images/root-hash"

"$here/initrd" "$TARGET_DIR" "$images/root-hash" "$work/initrd"

gzip -9 -n -c "$images/Image" >"$work/Image.gz"
keys=$("$here/boot-keys" "$CONFIG_DIR")
# shellcheck disable=SC2086  # a list
"$here/fit" "$images/kernel.fit" "$keys" "$version" "$work/Image.gz" "$LOAD" "$work/initrd" "$images" $DEVICE_TREES

if [ -x "$here/../$board/prepare-disk" ]; then
    "$here/../$board/prepare-disk" "$images"
fi
"$here/genimage-config" "$board" >"$work/genimage.cfg"
mkdir "$work/empty"
genimage --rootpath "$work/empty" --tmppath "$work/genimage" --inputpath "$images" --outputpath "$images" \
    --config "$work/genimage.cfg"

(cd "$images" && stat -c '%s %n' rootfs.squashfs root.verity kernel.fit Image disk.img) | tee "$images/sizes"

#!/bin/sh
# Makes a bare Debian 12 able to run one of the make targets: names and installs the
# Debian packages it lacks, then builds .venv from the lock file.
# Usage: tests/setup.sh run|test|peers|vm|image|firmware
set -eu
cd "$(dirname "$0")/.."

base="python3 python3-venv python3-systemd dbus-daemon pebble ca-certificates"
# Places for keys: a TPM and a token, both simulated, and the library that speaks to the first.
keys="swtpm libtss2-tcti-swtpm0 python3-tpm2-pytss softhsm2"
# The admin's way into a room.
admin="openssh-server openssh-client systemd-journal-remote groff-base"
# Reads the scripts of the device, and judges what its daemon may start.
scripts="shellcheck polkitd libglib2.0-bin systemd"
# A disk that is looked at as a thief would.
disks="fdisk e2fsprogs"
# What judges bundles of firmware, and packs them.
updates="rauc squashfs-tools"
browser="chromium"
# The voice that reads the security code aloud.
voice="espeak-ng"
# What the loudspeaker's driver plays with.
sound="alsa-utils"
# A controller of character LCDs that is not ours.
lcd="lcdproc"
# For the panel: digits that are not mistaken, and letters beyond Latin, joined as they are read.
fonts="fonts-b612 fonts-dejavu-core fonts-droid-fallback fonts-lohit-deva libfribidi0"
# To compare structures and numbers with the kernel's own headers.
headers="gcc libc6-dev libdrm-dev"
# A second kind of CA, and a DNS server that takes updates.
servers="caddy knot"
# For the other MLS stacks' programs; Rust and Node.js in Debian 12 are too old for them.
compilers="gcc libc6-dev cmake pkg-config libssl-dev"
# A small virtual machine, and what reads the screen that it shows.
machine="qemu-system-x86 tesseract-ocr v4l-utils"
# The device's image: Debian for ARM64 is put together with its programs emulated, then packed, verified and booted.
image="mmdebstrap uidmap arch-test qemu-user-static binfmt-support squashfs-tools cryptsetup-bin kmod fdisk cpio"
image="$image systemd binutils xz-utils rauc u-boot-qemu u-boot-tools device-tree-compiler gcc-12-aarch64-linux-gnu"
image="$image make fakeroot qemu-system-arm swtpm openssh-client iproute2 tesseract-ocr"
# Buildroot's configurations and scripts, and what genimage makes of them; what Buildroot itself asks of a machine.
firmware="genimage u-boot-tools device-tree-compiler cryptsetup-bin fdisk dosfstools mtools cpio binutils openssl"
firmware="$firmware shellcheck python3-flake8 python3-magic make gcc g++ libc6-dev flex bison bc file perl patch rsync unzip"
firmware="$firmware wget"
case "${1:-run}" in
    run) wanted="$base" ;;
    test) wanted="$base $keys $admin $scripts $disks $updates $servers $browser $voice $sound $lcd $fonts $headers" ;;
    peers) wanted="$base $compilers" ;;
    vm) wanted="$base $fonts $sound $machine" ;;
    image) wanted="$base $fonts $image" ;;
    firmware) wanted="$base $firmware" ;;
    *) echo "usage: tests/setup.sh run|test|peers|vm|image|firmware" >&2; exit 2 ;;
esac

missing=""
for package in $wanted; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    root=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "conclave: these Debian packages are missing:$missing" >&2
            echo "conclave: run as root, or install sudo, or: apt-get install$missing" >&2
            exit 1
        }
        root=sudo
    fi
    echo "conclave: installing Debian packages:$missing"
    # Tests start servers of their own on loopback. Nothing that comes along here is to serve this machine.
    guard=/usr/sbin/policy-rc.d
    if [ ! -e $guard ]; then
        trap '$root rm -f $guard' EXIT
        printf '#!/bin/sh\nexit 101\n' | $root tee $guard >/dev/null
        $root chmod 755 $guard
    fi
    log=$(mktemp)
    # shellcheck disable=SC2086  # the list is meant to split; sudo is meant to vanish when empty
    if ! { $root apt-get update -q && $root env DEBIAN_FRONTEND=noninteractive apt-get install \
            -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        echo "conclave: apt-get failed; its whole output is in $log" >&2
        exit 1
    fi
    rm -f "$log"
    if [ -d /run/systemd/system ]; then
        for server in openssh-server:ssh caddy:caddy knot:knot lcdproc:LCDd lcdproc:lcdproc; do
            case "$missing " in
                *" ${server%%:*} "*) $root systemctl disable --now -q "${server##*:}" ;;
            esac
        done
    fi
fi

# Where the cache has no Debian for ARM64 yet, its programs have to run here; a build says so where they do not.
if [ "${1:-run}" = image ] && ! arch-test arm64 >/dev/null 2>&1; then
    root=""
    [ "$(id -u)" = 0 ] || root=sudo
    [ -e /proc/sys/fs/binfmt_misc/register ] ||
        $root mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc || true
    $root update-binfmts --enable qemu-aarch64 || true
fi

# The system's own Python, so that Debian's python3-systemd is visible: PyPI has no wheel of it.
python=${PYTHON:-/usr/bin/python3}
stamp=.venv/ready
# LOCK: another resolution (tests/py314.sh). It is whole, and pip is not to find fault with what Buildroot combines.
lock=${LOCK:-requirements.lock}
key=$(cat "$lock" pyproject.toml tests/setup.sh | sha256sum | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$key" ]; then
    echo "conclave: building .venv from $lock (about half a minute)"
    rm -rf .venv
    "$python" -m venv --system-site-packages .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes --ignore-installed \
        ${LOCK:+--no-deps} -r "$lock"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
    echo "$key" >"$stamp"
fi

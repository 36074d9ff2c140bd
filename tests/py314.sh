#!/bin/sh
# Runs the suite under Python 3.14 with the versions that the device has (buildroot/requirements.lock), in a Debian sid
# of its own, which has that Python. Needs root and mmdebstrap; words go to pytest.
# Usage: tests/py314.sh [PYTEST_WORDS...]
set -eu
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/conclave/py314
root=$cache/root

if [ "$(id -u)" != 0 ]; then
    echo "not proven: tests/py314.sh makes a chroot, and needs root for it" >&2
    exit 1
fi
if ! command -v mmdebstrap >/dev/null; then
    echo "not proven: mmdebstrap is not installed: tests/setup.sh image" >&2
    exit 1
fi
if [ ! -e "$cache/made" ]; then
    echo "conclave: a Debian sid for Python 3.14, once"
    rm -rf "$root"
    mkdir -p "$cache"
    # A mirror that is behind has a list of packages that is too old for apt, and packages that are signed all the same.
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=python3,python3-venv,ca-certificates,git,make,procps sid "$root"
    touch "$cache/made"
fi

# The checkout as it lies there, without what git ignores; the virtual environment of an earlier run stays.
rm -rf "$cache/checkout"
mkdir -p "$cache/checkout"
git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null |
    tar -c -T - | tar -x -C "$cache/checkout"
if [ -d "$root/conclave/.venv" ]; then
    mv "$root/conclave/.venv" "$cache/checkout/.venv"
fi
rm -rf "$root/conclave"
mv "$cache/checkout" "$root/conclave"
for file in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
    cp "$file" "$root$file"
done

# The CA that tests talk to is the one that they were written for: a newer one offers and refuses other things.
for program in pebble pebble-challtestsrv; do
    if found=$(command -v "$program"); then
        cp "$found" "$root/usr/local/bin/"
    fi
done

# Mounts of its own, which end with it.
cat >"$root/conclave/.py314" <<'END'
set -eu
# A mount point of its own: programs in it make namespaces, which want one for their root.
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmp "$1/tmp"
mount -t tmpfs run "$1/run"
root=$1
shift
exec chroot "$root" /bin/sh -c 'cd /conclave && export LOCK=buildroot/requirements.lock HOME=/root &&
    mkdir -p /run/sshd && tests/setup.sh test && .venv/bin/python --version &&
    exec .venv/bin/python -m pytest -q -m "not e2e and not peers and not image" "$@"' py314 "$@"
END
exec unshare --mount --pid --fork sh "$root/conclave/.py314" "$root" "$@"

#!/bin/sh
# Buildroot, before it packs the root: what is left out, what the read-only root needs, and which release it is.
# Usage: post-build.sh TARGET_DIR BOARD
set -eu
to=${1:?}
external=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$external/../pyproject.toml")

# /etc cannot be written on the device: the machine's id is mounted over, names come from resolved, mounts from the
# initrd.
: >"$to/etc/machine-id"
rm -f "$to/var/lib/dbus/machine-id"
ln -sfn ../run/systemd/resolve/stub-resolv.conf "$to/etc/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 room\n' >"$to/etc/hosts"
echo '# The initrd mounts what there is.' >"$to/etc/fstab"

# sshd's settings are those of systemd/ssh. Its keys are the device's own (conclave-firstboot.service).
echo 'Include /etc/ssh/sshd_config.d/*.conf' >"$to/etc/ssh/sshd_config"
rm -f "$to"/etc/ssh/ssh_host_*

# What programs bring and a room never uses.
for unused in \
    etc/init.d etc/network etc/profile.d/umask.sh \
    usr/lib/python3.*/ensurepip usr/lib/python3.*/idlelib usr/lib/python3.*/lib2to3 \
    usr/lib/python3.*/pydoc_data usr/lib/python3.*/test usr/lib/python3.*/turtledemo \
    usr/lib/python3.*/unittest usr/lib/python3.*/venv usr/lib/python3.*/config-3.* \
    usr/lib/python3.*/site-packages/*/test usr/lib/python3.*/site-packages/*/tests \
    usr/bin/acme usr/bin/idle3* usr/bin/normalizer usr/bin/pydoc3* usr/bin/pygmentize \
    usr/lib/systemd/network/dhcp.network \
    usr/share/bash-completion usr/share/zsh usr/share/locale \
    usr/share/sounds usr/share/alsa/speaker-test; do
    # shellcheck disable=SC2086  # patterns are meant to spread
    rm -rf "${to:?}"/$unused
done

# No program's name is a word for "install".
rm -f "$to"/usr/bin/pip* "$to"/usr/bin/easy_install*

# RAUC refuses bundles for another board.
sed -i "s/@COMPATIBLE@/conclave-${2:?}/" "$to/etc/rauc/system.conf"

# Which release this is; Buildroot's own lines stay.
release=$to/usr/lib/os-release
grep -v -e '^PRETTY_NAME=' -e '^IMAGE_ID=' -e '^IMAGE_VERSION=' "$release" >"$release.new"
printf 'PRETTY_NAME="Conclave %s"\nIMAGE_ID=conclave\nIMAGE_VERSION="%s"\n' "$version" "$version" >>"$release.new"
mv "$release.new" "$release"

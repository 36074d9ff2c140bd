#!/bin/sh
# Buildroot, as root of the packed tree: accounts by sysusers.d, and /var as a first boot finds it.
# Usage: post-fakeroot.sh TARGET_DIR BOARD
set -eu
to=${1:?}

"$HOST_DIR/bin/systemd-sysusers" --root="$to"
# Accounts are as old as the source, not as the day of the build.
days=$((${SOURCE_DATE_EPOCH:?is set by BR2_REPRODUCIBLE} / 86400))
for table in "$to/etc/shadow" "$to/etc/shadow-"; do
    [ ! -e "$table" ] || sed -i "s/^\([^:]*:[^:]*\):[^:]*/\1:$days/" "$table"
done

# /var is the data partition. The initrd copies this to a blank one; tmpfiles.d and StateDirectory= make the rest.
rm -rf "${to:?}/var" "$to/usr/share/factory/var"
factory=$to/usr/share/factory/var
install -d -m 0755 "$to/var" "$factory" "$factory/cache" "$factory/lib" "$factory/lib/systemd" "$factory/log" \
    "$factory/spool"
install -d -m 0700 "$factory/cache/private" "$factory/lib/private" "$factory/log/private"
install -d -m 1777 "$factory/tmp"
ln -s /run "$factory/run"
ln -s /run/lock "$factory/lock"

# The home of sshd's account, which is to be empty and root's (sshd(8), /var/empty): on a partition that lives on it
# might not stay so.
install -d -m 0755 "$to/usr/share/empty"
sed -i 's,^\(sshd:.*\):/var/empty:,\1:/usr/share/empty:,' "$to/etc/passwd"

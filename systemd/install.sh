#!/bin/sh
# Installs all of this folder into a root file system; the one list of what goes where.
# Usage: systemd/install.sh DESTDIR
#
# Afterwards, in this order: systemd-sysusers --root=DESTDIR, systemctl --root=DESTDIR preset-all.
set -eu
if [ $# -ne 1 ]; then
    echo "usage: systemd/install.sh DESTDIR" >&2
    exit 2
fi
cd "$(dirname "$0")"
to=${1%/}

# put MODE FOLDER FILE...: keeps the names. name MODE TARGET FILE: gives one.
put() {
    mode=$1 folder=$to$2
    shift 2
    install -d -m 0755 "$folder"
    install -m "$mode" -t "$folder" "$@"
}
name() {
    install -d -m 0755 "$to${2%/*}"
    install -m "$1" "$3" "$to$2"
}

put 0755 /usr/bin bin/conclavectl bin/conclaved ssh/conclave-shell
put 0755 /usr/libexec/conclave libexec/*
put 0644 /usr/lib/systemd/system system/*
put 0644 /usr/lib/systemd/system-preset preset/50-conclave.preset
put 0644 /usr/lib/udev/rules.d udev/70-conclave.rules
put 0644 /usr/share/polkit-1/rules.d polkit/50-conclave.rules
put 0644 /usr/share/dbus-1/system.d dbus/org.conclave.Room1.conf dbus/org.conclave.rauc.conf
put 0644 /usr/share/dbus-1/system-services dbus/org.conclave.Room1.service
put 0644 /usr/lib/sysctl.d sysctl.d/70-conclave.conf
put 0644 /usr/lib/sysusers.d sysusers.d/conclave.conf
put 0644 /usr/lib/tmpfiles.d tmpfiles.d/conclave.conf
put 0644 /etc/ssh/sshd_config.d ssh/05-conclave-device.conf ssh/10-conclave.conf

name 0644 /usr/lib/systemd/system.conf.d/50-conclave.conf conf/system.conf
name 0644 /usr/lib/systemd/journald.conf.d/50-conclave.conf conf/journald.conf
name 0644 /usr/lib/systemd/system/systemd-random-seed.service.d/50-conclave.conf conf/random-seed.conf
name 0644 /usr/lib/systemd/system/rauc.service.d/50-conclave.conf conf/rauc.conf
# Debian's name of the unit, and everybody else's.
name 0644 /usr/lib/systemd/system/ssh.service.d/50-conclave.conf conf/sshd.conf
name 0644 /usr/lib/systemd/system/sshd.service.d/50-conclave.conf conf/sshd.conf

# Shut off, because these would start without being enabled, by a generator, by the bus or by a key:
# logins at a screen or a serial line;
shut="getty@ serial-getty@ console-getty container-getty@ autovt@ debug-shell"
# sessions and service managers of people, of whom there is one, who gets one program;
shut="$shut systemd-logind user@ user-runtime-dir@"
# changes of name, language and time past the daemon, and of what is in the verified root;
shut="$shut systemd-hostnamed systemd-localed systemd-timedated systemd-firstboot systemd-machine-id-commit"
# other machines' programs; lists of who is logged in; network settings on the kernel's command line;
shut="$shut systemd-binfmt systemd-update-utmp systemd-update-utmp-runlevel systemd-network-generator"
# what looks into the kernel or is of no use here.
shut_too="ctrl-alt-del.target proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount sys-kernel-tracing.mount
    dev-hugepages.mount sys-fs-fuse-connections.mount"
install -d -m 0755 "$to/etc/systemd/system"
for unit in $shut; do
    ln -sfn /dev/null "$to/etc/systemd/system/$unit.service"
done
for unit in $shut_too; do
    ln -sfn /dev/null "$to/etc/systemd/system/$unit"
done

# The mixer is the daemon's: levels that an earlier run left behind are not brought back.
install -d -m 0755 "$to/etc/udev/rules.d"
ln -sfn /dev/null "$to/etc/udev/rules.d/90-alsa-restore.rules"

# The admin account's home: nothing is in it, and nothing can be put there.
install -d -m 0755 "$to/usr/share/conclave/admin"

"""What `systemd/` installs, without a booted system: tests/image boots it."""

"""The firmware as firmware: an ARM64 machine under QEMU that boots the image, and what is checked on it."""

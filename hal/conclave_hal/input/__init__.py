"""Switches and keys that the kernel makes input devices of (`/dev/input`).

`events` is the format and its ioctls (linux/input.h), `node` an open device, and the other files are the
drivers `input` of the shutter, the mute switch and the buttons.
"""

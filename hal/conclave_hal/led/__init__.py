"""Lamps of the kernel's LED class (`/sys/class/leds`): the driver `led` of the room's lamps."""

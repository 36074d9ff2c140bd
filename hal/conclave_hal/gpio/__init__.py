"""Contacts, buttons and lamps on GPIO lines, by the Python package of libgpiod 2.

`lines` is the seam to that package; the other files are the drivers `gpio` of their slots.
"""

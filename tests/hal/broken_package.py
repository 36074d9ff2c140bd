"""Stands for a package that fails while it is imported."""

DRIVER = 1 / 0

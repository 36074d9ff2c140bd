"""Firmware updates, with RAUC itself where it can run."""

"""The Buildroot tree: its packages, boards and scripts.

Some tests need a checkout of Buildroot, which `make firmware-check BUILDROOT=DIR` names. Without one they are
skipped, and say *not proven*.
"""

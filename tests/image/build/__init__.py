"""Builds the image: from Debian's ARM64 packages, PyPI's wheels and this tree to a disk that U-Boot boots.

`image()` is the one way in; see `image.py` for the stages.
"""

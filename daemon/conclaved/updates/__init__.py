"""Firmware updates: what root does for the daemon, and how it tells it.

conclave-update.service runs `install`; it compares by `version`, understands RAUC by `rauc`, and writes down
how far it is (`progress`), which the daemon reads. Imports nothing of ours: of this package it alone runs as
root.
"""

from conclaved.updates.progress import Progress, Refusal, Stage
from conclaved.updates.version import Version, VersionError

__all__ = ["Progress", "Refusal", "Stage", "Version", "VersionError"]

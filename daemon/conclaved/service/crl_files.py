"""The lists of revoked certificates on the disk: one DER file for each authority."""

from dataclasses import dataclass
from pathlib import Path

from conclaved.identity import Anchor, Crl, CrlError, parse_crl
from conclaved.identity.atomic_file import fsync_directory, write_atomically
from conclaved.service.config import ConfigError

CRL_DIRECTORY = "crls"
"""In the state directory."""
SUFFIX = ".crl"


@dataclass(frozen=True, slots=True)
class CrlFiles:
    """The folder that they lie in."""

    folder: Path

    def load(self, anchors: tuple[Anchor, ...]) -> tuple[Crl, ...]:
        """The lists of `anchors`. Raises ConfigError for one that cannot be read.

        A damaged list is never taken for an empty one. The list of an authority that is no anchor now stays
        where it is, for the day it is one again.
        """
        found = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            signers = [anchor for anchor in anchors if anchor.fingerprint == path.stem]
            if not signers:
                continue
            try:
                found.append(parse_crl(path.read_bytes(), signers, is_kept=True))
            except (OSError, CrlError) as error:
                raise ConfigError(
                    f"{path} cannot be used: {error}; remove it, and add the CA's list again"
                ) from error
        return tuple(found)

    def save(self, crl: Crl) -> None:
        """Keep a list in place of an earlier one of the same authority. Raises OSError."""
        self.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        write_atomically(self._path(crl), crl.der, mode=0o644)

    def remove(self, crl: Crl) -> None:
        """Forget a list. Raises OSError."""
        self._path(crl).unlink(missing_ok=True)
        fsync_directory(self.folder)

    def _path(self, crl: Crl) -> Path:
        return self.folder / f"{crl.issuer_fingerprint}{SUFFIX}"

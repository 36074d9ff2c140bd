"""The trust store on the disk: one JSON file that an admin can read, with the anchors as PEM."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conclaved.identity.anchors import Anchor, parse_anchor_pem
from conclaved.identity.atomic_file import write_atomically
from conclaved.identity.errors import AnchorError, NameFormatError, TrustFileError
from conclaved.identity.trust_store import TrustStore
from conclaved.identity.verdict import Assurance

_VERSION = 1
_HINT = "restore the file, or remove it and add the anchors again with conclavectl trust add"


@dataclass(frozen=True, slots=True)
class TrustFile:
    """A trust store's place on the disk."""

    path: Path

    def load(self) -> TrustStore:
        """The stored trust store; an empty one where there is no file. Raises `TrustFileError`.

        A file that cannot be understood is never taken for an empty one: blocks would silently be lifted.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return TrustStore()
        except OSError as error:
            raise TrustFileError(f"{self.path} cannot be read: {error.strerror}", hint=_HINT) from error
        try:
            return _parse(json.loads(content))
        except (ValueError, RecursionError, AnchorError, NameFormatError) as error:
            raise TrustFileError(f"{self.path} is damaged: {error}", hint=_HINT) from error

    def save(self, store: TrustStore) -> None:
        """Stores ``store`` so that a power cut leaves the old file or the new. Raises `TrustFileError`."""
        content = {
            "version": _VERSION,
            "anchors": [
                {
                    "label": anchor.label,
                    "kind": anchor.kind.value,
                    "domains": list(anchor.domains),
                    "fingerprint": anchor.fingerprint,  # for the reader; never read back
                    "pem": anchor.pem,
                }
                for anchor in store.anchors
            ],
            "blocked_keys": sorted(store.blocked_keys),
            "blocked_names": sorted(store.blocked_names),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, (json.dumps(content, indent=2) + "\n").encode(), mode=0o644)
        except OSError as error:
            raise TrustFileError(f"{self.path} cannot be written: {error.strerror}") from error


def _parse(content: object) -> TrustStore:
    top = _mapping(content)
    if top.get("version") != _VERSION:
        raise ValueError(f"its version is not {_VERSION}")
    anchors = top.get("anchors")
    if not isinstance(anchors, list):
        raise ValueError("anchors is no list")
    return TrustStore(
        anchors=tuple(_parse_anchor(_mapping(entry)) for entry in anchors),
        blocked_keys=frozenset(_strings(top, "blocked_keys")),
        blocked_names=frozenset(_strings(top, "blocked_names")),
    )


def _parse_anchor(entry: Mapping[str, object]) -> Anchor:
    anchors = parse_anchor_pem(
        _string(entry, "pem"),
        kind=Assurance(_string(entry, "kind")),
        domains=_strings(entry, "domains"),
        label=_string(entry, "label"),
    )
    if len(anchors) != 1:
        raise ValueError("an anchor has more than one certificate")
    return anchors[0]


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError("an object is missing")
    return value


def _string(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value


def _strings(entry: Mapping[str, object], key: str) -> list[str]:
    value = entry.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key} is no list of texts")
    return value

"""A provisioning file: settings, signed, for some devices and for some time. Pure.

The envelope is the one that this project signs everything with: a compact JWS, ES256, the signer's
certificate in `x5c` (`identity.jws`). CMS would do as well, and brings a second parser with many ways to say
one thing; COSE has no tools on an admin's laptop. Whose signature counts is decided by the *key*, pinned in
the image: not by a chain and its dates, because a device that boots for the first time has no clock, and
whoever sets it back could revive a certificate. The certificate is no more than the key's envelope.

    {"version": 1, "serial": 1767225600, "devices": ["CN-4711"], "not_before": ..., "not_after": ...,
     "replace": false, "settings": "[identity]\\ndomain = ..."}

What each member prevents: `devices`, that a file for one room sets up another; `serial`, which only grows for
a signer, that an older file takes back a newer one, or that any is applied twice (the device keeps the last
one, beyond a factory reset too); `not_after`, that a lost stick is of use for ever; `settings`, which is the
document that `config apply` takes, that a file could set anything an admin could not.

Nothing in a file is encrypted: whoever holds the stick reads it.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from conclaved.identity import jws
from conclaved.identity.errors import JwsError
from conclaved.service.provisioning.errors import ProvisioningError, ProvisioningErrorKind

TYP = "conclave-provisioning+jws"
VERSION = 1
MAX_BYTES = 1024 * 1024
MOST_DEVICES = 10_000
_MEMBERS = frozenset({"version", "serial", "devices", "not_before", "not_after", "replace", "settings"})


@dataclass(frozen=True, slots=True)
class ProvisioningFile:
    """A file whose signature is right, by a signer that this device obeys."""

    signer: str
    """SHA-256 of the signer's public key."""
    serial: int
    devices: tuple[str, ...]
    not_before: int
    not_after: int
    replace: bool
    """Whether settings that the document does not name are unset."""
    settings: str = field(repr=False)
    """May hold secrets."""

    def check(self, *, device: str, now: int | None, floor: int, last_serial: int | None) -> None:
        """Raise ProvisioningError unless the file is for this device, this time, and the first time.

        `now` is the believed time, None without one; `floor` the earliest time that it can be. Without a
        clock a file is refused only if it has certainly ended.
        """
        if not device or device not in self.devices:
            raise ProvisioningError(
                ProvisioningErrorKind.OTHER_DEVICE,
                f"the file is for other devices than this one, {device or 'which has no serial number'}",
                hint="sign one for it: conclavectl provision sign ... --device SERIAL",
            )
        if self.not_after < (floor if now is None else now):
            raise ProvisioningError(
                ProvisioningErrorKind.EXPIRED, "the file has ended", hint="sign a new one"
            )
        if now is not None and now < self.not_before:
            raise ProvisioningError(
                ProvisioningErrorKind.NOT_YET, "the file is not yet good", hint="wait, or sign a new one"
            )
        if last_serial is not None and self.serial <= last_serial:
            raise ProvisioningError(
                ProvisioningErrorKind.REPLAYED,
                "this file, or a later one of its signer, was applied before",
                hint="sign a new one",
            )


def read(token: str, signers: Collection[str]) -> ProvisioningFile:
    """Return what a file says. Raises ProvisioningError(NOT_GENUINE or UNKNOWN_SIGNER)."""
    try:
        content = jws.verify(token, typ=TYP, max_bytes=MAX_BYTES)
    except JwsError as error:
        raise _not_genuine(str(error)) from error
    signer = key_fingerprint(content.chain[0])
    if signer not in signers:
        raise ProvisioningError(
            ProvisioningErrorKind.UNKNOWN_SIGNER,
            f"this device does not obey who signed the file (key {signer})",
            hint="the image names whom it obeys: [provisioning] signers",
        )
    try:
        members = json.loads(content.payload.decode(), object_pairs_hook=_once_each)
    except (ValueError, RecursionError) as error:
        raise _not_genuine("its content is not JSON") from error
    return _file_of(members, signer)


def key_fingerprint(certificate: bytes) -> str:
    """Return the SHA-256 of a DER certificate's public key (SubjectPublicKeyInfo), lower-case hex."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _file_of(members: Any, signer: str) -> ProvisioningFile:
    if not isinstance(members, dict) or members.get("version") != VERSION:
        raise _not_genuine(f"it is not of version {VERSION}")
    # A member that this version does not know may be what a later one is careful by.
    if members.keys() != _MEMBERS:
        raise _not_genuine(f"it must have {', '.join(sorted(_MEMBERS))}, and nothing else")
    serial, begin, end = (members[name] for name in ("serial", "not_before", "not_after"))
    devices, settings, replace = members["devices"], members["settings"], members["replace"]
    if not all(type(number) is int and 0 < number < 2**53 for number in (serial, begin, end)):
        raise _not_genuine("serial, not_before and not_after must be positive whole numbers")
    if not isinstance(devices, list) or not 0 < len(devices) <= MOST_DEVICES:
        raise _not_genuine(f"devices must name 1 to {MOST_DEVICES}")
    if not all(isinstance(device, str) and device for device in devices):
        raise _not_genuine("devices must be texts")
    if not isinstance(settings, str) or type(replace) is not bool:
        raise _not_genuine("settings must be a text, and replace true or false")
    return ProvisioningFile(signer, serial, tuple(devices), begin, end, replace, settings)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _not_genuine(why: str) -> ProvisioningError:
    return ProvisioningError(
        ProvisioningErrorKind.NOT_GENUINE,
        f"this is no provisioning file, or it was changed: {why}",
        hint="copy it anew, or sign a new one",
    )

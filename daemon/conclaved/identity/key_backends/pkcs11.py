"""Keys that are made in a PKCS#11 token, an HSM or a security chip, and never leave it.

A key file is `magic | JSON`: the object's id in the token, the token's serial number, the public point. The
private object is made sensitive and not extractable, and read back to see that the token has made it so. A
signature is checked before it is given out. The token may be unplugged and come back; one that has another
serial number is another token.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from conclaved.identity.errors import KeyStoreError, LostKeyError, UnreachableKeyError
from conclaved.identity.key_backends.backend import ENROLL_AGAIN, MAGIC, MadeKey, Protection, damaged
from conclaved.identity.key_backends.pin import Pin
from conclaved.identity.key_backends.pkcs11_connection import Pkcs11Connection, Session
from conclaved.identity.signer import NotCopied, is_p256, point_of

LABEL = "conclave"
_MAGIC = MAGIC[Protection.PKCS11]
_ID_BYTES = 16
_COORDINATE_BYTES = 32


class Pkcs11Backend:
    """One token. Nothing is opened before the first key is wanted."""

    protection = Protection.PKCS11

    def __init__(self, module: Path, pin: Pin, *, token: str = "", serial: str = "") -> None:
        """``module``: the vendor's library. ``token`` is the token's label, ``serial`` its serial number.

        One of the two is enough if it tells the token from the others.
        """
        self._connection = Pkcs11Connection(module, pin, label=token, serial=serial)

    def __repr__(self) -> str:
        return f"Pkcs11Backend({self._connection!r})"

    def generate(self) -> MadeKey:
        """Makes a key in the token. Raises `KeyStoreError`.

        If power fails before its file is written, an object that nobody names stays in the token.
        """
        return self._connection.do(_generate)

    def open(self, content: bytes) -> "Pkcs11Signer":
        """The signer of a key, once it is found. Raises `LostKeyError`, `UnreachableKeyError`, `PinError`."""
        key = _decode(content)
        self._connection.do(lambda session: _find(session, key))
        return Pkcs11Signer(self._connection, key)

    def remove(self, content: bytes) -> None:
        """Destroys the key in the token. Raises `UnreachableKeyError` or `PinError`."""
        key = _decode(content)

        def destroy(session: Session) -> None:
            _check_token(session, key)
            attribute = session.library.Attribute
            for found in list(session.it.get_objects({attribute.ID: key.object_id})):
                found.destroy()

        self._connection.do(destroy)

    def close(self) -> None:
        """Logs out of the token."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class _TokenKey:
    object_id: bytes
    serial: str
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True, repr=False)
class Pkcs11Signer(NotCopied):
    """A key that signs in the token."""

    _connection: Pkcs11Connection = field(repr=False)
    _key: _TokenKey = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """The uncompressed point, 65 bytes."""
        return point_of(self._key.public_key)

    @property
    def certificate_public_key(self) -> ec.EllipticCurvePublicKey:
        """The public key as an object."""
        return self._key.public_key

    def sign(self, data: bytes) -> bytes:
        """ECDSA with SHA-256 over ``data``, DER encoded.

        Raises `LostKeyError`, `UnreachableKeyError` or `PinError`.
        """
        digest = hashlib.sha256(data).digest()

        def run(session: Session) -> bytes:
            signed: bytes = _find(session, self._key).sign(digest, mechanism=session.library.Mechanism.ECDSA)
            return signed

        raw = self._connection.do(run)
        r, s = (int.from_bytes(half, "big") for half in (raw[:_COORDINATE_BYTES], raw[_COORDINATE_BYTES:]))
        signature = encode_dss_signature(r, s)
        try:
            self._key.public_key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise KeyStoreError(
                "the token has made a wrong signature", hint="try again; if it stays so, replace the token"
            ) from error
        return signature

    def __repr__(self) -> str:
        return f"Pkcs11Signer(public_key={self.public_key[:5].hex()}...)"


def _generate(session: Session) -> MadeKey:
    library, attribute = session.library, session.library.Attribute
    curve = library.util.ec.encode_named_curve_parameters("secp256r1")
    parameters = session.it.create_domain_parameters(
        library.KeyType.EC, {attribute.EC_PARAMS: curve}, local=True
    )
    object_id = os.urandom(_ID_BYTES)
    public, private = parameters.generate_keypair(
        id=object_id,
        label=LABEL,
        store=True,
        capabilities=library.MechanismFlag.SIGN | library.MechanismFlag.VERIFY,
        private_template={
            attribute.PRIVATE: True,
            attribute.SENSITIVE: True,
            attribute.EXTRACTABLE: False,
        },
    )
    wanted = {
        attribute.SENSITIVE: True,
        attribute.EXTRACTABLE: False,
        attribute.ALWAYS_SENSITIVE: True,
        attribute.NEVER_EXTRACTABLE: True,
    }
    if {name: private[name] for name in wanted} != wanted:
        private.destroy()
        public.destroy()
        raise KeyStoreError(
            "the token has made a key that could be taken out of it", hint="use another token or backend"
        )
    key = load_der_public_key(library.util.ec.encode_ec_public_key(public))
    if not isinstance(key, ec.EllipticCurvePublicKey) or not is_p256(key):
        raise KeyStoreError("the token has made no P-256 key", hint="use another token or backend")
    return MadeKey(_encode(_TokenKey(object_id, session.serial, key)), key)


def _find(session: Session, key: _TokenKey) -> Any:
    """The private object; what it is stays known for as long as the session lives."""
    found = session.found.get(key.object_id)
    if found is None:
        _check_token(session, key)
        library, attribute = session.library, session.library.Attribute
        try:
            found = session.it.get_key(object_class=library.ObjectClass.PRIVATE_KEY, id=key.object_id)
        except library.NoSuchKey as error:
            raise LostKeyError(
                "this device's key is gone: its token has it no more", hint=ENROLL_AGAIN
            ) from error
        if found[attribute.EXTRACTABLE] or not found[attribute.SENSITIVE]:
            raise KeyStoreError("the device's key could be taken out of its token", hint=ENROLL_AGAIN)
        session.found[key.object_id] = found
    return found


def _check_token(session: Session, key: _TokenKey) -> None:
    if session.serial != key.serial:
        raise UnreachableKeyError(
            f"the device's key is in the token {key.serial}, and this is {session.serial}",
            hint="plug that one in, or enroll again with --new-key",
        )


def _encode(key: _TokenKey) -> bytes:
    content = {
        "id": key.object_id.hex(),
        "point": point_of(key.public_key).hex(),
        "serial": key.serial,
    }
    return _MAGIC + json.dumps(content, sort_keys=True).encode() + b"\n"


def _decode(content: bytes) -> _TokenKey:
    try:
        values: object = json.loads(content.removeprefix(_MAGIC))
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise ValueError("not an object of strings")
        point = bytes.fromhex(values["point"])
        return _TokenKey(
            bytes.fromhex(values["id"]),
            values["serial"],
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point),
        )
    except (ValueError, KeyError, RecursionError) as error:
        raise damaged() from error

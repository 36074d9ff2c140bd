"""The one connection to the TPM: a caller at a time, its objects loaded as they are needed.

A TPM without a resource manager has room for three objects. Two are held, the parent and the key that signed
last; another one takes its place. Whatever the TPM or the way to it refuses, the connection is given up and
made anew once: after a reset the TPM has forgotten every object, and that shows only when one is used.

Written on what versions 1.2 and 3.0 of `tpm2_pytss` have in common. What a function of it returns stays in a
variable for as long as a part of it is read: the parts point into its memory, which goes with it.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity.errors import KeyStoreError, LostKeyError, UnreachableKeyError
from conclaved.identity.key_backends import tpm2_library
from conclaved.identity.key_backends.backend import ENROLL_AGAIN, damaged
from conclaved.identity.key_backends.turns import Turns

T = TypeVar("T")

_COORDINATE_BYTES = 32
# TPM 2.0 part 2, §6.6.3: codes of format 1, without the number of the parameter, handle or session.
_RC_AUTH_FAIL, _RC_INTEGRITY, _RC_BAD_AUTH, _RC_SIZE = 0x8E, 0x9F, 0xA2, 0x95
_RC_FORMAT_1, _RC_FORMAT_1_CODE = 0x80, 0xBF
_RC_LOCKOUT, _RC_FAILURE, _RC_OBJECT_MEMORY = 0x921, 0x101, 0x902
_ALG_ECC, _ALG_ECDSA, _ALG_NULL, _CURVE_P256 = 0x0023, 0x0018, 0x0010, 0x0003
_FIRST_TRANSIENT, _MOST_OBJECTS = 0x80000000, 64
_LAYER = 0xFF0000
_TPM_LAYERS = (0x000000, 0x0B0000)
"""The TPM itself, and a resource manager that speaks for it."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key as the TPM hands it out."""

    parent_name: bytes = field(repr=False)
    """The TPM's name of the key that wraps it: another one in every TPM, and after each clearing."""
    public: bytes = field(repr=False)
    """TPM2B_PUBLIC."""
    private: bytes = field(repr=False)
    """TPM2B_PRIVATE, encrypted by the parent."""
    public_key: ec.EllipticCurvePublicKey = field(repr=False)

    @classmethod
    def of(cls, *, parent_name: bytes, public: bytes, private: bytes) -> "WrappedKey":
        """A key from its parts. Raises `DamagedKeyError` if the public one is not that of a P-256 key."""
        try:
            point = _point_of(public)
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except (ValueError, IndexError, struct.error) as error:
            raise damaged() from error
        return cls(parent_name, public, private, key)


class Tpm2Connection:
    """See the file's head. Any thread may call."""

    def __init__(self, tcti: str, parent: int | None) -> None:
        self._tcti = tcti
        self._parent_handle = parent
        self._turn = Turns()
        self._open: _OpenTpm | None = None

    def __repr__(self) -> str:
        return f"Tpm2Connection({self._tcti!r})"

    def create(self) -> WrappedKey:
        """Makes a P-256 signing key in the TPM. Raises `UnreachableKeyError`."""
        return self._do(lambda tpm: tpm.create())

    def check(self, key: WrappedKey) -> None:
        """Sees that the TPM takes the key. Raises `LostKeyError` or `UnreachableKeyError`."""
        self._do(lambda tpm: tpm.load(key))

    def sign(self, key: WrappedKey, digest: bytes) -> tuple[int, int]:
        """ECDSA over a SHA-256 digest: r and s. Raises `LostKeyError` or `UnreachableKeyError`."""
        return self._do(lambda tpm: tpm.sign(key, digest))

    def close(self) -> None:
        """Lets go of the TPM; the next call takes it up again."""
        with self._turn:
            self._drop()

    def _do(self, step: Callable[["_OpenTpm"], T]) -> T:
        with self._turn:
            tss = tpm2_library.load()
            try:
                return step(self._connected(tss))
            except tss.TSS2_Exception as error:
                # A reset has made it forget its objects, or the way to it broke. Once more, from the start.
                self._drop()
                is_full = _code(error.rc) == _RC_OBJECT_MEMORY
            try:
                if is_full:
                    _empty(tss, self._tcti)
                return step(self._connected(tss))
            except tss.TSS2_Exception as error:
                self._drop()
                raise _named(error.rc, str(error), self._tcti) from error

    def _connected(self, tss: ModuleType) -> "_OpenTpm":
        if self._open is None:
            self._open = _OpenTpm(tss, self._tcti, self._parent_handle)
        return self._open

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _OpenTpm:
    """An ESAPI context with its parent key. Every method may raise TSS2_Exception."""

    def __init__(self, tss: ModuleType, tcti: str, parent_handle: int | None) -> None:
        self._tss = tss
        self._way = tss.TCTILdr.parse(tcti)
        try:
            self._esapi = tss.ESAPI(self._way)
        except BaseException:
            self._way.close()
            raise
        self._loaded: tuple[WrappedKey, Any] | None = None
        self._is_parent_ours = parent_handle is None
        try:
            self._parent = self._make_parent() if parent_handle is None else self._find_parent(parent_handle)
            _, name, _ = self._esapi.read_public(self._parent)
            self._parent_name = bytes(name)
        except BaseException:
            self._end()
            raise

    def create(self) -> WrappedKey:
        """Makes a key under the parent."""
        tss, bits = self._tss, self._tss.TPMA_OBJECT
        template = tss.TPM2B_PUBLIC.parse(
            "ecc256:ecdsa-sha256",
            objectAttributes=bits.FIXEDTPM
            | bits.FIXEDPARENT
            | bits.SENSITIVEDATAORIGIN
            | bits.USERWITHAUTH
            | bits.NODA
            | bits.SIGN_ENCRYPT,
        )
        made = self._esapi.create(self._parent, tss.TPM2B_SENSITIVE_CREATE(), template)
        private, public = made[0].marshal(), made[1].marshal()
        return WrappedKey.of(parent_name=self._parent_name, public=public, private=private)

    def load(self, key: WrappedKey) -> Any:
        """The handle of a key, which is loaded if it is not the one that is."""
        if self._loaded is not None:
            loaded, handle = self._loaded
            if loaded == key:
                return handle
            self._loaded = None
            self._esapi.flush_context(handle)
        if key.parent_name != self._parent_name:
            raise LostKeyError(
                "this device's key is gone: its TPM was cleared, or is not the one that made it",
                hint=ENROLL_AGAIN,
            )
        tss = self._tss
        try:
            public, _ = tss.TPM2B_PUBLIC.unmarshal(key.public)
            private, _ = tss.TPM2B_PRIVATE.unmarshal(key.private)
        except tss.TSS2_Exception as error:
            raise damaged() from error
        handle = self._esapi.load(self._parent, private, public)
        self._loaded = key, handle
        return handle

    def sign(self, key: WrappedKey, digest: bytes) -> tuple[int, int]:
        """ECDSA: r and s."""
        tss = self._tss
        answer = self._esapi.sign(
            self.load(key),
            tss.TPM2B_DIGEST(digest),
            tss.TPMT_SIG_SCHEME(scheme=tss.TPM2_ALG.NULL),
            tss.TPMT_TK_HASHCHECK(tag=tss.TPM2_ST.HASHCHECK, hierarchy=tss.TPM2_RH.NULL),
        )
        union = answer.signature
        signature = union.ecdsa
        # `answer` owns the memory of all of these.
        r, s = signature.signatureR, signature.signatureS
        return int.from_bytes(bytes(r), "big"), int.from_bytes(bytes(s), "big")

    def close(self) -> None:
        """Drops the objects, where the TPM still knows them, and the way to it."""
        tss = self._tss
        handles = [self._loaded[1]] if self._loaded is not None else []
        if self._is_parent_ours:
            handles.append(self._parent)
        for handle in handles:
            try:
                self._esapi.flush_context(handle)
            except tss.TSS2_Exception:
                break  # It has forgotten them, or it is not there.
        self._end()

    def _end(self) -> None:
        self._esapi.close()
        self._way.close()

    def _make_parent(self) -> Any:
        """A storage key that the owner's seed and this template determine: the same one each time."""
        tss, bits = self._tss, self._tss.TPMA_OBJECT
        template = tss.TPM2B_PUBLIC.parse(
            "ecc256:null:aes128cfb",
            objectAttributes=bits.FIXEDTPM
            | bits.FIXEDPARENT
            | bits.SENSITIVEDATAORIGIN
            | bits.USERWITHAUTH
            | bits.NODA
            | bits.RESTRICTED
            | bits.DECRYPT,
        )
        return self._esapi.create_primary(tss.TPM2B_SENSITIVE_CREATE(), template)[0]

    def _find_parent(self, handle: int) -> Any:
        return self._esapi.tr_from_tpmpublic(handle)


def _point_of(public: bytes) -> bytes:
    """The point, 65 bytes, in a TPM2B_PUBLIC (TPM 2.0 part 2, §12.2) of a signing key."""
    size, kind, _, _, policy_size = struct.unpack_from(">HHHIH", public)
    at = 12 + policy_size
    symmetric, scheme, _, curve, derivation = struct.unpack_from(">HHHHH", public, at)
    expected = (len(public) - 2, _ALG_ECC, _ALG_NULL, _ALG_ECDSA, _CURVE_P256, _ALG_NULL)
    if (size, kind, symmetric, scheme, curve, derivation) != expected:
        raise ValueError("not the public area of a P-256 signing key")
    at += 10
    point = b"\4"
    for _ in range(2):
        (size,) = struct.unpack_from(">H", public, at)
        coordinate = public[at + 2 : at + 2 + size]
        # There are TPMs that leave leading zeros out.
        point += coordinate.rjust(_COORDINATE_BYTES, b"\0")
        at += 2 + size
    return point


def _empty(tss: ModuleType, tcti: str) -> None:
    """Drops what is loaded. Raises TSS2_Exception.

    A resource manager shows each program its own objects alone. Without one, nobody else may use the TPM at
    the same time: what is in there is left from a daemon that was killed.
    """
    way = tss.TCTILdr.parse(tcti)
    esapi = None
    try:
        esapi = tss.ESAPI(way)
        _, answer = esapi.get_capability(tss.TPM2_CAP.HANDLES, _FIRST_TRANSIENT, _MOST_OBJECTS)
        data = answer.data
        for handle in [int(handle) for handle in data.handles]:
            esapi.flush_context(esapi.tr_from_tpmpublic(handle))
    finally:
        if esapi is not None:
            esapi.close()
        way.close()


def _code(rc: int) -> int | None:
    """What the TPM says, without the number of the parameter; None if it is not the TPM that says it."""
    if rc & _LAYER not in _TPM_LAYERS:
        return None
    code = rc & 0xFFF
    return code & _RC_FORMAT_1_CODE if code & _RC_FORMAT_1 else code


def _named(rc: int, words: str, tcti: str) -> KeyStoreError:
    """What a refusal means for whoever has to mend it."""
    code = _code(rc)
    if code is not None:
        if code in (_RC_INTEGRITY, _RC_SIZE):
            return damaged("the TPM does not take the device's key: its file is damaged")
        if code in (_RC_AUTH_FAIL, _RC_BAD_AUTH):
            return UnreachableKeyError(
                "the TPM's owner hierarchy has a password",
                hint="name a persistent storage key instead: [keys] parent = 0x81000001",
            )
        if code == _RC_LOCKOUT:
            return UnreachableKeyError("the TPM is in lockout", hint="tpm2_dictionarylockout --clear-lockout")
        if code == _RC_FAILURE:
            return UnreachableKeyError("the TPM is in failure mode", hint="switch the device off and on")
        if code == _RC_OBJECT_MEMORY:
            return UnreachableKeyError(
                "the TPM is full of other programs' objects",
                hint="use the kernel's resource manager: [keys] tcti = device:/dev/tpmrm0",
            )
        return UnreachableKeyError(f"the TPM refuses: {words}", hint="see: conclavectl logs")
    return UnreachableKeyError(
        f"the TPM at {tcti} cannot be reached: {words}",
        hint="see that the device is there, that conclaved may use it, and [keys] tcti",
    )

"""What enrollment keeps on the disk, so that a power cut costs no order (DESIGN §6).

`account.key` is the ACME account's key (never the device's); `account.json` says where it is registered;
`order.json` is the order under way. Each is replaced atomically, before the step that relies on it.
"""

import base64
import contextlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conclave_provisioning.enrollment.errors import StateError


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a CA."""

    directory_url: str
    url: str


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order under way, or one whose certificate nobody has confirmed yet."""

    directory_url: str
    """The CA."""
    account_url: str
    """Whose order it is."""
    domain: str
    """For which domain."""
    public_key: str
    """For which key: the 65-byte point in hexadecimal digits."""
    url: str
    """The order at the CA."""
    csr: str
    """The request, DER in base64: the same one on every attempt."""

    @property
    def csr_der(self) -> bytes:
        """The request, DER."""
        return base64.b64decode(self.csr)


class StateDirectory:
    """The folder of these files. Single owner."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def account_key(self) -> ec.EllipticCurvePrivateKey:
        """The account's P-256 key, which is generated and stored if there is none. Raises `StateError`."""
        content = self._read("account.key")
        if content is None:
            key = ec.generate_private_key(ec.SECP256R1())
            self._write(
                "account.key",
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                ),
            )
            return key
        try:
            loaded = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            loaded = None  # the parser's message could quote the key
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
            raise StateError(
                f"{self._path / 'account.key'} is damaged", hint="remove it: a new account will be made"
            )
        return loaded

    def load_account(self) -> Account | None:
        """The registered account; None if there is none, or its file is damaged (the CA will tell again)."""
        values = self._load("account.json", ("directory_url", "url"))
        return Account(**values) if values else None

    def save_account(self, account: Account) -> None:
        """Stores where the account is registered. Raises `StateError`."""
        self._write("account.json", _json(asdict(account)))

    def forget_account(self) -> None:
        """Forgets where the account is registered; the key stays. Raises `StateError`."""
        self._remove("account.json")

    def load_order(self) -> OrderState | None:
        """The order under way; None if there is none, or its file is damaged (a new one will be made)."""
        fields = ("directory_url", "account_url", "domain", "public_key", "url", "csr")
        values = self._load("order.json", fields)
        if values is None:
            return None
        order = OrderState(**values)
        try:
            base64.b64decode(order.csr, validate=True)
        except ValueError:
            return None
        return order

    def save_order(self, order: OrderState) -> None:
        """Stores the order under way. Raises `StateError`."""
        self._write("order.json", _json(asdict(order)))

    def forget_order(self) -> None:
        """Forgets the order. Raises `StateError`."""
        self._remove("order.json")

    def _load(self, name: str, fields: tuple[str, ...]) -> dict[str, str] | None:
        content = self._read(name)
        if content is None:
            return None
        try:
            values: object = json.loads(content)
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, dict) or set(values) != set(fields):
            return None
        return values if all(isinstance(value, str) for value in values.values()) else None

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be read: {error.strerror}") from error

    def _write(self, name: str, content: bytes) -> None:
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path / name, content, mode=0o600)
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be written: {error.strerror}") from error

    def _remove(self, name: str) -> None:
        try:
            (self._path / name).unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be removed: {error.strerror}") from error


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Replaces ``path``: write, fsync, rename, fsync the directory. Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _json(values: dict[str, str]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()

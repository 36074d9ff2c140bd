"""What enrollment keeps on the disk, so that a power cut costs no order (DESIGN §6).

`account.json` says where the account is registered; `order.json` is the order under way; `answer.json` is the
answer to a challenge that is out there; `staging.json` names the certificates of staging CAs. Each is
replaced atomically, before the step that relies on it.
"""

import base64
import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from conclave_provisioning.enrollment.errors import BusyError, StateError


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
    profile: str
    """Under which of the CA's profiles; empty: its default."""

    @property
    def csr_der(self) -> bytes:
        """The request, DER."""
        return base64.b64decode(self.csr)


@dataclass(frozen=True, slots=True)
class AnswerState:
    """An answer to a challenge that was put where the CA looks, and has to be taken away again."""

    kind: str
    """Of which kind."""
    domain: str
    """For which domain."""
    token: str
    """The CA's token."""
    key_authorization: str
    """The answer."""


class Folder:
    """A folder of files of mode 0600, each replaced atomically. Single owner."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps others out, of this process and of any other. Raises `BusyError` or `StateError`."""
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise StateError(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise BusyError("another enrollment is under way", hint="wait for it, or cancel it") from error
        finally:
            os.close(descriptor)

    def read(self, name: str) -> bytes | None:
        """A file's content; None if there is none. Raises `StateError`."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be read: {error.strerror}") from error

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file. Raises `StateError`."""
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path / name, content, mode=0o600)
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be written: {error.strerror}") from error

    def rename(self, name: str, new_name: str) -> None:
        """Puts one file in the place of another. Raises `StateError`."""
        try:
            (self._path / name).replace(self._path / new_name)
            _sync_directory(self._path)
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be renamed: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Removes a file, if it is there. Raises `StateError`."""
        try:
            (self._path / name).unlink(missing_ok=True)
        except OSError as error:
            raise StateError(f"{self._path / name} cannot be removed: {error.strerror}") from error


class StateDirectory:
    """The account and the order, as files. Single owner."""

    def __init__(self, path: Path) -> None:
        self._folder = Folder(path)

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keeps others out. Raises `BusyError` or `StateError`."""
        return self._folder.locked()

    def load_account(self) -> Account | None:
        """The registered account; None if there is none, or its file is damaged (the CA will tell again)."""
        values = self._load("account.json", ("directory_url", "url"))
        return Account(**values) if values else None

    def save_account(self, account: Account) -> None:
        """Stores where the account is registered. Raises `StateError`."""
        self._folder.write("account.json", _json(asdict(account)))

    def forget_account(self) -> None:
        """Forgets where the account is registered; the key stays. Raises `StateError`."""
        self._folder.remove("account.json")

    def load_order(self) -> OrderState | None:
        """The order under way; None if there is none, or its file is damaged (a new one will be made)."""
        names = tuple(field.name for field in fields(OrderState))
        values = self._load("order.json", names)
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
        self._folder.write("order.json", _json(asdict(order)))

    def forget_order(self) -> None:
        """Forgets the order. Raises `StateError`."""
        self._folder.remove("order.json")

    def load_answer(self) -> AnswerState | None:
        """The answer that may still be out there; None if there is none, or its file is damaged."""
        values = self._load("answer.json", tuple(field.name for field in fields(AnswerState)))
        return AnswerState(**values) if values else None

    def save_answer(self, answer: AnswerState) -> None:
        """Stores which answer is about to be put out. Raises `StateError`."""
        self._folder.write("answer.json", _json(asdict(answer)))

    def forget_answer(self) -> None:
        """Forgets the answer, which has been taken away. Raises `StateError`."""
        self._folder.remove("answer.json")

    def load_staging(self) -> frozenset[str]:
        """The SHA-256 fingerprints of the certificates that a staging CA issued, as hexadecimal digits."""
        values = self._load("staging.json", ("fingerprints",))
        return frozenset(values["fingerprints"].split()) if values else frozenset()

    def save_staging(self, fingerprints: Iterable[str]) -> None:
        """Stores which certificates are staging ones. Raises `StateError`."""
        self._folder.write("staging.json", _json({"fingerprints": " ".join(fingerprints)}))

    def _load(self, name: str, members: tuple[str, ...]) -> dict[str, str] | None:
        content = self._folder.read(name)
        if content is None:
            return None
        try:
            values: object = json.loads(content)
        except (ValueError, RecursionError):
            return None
        if not isinstance(values, dict) or set(values) != set(members):
            return None
        return values if all(isinstance(value, str) for value in values.values()) else None


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
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _json(values: dict[str, str]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()

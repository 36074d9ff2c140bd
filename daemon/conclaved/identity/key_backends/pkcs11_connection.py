"""The one session with the token: a caller at a time, logged in once, in a thread of the library's own.

A token's library may be built on the OpenSSL that Python's TLS uses, and leave errors in that thread's queue:
in a thread that also speaks TLS they would be taken for the connection's.

Whatever the token refuses, the session is given up and made anew once, the vendor's library included: some
notice only then that a token is back. A wrong PIN is the exception (`pin`). `pkcs11` (the PyPI package
python-pkcs11) is imported when a token is first wanted.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from conclaved.identity.errors import KeyStoreError, PinError, UnreachableKeyError
from conclaved.identity.key_backends.pin import Pin, refused

T = TypeVar("T")

_threads: dict[str, ThreadPoolExecutor] = {}
_making_threads = threading.Lock()


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is logged in."""

    it: Any
    """pkcs11.Session."""
    library: ModuleType
    """The package `pkcs11`."""
    serial: str
    """The token's."""
    found: dict[bytes, Any] = field(default_factory=dict)
    """Private objects that were looked up, by id."""


class Pkcs11Connection:
    """See the file's head. Any thread may call."""

    def __init__(self, module: Path, pin: Pin, *, label: str, serial: str) -> None:
        self._module = str(module)
        self._pin = pin
        self._label = label
        self._serial = serial
        self._session: Session | None = None
        with _making_threads:
            # A library is one for the whole process, and so is whether somebody is logged in. Who asks first
            # is served first.
            if self._module not in _threads:
                _threads[self._module] = ThreadPoolExecutor(1, thread_name_prefix="pkcs11")
            self._thread = _threads[self._module]

    def __repr__(self) -> str:
        return f"Pkcs11Connection({self._name!r}, {self._module!r})"

    @property
    def _name(self) -> str:
        return self._label or self._serial

    def do(self, step: Callable[[Session], T]) -> T:
        """Does something in the session. Raises `UnreachableKeyError` or `PinError`."""
        return self._thread.submit(self._do, step).result()

    def _do(self, step: Callable[[Session], T]) -> T:
        library = _load()
        try:
            return step(self._opened(library))
        except library.PKCS11Error:
            # The token is gone, was reset, or this session was closed. Once more, from the start.
            self._drop(library)
        try:
            return step(self._opened(library))
        except library.PKCS11Error as error:
            self._drop(library)
            raise UnreachableKeyError(
                f"the token {self._name} fails: {_words(error)}", hint="plug it out and in again"
            ) from error

    def close(self) -> None:
        """Logs out; the next call logs in again."""
        self._thread.submit(self._close).result()

    def _close(self) -> None:
        if self._session is not None:
            self._drop(self._session.library)

    def _opened(self, library: ModuleType) -> Session:
        if self._session is None:
            token = self._find(library)
            self._session = Session(self._log_in(library, token), library, _text(token.serial))
        return self._session

    def _find(self, library: ModuleType) -> Any:
        tokens = self._present(library)
        if not tokens:
            # Some libraries look for tokens only when they begin.
            self._drop(library)
            tokens = self._present(library)
        if len(tokens) > 1:
            raise UnreachableKeyError(
                f"{len(tokens)} tokens are called {self._name}",
                hint="name the one by its serial: [keys] serial",
            )
        if not tokens:
            raise UnreachableKeyError(f"there is no token {self._name}", hint="plug it in")
        return tokens[0]

    def _present(self, library: ModuleType) -> list[Any]:
        try:
            module = library.lib(self._module)
        except RuntimeError as error:
            raise UnreachableKeyError(
                f"the PKCS#11 library {self._module} cannot be used: {_words(error)}",
                hint="correct [keys] module",
            ) from error
        return [
            token
            for token in module.get_tokens()
            if self._label in ("", token.label) and self._serial in ("", _text(token.serial))
        ]

    def _log_in(self, library: ModuleType, token: Any) -> Any:
        flags, flag = token.flags, library.TokenFlag
        if flags & flag.USER_PIN_LOCKED:
            raise _locked(self._name)
        pin = self._pin.read()
        self._pin.check_not_refused(pin, token.serial)
        if flags & flag.USER_PIN_FINAL_TRY:
            raise PinError(
                f"the token {self._name} locks with the next wrong PIN, so it is not tried from here",
                hint="log in once by hand, with pkcs11-tool --login --test",
            )
        try:
            session = token.open(rw=True, user_pin=pin)
        except library.UserAlreadyLoggedIn:
            return token.open(rw=True)
        except library.PinLocked:
            raise _locked(self._name) from None
        except (library.PinIncorrect, library.PinInvalid, library.PinLenRange, library.PinExpired):
            self._pin.was_refused(pin, token.serial)
            self._drop(library)
            raise refused() from None
        self._pin.was_taken()
        return session

    def _drop(self, library: ModuleType) -> None:
        session, self._session = self._session, None
        # The token may be gone: then there is nothing to log out of.
        with contextlib.suppress(library.PKCS11Error):
            if session is not None:
                session.it.close()
        with contextlib.suppress(RuntimeError):
            library.lib(self._module).finalize()


def _load() -> ModuleType:
    try:
        import pkcs11
    except ImportError as error:
        raise KeyStoreError(
            "keys are to live in a token, and the Python package python-pkcs11 is not installed",
            hint="install it, or choose another [keys] backend",
        ) from error
    module: ModuleType = pkcs11
    return module


def _locked(name: str) -> PinError:
    return PinError(f"the token {name} is locked", hint="unlock it with its security officer's PIN")


def _text(serial: bytes) -> str:
    return serial.decode("ascii", "replace").strip()


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__

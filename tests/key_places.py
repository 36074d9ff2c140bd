"""Every place where a key can live, the real one: for tests that hold for all of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conclaved.identity import KeyBackend, PlainBackend, SealedBackend
from conclaved.identity.key_backends.tpm2 import Tpm2Backend
from tests.soft_hsm import new_token
from tests.swtpm import Swtpm

PLACES = ("tpm2", "pkcs11", "sealed", "plain")
MakeBackend = Callable[[], KeyBackend]
"""The place anew, as after a restart of the daemon."""


@contextmanager
def key_place(word: str, folder: Path) -> Iterator[MakeBackend]:
    """The place of that name, with a TPM or a token of its own. What it made is closed at the end."""
    made: list[KeyBackend] = []

    def keep(backend: KeyBackend) -> KeyBackend:
        # A TPM in software takes one client at a time.
        for each in made:
            each.close()
        made.append(backend)
        return backend

    try:
        match word:
            case "tpm2":
                with Swtpm(folder / "tpm") as tpm:
                    yield lambda: keep(Tpm2Backend(tpm.tcti))
                    for each in made:
                        each.close()
            case "pkcs11":
                token = new_token(folder / "token")
                yield lambda: keep(token.backend())
            case "sealed":
                yield lambda: SealedBackend(bytes(range(32)))
            case _:
                yield lambda: PlainBackend(is_allowed=True)
    finally:
        for each in made:
            each.close()

"""`tpm2_pytss`, imported when a TPM is first wanted: a device without one need not have it.

PyPI has no wheel of it, so it comes from the image, or from Debian (python3-tpm2-pytss). Debian 12 has 1.2,
which a new `cryptography` does not let itself be imported: a class of it, for importing RSA keys into a TPM,
inherits from one that may not be inherited from any more. Nothing here imports RSA keys, so that class gets a
stand-in to inherit from.
"""

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from cryptography.hazmat.primitives.asymmetric import rsa

from conclaved.identity.errors import KeyStoreError

_importing = threading.Lock()
_WANTED = "RSAPrivateNumbers"
_MOCK = "unittest.mock"


def load() -> ModuleType:
    """The library. Raises `KeyStoreError` where it is not installed."""
    # It writes each refusal to standard error by itself; what matters of it is in our errors.
    os.environ.setdefault("TSS2_LOG", "all+none")
    try:
        with _importing, warnings.catch_warnings(), _without_mock():
            # 1.2 names a cipher from where `cryptography` does not want it to be named.
            warnings.simplefilter("ignore")
            return _import()
    except (ImportError, NotImplementedError) as error:
        raise KeyStoreError(
            "keys are to live in the TPM, and the Python package tpm2-pytss is not installed",
            hint="install it (Debian: python3-tpm2-pytss), or choose another [keys] backend",
        ) from error


@contextmanager
def _without_mock() -> Iterator[None]:
    """Where `unittest.mock` is loaded as the library is imported, its objects are empty from then on."""
    mock = sys.modules.pop(_MOCK, None)
    try:
        yield
    finally:
        if mock is not None:
            sys.modules[_MOCK] = mock


def _import() -> ModuleType:
    try:
        import tpm2_pytss
    except TypeError:
        names = vars(rsa)
        real, names[_WANTED] = names[_WANTED], type(_WANTED, (), {})
        try:
            import tpm2_pytss
        finally:
            names[_WANTED] = real
    module: ModuleType = tpm2_pytss
    return module

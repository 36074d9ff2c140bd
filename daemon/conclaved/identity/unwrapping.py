"""Opens a wrapped key in a process of its own, which may compute for so long and no longer.

How long a PKCS#12 file takes is its author's choice (the iterations of its key derivation, up to 2^31: an
hour), and so it is with a private key that is no P-256 key at all (the check of a long RSA key). A worker
thread that computes cannot be stopped, and there are few of them; a process ends by its limit.

    python -m conclaved.identity.unwrapping <REQUEST >ANSWER

Both are one JSON object with base64 in it. They hold the secret and the key: nothing is on the command line,
in a variable or on the disk.
"""

import base64
import json
import os
import resource
import subprocess
import sys
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from conclaved.identity.errors import WrappedKeyError, WrongSecretError
from conclaved.identity.wrapped_key import WrappedKey, read_wrapped_key

CPU_S = 30
"""Some million iterations on a small processor: more than any tool writes by itself."""
MEMORY_BYTES = 1024 * 1024 * 1024
WITHIN_S = 120.0


def unwrap(content: bytes, secret: bytes) -> WrappedKey:
    """What `read_wrapped_key` returns and raises, and `WrappedKeyError` if it takes too long. Blocks."""
    request = {"content": _text(content), "secret": _text(secret), "cpu_s": CPU_S}
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WITHIN_S,
            check=True,
            # Where this process has its modules from, and nothing else of its environment.
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.startswith("/"))},
        )
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        # What is raised here may hold what was read or written.
        raise WrappedKeyError(
            "the file takes too much computing to open",
            hint="wrap a P-256 key, with fewer iterations of the key derivation",
        ) from None
    if "refused" in answer:
        kind = WrongSecretError if answer["is_secret_wrong"] else WrappedKeyError
        raise kind(answer["refused"], hint=answer["hint"])
    key = load_der_private_key(base64.b64decode(answer["key"]), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise WrappedKeyError("the private key is not a P-256 key")
    return WrappedKey(key, tuple(base64.b64decode(each) for each in answer["chain"]))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_s"], request["cpu_s"]))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        found = read_wrapped_key(base64.b64decode(request["content"]), base64.b64decode(request["secret"]))
    except WrappedKeyError as error:
        return {
            "refused": str(error),
            "hint": error.hint,
            "is_secret_wrong": isinstance(error, WrongSecretError),
        }
    key = found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return {"key": _text(key), "chain": [_text(each) for each in found.chain]}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)

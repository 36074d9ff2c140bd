"""A device whose power fails: a process that ends without a word at the n-th moment that matters.

Such a moment is after each file that is written, renamed or removed, and after each answer of the CA's. The
process reads one job a line and forks for each, so that the libraries are loaded once.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conclave_provisioning.enrollment import AcmeAccount, AcmeSettings, Enrollment, session
from conclave_provisioning.enrollment.acme_client import AcmeClient
from conclave_provisioning.enrollment.state import Folder
from conclave_provisioning.enrollment.transport import Transport
from tests.enrollment.signers import KeyInMemory

CUT = 99
DOMAIN = "room.example.com"


class Power:
    """Fails at the n-th moment; never at 0."""

    def __init__(self, fails_at: int) -> None:
        self._left = fails_at

    def pass_moment(self) -> None:
        """One of the moments."""
        self._left -= 1
        if self._left == 0:
            os._exit(CUT)

    def wrap(self, owner: type, name: str) -> None:
        """Lets a moment pass after each call of a method."""
        method: Callable[..., Any] = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            result = method(*arguments, **options)
            self.pass_moment()
            return result

        setattr(owner, name, wrapped)


def device_key(path: Path) -> KeyInMemory:
    """The device's own key, which outlives the cuts."""
    signer = KeyInMemory()
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signer._key = key
    return signer


async def work(job: dict[str, Any]) -> None:
    """One enrollment, or one rollover of the account's key."""
    settings = AcmeSettings(
        job["directory_url"],
        agree_terms=True,
        ca_file=Path(job["ca_file"]),
        token_directory=Path(job["tokens"]),
        deadline_s=20.0,
    )
    folder = Path(job["state"])
    if job["work"] == "roll":
        await AcmeAccount(settings, folder).roll_key()
        return
    enrollment = Enrollment(settings, folder)
    certificate = await enrollment.enroll(DOMAIN, device_key(Path(job["key"])))
    (folder / "installed.der").write_bytes(certificate.chain[0])
    enrollment.confirm()


def main() -> None:
    """Reads jobs, and answers each with the exit status of its process."""
    assert AcmeClient is not None
    session.FIRST_POLL_S = 0.01
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            power = Power(job["cut"])
            for owner, names in ((Folder, ("write", "rename", "remove")), (Transport, ("_send",))):
                for name in names:
                    power.wrap(owner, name)
            status = 1
            try:
                asyncio.run(work(job))
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

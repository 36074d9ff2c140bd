"""dns-01 answers: who can put a TXT record into the domain's zone."""

import subprocess
from pathlib import Path
from typing import Protocol

from conclave_provisioning.enrollment.errors import ChallengeSetupError, printable

HOOK_TIMEOUT_S = 60.0


class DnsProvider(Protocol):
    """Puts TXT records into a zone. Called in a worker thread; may block."""

    def present(self, name: str, value: str) -> None:
        """Adds a TXT record: ``name`` without a trailing dot. Raises `ChallengeSetupError`."""

    def clean_up(self, name: str, value: str) -> None:
        """Removes that record again. Raises `ChallengeSetupError`."""


class HookDnsProvider:
    """A program of the admin's that knows the zone: called as `HOOK present|cleanup NAME VALUE`."""

    def __init__(self, hook: Path) -> None:
        self._hook = hook

    def present(self, name: str, value: str) -> None:
        """Calls the program with `present`. Raises `ChallengeSetupError`."""
        self._call("present", name, value)

    def clean_up(self, name: str, value: str) -> None:
        """Calls the program with `cleanup`. Raises `ChallengeSetupError`."""
        self._call("cleanup", name, value)

    def _call(self, action: str, name: str, value: str) -> None:
        try:
            done = subprocess.run(
                [self._hook, action, name, value],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=HOOK_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ChallengeSetupError(
                f"the DNS hook did not end within {HOOK_TIMEOUT_S:.0f} s", hint=f"run {self._hook} by hand"
            ) from error
        except OSError as error:
            raise ChallengeSetupError(
                f"the DNS hook {self._hook} cannot be run: {error.strerror}", hint="correct dns_hook"
            ) from error
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
            raise ChallengeSetupError(
                f"the DNS hook ended with {done.returncode}: {printable(lines[-1])}",
                hint=f"run {self._hook} {action} {name} VALUE by hand",
            )

"""dns-01 (RFC 8555 §8.4): the answer is a TXT record. Who can put it into the zone is a `DnsProvider`."""

import subprocess
from pathlib import Path
from typing import Protocol

from conclave_provisioning.enrollment.challenge.solver import Challenge
from conclave_provisioning.enrollment.errors import ChallengeSetupError, printable
from conclave_provisioning.enrollment.settings import ChallengeKind

HOOK_TIMEOUT_S = 60.0


class DnsProvider(Protocol):
    """Puts TXT records into a zone. Called in a worker thread; may block."""

    @property
    def settle_s(self) -> float:
        """How long to wait after `present` in any case."""

    @property
    def patience_s(self) -> float:
        """How long to wait for `missing` to have nothing to say."""

    def present(self, name: str, value: str) -> None:
        """Adds a TXT record: ``name`` without a trailing dot. Raises `EnrollmentError`."""

    def missing(self, name: str, value: str) -> str:
        """Which servers do not have the record yet, in words; empty if none. Raises `EnrollmentError`."""

    def clean_up(self, name: str, value: str) -> None:
        """Removes that record again. Raises `EnrollmentError`."""


class Dns01:
    """Answers dns-01 through ``provider``."""

    kind = ChallengeKind.DNS_01

    def __init__(self, provider: DnsProvider) -> None:
        self._provider = provider

    @property
    def settle_s(self) -> float:
        """The provider's."""
        return self._provider.settle_s

    @property
    def patience_s(self) -> float:
        """The provider's."""
        return self._provider.patience_s

    def present(self, challenge: Challenge) -> None:
        """Adds the record. Raises `EnrollmentError`."""
        self._provider.present(challenge.record_name, challenge.record_value)

    def missing(self, challenge: Challenge) -> str:
        """Where the record is not seen yet. Raises `EnrollmentError`."""
        return self._provider.missing(challenge.record_name, challenge.record_value)

    def clean_up(self, challenge: Challenge) -> None:
        """Removes the record. Raises `EnrollmentError`."""
        self._provider.clean_up(challenge.record_name, challenge.record_value)


class HookDnsProvider:
    """A program of the admin's that knows the zone: called as `HOOK present|cleanup NAME VALUE`."""

    patience_s = 0.0

    def __init__(self, hook: Path, *, settle_s: float = 0.0) -> None:
        """``settle_s``: how long a record takes to reach every server of the zone."""
        self._hook = hook
        self.settle_s = settle_s

    def present(self, name: str, value: str) -> None:
        """Calls the program with `present`. Raises `ChallengeSetupError`."""
        self._call("present", name, value)

    def missing(self, name: str, value: str) -> str:
        """Nothing: the program knows the zone, and this device does not."""
        return ""

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

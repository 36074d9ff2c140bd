"""dns-persist-01: the answer stands in DNS already. The admin writes it once, the device looks for it."""

import time

from conclave_provisioning.enrollment.challenge.dns_view import DnsView
from conclave_provisioning.enrollment.challenge.persistent_record import PersistentRecord
from conclave_provisioning.enrollment.challenge.solver import Challenge
from conclave_provisioning.enrollment.errors import BadResponseError
from conclave_provisioning.enrollment.settings import ChallengeKind

__all__ = ["DnsPersist01", "PersistentRecord"]


class DnsPersist01:
    """Waits until the standing record is seen by ``view``, at most ``wait_s``. It writes nothing."""

    kind = ChallengeKind.DNS_PERSIST_01
    settle_s = 0.0

    def __init__(self, view: DnsView, *, wait_s: float) -> None:
        self._view = view
        self.patience_s = wait_s

    def present(self, challenge: Challenge) -> None:
        """Nothing: the record stands, or the admin is asked for it."""

    def missing(self, challenge: Challenge) -> str:
        """The record that is not there. Raises `EnrollmentError`."""
        record = challenge.persistent
        if record is None:
            raise BadResponseError("the CA's dns-persist-01 challenge names no record")
        is_there = any(record.is_met_by(text, now=time.time()) for text in self._view.texts(record.name))
        return "" if is_there else f"the TXT record that the zone needs once: {record.zone_line}"

    def clean_up(self, challenge: Challenge) -> None:
        """Nothing: the record stands."""

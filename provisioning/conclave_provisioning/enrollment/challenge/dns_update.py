"""DNS UPDATE (RFC 2136) signed with TSIG (RFC 8945): the device itself puts the dns-01 record into its zone.

The credential should reach no further than it must: let the server allow this key to change the one name
`_acme-challenge.ROOM`, or point that name by a CNAME into a zone that holds nothing else.
"""

from typing import TYPE_CHECKING

from conclave_provisioning.enrollment.challenge.dns_view import (
    ANSWER_TIMEOUT_S,
    DnsView,
    NameServer,
    parse_endpoint,
)
from conclave_provisioning.enrollment.errors import ClockError, DnsUpdateError, SettingsError
from conclave_provisioning.enrollment.secret_file import decode_secret, read_secret
from conclave_provisioning.enrollment.settings import DnsUpdateSettings

if TYPE_CHECKING:
    import dns.tsig

RECORD_TTL_S = 30
_WHY = {
    "REFUSED": "the key may not change this name: correct the server's rules for it",
    "NOTAUTH": "the server is not the primary of this zone, or does not know the key",
    "NOTZONE": "the name is not in the zone: correct zone in dns_update",
    "SERVFAIL": "see the DNS server's log",
}


class UpdateDnsProvider:
    """Changes a zone by DNS UPDATE. The secret is read when it is used, and kept nowhere."""

    def __init__(self, settings: DnsUpdateSettings, view: DnsView, *, wait_s: float) -> None:
        """``wait_s``: how long a record may take to reach all servers of the zone. Raises `SettingsError`."""
        self._settings = settings
        self._view = view
        self._server = parse_endpoint(settings.server)
        self._servers: dict[str, tuple[NameServer, ...]] = {}
        self.settle_s = 0.0
        self.patience_s = wait_s

    def present(self, name: str, value: str) -> None:
        """Adds the record where ``name`` leads. Raises `EnrollmentError`."""
        self._change(name, value, is_there=True)

    def clean_up(self, name: str, value: str) -> None:
        """Removes that record, and no other one. Raises `EnrollmentError`."""
        self._change(name, value, is_there=False)

    def missing(self, name: str, value: str) -> str:
        """Which servers of the zone do not have the record yet. Raises `EnrollmentError`."""
        target = self._view.canonical_name(name)
        if target not in self._servers:
            self._servers[target] = self._view.servers_of(self._zone_of(target))
        seen = {each.name: self._view.has_text(each, target, value) for each in self._servers[target]}
        if set(seen.values()) == {None}:
            # A network that lets nobody ask other servers than its own.
            return "" if value in self._view.texts(target) else f"no TXT record at {target} yet"
        late = [f"{name} (no answer)" if has is None else name for name, has in seen.items() if not has]
        return f"{', '.join(late)} without the TXT record at {target}" if late else ""

    def _zone_of(self, name: str) -> str:
        return self._settings.zone or self._view.zone_of(name)

    def _change(self, name: str, value: str, *, is_there: bool) -> None:
        import dns.exception
        import dns.query
        import dns.rcode
        import dns.tsig
        import dns.update

        target = self._view.canonical_name(name)
        zone = self._zone_of(target)
        relative = dns.name.from_text(target).relativize(dns.name.from_text(zone))
        if relative.is_absolute():
            raise SettingsError(
                f"{target} is not in the zone {zone}", hint="correct zone in dns_update, or leave it away"
            )
        update = dns.update.UpdateMessage(zone, keyring=self._key())
        try:
            if is_there:
                update.add(relative, RECORD_TTL_S, "TXT", f'"{value}"')
            else:
                update.delete(relative, "TXT", f'"{value}"')
            answer = dns.query.tcp(
                update, self._server.address, port=self._server.port, timeout=ANSWER_TIMEOUT_S
            )
        except dns.tsig.PeerBadTime as error:
            raise ClockError(
                f"the DNS server {self._server} finds this device's clock wrong", hint="see: conclavectl time"
            ) from error
        except (dns.tsig.PeerError, dns.tsig.BadSignature) as error:
            raise DnsUpdateError(
                f"the DNS server {self._server} does not accept the key {self._settings.key_name}",
                hint="check key_name, algorithm and the secret in key_file",
            ) from error
        except dns.exception.FormError as error:
            # How some servers refuse an update of a zone that they do not have.
            raise DnsUpdateError(
                f"the DNS server {self._server} does not take updates of the zone {zone}",
                hint=_WHY["NOTAUTH"],
            ) from error
        except (OSError, dns.exception.DNSException) as error:
            raise DnsUpdateError(
                f"the DNS server {self._server} does not answer an update: {type(error).__name__}",
                hint="check server in dns_update, and that it answers on TCP",
            ) from error
        if answer.rcode() != dns.rcode.NOERROR:
            word = dns.rcode.to_text(answer.rcode())
            # Servers say it for both, and dnspython tells them apart only where the answer is signed.
            if word == "NOTAUTH":
                raise DnsUpdateError(
                    f"the DNS server {self._server} does not take updates of the zone {zone}, "
                    f"or does not accept the key {self._settings.key_name}",
                    hint=_WHY[word],
                )
            raise DnsUpdateError(
                f"the DNS server {self._server} refused to change {target} in {zone}: {word}",
                hint=_WHY.get(word, "see the DNS server's log"),
            )

    # dnspython's key shows its secret when it is printed: it is made for one request, and never kept.
    def _key(self) -> "dns.tsig.Key":
        import dns.tsig

        what = f"the TSIG key {self._settings.key_name}"
        secret = decode_secret(read_secret(self._settings.key_file, what), what)
        return dns.tsig.Key(self._settings.key_name, secret, self._settings.algorithm)

"""What DNS says: which zone a name is in, which servers answer for it, and what each of them answers.

All of it blocks, and is called in a worker thread. dnspython is imported only when it is needed.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conclave_provisioning.enrollment.errors import DnsUpdateError, SettingsError

if TYPE_CHECKING:
    import dns.resolver

DNS_PORT = 53
ANSWER_TIMEOUT_S = 5.0
MAX_ALIASES = 8
MAX_SERVERS = 32


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A DNS server."""

    address: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.port == DNS_PORT else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class NameServer:
    """A server of a zone, as its NS records name it."""

    name: str
    addresses: tuple[Endpoint, ...]


class DnsView:
    """Asks the given resolvers (`ADDRESS[:PORT]`), or the system's if none are given."""

    def __init__(
        self, resolvers: Sequence[str] = (), *, port: int = DNS_PORT, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> None:
        """``port`` is where the zones' own servers answer, ``timeout_s`` how long one answer may take.

        Raises `SettingsError`.
        """
        self._timeout_s = timeout_s
        self._resolvers = tuple(parse_endpoint(text) for text in resolvers)
        self._port = port

    def canonical_name(self, name: str) -> str:
        """Where a CA that asks for ``name`` ends up: CNAMEs are followed. Raises `DnsUpdateError`."""
        import dns.resolver

        resolver = self._resolver()
        for _ in range(MAX_ALIASES):
            try:
                answer = resolver.resolve(name, "CNAME", search=False)
            except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
                return name
            except dns.exception.DNSException as error:
                raise self._unasked(name, error) from error
            name = str(answer[0].target).rstrip(".")
        raise DnsUpdateError(
            f"{name} is an alias of an alias of an alias", hint="let the CNAME end at a TXT record"
        )

    def zone_of(self, name: str) -> str:
        """The zone that ``name`` is in, found by its SOA record. Raises `DnsUpdateError`."""
        import dns.resolver

        try:
            return str(dns.resolver.zone_for_name(name, resolver=self._resolver())).rstrip(".")
        except dns.exception.DNSException as error:
            raise self._unasked(name, error) from error

    def servers_of(self, zone: str) -> tuple[NameServer, ...]:
        """The servers that the zone names (NS) and that have an address. Raises `DnsUpdateError`."""
        import dns.resolver

        resolver = self._resolver()
        found: list[NameServer] = []
        try:
            for server in resolver.resolve(zone, "NS", search=False):
                addresses: list[Endpoint] = []
                for kind in ("A", "AAAA"):
                    try:
                        answer = resolver.resolve(server.target, kind, search=False)
                    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
                        continue
                    addresses += [Endpoint(each.address, self._port) for each in answer]
                if addresses:
                    found.append(NameServer(str(server.target).rstrip("."), tuple(addresses)))
        except dns.exception.DNSException as error:
            raise self._unasked(zone, error) from error
        if not found:
            raise DnsUpdateError(
                f"no server of the zone {zone} has an address", hint="check the zone's NS records"
            )
        return tuple(found)[:MAX_SERVERS]

    def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records at ``name`` as resolvers see them, each in one piece. Raises `DnsUpdateError`."""
        import dns.resolver

        try:
            answer = self._resolver().resolve(name, "TXT", search=False)
        except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
            return ()
        except dns.exception.DNSException as error:
            raise self._unasked(name, error) from error
        return tuple(b"".join(each.strings).decode("utf-8", "replace") for each in answer)

    def has_text(self, server: NameServer, name: str, value: str) -> bool | None:
        """Whether this server answers for ``name`` with this TXT record; None if it cannot be asked.

        It may have an address that this device's network does not reach, IPv6 often: others speak for it.
        """
        answers = {self._has_text(address, name, value) for address in server.addresses}
        return False if False in answers else True if True in answers else None

    def _has_text(self, server: Endpoint, name: str, value: str) -> bool | None:
        import dns.exception
        import dns.message
        import dns.query
        import dns.rdatatype

        question = dns.message.make_query(name, "TXT")
        question.flags &= ~dns.flags.RD
        try:
            answer, _ = dns.query.udp_with_fallback(
                question, server.address, port=server.port, timeout=self._timeout_s
            )
        except (OSError, dns.exception.DNSException):
            return None
        return any(
            b"".join(each.strings) == value.encode()
            for rrset in answer.answer
            if rrset.rdtype == dns.rdatatype.TXT
            for each in rrset
        )

    def _resolver(self) -> "dns.resolver.Resolver":
        import dns.nameserver
        import dns.resolver

        try:
            resolver = dns.resolver.Resolver(configure=not self._resolvers)
        except dns.exception.DNSException as error:
            raise SettingsError(
                "this device has no DNS resolver", hint="set resolvers in the ACME settings, or the network's"
            ) from error
        if self._resolvers:
            resolver.nameservers = [
                dns.nameserver.Do53Nameserver(each.address, each.port) for each in self._resolvers
            ]
        resolver.lifetime = self._timeout_s
        return resolver

    @staticmethod
    def _unasked(name: str, error: Exception) -> DnsUpdateError:
        return DnsUpdateError(
            f"DNS cannot be asked about {name}: {type(error).__name__}",
            hint="check the device's DNS resolver",
        )


def parse_endpoint(text: str) -> Endpoint:
    """`ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises `SettingsError`."""
    address, port = text, str(DNS_PORT)
    if text.startswith("[") or text.count(":") == 1:
        address, _, given = text.rpartition(":")
        address, port = address.strip("[]"), given
        if text.endswith("]"):
            address, port = text.strip("[]"), str(DNS_PORT)
    try:
        ipaddress.ip_address(address)
        number = int(port)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise SettingsError(f"{text} is no DNS server", hint="give ADDRESS or ADDRESS:PORT, say 192.0.2.53")
    return Endpoint(address, number)

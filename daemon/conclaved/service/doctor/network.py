"""What lies beyond the device: name service, routes, the CA, port 80, the conference service."""

import asyncio
import http.client
import ipaddress
import json
import socket
import ssl
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from conclaved.conference.hub_client import client_context
from conclaved.service.doctor.check import Outcome, Surroundings, failed, ok, unknown, warning

ANSWER_WITHIN_S = 6.0
LONGEST_ANSWER = 256 * 1024
OFF_S, FAR_OFF_S = 60, 3600
"""How far the clock may be from the CA's before it is told, and before no certificate can be judged."""
HTTP_PORT = 80
_LISTENING = "0A"


async def check_dns(room: Surroundings) -> Outcome:
    """The domain's addresses, as this device's name service knows them."""
    if not room.domain:
        return unknown("no domain is set yet", "conclavectl config set identity.domain DOMAIN")
    acme = room.config.acme
    if room.challenge == "dns-01" and acme.dns_hook is None and acme.dns_update is None:
        return failed(
            "the CA checks by dns-01, and nothing says how this room is to write the zone",
            "conclavectl config set acme.dns_update.server ADDRESS acme.dns_update.key_name NAME "
            "acme.dns_update.key - < FILE",
        )
    try:
        found = await asyncio.get_running_loop().getaddrinfo(room.domain, None, type=socket.SOCK_STREAM)
    except OSError as error:
        why = error.strerror or str(error)
        if not room.reached_by:
            return ok(f"{room.domain} has no address in the DNS: {why}; no CA has to reach it there")
        return failed(
            f"{room.domain} has no address in the DNS: {why}", f"add A or AAAA records of {room.domain}"
        )
    addresses = sorted({str(info[4][0]) for info in found})
    words = f"{room.domain} is {', '.join(addresses)}"
    if room.reached_by and all(not ipaddress.ip_address(a.partition("%")[0]).is_global for a in addresses):
        return warning(
            f"{words}: no public address, so a public CA cannot check it by {room.reached_by}",
            "conclavectl config set acme.challenge dns-01",
        )
    return ok(words)


async def check_route(room: Surroundings) -> Outcome:
    """Whether the kernel knows a way out."""
    try:
        ways = [*_routes(room.proc / "net/route"), *_routes_v6(room.proc / "net/ipv6_route")]
    except OSError as error:
        return unknown(f"the kernel's routes cannot be read: {error.strerror}")
    if not ways:
        return failed("there is no default route: nothing beyond this network is reached", "check the cable")
    return ok(f"default route by {', '.join(dict.fromkeys(ways))}")


def _routes(table: Path) -> list[str]:
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    return [row[0] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"]


def _routes_v6(table: Path) -> list[str]:
    if not table.exists():
        return []
    rows = [line.split() for line in table.read_text().splitlines()]
    return [
        row[9] for row in rows if len(row) > 9 and row[0] == "0" * 32 and row[1] == "00" and row[9] != "lo"
    ]


async def check_acme(room: Surroundings) -> Outcome:
    """Whether the CA's directory answers, and whether its clock and ours agree."""
    acme = room.config.acme
    if not acme.directory_url:
        return unknown("no CA is set", "conclavectl config set acme.directory_url URL acme.agree_terms true")
    host = urlsplit(acme.directory_url).netloc
    look = "conclavectl config get acme"
    try:
        status, date, body = await asyncio.to_thread(_get, acme.directory_url, acme.ca_file)
        directory = json.loads(body)
    except ssl.SSLCertVerificationError as error:
        return failed(
            f"the CA's address {host} has no certificate that this device believes: {error.verify_message}",
            look,
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        return failed(f"the CA at {host} cannot be reached: {_why(error)}", look)
    if status != http.client.OK or not isinstance(directory, dict) or "newOrder" not in directory:
        return failed(f"what answers at {acme.directory_url} (status {status}) is no ACME directory", look)
    try:
        off_s = room.wall() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return ok(f"the CA at {host} answers; it does not say the time")
    where = "ahead of" if off_s > 0 else "behind"
    words = f"the CA at {host} answers; this clock is {abs(off_s):.0f} s {where} its"
    if abs(off_s) > FAR_OFF_S:
        return failed(f"{words}: orders and certificates will be refused", "conclavectl time")
    return warning(words, "conclavectl time") if abs(off_s) > OFF_S else ok(words)


def _get(url: str, ca_file: Path | None) -> tuple[int, str, bytes]:
    """Status, Date header and body of an address. Raises OSError, HTTPException or ValueError."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S, context=context
    )
    try:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", path, headers={"User-Agent": "conclaved"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Date", ""), answer.read(LONGEST_ANSWER)
    finally:
        connection.close()


async def check_port_80(room: Surroundings) -> Outcome:
    """As far as the device itself can see it: whether the port is free for the helper of an order."""
    if room.reached_by != "http-01":
        return ok("port 80 is not needed: no CA connects to it")
    try:
        is_taken = any(_listens(room.proc / "net" / table) for table in ("tcp", "tcp6"))
    except OSError as error:
        return unknown(f"the kernel's sockets cannot be read: {error.strerror}")
    if is_taken:
        return warning(
            "something listens on port 80: unless that is an order of this room, the CA will not be answered",
            "conclavectl identity show",
        )
    return ok(
        "port 80 is free, and is opened while an order runs; whether the CA comes through to it cannot be "
        "seen from here"
    )


def _listens(table: Path) -> bool:
    if not table.exists():
        return False
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    port = f":{HTTP_PORT:04X}"
    return any(len(row) > 3 and row[1].endswith(port) and row[3] == _LISTENING for row in rows)


async def check_conference(room: Surroundings) -> Outcome:
    """Whether the configured conference service answers with a certificate that is believed."""
    address = room.config.conference_service
    if not address:
        return unknown(
            "no conference service is set: each meeting names its own",
            "conclavectl config set conference.service wss://HOST",
        )
    parts = urlsplit(address)
    look = "conclavectl config get conference"
    try:
        context = client_context(room.config.service_ca)
        async with asyncio.timeout(ANSWER_WITHIN_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except TimeoutError:
        return failed(f"the conference service {parts.netloc} does not answer", look)
    except ssl.SSLCertVerificationError as error:
        return failed(
            f"{parts.netloc} has no certificate that this device believes: {error.verify_message}", look
        )
    except OSError as error:
        return failed(f"the conference service {parts.netloc} cannot be reached: {_why(error)}", look)
    writer.transport.abort()
    return ok(f"the conference service {parts.netloc} answers")


def _why(error: Exception) -> str:
    words = (error.strerror or "" if isinstance(error, OSError) else "") or str(error)
    return words or type(error).__name__

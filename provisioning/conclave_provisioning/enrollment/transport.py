"""HTTPS to one ACME server: nonces, signed requests, bounded answers (RFC 8555 §6). Blocking, never sleeping.

Each fault of the way there becomes its own error here: no network, a name without an address, a connection
that ends in the middle, TLS that is not trusted, a clock that is wrong.
"""

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from conclave_provisioning.enrollment.account_key import AccountSigner
from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    ClockError,
    ConnectionDroppedError,
    SettingsError,
    UnreachableError,
    UntrustedError,
    printable,
)
from conclave_provisioning.enrollment.jws import Json, sign_jws
from conclave_provisioning.enrollment.retry_after import parse_retry_after
from conclave_provisioning.enrollment.settings import AcmeSettings

MAX_NONCE_ATTEMPTS = 24
"""A server that rejects half of its own nonces defeats 24 attempts once in 16 million requests."""
MAX_ANSWER_BYTES = 256 * 1024
MAX_CLOCK_SKEW_S = 600.0
"""Clocks this far apart make certificates expired, or not valid yet, that are neither."""
USER_AGENT = "conclave"
BAD_NONCE = "urn:ietf:params:acme:error:badNonce"
E = TypeVar("E", bound=BaseException)
_DROPPED: tuple[type[BaseException], ...] = (
    ConnectionResetError,
    BrokenPipeError,
    http.client.HTTPException,
    urllib3.exceptions.ProtocolError,
)
_EXPIRED, _NOT_YET_VALID = 10, 9  # OpenSSL's verify codes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    url: str
    """Who was asked."""
    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """The headers; names in any case."""
    body: bytes
    """The body."""
    retry_after_s: float | None
    """How long to wait before asking again, if it says so."""
    date: datetime | None
    """The server's clock, if it tells."""

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)

    @property
    def problem(self) -> dict[str, Any] | None:
        """The problem document of a refusal (RFC 7807); None if it is none."""
        if self.status < 400:
            return None
        try:
            body = self.json()
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None


class Transport:
    """Connections to an ACME server. For one thread at a time."""

    def __init__(self, settings: AcmeSettings) -> None:
        self._host = urlsplit(settings.directory_url).netloc
        self._verify: str | bool = str(settings.ca_file) if settings.ca_file else True
        self._timeout_s = settings.request_timeout_s
        self._session = requests.Session()
        self._nonces: list[str] = []

    def get(self, url: str) -> Answer:
        """Asks for a public resource. Raises an `EnrollmentError` of the way there."""
        return self._send("GET", url)

    def post(
        self,
        url: str,
        payload: Json | None,
        *,
        signer: AccountSigner,
        account_url: str | None,
        new_nonce_url: str,
    ) -> Answer:
        """Sends a signed request; again with a fresh nonce while the server rejects them, bounded.

        Raises an `EnrollmentError` of the way there; a refusal is an answer.
        """
        for attempt in range(MAX_NONCE_ATTEMPTS):
            if not self._nonces:
                answer = self._send("HEAD", new_nonce_url)
                if answer.status >= 300:
                    break
            nonce = self._take_nonce()
            signed = sign_jws(payload, signer, url=url, nonce=nonce, account_url=account_url)
            answer = self._send("POST", url, json.dumps(signed).encode())
            problem = answer.problem
            if problem is None or problem.get("type") != BAD_NONCE or attempt == MAX_NONCE_ATTEMPTS - 1:
                break
        return answer

    def check_clock(self, answer: Answer) -> None:
        """Compares the server's clock with ours. Raises `ClockError` if they are too far apart."""
        if answer.date is None:
            return
        ours = datetime.now(UTC)
        if abs((answer.date - ours).total_seconds()) > MAX_CLOCK_SKEW_S:
            raise ClockError(
                f"this device's clock says {_spoken(ours)}, that of {self._host} {_spoken(answer.date)}",
                hint="let the device get the time from the network (NTP), then enroll again",
            )

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _take_nonce(self) -> str:
        if not self._nonces:
            raise BadResponseError(f"{self._host} gives no nonce", hint="try again later")
        return self._nonces.pop()

    def _send(self, method: str, url: str, body: bytes | None = None) -> Answer:
        if not url.startswith("https://"):
            raise BadResponseError("the CA's answer leads to an address that is not https")
        try:
            answer = self._exchange(method, url, body)
        except requests.exceptions.SSLError as error:
            raise self._tls_error(error) from error
        except requests.exceptions.Timeout as error:
            raise UnreachableError(
                f"{self._host} did not answer in time", hint="check the network and the address"
            ) from error
        except requests.exceptions.RequestException as error:
            raise self._connection_error(error) from error
        except OSError as error:
            raise SettingsError(
                "the CA file cannot be read", hint="correct ca_file in the ACME settings"
            ) from error
        nonce = answer.headers.get("Replay-Nonce")
        if nonce is not None and nonce.isascii() and 0 < len(nonce) <= 1024:
            self._nonces.append(nonce)
        return answer

    def _exchange(self, method: str, url: str, body: bytes | None) -> Answer:
        headers = {"User-Agent": USER_AGENT, "Accept-Language": "en"}
        if body is not None:
            headers["Content-Type"] = "application/jose+json"
        give_up_at = time.monotonic() + self._timeout_s
        # No redirects: a signed request names its URL, and no CA needs them.
        with self._session.request(
            method,
            url,
            data=body,
            headers=headers,
            verify=self._verify,
            timeout=self._timeout_s,
            stream=True,
            allow_redirects=False,
        ) as response:
            content = bytearray()
            for chunk in response.iter_content(16 * 1024):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise BadResponseError(f"the CA's answer is longer than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > give_up_at:
                    raise requests.exceptions.ReadTimeout("the answer trickles")
        return Answer(
            url=url,
            status=response.status_code,
            headers=response.headers,
            body=bytes(content),
            retry_after_s=parse_retry_after(response.headers.get("Retry-After"), now=datetime.now(UTC)),
            date=_read_date(response.headers.get("Date")),
        )

    def _tls_error(self, error: Exception) -> UntrustedError | ClockError | ConnectionDroppedError:
        reason = _cause(error, ssl.SSLCertVerificationError)
        if reason is None and _cause(error, ssl.SSLEOFError) is not None:
            return self._dropped()
        if reason is not None and reason.verify_code in (_EXPIRED, _NOT_YET_VALID):
            state = "expired" if reason.verify_code == _EXPIRED else "not valid yet"
            return ClockError(
                f"the TLS certificate of {self._host} is {state}, if it is {_spoken(datetime.now(UTC))}",
                hint="check the device's clock first; if it is right, the CA has to renew that certificate",
            )
        why = f": {printable(reason.verify_message)}" if reason is not None else ""
        return UntrustedError(
            f"the TLS certificate of {self._host} is not trusted{why}",
            hint="correct the clock, or give the roots of the CA's API: "
            "conclavectl config set acme.ca_pem - < FILE",
        )

    def _connection_error(self, error: Exception) -> UnreachableError:
        if _cause(error, urllib3.exceptions.NameResolutionError) is not None:
            return UnreachableError(
                f"{self._host} cannot be reached: its name has no address",
                hint="check the network's DNS and the address of the ACME directory",
            )
        if any(_cause(error, kind) is not None for kind in _DROPPED):
            return self._dropped()
        return UnreachableError(f"{self._host} cannot be reached", hint="check the network and the address")

    def _dropped(self) -> ConnectionDroppedError:
        return ConnectionDroppedError(
            f"{self._host} hung up in the middle", hint="try again; if it stays, ask whoever runs the network"
        )


def _cause(error: BaseException, kind: type[E]) -> E | None:
    """The error of this kind among those that led to ``error``."""
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, kind):
            return current
        seen.add(id(current))
        followed = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        pending += [each for each in followed if isinstance(each, BaseException) and id(each) not in seen]
    return None


def _read_date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _spoken(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

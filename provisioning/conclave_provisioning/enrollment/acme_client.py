"""One ACME server, spoken to in blocking calls: one request a call, typed values out (RFC 8555).

It stands on the messages and the signing of the `acme` package, and brings what that leaves out: nonces
rejected again and again, bounded answers, Retry-After in both spellings, errors of one hierarchy. It never
sleeps: the caller polls. This module is heavy (8 MB); import it where it is used.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable
from josepy.jwa import ES256
from josepy.jwk import JWKEC
from josepy.util import ComparableECKey

from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    EnrollmentError,
    RateLimitedError,
    RefusedError,
    SettingsError,
    UnreachableError,
    ValidationFailedError,
)
from conclave_provisioning.enrollment.retry_after import parse_retry_after
from conclave_provisioning.enrollment.settings import AcmeSettings, ChallengeKind

MAX_NONCE_ATTEMPTS = 24
"""A server that rejects half of its own nonces defeats 24 attempts once in 16 million requests."""
MAX_ANSWER_BYTES = 256 * 1024
MAX_AUTHORIZATIONS = 4
MAX_CERTIFICATES = 8
USER_AGENT = "conclave"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the CA sees it (RFC 8555 §7.1.3)."""

    url: str
    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None
    refusal: RefusedError | None
    """Why it became invalid, if the CA says so."""
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Challenge:
    """The challenge of the kind that was asked for, and the answer to it."""

    url: str
    status: str
    token: str
    """http-01: the name of the file."""
    record_name: str
    """dns-01: the name of the TXT record."""
    answer: str
    """The file's or the record's content."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """Whether the CA believes that the domain is ours (RFC 8555 §7.1.4)."""

    url: str
    status: str
    challenge: Challenge | None
    """None if the CA offers no challenge of the kind."""
    refusal: RefusedError | None
    """Why it became invalid, if the CA says so."""
    retry_after_s: float | None


class AcmeClient:
    """A connection to an ACME server under one account key. For one thread at a time."""

    def __init__(self, settings: AcmeSettings, account_key: ec.EllipticCurvePrivateKey) -> None:
        self._settings = settings
        self._key = JWKEC(key=ComparableECKey(account_key))
        self._network = _Network(settings, self._key)
        self._directory: messages.Directory | None = None

    def connect(self) -> None:
        """Fetches the directory. Raises `UnreachableError`, `BadResponseError` or `RefusedError`."""
        with self._mapped("to show its directory"):
            answer = self._network.get(self._settings.directory_url)
            self._directory = messages.Directory.from_json(answer.json())

    def register(self) -> str:
        """Makes the account, or finds that of this key: its URL (RFC 8555 §7.3)."""
        self._network.account = None
        with self._mapped("the account"):
            binding: dict[str, Any] = {}
            if self._settings.eab_key_id is not None:
                binding["external_account_binding"] = messages.ExternalAccountBinding.from_data(
                    self._key.public_key(),
                    self._settings.eab_key_id,
                    self._settings.eab_mac_key or "",
                    self._required_directory(),
                )
            request = messages.NewRegistration.from_data(
                email=self._settings.email, terms_of_service_agreed=True, **binding
            )
            answer = self._post(self._resource("newAccount"), request)
            url = _location(answer)
        self.use_account(url)
        return url

    def use_account(self, url: str) -> None:
        """Signs from now on as the account at ``url``."""
        self._network.account = messages.RegistrationResource(body=messages.Registration(), uri=url)

    def new_order(self, domain: str) -> Order:
        """Asks for a certificate for ``domain`` (RFC 8555 §7.4)."""
        with self._mapped("the order"):
            identifier = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=domain)
            answer = self._post(self._resource("newOrder"), messages.NewOrder(identifiers=[identifier]))
            return self._read_order(answer, _location(answer))

    def order(self, url: str) -> Order:
        """The order's present state."""
        with self._mapped("to show the order"):
            return self._read_order(self._post(url, None), url)

    def authorization(self, url: str, domain: str) -> Authorization:
        """An authorization's present state; it must be for ``domain``."""
        with self._mapped("to show the authorization"):
            answer = self._post(url, None)
            body = messages.Authorization.from_json(answer.json())
            if body.identifier.value != domain:
                raise BadResponseError("the CA's authorization is for another domain")
            return Authorization(
                url=url,
                status=body.status.name,
                challenge=self._read_challenge(body, domain),
                refusal=self._read_validation_failure(body),
                retry_after_s=self._network.retry_after_s,
            )

    def begin_validation(self, challenge: Challenge) -> None:
        """Tells the CA that the answer is in its place (RFC 8555 §7.5.1)."""
        with self._mapped("the challenge"):
            self._post(challenge.url, _Empty())

    def finalize(self, order: Order, csr_der: bytes) -> Order:
        """Hands over the certificate request (RFC 8555 §7.4)."""
        with self._mapped("the certificate request"):
            request = messages.CertificateRequest(csr=x509.load_der_x509_csr(csr_der))
            return self._read_order(self._post(order.finalize, request), order.url)

    def certificate(self, url: str) -> tuple[bytes, ...]:
        """Downloads the chain: DER, leaf first (RFC 8555 §7.4.2)."""
        with self._mapped("to hand over the certificate"):
            chain = x509.load_pem_x509_certificates(self._post(url, None).content)
            if len(chain) > MAX_CERTIFICATES:
                raise BadResponseError(f"the CA's chain has more than {MAX_CERTIFICATES} certificates")
            return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain)

    def close(self) -> None:
        """Closes the connections."""
        self._network.session.close()

    def _post(self, url: str, body: JSONDeSerializable | None) -> requests.Response:
        return self._network.post(url, body, new_nonce_url=self._resource("newNonce"))

    def _required_directory(self) -> messages.Directory:
        if self._directory is None:
            raise BadResponseError("the CA's directory has not been fetched")
        return self._directory

    def _resource(self, name: str) -> str:
        url: str = self._required_directory()[name]
        return url

    def _read_order(self, answer: requests.Response, url: str) -> Order:
        body = messages.Order.from_json(answer.json())
        authorizations = tuple(body.authorizations or ())
        if len(authorizations) > MAX_AUTHORIZATIONS:
            raise BadResponseError("the CA wants more authorizations than one domain can need")
        return Order(
            url=url,
            status=body.status.name,
            authorizations=authorizations,
            finalize=body.finalize or "",
            certificate=body.certificate,
            refusal=_refusal("the order", body.error) if body.error is not None else None,
            retry_after_s=self._network.retry_after_s,
        )

    def _read_challenge(self, body: messages.Authorization, domain: str) -> Challenge | None:
        wanted: type[Any] = {
            ChallengeKind.HTTP_01: challenges.HTTP01,
            ChallengeKind.DNS_01: challenges.DNS01,
        }[self._settings.challenge]
        for offered in body.challenges or ():
            if isinstance(offered.chall, wanted):
                is_dns = isinstance(offered.chall, challenges.DNS01)
                return Challenge(
                    url=offered.uri,
                    status=offered.status.name,
                    token=offered.chall.encode("token"),
                    record_name=offered.chall.validation_domain_name(domain) if is_dns else "",
                    answer=offered.chall.validation(self._key),
                )
        return None

    @staticmethod
    def _read_validation_failure(body: messages.Authorization) -> RefusedError | None:
        for offered in body.challenges or ():
            if offered.error is not None:
                return _refusal("the domain", offered.error, ValidationFailedError)
        return None

    @contextmanager
    def _mapped(self, doing: str) -> Iterator[None]:
        host = self._settings.directory_url
        try:
            yield
        except EnrollmentError:
            raise
        except messages.Error as error:
            if error.code == "rateLimited":
                wait = self._network.retry_after_s
                raise RateLimitedError(doing, error.detail or "", wait) from error
            raise _refusal(doing, error) from error
        except requests.exceptions.SSLError as error:
            raise UnreachableError(
                f"the TLS certificate of {host} is not trusted",
                hint="set ca_file to the roots of the CA's API, or correct the clock",
            ) from error
        except requests.exceptions.RequestException as error:
            kind = "did not answer in time" if isinstance(error, requests.Timeout) else "cannot be reached"
            raise UnreachableError(f"{host} {kind}", hint="check the network and the address") from error
        except OSError as error:
            raise SettingsError(
                "the CA file cannot be read", hint="correct ca_file in the ACME settings"
            ) from error
        except (
            errors.Error,
            JoseError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            # All of these are what `acme` and `josepy` raise over an answer of another shape.
            raise BadResponseError(
                f"the answer of {host} is not ACME ({self._network.status})",
                hint="check that the address is the CA's ACME directory",
            ) from error


class _Empty(JSONDeSerializable):
    """The empty object that answers a challenge. Unlike `acme`'s, it is never taken for no body at all."""

    def to_partial_json(self) -> dict[str, str]:
        return {}

    @classmethod
    def from_json(cls, jobj: object) -> "_Empty":
        return cls()


class _Network(client.ClientNetwork):
    """`acme`'s signing and checking, over answers that are bounded in size and time."""

    def __init__(self, settings: AcmeSettings, key: JWKEC) -> None:
        super().__init__(
            key,
            alg=ES256,
            user_agent=USER_AGENT,
        )
        self._verify: str | bool = str(settings.ca_file) if settings.ca_file else True
        self._timeout_s = settings.request_timeout_s
        self.retry_after_s: float | None = None
        self.status = "no answer"

    def post(self, *arguments: Any, **options: Any) -> requests.Response:
        """Posts; repeats with a fresh nonce as long as the server rejects the last one, bounded."""
        for _ in range(MAX_NONCE_ATTEMPTS - 1):
            try:
                return self._post_once(*arguments, **options)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return self._post_once(*arguments, **options)

    def _send_request(self, method: str, url: str, *arguments: Any, **options: Any) -> requests.Response:
        if not url.startswith("https://"):
            raise BadResponseError("the CA's answer leads to an address that is not https")
        self.retry_after_s, self.status = None, "no answer"
        headers = {"User-Agent": self.user_agent, "Accept-Language": "en"} | options.get("headers", {})
        give_up_at = time.monotonic() + self._timeout_s
        # No redirects: a signed request names its URL, and no CA needs them.
        with self.session.request(
            method,
            url,
            data=options.get("data"),
            headers=headers,
            verify=self._verify,
            timeout=self._timeout_s,
            stream=True,
            allow_redirects=False,
        ) as answer:
            content = bytearray()
            for chunk in answer.iter_content(16 * 1024):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise BadResponseError(f"the CA's answer is longer than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > give_up_at:
                    raise requests.exceptions.ReadTimeout("the answer trickles")
            # What `iter_content` has consumed is put where `content` and `json()` look for it.
            answer._content = bytes(content)
        answer.encoding = "utf-8"
        self.retry_after_s = parse_retry_after(answer.headers.get("Retry-After"), now=datetime.now(UTC))
        self.status = f"HTTP {answer.status_code}"
        return answer


def _location(answer: requests.Response) -> str:
    url = answer.headers.get("Location")
    if url is None:
        raise BadResponseError("the CA's answer names no address for what it made")
    return url


def _refusal(doing: str, problem: messages.Error, kind: type[RefusedError] = RefusedError) -> RefusedError:
    problem_type = (problem.typ or "about:blank").removeprefix(messages.ERROR_PREFIX)
    parts = tuple(
        f"{part.identifier.value if part.identifier else ''} {part.detail or part.typ}".strip()
        for part in problem.subproblems or ()
    )
    return kind(doing, problem_type, problem.detail or problem.title or "no reason given", parts)

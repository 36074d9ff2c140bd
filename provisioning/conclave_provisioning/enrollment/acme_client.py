"""One ACME server, spoken to in blocking calls: one request a call, typed values out (RFC 8555).

It stands on the messages of the `acme` package and on `Transport`. It never sleeps: the caller polls. This
module is heavy (8 MB); import it where it is used.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from acme import challenges, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.errors import Error as JoseError

from conclave_provisioning.enrollment.account_key import AccountSigner, encode, thumbprint
from conclave_provisioning.enrollment.challenge.persistent_record import persistent_record
from conclave_provisioning.enrollment.challenge.registered import DnsPersist01Challenge, TlsAlpn01Challenge
from conclave_provisioning.enrollment.challenge.solver import Challenge
from conclave_provisioning.enrollment.directory import Directory, read_directory
from conclave_provisioning.enrollment.errors import (
    BadResponseError,
    EnrollmentError,
    RefusedError,
)
from conclave_provisioning.enrollment.jws import Json, bind_external_account, sign_jws
from conclave_provisioning.enrollment.order import AccountInfo, Authorization, Order
from conclave_provisioning.enrollment.problems import error_of, refusal, validation_failure
from conclave_provisioning.enrollment.renewal_info import RenewalInfo, certificate_id, read_renewal_info
from conclave_provisioning.enrollment.secret_file import decode_secret, read_secret
from conclave_provisioning.enrollment.settings import AcmeSettings, ChallengeKind
from conclave_provisioning.enrollment.transport import Answer, Transport

MAX_AUTHORIZATIONS = 4
MAX_CERTIFICATES = 8
MAX_CHAINS = 8
_CLASSES: dict[ChallengeKind, type[Any]] = {
    ChallengeKind.HTTP_01: challenges.HTTP01,
    ChallengeKind.DNS_01: challenges.DNS01,
    ChallengeKind.TLS_ALPN_01: TlsAlpn01Challenge,
    ChallengeKind.DNS_PERSIST_01: DnsPersist01Challenge,
}
_ALTERNATE = re.compile(r'<([^>]+)>\s*(?:;[^,<]*)?;\s*rel="?alternate"?')


class AcmeClient:
    """A connection to an ACME server under one account key. For one thread at a time."""

    def __init__(self, settings: AcmeSettings, signer: AccountSigner) -> None:
        self._settings = settings
        self._signer = signer
        self._account_url: str | None = None
        self._transport = Transport(settings)
        self._directory: Directory | None = None

    @property
    def directory(self) -> Directory:
        """What the CA offers. Raises `BadResponseError` before `connect`."""
        if self._directory is None:
            raise BadResponseError("the CA's directory has not been fetched")
        return self._directory

    def connect(self) -> None:
        """Fetches the directory and compares clocks. Raises an `EnrollmentError`."""
        with self._mapped("to show its directory") as check:
            answer = check(self._transport.get(self._settings.directory_url))
            self._directory = read_directory(answer.json())
            self._transport.check_clock(answer)

    def use_account(self, url: str) -> None:
        """Signs from now on as the account at ``url``."""
        self._account_url = url

    def use_key(self, signer: AccountSigner) -> None:
        """Signs from now on with this key."""
        self._signer = signer

    def register(self) -> str:
        """Makes the account, or finds that of this key: its URL (RFC 8555 §7.3)."""
        request: dict[str, object] = {"termsOfServiceAgreed": True, "contact": self._contact()}
        if self._settings.eab_key_id is not None:
            request["externalAccountBinding"] = bind_external_account(
                self._signer.public_jwk,
                url=self.directory.url("newAccount"),
                key_id=self._settings.eab_key_id,
                mac_key=self._mac_key(),
            )
        return self._new_account(request, "the account")

    def find_account(self, signer: AccountSigner) -> str | None:
        """The URL of this key's account, if there is one (RFC 8555 §7.3.1). Signs with it from now on."""
        self._signer = signer
        try:
            return self._new_account({"onlyReturnExisting": True}, "to find the account")
        except RefusedError as error:
            if error.problem_type != "accountDoesNotExist":
                raise
            return None

    def account(self) -> AccountInfo:
        """The account's present state (RFC 8555 §7.1.2)."""
        return self._change_account(None, "to show the account")

    def change_contact(self) -> AccountInfo:
        """Tells the CA the settings' mail address (RFC 8555 §7.3.2)."""
        return self._change_account({"contact": self._contact()}, "the contact")

    def deactivate_account(self) -> AccountInfo:
        """Ends the account for good (RFC 8555 §7.3.6)."""
        return self._change_account({"status": "deactivated"}, "to deactivate the account")

    def change_key(self, new: AccountSigner) -> None:
        """Puts the account under another key (RFC 8555 §7.3.5), and signs with it from now on."""
        url = self.directory.url("keyChange")
        inner: Json = {"account": self._account_url, "oldKey": dict(self._signer.public_jwk)}
        with self._mapped("the new account key") as check:
            check(self._post(url, sign_jws(inner, new, url=url)))
        self._signer = new

    def new_order(self, domain: str, *, profile: str | None = None, replaces: str | None = None) -> Order:
        """Asks for a certificate (RFC 8555 §7.4). ``replaces`` is a certificate's identifier."""
        request: dict[str, object] = {"identifiers": [{"type": "dns", "value": domain}]}
        request |= {"profile": profile} if profile is not None else {}
        request |= {"replaces": replaces} if replaces is not None else {}
        with self._mapped("the order") as check:
            answer = check(self._post(self.directory.url("newOrder"), request))
            return self._read_order(answer, _location(answer))

    def order(self, url: str) -> Order:
        """The order's present state."""
        with self._mapped("to show the order") as check:
            return self._read_order(check(self._post(url, None)), url)

    def authorization(self, url: str, domain: str) -> Authorization:
        """An authorization's present state; it must be for ``domain``."""
        with self._mapped("to show the authorization") as check:
            answer = check(self._post(url, None))
            body = messages.Authorization.from_json(answer.json())
            if body.identifier.value != domain:
                raise BadResponseError("the CA's authorization is for another domain")
            kind = self._settings.challenge
            offered = [each for each in body.challenges or () if isinstance(each.chall, _CLASSES[kind])]
            failed = [each.error for each in body.challenges or () if each.error is not None]
            return Authorization(
                url=url,
                status=body.status.name,
                challenge=self._read_challenge(offered[0], domain) if offered else None,
                offered=tuple(str(each.chall.to_json().get("type", "")) for each in body.challenges or ()),
                refusal=validation_failure(failed[0], kind) if failed else None,
                retry_after_s=answer.retry_after_s,
            )

    def begin_validation(self, challenge: Challenge) -> None:
        """Tells the CA that the answer is in its place (RFC 8555 §7.5.1)."""
        with self._mapped("the challenge") as check:
            check(self._post(challenge.url, {}))

    def finalize(self, order: Order, csr_der: bytes) -> Order:
        """Hands over the certificate request (RFC 8555 §7.4)."""
        with self._mapped("the certificate request") as check:
            answer = check(self._post(order.finalize, {"csr": encode(csr_der)}))
            return self._read_order(answer, order.url)

    def certificate(self, url: str) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        """A chain, DER, leaf first, and the addresses of other chains for the leaf (RFC 8555 §7.4.2)."""
        with self._mapped("to hand over the certificate") as check:
            answer = check(self._post(url, None))
            chain = x509.load_pem_x509_certificates(answer.body)
            if len(chain) > MAX_CERTIFICATES:
                raise BadResponseError(f"the CA's chain has more than {MAX_CERTIFICATES} certificates")
            others = tuple(_ALTERNATE.findall(answer.headers.get("Link", "")))[:MAX_CHAINS]
            return tuple(certificate.public_bytes(Encoding.DER) for certificate in chain), others

    def revoke(self, leaf: bytes, reason: int | None, *, key: AccountSigner | None = None) -> bool:
        """Revokes a certificate (RFC 8555 §7.6), as the account or with the certificate's own ``key``.

        Whether that changed anything: one that is revoked already is as good as done.
        """
        request: dict[str, object] = {"certificate": encode(leaf)}
        request |= {"reason": reason} if reason is not None else {}
        try:
            with self._mapped("to revoke the certificate") as check:
                check(self._post(self.directory.url("revokeCert"), request, key=key))
        except RefusedError as error:
            if error.problem_type != "alreadyRevoked":
                raise
            return False
        return True

    def renewal_info(self, leaf: x509.Certificate) -> RenewalInfo | None:
        """When the CA wants a certificate renewed (RFC 9773 §4); None if it does not say."""
        base, identifier = self.directory.urls.get("renewalInfo"), certificate_id(leaf)
        if base is None or identifier is None:
            return None
        with self._mapped("to say when to renew") as check:
            answer = check(self._transport.get(f"{base.rstrip('/')}/{identifier}"))
            return read_renewal_info(answer.json(), answer.retry_after_s)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def _mac_key(self) -> bytes:
        what, path = "the MAC key of the external account binding", self._settings.eab_mac_file
        text = read_secret(path, what) if path is not None else self._settings.eab_mac_key or ""
        return decode_secret(text, what)

    def _contact(self) -> list[str]:
        return [f"mailto:{self._settings.email}"] if self._settings.email else []

    def _new_account(self, request: Json, doing: str) -> str:
        self._account_url = None
        with self._mapped(doing) as check:
            url = _location(check(self._post(self.directory.url("newAccount"), request)))
        self._account_url = url
        return url

    def _change_account(self, request: Json | None, doing: str) -> AccountInfo:
        url = self._account_url or ""
        with self._mapped(doing) as check:
            body = check(self._post(url, request)).json()
            contact = body.get("contact") or ()
            return AccountInfo(url, str(body["status"]), tuple(str(each) for each in contact))

    def _post(self, url: str, body: Json | None, *, key: AccountSigner | None = None) -> Answer:
        return self._transport.post(
            url,
            body,
            signer=key or self._signer,
            account_url=None if key else self._account_url,
            new_nonce_url=self.directory.url("newNonce"),
        )

    def _read_order(self, answer: Answer, url: str) -> Order:
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
            refusal=refusal("the order", body.error) if body.error is not None else None,
            retry_after_s=answer.retry_after_s,
        )

    def _read_challenge(self, offered: messages.ChallengeBody, domain: str) -> Challenge:
        kind = self._settings.challenge
        key = thumbprint(self._signer.public_jwk)
        if kind is ChallengeKind.DNS_PERSIST_01:
            # A record that was written by the directory's word has to do for every challenge.
            if not set(self.directory.issuers) <= set(offered.chall.issuers):
                raise BadResponseError("the CA's challenge does not know the names in the CA's own directory")
            record = persistent_record(
                domain,
                issuers=offered.chall.issuers,
                account_url=self._account_url or "",
                hash_prefix=self.directory.account_hash_prefix,
                key_thumbprint=key,
            )
            return Challenge(kind, offered.uri, offered.status.name, domain, persistent=record)
        token = offered.chall.encode("token")
        return Challenge(kind, offered.uri, offered.status.name, domain, token, f"{token}.{key}")

    @contextmanager
    def _mapped(self, doing: str) -> "Iterator[_Check]":
        try:
            yield _Check(doing)
        except EnrollmentError:
            raise
        except (
            errors.Error,
            JoseError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            # All of these are what `acme`, `josepy` and `json` raise over an answer of another shape.
            raise BadResponseError(
                f"the answer of {self._settings.directory_url} is not ACME ({doing})",
                hint="check that the address is the CA's ACME directory",
            ) from error


class _Check:
    """Turns a refusal into an error."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __call__(self, answer: Answer) -> Answer:
        if answer.status >= 300:
            raise error_of(self._doing, answer)
        return answer


def _location(answer: Answer) -> str:
    url = answer.headers.get("Location")
    if url is None:
        raise BadResponseError("the CA's answer names no address for what it made")
    return url

"""The kinds of challenge that the `acme` package does not know, made known to it. Heavy: imports `acme`."""

from typing import Any

from acme import challenges
from josepy.json_util import field


@challenges.ChallengeResponse.register
class TlsAlpn01Response(challenges.KeyAuthorizationChallengeResponse):
    """The answer to tls-alpn-01 (RFC 8737 §3)."""

    typ = "tls-alpn-01"


@challenges.Challenge.register
class TlsAlpn01Challenge(challenges.KeyAuthorizationChallenge):
    """tls-alpn-01 (RFC 8737 §3)."""

    response_cls = TlsAlpn01Response
    typ = response_cls.typ

    def validation(self, account_key: Any, **_: Any) -> str:
        """The key authorization, whose digest goes into the certificate."""
        authorization: str = self.key_authorization(account_key)
        return authorization


@challenges.Challenge.register
class DnsPersist01Challenge(challenges.Challenge):
    """dns-persist-01 (draft-ietf-acme-dns-persist); its two drafts spell the one member differently."""

    typ = "dns-persist-01"
    issuer_domain_names: Any = field("issuerDomainNames", omitempty=True)
    issuer_domain_names_01: Any = field("issuer-domain-names", omitempty=True)

    @property
    def issuers(self) -> tuple[object, ...]:
        """The CA's names for itself, as it sent them."""
        names = self.issuer_domain_names or self.issuer_domain_names_01
        return tuple(names) if isinstance(names, list | tuple) else ()

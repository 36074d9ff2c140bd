"""What a CA offers, from its directory (RFC 8555 §7.1.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conclave_provisioning.enrollment.errors import BadResponseError


@dataclass(frozen=True, slots=True)
class Directory:
    """A CA's addresses and its word about itself."""

    urls: Mapping[str, str]
    """Its resources: `newOrder` and the others."""
    profiles: Mapping[str, str]
    """Its profiles, each with a description (draft-aaron-acme-profiles); empty: it has none."""
    issuers: tuple[object, ...]
    """Its names in standing DNS records (draft-ietf-acme-dns-persist-02 §3.2); unchecked."""
    caa_identities: tuple[object, ...]
    """Its names in CAA records; unchecked."""
    account_hash_prefix: str | None
    """dns-persist-01: what the hash of an account follows; None: records name the account itself."""
    terms_url: str | None
    """Its terms."""

    def url(self, name: str) -> str:
        """A resource's address. Raises `BadResponseError` if it has none."""
        try:
            return self.urls[name]
        except KeyError as error:
            raise BadResponseError(f"the CA does not offer {name}") from error


def read_directory(document: Any) -> Directory:
    """From JSON. Raises `BadResponseError`, or what reading something of another shape raises."""
    urls = {name: url for name, url in document.items() if isinstance(url, str)}
    for name in ("newNonce", "newAccount", "newOrder"):
        if name not in urls:
            raise BadResponseError(
                "the address does not lead to an ACME directory: what it shows is not ACME",
                hint="check that the address is the CA's ACME directory",
            )
    meta = document.get("meta") or {}
    profiles = {str(name): str(text) for name, text in (meta.get("profiles") or {}).items()}
    prefix, terms = meta.get("accountHashPrefix"), meta.get("termsOfService")
    return Directory(
        urls=urls,
        profiles=profiles,
        issuers=_listed(meta.get("issuerDomainNames")),
        caa_identities=_listed(meta.get("caaIdentities")),
        account_hash_prefix=prefix if isinstance(prefix, str) else None,
        terms_url=terms if isinstance(terms, str) else None,
    )


def _listed(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list) else ()

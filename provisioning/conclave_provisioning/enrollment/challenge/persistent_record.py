"""The standing TXT record of dns-persist-01: `_validation-persist.DOMAIN` (draft-ietf-acme-dns-persist).

It names a CA and an account that may have certificates for the domain, in the syntax of a CAA record's value
(RFC 8659 §4.2). Draft 02 writes the account as a hash that also covers the account's key and the domain, so
that records of several domains do not show that they are of one owner; draft 01 writes the account's URL. A
CA that announces an `accountHashPrefix` wants the former.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from conclave_provisioning.enrollment.account_key import encode
from conclave_provisioning.enrollment.errors import BadResponseError

LABEL = "_validation-persist"
MAX_ISSUERS = 10
_MAX_STRING_BYTES = 255
_ISSUER = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]+")


@dataclass(frozen=True, slots=True)
class PersistentRecord:
    """The record that a CA wants to see for one domain and one account."""

    domain: str
    """The domain."""
    issuers: tuple[str, ...]
    """The CA's own names, of which the record has one."""
    accounts: tuple[str, ...]
    """The ways in which the record may name the account; the first is the one to write."""

    @property
    def name(self) -> str:
        """The record's name, without a trailing dot."""
        return f"{LABEL}.{self.domain}"

    @property
    def value(self) -> str:
        """The record's content, in one piece."""
        return f"{self.issuers[0]}; accounturi={self.accounts[0]}"

    @property
    def zone_line(self) -> str:
        """The record as a line of a zone file, its content cut into strings that DNS can carry."""
        pieces = [
            self.value[start : start + _MAX_STRING_BYTES]
            for start in range(0, len(self.value), _MAX_STRING_BYTES)
        ]
        return f"{self.name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces)

    def is_met_by(self, text: str, *, now: float) -> bool:
        """Whether a TXT record with this content satisfies the CA; ``now`` is Unix seconds."""
        issuer, *parameters = (part.strip(" \t") for part in text.split(";"))
        if issuer.lower().removesuffix(".") not in self.issuers:
            return False
        values: dict[str, str] = {}
        for parameter in parameters:
            tag, equals, value = (part.strip(" \t") for part in parameter.partition("="))
            if not equals or tag.lower() in values:
                return False
            values[tag.lower()] = value
        until = values.get("persistuntil")
        if until is not None and not (until.isascii() and until.isdigit() and now <= int(until[:20])):
            return False
        return values.get("accounturi") in self.accounts


def persistent_record(
    domain: str, *, issuers: Sequence[object], account_url: str, hash_prefix: str | None, key_thumbprint: str
) -> PersistentRecord:
    """The record for an account. Raises `BadResponseError` if the CA's names for itself are not in order."""
    names = [name for name in issuers if isinstance(name, str) and _ISSUER.fullmatch(name)]
    if not names or len(names) != len(issuers) or len(names) > MAX_ISSUERS:
        raise BadResponseError("the CA does not say properly which name it has in a dns-persist-01 record")
    accounts: tuple[str, ...] = (account_url,)
    if hash_prefix is not None:
        # "*" is what an owner writes who does not mind that the records of several domains look alike.
        accounts = tuple(
            f"{hash_prefix}sha-256/{_hash(name, key_thumbprint, account_url)}" for name in (domain, "*")
        )
    if not all(_VALUE.fullmatch(account) for account in accounts):
        raise BadResponseError("the account's address cannot stand in a dns-persist-01 record")
    return PersistentRecord(domain, tuple(names), accounts)


def _hash(domain: str, key_thumbprint: str, account_url: str) -> str:
    covered = bytes([len(domain)]) + (domain + key_thumbprint + account_url).encode("ascii")
    return encode(hashlib.sha256(covered).digest())

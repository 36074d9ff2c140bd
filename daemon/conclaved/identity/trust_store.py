"""The one function that judges a certificate chain, for every event of RFC 9420 §5.3.1.

Order of the questions, each of which can only lower the outcome:
1. Is the leaf what this device demands (`leaf`)? Is the clock believable, and the leaf in its time?
2. Is a key or the name blocked?
3. Does the chain reach the provider's CA, or does the provider CA's key stand anywhere in it? Then it is
   `provider` at best, even if it reaches another anchor too: a provider whose CA is cross-signed by a public
   root must not become able to vouch for people.
4. Does it reach an anchor for verified identities that may vouch for this name?
On a path that is found, no key may be blocked, and no certificate revoked by its issuer's list.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.verification import Store

from conclaved.identity.anchors import Anchor, fingerprint_of
from conclaved.identity.crl import Crl, revocation_of
from conclaved.identity.errors import AnchorError
from conclaved.identity.leaf import READ_ERRORS, Leaf, RefusedError, read_certificate, read_leaf
from conclaved.identity.names import canonical_name, is_within
from conclaved.identity.path import find_path
from conclaved.identity.verdict import Assurance, Verdict

MAX_CHAIN_CERTIFICATES = 8
"""The most certificates a chain may bring, the leaf included."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
NO_CLOCK_REASON = "this device's clock cannot be believed yet, so nothing can be verified"


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Whom this device believes. Immutable: the `with_` and `without_` methods give the next store.

    Raises `NameFormatError` or `AnchorError` for a blocked name or key that is not one.
    """

    anchors: tuple[Anchor, ...] = ()
    """The authorities."""
    blocked_keys: frozenset[str] = frozenset()
    """Fingerprints (SHA-256 of the SPKI, 64 hexadecimal digits) of keys that are refused at once, a leaf's
    or an authority's."""
    blocked_names: frozenset[str] = frozenset()
    """Names that are refused at once, canonical once in here."""
    crls: tuple[Crl, ...] = ()
    """Lists of revoked certificates, one an authority."""
    _crls: Mapping[str, Crl] = field(init=False, repr=False, compare=False)
    _verified: Store | None = field(init=False, repr=False, compare=False)
    _provider: Store | None = field(init=False, repr=False, compare=False)
    _provider_keys: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchors", tuple(self.anchors))
        object.__setattr__(self, "_crls", {crl.issuer_fingerprint: crl for crl in self.crls})
        object.__setattr__(self, "blocked_keys", frozenset(map(_fingerprint, self.blocked_keys)))
        # A block that is spelled otherwise than the certificate would silently block nothing.
        names = frozenset(canonical_name(name)[1] for name in self.blocked_names)
        object.__setattr__(self, "blocked_names", names)
        provider = [anchor for anchor in self.anchors if anchor.kind is Assurance.PROVIDER]
        object.__setattr__(self, "_provider", _store(provider))
        object.__setattr__(self, "_provider_keys", frozenset(anchor.fingerprint for anchor in provider))
        verified = [anchor for anchor in self.anchors if anchor.kind is Assurance.VERIFIED]
        object.__setattr__(self, "_verified", _store(verified))

    def with_anchors(self, anchors: Iterable[Anchor]) -> "TrustStore":
        """The store with ``anchors`` too; one of the same certificate and kind is replaced."""
        added = tuple(anchors)
        taken = {(anchor.certificate, anchor.kind) for anchor in added}
        kept = tuple(a for a in self.anchors if (a.certificate, a.kind) not in taken)
        return replace(self, anchors=kept + added)

    def without_anchor(self, name: str) -> "TrustStore":
        """The store without the anchors of this label or key fingerprint; itself if there is none."""
        kept = tuple(a for a in self.anchors if name not in (a.label, a.fingerprint))
        return self if len(kept) == len(self.anchors) else replace(self, anchors=kept)

    def with_blocked(self, *, keys: Iterable[str] = (), names: Iterable[str] = ()) -> "TrustStore":
        """The store that also refuses these key fingerprints and canonical names."""
        return replace(
            self,
            blocked_keys=self.blocked_keys.union(keys),
            blocked_names=self.blocked_names.union(names),
        )

    def without_blocked(self, *, keys: Iterable[str] = (), names: Iterable[str] = ()) -> "TrustStore":
        """The store that no longer refuses these."""
        return replace(
            self,
            blocked_keys=self.blocked_keys.difference(map(_fingerprint, keys)),
            blocked_names=self.blocked_names.difference(canonical_name(name)[1] for name in names),
        )

    def with_crls(self, crls: Iterable[Crl]) -> "TrustStore":
        """The store with these lists of revoked certificates, and no others."""
        return replace(self, crls=tuple(crls))

    def assess(self, chain: Sequence[bytes], signature_key: bytes, *, now: int | None) -> Verdict:
        """Judges a chain (DER, leaf first) whose leaf must hold ``signature_key`` (65-byte P-256 point).

        ``now`` is the Unix time of a believed clock, or None if there is none: then nothing is verified.
        Never raises over what a peer sent: every refusal is UNKNOWN with its reason.
        """
        if not 1 <= len(chain) <= MAX_CHAIN_CERTIFICATES:
            return _unknown(f"a chain has 1 to {MAX_CHAIN_CERTIFICATES} certificates, not {len(chain)}")
        try:
            leaf = read_leaf(chain[0], signature_key)
        except RefusedError as refusal:
            return _unknown(str(refusal))
        try:
            return self._assess_leaf(leaf, chain[1:], now)
        except RefusedError as refusal:
            return Verdict(Assurance.UNKNOWN, leaf.name_type, leaf.name, str(refusal), "", leaf.not_after)

    def _assess_leaf(self, leaf: Leaf, others: Sequence[bytes], now: int | None) -> Verdict:
        if now is None:
            raise RefusedError(NO_CLOCK_REASON)
        if now > leaf.not_after:
            raise RefusedError(f"the certificate of {leaf.name} ended on {_date(leaf.not_after)}")
        if now < leaf.not_before:
            raise RefusedError(f"the certificate of {leaf.name} begins only on {_date(leaf.not_before)}")
        intermediates = [read_certificate(der) for der in others]
        brought = _fingerprints([leaf.certificate, *intermediates])
        if leaf.name in self.blocked_names:
            raise RefusedError(f"{leaf.name} is blocked on this device")
        self._refuse_blocked(brought)

        anchor = self._match(leaf, intermediates, Assurance.PROVIDER, self._provider, now)
        is_providers = anchor is not None or not brought.isdisjoint(self._provider_keys)
        if anchor is None:
            anchor = self._match(leaf, intermediates, Assurance.VERIFIED, self._verified, now)
        if anchor is None:
            raise RefusedError(f"nobody whom this device trusts vouches for {leaf.name}")
        if is_providers or anchor.fingerprint in self._provider_keys:
            return Verdict(
                Assurance.PROVIDER,
                leaf.name_type,
                leaf.name,
                "only the provider vouches for the name",
                anchor.shown_name,
                leaf.not_after,
            )
        return Verdict(
            Assurance.VERIFIED,
            leaf.name_type,
            leaf.name,
            f"{anchor.shown_name} vouches for {leaf.name}",
            anchor.shown_name,
            leaf.not_after,
        )

    def _match(
        self,
        leaf: Leaf,
        intermediates: Sequence[x509.Certificate],
        kind: Assurance,
        store: Store | None,
        now: int,
    ) -> Anchor | None:
        """The anchor of this kind that vouches for the leaf; None if none does."""
        if store is None:
            return None
        path = find_path(leaf, intermediates, store, now=now)
        if path is None:
            return None
        may_vouch = self._may_vouch(leaf, kind)
        anchor = next((a for a in self.anchors if may_vouch(a) and a.certificate == path[-1]), None)
        if anchor is None:
            # The path that was found ends in an anchor for other domains. Another one may serve.
            narrowed = _store([a for a in self.anchors if may_vouch(a)])
            path = find_path(leaf, intermediates, narrowed, now=now) if narrowed else None
            if path is None:
                raise RefusedError(f"the authority behind {leaf.name} is not trusted for that domain here")
            anchor = next(a for a in self.anchors if may_vouch(a) and a.certificate == path[-1])
        self._refuse_blocked(_fingerprints(path))
        revocation = revocation_of(path, self._crls)
        if revocation is not None:
            crl, when = revocation
            raise RefusedError(f"{crl.issuer} revoked a certificate of {leaf.name} on {_date(when)}")
        return anchor

    @staticmethod
    def _may_vouch(leaf: Leaf, kind: Assurance) -> Callable[[Anchor], bool]:
        return lambda anchor: (
            anchor.kind is kind
            and (not anchor.domains or any(is_within(leaf.name, domain) for domain in anchor.domains))
        )

    def _refuse_blocked(self, fingerprints: frozenset[str]) -> None:
        if not fingerprints.isdisjoint(self.blocked_keys):
            raise RefusedError("a key in the chain is blocked on this device")


def _fingerprint(text: str) -> str:
    if not _FINGERPRINT.fullmatch(text.lower()):
        raise AnchorError("a key's fingerprint is its SHA-256: 64 hexadecimal digits")
    return text.lower()


def _store(anchors: Sequence[Anchor]) -> Store | None:
    return Store([anchor.certificate for anchor in anchors]) if anchors else None


def _fingerprints(certificates: Iterable[x509.Certificate]) -> frozenset[str]:
    try:
        return frozenset(fingerprint_of(certificate) for certificate in certificates)
    except READ_ERRORS as error:
        raise RefusedError("a certificate in the chain has a key that cannot be read") from error


def _unknown(reason: str) -> Verdict:
    return Verdict(Assurance.UNKNOWN, None, "", reason, "", 0)


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")

"""The cast: authorities, people with their certificates, what rooms trust, and what is true about all that.

Made once in a process, from one fixed seed: keys and names are the same in every process, so a schedule
meets the same people whenever it is repeated. `truth_of` knows what each certificate is worth, and asks
nobody in `conclaved` about it.
"""

import hashlib
from dataclasses import dataclass, field
from enum import Enum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from conclaved.identity import Anchor, Assurance, SoftwareSigner, TrustStore, Verdict, parse_anchor_pem
from conclaved.meeting import Invitation, Level, LinkSecret, OwnIdentity, SignedInvitation
from tests.pki import TestAuthority
from tests.simulation.fast_crypto import FastSigner

WALL = 1_800_000_000
"""Seconds since 1970 when every schedule begins."""
LONG_S = 40 * 86400
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CORPORATE = "corp.example"


class Vouching(Enum):
    """Who signs somebody's certificate."""

    PUBLIC = "a public CA"
    CORPORATE = "the CA of corp.example"
    PROVIDER = "the provider's CA"
    NOBODY = "nobody's CA"


def _key(what: str) -> ec.EllipticCurvePrivateKey:
    digest = hashlib.sha512(b"simulation|" + what.encode()).digest()
    return ec.derive_private_key(int.from_bytes(digest, "big") % (P256_ORDER - 1) + 1, ec.SECP256R1())


_AUTHORITIES = {
    vouching: TestAuthority(
        vouching.value,
        key=_key(vouching.value),
        not_before=WALL - 10_000_000,
        not_after=WALL + 100_000_000,
        is_repeatable=True,
    )
    for vouching in Vouching
}


@dataclass(frozen=True)
class Truth:
    """What one certificate is worth."""

    name: str
    vouching: Vouching
    key: bytes
    not_before: int
    not_after: int


_TRUTHS: dict[bytes, Truth] = {}


def truth_of(certificate: bytes) -> Truth:
    """What is true about a certificate of the cast (DER)."""
    return _TRUTHS[certificate]


@dataclass(frozen=True)
class Paper:
    """A key with a certificate for it."""

    truth: Truth
    chain: tuple[bytes, ...] = field(repr=False)
    real: SoftwareSigner = field(repr=False)

    @classmethod
    def issue(cls, name: str, vouching: Vouching, *, key: str = "", lasts_s: int = LONG_S) -> "Paper":
        """A certificate that ends `lasts_s` seconds after the beginning of the schedule."""
        signer = SoftwareSigner(_key(f"{key or name}|{vouching.value}"))
        not_before, not_after = WALL - 86400, WALL + lasts_s
        chain = _AUTHORITIES[vouching].issue(
            signer.certificate_public_key, dns=[name], not_before=not_before, not_after=not_after
        )
        truth = Truth(name, vouching, signer.public_key, not_before, not_after)
        _TRUTHS[chain[0]] = truth
        return cls(truth, tuple(chain), signer)

    def identity(self, *, is_fast: bool) -> OwnIdentity:
        """As a session takes it."""
        return OwnIdentity(FastSigner(self.truth.key) if is_fast else self.real, self.chain)


@dataclass(frozen=True)
class Person:
    """A room, or somebody with a device."""

    name: str
    paper: Paper
    short_lived: Paper
    """The same key with a certificate that ends in mid-meeting."""
    successors: tuple[Paper, ...]
    """The same name, each with another key: what renewals bring."""
    stranger: Paper
    """The same key with another name: no renewal."""

    @property
    def vouching(self) -> Vouching:
        """Who vouches for this one."""
        return self.paper.truth.vouching

    def after(self, paper: Paper) -> "Paper | None":
        """The certificate with the next key after that of `paper`; None if there is none."""
        keys = self.keys
        at = keys.index(paper.truth.key)
        return self.successors[at] if at < len(self.successors) else None

    def lasting(self, paper: Paper) -> Paper:
        """The certificate for the key of `paper` that ends long after the meeting."""
        return (self.paper, *self.successors)[self.keys.index(paper.truth.key)]

    def until(self, paper: Paper, ends_s: int) -> Paper:
        """One more certificate for the key of `paper`, which ends so many seconds after the beginning."""
        at = self.keys.index(paper.truth.key)
        return Paper.issue(self.name, self.vouching, key=f"{self.name} {at}" if at else "", lasts_s=ends_s)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Every key that this one ever has."""
        return (self.paper.truth.key, *(paper.truth.key for paper in self.successors))


SHORT_S = 16
RENEWALS = 3


def _person(name: str, vouching: Vouching) -> Person:
    return Person(
        name,
        Paper.issue(name, vouching),
        Paper.issue(name, vouching, lasts_s=SHORT_S),
        tuple(Paper.issue(name, vouching, key=f"{name} {number}") for number in range(1, RENEWALS + 1)),
        Paper.issue(f"also-{name}", vouching, key=name),
    )


CHAIR = _person("chair.example.com", Vouching.PUBLIC)
"""Signs the invitations."""
ROOMS = tuple(_person(f"room{i}.example.com", Vouching.PUBLIC) for i in range(1, 10))
CORPORATE_ROOMS = tuple(_person(f"hall{i}.{CORPORATE}", Vouching.CORPORATE) for i in range(1, 4))
STRAYS = tuple(_person(f"stray{i}.example.net", Vouching.CORPORATE) for i in range(1, 3))
"""Named by a CA that nobody trusts for that domain."""
PROVIDED = tuple(_person(f"guest{i}.example.org", Vouching.PROVIDER) for i in range(1, 5))
STRANGERS = tuple(_person(f"stranger{i}.example.org", Vouching.NOBODY) for i in range(1, 4))
RECORDERS = tuple(_person(f"recorder{i}.example.com", Vouching.PUBLIC) for i in range(1, 3))
"""Service ends: named as such on the invitation."""
EVERYBODY = (CHAIR, *ROOMS, *CORPORATE_ROOMS, *STRAYS, *PROVIDED, *STRANGERS, *RECORDERS)


# -- trust -------------------------------------------------------------------------------------


def _anchors(vouching: Vouching, kind: Assurance, domains: tuple[str, ...] = ()) -> list[Anchor]:
    pem = _AUTHORITIES[vouching].root_pem
    return list(parse_anchor_pem(pem, kind=kind, domains=domains, label=vouching.value))


class Trust:
    """What a room's admin trusts. Shared by all rooms that trust the same; keeps its verdicts."""

    def __init__(self, verified: dict[Vouching, tuple[str, ...]], blocked: frozenset[str]) -> None:
        self.verified = verified
        """Whose word makes a name verified, and for which domains; none named: for all."""
        self.blocked = blocked
        anchors = _anchors(Vouching.PROVIDER, Assurance.PROVIDER)
        for vouching, domains in verified.items():
            anchors += _anchors(vouching, Assurance.VERIFIED, domains)
        self._store = TrustStore(tuple(anchors)).with_blocked(names=blocked)
        self._verdicts: dict[tuple[tuple[bytes, ...], bytes, int], Verdict] = {}

    def assess(self, chain: tuple[bytes, ...], key: bytes, wall: int) -> Verdict:
        """The product's verdict: looked up again as long as time has not changed anything about it."""
        truth = _TRUTHS.get(chain[0]) if chain else None
        phase = wall
        if truth is not None:
            phase = (wall < truth.not_before) + 2 * (wall > truth.not_after)
        at = chain, key, phase
        found = self._verdicts.get(at)
        if found is None:
            found = self._verdicts[at] = self._store.assess(chain, key, now=wall)
        return found

    def may_call_verified(self, truth: Truth, wall: int) -> bool:
        """Whether a room that trusts this may call the owner of a certificate verified, in truth."""
        domains = self.verified.get(truth.vouching)
        if domains is None or truth.name in self.blocked:
            return False
        is_within = not domains or any(truth.name == d or truth.name.endswith("." + d) for d in domains)
        return is_within and truth.not_before <= wall <= truth.not_after


_TRUSTS: dict[frozenset[str], Trust] = {}


def ordinary_trust(blocked: frozenset[str] = frozenset()) -> Trust:
    """The public CA for everybody, the corporate one for its domain, the provider's for guests."""
    found = _TRUSTS.get(blocked)
    if found is None:
        verified: dict[Vouching, tuple[str, ...]] = {Vouching.PUBLIC: (), Vouching.CORPORATE: (CORPORATE,)}
        found = _TRUSTS[blocked] = Trust(verified, blocked)
    return found


# -- invitations -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Terms:
    """An invitation by the chair, with its link."""

    link: LinkSecret
    signed: SignedInvitation

    @property
    def is_locked(self) -> bool:
        """Whether only verified names may be in."""
        return self.signed.content.level is Level.LOCKED


class _Repeatable:
    """A key that signs the same in the same way each time (RFC 6979)."""

    def __init__(self, signer: SoftwareSigner) -> None:
        self._key = signer._key
        self.public_key = signer.public_key
        self.certificate_public_key = signer.certificate_public_key

    def sign(self, data: bytes) -> bytes:
        """DER."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def _terms(what: str, level: Level, *, is_open: bool) -> Terms:
    link = LinkSecret(hashlib.sha256(what.encode()).digest())
    content = Invitation(
        meeting_id=hashlib.sha256(link.secret).digest()[:16],
        serial=1,
        title=what,
        service="wss://hub.example.com:443",
        level=level,
        invited=("@example.com", f"@{CORPORATE}"),
        service_ends=() if level is Level.LOCKED else tuple(person.name for person in RECORDERS),
        hosts=(ROOMS[0].name, CORPORATE_ROOMS[0].name),
        is_open=is_open,
        link_public_key=link.link_key().public_key,
        not_before=WALL - 86400,
        not_after=WALL + 86400,
    )
    return Terms(
        link, SignedInvitation.verify(content.sign(_Repeatable(CHAIR.paper.real), CHAIR.paper.chain))
    )


LOCKED = _terms("locked", Level.LOCKED, is_open=False)
STANDARD = _terms("standard", Level.STANDARD, is_open=False)
OPEN = _terms("open", Level.STANDARD, is_open=True)
ANOTHER = _terms("another meeting", Level.STANDARD, is_open=False)
"""What nobody was invited to."""

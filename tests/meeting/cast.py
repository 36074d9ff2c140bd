"""The documents of one meeting, to be bent one at a time: link, invitation, admissions."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from hypothesis import settings

from conclaved.meeting import Invitation, Level, LinkSecret, Role, SignedInvitation
from conclaved.meeting.admission import ADMISSION_EXTENSION, Admission, IssuerType, issue
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.mls import Extension, KeyPackageBundle, LeafNode, Lifetime, X509Credential
from tests.meeting.simulated_service import EXTENSION_TYPES, SUITE, WALL, identity

PATIENT = settings(deadline=None, max_examples=60)
"""For property tests: an example on a busy machine takes as long as it takes."""

HOST = identity("host.example.com")
OTHER_HOST = identity("other-host.example.com")
THIRD_HOST = identity("third-host.example.com")
A = identity("a.example.com")
B = identity("b.example.com")
LINK = LinkSecret(bytes(range(32)))
MEETING_ID = bytes(range(16))

CONTENT = Invitation(
    meeting_id=MEETING_ID,
    serial=7,
    title="Board",
    service="wss://hub.example.com:443",
    level=Level.STANDARD,
    invited=("a.example.com", "@example.org"),
    service_ends=("recorder.example.com",),
    is_open=False,
    link_public_key=LINK.link_key().public_key,
    not_before=WALL - 3600,
    not_after=WALL + 3600,
)


def content(**changes: Any) -> Invitation:
    """The invitation's content with changes; `locked` and `open` ones fit together by themselves."""
    if changes.get("level") is Level.LOCKED:
        changes = {"service_ends": (), **changes}
    return replace(CONTENT, **changes)


def invitation(**changes: Any) -> SignedInvitation:
    """The invitation, signed by HOST."""
    return SignedInvitation.verify(content(**changes).sign(HOST.signer, HOST.chain))


OPEN = invitation(is_open=True)
CLOSED = invitation()


def host_admission() -> Admission:
    """Of the invitation's signer, by itself."""
    return issue(HOST.signer, MEETING_ID, HOST.signer.public_key, Role.HOST)


def by_host(key: bytes, role: Role = Role.MEMBER, serial: int = 0) -> Admission:
    """By the invitation's signer."""
    return issue(HOST.signer, MEETING_ID, key, role, serial=serial)


def by_link(key: bytes, role: Role = Role.GUEST, link: LinkSecret = LINK) -> Admission:
    """By the link alone."""
    return issue(link.link_key(), MEETING_ID, key, role, issuer_type=IssuerType.LINK)


def leaf_of(who: Any, *admissions: Admission) -> LeafNode:
    """A leaf of `who` that carries these admissions."""
    return bundle_of(who, *admissions).key_package.leaf_node


def bundle_of(who: Any, *admissions: Admission, extension_types: Any = EXTENSION_TYPES) -> KeyPackageBundle:
    """A KeyPackage of `who` with its private keys."""
    return KeyPackageBundle.generate(
        SUITE,
        who.signer,
        X509Credential(who.chain),
        lifetime=Lifetime(WALL - 3600, WALL + 86400),
        extension_types=extension_types,
        leaf_extensions=tuple(Extension(ADMISSION_EXTENSION, each.encode()) for each in admissions),
    )


@lru_cache(maxsize=64)
def signed(terms: MeetingContext, host: Any = None) -> MeetingContext:
    """The terms with the word of a host, the invitation's signer if not another; once for the same terms."""
    if host is None:
        return terms.signed(HOST.signer, host_admission())
    return terms.signed(host.signer, by_host(host.signer.public_key, Role.HOST))


def context(signed: SignedInvitation = CLOSED, **changes: Any) -> MeetingContext:
    """The group's terms."""
    return replace(MeetingContext(signed), **changes)

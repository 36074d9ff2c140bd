"""The roster: names and verdicts of this device's own, and who let whom in."""

from conclaved.identity import Assurance, Verdict
from conclaved.meeting import OwnIdentity, Role
from conclaved.meeting.admission import Admission, issue
from conclaved.meeting.roster import chain_of, roster
from conclaved.mls import BasicCredential, LeafNode
from tests.meeting.cast import (
    HOST,
    MEETING_ID,
    OPEN,
    OTHER_HOST,
    A,
    B,
    by_host,
    by_link,
    context,
    host_admission,
    leaf_of,
)
from tests.meeting.simulated_service import PROVIDER_CA, WALL, identity, trust

OTHER = issue(HOST.signer, MEETING_ID, OTHER_HOST.signer.public_key, Role.HOST)
GUEST = identity("guest.example.net", PROVIDER_CA)


def assess(chain: tuple[bytes, ...], key: bytes) -> Verdict:
    return trust().assess(chain, key, now=WALL)


def leaf(who: OwnIdentity, admission: Admission) -> LeafNode:
    return leaf_of(who, admission)


LEAVES = [
    (0, leaf(HOST, host_admission())),
    (1, leaf(A, by_host(A.signer.public_key))),
    (2, leaf(GUEST, by_link(GUEST.signer.public_key))),
    (
        5,
        leaf(
            B,
            issue(
                OTHER_HOST.signer, MEETING_ID, B.signer.public_key, Role.SERVICE_END, issuer_admission=OTHER
            ),
        ),
    ),
]


def test_members_stand_in_leaf_order_with_name_role_and_verdict() -> None:
    shown = roster(LEAVES, context(OPEN), assess, own_leaf=1)
    assert [(p.leaf, p.name, p.role, p.assurance) for p in shown] == [
        (0, "host.example.com", Role.HOST, Assurance.VERIFIED),
        (1, "a.example.com", Role.MEMBER, Assurance.VERIFIED),
        (2, "guest.example.net", Role.GUEST, Assurance.PROVIDER),
        (5, "b.example.com", Role.SERVICE_END, Assurance.VERIFIED),
    ]


def test_it_says_who_let_whom_in() -> None:
    shown = roster(LEAVES, context(OPEN), assess, own_leaf=1)
    assert [p.admitted_by for p in shown] == [
        "the invitation",
        "host.example.com",
        "the link",
        "a host who has left",
    ]


def test_it_says_who_is_this_device_and_who_was_heard() -> None:
    shown = roster(LEAVES, context(OPEN), assess, own_leaf=1, heard=frozenset({2}))
    assert [p.is_self for p in shown] == [False, True, False, False]
    assert [p.is_heard for p in shown] == [False, True, True, False]


def test_a_certificate_of_another_key_vouches_for_nobody() -> None:
    stolen = OwnIdentity(B.signer, A.chain)
    (shown,) = roster([(0, leaf(stolen, by_host(B.signer.public_key)))], context(), assess, own_leaf=1)
    assert shown.assurance is Assurance.UNKNOWN
    assert shown.reason


def test_a_credential_of_another_kind_has_no_chain() -> None:
    assert chain_of(BasicCredential(b"a.example.com")) == ()


def test_names_are_those_of_this_devices_own_anchors() -> None:
    shown = roster(
        LEAVES,
        context(OPEN),
        lambda chain, key: trust(provider=False).assess(chain, key, now=WALL),
        own_leaf=1,
    )
    assert shown[2].assurance is Assurance.UNKNOWN

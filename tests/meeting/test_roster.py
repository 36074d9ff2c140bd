"""The roster: names and verdicts of this device's own, and who let whom in."""

from conclaved.identity import Assurance, Verdict
from conclaved.meeting import OwnIdentity, Role
from conclaved.meeting.admission import Admission, issue, succeed
from conclaved.meeting.roster import chain_of, missing, roster
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
    content,
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


def test_it_says_whom_the_invitation_expects() -> None:
    shown = roster(LEAVES, context(OPEN), assess, own_leaf=1)
    assert [p.is_expected for p in shown] == [True, True, False, False]


def test_a_name_that_nobody_vouches_for_is_not_expected() -> None:
    (shown,) = roster(
        LEAVES[1:2],
        context(),
        assess,
        own_leaf=0,
        distrusted={A.signer.public_key: "changed"},
    )
    assert not shown.is_expected


def test_a_member_is_who_it_was_under_a_new_key() -> None:
    new_host = succeed(HOST.signer, host_admission(), B.signer.public_key)
    guest = by_host(A.signer.public_key)
    shown = roster([(0, leaf(B, new_host)), (1, leaf(A, guest))], context(), assess, own_leaf=1)
    assert [p.admitted_by for p in shown] == ["the invitation", "b.example.com"]
    assert shown[0].is_expected


def test_who_is_expected_and_not_in_is_missing() -> None:
    shown = roster(LEAVES[1:2], context(), assess, own_leaf=1)
    terms = content(hosts=("h.example.com",), invited=("a.example.com", "@example.org", "b.example.com"))
    assert missing(terms, shown, "host.example.com") == (
        "host.example.com",
        "h.example.com",
        "b.example.com",
        "recorder.example.com",
    )
    assert missing(terms, shown, "")[0] == "h.example.com"


def test_who_merely_claims_an_expected_name_leaves_it_missing() -> None:
    shown = roster(LEAVES[1:2], context(), lambda c, key: trust().assess(c, key, now=None), own_leaf=0)
    assert shown[0].name == "a.example.com"
    assert "a.example.com" in missing(content(), shown, "")


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

"""Admissions: what lets a key in, and that nothing else does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.identity import SoftwareSigner
from conclaved.meeting import Admission, AdmissionError, Level, LinkSecret, Role
from conclaved.meeting.admission import IssuerType, check, issue, line, may_admit, origin, succeed, verify
from tests.meeting.cast import (
    CLOSED,
    HOST,
    LINK,
    MEETING_ID,
    OPEN,
    OTHER_HOST,
    PATIENT,
    THIRD_HOST,
    A,
    B,
    by_host,
    by_link,
    host_admission,
    invitation,
)

KEY = A.signer.public_key
OTHER = issue(HOST.signer, MEETING_ID, OTHER_HOST.signer.public_key, Role.HOST)
THIRD = issue(OTHER_HOST.signer, MEETING_ID, THIRD_HOST.signer.public_key, Role.HOST, issuer_admission=OTHER)


def refused(admission: Admission, why: str, signed: object = CLOSED) -> None:
    with pytest.raises(AdmissionError, match=why):
        check(admission, admission.signature_key, signed)  # type: ignore[arg-type]


def test_the_signer_of_the_invitation_admits_itself_and_others() -> None:
    check(host_admission(), HOST.signer.public_key, CLOSED)
    check(by_host(KEY), KEY, CLOSED)


def test_a_chain_of_three_statements_leads_back_to_the_invitation() -> None:
    admission = issue(THIRD_HOST.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=THIRD)
    check(admission, KEY, CLOSED)
    assert Admission.decode(admission.encode()) == admission


def test_a_fourth_statement_is_one_too_many() -> None:
    fourth = issue(THIRD_HOST.signer, MEETING_ID, B.signer.public_key, Role.HOST, issuer_admission=THIRD)
    admission = issue(B.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=fourth)
    with pytest.raises(AdmissionError):
        Admission.decode(admission.encode())


def test_a_statement_for_another_key_is_refused() -> None:
    with pytest.raises(AdmissionError, match="another key"):
        check(by_host(KEY), B.signer.public_key, CLOSED)


@pytest.mark.parametrize("role", [Role.MEMBER, Role.GUEST, Role.SERVICE_END])
def test_who_is_no_host_admits_nobody(role: Role) -> None:
    own = by_host(B.signer.public_key, role)
    refused(issue(B.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=own), "not a host")


def test_who_was_not_admitted_admits_nobody() -> None:
    refused(issue(B.signer, MEETING_ID, KEY, Role.MEMBER), "not admitted")


def test_a_host_does_not_borrow_another_hosts_admission() -> None:
    refused(issue(B.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=OTHER), "not admitted")


def test_the_signer_needs_nobody_elses_word() -> None:
    refused(issue(HOST.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=OTHER), "needs no admission")


def test_a_statement_for_another_meeting_is_refused() -> None:
    refused(issue(HOST.signer, MEETING_ID[::-1], KEY, Role.MEMBER), "another meeting")


def test_a_chain_through_another_meeting_is_refused() -> None:
    elsewhere = issue(HOST.signer, MEETING_ID[::-1], OTHER_HOST.signer.public_key, Role.HOST)
    refused(
        issue(OTHER_HOST.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=elsewhere), "another meeting"
    )


def test_the_link_admits_guests_to_an_open_meeting() -> None:
    check(by_link(KEY), KEY, OPEN)


def test_the_link_admits_nobody_to_a_closed_or_a_locked_meeting() -> None:
    refused(by_link(KEY), "does not admit")
    refused(by_link(KEY), "does not admit", invitation(level=Level.LOCKED))


@pytest.mark.parametrize("role", [Role.HOST, Role.MEMBER, Role.SERVICE_END])
def test_the_link_admits_guests_only(role: Role) -> None:
    refused(by_link(KEY, role), "guests only", OPEN)


def test_another_links_key_admits_nobody() -> None:
    refused(by_link(KEY, link=LinkSecret(bytes(32))), "another link", OPEN)


def test_the_link_is_no_host() -> None:
    refused(issue(LINK.link_key(), MEETING_ID, KEY, Role.GUEST), "not admitted", OPEN)


def test_a_host_is_no_link() -> None:
    refused(
        issue(HOST.signer, MEETING_ID, KEY, Role.GUEST, issuer_type=IssuerType.LINK), "another link", OPEN
    )


def test_a_locked_meeting_has_no_service_ends() -> None:
    recorder = by_host(KEY, Role.SERVICE_END)
    check(recorder, KEY, CLOSED)
    refused(recorder, "no service ends", invitation(level=Level.LOCKED))


@pytest.mark.parametrize(
    "change",
    [
        {"role": Role.HOST},
        {"signature_key": B.signer.public_key},
        {"signature": b""},
        {"signature": b"\x30\x00"},
        {"signature": by_host(KEY, Role.GUEST).signature},
    ],
)
def test_a_statement_that_was_changed_after_signing_is_refused(change: dict[str, object]) -> None:
    refused(replace(by_host(KEY), **change), "signature")  # type: ignore[arg-type]


def test_a_forged_link_in_the_middle_of_a_chain_is_refused() -> None:
    forged = replace(by_host(OTHER_HOST.signer.public_key), role=Role.HOST)
    refused(issue(OTHER_HOST.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=forged), "signature")


SUCCESSOR = succeed(A.signer, by_host(KEY), B.signer.public_key)


def test_a_key_admits_its_successor() -> None:
    check(SUCCESSOR, B.signer.public_key, CLOSED)
    assert SUCCESSOR.role is Role.MEMBER
    assert Admission.decode(SUCCESSOR.encode()) == SUCCESSOR


def test_a_line_is_the_key_and_all_that_it_has_succeeded() -> None:
    again = succeed(B.signer, SUCCESSOR, THIRD_HOST.signer.public_key)
    assert line(again) == {KEY, B.signer.public_key, THIRD_HOST.signer.public_key}
    assert line(by_host(KEY)) == {KEY}
    assert origin(again).signature_key == KEY


def test_a_hosts_successor_admits_as_the_host_did() -> None:
    new_host = succeed(HOST.signer, host_admission(), B.signer.public_key)
    admission = issue(B.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=new_host)
    check(admission, KEY, CLOSED)
    assert line(admission) == {KEY}


def test_a_succession_does_not_change_the_role() -> None:
    raised = issue(
        A.signer,
        MEETING_ID,
        B.signer.public_key,
        Role.HOST,
        issuer_type=IssuerType.SUCCESSION,
        issuer_admission=by_host(KEY),
    )
    refused(raised, "changes the role")


def test_nobody_succeeds_a_key_that_was_not_admitted() -> None:
    for own in (None, by_host(B.signer.public_key)):
        refused(
            issue(
                A.signer,
                MEETING_ID,
                THIRD_HOST.signer.public_key,
                Role.MEMBER,
                issuer_type=IssuerType.SUCCESSION,
                issuer_admission=own,
            ),
            "not admitted",
        )


def test_a_succession_that_the_old_key_did_not_sign_is_refused() -> None:
    forged = succeed(B.signer, by_host(KEY), THIRD_HOST.signer.public_key)
    refused(forged, "not admitted")
    refused(replace(forged, issuer_key=KEY), "signature")


def test_a_key_does_not_come_back_in_its_own_line() -> None:
    refused(succeed(B.signer, SUCCESSOR, KEY), "succeeds itself")


def test_a_key_changes_four_times_and_no_more() -> None:
    admission, signer = by_host(KEY), A.signer
    for _ in range(4):
        new = SoftwareSigner.generate()
        admission, signer = succeed(signer, admission, new.public_key), new
        check(admission, new.public_key, CLOSED)
        assert Admission.decode(admission.encode()) == admission
    with pytest.raises(AdmissionError, match="4 times"):
        succeed(signer, admission, B.signer.public_key)
    fifth = issue(
        signer,
        MEETING_ID,
        B.signer.public_key,
        Role.MEMBER,
        issuer_type=IssuerType.SUCCESSION,
        issuer_admission=admission,
    )
    refused(fifth, "4 times")
    with pytest.raises(AdmissionError):
        Admission.decode(fifth.encode())


def test_the_longest_chain_of_all_fits() -> None:
    admission, signer = host_admission(), HOST.signer
    for _ in range(4):
        new = SoftwareSigner.generate()
        admission, signer = succeed(signer, admission, new.public_key), new
    for role in (Role.HOST, Role.HOST, Role.MEMBER):
        new = SoftwareSigner.generate()
        admission = issue(signer, MEETING_ID, new.public_key, role, issuer_admission=admission)
        signer = new
    check(admission, signer.public_key, CLOSED)
    assert Admission.decode(admission.encode()) == admission


def test_a_host_with_a_full_chain_can_appoint_nobody_who_could_admit() -> None:
    third = issue(THIRD_HOST.signer, MEETING_ID, KEY, Role.HOST, issuer_admission=THIRD)
    assert may_admit(host_admission())
    assert may_admit(THIRD)
    assert not may_admit(third)
    assert not may_admit(by_host(KEY))


def test_the_signers_own_successor_has_the_whole_chain_before_it() -> None:
    new_host = succeed(HOST.signer, host_admission(), B.signer.public_key)
    other = issue(B.signer, MEETING_ID, OTHER_HOST.signer.public_key, Role.HOST, issuer_admission=new_host)
    third = issue(
        OTHER_HOST.signer, MEETING_ID, THIRD_HOST.signer.public_key, Role.HOST, issuer_admission=other
    )
    check(issue(THIRD_HOST.signer, MEETING_ID, KEY, Role.MEMBER, issuer_admission=third), KEY, CLOSED)


@pytest.mark.parametrize("key", [b"", bytes(65), b"\x04" + bytes(64), b"\x02" + bytes(32), KEY + b"x"])
def test_what_is_no_key_verifies_nothing(key: bytes) -> None:
    with pytest.raises(AdmissionError):
        verify(key, b"", b"")


@PATIENT
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_without_another_exception(data: bytes) -> None:
    with pytest.raises(AdmissionError):
        Admission.decode(data)


def test_what_is_too_long_is_not_even_read() -> None:
    with pytest.raises(AdmissionError, match="longer"):
        Admission.decode(bytes(2049))


ENCODED = THIRD.encode()


@PATIENT
@given(st.integers(0, 8 * len(ENCODED) - 1))
def test_no_changed_bit_of_an_admission_lets_its_key_in(bit: int) -> None:
    changed = bytearray(ENCODED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(AdmissionError):
        check(Admission.decode(bytes(changed)), THIRD.signature_key, CLOSED)


@PATIENT
@given(st.integers(0, len(ENCODED) - 1))
def test_a_cut_admission_is_refused(length: int) -> None:
    with pytest.raises(AdmissionError):
        Admission.decode(ENCODED[:length])


def test_roles_have_words() -> None:
    assert [role.word for role in Role] == ["host", "member", "guest", "service end"]

"""The invitation: what is refused, and that whatever is taken is what the host signed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.identity import jws
from conclaved.meeting import InvitationError, Level, SignedInvitation
from conclaved.meeting.invitation import MAX_INVITED, TYPE
from tests.meeting.cast import CLOSED, CONTENT, HOST, MEETING_ID, PATIENT, A, content, invitation
from tests.meeting.simulated_service import WALL


def signed_payload(data: Any) -> str:
    """A token over any JSON at all."""
    return jws.sign(json.dumps(data).encode(), HOST.signer, HOST.chain, typ=TYPE)


def payload() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(CONTENT.payload())
    return data


def test_a_signed_invitation_says_what_was_signed_and_by_whom() -> None:
    assert CLOSED.content == CONTENT
    assert CLOSED.signer_key == HOST.signer.public_key
    assert CLOSED.chain == HOST.chain


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_token_is_refused(part: int) -> None:
    parts = CLOSED.token.split(".")
    middle = len(parts[part]) // 2
    parts[part] = (
        parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]
    )
    with pytest.raises(InvitationError):
        SignedInvitation.verify(".".join(parts))


def test_a_signature_by_another_key_than_the_certificates_is_refused() -> None:
    header, body, _ = CLOSED.token.split(".")
    signature = content().sign(A.signer, A.chain).split(".")[2]
    with pytest.raises(InvitationError):
        SignedInvitation.verify(f"{header}.{body}.{signature}")


def test_a_token_of_another_kind_is_refused() -> None:
    token = jws.sign(CONTENT.payload(), HOST.signer, HOST.chain, typ="something-else+jws")
    with pytest.raises(InvitationError):
        SignedInvitation.verify(token)


@PATIENT
@given(st.text(max_size=200))
def test_any_text_is_refused_without_another_exception(text: str) -> None:
    with pytest.raises(InvitationError):
        SignedInvitation.verify(text)


@PATIENT
@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))
)
def test_any_signed_json_is_refused_without_another_exception(data: Any) -> None:
    with pytest.raises(InvitationError):
        SignedInvitation.verify(signed_payload(data))


@pytest.mark.parametrize("field", sorted(payload().keys() - {"hosts"}))
def test_a_missing_field_is_refused(field: str) -> None:
    data = payload()
    del data[field]
    with pytest.raises(InvitationError):
        SignedInvitation.verify(signed_payload(data))


MALFORMED = [
    ("meeting", "AAAA"),
    ("meeting", "AAECAwQFBgcICQoLDA0ODw=="),
    ("meeting", "AAECAwQFBgcICQoLDA0O!Dw"),
    ("meeting", 5),
    ("serial", 0),
    ("serial", -1),
    ("serial", 2**53),
    ("serial", True),
    ("serial", 1.0),
    ("title", "x" * 201),
    ("title", None),
    ("title", "Board\x1b[2J"),
    ("title", "Board\n"),
    ("title", "\ud800"),
    ("title", "draoB\u202e"),
    ("service", "http://hub.example.com"),
    ("service", "ws://hub.example.com"),
    ("service", "wss://" + "h" * 300),
    ("service", "wss://hub.example.com\r\nX: y"),
    ("service", "wss://"),
    ("level", "secret"),
    ("level", ["locked"]),
    ("invited", "a.example.com"),
    ("invited", [1]),
    ("invited", ["A.example.com"]),
    ("invited", ["a b"]),
    ("invited", [""]),
    ("invited", ["*.example.com"]),
    ("invited", ["a.example.com\n"]),
    ("invited", ["a" * 255]),
    ("hosts", None),
    ("hosts", ["@example.com"]),
    ("hosts", ["recorder.example.com"]),
    ("service_ends", ["@example.com"]),
    ("service_ends", {"x": 1}),
    ("service_ends", [None]),
    ("open", "yes"),
    ("open", 1),
    ("link_key", "AAAA"),
    ("nbf", WALL + 3600),
    ("nbf", -1),
    ("exp", 2**53),
    ("exp", "tomorrow"),
]


@pytest.mark.parametrize(("field", "value"), MALFORMED)
def test_a_malformed_field_is_refused_though_validly_signed(field: str, value: Any) -> None:
    with pytest.raises(InvitationError) as caught:
        SignedInvitation.verify(signed_payload({**payload(), field: value}))
    assert caught.value.hint


def test_what_is_no_json_is_refused_though_validly_signed() -> None:
    for body in (b"", b"\xff\xfe", b"[" * 5000, b"{} {}"):
        token = jws.sign(body, HOST.signer, HOST.chain, typ=TYPE)
        with pytest.raises(InvitationError):
            SignedInvitation.verify(token)


def test_more_names_than_allowed_are_refused() -> None:
    names = tuple(f"{i}.x" for i in range(MAX_INVITED + 1))
    with pytest.raises(InvitationError):
        content(invited=names).sign(HOST.signer, HOST.chain)


def test_a_locked_meeting_is_never_open() -> None:
    with pytest.raises(InvitationError):
        invitation(level=Level.LOCKED, is_open=True)
    with pytest.raises(InvitationError):
        SignedInvitation.verify(
            signed_payload({**payload(), "level": "locked", "open": True, "service_ends": []})
        )


def test_a_locked_meeting_has_no_service_ends() -> None:
    with pytest.raises(InvitationError):
        invitation(level=Level.LOCKED, service_ends=("recorder.example.com",))


@pytest.mark.parametrize(
    ("now", "is_valid"),
    [
        (CONTENT.not_before - 1, False),
        (CONTENT.not_before, True),
        (CONTENT.not_after - 1, True),
        (CONTENT.not_after, False),
    ],
)
def test_an_invitation_holds_from_its_first_second_to_its_last(now: int, is_valid: bool) -> None:
    if is_valid:
        CLOSED.check_time(now)
    else:
        with pytest.raises(InvitationError) as caught:
            CLOSED.check_time(now)
        assert caught.value.hint


@pytest.mark.parametrize(
    ("now", "at"), [(CONTENT.not_before - 1, CONTENT.not_before), (CONTENT.not_after, CONTENT.not_after)]
)
def test_an_invitation_outside_its_time_says_when_it_begins_or_ended(now: int, at: int) -> None:
    with pytest.raises(InvitationError, match=f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC"):
        CLOSED.check_time(now)


@pytest.mark.parametrize(
    ("name", "is_invited"),
    [
        ("a.example.com", True),
        ("b.example.com", False),
        ("sub.a.example.com", False),
        ("example.org", True),
        ("room.example.org", True),
        ("someone@example.org", True),
        ("someone@team.example.org", True),
        ("someone@example.com", False),
        ("notexample.org", False),
        ("example.org.evil.net", False),
        ("example.org@evil.net", False),
        ("org", False),
        ("", False),
    ],
)
def test_who_is_invited(name: str, is_invited: bool) -> None:
    assert CONTENT.invites(name) is is_invited


@pytest.mark.parametrize(
    ("name", "is_expected"),
    [
        ("h.example.com", True),
        ("recorder.example.com", True),
        ("a.example.com", True),
        ("room.example.org", True),
        ("x.example.com", False),
        ("", False),
    ],
)
def test_who_is_expected(name: str, is_expected: bool) -> None:
    assert content(hosts=("h.example.com",)).expects(name) is is_expected


def test_an_invitation_without_the_claim_names_no_hosts() -> None:
    data = payload()
    del data["hosts"]
    assert SignedInvitation.verify(signed_payload(data)).content.hosts == ()


def test_hosts_survive_the_signature() -> None:
    assert invitation(hosts=("h.example.com",)).content.hosts == ("h.example.com",)


def name_of(names: dict[tuple[bytes, ...], str]) -> Callable[[tuple[bytes, ...]], str]:
    return lambda chain: names.get(chain, "")


def test_a_higher_serial_of_the_same_signer_replaces() -> None:
    named = name_of({HOST.chain: "host.example.com"})
    newer = invitation(serial=8)
    assert newer.replaces(CLOSED, named)
    assert not CLOSED.replaces(newer, named)
    assert not CLOSED.replaces(CLOSED, named)


def test_another_signer_or_another_meeting_replaces_nothing() -> None:
    named = name_of({HOST.chain: "host.example.com", A.chain: "a.example.com"})
    foreign = SignedInvitation.verify(content(serial=8).sign(A.signer, A.chain))
    assert not foreign.replaces(CLOSED, named)
    assert not invitation(serial=8, meeting_id=MEETING_ID[::-1]).replaces(CLOSED, named)
    assert not invitation(serial=8).replaces(CLOSED, name_of({}))

"""The conversation with a room controller, without a wire."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.codec_control import ControlAnswer, ControlKind
from conclave_hal.line_control.guard import LoginGuard
from conclave_hal.line_control.session import (
    ANSWER_DEADLINE_S,
    COMMANDS,
    MAX_FEEDBACK,
    MAX_WAITING_LINES,
    Ask,
    Check,
    Effect,
    LineSession,
    Say,
)

STATUS = {"meeting/state": "in_meeting", "meeting/lock": "locked", "microphone/muted": "false"}
IDLE_S = 60.0


def open_session() -> LineSession:
    session = LineSession(LoginGuard(), itertools.count(1), needs_login=False, idle_s=IDLE_S)
    session.told(STATUS)
    return session


def locked_session(guard: LoginGuard | None = None) -> LineSession:
    session = LineSession(guard or LoginGuard(), itertools.count(1), needs_login=True, idle_s=IDLE_S)
    session.told(STATUS)
    return session


def said(effects: list[Effect]) -> str:
    return "".join(each.data.decode() for each in effects if isinstance(each, Say))


def log_in(session: LineSession, now: float = 0.0) -> None:
    assert session.received(b"login secret\r", now) == [Check("secret")]
    assert said(session.checked(now, is_right=True)) == "OK\r\n"


def test_a_query_answers_with_what_is_at_or_below_its_path() -> None:
    answer = said(open_session().received(b"status meeting\r\n", 0))
    assert answer == "*s meeting/lock: locked\r\n*s meeting/state: in_meeting\r\n** end\r\nOK\r\n"
    assert "microphone/muted: false" in said(open_session().received(b"STATUS\r\n", 0))


def test_a_path_does_not_cover_one_that_only_begins_alike() -> None:
    session = open_session()
    session.told({"meeting/lock": "a", "meetings": "b"})
    assert said(session.received(b"status meeting\r", 0)) == "*s meeting/lock: a\r\n** end\r\nOK\r\n"


def test_feedback_is_the_text_of_the_query() -> None:
    session = open_session()
    assert said(session.received(b"feedback on microphone\r", 0)) == "OK\r\n"
    told = said(session.told(STATUS | {"microphone/muted": "true", "meeting/lock": "broken"}))
    queried = said(session.received(b"status microphone\r", 0))
    assert told == "*s microphone/muted: true\r\n** end\r\n"
    assert queried == told + "OK\r\n"


def test_what_has_gone_is_told_as_empty() -> None:
    session = open_session()
    session.received(b"feedback on\r", 0)
    assert said(session.told({})).startswith("*s meeting/lock: \r\n")


def test_feedback_that_is_off_is_not_sent() -> None:
    session = open_session()
    session.received(b"feedback on microphone\rfeedback off microphone\r", 0)
    assert session.told({}) == []


def test_a_session_follows_so_many_paths_and_no_more() -> None:
    session = open_session()
    for number in range(MAX_FEEDBACK):
        assert said(session.received(f"feedback on p{number}\r".encode(), 0)) == "OK\r\n"
    assert said(session.received(b"feedback on one-more\r", 0)).startswith("ERROR at most")


@pytest.mark.parametrize(
    ("line", "kind", "argument"),
    [
        ("command leave", ControlKind.LEAVE, ""),
        ("Command Mute-Microphone", ControlKind.MUTE_MICROPHONE, ""),
        ("command mute-camera", ControlKind.MUTE_CAMERA, ""),
        ("command camera-preset 3", ControlKind.CAMERA_PRESET, "3"),
        ("command camera-home", ControlKind.CAMERA_HOME, ""),
        ("command display-power standby", ControlKind.DISPLAY_POWER, "standby"),
        ("command join https://a.example/j#Secret", ControlKind.JOIN, "https://a.example/j#Secret"),
    ],
)
def test_a_command_is_handed_to_the_room(line: str, kind: ControlKind, argument: str) -> None:
    session = open_session()
    (ask,) = session.received(line.encode() + b"\r", 0)
    assert isinstance(ask, Ask)
    assert (ask.request.kind, ask.request.argument) == (kind, argument)
    done = ControlAnswer(ask.request.request_id, True)
    assert said(session.answered(done, 0)) == "OK\r\n"


def test_the_rooms_refusal_says_why() -> None:
    session = open_session()
    session.received(b"command leave\r", 0)
    refusal = ControlAnswer(1, False, "the room is in no meeting")
    assert said(session.answered(refusal, 0)) == "ERROR the room is in no meeting\r\n"


@pytest.mark.parametrize(
    "line",
    [
        "command",
        "command unmute-microphone",
        "command unmute-camera",
        "command mute-microphone off",
        "command camera-preset",
        "command camera-preset -1",
        "command display-power off",
        "command join",
        "sing",
        "feedback maybe x",
    ],
)
def test_what_is_not_understood_changes_nothing(line: str) -> None:
    session = open_session()
    effects = session.received(line.encode() + b"\r", 0)
    assert said(effects).startswith("ERROR ")
    assert not [each for each in effects if not isinstance(each, Say)]


def test_there_is_no_word_that_unmutes() -> None:
    assert not [name for name in COMMANDS if "unmute" in name]
    assert not [kind for kind in ControlKind if "UNMUTE" in kind.name]


def test_answers_come_in_the_order_of_the_lines() -> None:
    session = open_session()
    effects = session.received(b"command leave\rstatus microphone\r", 0)
    assert said(effects) == ""
    assert said(session.answered(ControlAnswer(1, True), 0)).startswith("OK\r\n*s microphone")


def test_a_room_that_does_not_answer_does_not_block_the_line() -> None:
    session = open_session()
    session.received(b"command leave\r", 5)
    assert session.next_time() == 5 + ANSWER_DEADLINE_S
    assert said(session.at(5 + ANSWER_DEADLINE_S)) == "ERROR the room did not answer\r\n"
    assert session.answered(ControlAnswer(1, True), 99) == []


def test_an_answer_to_nobodys_request_is_not_said() -> None:
    session = open_session()
    session.received(b"command leave\r", 0)
    assert session.answered(ControlAnswer(77, True), 0) == []


def test_more_lines_than_may_wait_are_dropped_and_that_is_said() -> None:
    session = open_session()
    session.received(b"command leave\r" + b"status x\r" * (MAX_WAITING_LINES + 5), 0)
    said_then = said(session.answered(ControlAnswer(1, True), 0))
    assert said_then.endswith("ERROR 6 lines were dropped: too many at once\r\n")


@pytest.mark.parametrize("line", ["status", "command leave", "feedback on", "logout", "sing"])
def test_before_the_login_nothing_is_understood(line: str) -> None:
    effects = locked_session().received(line.encode() + b"\r", 0)
    assert said(effects) == "ERROR log in first: login PASSWORD\r\n"
    assert len(effects) == 1


def test_before_the_login_nothing_is_told() -> None:
    assert locked_session().told({"microphone/muted": "true"}) == []


def test_the_right_password_opens_the_session() -> None:
    session = locked_session()
    log_in(session)
    assert "meeting/lock" in said(session.received(b"status\r", 0))


def test_a_wrong_password_opens_nothing_and_closes_what_was_open() -> None:
    session = locked_session()
    log_in(session)
    session.received(b"login wrong\r", 0)
    assert said(session.checked(0, is_right=False)) == "ERROR wrong password\r\n"
    assert not session.is_logged_in


def test_whoever_logs_in_next_inherits_no_feedback() -> None:
    session = locked_session()
    log_in(session)
    session.received(b"feedback on\r", 0)
    log_in(session)
    assert session.told({}) == []


def test_lines_after_a_password_wait_for_its_check() -> None:
    session = locked_session()
    assert session.received(b"login secret\rstatus microphone\r", 0) == [Check("secret")]
    assert "microphone/muted" in said(session.checked(0, is_right=True))


def test_too_many_wrong_passwords_are_not_even_looked_at() -> None:
    guard = LoginGuard()
    session = locked_session(guard)
    for _ in range(3):
        session.received(b"login wrong\r", 0)
        session.checked(0, is_right=False)
    assert said(session.received(b"login secret\r", 0)).startswith("ERROR too many wrong passwords")
    # Plugging in anew makes a new session, and no new guard.
    assert said(locked_session(guard).received(b"login secret\r", 0)).startswith("ERROR too many")


def test_silence_ends_a_login_and_its_feedback() -> None:
    session = locked_session()
    log_in(session)
    session.received(b"feedback on\r", 1)
    assert session.next_time() == 1 + IDLE_S
    assert said(session.at(1 + IDLE_S)).startswith("ERROR logged out")
    assert session.told({}) == []
    log_in(session, 100.0)
    assert session.told(STATUS) == []


def test_a_wire_that_hums_keeps_nobody_logged_in() -> None:
    session = locked_session()
    log_in(session)
    session.received(b"\xfe\r", IDLE_S - 1)
    assert said(session.at(IDLE_S)).startswith("ERROR logged out")


def test_logging_out_locks_the_session() -> None:
    session = locked_session()
    log_in(session)
    session.received(b"logout\r", 0)
    assert said(session.received(b"status\r", 0)).startswith("ERROR log in first")


def test_after_garbage_the_line_works_again() -> None:
    session = open_session()
    answer = said(session.received(b"\xff\x00\x80junk\rstatus microphone\r", 0))
    assert answer == "ERROR garbage on the line\r\n*s microphone/muted: false\r\n** end\r\nOK\r\n"


def test_a_value_stays_on_its_line() -> None:
    session = open_session()
    session.told({"x": "a\r\n** end\r\nOK\u202e"})
    assert said(session.received(b"status x\r", 0)) == "*s x: a??** end??OK?\r\n** end\r\nOK\r\n"


@given(st.lists(st.binary(max_size=60), max_size=12))
def test_no_bytes_open_a_locked_session(chunks: list[bytes]) -> None:
    session = locked_session()
    for chunk in chunks:
        effects = session.received(chunk, 0)
        assert not any(isinstance(each, Ask) for each in effects)
        for each in effects:
            if isinstance(each, Check):
                session.checked(0, is_right=False)
    assert not session.is_logged_in


def test_a_session_shows_no_secret() -> None:
    session = locked_session()
    effects = session.received(b"login secret\r", 0)
    assert "secret" not in repr(session) + repr(effects)

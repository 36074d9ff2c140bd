"""Contexts: one key, one direction."""

import copy
import pickle

import pytest

from conclaved.sframe import (
    AuthenticationError,
    CipherSuite,
    CounterExhaustedError,
    KeyGoneError,
    MalformedError,
    ReceiverContext,
    ReplayError,
    SenderContext,
    SframeUsageError,
    UnknownKeyError,
)
from conclaved.sframe.header import decode

SUITES = list(CipherSuite)
GCM = CipherSuite.AES_128_GCM_SHA256_128
KEY = bytes(range(48))


def pair(
    suite: CipherSuite = GCM, kid: int = 0x123, window: int = 1024
) -> tuple[SenderContext, ReceiverContext]:
    return SenderContext(suite, kid, KEY), ReceiverContext(suite, kid, KEY, window)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("size", [0, 1, 160, 25_000])
def test_what_a_sender_protects_its_receiver_opens(suite: CipherSuite, size: int) -> None:
    sender, receiver = pair(suite)
    frame = bytes(i & 0xFF for i in range(size))
    sealed = sender.protect(frame, b"meta")
    assert len(sealed) == size + decode(sealed)[1] + suite.parameters.nt
    assert receiver.unprotect(sealed, b"meta") == frame


@pytest.mark.parametrize("suite", SUITES)
def test_a_changed_bit_anywhere_is_refused_and_the_true_frame_still_opens(suite: CipherSuite) -> None:
    sender, receiver = pair(suite)
    sealed = sender.protect(b"frame", b"meta")
    for at in range(decode(sealed)[1], len(sealed)):
        forged = bytearray(sealed)
        forged[at] ^= 1
        with pytest.raises(AuthenticationError):
            receiver.unprotect(bytes(forged), b"meta")
    assert receiver.unprotect(sealed, b"meta") == b"frame"


def test_other_metadata_is_refused() -> None:
    sender, receiver = pair()
    with pytest.raises(AuthenticationError):
        receiver.unprotect(sender.protect(b"frame", b"meta"), b"atem")


def test_another_base_key_is_refused() -> None:
    sender, _ = pair()
    with pytest.raises(AuthenticationError):
        ReceiverContext(GCM, 0x123, bytes(16)).unprotect(sender.protect(b"frame"))


def test_another_kid_is_refused_by_name() -> None:
    sender, _ = pair()
    with pytest.raises(UnknownKeyError) as caught:
        ReceiverContext(GCM, 7, KEY).unprotect(sender.protect(b"frame"))
    assert caught.value.kid == 0x123


@pytest.mark.parametrize("suite", SUITES)
def test_a_frame_shorter_than_its_tag_is_malformed(suite: CipherSuite) -> None:
    sender, receiver = pair(suite)
    sealed = sender.protect(b"")
    with pytest.raises(MalformedError):
        receiver.unprotect(sealed[:-1])


def test_a_replayed_frame_is_refused() -> None:
    sender, receiver = pair()
    sealed = sender.protect(b"frame")
    receiver.unprotect(sealed)
    with pytest.raises(ReplayError):
        receiver.unprotect(sealed)


def test_frames_may_come_in_any_order_within_the_window_and_not_beyond() -> None:
    sender, receiver = pair(window=8)
    sealed = [sender.protect(bytes((n,))) for n in range(20)]
    for n in (19, 12, 15):
        assert receiver.unprotect(sealed[n]) == bytes((n,))
    for n in (12, 11, 0):
        with pytest.raises(ReplayError):
            receiver.unprotect(sealed[n])


def test_a_forged_counter_does_not_move_the_window() -> None:
    sender, receiver = pair(window=8)
    sealed = sender.protect(b"frame")
    header, size = decode(sealed)
    forged = type(header)(header.kid, 1 << 40).encode() + sealed[size:]
    with pytest.raises(AuthenticationError):
        receiver.unprotect(forged)
    assert receiver.unprotect(sealed) == b"frame"


def test_counters_never_repeat_even_when_encryption_fails() -> None:
    sender, _ = pair()
    with pytest.raises(TypeError):
        sender.protect("text")  # type: ignore[arg-type]
    assert decode(sender.protect(b"frame"))[0].ctr == 1


def test_a_key_stops_at_its_limit() -> None:
    sender, _ = pair()
    sender._next_ctr = GCM.parameters.counter_limit - 1
    sender.protect(b"last")
    with pytest.raises(CounterExhaustedError):
        sender.protect(b"one more")


def test_a_context_is_not_copied_or_written_down() -> None:
    sender, receiver = pair()
    for context in (sender, receiver):
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(SframeUsageError):
                attempt(context)


@pytest.mark.parametrize("suite", SUITES)
def test_a_closed_context_is_gone(suite: CipherSuite) -> None:
    sender, receiver = pair(suite)
    sealed = sender.protect(b"frame")
    for context in (sender, receiver):
        context.close()
        context.close()
    with pytest.raises(KeyGoneError):
        sender.protect(b"frame")
    with pytest.raises(KeyGoneError):
        receiver.unprotect(sealed)


def test_a_context_shows_no_key() -> None:
    sender, _ = pair()
    assert repr(sender) == "<SenderContext AES_128_GCM_SHA256_128 KID 0x123, open>"


def test_a_frame_beyond_every_meeting_is_not_protected() -> None:
    sender, _ = pair()
    with pytest.raises(SframeUsageError):
        sender.protect(bytes((1 << 24) + 1))
    assert sender.next_ctr == 0

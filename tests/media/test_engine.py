"""Engines over a real relay on loopback, with small fake hardware."""

import asyncio

import pytest

from conclave_hal.device import Health
from conclave_hal.errors import DeviceGoneError
from conclaved.conference.relay import Relay
from conclaved.media import MediaUnavailableError, MediaUsageError, sending
from conclaved.rtp import MediaOffer
from conclaved.sframe import KeyGoneError, Refusal, SframeUsageError
from tests.media.impairing_proxy import ImpairingProxy
from tests.media.rooms import (
    MEETING,
    Room,
    delta_picture,
    epoch_keys,
    key_picture,
    meeting,
    until,
    voice,
)

TWO, THREE = frozenset({0, 1}), frozenset({0, 1, 2})


async def test_everybody_sees_and_hears_everybody_else_and_nobody_itself() -> None:
    async with meeting(3) as (_, rooms):
        for room in rooms:
            name = b"%d" % room.leaf
            room.camera.emit(key_picture(name), delta_picture(name * 5000, 3000))
            room.microphone.emit(voice(b"voice" + name, 960))
        await until(lambda: all(len(r.screen.played) == 4 and len(r.speaker.played) == 2 for r in rooms))
        for room in rooms:
            others = THREE - {room.leaf}
            for leaf in others:
                name = b"%d" % leaf
                pictures = [key_picture(name).data, delta_picture(name * 5000).data]
                assert room.screen.data(f"{leaf}/1") == pictures
                assert room.speaker.data(f"{leaf}/0") == [b"voice" + name]
            assert {name for name, _ in room.screen.played} == {f"{leaf}/1" for leaf in others}


async def test_timestamp_and_keyframe_mark_arrive() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.camera.emit(key_picture(b"1", 0xFFFF_FFFF), delta_picture(b"2", 2999))
        await until(lambda: len(ben.screen.played) == 2)
        frames = [frame for _, frame in ben.screen.played]
        assert [(f.timestamp, f.is_keyframe) for f in frames] == [(0xFFFF_FFFF, True), (2999, False)]


async def test_the_relay_never_sees_what_is_in_a_frame() -> None:
    captured: list[bytes] = []
    secret = bytes(range(1, 250)) * 20
    async with meeting(2, capture=captured.append) as (_, (ana, ben)):
        ana.camera.emit(key_picture(secret))
        ana.microphone.emit(voice(secret[:160]))
        await until(lambda: ben.screen.played and ben.speaker.played)
    assert ben.screen.data("0/1") == [key_picture(secret).data]
    assert len(captured) > 4
    seen = b"".join(captured)
    assert not any(secret[at : at + 6] in seen for at in range(249))


async def test_stats_tell_who_was_heard_and_what_the_sinks_found() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.camera.emit(key_picture(b"1"))
        ana.microphone.emit(voice(b"1"), voice(b"2"))
        await until(lambda: ben.screen.played and len(ben.speaker.played) == 2)
        stats = ben.engine.stats()
        heard = stats.participant(0)
        assert (heard.camera.frames_played, heard.microphone.frames_opened) == (1, 2)
        assert heard.camera.report is not None
        assert heard.camera.report.detail == {"seen": True}
        assert stats.keyring.opened == 3
        assert stats.is_running
        assert stats.faults == ()
        sent = ana.engine.stats()
        assert (sent.camera.frames_sent, sent.microphone.frames_sent) == (1, 2)


async def test_nothing_leaves_while_sending_is_off() -> None:
    async with meeting(2) as (relay, (ana, ben)):
        ana.engine.set_sending(False)
        await until(lambda: ana.camera.switched[-1:] == [False] == ana.microphone.switched[-1:])
        ana.camera.emit(key_picture(b"never"))
        ana.microphone.emit(voice(b"never"))
        await until(lambda: ana.engine.stats().camera.frames_withheld)
        await until(lambda: ana.engine.stats().microphone.frames_withheld)
        ana.engine.set_sending(True)
        ana.camera.emit(key_picture(b"again"))
        ana.microphone.emit(voice(b"again"))
        await until(lambda: ben.screen.played and ben.speaker.played)
        assert ben.screen.data("0/1") == [key_picture(b"again").data]
        assert ben.speaker.data("0/0") == [b"again"]
        assert dict(relay.stats(MEETING).clients)[0].packets_received == 2


async def test_one_who_does_not_send_still_receives() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ben.engine.set_sending(False)
        ana.microphone.emit(voice(b"hello"))
        await until(lambda: ben.speaker.played)


async def test_a_muted_camera_captures_nothing_and_the_microphone_goes_on() -> None:
    async with meeting(2) as (_, (ana, ben)):
        await ana.engine.set_camera_muted(True)
        assert ana.camera.switched[-1] is False
        assert ana.microphone.switched[-1] is True
        ana.camera.emit(key_picture(b"never"))
        await until(lambda: ana.engine.stats().camera.frames_withheld)
        ana.microphone.emit(voice(b"hello"))
        await until(lambda: ben.speaker.played)
        assert ben.screen.played == []


@pytest.mark.parametrize(
    ("error", "words"),
    [(DeviceGoneError("unplugged"), "unplugged"), (ZeroDivisionError("a driver's bug"), "ZeroDivisionError")],
)
async def test_a_camera_that_does_not_obey_a_mute_is_a_fault_and_is_not_seen(
    error: Exception, words: str
) -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.camera.switch_error = error
        await ana.engine.set_camera_muted(True)
        assert ana.engine.stats().faults == (f"camera: cannot be switched off: {words}",)
        assert ana.engine.disobeying == (f"camera cannot be switched off: {words}",)
        ana.camera.emit(key_picture(b"never"))
        await until(lambda: ana.engine.stats().camera.frames_withheld)
        ana.camera.switch_error = None
        await ana.engine.set_camera_muted(False)
        ana.camera.emit(key_picture(b"again"))
        await until(lambda: ben.screen.played)
        assert ben.screen.data("0/1") == [key_picture(b"again").data]
        assert ana.engine.stats().faults == ()


async def test_both_gates_close_at_the_call_and_a_camera_that_hangs_delays_no_microphone() -> None:
    async with meeting(2) as (_, (ana, ben)):
        await until(lambda: ana.microphone.switched[-1:] == [True] == ana.camera.switched[-1:])
        ana.camera.obeys.clear()
        ana.engine.gate(is_camera_muted=True, is_microphone_muted=True)
        applying = asyncio.create_task(ana.engine.apply_gates())
        await until(lambda: ana.microphone.switched[-1] is False)
        assert not applying.done()
        ana.camera.emit(key_picture(b"never"))
        ana.microphone.emit(voice(b"never"))
        await until(lambda: ana.engine.stats().camera.frames_withheld)
        await until(lambda: ana.engine.stats().microphone.frames_withheld)
        ana.camera.obeys.set()
        await applying
        assert ana.camera.switched[-1] is False
        assert ben.screen.played == []
        assert ben.speaker.played == []


async def test_sources_are_off_until_sending_is_on() -> None:
    async with meeting(1) as (relay, _):
        room = Room(1)
        room.advance(1, TWO)
        await room.engine.start(relay.add_client(MEETING, 1))
        await until(lambda: room.camera.switched)
        assert room.camera.switched == [False]
        await room.engine.stop()


async def test_a_new_member_gets_a_keyframe_at_once() -> None:
    async with meeting(2) as (_, (ana, _ben)):
        before = ana.camera.keyframes_requested
        ana.advance(2, THREE)
        await until(lambda: ana.camera.keyframes_requested > before)


async def test_a_receiver_that_cannot_decode_gets_a_keyframe_from_the_sender() -> None:
    async with meeting(2) as (_, (ana, ben)):
        before = ana.camera.keyframes_requested
        ben.screen.refuse = 1
        ana.camera.emit(key_picture(b"damaged"))
        await until(lambda: ben.engine.stats().participant(0).camera.frames_failed)
        ana.camera.emit(delta_picture(b"useless"))
        await until(lambda: ana.camera.keyframes_requested > before)
        ana.camera.emit(key_picture(b"whole"))
        await until(lambda: ben.screen.played)
        assert ben.screen.data("0/1") == [key_picture(b"whole").data]
        assert ben.engine.stats().participant(0).camera.frames_skipped == 1


async def test_who_leaves_is_taken_off_the_screen_and_heard_no_more() -> None:
    async with meeting(3) as (_, (ana, ben, cleo)):
        cleo.camera.emit(key_picture(b"here"))
        cleo.microphone.emit(voice(b"here"))
        await until(lambda: ana.screen.played and ana.speaker.played and ben.speaker.played)
        ana.advance(2, TWO, frozenset({2}))
        await until(lambda: ana.screen.stopped == ["2/1"] and ana.speaker.stopped == ["2/0"])
        cleo.microphone.emit(voice(b"still here?"))
        await until(lambda: ana.engine.stats().keyring.refused[Refusal.REMOVED_SENDER])
        assert ana.speaker.data("2/0") == [b"here"]
        assert ana.engine.stats().participant(2).microphone.frames_opened == 0


async def test_a_frame_of_a_coming_epoch_is_told_and_played_when_it_comes() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.advance(2, TWO)
        ana.microphone.emit(voice(b"early"))
        await until(lambda: ben.unknown)
        assert ben.heard == []
        ben.advance(2, TWO)
        await until(lambda: ben.speaker.played)
        assert ben.heard == [(0, 2)]


async def test_a_member_is_reported_once_in_each_epoch() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.microphone.emit(voice(b"1"), voice(b"2"))
        await until(lambda: len(ben.speaker.played) == 2)
        for room in (ben, ana):
            room.advance(2, TWO)
        ana.microphone.emit(voice(b"3"))
        await until(lambda: len(ben.speaker.played) == 3)
        assert ben.heard == [(0, 1), (0, 2)]


async def test_an_old_epoch_is_not_entered_again() -> None:
    async with meeting(2) as (_, (ana, ben)):
        with pytest.raises(SframeUsageError):
            ana.advance(1, TWO)
        ana.microphone.emit(voice(b"unharmed"))
        await until(lambda: ben.speaker.played)


async def test_a_camera_that_goes_away_costs_the_picture_only_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending, "RETRY_S", 0)
    async with meeting(2) as (_, (ana, ben)):
        await ana.camera.set_health(Health.FAILED)
        ana.camera.fail(DeviceGoneError("unplugged"))
        await until(lambda: ana.engine.stats().faults == ("camera: unplugged",))
        ana.microphone.emit(voice(b"still here"))
        await until(lambda: ben.speaker.played)
        await ana.camera.set_health(Health.READY)
        await until(lambda: ana.camera.readers == 2)
        ana.camera.emit(key_picture(b"back"))
        await until(lambda: ben.screen.played)
        assert ana.engine.stats().faults == ()


async def test_a_drivers_bug_costs_its_stream_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "RETRY_S", 0)
    async with meeting(2) as (_, (ana, ben)):
        ana.camera.fail(ZeroDivisionError("bug"))
        ben.screen.error = ZeroDivisionError("bug")
        await until(lambda: ana.camera.readers == 2)
        ana.camera.emit(key_picture(b"1"))
        ana.microphone.emit(voice(b"1"))
        await until(lambda: ben.speaker.played)
        await until(lambda: ben.engine.stats().participant(0).camera.frames_failed)
        assert ben.engine.stats().is_running
        assert ben.engine.stats().faults == ("stream 0/1: ZeroDivisionError",)


async def test_a_source_of_another_codec_is_a_fault() -> None:
    async with meeting(2) as (_, (ana, _ben)):
        ana.camera.emit(voice(b"opus from a camera"))
        await until(lambda: ana.engine.stats().faults)
        assert ana.engine.stats().faults == ("camera: delivers opus instead of H264",)


async def test_stopping_switches_off_frees_decoders_and_erases_keys() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.camera.emit(key_picture(b"1"))
        await until(lambda: ben.screen.played)
        await ben.engine.stop()
        await ben.engine.stop()
        assert ben.camera.switched[-1] is False
        assert ben.screen.stopped == ["0/1"]
        assert not ben.engine.stats().is_running
        with pytest.raises(KeyGoneError):
            ben.advance(2, TWO)
        with pytest.raises(MediaUsageError):
            await ben.engine.start(MediaOffer("127.0.0.1", 9, 1, 2, bytes(30), b"\1" * 30))


async def test_stopping_while_cancelled_erases_keys_all_the_same() -> None:
    async with meeting(1) as (_, (ana,)):
        stopping = asyncio.create_task(ana.engine.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait([stopping])
        with pytest.raises(KeyGoneError):
            ana.advance(2, TWO)


async def test_media_goes_on_through_another_relay() -> None:
    async with meeting(2) as (_, (ana, ben)):
        ana.microphone.emit(voice(b"first"))
        await until(lambda: ben.speaker.played)
        other = await Relay.start("127.0.0.1")
        try:
            for room in (ana, ben):
                await room.engine.start(other.add_client(MEETING, room.leaf))
            await until(lambda: all(s.has_address for _, s in other.stats(MEETING).clients))
            ana.microphone.emit(voice(b"second"))
            ana.camera.emit(key_picture(b"second"))
            await until(lambda: len(ben.speaker.played) == 2 and ben.screen.played)
            assert ben.engine.stats().received.packets_received == 3
        finally:
            await other.close()


async def test_an_offer_is_used_once() -> None:
    async with meeting(1) as (relay, (ana,)):
        offer = relay.add_client(MEETING, 0)
        await ana.engine.start(offer)
        with pytest.raises(MediaUsageError):
            await ana.engine.start(offer)
        assert ana.engine.stats().is_running


async def test_no_way_to_the_relay_is_a_clear_error_and_can_be_tried_again() -> None:
    async with meeting(1) as (relay, _):
        room = Room(1)
        room.advance(1, TWO)
        nowhere = MediaOffer("255.255.255.255", 9, 1, 2, bytes(30), b"\1" * 30)
        with pytest.raises(MediaUnavailableError, match=r"255\.255\.255\.255"):
            await room.engine.start(nowhere)
        assert not room.engine.stats().is_running
        await room.engine.start(relay.add_client(MEETING, 1))
        assert room.engine.stats().is_running
        await room.engine.stop()


@pytest.mark.parametrize("host", ["a..b", "x" * 200, ".", " "])
async def test_an_offer_whose_host_is_no_name_is_no_way_to_the_relay(host: str) -> None:
    async with meeting(1) as (relay, _):
        room = Room(1)
        room.advance(1, TWO)
        with pytest.raises(MediaUnavailableError):
            await room.engine.start(MediaOffer(host, 9, 1, 2, bytes(30), b"\1" * 30))
        await room.engine.start(relay.add_client(MEETING, 1))
        assert room.engine.stats().is_running
        await room.engine.stop()


async def test_before_the_first_epoch_nothing_leaves() -> None:
    async with meeting(1) as (relay, _):
        room = Room(1)
        room.engine.set_sending(True)
        await room.engine.start(relay.add_client(MEETING, 1))
        room.camera.emit(key_picture(b"never"))
        await until(lambda: room.engine.stats().camera.frames_withheld)
        assert dict(relay.stats(MEETING).clients)[1].packets_received == 0
        await room.engine.stop()


async def test_an_engine_without_hardware_is_a_member_all_the_same() -> None:
    async with meeting(1) as (relay, (ana,)):
        bare = Room(1)
        bare.engine = type(bare.engine)(bare.engine._keyring)
        bare.engine.advance(epoch_keys(1, 1, TWO))
        ana.advance(2, TWO)
        bare.engine.advance(epoch_keys(2, 1, TWO))
        bare.engine.set_sending(True)
        await bare.engine.start(relay.add_client(MEETING, 1))
        await until(lambda: all(s.has_address for _, s in relay.stats(MEETING).clients))
        await bare.engine.set_camera_muted(True)
        ana.camera.emit(key_picture(b"1"))
        await until(lambda: bare.engine.stats().participant(0).camera.frames_opened)
        await bare.engine.stop()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_over_a_bad_network_only_whole_frames_are_shown_in_order(seed: int) -> None:
    async with meeting(1) as (relay, (ana,)):
        ana.advance(2, TWO)
        ben = Room(1)
        ben.advance(2, TWO)
        offer = relay.add_client(MEETING, 1)
        proxy = await ImpairingProxy(seed, loss=0.03, repeat=0.1, reorder=0.1).open(offer)
        through = MediaOffer(
            "127.0.0.1", proxy.port, offer.audio_ssrc, offer.video_ssrc, offer.send_key, offer.receive_key
        )
        try:
            await ben.engine.start(through)
            await until(lambda: all(s.has_address for _, s in relay.stats(MEETING).clients))
            sent: list[bytes] = []
            for n in range(120):
                payload = b"%04d" % n * 700
                picture = key_picture(payload, n) if n % 10 == 0 else delta_picture(payload, n)
                ana.camera.emit(picture)
                sent.append(picture.data)
                await until(lambda n=n: ana.engine.stats().camera.frames_sent == n + 1)  # type: ignore[misc]
            proxy.is_bad = False
            last = key_picture(b"last", 1000)
            ana.camera.emit(last)
            await until(lambda: ben.screen.data("0/1")[-1:] == [last.data])
            shown = ben.screen.data("0/1")[:-1]
            numbers = [sent.index(data) for data in shown]
            assert proxy.lost
            assert proxy.repeated
            assert proxy.reordered
            assert numbers == sorted(set(numbers))
            assert numbers
            # Never a picture whose predecessor was not shown, unless it decodes alone.
            assert all(n % 10 == 0 or n - 1 in numbers for n in numbers)
            assert ben.engine.stats().received.packets_replayed
        finally:
            await ben.engine.stop()
            proxy.close()

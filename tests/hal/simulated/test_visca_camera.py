"""The simulated camera's VISCA, with the time handed in."""

import pytest

from conclave_hal.camera_control import Power, Tally
from conclave_hal.simulated.camera_body import STEP_S
from conclave_hal.simulated.visca_camera import POWER_ON_S, VERTICAL_CYCLE_S, SimulatedViscaCamera
from conclave_hal.simulated.visca_ring import ViscaRing
from conclave_hal.visca.packet import parse_packet
from tests.hal.visca.golden import GOLDEN

FAR = "81 01 06 02 18 17 02 00 00 00 00 00 00 00 ff"
BACK = "81 01 06 02 18 17 00 00 00 00 00 00 00 00 ff"
ZOOM = "81 01 04 47 04 00 00 00 ff"


class Bench:
    """Cameras on a wire, with a clock."""

    def __init__(self, cameras: int = 1) -> None:
        self.cameras = [SimulatedViscaCamera() for _ in range(cameras)]
        self.ring = ViscaRing(self.cameras)
        self.now = 50.0

    @property
    def camera(self) -> SimulatedViscaCamera:
        return self.cameras[0]

    def send(self, *packets: str) -> None:
        for packet in packets:
            self.ring.receive(parse_packet(bytes.fromhex(packet)), self.now)

    def hear(self, seconds: float) -> list[str]:
        """What is said within so many seconds."""
        heard = []
        end = self.now + seconds
        while True:
            heard += [bytes(said.packet).hex(" ") for said in self.ring.advance(self.now)]
            due = self.ring.next_time()
            if due is None or due > end:
                self.now = end
                return heard + [bytes(said.packet).hex(" ") for said in self.ring.advance(end)]
            self.now = max(self.now, due)

    def ask(self, *packets: str, seconds: float = 3 * VERTICAL_CYCLE_S) -> list[str]:
        self.send(*packets)
        return self.hear(seconds)


@pytest.mark.parametrize("wire", [wire for _, wire in GOLDEN])
def test_all_that_another_controller_says_is_understood(wire: str) -> None:
    bench = Bench()
    bench.ask("81 01 04 38 03 ff")  # the focus is to be moved by hand
    heard = bench.ask(wire, seconds=10.0)
    assert heard
    assert not any(packet.split()[1].startswith("6") for packet in heard)


def test_an_acknowledgement_takes_a_vertical_cycle_and_a_completion_the_mechanics() -> None:
    bench = Bench()
    bench.send(FAR)
    assert bench.hear(0.9 * VERTICAL_CYCLE_S) == []
    assert bench.hear(0.2 * VERTICAL_CYCLE_S) == ["90 41 ff"]
    assert bench.hear(1.0) == []
    assert bench.hear(5.0) == ["90 51 ff"]
    assert bench.camera.body.pan.steps == 0x2000


def test_two_commands_execute_at_once_and_a_third_meets_a_full_buffer() -> None:
    bench = Bench()
    assert bench.ask(FAR, ZOOM, "81 01 04 38 02 ff") == ["90 41 ff", "90 42 ff", "90 60 03 ff"]
    assert sorted(bench.hear(10.0)) == ["90 51 ff", "90 52 ff"]


def test_an_inquiry_needs_no_socket() -> None:
    bench = Bench()
    bench.ask(FAR, ZOOM)
    assert bench.ask("81 09 04 00 ff") == ["90 50 02 ff"]


def test_a_cancelled_move_brakes_and_is_not_completed() -> None:
    bench = Bench()
    bench.ask(FAR, seconds=0.5)
    assert bench.ask("81 21 ff", seconds=20.0) == ["90 61 04 ff"]
    assert 0 < bench.camera.body.pan.steps < 0x2000


def test_a_cancel_of_an_empty_socket_is_refused() -> None:
    assert Bench().ask("81 22 ff") == ["90 62 05 ff"]


def test_a_move_that_is_overtaken_by_a_newer_one_is_over() -> None:
    bench = Bench()
    bench.ask(FAR, seconds=0.5)
    assert bench.ask(BACK, seconds=0.1) == ["90 51 ff", "90 42 ff"]


def test_if_clear_empties_the_sockets() -> None:
    bench = Bench()
    bench.ask(FAR, ZOOM)
    assert bench.ask("88 01 00 01 ff", seconds=20.0) == ["88 01 00 01 ff"]
    assert bench.ask("81 01 00 01 ff") == ["90 50 ff"]


def test_what_it_does_not_know_is_a_syntax_error() -> None:
    assert Bench().ask("81 01 04 99 02 ff", "81 09 04 99 ff", "81 77 ff") == ["90 60 02 ff"] * 3


def test_speed_0_is_refused_where_the_axis_is_to_move() -> None:
    assert Bench().ask("81 01 06 01 00 01 01 03 ff") == ["90 60 02 ff"]


def test_asleep_it_can_only_be_woken_and_that_takes_its_time() -> None:
    bench = Bench()
    bench.ask("81 01 04 00 03 ff")
    assert bench.ask(FAR, "81 09 06 12 ff", "81 09 04 00 ff") == [
        "90 60 41 ff",
        "90 60 41 ff",
        "90 50 03 ff",
    ]
    assert bench.ask("81 01 04 00 02 ff", seconds=POWER_ON_S - 1) == ["90 41 ff"]
    assert bench.hear(2.0) == ["90 51 ff"]
    assert bench.camera.body.power is Power.ON


def test_switched_off_while_it_wakes_it_stays_off() -> None:
    bench = Bench()
    bench.ask("81 01 04 00 03 ff", "81 01 04 00 02 ff", seconds=1.0)
    bench.ask("81 01 04 00 03 ff", seconds=2 * POWER_ON_S)
    assert bench.camera.body.power is Power.STANDBY


def test_a_relative_move_adds_to_where_it_is() -> None:
    bench = Bench()
    for _ in range(2):
        bench.ask("81 01 06 03 0a 08 00 00 06 04 0f 0f 09 0c ff", seconds=5.0)
    assert bench.ask("81 09 06 12 ff") == ["90 50 00 00 0c 08 0f 0f 03 08 ff"]


def test_a_preset_brings_the_view_back() -> None:
    bench = Bench()
    bench.ask(FAR, ZOOM, seconds=10.0)
    bench.ask("81 01 04 3f 01 05 ff")
    bench.ask(BACK, "81 01 04 47 00 00 00 00 ff", seconds=10.0)
    assert bench.ask("81 01 04 3f 02 05 ff", seconds=10.0) == ["90 41 ff", "90 51 ff"]
    assert (bench.camera.body.pan.steps, bench.camera.body.zoom.steps) == (0x2000, 0x4000)
    assert bench.ask("81 01 04 3f 02 10 ff") == ["90 60 02 ff"]


def test_a_focus_that_is_automatic_cannot_be_moved_by_hand() -> None:
    assert Bench().ask("81 01 04 48 02 00 00 00 ff", "81 01 04 08 02 ff") == ["90 60 41 ff"] * 2


@pytest.mark.parametrize(
    ("command", "question", "answer"),
    [
        ("01 04 35 02", "09 04 35", "02"),
        ("01 04 39 0b", "09 04 39", "0b"),
        ("01 04 4b 00 00 00 05", "09 04 4b", "00 00 00 05"),
        ("01 04 62 02", "09 04 62", "02"),
        ("01 06 08 03", "09 06 08", "03"),
        ("01 04 38 03", "09 04 38", "03"),
        ("01 7e 01 0a 00 02", "09 7e 01 0a", "02"),
    ],
)
def test_a_setting_is_told_again(command: str, question: str, answer: str) -> None:
    bench = Bench()
    bench.ask(f"81 {command} ff")
    assert bench.ask(f"81 {question} ff") == [f"90 50 {answer} ff"]


def test_the_tally_lamp_is_on_its_body() -> None:
    bench = Bench()
    bench.ask("81 01 7e 01 0a 00 02 ff")
    assert bench.camera.body.tally is Tally.ON


def test_a_camera_that_restarts_forgets_its_commands_and_tells_that_the_chain_has_changed() -> None:
    bench = Bench()
    bench.ask(FAR)
    bench.camera.restart(bench.now)
    assert bench.hear(10.0) == ["90 38 ff"]


def test_each_camera_of_a_chain_takes_an_address_and_what_is_for_it() -> None:
    bench = Bench(cameras=3)
    assert bench.ask("88 30 01 ff") == ["88 30 04 ff"]
    assert bench.ask("82 01 04 47 02 00 00 00 ff", seconds=5.0) == ["a0 41 ff", "a0 51 ff"]
    assert [camera.body.zoom.steps for camera in bench.cameras] == [0, 0x2000, 0]


def test_what_is_for_nobody_comes_round() -> None:
    assert Bench().ask("85 09 04 47 ff") == ["85 09 04 47 ff"]


def test_nothing_gets_round_a_broken_ring() -> None:
    bench = Bench()
    bench.ring.is_broken = True
    assert bench.ask("88 30 01 ff", "81 09 04 00 ff") == []


def test_the_mechanics_do_not_care_how_often_they_are_looked_at() -> None:
    often, seldom = Bench(), Bench()
    often.ask(FAR)
    seldom.ask(FAR)
    for _ in range(100):
        often.now += STEP_S / 3
        often.ring.advance(often.now)
    seldom.now = often.now
    seldom.ring.advance(seldom.now)
    assert often.camera.body.pan.steps == seldom.camera.body.pan.steps

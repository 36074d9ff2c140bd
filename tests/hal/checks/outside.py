"""Checks of what is on the wall and on the wire: the display, and the room controller's port."""

import asyncio
from functools import partial

from conclave_hal.camera_control import Power
from conclave_hal.codec_control import CodecControl, ControlAnswer, ControlKind
from conclave_hal.display import Display, DisplayState
from conclave_hal.drivers import Slot
from conclave_hal.errors import UsageError
from tests.hal.checks.bench import Bench
from tests.hal.checks.check import BrokenError, Checks, require

CHECKS = Checks()
DISPLAY = frozenset({Slot.DISPLAY})
CODEC_CONTROL = frozenset({Slot.CODEC_CONTROL})


@CHECKS.claim(
    "switches the display to standby and on, and says what the display says",
    mend="ask the display after each command: some take it and do nothing",
    slots=DISPLAY,
)
async def switches_the_display(bench: Bench) -> None:
    async with bench.running(Display) as device:
        for power in (Power.ON, Power.STANDBY, Power.ON):
            await bench.done(device.set_power(power))
            await bench.done(device.refresh())
            otherwise = f"was switched to {power.value} and does not say so"
            await bench.until(device, partial(_is_at_power, power), otherwise)


@CHECKS.claim(
    "brings the display to this room's input",
    mend="switch on first: a display in standby takes no input",
    slots=DISPLAY,
)
async def shows_us(bench: Bench) -> None:
    async with bench.running(Display) as device:
        await bench.done(device.set_power(Power.STANDBY))
        await bench.done(device.show_us())
        await bench.until(device, lambda state: state.power is Power.ON, "is not on after `show_us`")


@CHECKS.claim(
    "takes an input that there is not for our mistake",
    mend="compare with `inputs` before anything is sent, and raise UsageError",
    slots=DISPLAY,
)
async def refuses_an_unknown_input(bench: Bench) -> None:
    async with bench.running(Display) as device:
        for name in device.inputs():
            require(name.isprintable() and name, f"an input is called {name!r}")
        try:
            await bench.done(device.set_input("no such input"))
        except UsageError:
            return
        raise BrokenError("it is done")


@CHECKS.claim(
    "keeps what it is told for queries, whether or not a controller is there",
    mend="`tell` and `answer` never wait for a controller: one that has hung up hears nothing",
    slots=CODEC_CONTROL,
)
async def keeps_what_it_is_told(bench: Bench) -> None:
    async with bench.running(CodecControl) as device:
        await bench.soon(device.tell({"meeting/state": "idle"}), "`tell` does not return")
        await bench.soon(device.answer(ControlAnswer(999, False, "nobody asked")), "`answer` does not return")


@CHECKS.claim(
    "hands on what the controller asks for, and takes the answer",
    mend="look at line ends and at the login that comes first",
    slots=CODEC_CONTROL,
)
async def hands_on_requests(bench: Bench) -> None:
    async with bench.running(CodecControl) as device:
        async with bench.next_of(device.requests()) as waiting:
            await bench.hands.do("ask", device)
            request = await bench.soon(waiting, "nobody hears of the request")
        require(request.kind is ControlKind.MUTE_MICROPHONE, f"it hands on {request}")
        await bench.soon(device.answer(ControlAnswer(request.request_id, True)), "`answer` does not return")


@CHECKS.claim(
    "ends its requests when it is closed",
    mend="wake whoever waits for a request in `close`",
    slots=CODEC_CONTROL,
)
async def ends_its_requests(bench: Bench) -> None:
    async with bench.running(CodecControl) as device:

        async def read() -> None:
            async for _ in device.requests():
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        await bench.stop(device)
        await bench.soon(reading, "whoever waits for a request is not let go")


def _is_at_power(power: Power, state: DisplayState) -> bool:
    return state.power is power

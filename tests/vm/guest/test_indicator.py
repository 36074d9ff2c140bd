"""The LED driver on a lamp of the kernel's LED class: the mute lamp of an input device."""

from pathlib import Path

from conclave_hal.device import Health
from conclave_hal.drivers import Slot
from conclave_hal.indicator import Indicator, Shown
from tests.hal.eventually import eventually
from tests.hal.waiting import running, until_state
from tests.vm.guest import uinput
from tests.vm.guest.devices import device

LIT, DARK = ((uinput.EV_LED, uinput.LED_MUTE, value) for value in (1, 0))


def mute_lamp(hardware: uinput.InputDevice) -> str:
    """What the kernel calls the device's lamp."""
    folder = Path("/sys/class/input", hardware.node.name, "device")
    return next(folder.glob("input*::mute")).name


async def test_the_mute_lamp_is_lit_in_the_device_exactly_while_the_microphone_is_muted() -> None:
    with uinput.made("a lamp", {uinput.EV_LED: [uinput.LED_MUTE]}) as hardware:
        it = device(Indicator, Slot.INDICATOR, "led", mute=mute_lamp(hardware))
        async with running(it):
            await until_state(it, lambda state: state.health is Health.READY)
            await it.show(Shown(is_microphone_muted=True))
            await eventually(lambda: LIT in hardware.received())
            await it.show(Shown(is_microphone_muted=False))
            await eventually(lambda: DARK in hardware.received())

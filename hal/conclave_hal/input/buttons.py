"""The driver `input` of the buttons: keys of an input device, such as a keypad or a remote on a wire."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from conclave_hal.button_readers import ButtonReaders
from conclave_hal.buttons import Button, Buttons
from conclave_hal.device import DeviceState, Health
from conclave_hal.drivers import Driver
from conclave_hal.errors import DeviceError
from conclave_hal.hot_plug import HotPlugDevice
from conclave_hal.input.events import EV_KEY, KEYS, PRESSED
from conclave_hal.input.node import InputNode, OpensNode
from conclave_hal.options import Option, Rule, device_path, flag

ButtonKeys = tuple[tuple[Button, str], ...]
"""Which key each button is."""

USUAL: ButtonKeys = (
    (Button.MICROPHONE, "KEY_MICMUTE"),
    (Button.CAMERA, "KEY_CAMERA"),
    (Button.LEAVE, "KEY_HANGUP_PHONE"),
    (Button.JOIN, "KEY_PICKUP_PHONE"),
    (Button.UP, "KEY_UP"),
    (Button.DOWN, "KEY_DOWN"),
    (Button.SELECT, "KEY_ENTER"),
    (Button.BACK, "KEY_ESC"),
    (Button.SPEAK, "KEY_VOICECOMMAND"),
)


def button_keys() -> Rule[ButtonKeys]:
    """A table from button to key: `{ microphone = "KEY_F1", leave = "KEY_F2" }`."""

    def parse(value: object, folder: Path) -> ButtonKeys:
        if not isinstance(value, dict) or not value:
            raise ValueError
        found = tuple((Button(button), key) for button, key in value.items())
        keys = [key for _, key in found]
        if len(set(keys)) != len(keys) or any(key not in KEYS for key in keys):
            raise ValueError
        return found

    buttons = ", ".join(button.value for button in Button)
    return Rule(f"a table from button ({buttons}) to a key of its own ({', '.join(KEYS)})", parse)


@dataclass(frozen=True, slots=True)
class InputButtonsOptions:
    """Options of buttons that are keys of an input device."""

    device: Annotated[str, Option(device_path(), "the input device, best a name in /dev/input/by-path")]
    keys: Annotated[ButtonKeys, Option(button_keys(), "which key each button is")] = USUAL
    grab: Annotated[bool, Option(flag(), "keep the keys from the console and from everybody else")] = True


class InputButtons(HotPlugDevice[DeviceState], Buttons):
    """Keys. A key that repeats, or that was held as the device was opened, is no press."""

    def __init__(
        self,
        options: InputButtonsOptions,
        *,
        open_node: OpensNode = InputNode,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(pause=pause)
        self._options = options
        self._open_node = open_node
        self._by_code = {KEYS[key]: button for button, key in options.keys}
        self._fitted = frozenset(button for button, _ in options.keys)
        self._readers = ButtonReaders()

    async def close(self) -> None:
        """Let go whoever waits for a press. Safe to call twice."""
        self._readers.close()

    def fitted(self) -> frozenset[Button]:
        """Those in the option `keys` that the device has; all of them until it was seen."""
        return self._fitted

    def presses(self) -> AsyncIterator[Button]:
        """Each press once, until `close`."""
        return self._readers.presses()

    async def _session(self) -> None:
        node = self._open_node(self._options.device)
        try:
            there = {code: button for code, button in self._by_code.items() if node.has(EV_KEY, code)}
            if not there:
                raise DeviceError(
                    f"{self._options.device} has none of the keys that are buttons here",
                    hint="the option keys says which; `evtest` shows what a device has",
                )
            if self._options.grab:
                node.grab()
            self._fitted = frozenset(there.values())
            await self._publish(DeviceState(Health.READY))
            while True:
                for event in await node.read():
                    if event.type == EV_KEY and event.value == PRESSED and event.code in there:
                        self._readers.press(there[event.code])
        finally:
            node.close()


DRIVER = Driver(InputButtonsOptions, lambda options, made: InputButtons(options))

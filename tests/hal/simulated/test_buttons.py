"""The simulated buttons."""

import asyncio

from conclave_hal.buttons import Button
from conclave_hal.simulated.buttons import MAX_WAITING, SimulatedButtons


async def test_each_press_is_told_once_and_none_is_kept_for_a_late_reader() -> None:
    buttons = SimulatedButtons()
    await buttons.open()
    buttons.press(Button.LEAVE)
    presses = buttons.presses()
    first = asyncio.ensure_future(anext(presses))
    await asyncio.sleep(0)
    buttons.press(Button.SPEAK)
    buttons.press(Button.UP)
    assert [await first, await anext(presses)] == [Button.SPEAK, Button.UP]
    await buttons.close()
    assert await anext(presses, None) is None


async def test_a_reader_that_is_slow_is_not_owed_presses_without_end() -> None:
    buttons = SimulatedButtons()
    presses = buttons.presses()
    first = asyncio.ensure_future(anext(presses))
    await asyncio.sleep(0)
    for _ in range(2 * MAX_WAITING):
        buttons.press(Button.DOWN)
    await first
    await buttons.close()
    assert len([button async for button in presses]) == MAX_WAITING - 1


async def test_closed_buttons_are_not_pressed_any_more() -> None:
    buttons = SimulatedButtons()
    await buttons.close()
    assert [button async for button in buttons.presses()] == []

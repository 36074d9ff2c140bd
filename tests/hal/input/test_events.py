"""Input events and their requests, compared with the kernel's own files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conclave_hal.input import events
from conclave_hal.input.events import EVENT, InputEvent, has_bit, parse_events

HEADER = Path("/usr/include/linux/input-event-codes.h")
PROGRAM = """
#include <stdio.h>
#include <linux/input.h>
int main(void) {
    printf("%zu %lu %lu %lu %lu %lu", sizeof(struct input_event), (unsigned long)EVIOCGNAME(256),
           (unsigned long)EVIOCGSW(4), (unsigned long)EVIOCGBIT(EV_SW, 4),
           (unsigned long)EVIOCGBIT(EV_KEY, 96), (unsigned long)EVIOCGRAB);
}
"""


@pytest.mark.skipif(not HEADER.exists(), reason="the kernel's headers are not installed here")
def test_every_code_is_the_kernels() -> None:
    defined = {
        found[1]: int(found[2], 0)
        for found in re.finditer(r"^#define\s+(\w+)\s+(0x[0-9a-fA-F]+|[0-9]+)\b", HEADER.read_text(), re.M)
    }
    ours = events.KEYS | {
        name: value for name, value in vars(events).items() if re.match(r"(EV|SYN|SW)_", name)
    }
    assert {name: defined[name] for name in ours} == ours


@pytest.mark.skipif(
    not HEADER.exists() or shutil.which("gcc") is None, reason="no compiler or no kernel headers here"
)
def test_sizes_and_requests_are_the_kernels(tmp_path: Path) -> None:
    source, program = tmp_path / "sizes.c", tmp_path / "sizes"
    source.write_text(PROGRAM)
    subprocess.run(["gcc", "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert [int(word) for word in printed.split()] == [
        EVENT.size,
        events.get_name(256),
        events.get_switches(4),
        events.get_bits(events.EV_SW, 4),
        events.get_bits(events.EV_KEY, 96),
        events.GRAB,
    ]


def test_events_are_read_as_they_were_written() -> None:
    written = (InputEvent(events.EV_SW, events.SW_MUTE_DEVICE, 1), InputEvent(events.EV_SYN, 0, 0))
    assert tuple(parse_events(b"".join(map(bytes, written)))) == written


def test_half_an_event_is_none() -> None:
    assert tuple(parse_events(bytes(InputEvent(1, 2, 3))[:-1])) == ()


def test_bits_are_counted_from_the_lowest_of_the_first_byte() -> None:
    bits = b"\x00\x40"
    assert has_bit(bits, 14)
    assert not has_bit(bits, 9)
    assert not has_bit(bits, 999)

"""A counter and a name, written into a picture so that they can be read off its decoded pixels.

Black and white squares of 16 pixels, so that each is one macroblock of H.264 and survives any
bit rate, fill rows from the top left corner: most significant bit first, white is one.

    1 byte length of the name | 4 bytes counter, big endian | name, UTF-8 | 2 bytes CRC-16

The CRC (CCITT, start 0xFFFF) covers all before it. It tells a picture with a code from any
other picture; it proves nothing about who sent it.
"""

import binascii
from dataclasses import dataclass

CELL = 16
"""Side of a square in pixels."""
MAX_NAME_BYTES = 40
BLACK, WHITE = 16, 235
"""Luma of the squares (BT.601 limited range)."""
_OVERHEAD_BYTES = 1 + 4 + 2
_THRESHOLD = (BLACK + WHITE) // 2


@dataclass(frozen=True, slots=True)
class PictureCode:
    """What a picture says about itself."""

    counter: int
    """32 bits, one more with each picture."""
    name: str


def code_rows(name: str, width: int) -> int:
    """Rows of squares that the code takes in a picture `width` pixels wide."""
    bits = 8 * (_OVERHEAD_BYTES + len(name.encode()))
    return -(-bits // (width // CELL))


def draw_code(luma: bytearray, stride: int, width: int, code: PictureCode) -> None:
    """Write `code` into a luma plane whose lines are `stride` bytes apart."""
    name = code.name.encode()
    body = bytes([len(name)]) + code.counter.to_bytes(4) + name
    body += binascii.crc_hqx(body, 0xFFFF).to_bytes(2)
    bits = "".join(f"{byte:08b}" for byte in body)
    cells_a_row = width // CELL
    for row in range(code_rows(code.name, width)):
        of_row = bits[row * cells_a_row : (row + 1) * cells_a_row]
        line = b"".join(_CELLS[bit] for bit in of_row)
        for y in range(row * CELL, (row + 1) * CELL):
            luma[y * stride : y * stride + len(line)] = line


_CELLS = {"0": bytes([BLACK]) * CELL, "1": bytes([WHITE]) * CELL}


def read_code(luma: bytes | memoryview, stride: int, width: int, height: int) -> PictureCode | None:
    """Read a code off a decoded luma plane; None if the picture carries none that is intact."""
    cells_a_row = width // CELL
    limit = cells_a_row * (height // CELL) // 8
    if limit < _OVERHEAD_BYTES:
        return None

    def byte(index: int) -> int:
        value = 0
        for cell in range(8 * index, 8 * index + 8):
            row, column = divmod(cell, cells_a_row)
            middle = (row * CELL + CELL // 2) * stride + column * CELL + CELL // 2
            value = value << 1 | (luma[middle] > _THRESHOLD)
        return value

    length = byte(0)
    if length > MAX_NAME_BYTES or length + _OVERHEAD_BYTES > limit:
        return None
    read = bytes(byte(index) for index in range(length + _OVERHEAD_BYTES))
    body, check = read[:-2], int.from_bytes(read[-2:])
    if binascii.crc_hqx(body, 0xFFFF) != check:
        return None
    return PictureCode(int.from_bytes(body[1:5]), body[5:].decode(errors="replace"))

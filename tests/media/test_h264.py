"""Which pictures decode alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.media.h264 import is_keyframe


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        pytest.param("00000001 65 88", True, id="idr"),
        pytest.param("000001 65 88", True, id="short-start-code"),
        pytest.param("00000001 67 42 00000001 68 ce 000001 06 05 000001 25 88", True, id="sps-pps-sei-idr"),
        pytest.param("00000001 41 9a", False, id="delta"),
        pytest.param("00000001 67 42 00000001 01 9a", False, id="parameters-then-delta"),
        pytest.param("00000001 41 9a 00000001 65 88", False, id="first-slice-decides"),
        pytest.param("00000001 67 42", False, id="no-slice"),
        pytest.param("000001", False, id="no-header"),
        pytest.param("", False, id="empty"),
    ],
)
def test_a_keyframe_is_told_by_its_first_slice(picture: str, expected: bool) -> None:
    assert is_keyframe(bytes.fromhex(picture)) is expected


@given(st.binary(max_size=200))
def test_any_bytes_are_fine(picture: bytes) -> None:
    is_keyframe(picture)

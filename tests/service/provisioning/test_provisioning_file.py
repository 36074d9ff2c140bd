"""Which files a device obeys: the laptop's tool makes them, the daemon judges them."""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.service.provisioning import ProvisioningError, ProvisioningErrorKind
from conclaved.service.provisioning.provisioning_file import ProvisioningFile, read
from tests.service.provisioning.files import (
    CONTENT,
    DAY_S,
    DEVICE,
    NOW,
    SETTINGS,
    SIGNER,
    STRANGER,
    altered,
    file,
    payload,
    signed,
)

OBEYED = (SIGNER.fingerprint,)
GOOD = read(file(), OBEYED)


def why(token: str) -> ProvisioningErrorKind:
    with pytest.raises(ProvisioningError) as caught:
        read(token, OBEYED)
    assert SETTINGS not in str(caught.value)
    return caught.value.kind


def why_not(
    found: ProvisioningFile,
    *,
    device: str = DEVICE,
    now: int | None = NOW,
    floor: int = NOW - 100,
    last: int | None = None,
) -> ProvisioningErrorKind | None:
    try:
        found.check(device=device, now=now, floor=floor, last_serial=last)
    except ProvisioningError as error:
        assert error.hint
        return error.kind
    return None


def test_a_file_of_the_laptops_tool_says_what_was_signed() -> None:
    assert (GOOD.signer, GOOD.serial, GOOD.devices) == (SIGNER.fingerprint, CONTENT.serial, CONTENT.devices)
    assert (GOOD.not_before, GOOD.not_after, GOOD.replace) == (CONTENT.not_before, CONTENT.not_after, False)
    assert GOOD.settings == SETTINGS


def test_it_does_not_show_its_settings_by_accident() -> None:
    assert "locked" not in repr(GOOD)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_file_with_one_bit_turned_is_not_genuine(part: int) -> None:
    assert why(altered(file(), part)) is ProvisioningErrorKind.NOT_GENUINE


def test_anothers_signature_under_the_same_content_is_not_genuine() -> None:
    ours, theirs = file().split("."), file(STRANGER).split(".")
    assert why(".".join((*ours[:2], theirs[2]))) is ProvisioningErrorKind.NOT_GENUINE


def test_a_file_by_somebody_else_is_not_obeyed() -> None:
    assert why(file(STRANGER)) is ProvisioningErrorKind.UNKNOWN_SIGNER


def test_without_signers_nobody_is_obeyed() -> None:
    with pytest.raises(ProvisioningError):
        read(file(), ())


def test_another_statement_of_the_same_key_is_no_provisioning_file() -> None:
    assert why(signed(payload(), "conclave-invitation+jws")) is ProvisioningErrorKind.NOT_GENUINE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"version": 1}',
        json.dumps(payload()).replace('"serial"', '"version": 1, "serial"').encode(),
        payload(version=2),
        payload(more=1),
        payload(serial=0),
        payload(serial=True),
        payload(serial="1"),
        payload(serial=2**60),
        payload(not_after=1.5),
        payload(devices=[]),
        payload(devices="CN-4711"),
        payload(devices=[""]),
        payload(devices=[1]),
        payload(replace=0),
        payload(settings={}),
        payload(settings=None),
    ],
    ids=str,
)
def test_what_is_signed_but_says_something_else_is_refused(content: dict[str, Any] | bytes) -> None:
    assert why(signed(content)) is ProvisioningErrorKind.NOT_GENUINE


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c", "é.é.é", "." * 5])
def test_what_is_no_token_is_not_genuine(token: str) -> None:
    assert why(token) is ProvisioningErrorKind.NOT_GENUINE


@given(st.binary(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_nothing_that_is_signed_raises_anything_else(content: Any) -> None:
    with suppress(ProvisioningError):
        read(signed(content if isinstance(content, bytes) else payload(settings=content)), OBEYED)


def test_a_file_is_good_for_the_devices_it_names() -> None:
    assert why_not(GOOD) is None
    assert why_not(GOOD, device="CN-4712") is None


@pytest.mark.parametrize("device", ["CN-9999", "CN-471", "cn-4711", ""])
def test_it_is_good_for_no_other(device: str) -> None:
    assert why_not(GOOD, device=device) is ProvisioningErrorKind.OTHER_DEVICE


def test_a_file_that_has_ended_is_refused() -> None:
    assert why_not(GOOD, now=CONTENT.not_after) is None
    assert why_not(GOOD, now=CONTENT.not_after + 1) is ProvisioningErrorKind.EXPIRED


def test_a_file_that_is_not_yet_good_is_refused() -> None:
    assert why_not(GOOD, now=CONTENT.not_before - 1) is ProvisioningErrorKind.NOT_YET


def test_without_a_clock_it_is_refused_if_it_has_certainly_ended() -> None:
    assert why_not(GOOD, now=None, floor=CONTENT.not_after) is None
    assert why_not(GOOD, now=None, floor=CONTENT.not_after + 1) is ProvisioningErrorKind.EXPIRED
    assert why_not(replace(GOOD, not_before=NOW + DAY_S), now=None) is None


@pytest.mark.parametrize("last", [NOW, NOW + 1])
def test_a_file_is_not_applied_again_nor_an_older_one(last: int) -> None:
    assert why_not(GOOD, last=last) is ProvisioningErrorKind.REPLAYED


def test_a_later_one_is() -> None:
    assert why_not(GOOD, last=NOW - 1) is None

"""What an LCD shows of the world's letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclave_hal.lcd.charset import CHANGED, LOCK, ROM, elide, encode, spell, spell_name, spell_names


def test_what_is_elsewhere_in_the_rom_is_found_there() -> None:
    assert encode("a@b$") == bytes((0x61, 0xA0, 0x62, 0xA2))
    assert encode("Größe") == bytes((0x47, 0x72, 0x7C, 0xBE, 0x65))


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Müller", "Müller"),
        ("Ștefan Łukasz", "Stefan Lukasz"),
        ("Дмитрий", "Dmitrii"),
        ("Щука", "Shchuka"),
        ("Αθήνα", "Athina"),
        ("山田", "??"),
        ("“Ana”…", '"Ana"...'),
        ("Z\u0351\u0352a", "Za"),
        ("a\u202eb", "ab"),
        ("Ａｎａ", "Ana"),
    ],
)
def test_what_the_rom_lacks_is_spelled_with_what_it_has(text: str, spelled: str) -> None:
    assert spell(text) == spelled


def test_an_unchanged_name_has_no_sign() -> None:
    assert spell_name("Ana Lima") == "Ana Lima"
    assert spell_name("ana@rooms.example") == "ana@rooms.example"


def test_a_changed_name_has_a_sign() -> None:
    assert spell_name("Łukasz") == "~Lukasz"
    assert spell_name("山田") == "~??"


def test_a_name_that_looks_latin_and_is_not_has_a_sign() -> None:
    assert spell_name("\u0430na") == "~ana"


def test_nobody_can_give_himself_the_sign_or_the_lock() -> None:
    assert spell_name("~Lukasz") == "~-Lukasz"
    assert LOCK not in spell_name(LOCK + "Ana")
    assert LOCK not in spell(LOCK + "Ana")


def test_a_domain_is_shown_in_its_ascii_form() -> None:
    assert spell_name("п\u0440име\u0440.example") == "xn--e1afmkfd.example"
    assert spell_name("ana@п\u0440име\u0440.example") == "ana@xn--e1afmkfd.example"


def test_what_is_too_wide_loses_its_middle() -> None:
    assert elide("a-very-long-name.rooms.example", 20) == "a-very-lo....example"


def test_two_people_never_look_the_same() -> None:
    names = ("Łukasz", "Lukasz", "Ľukasz", "Lukasz")
    assert spell_names(names, 20) == ("~Lukasz", "Lukasz", "~Lukasz~2", "Lukasz")
    long = tuple(f"a-room-on-floor-{number}-of-the-tower.example" for number in range(3))
    assert len(set(spell_names(long, 20))) == 3


@given(st.lists(st.text(max_size=30), max_size=12), st.integers(8, 40))
def test_every_name_fits_and_differs(names: list[str], width: int) -> None:
    shown = spell_names(names, width)
    assert all(len(line) <= width for line in shown)
    assert all(character in ROM for line in shown for character in line)
    assert len(set(shown)) == len(set(names))


@given(st.text(alphabet="aаbЬłl~", max_size=6))
def test_only_a_changed_name_begins_with_the_sign(name: str) -> None:
    assert (spell_name(name) != name) == spell_name(name).startswith(CHANGED)

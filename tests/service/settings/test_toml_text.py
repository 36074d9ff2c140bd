"""What is written as TOML is read back as it was, by the standard library."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.service.settings.toml_text import Plain, document_text, value_text

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
KEYS = st.from_regex(r"[a-z_]{1,5}(\.[a-z_]{1,5}){0,2}", fullmatch=True)


def nested(values: dict[str, Plain]) -> dict[str, object]:
    root: dict[str, object] = {}
    for key, value in values.items():
        *tables, name = key.split(".")
        at = root
        for table in tables:
            at = at.setdefault(table, {})  # type: ignore[assignment]
        at[name] = value
    return root


@given(st.one_of(SCALARS, st.lists(SCALARS)), st.booleans())
def test_a_value_is_read_back(value: Plain, lines: bool) -> None:
    assert tomllib.loads(f"v = {value_text(value, lines=lines)}")["v"] == value


@given(st.dictionaries(KEYS, st.one_of(SCALARS, st.lists(st.text('ab\n"\\\x7f')))))
def test_a_document_is_read_back(values: dict[str, Plain]) -> None:
    keys = sorted(values)
    # A key that is a value and a table at once is no document.
    if any(b.startswith(a + ".") for a in keys for b in keys):
        return
    assert tomllib.loads(document_text(values)) == nested(values)


def test_a_list_of_tables_is_read_back_with_its_lines() -> None:
    tables = [{"pem": "-----BEGIN-----\nabc\n", "domains": ["a.example"]}, {"pem": "x", "domains": []}]
    text = document_text({"trust.anchors": tables, "trust.names": ["b"], "top": 1})
    assert tomllib.loads(text) == {"top": 1, "trust": {"names": ["b"], "anchors": tables}}
    assert "-----BEGIN-----\nabc\n" in text


def test_no_value_is_an_empty_document() -> None:
    assert document_text({}) == ""


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        value_text(number)

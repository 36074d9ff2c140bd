"""Which domains a room may ask for."""

import pytest

from conclave_provisioning.enrollment import BadDomainError, check_domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("room.example.com", "room.example.com"),
        (" Room-12.Example.COM\n", "room-12.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a.b", "a.b"),
        ("3.example.com", "3.example.com"),
        ("x" * 63 + ".example.com", "x" * 63 + ".example.com"),
    ],
)
def test_a_domain_is_brought_into_the_form_of_the_certificate(text: str, domain: str) -> None:
    assert check_domain(text) == domain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "room.localhost",
        "room.local",
        "*.example.com",
        "room.example.com.",
        "room_1.example.com",
        "192.0.2.1",
        "[2001:db8::1]",
        "2001:db8::1",
        "1.2.3.4.5",
        "-room.example.com",
        "room-.example.com",
        "room..example.com",
        ".example.com",
        "x" * 64 + ".example.com",
        "x." * 127 + "com",
        "bücher.example",
        "room.example.com/path",
        "https://room.example.com",
        "room.example.com:443",
        "room .example.com",
        "room.example.com\x00",
    ],
)
def test_what_no_room_can_be_called_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(BadDomainError) as caught:
        check_domain(text)
    assert caught.value.hint

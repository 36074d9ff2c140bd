"""What looks like a secret does not leave the device; what a supporter needs does."""

import pytest

from conclave_provisioning.cli.scrub import GONE, scrubbed, scrubbed_values
from tests.bus.fake_room import CODE, INVITATION, LINK

FINGERPRINT = "3f" * 32


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"joined {LINK} at last", LINK.partition("#")[2]),
        (f"invitation {INVITATION}", INVITATION.rpartition(".")[2]),
        ("-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "MHcCAQEE"),
        ("-----BEGIN PRIVATE KEY-----\nMHcCAQEE and then it was cut", "MHcCAQEE"),
        ("Authorization: Bearer abc def", "abc"),
        ("password=hunter2", "hunter2"),
        ('{"eab_mac_key": "zWNDZ-M"}', "zWNDZ-M"),
        ("tsig secret: 'a b c'", "a b c"),
        ("token-pin = 1234", "1234"),
        ("proxy https://joe:hunter2@proxy.example/", "hunter2"),
        ("key zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG4", "zWNDZM6eQGHW"),
    ],
)
def test_a_secret_goes(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in scrubbed(text)
    assert GONE in scrubbed(text)


@pytest.mark.parametrize(
    "text",
    [
        "enrolled room.example.com, 46 days, by CN=Example CA",
        f"the key {FINGERPRINT} vouches for guest.provider.example",
        "https://ca.example/dir answers 503",
        "mapping: 7 shipping=late",
        "2026-11-30T22:40:09+00:00 conclaved.service",
    ],
)
def test_what_a_supporter_needs_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_the_security_code_is_for_the_people_in_the_meeting() -> None:
    values = scrubbed_values({"meeting": {"security_code": CODE, "title": "Weekly", "news": ["password: x"]}})
    assert values == {"meeting": {"security_code": GONE, "title": "Weekly", "news": [f"password: {GONE}"]}}

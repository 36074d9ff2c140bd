"""The configuration file: what is wrong is named by file, table and key."""

from pathlib import Path

import pytest

from conclave_provisioning.enrollment import DnsUpdateSettings
from conclaved.conference.limits import CarrierLimits
from conclaved.meeting.limits import Limits
from conclaved.service.config import Config, ConfigError, load

GOOD = """
state_directory = "/srv/state"
runtime_directory = "/srv/run"
hal = "/srv/hal.toml"
allow_plain_key = true
join_countdown_s = 3

[bus]
address = "unix:path=/srv/bus"

[acme]
directory_url = "https://ca.example/dir"
agree_terms = true
challenge = "dns-01"
dns_hook = "/bin/true"
email = "it@example.com"
profile = "shortlived"
preferred_chain = "ISRG Root X1"
staging = true
eab_key_id = "kid-1"
eab_mac_file = "/srv/eab"
deadline_s = 60
dns_wait_s = 5
dns_timeout_s = 30.5
resolvers = ["192.0.2.1", "[2001:db8::1]:5353"]

[acme.dns_update]
server = "192.0.2.53:5353"
key_name = "room.acme"
key_file = "/srv/tsig"
algorithm = "hmac-sha512"
zone = "example.com"

[service]
ca_file = "/srv/ca.pem"

[conference]
service = "wss://hub.example.com:8443"

[limits.meeting]
requests_per_s = 7

[limits.carrier]
live_bytes_per_s = 1e5
lobby_burst = 10
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "conclave.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_every_key_of_the_file_is_taken(tmp_path: Path) -> None:
    config = load(written(tmp_path, GOOD))
    assert config.state_directory == Path("/srv/state")
    assert config.token_directory == Path("/srv/run/acme-challenge")
    assert config.hal == Path("/srv/hal.toml")
    assert config.allow_plain_key is True
    assert config.join_countdown_s == 3.0
    assert config.bus_address == "unix:path=/srv/bus"
    assert config.acme.challenge == "dns-01"
    assert config.acme.dns_hook == Path("/bin/true")
    acme = config.acme.settings(config.token_directory, "", "")
    assert (acme.profile, acme.preferred_chain, acme.is_staging) == ("shortlived", "ISRG Root X1", True)
    assert not config.acme.settings(config.token_directory, "https://other.example/dir", "").is_staging
    assert (acme.eab_key_id, acme.eab_mac_file) == ("kid-1", Path("/srv/eab"))
    assert (acme.deadline_s, acme.dns_wait_s, acme.dns_timeout_s) == (60.0, 5.0, 30.5)
    assert acme.resolvers == ("192.0.2.1", "[2001:db8::1]:5353")
    assert acme.tls_alpn_directory == Path("/srv/run/acme-tls-alpn")
    assert acme.dns_update == DnsUpdateSettings(
        "192.0.2.53:5353", "room.acme", Path("/srv/tsig"), "hmac-sha512", "example.com"
    )
    assert config.service_ca == Path("/srv/ca.pem")
    assert config.conference_service == "wss://hub.example.com:8443"
    assert config.meeting_limits == Limits(requests_per_s=7)
    assert config.carrier_limits == CarrierLimits(live_bytes_per_s=1e5, lobby_burst=10)


def test_an_empty_file_means_the_defaults_and_the_system_bus(tmp_path: Path) -> None:
    config = load(written(tmp_path, ""))
    assert config == Config()
    assert config.bus_address is None
    assert config.allow_plain_key is False


WRONG: dict[str, tuple[str | bytes, str]] = {
    "not TOML": ("state_directory = ", "is not TOML"),
    "not UTF-8": (b'hal = "\xff"', "is not TOML"),
    "unknown key": ('state_dir = "/x"', "state_dir is not known"),
    "unknown key in a table": ("[acme]\nurl = 1", "[acme] url is not known"),
    "unknown table": ("[media]\nx = 1", "media is not known"),
    "number for a path": ("hal = 3", "hal must be a str"),
    "text for a flag": ('allow_plain_key = "yes"', "allow_plain_key must be a bool"),
    "number for a flag": ("[acme]\nagree_terms = 1", "[acme] agree_terms must be a bool"),
    "language unknown": ('[panel]\nlanguage = "tlh"', "[panel] language must be one of: en, de, ar, ja"),
    "flag for a number": ("join_countdown_s = true", "join_countdown_s must be a number"),
    "text for a table": ('bus = "unix:"', "bus must be a dict"),
    "negative countdown": ("join_countdown_s = -1", "join_countdown_s must be from 1 to 300"),
    "no countdown": ("join_countdown_s = 0", "join_countdown_s must be from 1 to 300"),
    "countdown too short to read": ("join_countdown_s = 0.9", "join_countdown_s must be from 1 to 300"),
    "endless countdown": ("join_countdown_s = inf", "join_countdown_s must be from 1 to 300"),
    "countdown that is no number": ("join_countdown_s = nan", "join_countdown_s must be from 1 to 300"),
    "limit that is none": ("[limits.meeting]\nwaiting = 0", "[limits.meeting] waiting must be more than 0"),
    "negative limit": (
        "[limits.carrier]\nlive_burst = -1.5",
        "[limits.carrier] live_burst must be more than 0",
    ),
    "endless limit": (
        "[limits.carrier]\nlive_burst = inf",
        "[limits.carrier] live_burst must be more than 0",
    ),
    "half a count": ("[limits.meeting]\nwaiting = 1.5", "[limits.meeting] waiting must be a int"),
    "flag for a limit": ("[limits.meeting]\nwaiting = true", "[limits.meeting] waiting must be a int"),
    "unknown limit": ("[limits.meeting]\nguests = 3", "[limits.meeting] guests is not known"),
    "limit of the wrong table": ("[limits]\nwaiting = 3", "[limits] waiting is not known"),
    "limit that all members share": (
        "[limits.meeting]\nproposals_of_one = 3",
        "[limits.meeting] proposals_of_one is not known",
    ),
    "service that is no address": (
        '[conference]\nservice = "https://hub.example.com"',
        "[conference] service must be of the form wss://HOST[:PORT]",
    ),
    "a place for keys that is none": ('[keys]\nbackend = "cloud"', "[keys] backend must be one of: tpm2, "),
    "a token without its library": ('[keys]\nbackend = "pkcs11"\ntoken = "room"', "[keys] module must name"),
    "a library without its token": ('[keys]\nmodule = "/lib/p11.so"', "[keys] token or serial must say"),
    "a parent that does not stay": ("[keys]\nparent = 0x80000000", "[keys] parent must be the handle"),
    "a PIN in the configuration": ('[keys]\npin = "1234"', "[keys] pin is not known"),
    "unknown challenge": ('[acme]\nchallenge = "tls-sni-01"', "[acme] challenge must be one of: http-01, "),
    "text for a flag or nothing": ('[acme]\nstaging = "yes"', "[acme] staging must be a bool"),
    "text for a list": ('[acme]\nresolvers = "192.0.2.1"', "[acme] resolvers must be a list"),
    "number in a list of texts": ("[acme]\nresolvers = [1]", "[acme] resolvers must be a list of strings"),
    "a name for a resolver": ('[acme]\nresolvers = ["ns.example"]', "[acme] ns.example is no DNS server"),
    "a day too long": ("[acme]\ndeadline_s = 1e6", "[acme] deadline_s must be from 0 to 86400"),
    "not a number": ("[acme]\ndns_wait_s = nan", "[acme] dns_wait_s must be from 0 to 86400"),
    "no key for updates": ('[acme.dns_update]\nserver = "192.0.2.1"', "[acme] DNS updates need"),
    "unknown key for updates": (
        '[acme.dns_update]\nserver = "192.0.2.1"\nkey_name = "k"\nkey_file = "/k"\nsecret = "x"',
        "[acme.dns_update] secret is not known",
    ),
    "ACME without TLS": ('[acme]\ndirectory_url = "http://ca.example/dir"', "[acme] "),
    "dns-01 without a hook": (
        '[acme]\ndirectory_url = "https://ca.example/dir"\nchallenge = "dns-01"',
        "[acme] ",
    ),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_by_file_and_key(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "conclave.toml"
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(path)

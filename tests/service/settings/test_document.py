"""A document of settings: all of it is right, or none is taken; one line says what is wrong."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conclaved.identity import fingerprint_of
from conclaved.meeting import Level, OwnRules
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.settings import BY_KEY, TABLE, Kind, Settings, SettingsError, parse
from conclaved.service.settings.document import LONGEST_DOCUMENT, parse_words, shown
from conclaved.service.settings.toml_text import value_text
from tests.pki import TestAuthority

CA = TestAuthority("Office CA")
OTHER = TestAuthority("Other CA")


def anchor(pem: str = CA.root_pem, label: str = "office", kind: str = "verified", more: str = "") -> str:
    return f'[[trust.anchors]]\nlabel = "{label}"\nkind = "{kind}"\npem = """{pem}"""\n{more}\n'


FULL = f"""
join_countdown_s = 20

[identity]
domain = "Room.example.com"
method = "csr"

[acme]
directory_url = "https://ca.example/dir"
agree_terms = true
challenge = "dns-01"
email = "it@example.com"

[conference]
service = "wss://hub.example.com"

[policy]
minimum_level = "locked"
requires_verified = true
allows_service_ends = false

[trust]
blocked_names = ["Bad.example.com"]
blocked_keys = ["{"AB" * 32}"]

{anchor(more='domains = ["Example.com"]')}

[limits.meeting]
requests_per_s = 7

[limits.carrier]
lobby_per_s = 9
"""


def wrong(text: str, before: Settings | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text, before)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def secret_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA's mail address, for once a secret."""
    monkeypatch.setitem(BY_KEY, "acme.email", replace(BY_KEY["acme.email"], is_secret=True))


def test_a_document_gives_configuration_policy_and_trust() -> None:
    settings = parse(FULL)
    config = settings.over_config(Config(hal=Path("/device/hal.toml")))
    assert config == replace(
        Config(),
        hal=Path("/device/hal.toml"),
        join_countdown_s=20.0,
        identity_domain="room.example.com",
        identity_method="csr",
        acme=AcmeConfig("https://ca.example/dir", True, "dns-01", email="it@example.com"),
        conference_service="wss://hub.example.com",
        meeting_limits=replace(Config().meeting_limits, requests_per_s=7),
        carrier_limits=replace(Config().carrier_limits, lobby_per_s=9.0),
    )
    assert settings.rules() == OwnRules(Level.LOCKED, requires_verified=True, allows_service_ends=False)
    assert [(a.label, a.domains) for a in settings.trust.anchors] == [("office", ("example.com",))]
    assert settings.trust.blocked_names == {"bad.example.com"}
    assert settings.trust.blocked_keys == {"ab" * 32}


def test_an_empty_document_leaves_everything_to_the_device() -> None:
    device = Config(join_countdown_s=5.0, acme=AcmeConfig(email="maker@example.com"))
    assert parse("").over_config(device) == device
    assert parse("").rules() == OwnRules()


def test_what_an_admin_sets_wins_over_the_devices_file() -> None:
    device = Config(join_countdown_s=5.0, acme=AcmeConfig(email="maker@example.com", agree_terms=True))
    config = parse('[acme]\nemail = "it@example.com"').over_config(device)
    assert (config.acme.email, config.acme.agree_terms, config.join_countdown_s) == (
        "it@example.com",
        True,
        5.0,
    )


def test_a_document_is_written_and_read_back() -> None:
    settings = parse(FULL)
    assert parse(settings.document(with_secrets=True)) == settings


def test_the_order_of_anchors_makes_no_difference() -> None:
    one, two = anchor(), anchor(OTHER.root_pem, "other")
    assert parse(one + two) == parse(two + one)


def test_an_empty_list_of_trust_is_none() -> None:
    assert parse("trust.anchors = []\ntrust.blocked_names = []") == parse("")


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.key)
def test_each_setting_says_what_it_is(setting: object) -> None:
    assert setting in TABLE
    found = next(s for s in TABLE if s is setting)
    assert found.meaning.endswith(".")
    assert found.allowed
    assert isinstance(shown(found, found.default), str)


def test_each_limit_of_a_device_may_be_set_but_those_that_all_agree_on() -> None:
    meeting = {f"limits.meeting.{spec.name}" for spec in fields(Config().meeting_limits)}
    assert meeting - set(BY_KEY) == {"limits.meeting.proposals_of_one"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = ", "is not TOML"),
        ("conference.servise = 1", "'conference.servise' is no setting; did you mean conference.service?"),
        ('state_directory = "/"', "'state_directory' is no setting"),
        ('conference = "x"', "'conference' is no setting"),
        ("[nothing]", "'nothing' is no setting"),
        (
            'conference.service = "http://x"',
            "conference.service: 'http://x' is not allowed; allowed: an address of the form wss://HOST[:PORT]",
        ),
        ("conference.service = 1", "conference.service: 1 is not allowed"),
        ("conference.service = {a = 1}", "conference.service: {'a': 1} is not allowed"),
        ("join_countdown_s = 0.5", "join_countdown_s: 0.5 is not allowed; allowed: a number from 5 to 300"),
        ("join_countdown_s = nan", "join_countdown_s: nan is not allowed"),
        ("join_countdown_s = true", "join_countdown_s: True is not allowed"),
        (
            'policy.requires_verified = "yes"',
            "policy.requires_verified: 'yes' is not allowed; allowed: true",
        ),
        ('policy.minimum_level = "lax"', "policy.minimum_level: 'lax' is not allowed; allowed: one of: "),
        ("limits.meeting.requests_per_s = 0", "0 is not allowed; allowed: a whole number, more than 0"),
        ("limits.meeting.requests_per_s = 1.5", "1.5 is not allowed; allowed: a whole number, more than 0"),
        ("limits.carrier.lobby_per_s = inf", "inf is not allowed; allowed: a number, more than 0"),
        ("limits.meeting.proposals_of_one = 1", "'limits.meeting.proposals_of_one' is no setting"),
        ('identity.domain = "localhost"', "identity.domain: 'localhost' is not allowed; allowed: a domain"),
        (
            'acme.directory_url = "http://ca.example"',
            "acme.directory_url: 'http://ca.example' is not",
        ),
        (
            'acme.eab_mac_key = "x y"',
            "acme.eab_mac_key: the value that was given is not allowed; allowed: a key",
        ),
        ('acme.ca_pem = "nonsense"', "acme.ca_pem: 'nonsense' is not allowed; allowed: certificates, PEM"),
        ('acme.resolvers = ["not an address"]', "acme.resolvers: ['not an address'] is not allowed"),
        (
            "acme.deadline_s = 0",
            "acme.deadline_s: 0 is not allowed; allowed: a number, more than 0, at most 86400",
        ),
        ('acme.dns_update.algorithm = "hmac-md5"', "acme.dns_update.algorithm: 'hmac-md5' is not allowed"),
        ('trust.blocked_names = ["*"]', "trust: "),
        ('trust.blocked_keys = ["ab"]', "trust: a key's fingerprint"),
        ("trust.blocked_keys = [1]", "trust.blocked_keys: [1] is not allowed; allowed: a list of SHA-256"),
        ("trust.anchors = [1]", "trust.anchors, number 1: 1 is not allowed; allowed: tables with pem"),
        (anchor("nonsense"), "trust.anchors, number 1: the file holds no readable PEM certificate"),
        (anchor(kind="friend"), "trust.anchors, number 1: kind: 'friend' is not allowed; allowed: verified"),
        (anchor(label=" "), "trust.anchors, number 1: label: is missing"),
        (anchor(more="colour = 1"), "trust.anchors, number 1: 'colour' is no key of an anchor"),
        (anchor(more="domains = 1"), "trust.anchors, number 1: a value is of the wrong type"),
        (anchor(more='domains = ["*"]'), "trust.anchors, number 1: an anchor's domain is not one"),
        (anchor(CA.root_pem + OTHER.root_pem), "trust.anchors, number 1: pem: has 2 certificates"),
        (anchor() + anchor(label="again"), "trust.anchors: an authority stands there twice"),
        ("#" * (LONGEST_DOCUMENT + 1), "the document is longer than"),
        ("a=" + "[" * 10_000, "the document is not TOML"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_what_is_allowed(text: str, says: str) -> None:
    assert says in wrong(text)


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(wrong(f'policy.minimum_level = "{"x" * 10_000}"')) < 200


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [
        ("policy.requires_verified", "true", True),
        ("join_countdown_s", "7", 7.0),
        ("limits.meeting.waiting", "7", 7),
        ("conference.service", "wss://a.example", "wss://a.example"),
        ("trust.blocked_names", "b.example, a.example", ("a.example", "b.example")),
    ],
)
def test_words_of_a_command_line_are_taken_by_the_settings_type(key: str, word: str, value: object) -> None:
    assert parse_words({key: word}).values == {key: value}


@pytest.mark.parametrize(
    ("key", "word"),
    [("policy.requires_verified", "yes"), ("join_countdown_s", "soon"), ("trust.anchors", "x")],
)
def test_a_word_of_another_type_is_refused(key: str, word: str) -> None:
    with pytest.raises(SettingsError, match=key):
        parse_words({key: word})


def test_anchors_are_shown_without_their_certificates() -> None:
    (found,) = parse(anchor()).trust.anchors
    text = shown(BY_KEY["trust.anchors"], (found,))
    assert fingerprint_of(CA.certificate) in text
    assert "BEGIN" not in text


MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def test_the_content_of_a_file_is_in_the_configuration_by_its_path(tmp_path: Path) -> None:
    settings = parse(f'acme = {{eab_key_id = "kid-1", eab_mac_key = "{MAC}"}}')
    device = Config(state_directory=tmp_path)
    ((path, content),) = settings.files(tmp_path).items()
    assert settings.over_config(device).acme.eab_mac_file == path
    assert (content, MAC in path.name) == (MAC, False)


def test_a_private_cas_roots_are_given_as_text(tmp_path: Path) -> None:
    settings = parse(f'acme.ca_pem = """{CA.root_pem}"""')
    (path,) = settings.files(tmp_path)
    assert settings.over_config(Config(state_directory=tmp_path)).acme.ca_file == path
    assert shown(BY_KEY["acme.ca_pem"], CA.root_pem) == '"(set)"'
    assert CA.root_pem.splitlines()[1] in settings.document()


def test_dns_updates_are_set_whole(tmp_path: Path) -> None:
    key = 'server = "192.0.2.53", key_name = "room.acme"'
    update = parse(f'acme.dns_update = {{{key}, key = "{MAC}"}}').over_config(Config()).acme.dns_update
    assert update is not None
    assert (update.server, update.key_name, update.algorithm) == ("192.0.2.53", "room.acme", "hmac-sha256")
    with pytest.raises(SettingsError, match=r"acme\.dns_update: DNS updates need"):
        parse(f"acme.dns_update = {{{key}}}").over_config(Config())


def test_a_secret_is_not_told_again(secret_mail: None) -> None:
    settings = parse('acme.email = "geheim@example.com"')
    assert "geheim" not in settings.document()
    assert "geheim" in settings.document(with_secrets=True)
    assert shown(BY_KEY["acme.email"], "geheim@example.com") == '"(set)"'


def test_a_secret_that_is_wrong_is_not_quoted(secret_mail: None) -> None:
    assert "geheim" not in wrong('acme.email = "geheim"')


def test_a_document_that_was_printed_keeps_its_secrets_when_it_is_applied(secret_mail: None) -> None:
    settings = parse('acme.email = "geheim@example.com"\njoin_countdown_s = 13')
    assert parse(settings.document(), settings) == settings


def test_set_where_nothing_is_set_is_refused(secret_mail: None) -> None:
    assert "none is set" in wrong('acme.email = "(set)"')


def test_only_kinds_that_documents_have_are_in_the_table() -> None:
    assert {s.kind for s in TABLE} == set(Kind)


def test_the_document_in_the_manual_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs/cli.md").read_text()
    block = page[page.index("    join_countdown_s = 15") :].partition("\n\n`config apply")[0]
    text = "\n".join(line.removeprefix("    ") for line in block.splitlines())
    pem = text[text.index("-----BEGIN") : text.rindex('"""')]
    settings = parse(text.replace(pem, CA.root_pem))
    assert [anchor.label for anchor in settings.trust.anchors] == ["office"]
    assert len(settings.values) == 9


ANYTHING = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 500), st.floats(), st.text(max_size=8), st.just("(set)")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["pem", "label", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*BY_KEY, "acme", "trust", "x.y"]), ANYTHING, max_size=4))
def test_whatever_stands_in_a_document_is_taken_or_refused_in_one_line(values: dict[str, object]) -> None:
    try:
        text = "\n".join(f"{key} = {value_text(value)}" for key, value in values.items())  # type: ignore[arg-type]
    except ValueError:
        return
    try:
        settings = parse(text)
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert parse(settings.document(with_secrets=True)) == settings


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse(text)
    except SettingsError as error:
        assert str(error)


@pytest.mark.parametrize(
    "text",
    [
        "a." * 200_000 + "a = 1",
        '"a".' * 200_000 + "a = 1",
        "[" + "a . " * 200_000 + "a]",
        "a = {b = " * 900 + "1" + "}" * 900,
        "join_countdown_s = " + "1" * 5000,
        "join_countdown_s = 0x" + "f" * 5000,
        "limits.meeting.lobby_per_s = 0x" + "f" * 500,
        "trust.blocked_names = [0x" + "f" * 5000 + "]",
    ],
    ids=["dotted", "quoted", "table", "nested", "digits", "hexadecimal", "whole", "in a list"],
)
def test_a_document_that_is_a_bomb_is_refused_in_no_time(text: str) -> None:
    with pytest.raises(SettingsError):
        parse(text)

"""Settings become others: whole, stored first, told once, and taken back in one step."""

from collections.abc import Awaitable
from pathlib import Path

import pytest

from conclaved.bus.change_report import ChangeReport
from conclaved.bus.room import PolicyChange, RoomError, RoomErrorKind
from conclaved.service.config import AcmeConfig, Config
from conclaved.service.configuring import Configuring
from conclaved.service.settings import Settings, SettingsFile
from tests.pki import TestAuthority
from tests.service.rooms import running_room

CA = TestAuthority("Office CA")


class Told:
    """Hears of changes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, before: Settings, after: Settings) -> None:
        self.count += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def settings(tmp_path: Path, told: Told) -> Configuring:
    return Configuring(Config(acme=AcmeConfig(agree_terms=True)), SettingsFile(tmp_path), told)


def changes(report: ChangeReport) -> list[tuple[str, str, str]]:
    return [(c.key, c.before, c.after) for c in report.changes]


def refused(settings: Configuring, document: str) -> RoomError:
    with pytest.raises(RoomError) as caught:
        settings.apply(document)
    return caught.value


def test_a_change_is_reported_with_what_was_and_what_is(settings: Configuring) -> None:
    report = settings.set({"join_countdown_s": "20"})
    assert (report.changed, changes(report)) == (True, [("join_countdown_s", "10.0", "20.0")])
    assert report.changes[0].effect == "at once"
    assert settings.config.join_countdown_s == 20.0


def test_the_same_again_is_no_change_and_is_not_told(settings: Configuring, told: Told) -> None:
    settings.set({"join_countdown_s": "20"})
    assert settings.set({"join_countdown_s": "20"}) == ChangeReport(False)
    assert told.count == 1


def test_a_dry_run_reports_and_changes_nothing(settings: Configuring, told: Told, tmp_path: Path) -> None:
    assert settings.set({"join_countdown_s": "20"}, dry_run=True).changed
    assert (settings.config.join_countdown_s, told.count, list(tmp_path.iterdir())) == (10.0, 0, [])


def test_one_wrong_value_changes_nothing_at_all(settings: Configuring, told: Told) -> None:
    error = refused(settings, 'join_countdown_s = 20\nconference.service = "x"')
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert "conclavectl config schema" in error.hint
    assert (settings.config.join_countdown_s, told.count) == (10.0, 0)


def test_nobody_outside_takes_away_the_time_that_people_need_to_refuse_a_join(settings: Configuring) -> None:
    error = refused(settings, "join_countdown_s = 1")
    assert error.kind is RoomErrorKind.INVALID_ARGUMENT
    assert settings.config.join_countdown_s == 10.0


def test_values_that_cannot_be_together_are_refused(tmp_path: Path, told: Told) -> None:
    settings = Configuring(Config(), SettingsFile(tmp_path), told)
    error = refused(settings, 'acme.directory_url = "https://ca.example/dir"')
    assert "terms" in str(error)
    assert settings.apply('acme = {directory_url = "https://ca.example/dir", agree_terms = true}').changed


def test_applying_leaves_what_the_document_does_not_name(settings: Configuring) -> None:
    settings.set({"join_countdown_s": "20"})
    settings.apply('conference.service = "wss://a.example"')
    assert (settings.config.join_countdown_s, settings.config.conference_service) == (20.0, "wss://a.example")


def test_replacing_unsets_what_the_document_does_not_name(settings: Configuring) -> None:
    settings.set({"join_countdown_s": "20"})
    report = settings.apply('conference.service = "wss://a.example"', replace=True)
    assert changes(report) == [
        ("join_countdown_s", "20.0", "10.0"),
        ("conference.service", '""', '"wss://a.example"'),
    ]


def test_what_is_unset_is_the_devices_again(settings: Configuring) -> None:
    settings.set({"acme.agree_terms": "false"})
    settings.unset(("acme.agree_terms",))
    assert settings.config.acme.agree_terms
    assert not settings.unset(("acme.agree_terms",)).changed


def test_an_unknown_key_cannot_be_unset(settings: Configuring) -> None:
    with pytest.raises(RoomError, match="is no setting"):
        settings.unset(("acme.colour",))


def test_rolling_back_goes_back_and_forth(settings: Configuring) -> None:
    settings.set({"join_countdown_s": "20"})
    settings.set({"join_countdown_s": "30"})
    assert changes(settings.roll_back()) == [("join_countdown_s", "30.0", "20.0")]
    assert changes(settings.roll_back()) == [("join_countdown_s", "20.0", "30.0")]


def test_there_is_nothing_to_roll_back_to_at_first(settings: Configuring) -> None:
    with pytest.raises(RoomError) as caught:
        settings.roll_back()
    assert caught.value.kind is RoomErrorKind.NOT_FOUND


def test_settings_and_the_way_back_survive_a_restart(settings: Configuring, tmp_path: Path) -> None:
    settings.set({"join_countdown_s": "20"})
    settings.set({"join_countdown_s": "30"})
    again = Configuring(Config(), SettingsFile(tmp_path), Told())
    assert (again.config.join_countdown_s, again.status().generation) == (30.0, 2)
    assert changes(again.roll_back()) == [("join_countdown_s", "30.0", "20.0")]


def test_settings_that_cannot_be_stored_are_not_in_force(
    settings: Configuring, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SettingsFile, "save", full)
    with pytest.raises(RoomError, match="No space left"):
        settings.set({"join_countdown_s": "20"})
    assert (settings.config.join_countdown_s, told.count) == (10.0, 0)


def test_who_gives_a_setting_is_told(settings: Configuring) -> None:
    settings.set({"join_countdown_s": "20"})
    sources = {s.key: s.source for s in settings.status().settings}
    assert sources["join_countdown_s"] == "admin"
    assert sources["acme.agree_terms"] == "device"
    assert sources["conference.service"] == "default"


def test_anchors_are_reported_one_by_one_without_certificates(settings: Configuring) -> None:
    document = f'[[trust.anchors]]\nlabel = "office"\nkind = "verified"\npem = """{CA.root_pem}"""'
    (change,) = settings.apply(document).changes
    assert (change.key, change.before) == ("trust.anchors.office", "")
    assert "BEGIN" not in change.after


async def _refused(asked: Awaitable[object]) -> RoomErrorKind:
    with pytest.raises(RoomError) as caught:
        await asked
    return caught.value.kind


async def test_trust_policy_and_settings_are_one_document_with_one_way_back(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        room = here.room
        await room.set_policy(PolicyChange(minimum_level="locked"))
        await room.add_anchor(CA.root_pem, "office", "verified", ("example.com",))
        assert 'label = "office"' in room.config().document
        assert room.policy().minimum_level == "locked"
        await room.roll_back_config()
        assert [anchor.label for anchor in room.trust().anchors] == ["public"]
        await room.apply_config("", replace=True)
        assert (room.trust().anchors, room.policy().minimum_level) == ((), "standard")


async def test_to_trust_an_anchor_again_is_no_change(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        assert (await here.room.add_anchor(CA.root_pem, "office", "verified", ())).changed
        assert not (await here.room.add_anchor(CA.root_pem, "office", "verified", ())).changed
        assert (await here.room.add_anchor(CA.root_pem, "office", "verified", ("a.example",))).changed


async def test_a_service_that_is_set_is_used_at_once(tmp_path: Path) -> None:
    async with running_room(tmp_path) as here:
        await here.room.set_config({"conference.service": "wss://set.example"})
        assert here.room._default_service() == "wss://set.example"


def test_a_secret_is_in_no_report_of_its_change(settings: Configuring) -> None:
    first, second, third = (settings.set({"acme.eab_mac_key": key}) for key in ("b25l", "dHdv", "dGhy"))
    assert changes(first) == [("acme.eab_mac_key", '""', '"(set)"')]
    assert changes(second) == [("acme.eab_mac_key", '"(set)"', '"(another)"')]
    assert "dGhy" not in repr((third, settings.status()))


def test_who_comes_into_a_long_list_is_shown_by_name(settings: Configuring) -> None:
    names = [f"admins-of-building-{number}@example.com" for number in range(90)]
    settings.set({"access.principals": ",".join(names)})
    report = settings.set({"access.principals": ",".join([*names, "mallory"])})
    assert changes(report) == [("access.principals.mallory", "", '"mallory"')]
    report = settings.set({"access.principals": ",".join(["mallory", *names])})
    assert [change.key for change in report.changes] == ["access.principals"]


def test_for_which_domains_an_anchor_speaks_is_shown_one_by_one_if_they_are_many(
    settings: Configuring,
) -> None:
    def document(*more: str) -> str:
        domains = [*(f"site-{number}.example.com" for number in range(40)), *more]
        head = f"[[trust.anchors]]\nlabel = 'a'\nkind = 'verified'\ndomains = {domains}\n"
        return f"{head}pem = '''{CA.root_pem}'''"

    settings.apply(document())
    report = settings.apply(document("bank.example"))
    assert ("trust.anchors.a.domains.bank.example", "", '"bank.example"') in changes(report)

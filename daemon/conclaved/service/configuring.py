"""The settings in force, and how they become others: checked as a whole, stored, then told.

Trust and policy are part of the settings, so every verb that changes any of them ends in `become`, and one
`roll_back` takes back whichever was last.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from conclave_provisioning.enrollment import EnrollmentError
from conclaved.bus.change_report import Change, ChangeReport
from conclaved.bus.room import ConfigStatus, RoomError, RoomErrorKind, SettingStatus
from conclaved.identity import Anchor
from conclaved.service.access import parse_keys
from conclaved.service.config import Config, ConfigError, check_acme
from conclaved.service.kept_settings import kept_settings
from conclaved.service.settings import BY_KEY, Effect, Kind, Settings, SettingsError, SettingsFile, parse
from conclaved.service.settings.document import ANCHORS, parse_words, shown, shown_anchor
from conclaved.service.settings.table import Setting, Value, value_in
from conclaved.service.settings.toml_text import value_text

log = logging.getLogger(__name__)

LONGEST_LIST = 200
"""Characters of a list up to which a change shows all of it, and not only what comes and goes."""
KEY_LISTS = frozenset({"access.keys", "access.authorities"})
T = TypeVar("T")

Told = Callable[[Settings, Settings], None]
"""Called with the settings before and after a change, once they are stored and in force."""


class Configuring:
    """Owns the settings and their file. One event loop owns it."""

    def __init__(self, device: Config, file: SettingsFile, told: Told) -> None:
        """`device` is the device maker's configuration. `problem` tells of settings that are damaged."""
        self._device = device
        self._file = file
        self._told = told
        found = kept_settings(file, device)
        self.settings, self._generation, self._previous = found.settings, found.generation, found.previous
        self.problem = found.problem
        """Why not the admin's last settings are in force, for people; empty if they are."""
        self.config = self.settings.over_config(device)
        """The configuration in force."""
        self._status: ConfigStatus | None = None

    @property
    def previous(self) -> Config:
        """The configuration before the last change."""
        return self.config if self._previous is None else self._previous.over_config(self._device)

    def status(self) -> ConfigStatus:
        """For D-Bus."""
        if self._status is None:
            self._status = ConfigStatus(
                generation=self._generation,
                can_roll_back=self._previous is not None,
                document=self.settings.document(),
                settings=tuple(self._setting_statuses()),
            )
        return self._status

    def reload(self, device: Config) -> None:
        """Take the device maker's configuration and the settings on the disk anew.

        Raises ConfigError, EnrollmentError or OSError for what cannot be; then nothing has changed.
        """
        settings, generation = self._file.load()
        previous = self._file.previous()
        config = settings.over_config(device)
        check_acme(config)
        self._file.lay_out(settings)
        before, self._device = self.settings, device
        self.settings, self._generation, self._previous = settings, generation, previous
        self.config, self.problem, self._status = config, "", None
        self._told(before, settings)

    # -- what may be asked for; all raise RoomError ----------------------------------------------

    def check(self, document: str, *, replace: bool = False) -> Settings:
        """What the settings would be with a document applied. Changes nothing."""
        given = _refusing(lambda: parse(document, self.settings))
        return self._checked(given if replace else given.over(self.settings))

    def apply(
        self,
        document: str,
        *,
        replace: bool = False,
        dry_run: bool = False,
        generation: int | None = None,
        may_lock_out: bool = False,
    ) -> ChangeReport:
        """Set what a document names; with `replace` the rest is unset.

        `generation` is that of the settings which the document was made from: others are not overwritten.
        """
        if generation is not None and generation != self._generation:
            raise RoomError(
                RoomErrorKind.BUSY,
                "somebody else has changed the settings at this moment",
                hint="look at them, and say it again",
            )
        return self.become(self.check(document, replace=replace), dry_run=dry_run, may_lock_out=may_lock_out)

    def set(self, values: Mapping[str, str], *, dry_run: bool = False) -> ChangeReport:
        """Set some settings by words."""
        given = _refusing(lambda: parse_words(values, self.settings))
        return self.become(self._checked(given.over(self.settings)), dry_run=dry_run)

    def unset(self, keys: tuple[str, ...], *, dry_run: bool = False) -> ChangeReport:
        """Leave some settings to the device maker's file and the defaults."""
        left = _refusing(lambda: self.settings.without(keys))
        return self.become(self._checked(left), dry_run=dry_run)

    def roll_back(self, *, dry_run: bool = False) -> ChangeReport:
        """Back to the settings before the last change."""
        if self._previous is None:
            raise RoomError(
                RoomErrorKind.NOT_FOUND,
                "the settings were never changed: there is nothing to go back to",
                hint="see: conclavectl config get",
            )
        return self.become(self._checked(self._previous), dry_run=dry_run)

    def become(self, after: Settings, *, dry_run: bool = False, may_lock_out: bool = False) -> ChangeReport:
        """Store other settings and put them in force; the same ones are no change.

        Those that take away the admins' last way in are refused, unless they `may_lock_out`.
        """
        before = self.settings
        is_way_in = after.over_config(self._device).access.lets_anybody_in
        # Where the settings are damaged, the ways in are still those that stood in them.
        is_lost = (self.config.access.lets_anybody_in or bool(self.problem)) and not is_way_in
        if is_lost and not may_lock_out:
            raise RoomError(
                RoomErrorKind.REFUSED,
                "nobody could log in as admin over SSH any more",
                hint="if that is meant: conclavectl access remove KEY --yes",
            )
        report = ChangeReport(after != before, tuple(self._changes(before, after)))
        if report.changed and (refusal := self._file.refusal(after)):
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                f"the settings could not be kept: {refusal}",
                hint="nothing has changed; see: conclavectl config get",
            )
        # Stored all the same where those on the disk are damaged.
        if dry_run or not (report.changed or self.problem):
            return report
        try:
            self._file.save(after, self._generation + 1, before)
        except OSError as error:
            raise RoomError(
                RoomErrorKind.FAILED,
                f"the settings cannot be stored: {error.strerror}",
                hint="nothing has changed; see: conclavectl doctor",
            ) from error
        self.settings, self._previous = after, before
        self._generation += 1
        self.problem = ""
        self.config = after.over_config(self._device)
        self._status = None
        self._told(before, after)
        return report

    # -- within ---------------------------------------------------------------------------------

    def _checked(self, settings: Settings) -> Settings:
        """Settings that are right one by one, and together."""
        config = _refusing(lambda: settings.over_config(self._device))
        try:
            check_acme(config)
        except EnrollmentError as error:
            raise RoomError(
                RoomErrorKind.INVALID_ARGUMENT,
                f"acme: {error}",
                hint=error.hint or "see: conclavectl config get",
            ) from error
        return settings

    def _changes(self, before: Settings, after: Settings) -> Iterator[Change]:
        for setting in BY_KEY.values():
            old, new = before.values.get(setting.key), after.values.get(setting.key)
            if old == new:
                continue
            if setting.key == ANCHORS:
                yield from _anchor_changes(before.trust.anchors, after.trust.anchors)
                continue
            old, new = before.value(setting, self._device), after.value(setting, self._device)
            if setting.key in KEY_LISTS:
                yield from _key_changes(setting.key, old, new)
                continue
            was, becomes = shown(setting, old), shown(setting, new)
            if setting.kind is Kind.TEXTS and max(len(was), len(becomes)) > LONGEST_LIST:
                yield from _item_changes(setting, old, new)
                continue
            if (setting.is_secret or setting.is_content) and old and new and old != new:
                becomes = '"(another)"'
            yield Change(setting.key, was, becomes, setting.effect.value)

    def _setting_statuses(self) -> Iterator[SettingStatus]:
        for setting in BY_KEY.values():
            if setting.key in self.settings.values:
                source = "admin"
            else:
                source = "default" if value_in(self._device, setting) == setting.default else "device"
            yield SettingStatus(
                key=setting.key,
                kind=setting.kind.value,
                value=shown(setting, self.settings.value(setting, self._device)),
                default=shown(setting, setting.default),
                source=source,
                effect=setting.effect.value,
                allowed=setting.allowed,
                choices=("true", "false") if setting.kind is Kind.FLAG else setting.choices,
                meaning=setting.meaning,
                is_secret=setting.is_secret,
            )


def _anchor_changes(before: tuple[Anchor, ...], after: tuple[Anchor, ...]) -> Iterator[Change]:
    """A change for each authority, not for the list: who reads it wants to see whom."""
    old = {(a.certificate, a.kind): a for a in before}
    new = {(a.certificate, a.kind): a for a in after}
    for key in {**old, **new}:
        was, becomes = old.get(key), new.get(key)
        if was == becomes:
            continue
        named = becomes or was
        name = f"{ANCHORS}.{'' if named is None else named.shown_name}"
        texts = ("" if was is None else shown_anchor(was), "" if becomes is None else shown_anchor(becomes))
        yield Change(name, *texts, Effect.AT_ONCE.value)
        if max(map(len, texts)) > LONGEST_LIST:
            domains = (() if was is None else was.domains, () if becomes is None else becomes.domains)
            yield from _comings_and_goings(f"{name}.domains", *domains, Effect.AT_ONCE.value)


def _item_changes(setting: Setting, before: Value, after: Value) -> Iterator[Change]:
    old, new = (value if isinstance(value, tuple) else () for value in (before, after))
    found = list(_comings_and_goings(setting.key, map(str, old), map(str, new), setting.effect.value))
    # The same items in another order.
    yield from found or [
        Change(setting.key, shown(setting, before), shown(setting, after), setting.effect.value)
    ]


def _comings_and_goings(
    key: str, before: Iterable[str], after: Iterable[str], effect: str
) -> Iterator[Change]:
    """A change for each item of a list that comes or goes: in a long list nobody would see it."""
    old, new = dict.fromkeys(before), dict.fromkeys(after)
    for item in {**old, **new}:
        if (item in old) != (item in new):
            word = value_text(item)
            yield Change(f"{key}.{item}", word if item in old else "", word if item in new else "", effect)


def _key_changes(key: str, before: Value, after: Value) -> Iterator[Change]:
    """A change for each key that comes or goes, by fingerprint, as admins and sshd's log call it."""
    lists = (
        [line for line in value if isinstance(line, str)]
        for value in (before, after)
        if isinstance(value, tuple)
    )
    old, new = ({one.fingerprint: one for one in parse_keys(lines)} for lines in lists)
    for fingerprint in {**old, **new}:
        was, becomes = old.get(fingerprint), new.get(fingerprint)
        if was != becomes:
            yield Change(
                f"{key}.{fingerprint}",
                "" if was is None else value_text(f"{was.kind} {was.comment}".rstrip()),
                "" if becomes is None else value_text(f"{becomes.kind} {becomes.comment}".rstrip()),
                Effect.AT_ONCE.value,
            )


def _refusing(make: Callable[[], T]) -> T:
    try:
        return make()
    except SettingsError as error:
        raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error), hint=error.hint) from error
    except ConfigError as error:
        raise RoomError(RoomErrorKind.INVALID_ARGUMENT, str(error)) from error

"""Everything that the panel says, as fields: a language that lacks one cannot be made.

In braces stands what is put in; names come isolated already. What the daemon says freely (notices, news,
reasons) is not here: it is shown as it comes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from conclave_hal.pixels.bidi import Direction


@dataclass(frozen=True, slots=True)
class Plural:
    """One sentence for each plural category of CLDR that the language has; the rest is as `other`."""

    other: str
    one: str = ""
    two: str = ""
    few: str = ""
    many: str = ""
    zero: str = ""

    def forms(self) -> tuple[str, ...]:
        """All that are given."""
        return tuple(filter(None, (self.zero, self.one, self.two, self.few, self.many, self.other)))


def one_or_other(number: int) -> str:
    """English and German."""
    return "one" if number == 1 else "other"


def always_other(number: int) -> str:
    """Japanese."""
    return "other"


def arabic_category(number: int) -> str:
    """All six categories."""
    if number in (0, 1, 2):
        return ("zero", "one", "two")[number]
    rest = number % 100
    if 3 <= rest <= 10:
        return "few"
    return "many" if rest >= 11 else "other"


@dataclass(frozen=True, slots=True)
class Words:
    """One language."""

    language: str
    """As `PanelView.language`."""
    direction: Direction
    category: Callable[[int], str]
    """Which form of a `Plural` a number takes."""

    locked: str
    locked_meaning: str
    opening: str
    opening_meaning: str
    broken: str
    broken_meaning: str
    no_lock: str
    no_lock_meaning: str

    not_in_meeting: str
    joining: str
    in_lobby: str
    has_left: str
    nobody_else: str
    people: Plural
    services: Plural
    headline: str
    """`{who}` and `{rest}`: how many, and how many of them are verified."""
    list_of_two: str
    """`{first}` and `{second}`."""
    all_verified: str
    none_verified: str
    some_not_verified: Plural

    verified: str
    not_verified: str
    unknown_not_verified: str
    host: str
    member: str
    guest: str
    service_end: str
    this_room: str
    not_expected: str
    compared: str
    level_locked: str
    level_standard: str
    microphone_muted: str
    camera_muted: str
    shutter_closed: str

    security_code: str
    read_aloud: str
    not_current: str
    code_comes: str
    no_code: str
    changed: str
    """`{why}`."""
    changed_at: str
    """`{why}` and `{time}`."""

    in_the_meeting: str
    """`{count}`."""
    expected: str
    """`{names}`."""
    and_others: str
    """`{names}`."""
    waiting: str
    """`{count}`."""
    only_hosts: str
    admit: str
    deny: str
    page: str
    """`{first}`, `{last}` and `{all}`."""
    page_of_one: str
    """`{first}` and `{all}`."""
    more: Plural

    microphone_on: str
    microphone_off: str
    camera_on: str
    camera_off: str
    turn_off: str
    turn_on: str
    next_meeting: str
    until_turned_on: str
    nothing_sent: str
    by_switch: str
    by_shutter: str
    and_off_here: str
    """`{why}`."""
    switch_unknown: str
    shutter_unknown: str
    speak: str
    speak_why: str
    leave: str
    leave_why: str
    do_not_join: str
    do_not_join_why: str
    end_for_all: str
    end_for_all_why: str

    remove: str
    make_host: str
    tick: str
    untick: str
    allow_back: str
    removed: str
    somebody: str
    back: str
    leave_question: str
    end_question: str
    remove_question: str
    """`{name}`."""
    host_question: str
    """`{name}`."""
    remove_meaning: str
    host_meaning: str

    todays_meetings: str
    no_meetings: str
    join: str
    now: str
    invited_by: str
    """`{name}`."""
    joining_line: str
    lobby_line: str
    invited_line: str
    left_line: str
    """`{title}`."""
    left_meaning: str
    nothing_leaves: str
    seen_as: str
    """`{name}`."""
    no_certificate: str
    unnamed_room: str

    incoming: str
    asked_by: str
    """`{who}`."""
    joins_in: Plural
    starts_muted: str
    join_now: str
    refuse: str

    leaving_in: str
    """`{seconds}` and `{why}`."""
    behind: str
    refused: str
    """`{why}`."""
    certificate_days: Plural
    certificate_today: str
    certificate_ended: str
    tampered: str

    details: str
    key_agreement: str
    sound_and_picture: str
    epoch: str
    epoch_value: str
    """`{epoch}` and `{code_epoch}`."""
    who_may_join: str
    service: str
    none_now: str
    issued_by: str
    """`{name}`."""
    admitted_by: str
    """`{name}`."""
    who_vouches: str
    with_a_phone: str
    phone_meaning: str
    service_sees: str
    service_cannot: str
    not_settled: str

    def plural(self, plural: Plural, number: int) -> str:
        """The form for `number`, with `{n}` put in."""
        return (getattr(plural, self.category(number)) or plural.other).format(n=number)

"""What a view means, in the words of one language: pure, and the same on every screen."""

import time
from dataclasses import dataclass

from conclave_hal.panel import (
    ActionKind,
    Lock,
    MeetingState,
    PanelParticipant,
    PanelView,
)
from conclave_hal.pixels.language import Words
from conclave_hal.pixels.scene import Shape, Tone
from conclave_hal.pixels.typesetting import name_text

NAMES_TOLD = 3


@dataclass(frozen=True, slots=True)
class LockMeaning:
    """The sign on the panel: a shape, a colour and words, each enough by itself."""

    shape: Shape
    tone: Tone
    word: str
    meaning: str


def lock(view: PanelView, words: Words) -> LockMeaning:
    """What the lock says."""
    if view.lock is Lock.LOCKED:
        return LockMeaning(Shape.SHIELD_LOCKED, Tone.SAFE, words.locked, words.locked_meaning)
    if view.lock is Lock.OPENING:
        return LockMeaning(Shape.SHIELD_OPENING, Tone.WARNING, words.opening, words.opening_meaning)
    if view.lock is Lock.BROKEN:
        return LockMeaning(Shape.SHIELD_BROKEN, Tone.ALARM, words.broken, words.broken_meaning)
    return LockMeaning(Shape.SHIELD_NONE, Tone.MUTED, words.no_lock, words.no_lock_meaning)


def is_verified(assurance: str) -> bool:
    """Whether it counts as verified; whatever is not known does not."""
    return assurance == "verified"


def assurance_word(assurance: str, words: Words) -> str:
    """In words."""
    known = {"verified": words.verified, "provider": words.not_verified}
    return known.get(assurance, words.unknown_not_verified)


def role_word(role: str, words: Words) -> str:
    """In words."""
    known = {
        "host": words.host,
        "member": words.member,
        "guest": words.guest,
        "service end": words.service_end,
    }
    return known.get(role) or name_text(role)


def level_word(level: str, words: Words) -> str:
    """Who may join."""
    return {"locked": words.level_locked, "standard": words.level_standard}.get(level) or name_text(level)


def person_name(person_or_request: str, assurance: str) -> str:
    """A name that nobody verified stands in quotation marks."""
    name = name_text(person_or_request)
    return name if is_verified(assurance) else f"“{name}”"


def headline(view: PanelView, words: Words) -> str:
    """What people read from three metres."""
    if view.incoming is not None:
        return words.incoming
    states = {
        MeetingState.JOINING: words.joining,
        MeetingState.LOBBY: words.in_lobby,
        MeetingState.LEFT: words.has_left,
        MeetingState.IDLE: words.not_in_meeting,
    }
    if view.state in states:
        return states[view.state]
    people = view.participants
    if len(people) <= 1:
        return words.nobody_else
    services = sum(person.role == "service end" for person in people)
    who = words.plural(words.people, len(people) - services)
    if services:
        first, second = who, words.plural(words.services, services)
        who = words.list_of_two.format(first=first, second=second)
    unverified = unverified_count(view)
    if unverified == 0:
        rest = words.all_verified
    elif unverified == len(people):
        rest = words.none_verified
    else:
        rest = words.plural(words.some_not_verified, unverified)
    return words.headline.format(who=who, rest=rest)


def unverified_count(view: PanelView) -> int:
    """How many in the meeting are not verified."""
    return sum(not is_verified(person.assurance) for person in view.participants)


def headline_tone(view: PanelView) -> Tone:
    """Amber as soon as somebody is not verified."""
    if view.state is MeetingState.IN_MEETING and unverified_count(view):
        return Tone.WARNING
    return Tone.TEXT


def ordered_people(view: PanelView) -> list[PanelParticipant]:
    """Those whom nobody verified first, so that a long list cannot hide them."""
    return sorted(view.participants, key=lambda person: is_verified(person.assurance))


@dataclass(frozen=True, slots=True)
class Alarm:
    """A line that people must see."""

    text: str
    tone: Tone


def alarms(view: PanelView, words: Words) -> list[Alarm]:
    """What is wrong, the worst first."""
    found: list[Alarm] = []
    if view.tamper == "tripped":
        found.append(Alarm(words.tampered, Tone.ALARM))
    if view.minds:
        text = words.leaving_in.format(seconds=view.leaving_in_s, why=name_text(view.minds, max_length=200))
        found.append(Alarm(text, Tone.ALARM))
    if view.refused:
        why = name_text(view.refused, max_length=200)
        found.append(Alarm(words.refused.format(why=why), Tone.ALARM))
    if view.lock is Lock.BROKEN and not view.notices:
        found.append(Alarm(words.behind, Tone.ALARM))
    tone = Tone.ALARM if view.lock is Lock.BROKEN else Tone.WARNING
    found += [Alarm(name_text(notice, max_length=240), tone) for notice in view.notices]
    if view.certificate_days is not None:
        found.append(_certificate(view.certificate_days, words))
    return found


def _certificate(days: int, words: Words) -> Alarm:
    if days < 0:
        return Alarm(words.certificate_ended, Tone.ALARM)
    if days == 0:
        return Alarm(words.certificate_today, Tone.WARNING)
    return Alarm(words.plural(words.certificate_days, days), Tone.WARNING)


def missing(view: PanelView, words: Words) -> str:
    """Whom the invitation expects."""
    if view.state is not MeetingState.IN_MEETING or not view.missing:
        return ""
    names = ", ".join(map(name_text, view.missing[:NAMES_TOLD]))
    if len(view.missing) > NAMES_TOLD:
        names = words.and_others.format(names=names)
    return words.expected.format(names=names)


def is_code_current(view: PanelView) -> bool:
    """Only a code behind a closed lock is compared."""
    return view.lock is Lock.LOCKED and bool(view.security_code)


def code_caption(view: PanelView, words: Words) -> str:
    """What to do with the code."""
    if not view.security_code:
        return words.code_comes if view.lock is Lock.LOCKED else words.no_code
    return words.read_aloud if is_code_current(view) else words.not_current


def code_reason(view: PanelView, words: Words) -> str:
    """Why it is what it is."""
    if not view.security_code or not view.code_reason:
        return ""
    why = name_text(view.code_reason)
    if not view.code_time:
        return words.changed.format(why=why)
    clock = time.strftime("%H:%M", time.localtime(view.code_time))
    return words.changed_at.format(why=why, time=clock)


@dataclass(frozen=True, slots=True)
class ControlMeaning:
    """A mute button. A hardware switch wins, and one that nobody can read is never taken for closed."""

    shape: Shape
    word: str
    why: str
    is_off: bool
    is_unread: bool
    press: ActionKind


def microphone(view: PanelView, words: Words) -> ControlMeaning:
    """The microphone's."""
    why, is_off, is_unread = _control(
        view, words, view.microphone_muted, view.mute_switch, words.by_switch, words.switch_unknown
    )
    press = ActionKind.UNMUTE_MICROPHONE if view.microphone_muted else ActionKind.MUTE_MICROPHONE
    shape = Shape.MICROPHONE_OFF if is_off else Shape.MICROPHONE
    word = words.microphone_off if is_off else words.microphone_on
    return ControlMeaning(shape, word, why, is_off, is_unread, press)


def camera(view: PanelView, words: Words) -> ControlMeaning:
    """The camera's."""
    why, is_off, is_unread = _control(
        view, words, view.camera_muted, view.shutter, words.by_shutter, words.shutter_unknown
    )
    press = ActionKind.UNMUTE_CAMERA if view.camera_muted else ActionKind.MUTE_CAMERA
    shape = Shape.CAMERA
    if is_off:
        shape = Shape.SHUTTER if view.shutter == "blocking" else Shape.CAMERA_OFF
    word = words.camera_off if is_off else words.camera_on
    return ControlMeaning(shape, word, why, is_off, is_unread, press)


def _control(
    view: PanelView, words: Words, is_muted: bool, hardware: str, blocked: str, unread: str
) -> tuple[str, bool, bool]:
    is_blocked = hardware == "blocking"
    if hardware not in ("blocking", "passing", "not fitted"):
        return unread, is_muted, True
    if is_blocked:
        return (words.and_off_here.format(why=blocked) if is_muted else blocked), True, False
    in_meeting = view.state is MeetingState.IN_MEETING
    if is_muted:
        return (words.turn_on if in_meeting else words.until_turned_on), True, False
    if view.state in (MeetingState.IDLE, MeetingState.LEFT):
        return words.next_meeting, False, False
    return (words.turn_off if view.lock is Lock.LOCKED else words.nothing_sent), False, False


def phone_text(view: PanelView) -> str:
    """What the QR code on the details says: the digits in plain text, which any phone shows."""
    title = name_text(view.title).strip("\u2068\u2069")
    lines = (title, view.security_code, f"{view.room} #{view.code_epoch}")
    return "\n".join(filter(None, lines))

"""A view on 20 x 4 characters: pages, and what each key does on them. Pure.

People turn pages with UP and DOWN; the first is what matters most now. Every page of a meeting has the
lock's state in words in its first line, and a page never says more than the view does. What a key does
stands on the page, so that nobody presses blindly.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from conclave_hal.lcd.charset import LOCK, TICK, elide, spell, spell_name, spell_names
from conclave_hal.panel import (
    ActionKind,
    Lock,
    MeetingState,
    PanelAction,
    PanelInvitation,
    PanelParticipant,
    PanelRequest,
    PanelView,
)

COLUMNS = 20
ROWS = 4
_DIGITS = 5
_GROUPS = 6
_NAME_LINES = 2


@dataclass(frozen=True, slots=True)
class Page:
    """Four lines, and what is pressed by ENTER, EXIT and RIGHT."""

    key: str
    """By which the page is found again in the next view."""
    lines: tuple[str, str, str, str] = field(repr=False)
    """Each exactly 20 characters of the ROM. Not in `repr`: one page is the security code."""
    enter: PanelAction | None = None
    exit: PanelAction | None = None
    right: str = ""
    """The page that RIGHT opens."""
    is_aside: bool = False
    """Reached by RIGHT only."""
    is_urgent: bool = False
    """Shown at once, whatever page people are on."""


def pages(view: PanelView) -> tuple[Page, ...]:
    """All pages of `view`; there is at least one."""
    if view.incoming is not None:
        by = spell(view.incoming.asked_by)
        return (
            _page(
                "incoming",
                f"Joining in {view.incoming.seconds} s",
                spell(view.incoming.title),
                _fitting(f"by {by}", by),
                "ENTER yes   EXIT no",
                enter=PanelAction(ActionKind.ACCEPT_JOIN),
                exit=PanelAction(ActionKind.REFUSE_JOIN),
                is_urgent=True,
            ),
        )
    if view.state is MeetingState.IN_MEETING:
        return tuple(_meeting(view))
    return tuple(_outside(view))


def _outside(view: PanelView) -> Iterator[Page]:
    leave = PanelAction(ActionKind.LEAVE)
    name = elide(spell_name(view.room), COLUMNS) if view.room else "not enrolled yet"
    if view.state is MeetingState.JOINING:
        yield _page("joining", "Joining...", *_two(view.title), "EXIT leaves", exit=leave)
    elif view.state is MeetingState.LOBBY:
        yield _page("lobby", "Waiting to be let in", *_two(view.title), "EXIT leaves", exit=leave)
    else:
        says = "Left the meeting" if view.state is MeetingState.LEFT else "Ready"
        more = "DOWN: meetings today" if view.invitations else ""
        yield _page("idle", says, name, _mutes(view), more)
    yield from _warnings(view)
    for invitation in view.invitations if view.state in (MeetingState.IDLE, MeetingState.LEFT) else ():
        yield _invitation(invitation)


def _invitation(invitation: PanelInvitation) -> Page:
    now = " now" if invitation.is_now else ""
    return _page(
        f"invitation {invitation.invitation_id}",
        f"{spell(invitation.time)}{now}",
        *_two(invitation.title),
        "ENTER joins",
        enter=PanelAction(ActionKind.JOIN, invitation_id=invitation.invitation_id),
    )


def _meeting(view: PanelView) -> Iterator[Page]:
    if view.minds:
        head = f"Leaving in {view.leaving_in_s} s:"
        yield _page("minds", head, *_wrapped(view.minds, 3), is_urgent=True)
    if view.lock is Lock.LOCKED:
        yield _page("code", _lock_line(view), *_code_lines(view.security_code), _count(view))
    else:
        yield _page(
            "code", _lock_line(view), *_wrapped(view.notices[0] if view.notices else "", 2), _count(view)
        )
    yield from _warnings(view)
    yield from _lobby(view)
    shown = spell_names([p.name for p in view.participants], _NAME_LINES * COLUMNS)
    for place, (participant, name) in enumerate(zip(view.participants, shown, strict=True), 1):
        yield from _person(view, participant, name, f"{place}/{len(shown)}")
    yield from _removed(view)
    if view.security_code and view.lock is Lock.LOCKED:
        speak = PanelAction(ActionKind.SPEAK_CODE)
        yield _page("speak", _lock_line(view), "Hear the code", "", "ENTER speaks it", enter=speak)
    yield _mute_page(view, "Microphone", is_muted=view.microphone_muted)
    yield _mute_page(view, "Camera", is_muted=view.camera_muted)
    title = elide(spell(view.title), COLUMNS)
    leave = PanelAction(ActionKind.LEAVE)
    yield _page("leave", _lock_line(view), title, "", "ENTER leaves", enter=leave)
    if view.is_host:
        end = PanelAction(ActionKind.END_FOR_ALL)
        yield _page("end", _lock_line(view), title, "End it for everyone?", "ENTER ends it", enter=end)


def _lobby(view: PanelView) -> Iterator[Page]:
    names = spell_names([request.name for request in view.lobby], _NAME_LINES * COLUMNS)
    for request, name in zip(view.lobby, names, strict=True):
        yield from _request(request, _cut(name), is_host=view.is_host)


def _request(request: PanelRequest, name: tuple[str, str], *, is_host: bool) -> Iterator[Page]:
    key = f"request {request.request_id}"
    head = f"Wants in: {_assurance(request.assurance)}"
    if not is_host:
        yield _page(key, head, *name, "a host decides")
        return
    deny = PanelAction(ActionKind.DENY, request_id=request.request_id)
    if request.obstacle:
        why = f"obstacle {request.request_id}"
        yield _page(key, "Cannot be let in", *name, "RIGHT why   EXIT no", exit=deny, right=why)
        yield _page(why, *_wrapped(request.obstacle, 3), "EXIT refuses", exit=deny, is_aside=True)
        return
    admit = PanelAction(ActionKind.ADMIT, request_id=request.request_id)
    yield _page(key, head, *name, "ENTER admit EXIT no", enter=admit, exit=deny)


def _person(view: PanelView, participant: PanelParticipant, name: str, place: str) -> Iterator[Page]:
    # By its key too: a page about one person must not become another's who comes to the same place.
    who = f"{participant.leaf} {participant.key_id}".rstrip()
    key = f"member {who}"
    lines = _cut(name)
    tick = TICK if participant.assurance == "verified" else "!"
    head = f"{place} {tick}{_assurance(participant.assurance)}"
    head = _fitting(f"{_lock_sign(view)} {head}".lstrip(), f"{_lock_sign(view)}{head}")
    if participant.is_self:
        yield _page(key, head, *lines, "this room")
        return
    can_compare = bool(view.security_code) and view.lock is Lock.LOCKED
    compared = ActionKind.NOT_COMPARED if participant.is_compared else ActionKind.COMPARED
    foot = ""
    if can_compare:
        foot = f"{TICK}compared ENTER undo" if participant.is_compared else "ENTER code compared"
    kick = f"remove {who}" if view.is_host else ""
    yield _page(
        key, head, *lines, foot, right=kick,
        enter=PanelAction(compared, leaf=participant.leaf) if can_compare else None,
    )  # fmt: skip
    if kick:
        host = f"host {who}"
        yield _page(
            kick, "Remove this one?", *lines, "ENTER yes  LEFT no", is_aside=True, right=host,
            enter=PanelAction(ActionKind.KICK, leaf=participant.leaf),
        )  # fmt: skip
        yield _page(
            host, "Hand over to it?", *lines, "ENTER yes  LEFT no", is_aside=True, right=kick,
            enter=PanelAction(ActionKind.HAND_OVER, leaf=participant.leaf),
        )  # fmt: skip


def _removed(view: PanelView) -> Iterator[Page]:
    """Whom a host threw out, for hosts: it may come back when one of them says so."""
    for removed in view.removed if view.is_host else ():
        name = elide(spell_name(removed.name) if removed.name else removed.key_id, 2 * COLUMNS)
        back = PanelAction(ActionKind.ALLOW_BACK, request_id=removed.key_id)
        yield _page(f"removed {removed.key_id}", "Was removed:", *_cut(name), "ENTER allows back", enter=back)


def _mute_page(view: PanelView, what: str, *, is_muted: bool) -> Page:
    names = {
        ("Microphone", True): ActionKind.UNMUTE_MICROPHONE,
        ("Microphone", False): ActionKind.MUTE_MICROPHONE,
        ("Camera", True): ActionKind.UNMUTE_CAMERA,
        ("Camera", False): ActionKind.MUTE_CAMERA,
    }
    switch = view.mute_switch if what == "Microphone" else view.shutter
    part = "switch" if what == "Microphone" else "shutter"
    hardware = {"blocking": f"{part} closed", "passing": f"{part} open"}.get(switch, f"{part} unknown")
    return _page(
        what.lower(),
        _lock_line(view),
        f"{what} {'muted' if is_muted else 'on'}",
        hardware,
        f"ENTER {'unmutes' if is_muted else 'mutes'}",
        enter=PanelAction(names[what, is_muted]),
    )


def _warnings(view: PanelView) -> Iterator[Page]:
    """What is wrong, one page each: alarms first, as the view has them."""
    said: list[str] = []
    if view.tamper == "tripped":
        said.append("The case was opened: do not trust this room")
    if view.refused:
        said.append(f"Refused: {view.refused}")
    said.extend(view.notices)
    if view.certificate_days is not None:
        days = view.certificate_days
        said.append("The certificate has ended" if days < 0 else f"The certificate ends in {days} days")
    for number, text in enumerate(said, 1):
        head = f"{_lock_sign(view)} Attention {number}/{len(said)}".lstrip()
        yield _page(f"warning {number}", head, *_wrapped(text, 3))


def _lock_line(view: PanelView) -> str:
    """The state of the lock in words; at its end what else wants a look."""
    says = {
        Lock.LOCKED: f"{LOCK} Encrypted",
        Lock.OPENING: "NOT YET ENCRYPTED",
        Lock.BROKEN: "NOT SENDING",
        Lock.NONE: "NOT ENCRYPTED",
    }[view.lock]
    signs = ""
    if view.lobby and view.is_host:
        signs += f" +{min(len(view.lobby), 99)}"
    if view.notices or view.tamper == "tripped" or view.certificate_days is not None or view.refused:
        signs += " !"
    return f"{says:<{COLUMNS - len(signs)}}{signs}" if len(says) + len(signs) <= COLUMNS else says


def _lock_sign(view: PanelView) -> str:
    return LOCK if view.lock is Lock.LOCKED else ""


def _code_lines(code: str) -> tuple[str, str]:
    """Three groups of five digits on each of two lines."""
    groups = code.split()
    if len(groups) != _GROUPS or any(len(group) != _DIGITS for group in groups):
        return "no code:", "nobody else is in"
    return " ".join(groups[:3]), " ".join(groups[3:])


def _count(view: PanelView) -> str:
    """How many are in, and how many of them are not verified."""
    people = len(view.participants)
    others = sum(p.assurance != "verified" for p in view.participants)
    if not others:
        return f"{people} in, all verified"
    return _fitting(f"{people} in, {others} not verified", f"{people} in, {others} unverif.")


def _fitting(*lines: str) -> str:
    """The first that fits, or else the last without its middle."""
    return next((line for line in lines if len(line) <= COLUMNS), elide(lines[-1], COLUMNS))


def _assurance(assurance: str) -> str:
    return {"verified": "verified", "provider": "unverified"}.get(assurance, "unknown")


def _mutes(view: PanelView) -> str:
    closed = "shutter closed" if view.shutter == "blocking" else ""
    muted = "mic off" if view.mute_switch == "blocking" else ""
    return " ".join(filter(None, (closed if not muted else closed.replace("closed", "shut"), muted)))


def _two(text: str) -> tuple[str, str]:
    first, second = _wrapped(text, 2)
    return first, second


def _wrapped(text: str, count: int) -> tuple[str, ...]:
    """`text` on `count` lines, broken at spaces where that fits; too much ends with `...`."""
    rest = " ".join(spell(text).split())
    lines: list[str] = []
    while len(lines) < count:
        is_last = len(lines) == count - 1
        if len(rest) <= COLUMNS:
            cut = len(rest)
        elif is_last:
            lines.append(rest[: COLUMNS - 3] + "...")
            break
        else:
            space = rest.rfind(" ", 0, COLUMNS + 1)
            cut = space if space > 0 else COLUMNS
        lines.append(rest[:cut])
        rest = rest[cut:].lstrip()
    return tuple(lines)


def _cut(name: str) -> tuple[str, str]:
    """A name on two lines: every character of it counts. Broken before a dot, or where it must be."""
    if len(name) <= COLUMNS:
        return name, ""
    least = len(name) - COLUMNS
    dots = [at for at in range(least, COLUMNS + 1) if name[at] == "." or name[at - 1] in "@ "]
    at = max(dots, default=COLUMNS)
    return name[:at], name[at:]


def _page(
    key: str,
    *lines: str,
    enter: PanelAction | None = None,
    exit: PanelAction | None = None,  # noqa: A002 - the key's name
    right: str = "",
    is_aside: bool = False,
    is_urgent: bool = False,
) -> Page:
    a, b, c, d = (elide(line, COLUMNS).ljust(COLUMNS) for line in lines)
    return Page(key, (a, b, c, d), enter, exit, right, is_aside, is_urgent)

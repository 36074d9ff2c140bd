"""What is open on the panel, and what a press does to it: a small machine, without pixels or time.

The room knows nothing of this: it gets a `PanelAction` or nothing at all. Whatever is open is closed when
what it was about has gone from the view, so that a sheet about one person can never become another's.

    press on a target -> step    -> what is open now, and perhaps an action
    a new view        -> settled -> what is still open
    a button          -> moved   -> what is selected now, or the target that SELECT and BACK press
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from conclave_hal.buttons import Button
from conclave_hal.panel import MeetingState, PanelAction, PanelView


class Sheet(Enum):
    """What lies over the panel's first page."""

    NONE = "none"
    PERSON = "person"
    DETAILS = "details"
    CODE = "code"
    """The digits as large as the screen carries."""
    LEAVE = "leave"
    CONFIRM = "confirm"


class Listing(Enum):
    """What is shown page by page."""

    PEOPLE = "people"
    LOBBY = "lobby"
    INVITATIONS = "invitations"
    VOUCHING = "vouching"
    REMOVED = "removed"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class Open:
    """Open a sheet."""

    sheet: Sheet
    leaf: int = -1
    name: str = ""
    """Whose, for PERSON."""
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Back:
    """Close what is open."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Show another page of a listing."""

    listing: Listing
    page: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask again before doing it."""

    action: PanelAction
    name: str = ""
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """Do it."""

    action: PanelAction


Target = Open | Back | Turn | Ask | Press


@dataclass(frozen=True, slots=True)
class Opened:
    """What is open, turned to and selected. The default is the first page with nothing selected."""

    sheet: Sheet = Sheet.NONE
    leaf: int = -1
    name: str = ""
    asked: PanelAction | None = None
    """What CONFIRM asks about; `name` says whom it concerns."""
    pages: tuple[tuple[Listing, int], ...] = ()
    selected: Target | None = None
    """By buttons: what SELECT would press."""
    key_id: str = ""
    """Of whom the sheet is about: another may sit down in the same place and say the same name."""

    def page(self, listing: Listing) -> int:
        """Which page of it, from 0."""
        return dict(self.pages).get(listing, 0)


@dataclass(frozen=True, slots=True)
class Step:
    """What a press comes to."""

    opened: Opened
    action: PanelAction | None = None


def step(opened: Opened, target: Target) -> Step:
    """What pressing `target` does."""
    match target:
        case Open(sheet, leaf, name, key_id):
            about = replace(opened, sheet=sheet, leaf=leaf, name=name, key_id=key_id)
            return Step(replace(about, asked=None, selected=None))
        case Back():
            return Step(_closed(opened))
        case Turn(listing, page):
            pages = {**dict(opened.pages), listing: page}
            return Step(replace(opened, pages=tuple(pages.items())))
        case Ask(action, name, key_id):
            confirm = replace(opened, sheet=Sheet.CONFIRM, asked=action, name=name, key_id=key_id)
            return Step(replace(confirm, selected=None))
        case Press(action):
            # What was asked about is done; whatever else is open stays for the next press.
            done = _closed(opened) if opened.sheet in (Sheet.CONFIRM, Sheet.LEAVE) else opened
            return Step(done, action)


def settled(opened: Opened, view: PanelView) -> Opened:
    """What stays open over `view`."""
    if opened.sheet is Sheet.NONE:
        return opened
    if view.state is not MeetingState.IN_MEETING or view.incoming is not None:
        return Opened()
    there = {person.leaf: (person.name, person.key_id) for person in view.participants}
    about = (opened.name, opened.key_id)
    if opened.sheet is Sheet.PERSON and there.get(opened.leaf) != about:
        return _closed(opened)
    asked = opened.asked
    if asked is not None and asked.leaf >= 0 and there.get(asked.leaf) != about:
        return _closed(opened)
    if opened.sheet is Sheet.CODE and not view.security_code:
        return _closed(opened)
    return opened


def moved(opened: Opened, button: Button, targets: Sequence[Target]) -> tuple[Opened, Target | None]:
    """What UP, DOWN, SELECT and BACK do where `targets` can be pressed; other buttons do nothing.

    A target that comes back is to be pressed as a finger would.
    """
    if button is Button.BACK:
        return opened, Back() if opened.sheet is not Sheet.NONE else None
    if not targets or button not in (Button.UP, Button.DOWN, Button.SELECT):
        return opened, None
    at = targets.index(opened.selected) if opened.selected in targets else None
    if button is Button.SELECT:
        return opened, None if at is None else targets[at]
    if at is None:
        at = 0 if button is Button.DOWN else len(targets) - 1
    else:
        at = (at + (1 if button is Button.DOWN else -1)) % len(targets)
    return replace(opened, selected=targets[at]), None


def _closed(opened: Opened) -> Opened:
    return replace(opened, sheet=Sheet.NONE, leaf=-1, name="", key_id="", asked=None, selected=None)

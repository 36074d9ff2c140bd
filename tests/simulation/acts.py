"""What people do: come and go, let in and throw out, hand over, renew; and what they wanted by it."""

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from conclaved.meeting import MeetingError
from conclaved.meeting.admission import Role
from conclaved.meeting.removing import Removed
from tests.simulation.device import Device

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_THROWN_OUT = 3


@dataclass(frozen=True)
class Kick:
    """A host has thrown somebody out."""

    host: Device
    start: int
    """Which start of the host's device it was: one that has crashed since may have forgotten it."""
    victim: Device


class Acts:
    """See the file's head."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.thrown_out: set[str] = set()
        """Labels of those whom a host has thrown out and none has allowed back."""
        self.kicks: list[Kick] = []
        self.denied: set[str] = set()
        self.allowed_back: set[str] = set()
        self.to_end: list[Device] = []
        """Who was in when a host ended the meeting for all."""

    def any(self) -> None:
        """One of all these, by chance."""
        rng = self.world.rng
        weights = {
            self.come_or_go: 80,
            self.throw_somebody_out: 4,
            self.allow_somebody_back: 6,
            self.return_uncalled: 3,
            self.hand_over: 3,
            self.renew: 8,
        }
        act = rng.choices(tuple(weights), tuple(weights.values()))[0]
        if not act():
            self.come_or_go()

    # -- coming and going -----------------------------------------------------------------------

    def come_or_go(self) -> bool:
        """Somebody joins or leaves."""
        world, rng = self.world, self.world.rng
        members = [d for d in world.devices if d.is_in and d.wants_in]
        away = [d for d in world.devices if not d.wants_in and not d.is_running]
        away = [d for d in away if d.label not in self.thrown_out]
        if away and (len(members) < 3 or rng.random() < 0.5):
            self._did("join")
            self.join(rng.choice(away))
            return True
        if len(members) > 1:
            self._did("leave")
            device = rng.choice(members)
            device.wants_in = False
            device.leave()
            return True
        return False

    def join(self, device: Device) -> None:
        """Its people switch it on, with a certificate that is good now."""
        device.wants_in = True
        if not device.has_good_paper:
            device.paper = device.person.lasting(device.paper)
        device.start()

    # -- hosts ----------------------------------------------------------------------------------

    def hosts(self) -> list[Device]:
        """Honest hosts who are in."""
        devices = (d for d in self.world.devices if d.is_in and d.is_honest)
        return [d for d in devices if d.view is not None and d.view.is_host]

    def throw_somebody_out(self) -> bool:
        """An honest host throws out anybody."""
        hosts = self.hosts()
        members = [d for d in self.world.devices if d.is_in]
        if not hosts or len(members) < 3:
            return False
        host = self.world.rng.choice(hosts)
        return self.throw_out(host, self.world.rng.choice([d for d in members if d is not host]))

    def throw_out(self, host: Device, victim: Device) -> bool:
        """A host throws somebody out. False if that cannot be."""
        remaining = len(self.world.devices) - len(self.thrown_out)
        leaf = _leaf_of(host, victim)
        if leaf is None or remaining < 3 or len(self.thrown_out) >= MOST_THROWN_OUT:
            return False
        if victim is self.world.chair:
            return False
        self._did("kick")
        self.expect_out(victim)
        self.kicks.append(Kick(host, host.starts, victim))
        host.kick(leaf, victim.label)
        return True

    def expect_out(self, victim: Device) -> None:
        """A host, whoever it is, throws this one out."""
        victim.wants_in = False
        self.thrown_out.add(victim.label)
        self.allowed_back.discard(victim.label)

    def allow_somebody_back(self) -> bool:
        """A host allows back one who was thrown out, and its people join again."""
        for host in self.hosts():
            assert host.view is not None
            for removed in host.view.removed:
                victim = self._who_is(removed)
                if victim is None or victim.is_in or victim.label not in self.thrown_out:
                    continue
                self._did("allow back")
                self.thrown_out.discard(victim.label)
                self.allowed_back.add(victim.label)
                self.kicks = [kick for kick in self.kicks if kick.victim is not victim]
                host.allow_back(removed.key_id, victim.label)
                victim.wants_in = True
                if not victim.is_running:
                    self.world.loop.after(0.5, partial(self._join_if_off, victim))
                return True
        return False

    def insist(self) -> None:
        """Honest hosts throw out again whom one has thrown out, and who is in all the same."""
        for host in self.hosts():
            for victim in self.world.devices:
                leaf = _leaf_of(host, victim) if victim.label in self.thrown_out else None
                if leaf is not None and victim is not host:
                    self._did("kick again")
                    host.kick(leaf, victim.label)

    def forgive(self) -> None:
        """Hosts allow back whom only a malicious one has thrown out; it does so too, being honest now."""
        for host in [device for device in self.world.devices if device.is_in]:
            for removed in host.view.removed if host.view is not None and host.view.is_host else ():
                victim = self._who_is(removed)
                if victim is not None and victim.wants_in and not victim.is_in:
                    self._did("forgive")
                    host.allow_back(removed.key_id, victim.label)
                    break

    def _who_is(self, removed: Removed) -> Device | None:
        for device in self.world.devices:
            ids = (hashlib.sha256(key).hexdigest()[:16] for key in device.person.keys)
            if device.person.name == removed.name or removed.key_id in ids:
                return device
        return None

    def _join_if_off(self, device: Device) -> None:
        if device.wants_in and not device.is_running:
            self.join(device)

    def return_uncalled(self) -> bool:
        """One who was thrown out tries to come back, with the same key or another one."""
        rng = self.world.rng
        out = [d for d in self.world.devices if d.label in self.thrown_out and not d.is_running]
        if not out:
            return False
        self._did("return uncalled")
        device = rng.choice(out)
        if rng.random() < 0.5:
            device.paper, device.saved = rng.choice(device.person.successors), None
        device.start()
        return True

    def hand_over(self) -> bool:
        """A host makes a member a host too."""
        rng, hosts = self.world.rng, self.hosts()
        if not hosts:
            return False
        host = rng.choice(hosts)
        assert host.view is not None
        members = [p for p in host.view.participants if p.role in (Role.MEMBER, Role.GUEST)]
        if not members:
            return False
        member = rng.choice(members)
        self._did("hand over")
        try:
            host.hand_over(member.leaf, member.name)
        except MeetingError as error:
            host.say(f"cannot: {error}")
        return True

    def end_for_all(self) -> bool:
        """A host ends the meeting."""
        hosts = self.hosts()
        if not hosts:
            return False
        self._did("end for all")
        host = self.world.rng.choice(hosts)
        assert host.stay is not None
        for device in self.world.devices:
            device.wants_in = False
            if device.stay is not None and device.stay.transcript == host.stay.transcript:
                self.to_end.append(device)
        host.end_for_all()
        return True

    # -- certificates ---------------------------------------------------------------------------

    def renew(self) -> bool:
        """A device gets a new certificate: with the same key, with another, or in another name."""
        rng = self.world.rng
        running = [d for d in self.world.devices if d.is_running]
        if not running:
            return False
        device = rng.choice(running)
        person = device.person
        kind = rng.random()
        if kind < 0.15 and device.paper in (person.paper, person.short_lived):
            self._did("another name")
            before = device.paper
            device.renew(person.stranger)
            device.paper = before
            return True
        if device.paper is person.short_lived and kind < 0.6:
            self._did("renew certificate")
            device.renew(person.paper)
            return True
        following = person.after(device.paper)
        if following is None:
            return False
        self._did("renew key")
        device.renew(following)
        return True

    # -- at the panel ---------------------------------------------------------------------------

    def look_at_lobbies(self) -> None:
        """Hosts let in whom the meeting waits for, and turn away the others."""
        for host in self.hosts():
            assert host.view is not None
            for waiting in host.view.lobby:
                who = self.world.device_of(waiting.request.signature_key)
                if who is None or waiting.obstacle(self.world.terms.signed.content.level):
                    continue
                try:
                    host.answer(waiting.request_id, who.label, admits=who.wants_in)
                except MeetingError as error:
                    host.say(f"cannot: {error}")
                    continue
                self._did("admit" if who.wants_in else "deny")
                if not who.wants_in:
                    self.denied.add(who.label)

    def _did(self, what: str) -> None:
        self.world.acts[what] += 1


def _leaf_of(host: Device, other: Device) -> int | None:
    group = host.group
    members = () if group is None else group.members
    return next((m.leaf_index for m in members if m.leaf_node.signature_key in other.person.keys), None)

"""What a malicious member, leader or host does in its group. Each deed returns whether it could be done."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from conclaved.meeting.admission import ADMISSION_EXTENSION, Role, issue
from conclaved.meeting.alive import Beacon
from conclaved.meeting.events import SendLive
from conclaved.meeting.meeting_context import MeetingContext
from conclaved.meeting.rules import RemoveReason
from conclaved.mls import (
    Add,
    Extension,
    GroupContextExtensions,
    KeyPackageBundle,
    Lifetime,
    MlsError,
    PreSharedKeyID,
    Proposal,
    ReInit,
    Remove,
    X509Credential,
)
from conclaved.mls.framing import AuthenticatedContent
from conclaved.mls.proposal import PreSharedKey
from tests.simulation.fast_crypto import SUITE
from tests.simulation.insider import Insider, live_group, with_bad_path, with_bad_tag
from tests.simulation.people import ANOTHER, STRANGERS, WALL

if TYPE_CHECKING:
    from tests.simulation.world import World

KICK = bytes([RemoveReason.KICK])
LEAVE = bytes([RemoveReason.LEAVE])
VANISHED = bytes([RemoveReason.VANISHED])
Deed = Callable[["World", Insider], bool]


def _others(insider: Insider) -> list[int]:
    group = live_group(insider)
    if group is None:
        return []
    return [m.leaf_index for m in group.members if m.leaf_index != group.own_leaf_index]


def _commit(insider: Insider, *proposals: Proposal, data: bytes = b"") -> bool:
    """A commit of its own, published whatever the rules say. The MLS below refuses some by itself."""
    group = live_group(insider)
    if group is None:
        return False
    try:
        pending = group.commit(by_value=proposals, authenticated_data=data)
    except MlsError:
        return False
    insider.publish_raw(pending.content)
    pending.discard()
    return True


def _propose(insider: Insider, proposal: Proposal, data: bytes) -> bool:
    """A proposal as its session would make it, so that it can follow what comes of it."""
    session, now = insider.session, insider.world.loop.now
    if session is None or live_group(insider) is None:
        return False
    session._voice.propose(lambda: proposal, data)
    insider.perform(session.tick(now))
    return True


def kicks_without_being_host(world: "World", insider: Insider) -> bool:
    """Throws somebody out by its own commit."""
    others = _others(insider)
    return bool(others) and _commit(insider, Remove(world.rng.choice(others)), data=KICK)


def removes_without_reason(world: "World", insider: Insider) -> bool:
    """Removes somebody and says nothing, or says that it left."""
    others = _others(insider)
    reason = world.rng.choice((b"", LEAVE))
    return bool(others) and _commit(insider, Remove(world.rng.choice(others)), data=reason)


def calls_somebody_vanished(world: "World", insider: Insider) -> bool:
    """Removes one who is there as vanished: allowed, shown, and the removed one comes back."""
    others = _others(insider)
    return bool(others) and _propose(insider, Remove(world.rng.choice(others)), VANISHED)


def takes_all_for_gone(world: "World", insider: Insider) -> bool:
    """Removes everybody else as vanished by its own commit, to have the meeting to itself."""
    others = _others(insider)
    return bool(others) and _commit(insider, *map(Remove, others), data=VANISHED)


def adds_a_stranger(world: "World", insider: Insider) -> bool:
    """Takes in somebody whom no host has admitted: without an admission, or with one of its own making."""
    group = live_group(insider)
    if group is None:
        return False
    identity = world.rng.choice(STRANGERS).paper.identity(is_fast=world.is_fast)
    own = insider.paper.identity(is_fast=world.is_fast).signer
    content, session = world.terms.signed.content, insider.session
    assert session is not None
    forged = issue(
        own,
        content.meeting_id,
        identity.signer.public_key,
        world.rng.choice((Role.MEMBER, Role.HOST)),
        issuer_admission=session.admission if world.rng.random() < 0.7 else None,
    )
    extensions = (Extension(ADMISSION_EXTENSION, forged.encode()),) if world.rng.random() < 0.8 else ()
    wall = WALL + int(world.loop.now) - 1000
    try:
        bundle = KeyPackageBundle.generate(
            SUITE,
            identity.signer,
            X509Credential(identity.chain),
            lifetime=Lifetime(wall - 3600, wall + 86400),
            extension_types=(0xF0C1, 0xF0C2),
            leaf_extensions=extensions,
        )
    except MlsError:
        return False
    done = _commit(insider, Add(bundle.key_package))
    bundle.close()
    return done


def changes_the_meeting(world: "World", insider: Insider) -> bool:
    """Rewrites the terms: another invitation, somebody on the kicked list, everybody off it."""
    group = live_group(insider)
    if group is None:
        return False
    context, rng = MeetingContext.of(group.extensions), world.rng
    keys = sorted(m.leaf_node.signature_key for m in group.members)
    changed = rng.choice(
        (
            replace(context, invitation=ANOTHER.signed),
            replace(context, kicked=context.kicked | {rng.choice(keys)}),
            replace(context, kicked=frozenset()),
            replace(context, is_link_closed=not context.is_link_closed),
        )
    )
    session = insider.session
    if session is not None and session.admission is not None and rng.random() < 0.8:
        own = insider.paper.identity(is_fast=world.is_fast).signer
        changed = changed.signed(own, session.admission)
    proposal = GroupContextExtensions((changed.extension(),))
    if rng.random() < 0.5:
        return _propose(insider, proposal, b"")
    return _commit(insider, proposal)


def proposes_what_no_rule_knows(world: "World", insider: Insider) -> bool:
    """PSKs and reinitialisations."""
    group = live_group(insider)
    if group is None:
        return False
    if world.rng.random() < 0.5:
        return _propose(insider, ReInit(b"elsewhere", 1, SUITE, group.extensions), b"")
    return _propose(insider, PreSharedKey(PreSharedKeyID.external(SUITE, b"psk")), b"")


def floods_with_proposals(world: "World", insider: Insider) -> bool:
    """Twenty proposals at once."""
    others = _others(insider)
    for _ in range(20):
        if not others or not _propose(insider, Remove(world.rng.choice(others)), b"\x09"):
            return False
    return True


def commits_badly(world: "World", insider: Insider) -> bool:
    """A commit that nobody can open, or whose tag is wrong."""
    group = live_group(insider)
    if group is None:
        return False
    pending = group.commit()
    bend = world.rng.choice((with_bad_path, with_bad_tag))
    insider.publish_raw(bend(insider, pending.content))
    pending.discard()
    return True


def commits_for_some(world: "World", insider: Insider) -> bool:
    """A commit whose path only some can open: they go on, and the others do not."""
    group = live_group(insider)
    if group is None:
        return False
    pending = group.commit()
    insider.publish_raw(with_bad_path(insider, pending.content, spares_one=True))
    pending.discard()
    world.truth.played_two_sides = True
    return True


def passes_over_what_waits(world: "World", insider: Insider) -> bool:
    """Commits nothing at all, again and again, so that the others' proposals die with their epoch."""
    session = insider.session
    group = live_group(insider)
    if session is None or group is None or session._commits._pending is not None:
        return False
    session._commits.publish(group.commit(), world.loop.now)
    insider.perform(session.tick(world.loop.now))
    return True


def speaks_for_others_from_the_past(world: "World", insider: Insider) -> bool:
    """Beacons with times that cannot be."""
    group = live_group(insider)
    if group is None:
        return False
    elapsed = world.rng.choice((0, 10**6, 2**60))
    content: AuthenticatedContent = group.sign_application(Beacon(world.session_random(8), elapsed).encode())
    insider.send_up(SendLive(group.protect(content)))
    return True


def forges_frames(world: "World", insider: Insider) -> bool:
    """Media in the others' names; any member can."""
    receivers = [d for d in world.devices if d.is_running and d is not insider]
    return bool(receivers) and insider.forge_frames(world.rng.choice(receivers)) > 0


def lets_others_wait(_world: "World", insider: Insider) -> bool:
    """As a leader, commits nothing."""
    insider.is_idle_leader = True
    return True


def throws_somebody_out(world: "World", insider: Insider) -> bool:
    """A host may; who is thrown out stays out."""
    session = insider.session
    group = live_group(insider)
    if session is None or group is None or not session.view().is_host:
        return False
    spared = (*world.chair.person.keys, *insider.person.keys)
    others = [m for m in group.members if m.leaf_node.signature_key not in spared]
    if not others:
        return False
    victim = world.rng.choice(others)
    device = world.device_of(victim.leaf_node.signature_key)
    if device is None or len(world.director.acts.thrown_out) >= 3:
        return False
    world.director.acts.expect_out(device)
    insider.kick(victim.leaf_index, device.label)
    return True


def kicks_without_listing(world: "World", insider: Insider) -> bool:
    """A host's kick that leaves the key off the list, or lists a key and removes nobody."""
    others = _others(insider)
    if not others:
        return False
    if world.rng.random() < 0.5:
        return _propose(insider, Remove(world.rng.choice(others)), KICK)
    return changes_the_meeting(world, insider)


MEMBER_DEEDS: tuple[Deed, ...] = (
    kicks_without_being_host,
    removes_without_reason,
    calls_somebody_vanished,
    takes_all_for_gone,
    adds_a_stranger,
    changes_the_meeting,
    proposes_what_no_rule_knows,
    floods_with_proposals,
    commits_badly,
    commits_for_some,
    speaks_for_others_from_the_past,
    forges_frames,
)
LEADER_DEEDS: tuple[Deed, ...] = (lets_others_wait, passes_over_what_waits, commits_badly, commits_for_some)
HOST_DEEDS: tuple[Deed, ...] = (throws_somebody_out, kicks_without_listing, adds_a_stranger)

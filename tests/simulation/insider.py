"""A device whose owner keeps to no rule.

It follows the meeting with an ordinary session, so that it is in the group, is heard, and leads at times.
On top of that it does what `evil` knows. It forgets nothing that it ever had a key for.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from conclaved.meeting.events import Announce, CarrierEvent, Entry, Publish, Replay, SendLive, SendLobby
from conclaved.mls import AuthenticatedContent, Commit, Group
from conclaved.mls.message_protection import sign_content
from conclaved.mls.update_path import UpdatePath
from conclaved.sframe import EpochKeys, MediaKeyring
from tests.simulation.device import Device, Stay
from tests.simulation.media import Frame

if TYPE_CHECKING:
    from tests.simulation.people import Paper, Person
    from tests.simulation.world import World


class Insider(Device):
    """See the file's head."""

    is_honest = False

    def __init__(self, world: "World", person: "Person", paper: "Paper") -> None:
        super().__init__(world, person, paper)
        self.is_evil = True
        self.is_idle_leader = False
        """Lets what others wait for lie."""
        self.secrets: list[tuple[Stay, EpochKeys]] = []
        """Media keys of every epoch that it was in."""
        self._own_evil: set[bytes] = set()
        self._forging: dict[tuple[bytes, int], MediaKeyring] = {}

    def hear(self, event: CarrierEvent) -> None:
        """What it sent against the rules it does not take from the log itself."""
        if isinstance(event, Entry) and event.data in self._own_evil:
            event = Entry(event.sequence, b"")
        super().hear(event)

    def send_up(self, effect: Publish | SendLobby | SendLive | Replay | Announce) -> None:
        """An idle leader commits nothing."""
        if self.is_idle_leader and isinstance(effect, Publish) and effect.expected is not None:
            self.world.bites["malicious_leader"] += 1
            return
        super().send_up(effect)

    def _enter(self, keys: EpochKeys) -> None:
        copied = replace(keys, base_key=bytes(keys.base_key))
        super()._enter(keys)
        if self.stay is not None and self.stay.keys.epoch == copied.epoch:
            self.secrets.append((self.stay, copied))
            del self.secrets[:-4]

    # -- doing ----------------------------------------------------------------------------------

    def publish_raw(self, content: AuthenticatedContent) -> None:
        """Protect something and put it into the log; its own session is not to see it."""
        group = self.group
        assert group is not None
        data = group.protect(content)
        self._own_evil.add(data)
        super().send_up(Publish(0, data, None))

    def publish_bytes(self, data: bytes) -> None:
        """Put any bytes into the log."""
        super().send_up(Publish(0, data, None))

    def forge_frames(self, receiver: Device) -> int:
        """Send frames of an epoch that it has keys of in the names of its members. Returns how many."""
        sent = 0
        for stay, keys in self.secrets[-2:]:
            for leaf in sorted(keys.members - {self._leaf_of(receiver, stay)}):
                forging = self._forging_as(stay, replace(keys, own_leaf=leaf, removed=frozenset()))
                number = len(self.world.media.frames)
                data = forging.protect(1, number.to_bytes(4, "big"), b"", self.world.loop.now)
                frame = Frame(number, self.label, leaf, stay.transcript, stay.base_key, data, is_forged=True)
                self.world.media.frames.append(frame)
                self.world.media.hand_over(receiver, frame)
                sent += 1
        return sent

    def _forging_as(self, stay: Stay, keys: EpochKeys) -> MediaKeyring:
        at = stay.transcript, keys.own_leaf
        if at not in self._forging:
            self._forging[at] = MediaKeyring()
            self._forging[at].advance(keys, self.world.loop.now)
        return self._forging[at]

    @staticmethod
    def _leaf_of(device: Device, stay: Stay) -> int:
        return next((s.keys.own_leaf for s in device.stays if s.transcript == stay.transcript), -1)


def with_bad_tag(_insider: Insider, content: AuthenticatedContent) -> AuthenticatedContent:
    """The commit with another confirmation tag, which is not signed."""
    return AuthenticatedContent(content.wire_format, content.content, content.signature, bytes(32))


def with_bad_path(
    insider: Insider, content: AuthenticatedContent, *, spares_one: bool = False
) -> AuthenticatedContent:
    """The commit with path secrets that nobody can open, or only one node's, and a signature that holds."""
    group, body = insider.group, content.body
    assert group is not None
    assert isinstance(body, Commit)
    assert body.path is not None
    nodes = []
    for index, node in enumerate(body.path.nodes):
        if spares_one and index == 0:
            nodes.append(node)
            continue
        sealed = tuple(replace(each, ciphertext=bytes(48)) for each in node.encrypted_path_secret)
        nodes.append(replace(node, encrypted_path_secret=sealed))
    path = UpdatePath(body.path.leaf_node, tuple(nodes))
    framed = replace(content.content, body=Commit(body.proposals, path))
    signer = insider.paper.identity(is_fast=insider.world.is_fast).signer
    signature = sign_content(
        insider.world.crypto, signer, content.wire_format, framed, group.group_context.encode()
    )
    return AuthenticatedContent(content.wire_format, framed, signature, content.confirmation_tag)


def live_group(insider: Insider) -> Group | None:
    """The group that it is in, if it can send in it."""
    return insider.group if insider.is_running and insider.is_in else None
